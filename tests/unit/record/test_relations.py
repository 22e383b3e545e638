"""Typed relations: what may be recorded, how it ends, and what walks over relations and git parents answer."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from itertools import count, product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import Cycle, Invalid, LineageStore, NotFound, RelationType, Trial


@pytest.fixture
def store(tmp_path: Path) -> LineageStore:
    """A store whose clock moves on by a minute with every look."""
    ticks = count()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return LineageStore(
        tmp_path / "s", writer="ann", identity=("Ann", "a@x"), clock=lambda: start + timedelta(minutes=next(ticks))
    )


def made(store: LineageStore, *exp_ids: str) -> list[str]:
    """Record snapshots without parents, and return their oids."""
    return [
        store.commit({"a": exp_id.encode()}, [], trial=Trial(exp_id=exp_id, status="keep", core_metric=1.0)).oid
        for exp_id in exp_ids
    ]


def names(store: LineageStore, nodes: object) -> list[str]:
    """Return the exp ids of the nodes of a walk, or of oids."""
    return [store.snapshot(getattr(node, "id", node)).trials[0].exp_id for node in nodes]


@pytest.mark.parametrize("kind", list(RelationType))
def test_every_type_is_recorded_and_read_back(store, kind):
    """What was said comes back, with who said it and when, by name as by enum."""
    child, parent = made(store, "c", "p")
    said = store.add_relationship("c", "p", kind.value, "agent-7", {"why": ["a", 1, None]})
    assert (said.source_id, said.target_id, said.relationship_type) == (child, parent, kind)
    assert (said.created_by, said.context, said.deprecated) == ("agent-7", {"why": ["a", 1, None]}, False)
    assert said.created_at.endswith("Z")
    assert store.get_relationships() == [said]
    store.reindex()
    assert store.get_relationships() == [said]


def test_the_same_again_is_the_same_relation(store):
    """An active relation is not doubled; with another context it is refused."""
    made(store, "c", "p")
    said = store.add_relationship("c", "p", "depends_on", "x", {"v": 1})
    assert store.add_relationship("c", "p", RelationType.DEPENDS_ON, "y", {"v": 1}) == said
    assert store.add_relationship("c", "p", RelationType.DEPENDS_ON, "y") == said
    with pytest.raises(Invalid, match="another context"):
        store.add_relationship("c", "p", "depends_on", "x", {"v": 2})
    assert store.get_relationships() == [said]


def test_a_deprecated_relation_is_hidden_and_may_begin_anew(store):
    """Ending says when, who and why; the next one is a relation of its own; ending what is not there says so."""
    made(store, "c", "p")
    assert store.deprecate_relationship("c", "p", "depends_on") is False
    first = store.add_relationship("c", "p", "depends_on", "x")
    assert store.deprecate_relationship("c", "p", "depends_on", "gone", actor="bob") is True
    assert store.deprecate_relationship("c", "p", "depends_on") is False
    assert store.get_relationships() == []
    assert store.get_dependents("p") == ()
    second = store.add_relationship("c", "p", "depends_on", "x")
    old, new = store.get_relationships(include_deprecated=True)
    assert (old.clock, old.deprecated, old.deprecated_by, old.deprecation_reason) == (first.clock, True, "bob", "gone")
    assert old.deprecated_at > old.created_at
    assert new == second != first


def test_filters_are_taken_together(store):
    """Each filter narrows, and the answer is a list of its own in recording order."""
    a, b, c = made(store, "a", "b", "c")
    store.add_relationship("b", "a", "depends_on", "x")
    store.add_relationship("c", "a", "tested_by", "y")
    store.add_relationship("c", "b", "depends_on", "y")
    pairs = lambda found: [(each.source_id, each.target_id) for each in found]  # noqa: E731
    assert pairs(store.get_relationships()) == [(b, a), (c, a), (c, b)]
    assert pairs(store.get_relationships(source_id="c", relationship_types=["depends_on"])) == [(c, b)]
    assert pairs(store.get_relationships(target_id="a", created_by="y")) == [(c, a)]
    found = store.get_relationships()
    found.clear()
    assert len(store.get_relationships()) == 3


def test_what_is_missing_or_unknown_is_refused(store):
    """Both ends are checked, the source first; an unknown type is named with all there are; nothing is written."""
    made(store, "c", "p")
    tip = store.ledger.journal.tips()
    with pytest.raises(NotFound, match="source 'nope'"):
        store.add_relationship("nope", "nada", "depends_on")
    with pytest.raises(NotFound, match="target 'nada'"):
        store.add_relationship("c", "nada", "depends_on")
    with pytest.raises(Invalid, match=r"no type of relation.*composed_with"):
        store.add_relationship("c", "p", "composes_with")
    with pytest.raises(Invalid, match="JSON"):
        store.add_relationship("c", "p", "depends_on", context={"x": float("nan")})
    with pytest.raises(Invalid, match="all or family"):
        store.add_relationship("c", "p", "depends_on", cycle_scope="some")
    assert store.ledger.journal.tips() == tip


def test_an_unrecorded_commit_is_no_end(store):
    """An ordinary commit that nobody recorded cannot be related to."""
    made(store, "c")
    run = lambda *words: subprocess.run(["git", "-C", store.root, *words], check=True, capture_output=True)  # noqa: E731
    run("-c", "user.name=x", "-c", "user.email=x@y", "commit", "--allow-empty", "-m", "plain")
    with pytest.raises(NotFound, match="target"):
        store.add_relationship("c", "HEAD", "depends_on")


def test_cycles_are_refused(store):
    """Over the type's family by default, over all types on request; git parents and self-loops count."""
    made(store, "a", "b")
    child = store.commit({"a": b"c"}, ["a"], trial=Trial(exp_id="c", status="keep", core_metric=1.0))
    with pytest.raises(Cycle, match="itself"):
        store.add_relationship("a", "a", "depends_on")
    store.add_relationship("a", "b", "tested_by")
    with pytest.raises(Cycle, match="b depends_on a would create a cycle: a goes back to b already"):
        store.add_relationship("b", "a", "depends_on", cycle_scope="all")
    with pytest.raises(Cycle):
        store.add_relationship("b", child, "depends_on", cycle_scope="all")
    with pytest.raises(Cycle):
        store.add_relationship("a", child, "forked_from")
    store.add_relationship("b", "a", "depends_on")
    store.deprecate_relationship("a", "b", "tested_by")
    assert len(store.get_relationships()) == 1


