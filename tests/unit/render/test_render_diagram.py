"""Diagrams as text and pictures: what Mermaid, Graphviz and XML's own parser read in them is what was to be shown."""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from html import escape
from itertools import pairwise
from pathlib import Path

import pytest
from flowcharts import Mermaid, Unavailable
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from places import ROOT, SUPPORT

from gitlineage import DrawingFailed, FailureLabel, Invalid
from gitlineage.query import graphviz
from gitlineage.query.diagram import draw
from gitlineage.render import layered
from gitlineage.render.choices import FORMATS
from gitlineage.render.diagram import COLOURS, Diagram, Edge, Group, Node, as_json, dot, label, mermaid, plain

HOSTILE = [
    'say "hi"',
    "a]b[c)d(e}f{g>",
    '"]; n9["x',
    '"] --> n0',
    "`code` and ```",
    "`**markdown string**`",
    "end",
    "subgraph x\nend\n",
    "%% a comment",
    "%%{init: {'theme': 'dark', 'securityLevel': 'loose'}}%%",
    "---\ntitle: x\n---",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "&lt;b&gt; &amp; &#34; #quot; #35; #x41;",
    "style a:#1; linkStyle:#2; classDef:#3;",
    "ﬂ°°34¶ß ﬂ°lt¶ß",
    "1. a list",
    "- a list",
    "# heading",
    "_a_ *b* ~~c~~ __d__",
    "back\\slash \\N \\G \\l \\",
    'ends in a quote"',
    "tab\tand\r\nlines\x0b\x0c\x85\u2028\u2029",
    "\x00\x07\x1b[31m\x7f\x9b",
    "\u202eright to left\u202c \u2066x\u2069 \u200b\ufeff\u00ad",
    "\ufffe\uffff\U0001fffe",
    "\ud800 half",
    "日本語 ✓ 😀 e\u0301",
    "very long " * 500,
    "x" * 5000,
    "",
    " \n ",
    "click n0 href 'javascript:alert(1)'",
    "fa:fa-car ::: root @{ shape: cyl }",
    "graph TD",
    "$$x^2$$ |pipe| a|b",
    "]]>--><!-- <![CDATA[",
]
SIGNS = st.sampled_from([*"\"`#;:%{}[]()<>&|\\/~=-_.*^$@!'", "end", "%%", "<br/>", "ﬂ°", "¶ß", " ", "\n"])
TEXTS = st.one_of(st.text(max_size=30), st.lists(SIGNS, max_size=12).map("".join), st.sampled_from(HOSTILE))
NODE = st.builds(
    Node,
    id=st.just(""),
    name=TEXTS,
    status=st.sampled_from([*COLOURS, "", 'x"y']),
    score=TEXTS,
    hypothesis=TEXTS,
    more=st.integers(0, 2),
    root=st.booleans(),
    best=st.booleans(),
)


@st.composite
def diagrams(draw) -> Diagram:
    """Return diagrams whose every text may be hostile, ids and types included."""
    ids = draw(st.lists(TEXTS, max_size=6, unique=True))
    nodes = [Node(**{**{f: getattr(n, f) for f in n.__struct_fields__}, "id": i}) for i in ids for n in [draw(NODE)]]
    some = st.sampled_from(ids) if ids else st.nothing()
    edge = st.builds(Edge, source=some, target=some, type=TEXTS, role=TEXTS, proposed=st.booleans())
    group = st.builds(Group, name=TEXTS, members=st.lists(some, max_size=4).map(tuple))
    return Diagram(
        nodes=tuple(nodes),
        edges=tuple(draw(st.lists(edge, max_size=6))) if ids else (),
        groups=tuple(draw(st.lists(group, max_size=3))) if ids else (),
    )


def hostile() -> Diagram:
    """Return a diagram in which every hostile text stands in every place."""
    nodes = [Node(id=text, name=text, status="keep", score=text, hypothesis=text) for text in HOSTILE]
    return Diagram(
        nodes=tuple(nodes),
        edges=tuple(Edge(source=a, target=b, type=a, role=b, proposed=len(a) % 2 == 0) for a, b in pairwise(HOSTILE)),
        groups=tuple(Group(name=text, members=(text,)) for text in HOSTILE[::3]),
    )


