"""Many processes write one store at once: nothing is lost, nothing comes twice, the history is one line."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import gitlineage
from gitlineage import Trial

PACKAGE = Path(gitlineage.__file__).resolve().parents[1]

APPEND = """
import sys
from gitlineage import LineageStore, Trial
root, writer, name, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
store = LineageStore(root, writer=writer, identity=("W", "w@example.org"))
print("ready", flush=True)
sys.stdin.readline()
for at in range(count):
    snapshot = store.append(Trial(status="discard", specialist=name, core_metric=1.0 + at, hypothesis=f"{name} {at}"))
    print(snapshot.exp_id, snapshot.oid, flush=True)
"""

COMMIT = """
import sys
from gitlineage import LineageStore, Trial
root, writer, name, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
store = LineageStore(root, writer=writer, identity=("W", "w@example.org"))
print("ready", flush=True)
sys.stdin.readline()
for at in range(count):
    with store.batch():
        first = store.commit({"f": f"{name} {at}".encode()}, ["000"], trial=Trial(status="discard"), cohort=name)
        second = store.commit({"f": b"2"}, [first], trial=Trial(status="keep", core_metric=1.0))
    print(first.exp_id, first.oid, second.exp_id, second.oid, flush=True)
"""


def run_together(script: str, calls: Sequence[Sequence[str]]) -> list[list[str]]:
    """Run one script in several processes that start writing together, and return the words each printed."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script, *map(str, call)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for call in calls
    ]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n", process.stderr.read()
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        words = []
        for process in processes:
            out, err = process.communicate()
            assert process.returncode == 0, err[-3000:]
            words.append(out.split())
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return words


def first_parent_line(git, ref: str) -> list[str]:
    """The commits of a ref along first parents, the newest first."""
    return git("rev-list", "--first-parent", ref).split()


def test_eight_processes_with_two_hundred_appends_each(open_store, folder, git):
    """1,600 trials of one writer: none lost, none twice, ids unique, one linear history, a clean repository."""
    open_store()
    words = run_together(APPEND, [(folder, "alice", f"p{at}", 200) for at in range(8)])
    acknowledged = {exp_id: oid for each in words for exp_id, oid in zip(each[::2], each[1::2], strict=True)}
    assert sorted(acknowledged) == sorted(f"{at:03d}" for at in range(1600))
    store = open_store()
    assert len(store.all_trials()) == 1600
    assert {view.trial.exp_id: view.oid for view in store.log(None)} == acknowledged
    assert len({trial.hypothesis for trial in store.all_trials()}) == 1600
    assert [view.trial.exp_id for view in store.log(None)] == [f"{at:03d}" for at in reversed(range(1600))]
    line = first_parent_line(git, "refs/notes/lineage/alice")
    assert len(line) == 1601
    clocks = git("log", "--first-parent", "--format=%(trailers:key=Clock,valueonly,separator=)", line[0]).split()
    assert [int(clock) for clock in clocks] == list(range(1600, -1, -1))
    git("fsck", "--strict", "--no-dangling")
    assert store.reindex() == 1600
    assert {view.trial.exp_id: view.oid for view in store.log(None)} == acknowledged
    git("gc", "--prune=now", "--quiet")
    assert len(git("rev-list", "--no-walk", *acknowledged.values()).split()) == 1600
    assert git("fsck", "--strict", "--unreachable") == ""


def test_writers_of_their_own_refs_never_meet(open_store, folder, git):
    """Four writers in one repository: each ref is one line, and together they hold everything once."""
    root = open_store()
    root.append(Trial(exp_id="000", status="baseline", core_metric=2.0))
    writers = ("ann", "ben", "cat", "dan")
    words = run_together(COMMIT, [(folder, writer, writer, 20) for writer in writers])
    said = [pair for each in words for pair in zip(each[::2], each[1::2], strict=True)]
    store = open_store()
    assert len(said) == len(set(said)) == 160
    assert {(view.trial.exp_id, view.oid) for view in store.log(None)} == {*said, ("000", store.resolve("000"))}
    assert len({exp_id for exp_id, _ in said}) == 160
    assert len(store.children("000")) == 80
    for writer in writers:
        assert len(store.cohort(writer).members) == 20
        assert len(first_parent_line(git, f"refs/notes/lineage/{writer}")) == 21
    git("fsck", "--strict", "--no-dangling")
    before = [(view.label, view.order) for view in store.log(None)]
    store.reindex()
    assert [(view.label, view.order) for view in store.log(None)] == before


