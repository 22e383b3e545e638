"""Commands on the catalogue of artifacts: what they are, how they were forged, and what depends on them."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer

from gitlineage.cli import layout, options, output
from gitlineage.cli.commands import Listing, command, commands
from gitlineage.cli.layout import Cell, Column
from gitlineage.cli.opening import opened
from gitlineage.model.catalogue import (
    PHASES,
    SET_BY_HAND,
    CatalogEntry,
    EntryStatus,
    ForgePhase,
    ForgeRecord,
    checked_fields,
    checked_phase,
)
from gitlineage.model.similarity import ByMeaning, Similarity, by_words
from gitlineage.store.store import LineageStore
from gitlineage.text import counted

app = commands()
entries = commands("Describe artifacts, how they were made, and what needs them")
app.add_typer(entries, name="catalog")

_ENTRIES = (
    Column("id", cap=14),
    Column("type", cap=12, drop=2),
    Column("name", cap=20),
    Column("version", cap=8, drop=3),
    Column("status", cap=10),
    Column("used", right=True, drop=1),
    Column("description"),
)
_FORGES = (
    Column("id"),
    Column("similar", right=True),
    Column("when", drop=1),
    Column("worked"),
    Column("failed in", cap=12, drop=2),
    Column("result", cap=14),
    Column("intent"),
)
_INTENTS = (
    Column("attempts", right=True),
    Column("worked", right=True),
    Column("last", drop=1),
    Column("results", cap=30),
    Column("intent"),
)
_STATUSES = {
    EntryStatus.ACTIVE: "green",
    EntryStatus.DEPRECATED: "yellow",
    EntryStatus.RETIRED: "dim",
    EntryStatus.DRAFT: "blue",
}
_SEVERITIES = {"low": "green", "medium": "yellow", "high": "red", "critical": "bold red"}

Intent = Annotated[str, typer.Argument(metavar="INTENT", help="What is wanted, in words.", show_default=False)]
Embeddings = Annotated[bool, typer.Option("--embeddings", help="Compare by meaning; needs the extra `embeddings`.")]


@command(entries, "set", "gitlineage catalog set 015 name=parser input_type=text output_type=tree")
def set_(
    ctx: typer.Context,
    name: options.Id,
    fields: Annotated[
        list[str],
        typer.Argument(metavar="FIELD=VALUE...", help=f"Any of {', '.join(SET_BY_HAND)}.", show_default=False),
    ],
    by: options.By = None,
    as_json: options.Json = False,
) -> None:
    """Describe an artifact in the catalogue"""
    said: dict[str, Any] = dict(options.pairs(fields, "FIELD=VALUE"))
    if "keywords" in said:
        said["keywords"] = said["keywords"].replace(",", " ").split()
    with options.refused("FIELD=VALUE"):
        checked_fields(said)
    with opened(ctx) as store:
        _print_entry(store, store.set_entry(name, actor=by, **said), as_json)


@command(entries, "show", "gitlineage catalog show 015")
def show(ctx: typer.Context, name: options.Id, as_json: options.Json = False) -> None:
    """Show what the catalogue says about an artifact"""
    with opened(ctx) as store:
        _print_entry(store, store.entry(name), as_json)


@command(entries, "list", "gitlineage catalog list --status active", Listing)
def list_(
    ctx: typer.Context,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATUS,...",
            callback=lambda values: options.some_of(values, list(EntryStatus)),
            help=f"Only of these statuses: {', '.join(EntryStatus)}; repeatable.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List the artifacts that the catalogue describes"""
    with opened(ctx) as store:
        _print_entries(store, [each for each in store.entries() if not status or each.status in status], as_json)


@command(entries, "touch", "gitlineage catalog touch 015")
def touch(
    ctx: typer.Context,
    name: options.Id,
    flush: Annotated[bool, typer.Option("--flush", help="Record all that was counted, so that others see it.")] = False,
    as_json: options.Json = False,
) -> None:
    """Count one use of an artifact"""
    with opened(ctx) as store:
        store.touch(name)
        if flush:
            store.flush_usage()
        _print_entry(store, store.entry(name), as_json)


