"""One line of commits per writer, whose notes hold the events and whose parents keep snapshots."""

from datetime import UTC, datetime

import pytest

from gitlineage import Invalid, Trial
from gitlineage.git.formats import Identity
from gitlineage.git.repository import GitRepo, init_repository
from gitlineage.journal.events import SnapshotEvent, TaskEvent, TrialEvent, encode
from gitlineage.journal.journal import Append, Journal, Problem, Recorded, check_writer, decode_note
from gitlineage.model.records import Task

REF = "refs/notes/lineage/alice"
WHO = Identity("Alice", "alice@example.org")
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def repo(folder) -> GitRepo:
    """A fresh repository."""
    init_repository(folder)
    return GitRepo(folder)


@pytest.fixture
def journal(repo) -> Journal:
    """Its writers' refs."""
    return Journal(repo)


def commits(repo: GitRepo, count: int, name: str = "c") -> list[str]:
    """Some commits that nothing points at."""
    return [repo.write_commit(repo.empty_tree(), [], f"{name}{at}\n", WHO, MOMENT) for at in range(count)]


def try_to_land(journal: Journal, tip, events, **options) -> str | None:
    """Land events for Alice and return the ref's new place, if it moved."""
    lines = [(oid, encode(event)) for oid, event in events]
    clock = max(event.clock for _, event in events)
    given = {"clock": clock, "subject": "said", "identity": WHO, "moment": MOMENT, **options}
    durable = given.pop("durable", False)
    return journal.land(Append(writer="alice", tip=tip, lines=lines, **given), durable=durable)


def land(journal: Journal, tip, events, **options) -> str:
    """Land events for Alice, which must succeed, and return the ref's new place."""
    new = try_to_land(journal, tip, events, **options)
    assert new is not None
    return new


def test_the_genesis_follows_from_the_name_alone(journal, repo, git, tmp_path):
    """The same commit on every machine, before and after anything was recorded."""
    init_repository(tmp_path / "other")
    other = Journal(GitRepo(tmp_path / "other"))
    assert journal.genesis("alice") == other.genesis("alice") != journal.genesis("bob")
    oid = journal.genesis("alice")
    assert journal.tips() == {}
    tip = land(journal, None, [(commits(repo, 1)[0], SnapshotEvent(clock=1))])
    assert git("rev-parse", f"{tip}^1") == oid
    assert git("log", "-1", "--format=%an|%at|%s|%(trailers:key=Clock,valueonly,separator=)", oid) == (
        "alice|0|Begin the lineage of alice|0"
    )
    assert git("ls-tree", oid) == ""


def test_landing_makes_one_line_with_clocks_and_parents(journal, repo, git):
    """Each commit's first parent is the writer's previous one, further parents are the snapshots that are new."""
    a, b, c = commits(repo, 3)
    first = land(journal, None, [(a, SnapshotEvent(clock=1))], subject="one")
    second = land(
        journal, first, [(b, SnapshotEvent(clock=2)), (a, TrialEvent(clock=3, row={"exp_id": "x"}))], keep=[c]
    )
    genesis = journal.genesis("alice")
    assert git("log", "--first-parent", "--format=%H", REF).split() == [second, first, genesis]
    assert git("log", "-1", "--format=%P", first).split() == [genesis, a]
    assert git("log", "-1", "--format=%P", second).split() == [first, b, c]
    assert [journal.clock(oid) for oid in (genesis, first, second)] == [0, 1, 3]
    assert git("log", "-1", "--format=%s%n%an <%ae>", first) == "one\nAlice <alice@example.org>"
    assert journal.tips() == {"alice": second}
    assert journal.clock(a) == 0


def test_what_was_landed_is_read_back_whole_or_since_a_tip(journal, repo):
    """Events with writer and object; since a tip, every event of the notes that changed."""
    a, b = commits(repo, 2)
    events = [(a, SnapshotEvent(clock=1)), (b, SnapshotEvent(clock=2)), (a, TrialEvent(clock=3, row={"exp_id": "x"}))]
    first = land(journal, None, events)
    told = sorted(journal.read("alice", first), key=lambda found: found.event.clock)
    assert told == [Recorded("alice", oid, event) for oid, event in events]
    task = TaskEvent(clock=4, task=Task())
    second = land(journal, first, [(journal.genesis("alice"), task)])
    assert list(journal.read("alice", second, first)) == [Recorded("alice", journal.genesis("alice"), task)]
    assert list(journal.read("alice", second, second)) == []
    assert len(list(journal.read("alice", second))) == 4


def test_a_landing_on_a_ref_that_moved_lands_nothing(journal, repo, git):
    """Compare-and-swap: from the wrong place, and for a ref that is there already."""
    a, b = commits(repo, 2)
    first = land(journal, None, [(a, SnapshotEvent(clock=1))])
    for tip in (None, journal.genesis("alice")):
        assert try_to_land(journal, tip, [(b, SnapshotEvent(clock=1))]) is None
    assert git("rev-parse", REF) == first


