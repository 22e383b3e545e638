"""
A diagram of a lineage as a small record, and its text in Mermaid, DOT and JSON.

Nodes are called ``n0``, ``n1``, … in the text, so that no id, role or hypothesis is ever part of its grammar;
whatever they hold stands in quotes, escaped (semantics 38, 54). Roots stand first, the best has a star, and only what
is not the usual is said in words (semantics 164).
"""

import json
import re
import textwrap
from collections.abc import Callable, Mapping

import msgspec

from gitlineage.errors import Invalid
from gitlineage.render.fields import shown

_USUAL_TYPE, _USUAL_ROLE = "successor_to", "base"
_LEADS_ON = (_USUAL_TYPE, "forked_from")
_USUAL_STATUS = "keep"


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a diagram shows of one snapshot.

    Args:
        id: what edges and groups call it.
        name: how to name it.
        status: how its trial ended; also ``pending`` or ``unrecorded``, empty where there is no trial.
        score: its score with the score's name.
        hypothesis: what it tried.
        more: how many further trials it has.
        root: whether the diagram is drawn around it, whatever its parents.
        best: whether it is the best.
    """

    id: str
    name: str = ""
    status: str = ""
    score: str = ""
    hypothesis: str = ""
    more: int = 0
    root: bool = False
    best: bool = False


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """
    An edge from child to parent.

    Args:
        source: the child's id.
        target: the parent's id.
        type: what the child is to the parent.
        role: what the parent was to the child, where known.
        proposed: nobody recorded it, it is only inferred; drawn dashed.
    """

    source: str
    target: str
    type: str
    role: str = ""
    proposed: bool = False

    @property
    def text(self) -> str:
        """What stands beside it: type and role where these are not the usual, whether it is proposed; or nothing."""
        role = "" if self.role == _USUAL_ROLE else self.role
        kind = "" if self.type == _USUAL_TYPE else self.type
        said = f"{kind} ({role})" if kind and role else kind or role
        return f"{said or self.type}, proposed" if self.proposed else said

    @property
    def ends(self) -> tuple[str, str]:
        """The ids from which and to which it is drawn: from parent to child what leads on, else as it is said."""
        return (self.target, self.source) if self.type in _LEADS_ON else (self.source, self.target)


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes that belong together: a cohort's name and its members' ids."""

    name: str
    members: tuple[str, ...] = ()


class Diagram(msgspec.Struct, frozen=True, kw_only=True):
    """
    Nodes, edges and groups; equal ones give equal text.

    Args:
        nodes: each once; their order is the one in which they are numbered.
        edges: in any order.
        groups: a node in several of them is drawn in the first one.

    Raises:
        Invalid: an id that two nodes have, or an edge or a group that names no node.
    """

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    groups: tuple[Group, ...] = ()

    def __post_init__(self) -> None:
        known = {node.id for node in self.nodes}
        if len(known) != len(self.nodes):
            raise Invalid("two nodes of a diagram have the same id")
        named = [end for edge in self.edges for end in (edge.source, edge.target)]
        named += [member for group in self.groups for member in group.members]
        for name in named:
            if name not in known:
                raise Invalid(f"{name!r} is no node of the diagram")

    def handles(self) -> dict[str, str]:
        """Return what each node is called in a text: ``n0``, ``n1``, …"""
        return {node.id: f"n{at}" for at, node in enumerate(self.nodes)}

    def links(self) -> list[Edge]:
        """Return every edge once in the order of its nodes; what is recorded is not proposed too."""
        places = {node.id: at for at, node in enumerate(self.nodes)}
        edges: dict[tuple[int, int, str], Edge] = {}
        for edge in sorted(self.edges, key=lambda edge: (edge.proposed, not edge.role, edge.role)):
            edges.setdefault((places[edge.source], places[edge.target], edge.type), edge)
        return [edges[key] for key in sorted(edges)]

    def clusters(self) -> list[tuple[Group | None, list[Node]]]:
        """Return the groups with those nodes that are drawn in them, and at the end the nodes that are in none."""
        of: dict[str, int] = {}
        for at, group in enumerate(self.groups):
            for member in group.members:
                of.setdefault(member, at)
        inside: dict[int, list[Node]] = {}
        for node in self.nodes:
            inside.setdefault(of.get(node.id, -1), []).append(node)
        groups: list[tuple[Group | None, list[Node]]] = [
            (group, inside[at]) for at, group in enumerate(self.groups) if at in inside
        ]
        return [*groups, (None, inside.get(-1, []))]


ROOT = ("#f96", "#333")
"""The colours of what a diagram is about."""

_DIED = ("#ffcdd2", "#b71c1c")
COLOURS: Mapping[str, tuple[str, str]] = {
    "baseline": ("#bbdefb", "#0d47a1"),
    "keep": ("#c8e6c9", "#1b5e20"),
    "discard": ("#fff3c4", "#8d6e00"),
    "crash": _DIED,
    "eval_budget_overrun": _DIED,
    "train_budget_overrun": _DIED,
    "size_blocked": _DIED,
    "preflight_crash": _DIED,
    "disqualified": ("#e1bee7", "#4a148c"),
    "harness_abort": ("#e0e0e0", "#424242"),
    "pending": ("#ffffff", "#0d47a1"),
    "unrecorded": ("#f5f5f5", "#757575"),
}
"""The colours that show a status, of the box and of its border; the label says it in words too."""

_LINE = 36
_PLAIN = re.compile(r"[^\W\d_]|[0-9]|(?<=[^\W_])[._-](?=[^\W_])|[ ,=/()]")


def plain(text: str, field: str = "node") -> str:
    """Return text as one short line of signs that every format can hold; never empty."""
    return shown(field, text) or "?"


