"""Asking whether something was tried before, on the command line and in the library."""

import sqlite3
from pathlib import Path

import pytest
from command_line import Shell, campaign
from filled import index_file

from gitlineage import LineageStore, Trial


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell on a small campaign."""
    return campaign(folder)


def ids(found: list[dict[str, object]]) -> list[object]:
    """Return the ids of trials as JSON has them."""
    return [each["id"] for each in found]


def test_equal_content_was_tried(shell: Shell) -> None:
    """The working tree, a folder of the same files, and no other content; nothing of it gets into the repository."""
    shell("restore", "002")
    (told,) = shell.objects("tried")
    assert told["tried"] and ids(told["same"]) == ["002"]
    assert shell("tried").splitlines()[0] == "tried: equal content"
    copy = shell.folder.with_name("copy")
    copy.mkdir()
    (copy / "a.txt").write_text("three\n")
    assert shell.objects("tried", copy)[0]["tree"] == told["tree"]
    (copy / "a.txt").write_text("never tried\n")
    (other,) = shell.objects("tried", copy)
    assert not other["tried"] and other["same"] == [] and other["tree"]
    assert not LineageStore(shell.folder).ledger.repo.exists(other["tree"])
    assert shell("tried", copy) == "not tried: nothing like it is known\n"


def test_another_command_is_another_trial(shell: Shell) -> None:
    """With a command, only trials of that command are the same; others of the content are shown."""
    shell("commit", "--parents", "001", "-m", "run", "--metric", "2", "--field", "command=python a.py")
    content = shell.folder
    assert ids(shell.objects("tried", content, "--command", "python a.py")[0]["same"]) == ["005"]
    (told,) = shell.objects("tried", content, "--command", "python b.py")
    assert not told["tried"] and "005" in ids(told["other"])


def test_what_does_not_count_was_not_tried(shell: Shell) -> None:
    """A retracted trial, a harness abort and a trial without a result are no trial of the content."""
    shell.write(a="new\n")
    shell("commit", "-m", "x", "--status", "harness_abort")
    assert not shell.objects("tried", shell.folder)[0]["tried"]
    shell.write(a="newer\n")
    shell("commit", "-m", "y")
    (told,) = shell.objects("tried", shell.folder)
    assert not told["tried"] and ids(told["going"]) == ["006"]
    shell("record", "006", "--metric", "9")
    assert shell.objects("tried", shell.folder)[0]["tried"]
    shell("retract", "006", "-m", "wrong file")
    assert not shell.objects("tried", shell.folder)[0]["tried"]


def test_the_same_edit_on_another_parent_is_near(folder: Path) -> None:
    """A line that was changed in the same way from another recipe is found, whatever else differs."""
    store = LineageStore(folder)

    def recipe(**changed: str) -> dict[str, bytes]:
        return {"f": "".join(f"{changed.get(f'l{at}', at)}\n" for at in range(40)).encode()}

    seed = store.commit(recipe(), trial=Trial(status="baseline", core_metric=1.0))
    one = store.commit(recipe(l5="five"), [seed], trial=Trial(status="discard", core_metric=2.0))
    keep = store.commit(recipe(l30="thirty"), [seed], trial=Trial(status="keep", core_metric=0.5))
    both = recipe(l5="five", l30="thirty")
    for _ in range(2):  # worked out, then known
        found = store.tried(content=both, parents=[keep])
        assert [each.oid for each in found.edits] == [one.oid]
        assert found.first is None and found.is_known
    assert not store.tried(content=both, parents=[seed]).is_known
    assert [each.oid for each in store.tried(content=both).edits] == [one.oid]
    again = LineageStore(folder).tried(content=one.oid)
    assert again.first is not None and again.first.oid == one.oid


def test_alike_hypotheses_come_the_most_alike_first(shell: Shell) -> None:
    """By words, whatever their order; a hypothesis with other words is not shown, and new trials are found at once."""
    for text in ("a longer warmup of the rate", "the rate: a longer warmup", "smaller batch"):
        shell("commit", "--new", "--parents", "000", "-m", text, "--metric", "3")
    (told,) = shell.objects("tried", "-m", "longer warmup of the rate")
    assert ids(told["alike"])[0] == "005" and "006" in ids(told["alike"]) and "007" not in ids(told["alike"])
    assert told["tree"] is None and not told["tried"]
    shell("commit", "--new", "--parents", "000", "-m", "longer warmup of the rate", "--metric", "3")
    assert shell.objects("tried", "-m", "longer warmup of the rate")[0]["alike"][0]["likeness"] == 1
    assert shell.objects("tried", "-m", '"* OR NEAR(')[0]["alike"] == []


def test_a_row_alone_has_no_content(folder: Path) -> None:
    """A trial whose code nobody knows does not make its parent's content a content that was tried."""
    store = LineageStore(folder)
    seed = store.commit({"f": b"x"}, trial=Trial(status="baseline", core_metric=1.0))
    store.append(Trial(status="discard", core_metric=2.0, parent_exp=seed.exp_id))
    assert [each.label for each in store.tried(content=seed.oid).same] == [seed.exp_id]


