"""
Tables of any kind: cells between tabs, commas, semicolons or bars, with whatever loops and people leave between rows.

`read` cuts a text into rows and says what is no row. What the columns mean is judged elsewhere; only where a row does
not have the header's width is a known status word used to see how it is to be laid along the columns.
"""

import codecs
import re
from collections import Counter
from collections.abc import Sequence

from gitlineage.bounds import MAX_COLUMNS
from gitlineage.bridge.formats import words
from gitlineage.bridge.formats.found import DAMAGED, INCOMPLETE, SHORT, Found, FoundRow, listed
from gitlineage.bridge.formats.numbers import is_placeholder
from gitlineage.bridge.formats.numbers import read as read_number

COMMENT, BLANK, REPEATED, PROSE, LOG, CONTINUED = (
    "comment", "blank", "repeated header", "text", "other rows", "continued text",
)  # fmt: skip
"""Kinds of lines that are no rows."""

_SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}
_LONGEST = 1 << 19
_SETTING = re.compile(r"#+\s*([A-Za-z_][\w \-/]{0,60}?)\s*[:=]\s*(.+)")
_RULE = re.compile(r"\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?")
_HASH = re.compile(r"[0-9a-f]{7,40}", re.IGNORECASE)
_ID_TAIL = re.compile(r"(.*?)([0-9a-f]{7,40}|(?<![\w-])[-—]|-|[A-Za-z]+[_-]?\d+|\d+[a-z]?)", re.DOTALL)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d")
_LONGEST_ID = 60
_LOOKED_AT, _SOME = 400, 3
"""Lines after a header that tell whether it fits, and how many of them have to agree."""

_TOGETHER = 60
"""Lines that one row may run over at most."""

_LAID = 64
"""Columns that a row with too few cells is laid along at most."""

_MOSTLY = 0.8
"""Share of a column's cells that are numbers where it holds numbers."""


class _Lines:
    """The lines of a text that are left, each with its number."""

    def __init__(self, text: str) -> None:
        self.all = [line.removesuffix("\r") for line in text.split("\n")]
        self.open = len(self.all) - 1  # the line that nothing ends; it may be still being written
        if self.all and not self.all[-1]:
            self.all.pop()
        self.at = 0

    def __bool__(self) -> bool:
        return self.at < len(self.all)


def decode(data: bytes) -> tuple[str, list[int]]:
    """Return a file's text, and the lines that hold bytes which are no text."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace"), []
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode(), []
    except UnicodeDecodeError:
        bad = [number for number, line in enumerate(data.split(b"\n"), 1) if not _is_text(line)]
        return data.decode("utf-8", "replace"), bad


def recognise(text: str) -> str | None:
    """Return the separator of a table's cells, ``None`` where the text is no table."""
    lines = [line for line in text[:200_000].splitlines() if line.strip()][:200]
    if not lines:
        return None
    plain = [line for line in lines if not _SETTING.fullmatch(line)] or lines
    for separator in ("\t", ",", ";", "|"):
        counts = [line.count(separator) for line in plain]
        if separator == "," and any(line.count("\t") for line in plain[:3]):
            continue
        header = counts[0]
        if header and (len(plain) == 1 or sum(1 for count in counts[1:] if count) * 2 >= len(counts) - 1):
            return separator
    if len(lines) > 1 and any("\\t" in line for line in lines):
        return "\t"
    if any(line.count("\t") > 1 for line in plain[:20]):
        return "\t"
    return None


def read(text: str, source: str, separator: str, damaged: Sequence[int] = (), whole: bool = True) -> Found:
    """
    Read a table.

    Args:
        text: the file's text.
        source: its name.
        separator: what stands between cells.
        damaged: lines with bytes that are no text.
        whole: whether the file is finished; if not, a last line without its line end waits.
    """
    if not whole and not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
    return _Reader(text, source, separator, damaged).read()


