"""Help: every command has a line, an example, and --json where it reads."""

from collections.abc import Iterator
from typing import Any

import pytest
from command_line import Shell
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from gitlineage import __version__
from gitlineage.cli.app import COMMANDS, app
from gitlineage.cli.commands import Deferred

WITHOUT_JSON = {"demo", "hook", "mcp"}
"""Commands without ``--json``: one is for people, one for git."""


def every() -> Iterator[tuple[str, Any]]:
    """Return every command that does something, with its whole name."""
    todo = list(get_command(app).commands.items())  # type: ignore[attr-defined]
    while todo:
        name, found = todo.pop(0)
        if isinstance(found, Deferred):
            found = found.load()
        if isinstance(found, TyperGroup):
            todo += [(f"{name} {below}", command) for below, command in found.commands.items()]
        else:
            yield name, found


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


def test_the_whole_program() -> None:
    """The program's help lists every command in full; without a command it is shown too, as a usage error."""
    shown = CliRunner().invoke(app, ["--help"]).stdout
    for entries in COMMANDS.values():
        for name, (_, line) in entries.items():
            assert any(each.split(maxsplit=1) == [name, line] for each in shown.splitlines()), name
    bare = CliRunner().invoke(app, [])
    assert (bare.exit_code, bare.stdout) == (2, shown)


def test_version() -> None:
    """The version is printed and nothing else happens."""
    assert CliRunner().invoke(app, ["--version"]).stdout == f"gitlineage {__version__}\n"


def test_a_misspelt_command(tmp_path: Any) -> None:
    """The nearest command is suggested."""
    assert "did you mean 'leaderboard'" in Shell(tmp_path).fails(2, "leaderbord").lower()
