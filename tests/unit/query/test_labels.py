"""gitlineage.query.labels: what trials and commits are called, alone, shared, without a trial, and misspelt."""

from collections.abc import Callable

import pytest

from gitlineage import LineageStore, Trial
from gitlineage.query.labels import meant


def keep(exp_id: str, metric: float = 1.0) -> Trial:
    """A kept trial with an exp id of its own."""
    return Trial(exp_id=exp_id, status="keep", core_metric=metric)


def test_an_id_that_two_writers_have_is_shown_with_the_writer(store: LineageStore, git: Callable[..., str]) -> None:
    """As long as one writer has it, the id is the label; with the second both get longer names, as kin do."""
    mine = store.commit({"f": b"1"}, trial=keep("001"))
    assert [view.label for view in store.log(None)] == ["001"]
    theirs = git("commit-tree", mine.tree, "-m", "bob's, from another machine")
    event = '{"clock":1,"row":{"core_metric":"1.5","exp_id":"001","status":"keep"},"type":"trial"}'
    git("notes", "--ref=lineage/bob", "append", "-m", event, theirs)
    child = store.commit({"f": b"3"}, [mine.oid, theirs], trial=keep("002"))
    shown = {view.oid: view for view in store.log(None)}
    assert shown[mine.oid].label == "001@alice"
    assert shown[theirs].label == "001@bob"
    assert shown[child.oid].parent == "001@alice"
    assert [kin.label for kin in shown[child.oid].others] == ["001@bob"]
    assert {label for _, label, _, _ in store.ledger.views().labels.of(["001"])} == {"001@alice", "001@bob"}


def test_a_commit_is_named_by_its_first_trial_or_its_oid(store: LineageStore) -> None:
    """What nobody gave a trial is called by the beginning of its oid, what nobody recorded too."""
    named, bare = store.commit({"f": b"1"}, trial=keep("001")), store.commit({"f": b"2"})
    store.record(named.oid, keep("again"))
    labels = store.ledger.views().labels
    assert labels.name(named.oid) == "001"
    assert labels.name(bare.oid) == bare.oid[:12]
    assert labels.name("f" * 40) == "f" * 12


@pytest.mark.parametrize(
    ("given", "suggested"),
    [("7", "007"), ("exp_7", "007"), ("lr-decai", "lr-decay"), ("100%", "100"), ("a_b", "a_b"), ("\udcff", None)],
)
def test_what_is_close_to_a_name(store: LineageStore, given: str, suggested: str | None) -> None:
    """Numbers without their zeros and misspelt words find what was meant; signs of SQL's patterns are only signs."""
    for exp_id in ("007", "lr-decay", "100", "a_b", "axb"):
        store.append(keep(exp_id))
    found = store.ledger.views().labels.nearest(given)
    assert found[:1] == ([suggested] if suggested else [])


def test_which_trial_of_a_parent_a_cell_means() -> None:
    """The one that it spells, with or without its prefix; else the first."""
    trials = [("001", "alice"), ("002", "bob")]
    assert meant(trials, "002") == ("002", "bob")
    assert meant(trials, "exp_002") == ("002", "bob")
    assert meant(trials, "") == ("001", "alice")
    beside = [("001", "alice"), ("001", "bob"), ("002", "bob")]
    assert meant(beside, "001", "bob") == ("001", "bob")
    assert meant(beside, "001", "carol") == ("001", "alice")
    assert meant(beside, "", "bob") == ("001", "alice")