def label(node: Node) -> list[str]:
    """Return the lines that a node shows: its name, how it ended, what it tried."""
    more = f"+{node.more} trial{'s' * (node.more > 1)}" if node.more else ""
    status = "" if node.status == _USUAL_STATUS and node.score else node.status
    ended = ", ".join(filter(None, (status, node.score, more)))
    lines = [f"{'★ ' * node.best}{plain(node.name or node.id)}"]
    if ended:
        lines.append(plain(ended))
    if node.hypothesis.strip():
        tried = plain(node.hypothesis, "hypothesis of a node")
        lines += textwrap.wrap(tried, _LINE, max_lines=2, placeholder="…", break_on_hyphens=False)
    return lines


def mermaid(diagram: Diagram) -> str:
    """Return a diagram as a Mermaid flowchart; roots stand first."""
    names = diagram.handles()
    used = {node.status for node in diagram.nodes if not node.root}
    lines = ["graph TD", f"  classDef root fill:{ROOT[0]},stroke:{ROOT[1]}"]
    for status, (fill, stroke) in COLOURS.items():
        if status in used:
            dashes = ",stroke-dasharray:4" if status in ("pending", "unrecorded") else ""
            lines.append(f"  classDef {status} fill:{fill},stroke:{stroke},color:#000{dashes}")
    for at, (group, nodes) in enumerate(diagram.clusters()):
        if group is not None:
            lines.append(f'  subgraph g{at}["{_mermaid(f"cohort {plain(group.name)}")}"]')
        for node in nodes:
            inside = "<br/>".join(map(_mermaid, label(node)))
            kind = "root" if node.root else node.status if node.status in COLOURS else ""
            lines.append(f'  {"  " * (group is not None)}{names[node.id]}["{inside}"]{kind and f":::{kind}"}')
        if group is not None:
            lines.append("  end")
    lines += [f"  style {names[node.id]} stroke-width:4px" for node in diagram.nodes if node.best]
    for edge in diagram.links():
        start, end = edge.ends
        words = f'|"{_mermaid(plain(edge.text))}"|' if edge.text else ""
        lines.append(f"  {names[start]} {'-.->' if edge.proposed else '-->'}{words} {names[end]}")
    return "\n".join(lines) + "\n"


def dot(diagram: Diagram) -> str:
    """Return a diagram in Graphviz's language; roots stand first."""
    names = diagram.handles()
    lines = [
        "digraph lineage {",
        '  graph [rankdir=TB, fontname="Helvetica", fontsize=11]',
        '  node [shape=box, style="rounded,filled", fillcolor="#ffffff", fontname="Helvetica", fontsize=11]',
        '  edge [fontname="Helvetica", fontsize=9]',
    ]
    for at, (group, nodes) in enumerate(diagram.clusters()):
        inner = "  "
        if group is not None:
            lines.append(f"  subgraph cluster_g{at} {{")
            lines.append(f'    label="{_dot(f"cohort {plain(group.name)}")}"; style=rounded; color="#757575"')
            inner = "    "
        for node in nodes:
            inside = r"\n".join(map(_dot, label(node)))
            lines.append(f'{inner}{names[node.id]} [label="{inside}"{_dot_style(node)}]')
        if group is not None:
            lines.append("  }")
    for edge in diagram.links():
        start, end = edge.ends
        words = [f'label="{_dot(plain(edge.text))}"'] if edge.text else []
        words += ["style=dashed"] * edge.proposed + ["constraint=false"] * (start == edge.source)
        more = f" [{', '.join(words)}]" if words else ""
        lines.append(f"  {names[start]} -> {names[end]}{more}")
    return "\n".join([*lines, "}"]) + "\n"


def as_json(diagram: Diagram) -> str:
    """Return a diagram as one line of JSON in plain ASCII; its texts are whole, and nodes have their handles too."""
    names = diagram.handles()
    value = {
        "nodes": [{"handle": names[node.id], **msgspec.to_builtins(node)} for node in diagram.nodes],
        "edges": [msgspec.to_builtins(edge) for edge in diagram.links()],
        "groups": [msgspec.to_builtins(group) for group in diagram.groups],
    }
    return json.dumps(value) + "\n"


WRITERS: Mapping[str, Callable[[Diagram], str]] = {"mermaid": mermaid, "dot": dot, "json": as_json}
"""The formats that are text, and what writes them."""


def _mermaid(line: str) -> str:
    """
    Return a line for a quoted label: letters, digits and a few signs as they are, the rest as entity codes.

    So no sign is left that Mermaid reads anywhere in its text: quotes, ``%%{…}%%``, backticks of Markdown, HTML, and
    the colon with which its own reading of ``style`` lines begins.
    """
    spans = [match.span() for match in _PLAIN.finditer(line)]
    kept = {at for start, end in spans for at in range(start, end)}
    return "".join(sign if at in kept and sign not in "ﬂß" else f"#{ord(sign)};" for at, sign in enumerate(line))


def _dot(line: str) -> str:
    """Return a line for a quoted string: neither Graphviz's escapes nor its entities mean anything in it."""
    return line.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')


def _dot_style(node: Node) -> str:
    fill, stroke = COLOURS.get(node.status, ("", ""))
    if node.root:
        return f', fillcolor="#ff9966", color="{stroke or "#333333"}", penwidth=3'
    if node.best:
        return f', fillcolor="{fill}", color="{stroke}", penwidth=4'
    dashed = ', style="rounded,filled,dashed"' if node.status in ("pending", "unrecorded") else ""
    return f', fillcolor="{fill}", color="{stroke}"{dashed}' if fill else ""
