"""The second process that packs a large landing: what it writes, and how its end is taken."""

import io
import os
import signal
import subprocess
from pathlib import Path

import pytest

from gitlineage import LineageStore, Trial
from gitlineage.errors import StorageError
from gitlineage.git import maintenance, packer, packs
from gitlineage.git.packer import Helper, Packer, serve
from gitlineage.git.packs import KINDS, object_id


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The pack folder of a bare repository without objects."""
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "r")], check=True)
    return tmp_path / "r" / "objects" / "pack"


@pytest.fixture
def early(monkeypatch):
    """Start the second process after three objects, and pack whenever 10,000 bytes have come together."""
    monkeypatch.setattr(packer, "_ALONE", 3)
    monkeypatch.setattr(packer, "_HELD", 10_000)


def git(folder: Path, *words: str, data: bytes = b"") -> bytes:
    """Run git in the repository that a pack folder belongs to."""
    return subprocess.run(
        ["git", "-C", str(folder.parent.parent), *words], input=data, capture_output=True, check=True
    ).stdout


def helper_of(packing: Packer) -> Helper:
    """Return the second process, which must have been started."""
    assert packing._helper is not None
    return packing._helper


def frame(data: bytes) -> bytes:
    """Return a blob as the first process hands it over."""
    return packer._FRAME.pack(KINDS["blob"], len(data), bytes.fromhex(object_id("blob", data))) + data


def test_git_reads_what_both_processes_packed(folder, early):
    """Every object is there once, whichever process packed it, and the packs are kept until they are released."""
    packing = Packer(folder)
    contents = [b"%d " % at * 400 for at in range(60)]
    oids = [packing.add("blob", data) for data in contents]
    assert helper_of(packing).get(oids[-1]).data == contents[-1]
    assert [packing.add("blob", data) for data in contents] == oids == [object_id("blob", data) for data in contents]
    packing.flush()
    assert len(list(folder.glob("*.keep"))) == len(list(folder.glob("*.pack"))) > 2
    packing.release()
    assert not list(folder.glob("*.keep"))
    asked = "\n".join(oids).encode() + b"\n"
    assert git(folder, "cat-file", "--batch-check=%(objectname)", data=asked).split() == [o.encode() for o in oids]
    assert b"in-pack: 60\n" in git(folder, "count-objects", "-v")
    git(folder, "fsck", "--strict")


def test_the_disk_confirms_every_pack_of_a_durable_landing(folder, early, monkeypatch):
    """Packs that were full before the landing was complete are confirmed with the last one."""
    confirmed = set()
    fsync = os.fsync

    def noticed(handle: int) -> None:
        fsync(handle)
        confirmed.add(Path(os.readlink(f"/proc/self/fd/{handle}")))

    monkeypatch.setattr(os, "fsync", noticed)
    packing = Packer(folder)
    for at in range(60):
        packing.add("blob", os.urandom(400) + b"%d" % at)
    packing.durable = True
    packing.flush()
    packing.release()
    packs = {path for path in folder.resolve().iterdir() if path.suffix in (".pack", ".idx")}
    assert len(packs) > 4
    assert packs | {folder.resolve()} <= confirmed


def test_a_landing_that_is_given_up_leaves_the_rest_unpacked(folder, early):
    """What was not packed when the landing failed is packed by nobody, and no process stays behind."""
    packing = Packer(folder)
    for at in range(5):
        packing.add("blob", b"%d" % at)
    process = helper_of(packing)._process
    packing.release()
    assert process.returncode == 0
    assert list(folder.iterdir()) == []


def test_the_second_process_lets_go_of_packs_that_nobody_asked_for(folder, monkeypatch):
    """Packs that were full before the landing was given up are not kept for the next one to clear up."""
    monkeypatch.setattr(packs, "_FLUSH", 1000)
    frames = b"".join(frame(os.urandom(600)) for _ in range(9))
    serve(folder, io.BytesIO(frames), io.BytesIO())
    assert len(list(folder.glob("*.pack"))) == 4
    assert not list(folder.glob("*.keep"))


def test_a_process_that_was_forked_meanwhile_keeps_nobody_waiting(folder, early):
    """A fork holds the pipe open; the second process ends when it is told to, not when the last holder is gone."""
    packing = Packer(folder)
    for at in range(5):
        packing.add("blob", b"%d" % at)
    waiting, held = os.pipe()
    fork = os.fork()
    if fork == 0:
        os.close(held)
        os.read(waiting, 1)  # until the test closes its end
        os._exit(0)
    try:
        packing.flush()
        packing.release()
        assert os.waitpid(fork, os.WNOHANG) == (0, 0)
    finally:
        os.close(held)
        os.close(waiting)
        os.waitpid(fork, 0)
    assert len(list(folder.glob("*.pack"))) == 2


def test_a_second_process_that_dies_fails_the_landing(folder, early):
    """The loss is told at the latest when the packs are wanted."""
    packing = Packer(folder)
    for at in range(5):
        packing.add("blob", b"%d" % at)
    os.kill(helper_of(packing)._process.pid, signal.SIGKILL)
    with pytest.raises(OSError, match="died"):
        packing.flush()
    packing.release()
    assert not list(folder.glob("*.keep"))


def test_why_the_disk_refused_reaches_the_first_process(tmp_path, early):
    """The error that the second process met is raised in the first."""
    (tmp_path / "file").write_text("")
    packing = Packer(tmp_path / "file" / "pack")
    packing._helper = Helper(tmp_path / "file" / "pack", [], [])
    packing.add("blob", b"anything")
    with pytest.raises(NotADirectoryError):
        packing.flush()


def test_a_source_that_ends_early_gives_no_pack(folder):
    """Where the first process is gone, in the middle of an object or between two, nothing is written."""
    whole = frame(b"hello")
    for source in (whole, whole[:-2], whole[:3], b""):
        answers = io.BytesIO()
        serve(folder, io.BytesIO(source), answers)
        assert answers.getvalue() == b""
    assert list(folder.iterdir()) == []


def test_no_interpreter_means_no_second_process(folder, early, monkeypatch):
    """A program without a Python of its own packs alone."""
    monkeypatch.setattr(packer.sys, "executable", "")
    packing = Packer(folder)
    oids = [packing.add("blob", b"%d" % at) for at in range(20)]
    packing.flush()
    packing.release()
    assert git(folder, "cat-file", "blob", oids[-1]) == b"19"


def test_a_store_refuses_the_batch_whose_packing_died(tmp_path, early):
    """The error is one of ours, nothing is recorded, and the next batch is."""
    store = LineageStore(tmp_path, writer="ann")
    with pytest.raises(StorageError, match="died"), store.batch():
        store.commit({"a": b"1"}, [], trial=Trial(status="keep", core_metric=1.0))
        os.kill(helper_of(store.repo._pack)._process.pid, signal.SIGKILL)
        store.commit({"a": b"2"}, [], trial=Trial(status="keep", core_metric=2.0))
    assert store.all_trials() == []
    with store.batch():
        for at in range(5):
            store.commit({"a": b"%d" % at}, [], trial=Trial(status="keep", core_metric=float(at)))
    assert len(store.all_trials()) == 5
    subprocess.run(["git", "-C", str(tmp_path), "fsck", "--strict"], check=True, capture_output=True)


def test_git_and_clones_take_a_large_landing(tmp_path, early):
    """A large landing is verified, cloned, fetched, pushed and repacked by git, and reads the same after each."""
    store = LineageStore(tmp_path / "ours", writer="ann")
    with store.batch():
        for at in range(80):
            parents = [store.all_trials()[-1].exp_id] if at % 10 == 9 else []
            row = Trial(status="keep", core_metric=at / 7, hypothesis=f"try {at * at} next", notes="the same old story")
            store.commit({"a": b"width = %d\n" % at, "b": b"1\n"}, parents, trial=row)
    trials = store.all_trials()

    def run(*words: str, at: str = "ours") -> bytes:
        done = subprocess.run(["git", "-C", str(tmp_path / at), *words], capture_output=True, check=True)
        return done.stdout

    run("fsck", "--strict")
    run("clone", "--quiet", "--mirror", f"file://{tmp_path}/ours", f"{tmp_path}/mirror")
    run("init", "--quiet", "--bare", f"{tmp_path}/pushed")
    run("push", "--quiet", f"{tmp_path}/pushed", "refs/notes/lineage/ann")
    run("init", "--quiet", f"{tmp_path}/fetched")
    run("fetch", "--quiet", f"file://{tmp_path}/ours", "refs/notes/lineage/*:refs/notes/lineage/*", at="fetched")
    for at in ("mirror", "pushed", "fetched"):
        run("fsck", "--strict", at=at)
        assert run("rev-parse", "refs/notes/lineage/ann", at=at) == run("rev-parse", "refs/notes/lineage/ann")
    assert LineageStore(tmp_path / "fetched").all_trials() == trials
    for words in (["gc", "--quiet"], ["repack", "-a", "-d", "-f", "--quiet"], ["repack", "--geometric=2", "-d", "-q"]):
        run(*words)
        run("fsck", "--strict")
        assert LineageStore(tmp_path / "ours").all_trials() == trials


def in_packs(store: LineageStore) -> int:
    """Return the bytes of a store's packs."""
    return sum(path.stat().st_size for path in (store.repo.commondir / "objects" / "pack").glob("*.pack"))


def test_a_landing_has_the_same_snapshots_however_it_is_packed(tmp_path, monkeypatch):
    """What a landing is packed as says nothing about it: same oids, same bytes; and maintenance makes it no larger."""
    told, sizes = [], []
    for alone in (10**9, 20):
        monkeypatch.setattr(packer, "_ALONE", alone)
        store = LineageStore(tmp_path / f"{alone}", writer="alice", identity=("A", "a@example.org"))
        oids: list[str] = []
        with store.batch():
            for at in range(120):
                files = {"prepare.py": b"SHARDS = 24\n", "train.py": b"LR = 0.%d\nWARMUP = 0.1\n" % at}
                row = Trial(timestamp="2026-01-01T00:00:00Z", status="discard", core_metric=float(at), notes=f"no {at}")
                oids.append(store.commit(files, oids[-1:], trial=row).oid)
        told.append([(oid, store.repo.read(oid)) for oid in oids])
        before = in_packs(store)
        maintenance.maintain(store.repo)
        sizes.append((before, in_packs(store)))
        subprocess.run(["git", "-C", str(store.root), "fsck", "--strict"], check=True, capture_output=True)
    assert told[0] == told[1]
    assert all(after <= before for before, after in sizes)
