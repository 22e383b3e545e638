"""Checkout writes what a tree holds, and refuses a hostile one before anything is written."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlineage.errors import InvalidContent, LineageError, StorageError
from gitlineage.git import checkout as checking
from gitlineage.git.checkout import checkout
from gitlineage.git.formats import FILE, LINK, PROGRAM, SUBMODULE, TREE, Entry
from gitlineage.git.repository import GitRepo


class Trees:
    """Writes trees that git itself would not make."""

    def __init__(self, repo: GitRepo) -> None:
        self.repo = repo

    def blob(self, data: bytes = b"x") -> str:
        """Write a blob."""
        return self.repo.write_blob(data)

    def raw(self, *entries: tuple[int, str | bytes, str]) -> str:
        """Write a tree of these entries in this order, whatever they are."""
        named = [(mode, os.fsencode(name), oid) for mode, name, oid in entries]
        data = b"".join(b"%o %s\0" % (mode, name) + bytes.fromhex(oid) for mode, name, oid in named)
        return self.repo.write_object("tree", data)

    def file(self, name: str | bytes) -> str:
        """Write a tree with one file beside a harmless one."""
        return self.raw((FILE, "aaa", self.blob()), (FILE, name, self.blob(b"evil")))

    def link(self, target: bytes, name: str = "zzz") -> str:
        """Write a tree with a link beside a folder."""
        folder = self.raw((FILE, "inner", self.blob()))
        return self.raw((TREE, "sub", folder), (LINK, name, self.blob(target)))


@pytest.fixture
def trees(store) -> Trees:
    """Write into the test's repository."""
    return Trees(store.ledger.repo)


def refused(trees: Trees, tree: str, to: Path) -> InvalidContent:
    """Check a tree out, see that it is refused and that nothing is there, and return why."""
    with pytest.raises(InvalidContent) as caught:
        checkout(trees.repo, tree, to)
    assert not to.exists()
    assert not (to.parent / "evil").exists()
    return caught.value


def test_what_is_recorded_comes_out(store, git, folder, tmp_path) -> None:
    """Files, folders, links and the executable bit are as they were recorded; git agrees with every byte."""
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    (source / "deep" / "er" / "data.bin").write_bytes(bytes(range(256)))
    (source / "é naïve.txt").write_text("é")
    (source / "deep" / "up").symlink_to("../run.sh")
    snapshot = store.commit(source)
    to = tmp_path / "out" / "new"
    written = store.checkout(snapshot, to)
    assert (written.files, written.bytes) == (4, 10 + 256 + 2 + 9)
    assert (to / "deep" / "er" / "data.bin").read_bytes() == bytes(range(256))
    assert os.readlink(to / "deep" / "up") == "../run.sh"
    assert (to / "run.sh").stat().st_mode & stat.S_IXUSR
    assert not (to / "é naïve.txt").stat().st_mode & stat.S_IXUSR
    assert store.commit(to, message="again").tree == snapshot.tree


def test_an_empty_folder_will_do_and_a_full_one_will_not(store, tmp_path) -> None:
    """An existing folder must be empty; a file in the way is an error."""
    snapshot = store.commit({"a": b"1"})
    empty = tmp_path / "empty"
    empty.mkdir()
    store.checkout(snapshot, empty)
    assert (empty / "a").read_bytes() == b"1"
    with pytest.raises(InvalidContent, match="is not empty"):
        store.checkout(snapshot, empty)
    with pytest.raises(StorageError):
        store.checkout(snapshot, empty / "a")
    assert (empty / "a").read_bytes() == b"1"


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "",
        "../evil",
        "/evil",
        "sub/evil",
        ".git",
        ".GIT",
        ".Git",
        "git~1",
        "GIT~1",
        ".git.",
        ".git ",
        ".git. .",
        ".git::$INDEX_ALLOCATION",
        ".g\u200cit",
        ".git\u200f",
        "\ufeff.git",
        ".git\\hooks",
        "..\\evil",
        "C:\\evil",
        "\\evil",
        "CON",
        "con",
        "nul.txt",
        "NUL .txt",
        "COM1",
        "com9.log",
        "LPT\u00b2",
        "CONOUT$",
        "aux",
        "prn.",
        "dot.",
        "blank ",
        "x" * 256,
        b"..",
        b"\xff" * 256,
    ],
)
def test_names_that_lead_elsewhere_are_refused(trees, tmp_path, name) -> None:
    """Path escapes, absolute paths, git's own folder in every spelling, and names that Windows keeps."""
    refused(trees, trees.file(name), tmp_path / "out")
    inner = trees.file(name)
    refused(trees, trees.raw((TREE, "folder", inner)), tmp_path / "out")
    folder = trees.raw((FILE, "config", trees.blob(b"evil")))
    refused(trees, trees.raw((TREE, name, folder)), tmp_path / "out")


