"""OpenRange stores: three generations in and out, chains without files, ids that collide, and nothing half done."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openrange_stores import (
    VALUES,
    Second,
    content_hash,
    first,
    node,
    put,
    refused_2,
    refused_3,
    snapshot,
    spec_store,
    third,
    tree,
    values,
    world_store,
)

from gitlineage import Ambiguous, BadFiles, CohortMismatch, Invalid, LineageStore, NotFound, Trial
from gitlineage.bridge import openrange_format
from gitlineage.bridge.openrange import export_openrange, import_openrange, preview, read_folder
from gitlineage.record.adoption import Adopted

quick = settings(max_examples=60, deadline=None, database=None)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ids = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
)


@pytest.fixture
def legacy(tmp_path: Path) -> Path:
    """The folder of the OpenRange store; not made yet."""
    return tmp_path / "legacy"


def names(snapshots: Any) -> list[str]:
    """Return the names that snapshots have in OpenRange."""
    return [each.name for each in snapshots]


def walked(nodes: Any) -> list[tuple[str, int]]:
    """Return name and depth of what a walk met."""
    return [(each.entry.name, each.depth) for each in nodes]


# -- the graph ---------------------------------------------------------------------------------------------------------


def test_a_legacy_chain(store: LineageStore, legacy: Path) -> None:
    """Generation 2 files become snapshots with their files, found by their own ids and the beginnings of those."""
    made = Second(legacy)
    outcome = import_openrange(store, legacy)
    assert (outcome.added, outcome.known, outcome.stubs, outcome.generation) == (4, 0, (), 2)
    assert names(store.children(made.root)) == sorted([made.left, made.right])
    assert walked(store.ancestors(made.last[:6])) == [(made.left, 1), (made.root, 2)]
    assert store.files(made.last) == {"app.py": b"v1\nssrf\n", "data/users.csv": b"a,b\n"}
    assert store.snapshot(made.left).subject == "patch it"
    assert store.all_trials() == [], "a snapshot of a curriculum is no trial"


def test_several_parents_roles_and_a_cohort(store: LineageStore, legacy: Path) -> None:
    """The keys that S0 asks for become git parents in order, roles and a cohort; each ancestor is met once."""
    made = Second(legacy, dag=True)
    outcome = import_openrange(store, legacy)
    assert outcome.cohorts == ("step-1",)
    last = store.snapshot(made.last)
    assert names(store.parents(last)) == [made.left, made.right]
    assert [last.roles[oid] for oid in last.parents] == ["base", "mate"]
    assert set(walked(store.ancestors(last))) == {(made.left, 1), (made.right, 1), (made.root, 2)}
    assert len(store.ancestors(last)) == 3
    assert names(store.children(made.right)) == [made.last]
    assert sorted(store.snapshot(oid).name for oid in store.cohort("step-1").members) == sorted([made.left, made.right])
    assert [store.snapshot(oid).name for oid in store.cohort("step-1").base] == [made.root]
    assert "+ssrf" in store.recipe_edit(last, 0).diff()
    assert "+v1" in store.recipe_edit(last, 1).diff()


def test_ancestors_without_files_become_stubs(store: LineageStore, legacy: Path) -> None:
    """A chain names ancestors whose files are gone: they are there, marked, with the parents that the chain says."""
    made = Second(legacy)
    (legacy / f"{made.root}.json").unlink()
    (legacy / f"{made.left}.json").unlink()
    outcome = import_openrange(store, legacy)
    assert sorted(outcome.stubs) == sorted([made.root, made.left])
    assert walked(store.ancestors(made.last)) == [(made.left, 1), (made.root, 2)]
    assert [store.snapshot(each).stub for each in (made.root, made.left, made.last)] == [True, True, False]
    assert store.files(made.root) == {}


def test_a_stub_gives_way_to_its_file(open_store: Any, tmp_path: Path, legacy: Path) -> None:
    """When an ancestor's file turns up, names lead to the snapshot with content and to what derives from that one."""
    made = Second(legacy)
    part = tmp_path / "part"
    for name in (made.last, made.right):
        part.mkdir(exist_ok=True)
        (part / f"{name}.json").write_bytes((legacy / f"{name}.json").read_bytes())
    store = open_store()
    import_openrange(store, part)
    before = store.resolve(made.last)
    import_openrange(store, legacy)
    assert not store.snapshot(made.left).stub
    assert store.resolve(made.last) != before
    assert names(store.children(made.left)) == [made.last]
    fresh = open_store(tmp_path / "fresh", "bob")
    import_openrange(fresh, legacy)
    for name in (made.root, made.left, made.right, made.last):
        assert store.resolve(name) == fresh.resolve(name), "the same as where the files came at once"
    out = tmp_path / "out"
    export_openrange(store, out)
    assert values(out) == values(legacy)


def test_a_store_that_grows_lists_nothing_twice(store: LineageStore, legacy: Path) -> None:
    """When a second parent's file turns up, its child is listed once, as the snapshot that its name stands for."""
    first, second = third({"nodes": [1]}, None), third({"nodes": [2]}, None)
    one, two = first["snapshot_id"], second["snapshot_id"]
    child = third({"nodes": [3]}, one, parents=[one, two])
    last = third({"nodes": [4]}, child["snapshot_id"])
    for value in (first, child, last):
        put(legacy, value["snapshot_id"], value)
    import_openrange(store, legacy)
    middle, end = (store.resolve(each["snapshot_id"]) for each in (child, last))
    stub = store.resolve(two)
    put(legacy, two, second)
    import_openrange(store, legacy)
    fresh = store.resolve(child["snapshot_id"])
    assert fresh != middle
    assert [each.oid for each in store.children(one)] == [each.oid for each in store.children(two)] == [fresh]
    assert [each.oid for each in store.leaves()] == [store.resolve(last["snapshot_id"])]
    assert [node.id for node in store.descendants(one)] == [fresh, store.resolve(last["snapshot_id"])]
    assert [node.id for node in store.get_descendants(one)] == [node.id for node in store.descendants(one)]
    assert [each.oid for each in store.children(stub)] == [middle], "what is asked about an old one has old answers"
    assert [node.id for node in store.descendants(stub)] == [middle, end]
    grown = store.commit(message="goes on", content={"a": b""}, parents=[middle])
    assert grown.oid in [node.id for node in store.descendants(one)], "behind the one that was replaced"


