"""What permissions files in a repository get: git's configuration keeps its own, shared refs are the group's."""

import os
import subprocess
from pathlib import Path

import pytest

from gitlineage import LineageStore, Trial
from gitlineage.git.modes import Modes


@pytest.fixture
def tight():
    """A umask that leaves nothing to anybody else."""
    old = os.umask(0o077)
    yield
    os.umask(old)


def mode(path: Path) -> int:
    """Return a file's permissions."""
    return path.stat().st_mode & 0o777


def test_a_commit_under_a_tight_umask_leaves_gits_configuration_readable(tmp_path: Path, tight) -> None:
    """The writer's name is put into the file without changing who may read it."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    config = tmp_path / ".git" / "config"
    config.chmod(0o664)
    with LineageStore(tmp_path, identity=("Alice", "alice@example.org")) as store:
        store.append(Trial("a", status="discard"))
        assert store.writer in config.read_text()
    assert mode(config) == 0o664


@pytest.mark.parametrize("setting", ["group", "true", "all", "0640", "0660", "umask", "false", ""])
def test_refs_are_shared_as_git_shares_them(tmp_path: Path, tight, setting) -> None:
    """A ref, its folder and its reflog get the permissions that git's own get beside it."""
    git = ["git", "-C", str(tmp_path)]
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run([*git, "config", "core.sharedRepository", setting], check=True)
    with LineageStore(tmp_path, writer="alice", identity=("Alice", "alice@example.org")) as store:
        oid = store.append(Trial("a", status="discard")).oid
    subprocess.run([*git, "update-ref", "refs/notes/theirs/x", oid], check=True)
    for place in (".git/refs/notes", ".git/logs/refs/notes"):
        ours, theirs = tmp_path / place / "lineage", tmp_path / place / "theirs"
        assert ours.stat().st_mode == theirs.stat().st_mode
        assert mode(ours / "alice") == mode(theirs / "x")


def test_a_setting_that_git_does_not_know_shares_nothing() -> None:
    """Neither a word nor a mode without the owner's rights."""
    assert [Modes(text).of(0o600) for text in ("maybe", "0060", "9", None)] == [0o600] * 4
