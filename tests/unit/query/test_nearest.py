"""Parents found by content, replicates, and where a working tree stands."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Shell

from gitlineage import LineageStore, Trial
from gitlineage.query.nearest import difference


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell in an empty folder that `init` made a repository."""
    folder.mkdir()
    shell = Shell(folder)
    shell("init", "--writer", "alice", "--metric", "loss", "--lower-is-better")
    return shell


def recipe(*changed: int, size: int = 40) -> str:
    """Return a file of many lines, of which some are changed."""
    return "".join(f"line {at}{' changed' if at in changed else ''}\n" for at in range(size))


class TestParents:
    """A commit without --parents."""

    def test_what_init_says_next_leads_to_a_chain(self, shell: Shell) -> None:
        """Three edits with three commits are one chain of three, and the output says why."""
        shell.write(a=recipe())
        assert "from nothing" in shell("commit", "-m", "the baseline", "--metric", "1.2")
        shell.write(a=recipe(1))
        assert "from 000 (nearest; --parents says otherwise)" in shell("commit", "-m", "one", "--metric", "1.1")
        shell.write(a=recipe(1, 2))
        assert "from 001 (nearest; --parents says otherwise)" in shell("commit", "-m", "two", "--metric", "1.0")
        assert [each["exp_id"] for each in shell.objects("ancestors", "002")] == ["001", "000"]

    def test_a_failure_that_was_thrown_away_is_no_parent(self, shell: Shell) -> None:
        """What was restored by hand is recognised by its content, whatever was recorded last."""
        for changed in ((), (1,), (1, 20, 21, 22, 23)):
            shell.write(a=recipe(*changed))
            shell.commit("--metric", str(2 - len(changed) / 10) if len(changed) < 2 else "9")
        shell.write(a=recipe(1, 5))
        made = shell.commit("--metric", "1.5")
        assert made["parent"] == "001"
        assert (made["parents_by"], made["nearest"]["how"]) == ("nearest", "parent")
        assert [each["id"] for each in made["nearest"]["candidates"]] == ["002", "001"]

    def test_the_best_comes_into_it(self, shell: Shell) -> None:
        """Two lines that were tried after the best do not hide it."""
        for at, changed in enumerate(((), (1,), (1, 9), (1, 9, 11), (1, 9, 11, 13))):
            shell.write(a=recipe(*changed))
            shell.commit("--metric", str(1.0 if at == 1 else 2 + at))
        shell.write(a=recipe(1, 30))
        made = shell.commit("-m", "from the best")
        assert (made["parent"], made["nearest"]["how"]) == ("001", "best")

    def test_ties_go_to_what_was_recorded_last(self, shell: Shell) -> None:
        """Of two that differ alike, the first in the order of the design counts."""
        shell.write(a=recipe())
        shell.commit("--metric", "1")
        shell.write(a=recipe(1))
        shell.commit("--metric", "2")
        shell.write(b="x\n", a="nothing alike\n")
        assert shell.commit("-m", "far from all")["nearest"]["how"] == "last"

    def test_head_counts_where_it_is_recorded(self, shell: Shell, git: Callable[..., str]) -> None:
        """HEAD is a candidate while nothing is recorded, or where it is recorded itself; else it is none."""
        shell.write(a=recipe())
        git("add", "-A")
        git("commit", "-m", "mine")
        head = git("rev-parse", "HEAD")
        shell.write(a=recipe(1))
        said = shell("commit", "-m", "first", "--metric", "1")
        assert f"from {head[:8]}" in said
        assert "(HEAD; --parents says otherwise)" in said
        git("add", "-A")
        git("commit", "-m", "unrecorded")
        shell.write(a=recipe(1, 2))
        assert shell.commit("-m", "second", "--metric", "2")["parent"] == "000"
        git("add", "-A")
        git("commit", "-m", "recorded")
        shell("record", "HEAD", "--exp-id", "mine", "--metric", "3")
        git("commit", "--allow-empty", "-m", "and on")
        shell.write(a=recipe(1, 2, 3))
        assert shell.commit("-m", "third")["nearest"]["how"] in ("last", "parent")

    def test_each_working_tree_has_its_own_mark(self, shell: Shell, git: Callable[..., str], tmp_path: Path) -> None:
        """What a linked worktree recorded is last there only, and a mark that is lost costs nothing."""
        shell.write(a=recipe())
        git("add", "-A")
        git("commit", "-m", "mine")
        git("worktree", "add", "-q", "--detach", str(tmp_path / "other"))
        other = Shell(tmp_path / "other")
        shell.commit("-m", "base", "--metric", "1")
        shell.write(a=recipe(1, 2, 3))
        ours = shell.commit("-m", "ours", "--metric", "2")
        other.write(a=recipe(7, 8, 9))
        other.commit("-m", "theirs", "--metric", "3")
        with LineageStore(shell.folder) as here, LineageStore(other.folder) as there:
            assert here.ledger.stands_on() == ours["oid"]
            assert there.ledger.stands_on() not in (None, ours["oid"])
        (shell.folder / ".git" / "lineage" / "at").write_bytes(b"\xff rubbish")
        shell.write(a=recipe(1, 2, 3, 4))
        assert shell.commit("-m", "on")["parents_by"] == "nearest"

    def test_explicit_parents_stand(self, shell: Shell) -> None:
        """What is said is not guessed, and --root says nothing at all."""
        for number in range(3):
            shell.write(a=recipe(*range(number)))
            shell.commit("-m", str(number))
        shell.write(a=recipe(5))
        assert shell.commit("--parents", "000", "-m", "x")["parents_by"] == "given"
        shell.write(a=recipe(6))
        assert shell.commit("--root", "-m", "y")["parents"] == []

    def test_from_a_folder_and_bare(self, tmp_path: Path) -> None:
        """A bare repository chains what comes from a folder, too."""
        bare = Shell(tmp_path / "store.git")
        Shell(tmp_path)("init", "store.git", "--bare")
        folder = tmp_path / "recipe"
        folder.mkdir()
        made = []
        for number in range(3):
            (folder / "a.txt").write_text(recipe(*range(number)))
            made.append(bare.commit("--from", folder, "-m", str(number), "--metric", str(number)))
        assert [each["parent"] for each in made] == [None, "000", "001"]

    def test_members_of_a_cohort_come_from_its_base(self, shell: Shell) -> None:
        """Without --parents a member is derived from what the cohort was opened on, not from its sibling."""
        shell.write(a=recipe())
        shell.commit("-m", "base", "--metric", "1")
        shell("cohort", "new", "widths")
        for number in range(2):
            shell.write(a=recipe(number))
            assert "from 000 (the cohort's base" in shell("commit", "--cohort", "widths", "-m", f"width {number}")

    def test_the_library_does_what_its_arguments_say(self, shell: Shell) -> None:
        """Without parents a snapshot has none there; `nearest` says what the command line would take."""
        shell.write(a=recipe())
        first = shell.commit("-m", "base", "--metric", "1")
        shell.write(a=recipe(1))
        with LineageStore(shell.folder) as store:
            found = store.nearest()
            assert found is not None
            assert found.oid == first["oid"]
            assert store.nearest({"a.txt": recipe(2).encode()}).oid == first["oid"]
            assert store.commit(None, trial=Trial(hypothesis="alone")).parents == ()
            assert store.ledger.stands_on() == store.snapshot("001").oid

    def test_looking_writes_nothing(self, shell: Shell, git: Callable[..., str]) -> None:
        """`nearest` leaves no object and no mark behind."""
        shell.write(a=recipe())
        shell.commit("-m", "base", "--metric", "1")
        shell.write(a=recipe(1), b="new\n")
        before = git("count-objects", "-v")
        with LineageStore(shell.folder) as store:
            mark = store.ledger.stands_on()
            store.nearest()
            assert store.ledger.stands_on() == mark
        assert git("count-objects", "-v") == before


