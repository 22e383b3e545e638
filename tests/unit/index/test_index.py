"""gitlineage.index.index: a cache that can be deleted, broken or behind, and always says what the notes say."""

import os
import sqlite3
import subprocess
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from answers import dump
from filled import fill, index_file, row
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlineage import LineageError, LineageStore, Task, Trial, Watcher
from gitlineage.git.formats import Identity
from gitlineage.git.repository import GitRepo, init_repository
from gitlineage.index.index import Index, build
from gitlineage.index.links import JOIN_LIMIT
from gitlineage.journal import events
from gitlineage.journal.events import (
    AHEAD,
    CohortEvent,
    EntryEvent,
    ForgeEvent,
    ImportedEvent,
    RelationAdded,
    RelationDeprecated,
    ReparentEvent,
    RetractEvent,
    RewriteEvent,
    SessionEvent,
    SnapshotEvent,
    TaskEvent,
    TrialEvent,
    UsageEvent,
)
from gitlineage.journal.journal import Problem, Recorded


class Ears(Watcher):
    """Remembers what a store told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Keep a note."""
        self.notes.append(text)


# -- one truth ---------------------------------------------------------------------------------------------


def test_incremental_rebuilt_and_in_memory_are_the_same(store, open_store, folder):
    """Three ways to fold the same notes give the same tables."""
    fill(store)
    incremental = dump(store.ledger._index)
    memory = build(store.ledger.repo, store.ledger.journal, store.ledger.journal.tips())
    assert dump(memory) == incremental
    memory.close()
    store.reindex()
    assert dump(store.ledger._index) == incremental
    late = open_store(writer="bob")
    late.all_trials()
    assert dump(late.ledger._index) == incremental


def test_an_index_that_is_behind_catches_up_by_what_is_new(open_store, folder):
    """A copy of an old index folds only the rest, and says the same as one that was there all the time."""
    store = open_store()
    fill(store, 10)
    store.close()
    old = index_file(folder).read_bytes()
    store = open_store()
    for at in range(10, 30):
        store.commit({"f": b"%d" % at}, [f"{at - 1:03d}"], trial=row(f"{at:03d}"))
    expected = dump(store.ledger._index)
    store.close()
    index_file(folder).write_bytes(old)
    for suffix in ("-wal", "-shm"):
        index_file(folder).with_name(f"index.sqlite3{suffix}").unlink(missing_ok=True)
    ears = Ears()
    again = open_store(watcher=ears)
    assert len(again.all_trials()) == 31
    assert dump(again.ledger._index) == expected
    assert ears.notes == []


