"""gitlineage.sync.archives: many writers' refs as one archive, with no answer changed, wherever it is interrupted."""

import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from answers import answers
from conftest import Clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from places import ROOT, SUPPORT

from gitlineage import Invalid, LineageStore, NotFound, Task, Trial
from gitlineage.errors import GitFailed
from gitlineage.git.formats import Identity
from gitlineage.index.index import Index
from gitlineage.journal.events import SnapshotEvent, TrialEvent, encode
from gitlineage.journal.journal import Append, Journal, Problem, Recorded, check_writer, decode_note
from gitlineage.model.namespace import DEFAULT
from gitlineage.sync.archives import consolidate, idle, push

WHO = ("Alice", "alice@example.org")


def opened(folder: Path, writer: str, clock: Clock | None = None) -> LineageStore:
    """A writer's store with a fixed identity and clock."""
    return LineageStore(folder, writer=writer, identity=WHO, clock=clock or Clock())


def record(folder: Path, writer: str, exp_id: str, metric: float = 2.0, **cells: object) -> str:
    """Record one trial of a writer and return its snapshot."""
    with opened(folder, writer) as store:
        row = Trial(exp_id=exp_id, status="keep", core_metric=metric, **cells)  # type: ignore[arg-type]
        return store.commit({"f": f"{writer} {exp_id}".encode()}, trial=row).oid


def lineage_refs(store: LineageStore) -> list[str]:
    """The names of the writers' refs as git lists them."""
    return sorted(store.ledger.journal.tips())


def rebuilt(store: LineageStore) -> dict:
    """What the store answers after everything was read anew from git."""
    store.reindex()
    return answers(store)


ACTIONS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["commit", "pending", "revise", "replicate", "cohort", "append", "task", "session"]),
        st.integers(0, 5),
        st.sampled_from(["keep", "discard", "baseline", "crash", "harness_abort"]),
        st.integers(1, 6),
    ),
    min_size=1,
    max_size=14,
)


def fetch(here: Path, there: Path) -> None:
    """Fetch all writers' refs of another repository by plain git, where they are ahead."""
    words = ["git", "fetch", "-q", str(there), f"{DEFAULT.notes}*:{DEFAULT.notes}*"]
    subprocess.run(words, cwd=here, check=True, capture_output=True)


def play(stores: list[LineageStore], actions: list[tuple]) -> None:
    """Do what the actions say; what a store refuses is left undone."""
    for who, what, which, status, metric in actions:
        store = stores[who]
        known = [view.oid for view in store.log(None)]
        row = Trial(exp_id=f"{which:03d}", status=status, core_metric=metric, specialist=f"s{who}", hypothesis=what)
        parents = [known[which % len(known)]] if known else []
        try:
            if what == "commit":
                store.commit({"f": b"%d%d" % (who, metric)}, parents, trial=row)
            elif what == "pending":
                store.commit({"f": b"%d" % metric}, parents, trial=Trial(exp_id=row.exp_id, hypothesis="later"))
            elif what == "revise" and known:
                store.record(parents[0], row.replace(exp_id="*"), revise=True)
            elif what == "replicate" and known:
                store.record(parents[0], row)
            elif what == "cohort":
                store.commit({"f": b"c"}, parents, trial=row.replace(exp_id="*"), cohort=f"c{which % 2}")
            elif what == "append":
                store.append(row)
            elif what == "task":
                store.set_task(Task(lower_is_better=metric % 2 == 0), force=True)
            elif what == "session":
                store.render_prompt(f"s{who}", record=True)
        except Exception as error:  # refusals are part of a campaign
            assert type(error).__module__ == "gitlineage.errors", error


