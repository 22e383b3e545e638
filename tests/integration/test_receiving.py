"""What a server's pre-receive takes and refuses, by real pushes to a bare repository with the script installed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from places import ROOT

from gitlineage import LineageStore, Task, Trial
from gitlineage.bounds import MAX_NOTE
from gitlineage.bridge.hooks import install
from gitlineage.bridge.hooks.server import Update, read_updates
from gitlineage.git.formats import FILE, TREE, Entry, Identity
from gitlineage.git.notes import NotesTrees
from gitlineage.git.repository import GitRepo, init_repository
from gitlineage.journal import events
from gitlineage.journal.journal import Append, Journal
from gitlineage.model.message import compose
from gitlineage.model.namespace import DEFAULT

REF = f"{DEFAULT.notes}alice"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WHO = Identity("Mallory", "mallory@example.org")
Push = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def server(tmp_path: Path) -> GitRepo:
    """A bare repository with pre-receive installed."""
    program = tmp_path / "bin" / "gitlineage"
    program.parent.mkdir()
    top = ROOT
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{top}" exec "{sys.executable}" -m gitlineage "$@"\n')
    program.chmod(0o755)
    init_repository(tmp_path / "server.git", bare=True)
    repo = GitRepo(tmp_path / "server.git")
    install.install(repo, command=program)
    return repo


@pytest.fixture
def push(folder: Path, server: GitRepo) -> Push:
    """Push from the test's repository to the server and return all there is to know about it."""

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        command = ["git", "push", "--quiet", str(server.gitdir), *words]
        return subprocess.run(
            command, cwd=folder, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture
def refused(push: Push, server: GitRepo) -> Callable[..., str]:
    """Push what must be refused and return the reasons; the server is as it was, objects and all."""

    def run(*words: str) -> str:
        def there() -> tuple[dict[str, str], int]:
            files = [path for path in (server.gitdir / "objects").rglob("*") if path.is_file()]
            return GitRepo(server.gitdir).refs("refs/"), len(files)

        before = there()
        done = push(*words)
        assert done.returncode == 1, done.stderr
        assert there() == before
        prefix = "remote: gitlineage: "
        said = [line.strip() for line in done.stderr.splitlines() if line.startswith("remote:") and line != "remote: "]
        assert said and all(line.startswith(prefix) for line in said), done.stderr
        return "\n".join(line.removeprefix(prefix) for line in said)

    return run


def taken(done: "subprocess.CompletedProcess[str]") -> bool:
    """Whether a push was taken without a word."""
    assert done.returncode == 0, done.stderr
    return done.stderr == ""


def forged(
    store: LineageStore,
    notes: dict[str, bytes] | None = None,
    tree: str | None = None,
    parents: tuple[str, ...] | None = None,
) -> str:
    """Put the writer's ref on a commit that the store itself would not make; return the ref."""
    repo = store.ledger.repo
    tip = repo.ref(REF)
    journal = Journal(repo)
    if tree is None:
        base = repo.commit(tip).tree if tip else repo.empty_tree()
        tree = NotesTrees(repo).put(base, notes or {})
    above = parents if parents is not None else ((tip,) if tip else (journal.genesis("alice"),))
    message = compose("Forge", [("Clock", "9")])
    moment = NOW
    repo.set_ref(REF, repo.write_commit(tree, above, message, WHO, moment))
    return REF


def line(exp_id: str = "007", clock: int = 7, **cells: str) -> bytes:
    """Return the event of a row."""
    row = {"exp_id": exp_id, "status": "keep", **cells}
    return events.encode(events.TrialEvent(row=row, clock=clock)) + b"\n"


# -- what is taken -----------------------------------------------------------------------------------------


def test_honest_pushes_are_taken(store: LineageStore, push: Push, server: GitRepo) -> None:
    """A first push, an append, a big batch and a cohort come in without a word, loose or packed."""
    first = store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    assert taken(push(REF))
    store.record(first.oid, Trial(status="keep", core_metric=0.9, exp_id="001"))
    store.open_cohort("ideas", [first.oid])
    assert taken(push(REF))
    with store.batch():
        for at in range(700):
            store.commit({"a": b"%d" % at}, [first.oid], trial=Trial(status="discard", core_metric=2.0))
    assert taken(push(REF))
    assert GitRepo(server.gitdir).ref(REF) == store.ledger.repo.ref(REF)
    with LineageStore(server.gitdir, create=False) as there:
        assert len(there.all_trials()) == 702


def test_two_writers(store: LineageStore, open_store: Callable[..., LineageStore], push: Push) -> None:
    """Several writers' refs and a branch may come in one push."""
    made = store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    open_store(writer="bob").record(made.oid, Trial(status="keep", core_metric=0.9))
    assert taken(push(REF, f"{DEFAULT.notes}bob", f"{made.oid}:refs/heads/main"))


def test_other_refs_are_left_alone(store: LineageStore, push: Push, refused: Callable[..., str]) -> None:
    """Branches may be rewritten and deleted, other notes too, and large files are theirs to have."""
    store.ledger.repo.set_config("lineage.maxFileSize", "1m")
    big = store.ledger.repo.write_tree({"big": Entry(FILE, store.ledger.repo.write_blob(b"x" * (51 << 20)))})
    one = store.ledger.repo.write_commit(big, [], "one\n", WHO, NOW)
    two = store.ledger.repo.write_commit(store.ledger.repo.empty_tree(), [], "two\n", WHO, NOW)
    assert taken(push(f"{one}:refs/heads/main", f"{one}:refs/notes/commits", f"{one}:refs/notes/lineages"))
    assert taken(push("--force", f"{two}:refs/heads/main", f"{two}:refs/notes/commits"))
    assert taken(push("--delete", "refs/heads/main", "refs/notes/commits"))


# -- refs --------------------------------------------------------------------------------------------------


def test_deletes_and_rewrites_are_refused(store: LineageStore, push: Push, refused: Callable[..., str]) -> None:
    """A writer's ref only grows, along first parents."""
    store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    genesis_tip = store.ledger.repo.ref(REF)
    store.commit({"a": b"2"}, trial=Trial(status="keep", core_metric=0.9))
    push(REF)
    tip = store.ledger.repo.ref(REF)
    assert "a writer's ref is not deleted" in refused("--delete", REF)
    assert "is not among its first parents" in refused("--force", f"{genesis_tip}:{REF}")
    forged(store, parents=(genesis_tip,))
    assert "it was rewritten" in refused("--force", REF)
    forged(store, parents=(genesis_tip, tip))
    assert "it was rewritten" in refused(REF), "the old tip as a second parent"


def test_a_delete_may_be_allowed(store: LineageStore, push: Push, server: GitRepo, refused: Callable[..., str]) -> None:
    """Git config lineage.allowDelete names the writers whose refs may go."""
    store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    push(REF)
    server.set_config("lineage.allowDelete", "bob")
    assert "is not deleted" in refused("--delete", REF)
    server.set_config("lineage.allowDelete", "bob ali*")
    assert taken(push("--delete", REF))


def test_an_archive_may_replace_a_writers_ref(store: LineageStore, push: Push, refused: Callable[..., str]) -> None:
    """A ref goes where an archive has its tip and all its events, in the same push; not where it lacks one."""
    repo, journal, trees = store.ledger.repo, store.ledger.journal, NotesTrees(store.ledger.repo)
    made = store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    store.set_task(Task(score_field="loss"), force=True)
    push(REF)
    tip = repo.ref(REF)
    archive = f"{DEFAULT.notes}archive-bob"
    kept: dict[str, list[bytes]] = {}
    for found in journal.events("alice", tip):
        place = journal.genesis("archive-bob") if found.oid == journal.genesis("alice") else found.oid
        cells = events.encode(found.event).removesuffix(b"}") + b',"writer":"alice"}'
        kept.setdefault(place, []).append(events.encode(events.decode(cells)) + b"\n")

    def archived(notes: dict[str, list[bytes]]) -> None:
        Journal(repo).land(
            Append(writer="archive-bob", tip=None, lines=[], clock=0, subject="x", identity=WHO, moment=NOW)
        )
        tree = trees.put(repo.empty_tree(), {oid: b"".join(lines) for oid, lines in notes.items()})
        message = compose("Archive 1 writer", [("Archived", f"alice {tip}"), ("Clock", "2")])
        above = [journal.genesis("archive-bob"), tip]
        repo.set_ref(archive, repo.write_commit(tree, above, message, WHO, NOW))

    archived({oid: lines for oid, lines in kept.items() if oid != made.oid})
    assert "is not deleted" in refused(archive, f":{REF}")
    repo.set_ref(archive, None)
    archived(kept)
    assert taken(push("--atomic", archive, f":{REF}"))


@pytest.mark.parametrize("name", ["a/b", "-x", "é", "x" * 101])
def test_names_that_are_no_writers(store: LineageStore, refused: Callable[..., str], name: str) -> None:
    """Only a writer's name may follow the prefix."""
    store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    assert "names no writer" in refused(f"{REF}:{DEFAULT.notes}{name}")


def test_where_a_ref_begins(store: LineageStore, refused: Callable[..., str]) -> None:
    """A new ref begins at its own writer's first commit, not at another's and not anywhere else."""
    made = store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    assert "does not begin at its writer's first commit" in refused(f"{REF}:{DEFAULT.notes}bob")
    assert "does not begin at its writer's first commit" in refused(f"{made.oid}:{DEFAULT.notes}bob")
    blob = store.ledger.repo.write_blob(b"x")
    assert "is a blob, not a commit" in refused(f"{blob}:{DEFAULT.notes}bob")
    assert "names no writer" in refused(f"{REF}:refs/notes/lineage")


# -- notes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        (b"hello\n", "not an event"),
        (line() + b'{"type":"nonsense","clock":3}\n', "not an event"),
        (line(clock=0), "its clock is 0"),
        (line(clock=2**30), "the clock 1,073,741,824 is beyond"),
        (line().replace(b"{", b'{"writer":"bob",', 1), "bob"),
        (line(metric="x").replace(b'"keep"', b'"great"'), "great"),
        (
            b"x" * (events.MAX_LINE + 1) + b"\n",
            "limit of 1,048,576",
        ),
        (line() * (MAX_NOTE // len(line()) + 1), "over the limit of 16,777,216"),
    ],
    ids=["text", "unknown type", "no clock", "clock ahead", "of another writer", "bad row", "long event", "large note"],
)
def test_notes_that_are_no_events(
    store: LineageStore, refused: Callable[..., str], push: Push, note: bytes, reason: str
) -> None:
    """Every line of a note is an event of at most 1 MiB and the note has at most 16 MiB; what was there is not told."""
    made = store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    push(REF)
    before = store.ledger.journal.note(store.ledger.repo.ref(REF), made.oid)
    told = refused(forged(store, {made.oid: before + note}))
    assert reason in told
    assert f"note on {made.oid[:12]}" in told
    assert len(told.splitlines()) == 1


def test_a_bad_line_further_back(store: LineageStore, refused: Callable[..., str]) -> None:
    """A commit between counts too, even where the last one has the line no more."""
    made = store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    good = store.ledger.journal.note(store.ledger.repo.ref(REF), made.oid)
    forged(store, {made.oid: good + b"bad\n"})
    forged(store, {made.oid: good})
    assert "not an event" in refused(REF)


def test_entries_that_are_no_notes(store: LineageStore, refused: Callable[..., str]) -> None:
    """Names that are no part of an oid, folders of a fan-out that git does not make, and other modes are refused."""
    repo = store.ledger.repo
    store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    tip = repo.ref(REF)
    good = repo.read_tree(repo.commit(tip).tree)
    blob = repo.write_blob(line())
    deep = repo.write_tree({"cd" * 19: Entry(FILE, blob)})
    cases = {
        "README": Entry(FILE, blob),
        "ab" * 19: Entry(FILE, blob),
        "AB" * 20: Entry(FILE, blob),
        "abc": Entry(TREE, repo.write_tree({"d" * 37: Entry(FILE, blob)})),
        "zz": Entry(TREE, deep),
        "ab" * 20: Entry(0o120000, blob),
        "cd" * 20: Entry(0o160000, tip),
        "..": Entry(FILE, blob),
        "ab\x1b[31m": Entry(FILE, blob),
    }
    for name, entry in cases.items():
        repo.set_ref(REF, tip)
        told = refused(forged(store, tree=repo.write_tree({**good, name: entry})))
        assert "which is no place for a note" in told
        assert "\x1b[31m" not in told


def test_a_tree_without_end(store: LineageStore, refused: Callable[..., str]) -> None:
    """A tree whose folders are all one and the same is refused at once, though it stands for 256 to the 19th notes."""
    repo = store.ledger.repo
    store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    tree = repo.write_tree({"ab": Entry(FILE, repo.write_blob(line()))})
    for _ in range(19):
        tree = repo.write_tree({f"{at:02x}": Entry(TREE, tree) for at in range(256)})
    told = refused(forged(store, tree=tree)).splitlines()
    assert "is there twice" in told[0]
    assert "there may be more" in told[-1]
    assert len(told) < 30


def test_many_breaches(store: LineageStore, refused: Callable[..., str]) -> None:
    """Not more than twenty are told of one ref."""
    made = store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    told = refused(forged(store, {made.oid: b"bad\n" * 1000})).splitlines()
    assert len(told) == 21


# -- snapshots ---------------------------------------------------------------------------------------------


def test_large_files(store: LineageStore, push: Push, server: GitRepo, refused: Callable[..., str]) -> None:
    """A file of a new snapshot over the server's limit is refused by name; one that is there already is not."""
    store.commit({"old": b"y" * 3000}, trial=Trial(status="baseline", core_metric=1.0))
    push(REF)
    server.set_config("lineage.maxFileSize", "2k")
    store.commit({"old": b"y" * 3000, "fine": b"z" * 2048}, ["000"], trial=Trial(status="keep", core_metric=0.9))
    assert taken(push(REF))
    store.commit({"sub/new": b"x" * 2049}, ["000"], trial=Trial(status="keep", core_metric=0.8))
    told = refused(REF)
    assert told == (
        f"{REF}: 'sub/new' of a snapshot has 2,049 bytes, over the limit of 2,048 "
        "(git config lineage.maxFileSize on the server)"
    )


# -- signatures --------------------------------------------------------------------------------------------


def forget(store: LineageStore) -> None:
    """Delete all that alice recorded, which takes the ref that would put it back too."""
    for ref in (REF, DEFAULT.kept("alice")):
        store.ledger.repo.set_ref(ref, None)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")
def test_signers(store: LineageStore, push: Push, server: GitRepo, refused: Callable[..., str], tmp_path: Path) -> None:
    """With a list of allowed signers, every new commit of a writer's ref is signed by its owner and nobody else."""
    keys = {}
    for name in ("alice", "bob"):
        keys[name] = tmp_path / name
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(keys[name])]
        subprocess.run(command, check=True)
    allowed = tmp_path / "allowed"
    allowed.write_text("".join(f"{name} {Path(f'{key}.pub').read_text()}" for name, key in keys.items()))
    server.set_config("lineage.allowedSigners", str(allowed))
    store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    assert "is not signed by alice" in refused(REF)
    forget(store)
    for key, value in {"gpg.format": "ssh", "lineage.sign": "true", "user.signingKey": str(keys["bob"])}.items():
        store.ledger.repo.set_config(key, value)
    other = LineageStore(store.root, writer="alice", identity=("Alice", "alice@example.org"))
    other.commit({"a": b"2"}, trial=Trial(status="baseline", core_metric=1.0))
    assert "is not signed by alice" in refused(REF)
    forget(store)
    store.ledger.repo.set_config("user.signingKey", str(keys["alice"]))
    mine = LineageStore(store.root, writer="alice", identity=("Alice", "alice@example.org"))
    mine.commit({"a": b"3"}, trial=Trial(status="baseline", core_metric=1.0))
    assert taken(push(REF))
    server.set_config("lineage.allowedSigners", str(tmp_path / "gone"))
    mine.commit({"a": b"4"}, trial=Trial(status="keep", core_metric=0.9))
    done = push(REF)
    assert done.returncode == 1
    assert "cannot read the allowed-signers file" in done.stderr


