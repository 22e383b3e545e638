"""gitlineage.store.store: reading the lineage back, batches, two writers, and repositories of every kind."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitlineage import Ambiguous, Invalid, InvalidTrial, LineageStore, NotFound, RepositoryError, Task, Trial
from gitlineage.git import packs

FILES = {"train.py": b"print(1)\n"}
REF = "refs/notes/lineage/alice"


def row(exp_id="*", status="keep", metric=1.0, **cells) -> Trial:
    """A trial with a score."""
    return Trial(exp_id=exp_id, status=status, core_metric=metric, **cells)


def ids(trials) -> list[str]:
    """The exp ids of some trials."""
    return [trial.exp_id for trial in trials]


# -- lists -------------------------------------------------------------------------------------------------


def test_latest_is_the_end_of_the_recording_order(store):
    """latest(n) is oldest first, none for 0, all where there are fewer, and refuses a negative number."""
    for exp_id in ("c", "a", "b"):
        store.append(row(exp_id))
    assert ids(store.all_trials()) == ["c", "a", "b"]
    assert store.latest(2) == tuple(store.all_trials()[1:])
    assert store.latest(0) == ()
    assert ids(store.latest(100)) == ["c", "a", "b"]
    assert isinstance(store.latest(), tuple)
    for call in (store.latest, store.leaderboard):
        with pytest.raises(ValueError, match="0 or more"):
            call(-1)


def test_pending_trials_are_in_no_list_but_the_log(store):
    """A trial without a result is nobody's result yet."""
    store.commit(FILES, trial=Trial(exp_id="wait"))
    assert store.all_trials() == []
    assert store.latest() == ()
    assert store.best() is None
    assert [view.trial.exp_id for view in store.log(statuses=["pending"])] == ["wait"]


def test_the_log_filters_by_what_is_asked(store):
    """Newest first, by status, specialist and cohort, cut at a number."""
    store.append(row("a", "baseline", specialist="x"))
    store.append(row("b", "crash", None, specialist="y"))
    store.append(row("c", "keep", specialist="x"))
    store.commit(FILES, trial=row("d", specialist="y"), cohort="batch")
    assert [view.trial.exp_id for view in store.log()] == ["d", "c", "b", "a"]
    assert [view.trial.exp_id for view in store.log(2)] == ["d", "c"]
    assert [view.trial.exp_id for view in store.log(0)] == []
    assert [view.trial.exp_id for view in store.log(None, statuses=["crash", "keep"])] == ["d", "c", "b"]
    assert [view.trial.exp_id for view in store.log(specialist="x")] == ["c", "a"]
    assert [view.trial.exp_id for view in store.log(cohort="batch")] == ["d"]
    assert [view.trial.exp_id for view in store.log(1, specialist="x", statuses=["baseline"])] == ["a"]


# -- best --------------------------------------------------------------------------------------------------


def test_best_is_the_earliest_strictly_best_keep_or_baseline(store):
    """A tie keeps the earlier; what was not kept never counts (semantics 11)."""
    store.append(row("000", "baseline", 1.5))
    assert store.best().exp_id == "000"
    store.append(row("001", "keep", 1.25))
    store.append(row("002", "keep", 1.25))
    store.append(row("003", "size_blocked", 0.5))
    store.append(row("004", "keep", None))
    assert store.best().exp_id == "001"
    assert store.best(eligible="informational").exp_id == "003"
    assert ids(store.leaderboard()) == ["001", "002", "004"]
    assert ids(store.leaderboard(1)) == ["001"]
    assert store.leaderboard(0) == ()


def test_a_baseline_that_was_never_beaten_stays_the_best(store):
    """A keep that only ties the baseline does not replace it."""
    store.append(row("000", "baseline", 1.5))
    store.append(row("001", "keep", 1.5))
    assert store.best().exp_id == "000"


def test_higher_is_better_turns_the_ranking(open_store):
    """The direction is the task's."""
    store = open_store(lower_is_better=False)
    for exp_id, metric in (("a", 1.0), ("b", 3.0), ("c", 3.0), ("d", -2.0)):
        store.append(row(exp_id, "keep", metric))
    assert store.best().exp_id == "b"
    assert ids(store.leaderboard()) == ["b", "c", "a", "d"]


@pytest.mark.parametrize(
    ("rows", "best"),
    [
        ([], None),
        ([("a", "discard")], "a"),
        ([("a", "harness_abort")], None),
        ([("a", "harness_abort"), ("b", "crash"), ("c", "discard")], "b"),
        ([("a", "crash"), ("b", "baseline"), ("c", "baseline")], "b"),
        ([("a", "crash"), ("b", "keep")], "a"),
    ],
)
def test_best_without_a_score_falls_back(store, rows, best):
    """The baseline, else the first informational row, else nothing (semantics 11)."""
    for exp_id, status in rows:
        store.append(row(exp_id, status, None))
    found = store.best()
    assert (found.exp_id if found else None) == best


