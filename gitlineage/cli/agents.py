"""Commands on coding agents: agents install, check and remove."""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gitlineage.agents import check as checking
from gitlineage.agents import install as doors
from gitlineage.agents.agent import Agent
from gitlineage.agents.formats import AGENTS
from gitlineage.bridge.hooks.install import own_program
from gitlineage.cli import layout, options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.layout import Cell, Column
from gitlineage.cli.opening import place
from gitlineage.errors import BadConfig, RepositoryError
from gitlineage.git.repository import GitRepo

app = commands()
managing = commands("Set up coding agents to read and record lineage")
app.add_typer(managing, name="agents")

_STYLES = {
    "installed": "green",
    "updated": "green",
    "removed": "yellow",
    "yours": "magenta",
    checking.WORKS: "green",
    doors.BROKEN: "bad",
    checking.OLD: "yellow",
}
_COLUMNS = (Column("agent"), Column("door"), Column("state"), Column("file", drop=1), Column("what"))


def _agents(values: list[str] | None) -> list[str] | None:
    return options.some_of(values, [*AGENTS, "all"])


Which = Annotated[
    list[str] | None,
    typer.Option(
        "--agent",
        metavar="NAME,...",
        callback=_agents,
        help=f"Which: {', '.join(AGENTS)} or all; repeatable. [default: those that seem to be in use]",
        show_default=False,
    ),
]
User = Annotated[
    bool,
    typer.Option("--user/--project", help="In your own files, for all repositories; else in this repository's."),
]


@command(managing, "install", "gitlineage agents install --agent claude,codex")
def install(ctx: typer.Context, agents: Which = None, user: User = False, as_json: options.Json = False) -> None:
    """
    Put lineage into the files by which coding agents are set up

    A hook that gives an agent the lineage prompt at the start of a session, permission for commands that only read, the
    MCP server, a block in AGENTS.md (in CLAUDE.md and GEMINI.md, too, where they are) and a skill folder. Files are
    merged: what you wrote stays byte for byte, and `agents remove` takes out exactly what was put in. A broken file
    stays as it is and is named, and the command ends with 1; the others are set up. Files that are made in a repository
    are named in .git/info/exclude, so that they are in no snapshot; `git add -f` shares one.
    """
    where = _place(ctx, user)
    chosen = _chosen(ctx, where, agents)
    program = _program()
    made = doors.install(where, chosen, program)
    if not as_json and program != _NAME:
        output.note(f"gitlineage is not on the path, so the files name {program}")
    _print_changes(made, as_json)
    if not as_json and any(each.door == "mcp" for each in made) and find_spec("mcp") is None:
        output.note("the MCP server needs its SDK: pip install 'gitlineage[mcp]'")
    if not as_json and where.repo is not None:
        _tell_tracked(made)
    _tell_broken(made)


@command(managing, "check", "gitlineage agents check --agent all")
def check(ctx: typer.Context, agents: Which = None, user: User = False, as_json: options.Json = False) -> None:
    """
    Say which doors work, by going through each

    Hooks are run as the agent runs them, MCP servers are started and asked for their tools, the texts' command is run.
    Ends with 1 where a door that is installed does not work.
    """
    where = _place(ctx, user)
    checks = checking.check(where, _chosen(ctx, where, agents), _program())
    if as_json:
        for each in checks:
            output.json_line(each)
    else:
        rows = [
            [
                Cell(each.agent, "bold"),
                Cell(each.door),
                Cell(each.state, _STYLES.get(each.state, "dim")),
                Cell(each.file, "dim"),
                Cell("; ".join(filter(None, (each.found, each.catch)))),
            ]
            for each in checks
        ]
        layout.table(_COLUMNS, rows)
    if any(each.state == doors.BROKEN for each in checks):
        raise typer.Exit(1)


@command(managing, "remove", "gitlineage agents remove --agent cursor")
def remove(ctx: typer.Context, agents: Which = None, user: User = False, as_json: options.Json = False) -> None:
    """
    Take out what `agents install` put in, and nothing else

    Without --agent everything goes, AGENTS.md's block and the skill, too. What you changed by hand stays and is named.
    """
    where = _place(ctx, user)
    chosen = doors.names(AGENTS, agents or ["all"])
    changes = doors.remove(where, chosen, shared=not agents or "all" in agents)
    _print_changes([each for each in changes if each.outcome != "not there"], as_json)
    _tell_broken(changes)


_NAME = "gitlineage"


def _place(ctx: typer.Context, user: bool) -> doors.Place:
    if user:
        return doors.Place(Path.home())
    try:
        repo = GitRepo(place(ctx).path)
    except RepositoryError as error:
        raise RepositoryError(f"{error}; --user is about your own files") from error
    if repo.workdir is None:
        raise RepositoryError(f"{repo.gitdir} has no working tree for agents; --user sets up your own files")
    return doors.Place(repo.workdir, repo)


def _chosen(ctx: typer.Context, where: doors.Place, agents: list[str] | None) -> list[Agent]:
    """Return the agents that were named, or those that seem to be in use, which is said."""
    if agents:
        return doors.names(AGENTS, agents)
    signs = doors.detected(AGENTS.values(), where.top if where.repo else None, Path.home(), shutil.which)
    told = ", ".join(f"{name} ({sign})" for name, sign in signs.items())
    output.note(f"found {told}" if signs else f"found no coding agent; --agent names one: {', '.join(AGENTS)}")
    return [AGENTS[name] for name in signs]


def _program() -> str:
    """Return how agents are to call gitlineage: by name where that finds this one."""
    own, on_path = own_program(), shutil.which(_NAME)
    if own is None or (on_path is not None and Path(on_path).resolve() == own.resolve()):
        return _NAME
    return str(own)


def _print_changes(changes: list[doors.Change], as_json: bool) -> None:
    if as_json:
        for each in changes:
            output.json_line(msgspec.to_builtins(each))
        return
    rows = [
        [
            Cell(each.agent, "bold"),
            Cell(each.door),
            Cell(each.outcome, _STYLES.get(each.outcome, "dim")),
            Cell(each.file, "dim"),
            Cell(each.reason),
        ]
        for each in changes
    ]
    layout.table(_COLUMNS, rows)
    if not changes:
        output.say("nothing was there")


def _tell_tracked(changes: list[doors.Change]) -> None:
    """Say which files that were there already are part of the recipe, because they have changed now."""
    changed = dict.fromkeys(each.file for each in changes if each.outcome in ("installed", "updated"))
    old = [file for file in changed if not any(each.made and each.file == file for each in changes)]
    if old:
        output.note(f"{', '.join(old)} changed, and {'is' if len(old) == 1 else 'are'} in snapshots as before")


def _tell_broken(changes: list[doors.Change]) -> None:
    """
    End with an error where a file could not be edited safely; what became of the others was printed.

    Raises:
        BadConfig: there is one.
    """
    broken = {each.file: each.reason for each in changes if each.outcome == doors.BROKEN}
    if len(broken) == 1:
        raise BadConfig(*broken.popitem())
    if broken:
        raise BadConfig(", ".join(broken), "cannot be edited safely, for the reasons above")