def test_the_first_generation(store: LineageStore, legacy: Path) -> None:
    """Generation 1 says who came from whom, and no more."""
    root, child, grandchild = first(legacy)
    assert import_openrange(store, legacy).generation == 1
    assert names(store.children(root)) == [child]
    assert walked(store.ancestors(grandchild)) == [(child, 1), (root, 2)]
    assert store.snapshot(child).subject == "mutation 1"


def test_the_third_generation(store: LineageStore, legacy: Path) -> None:
    """The tree holds the graph, so that diffs show what evolving changed; ids need neither colon nor all digits."""
    root = third({"nodes": [{"id": "host"}]}, None)
    child = third({"nodes": [{"id": "host"}, {"id": "waf"}]}, root["snapshot_id"])
    for value in (root, child):
        put(legacy, value["snapshot_id"], value)
    import_openrange(store, legacy)
    name = child["snapshot_id"]
    assert names(store.children(root["snapshot_id"])) == [name]
    assert store.resolve(name) == store.resolve(name[:16]) == store.resolve(name.removeprefix("sha256:")[:10])
    assert '+      "id": "waf"' in store.recipe_edit(name).diff()
    assert json.loads(store.files(name)["graph.json"]) == child["graph"]
    assert store.snapshot(name).subject == "said so, harden, patch, web"


def test_equal_worlds_derived_twice_are_two_snapshots(store: LineageStore, tmp_path: Path) -> None:
    """Two stores have one id with different lineages: two commits, one content id, and the name asks which."""
    root, other = third({"nodes": [1]}, None), third({"nodes": [2]}, None)
    for folder, parent in (("a", root), ("b", other)):
        put(tmp_path / folder, parent["snapshot_id"], parent)
        child = third({"nodes": [3]}, parent["snapshot_id"])
        put(tmp_path / folder, child["snapshot_id"], child)
        import_openrange(store, tmp_path / folder)
    name = content_hash(child["graph"])
    with pytest.raises(Ambiguous) as caught:
        store.resolve(name)
    one, two = (store.snapshot(oid) for oid in caught.value.candidates)
    assert one.content_id == two.content_id
    assert one.oid != two.oid
    assert {names(store.parents(each))[0] for each in (one, two)} == {root["snapshot_id"], other["snapshot_id"]}
    assert [each.oid for each in store.same(one)] == [two.oid]
    out = tmp_path / "out"
    assert len(export_openrange(store, out).files) == 4, "no derivation overwrites the other"
    assert sorted(json.dumps(value) for value in values(out).values()) == sorted(
        json.dumps(value) for folder in ("a", "b") for value in values(tmp_path / folder).values()
    )


def test_a_world_that_came_back_makes_no_circle(store: LineageStore, legacy: Path) -> None:
    """Hardened and softened again, the first file was overwritten: its first derivation is an ancestor all the same."""
    soft, hard = third({"nodes": [1]}, "x"), third({"nodes": [2]}, "x")
    first_id, second_id = soft["snapshot_id"], hard["snapshot_id"]
    soft["lineage"]["_evolve"]["parent_snapshot_id"] = second_id
    hard["lineage"]["_evolve"]["parent_snapshot_id"] = first_id
    put(legacy, first_id, soft)
    put(legacy, second_id, hard)
    outcome = import_openrange(store, legacy)
    twice, once = sorted([first_id, second_id])
    assert outcome.stubs == (twice,)
    assert walked(store.ancestors(twice)) == [(once, 1), (twice, 2)]
    (again,) = store.same(twice)
    assert again.stub and again.name == twice
    assert import_openrange(store, legacy).added == 0


def test_a_world_derived_from_itself(store: LineageStore, legacy: Path) -> None:
    """An evolution that changed nothing of the graph is a step too."""
    value = third({}, content_hash({"ontology": "webapp", "nodes": [], "edges": []}))
    put(legacy, value["snapshot_id"], value)
    assert import_openrange(store, legacy).stubs == (value["snapshot_id"],)
    assert walked(store.ancestors(value["snapshot_id"])) == [(value["snapshot_id"], 1)]


