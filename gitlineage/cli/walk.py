"""Commands that walk the graph: parents, children, ancestors, descendants, leaves, common-ancestor, same."""

from collections.abc import Sequence
from typing import Annotated

import typer

from gitlineage.cli import listing, options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.opening import opened
from gitlineage.errors import LineageError
from gitlineage.model.records import AncestryNode, Snapshot
from gitlineage.query.views import Views

app = commands()


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
    depth: options.Depth = -1,
    relations: options.Relations = None,
    as_json: options.Json = False,
) -> None:
    """List all that a snapshot goes back to, nearest first"""
    with opened(ctx) as store:
        nodes = store.get_ancestors(name, relations, depth) if relations else store.ancestors(name, depth)
        print_walk(store.ledger.views(), nodes, as_json)


@command(app, "descendants", "gitlineage descendants 000")
def descendants(
    ctx: typer.Context,
    name: options.Id,
    depth: options.Depth = -1,
    relations: options.Relations = None,
    as_json: options.Json = False,
) -> None:
    """List all that goes back to a snapshot, nearest first"""
    with opened(ctx) as store:
        nodes = store.get_descendants(name, relations, depth) if relations else store.descendants(name, depth)
        print_walk(store.ledger.views(), nodes, as_json)


@command(app, "leaves", "gitlineage leaves")
def leaves(ctx: typer.Context, as_json: options.Json = False) -> None:
    """List the snapshots that nothing was derived from"""
    with opened(ctx) as store:
        print_found(store.ledger.views(), store.leaves(), as_json)


@command(app, "common-ancestor", "gitlineage common-ancestor 012 014")
def common_ancestor(
    ctx: typer.Context,
    name: options.Id,
    other: options.Other,
    relations: options.Relations = None,
    every: Annotated[bool, typer.Option("--all", help="Show all lowest ones, the latest recorded first.")] = False,
    as_json: options.Json = False,
) -> None:
    """
    Show the latest snapshot that two others go back to

    A snapshot counts as its own ancestor. Two that are unrelated have none, which ends with exit code 1. Without
    --relations, forks and successions that were recorded count beside git parents.
    """
    with opened(ctx) as store:
        bases = store.merge_bases(name, other, relations)
        if not bases:
            raise LineageError(f"{name} and {other} have no common ancestor")
        views = store.ledger.views()
        print_found(views, [views.snapshot(oid) for oid in (bases if every else bases[:1])], as_json)


@command(app, "same", "gitlineage same 015")
def same(ctx: typer.Context, name: options.Id, as_json: options.Json = False) -> None:
    """List other snapshots with the same content"""
    with opened(ctx) as store:
        print_found(store.ledger.views(), store.same(name), as_json)


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