class _Reader:
    def __init__(self, text: str, source: str, separator: str, damaged: Sequence[int]) -> None:
        self._lines = _Lines(text)
        self._source = source
        self._cut = separator
        self._skipped: dict[str, list[int]] = {}
        self._told: list[str] = []
        self._settings: dict[str, str] = {}
        self._section = ""
        self._sections: list[str] = []
        self._columns: tuple[str, ...] = ()
        self._status = -1
        self._rows: list[FoundRow] = []
        self._joined: list[int] = []
        self._spelt: list[int] = []
        self._short: list[int] = []
        self._unsure: list[int] = []
        self._surplus: list[int] = []
        self._odd: list[int] = []
        self._damaged = set(damaged)
        self._unnamed = ""
        self._first: Counter[str] = Counter()
        self._shapes: set[str] = set()
        self._numeric: set[int] = set()
        self._absorbed: dict[str, list[int]] = {}
        self._shown: dict[str, str] = {}

    def read(self) -> Found:
        header = self._header()
        while self._lines:
            self._one()
        self._tell()
        noun = _SEPARATORS[self._cut]
        return Found(
            kind=f"a table with {noun} between {len(self._columns)} columns",
            source=self._source,
            columns=self._columns,
            rows=self._rows,
            settings=self._settings,
            skipped=self._skipped,
            told=self._told,
            header=header and not self._unnamed,
            unnamed=self._unnamed,
            shown=self._shown,
        )

    # -- the header ------------------------------------------------------------------------------------------------

    def _header(self) -> bool:
        """Find the line with the columns' names; where there is none, they are numbered."""
        while self._lines:
            at = self._lines.at
            line = self._lines.all[at]
            cells = self._cells()
            if not line.strip():
                self._skip(BLANK, at)
            elif line.lstrip().startswith("#") and len(cells) > 2 and not _SETTING.fullmatch(line):
                cells[0] = cells[0].lstrip("# ")
                return self._name(cells)
            elif self._is_comment(line, len(cells), 0):
                self._comment(line, at)
            elif _RULE.fullmatch(line.strip()):
                self._skip(BLANK, at)
            elif len(cells) == 1 and not self._is_only(at):
                self._skip(PROSE, at)
            elif _is_row(cells):
                self._lines.at = at
                self._columns = tuple(str(number) for number in range(1, len(cells) + 1))
                self._status = next((i for i, cell in enumerate(cells) if _is_status(cell)), -1)
                self._look_ahead()
                return False
            else:
                return self._name(cells)
        return True

    def _is_only(self, at: int) -> bool:
        """Whether nothing after a line has more cells than one."""
        return not any(self._cut in line for line in self._lines.all[at + 1 : at + 50])

    def _name(self, cells: list[str]) -> bool:
        names: list[str] = []
        for number, cell in enumerate(cells, 1):
            name = " ".join(cell.split()).strip("*`")[:200]
            if not name:
                name = f"column {number}"
            while name in names:
                name = f"{name} ({number})"
            names.append(name)
        if len(names) > 1 and not cells[-1].strip():
            names.pop()  # a separator at the end of the header
        self._columns = tuple(names[:MAX_COLUMNS])
        self._status = self._fitting(self._named_status())
        self._widen()
        self._look_ahead()
        return True

    def _look_ahead(self) -> None:
        """See which columns hold numbers and what first cells look like, in the rows that have the header's width."""
        width = len(self._columns)
        lines = self._lines.all[self._lines.at : self._lines.at + _LOOKED_AT]
        rows = [cells for line in lines if len(line) < _LONGEST and len(cells := _split(line, self._cut)) == width]
        rows = [cells for cells in rows if not cells[0].lstrip().startswith("# ")]
        self._shapes = {_shape(cells[0].strip()) for cells in rows}
        for place in range(width):
            held = [cells[place] for cells in rows if not is_placeholder(cells[place])]
            numbers = sum(read_number(cell) is not None for cell in held)
            if place != self._status and numbers and numbers >= len(held) * _MOSTLY:
                self._numeric.add(place)

    def _named_status(self) -> list[int]:
        lowered = [name.casefold() for name in self._columns]
        return [lowered.index(name) for name in words.STATUS if name in lowered]

    def _widen(self) -> None:
        """
        Name the columns anew where most rows have more cells than the header, up to the status at the same place.

        A comment that is a header of that width has the names; else those between the first and the status have none.
        """
        width = len(self._columns)
        rest = [line for line in self._lines.all[self._lines.at :][:_LOOKED_AT] if line.strip()]
        rows = [cells for line in rest if len(cells := line.split(self._cut)) > 1 and not line.startswith("#")]
        widths = Counter(len(cells) for cells in rows)
        wide, count = widths.most_common(1)[0] if widths else (0, 0)
        if self._cut != "\t" or self._status < 1 or wide <= width or count < _SOME or count * 3 < len(rows) * 2:
            return
        place = self._status + wide - width
        if not all(_is_status(cells[place]) for cells in rows if len(cells) == wide):
            return
        own = set(self._columns)
        for line in self._lines.all[self._lines.at :]:
            named = line.lstrip("# ").split(self._cut) if line.startswith("#") else []
            if len(named) == wide and len(own & {cell.strip() for cell in named}) * 2 > len(own):
                self._columns = tuple(cell.strip() for cell in named)
                self._told.append(f"the header names {width} columns and most rows have {wide}: a comment names those")
                break
        else:
            between = [f"column {number}" for number in range(2, place + 1)]
            self._columns = (self._columns[0], *between, *self._columns[self._status :])
            self._unnamed = f"the header names {width} columns and most rows have {wide}"
        self._status = place

    def _fitting(self, places: list[int]) -> int:
        """Return which of some columns holds most words for statuses in the lines that follow; -1 for none."""
        width = len(self._columns)
        rows = [line.split(self._cut) for line in self._lines.all[self._lines.at : self._lines.at + 400]]
        sound = [cells for cells in rows if len(cells) == width]
        scores = {place: sum(_is_status(cells[place]) for cells in sound) for place in places}
        best = max(scores.values(), default=0)
        return next((place for place in places if scores[place] == best), -1)

    # -- lines -----------------------------------------------------------------------------------------------------

    def _one(self) -> None:
        """Read the next row, or what is in its place."""
        at, width = self._lines.at, len(self._columns)
        line = self._lines.all[at]
        number = at + 1
        if "\0" in line or len(line) > _LONGEST:
            self._lines.at += 1
            self._skip(DAMAGED, at)
            what = f"{len(line):,} characters long" if len(line) > _LONGEST else "it holds NUL characters"
            self._shown.setdefault(DAMAGED, what)
            return
        if not line.strip():
            self._lines.at += 1
            self._skip(BLANK, at)
            return
        cells = self._cells()
        if len(cells) != width and "\\t" in line:
            spelt = line.replace("\\t", self._cut)
            again = _split(spelt, self._cut)
            if len(again) > len(cells):
                cells = again
                self._spelt.append(number)
        if self._is_comment(line, len(cells), width):
            self._comment(line, at)
        elif _RULE.fullmatch(line.strip()):
            self._skip(BLANK, at)
        elif [cell.strip().casefold() for cell in cells] == [name.casefold() for name in self._columns]:
            self._skip(REPEATED, at)
        elif at == self._lines.open and self._is_being_written(line, cells):
            self._skip(INCOMPLETE, at)
            said = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
            self._shown[INCOMPLETE] = f"{said} of {width}" if len(cells) < width else f"it ends in {cells[-1][-20:]!r}"
        elif len(cells) == width:
            self._add(number, cells)
        elif len(cells) < width:
            self._narrow(at, cells)
        else:
            self._wide(at, cells)

    def _narrow(self, at: int, cells: list[str]) -> None:
        """Read a line with fewer cells than the header has: a row over several lines, a short row, or none."""
        number, width = at + 1, len(self._columns)
        if joined := self._continued(cells):
            rest = list(range(number + 1, self._lines.at + 1))
            self._told.append(f"{listed([number, *rest])} are one row".replace("line ", "lines ", 1))
            self._skipped.setdefault(CONTINUED, []).extend(rest)
            self._add(number, joined)
        elif len(cells) == 1 and width > 1 and not (_shape(cells[0].strip()) == "hash" and "hash" in self._shapes):
            follows = bool(self._rows) and (
                self._rows[-1].line == at
                or (CONTINUED in self._skipped and self._skipped[CONTINUED][-1:] == [at])
                or self._in_text(at - len(self._blanks_before(at)))
            )
            if follows and (blanks := self._blanks_before(at)):
                self._skipped[BLANK] = [line for line in self._skipped[BLANK] if line not in blanks]
                self._skipped.setdefault(CONTINUED, []).extend(blanks)
            self._skip(CONTINUED if follows else PROSE, at)
        elif self._is_row_like(cells) and self._is_cut_short(cells):
            self._short.append(number)
            self._add(number, [*cells, *[""] * (width - len(cells))])
        elif (laid := self._laid_short(cells)) is not None:
            whole, unsure = laid
            (self._unsure if unsure else self._short).append(number)
            self._add(number, whole, unsure)
        elif not self._is_row_like(cells):
            self._skip(LOG if len(cells) > 2 else PROSE, at)
        elif len(cells) > 2:
            self._add_odd(number, cells)
        else:
            self._skip(SHORT, at)
            self._shown.setdefault(SHORT, " ".join(cells)[:_LONGEST_ID])

    def _is_row_like(self, cells: Sequence[str]) -> bool:
        """Whether a line that has not the header's width begins as rows do."""
        shape = _shape(cells[0].strip())
        return self._is_like_id(cells[0]) or (shape in self._shapes and (shape != "words" or len(cells) > 1))

    def _is_being_written(self, line: str, cells: Sequence[str]) -> bool:
        """Whether a last line that nothing ends is a row that is not whole yet."""
        width, status = len(self._columns), self._status
        if '"' in line and _quoted(line, self._cut)[1]:
            return True
        if len(cells) == 1 and not self._is_like_id(cells[0]):
            return False
        if len(cells) < width:
            return not (status >= 0 and len(cells) > status and _is_status(cells[status]))
        return len(cells) == width == status + 1 and bool(cells[status].strip()) and not _is_status(cells[status])

    def _is_cut_short(self, cells: Sequence[str]) -> bool:
        """Whether cells are a row whose end is missing: with its status there, or all its numbers."""
        if self._status < 0:
            missing = set(range(len(cells), len(self._columns)))
            return not missing & self._numeric and self._fits([*cells, *[""] * len(missing)])
        return len(cells) > self._status and _is_status(cells[self._status])

    def _fits(self, cells: Sequence[str]) -> bool:
        """Whether cells that were laid along columns have numbers where numbers stand, and a status where one does."""
        numeric = all(is_placeholder(cells[at]) or read_number(cells[at]) is not None for at in self._numeric)
        return numeric and (self._status < 0 or not cells[self._status].strip() or _is_status(cells[self._status]))

    def _blanks_before(self, at: int) -> list[int]:
        """Return the numbers of the blank lines right before a line."""
        blank = set(self._skipped.get(BLANK, [])[-_TOGETHER:])
        blanks = []
        while at in blank:
            blanks.append(at)
            at -= 1
        return blanks[::-1]

    def _in_text(self, at: int) -> bool:
        """Whether a line belongs to a text that is continued."""
        return self._skipped.get(CONTINUED, [])[-1:] == [at]

    def _laid_short(self, cells: list[str]) -> tuple[list[str], str] | None:
        """
        Return a row that lacks cells before its status, laid along the columns, and what could not be laid.

        Where there is more than one way, what stands before the status is left out, so that nothing ranks by it.
        """
        if self._status < 0:
            return None
        missing = len(self._columns) - len(cells)
        place = self._status - missing
        if not 0 < place < len(cells) or not _is_status(cells[place]) or any(map(_is_status, cells[:place])):
            return None
        ways = self._ways(cells[:place], self._status)
        if len(ways) == 1:
            return [*ways[0], *cells[place:]], ""
        return [cells[0], *[""] * (self._status - 1), *cells[place:]], "\t".join(cells[1:place])

    def _ways(self, cells: Sequence[str], width: int) -> list[list[str]]:
        """Return up to two ways to lay some first cells of a row along as many or more columns, in their order."""
        ways: list[list[str]] = []
        dead: set[tuple[int, int]] = set()

        def lay(at: int, laid: list[str]) -> bool:
            """Lay the rest of the cells; return whether there was a way."""
            place = len(laid)
            if len(ways) > 1 or width - place < len(cells) - at or (at, place) in dead:
                return False
            if place == width:
                ways.append(laid)
                return True
            laying = False
            if at < len(cells):
                is_number = read_number(cells[at]) is not None
                if not laid or is_placeholder(cells[at]) or is_number is (place in self._numeric):
                    laying = lay(at + 1, [*laid, cells[at]])
            if laid:
                laying = lay(at, [*laid, ""]) or laying
            if not laying:
                dead.add((at, place))
            return laying

        if width <= _LAID:
            lay(0, [])
        return ways

    def _continued(self, cells: list[str]) -> list[str] | None:
        """Return a row that is broken over several lines, where the next ones complete it exactly."""
        width = len(self._columns)
        whole, at = list(cells), self._lines.at
        while len(whole) < width and at < min(len(self._lines.all), self._lines.at + _TOGETHER):
            line = self._lines.all[at]
            more = _split(line, self._cut)
            if not line.strip() or len(more) >= width or "\0" in line or len(whole) + len(more) - 1 > width:
                return None
            if len(more) > 1 and self._is_like_id(more[0]):
                return None  # a row of its own
            whole = [*whole[:-1], f"{whole[-1]}\n{more[0]}", *more[1:]]
            at += 1
        if len(whole) != width or (self._status >= 0 and not _is_status(whole[self._status])):
            return None
        self._lines.at = at
        return whole

    def _wide(self, at: int, cells: list[str]) -> None:
        """Read a line with more cells than the header has: several rows, surplus cells, or another layout."""
        number, width = at + 1, len(self._columns)
        if not any(cell.strip() for cell in cells[width:]):
            self._add(number, cells[:width])
            return
        if rows := self._apart(cells):
            self._joined.append(number)
            for row in rows:
                self._add(number, row)
            return
        extra = len(cells) - width
        place = self._status
        if self._cut != "\t" and (absorbed := self._absorbing(cells, extra)) is not None:
            self._absorbed.setdefault(self._columns[absorbed], []).append(number)
            text = self._cut.join(cells[absorbed : absorbed + extra + 1])
            self._add(number, [*cells[:absorbed], text, *cells[absorbed + extra + 1 :]])
        elif place < 0 and not self._is_row_like(cells):
            self._skip(LOG, at)
        elif (place < 0 or _is_status(cells[place])) and self._fits(cells[:width]):
            self._surplus.append(number)
            self._add(number, cells[:width], "\t".join(cells[width:]))
        elif (
            place >= 0
            and _is_status(cells[place + extra])
            and self._fits(laid := [*cells[:place], *cells[place + extra :]])
        ):
            self._surplus.append(number)
            self._add(number, laid, "\t".join(cells[place : place + extra]))
        elif self._is_row_like(cells):
            self._add_odd(number, cells)
        else:
            self._skip(LOG, at)

    def _absorbing(self, cells: Sequence[str], extra: int) -> int | None:
        """Return the column of text that has separators in it which nobody quoted; ``None`` where that is not sure."""
        texts = [place for place in range(len(self._columns)) if place != self._status and place not in self._numeric]
        fits = []
        for place in texts:
            laid = [*cells[:place], "", *cells[place + extra + 1 :]]
            has_status = self._status < 0 or _is_status(laid[self._status])
            if has_status and self._fits(laid) and self._is_row_like([cells[0]]):
                fits.append((place, [laid[at] for at in sorted(self._numeric | {max(self._status, 0)})]))
        if not fits or any(said != fits[0][1] for _, said in fits):
            return None
        return fits[-1][0]

    def _apart(self, cells: list[str]) -> list[list[str]] | None:
        """Return the rows that were written onto one line without line ends between them; ``None`` where none were."""
        width = len(self._columns)
        if width < 3 or (len(cells) - 1) % (width - 1):
            return None
        rows: list[list[str]] = []
        rest = list(cells)
        while len(rest) > width:
            text = rest[width - 1]
            tail = _ID_TAIL.fullmatch(text[-_LONGEST_ID:])  # the end alone: a cell may be long
            if tail is None or not self._is_like_id(tail[2]):
                return None
            rows.append([*rest[: width - 1], text[: len(text) - len(tail[2])]])
            rest = [tail[2], *rest[width:]]
        rows.append(rest)
        if self._status >= 0:
            return rows if all(_is_status(row[self._status]) for row in rows) else None
        numeric = [place for place in range(1, width) if read_number(rows[0][place])]
        return rows if numeric and all(read_number(row[place]) for row in rows for place in numeric) else None

    # -- what they become ------------------------------------------------------------------------------------------

    def _add(self, number: int, cells: Sequence[str], surplus: str = "") -> None:
        stripped = [cell.strip(" ") for cell in cells]
        self._first[_shape(stripped[0])] += 1
        self._rows.append(
            FoundRow(
                line=number,
                cells=dict(zip(self._columns, stripped, strict=False)),
                section=self._section,
                surplus=surplus,
            )
        )

    def _add_odd(self, number: int, cells: Sequence[str]) -> None:
        self._odd.append(number)
        self._rows.append(
            FoundRow(
                line=number,
                cells={self._columns[0]: cells[0].strip()},
                section=self._section,
                surplus="\t".join(cells[1:]),
                odd=True,
            )
        )

    def _is_like_id(self, cell: str) -> bool:
        """Whether a cell looks as the first cells of rows do: a hash, a number, a word."""
        text = cell.strip().strip("`#[]()")
        if _MOMENT.match(text):
            return self._columns[:1] != () and self._columns[0].casefold() in words.TIME
        if not text or len(text) > _LONGEST_ID:
            return False
        if self._first and self._first[_shape(text)] == 0 and " " in text:
            return False
        return not re.search(r"[\s(){}=<>]", text)

    def _is_comment(self, line: str, cells: int, width: int) -> bool:
        told = line.lstrip()
        if told.startswith("//") and cells < 3:
            return True
        if not told.startswith("#"):
            return False
        return cells != width or cells == 1 or told.startswith(("# ", "##"))

    def _comment(self, line: str, at: int) -> None:
        self._skip(COMMENT, at)
        if setting := _SETTING.fullmatch(line.strip()):
            self._settings.setdefault(
                setting[1].strip().casefold().replace(" ", "_").replace("-", "_"), setting[2].strip()
            )
        elif self._columns:
            self._section = line.strip().strip("#=- \t")[:200]

    def _cells(self) -> list[str]:
        """Return the cells of the next line, of several where a quoted cell goes on, and go past it."""
        at = self._lines.at
        line = self._lines.all[at]
        if self._cut == "|":
            line = line.strip().removeprefix("|").removesuffix("|")
        self._lines.at += 1
        if '"' not in line:
            return line.split(self._cut)
        cells, is_open = _quoted(line, self._cut)
        if not is_open:
            return cells
        width = len(self._columns)
        for more in range(1, _TOGETHER):
            if at + more >= len(self._lines.all):
                break
            line = f"{line}\n{self._lines.all[at + more]}"
            longer, is_open = _quoted(line, self._cut)
            if not is_open:
                if width and len(longer) == width:
                    self._lines.at += more
                    self._skipped.setdefault(CONTINUED, []).extend(range(at + 2, at + more + 2))
                    return longer
                break
        return self._lines.all[at].split(self._cut)  # the quote is a quote

    def _skip(self, kind: str, at: int) -> None:
        self._lines.at = max(self._lines.at, at + 1)
        self._skipped.setdefault(kind, []).append(at + 1)

    def _tell(self) -> None:
        tell = self._told.append
        if self._joined:
            several = len({row.line for row in self._rows if row.line in self._joined})
            tell(f"{listed(self._joined)} held two rows each" if several else "")
        if self._spelt:
            tell(f"{listed(self._spelt)} had \\t spelt out")
        if self._surplus:
            verb = "has" if len(self._surplus) == 1 else "have"
            shown = set(self._surplus[:3])
            kept = ", ".join(row.surplus.replace("\t", " ") for row in self._rows if row.line in shown)
            tell(f"{listed(self._surplus)} {verb} more cells than the header; kept as surplus: {kept}")
        if self._short:
            verb = "has" if len(self._short) == 1 else "have"
            tell(f"{listed(self._short)} {verb} fewer cells than the header; the rest was taken for empty")
        for column, lines in self._absorbed.items():
            tell(f"{listed(lines)}: {_SEPARATORS[self._cut]} inside {column} were taken for part of its text")
        if self._unsure:
            verb = "lacks" if len(self._unsure) == 1 else "lack"
            tell(
                f"{listed(self._unsure)} {verb} cells before the status, and which ones is not sure: kept as surplus, "
                "without a score"
            )
        if self._odd:
            verb = "has" if len(self._odd) == 1 else "have"
            tell(f"{listed(self._odd)} {verb} another layout: kept as text, without score and status")
        if bad := sorted(self._damaged):
            tell(f"{listed(bad)}: bytes that are no UTF-8 text were replaced")


