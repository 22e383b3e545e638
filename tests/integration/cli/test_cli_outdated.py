"""What was discarded by a best that was retracted or revised since is named, with the command that judges it anew."""

from pathlib import Path

import pytest
from command_line import Shell


@pytest.fixture
def run(folder: Path) -> Shell:
    """A store of four trials, the second of which is too good to be true."""
    shell = Shell(folder)
    shell("init", "--metric", "loss", "--lower-is-better")
    for score in ("1.0", "0.001", "0.8", "0.7"):
        (shell.folder / "t.py").write_text(f"x={score}\n")
        shell("commit", "-m", f"t {score}", "--metric", score)
    return shell


def missed(shell: Shell) -> list[str]:
    """Return what `status` says would be a keep now."""
    return shell.objects("status")[0]["would_be_keeps"]


def test_a_retraction_names_what_it_brings_to_light(run: Shell) -> None:
    """The discards that are better than the best that is left are told in words, in JSON, by status and by a prompt."""
    assert missed(run) == []
    said = run.run("retract", "001", "-m", "bug")
    assert "002 (loss 0.8), 003 (loss 0.7) would be kept now" in said.stderr
    assert "`gitlineage record 002 --revise --judge`" in said.stderr
    assert missed(run) == ["002", "003"]
    assert "002, 003 would be kept now" in run("status")
    assert "exp_003" in run("prompt", "--budget", "6000").split("discarded by one that does not count")[1]
    run("retract", "001", "--undo")
    assert missed(run) == []
    assert run.objects("retract", "001", "-m", "bug")[0]["would_be_keeps"] == ["002", "003"]


def test_judging_anew_gives_what_there_would_have_been(run: Shell) -> None:
    """Each is held against the best before it, in the order in which they are named, and so is its difference."""
    named = run.objects("retract", "001", "-m", "bug")[0]["would_be_keeps"]
    while named:
        named = run.objects("record", named[0], "--revise", "--judge")[0]["would_be_keeps"]
    cells = ("status", "baseline_exp", "delta_vs_best")
    rows = {each["id"]: each["row"] for each in run.objects("log")}
    assert {name: tuple(row.get(cell, "") for cell in cells) for name, row in rows.items()} == {
        "000": ("baseline", "", ""),
        "001": ("keep", "000", "-0.999000"),
        "002": ("keep", "000", "-0.200000"),
        "003": ("keep", "002", "-0.100000"),
    }
    assert missed(run) == []
    assert [each["id"] for each in run.objects("leaderboard")] == ["003", "002"]


def test_a_keep_that_was_revised_to_be_worse_is_told(run: Shell) -> None:
    """Its status stays, which is said with what changes it; what was discarded by its old score is named, too."""
    said = run.run("record", "001", "--revise", "--metric", "5.0")
    assert "001 stays a keep" in said.stderr
    assert "`gitlineage record 001 --revise --judge`" in said.stderr
    assert "002 (loss 0.8), 003 (loss 0.7)" in said.stderr
    (told,) = run.objects("record", "001", "--revise", "--judge")
    assert (told["status"], told["keep_is_beaten"], told["would_be_keeps"]) == ("discard", False, ["002", "003"])


def test_judging_anew_changes_no_true_verdict(run: Shell) -> None:
    """The best stays a keep and the first a baseline; a discard of an honest best stays one, and is not named."""
    for name, status in (("000", "baseline"), ("001", "keep"), ("002", "discard")):
        assert run.objects("record", name, "--revise", "--judge")[0]["status"] == status
    run("record", "001", "--revise", "--notes", "checked twice")
    run("retract", "000", "-m", "another machine")
    assert missed(run) == []


@pytest.mark.parametrize("more", [("--judge",), ("--revise", "--judge", "--status", "keep")])
def test_judging_anew_is_of_a_revision_without_a_status(run: Shell, more: tuple[str, ...]) -> None:
    """Anything else is refused in a line."""
    assert "--judge" in run.fails(2, "record", "003", *more)


def test_nothing_to_judge_is_refused(run: Shell) -> None:
    """A crash without a score stays what it is."""
    (run.folder / "t.py").write_text("x=crash\n")
    run("commit", "-m", "bad", "--status", "crash")
    assert "004 has no score to judge" in run.fails(1, "record", "004", "--revise", "--judge")
