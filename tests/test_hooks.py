"""The hooks that ship with the project, run by the real git."""

import shutil
import subprocess
from pathlib import Path

from gitlineage import LineageStore, Trial

HOOKS = Path(__file__).parent.parent / "hooks"


def git(folder: Path, *words: str) -> str:
    """Run git in a folder and return what it printed."""
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def with_hook(tmp_path: Path) -> tuple[Path, Path]:
    """Return a repository with one commit and the pre-push hook, and a bare remote for it."""
    remote, here = tmp_path / "remote.git", tmp_path / "here"
    git(tmp_path, "init", "--quiet", "--bare", str(remote))
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(here))
    git(here, "config", "user.name", "A")
    git(here, "config", "user.email", "a@example.org")
    git(here, "remote", "add", "origin", str(remote))
    git(here, "commit", "--quiet", "--allow-empty", "-m", "start")
    shutil.copy(HOOKS / "pre-push", here / ".git" / "hooks" / "pre-push")
    return here, remote


def test_pre_push_sends_the_lineage_along(tmp_path: Path) -> None:
    """Pushing a branch also pushes this clone's writer ref, and nothing else."""
    here, remote = with_hook(tmp_path)
    store = LineageStore(here)
    store.record("HEAD", Trial(status="baseline", core_metric=1.0))
    git(here, "push", "--quiet", "origin", "main")
    refs = git(remote, "for-each-ref", "--format=%(refname)").split()
    assert refs == ["refs/heads/main", f"refs/notes/lineage/{store.writer}"]


def test_pre_push_without_a_writer_does_nothing(tmp_path: Path) -> None:
    """A repository that records nothing pushes as before."""
    here, remote = with_hook(tmp_path)
    git(here, "push", "--quiet", "origin", "main")
    assert git(remote, "for-each-ref", "--format=%(refname)").split() == ["refs/heads/main"]


def test_pre_push_lets_the_branch_go_where_lineage_is_refused(tmp_path: Path) -> None:
    """A remote that refuses the writer ref still gets the branch."""
    here, remote = with_hook(tmp_path)
    LineageStore(here).record("HEAD", Trial(status="baseline", core_metric=1.0))
    update = remote / "hooks" / "update"
    update.write_text('#!/bin/sh\ncase "$1" in refs/notes/*) exit 1;; esac\n')
    update.chmod(0o755)
    git(here, "push", "--quiet", "origin", "main")
    assert git(remote, "for-each-ref", "--format=%(refname)").split() == ["refs/heads/main"]
