"""gitlineage.model.dag: walks on random graphs against the plainest way to do them, and against git itself."""

import os
import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage.model.dag import first_of_cycles, first_parent_chain, merge_bases, reach, topological

quick = settings(max_examples=200, deadline=None, database=None)


@st.composite
def dags(draw, size: int = 12) -> dict[int, list[int]]:
    """A graph as node → parents; parents have smaller numbers."""
    count = draw(st.integers(1, size))
    return {
        node: draw(st.lists(st.integers(0, node - 1), unique=True, max_size=3)) if node else [] for node in range(count)
    }


def step(edges):
    """The next nodes of many."""
    return lambda nodes: {node: edges.get(node, []) for node in nodes}


def distances(edges, start: int) -> dict[int, int]:
    """The least number of steps to every node, by trying all paths."""
    found = {start: 0}
    for _ in edges:
        for node, depth in list(found.items()):
            for parent in edges[node]:
                found[parent] = min(found.get(parent, 10**9), depth + 1)
    return found


def lowest_common(edges, a: int, b: int) -> set[int]:
    """Common ancestors that are not ancestors of another one, by the definition."""
    common = distances(edges, a).keys() & distances(edges, b).keys()
    return {node for node in common if not any(node in distances(edges, other) for other in common if other != node)}


@quick
@given(dags(), st.data())
def test_reach_finds_every_node_with_its_least_depth(edges, data):
    """As far as asked, and no further."""
    start = data.draw(st.sampled_from(sorted(edges)))
    limit = data.draw(st.integers(-1, 5))
    expected = {node: depth for node, depth in distances(edges, start).items() if limit < 0 or depth <= limit}
    assert reach([start], step(edges), limit) == expected


@quick
@given(dags(), st.data())
def test_reach_from_several_nodes_is_the_least_of_each(edges, data):
    """Every start has depth 0."""
    starts = data.draw(st.lists(st.sampled_from(sorted(edges)), min_size=1))
    found = reach(starts, step(edges))
    each = [distances(edges, start) for start in starts]
    assert found == {node: min(d[node] for d in each if node in d) for node in set().union(*each)}


@quick
@given(dags(), st.data())
def test_merge_bases_are_the_lowest_common_ancestors(edges, data):
    """In both orders, a node being its own ancestor."""
    a, b = data.draw(st.sampled_from(sorted(edges))), data.draw(st.sampled_from(sorted(edges)))
    assert merge_bases(a, b, step(edges)) == merge_bases(b, a, step(edges)) == lowest_common(edges, a, b)


@quick
@given(dags(), st.data())
def test_topological_puts_parents_first(edges, data):
    """Every node once, each after its parents; an order that is right already is kept."""
    nodes = data.draw(st.permutations(sorted(edges)))
    order = topological(nodes, lambda node: edges[node])
    assert sorted(order) == sorted(edges)
    place = {node: at for at, node in enumerate(order)}
    assert all(place[parent] < place[node] for node, parents in edges.items() for parent in parents)
    assert topological(sorted(edges), lambda node: edges[node]) == sorted(edges)
    part = [node for node in nodes if node % 2]
    assert sorted(topological(part, lambda node: edges[node])) == sorted(part)


def test_topological_ends_on_a_circle():
    """Raw parents may go in circles; every node comes out once."""
    edges = {1: [2], 2: [3], 3: [1], 4: [4]}
    assert sorted(topological([1, 2, 3, 4], edges.__getitem__)) == [1, 2, 3, 4]


def test_a_first_parent_chain_is_root_first_and_ends_on_a_circle():
    """A circle of two yields both, once (semantics 15)."""
    assert first_parent_chain(3, {3: 2, 2: 1}.get) == [1, 2, 3]
    assert first_parent_chain(1, {1: 2, 2: 1}.get) == [2, 1]
    assert first_parent_chain(1, {1: 1}.get) == [1]


@quick
@given(st.lists(st.integers(-1, 11), min_size=1, max_size=12))
def test_without_the_first_of_each_cycle_there_is_none(above):
    """Each cycle loses one node, its first in the mapping; what is in no cycle stays."""
    parent = {node: up for node, up in enumerate(above) if up >= 0}
    firsts = first_of_cycles(parent)
    cycles = set()
    for node in parent:
        line = [node]
        while line[-1] in parent and len(line) <= len(parent):
            line.append(parent[line[-1]])
        if node in line[1:]:
            cycles.add(frozenset(line[: line.index(node, 1) + 1]))
    assert firsts == {min(cycle) for cycle in cycles}


def test_depth_is_no_limit_on_recursion():
    """A line of 50,000 is walked without a word."""
    edges = {node: [node - 1] if node else [] for node in range(50_000)}
    assert len(reach([49_999], step(edges))) == 50_000
    assert merge_bases(49_999, 49_000, step(edges)) == {49_000}
    assert topological(range(49_999, -1, -1), edges.__getitem__) == list(range(50_000))
    assert len(first_parent_chain(49_999, lambda node: node - 1 if node else None)) == 50_000


@settings(max_examples=10, deadline=None, database=None)
@given(edges=dags(size=9))
def test_merge_bases_are_those_of_git(tmp_path_factory, edges):
    """A real repository with that graph: ``git merge-base --all`` says the same for every pair."""
    place = tmp_path_factory.mktemp("graph")
    stream = b"".join(
        b"commit refs/nodes/%d\nmark :%d\ncommitter A <a@example.org> %d +0000\ndata %d\n%d\n"
        % (node, node + 1, 1_700_000_000 + node, len(str(node)), node)
        + b"".join(b"%s :%d\n" % (b"from" if at == 0 else b"merge", parent + 1) for at, parent in enumerate(parents))
        for node, parents in edges.items()
    )

    def git(*words: str, data: bytes = b"", codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(["git", *words], cwd=place, env=os.environ, input=data, capture_output=True, check=False)
        assert done.returncode in codes, done.stderr
        return done.stdout.decode()

    git("init", "-q", "--bare")
    git("fast-import", "--quiet", data=stream)
    oids = dict(
        line.split("/")[-1].split(" ") for line in git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    )
    nodes = {oid: int(node) for node, oid in oids.items()}
    pairs = [(a, b) for a in edges for b in edges if a < b]
    for a, b in pairs[:: max(1, len(pairs) // 10)]:
        said = git("merge-base", "--all", f"refs/nodes/{a}", f"refs/nodes/{b}", codes=(0, 1)).split()
        assert {nodes[oid] for oid in said} == merge_bases(a, b, step(edges))
