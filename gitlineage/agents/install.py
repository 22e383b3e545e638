"""
Our entries put into the agents' own files and taken out again; start with `install`.

All files are read and edited before the first is written; a broken one is named and left as it is, whatever becomes of
the others. Each is then replaced in one step. What the user wrote stays byte for byte, and what was put in and taken
out again leaves the bytes of before.
"""

import hashlib
import json
import os
import re
import shlex
import stat
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gitlineage.agents import blocks
from gitlineage.agents.agent import PROGRAM, Agent, Block, Entry, Own, Piece
from gitlineage.agents.formats.common import PROJECT, USER
from gitlineage.agents.jsonc import Broken, Document
from gitlineage.errors import BadConfig, StorageError
from gitlineage.files import write_whole
from gitlineage.git import program as git
from gitlineage.git.repository import GitRepo

ALL = "all agents"
"""Whose file it is that several agents read."""

BROKEN = "broken"
"""What became of a door in a file that cannot be edited safely."""

_EXCLUDED = "# Made by `gitlineage agents install`, and so in no snapshot; `git add -f` shares one all the same."
_MARK = "gitlineage:installed "
_OTHER = "it is there in another form than ours"
_TAKES_IN = re.compile(rb"^@(?:\./)?AGENTS\.md[ \t]*\r?$", re.MULTILINE)
"""A line by which CLAUDE.md or GEMINI.md takes AGENTS.md in."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of a door in one file.

    Args:
        agent: whose it is, or `ALL`.
        door: what it opens.
        file: the file, below the repository or the home.
        outcome: ``installed``, ``updated``, ``there already``, ``removed``, ``not there``, ``yours`` (something of that
            name that somebody else wrote), ``left out`` or ``broken`` (the file leads out of the repository or cannot
            be read or edited safely, so it is as it was).
        reason: why, for the last three.
        made: whether the file was made.
    """

    agent: str
    door: str
    file: str
    outcome: str
    reason: str = ""
    made: bool = False


class Place(msgspec.Struct, frozen=True):
    """
    Where files are.

    Args:
        top: the repository's working tree, or a home.
        repo: the repository; ``None`` for a home.
    """

    top: Path
    repo: GitRepo | None = None

    def pieces(self, agents: Iterable[Agent]) -> list[tuple[str, Piece]]:
        """Return what some agents read here, those that all of them read first, each with whose it is."""
        told: list[tuple[str, Piece]] = [(ALL, piece) for piece in (PROJECT if self.repo else USER)]
        for agent in agents:
            told += [(agent.name, piece) for piece in (agent.project if self.repo else agent.user)]
        return told


def detected(
    agents: Iterable[Agent], top: Path | None, home: Path, find: Callable[[str], str | None]
) -> dict[str, str]:
    """
    Return which agents seem to be in use, and by what that shows.

    Args:
        agents: those that are known.
        top: the repository's working tree.
        home: the user's home.
        find: returns where a program is, if it is on the path.
    """
    signs = {}
    for agent in agents:
        here = [sign for sign in agent.signs if top is not None and (top / sign).exists()]
        there = [f"~/{sign}" for sign in agent.signs if (home / sign).exists()]
        if here or there:
            signs[agent.name] = (here + there)[0]
        elif find(agent.program):
            signs[agent.name] = f"the program {agent.program}"
    return signs


def install(place: Place, agents: Sequence[Agent], program: str) -> list[Change]:
    """
    Put our entries into the files of some agents, and say what became of each.

    Args:
        place: the repository or the home.
        program: how the agents are to call gitlineage.

    Raises:
        StorageError: the disk refused; nothing was installed.
    """
    edits = Edits(place)
    return edits.done([edits.put(whose, piece, program) for whose, piece in place.pieces(agents)])


def remove(place: Place, agents: Sequence[Agent], *, shared: bool) -> list[Change]:
    """
    Take out what `install` puts in, whichever program it named, and say what became of each.

    Args:
        place: the repository or the home.
        agents: of which.
        shared: whether what all agents read goes, too.

    Raises:
        StorageError: the disk refused; nothing was removed.
    """
    edits = Edits(place)
    pieces = [(whose, piece) for whose, piece in place.pieces(agents) if shared or whose != ALL]
    return edits.done([edits.take(whose, piece) for whose, piece in pieces])


