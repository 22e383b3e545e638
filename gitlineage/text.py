"""
Cleaning and cutting of untrusted text; nothing here knows what a trial or a document is.

Whatever is printed into a document goes through one of these functions first, and is cut only afterwards
(semantics 54), so that no cell of a log can add a line, a fence, a heading or a table column. Text that a campaign
really holds comes out unchanged.
"""

import re
from collections.abc import Iterable

_BREAKS = "\t\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_BIDI = range(0x202A, 0x202F), range(0x2066, 0x206A)
_CONTROL = (*range(0x20), *range(0x7F, 0xA0), *_BIDI[0], *_BIDI[1])

_DROP: dict[int, str | None] = dict.fromkeys(_CONTROL) | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
_ONE_LINE = _DROP | {ord(sign): " " for sign in _BREAKS}
_BLOCK = _ONE_LINE | {ord(sign): sign for sign in "\t\n"}

_TICKS = re.compile(r"`{3,}")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$", re.MULTILINE)


def counted(count: int, noun: str) -> str:
    """Return how many of something there are, in words: ``1 trial``, ``2 trials``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def one_line(text: str) -> str:
    """
    Return text as one line that shows what it holds.

    Each tab and line break becomes a space; other control characters and the bidi embedding, override and isolate
    controls go; half a surrogate pair becomes U+FFFD.
    """
    return text if text.isprintable() else text.translate(_ONE_LINE)


def prose(text: str) -> str:
    """Return one line without code fences, for bullets, sentences and lines inside a fence (semantics 54)."""
    line = one_line(text)
    return _TICKS.sub(lambda run: "'" * len(run[0]), line) if "```" in line else line


def cell(text: str) -> str:
    """Return one line for a Markdown table's cell: as `prose`, with ``|`` as ``∣`` (semantics 45)."""
    return prose(text).replace("|", "∣")


def code(text: str) -> str:
    """Return one line that may stand between two backticks."""
    return one_line(text).replace("`", "'")


def block(text: str) -> str:
    """Return text that people wrote, with its lines and tabs, without control characters and trailing blanks."""
    return text.replace("\r\n", "\n").translate(_BLOCK).rstrip()


def shorten(text: str, limit: int, mark: str = "...") -> str:
    """Return the text, or its first ``limit - 3`` characters and the mark where it is longer than ``limit``."""
    return text if len(text) <= limit else text[: limit - 3] + mark


def head(lines: Iterable[str], limit: int) -> str:
    """
    Return some lines as a document, or so many of the first ones that `fit` cuts it as it would cut all of them.

    Nothing after them is asked for; 0 takes all.
    """
    taken = []
    length = 0
    for line in lines:
        taken.append(line)
        length += len(line) + 1
        if limit and length > limit:
            break
    return "\n".join(taken) + "\n"


def fit(document: str, limit: int, name: str) -> str:
    """
    Return a Markdown document cut after ``limit`` characters, with a line that says so; 0 cuts nothing.

    Semantics 44. A fence that is open at the end is closed, or it would swallow what follows the document.
    """
    notice = ""
    if limit and len(document) > limit:
        document = document[:limit] + "\n"
        notice = f"\n… (truncated: {name} exceeded {limit} characters)\n"
    fence = _open_fence(document)
    return document + (f"{fence}\n" if fence else "") + notice


def _open_fence(document: str) -> str:
    """Return the fence that is open at the document's end; empty where none is."""
    fence = ""
    for marks, rest in _FENCE.findall(document):
        if not fence:
            fence = marks if marks[0] == "~" or "`" not in rest else ""
        elif marks.startswith(fence) and not rest.strip():
            fence = ""
    return fence