class TestAnswers:
    """No answer changes."""

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(ACTIONS, ACTIONS, st.sets(st.integers(0, 2), min_size=1))
    def test_answers_before_are_answers_after(self, before: list, after: list, done: set[int]) -> None:
        """Whatever several writers recorded, folded once or twice, read by the old index, a new one, or a clone."""
        folder = Path(tempfile.mkdtemp(prefix="gitlineage-tests-"))
        clock = Clock()
        try:
            here, there = folder / "here", folder / "there"
            stores = [opened(there, "w0", clock), opened(there, "w1", clock), opened(here, "w2", clock)]
            stores.append(own := opened(here, "own", clock))
            play(stores, before)
            fetch(here, there)
            told = answers(own)
            names = [f"w{at}" for at in sorted(done) if f"w{at}" in own.ledger.journal.tips()]
            folded = consolidate(own.ledger, names)
            assert [each.writer for each in folded.folded] == names and folded.left == ()
            assert answers(own) == told == rebuilt(own)
            play(stores, after)
            fetch(here, there)
            told = answers(own)
            consolidate(own.ledger, [name for name in own.ledger.journal.tips() if name[0] == "w"])
            assert answers(own) == told == rebuilt(own)
            assert set(own.ledger.journal.tips()) <= {"own", "archive-own"}
            fetch(there, here)
            assert answers(stores[0]) == told
            for each in stores:
                each.close()
        finally:
            shutil.rmtree(folder)

    def test_two_hundred_short_lived_writers(self, folder: Path, git) -> None:
        """200 writers become one ref, the index is kept, git finds nothing wrong, and gc throws nothing away."""
        opened(folder, "own").close()
        names = [f"w{at:03d}" for at in range(200)]
        oids = [record(folder, name, f"{at:03d}", 100 - at / 7) for at, name in enumerate(names)]
        with opened(folder, "own") as store:
            before = answers(store)
            file = os.readlink(folder / ".git" / "lineage" / "index.sqlite3")
            done = consolidate(store.ledger, names)
            assert (len(done.folded), done.left) == (200, ())
            assert sum(each.events for each in done.folded) == 200
            assert git("for-each-ref", "--format=%(refname)", DEFAULT.notes) == f"{DEFAULT.notes}archive-own"
            assert answers(store) == before
            assert os.readlink(folder / ".git" / "lineage" / "index.sqlite3") == file, "the index was rebuilt"
            assert set(store.ledger.journal.archived()) == set(names)
            git("reflog", "expire", "--expire=now", "--all")
            for ref in git("for-each-ref", "--format=%(refname)", "refs/lineage").split():
                git("update-ref", "-d", ref)
            git("gc", "--quiet", "--prune=now")
            assert git("fsck", "--strict", "--no-dangling") == ""
            assert set(oids) <= set(git("rev-list", f"{DEFAULT.notes}archive-own").split())
            assert rebuilt(store) == before

    def test_an_exp_id_of_two_writers_keeps_its_labels(self, folder: Path, tmp_path: Path) -> None:
        """015@bob is still 015@bob, and 015 alone still ambiguous."""
        record(folder, "alice", "015", 1.0)
        oid = record(tmp_path / "bobs", "bob", "015", 2.0)
        fetch(folder, tmp_path / "bobs")
        with opened(folder, "alice") as store:
            consolidate(store.ledger, ["bob"])
            assert [view.label for view in store.log()] == ["015@bob", "015@alice"]
            assert store.resolve("015@bob") == oid

    def test_many_archives_may_hold_the_same(self, folder: Path, tmp_path: Path, git) -> None:
        """Each clone archives on its own; both archives together say the same."""
        for name in ("a", "b", "c"):
            record(folder, name, f"x-{name}")
        shutil.copytree(folder, tmp_path / "other", symlinks=True)
        with opened(folder, "own") as store, opened(tmp_path / "other", "theirs") as other:
            before = answers(store)
            consolidate(store.ledger, ["a", "b"])
            consolidate(other.ledger, ["b", "c"])
            git("fetch", "-q", str(tmp_path / "other"), f"{DEFAULT.notes}archive-theirs:{DEFAULT.notes}archive-theirs")
            git(
                "fetch",
                "-q",
                str(folder),
                f"{DEFAULT.notes}archive-own:{DEFAULT.notes}archive-own",
                cwd=tmp_path / "other",
            )
            consolidate(store.ledger, ["c"])
            consolidate(other.ledger, ["a"])
            assert lineage_refs(store) == lineage_refs(other) == ["archive-own", "archive-theirs"]
            assert answers(store) == answers(other) == before == rebuilt(store)

    def test_an_event_that_a_newer_version_wrote_keeps_all_its_cells(self, folder: Path) -> None:
        """A line's unknown cells go into the archive as they are."""
        oid = record(folder, "bob", "1")
        with opened(folder, "own") as store:
            tip = store.ledger.journal.tips()["bob"]
            line = b'{"clock":9,"new":[1.0,{"b":1,"a":"\xc3\xa9"}],"type":"snapshot"}'
            who = Identity(*WHO)
            lines, moment = [(oid, line)], Clock()()
            store.ledger.journal.land(
                Append(writer="bob", tip=tip, lines=lines, clock=9, subject="x", identity=who, moment=moment)
            )
            consolidate(store.ledger, ["bob"])
            note = store.ledger.journal.note(store.ledger.journal.tips()["archive-own"], oid)
            assert note.endswith(line[:-1] + b',"writer":"bob"}\n')


