"""
Which trials count, which may be the best, and who ranks before whom (semantics 11): the one place of these rules.

Each rule is here twice, written from the same statuses: as Python for whoever has rows, and as a condition on the
index's table of trials (``t``) for whoever asks it. Start with `ELIGIBLE`, then `beats`. A status that is to be ranked
otherwise is changed here; the partial indexes of `index.schema` follow, and its format is then another.
"""

from collections.abc import Iterable, Mapping

from gitlineage.errors import InvalidTrial
from gitlineage.model.records import Task
from gitlineage.model.trial import CRASHED, NUMERIC, FailureLabel, Trial, refuse_non_finite

KEPT = (FailureLabel.KEEP,)
"""Statuses of the trials on a leaderboard."""

BASELINES = (FailureLabel.BASELINE,)
"""Statuses of the trials that stand for the best while nothing has a score."""

ELIGIBLE = (*KEPT, *BASELINES)
"""Statuses of trials of which one is the best; these also have refs of their own."""

COMPARED = (FailureLabel.KEEP, FailureLabel.DISCARD)
"""Statuses of trials whose score was held against the best."""

RETRACTED = "retracted"
"""What the index has in the place of a retracted trial's status; its row keeps its own."""

PENDING = "pending"
"""What a trial without a status is called."""

WHICH = ("kept", "informational")
"""Of which trials the best can be asked: kept ones and baselines, or all that tell the next agent anything."""


def one_of(column: str, statuses: Iterable[str]) -> str:
    """Return the SQL for: the column is one of these statuses; of one alone as an equation, as partial indexes have."""
    first, *more = (f"'{status}'" for status in statuses)
    return f"{column} IN ({', '.join([first, *more])})" if more else f"{column} = {first}"


def none_of(column: str, statuses: Iterable[str]) -> str:
    """Return the SQL for: there is a status, and it is none of these."""
    spelled = ", ".join(f"'{status}'" for status in statuses)
    return f"{column} NOT IN ({spelled})"


IS_KEPT = one_of("t.status", KEPT)
IS_BASELINE = one_of("t.status", BASELINES)
IS_ELIGIBLE = one_of("t.status", ELIGIBLE)
IS_RETRACTED = f"t.status = '{RETRACTED}'"
IS_DONE = "+t.status IS NOT NULL"
"""The trial has a result. The plus keeps SQLite from looking for an index: nearly all trials have one."""

COUNTS = f"{IS_DONE} AND {none_of('+t.status', [RETRACTED])}"
"""The trial has a result that was not retracted."""

UNINFORMATIVE = tuple(label for label in FailureLabel if not label.is_informational)
INFORMS = f"{COUNTS} AND {none_of('+t.status', UNINFORMATIVE)}"
"""The trial's result counts, and tells the next agent anything."""

MEASURES = none_of("t.status", (*CRASHED, RETRACTED))
"""The trial's score, if it has one, measures its content."""

BY_PLACE = "t.clock, t.writer, t.exp_id, t.row"
"""The order in which trials were recorded; those of one writer with one clock, written by hand, by what they say."""

LATEST = "t.clock DESC, t.writer DESC, t.exp_id DESC, t.row DESC"
"""The order of `BY_PLACE`, the newest first."""

BY_RANK = f"t.rank, {BY_PLACE}"
"""Who ranks before whom: the better score, then the earlier trial."""

STUCK = 10
"""Trials since its last keep from which on a specialist is called stuck."""

FIRST_ON_SNAPSHOT = f"t.guest, coalesce(t.status, '') = '{RETRACTED}', {BY_PLACE}"
"""Which of the trials on a snapshot stands for it: the first that counts, else the first; last come those of guests."""


def rank(task: Task, trial: Trial) -> float | None:
    """Return a trial's score turned so that the lowest is the best; ``None`` where there is no score."""
    score = task.score(trial)
    return score if score is None else turned(task, score)


def turned(task: Task, score: float) -> float:
    """Return a score so that the lowest is the best."""
    return score if task.lower_is_better else -score


def record(task: Task, best: Trial | None) -> float | None:
    """Return the score to beat; ``None`` where no trial that is eligible has one."""
    return task.score(best) if best is not None and best.status in ELIGIBLE else None


def beats(task: Task, trial: Trial, best: Trial | None) -> bool:
    """Whether a trial that comes after the best so far is the best from now on."""
    score, least = task.score(trial), record(task, best)
    return trial.status in ELIGIBLE and score is not None and (least is None or task.better(score, least))


def against(task: Task, trial: Trial, best: Trial | None) -> dict[str, str]:
    """Return the cells that compare a row with the best so far, where it leaves them empty (semantics 16)."""
    if best is None or best.status not in ELIGIBLE or best.exp_id == trial.exp_id:
        return {}
    compared = {} if trial.baseline_exp else {"baseline_exp": best.exp_id}
    score, least = task.score(trial), task.score(best)
    if trial.status in COMPARED and score is not None and least is not None and not trial.text("delta_vs_best"):
        compared["delta_vs_best"] = f"{score - least:+.6f}"
    return compared


def check_which(which: str) -> None:
    """
    Refuse a word for which trials may be the best that is none.

    Raises:
        ValueError: it is not one of `WHICH`.
    """
    if which not in WHICH:
        raise ValueError(f"eligible is one of {', '.join(WHICH)}, not {which!r}")


def without_non_finite(cells: Mapping[str, str], metric: str | None) -> dict[str, str]:
    """
    Return a row's cells, empty where a numeric column or the metric's spells NaN or infinity: that is no score.

    Raises:
        InvalidTrial: it is the metric of a row that may be the best, which has to be ranked (semantics 11).
    """
    finite = dict(cells)
    for column in dict.fromkeys([*NUMERIC, *([metric] if metric else [])]):
        text = finite.get(column)
        if not text:
            continue
        try:
            refuse_non_finite(column, text)
        except InvalidTrial:
            if column == metric and finite.get("status") in ELIGIBLE:
                raise
            finite[column] = ""
    return finite
