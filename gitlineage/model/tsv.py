"""
A trial log as a TSV file: bytes to rows and back, byte for byte.

Cells are read as the ``csv`` module's strict ``excel-tab`` dialect reads them, but not by that module: it
gives neither a row's raw text nor cells beyond a limit that is one setting for the whole process.

What cannot be given back byte for byte is refused: blank lines, and line ends that differ from the header's.
"""

import codecs
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from gitlineage.errors import BadRows, InvalidTrial
from gitlineage.model.rank import ELIGIBLE, without_non_finite
from gitlineage.model.trial import AUTO_ID, NUMERIC, TEXT, FailureLabel, Trial, are_scores, parse_number

MAX_CELL = 1 << 20
"""The longest cell that `read` takes, in characters."""

_QUOTED = re.compile(r'"([^"]*+(?:""[^"]*+)*+)"')
_CELL = re.compile(rf'(?:{_QUOTED.pattern}|((?!")[^\t\r\n]*+))(\t|\r?\n|\Z)')
_NEEDS_QUOTES = re.compile(r'[\t\r\n"]')
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")
_LINE_ENDS = {"\n": "LF", "\r\n": "CR LF"}
_HINT = "--repair mends flattened rows"


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a file looked like beyond its rows; kept as JSON, it gives the file back byte for byte.

    Args:
        columns: the header's names in order.
        header: the header line as it stood, without its line end; empty where `write` would spell it alike.
            Belongs to these columns: drop it when changing them.
        newline: the line end of every line, LF or CR LF.
        bom: whether the file began with the UTF-8 byte order mark.
        final_newline: whether the last line had a line end.
    """

    columns: tuple[str, ...]
    header: str = ""
    newline: str = "\n"
    bom: bool = False
    final_newline: bool = True


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """
    One row of a file.

    Args:
        line: the physical line it begins on, the header being 1; 0 for a row that was not read.
        trial: the row as a record.
        cells: the text of its cells, column by column in the file's order.
        raw: its text as it stood, without its line end; empty where `write` would spell the trial alike, which
            nobody knows of a row without a status: it may get one that is not the file's. Belongs to these cells: drop
            it when changing them.
    """

    line: int
    trial: Trial
    cells: Mapping[str, str]
    raw: str = ""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """
    A file that was read.

    Args:
        shape: what it looked like beyond its rows.
        rows: its rows in file order.
        repaired: the lines of rows that were mended.
        metric: the column with the score, as it was given or found; ``None`` where there is none.
    """

    shape: Shape
    rows: tuple[Row, ...] = ()
    repaired: tuple[int, ...] = ()
    metric: str | None = None


class _Record(NamedTuple):
    """A row as it stands in the text: where it is, its cells so far, and what is wrong with its quoting."""

    line: int
    raw: str
    ending: str
    stop: int
    cells: list[str]
    fault: str = ""
    rest: str = ""  # the text between a closing quote and the end of its line


def read(data: bytes, *, source: str, repair: bool = False, metric: str | None = None) -> Table:
    """
    Read a trial log.

    ``write(table.shape, table.rows)`` is ``data`` again, unless rows were mended.

    Args:
        data: the file's bytes, UTF-8 with or without byte order mark.
        repair: mend flattened rows: a clean-up joined the lines of a quoted cell and turned the tabs after it into
            single spaces (semantics 60).
        metric: the column with the score, by default what `detect_metric` says; in a keep or baseline row it may not
            hold NaN or infinity. Elsewhere these are no score: the trial's cell is empty, the row keeps the text.

    Raises:
        BadRows: any row breaks a rule; every one of them is listed, and with a broken header that alone
            (semantics 8, 9, 12, 60).
    """
    bom = data.startswith(codecs.BOM_UTF8)
    text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    if not text:
        raise BadRows(source, [(1, "the file is empty; it needs a header line")])
    header, *records = _records(text)
    columns = tuple(header.cells)
    if faults := list(_header_faults(header, metric)):
        raise BadRows(source, faults)
    newline = header.ending or "\n"
    sound = [record for record in records if not _fault(record, len(columns), newline)]
    metric = metric or detect_metric(columns, [dict(zip(columns, record.cells, strict=True)) for record in sound])

    rows: list[Row] = []
    repaired: list[int] = []
    bad: list[tuple[int, str]] = []
    first: dict[str, Row] = {}
    hint = ""
    for record in records:
        mended = _mended(record, columns, metric)
        if mended and not _fault(mended, len(columns), newline):
            if repair:
                record = mended
                repaired.append(record.line)
            else:
                record = record._replace(fault=f"a flattened row: {record.fault}")
                hint = _HINT
        if fault := _fault(record, len(columns), newline):
            bad.append(fault)
            continue
        cells = dict(zip(columns, record.cells, strict=True))
        try:
            trial = _trial(cells, metric)
        except InvalidTrial as error:
            bad.append((record.line, str(error)))
            continue
        differs = trial.status is None or any(trial.text(column) != text for column, text in cells.items())
        row = Row(line=record.line, trial=trial, cells=cells, raw=record.raw if differs else _odd(record))
        before = first.setdefault(trial.exp_id, row)
        if before is not row:
            what = "the whole row repeats" if before.cells == cells else f"exp_id {trial.exp_id!r} is taken by"
            bad.append((row.line, f"{what} line {before.line}"))
        rows.append(row)
    if bad:
        raise BadRows(source, bad, hint)
    shape = Shape(
        columns=columns,
        header=_odd(header),
        newline=newline,
        bom=bom,
        final_newline=text.endswith("\n"),
    )
    return Table(shape=shape, rows=tuple(rows), repaired=tuple(repaired), metric=metric)


def write(shape: Shape, rows: Iterable[Row]) -> bytes:
    """
    Write a trial log, the inverse of `read`.

    A row's ``raw`` is used where the shape has the columns that the row was read with. Any other row gets the
    shape's columns: an absent cell is empty, and cells of further columns are left out. A cell is quoted when it
    holds a tab, a line break or a quote, as the auto-research harness does.
    """
    lines = (
        row.raw
        if row.raw and tuple(row.cells) == shape.columns
        else canonical([row.cells.get(column, "") for column in shape.columns])
        for row in rows
    )
    return b"".join(pieces(shape, lines))


def pieces(shape: Shape, lines: Iterable[str]) -> Iterator[bytes]:
    """Return a trial log piece by piece: its header, each row as it is written, and how it ends."""
    yield (codecs.BOM_UTF8 if shape.bom else b"") + (shape.header or canonical(shape.columns)).encode()
    for line in lines:
        yield (shape.newline + line).encode()
    if shape.final_newline:
        yield shape.newline.encode()


def detect_metric(columns: Sequence[str], cells: Collection[Mapping[str, str]] = ()) -> str | None:
    """
    Return the column with the score: the first after ``status`` whose cells are scores.

    In all seven campaigns that is the one right after it (semantics N). An empty column counts where it is one of the
    seventeen, and where no cell tells anything else; ``None`` where no column can hold scores.

    Args:
        columns: the header's names in order.
        cells: the rows' cells by column name.
    """
    after = columns[columns.index("status") + 1 :] if "status" in columns else ()
    possible = [column for column in after if column not in TEXT and column != "description"]
    scored = {column: are_scores((row["status"], row[column]) for row in cells) for column in possible}
    left = [column for column in possible if scored[column] is not False]
    if any(scored.values()):
        left = [column for column in left if scored[column] or column in NUMERIC]
    return left[0] if left else None


def detect_direction(rows: Iterable[Row], metric: str) -> bool | None:
    """
    Return whether lower scores are better, or ``None`` where the rows do not tell.

    A keep improves on the best before it (semantics 11), so all its ``delta_vs_best`` have one sign; where they
    don't or are empty, all steps from one baseline or keep to the next keep have. Where no keep tells, a scored
    discard does: it did not improve, so its delta has the other sign.
    """
    deltas: list[float] = []
    steps: list[float] = []
    failed: list[float] = []
    best: float | None = None
    for row in rows:
        status, score = row.trial.status, row.trial.number(metric)
        if status is FailureLabel.KEEP:
            deltas.append(row.trial.delta_vs_best or 0.0)
            if score is not None and best is not None:
                steps.append(score - best)
        if status is FailureLabel.DISCARD and score is not None:
            failed.append(-(row.trial.delta_vs_best or 0.0))
        if score is not None and status in ELIGIBLE:
            best = score
    for changes in (deltas, steps, failed):
        signs = {change < 0 for change in changes if change}
        if len(signs) == 1:
            return signs.pop()
    return None


def for_spreadsheet(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula, with ``'`` before it where one would; numbers are none."""
    return f"'{text}" if _FORMULA.match(text) and parse_number(text) is None else text