def test_a_store_of_folders(store: LineageStore, legacy: Path, tmp_path: Path) -> None:
    """Generation 1 as its own store writes it: a folder's name is the id, the world is content, all comes out again."""
    root, sqli, ssrf = spec_store(legacy)
    outcome = import_openrange(store, legacy)
    assert (outcome.generation, outcome.added, outcome.stubs) == (1, 3, ())
    assert {each.name: each.subject for each in store.children(root)} == {sqli: "patch sqli", ssrf: "add ssrf"}
    assert b"lineage" not in store.files(sqli)["spec.json"]
    assert f'+      "{sqli}"' in store.recipe_edit(sqli).diff()
    assert import_openrange(store, legacy).added == 0
    export_openrange(store, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(legacy)


def test_parents_that_are_named_by_their_worlds(store: LineageStore, legacy: Path, tmp_path: Path) -> None:
    """``parent_world_id`` leads to that world's snapshot; its steps are the hypothesis; all files come out again."""
    root, child = world_store(legacy)
    import_openrange(store, legacy)
    assert names(store.parents(child)) == [root]
    assert store.snapshot(child).subject == "add ssrf"
    assert json.loads(store.files(child)["world.json"]) == {"world_id": "w1", "seed": 7}
    export_openrange(store, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(legacy)


def test_a_world_that_is_not_there_and_one_that_is_twice(store: LineageStore, legacy: Path) -> None:
    """A parent's world without a snapshot is a stub of its own name; one with two is refused, with both named."""
    root, child = world_store(legacy)
    (legacy / root).rename(legacy.parent / "away")
    assert import_openrange(store, legacy).stubs == ("w0",)
    (legacy.parent / "away").rename(legacy / root)
    told = {"snapshot_id": "w0-22222222", "world_id": "w0", "parent_world_id": None}
    put(legacy, "w0-22222222", told)
    with pytest.raises(BadFiles, match="'w0' is the world of several snapshots: w0-00000000 and w0-22222222") as caught:
        import_openrange(store, legacy)
    assert caught.value.files[0][0] == f"{child}/snapshot.json"


@pytest.mark.parametrize(
    ("file", "data", "reason"),
    [
        ("spec.json", '{"lineage": {"snapshot_id": "other"}}', "spec.json: lineage.snapshot_id is 'other'"),
        ("metadata.json", '{"snapshot_id": "other"}', "metadata.json.snapshot_id is 'other'"),
        ("metadata.json", "{", "metadata.json: is no JSON"),
        ("spec.json", "[]", "spec.json: the file: must be object, not a list"),
        ("spec.json", '{"lineage": []}', "spec.json: lineage: must be object, not a list"),
        ("spec.json", '{"lineage": {"parent_snapshot_id": 3}}', "lineage.parent_snapshot_id: must be text or null"),
        ("spec.json", '{"lineage": {"mutation_summary": [3]}}', "lineage.mutation_summary[0]: must be text, not 3"),
        ("snapshot.json", "{}", "holds spec.json and snapshot.json"),
    ],
)
def test_a_bad_folder(file: str, data: str, reason: str, store: LineageStore, legacy: Path) -> None:
    """A snapshot's folder with a fault is named with its file and field, and nothing is recorded."""
    root, *_ = spec_store(legacy)
    (legacy / root / file).write_text(data)
    with pytest.raises(BadFiles) as caught:
        import_openrange(store, legacy)
    assert [name for name, _ in caught.value.files] == [root]
    assert reason in str(caught.value)
    assert store.ledger.journal.tips() == {}


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_a_file_whose_name_is_not_its_id(generation: int, store: LineageStore, legacy: Path) -> None:
    """OpenRange finds a snapshot by its file's name, so one under another name is refused in every generation."""
    value = {
        1: {"snapshot_id": "a", "parent_snapshot_id": None, "root_snapshot_id": "a"},
        2: snapshot([node("a", None)], {}),
        3: third({}, None),
    }[generation]
    put(legacy, "b", value)
    with pytest.raises(BadFiles, match=r"b\.json: is the file of '.*', by its id: OpenRange looks for it under"):
        import_openrange(store, legacy)


def test_one_snapshot_is_no_store(store: LineageStore, legacy: Path) -> None:
    """Who names a snapshot's own folder is told to name the one above."""
    root, *_ = spec_store(legacy)
    with pytest.raises(Invalid, match=f"is one snapshot: name the folder that it is in, {legacy}"):
        import_openrange(store, legacy / root)


def test_variants_are_told_by_their_directives(store: LineageStore, legacy: Path) -> None:
    """The order that made a variant is what is read of it, not the sentence that its builder writes of all of them."""
    orders: dict[str, Any] = {
        "patch sql_injection": {"patch": ["sql_injection"]},
        "add ssrf": {"add": ["ssrf"]},
        "harden accounts, logins; level 2": {"harden": ["accounts", "logins"], "level": 2},
        "patch xss": {"directive": {"patch": ["xss"]}, "relevance": 0.5},
        "Built webapp": {},
    }
    top = node("root", None)
    put(legacy, "root", snapshot([top], {}))
    for at, order in enumerate(orders.values()):
        put(legacy, f"v{at}", snapshot([top, node(f"v{at}", "root", "Built webapp", curriculum=order)], {}))
    import_openrange(store, legacy)
    assert {each.subject for each in store.children("root")} == set(orders)


def test_a_step_in_the_manifest(store: LineageStore, legacy: Path) -> None:
    """Early generation 3 files have ``_evolve`` inside the manifest; its parent counts all the same."""
    root, child = third({}, None), third({"nodes": [1]}, "x")
    step = child["lineage"].pop("_evolve") | {"parent_snapshot_id": root["snapshot_id"], "note": "add ssrf"}
    child["lineage"]["manifest"] = {"_evolve": step}
    for value in (root, child):
        put(legacy, value["snapshot_id"], value)
    import_openrange(store, legacy)
    (found,) = store.children(root["snapshot_id"])
    assert (found.name, found.subject) == (child["snapshot_id"], "add ssrf, harden, patch, web")


def test_what_is_to_be_imported(store: LineageStore, legacy: Path) -> None:
    """A dry run tells what an import would do, and records nothing."""
    made = Second(legacy)
    (legacy / f"{made.root}.json").unlink()
    tips = store.ledger.journal.tips()
    told = import_openrange(store, legacy, dry_run=True)
    assert (told.added, told.stubs, told.dry_run) == (3, (made.root,), True)
    assert store.ledger.journal.tips() == tips
    assert preview(legacy, read_folder(legacy)) == told
    import_openrange(store, legacy)
    told = import_openrange(store, legacy, dry_run=True)
    assert (told.added, told.known, told.stubs) == (0, 3, ())


def test_a_batch_that_the_files_do_not_name(store: LineageStore, legacy: Path) -> None:
    """Who knows the batch says it: what has a parent and names no cohort is a member; again, nothing is added."""
    root, sqli, ssrf = spec_store(legacy)
    assert import_openrange(store, legacy, cohort="step-1").cohorts == ("step-1",)
    cohort = store.cohort("step-1")
    assert [store.snapshot(oid).name for oid in cohort.base] == [root]
    assert sorted(store.snapshot(oid).name for oid in cohort.members) == sorted([sqli, ssrf])
    assert import_openrange(store, legacy, cohort="step-1").added == 0
    assert import_openrange(store, legacy).added == 0
    with pytest.raises(Invalid, match=r"cohort: 'a\\nb' is no name"):
        import_openrange(store, legacy, cohort="a\nb")


# -- round trips -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_files_come_out_as_they_went_in(generation: int, store: LineageStore, legacy: Path, tmp_path: Path) -> None:
    """Every file has its name, the colon included, and an equal JSON value, numbers to the last digit."""
    if generation == 1:
        first(legacy)
    elif generation == 2:
        Second(legacy, dag=True)
    else:
        root = third({"nodes": [VALUES]}, None)
        child = third({"nodes": []}, root["snapshot_id"], parents=[root["snapshot_id"]], cohort="c", extra=VALUES)
        for value in (root, child):
            put(legacy, value["snapshot_id"], value)
        assert all(path.name.startswith("sha256:") for path in legacy.iterdir())
    import_openrange(store, legacy)
    outcome = export_openrange(store, tmp_path / "out")
    assert outcome.generation == generation
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        path.name: path.read_bytes() for path in legacy.iterdir()
    }


def test_two_machines_get_the_same_ids(open_store: Any, legacy: Path, tmp_path: Path) -> None:
    """Whoever imports and when: the oids are the same, and a second import adds nothing at all."""
    made = Second(legacy, dag=True)
    stores = [open_store(), open_store(tmp_path / "bob", "bob", identity=("Bob", "bob@example.org"))]
    for each in stores:
        import_openrange(each, legacy)
    one, two = stores
    assert [one.resolve(name) for name in (made.root, made.last)] == [
        two.resolve(name) for name in (made.root, made.last)
    ]
    assert one.cohort("step-1").oid == two.cohort("step-1").oid
    tips = one.ledger.journal.tips()
    outcome = import_openrange(one, legacy)
    assert (outcome.added, outcome.known) == (0, 4)
    assert one.ledger.journal.tips() == tips


def test_the_index_is_a_cache(store: LineageStore, legacy: Path, git: Any) -> None:
    """Names, stubs and documents follow from the notes alone, and everything outlives git's own clean-up."""
    made = Second(legacy)
    (legacy / f"{made.root}.json").unlink()
    import_openrange(store, legacy)
    before = [store.snapshot(name) for name in (made.root, made.left, made.last)]
    git("reflog", "expire", "--expire=now", "--all")
    git("gc", "-q", "--prune=now")
    git("fsck", "--strict")
    store.reindex()
    assert [store.snapshot(name) for name in (made.root, made.left, made.last)] == before
    assert before[0].stub
    out = legacy.parent / "out"
    export_openrange(store, out)
    assert values(out) == values(legacy)


def test_one_fetched_ref_carries_it_all(
    store: LineageStore, open_store: Any, legacy: Path, tmp_path: Path, git: Any
) -> None:
    """Whoever fetches the writer's ref has the snapshots, their names and the files as they were."""
    made = Second(legacy, dag=True)
    import_openrange(store, legacy)
    there = tmp_path / "there"
    git("init", "-q", there)
    git("fetch", "-q", store.root.resolve(), "refs/notes/lineage/*:refs/notes/lineage/*", cwd=there)
    other = open_store(there, "bob")
    assert names(other.parents(made.last)) == [made.left, made.right]
    export_openrange(other, tmp_path / "out")
    assert values(tmp_path / "out") == values(legacy)


def test_what_was_recorded_here_goes_out_for_old_readers(store: LineageStore, legacy: Path, tmp_path: Path) -> None:
    """A curriculum goes on in gitlineage: new snapshots have the whole chain, ``parent_id``, ``parents`` and cohort."""
    made = Second(legacy)
    import_openrange(store, legacy)
    store.open_cohort("step-2", base=[made.left, made.right], note="cross")
    trial = Trial(exp_id="007", status="keep", hypothesis="cross them", notes="worked", core_metric=0.5)
    child = store.commit(
        {"app.py": b"v1\nssrf\n", "logo.png": b"\x89PNG\xff"},
        [made.left, made.right],
        cohort="step-2",
        roles={made.left: "base", made.right: "mate"},
        trial=trial,
    )
    out = tmp_path / "out"
    outcome = export_openrange(store, out)
    assert outcome.left_out == ((child.oid[:16], "logo.png"),)
    written = values(out)
    assert {name: written[name] for name in values(legacy)} == values(legacy)
    value = written[f"{child.oid[:16]}.json"]
    assert value["id"] == child.oid[:16]
    assert value["artifacts"] == {"app.py": "v1\nssrf\n"}
    chain = {each["id"]: each for each in value["lineage"]}
    assert next(iter(chain)) == made.root
    own = list(chain.values())[-1]
    assert (own["id"], own["parent_id"], own["parents"]) == (child.oid[:16], made.left, [made.left, made.right])
    assert (own["cohort"], own["roles"]) == ("step-2", {made.left: "base", made.right: "mate"})
    assert (own["prompt"], own["builder_summary"]) == ("cross them", "worked")
    assert own["touched_files"] == ["app.py", "data/users.csv", "logo.png"]
    assert own["manifest"]["gitlineage"]["trials"][0]["exp_id"] == "007"
    assert chain[made.left] == values(legacy)[f"{made.left}.json"]["lineage"][-1]
    assert store.resolve(child.oid[:16]) == child.oid
    assert import_openrange(store, out).added == 0, "its own export is known"


def test_an_export_comes_in_elsewhere(store: LineageStore, open_store: Any, tmp_path: Path) -> None:
    """Content ids, parents, roles and cohorts are the same in the store that takes the export in."""
    root = store.commit({"a.py": b"1\n"}, message="root")
    kids = [store.commit({"a.py": b"%d\n" % n}, [root], cohort="c", message=f"kid {n}") for n in range(2, 5)]
    last = store.commit({"a.py": b"9\n"}, kids[:2], roles={kids[0].oid: "base"}, message="last")
    export_openrange(store, tmp_path / "out")
    other = open_store(tmp_path / "other", "bob")
    import_openrange(other, tmp_path / "out")
    there = other.snapshot(last.oid[:16])
    assert there.content_id == last.content_id
    assert names(other.parents(there)) == [kid.oid[:16] for kid in kids[:2]]
    assert there.roles == {there.parents[0]: "base"}
    assert len(other.cohort("c").members) == 3


def test_what_openrange_needs_is_there(store: LineageStore, legacy: Path, tmp_path: Path) -> None:
    """What was recorded here is readable by OpenRange: alone, and below a snapshot of its, whose manifest it has."""
    store.commit({"a.py": b"1\n"}, message="alone")
    asked = {"world": {"goal": "flag"}, "pack": {"id": "webapp"}, "mode": "simulation"}
    put(legacy, "root", snapshot([node("root", None)], {"a": "1"}, manifest=asked))
    import_openrange(store, legacy)
    child = store.commit({"a": b"2"}, [store.resolve("root")], message="child")
    grandchild = store.commit({"a": b"3"}, [child], message="grandchild")
    export_openrange(store, tmp_path / "out")
    written = values(tmp_path / "out")
    native = {name: value for name, value in written.items() if name != "root.json"}
    assert len(native) == 3
    assert {name: refused_2(value) for name, value in native.items()} == {name: [] for name in native}
    assert not any(value["admission"]["passed"] for value in native.values()), "nobody admitted it"
    manifest = written[f"{grandchild.oid[:16]}.json"]["manifest"]
    assert {key: manifest[key] for key in asked} == asked


def _world(*hosts: str) -> dict[str, Any]:
    """Return a generation 3 graph that OpenRange reads."""
    return {"nodes": [{"id": host, "kind": "host", "attrs": {"os": "linux"}} for host in hosts]}


def test_a_child_of_worlds_is_a_world(store: LineageStore, open_store: Any, legacy: Path, tmp_path: Path) -> None:
    """A native child of generation 3 parents goes out as generation 3, with OpenRange's own id, and is known again."""
    checks = {"instruction": "go", "feasibility_check": "f", "success_check": "s"}
    tasks = [{"id": at, "entrypoints": [at], "goal_nodes": [], **checks} for at in ("a", "b")]
    root = third(_world("a", "b"), None) | {"tasks": tasks}
    other = third(_world("a", "c"), root["snapshot_id"])
    for value in (root, other):
        put(legacy, value["snapshot_id"], value)
    import_openrange(store, legacy)
    one, two = (store.resolve(value["snapshot_id"]) for value in (root, other))
    graph = {"ontology": "webapp", "edges": [], **_world("a", "d")}
    content = {"graph.json": json.dumps(graph).encode(), "note.txt": b"x"}
    child = store.commit(content, [one, two], message="cross them", cohort="c", roles={one: "base"})
    graph = {"ontology": "webapp", "edges": [], **_world("e")}
    last = store.commit({"graph.json": json.dumps(graph).encode()}, [child], message="go on")
    out = tmp_path / "out"
    outcome = export_openrange(store, out)
    written = values(out)
    assert outcome.generation == 3
    name = next(
        key for key, value in written.items() if value["lineage"].get("gitlineage", {}).get("commit") == child.oid
    )
    value = written[name]
    assert outcome.left_out == ((value["snapshot_id"], "note.txt"),)
    assert name == f"{value['snapshot_id']}.json"
    assert [refused_3(each) for each in written.values() if "gitlineage" in each["lineage"]] == [[], []]
    assert [task["id"] for task in value["tasks"]] == ["a"], "a task whose host is gone cannot be done"
    assert value["lineage"]["parents"] == [root["snapshot_id"], other["snapshot_id"]]
    assert value["lineage"]["_evolve"] == {"parent_snapshot_id": root["snapshot_id"], "note": "cross them"}
    assert (value["lineage"]["cohort"], value["lineage"]["roles"]) == ("c", {root["snapshot_id"]: "base"})
    assert (value["lineage"]["manifest"], value["lineage"]["pack"]) == (root["lineage"]["manifest"], "webapp")
    assert import_openrange(store, out).added == 0, "its own export is known"
    elsewhere = open_store(tmp_path / "elsewhere", "bob")
    assert import_openrange(elsewhere, out).added == 4
    (found,) = elsewhere.children(value["snapshot_id"])
    assert found.subject == "go on"
    assert json.loads(elsewhere.files(found)["graph.json"]) == json.loads(store.files(last)["graph.json"])


def test_a_child_of_a_world_without_a_graph(store: LineageStore, legacy: Path, tmp_path: Path) -> None:
    """What holds no graph that OpenRange reads cannot be generation 3; the export asks which one is meant."""
    root = third(_world("a"), None)
    put(legacy, root["snapshot_id"], root)
    import_openrange(store, legacy)
    for graph in (b"{", b"{}", b'{"ontology": "o", "nodes": [1], "edges": []}'):
        store.commit({"graph.json": graph}, [store.resolve(root["snapshot_id"])], message="broken")
    with pytest.raises(Invalid, match="generations 2 and 3; say which"):
        export_openrange(store, tmp_path / "out")
    export_openrange(store, tmp_path / "out", generation=2)
    assert [refused_2(value) for value in values(tmp_path / "out").values()] == [[], [], []]


def test_several_generations_in_one_store(store: LineageStore, tmp_path: Path) -> None:
    """A folder holds one generation, so an export has to be told which."""
    first(tmp_path / "one")
    Second(tmp_path / "two")
    import_openrange(store, tmp_path / "one")
    import_openrange(store, tmp_path / "two")
    with pytest.raises(Invalid, match="generations 1 and 2; say which"):
        export_openrange(store, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert len(export_openrange(store, tmp_path / "out", generation=1).files) == 3
    with pytest.raises(Invalid, match="no snapshot of generation 3"):
        export_openrange(store, tmp_path / "out", generation=3)


def test_nothing_to_export(store: LineageStore, tmp_path: Path) -> None:
    """An empty store is no OpenRange store."""
    with pytest.raises(Invalid, match="no snapshot to export"):
        export_openrange(store, tmp_path / "out")


def test_a_foreign_file_name_cannot_climb_out(store: LineageStore, tmp_path: Path) -> None:
    """A note that another writer made decides no path outside of the folder, and no two snapshots share a file."""
    told = ["../evil.json", f"{tmp_path}/evil.json", ".git.json", "evil", "a\0.json", "ok.json", "ok.json"]
    adopted = [Adopted(name=f"n{at}", source="openrange/2", document=b"{}", file=file) for at, file in enumerate(told)]
    oids = [oid for oid, _ in store.adopt(adopted)]
    written = set(export_openrange(store, tmp_path / "out").files)
    assert written == {*(f"{oid[:16]}.json" for oid in oids[:5]), "ok.json", f"ok~{oids[6][:12]}.json"}
    assert {path.name for path in tmp_path.rglob("*.json")} == written


def test_a_foreign_folder_cannot_climb_out(store: LineageStore, tmp_path: Path) -> None:
    """Neither the folder nor the files that another writer's document names lead outside, and all have their place."""
    document = json.dumps({"spec.json": "{}", "../evil.json": "{}", "a/b.json": "{}", ".git.json": "{}"}).encode()
    told = ["../spec.json", "x/../spec.json", "x/spec.json", "x/spec.json", "y/spec.json"]
    adopted = [
        Adopted(name=f"n{at}", source="openrange/1", document=document if at < 4 else b"[]", file=file)
        for at, file in enumerate(told)
    ]
    oids = [oid for oid, _ in store.adopt(adopted)]
    written = set(export_openrange(store, tmp_path / "out").files)
    assert written == {
        *(f"{oids[at][:16]}.json" for at in (0, 1, 4)), "x/spec.json", f"x~{oids[3][:12]}/spec.json"
    }  # fmt: skip
    assert {str(path.relative_to(tmp_path / "out")) for path in tmp_path.rglob("*.json")} == written


# -- refusals ----------------------------------------------------------------------------------------------------------


def _broken(**changes: Any) -> dict[str, Any]:
    """Return a generation 2 snapshot with some keys changed; ``...`` takes one away."""
    value = snapshot([node("r" * 16, None)], {"app.py": "x"}) | changes
    return {key: item for key, item in value.items() if item is not ...}


_OWN = "r" * 16


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (_broken(world=...), "world: missing; a generation 2 snapshot needs it"),
        (_broken(id=7), "id: must be text, not 7"),
        (_broken(id="two\nlines"), "id: 'two\\nlines' is no name"),
        (_broken(tasks={}), "tasks: must be list, not an object"),
        (_broken(artifacts={"a": 3}), "artifacts['a']: must be text, not 3"),
        (_broken(artifacts={"../a": "x"}), "artifacts: '../a' has the part '..'"),
        (_broken(artifacts={"/etc/passwd": "x"}), "artifacts: '/etc/passwd' is absolute"),
        (_broken(artifacts={"sub/.GIT/config": "x"}), "artifacts: 'sub/.GIT/config' names git's own folder"),
        (_broken(artifacts={"a": "x", "a/b": "y"}), "artifacts: 'a' is a file and a folder at once"),
        (_broken(artifacts={"a": "\ud800"}), "artifacts['a']: is not valid Unicode text"),
        (_broken(lineage=[{"parent_id": None}]), "lineage[0].id: missing"),
        (_broken(lineage=[node(_OWN, 3)]), "lineage[0].parent_id: must be text or null, not 3"),  # type: ignore[arg-type]
        (_broken(lineage=[node("other", None)]), "lineage: ends with 'other', not with the snapshot itself"),
        (_broken(lineage=[node(_OWN, "a", parents=["b", "a"])]), "lineage[0].parents: begins with 'b'"),
        (_broken(lineage=[node(_OWN, "a", parents="a")]), 'lineage[0].parents: must be list, not "a"'),
        (_broken(lineage=[node(_OWN, None, cohort=["c"])]), "lineage[0].cohort: must be text or null, not a list"),
        (_broken(lineage=[node(_OWN, _OWN)]), "is its own parent"),
        (_broken(lineage=[node(_OWN, "p", roles={"p": "friend"})]), "roles: 'friend' of 'p'"),
        (_broken(snapshot_id="x"), "id and snapshot_id: fields of two generations in one file"),
        (_broken(graph={}), "id and graph: fields of two generations in one file"),
        ({"hello": 1}, "is no snapshot: it has neither id nor snapshot_id"),
        ([1], "is no snapshot: the file holds a list, not an object"),
        (third({}, None) | {"graph": 1}, "graph: must be object, not 1"),
        (third({}, None, cohort=4), "lineage.cohort: must be text or null, not 4"),
        (third({}, "a") | {"tasks": None}, "tasks: must be list, not null"),
        (third({}, "a", parents=["b"]), "lineage.parents: begins with 'b', but lineage._evolve.parent_snapshot_id"),
        ({"snapshot_id": "a", "root_snapshot_id": "a"}, "parent_snapshot_id: missing; a generation 1 snapshot"),
    ],
)
def test_a_bad_file_is_named_with_its_field(
    value: Any, reason: str, open_store: Any, folder: Path, legacy: Path
) -> None:
    """One fault in one file: the error names both, and nothing of the folder is recorded."""
    Second(legacy)
    put(legacy, "zz", value)
    store = open_store()
    with pytest.raises(BadFiles) as caught:
        import_openrange(store, legacy)
    ((name, said),) = caught.value.files
    assert name == "zz.json"
    assert reason in said
    assert store.ledger.journal.tips() == {}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "is no JSON: "),
        (b"", "is no JSON: "),
        (b'{"id": NaN}', "NaN is no number of JSON"),
        (b'{"id": 1e999}', "the number 1e999 is too large"),
        (b'{"id": "a", "id": "b"}', "the key 'id' is there twice"),
        (b"\xff\xfe", "is no JSON: "),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 5000, "is no JSON: "),
    ],
)
def test_no_json(data: bytes, reason: str, store: LineageStore, legacy: Path) -> None:
    """What is no JSON is told as such, whatever Python's reader would make of it."""
    legacy.mkdir()
    (legacy / "a.json").write_bytes(data)
    with pytest.raises(BadFiles, match="1 fault, nothing was imported") as caught:
        import_openrange(store, legacy)
    assert reason in str(caught.value)


