"""
Syncs that are killed at random moments, with the git processes that they started: nothing is lost, the next finishes.

GITLINEAGE_SEED sets another seed; GITLINEAGE_SOAK=1 runs 50 kills of each kind instead of 10.
"""

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from clones import GOOD, answers, clones, fsck, git
from remotes import Daemon, bare
from test_kill import SEED, SOAK, Nursery, kill, nursery

from gitlineage import LineageStore, Trial

__all__ = ["nursery"]

KILLS = 50 if SOAK else 10
LONGEST = 0.8
"""Seconds that a victim works at the most: a few syncs."""


def sync(store: LineageStore) -> None:
    """Sync, which has to finish with nothing refused."""
    outcomes = store.sync().outcomes
    assert {outcome.state for outcome in outcomes} <= GOOD, outcomes


def unlock(repository: Path) -> None:
    """Do what its keeper is asked to do where git itself was killed, too: remove the locks that it left."""
    for lock in (repository / "refs").rglob("*.lock"):
        lock.unlink()


class Killer:
    """Starts victims that sync and kills each at a random moment; keeps what they were told."""

    def __init__(self, root: Path, nursery: Nursery, seed: int) -> None:
        self.root = root
        self.nursery = nursery
        self.chance = random.Random(seed)
        self.recorded: set[tuple[str, str]] = set()
        self.synced = ""
        self.kills = Counter()

    def kill_one(self) -> None:
        """Let a victim work and kill it with all its git processes: by the clock, or between two lines of ours."""
        out = self.root.parent / f"{self.kills.total()}.out"
        by_lines = self.chance.random() < 0.4
        lines = int(10 ** self.chance.uniform(2.5, 4.7)) if by_lines else 0
        pid = self.nursery.start("sync", self.root, out, self.chance.getrandbits(32), lines)
        if by_lines:
            deadline = threading.Timer(5 * LONGEST, kill, [pid], {"group": True})
            deadline.start()
        else:
            time.sleep(self.chance.uniform(0, LONGEST))
            kill(pid, group=True)
        status = self.nursery.wait(pid)
        if by_lines:
            deadline.cancel()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        self._note(out)
        assert status == -signal.SIGKILL, f"the victim ended by itself: {status}"
        self.kills["between two lines" if by_lines else "by the clock"] += 1

    def _note(self, out: Path) -> None:
        failed = out.with_name(out.name + ".err")
        assert not failed.exists(), failed.read_text()
        for line in (out.read_text() if out.exists() else "").split("\n")[:-1]:
            first, second, *_ = line.split(" ")
            if first == "synced":
                self.synced = second
            else:
                self.recorded.add((first, second))


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["folder", "daemon"])
def test_killed_syncs(tmp_path, nursery, kind, counted):
    """Killed at random moments: what was recorded stays, what was synced is at the remote, and the next one ends."""
    print(f"GITLINEAGE_SEED={SEED}")
    remote = bare(tmp_path / "remote.git")
    server = Daemon(tmp_path)
    with server if kind == "daemon" else contextlib.nullcontext():
        url = server.url("remote.git") if kind == "daemon" else str(remote)
        killer = Killer(tmp_path / "alice", nursery, random.Random(f"{SEED} {kind}").getrandbits(32))
        with clones(tmp_path, url, ["alice", "bob"]) as (alice, bob):
            alice.append(Trial(exp_id="base", status="baseline", core_metric=10.0))
            sync(alice)
            for at in range(KILLS):
                bob.append(Trial(exp_id=f"bob-{at}", status="keep", core_metric=9 - at / 100))
                sync(bob)
                killer.kill_one()
                if kind == "folder":
                    unlock(remote)
                unlock(tmp_path / "alice" / ".git")
                fsck(tmp_path / "alice")
                assert killer.recorded <= {(view.trial.exp_id, view.oid) for view in alice.log(None)}
                if killer.synced:
                    git(remote, "merge-base", "--is-ancestor", killer.synced, "refs/notes/lineage/alice")
                if killer.chance.random() < 0.5:
                    sync(alice)
            sync(alice)
            sync(bob)
            sync(alice)
            told = answers(alice, tmp_path / "board")
            assert answers(bob, tmp_path / "board") == told
            found = {(view.trial.exp_id, view.oid) for view in bob.log(None)}
            assert killer.recorded <= found
            assert {f"bob-{at}" for at in range(KILLS)} <= {exp_id for exp_id, _ in found}
            alice.reindex()
            assert answers(alice, tmp_path / "board") == told
    assert killer.kills.total() == KILLS
    assert killer.synced and killer.recorded, "no victim was told anything"
    for each in (remote, tmp_path / "alice", tmp_path / "bob"):
        fsck(each)
        assert git(each, "for-each-ref", "--format=%(refname)", "refs/notes/").splitlines() == [
            "refs/notes/lineage/alice",
            "refs/notes/lineage/bob",
        ]
    counted(f"{killer.kills.total()} kills of syncs through a {kind}")