def test_a_score_that_is_no_number_never_wins(store, git):
    """NaN is refused at the door, and one that a foreign writer slipped in is skipped."""
    snapshot = store.append(row("000", "baseline", 1.5))
    with pytest.raises(InvalidTrial):
        row("001", "keep", math.nan)
    line = '{"clock":5,"row":{"core_metric":"nan","exp_id":"evil","status":"keep"},"type":"trial"}'
    git("notes", "--ref=lineage/mallory", "add", "-m", line, snapshot.oid)
    assert store.best().exp_id == "000"
    assert [problem[0] for problem in store.history.problems()] == ["mallory"]


def test_an_unknown_rule_of_eligibility_is_an_error(store):
    """Eligible takes two words."""
    with pytest.raises(ValueError, match="eligible"):
        store.best(eligible="all")


# -- the graph ---------------------------------------------------------------------------------------------


@pytest.fixture
def family(store) -> dict:
    """A small graph: root -> a, b; cross of b and a; tip below cross; lone apart."""
    made = {}
    for name, parents in (
        ("root", []), ("a", ["root"]), ("b", ["root"]), ("cross", ["b", "a"]), ("tip", ["cross"]), ("lone", [])
    ):  # fmt: skip
        made[name] = store.commit({"f": name.encode()}, parents, trial=row(name))
    return made


def names(made: dict, snapshots) -> list[str]:
    """The names of some snapshots or nodes."""
    by_oid = {snapshot.oid: name for name, snapshot in made.items()}
    return [by_oid[getattr(each, "oid", None) or each.id] for each in snapshots]


def test_parents_and_children_are_direct_and_in_order(store, family):
    """Parents as given, children in recording order whichever parent it is."""
    assert names(family, store.parents("cross")) == ["b", "a"]
    assert names(family, store.children("root")) == ["a", "b"]
    assert names(family, store.children("a")) == ["cross"]
    assert store.parents("root") == store.children("tip") == ()


def test_ancestors_and_descendants_have_least_depth_and_exclude_the_start(store, family):
    """Every node once, nearest first, then in recording order (semantics 3, 26)."""
    found = store.ancestors("tip")
    assert [(name, node.depth) for name, node in zip(names(family, found), found, strict=True)] == [
        ("cross", 1), ("a", 2), ("b", 2), ("root", 3)
    ]  # fmt: skip
    assert names(family, store.descendants("root")) == ["a", "b", "cross", "tip"]
    assert names(family, store.ancestors("tip", 1)) == ["cross"]
    assert names(family, store.descendants("root", max_depth=2)) == ["a", "b", "cross"]
    assert store.ancestors("tip", 0) == ()
    assert store.ancestors("tip", None) == found
    with pytest.raises(ValueError, match="-2"):
        store.ancestors("tip", -2)


def test_leaves_common_ancestor_and_same(store, family):
    """Leaves in recording order, the lowest common ancestor, other derivations of equal content."""
    assert names(family, store.leaves()) == ["tip", "lone"]
    assert store.common_ancestor("a", "b").exp_id == "root"
    assert store.common_ancestor("tip", "a").exp_id == "a"
    assert store.common_ancestor("tip", "tip").exp_id == "tip"
    assert store.common_ancestor("tip", "lone") is None
    twin = store.commit({"f": b"a"}, ["tip"], trial=row("twin"))
    assert store.same("a") == (twin,)
    assert store.same("twin") == (family["a"],)
    assert store.same("b") == ()


def test_a_criss_cross_has_the_latest_recorded_of_its_lowest_ancestors(store, git):
    """Two lowest common ancestors: git names both, we name the later one."""
    a, b = store.commit({"f": b"a"}, trial=row("a")), store.commit({"f": b"b"}, trial=row("b"))
    store.commit({"f": b"x"}, ["a", "b"], trial=row("x"))
    store.commit({"f": b"y"}, ["b", "a"], trial=row("y"))
    assert store.common_ancestor("x", "y").exp_id == "b"
    bases = git("merge-base", "--all", str(store.resolve("x")), str(store.resolve("y"))).split()
    assert sorted(bases) == sorted([a.oid, b.oid])


def test_chain_to_follows_first_parents_root_first(store, family):
    """The primary line, the one asked for last; an unknown id is a KeyError (semantics 15)."""
    assert ids(store.chain_to("tip")) == ["root", "b", "cross", "tip"]
    assert ids(store.chain_to("root")) == ["root"]
    for call in (store.chain_to, store.trial, store.children, store.ancestors, store.descendants, store.parents):
        with pytest.raises(KeyError, match="nope"):
            call("nope")