@pytest.mark.parametrize("how", ["append", "add"])
@pytest.mark.parametrize("recorded", [0, 1, 3])
def test_a_competing_git_notes_command_is_not_lost(store, git, how, recorded):
    """Git's own note writer moves our ref while a batch is open: its line and all of ours are there."""
    before = [store.append(Trial(exp_id=f"a{at}", status="discard")) for at in range(recorded)]
    target = before[0].oid if before and how == "append" else git("commit-tree", git("mktree", data=""), "-m", "x")
    with store.batch():
        base = store.commit({"f": b"0"}, trial=Trial(exp_id="b0", status="keep", core_metric=1.0))
        git("notes", "--ref=lineage/alice", how, "-m", "a remark", target)
        store.commit({"f": b"1"}, [base], trial=Trial(exp_id="b1", status="keep", core_metric=0.5), cohort="c")
    expected = [f"a{at}" for at in range(recorded)] + ["b0", "b1"]
    for _ in range(2):
        assert [trial.exp_id for trial in store.all_trials()] == expected
        assert store.best().exp_id == "b1"
        assert store.cohort("c").base == (base.oid,)
        assert [oid for _, oid, _ in store.history.problems()] == [target]
        assert store.reindex() == recorded + 2
    assert "a remark" in git("notes", "--ref=lineage/alice", "show", target)
    assert git("rev-parse", "refs/lineage/best") == store.resolve("b1")
    assert store.append(Trial(exp_id="after", status="discard")).exp_id == "after"
    clocks = [view.order.clock for view in reversed(store.log(None))]
    assert clocks == sorted(set(clocks))
    git("gc", "--prune=now", "--quiet")
    git("fsck", "--strict", "--no-dangling")
    assert len(store.files("b1")) == 1


def test_another_program_moves_the_ref_in_the_middle_of_a_write(open_store, folder, git):
    """Compare-and-swap holds without our lock: a writer that does not take it loses nothing and costs nothing."""
    store = open_store()
    store.append(Trial(exp_id="a", status="discard"))
    root = store.resolve("a")
    landed = []
    with store.batch():
        for at in range(3):
            store.commit({"f": b"%d" % at}, ["a"], trial=Trial(exp_id=f"b{at}", status="discard"))
            ref = "refs/notes/lineage/alice"
            tip = git("rev-parse", ref)
            new = git("commit-tree", f"{tip}^{{tree}}", "-p", tip, "-m", f"unrelated {at}\n\nClock: 1")
            git("update-ref", ref, new, tip)
            landed.append(new)
    line = first_parent_line(git, "refs/notes/lineage/alice")
    assert set(landed) <= set(line)
    assert {each.exp_id for each in store.children(root)} == {"b0", "b1", "b2"}


def test_processes_that_open_a_fresh_folder_together(tmp_path, git):
    """The first write of a clone is a race too: one repository, one writer's name, all trials."""
    script = APPEND.replace('writer=writer, identity=("W", "w@example.org")', "")
    script = script.replace('print("ready", flush=True)\nsys.stdin.readline()', "").replace(
        "import sys", 'import sys\nprint("ready", flush=True)\nsys.stdin.readline()', 1
    )
    for root in (tmp_path / f"fresh{at}" for at in range(5)):
        words = run_together(script, [(root, "-", f"p{at}", 3) for at in range(4)])
        assert len({exp_id for each in words for exp_id in each[::2]}) == 12
        refs = git("for-each-ref", "--format=%(refname)", "refs/notes", cwd=root).split("\n")
        assert len(refs) == 1
        assert len(git("rev-list", "--first-parent", refs[0], cwd=root).split()) == 13


def test_gc_while_a_store_is_open_and_writing(open_store, folder, git):
    """Git packs and prunes between the writes of one long-lived store; nothing of it goes missing."""
    store = open_store()
    parent = None
    for at in range(40):
        with pytest.raises(ZeroDivisionError), store.batch():
            store.commit({"f": b"%d" % (at + 1)}, trial=Trial(status="discard", hypothesis="dropped"))
            _ = 1 / 0
        parents = [parent] if parent else []
        parent = store.commit({"f": b"%d" % at}, parents, trial=Trial(status="discard"))
        if at % 4 == 3:
            git("gc", "--prune=now", "--quiet")
    git("fsck", "--strict", "--no-dangling")
    assert len(store.ancestors(parent)) == 39
    assert store.reindex() == 40