class Edits:
    """
    Files as they are and as they are to be; nothing is written before `done`.

    Args:
        place: the repository or the home.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._before: dict[Path, bytes | None] = {}
        self._after: dict[Path, bytes | None] = {}
        self._names: dict[Path, str] = {}
        self._left: set[Path] = set()
        self._broken: dict[Path, str] = {}

    # -- one piece -----------------------------------------------------------------------------------------

    def put(self, whose: str, piece: Piece, program: str) -> Change:
        """Put one piece in."""
        change = self._edit(whose, piece, lambda data: _put(piece, data, program))
        return msgspec.structs.replace(change, made=change.outcome == "installed" and self._is_new(change.file))

    def take(self, whose: str, piece: Piece) -> Change:
        """Take one piece out."""
        change = self._edit(whose, piece, lambda data: _take(piece, data))
        if change.outcome == "removed":
            self._left.add(self._resolve(change.file))
        return change

    def state(self, piece: Piece, program: str) -> tuple[str, str]:
        """Return what `put` would say of a piece, which is ``there already`` where it is in place, and why."""
        try:
            _, outcome, reason = self._told(self._file(piece), lambda data: _put(piece, data, program))
        except BadConfig as error:
            return BROKEN, error.reason
        return outcome, reason

    def _edit(self, whose: str, piece: Piece, work: "_Work") -> Change:
        file = self._file(piece)
        try:
            after, outcome, reason = self._told(file, work)
        except BadConfig as error:
            self._broken[self._where(file)] = reason = error.reason
            outcome = BROKEN
        else:
            self._after[self._resolve(file)] = after
        return Change(agent=whose, door=piece.door, file=file, outcome=outcome, reason=reason)

    def _is_new(self, file: str) -> bool:
        return self._before[self._resolve(file)] is None

    def data(self, file: str) -> bytes | None:
        """Return what is in a file, with what was edited."""
        return self._read(self._resolve(file), file)

    # -- all of them ---------------------------------------------------------------------------------------

    def done(self, changes: Sequence[Change]) -> list[Change]:
        """
        Write what changed, and return what became of each door: a file of which one piece is broken stays as it was.

        Raises:
            StorageError: the disk refused, or a file changed meanwhile; nothing was changed.
        """
        for path in self._broken.keys() & self._after.keys():
            self._after[path] = self._before[path]
        told = [self._or_broken(each) for each in changes]
        try:
            self._exclude()
        except BadConfig as error:
            told.append(Change(agent=ALL, door="ignored", file=error.file, outcome=BROKEN, reason=error.reason))
        self._write()
        return _together(told)

    def _or_broken(self, change: Change) -> Change:
        if (reason := self._broken.get(self._where(change.file))) is None:
            return change
        return msgspec.structs.replace(change, outcome=BROKEN, reason=reason, made=False)

    def _exclude(self) -> None:
        """Have git leave out the files that are made here, which are no part of a recipe, and forget those that go."""
        if self._place.repo is None:
            return
        said = git.run(["rev-parse", "--git-path", "info/exclude"], cwd=self._place.top)
        path = Path(os.path.realpath(self._place.top / os.fsdecode(said.removesuffix(b"\n"))))
        data = self._read(path, "info/exclude")
        try:
            listed = (blocks.held(data, blocks.HASH) or "").splitlines()[1:]
        except Broken as error:
            raise BadConfig("info/exclude", f"is broken: {error}") from error
        for each, after in self._after.items():
            line = "/" + self._names[each]
            if each in self._left and line in listed:
                listed.remove(line)
            elif after is not None and self._before[each] is None and line not in listed:
                listed.append(line)
        if listed:
            self._after[path] = blocks.put(data, "\n".join([_EXCLUDED, *listed]), blocks.HASH)
        elif data is not None:
            self._after[path] = blocks.take(data, blocks.HASH)

    def _write(self) -> None:
        done: list[Path] = []
        try:
            for path, after in self._after.items():
                before = self._before[path]
                if after == before:
                    continue
                if _bytes(path) != before:
                    raise OSError(None, "it changed while it was edited; try again")
                done.append(path)
                _replace(path, after, self._place.top)
        except OSError as error:
            where = self._names.get(path, str(path))
            for each in done:
                if each != path or self._before[each] is None:  # what could not be replaced is as it was
                    _replace(each, self._before[each], self._place.top)
            raise StorageError(f"cannot write {where}: {error.strerror or error}; nothing was changed") from error

    # -- files ---------------------------------------------------------------------------------------------

    def _file(self, piece: Piece) -> str:
        """Return which file a piece goes to, or is in."""
        if isinstance(piece, Entry):
            for each in (piece.file, *piece.instead):
                if os.path.lexists(self._place.top / each):
                    return each
        return piece.file

    def _where(self, file: str) -> Path:
        return Path(os.path.realpath(self._place.top / file))

    def _resolve(self, file: str) -> Path:
        """Return where a file really is; a repository's may not lead elsewhere, because it may come from anybody."""
        path = self._place.top / file
        real = self._where(file)
        self._names.setdefault(real, file)
        if path.is_symlink() and not real.exists():
            raise BadConfig(file, "is a link that leads nowhere")
        if self._place.repo is not None and not real.is_relative_to(os.path.realpath(self._place.top)):
            raise BadConfig(file, f"leads out of the repository, to {real}; edit that file yourself")
        return real

    def _read(self, path: Path, file: str) -> bytes | None:
        if path not in self._after:
            self._names.setdefault(path, file)
            try:
                self._before[path] = self._after[path] = _bytes(path)
            except OSError as error:
                raise BadConfig(file, f"cannot be read: {error.strerror}") from error
        return self._after[path]

    def _told(self, file: str, work: "_Work") -> "_Result":
        """Return what an edit makes of a file, and name the file where it is broken."""
        data = self._read(self._resolve(file), file)
        try:
            return work(data)
        except (Broken, UnicodeDecodeError) as error:
            reason = "is no UTF-8" if isinstance(error, UnicodeDecodeError) else f"is broken: {error}"
            raise BadConfig(file, reason) from error


