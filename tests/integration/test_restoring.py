"""A snapshot's files back in place: `checkout ID --here`, `restore` and `LineageStore.restore`."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import Shell

from gitlineage import LineageStore
from gitlineage.errors import WouldLose


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


@pytest.fixture
def nested(shell: Shell, git: Callable[..., str], tmp_path: Path) -> Shell:
    """A shell whose last snapshot, 003, has a submodule at ``lib``, which is checked out; the ones before have none."""
    git("init", "-q", str(tmp_path / "lib"))
    (tmp_path / "lib" / "code.py").write_text("1\n")
    git("-C", str(tmp_path / "lib"), "add", "-A")
    git("-C", str(tmp_path / "lib"), "commit", "-q", "-m", "one")
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", (tmp_path / "lib").as_uri(), "lib")
    shell.commit("-m", "with a submodule", "--metric", "1")
    return shell


def test_a_submodule_stays_and_is_told(nested: Shell) -> None:
    """Git leaves it to itself, so does a restore: it is not counted as removed, and it hinders no further restore."""
    (gone,) = nested.objects("restore", "002")
    assert (gone["written"], gone["removed"], gone["left"]) == (0, 1, ["lib"])  # .gitmodules alone
    assert (nested.folder / "lib" / "code.py").read_text() == "1\n"
    assert "still there, because git could not remove it: lib" in nested("restore", "003") + nested("restore", "001")
    (back,) = nested.objects("restore", "003")
    assert (back["left"], back["removed"]) == ([], 0)
    assert (nested.folder / "lib" / "code.py").read_text() == "1\n"


def test_a_submodule_at_another_commit_is_told(nested: Shell, git: Callable[..., str]) -> None:
    """Its own commit and changes are not touched, whatever git's configuration says of submodules."""
    git("config", "submodule.recurse", "true")
    recorded = git("-C", "lib", "rev-parse", "HEAD")
    (nested.folder / "lib" / "code.py").write_text("2\n")
    git("-C", "lib", "commit", "-q", "-a", "-m", "two")
    nested.commit("-m", "another commit of it", "--metric", "1")
    (nested.folder / "lib" / "code.py").write_text("precious\n")
    (done,) = nested.objects("restore", "003")
    assert done["elsewhere"] == {"lib": recorded}
    assert f"in a repository of its own: lib ({recorded[:7]}" in nested("restore", "004") + nested("restore", "003")
    assert (nested.folder / "lib" / "code.py").read_text() == "precious\n"
    nested.write(a="edited\n")
    assert "1 file changed that no snapshot has: a.txt;" in nested.fails(1, "restore", "002")


def test_refusals_name_the_files(shell: Shell) -> None:
    """The first few in the line and how many more there are; all of them in JSON."""
    names = [f"new{number}" for number in range(7)]
    shell.write(**dict.fromkeys(names, "x\n"))
    said = shell.fails(1, "restore", "000")
    assert "7 files changed that no snapshot has: new0.txt, new1.txt, new2.txt, new3.txt, new4.txt and 2 more;" in said
    refused = shell.run("restore", "000", "--json")
    assert refused.exit_code == 1 and len(refused.stderr.splitlines()) == 1
    assert json.loads(refused.stdout)["files"] == [f"{name}.txt" for name in names]
    with LineageStore(shell.folder) as store, pytest.raises(WouldLose) as raised:
        store.restore("000")
    assert len(raised.value.files) == 7


def test_folders_that_cannot_be_written_to(shell: Shell) -> None:
    """What git could not remove is told and not counted; what it could not write is an error that says so."""
    locked = shell.folder / "sub"
    with unwritable(locked):
        (done,) = shell.objects("restore", "001")
        assert (done["removed"], done["left"]) == (0, ["sub/c.txt"])
        assert (locked / "c.txt").exists()
    assert "sub/c.txt" in shell.fails(1, "restore", "002")
    (locked / "c.txt").write_text("another\n")
    shell.write(b="other\n")
    shell.commit("-m", "another", "--metric", "1")
    with unwritable(locked):
        said = shell.fails(1, "restore", "002")
    assert "not all of them could be written" in said and "sub/c.txt" in said


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Have nothing written to a folder or removed from it, by root neither; skip where that cannot be."""
    if os.geteuid() != 0:
        folder.chmod(0o555)
        try:
            yield
        finally:
            folder.chmod(0o755)
        return
    words = ["chattr", "+i", str(folder)]
    if not shutil.which("chattr") or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("root writes everywhere, and this disk has no immutable folders")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", str(folder)], check=True)


def test_files_that_are_not_ignored_any_more_are_told(shell: Shell) -> None:
    """The snapshot has no rule yet that was made later: what the next commit will take for that is named."""
    (shell.folder / ".gitignore").write_text("*.log\ndata/\n")
    shell.commit("-m", "ignore the data", "--metric", "1")
    (shell.folder / "run.log").write_text("x\n")
    (shell.folder / "data").mkdir()
    names = [f"data/{number}.bin" for number in range(6)]
    for name in names:
        (shell.folder / name).write_text("x\n")
    said = shell("restore", "002")
    assert f"not ignored any more, so that the next commit takes 6 files: {', '.join(names[:5])} and 1 more" in said
    assert "6 files changed" in shell.fails(1, "restore", "003")
    (shell.folder / ".gitignore").write_text("*.log\ndata/\n")
    (done,) = shell.objects("restore", "002")
    assert done["unignored"] == names
    assert "ignored" not in shell("restore", "001", "--force")


def test_a_sparse_checkout_keeps_what_it_leaves_away(folder: Path, git: Callable[..., str]) -> None:
    """Files outside of its cone are neither counted, written nor asked for; those inside come back."""
    shell = Shell(folder)
    shell("init", "--metric", "loss", "--lower-is-better")
    for name in ("A", "C"):
        (folder / name).mkdir()
    (folder / "A" / "a").write_text("a\n")
    for text, score in (("0\n", "1"), ("1\n", "0.9")):
        (folder / "t.py").write_text(text)
        shell("commit", "-m", "t", "--metric", score)
    (folder / "C" / "c").write_text("c\n")
    shell("commit", "-m", "with c", "--metric", "0.8")
    (folder / "C" / "c").write_text("other\n")
    git("add", ".")
    git("commit", "-qm", "all")
    git("sparse-checkout", "set", "A")
    for name, text, written in (("000", "0\n", 1), ("001", "1\n", 1), ("002", "1\n", 0)):
        (done,) = shell.objects("restore", name)
        assert (done["written"], done["removed"]) == (written, 0)
        assert (folder / "t.py").read_text() == text
        assert not (folder / "C").exists()
    assert git("ls-files", "-t", "C").split() == ["S", "C/c"]


def test_the_best_is_called_by_its_name_where_it_is_a_replicate(folder: Path) -> None:
    """Of several trials on one snapshot the one that was asked for is named."""
    shell = Shell(folder)
    shell("init", "--metric", "loss", "--lower-is-better")
    (folder / "t.py").write_text("x\n")
    shell("commit", "-m", "t", "--metric", "1")
    shell("record", "000", "--replicate", "--metric", "0.5", "--status", "keep")
    assert "the working tree is 001 now" in shell("restore", "best")
    assert "the working tree is 000 now" in shell("restore", "000")
