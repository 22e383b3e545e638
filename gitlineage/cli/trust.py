"""Commands that bring lineage onto the disk and onto branches: checkout, restore and accept."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gitlineage.cli import listing, options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.listing import SHORT
from gitlineage.cli.opening import opened
from gitlineage.errors import WouldLose
from gitlineage.store.store import LineageStore
from gitlineage.text import counted, some, to_type

app = commands()


Force = Annotated[bool, typer.Option("--force", help="Throw away what is in the working tree and recorded nowhere.")]


@command(app, "checkout", "gitlineage checkout best work/best")
def checkout(
    ctx: typer.Context,
    id: options.Id,
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="A new or empty folder.", show_default=False)
    ] = None,
    here: Annotated[
        bool, typer.Option("--here", help="In place: the working tree's files become those of the snapshot.")
    ] = False,
    force: Force = False,
    as_json: options.Json = False,
) -> None:
    """
    Write a snapshot's files into a folder, or in place

    Safe on snapshots from anybody: what would lead out of the folder, collide or run as git's own is refused, and
    then nothing is written. With --here it does what `gitlineage restore` does.
    """
    if here == (folder is not None):
        said = "it excludes a folder" if here else "name a folder, or the working tree with --here"
        raise typer.BadParameter(said, param_hint="'--here'" if here else "'DIR'")
    if force and not here:
        raise typer.BadParameter("it belongs to --here; a folder has to be new or empty", param_hint="'--force'")
    with opened(ctx) as store:
        listing.check_best(store, id)
        if folder is None:
            _restore(store, id, force, as_json)
            return
        written = store.checkout(id, folder)
        if as_json:
            output.json_line(written)
        else:
            what = f"{counted(written.files, 'file')}, {counted(written.bytes, 'byte')}"
            output.say(output.clean(f"wrote {what}, to {written.folder}"))


@command(app, "restore", "gitlineage restore best")
def restore(ctx: typer.Context, id: options.Id, force: Force = False, as_json: options.Json = False) -> None:
    """
    Bring a snapshot's files back into the working tree

    The next commit counts from it. Refused where something would be lost that is recorded nowhere. Ignored files, HEAD,
    branches and the index stay as they are.
    """
    with opened(ctx) as store:
        listing.check_best(store, id)
        _restore(store, id, force, as_json)


def _restore(store: LineageStore, id: str, force: bool, as_json: bool) -> None:
    try:
        done = store.restore(id, force=force)
    except WouldLose as error:
        if as_json:
            output.json_line({"refused": str(error), "files": error.files})
        raise
    if as_json:
        output.json_line(done)
        return
    what = f"{counted(done.written, 'file')} written, {counted(done.removed, 'file')} removed"
    name = listing.asked_name(store, id, done.oid)
    output.say(output.clean(f"the working tree is {name} now: {what}"))
    if done.left:
        output.say(output.clean(f"  still there, because git could not remove it: {some(done.left)}"))
    if done.elsewhere:
        named = [f"{path} ({oid[:SHORT]} in the snapshot)" for path, oid in done.elsewhere.items()]
        output.say(output.clean(f"  as it was, because it is in a repository of its own: {some(named)}"))
    if done.unignored:
        files = f"{counted(len(done.unignored), 'file')}: {some(done.unignored)}"
        output.say(output.clean(f"  not ignored any more, so that the next commit takes {files}"))
    if not done.noted:
        said = to_type("--parents", name)
        output.say(output.clean(f"  git's folder takes no note of it, so say {said} at the next commit"))
    if force:
        output.say(output.clean(f"  what was there is the tree {done.was[:SHORT]}, until git prunes it"))


@command(app, "accept", "gitlineage accept best --branch tuned")
def accept(
    ctx: typer.Context,
    id: options.Id,
    branch: Annotated[
        str | None,
        typer.Option("--branch", metavar="NAME", help="The branch; a new one begins at HEAD. [default: HEAD's]"),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """
    Commit a snapshot on a branch of yours

    An ordinary commit with the trial's message and trailers, for code review. What the branch has changed meanwhile is
    joined with it. Where the branch is checked out here, files and index move along; what is changed or staged is never
    overwritten.
    """
    with opened(ctx) as store:
        listing.check_best(store, id)
        name = listing.asked_name(store, id, store.resolve(id))
        done = store.accept(id, branch)
        if as_json:
            output.json_line({"id": name, **msgspec.structs.asdict(done)})
            return
        joined = ", joined with what it had changed" if done.merged else ""
        what = f"{counted(len(done.files), 'file')} changed{joined}"
        output.say(output.clean(f"accepted {name} on {done.branch} as {done.oid[:SHORT]}: {what}"))
