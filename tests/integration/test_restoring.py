"""A snapshot's files back in place: `checkout ID --here`, `restore` and `LineageStore.restore`."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Shell

from gitlineage import LineageStore


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell on a chain of three: a file changed, then one added and one made a program."""
    folder.mkdir()
    shell = Shell(folder)
    shell("init", "--writer", "alice", "--metric", "loss")
    shell.write(a="one\n", b="same\n")
    (folder / ".gitignore").write_text("*.log\n")
    shell.commit("-m", "base", "--metric", "3")
    shell.write(a="two\n")
    shell.commit("-m", "one", "--metric", "2")
    (folder / "sub").mkdir()
    (folder / "sub" / "c.txt").write_text("c\n")
    (folder / "b.txt").chmod(0o755)
    shell.commit("-m", "two", "--metric", "1")
    return shell


def files(folder: Path) -> dict[str, tuple[bytes, bool]]:
    """Return every file's content and whether it is a program, by path; git's folder left out."""
    found = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), bool(path.stat().st_mode & 1)) for path in found}


@pytest.mark.parametrize("words", [["checkout", "000", "--here"], ["restore", "000"]])
def test_the_working_tree_is_what_it_was(
    shell: Shell, git: Callable[..., str], tmp_path: Path, words: list[str]
) -> None:
    """It equals what a checkout elsewhere writes; ignored files, HEAD, branches and the index are left alone."""
    shell.write(run="log\n")
    (shell.folder / "run.log").write_text("kept\n")
    (shell.folder / "run.txt").unlink()
    before = git("status", "--porcelain=v2", "--branch", "--untracked-files=no"), git("ls-files", "--stage")
    assert "the working tree is 000 now: 2 files written, 1 file removed" in shell(*words)
    shell("checkout", "000", tmp_path / "out")
    found = files(shell.folder)
    assert found.pop("run.log") == (b"kept\n", False)
    assert found == files(tmp_path / "out")
    assert not (shell.folder / "sub").exists()
    after = git("status", "--porcelain=v2", "--branch", "--untracked-files=no"), git("ls-files", "--stage")
    assert before == after


def test_the_next_commit_counts_from_it(shell: Shell) -> None:
    """Unchanged it is a replicate, edited a child of it, although others differ as little."""
    shell("restore", "000")
    with LineageStore(shell.folder) as store:
        assert store.ledger.stands_on() == store.snapshot("000").oid
    assert shell.commit("-m", "again", "--metric", "3.1")["replicate_of"] == "000"
    shell.write(a="something else\n")
    made = shell.commit("-m", "from the base", "--metric", "2.5")
    assert (made["parent"], made["nearest"]["how"]) == ("000", "last")


def test_refuses_to_lose_what_is_recorded_nowhere(shell: Shell, git: Callable[..., str]) -> None:
    """An edit, a new file and a removed one are each told; --force throws them away, and says where they are."""
    shell.write(a="precious\n", d="new\n")
    (shell.folder / "b.txt").unlink()
    before = files(shell.folder)
    assert "3 files changed that no snapshot has" in shell.fails(1, "restore", "000")
    assert files(shell.folder) == before
    (done,) = shell.objects("checkout", "000", "--here", "--force")
    assert (shell.folder / "a.txt").read_text() == "one\n"
    assert not (shell.folder / "d.txt").exists()
    assert git("show", f"{done['was']}:a.txt") == "precious"
    assert git("show", f"{done['was']}:d.txt") == "new"


def test_what_head_has_is_not_lost(shell: Shell, git: Callable[..., str]) -> None:
    """A working tree as HEAD has it can be had again from git."""
    shell.write(a="mine\n")
    git("add", "-A")
    git("commit", "-q", "-m", "mine")
    shell("restore", "002")
    assert (shell.folder / "a.txt").read_text() == "two\n"


@pytest.mark.parametrize("shape", ["file", "folder", "above"])
def test_an_ignored_file_in_the_way_is_kept(shell: Shell, shape: str) -> None:
    """Where the snapshot has a file at the place of an ignored one, or around it, nothing is changed."""
    (shell.folder / ".gitignore").write_text("")
    target = shell.folder / ("x/y" if shape == "above" else "x")
    target.parent.mkdir(exist_ok=True)
    target.write_text("recorded\n")
    shell.commit("-m", "with x", "--metric", "1")
    shell("restore", "000")
    (shell.folder / ".gitignore").write_text("x\n*.log\n")
    shell.commit("-m", "x ignored", "--metric", "1")
    kept = shell.folder / ("x/kept.log" if shape == "folder" else "x")
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("mine\n")
    before = files(shell.folder)
    assert "is in no snapshot" in shell.fails(1, "restore", "003")
    assert files(shell.folder) == before


def test_bad_calls_change_nothing(shell: Shell, tmp_path: Path) -> None:
    """Unknown ids, a folder with --here, neither of both, and a bare repository."""
    before = files(shell.folder)
    assert "'nope'" in shell.fails(1, "restore", "nope")
    assert "excludes a folder" in shell.fails(2, "checkout", "000", tmp_path / "x", "--here")
    assert "--here" in shell.fails(2, "checkout", "000")
    assert "--force" in shell.fails(2, "checkout", "000", tmp_path / "x", "--force")
    assert files(shell.folder) == before
    Shell(tmp_path)("init", "bare.git", "--bare")
    bare = Shell(tmp_path / "bare.git")
    bare("commit", "--from", shell.folder, "-m", "x", "--metric", "1")
    assert "no working tree" in bare.fails(1, "restore", "000")


def test_filters_and_links(shell: Shell, git: Callable[..., str]) -> None:
    """Line ends are those that git would write, and links are links."""
    (shell.folder / ".gitattributes").write_text("*.txt text eol=crlf\n")
    (shell.folder / "a.txt").write_bytes(b"x\r\n")
    (shell.folder / "link").symlink_to("a.txt")
    shell.commit("-m", "crlf", "--metric", "1")
    (shell.folder / "a.txt").write_bytes(b"y\r\n")
    (shell.folder / "link").unlink()
    shell.commit("-m", "no link", "--metric", "1")
    shell("restore", "003")
    assert (shell.folder / "a.txt").read_bytes() == b"x\r\n"
    assert os.readlink(shell.folder / "link") == "a.txt"


def test_what_stays_need_not_be_safe_to_write(tmp_path: Path) -> None:
    """A link of the user's own to a folder of the machine stays; one that the snapshot would bring is refused."""
    shell = Shell(tmp_path)
    data = tmp_path / "data"
    data.symlink_to("/nowhere/on/this/machine")
    (tmp_path / "a").write_text("1\n")
    shell.commit("-m", "a", "--metric", "1")
    (tmp_path / "a").write_text("2\n")
    shell.commit("-m", "b", "--metric", "2")
    shell("restore", "000")
    assert (tmp_path / "a").read_text() == "1\n" and data.is_symlink()
    data.unlink()
    shell.commit("-m", "c", "--metric", "3")
    assert "absolute path" in shell.fails(1, "restore", "001")
    assert not data.is_symlink()
