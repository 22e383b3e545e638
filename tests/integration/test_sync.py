"""Lineage between clones through a real bare remote: what goes, what comes, what is refused, and copied clones."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from openrange_stores import first
from places import ROOT

from gitlineage import Exchange, Invalid, LineageStore, RemoteError, RepositoryError, Trial, Watcher
from gitlineage.bridge.openrange import import_openrange
from gitlineage.git import maintenance
from gitlineage.sync.rehome import fresh_name, rehome

Git = Callable[..., str]
Opening = Callable[..., LineageStore]
NOTES = "refs/notes/lineage/"


class Listener(Watcher):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Hear a line."""
        self.notes.append(text)


@pytest.fixture
def remote(tmp_path: Path, git: Git) -> Path:
    """Return an empty bare repository."""
    place = tmp_path / "remote.git"
    git("init", "--quiet", "--bare", str(place), cwd=tmp_path)
    return place


@pytest.fixture
def alice(store: LineageStore, remote: Path, git: Git) -> LineageStore:
    """Return Alice's store with a baseline and the remote as origin."""
    git("remote", "add", "origin", str(remote))
    record(store, "first", 1.0, status="baseline")
    return store


@pytest.fixture
def bob(alice: LineageStore, remote: Path, tmp_path: Path) -> LineageStore:
    """Return Bob's clone, made after Alice has pushed."""
    alice.push()
    return LineageStore.clone(remote, tmp_path / "bob", writer="bob", identity=("Bob", "bob@example.org"))


def record(store: LineageStore, text: str, score: float, status: str = "keep") -> str:
    """Record a snapshot of one file with its trial and return its id."""
    trial = Trial(status=status, core_metric=score, hypothesis=text)
    return store.commit({"recipe.txt": text.encode()}, trial=trial).oid


def states(done: Exchange) -> dict[str, str]:
    """Return what became of each ref."""
    return {f"{each.direction} {each.writer}": each.state for each in done.outcomes}


def refs(git: Git, folder: Path) -> str:
    """Return every ref of a repository with where it points."""
    return git("for-each-ref", cwd=folder)


def texts(store: LineageStore) -> list[str]:
    """Return the hypotheses of all trials, sorted."""
    return sorted(trial.hypothesis for trial in store.all_trials())


def set_remote(git: Git, remote: Path, writer: str, oid: str | None) -> None:
    """Tamper with a writer's ref on the remote."""
    words = ["update-ref", NOTES + writer, oid] if oid else ["update-ref", "-d", NOTES + writer]
    git(*words, cwd=remote)


def copied(store: LineageStore, place: Path, open_store: Opening, writer: str | None = "alice") -> LineageStore:
    """Copy a whole clone, as a person would by hand, and open the copy under the same name."""
    shutil.copytree(store.root, place, symlinks=True)
    return open_store(place, writer=writer)


# -- the plain ways ----------------------------------------------------------------------------------------------------


def test_push_tells_what_went(alice: LineageStore, remote: Path, git: Git) -> None:
    """The own ref is pushed, new first, then as a fast-forward, and nothing else is."""
    (first,) = alice.push().outcomes
    assert (first.writer, first.direction, first.state) == ("alice", "push", "new")
    assert (first.trials, first.snapshots) == (1, 1)
    record(alice, "second", 0.9)
    record(alice, "third", 0.8)
    (second,) = alice.push().outcomes
    assert (second.state, second.trials, second.snapshots) == ("fast-forwarded", 2, 2)
    assert second.old == first.new
    assert states(alice.push()) == {"push alice": "up to date"}
    assert git("for-each-ref", "--format=%(refname) %(objectname)", cwd=remote) == f"{NOTES}alice {second.new}"


def test_pull_takes_what_others_pushed(alice: LineageStore, bob: LineageStore, git: Git) -> None:
    """A new writer's ref comes, then goes on as a fast-forward, then there is nothing more; both answer alike."""
    record(bob, "from bob", 0.9)
    assert states(bob.sync()) == {"pull alice": "up to date", "push bob": "new"}
    came = {each.writer: each for each in alice.pull().outcomes}["bob"]
    assert (came.state, came.trials, came.snapshots) == ("new", 1, 1)
    record(bob, "more from bob", 0.8)
    bob.push()
    came = {each.writer: each for each in alice.pull().outcomes}["bob"]
    assert (came.state, came.trials, came.snapshots) == ("fast-forwarded", 1, 1)
    assert set(states(alice.pull()).values()) == {"up to date"}
    assert alice.all_trials() == bob.all_trials()
    assert alice.best() == bob.best()
    git("fsck", "--strict", cwd=alice.root)


