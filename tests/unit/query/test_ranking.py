"""Ranking by another column than the task's: any with numbers, in a direction that is said, never guessed."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT

from gitlineage import Invalid, LineageStore, Task, Trial
from gitlineage.model.rank import beats
from gitlineage.query.ranking import criterion

ROWS = (
    ("baseline", 1.0, 30, {"acc": "0.5"}),
    ("keep", 0.9, 50, {"acc": "0.7"}),
    ("keep", 0.8, 40, {"acc": ""}),
    ("discard", 0.95, 5, {"acc": "0.9"}),
    ("keep", 0.7, None, {"acc": "0.7", "words": "fast"}),
    ("harness_abort", None, 1, {"acc": "1.0"}),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LineageStore]:
    """A line of trials with three columns of numbers."""
    with LineageStore(tmp_path / "repo") as store:
        last: tuple[str, ...] = ()
        for at, (status, score, seconds, extra) in enumerate(ROWS):
            trial = Trial(status=status, core_metric=score, train_s=seconds, extra=extra)
            last = (store.commit({"a": b"%d" % at}, parents=last, trial=trial).exp_id,)
        yield store


def ids(trials: object) -> list[str]:
    """Return exp ids."""
    return [each.exp_id for each in trials]  # type: ignore[attr-defined]


def run(folder: Path, *words: str, code: int = 0) -> str:
    """Return what the program prints, on both streams."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("GITLINEAGE_")}
    command = (sys.executable, "-m", "gitlineage", *words)
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_other_columns(store: LineageStore) -> None:
    """Kept trials with a number there are ranked by any column, ties in recording order; the task stays."""
    assert ids(store.leaderboard()) == ["004", "002", "001"]
    assert ids(store.leaderboard(metric="acc", lower_is_better=False)) == ["001", "004"]
    assert ids(store.leaderboard(metric="acc", lower_is_better=True)) == ["001", "004"]
    assert ids(store.leaderboard(metric="train_s", lower_is_better=True)) == ["002", "001"]
    assert ids(store.leaderboard(2, metric="train_s", lower_is_better=False)) == ["001", "002"]
    assert ids(store.leaderboard(metric="core_metric", lower_is_better=False)) == ["001", "002", "004"]
    assert ids(store.leaderboard(metric="core_metric")) == ids(store.leaderboard())
    assert store.task == Task() and store.resolve("best") == store.resolve("004")


def test_best(store: LineageStore) -> None:
    """The best by another column is the earliest of those that may be it; others than kept ones only when wanted."""
    assert ids([store.best(metric="acc", lower_is_better=False)]) == ["001"]
    assert ids([store.best(metric="acc", lower_is_better=True)]) == ["000"]
    assert ids([store.best(metric="train_s", lower_is_better=True)]) == ["000"]
    assert ids([store.best(metric="acc", lower_is_better=False, eligible="informational")]) == ["003"]
    assert store.best(metric="core_metric") == store.best()
    store.retract("003", "measured on the training set")
    assert ids([store.best(metric="acc", lower_is_better=False, eligible="informational")]) == ["001"]
    with pytest.raises(ValueError, match="eligible"):
        store.best(metric="acc", lower_is_better=False, eligible="all")


def test_never_guessed(store: LineageStore) -> None:
    """A direction that nobody said and a column that nobody filled are errors that say what there is."""
    for ask in (store.best, store.leaderboard):
        with pytest.raises(Invalid, match="in which direction 'acc' improves"):
            ask(metric="acc")
        with pytest.raises(Invalid, match=r"no trial has a number in a column 'words'; there are core_metric, .*acc"):
            ask(metric="words", lower_is_better=True)
    assert store.best(metric="delta_vs_best", lower_is_better=True) is not None


