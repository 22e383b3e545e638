"""The one judge: keep, discard and baseline, by the best and by the noise of replicates."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage import FailureLabel, LineageStore, Task, Trial
from gitlineage.query.judge import SIGMAS, Noise, pooled, verdict


@pytest.fixture
def task() -> Task:
    """A task whose scores are losses."""
    return Task(score_field="val_bpb", lower_is_better=True)


def ran(store: LineageStore, content: bytes, *scores: float) -> list[FailureLabel | None]:
    """Record scores of one content, the first with its snapshot, and return what each was judged to be."""
    first = store.commit({"f": content}, trial=Trial(val_bpb=scores[0]))
    rest = [store.record(first, Trial(val_bpb=score)) for score in scores[1:]]
    return [first.trials[0].status, *(trial.status for trial in rest)]


def test_every_door_judges(open_store, task) -> None:
    """A score without a status is judged by commit, record, append and append_many; neither is pending."""
    store = open_store(task=task)
    assert store.commit({"f": b"0"}, trial=Trial(val_bpb=2.0)).trial.status is FailureLabel.BASELINE
    assert store.commit({"f": b"1"}, trial=Trial(val_bpb=1.9)).trial.status is FailureLabel.KEEP
    waiting = store.commit({"f": b"2"}, trial=Trial(hypothesis="later"))
    assert waiting.trial.status is None
    assert store.record(waiting, Trial(val_bpb=1.95)).status is FailureLabel.DISCARD
    assert store.append(Trial(val_bpb=1.8)).trial.status is FailureLabel.KEEP
    many = store.append_many([Trial(val_bpb=1.85), Trial(val_bpb=1.7), Trial(val_bpb=1.7)])
    assert [each.trial.status for each in many] == ["discard", "keep", "discard"]
    assert store.announce(waiting, Trial(exp_id="w", val_bpb=0.1)).status is None
    assert [trial.exp_id for trial in store.leaderboard()] == ["005", "003", "001"]


def test_the_same_row_again_adds_nothing(open_store, task) -> None:
    """A retry of what was judged is known, although the judge would say otherwise now."""
    store = open_store(task=task)
    row = Trial(exp_id="a", val_bpb=2.0)
    assert store.commit({"f": b"0"}, trial=row).oid == store.commit({"f": b"0"}, trial=row).oid
    again = Trial(exp_id="b", val_bpb=1.0)
    assert store.append(again).oid == store.append(again).oid
    assert [trial.status for trial in store.all_trials()] == ["baseline", "keep"]


def test_the_verdict_has_its_reason(open_store, task) -> None:
    """It names what the score was held against."""
    store = open_store(task=task)
    assert store.judge(2.0).reason == "baseline: nothing to compare it with yet"
    assert store.judge(None).status is None
    store.commit({"f": b"0"}, trial=Trial(val_bpb="2.00"))
    found = store.judge(1.5)
    assert (found.status, found.best, found.best_score) == (FailureLabel.KEEP, "000", 2.0)
    assert found.reason == "keep: it beats the best so far, 000 with 2.00"
    assert store.judge(2.0).reason == "discard: it does not beat the best so far, 000 with 2.00"


@pytest.mark.parametrize("lower", [True, False])
def test_a_keep_exceeds_two_sigma_of_the_replicates(open_store, lower) -> None:
    """Where the best was run several times, what is better by less than its noise is none, and sigma and n are told."""
    store = open_store(task=Task(score_field="val_bpb", lower_is_better=lower))
    sign = 1 if lower else -1
    scores = [sign * each for each in (1.0, 1.02, 0.98, 1.01)]
    assert ran(store, b"0", *scores) == ["baseline", "discard", "discard", "discard"]
    sigma = statistics.stdev(scores)
    small, large = store.judge(sign * (1.0 - 1.9 * sigma)), store.judge(sign * (1.0 - 2.1 * sigma))
    assert (small.status, large.status) == (FailureLabel.DISCARD, FailureLabel.KEEP)
    assert small.noise.sigma == pytest.approx(sigma)
    for found in (small, large):
        assert "two sigma (sigma 0.0171 of n 4 replicates)" in found.reason
    assert small.reason.startswith("discard: it beats the best so far")
    assert store.commit({"f": b"1"}, trial=Trial(val_bpb=small.score)).trial.status is FailureLabel.DISCARD
    assert store.commit({"f": b"2"}, trial=Trial(val_bpb=large.score)).trial.status is FailureLabel.KEEP


def test_the_baselines_noise_goes_on_counting(open_store, task) -> None:
    """The best was run once; what the baseline's replicates show holds for it, too."""
    store = open_store(task=task)
    ran(store, b"0", 1.0, 1.1, 0.9)
    ran(store, b"1", 0.5)
    assert store.judge(0.45).status is FailureLabel.DISCARD
    assert store.judge(0.2).status is FailureLabel.KEEP


def test_a_lucky_run_of_the_same_content_is_no_keep(open_store, task) -> None:
    """Its own score is among the replicates that it is held against."""
    store = open_store(task=task)
    assert ran(store, b"0", 1.0, 0.9, 0.95, 0.93) == ["baseline", "discard", "discard", "discard"]
    assert store.best().exp_id == "000"


def test_rows_whose_code_is_unknown_are_no_replicates(open_store, task) -> None:
    """Rows alone share an empty tree, which says nothing of what was run."""
    store = open_store(task=task)
    statuses = [store.append(Trial(val_bpb=score)).trial.status for score in (1.0, 0.99, 0.98)]
    assert statuses == ["baseline", "keep", "keep"]


def test_a_crash_measures_nothing(open_store, task) -> None:
    """A number in a crash's cell is no replicate."""
    store = open_store(task=task)
    first = store.commit({"f": b"0"}, trial=Trial(val_bpb=1.0))
    store.record(first, Trial(status="crash", val_bpb=9.0))
    assert store.judge(0.9).status is FailureLabel.KEEP


@given(
    record=st.floats(-1e6, 1e6),
    score=st.floats(-1e6, 1e6),
    group=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6),
    lower=st.booleans(),
)
def test_noise_only_ever_forbids(record: float, score: float, group: list[float], lower: bool) -> None:
    """With replicates a keep is one without them, too, and its difference exceeds two sigma."""
    task = Task(lower_is_better=lower)
    plain, held = verdict(task, score, "x", record), verdict(task, score, "x", record, pooled({"x": group}))
    assert (plain.status is FailureLabel.KEEP) == task.better(score, record)
    if held.status is FailureLabel.KEEP:
        assert plain.status is FailureLabel.KEEP
        assert abs(score - record) > SIGMAS * held.noise.sigma
    assert verdict(task, score, "x", record, Noise()).status is plain.status


def test_a_retracted_run_measures_nothing(open_store, task) -> None:
    """What was taken back is no replicate, neither of the best nor of what is judged."""
    store = open_store(task=task)
    ran(store, b"0", 1.0, 5.0)
    assert store.judge(0.9).status is FailureLabel.DISCARD
    store.retract("001", "the wrong data")
    assert store.judge(0.9).status is FailureLabel.KEEP
