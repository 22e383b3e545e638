"""What a run is judged by and may be told: commands told apart, nothing measured given, nothing good reverted."""

import sys
from pathlib import Path

import pytest
from command_line import Shell
from test_run import begun, run

from gitlineage import LineageStore

PROGRAM = "import sys; print('loss:', sys.argv[1])\n"


@pytest.fixture
def sweep(tmp_path: Path) -> Shell:
    """A repository with a program that takes what is tried as an argument."""
    shell = Shell(tmp_path / "repo")
    shell.folder.mkdir()
    shell("init", "--metric", "loss", "--lower-is-better", "--writer", "alice")
    (shell.folder / "sweep.py").write_text(PROGRAM)
    return shell


def at(shell: Shell, value: str, *words: str) -> dict:
    """Run the program with one value."""
    return run(shell, *words, "--", sys.executable, "sweep.py", value)


def test_the_same_content_under_another_command_is_no_replicate(sweep) -> None:
    """The arguments are what is tried: how far they lie apart is no noise."""
    statuses = [at(sweep, value)["status"] for value in ("0.9", "0.4", "0.7", "0.38", "0.5", "0.37")]
    assert statuses == ["baseline", "keep", "discard", "keep", "discard", "keep"]


def test_runs_of_one_command_are_replicates(sweep) -> None:
    """A lucky second run of the same is no keep."""
    values = iter(["0.9", "0.5", "0.89"])
    (sweep.folder / "sweep.py").write_text("import os; print('loss:', os.environ['LOSS'])\n")
    told = [
        run(sweep, "--if-tried", "repeat", "--", sys.executable, "sweep.py", LOSS=value)["status"] for value in values
    ]
    assert told == ["baseline", "discard", "discard"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--field", "status=keep"), "the column status says what the run came to"),
        (("--field", "loss=0.1"), "the column loss says what the run came to"),
        (("--field", "exit_code=0"), "the column exit_code says"),
        (("--link", "missing"), "--link missing: there is no such file or folder"),
        (("--link", "/"), "--link /: it is not in the working tree"),
        (("--frozen", "missing.py"), "--frozen missing.py: there is no such file or folder"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_recorded(sweep, words, told) -> None:
    """One line, and no trial."""
    done = sweep.run("run", *words, "--", "true")
    assert done.exit_code != 0
    assert told in done.stderr
    with LineageStore(sweep.folder) as store:
        assert store.log() == []


def test_the_files_of_a_keep_are_not_reverted(sweep) -> None:
    """A further run of what was kept may be worse; its files are still the best."""
    at(sweep, "0.9")
    (sweep.folder / "sweep.py").write_text(PROGRAM + "# better\n")
    assert at(sweep, "0.4")["status"] == "keep"
    assert at(sweep, "0.8", "--revert")["status"] == "discard"
    assert (sweep.folder / "sweep.py").read_text().endswith("# better\n")


def test_a_result_for_a_command_that_is_going_is_refused(sweep) -> None:
    """What the command gives has its place; when it has ended, --revise says something else."""
    code = (
        "import os, time, pathlib\nopen(os.environ['READY'], 'w')\n"
        "while not pathlib.Path(os.environ['GO']).exists(): time.sleep(0.02)\nprint('loss: 0.5')\n"
    )
    go = Path(sweep.folder).parent / "go"
    runner = begun(sweep, "--", sys.executable, "-c", code, GO=str(go))
    try:
        done = sweep.run("record", "000", "--metric", "0.2")
        assert done.exit_code == 1
        assert "000 is being run" in done.stderr
    finally:
        go.touch()
        runner.wait()
    with LineageStore(sweep.folder) as store:
        assert store.trial("000").text("loss") == "0.5"


def test_a_checkout_for_a_run_has_the_users_own_links(sweep, tmp_path) -> None:
    """Links to data elsewhere stay links there, and ``--link`` gives one that would lead nowhere its place."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "score").write_text("0.3")
    (sweep.folder / "absolute").symlink_to(tmp_path / "data")
    (sweep.folder / "relative").symlink_to("../data")
    code = "print('loss:', open('absolute/score').read()); open('relative/score')"
    done = run(sweep, "--isolated", "--link", "relative", "--", sys.executable, "-c", code)
    assert (done["status"], done["score"]) == ("baseline", 0.3)


def test_without_a_metric_nothing_is_run(tmp_path) -> None:
    """Nobody said what is optimised: whatever is printed would count for nothing."""
    shell = Shell(tmp_path / "repo")
    shell.folder.mkdir()
    done = shell.run("run", "--", "true")
    assert done.exit_code == 1
    assert "nobody said which metric is optimised" in done.stderr