def of(*edges: str, **more: object) -> Diagram:
    """Return a diagram of edges such as ``b>a``, its nodes in the order of their names."""
    pairs = [edge.split(">") for edge in edges]
    return Diagram(
        nodes=tuple(
            Node(id=name, name=name, status="keep") for name in sorted({end for pair in pairs for end in pair})
        ),
        edges=tuple(Edge(source=source, target=target, type="successor_to") for source, target in pairs),
        **more,
    )


DIAMOND = of("b>a", "c>a", "d>b", "d>c")
CURRICULUM = Diagram(
    nodes=(
        Node(id="A", name="000", status="baseline", score="loss 1.2", hypothesis="the baseline"),
        Node(id="B", name="001", status="keep", score="loss 1.1"),
        Node(id="C", name="002", status="crash", more=2),
        Node(id="D", name="003", status="pending", root=True),
        Node(id="E", name="beef", status="unrecorded"),
    ),
    edges=(
        Edge(source="B", target="A", type="successor_to"),
        Edge(source="C", target="A", type="successor_to"),
        Edge(source="D", target="B", type="successor_to", role="base"),
        Edge(source="D", target="C", type="successor_to", role="mate"),
        Edge(source="D", target="C", type="tested_by"),
        Edge(source="D", target="A", type="depends_on", proposed=True),
    ),
    groups=(Group(name="gen 1", members=("B", "C")),),
)


# -- the record ----------------------------------------------------------------------------------------------------


def test_an_edge_is_there_once() -> None:
    """Twice the same edge is one; a role is kept; what was recorded is not proposed too."""
    plain_one, told = (Edge(source="b", target="a", type="x", role=role) for role in ("", "mate"))
    guessed = Edge(source="b", target="a", type="x", proposed=True)
    shown = Diagram(nodes=(Node(id="a"), Node(id="b")), edges=(guessed, plain_one, told))
    assert shown.links() == [told]
    assert mermaid(shown).count("-->") == 1


def test_the_order_of_edges_is_that_of_their_nodes() -> None:
    """Whatever order the edges come in, the text is the same."""
    other = Diagram(nodes=DIAMOND.nodes, edges=DIAMOND.edges[::-1])
    for format in ("mermaid", "dot", "json"):
        assert draw(DIAMOND, format) == draw(other, format)


def test_a_node_is_drawn_in_one_group() -> None:
    """A node of two groups is in the first one; a group without nodes is not drawn."""
    groups = (Group(name="one", members=("a", "b")), Group(name="two", members=("b",)), Group(name="none"))
    shown = Diagram(nodes=(Node(id="a"), Node(id="b")), groups=groups)
    assert [(group and group.name, [node.id for node in nodes]) for group, nodes in shown.clusters()] == [
        ("one", ["a", "b"]),
        (None, []),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"nodes": (Node(id="a"), Node(id="a"))},
        {"nodes": (Node(id="a"),), "edges": (Edge(source="a", target="b", type="x"),)},
        {"nodes": (Node(id="a"),), "groups": (Group(name="g", members=("b",)),)},
    ],
)
def test_what_does_not_fit_is_refused(wrong: dict) -> None:
    """Ids that are there twice, and edges and groups without their nodes, are refused."""
    with pytest.raises(Invalid, match="node"):
        Diagram(**wrong)


def test_an_unknown_format() -> None:
    """It is a ValueError that names all there are."""
    with pytest.raises(ValueError, match="no format of a diagram; there are mermaid, dot, svg, json"):
        draw(DIAMOND, "png")


def test_every_status_has_its_colour() -> None:
    """A new status must get a colour."""
    assert set(COLOURS) == {*FailureLabel, "pending", "unrecorded"}


def test_labels_say_in_words_what_colours_say() -> None:
    """Name, status, score, further trials and a short hypothesis."""
    node = Node(id="x", name="015", status="keep", score="loss 1.1", more=2, hypothesis="word " * 40)
    first, second, *rest = label(node)
    assert (first, second) == ("015", "loss 1.1, +2 trials")
    assert len(rest) == 2 and all(len(line) <= 36 for line in rest) and rest[1].endswith("…")
    assert label(Node(id="x")) == ["x"]
    assert label(Node(id="")) == ["?"]


@given(TEXTS)
def test_texts_are_one_short_line(text: str) -> None:
    """Nothing but signs that XML may hold, on one line, never empty and never long."""
    shown = plain(text)
    assert 0 < len(shown) <= 60
    assert shown.splitlines() == [shown]
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)
    assert ET.fromstring(f"<a>{escape(shown)}</a>").text == shown


