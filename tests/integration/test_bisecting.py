"""Bisect: git finds the first bad snapshot, and the user's repository is byte for byte what it was."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from command_line import environment

from gitlineage import LineageStore, Trial
from gitlineage.errors import BisectFailed, Invalid

LINES = 9
FIRST_BAD = 6
CHECK = ("sh", "-c", "! grep -q bad state")


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders go, so that a test sees what is left of them."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return place


@pytest.fixture
def chain(store: LineageStore) -> LineageStore:
    """A line of snapshots, bad from one on, each with a mate as second parent that is on no line."""
    mate = store.commit({"state": b"bad mate\n"}, trial=Trial(exp_id="mate", status="discard", core_metric=1.0))
    parents: list[str] = []
    for number in range(LINES):
        state = b"bad\n" if number >= FIRST_BAD else b"fine\n"
        trial = Trial(exp_id=f"t{number}", status="keep", core_metric=1.0, hypothesis=f"idea {number}")
        content = {"state": state, "n": b"%d\n" % number}
        parents = [store.commit(content, parents, trial=trial).oid, mate.oid]
    return store


def everything(root: Path) -> dict[str, bytes]:
    """Return every file of a repository and its working tree, but for git's objects and our index."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if not name.startswith((".git/objects", ".git/lineage")):
            found[name] = path.read_bytes() if path.is_file() else b""
    return found


@pytest.mark.parametrize("good", ["t0", "t3", "t5"])
def test_the_first_bad_one(chain: LineageStore, good: str) -> None:
    """Wherever the good end is; the adjacent one needs no run."""
    found = chain.bisect(good, "t8", CHECK)
    assert found.first_bad == chain.resolve(f"t{FIRST_BAD}")
    assert found.skipped == 0
    assert 1 <= found.tested <= 4


def test_the_ends_side_by_side(chain: LineageStore) -> None:
    """Nothing is between them: the bad one is the first, without a run."""
    found = chain.bisect("t5", "t6", ["false"])
    assert (found.first_bad, found.tested) == (chain.resolve("t6"), 0)


def test_skipped_ones(chain: LineageStore) -> None:
    """A command may say that it cannot tell, where that does not matter."""
    command = ("sh", "-c", "case $(cat n) in 2|3|4) exit 125;; esac; ! grep -q bad state")
    found = chain.bisect("t0", "t8", command)
    assert found.first_bad == chain.resolve("t6")
    assert found.skipped >= 1


def test_first_parents_that_nobody_recorded(chain: LineageStore, git: Callable[..., str]) -> None:
    """Ordinary commits on the line are tested too, and one of them may be it."""
    tree = chain.snapshot("t8").tree
    plain = git("commit-tree", chain.snapshot("t5").tree, "-p", chain.resolve("t5"), "-m", "plain")
    worse = git("commit-tree", tree, "-p", plain, "-m", "plain and bad")
    chain.record(git("commit-tree", tree, "-p", worse, "-m", "recorded"), Trial(exp_id="end", status="discard"))
    assert chain.bisect("t0", "end", CHECK).first_bad == worse


class TestRefused:
    """What cannot be done, and why."""

    def test_not_on_one_chain(self, chain: LineageStore) -> None:
        """The good one has to be reached by first parents."""
        for good, bad in (("mate", "t8"), ("t8", "t0"), ("t1", "mate")):
            with pytest.raises(BisectFailed, match=f"{good} is not on the primary chain that led to {bad}"):
                chain.bisect(good, bad, CHECK)
        with pytest.raises(BisectFailed, match="cannot be good and bad"):
            chain.bisect("t1", "t1", CHECK)

    @pytest.mark.parametrize(
        ("command", "said"),
        [
            (["no-such-program"], "not found \\(127\\)"),
            (["./state"], "cannot be executed \\(126\\)"),
            (["sh", "-c", "exit 125"], "could not tell"),
            (["sh", "-c", "exit 200"], "ended with 200"),
        ],
    )
    def test_a_command_that_does_not_work(self, chain: LineageStore, command: Sequence[str], said: str) -> None:
        """Not found, not executable, never sure, or ended by a signal."""
        with pytest.raises(BisectFailed, match=said):
            chain.bisect("t0", "t8", command)

    def test_no_command(self, chain: LineageStore) -> None:
        """There has to be one."""
        with pytest.raises(Invalid):
            chain.bisect("t0", "t8", [])


