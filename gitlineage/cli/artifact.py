"""The command artifact: what trials made and is kept outside of git, listed, brought back, sent and checked."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from gitlineage.bridge import artifacts
from gitlineage.cli import layout, options, output
from gitlineage.cli.commands import Listing, command, commands
from gitlineage.cli.layout import Cell, Column
from gitlineage.cli.opening import opened
from gitlineage.model.artifact import Artifact
from gitlineage.model.records import TrialView
from gitlineage.text import counted

app = commands()
listed = commands("List, get, send and check the files that trials made")
app.add_typer(listed, name="artifact")

_COLUMNS = (
    Column("id", cap=14),
    Column("path"),
    Column("bytes", right=True),
    Column("digest", drop=2),
    Column("state"),
    Column("place", drop=1),
)
_SHORT = 12

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Trials. [default: all]", show_default=False)]


@command(listed, "list", "gitlineage artifact list best", Listing)
def list_(ctx: typer.Context, ids: Ids = None, as_json: options.Json = False) -> None:
    """List what is kept, each with its size, the beginning of its digest and where it was put"""
    with opened(ctx) as store:
        kept = artifacts.listed(store, ids or ())
    if as_json:
        for view, each in kept:
            output.json_line(_object(view, each))
    else:
        layout.table(_COLUMNS, [_row(view, each, "", each.place) for view, each in kept])


@command(listed, "get", "gitlineage artifact get best ckpt/last.pt --to out")
def get(
    ctx: typer.Context,
    id: options.Id,
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH]...", help="Which. [default: all]", show_default=False)
    ] = None,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The folder to write them into.")] = Path("."),
    force: Annotated[bool, typer.Option("--force", help="Replace other files of the same name.")] = False,
    as_json: options.Json = False,
) -> None:
    """
    Write what a trial made, each file at the path that it had

    From this repository, or else from the store that git config lineage.artifacts names. What is damaged is not
    written.
    """
    with opened(ctx) as store:
        done = artifacts.get(store, id, to, paths or (), force=force)
    for each, path in done:
        if as_json:
            output.json_line({**msgspec.structs.asdict(each), "file": str(path)})
        else:
            output.say(output.clean(f"wrote {path} ({counted(each.size, 'byte')})"))


@command(listed, "push", "gitlineage artifact push")
def push(ctx: typer.Context, ids: Ids = None, as_json: options.Json = False) -> None:
    """Send what is kept here into the store that git config lineage.artifacts names"""
    with opened(ctx) as store:
        sent = artifacts.push(store, ids or ())
    if as_json:
        for each in sent:
            output.json_line(each)
    else:
        size = sum(each.size for each in sent)
        output.say(f"sent {counted(len(sent), 'file')}, {counted(size, 'byte')}")


@command(listed, "verify", "gitlineage artifact verify")
def verify(ctx: typer.Context, ids: Ids = None, as_json: options.Json = False) -> None:
    """
    Check the bytes of what is kept

    Here, or else in the store that git config lineage.artifacts names. Exit code 1 where any is missing or damaged.
    """
    with opened(ctx) as store:
        checked = list(artifacts.verify(store, ids or ()))
    bad = [each for each in checked if each.state != "ok"]
    if as_json:
        for each in checked:
            output.json_line({**_object(each.view, each.artifact), "state": each.state, "where": each.where})
    else:
        layout.table(_COLUMNS, [_row(each.view, each.artifact, each.state, each.where) for each in bad])
        output.say(f"{counted(len(checked), 'artifact')} checked, {len(bad)} missing or damaged")
    if bad:
        raise typer.Exit(1)


def _object(view: TrialView, artifact: Artifact) -> dict[str, Any]:
    return {"id": view.label, "oid": view.oid, **msgspec.structs.asdict(artifact)}


def _row(view: TrialView, artifact: Artifact, state: str, place: str) -> list[Cell]:
    return [
        Cell(output.clean(view.label), "bold"),
        Cell(output.clean(artifact.path)),
        Cell(f"{artifact.size:,}"),
        Cell(artifact.digest[:_SHORT], "dim"),
        Cell(state, "" if state == "ok" else "red"),
        Cell(output.clean(place)),
    ]
