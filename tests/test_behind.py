"""New trials that wait in memory before the index's file gets them: nobody can tell, whoever reads, writes or fails."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from answers import dump
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlineage import Duplicate, LineageStore, StorageError, Trial, index
from gitlineage.index import Index
from gitlineage.landing import Landing
from gitlineage.ledger import Ledger
from gitlineage.recorder import Recorder
from gitlineage.worktree import Content

Open = Callable[..., LineageStore]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens stores on one repository and closes them."""
    with ExitStack() as stack:
        yield lambda writer="alice": stack.enter_context(open_at(tmp_path / "repo", writer))


def open_at(root: Path, writer: str) -> LineageStore:
    """Open a store of a writer."""
    return LineageStore(root, writer=writer, identity=(writer.title(), f"{writer}@example.org"))


def trial(exp_id: str, **cells: object) -> Trial:
    """Return a trial that changes neither the best one nor any ref but its writer's."""
    return Trial(exp_id, status="discard", core_metric=2.0, **cells)


def start(store: LineageStore) -> None:
    """Record a baseline, so that the best trial is known and stays what it is."""
    store.append(Trial("000", status="baseline", core_metric=1.0))
    assert store.best().exp_id == "000"


def written(store: LineageStore) -> set[str]:
    """Return the exp ids that the index's file has."""
    with sqlite3.connect((store.root / ".git" / "lineage" / "index.sqlite3").resolve()) as connection:
        found = {exp_id for (exp_id,) in connection.execute("SELECT exp_id FROM trials")}
    connection.close()
    return found


def same_as_anew(store: LineageStore) -> None:
    """Check that the index's file says what one that is built from the notes says, in whatever order."""
    store.refresh()
    anew = index.build(store.repo, store.journal, store.journal.tips())
    assert dump(store._index) == dump(anew)
    assert store.verify() == []


def test_trials_wait_until_somebody_asks(opened):
    """The file gets them all at once; until then another store reads them from the notes."""
    store = opened()
    start(store)
    for at in range(3):
        store.append(trial(f"t{at}", parent_exp="000"))
    assert written(store) == {"000"}
    assert {each.exp_id for each in store.all_trials()} == {"000", "t0", "t1", "t2"} == written(store)
    store.append(trial("t3", parent_exp="t2"))
    assert written(store) == {"000", "t0", "t1", "t2"}
    assert opened("bob").trial("t3").parent_exp == "t2"
    assert [each.exp_id for each in store.chain_to("t3")] == ["000", "t2", "t3"]
    same_as_anew(store)


def test_closing_writes_what_waits(opened):
    """The next process has nothing to read from the notes."""
    store = opened()
    start(store)
    store.append(trial("t"))
    store.close()
    assert written(store) == {"000", "t"}
    with open_at(store.root, "alice") as again:
        assert again.journal.tips() == again._index.tips()


def test_only_so_many_wait(opened, monkeypatch):
    """A process that never reads and never closes leaves a bounded number to others."""
    monkeypatch.setattr(index, "_WAIT", 4)
    store = opened()
    start(store)
    for at in range(4 * 3 + 2):
        store.append(trial(f"t{at}"))
    assert len(written(store)) == 1 + 4 * 3


def test_rules_see_what_waits(opened):
    """An exp id that waits is taken, the next number follows it, and it can be a parent with all that fills a row."""
    store = opened()
    start(store)
    first = store.commit({"f": b"1"}, ["000"], trial=trial("*", hypothesis="first"))
    assert first.exp_id == "001"
    with pytest.raises(Duplicate):
        store.append(trial("001", hypothesis="another"))
    store.append(trial("002"))
    second = store.commit({"f": b"2"}, [first.oid], trial=trial("*"))
    assert (second.exp_id, second.trials[0].parent_exp) == ("003", "001")
    assert store.commit({"f": b"2"}, [first.oid], trial=second.trials[0]).oid == second.oid
    same_as_anew(store)


def test_nothing_waits_in_company(opened):
    """While another process is seen to write, the index is written with each landing; a while after that it waits."""
    alice, bob = opened(), opened("bob")
    start(alice)
    for at in range(4):
        alice.append(trial(f"a{at}"))
        bob.append(trial(f"b{at}"))
    alice.append(trial("there"))
    assert "there" in written(alice)
    for at in range(30):
        alice.append(trial(f"c{at}"))
    assert "c29" not in written(alice)
    same_as_anew(bob)


def test_two_stores_that_take_turns(opened):
    """Each drops what waits when the other has written, and reads it again: nothing is lost or there twice."""
    alice, bob = opened(), opened("bob")
    start(alice)
    for at in range(6):
        alice.append(trial(f"a{at}"))
        bob.append(trial(f"b{at}"))
        if at % 3 == 2:
            assert len(bob.all_trials()) == 2 * at + 3
    wanted = {"000", *(f"{name}{at}" for name in "ab" for at in range(6))}
    for each in (alice, bob):
        assert {found.exp_id for found in each.all_trials()} == wanted
        same_as_anew(each)


