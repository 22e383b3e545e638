"""Verify finds every kind of damage, names where it is, and finds nothing in a healthy store."""

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from filled import fill, index_file, row

from gitlineage import Adopted, Finding, LineageStore, SigningError
from gitlineage.git.formats import FILE, TREE, Entry
from gitlineage.index.schema import TABLE_NAMES
from gitlineage.record.verify import _TABLES, Verification

REF = "refs/notes/lineage/alice"


@pytest.fixture
def damaged(store, git) -> Callable[[str], None]:
    """Move Alice's ref to a commit made by hand."""

    def move(oid: str) -> None:
        git("update-ref", REF, oid)

    return move


def whats(store: LineageStore, **options) -> list[str]:
    """Return what is found, without where."""
    return [found.what for found in store.verify(**options)]


def landing(git, lines: str, *, clock: int, oid: str, replace: bool = False) -> str:
    """Write a commit on Alice's ref with more lines in an object's note, as `Journal.land` would."""
    tip = git("rev-parse", REF)
    git("notes", "--ref=lineage/alice", "add" if replace else "append", *(["-f"] if replace else []), "-m", lines, oid)
    tree = git("rev-parse", f"{REF}^{{tree}}")
    made = git("commit-tree", tree, "-p", tip, "-m", f"by hand\n\nClock: {clock}")
    git("update-ref", REF, made)
    return made


def test_a_healthy_store_has_no_finding(store, open_store, folder, git) -> None:
    """A bit of everything by two writers, with revisions, batches and git's own notes commands: nothing is found."""
    fill(store)
    bob = open_store(writer="bob")
    with bob.batch():
        for number in range(100, 130):
            bob.append(row(str(number), parent_exp="003"))
    bob.record("001", row("bobs", "keep", 0.5))
    store.append(row("after"))
    line = '{"clock":5000,"row":{"exp_id":"by-hand","status":"keep"},"type":"trial"}'
    git("notes", "--ref=lineage/alice", "append", "-m", line, store.resolve("after"))
    store.append(row("last"))
    assert store.verify() == []
    assert store.verify(everything=True) == []
    git("gc", "--prune=now", "-q")
    assert store.verify(everything=True) == []


@pytest.mark.parametrize("at", ["_objects", "_line", "_alive", "_snapshots", "_cycles", "_replay", "_derived"])
def test_what_is_recorded_meanwhile_is_no_finding(store, open_store, monkeypatch, at) -> None:
    """Whichever check another process records beside, the store is checked as it was when the checks began."""
    fill(store)
    other = open_store(writer="alice")
    check, numbers = getattr(Verification, at), iter(range(100, 200))

    def beside(*given):
        found = list(check(*given))
        other.append(row(str(next(numbers)), "keep", 0.001))
        return iter(found)

    monkeypatch.setattr(Verification, at, beside)
    assert store.verify() == []
    assert next(numbers) > 100
    monkeypatch.undo()
    assert store.verify() == []


def test_a_busy_store_is_checked_all_the_same(store, open_store) -> None:
    """Where somebody else keeps the lock beyond the limit, that is said and the checks go on."""
    fill(store)
    store.ledger.repo.set_config("lineage.lockTimeout", "0.1")
    told: list[str] = []
    looking = open_store(writer="bob")
    looking.ledger.watcher.note = told.append
    with ThreadPoolExecutor(1) as pool, store.batch():
        assert pool.submit(looking.verify).result() == []
    assert any("may change meanwhile" in text for text in told)


def test_more_snapshots_than_one_commit_keeps(store, git) -> None:
    """A landing of several commits on the ref is as it should be."""
    with store.batch():
        for number in range(1100):
            store.commit({"a": b"%d" % number}, trial=row(str(number)))
    assert store.verify() == []


