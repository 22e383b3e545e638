"""Lock files that are used again: what git sees of the ref, what a copy of the repository sees, and what is left."""

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from gitlineage import LineageStore, Trial, spares
from gitlineage.journal import PREFIX
from gitlineage.spares import Spares

REF = f"{PREFIX}alice"
OIDS = [b"%040x\n" % at for at in range(20)]

pytestmark = pytest.mark.skipif(not spares._CAN_HURRY, reason="this system cannot be told to start writing")


@pytest.fixture
def store(tmp_path: Path):
    """A store whose ref has moved often enough that its lock files are kept."""
    with LineageStore(tmp_path / "repo", writer="alice", identity=("Alice", "alice@example.org")) as opened:
        for at in range(6):
            opened.append(Trial(f"t{at}", status="discard"))
        yield opened


def git(folder: Path, *words: str) -> str:
    """Run git and return what it printed."""
    return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=True, text=True).stdout.strip()


def names(store: LineageStore) -> set[int]:
    """Return the inodes of the files that are kept."""
    return {path.stat().st_ino for path in (store.root / ".git" / "lineage").glob("spare-*")}


def move(kept: Spares, path: Path, content: bytes) -> bool:
    """Move a ref as `Refs` does, and return whether a file was used again."""
    lock = f"{path}.lock"
    if not (again := kept.take(lock, content)):
        Path(lock).write_bytes(content)
    os.rename(lock, path)
    if not again:
        kept.keep()
    return again


def test_the_ref_is_one_of_the_kept_files_and_they_take_turns(store):
    """No file is new once there are enough of them, and each waits for all the others."""
    path = store.root / ".git" / REF
    used = []
    for at in range(8):
        store.append(Trial(f"u{at}", status="discard"))
        used.append(path.stat().st_ino)
        assert git(store.root, "rev-parse", REF) == path.read_text().strip() == store.journal.tips()["alice"]
    assert set(used) == names(store)
    assert len(set(used)) == 4
    assert used[:4] == used[4:]


def test_a_copy_with_hard_links_does_not_change(store, tmp_path):
    """What somebody else has a name for is left alone, in the original and in the copy."""
    there = tmp_path / "copy"
    shutil.copytree(store.root, there, copy_function=os.link, symlinks=True)
    stood = (there / ".git" / REF).read_text()
    for at in range(9):
        store.append(Trial(f"u{at}", status="discard"))
        assert (there / ".git" / REF).read_text() == stood
    stood = (store.root / ".git" / REF).read_text()
    (there / ".git" / "lineage" / "index.sqlite3").unlink()
    with LineageStore(there, writer="alice", identity=("Alice", "alice@example.org")) as other:
        for at in range(9):
            other.append(Trial(f"v{at}", status="discard"))
            assert (store.root / ".git" / REF).read_text() == stood
        assert len(other.all_trials()) == 15
    assert len(store.all_trials()) == 15
    for each in (store.root, there):  # the copies share the reflog, which git too goes on writing in place
        git(each, "fsck", "--strict", "--no-reflogs")


def test_what_the_disk_confirmed_is_older_than_all_that_is_kept(store):
    """A landing that is confirmed drops what is kept, so that a power cut brings nothing back from before it."""
    assert names(store)
    with store.batch():
        store.append(Trial("a", status="discard"))
        store.append(Trial("b", status="discard"))
    assert not names(store)
    store.append(Trial("c", status="discard"))
    assert names(store) == {(store.root / ".git" / REF).stat().st_ino}


def test_another_program_moves_the_ref_in_between(store):
    """Git writes a file of its own; the next landing goes on from there."""
    tip = git(store.root, "rev-parse", f"{REF}~2")
    git(store.root, "update-ref", REF, tip)
    store.append(Trial("after", status="discard"))
    assert git(store.root, "rev-parse", f"{REF}^") == tip
    git(store.root, "pack-refs", "--all", "--prune")
    store.append(Trial("packed", status="discard"))
    assert git(store.root, "rev-parse", REF) == store.journal.tips()["alice"]
    git(store.root, "fsck", "--strict")


def test_whoever_reads_meanwhile_sees_a_tip(store):
    """Readers that open the file again and again, and one that keeps it open for a few moves, see whole oids only."""
    path = store.root / ".git" / REF
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for at in range(100):
            with path.open("rb", buffering=0) as held:
                store.append(Trial(f"u{at}", status="discard"))
                store.append(Trial(f"v{at}", status="discard"))
                seen.add(held.read())
    finally:
        done.set()
        for reader in readers:
            reader.join()
    tips = git(store.root, "log", "--first-parent", "--format=%H", REF).splitlines()
    assert seen <= {f"{tip}\n".encode() for tip in tips}
    assert len(seen) > 100


def test_a_held_lock_is_not_taken(tmp_path):
    """A lock file of another program is an error, whether a file is kept or not, and stays as it is."""
    path = tmp_path / "ref"
    kept = Spares(str(path), str(tmp_path / "spare"))
    assert [move(kept, path, oid) for oid in OIDS[:7]] == [False] * 4 + [True] * 3
    lock = tmp_path / "ref.lock"
    lock.write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        kept.take(str(lock), OIDS[9])
    assert lock.read_bytes() == b"theirs"
    assert path.read_bytes() == OIDS[6]


def test_what_cannot_be_used_again(tmp_path):
    """Files of another size, symbolic links and folders are not taken, and nothing behind them changes."""
    path, folder = tmp_path / "ref", tmp_path / "spare"
    kept = Spares(str(path), str(folder))
    for oid in OIDS[:5]:
        move(kept, path, oid)
    victim = tmp_path / "victim"
    for spoil in (
        lambda name: name.write_bytes(b"longer than any oid that there is, by some bytes\n"),
        lambda name: (name.unlink(), name.symlink_to(victim)),
        lambda name: (name.unlink(), name.mkdir()),
    ):
        victim.write_bytes(OIDS[0])
        for name in folder.iterdir():
            if name.stat().st_ino != path.stat().st_ino:
                spoil(name)
        fresh = Spares(str(path), str(folder))
        assert not fresh.take(f"{path}.lock", OIDS[7])
        assert not (tmp_path / "ref.lock").exists()
        assert victim.read_bytes() == OIDS[0]
        for name in folder.iterdir():
            if name.is_symlink() or name.is_file():
                name.unlink()
            else:
                name.rmdir()
        for oid in OIDS[8:13]:
            move(fresh, path, oid)
        assert path.read_bytes() == OIDS[12]
