"""gitlineage.git.warm: whatever is kept of the last snapshot, the tree is that of a fresh index; little is read."""

import os
import random
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitlineage.git import warm
from gitlineage.git.content import Content
from gitlineage.git.folders import Taken
from gitlineage.git.repository import GitRepo

QUICK = 20_000_000
"""The margin of tests that wait for it (ns); far more than one tick of the kernel."""


@pytest.fixture
def repo(git, folder) -> Path:
    """A repository with some files that nobody committed."""
    folder.mkdir()
    git("init", "-q")
    for name in ("a", "b.txt", "sub/c", "sub/deep/d"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n")
    return folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as unchanged soon after they were touched."""
    monkeypatch.setattr(warm, "_MARGIN", QUICK)
    monkeypatch.setattr(warm, "_UNSEEN", QUICK)


def take(root: Path) -> Taken:
    """Take the working tree as a recording command does."""
    repo = GitRepo(root)
    return Content(repo, kept=repo.gitdir / "kept").from_folder(root)


def fresh(root: Path, index: Path) -> str:
    """The tree of a fresh index, by git itself."""
    told = {**os.environ, "GIT_INDEX_FILE": str(index)}
    subprocess.run(["git", "add", "-A"], cwd=root, env=told, check=True, capture_output=True)
    tree = subprocess.run(["git", "write-tree"], cwd=root, env=told, check=True, capture_output=True, text=True).stdout
    index.unlink()
    return tree.strip()


def settle(root: Path) -> None:
    """Wait until the file system's clock has gone on by twice the margin."""
    probe = root / ".git" / "probe"
    probe.write_bytes(b"")
    began = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns < began + 2 * QUICK:
        probe.write_bytes(b"x")


def rewrite(path: Path, data: bytes) -> None:
    """Write a file in place, and give it back the time that it had."""
    before = path.stat()
    with open(path, "r+b") as file:
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_only_what_changed_is_read_again(repo, quick, tmp_path) -> None:
    """The second snapshot reads the file that was edited, and counts all of them."""
    first = take(repo)
    assert set(first.sizes) == {"a", "b.txt", "sub/c", "sub/deep/d"}
    settle(repo)
    take(repo)
    settle(repo)
    (repo / "a").write_text("another\n")
    second = take(repo)
    assert set(second.sizes) == {"a"}
    assert (second.files, second.size) == (4, first.size + len("another\n") - len("a\n"))
    assert second.tree == fresh(repo, tmp_path / "index")


def test_an_edit_in_the_same_tick_with_times_set_by_hand_is_seen(repo, tmp_path) -> None:
    """Right after a snapshot nothing tells such a file from the one that was read; it is read again."""
    for number in range(20):
        rewrite(repo / "a", b"%1d\n" % (number % 10))
        assert take(repo).tree == fresh(repo, tmp_path / "index")


def change(chance: random.Random, repo: Path) -> None:
    """Change one thing about a working tree, or about what turns files into content."""
    path = repo / chance.choice(["a", "b.txt", "sub/c", "sub/deep/d", "new", "sub/.hidden", "ü"])
    what = chance.randrange(12)
    if what < 4 or not path.is_file() or path.is_symlink():
        path.unlink(missing_ok=True)
        if path.is_dir():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.choice([b"one\n", b"two\r\n", b"", b"$Id$\n"]))
    elif what == 4:
        path.unlink()
    elif what == 5:
        path.chmod(chance.choice([0o644, 0o755]))
    elif what == 6:
        rewrite(path, bytes(byte ^ 1 for byte in path.read_bytes()))
    elif what == 7:
        path.unlink()
        path.symlink_to("a")
    elif what == 8:
        (repo / ".gitignore").write_text(chance.choice(["new\n", "*.txt\n", "sub/deep\n", ""]))
    elif what == 9:
        where = chance.choice([".gitattributes", "sub/.gitattributes", ".git/info/attributes"])
        (repo / where).parent.mkdir(exist_ok=True)
        (repo / where).write_text(chance.choice(["* text=auto\n", "* -text\n", "*.txt filter=upper\n", "a ident\n"]))
    elif what == 10:
        value = chance.choice(["true", "false", "input"])
        subprocess.run(["git", "config", "core.autocrlf", value], cwd=repo, check=True)
    else:
        name = chance.choice(["tr a-z A-Z", "tr a-z b-za", "cat"])
        subprocess.run(["git", "config", "filter.upper.clean", name], cwd=repo, check=True)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_between_snapshots_the_tree_is_that_of_a_fresh_index(repo, quick, tmp_path, seed) -> None:
    """Edits, links, modes, ignore rules, attributes, line ends and filters, in any order."""
    chance = random.Random(seed)
    spared = 0
    for _ in range(15):
        for _ in range(chance.randrange(3)):
            change(chance, repo)
        settle(repo)
        taken = take(repo)
        assert taken.tree == fresh(repo, tmp_path / "index")
        assert taken.files >= len(taken.sizes)
        spared += taken.files - len(taken.sizes)
    assert spared > 0, "nothing was ever spared"