def test_an_empty_store_and_a_bare_one(open_store, tmp_path, git) -> None:
    """Where nothing was recorded there is nothing to find."""
    assert open_store(tmp_path / "new").verify() == []
    git("init", "-q", "--bare", str(tmp_path / "bare.git"), cwd=tmp_path)
    bare = open_store(tmp_path / "bare.git")
    bare.commit({"a": b"1"}, trial=row("000"))
    assert bare.verify(everything=True) == []


# -- objects -------------------------------------------------------------------------------------------------


def loosen(folder: Path) -> None:
    """Take all packs apart."""
    packs = folder / ".git" / "objects" / "pack"
    for pack in list(packs.glob("*.pack")):
        moved = folder / pack.name
        shutil.move(pack, moved)
        for beside in packs.glob(f"{pack.stem}.*"):
            beside.unlink()
        with moved.open("rb") as file:
            subprocess.run(["git", "unpack-objects", "-q"], cwd=folder, stdin=file, check=True)
        moved.unlink()


def loose(folder: Path, oid: str) -> Path:
    """Return the file of a loose object."""
    return folder / ".git" / "objects" / oid[:2] / oid[2:]


@pytest.mark.parametrize("kind", ["blob", "tree", "commit", "note"])
def test_a_missing_object_is_found(store, folder, git, kind, open_store) -> None:
    """A snapshot's blob, tree or commit, or a note, that is gone."""
    snapshot = store.commit({"a": b"content"}, trial=row("000"))
    loosen(folder)
    oid = {
        "blob": lambda: git("rev-parse", f"{snapshot.oid}:a"),
        "tree": lambda: snapshot.tree,
        "commit": lambda: snapshot.oid,
        "note": lambda: git("notes", "--ref=lineage/alice", "list", snapshot.oid),
    }[kind]()
    loose(folder, oid).unlink()
    found = open_store().verify()
    assert any(each.oid == oid and "git fsck" in each.what for each in found), found


def test_a_changed_byte_is_found_by_a_look_at_everything(store, folder, git, open_store) -> None:
    """A blob whose content is not what its name says."""
    snapshot = store.commit({"a": b"content"}, trial=row("000"))
    loosen(folder)
    other = git("hash-object", "-w", "--stdin", data="other")
    victim = loose(folder, git("rev-parse", f"{snapshot.oid}:a"))
    victim.chmod(0o644)
    victim.write_bytes(loose(folder, other).read_bytes())
    assert any("fsck" in what for what in whats(open_store(), everything=True))


# -- refs ----------------------------------------------------------------------------------------------------


def test_a_ref_that_begins_elsewhere_is_found(store, git, damaged) -> None:
    """A ref whose first parents do not end at the writer's genesis."""
    store.append(row("000"))
    tree = git("rev-parse", f"{REF}^{{tree}}")
    clone = git("commit-tree", tree, "-m", "root\n\nClock: 1", "-p", store.resolve("000"))
    damaged(clone)
    (said,) = [what for what in whats(store) if "does not go back to its writer's first commit" in what]
    assert said.endswith("`gitlineage sync --accept-rewrite alice` takes that")


def test_a_ref_of_no_writer_is_found(store, git) -> None:
    """A ref whose name no writer can have."""
    store.append(row("000"))
    git("update-ref", "refs/notes/lineage/-x", REF)
    assert any(found.writer == "-x" and "cannot name a writer" in found.what for found in store.verify())


def test_a_ref_to_something_else_is_found(store, git) -> None:
    """A ref that points at a blob."""
    store.append(row("000"))
    (store.root / ".git" / "refs" / "notes" / "lineage" / "bob").write_text(
        git("hash-object", "-w", "--stdin", data="x") + "\n"
    )
    assert any(found.writer == "bob" and "not a commit" in found.what for found in store.verify())


