"""
A part of a text file that is ours, between two marks; all other bytes are the user's and stay; start with `put`.

Taking the part out gives the bytes of before. For that one line break goes before the part, whatever the file ends
with: a blank line is before it where the file ended with a line break, and none where it did not. The part always ends
with a line break, so that what somebody appends, as by ``>>``, is a line of its own.
"""

import re

from gitlineage.agents.jsonc import Broken

MARKDOWN = (b"<!-- gitlineage:begin -->", b"<!-- gitlineage:end -->")
"""The two marks in Markdown."""

HASH = (b"# gitlineage:begin", b"# gitlineage:end")
"""The two marks where ``#`` begins a comment: TOML, and git's ignore rules."""

Marks = tuple[bytes, bytes]


def put(data: bytes | None, body: str, marks: Marks) -> bytes:
    """
    Return a file with a part of ours, which takes the place of one that is there.

    Args:
        data: the file; ``None`` where there is none.
        body: the part's lines, without a line break at the end.
        marks: what stands before and after it.

    Raises:
        Broken: a mark without the other one, or more than one part.
    """
    place = _find(data or b"", marks)
    newline = _newline(data or b"") if place is None else _newline(data[place[0] : place[1]] if data else b"")
    lines = [marks[0], *body.encode().split(b"\n"), marks[1]]
    part = newline.join(lines)
    if data is None:
        return part + newline
    if place is not None:
        return data[: place[0]] + part + data[place[1] :]
    return data + newline + part + newline


def held(data: bytes | None, marks: Marks) -> str | None:
    """Return the lines of our part; ``None`` where there is none. Raises as `put`."""
    place = _find(data or b"", marks)
    if place is None or data is None:
        return None
    lines = data[place[0] : place[1]].replace(b"\r\n", b"\n").split(b"\n")
    return b"\n".join(lines[1:-1]).decode("utf-8", "replace")


def take(data: bytes, marks: Marks) -> bytes | None:
    """Return a file without our part; ``None`` where it held nothing else and was made for it. Raises as `put`."""
    place = _find(data, marks)
    if place is None:
        return data
    before, after = data[: place[0]], data[place[1] :]
    newline = _newline(data[place[0] : place[1]])
    if not before and after in (newline, b"\n"):
        return None
    before, after = before.removesuffix(newline), after.removeprefix(newline)
    glued = before and after and not before.endswith(b"\n")
    return before + (newline if glued else b"") + after


def _find(data: bytes, marks: Marks) -> tuple[int, int] | None:
    """Return where our part begins and ends, marks included."""
    begins, ends = (
        list(re.finditer(rb"^" + re.escape(mark) + rb"[ \t]*(?=\r?$)", data, re.MULTILINE)) for mark in marks
    )
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or begins[0].start() > ends[0].start():
        first, last = (mark.decode() for mark in marks)
        raise Broken(f"the marks {first!r} and {last!r} do not stand there once, one after the other")
    return begins[0].start(), ends[0].end()


def _newline(data: bytes) -> bytes:
    return b"\r\n" if b"\r\n" in data else b"\n"