_Result = tuple[bytes | None, str, str]
"""What a file is to be, the outcome in words, and why."""

_Work = Callable[[bytes | None], _Result]
"""An edit of what is in a file."""


def _put(piece: Piece, data: bytes | None, program: str) -> _Result:
    match piece:
        case Entry():
            return _put_entry(piece, data, program)
        case Block():
            return _put_block(piece, data, program)
    text = _signed(piece)
    if data is None:
        return text, "installed", ""
    if data == text:
        return data, "there already", ""
    return (text, "updated", "") if _is_unchanged(data) else (data, "yours", _why(data))


def _take(piece: Piece, data: bytes | None) -> _Result:
    if data is None:
        return None, "not there", ""
    match piece:
        case Entry():
            return _take_entry(piece, data)
        case Block():
            after = blocks.take(data, piece.marks)
            return after, "not there" if after == data else "removed", ""
    return (None, "removed", "") if _is_unchanged(data) else (data, "yours", _why(data))


# -- entries of JSON files -----------------------------------------------------------------------------------------


def _put_entry(entry: Entry, data: bytes | None, program: str) -> _Result:
    value = _filled(entry.value, program)
    if data is None:
        if entry.only_where:
            return None, "left out", f"there is no {entry.file}"
        nested: Any = [value] if entry.listed else value
        for key in reversed(entry.path[1:]):
            nested = {key: nested}
        made = Document.made({entry.path[0]: nested, **entry.frame}, comments=entry.comments)
        return made.text.encode(), "installed", ""
    document = Document(data.decode(), comments=entry.comments)
    if entry.only_where:
        node = document.at(entry.path if entry.listed else entry.path[:-1]) if _leads(document, entry) else None
        if node is None:
            return data, "left out", f"{entry.file} does not say {'.'.join(entry.path[:2])}"
    items = document.items(entry.path) if entry.listed else []
    node = document.at(entry.path)
    there = [] if node is None else list(node.children) if entry.listed else [node]
    if any(each.value == value for each in there):
        return data, "there already", ""
    ours = [each for each in there if _is_ours(each.value, entry.value)]
    if ours:
        return document.with_value(ours[0], value).text.encode(), "updated", ""
    if (there and not entry.listed) or any(_holds(item, entry.value) for item in items):
        return data, "yours", _OTHER
    document = (document.with_item if entry.listed else document.with_member)(entry.path, value)
    return document.text.encode(), "installed", ""


def _take_entry(entry: Entry, data: bytes) -> _Result:
    document: Document | None = Document(data.decode(), comments=entry.comments)
    assert document is not None
    first = document.root.children[0].key if document.root.children else None
    if entry.listed:
        document = document.without(entry.path, lambda item: _is_ours(item, entry.value))
    else:
        node = document.at(entry.path) if _leads(document, entry) else None
        if node is None:
            return data, "not there", ""
        if not _is_ours(node.value, entry.value):
            return data, "yours", _OTHER
        document = document.without(entry.path[:-1], lambda key: key == entry.path[-1])
    if document is None:
        return None, "removed", ""
    left = document.root.value
    if entry.frame and first == entry.path[0] and left == entry.frame:
        return None, "removed", ""  # what was made here begins with our entry, and its frame follows
    after = document.text.encode()
    if after == data and any(_holds(item, entry.value) for item in _items(document, entry)):
        return data, "yours", _OTHER
    return after, "not there" if after == data else "removed", ""


def _items(document: Document, entry: Entry) -> list[Any]:
    try:
        return document.items(entry.path)
    except Broken:
        return []


def _leads(document: Document, entry: Entry) -> bool:
    """Whether all that stands on the way to an entry is objects."""
    try:
        document.at(entry.path)
    except Broken:
        return False
    return True


