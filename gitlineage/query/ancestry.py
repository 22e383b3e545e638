"""
Questions about git parents and content: what came from what, where two lines meet, what has equal content.

An unrecorded commit is no snapshot: walks pass through it to the recorded ones (design 4). How a walk goes is in
`query.walk`; walks over typed relations are in `query.relations`.
"""

from gitlineage.model.records import AncestryNode, Snapshot
from gitlineage.query import walk
from gitlineage.query.views import Views

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
    oids = [oid for pos, parent in direct for oid in linked.get(pos, [] if _id(views, parent) else [parent])]
    return tuple(views.snapshot(parent) for parent in dict.fromkeys(oids))


def children(views: Views, oid: str) -> tuple[Snapshot, ...]:
    """
    Return the snapshots derived from a commit directly, by any of their parents, in recording order.

    Of an imported one that was recorded anew, because a file of an ancestor turned up, the last counts here, in
    `descendants` and in `leaves`.
    """
    return tuple(views.snapshots(child_oids(views, oid)))


def child_oids(views: Views, oid: str) -> list[str]:
    """Return the commits of what `children` returns."""
    sid = _id(views, oid)
    if sid is None:
        sql = "SELECT s.oid FROM git_parents g JOIN snapshots s ON s.id = g.child WHERE g.parent = ?"
        rows = views.index.rows(f"{sql} ORDER BY s.clock, s.writer, s.oid", oid)
    else:
        views.horizon.check_below([oid])
        sql = "SELECT s.oid FROM links l JOIN snapshots s ON s.id = l.child WHERE l.parent = ?"
        rows = views.index.rows(f"{sql} ORDER BY s.clock, s.writer, s.oid", sid)
    return walk.standing(views, [row[0] for row in rows])


def ancestors(views: Views, oid: str, max_depth: int | None = -1) -> tuple[AncestryNode, ...]:
    """
    Return every snapshot that one goes back to, each once, nearest first, then in recording order (semantics 3, 26).

    Args:
        oid: where to begin; it is not among the answers.
        max_depth: how many generations; -1 or ``None`` for all, 0 for none.

    Raises:
        ValueError: another negative depth.
    """
    return walk.nodes(views, oid, None, max_depth, up=True)


def descendants(views: Views, oid: str, max_depth: int | None = -1) -> tuple[AncestryNode, ...]:
    """Return every snapshot that goes back to one; the mirror image of `ancestors`."""
    return walk.nodes(views, oid, None, max_depth, up=False)


def leaves(views: Views) -> tuple[Snapshot, ...]:
    """Return the snapshots that nothing was derived from, in recording order."""
    return tuple(views.snapshots(leaf_oids(views)))


def leaf_oids(views: Views) -> list[str]:
    """Return the commits of what `leaves` returns."""
    rows = views.index.rows(
        "SELECT oid FROM snapshots s WHERE NOT EXISTS (SELECT 1 FROM links l WHERE l.parent = s.id) "
        "ORDER BY clock, writer, oid"
    )
    oids = [oid for (oid,) in rows]
    views.horizon.check_below(oids)
    return walk.standing(views, oids)


def merge_bases(views: Views, a: str, b: str) -> tuple[Snapshot, ...]:
    """Return all lowest common ancestors of two snapshots, the latest recorded first (semantics 29)."""
    return tuple(views.snapshot(oid) for oid in walk.merge_bases(views, a, b, None))


def common_ancestor(views: Views, a: str, b: str) -> Snapshot | None:
    """
    Return the lowest common ancestor of two snapshots, or ``None`` where they are unrelated (semantics 29).

    A snapshot counts as its own ancestor. Of several lowest ones, the latest recorded.
    """
    bases = merge_bases(views, a, b)
    return bases[0] if bases else None


def rewritten_from(views: Views, oid: str) -> tuple[str, ...]:
    """Return the commits that an amend or a rebase made this one from, and its stand-ins, sorted."""
    return tuple(old for (old,) in views.index.rows("SELECT old FROM rewrites WHERE new = ? ORDER BY old", oid))


def rewritten_as(views: Views, oid: str) -> tuple[str, ...]:
    """Return what amends and rebases made of a commit, or what it stood in for, sorted."""
    return tuple(new for (new,) in views.index.rows("SELECT new FROM rewrites WHERE old = ? ORDER BY new", oid))


def originals(views: Views, oid: str) -> tuple[str, ...]:
    """Return all the commits that one goes back to by amends and rebases, nearest first."""
    olders: dict[str, None] = {}
    todo = [oid]
    while todo and len(olders) < _ORIGINALS:
        for old in rewritten_from(views, todo.pop(0)):
            if old != oid and old not in olders:
                olders[old] = None
                todo.append(old)
    return tuple(olders)


def same(views: Views, oid: str) -> tuple[Snapshot, ...]:
    """Return the other snapshots with equal content, in recording order: other derivations of one recipe."""
    return tuple(views.snapshots(same_oids(views, oid)))


def same_oids(views: Views, oid: str) -> list[str]:
    """Return the commits of what `same` returns."""
    tree = views.snapshot(oid).tree
    rows = views.index.rows(
        "SELECT oid FROM snapshots WHERE tree = ? AND oid <> ? ORDER BY clock, writer, oid", tree, oid
    )
    return walk.standing(views, [row[0] for row in rows])


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
]