@pytest.fixture(scope="module")
def tangle(tmp_path_factory) -> tuple[GitRepo, list[str], Task]:
    """A repository with a graph of 24 commits, most with one or two parents."""
    root = tmp_path_factory.mktemp("tangle")
    init_repository(root)
    repo = GitRepo(root)
    who, moment = Identity("x", "x@example.org"), datetime(2026, 1, 1, tzinfo=UTC)
    oids: list[str] = []
    for at in range(24):
        parents = [oids[at - 1 - at % 3]] if at > 2 else []
        parents += [oids[at // 2]] if at % 4 == 3 else []
        cohort = f"\n\nCohort: c{at % 2}" if at % 6 == 0 else ""
        tree = repo.write_tree({})
        oids.append(repo.write_commit(tree, dict.fromkeys(parents), f"commit {at}{cohort}", who, moment))
    return repo, oids, Task(score_field="val_bpb", lower_is_better=False)


EVENTS = st.one_of(
    st.tuples(
        st.just("trial"),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["", "keep", "discard"]),
        st.sampled_from(["1.5", "0.5", ""]),
    ),
    st.tuples(st.just("snapshot")),
    st.tuples(st.just("cohort"), st.sampled_from(["c0", "c1"])),
    st.tuples(st.just("session"), st.sampled_from(["s0", "s1"])),
    st.tuples(st.just("imported"), st.sampled_from(["n0", "n1"]), st.booleans()),
    st.tuples(st.just("task"), st.sampled_from(["val_bpb", "core_metric"]), st.booleans()),
    st.tuples(st.just("retract"), st.sampled_from(["a", "b", "c"]), st.booleans()),
    st.tuples(st.just("reparent"), st.lists(st.sampled_from([0, 1, 2, 8, 23]), max_size=2, unique=True)),
    st.tuples(
        st.just("relation"),
        st.booleans(),
        st.sampled_from(["depends_on", "tested_by", "successor_to", "forked_from"]),
        st.sampled_from([0, 1, 2, 8, 23]),
    ),
    st.tuples(st.just("entry"), st.sampled_from(["name", "version"]), st.sampled_from(["x", "y"])),
    st.tuples(st.just("usage"), st.integers(1, 3)),
    st.tuples(st.just("forge"), st.sampled_from(["x y", "z"])),
    st.tuples(st.just("rewrite"), st.sampled_from([0, 1, 23, "nothing"])),
    st.tuples(st.just("broken")),
)


def make(tangle, kind, at: int, clock: int, writer: str) -> Recorded | Problem:
    """An event as the journal would have found it."""
    _, oids, _ = tangle
    oid = oids[at]
    stamp = {"clock": clock, "at": "2026-01-01T00:00:00Z"}
    match kind:
        case ("trial", exp_id, status, metric):
            cells = {"exp_id": exp_id, "status": status, "core_metric": metric, "val_bpb": metric}
            event = TrialEvent(row={name: text for name, text in cells.items() if text}, **stamp)
        case ("snapshot",):
            event = SnapshotEvent(**stamp)
        case ("cohort", name):
            event = CohortEvent(name=name, base=(oids[0],), **stamp)
        case ("session", who):
            event = SessionEvent(specialist=who, prompt="0" * 40, **stamp)
        case ("imported", name, stub):
            event = ImportedEvent(name=name, source="openrange/2", document="0" * 40, stub=stub, **stamp)
        case ("relation", True, name, to):
            event = RelationAdded(target=oids[to], relation=name, **stamp)
        case ("relation", False, name, to):
            event = RelationDeprecated(target=oids[to], relation=name, **stamp)
        case ("retract", exp_id, undo):
            event = RetractEvent(exp_id=exp_id, undo=undo, reason=f"why {clock}", **stamp)
        case ("reparent", above):
            roles = {oids[each]: "mate" for each in above[1:]}
            event = ReparentEvent(parents=tuple(oids[each] for each in above), roles=roles, **stamp)
        case ("entry", field, value):
            event = EntryEvent(fields={field: value}, **stamp)
        case ("usage", total):
            event = UsageEvent(total=total, last_used=f"2026-01-0{total}T00:00:00Z", **stamp)
        case ("forge", intent):
            event = ForgeEvent(intent=intent, **stamp)
        case ("rewrite", old):
            event = RewriteEvent(old=oids[old] if isinstance(old, int) else old, **stamp)
        case ("task", field, lower):
            event = TaskEvent(task=Task(score_field=field, lower_is_better=lower), **stamp)
        case _:
            return Problem(writer, oid, "no event")
    return Recorded(writer, oid, event)


@given(data=st.data())
@settings(max_examples=120, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_order_of_arrival_does_not_matter(tangle, data):
    """Events shuffled, repeated and cut into any portions fold to the same tables."""
    places = st.tuples(EVENTS, st.integers(0, 23), st.integers(1, 30), st.sampled_from(["ann", "bob"]))
    told = data.draw(st.lists(places, min_size=1, max_size=20, unique_by=lambda each: each[2:]))
    events = [make(tangle, *each) for each in told]
    shuffled = data.draw(st.permutations(events)) + data.draw(st.lists(st.sampled_from(events), max_size=3))
    portions = data.draw(st.lists(st.integers(0, len(shuffled)), max_size=4).map(sorted))
    dumps = []
    for order, cuts in ((events, []), (shuffled, portions)):
        index = Index(tangle[0], None)
        for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True):
            with index.transaction():
                for event in order[start:end]:
                    index.fold(event)
        dumps.append(dump(index))
        index.close()
    assert dumps[0] == dumps[1]


EDGES = st.one_of(
    st.tuples(
        st.just("relation"),
        st.sampled_from([True, True, True, False]),
        st.sampled_from(["successor_to", "forked_from", "depends_on"]),
        st.integers(0, 4),
    ),
    st.tuples(st.just("reparent"), st.lists(st.integers(0, 4), max_size=2, unique=True)),
    st.tuples(st.just("snapshot")),
)


@given(data=st.data())
@settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_followed_has_no_cycle_and_does_not_depend_on_arrival(tangle, data):
    """Edges among five snapshots, many of them against each other: built at once or as they come, the same DAG."""
    repo = tangle[0]
    told = data.draw(
        st.lists(
            st.tuples(EDGES, st.integers(0, 4), st.integers(1, 40), st.sampled_from(["ann", "bob"])),
            min_size=4,
            max_size=24,
            unique_by=lambda each: each[2:],
        )
    )
    events = [make(tangle, *each) for each in told]
    shuffled = data.draw(st.permutations(events))
    portions = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=6)))
    whole = Index(repo, None)
    with whole.building() as fold:
        for event in events:
            fold.add(event)
    parts = Index(repo, None)
    for start, end in zip([0, *portions], [*portions, len(events)], strict=True):
        with parts.transaction():
            for event in shuffled[start:end]:
                parts.fold(event)
    assert dump(parts) == dump(whole)
    for types in (("successor_to", "forked_from"), ("depends_on",)):
        above: dict[str, set[str]] = {}
        asked = ", ".join(repr(each) for each in types)
        edges = whole.rows(
            f"SELECT source, target FROM relations WHERE followed AND ended_at IS NULL AND type IN ({asked})"
        )
        if len(types) > 1:
            edges += [row[:2] for row in dump(whole)[2]]
        for near, far in edges:
            above.setdefault(near, set()).add(far)
        TopologicalSorter(above).prepare()
    for index in (whole, parts):
        index.close()