class TestSteps:
    """What is done in which order, and what a kill leaves."""

    def test_the_archive_and_the_removal_are_one_step(self, folder: Path, git) -> None:
        """A writer that is recording meanwhile is not lost: the step is refused and tried again."""
        record(folder, "bob", "1")
        record(folder, "carol", "2")
        with opened(folder, "own") as store:
            tips = store.ledger.journal.tips()
            moves = {DEFAULT.notes + "archive-own": (None, tips["bob"]), DEFAULT.notes + "bob": (tips["carol"], None)}
            assert not store.ledger.repo.move_refs(moves, "x")
            assert store.ledger.journal.tips() == tips
            moves[DEFAULT.notes + "bob"] = (tips["bob"], None)
            assert store.ledger.repo.move_refs(moves, "x")
            assert lineage_refs(store) == ["archive-own", "carol"]

    def test_a_ref_beside_the_archive_that_holds_it(self, folder: Path, git) -> None:
        """The state between the steps, or after a plain fetch, answers alike; folding again only deletes the ref."""
        record(folder, "bob", "1")
        with opened(folder, "own") as store:
            before = answers(store)
            old = store.ledger.journal.tips()["bob"]
            tip = consolidate(store.ledger, ["bob"]).tip
            git("update-ref", f"{DEFAULT.notes}bob", old)
            assert answers(store) == before == rebuilt(store)
            again = consolidate(store.ledger, ["bob"])
            assert (again.tip, [each.events for each in again.folded]) == (tip, [0])
            assert lineage_refs(store) == ["archive-own"]
            assert consolidate(store.ledger, ["bob"]).folded == ()

    def test_a_writer_who_comes_back(self, folder: Path) -> None:
        """An archived writer goes on where the archive says that it ended, and is folded again."""
        record(folder, "bob", "1")
        with opened(folder, "own") as store:
            old = store.ledger.journal.tips()["bob"]
            consolidate(store.ledger, ["bob"])
            record(folder, "bob", "2")
            new = store.ledger.journal.tips()["bob"]
            assert store.ledger.journal.is_ahead(new, old)
            before = answers(store)
            assert before["labels"] == ["2", "1"]
            assert [each.events for each in consolidate(store.ledger, ["bob"]).folded] == [1]
            assert answers(store) == before == rebuilt(store)
            assert store.ledger.journal.archived() == {"bob": (old, new)}

    def test_a_ref_that_is_gone_without_an_archive_is_forgotten(self, folder: Path, git) -> None:
        """An archive covers only the tips that it names: anything else that vanishes is not in the answers."""
        record(folder, "bob", "1")
        record(folder, "carol", "2")
        with opened(folder, "own") as store:
            consolidate(store.ledger, ["bob"])
            git("update-ref", "-d", f"{DEFAULT.notes}carol")
            git("update-ref", "-d", DEFAULT.kept("carol"))
            assert answers(store)["labels"] == ["1"]

    @pytest.mark.parametrize("lines", [40, 400, 900, 1400, 2000, 3000, 4500, 7000])
    def test_killed_anywhere(self, folder: Path, git, lines: int) -> None:
        """Nothing is lost, and the next run finishes."""
        for at in range(4):
            record(folder, f"w{at}", f"{at}")
        with opened(folder, "own") as store:
            before = answers(store)
        program = (
            "import sys; from pathlib import Path; from victims import die_at; from test_consolidation import *\n"
            "store = opened(Path(sys.argv[1]), 'own'); die_at(int(sys.argv[2]))\n"
            "consolidate(store.ledger, ['w0', 'w1', 'w2', 'w3'])\n"
        )
        paths = os.pathsep.join([str(SUPPORT), str(ROOT)])
        words = [sys.executable, "-c", program, str(folder), str(lines)]
        subprocess.run(words, env={**os.environ, "PYTHONPATH": paths}, check=False, capture_output=True)
        with opened(folder, "own") as store:
            assert answers(store) == before == rebuilt(store)
            consolidate(store.ledger, [f"w{at}" for at in range(4)])
            assert answers(store) == before
            assert lineage_refs(store) == ["archive-own"]
            assert git("fsck", "--strict", "--no-dangling") == ""


