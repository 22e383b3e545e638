"""
Small edits of a JSON file that leave every other byte as it is, comments too; start with `Document`.

What is put in can be taken out again so that the bytes are those of before. For that a list or object that an edit
makes has a blank after its opening bracket, and what goes into an empty one that was there follows the bracket
directly: so it shows whose brackets these are.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

Path = Sequence[str]
"""The keys that lead from the outermost object to a value."""

_BLANK = re.compile(r"[ \t\r\n]*")
_COMMENTED = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_ATOM = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null")
_STRINGS = json.JSONDecoder()
_DEEPEST = 200


class Broken(ValueError):
    """Text that is no JSON, or that has another kind of value where something is to go; the message says where."""


class Node(msgspec.Struct, frozen=True):
    """
    A value in the text.

    Args:
        start: where it begins.
        end: where what follows it begins.
        value: what it is.
        children: what a list or object holds, in order.
        key: its key, in an object.
        begin: where its entry begins: the key's first sign in an object, else the value's.
    """

    start: int
    end: int
    value: Any
    children: "tuple[Node, ...]" = ()
    key: str | None = None
    begin: int = 0


class Document:
    """
    A JSON text that can be asked and edited; an edit is a new document.

    Args:
        comments: whether ``//``, ``/* */`` and a comma after the last value are allowed.

    Raises:
        Broken: it is no JSON.
    """

    def __init__(self, text: str, *, comments: bool = False) -> None:
        self.text = text
        self.comments = comments
        self._skip = _COMMENTED if comments else _BLANK
        self._newline = "\r\n" if "\r\n" in text else "\n"
        start = self._blank(1 if text.startswith("\ufeff") else 0)
        self.root = self._value(start, 0)
        if (rest := self._blank(self.root.end)) != len(text):
            raise self._broken(rest, "nothing more is expected")

    @classmethod
    def made(cls, value: Mapping[str, Any], *, comments: bool = False) -> "Document":
        """Return a document of its own, as `without` takes for one that was made here."""
        text = _dumped(value, "\n", "  ", "\n") + "\n"
        return cls(text, comments=comments)

    # -- asking --------------------------------------------------------------------------------------------

    def at(self, path: Path) -> Node | None:
        """
        Return the value that keys lead to, or none where one is missing.

        Raises:
            Broken: something on the way is no object.
        """
        node = self.root
        for at, key in enumerate(path):
            if not isinstance(node.value, dict):
                raise Broken(f"{_named(path[:at])} is no object")
            named = [child for child in node.children if child.key == key]
            if not named:
                return None
            node = named[-1]  # of a key that stands twice, readers take the last
        return node

    def items(self, path: Path) -> list[Any]:
        """Return what a list holds; an empty one where there is none."""
        node = self.at(path)
        if node is None:
            return []
        if not isinstance(node.value, list):
            raise Broken(f"{_named(path)} is no list")
        return list(node.value)

    # -- editing -------------------------------------------------------------------------------------------

    def with_member(self, path: Path, value: Any) -> "Document":
        """Return the document with a member more, its last key's object made where it is missing."""
        *outer, key = path
        return self._into(outer, {key: value})

    def with_item(self, path: Path, value: Any) -> "Document":
        """Return the document with a value more at the end of a list, which is made where it is missing."""
        self.items(path)
        return self._into(path, [value])

    def with_value(self, node: Node, value: Any) -> "Document":
        """Return the document with another value in the place of one of its own."""
        is_wide = "\n" in self.text[node.start : node.end]
        line = self._newline + self._indent_of(node.start) if is_wide else ""
        put = _dumped(value, line, self._unit(), self._newline)
        return Document(self.text[: node.start] + put + self.text[node.end :], comments=self.comments)

    def without(self, path: Path, is_ours: Callable[[Any], bool]) -> "Document | None":
        """
        Return the document without entries of a list or object, and without the brackets that were made for them.

        Args:
            path: the list or object.
            is_ours: whether an entry is to go; of an object it gets the key.

        Returns:
            The document; ``None`` where nothing is left of one that was made here.
        """
        document = self
        while True:
            chain = document._chain(path)
            if chain is None:
                return document
            ours = [
                at
                for at, child in enumerate(chain[-1].children)
                if is_ours(child.value if child.key is None else child.key)
            ]
            if not ours:
                return document
            text = document._cut(chain, ours[-1])
            if text is None:
                return None
            document = Document(text, comments=self.comments)

    # -- reading the text ----------------------------------------------------------------------------------

    def _blank(self, at: int) -> int:
        match = self._skip.match(self.text, at)
        return match.end() if match else at

    def _value(self, at: int, depth: int, key: str | None = None, begin: int | None = None) -> Node:
        if depth > _DEEPEST:
            raise self._broken(at, "it is nested too deep")
        sign = self.text[at : at + 1]
        begin = at if begin is None else begin
        if sign in ("{", "["):
            return self._bracketed(at, depth, key, begin)
        if sign == '"':
            value, end = self._string(at)
            return Node(at, end, value, key=key, begin=begin)
        match = _ATOM.match(self.text, at)
        if match is None:
            raise self._broken(at, "no value")
        return Node(at, match.end(), json.loads(match[0]), key=key, begin=begin)

    def _bracketed(self, start: int, depth: int, key: str | None, begin: int) -> Node:
        closing = {"{": "}", "[": "]"}[self.text[start]]
        children: list[Node] = []
        at = self._blank(start + 1)
        while self.text[at : at + 1] != closing:
            entry, name = at, None
            if closing == "}":
                if self.text[at : at + 1] != '"':
                    raise self._broken(at, "a key in quotes is expected")
                name, end = self._string(at)
                at = self._blank(end)
                if self.text[at : at + 1] != ":":
                    raise self._broken(at, "a colon is expected")
                at = self._blank(at + 1)
            children.append(self._value(at, depth + 1, name, entry))
            at = self._blank(children[-1].end)
            if self.text[at : at + 1] == ",":
                comma, at = at, self._blank(at + 1)
                if self.text[at : at + 1] == closing and not self.comments:
                    raise self._broken(comma, "a comma after the last value")
            elif self.text[at : at + 1] != closing:
                raise self._broken(at, f"a comma or {closing} is expected")
        values = [child.value for child in children]
        value = dict(zip((child.key for child in children), values, strict=True)) if closing == "}" else values
        return Node(start, at + 1, value, tuple(children), key, begin)

    def _string(self, at: int) -> tuple[str, int]:
        try:
            value, end = _STRINGS.raw_decode(self.text, at)
        except json.JSONDecodeError as error:
            raise self._broken(at, error.msg.lower()) from error
        return str(value), end

    def _broken(self, at: int, reason: str) -> Broken:
        line = self.text.count("\n", 0, at) + 1
        return Broken(f"line {line}: {reason}")

    # -- writing it ----------------------------------------------------------------------------------------

    def _chain(self, path: Path) -> list[Node] | None:
        """Return the values on the way to a list or object, the outermost first; none where one is missing."""
        try:
            nodes = [self.at(path[:depth]) for depth in range(len(path) + 1)]
        except Broken:
            return None
        chain = [node for node in nodes if node is not None]
        return chain if len(chain) == len(nodes) else None

    def _into(self, path: Path, more: Any) -> "Document":
        """Return the document with the one entry of ``more`` at the end of what a path leads to."""
        depth = len(path)
        while (node := self.at(path[:depth])) is None:
            depth -= 1
            more = {path[depth]: more}
        if type(node.value) is not type(more):
            raise Broken(f"{_named(path[:depth])} is no {'object' if isinstance(more, dict) else 'list'}")
        blank = self._between(node)
        if not node.children or (
            "\n" not in blank and "\n" in self.text[node.children[-1].begin : node.children[-1].end]
        ):
            blank = line = self._newline + self._indent_of(node.start)
        else:
            line = self._newline + blank.rpartition("\n")[2] if "\n" in blank else ""
        entry = _dumped(more, line, self._unit(), self._newline, bare=True)
        at = node.children[-1].end if node.children else node.start + 1
        put = f",{blank}{entry}" if node.children else entry
        return Document(self.text[:at] + put + self.text[at:], comments=self.comments)

    def _between(self, node: Node) -> str:
        """Return the blanks before the last entry of a list or object."""
        if not node.children:
            return ""
        before = node.children[-2].end if len(node.children) > 1 else node.start + 1
        match = re.search(r"[ \t\r\n]*\Z", self.text[before : node.children[-1].begin])
        return match[0] if match else ""

    def _indent_of(self, at: int) -> str:
        """Return the blanks that the line of a place begins with."""
        line = self.text[self.text.rfind("\n", 0, at) + 1 : at]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def _unit(self) -> str:
        """Return the indentation that the text uses, two blanks where it does not show."""
        if self.root.children:
            blank = self.text[self.root.start + 1 : self.root.children[0].begin]
            indent = blank.rpartition("\n")[2]
            if "\n" in blank and indent and not indent.strip(" \t"):
                return indent
        return "  "

    def _cut(self, chain: Sequence[Node], at: int) -> str | None:
        """Return the text without one entry of the innermost of some values; ``None`` where nothing is left."""
        *outer, node = chain
        child = node.children[at]
        if len(node.children) == 1 and self._is_made(node):
            if outer:
                return self._cut(outer, outer[-1].children.index(node))
            if not self.text[: node.start].strip() and not self.text[node.end :].strip():
                return None
        start, end = child.begin, child.end
        comma = self._blank(child.end)
        has_comma = self.text[comma : comma + 1] == ","
        if at > 0:
            before = node.children[at - 1].end
            if _is_comma(self.text[before : child.begin]):
                start = before
            elif has_comma:
                return self.text[:start] + self.text[end:comma] + self.text[comma + 1 :]
            else:
                last = self._blank(before)
                return self.text[:last] + self.text[last + 1 : start] + self.text[end:]
        elif len(node.children) > 1 and _is_comma(self.text[child.end : node.children[1].begin]):
            end = node.children[1].begin
        elif has_comma:
            return self.text[:start] + self.text[end:comma] + self.text[comma + 1 :]
        return self.text[:start] + self.text[end:]

    def _is_made(self, node: Node) -> bool:
        """Whether the brackets of one entry were made for it: a blank follows the first, and no comment is inside."""
        child = node.children[0]
        before, after = self.text[node.start + 1 : child.begin], self.text[child.end : node.end - 1]
        return bool(before) and not before.strip(" \t\r\n") and not after.strip(" \t\r\n,")


def _is_comma(text: str) -> bool:
    return text.startswith(",") and not text[1:].strip(" \t\r\n")


def _named(path: Path) -> str:
    return "what is in the file" if not path else json.dumps(".".join(path))


def _dumped(value: Any, line: str, unit: str, newline: str, *, bare: bool = False) -> str:
    """
    Return a value as JSON.

    Args:
        value: the value.
        line: a line break with the indentation around the value; empty to write it on one line.
        unit: how much further each level is indented.
        newline: the text's line break.
        bare: leave the outermost brackets out, for an entry of brackets that are there.
    """
    if not isinstance(value, dict | list) or not value:
        return json.dumps(value, ensure_ascii=False)
    inner = line if bare else line + unit if line else ""
    if isinstance(value, dict):
        entries = [
            f"{json.dumps(key, ensure_ascii=False)}: {_dumped(each, inner, unit, newline)}"
            for key, each in value.items()
        ]
    else:
        entries = [_dumped(each, inner, unit, newline) for each in value]
    if bare:
        return ",".join(entries)
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    return opening + (inner or " ") + ("," + (inner or " ")).join(entries) + (line or " ") + closing
