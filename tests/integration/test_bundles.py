"""Lineage as a file, whole or chosen; what is damaged, foreign or rewritten changes nothing."""

import subprocess
from pathlib import Path

import pytest
from answers import answers
from conftest import Clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openrange_stores import first

from gitlineage import Invalid, LineageStore, NotFound, Task, Trial
from gitlineage.bridge.openrange import import_openrange
from gitlineage.errors import BadBundle, StorageError
from gitlineage.model.namespace import DEFAULT
from gitlineage.sync.archives import consolidate
from gitlineage.sync.bundles import bundle, unbundle


def opened(folder: Path, writer: str = "alice") -> LineageStore:
    """A writer's store with a fixed identity and clock."""
    return LineageStore(folder, writer=writer, identity=("A", "a@example.org"), clock=Clock())


def row(exp_id: str, metric: float = 2.0, **cells: object) -> Trial:
    """A kept trial."""
    return Trial(exp_id=exp_id, status="keep", core_metric=metric, **cells)  # type: ignore[arg-type]


@pytest.fixture
def source(folder: Path) -> LineageStore:
    """Two lines from one root, with a cohort on the first: 000 → 001 → {002, 003: ideas} → 004, and 000 → 100."""
    with opened(folder) as store:
        store.set_task(Task(score_field="core_metric", lower_is_better=False, label="acc"))
        store.commit({"f": b"0"}, trial=row("000", 1.0).replace(status="baseline"))
        store.commit({"f": b"1"}, ["000"], trial=row("001", 2.0))
        with opened(folder, "bob") as bob:
            bob.commit({"f": b"2"}, ["001"], trial=row("002", 3.0), cohort="ideas")
            bob.commit({"f": b"3"}, ["001"], trial=row("003", 2.5), cohort="ideas")
        store.commit({"f": b"4"}, ["002"], trial=row("004", 4.0))
        store.commit({"f": b"100"}, ["000"], trial=row("100", 1.5))
        yield store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where bundles go."""
    return tmp_path / "some lineage.bundle"


@pytest.fixture
def target(tmp_path: Path) -> LineageStore:
    """A fresh store."""
    with opened(tmp_path / "target", "carol") as store:
        yield store


def ids(store: LineageStore) -> set[str]:
    """The exp ids of a store."""
    return {view.trial.exp_id for view in store.log(None)}


class TestWhole:
    """All writers' refs."""

    def test_there_and_back(self, source, target, file, git) -> None:
        """A fresh store answers as the first one does; git reads the file too, and again nothing is new."""
        made = bundle(source.ledger, file)
        assert made.refs == source.ledger.journal.tips()
        assert (made.trials, made.snapshots, made.size) == (6, 6, file.stat().st_size)
        git("bundle", "verify", "-q", str(file))
        done = unbundle(target.ledger, file)
        assert [(each.writer, each.outcome) for each in done.refs] == [("alice", "new"), ("bob", "new")]
        assert (done.writers, done.trials, done.snapshots) == (2, 6, 6)
        assert (done.task, done.before, done.changed) == (source.task, None, True)
        assert answers(target) == answers(source)
        assert git("fsck", "--strict", "--no-dangling", cwd=target.root) == ""
        again = unbundle(target.ledger, file)
        assert {each.outcome for each in again.refs} == {"up to date"}
        assert (again.writers, again.trials, again.changed) == (0, 0, False)

    def test_what_came_later(self, source, target, file, tmp_path) -> None:
        """Refs move forward, a bundle of the past moves nothing back, and one's own ref is safe."""
        bundle(source.ledger, tmp_path / "old")
        unbundle(target.ledger, tmp_path / "old")
        source.commit({"f": b"5"}, ["004"], trial=row("005", 5.0))
        bundle(source.ledger, file)
        done = unbundle(target.ledger, file)
        assert [each.outcome for each in done.refs] == ["fast-forwarded", "up to date"]
        assert done.trials == 1
        told = answers(target)
        past = unbundle(target.ledger, tmp_path / "old")
        assert [each.outcome for each in past.refs] == ["behind", "up to date"]
        assert unbundle(source.ledger, tmp_path / "old").trials == 0
        assert answers(target) == told == answers(source)

    def test_a_rewritten_ref_is_refused_and_the_others_are_taken(self, source, target, file, git, tmp_path) -> None:
        """What is here stays; the rest comes."""
        bundle(source.ledger, file)
        unbundle(target.ledger, file)
        told = target.ledger.journal.tips()["bob"]
        with opened(tmp_path / "forged", "bob") as forged:
            forged.append(row("666"))
            with opened(tmp_path / "forged", "dave") as dave:
                dave.append(row("200"))
            bundle(forged.ledger, tmp_path / "forged.bundle")
        done = unbundle(target.ledger, tmp_path / "forged.bundle")
        assert [(each.writer, each.outcome) for each in done.refs] == [("bob", "refused"), ("dave", "new")]
        assert "rewritten" in done.refused[0].reason
        assert target.ledger.journal.tips()["bob"] == told
        assert "200" in ids(target) and "666" not in ids(target)

    def test_a_ref_that_is_no_writers_is_refused(self, source, target, file, git, folder) -> None:
        """Names that no writer may have, and refs that are no commits."""
        blob = git("hash-object", "-w", "--stdin", data="x")
        git("update-ref", f"{DEFAULT.notes}deep/er", source.ledger.journal.tips()["bob"])
        git("update-ref", f"{DEFAULT.notes}blob", blob)
        git(
            "bundle",
            "create",
            "-q",
            str(file),
            f"{DEFAULT.notes}deep/er",
            f"{DEFAULT.notes}blob",
            f"{DEFAULT.notes}alice",
        )
        done = unbundle(target.ledger, file)
        assert {each.writer: each.outcome for each in done.refs} == {
            "alice": "new",
            "blob": "refused",
            "deep/er": "refused",
        }

    def test_branches_of_a_bundle_are_left_alone(self, source, target, file, git) -> None:
        """Only writers' refs are taken."""
        git("update-ref", "refs/heads/main", source.resolve("000"))
        git("bundle", "create", "-q", str(file), "main", f"{DEFAULT.notes}alice")
        unbundle(target.ledger, file)
        assert git("for-each-ref", "--format=%(refname)", "refs/heads", cwd=target.root) == ""
        assert list(target.ledger.journal.tips()) == ["alice"]

    def test_a_writer_that_is_archived_here_does_not_come_back(self, source, target, file) -> None:
        """A ref whose tip an archive holds is up to date; one that goes on is new, and folds again."""
        bundle(source.ledger, file)
        unbundle(target.ledger, file)
        told = answers(target)
        consolidate(target.ledger, ["alice", "bob"])
        assert {each.outcome for each in unbundle(target.ledger, file).refs} == {"up to date"}
        assert list(target.ledger.journal.tips()) == ["archive-carol"]
        assert answers(target) == told