def test_a_clock_that_falls_is_found(store, git) -> None:
    """A commit's clock below the one before, an event's above its commit's, and one that is not above the last."""
    snapshot = store.append(row("000"))
    for number in range(1, 5):
        store.append(row(f"00{number}"))
    line = '{{"clock":{},"row":{{"exp_id":"{}","status":"keep"}},"type":"trial"}}'.format
    landing(git, line(9, "above"), clock=7, oid=snapshot.oid)
    landing(git, line(3, "below"), clock=8, oid=snapshot.oid)
    landing(git, line(9, "twice"), clock=9, oid=snapshot.oid)
    made = landing(git, line(4, "falls"), clock=4, oid=snapshot.oid)
    found = store.verify()
    assert Finding("alice", made, "its clock is 4, below the 9 of the commit before") in found
    said = [each.what for each in found]
    assert any("has the clock 9, its commit" in what for what in said)
    assert any("has the clock 3, not above 7" in what for what in said)
    assert any("two events of this writer have the clock 9" in what for what in said)


def test_a_note_that_lost_events_is_found(store, git) -> None:
    """Events are never changed or removed: a note that was rewritten or deleted."""
    first, second = store.append(row("000")), store.append(row("001"))
    changed = '{"clock":1,"row":{"exp_id":"000","status":"keep","core_metric":"0.1"},"type":"trial"}'
    landing(git, changed, clock=3, oid=first.oid, replace=True)
    git("notes", "--ref=lineage/alice", "remove", second.oid)
    found = store.verify()
    assert any(each.oid == first.oid and "lost events" in each.what for each in found)
    assert any(each.oid == second.oid and "was removed" in each.what for each in found)


# -- notes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("README", "no part of an object's name"),
        ("ab", "no note of an object"),
        ("abc/def", "no folder of a fan-out"),
        ("zz/zz", "no part of an object's name"),
        ("0" * 41, "no part of an object's name"),
    ],
)
def test_a_wrong_name_in_the_notes_is_found(store, git, damaged, name, said) -> None:
    """Files and folders that are no part of a fan-out."""
    store.append(row("000"))
    top = store.ledger.repo.read_tree(git("rev-parse", f"{REF}^{{tree}}"))
    blob = Entry(FILE, store.ledger.repo.write_blob(b"x"))
    folder, _, inner = name.rpartition("/")
    entry = Entry(TREE, store.ledger.repo.write_tree({inner: blob})) if folder else blob
    tree = store.ledger.repo.write_tree({**top, folder or name: entry})
    damaged(git("commit-tree", tree, "-p", REF, "-m", "x\n\nClock: 1"))
    assert any(said in what for what in whats(store))


def test_two_notes_of_one_object_are_found(store, git, damaged) -> None:
    """One object in two fan-outs."""
    snapshot = store.append(row("000"))
    top = store.ledger.repo.read_tree(git("rev-parse", f"{REF}^{{tree}}"))
    line = b'{"clock":2,"row":{"exp_id":"001","status":"keep"},"type":"trial"}\n'
    tree = store.ledger.repo.write_tree({**top, snapshot.oid: Entry(FILE, store.ledger.repo.write_blob(line))})
    damaged(git("commit-tree", tree, "-p", REF, "-m", "x\n\nClock: 2"))
    assert any(each.oid == snapshot.oid and "two notes" in each.what for each in store.verify())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("not json", "not an event"),
        ('{"clock":0,"type":"snapshot"}', "its clock is 0"),
        ('{"clock":2,"type":"trial","row":{"status":"keep"}}', "no exp id"),
        ('{"clock":2,"type":"trial","row":{"exp_id":"x","status":"nonsense"}}', "nonsense"),
        ('{"clock":2,"type":"task","task":{"score_field":"x"}}', "is not on the writer's first commit"),
        ('{"clock":2,"type":"cohort","name":"c"}', "does not match its commit"),
        (
            '{"clock":2,"type":"session","specialist":"s","prompt":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}',
            "prompt is not the one in its commit",
        ),
    ],
)
def test_a_line_that_says_something_wrong_is_found(store, git, line, said) -> None:
    """What is no event, and an event that its commit contradicts."""
    snapshot = store.append(row("000"))
    landing(git, line, clock=2, oid=snapshot.oid)
    assert any(each.oid == snapshot.oid and said in each.what for each in store.verify())


