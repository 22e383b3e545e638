"""Commands that walk the graph: parents, children, ancestors, descendants."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated

import typer

from gitlineage.cli import listing, options, output
from gitlineage.cli.commands import Listing, command, commands
from gitlineage.cli.listing import Reached
from gitlineage.cli.opening import opened
from gitlineage.errors import LineageError
from gitlineage.model.records import Snapshot
from gitlineage.model.relation import relation_types
from gitlineage.query import ancestry, flat, walk
from gitlineage.query.names import resolve
from gitlineage.query.views import Views
from gitlineage.store.store import LineageStore

app = commands()

Second = Annotated[str | None, typer.Argument(metavar="OTHER", help="Another one.", show_default=False)]


@command(app, "parents", "gitlineage parents 015", Listing)
def parents(ctx: typer.Context, name: options.Id, as_json: options.Json = False) -> None:
    """List what a snapshot was derived from"""
    with opened(ctx) as store:
        known = store.snapshot(name).roles
        above = store.parents(name)
        print_found(store.ledger.views(), above, as_json, lambda oid: Reached(role=known.get(oid, "")))


@command(app, "children", "gitlineage children best --json", Listing)
def children(ctx: typer.Context, name: options.Id, as_json: options.Json = False) -> None:
    """List what was derived from a snapshot directly"""
    with opened(ctx) as store:
        print_all(store, as_json, lambda views: ancestry.child_oids(views, resolve(views, name)))


@command(app, "ancestors", "gitlineage ancestors best --depth 3", Listing)
def ancestors(
    ctx: typer.Context,
    name: options.Id,
    other: Second = None,
    common: Annotated[
        bool, typer.Option("--common", help="Show the latest snapshot that both ID and OTHER go back to.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="With --common, show all lowest ones, the latest recorded first.")
    ] = False,
    depth: options.Depth = -1,
    relations: options.Relations = None,
    as_json: options.Json = False,
) -> None:
    """
    List all that a snapshot goes back to, nearest first

    With --common a snapshot counts as its own ancestor, and without --relations, forks and successions that were
    recorded count beside git parents. Two that are unrelated have none, which ends with exit code 1.
    """
    _check_second(other, common, "--common")
    if every and not common:
        raise typer.BadParameter("it belongs to --common", param_hint="'--all'")
    if common and depth != -1:
        raise typer.BadParameter("it excludes --common", param_hint="'--depth'")
    with opened(ctx) as store:
        if other is not None:
            _print_common(store, name, other, relations, every, as_json)
            return
        print_walk(store, name, relations, depth, as_json, up=True)


def _print_common(
    store: LineageStore, name: str, other: str, relations: list[str] | None, every: bool, as_json: bool
) -> None:
    bases = store.merge_bases(name, other, relations)
    if not bases:
        raise LineageError(f"{name} and {other} have no common ancestor")
    views = store.ledger.views()
    print_found(views, [views.snapshot(oid) for oid in (bases if every else bases[:1])], as_json)


@command(app, "descendants", "gitlineage descendants --leaves", Listing)
def descendants(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="The snapshot; with --leaves it may be left out.", show_default=False),
    ] = None,
    other: Second = None,
    leaves: Annotated[bool, typer.Option("--leaves", help="Only those that nothing was derived from.")] = False,
    path: Annotated[
        bool, typer.Option("--path", help="Show the shortest path from ID to OTHER, which is a descendant.")
    ] = False,
    depth: options.Depth = -1,
    relations: options.Relations = None,
    as_json: options.Json = False,
) -> None:
    """
    List all that goes back to a snapshot, nearest first

    What depends on one is found with `--relations depends_on`, the ends of the whole lineage with --leaves alone.
    Two between which there is no path end with exit code 1.
    """
    _check_second(other, path, "--path")
    if path and (leaves or depth != -1):
        raise typer.BadParameter("it excludes --leaves and --depth", param_hint="'--path'")
    if name is None and (not leaves or depth != -1 or relations):
        raise typer.BadParameter("name a snapshot, or take --leaves alone for those of all", param_hint="'ID'")
    with opened(ctx) as store:
        if name is None:
            print_all(store, as_json, ancestry.leaf_oids)
            return
        if other is not None:
            _print_path(store, name, other, relations, as_json)
            return
        print_walk(store, name, relations, depth, as_json, up=False, leaves=leaves)


def _print_path(store: LineageStore, start: str, end: str, types: list[str] | None, as_json: bool) -> None:
    way = store.get_path(start, end, types)
    if way is None:
        raise LineageError(f"no path leads from {start} to {end}; the ancestor comes first")
    views = store.ledger.views()
    print_found(views, [views.snapshot(oid) for oid in way], as_json)


def _check_second(other: str | None, wanted: bool, option: str) -> None:
    """Refuse a second id without the option that it is for, and the option without a second id."""
    if wanted and other is None:
        raise typer.BadParameter("it needs two ids", param_hint=f"'{option}'")
    if other is not None and not wanted:
        raise typer.BadParameter(f"a second id goes with {option}", param_hint="'OTHER'")


def print_found(
    views: Views, snapshots: Sequence[Snapshot], as_json: bool, reached: Callable[[str], Reached] | None = None
) -> None:
    """Print snapshots, recorded or not, in lines or as objects."""
    if as_json:
        output.json_lines(listing.snapshot_object(views, each) for each in snapshots)
    else:
        listing.print_snapshots(views, snapshots, reached)


def print_all(
    store: LineageStore,
    as_json: bool,
    oids: Callable[[Views], Iterable[str]],
    reached: Callable[[str], Reached] | None = None,
) -> None:
    """Print many recorded snapshots as they are read, in lines or as objects, with what a walk knows of each."""
    if not as_json:
        snapshots = store.ledger.stream(lambda views: views.each_snapshot(oids(views)))
        listing.print_snapshots(store.ledger.views(), snapshots, reached)
        return
    output.json_lines(store.ledger.stream(lambda views: flat.snapshots(views, oids(views), reached)))


def print_walk(
    store: LineageStore,
    name: str,
    relations: Sequence[str] | None,
    depth: int,
    as_json: bool,
    *,
    up: bool,
    leaves: bool = False,
) -> None:
    """
    Print the recorded snapshots that a walk comes to, as it does.

    Args:
        leaves: only those that nothing was derived from.
    """
    types = relation_types(relations) if relations else None
    met: dict[str, Reached] = {}

    def oids(views: Views) -> Iterator[str]:
        ends = set(ancestry.leaf_oids(views)) if leaves else None
        for node in walk.met(views, resolve(views, name), types, depth, up=up):
            if ends is not None and node.oid not in ends:
                continue
            met[node.oid] = Reached(node.depth, node.type, node.role)
            yield node.oid

    print_all(store, as_json, oids, met.pop)
