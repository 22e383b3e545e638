"""
The files of trials as the page reads them, to be compared there: every line once, a file as runs of line numbers.

Start at `contents`. Versions of one file share nearly all their lines, so a hundred of them take little more than one.
Of the trees only what differs anywhere is written: each as its difference to its parent's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain, islice
from typing import Any

from gitlineage.errors import LineageError, TooMuch
from gitlineage.git.formats import SUBMODULE, TREE, Entry
from gitlineage.git.repository import GitRepo
from gitlineage.model.rank import ELIGIBLE
from gitlineage.query.table import Row, Table
from gitlineage.query.views import Views

MAX_FILE = 1 << 20
"""A larger file, in bytes, is named and not shown."""

MOST = 3000
"""So many trials' files are looked at, the most telling first; a page of 100,000 trials is to be made in seconds."""

MAX_FILES = 2000
"""A trial whose tree differs in more files is left out."""

_DEEP = 64
_LOOKED_AT = 8192
"""As git does, a file with a NUL among its first bytes is taken for binary."""


class Texts:
    """
    Texts with every line kept once.

    Args:
        limit: how many bytes of different lines there may be.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.lines: dict[str, int] = {}

    def add(self, text: str) -> list[int] | None:
        """Return a text as runs, first line and count in turn; ``None`` where its new lines are over the limit."""
        new = [line for line in dict.fromkeys(text.split("\n")) if line not in self.lines]
        size = sum(len(line.encode("utf-8", "replace")) + 3 for line in new)
        if self.size + size > self.limit:
            return None
        self.size += size
        for line in new:
            self.lines[line] = len(self.lines)
        runs: list[int] = []
        for line in text.split("\n"):
            at = self.lines[line]
            if runs and runs[-2] + runs[-1] == at:
                runs[-1] += 1
            else:
                runs += [at, 1]
        return runs


Rows = Sequence[Row] | Mapping[int, Row]
"""Trials by their places."""


def _no_log(row: Row) -> str:
    return ""


def contents(views: Views, table: Table, limit: int, log: Callable[[Row], str] = _no_log) -> dict[str, Any]:
    """
    Return the files of the most telling trials, the ends of their logs, and the prompts that their agents read.

    The line to the best comes first, then what is around it, then kept trials and baselines with their parents, then
    the others, the newest first.

    Args:
        views: the store.
        table: the trials.
        limit: bytes of text; 0 for none.
        log: what finds the end of a trial's log; empty for none.

    Returns:
        ``lines``, ``paths``, ``files`` (runs of lines, or a word for what is not shown), ``trees`` by row (whose tree
        it differs from, -1 for the base, and path and file of what differs, file -1 for none), ``base`` (path and file
        of what any tree differs in), ``prompts`` and ``logs`` by row, and ``without``: how many trials' files are left
        out.
    """
    packer = _Packer(views.repo, Texts(limit))
    order = list(telling(table))
    packer.take(table.rows, order[:MOST] if limit else [])
    packer.read(table.rows, order if limit else [], log)
    return packer.whole(table.rows, limit)


def contents_of(
    views: Views, rows: Rows, places: Sequence[int], limit: int, log: Callable[[Row], str] = _no_log
) -> dict[str, Any]:
    """Return what `contents` does, of some trials alone."""
    packer = _Packer(views.repo, Texts(limit))
    packer.take(rows, places)
    packer.read(rows, places, log)
    return packer.whole(rows, limit)


def telling(table: Table) -> Iterator[int]:
    """Return the places of all trials, the most telling first."""
    rows = table.rows
    eligible = [at for at, row in enumerate(rows) if row.status in ELIGIBLE and row.score is not None]
    task = table.task
    best = min(eligible, key=lambda at: (rows[at].score or 0.0) * (1 if task.lower_is_better else -1), default=None)
    line: list[int] = []
    here = best
    while here is not None and here not in line:
        line.append(here)
        here = rows[here].parents[0] if rows[here].parents else None
    on_line = set(line)
    around = [at for at, row in enumerate(rows) if not on_line.isdisjoint(row.parents)]
    mates = [parent for at in line for parent in rows[at].parents]
    kept = [
        each for at in reversed(range(len(rows))) if rows[at].status in ELIGIBLE for each in (at, *rows[at].parents)
    ]
    yield from dict.fromkeys(chain(line, mates, reversed(around), kept, reversed(range(len(rows)))))


class _Packer:
    """Puts files together."""

    def __init__(self, repo: GitRepo, texts: Texts) -> None:
        self.repo = repo
        self.texts = texts
        self.paths: dict[str, int] = {}
        self.files: list[Any] = []
        self.trees: dict[int, Any] = {}
        self.told: dict[str, dict[int, int]] = {"prompts": {}, "logs": {}}
        self._known: dict[tuple[int, str], int | None] = {}
        self._touched: dict[str, int | None] = {}
        self._base: str | None = None
        self.read_tree = lru_cache(4096)(repo.read_tree)

    def take(self, rows: Rows, order: Sequence[int]) -> None:
        """Take the files of trials in this order, as many as there is room for."""
        trees: dict[int, str] = {}
        for at in order:
            try:
                tree = self.repo.commit(rows[at].oid).tree
                above = next((parent for parent in rows[at].parents[:1] if parent in trees), -1)
                self._base = self._base or tree
                differing = list(
                    islice(self._differing(tree, trees[above] if above >= 0 else self._base), MAX_FILES + 1)
                )
                if len(differing) > MAX_FILES:
                    continue
                entries = [(path, self._file(entry)) for path, entry in differing]
                base = {path: self._file(self._find(path)) for path, _ in differing if path not in self._touched}
            except LineageError:  # a clone that lacks it, or more files than anybody's recipe has
                continue
            if any(file is None for _, file in entries) or None in base.values():
                return  # there is no room for it
            trees[at] = tree
            self._touched |= base
            self.trees[at] = [above, [(self._path(path), file) for path, file in entries]]

    def whole(self, rows: Rows, limit: int) -> dict[str, Any]:
        """Return all that was taken; see `contents`."""
        base = self.base_files()
        return {
            "lines": list(self.texts.lines),
            "paths": list(self.paths),
            "files": self.files,
            "trees": self.trees,
            "base": base,
            **self.told,
            "without": len(rows) - len(self.trees),
            "limit": limit,
        }

    def base_files(self) -> list[tuple[int, int | None]]:
        """Return those files of the first tree that another one has otherwise."""
        return [(self._path(path), file) for path, file in self._touched.items() if file != -1]

    def read(self, rows: Rows, order: Sequence[int], log: Callable[[Row], str]) -> None:
        """Take the prompts that agents had read and the ends of logs, by the trials that they belong to."""
        for at in order:
            saw = rows[at].saw
            if not saw:
                continue
            with suppress(LineageError):
                file = self._file(self.read_tree(self.repo.commit(saw).tree).get("prompt.md"))
                if file is not None and file >= 0:
                    self.told["prompts"][at] = file
        for at in order[:MOST]:
            text = log(rows[at])
            runs = self.texts.add(text) if text else None
            if runs is not None:
                self.told["logs"][at] = len(self.files)
                self.files.append(runs)

    def _path(self, path: str) -> int:
        return self.paths.setdefault(
            path.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), len(self.paths)
        )

    def _find(self, path: str) -> Entry | None:
        """Return a path's entry in the first tree."""
        here = Entry(TREE, self._base or "")
        for part in path.split("/"):
            if here.mode != TREE:
                return None
            entry = self.read_tree(here.oid).get(part)
            if entry is None:
                return None
            here = entry
        return None if here.mode == TREE else here

    def _differing(self, new: str, old: str, prefix: str = "") -> Iterator[tuple[str, Entry | None]]:
        """Return the paths at which two trees differ, and what the new one has there."""
        if new == old:
            return
        if prefix.count("/") > _DEEP:
            raise TooMuch(f"the tree {new}", _DEEP, "folders in one another")
        ours, theirs = ({} if not tree else self.read_tree(tree) for tree in (new, old))
        for name in {**theirs, **ours}:
            one, other = ours.get(name), theirs.get(name)
            if one == other:
                continue
            below = [each.oid if each is not None and each.mode == TREE else "" for each in (one, other)]
            if any(below):
                yield from self._differing(below[0], below[1], f"{prefix}{name}/")
            if (one is not None and not below[0]) or (one is None and not below[1]):
                yield f"{prefix}{name}", one
            elif other is not None and not below[1] and below[0]:
                yield f"{prefix}{name}", None

    def _file(self, entry: Entry | None) -> int | None:
        """Return the number of a file, -1 for none; ``None`` where there is no room for it."""
        if entry is None:
            return -1
        key = entry.mode, entry.oid
        if key not in self._known:
            made = self._made(entry)
            self._known[key] = None if made is None else len(self.files)
            if made is not None:
                self.files.append(made)
        return self._known[key]

    def _made(self, entry: Entry) -> Any:
        if entry.mode == SUBMODULE:
            return f"commit {entry.oid}"
        size = self.repo.size(entry.oid)
        if size > MAX_FILE:
            return f"{size:,} bytes, too large to be shown here"
        data = self.repo.read(entry.oid)
        if b"\0" in data[:_LOOKED_AT]:
            return f"binary, {size:,} bytes"
        return self.texts.add(data.decode("utf-8", "replace"))
