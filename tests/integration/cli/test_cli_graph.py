"""The diagram of a store, from the library and from the command line: which part is shown, and how it is handed out."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Shell, campaign, process

from gitlineage import Invalid, LineageStore, NotFound, Trial
from gitlineage.model.relation import Relationship, RelationType
from gitlineage.query import graphviz
from gitlineage.render.diagram import Diagram


def trial(name: str, **cells: object) -> Trial:
    """Return a kept trial."""
    return Trial(exp_id=name, **{"status": "keep", "core_metric": 1.0, **cells})


def made(store: LineageStore, name: str, *parents: str, **more: object) -> str:
    """Record a snapshot by its name and return its oid."""
    return store.commit({"a": name.encode()}, parents, trial=trial(name), **more).oid


def edges(store: LineageStore, shown: Diagram) -> list[str]:
    """Return the edges of a diagram such as ``b>a successor_to``."""
    names = {node.id: node.name for node in shown.nodes}
    said = {edge: f"{edge.type} ({edge.role})" if edge.role else edge.type for edge in shown.links()}
    return [
        f"{names[edge.source]}>{names[edge.target]} {words}{', proposed' * edge.proposed}"
        for edge, words in said.items()
    ]


def nodes(shown: Diagram) -> list[str]:
    """Return the names of a diagram's nodes."""
    return [node.name for node in shown.nodes]


@pytest.fixture
def diamond(store: LineageStore) -> LineageStore:
    """A store with a, its children b and c, their child d with roles, and d's child e."""
    made(store, "a")
    made(store, "b", "a")
    made(store, "c", "a")
    made(store, "d", "b", "c", roles={"b": "base", "c": "mate"})
    made(store, "e", "d")
    return store


# -- which part ----------------------------------------------------------------------------------------------------


def test_a_diamond_has_each_edge_once(diamond: LineageStore) -> None:
    """Two ways lead to a; each edge is there once with its type and the parent's role."""
    shown = diamond.lineage_diagram("d")
    assert nodes(shown) == ["a", "b", "c", "d", "e"]
    assert edges(diamond, shown) == [
        "b>a successor_to",
        "c>a successor_to",
        "d>b successor_to (base)",
        "d>c successor_to (mate)",
        "e>d successor_to",
    ]
    assert [node.name for node in shown.nodes if node.root] == ["d"]


def test_a_chain_is_a_chain(store: LineageStore) -> None:
    """Each link leads to the next one, none to the root of the diagram past others."""
    made(store, "a")
    for name, parent in zip("bcdef", "abcde", strict=True):
        made(store, name, parent)
    assert edges(store, store.lineage_diagram("c")) == [
        f"{child}>{parent} successor_to" for child, parent in zip("bcdef", "abcde", strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "depth", "found"),
    [
        ("d", 0, ["d"]),
        ("d", 1, ["b", "c", "d", "e"]),
        ("a", 1, ["a", "b", "c"]),
        ("a", -1, ["a", "b", "c", "d", "e"]),
        ("e", None, ["a", "b", "c", "d", "e"]),
        ("b", 1, ["a", "b", "d"]),
    ],
)
def test_depth(diamond: LineageStore, name: str, depth: int | None, found: list[str]) -> None:
    """So many steps up and so many down, but not down again from above."""
    assert nodes(diamond.lineage_diagram(name, depth=depth)) == found


def test_a_negative_depth(diamond: LineageStore) -> None:
    """It is refused."""
    with pytest.raises(ValueError, match="-2"):
        diamond.generate_lineage_diagram("d", -2)


def test_relations_of_every_type_are_drawn_beside_derivation(diamond: LineageStore) -> None:
    """A dependency does not hide that the same two are parent and child; a fork says that it is one."""
    made(diamond, "t")
    diamond.add_relationship("d", "b", "depends_on", "x")
    diamond.add_relationship("d", "t", "tested_by", "x")
    diamond.add_relationship("e", "d", "forked_from", "x")
    diamond.add_relationship("c", "a", "successor_to", "x")
    diamond.add_relationship("b", "t", "implements", "x")
    diamond.deprecate_relationship("b", "t", "implements")
    assert edges(diamond, diamond.lineage_diagram("d")) == [
        "b>a successor_to",
        "c>a successor_to",
        "d>b depends_on",
        "d>b successor_to (base)",
        "d>c successor_to (mate)",
        "d>t tested_by",
        "e>d forked_from",
    ]
    only = diamond.lineage_diagram("d", relationship_types=["tested_by", RelationType.DEPENDS_ON])
    assert edges(diamond, only) == ["d>b depends_on", "d>t tested_by"]
    assert nodes(only) == ["b", "d", "t"]


