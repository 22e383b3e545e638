"""Our part of a text file: put in, brought up to date and taken out, with every other byte as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage.agents import blocks
from gitlineage.agents.jsonc import Broken

LINES = st.lists(st.sampled_from([b"", b"text", b"# heading", b"\xff\xfe", b"\r"]), max_size=5)
FILES = st.tuples(LINES, st.sampled_from([b"\n", b"\r\n"]), st.booleans()).map(
    lambda parts: parts[1].join(parts[0]) + (parts[1] if parts[2] else b"")
)


@given(data=st.one_of(st.none(), FILES), marks=st.sampled_from([blocks.MARKDOWN, blocks.HASH]))
def test_a_part_comes_out_without_a_trace(data: bytes | None, marks: blocks.Marks) -> None:
    """Putting our part in, changing it and taking it out leaves the bytes, or no file, of before."""
    once = blocks.put(data, "one\ntwo", marks)
    assert once.endswith(b"\n")
    assert once.startswith(data or b"")
    assert blocks.held(once, marks) == "one\ntwo"
    assert blocks.put(once, "one\ntwo", marks) == once
    again = blocks.put(once, "three", marks)
    assert blocks.held(again, marks) == "three"
    assert blocks.take(again, marks) == data


def test_what_came_after_stays() -> None:
    """Text that was added below our part stays."""
    data = blocks.put(b"above\n", "ours", blocks.MARKDOWN) + b"\nbelow\n"
    assert blocks.take(data, blocks.MARKDOWN) == b"above\n\nbelow\n"


@given(data=st.one_of(st.none(), FILES), marks=st.sampled_from([blocks.MARKDOWN, blocks.HASH]))
def test_what_is_appended_is_a_line_of_its_own(data: bytes | None, marks: blocks.Marks) -> None:
    """Whatever a file ended with, a line that a shell appends stands below our part, and stays alone when that goes."""
    longer = blocks.put(data, "ours", marks) + b"[features]\n"
    assert blocks.held(longer, marks) == "ours"
    assert blocks.held(blocks.put(longer, "new", marks), marks) == "new"
    left = blocks.take(longer, marks) or b""
    assert left.startswith(data or b"") and left.splitlines()[-1:] == [b"[features]"]


@pytest.mark.parametrize("text", [b"%s\n", b"x\n%s\n%s\n", b"x\n%s"])
def test_half_a_part_is_refused(text: bytes) -> None:
    """A mark without the other one is an error, and nothing is guessed."""
    broken = text.replace(b"%s", blocks.MARKDOWN[0])
    with pytest.raises(Broken, match="gitlineage:begin"):
        blocks.put(broken, "ours", blocks.MARKDOWN)
    with pytest.raises(Broken, match="gitlineage:end"):
        blocks.take(broken, blocks.MARKDOWN)