@command(entries, "forge", "gitlineage catalog forge 015 'a parser for dates' --template 012")
def forge(
    ctx: typer.Context,
    name: options.Id,
    intent: Intent,
    template: Annotated[
        str | None, typer.Option("--template", metavar="ID", help="What it was made from.", show_default=False)
    ] = None,
    by: options.By = None,
    as_json: options.Json = False,
) -> None:
    """Record who forged an artifact, and from what"""
    with opened(ctx) as store:
        forger = by if by is not None else store.ledger.committer().name
        _print_entry(store, store.record_forge(name, intent, forger, template), as_json)


@command(
    entries, "attempt", "gitlineage catalog attempt 'a parser for dates' --phase understand --phase contract=failed"
)
def attempt(
    ctx: typer.Context,
    intent: Intent,
    phase: Annotated[
        list[str] | None,
        typer.Option(
            "--phase",
            metavar="NAME[=failed]|JSON",
            help=f"One of {', '.join(PHASES)}, or a phase with all its fields as JSON; repeatable, in order.",
        ),
    ] = None,
    result: Annotated[
        str | None, typer.Option("--result", metavar="ID", help="What came of it; then it worked.", show_default=False)
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="It did not work, even with a result.")] = False,
    by: options.By = None,
    as_json: options.Json = False,
) -> None:
    """Record an attempt to forge something"""
    phases = [_phase(text) for text in phase or ()]
    with opened(ctx) as store:
        worked = result is not None and not failed
        made = store.record_forge_attempt(intent, phases, result, worked, actor=by)
        print_forges(store, [(1.0, made)], as_json, scored=False)


@command(entries, "similar", "gitlineage catalog similar 'parse dates' --threshold 0.5", Listing)
def similar(
    ctx: typer.Context,
    intent: Intent,
    threshold: Annotated[
        float, typer.Option("--threshold", min=0, max=1, metavar="N", help="How similar at the least, 0 to 1.")
    ] = 0.8,
    embeddings: Embeddings = False,
    as_json: options.Json = False,
) -> None:
    """Find what was forged, or tried to be, from something similar"""
    with opened(ctx) as store:
        forges = store.scored_forges(intent, threshold, similarity=_similarity(embeddings))
        print_forges(store, forges, as_json)


