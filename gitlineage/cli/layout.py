"""
Text in columns: tables that fit the window, names beside what they stand for.

On a terminal a table has a heading and is as wide as the window; elsewhere each row is one plain uncut line, and a
heading is there where it was asked for.
"""

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import cache
from typing import IO

import msgspec

from gitlineage.cli.output import clean, has_colour, has_headings, is_terminal, paint, say

_LAST_SHARE = 3 / 8
"""How much of a window a table's last column is left with before others are cut or dropped."""


class Cell(msgspec.Struct, frozen=True):
    """A table's cell: its text, and the style it has on a terminal."""

    text: str
    style: str = ""


Cells = list[tuple[str, str]]
"""A row's texts, cleaned, with their styles."""


class Column(msgspec.Struct, frozen=True):
    """
    A table's column.

    Args:
        name: its heading, shown on a terminal only.
        right: whether it is aligned to the right.
        cap: what it is cut to (columns) where the window is narrow; 0 cuts nothing.
        drop: the order in which columns are dropped where that is not enough; 0 is never dropped.
    """

    name: str
    right: bool = False
    cap: int = 0
    drop: int = 0


def table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> None:
    """
    Print a table without its empty columns.

    On a terminal it has a heading and is as wide as the window; elsewhere each row is one plain line, uncut, below a
    heading with ``--header``. How wide a column is shows at its last row, so of many rows all but the first ones wait
    in a file.
    """
    spaces = [0] * len(columns)
    with closing(_Waiting()) as waiting:
        for row in rows:
            cells = [(clean(cell.text), cell.style) for cell in row]
            spaces = [max(space, width(text)) for space, (text, _) in zip(spaces, cells, strict=False)]
            waiting.add(cells)
        coloured = has_colour()
        widths = {at: space for at, space in enumerate(spaces) if space or at in waiting.used}
        if has_headings() and waiting.count:
            widths = {at: max(space, width(columns[at].name)) for at, space in widths.items()}
            widths = _fitted(columns, widths) if is_terminal() else widths
            say(_line(columns, widths, [(column.name, "dim") for column in columns], coloured))
        for cells in waiting:
            say(_line(columns, widths, cells, coloured))


_IN_MEMORY = 2000
"""Rows of a table that wait in memory."""


class _Waiting:
    """A table's rows until they can be printed: the first ones in memory, the rest in a file without a name."""

    def __init__(self) -> None:
        self.count = 0
        self.used: set[int] = set()
        """The columns that have a text, of no width perhaps."""
        self._first: list[Cells] = []
        self._file: IO[bytes] | None = None

    def add(self, cells: Cells) -> None:
        """Take in a row."""
        self.count += 1
        self.used.update(at for at, (text, _) in enumerate(cells) if text)
        if self.count <= _IN_MEMORY:
            self._first.append(cells)
            return
        if self._file is None:
            self._file = _nameless()
        encoded = msgspec.msgpack.encode(cells)
        self._file.write(len(encoded).to_bytes(4, "big") + encoded)

    def __iter__(self) -> Iterator[Cells]:
        yield from self._first
        if self._file is not None:
            self._file.seek(0)
            decoder = msgspec.msgpack.Decoder(list[tuple[str, str]])
            while size := self._file.read(4):
                yield decoder.decode(self._file.read(int.from_bytes(size, "big")))

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


def _nameless() -> IO[bytes]:
    from tempfile import TemporaryFile  # only a long table needs it

    return TemporaryFile()


def _fitted(columns: Sequence[Column], widths: dict[int, int]) -> dict[int, int]:
    """Return the columns that the window has room for, with their widths."""
    *others, last = widths
    window = shutil.get_terminal_size().columns

    def room() -> int:
        return window - sum(widths[at] + 2 for at in others)

    wanted = min(widths[last], int(window * _LAST_SHARE))
    if room() < wanted:
        widths |= {at: min(widths[at], columns[at].cap) for at in others if columns[at].cap}
    for at in sorted((at for at in others if columns[at].drop), key=lambda at: columns[at].drop):
        if room() < wanted:
            others.remove(at)
    return {at: widths[at] for at in others} | {last: max(room(), min(wanted, 8))}


def _line(columns: Sequence[Column], widths: dict[int, int], cells: Cells, coloured: bool) -> str:
    parts = []
    for at, space in widths.items():
        text, style = cells[at]
        if (wide := width(text)) > space:
            text = cut(text, space)
            wide = width(text)
        blank = " " * (space - wide)
        painted = paint(text, style) if coloured else text
        parts.append(blank + painted if columns[at].right else painted + blank)
    return "  ".join(parts).rstrip()


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """
    Print names with what they stand for, the names in a column of their own; empty ones are left out.

    On a terminal a long text goes on below its beginning.
    """
    shown = [(name, text) for name, text in pairs if text]
    space = max((width(name) for name, _ in shown), default=0)
    room = shutil.get_terminal_size().columns - space - 2
    for name, text in shown:
        blank = " " * (space - width(name))
        first, *rest = _wrapped(text, room) if is_terminal() and room > 20 else [text]
        say(f"{paint(name, 'dim')}{blank}  {first}")
        for line in rest:
            say(f"{' ' * space}  {line}")


def _wrapped(text: str, room: int) -> list[str]:
    """Return a text in lines of at most so many signs; what is painted is short and stays whole."""
    return [text] if "\x1b" in text else textwrap.wrap(text, room, break_on_hyphens=False) or [text]


def cut(text: str, space: int) -> str:
    """Return text that takes no more columns of a terminal than there are."""
    if width(text) <= space:
        return text
    taken = 0
    for at, sign in enumerate(text):
        taken += _sign_width(sign)
        if taken > space - 1:
            return text[:at].rstrip() + "…"
    return text


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(map(_sign_width, text))


@cache
def _sign_width(sign: str) -> int:
    import unicodedata  # most texts are all ASCII

    if unicodedata.combining(sign) or unicodedata.category(sign) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def fitted(text: str, taken: int) -> str:
    """Return text of a trial as the rest of a line that has so many columns already, cut on a terminal."""
    line = clean(text)
    return cut(line, max(shutil.get_terminal_size().columns - taken, 8)) if is_terminal() else line
