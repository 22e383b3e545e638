"""A batch against the same steps one by one: what it records, refuses and answers at every moment."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import LineageError, LineageStore, Task, Trial

STATUSES = ("keep", "discard", "baseline", "harness_abort", "")
SCORES = (None, 0.5, 0.25, 1.0)
NAMES = ("", "1", "2", "a", "007")
TASKS = (Task(), Task(score_field="train_s", lower_is_better=False))

_rows = st.builds(
    lambda name, status, score, wall, parent: {
        "exp_id": name,
        "status": status or None,
        "core_metric": score,
        "train_s": wall,
        "parent_exp": parent,
    },
    st.sampled_from(NAMES),
    st.sampled_from(STATUSES),
    st.sampled_from(SCORES),
    st.sampled_from(SCORES),
    st.sampled_from(("", "1", "exp_a", "nobody")),
)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), _rows, st.integers(0, 5), st.sampled_from((None, None, "c"))),
        st.tuples(st.just("bare"), st.none(), st.integers(0, 5), st.sampled_from((None, "c"))),
        st.tuples(st.just("record"), _rows, st.integers(0, 5), st.booleans()),
        st.tuples(st.just("append"), _rows, st.integers(0, 5), st.none()),
        st.tuples(st.just("many"), st.lists(_rows, max_size=3), st.integers(0, 5), st.none()),
        st.tuples(st.just("task"), st.sampled_from(TASKS), st.none(), st.none()),
        st.tuples(st.just("cohort"), st.none(), st.integers(0, 5), st.sampled_from(("c", "d"))),
    ),
    max_size=12,
)


def clock():
    """A clock that always says the same, so that the number of questions to it does not matter."""
    return datetime(2026, 1, 1, tzinfo=UTC)


def trial(cells: dict) -> Trial:
    """Return a trial of the cells that are not empty."""
    return Trial(**({"exp_id": "auto"} | {name: value for name, value in cells.items() if value not in (None, "")}))


def do(store: LineageStore, step: tuple, made: list) -> str:
    """Take a step, note the snapshot it made, and return the name of the error it met, if any."""
    kind, what, at, more = step
    near = [made[at]] if at is not None and at < len(made) else []
    try:
        if kind == "commit":
            made.append(store.commit({"f": b"x"}, near, trial=trial(what), cohort=more).oid)
        elif kind == "bare":
            made.append(store.commit({"f": b"y"}, near, cohort=more).oid)
        elif kind == "record" and near:
            store.record(near[0], trial(what), revise=more)
        elif kind == "append":
            made.append(store.append(trial(what), parents=near or None).oid)
        elif kind == "many":
            rows = [trial(cells | {"exp_id": cells["exp_id"] or f"m{i}"}) for i, cells in enumerate(what)]
            made += [snapshot.oid for snapshot in store.append_many(rows)]
        elif kind == "task":
            store.set_task(what)
        elif kind == "cohort":
            store.open_cohort(more, near)
    except LineageError as error:
        return type(error).__name__
    return ""


def told(store: LineageStore, made: list) -> dict:
    """Return what a store answers, with the steps that made its snapshots for their oids."""
    number = {oid: at for at, oid in enumerate(made)}
    best = store.ledger.views().best()
    return {
        "rows": [view.trial.cells() for view in store.ledger.views().all()],
        "pending": [(number[view.oid], view.trial.cells()) for view in store.log(limit=None)],
        "best": best and (number[best.oid], best.trial.cells()),
        "board": [row.cells() for row in store.leaderboard()],
        "cohorts": [(c.name, [number[m] for m in c.members], [number[b] for b in c.base]) for c in store.cohorts()],
        "up": [[(number[n.id], n.depth) for n in store.ancestors(oid)] for oid in made],
        "down": [[(number[n.id], n.depth) for n in store.descendants(oid)] for oid in made],
        "views": [[(v.label, v.parent) for v in store.ledger.views().on_snapshot(oid)] for oid in made],
        "leaves": sorted(number[leaf.oid] for leaf in store.leaves()),
    }


@settings(max_examples=30, deadline=None)
@given(_steps)
def test_a_batch_is_as_its_steps_one_by_one(steps):
    """Rows, automatic ids, deltas, cohorts, refusals and every answer are the same, inside and after."""
    with TemporaryDirectory() as top:
        single = LineageStore(Path(top) / "single", writer="w", clock=clock)
        batch = LineageStore(Path(top) / "batch", writer="w", clock=clock)
        one, two = [], []
        with batch.batch():
            for step in steps:
                assert do(single, step, one) == do(batch, step, two), step
                best = batch.ledger.views().best()
                known = batch.ledger._memory.best_in(batch.ledger.views())
                assert known == (best.trial if best else None)
                assert told(single, one) == told(batch, two)
        assert told(single, one) == told(batch, two)
        batch.reindex()
        assert told(single, one) == told(batch, two)
        assert batch.history.problems() == []


def test_the_parent_cell_in_a_batch_follows_which_trial_is_first(store):
    """A pending trial that gets its result after another one's no longer names the snapshot, in a batch as outside."""
    with store.batch():
        parent = store.commit({"f": b"1"}, trial=Trial(exp_id="a")).oid
        store.record(parent, Trial(exp_id="b", status="discard", core_metric=1.0))
        store.record(parent, Trial(exp_id="a", status="keep", core_metric=2.0))
        store.commit({"f": b"2"}, [parent], trial=Trial(exp_id="c", status="keep"))
    assert store.trial("c").parent_exp == "b" == store.ledger.views().exp_id_on(parent)


@pytest.mark.parametrize(
    "cells", [{"exp_id": "2", "status": "keep", "points": "nan"}, {"exp_id": "2", "hypothesis": "x" * 2_000_000}]
)
def test_a_refused_table_leaves_nothing_in_a_batch(store, cells):
    """A row that cannot be recorded is found before the first one is, so that a batch may go on without the table."""
    rows = [Trial(exp_id="1", status="keep"), Trial.from_cells(cells)]
    store.set_task(Task(score_field="points"))
    with store.batch():
        store.append(Trial(exp_id="0", status="baseline"))
        with pytest.raises(LineageError):
            store.append_many(rows)
        assert [row.exp_id for row in store.all_trials()] == ["0"]
    assert [view.label for view in store.log()] == ["0"]
