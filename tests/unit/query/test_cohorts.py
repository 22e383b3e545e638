"""gitlineage.query.cohorts: one name that two writers opened on different bases stands for two cohorts everywhere."""

from pathlib import Path

import pytest
from remotes import bare

from gitlineage import Ambiguous, LineageStore, NotFound, Trial


def keep(exp_id: str, metric: float) -> Trial:
    """A kept trial with an exp id of its own."""
    return Trial(exp_id=exp_id, status="keep", core_metric=metric)


@pytest.fixture
def alice(tmp_path: Path, open_store) -> LineageStore:
    """A clone that has alice's cohort ``gen`` on a0 with a1, and bob's on b0 with b1; each a mixed ``free``."""
    remote = bare(tmp_path / "remote.git")
    clones = []
    for writer in ("alice", "bob"):
        clones.append(LineageStore.clone(remote, tmp_path / writer, writer=writer, identity=(writer, "x@example.org")))
    alice, bob = clones
    a0 = alice.commit({"f": b"a0"}, trial=keep("a0", 1.0))
    alice.sync()
    bob.sync()
    b0 = bob.commit({"f": b"b0"}, [a0], trial=keep("b0", 0.9))
    for store, base, name in ((alice, a0, "a1"), (bob, b0, "b1")):
        store.open_cohort("gen", [base])
        store.commit({"f": name.encode()}, [base], trial=keep(name, 0.8), cohort="gen")
        store.open_cohort("free", [base], allow_mixed=True)
        store.commit({"f": b"free"}, trial=keep(f"{name}-free", 0.9), cohort="free")
    bob.sync()
    alice.sync()
    bob.close()
    yield alice
    alice.close()


def members(store: LineageStore, name: str) -> list[str]:
    """The names of a cohort's members."""
    return [store.ledger.views().name(oid) for oid in store.cohort(name).members]


def test_each_has_its_own_members(alice: LineageStore) -> None:
    """A commit says only the name; its parents say which of the two it is in."""
    assert members(alice, "gen@alice") == ["a1"]
    assert members(alice, "gen@bob") == ["b1"]
    assert [view.label for view in alice.log(cohort="gen@alice")] == ["a1"]
    assert [view.label for view in alice.log(1, cohort="gen@bob")] == ["b1"]
    for call in (alice.cohort, lambda name: alice.log(cohort=name)):
        with pytest.raises(Ambiguous, match="gen@alice"):
            call("gen")
        with pytest.raises(NotFound):
            call("gen@carol")


def test_a_member_is_recorded_under_the_plain_name(alice: LineageStore) -> None:
    """What a person types to tell two cohorts apart is no cohort's name, and nothing that verify finds wanting."""
    for name, base in (("gen@alice", "a0"), ("gen@bob", "b0")):
        made = alice.commit({"f": name.encode()}, [base], trial=keep(f"more-{base}", 0.7), cohort=name)
        assert made.cohort == "gen"
        assert f"more-{base}" in members(alice, name)
    assert len(members(alice, "gen@alice")) == len(members(alice, "gen@bob")) == 2
    assert alice.verify() == []


def test_no_derived_ref_stands_for_both(alice: LineageStore) -> None:
    """The one of before the other came goes, and comes back with no rebuild."""
    refs = [f"refs/lineage/cohorts/{name}" for name in ("gen", "free")]
    assert [alice.ledger.repo.ref(ref) for ref in refs] == [None, None]
    alice.reindex()
    assert [alice.ledger.repo.ref(ref) for ref in refs] == [None, None]
    assert alice.verify() == []


def test_mixed_ones_are_told_apart_by_who_recorded(alice: LineageStore) -> None:
    """With parents that are nobody's base a member is in a mixed cohort, its own writer's where there are several."""
    assert members(alice, "free@alice") == ["a1-free"]
    assert members(alice, "free@bob") == ["b1-free"]
    alice.commit({"f": b"more"}, ["b0"], trial=keep("more", 0.6), cohort="free@bob")
    assert members(alice, "free@bob") == ["b1-free", "more"]
