"""Which score a run gave: the first place that has it, finite numbers only, nothing that is older than the run."""

import os
import time
from pathlib import Path

import pytest

from gitlineage.model.records import Task
from gitlineage.run.metric import find, last_shown
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
    assert (found.score, found.where) == ("0.9", "the output")
    assert found.passed.startswith("the file that GITLINEAGE_RESULT names holds no JSON")


@pytest.mark.parametrize("given", ["NaN", "Infinity", "null", '"n/a"'])
def test_a_place_that_says_there_is_no_score_is_heard(tmp_path, given) -> None:
    """What diverged is not saved by a number that was printed before: the first place that names the score decides."""
    (tmp_path / "result.json").write_text(f'{{"val_bpb": {given}}}')
    told = found(tmp_path, "val_bpb: 0.04\n")
    assert told.score == "" and "no finite number" in told.missing
    diverged = found(tmp_path, f"METRIC val_bpb={given}\nval_bpb: 0.04\n")
    assert diverged.score == "" and "no finite number" in diverged.missing


def test_a_metric_line_may_name_several_and_one_that_cannot_be_read_is_told(tmp_path):
    """All its pairs are read; of a line that is none it is said where the score was looked for."""
    several = found(tmp_path, "METRIC val_bpb=1.5 lr=0.1, steps=10\n")
    assert (several.score, several.where) == ("1.5", "a METRIC line")
    assert (several.others["lr"], several.others["steps"]) == ("0.1", "10")
    broken = found(tmp_path, "METRIC val_bpb = 1.5 or so\nval_bpb: 2\n")
    assert broken.score == "2" and "1 of the METRIC lines cannot be read" in broken.passed
    assert "METRIC name=value" in found(tmp_path, "METRIC val_bpb\n").missing


@pytest.mark.parametrize(
    ("log", "score", "where"),
    [
        ("val_bpb=0.5,acc=3", "0.5", "the output"),
        ("step 3, val_bpb=0.5,acc=3", "0.5", "the output"),
        ("\x1b[32mval_bpb\x1b[0m: \x1b[1m0.5\x1b[0m", "0.5", "the output"),
        ("Val_BPB: 0.5", "0.5", "the output, as 'Val_BPB'"),
        ("val_bpb: 2\nVAL_BPB: 0.5", "2", "the output"),
        ("Final BPB: 0.5\nscore: 7", "0.5", "the output, as 'BPB'"),
        ('{"val_bpb": 0.5, "epoch": 3}', "0.5", "the output"),
        ("{'val_bpb': 0.5, 'epoch': 1.0}", "0.5", "the output"),
        ('INFO {"val_bpb": 0.5, "epoch": 3}', "0.5", "the output"),
        ('{"val_bpb": NaN}', "", ""),
        ('{"eval": {"val_bpb": 0.5}}', "", ""),
        ("val_bpb: 1,234.5", "", ""),
        ("step 3 val_bpb: 1,234.5", "", ""),
        ("train VAL_BPB: 0.1\nval_bpb: 0.5", "0.5", "the output"),
        ("val_bpb: 98.5%", "98.5", "the output, as 'val_bpb: 98.5%'"),
        ("val_bpb: 900 ms (best 1.2 s)", "900", "the output, as 'val_bpb: 900 ms'"),
        ("step 3 val_bpb=1.5x, lr=0.1", "1.5", "the output, as 'val_bpb: 1.5x'"),
        ("val_bpb: 0.5 s3", "0.5", "the output"),
        ("val_bpb: 0.5 at step 3 / 10", "0.5", "the output"),
        ("val_bpb: 0.5 / acc: 0.9", "0.5", "the output"),
        ("val_bpb: 0.5 ± 0.1", "0.5", "the output"),
        ("val_bpb: 1 234.5", "", ""),
        ("val_bpb: 5 x 10^-3", "", ""),
        ("val_bpb: 3 / 10", "", ""),
        ("val_bpb: 3/10", "", ""),
        ("val_bpb: 0.5 -> 0.3", "", ""),
        ("val_bpb: 0.5->0.3", "", ""),
    ],
)
def test_a_score_is_read_as_people_print_it(tmp_path, log, score, where):
    """Colours, commas, other capitals and objects keep it from nobody; what may be another number is none."""
    told = found(tmp_path, log + "\n")
    assert (told.score, told.where) == (score, where)


def test_objects_of_the_last_lines_become_columns(tmp_path):
    """A line of JSON tells of more than the score."""
    told = found(tmp_path, '{"val_bpb": 0.5, "epoch": 3, "eval": {"acc": 0.9}, "name": "x"}')
    assert told.others == {"epoch": "3", "eval.acc": "0.9"}


def test_where_nothing_is_found_it_is_said_what_there_is(tmp_path):
    """Names like the score's come first; a run that printed no number hears how to print one."""
    assert found(tmp_path, "lr=0.1 | mean_val_bpb 3 | my_val_bpb=0.5").hint.startswith(
        "it gave numbers for my_val_bpb, lr: "
    )
    assert found(tmp_path, "done\n").hint.startswith("a line `val_bpb: NUMBER`")
    assert found(tmp_path, "done\n").missing == "it gave no val_bpb"


def test_a_file_that_is_not_there_is_told_beside_the_score(tmp_path):
    """It is not passed over in silence."""
    told = found(tmp_path, "val_bpb: 1\n", source="out.json")
    assert (told.score, told.where, told.passed) == ("1", "the output", "there is no file out.json")
    assert found(tmp_path, "x\n", source="out.json").missing == "there is no file out.json"


def test_the_last_score_that_was_shown_is_read_likewise():
    """Whoever watches a run sees the number that will be found."""
    assert last_shown("\x1b[1mLoss\x1b[0m=3,lr=1\nloss: 2.5 \n", ("loss",)) == "2.5"
    assert last_shown("Loss=3,lr=1\n", ("loss",)) == "3"
