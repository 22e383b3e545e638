"""
Every walk over the graph: its edges, what can be reached over them, and where two walks meet.

An edge leads from a child to a parent. It is a git parent, as the index's links have it, or a typed relation. Over
``types`` a git parent counts as ``successor_to``, or as ``forked_from`` where that was said of the same two snapshots;
without types (``None``) git parents are followed alone, and a commit that nobody recorded stands for the recorded ones
next to it (design 4). Start with `nodes`; `edges` is what all of it is made of. Inside, a snapshot is its number in the
index, and what is none, as a forge attempt, its oid.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from gitlineage.index.database import parts
from gitlineage.model import dag
from gitlineage.model.records import AncestryNode, CommitOid, Order, Snapshot
from gitlineage.model.relation import DERIVATION, RelationType
from gitlineage.query.views import Views

DERIVED = "successor_to"
"""The relation that a git parent stands for (semantics 20)."""

NOWHERE = Order(1 << 62, "")
"""Where what is no snapshot stands among those of equal depth: last."""

Key = int | str
Types = Sequence[RelationType] | None

_COLUMNS = "r.type, r.clock, r.writer"
_HOLDS = "r.type IN ({}) AND r.ended_at IS NULL AND r.followed"
_RELATED = {
    True: (
        f"SELECT s.id, t.id, r.target, {_COLUMNS} FROM snapshots s CROSS JOIN relations r ON r.source = s.oid "
        f"LEFT JOIN snapshots t ON t.oid = r.target WHERE s.id IN ({{}}) AND {_HOLDS}",
        f"SELECT r.source, t.id, r.target, {_COLUMNS} FROM relations r LEFT JOIN snapshots t ON t.oid = r.target "
        f"WHERE r.source IN ({{}}) AND {_HOLDS}",
    ),
    False: (
        f"SELECT t.id, s.id, r.source, {_COLUMNS} FROM snapshots t CROSS JOIN relations r ON r.target = t.oid "
        f"LEFT JOIN snapshots s ON s.oid = r.source WHERE t.id IN ({{}}) AND {_HOLDS}",
        f"SELECT r.target, s.id, r.source, {_COLUMNS} FROM relations r LEFT JOIN snapshots s ON s.oid = r.source "
        f"WHERE r.target IN ({{}}) AND {_HOLDS}",
    ),
}
"""The relations at snapshots, and at what is none, up and down; what is asked for comes first, so its index is used."""

_PARENTS = (
    "SELECT l.{0}, l.{1}, l.pos, c.clock, c.writer, c.roles, l.parent FROM links l "
    "CROSS JOIN snapshots c ON c.id = l.child WHERE l.{0} IN ({2})"
)
_ENDS = {True: ("child", "parent"), False: ("parent", "child")}


class Edge(NamedTuple):
    """
    One edge of a walk.

    Args:
        source: the child.
        target: the parent.
        type: what the source is to the target.
        order: when it came to be, in the order of all events; then the position among git parents.
        role: what a git parent was to its child, where known.
    """

    source: str
    target: str
    type: RelationType
    order: tuple[int, str, int]
    role: str = ""


class _Step(NamedTuple):
    """An edge as a walk meets it: its order, a number that keeps equals apart, where the walk stands, the other end."""

    clock: int
    writer: str
    pos: int
    at: int
    near: Key
    far: Key
    type: RelationType
    role: str = ""


def nodes(views: Views, oid: str, types: Types, max_depth: int | None, *, up: bool) -> tuple[AncestryNode, ...]:
    """
    Return what can be reached from a snapshot, each once, nearest first, then in recording order (semantics 26).

    Of several edges that reach a node in equally many steps, the one that was recorded first counts.

    Args:
        oid: where to begin; it is not among the answers.
        types: which relations to follow; ``None`` for git parents alone.
        max_depth: how many steps; -1 or ``None`` for all, 0 for none.
        up: from child to parent, else from parent to child.

    Raises:
        ValueError: another negative depth.
    """
    reached = list(met(views, oid, types, max_depth, up=up))
    entries = Entries(views, [each.oid for each in reached])
    return tuple(AncestryNode(CommitOid(each.oid), each.depth, entries, each.type, each.role) for each in reached)


class Met(NamedTuple):
    """
    What a walk comes to.

    Args:
        oid: the commit.
        depth: the least number of edges to it.
        type: of the edge by which it was first reached.
        role: what it was to its child, or its child to it, where known.
    """

    oid: str
    depth: int
    type: str
    role: str


def met(views: Views, oid: str, types: Types, max_depth: int | None, *, up: bool) -> Iterator[Met]:
    """Return what `nodes` does, one after the other, as soon as the walk is past all that is as near."""
    limit = -1 if max_depth is None else max_depth
    if limit < -1:
        raise ValueError(f"a depth is -1 for all or a number from 0, not {limit}")
    generations = _generations(views, oid, types, limit, up)
    derives = types is None or not set(types).isdisjoint(DERIVATION)
    is_cut = bool(limit) and derives and views.repo.is_shallow
    if is_cut or (not up and views.origins.has_replaced()):  # what is reached later may end it, or take a place
        whole = list(generations)
        if is_cut:
            last = {each.oid for each in whole[limit - 1]} if 0 < limit <= len(whole) else set()
            ends = [oid, *(each.oid for each in chain(*whole) if each.oid not in last)]
            views.horizon.check(ends) if up else views.horizon.check_below(ends)
        replaced = set() if up else views.origins.replaced([each.oid for each in chain(*whole)])
        yield from (each for each in chain(*whole) if each.oid not in replaced)
        return
    for generation in generations:
        yield from generation


def _generations(views: Views, oid: str, types: Types, limit: int, up: bool) -> Iterator[list[Met]]:
    """Return what is reached in one step, in two steps and so on, each in recording order."""
    (first,) = _keys(views, [oid]).values()
    reached: set[Key] = {first}
    front: list[Key] = [first]
    depth = 0
    while front and depth != limit:
        depth += 1
        steps: dict[Key, _Step] = {}
        for step in sorted(_steps(views, front, types, up)):
            if step.far not in reached:
                steps.setdefault(step.far, step)
        front = list(steps)
        reached.update(front)
        places = sorted((order, node, key) for node, (key, order) in _places(views, front).items())
        yield [Met(node, depth, str(steps[key].type), steps[key].role) for _, node, key in places]


def merge_bases(views: Views, a: str, b: str, types: Types) -> list[str]:
    """Return all lowest common ancestors of two commits, the latest recorded first (semantics 29)."""
    if a == b:
        return [a]
    if views.repo.is_shallow:  # each side may come to its end
        nodes(views, a, types, None, up=True)
        nodes(views, b, types, None, up=True)
    keys = _keys(views, [a, b])

    def up(front: Collection[Key]) -> Mapping[Key, list[Key]]:
        parents: dict[Key, list[Key]] = {}
        for step in _steps(views, list(front), types, True):
            parents.setdefault(step.near, []).append(step.far)
        return parents

    places = _places(views, dag.merge_bases(keys[a], keys[b], up))
    return sorted(places, key=lambda oid: (places[oid][1], oid), reverse=True)


def edges(views: Views, oids: Iterable[str], types: Sequence[RelationType], *, up: bool) -> Iterator[Edge]:
    """
    Return the edges of some types at many snapshots, in no order.

    Args:
        types: which relations to follow.
        up: those that lead from the snapshots to their parents; else those that lead to them.
    """
    keys = _keys(views, oids)
    steps = _steps(views, list(keys.values()), types, up)
    names = {key: oid for oid, key in keys.items()}
    far = {step.far for step in steps} - names.keys()
    names |= {key: key for key in far if isinstance(key, str)}
    names |= _oids(views, [key for key in far if isinstance(key, int)])
    for step in steps:
        source, target = (step.near, step.far) if up else (step.far, step.near)
        order = (step.clock, step.writer, step.pos)
        yield Edge(names[source], names[target], step.type, order, step.role)


def standing(views: Views, oids: Sequence[str]) -> list[str]:
    """Return some snapshots without those that others among them took the place of."""
    replaced = views.origins.replaced(oids)
    return [oid for oid in oids if oid not in replaced]


class Entries:
    """The snapshots of a walk; all are read when the first one is asked for."""

    def __init__(self, views: Views, oids: Sequence[str]) -> None:
        self._views = views
        self._oids = oids
        self._found: dict[str, Snapshot] = {}

    def __call__(self, oid: CommitOid) -> Snapshot | None:
        """Return a node's snapshot; ``None`` where nobody recorded it."""
        if not self._found:
            self._found = {snapshot.oid: snapshot for snapshot in self._views.snapshots(self._oids)}
        return self._found.get(oid)


