"""gitlineage.deltas: what is made from another object is the object, in packs that git reads; and it pays."""

import json
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import LineageStore, Trial, packer, upkeep
from gitlineage.deltas import MOST, Deltas
from gitlineage.packs import KINDS, PackWriter, merge, object_id

KEYS = ("at", "clock", "hypothesis", "notes", "parent_exp", "specialist", "status", "timestamp", "type")
WORDS = st.text(alphabet="abcdef \u00e9\n\0", max_size=40)
ROWS = st.lists(st.lists(WORDS, min_size=len(KEYS), max_size=len(KEYS)), min_size=1, max_size=40)
ANY = st.lists(st.binary(max_size=400) | st.integers(0, 9000).map(lambda size: b"%d" % size * (size // 4)), max_size=20)


def apply(base: bytes, delta: bytes) -> bytes:
    """Follow a delta's instructions, as gitformat-pack(5) describes them."""
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = delta[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    assert number() == len(base)
    whole = number()
    out = b""
    while at < len(delta):
        head = delta[at]
        at += 1
        if head < 128:
            assert head
            out += delta[at : at + head]
            at += head
            continue
        fields = []
        for bit in range(7):
            fields.append(delta[at] if head >> bit & 1 else 0)
            at += head >> bit & 1
        start, size = int.from_bytes(fields[:4], "little"), int.from_bytes(fields[4:], "little") or 0x10000
        assert start + size <= len(base)
        out += base[start : start + size]
    assert len(out) == whole
    return out


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, other=ANY, seed=st.integers(0, 9))
def test_instructions_make_the_object(rows, other, seed):
    """Whatever comes, each set of instructions makes the very object from the base that it names."""
    objects = [json.dumps(dict(zip(KEYS, row, strict=True))).encode() for row in rows * 3] + other
    random.Random(seed).shuffle(objects)
    deltas = Deltas()
    placed: dict[int, bytes] = {}
    place = 12
    for data in objects:
        if len(data) < MOST and (found := deltas.find(KINDS["blob"], data, place)):
            base, instructions, _ = found
            assert apply(placed[base], instructions) == data
        placed[place] = data
        place += len(data) + 3


def git(repo: Path, *words: str, data: bytes = b"") -> bytes:
    """Run git in a repository."""
    return subprocess.run(["git", "-C", str(repo), *words], input=data, capture_output=True, check=True).stdout


def written(repo: Path, objects: list[tuple[str, bytes]]) -> str:
    """Write objects as a pack with deltas and return its name."""
    folder = repo / "objects" / "pack"
    before = set(folder.glob("*.pack"))
    writer = PackWriter(folder, deltas=Deltas())
    for kind, data in objects:
        assert writer.add(kind, data) == object_id(kind, data)
    writer.flush()
    writer.release()
    (made,) = set(folder.glob("*.pack")) - before
    return made.stem


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A bare repository without objects."""
    git(tmp_path, "init", "--quiet", "--bare", "r")
    return tmp_path / "r"


def rows(count: int, seed: int = 0) -> list[tuple[str, bytes]]:
    """Return trees and rows that differ in a few places, as those of a campaign do."""
    chance = random.Random(seed)
    made: list[tuple[str, bytes]] = []
    for at in range(count):
        entries = [b"100644 prepare.py\0" + b"p" * 20, b"100644 train.py\0" + chance.randbytes(20)]
        cells = {"clock": at + seed * count, "notes": f"{chance.random()} lower loss", "row": {"status": "discard"}}
        made += [("tree", b"".join(entries)), ("blob", json.dumps(cells, sort_keys=True).encode())]
    return made


def deltas_in(repo: Path, name: str) -> int:
    """Return how many entries of a pack are deltas, by git's own count."""
    listed = git(repo, "verify-pack", "-v", f"objects/pack/{name}.idx").decode().splitlines()
    return sum(len(line.split()) == 7 for line in listed)


@settings(max_examples=20, deadline=None)
@given(other=ANY)
def test_git_reads_every_object_of_such_a_pack(tmp_path_factory, other):
    """Objects of all kinds and sizes come back byte for byte, and the pack's index is the one that git makes."""
    repo = tmp_path_factory.mktemp("r")
    git(repo, "init", "--quiet", "--bare")
    objects = rows(40) + [("blob", data) for data in other]
    name = written(repo, objects)
    assert deltas_in(repo, name) > 40
    made = git(repo, "index-pack", "-o", str(repo / "other.idx"), f"objects/pack/{name}.pack").decode().strip()
    assert made and (repo / "other.idx").read_bytes() == (repo / "objects" / "pack" / f"{name}.idx").read_bytes()
    for kind, data in objects:
        assert git(repo, "cat-file", kind, object_id(kind, data)) == data


def test_deltas_pay_and_are_the_same_every_time(repo, tmp_path):
    """The same objects give the same pack, which is smaller by a quarter than one without deltas."""
    objects = rows(500)
    one = (repo / "objects" / "pack" / f"{written(repo, objects)}.pack").read_bytes()
    git(tmp_path, "init", "--quiet", "--bare", "s")
    assert (tmp_path / "s/objects/pack" / f"{written(tmp_path / 's', objects)}.pack").read_bytes() == one
    plain = PackWriter(tmp_path / "plain")
    for kind, data in objects:
        plain.add(kind, data)
    plain.flush()
    (other,) = (tmp_path / "plain").glob("*.pack")
    assert len(one) < 0.75 * other.stat().st_size


def test_packs_with_deltas_are_joined_as_they_are(repo):
    """Distances within a pack stay what they were; one that shares an object with the others stays by itself."""
    folder = repo / "objects" / "pack"
    first, second = rows(60, seed=1), rows(60, seed=2)
    names = [written(repo, first), written(repo, second), written(repo, [*rows(60, seed=3), first[0]])]
    plain = PackWriter(folder)
    plain.add("blob", b"alone")
    plain.flush()
    plain.release()
    (last,) = {path.stem for path in folder.glob("*.pack")} - set(names)
    assert merge(folder, [*names, last])
    assert {names[2]} == {path.stem for path in folder.glob("*.pack")} & {*names, last}
    (joined,) = {path.stem for path in folder.glob("*.pack")} - {names[2]}
    assert deltas_in(repo, joined) > 120
    for kind, data in [*first, *second, *rows(60, seed=3), ("blob", b"alone")]:
        assert git(repo, "cat-file", kind, object_id(kind, data)) == data


@pytest.fixture
def large(tmp_path, monkeypatch) -> LineageStore:
    """A store whose landings of over twenty objects are packed by the second process."""
    monkeypatch.setattr(packer, "_ALONE", 20)
    return LineageStore(tmp_path / "large", writer="alice", identity=("A", "a@example.org"))


def record(store: LineageStore) -> list[str]:
    """Record a small campaign as one landing and return its snapshots."""
    oids: list[str] = []
    with store.batch():
        for at in range(120):
            files = {"prepare.py": b"SHARDS = 24\n", "train.py": b"LR = 0.%d\nWARMUP = 0.1\n" % at}
            trial = Trial(timestamp="2026-01-01T00:00:00Z", status="discard", core_metric=float(at), notes=f"note {at}")
            oids.append(store.commit(files, oids[-1:], trial=trial).oid)
    return oids


def test_a_landing_has_the_same_snapshots_with_and_without_deltas(large, tmp_path):
    """What a landing is packed as says nothing about it: same oids, same bytes, and git finds nothing to say."""
    small = LineageStore(tmp_path / "small", writer="alice", identity=("A", "a@example.org"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packer, "_ALONE", 10**9)
        told = record(small)
    assert record(large) == told
    git(tmp_path / "large", "fsck", "--strict")
    folder = Path(".git", "objects", "pack")
    counts = [
        sum(len(line.split()) == 7 for line in git(store.root, "verify-pack", "-v", str(path)).decode().splitlines())
        for store in (large, small)
        for path in (store.root / folder).glob("*.idx")
        for path in [path.relative_to(store.root)]
    ]
    assert max(counts) > 100 and min(counts) == 0
    for oid in told[::20]:
        assert git(large.root, "cat-file", "-p", oid) == git(small.root, "cat-file", "-p", oid)


def test_git_goes_on_with_such_packs(large, tmp_path):
    """Cloning, pushing, collecting and repacking work on them, and maintenance does not make them larger."""
    told = record(large)
    root = large.root
    before = sum(path.stat().st_size for path in (root / ".git" / "objects" / "pack").glob("*.pack"))
    git(tmp_path, "clone", "--quiet", "--mirror", str(root), "mirror.git")
    git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    git(root, "push", "--quiet", str(tmp_path / "remote.git"), "refs/notes/lineage/alice")
    for repo in (tmp_path / "mirror.git", tmp_path / "remote.git"):
        git(repo, "fsck", "--strict")
        assert git(repo, "cat-file", "-t", told[-1]) == b"commit\n"
    assert upkeep.maintain(large.repo).bytes_after <= before + 40_000
    git(root, "gc", "--quiet", "--prune=now")
    git(root, "fsck", "--strict")
    assert [trial.core_metric for trial in large.chain_to(large.log(1)[0].label)] == [float(at) for at in range(120)]
