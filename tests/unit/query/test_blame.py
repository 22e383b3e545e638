"""Blame: the step that made the score worse, and what of it is noise."""

import math
import statistics
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage import Invalid, LineageError, LineageStore, Trial
from gitlineage.query.blame import pooled


def chain(store: LineageStore, scores: Sequence[float | None]) -> list[str]:
    """Record a line of trials with these scores, each with a content of its own; without one it crashed."""
    parents: list[str] = []
    for number, score in enumerate(scores):
        status = "crash" if score is None else "keep" if number else "baseline"
        trial = Trial(status=status, core_metric=score, specialist=f"s{number}", hypothesis=f"idea {number}")
        parents = [store.commit({"f": b"%d\n" % number}, parents, trial=trial).oid]
    return parents


def replicate(store: LineageStore, id: str, *scores: float) -> None:
    """Record more trials on a snapshot."""
    for score in scores:
        store.record(id, Trial(status="discard", core_metric=score))


class TestChain:
    """Where along a chain it got worse."""

    def test_the_first_step_that_is_worse_is_blamed(self, store: LineageStore) -> None:
        """It has trial, parent, scores, author, writer and specialist; later ones are listed after it."""
        chain(store, [1.0, 0.9, 1.2, 1.1, 1.3])
        found = store.blame("004")
        first = found.first
        assert first is not None
        assert (first.trial, first.parent, first.score, first.parent_score) == ("002", "001", 1.2, 0.9)
        assert first.change == pytest.approx(0.3)
        assert (first.specialist, first.writer, first.author) == ("s2", "alice", "Alice <alice@example.org>")
        assert first.oid == store.resolve("002") and first.parent_oid == store.resolve("001")
        assert [each.trial for each in found.regressions] == ["002", "004"]
        assert found.chain == ("000", "001", "002", "003", "004")

    def test_the_chain_ends_at_the_trial(self, store: LineageStore) -> None:
        """What came after it is not blamed."""
        chain(store, [1.0, 0.9, 1.2])
        assert store.blame("001").first is None

    def test_only_primary_parents_are_followed(self, store: LineageStore) -> None:
        """A better second parent makes nothing worse."""
        chain(store, [1.0])
        store.commit({"f": b"mate"}, ["000"], trial=Trial(exp_id="mate", status="keep", core_metric=0.1))
        store.commit({"f": b"x"}, ["000", "mate"], trial=Trial(exp_id="child", status="keep", core_metric=0.9))
        assert store.blame("child").first is None

    def test_a_score_from_before_a_failure_is_none(self, store: LineageStore) -> None:
        """What ran out of its budget was never better, so nothing is worse than it."""
        chain(store, [1.0])
        store.commit({"f": b"o"}, ["000"], trial=Trial(exp_id="over", status="train_budget_overrun", core_metric=0.1))
        store.commit({"f": b"x"}, ["over"], trial=Trial(exp_id="child", status="keep", core_metric=0.9))
        found = store.blame("child")
        assert found.first is None and found.unknown == ("over",)

    def test_the_direction_is_the_tasks(self, open_store: Callable[..., LineageStore]) -> None:
        """Where higher is better, what falls is worse."""
        store = open_store(lower_is_better=False)
        chain(store, [1.0, 1.5, 1.2])
        found = store.blame("002")
        assert [each.trial for each in found.regressions] == ["002"]
        assert not found.lower_is_better

    def test_a_crash_is_passed_over_and_named(self, store: LineageStore) -> None:
        """The step after it is held against the last score before it."""
        chain(store, [1.0, None, None, 1.5])
        found = store.blame("003")
        assert found.unknown == ("001", "002")
        assert found.first is not None
        assert (found.first.parent, found.first.unknown) == ("000", ("001", "002"))

    def test_a_crash_that_was_run_again_has_the_score_of_that(self, store: LineageStore) -> None:
        """Where the trial that is meant has no score, the snapshot's first one with a score counts."""
        chain(store, [1.0, None, 1.5])
        replicate(store, "001", 1.4)
        found = store.blame("002")
        assert found.unknown == ()
        assert found.first is not None and found.first.trial == "003"

    def test_a_snapshot_without_a_trial_takes_the_chain_above(self, store: LineageStore) -> None:
        """Its parents' trials are looked at; without any there is nothing to say."""
        chain(store, [1.0, 1.5])
        bare = store.commit({"f": b"no trial"}, ["001"])
        first = store.blame(bare).first
        assert first is not None and first.trial == "001"
        with pytest.raises(LineageError, match="no trial"):
            store.blame(store.commit({"g": b"alone"}))


