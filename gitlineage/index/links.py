"""
Links between snapshots in the index: from each one to its nearest recorded ancestors.

An ordinary commit in between is no snapshot, so links lead past it (design 4). Links follow from the set of
recorded snapshots alone, whatever order they came in.
"""

import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from gitlineage.git.repository import GitRepo

JOIN_LIMIT = 256
"""Unrecorded commits that a walk to the nearest recorded ancestor visits at most (design 4)."""

_BELOW = "SELECT l.child FROM links l JOIN snapshots s ON s.id = l.parent WHERE s.oid = ?"
_ADD = "INSERT INTO links VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET pos = min(pos, excluded.pos)"


class Fresh(NamedTuple):
    """A snapshot that has just been folded; nothing recorded can be derived from a novel one yet."""

    number: int
    oid: str
    parents: tuple[str, ...]
    novel: bool


class Links:
    """The links of one index."""

    def __init__(self, connection: sqlite3.Connection, repo: GitRepo) -> None:
        self._db = connection
        self._repo = repo
        self._stood_in = dict(connection.execute("SELECT old, min(new) FROM arrivals GROUP BY old"))

    def arrived(self, old: str, new: str) -> None:
        """Have what leads to a stand-in lead to the commit that has taken its place."""
        below = [child for (child,) in self._db.execute(_BELOW, (old,))]
        below += [child for (child,) in self._db.execute(_BELOW, (self._stood_in.get(old),))]
        self._stood_in[old] = min(new, self._stood_in.get(old, new))
        for table in ("passed", "joins"):  # ways to the stand-in are forgotten
            self._db.execute(f"DELETE FROM {table}")
        self.join_again(below)

    def add(self, fresh: Iterable[Fresh], known: Mapping[str, int]) -> set[int]:
        """
        Join new snapshots to their nearest recorded ancestors and descendants.

        Args:
            fresh: the snapshots, which are in their table already.
            known: numbers of snapshots that need not be looked up.

        Returns:
            The snapshots that were there before and were joined anew, because one of these came in between.
        """
        again: set[int] = set()
        for each in fresh:
            if not each.novel:
                again.update(self._below(each.oid))
        rows: list[tuple[int, int, int]] = []
        for each in fresh:
            again.discard(each.number)
            for pos, parent in enumerate(each.parents):
                joined = None if parent in self._stood_in else known.get(parent)
                above = (joined,) if joined is not None else self._nearest(parent)
                rows += [(each.number, number, pos) for number in above]
        self._db.executemany(_ADD, rows)
        self.join_again(again)
        return again

    def join_again(self, children: Iterable[int]) -> None:
        """Join snapshots anew to what they were derived from."""
        for child in children:
            self._db.execute("DELETE FROM links WHERE child = ?", (child,))
            parents = self._db.execute("SELECT pos, parent FROM git_parents WHERE child = ?", (child,)).fetchall()
            self._db.executemany(
                _ADD, [(child, number, pos) for pos, parent in parents for number in self._nearest(parent)]
            )

    def recorded(self, oid: str) -> list[int]:
        """Return the number of the snapshot that a commit is, or of those that it leads up to first."""
        return self._nearest(oid)

    def add_all(self) -> None:
        """Join all snapshots of an index that has no links yet."""
        joined = self._db.execute(
            "INSERT OR IGNORE INTO links SELECT g.child, s.id, g.pos FROM git_parents g "
            "CROSS JOIN snapshots s ON s.oid = g.parent ORDER BY g.child, g.pos"
        ).rowcount
        if self._stood_in:
            sql = "SELECT DISTINCT child FROM git_parents WHERE parent = ?"
            self.join_again([child for old in self._stood_in for (child,) in self._db.execute(sql, (old,))])
        if joined == self._db.execute("SELECT count(*) FROM git_parents").fetchone()[0]:
            return  # in a large store the same again takes seconds
        loose = self._db.execute(
            "SELECT child, pos, parent FROM git_parents g "
            "WHERE NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.oid = g.parent)"
        )
        for child, pos, parent in loose.fetchall():
            self._db.executemany(_ADD, [(child, number, pos) for number in self._nearest(parent)])

    def nearest(self, oid: str) -> list[int]:
        """Return the numbers of the recorded snapshots that an unrecorded commit leads up to first."""
        return self._walk_up(oid)[0]

    def _below(self, oid: str) -> Iterator[int]:
        """Return the snapshots that a new one may come between and their ancestors, and forget the way past it."""
        starts = self._db.execute("SELECT start FROM passed WHERE through = ?", (oid,)).fetchall()
        for (start,) in starts:
            self._db.execute("DELETE FROM passed WHERE start = ?", (start,))
            self._db.execute("DELETE FROM joins WHERE start = ?", (start,))
        for start in {oid, *(start for (start,) in starts)}:
            yield from (row[0] for row in self._db.execute("SELECT child FROM git_parents WHERE parent = ?", (start,)))

    def _nearest(self, oid: str) -> list[int]:
        """Return the recorded snapshots that a commit leads up to first, and remember the way to them."""
        if known := self._number(oid):
            return [known]
        if self._db.execute("SELECT 1 FROM passed WHERE through = ? AND start = ?", (oid, oid)).fetchone():
            joined = self._db.execute("SELECT snapshot FROM joins WHERE start = ?", (oid,))
            return [snapshot for (snapshot,) in joined]
        above, seen = self._walk_up(oid)
        self._db.executemany("INSERT INTO passed VALUES (?, ?)", [(through, oid) for through in seen])
        self._db.executemany("INSERT INTO joins VALUES (?, ?)", [(oid, snapshot) for snapshot in above])
        return above

    def _walk_up(self, oid: str) -> tuple[list[int], list[str]]:
        """Return the recorded snapshots above an unrecorded commit, and the unrecorded ones on the way."""
        above: dict[int, None] = {}
        seen = {oid: None}
        queue = deque([oid])
        while queue and len(seen) <= JOIN_LIMIT:
            for parent in self._repo.parents(queue.popleft()):
                if known := self._number(parent):
                    above[known] = None
                elif parent not in seen:
                    seen[parent] = None
                    queue.append(parent)
        return list(above), list(seen)

    def _number(self, oid: str) -> int | None:
        oid = self._stood_in.get(oid, oid)
        row = self._db.execute("SELECT id FROM snapshots WHERE oid = ?", (oid,)).fetchone()
        return int(row[0]) if row else None
