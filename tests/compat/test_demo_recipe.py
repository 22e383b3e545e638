"""The demo's recipe by itself, the edits that its script makes to it, and how a run's end is read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitlineage.demo import harness
from gitlineage.demo.edits import Files, add, apply, constant, crossover, move, passage
from gitlineage.demo.loop import Clock, open_store
from gitlineage.demo.trials import BEST, ROUNDS
from gitlineage.errors import GitFailed
from gitlineage.model.trial import FailureLabel


def run_by_hand(folder: Path, hash_seed: str) -> str:
    """Run the recipe as a reader would, and return what it prints."""
    for path, content in harness.recipe().items():
        (folder / path).write_bytes(content)
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        [sys.executable, "train.py"], cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout


def contents() -> dict[str, Files]:
    """Return the files of every scripted trial, taking the newest trial for the best."""
    made: dict[str, Files] = {}
    lines: dict[str, set[str]] = {}
    for round_ in ROUNDS:
        parents = [max(made) if parent == BEST else parent for parent in round_.parents]
        files = made[parents[0]] if parents else harness.recipe()
        if len(parents) == 2:
            files = crossover(
                made[max(set.intersection(*(lines[parent] for parent in parents)))], files, made[parents[1]]
            )
        for idea in round_.ideas:
            exp_id = f"{len(made):03d}"
            made[exp_id] = apply(idea.edits, files)
            lines[exp_id] = {exp_id}.union(*(lines[parent] for parent in parents))
    return made


def test_the_recipe_gives_the_same_numbers_every_time(tmp_path):
    """What the recipe prints depends on nothing but its files and the Python version."""
    outputs = {run_by_hand(tmp_path, seed) for seed in ("0", "0", "1", "random")}
    assert len(outputs) == 1


def test_the_recipe_prints_its_metric_in_bits_per_byte(tmp_path):
    """A model that learned something needs fewer than the eight bits of a byte, and more than none."""
    printed = dict(line.split(": ") for line in run_by_hand(tmp_path, "0").splitlines())
    assert 1 < float(printed["val_bpb"]) < 8
    assert int(printed["counted"]) > int(printed["train_bytes"])


@pytest.mark.parametrize(
    ("edit", "failure", "message"),
    [
        (constant("TRAIN_BUDGET", "5_000"), FailureLabel.TRAIN_BUDGET_OVERRUN, "more than 5000 contexts counted"),
        (constant("EVAL_BUDGET", "5_000"), FailureLabel.EVAL_BUDGET_OVERRUN, "more than 5000 contexts looked up"),
        (passage("guess = 1 / 256", "guess = 1 / 200"), FailureLabel.DISQUALIFIED, "add up to"),
        (constant("MODULES", '"nowhere.txt"'), FailureLabel.CRASH, "FileNotFoundError"),
        (passage('f"val_bpb: ', 'f"loss: '), FailureLabel.CRASH, "it gave no val_bpb"),
    ],
)
def test_every_way_to_fail_has_its_own_status(edit, failure, message, tmp_path):
    """Budgets, unfair guesses, exceptions and a missing metric are told apart, by the runner of every other trial."""
    with open_store(tmp_path / "demo", Clock()) as store:
        done = harness.attempt(store, apply([edit, constant("TRAIN_BYTES", "4_000")], harness.recipe()), {})
        trial = store.trial(done.id)
    assert trial.status is failure and done.score == ""
    assert message in trial.notes
    assert "/" not in trial.notes


def test_two_attempts_of_the_same_are_the_same_to_the_last_byte(tmp_path):
    """Neither seconds nor memory nor the machine get into what is recorded, wherever it runs; the command does."""
    tips = []
    for name in ("one", "another one"):
        with open_store(tmp_path / name, Clock()) as store:
            for lines in ("4_000", "5_000"):
                files = apply([constant("TRAIN_BYTES", lines)], harness.recipe())
                done = harness.attempt(store, files, {"hypothesis": lines})
            row = store.trial(done.id)
            tips.append((store.ledger.counting(), row))
    assert tips[0] == tips[1]
    assert tips[0][1].text("command") == "python3 -I -S -B train.py" and tips[0][1].text("verdict")
    assert int(tips[0][1].text("counted")) > 0


def test_every_scripted_edit_applies_and_changes_something():
    """Each trial of the script is a recipe of its own."""
    made = contents()
    assert len({tuple(sorted(files.items())) for files in made.values()}) == len(made)


def test_the_script_tells_the_whole_story():
    """Three specialists, about twenty trials, cohorts, and crossovers of two parents."""
    ideas = [idea for round_ in ROUNDS for idea in round_.ideas]
    assert len(ideas) >= 20
    assert {idea.specialist for idea in ideas} == {"baseline", "context", "smooth", "data"}
    assert sum(round_.cohort is not None for round_ in ROUNDS) >= 3
    assert any(len(round_.parents) == 2 for round_ in ROUNDS)


def test_a_crossover_holds_what_both_parents_changed():
    """The child of the counting rule and the discount has both, and a renamed list stays renamed."""
    made = contents()
    child = made["011"]["train.py"].decode()
    assert "DISCOUNT = 0.75" in child and "DISCOUNT = 0.75" not in made["007"]["train.py"].decode()
    assert "reversed(contexts(history))" in child and "reversed" not in made["005"]["train.py"].decode()
    assert set(made["022"]) == {"train.py", "curriculum.txt"}
    assert b"ORDER = 6" in made["022"]["train.py"]


def test_a_crossover_of_conflicting_edits_is_refused():
    """Two parents that changed the same line differently cannot be merged."""
    start = harness.recipe()
    with pytest.raises(GitFailed):
        crossover(start, constant("ORDER", "3")(start), constant("ORDER", "4")(start))


@pytest.mark.parametrize(
    "edit",
    [
        constant("NOWHERE", "1"),
        passage("no such passage", ""),
        passage("self", ""),
        add("train.py", ""),
        move("x", "y", ""),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(edit):
    """An edit changes exactly what it was written for or nothing at all."""
    with pytest.raises(ValueError):
        edit(harness.recipe())