def test_git_parents_count_with_their_roles(store):
    """A parent is a succession, or a fork where that was said; a role shows on the edge."""
    made(store, "a", "b")
    store.commit({"a": b"c"}, ["a", "b"], trial=Trial(exp_id="c", status="keep"), roles={"a": "base", "b": "mate"})
    met = {names(store, [node])[0]: (node.relationship, node.role) for node in store.get_ancestors("c")}
    assert met == {"a": ("successor_to", "base"), "b": ("successor_to", "mate")}
    store.record_fork("b", "c", "another idea")
    met = {names(store, [node])[0]: node.relationship for node in store.get_ancestors("c")}
    assert met == {"a": "successor_to", "b": "forked_from"}
    assert names(store, store.get_ancestors("c", ["successor_to"])) == ["a"]
    assert names(store, store.get_descendants("b", ["forked_from"])) == ["c"]


def test_another_relation_between_the_same_two_hides_no_parent(store):
    """A git parent stays a succession with its role, whatever else relates it to its child."""
    made(store, "a")
    store.commit({"a": b"c"}, ["a"], trial=Trial(exp_id="c", status="keep"), roles={"a": "base"})
    store.add_relationship("c", "a", "depends_on")
    (node,) = store.get_ancestors("c", ["successor_to", "depends_on"])
    assert (node.relationship, node.role) == (
        "successor_to",
        "base",
    )
    (node,) = store.get_ancestors("c", ["successor_to"])
    assert (node.relationship, node.role) == ("successor_to", "base")
    store.record_evolution("a", "c", "speed")
    (node,) = store.get_ancestors("c")
    assert (node.relationship, node.role) == ("successor_to", "base")


def test_depths_and_order(store):
    """Nodes come by depth, then in recording order; -1 and None have no limit, 0 gives nothing, -2 is refused."""
    made(store, "a", "b", "c", "d")
    for source, target in (("d", "c"), ("d", "b"), ("c", "a"), ("b", "a")):
        store.record_dependency(source, target)
    assert names(store, store.get_dependents("a")) == ["b", "c"]
    assert names(store, store.get_dependents("a", -1)) == ["b", "c", "d"]
    assert store.get_dependents("a", 0) == ()
    for depth in (-1, None):
        found = store.get_ancestors("d", ["depends_on"], depth)
        assert [(name, node.depth) for name, node in zip(names(store, found), found, strict=True)] == [
            ("b", 1),
            ("c", 1),
            ("a", 2),
        ]
        assert {node.relationship for node in found} == {"depends_on"}
    with pytest.raises(ValueError, match="-2"):
        store.get_ancestors("d", None, -2)


def test_path_and_common_ancestor(store):
    """The shortest path runs from ancestor to descendant; the common ancestor is the lowest, and symmetric."""
    a, b, c = made(store, "a", "b", "c")
    store.record_evolution("a", "b", "speed", "x", True)
    store.record_evolution("b", "c", "speed", "x", True)
    assert store.get_path("a", "c") == [a, b, c]
    assert store.get_path("c", "a") is None
    assert store.get_path("a", "a") == [a]
    assert store.get_path("a", "c", "depends_on") is None
    assert store.find_common_ancestor("b", "c") == store.find_common_ancestor("c", "b") == b
    assert store.find_common_ancestor("c", "c") == c
    (other,) = made(store, "other")
    assert store.find_common_ancestor("c", other) is None
    assert store.merge_bases("c", other) == []


