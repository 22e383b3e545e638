"""What was recorded here outlives every ordinary git command: fetches that prune and force, with gc right behind."""

import subprocess
from pathlib import Path

import pytest

from gitlineage import LineageStore, Trial, Watcher
from gitlineage.sync.archives import consolidate
from gitlineage.sync.bundles import bundle, unbundle

REF = "refs/notes/lineage/alice"
KEEP = "refs/lineage/own/alice"


class Ears(Watcher):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Hear something."""
        self.notes.append(text)


@pytest.fixture
def origin(store, git, tmp_path: Path) -> Path:
    """A remote that has nothing of this clone's but its branch, and Bob's lineage."""
    place = tmp_path / "origin.git"
    git("init", "-q", "--bare", str(place))
    git("remote", "add", "origin", str(place))
    git("commit", "-q", "--allow-empty", "-m", "x")
    git("push", "-q", "origin", "HEAD:refs/heads/main")
    with LineageStore(tmp_path / "bob", writer="bob", identity=("Bob", "bob@example.org")) as bob:
        bob.append(Trial("b", status="discard"))
    git("push", "-q", str(place), "refs/notes/lineage/bob", cwd=tmp_path / "bob")
    return place


SPECS = [
    "refs/notes/lineage/*:refs/notes/lineage/*",
    "+refs/notes/lineage/*:refs/notes/lineage/*",
    "+refs/notes/*:refs/notes/*",
    "refs/notes/lineage/*:refs/notes/origin/*",
    "+refs/notes/lineage/*:refs/lineage/remotes/origin/*",
]
FETCHES = [
    ["fetch", "origin", None],
    ["fetch", "-p", "origin", None],
    ["fetch", "-p"],
    ["fetch", "--all", "--prune"],
    ["remote", "update", "-p"],
    ["pull", "-q", "--prune", "origin", "main"],
]


@pytest.mark.parametrize("spec", range(len(SPECS)))
@pytest.mark.parametrize("how", range(len(FETCHES)))
def test_no_fetch_loses_what_was_recorded(open_store, folder, git, origin, how, spec):
    """Where git is told to prune in every way it has, all that was recorded is there, and what was put back is said."""
    words, pushed, spec = FETCHES[how], (how + spec) % 2, SPECS[spec]
    store = open_store()
    store.commit({"f": b"1"}, trial=Trial("a", status="keep", core_metric=2.0))
    if pushed:
        git("push", "-q", "origin", REF)
    store.commit({"f": b"2"}, ["a"], trial=Trial("unpushed", status="keep", core_metric=1.0))
    tip = git("rev-parse", REF)
    git("config", "fetch.prune", "true")
    git("config", "remote.origin.prune", "true")
    git("config", "--add", "remote.origin.fetch", spec)
    store.close()
    # git complains where a ref that is not pushed would go back without force
    subprocess.run(["git", *(spec if word is None else word for word in words)], cwd=folder, capture_output=True)
    taken = git("for-each-ref", "--format=%(objectname)", REF) != tip
    git("reflog", "expire", "--expire=now", "--all")
    git("gc", "--prune=now", "--quiet")
    ears = Ears()
    again = open_store(watcher=ears)
    assert [trial.exp_id for trial in again.all_trials() if trial.exp_id != "b"] == ["a", "unpushed"]
    assert git("rev-parse", REF) == git("rev-parse", KEEP) == tip
    assert again.files("unpushed") == {"f": b"2"}
    assert [f"{REF}: put" in told or f"set {REF} back" in told for told in ears.notes if REF in told] == [True] * taken
    assert again.append(Trial("after", status="discard")).exp_id == "after"
    assert git("rev-parse", f"{REF}~1") == tip


def test_a_fetch_in_a_clone_that_plain_git_serves(open_store, git, origin):
    """With the refspecs that `init --remote` sets, nothing is lost either, and an open store notices."""
    ears = Ears()
    store = open_store(watcher=ears)
    store.append(Trial("a", status="discard"))
    store.attach("origin")
    for words in (["fetch", "-p"], ["fetch", "--all", "--prune"], ["fetch", "-p", "origin", SPECS[0]]):
        git("-c", "fetch.prune=true", *words)
        git("gc", "--prune=now", "--quiet")
        assert [trial.exp_id for trial in store.all_trials() if trial.exp_id != "b"] == ["a"]
    assert sum(f"removed {REF}" in told for told in ears.notes) == 1


def test_a_writer_that_came_by_bundle_stays(open_store, git, origin, tmp_path):
    """No remote has it; a fetch that prunes takes its ref, and the next command puts it back."""
    with LineageStore(tmp_path / "carol", writer="carol", identity=("Carol", "c@example.org")) as carol:
        carol.append(Trial("c", status="discard"))
        bundle(carol.ledger, tmp_path / "c.bundle")
    store = open_store()
    unbundle(store.ledger, tmp_path / "c.bundle")
    git("fetch", "-p", "origin", SPECS[0])
    assert "carol" not in git("for-each-ref", "refs/notes")
    git("gc", "--prune=now", "--quiet")
    assert {"c"} <= {trial.exp_id for trial in open_store().all_trials()}
    assert git("rev-parse", "refs/notes/lineage/carol")


def test_a_ref_that_only_went_on_is_followed(open_store, git):
    """Git's own notes on top count as recorded here, too, once they were seen."""
    store = open_store()
    snapshot = store.append(Trial("a", status="discard"))
    assert git("rev-parse", REF) == git("rev-parse", KEEP)
    git("notes", "--ref=lineage/alice", "append", "-m", "a remark", snapshot.oid)
    store.all_trials()
    assert git("rev-parse", REF) == git("rev-parse", KEEP)
    git("update-ref", "-d", KEEP)
    git("commit", "-q", "--allow-empty", "-m", "x")
    git("notes", "--ref=lineage/alice", "append", "-m", "another", snapshot.oid)
    open_store().all_trials()
    assert git("rev-parse", REF) == git("rev-parse", KEEP)


def test_what_an_archive_took_over_is_not_put_back(open_store, git, tmp_path):
    """A writer whose ref was folded into an archive stays folded, by a pull and by a plain fetch that prunes."""
    store = open_store()
    store.append(Trial("a", status="discard"))
    remote = tmp_path / "remote.git"
    git("init", "-q", "--bare", str(remote))
    git("remote", "add", "origin", str(remote))
    git("push", "-q", "origin", REF)
    with LineageStore(tmp_path / "dan", writer="dan", identity=("Dan", "d@example.org")) as dan:
        dan.append(Trial("d", status="discard"))
        git("remote", "add", "origin", str(remote), cwd=tmp_path / "dan")
        dan.pull("origin")
        consolidate(dan.ledger, ["alice"])
        git("push", "-q", "origin", "refs/notes/lineage/archive-dan", f":{REF}", cwd=tmp_path / "dan")
    git("fetch", "-q", "-p", "origin", SPECS[0])
    fresh = open_store()
    assert [trial.exp_id for trial in fresh.all_trials()] == ["a"]
    assert git("for-each-ref", REF, KEEP) == ""
    assert fresh.append(Trial("after", status="discard")).exp_id == "after"
    assert git("rev-parse", REF) == git("rev-parse", KEEP)
