"""
What reaches the terminal: lines, colours, JSON, errors and progress.

Colours are for terminals. Everything goes out as UTF-8, and text of trials without its control characters.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec

from gitlineage.later import pattern
from gitlineage.text import block, lines, one_line

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
_UNSAFE = pattern("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
_ENCODER = msgspec.json.Encoder()
_FIRST, _TOGETHER = 20, 500
"""JSON values that are written together: the first ones, and all that follow in the end (semantics 205)."""

_PAINT = pattern("(\x1b\\[[0-9;]*m)")


# -- where it goes -------------------------------------------------------------------------------------------------


def is_terminal() -> bool:
    """Whether a person looks at standard output."""
    return _is_seen(sys.stdout)


def has_colour(stream: Any = None) -> bool:
    """Whether a stream, standard output by default, shows colours: ``NO_COLOR`` forbids them, ``FORCE_COLOR`` asks."""
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR", "") not in ("", "0")
    return forced or (_is_seen(stream or sys.stdout) and os.environ.get("TERM") != "dumb")


_paged: Collection[Any] = ()


def go_through_pager(streams: Collection[Any]) -> None:
    """Say which streams a pager shows on the terminal, from now on."""
    global _paged
    _paged = streams


def _is_seen(stream: Any) -> bool:
    return stream.isatty() or any(stream is each for each in _paged)


_has_headings = False


def ask_for_headings(wanted: bool) -> None:
    """Let tables have their headings where nobody looks at a terminal, too."""
    global _has_headings
    _has_headings = wanted


def has_headings() -> bool:
    """Whether tables have headings: on a terminal, and where they were asked for."""
    return _has_headings or is_terminal()


_has_written = False


def begin() -> None:
    """Forget what an earlier command of this process wrote."""
    global _has_written
    _has_written = False
    say_if_nothing("")
    ask_for_headings(False)


_opener: Callable[[], None] | None = None


def before_writing(opener: Callable[[], None] | None) -> None:
    """Do something before the next line is printed; nothing by default."""
    global _opener
    _opener = opener


_nothing = ""


def say_if_nothing(text: str) -> None:
    """Have `check_written` say this."""
    global _nothing
    _nothing = text


def check_written() -> None:
    """Say so where nothing went to standard output, for a command that lists."""
    if not _has_written:
        note(_nothing or "nothing to list")


def write(text: str | bytes) -> None:
    """Write text, or bytes as they are; a name that was no UTF-8 on the command line comes out as it was."""
    global _has_written, _opener
    _has_written = True
    Progress.close_all()
    if _opener is not None:
        opener, _opener = _opener, None
        opener()
    sys.stdout.buffer.write(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))
    if sys.stdout.isatty():
        sys.stdout.flush()


def say(line: str = "") -> None:
    """
    Print one line that was put together here, or cleaned.

    What nobody cleaned is cleaned here: of its control characters only line breaks, tabs and our own colours pass.
    """
    parts = _PAINT.split(line) if has_colour() else [line]
    write("".join(part if at % 2 else lines(part) for at, part in enumerate(parts)) + "\n")


def clean(text: str) -> str:
    """Return text of a trial as one line without control characters."""
    return one_line(text)


def clean_block(text: str) -> str:
    """Return text without control characters, with its tabs."""
    return block(text)


def is_narrow() -> bool:
    """Whether standard output is a terminal with fewer than 100 columns."""
    return is_terminal() and shutil.get_terminal_size().columns < 100


def paint(text: str, style: str) -> str:
    """Return text in a style where standard output shows colours."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if style and text and has_colour() else text


def flush() -> None:
    """Show what was printed so far, wherever it goes."""
    sys.stdout.flush()


def json_line(value: Any) -> None:
    """Print one JSON value on one line, with every control character escaped."""
    try:
        encoded = _ENCODER.encode(value).decode()
    except (
        UnicodeEncodeError
    ):  # a file name that is not UTF-8; its bytes stand as lone surrogates, which JSON can escape
        encoded = _odd_json(msgspec.to_builtins(value), separators=(",", ":"))
    write(_escaped(encoded) + "\n")


def json_lines(values: Iterable[Any]) -> None:
    """Print many JSON values, each as `json_line` does; the first ones, and those before an error, do not wait."""
    most = 1 if is_terminal() else _TOGETHER
    size, part = min(_FIRST, most), []
    try:
        for value in values:
            part.append(value)
            if len(part) == size:
                whole, part, size = part, [], min(5 * size, most)
                _write_lines(whole)
    finally:
        if part:
            _write_lines(part)


def _write_lines(values: list[Any]) -> None:
    """Print JSON values; text that is all ASCII goes out as the bytes that it is."""
    try:
        encoded = _ENCODER.encode_lines(values)
    except UnicodeEncodeError:
        for value in values:
            json_line(value)
        return
    write(encoded if encoded.isascii() and b"\x7f" not in encoded else _escaped(encoded.decode()))


def _odd_json(value: Any, **form: Any) -> str:
    """Return a value as JSON in which all but ASCII is escaped."""
    from json import dumps  # few texts need it

    return dumps(value, **form)


def _escaped(encoded: str) -> str:
    """Return JSON with every control character escaped, besides the line ends between values."""
    return _UNSAFE.sub(lambda sign: _odd_json(sign[0])[1:-1], encoded)


def now() -> str:
    """Return what the time is, as prompts print it, or what ``SOURCE_DATE_EPOCH`` says it is."""
    said = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(said), UTC) if said.isdecimal() else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


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
    Progress.close_all()
    if _paged:
        sys.stdout.flush()  # the order of lines is seen there
    shown = f"\x1b[{code}m{word}:\x1b[0m" if has_colour(sys.stderr) else f"{word}:"
    print(shown, one_line(text), file=sys.stderr)


# -- progress ------------------------------------------------------------------------------------------------------


class Progress:
    """
    Shows on a terminal's standard error how far a piece of work has come, once it has taken a second.

    How many a second and, where the total is known, how long it will still take.

    Args:
        unit: what is counted.
    """

    _shown: "ClassVar[list[Progress]]" = []

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._began = time.monotonic()
        self._count = 0
        self._bar: Any = None
        self._task: Any = None

    def advance(self, doing: str, count: int, total: int = 0) -> None:
        """Hear that so much more is done, of how much where that is known."""
        self._count += count
        took = time.monotonic() - self._began
        if self._bar is None and sys.stderr.isatty() and took > 1:
            self._open(doing, total)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._count, rate=f"{self._count / took:,.0f}/s")

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            self._shown.remove(self)

    @classmethod
    def close_all(cls) -> None:
        """Take every bar away, so that a line can be printed."""
        for each in list(cls._shown):
            each.close()

    def _open(self, doing: str, total: int) -> None:
        # Imported where it is used: rich takes longer to load than most commands take to run.
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        of = f" of {total:,}" if total else ""
        said = TextColumn("{task.completed:,.0f}" + of + f" {self._unit}"), TextColumn("{task.fields[rate]}")
        left = [TextColumn("left"), TimeRemainingColumn()] if total else [TimeElapsedColumn()]
        columns = [TextColumn("{task.description}"), BarColumn(), *said, *left]
        self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(doing, total=total or None, rate="")
        self._bar.start()
        self._shown.append(self)
