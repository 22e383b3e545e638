"""gitlineage.page.following: what came since a table was read is told as the table would tell it now."""

import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import LineageStore, Task, Trial
from gitlineage.page.following import Following
from gitlineage.query.table import Row, table

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["commit", "pending", "result", "replicate", "row", "retract", "notes", "bare", "mate"]),
        st.integers(0, 30),
        st.sampled_from(["", "0.5", "1", "2"]),
    ),
    max_size=12,
)


class Followed:
    """A campaign's rows as whoever follows it has them."""

    def __init__(self, store: LineageStore) -> None:
        self.store = store
        self.anew()

    def anew(self) -> None:
        """Read everything."""
        views = self.store.ledger.views()
        self.rows: list[Row] = list(table(views).rows)
        self.following = Following(views, self.rows)

    def catch_up(self) -> bool:
        """Take in what came, and return whether that could be told by itself."""
        views = self.store.ledger.views()
        with views.index.steady():
            places = self.following.news(views)
            if places is not None:
                for row, at, _ in self.following.rows(views, places):
                    self.rows[at : at + 1] = [row]
        if places is None:
            self.anew()
        return places is not None


def do(store: LineageStore, step: str, at: int, score: str) -> None:
    """Record something."""
    trials = store.all_trials()
    name = trials[at % len(trials)].exp_id
    status = "keep" if score else "crash"
    files = {"f": b"%d" % store.ledger.models.index.events}
    if step in ("commit", "pending"):
        trial = Trial(core_metric=score, status=status if step == "commit" else None, extra={"n": str(at)})
        store.commit(files, [name], trial=trial, cohort="some" if at % 2 else None)
    elif step == "mate":
        other = trials[(at + 1) % len(trials)].exp_id
        parents = [name, other] if store.resolve(name) != store.resolve(other) else [name]
        roles = dict(zip(parents, ("base", "mate"), strict=False)) if len(parents) == 2 else None
        store.commit(files, parents, trial=Trial(status=status, core_metric=score), roles=roles)
    elif step == "bare":
        made = store.commit(files, [name])
        store.commit({**files, "g": b"x"}, [made], trial=Trial(status=status, core_metric=score))
    elif step == "result":
        waiting = [each.exp_id for each in trials if each.status is None]
        if waiting:
            store.record(waiting[0], Trial(status=status, core_metric=score))
    elif step == "replicate":
        store.record(name, Trial(status=status, core_metric=score), replicate=True)
    elif step == "row":
        store.append(Trial(status=status, core_metric=score, parent_exp=name))
    elif step == "retract":
        store.retract(name, "wrong")
    else:
        store.record(name, Trial(exp_id=name, notes=f"looked at {at}"), revise=True)


@settings(max_examples=30, deadline=None)
@given(STEPS)
def test_it_says_what_the_table_says(steps: list[tuple[str, int, str]]) -> None:
    """After whatever was recorded, the rows that are followed are those of a table that is read anew."""
    with tempfile.TemporaryDirectory() as folder, LineageStore(folder, task=Task(score_field="core_metric")) as store:
        store.commit({"f": b""}, trial=Trial(status="baseline", core_metric="3"))
        store.open_cohort("some", allow_mixed=True)
        followed = Followed(store)
        for step in steps:
            do(store, *step)
            followed.catch_up()
            assert followed.rows == table(store.ledger.views()).rows


@pytest.mark.parametrize("step", ["commit", "pending", "result", "mate", "bare", "notes", "replicate"])
def test_what_a_loop_does_is_told_by_itself(store: LineageStore, step: str) -> None:
    """A new trial, its result, a further run and a note leave all other rows unread."""
    store.commit({"f": b""}, trial=Trial(status="baseline", core_metric=3))
    store.commit({"f": b"waits"}, ["000"], trial=Trial())
    followed = Followed(store)
    do(store, step, 0, "1")
    assert followed.catch_up()
    assert followed.rows == table(store.ledger.views()).rows


def test_another_task_is_read_anew(store: LineageStore) -> None:
    """Another task ranks all rows anew, so that everything is read."""
    store.commit({"f": b""}, trial=Trial(status="baseline", core_metric=3, val_bpb=1))
    followed = Followed(store)
    store.set_task(Task(score_field="val_bpb"))
    assert not followed.catch_up()
    assert followed.rows[0].score == 1