class TestChoice:
    """Some of it, with all that it needs."""

    @pytest.mark.parametrize(
        ("choice", "expected"),
        [
            ({"cohort": "ideas"}, {"000", "001", "002", "003"}),
            ({"ancestors": "004"}, {"000", "001", "002", "004"}),
            ({"ancestors": "100"}, {"000", "100"}),
            ({"ancestors": "000"}, {"000"}),
            ({"since": "004"}, {"000", "100"}),
            ({"since": "002"}, {"000", "001", "002", "003", "004", "100"}),
        ],
    )
    def test_what_is_in_it(self, source, target, file, git, choice, expected) -> None:
        """The chosen snapshots and their ancestors, with their rows, cohorts and the task; and git finds all of it."""
        made = bundle(source.ledger, file, **choice)
        assert made.trials == made.snapshots == len(expected)
        (name,) = made.refs
        assert name.startswith("archive-")
        assert [each.outcome for each in unbundle(target.ledger, file).refs] == ["new"]
        assert ids(target) == expected
        assert target.task == source.task
        for exp_id in expected:
            assert target.view(exp_id).order == source.view(exp_id).order
            assert target.files(exp_id) == source.files(exp_id)
            assert target.chain_to(exp_id) == source.chain_to(exp_id)
            assert target.snapshot(exp_id).writer == source.snapshot(exp_id).writer
        cohorts = {view.cohort for view in target.log(None)} - {None}
        assert [each.name for each in target.cohorts()] == sorted(cohorts)
        git("gc", "-q", "--prune=now", cwd=target.root)
        assert git("fsck", "--strict", "--no-dangling", cwd=target.root) == ""
        assert target.reindex() == len(expected)

    def test_the_same_choice_gives_the_same_archive(self, source, file, tmp_path, git) -> None:
        """From another clone, from the same one later, and after its refs were archived."""
        first = bundle(source.ledger, file, cohort="ideas").refs
        git("clone", "-q", str(source.root), str(tmp_path / "clone"), cwd=tmp_path)
        git("fetch", "-q", "origin", f"{DEFAULT.notes}*:{DEFAULT.notes}*", cwd=tmp_path / "clone")
        with opened(tmp_path / "clone", "dave") as clone:
            clone.append(row("900"))
            assert bundle(clone.ledger, file, cohort="ideas").refs == first
            consolidate(clone.ledger, ["alice", "bob"])
            assert bundle(clone.ledger, file, cohort="ideas").refs == first
            clone.record("002", row("*", 9.0))
            assert bundle(clone.ledger, file, cohort="ideas").refs != first

    def test_what_was_chosen_meets_the_whole(self, source, target, file) -> None:
        """A part, then the whole: the answers are those of the whole."""
        bundle(source.ledger, file, cohort="ideas")
        unbundle(target.ledger, file)
        bundle(source.ledger, file)
        done = unbundle(target.ledger, file)
        assert (done.trials, done.changed) == (2, False)
        assert answers(target) == answers(source)
        target.reindex()
        assert answers(target) == answers(source)

    def test_a_time(self, source, file, target) -> None:
        """What was recorded after a moment; nothing after it is an error."""
        with pytest.raises(Invalid, match="nothing was recorded since"):
            bundle(source.ledger, file, since="2030-01-01T00:00:00Z")
        assert bundle(source.ledger, file, since="2020-01-01").snapshots == 6
        assert not list(file.parent.glob("*.lock"))

    def test_everything_that_was_said_since(self, source, file, target, tmp_path) -> None:
        """Relations, entries, attempts, prompts and imports count as well as rows, with the commits that they name."""
        tip = source.ledger.journal.tips()["alice"]
        source.add_relationship("004", "100", "depends_on")
        source.set_entry("003", name="lexer")
        source.render_prompt("opt", record=True)
        attempt = source.record_forge_attempt("a parser", result="002", success=True)
        first(tmp_path / "openrange")
        import_openrange(source, tmp_path / "openrange")
        made = bundle(source.ledger, file, since=tip)
        done = unbundle(target.ledger, file)
        assert made.snapshots == done.snapshots == 9
        assert {each.relationship_type for each in target.get_relationships()} == {"depends_on", "forged_from"}
        assert target.entry("003").name == "lexer"
        assert target.find_similar_forges("a parser") == source.find_similar_forges("a parser") != []
        assert target.ledger.views().name(target.children("s-root")[0].oid) == "s-child"
        assert len(target.events(types=["session"])) == 1
        assert target.ledger.repo.exists(attempt.id)
        assert target.verify() == []

    def test_a_commit_of_a_writers_ref(self, source, file) -> None:
        """What was recorded after that commit."""
        assert bundle(source.ledger, file, since=source.ledger.journal.tips()["bob"]).snapshots == 5

    def test_on_a_commit_that_nobody_recorded(self, source, file, git) -> None:
        """Its recorded ancestors; where there are none, that is said."""
        on = git("commit-tree", "-p", source.resolve("001"), "-m", "x", source.snapshot("001").tree)
        alone = git("commit-tree", "-m", "x", source.snapshot("001").tree)
        assert bundle(source.ledger, file, ancestors=on).snapshots == 2
        with pytest.raises(Invalid, match="nothing is recorded"):
            bundle(source.ledger, file, ancestors=alone)

    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(st.tuples(st.lists(st.integers(0, 9), max_size=2), st.integers(0, 2)), min_size=1, max_size=9),
        st.integers(0, 9),
    )
    def test_a_bundle_is_closed(self, tmp_path_factory, graph: list, which: int) -> None:
        """Whatever the graph: the chosen snapshot has the same ancestors and cohorts on the other side."""
        root = tmp_path_factory.mktemp("closed")
        with opened(root / "a") as store, opened(root / "b", "bob") as other:
            for at, (parents, cohort) in enumerate(graph):
                bases = [f"{parent % at:03d}" for parent in parents] if at else []
                name = f"c{cohort}-{'-'.join(sorted(set(bases)))}" if cohort else None
                store.commit({"f": b"%d" % at}, bases, trial=row(f"{at:03d}"), cohort=name)
            chosen = f"{which % len(graph):03d}"
            bundle(store.ledger, root / "f", ancestors=chosen)
            unbundle(other.ledger, root / "f")
            assert [node.id for node in other.ancestors(chosen)] == [node.id for node in store.ancestors(chosen)]
            assert {view.cohort for view in other.log(None)} - {None} == {each.name for each in other.cohorts()}


