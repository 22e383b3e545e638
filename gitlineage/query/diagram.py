"""
Which part of a store a diagram shows, and its drawing in any format; the formats themselves are in ``render``.

Git parents and typed relations together, as in `query.walk`; nodes stand in recording order.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from gitlineage.errors import Invalid
from gitlineage.model.records import Snapshot, Task
from gitlineage.model.relation import DERIVATION, Relationship, RelationType
from gitlineage.query import graphviz
from gitlineage.query.views import Views
from gitlineage.query.walk import Edge, edges, standing
from gitlineage.render import diagram as drawing
from gitlineage.render import layered
from gitlineage.render.choices import LIMIT, known_format
from gitlineage.render.diagram import Diagram, Group, Node


def around(
    views: Views, oid: str, types: Sequence[RelationType], depth: int | None, limit: int | None = LIMIT
) -> tuple[list[str], list[Edge]]:
    """
    Return the snapshots that a walk from one meets, up and down, and the edges that it follows.

    Args:
        types: which relations to follow.
        depth: how many steps each way; -1 or ``None`` for all, 0 for none.
        limit: the most snapshots; ``None`` for any number.

    Raises:
        ValueError: another negative depth.
        Invalid: there are more snapshots than the limit.
    """
    far = -1 if depth is None else depth
    if far < -1:
        raise ValueError(f"a depth is -1 for all or a number from 0, not {far}")
    met = {oid: None}
    followed: dict[Edge, None] = {}
    asked: list[str] = []
    for up in (True, False):
        front, seen, left = [oid], {oid}, far
        while front and left:
            left -= 1
            edges = _edges(views, front, types, up=up)
            asked += front if up else []
            followed |= dict.fromkeys(edges)
            ends = dict.fromkeys(edge.target if up else edge.source for edge in edges)
            front = [end for end in ends if end not in seen]
            seen.update(front)
            met |= dict.fromkeys(front)
            _check(len(met), limit, "smaller --depth")
    if not set(types).isdisjoint(DERIVATION):
        views.horizon.check(asked)
    return list(met), list(followed)


def line(
    views: Views, oid: str, types: Sequence[RelationType], limit: int | None = LIMIT
) -> tuple[list[str], list[Edge]]:
    """
    Return the line of primary parents that led to a snapshot, its other parents, siblings and children, and the edges.

    Siblings are the other children of its primary parent and the other members of its cohort. Raises `Invalid` where
    there are more snapshots than the limit.
    """
    chain = {oid: None}
    here = oid
    mates = [edge.target for edge in _edges(views, [oid], DERIVATION, up=True)]
    while above := _edges(views, [here], DERIVATION, up=True):
        here = above[0].target
        if here in chain:
            break
        chain[here] = None
    views.horizon.check(chain)
    beside = [edge.source for edge in _edges(views, list(chain)[1:2], DERIVATION, up=False)]
    below = [edge.source for edge in _edges(views, [oid], DERIVATION, up=False)]
    named = views.snapshot(oid).cohort
    batch = views.index.members(named) if named else []
    shown = dict.fromkeys([*chain, *mates, *beside, *below, *batch])
    _check(len(shown), limit, "name an ID with --depth")
    return _between(views, shown, types)


def cohort(
    views: Views, name: str, types: Sequence[RelationType], limit: int | None = LIMIT
) -> tuple[list[str], list[Edge]]:
    """
    Return a cohort's base and its members, and the edges between them; raises as `Cohorts.one`.

    Raises `Invalid` too, where there are more snapshots than the limit.
    """
    opened = views.cohorts.one(name)
    _check(len(opened.base) + len(opened.members), limit, "name an ID with --depth")
    return _between(views, [*opened.base, *opened.members], types)


def everything(views: Views, types: Sequence[RelationType], limit: int | None = LIMIT) -> tuple[list[str], list[Edge]]:
    """Return every snapshot and every edge; raises `Invalid` where there are more snapshots than the limit."""
    (count,) = views.index.one("SELECT count(*) FROM snapshots")
    _check(count, limit, "name an ID with --depth, or take --best or --cohort")
    return _between(views, standing(views, [row[0] for row in views.index.rows("SELECT oid FROM snapshots")]), types)


def gathered(
    views: Views,
    oids: Iterable[str],
    edges: Iterable[Edge],
    *,
    root: str | None = None,
    proposed: Iterable[Relationship] = (),
) -> Diagram:
    """
    Return snapshots and edges as a diagram, with names, statuses, scores, roles and cohorts.

    Args:
        edges: the edges between them.
        root: the snapshot that it is drawn around.
        proposed: relations that are only inferred; those between the snapshots are drawn dashed.
    """
    wanted = list(dict.fromkeys(oids))
    known: dict[str, Snapshot] = {each.oid: each for each in views.snapshots(wanted)}
    shown = {oid: known.get(oid) or views.snapshot(oid) for oid in _in_order(views, wanted)}
    groups: dict[str, list[str]] = {}
    for oid, snapshot in shown.items():
        if snapshot.cohort:
            groups.setdefault(snapshot.cohort, []).append(oid)
    drawn = [
        drawing.Edge(source=edge.source, target=edge.target, type=str(edge.type), role=edge.role) for edge in edges
    ]
    drawn += [
        drawing.Edge(source=each.source_id, target=each.target_id, type=str(each.relationship_type), proposed=True)
        for each in proposed
        if each.source_id in shown and each.target_id in shown
    ]
    top = views.best(stand_in=False)
    best = top.oid if top is not None else None
    return Diagram(
        nodes=tuple(
            _node(snapshot, views.name(oid), views.task, root=oid == root, best=oid == best)
            for oid, snapshot in shown.items()
        ),
        edges=tuple(drawn),
        groups=tuple(Group(name=name, members=tuple(members)) for name, members in groups.items()),
    )


def draw(diagram: Diagram, format: str = "mermaid") -> str:
    """
    Return a diagram as text in one of `FORMATS`; SVG by Graphviz where it is installed, else by the layered layout.

    Raises:
        Invalid: an unknown format; also a ``ValueError``.
        DrawingFailed: nothing is installed that draws SVG, or Graphviz could not.
    """
    writers: Mapping[str, Callable[[Diagram], str]] = {**drawing.WRITERS, "svg": _svg}
    return writers[known_format(format)](diagram)


def _svg(diagram: Diagram) -> str:
    return graphviz.svg(drawing.dot(diagram)) if graphviz.is_there() else layered.svg(diagram)


def _edges(views: Views, nodes: Sequence[str], types: Sequence[RelationType], *, up: bool) -> list[Edge]:
    """Return the edges at some snapshots in a fixed order."""
    return sorted(edges(views, nodes, types, up=up), key=_place)


def _place(edge: Edge) -> tuple[tuple[int, str, int], str, str, str]:
    return edge.order, edge.source, edge.target, str(edge.type)


def _between(views: Views, oids: Iterable[str], types: Sequence[RelationType]) -> tuple[list[str], list[Edge]]:
    """Return some snapshots, each once, and the edges from one of them to another."""
    nodes = dict.fromkeys(oids)
    edges_between = _edges(views, list(nodes), types, up=True)
    return list(nodes), [edge for edge in edges_between if edge.target in nodes]


def _check(count: int, limit: int | None, instead: str) -> None:
    if limit is not None and count > limit:
        raise Invalid(f"{count:,} snapshots are more than the {limit:,} that are drawn; {instead}, or say --limit -1")


def _in_order(views: Views, oids: Collection[str]) -> list[str]:
    """Return snapshots in recording order; what is not recorded comes last."""
    places = views.index.grouped("SELECT oid, clock, writer FROM snapshots WHERE oid IN ({})", oids)
    return sorted(oids, key=lambda oid: (oid not in places, *places.get(oid, ()), oid))


def _node(snapshot: Snapshot, name: str, task: Task, *, root: bool, best: bool) -> Node:
    if not snapshot.trials:
        status = "" if snapshot.writer else "unrecorded"
        return Node(id=snapshot.oid, name=name, status=status, hypothesis=snapshot.subject, root=root, best=best)
    trial = snapshot.trials[0]
    score = trial.text(task.score_field)
    return Node(
        id=snapshot.oid,
        name=name,
        status=str(trial.status) if trial.status else "pending",
        score=f"{task.short} {score}" if score else "",
        hypothesis=trial.hypothesis,
        more=len(snapshot.trials) - 1,
        root=root,
        best=best,
    )
