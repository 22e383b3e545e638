"""
What trials and commits are called where they are shown.

A trial is called by its exp id, and where others have that too by a longer name; a commit by its first trial.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from gitlineage.index.database import is_text
from gitlineage.index.index import Index
from gitlineage.model.rank import FIRST_ON_SNAPSHOT
from gitlineage.query.origins import Origins

_SHORT_NAME, _CUT_NAME = 24, 19
"""Longer names are shown cut: to ``sha256:`` and twelve digits, which stand for them as well."""

Row = TypeVar("Row", bound=tuple[Any, ...])

_UP = 10_000
"""Snapshots without a trial that a search for the parent's trial goes past."""


class Labels:
    """
    The names in an index.

    Args:
        origins: its imported snapshots, which keep the names of their own store.
    """

    def __init__(self, index: Index, origins: Origins) -> None:
        self._index = index
        self._origins = origins

    def of(self, exp_ids: Collection[str]) -> Iterator[tuple[str, str, str, str | None]]:
        """Return exp id, label, snapshot and status of every trial with one of these exp ids."""
        sql = (
            "SELECT t.exp_id, t.writer, s.oid, t.status FROM trials t JOIN snapshots s ON s.id = t.snapshot "
            "WHERE t.exp_id IN ({})"
        )
        for exp_id, trials in self._index.grouped(sql, exp_ids).items():
            for writer, oid, status in trials:
                yield exp_id, (exp_id if len(trials) == 1 else self.label(exp_id, writer, oid)), oid, status

    def among(self, exp_ids: Collection[str]) -> "Names":
        """Return how to name the trials with some exp ids."""
        sql = "SELECT exp_id, writer, count(*) FROM trials WHERE exp_id IN ({}) GROUP BY exp_id, writer"
        return Names(self._index, self._index.grouped(sql, exp_ids))

    def shared(self) -> frozenset[str]:
        """Return the exp ids that several trials have."""
        rows = self._index.rows("SELECT exp_id FROM trials GROUP BY exp_id HAVING count(*) > 1")
        return frozenset(exp_id for (exp_id,) in rows)

    def name(self, oid: str) -> str:
        """Return how to name a commit: by its first trial, else by the beginning of its oid."""
        row = self._index.one("SELECT id FROM snapshots WHERE oid = ?", oid)
        return self.name_of(row[0]) if row else oid[:12]

    def names(self, oids: Iterable[str]) -> dict[str, str]:
        """Return how to name some commits, as `name` does, by what is asked once for many."""
        wanted = dict.fromkeys(oids)
        numbers = self._index.grouped("SELECT oid, id FROM snapshots WHERE oid IN ({})", wanted)
        order = "guest, clock, writer, exp_id, row"
        sql = f"SELECT snapshot, exp_id, writer FROM trials WHERE snapshot IN ({{}}) ORDER BY {order}"
        on = self._index.grouped(sql, [number for ((number,),) in numbers.values()])
        among = self.among({exp_id for ((exp_id, _), *_) in on.values()})
        named = {}
        for oid in wanted:
            ((number,),) = numbers.get(oid, ((None,),))
            if number is None:
                named[oid] = oid[:12]
            elif number in on:
                exp_id, writer = on[number][0]
                named[oid] = among.label(exp_id, writer, oid)
            else:
                named[oid] = self.name_of(number)
        return named

    def name_of(self, snapshot: int) -> str:
        """Return what `name` does, of a snapshot by its number in the index."""
        (oid,) = self._index.one("SELECT oid FROM snapshots WHERE id = ?", snapshot)
        sql = "SELECT exp_id, writer FROM trials WHERE snapshot = ? ORDER BY guest, clock, writer, exp_id, row LIMIT 1"
        row = self._index.one(sql, snapshot)
        if row:
            return self.label(row[0], row[1], oid)
        called = self._index.one(
            "SELECT name FROM imported WHERE snapshot = ? ORDER BY clock, writer LIMIT 1", snapshot
        )
        if called is None or [origin.oid for origin in self._origins.called(called[0])] != [oid]:
            return str(oid[:12])
        return str(called[0]) if len(called[0]) <= _SHORT_NAME else str(called[0][:_CUT_NAME])

    def label(self, exp_id: str, writer: str, oid: str) -> str:
        """Return an exp id, or a longer name where others use it too."""
        return self.among([exp_id]).label(exp_id, writer, oid)

    def parent(self, snapshot: int | None, cell: str, writer: str) -> str | None:
        """Return the label of the trial on a parent snapshot, or on the nearest above it that has one."""
        for _ in range(_UP):
            if snapshot is None:
                return None
            sql = f"SELECT exp_id, writer FROM trials t WHERE snapshot = ? ORDER BY {FIRST_ON_SNAPSHOT}"
            trials = self._index.rows(sql, snapshot)
            if trials:
                (oid,) = self._index.one("SELECT oid FROM snapshots WHERE id = ?", snapshot)
                exp_id, by = meant(trials, cell, writer)
                return self.label(exp_id, by, oid)
            up = self._index.one("SELECT parent FROM links WHERE child = ? ORDER BY pos LIMIT 1", snapshot)
            snapshot = up[0] if up else None
        return None

    def raw_parent(self, cell: str, writer: str) -> str | None:
        """Return the label of the trial that a parent cell spells out, where several have that id the writer's own."""
        row = self._index.one(
            "SELECT t.exp_id, t.writer, s.oid FROM trials t JOIN snapshots s ON s.id = t.snapshot WHERE t.exp_id = ? "
            "ORDER BY t.writer <> ?, t.clock, t.writer LIMIT 1",
            cell,
            writer,
        )
        return self.label(*row) if row and cell else None

    def nearest(self, name: str) -> list[str]:
        """Return exp ids that look like a name, for an error to suggest."""
        from difflib import get_close_matches  # only an error needs it

        if not is_text(name):
            return []
        digits = name.removeprefix("exp_").lstrip("0")
        sql = "SELECT DISTINCT exp_id FROM trials WHERE exp_id LIKE ? ESCAPE '\\' ORDER BY clock DESC LIMIT 500"
        plain = digits.replace("\\", "").replace("%", "").replace("_", "\\_")
        pool = [row[0] for row in self._index.rows(sql, f"%{plain}%")] if plain else []
        pool += [row[0] for row in self._index.rows(sql, "%")]
        close = get_close_matches(name, list(dict.fromkeys(pool)), n=3, cutoff=0.4)
        same = [exp_id for exp_id in pool if exp_id.lstrip("0") == digits]
        return list(dict.fromkeys(same + close))[:3]


