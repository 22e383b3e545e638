"""Large files that LFS keeps: content is sent before the ref, checked out whole, and named where it is missing."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from command_line import Shell

from gitlineage import InvalidContent, LineageStore, StorageError, Trial
from gitlineage.record.watcher import Watcher

LFS = shutil.which("git-lfs")
needs_lfs = pytest.mark.skipif(LFS is None, reason="git-lfs is not installed: on Debian `apt-get install git-lfs`")

BIG = bytes(range(256)) * 40
ATTRIBUTES = b"*.bin filter=lfs diff=lfs merge=lfs -text\n"


class Ear(Watcher):
    """Keeps what a store says."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def note(self, text: str) -> None:
        """Keep a note."""
        self.heard.append(text)


def pointer(data: bytes) -> bytes:
    """What LFS puts into a tree for some content."""
    said = f"version https://git-lfs.github.com/spec/v1\noid sha256:{_sha(data)}\nsize {len(data)}\n"
    return said.encode()


def keep(gitdir: Path, data: bytes) -> Path:
    """Put content where git-lfs keeps it, as its clean filter does."""
    path = _kept(gitdir, data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _kept(gitdir: Path, data: bytes) -> Path:
    name = _sha(data)
    return gitdir / "lfs" / "objects" / name[:2] / name[2:4] / name


def row(exp_id="*", metric=1.0) -> Trial:
    """A trial with a score."""
    return Trial(exp_id=exp_id, status="keep", core_metric=metric)


@pytest.fixture
def without_lfs(tmp_path, monkeypatch) -> None:
    """A machine that has git, and no git-lfs."""
    only = tmp_path / "only"
    only.mkdir()
    (only / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(only))


@pytest.fixture
def bare(tmp_path) -> Path:
    """A bare repository, which keeps LFS content beside its objects."""
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "far.git")], check=True)
    return tmp_path / "far.git"


@pytest.fixture
def recorded(store, folder, git, bare) -> LineageStore:
    """Alice's store with a snapshot of a large file that LFS keeps, and a remote."""
    git("remote", "add", "origin", f"file://{bare}")
    git("config", "lineage.writer", "alice")
    files = {".gitattributes": ATTRIBUTES, "models/weights.bin": pointer(BIG), "train.py": b"print(1)\n"}
    keep(folder / ".git", BIG)
    store.commit(files, trial=row("000"))
    return store


@needs_lfs
@pytest.mark.parametrize("how", ["origin", "path", "url"])
def test_a_push_sends_content_before_the_ref(recorded, bare, how):
    """After a push to any kind of address the remote has what the pointers stand for; a second one sends nothing."""
    remote = {"origin": "origin", "path": str(bare), "url": f"file://{bare}"}[how]
    assert not _kept(bare, BIG).exists()
    assert not recorded.push(remote, dry_run=True).refused and not _kept(bare, BIG).exists()
    done = recorded.push(remote)
    assert done.refused == () and done.outcomes[0].state == "new"
    assert _kept(bare, BIG).read_bytes() == BIG
    _kept(bare, BIG).unlink()
    recorded.commit({"x": b"1"}, ["000"], trial=row("001"))
    recorded.push(remote)
    assert not _kept(bare, BIG).exists()  # it was sent before


@needs_lfs
def test_a_file_that_is_recorded_from_the_working_tree_comes_out_of_another_clone(
    open_store, folder, git, bare, tmp_path
):
    """`commit` in a folder where LFS is on, push, clone, checkout: the other clone has the bytes."""
    store = open_store()
    git("remote", "add", "origin", f"file://{bare}")
    git("config", "lineage.writer", "alice")
    git("lfs", "install", "--local")
    (folder / ".gitattributes").write_bytes(ATTRIBUTES)
    (folder / "a b").mkdir()
    (folder / "a b" / "é.bin").write_bytes(BIG)
    (folder / "doc.txt").write_bytes(pointer(b"nobody has this"))
    made = store.commit(None, trial=row("000"))
    assert store.files(made)["a b/é.bin"] == pointer(BIG)
    shell = Shell(folder)
    assert shell.objects("push", "origin")[0]["state"] == "new"
    other = tmp_path / "other"
    Shell(tmp_path)("clone", f"file://{bare}", other)
    assert not _kept(other / ".git", BIG).exists()
    there = Shell(other)
    missing = [each for each in there.run("maintain", "verify").stdout.splitlines() if "é.bin" in each]
    assert len(missing) == 1 and "is not here" in missing[0]
    there("checkout", "000", tmp_path / "out")
    assert (tmp_path / "out" / "a b" / "é.bin").read_bytes() == BIG
    assert (tmp_path / "out" / "doc.txt").read_bytes() == pointer(b"nobody has this")
    assert "é.bin" not in there.run("maintain", "verify").stdout


