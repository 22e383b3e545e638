"""Help: every command has a line, an example, and --json where it reads."""

import re
from pathlib import Path
from typing import Any

import pytest
from command_line import Shell
from places import ROOT
from programs import every
from typer.testing import CliRunner

from gitlineage import __version__
from gitlineage.cli import helping
from gitlineage.cli.app import COMMANDS, app
from gitlineage.cli.commands import Deferred

WITHOUT_JSON = {"demo", "help", "hook", "mcp"}
"""Commands without ``--json``: two are for people, one is for git, one for agents."""


@pytest.mark.parametrize(("name", "command"), [pytest.param(*each, id=each[0]) for each in every()])
def test_every_command(name: str, command: Any) -> None:
    """A first line without full stop, help for each parameter, an example that parses, and --json."""
    first = command.help.splitlines()[0]
    assert first[0].isupper() and not first.endswith(".") and len(first) <= 90
    assert all(parameter.help for parameter in command.params)
    assert command.epilog.startswith(f"Example: gitlineage {name}")
    assert name in WITHOUT_JSON or any("--json" in parameter.opts for parameter in command.params)
    shown = CliRunner().invoke(app, [*name.split(), "--help"])
    assert shown.exit_code == 0
    assert first in " ".join(shown.stdout.split())
    assert command.epilog in shown.stdout
    assert "\x1b" not in shown.stdout


def test_the_table_says_what_the_modules_say() -> None:
    """The lines in the table of commands are the first lines of the commands' own help."""
    for entries in COMMANDS.values():
        for name, (module, line) in entries.items():
            assert Deferred(name, module, line, "").load().help.splitlines()[0] == line


def test_the_first_screen() -> None:
    """About ten everyday commands in groups, in 80 columns, and where the rest is; a usage error without a command."""
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "80"}).stdout
    everyday = [name for names in helping.EVERYDAY.values() for name in names]
    lines = {name: line for entries in COMMANDS.values() for name, (_, line) in entries.items()}
    assert [*helping.EVERYDAY] == [line for line in shown.splitlines() if line in helping.EVERYDAY]
    assert len(everyday) <= 14
    for name in everyday:
        assert any(each.split(maxsplit=1) == [name, lines[name]] for each in shown.splitlines()), name
    assert "`gitlineage help --all`" in shown and max(map(len, shown.splitlines()[:-1])) <= 80
    for words in (["-h"], ["help"]):
        assert CliRunner().invoke(app, words, env={"COLUMNS": "80"}).stdout == shown
    bare = CliRunner().invoke(app, [], env={"COLUMNS": "80"})
    assert (bare.exit_code, bare.stdout) == (2, shown)


def test_all_of_it() -> None:
    """`help --all` lists every command in its group, and nothing is cut where it is piped."""
    shown = CliRunner().invoke(app, ["help", "--all"]).stdout
    for panel, entries in COMMANDS.items():
        assert panel in shown.splitlines()
        for name, (_, line) in entries.items():
            assert any(each.split(maxsplit=1) == [name, line] for each in shown.splitlines()), name


def test_help_of_one_command_or_topic() -> None:
    """`help COMMAND` is `COMMAND --help`, of commands below others, too; topics are short texts."""
    for words in (["run"], ["runs", "log"], ["log"]):
        asked, shown = (CliRunner().invoke(app, each) for each in ([*words, "--help"], ["help", *words]))
        assert (shown.exit_code, shown.stdout) == (0, asked.stdout)
        assert CliRunner().invoke(app, [*words, "-h"]).stdout == asked.stdout
    for topic, text in helping.TOPICS.items():
        assert CliRunner().invoke(app, ["help", topic]).stdout == f"{text}\n"
    assert set(helping.TOPICS) & {name for entries in COMMANDS.values() for name in entries} == {"status"}


def test_the_topic_of_settings_names_them_all() -> None:
    """What the code reads of git's configuration is what `help config` lists."""
    code = "".join(path.read_text() for path in (ROOT / "gitlineage").rglob("*.py"))
    read = set(re.findall(r"\"lineage\.([a-zA-Z]+)\"", code)) | {"writer", "campaign"}
    assert {name for name in read if not re.search(rf"\b{name}\b", helping.TOPICS["config"])} == set()


HABITS = dict(re.findall(r"^\| `([^`…]+)` \| (.*) \|$", (ROOT / "docs" / "habits.md").read_text(), flags=re.MULTILINE))
"""What people type first who know git, DVC, MLflow or W&B, and what docs/habits.md says that they are told."""


