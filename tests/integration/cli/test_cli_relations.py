"""The commands on typed relations."""

from pathlib import Path

import pytest
from command_line import Shell, campaign

WITH_TYPES = [
    ["ancestors", "001", "--relations"],
    ["descendants", "001", "--relations"],
    ["ancestors", "--common", "001", "002", "--relations"],
    ["relation", "list", "--type"],
    ["descendants", "--path", "000", "004", "--type"],
]
"""Calls whose next word is types of relations."""


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell on a small campaign."""
    return campaign(folder)


def test_relate_and_list(shell: Shell) -> None:
    """A relation is recorded, listed by either end, ended with a reason, and then shown on request only."""
    assert shell("relation", "add", "002", "depends_on", "001", "--by", "agent", "--context", "v=>=2").split()[:3] == [
        "002",
        "depends_on",
        "001",
    ]
    (said,) = shell.objects("relation", "list", "001")
    assert (said["source"], said["relationship_type"], said["target"]) == ("002", "depends_on", "001")
    assert (said["created_by"], said["context"]) == ("agent", {"v": ">=2"})
    assert shell.objects("relation", "list", "--source", "002", "--type", "depends_on", "--by", "agent") == [said]
    assert shell.objects("relation", "list", "000") == shell.objects("relation", "list", "--type", "tested_by") == []
    shell("relation", "end", "002", "depends_on", "001", "--reason", "not any more")
    assert shell.objects("relation", "list") == []
    (ended,) = shell.objects("relation", "list", "--ended")
    assert (ended["deprecated"], ended["deprecation_reason"]) == (True, "not any more")
    assert "not any more" in shell("relation", "list", "--ended")


def test_walks_over_relations(shell: Shell) -> None:
    """Dependents, ancestors by type and paths follow relations, and say which."""
    shell("relation", "add", "002", "depends_on", "001")
    assert [
        each["id"] for each in shell.objects("descendants", "--relations", "depends_on", "--depth", "1", "001")
    ] == ["002"]
    (node,) = shell.objects("ancestors", "002", "--relations", "depends_on,tested_by")
    assert (node["id"], node["relationship"], node["depth"]) == ("001", "depends_on", 1)
    assert [each["id"] for each in shell.objects("descendants", "001", "--relations", "depends_on")] == ["002"]
    assert "depends_on" in shell("ancestors", "002", "--relations", "depends_on")
    assert [each["id"] for each in shell.objects("descendants", "--path", "000", "004")] == ["000", "001", "003", "004"]
    assert "no path leads from 004 to 000" in shell.fails(1, "descendants", "--path", "004", "000")


@pytest.mark.parametrize("words", [["tested_by,depends_on"], ["tested_by", "--type", "depends_on"]])
def test_several_types(shell: Shell, words: list[str]) -> None:
    """Lists and paths take several types, with commas between them or one at a time."""
    shell("relation", "add", "002", "depends_on", "001")
    shell("relation", "add", "004", "tested_by", "002")
    shell("relation", "add", "003", "implements", "001")
    found = shell.objects("relation", "list", "--type", *words)
    assert [(each["source"], each["target"]) for each in found] == [("002", "001"), ("004", "002")]
    assert [each["id"] for each in shell.objects("descendants", "--path", "001", "004", "--type", *words)] == [
        "001",
        "002",
        "004",
    ]


def test_a_history_takes_any_context(shell: Shell) -> None:
    """What a relation calls metrics may be something else; the step is told without any."""
    shell(
        "relation",
        "add",
        "002",
        "successor_to",
        "000",
        "--context",
        "metrics=fast",
        "--context",
        "evolution_type=speed",
    )
    assert "speed" in shell("relation", "history", "002")
    (step,) = [step for step in shell.objects("relation", "history", "002") if step["evolution_type"] == "speed"]
    assert step["metrics"] == {}


def test_common_ancestors_over_relations(shell: Shell) -> None:
    """Recorded successions count beside git parents; other types on request; all lowest ones on request."""
    assert [each["id"] for each in shell.objects("ancestors", "--common", "001", "002")] == ["000"]
    shell("relation", "evolve", "001", "002")
    assert [each["id"] for each in shell.objects("ancestors", "--common", "002", "001")] == ["001"]
    shell("relation", "add", "004", "depends_on", "002")
    found = shell.objects("ancestors", "--common", "004", "002", "--relations", "depends_on", "--all")
    assert [each["id"] for each in found] == ["002"]


def test_evolution(shell: Shell) -> None:
    """A step is recorded with what was measured, and the history tells it with the others."""
    shell("relation", "evolve", "001", "002", "--type", "speed", "--failed", "--metric", "ms=3.5")
    steps = shell.objects("relation", "history", "002")
    assert {(step["from"], step["to"]) for step in steps} == {("000", "001"), ("000", "002"), ("001", "002")}
    told = next(step for step in steps if step["from"] == "001")
    assert (told["evolution_type"], told["success"], told["metrics"]) == ("speed", False, {"ms": 3.5})
    assert len(shell.objects("relation", "history", "002", "--successful")) == len(
        [step for step in steps if step["success"]]
    )
    assert len(shell.objects("relation", "history", "001", "--siblings")) > len(
        shell.objects("relation", "history", "001")
    )
    assert "ms: 3.5" in shell("relation", "history", "002")
    line = next(line for line in shell("relation", "history", "003").splitlines() if "cross them" in line)
    assert "1.10" in line and "unknown" not in line


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["relation", "add", "001", "likes", "000"], 2, "'likes' is none of successor_to"),
        (["relation", "add", "nope", "depends_on", "000"], 1, "no source 'nope'"),
        (["relation", "add", "000", "depends_on", "nope"], 1, "no target 'nope'"),
        (["relation", "add", "000", "depends_on", "000"], 1, "related to itself"),
        (["relation", "add", "000", "depends_on", "004", "--all-types"], 1, "would create a cycle"),
        (["relation", "end", "001", "depends_on", "000"], 1, "there is no active relation"),
        (["relation", "add", "001", "depends_on", "000", "--reason", "x"], 2, "no such option: --reason"),
        (["relation", "add", "001", "depends_on", "000", "--context", "x"], 2, "NAME=VALUE"),
        (["relation", "evolve", "000", "001", "--metric", "ms=fast"], 2, "no finite number"),
        *(([*words, "likes"], 2, "'likes' is none of successor_to") for words in WITH_TYPES),
        *(([*words, "depends_on,likes"], 2, "'likes' is none of successor_to") for words in WITH_TYPES),
        *(([*words, ""], 2, "'' is none of successor_to") for words in WITH_TYPES),
    ],
)
def test_bad_calls(shell: Shell, words: list[str], code: int, said: str) -> None:
    """What is wrong is said in one line, and nothing is recorded."""
    assert said in shell.fails(code, *words)
    assert shell.objects("relation", "list", "--ended") == []
