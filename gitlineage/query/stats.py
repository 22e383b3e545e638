"""
Who gets on and who is stuck: trials, keeps, the best, gain, hours and the time since the last keep, by group.

Start at `statistics`; every figure is defined in `Stat`, once, and the page counts by the same words (semantics 113).
`progress` is what plots show.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gitlineage.model.rank import BASELINES, BY_PLACE, COUNTS, ELIGIBLE, INFORMS, IS_ELIGIBLE, IS_KEPT, KEPT
from gitlineage.model.records import Task
from gitlineage.model.trial import packed_values
from gitlineage.query.table import Row, Table, staircase
from gitlineage.query.views import Views
from gitlineage.render.progress import Point, Progress
from gitlineage.times import parse_time

GROUPS = ("specialist", "cohort", "domain", "parent", "status", "day")
"""What trials can be grouped by; ``day`` is the first ten characters of the time, as the row spells it."""


_TOLD_DAY = f"""
SELECT t.id, t.row, s.time FROM trials t JOIN snapshots s ON s.id = t.snapshot WHERE instr(t.row, ?) AND {COUNTS}
"""
_DATED_DAY = f"""
SELECT t.id, t.row, s.time FROM snapshots s JOIN trials t ON t.snapshot = s.id WHERE instr(s.time, ?) AND {COUNTS}
"""
_LAST_KEPT = f"SELECT t.clock, t.writer FROM trials t WHERE {IS_KEPT} ORDER BY t.clock DESC, t.writer DESC LIMIT 1"
_SINCE = f"SELECT count(*) FROM trials t INDEXED BY trials_by_order WHERE (t.clock, t.writer) > (?, ?) AND {INFORMS}"
_NEWEST = f"""
SELECT t.status FROM trials t INDEXED BY trials_by_specialist WHERE t.specialist = ? AND {INFORMS}
ORDER BY t.clock DESC, t.writer DESC LIMIT ?
"""
_FIRST = f"SELECT t.clock, t.writer FROM trials t WHERE t.specialist = ? AND {COUNTS} ORDER BY {BY_PLACE} LIMIT 1"
_BEST = f"""
SELECT t.specialist, min(t.rank) FROM trials t INDEXED BY trials_eligible
WHERE {IS_ELIGIBLE} AND t.rank IS NOT NULL GROUP BY t.specialist
"""


class Stat(msgspec.Struct, frozen=True, kw_only=True):
    """
    The figures of one group of trials that count; of all of them where there is no group.

    Args:
        group: what its trials have in common; empty for those that say nothing, and for all.
        trials: how many have a result that was not retracted.
        kept: how many of them were kept.
        keep_rate: kept ones among those that could be: all but baselines and harness aborts; ``None`` where none could.
        best: the name of the best kept trial or baseline with a score, the earliest of equal ones; empty for none.
        best_score: its score.
        gain: by how much its trials improved on the best of the whole campaign before them, in sum, in the score's
            units, never negative.
        gain_per_trial: that by trial.
        hours: what its trials took together: ``total_s``, else ``train_s``; ``None`` where no row says it.
        since_keep: trials since the last kept one, harness aborts left out; all where none was kept.
    """

    group: str = ""
    trials: int = 0
    kept: int = 0
    keep_rate: float | None = None
    best: str = ""
    best_score: float | None = None
    gain: float = 0.0
    gain_per_trial: float = 0.0
    hours: float | None = None
    since_keep: int = 0


def statistics(table: Table, by: str | None = None) -> list[Stat]:
    """
    Return the figures of every group, the one with the best trial first; of all trials together without ``by``.

    Args:
        by: one of `GROUPS`.

    Raises:
        ValueError: it is none of them.
    """
    if by is not None and by not in GROUPS:
        raise ValueError(f"by is one of {', '.join(GROUPS)}, not {by!r}")
    rows = table.rows
    gains = dict(_gains(table))
    groups: dict[str, list[int]] = {} if by else {"": []}
    for at, row in enumerate(rows):
        if row.counts:
            groups.setdefault(_group(table, row, by) if by else "", []).append(at)
    stats = [_stat(table, group, places, gains) for group, places in groups.items()]
    return sorted(stats, key=lambda stat: _rank(table.task, stat))


def _rank(task: Task, stat: Stat) -> tuple[bool, float]:
    """Return the place of a group; those without a best are last, equal ones in the order they began."""
    if stat.best_score is None:
        return True, 0.0
    return False, stat.best_score if task.lower_is_better else -stat.best_score


def _group(table: Table, row: Row, by: str) -> str:
    if by == "parent":
        return table.rows[row.parents[0]].label if row.parents else ""
    if by == "day":
        return _day(row.time)
    if by in ("cohort", "status"):
        return str(getattr(row, by))
    return str(getattr(row.cells, by))


def _day(time: str) -> str:
    return time.strip()[:10] if parse_time(time) else ""


class Stand(NamedTuple):
    """
    How a campaign stands, of the figures of `Stat` those that tell whether it gets on.

    Args:
        today: trials of one day that count.
        since_keep: trials since the last kept one, harness aborts left out.
        stuck: specialists with so many trials and more since their last kept one, the one with the best trial first.
    """

    today: int
    since_keep: int
    stuck: list[str]


def stand(views: Views, day: str, many: int) -> Stand:
    """Return what `statistics` would of a whole campaign, without reading all of its trials."""
    return Stand(_on_day(views, day), _since_keep(views), _stuck(views, many))


def _on_day(views: Views, day: str) -> int:
    """Return how many trials of a day count; rows tell it, or else the dates of their snapshots."""
    rows = views.index.rows(_TOLD_DAY, day) + views.index.rows(_DATED_DAY, day)
    times = {number: (row, time) for number, row, time in rows}
    cells = packed_values(row for row, _ in times.values())
    return sum(_day(row.timestamp or time) == day for row, (_, time) in zip(cells, times.values(), strict=True))


def _since_keep(views: Views) -> int:
    last = views.index.one(_LAST_KEPT) or (-1, "")
    return int(views.index.one(_SINCE, *last)[0])


def _stuck(views: Views, many: int) -> list[str]:
    stuck = []
    for (specialist,) in views.index.rows("SELECT DISTINCT specialist FROM trials WHERE specialist <> ''"):
        newest = views.index.rows(_NEWEST, specialist, many)
        if len(newest) == many and not any(status in KEPT for (status,) in newest):
            stuck.append((specialist, views.index.one(_FIRST, specialist)))
    best = dict(views.index.rows(_BEST)) if stuck else {}
    return [each for each, began in sorted(stuck, key=lambda each: _place(best.get(each[0]), each[1]))]


def _place(best: float | None, began: tuple[int, str]) -> tuple[bool, float, tuple[int, str]]:
    return best is None, best or 0.0, began


def _gains(table: Table) -> list[tuple[int, float]]:
    """Return by how much each step of best so far improved on the one before; the first gained nothing."""
    steps = staircase(table.rows, table.task)
    scores = [table.rows[at].score or 0.0 for at in steps]
    return [(at, abs(scores[step] - scores[step - 1])) for step, at in enumerate(steps) if step]


def _stat(table: Table, group: str, places: Sequence[int], gains: dict[int, float]) -> Stat:
    rows = [table.rows[at] for at in places]
    kept = sum(row.status in KEPT for row in rows)
    could = sum(row.informs and row.status not in BASELINES for row in rows)
    scored = [row for row in rows if row.status in ELIGIBLE and row.score is not None]
    best: Row | None = None
    for row in scored:
        if best is None or table.task.better(row.score or 0.0, best.score or 0.0):
            best = row
    took = [row.seconds for row in rows if row.seconds is not None]
    gain = sum(gains.get(at, 0.0) for at in places)
    since = 0
    for row in reversed(rows):
        if row.status in KEPT:
            break
        since += row.informs
    return Stat(
        group=group,
        trials=len(rows),
        kept=kept,
        keep_rate=kept / could if could else None,
        best=best.label if best else "",
        best_score=best.score if best else None,
        gain=gain,
        gain_per_trial=gain / len(rows) if rows else 0.0,
        hours=sum(took) / 3600 if took else None,
        since_keep=since,
    )


def progress(table: Table) -> Progress:
    """Return what a progress plot of a table shows."""
    points = {
        at: Point(at, row.score, row.status, row.label)
        for at, row in enumerate(table.rows)
        if row.score is not None and row.measured is not None
    }
    return Progress(
        metric=table.task.short,
        lower_is_better=table.task.lower_is_better,
        points=tuple(points.values()),
        steps=tuple(points[at] for at in staircase(table.rows, table.task)),
        total=len(table.rows),
    )