def _split(line: str, separator: str) -> list[str]:
    return _quoted(line, separator)[0] if '"' in line else line.split(separator)


def _quoted(line: str, separator: str) -> tuple[list[str], bool]:
    """Return a line's cells, where one may be quoted as csv does, and whether a quote is left open at its end."""
    cells: list[str] = []
    at = 0
    while True:
        lead = at
        while lead < len(line) and line[lead] == " ":
            lead += 1
        if line.startswith('"', lead):
            text, end = _quote(line, lead)
            if end < 0:
                return [*cells, line[at:]], True
            after = end
            while after < len(line) and line[after] == " ":
                after += 1
            if after == len(line) or line[after] == separator:
                cells.append(text)
                if after == len(line):
                    return cells, False
                at = after + 1
                continue
        stop = line.find(separator, at)
        if stop < 0:
            cells.append(line[at:])
            return cells, False
        cells.append(line[at:stop])
        at = stop + 1


def _quote(line: str, at: int) -> tuple[str, int]:
    """Return the quoted cell that begins at an offset, and the offset after it; -1 where it does not end."""
    pieces: list[str] = []
    start = at + 1
    while True:
        end = line.find('"', start)
        if end < 0:
            return "", -1
        pieces.append(line[start:end])
        if line.startswith('"', end + 1):
            pieces.append('"')
            start = end + 2
            continue
        return "".join(pieces), end + 1


