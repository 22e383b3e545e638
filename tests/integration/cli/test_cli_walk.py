"""The commands that walk the graph."""

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Shell, campaign


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell on a small campaign."""
    return campaign(folder)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["parents", "003"], ["001", "002"]),
        (["parents", "000"], []),
        (["children", "000"], ["001", "002"]),
        (["children", "004"], []),
        (["ancestors", "004"], ["003", "001", "002", "000"]),
        (["ancestors", "004", "--depth", "1"], ["003"]),
        (["ancestors", "004", "--depth", "0"], []),
        (["descendants", "000", "--depth", "2"], ["001", "002", "003"]),
        (["descendants", "--leaves"], ["004"]),
        (["descendants", "000", "--leaves"], ["004"]),
        (["descendants", "004", "--leaves"], []),
        (["descendants", "000", "004", "--path"], ["000", "001", "003", "004"]),
        (["ancestors", "--common", "001", "002"], ["000"]),
        (["ancestors", "--common", "003", "001"], ["001"]),
        (["show", "--same", "003"], ["004"]),
        (["show", "--same", "best"], ["004"]),
    ],
)
def test_walks(shell: Shell, words: list[str], found: list[str]) -> None:
    """Each walk finds what it should, in lines and as objects."""
    assert [each["id"] for each in shell.objects(*words)] == found
    assert [line.split()[0] for line in shell(*words).splitlines()] == found


def test_depths_roles_and_scores(shell: Shell) -> None:
    """Walks tell how far a snapshot is, parents what they were, all of them how trials ended."""
    assert [each["depth"] for each in shell.objects("ancestors", "004")] == [1, 2, 2, 3]
    assert shell("ancestors", "004").splitlines()[3].split()[2:5] == ["3", "baseline", "1.20"]
    assert "mate" in shell("parents", "003").splitlines()[1]
    (child,) = shell.objects("descendants", "--leaves")
    assert (child["status"], child["score"], child["recorded"]) == ("crash", None, True)
    assert child["trials"][0]["hypothesis"] == "too far"


def test_ordinary_commits_are_marked(shell: Shell, git: Callable[..., str]) -> None:
    """A git parent that nobody recorded is listed as unrecorded."""
    git("commit", "--allow-empty", "-m", "mine")
    shell.commit("--parents", "HEAD", "-m", "on top of mine")
    assert "unrecorded" in shell("parents", "005")
    (parent,) = shell.objects("parents", "005")
    assert (parent["recorded"], parent["subject"]) == (False, "mine")


def test_unrelated(shell: Shell) -> None:
    """Two snapshots without a common ancestor end with exit code 1 and one line."""
    shell.commit("--root", "-m", "another root")
    assert "005 and 003 have no common ancestor" in shell.fails(1, "ancestors", "--common", "005", "003")


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        (1, ["parents", "nope"], "'nope'"),
        (1, ["children", "no\x1b[2Jpe"], "no snapshot or trial"),
        (1, ["ancestors", "--common", "000", "nope"], "'nope'"),
        (1, ["show", "--same", "nope"], "'nope'"),
        (2, ["ancestors", "000", "--depth", "-2"], "greater than or equal to -1"),
        (2, ["descendants", "000", "--depth", "deep"], "integer"),
        (2, ["ancestors", "--common", "000"], "it needs two ids"),
        (2, ["ancestors", "000", "001"], "a second id goes with --common"),
        (2, ["ancestors", "000", "--all"], "it belongs to --common"),
        (2, ["ancestors", "000", "001", "--common", "--depth", "1"], "it excludes --common"),
        (2, ["descendants"], "name a snapshot, or take --leaves alone"),
        (2, ["descendants", "--leaves", "--depth", "1"], "name a snapshot, or take --leaves alone"),
        (2, ["descendants", "000", "001"], "a second id goes with --path"),
        (2, ["descendants", "000", "--path"], "it needs two ids"),
        (2, ["descendants", "000", "001", "--path", "--leaves"], "it excludes --leaves and --depth"),
        (1, ["descendants", "nope", "--leaves"], "'nope'"),
    ],
)
def test_bad_calls(shell: Shell, code: int, words: list[str], reason: str) -> None:
    """Every bad call ends with one line that says why."""
    assert reason in shell.fails(code, *words)
