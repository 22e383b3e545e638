"""
Ranking by any numeric column, beside the one that the task ranks by; which column the task ranks by is not changed.

The rules are those of the task's ranking (semantics 11 and 45); only the column and its direction are others.
"""

from collections.abc import Sequence

from gitlineage.errors import Invalid
from gitlineage.index.database import read_row
from gitlineage.model.rank import BY_PLACE, INFORMS, IS_ELIGIBLE, IS_KEPT, check_which, rank
from gitlineage.model.records import Task, TrialView
from gitlineage.model.trial import COLUMNS, Trial
from gitlineage.query.views import Views

_ROWS = {
    "board": IS_KEPT,
    "kept": IS_ELIGIBLE,
    "informational": INFORMS,
}
"""Which trials are ranked: those of a leaderboard, or those that may be the best."""

_TOLD = {"board": "kept trial", "kept": "kept trial", "informational": "informational trial"}
"""What these are called."""

_OID = "(SELECT oid FROM snapshots s WHERE s.id = t.snapshot)"
_NAMED = 12
_IDS = ("exp_id", "parent_exp", "baseline_exp")


def criterion(task: Task, metric: str | None, lower_is_better: bool | None) -> Task:
    """
    Return what to rank by: the task itself, or another column with its direction.

    Args:
        metric: the column; by default the task's.
        lower_is_better: its direction; by default the task's, where it is the task's column.

    Raises:
        Invalid: it is another column, and nobody says in which direction that improves.
    """
    column = metric if metric is not None else task.score_field
    if lower_is_better is None and column != task.score_field:
        raise Invalid(
            f"the task ranks by {task.score_field}, so nothing says in which direction {column!r} improves; say "
            "lower_is_better (--lower-is-better or --higher-is-better)"
        )
    lower = task.lower_is_better if lower_is_better is None else lower_is_better
    if (column, lower) == (task.score_field, task.lower_is_better):
        return task
    return Task(score_field=column, lower_is_better=lower, epsilon=task.epsilon)


def best_by(views: Views, by: Task, eligible: str = "kept") -> TrialView | None:
    """
    Return the earliest trial with the best number in a column; ``None`` in a store without trials.

    Raises:
        Invalid: no trial that is eligible has a number there.
    """
    check_which(eligible)
    return next(iter(views.by_number(_ranked(views, by, eligible)[:1])), None)


def board_by(views: Views, by: Task, limit: int | None) -> list[TrialView]:
    """
    Return the kept trials that have a number in a column, the best first, ties in recording order.

    Raises:
        Invalid: none has, in a store with trials.
    """
    if by == views.task and (kept := [each for each in views.kept(limit) if by.score(each.trial) is not None]):
        return kept  # the index has their order
    return views.by_number(_ranked(views, by, "board")[:limit])


def _ranked(views: Views, by: Task, which: str) -> list[int]:
    """Return the numbers of the trials that rank by a column, the best first; those without a number there do not."""
    sql = f"SELECT t.id, t.row, {_OID} FROM trials t WHERE {_ROWS[which]} ORDER BY {BY_PLACE}"
    rows = [(number, read_row(row, oid)) for number, row, oid in views.index.rows(sql)]
    ranked = [(place, number) for number, trial in rows if (place := rank(by, trial)) is not None]
    if not ranked:
        _check_column(views, by.score_field, which, [trial for _, trial in rows])
    return [number for _, number in sorted(ranked)]


def _check_column(views: Views, column: str, which: str, ranked: Sequence[Trial]) -> None:
    """Refuse a column in which no trial to be ranked has a number, where there are trials; most likely a slip."""
    rows = [read_row(row, oid) for row, oid in views.index.rows(f"SELECT t.row, {_OID} FROM trials t")]
    if not rows:
        return
    if others := sum(trial.number(column) is not None for trial in rows):
        others_have = "1 other has" if others == 1 else f"{others:,} others have"
        said = f"no {_TOLD[which]} has a number in {column!r}, though {others_have}"
        more = "; --eligible informational ranks all" if which == "kept" else ""
        raise Invalid(f"{said}; {_TOLD[which]}s have numbers in {_numeric(ranked)}{more}")
    raise Invalid(f"no trial has a number in a column {column!r}; there are {_numeric(rows)}")


def _numeric(rows: Sequence[Trial]) -> str:
    """Return the columns in which trials have numbers, in words."""
    names = dict.fromkeys([*COLUMNS, *(name for trial in rows for name in trial.extra)])
    known = [name for name in names if name not in _IDS and any(trial.number(name) is not None for trial in rows)]
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    return f"{', '.join(known[:_NAMED]) or 'none'}{more}"
