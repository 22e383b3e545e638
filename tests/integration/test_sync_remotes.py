"""Push, pull and clone over git daemon, HTTP and ssh, and what happens when the network fails in the middle."""

import os
from pathlib import Path

import pytest
from clones import GOOD, answers, clones, fsck, git
from command_line import Shell, process
from remotes import Http, Wire, bare

from gitlineage import LineageStore, RemoteError, Trial


def states(exchange) -> set[tuple[str, str, str]]:
    """Return writer, direction and state of every outcome."""
    return {(outcome.writer, outcome.direction, outcome.state) for outcome in exchange.outcomes}


def row(exp_id: str, metric: float = 2.0) -> Trial:
    """A kept trial."""
    return Trial(exp_id=exp_id, status="keep", core_metric=metric, hypothesis=f"the idea of {exp_id}")


def refs(folder: Path) -> str:
    """Return every ref of a repository with where it points."""
    return git(folder, "for-each-ref", "--format=%(refname) %(objectname)")


# -- when all is well --------------------------------------------------------------------------------------


def test_two_clones_meet_over_every_transport(remote, tmp_path):
    """What one pushed the other has after a clone, and the other way after a pull; then both answer the same."""
    url = remote.url("campaign.git")
    with clones(tmp_path, url, "a") as (first,):
        base = first.commit({"f": b"1"}, trial=row("000"))
        first.commit({"f": os.urandom(100_000)}, [base], trial=row("001", 1.5))
        assert states(first.push()) == {("a", "push", "new")}
        with LineageStore.clone(url, tmp_path / "b", writer="b", identity=("b", "b@example.org")) as second:
            assert second.best().exp_id == "001"
            second.commit({"f": b"2"}, ["001"], trial=row("002", 1.0))
            assert ("b", "push", "new") in states(second.sync())
            assert ("b", "pull", "new") in states(first.pull())
            assert {state for *_, state in states(first.sync())} == {"up to date"}
            assert first.best().exp_id == "002"
            second.append(row("003", 0.5))
            assert ("b", "push", "fast-forwarded") in states(second.push())
            assert ("b", "pull", "fast-forwarded") in states(first.sync())
            assert answers(first, tmp_path / "board") == answers(second, tmp_path / "board")
            assert [chain.exp_id for chain in first.chain_to("002")] == ["000", "001", "002"]
    for each in ("a", "b", "served/campaign.git"):
        fsck(tmp_path / each)


def test_the_commands_over_every_transport(remote, tmp_path):
    """clone, sync, push and pull as a user types them, each outcome one JSON object."""
    url = remote.url("campaign.git")
    alice = Shell(tmp_path / "alice")
    alice("init", "--writer", "alice")
    git(tmp_path / "alice", "remote", "add", "origin", url)
    alice.write(a="1")
    alice.commit("-m", "the baseline", "--metric", "1.2")
    assert [told["state"] for told in alice.objects("push")] == ["new"]
    cloned = process("clone", url, "bob", folder=tmp_path)
    assert cloned.returncode == 0, cloned.stderr
    bob = Shell(tmp_path / "bob")
    bob("init", "--writer", "bob")
    bob.commit("--parents", "000", "-m", "better", "--metric", "1.1")
    assert {told["state"] for told in bob.objects("sync")} <= GOOD
    assert {told["state"] for told in alice.objects("pull")} <= GOOD
    assert "better" in alice("log")
    assert alice("best", "--json") == bob("best", "--json")


def test_http_with_a_password_from_the_credential_helper(tmp_path, monkeypatch):
    """Git's own credential helper opens the door; where it has the wrong key, git's message says so."""
    (tmp_path / "served").mkdir()
    bare(tmp_path / "served" / "campaign.git")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_ASKPASS", "true")
    (tmp_path / "config").write_text(f"[credential]\n\thelper = store --file={tmp_path / 'kept'}\n")
    with Http(tmp_path / "served", login=("ann", "right")) as server:
        url = server.url("campaign.git")
        with clones(tmp_path, url, "a") as (store,):
            store.append(row("000"))
            (tmp_path / "kept").write_text(f"http://ann:wrong@127.0.0.1:{server.port}\n")
            with pytest.raises(RemoteError, match=r"Authentication failed"):
                store.push()
            (tmp_path / "kept").write_text(f"http://ann:right@127.0.0.1:{server.port}\n")
            assert states(store.push()) == {("a", "push", "new")}
        with LineageStore.clone(url, tmp_path / "b") as store:
            assert store.best().exp_id == "000"


