"""
What was read of an index and still holds: the primary chains to trials, and trials as they are shown.

Layer 10. Hardly anything that an index says changes while trials are added. What does is told by the index itself,
whichever process wrote it: its table ``changed`` names the snapshots about which it says something else than before (a
result or a revision, a further trial, one that comes in between), and the names of new trials say which labels are not
alone any more. So one look at the ends of two tables tells what to read again.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from gitlineage.fold import EVERYWHERE, read_row
from gitlineage.models import TrialView
from gitlineage.trial import Trial

_ENDS = "SELECT (SELECT coalesce(max(at), 0) FROM changed), (SELECT coalesce(max(id), 0) FROM trials)"
_FIRST = "(SELECT parent FROM links WHERE child = {} ORDER BY pos LIMIT 1)"
_FIRST_OF_MANY = """
(SELECT l.parent FROM links l JOIN snapshots p ON p.id = l.parent WHERE l.child = {}
ORDER BY l.pos, p.clock, p.writer LIMIT 1)
"""
"""A snapshot's primary parent; only joins past commits that nobody recorded can give it several at one place."""

_STEPS = """
WITH RECURSIVE line (id, up) AS (
    SELECT ?1, {0}
    UNION ALL
    SELECT up, {1} FROM line WHERE up IS NOT NULL LIMIT ?2)
SELECT line.id, line.up, t.id, t.row FROM line LEFT JOIN trials t ON t.snapshot = line.id
"""
Step = tuple[int | None, list[tuple[int, Trial]]]
"""The number of a snapshot's primary parent, and the trials on it with their numbers, in recording order."""

Shown = tuple[TrialView, tuple[int, ...]]
"""A view, and the numbers of the snapshots that it is about: the trial's own and its parents."""

_AT_ONCE = 4
"""Snapshots that are read first where a line leaves what is known; then four times as many, until it is back there."""

_STEPS_KEPT = 10_000
_VIEWS_KEPT = 4_000
"""How many are kept; either takes some 2 KB, most of it the row, which the two share."""

_LINES_KEPT = 64
_NEWS = 1_000
"""New trials whose names are looked at; after more of them all views are made again."""


class Line(NamedTuple):
    """The primary chain to a trial, root first: numbers in the index, and rows."""

    numbers: tuple[int, ...]
    trials: tuple[Trial, ...]


class Kept:
    """
    What was read of one index.

    Args:
        rows: asks the index.
    """

    def __init__(self, rows: Callable[..., list[Any]]) -> None:
        self._rows = rows
        self._changes = 0
        self._trials = 0
        self._steps: dict[int, Step] = {}
        self._lines: dict[tuple[str, str], Line] = {}
        self._views: dict[int, Shown] = {}
        self._names: set[str] = set()

    def views(self) -> Mapping[int, Shown]:
        """Return the views that still hold, by the trials' numbers."""
        self._look()
        return self._views

    def keep(self, views: Mapping[int, Shown], names: Iterable[str]) -> None:
        """
        Keep some views.

        Args:
            views: by the trials' numbers.
            names: the exp ids in them, which would be shown otherwise if another trial had one of them too.
        """
        if len(self._views) >= _VIEWS_KEPT:
            self._forget_views()
        self._views.update(views)
        self._names.update(names)

    def line(self, oid: str, exp_id: str) -> Line:
        """Return the line of a trial on a snapshot; of the snapshot's first trial where none has this name."""
        self._look()
        found = self._lines.get((oid, exp_id))
        if found is None:
            found = self._walk(oid, exp_id)
            if len(self._lines) >= _LINES_KEPT:
                self._lines.clear()
            if 0 < len(found.numbers) <= len(self._steps):  # one that is longer than what is kept goes as it came
                self._lines[oid, exp_id] = found
        return found

    def _look(self) -> None:
        """Forget what does not hold any more."""
        ((changes, trials),) = self._rows(_ENDS)
        if changes != self._changes and (self._steps or self._views):
            changed = {number for (number,) in self._rows("SELECT snapshot FROM changed WHERE at > ?", self._changes)}
            self._lines.clear()
            for number in changed:
                self._steps.pop(number, None)
            for number in [number for number, (_, on) in self._views.items() if not changed.isdisjoint(on)]:
                del self._views[number]
            if EVERYWHERE in changed:
                self._steps.clear()
                self._forget_views()
        if self._views and self._is_shared(trials):
            self._forget_views()
        self._changes, self._trials = changes, trials

    def _is_shared(self, newest: int) -> bool:
        """Whether a new trial may have a name that a view was made for."""
        if newest == self._trials:
            return False
        if newest - self._trials > _NEWS:
            return True
        names = self._rows("SELECT exp_id FROM trials WHERE id > ?", self._trials)
        return any(name in self._names for (name,) in names)

    def _forget_views(self) -> None:
        self._views.clear()
        self._names.clear()

    def _walk(self, oid: str, cell: str) -> Line:
        numbers: list[int] = []
        trials: list[Trial] = []
        start = self._rows("SELECT id FROM snapshots WHERE oid = ?", oid)
        at: int | None = start[0][0] if start else None
        some = _AT_ONCE
        while at is not None:
            if at not in self._steps:
                self._read(at, some)
                some *= 4
            at, here = self._steps[at]
            if here:
                number, trial = here[0] if len(here) == 1 else _meant(here, cell)
                numbers.append(number)
                trials.append(trial)
                cell = trial.parent_exp
        return Line(tuple(reversed(numbers)), tuple(reversed(trials)))

    def _read(self, start: int, some: int) -> None:
        """Read a number of steps up from a snapshot."""
        if len(self._steps) >= _STEPS_KEPT:
            self._steps.clear()
            self._lines.clear()
        first = _FIRST_OF_MANY if self._rows("SELECT 1 FROM joins LIMIT 1") else _FIRST
        sql = _STEPS.format(first.format("?1"), first.format("line.up"))
        fresh: dict[int, Step] = {}
        for number, up, trial, row in self._rows(sql, start, min(some, _STEPS_KEPT)):
            if number in fresh:
                found = self._rows("SELECT id, row FROM trials WHERE snapshot = ? ORDER BY clock, writer", number)
                fresh[number] = up, [(trial, read_row(row)) for trial, row in found]
            elif number not in self._steps:
                fresh[number] = up, [(trial, read_row(row))] if row is not None else []
        self._steps |= fresh


def _meant(trials: list[tuple[int, Trial]], cell: str) -> tuple[int, Trial]:
    """Return the trial that a parent cell means, of those on the parent; else the first."""
    return next((each for each in trials if each[1].exp_id in (cell, cell.removeprefix("exp_"))), trials[0])
