"""
Questions about the graph of snapshots: what came from what, where two paths meet, what has equal content.

Each walk asks the index once per generation; the algorithms are in ``graph``. An unrecorded commit is no
snapshot: walks pass through it to the recorded ones (design 4).
"""

from collections.abc import Collection, Mapping, Sequence

from gitlineage.index.database import parts
from gitlineage.model import dag
from gitlineage.model.records import AncestryNode, CommitOid, Snapshot
from gitlineage.query.views import Views

DERIVED = "successor_to"
"""The relation that a git parent stands for (semantics 20)."""

_ORIGINALS = 500
"""Commits that one is said to go back to at most."""


def parents(views: Views, oid: str) -> tuple[Snapshot, ...]:
    """
    Return what a snapshot was derived from, in order: its git parents, or the recorded ones they lead up to.

    A git parent that leads to nothing recorded is returned as it is, with no writer.
    """
    sid = _id(views, oid)
    if sid is None:
        return tuple(views.snapshot(parent) for parent in views.repo.parents(oid))
    linked: dict[int, list[str]] = {}
    for pos, parent in views.index.rows(
        "SELECT l.pos, s.oid FROM links l JOIN snapshots s ON s.id = l.parent WHERE l.child = ? ORDER BY l.pos", sid
    ):
        linked.setdefault(pos, []).append(parent)
    direct = views.index.rows("SELECT pos, parent FROM git_parents WHERE child = ? ORDER BY pos", sid)
    found = [oid for pos, parent in direct for oid in linked.get(pos, [] if _id(views, parent) else [parent])]
    return tuple(views.snapshot(parent) for parent in dict.fromkeys(found))


def children(views: Views, oid: str) -> tuple[Snapshot, ...]:
    """
    Return the snapshots derived from a commit directly, by any of their parents, in recording order.

    Of an imported one that was recorded anew, because a file of an ancestor turned up, the last counts here, in
    `descendants` and in `leaves`.
    """
    sid = _id(views, oid)
    if sid is None:
        sql = "SELECT s.oid FROM git_parents g JOIN snapshots s ON s.id = g.child WHERE g.parent = ?"
        rows = views.index.rows(f"{sql} ORDER BY s.clock, s.writer, s.oid", oid)
    else:
        sql = "SELECT s.oid FROM links l JOIN snapshots s ON s.id = l.child WHERE l.parent = ?"
        rows = views.index.rows(f"{sql} ORDER BY s.clock, s.writer, s.oid", sid)
    return tuple(views.snapshots(standing(views, [row[0] for row in rows])))


def ancestors(views: Views, oid: str, max_depth: int | None = -1) -> tuple[AncestryNode, ...]:
    """
    Return every snapshot that one goes back to, each once, nearest first, then in recording order (semantics 3, 26).

    Args:
        views: the store.
        oid: where to begin; it is not among the answers.
        max_depth: how many generations; -1 or ``None`` for all, 0 for none.

    Raises:
        ValueError: another negative depth.
    """
    return _walk(views, oid, max_depth, "child", "parent")


def descendants(views: Views, oid: str, max_depth: int | None = -1) -> tuple[AncestryNode, ...]:
    """Return every snapshot that goes back to one; the mirror image of `ancestors`."""
    return _walk(views, oid, max_depth, "parent", "child")


def leaves(views: Views) -> tuple[Snapshot, ...]:
    """Return the snapshots that nothing was derived from, in recording order."""
    rows = views.index.rows(
        "SELECT oid FROM snapshots s WHERE NOT EXISTS (SELECT 1 FROM links l WHERE l.parent = s.id) "
        "ORDER BY clock, writer, oid"
    )
    return tuple(views.snapshots(standing(views, [row[0] for row in rows])))


def merge_bases(views: Views, a: str, b: str) -> tuple[Snapshot, ...]:
    """Return all lowest common ancestors of two snapshots, the latest recorded first (semantics 29)."""
    if a == b:
        return (views.snapshot(a),)
    first, second = _id(views, a) or -1, _id(views, b) or -2
    outside = {first: a, second: b}
    found = dag.merge_bases(first, second, lambda nodes: _neighbours(views, nodes, "child", "parent", outside))
    rows = _places(views, found)
    return tuple(views.snapshots(oid for oid, *_ in sorted(rows.values(), key=_latest, reverse=True)))


def common_ancestor(views: Views, a: str, b: str) -> Snapshot | None:
    """
    Return the lowest common ancestor of two snapshots, or ``None`` where they are unrelated (semantics 29).

    A snapshot counts as its own ancestor. Of several lowest ones, the latest recorded.
    """
    bases = merge_bases(views, a, b)
    return bases[0] if bases else None


