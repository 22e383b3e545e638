"""
Ranking by any numeric column, beside the one that the task ranks by; which column the task ranks by is not changed.

The rules are those of the task's ranking (semantics 11 and 45); only the column and its direction are others.
"""

from gitlineage.errors import Invalid
from gitlineage.index.fold import read_row
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

_OID = "(SELECT oid FROM snapshots s WHERE s.id = t.snapshot)"
_NAMED = 12
_IDS = ("exp_id", "parent_exp", "baseline_exp")


def criterion(task: Task, metric: str | None, lower_is_better: bool | None) -> Task:
    """
    Return what to rank by: the task itself, or another column with its direction.

    Args:
        task: what the campaign optimises.
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
    Return the earliest trial with the best number in a column; ``None`` while no trial that is eligible has one.

    Raises:
        Invalid: no trial at all has a number there.
    """
    check_which(eligible)
    found = [number for number, trial in _ranked(views, by, eligible) if by.score(trial) is not None]
    return next(iter(views.by_number(found[:1])), None)


def board_by(views: Views, by: Task, limit: int | None) -> list[TrialView]:
    """
    Return kept trials by a column, the best first, ties in recording order, those without a number last.

    Raises:
        Invalid: no trial at all has a number there.
    """
    return views.by_number([number for number, _ in _ranked(views, by, "board")][:limit])


def _ranked(views: Views, by: Task, which: str) -> list[tuple[int, Trial]]:
    sql = f"SELECT t.id, t.row, {_OID} FROM trials t WHERE {_ROWS[which]} ORDER BY {BY_PLACE}"
    rows = [(number, read_row(row, oid)) for number, row, oid in views.index.rows(sql)]
    if not any(by.score(trial) is not None for _, trial in rows):
        _check_column(views, by.score_field)

    def place(row: tuple[int, Trial]) -> tuple[bool, float]:
        found = rank(by, row[1])
        return found is None, found or 0.0

    return sorted(rows, key=place)


def _check_column(views: Views, column: str) -> None:
    """Refuse a column in which no trial has a number, where there are trials: it is most likely misspelt."""
    rows = [read_row(row, oid) for row, oid in views.index.rows(f"SELECT t.row, {_OID} FROM trials t")]
    if not rows or any(trial.number(column) is not None for trial in rows):
        return
    names = dict.fromkeys([*COLUMNS, *(name for trial in rows for name in trial.extra)])
    known = [name for name in names if name not in _IDS and any(trial.number(name) is not None for trial in rows)]
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    raise Invalid(
        f"no trial has a number in a column {column!r}; there are {', '.join(known[:_NAMED]) or 'none'}{more}"
    )