class TestChoice:
    """Who is folded."""

    def test_idle_writers(self, folder: Path) -> None:
        """Those whose last record is old; not the clone's own, however old, and no archive."""
        for name in ("bob", "carol", "own"):
            record(folder, name, name)
        with opened(folder, "own") as store:
            later = datetime(2026, 1, 31, 1, tzinfo=UTC)
            assert idle(store.ledger, 30, now=later) == ["bob", "carol"]
            assert idle(store.ledger, 30, now=later - timedelta(days=1)) == []
            consolidate(store.ledger, ["bob"])
            assert idle(store.ledger, 30, now=later) == ["carol"]

    def test_refused(self, folder: Path) -> None:
        """The own writer, an archive, and nobody."""
        record(folder, "own", "1")
        record(folder, "bob", "2")
        with opened(folder, "own") as store:
            tips = store.ledger.journal.tips()
            for name, error in (("own", Invalid), ("archive-x", Invalid), ("nobody", NotFound)):
                with pytest.raises(error):
                    consolidate(store.ledger, ["bob", name])
            assert store.ledger.journal.tips() == tips

    def test_a_line_that_is_no_event_keeps_its_writer_out(self, folder: Path, git) -> None:
        """The writer stays and is told of; the others go."""
        oid = record(folder, "bob", "1")
        record(folder, "carol", "2")
        git("notes", f"--ref={DEFAULT.notes}bob", "append", "-m", "hand-written", oid)
        with opened(folder, "own") as store:
            before = answers(store)
            assert len(before["problems"]) == 1
            done = consolidate(store.ledger, ["bob", "carol"])
            assert [each.writer for each in done.folded] == ["carol"]
            assert [each.writer for each in done.left] == ["bob"] and "no event" in done.left[0].reason
            assert answers(store) == before == rebuilt(store)


class TestWriters:
    """Whose an event is."""

    def test_only_an_archive_says_whose_an_event_is(self) -> None:
        """On an archive each event must name its writer; on a writer's ref it may name no other."""
        oid = "ab" * 20
        plain, bobs = SnapshotEvent(clock=1), SnapshotEvent(clock=1, writer="bob")
        row = TrialEvent(clock=2, row={"exp_id": "1"}, writer="archive-x")

        def read(ref: str, event) -> Recorded | Problem:
            (found,) = decode_note(ref, oid, encode(event))
            return found

        assert read("archive-x", bobs) == Recorded("bob", oid, bobs)
        assert read("bob", bobs) == Recorded("bob", oid, bobs)
        for ref, event in (("alice", bobs), ("archive-x", plain), ("archive-x", row)):
            found = read(ref, event)
            assert isinstance(found, Problem) and found.writer == ref
        assert "claims to be of another writer" in read("alice", bobs).reason

    def test_no_writer_may_be_named_like_an_archive(self, folder: Path) -> None:
        """The name is refused where writing begins."""
        with pytest.raises(Invalid, match="archive"):
            check_writer("archive-x")
        with pytest.raises(Invalid), opened(folder, "archive-x") as store:
            store.append(Trial(status="keep"))

    def test_what_vanished_is_looked_for_again_by_the_index_alone(self, folder: Path) -> None:
        """An index that was current before goes on without a rebuild, and has no tip of the folded writers."""
        record(folder, "bob", "1")
        with opened(folder, "own") as store:
            journal = Journal(store.ledger.repo)
            other = Index(store.ledger.repo, None)
            assert other.refresh(journal)
            consolidate(store.ledger, ["bob"])
            assert other.refresh(journal)
            assert other.tips() == journal.tips()


