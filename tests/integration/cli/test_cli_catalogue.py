"""The commands on the catalogue."""

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Shell, campaign


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell on a small campaign."""
    return campaign(folder)


def test_entries(shell: Shell) -> None:
    """An entry is set, shown, listed and counted."""
    shell("catalog", "set", "001", "name=lexer", "input_type=str", "output_type=tokens", "keywords=fast, small")
    (entry,) = shell.objects("catalog", "show", "001")
    assert (entry["artifact"], entry["name"], entry["keywords"]) == ("001", "lexer", ["fast", "small"])
    assert [each["artifact"] for each in shell.objects("catalog", "list", "--status", "active")] == ["001"]
    (used,) = shell.objects("catalog", "touch", "001")
    assert used["usage_count"] == 1
    assert "lexer" in shell("catalog", "list")
    shell("catalog", "set", "002", "status=draft")
    shell("catalog", "set", "003", "status=retired")
    for words in (["draft,retired"], ["draft", "--status", "retired"]):
        found = {each["artifact"] for each in shell.objects("catalog", "list", "--status", *words)}
        assert found == {"002", "003"}


def test_forges(shell: Shell) -> None:
    """Attempts are recorded with their phases and found again by likeness and by intent."""
    shell("catalog", "attempt", "parse dates", "--phase", "understand", "--phase", "contract=failed")
    shell("catalog", "attempt", "Parse dates!", "--result", "002")
    failed, worked = shell.objects("catalog", "attempts", "parse dates")
    assert (failed["success"], failed["failed_phase"], worked["success"]) == (False, "contract", True)
    assert [each["similarity"] for each in shell.objects("catalog", "similar", "parse dates")] == [1.0, 1.0]
    (entry,) = shell.objects("catalog", "forge", "003", "a lexer", "--template", "001", "--by", "F")
    assert (entry["forged_by"], entry["forged_from"]) == ("F", "a lexer")
    assert "contract" in shell("catalog", "attempts", "parse dates")


def test_the_forger_is_who_commits(folder: Path) -> None:
    """Without --by, who forged is who the environment says, as for everything else that is recorded."""
    shell = Shell(campaign(folder).folder, GIT_AUTHOR_NAME="Forge Master", GIT_AUTHOR_EMAIL="f@example.org")
    (entry,) = shell.objects("catalog", "forge", "003", "a lexer")
    assert entry["forged_by"] == "Forge Master"


def test_impact(shell: Shell) -> None:
    """The report tells how bad it is and what to do; candidates are listed on request."""
    shell("relation", "add", "002", "depends_on", "001")
    (report,) = shell.objects("catalog", "impact", "001")
    assert (report["severity"], report["transitive_dependents"]) == ("medium", 1)
    assert "move 002 off 001" in shell("catalog", "impact", "001")
    for name in ("001", "003"):
        shell("catalog", "set", name, "input_type=str", "output_type=tokens")
    assert [each["artifact"] for each in shell.objects("catalog", "impact", "001", "--replacements")] == ["003"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["catalog", "set", "001", "color=red"], 2, "'color' is no field"),
        (["catalog", "set", "001", "name"], 2, "NAME=VALUE"),
        (["catalog", "set", "001", "status=old"], 2, "no catalogue entry"),
        (["catalog", "list", "--status", "old"], 2, "none of active"),
        (["catalog", "show", "nope"], 1, "no snapshot or trial 'nope'"),
        (["catalog", "attempt", "x", "--phase", "dream"], 2, "'dream' is no forge phase"),
        (["catalog", "attempt", "x", "--phase", "{"], 2, "no JSON object"),
        (["catalog", "attempt", "x", "--phase", "contract=maybe"], 2, "ok or failed"),
        (["catalog", "similar", "x", "--threshold", "2"], 2, "less than or equal to 1"),
        (["catalog", "attempt", "x", "--phase", '{"phase_name": "dream"}'], 2, "'dream' is no forge phase"),
        (["catalog", "list", "--status", "active,old"], 2, "'old' is none of active"),
        (["catalog", "impact", "nope"], 1, "'nope'"),
        (
            ["catalog", "set", "HEAD", "name=x"],
            1,
            "so `gitlineage record HEAD --status STATUS` comes first",
        ),
    ],
)
def test_bad_calls(shell: Shell, git: Callable[..., str], words: list[str], code: int, said: str) -> None:
    """What is wrong is said in one line."""
    git("commit", "--quiet", "--allow-empty", "-m", "by hand")
    assert said in shell.fails(code, *words)