def test_every_fault_is_listed(store: LineageStore, legacy: Path) -> None:
    """Several bad files are told at once."""
    put(legacy, "a", {"id": 1})
    put(legacy, "b", [])
    with pytest.raises(BadFiles, match="2 faults") as caught:
        import_openrange(store, legacy)
    assert [name for name, _ in caught.value.files] == ["a.json", "b.json"]


def test_generations_do_not_mix(store: LineageStore, legacy: Path) -> None:
    """A folder with files of two generations is refused, with one file of each named."""
    Second(legacy)
    first(legacy)
    with pytest.raises(BadFiles, match="generation 1; a folder holds one only") as caught:
        import_openrange(store, legacy)
    assert len(caught.value.files) == 2
    assert store.ledger.journal.tips() == {}


def test_files_that_contradict_each_other(store: LineageStore, legacy: Path) -> None:
    """Two chains that give one snapshot different parents, an id in two files, and a circle are refused."""
    put(legacy, "a", snapshot([node("p", None), node("a", "p")], {}))
    put(legacy, "b", snapshot([node("q", None), node("p", "q"), node("b", "p")], {}))
    with pytest.raises(BadFiles, match=r"'p' derives from q, but a\.json says from nothing"):
        import_openrange(store, legacy)
    put(legacy, "b", snapshot([node("a", None)], {}))
    with pytest.raises(BadFiles, match=r"b\.json: is the file of 'a', by its id"):
        import_openrange(store, legacy)
    put(legacy, "a", snapshot([node("a", "b")], {}))
    put(legacy, "b", snapshot([node("b", "a")], {}))
    with pytest.raises(BadFiles, match=r"a\.json: the lineage goes in a circle: a -> b -> a"):
        import_openrange(store, legacy)
    (legacy / "b.json").unlink()
    put(legacy, "a", snapshot([node("c", "b"), node("b", "c"), node("a", "b")], {}))
    with pytest.raises(BadFiles, match=r"a\.json: the lineage goes in a circle: b -> c -> b"):
        import_openrange(store, legacy)
    assert store.ledger.journal.tips() == {}


