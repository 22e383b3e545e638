"""Commands on cohorts: new, list and show."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import msgspec
import typer

from gitlineage.cli import layout, listing, options, output
from gitlineage.cli.commands import Listing, Paged, command, commands
from gitlineage.cli.layout import Cell, Column
from gitlineage.cli.opening import opened
from gitlineage.errors import Invalid
from gitlineage.index.database import growing
from gitlineage.model.records import Cohort
from gitlineage.query.views import Views
from gitlineage.store.store import LineageStore
from gitlineage.text import to_type

app = commands()
cohorts = commands("Open, list and show batches made from one parent state")
app.add_typer(cohorts, name="cohort")

_TAKEN = ("self", "name", "base", "allow_mixed")
_COLUMNS = (
    Column("name", cap=24),
    Column("commit", drop=1),
    Column("members", right=True),
    Column("base", cap=16),
    Column("opened", drop=2),
    Column("said about it"),
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The cohort's name.", show_default=False)]


@command(cohorts, "new", "gitlineage cohort new widths --base 012 --note 'how wide is wide enough' --size 4")
def new(
    ctx: typer.Context,
    name: Name,
    base: Annotated[
        list[str] | None,
        typer.Option(
            "--base",
            "--parents",
            metavar="ID...",
            help="What every member is derived from: `A B`, or `A,B`. [default: the nearest by content]",
            show_default=False,
        ),
    ] = None,
    root: options.Root = False,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="What it is for.")] = None,
    size: Annotated[
        int | None, typer.Option("--size", min=0, metavar="N", help="How many members are planned.")
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="NAME=VALUE", help="Anything else; JSON where it is JSON; repeatable."),
    ] = None,
    allow_mixed: Annotated[bool, typer.Option("--allow-mixed", help="Let members have other parents.")] = False,
    as_json: options.Json = False,
) -> None:
    """
    Open a cohort

    Without --base its members are derived from the snapshot that the working tree is nearest to.
    """
    metadata: dict[str, Any] = {key: options.value(text) for key, text in options.pairs(field, "--field")}
    metadata |= {key: value for key, value in (("note", note), ("size", size)) if value is not None}
    if taken := [key for key in metadata if key in _TAKEN]:
        raise typer.BadParameter(f"{taken[0]!r} is a cohort's own word; take another", param_hint="'--field'")
    with opened(ctx) as store:
        derived = options.parents(store, base, root)
        if derived is None:
            if store.ledger.repo.workdir is None:
                raise Invalid(
                    "a bare repository has no working tree to find the base by; say it with --base, or --root"
                )
            near = store.nearest()
            derived = [near.oid] if near is not None else []
        made = store.open_cohort(name, derived, allow_mixed=allow_mixed, **metadata)
        if as_json:
            output.json_line(_object(made))
            return
        views = store.ledger.views()
        names = ", ".join(views.name(oid) for oid in made.base) or "nothing"
        output.say(output.clean(f"cohort {made.name} on {names}  {made.oid[: listing.SHORT]}"))
        output.say(output.clean(f'  add a member: gitlineage commit {_asked(store, made)} -m "..."'))


@command(cohorts, "list", "gitlineage cohort list", Listing)
def list_(ctx: typer.Context, as_json: options.Json = False) -> None:
    """List cohorts in the order they were opened"""
    with opened(ctx) as store:
        views = store.ledger.views()
        if as_json:
            output.json_lines(store.ledger.stream(lambda views: views.cohorts.each()))
        else:
            layout.table(_COLUMNS, _lines(views, store.ledger.stream(lambda views: views.cohorts.each())))


def _lines(views: Views, cohorts: Iterable[Cohort]) -> Iterator[list[Cell]]:
    for part in growing(cohorts):
        names = views.labels.names(oid for each in part for oid in each.base)
        yield from (_cells(names, each) for each in part)


@command(cohorts, "show", "gitlineage cohort show widths --json", Paged)
def show(ctx: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """Show a cohort's base, what was said about it, and its members in recording order"""
    with opened(ctx) as store:
        cohort = store.cohort(name)
        views = store.ledger.views()
        members = views.snapshots(cohort.members)
        if as_json:
            output.json_line(
                {**_object(cohort), "snapshots": [listing.snapshot_object(views, each) for each in members]}
            )
            return
        layout.facts(
            [
                ("cohort", output.paint(output.clean(cohort.name), "bold")),
                ("commit", cohort.oid),
                ("opened", output.clean(f"{cohort.created_at} by {cohort.writer}")),
                ("base", output.clean(", ".join(views.name(oid) for oid in cohort.base)) or "nothing"),
                *((output.clean(key), output.clean(options.as_text(value))) for key, value in cohort.metadata.items()),
                ("parents", "members may have other parents" if cohort.allow_mixed else ""),
                ("members", str(len(members))),
            ]
        )
        if members:
            output.say()
            listing.print_snapshots(views, members)


def _asked(store: LineageStore, cohort: Cohort) -> str:
    views = store.ledger.views()
    names = [views.name(oid) for oid in cohort.base]
    return to_type(*(["--parents", *names] if names else ["--root"]), "--cohort", cohort.name)


def _cells(names: Mapping[str, str], cohort: Cohort) -> list[Cell]:
    said = (f"{key}: {options.as_text(value)}" for key, value in cohort.metadata.items())
    return [
        Cell(cohort.name, "bold"),
        Cell(cohort.oid[: listing.SHORT], "dim"),
        Cell(str(len(cohort.members))),
        Cell(",".join(names[oid] for oid in cohort.base)),
        Cell(cohort.created_at, "dim"),
        Cell("; ".join(said)),
    ]


def _object(cohort: Cohort) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(cohort)
    return fields
