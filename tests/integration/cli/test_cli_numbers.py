"""The commands stats, compare and plot: what they print for people and as JSON, and how they refuse."""

import json
import re
from pathlib import Path

import pytest
from command_line import Shell, campaign, on_terminal, process

from gitlineage import LineageStore


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell on a small campaign."""
    return campaign(folder)


def test_stats(shell: Shell) -> None:
    """A line for each group, the one with the best trial first; JSON has the library's figures."""
    assert shell("stats").split() == ["all", "5", "2", "50%", "003", "1.1", "0.1", "0.02", "1"]
    lines = shell("stats", "--by", "status").splitlines()
    assert [line.split()[0] for line in lines] == ["keep", "baseline", "discard", "crash"]
    with LineageStore(shell.folder) as store:
        for by in ("specialist", "cohort", "domain", "parent", "status", "day"):
            told = [
                {name: value for name, value in each.items() if name != "by"}
                for each in shell.objects("stats", "--by", by)
            ]
            assert told == [
                json.loads(json.dumps({f: getattr(stat, f) for f in stat.__struct_fields__}))
                for stat in store.stats(by)
            ]
    assert shell.objects("stats", "--cohort", "ideas")[0]["trials"] == 3


def test_stats_on_a_terminal(shell: Shell) -> None:
    """There is a heading, and the line fits a narrow window."""
    shown = on_terminal("stats", "--by", "specialist", folder=shell.folder, columns=60)
    assert "keep" in shown and "since keep" in shown
    assert "(no specialist)" in shown


def test_compare(shell: Shell) -> None:
    """Two trials side by side, with what only one has, and the command that shows the difference."""
    done = process("compare", "000", "003", folder=shell.folder)
    text = done.stdout.decode()
    assert "003 is better by 0.1 in the mean; too few scores for a rank test (1 and 1)" in text
    assert re.search(r"^files that only one has\n  000  —\n  003  b.txt$", text, re.MULTILINE)
    assert re.search(r"^what differs, 000 → 003\n(  .+\n)*  hypothesis +.+ → .+$", text, re.MULTILINE)
    assert "files that both have, with different content\n  a.txt\n" in text
    assert done.stderr.decode() == "note: `gitlineage diff 000 003` shows the difference\n"
    (told,) = shell.objects("compare", "ideas", "000")
    assert (told["a"]["kind"], told["a"]["trials"], told["b"]["kind"], told["test"]) == ("cohort", 2, "trial", None)


def test_plot_in_a_terminal(shell: Shell) -> None:
    """The staircase ends at the best; JSON has its points and steps."""
    text = shell("plot")
    assert text.startswith("loss of 5 trials, lower is better; best 1.1 by 003\n") and "★" in text
    (told,) = shell.objects("plot")
    assert [step["label"] for step in told["steps"]] == ["000", "001", "003"]
    assert (told["metric"], told["label"]) == ("loss", "loss")
    assert (told["total"], told["points"][0]) == (5, {"at": 0, "score": 1.2, "status": "baseline", "label": "000"})
    assert [point["label"] for point in shell.objects("plot", "--status", "discard")[0]["points"]] == ["002"]


@pytest.mark.extra("matplotlib")
def test_plot_into_a_file(shell: Shell, tmp_path: Path) -> None:
    """The format follows the ending."""
    for name, magic in (("a.svg", b"<?xml"), ("b.PNG", b"\x89PNG"), ("c.pdf", b"%PDF")):
        shell("plot", "-o", tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(magic)
    assert "cannot write /nowhere/x.svg" in shell.fails(1, "plot", "-o", "/nowhere/x.svg")


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        (2, ["stats", "--by", "author"], "'author' is none of specialist, cohort"),
        (1, ["stats", "--since", "yesterday"], "no moment 'yesterday'"),
        (1, ["stats", "--cohort", "nope"], "no cohort 'nope'"),
        (1, ["compare", "000", "nope"], "no trial or cohort 'nope'"),
        (2, ["plot", "-o", "x.gif"], "'x.gif' ends in none of .svg, .png, .pdf"),
    ],
)
def test_bad_calls(shell: Shell, code: int, words: list[str], reason: str) -> None:
    """Each ends with one line that says why."""
    assert reason in shell.fails(code, *words)
