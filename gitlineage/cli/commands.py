"""
How commands are declared: their help, their example and options that take several values.

Help is typer's with its panels on a terminal, and plain text elsewhere. Contexts are ``Any`` here, because
typer keeps the class that these methods take to itself.
"""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from importlib import import_module
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from gitlineage.cli import output
from gitlineage.cli.parameters import make_plain
from gitlineage.text import to_type

Function = TypeVar("Function", bound=Callable[..., None])

SEVERAL = ("--parents", "--base")
"""Options that take every value up to the next option: ``--parents A B``."""


class _Ours:
    """How commands and groups read values, and how their help looks; mixed in before typer's class."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters; plain values need no typer, and a flag has no type to show."""
        parameters = super().get_params(ctx)  # type: ignore[misc]
        for parameter in parameters:
            make_plain(parameter)
            if getattr(parameter, "is_bool_flag", False):
                parameter.metavar = ""
        return parameters

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, without panels where nobody looks at a terminal."""
        shown: Any = self
        shown.rich_markup_mode = "markdown" if output.is_terminal() else None
        super().format_help(ctx, formatter)  # type: ignore[misc]

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the example as one line, to be copied."""
        if example := getattr(self, "epilog", None):
            formatter.write(f"\n  {example}\n")


class Command(_Ours, TyperCommand):
    """A command whose help ends with its example, and whose options in `SEVERAL` take several values."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the values that follow an option apart, then parse as ever."""
        own = {name for parameter in self.params for name in parameter.opts if name in SEVERAL}
        return super().parse_args(ctx, list(_spread(ctx, own, args)) if own else args)


class Paged(Command):
    """A command whose output a pager shows on a terminal."""

    def invoke(self, ctx: Any) -> Any:
        """Run it, with a pager where one is wanted."""
        if not (output.is_terminal() and ctx.find_root().obj.pager):
            return super().invoke(ctx)
        from gitlineage.cli import pager  # nobody in a pipe waits for it to load

        with pager.paged():
            return super().invoke(ctx)


class Listing(Paged):
    """A command that prints a table: it says so where that is empty, and has ``--header``."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params.append(_header())

    def invoke(self, ctx: Any) -> Any:
        """Run it, and say so where it printed nothing."""
        super().invoke(ctx)
        output.check_written()


def _header() -> Any:
    """Return the option ``--header``, as typer makes options, which no function has to take."""

    def function(
        header: Annotated[
            bool,
            typer.Option("--header", callback=output.ask_for_headings, help="Print headings in a pipe, too."),
        ] = False,
    ) -> None:
        """Have an option."""

    holder = typer.Typer(add_completion=False)
    holder.command()(function)
    (option,) = get_command(holder).params
    option.expose_value = False
    return option


class Group(_Ours, TyperGroup):
    """A command that has commands: alone it lists; it says which there are where something else was typed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse a call; what names no command goes to the one that lists, where there is one."""
        is_bare = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        if ctx.parent is not None and is_bare and not self.invoke_without_command and not ctx.resilient_parsing:
            if "list" in self.commands:
                args = ["list", *args]
            elif not args:
                ctx.fail(f"missing command: it is one of {', '.join(self.commands)}")
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that was asked for."""
        word = args[0] if args else ""
        if word and word not in self.commands and not word.startswith("-") and not ctx.resilient_parsing:
            if close := get_close_matches(word, self.commands):
                meant = "did you mean " + ", ".join(f"'{name}'" for name in close) + "?"
            elif "show" in self.commands:
                meant = f"did you mean `{to_type(*ctx.command_path.split(), 'show', word)}`?"
            else:
                meant = f"it is one of {', '.join(self.commands)}"
            ctx.fail(f"no such command '{word}': {meant}")
        return super().resolve_command(ctx, args)


class Deferred(TyperCommand):
    """
    A command whose module is imported when it is called, so that ``--help`` and the rest start at once.

    Args:
        name: its name.
        module: the module of this package that declares it.
        help: its help's first line, which the module repeats.
        panel: the group of commands it is shown in.
        hidden: whether no help and no completion shows it.
    """

    def __init__(self, name: str, module: str, help: str, panel: str = "", *, hidden: bool = False) -> None:
        super().__init__(name, help=help, rich_help_panel=panel, hidden=hidden)
        self.module = module

    def load(self) -> Any:
        """Import the module and return the command itself."""
        declared = import_module(f"gitlineage.cli.{self.module}").app
        only = commands()  # to make all those of a module takes a twentieth of a start
        only.registered_commands = [each for each in declared.registered_commands if each.name == self.name]
        only.registered_groups = [each for each in declared.registered_groups if each.name == self.name]
        return get_group(only).commands[str(self.name)]

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Let the command itself parse what it was called with."""
        return self.load().make_context(info_name, args, parent, **extra)


def commands(help: str | None = None) -> typer.Typer:
    """Return a new set of commands; with a help line, one that is a command of its own."""
    return typer.Typer(cls=Group, help=help, add_completion=False)


def command(app: typer.Typer, name: str, example: str, kind: type[Command] = Command) -> Callable[[Function], Function]:
    """Declare a function as a command, which may be a `Paged` one or a `Listing`; its help ends with the example."""
    return app.command(name, cls=kind, epilog=f"Example: {example}")


def _spread(ctx: Any, own: set[str], args: list[str]) -> Iterator[str]:
    """Return arguments with ``--parents A B`` as ``--parents A --parents B``."""
    words = list(args)
    while words:
        word = words.pop(0)
        if word == "--":
            yield from (word, *words)
            return
        name, given, value = word.partition("=")
        if name not in own:
            yield word
            continue
        values = [value] if given else []
        while words and not words[0].startswith("-"):
            values.append(words.pop(0))
        if not values:
            ctx.fail(f"Option '{name}' needs at least one value")
        for each in values:
            yield from (name, each)
