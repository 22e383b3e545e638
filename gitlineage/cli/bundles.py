"""Commands that share lineage without a network: export bundle and import bundle."""

from pathlib import Path
from typing import Annotated

import typer

from gitlineage.cli import failing, layout, listing, options, output
from gitlineage.cli.opening import opened, place
from gitlineage.git.repository import find_repository
from gitlineage.model.namespace import ORDINARY
from gitlineage.sync import bundles
from gitlineage.text import counted

BUNDLE = "gitlineage export bundle lineage.bundle --cohort sweep-1"
UNBUNDLE = "gitlineage import bundle lineage.bundle"


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


def unbundle(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The bundles.", show_default=False)],
    as_json: options.Json = False,
) -> None:
    """
    Take in the lineage that a bundle holds

    Refs that are new or go on from what is here are taken; one that was rewritten is refused, with exit code 1.
    """
    if find_repository(place(ctx).path) is None:
        bundles.check(files[0])  # a file that is refused makes no repository
    with opened(ctx, create=True, begin=True) as store:
        taken = []
        for file in files:
            taken.append(bundles.unbundle(store.ledger, file))
            _tell(taken[-1], as_json)
    if any(done.refused for done in taken):
        raise typer.Exit(failing.REFUSED)


def _tell(done: bundles.Unbundled, as_json: bool) -> None:
    """Print what came of one bundle."""
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


def _place(each: bundles.Arrival) -> str:
    """Return whose ref it is, with its campaign where that is a further one."""
    return each.writer if each.campaign == ORDINARY else f"{each.campaign}/{each.writer}"


def _what(trials: int, snapshots: int) -> str:
    """Return how many trials and snapshots."""
    return f"{counted(trials, 'trial')}, {counted(snapshots, 'snapshot')}"
