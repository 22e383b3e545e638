"""
What was read of an index and still holds: the primary chains to trials, and trials as they are shown.

Layer 8. Hardly anything that an index says changes while trials are added. What does is told by the index itself,
whichever process wrote it: its table ``changed`` names the snapshots about which it says something else than before (a
result or a revision, a further trial, one that comes in between), and the names of new trials say which labels are not
alone any more. So one look at the ends of two tables tells what to read again.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from gitlineage.fold import EVERYWHERE, read_row
from gitlineage.models import TrialView
from gitlineage.trial import Trial

_ENDS = "SELECT (SELECT coalesce(max(at), 0) FROM changed), (SELECT coalesce(max(id), 0) FROM trials)"
_FIRST = """
(SELECT l.parent FROM links l JOIN snapshots p ON p.id = l.parent WHERE l.child = {}
ORDER BY l.pos, p.clock, p.writer LIMIT 1)
"""
_STEPS = f"""
WITH RECURSIVE line (id, up) AS (
    SELECT ?1, {_FIRST.format("?1")}
    UNION ALL
    SELECT up, {_FIRST.format("line.up")} FROM line WHERE up IS NOT NULL LIMIT ?2)
SELECT line.id, line.up, t.clock, t.writer, t.id, t.exp_id, t.parent_cell, t.row
FROM line LEFT JOIN trials t ON t.snapshot = line.id
"""
_AT_ONCE = 4
"""Snapshots that are read first where a line leaves what is known; then four times as many, until it is back there."""

_STEPS_KEPT = 10_000
_VIEWS_KEPT = 4_000
"""How many are kept; either takes some 2 KB, most of it the row, which the two share."""

_LINES_KEPT = 64
_NEWS = 1_000
"""New trials whose names are looked at; after more of them all views are read again."""


class Line(NamedTuple):
    """The primary chain to a trial, root first: numbers in the index, and rows."""

    numbers: tuple[int, ...]
    trials: tuple[Trial, ...]


class Step(NamedTuple):
    """
    A snapshot on a line.

    Args:
        up: the number of its primary parent; ``None`` for a root.
        trials: number, exp id, parent cell and row of the trials on it, in recording order.
    """

    up: int | None
    trials: tuple[tuple[int, str, str, str], ...]


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
        self._views: dict[int, TrialView] = {}
        self._names: set[str] = set()

    def views(self) -> Mapping[int, TrialView]:
        """Return the views that still hold, by the trials' numbers."""
        self._look()
        return self._views

    def keep(self, views: Mapping[int, TrialView], names: Iterable[str]) -> None:
        """
        Keep some views.

        Args:
            views: the views by the trials' numbers.
            names: the exp ids that they would be shown otherwise for, if another trial had one of them too.
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
            if found.numbers:
                self._lines[oid, exp_id] = found
        return found

    def _look(self) -> None:
        """Forget what does not hold any more."""
        ((changes, trials),) = self._rows(_ENDS)
        if changes != self._changes and self._steps:
            changed = {number for (number,) in self._rows("SELECT snapshot FROM changed WHERE at > ?", self._changes)}
            self._lines.clear()
            if EVERYWHERE in changed:
                self._steps.clear()
            for number in changed:
                self._steps.pop(number, None)
        if self._views and (changes != self._changes or self._is_shared(trials)):
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
        chain: list[tuple[int, Trial]] = []
        start = self._rows("SELECT id FROM snapshots WHERE oid = ?", oid)
        at: int | None = start[0][0] if start else None
        some = _AT_ONCE
        while at is not None:
            step = self._steps.get(at)
            if step is None:
                self._read(at, some)
                some *= 4
                step = self._steps[at]
            if step.trials:
                meant = [each for each in step.trials if each[1] in (cell, cell.removeprefix("exp_"))]
                number, _, cell, row = (meant or step.trials)[0]
                chain.append((number, read_row(row)))
            at = step.up
        chain.reverse()
        return Line(tuple(number for number, _ in chain), tuple(trial for _, trial in chain))

    def _read(self, start: int, some: int) -> None:
        """Read a number of steps up from a snapshot."""
        if len(self._steps) >= _STEPS_KEPT:
            self._steps.clear()
        grouped: dict[int, tuple[int | None, list[tuple[Any, ...]]]] = {}
        for number, up, *trial in self._rows(_STEPS, start, min(some, _STEPS_KEPT)):
            grouped.setdefault(number, (up, []))[1].append(tuple(trial))
        for number, (up, trials) in grouped.items():
            here = sorted(trials, key=itemgetter(0, 1)) if len(trials) > 1 else trials
            self._steps[number] = Step(up, tuple(each[2:] for each in here if each[2] is not None))
