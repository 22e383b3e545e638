"""
What a score deserves: held against the best so far and against the noise of replicates, with the reason in words.

The one place where keep and discard are decided; everything that records a trial with a score and no status
asks here. Start at `judge`; `Noise` is what blame holds a step of a chain against, too.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from gitlineage.git.packs import object_id
from gitlineage.index.database import read_row
from gitlineage.index.schema import AUTHOR
from gitlineage.model.rank import BY_PLACE, IS_BASELINE, MEASURES, record, turned
from gitlineage.model.records import Order, Task, TrialView
from gitlineage.model.trial import FailureLabel
from gitlineage.query.views import Views

COMMAND = "command"
"""The column that has what was run, as a shell would take it."""

SIGMAS = 2
"""How many standard deviations of the replicates a change has to reach."""

ROW_ONLY = "@gitlineage>"
"""How the author of a snapshot ends that was written for a row alone, whose code may be unknown (recorder)."""

_EMPTY = object_id("tree", b"")
_MOST = 1000
"""Scores of replicates that are looked at for one verdict at most."""

MEASURED = f"""
FROM snapshots s JOIN trials t ON t.snapshot = s.id
WHERE t.rank IS NOT NULL AND {MEASURES}
"""
"""Trials whose score measures their content."""

SCORES = f"""
SELECT s.id, s.tree, {AUTHOR}, t.rank,
    (SELECT p.tree FROM git_parents g JOIN snapshots p ON p.oid = g.parent WHERE g.child = s.id AND g.pos = 0), t.row
{MEASURED}
"""
"""What `grouped` needs of them."""


Groups = dict[tuple[str, str], list[float]]
"""Scores by content and command: those that replicates of each other have."""


class Noise(msgspec.Struct, frozen=True, kw_only=True):
    """
    How far scores of equal content lie apart.

    Args:
        sigma: the pooled standard deviation; 0 where nothing was run twice.
        trials: how many trials it is from.
        contents: how many different contents those had.
        given: whether it was said, not measured.
    """

    sigma: float = 0.0
    trials: int = 0
    contents: int = 0
    given: bool = False


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a score deserves, and why.

    Args:
        status: a baseline, a keep or a discard; ``None`` without a score: the trial is pending.
        reason: the same in words.
        score: what was judged.
        best: the name of the trial that it was held against, empty where there is none.
        best_score: that one's score.
        noise: what the difference had to exceed by two sigma; of no trials where nothing was run twice.
    """

    status: FailureLabel | None
    reason: str
    score: float | None = None
    best: str = ""
    best_score: float | None = None
    noise: Noise = Noise()


def judge(
    views: Views, score: float | None, trees: Sequence[str] = (), command: str = "", place: Order | None = None
) -> Verdict:
    """
    Return what a trial with this score and no status is.

    The first with a score is the baseline, one that beats the best so far a keep, any other a discard. Where a content
    was run more than once, a keep has to beat the best by more than two sigma. Sigma is pooled over the replicates of
    what the verdict is about: the best's content, the first baseline's, the trial's own with this score among them, and
    its parents'. So a lucky second run of a recipe is no keep, and what is asked does not grow with the store.

    Args:
        views: the store as it is before the trial.
        trees: the trial's content, then that of its parents, as far as they are known.
        command: what was run, as its column spells it; the same content under another command is no replicate.
        place: of a trial that is judged anew, where it was recorded: what came after it does not count as the best,
            and its score is among those of its content already.
    """
    if score is None:
        return Verdict(status=None, reason="pending: there is no score yet")
    task, best = views.task, views.best() if place is None else views.best_before(place)
    least = record(task, best.trial) if best is not None else None
    if best is None or least is None:
        return verdict(task, score)
    more = turned(task, score) if place is None else None
    noise = _noise(views, more, trees, command, best.oid)
    return verdict(task, score, best.label, least, noise, best.trial.text(task.score_field))


def judge_mean(views: Views, scores: Sequence[float], trees: Sequence[str], best: TrialView | None) -> Verdict:
    """
    Return what replicates of one content are together: their mean, against that of the best's content.

    Args:
        views: the store, with these replicates in it.
        scores: their scores.
        trees: their content, then that of its parents.
        best: what was the best before them; ``None`` where nothing was.
    """
    task, mean = views.task, math.fsum(scores) / len(scores)
    least = record(task, best.trial) if best is not None else None
    if best is None or least is None:
        return verdict(task, mean)
    groups = _groups(views, trees, best.oid)
    shown, others = (
        best.trial.text(task.score_field),
        groups.get((views.tree(best.oid) or "", best.trial.text(COMMAND)), []),
    )
    if len(others) > 1:
        least = turned(task, math.fsum(others) / len(others))
        shown = f"{least:.6g}, the mean of {len(others)}"
    return verdict(task, mean, best.label, least, pooled(groups), shown)