def test_a_chain_goes_past_snapshots_without_a_trial(store):
    """A snapshot that has no row is no link of a chain of trials."""
    store.commit({"f": b"1"}, trial=row("a"))
    middle = store.commit({"f": b"2"}, ["a"])
    store.commit({"f": b"3"}, [middle], trial=row("b"))
    assert ids(store.chain_to("b")) == ["a", "b"]


# -- ids ---------------------------------------------------------------------------------------------------


def test_every_way_to_name_a_snapshot(store, git):
    """Exp id, exp_<id>, <id>@<writer>, best, oid, prefix, ref, snapshot, trial."""
    snapshot = store.commit(FILES, trial=row("015"))
    refs = ["refs/lineage/best", "lineage/exp/015", "refs/lineage/exp/015"]
    texts = ["015", "exp_015", "015@alice", "best", snapshot.oid, snapshot.oid[:8], *refs]
    for name in [*texts, snapshot, snapshot.trial]:
        assert store.resolve(name) == snapshot.oid, name
    with pytest.raises(TypeError):
        store.resolve(15)


def test_an_exp_id_goes_before_the_beginning_of_an_oid(store):
    """A trial named like an oid's beginning is that trial."""
    other = store.commit({"x": b"1"}, trial=row("good", metric=0.5))
    prefixed = store.commit(FILES, trial=row(other.oid[:8], metric=3.0))
    assert store.resolve(other.oid[:8]) == prefixed.oid
    assert store.resolve(other.oid[:9]) == other.oid


def test_an_unknown_id_names_the_nearest(store):
    """A typo gets the ids that look like it."""
    store.append(row("015"))
    store.append(row("alpha"))
    with pytest.raises(NotFound, match="alpha"):
        store.trial("alfa")
    with pytest.raises(NotFound, match="015"):
        store.trial("o15")
    assert store.trial("15").exp_id == "015"
    with pytest.raises(NotFound):
        store.resolve("zzzz")


@pytest.fixture
def two_writers(open_store) -> tuple[LineageStore, LineageStore]:
    """Alice and Bob in one repository, who both used 015 for different rows."""
    alice = open_store()
    bob = open_store(writer="bob", identity=("Bob", "bob@example.org"))
    alice.commit({"f": b"a"}, trial=row("015", metric=1.5))
    return alice, bob


def slip_in(git, writer: str, oid: str, clock: int, exp_id: str, metric: str) -> None:
    """Write a trial as another machine would have, without seeing what is here."""
    cells = f'{{"core_metric":"{metric}","exp_id":"{exp_id}","status":"keep"}}'
    git("notes", f"--ref=lineage/{writer}", "append", "-m", f'{{"clock":{clock},"row":{cells},"type":"trial"}}', oid)


def test_one_id_of_two_writers_is_ambiguous_everywhere(store, git):
    """015 of alice and of bob: every question asks which, and ``015@alice`` says it."""
    mine = store.commit({"f": b"a"}, trial=row("015", metric=1.5))
    theirs = git("commit-tree", mine.tree, "-m", "bob's")
    slip_in(git, "bob", theirs, 1, "015", "1.25")
    for call in (store.resolve, store.trial, store.chain_to, store.children, store.snapshot, store.files):
        with pytest.raises(Ambiguous) as caught:
            call("015")
        assert sorted(caught.value.candidates) == ["015@alice", "015@bob"]
    with pytest.raises(Ambiguous):
        store.commit(FILES, ["015"], trial=row("016"))
    assert store.resolve("015@alice") == mine.oid
    assert store.resolve("exp_015@bob") == theirs
    assert store.trial("015@bob").core_metric == 1.25
    assert ids(store.chain_to("015@bob")) == ["015"]
    assert store.best().core_metric == 1.25
    assert sorted(view.label for view in store.log()) == ["015@alice", "015@bob"]
    child = store.commit(FILES, ["015@bob"], trial=row("017"))
    assert child.parents == (theirs,)


def test_a_row_whose_parent_is_ambiguous_has_no_parent(store, git):
    """Append does not guess between two writers' trials."""
    mine = store.append(row("015", metric=1.5))
    theirs = git("commit-tree", mine.tree, "-m", "bob's")
    slip_in(git, "bob", theirs, 1, "015", "1.25")
    assert store.append(row("016", parent_exp="015")).parents == ()
    assert store.append(row("017", parent_exp="015@bob")).parents == (theirs,)