class TestPush:
    """The archive on a remote."""

    @pytest.fixture
    def remote(self, folder: Path, tmp_path: Path, git) -> Path:
        """A bare remote that has what two writers recorded."""
        for name in ("bob", "carol"):
            record(folder, name, name)
        git("init", "-q", "--bare", str(tmp_path / "remote.git"), cwd=tmp_path)
        git("push", "-q", str(tmp_path / "remote.git"), f"{DEFAULT.notes}*:{DEFAULT.notes}*")
        return tmp_path / "remote.git"

    def refs(self, git, remote: Path) -> list[str]:
        """What the remote has."""
        return git("for-each-ref", "--format=%(refname)", DEFAULT.notes, cwd=remote).replace(DEFAULT.notes, "").split()

    def test_in_one_step(self, folder: Path, remote: Path, git) -> None:
        """The archive comes and the refs go; again, nothing changes."""
        with opened(folder, "own") as store:
            consolidate(store.ledger, ["bob", "carol"])
            assert push(store.ledger, str(remote)).removed == ("bob", "carol")
            assert self.refs(git, remote) == ["archive-own"]
            assert push(store.ledger, str(remote)).removed == ()
            before = answers(store)
        git("clone", "-q", str(remote), str(remote.with_name("clone")), cwd=remote)
        git("fetch", "-q", "origin", f"{DEFAULT.notes}*:{DEFAULT.notes}*", cwd=remote.with_name("clone"))
        with opened(remote.with_name("clone"), "new") as clone:
            assert answers(clone) == before

    def test_a_writer_who_went_on_stays_there(self, folder: Path, remote: Path, git, tmp_path: Path) -> None:
        """What is not here is not deleted there."""
        shutil.copytree(folder, tmp_path / "bobs", symlinks=True)
        record(tmp_path / "bobs", "bob", "later")
        git("push", "-q", str(remote), f"{DEFAULT.notes}bob", cwd=tmp_path / "bobs")
        with opened(folder, "own") as store:
            consolidate(store.ledger, ["bob", "carol"])
            done = push(store.ledger, str(remote))
            assert (done.removed, [each.writer for each in done.left]) == (("carol",), ["bob"])
            assert self.refs(git, remote) == ["archive-own", "bob"]

    def test_a_remote_that_cannot_be_reached(self, folder: Path, remote: Path) -> None:
        """Git's own words, and nothing changes."""
        with opened(folder, "own") as store:
            with pytest.raises(Invalid, match="no archive"):
                push(store.ledger, str(remote))
            consolidate(store.ledger, ["bob"])
            with pytest.raises(GitFailed):
                push(store.ledger, str(remote.with_name("nowhere")))


