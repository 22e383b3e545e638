"""The primary chain to a trial, as the index's links have it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from gitlineage.index.fold import read_row
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
SELECT line.id, line.up, (SELECT oid FROM snapshots s WHERE s.id = line.id), t.id, t.row
FROM line LEFT JOIN trials t ON t.snapshot = line.id
ORDER BY {FIRST_ON_SNAPSHOT}
"""


class Line(NamedTuple):
    """The primary chain to a trial, root first: numbers in the index, rows, and all snapshots that it goes through."""

    numbers: tuple[int, ...]
    trials: tuple[Trial, ...]
    snapshots: tuple[str, ...] = ()


def line(rows: Callable[..., list[Any]], oid: str, exp_id: str) -> Line:
    """
    Return the primary chain to a trial on a snapshot; to the snapshot's first trial where none has this name.

    Args:
        rows: asks the index.
        exp_id: the trial's name.
    """
    start = rows("SELECT id FROM snapshots WHERE oid = ?", oid)
    if not start:
        return Line((), (), (oid,))
    first = _FIRST_OF_MANY if rows("SELECT 1 FROM joins LIMIT 1") else _FIRST
    above: dict[int, int | None] = {}
    oids: dict[str, None] = {}
    on: dict[int, list[tuple[int, Trial]]] = {}
    for number, up, here, trial, row in rows(_STEPS.format(first.format("?1"), first.format("line.up")), start[0][0]):
        above[number] = up
        oids[here] = None
        if row is not None:
            on.setdefault(number, []).append((trial, read_row(row, here)))
    steps: list[tuple[int, Trial]] = []
    at, cell = start[0][0], exp_id
    while at in above:  # each is left once, whatever the links say
        if at in on:
            steps.append(_meant(on[at], cell))
            cell = steps[-1][1].parent_exp
        at = above.pop(at)
    steps.reverse()
    return Line(tuple([number for number, _ in steps]), tuple([trial for _, trial in steps]), tuple(oids))


def _meant(trials: list[tuple[int, Trial]], cell: str) -> tuple[int, Trial]:
    """Return the trial that a parent cell means, of those on the parent; else the first."""
    return next((each for each in trials if each[1].exp_id in (cell, cell.removeprefix("exp_"))), trials[0])
