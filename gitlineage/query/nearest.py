"""
Which snapshot some content was most likely made from: the one that differs least from it, of the few that come into it.

Design 9: agents restore files in many ways and forget to say so; the content does not forget. Here too is the
mark that says which snapshot was last recorded or checked out in a working tree.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec

from gitlineage.errors import RepositoryError
from gitlineage.git.formats import FILE, LINK, PROGRAM, SUBMODULE, TREE, Entry, is_oid
from gitlineage.git.packs import object_id
from gitlineage.git.repository import GitRepo
from gitlineage.query import ancestry
from gitlineage.query.views import Views

EMPTY_TREE = object_id("tree", b"")

LAST, PARENT, BEST, HEAD = "last", "parent", "best", "HEAD"
"""What a candidate is: last recorded or checked out here, a parent of that, the best, what HEAD is at."""

_MOST = 8
"""Candidates that are compared at most."""

_PATHS = 5_000
"""Paths that differ after which two contents count as wholly different."""

_READ = 4 * 1024 * 1024
"""Bytes of files that are read for one comparison; what is beyond counts with its whole size."""

_LINE = 64
"""Bytes that count as a line where there are none."""

_RECENT = 1000
"""Trials among which this clone's last one is looked for where no mark is left."""


class Candidate(msgspec.Struct, frozen=True):
    """A snapshot that content may have been made from, and why it comes into it."""

    oid: str
    tree: str
    how: str


class Nearest(msgspec.Struct, frozen=True, kw_only=True):
    """
    What some content is nearest to.

    Args:
        tree: the content.
        oid: the snapshot; ``None`` where none comes into it.
        how: what that one is: `LAST`, `PARENT`, `BEST` or `HEAD`; empty for none.
        changed: lines that only one of the two has.
        paths: files that are not the same in both.
        candidates: what was compared, in the order that settles a tie.
    """

    tree: str
    oid: str | None = None
    how: str = ""
    changed: int = 0
    paths: int = 0
    candidates: tuple[Candidate, ...] = ()


# -- candidates ------------------------------------------------------------------------------------------------------


def candidates(views: Views, writer: str | None, mark: Path) -> tuple[Candidate, ...]:
    """
    Return what a working tree's content may have been made from, likeliest first.

    The snapshot last recorded or checked out in this working tree, its parents, the best, and HEAD where HEAD is
    recorded or nothing is yet.

    Args:
        writer: this clone's writer, whose last trial stands in for a mark that is lost.
        mark: the file that says what was last recorded or checked out in this working tree.
    """
    repo = views.repo
    ways: dict[str, str] = {}
    last = read_mark(repo, mark) or _last_recorded(views, writer)
    if last is not None:
        ways[last] = LAST
        for parent in ancestry.parents(views, last):
            ways.setdefault(parent.oid, PARENT)
    if (best := views.best_oid()) is not None:
        ways.setdefault(best, BEST)
    head = repo.head()
    nothing = views.index.one("SELECT 1 FROM snapshots LIMIT 1") is None
    if head is not None and (nothing or views.tree(head) is not None):
        ways.setdefault(head, HEAD)
    known = [Candidate(oid, _tree(views, oid), how) for oid, how in list(ways.items())[:_MOST]]
    return tuple(each for each in known if each.tree)


def _last_recorded(views: Views, writer: str | None) -> str | None:
    """Return the snapshot of this clone's last trial, if it is among the latest of all."""
    latest = f"SELECT snapshot, writer, clock FROM trials ORDER BY clock DESC, writer DESC LIMIT {_RECENT}"
    row = views.index.one(
        f"SELECT s.oid FROM ({latest}) t JOIN snapshots s ON s.id = t.snapshot WHERE t.writer = ? "
        "ORDER BY t.clock DESC LIMIT 1",
        writer,
    )
    return str(row[0]) if row else None


def _tree(views: Views, oid: str) -> str:
    """Return a commit's tree; empty where the commit is missing, as in a shallow clone."""
    return views.tree(oid) or (views.repo.commit(oid).tree if views.repo.exists(oid) else "")


# -- the mark --------------------------------------------------------------------------------------------------------


def read_mark(repo: GitRepo, path: Path) -> str | None:
    """Return the snapshot last recorded or checked out in this working tree; ``None`` where that is not known."""
    try:
        oid = path.read_text("ascii").strip()
    except (OSError, ValueError):
        return None
    return oid if is_oid(oid) and repo.exists(oid) and repo.kind(oid) == "commit" else None