def test_it_is_asked_inside_a_batch(folder: Path) -> None:
    """What was recorded in the batch that is open counts."""
    store = LineageStore(folder)
    with store.batch():
        made = store.commit({"f": b"x"}, trial=Trial(status="baseline", core_metric=1.0, hypothesis="warm up longer"))
        assert store.tried("warm up longer", {"f": b"x"}).first is not None
        assert store.tried("warm up longer").alike[0].view.oid == made.oid


def test_the_cost_does_not_grow_with_the_store(folder: Path) -> None:
    """Asking of content reads the index by keys alone: no statement walks through all trials or snapshots."""
    store = LineageStore(folder)
    store.append_many([Trial(status="discard", core_metric=float(at), hypothesis=f"idea {at}") for at in range(30)])
    store.commit({"f": b"x"}, trial=Trial(status="discard", core_metric=5.0))
    asked: list[str] = []
    connection = store.ledger.models.index.file.connection
    connection.set_trace_callback(asked.append)
    store.tried(content={"f": b"x"}, command="x", near=False)
    connection.set_trace_callback(None)
    with sqlite3.connect(index_file(folder).resolve()) as plain:
        (question,) = [sql for sql in asked if "WHERE s.tree = " in sql]
        plan = [line[3] for line in plain.execute(f"EXPLAIN QUERY PLAN {question}")]
    assert plan and not [step for step in plan if step.startswith("SCAN")]


def test_bad_calls(shell: Shell) -> None:
    """A folder that is not there and a parent that nobody knows are refused in one line."""
    assert "nowhere" in shell.fails(2, "tried", "nowhere")
    assert "'099'" in shell.fails(1, "tried", shell.folder, "--parents", "099")
    bare = Shell(shell.folder.with_name("not-there-yet"))
    bare.folder.mkdir()
    assert "gitlineage init" in bare.fails(1, "tried", "-m", "x")


def test_a_store_that_nobody_searched_is_compared_with_its_newest(folder: Path) -> None:
    """Without leave to build, a large store answers from its newest trials; with it, from all, and then always."""
    store = LineageStore(folder)
    rows = [Trial(status="discard", core_metric=1.0, hypothesis=f"the idea {at} of many") for at in range(2500)]
    rows[0] = Trial(status="discard", core_metric=1.0, hypothesis="an early warmup of the schedule")
    store.append_many(rows)
    assert store.tried("an early warmup of the schedule", build=False).alike == ()
    assert store.tried("the idea 2499 of many", build=False).alike[0].likeness == pytest.approx(1)
    assert store.tried("an early warmup of the schedule").alike[0].view.label == store.all_trials()[0].exp_id
    assert store.tried("an early warmup of the schedule", build=False).alike
