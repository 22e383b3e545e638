"""Commands that walk the graph: parents, children, ancestors, descendants."""

from collections.abc import Sequence
from typing import Annotated

import typer

from gitlineage.cli import listing, options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.opening import opened
from gitlineage.errors import LineageError
from gitlineage.model.records import AncestryNode, Snapshot
from gitlineage.query.views import Views
from gitlineage.store.store import LineageStore

app = commands()

Second = Annotated[str | None, typer.Argument(metavar="OTHER", help="Another one.", show_default=False)]


@command(app, "parents", "gitlineage parents 015")
def parents(ctx: typer.Context, name: options.Id, as_json: options.Json = False) -> None:
    """List what a snapshot was derived from"""
    with opened(ctx) as store:
        known = store.snapshot(name).roles
        above = store.parents(name)
        print_found(store.ledger.views(), above, as_json, roles=[known.get(each.oid, "") for each in above])


@command(app, "children", "gitlineage children best --json")
def children(ctx: typer.Context, name: options.Id, as_json: options.Json = False) -> None:
    """List what was derived from a snapshot directly"""
    with opened(ctx) as store:
        print_found(store.ledger.views(), store.children(name), as_json)


@command(app, "ancestors", "gitlineage ancestors best --depth 3")
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
        nodes = store.get_ancestors(name, relations, depth) if relations else store.ancestors(name, depth)
        print_walk(store.ledger.views(), nodes, as_json)


def _print_common(
    store: LineageStore, name: str, other: str, relations: list[str] | None, every: bool, as_json: bool
) -> None:
    bases = store.merge_bases(name, other, relations)
    if not bases:
        raise LineageError(f"{name} and {other} have no common ancestor")
    views = store.ledger.views()
    print_found(views, [views.snapshot(oid) for oid in (bases if every else bases[:1])], as_json)


@command(app, "descendants", "gitlineage descendants --leaves")
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
            print_found(store.ledger.views(), store.leaves(), as_json)
            return
        if other is not None:
            _print_path(store, name, other, relations, as_json)
            return
        nodes = store.get_descendants(name, relations, depth) if relations else store.descendants(name, depth)
        if leaves:
            ends = {each.oid for each in store.leaves()}
            nodes = tuple(node for node in nodes if node.entry is not None and node.entry.oid in ends)
        print_walk(store.ledger.views(), nodes, as_json)


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
    views: Views,
    snapshots: Sequence[Snapshot],
    as_json: bool,
    *,
    depths: Sequence[int] = (),
    roles: Sequence[str] = (),
    types: Sequence[str | None] = (),
) -> None:
    """Print snapshots, in lines or as objects, with what a walk knows of each."""
    if not as_json:
        listing.print_snapshots(views, snapshots, depths=depths, roles=roles, types=types)
        return
    for at, snapshot in enumerate(snapshots):
        more: dict[str, object] = {"depth": depths[at]} if depths else {}
        more |= {"relationship": types[at], "role": roles[at]} if types else {}
        output.json_line(listing.snapshot_object(views, snapshot, **more))


def print_walk(views: Views, nodes: Sequence[AncestryNode], as_json: bool) -> None:
    """Print the nodes of a walk."""
    met = [(node, node.entry) for node in nodes]
    known = [(node, entry) for node, entry in met if entry is not None]
    print_found(
        views,
        [entry for _, entry in known],
        as_json,
        depths=[node.depth for node, _ in known],
        roles=[node.role for node, _ in known],
        types=[node.relationship for node, _ in known],
    )
