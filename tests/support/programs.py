"""The commands of the program, for tests that walk them; no test is here."""

from collections.abc import Iterator
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command

from gitlineage.cli.app import app
from gitlineage.cli.commands import Deferred


def every() -> Iterator[tuple[str, Any]]:
    """Return every command that does something, with its whole name."""
    todo = list(get_command(app).commands.items())  # type: ignore[attr-defined]
    while todo:
        name, found = todo.pop(0)
        if isinstance(found, Deferred):
            found = found.load()
        if isinstance(found, TyperGroup):
            todo += [(f"{name} {below}", command) for below, command in found.commands.items()]
        if not isinstance(found, TyperGroup) or found.invoke_without_command:
            yield name, found
