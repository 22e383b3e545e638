"""
What a prompt of a limited length shows, gathered from the index; how it looks is `render.brief`'s.

What is said of the recent past is about a window of the newest trials, so the cost does not grow with the store.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from gitlineage.index.index import read_row
from gitlineage.model.namespace import ORDINARY
from gitlineage.model.rank import (
    BY_RANK,
    ELIGIBLE,
    INFORMS,
    IS_ELIGIBLE,
    IS_KEPT,
    KEPT,
    LATEST,
    STUCK,
    turned,
)
from gitlineage.model.records import BriefView, PromptOptions, Step, TrialView
from gitlineage.model.trial import CRASHED, Trial
from gitlineage.query.outdated import outdated
from gitlineage.query.prompt import told
from gitlineage.query.views import Views
from gitlineage.render.prompt import SATURATED_AFTER, is_quiet

WINDOW = 1000
"""How many of the newest trials are looked at for what failed, what nearly did not, and who is stuck."""

_STEPS = 60
"""Trials of the line to the best that are looked at."""

_NEWEST = f"""
SELECT t.id, t.row, t.rank FROM trials t INDEXED BY trials_by_order
WHERE {INFORMS} ORDER BY {LATEST} LIMIT ?
"""
_PENDING = f"""
SELECT id FROM (SELECT t.id, t.status FROM trials t ORDER BY {LATEST} LIMIT {WINDOW})
WHERE status IS NULL LIMIT ?
"""
_BEFORE = f"""
SELECT t.rank FROM trials t INDEXED BY trials_eligible
WHERE {IS_ELIGIBLE} AND t.rank IS NOT NULL AND (t.clock, t.writer) < (?, ?) ORDER BY {BY_RANK} LIMIT 1
"""
_OPEN = f"""
FROM trials t INDEXED BY trials_kept
WHERE {IS_KEPT} AND t.rank IS NOT NULL AND NOT (t.clock = ? AND t.writer = ?)
    AND NOT EXISTS (SELECT 1 FROM links l WHERE l.parent = t.snapshot)
"""


_LAST_KEPT_OF_LATE = f"""
SELECT clock, writer FROM (
    SELECT t.clock, t.writer, t.status FROM trials t INDEXED BY trials_by_specialist WHERE t.specialist = ?
    ORDER BY t.clock DESC, t.writer DESC LIMIT {WINDOW}) t
