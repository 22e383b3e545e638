"""gitlineage.query.comparing: two trials or cohorts side by side, with a rank test that scipy agrees with."""

import tempfile
from collections.abc import Callable
from itertools import combinations
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import LineageStore, NotFound, Task, Trial, Watcher
from gitlineage.query.comparing import EXACT, rank_test

LOW = Task(lower_is_better=True)
VALUES = st.lists(st.integers(0, 12).map(float), min_size=1, max_size=14)


class Ears(Watcher):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Hear a note."""
        self.notes.append(text)


class TestRankTest:
    """The rank-sum test."""

    def test_too_few_scores(self) -> None:
        """Where even the most extreme order could come by chance more often than one in twenty, there is no test."""
        assert rank_test([1, 2, 3], [4, 5, 6], LOW) is None
        assert rank_test([], [1] * 50, LOW) is None
        assert rank_test([1, 2, 3, 4], [5, 6, 7, 8], LOW) is not None

    def test_which_side_wins(self) -> None:
        """The share is that of the first side in the task's direction."""
        low, high = [1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]
        assert rank_test(low, high, LOW).share == 1.0
        assert rank_test(low, high, Task(lower_is_better=False)).share == 0.0
        assert rank_test(low, high, LOW).p == rank_test(high, low, LOW).p == pytest.approx(2 / comb(8, 4))

    def test_all_are_equal(self) -> None:
        """Nothing can be told of ties alone."""
        found = rank_test([1.0] * 9, [1.0] * 9, LOW)
        assert (found.p, found.share, found.method) == (1.0, 0.5, "normal")

    @settings(max_examples=40, deadline=None)
    @given(st.integers(4, 6), st.integers(4, 6), st.randoms(use_true_random=False))
    def test_exact_is_a_count_of_all_orders(self, n: int, m: int, random: object) -> None:
        """The exact p is the share of all ways to deal out the ranks that are as far from the middle."""
        values = [float(value) for value in range(n + m)]
        random.shuffle(values)  # type: ignore[attr-defined]
        found = rank_test(values[:n], values[n:], LOW)
        away = abs(found.u - n * m / 2)
        sums = [sum(chosen) - n * (n - 1) / 2 for chosen in combinations(range(n + m), n)]
        assert found.method == "exact"
        assert found.p == pytest.approx(sum(abs(u - n * m / 2) >= away for u in sums) / len(sums))

    @pytest.mark.extra("scipy")
    @settings(max_examples=60, deadline=None)
    @given(VALUES, VALUES)
    def test_scipy_says_the_same(self, a: list[float], b: list[float]) -> None:
        """U and p are scipy's, for ties and without."""
        from scipy.stats import mannwhitneyu

        found = rank_test(a, b, Task(lower_is_better=False))
        if found is None:
            assert 2 / comb(len(a) + len(b), len(a)) > 0.05
            return
        is_exact = len({*a, *b}) == len(a) + len(b) <= EXACT
        other = mannwhitneyu(a, b, method="exact" if is_exact else "asymptotic")
        assert found.method == ("exact" if is_exact else "normal")
        assert found.u == other.statistic
        if len({*a, *b}) > 1:
            assert found.p == pytest.approx(other.pvalue, abs=1e-12)


@pytest.fixture
def campaign(store: LineageStore) -> LineageStore:
    """A baseline, two cohorts of its children, and three runs of one recipe."""
    store.set_task(Task(score_field="core_metric", lower_is_better=True))
    seed = store.commit({"train.py": b"0", "old": b""}, trial=Trial(exp_id="seed", status="baseline", core_metric=5.0))
    for name, scores in (("slow", (4.0, 4.1, 4.2, 4.3)), ("fast", (1.0, 1.5, 2.0, 2.5))):
        for at, score in enumerate(scores):
            trial = Trial(exp_id=f"{name}{at}", status="keep", core_metric=score, specialist=name)
            store.commit({"train.py": f"{name} {at}".encode()}, [seed], trial=trial, cohort=name)
    for score in (1.2, 1.1):
        store.record("fast0", Trial(status="discard", core_metric=score), replicate=True)
    store.record("fast1", Trial(status="crash"), replicate=True)
    return store


