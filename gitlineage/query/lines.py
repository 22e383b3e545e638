"""The primary chain to a trial, as the index's links have it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from gitlineage.index.database import read_row
from gitlineage.model.rank import FIRST_ON_SNAPSHOT
from gitlineage.model.trial import Trial

_FIRST = "(SELECT parent FROM links WHERE child = {} ORDER BY pos LIMIT 1)"
_FIRST_OF_MANY = """
(SELECT l.parent FROM links l JOIN snapshots p ON p.id = l.parent WHERE l.child = {}
ORDER BY l.pos, p.clock, p.writer LIMIT 1)
"""
"""A snapshot's primary parent; only joins past commits that nobody recorded can give it several at one place."""

_STEPS = f"""
WITH RECURSIVE line (id, up) AS (
    SELECT ?1, {{0}}
    UNION
    SELECT up, {{1}} FROM line WHERE up IS NOT NULL)
SELECT line.id, line.up, (SELECT oid FROM snapshots s WHERE s.id = line.id), t.id, t.row, t.writer
FROM line LEFT JOIN trials t ON t.snapshot = line.id
ORDER BY {FIRST_ON_SNAPSHOT}
"""


class Line(NamedTuple):
    """The primary chain to a trial, root first: numbers in the index, rows, and all snapshots that it goes through."""

    numbers: tuple[int, ...]
    trials: tuple[Trial, ...]
    snapshots: tuple[str, ...] = ()


class _Met(NamedTuple):
    """A trial on the way: its number in the index, its row and whose it is."""

    number: int
    trial: Trial
    writer: str


def line(rows: Callable[..., list[Any]], oid: str, exp_id: str, writer: str = "") -> Line:
    """
    Return the primary chain to a trial on a snapshot; to the snapshot's first trial where none has this name.

    Args:
        rows: asks the index.
        exp_id: the trial's name.
        writer: whose it is, where several writers have rows of that name on the snapshot.
    """
    start = rows("SELECT id FROM snapshots WHERE oid = ?", oid)
    if not start:
        return Line((), (), (oid,))
    first = _FIRST_OF_MANY if rows("SELECT 1 FROM joins LIMIT 1") else _FIRST
    above: dict[int, int | None] = {}
    oids: dict[str, None] = {}
    on: dict[int, list[_Met]] = {}
    for number, up, here, trial, row, by in rows(
        _STEPS.format(first.format("?1"), first.format("line.up")), start[0][0]
    ):
        above[number] = up
        oids[here] = None
        if row is not None:
            on.setdefault(number, []).append(_Met(trial, read_row(row, here), by))
    steps: list[_Met] = []
    at, cell = start[0][0], exp_id
    while at in above:  # each is left once, whatever the links say
        if at in on:
            steps.append(_meant(on[at], cell, writer))
            cell, writer = steps[-1].trial.parent_exp, steps[-1].writer
        at = above.pop(at)
    steps.reverse()
    return Line(tuple(each.number for each in steps), tuple(each.trial for each in steps), tuple(oids))


def _meant(trials: list[_Met], cell: str, writer: str) -> _Met:
    """Return the trial on a parent that a cell means, the same writer's before others; else the first."""
    named = [each for each in trials if each.trial.exp_id in (cell, cell.removeprefix("exp_"))] or trials[:1]
    same = (each for each in named if (each.trial.exp_id, each.writer) == (named[0].trial.exp_id, writer))
    return next(same, named[0])
