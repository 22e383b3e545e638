"""
Commands that bring tables in and out: import tsv, import autoresearch and export tsv.

Layer 22.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gitlineage.boards import write_whole
from gitlineage.cli import autoresearch, listing, options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.opening import opened, place
from gitlineage.errors import StorageError
from gitlineage.formats import tsv
from gitlineage.gitrepo import find_repository
from gitlineage.tables import ImportOutcome, export_tsv, import_tsv

app = commands()
importing = commands("Bring trials in from a file")
exporting = commands("Write trials out to a file")
app.add_typer(importing, name="import")
app.add_typer(exporting, name="export")
command(importing, "autoresearch", autoresearch.EXAMPLE)(autoresearch.import_loop)

_SHOWN = 10


@command(importing, "tsv", "gitlineage import tsv results.tsv --metric val_bpb --lower-is-better")
def import_(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The table; - for standard input.", show_default=False)],
    metric: options.TaskMetric = None,
    lower_is_better: options.Direction = None,
    label: options.Label = None,
    snapshots: Annotated[
        Path | None,
        typer.Option(
            "--snapshots",
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="The folder that snapshot_path cells are below; their files become the trials' content.",
        ),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend rows with too many cells instead of refusing.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """
    Import a table of trials with tabs between its columns

    All of it or nothing; again, it adds nothing. Every column is kept, and export gives the file back byte for byte.
    """
    data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    source = "standard input" if file == "-" else Path(file).name
    if find_repository(place(ctx).path) is None:
        tsv.read(data, source=source, repair=repair, metric=metric)  # a file that is refused makes no repository
    with opened(ctx, create=True) as store:
        outcome = import_tsv(
            store,
            data,
            source=source,
            metric=metric,
            lower_is_better=lower_is_better,
            label=label,
            snapshots=snapshots,
            repair=repair,
        )
        if as_json:
            output.json_line(outcome)
        else:
            _print(outcome)


@command(exporting, "tsv", "gitlineage export tsv results.tsv")
def export(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; - for standard output.", show_default=False)],
    at: options.At = None,
) -> None:
    """Write every trial with a result as a table"""
    with opened(ctx) as store:
        data = export_tsv(store, at=at)
    if file == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
    else:
        try:
            write_whole(Path(file), data)
        except OSError as error:
            raise StorageError(f"cannot write {file}: {error.strerror or error}") from error
        output.note(f"wrote {file}")


def _print(outcome: ImportOutcome) -> None:
    known = f", {outcome.known} known already" if outcome.known else ""
    output.say(f"imported {outcome.added} trials{known}")
    output.say(output.clean(f"ranked by {listing.direction(outcome.task)}"))
    if outcome.repaired:
        output.say(f"mended lines: {', '.join(map(str, outcome.repaired))}")
    if outcome.dangling:
        more = f" and {len(outcome.dangling) - _SHOWN} more" if len(outcome.dangling) > _SHOWN else ""
        names = ", ".join(outcome.dangling[:_SHOWN])
        output.warning(f"parents that no trial has: of {names}{more}; see `gitlineage log --dangling -n 0`")