class TestPull:
    """Other clones, which pull from a remote where refs went into an archive."""

    @pytest.fixture
    def clones(self, folder: Path, tmp_path: Path, git) -> tuple[Path, Path, Path]:
        """Two clones that both have what bob and carol recorded, and their remote."""
        remote, other = tmp_path / "remote.git", tmp_path / "other"
        for name in ("bob", "carol"):
            record(folder, name, name)
        git("init", "-q", "--bare", str(remote), cwd=tmp_path)
        git("push", "-q", str(remote), f"{DEFAULT.notes}*:{DEFAULT.notes}*")
        git("init", "-q", str(other), cwd=tmp_path)
        for path in (folder, other):
            git("remote", "add", "origin", str(remote), cwd=path)
        with opened(other, "dave") as store:
            assert {each.state for each in store.pull().outcomes} == {"new"}
        return folder, other, remote

    def test_an_archive_takes_the_place_of_refs(self, clones: tuple[Path, Path, Path]) -> None:
        """The other clone gets the archive and lets the refs go, with no answer changed and nothing refused."""
        here, other, _ = clones
        with opened(here, "own") as store, opened(other, "dave") as theirs:
            before = answers(theirs)
            consolidate(store.ledger, ["bob", "carol"])
            push(store.ledger, "origin")
            done = theirs.pull()
            assert {each.writer: each.state for each in done.outcomes} == {
                "archive-own": "new",
                "bob": "deleted",
                "carol": "deleted",
            }
            assert [each.trials for each in done.outcomes] == [2, 0, 0]
            assert lineage_refs(theirs) == ["archive-own"]
            assert answers(theirs) == before == rebuilt(theirs)
            assert {each.state for each in theirs.pull().outcomes} == {"up to date"}

    def test_what_is_archived_here_does_not_come_back(self, clones: tuple[Path, Path, Path]) -> None:
        """Refs that the remote still has stay folded; one that goes on there comes."""
        here, other, _ = clones
        with opened(here, "own") as store:
            consolidate(store.ledger, ["bob", "carol"])
            before = answers(store)
            assert {each.state for each in store.pull().outcomes} == {"up to date"}
            assert lineage_refs(store) == ["archive-own"]
            assert answers(store) == before
            record(other, "bob", "later")
            with opened(other, "bob") as bob:
                bob.push()
            states = {each.writer: each.state for each in store.pull().outcomes}
            assert states == {"bob": "new", "carol": "up to date"}
            assert "later" in answers(store)["labels"]

    def test_an_archive_that_only_says_so(self, clones: tuple[Path, Path, Path], git) -> None:
        """One that names a ref and lacks its events covers nothing: the deletion is tampering, and all stays here."""
        here, other, _ = clones
        with opened(here, "own") as store, opened(other, "dave") as theirs:
            tips, before = store.ledger.journal.tips(), answers(theirs)
            consolidate(store.ledger, ["carol"])
            tip = store.ledger.journal.tips()["archive-own"]
            message = f"Archive\n\nArchived: bob {tips['bob']}\nClock: 9"
            forged = git("commit-tree", "-p", tip, "-p", tips["bob"], "-m", message, f"{tip}^{{tree}}")
            git(
                "push",
                "-q",
                "origin",
                f"{forged}:{DEFAULT.notes}archive-own",
                f":{DEFAULT.notes}bob",
                f":{DEFAULT.notes}carol",
            )
            states = {each.writer: each.state for each in theirs.pull().outcomes}
            assert states == {"archive-own": "new", "bob": "refused", "carol": "deleted"}
            assert lineage_refs(theirs) == ["archive-own", "bob"]
            assert answers(theirs) == before == rebuilt(theirs)

    def test_an_archive_that_keeps_nothing_alive(self, clones: tuple[Path, Path, Path], git) -> None:
        """One that has the events and not the old tip as its parent covers nothing: git would prune the snapshots."""
        here, other, _ = clones
        with opened(here, "own") as store, opened(other, "dave") as theirs:
            before, oid = answers(theirs), theirs.resolve("bob")
            tip = str(consolidate(store.ledger, ["bob"]).tip)
            made = store.ledger.repo.commit(tip)
            forged = git("commit-tree", "-p", made.parents[0], "-m", made.message, made.tree)
            git("push", "-q", "origin", f"{forged}:{DEFAULT.notes}archive-own", f":{DEFAULT.notes}bob")
            states = {each.writer: each.state for each in theirs.pull().outcomes}
            assert states["bob"] == "refused"
            git("gc", "-q", "--prune=now", cwd=other)
            assert git("cat-file", "-t", oid, cwd=other) == "commit"
            assert answers(theirs) == before == rebuilt(theirs)


