"""
Commands that share lineage without a network, and keep the number of refs small: consolidate, bundle and unbundle.

Layer 16.
"""

from typing import Annotated

import typer

from gitlineage import consolidation
from gitlineage.cli import options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.opening import opened

app = commands()

_SHOWN = 10


@command(app, "consolidate", "gitlineage consolidate --idle 30")
def consolidate(
    ctx: typer.Context,
    writers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WRITER]...", help="Whose refs. [default: all idle ones]", show_default=False),
    ] = None,
    idle: Annotated[
        float | None,
        typer.Option("--idle", min=0, metavar="DAYS", help="Take writers without a record for so long. [default: 30]"),
    ] = None,
    push: Annotated[
        str | None,
        typer.Option("--push", metavar="REMOTE", help="Push the archive there, and delete there what it holds."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """
    Fold the refs of writers who are done into one archive ref

    No answer changes. This clone's own writer stays, and so does one with lines that are no events.
    """
    if writers and idle is not None:
        raise typer.BadParameter("it excludes naming writers", param_hint="'--idle'")
    with opened(ctx) as store:
        days = consolidation.IDLE if idle is None else idle
        done = consolidation.consolidate(store, writers or consolidation.idle(store, days))
        handed = consolidation.push(store, push) if push is not None and done.tip is not None else None
    if as_json:
        output.json_line({"consolidation": done, "push": handed})
        return
    if done.folded:
        output.say(f"archived {_named([each.writer for each in done.folded])} in {output.clean(done.archive)}")
    else:
        output.say("no writer to archive")
    for left in done.left:
        output.warning(output.clean(f"{left.writer} stays: {left.reason}"))
    if handed is not None:
        output.say(output.clean(f"pushed {handed.archive} to {handed.remote}"))
        if handed.removed:
            output.say(f"deleted there: {_named(handed.removed)}")
        for left in handed.left:
            output.warning(output.clean(f"{left.writer} stays there: {left.reason}"))


def _named(writers: "list[str] | tuple[str, ...]") -> str:
    """Return how many writers and the first of their names."""
    count = "1 writer" if len(writers) == 1 else f"{len(writers)} writers"
    more = f" and {len(writers) - _SHOWN} more" if len(writers) > _SHOWN else ""
    return f"{count} ({output.clean(', '.join(writers[:_SHOWN]))}{more})"