def test_one_id_on_one_snapshot_is_one_trial_whoever_says_it(store, open_store, git):
    """Identical rows of two writers collapse; a differing one is a later revision."""
    trial = row("001", metric="1.5", timestamp="2026-05-01T10:00:00Z")
    snapshot = store.append(trial)
    slip_in(git, "bob", snapshot.oid, 1, "001", "1.5")
    assert len(store.all_trials()) == 1
    slip_in(git, "bob", snapshot.oid, 9, "001", "1.75")
    assert [each.core_metric for each in store.all_trials()] == [1.75]
    assert store.trial("001").timestamp == ""


def test_writers_see_each_others_trials_at_once(two_writers):
    """Two stores on one repository: ids, clocks and children follow each other."""
    alice, bob = two_writers
    made = bob.commit({"f": b"b"}, ["015"], trial=row())
    assert made.exp_id == "016"
    assert [each.oid for each in alice.children("015")] == [made.oid]
    assert alice.append(row()).exp_id == "017"
    assert ids(bob.all_trials()) == ["015", "016", "017"]
    assert bob.snapshot("016").writer == "bob"


# -- batches -----------------------------------------------------------------------------------------------


def test_a_batch_is_one_commit_and_can_be_read_inside(store, git):
    """What was recorded inside is visible inside, and lands as one commit of the writer's ref."""
    store.append(row("000", "baseline", 1.5))
    before = int(git("rev-list", "--first-parent", "--count", REF))
    with store.batch("nightly import"):
        first = store.commit({"f": b"1"}, ["000"], trial=row(metric=1.25))
        assert store.best().exp_id == "001"
        assert store.children("000") == (first,)
        second = store.append(row(parent_exp="001", metric=1.0))
        assert second.parents == (first.oid,)
        assert ids(store.chain_to("002")) == ["000", "001", "002"]
    assert int(git("rev-list", "--first-parent", "--count", REF)) == before + 1
    assert git("log", "-1", "--format=%s", REF) == "nightly import"
    assert ids(store.all_trials()) == ["000", "001", "002"]


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), SystemExit(3)])
def test_an_exception_inside_a_batch_records_nothing(store, git, error):
    """All or none: whatever ends the block, refs and index are as before, and the store goes on."""
    store.append(row("000", "baseline", 1.5))
    before = git("for-each-ref")
    with pytest.raises(type(error)), store.batch():
        store.commit(FILES, ["000"], trial=row("001", metric=0.5), cohort="c")
        store.set_task(Task(score_field="other"), force=True)
        raise error
    assert git("for-each-ref") == before
    assert ids(store.all_trials()) == ["000"]
    assert store.cohorts() == []
    assert store.task.score_field == "core_metric"
    assert store.best().exp_id == "000"
    assert store.append(row()).exp_id == "001"
    assert ids(store.all_trials()) == ["000", "001"]


def test_an_error_caught_inside_a_batch_leaves_the_rest(store):
    """A refused record leaves nothing of itself, and what came before and after lands."""
    with store.batch():
        store.append(row("a"))
        with pytest.raises(NotFound):
            store.commit(FILES, ["nope"], trial=row("b"), cohort="new")
        with pytest.raises(InvalidTrial):
            store.append(Trial(exp_id="b"))
        store.append(row("c"))
    assert ids(store.all_trials()) == ["a", "c"]
    assert store.cohorts() == []
    store.reindex()
    assert ids(store.all_trials()) == ["a", "c"]


def test_a_closed_store_opens_again_when_it_is_used(open_store):
    """Nothing is lost by closing, and nothing breaks after it; within a batch it is refused."""
    store = open_store()
    store.append(row("000", metric=1.0))
    store.close()
    assert ids(store.all_trials()) == ["000"]
    with store:
        pass
    assert store.append(row("001", metric=0.5)).exp_id == "001"
    assert store.best().exp_id == "001"
    with store.batch():
        store.append(row("002", metric=0.4))
        for refused in (store.close, store.reindex):
            with pytest.raises(RepositoryError, match="batch is open"):
                refused()
    assert ids(store.all_trials()) == ["000", "001", "002"]
    past = store.replay(until="001")
    past.close()
    with pytest.raises(RepositoryError, match="replay it again"):
        past.best()


def test_nested_batches_are_one(store, git):
    """A batch inside a batch lands with the outer one."""
    with store.batch("outer"):
        with store.batch("inner"):
            store.append(row("a"))
        assert git("for-each-ref", REF) == ""
        store.append(row("b"))
    assert git("log", "--first-parent", "--format=%s", REF).split("\n") == ["outer", "Begin the lineage of alice"]
    assert ids(store.all_trials()) == ["a", "b"]


def test_an_inner_batch_that_fails_takes_the_outer_one_down_unless_caught(store):
    """There is one landing: an exception that leaves the outer block drops all of it."""
    with pytest.raises(KeyError, match="x"), store.batch():
        store.append(row("a"))
        with store.batch():
            store.append(row("b"))
            raise KeyError("x")
    assert store.all_trials() == []