def test_a_role_stays_where_the_succession_was_named_too(diamond: LineageStore) -> None:
    """A relation beside a git parent does not take its role away."""
    diamond.add_relationship("d", "c", "successor_to", "x")
    assert "d>c successor_to (mate)" in edges(diamond, diamond.lineage_diagram("d"))


def test_relations_in_a_circle(diamond: LineageStore) -> None:
    """A circle of several types, as the family scope allows it, ends."""
    diamond.add_relationship("e", "a", "tested_by", "x")
    diamond.add_relationship("a", "e", "depends_on", "x", cycle_scope="family")
    found = edges(diamond, diamond.lineage_diagram("a", depth=-1))
    assert "e>a tested_by" in found and "a>e depends_on" in found
    assert len(found) == len(set(found)) == 7


def test_all_and_its_limit(diamond: LineageStore) -> None:
    """Everything recorded is shown, unless it is more than can be read; the error says what to do."""
    made(diamond, "alone")
    shown = diamond.lineage_diagram(part="all")
    assert nodes(shown) == ["a", "b", "c", "d", "e", "alone"]
    assert len(shown.edges) == 5 and not any(node.root for node in shown.nodes)
    for part, name in (("all", None), ("around", "d"), ("line", "e")):
        with pytest.raises(Invalid, match=r"more than the 3 that are drawn; .*--limit -1"):
            diamond.lineage_diagram(name, part, limit=3)
        assert diamond.lineage_diagram(name, part, limit=None).nodes


def test_cohorts_are_groups(store: LineageStore) -> None:
    """A cohort is shown with its base, and its members as one group in every diagram."""
    base = made(store, "a")
    members = tuple(made(store, name, "a", cohort="gen 1") for name in "bcd")
    made(store, "e", "b", "c")
    shown = store.lineage_diagram("gen 1", "cohort")
    assert [node.id for node in shown.nodes] == [base, *members]
    assert edges(store, shown) == [f"{name}>a successor_to" for name in "bcd"]
    assert [(group.name, group.members) for group in shown.groups] == [("gen 1", members)]
    assert [group.members for group in store.lineage_diagram("e", depth=1).groups] == [members[:2]]
    with pytest.raises(NotFound, match="cohort"):
        store.lineage_diagram("nope", "cohort")


def test_the_line_to_a_snapshot(diamond: LineageStore) -> None:
    """Primary parents up to the root, the other parents, siblings and children."""
    made(diamond, "sibling", "d")
    made(diamond, "cousin", "c")
    made(diamond, "child", "e")
    made(diamond, "grandchild", "child")
    shown = diamond.lineage_diagram("e", "line")
    assert nodes(shown) == ["a", "b", "d", "e", "sibling", "child"]
    assert edges(diamond, shown) == [
        "b>a successor_to",
        "d>b successor_to (base)",
        "e>d successor_to",
        "sibling>d successor_to",
        "child>e successor_to",
    ]
    assert "c" in nodes(diamond.lineage_diagram("d", "line"))


def test_proposed_relations_are_dashed(diamond: LineageStore) -> None:
    """Given ones are drawn between what is shown, apart from what was recorded."""
    a, e = (diamond.resolve(name) for name in "ae")
    alone = made(diamond, "alone")
    given = [Relationship(source_id=e, target_id=to, relationship_type=RelationType.DEPENDS_ON) for to in (a, alone)]
    text = diamond.generate_lineage_diagram("e", proposed=given)
    assert text.count("-.->") == 1
    assert '  n4 -.->|"depends_on, proposed"| n0' in text