@needs_lfs
def test_content_that_cannot_be_sent_keeps_the_ref_here(recorded, bare):
    """Where the remote takes no content, its ref stays where it is and the outcome says why."""
    (bare / "lfs").write_text("a file where a folder should be")
    done = recorded.push()
    assert [each.state for each in done.outcomes] == ["refused"]
    assert "LFS" in done.outcomes[0].reason
    assert subprocess.run(["git", "-C", bare, "for-each-ref"], capture_output=True, check=True).stdout == b""


def test_without_lfs_no_pointer_is_pushed_whose_content_would_be_lost(recorded, bare, folder, without_lfs):
    """The push is refused and says what to install; what has no pointers goes as ever."""
    (refused,) = recorded.push().outcomes
    assert refused.state == "refused"
    assert "git-lfs is not installed" in refused.reason and "models/weights.bin" in refused.reason
    result = Shell(folder).run("push")
    assert result.exit_code == 1 and "apt-get install git-lfs" in result.output
    assert subprocess.run(["git", "-C", bare, "for-each-ref"], capture_output=True, check=True).stdout == b""


def test_without_pointers_a_push_asks_for_no_lfs(store, git, bare, without_lfs):
    """A store of small files needs no git-lfs, whatever texts look like pointers without being any."""
    git("remote", "add", "origin", f"file://{bare}")
    git("config", "lineage.writer", "alice")
    store.commit({"doc.txt": pointer(b"x"), "two.txt": pointer(b"y") + b"more\n"}, trial=row("000"))
    assert store.push().outcomes[0].state == "new"
    assert [each for each in store.verify() if "LFS" in each.what] == []


def test_pointers_that_came_without_content_go_on_and_are_told(open_store, folder, git, bare, without_lfs):
    """Content that is not here cannot be lost by a push; it is said whose."""
    ear = Ear()
    store = open_store(watcher=ear)
    git("remote", "add", "origin", f"file://{bare}")
    git("config", "lineage.writer", "alice")
    store.commit({".gitattributes": ATTRIBUTES, "w.bin": pointer(BIG)}, trial=row("000"))
    assert store.push().outcomes[0].state == "new"
    assert [said for said in ear.heard if "w.bin" in said and "is not here" in said]


def test_verify_names_what_is_missing(recorded, folder):
    """One finding a file, gone when its content is back."""
    kept = _kept(folder / ".git", BIG)
    assert recorded.verify() == []
    data = kept.read_bytes()
    kept.unlink()
    (found,) = recorded.verify()
    assert "models/weights.bin" in found.what and _sha(BIG)[:12] in found.what and "is not here" in found.what
    kept.write_bytes(data[:-1])
    assert len(recorded.verify()) == 1
    kept.write_bytes(data)
    assert recorded.verify() == []


def test_checkout_fills_pointers_from_what_is_here(recorded, folder, tmp_path, without_lfs):
    """Only paths that the snapshot's own attributes give to LFS are filled; no program is needed for what is here."""
    out = recorded.checkout("000", tmp_path / "out")
    assert (tmp_path / "out" / "models" / "weights.bin").read_bytes() == BIG
    assert out.bytes == len(BIG) + len(pointer(BIG)) + len(ATTRIBUTES) + len(b"print(1)\n")
    plain = recorded.commit({"weights.bin": pointer(BIG)})
    recorded.checkout(plain, tmp_path / "plain")
    assert (tmp_path / "plain" / "weights.bin").read_bytes() == pointer(BIG)
    empty = recorded.commit({".gitattributes": ATTRIBUTES, "e.bin": pointer(b"")})
    recorded.checkout(empty, tmp_path / "empty")
    assert (tmp_path / "empty" / "e.bin").read_bytes() == b""


def test_a_checkout_without_the_content_writes_nothing(recorded, folder, git, tmp_path, without_lfs):
    """Missing and damaged content, and content over the limit, are errors that name the file."""
    kept = _kept(folder / ".git", BIG)
    git("config", "lineage.maxCheckoutSize", "5k")
    with pytest.raises(InvalidContent, match=r"models/weights\.bin"):
        recorded.checkout("000", tmp_path / "out")
    git("config", "--unset", "lineage.maxCheckoutSize")
    kept.write_bytes(BIG[::-1])
    with pytest.raises(StorageError, match="damaged"):
        recorded.checkout("000", tmp_path / "out")
    kept.unlink()
    with pytest.raises(StorageError, match=r"models/weights\.bin.*git-lfs is not installed"):
        recorded.checkout("000", tmp_path / "out")
    assert not os.path.lexists(tmp_path / "out")


@needs_lfs
def test_a_checkout_that_lfs_cannot_serve_says_so(recorded, folder, tmp_path):
    """Content that the remote has not either."""
    _kept(folder / ".git", BIG).unlink()
    with pytest.raises(StorageError, match=r"weights\.bin"):
        recorded.checkout("000", tmp_path / "out")
    assert not os.path.lexists(tmp_path / "out")