def test_a_clone_has_everything_and_no_trace_of_how(alice: LineageStore, bob: LineageStore, git: Git) -> None:
    """A clone answers at once, also without a branch; git's configuration is as git itself leaves it."""
    assert bob.all_trials() == alice.all_trials()
    fetches = git("config", "--get-all", "remote.origin.fetch", cwd=bob.root)
    assert fetches == "+refs/heads/*:refs/remotes/origin/*"
    assert bob.ledger.repo.config("lineage.remote") == "origin"


def test_a_dry_run_moves_no_ref(alice: LineageStore, bob: LineageStore, remote: Path, git: Git) -> None:
    """It says what would become of each ref, with the counts, and leaves all refs where they are."""
    record(alice, "second", 0.9)
    record(bob, "from bob", 0.8)
    bob.push()
    before = refs(git, alice.root), refs(git, remote), texts(alice)
    done = alice.sync(dry_run=True)
    assert done.dry_run
    assert states(done) == {"pull alice": "ahead", "pull bob": "new", "push alice": "fast-forwarded"}
    assert {each.state: (each.trials, each.snapshots) for each in done.outcomes}["new"] == (1, 1)
    assert (refs(git, alice.root), refs(git, remote), texts(alice)) == before
    assert states(alice.sync()) == states(done)


def test_nothing_recorded_is_nothing_to_push(folder: Path, remote: Path, git: Git) -> None:
    """A clone that never recorded gets no writer's name by pushing."""
    with LineageStore(folder) as store:
        git("remote", "add", "origin", str(remote))
        assert [(each.writer, each.state) for each in store.push().outcomes] == [("", "up to date")]
        assert store.ledger.own_writer() is None


def test_many_new_refs_come_without_a_file_each(alice: LineageStore, bob: LineageStore, remote: Path) -> None:
    """The refs of sixty new writers are put into git's packed list, and their trials are there."""
    with LineageStore(remote, writer="crowd") as crowd:
        oid = record(crowd, "one for all", 0.5)
        tip = crowd.ledger.journal.tips()["crowd"]
        for number in range(60):
            crowd.ledger.repo.set_ref(f"{NOTES}w{number:02}", tip)
    done = alice.pull()
    assert sum(each.state == "new" for each in done.outcomes) == 61
    assert not (alice.ledger.repo.commondir / NOTES / "w07").exists()
    assert alice.ledger.journal.tips()["w07"] == tip
    assert alice.snapshot(oid).trials[0].hypothesis == "one for all"


def test_status_is_by_what_was_last_seen(alice: LineageStore, bob: LineageStore, git: Git) -> None:
    """What is not pushed and what was fetched but not taken is counted without the network."""
    assert states(alice.remote_status()) == {"push alice": "up to date"}
    record(alice, "second", 0.9)
    (ahead,) = alice.remote_status().outcomes
    assert (ahead.state, ahead.trials, ahead.snapshots) == ("ahead", 1, 1)
    record(bob, "from bob", 0.8)
    bob.push()
    git("fetch", "--quiet", "origin", f"+{NOTES}*:refs/lineage/remotes/origin/*", cwd=alice.root)
    behind = {each.writer: each for each in alice.remote_status().outcomes}["bob"]
    assert (behind.state, behind.direction, behind.trials) == ("behind", "pull", 1)


def test_reindexing_forgets_no_remote(alice: LineageStore, git: Git) -> None:
    """The refs that remember where a remote stood survive a rebuild of everything derived."""
    alice.push()
    alice.reindex()
    assert git("rev-parse", "refs/lineage/remotes/origin/alice") == alice.ledger.journal.tips()["alice"]


def test_a_batch_is_ended_first(alice: LineageStore) -> None:
    """Nothing is exchanged from inside of a batch."""
    with alice.batch(), pytest.raises(RepositoryError, match="batch is open"):
        alice.push()


# -- which remote ------------------------------------------------------------------------------------------------------


def test_the_remote_that_is_meant(alice: LineageStore, remote: Path, git: Git) -> None:
    """Without a name it is the configured one, the only one, or origin; an unknown name is told the others."""
    git("remote", "rename", "origin", "hub")
    assert alice.push().remote == "hub"
    git("remote", "add", "backup", str(remote))
    with pytest.raises(RepositoryError, match=r"which remote.*backup, hub"):
        alice.push()
    alice.ledger.repo.set_config("lineage.remote", "backup")
    assert alice.push().remote == "backup"
    with pytest.raises(RepositoryError, match=r"no remote 'hib'.*backup, hub"):
        alice.push("hib")