def test_what_a_node_says(store: LineageStore, git: Callable[..., str]) -> None:
    """Statuses, scores and replicates; a trial without result is pending, a commit of the user's own unrecorded."""
    first = store.commit({"a": b"1"}, [], trial=Trial(exp_id="p", hypothesis="later")).oid
    store.record(first, trial("p"))
    store.record(first, trial("p2", core_metric=2.0))
    store.commit({"a": b"2"}, [first], trial=Trial(exp_id="q"))
    store.commit({"a": b"3"}, [first], message="bare")
    git("update-ref", "refs/heads/mine", first)
    git("symbolic-ref", "HEAD", "refs/heads/mine")
    git("commit", "--allow-empty", "-m", "plain one")
    found = {node.name: node for node in store.lineage_diagram(part="all").nodes}
    assert (found["p"].status, found["p"].score, found["p"].more) == ("keep", "core 1.0", 1)
    assert (found["q"].status, found["q"].score) == ("pending", "")
    (bare,) = (node for node in found.values() if node.hypothesis == "bare")
    assert bare.status == "" and bare.id.startswith(bare.name)
    (mine,) = store.lineage_diagram("mine", depth=0).nodes
    assert (mine.status, mine.hypothesis, mine.root) == ("unrecorded", "plain one", True)


def test_the_same_store_gives_the_same_text(diamond: LineageStore) -> None:
    """Whatever the seed of Python's hashes and however often the index was built."""
    program = (
        "import sys; from gitlineage import LineageStore; s = LineageStore(sys.argv[1])\n"
        "for f in ('mermaid', 'dot', 'json'): print(s.generate_lineage_diagram('d', format=f))"
    )
    seen = set()
    for seed in ("1", "2"):
        told = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", program, str(diamond.root)]
        seen.add(subprocess.run(command, env=told, check=True, capture_output=True).stdout)
        diamond.reindex()
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"id": "a", "format": "png"}, "'png' is no format"),
        ({"id": "a", "part": "some"}, "'some' is no part"),
        ({"id": None}, "needs an id"),
        ({"id": "a", "relationship_types": ["nope"]}, "no type of relation"),
    ],
)
def test_bad_arguments(diamond: LineageStore, words: dict, reason: str) -> None:
    """Each is a ValueError that says what there is."""
    with pytest.raises(ValueError, match=reason):
        diamond.generate_lineage_diagram(**words)


# -- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell on a small campaign."""
    return campaign(folder)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["003"], ["000", "001", "002", "003", "004"]),
        (["003", "--depth", "1"], ["001", "002", "003", "004"]),
        (["000", "--depth", "-1"], ["000", "001", "002", "003", "004"]),
        (["003", "--relations", "depends_on,tested_by"], ["003"]),
        (["--all"], ["000", "001", "002", "003", "004"]),
        (["--cohort", "ideas"], ["000", "001", "002"]),
        (["--best"], ["000", "001", "002", "003", "004"]),
    ],
)
def test_parts(shell: Shell, words: list[str], found: list[str]) -> None:
    """Each option shows its part, as an object and as text."""
    (shown,) = shell.objects("graph", *words)
    assert [node["name"] for node in shown["nodes"]] == found
    text = shell("graph", *words)
    assert text.startswith("graph TD\n")
    assert text.count('["') - text.count("subgraph") == len(found)


def test_the_formats(shell: Shell) -> None:
    """The library and the command give the same bytes; --json is the format json."""
    with LineageStore(shell.folder) as store:
        for format in ("mermaid", "dot", "json"):
            assert shell("graph", "003", "--format", format) == store.generate_lineage_diagram("003", format=format)
    assert shell("graph", "003", "--json") == shell("graph", "003", "--format", "json")
    assert '"role": "mate"' in shell("graph", "003", "--json")


@pytest.mark.skipif(not graphviz.is_there(), reason="Graphviz's dot is not installed")
def test_a_picture_in_a_file(shell: Shell, tmp_path: Path) -> None:
    """SVG goes into the file, whole, and a note says so."""
    file = tmp_path / "out.svg"
    done = process("graph", "best", "--format", "svg", "-o", file, folder=shell.folder)
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.decode().startswith("note: wrote ")
    assert file.read_text().startswith("<svg") and file.read_text().endswith("</svg>\n")
    assert ">mate</text>" in file.read_text()
    assert list(tmp_path.glob(".out*")) == []


