"""
One walk over relations and git parents together, by the index's own numbers, for many nodes at a time.

What the nodes and edges mean is in ``kinship``. A snapshot is its number; what is none, a forge attempt, its
oid.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec

from gitlineage.index.database import parts
from gitlineage.model.records import Order
from gitlineage.model.relation import DERIVATION, RelationType
from gitlineage.query.views import Views

Key = int | str
NOWHERE = Order(1 << 62, "")
"""Where what is no snapshot stands among those of equal depth: last."""

_COLUMNS = "r.type, r.clock, r.writer"
_HOLDS = "r.type IN ({}) AND r.ended_at IS NULL AND r.followed"
_UP = (
    f"SELECT s.id, t.id, r.target, {_COLUMNS} FROM snapshots s CROSS JOIN relations r ON r.source = s.oid "
    f"LEFT JOIN snapshots t ON t.oid = r.target WHERE s.id IN ({{}}) AND {_HOLDS}"
)
_DOWN = (
    f"SELECT t.id, s.id, r.source, {_COLUMNS} FROM snapshots t CROSS JOIN relations r ON r.target = t.oid "
    f"CROSS JOIN snapshots s ON s.oid = r.source WHERE t.id IN ({{}}) AND {_HOLDS}"
)
_DOWN_FROM_OTHERS = (
    f"SELECT r.target, s.id, r.source, {_COLUMNS} FROM relations r CROSS JOIN snapshots s "
    f"ON s.oid = r.source WHERE r.target IN ({{}}) AND {_HOLDS}"
)
_PARENTS = (
    "SELECT l.{0}, l.{1}, l.pos, c.clock, c.writer, c.roles, l.parent FROM links l "
    "CROSS JOIN snapshots c ON c.id = l.child WHERE l.{0} IN ({2})"
)


class Stride(NamedTuple):
    """
    How a node of a walk was first reached.

    Args:
        depth: after how many steps.
        type: over which relation.
        role: what a git parent was to its child, where known.
        place: when the node was recorded; last of all for what is no snapshot.
    """

    depth: int
    type: RelationType
    role: str
    place: Order


_Edge = tuple[int, str, int, int, Key, RelationType, str]
"""An edge: its order (clock, writer, place among git parents), a count that keeps equals apart, far end, type, role."""


def walk(views: Views, start: str, types: Sequence[RelationType], limit: int, *, up: bool) -> dict[str, Stride]:
    """
    Return what can be reached from a snapshot over edges of some types, by oid, without the snapshot itself.

    Of several edges that reach a node in equally many steps, the one that was recorded first counts.

    Args:
        views: the store.
        start: where to begin.
        types: which relations to follow; git parents are ``successor_to``.
        limit: how many steps; -1 for all.
        up: from child to parent, else from parent to child.
    """
    row = views.index.one("SELECT id FROM snapshots WHERE oid = ?", start)
    first: Key = int(row[0]) if row else start
    reached: dict[Key, tuple[int, RelationType, str]] = {}
    related = views.index.one("SELECT 1 FROM relations LIMIT 1") is not None
    front: list[Key] = [first]
    depth = 0
    while front and depth != limit:
        depth += 1
        found = _edges(views, front, types, up, related)
        found.sort()
        front = []
        for _, _, _, _, far, kind, role in found:
            if far not in reached and far != first:
                reached[far] = (depth, kind, role)
                front.append(far)
    strides: dict[str, Stride] = {}
    for part in parts([key for key in reached if isinstance(key, int)]):
        sql = f"SELECT id, oid, clock, writer FROM snapshots WHERE id IN ({_marks(part)})"
        for number, oid, clock, writer in views.index.rows(sql, *part):
            strides[oid] = Stride(*reached[number], Order(clock, writer))
    return strides | {key: Stride(*how, NOWHERE) for key, how in reached.items() if isinstance(key, str)}


def _edges(
    views: Views, nodes: Sequence[Key], types: Sequence[RelationType], up: bool, has_relations: bool
) -> list[_Edge]:
    """Return every edge at some nodes."""
    derives = RelationType.SUCCESSOR_TO in types
    follows = derives or RelationType.FORKED_FROM in types
    asked = {str(each) for each in types} | ({str(RelationType.FORKED_FROM)} if derives else set())
    found: list[_Edge] = []
    for part in parts([node for node in nodes if isinstance(node, int)]):
        sql = (_UP if up else _DOWN).format(_marks(part), _marks(asked))
        related = views.index.rows(sql, *part, *asked) if has_relations else []
        parents = views.index.rows(_PARENTS.format(*_ENDS[up], _marks(part)), *part) if follows else []
        roles = _roles(views, parents)
        named = {(row[0], row[2] if row[1] is None else row[1]) for row in related if row[3] in DERIVATION}
        for near, number, oid, kind, clock, writer in related:
            far = oid if number is None else number
            if kind in types:
                role = roles.get((near, far), "") if kind in DERIVATION else ""
                found.append((clock, writer, 0, len(found), far, RelationType(kind), role))
        if derives:
            for near, far, pos, clock, writer, _, _ in parents:
                if (near, far) not in named:
                    role = roles.get((near, far), "")
                    found.append((clock, writer, pos, len(found), far, RelationType.SUCCESSOR_TO, role))
    for others in [] if up else parts([node for node in nodes if isinstance(node, str)]):
        for _, far, _, kind, clock, writer in views.index.rows(
            _DOWN_FROM_OTHERS.format(_marks(others), _marks(asked)), *others, *asked
        ):
            if kind in types:
                found.append((clock, writer, 0, len(found), far, RelationType(kind), ""))
    return found


_ENDS = {True: ("child", "parent"), False: ("parent", "child")}


def _roles(views: Views, parents: Sequence[Any]) -> dict[tuple[Key, Key], str]:
    """Return what git parents were to their children, by both ends, the near one first; most have no role."""
    with_roles = [row for row in parents if row[5] != "{}"]
    oids = _oids(views, {row[6] for row in with_roles})
    return {
        (near, far): role
        for near, far, _, _, _, roles, parent in with_roles
        if (role := msgspec.json.decode(roles, type=dict[str, str]).get(oids[parent], ""))
    }


def _oids(views: Views, numbers: Collection[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for part in parts(list(numbers)):
        found.update(views.index.rows(f"SELECT id, oid FROM snapshots WHERE id IN ({_marks(part)})", *part))
    return found


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
