"""
Commands for lineage that comes from others: verify and checkout.

Layer 16.
"""

from pathlib import Path
from typing import Annotated

import typer

from gitlineage.cli import options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.opening import opened

app = commands()


@command(app, "checkout", "gitlineage checkout best work/best")
def checkout(
    ctx: typer.Context,
    id: options.Id,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.", show_default=False)],
    as_json: options.Json = False,
) -> None:
    """
    Write a snapshot's files into a new or empty folder

    Safe on snapshots from anybody: what would lead out of the folder, collide or run as git's own is refused, and
    then nothing is written.
    """
    with opened(ctx) as store:
        written = store.checkout(id, folder)
        if as_json:
            output.json_line(written)
        else:
            many = "1 file" if written.files == 1 else f"{written.files:,} files"
            output.say(output.clean(f"wrote {many}, {written.bytes:,} bytes, to {written.folder}"))