def test_without_any_remote(store: LineageStore) -> None:
    """It is said how to add one; the status is no error."""
    with pytest.raises(RepositoryError, match="git remote add"):
        store.pull()
    assert store.remote_status() == Exchange(remote="")


def test_a_remote_by_path(alice: LineageStore, bob: LineageStore, remote: Path, git: Git) -> None:
    """A path or URL serves as well as a name, from any folder, and is remembered too."""
    git("remote", "remove", "origin")
    record(bob, "from bob", 0.9)
    bob.push()
    assert states(alice.pull(str(remote))) == {"pull alice": "up to date", "pull bob": "new"}
    assert states(alice.push(f"file://{remote}")) == {"push alice": "up to date"}
    assert states(alice.remote_status(str(remote)))["pull bob"] == "up to date"


def test_a_bare_store(alice: LineageStore, remote: Path, tmp_path: Path, open_store: Opening) -> None:
    """A repository without a working tree pulls, records and pushes."""
    alice.push()
    bare = LineageStore.clone(remote, tmp_path / "bare.git", bare=True, writer="robot")
    record(bare, "from a bare store", 0.7)
    assert states(bare.sync())["push robot"] == "new"
    alice.pull()
    assert texts(alice) == ["first", "from a bare store"]


def test_a_shallow_clone(alice: LineageStore, remote: Path, tmp_path: Path, git: Git, open_store: Opening) -> None:
    """A clone with the last commit of the branch alone gets all lineage and adds to it."""
    for text in ("one", "two"):
        git("commit", "--quiet", "--allow-empty", "-m", text)
        alice.record("HEAD", Trial(status="keep", core_metric=0.5, hypothesis=text))
    git("push", "--quiet", "origin", "HEAD:main")
    alice.push()
    git("clone", "--quiet", "--depth=1", "--branch=main", f"file://{remote}", str(tmp_path / "shallow"), cwd=tmp_path)
    shallow = open_store(tmp_path / "shallow", writer="carol")
    shallow.pull()
    assert texts(shallow) == ["first", "one", "two"]
    shallow.record("HEAD", Trial(status="keep", core_metric=0.4, hypothesis="from the shallow one", exp_id="s1"))
    assert states(shallow.push()) == {"push carol": "new"}
    alice.pull()
    assert texts(alice) == ["first", "from the shallow one", "one", "two"]


# -- a remote that fails -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["/nowhere/at/all.git", "git://127.0.0.1:1/x", "http://me:secret@127.0.0.1:1/x"])
def test_a_remote_that_is_not_there(alice: LineageStore, git: Git, address: str) -> None:
    """The error has git's own words and what to do, no password; all refs are as they were, and later it works."""
    before = refs(git, alice.root)
    for exchange in (alice.push, alice.pull, alice.sync):
        with pytest.raises(RemoteError) as caught:
            exchange(address)
        assert caught.value.message
        assert caught.value.hint in str(caught.value)
        assert "secret" not in str(caught.value)
    assert refs(git, alice.root) == before
    assert states(alice.sync()) == {"push alice": "new"}


def test_a_remote_that_declines(alice: LineageStore, remote: Path) -> None:
    """What the remote's hook says is the reason, without the control characters it has."""
    hook = remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nprintf 'not \\033[31mtoday\\033[0m\\n' >&2\nexit 1\n")
    hook.chmod(0o755)
    (outcome,) = alice.push().outcomes
    assert outcome.state == "refused"
    assert "pre-receive hook declined" in outcome.reason
    assert "today" in outcome.reason
    assert "\x1b" not in outcome.reason


def test_a_lock_that_a_killed_fetch_left(alice: LineageStore, bob: LineageStore) -> None:
    """It may be a living one's, so that nobody but a person removes it: the error names it and says so."""
    record(bob, "from bob", 0.9)
    bob.push()
    lock = alice.ledger.repo.commondir / "refs" / "lineage" / "remotes" / "origin" / "bob.lock"
    lock.touch()
    with pytest.raises(RemoteError, match=r"bob\.lock.*a killed one left that file: remove it"):
        alice.pull()
    lock.unlink()
    assert states(alice.pull())["pull bob"] == "new"


@pytest.mark.parametrize("status", [None, "crash", "keep"])
def test_an_id_that_others_have_too_gets_another_name(
    alice: LineageStore, bob: LineageStore, status: str | None
) -> None:
    """Whatever their trial is: the derived ref of ours is moved to its longer name by the pull that brings theirs."""
    bob.commit({"f": b"theirs"}, [], trial=Trial(exp_id="005", status=status, core_metric=0.5))
    bob.push()
    made = alice.commit({"f": b"mine"}, [], trial=Trial(exp_id="005", status="keep", core_metric=0.7))
    assert alice.ledger.repo.ref("refs/lineage/exp/005") == made.oid
    alice.pull()
    assert alice.ledger.repo.ref("refs/lineage/exp/005") is None
    assert alice.ledger.repo.ref("refs/lineage/exp/005@alice") == made.oid
    assert alice.verify() == []