# -- joining -----------------------------------------------------------------------------------------------


def plain_line(git, count: int, name: str = "ordinary") -> list[str]:
    """A line of ordinary commits on no branch."""
    parent = ""
    tree = git("mktree", data="")
    made = []
    for at in range(count):
        parents = ["-p", parent] if parent else []
        parent = git("commit-tree", tree, *parents, "-m", f"{name} {at}")
        made.append(parent)
    return made


def test_unrecorded_commits_between_snapshots_are_joined(store, git):
    """Ordinary commits are no snapshots: children, parents and ancestors pass through them."""
    line = plain_line(git, 6)
    first = store.record(line[0], row("first"))
    last = store.record(line[5], row("last", parent_exp="?"))
    assert first.exp_id == "first"
    assert [each.exp_id for each in store.children("first")] == ["last"]
    assert [each.exp_id for each in store.parents("last")] == ["first"]
    assert [(node.entry.exp_id, node.depth) for node in store.ancestors("last")] == [("first", 1)]
    assert [each.exp_id for each in store.leaves()] == ["last"]
    assert [trial.exp_id for trial in store.chain_to("last")] == ["first", "last"]
    assert last.parent_exp == "?"
    assert store.snapshot(line[3]).recorded is False
    assert [node.entry.exp_id for node in store.ancestors(line[3])] == ["first"]
    assert store.common_ancestor(line[4], line[2]).exp_id == "first"


def test_recording_a_commit_in_the_middle_joins_anew(store, git):
    """A commit that is recorded late takes its place between those that were joined past it."""
    line = plain_line(git, 7)
    store.record(line[6], row("c"))
    store.record(line[0], row("a"))
    assert [each.exp_id for each in store.parents("c")] == ["a"]
    store.record(line[3], row("b"))
    assert [each.exp_id for each in store.parents("c")] == ["b"]
    assert [each.exp_id for each in store.children("a")] == ["b"]
    assert [node.entry.exp_id for node in store.ancestors("c")] == ["b", "a"]
    before = dump(store.ledger._index)
    store.reindex()
    assert dump(store.ledger._index) == before


def test_a_merge_of_ordinary_commits_joins_to_both_sides(store, git):
    """A walk through unrecorded commits finds the nearest snapshot on each line."""
    left, right = plain_line(git, 2, "left"), plain_line(git, 2, "right")
    tree = git("mktree", data="")
    merge = git("commit-tree", tree, "-p", left[1], "-p", right[1], "-m", "merge")
    tip = git("commit-tree", tree, "-p", merge, "-m", "tip")
    for name, oid in (("l", left[0]), ("r", right[0]), ("t", tip)):
        store.record(oid, row(name))
    assert {each.exp_id for each in store.parents("t")} == {"l", "r"}
    assert [each.exp_id for each in store.children("l")] == ["t"]


def test_the_walk_between_snapshots_is_bounded(store, git):
    """Past a limit of unrecorded commits two snapshots are not joined; below it they are."""
    line = plain_line(git, JOIN_LIMIT + 3)
    store.record(line[0], row("near"))
    store.record(line[JOIN_LIMIT], row("joined"))
    assert [each.exp_id for each in store.children("near")] == ["joined"]
    other = plain_line(git, JOIN_LIMIT + 3, "other")
    store.record(other[0], row("far"))
    store.record(other[-1], row("apart"))
    assert store.children("far") == ()
    assert [each.recorded for each in store.parents("apart")] == [False]


@given(data=st.data())
@settings(max_examples=60, deadline=None, database=None)
def test_links_do_not_depend_on_the_order_of_recording(tangle, data):
    """Whatever commits of a graph are recorded, in whatever order: the links are those to the nearest snapshots."""
    repo, oids, _ = tangle
    chosen = data.draw(st.lists(st.sampled_from(range(24)), unique=True, min_size=1))
    index = Index(repo, None)
    for at in chosen:
        with index.transaction():
            index.fold(Recorded("ann", oids[at], SnapshotEvent(clock=at + 1)))
    recorded = {oids[at] for at in chosen}

    def nearest(oid: str) -> set[str]:
        found = set()
        for parent in repo.parents(oid):
            found |= {parent} if parent in recorded else nearest(parent)
        return found

    linked: dict[str, set[str]] = {oid: set() for oid in recorded}
    for child, parent, _ in dump(index)[2]:
        linked[child].add(parent)
    index.close()
    assert linked == {oid: nearest(oid) for oid in recorded}


