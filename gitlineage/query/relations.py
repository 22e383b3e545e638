"""
Questions about typed relations and derivation together: who goes back to whom, by which type, and how it evolved.

What a git parent counts as, and how a walk goes, is in `query.walk`; relations are recorded in `record.relations`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from gitlineage.index.database import parts
from gitlineage.model.rank import ELIGIBLE
from gitlineage.model.records import AncestryNode, Order, Snapshot
from gitlineage.model.relation import DERIVATION, EvolutionStep, Relationship, RelationType, relation_type
from gitlineage.model.trial import NUMERIC, Trial
from gitlineage.query import walk
from gitlineage.query.views import Views
from gitlineage.query.walk import Edge, edges

_COLUMNS = "source, type, target, clock, writer, at, actor, context, ended_at, ended_by, reason, followed"


def relationships(
    views: Views,
    *,
    source: str | None = None,
    target: str | None = None,
    types: Collection[RelationType] | None = None,
    created_by: str | None = None,
    include_deprecated: bool = False,
) -> list[Relationship]:
    """Return the relations that all filters let through, in recording order (semantics 25)."""
    where = ["1"]
    values: list[object] = []
    for column, value in (("source", source), ("target", target), ("actor", created_by)):
        if value is not None:
            where.append(f"{column} = ?")
            values.append(value)
    if types is not None:
        where.append(f"type IN ({', '.join('?' * len(types))})")
        values += [str(each) for each in types]
    if not include_deprecated:
        where.append("ended_at IS NULL")
    sql = f"SELECT {_COLUMNS} FROM relations WHERE {' AND '.join(where)} ORDER BY clock, writer, source, target, type"
    return [_relationship(row) for row in views.index.rows(sql, *values)]


def ancestors(
    views: Views, oid: str, types: Sequence[RelationType] = DERIVATION, max_depth: int | None = -1
) -> tuple[AncestryNode, ...]:
    """
    Return what a snapshot goes back to over relations of some types, each once, nearest first (semantics 26).

    Args:
        oid: where to begin; it is not among the answers.
        types: which relations to follow.
        max_depth: how many steps; -1 or ``None`` for all, 0 for none.

    Raises:
        ValueError: another negative depth.
    """
    return walk.nodes(views, oid, types, max_depth, up=True)


def descendants(
    views: Views, oid: str, types: Sequence[RelationType] = DERIVATION, max_depth: int | None = -1
) -> tuple[AncestryNode, ...]:
    """Return what goes back to a snapshot; the mirror image of `ancestors` (semantics 27)."""
    return walk.nodes(views, oid, types, max_depth, up=False)


def path(views: Views, start: str, end: str, types: Sequence[RelationType] = DERIVATION) -> list[str] | None:
    """
    Return the shortest path from an ancestor to a descendant, both included; ``None`` where there is none.

    Of several shortest ones, that of the edges that were recorded first (semantics 28).
    """
    came: dict[str, str | None] = {end: None}
    front = [end]
    while front and start not in came:
        fresh = sorted(edges(views, front, types, up=True), key=lambda edge: edge.order)
        front = []
        for edge in fresh:
            if edge.target not in came:
                came[edge.target] = edge.source
                front.append(edge.target)
    if start not in came:
        views.horizon.check(came)
        return None
    nodes: list[str] = []
    at: str | None = start
    while at is not None:
        nodes.append(at)
        at = came[at]
    return nodes


def merge_bases(views: Views, a: str, b: str, types: Sequence[RelationType] = DERIVATION) -> list[str]:
    """Return all lowest common ancestors over relations of some types, the latest recorded first (semantics 29)."""
    return walk.merge_bases(views, a, b, types)


def evolution(
    views: Views, oid: str, *, include_siblings: bool = False, only_successful: bool = False
) -> list[EvolutionStep]:
    """
    Return every step of a snapshot's evolution in the order of time (semantics 31).

    Args:
        include_siblings: also the steps that led from its ancestors elsewhere: what else was tried.
        only_successful: leave out what failed.
    """
    successors = [RelationType.SUCCESSOR_TO]
    line = [oid, *(node.id for node in ancestors(views, oid, successors))]
    followed = list(edges(views, line, successors, up=True))
    if include_siblings:
        followed += edges(views, line, successors, up=False)
    said = _evolutions(views, {edge.source for edge in followed})
    known: dict[str, Snapshot] = {each.oid: each for each in views.snapshots(edge.source for edge in followed)}
    known |= {edge.source: views.snapshot(edge.source) for edge in followed if edge.source not in known}
    steps = [_evolution_step(edge, said, known) for edge in dict.fromkeys(followed)]
    timed = sorted(
        zip(steps, dict.fromkeys(followed), strict=True), key=lambda pair: (pair[0].timestamp, pair[1].order)
    )
    return [step for step, _ in timed if step.success or not only_successful]


def reaches(views: Views, start: str, goal: str, types: Sequence[RelationType]) -> bool:
    """
    Whether a walk from child to parent leads from one snapshot to another.

    Where everything was recorded after what it leads to, nothing that was recorded before the goal leads there.
    Otherwise the walk goes from both ends at once, always on the side with fewer nodes, of equals on the goal's, for
    what is new has nothing below it.
    """
    if start == goal:
        return True
    limit = None if views.index.leads_back else _places(views, [goal]).get(goal)
    above, below = {start}, {goal}
    upper, lower = _not_before(views, above, limit), [goal]
    while upper and lower:
        if len(upper) < len(lower):
            fresh = {edge.target for edge in edges(views, upper, types, up=True)} - above
            above |= fresh
            upper = _not_before(views, fresh, limit)
            met = not fresh.isdisjoint(below)
        else:
            fresh = {edge.source for edge in edges(views, lower, types, up=False)} - below
            below |= fresh
            lower = list(fresh)
            met = not fresh.isdisjoint(above)
        if met:
            return True
    return False


def _places(views: Views, nodes: Collection[str]) -> dict[str, Order]:
    """Return when snapshots were recorded."""
    orders: dict[str, Order] = {}
    for part in parts(list(nodes)):
        sql = f"SELECT oid, clock, writer FROM snapshots WHERE oid IN ({', '.join('?' * len(part))})"
        orders.update((oid, Order(clock, writer)) for oid, clock, writer in views.index.rows(sql, *part))
    return orders


def _not_before(views: Views, nodes: Collection[str], limit: Order | None) -> list[str]:
    """Return the snapshots that were not recorded before a moment."""
    if limit is None:
        return list(nodes)
    places = _places(views, nodes)
    return [node for node in nodes if node not in places or places[node] >= limit]


def _relationship(row: Sequence[Any]) -> Relationship:
    source, kind, target, clock, writer, at, actor, context, ended_at, ended_by, reason, followed = row
    return Relationship(
        source_id=source,
        target_id=target,
        relationship_type=relation_type(kind),
        created_at=at,
        created_by=actor,
        context=msgspec.json.decode(context),
        writer=writer,
        clock=clock,
        deprecated=ended_at is not None,
        deprecated_at=ended_at,
        deprecated_by=ended_by,
        deprecation_reason=reason,
        followed=bool(followed),
    )


def _evolutions(views: Views, sources: Collection[str]) -> dict[tuple[str, str], Relationship]:
    """Return the active ``successor_to`` relations of some snapshots by both ends."""
    said: dict[tuple[str, str], Relationship] = {}
    for part in parts(list(sources)):
        sql = (
            f"SELECT {_COLUMNS} FROM relations WHERE source IN ({', '.join('?' * len(part))}) "
            "AND type = 'successor_to' AND ended_at IS NULL AND followed"
        )
        for row in views.index.rows(sql, *part):
            said[row[0], row[2]] = _relationship(row)
    return said


def _worked(trial: Trial | None) -> bool | None:
    """Return whether what a trial tried worked out; ``None`` for one that waits for its result."""
    if trial is None:
        return True
    return None if trial.status is None else trial.status in ELIGIBLE


def _evolution_step(
    edge: Edge, said: Mapping[tuple[str, str], Relationship], known: Mapping[str, Snapshot]
) -> EvolutionStep:
    """Return what was said of a step; of a git parent, what the child's trial says."""
    relation = said.get((edge.source, edge.target))
    if relation is not None:
        context = relation.context
        measured = context.get("metrics")
        return EvolutionStep(
            from_id=edge.target,
            to_id=edge.source,
            evolution_type=str(context.get("evolution_type", "unknown")),
            success=bool(context.get("success", True)),
            metrics=measured if isinstance(measured, Mapping) else {},
            timestamp=relation.created_at,
        )
    snapshot = known[edge.source]
    trial = snapshot.trial
    metrics = {name: trial.number(name) for name in NUMERIC if trial.number(name) is not None} if trial else {}
    return EvolutionStep(
        from_id=edge.target,
        to_id=edge.source,
        success=_worked(trial),
        metrics=metrics,
        timestamp=snapshot.time,
    )
