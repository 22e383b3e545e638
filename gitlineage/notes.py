"""
Notes trees: which blob is the note of which object; not what a note says.

Layer 2. Reading understands any fan-out, because git itself rewrites it; writing keeps a fixed one of two levels,
``ab/cd/<36 more>``, and touches only the trees on the way (design 3: libgit2's own writer grows with the store).
"""

from collections.abc import Iterator, Mapping

from gitlineage.gitrepo import FILE, TREE, Entry, GitRepo

_LEVELS = 2
_CACHE = 4096


class NotesTrees:
    """
    Reads and writes the notes trees of one repository.

    Trees are immutable, so what was read or written once is kept by oid and never goes stale.
    """

    def __init__(self, repo: GitRepo) -> None:
        self._repo = repo
        self._kept: dict[str, dict[str, Entry]] = {}

    def get(self, tree: str, oid: str) -> bytes:
        """Return an object's note, empty where it has none."""
        return b"".join(self._repo.read(blob) for blob in self._find(tree, oid))

    def has(self, tree: str, oid: str) -> bool:
        """Whether an object has a note."""
        return bool(self._find(tree, oid))

    def put(self, tree: str, notes: Mapping[str, bytes]) -> str:
        """Return the tree in which each of these objects has this note; the rest is as it was."""
        blobs = {oid: Entry(FILE, self._repo.write_blob(note)) for oid, note in notes.items()}
        return self._put(tree, blobs, 0)

    def notes(self, tree: str) -> Iterator[tuple[str, str]]:
        """Return the annotated oid and the blob of every note in a tree."""
        return self.changed(None, tree)

    def changed(self, old: str | None, new: str) -> Iterator[tuple[str, str]]:
        """Return the annotated oid and the blob of every note in ``new`` that is not so in ``old``."""
        stack: list[tuple[str, str | None, str]] = [("", old, new)]
        while stack:
            prefix, before, after = stack.pop()
            known = self._read(before) if before else {}
            for name, entry in self._repo.read_tree(after).items():
                path = prefix + name
                was = known.get(name)
                if was == entry or not _is_hex(path) or len(path) > 40:
                    continue
                if entry.mode == TREE:
                    stack.append((path, was.oid if was and was.mode == TREE else None, entry.oid))
                elif len(path) == 40:
                    yield path, entry.oid

    def _find(self, tree: str, oid: str) -> list[str]:
        """Return the blobs of an object's note; more than one only where two fan-outs met."""
        found = []
        at = 0
        folder: str | None = tree
        while folder is not None:
            entries = self._read(folder)
            if (leaf := entries.get(oid[at:])) is not None and leaf.mode != TREE:
                found.append(leaf.oid)
            branch = entries.get(oid[at : at + 2])
            folder = branch.oid if branch is not None and branch.mode == TREE else None
            at += 2
        return found

    def _put(self, tree: str | None, blobs: Mapping[str, Entry], level: int) -> str:
        """Write notes below one folder; keys are what is left of the oids."""
        entries = dict(self._read(tree)) if tree else {}
        for rest in blobs:
            entries.pop(rest, None)
        if level < _LEVELS:
            groups: dict[str, dict[str, Entry]] = {}
            for rest, blob in blobs.items():
                groups.setdefault(rest[:2], {})[rest[2:]] = blob
            for name, group in groups.items():
                branch = entries.get(name)
                below = self._put(branch.oid if branch and branch.mode == TREE else None, group, level + 1)
                entries[name] = Entry(TREE, below)
        else:
            self._drop_below(entries, blobs)
            entries.update(blobs)
        oid = self._repo.write_tree(entries)
        self._keep(oid, entries)
        return oid

    def _drop_below(self, entries: dict[str, Entry], blobs: Mapping[str, Entry]) -> None:
        """Remove notes that a deeper fan-out holds for the same objects."""
        for rest in blobs:
            branch = entries.get(rest[:2])
            if branch is None or branch.mode != TREE:
                continue
            below = dict(self._read(branch.oid))
            if below.pop(rest[2:], None) is not None:
                entries[rest[:2]] = Entry(TREE, self._repo.write_tree(below))

    def _read(self, tree: str) -> dict[str, Entry]:
        kept = self._kept.get(tree)
        if kept is None:
            kept = self._repo.read_tree(tree)
            self._keep(tree, kept)
        return kept

    def _keep(self, tree: str, entries: dict[str, Entry]) -> None:
        if len(self._kept) >= _CACHE:
            self._kept.clear()
        self._kept[tree] = entries


def _is_hex(text: str) -> bool:
    return all(sign in "0123456789abcdef" for sign in text)