# -- damage ------------------------------------------------------------------------------------------------


def damage(path: Path, how: str) -> None:
    """Break an index's file in one of several ways."""
    data = path.read_bytes()
    match how:
        case "deleted":
            path.unlink()
        case "deleted with its folder":
            for each in path.parent.iterdir():
                each.unlink()
            path.parent.rmdir()
        case "garbage":
            path.write_bytes(b"\xde\xad\xbe\xef" * 5000)
        case "text":
            path.write_text("this is no database\n")
        case "empty":
            path.write_bytes(b"")
        case "header only":
            path.write_bytes(data[:100])
        case "truncated":
            path.write_bytes(data[: len(data) // 2 // 4096 * 4096])
        case "cut within a page":
            path.write_bytes(data[: len(data) // 2 + 777])
        case "another version":
            with sqlite3.connect(path) as connection:
                connection.execute("PRAGMA user_version = 99")
            connection.close()
        case "other tables":
            path.unlink()
            with sqlite3.connect(path) as connection:
                connection.execute("CREATE TABLE mine (x)")
            connection.close()
        case "a table is missing":
            with sqlite3.connect(path) as connection:
                connection.execute("DROP TABLE links")
            connection.close()
        case _:
            raise AssertionError(how)


HOWS = (
    "deleted", "deleted with its folder", "garbage", "text", "empty", "header only", "truncated", "cut within a page",
    "another version", "other tables", "a table is missing",
)  # fmt: skip
SILENT = ("deleted", "deleted with its folder", "empty")
"""A fresh index, which needs no word beyond the progress."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> tuple[Path, list]:
    """A repository with a bit of everything, its index closed and complete, and what the index says."""
    root = tmp_path_factory.mktemp("recorded") / "repo"
    with LineageStore(root, writer="alice", identity=("A", "a@example.org")) as store:
        fill(store)
        said = dump(store.ledger._index)
    assert not index_file(root).with_name("index.sqlite3-wal").exists()
    return root, said


@pytest.fixture
def copy(recorded, tmp_path) -> tuple[Path, list]:
    """A copy of that repository."""
    root = tmp_path / "copy"
    subprocess.run(["cp", "-a", recorded[0], root], check=True)
    return root, recorded[1]


def write(store: LineageStore, trial: Trial) -> None:
    """Append a row; damage that shows up in the middle may refuse it once, in our words, and is mended then."""
    try:
        store.append(trial)
    except LineageError as error:
        assert "nothing was recorded" in str(error)
        store.append(trial)


@pytest.mark.parametrize("first", ["read", "write"])
@pytest.mark.parametrize("how", HOWS)
def test_a_broken_index_is_rebuilt_with_a_word(open_store, copy, how, first):
    """Deleted, garbage, truncated or of another version: the store says so, rebuilds it and goes on."""
    root, said = copy
    damage(index_file(root), how)
    ears = Ears()
    store = open_store(root, watcher=ears)
    if first == "write":
        write(store, row("late"))
        assert store.trial("late").exp_id == "late"
        assert len(store.all_trials()) == 42
    else:
        assert len(store.all_trials()) == 41
        assert dump(store.ledger._index) == said
    assert bool(ears.notes) == (how not in SILENT)
    store.close()
    again = Ears()
    assert len(open_store(root, watcher=again).all_trials()) == (42 if first == "write" else 41)
    assert again.notes == []


@pytest.mark.parametrize("fill_with", ["zeros", "noise"])
def test_any_broken_page_is_noticed_or_harmless(open_store, copy, tmp_path, fill_with):
    """Each page of the index in turn is overwritten: every question and every write still works, or rebuilds first."""
    root, _ = copy
    good = index_file(root).read_bytes()
    bundle = subprocess.run(["git", "for-each-ref"], cwd=root, capture_output=True, check=True).stdout
    for page in range(len(good) // 4096):
        junk = bytes(4096) if fill_with == "zeros" else bytes((at * 37 + page * 11) % 251 for at in range(4096))
        for path in index_file(root).parent.iterdir():
            path.unlink()
        index_file(root).write_bytes(good[: page * 4096] + junk + good[(page + 1) * 4096 :])
        store = open_store(root)
        write(store, row("late", parent_exp="010"))
        tip = store.ledger.journal.tips()["alice"]
        trials = {trial.exp_id for trial in store.all_trials()}
        store.children("000"), store.ancestors("039"), store.leaves(), store.best(), store.log(None), store.cohorts()
        store.close()
        healed = open_store(root)
        healed.reindex()
        assert "late" in {trial.exp_id for trial in healed.all_trials()}, page
        assert "late" in trials, page
        healed.close()
        assert bundle.decode().split()[0] != tip
        subprocess.run(["git", "update-ref", "refs/notes/lineage/alice", f"{tip}~1"], cwd=root, check=True)


def test_an_index_deleted_under_an_open_store_loses_nothing(open_store, folder):
    """A store goes on with what it has open, and the next one rebuilds."""
    store = open_store()
    fill(store, 10)
    for path in index_file(folder).parent.iterdir():
        path.unlink()
    store.append(row("late"))
    assert store.trial("late").exp_id == "late"
    fresh = open_store(writer="bob")
    assert len(fresh.all_trials()) == 12
    fresh.append(row("later"))
    assert store.trial("later").exp_id == "later"


def test_a_ref_that_went_back_is_followed_with_a_word(open_store, git):
    """When somebody rewinds a writer's ref and what keeps it, the index forgets with them, and tells."""
    ears = Ears()
    store = open_store(watcher=ears)
    for exp_id in "abc":
        store.append(row(exp_id))
    git("update-ref", "-d", "refs/lineage/own/alice")
    git("update-ref", "refs/notes/lineage/alice", "refs/notes/lineage/alice~1")
    assert [trial.exp_id for trial in store.all_trials()] == ["a", "b"]
    assert any("went back" in note for note in ears.notes)
    git("update-ref", "-d", "refs/lineage/own/alice")
    git("update-ref", "-d", "refs/notes/lineage/alice")
    assert store.all_trials() == []
    assert store.append(row()).exp_id == "000"


# -- foreign lines -----------------------------------------------------------------------------------------

FOREIGN = (
    "Reviewed-by: a human",
    '{"type":"trial"',
    '{"type":"unheard","clock":3}',
    '{"type":"trial","clock":0,"row":{"exp_id":"z","status":"keep"}}',
    '{"type":"trial","clock":-5,"row":{"exp_id":"z","status":"keep"}}',
    '{"type":"trial","clock":99999999999999999999,"row":{"exp_id":"z","status":"keep"}}',
    '{"type":"trial","clock":3,"row":{"exp_id":"z","status":"brilliant"}}',
    '{"type":"trial","clock":3,"row":{"exp_id":"a\\nb","status":"keep"}}',
    '{"type":"trial","clock":3,"row":{"status":"keep"}}',
    '{"type":"trial","clock":3,"row":{"exp_id":"*","status":"keep"}}',
    '{"type":"trial","clock":3,"row":{"exp_id":"z","status":"keep","core_metric":"NaN"}}',
    '{"type":"trial","clock":3,"row":["z"]}',
    '{"type":"trial","clock":3,"row":{"exp_id":5,"status":"keep"}}',
    '{"type":"cohort","clock":3}',
    '{"type":"task","clock":3,"task":{"score_field":5}}',
    "[" * 5000,
    "\ufeff{}",
    "null",
)


@pytest.mark.parametrize("line", FOREIGN, ids=range(len(FOREIGN)))
def test_a_foreign_line_is_skipped_reported_and_never_deleted(open_store, git, line):
    """What is no event hides nothing else, is named with its commit, and survives our next write to the same note."""
    ears = Ears()
    store = open_store(watcher=ears)
    snapshot = store.commit({"f": b"1"}, trial=row("000", "baseline"))
    git("notes", "--ref=lineage/alice", "append", "--file=-", snapshot.oid, data=line)
    assert [trial.exp_id for trial in store.all_trials()] == ["000"]
    assert store.snapshot("000").trial.status.value == "baseline"
    assert [(writer, oid) for writer, oid, _ in store.history.problems()] == [("alice", snapshot.oid)]
    assert snapshot.oid[:12] in ears.notes[-1]
    store.record("000", row("replicate"))
    assert line in git("notes", "--ref=lineage/alice", "show", snapshot.oid)
    store.reindex()
    assert [trial.exp_id for trial in store.all_trials()] == ["000", "replicate"]
    assert len(store.history.problems()) == 1
    assert store.task == Task()
    git("fsck", "--strict", "--no-dangling")


def test_a_note_of_bytes_that_are_no_text_is_skipped(store, git):
    """Binary rubbish in a note is a problem of that line only."""
    snapshot = store.commit({"f": b"1"}, trial=row("000", "baseline"))
    blob = git("hash-object", "-w", "--stdin", data=b"\xff\xfe\x00rubbish\n\x80\n")
    git("notes", "--ref=lineage/mallory", "add", "-C", blob, snapshot.oid)
    assert [trial.exp_id for trial in store.all_trials()] == ["000"]
    assert {writer for writer, *_ in store.history.problems()} == {"mallory"}


@pytest.mark.parametrize("what", ["blob", "tree", "missing", "tag", "absurd date", "no author"])
def test_an_event_on_something_that_is_no_sound_commit_stops_nobody(store, git, what):
    """A foreign writer may annotate anything; the others' trials are still read and written."""
    store.commit({"f": b"1"}, trial=row("000", "baseline"))
    tree = git("mktree", data="")
    absurd = {"GIT_AUTHOR_DATE": "@99999999999999 +0000", "GIT_COMMITTER_DATE": "@99999999999999 +0000"}
    match what:
        case "blob":
            oid = git("hash-object", "-w", "--stdin", data="x")
        case "tree":
            oid = tree
        case "tag":
            git("tag", "-a", "-m", "x", "v1", str(store.resolve("000")))
            oid = git("rev-parse", "v1")
        case "absurd date":
            oid = git("commit-tree", tree, "-m", "x", env=absurd)
        case "no author":
            oid = git("hash-object", "-w", "-t", "commit", "--literally", "--stdin", data=f"tree {tree}\n\nx\n")
        case _:
            oid = "ab" * 20
    line = '{"clock":5,"row":{"exp_id":"odd","status":"keep"},"type":"trial"}'
    blob = git("hash-object", "-w", "--stdin", data=line)
    inner = git("mktree", data=f"100644 blob {blob}\t{oid}\n")
    note = git("commit-tree", inner, "-m", "foreign")
    git("update-ref", "refs/notes/lineage/mallory", note)
    assert "000" in [trial.exp_id for trial in store.all_trials()]
    assert store.append(row("001")).exp_id == "001"
    store.reindex()
    exp_ids = {trial.exp_id for trial in store.all_trials()}
    assert exp_ids >= {"000", "001"}
    assert ("odd" in exp_ids) != bool(store.history.problems())
    if what == "absurd date":
        assert store.snapshot("odd").time[:4].isdigit()


@pytest.mark.parametrize("clock", [2**53 - 1, 2**53 - 2, 2**40])
def test_a_clock_far_ahead_poisons_nobody(store, git, clock):
    """A foreign event may carry the highest clock there is: what is recorded after it is still read back."""
    snapshot = store.append(row("000"))
    line = f'{{"clock":{clock},"row":{{"exp_id":"odd","status":"discard"}},"type":"trial"}}'
    git("notes", "--ref=lineage/mallory", "add", "-m", line, snapshot.oid)
    for exp_id in ("001", "002", "003"):
        store.append(row(exp_id))
    with store.batch():
        store.append(row("004"))
        store.append(row("005"))
    expected = {"000", "001", "002", "003", "004", "005"}
    for _ in range(2):
        assert {trial.exp_id for trial in store.all_trials()} >= expected
        store.reindex()


# -- large repositories ------------------------------------------------------------------------------------


def test_fifty_thousand_ordinary_commits_are_no_lineage(open_store, git, folder):
    """In a large repository the first record is a first record: nothing of the ordinary history is taken in."""
    git("init", "-q", str(folder), cwd=folder.parent)
    stream = bytearray(b"blob\nmark :1\ndata 1\nx\n")
    for at in range(50_000):
        stream += b"commit refs/heads/main\nmark :%d\ncommitter A <a@example.org> %d +0000\n" % (
            at + 2,
            1_700_000_000 + at,
        )
        stream += b"data 1\nm\n" + (b"from :%d\n" % (at + 1) if at else b"") + (b"M 100644 :1 f\n" if at == 0 else b"")
    git("fast-import", "--quiet", data=bytes(stream))
    git("symbolic-ref", "HEAD", "refs/heads/main")
    head = git("rev-parse", "main")
    seen: list[str] = []

    class Counting(GitRepo):
        """Counts which commits are read."""

        def parents(self, oid: str) -> tuple[str, ...]:
            seen.append(oid)
            return super().parents(oid)

    store = open_store()
    store.ledger.repo.__class__ = Counting
    store.record("HEAD", row("a"))
    child = store.commit({"f": b"y"}, ["HEAD"], trial=row("b"))
    assert [each.oid for each in store.children("HEAD")] == [child.oid]
    assert len(set(seen)) <= JOIN_LIMIT + 2
    assert [each.exp_id for each in store.leaves()] == ["b"]
    assert [node.entry.exp_id for node in store.ancestors("b")] == ["a"]
    assert [node.entry.exp_id for node in store.descendants(head)] == ["b"]
    assert store.same(head) == ()
    assert len(store.all_trials()) == len(store.log(None)) == 2
    assert store.ledger._index.one("SELECT count(*) FROM snapshots")[0] == 2
    assert store.record("HEAD~40000", row("old")).exp_id == "old"
    assert store.children("old") == ()
    assert os.path.getsize(index_file(folder)) < 2_000_000


# -- hostile writers ---------------------------------------------------------------------------------------


def plant(git, tree: str, writer: str = "mallory") -> None:
    """Point a writer's ref at a commit of a notes tree that was made by hand."""
    git("update-ref", f"refs/notes/lineage/{writer}", git("commit-tree", tree, "-m", "foreign"))


def blob_tree(git, entries: dict[str, str]) -> str:
    """Write a flat tree of blobs."""
    return git("mktree", data="".join(f"100644 blob {blob}\t{name}\n" for name, blob in entries.items()))


@pytest.mark.parametrize("clock", [2**48, 2**48 - 1, 2**47, 2**40 + 1, 2**40, AHEAD + 5])
def test_a_clock_far_ahead_does_not_count(store, git, clock):
    """A foreign event with a clock that nothing can have led to is a problem of its line, and nobody follows it."""
    snapshot = store.append(row("000"))
    line = f'{{"clock":{clock},"row":{{"exp_id":"odd","status":"discard"}},"type":"trial"}}'
    git("notes", "--ref=lineage/mallory", "add", "-m", line, snapshot.oid)
    store.append(row("001"))
    for _ in range(2):
        assert [trial.exp_id for trial in store.all_trials()] == ["000", "001"]
        assert store.ledger.journal.clock(store.ledger.journal.tips()["alice"]) == 2
        ((writer, oid, reason),) = store.history.problems()
        assert (writer, oid) == ("mallory", snapshot.oid) and f"its clock is {clock:,}" in reason
        store.reindex()
    assert reason in [each.what for each in store.verify()]
    store.append(row("002"))
    assert store.ledger.journal.clock(store.ledger.journal.tips()["alice"]) == 3


@pytest.mark.parametrize("ahead", [AHEAD, 10])
def test_the_limit_of_clocks_grows_with_every_event(store, git, monkeypatch, ahead):
    """Who claims the highest clock that counts is outranked by whoever speaks next; one that is higher waits."""
    monkeypatch.setattr(events, "AHEAD", ahead)
    snapshot = store.append(row("000"))
    store.set_task(Task(lower_is_better=False), force=True)
    limit = 2 + ahead
    for at, lower in enumerate(("true", "false"), limit + 1):
        said = f'{{"clock":{at},"task":{{"lower_is_better":{lower},"score_field":"x{at}"}},"type":"task"}}'
        git("notes", "--ref=lineage/mallory", "append", "-m", said, snapshot.oid)
    assert store.task.score_field == f"x{limit + 2}"  # they are events themselves, so that both count
    assert any("leaps" in each.what for each in store.verify()) == (ahead > 1000)
    store.set_task(Task(), force=True)
    assert store.task.same(Task())
    said = f'{{"clock":{limit + 7},"task":{{"score_field":"late"}},"type":"task"}}'
    git("notes", "--ref=lineage/mallory", "append", "-m", said, snapshot.oid)
    assert store.task.same(Task()) and len(store.history.problems()) == 1
    for number in range(1, 5):
        store.append(row(f"00{number}"))
        assert store.task.same(Task()) == bool(store.history.problems())
    assert store.task.score_field == "late"
    before = [store.task, store.all_trials(), store.ledger._index.clock, store.ledger._index.events]
    store.reindex()
    assert [store.task, store.all_trials(), store.ledger._index.clock, store.ledger._index.events] == before
    store.set_task(Task(), force=True)
    assert store.task.same(Task())


def test_a_clock_on_a_foreign_commit_is_no_more_trusted(store, git):
    """The ``Clock:`` trailer of a foreign commit may say anything."""
    store.append(row("000"))
    tree = git("rev-parse", "refs/notes/lineage/alice^{tree}")
    for number, said in enumerate((2**60, 2**48, "9" * 5000)):
        oid = git("commit-tree", tree, "-m", f"x\n\nClock: {said}")
        git("update-ref", f"refs/notes/lineage/mallory{number}", oid)
    store.append(row("001"))
    assert store.ledger.journal.clock(store.ledger.journal.tips()["alice"]) == 2


def test_a_writer_goes_on_whatever_clock_its_own_ref_has(store, git):
    """An event on the own ref with a clock far ahead does not count either, and what is recorded next does."""
    snapshot = store.append(row("000"))
    line = f'{{"clock":{2**41},"row":{{"exp_id":"odd","status":"discard"}},"type":"trial"}}'
    git("notes", "--ref=lineage/alice", "append", "-m", line, snapshot.oid)
    tree = git("rev-parse", "refs/notes/lineage/alice^{tree}")
    oid = git("commit-tree", tree, "-p", "refs/notes/lineage/alice", "-m", f"by hand\n\nClock: {2**41}")
    git("update-ref", "refs/notes/lineage/alice", oid)
    git("notes", "--ref=lineage/alice", "append", "-m", "a word", snapshot.oid)
    store.append(row("001"))
    assert store.ledger.journal.clock(store.ledger.journal.tips()["alice"]) == 2
    assert [trial.exp_id for trial in store.all_trials()] == ["000", "001"]


def test_a_note_over_the_limit_is_reported_and_not_read(store, git):
    """A note of 17 MiB is a problem; the other notes of its writer and of others are read."""
    snapshot = store.append(row("000"))
    good = '{"clock":5,"row":{"exp_id":"good","status":"keep"},"type":"trial"}'
    huge = git("hash-object", "-w", "--stdin", data=b"\n" * (17 * 1024 * 1024))
    small = git("hash-object", "-w", "--stdin", data=good)
    other = store.append(row("001"))
    plant(git, blob_tree(git, {snapshot.oid: huge, other.oid: small}))
    assert {trial.exp_id for trial in store.all_trials()} == {"000", "001", "good"}
    assert [(writer, oid) for writer, oid, _ in store.history.problems()] == [("mallory", snapshot.oid)]
    assert "over the limit" in store.history.problems()[0][2]


def test_a_note_on_very_many_objects_is_bounded(store, git):
    """A note of 1 MiB that a tree puts on 300 objects is read twice and then told once."""
    store.append(row("000"))
    blob = git("hash-object", "-w", "--stdin", data=b"{}\n" * 30_000 + b"\n" * 1_000_000)
    plant(git, blob_tree(git, {f"{number:040x}": blob for number in range(300)}))
    assert [trial.exp_id for trial in store.all_trials()] == ["000"]
    problems = store.history.problems()
    assert (blob, "this note stands on too many objects") in [(oid, reason) for _, oid, reason in problems]
    assert len({oid for _, oid, _ in problems}) < 5


def test_trees_in_each_others_places_end(store, git):
    """Twenty trees of 256 places each would make 2**160 notes; they are walked once."""
    store.append(row("000"))
    line = '{"clock":5,"row":{"exp_id":"odd","status":"keep"},"type":"trial"}'
    blob = git("hash-object", "-w", "--stdin", data=line)
    names = [f"{number:02x}" for number in range(256)]
    tree = git("mktree", data="".join(f"100644 blob {blob}\t{name}\n" for name in names))
    for _ in range(19):
        tree = git("mktree", data="".join(f"040000 tree {tree}\t{name}\n" for name in names))
    plant(git, tree)
    assert "000" in [trial.exp_id for trial in store.all_trials()]
    assert any("several places" in reason for _, _, reason in store.history.problems())


def test_a_broken_tree_hides_no_other_note(store, git):
    """A subtree that is no tree is reported; the writer's other notes are read, and later ones too."""
    first, second = store.append(row("000")), store.append(row("001"))
    lines = [f'{{"clock":5,"row":{{"exp_id":"{name}","status":"keep"}},"type":"trial"}}' for name in ("a", "b")]
    blobs = [git("hash-object", "-w", "--stdin", data=line) for line in lines]
    broken = git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", data=b"100644 x\0short")
    inner = blob_tree(git, {first.oid[2:]: blobs[0]})
    folders = {first.oid[:2]: inner, ("ff" if first.oid[:2] != "ff" else "fe"): broken}
    raw = b"".join(b"40000 %s\0" % name.encode() + bytes.fromhex(oid) for name, oid in sorted(folders.items()))
    tree = git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", data=raw)
    plant(git, tree)
    assert {trial.exp_id for trial in store.all_trials()} == {"000", "001", "a"}
    assert any(oid == broken for _, oid, _ in store.history.problems())
    plain = blob_tree(git, {first.oid: blobs[0], second.oid: blobs[1]})
    oid = git("commit-tree", plain, "-p", "refs/notes/lineage/mallory", "-m", "repaired")
    git("update-ref", "refs/notes/lineage/mallory", oid)
    assert {trial.exp_id for trial in store.all_trials()} == {"000", "001", "a", "b"}


def test_very_many_bad_lines_are_counted(store, git):
    """A note of 20,000 lines that are no events is told in one line that counts them."""
    snapshot = store.append(row("000"))
    good = b'{"clock":5,"row":{"exp_id":"good","status":"keep"},"type":"trial"}'
    bad = b"".join(b'{"clock":%d}\n' % number for number in range(20_000))
    plant(git, blob_tree(git, {snapshot.oid: git("hash-object", "-w", "--stdin", data=bad + good)}))
    assert [trial.exp_id for trial in store.all_trials()] == ["000", "good"]
    assert [reason for _, _, reason in store.history.problems()] == ["20,000 lines are too short to be events"]
