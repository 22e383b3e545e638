"""Deltas between small objects: what the instructions make, and what git makes of packs that hold them."""

import itertools
import os
import random
import subprocess
from pathlib import Path

import pygit2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage.git import deltas, packs
from gitlineage.git.deltas import MOST, Deltas
from gitlineage.git.packs import KINDS, DeltaWriter, PackWriter, object_id

BYTES = st.binary(max_size=12) | st.text("ab01", max_size=12).map(str.encode)
PIECES = st.text('abcxyz" :\n', min_size=3, max_size=20).map(str.encode) | st.binary(min_size=3, max_size=20)


@st.composite
def families(draw: st.DrawFn) -> list[bytes]:
    """Return objects with the same pieces, of which some lack some, between gaps that are often those of others."""
    pieces = draw(st.lists(PIECES, min_size=1, max_size=6))
    gaps = draw(st.lists(BYTES | st.binary(min_size=120, max_size=300), min_size=1, max_size=12))
    rng, missing, count = random.Random(draw(st.integers(0))), draw(st.floats(0, 0.5)), draw(st.integers(0, 60))
    head = draw(st.sampled_from([b"", b"\0"]))  # nothing is read behind it to tell families apart
    made = []
    for at in range(count):
        parts = [head, b"%d" % at if rng.random() < 0.2 else rng.choice(gaps) + rng.choice(gaps)[:2]]
        for piece in pieces:
            parts += [piece if rng.random() >= missing else b"", rng.choice([b"%d" % at, rng.choice(gaps)])]
        made.append(b"".join(parts))
    return made


CONTENTS = families() | st.lists(
    st.binary(max_size=60) | st.integers(0, 9).map(lambda n: b"x%d\n" % n * 900), max_size=40
)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A bare repository without objects."""
    return bare(tmp_path / "r")


def bare(path: Path) -> Path:
    """Make a bare repository."""
    subprocess.run(["git", "init", "--quiet", "--bare", str(path)], check=True)
    return path


def git(repo: Path, *words: str, data: bytes = b"") -> bytes:
    """Run git in the repository."""
    return subprocess.run(["git", "-C", str(repo), *words], input=data, capture_output=True, check=True).stdout


def made(base: bytes, instructions: bytes) -> bytes:
    """Do what the instructions say, as git's documentation of the pack format has it."""
    rest = iter(instructions)

    def size() -> int:
        value = shift = 0
        for byte in rest:
            value |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                break
        return value

    assert size() == len(base)
    whole, out = size(), bytearray()
    for byte in rest:
        if byte & 128:
            start, length = (
                sum(next(rest) << 8 * at for at in range(count) if byte >> first + at & 1)
                for first, count in ((0, 4), (4, 3))
            )
            assert start + length <= len(base)
            out += base[start : start + (length or 0x10000)]
        else:
            assert byte
            out += bytes(itertools.islice(rest, byte))
    assert len(out) == whole
    return bytes(out)


def followed(contents: list[bytes]) -> dict[bytes, bytes]:
    """Find a base for each of some objects, check what is made of it, and return the instructions that there are."""
    finder, at, found = Deltas(), {}, {}
    for place, data in enumerate(contents):
        at[place] = data
        if (delta := finder.find(KINDS["blob"], data, place)) is not None:
            assert made(at[delta[0]], delta[1]) == data
            found[data] = delta[1]
    return found


def write(repo: Path, objects: list[tuple[str, bytes]], kind: type[PackWriter] = DeltaWriter) -> list[str]:
    """Write objects as a pack and return their oids."""
    writer = kind(repo / "objects" / "pack")
    oids = [writer.add(name, data) for name, data in objects]
    writer.flush()
    writer.release()
    return oids


def rows(count: int) -> list[bytes]:
    """Return rows as a landing has them; every third lacks a field."""
    rng = random.Random(count)
    return [
        b'{"at":"2026-01-02T03:04:%02dZ","clock":%d,"row":{"exp_id":"%03d",%s"hypothesis":"%s","status":"discard"}}\n'
        % (
            at % 60,
            at,
            at,
            b'"core_metric":"1.%d",' % rng.randrange(9999) * bool(at % 3),
            rng.randbytes(20).hex().encode(),
        )
        for at in range(count)
    ]


def snapshots(count: int) -> list[tuple[str, bytes]]:
    """Return a line of commits with a file each, as objects in the order in which they can be written."""
    objects: list[tuple[str, bytes]] = []
    parents: list[str] = []
    for number, row in enumerate(rows(count)):
        tree = b"100644 prepare.py\0%s100644 train.py\0" % bytes.fromhex(object_id("blob", b"")) + bytes.fromhex(
            object_id("blob", row)
        )
        who = b"Ann <ann@example.org> %d +0000" % (1_770_000_000 + 61 * number)
        parent = b"".join(b"parent %s\n" % oid.encode() for oid in parents[-1 - number % 3 : len(parents)][:1])
        message = b"try %d\n\nExp-Id: %03d\nSpecialist: opt\n" % (number * number, number)
        commit = b"tree %s\n%sauthor %s\ncommitter %s\n\n%s" % (
            object_id("tree", tree).encode(),
            parent,
            who,
            who,
            message,
        )
        objects += [("blob", row), ("tree", tree), ("commit", commit)]
        parents.append(object_id("commit", commit))
    return [("blob", b""), *objects]


@settings(max_examples=300, deadline=None)
@given(contents=CONTENTS)
def test_the_instructions_make_the_object(contents):
    """Whatever comes, every delta leads back to its object from a base that came before."""
    followed(contents)