def test_an_empty_batch_writes_no_commit(store, git):
    """Nothing recorded, nothing landed."""
    with store.batch("nothing"):
        pass
    assert git("for-each-ref") == ""


def test_the_activity_log_says_what_was_recorded(store, git):
    """Git log --first-parent of the writer's ref reads as a diary."""
    store.append(row("000", "baseline"))
    store.commit(FILES, ["000"], trial=Trial(exp_id="001"), cohort="wide")
    store.record("001", row(status="discard"))
    with store.batch():
        store.append(row("003"))
        store.append(row("004"))
    store.commit({"x": b"1"})
    said = git("log", "--first-parent", "--reverse", "--format=%s", REF).split("\n")
    assert said[:3] == ["Begin the lineage of alice", "Record 000: baseline", "Record 001: pending"]
    assert said[3:5] == ["Record 001: discard", "Record 2 trials"]
    assert said[5].startswith("Record ")


# -- tasks and writers -------------------------------------------------------------------------------------


def test_the_task_is_recorded_at_the_first_write_and_travels(open_store, git, tmp_path):
    """A clone that fetched the writer's ref ranks by the same column and direction."""
    store = open_store(task=Task(score_field="accuracy", lower_is_better=False, label="acc"))
    for exp_id, score in (("a", "0.5"), ("b", "0.75")):
        store.append(Trial(exp_id=exp_id, status="keep", extra={"accuracy": score}))
    git("clone", "-q", "--bare", ".", str(tmp_path / "clone.git"))
    git("fetch", "-q", "origin", "refs/notes/lineage/*:refs/notes/lineage/*", cwd=tmp_path / "clone.git")
    clone = open_store(tmp_path / "clone.git", writer="bob")
    assert clone.task == Task(score_field="accuracy", lower_is_better=False, label="acc")
    assert clone.best().exp_id == "b"


def test_a_store_with_another_task_is_refused(open_store):
    """Opening with the other direction is an error; set_task changes it for all."""
    open_store(lower_is_better=True).append(row("a", metric=1.0))
    with pytest.raises(Invalid, match="lower is better"):
        open_store(lower_is_better=False)
    store = open_store()
    store.append(row("b", metric=2.0))
    assert store.best().exp_id == "a"
    store.set_task(Task(lower_is_better=False), force=True)
    assert store.best().exp_id == "b"
    assert open_store(lower_is_better=False).best().exp_id == "b"


@pytest.mark.parametrize("said", [{"task": Task(score_field="loss")}, {"lower_is_better": False}])
def test_a_direction_that_was_only_assumed_is_settled_by_who_says_it(open_store, said):
    """Opening with a task, or a direction, contradicts no guess: the next write records what was said."""
    open_store().set_task(Task(score_field="loss", assumed=True))
    store = open_store(**said)
    store.append(Trial(status="keep", extra={"loss": "1"}))
    told = open_store().task
    assert (told.score_field, told.lower_is_better, bool(told.assumed)) == ("loss", "task" in said, False)
    with pytest.raises(Invalid, match="this store's task is"):
        open_store(lower_is_better=not told.lower_is_better)


def test_a_task_that_json_cannot_hold_is_refused(store):
    """A noise threshold that is not finite would be an unreadable line."""
    with pytest.raises(Invalid):
        store.set_task(Task(epsilon=math.nan))
    with pytest.raises(Invalid):
        store.set_task(Task(score_field=""))
    assert store.task == Task()
    assert store.history.problems() == []


def test_a_writer_is_made_up_once_and_kept_in_the_clone(open_store, git, folder):
    """Without a name, a clone gets one at its first write and keeps it."""
    store = open_store(writer=None)
    store.all_trials()
    assert git("for-each-ref") == ""
    name = store.append(row("a")).writer
    assert name.startswith("alice-")
    assert git("config", "lineage.writer") == name
    assert open_store(writer=None).writer == name
    git("config", "lineage.writer", "renamed")
    assert open_store(writer=None).append(row("b")).writer == "renamed"


@pytest.mark.parametrize("name", ["", "a b", "a/b", "..", ".a", "a.lock", "a..b", "-a", "ä", "a\n", "x" * 101, "a~1"])
def test_a_writer_that_no_ref_can_name_is_refused(open_store, name, git):
    """A writer's name is part of a ref."""
    if name:
        with pytest.raises(Invalid, match="cannot name a writer"):
            open_store(writer=name)
    else:
        assert open_store(writer=None).writer
    assert git("for-each-ref") == ""


# -- repositories ------------------------------------------------------------------------------------------


