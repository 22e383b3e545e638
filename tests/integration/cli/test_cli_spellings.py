"""Old spellings of commands: each works as its new one does, says so in one line, and is taught nowhere."""

import re
from pathlib import Path

import pytest
from command_line import Shell, campaign
from places import ROOT
from typer.testing import CliRunner

from gitlineage.cli.app import COMMANDS, app
from gitlineage.cli.spellings import OLD

RELATED = ("relation", "add", "002", "depends_on", "001")
CALLS = {
    "leaves": ["--json"],
    "dependents": ["001", "--depth", "-1"],
    "path": ["000", "004", "--type", "successor_to"],
    "common-ancestor": ["--all", "001", "002", "--json"],
    "same": ["003", "--json"],
    "audit": ["003", "--json"],
    "relate --end": ["002", "depends_on", "--end", "001", "--reason", "over"],
    "relate": ["003", "tested_by", "001"],
    "relations": ["001", "--json"],
    "evolve": ["001", "002", "--type", "speed"],
    "history": ["003", "--siblings"],
    "infer": ["--notes"],
    "forge record": ["002", "a parser"],
    "forge attempts": ["a parser"],
    "forge attempt": ["a parser", "--phase", "understand"],
    "forge similar": ["a parser"],
    "forge": ["a parser"],
    "entry set": ["002", "name=lexer"],
    "entry show": ["002"],
    "entry list": ["--json"],
    "entry touch": ["002"],
    "entry": ["002", "--json"],
    "impact": ["001"],
    "board": ["made"],
    "bundle": ["made.bundle"],
    "unbundle": ["nothing.bundle"],
    "reindex": ["--json"],
    "consolidate": ["--idle", "1"],
    "verify": ["--all"],
    "campaigns": ["--json"],
    "reassert --task": ["--task"],
    "reassert": ["001"],
}
"""A call of each old spelling."""

REFUSED = {"unbundle", "reassert --task", "reassert"}
"""Those whose calls have nothing to work on."""


def test_every_old_spelling_is_called_here() -> None:
    """No spelling is without a call, none is a command's name now, and each became one that there is."""
    assert [*CALLS] == [*OLD]
    names = {name for entries in COMMANDS.values() for name in entries}
    assert not {old.split()[0] for old in OLD} & names
    assert {new.split()[0] for new in OLD.values()} <= names


@pytest.mark.parametrize("old", OLD)
def test_it_works_as_ever(old: str, tmp_path: Path) -> None:
    """The same output and exit code as the new spelling, after one line on standard error that names it."""
    shells = [campaign(tmp_path / name) for name in ("old", "new")]
    rest = [word for word in CALLS[old] if word not in old.split()]
    called = [*(word for word in old.split() if not word.startswith("-")), *CALLS[old]]
    told = []
    for shell, words in zip(shells, (called, [*OLD[old].split(), *rest]), strict=True):
        shell(*RELATED)
        told.append(shell.run(*words))
    first, *others = told[0].stderr.splitlines()
    assert first == f"note: `gitlineage {old}` is `gitlineage {OLD[old]}` now"
    assert others == told[1].stderr.splitlines()
    assert told[0].exit_code == told[1].exit_code == (1 if old in REFUSED else 0), told[0].output
    assert _plain(told[0].stdout) == _plain(told[1].stdout)


def _plain(text: str) -> str:
    """Return output without what differs between two copies: times, and the ids and sizes of what was made just now."""
    return re.sub(r"\d{4}-\d\d-\d\d[T ][\d:]+(\.\d+)?(Z|\+00:00)?|\b[0-9a-f]{8,64}\b|[\d,]+ bytes", "X", text)


def test_a_call_that_is_wrong_stays_wrong(tmp_path: Path) -> None:
    """Options that an old spelling had not are refused with the usual code."""
    shell = campaign(tmp_path)
    calls = (["same"], ["path", "000"], ["relate", "000"], ["leaves", "-x"])
    assert {shell.run(*words).exit_code for words in calls} == {2}


def test_help_of_an_old_spelling(tmp_path: Path) -> None:
    """`help NAME` tells of the new one, `help --old` lists them all, and the list of commands has none."""
    shell = Shell(tmp_path)
    for old in OLD:
        words = [word for word in old.split() if not word.startswith("-")]
        found = shell.run("help", *words)
        names = [word for word in OLD[" ".join(words)].split() if not word.startswith("-")][:2]
        assert f"Usage: gitlineage {names[0]}" in found.stdout, found.output
    listed = shell("help", "--old").splitlines()
    assert [line.split(maxsplit=1)[0] for line in listed] == [old.split()[0] for old in OLD]
    shown = CliRunner().invoke(app, ["help", "--all"]).stdout
    assert not {old.split()[0] for old in OLD} & {line.split()[0] for line in shown.splitlines() if line}


TAUGHT = re.compile(
    r"(?:git ?lineage|\{call\}|'gitlineage',|\"gitlineage\",) ['\"]?(?:-\S+ \S+ )?("
    + "|".join(sorted({old.split()[0] for old in OLD}, key=len, reverse=True))
    + r")(?![\w-])"
)


@pytest.mark.parametrize(
    "folder", ["gitlineage", "docs", "examples", "hooks", "README.md", "CONTRIBUTING.md", ".ci", "scripts"]
)
def test_nothing_teaches_an_old_spelling(folder: str) -> None:
    """Hints, help, documents, examples, hooks and the texts for agents use the new ones."""
    place = ROOT / folder
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    for path in files:
        if path.suffix in (".py", ".md", ".sh", ".yml", ".toml", ".json", ".txt", "") and path.name != "spellings.py":
            text = path.read_text(errors="ignore")
            assert TAUGHT.findall(text) == [], path