def test_a_column_that_no_kept_trial_has(store: LineageStore) -> None:
    """Only trials with a number rank; where none of the kept ones has one, that and the other columns are said."""
    store.commit({"a": b"x"}, parents=["004"], trial=Trial(status="discard", extra={"vram": 7}))
    store.commit({"a": b"y"}, parents=["004"], trial=Trial(status="keep", hypothesis="kept without a score"))
    said = r"no kept trial has a number in 'vram', though 1 other has; kept trials have numbers in core_metric, .*acc"
    for ask in (store.best, store.leaderboard):
        with pytest.raises(Invalid, match=said):
            ask(metric="vram", lower_is_better=True)
    assert ids([store.best(metric="vram", lower_is_better=True, eligible="informational")]) == ["006"]
    assert ids(store.leaderboard()) == ["004", "002", "001", "007"]
    assert ids(store.leaderboard(metric="core_metric")) == ["004", "002", "001"]
    folder = store.root
    store.close()
    for command in ("best", "leaderboard"):
        for words in ([], ["--json"]):
            said = run(folder, command, "--metric", "vram", "--lower-is-better", *words, code=1)
            assert said.count("\n") == 1 and "no kept trial has a number in 'vram'" in said
    shown = run(folder, "leaderboard", "--metric", "core_metric", "--json").splitlines()
    assert [json.loads(line)["id"] for line in shown] == ["004", "002", "001"]


def test_nothing_there(tmp_path: Path) -> None:
    """An empty store has no best by any column, and that is no error."""
    with LineageStore(tmp_path) as store:
        assert store.best(metric="acc", lower_is_better=True) is None
        assert ids(store.leaderboard(metric="acc", lower_is_better=True)) == []


@given(st.sampled_from(["core_metric", "acc"]), st.booleans(), st.sampled_from([None, "core_metric", "acc"]))
def test_criterion(field: str, lower: bool, metric: str | None) -> None:
    """Without a direction only the task's own column can be ranked by, in the task's direction."""
    task = Task(score_field=field, lower_is_better=lower)
    if metric in (None, field):
        assert criterion(task, metric, None) is task
    else:
        with pytest.raises(Invalid):
            criterion(task, metric, None)
    for said in (True, False):
        by = criterion(task, metric, said)
        assert (by.score_field, by.lower_is_better) == (metric or field, said)


def test_command_line(store: LineageStore) -> None:
    """The same by the commands, which say what ranks; a missing direction is a wrong call with what to type."""
    folder = store.root
    store.close()
    said = run(folder, "best", "--metric", "acc", code=2)
    assert "--lower-is-better or --higher-is-better" in said
    assert "no trial has a number in a column 'ac'" in run(
        folder, "best", "--metric", "ac", "--higher-is-better", code=1
    )
    found = json.loads(run(folder, "best", "--metric", "acc", "--higher-is-better", "--json"))
    assert (found["id"], found["score"], found["metric"], found["lower_is_better"]) == ("001", 0.7, "acc", False)
    lines = run(folder, "leaderboard", "--metric", "acc", "--higher-is-better", "--json").splitlines()
    assert [(each["rank"], each["id"], each["score"]) for each in map(json.loads, lines)] == [
        (1, "001", 0.7),
        (2, "004", 0.7),
    ]
    text = run(folder, "leaderboard", "--metric", "acc", "--higher-is-better")
    assert "ranked by acc, higher is better; the task is core_metric, lower is better" in text
    assert "metric" not in json.loads(run(folder, "best", "--json"))


def test_the_rows_in_order_and_the_index_agree_on_the_best(tmp_path: Path) -> None:
    """Whoever goes through the rows in order with `beats` ends at the trial that the index says is the best."""
    statuses = ["discard", "baseline", "keep", "harness_abort", "keep", "baseline", "crash", "keep"]
    for lower in (True, False):
        for scores in ([3.0, None, 2.0, 0.0, 2.0, 1.5, 0.1, None], [1.0, 2.0, None, 9.0, 3.0, 3.0, 9.0, 2.5]):
            with LineageStore(tmp_path / f"{lower}{scores[0]}") as store:
                store.set_task(Task(lower_is_better=lower))
                best = None
                for status, score in zip(statuses, scores, strict=True):
                    trial = store.commit({}, parents=[], trial=Trial(status=status, core_metric=score)).trial
                    assert trial is not None
                    best = trial if beats(store.task, trial, best) else best
                assert best is not None and store.best() == best


def test_what_statuses_mean_is_said_in_one_module() -> None:
    """No SQL but that of `gitlineage.model.rank` spells a status: who ranks before whom is changed in one place."""
    package = ROOT / "gitlineage"
    wrong = []
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            if any(f"'{word}'" in node.value for word in ("keep", "baseline", "harness_abort", "retracted")):
                wrong.append(f"{path.relative_to(package)}:{node.lineno}")
    assert not wrong, wrong