def test_a_cohort_that_is_open_otherwise(store: LineageStore, legacy: Path) -> None:
    """A cohort of the same name on another base stops the whole import."""
    Second(legacy, dag=True)
    base = store.commit({"x": b"x"}, message="mine")
    store.open_cohort("step-1", base=[base])
    tips = store.ledger.journal.tips()
    with pytest.raises(CohortMismatch):
        import_openrange(store, legacy)
    assert store.ledger.journal.tips() == tips


def test_members_with_several_parents_make_a_mixed_cohort(store: LineageStore, legacy: Path) -> None:
    """A batch whose members do not share their parents is taken in as it is."""
    put(legacy, "p", snapshot([node("p", None)], {}))
    put(legacy, "q", snapshot([node("q", None)], {}))
    put(legacy, "a", snapshot([node("p", None), node("a", "p", cohort="c")], {}))
    put(legacy, "b", snapshot([node("q", None), node("b", "q", cohort="c")], {}))
    import_openrange(store, legacy)
    cohort = store.cohort("c")
    assert (cohort.allow_mixed, cohort.base, len(cohort.members)) == (True, (), 2)


def test_a_parent_in_the_store_is_found(store: LineageStore, tmp_path: Path) -> None:
    """A later folder may hold the new files alone: they join what was imported before."""
    put(tmp_path / "one", "root", snapshot([node("root", None)], {"a": "1"}))
    put(tmp_path / "two", "kid", snapshot([node("root", None), node("kid", "root")], {"a": "2"}))
    import_openrange(store, tmp_path / "one")
    outcome = import_openrange(store, tmp_path / "two")
    assert (outcome.added, outcome.stubs) == (1, ())
    assert names(store.children("root")) == ["kid"]