def row_cells(raw: str) -> tuple[str, ...]:
    """Return the cells of a sound row's text as it stood, without its line end."""
    return tuple(_record(raw, 0, 1).cells)


def header_cells(header: str) -> tuple[str, ...]:
    """Return the names in a header line without its line end; none where it is not one line."""
    first, *more = _records(header)
    return () if more or first.ending else tuple(first.cells)


def _records(text: str) -> Iterator[_Record]:
    """Cut a text into rows; after an unsound row go on with the next line."""
    line, start = 1, 0
    while start < len(text):
        record = _record(text, start, line)
        yield record
        line += text.count("\n", start, record.stop)
        start = record.stop


def _record(text: str, start: int, line: int) -> _Record:
    """Read the row that begins at an offset, up to where its quoting breaks."""
    stop = _line_end(text, start)
    raw, ending = _chomp(text[start:stop])
    if '"' not in raw and "\r" not in raw:
        return _Record(line, raw, ending, stop, raw.split("\t"))
    cells: list[str] = []
    position = start
    fault = rest = ""
    while match := _CELL.match(text, position):
        quoted, bare, after = match.groups()
        cells.append(bare if quoted is None else quoted.replace('""', '"'))
        position = match.end()
        if after != "\t":
            stop = position
            break
    else:
        stop = _line_end(text, position)
        if not text.startswith('"', position):
            fault = "holds a carriage return outside quotes"
        elif closed := _QUOTED.match(text, position):
            fault = f"text after the closing quote of cell {len(cells) + 1}"
            cells.append(closed[1].replace('""', '"'))
            stop = _line_end(text, closed.end())
            rest = _chomp(text[closed.end() : stop])[0]
        else:
            fault = f"the quote that opens cell {len(cells) + 1} is never closed"
    raw, ending = _chomp(text[start:stop])
    return _Record(line, raw, ending, stop, cells, fault, rest)


