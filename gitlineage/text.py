"""
Cleaning and cutting of untrusted text.

Whatever is printed into a document goes through one of these functions first, and is cut only afterwards
(semantics 54), so that no cell of a log can add a line, a fence, a heading or a table column. Text that a campaign
really holds comes out unchanged. `cut` does both; how wide each field is, `render.fields` says.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from gitlineage.later import pattern

_BREAKS = "\t\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_BIDI = range(0x202A, 0x202F), range(0x2066, 0x206A)
_TAGS = range(0xE0000, 0xE0080)  # a whole alphabet that nobody sees and a language model reads
_CONTROL = (*range(0x20), *range(0x7F, 0xA0), *_BIDI[0], *_BIDI[1], *_TAGS)

_DROP: dict[int, str | None] = dict.fromkeys(_CONTROL) | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
_ONE_LINE = _DROP | {ord(sign): " " for sign in _BREAKS}
_BLOCK = _ONE_LINE | {ord(sign): sign for sign in "\t\n"}

_NAME = str.maketrans("*[],<|\\`←", "＊［］，‹∣＼'‹")
_LOOKED_AT = 8
"""How many times its width is looked at of a text that is cut: a million signs are not cleaned to show a hundred."""

_NOT_XML = {0xFFFE: "\ufffd", 0xFFFF: "\ufffd"}

_TICKS = pattern(r"`{3,}")
_FENCE = pattern(r"^ {0,3}(`{3,}|~{3,})(.*)$", re.MULTILINE)


def counted(count: int, noun: str) -> str:
    """Return how many of something there are, in words: ``1 trial``, ``2 trials``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def some(names: Sequence[str], most: int = 5) -> str:
    """Return the first of some names and how many more there are, in words: ``a, b and 3 more``."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def to_type(*words: str) -> str:
    """Return words as they are typed in a shell, for every hint that says what to type; empty ones are left out."""
    from shlex import join  # only what is told of an error needs it

    return join(filter(None, words))


def one_line(text: str) -> str:
    """
    Return text as one line that shows what it holds.

    Each tab and line break becomes a space; other control characters, the bidi embedding, override and isolate
    controls and the invisible tag letters go; half a surrogate pair becomes U+FFFD.
    """
    return text if text.isprintable() else text.translate(_ONE_LINE)


def prose(text: str) -> str:
    """Return one line without code fences, for bullets, sentences and lines inside a fence (semantics 54)."""
    line = one_line(text)
    return _TICKS.sub(lambda run: "'" * len(run[0]), line) if "```" in line else line


def name(text: str) -> str:
    """
    Return one line that may stand as a name in bold, in brackets, in a list or in a table's cell.

    What would end it there, such as ``*``, ``]`` or a comma, becomes a sign that looks like it.
    """
    return prose(text).translate(_NAME)


def tried(text: str) -> str:
    """Return a hypothesis as `prose` that has no tail like the renderer's own: neither an arrow nor further parents."""
    return prose(text).replace("←", "‹").replace("(+ ", "(＋ ")


def cell(text: str) -> str:
    """Return one line for a Markdown table's cell: as `prose`, with ``|`` as ``∣`` (semantics 45)."""
    return prose(text).replace("|", "∣")


def words(text: str) -> str:
    """Return one line of words, a space apart, of signs that XML can hold."""
    return " ".join(one_line(text).translate(_NOT_XML).split())


def code(text: str) -> str:
    """Return one line that may stand between two backticks."""
    return one_line(text).replace("`", "'")


def block(text: str) -> str:
    """Return text that people wrote, with its lines and tabs, without control characters and trailing blanks."""
    return lines(text.replace("\r\n", "\n")).rstrip()


def lines(text: str) -> str:
    """Return text as it is but for control characters: its lines and tabs stay."""
    return text if text.isprintable() else text.translate(_BLOCK)


def cut(text: str, width: int, escape: Callable[[str], str], mark: str = "…") -> str:
    """
    Return a field as a document shows it: escaped, then cut to at most ``width`` characters.

    Args:
        text: whatever somebody wrote.
        width: how many characters there is room for.
        escape: one of the functions above.
        mark: what shows that there was more, in the place of the last three characters; empty cuts without a word.
    """
    if escape is one_line and len(text) <= width and text.isprintable():  # as nearly all are
        return text
    began = text[: _LOOKED_AT * width]
    line = escape(began)
    if len(line) <= width and len(began) == len(text):
        return line
    return line[: width - 3] + mark if mark else line[:width]


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
