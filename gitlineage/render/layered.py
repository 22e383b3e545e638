"""
A diagram as SVG by a layered layout of the library grandalf; for where Graphviz is not installed.

grandalf (the extra ``diagrams``) says where boxes and bends are; what is drawn there is written here, as one
``svg`` element that refers to nothing outside of it.
"""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from html import escape
from itertools import pairwise
from math import hypot
from typing import Any

import msgspec

from gitlineage.errors import DrawingFailed
from gitlineage.render.diagram import COLOURS, ROOT, Diagram, Edge, Node, label, plain

_LINE = 14.0
_SMALL = 11.0
_SIGN = 6.3
_GAP = 50.0
_RISE = 70.0
_MARGIN = 20.0
_WIDTH = 2400.0
"""How wide a row of unrelated parts may grow before the next one begins."""

Point = tuple[float, float]


class Box(msgspec.Struct):
    """A node's box: its lines, its size, and where its middle is."""

    node: Node
    lines: list[str]
    w: float
    h: float
    x: float = 0.0
    y: float = 0.0

    @property
    def xy(self) -> Point:
        """Where the middle is; the layout sets it."""
        return self.x, self.y

    @xy.setter
    def xy(self, to: Point) -> None:
        self.x, self.y = to


class _Bends:
    """Where an edge bends; the layout sets it."""

    def __init__(self) -> None:
        self.points: list[Point] = []

    def setpath(self, points: list[Point]) -> None:
        self.points = points


def svg(diagram: Diagram) -> str:
    """
    Return the drawing of a diagram; roots stand first, and a cohort's members name it.

    Raises:
        DrawingFailed: grandalf is not installed.
    """
    groups = {node.id: group.name for group, nodes in diagram.clusters() if group is not None for node in nodes}
    boxes = {node.id: _box(node, groups.get(node.id)) for node in diagram.nodes}
    bundles: dict[tuple[str, str], list[Edge]] = {}
    for edge in diagram.links():
        bundles.setdefault(edge.ends, []).append(edge)
    paths = _laid_out(boxes, list(bundles))
    drawn = [part for pair, edges in bundles.items() for part in _path(paths[pair], edges)]
    out, into = (Counter(pair[end] for pair in bundles) for end in (0, 1))
    spots = {pair: _place(paths[pair], pair, bundles, out[pair[0]] > into[pair[1]]) for pair in bundles}
    drawn += [part for pair, edges in bundles.items() for part in _words(spots[pair], edges)]
    drawn += [part for box in boxes.values() for part in _drawn(box)]
    points = [point for path in paths.values() for point in path]
    said = [(pair, plain(edge.text)) for pair, edges in bundles.items() for edge in edges if edge.text]
    points += [(spots[pair][0] + _wide(words) / 2, 0) for pair, words in said]
    right = max([box.x + box.w / 2 for box in boxes.values()] + [x for x, _ in points], default=0.0) + _MARGIN
    low = max([box.y + box.h / 2 for box in boxes.values()] + [y for _, y in points], default=0.0) + _MARGIN
    size = f'width="{right:.0f}" height="{low:.0f}" viewBox="0 0 {right:.0f} {low:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="Helvetica,sans-serif" font-size="11">'
    return "\n".join([head, f'<rect width="{right:.0f}" height="{low:.0f}" fill="#fff"/>', *drawn, "</svg>"]) + "\n"


def _box(node: Node, group: str | None) -> Box:
    lines = label(node)
    if group is not None:
        lines.append(f"cohort {plain(group)}")
    return Box(node, lines, max(130.0, *(_wide(line) + 20 for line in lines)), len(lines) * _LINE + 12)


def _wide(line: str) -> float:
    return sum(_SIGN * (2 if unicodedata.east_asian_width(sign) in "WF" else 1) for sign in line)


# -- where it goes -------------------------------------------------------------------------------------------------