def sign_as(store: LineageStore, name: str, where: Path) -> str:
    """Have a store sign with a key of its own and return the key's line of an allowed-signers file."""
    key = where / f"key-{name}"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    for setting, value in {"gpg.format": "ssh", "user.signingKey": str(key), "lineage.sign": "true"}.items():
        store.ledger.repo.set_config(setting, value)
    kind, public, *_ = Path(f"{key}.pub").read_text().split()
    return f"{name} {kind} {public}\n"


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_signed_writers_stay_trusted_in_an_archive(tmp_path: Path) -> None:
    """The archive is signed by who made it; a writer in it counts by the signed tip that it keeps alive."""
    here = tmp_path / "store"
    allowed = tmp_path / "allowed"
    with opened(here, "alice") as alice:
        listed = sign_as(alice, "alice", tmp_path)
        record(here, "alice", "000", 1.0)
    with opened(here, "bob") as bob:
        allowed.write_text(listed + sign_as(bob, "bob", tmp_path))
        bob.ledger.repo.set_config("gpg.ssh.allowedSignersFile", str(allowed))
        record(here, "bob", "001", 3.0)
        before = [view.trial.exp_id for view in bob.ledger.views(trusted_only=True).kept(5)]
        consolidate(bob.ledger, ["alice"])
        assert [view.trial.exp_id for view in bob.ledger.views(trusted_only=True).kept(5)] == before == ["000", "001"]
        assert bob.verify() == []
    with opened(here, "alice") as again:
        again.ledger.repo.set_config("user.signingKey", str(tmp_path / "key-alice"))
        record(here, "alice", "002", 0.5)
        assert [view.trial.exp_id for view in again.ledger.views(trusted_only=True).kept(5)] == ["002", "000", "001"]


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_an_archive_makes_nobody_trusted(tmp_path: Path) -> None:
    """What a signed archive says of a writer who never signed it is left out of what is trusted."""
    here = tmp_path / "store"
    record(here, "alice", "000", 1.0)
    with opened(here, "bob") as bob:
        (tmp_path / "allowed").write_text(sign_as(bob, "bob", tmp_path))
        bob.ledger.repo.set_config("gpg.ssh.allowedSignersFile", str(tmp_path / "allowed"))
        record(here, "bob", "001", 3.0)
        consolidate(bob.ledger, ["alice"])
        assert [view.trial.exp_id for view in bob.ledger.views(trusted_only=True).kept(5)] == ["001"]
        assert [view.trial.exp_id for view in bob.ledger.views().kept(5)] == ["000", "001"]


def test_copies_of_a_clone_that_both_archive(tmp_path: Path) -> None:
    """Both call their archive the same; what each holds ends up in one, and no pull takes it for tampering."""
    remote, here, copy = tmp_path / "remote.git", tmp_path / "here", tmp_path / "copy"
    subprocess.run(["git", "init", "-q", "--bare", str(remote)], check=True)
    for name in ("carol", "alice", "bob"):
        record(here, name, f"of-{name}")
    subprocess.run(["git", "remote", "add", "origin", str(remote)], cwd=here, check=True)
    shutil.copytree(here, copy, symlinks=True)
    with opened(here, "carol") as carol, opened(copy, "carol") as again:
        carol.push()
        consolidate(carol.ledger, ["alice"])
        push(carol.ledger, "origin")
        consolidate(again.ledger, ["bob"])
        assert not again.pull().refused
        assert not again.pull().refused
        push(again.ledger, "origin")
        assert not carol.pull().refused
        assert carol.ledger.journal.tips()["archive-carol"] == again.ledger.journal.tips()["archive-carol"]
        assert {trial.exp_id for trial in again.all_trials()} == {"of-alice", "of-bob", "of-carol"}
        assert rebuilt(carol) == rebuilt(again)
        assert carol.verify() == again.verify() == []