class TestRefused:
    """What cannot be written or taken."""

    def test_nothing_to_write(self, target, file, source) -> None:
        """An empty store, an unknown name, two choices, a folder that is not there."""
        with pytest.raises(Invalid, match="no lineage"):
            bundle(target.ledger, file)
        for choice in ({"cohort": "x"}, {"ancestors": "x"}, {"since": "x"}):
            with pytest.raises(NotFound):
                bundle(source.ledger, file, **choice)
        with pytest.raises(Invalid):
            bundle(source.ledger, file, cohort="ideas", since="000")
        with pytest.raises(StorageError, match="no folder"):
            bundle(source.ledger, file / "deeper")
        assert not file.exists()

    def refused(self, target: LineageStore, file: Path) -> str:
        """Take a file that is refused; nothing may change, not even in the object store."""
        target.append(row("800"))
        before, told = target.ledger.journal.tips(), answers(target)
        objects = sorted(path for path in (target.root / ".git" / "objects").rglob("*") if path.is_file())
        with pytest.raises(BadBundle) as caught:
            unbundle(target.ledger, file)
        assert target.ledger.journal.tips() == before and answers(target) == told
        assert sorted(path for path in (target.root / ".git" / "objects").rglob("*") if path.is_file()) == objects
        assert "\n" not in str(caught.value) and "nothing was taken" in str(caught.value)
        return str(caught.value)

    def test_cut_off(self, source, target, file) -> None:
        """A file that ends early, wherever."""
        bundle(source.ledger, file)
        data = file.read_bytes()
        for at, length in enumerate((0, 5, 30, len(data) // 2, len(data) - 1)):
            file.write_bytes(data[:length])
            with opened(target.root.with_name(f"target{at}"), "carol") as fresh:
                self.refused(fresh, file)

    def test_damaged(self, source, target, file) -> None:
        """A byte that is another one in the packed part."""
        bundle(source.ledger, file)
        data = bytearray(file.read_bytes())
        data[-len(data) // 3] ^= 0xFF
        file.write_bytes(data)
        self.refused(target, file)

    def test_no_bundle(self, target, file) -> None:
        """Any other file."""
        file.write_text("exp_id\tstatus\n")
        assert "bundle" in self.refused(target, file)

    def test_without_lineage(self, source, target, file, git) -> None:
        """A bundle of branches says what it holds."""
        git("update-ref", "refs/heads/main", source.resolve("000"))
        git("bundle", "create", "-q", str(file), "main")
        assert "refs/heads/main" in self.refused(target, file)

    def test_with_prerequisites_that_are_not_here(self, source, target, file, git, tmp_path) -> None:
        """A bundle that git made on top of something; where that is there, it is taken."""
        bundle(source.ledger, tmp_path / "base")
        old = source.ledger.journal.tips()["alice"]
        source.append(row("300"))
        git("bundle", "create", "-q", str(file), f"{old}..refs/notes/lineage/alice")
        assert old in self.refused(target, file)
        with opened(tmp_path / "has", "dave") as has:
            unbundle(has.ledger, tmp_path / "base")
            assert [each.outcome for each in unbundle(has.ledger, file).refs] == ["fast-forwarded"]
            assert answers(has) == answers(source)

    def test_no_file(self, target, file) -> None:
        """A file that is not there is the system's own error."""
        with pytest.raises(FileNotFoundError):
            unbundle(target.ledger, file)

    def test_a_bundle_in_a_batch(self, source, target, file) -> None:
        """A batch that is open is not disturbed."""
        bundle(source.ledger, file)
        with pytest.raises(Exception, match="batch is open"), target.batch():
            target.append(row("1"))
            unbundle(target.ledger, file)
        assert target.ledger.journal.tips() == {}


def test_a_bare_repository_and_a_linked_worktree(source, file, tmp_path, git) -> None:
    """Both can give and take."""
    git("update-ref", "refs/heads/main", source.resolve("000"))
    git("worktree", "add", "-q", str(tmp_path / "linked"), "main")
    with opened(tmp_path / "linked", "linked") as linked:
        bundle(linked.ledger, file)
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "bare.git")], check=True)
    with opened(tmp_path / "bare.git", "bare") as bare:
        assert unbundle(bare.ledger, file).trials == 6
        assert answers(bare) == answers(source)


def test_only_a_bundle_is_written_over(source, file) -> None:
    """A file that is there and no bundle stays as it is; an empty one and an older bundle are replaced."""
    file.write_bytes(b"# v is for values")
    with pytest.raises(StorageError, match="no bundle"):
        bundle(source.ledger, file)
    assert file.read_bytes() == b"# v is for values"
    file.write_bytes(b"")
    size = bundle(source.ledger, file).size
    assert bundle(source.ledger, file).size == size == file.stat().st_size
