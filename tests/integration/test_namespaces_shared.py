"""Several campaigns on their way between machines: remotes, plain git, hooks, servers, bundles, archives, checks."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitlineage import LineageStore, Task, Trial
from gitlineage.bridge.hooks import server
from gitlineage.bridge.hooks.client import pre_push
from gitlineage.git.formats import NO_OID
from gitlineage.git.repository import GitRepo
from gitlineage.sync import archives, bundles
from gitlineage.sync.remotes import Exchange

SPEED = Task(score_field="val_bpb", lower_is_better=False)


def of_campaign(store: LineageStore, name: str) -> LineageStore:
    """Open another campaign of a store's repository, for the same writer."""
    return LineageStore._over(store.ledger.of_campaign(name))


def git(folder: Path, *words: str, code: int = 0) -> str:
    """Return what git prints."""
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout.strip()


def run(folder: Path, *words: str) -> str:
    """Return what the program prints, on both streams."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("GITLINEAGE_")}
    words = (sys.executable, "-m", "gitlineage", *words)
    done = subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def told(done: Exchange) -> list[tuple[str, str, str, str]]:
    """Return campaign, writer, direction and state of each ref."""
    return [(each.campaign, each.writer, each.direction, each.state) for each in done.outcomes]


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A bare remote."""
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    return tmp_path / "remote.git"


@pytest.fixture
def alice(tmp_path: Path, remote: Path) -> Iterator[LineageStore]:
    """A clone with two campaigns, its store on the default one."""
    root = tmp_path / "alice"
    with LineageStore(root, writer="alice") as store:
        git(root, "remote", "add", "origin", str(remote))
        git(root, "config", "lineage.writer", "alice")
        store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1))
        with LineageStore(root, campaign="sweep", task=SPEED) as sweep:
            sweep.commit({"a": b"2"}, trial=Trial(status="baseline", val_bpb=5))
            sweep.commit({"a": b"3"}, parents=["000"], trial=Trial(status="keep", val_bpb=6))
        yield store


def test_both_ways(alice: LineageStore, remote: Path, tmp_path: Path) -> None:
    """Push, pull, clone and status carry all campaigns; each is ranked by its own task everywhere."""
    assert told(alice.push(dry_run=True)) == [
        ("default", "alice", "push", "new"),
        ("sweep", "alice", "push", "new"),
    ]
    alice.push()
    assert git(remote, "for-each-ref", "--format=%(refname)").splitlines() == [
        "refs/notes/lineage-sweep/alice",
        "refs/notes/lineage/alice",
    ]
    with LineageStore.clone(remote, tmp_path / "bob", writer="bob", campaign="sweep") as bob:
        assert bob.campaigns() == ("default", "sweep")
        assert bob.task == SPEED and bob.resolve("best") == bob.resolve("001")
        assert git(bob.root, "config", "--get-all", "remote.origin.fetch") == "+refs/heads/*:refs/remotes/origin/*"
        bob.commit({"a": b"4"}, parents=["001"], trial=Trial(status="keep", val_bpb=8))
        with of_campaign(bob, "later") as later:
            later.commit({"a": b"5"}, trial=Trial(status="baseline", core_metric=2))
        assert told(bob.remote_status()) == [
            ("default", "alice", "pull", "up to date"),
            ("later", "bob", "push", "ahead"),
            ("sweep", "alice", "pull", "up to date"),
            ("sweep", "bob", "push", "ahead"),
        ]
        bob.push()
    assert told(alice.pull(dry_run=True)) == told(alice.pull())
    assert told(alice.sync())[-3:] == [
        ("sweep", "bob", "pull", "up to date"),
        ("default", "alice", "push", "up to date"),
        ("sweep", "alice", "push", "up to date"),
    ]
    assert alice.campaigns() == ("default", "later", "sweep")
    with of_campaign(alice, "sweep") as sweep:
        assert [each.exp_id for each in sweep.leaderboard()] == ["002", "001"]
    assert len(alice.all_trials()) == 1
    assert alice.verify() == []


def test_rewrites_are_accepted_in_one_campaign(alice: LineageStore, remote: Path, tmp_path: Path) -> None:
    """A ref that was deleted on the remote is refused in its campaign, and accepted there alone."""
    alice.push()
    with LineageStore.clone(remote, tmp_path / "bob", writer="bob") as bob:
        for name in ("lineage", "lineage-sweep"):
            git(remote, "update-ref", "-d", f"refs/notes/{name}/alice")
        done = bob.pull(accept_rewrite=["alice"])
        assert told(done) == [("default", "alice", "pull", "deleted"), ("sweep", "alice", "pull", "refused")]
        assert "--campaign sweep --accept-rewrite alice" in done.refused[0].reason
        with of_campaign(bob, "sweep") as sweep:
            assert told(sweep.pull(accept_rewrite=["alice"])) == [("sweep", "alice", "pull", "deleted")]
        assert bob.campaigns() == ("default",)