class TestUntouched:
    """HEAD, index, branches, files, and a bisect of the user's own."""

    @pytest.fixture
    def users(self, chain: LineageStore, git: Callable[..., str]) -> LineageStore:
        """A user with a branch, staged and unstaged edits, hooks that tell on us, and a bisect under way."""
        git("branch", "work", chain.resolve("t8"))
        git("checkout", "-q", "work")
        git("bisect", "start", "--first-parent", "work", chain.resolve("t1"))
        (chain.root / "staged").write_text("staged\n")
        git("add", "staged")
        (chain.root / "n").write_text("edited\n")
        for hook in ("post-checkout", "post-index-change"):
            path = chain.root / ".git" / "hooks" / hook
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"#!/bin/sh\necho {hook} >>'{chain.root}/.git/hooked'\n")
            path.chmod(0o755)
        return chain

    @pytest.mark.parametrize(
        "command", [CHECK, ["no-such-program"], ["sh", "-c", "exit 125"], ["sh", "-c", "echo x >>n; touch new; exit 1"]]
    )
    def test_byte_for_byte(self, users: LineageStore, scratch: Path, command: Sequence[str]) -> None:
        """Found or failed, whatever the command did to its checkout: nothing changed, and nothing is left."""
        before = everything(users.root)
        try:
            users.bisect("t0", "t8", command)
        except BisectFailed:
            assert command is not CHECK
        assert everything(users.root) == before
        assert list(scratch.iterdir()) == []

    def test_the_command_is_alone(self, users: LineageStore, tmp_path: Path) -> None:
        """It runs in the checkout, with nothing of ours or git's in its way."""
        out = tmp_path / "seen"
        users.bisect("t4", "t8", ["sh", "-c", f'(pwd; git rev-parse --show-toplevel; env) >"{out}"'])
        place, top, *variables = out.read_text().splitlines()
        assert place == top != str(users.root)
        names = {line.partition("=")[0] for line in variables}
        assert not names & {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GITLINEAGE_INSIDE", "GIT_CONFIG_PARAMETERS"}

    @pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
    def test_interrupted(self, users: LineageStore, scratch: Path, tmp_path: Path, sign: signal.Signals) -> None:
        """The command and git end, the checkout goes, the exit code says that it was interrupted."""
        before = everything(users.root)
        started = tmp_path / "started"
        script = f'echo $$ >"{started}.new"; mv "{started}.new" "{started}"; sleep 60'
        words = ["bisect", "t0", "t8", "--", "sh", "-c", script]
        with subprocess.Popen(
            [sys.executable, "-m", "gitlineage", *words],
            cwd=users.root,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            _wait(started.exists)
            process.send_signal(sign)
            assert process.wait(20) == 130
        command = int(started.read_text())
        _wait(lambda: not _runs(command))
        assert everything(users.root) == before
        assert list(scratch.iterdir()) == []


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:1]


def _wait(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_bare_repository(chain: LineageStore, git: Callable[..., str], tmp_path: Path) -> None:
    """There is no working tree to begin with, and none is needed."""
    bare = tmp_path / "bare.git"
    git("clone", "-q", "--mirror", str(chain.root), str(bare))
    with LineageStore(bare, create=False) as store:
        assert store.bisect("t0", "t8", CHECK).first_bad == chain.resolve("t6")
    assert not (bare / "worktrees").exists()