def rewritten_from(views: Views, oid: str) -> tuple[str, ...]:
    """Return the commits that an amend or a rebase made this one from, sorted."""
    return tuple(old for (old,) in views.index.rows("SELECT old FROM rewrites WHERE new = ? ORDER BY old", oid))


def rewritten_as(views: Views, oid: str) -> tuple[str, ...]:
    """Return what amends and rebases made of a commit, sorted."""
    return tuple(new for (new,) in views.index.rows("SELECT new FROM rewrites WHERE old = ? ORDER BY new", oid))


def originals(views: Views, oid: str) -> tuple[str, ...]:
    """Return all the commits that one goes back to by amends and rebases, nearest first."""
    found: dict[str, None] = {}
    todo = [oid]
    while todo and len(found) < _ORIGINALS:
        for old in rewritten_from(views, todo.pop(0)):
            if old != oid and old not in found:
                found[old] = None
                todo.append(old)
    return tuple(found)


def same(views: Views, oid: str) -> tuple[Snapshot, ...]:
    """Return the other snapshots with equal content, in recording order: other derivations of one recipe."""
    tree = views.snapshot(oid).tree
    rows = views.index.rows(
        "SELECT oid FROM snapshots WHERE tree = ? AND oid <> ? ORDER BY clock, writer, oid", tree, oid
    )
    return tuple(views.snapshots(row[0] for row in rows))


def _walk(views: Views, oid: str, max_depth: int | None, near: str, far: str) -> tuple[AncestryNode, ...]:
    limit = -1 if max_depth is None else max_depth
    if limit < -1:
        raise ValueError(f"a depth is -1 for all or a number from 0, not {limit}")
    start = _id(views, oid) or -1
    depths = dag.reach([start], lambda nodes: _neighbours(views, nodes, near, far, {start: oid}), limit)
    del depths[start]
    places = _places(views, depths)
    if far == "child":
        shown = set(standing(views, [place[0] for place in places.values()]))
        depths = {sid: depth for sid, depth in depths.items() if places[sid][0] in shown}
    ordered = sorted(depths, key=lambda sid: (depths[sid], *places[sid][1:], places[sid][0]))
    entries = Entries(views, [places[sid][0] for sid in ordered])
    return tuple(AncestryNode(CommitOid(places[sid][0]), depths[sid], entries, DERIVED) for sid in ordered)


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
        if not self._found:
            self._found = {snapshot.oid: snapshot for snapshot in self._views.snapshots(self._oids)}
        return self._found.get(oid)


def _neighbours(
    views: Views, nodes: Collection[int], near: str, far: str, outside: Mapping[int, str]
) -> Mapping[int, Sequence[int]]:
    """Return what is next to many snapshots; negative numbers stand for commits outside of the index."""
    found: dict[int, list[int]] = {}
    for node in nodes:
        if node < 0:
            found[node] = _beside(views, outside[node], far)
    for part in parts([node for node in nodes if node >= 0]):
        marks = ", ".join("?" * len(part))
        sql = f"SELECT {near}, {far} FROM links WHERE {near} IN ({marks}) ORDER BY pos"
        for here, there in views.index.rows(sql, *part):
            found.setdefault(here, []).append(there)
    return found


def _beside(views: Views, oid: str, far: str) -> list[int]:
    """Return the snapshots next to a commit that nobody recorded."""
    if far == "child":
        return [child for (child,) in views.index.rows("SELECT child FROM git_parents WHERE parent = ?", oid)]
    return views.index.nearest(oid)


def _places(views: Views, nodes: Collection[int]) -> dict[int, tuple[str, int, str]]:
    """Return oid, clock and writer of many snapshots by their number in the index."""
    found: dict[int, tuple[str, int, str]] = {}
    for part in parts(list(nodes)):
        marks = ", ".join("?" * len(part))
        for sid, *place in views.index.rows(
            f"SELECT id, oid, clock, writer FROM snapshots WHERE id IN ({marks})", *part
        ):
            found[sid] = (place[0], place[1], place[2])
    return found


def _latest(place: tuple[str, int, str]) -> tuple[int, str, str]:
    return place[1], place[2], place[0]


def _id(views: Views, oid: str) -> int | None:
    row = views.index.one("SELECT id FROM snapshots WHERE oid = ?", oid)
    return int(row[0]) if row else None


__all__ = [
    "ancestors",
    "children",
    "common_ancestor",
    "descendants",
    "leaves",
    "merge_bases",
    "parents",
    "same",
    "standing",
]