def test_lines_are_appended_to_what_a_note_holds(journal, repo, git):
    """A foreign note without a last newline keeps its bytes and gets one."""
    (a,) = commits(repo, 1)
    first = land(journal, None, [(a, SnapshotEvent(clock=1))])
    blob = git("hash-object", "-w", "--stdin", data="mine, no newline")
    git("notes", f"--ref={REF}", "add", "-f", "-C", blob, a)
    second = land(journal, git("rev-parse", REF), [(a, SnapshotEvent(clock=2))])
    assert git("notes", f"--ref={REF}", "show", a) == 'mine, no newline\n{"clock":2,"type":"snapshot"}'
    found = list(journal.read("alice", second))
    assert [type(each) for each in found] == [Problem, Recorded]
    assert first != second


def test_a_large_batch_is_a_chain_of_commits_that_keep_all(store, git):
    """1,200 snapshots in one landing: no commit with too many parents, one move of the ref, everything kept."""
    with store.batch("a large import"):
        made = [
            store.commit({"f": b"%d" % at}, trial=Trial(exp_id=f"{at:04d}", status="discard")).oid for at in range(1200)
        ]
    line = git("log", "--first-parent", "--format=%H %P", REF).split("\n")
    counts = [len(each.split()) - 2 for each in line]
    assert counts == [200, 500, 500, -1]
    assert git("log", "-g", "--format=%gs", REF).split("\n") == ["lineage: a large import"]
    git("gc", "--prune=now", "--quiet")
    git("fsck", "--strict", "--no-dangling")
    kept = set(git("rev-list", REF).split())
    assert set(made) <= kept
    assert git("rev-parse", f"{REF}~1", f"{REF}~2").count("\n") == 1
    assert store.reindex() == 1200
    assert store.append(Trial(status="discard")).exp_id == "1200"


def test_everything_recorded_survives_gc(store, git):
    """Discards, crashes, pending trials, cohorts and sessions: no snapshot is lost to git gc --prune=now."""
    store.commit({"f": b"0"}, trial=Trial(exp_id="000", status="baseline", core_metric=2.0))
    oids = [store.resolve("000"), store.open_cohort("c", ["000"]).oid]
    for at, status in enumerate(("discard", "crash", "keep", None), 1):
        oids.append(
            store.commit({"f": b"%d" % at}, ["000"], trial=Trial(exp_id=f"{at:03d}", status=status), cohort="c").oid
        )
    oids.append(store.append(Trial(exp_id="row", status="harness_abort")).oid)
    oids.append(store.render_prompt("arch", record=True).session)
    oids.append(store.commit({"deep/er/f": b"x"}).oid)
    git("reflog", "expire", "--expire=now", "--all")
    for name in git("for-each-ref", "--format=%(refname)", "refs/lineage").split():
        git("update-ref", "-d", name)
    git("gc", "--prune=now", "--quiet")
    assert git("fsck", "--strict", "--no-dangling") == ""
    for oid in oids:
        assert git("cat-file", "-t", oid) == "commit"
        git("ls-tree", "-r", oid)
    assert store.files(oids[-1]) == {"deep/er/f": b"x"}


@pytest.mark.parametrize("name", ["alice", "a", "A-1_b.c", "x" * 100, "0"])
def test_names_that_can_be_a_writer(name):
    """Letters, digits, dots, dashes and underscores."""
    assert check_writer(name) == name


@pytest.mark.parametrize(
    "name", ["", "x" * 101, "a/b", "a b", ".a", "a.", "a..b", "a.lock", "-a", "_a", "é", "a\n", "a~", "@"]
)
def test_names_that_cannot_be_a_writer(name):
    """Anything a ref's last part, a command line or a listing would trip over."""
    with pytest.raises(Invalid):
        check_writer(name)


def test_a_note_with_some_bad_lines_gives_the_good_ones():
    """A problem is reported in its place and hides nothing else."""
    note = b'{"clock":1,"type":"snapshot"}\n\nrubbish\n{"clock":0,"type":"snapshot"}\n{"clock":2,"type":"snapshot"}'
    found = list(decode_note("bob", "ab" * 20, note))
    assert [type(each) for each in found] == [Recorded, Problem, Problem, Recorded]
    assert {each.writer for each in found} == {"bob"}
    assert all(each.reason for each in found if isinstance(each, Problem))


@pytest.mark.parametrize(
    "message", ["x", "x\n\nClock: -1", "x\n\nClock: ٣", "x\n\nClock: 1e3", "Clock: 5", "x\n\nClock:"]
)
def test_a_commit_without_a_clock_has_none(journal, repo, message):
    """Git's own commits on the ref carry no clock; a bent one counts as none."""
    oid = repo.write_commit(repo.empty_tree(), [], message, WHO, MOMENT)
    assert journal.clock(oid) == 0
