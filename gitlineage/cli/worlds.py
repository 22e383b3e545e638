"""The command that brings in an OpenRange store, by its own name or by `import PATH`."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gitlineage.bridge import openrange
from gitlineage.cli import options, output
from gitlineage.cli.opening import into, opened, place
from gitlineage.git.repository import find_repository
from gitlineage.text import counted, some

EXAMPLE = "gitlineage import openrange snapshots/"
_SHOWN = 10


def import_store(
    ctx: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="The folder of an OpenRange store, with its *.json.", show_default=False),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be imported, and write nothing.")] = False,
    skip_bad: options.SkipBad = False,
    cohort: Annotated[
        str | None,
        typer.Option("--cohort", metavar="NAME", help="The batch of all that have a parent and name none."),
    ] = None,
    campaign: options.Campaign = None,
    as_json: options.Json = False,
) -> None:
    """
    Import an OpenRange store, of any of its three generations

    All of it or nothing; again, it adds nothing. Each snapshot is found by its own id, or the beginning of it.
    Ancestors that have no file of their own become stubs. A variant is told by the directive that made it.
    """
    skipped: list[tuple[str, str]] = []
    files = openrange.read_folder(folder, skipped if skip_bad else None)
    into(ctx, campaign)
    if dry_run and find_repository(place(ctx).path) is None:
        outcome = openrange.preview(folder, files, cohort=cohort)
    else:
        with opened(ctx, create=True) as store:
            outcome = openrange.import_openrange(store, folder, files, cohort=cohort, dry_run=dry_run)
    if as_json:
        output.json_line({**msgspec.to_builtins(outcome), "skipped": skipped})
        return
    known = f", {outcome.known} known already" if outcome.known else ""
    done = "would import" if outcome.dry_run else "imported"
    output.say(f"{done} {counted(outcome.added, 'snapshot')} of generation {outcome.generation}{known}")
    for word, names in (("stub", outcome.stubs), ("cohort", outcome.cohorts)):
        if names:
            output.say(f"{counted(len(names), word)}: {output.clean(some(names, _SHOWN))}")
    if skipped:
        first = output.clean(": ".join(skipped[0]))
        output.warning(f"passed over {counted(len(skipped), 'file')} that are no snapshots; the first is {first}")
