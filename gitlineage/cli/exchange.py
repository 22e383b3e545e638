"""Commands that bring trials and snapshots in and out: import and export of tables, loops and OpenRange stores."""

import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gitlineage.bounds import read_input
from gitlineage.bridge import exports, lgent, openrange, tsv
from gitlineage.bridge.board import write_board
from gitlineage.bridge.tsv import ImportOutcome, import_tsv
from gitlineage.cli import autoresearch, bundles, listing, options, output, worlds
from gitlineage.cli.commands import command, commands
from gitlineage.cli.importing import (
    EXAMPLE,
    LOOP_EXAMPLE,
    PATH,
    Cohort,
    Made,
    Map,
    Other,
    PathGroup,
    Words,
    import_loop,
    import_path,
)
from gitlineage.cli.opening import into, opened
from gitlineage.errors import BadRows, Invalid, StorageError
from gitlineage.files import write_pieces, write_whole
from gitlineage.query.views import Views
from gitlineage.store.store import LineageStore
from gitlineage.text import counted, to_type

app = commands()
importing = typer.Typer(
    cls=PathGroup,
    add_completion=False,
    help="Bring in the results of any loop: import PATH",
)
exporting = commands("Write trials or snapshots out to files")
app.add_typer(importing, name="import")
app.add_typer(exporting, name="export")
command(importing, PATH, EXAMPLE)(import_path)
command(importing, "autoresearch", LOOP_EXAMPLE)(import_loop)
command(importing, "bundle", bundles.UNBUNDLE)(bundles.unbundle)
command(importing, "openrange", worlds.EXAMPLE)(worlds.import_store)
command(exporting, "bundle", bundles.BUNDLE)(bundles.bundle)

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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be imported, and write nothing.")] = False,
    fields: Map = None,
    status: Words = None,
    other_status: Other = None,
    skip_bad: options.SkipBad = False,
    cohort: Cohort = "",
    specialist: Made = "",
    campaign: options.Campaign = None,
    as_json: options.Json = False,
) -> None:
    """
    Import a table of trials with tabs between its columns

    All of it or nothing; again, it adds nothing. Every column is kept, and export gives the file back byte for byte.
    A row with a score and no status is judged by the rows before it; one with neither is pending. With options that say
    what columns and words mean the table is read as `gitlineage import FILE` reads it.
    """
    if dry_run or fields or status or other_status or skip_bad or cohort or specialist:
        if snapshots is not None or repair:
            raise typer.BadParameter(
                "it is for tables that are read as they are, without options for columns and words",
                param_hint="'--snapshots'" if snapshots is not None else "'--repair'",
            )
        import_path(
            ctx, [file], dry_run=dry_run, metric=metric, lower_is_better=lower_is_better, fields=fields, status=status,
            other_status=other_status, skip_bad=skip_bad, label=label, cohort=cohort, specialist=specialist,
            campaign=campaign, as_json=as_json,
        )  # fmt: skip
        return
    into(ctx, campaign)
    source = "standard input" if file == "-" else Path(file).name
    with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as given:
        data = read_input(given, source)
    with opened(ctx, create=True) as store:
        try:
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
        except BadRows as error:
            if error.hint or error.rows[0][0] != 1:
                raise
            hint = f"`{to_type('gitlineage', 'import', file)}` reads tables of any kind"
            raise BadRows(error.source, error.rows, hint) from error
        if as_json:
            output.json_line(outcome)
        else:
            _print(outcome)