WHERE {IS_KEPT} LIMIT 1
"""
_LAST_KEPT = f"""
SELECT t.clock, t.writer FROM trials t INDEXED BY trials_kept
WHERE {IS_KEPT} AND t.specialist = ? ORDER BY t.clock DESC, t.writer DESC LIMIT 1
"""
_NEWER = f"SELECT count(*) FROM trials t WHERE t.specialist = ? AND {INFORMS} AND (t.clock, t.writer) > (?, ?)"


class _Recent(NamedTuple):
    """A trial of the window: its number in the index, its row and its rank."""

    number: int
    trial: Trial
    rank: float | None


def brief_view(views: Views, options: PromptOptions, campaign: str = ORDINARY) -> BriefView:
    """
    Return the part of a store that a prompt of a limited length shows.

    Args:
        views: the store, at the moment that is asked about.
        options: how much of each is wanted at the most.
        campaign: which campaign the store shows.
    """
    best = views.best(stand_in=False)
    line, steps = _line(views, best)
    window = [_Recent(number, read_row(row), rank) for number, row, rank in views.index.rows(_NEWEST, WINDOW)]
    failed = Counter(_kind(each.trial) for each in window if _failed(each.trial))
    failures = list(_by_turns(window, options.recent_n))
    near = [each for each in window if each.rank is not None and each.trial.status not in (*ELIGIBLE, *CRASHED)]
    near.sort(key=lambda each: (each.rank, -each.number))
    but = (best.order.clock, best.order.writer) if best is not None else (-1, "")
    open_ends = views.index.rows(f"SELECT t.id {_OPEN} ORDER BY {BY_RANK} LIMIT ?", *but, options.top_k)
    stuck = _stuck(views, window)
    return BriefView(
        task=views.task,
        total=views.total(),
        best=best,
        kept=tuple(views.kept(options.top_k)),
        line=line,
        recent=tuple(views.latest(max(options.recent_n, options.last_m_full), aborted=False)),
        campaign=campaign,
        window=len(window),
        steps=steps,
        kept_total=_count(views, f"FROM trials t WHERE {IS_KEPT}"),
        failed=tuple(failed.most_common()),
        failures=tuple(zip((_kind(each.trial) for each in failures), _seen(views, failures), strict=True)),
        near=tuple(_seen(views, near[: options.last_m_full])),
        near_total=len(near),
        outdated=tuple(outdated(views, WINDOW)),
        open=tuple(views.by_number(number for (number,) in open_ends)),
        open_total=_count(views, _OPEN, *but),
        pending=tuple(views.by_number(number for (number,) in views.index.rows(_PENDING, options.last_m_full))),
        stuck=tuple(_seen(views, [newest for newest, _ in stuck])),
        since_keep=tuple(since for _, since in stuck),
    )


def _line(views: Views, best: TrialView | None) -> tuple[tuple[Trial, ...], tuple[Step, ...]]:
    """Return the line to the best, root first, and the steps at its end, the best first."""
    if best is None:
        return (), ()
    if views.raw_parents:
        chain = [view for view in views.chain(best) if view.trial.status and view.retracted is None]
        rows, end = tuple(view.trial for view in chain), chain[-_STEPS - 1 :]
    else:
        line = told(views, views.line(best.oid, best.trial.exp_id, best.order.writer))
        rows, end = line.trials, views.by_number(line.numbers[-_STEPS - 1 :])
    above: list[TrialView | None] = [None, *end[:-1]] if len(rows) <= _STEPS else list(end[:-1])
    steps = [_step(views, view, up) for view, up in zip(end[-_STEPS:], above, strict=True)]
    return rows, tuple(reversed(steps))


def _step(views: Views, view: TrialView, above: TrialView | None) -> Step:
    task = views.task
    score = task.score(view.trial)
    before = views.index.one(_BEFORE, view.order.clock, view.order.writer)
    line = task.score(above.trial) if above is not None else None
    best = turned(task, before[0]) if before is not None else None
    return Step(
        view=view,
        over_line=score - line if score is not None and line is not None else None,
        over_best=score - best if score is not None and best is not None else None,
    )


def _kind(trial: Trial) -> str:
    """Return how a trial failed: its status, and the word that its runner found for the failure."""
    word = trial.text("failure")
    return f"{trial.status}: {word}" if word else str(trial.status)


def _failed(trial: Trial) -> bool:
    return trial.status not in ELIGIBLE


def _by_turns(window: Iterable[_Recent], limit: int) -> Iterator[_Recent]:
    """Return the newest failed trial of each kind, then the second newest of each, and so on."""
    kinds: dict[str, list[_Recent]] = defaultdict(list)
    for each in window:
        if _failed(each.trial):
            kinds[_kind(each.trial)].append(each)
    turns = sorted(
        ((at, order, each) for order, kind in enumerate(kinds.values()) for at, each in enumerate(kind[:limit])),
        key=lambda turn: turn[:2],
    )
    return (each for _, _, each in turns[:limit])


def _stuck(views: Views, window: Sequence[_Recent]) -> list[tuple[_Recent, int]]:
    """Return the newest trial of each specialist who is stuck, and how many that one made since the last keep."""
    own: dict[str, list[_Recent]] = defaultdict(list)
    for each in window:
        own[each.trial.specialist].append(each)
    stuck = []
    for specialist, trials in own.items():
        since = next((at for at, each in enumerate(trials) if each.trial.status in KEPT), None)
        if since is None:
            since = _since_keep(views, specialist) if len(window) == WINDOW else len(trials)
        if is_quiet([each.trial for each in trials[:SATURATED_AFTER]], views.task) or (specialist and since >= STUCK):
            stuck.append((trials[0], since))
    return stuck


def _since_keep(views: Views, specialist: str) -> int:
    """Return how many trials of a specialist tell something and are newer than its last keep."""
    kept = next(filter(None, (views.index.one(sql, specialist) for sql in (_LAST_KEPT_OF_LATE, _LAST_KEPT))), (-1, ""))
    return int(views.index.one(_NEWER, specialist, *kept)[0])


def _seen(views: Views, recent: Sequence[_Recent]) -> list[TrialView]:
    return views.by_number(each.number for each in recent)


def _count(views: Views, condition: str, *values: object) -> int:
    return int(views.index.one(f"SELECT count(*) {condition}", *values)[0])