def _steps(views: Views, front: Sequence[Key], types: Types, up: bool) -> list[_Step]:
    """Return every edge at some nodes."""
    numbers = [key for key in front if isinstance(key, int)]
    others = [key for key in front if isinstance(key, str)]
    if types is None:
        return _links(views, numbers, others, up)
    derives = RelationType.SUCCESSOR_TO in types
    follows = derives or RelationType.FORKED_FROM in types
    asked = {str(each) for each in types} | ({str(RelationType.FORKED_FROM)} if derives else set())
    has_relations = views.index.one("SELECT 1 FROM relations LIMIT 1") is not None
    steps: list[_Step] = []
    pages: list[tuple[bool, Sequence[Key]]] = [(True, part) for part in parts(numbers)]
    pages += [(False, part) for part in parts(others)]
    for are_recorded, part in pages:
        sql = _RELATED[up][not are_recorded].format(_marks(part), _marks(asked))
        related = views.index.rows(sql, *part, *asked) if has_relations else []
        derived = follows and are_recorded
        parents = views.index.rows(_PARENTS.format(*_ENDS[up], _marks(part)), *part) if derived else []
        roles = _roles(views, parents)
        named = {(row[0], row[2] if row[1] is None else row[1]) for row in related if row[3] in DERIVATION}
        for near, number, oid, kind, clock, writer in related:
            far = oid if number is None else number
            if kind in types:
                role = roles.get((near, far), "") if kind in DERIVATION else ""
                steps.append(_Step(clock, writer, 0, len(steps), near, far, RelationType(kind), role))
        for near, far, pos, clock, writer, _, _ in parents if derives else ():
            if (near, far) not in named:
                role = roles.get((near, far), "")
                steps.append(_Step(clock, writer, pos, len(steps), near, far, RelationType.SUCCESSOR_TO, role))
    return steps