def test_an_empty_or_missing_folder_is_initialised(open_store, tmp_path):
    """A folder without git becomes a repository; without leave it is an error."""
    assert open_store(tmp_path / "new" / "deep").all_trials() == []
    assert (tmp_path / "new" / "deep" / ".git").is_dir()
    (tmp_path / "plain").mkdir()
    with pytest.raises(RepositoryError, match="init"):
        LineageStore(tmp_path / "plain", create=False)
    assert list((tmp_path / "plain").iterdir()) == []


def test_a_subfolder_is_its_repositorys(open_store, folder):
    """A store opened below the top is the store of the whole repository."""
    open_store().append(row("a"))
    (folder / "deep").mkdir()
    assert ids(open_store(folder / "deep").all_trials()) == ["a"]


def test_a_bare_repository_works_but_has_no_working_tree(open_store, git, tmp_path):
    """Everything but the working tree's content."""
    git("init", "-q", "--bare", str(tmp_path / "bare.git"), cwd=tmp_path)
    store = open_store(tmp_path / "bare.git")
    first = store.commit(FILES, trial=row("a"))
    assert store.append(row("b", parent_exp="a")).parents == (first.oid,)
    with pytest.raises(Invalid, match="no working tree"):
        store.commit(None)
    git("fsck", "--strict", "--no-dangling", cwd=tmp_path / "bare.git")


def test_a_linked_worktree_shares_the_store_and_has_its_own_files(open_store, git, folder, tmp_path):
    """Lineage is the repository's; HEAD and content are the worktree's."""
    store = open_store()
    (folder / "f").write_text("main\n")
    git("add", "f")
    git("commit", "-q", "-m", "one")
    git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "side")
    (tmp_path / "linked" / "f").write_text("linked\n")
    (tmp_path / "linked" / "g").write_text("new\n")
    linked = open_store(tmp_path / "linked", writer="bob")
    made = linked.commit(None, ["HEAD"], trial=row("a"))
    assert linked.files(made) == {"f": b"linked\n", "g": b"new\n"}
    assert ids(store.all_trials()) == ["a"]
    assert git("rev-parse", "refs/notes/lineage/bob")
    assert git("status", "--porcelain", cwd=tmp_path / "linked") == " M f\n?? g"
    assert git("status", "--porcelain") == ""


def test_a_sha256_repository_is_refused_by_name(open_store, git, tmp_path):
    """libgit2 cannot read it, and the error says so."""
    git("init", "-q", "--object-format=sha256", str(tmp_path / "long"), cwd=tmp_path)
    with pytest.raises(RepositoryError, match="SHA-256"):
        open_store(tmp_path / "long")


def test_a_repository_without_commits_works(store, git, folder):
    """The unborn branch stays unborn; HEAD names nothing yet."""
    store.commit(None, trial=row("a"))
    with pytest.raises(NotFound, match="HEAD"):
        store.commit(None, ["HEAD"])
    with pytest.raises(NotFound):
        store.record("HEAD", row("b"))
    assert git("for-each-ref", "refs/heads") == ""
    assert (folder / ".git" / "HEAD").read_text().startswith("ref: refs/heads/")


def test_a_shallow_clone_can_be_recorded_in(open_store, git, folder, tmp_path):
    """Parents that were cut off are named by their oid and end the walk."""
    open_store()
    for at in range(3):
        git("commit", "-q", "--allow-empty", "-m", str(at))
    git("clone", "-q", "--depth=1", f"file://{folder}", str(tmp_path / "shallow"))
    store = open_store(tmp_path / "shallow", writer="bob")
    store.record("HEAD", row("a"))
    child = store.commit(FILES, ["a"], trial=row("b"))
    assert ids(store.chain_to("b")) == ["a", "b"]
    assert [node.entry.exp_id for node in store.ancestors("b")] == ["a"]
    assert store.leaves() == (child,)
    assert len(store.parents("a")) <= 1
    assert store.recipe_edit("b").diff()


def test_derived_refs_follow_and_can_be_rebuilt(store, git):
    """best, exp and cohorts are names for plain git; deleting them loses nothing."""
    store.commit(FILES, trial=row("000", "baseline", 1.5))
    store.commit({"f": b"1"}, ["000"], trial=row("001", "discard", 2.0), cohort="c")
    store.commit({"f": b"2"}, ["000"], trial=row("002", "keep", 1.25))
    refs = git("for-each-ref", "--format=%(refname) %(objectname)", "refs/lineage").split("\n")
    assert [each.split()[0].removeprefix("refs/lineage/") for each in refs] == [
        "best",
        "cohorts/c",
        "exp/000",
        "exp/002",
        "own/alice",
    ]
    assert git("diff", "--stat", "lineage/exp/000", "lineage/best") != ""
    for each in refs:
        if "/own/" not in each:  # that one is no name that could be made again
            git("update-ref", "-d", each.split()[0])
    git("update-ref", "refs/lineage/exp/junk", refs[0].split()[1])
    store.reindex()
    assert git("for-each-ref", "--format=%(refname) %(objectname)", "refs/lineage").split("\n") == refs
    store.record("002", row("002", "disqualified"), revise=True)
    assert git("for-each-ref", "--format=%(refname)", "refs/lineage/exp") == "refs/lineage/exp/000"
    assert git("rev-parse", "lineage/best") == str(store.resolve("000"))


