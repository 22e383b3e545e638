"""gitlineage.git.notes: git reads what we write, we read what git writes, and only the touched path is rewritten."""

import hashlib
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlineage.git.formats import FILE, TREE, Entry, Identity
from gitlineage.git.notes import NotesTrees
from gitlineage.git.repository import GitRepo, init_repository

WHO = Identity("A", "a@example.org")
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
REF = "refs/notes/test"

oids = st.integers(0, 400).map(lambda n: hashlib.sha1(str(n).encode()).hexdigest())
texts = st.binary(min_size=1, max_size=20)
several = st.dictionaries(oids, texts, min_size=1, max_size=12)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A bare repository for trees of notes."""
    root = tmp_path_factory.mktemp("notes")
    init_repository(root, bare=True)
    return root


@pytest.fixture(scope="module")
def repo(place) -> GitRepo:
    """The same, opened."""
    return GitRepo(place)


def run(place: Path, *words: str, data: bytes = b"") -> bytes:
    """What git prints."""
    person = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**person, "PATH": "/usr/bin:/bin", "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(place)}
    return subprocess.run(
        ["git", *words], cwd=place, env=environment, input=data, capture_output=True, check=True
    ).stdout


def git_listing(place: Path, repo: GitRepo, tree: str) -> dict[str, bytes]:
    """Every note of a tree as ``git notes`` reads it."""
    commit = repo.write_commit(tree, [], "x", WHO, MOMENT)
    run(place, "update-ref", REF, commit)
    lines = run(place, "notes", f"--ref={REF}", "list").decode().split("\n")
    pairs = (line.split(" ") for line in filter(None, lines))
    return {annotated: repo.read(blob) for blob, annotated in pairs}


def our_listing(repo: GitRepo, tree: str, old: str | None = None) -> dict[str, bytes]:
    """The same as we read it."""
    return {oid: repo.read(blob) for oid, blob in NotesTrees(repo).changed(old, tree)}


def fan_out(repo: GitRepo, notes: dict[str, bytes], levels: int) -> str:
    """A notes tree with a fan-out of so many levels everywhere."""
    leaves = {oid: Entry(FILE, repo.write_blob(text)) for oid, text in notes.items()}

    def build(items: dict[str, Entry], level: int) -> str:
        if level == 0:
            return repo.write_tree(items)
        groups: dict[str, dict[str, Entry]] = {}
        for rest, entry in items.items():
            groups.setdefault(rest[:2], {})[rest[2:]] = entry
        return repo.write_tree({name: Entry(TREE, build(group, level - 1)) for name, group in groups.items()})

    return build(leaves, levels)


@given(rounds=st.lists(several, min_size=1, max_size=4))
@settings(max_examples=30, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
def test_git_reads_every_note_that_we_write(place, repo, rounds):
    """Notes put in several rounds, some again: git lists exactly the last text of each."""
    trees, tree, expected = NotesTrees(repo), repo.empty_tree(), {}
    for each in rounds:
        before, tree = tree, trees.put(tree, each)
        changed = {oid: text for oid, text in each.items() if expected.get(oid) != text}
        assert our_listing(repo, tree, before) == changed
        expected |= each
    assert git_listing(place, repo, tree) == expected
    assert our_listing(repo, tree) == expected
    assert all(NotesTrees(repo).get(tree, oid) == text for oid, text in expected.items())
    assert trees.get(tree, "f" * 40) == b""
    assert not trees.has(tree, "f" * 40)


@pytest.mark.parametrize("levels", [0, 1, 2, 3, 4])
@given(present=several, added=several)
@settings(max_examples=8, deadline=None, database=None)
def test_any_fan_out_is_read_and_written_on(place, repo, levels, present, added):
    """A tree of any depth, as git may leave it: we read it, and what we add is what git then reads."""
    tree = fan_out(repo, present, levels)
    assert our_listing(repo, tree) == git_listing(place, repo, tree) == present
    new = NotesTrees(repo).put(tree, added)
    assert git_listing(place, repo, new) == {**present, **added}
    assert our_listing(repo, new) == {**present, **added}
    for oid, text in {**present, **added}.items():
        assert NotesTrees(repo).get(new, oid) == text


def test_the_written_tree_has_two_levels_and_only_the_path_is_new(repo):
    """A further note on a large tree writes one blob and three trees, and every other folder stays."""
    trees = NotesTrees(repo)
    notes = {hashlib.sha1(b"%d" % at).hexdigest(): b"%d\n" % at for at in range(2000)}
    tree = trees.put(repo.empty_tree(), notes)
    assert all(len(name) == 2 and entry.mode == TREE for name, entry in repo.read_tree(tree).items())
    oid = "ab" * 20
    new = trees.put(tree, {oid: b"new\n"})
    old_top, new_top = repo.read_tree(tree), repo.read_tree(new)
    assert {name for name in new_top if old_top.get(name) != new_top[name]} == {"ab"}
    old_ab, new_ab = repo.read_tree(old_top["ab"].oid), repo.read_tree(new_top["ab"].oid)
    assert {name for name in new_ab if old_ab.get(name) != new_ab[name]} == {"ab"}
    assert oid[4:] in repo.read_tree(new_ab["ab"].oid)
    assert dict(NotesTrees(repo).changed(tree, new)) == {oid: repo.read_tree(new_ab["ab"].oid)[oid[4:]].oid}


def test_writing_costs_the_path_and_not_the_store(tmp_path):
    """The objects that a note costs are as many at the start as after 3,000 notes."""
    init_repository(tmp_path, bare=True)
    repo = GitRepo(tmp_path)
    trees = NotesTrees(repo)

    def count() -> int:
        return int(run(tmp_path, "count-objects").split()[0])

    tree = trees.put(repo.empty_tree(), {hashlib.sha1(b"%d" % at).hexdigest(): b"x" for at in range(3000)})
    before = count()
    for at in range(50):
        tree = trees.put(tree, {hashlib.sha1(b"new %d" % at).hexdigest(): b"%d" % at})
    assert count() - before <= 50 * 4


@pytest.mark.parametrize("count", [1, 30, 400])
def test_we_read_and_write_on_what_git_notes_made(place, repo, count):
    """Git notes add, append and its own change of fan-out: all of it is read, and our next note keeps it."""
    tree = repo.empty_tree()
    targets = [repo.write_commit(tree, [], f"target {at} of {count}", WHO, MOMENT) for at in range(count)]
    run(place, "update-ref", "-d", REF)
    blobs = [repo.write_blob(b"note %d\n" % at) for at in range(count)]
    stream = b"commit refs/notes/test\ncommitter A <a@example.org> 1700000000 +0000\ndata 1\nx\n"
    stream += b"".join(f"N {blob} {oid}\n".encode() for blob, oid in zip(blobs, targets, strict=True))
    run(place, "fast-import", "--quiet", data=stream)
    run(place, "notes", f"--ref={REF}", "append", "-m", "more", targets[0])
    made = repo.commit(repo.resolve(REF)).tree
    expected = {oid: b"note %d\n" % at for at, oid in enumerate(targets)}
    expected[targets[0]] = b"note 0\n\nmore\n"
    assert our_listing(repo, made) == expected
    depth = {path.count("/") for path in run(place, "ls-tree", "-r", "--name-only", REF).decode().split()}
    assert depth == ({0} if count < 100 else {1})
    ours = NotesTrees(repo).put(made, {targets[-1]: b"changed\n", "cd" * 20: b"new\n"})
    expected |= {targets[-1]: b"changed\n", "cd" * 20: b"new\n"}
    assert git_listing(place, repo, ours) == our_listing(repo, ours) == expected
    run(place, "notes", f"--ref={REF}", "append", "-m", "again", targets[0])
    run(place, "notes", f"--ref={REF}", "remove", targets[-1])
    rewritten = repo.commit(repo.resolve(REF)).tree
    expected[targets[0]] += b"\nagain\n"
    del expected[targets[-1]]
    assert our_listing(repo, rewritten) == git_listing(place, repo, rewritten) == expected
    run(place, "fsck", "--strict", "--no-dangling")


def test_git_rewriting_our_fan_out_changes_no_note(place, repo):
    """Git flattens a small two-level tree when it writes; we go on from there and back to two levels."""
    tree = repo.empty_tree()
    targets = [repo.write_commit(tree, [], f"rewritten {at}", WHO, MOMENT) for at in range(5)]
    ours = NotesTrees(repo).put(tree, dict.fromkeys(targets, b"note\n"))
    run(place, "update-ref", REF, repo.write_commit(ours, [], "x", WHO, MOMENT))
    run(place, "notes", f"--ref={REF}", "append", "-m", "git", targets[0])
    flat = repo.commit(repo.resolve(REF)).tree
    assert our_listing(repo, flat) == dict.fromkeys(targets, b"note\n") | {targets[0]: b"note\n\ngit\n"}
    assert {oid for oid, _ in NotesTrees(repo).changed(ours, flat)} >= {targets[0]}
    trees = NotesTrees(repo)
    for oid in targets:
        flat = trees.put(flat, {oid: trees.get(flat, oid) + b"ours\n"})
    expected = dict.fromkeys(targets, b"note\nours\n") | {targets[0]: b"note\n\ngit\nours\n"}
    assert our_listing(repo, flat) == git_listing(place, repo, flat) == expected
    assert all(entry.mode == TREE for entry in repo.read_tree(flat).values())


def test_one_object_in_two_fan_outs_reads_as_both_and_is_written_as_one(place, repo):
    """Where two fan-outs met, no line is lost."""
    oid = "12" * 20
    flat, deep = Entry(FILE, repo.write_blob(b"flat\n")), fan_out(repo, {oid: b"deep\n"}, 2)
    tree = repo.write_tree({oid: flat, **repo.read_tree(deep)})
    trees = NotesTrees(repo)
    both = trees.get(tree, oid)
    assert sorted(both.split()) == [b"deep", b"flat"]
    assert sorted(repo.read(blob) for _, blob in trees.changed(None, tree)) == [b"deep\n", b"flat\n"]
    new = trees.put(tree, {oid: both + b"more\n"})
    assert git_listing(place, repo, new) == our_listing(repo, new) == {oid: both + b"more\n"}


def test_entries_that_are_no_notes_are_left_alone(place, repo):
    """A README or an odd folder in a notes tree is not read as a note and survives our writing, as with git."""
    blob = Entry(FILE, repo.write_blob(b"read me\n"))
    inner = repo.write_tree({"zz": blob, "README": blob})
    odd = {"README": blob, "ab": Entry(TREE, inner), "xyz": Entry(TREE, inner), "a" * 41: blob, "0" * 39: blob}
    tree = repo.write_tree(odd)
    trees = NotesTrees(repo)
    assert list(trees.changed(None, tree)) == []
    oid = "ab" + "cd" * 19
    new = trees.put(tree, {oid: b"note\n"})
    assert our_listing(repo, new) == git_listing(place, repo, new) == {oid: b"note\n"}
    entries = repo.read_tree(new)
    assert {name: entries[name] for name in odd if name != "ab"} == {name: odd[name] for name in odd if name != "ab"}
    assert repo.read_tree(entries["ab"].oid)["README"] == blob


def test_bytes_of_any_kind_come_back(place, repo):
    """A note is bytes: blank lines, NUL and no last newline are kept."""
    notes = {"01" * 20: b"\n\n  trailing  \n\n\n", "02" * 20: b"\0\xff no newline", "03" * 20: b"\r\n"}
    tree = NotesTrees(repo).put(repo.empty_tree(), notes)
    assert our_listing(repo, tree) == git_listing(place, repo, tree) == notes


def test_as_many_folders_as_there_are_names_need_not_have_them(place, repo):
    """A foreign tree of 256 folders lacks one of our names where it has another: order and contents stay right."""
    names = [f"{number:02x}" for number in range(255)] + ["zz"]
    noted = hashlib.sha1(b"noted").hexdigest()
    below = repo.write_tree({noted[2:]: Entry(FILE, repo.write_blob(b"kept\n"))})
    names = ["!!", *(name for name in names if name not in ("zz", "00")), "zz"]
    tree = repo.write_tree({name: Entry(TREE, below) for name in names})
    trees = NotesTrees(repo)
    assert len(names) == 256 and trees.get(tree, noted) == b"kept\n"
    fresh = "00" + "1" * 38
    written = trees.put(tree, {fresh: b"new\n"})
    assert trees.get(written, fresh) == b"new\n"
    assert trees.get(written, noted) == b"kept\n"
    listed = run(place, "ls-tree", "--name-only", written).decode().split()
    assert listed == ["!!", "00", *names[1:]]
