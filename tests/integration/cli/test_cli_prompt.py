"""The commands that rank and hand over: best, leaderboard, prompt and board."""

from pathlib import Path

import pytest
from command_line import Shell, campaign


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell on a small campaign."""
    return campaign(folder)


def test_best(shell: Shell) -> None:
    """The best trial as a line and as an object, now and earlier."""
    assert shell("best").startswith("003")
    assert shell.objects("best")[0]["id"] == "003"
    assert shell.objects("best", "--at", "002")[0]["id"] == "001"
    shell("commit", "--metric", "0.5", "--status", "disqualified")
    assert shell.objects("best")[0]["id"] == "003"
    assert shell.objects("best", "--eligible", "informational")[0]["id"] == "005"


def test_leaderboard(shell: Shell) -> None:
    """Kept trials by rank."""
    assert [line.split()[:2] for line in shell("leaderboard").splitlines()] == [["1", "003"], ["2", "001"]]
    assert [(each["rank"], each["id"]) for each in shell.objects("leaderboard", "-k", "1")] == [(1, "003")]
    assert shell("leaderboard", "-k", "0") == ""
    assert shell("leaderboard", "-k", "-1") == shell("leaderboard")


def test_an_earlier_leaderboard_is_scored_by_the_task_of_then(shell: Shell) -> None:
    """What was ranked by one column is shown with that column's scores, though the task has another one now."""
    before, lines = shell.objects("leaderboard"), shell("leaderboard")
    shell("init", "--metric", "accuracy", "--higher-is-better", "--force")
    assert shell.objects("leaderboard", "--at", "004") == before
    assert shell("leaderboard", "--at", "004") == lines


class TestPrompt:
    """Printing the prompt."""

    def test_nothing_but_the_prompt(self, shell: Shell) -> None:
        """Standard output holds the rendered text and not a byte more."""
        printed = shell("prompt", "bold", "--timestamp", "2026-01-01T00:00:00Z", "--workdir", "w")
        assert printed == shell("prompt", "bold", "--timestamp", "2026-01-01T00:00:00Z", "--workdir", "w")
        assert printed.startswith("# Session start — 2026-01-01T00:00:00Z\n")
        assert printed.endswith("\n") and not printed.endswith("\n\n")
        assert "exp_003" in printed and "`w`" in printed

    def test_as_an_object(self, shell: Shell) -> None:
        """--json carries the text and the records behind it."""
        (shown,) = shell.objects("prompt", "bold", "--timestamp", "t")
        assert shown["rendered_prompt"] == shell("prompt", "bold", "--timestamp", "t")
        assert shown["current_best"]["exp_id"] == "003"
        assert [each["exp_id"] for each in shown["chain_to_best"]] == ["000", "001", "003"]

    def test_its_trials_are_as_everywhere(self, shell: Shell) -> None:
        """Each has the status, score and row that log has; an empty store has no best."""
        (shown,) = shell.objects("prompt", "bold", "--timestamp", "t")
        known = {each["exp_id"]: each for each in shell.objects("log")}
        names = ("chain_to_best", "top_k_leaderboard", "recent_n_activity", "last_m_with_full_hypothesis")
        for trial in (shown["current_best"], *(each for name in names for each in shown[name])):
            assert trial == {key: known[trial["exp_id"]][key] for key in ("exp_id", "status", "score", "row")}
        shell("init", "--metric", "accuracy", "--higher-is-better", "--force")
        assert shell.objects("prompt", "bold", "--at", "004")[0]["current_best"] == shown["current_best"]
        empty = Shell(shell.folder.with_name("empty"))
        empty("init")
        assert empty.objects("prompt", "bold")[0]["current_best"] is None

    def test_the_time_is_now(self, folder: Path, shell: Shell) -> None:
        """Without --timestamp the clock is asked, or SOURCE_DATE_EPOCH."""
        assert Shell(folder, SOURCE_DATE_EPOCH="0")("prompt", "x").startswith("# Session start — 1970-01-01T00:00:00Z")
        assert shell("prompt", "x").startswith("# Session start — 2")

    def test_options_reach_the_renderer(self, shell: Shell) -> None:
        """Earlier points, cuts and the ablation change what is shown."""
        assert "exp_001" in shell("prompt", "x", "--at", "002").splitlines()[2]
        assert "LEADERBOARD" not in shell("prompt", "x", "--no-lineage")
        assert shell(
            "prompt", "x", "--tree-path", "here/tree.tsv", "--max-chars", "0", "--max-children", "1", "--raw-parents"
        )

    def test_recording(self, shell: Shell) -> None:
        """--record says on standard error which session it made."""
        result = shell.run("prompt", "bold", "--record")
        assert result.stderr.startswith("note: recorded as session ")
        assert "session" not in result.stdout.splitlines()[-1]


def test_board(shell: Shell, tmp_path: Path) -> None:
    """Five files are written, and their names printed."""
    printed = shell("board", tmp_path / "board").split()
    assert [Path(name).name for name in printed] == [
        "LEADERBOARD.md",
        "KNOWLEDGE.md",
        "tree.tsv",
        "results.tsv",
        "best.json",
    ]
    assert all(Path(name).is_file() for name in printed)
    assert shell.objects("board", tmp_path / "board") == [{"files": printed}]


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        (1, ["best", "--at", "nope"], "'nope'"),
        (1, ["prompt", "x", "--at", "2026-13-01"], "'2026-13-01'"),
        (1, ["board", "/proc/nothing"], "cannot write the board"),
        (2, ["best", "--eligible", "all"], "none of kept"),
        (2, ["leaderboard", "-k", "-2"], "greater than or equal to -1"),
        (2, ["prompt", "x", "--recent", "many"], "integer"),
        (2, ["prompt"], "missing argument 'SPECIALIST'"),
    ],
)
def test_bad_calls(shell: Shell, code: int, words: list[str], reason: str) -> None:
    """Every bad call ends with one line that says why."""
    assert reason in shell.fails(code, *words)


def test_best_of_nothing(folder: Path) -> None:
    """An empty store has no best, which is said with what to do."""
    shell = Shell(folder)
    shell("init", folder)
    assert "gitlineage commit" in shell.fails(1, "best")