# -- when the network fails --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["push", "pull", "sync"])
def test_a_server_that_is_gone(remote, tmp_path, command):
    """One line with git's own words and what to do, exit 1, the store as it was; later the same command works."""
    with clones(tmp_path, remote.url("campaign.git"), "a") as (store,):
        store.append(row("000"))
        store.sync()
        store.append(row("001"))
        before, known = answers(store, tmp_path / "board"), refs(tmp_path / "a")
        remote.stop()
        said = Shell(tmp_path / "a").fails(1, command)
        assert "refused" in said or "connect" in said, said
        assert "again" in said or ";" in said, said
        assert refs(tmp_path / "a") == known
        assert answers(store, tmp_path / "board") == before
        remote.start()
        assert {state for *_, state in states(getattr(store, command)())} <= GOOD
        assert answers(store, tmp_path / "board") == before
        fsck(tmp_path / "a")


def test_a_clone_from_a_server_that_is_gone(remote, tmp_path):
    """Nothing is left that would be in the way of the next try."""
    url = remote.url("campaign.git")
    with clones(tmp_path, url, "a") as (store,):
        store.append(row("000"))
        store.push()
    remote.stop()
    shell = Shell(tmp_path)
    shell.fails(1, "clone", url, tmp_path / "b")
    assert not (tmp_path / "b").exists()
    remote.start()
    shell("clone", url, tmp_path / "b")
    with LineageStore(tmp_path / "b") as store:
        assert [trial.exp_id for trial in store.all_trials()] == ["000"]


@pytest.mark.parametrize("after", [5_000, 100_000])
def test_a_pull_that_tears(remote, tmp_path, after):
    """The wire tears in the middle of a pack: an error, the store as it was, and the next pull brings it all."""
    with clones(tmp_path, remote.url("campaign.git"), "ab") as (a, b):
        a.append(row("000"))
        a.push()
        b.sync()
        a.commit({"f": os.urandom(300_000)}, trial=row("001"))
        a.push()
        before, known = answers(b, tmp_path / "board"), refs(tmp_path / "b")
        with Wire(remote.port, downstream=after) as wire:
            git(tmp_path / "b", "remote", "set-url", "origin", remote.url("campaign.git", wire.port))
            Shell(tmp_path / "b").fails(1, "pull")
            assert wire.torn
        assert refs(tmp_path / "b") == known
        assert answers(b, tmp_path / "board") == before
        fsck(tmp_path / "b")
        git(tmp_path / "b", "remote", "set-url", "origin", remote.url("campaign.git"))
        assert ("a", "pull", "fast-forwarded") in states(b.pull())
        assert answers(b, tmp_path / "board") == answers(a, tmp_path / "board")


@pytest.mark.parametrize("after", [5_000, 100_000])
def test_a_push_that_tears(remote, tmp_path, after):
    """The wire tears on the way up: an error, both ends as they were, and the next push carries it all."""
    served = tmp_path / "served" / "campaign.git"
    with clones(tmp_path, remote.url("campaign.git"), "ab") as (a, b):
        a.append(row("000"))
        a.push()
        a.commit({"f": os.urandom(300_000)}, trial=row("001"))
        before, known, theirs = answers(a, tmp_path / "board"), refs(tmp_path / "a"), refs(served)
        with Wire(remote.port, upstream=after) as wire:
            git(tmp_path / "a", "remote", "set-url", "origin", remote.url("campaign.git", wire.port))
            Shell(tmp_path / "a").fails(1, "push")
            assert wire.torn
        assert (refs(tmp_path / "a"), refs(served)) == (known, theirs)
        assert answers(a, tmp_path / "board") == before
        git(tmp_path / "a", "remote", "set-url", "origin", remote.url("campaign.git"))
        assert ("a", "push", "fast-forwarded") in states(a.push())
        b.sync()
        assert answers(b, tmp_path / "board") == before
        fsck(served)


def test_a_clone_that_tears(remote, tmp_path):
    """Nothing half-made stays, and the next clone into the same folder works."""
    with clones(tmp_path, remote.url("campaign.git"), "a") as (store,):
        store.commit({"f": os.urandom(300_000)}, trial=row("000"))
        store.push()
    shell = Shell(tmp_path)
    with Wire(remote.port, downstream=50_000) as wire:
        shell.fails(1, "clone", remote.url("campaign.git", wire.port), tmp_path / "b")
        assert wire.torn
    assert not (tmp_path / "b").exists()
    shell("clone", remote.url("campaign.git"), tmp_path / "b")
    fsck(tmp_path / "b")


def test_an_unknown_repository(remote, tmp_path):
    """A remote that serves no such repository: one line, exit 1."""
    with clones(tmp_path, remote.url("nothing.git"), "a") as (store,):
        store.append(row("000"))
        for command in ("push", "pull", "sync"):
            Shell(tmp_path / "a").fails(1, command)
        assert [trial.exp_id for trial in store.all_trials()] == ["000"]