def test_a_landing_that_is_overtaken_starts_over(opened, monkeypatch):
    """It has to write after all, and another process has written to the file since it began: it is done once."""
    alice, bob = opened(), opened("bob")
    start(alice)
    alice.append(trial("waits"))
    reads = []
    of_mapping = Content.from_mapping

    def meanwhile(content: Content, *args: object) -> str:
        reads.append(len(bob.all_trials()))
        return of_mapping(content, *args)

    monkeypatch.setattr(Content, "from_mapping", meanwhile)
    made = alice.commit({"f": b"1"}, ["000"], trial=trial("in"), cohort="opened now")
    assert reads == [2, 2]
    assert alice.cohort("opened now").members == (made.oid,)
    assert {each.exp_id for each in alice.all_trials()} == {"000", "waits", "in"}
    assert alice.journal.clock(alice.journal.tips()["alice"]) == 4
    same_as_anew(alice)


def test_a_reader_that_is_late_makes_no_exp_id_free_again(opened, monkeypatch):
    """It writes what it read some landings ago, just after a landing has begun on top of what waits."""
    alice, bob = opened(), opened("bob")
    start(alice)
    alice.commit({"f": b"1"}, ["000"], trial=trial("*"))
    then = alice.journal.tips()
    alice.commit({"f": b"2"}, ["000"], trial=trial("*"))
    fresh = Ledger._fresh_landing

    def late(store: LineageStore) -> Landing:
        landing = fresh(store)
        if store is alice and written(alice) == {"000"}:
            monkeypatch.setattr(bob.journal, "tips", lambda: then)
            assert len(bob.all_trials()) == 2
        return landing

    monkeypatch.setattr(Ledger, "_fresh_landing", late)
    assert alice.commit({"f": b"3"}, ["000"], trial=trial("*")).exp_id == "003"
    assert written(alice) == {"000", "001", "002", "003"}
    same_as_anew(alice)


def test_a_landing_that_fails_takes_nothing_along(opened, monkeypatch):
    """What waited from landings before is read again from the notes."""
    store = opened()
    start(store)
    store.append(trial("before"))
    monkeypatch.setattr(Recorder, "_hold_against_best", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.append(trial("fails"))
    monkeypatch.undo()
    store.append(trial("after"))
    assert {each.exp_id for each in store.all_trials()} == {"000", "before", "after"}
    same_as_anew(store)


def test_a_full_disk_when_they_are_written(opened, monkeypatch):
    """They were recorded; the store reads them into memory instead, and the next one into the file."""
    store = opened()
    start(store)
    store.append(trial("t"))

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store._index, "_write", full)
    assert {each.exp_id for each in store.all_trials()} == {"000", "t"}
    assert written(store) == {"000"}
    assert {each.exp_id for each in opened("bob").all_trials()} == {"000", "t"} == written(store)


def test_a_fork_does_not_write_its_parents_trials(opened):
    """The child has what waits in memory too; closing the store there leaves the file alone."""
    store = opened()
    start(store)
    store.append(trial("t"))
    child = os.fork()
    if child == 0:
        store._index.settle()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert written(store) == {"000"}
    assert {each.exp_id for each in store.all_trials()} == {"000", "t"}
    same_as_anew(store)


STEPS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["append", "commit", "batch", "read", "revise", "keep", "close"])),
    min_size=1,
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_whatever_two_stores_do_in_turn(tmp_path_factory, steps):
    """At the end both say what an index says that is built from the notes, and every trial is there."""
    root = tmp_path_factory.mktemp("turns") / "repo"
    writers = {"a": "alice", "b": "bob"}
    stores = {name: open_at(root, writer) for name, writer in writers.items()}
    expected: set[str] = set()
    with ExitStack() as stack:
        for at, (name, step) in enumerate(steps):
            store, exp_id = stores[name], f"{name}{at}"
            if step == "append":
                store.append(trial(exp_id))
            elif step == "commit":
                store.commit({"f": b"%d" % at}, sorted(expected)[-2:], trial=trial(exp_id))
            elif step == "keep":
                store.append(Trial(exp_id, status="keep", core_metric=1.0 / (at + 1)))
            elif step == "batch":
                with store.batch():
                    store.append(trial(exp_id))
                    store.append(trial(f"{exp_id}-2", parent_exp=exp_id))
                expected.add(f"{exp_id}-2")
            elif step == "revise" and expected:
                exp_id = min(expected)
                store.record(exp_id, Trial(exp_id, status="crash", notes=f"step {at}"), revise=True)
            elif step == "close":
                store.close()
                stores[name] = open_at(root, writers[name])
            if step in ("append", "commit", "keep", "batch"):
                expected.add(exp_id)
            if step == "read":
                assert {each.exp_id for each in store.all_trials()} == expected
        for store in stores.values():
            stack.enter_context(store)
            assert {each.exp_id for each in store.all_trials()} == expected
            if expected:  # an index that nothing was folded into says less than one of no events
                same_as_anew(store)


def test_the_error_of_a_disk_that_fills_is_ours(opened, monkeypatch):
    """Whoever records hears of the disk in our words, whether the index would have been written or not."""
    store = opened()
    start(store)
    store.append(trial("t"))
    monkeypatch.setattr(Index, "_lock", lambda _: (_ for _ in ()).throw(sqlite3.OperationalError("disk I/O error")))
    with pytest.raises(StorageError, match="nothing was recorded"):
        store.open_cohort("c", ["000"])
    monkeypatch.undo()
    assert {each.exp_id for each in store.all_trials()} == {"000", "t"}