def _line_end(text: str, start: int) -> int:
    """Return the offset after the next line end."""
    return text.find("\n", start) + 1 or len(text)


def _chomp(line: str) -> tuple[str, str]:
    """Split a line from its line end."""
    for ending in ("\r\n", "\n"):
        if line.endswith(ending):
            return line.removesuffix(ending), ending
    return line, ""


def _header_faults(header: _Record, metric: str | None) -> Iterator[tuple[int, str]]:
    if not header.raw:
        yield 1, "the header line is blank"
        return
    if fault := _fault(header, len(header.cells), header.ending):
        yield fault
        return
    for place, name in enumerate(header.cells, 1):
        if not name:
            yield 1, f"column {place} of the header has no name"
    for name, times in Counter(header.cells).items():
        if name and times > 1:
            yield 1, f"the header names column {name!r} {times} times"
    for name in dict.fromkeys(["exp_id", *([metric] if metric else [])]):
        if name not in header.cells:
            yield 1, f"the header has no column {name!r}"


def _fault(record: _Record, width: int, newline: str) -> tuple[int, str] | None:
    """Return the line and the reason why a row cannot be read as that many cells."""
    raw, line = record.raw, record.line
    if not raw:
        return line, "the line is blank"
    try:
        raw.encode()
    except UnicodeEncodeError as error:
        byte = ord(raw[error.start]) & 0xFF
        return line + raw.count("\n", 0, error.start), f"byte 0x{byte:02x} is not UTF-8"
    if "\0" in raw:
        return line + raw.count("\n", 0, raw.index("\0")), "holds a NUL character"
    if record.ending and record.ending != newline:
        return line, f"ends in {_LINE_ENDS[record.ending]}, the header line in {_LINE_ENDS[newline]}"
    if len(raw) > MAX_CELL and (longest := max(map(len, [*record.cells, record.rest]))) > MAX_CELL:
        return line, f"a cell of {longest} characters; the limit is {MAX_CELL}"
    if record.fault:
        return line, record.fault
    if len(record.cells) != width:
        return line, f"{len(record.cells)} cells where the header has {width} columns"
    return None


def _trial(cells: Mapping[str, str], metric: str | None) -> Trial:
    if cells["exp_id"] == AUTO_ID:
        raise InvalidTrial("exp_id", AUTO_ID, "a table's row needs a name of its own")
    trial = Trial.from_row if cells.get("status") else Trial.from_cells
    return trial(without_non_finite(cells, metric))


def _mended(record: _Record, columns: Sequence[str], metric: str | None) -> _Record | None:
    """
    Return a flattened row as it was meant, or ``None`` where the row is not one (semantics 60).

    The text after the closing quote, minus one space, holds the missing cells with single spaces between them; the
    last keeps its spaces. The row counts as one only if its status and numbers then fall into place.
    """
    missing = len(columns) - len(record.cells)
    if not record.rest.startswith(" ") or "\t" in record.rest:
        return None
    pieces = record.rest[1:].split(" ", missing - 1)
    if len(pieces) != missing:
        return None
    cells = [*record.cells, *map(_unquoted, pieces)]
    try:
        trial = _trial(dict(zip(columns, cells, strict=True)), metric)
    except InvalidTrial:
        return None
    if trial.status is None:
        return None
    numeric = [*NUMERIC, *([metric] if metric else [])]
    if any(trial.text(name) and trial.number(name) is None for name in numeric):
        return None
    return record._replace(cells=cells, raw=canonical(cells), fault="", rest="")


def _unquoted(piece: str) -> str:
    """Return the text of a cell that may be quoted as a whole."""
    quoted = _QUOTED.fullmatch(piece)
    return quoted[1].replace('""', '"') if quoted else piece


def canonical(cells: Sequence[str]) -> str:
    """Return a row as it is written where nothing says how it stood."""
    line = "\t".join(cells)
    if '"' not in line and "\n" not in line and "\r" not in line and line.count("\t") == len(cells) - 1:
        return line
    return "\t".join('"' + cell.replace('"', '""') + '"' if _NEEDS_QUOTES.search(cell) else cell for cell in cells)


def _odd(record: _Record) -> str:
    """Return a row's raw text where it is not the canonical writing of its cells; without quotes it always is."""
    return "" if '"' not in record.raw or record.raw == canonical(record.cells) else record.raw