# -- Mermaid -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def flowchart() -> Iterator[Mermaid]:
    """The real Mermaid."""
    try:
        process = Mermaid()
    except Unavailable as error:
        pytest.skip(f"Mermaid cannot be had: {error}")
    yield process
    process.close()


def words(edge: Edge) -> str:
    """Return what is to stand beside an edge."""
    return plain(edge.text) if edge.text else ""


def expected(shown: Diagram) -> tuple[dict, list, list]:
    """Return what a reader of the text must find: nodes by handle, edges, and groups with their members."""
    names = shown.handles()
    edges = [
        (*(names[end] for end in edge.ends), words(edge), "dotted" if edge.proposed else "normal")
        for edge in shown.links()
    ]
    groups = [
        (f"cohort {plain(group.name)}", sorted(names[node.id] for node in nodes))
        for group, nodes in shown.clusters()
        if group
    ]
    return {names[node.id]: label(node) for node in shown.nodes}, edges, groups


def check_mermaid(parser: Mermaid, shown: Diagram) -> None:
    """Assert that Mermaid finds exactly the diagram, each text as it is to be shown."""
    nodes, edges, groups = expected(shown)
    found = parser.read(mermaid(shown))
    assert found.nodes == {name: "<br>".join(lines) for name, lines in nodes.items()}
    assert found.edges == edges
    assert sorted((title, sorted(members)) for title, members in found.groups.values()) == sorted(groups)


def test_mermaid_reads_a_curriculum(flowchart: Mermaid) -> None:
    """Types, roles, the root's class, statuses and a cohort are all there."""
    check_mermaid(flowchart, CURRICULUM)
    text = mermaid(CURRICULUM)
    assert text.startswith("graph TD\n  classDef root fill:#f96,stroke:#333\n")
    assert '  n3["003<br/>pending"]:::root\n' in text
    found = flowchart.read(text)
    assert found.kinds == {"n0": ["baseline"], "n1": ["keep"], "n2": ["crash"], "n3": ["root"], "n4": ["unrecorded"]}
    assert found.classes["root"] == ["fill:#f96", "stroke:#333"]
    assert set(found.classes) == {"root", "baseline", "keep", "crash", "unrecorded"}
    assert found.edges == [
        ("n0", "n1", "", "normal"),
        ("n0", "n2", "", "normal"),
        ("n3", "n0", "depends_on, proposed", "dotted"),
        ("n1", "n3", "", "normal"),
        ("n2", "n3", "mate", "normal"),
        ("n3", "n2", "tested_by", "normal"),
    ]
    ((title, members),) = found.groups.values()
    assert (title, sorted(members)) == ("cohort gen 1", ["n1", "n2"])


@pytest.mark.parametrize("status", COLOURS)
def test_mermaid_takes_every_status_as_a_class(flowchart: Mermaid, status: str) -> None:
    """No status is a word of Mermaid's own."""
    found = flowchart.read(mermaid(Diagram(nodes=(Node(id="a", status=status),))))
    assert found.kinds == {"n0": [status]}
    assert found.classes[status][0] == f"fill:{COLOURS[status][0]}"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(hostile())
@example(Diagram())
@given(diagrams())
def test_nothing_breaks_mermaid(flowchart: Mermaid, shown: Diagram) -> None:
    """Whatever the texts hold, Mermaid finds the same nodes, edges and groups, and the same words."""
    check_mermaid(flowchart, shown)


