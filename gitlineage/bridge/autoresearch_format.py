"""
The ``results.tsv`` of an autoresearch loop: its text to rows.

The loop writes it by hand, one line an experiment, so it is read line by line: the first column is a short
commit hash, one column is a status, and which others there are differs from loop to loop (semantics 69, 70).
"""

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from gitlineage.errors import BadRows, Invalid, InvalidTrial
from gitlineage.model.rank import without_non_finite
from gitlineage.model.trial import CRASHED, FailureLabel, Trial, are_scores, parse_number

SURPLUS = "surplus"
"""The column that keeps the cells which a mended row has beyond the header's."""

MAX_LINE = 1 << 19
"""The longest line that `read` takes, in bytes."""

_COMMIT = ("commit", "commit_hash", "hash", "sha")
_STATUS = ("status", "decision", "outcome", "verdict", "result")
_TEXT = ("hypothesis", "description")
_LABELS = [label.value for label in FailureLabel]
_HASH = re.compile(r"[0-9a-f]{4,40}", re.IGNORECASE)
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_UNSAFE = re.compile(r"[^\w.+-]+")
_SHORT = 12
_LONGEST_WORD = 60
_RESERVED = ("best",)


class LoopRow(msgspec.Struct, frozen=True, kw_only=True):
    """
    One row of a loop's results.

    Args:
        line: the line it stands on, the header being 1.
        commit: its first cell: a commit's hash, or a word.
        name: the exp id that the file itself gives it; empty where it has no such column.
        cells: the text of a trial's cells by column name, without its exp id. A crash has no metric.
        tried_on: whether the commit is the one that it was tried on, and its own code is gone.
        base: the hash of the commit that it started from, where the file says that beside its own.
        parents: names of the rows that it was derived from, with a role each where one is known.
        files: its code by path, where the file has it.
        cohort: the batch that it is a member of; empty for none.
        names_commits: whether rows of this file name commits at all.
    """

    line: int
    commit: str
    name: str
    cells: Mapping[str, str]
    tried_on: bool = False
    base: str = ""
    parents: tuple[tuple[str, str], ...] = ()
    files: Mapping[str, bytes] | None = None
    cohort: str = ""
    names_commits: bool = True

    @property
    def is_hash(self) -> bool:
        """Whether the first cell can be a commit's hash."""
        return _HASH.fullmatch(self.commit) is not None

    @property
    def is_scored(self) -> bool:
        """Whether its status is one that comes with a score: any but a crash."""
        return self.cells["status"] not in CRASHED

    def numbered(self, stem: str, number: int) -> str:
        """Return the exp id of the first, second, … trial with a stem; a name of the file's own stays as it is."""
        return stem if self.name and number == 1 and stem not in _RESERVED else numbered(stem, number)

    def is_pending(self, metric: str | None) -> bool:
        """Whether it has neither a status nor a score."""
        return not self.cells["status"] and parse_number(self.cells.get(metric or "", "")) is None


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """
    A loop's results that were read.

    Args:
        columns: the header's names in order.
        metric: the column that ranks trials; ``None`` where no row tells it.
        rows: the rows in file order.
        repaired: the lines of rows that were mended.
    """

    columns: tuple[str, ...]
    metric: str | None = None
    rows: tuple[LoopRow, ...] = ()
    repaired: tuple[int, ...] = ()


def read(
    data: bytes,
    *,
    source: str,
    statuses: Mapping[str, str] | None = None,
    metric: str | None = None,
    likely: str | None = None,
    repair: bool = False,
    whole: bool = True,
) -> Results:
    """
    Read a loop's results.

    Blank lines and repeated headers are passed over. A row may say no status; only its whole row says so: one that ends
    before its status is refused, mended or not.

    Args:
        statuses: what other words in the status column mean, e.g. ``{"kept": "keep"}``.
        metric: the column that ranks trials; by default ``likely`` where there is one, else the first after the
            commit whose cells are numbers.
        likely: the column that the store ranks by.
        repair: keep surplus cells as the extra column ``surplus`` and take missing ones for empty.
        whole: whether the file is finished; if not, a last line without its line end is left out.

    Raises:
        BadRows: any row breaks a rule; every one of them is listed with its line (semantics 70).
        Invalid: the metric is no column.
    """
    lines = list(_lines(data, source, whole))
    if not lines:
        raise BadRows(source, [(1, "the file is empty; it needs a header line")])
    columns = _columns(lines[0][1], source)
    status = next((name for name in _STATUS if name in columns), None)
    text = next((name for name in _TEXT if name in columns), None)
    scores = [name for name in columns[1:] if name not in (status, text, "exp_id")]
    if metric is not None and metric not in scores:
        raise Invalid(f"there is no column {metric!r} to rank by; the columns are {', '.join(scores)}")
    records: list[tuple[int, dict[str, str]]] = []
    bad: list[tuple[int, str]] = []
    repaired: list[int] = []
    hints: set[str] = set()
    meanings = statuses or {}
    for line, cells in lines[1:]:
        if [cell.strip() for cell in cells] == list(columns):
            continue
        if len(cells) != len(columns):
            if not repair:
                bad.append((line, f"{len(cells)} cells where the header has {len(columns)} columns"))
                hints.add("--repair keeps surplus cells as text and takes missing ones for empty")
                continue
            repaired.append(line)
        record = dict(zip(columns, [*cells, *[""] * len(columns)], strict=False))
        if len(cells) > len(columns):
            record[SURPLUS] = "\t".join(filter(None, [record.get(SURPLUS, ""), *cells[len(columns) :]]))
        if status is not None and len(cells) <= columns.index(status):
            bad.append((line, f"{len(cells)} cells, so that its status is missing"))
            continue
        word = record.pop(status).strip() if status is not None else ""
        record["status"] = meanings.get(word) or meanings.get(word.casefold(), word)
        if record["status"] not in _LABELS and record["status"]:
            bad.append((line, f"status {word!r}: must be one of {', '.join(_LABELS)}"))
            hints.add("--status WORD=STATUS says what another word means")
            continue
        records.append((line, record))
    field = metric or (likely if likely in scores else _first_number(scores, [record for _, record in records]))
    rows = []
    for line, record in records:
        try:
            rows.append(_row(line, record, columns[0], text, field))
        except InvalidTrial as error:
            bad.append((line, str(error)))
    if bad:
        raise BadRows(source, sorted(bad), "; ".join(sorted(hints)))
    return Results(columns=columns, metric=field, rows=tuple(rows), repaired=tuple(repaired))