@command(entries, "attempts", "gitlineage catalog attempts 'a parser for dates'", Listing)
def attempts(
    ctx: typer.Context,
    intent: Annotated[
        str | None,
        typer.Argument(metavar="[INTENT]", help="What was wanted, in words. [default: all]", show_default=False),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List all attempts at one intent, or every intent with how many there were"""
    with opened(ctx) as store:
        if intent is None:
            _print_intents(store, as_json)
            return
        print_forges(store, [(1.0, each) for each in store.forge_attempts(intent)], as_json, scored=False)


@command(entries, "impact", "gitlineage catalog impact 012 --replacements", Listing)
def impact(
    ctx: typer.Context,
    name: options.Id,
    replacements: Annotated[
        bool, typer.Option("--replacements", help="List what could take its place instead.")
    ] = False,
    embeddings: Embeddings = False,
    as_json: options.Json = False,
) -> None:
    """Show what breaks if an artifact is deprecated"""
    with opened(ctx) as store:
        if replacements:
            likeness = _similarity(embeddings)
            _print_entries(store, store.find_replacement_candidates(name, similarity=likeness), as_json)
            return
        report = store.analyze_deprecation(name)
        views = store.ledger.views()
        if as_json:
            output.json_line({"artifact": views.name(report.artifact_id)} | msgspec.to_builtins(report))
            return
        names = ", ".join(views.name(oid) for oid in report.dependent_ids)
        layout.facts(
            [
                ("artifact", output.paint(output.clean(views.name(report.artifact_id)), "bold")),
                ("severity", output.paint(report.severity, _SEVERITIES[report.severity])),
                ("dependents", f"{report.direct_dependents} directly, {report.transitive_dependents} in all"),
                ("", output.clean(names)),
                ("in use", "yes" if report.active_usage else "no"),
                *(
                    ("to do" if not at else "", output.clean(each))
                    for at, each in enumerate(report.recommended_actions)
                ),
            ]
        )


def _similarity(embeddings: bool) -> Similarity:
    return ByMeaning() if embeddings else by_words


def _phase(text: str) -> ForgePhase:
    name, _, outcome = text.partition("=")
    said: Any = {"phase_name": name, "success": outcome != "failed"}
    if text.lstrip().startswith("{"):
        said = options.value(text)
        if not isinstance(said, dict):
            raise typer.BadParameter(f"{text!r} is no JSON object", param_hint="'--phase'")
    elif outcome not in ("", "ok", "failed"):
        raise typer.BadParameter(f"{text!r}: a phase ended ok or failed", param_hint="'--phase'")
    with options.refused("--phase"):
        return checked_phase(said)


def _print_entry(store: LineageStore, entry: CatalogEntry, as_json: bool) -> None:
    views = store.ledger.views()
    if as_json:
        output.json_line({"artifact": views.name(entry.id)} | msgspec.to_builtins(entry))
        return
    heir = entry.deprecated_in_favor_of
    layout.facts(
        [
            ("artifact", output.paint(output.clean(views.name(entry.id)), "bold")),
            ("type", output.clean(entry.entity_type)),
            ("name", output.clean(f"{entry.name} {entry.version}".strip())),
            ("status", output.paint(entry.status, _STATUSES[entry.status])),
            ("replaced by", output.clean(views.name(heir)) if heir else ""),
            ("does", output.clean(entry.description)),
            ("keywords", output.clean(", ".join(entry.keywords))),
            ("takes", output.clean(entry.input_type)),
            ("gives", output.clean(entry.output_type)),
            ("forged by", output.clean(entry.forged_by or "")),
            ("forged from", output.clean(entry.forged_from or "")),
            ("used", f"{counted(entry.usage_count, 'time')}, last {entry.last_used}" if entry.usage_count else ""),
        ]
    )


def _print_entries(store: LineageStore, entries: Sequence[CatalogEntry], as_json: bool) -> None:
    views = store.ledger.views()
    if as_json:
        for each in entries:
            output.json_line({"artifact": views.name(each.id)} | msgspec.to_builtins(each))
        return
    rows = [
        [
            Cell(views.name(each.id), "bold"),
            Cell(each.entity_type),
            Cell(each.name),
            Cell(each.version),
            Cell(each.status, _STATUSES[each.status]),
            Cell(str(each.usage_count or "")),
            Cell(each.description),
        ]
        for each in entries
    ]
    layout.table(_ENTRIES, rows)


def _print_intents(store: LineageStore, as_json: bool) -> None:
    intents = store.forge_intents()
    if as_json:
        for each in intents:
            output.json_line(each)
        return
    names = store.ledger.views().labels.names(oid for each in intents for oid in each.results)
    rows = [
        [
            Cell(str(each.attempts)),
            Cell(str(each.worked)),
            Cell(each.last, "dim"),
            Cell(" ".join(names[oid] for oid in each.results)),
            Cell(each.intent, "bold"),
        ]
        for each in intents
    ]
    layout.table(_INTENTS, rows)


def print_forges(
    store: LineageStore, forges: Sequence[tuple[float, ForgeRecord]], as_json: bool, *, scored: bool = True
) -> None:
    """Print what was forged, or tried to be, with how similar it is where that was asked."""
    views = store.ledger.views()
    if as_json:
        for score, each in forges:
            failed = each.failed_phase
            more: dict[str, Any] = {"failed_phase": failed.phase_name if failed else None}
            output.json_line(msgspec.to_builtins(each) | more | ({"similarity": round(score, 6)} if scored else {}))
        return
    rows = [
        [
            Cell(each.id[:12], "bold"),
            Cell(f"{score:.2f}" if scored else ""),
            Cell(each.timestamp, "dim"),
            Cell("yes", "green") if each.success else Cell("no", "red"),
            Cell(each.failed_phase.phase_name if each.failed_phase else "", "red"),
            Cell(views.name(each.result_id) if each.result_id else ""),
            Cell(each.intent),
        ]
        for score, each in forges
    ]
    layout.table(_FORGES, rows)