def verdict(
    task: Task, score: float, best: str = "", least: float | None = None, noise: Noise | None = None, shown: str = ""
) -> Verdict:
    """
    Return what a score is beside the best so far and the noise.

    Args:
        task: the direction.
        best: the best trial's name.
        least: its score; ``None`` where nothing has one yet.
        noise: the noise of replicates.
        shown: the best's score as its row spells it.
    """
    if least is None:
        return Verdict(status=FailureLabel.BASELINE, reason="baseline: nothing to compare it with yet", score=score)
    noise = noise or Noise()
    against, told = f"the best so far, {best} with {shown or least}", ""
    status = FailureLabel.KEEP if task.better(score, least) else FailureLabel.DISCARD
    reason = f"keep: it beats {against}" if status is FailureLabel.KEEP else f"discard: it does not beat {against}"
    if status is FailureLabel.KEEP and noise.trials:
        change, noisy = abs(score - least), SIGMAS * noise.sigma
        measured = f"sigma {noise.sigma:.3g} of n {noise.trials} replicates"
        if change > noisy and not math.isclose(change, noisy, rel_tol=1e-9):
            told = f", by {change:.6g}, more than two sigma ({measured})"
        else:
            status = FailureLabel.DISCARD
            reason = f"discard: it beats {against}"
            told = f", by {change:.6g} only, not more than two sigma ({measured})"
    return Verdict(status=status, reason=f"{reason}{told}", score=score, best=best, best_score=least, noise=noise)


def _noise(views: Views, rank: float | None, trees: Sequence[str], command: str, best: str) -> Noise:
    """Return the noise of the contents that a verdict is about, with one more score of the first of them."""
    groups = _groups(views, trees, best)
    if rank is not None and trees and (trees[0], command) in groups:
        groups[trees[0], command].append(rank)
    return pooled(groups)


def _groups(views: Views, trees: Sequence[str], best: str) -> Groups:
    """Return the scores of the contents that a verdict is about: some, the best's and the first baseline's."""
    first = views.index.one(
        "SELECT s.tree FROM trials t JOIN snapshots s ON s.id = t.snapshot "
        f"WHERE {IS_BASELINE} ORDER BY {BY_PLACE} LIMIT 1"
    )
    contents = dict.fromkeys(filter(None, (*trees, views.tree(best), first[0] if first else None)))
    marks = ", ".join("?" * len(contents))
    return grouped(views.index.rows(f"{SCORES} AND s.tree IN ({marks}) LIMIT {_MOST}", *contents))


def grouped(rows: Iterable[Sequence[Any]]) -> Groups:
    """Return the scores of rows as `SCORES` selects them by what was run; the content of a row alone is not known."""
    groups: Groups = {}
    for sid, tree, author, rank, parent_tree, row in rows:
        content = f"#{sid}" if is_unknown(tree, author, parent_tree) else tree
        command = read_row(row).text(COMMAND) if f'"{COMMAND}"' in row else ""
        groups.setdefault((content, command), []).append(rank)
    return groups


def is_unknown(tree: str, author: str, parent_tree: str | None) -> bool:
    """
    Whether a snapshot's tree does not say what was run.

    One that was written for a row alone has its parent's content, or none, because nobody knows its own.
    """
    return tree == _EMPTY or (tree == parent_tree and author.endswith(ROW_ONLY))


def pooled(groups: Mapping[tuple[str, str], Sequence[float]]) -> Noise:
    """Return the noise that groups of scores show, each around its own mean; those of one score show nothing."""
    several = [scores for scores in groups.values() if len(scores) > 1]
    freedom = sum(len(scores) - 1 for scores in several)
    if not freedom:
        return Noise()
    try:
        squares = math.fsum(square for scores in several for square in _squares(scores))
    except OverflowError:  # scores that are worlds apart: nothing is better than such noise
        squares = math.inf
    return Noise(
        sigma=math.sqrt(squares / freedom), trials=sum(len(scores) for scores in several), contents=len(several)
    )


def _squares(scores: Sequence[float]) -> Iterable[float]:
    mean = math.fsum(scores) / len(scores)
    return ((score - mean) ** 2 for score in scores)