def test_strange_names(alice: LineageStore, remote: Path) -> None:
    """A ref on a remote that no campaign can have is refused and told; notes of other people are let be."""
    alice.push()
    oid = git(remote, "rev-parse", "refs/notes/lineage/alice")
    git(remote, "update-ref", "refs/notes/lineage-Loud/alice", oid)
    git(remote, "update-ref", "refs/notes/lineage-review", oid)
    done = alice.pull()
    assert [(each.campaign, each.reason) for each in done.refused] == [("Loud", "this is no campaign's name")]
    assert alice.campaigns() == ("default", "sweep")
    assert told(alice.pull(dry_run=True)) == told(done)


def test_plain_git(alice: LineageStore, remote: Path, tmp_path: Path) -> None:
    """Once attached, a plain push and fetch carry all campaigns, those too that begin later."""
    alice.attach("origin")
    with of_campaign(alice, "later") as later:
        later.commit({"a": b"5"}, trial=Trial(status="baseline", core_metric=2))
    git(alice.root, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x")
    git(alice.root, "push", "-q", "origin")
    there = [line for line in git(remote, "for-each-ref", "--format=%(refname)").splitlines() if "notes" in line]
    assert there == [f"refs/notes/lineage{name}/alice" for name in ("-later", "-sweep", "")]
    with LineageStore.clone(remote, tmp_path / "bob", writer="bob", campaign="later") as bob:
        git(bob.root, "config", "lineage.writer", "bob")
        bob.attach("origin")
        bob.commit({"a": b"6"}, parents=["000"], trial=Trial(status="keep", core_metric=1))
        bob.push()
    with of_campaign(alice, "later") as later:
        later.commit({"a": b"7"}, parents=["000"], trial=Trial(status="keep", core_metric=3))
        git(alice.root, "fetch", "-q", "origin")
        assert len(later.all_trials()) == 3


def test_copied_clone(alice: LineageStore, remote: Path, tmp_path: Path) -> None:
    """A copied clone is noticed in each campaign for itself; what others of them hold goes on under its name."""
    alice.push()
    git(tmp_path, "clone", "-q", "--mirror", str(alice.root / ".git"), "copy.git")
    git(tmp_path / "copy.git", "config", "lineage.writer", "alice")
    git(tmp_path / "copy.git", "remote", "set-url", "origin", str(remote))
    with of_campaign(alice, "sweep") as sweep:
        sweep.commit({"a": b"8"}, parents=["001"], trial=Trial(status="keep", val_bpb=7))
        sweep.push()
    with LineageStore(tmp_path / "copy.git", campaign="sweep") as copy:
        copy.commit({"a": b"9"}, parents=["001"], trial=Trial(status="keep", val_bpb=9))
        copy.push()
        fresh = copy.writer
        assert fresh.startswith("alice-")
        with of_campaign(copy, "default") as plain:
            assert plain.writer == "alice", "nobody else wrote there"
            plain.commit({"a": b"0"}, parents=["000"], trial=Trial(status="keep", core_metric=0.5))
            assert ("default", "alice", "push", "fast-forwarded") in told(plain.push())
    assert f"refs/notes/lineage-sweep/{fresh}" in git(remote, "for-each-ref", "--format=%(refname)")
    with LineageStore(tmp_path / "copy.git", campaign="default") as plain:
        assert plain.writer == "alice"


def test_copied_clone_elsewhere(alice: LineageStore, remote: Path, tmp_path: Path) -> None:
    """Where the default campaign goes on under a fresh name, what a further one has not pushed yet is pushed still."""
    alice.push()
    git(tmp_path, "clone", "-q", "--mirror", str(alice.root / ".git"), "copy.git")
    copied = tmp_path / "copy.git"
    git(copied, "config", "lineage.writer", "alice")
    git(copied, "remote", "set-url", "origin", str(remote))
    alice.commit({"a": b"8"}, parents=["000"], trial=Trial(status="keep", core_metric=0.5))
    alice.push()
    with LineageStore(copied) as copy, of_campaign(copy, "sweep") as sweep:
        sweep.commit({"a": b"9"}, parents=["001"], trial=Trial(status="keep", val_bpb=9))
        copy.commit({"a": b"0"}, parents=["000"], trial=Trial(status="keep", core_metric=0.4))
        copy.push()
        assert copy.writer.startswith("alice-") and sweep.ledger.own_writer() == "alice"
    assert git(remote, "rev-parse", "refs/notes/lineage-sweep/alice") == git(
        copied, "rev-parse", "refs/notes/lineage-sweep/alice"
    )
    assert git(copied, "config", "lineage.sweep.writer") == "alice"


def test_pre_push(alice: LineageStore, remote: Path) -> None:
    """The hook sends the own refs of all campaigns along, and none that is on its way already."""
    own = f"{alice.ledger.namespace.ref('alice')}"
    assert pre_push(alice, "origin", [f"{own} {'1' * 40} {own} {NO_OID}"]) == ""
    assert git(remote, "for-each-ref", "--format=%(refname)") == "refs/notes/lineage-sweep/alice"
    assert pre_push(alice, "origin", []) == ""
    assert len(git(remote, "for-each-ref", "--format=%(refname)").splitlines()) == 2


def test_server(alice: LineageStore) -> None:
    """A server holds every campaign to the same rules, and tells names that no campaign has."""
    rules = server.Rules(GitRepo(alice.root), {})
    tip = git(alice.root, "rev-parse", "refs/notes/lineage-sweep/alice")
    begun = git(alice.root, "rev-list", "--max-parents=0", "--first-parent", tip)

    def breaches(old: str, new: str, ref: str) -> list[str]:
        return list(rules.breaches([server.Update(old, new, ref)]))

    assert breaches(begun, tip, "refs/notes/lineage-sweep/alice") == []
    assert "was rewritten" in breaches(tip, begun, "refs/notes/lineage-sweep/alice")[0]
    assert "does not begin" in breaches(NO_OID, tip, "refs/notes/lineage-sweep/bob")[0]
    assert "is not deleted" in breaches(tip, NO_OID, "refs/notes/lineage-sweep/alice")[0]
    assert "names no campaign" in breaches(NO_OID, tip, "refs/notes/lineage-Loud/alice")[0]
    assert "names no writer" in breaches(NO_OID, tip, "refs/notes/lineage-sweep/a b")[0]
    assert breaches(NO_OID, tip, "refs/notes/lineage-review") == []
    assert breaches(NO_OID, tip, "refs/notes/lineages/alice") == []


def test_bundle(alice: LineageStore, tmp_path: Path) -> None:
    """A bundle holds all campaigns and brings them all; with a choice it holds what was chosen in one."""
    whole = bundles.bundle(alice.ledger, tmp_path / "whole.bundle")
    assert (sorted(whole.refs), whole.trials, whole.snapshots) == (["alice", "sweep/alice"], 3, 3)
    with LineageStore(tmp_path / "bob", writer="bob") as bob:
        done = bundles.unbundle(bob.ledger, tmp_path / "whole.bundle")
        assert [(each.campaign, each.writer, each.outcome) for each in done.refs] == [
            ("sweep", "alice", "new"),
            ("default", "alice", "new"),
        ]
        assert (done.writers, done.trials, done.snapshots) == (2, 3, 3)
        with of_campaign(bob, "sweep") as sweep:
            assert sweep.task == SPEED and len(sweep.all_trials()) == 2
        again = bundles.unbundle(bob.ledger, tmp_path / "whole.bundle")
        assert {each.outcome for each in again.refs} == {"up to date"} and again.trials == 0
    with of_campaign(alice, "sweep") as sweep:
        part = bundles.bundle(sweep.ledger, tmp_path / "part.bundle", since="000")
        assert [name.startswith("sweep/archive-") for name in part.refs] == [True]
    with LineageStore(tmp_path / "carol", writer="carol") as carol:
        bundles.unbundle(carol.ledger, tmp_path / "part.bundle")
        assert carol.all_trials() == [] and carol.campaigns() == ("default", "sweep")


def test_archive(alice: LineageStore, remote: Path, tmp_path: Path) -> None:
    """Writers who are done are archived in their campaign, here and on the remote."""
    alice.push()
    with LineageStore.clone(remote, tmp_path / "bob", writer="bob", campaign="sweep") as bob:
        bob.commit({"a": b"4"}, parents=["001"], trial=Trial(status="keep", val_bpb=8))
        done = archives.consolidate(bob.ledger, ["alice"])
        assert [each.writer for each in done.folded] == ["alice"]
        archives.push(bob.ledger, "origin")
        assert [each.exp_id for each in bob.leaderboard()] == ["002", "001"]
        assert bob.verify() == []
    names = git(remote, "for-each-ref", "--format=%(refname)").splitlines()
    assert names == ["refs/notes/lineage-sweep/archive-bob", "refs/notes/lineage/alice"]


def test_verify(alice: LineageStore) -> None:
    """What is wrong in any campaign is found from every one of them."""
    git(alice.root, "update-ref", "refs/lineage-sweep/exp/007", "refs/lineage/best")
    (found,) = alice.verify()
    assert (found.campaign, found.what) == (
        "sweep",
        "the derived ref refs/lineage-sweep/exp/007 should not be there; type: gitlineage maintain reindex",
    )
    with of_campaign(alice, "sweep") as sweep:
        assert sweep.verify() == [found]


def test_command_line(alice: LineageStore, tmp_path: Path) -> None:
    """The commands about a whole repository name a campaign only where there are several, and take one that is new."""
    said = run(alice.root, "push")
    assert "sweep" in said and "default" in said
    run(tmp_path, "--campaign", "sweep", "clone", str(tmp_path / "remote.git"), "bob")
    assert "001" in run(tmp_path / "bob", "--campaign", "sweep", "best")
    assert "indexed 3 trials" in run(tmp_path / "bob", "maintain", "reindex")
    assert "1 writer in 2 campaigns checked" in run(tmp_path / "bob", "maintain", "verify")
    told = run(tmp_path / "bob", "maintain", "consolidate", "--idle", "0", "--json")
    lines = [json.loads(line) for line in told.splitlines()]
    assert [each["campaign"] for each in lines] == ["default", "sweep"]