class Names:
    """
    How to name trials whose exp ids others have too; all others are called by their exp ids.

    Args:
        counts: writers and how many trials each has, by exp id.
    """

    def __init__(self, index: Index, counts: Mapping[str, Sequence[tuple[Any, ...]]]) -> None:
        self._index = index
        self._counts = {
            exp_id: dict(counted) for exp_id, counted in counts.items() if len(counted) > 1 or counted[0][1] > 1
        }

    def shared(self) -> Collection[str]:
        """Return the exp ids that several trials have."""
        return self._counts.keys()

    def is_alone(self, exp_id: str) -> bool:
        """Whether only one trial has an exp id."""
        return exp_id not in self._counts

    def label(self, exp_id: str, writer: str, oid: str) -> str:
        """Return an exp id, or a longer name where others use it too."""
        counted = self._counts.get(exp_id)
        if counted is None:
            return exp_id
        if counted[writer] == 1:
            return f"{exp_id}@{writer}"
        sql = "SELECT count(*) FROM trials WHERE exp_id = ? AND snapshot = (SELECT id FROM snapshots WHERE oid = ?)"
        beside = self._index.one(sql, exp_id, oid)[0] > 1
        return f"{exp_id}@{writer}@{oid[:12]}" if beside else f"{exp_id}@{oid[:12]}"


def meant(trials: Sequence[Row], cell: str, writer: str = "") -> Row:
    """
    Return the trial that a parent cell means, of those on the parent, by exp id and writer; else the first.

    Args:
        writer: whose the cell is; where several writers have a row of that exp id there, the own one is meant.
    """
    if len(trials) == 1:
        return trials[0]
    named = [row for row in trials if row[0] in (cell, cell.removeprefix("exp_"))] or trials[:1]
    own = (row for row in named if row[:2] == (named[0][0], writer))
    return next(own, named[0])
