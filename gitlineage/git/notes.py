"""
Notes trees: which blob is the note of which object.

Reading understands any fan-out, because git itself rewrites it; writing keeps a fixed one of two levels,
``ab/cd/<36 more>``, and touches only the trees on the way (design 3: libgit2's own writer grows with the store).
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from gitlineage.bounds import MAX_NOTE, MAX_TREE
from gitlineage.errors import RepositoryError
from gitlineage.git.formats import FILE, TREE, Entry, format_tree, parse_tree
from gitlineage.git.repository import GitRepo
from gitlineage.later import later

if TYPE_CHECKING:
    from gitlineage.git import readahead
else:
    readahead = later(f"{__package__}.readahead")

_LEVELS = 2
_BRANCH = 2 + 1 + 20
"""Bytes of a folder's entry behind its mode: two digits of an oid, a NUL, the oid of what is below."""

_FULL = 256
"""Entries of a folder that has one for every name of two hexadecimal digits."""
_CACHE = 4096
_KEPT = 1 << 20
"""A larger tree is not kept in memory (bytes); ours never come near."""


class Folder:
    """
    One tree of a notes tree.

    Ours are regular: every entry has the same kind and a name of the same length, so that an entry is found and
    replaced in the bytes themselves. Trees of other hands may be anything and are read entry by entry.
    """

    def __init__(self, raw: bytes, shape: tuple[int, int] | None = None) -> None:
        self.raw = raw
        self._step, self._name = _shape(raw) if shape is None else shape
        self._parsed: dict[str, Entry] | None = None

    @property
    def branches(self) -> bool:
        """Whether it is one of ours that holds folders only."""
        return self._step - self._name == _BRANCH

    def get(self, name: str) -> Entry | None:
        """Return an entry by name."""
        if not self._step:
            return self.entries().get(name)
        if len(name) != self._step - self._name - 21:
            return None
        key = name.encode()
        at = self._place(key) * self._step
        if self._at(at) != key:
            return None
        return Entry(int(self.raw[: self._name - 1], 8), self.raw[at + self._step - 20 : at + self._step].hex())

    def entries(self) -> dict[str, Entry]:
        """Return all entries by name."""
        if self._parsed is None:
            try:
                self._parsed = parse_tree(self.raw)
            except ValueError as error:
                raise RepositoryError(f"cannot read a tree of notes: {error}") from error
        return self._parsed

    def put(self, changes: Mapping[str, Entry]) -> "Folder":
        """Return the tree with some entries added or replaced."""
        if len(changes) != 1 or not self._step:
            return Folder(format_tree({**self.entries(), **changes}))
        ((name, entry),) = changes.items()
        key = name.encode()
        head = b"%o " % entry.mode
        if len(head) + len(key) + 21 != self._step or not self.raw.startswith(head):
            return Folder(format_tree({**self.entries(), **changes}))
        at = self._place(key) * self._step
        after = at + (self._step if self._at(at) == key else 0)
        piece = b"%b%b\0%b" % (head, key, bytes.fromhex(entry.oid))
        return Folder(b"".join((self.raw[:at], piece, self.raw[after:])), (self._step, self._name))

    def _place(self, name: bytes) -> int:
        """Return the number of entries before a name."""
        if len(self.raw) == _FULL * self._step and len(name) == 2:  # most likely an entry for each of them
            at = int(name, 16)
            if self._at(at * self._step) == name:
                return at
        return bisect_left(range(len(self.raw) // self._step), name, key=lambda at: self._at(at * self._step))

    def _at(self, at: int) -> bytes:
        return self.raw[at + self._name : at + self._step - 21]


def _shape(raw: bytes) -> tuple[int, int]:
    """Return how long each entry of a regular tree is and where its name begins; zeros for any other tree."""
    end = raw.find(b"\0") + 1
    name = raw.find(b" ") + 1
    step = end + 20
    if not 0 < name < end or len(raw) % step:
        return 0, 0
    count = len(raw) // step
    if count == 1:
        return step, name
    regular = (
        all(raw[at::step] == raw[at : at + 1] * count for at in range(name))
        and not any(b"\0" in raw[at::step] for at in range(name, end - 1))
        and raw[end - 1 :: step] == bytes(count)
    )
    return (step, name) if regular else (0, 0)


class NotesTrees:
    """
    Reads and writes the notes trees of one repository.

    Trees are immutable, so what was read or written once is kept by oid and never goes stale.
    """

    def __init__(self, repo: GitRepo) -> None:
        self._repo = repo
        self._kept: dict[str, Folder] = {}

    def get(self, tree: str, oid: str) -> bytes:
        """Return an object's note, empty where it has none."""
        return b"".join(self._repo.read(blob, MAX_NOTE) for blob in self.find(tree, oid))

    def has(self, tree: str, oid: str) -> bool:
        """Whether an object has a note."""
        return bool(self.find(tree, oid))

    def put(self, tree: str, notes: Mapping[str, bytes]) -> str:
        """
        Return a tree in which some objects have other notes; the rest is as it was.

        Args:
            notes: what the notes say, by object.
        """
        return self._put(tree, {oid: Entry(FILE, self._repo.write_blob(note)) for oid, note in notes.items()}, 0)

    def notes(self, tree: str) -> Iterator[tuple[str, str]]:
        """Return the annotated oid and the blob of every note in a tree."""
        return self.changed(None, tree)

    def changed(self, old: str | None, new: str, odd: dict[str, str] | None = None) -> Iterator[tuple[str, str]]:
        """
        Return the annotated oid and the blob of every note in ``new`` that is not so in ``old``.

        A tree of notes stands in one place, for names of objects differ; a few trees that stand in each other's
        places many times would make notes without end.

        Args:
            odd: gets the trees that are passed over, with the reason: broken ones, and the second place of one.
        """
        met: set[str] = set()
        stack: list[tuple[str, str | None, str]] = [("", old, new)]
        while stack:
            prefix, before, after = stack.pop()
            known = self._known(before)
            try:
                tree = self._repo.read_tree(after)
            except RepositoryError as error:
                if odd is None:
                    raise
                odd[after] = str(error)
                continue
            for name, entry in tree.items():
                path = prefix + name
                was = known.get(name)
                if was == entry or not _is_hex(path) or len(path) > 40:
                    continue
                if entry.mode == TREE and entry.oid in met:
                    if odd is not None:
                        odd.setdefault(entry.oid, "this tree stands in several places of the notes")
                elif entry.mode == TREE:
                    met.add(entry.oid)
                    stack.append((path, was.oid if was and was.mode == TREE else None, entry.oid))
                elif len(path) == 40:
                    yield path, entry.oid

    def _known(self, tree: str | None) -> Mapping[str, Entry]:
        """Return an earlier tree's entries; what it held where it is broken is told again."""
        try:
            return self._read(tree).entries() if tree else {}
        except RepositoryError:
            return {}

    def together(self, tree: str, most: int) -> dict[bytes, bytes]:
        """
        Return the blob of every note that stands where ours do, by object, for whoever needs very many of them.

        Args:
            most: how many notes there may be; of more, none is returned, and `find` has them.
        """
        return readahead.read_notes(self._repo.commondir, tree, most)

    def find(self, tree: str, oid: str) -> list[str]:
        """Return the blobs of an object's note; more than one only where two fan-outs met."""
        blobs = []
        at = 0
        folder: str | None = tree
        while folder is not None:
            read = self._read(folder)
            if (leaf := read.get(oid[at:])) is not None and leaf.mode != TREE:
                blobs.append(leaf.oid)
            branch = read.get(oid[at : at + 2])
            folder = branch.oid if branch is not None and branch.mode == TREE else None
            at += 2
        return blobs

    def _put(self, tree: str | None, blobs: Mapping[str, Entry], level: int) -> str:
        """Write notes below one folder; keys are what is left of the oids."""
        if tree is None:
            return self._put_anew(blobs, level)
        folder = self._read(tree)
        if level == _LEVELS:
            changes = {**self._without_deeper(folder, blobs), **blobs}
        else:
            groups: dict[str, dict[str, Entry]] = {}
            for rest, blob in blobs.items():
                groups.setdefault(rest[:2], {})[rest[2:]] = blob
            changes = {}
            for name, group in groups.items():
                branch = folder.get(name)
                below = branch.oid if branch and branch.mode == TREE else None
                changes[name] = Entry(TREE, self._put(below, group, level + 1))
            shallow = [] if folder.branches else [rest for rest in blobs if folder.get(rest) is not None]
            if shallow:
                folder = Folder(format_tree({k: v for k, v in folder.entries().items() if k not in shallow}))
        new = folder.put(changes)
        oid = self._repo.write_object("tree", new.raw)
        self._keep(oid, new)
        return oid

    def _put_anew(self, blobs: Mapping[str, Entry], level: int) -> str:
        """Write notes below a folder that is not there yet."""
        width = 2 * (_LEVELS - level)
        folders: dict[str, list[bytes]] = {}
        for rest in sorted(blobs):
            piece = b"100644 %b\0%b" % (rest[width:].encode(), bytes.fromhex(blobs[rest].oid))
            try:
                folders[rest[:width]].append(piece)
            except KeyError:
                folders[rest[:width]] = [piece]
        write = self._repo.write_object
        while width:
            width -= 2
            above: dict[str, list[bytes]] = {}
            for path, pieces in folders.items():
                oid = write("tree", b"".join(pieces))
                piece = b"40000 %b\0%b" % (path[width:].encode(), bytes.fromhex(oid))
                above.setdefault(path[:width], []).append(piece)
            folders = above
        return write("tree", b"".join(folders[""]))

    def _without_deeper(self, folder: Folder, blobs: Mapping[str, Entry]) -> dict[str, Entry]:
        """Return folders of a deeper fan-out without the notes of the same objects."""
        changes: dict[str, Entry] = {}
        for rest in blobs:
            branch = changes.get(rest[:2]) or folder.get(rest[:2])
            if branch is not None and branch.mode == TREE and (below := self._without(branch.oid, rest[2:])):
                changes[rest[:2]] = Entry(TREE, below)
        return changes

    def _without(self, tree: str, rest: str) -> str | None:
        """Return a folder without an object's note, ``None`` where it has none."""
        entries = dict(self._read(tree).entries())
        had = entries.pop(rest, None) is not None
        branch = entries.get(rest[:2])
        if branch is not None and branch.mode == TREE and (below := self._without(branch.oid, rest[2:])):
            entries[rest[:2]] = Entry(TREE, below)
            had = True
        return self._repo.write_tree(entries) if had else None

    def _read(self, tree: str) -> Folder:
        kept = self._kept.get(tree)
        if kept is None:
            kept = Folder(self._repo.read(tree, MAX_TREE))
            self._keep(tree, kept)
        return kept

    def _keep(self, tree: str, folder: Folder) -> None:
        if len(folder.raw) > _KEPT:
            return
        if len(self._kept) >= _CACHE:
            self._kept.clear()
        self._kept[tree] = folder


_is_hex = re.compile(r"[0-9a-f]*").fullmatch