@given(diagrams())
def test_mermaid_text_has_no_sign_of_its_own_from_labels(shown: Diagram) -> None:
    """Only letters, digits and entity codes stand between quotes, on lines without control characters."""
    text = mermaid(shown)
    assert set(re.findall(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", text)) == {"\n"}
    for inner in re.findall('"([^"\n]*)"', text):
        assert not re.search(r"[`%{}\[\]<>&|\\:;]", re.sub(r"#\d+;|<br/>", "", inner))


# -- Graphviz ------------------------------------------------------------------------------------------------------

needs_graphviz = pytest.mark.skipif(not graphviz.is_there(), reason="Graphviz's dot is not installed")
SVG = "{http://www.w3.org/2000/svg}"


def texts(element: ET.Element) -> list[str]:
    """Return the lines of text in a part of a drawing."""
    return ["".join(each.itertext()).replace("\xa0", " ") for each in element.iter(f"{SVG}text")]


def check_safe(drawn: str) -> ET.Element:
    """Assert that a drawing is one element without scripts, links and foreign parts, and return it."""
    assert drawn.startswith("<svg")
    root = ET.fromstring(drawn)
    tags = {each.tag.removeprefix(SVG) for each in root.iter()}
    assert tags <= {"svg", "g", "title", "polygon", "path", "text", "rect", "ellipse", "polyline"}
    for each in root.iter():
        assert not [name for name in each.attrib if name.startswith("on") or "href" in name]
        assert not [value for value in each.attrib.values() if "url(" in value or "script" in value]
    return root


def check_graphviz(shown: Diagram) -> None:
    """Assert that Graphviz draws exactly the diagram, each text as it is to be shown."""
    nodes, edges, groups = expected(shown)
    root = check_safe(graphviz.svg(dot(shown)))
    found: dict[str, list] = {"node": [], "edge": [], "cluster": [], "graph": []}
    for part in root.iter(f"{SVG}g"):
        found[part.get("class", "")].append((part.findtext(f"{SVG}title"), texts(part)))
    assert dict(found["node"]) == nodes and len(found["node"]) == len(nodes)
    assert Counter((title, *lines) for title, lines in found["edge"]) == Counter(
        (f"{source}->{target}", *([text] if text else [])) for source, target, text, _ in edges
    )
    assert sorted(lines for _, lines in found["cluster"]) == sorted([title] for title, _ in groups)


@needs_graphviz
@pytest.mark.parametrize("shown", [CURRICULUM, DIAMOND, hostile(), Diagram()], ids=["curriculum", "diamond", "*", "0"])
def test_graphviz_draws_it(shown: Diagram) -> None:
    """Graphviz finds every node, edge and group with its words, and the same text gives the same drawing."""
    check_graphviz(shown)
    assert draw(shown, "svg") == graphviz.svg(dot(shown))


@needs_graphviz
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(diagrams())
def test_nothing_breaks_graphviz(shown: Diagram) -> None:
    """Whatever the texts hold, Graphviz draws the same nodes, edges and groups, and the same words."""
    check_graphviz(shown)


@needs_graphviz
def test_graphviz_fails() -> None:
    """A text that it refuses and a drawing that takes too long are errors of one line, not blanks."""
    with pytest.raises(DrawingFailed, match=r"Graphviz failed \(1\).*--format dot"):
        graphviz.svg("digraph {")
    with pytest.raises(DrawingFailed, match=r"more than 0\.0001 seconds"):
        graphviz.svg(dot(hostile()), seconds=0.0001)


# -- the layered layout --------------------------------------------------------------------------------------------


def places(drawn: str) -> dict[str, tuple[float, float]]:
    """Return where each text of a drawing stands."""
    found = ET.fromstring(drawn).iter(f"{SVG}text")
    return {"".join(each.itertext()): (float(each.get("x", "")), float(each.get("y", ""))) for each in found}


class TestLayered:
    """Without Graphviz a library says where boxes go."""

    @pytest.fixture(autouse=True)
    def library(self) -> None:
        """Skip where the extra is not installed."""
        pytest.importorskip("grandalf", reason="the extra `diagrams` is not installed")

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @example(hostile())
    @example(Diagram())
    @given(diagrams())
    def test_nothing_breaks_it(self, shown: Diagram) -> None:
        """Whatever the texts hold and however edges run, every word is drawn in one safe element."""
        root = check_safe(layered.svg(shown))
        groups = {node.id: group.name for group, nodes in shown.clusters() if group for node in nodes}
        said = [line for node in shown.nodes for line in label(node)]
        said += [f"cohort {plain(name)}" for name in groups.values()] + [
            words(edge) for edge in shown.links() if edge.text
        ]
        assert Counter(texts(root)) == Counter(said)

    def test_roots_stand_first(self) -> None:
        """A diamond has three rows, a chain one column."""
        at = places(layered.svg(DIAMOND))
        assert at["a"][1] < at["b"][1] == at["c"][1] < at["d"][1]
        assert at["b"][0] != at["c"][0]
        chain = places(layered.svg(of("b>a", "c>b", "d>c")))
        assert len({chain[name][0] for name in "abcd"}) == 1
        assert sorted("abcd", key=lambda name: chain[name][1]) == list("abcd")

    def test_boxes_do_not_lie_on_each_other(self) -> None:
        """Not with long edges, several roots, circles, nodes that stand alone and wide rows."""
        many = [f"x{at}>hub" for at in range(40)]
        shown = of("b>a", "c>b", "d>c", "d>a", "e>a", "a>e", "f>c", "h>g", *many)
        shown = Diagram(nodes=(*shown.nodes, Node(id="alone"), Node(id="apart")), edges=shown.edges)
        root = ET.fromstring(layered.svg(shown))
        found = [[float(each.get(key, "")) for key in ("x", "y", "width", "height")] for each in boxes(root)]
        assert len(found) == len(shown.nodes)
        wide, high = (float(root.get(key, "")) for key in ("width", "height"))
        for at, (x, y, w, h) in enumerate(found):
            assert x >= 0 and y >= 0 and x + w <= wide and y + h <= high
            for x2, y2, w2, h2 in found[:at]:
                assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y

    def test_a_row_of_a_thousand(self) -> None:
        """Python's limit on calls within calls is no limit on how wide a row is, and is what it was afterwards."""
        before = sys.getrecursionlimit()
        drawn = layered.svg(of(*(f"{at}>root" for at in range(1100))))
        assert drawn.count("<rect") == 1 + 1101
        assert sys.getrecursionlimit() == before

    def test_proposed_is_dashed_and_the_root_is_marked(self) -> None:
        """Lines and borders tell them apart."""
        drawn = layered.svg(CURRICULUM)
        assert drawn.count('<path d="') == 6
        assert drawn.count('stroke-dasharray="5 4"') == 1
        assert drawn.count('fill="#f96"') == 1

    def test_every_process_draws_the_same(self) -> None:
        """Neither order nor place depends on the seed of Python's hashes."""
        program = (
            f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(SUPPORT)!r}]\n"
            "from test_render_diagram import CURRICULUM, hostile, layered\n"
            "sys.stdout.buffer.write((layered.svg(CURRICULUM) + layered.svg(hostile())).encode())"
        )
        seen = {
            subprocess.run(
                [sys.executable, "-c", program],
                cwd=ROOT,
                env={**os.environ, "PYTHONHASHSEED": seed},
                check=True,
                capture_output=True,
            ).stdout
            for seed in ("1", "2")
        }
        assert len(seen) == 1

    def test_it_draws_where_graphviz_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without dot on the path the library draws."""
        monkeypatch.setenv("PATH", os.path.dirname(sys.executable))
        if shutil.which("dot"):
            pytest.skip("dot is beside Python")
        assert draw(DIAMOND, "svg") == layered.svg(DIAMOND)


def boxes(root: ET.Element) -> list[ET.Element]:
    """Return the boxes of nodes in a drawing."""
    return [each for each in root.iter(f"{SVG}rect") if each.get("rx")]


def test_nothing_that_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Graphviz and without the library there is one line that names the extra, and no blank picture."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "grandalf", None)
    with pytest.raises(DrawingFailed, match=r"pip install 'gitlineage\[diagrams\]'"):
        draw(DIAMOND, "svg")


# -- JSON ----------------------------------------------------------------------------------------------------------


@given(diagrams())
def test_json_is_whole(shown: Diagram) -> None:
    """One line of plain ASCII that holds every text as it is."""
    text = as_json(shown)
    assert text.isascii() and text.count("\n") == 1
    value = json.loads(text)
    assert [(node["handle"], node["id"], node["hypothesis"]) for node in value["nodes"]] == [
        (f"n{at}", node.id, node.hypothesis) for at, node in enumerate(shown.nodes)
    ]
    assert [(edge["source"], edge["target"], edge["type"]) for edge in value["edges"]] == [
        (edge.source, edge.target, edge.type) for edge in shown.links()
    ]
    assert [group["name"] for group in value["groups"]] == [group.name for group in shown.groups]


def test_formats_are_those_that_can_be_drawn() -> None:
    """Every format gives text, and only text formats need nothing else."""
    assert FORMATS == ("mermaid", "dot", "svg", "json")
    assert all(draw(CURRICULUM, format).strip() for format in ("mermaid", "dot", "json"))