# -- the script --------------------------------------------------------------------------------------------


def test_without_the_program_nothing_is_taken(store: LineageStore, push: Push, server: GitRepo) -> None:
    """A server that cannot check refuses, and says why in one line."""
    store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    server.set_config("lineage.program", "/nowhere/gitlineage")
    command = ["git", "push", "--quiet", str(server.gitdir), REF]
    done = subprocess.run(
        command,
        cwd=store.root,
        env={"PATH": "/usr/bin:/bin", "HOME": os.environ["HOME"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no program gitlineage on this server, so nothing is taken" in done.stderr
    assert GitRepo(server.gitdir).refs("refs/") == {}


def test_our_own_pushes_are_checked_too(store: LineageStore, server: GitRepo) -> None:
    """The variable that keeps client hooks quiet does not reach past the server's."""
    store.commit({"a": b"1"}, trial=Trial(status="baseline", core_metric=1.0))
    command = ["git", "push", "--quiet", str(server.gitdir), f"{REF}:{DEFAULT.notes}bob"]
    inside = {**os.environ, "GITLINEAGE_INSIDE": "1"}
    assert subprocess.run(command, cwd=store.root, env=inside, capture_output=True, check=False).returncode == 1


def test_read_updates() -> None:
    """Lines of git are three words; anything else is none of them."""
    given = [f"{'0' * 40} {'1' * 40} refs/heads/a b\n", "", "x y"]
    assert read_updates(given) == [Update("0" * 40, "1" * 40, "refs/heads/a b")]