class TestCompare:
    """What stands side by side."""

    def test_cohorts(self, campaign: LineageStore) -> None:
        """Two cohorts: all their trials, what they differ by and what only one has; a crash has no score."""
        found = campaign.compare("slow", "fast")
        assert (found.a.kind, found.a.trials, found.b.trials, len(found.b.scores)) == ("cohort", 4, 7, 6)
        assert (found.a.best, found.b.best, found.b.best_score) == ("slow0", "fast0", 1.0)
        assert found.change == pytest.approx(found.b.mean - found.a.mean) and found.better == "fast"
        assert (
            found.test.method == "exact" and found.test.share == 0.0 and found.test.p == pytest.approx(2 / comb(10, 4))
        )
        assert {each.what: (each.a, each.b) for each in found.differences}["specialist"] == (("slow",), ("fast",))

    def test_trials_stand_for_their_content(self, campaign: LineageStore) -> None:
        """A trial has the scores of all runs of its content; files and cells that only one has are named."""
        found = campaign.compare("seed", "fast0")
        assert found.b.scores == (1.0, 1.2, 1.1) and found.b.mean == pytest.approx(1.1)
        assert found.a.spread is None and found.b.spread == pytest.approx(0.1)
        assert found.test is None and found.changed == ("train.py",)
        told = {each.what: (each.a, each.b) for each in found.differences}
        assert told["files"] == (("old",), ()) and told["line"] == ((), ("seed",))
        assert told["specialist"] == ((), ("fast",))

    def test_a_name_of_both(self, campaign: LineageStore, open_store: Callable[..., LineageStore]) -> None:
        """A trial and a cohort of one name: the trial is taken, and that is said with the way to the other."""
        campaign.commit({"x": b""}, ["seed"], trial=Trial(exp_id="slow", status="keep", core_metric=3.0))
        ears = Ears()
        store = open_store(watcher=ears)
        assert store.compare("slow", "fast").a.kind == "trial"
        assert ears.notes == [
            "slow is a trial and a cohort, and the trial was taken; `lineage/cohorts/slow` is the other"
        ]
        assert store.compare("lineage/cohorts/slow", "fast").a.kind == "cohort"

    def test_nobody(self, campaign: LineageStore) -> None:
        """A name of neither is not found."""
        with pytest.raises(NotFound, match="trial or cohort 'nobody'"):
            campaign.compare("seed", "nobody")


SIDES = st.lists(
    st.tuples(
        st.sampled_from(["keep", "discard", "baseline", "crash", "harness_abort", "disqualified"]),
        st.sampled_from(["", "0.5", "1", "2", "3.25", "-4", "1e3"]) | st.integers(0, 40).map(str),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.extra("pandas", "scipy")
@settings(max_examples=25, deadline=None)
@given(SIDES, SIDES, st.booleans())
def test_pandas_and_scipy_compare_the_same(one: list[tuple], other: list[tuple], lower: bool) -> None:
    """Every figure of two cohorts is what pandas makes of the exported rows, and the test is scipy's."""
    import pandas
    from scipy.stats import mannwhitneyu

    task = Task(score_field="core_metric", lower_is_better=lower)
    with tempfile.TemporaryDirectory() as folder, LineageStore(folder, task=task) as store:
        with store.batch():
            for cohort, rows in (("one", one), ("other", other)):
                for at, (status, score, _) in enumerate(rows):
                    trial = Trial(exp_id=f"{cohort}{at}", status=status, core_metric=score)
                    store.commit({"at": f"{cohort} {at}".encode()}, trial=trial, cohort=cohort)
        for cohort, rows in (("one", one), ("other", other)):
            for at, (_, _, is_wrong) in enumerate(rows):
                if is_wrong and at % 2:
                    store.retract(f"{cohort}{at}", "wrong file")
        frame = store.to_pandas()
        found = store.compare("one", "other")
    frame = frame[frame.retracted == ""]
    measured = frame[~frame.status.isin(["crash", "preflight_crash", "harness_abort"])]
    scores = []
    for side in (found.a, found.b):
        told = measured[measured.cohort == side.name].core_metric.dropna()
        scores.append(told)
        assert side.trials == int((frame.cohort == side.name).sum())
        assert dict(side.statuses) == frame[frame.cohort == side.name].status.value_counts().to_dict()
        assert list(side.scores) == told.tolist()
        assert side.best_score == (None if told.empty else told.min() if lower else told.max())
        assert side.mean == (None if told.empty else pytest.approx(told.mean()))
        assert side.median == (None if told.empty else told.median())
        assert side.spread == (None if len(told) < 2 else pytest.approx(told.std()))
    a, b = scores
    assert found.change == (None if a.empty or b.empty else pytest.approx(b.mean() - a.mean()))
    if found.test is None:
        assert a.empty or b.empty or 2 / comb(len(a) + len(b), len(a)) > 0.05
        return
    is_exact = pandas.concat(scores).is_unique and len(a) + len(b) <= EXACT
    wanted = mannwhitneyu(-a if lower else a, -b if lower else b, method="exact" if is_exact else "asymptotic")
    assert (found.test.u, found.test.method) == (wanted.statistic, "exact" if is_exact else "normal")
    if pandas.concat(scores).nunique() > 1:
        assert found.test.p == pytest.approx(wanted.pvalue, abs=1e-12)