class TestDifference:
    """How far two contents lie apart."""

    def test_counts_lines_of_one_side_and_paths(self, store: LineageStore) -> None:
        """A file that moved costs its paths only; a mode costs a path; binaries count whole."""

        def tree(files: dict[str, bytes]) -> str:
            return store.commit(files).tree

        old = tree({"a": b"one\ntwo\n", "d/b": b"same\n"})
        assert difference(store.ledger.repo, old, old) == (0, 0)
        assert difference(store.ledger.repo, old, tree({"a": b"one\n2\n", "d/b": b"same\n"})) == (2, 1)
        assert difference(store.ledger.repo, old, tree({"a": b"one\ntwo\n", "e/c": b"same\n"})) == (0, 2)
        assert difference(store.ledger.repo, old, tree({"a": b"one\ntwo\n"})) == (1, 1)
        assert difference(store.ledger.repo, old, tree({"a": b"one\0two\n", "d/b": b"same\n"})) == (3, 1)
        assert difference(store.ledger.repo, old, tree({"a/x": b"one\ntwo\n", "d/b": b"same\n"})) == (0, 2)


class TestEqualContent:
    """Content that a snapshot has already."""

    def test_is_a_replicate_and_said_so(self, shell: Shell) -> None:
        """A second run of the same files is a further row on their snapshot."""
        shell.write(a=recipe())
        first = shell.commit("-m", "base", "--metric", "1.0")
        said = shell("commit", "-m", "again", "--metric", "1.1")
        assert "replicate of 000 (equal content; --new makes another derivation)" in said
        again = shell.commit("-m", "and again", "--metric", "1.2")
        assert (again["oid"], again["parents_by"], again["replicate_of"]) == (first["oid"], "replicate", "000")
        assert len(shell.objects("log")) == 3

    def test_reverting_by_hand_is_one_too(self, shell: Shell) -> None:
        """Also where another snapshot was recorded last, and the one with this content is no candidate."""
        for changed in ((), (1,), (1, 2), (1, 2, 3)):
            shell.write(a=recipe(*changed))
            shell.commit("-m", str(len(changed)), "--metric", str(1 - len(changed) / 10))
        shell.write(a=recipe())
        assert shell.commit("-m", "the baseline again", "--metric", "1.01")["replicate_of"] == "000"

    def test_other_parents_or_new_make_another_derivation(self, shell: Shell) -> None:
        """Both are then told by `same`."""
        for changed in ((), (1,)):
            shell.write(a=recipe(*changed))
            shell.commit("-m", str(len(changed)), "--metric", "1")
        assert shell.commit("--parents", "000", "-m", "as it was", "--metric", "2")["replicate_of"] == "001"
        assert shell.commit("--parents", "001", "-m", "x", "--metric", "2")["parent"] == "001"
        assert shell.commit("--new", "-m", "y", "--metric", "2")["replicate_of"] is None
        assert [each["exp_id"] for each in shell.objects("same", "001")] == ["003", "004"]

    def test_the_result_that_was_waited_for(self, shell: Shell) -> None:
        """A pending trial of the same hypothesis gets its result, another hypothesis is a run of its own."""
        shell.write(a=recipe())
        shell.commit("-m", "idea")
        assert "the result of 000, which was waiting" in shell("commit", "-m", "idea", "--metric", "1")
        shell.commit("-m", "idea")
        assert shell.commit("-m", "another", "--metric", "1")["replicate_of"] == "000"
        assert [each["status"] for each in shell.objects("log")] == ["discard", None, "baseline"]

    def test_a_retry_adds_nothing(self, shell: Shell) -> None:
        """The very same commit with its exp id again is no further run."""
        shell.write(a=recipe())
        words = ("commit", "--exp-id", "x", "-m", "idea", "--metric", "1")
        first, second = shell.objects(*words)[0], shell.objects(*words)[0]
        assert (first["oid"], first["status"]) == (second["oid"], second["status"])
        assert len(shell.objects("log")) == 1

    def test_no_content_is_equal_to_none(self, shell: Shell) -> None:
        """Folders without files say nothing of what was run."""
        assert len({shell.commit("-m", name)["oid"] for name in "ab"}) == 2


