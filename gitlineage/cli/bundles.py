"""Commands that share lineage without a network and keep the number of refs small: consolidate, bundle, unbundle."""

from pathlib import Path
from typing import Annotated

import typer

from gitlineage.cli import failing, layout, listing, options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.opening import opened, place
from gitlineage.git.repository import find_repository
from gitlineage.model.namespace import ORDINARY
from gitlineage.sync import archives, bundles
from gitlineage.text import counted

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

    No answer changes. This clone's own writer stays, and so does one with lines that are no events. Writers who are
    named are those of the chosen campaign; without names, the idle ones of all campaigns are taken.
    """
    if writers and idle is not None:
        raise typer.BadParameter("it excludes naming writers", param_hint="'--idle'")
    with opened(ctx, begin=not writers) as store, store.ledger.all_campaigns() as campaigns:
        days = archives.IDLE if idle is None else idle
        for each in [store.ledger] if writers else campaigns:
            done = archives.consolidate(each, writers or archives.idle(each, days))
            handed = archives.push(each, push) if push is not None and done.tip is not None else None
            _tell(each.campaign, done, handed, as_json)


def _tell(campaign: str, done: archives.Consolidation, handed: archives.Handed | None, as_json: bool) -> None:
    """Print what became of one campaign's writers; nothing of a further campaign that nobody is done with."""
    if as_json:
        output.json_line({"campaign": campaign, "consolidation": done, "push": handed})
        return
    if campaign != ORDINARY and (done.folded or done.left or handed):
        output.say(f"campaign {campaign}:")
    if done.folded:
        output.say(f"archived {_named([each.writer for each in done.folded])} in {output.clean(done.archive)}")
    elif campaign == ORDINARY:
        output.say("no writer to archive")
    for left in done.left:
        output.warning(output.clean(f"{left.writer} stays: {left.reason}"))
    if handed is not None:
        output.say(output.clean(f"pushed {handed.archive} to {handed.remote}"))
        if handed.removed:
            output.say(f"deleted there: {_named(handed.removed)}")
        for left in handed.left:
            output.warning(output.clean(f"{left.writer} stays there: {left.reason}"))


@command(app, "bundle", "gitlineage bundle lineage.bundle --cohort sweep-1")
def bundle(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to.", show_default=False)],
    cohort: Annotated[
        str | None, typer.Option("--cohort", metavar="NAME", help="Only the members of a cohort, and what they need.")
    ] = None,
    ancestors: Annotated[
        str | None, typer.Option("--ancestors", metavar="ID", help="Only a snapshot and all that it goes back to.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="WHEN",
            help="Only what came after a trial, a commit of a writer's ref, or an ISO 8601 time, and what it needs.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """
    Write lineage into a file for a machine without a network

    Without a choice it holds all writers' refs of all campaigns. It is a git bundle and needs nothing that it lacks.
    """
    if sum(each is not None for each in (cohort, ancestors, since)) > 1:
        raise typer.BadParameter("choose by one of --cohort, --ancestors and --since")
    with opened(ctx, begin=True) as store:
        made = bundles.bundle(store.ledger, file, cohort=cohort, ancestors=ancestors, since=since)
    if as_json:
        output.json_line(made)
        return
    what = ", ".join([_what(made.trials, made.snapshots), counted(len(made.refs), "ref"), counted(made.size, "byte")])
    output.say(output.clean(f"wrote {made.file}: {what}"))


@command(app, "unbundle", "gitlineage unbundle lineage.bundle")
def unbundle(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The bundle.", show_default=False)],
    as_json: options.Json = False,
) -> None:
    """
    Take in the lineage that a bundle holds

    Refs that are new or go on from what is here are taken; one that was rewritten is refused, with exit code 1.
    """
    if find_repository(place(ctx).path) is None:
        bundles.check(file)  # a file that is refused makes no repository
    with opened(ctx, create=True, begin=True) as store:
        done = bundles.unbundle(store.ledger, file)
    if as_json:
        output.json_line(done)
    else:
        output.say(output.clean(f"took in {done.file}: {_what(done.trials, done.snapshots)} new"))
        layout.facts((output.clean(_place(each)), each.outcome) for each in done.refs)
        news = ""
        if done.changed:
            was = f", before: {listing.direction(done.before)}" if done.before is not None else ""
            news = f" (new with this bundle{was})"
        output.say(output.clean(f"rules in force: ranked by {listing.direction(done.task)}{news}"))
        for each in done.refused:
            output.warning(output.clean(f"{_place(each)} was refused: {each.reason}"))
    if done.refused:
        raise typer.Exit(failing.REFUSED)


def _place(each: bundles.Arrival) -> str:
    """Return whose ref it is, with its campaign where that is a further one."""
    return each.writer if each.campaign == ORDINARY else f"{each.campaign}/{each.writer}"


def _what(trials: int, snapshots: int) -> str:
    """Return how many trials and snapshots."""
    return f"{counted(trials, 'trial')}, {counted(snapshots, 'snapshot')}"


def _named(writers: "list[str] | tuple[str, ...]") -> str:
    """Return how many writers and the first of their names."""
    more = f" and {len(writers) - _SHOWN} more" if len(writers) > _SHOWN else ""
    return f"{counted(len(writers), 'writer')} ({output.clean(', '.join(writers[:_SHOWN]))}{more})"
