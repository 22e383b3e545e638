"""Commands on typed relations: relation add, end, list, infer, evolve and history."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import typer

from gitlineage.cli import layout, options, output
from gitlineage.cli.commands import Listing, command, commands
from gitlineage.cli.layout import Cell, Column
from gitlineage.cli.opening import opened
from gitlineage.errors import LineageError
from gitlineage.model.records import Snapshot, Task
from gitlineage.model.relation import EvolutionStep, Relationship, RelationType
from gitlineage.model.trial import Trial
from gitlineage.query.views import Views
from gitlineage.store.store import LineageStore

app = commands()
relating = commands("Say and list how snapshots relate beside their parents")
app.add_typer(relating, name="relation")

_RELATIONS = (
    Column("source", cap=14),
    Column("type", cap=13),
    Column("target", cap=14),
    Column("since", drop=2),
    Column("by", cap=16, drop=1),
    Column("ended", drop=3),
    Column("said about it"),
)
_STEPS = (
    Column("from", cap=14),
    Column("to", cap=14),
    Column("when", drop=1),
    Column("worked"),
    Column("tried", cap=24, drop=2),
    Column("score", right=True),
    Column("gain", right=True),
    Column("metrics", drop=3),
    Column("hypothesis"),
)
_INFERRED = (
    Column("trial", cap=14),
    Column("cites", cap=14),
    Column("in", drop=1),
    Column("text"),
)

_WORKED = {True: Cell("yes", "green"), False: Cell("no", "red"), None: Cell("pending", "yellow")}

Source = Annotated[str, typer.Argument(metavar="SOURCE", help="The child, the dependent.", show_default=False)]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="The parent, the dependency.", show_default=False)]
Type = Annotated[
    str,
    typer.Argument(
        metavar="TYPE",
        callback=lambda value: options.one_of(value, list(RelationType)),
        help=f"One of {', '.join(RelationType)}.",
        show_default=False,
    ),
]


@command(relating, "add", "gitlineage relation add 015 depends_on 012 --context version_constraint='>=2'")
def add(
    ctx: typer.Context,
    source: Source,
    kind: Type,
    target: Target,
    by: options.By = None,
    context: Annotated[
        list[str] | None,
        typer.Option("--context", metavar="NAME=VALUE", help="Said about it; JSON where it is JSON; repeatable."),
    ] = None,
    all_types: Annotated[
        bool,
        typer.Option("--all-types", help="Look for cycles over all types, not the type's family only."),
    ] = False,
    created_at: Annotated[
        str | None, typer.Option("--created-at", metavar="TIME", help="When it came to be. [default: now]")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """
    Record how one snapshot relates to another

    It leads from child to parent: `relation add v2 successor_to v1`, `relation add app depends_on lib`. What would
    close a cycle is refused. The same relation again changes nothing.
    """
    with opened(ctx) as store:
        given = {name: options.value(text) for name, text in options.pairs(context, "--context")}
        scope = "all" if all_types else "family"
        made = store.add_relationship(source, target, kind, by, given or None, cycle_scope=scope, created_at=created_at)
        _print(store, [made], as_json)


@command(relating, "end", "gitlineage relation end 015 depends_on 012 --reason 'rewritten without it'")
def end(
    ctx: typer.Context,
    source: Source,
    kind: Type,
    target: Target,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it ends.", show_default=False)] = "",
    by: options.By = None,
    as_json: options.Json = False,
) -> None:
    """
    Record that a relation no longer holds

    It stays in history: `relation list --ended` lists it, too.
    """
    with opened(ctx) as store:
        if not store.deprecate_relationship(source, target, kind, reason, by):
            raise LineageError(
                f"there is no active relation {source} {kind} {target}; `gitlineage relation list` lists them"
            )
        said = store.get_relationships(
            source_id=source, target_id=target, relationship_types=[kind], include_deprecated=True
        )
        _print(store, said[-1:], as_json)


@command(relating, "list", "gitlineage relation list 015 --type depends_on --json", Listing)
def list_(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Only those from or to this snapshot.", show_default=False)
    ] = None,
    source: Annotated[str | None, typer.Option("--source", metavar="ID", help="Only those from it.")] = None,
    target: Annotated[str | None, typer.Option("--target", metavar="ID", help="Only those to it.")] = None,
    types: options.RelationTypes = None,
    by: Annotated[str | None, typer.Option("--by", metavar="WHO", help="Only those that WHO recorded.")] = None,
    ended: Annotated[bool, typer.Option("--ended", help="Those that no longer hold, too.")] = False,
    as_json: options.Json = False,
) -> None:
    """
    List typed relations in recording order

    Where two clones recorded what together closes a cycle, the later one is here and marked, and no walk follows it.
    """
    with opened(ctx) as store:
        listed = store.get_relationships(
            source_id=source, target_id=target, relationship_types=types, created_by=by, include_deprecated=ended
        )
        if name is not None:
            oid = store.resolve(name)
            listed = [each for each in listed if oid in (each.source_id, each.target_id)]
        _print(store, listed, as_json)


@command(relating, "evolve", "gitlineage relation evolve 012 015 --type performance --metric ms=3.5")
def evolve(
    ctx: typer.Context,
    parent: Annotated[str, typer.Argument(metavar="PARENT", help="The earlier one.", show_default=False)],
    child: Annotated[str, typer.Argument(metavar="CHILD", help="The later one.", show_default=False)],
    kind: Annotated[str, typer.Option("--type", metavar="TEXT", help="What was tried.")] = "unknown",
    failed: Annotated[bool, typer.Option("--failed", help="It did not work out.")] = False,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", metavar="NAME=NUMBER", help="What was measured; repeatable.")
    ] = None,
    by: options.By = None,
    as_json: options.Json = False,
) -> None:
    """Record what was tried from one to another"""
    metrics = {name: options.number(text, "--metric") for name, text in options.pairs(metric, "--metric")}
    with opened(ctx) as store:
        _print(store, [store.record_evolution(parent, child, kind, by, not failed, metrics)], as_json)


@command(relating, "history", "gitlineage relation history best --siblings", Listing)
def history(
    ctx: typer.Context,
    name: options.Id,
    siblings: Annotated[bool, typer.Option("--siblings", help="What else was tried from its ancestors, too.")] = False,
    successful: Annotated[bool, typer.Option("--successful", help="Only what worked.")] = False,
    as_json: options.Json = False,
) -> None:
    """List the steps of a snapshot's evolution"""
    with opened(ctx) as store:
        steps = store.get_evolution_history(name, include_siblings=siblings, only_successful=successful)
        views = store.ledger.views()
        if as_json:
            names = _names(views, steps)
            for step in steps:
                ends = {"from": names[step.from_id], "to": names[step.to_id]}
                output.json_line(ends | msgspec.to_builtins(step))
        else:
            layout.table(_STEPS, _steps(views, steps))


