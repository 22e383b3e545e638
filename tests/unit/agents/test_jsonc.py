"""Edits of JSON files: what was not asked for stays byte for byte, and what was put in comes out without a trace."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage.agents.jsonc import Broken, Document

_BLANKS = ("", "", " ", "\n", "\n  ", "\r\n\t", "  ")
_COMMENTS = ("", " ", "\n  ", "// a note\n", " /* ours, { } */ ", "\n  // two\n  // lines\n  ")
_KEYS = st.sampled_from(["hooks", "SessionStart", "permissions", "allow", "a", "é\n", ""])
_VALUES = st.recursive(
    st.sampled_from([None, True, -1.5e300, 0, "", 'a "quoted" \\ text, // no comment']),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=3)),
    max_leaves=8,
)


def _written(value: Any, random: Random, blanks: tuple[str, ...]) -> str:
    """Return a value as JSON with blanks, and comments, wherever these may be."""

    def blank() -> str:
        return random.choice(blanks)

    if not isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, dict):
        entries = [
            f"{blank()}{json.dumps(key)}{blank()}:{blank()}{_written(each, random, blanks)}{blank()}"
            for key, each in value.items()
        ]
    else:
        entries = [f"{blank()}{_written(each, random, blanks)}{blank()}" for each in value]
    inside = ",".join(entries) if entries else blank()
    if entries and blanks is _COMMENTS and random.random() < 0.3:
        inside += "," + blank()
    return f"{{{inside}}}" if isinstance(value, dict) else f"[{inside}]"


def _documents(comments: bool) -> st.SearchStrategy[str]:
    """Return texts whose outermost value is an object."""
    blanks = _COMMENTS if comments else _BLANKS
    return st.builds(
        lambda value, random: f"{random.choice(blanks)}{_written(value, random, blanks)}{random.choice(blanks)}",
        st.dictionaries(_KEYS, _VALUES, max_size=4),
        st.randoms(use_true_random=False),
    )


def _bare(text: str) -> str:
    """Return a text without comments and commas that are too many, as a strict reader wants it."""
    return json.dumps(Document(text, comments=True).root.value)


PATHS = st.sampled_from([("hooks", "SessionStart"), ("permissions", "allow"), ("allow",), ("a", "hooks", "allow")])
OURS: Any = {"command": "gitlineage", "args": ["mcp"], "env": {}}


@given(text=_documents(comments=False))
def test_it_reads_what_json_reads(text: str) -> None:
    """Of strict JSON the value is that of the standard library."""
    assert Document(text).root.value == json.loads(text)


@given(text=st.booleans().flatmap(_documents), path=PATHS, count=st.integers(1, 3))
def test_items_come_out_without_a_trace(text: str, path: tuple[str, ...], count: int) -> None:
    """Values put at the end of a list, wherever it is and whether it is there, leave the bytes of before behind."""
    document = Document(text, comments=True)
    try:
        before = document.items(path)
        for number in range(count):
            document = document.with_item(path, {**OURS, "number": number})
    except Broken:
        return  # something on the way is no object, or no list
    assert document.items(path) == [*before, *({**OURS, "number": number} for number in range(count))]
    _same_elsewhere(text, document.text, path)
    left = document.without(path, lambda item: isinstance(item, dict) and "number" in item)
    assert left is not None
    assert left.text == text


@given(text=st.booleans().flatmap(_documents), path=PATHS)
def test_members_come_out_without_a_trace(text: str, path: tuple[str, ...]) -> None:
    """A member put into an object, wherever it is and whether it is there, leaves the bytes of before behind."""
    document = Document(text, comments=True)
    try:
        document = document.with_member((*path[:-1], "ours"), OURS)
    except Broken:
        return
    node = document.at((*path[:-1], "ours"))
    assert node is not None and node.value == OURS
    left = document.without(path[:-1], lambda key: key == "ours")
    assert left is not None
    assert left.text == text


def _same_elsewhere(before: str, after: str, path: tuple[str, ...]) -> None:
    """Everything that is not on the way to a list is what it was."""
    old, new = json.loads(_bare(before)), json.loads(_bare(after))
    for key in path:
        assert {name: value for name, value in new.items() if name != key} == {
            name: value for name, value in old.items() if name != key
        }
        if key not in old:
            return
        old, new = old[key], new[key]


@given(text=_documents(comments=False), path=PATHS)
def test_strict_json_stays_strict(text: str, path: tuple[str, ...]) -> None:
    """What a strict reader could read it can read afterwards."""
    try:
        edited = Document(text).with_item(path, OURS)
    except Broken:
        return
    assert json.loads(edited.text) == edited.root.value


def test_a_file_made_here_goes_with_its_last_entry() -> None:
    """Of a document that was made nothing is left, and its brackets go only with what was put in last."""
    document = Document.made({"hooks": {"SessionStart": [1]}})
    assert document.text == '{\n  "hooks": {\n    "SessionStart": [\n      1\n    ]\n  }\n}\n'
    document = document.with_item(("hooks", "Stop"), 2)
    left = document.without(("hooks", "SessionStart"), lambda item: item == 1)
    assert left is not None and left.root.value == {"hooks": {"Stop": [2]}}
    assert left.without(("hooks", "Stop"), lambda item: item == 2) is None


def test_entries_look_like_their_neighbours() -> None:
    """An entry takes the indentation and the line breaks of the file."""
    text = '{\r\n\t"a": {\r\n\t\t"b": [\r\n\t\t\t1\r\n\t\t]\r\n\t}\r\n}\r\n'
    edited = Document(text).with_item(("a", "b"), {"c": 2}).text
    assert edited == text.replace("\t\t\t1", '\t\t\t1,\r\n\t\t\t{\r\n\t\t\t\t"c": 2\r\n\t\t\t}')
    assert Document('{"a": [1, 2]}').with_item(("a",), 3).text == '{"a": [1, 2, 3]}'


def test_what_a_user_changed_meanwhile_stays() -> None:
    """Entries and comments that came after ours stay when ours goes, in valid JSON."""
    text = '{"a": [0,\n  1, // ours\n  2 // theirs\n]}'
    left = Document(text, comments=True).without(("a",), lambda item: item == 1)
    assert left is not None and left.root.value == {"a": [0, 2]}
    assert "// ours" in left.text and "// theirs" in left.text
    kept = Document('{"a": [ 1 /* why */ ]}', comments=True).without(("a",), lambda item: item == 1)
    assert kept is not None and kept.text == '{"a": [  /* why */ ]}'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: no value"),
        ("{", "line 1: a key in quotes"),
        ('{"a": 1,}', "line 1: a comma after the last value"),
        ('{"a": 1\n"b": 2}', "line 2: a comma or } is expected"),
        ("{'a': 1}", "a key in quotes"),
        ("{}\n{}", "line 2: nothing more is expected"),
        ('{"a": NaN}', "no value"),
        ('{"a": "b', "unterminated string"),
        ("// c\n{}", "no value"),
        ("[" * 5000, "nested too deep"),
    ],
)
def test_broken_text_is_refused(text: str, reason: str) -> None:
    """What a strict reader refuses is refused, with the line."""
    with pytest.raises(Broken, match=reason):
        Document(text)


def test_what_is_in_the_way_is_named() -> None:
    """A list where an object is to be, or the other way round, is an error that names it."""
    with pytest.raises(Broken, match='"hooks" is no object'):
        Document('{"hooks": []}').with_item(("hooks", "a"), 1)
    with pytest.raises(Broken, match=r'"hooks\.a" is no list'):
        Document('{"hooks": {"a": {}}}').with_item(("hooks", "a"), 1)
    with pytest.raises(Broken, match="what is in the file is no object"):
        Document("[]").with_item(("hooks",), 1)