def stems(rows: Sequence[LoopRow], identity: Callable[[LoopRow], str]) -> list[str]:
    """
    Return what the exp id of each row begins with: the hash as the file spells it first, or the word in its place.

    They follow from the rows alone, so they are the same on every machine and stay as rows are appended. A long hash
    is cut to twelve digits.

    Args:
        rows: the rows in file order.
        identity: what a row's first cell stands for, equal where two spell one commit.
    """
    known: dict[str, str] = {}
    begun: list[str] = []
    for row in rows:
        what = row.name or identity(row)
        stem = known.get(what)
        if stem is None:
            stem = row.name or (row.commit.lower()[:_SHORT] if row.is_hash else _word(row.commit))
            if row.is_hash and not row.name and stem in known.values():
                stem = row.commit.lower()
            known[what] = stem
        begun.append(stem)
    return begun


def numbered(stem: str, number: int) -> str:
    """
    Return the exp id of the first, second, … trial with a stem: ``abc1234``, ``abc1234.2``, …

    A hash of digits alone and ``best`` mean something else to the store, so already their first one has a number.
    """
    plain = number == 1 and stem not in _RESERVED and not (stem.isdecimal() and _HASH.fullmatch(stem))
    return stem if plain else f"{stem}.{number}"


def _word(cell: str) -> str:
    """Return a first cell that is no hash as an exp id."""
    return _UNSAFE.sub("-", cell).strip("-._+")[:_LONGEST_WORD] or "row"


def _lines(data: bytes, source: str, whole: bool) -> Iterator[tuple[int, list[str]]]:
    """Return the cells of every line that is not blank, with its number."""
    parts = data.removeprefix(codecs.BOM_UTF8).split(b"\n")
    if not whole:
        parts.pop()
    bad = []
    for number, part in enumerate(parts, 1):
        if len(part) > MAX_LINE:
            bad.append((number, f"a line of {len(part)} bytes; the limit is {MAX_LINE}"))
            continue
        try:
            line = part.removesuffix(b"\r").decode()
        except UnicodeDecodeError as error:
            bad.append((number, f"byte 0x{part[error.start]:02x} is not UTF-8"))
            continue
        if "\0" in line or "\r" in line:
            bad.append((number, "holds a NUL character or a carriage return"))
        elif line.strip():
            yield number, [_unquoted(cell) for cell in line.split("\t")]
    if bad:
        raise BadRows(source, bad)


def _unquoted(cell: str) -> str:
    """Return a cell's text; it may be quoted as a whole, as spreadsheets and ``csv`` do."""
    quoted = _QUOTED.fullmatch(cell)
    return quoted[1].replace('""', '"') if quoted else cell


def _columns(cells: Sequence[str], source: str) -> tuple[str, ...]:
    """Return the header's names, or refuse a header that is none of a loop's results (semantics 69)."""
    columns = tuple(cell.strip() for cell in cells)
    bad = []
    if columns[0] not in _COMMIT:
        bad.append((1, f"the first column is {columns[0]!r}, not 'commit'; `gitlineage import tsv` reads other tables"))
    for name, times in Counter(columns).items():
        if times > 1 or not name:
            bad.append((1, f"the header names column {name!r} {times} times" if name else "a column has no name"))
    if bad:
        raise BadRows(source, bad)
    return columns


def _first_number(columns: Sequence[str], records: Sequence[Mapping[str, str]]) -> str | None:
    """Return the first column whose cells are numbers; what crashes hold there tells nothing."""
    for column in columns:
        if are_scores((each["status"], each.get(column, "")) for each in records):
            return column
    return None


def _row(line: int, record: dict[str, str], commit: str, text: str | None, metric: str | None) -> LoopRow:
    """Return a record as a row; what is no number does not stay in the metric's column or a numeric one."""
    cell = record.pop(commit).strip()
    name = record.pop("exp_id", "").strip()
    cells = {"commit": cell, **record}
    if text is not None:
        cells["hypothesis"] = cells.pop(text)
    if metric is not None and cells["status"] in CRASHED:
        cells[metric] = ""
    cells = without_non_finite(cells, metric)
    Trial.from_cells({**cells, "exp_id": name or "row"})
    return LoopRow(line=line, commit=cell, name=name, cells=cells)