def _is_text(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_status(cell: str) -> bool:
    """Whether a cell is a word for how a trial ended; a number is none, for a table says 1 for much else."""
    return bool(cell.strip()) and not cell.strip().isdigit() and words.status_of(cell) is not None


def _is_row(cells: Sequence[str]) -> bool:
    """Whether a first line is a row and no header: it holds numbers or hashes, and no name that headers have."""
    names = {cell.strip().casefold() for cell in cells}
    known = {*words.STATUS, *words.ID, *words.COMMIT, *words.TEXT, *words.TIME, "metric", "score"}
    known = {name for name in known if words.status_of(name) is None}
    numbers = sum(read_number(cell) is not None and not is_placeholder(cell) for cell in cells)
    hashes = sum(bool(_HASH.fullmatch(cell.strip())) and any(c.isdigit() for c in cell) for cell in cells)
    statuses = sum(_is_status(cell) for cell in cells)
    return not (names & known) and numbers + hashes > 0 and (numbers + hashes + statuses) * 2 >= min(len(cells), 4)


def _shape(cell: str) -> str:
    """Return what kind of text a first cell is, so that odd ones can be told."""
    if _HASH.fullmatch(cell):
        return "hash"
    if _MOMENT.match(cell):
        return "moment"
    if read_number(cell) is not None:
        return "number"
    return "words" if " " in cell else "word"
