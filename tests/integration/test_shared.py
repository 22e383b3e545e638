"""Repositories that several users share: every file beside git's own, and two users of a group who record in turn."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pygit2
import pytest
import typer

import gitlineage
from gitlineage import LineageStore, Trial
from gitlineage.bridge.hooks import install as hooks
from gitlineage.git import maintenance

USERS = (41001, 41002)
GROUP = 42000
PLACES = os.pathsep.join(str(Path(each.__file__).resolve().parents[1]) for each in (gitlineage, msgspec, pygit2, typer))
PYTHONS = (sys.executable, f"/usr/local/bin/python3.{sys.version_info[1]}", f"/usr/bin/python3.{sys.version_info[1]}")

RECORD = """
import sys
from gitlineage import LineageStore, Trial
with LineageStore(sys.argv[1], identity=(sys.argv[2], "w@example.org")) as store:
    before = len(store)
    store.append(Trial(f"{sys.argv[2]}-{before}", status="discard"))
    with store.batch():
        for at in range(int(sys.argv[3])):
            store.append(Trial(f"{sys.argv[2]}-{before}-{at}", status="discard"))
    print(len(store))
"""

HOLD = """
import os, signal, sys
from gitlineage import LineageStore, Trial
from gitlineage.git.locks import Locks
store = LineageStore(sys.argv[1], identity=("h", "w@example.org"))
for line in sys.stdin:
    store.append(Trial(line.strip(), status="discard"))
    print(len(store), flush=True)