# -- the prompt's moments ----------------------------------------------------------------------------------


def test_the_prompt_of_an_earlier_moment_is_what_was_shown_then(store):
    """Rendering as of a trial, a commit of the ref or a time gives the bytes of that moment."""
    shown, tips = {}, {}
    for at in range(4):
        trial = row(f"{at:03d}", "keep", 2.0 - at / 4, timestamp=f"2026-05-01T1{at}:00:00Z", hypothesis=f"step {at}")
        store.append(trial)
        shown[trial.exp_id] = store.render_prompt("arch", session_timestamp="t").rendered_prompt
        tips[trial.exp_id] = store.ledger.journal.tips()["alice"]
    assert len(set(shown.values())) == 4
    for exp_id, text in shown.items():
        for moment in (exp_id, tips[exp_id], f"2026-05-01T1{int(exp_id)}:30:00Z"):
            assert store.render_prompt("arch", session_timestamp="t", at=moment).rendered_prompt == text, moment
    with pytest.raises(NotFound):
        store.render_prompt("arch", at="never")


def test_a_prompt_leaves_out_what_waits_for_its_result(store):
    """A pending trial on the way to the best is no line of its chain, with raw parents neither."""
    seed = store.commit({"f": b"0"}, trial=row("000", status="baseline", metric=2.0))
    waits = store.commit({"f": b"1"}, [seed], trial=Trial(exp_id="001", hypothesis="not known yet"))
    store.commit({"f": b"2"}, [waits], trial=row("002", metric=1.0, hypothesis="it works"))
    for raw in (False, True):
        shown = store.render_prompt("x", raw_parents=raw)
        assert "it works" in shown.rendered_prompt
        assert "not known yet" not in shown.rendered_prompt
        assert "exp_001 [" not in shown.rendered_prompt


def test_raw_parents_are_what_the_cells_say(store):
    """A prefixed id that no trial has is kept as it was typed; linked, it is the trial that it means."""
    store.append_many([row("000", status="baseline", metric=2.0), row("001", metric=1.0, parent_exp="exp_000")])
    raw = {view.label: view for view in store.ledger.views(raw_parents=True).listing()}
    assert (raw["001"].parent, raw["001"].dangling) == (None, "exp_000")
    linked = {view.label: view for view in store.log(None)}
    assert (linked["001"].parent, linked["001"].dangling) == ("000", None)


def test_a_recorded_prompt_is_kept_and_named_by_the_trial_that_follows(store, git):
    """Prompt --record keeps the bytes; the specialist's next trial says that it saw them."""
    store.append(row("000", "baseline"))
    seen = store.render_prompt("arch", record=True)
    assert git("show", f"{seen.session}:prompt.md") == seen.rendered_prompt.removesuffix("\n")
    store.commit(FILES, ["000"], trial=row("001", specialist="other"))
    store.commit(FILES, ["000"], trial=row("002", specialist="arch"))
    store.commit(FILES, ["000"], trial=row("003", specialist="arch"))
    assert {view.trial.exp_id: view.saw for view in store.log()} == {
        "000": None, "001": None, "002": seen.session, "003": None
    }  # fmt: skip
    git("gc", "--prune=now", "--quiet")
    assert git("cat-file", "-t", seen.session) == "commit"


def test_reading_writes_nothing_but_the_cache(open_store, git, folder):
    """Questions leave refs, objects, configuration and working tree as they are."""
    store = open_store()
    store.commit(FILES, trial=row("a"))

    def seen() -> list[tuple[str, bytes]]:
        skip = folder / ".git" / "lineage"
        paths = sorted(p for p in Path(folder).rglob("*") if p.is_file() and not p.is_relative_to(skip))
        return [(str(path), path.read_bytes()) for path in paths]

    before = seen()
    again = open_store()
    again.all_trials()
    again.best()
    again.render_prompt("arch")
    again.recipe_edit("a").diff()
    again.ledger.views(at="a")
    assert seen() == before