def _laid_out(boxes: dict[str, Box], pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[Point]]:
    """Give every box its place and return the bends of the edge between each pair."""
    back = _against(list(boxes), pairs)
    paths: dict[tuple[str, str], list[Point]] = {}
    x = y = below = _MARGIN
    for part in _parts(list(boxes), pairs):
        own = [pair for pair in pairs if pair[0] in part and pair[0] != pair[1]] if len(part) > 1 else []
        bends = _layers({name: boxes[name] for name in part}, own, back)
        left = min(boxes[name].x - boxes[name].w / 2 for name in part)
        left = min([left, *(at for path in bends.values() for at, _ in path)])
        top = min(boxes[name].y - boxes[name].h / 2 for name in part)
        wide = max(boxes[name].x + boxes[name].w / 2 for name in part) - left
        wide = max([wide, *(at - left for path in bends.values() for at, _ in path)])
        if x > _MARGIN and x + wide > _WIDTH:
            x, y = _MARGIN, below + _GAP
        for name in part:
            boxes[name].x += x - left
            boxes[name].y += y - top
            below = max(below, boxes[name].y + boxes[name].h / 2)
        paths |= {pair: [(at + x - left, down + y - top) for at, down in path] for pair, path in bends.items()}
        x += wide + _GAP
    for source, target in pairs:
        paths[source, target] = _ends(boxes[source], boxes[target], paths.get((source, target), []))
    return paths


def _layers(
    boxes: dict[str, Box], pairs: Sequence[tuple[str, str]], back: set[tuple[str, str]]
) -> dict[tuple[str, str], list[Point]]:
    """Let grandalf place boxes that hang together, and return the bends between their middles."""
    if not pairs:
        return {}
    graphs, layouts = _grandalf()
    vertices = {name: graphs.Vertex(name) for name in boxes}
    for name, vertex in vertices.items():
        vertex.view = boxes[name]
    edges = {}
    for pair in pairs:
        source, target = reversed(pair) if pair in back else pair
        if (target, source) not in edges and (source, target) not in edges:
            edges[source, target] = graphs.Edge(vertices[source], vertices[target])
            edges[source, target].view = _Bends()
    (core,) = graphs.Graph(list(vertices.values()), list(edges.values())).C
    layout = _flat(layouts.SugiyamaLayout)(core)
    layout.xspace, layout.yspace = _GAP, _RISE
    layout.init_all(roots=[vertex for vertex in core.sV if not vertex.e_in()], inverted_edges=[])
    layout.draw(3)
    bends = {}
    for source, target in pairs:
        forth = edges.get((source, target))
        bends[source, target] = forth.view.points if forth else edges[target, source].view.points[::-1]
    return bends


def _flat(layout: Any) -> Any:
    """Return grandalf's layout with the boxes beside one another placed in turn; it calls itself for each of a row."""
    place = layout._SugiyamaLayout__place_block

    def beside(self: Any, block: Any) -> Iterator[Any]:
        at = block
        while True:
            row, left = self.layers[self.grx[at].rank], self.grx[at].pos - self.dirh
            if 0 <= left < len(row):
                yield self.grx[row[left]].root
            at = self.grx[at].align
            if at is block:
                return

    def in_turn(self: Any, block: Any) -> None:
        todo, seen = [block], set()
        while todo:
            ahead = [] if todo[-1] in seen else [near for near in beside(self, todo[-1]) if self.grx[near].X is None]
            seen.add(todo[-1])
            if ahead:
                todo += ahead
            else:
                place(self, todo.pop())

    return type("Flat", (layout,), {"_SugiyamaLayout__place_block": in_turn})


def _grandalf() -> tuple[Any, Any]:
    try:
        from grandalf import graphs, layouts
    except ImportError as error:
        raise DrawingFailed(
            "SVG needs Graphviz's dot on the path, or the extra `diagrams`: pip install 'gitlineage[diagrams]'"
        ) from error
    return graphs, layouts


