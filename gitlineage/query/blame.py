"""
Which change made the score worse: the steps of a primary chain held against the noise of replicates.

Semantics 32b. Trials with equal content measure the noise: what is smaller than it is no regression.
"""

import math

import msgspec

from gitlineage.errors import Invalid, LineageError
from gitlineage.model.rank import ELIGIBLE
from gitlineage.model.records import CommitOid, TrialView
from gitlineage.model.trial import FailureLabel
from gitlineage.query.judge import MEASURED, SCORES, SIGMAS, Noise, grouped, pooled
from gitlineage.query.views import Views

_REPLICATES = f"""
{SCORES} AND s.tree IN (SELECT s.tree {MEASURED} GROUP BY s.tree HAVING count(*) > 1)
ORDER BY t.clock, t.writer
"""

_MEASURED = (*ELIGIBLE, FailureLabel.DISCARD)
"""Statuses of trials whose score is what their content gives."""


class Regression(msgspec.Struct, frozen=True, kw_only=True):
    """
    A step of a chain that made the score worse.

    Args:
        trial: the name of the trial that is worse.
        parent: the name of the trial it is worse than, the last one before it with a score.
        oid: the snapshot.
        parent_oid: the parent's snapshot.
        score: its score.
        parent_score: the parent's.
        change: by how much it is worse, never negative.
        author: who made the commit, as ``Name <mail>``.
        writer: who recorded it.
        specialist: who ran the trial.
        hypothesis: what it tried.
        unknown: trials between the two that have no score; the cause may be in one of them.
    """

    trial: str
    parent: str
    oid: CommitOid
    parent_oid: CommitOid
    score: float
    parent_score: float
    change: float
    author: str = ""
    writer: str = ""
    specialist: str = ""
    hypothesis: str = ""
    unknown: tuple[str, ...] = ()


class Blame(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a look along a primary chain found.

    Args:
        chain: the names of its trials, root first.
        regressions: the steps that made the score worse, in the order of the chain; the first is the one to blame.
        within_noise: names of trials that are worse than their parent by less than the noise.
        unknown: names of trials without a score; they were passed over.
        noise: what a change was held against.
        score_field: the column that ranks.
        lower_is_better: its direction.
    """

    chain: tuple[str, ...]
    regressions: tuple[Regression, ...] = ()
    within_noise: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    noise: Noise = Noise()
    score_field: str = ""
    lower_is_better: bool = True

    @property
    def threshold(self) -> float:
        """What a change has to reach to be a regression."""
        return SIGMAS * self.noise.sigma

    @property
    def first(self) -> Regression | None:
        """The step to blame, ``None`` where the score never got worse."""
        return self.regressions[0] if self.regressions else None


def blame(views: Views, oid: str, exp_id: str = "", *, noise: float | None = None) -> Blame:
    """
    Return where along the primary chain to a snapshot the score got worse than it was before.

    Args:
        exp_id: which of its trials is meant; by default the first.
        noise: the standard deviation of one score; by default what replicates show.

    Raises:
        Invalid: a noise that is negative or not finite.
        LineageError: there is no trial on the chain.
    """
    if noise is not None and not (math.isfinite(noise) and noise >= 0):
        raise Invalid(f"a noise is 0 or more, not {noise}")
    chain = views.by_number(views.line(oid, exp_id or views.exp_id_on(oid) or "").numbers)
    if not chain:
        raise LineageError(f"there is no trial on {views.name(oid)} or on what led to it; `gitlineage log` lists them")
    level = measured_noise(views) if noise is None else Noise(sigma=noise, given=True)
    writers = {each.oid: each for each in views.snapshots(view.oid for view in chain)}
    regressions: list[Regression] = []
    small: list[str] = []
    unknown: list[str] = []
    between: list[str] = []
    before: tuple[TrialView, float] | None = None
    for view in chain:
        here = _scored(views, view)
        if here is None:
            unknown.append(view.label)
            between.append(view.label)
            continue
        if before is not None and views.task.better(before[1], here[1]):
            change = abs(here[1] - before[1])
            if change < SIGMAS * level.sigma and not math.isclose(change, SIGMAS * level.sigma, rel_tol=1e-9):
                small.append(here[0].label)
            else:
                snapshot = writers[view.oid]
                regressions.append(
                    Regression(
                        trial=here[0].label,
                        parent=before[0].label,
                        oid=view.oid,
                        parent_oid=before[0].oid,
                        score=here[1],
                        parent_score=before[1],
                        change=change,
                        author=snapshot.author,
                        writer=here[0].order.writer,
                        specialist=here[0].trial.specialist,
                        hypothesis=here[0].trial.hypothesis,
                        unknown=tuple(between),
                    )
                )
        before, between = here, []
    return Blame(
        chain=tuple(view.label for view in chain),
        regressions=tuple(regressions),
        within_noise=tuple(small),
        unknown=tuple(unknown),
        noise=level,
        score_field=views.task.score_field,
        lower_is_better=views.task.lower_is_better,
    )


def measured_noise(views: Views) -> Noise:
    """
    Return the pooled standard deviation of replicates: scored trials on one snapshot, or on snapshots of equal content.

    A snapshot that was written for a row alone has its parent's content, or none, because nobody knows its own: its
    trials are replicates of each other only.
    """
    return pooled(grouped(views.index.rows(_REPLICATES)))


def _scored(views: Views, view: TrialView) -> tuple[TrialView, float] | None:
    """Return a trial with its score; where it has none that counts, the first on the same snapshot that has one."""
    for each in (view, *views.on_snapshot(view.oid)):
        if each.trial.status not in _MEASURED:  # what a run gave before it failed ranks nothing
            continue
        score = views.task.score(each.trial)
        if score is not None and math.isfinite(score):
            return each, score
    return None
