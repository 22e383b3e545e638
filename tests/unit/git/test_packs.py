"""Packs: what git makes of those that are written here, and the joining of small ones."""

import json
import os
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import LineageStore, Trial
from gitlineage.git import packs
from gitlineage.git.packs import PackWriter, merge, object_id, release_abandoned

BLOBS = st.lists(st.binary(max_size=300) | st.integers(4000, 70_000).map(lambda size: b"x%d" % size * 9), max_size=12)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A bare repository without objects."""
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "r")], check=True)
    return tmp_path / "r"


def git(repo: Path, *words: str, data: bytes = b"") -> bytes:
    """Run git in the repository."""
    return subprocess.run(["git", "-C", str(repo), *words], input=data, capture_output=True, check=True).stdout


def write(repo: Path, *contents: bytes) -> str:
    """Write blobs as a pack and return its name."""
    folder = repo / "objects" / "pack"
    before = set(folder.glob("*.pack"))
    writer = PackWriter(folder)
    for data in contents:
        assert writer.add("blob", data) == object_id("blob", data)
    writer.flush()
    writer.release()
    (made,) = set(folder.glob("*.pack")) - before
    return made.stem


@settings(max_examples=30, deadline=None)
@given(contents=BLOBS)
def test_git_reads_what_was_written(tmp_path_factory, contents):
    """Every object is there with its content, the pack verifies, and writing one twice stores it once."""
    repo = tmp_path_factory.mktemp("r")
    subprocess.run(["git", "init", "--quiet", "--bare", str(repo)], check=True)
    if not contents:
        PackWriter(repo / "objects" / "pack").flush()
        assert list((repo / "objects").rglob("*.pack")) == []
        return
    name = write(repo, *contents, *contents)
    git(repo, "verify-pack", f"objects/pack/{name}.pack")
    for data in contents:
        assert git(repo, "cat-file", "blob", object_id("blob", data)) == data
    assert int(git(repo, "count-objects", "-v").split(b"in-pack: ")[1].split()[0]) == len(set(contents))


@pytest.mark.parametrize("entries", [0, 1, 256, 1700, 3000])
def test_trees_are_read_by_git(repo, entries):
    """They are stored as they are, in as many blocks as they need, and an empty one in an empty block."""
    tree = b"".join(b"100644 %08d\0%b" % (at, object_id("blob", b"x").encode()[:20]) for at in range(entries))
    writer = PackWriter(repo / "objects" / "pack")
    oid = writer.add("tree", tree)
    writer.add("blob", b"x")
    writer.flush()
    writer.release()
    (name,) = (repo / "objects" / "pack").glob("*.pack")
    git(repo, "verify-pack", str(name))
    assert git(repo, "cat-file", "tree", oid) == tree


def test_a_pack_is_kept_until_it_is_released(repo):
    """Git's own pruning leaves a pack alone until a ref leads to it or the writer lets go."""
    writer = PackWriter(repo / "objects" / "pack")
    oid = writer.add("blob", b"nothing points here")
    writer.flush()
    git(repo, "gc", "--prune=now", "--quiet")
    assert git(repo, "cat-file", "-t", oid) == b"blob\n"
    writer.release()
    git(repo, "gc", "--prune=now", "--quiet")
    assert subprocess.run(
        ["git", "-C", str(repo), "cat-file", "-e", oid], check=False, stderr=subprocess.DEVNULL
    ).returncode


def test_a_large_landing_becomes_several_packs(repo, monkeypatch):
    """What is held in memory is bounded; each pack is kept, and all are released together."""
    monkeypatch.setattr(packs, "_FLUSH", 2000)
    folder = repo / "objects" / "pack"
    writer = PackWriter(folder)
    oids = [writer.add("blob", b"%d" % number * 400) for number in range(200)]
    writer.flush()
    assert len(list(folder.glob("*.keep"))) == len(list(folder.glob("*.pack"))) > 1
    writer.release()
    assert list(folder.glob("*.keep")) == []
    assert git(repo, "cat-file", "--batch-check", data="\n".join(oids).encode()).count(b" blob ") == 200


