"""Which score a run gave: the first place that has it, finite numbers only, nothing that is older than the run."""

import os
import time
from pathlib import Path

import pytest

from gitlineage.model.records import Task
from gitlineage.run.metric import find
from gitlineage.run.records import Found

TASK = Task(score_field="val_bpb")


def found(folder: Path, log: str = "", *, name: str = "", source: str = "", since: float = 0.0) -> Found:
    """Look for the score of a run in a folder."""
    result = folder / "result.json"
    return find(TASK, name=name, source=source, result=result, folder=folder, log=log.encode(), since=since)


def test_places_are_asked_in_order(tmp_path):
    """The result file, the named source, DVCLive, METRIC lines, the output; each is told."""
    log = "val_bpb: 5\nMETRIC val_bpb=4\nval_bpb: 5.5\n"
    told = [found(tmp_path, "val_bpb: 5\n").where, found(tmp_path, log).where]
    (tmp_path / "dvclive").mkdir()
    (tmp_path / "dvclive/metrics.json").write_text('{"val_bpb": 3}')
    told.append(found(tmp_path, log).where)
    (tmp_path / "out.json").write_text('{"val_bpb": 2}')
    told.append(found(tmp_path, log, source="out.json").where)
    (tmp_path / "result.json").write_text('{"val_bpb": 1, "lr": 0.1}')
    last = found(tmp_path, log, source="out.json")
    assert [*told, last.where] == [
        "the output",
        "a METRIC line",
        "dvclive/metrics.json",
        "out.json",
        "GITLINEAGE_RESULT",
    ]
    assert (last.score, last.others["lr"]) == ("1", "0.1")


@pytest.mark.parametrize(
    ("log", "score"),
    [
        ("val_bpb: 1.5\nval_bpb: 1.25\n", "1.25"),
        ("step 3 | val_bpb=1.5 | lr=0.1\n", "1.5"),
        ("bpb: 1.5", "1.5"),
        ("score: 1.5", "1.5"),
        ("best_val_bpb: 1.5", ""),
        ("val_bpb: nan", ""),
        ("val_bpb: 1.5\nval_bpb: inf", ""),
        ("METRIC val_bpb=1e-3", "1e-3"),
        ("not METRIC val_bpb=1", "1"),
        ("METRIC lr=0.1 val_bpb=1.25", "1.25"),
        ("METRIC val_bpb: 2, lr: 0.1;", "2"),
        ("val_bpb: 0", "0"),
        ("", ""),
    ],
)
def test_the_last_number_of_the_metric_counts_where_it_is_finite(tmp_path, log, score):
    """One that is missing, or no number, is unknown."""
    assert found(tmp_path, log).score == score


@pytest.mark.parametrize(
    ("log", "score", "where"),
    [
        ("val_bpb: 1.2\ntrain val_bpb: 0.1\n", "1.2", "the output"),
        ("val_bpb: 1.2\nbest val_bpb: 0.9 at step 3\n", "1.2", "the output"),
        ("step 3 | val_bpb: 1.3\nfinal val_bpb: 1.2\n", "1.2", "the output"),
        ("epoch 3 val_bpb: 1.2\nlast val_bpb=1.1\n", "1.1", "the output"),
        ("target val_bpb: 0.01\n", "0.01", "the output, as 'target val_bpb'"),
    ],
)
def test_a_word_before_the_name_may_make_it_another_number(tmp_path, log, score, where):
    """Where the name stands alone somewhere that counts; else what was taken for it is said."""
    told = found(tmp_path, log)
    assert (told.score, told.where) == (score, where)


def test_a_pattern_finds_its_last_match(tmp_path):
    """Its first group is the number; a pattern without a match says so."""
    assert found(tmp_path, "loss 3\nloss 2\n", source=r"re:^loss (\S+)").score == "2"
    assert "nothing in the output matches" in found(tmp_path, "x", source="re:^loss (.*)").missing


def test_a_file_from_before_the_run_is_not_its_own(tmp_path):
    """Yesterday's result is no result, and that is said."""
    (tmp_path / "out.json").write_text('{"val_bpb": 1}')
    os.utime(tmp_path / "out.json", (1, 1))
    told = found(tmp_path, source="out.json", since=time.time())
    assert (told.score, told.missing) == ("", "out.json is older than the run")


def test_json_that_python_writes_is_read_and_what_is_inside_is_named(tmp_path):
    """Objects inside have their names joined; NaN is no score; truth values and lists are no numbers."""
    (tmp_path / "result.json").write_text('{"val_bpb": NaN, "eval": {"loss": 2.5}, "done": true, "all": [1]}')
    told = found(tmp_path)
    assert told.score == "" and "'nan'" in told.missing
    assert told.others == {"eval.loss": "2.5"}


def test_numbers_of_the_output_become_columns_but_never_ours(tmp_path):
    """The last lines' names are columns; none gets into a column that the store fills in."""
    told = found(tmp_path, "val_bpb: 1\npeak_vram_mb: 450\nhost: 7\nexit_code: 9\ntrain_s: 3\nstatus: 1\n")
    assert told.others == {"peak_vram_mb": "450"}


def test_the_metrics_name_may_be_another_one_in_the_output(tmp_path):
    """``--metric`` says which."""
    assert found(tmp_path, "loss: 2\nval_bpb: 1\n", name="loss").score == "2"


def test_keys_that_could_name_no_column_are_left_out(tmp_path):
    """Whatever a result file says, its row can be recorded."""
    (tmp_path / "result.json").write_text('{"val_bpb": 1, "a\\\\nb": 2, "": 3, " x": 4, "\\\\u202e": 5, "fine/x-1": 6}')
    assert found(tmp_path).others == {"fine/x-1": "6"}


def test_a_place_that_was_wrong_is_named_beside_the_one_that_is_taken(tmp_path) -> None:
    """A result file that is no JSON does not go by in silence."""
    result = tmp_path / "result.json"
    result.write_text('{"loss": 0.2, "x":')
    found = find(
        Task(score_field="loss"), name="", source="", result=result, folder=tmp_path, log=b"loss: 0.9\n", since=0.0
    )
    assert found.score == "0.9"
    assert found.where.startswith("the output (the file that GITLINEAGE_RESULT names holds no JSON")


def test_a_metric_line_may_name_several_and_one_that_cannot_be_read_is_told(tmp_path):
    """All its pairs are read; of a line that is none it is said where the score was looked for."""
    several = found(tmp_path, "METRIC val_bpb=1.5 lr=0.1, steps=10\n")
    assert (several.score, several.where) == ("1.5", "a METRIC line")
    assert (several.others["lr"], several.others["steps"]) == ("0.1", "10")
    broken = found(tmp_path, "METRIC val_bpb = 1.5 or so\nval_bpb: 2\n")
    assert broken.score == "2" and "1 of the METRIC lines cannot be read" in broken.where
    assert "METRIC name=value" in found(tmp_path, "METRIC val_bpb\n").missing