class TestNoise:
    """What replicates say about how sure a step is."""

    def test_without_replicates_every_step_counts(self, store: LineageStore) -> None:
        """Sigma is 0 and from nothing."""
        chain(store, [1.0, 1.0000001])
        found = store.blame("001")
        assert (found.noise.sigma, found.noise.trials, found.noise.contents) == (0, 0, 0)
        assert found.first is not None

    def test_two_sigma_of_one_snapshots_replicates(self, store: LineageStore) -> None:
        """A step below them is within the noise, one above is not."""
        chain(store, [1.00, 1.03, 1.20])
        replicate(store, "000", 1.02, 1.04)
        found = store.blame("002")
        assert found.noise.sigma == pytest.approx(0.02)
        assert (found.noise.trials, found.noise.contents) == (3, 1)
        assert found.within_noise == ("001",)
        assert [each.trial for each in found.regressions] == ["002"]

    def test_a_step_of_two_sigma_is_a_regression(self, store: LineageStore) -> None:
        """Only what is below is not."""
        chain(store, [1.00, 1.02])
        assert store.blame("001", noise=0.01).first is not None
        assert store.blame("001", noise=0.0101).first is None

    def test_equal_content_on_other_snapshots_counts(self, store: LineageStore) -> None:
        """A run of the same files from another parent is a replicate too."""
        chain(store, [1.0, 1.1])
        store.commit({"f": b"1\n"}, ["000"], trial=Trial(status="discard", core_metric=1.2))
        noise = store.blame("001").noise
        assert (noise.trials, noise.contents) == (2, 1)
        assert noise.sigma == pytest.approx(statistics.stdev([1.1, 1.2]))

    def test_rows_without_code_are_no_replicates(self, store: LineageStore) -> None:
        """Snapshots that stand for a row have their parent's content or none, and nobody knows their own."""
        store.append(Trial(exp_id="a", status="baseline", core_metric=1.0))
        store.append(Trial(exp_id="b", status="keep", core_metric=0.5, parent_exp="a"))
        store.append(Trial(exp_id="c", status="keep", core_metric=2.0, parent_exp="b"))
        assert store.blame("c").noise.trials == 0
        store.record("b", Trial(status="discard", core_metric=0.6))
        assert (store.blame("c").noise.trials, store.blame("c").noise.contents) == (2, 1)

    def test_crashes_with_a_score_are_no_replicates(self, store: LineageStore) -> None:
        """A run that did not end measured something else."""
        chain(store, [1.0, 1.1])
        store.record("000", Trial(status="crash", core_metric=9.0))
        assert store.blame("001").noise.trials == 0

    def test_a_noise_that_is_given_holds(self, store: LineageStore) -> None:
        """It takes the place of what replicates show."""
        chain(store, [1.0, 1.1])
        replicate(store, "000", 5.0)
        found = store.blame("001", noise=0.01)
        assert found.noise.given and found.first is not None
        for wrong in (-1.0, math.nan, math.inf):
            with pytest.raises(Invalid):
                store.blame("001", noise=wrong)

    @given(st.lists(st.lists(st.floats(-1e3, 1e3), max_size=5), max_size=5))
    def test_pooled_as_statistics_has_it(self, groups: list[list[float]]) -> None:
        """The pooled variance is the mean of the groups' variances, weighted by their degrees of freedom."""
        found = pooled({str(at): scores for at, scores in enumerate(groups)})
        several = [scores for scores in groups if len(scores) > 1]
        assert found.trials == sum(map(len, several))
        if several:
            freedom = [len(scores) - 1 for scores in several]
            parts = [statistics.variance(scores) * free for scores, free in zip(several, freedom, strict=True)]
            assert found.sigma == pytest.approx(math.sqrt(sum(parts) / sum(freedom)), abs=1e-9)
        else:
            assert found.sigma == 0
