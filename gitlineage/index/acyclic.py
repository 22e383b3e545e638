"""
Which edges are followed where some of them would close a cycle: the same ones whatever order the events came in.

Two clones may each record what is no cycle alone. Git parents cannot form one, so they come first; then every
relation that holds and every word about parents takes its turn in the order of events, and what would close a cycle
with what was followed until then is kept and not followed. As in a landing, that is judged by family (semantics 23).
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from gitlineage.model.relation import FAMILY, RelationType

Key = int | str
"""A snapshot's number; the oid of what is no snapshot."""

_RELATED = """
SELECT r.source, r.target, r.type, r.clock, r.writer, coalesce(s.id, r.source), coalesce(t.id, r.target), r.followed
FROM relations r LEFT JOIN snapshots s ON s.oid = r.source LEFT JOIN snapshots t ON t.oid = r.target
WHERE r.ended_at IS NULL
"""
_SAID = "SELECT r.child, s.id, r.clock, r.writer, r.parents, r.roles, r.followed FROM reparents r JOIN snapshots s "
_SET_RELATION = (
    "UPDATE relations SET followed = ? WHERE source = ? AND target = ? AND type = ? AND clock = ? AND writer = ?"
)
_SET_WORD = "UPDATE reparents SET followed = ? WHERE child = ? AND clock = ? AND writer = ?"


class Word(NamedTuple):
    """
    What was said about the parents of a snapshot.

    Args:
        child: the snapshot.
        parents: what it was derived from, in order.
        roles: what these were, as JSON text of the index's own making.
    """

    child: str
    parents: tuple[str, ...]
    roles: str


class _Turn(NamedTuple):
    """
    An edge, or all edges to parents, that is followed or not.

    Args:
        order: clock and writer of the event, then what keeps equals apart.
        node: where it leads from.
        above: where it leads to.
        word: what was said about parents; ``None`` for a relation.
        followed: what the index says so far.
        keys: where that is written.
    """

    order: tuple[int, str, str, str, str]
    node: Key
    above: tuple[Key, ...]
    word: Word | None
    followed: bool
    keys: tuple[str | int, ...]


def decide(
    connection: sqlite3.Connection,
    own_parents: Callable[[str], Sequence[str]],
    recorded: Callable[[str], Sequence[int]],
) -> list[Word | str]:
    """
    Write which relations and which words about parents are followed, and return what holds of each snapshot that was
    given other parents: the word, or its oid where its git parents hold.

    Args:
        own_parents: returns a commit's git parents.
        recorded: returns the numbers of the snapshots that a commit is, or leads up to first.
    """
    turns: dict[str, list[_Turn]] = {}
    for source, target, kind, clock, writer, node, above, followed in connection.execute(_RELATED):
        family = FAMILY[0] if kind in FAMILY else kind
        turn = _Turn(
            order=(clock, writer, source, target, kind),
            node=node,
            above=(above,),
            word=None,
            followed=bool(followed),
            keys=(source, target, kind, clock, writer),
        )
        turns.setdefault(family, []).append(turn)
    children: dict[str, Key] = {}
    for child, node, clock, writer, parents, roles, followed in connection.execute(f"{_SAID} ON s.oid = r.child"):
        children[child] = node
        word = Word(child, msgspec.json.decode(parents, type=tuple[str, ...]), roles)
        lead = tuple(dict.fromkeys(number for parent in word.parents for number in recorded(parent)))
        turn = _Turn(
            order=(clock, writer, child, "", ""),
            node=node,
            above=lead,
            word=word,
            followed=bool(followed),
            keys=(child, clock, writer),
        )
        turns.setdefault(FAMILY[0], []).append(turn)
    held: dict[str, Word | str] = {child: child for child in children}
    for family, some in turns.items():
        parents_of: dict[Key, set[Key]] = {}
        if family == RelationType.SUCCESSOR_TO:
            for near, far in connection.execute("SELECT child, parent FROM links"):
                parents_of.setdefault(near, set()).add(far)
            for child, node in children.items():
                parents_of[node] = {number for parent in own_parents(child) for number in recorded(parent)}
        some.sort(key=lambda turn: turn.order)
        followed = _followed(parents_of, some)
        for turn, is_followed in zip(some, followed, strict=True):
            if turn.followed != is_followed:
                connection.execute(_SET_WORD if turn.word else _SET_RELATION, (is_followed, *turn.keys))
            if turn.word is not None and is_followed:
                held[turn.word.child] = turn.word
    return list(held.values())


def _followed(parents: dict[Key, set[Key]], turns: Sequence[_Turn]) -> list[bool]:
    """Return for each of the turns, which are in order, whether it is followed on top of git's parents."""
    core = _core([*_pairs(parents), *((turn.node, far) for turn in turns for far in turn.above)])
    related: dict[Key, set[Key]] = {}
    told = []
    for turn in turns:
        inside = [far for far in turn.above if far in core] if turn.node in core else []
        if turn.word is not None:
            before = parents.pop(turn.node, set())
        is_followed = not (inside and _reaches(inside, turn.node, core, parents, related))
        if turn.word is not None:
            parents[turn.node] = set(turn.above) if is_followed else before
        elif is_followed:
            related.setdefault(turn.node, set()).update(turn.above)
        told.append(is_followed)
    return told


def _pairs(above: Mapping[Key, Iterable[Key]]) -> Iterable[tuple[Key, Key]]:
    return ((node, far) for node, some in above.items() for far in some)


def _core(edges: Iterable[tuple[Key, Key]]) -> set[Key]:
    """Return the nodes that are on cycles or between two: all others are taken away, one by one, from both ends."""
    up: dict[Key, set[Key]] = {}
    down: dict[Key, set[Key]] = {}
    for near, far in edges:
        up.setdefault(near, set()).add(far)
        down.setdefault(far, set()).add(near)
    core = up.keys() | down.keys()
    for here, there in ((up, down), (down, up)):
        counts = {node: len(here.get(node, set()) & core) for node in core}
        ends = [node for node, count in counts.items() if not count]
        while ends:
            node = ends.pop()
            core.discard(node)
            for other in there.get(node, set()) & core:
                counts[other] -= 1
                if not counts[other]:
                    ends.append(other)
    return core


def _reaches(
    start: Sequence[Key], goal: Key, core: set[Key], parents: Mapping[Key, set[Key]], related: Mapping[Key, set[Key]]
) -> bool:
    """Whether one of some nodes is another one, or goes back to it, inside the part that has cycles."""
    seen = set(start)
    waiting = list(start)
    while waiting:
        node = waiting.pop()
        if node == goal:
            return True
        fresh = ((parents.get(node) or set()) | (related.get(node) or set())) & core
        waiting += fresh - seen
        seen |= fresh
    return False