@command(relating, "infer", "gitlineage relation infer --notes", Listing)
def infer(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="ID", help="Only what this snapshot's trials cite.", show_default=False)
    ] = None,
    notes: Annotated[bool, typer.Option("--notes", help="Read the notes too, not only the hypotheses.")] = False,
    as_json: options.Json = False,
) -> None:
    """
    List which trials' texts cite other trials

    These are proposals, read from the texts each time: they are kept nowhere and never count as parents. What is a
    parent or related already is left out. `relation add` records one that is right; `graph --inferred` draws them.
    """
    with opened(ctx) as store:
        citations = store.infer(name, notes=notes)
        if as_json:
            for each in citations:
                output.json_line(each)
        else:
            layout.table(
                _INFERRED,
                [
                    [Cell(each.source, "bold"), Cell(each.target), Cell(each.column), Cell(each.text)]
                    for each in citations
                ],
            )


def _print(store: LineageStore, listed: list[Relationship], as_json: bool) -> None:
    names = store.ledger.views().labels.names(oid for each in listed for oid in (each.source_id, each.target_id))
    if not as_json:
        layout.table(_RELATIONS, [_cells(names, each) for each in listed])
        return
    for each in listed:
        ends = {"source": names[each.source_id], "target": names[each.target_id]}
        output.json_line(ends | msgspec.to_builtins(each))


def _cells(names: Mapping[str, str], relation: Relationship) -> list[Cell]:
    ended = f"{relation.deprecated_at} {relation.deprecation_reason or ''}".strip() if relation.deprecated else ""
    ended = ended or ("" if relation.followed else "not followed: it would close a cycle")
    return [
        Cell(names[relation.source_id], "bold"),
        Cell(relation.relationship_type, "cyan"),
        Cell(names[relation.target_id], "bold"),
        Cell(relation.created_at, "dim"),
        Cell(relation.created_by),
        Cell(ended, "yellow"),
        Cell(_said(relation.context)),
    ]


def _steps(views: Views, steps: list[EvolutionStep]) -> list[list[Cell]]:
    """Return a line for each step: what came of it, and by how much its score is better than that of the line above."""
    snapshots: dict[str, Snapshot] = {each.oid: each for each in views.snapshots([step.to_id for step in steps])}
    lines = []
    names = _names(views, steps)
    above: float | None = None
    for step in steps:
        trial = snapshots[step.to_id].trial if step.to_id in snapshots else None
        score = views.task.score(trial) if trial is not None else None
        lines.append(_step(views.task, names, step, trial, above))
        above = score if score is not None else above
    return lines


def _names(views: Views, steps: list[EvolutionStep]) -> dict[str, str]:
    """Return what the ends of some steps are called."""
    return views.labels.names(oid for step in steps for oid in (step.from_id, step.to_id))


def _step(
    task: Task, names: Mapping[str, str], step: EvolutionStep, trial: Trial | None, above: float | None
) -> list[Cell]:
    score = task.score(trial) if trial is not None else None
    gain = Cell("")
    if score is not None and above is not None and score != above:
        gain = Cell(f"{score - above:+.6g}", "green" if task.better(score, above) else "red")
    return [
        Cell(names[step.from_id], "bold"),
        Cell(names[step.to_id], "bold"),
        Cell(step.timestamp, "dim"),
        _WORKED[step.success],
        Cell("" if step.evolution_type == "unknown" else step.evolution_type),
        Cell(trial.text(task.score_field) if trial is not None else ""),
        gain,
        Cell(_said({name: value for name, value in step.metrics.items() if value != score})),
        Cell(trial.hypothesis if trial is not None else ""),
    ]


def _said(values: Any) -> str:
    return "; ".join(f"{key}: {options.as_text(value)}" for key, value in values.items())