ref = store.ledger.namespace.ref(store.writer)
with store.ledger._lock(), Locks(store.ledger.repo.commondir, store.ledger.repo.own, store.ledger.repo.modes) as locks:
    locks.take(ref, locks.mark(b""))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def record_in_every_way(root: Path) -> str:
    """Make every kind of file that a store keeps in a repository, and return a snapshot."""
    with LineageStore(root, writer="alice", identity=("Alice", "alice@example.org")) as store:
        oid = store.append(Trial("a", status="discard")).oid
        store.commit(root, message="the folder as it is")
        store.ledger.stand_on(oid)
        store.open_cohort("c")
        store.touch("a")
        hooks.install(store.ledger.repo)
        maintenance.repack(store.ledger.repo)
        with open(root / ".git" / "lineage" / "repack.lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until git is done
        with store.batch():
            for at in range(750):
                store.append(Trial(f"b{at}", status="keep", score=at))
    return oid


@pytest.mark.parametrize("umask", [0o077, 0o022])
@pytest.mark.parametrize("setting", ["umask", "group", "all", "0640"])
def test_every_file_in_a_repository_has_the_permissions_of_gits_own(tmp_path: Path, umask, setting) -> None:
    """Packs, index, locks, marks, counts, hooks and folders are shared as those that git makes beside them."""
    hook = tmp_path / "template" / "hooks" / "theirs"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    root, top = tmp_path / "repo", tmp_path / "repo" / ".git"
    git = ["git", "-C", str(root)]
    old = os.umask(umask)
    try:
        subprocess.run(["git", "init", "-q", f"--shared={setting}", f"--template={hook.parents[1]}", root], check=True)
        (root / "recipe.txt").write_text("one\n")
        oid = record_in_every_way(root)
        with LineageStore(root) as store:
            assert len(store) == 751
            subprocess.run([*git, "update-ref", "refs/notes/theirs/x", oid], check=True)
            pack = [*git, "pack-objects", "-q", "--revs", f"{top}/theirs"]
            made = subprocess.run(pack, input=f"{oid}\n", capture_output=True, text=True, check=True).stdout.strip()
            like = {
                "folder": top / "refs" / "notes" / "theirs",
                "file": top / "refs" / "notes" / "theirs" / "x",
                "object": top / f"theirs-{made}.pack",
                "program": top / "hooks" / "theirs",
            }
            wanted = {kind: oct(path.stat().st_mode) for kind, path in like.items()}
            found = {str(path.relative_to(top)): path for path in top.rglob("*") if not path.is_symlink()}
            modes = {name: (kind_of(name, path), oct(path.stat().st_mode)) for name, path in found.items()}
            odd = {name: mode for name, (kind, mode) in modes.items() if mode != wanted[kind]}
            assert odd == {}, wanted
    finally:
        os.umask(old)
    for part in ("/lock", "-wal", "-shm", "usage/alice", "lineage/at", "repack.lock", "in-use", ".idx", "hooks/post-"):
        assert any(part in name for name in found), part


def kind_of(name: str, path: Path) -> str:
    """Return which of git's own files one is to look like."""
    if path.is_dir():
        return "folder"
    if name.startswith("hooks/"):
        return "program"
    is_object = name.startswith(("objects/", "lineage/tree/objects/")) and "/info/" not in name.replace(
        "commit-graph", "/info/"
    )
    return "object" if is_object or name.endswith(("in-use", ".pack", ".idx", ".rev")) else "file"


class Shared:
    """
    A repository that is shared with a group, and two users of that group who leave nothing to anybody by their umask.

    Args:
        root: the repository.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.python = ""

    def start(self, user: int, *words: object) -> subprocess.Popen:
        """Start a program as one of the users, who has a home of his own and trusts the folder, as git demands."""
        home = self.root.parent / str(user)
        if not home.exists():
            home.mkdir()
            (home / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")
            os.chown(home, user, user)
        return subprocess.Popen(
            list(map(str, words)),
            user=user,
            group=user,
            extra_groups=[GROUP],
            umask=0o077,
            cwd=self.root,
            env={**os.environ, "HOME": str(home), "GIT_CONFIG_GLOBAL": f"{home}/.gitconfig", "PYTHONPATH": PLACES},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, user: int, *words: object) -> str:
        """Run a program as one of the users, and return what it printed."""
        with self.start(user, *words) as process:
            said, wrong = process.communicate()
        assert process.returncode == 0, wrong
        return said

    def record(self, user: int, more: int) -> int:
        """Record as one of the users, one trial and a batch of others, and return how many trials there are then."""
        return int(self.run(user, self.python, "-c", RECORD, self.root, f"u{user}", more))


@pytest.fixture
def shared() -> Iterator[Shared]:
    """A shared repository, in a folder that every user may enter."""
    if os.getuid():
        pytest.skip("only root can run programs as two other users")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        root = Path(folder, "repo")
        root.mkdir()
        os.chown(root, USERS[0], GROUP)
        root.chmod(0o2775)
        both = Shared(root)
        for python in PYTHONS:
            with suppress(OSError, AssertionError):
                both.run(USERS[1], python, "-c", "import gitlineage.cli")
                both.python = python
                break
        else:
            pytest.skip("no Python that other users may run, or no package that they may read")
        both.run(USERS[0], "git", "init", "-q", "--shared=group")
        yield both


def test_two_users_record_in_turn(shared: Shared) -> None:
    """What one user's store makes or replaces, the other's and git go on with."""
    one, two = USERS
    assert [shared.record(user, 2) for user in (one, two)] == [3, 6]
    for user in USERS:
        shared.run(user, "git", "update-ref", f"refs/heads/of-{user}", "refs/lineage/best^{}")
        shared.run(user, "git", "pack-refs", "--all")
        shared.run(user, "git", "gc", "-q")
    assert shared.record(one, 700) == 707
    shared.run(two, shared.python, "-m", "gitlineage", "maintain")
    shared.run(two, shared.python, "-m", "gitlineage", "maintain", "reindex")
    assert [shared.record(user, 2) for user in (one, two)] == [710, 713]
    shared.run(one, shared.python, "-m", "gitlineage", "maintain", "verify")
    for user in USERS:
        shared.run(user, "git", "fsck", "--strict")
        assert f"u{one}-0" in shared.run(user, "git", "log", "--all", "--notes=lineage/*")


def test_two_users_record_beside_each_other(shared: Shared) -> None:
    """Open stores of two users see each other's records, and what a killed one held is the other's to take."""
    with shared.start(USERS[0], shared.python, "-c", HOLD, shared.root) as one:
        with shared.start(USERS[1], shared.python, "-c", HOLD, shared.root) as two:
            for at in range(6):
                process = (one, two)[at % 2]
                process.stdin.write(f"t{at}\n")
                process.stdin.flush()
                assert process.stdout.readline() == f"{at + 1}\n", process.communicate()[1]
            two.stdin.close()
            assert two.wait() == -signal.SIGKILL
        assert list(shared.root.glob(".git/refs/notes/lineage/*.lock"))
        one.stdin.write("t6\n")
        one.stdin.flush()
        assert one.stdout.readline() == "7\n", one.communicate()[1]