def test_evolution_keeps_every_step_of_a_diamond(store):
    """All four steps are there in the order of time, with what was measured; siblings and failures on request."""
    made(store, "a", "b", "c", "d", "e")
    store.record_evolution("a", "b", "speed", "x", True, {"ms": 3.5})
    store.record_evolution("a", "c", "size", "x", False)
    store.record_evolution("b", "d", "both", "x", True)
    store.record_evolution("c", "d", "both", "x", True)
    store.record_evolution("a", "e", "left", "x", True)
    steps = store.get_evolution_history("d")
    assert [(*names(store, [s.from_id, s.to_id]), s.evolution_type, s.success) for s in steps] == [
        ("a", "b", "speed", True),
        ("a", "c", "size", False),
        ("b", "d", "both", True),
        ("c", "d", "both", True),
    ]
    assert steps[0].metrics == {"ms": 3.5}
    assert len(store.get_evolution_history("d", only_successful=True)) == 3
    assert len(store.get_evolution_history("d", include_siblings=True)) == 5


def test_derivation_tells_an_evolution_too(store):
    """A git parent is a step whose success and metrics are the child's trial's."""
    made(store, "a")
    store.commit({"a": b"2"}, ["a"], trial=Trial(exp_id="b", status="discard", core_metric=2.0, train_s=9.0))
    (step,) = store.get_evolution_history("b")
    assert names(store, [step.from_id, step.to_id]) == ["a", "b"]
    assert (step.evolution_type, step.success, step.metrics) == ("unknown", False, MEASURED)


MEASURED = {"core_metric": 2.0, "delta_vs_best": 1.0, "train_s": 9.0}
EDGES = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 7), st.sampled_from(["depends_on", "tested_by"])), max_size=20
)


@settings(max_examples=25, deadline=None)
@given(asked=EDGES, at_once=st.booleans(), scope=st.sampled_from(["family", "all"]))
def test_no_cycle_ever_gets_in_and_walks_are_closures(tmp_path_factory, asked, at_once, scope):
    """Whatever is asked for in whatever order, no scope has a cycle, and walks equal a plain closure of the graph."""
    store = LineageStore(tmp_path_factory.mktemp("s"), writer="ann")
    with store.batch():
        oids = made(store, *map(str, range(8)))
    accepted: dict[str, set[tuple[int, int]]] = {}
    with store.batch() if at_once else nullcontext():
        for source, target, kind in asked:
            own = accepted.setdefault(kind if scope == "family" else "", set())
            would_close = source == target or (target, source) in closure(own)
            try:
                store.add_relationship(oids[source], oids[target], kind, cycle_scope=scope)
                assert not would_close
                own.add((source, target))
            except Cycle:
                assert would_close
            back = any(source > target for edges in accepted.values() for target, source in edges)
            assert store.ledger._index.leads_back is back
    reach = closure(set().union(*accepted.values()))
    for at, oid in enumerate(oids):
        up = {oids.index(node.id) for node in store.get_ancestors(oid, ["depends_on", "tested_by"])}
        down = {oids.index(node.id) for node in store.get_descendants(oid, ["depends_on", "tested_by"])}
        assert up == {b for a, b in reach if a == at != b}
        assert down == {a for a, b in reach if b == at != a}


def closure(edges: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the transitive closure of a relation, the slow way."""
    found = set(edges)
    while more := {(a, d) for (a, b), (c, d) in product(found, found) if b == c} - found:
        found |= more
    return found


def test_two_processes_cannot_close_a_cycle_together(store):
    """Of two relations that together are a cycle exactly one is recorded, however the writers race."""
    made(store, "a", "b")
    code = (
        "from sys import argv; from gitlineage import LineageStore as S; "
        "S(argv[1]).add_relationship(*argv[2:], 'implements')"
    )
    for _ in range(3):
        with ThreadPoolExecutor(2) as pool:
            run = lambda ends: subprocess.run([sys.executable, "-c", code, store.root, *ends], capture_output=True)  # noqa: E731
            ended = list(pool.map(run, [("a", "b"), ("b", "a")]))
        assert sorted(each.returncode for each in ended) == [0, 1]
        assert b"Cycle" in b"".join(each.stderr for each in ended)
        (said,) = store.get_relationships()
        store.deprecate_relationship(said.source_id, said.target_id, "implements")


def test_the_order_of_arrival_does_not_matter(tmp_path):
    """Two writers' words about one relation give the same state, whichever is read first."""
    ann, bob = (LineageStore(tmp_path / who, writer=who) for who in ("ann", "bob"))
    made(ann, "a", "b")
    fetch = lambda to, source: subprocess.run(  # noqa: E731
        [
            "git",
            "-C",
            to.root,
            "fetch",
            "-q",
            source.root,
            (ref := "refs/notes/lineage/" + source.writer) + ":" + ref,
        ],
        check=True,
    )
    fetch(bob, ann)
    bob.add_relationship("a", "b", "depends_on", "bob")
    ann.add_relationship("a", "b", "depends_on", "ann")
    bob.deprecate_relationship("a", "b", "depends_on", "no")
    fetch(ann, bob)
    fetch(bob, ann)
    assert ann.get_relationships(include_deprecated=True) == bob.get_relationships(include_deprecated=True)
    both = ann.get_relationships(include_deprecated=True)
    ann.reindex()
    assert ann.get_relationships(include_deprecated=True) == both