def test_an_unknown_name(store: LineageStore, legacy: Path) -> None:
    """A beginning of less than four signs, and what nobody imported, stand for nothing."""
    made = Second(legacy)
    import_openrange(store, legacy)
    for name in (made.root[:3], "sha256:0000"):
        with pytest.raises(NotFound):
            store.resolve(name)


def test_a_shared_beginning(store: LineageStore, legacy: Path) -> None:
    """The beginning of two names is told as both of them."""
    put(legacy, "world-1", snapshot([node("world-1", None)], {}))
    put(legacy, "world-2", snapshot([node("world-2", None)], {}))
    import_openrange(store, legacy)
    with pytest.raises(Ambiguous) as caught:
        store.resolve("world")
    assert caught.value.candidates == ("world-1", "world-2")


def test_a_killed_import_leaves_nothing(folder: Path, legacy: Path) -> None:
    """A process that dies in the middle has recorded nothing; the next import is whole."""
    made = Second(legacy)
    script = (
        "import os, sys; from pathlib import Path; from gitlineage import LineageStore; "
        "from gitlineage.bridge.openrange import import_openrange; from gitlineage.record.ledger import Ledger; "
        "Ledger._publish = lambda *_: os._exit(9); "
        "import_openrange(LineageStore(Path(sys.argv[1])), Path(sys.argv[2]))"
    )
    done = subprocess.run([sys.executable, "-c", script, folder, legacy], check=False)
    assert done.returncode == 9
    with LineageStore(folder) as store:
        assert store.ledger.journal.tips() == {}
        assert import_openrange(store, legacy).added == 4
        assert names(store.children(made.root)) == sorted([made.left, made.right])