def test_a_note_on_a_commit_that_is_not_kept_alive_is_found(store, git) -> None:
    """A note that git's own command put on a commit which the ref does not reach."""
    store.append(row("000"))
    oid = git("commit-tree", git("hash-object", "-t", "tree", "-w", "--stdin", data=""), "-m", "loose")
    git("notes", "--ref=lineage/alice", "add", "-m", '{"clock":2,"type":"snapshot"}', oid)
    assert any(each.oid == oid and "does not keep it alive" in each.what for each in store.verify())


def test_trailers_that_no_event_agrees_with_are_found(store, git) -> None:
    """A snapshot that says it is of another trial, or of a cohort that nobody opened."""
    tree = git("hash-object", "-t", "tree", "-w", "--stdin", data="")
    oid = git("commit-tree", tree, "-m", "a lie\n\nExp-Id: 042\nCohort: elite")
    store.record(oid, row("000"))
    said = whats(store)
    assert "the snapshot's Exp-Id is '042', and no trial of that id is on it" in said
    assert "the snapshot's Cohort is 'elite', which nobody opened" in said


# -- caches --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE trials SET rank = 0.001 WHERE exp_id = '004'", "under trials what no event says"),
        ("DELETE FROM trials WHERE exp_id = '004'", "lacks under trials"),
        ("UPDATE snapshots SET subject = 'another'", "under snapshots"),
        ("DELETE FROM links", "lacks under links"),
        ("UPDATE meta SET value = 7 WHERE key = 'done'", "under settings"),
        ("UPDATE cohorts SET name = 'other'", "under cohorts"),
        ("UPDATE imported SET name = 'other'", "under imported snapshots"),
        ("INSERT INTO numbered VALUES ('lr', 7)", "under numbers after prefixes"),
        ("INSERT INTO relation_events VALUES ('a', 'b', 'c', 1, 'alice', 1, '', '', '{}')", "under relation events"),
    ],
)
def test_an_index_that_says_something_else_is_found(store, folder, sql, said) -> None:
    """A row that was changed, added or removed in the index's file."""
    fill(store)
    store.adopt([Adopted(name="theirs", source="elsewhere/1", document=b"{}")])
    store.close()
    with sqlite3.connect(index_file(folder)) as connection:
        connection.execute(sql)
    connection.close()
    with LineageStore(folder, writer="alice") as again:
        assert any(said in what for what in whats(again))
        again.reindex()
        assert again.verify() == []


def test_rows_are_compared_by_the_names_of_their_columns(store, folder) -> None:
    """A table that has its columns in another order says the same; what is wrong in it is told by name."""
    fill(store)
    store.close()
    oid = "1" * 40
    swapped = "CREATE TABLE swapped AS SELECT writer, last_used, total, oid FROM usage; DROP TABLE usage"
    with closing(sqlite3.connect(index_file(folder))) as connection:
        connection.executescript(f"{swapped}; ALTER TABLE swapped RENAME TO usage")
        with LineageStore(folder, writer="alice") as again:
            assert again.verify() == []
        connection.executescript(f"INSERT INTO usage VALUES ('al', '', 7, '{oid}')")
    with LineageStore(folder, writer="alice") as again:
        (finding,) = again.verify()
    assert finding.oid == oid
    assert f"under usage what no event says: oid {oid}, total 7, writer al" in finding.what


def test_no_table_is_left_out() -> None:
    """All that the index says is compared, but what depends on the order in which the events came."""
    compared = set(re.findall(r"FROM (\w+)", " ".join(_TABLES.values())))
    by_order = {
        "changed",  # which rows to read anew, in order
        "hints",  # may err on the careful side
        "joins",  # walks through unrecorded commits that were needed
        "passed",  # the same
    }
    assert not compared & by_order
    assert compared | by_order == TABLE_NAMES


