"""What git reads ahead is what would be read anyway, whatever is wrong with it or with git."""

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from answers import dump
from filled import fill, row

from gitlineage.git import readahead
from gitlineage.git.readahead import read_ahead
from gitlineage.git.repository import GitRepo
from gitlineage.index.index import build
from gitlineage.journal.journal import Journal, Recorded
from gitlineage.sync.archives import consolidate

GIT = shutil.which("git")
EVENT = '{{"clock":{clock},"row":{{"exp_id":"{name}","status":"keep","core_metric":"1.5"}},"type":"trial"}}'


@pytest.fixture
def calls(tmp_path, monkeypatch) -> Callable[[], int]:
    """Put a git first on the path that notes its calls, and return how often it was asked to read ahead."""
    log = tmp_path / "calls"
    log.touch()
    replace_git(tmp_path, monkeypatch, f'echo "$*" >> {log}\nexec {GIT} "$@"')
    return lambda: log.read_text().count("cat-file --batch --buffer")


def replace_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put another git first on the path."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "git"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def eager(monkeypatch) -> None:
    """Have even a few objects read ahead, eleven items at a time."""
    monkeypatch.setattr(readahead, "FEW", 1)
    monkeypatch.setattr(readahead, "_MANY", 11)


def folded(root: Path, until: Callable[[Recorded], bool] | None = None) -> list:
    """Return all that an index says that is built from nothing."""
    repo = GitRepo(root)
    journal = Journal(repo)
    index = build(repo, journal, journal.tips(), until)
    with closing(index):
        return dump(index)