def test_the_format_follows_the_ending(shell: Shell, tmp_path: Path) -> None:
    """A file's ending says its format unless --format does; any other ending is Mermaid."""
    for name, first in (
        ("a.dot", "digraph"),
        ("b.GV", "digraph"),
        ("c.json", "{"),
        ("d.md", "graph TD"),
        ("e.mmd", "graph TD"),
    ):
        shell("graph", "003", "-o", tmp_path / name)
        assert (tmp_path / name).read_text().startswith(first), name
    shell("graph", "003", "--format", "json", "-o", tmp_path / "f.dot")
    assert (tmp_path / "f.dot").read_text().startswith("{")


def test_without_what_draws(shell: Shell) -> None:
    """Without Graphviz the layered layout draws, and where that is missing too one line names the extra."""
    shell.variables["PATH"] = "/nowhere"
    pytest.importorskip("grandalf", reason="the extra `diagrams` is not installed")
    assert ">mate</text>" in shell("graph", "003", "--format", "svg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "grandalf", None)
        assert "gitlineage[diagrams]" in shell.fails(1, "graph", "003", "--format", "svg")


def test_a_hostile_store(folder: Path) -> None:
    """Ids and hypotheses that look like a diagram's own words change neither its lines nor the terminal."""
    shell = Shell(folder)
    shell("init", "--metric", "loss", "--writer", "alice")
    shell.commit("--root", "--exp-id", 'a"] --> n9["b', "-m", "end\n%%{init}%% \x1b[2J<b>`x`", "--cohort", 'x"]')
    text = shell("graph", "--all")
    assert len(text.splitlines()) == 6
    assert "\x1b" not in text and "n9[" not in text and "-->" not in text and "%" not in text
    (shown,) = shell.objects("graph", "--all")
    assert shown["nodes"][0]["name"] == 'a"] --> n9["b'


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        (2, [], "name one snapshot, or take one of --all"),
        (2, ["003", "--all"], "name one snapshot"),
        (2, ["--best", "--cohort", "ideas"], "name one snapshot"),
        (2, ["003", "--format", "png"], "'png' is none of mermaid, dot, svg, json"),
        (2, ["003", "--relations", "nope"], "'nope' is none of successor_to"),
        (2, ["003", "--relations", ""], "'' is none of successor_to"),
        (2, ["003", "--depth", "-2"], "greater than or equal to -1"),
        (2, ["--all", "--depth", "2"], "--depth"),
        (2, ["003", "--json", "--format", "dot"], "excludes --json"),
        (2, ["003", "--limit", "-2"], "greater than or equal to -1"),
        (1, ["nope"], "'nope'"),
        (1, ["--cohort", "nope"], "no cohort 'nope'"),
        (1, ["--all", "--limit", "0"], "5 snapshots are more than the 0"),
        (1, ["--all", "--limit", "2"], "5 snapshots are more than the 2"),
        (1, ["003", "-o", "/nowhere/x.svg"], "cannot write /nowhere/x.svg"),
    ],
)
def test_bad_calls(shell: Shell, code: int, words: list[str], reason: str) -> None:
    """Every bad call ends with one line that says why."""
    assert reason in shell.fails(code, "graph", *words)


def test_more_than_mermaid_draws(folder: Path) -> None:
    """What Mermaid refuses by default is handed out with a note; other formats need none."""
    with LineageStore(folder, writer="alice", identity=("Alice", "alice@example.org")) as store:
        rows = [Trial(exp_id="0", status="keep")]
        rows += [Trial(exp_id=str(at), status="keep", parent_exp="0") for at in range(1, 502)]
        store.append_many(rows)
    done = process("graph", "--all", folder=folder)
    assert done.returncode == 0 and done.stdout.count(b" --> ") == 501 and done.stdout.count(b" -->|") == 0
    assert b"note: Mermaid" in done.stderr and done.stderr.count(b"\n") == 1
    assert process("graph", "--all", "--format", "dot", folder=folder).stderr == b""


def test_an_empty_store(folder: Path) -> None:
    """Everything of an empty store is an empty diagram; it has no best."""
    shell = Shell(folder)
    shell("init", "--metric", "loss")
    assert shell("graph", "--all") == "graph TD\n  classDef root fill:#f96,stroke:#333\n"
    assert json.loads(shell("graph", "--all", "--json")) == {"nodes": [], "edges": [], "groups": []}
    assert "best" in shell.fails(1, "graph", "--best")