def write_mark(repo: GitRepo, path: Path, oid: str) -> None:
    """Remember which snapshot a working tree is at; where that cannot be written, nothing else is lost."""
    with suppress(OSError):
        repo.modes.make_folders(path.parent)
        new = path.with_name(f"{path.name}.{os.getpid()}")
        repo.modes.write(new, f"{oid}\n".encode())
        try:
            new.replace(path)
        except OSError:
            new.unlink()


# -- comparing -------------------------------------------------------------------------------------------------------


def nearest(repo: GitRepo, tree: str, known: Sequence[Candidate]) -> Nearest:
    """
    Return which candidate differs least from a tree; of several, the first.

    Least is the fewest lines that only one side has, over all files together, so that a file that only moved counts
    little; then the fewest paths. A file that is no text, or too large to read, counts as lines of 64 bytes. One
    without files has nothing in common with anything, so others come first.
    """
    known = [each for each in known if each.tree != EMPTY_TREE] or known
    best: tuple[tuple[int, int], Candidate] | None = None
    for each in known:
        distance = difference(repo, each.tree, tree)
        if best is None or distance < best[0]:
            best = distance, each
        if distance == (0, 0):
            break
    if best is None:
        return Nearest(tree=tree)
    (changed, paths), each = best
    return Nearest(tree=tree, oid=each.oid, how=each.how, changed=changed, paths=paths, candidates=tuple(known))


def difference(repo: GitRepo, old: str, new: str) -> tuple[int, int]:
    """Return how many lines only one of two trees has, and how many paths differ."""
    diff = changes(repo, old, new)
    if diff.paths > _PATHS:
        return 2**62, diff.paths
    return diff.whole + sum(map(abs, diff.lines.values())), diff.paths


class Changes(NamedTuple):
    """
    What differs between two trees.

    Args:
        lines: how many more of each line the new one has, over all files together; fewer are negative.
        whole: lines that files count as which were not read line by line.
        paths: how many paths differ; not all are counted of too many.
    """

    lines: Counter[bytes]
    whole: int
    paths: int

    @property
    def edit(self) -> str:
        """What names an edit: equal for the same lines put in and taken out anywhere; empty where that is not known."""
        changed = sorted((line, count) for line, count in self.lines.items() if count)
        if not changed or self.whole or self.paths > _PATHS:
            return ""
        return sha256(b"".join(b"%d %d %s" % (count, len(line), line) for line, count in changed)).hexdigest()


def changes(repo: GitRepo, old: str, new: str) -> Changes:
    """Return what differs between two trees."""
    lines: Counter[bytes] = Counter()
    whole, paths, left = 0, 0, _READ
    todo: list[tuple[str | None, str | None]] = [(old, new)] if old != new else []
    while todo and paths <= _PATHS:
        before, after = (_entries(repo, each) for each in todo.pop())
        for name in before.keys() | after.keys():
            sides = before.get(name), after.get(name)
            if sides[0] == sides[1]:
                continue
            folders = [each.oid if each is not None and each.mode == TREE else None for each in sides]
            if any(folders):
                todo.append((folders[0], folders[1]))
            files = [each if each is not None and each.mode in (FILE, PROGRAM, LINK) else None for each in sides]
            paths += any(each is not None and each.mode != TREE for each in sides)
            if all(files) and len({each.oid for each in files if each}) == 1:
                continue  # only the mode changed
            for sign, entry in zip((-1, 1), files, strict=True):
                data = _read(repo, entry, left)
                if isinstance(data, int):
                    whole += data // _LINE + 1
                else:
                    left -= len(data)
                    for line in data.splitlines(keepends=True):
                        lines[line] += sign
            whole += sum(each is not None and each.mode == SUBMODULE for each in sides)
    return Changes(lines, whole, paths)


def _entries(repo: GitRepo, tree: str | None) -> Mapping[str, Entry]:
    """Return a tree's entries; none where there is no such folder, or it is not here."""
    if tree is None:
        return {}
    try:
        return repo.read_tree(tree)
    except RepositoryError:
        return {}


def _read(repo: GitRepo, entry: Entry | None, left: int) -> bytes | int:
    """Return a file's text, or its size where it is none, is large or cannot be read."""
    if entry is None:
        return b""
    try:
        size = repo.size(entry.oid)
        if size > left:
            return size
        data = repo.read(entry.oid)
    except RepositoryError:
        return 0
    return len(data) if b"\0" in data[:8000] else data
