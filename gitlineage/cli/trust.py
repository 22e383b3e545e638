"""
Commands for lineage that comes from others: verify and checkout.

Layer 27.
"""

from pathlib import Path
from typing import Annotated

import typer

from gitlineage.cli import options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.opening import opened
from gitlineage.render.text import counted

app = commands()


@command(app, "verify", "gitlineage verify --all")
def verify(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Have git look at every object; takes longer.")] = False,
    allowed_signers: Annotated[
        Path | None,
        typer.Option(
            "--allowed-signers",
            metavar="FILE",
            help="Check signatures against this file. [default: gpg.ssh.allowedSignersFile where lineage.sign is on]",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """
    Check everything there is to check and print what is wrong

    Objects, refs, notes, events, clocks, trailers, signatures, the index and the derived refs; each finding is a line
    of its writer, object and what is wrong. Exit code 1 when there are any. Nothing is mended.
    """
    with opened(ctx, begin=True) as store:
        findings = store.verify(everything=everything, allowed_signers=allowed_signers)
        for found in findings:
            if as_json:
                output.json_line(found)
            else:
                output.say(output.clean(f"{found.writer or '-'}  {found.oid or '-'}  {found.what}"))
        if findings:
            raise typer.Exit(1)
        if not as_json:
            output.note(f"nothing found: {counted(len(store.journal.tips()), 'writer')} checked")


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
            what = f"{counted(written.files, 'file')}, {counted(written.bytes, 'byte')}"
            output.say(output.clean(f"wrote {what}, to {written.folder}"))