def test_a_raw_parent_is_the_writers_own(alice: LineageStore, bob: LineageStore) -> None:
    """A cell that two writers' trials answer to means the same in every clone: the trial of whoever wrote it."""
    for store, metric in ((alice, 0.7), (bob, 0.6)):
        store.append(Trial(exp_id="005", status="keep", core_metric=metric))
    bob.append(Trial(exp_id="006", status="keep", core_metric=0.1, parent_exp="005"))
    for store in (alice, bob, alice, bob):
        store.sync()
    prompts = [
        store.render_prompt("x", raw_parents=True, session_timestamp="T").rendered_prompt for store in (alice, bob)
    ]
    assert prompts[0] == prompts[1]
    assert "exp_005@bob" in prompts[0]


def test_imported_snapshots_are_counted(alice: LineageStore, bob: LineageStore, tmp_path: Path) -> None:
    """A snapshot that came from another store is one, although nobody tried it."""
    first(tmp_path / "openrange")
    import_openrange(bob, tmp_path / "openrange")
    bob.push()
    (outcome,) = [each for each in alice.pull().outcomes if each.writer == "bob"]
    assert (outcome.trials, outcome.snapshots) == (0, 3)


@pytest.mark.parametrize("recorded", [0, 1], ids=["first push", "next push"])
def test_a_lock_that_a_killed_push_left_on_the_remote(alice: LineageStore, remote: Path, recorded: int) -> None:
    """It is nobody's here to remove: the push is refused with the file's name and what to do, and a pull goes on."""
    for _ in range(recorded):
        alice.push()
        record(alice, "one more", 0.8)
    lock = remote / "refs" / "notes" / "lineage" / "alice.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    (outcome,) = alice.push().outcomes
    assert outcome.state == "refused"
    assert "alice.lock': File exists; another git" in outcome.reason
    assert "remove that file" in outcome.reason
    assert "\n" not in outcome.reason
    assert lock.exists()
    assert [each.state for each in alice.sync().refused] == ["refused"]
    lock.unlink()
    assert states(alice.push()) == {"push alice": "fast-forwarded" if recorded else "new"}