# -- the format alone --------------------------------------------------------------------------------------------------


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a snapshot file of any generation, with any JSON in the places that nobody looks at."""
    more = draw(st.dictionaries(text.filter(lambda key: key.startswith("x")), json_values, max_size=3))
    own, parent = draw(st.lists(ids, min_size=2, max_size=2, unique=True))
    parents = draw(st.sampled_from([[], [parent], [parent, f"{own}{parent}"]]))
    said: dict[str, Any] = {"parents": parents} if len(parents) > 1 or draw(st.booleans()) else {}
    said |= {"cohort": draw(ids)} if draw(st.booleans()) else {}
    above = parents[0] if parents else None
    match draw(st.integers(1, 3)):
        case 1:
            return {"snapshot_id": own, "parent_snapshot_id": above, "root_snapshot_id": own, **said, **more}
        case 2:
            chain = (
                [node(parent, None), node(own, above, **said)] if draw(st.booleans()) else [node(own, above, **said)]
            )
            return snapshot(chain, draw(st.dictionaries(ids, text, max_size=2)), **more)
        case _:
            graph = {"nodes": draw(st.lists(json_values, max_size=3))}
            return third(graph, above, **said) | more


@quick
@given(files())
def test_records_say_what_the_files_say(value: dict[str, Any]) -> None:
    """A record keeps the value that it came from, and is the same after it went through text."""
    record = openrange_format.from_mapping(value)
    assert record.value == value
    assert openrange_format.read(openrange_format.write(value)) == record


@quick
@given(
    st.sampled_from(openrange_format.HEADS),
    st.sampled_from(["snapshot_id", "world_id", "parent_world_id", "lineage", "parent_snapshot_id", "mutation_ops"]),
    json_values,
    st.integers(0, 200),
)
def test_any_folder_is_read_or_refused(head: str, key: str, value: Any, cut: int) -> None:
    """Whatever a folder's files hold and wherever they end, they are a record or refused, and come out as they were."""
    whole = json.dumps({"world_id": "w", key: value, "lineage": {key: value}}).encode()
    for data in (whole, whole[:cut]):
        parts = {head: data, "world.json": data, "metadata.json": b"{}"}
        assert openrange_format.parts_of(openrange_format.parts_text(parts)) == parts
        try:
            assert openrange_format.read_parts("w-1", parts).id == "w-1"
        except Invalid as error:
            assert str(error)


