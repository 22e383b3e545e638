"""The commands on cohorts."""

from pathlib import Path

import pytest
from command_line import Shell, campaign


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell on a small campaign."""
    return campaign(folder)


def test_opening_filling_and_showing(shell: Shell) -> None:
    """A cohort knows its base, what was said about it, and its members in recording order."""
    said = shell(
        "cohort", "new", "widths", "--base", "001", "002", "--note", "how wide", "--size", "4", "--field", "seeds=[1,2]"
    )
    assert "cohort widths on 001, 002" in said
    assert "gitlineage commit --parents 001 002 --cohort widths" in said
    for number in range(2):
        shell.commit("--parents", "001", "002", "--cohort", "widths", "-m", f"width {number}")
    (shown,) = shell.objects("cohort", "show", "widths")
    assert shown["metadata"] == {"seeds": [1, 2], "note": "how wide", "size": 4}
    assert [each["id"] for each in shown["snapshots"]] == ["005", "006"]
    printed = shell("cohort", "show", "widths")
    assert "how wide" in printed and "[1,2]" in printed and "width 1" in printed


def test_listing(shell: Shell) -> None:
    """Cohorts are listed in the order they were opened."""
    shell("cohort", "new", "later", "--parents", "003")
    assert [each["name"] for each in shell.objects("cohort", "list")] == ["ideas", "later"]
    assert [line.split()[0] for line in shell("cohort", "list").splitlines()] == ["ideas", "later"]


def test_mixed_parents(shell: Shell) -> None:
    """--allow-mixed lets members have other parents."""
    (opened,) = shell.objects("cohort", "new", "any", "--base", "000", "--allow-mixed")
    assert opened["allow_mixed"] is True
    assert shell.commit("--parents", "003", "--cohort", "any")["cohort"] == "any"


def test_opening_again_is_no_error(shell: Shell) -> None:
    """The very same cohort may be opened twice."""
    first = shell("cohort", "new", "twice", "--base", "000", "--json")
    assert shell("cohort", "new", "twice", "--base", "000", "--json") == first


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        (1, ["cohort", "show", "nope"], "no cohort 'nope'"),
        (1, ["cohort", "new", "x", "--base", "nope"], "'nope'"),
        (1, ["cohort", "new", "ideas", "--base", "003"], "open already"),
        (1, ["cohort", "new", "a\nb", "--base", "000"], "cannot name a cohort"),
        (2, ["cohort", "new", "x", "--size", "-1"], "greater than or equal to 0"),
        (2, ["cohort", "new", "x", "--field", "name=3"], "own word"),
        (2, ["cohort", "new", "x", "--base"], "at least one value"),
        (2, ["cohort", "new"], "missing argument 'NAME'"),
        (2, ["cohort", "frob"], "no such command"),
    ],
)
def test_bad_calls(shell: Shell, code: int, words: list[str], reason: str) -> None:
    """Every bad call ends with one line that says why."""
    assert reason in shell.fails(code, *words)