@pytest.mark.parametrize(
    "name", ["console", "nulls", "com10", "com", "git~", ".gitignore", ".gitattributes", "a.b", "…"]
)
def test_names_that_only_look_alike_are_written(trees, tmp_path, name) -> None:
    """A name that merely begins like a dangerous one is a file like any other."""
    checkout(trees.repo, trees.file(name), tmp_path / "out")
    assert (tmp_path / "out" / name).read_bytes() == b"evil"


def test_bytes_that_are_no_text_are_a_name(trees, tmp_path) -> None:
    """A file's name may be any bytes that the file system takes."""
    checkout(trees.repo, trees.file(b"\xff\xfe"), tmp_path / "out")
    assert b"\xff\xfe" in os.listdir(os.fsencode(tmp_path / "out"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("readme", "README"),
        ("straße", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("CAF\u00c9", "cafe\u0301"),
        ("same", "same"),
        ("\u212b", "\u00e5"),
    ],
)
@pytest.mark.parametrize("kinds", [(FILE, FILE), (FILE, TREE), (LINK, TREE), (TREE, TREE)])
def test_names_that_collide_are_refused(trees, tmp_path, one, other, kinds) -> None:
    """Names that are one file where case or Unicode normalisation do not count, and entries that come twice."""
    inner = trees.raw((FILE, "evil", trees.blob()))
    oids = [inner if kind == TREE else trees.blob(b"sub") for kind in kinds]
    tree = trees.raw((kinds[0], one, oids[0]), (kinds[1], other, oids[1]))
    refused(trees, tree, tmp_path / "out")


@pytest.mark.parametrize(
    "target",
    [
        b"/etc/passwd",
        b"..",
        b"../evil",
        b"sub/../../evil",
        b"./.././evil",
        b"a/../../b",
        b"\\evil",
        b"C:/evil",
        b"C:evil",
        b".git/config",
        b"sub/.GIT/hooks/post-checkout",
        b"..\\evil",
        b"",
        b"a\0b",
        b"x" * 5000,
    ],
)
def test_links_that_lead_out_are_refused(trees, tmp_path, target) -> None:
    """A link to an absolute path, above the folder, into git's folder or to no path at all."""
    refused(trees, trees.link(target), tmp_path / "out")


def test_links_that_lead_out_through_each_other_are_refused(trees, tmp_path) -> None:
    """``a/b/l`` leads to the top, so ``l/..`` leads out, though its text does not climb that far; circles too."""
    up = trees.raw((LINK, "l", trees.blob(b"../..")))
    folder = trees.raw((TREE, "b", up))
    refused(trees, trees.raw((TREE, "a", folder), (LINK, "y", trees.blob(b"a/b/l/.."))), tmp_path / "out")
    refused(trees, trees.raw((TREE, "a", folder), (LINK, "y", trees.blob(b"A/B/L/../evil"))), tmp_path / "out")
    circle = trees.raw((LINK, "x", trees.blob(b"y")), (LINK, "y", trees.blob(b"x")))
    refused(trees, circle, tmp_path / "out")


def test_links_inside_are_written(trees, tmp_path) -> None:
    """A link that stays inside is written as it is, also one that leads nowhere."""
    for at, target in enumerate((b"sub/inner", b"./sub/../sub", b"sub/../missing", b"...x")):
        checkout(trees.repo, trees.link(target), tmp_path / f"out{at}")
        assert os.readlink(os.fsencode(tmp_path / f"out{at}" / "zzz")) == target


def test_submodules_and_odd_modes_are_refused(trees, tmp_path) -> None:
    """A submodule's content is elsewhere; a mode that git does not write is nothing that can be written."""
    error = refused(trees, trees.raw((SUBMODULE, "module", "12" * 20)), tmp_path / "out")
    assert "submodule" in str(error)
    refused(trees, trees.raw((0o140000, "socket", trees.blob())), tmp_path / "out")
    refused(trees, trees.raw((0o104755, "setuid", trees.blob())), tmp_path / "out")
    refused(trees, trees.raw((FILE, "folder", trees.raw())), tmp_path / "out")


def test_too_much_is_refused(trees, tmp_path, git) -> None:
    """Size, number and depth have limits, and a small bomb is seen before it goes off."""
    big = trees.blob(b"\0" * 100_000)
    tree = trees.raw(*((FILE, f"f{number:03}", big) for number in range(100)))
    git("config", "lineage.maxCheckoutSize", "9m")
    assert "maxCheckoutSize" in str(refused(trees, tree, tmp_path / "out"))
    git("config", "lineage.maxCheckoutSize", "10m")
    assert checkout(GitRepo(trees.repo.commondir), tree, tmp_path / "fits").files == 100
    bomb = trees.raw((FILE, "f", trees.blob(b"")))
    for _ in range(12):
        bomb = trees.raw(*((TREE, f"d{number}", bomb) for number in range(10)))
    assert "more than" in str(refused(trees, bomb, tmp_path / "out"))
    deep = trees.raw((FILE, "f", trees.blob(b"")))
    for _ in range(checking.MAX_DEPTH + 1):
        deep = trees.raw((TREE, "d", deep))
    assert "folders or more" in str(refused(trees, deep, tmp_path / "out"))


def test_a_missing_object_leaves_nothing_behind(trees, tmp_path) -> None:
    """What fails half way is taken back, and an existing folder stays and is empty."""
    tree = trees.raw((FILE, "a", trees.blob()), (TREE, "b", trees.raw((FILE, "c", "12" * 20))))
    with pytest.raises(LineageError):
        checkout(trees.repo, tree, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_half_way_leaves_nothing_behind(trees, tmp_path, monkeypatch) -> None:
    """When the disk refuses a file, those that were written are gone again; nothing outside is touched."""
    tree = trees.raw((FILE, "a", trees.blob()), (TREE, "b", trees.raw((FILE, "c", trees.blob()))))
    there = tmp_path / "there"
    there.mkdir()
    (tmp_path / "beside").write_text("stays")
    real = checking._made

    def made(at: int, name: str, executable: bool) -> BinaryIO:
        if name == "c":
            os.symlink(tmp_path, "way out", dir_fd=at)
            raise OSError(28, "No space left on device")
        return real(at, name, executable)

    monkeypatch.setattr(checking, "_made", made)
    for to in (there, tmp_path / "out"):
        with pytest.raises(StorageError, match="No space left"):
            checkout(trees.repo, tree, to)
    assert os.listdir(there) == []
    assert sorted(os.listdir(tmp_path)) == ["beside", "repo", "there"]


def test_a_folder_that_is_swapped_for_a_link_leads_nowhere(trees, tmp_path, monkeypatch) -> None:
    """Somebody who swaps a new folder for a link while files are written does not get them outside."""
    tree = trees.raw((TREE, "b", trees.raw((FILE, "evil", trees.blob()))))
    outside = tmp_path / "outside"
    outside.mkdir()
    real = os.mkdir

    def mkdir(path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        if dir_fd is None:
            real(path, mode)
        else:
            os.symlink(outside, path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", mkdir)
    with pytest.raises(StorageError):
        checkout(trees.repo, tree, tmp_path / "out")
    assert os.listdir(outside) == []
    assert not (tmp_path / "out").exists()


_parts = st.sampled_from(
    [
        "..",
        ".",
        "",
        "a",
        "A",
        "b",
        "lnk",
        ".git",
        ".GIT",
        "git~1",
        "CON",
        "x.",
        "é",
        "e\u0301",
        "a/b",
        "..\\",
        "\x1b[31m",
    ]
)
_targets = st.lists(st.sampled_from(["..", "a", "b", "lnk", ".", "", "A"]), min_size=1, max_size=5).map("/".join)


@st.composite
def _hostile(draw: st.DrawFn, depth: int = 3) -> list[tuple[int, str, object]]:
    entries: list[tuple[int, str, object]] = []
    for _ in range(draw(st.integers(0, 4))):
        name = draw(_parts if draw(st.booleans()) else st.sampled_from("abcd"))
        kind = draw(st.sampled_from([FILE, PROGRAM, LINK, TREE, TREE, SUBMODULE if depth == 1 else FILE]))
        inner: object = None
        if kind == TREE and depth:
            inner = draw(_hostile(depth - 1))
        elif kind == LINK:
            inner = draw(_targets)
        entries.append((kind if kind != TREE or depth else FILE, name, inner))
    return entries


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_hostile())
def test_no_tree_writes_outside(store, tmp_path_factory, entries) -> None:
    """Whatever a tree holds: it is refused as a whole, or every path it made resolves to inside the folder."""
    trees = Trees(store.ledger.repo)

    def write(level: list[tuple[int, str, object]]) -> str:
        made = []
        for mode, name, inner in level:
            if mode == TREE:
                oid = write(inner)  # type: ignore[arg-type]
            elif mode == SUBMODULE:
                oid = "12" * 20
            else:
                oid = trees.blob(inner.encode() if isinstance(inner, str) else b"x")
            made.append((mode, name, oid))
        return trees.raw(*made)

    base = tmp_path_factory.mktemp("fuzz")
    to = base / "out"
    try:
        checkout(store.ledger.repo, write(entries), to)
    except LineageError:
        assert os.listdir(base) == []
        return
    assert os.listdir(base) == ["out"]
    top = os.path.realpath(to)
    for folder, folders, files in os.walk(to):
        for name in (*folders, *files):
            assert name.lower() != ".git"
            assert os.path.realpath(os.path.join(folder, name)).startswith(top)


def test_an_entry_is_what_tests_here_write(trees) -> None:
    """The trees above are read by the store's own reader as they were meant."""
    assert trees.repo.read_tree(trees.file("b"))["b"] == Entry(FILE, trees.blob(b"evil"))