@pytest.mark.parametrize("what", ["moved", "missing", "extra", "best"])
def test_a_wrong_derived_ref_is_found(store, git, what) -> None:
    """A derived ref that points elsewhere, is missing or should not be there."""
    fill(store)
    name = {"best": "best", "extra": "exp/nothing"}.get(what, "exp/000")
    if what == "missing":
        git("update-ref", "-d", f"refs/lineage/{name}")
    else:
        git("update-ref", f"refs/lineage/{name}", store.resolve("001"))
    found = whats(store)
    assert [each for each in found if f"the derived ref refs/lineage/{name} " in each] == found
    assert len(found) == 1


# -- signatures ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_commits_that_are_not_signed_by_their_owner_are_found(open_store, git, tmp_path, folder) -> None:
    """Alice signs, Bob does not, and Mallory signs with a key that is not hers to sign for Alice."""
    keys = {}
    for name in ("alice", "mallory"):
        keys[name] = tmp_path / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys[name])], check=True)
    alice = open_store()
    for key, value in {"gpg.format": "ssh", "user.signingKey": str(keys["alice"]), "lineage.sign": "true"}.items():
        git("config", key, value)
    alice.append(row("000"))
    public = Path(f"{keys['alice']}.pub").read_text().split()
    allowed = tmp_path / "allowed"
    allowed.write_text(f"alice {public[0]} {public[1]}\n")
    assert alice.verify(allowed_signers=allowed) == []
    git("config", "gpg.ssh.allowedSignersFile", str(allowed))
    assert alice.verify() == []
    git("config", "user.signingKey", str(keys["mallory"]))
    alice.append(row("001"))
    git("config", "lineage.sign", "false")
    open_store(writer="bob").append(row("b"))
    tips = alice.ledger.journal.tips()
    said = "the commit is not signed by anybody who may sign for {}".format
    assert alice.verify() == []
    assert alice.verify(allowed_signers=allowed) == [
        Finding("alice", tips["alice"], said("alice")),
        Finding("bob", tips["bob"], said("bob")),
    ]


def test_signatures_cannot_be_checked_without_a_file(store, git, tmp_path) -> None:
    """A file that is not there, or signing that is on and names none, is an error and no finding."""
    store.append(row("000"))
    with pytest.raises(SigningError, match="cannot read"):
        store.verify(allowed_signers=tmp_path / "nothing")
    git("config", "lineage.sign", "true")
    with pytest.raises(SigningError, match="allowedSigners"):
        store.verify()


def test_nothing_is_changed_by_looking(store, git, folder) -> None:
    """Verify mends nothing and writes nothing: refs and objects are as they were."""
    fill(store)
    git("update-ref", "refs/lineage/exp/nothing", store.resolve("001"))
    before = git("for-each-ref"), sorted(os.listdir(folder / ".git" / "objects" / "pack"))
    assert store.verify()
    assert (git("for-each-ref"), sorted(os.listdir(folder / ".git" / "objects" / "pack"))) == before


@pytest.mark.parametrize("when", ["1960-01-02T03:04:05Z", "1969-12-31T23:59:59.5+00:00", "0001-01-01T00:00:00Z"])
def test_dates_before_1970(store, when) -> None:
    """Git has no date before 1970: what is recorded at one says at once what an index that is built anew says."""
    store.append(row("001", timestamp=when))
    store.commit({"a": b"1"}, trial=row("002", timestamp=when))
    adopted = Adopted(name="x", source="s", document=b"{}", content={"a": b"2"}, subject="x")
    store.adopt([adopted])
    assert store.trial("001").timestamp == when
    said = {id: store.snapshot(id) for id in ("001", "002")}
    assert {each.time for each in said.values()} == {"1970-01-01T00:00:00Z"}
    assert store.verify() == []
    store.reindex()
    assert {id: store.snapshot(id) for id in said} == said


def test_a_clock_before_1970(open_store) -> None:
    """A machine whose clock was never set records what it can: the beginning of time as git knows it."""
    store = open_store(clock=lambda: datetime(1960, 1, 1))
    store.commit({"a": b"1"}, trial=row("001"))
    store.open_cohort("c", ["001"])
    assert store.verify() == []
