"""Commands on hooks: hooks install, remove and list for git's, and hook, which these and agents' call."""

import os
import sys
from collections.abc import Iterable
from typing import Annotated

import msgspec
import typer

from gitlineage import house
from gitlineage.bridge.hooks import install as hooks
from gitlineage.cli import layout, options, output
from gitlineage.cli.commands import Listing, command, commands
from gitlineage.cli.layout import Cell, Column
from gitlineage.cli.opening import opened, place
from gitlineage.errors import LineageError
from gitlineage.git.repository import GitRepo

app = commands()
managing = commands("Install, remove and list git hooks that keep lineage")
app.add_typer(managing, name="hooks")

_SESSION = "session-start"
_LONGEST_SESSION = 1 << 20
"""Bytes that are read of what an agent says about a session."""

_COLUMNS = (Column("hook"), Column("state"), Column("your own"), Column("path", drop=1))


def _names(values: list[str] | None) -> list[str] | None:
    for value in values or ():
        options.one_of(value, hooks.NAMES)
    return values


Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", callback=_names, help=f"Which: {', '.join(hooks.NAMES)}.", show_default=False),
]


@command(managing, "install", "gitlineage hooks install post-commit pre-push --chain")
def install(
    ctx: typer.Context,
    names: Names = None,
    chain: Annotated[
        bool, typer.Option("--chain", help="Keep a hook of yours as NAME.user and call it first.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Put a hook of yours aside as NAME.replaced.")] = False,
    as_json: options.Json = False,
) -> None:
    """
    Install git hooks

    Without names: post-commit, post-merge, post-rewrite and pre-push, in a bare repository pre-receive. post-commit
    makes each commit on a branch that git config lineage.branch fits (patterns; all by default) a pending trial.
    post-rewrite links what an amend or a rebase made to the trials on what it was before. post-merge says which trials
    came with a merge; it fetches nothing. pre-push sends this clone's lineage along, with --dry-run too, because git
    does not tell. None of them keeps git from going on. pre-receive refuses lineage that breaks the rules.
    """
    if chain and force:
        raise typer.BadParameter("it cannot be had together with --force", param_hint="'--chain'")
    repo = GitRepo(place(ctx).path)
    made = hooks.install(repo, names or (), chain=chain, force=force, command=hooks.own_program())
    if any(each.name in hooks.CLIENT for each in made):
        with opened(ctx, begin=True) as store:
            name = store.writer
            if store.ledger.repo.config(house.WRITER) is None:  # the scripts look whether there is one
                store.ledger.repo.set_config(house.WRITER, name)
    _print(made, as_json)


@command(managing, "remove", "gitlineage hooks remove post-commit")
def remove(ctx: typer.Context, names: Names = None, as_json: options.Json = False) -> None:
    """
    Remove git hooks of gitlineage

    A hook of yours that was chained or put aside takes its place again; one that is not ours is left alone.
    """
    _print(hooks.remove(GitRepo(place(ctx).path), names or ()), as_json)


@command(managing, "list", "gitlineage hooks list --json", Listing)
def list_(ctx: typer.Context, names: Names = None, as_json: options.Json = False) -> None:
    """
    List git hooks and whose they are

    A hook is installed, outdated (ours, of another version), foreign (somebody else's) or absent.
    """
    states = hooks.listed(GitRepo(place(ctx).path), names or ())
    if as_json:
        for each in states:
            output.json_line(each)
        return
    styles = {"installed": "green", "outdated": "yellow", "foreign": "magenta", "absent": "dim"}
    rows = [
        [
            Cell(each.name, "bold"),
            Cell(each.state, styles[each.state]),
            Cell(os.path.basename(each.user or each.replaced or "")),
            Cell(each.path, "dim"),
        ]
        for each in states
    ]
    layout.table(_COLUMNS, rows)