def test_forty_habits_and_more() -> None:
    """The page has the commonest wrong first calls."""
    assert len(HABITS) >= 40


@pytest.mark.parametrize("call", [*HABITS, "statsu"])
def test_no_wrong_first_call_is_a_dead_end(call: str, tmp_path: Path) -> None:
    """One line, as the page says; in it a command that there is, with its own options, or the name that was meant."""
    said = Shell(tmp_path).fails(2, *call.split())
    answer = HABITS.get(call, "did you mean 'stats', 'status'?")
    assert said.startswith(f"error: no such command '{call.split()[0]}': {answer}")
    known = dict(every())
    named = re.findall(r"`gitlineage ((?:[a-z][a-z-]*)(?: [^`]*)?)`|`gitlineage (--[a-z]+)[^`]*`|'([a-z-]+)'", said)
    usable = 0
    for typed, _, close in named:
        words = (typed or close).split()
        found = next((known[name] for name in (" ".join(words[:2]), *words[:1]) if name in known), None)
        usable += found is not None
        for option in re.findall(r"--[a-z-]+", typed if found else ""):
            assert any(option in each.opts for each in found.params), f"{said}: {option}"
    assert usable or "--version" in said, said


def test_every_answer_names_what_there_is() -> None:
    """No word that has an answer is a command, and each answer names commands that there are."""
    known = {name.split()[0] for name, _ in every()}
    for word, answer in helping.INSTEAD.items():
        assert word not in known
        for name in re.findall(r"`gitlineage ([a-z][a-z-]*)", answer):
            assert name in known, answer


@pytest.mark.parametrize(("command", "option"), helping.INSTEAD_OF_OPTIONS)
def test_options_of_other_tools_are_answered(command: str, option: str, tmp_path: Path) -> None:
    """One line that says what does the same here, by commands and options that there are."""
    answer = helping.INSTEAD_OF_OPTIONS[command, option]
    words = [*([] if command == "gitlineage" else [command]), option or "007", "x"]
    assert answer in Shell(tmp_path).fails(2, *words)
    known = dict(every())
    for words in re.findall(r"`gitlineage ([a-z][^`]*)`", answer):
        assert words.split()[0] in known, answer
    for words in re.findall(r"`gitlineage ([a-z]+) [^`]*?(--?[a-z-]+)", answer):
        assert any(words[1] in each.opts for each in known[words[0]].params), answer
    for name in re.findall(r"`(--?[a-z]+)", answer):
        assert any(name in each.opts for each in known[command].params), answer


def test_a_number_for_an_option_is_how_many(tmp_path: Path) -> None:
    """`log -5` is git's way to say `-n 5`, and so it is where a command has that."""
    assert "no such option: -5: `-n 5` is how many" in Shell(tmp_path).fails(2, "log", "-5")
    assert "how many" not in Shell(tmp_path).fails(2, "show", "-5")


@pytest.mark.parametrize("group", ["runs", "catalog", "cohort"])
def test_an_id_in_place_of_a_verb(group: str, tmp_path: Path) -> None:
    """A group that can show one says so; others list what there is, and a word that is nearly a verb is that."""
    said = Shell(tmp_path).fails(2, group, "a b")
    assert f"no such command 'a b': did you mean `gitlineage {group} show 'a b'`?" in said
    assert "it is one of list, get, push, verify;" in Shell(tmp_path).fails(2, "artifact", "007")
    assert "did you mean 'list'" in Shell(tmp_path).fails(2, group, "lst")


@pytest.mark.parametrize("group", ["runs", "catalog", "cohort", "relation", "artifact", "hooks"])
def test_a_noun_alone_lists(group: str, tmp_path: Path) -> None:
    """As `git branch` does, with the options of the list; a noun without a list says what there is."""
    shell = Shell(tmp_path)
    shell("init")
    for more in ([], ["--json"]):
        bare, listed = shell.run(group, *more), shell.run(group, "list", *more)
        assert (bare.exit_code, bare.output) == (0, listed.output)
    assert "missing command: it is one of install, check, remove" in shell.fails(2, "agents")


def test_version() -> None:
    """The version is printed and nothing else happens."""
    assert CliRunner().invoke(app, ["--version"]).stdout == f"gitlineage {__version__}\n"


def test_a_misspelt_command(tmp_path: Any) -> None:
    """The nearest command is suggested."""
    assert "did you mean 'leaderboard'" in Shell(tmp_path).fails(2, "leaderbord").lower()