def test_joining_keeps_every_object_and_one_pack(repo):
    """Joined packs are gone, their objects are in the new one, and what two of them had is there once."""
    names = [write(repo, b"shared", b"%d" % number, b"%d" % number * 5000) for number in range(5)]
    assert merge(repo / "objects" / "pack", names)
    (pack,) = (repo / "objects" / "pack").glob("*.pack")
    git(repo, "verify-pack", str(pack))
    git(repo, "fsck", "--strict")
    for number in range(5):
        assert git(repo, "cat-file", "blob", object_id("blob", b"%d" % number * 5000)) == b"%d" % number * 5000
    assert int(git(repo, "count-objects", "-v").split(b"in-pack: ")[1].split()[0]) == 11


def test_a_damaged_pack_is_left_alone(repo):
    """One that is cut short and one that is missing stay as they are; one of git's own with deltas is joined."""
    lines = [b"line %d of a text that git packs as a delta\n" % number for number in range(300)]
    for number in range(6):
        text = b"".join([*lines[:number], b"another\n", *lines[number:]])
        git(repo, "hash-object", "-w", "--stdin", data=text)
    listed = git(repo, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
    name = git(repo, "pack-objects", "--quiet", "objects/pack/pack", data=listed).decode().strip()
    assert b"chain length" in git(repo, "verify-pack", "-v", f"objects/pack/pack-{name}.pack")
    plain = write(repo, b"plain")
    broken = write(repo, b"broken")
    index = repo / "objects" / "pack" / f"{broken}.idx"
    whole = index.read_bytes()
    index.chmod(0o644)
    index.write_bytes(whole[:100])
    assert not merge(repo / "objects" / "pack", [plain, broken, "pack-missing"])
    assert {path.stem for path in (repo / "objects" / "pack").glob("*.pack")} == {f"pack-{name}", plain, broken}
    assert merge(repo / "objects" / "pack", [f"pack-{name}", plain, broken, "pack-missing"])
    (joined,) = {path.stem for path in (repo / "objects" / "pack").glob("*.pack")} - {broken}
    assert b"chain length" in git(repo, "verify-pack", "-v", f"objects/pack/{joined}.pack")
    for oid in listed.decode().split():
        git(repo, "cat-file", "-p", oid)


def test_only_our_own_abandoned_keeps_are_released(repo):
    """The keep file of a killed writer goes; one that a person made stays."""
    folder = repo / "objects" / "pack"
    writer = PackWriter(folder)
    writer.add("blob", b"ours")
    writer.flush()
    theirs = folder / f"{write(repo, b'theirs')}.keep"
    theirs.write_text("mine, hands off\n")
    assert len(list(folder.glob("*.keep"))) == 2
    release_abandoned(folder)
    assert list(folder.glob("*.keep")) == [theirs]


def written(repo: Path, objects: list[tuple[str, bytes]]) -> str:
    """Have git write objects as a pack with deltas and return its name."""
    folder = repo / "objects" / "pack"
    before = set(folder.glob("*"))
    writer = PackWriter(folder)
    oids = [writer.add(kind, data) for kind, data in objects]
    writer.flush()
    writer.release()
    plain = set(folder.glob("*")) - before
    words = ["pack-objects", "--no-reuse-delta", "--delta-base-offset", "-q", f"{folder}/pack"]
    name = git(repo, *words, data="\n".join(oids).encode()).decode()
    for path in plain:
        path.unlink()
    return f"pack-{name.strip()}"


def rows(count: int, seed: int = 0) -> list[tuple[str, bytes]]:
    """Return trees and rows that differ in a few places, as those of a campaign do."""
    chance = random.Random(seed)
    made: list[tuple[str, bytes]] = []
    for at in range(count):
        entries = [b"100644 prepare.py\0" + b"p" * 20, b"100644 train.py\0" + chance.randbytes(20)]
        notes = f"{chance.random()} {'lower loss ' * 20}"
        cells = {"clock": at + seed * count, "notes": notes, "row": {"status": "discard"}}
        made += [("tree", b"".join(entries)), ("blob", json.dumps(cells, sort_keys=True).encode())]
    return made


def deltas_in(repo: Path, name: str) -> int:
    """Return how many entries of a pack are deltas, by git's own count."""
    listed = git(repo, "verify-pack", "-v", f"objects/pack/{name}.idx").decode().splitlines()
    return sum(len(line.split()) == 7 for line in listed)


def test_packs_with_deltas_are_joined_as_they_are(repo):
    """Distances within a pack stay what they were; one that shares an object with the others stays by itself."""
    folder = repo / "objects" / "pack"
    first, second = rows(90, seed=1), rows(90, seed=2)
    names = [written(repo, first), written(repo, second), written(repo, [*rows(90, seed=3), first[0]])]
    plain = PackWriter(folder)
    plain.add("blob", b"alone")
    plain.flush()
    plain.release()
    (last,) = {path.stem for path in folder.glob("*.pack")} - set(names)
    assert merge(folder, [*names, last])
    assert {names[2]} == {path.stem for path in folder.glob("*.pack")} & {*names, last}
    (joined,) = {path.stem for path in folder.glob("*.pack")} - {names[2]}
    assert deltas_in(repo, joined) > 150
    for kind, data in [*first, *second, *rows(90, seed=3), ("blob", b"alone")]:
        assert git(repo, "cat-file", kind, object_id(kind, data)) == data


def test_the_disk_confirms_every_pack_of_a_durable_landing(repo, monkeypatch):
    """Packs that were full before the landing was complete are confirmed with the last one."""
    folder = repo / "objects" / "pack"
    confirmed = confirming(monkeypatch)
    monkeypatch.setattr(packs, "_FLUSH", 10_000)
    writer = PackWriter(folder)
    for at in range(60):
        writer.add("blob", random.randbytes(400) + b"%d" % at)
    writer.durable = True
    writer.flush()
    writer.release()
    written = {path for path in folder.resolve().iterdir() if path.suffix in (".pack", ".idx")}
    assert len(written) > 4
    assert written | {folder.resolve()} <= confirmed


def test_joined_packs_are_confirmed_before_the_small_ones_go(repo, monkeypatch):
    """A power cut after joining loses nothing that was on disk before."""
    folder = repo / "objects" / "pack"
    names = [write(repo, b"%d" % number) for number in range(3)]
    confirmed = confirming(monkeypatch)
    merge(folder, names)
    assert {*folder.resolve().iterdir(), folder.resolve()} <= confirmed


def confirming(monkeypatch) -> set[Path]:
    """Return a set that gets every path whose content the disk is asked to confirm."""
    confirmed = set()
    fsync = os.fsync

    def noticed(handle: int) -> None:
        fsync(handle)
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        name = path.name.removeprefix("tmp_idx_")  # an index is confirmed before it gets its name
        confirmed.add(path if name == path.name else path.with_name(f"pack-{name}.idx"))

    monkeypatch.setattr(os, "fsync", noticed)
    return confirmed


def test_git_and_clones_take_a_large_landing(tmp_path, monkeypatch):
    """A large landing is verified, cloned, fetched, pushed and repacked by git, and reads the same after each."""
    monkeypatch.setattr(packs, "_FLUSH", 10_000)
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


@pytest.mark.parametrize("level", [0, 1, 9])
def test_the_size_of_a_loose_object(repo: Path, level: int) -> None:
    """It is told by the object's beginning, which may be tables of its compression alone."""
    chance = random.Random(7)
    signs = bytes(chance.choices(range(256), weights=[chance.random() ** 4 for _ in range(256)], k=9000))
    for data in (b"", b"x", signs, signs[:70], b"x" * 100_000):
        options = ["-c", f"core.looseCompression={level}"]
        oid = git(repo, *options, "hash-object", "-w", "--stdin", data=data).decode().strip()
        loose = packs.LooseObjects(repo / "nowhere", repo / "objects")
        assert (loose.size(oid), loose.read(oid)) == (len(data), data)
    assert packs.LooseObjects(repo / "objects").size("0" * 40) is None