@command(app, "hook", "gitlineage hook session-start --agent claude < session.json")
def hook(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"Which: {', '.join((*hooks.NAMES, _SESSION))}.")],
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[ARG]...", help="What git gave the hook.", show_default=False)
    ] = None,
    agent: Annotated[
        str, typer.Option("--agent", metavar="NAME", help=f"Whose {_SESSION} hook it is; others get the plain text.")
    ] = "",
    specialist: Annotated[
        str,
        typer.Option(
            "--specialist",
            metavar="NAME",
            envvar="GITLINEAGE_SPECIALIST",
            help=f"Whom the prompt of {_SESSION} is for. [default: the agent's name]",
            show_default=False,
        ),
    ] = "",
) -> None:
    """
    Do what a hook of git or of an agent does; they call it

    What git or the agent writes to a hook is read from standard input. Only pre-receive ends with 1, where it refuses
    a push. session-start prints the lineage prompt as the agent takes it, at most 9,500 characters, and records that
    it was read where the repository can be written; where there is no lineage it says nothing.
    """
    given = list(words or ())
    if name == _SESSION:
        _session_start(ctx, agent, specialist)
        return
    if name == "pre-receive":
        _receive(ctx)
        return
    if name not in hooks.CLIENT:
        raise typer.BadParameter(f"{name!r} is none of {', '.join((*hooks.NAMES, _SESSION))}", param_hint="'NAME'")
    try:
        said = _client(ctx, name, given)
    except (LineageError, OSError) as error:
        said = f"{name}: {error}"
    if said:
        _tell(said)


def _client(ctx: typer.Context, name: str, words: list[str]) -> str:
    from gitlineage.bridge.hooks import client

    with opened(ctx) as store:
        match name:
            case "post-commit":
                return client.post_commit(store)
            case "post-rewrite":
                return client.post_rewrite(store, words[0] if words else "", _lines())
            case "post-merge":
                squashed = words[:1] == ["1"]
                return "" if squashed else client.post_merge(store, store.ledger.repo.resolve("ORIG_HEAD"))
            case _:
                return client.pre_push(store, words[0], _lines()) if words else ""


def _session_start(ctx: typer.Context, name: str, specialist: str) -> None:
    """Print what an agent reads at the start; whatever goes wrong, the agent goes on."""
    from gitlineage.agents import session
    from gitlineage.agents.agent import Agent
    from gitlineage.agents.formats import AGENTS
    from gitlineage.git.repository import find_repository
    from gitlineage.record.ledger import namespace_for

    agent = AGENTS.get(name) or Agent(name=name or "agent", title=name, checked="", program="")
    asked = sys.stdin is not None and not sys.stdin.isatty()
    data = sys.stdin.buffer.read(_LONGEST_SESSION) if asked else b""
    folder = session.folder_of(data, place(ctx).path)
    if folder is None or find_repository(folder) is None:
        return
    try:
        repo = GitRepo(folder)
        if not repo.refs(namespace_for(repo, place(ctx).campaign).notes):  # opening a store would make one
            return
        with opened(ctx, at=folder) as store:
            output.write(session.session_start(store, agent, specialist or agent.name, output.now()))
    except (LineageError, OSError) as error:
        _tell(f"{_SESSION}: {error}")


def _receive(ctx: typer.Context) -> None:
    """Refuse a push that breaks the rules; what cannot be checked is refused too."""
    from gitlineage.bridge.hooks import server

    where = place(ctx)
    quarantine = {key: where.environment[key] for key in server.QUARANTINE if key in where.environment}
    borrowed = [quarantine["GIT_OBJECT_DIRECTORY"]] if "GIT_OBJECT_DIRECTORY" in quarantine else []
    rules = server.Rules(GitRepo(where.path, borrowed), quarantine)
    is_broken = False
    for breach in rules.breaches(server.read_updates(_lines())):
        is_broken = True
        _tell(breach)
    if is_broken:
        raise typer.Exit(1)


def _lines() -> Iterable[str]:
    if sys.stdin is None or sys.stdin.isatty():
        return ()
    return sys.stdin.buffer.read().decode("utf-8", "replace").splitlines()


def _tell(text: str) -> None:
    """Say something among what git says, so with a name to it."""
    print(f"gitlineage: {output.clean(text)}", file=sys.stderr)


def _print(changes: list[hooks.Change], as_json: bool) -> None:
    for each in changes:
        if as_json:
            output.json_line(msgspec.to_builtins(each))
            continue
        yours = f"; yours is {each.user}" if each.user and each.user != each.path else ""
        output.say(output.clean(f"{each.name}: {each.outcome} ({each.path}{yours})"))