def one_by_one(root: Path, until: Callable[[Recorded], bool] | None = None) -> list:
    """Return the same, with every object read by libgit2."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readahead, "FEW", 10**9)
        return folded(root, until)


def children() -> set[int]:
    """Return the processes that this one has started and not seen the end of, but for the one that lists them."""
    words = ["ps", "-A", "-o", "pid=,ppid=,args="]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    return {int(line.split()[0]) for line in lines if line.split()[1] == str(os.getpid()) and " ps -A" not in line}


# -- campaigns ---------------------------------------------------------------------------------------------


@pytest.fixture
def campaign(open_store, store, folder) -> Path:
    """A repository with two writers and an archive, and all kinds of events."""
    fill(store)
    store.add_relationship("003", "001", "depends_on")
    carol = open_store(writer="carol")
    for at in range(6):
        carol.commit({"f": b"carol %d" % at}, ["001"], trial=row(f"c{at}", "discard", 3.0 + at))
    consolidate(store.ledger, ["carol"])
    bob = open_store(writer="bob")
    bob.record("001", row("001", "keep", 0.5), revise=True)
    for at in range(20):
        bob.record("004", row(f"replicate-{at}", "discard", 5.0 + at))
    for each in (store, carol, bob):
        each.close()
    return folder


def landed(git, root: Path) -> Path:
    """Leave the objects in the packs that landings make."""
    return root


def collected(git, root: Path) -> Path:
    """Have git pack everything with deltas."""
    git("gc", "--quiet", "--prune=now", cwd=root)
    return root


def loose(git, root: Path) -> Path:
    """Give every object a file of its own."""
    packs = root / ".git" / "objects" / "pack"
    packs.rename(root / "packs")
    packs.mkdir()
    for pack in (root / "packs").glob("*.pack"):
        git("unpack-objects", "-q", cwd=root, data=pack.read_bytes())
    return root


def linked(git, root: Path) -> Path:
    """Look from a linked worktree."""
    git("worktree", "add", "--quiet", "--detach", str(root / "linked"), "refs/lineage/best", cwd=root)
    return root / "linked"


def borrowing(git, root: Path) -> Path:
    """Look from a bare clone that has no objects of its own."""
    git("clone", "--quiet", "--mirror", "--shared", str(root), str(root / "shared"), cwd=root)
    return root / "shared"


def shallow(git, root: Path) -> Path:
    """Look from a clone whose history is cut off, so that snapshots are missing."""
    words = ["--quiet", "--mirror", "--depth=4", "--no-single-branch", f"file://{root}", str(root / "shallow")]
    git("clone", *words, cwd=root)
    return root / "shallow"


def partial(git, root: Path) -> Path:
    """Look from a clone that left out the notes, and would have to fetch each of them."""
    git("config", "uploadpack.allowFilter", "true", cwd=root)
    words = ["--quiet", "--mirror", "--filter=blob:none", f"file://{root}", str(root / "partial")]
    git("clone", *words, cwd=root)
    return root / "partial"


def replaced(git, root: Path) -> Path:
    """Have git show other objects in the place of a snapshot and a note, and other parents."""
    oids = git("rev-list", "refs/lineage/best", cwd=root).split()
    git("replace", "--graft", oids[0], cwd=root)
    git("replace", oids[-1], oids[0], cwd=root)
    notes = git("ls-tree", "-r", "--format=%(objectname)", "refs/notes/lineage/alice", cwd=root).split()
    git("replace", notes[0], notes[1], cwd=root)
    return root


SHAPES = [landed, collected, loose, linked, borrowing, shallow, partial, replaced]


def spoil(git, root: Path, snapshots: list[str]) -> None:
    """Add what foreign hands can do wrong: notes on anything, and anything as a note."""

    def run(*words: str, **options) -> str:
        return git(*words, cwd=root, **options)

    lines = [EVENT.format(clock=60 + at, name=f"odd{at}") for at in range(12)]
    blobs = [run("hash-object", "-w", "--stdin", data=line) for line in lines]
    tree = run("mktree", data="")
    run("tag", "-a", "-m", "x", "v1", snapshots[0])
    literally = ("hash-object", "-w", "--literally", "--stdin", "-t")
    broken = run(*literally, "commit", data="tree x\n\nx\n")
    huge = run("hash-object", "-w", "--stdin", data=b"\n" * (17 << 20))
    rubbish = run("hash-object", "-w", "--stdin", data=b"\xff\0rubbish\n{}\n" + lines[10].encode() + b"\n[]")
    new = run("commit-tree", tree, "-m", "not recorded yet")
    odd = [blobs[0], tree, run("rev-parse", "v1"), broken, "ab" * 20, huge, new]
    notes = [*blobs[:7], huge, rubbish, "cd" * 20, tree, new, blobs[7], blobs[8], blobs[8], blobs[8]]
    annotated = sorted(zip([*odd, *snapshots], notes, strict=True))
    raw = b"".join(b"100644 %s\0" % oid.encode() + bytes.fromhex(blob) for oid, blob in annotated)
    planted = run("commit-tree", run(*literally, "tree", data=raw), "-m", "foreign")
    run("update-ref", "refs/notes/lineage/mallory", planted)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_the_index_is_the_same(campaign, git, eager, calls, shape):
    """However the objects are kept, and whatever foreign hands have put among them; of a past moment too."""
    snapshots = git("rev-list", "-9", "refs/lineage/best", "refs/notes/lineage/bob").split()
    root = shape(git, campaign)
    spoil(git, root, snapshots)
    expected = one_by_one(root)
    assert calls() == 0
    assert folded(root) == expected
    assert calls() > 5

    def until(found: Recorded) -> bool:
        return found.event.clock < 30

    assert folded(root, until) == one_by_one(root, until) != expected


BROKEN = {
    "does not start": "exit 1",
    "says nothing": f'{GIT} "$@" > /dev/null',
    "ends in the middle": f'{GIT} "$@" | head -c 2000',
    "is killed": f'{GIT} "$@" | head -c 2000; kill -9 $$',
    "garbles names": f'{GIT} "$@" | tr a-f b-g',
    "garbles content": f'{GIT} "$@" | sed s/clock/clack/',
    "leaves one out": f'{GIT} "$@" | sed 3d',
    "says that all is missing": 'while read oid; do echo "$oid missing"; done',
    "says too much": f'echo; {GIT} "$@"',
    "lies about sizes": f'{GIT} "$@" | sed "s/ blob .*/ blob 99999999999999999999/"',
    "says no numbers": f'{GIT} "$@" | sed "s/ blob .*/ blob ten/"',
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
def test_a_git_that_fails_makes_no_other_index(campaign, eager, tmp_path, monkeypatch, script):
    """What git did not say, or not rightly, is read without it, and nothing of it stays behind."""
    expected, before = one_by_one(campaign), children()
    replace_git(tmp_path, monkeypatch, script)
    assert folded(campaign) == expected
    assert children() == before


def test_without_git_the_index_is_built_all_the_same(campaign, eager, tmp_path, monkeypatch):
    """The program is not needed to read."""
    expected = one_by_one(campaign)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert folded(campaign) == expected


def test_without_room_for_the_list_the_index_is_built_all_the_same(campaign, eager, tmp_path, monkeypatch):
    """What git is to read goes into a file for temporary ones; where there is no such folder, git reads nothing."""
    expected = one_by_one(campaign)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nothing"))
    assert folded(campaign) == expected


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, RuntimeError])
def test_whatever_ends_a_build_ends_git(campaign, eager, error):
    """No process is left, dead or alive, even while the error is still held."""
    before = children()

    def until(found: Recorded) -> bool:
        if found.event.clock == 9:
            raise error
        return True

    with pytest.raises(error) as held:
        folded(campaign, until)
    assert held.value.__traceback__ is not None
    assert children() == before


def test_a_refresh_after_a_few_trials_starts_no_process(open_store, campaign, calls):
    """Only many are read ahead: a campaign of this size is not, nor what comes new."""
    here, there = open_store(), open_store(writer="bob")
    assert len(here.all_trials()) > 40
    for at in range(5):
        there.append(row(f"new{at}"))
        assert here.trial(f"new{at}").exp_id == f"new{at}"
    assert calls() == 0


def test_many_that_came_at_once_are_read_ahead(open_store, folder, git, tmp_path, calls):
    """Six hundred trials that git fetched, by an open store that has others."""
    here, there = open_store(), open_store(tmp_path / "there", writer="bob")
    here.append(row("000"))
    with there.batch():
        for at in range(600):
            there.commit({"f": b"%d" % at}, trial=row(f"b{at:03d}", "discard", at / 7))
    git("fetch", "--quiet", str(tmp_path / "there"), "refs/notes/*:refs/notes/*")
    assert len(here.all_trials()) == 601
    assert calls() == 1
    assert dump(here.ledger._index) == one_by_one(folder)


# -- objects -----------------------------------------------------------------------------------------------


@pytest.fixture
def blobs(store, git) -> list[str]:
    """Forty blobs of rising size, the largest of some 4,000 bytes."""
    return [git("hash-object", "-w", "--stdin", data=b"%d\n" % at * 40 * at) for at in range(40)]


def read(store, oids: list[str], limit: int = 1 << 20) -> list[tuple[str, dict]]:
    """Read objects ahead, one for each item."""
    return list(read_ahead(store.ledger.repo.commondir, oids, lambda oid: [oid], limit))


def test_items_keep_their_order_and_get_their_objects(store, blobs, eager):
    """Content and kind of each, nothing for one that is missing, and a tree, a commit and an empty blob as well."""
    oids = [*blobs, "12" * 20, store.ledger.repo.empty_tree(), store.append(row("000")).oid, blobs[3]]
    found = read(store, oids)
    assert [oid for oid, _ in found] == oids
    for oid, got in found:
        if oid == "12" * 20:
            assert got == {}
        else:
            assert (got[oid].kind, got[oid].data) == (store.ledger.repo.kind(oid), store.ledger.repo.read(oid))


def test_an_item_may_need_several_objects_or_none(store, blobs, eager):
    """Each gets its own, whatever its neighbours need."""
    needs = [tuple(blobs[at : at + at % 4]) for at in range(36)]
    for oids, got in read_ahead(store.ledger.repo.commondir, needs, lambda oids: oids, 1 << 20):
        assert {oid: found.data for oid, found in got.items()} == {oid: store.ledger.repo.read(oid) for oid in oids}


def test_few_items_are_passed_on_as_they_are(store, blobs, calls):
    """Git is not worth starting for them."""
    assert read(store, blobs) == [(oid, {}) for oid in blobs]
    assert calls() == 0


def test_an_object_over_the_limit_is_passed_over(store, blobs, eager, monkeypatch):
    """It is left out, those after it are there."""
    monkeypatch.setattr(readahead, "_BUFFER", 64)
    size = store.ledger.repo.size(blobs[20])
    got = [oid for oid, found in read(store, blobs, size) if found]
    assert got == [oid for oid in blobs if store.ledger.repo.size(oid) <= size]


def test_much_in_large_objects_ends_it(store, blobs, eager, monkeypatch):
    """Once one git has unpacked too much of what is unusually large, the rest of its part is left out."""
    monkeypatch.setattr(readahead, "_MANY", 100)
    monkeypatch.setattr(readahead, "_SMALL", store.ledger.repo.size(blobs[20]))
    monkeypatch.setattr(readahead, "_LARGE", sum(store.ledger.repo.size(oid) for oid in blobs[21:23]))
    assert [bool(found) for _, found in read(store, blobs)] == [True] * 23 + [False] * 17


def test_an_object_with_other_content_than_its_name_says_is_left_out(store, blobs, git, folder, eager):
    """A file of another object's content in an object's place is no object."""
    files = [folder / ".git" / "objects" / oid[:2] / oid[2:] for oid in blobs[5:7]]
    files[0].chmod(0o644)
    files[0].write_bytes(files[1].read_bytes())
    assert [at for at, (_, found) in enumerate(read(store, blobs)) if not found] == [5]


def test_closing_it_early_ends_git(store, blobs, eager):
    """Nobody is left waiting for its answers to be read."""
    before = children()
    found = read_ahead(store.ledger.repo.commondir, blobs * 500, lambda oid: [oid], 1 << 20)
    next(found)
    assert len(children() - before) == 1
    found.close()
    assert children() == before


def test_a_git_that_is_killed_leaves_the_rest_to_others(store, blobs, monkeypatch):
    """Its part is given without objects from there on, the next part has a git of its own."""
    monkeypatch.setattr(readahead, "_MANY", 10_000)
    before, oids = children(), blobs * 500
    got = []
    for at, (_, found) in enumerate(read_ahead(store.ledger.repo.commondir, oids, lambda oid: [oid], 1 << 20)):
        got.append(bool(found))
        if at == 100:
            (child,) = children() - before
            os.kill(child, 9)
    assert len(got) == 20_000
    assert all(got[:101]) and not all(got[:10_000]) and all(got[10_000:])
    assert children() == before
