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
        (["leaves"], ["004"]),
        (["common-ancestor", "001", "002"], ["000"]),
        (["common-ancestor", "003", "001"], ["001"]),
        (["same", "003"], ["004"]),
        (["same", "best"], ["004"]),
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
    (child,) = shell.objects("leaves")
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
    assert "005 and 003 have no common ancestor" in shell.fails(1, "common-ancestor", "005", "003")


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        (1, ["parents", "nope"], "'nope'"),
        (1, ["children", "no\x1b[2Jpe"], "no snapshot or trial"),
        (1, ["common-ancestor", "000", "nope"], "'nope'"),
        (1, ["same", "nope"], "'nope'"),
        (2, ["ancestors", "000", "--depth", "-2"], "greater than or equal to -1"),
        (2, ["descendants", "000", "--depth", "deep"], "integer"),
        (2, ["common-ancestor", "000"], "missing argument 'OTHER'"),
        (2, ["leaves", "000"], "unexpected"),
    ],
)
def test_bad_calls(shell: Shell, code: int, words: list[str], reason: str) -> None:
    """Every bad call ends with one line that says why."""
    assert reason in shell.fails(code, *words)