def test_a_program_of_the_users_is_asked_each_time(repo, git, quick, tmp_path) -> None:
    """What a filter gives may change without any file; its files are never taken from the last snapshot."""
    (repo / ".gitattributes").write_text("a filter=dated\n")
    script = tmp_path / "dated"
    git("config", "filter.dated.clean", f"cat {script}")
    for text in ("monday\n", "tuesday\n"):
        script.write_text(text)
        settle(repo)
        take(repo)
        settle(repo)
        assert take(repo).tree == fresh(repo, tmp_path / "index")


def test_what_git_pruned_is_read_again(repo, git, quick, tmp_path) -> None:
    """A snapshot that was never recorded leaves objects that git prunes; the next one is whole all the same."""
    take(repo)
    settle(repo)
    take(repo)
    git("gc", "-q", "--prune=now")
    for path in (repo / ".git" / "kept" / "objects").glob("*/*"):
        path.unlink()
    settle(repo)
    tree = take(repo).tree
    assert tree == fresh(repo, tmp_path / "index")
    git("fsck", "--strict")
    assert git("cat-file", "-p", f"{tree}:a") == "a"


@pytest.mark.parametrize("name", ["index", "known"])
@pytest.mark.parametrize("data", [b"", b"\x80", b"DIRC" + bytes(40)])
def test_a_broken_one_is_made_anew(repo, quick, tmp_path, name, data) -> None:
    """Whatever is in its place, the tree is right, and the next snapshot is spared again."""
    take(repo)
    (repo / ".git" / "kept" / name).write_bytes(data)
    settle(repo)
    assert take(repo).tree == fresh(repo, tmp_path / "index")
    settle(repo)
    assert take(repo).sizes == {}


def test_where_nothing_can_be_kept_all_is_read(repo, tmp_path) -> None:
    """A file is where the folder would be."""
    (repo / ".git" / "kept").write_text("")
    for _ in range(2):
        assert take(repo).tree == fresh(repo, tmp_path / "index")


def test_what_a_killed_process_left_is_removed(repo) -> None:
    """Its folder goes with the next snapshot."""
    left = repo / ".git" / "kept" / f".gitlineage-{os.uname().nodename}~99999999~abcdefgh.scratch"
    left.mkdir(parents=True)
    take(repo)
    assert not left.exists()


def test_many_at_once_take_the_same_tree(repo, quick, tmp_path) -> None:
    """Whoever is last keeps his index; nobody waits, and none is half written."""
    expected = fresh(repo, tmp_path / "index")
    trees: list[str] = []

    def work() -> None:
        trees.extend(take(repo).tree for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trees == [expected] * 20


@pytest.fixture(autouse=True)
def _plain_attributes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No attributes of whoever runs the tests."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    yield
