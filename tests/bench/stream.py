"""
Write a store's objects as `git fast-import` takes them, so that git can be timed on the very same ones.

`git fast-export` would do the same; where commits have hundreds of parents it takes an hour for what this takes
seconds for.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pygit2

SNAPSHOTS = b"refs/heads/snapshots"


class Exporter:
    """
    Writes commits parents first, each as what it changes against its first parent.

    Args:
        root: the repository.
        out: where to write.
    """

    def __init__(self, root: Path, out: BinaryIO) -> None:
        self._repo = pygit2.Repository(str(root))
        self._out = out
        self._marks: dict[pygit2.Oid, int] = {}

    def export(self, ref: str) -> None:
        """Write everything that a writer's ref leads to."""
        tip = self._repo.references[ref].target
        chain = self._first_parents(tip)
        on_chain = set(chain)
        for oid in self._parents_first(tip):
            self._commit(oid, ref.encode() if oid in on_chain else SNAPSHOTS)

    def _first_parents(self, tip: pygit2.Oid) -> list[pygit2.Oid]:
        chain = [tip]
        while parents := self._repo[chain[-1]].parent_ids:
            chain.append(parents[0])
        return chain

    def _parents_first(self, tip: pygit2.Oid) -> Iterator[pygit2.Oid]:
        """Return all commits below a tip, each after its parents."""
        seen: set[pygit2.Oid] = set()
        stack = [(tip, False)]
        while stack:
            oid, ready = stack.pop()
            if ready:
                yield oid
            elif oid not in seen:
                seen.add(oid)
                stack.append((oid, True))
                stack.extend((parent, False) for parent in self._repo[oid].parent_ids if parent not in seen)

    def _commit(self, oid: pygit2.Oid, ref: bytes) -> None:
        commit = self._repo[oid]
        head, _, message = commit.read_raw().partition(b"\n\n")
        people = [line for line in head.split(b"\n") if line.startswith((b"author ", b"committer "))]
        parents = [b":%d" % self._marks[parent] for parent in commit.parent_ids]
        mark = self._marks[oid] = len(self._marks) + 1
        lines = [b"commit " + ref, b"mark :%d" % mark, *people, b"data %d" % len(message), message]
        lines += [b"from " + parents[0]] if parents else []
        lines += [b"merge " + parent for parent in parents[1:]]
        if not parents:
            self._out.write(b"reset %s\n\n" % ref)
        self._out.write(b"\n".join(lines) + b"\n")
        before = self._repo[commit.parent_ids[0]].tree_id if parents else None
        self._changes(b"", before, commit.tree_id)
        self._out.write(b"\n")

    def _changes(self, prefix: bytes, before: pygit2.Oid | None, after: pygit2.Oid) -> None:
        """Write the files that differ between two trees."""
        if before == after:
            return
        old = {entry.name: entry for entry in self._repo[before]} if before else {}
        new = {entry.name: entry for entry in self._repo[after]}
        for name in old.keys() - new.keys():
            self._out.write(b"D %s\n" % (prefix + name.encode()))
        for name, entry in new.items():
            path, was = prefix + name.encode(), old.get(name)
            if was is not None and (was.id, was.filemode) == (entry.id, entry.filemode):
                continue
            if entry.filemode == pygit2.enums.FileMode.TREE:
                same_kind = was is not None and was.filemode == entry.filemode
                self._changes(path + b"/", was.id if same_kind else None, entry.id)
            else:
                data = self._repo[entry.id].data
                self._out.write(b"M %o inline %s\ndata %d\n%s\n" % (entry.filemode, path, len(data), data))