def test_a_batch_gives_the_ids_that_one_by_one_gives(tmp_path, monkeypatch):
    """Snapshots have the same oids however they were recorded, also where they fill several packs."""
    monkeypatch.setattr(packs, "_FLUSH", 2000)

    def recorded(store: LineageStore) -> Iterator[str]:
        oids: list[str] = []
        for at in range(40):
            parents = oids[max(at - 3, 0) : at : 2]
            if at % 8 == 1:
                store.open_cohort(f"c{at}", parents, allow_mixed=True)
            trial = Trial(exp_id=f"{at:03d}", status="keep", core_metric=1.0 / (at + 1), hypothesis=f"try {at}")
            cohort = f"c{at - (at - 1) % 8}" if at else None
            oids.append(store.commit({"a.py": b"%d" % at}, parents, trial=trial, cohort=cohort).oid)
        yield from oids

    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    single, batched = (
        LineageStore(tmp_path / name, writer="ann", identity=("Ann", "ann@example.org"), clock=lambda: moment)
        for name in ("single", "batched")
    )
    with batched.batch():
        together = list(recorded(batched))
    assert list(recorded(single)) == together
    assert batched.all_trials() == single.all_trials()


# -- announced and rewritten ------------------------------------------------------------------------------------------


def test_a_trial_that_is_announced_waits_for_its_result(store, git):
    """`announce` records a pending trial on any commit, whatever status it is given; `record` brings the result."""
    git("commit", "--allow-empty", "-m", "plain")
    trial = store.announce("HEAD", Trial(hypothesis="wider", status="keep"))
    assert (trial.exp_id, trial.status) == ("000", None)
    assert store.all_trials() == []
    assert store.record("HEAD", Trial(status="keep", core_metric=1.0)).hypothesis == "wider"
    with pytest.raises(NotFound):
        store.announce("nowhere", Trial())


def test_what_was_rewritten(store, git):
    """A link is recorded once, both ends know it, chains lead to what waits for a result, and circles end."""
    oids = []
    for at in range(3):
        git("commit", "--allow-empty", "-m", f"take {at}")
        oids.append(git("rev-parse", "HEAD"))
    store.announce(oids[0], Trial(hypothesis="wider"))
    store.link_rewrite(oids[1], oids[0], "amend")
    tip = store.ledger.journal.tips()["alice"]
    store.link_rewrite(oids[1], oids[0], "amend")
    assert store.ledger.journal.tips()["alice"] == tip
    store.link_rewrite(oids[2], oids[1], "rebase")
    store.link_rewrite(oids[0], oids[2], "rebase")
    assert [each.oid for each in store.rewritten_from(oids[2])] == [oids[1]]
    assert [each.oid for each in store.rewritten_as(oids[2])] == [oids[0]]
    assert store.record(oids[2], Trial(status="keep", core_metric=1.0)).exp_id == "000"
    assert store.view("000").oid == oids[0]
    with pytest.raises(Invalid, match="from itself"):
        store.link_rewrite(oids[0], oids[0])
    with pytest.raises(NotFound):
        store.link_rewrite(oids[0], "0" * 40)


def test_the_parent_cell_knows_what_was_rewritten(store, git):
    """What is recorded on top of a rewritten commit names the trial on what that was before."""
    git("commit", "--allow-empty", "-m", "one")
    old = git("rev-parse", "HEAD")
    store.record(old, Trial(status="baseline", core_metric=1.0))
    git("commit", "--allow-empty", "--amend", "-m", "uno")
    store.link_rewrite("HEAD", old, "amend")
    git("commit", "--allow-empty", "-m", "two")
    assert store.record("HEAD", Trial(status="keep", core_metric=0.9)).parent_exp == "000"


def test_a_chain_is_right_after_every_write(tmp_path):
    """A chain that was asked for before shows what was revised or derived since, here and in another store."""
    one, other = (LineageStore(tmp_path, writer=name) for name in ("ann", "bob"))
    one.commit({"a": b"1"}, trial=Trial(exp_id="a", status="keep", core_metric=1.0))
    one.commit({"a": b"2"}, ["a"], trial=Trial(exp_id="b", status="keep", core_metric=2.0))
    assert [trial.core_metric for trial in one.chain_to("b")] == [1.0, 2.0]
    other.record("a", Trial(exp_id="a", status="keep", core_metric=3.0), revise=True)
    assert [trial.core_metric for trial in one.chain_to("b")] == [3.0, 2.0]
    with one.batch():
        one.record("b", Trial(exp_id="b", status="keep", core_metric=4.0), revise=True)
        assert [trial.core_metric for trial in one.chain_to("b")] == [3.0, 4.0]
        one.record("b", Trial(exp_id="b", status="keep", core_metric=5.0), revise=True)
        assert [trial.core_metric for trial in one.chain_to("b")] == [3.0, 5.0]
    assert [trial.core_metric for trial in other.chain_to("b")] == [3.0, 5.0]