@settings(max_examples=300, deadline=None)
@given(contents=families())
def test_the_instructions_make_the_object_when_little_is_learned(contents):
    """The same with pieces that two objects show, a base for a few objects, and little that is remembered."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("_SAMPLES", 2), ("_SHORTEST", 1), ("_STRETCH", 5), ("REACH", 9), ("_PATIENCE", 2)):
            patch.setattr(deltas, name, value)
        patch.setattr(deltas, "_RELATIVES", 4)
        followed(contents)


@settings(max_examples=25, deadline=None)
@given(contents=CONTENTS, number=st.integers(0, 30))
def test_git_takes_a_pack_with_deltas_and_has_every_object(tmp_path_factory, contents, number):
    """It is checked strictly, no object differs from what a plain pack holds, and it is no larger than that."""
    objects = [("blob", data) for data in contents] + snapshots(number)
    plain, tight = bare(tmp_path_factory.mktemp("r") / "plain"), bare(tmp_path_factory.mktemp("r") / "tight")
    oids = write(plain, objects, PackWriter)
    assert write(tight, objects) == oids
    (pack,) = (tight / "objects" / "pack").glob("*.pack")
    (other,) = (plain / "objects" / "pack").glob("*.pack")
    assert pack.stat().st_size <= other.stat().st_size
    git(tight, "index-pack", "--strict", "--verify", str(pack))
    asked = "\n".join([*oids, ""]).encode()
    assert git(tight, "cat-file", "--batch", data=asked) == git(plain, "cat-file", "--batch", data=asked)
    here = pygit2.Repository(str(tight))
    for oid, (kind, data) in zip(oids, objects, strict=True):
        found, content = here.read(pygit2.Oid(hex=oid))
        assert (int(found), content) == (KINDS[kind], data)
    git(tight, "fsck", "--strict")


def test_rows_with_the_same_keys_take_less(repo):
    """What all rows of a table say is written a few times; their words in hex are most of the rest."""
    contents = rows(400)
    tight, plain = (kind(repo / "objects" / "pack") for kind in (DeltaWriter, PackWriter))
    for data in contents:
        assert tight.add("blob", data) == plain.add("blob", data)
    assert tight._size < 0.7 * plain._size


def test_two_steps_lead_to_an_object_that_stands_for_itself(repo):
    """No chain of deltas is longer, whatever the objects share; those with the same parent share more."""
    write(repo, snapshots(300))
    (pack,) = (repo / "objects" / "pack").glob("*.pack")
    told = git(repo, "verify-pack", "-v", str(pack)).decode().splitlines()
    lengths = {line.split(":")[0] for line in told if line.startswith("chain length")}
    assert lengths == {"chain length = 1", "chain length = 2"}


def test_the_same_objects_give_the_same_pack(repo):
    """Nothing about a pack depends on chance."""
    writers = [DeltaWriter(repo / "objects" / "pack") for _ in range(2)]
    for kind, data in snapshots(200):
        for writer in writers:
            writer.add(kind, data)
    assert writers[0]._pieces == writers[1]._pieces


def test_an_object_that_is_its_base_and_an_empty_one():
    """Both are one instruction at most."""
    contents = rows(10)
    found = followed([*contents, contents[9]])
    assert len(found[contents[9]]) <= 8
    assert followed([b""] * 40) == {}


def test_long_gaps_are_inserted_in_parts():
    """An instruction writes 127 bytes at most; each border of that is met."""
    sizes = [0, 1, 126, 127, 128, 253, 254, 255, 256, 381, 382, 1000, 3900]
    contents = [b'{"key":"' + os.urandom(size).hex().encode()[:size] + b'","and another":1}' for size in sizes * 3]
    assert len(followed(contents)) >= len(sizes)


def test_what_begins_alike_and_shares_nothing_is_given_up(repo):
    """Noise behind a common beginning makes no pack larger, and is no longer taken apart after a while."""
    contents = [b"title\n\0" + os.urandom(200) for _ in range(200)]
    tight, plain = (kind(repo / "objects" / "pack") for kind in (DeltaWriter, PackWriter))
    for data in contents:
        assert tight.add("blob", data) == plain.add("blob", data)
    assert tight._size <= plain._size
    (family,) = tight._deltas._families.values()
    assert family._hopeless


def test_large_objects_stand_for_themselves(repo):
    """What git's own repacking does well is not even looked at."""
    write(repo, [("blob", b"%d" % at + b"the same words again " * (MOST // 20)) for at in range(30)])
    (pack,) = (repo / "objects" / "pack").glob("*.pack")
    assert b"chain length" not in git(repo, "verify-pack", "-v", str(pack))


def test_bases_are_in_reach_and_in_the_same_pack(repo, monkeypatch):
    """Noise between the members of a family: distances of every length, and packs that need no other."""
    monkeypatch.setattr(packs, "_FLUSH", 3_000_000)
    objects = []
    for at, row in enumerate(rows(600)):
        objects.append(("blob", row))
        if at % 50 > 40:
            objects.append(("blob", os.urandom((100, 15_000, 90_000)[at % 3])))
    write(repo, objects)
    made = list((repo / "objects" / "pack").glob("*.pack"))
    assert len(made) == 2
    for pack in made:
        git(repo, "index-pack", "--strict", "--verify", str(pack))
        assert b"chain length = 1" in git(repo, "verify-pack", "-v", str(pack))


def test_many_families_are_known_at_a_time(monkeypatch):
    """One that comes again and again is kept, however many others are met once."""
    monkeypatch.setattr(deltas, "_FAMILIES", 4)
    finder = Deltas()
    found = 0
    for at, row in enumerate(rows(100)):
        found += finder.find(KINDS["blob"], row, 10 * at) is not None
        for other in range(2):
            assert finder.find(KINDS["blob"], bytes([71 + at, 71 + other]) * 20, 10 * at + 1 + other) is None
    assert found == 90
    assert len(finder._families) == 4