def _links(views: Views, numbers: Sequence[int], others: Sequence[str], up: bool) -> list[_Step]:
    """Return the edges of git parents alone; how they were ordered and what role they had is not asked."""
    pairs: list[tuple[Key, Key]] = []
    near, far = _ENDS[up]
    for part in parts(numbers):
        pairs += views.index.rows(f"SELECT {near}, {far} FROM links WHERE {near} IN ({_marks(part)})", *part)
    for oid in others:
        if up:
            pairs += [(oid, number) for number in views.index.nearest(oid)]
        else:
            pairs += views.index.rows("SELECT parent, child FROM git_parents WHERE parent = ?", oid)
    return [_Step(0, "", 0, at, *pair, RelationType.SUCCESSOR_TO) for at, pair in enumerate(pairs)]


def _roles(views: Views, parents: Sequence[Any]) -> dict[tuple[Key, Key], str]:
    """Return what git parents were to their children, by both ends, the near one first; most have no role."""
    with_roles = [row for row in parents if row[5] != "{}"]
    oids = _oids(views, {row[6] for row in with_roles})
    return {
        (near, far): role
        for near, far, _, _, _, roles, parent in with_roles
        if (role := msgspec.json.decode(roles, type=dict[str, str]).get(oids[parent], ""))
    }


def _keys(views: Views, oids: Iterable[str]) -> dict[str, Key]:
    """Return the keys of some commits."""
    keys: dict[str, Key] = {oid: oid for oid in oids}
    for part in parts(list(keys)):
        keys.update(views.index.rows(f"SELECT oid, id FROM snapshots WHERE oid IN ({_marks(part)})", *part))
    return keys


def _oids(views: Views, numbers: Collection[int]) -> dict[Key, str]:
    oids: dict[Key, str] = {}
    for part in parts(list(numbers)):
        oids.update(views.index.rows(f"SELECT id, oid FROM snapshots WHERE id IN ({_marks(part)})", *part))
    return oids


def _places(views: Views, keys: Collection[Key]) -> dict[str, tuple[Key, Order]]:
    """Return the keys of some nodes, and when they were recorded, by oid."""
    places: dict[str, tuple[Key, Order]] = {key: (key, NOWHERE) for key in keys if isinstance(key, str)}
    for part in parts([key for key in keys if isinstance(key, int)]):
        sql = f"SELECT id, oid, clock, writer FROM snapshots WHERE id IN ({_marks(part)})"
        for number, oid, clock, writer in views.index.rows(sql, *part):
            places[oid] = (number, Order(clock, writer))
    return places


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