def _against(names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return edges that close a circle; without them there is none."""
    out: dict[str, list[str]] = {name: [] for name in names}
    for source, target in pairs:
        out[source].append(target)
    against: set[tuple[str, str]] = set()
    state: dict[str, int] = {}
    for start in names:
        stack = [(start, iter(out[start]))] if start not in state else []
        state.setdefault(start, 1)
        while stack:
            here, ahead = stack[-1]
            for there in ahead:
                if there not in state:
                    state[there] = 1
                    stack.append((there, iter(out[there])))
                    break
                if state[there] == 1:
                    against.add((here, there))
            else:
                state[here] = 2
                stack.pop()
    return against


def _parts(names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Iterator[dict[str, None]]:
    """Return the names that hang together, each once and in order."""
    near: dict[str, list[str]] = {name: [] for name in names}
    for source, target in pairs:
        near[source].append(target)
        near[target].append(source)
    of: dict[str, int] = {}
    for start in names:
        todo = [start]
        while todo:
            here = todo.pop()
            if here not in of:
                of[here] = of.get(start, len(of)) if here != start else len(of)
                todo += near[here]
    parts: dict[int, dict[str, None]] = {}
    for name in names:
        parts.setdefault(of[name], {})[name] = None
    yield from parts.values()


def _ends(source: Box, target: Box, points: list[Point]) -> list[Point]:
    """Return the bends with the ends moved from the middles of the boxes to their borders."""
    if source is target:
        right = source.x + source.w / 2
        return [(right, source.y - 6), (right + 25, source.y - 6), (right + 25, source.y + 6), (right, source.y + 6)]
    down = 1 if target.y > source.y else -1
    return [
        (source.x, source.y + down * source.h / 2),
        *points[1:-1],
        (target.x, target.y - down * target.h / 2),
    ]


# -- what is drawn -------------------------------------------------------------------------------------------------


def _path(points: Sequence[Point], edges: Sequence[Edge]) -> Iterator[str]:
    """Return the line of an edge and its arrow; edges between the same two share one line."""
    dashed = ' stroke-dasharray="5 4"' if all(edge.proposed for edge in edges) else ""
    line = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    yield f'<path d="M{line}" fill="none" stroke="#555"{dashed}/>'
    (x0, y0), (x1, y1) = points[-2:]
    length = hypot(x1 - x0, y1 - y0) or 1.0
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    corners = [(x1, y1), *((x1 - 9 * ux - side * 4 * uy, y1 - 9 * uy + side * 4 * ux) for side in (1, -1))]
    yield f'<polygon points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in corners)}" fill="#555"/>'


def _place(points: Sequence[Point], pair: tuple[str, str], pairs: Collection[tuple[str, str]], many: bool) -> Point:
    """
    Return where the words of an edge stand: nearer to its target where its source has many edges, which lie close
    together at first; but nearer to its source where an edge leads back, whose words would lie on these.
    """
    return _beside(points, 0.6 if many and pair[::-1] not in pairs else 0.4)


def _words(place: Point, edges: Sequence[Edge]) -> Iterator[str]:
    """Return what stands on the line of an edge, on white, so that the line does not run through it."""
    x, y = place
    for at, edge in enumerate(each for each in edges if each.text):
        text = plain(edge.text)
        wide, middle = _wide(text) * 0.82, y + at * _SMALL
        where = f'x="{x - wide / 2:.1f}" y="{middle - _SMALL / 2:.1f}" width="{wide:.1f}" height="{_SMALL}"'
        yield f'<rect {where} fill="#fff"/>'
        yield f'<text x="{x:.1f}" y="{middle + 3:.1f}" text-anchor="middle" font-size="9">{escape(text)}</text>'


def _beside(points: Sequence[Point], share: float) -> Point:
    """Return the point of a line at a share of its length."""
    left = sum(hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(points)) * share
    for (x0, y0), (x1, y1) in pairwise(points):
        length = hypot(x1 - x0, y1 - y0)
        if length and left <= length:
            return x0 + (x1 - x0) * left / length, y0 + (y1 - y0) * left / length
        left -= length
    return points[-1]


def _drawn(box: Box) -> Iterator[str]:
    """Return a box and the words in it."""
    fill, stroke = COLOURS.get(box.node.status, ("#ffffff", "#333333"))
    dashed = ' stroke-dasharray="4 3"' if box.node.status in ("pending", "unrecorded") else ""
    if box.node.root:
        fill, dashed = ROOT[0], ' stroke-width="3"'
    elif box.node.best:
        dashed = ' stroke-width="4"'
    left, top = box.x - box.w / 2, box.y - box.h / 2
    where = f'x="{left:.1f}" y="{top:.1f}" width="{box.w:.1f}" height="{box.h:.1f}" rx="6"'
    yield f'<rect {where} fill="{fill}" stroke="{stroke}"{dashed}/>'
    for at, line in enumerate(box.lines):
        bold = ' font-weight="bold"' if at == 0 else ""
        place = f'x="{box.x:.1f}" y="{top + 17 + at * _LINE:.1f}" text-anchor="middle"'
        yield f"<text {place}{bold}>{escape(line)}</text>"