def _filled(value: Any, program: str) -> Any:
    """Return a value with the program in its place."""
    match value:
        case str():
            return program if value == PROGRAM else value.replace(PROGRAM, shlex.quote(program))
        case list():
            return [_filled(each, program) for each in value]
        case dict():
            return {key: _filled(each, program) for key, each in value.items()}
    return value


def _is_ours(held: Any, value: Any) -> bool:
    """Whether a value is what we put in, whichever program it names."""
    match value:
        case str() if PROGRAM in value:
            return isinstance(held, str) and held.endswith(value.removeprefix(PROGRAM)) and "lineage" in held
        case list():
            return (
                isinstance(held, list)
                and len(held) == len(value)
                and all(_is_ours(*pair) for pair in zip(held, value, strict=True))
            )
        case dict():
            return (
                isinstance(held, dict)
                and held.keys() == value.keys()
                and all(_is_ours(held[key], value[key]) for key in value)
            )
    return bool(held == value)


def _holds(held: Any, value: Any) -> bool:
    """Whether a value holds our hook's command, in whatever form."""
    command = next(_texts(value), "")
    return any(_is_ours(text, command) for text in _texts(held, every=True)) if PROGRAM in command else False


def _texts(value: Any, *, every: bool = False) -> Iterator[str]:
    """Return the texts in a value that name the program, or every one."""
    match value:
        case str() if every or PROGRAM in value:
            yield value
        case list():
            for each in value:
                yield from _texts(each, every=every)
        case dict():
            for each in value.values():
                yield from _texts(each, every=every)


# -- parts of text files, and files of our own ---------------------------------------------------------------------


def _put_block(block: Block, data: bytes | None, program: str) -> _Result:
    if block.only_where and data is None:
        return None, "left out", f"there is no {block.file}"
    if block.only_where and data is not None and _TAKES_IN.search(data):
        return blocks.take(data, block.marks), "left out", "it takes AGENTS.md in"
    text = block.text.replace(PROGRAM, json.dumps(program, ensure_ascii=False)[1:-1])
    held = blocks.held(data, block.marks)
    if held == text:
        return data, "there already", ""
    if block.is_toml and data is not None and held is None:
        said = _toml(data)
        if all(key in said and isinstance(said := said[key], dict) for key in _table(block)):
            return data, "yours", f"it has a table {'.'.join(_table(block))!r} of its own"
    after = blocks.put(data, text, block.marks)
    if block.is_toml:
        try:
            _toml(after)
        except Broken as error:
            raise Broken(f"{'.'.join(_table(block))} cannot be added ({error})") from error
    return after, "installed" if held is None else "updated", ""


def _table(block: Block) -> list[str]:
    """Return the keys of the table that a block of TOML begins with."""
    return block.text.partition("]")[0].removeprefix("[").split(".")


def _toml(data: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode())
    except tomllib.TOMLDecodeError as error:
        raise Broken(str(error)) from error


def _signed(own: Own) -> bytes:
    """Return the bytes of a file of ours, with its digest as the last line."""
    text = own.text.encode()
    return text + own.comment.format(_MARK + _digest(text)).encode() + b"\n"


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:16]


def _is_unchanged(data: bytes) -> bool:
    """Whether a file is one of ours, of any version, and as we wrote it."""
    match = re.search(re.escape(_MARK.encode()) + rb"([0-9a-f]{16})[^\n]*\n?\Z", data)
    if match is None:
        return False
    return _digest(data[: data.rfind(b"\n", 0, match.start()) + 1]).encode() == match[1]


def _why(data: bytes) -> str:
    return "it was changed by hand" if _MARK.encode() in data else "somebody else wrote it"


# -- small things --------------------------------------------------------------------------------------------------


def _together(changes: Sequence[Change]) -> list[Change]:
    """Return changes with those of one door in one file as one, which is told by what happened first."""
    rank = (BROKEN, "yours", "installed", "updated", "removed", "left out", "there already", "not there")
    together: dict[tuple[str, str, str], Change] = {}
    for each in changes:
        key = (each.agent, each.door, each.file)
        old = together.get(key)
        if old is None or rank.index(each.outcome) < rank.index(old.outcome):
            together[key] = each
    return list(together.values())


def _bytes(path: Path) -> bytes | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(None, "it is no file")
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _replace(path: Path, data: bytes | None, top: Path) -> None:
    """Make a file what it is to be; folders are made for it, and go with it where they are empty."""
    if data is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
        return
    path.unlink(missing_ok=True)
    for folder in path.parents:
        if folder == Path(os.path.realpath(top)) or not folder.is_relative_to(os.path.realpath(top)):
            return
        try:
            folder.rmdir()
        except OSError:
            return


def names(agents: Mapping[str, Agent], given: Sequence[str]) -> list[Agent]:
    """Return the agents that some names stand for; ``all`` is every one."""
    return list(agents.values()) if "all" in given else [agents[name] for name in given]