@command(exporting, "tsv", "gitlineage export tsv results.tsv")
def export(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; - for standard output.", show_default=False)],
    at: options.At = None,
    for_spreadsheets: Annotated[
        bool,
        typer.Option("--for-spreadsheets", help="Put ' before cells that a spreadsheet would run as formulas."),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """
    Write every trial with a result as a table

    A table that was imported comes back byte for byte. Cells are anybody's text: look at them in a spreadsheet with
    --for-spreadsheets, which is no table to import again.
    """
    if as_json and file == "-":
        raise typer.BadParameter("standard output is for the table, or for --json", param_hint="'FILE'")
    with opened(ctx) as store:
        _write(store, partial(tsv.pieces, for_spreadsheets=for_spreadsheets), file, at, as_json)


def _write(
    store: LineageStore, form: Callable[[Views], Iterator[bytes]], file: str, at: str | None, as_json: bool
) -> None:
    """Write what a form makes of the trials, piece by piece."""
    pieces = store.ledger.stream(form, store.ledger.views(at=at) if at is not None else None)
    if file == "-":
        if output.is_terminal() and form not in exports.FORMS.values():
            pieces = iter([f"{output.clean_block(b''.join(pieces).decode(errors='replace'))}\n".encode()])
        for piece in pieces:
            output.write(piece)
        return
    try:
        size = write_pieces(Path(file), pieces)
    except OSError as error:
        raise StorageError(f"cannot write {file}: {error.strerror or error}") from error
    if as_json:
        output.json_line({"file": file, "size": size})
    else:
        output.note(f"wrote {file}")


def _exported(
    ctx: typer.Context, form: str, file: str, at: str | None, as_json: bool, for_spreadsheets: bool = False
) -> None:
    """Write the trials in one of the forms that other programs read."""
    if as_json and file == "-":
        raise typer.BadParameter("standard output is for the export, or for --json", param_hint="'FILE'")
    made = partial(exports.as_csv, for_spreadsheets=True) if for_spreadsheets else exports.FORMS[form]
    with opened(ctx) as store:
        try:
            _write(store, made, file, at, as_json)
        except ImportError as error:
            raise Invalid(f"this form needs {error.name}: `pip install 'gitlineage[arrow]'`") from error


Target = Annotated[str, typer.Argument(metavar="FILE", help="Where to; - for standard output.", show_default=False)]


@command(exporting, "csv", "gitlineage export csv trials.csv")
def export_csv(
    ctx: typer.Context,
    file: Target,
    at: options.At = None,
    for_spreadsheets: Annotated[
        bool, typer.Option("--for-spreadsheets", help="Put ' before cells that a spreadsheet would run as formulas.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """
    Write every trial with a result as CSV

    With all parents, their roles and the cohort; `export tsv` gives an imported table back.
    """
    _exported(ctx, "csv", file, at, as_json, for_spreadsheets)


@command(exporting, "jsonl", "gitlineage export jsonl trials.jsonl")
def export_jsonl(ctx: typer.Context, file: Target, at: options.At = None, as_json: options.Json = False) -> None:
    """Write every trial with a result as a JSON object a line"""
    _exported(ctx, "jsonl", file, at, as_json)


@command(exporting, "parquet", "gitlineage export parquet trials.parquet")
def export_parquet(ctx: typer.Context, file: Target, at: options.At = None, as_json: options.Json = False) -> None:
    """
    Write every trial with a result as a Parquet table

    Needs the extra `arrow`.
    """
    _exported(ctx, "parquet", file, at, as_json)


@command(exporting, "prov", "gitlineage export prov lineage.json")
def export_prov(ctx: typer.Context, file: Target, at: options.At = None, as_json: options.Json = False) -> None:
    """Write the lineage as W3C PROV-JSON"""
    _exported(ctx, "prov", file, at, as_json)


@command(exporting, "openlineage", "gitlineage export openlineage events.jsonl")
def export_openlineage(ctx: typer.Context, file: Target, at: options.At = None, as_json: options.Json = False) -> None:
    """Write the lineage as OpenLineage run events, one a line"""
    _exported(ctx, "openlineage", file, at, as_json)


@command(exporting, "board", "gitlineage export board lineage")
def board(
    ctx: typer.Context,
    folder: options.Folder,
    tree_path: options.TreePath = None,
    raw_parents: options.RawParents = False,
    at: options.At = None,
    trusted_only: options.TrustedOnly = False,
    as_json: options.Json = False,
) -> None:
    """
    Write the leaderboard and its companions into a folder

    LEADERBOARD.md, KNOWLEDGE.md, tree.tsv, results.tsv and best.json; what people wrote under Key Insights stays.
    """
    with opened(ctx) as store:
        written = write_board(
            store, folder, tree_path=tree_path, raw_parents=raw_parents, at=at, trusted_only=trusted_only
        )
        if as_json:
            output.json_line({"files": [str(path) for path in written]})
            return
        for path in written:
            output.say(output.clean(str(path)))


@command(exporting, "ro-crate", "gitlineage export ro-crate ro-crate-metadata.json")
def export_ro_crate(ctx: typer.Context, file: Target, at: options.At = None, as_json: options.Json = False) -> None:
    """
    Write the lineage as the metadata file of an RO-Crate

    It follows the profile Process Run Crate 0.5 and belongs into a folder by the name `ro-crate-metadata.json`.
    """
    _exported(ctx, "ro-crate", file, at, as_json)


@command(exporting, "mlflow", "gitlineage export mlflow mlruns/")
def export_mlflow(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; made if it is missing.", show_default=False)],
    experiment: Annotated[str, typer.Option("--experiment", metavar="NAME", help="The experiment.")] = "gitlineage",
    at: options.At = None,
    as_json: options.Json = False,
) -> None:
    """
    Write every trial with a result as a run in a tracking folder of MLflow

    Its first parent is the run that it is nested in; all parents, roles and the cohort are tags. Again, it writes the
    same files; runs of other experiments stay.
    """
    with opened(ctx) as store:
        files = exports.as_mlflow(store.ledger.views(at=at), experiment)
    try:
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror or error}") from error
    if as_json:
        output.json_line({"folder": str(folder), "files": len(files)})
    else:
        output.note(f"wrote {counted(len(files), 'file')} to {output.clean(str(folder))}")


@command(exporting, "lgent", "gitlineage export lgent graph.json")
def export_lgent(
    ctx: typer.Context,
    file: Target,
    events: Annotated[bool, typer.Option("--events", help="Write the log of events, an object a line.")] = False,
    catalogue: Annotated[bool, typer.Option("--catalog", help="Write the catalogue, `Catalog.to_dict()`.")] = False,
    forges: Annotated[
        bool, typer.Option("--forges", help="Write what was forged or tried to be, an object a line.")
    ] = False,
    at: options.At = None,
    as_json: options.Json = False,
) -> None:
    """
    Write snapshots and relations as L-gent's lineage graph

    Git parents are `successor_to`. The document is what `LineageGraph.to_dict()` gives; `import` reads it, the log and
    the catalogue.
    """
    chosen = [name for name, wanted in (("events", events), ("catalogue", catalogue), ("forges", forges)) if wanted]
    if len(chosen) > 1:
        raise typer.BadParameter("take one of --events, --catalog and --forges", param_hint="'FILE'")
    what = chosen[0] if chosen else "graph"
    if as_json and file == "-":
        raise typer.BadParameter("standard output is for the export, or for --json", param_hint="'FILE'")
    with opened(ctx) as store:
        _write(store, lgent.WRITTEN[what], file, at, as_json)
        views = store.ledger.views(at=at) if at is not None else store.ledger.views()
        for sentence in lgent.left_out(views, what):
            output.warning(sentence)


@command(exporting, "openrange", "gitlineage export openrange snapshots/")
def export_store(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; made if it is missing.", show_default=False)],
    generation: Annotated[
        int | None,
        typer.Option("--generation", min=1, max=3, help="Write only these, where there are several generations."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """
    Write the snapshots as an OpenRange store

    Imported ones are written byte for byte, those recorded here with all their parents: as generation 3 where a parent
    is and they hold its graph, else as generation 2.
    """
    with opened(ctx) as store:
        outcome = openrange.export_openrange(store, folder, generation=generation)
    if as_json:
        output.json_line(outcome)
    else:
        many = counted(len(outcome.files), "file")
        output.note(f"wrote {many} of generation {outcome.generation} to {output.clean(str(folder))}")
    if outcome.left_out:
        name, path = outcome.left_out[0]
        many = counted(len(outcome.left_out), "file")
        output.warning(
            f"left out {many} that OpenRange cannot hold, for they are no text, too long or beside a graph: "
            f"{path} of {name} first"
        )


def _print(outcome: ImportOutcome) -> None:
    listing.print_imported(outcome)
    if outcome.dangling:
        more = f" and {len(outcome.dangling) - _SHOWN} more" if len(outcome.dangling) > _SHOWN else ""
        names = ", ".join(outcome.dangling[:_SHOWN])
        output.warning(f"parents that no trial has: of {names}{more}; see `gitlineage log --dangling -n -1`")
    if outcome.circular:
        output.warning(output.clean(f"{autoresearch.CIRCULAR}{autoresearch.some(outcome.circular)}"))