class TestSecondResults:
    """`record` on a trial that has its result."""

    def test_asks_what_it_is(self, shell: Shell) -> None:
        """A crash does not become the best because somebody recorded a number on it."""
        shell.write(a=recipe())
        shell.commit("-m", "base", "--metric", "1")
        shell.write(a=recipe(1))
        shell.commit("-m", "too far", "--status", "crash")
        refused = shell.fails(1, "record", "001", "--metric", "0.9")
        assert "001 has a result already (crash)" in refused
        assert "--revise" in refused
        assert "--replicate" in refused
        assert shell.objects("best")[0]["exp_id"] == "000"
        assert shell.objects("record", "001", "--replicate", "--metric", "0.9")[0]["exp_id"] == "002"
        assert "excludes" in shell.fails(2, "record", "001", "--revise", "--replicate", "--metric", "1")

    def test_a_finished_trial_beside_a_pending_one(self, shell: Shell) -> None:
        """The name says which of them is meant."""
        shell.write(a=recipe())
        shell.commit("-m", "base", "--metric", "1")
        shell.commit("-m", "again")
        shell.commit("-m", "once more")
        assert "has a result already" in shell.fails(1, "record", "000", "--metric", "2")
        assert shell.objects("record", "002", "--metric", "1.5")[0]["exp_id"] == "002"
        assert shell.objects("record", "001", "--metric", "1.4")[0]["exp_id"] == "001"


def test_two_clones_that_run_the_same_code_have_two_trials(open_store) -> None:
    """One exp id on one snapshot is one trial, so a further run of another writer's snapshot has a name of its own."""
    alice, bob, carol = (open_store(writer=name) for name in ("alice", "bob", "carol"))
    made = alice.commit({"a": b"1"}, trial=Trial(core_metric=1.0))
    ids = [store.record(made, Trial(core_metric=2.0), replicate=True).exp_id for store in (bob, carol, bob, alice)]
    assert ids == ["001-bob", "001-carol", "002-bob", "001"]
    assert len(alice.all_trials()) == 5


def test_a_mark_that_cannot_be_written_loses_nothing(store: LineageStore) -> None:
    """A file where the mark's folder is to be, or no such commit: the store goes on."""
    oid = store.commit({"a": b"1"}, trial=Trial(hypothesis="x")).oid
    store.ledger.stand_on("f" * 40)
    assert store.ledger.stands_on() is None
    store.ledger.stand_on(oid)
    assert store.ledger.stands_on() == oid
    os.unlink(store.ledger.repo.gitdir / "lineage" / "at")
    (store.ledger.repo.gitdir / "lineage" / "at").mkdir()
    store.ledger.stand_on(oid)
    assert store.ledger.stands_on() is None


def test_an_empty_snapshot_is_nearest_to_nothing_where_there_is_another(tmp_path: Path) -> None:
    """A small file that changed differs by less from no files at all than from what it was."""
    shell = Shell(tmp_path)
    shell.commit("-m", "nothing yet", "--metric", "3")
    (tmp_path / "a").write_text("1\n")
    shell.commit("-m", "one", "--metric", "2")
    (tmp_path / "a").write_text("2\n")
    made = shell.commit("-m", "two", "--metric", "1")
    assert made["parent"] == "001"
