"""gitlineage.query.table: the flat table says of every trial what its view says."""

from collections.abc import Callable

from gitlineage import LineageStore, Trial
from gitlineage.query.table import chosen, table


def test_rows_say_what_views_say(store: LineageStore, git: Callable[..., str]) -> None:
    """Label, parents with roles, cohort, writer and place agree, of replicates and shared ids, too."""
    seed = store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    mate = store.commit({"a": b"2"}, [seed], trial=Trial(status="keep", core_metric=0.9), cohort="gen")
    bare = store.commit({"a": b"3"}, [mate])
    below = store.commit({"a": b"4"}, [bare, seed], trial=Trial(status="crash"), roles={seed.oid: "mate"})
    store.record(mate, Trial(exp_id="x", status="discard", core_metric=0.95), replicate=True)
    store.commit({"a": b"5"}, [mate], trial=Trial(parent_exp="x"), roles={below.oid: "inspiration"})
    store.retract("x", "wrong")
    theirs = git("commit-tree", "-p", below.oid, "-m", "bob's, from another machine", seed.tree)
    event = '{"clock":1,"row":{"core_metric":"0.5","exp_id":"000","status":"keep"},"type":"trial"}'
    git("notes", "--ref=lineage/bob", "append", "-m", event, theirs)
    views = store.ledger.views()
    whole = table(views)
    seen = {view.label: view for view in views.listing()}
    assert len(seen) == len(whole.rows) == 6 and "000@bob" in seen
    for row in whole.rows:
        view = seen[row.label]
        assert (row.oid, row.cohort or None, row.writer, row.clock) == (
            view.oid,
            view.cohort,
            view.order.writer,
            view.order.clock,
        )
        assert whole.labels(row.parents[:1]) == [view.parent] * (view.parent is not None)
        told = [kin.label for kin in view.others]
        assert [*whole.labels(row.parents[1:]), *(views.name(oid) for oid, _ in row.inspired)] == told
        assert row.score == (view.trial.core_metric if view.retracted is None else None)
        status = "retracted" if view.retracted is not None else view.trial.status or "pending"
        assert row.status == status
    crash = next(row for row in whole.rows if row.status == "crash")
    assert (crash.roles, whole.labels(crash.parents)) == (("", "mate"), ["001", "000@alice"])


def test_content_is_what_was_run(store: LineageStore) -> None:
    """Equal trees are equal content; a row alone, whose code nobody knows, has one of its own."""
    first = store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    store.commit({"a": b"2"}, [first], trial=Trial(status="keep", core_metric=0.9))
    store.record(first, Trial(status="keep", core_metric=0.8), replicate=True)
    store.append(Trial(status="discard", core_metric=2.0, parent_exp="000"))
    contents = [row.content for row in table(store.ledger.views()).rows]
    assert contents[0] == contents[2] != contents[1]
    assert len(set(contents)) == 3


def test_a_choice_moves_the_parents(store: LineageStore) -> None:
    """Rows that stay name their parents by their new places; what is left out is counted."""
    last: list[str] = []
    for at in range(5):
        trial = Trial(status="keep", core_metric=1.0 - at / 10, specialist="even" if at % 2 == 0 else "odd")
        last = [store.commit({"a": b"%d" % at}, last, trial=trial).oid]
    views = store.ledger.views()
    few = chosen(views, table(views), since="002")
    assert ([row.label for row in few.rows], [row.parents for row in few.rows]) == (
        ["002", "003", "004"],
        [(), (0,), (1,)],
    )
    assert few.left_out == 2
    assert [row.parents for row in chosen(views, table(views), specialist="odd").rows] == [(), ()]
    assert [row.label for row in chosen(views, table(views), above=store.resolve("001")).rows] == ["000", "001"]
