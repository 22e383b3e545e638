"""
Verdicts that went by what does not hold any more (semantics 214): start at `outdated`.

A status is what was recorded and stays. Where the best that a trial was held against was retracted or revised since,
what it was discarded for is gone, and nobody but who reads this would see that it is better than the best that is left.
"""

import math

from gitlineage.index.index import read_row
from gitlineage.model.rank import ELIGIBLE, LATEST, RETRACTED, record, turned
from gitlineage.model.records import TrialView
from gitlineage.model.trial import FailureLabel, Trial
from gitlineage.query.judge import COMMAND, judge
from gitlineage.query.views import Views

NEWEST = 1000
"""How many of the newest trials are looked at where nobody has just changed what one was held against."""

_SPELLED = 1e-6
"""How exactly a row says its difference to the best."""

_BETTER = f"""
SELECT id FROM (SELECT t.id, t.status, t.rank, t.clock, t.writer FROM trials t ORDER BY {LATEST} LIMIT ?) t
WHERE t.status = '{FailureLabel.DISCARD}' AND t.rank < ? ORDER BY t.clock, t.writer
"""
_HELD_AGAINST = "SELECT status, row, (clock, writer) <> (last_clock, last_writer) FROM trials WHERE exp_id = ?"


def outdated(views: Views, newest: int = -1) -> list[TrialView]:
    """
    Return the discards that would be keeps now, in recording order, in which they are to be judged anew.

    They are better than the best that is left, were held against a trial that was retracted or revised since, and are
    keeps when they are judged anew.

    Args:
        views: the store.
        newest: how many of the newest trials are looked at; -1 for all.
    """
    best = views.best(stand_in=False)
    least = record(views.task, best.trial) if best is not None else None
    if least is None:
        return []
    rows = views.index.rows(_BETTER, newest, turned(views.task, least))
    found = views.by_number(number for (number,) in rows)
    return [view for view in found if _has_fallen(views, view.trial) and _anew(views, view) is FailureLabel.KEEP]


def is_beaten(views: Views, view: TrialView) -> bool:
    """Whether a keep does not beat what it was kept over any more, because its score is another one now."""
    return (
        view.trial.status is FailureLabel.KEEP
        and view.retracted is None
        and views.task.score(view.trial) is not None
        and _anew(views, view) is FailureLabel.DISCARD
    )


def _anew(views: Views, view: TrialView) -> FailureLabel | None:
    """Return what a recorded trial would be if it was judged now."""
    trees = [tree for oid in (view.oid, *views.snapshot(view.oid).parents) if (tree := views.tree(oid))]
    score = views.task.score(view.trial)
    return judge(views, score, trees, view.trial.text(COMMAND), view.order).status


def _has_fallen(views: Views, trial: Trial) -> bool:
    """Whether what a trial was held against does not count any more, or has another score than it had then."""
    rows = views.index.rows(_HELD_AGAINST, trial.baseline_exp)
    return bool(rows) and not any(_stands(views, trial, *row) for row in rows)


def _stands(views: Views, trial: Trial, status: str | None, row: str, is_revised: bool) -> bool:
    """Whether a trial that another one may have been held against is what it was then."""
    if status == RETRACTED or not is_revised:
        return status != RETRACTED
    score, held, then = views.task.score(trial), views.task.score(read_row(row)), trial.delta_vs_best
    if status not in ELIGIBLE or score is None or held is None:
        return False
    return then is None or math.isclose(score - held, then, abs_tol=_SPELLED)