@quick
@given(json_values, st.lists(json_values, max_size=2), st.lists(json_values, max_size=2))
def test_any_graph_is_judged(whole: Any, nodes: list[Any], edges: list[Any]) -> None:
    """Whatever is in the place of a graph, it has an id or a reason why OpenRange would not read it."""
    for graph in (whole, {"ontology": "o", "nodes": nodes, "edges": edges}):
        if openrange_format.graph_fault(graph) is None:
            assert openrange_format.graph_id(graph).startswith("sha256:")


def test_a_child_of_a_file_that_says_strange_things(store: LineageStore, legacy: Path, tmp_path: Path) -> None:
    """What a parent's file has in the place of a manifest or of tasks does not stop its native child's way out."""
    root = third(_world("a"), None) | {"tasks": [None, {"id": "t", "entrypoints": None, "goal_nodes": [{}]}]}
    root["lineage"]["manifest"] = [1]
    put(legacy, root["snapshot_id"], root)
    import_openrange(store, legacy)
    graph = {"ontology": "webapp", "edges": [], **_world("b")}
    store.commit({"graph.json": json.dumps(graph).encode()}, [store.resolve(root["snapshot_id"])], message="child")
    export_openrange(store, tmp_path / "out")
    assert values(tmp_path / "out")[f"{content_hash(graph)}.json"]["lineage"]["manifest"] == {}


@quick
@given(files())
def test_a_chain_spelled_node_by_node(value: dict[str, Any]) -> None:
    """Putting a file together from its nodes' texts gives the same bytes as spelling it whole."""
    whole = snapshot([node("a", None), node("b", "a", extra=value)], {"a": '\n  "lineage": []'}, extra=value)
    texts = [openrange_format.node_text(each) for each in whole["lineage"]]
    assert openrange_format.write_chained(whole, texts) == openrange_format.write(whole)


@settings(max_examples=15, deadline=None, database=None)
@given(st.data())
def test_any_store_round_trips(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Any DAG in generation 2 files: parents and children are those of the files, and the files come out again."""
    legacy = tmp_path_factory.mktemp("any")
    count = data.draw(st.integers(1, 6))
    drawn: dict[str, list[str]] = {}
    chains: dict[str, list[dict[str, Any]]] = {}
    for at in range(count):
        name = f"snap{at}"
        above = data.draw(st.lists(st.sampled_from(sorted(drawn)), max_size=3, unique=True)) if drawn else []
        chain = {each["id"]: each for parent in above for each in chains[parent]}
        more = {"parents": above} if len(above) > 1 else {}
        drawn[name] = above
        chains[name] = [*chain.values(), node(name, above[0] if above else None, **more)]
        put(legacy, name, snapshot(chains[name], {"a.txt": data.draw(text)}, extra=data.draw(json_values)))
    with LineageStore(tmp_path_factory.mktemp("repo"), writer="w") as store:
        import_openrange(store, legacy)
        for name, above in drawn.items():
            assert names(store.parents(name)) == above
            assert sorted(names(store.children(name))) == sorted(kid for kid, up in drawn.items() if name in up)
        out = tmp_path_factory.mktemp("out")
        export_openrange(store, out)
        assert values(out) == values(legacy)
