"""
What reaches the terminal: lines, tables, colours, JSON and progress; not what is in them.

Layer 12. Colour and tables that fit the window on a terminal, plain uncut text elsewhere. Everything goes out as UTF-8,
and text of trials without its control characters.
"""

import os
import re
import shutil
import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import msgspec

from gitlineage.render.text import block, one_line

_STYLES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
    "bad": "1;31",
}
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LAST_SHARE = 3 / 8
"""How much of a window a table's last column is left with before others are cut or dropped."""


class Cell(msgspec.Struct, frozen=True):
    """A table's cell: its text, and the style it has on a terminal."""

    text: str
    style: str = ""


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


# -- where it goes -------------------------------------------------------------------------------------------------


def is_terminal() -> bool:
    """Whether a person looks at standard output."""
    return sys.stdout.isatty()


def has_colour(stream: Any = None) -> bool:
    """Whether a stream, standard output by default, shows colours."""
    where = stream or sys.stdout
    return bool(where.isatty()) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def write(text: str) -> None:
    """Write text as it is; bytes that were no UTF-8 when they were read come out as they were."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))


def say(line: str = "") -> None:
    """Print one line that was put together here, or cleaned."""
    write(f"{line}\n")


def clean(text: str) -> str:
    """Return text of a trial as one line without control characters."""
    return one_line(text)


def clean_block(text: str) -> str:
    """Return text without control characters, with its tabs."""
    return block(text)


def is_narrow() -> bool:
    """Whether standard output is a terminal with fewer than 100 columns."""
    return is_terminal() and shutil.get_terminal_size().columns < 100


def fitted(text: str, taken: int) -> str:
    """Return text of a trial as the rest of a line that has so many columns already, cut on a terminal."""
    line = one_line(text)
    return cut(line, max(shutil.get_terminal_size().columns - taken, 8)) if is_terminal() else line


def paint(text: str, style: str) -> str:
    """Return text in a style where standard output shows colours."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if style and text and has_colour() else text


def json_line(value: Any) -> None:
    """Print one JSON value on one line, with every control character escaped."""
    encoded = msgspec.json.encode(value).decode("utf-8")
    say(_UNSAFE.sub(lambda sign: f"\\u{ord(sign[0]):04x}", encoded))


# -- standard error ------------------------------------------------------------------------------------------------


def error(first: str, *rest: str) -> None:
    """Print what went wrong."""
    _mark("error", "1;31", first)
    for line in rest:
        print(one_line(line), file=sys.stderr)


def warning(text: str) -> None:
    """Print something that a careful user acts upon."""
    _mark("warning", "33", text)


def note(text: str) -> None:
    """Print something worth knowing."""
    _mark("note", "36", text)


def _mark(word: str, code: str, text: str) -> None:
    shown = f"\x1b[{code}m{word}:\x1b[0m" if has_colour(sys.stderr) else f"{word}:"
    print(shown, one_line(text), file=sys.stderr)


# -- tables --------------------------------------------------------------------------------------------------------


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """
    Print a table without its empty columns.

    On a terminal it has a heading and is as wide as the window; elsewhere each row is one plain line, uncut.
    """
    if not rows:
        return
    cells = [[msgspec.structs.replace(cell, text=one_line(cell.text)) for cell in row] for row in rows]
    used = [at for at in range(len(columns)) if any(row[at].text for row in cells)]
    widths = {at: max(width(row[at].text) for row in cells) for at in used}
    if is_terminal():
        widths = _fitted(columns, {at: max(widths[at], width(columns[at].name)) for at in used})
        say(_line(columns, widths, [Cell(column.name, "dim") for column in columns]))
    for row in cells:
        say(_line(columns, widths, row))


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


def _line(columns: Sequence[Column], widths: dict[int, int], row: Sequence[Cell]) -> str:
    parts = []
    for at, space in widths.items():
        text = cut(row[at].text, space)
        blank = " " * (space - width(text))
        painted = paint(text, row[at].style)
        parts.append(blank + painted if columns[at].right else painted + blank)
    return "  ".join(parts).rstrip()


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names with what they stand for, the names in a column of their own; empty ones are left out."""
    shown = [(name, text) for name, text in pairs if text]
    space = max((len(name) for name, _ in shown), default=0)
    for name, text in shown:
        blank = " " * (space - len(name))
        say(f"{paint(name, 'dim')}{blank}  {text}")


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
    if unicodedata.combining(sign) or unicodedata.category(sign) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


# -- progress ------------------------------------------------------------------------------------------------------


class Progress:
    """
    Shows on a terminal's standard error how far a piece of work has come, once it has taken a second.

    Args:
        unit: what is counted.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._began = time.monotonic()
        self._count = 0
        self._bar: Any = None
        self._task: Any = None

    def advance(self, doing: str, count: int) -> None:
        """Hear that so much more is done."""
        self._count += count
        if self._bar is None and sys.stderr.isatty() and time.monotonic() - self._began > 1:
            self._open(doing)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._count)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _open(self, doing: str) -> None:
        # Imported where it is used: rich takes longer to load than most commands take to run.
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        words = TextColumn("{task.description}"), TextColumn("{task.completed:,.0f} " + self._unit)
        self._bar = Bar(
            words[0], BarColumn(), words[1], TimeElapsedColumn(), console=Console(stderr=True), transient=True
        )
        self._task = self._bar.add_task(doing, total=None)
        self._bar.start()
