"""gitlineage.git.warm: whatever is kept of the last snapshot, the tree is that of a fresh index; little is read."""

import os
import random
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage.git import warm
from gitlineage.git.content import Content
from gitlineage.git.folders import Taken, Taker
from gitlineage.git.formats import FILE, PROGRAM, Entry, parse_index
from gitlineage.git.packs import object_id
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


@pytest.mark.parametrize("data", [b"", b"\x80", b"DIRC" + bytes(40), None])
def test_a_broken_one_is_made_anew(repo, quick, tmp_path, data) -> None:
    """Whatever is in its place, one bit of it even, the tree is right, and the next snapshot is spared again."""
    take(repo)
    known = repo / ".git" / "kept" / "known"
    whole = known.read_bytes()
    known.write_bytes(whole[:-30] + bytes([whole[-30] ^ 1]) + whole[-29:] if data is None else data)
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


@pytest.fixture
def calls(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that gets a line for each process of git."""
    told = tmp_path / "calls"
    told.touch()
    real = shutil.which("git")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "git").write_text(f'#!/bin/sh\necho "$*" >>"{told}"\nexec "{real}" "$@"\n')
    (tmp_path / "tools" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}{os.pathsep}{os.environ['PATH']}")
    return told


def test_two_processes_of_git_are_enough(repo, quick, tmp_path, calls) -> None:
    """One lists what is there, one reads what is new; where nothing is, the first is all."""
    take(repo)
    settle(repo)
    take(repo)
    settle(repo)
    for text, count in (("another\n", 2), ("another\n", 1)):
        if (repo / "a").read_text() != text:
            (repo / "a").write_text(text)
        calls.write_text("")
        tree = take(repo).tree
        assert len(calls.read_text().splitlines()) == count, calls.read_text()
        settle(repo)
        take(repo)
        settle(repo)
    assert tree == fresh(repo, tmp_path / "index")


def test_a_file_system_without_modes_has_those_of_the_users_index(repo, git, quick) -> None:
    """A bit that the user sets in the index is in the next snapshot, and nothing else is another."""
    git("config", "core.fileMode", "false")
    git("add", "-A")
    for _ in range(2):
        assert take(repo).tree == git("write-tree")
        settle(repo)
    git("update-index", "--chmod=+x", "a")
    for _ in range(2):
        assert take(repo).tree == git("write-tree")
        settle(repo)


def test_a_setting_that_changes_in_the_middle_is_noticed(repo, git, quick, tmp_path, monkeypatch) -> None:
    """What git read by a setting that came and went is read anew."""
    (repo / "z").write_bytes(b"one\r\n")
    looked = Taker._elsewhere

    def changing(taker: Taker, *words: object) -> dict[str, str]:
        git("config", "core.autocrlf", "input")
        return looked(taker, *words)

    with monkeypatch.context() as patch:
        patch.setattr(Taker, "_elsewhere", changing)
        converted = take(repo).tree
    git("config", "--unset", "core.autocrlf")
    settle(repo)
    assert take(repo).tree == fresh(repo, tmp_path / "index") != converted


NAMES = st.sampled_from(["a", "b", "a.b", "a-", "ä", "a/x", "a/y/z", "a/y", "b/x", "b/x.y/z", "b/x/w", "c/d/e/f"])
BLOB, OTHER = Entry(FILE, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"), Entry(PROGRAM, "8" * 40)


def apart(paths: dict[str, Entry]) -> dict[str, Entry]:
    """Those of some paths that are in no other's place."""
    return {path: entry for path, entry in paths.items() if not any(each.startswith(f"{path}/") for each in paths)}


@given(st.lists(st.dictionaries(NAMES, st.sampled_from([BLOB, OTHER])), min_size=1, max_size=4))
def test_trees_that_are_edited_are_those_that_are_written_at_once(states: list[dict[str, Entry]]) -> None:
    """Whatever files come, go, and take a folder's place or give it, what is left is in the trees and no more."""
    trees: dict[str, bytes] = {}
    was: dict[str, Entry] = {}
    for files in map(apart, states):
        before = warm.edit(trees, dict.fromkeys(was, None) | files)
        assert before == {path: entry for path, entry in was.items() if path in before}
        assert set(before) == set(was)
        anew: dict[str, bytes] = {}
        warm.edit(anew, files)
        assert trees == anew
        was = files


def test_trees_are_those_of_git(repo, git) -> None:
    """Names that sort oddly, long ones, and those that are no text; what an index says is what git reads in it."""
    for name in ("a.b", "a-b/c", "aa", "sub.d", "sub/deep.e", "x" * 200, os.fsdecode(b"odd\xff")):
        (repo / name).parent.mkdir(exist_ok=True)
        (repo / name).write_text(name[:3])
    git("add", "-A")
    told = git("ls-files", "-z", "-s", "--abbrev=40").split("\0")[:-1]
    parsed = list(parse_index((repo / ".git" / "index").read_bytes()))
    assert all(size == (repo / os.fsdecode(path)).stat().st_size for path, _, size in parsed)
    listed = {path: entry for path, entry, _ in parsed}
    assert {f"{entry.mode:o} {entry.oid} 0\t{os.fsdecode(path)}" for path, entry in listed.items()} == set(told)
    trees: dict[str, bytes] = {}
    warm.edit(trees, {path.decode("utf-8", "surrogateescape"): entry for path, entry in listed.items()})
    assert object_id("tree", trees[""]) == git("write-tree")


@pytest.fixture(autouse=True)
def _plain_attributes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No attributes of whoever runs the tests."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    yield