def test_a_clone_of_nothing_leaves_nothing(tmp_path: Path) -> None:
    """A clone that fails leaves no folder; a folder with something in it is not touched."""
    with pytest.raises(RemoteError):
        LineageStore.clone(tmp_path / "no.git", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(Invalid, match="not empty"):
        LineageStore.clone(tmp_path / "no.git", tmp_path / "full")


# -- tampering ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["rewritten", "went back", "deleted"])
def test_tampering_is_refused_and_told_again(
    alice: LineageStore, bob: LineageStore, remote: Path, git: Git, how: str
) -> None:
    """Another's ref that was changed on the remote stays as it was here, every time, until that is accepted."""
    record(alice, "second", 0.9)
    alice.push()
    bob.pull()
    kept = bob.ledger.journal.tips()["alice"]
    first = git("rev-parse", f"{kept}~1", cwd=remote)
    forged = git("commit-tree", f"{first}^{{tree}}", "-p", first, "-m", "forged", cwd=remote)
    there = {"rewritten": forged, "went back": first, "deleted": None}[how]
    set_remote(git, remote, "alice", there)
    for _ in range(2):
        done = bob.pull()
        (refused,) = done.refused
        assert refused.writer == "alice"
        assert f"tampering: it {'was ' if how != 'went back' else ''}{how}" in refused.reason
        assert "--accept-rewrite alice" in refused.reason
        assert bob.ledger.journal.tips()["alice"] == kept
        assert texts(bob) == ["first", "second"]
    assert bob.pull(dry_run=True, accept_rewrite=["alice"]).refused == ()
    assert bob.ledger.journal.tips()["alice"] == kept
    done = bob.pull(accept_rewrite=["alice"])
    assert states(done)["pull alice"] == ("deleted" if there is None else "rewritten")
    assert bob.ledger.journal.tips().get("alice") == there
    assert texts(bob) == ([] if there is None else ["first"])
    assert "alice" not in {each.writer for each in bob.pull().refused}


def test_a_rewrite_of_nobody_cannot_be_accepted(alice: LineageStore) -> None:
    """A misspelt writer is an error that names those there are."""
    with pytest.raises(Invalid, match=r"no writer 'alicia'.*alice"):
        alice.pull(accept_rewrite=["alicia"])


def test_one_bad_ref_stops_no_other(alice: LineageStore, bob: LineageStore, remote: Path, git: Git) -> None:
    """Names that are no writer's, and refs to what is no commit, are refused; the rest comes."""
    record(bob, "from bob", 0.9)
    bob.push()
    blob = git("hash-object", "-w", "--stdin", cwd=remote, data="text")
    git("update-ref", f"{NOTES}blob", blob, cwd=remote)
    git("update-ref", f"{NOTES}a/b", bob.ledger.journal.tips()["bob"], cwd=remote)
    done = alice.pull()
    assert {each.writer for each in done.refused} == {"a/b", "blob"}
    assert set(alice.ledger.journal.tips()) == {"alice", "bob"}
    assert texts(alice) == ["first", "from bob"]


def test_status_survives_what_a_remote_made_of_a_ref(alice: LineageStore, bob: LineageStore, git: Git) -> None:
    """A ref that was last seen at something that is no commit is told, and the others are counted."""
    blob = git("hash-object", "-w", "--stdin", cwd=alice.root, data="text")
    git("update-ref", "refs/lineage/remotes/origin/blob", blob, cwd=alice.root)
    git("update-ref", "refs/lineage/remotes/origin/bob", blob, cwd=alice.root)
    git("update-ref", f"{NOTES}bob", alice.ledger.journal.begin("bob"), cwd=alice.root)
    record(alice, "second", 0.9)
    assert states(alice.remote_status()) == {"push alice": "ahead", "pull blob": "refused", "pull bob": "refused"}


def test_the_own_ref_lost_on_the_remote_is_put_back(alice: LineageStore, remote: Path, git: Git) -> None:
    """A push restores what was deleted or set back there, and says so."""
    alice.push()
    first = alice.ledger.journal.tips()["alice"]
    set_remote(git, remote, "alice", None)
    assert "deleted" in alice.pull().outcomes[0].reason
    (outcome,) = alice.push().outcomes
    assert (outcome.state, outcome.reason) == ("new", "")
    record(alice, "second", 0.9)
    alice.push()
    set_remote(git, remote, "alice", first)
    assert "went back" in alice.pull().outcomes[0].reason
    assert states(alice.push()) == {"push alice": "fast-forwarded"}


def test_the_own_ref_rewritten_on_the_remote(alice: LineageStore, remote: Path, git: Git) -> None:
    """It is refused as tampering by push and pull; accepted, what it lacks is kept under a fresh name."""
    alice.push()
    record(alice, "second", 0.9)
    alice.push()
    genesis = alice.ledger.journal.genesis("alice")
    forged = git("commit-tree", f"{genesis}^{{tree}}", "-p", genesis, "-m", "forged", cwd=remote)
    set_remote(git, remote, "alice", forged)
    record(alice, "third", 0.8)
    assert "tampering" in alice.push().refused[0].reason
    assert "tampering" in alice.pull().refused[0].reason
    assert alice.writer == "alice"
    assert states(alice.pull(accept_rewrite=["alice"])) == {"pull alice": "rehomed"}
    assert texts(alice) == ["first", "second", "third"]
    assert alice.writer != "alice"
    assert set(states(alice.push()).values()) == {"new"}


# -- copied clones -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("found_by", ["push", "pull", "sync"])
@pytest.mark.parametrize("writer", ["alice", None])
def test_a_copied_clone(
    alice: LineageStore, tmp_path: Path, open_store: Opening, git: Git, found_by: str, writer: str | None
) -> None:
    """The tail of the second one goes on under a fresh name, in this process too; told once, nothing lost."""
    alice.ledger.repo.set_config("lineage.writer", "alice")
    alice.push()
    listener = Listener()
    copy = copied(alice, tmp_path / "copy", open_store, writer)
    copy.ledger.watcher = listener
    record(alice, "by the first", 0.9)
    alice.push()
    oid = record(copy, "by the copy", 0.8)
    clocks = [event.event.clock for event in copy.ledger.journal.events("alice", copy.ledger.journal.tips()["alice"])]
    done = getattr(copy, found_by)()
    assert "rehomed" in {each.state for each in done.outcomes if each.writer == "alice"}
    fresh = copy.writer
    assert fresh.startswith("alice-") and copy.ledger.repo.config("lineage.writer") == fresh
    assert fresh in listener.notes[0] and len([note for note in listener.notes if "goes on under" in note]) == 1
    copy.push()
    assert texts(copy) == ["by the copy", "by the first", "first"]
    record(copy, "and on", 0.7)
    copy.sync()
    alice.sync()
    assert texts(alice) == texts(copy) == ["and on", "by the copy", "by the first", "first"]
    assert alice.writer == "alice"
    moved = [found.event.clock for found in copy.ledger.journal.events(fresh, copy.ledger.journal.tips()[fresh])]
    assert max(clocks) in moved
    git("gc", "--quiet", "--prune=now", cwd=copy.root)
    assert copy.files(oid) == {"recipe.txt": b"by the copy"}
    with LineageStore(copy.root, writer=writer) as again:
        assert again.writer == fresh


@pytest.mark.parametrize("mine", ["whole", "behind"])
def test_a_copy_is_renamed_once(alice: LineageStore, git: Git, tmp_path: Path, open_store: Opening, mine: str) -> None:
    """A second remote that keeps the old name, with this clone's events or older, renames and moves nothing again."""
    second = tmp_path / "second.git"
    git("init", "-q", "--bare", str(second), cwd=tmp_path)
    alice.push()
    copy = copied(alice, tmp_path / "copy", open_store)
    if mine == "behind":
        copy.push(str(second))
    record(alice, "by the first", 0.9)
    alice.push()
    record(copy, "by the copy", 0.8)
    if mine == "whole":
        copy.push(str(second))
    assert states(copy.pull("origin")) == {"pull alice": "rehomed"}
    fresh = copy.writer
    copy.push("origin")
    for turn in range(3):
        found = [each for place in (str(second), "origin") for each in copy.pull(place).outcomes]
        assert not {"rehomed", "refused"} & {each.state for each in found}, found
        if turn == 1:
            record(alice, "and on", 0.7)
            alice.push()
    assert copy.writer == fresh
    assert texts(copy) == ["and on", "by the copy", "by the first", "first"]
    told = [line for tip in [copy.ledger.journal.tips()[fresh]] for line in copy.ledger.journal.events(fresh, tip)]
    assert len(told) == 1
    assert copy.verify() == []


def test_copied_twice_and_back(alice: LineageStore, tmp_path: Path, open_store: Opening) -> None:
    """Copies of copies, found in either order, end with the same answers everywhere and no more names than clones."""
    alice.push()
    one = copied(alice, tmp_path / "one", open_store)
    two = copied(alice, tmp_path / "two", open_store)
    clones = [two, alice, one]
    for turn in range(3):
        for number, each in enumerate(clones):
            record(each, f"turn {turn} by {number}", 0.5)
        for each in clones:
            each.sync()
    three = copied(one, tmp_path / "three", open_store, None)
    three.ledger.repo.set_config("lineage.writer", one.writer)
    record(one, "after the copy", 0.4)
    record(three, "in the copy's copy", 0.3)
    clones.append(three)
    for _ in range(2):
        for each in clones:
            each.sync()
    wanted = sorted(
        ["first", "after the copy", "in the copy's copy", *(f"turn {a} by {b}" for a in range(3) for b in range(3))]
    )
    assert [texts(each) for each in clones] == [wanted] * 4
    assert len({each.writer for each in clones}) == 4
    assert {*alice.ledger.journal.tips()} == {each.writer for each in clones}
    assert [each.all_trials() for each in clones] == [alice.all_trials()] * 4


def test_the_remote_is_ahead_of_the_own_ref(alice: LineageStore, tmp_path: Path, open_store: Opening) -> None:
    """A copy that recorded nothing gets a fresh name before it does, since the old one is in use."""
    alice.push()
    copy = copied(alice, tmp_path / "copy", open_store)
    record(alice, "second", 0.9)
    alice.push()
    assert states(copy.pull()) == {"pull alice": "rehomed"}
    assert texts(copy) == ["first", "second"]
    record(copy, "by the copy", 0.8)
    assert set(states(copy.push())) == {f"push {copy.writer}"}
    assert copy.writer != "alice"


def test_a_rehoming_that_was_killed_is_finished(
    alice: LineageStore, tmp_path: Path, open_store: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repeated after a death at any of its steps, it ends with one fresh writer and every event once."""
    alice.push()
    record(alice, "by the first", 0.9)
    for step in ("set_config", "move_ref"):
        copy = copied(alice, tmp_path / step, open_store)
        alice_tip = alice.ledger.journal.tips()["alice"]
        record(copy, f"by the copy {step}", 0.8)
        record(alice, f"meanwhile {step}", 0.7)
        alice.push()
        tip = copy.ledger.journal.tips()["alice"]
        assert tip != alice_tip
        dying(copy, step, monkeypatch)
        with pytest.raises(KeyboardInterrupt):
            copy.push()
        monkeypatch.undo()
        with LineageStore(copy.root, writer="alice") as again:
            again.sync()
            fresh = again.writer
            assert fresh == fresh_name("alice", tip)
            assert set(again.ledger.journal.tips()) - {"alice"} == {fresh}
            assert texts(again).count(f"by the copy {step}") == 1
            assert len(list(again.ledger.journal.events(fresh, again.ledger.journal.tips()[fresh]))) == 1
            assert again.ledger.journal.tips()["alice"] == alice.ledger.journal.tips()["alice"]
        alice.ledger.repo.set_ref(NOTES + fresh, None)
        git_remote = LineageStore(alice.ledger.repo.config("remote.origin.url") or "", create=False)
        git_remote.ledger.repo.set_ref(NOTES + fresh, None)
        git_remote.close()


def dying(store: LineageStore, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a store's process die where it is about to take a step on the old name."""
    real = getattr(store.ledger.repo, step)

    def die(name: str, *rest: object, **more: object) -> object:
        if name.startswith(("lineage.alice", f"{NOTES}alice")) and name in ("lineage.alice.successor", f"{NOTES}alice"):
            raise KeyboardInterrupt
        return real(name, *rest, **more)

    monkeypatch.setattr(store.ledger.repo, step, die)


def test_another_process_goes_on_under_the_fresh_name(alice: LineageStore, tmp_path: Path, open_store: Opening) -> None:
    """A store that was open all the while records nothing under the old name, nor again what was moved."""
    alice.push()
    copy = copied(alice, tmp_path / "copy", open_store)
    beside = open_store(copy.root)
    record(beside, "by the copy", 0.8)
    record(alice, "by the first", 0.9)
    alice.push()
    copy.push()
    record(beside, "later", 0.7)
    assert beside.writer == copy.writer != "alice"
    assert copy.ledger.journal.tips()["alice"] == alice.ledger.journal.tips()["alice"]
    assert texts(copy) == ["by the copy", "by the first", "first", "later"]


def test_a_dry_run_names_the_fresh_writer(alice: LineageStore, tmp_path: Path, open_store: Opening, git: Git) -> None:
    """Nothing moves, and it is the name that the real one takes."""
    alice.push()
    copy = copied(alice, tmp_path / "copy", open_store)
    record(alice, "by the first", 0.9)
    alice.push()
    record(copy, "by the copy", 0.8)
    before = refs(git, copy.root)
    told = copy.push(dry_run=True).outcomes[0]
    assert (told.state, refs(git, copy.root), copy.writer) == ("rehomed", before, "alice")
    copy.push()
    assert copy.writer in told.reason


def test_rehoming_keeps_rows_without_an_own_snapshot(alice: LineageStore, tmp_path: Path, open_store: Opening) -> None:
    """What sits on no snapshot moves too, and what was moved stays readable after the old ref is gone."""
    alice.push()
    copy = copied(alice, tmp_path / "copy", open_store)
    copy.open_cohort("ideas", ["000"], why="to see")
    copy.render_prompt("seed", record=True)
    record(alice, "by the first", 0.9)
    alice.push()
    copy.sync()
    assert copy.cohort("ideas").metadata == {"why": "to see"}
    assert copy.cohort("ideas").writer == copy.writer
    tip = copy.ledger.journal.tips()["alice"]
    assert rehome(copy.ledger, "alice", tip) == copy.writer


# -- a plain git fetch and git push --------------------------------------------------------------------------------


def test_plain_git_carries_lineage(alice: LineageStore, bob: LineageStore, git: Git) -> None:
    """After attaching, git's own fetch and push bring and take lineage, unpushed records disturb neither."""
    for store in (alice, bob):
        store.attach("origin")
        git("commit", "--quiet", "--allow-empty", "-m", "code", cwd=store.root)
    record(bob, "from bob", 0.9)
    git("push", "--quiet", "origin", "HEAD:refs/heads/bobs", cwd=bob.root)
    git("push", "--quiet", cwd=bob.root)
    record(alice, "not pushed", 0.8)
    git("fetch", "--quiet")
    git("fetch", "--quiet", "--prune")
    assert texts(alice) == ["first", "from bob", "not pushed"]
    record(bob, "more from bob", 0.7)
    git("push", "--quiet", cwd=bob.root)
    git("fetch", "--quiet")
    assert texts(alice) == ["first", "from bob", "more from bob", "not pushed"]
    assert states(alice.sync()) == {
        "pull alice": "ahead",
        "pull bob": "up to date",
        "push alice": "fast-forwarded",
    }


def test_attaching_keeps_what_is_there(folder: Path, remote: Path, git: Git, open_store: Opening) -> None:
    """It adds what is missing, once; refspecs of the user stay, and a writer without records can be pushed."""
    store = open_store()
    git("remote", "add", "origin", str(remote))
    git("config", "--add", "remote.origin.push", "refs/heads/mine:refs/heads/theirs")
    store.attach("origin")
    once = git("config", "--local", "--list")
    store.attach("origin")
    assert git("config", "--local", "--list") == once
    assert git("config", "--get-all", "remote.origin.push").splitlines() == [
        "refs/heads/mine:refs/heads/theirs",
        f"{NOTES}alice:{NOTES}alice",
    ]
    git("commit", "--quiet", "--allow-empty", "-m", "code")
    git("branch", "mine")
    git("push", "--quiet", "origin")
    assert git("for-each-ref", "--format=%(refname)", cwd=remote).split() == ["refs/heads/theirs", f"{NOTES}alice"]
    record(store, "later", 1.0, status="baseline")
    git("push", "--quiet", "origin")
    with pytest.raises(RepositoryError, match="no remote 'hub'"):
        store.attach("hub")


def test_pruning_leaves_the_own_ref(alice: LineageStore, git: Git) -> None:
    """A plain fetch that prunes does not take what was never pushed; that it may take others' is told."""
    git("config", "fetch.prune", "true")
    alice.ledger.watcher = listener = Listener()
    alice.attach("origin")
    git("fetch", "--quiet", "--prune", "origin")
    assert texts(alice) == ["first"]
    assert any("prune" in said for said in listener.notes)


def test_plain_git_follows_the_fresh_name(
    alice: LineageStore, remote: Path, tmp_path: Path, open_store: Opening, git: Git
) -> None:
    """After a copied clone was told apart, plain git pushes the fresh writer's ref and fetches the old one."""
    alice.attach("origin")
    git("commit", "--quiet", "--allow-empty", "-m", "code")
    git("push", "--quiet")
    copy = copied(alice, tmp_path / "copy", open_store)
    record(alice, "by the first", 0.9)
    git("push", "--quiet")
    record(copy, "by the copy", 0.8)
    copy.pull()
    git("push", "--quiet", cwd=copy.root)
    record(alice, "more by the first", 0.7)
    git("push", "--quiet")
    git("fetch", "--quiet", cwd=copy.root)
    git("fetch", "--quiet")
    assert texts(alice) == texts(copy) == ["by the copy", "by the first", "first", "more by the first"]


def test_a_hook_that_pushes_lineage_does_not_loop(alice: LineageStore, remote: Path, git: Git) -> None:
    """Our push runs no hook of the user's; a plain push with the shipped hook takes the lineage along."""
    shipped = ROOT / "hooks" / "pre-push"
    shutil.copy(shipped, alice.ledger.repo.commondir / "hooks" / "pre-push")
    assert states(alice.push()) == {"push alice": "new"}
    record(alice, "second", 0.9)
    git("commit", "--quiet", "--allow-empty", "-m", "code")
    git("config", "lineage.writer", "alice")
    git("config", "lineage.program", str(Path(sys.executable).with_name("gitlineage")))
    git("push", "--quiet", "origin", "HEAD:main")
    assert git("rev-parse", f"{NOTES}alice", cwd=remote) == alice.ledger.journal.tips()["alice"]
    assert states(alice.push()) == {"push alice": "up to date"}


@pytest.mark.parametrize("packs", [True, False])
def test_refs_of_many_writers_are_packed(
    tmp_path: Path, remote: Path, git: Git, monkeypatch: pytest.MonkeyPatch, packs: bool
) -> None:
    """A pull from many leaves a few files of refs, and all of them to plain git; who wants none packed has none."""
    monkeypatch.setattr(maintenance, "MANY_REFS", 5)
    for number in range(8):
        with LineageStore(tmp_path / "all", writer=f"w{number}", identity=("A", "a@example.org")) as store:
            store.commit({"f": b"%d" % number}, trial=Trial(status="keep", core_metric=1 + number))
            git("push", "-q", str(remote), f"{NOTES}w{number}", cwd=tmp_path / "all")
    root = tmp_path / "reader"
    with LineageStore(root, writer="reader", identity=("R", "r@example.org")) as store:
        git("remote", "add", "origin", str(remote), cwd=root)
        git("config", "gc.packRefs", str(packs).lower(), cwd=root)
        store.pull()
        seen = git("for-each-ref", "--format=%(refname)", "refs/lineage/remotes", cwd=root).split()
        assert len(seen) == 8
        files = [path for path in (root / ".git" / "refs" / "lineage").rglob("*") if path.is_file()]
        assert (len(files) < 5) == packs
        assert {outcome.state for outcome in store.pull().outcomes} == {"up to date"}
        assert store.verify() == []
