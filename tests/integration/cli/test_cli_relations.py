"""The commands on typed relations."""

from pathlib import Path

import pytest
from command_line import Shell, campaign

WITH_TYPES = [
    ["ancestors", "001", "--relations"],
    ["descendants", "001", "--relations"],
    ["common-ancestor", "001", "002", "--relations"],
    ["relations", "--type"],
    ["path", "000", "004", "--type"],
]
"""Calls whose next word is types of relations."""


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell on a small campaign."""
    return campaign(folder)


def test_relate_and_list(shell: Shell) -> None:
    """A relation is recorded, listed by either end, ended with a reason, and then shown on request only."""
    assert shell("relate", "002", "depends_on", "001", "--by", "agent", "--context", "v=>=2").split()[:3] == [
        "002",
        "depends_on",
        "001",
    ]
    (said,) = shell.objects("relations", "001")
    assert (said["source"], said["relationship_type"], said["target"]) == ("002", "depends_on", "001")
    assert (said["created_by"], said["context"]) == ("agent", {"v": ">=2"})
    assert shell.objects("relations", "--source", "002", "--type", "depends_on", "--by", "agent") == [said]
    assert shell.objects("relations", "000") == shell.objects("relations", "--type", "tested_by") == []
    shell("relate", "002", "depends_on", "001", "--end", "--reason", "not any more")
    assert shell.objects("relations") == []
    (ended,) = shell.objects("relations", "--ended")
    assert (ended["deprecated"], ended["deprecation_reason"]) == (True, "not any more")
    assert "not any more" in shell("relations", "--ended")


def test_walks_over_relations(shell: Shell) -> None:
    """Dependents, ancestors by type and paths follow relations, and say which."""
    shell("relate", "002", "depends_on", "001")
    assert [each["id"] for each in shell.objects("dependents", "001")] == ["002"]
    (node,) = shell.objects("ancestors", "002", "--relations", "depends_on,tested_by")
    assert (node["id"], node["relationship"], node["depth"]) == ("001", "depends_on", 1)
    assert [each["id"] for each in shell.objects("descendants", "001", "--relations", "depends_on")] == ["002"]
    assert "depends_on" in shell("ancestors", "002", "--relations", "depends_on")
    assert [each["id"] for each in shell.objects("path", "000", "004")] == ["000", "001", "003", "004"]
    assert "no path leads from 004 to 000" in shell.fails(1, "path", "004", "000")


@pytest.mark.parametrize("words", [["tested_by,depends_on"], ["tested_by", "--type", "depends_on"]])
def test_several_types(shell: Shell, words: list[str]) -> None:
    """Lists and paths take several types, with commas between them or one at a time."""
    shell("relate", "002", "depends_on", "001")
    shell("relate", "004", "tested_by", "002")
    shell("relate", "003", "implements", "001")
    found = shell.objects("relations", "--type", *words)
    assert [(each["source"], each["target"]) for each in found] == [("002", "001"), ("004", "002")]
    assert [each["id"] for each in shell.objects("path", "001", "004", "--type", *words)] == ["001", "002", "004"]


def test_a_history_takes_any_context(shell: Shell) -> None:
    """What a relation calls metrics may be something else; the step is told without any."""
    shell("relate", "002", "successor_to", "000", "--context", "metrics=fast", "--context", "evolution_type=speed")
    assert "speed" in shell("history", "002")
    (step,) = [step for step in shell.objects("history", "002") if step["evolution_type"] == "speed"]
    assert step["metrics"] == {}


def test_common_ancestors_over_relations(shell: Shell) -> None:
    """Recorded successions count beside git parents; other types on request; all lowest ones on request."""
    assert [each["id"] for each in shell.objects("common-ancestor", "001", "002")] == ["000"]
    shell("evolve", "001", "002")
    assert [each["id"] for each in shell.objects("common-ancestor", "002", "001")] == ["001"]
    shell("relate", "004", "depends_on", "002")
    found = shell.objects("common-ancestor", "004", "002", "--relations", "depends_on", "--all")
    assert [each["id"] for each in found] == ["002"]


def test_evolution(shell: Shell) -> None:
    """A step is recorded with what was measured, and the history tells it with the others."""
    shell("evolve", "001", "002", "--type", "speed", "--failed", "--metric", "ms=3.5")
    steps = shell.objects("history", "002")
    assert {(step["from"], step["to"]) for step in steps} == {("000", "001"), ("000", "002"), ("001", "002")}
    told = next(step for step in steps if step["from"] == "001")
    assert (told["evolution_type"], told["success"], told["metrics"]) == ("speed", False, {"ms": 3.5})
    assert len(shell.objects("history", "002", "--successful")) == len([step for step in steps if step["success"]])
    assert len(shell.objects("history", "001", "--siblings")) > len(shell.objects("history", "001"))
    assert "ms: 3.5" in shell("history", "002")
    line = next(line for line in shell("history", "003").splitlines() if "cross them" in line)
    assert "1.10" in line and "unknown" not in line


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["relate", "001", "likes", "000"], 2, "'likes' is none of successor_to"),
        (["relate", "nope", "depends_on", "000"], 1, "no source 'nope'"),
        (["relate", "000", "depends_on", "nope"], 1, "no target 'nope'"),
        (["relate", "000", "depends_on", "000"], 1, "related to itself"),
        (["relate", "000", "depends_on", "004", "--all-types"], 1, "would create a cycle"),
        (["relate", "001", "depends_on", "000", "--end"], 1, "there is no active relation"),
        (["relate", "001", "depends_on", "000", "--reason", "x"], 2, "--reason goes with --end"),
        (["relate", "001", "depends_on", "000", "--context", "x"], 2, "NAME=VALUE"),
        (["evolve", "000", "001", "--metric", "ms=fast"], 2, "no finite number"),
        *(([*words, "likes"], 2, "'likes' is none of successor_to") for words in WITH_TYPES),
        *(([*words, "depends_on,likes"], 2, "'likes' is none of successor_to") for words in WITH_TYPES),
        *(([*words, ""], 2, "'' is none of successor_to") for words in WITH_TYPES),
    ],
)
def test_bad_calls(shell: Shell, words: list[str], code: int, said: str) -> None:
    """What is wrong is said in one line, and nothing is recorded."""
    assert said in shell.fails(code, *words)
    assert shell.objects("relations", "--ended") == []
