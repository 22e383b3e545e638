"""The commands that rank and hand over: best, leaderboard, prompt and board."""

import re
import subprocess
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
    printed = shell("export", "board", tmp_path / "board").split()
    assert [Path(name).name for name in printed] == [
        "LEADERBOARD.md",
        "KNOWLEDGE.md",
        "tree.tsv",
        "results.tsv",
        "best.json",
    ]
    assert all(Path(name).is_file() for name in printed)
    assert shell.objects("export", "board", tmp_path / "board") == [{"files": printed}]


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        (1, ["best", "--at", "nope"], "'nope'"),
        (1, ["prompt", "x", "--at", "2026-13-01"], "'2026-13-01'"),
        (1, ["export", "board", "/proc/nothing"], "cannot write the board"),
        (2, ["best", "--eligible", "all"], "none of kept"),
        (1, ["export", "board", "no/such/folder"], "no/such"),
        (2, ["leaderboard", "-k", "-2"], "greater than or equal to -1"),
        (2, ["prompt", "x", "--recent", "many"], "integer"),
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


@pytest.mark.parametrize("status", ["crash", "discard"])
def test_what_was_not_kept_is_no_best(folder: Path, tmp_path: Path, status: str) -> None:
    """Where nothing ranks, no command hands out a failure as the best; the first kept trial changes that."""
    shell = Shell(folder)
    shell("init", folder)
    shell.write(a="what failed\n")
    shell.commit("-m", "did not run", "--status", status)
    for words in (["best"], ["best", "--json"], ["restore", "best"], ["accept", "best"]):
        assert "no trial with a result yet that could be the best" in shell.fails(1, *words)
    shell.fails(1, "checkout", "best", tmp_path / "out")
    brief = shell("prompt", "bold", "--budget", "2000")
    assert "of the last 1 trial)" in brief
    assert "exp_none" in brief and "restore" not in brief and "--parents" not in brief
    assert shell.objects("prompt", "bold", "--budget", "2000")[0]["current_best"] is None
    assert "best" not in shell("status").split() and shell.objects("status")[0]["best"] is None
    assert (
        shell.objects("status", "--campaigns")[0]["best"] is None
        and "best" not in shell.objects("show", "000")[0]["names"]
    )
    shell.commit("--new", "-m", "ran", "--status", "baseline")
    assert "best    001\n" in shell("status")
    shell.commit("--new", "-m", "ran", "--metric", "1.5")
    assert shell.objects("best")[0]["id"] == "002"
    assert "restore 002" in shell("prompt", "bold", "--budget", "2000")


class TestBudget:
    """A prompt of a limited length."""

    @pytest.mark.parametrize("budget", [1000, 1700, 2500, 9500])
    def test_it_is_never_longer(self, shell: Shell, budget: int) -> None:
        """Whatever the budget, the length holds, and the best is named at the top."""
        brief = shell("prompt", "bold", "--budget", budget, "--timestamp", "t")
        assert len(brief) <= budget
        assert brief.splitlines()[2] == "Current best: **exp_003** (loss=1.1)."
        assert shell.objects("prompt", "bold", "--budget", budget, "--timestamp", "t")[0]["rendered_prompt"] == brief

    def test_it_says_what_is_most_useful(self, shell: Shell) -> None:
        """The crash with its lesson, the line with both gains, near misses, and commands with ids of this store."""
        shell("record", "004", "--revise", "--status", "crash", "--notes", "nan in step 40")
        shell("commit", "--parents", "003", "-m", "nearly", "--metric", "1.1005")
        brief = shell("prompt", "--budget", "9500", "--timestamp", "t")
        assert "- crash: exp_004 [bold] too far → nan in step 40\n" in brief
        assert "- exp_003 [keep, loss=1.10, Δline=-0.05, Δbest=-0.05] cross them\n" in brief
        assert "## Near misses (best scores that were not kept)\n- exp_005 [discard, loss=1.1005] nearly\n" in brief
        assert "run -m" in brief and "--parents 003" in brief

    def test_its_commands_work_here(self, shell: Shell) -> None:
        """Every command that only asks is one that this store answers."""
        brief = shell("prompt", "bold", "--budget", "9500")
        asked = re.findall(r"`gitlineage ((?:show|diff|log|leaderboard|leaves|ancestors|search) ?[^`]*)`", brief)
        assert {each.split()[0] for each in asked} >= {"show", "diff", "search"}
        for each in asked:
            shell(*each.split())

    def test_the_example_commands_of_the_long_prompt_work_here(self, folder: Path, shell: Shell) -> None:
        """The ids in the knowledge document's examples exist, for plain git as well."""
        shown = shell("prompt", "bold").partition("## Research Tree")[2].split("```")[1]
        commands = [line for line in shown.splitlines() if line.startswith("gitlineage ")]
        assert len(commands) == 3
        for each in commands:
            shell(*each.split()[1:])
        (diff,) = [line for line in shown.splitlines() if line.startswith("git diff ")]
        assert b"+more" in subprocess.run(diff.split(), cwd=folder, capture_output=True, check=True).stdout

    def test_too_small_a_budget_is_refused(self, shell: Shell) -> None:
        """Nothing fits into a few characters, and the line says how many it takes."""
        assert "1000" in shell.fails(2, "prompt", "bold", "--budget", "200")

    def test_what_was_seen_is_recorded(self, shell: Shell) -> None:
        """--record keeps the brief as it was shown, and an empty store has one too."""
        (shown,) = shell.objects("prompt", "bold", "--budget", "1500", "--record")
        assert shown["session"] and shown["parameters"]["budget"] == 1500
        empty = Shell(shell.folder.with_name("empty"))
        empty("init")
        assert empty("prompt", "--budget", "1000").startswith("# Session start — empty lineage\n")
