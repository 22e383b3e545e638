"""
Algorithms on a directed acyclic graph, given as callables.

Nodes are any hashable values. "Up" leads to parents, "down" to children; every walk here works both ways.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)
Level = Callable[[Collection[Node]], Mapping[Node, Sequence[Node]]]
"""The next nodes of many at once, so that a walk asks its source once per level."""


def reach(start: Iterable[Node], step: Level[Node], max_depth: int = -1) -> dict[Node, int]:
    """
    Return every node that can be reached, with the least number of steps to it; the start has depth 0.

    Args:
        start: where the walk begins.
        step: the next nodes of many.
        max_depth: how far to go; -1 is without limit.
    """
    depths = dict.fromkeys(start, 0)
    frontier: Collection[Node] = list(depths)
    depth = 0
    while frontier and depth != max_depth:
        depth += 1
        nearer = step(frontier)
        frontier = [node for near in frontier for node in nearer.get(near, ()) if _first(depths, node, depth)]
    return depths


def first_parent_chain(start: Node, first: Callable[[Node], Node | None]) -> list[Node]:
    """Return the walk along first parents, root first, the start last; a repeat ends it (semantics 15)."""
    chain = [start]
    seen = {start}
    while (parent := first(chain[-1])) is not None and parent not in seen:
        chain.append(parent)
        seen.add(parent)
    chain.reverse()
    return chain


def merge_bases(a: Node, b: Node, up: Level[Node]) -> set[Node]:
    """
    Return the lowest common ancestors of two nodes, which count as their own ancestors (semantics 29).

    Lowest are those common ancestors that are not ancestors of another one.
    """
    common = reach([a], up).keys() & reach([b], up).keys()
    above = reach({parent for parents in up(common).values() for parent in parents}, up) if common else {}
    return {node for node in common if node not in above}


def topological(nodes: Collection[Node], parents: Callable[[Node], Iterable[Node]]) -> list[Node]:
    """Return the nodes with parents before children, otherwise in the order given; nodes in a cycle come as given."""
    inside = set(nodes)
    done: dict[Node, bool] = {}
    order: list[Node] = []
    for root in nodes:
        stack = [(root, False)]
        while stack:
            node, leaving = stack.pop()
            if leaving:
                order.append(node)
                continue
            if node in done:
                continue
            done[node] = True
            stack.append((node, True))
            waiting = [parent for parent in parents(node) if parent in inside and parent not in done]
            stack.extend((parent, False) for parent in reversed(waiting))
    return order


def first_of_cycles(parent: Mapping[Node, Node]) -> set[Node]:
    """Return of each cycle, where every node has one parent at most, the node that the mapping has first."""
    place = {node: at for at, node in enumerate(parent)}
    seen: set[Node] = set()
    firsts: set[Node] = set()
    for start in parent:
        path: dict[Node, None] = {}
        node = start
        while node in parent and node not in seen:
            seen.add(node)
            path[node] = None
            node = parent[node]
        if node in path:
            line = list(path)
            firsts.add(min(line[line.index(node) :], key=place.__getitem__))
    return firsts


def _first(depths: dict[Node, int], node: Node, depth: int) -> bool:
    if node in depths:
        return False
    depths[node] = depth
    return True
