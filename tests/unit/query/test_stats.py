"""gitlineage.query.stats: who gets on and who is stuck, counted as pandas counts the same rows."""

import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import LineageStore, NotFound, Stat, Task, Trial
from gitlineage.query.stats import GROUPS
from gitlineage.query.table import staircase, table

SCORES = st.sampled_from(["", "0.5", "0.25", "1", "2", "-1", "1e3"])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "status": st.sampled_from(["keep", "discard", "baseline", "crash", "harness_abort", "disqualified"]),
            "core_metric": SCORES,
            "specialist": st.sampled_from(["", "opt", "data"]),
            "domain": st.sampled_from(["", "lr", "wd"]),
            "total_s": st.sampled_from(["", "60", "3600"]),
            "train_s": st.sampled_from(["", "30"]),
            "timestamp": st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02 10:00:00", "2026-01-01"]),
            "parent": st.integers(-1, 30),
            "cohort": st.sampled_from(["", "first", "second"]),
            "retracted": st.booleans(),
        }
    ),
    min_size=1,
    max_size=14,
)


def filled(store: LineageStore, rows: list[dict]) -> None:
    """Record rows whose parents are earlier ones, some of them in cohorts, and retract some."""
    for name in ("first", "second"):
        store.open_cohort(name, allow_mixed=True)
    with store.batch():
        for at, row in enumerate(rows):
            parents = [f"{row['parent'] % at:03d}"] if at and row["parent"] >= 0 else []
            cells = {name: cell for name, cell in row.items() if name not in ("parent", "cohort", "retracted")}
            trial = Trial(exp_id=f"{at:03d}", **cells)
            store.commit({"at": b"%d" % at}, parents, trial=trial, cohort=row["cohort"] or None)
    for at, row in enumerate(rows):
        if row["retracted"] and at % 3 == 0:
            store.retract(f"{at:03d}", "wrong file")


def by_pandas(store: LineageStore, by: str) -> dict[str, dict]:
    """Return the same figures from the exported frame alone."""
    frame = store.to_pandas()
    names = dict(zip(frame.oid, frame.exp_id, strict=True))
    frame["cohort"] = frame.cohort.fillna("")
    frame["day"] = frame.timestamp.str[:10]
    frame["parent"] = [names.get(above[0], "") if above else "" for above in frame.parents]
    frame = frame[frame.retracted == ""]
    can = frame[frame.status.isin(["keep", "baseline"]) & frame.core_metric.notna()]
    turn = 1 if store.task.lower_is_better else -1
    order = can.core_metric * turn
    frame = frame.assign(gain=(order.cummin().shift() - order).clip(lower=0).reindex(frame.index).fillna(0.0))
    frame["seconds"] = frame.total_s.fillna(frame.train_s)
    found = {}
    for name, group in frame.groupby(by, sort=False):
        could = group[~group.status.isin(["baseline", "harness_abort"])]
        kept = group[group.status == "keep"]
        best = order.loc[can.index.intersection(group.index)]
        since = group if kept.empty else group.loc[kept.index[-1] :].iloc[1:]
        found[name] = {
            "trials": len(group),
            "kept": len(kept),
            "keep_rate": None if could.empty else len(kept) / len(could),
            "best": "" if best.empty else frame.exp_id[best.idxmin()],
            "best_score": None if best.empty else turn * best.min(),
            "gain": pytest.approx(group.gain.sum()),
            "gain_per_trial": pytest.approx(group.gain.mean()),
            "hours": None if group.seconds.isna().all() else pytest.approx(group.seconds.sum() / 3600),
            "since_keep": int((since.status != "harness_abort").sum()),
        }
    return found


@pytest.mark.extra("pandas")
@settings(max_examples=25, deadline=None)
@given(ROWS, st.booleans())
def test_pandas_counts_the_same(rows: list[dict], lower: bool) -> None:
    """Each figure of each group is what pandas makes of the exported rows, whatever they are, in both directions."""
    task = Task(score_field="core_metric", lower_is_better=lower)
    with tempfile.TemporaryDirectory() as folder, LineageStore(folder, task=task) as store:
        filled(store, rows)
        for by in GROUPS:
            wanted = by_pandas(store, by)
            found = {stat.group: stat for stat in store.stats(by)}
            assert found.keys() == wanted.keys()
            for name, figures in wanted.items():
                assert {each: getattr(found[name], each) for each in figures} == figures, (by, name)


class TestWords:
    """What each figure means."""

    @pytest.fixture
    def campaign(self, store: LineageStore) -> LineageStore:
        """A baseline, a keep of opt in a cohort, three failures of data, a keep of opt, and one that waits."""
        store.set_task(Task(score_field="acc", lower_is_better=False))
        seed = store.commit({"a": b"0"}, trial=Trial(status="baseline", extra={"acc": "0.5"}, total_s=1800))
        rows = [
            ("keep", "0.7", "opt", "gen-1"),
            ("discard", "0.6", "data", "gen-1"),
            ("crash", "", "data", None),
            ("harness_abort", "", "data", None),
            ("keep", "0.8", "opt", None),
            (None, "", "opt", None),
        ]
        for at, (status, acc, who, cohort) in enumerate(rows, 1):
            trial = Trial(status=status, extra={"acc": acc} if acc else {}, specialist=who, total_s=3600)
            store.commit({"a": b"%d" % at}, [seed], trial=trial, cohort=cohort)
        return store

    def test_of_all(self, campaign: LineageStore) -> None:
        """A pending trial is none; a baseline and an abort could not be kept; the first best gained nothing."""
        (found,) = campaign.stats()
        assert (found.trials, found.kept, found.keep_rate) == (6, 2, 0.5)
        assert (found.best, found.best_score, found.since_keep) == ("005", 0.8, 0)
        assert found.gain == pytest.approx(0.3) and found.gain_per_trial == pytest.approx(0.05)
        assert found.hours == pytest.approx(5.5)

    def test_the_best_group_comes_first(self, campaign: LineageStore) -> None:
        """Groups stand by their best in the task's direction; one that never had any is last, and its trials count."""
        assert [stat.group for stat in campaign.stats("specialist")] == ["opt", "", "data"]
        stuck = campaign.stats("specialist")[-1]
        assert (stuck.best, stuck.gain, stuck.since_keep, stuck.keep_rate) == ("", 0.0, 2, 0.0)
        assert [(stat.group, stat.trials) for stat in campaign.stats("cohort")] == [("", 4), ("gen-1", 2)]

    def test_a_choice(self, campaign: LineageStore) -> None:
        """Figures may be of some trials only."""
        assert campaign.stats(specialist="data")[0].trials == 3
        assert campaign.stats(since="004")[0].trials == 2
        assert campaign.stats(since="2026-01-01T00:00:00Z")[0].trials == 6
        assert campaign.stats(since="2027-01-01") == [Stat()]
        assert campaign.stats(cohort="gen-1", statuses=["keep"])[0].best == "001"
        with pytest.raises(NotFound, match="yesterday"):
            campaign.stats(since="yesterday")
        with pytest.raises(ValueError, match="author"):
            campaign.stats("author")

    def test_steps(self, campaign: LineageStore) -> None:
        """The staircase has the trials that were the best when they came, and ends at the best."""
        whole = table(campaign.ledger.views())
        assert whole.labels(staircase(whole.rows, whole.task)) == ["000", "001", "005"]
        assert campaign.best().exp_id == "005"

    def test_nothing(self, store: LineageStore) -> None:
        """A store without trials has figures, too, and no groups."""
        assert store.stats() == [Stat()]
        assert store.stats("status") == []
