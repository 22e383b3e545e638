"""
OpenRange's snapshot files, three generations of JSON, as records and back.

Semantics 65 to 68 and 180 to 182. A generation 1 snapshot is a flat file with its place in the lineage and no more, or
a folder with its world; a generation 2 file embeds the whole chain, root first; a generation 3 file names one parent
inside its lineage. Several parents and a cohort are extra keys beside the old ones, which stay as they were, so that
old readers go on reading.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from gitlineage.errors import Invalid

_REQUIRED = {
    1: ("snapshot_id", "parent_snapshot_id", "root_snapshot_id"),
    2: ("id", "manifest", "world", "tasks", "verifier_sources", "generated", "admission", "lineage"),
    3: ("snapshot_id", "ontology_id", "graph", "tasks", "lineage"),
}
_KINDS: dict[int, dict[str, tuple[str, ...]]] = {
    1: {
        "root_snapshot_id": ("text", "null"),
        "manifest_id": ("text", "null"),
        "generation_depth": ("integer",),
        "mutation_ids": ("list",),
        "mutation_summary": ("list",),
    },
    2: {"manifest": ("object",), "world": ("object",), "tasks": ("list",), "lineage": ("list",)},
    3: {
        "ontology_id": ("text",),
        "graph": ("object",),
        "tasks": ("list",),
        "lineage": ("object",),
        "history": ("list",),
    },
}
_NODE_KINDS: dict[str, tuple[str, ...]] = {
    "manifest": ("object",),
    "pack": ("object",),
    "prompt": ("text",),
    "builder_summary": ("text",),
    "touched_files": ("list",),
    "curriculum": ("object", "null"),
}
_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "null": (type(None),),
    "object": (dict,),
    "list": (list,),
    "integer": (int,),
}
_ONLY_3 = ("graph", "ontology_id")
SPEC = "spec.json"
WORLD = "snapshot.json"
HEADS = (SPEC, WORLD)
"""The file that makes a folder a generation 1 snapshot, by which store wrote it."""

_STATE = "world.json"
_ROLES = ("actor", "npc", "external")
_VISIBLE = ("public", "hidden")
_LONGEST = 200
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MAX_NAME = 200


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """
    One snapshot's place in the lineage.

    Args:
        id: the snapshot's id.
        parents: ids of what it was derived from, the primary one first, each once.
        cohort: the batch it was generated in.
        roles: what a parent was, by its id, where that is said.
        value: the JSON object that says so.
    """

    id: str
    parents: tuple[str, ...] = ()
    cohort: str | None = None
    roles: Mapping[str, str] = {}
    value: Mapping[str, Any] = {}


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """
    One snapshot file.

    Args:
        generation: 1, 2 or 3.
        node: the snapshot's own place in the lineage.
        chain: the ancestors that the file describes itself, in its order; only generation 2 does.
        artifacts: the snapshot's files, text by path.
        world: the id of its world, where the store tells worlds from snapshots.
        parent_world: the world that its own was derived from; which snapshot that is, the whole store tells.
        value: the whole JSON object.
    """

    generation: int
    node: Node
    chain: tuple[Node, ...] = ()
    artifacts: Mapping[str, str] = {}
    world: str | None = None
    parent_world: str | None = None
    value: Mapping[str, Any] = {}

    @property
    def id(self) -> str:
        """The snapshot's id."""
        return self.node.id

    @property
    def parents(self) -> tuple[str, ...]:
        """The ids of what it was derived from, the primary one first."""
        return self.node.parents


def read(data: bytes, seen: dict[str, Node] | None = None) -> Record:
    """
    Return the record that a file's bytes spell.

    Args:
        seen: nodes of files of the same store, by id, which grows; chains repeat them, so they are checked and kept
            in memory once.

    Raises:
        Invalid: it is no JSON, or no snapshot; the message names the field.
    """
    return from_mapping(parse(data), seen)


def read_parts(name: str, parts: Mapping[str, bytes]) -> Record:
    """
    Return the record of a generation 1 snapshot that is a folder of JSON files.

    Args:
        name: the folder's, which is the snapshot's id.
        parts: its files by name, with one of `HEADS`.

    Raises:
        Invalid: a file is no JSON, lacks what it needs or tells another id; the message names file and field.
    """
    values: dict[str, Mapping[str, Any]] = {}
    for file, data in parts.items():
        try:
            values[file] = parse(data)
            _want(values[file], ("object",), "the file")
        except Invalid as error:
            raise Invalid(f"{file}: {error}") from error
    head = SPEC if SPEC in values else WORLD
    told = {file: value.get("snapshot_id") for file, value in values.items() if file in ("metadata.json", WORLD)}
    if head == SPEC:
        _want(values[SPEC].get("lineage", {}), ("object",), f"{SPEC}: lineage")
        told[f"{SPEC}: lineage"] = values[SPEC].get("lineage", {}).get("snapshot_id") or None
    for where, own in told.items():
        if own is not None and own != name:
            raise Invalid(f"{where}.snapshot_id is {own!r}: OpenRange looks for that in the folder {own}")
    try:
        return _read_spec(name, values[SPEC]) if head == SPEC else _read_world(name, values[WORLD], values.get(_STATE))
    except Invalid as error:
        raise Invalid(f"{head}: {error}") from error


def parts_text(parts: Mapping[str, bytes]) -> bytes:
    """
    Return the files of a folder as one document, from which `parts_of` gives each back byte for byte.

    Raises:
        Invalid: a file is not UTF-8.
    """
    try:
        return write({name: data.decode() for name, data in parts.items()})
    except UnicodeDecodeError as error:
        raise Invalid(f"is no JSON: {error}") from error


def parts_of(document: bytes) -> dict[str, bytes]:
    """
    Return the files that `parts_text` put into a document.

    Raises:
        Invalid: it is no such document.
    """
    value = parse(document)
    _want(value, ("object",), "the document")
    for name, text in value.items():
        _want(text, ("text",), repr(name))
    return {name: text.encode("utf-8", "surrogatepass") for name, text in value.items()}


def parse(data: bytes) -> Any:
    """
    Return the JSON value that some bytes spell.

    Raises:
        Invalid: they spell none: malformed, not UTF-8, a key twice, a number that is not finite.
    """
    try:
        return json.loads(
            data.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite
        )
    except Invalid:
        raise
    except RecursionError as error:
        raise Invalid("is no JSON that can be read: it is nested too deeply") from error
    except ValueError as error:
        raise Invalid(f"is no JSON: {error}") from error


def write(value: Mapping[str, Any]) -> bytes:
    """
    Return a JSON object as OpenRange writes it: sorted keys, an indent of two.

    Raises:
        Invalid: it holds what JSON cannot.
    """
    try:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"this cannot be written as JSON: {error}") from error
    return _SURROGATE.sub(lambda sign: f"\\u{ord(sign[0]):04x}", f"{text}\n").encode()


def write_chained(value: Mapping[str, Any], lineage: Iterable[str]) -> bytes:
    """
    Return a generation 2 snapshot as `write` does, with the nodes of its chain as `node_text` spells them.

    A chain repeats what the files of its ancestors say, and spelling a node anew for each would take long.
    """
    text = write({**value, "lineage": []}).decode()
    nodes = ",\n    ".join(lineage)
    return text.replace('\n  "lineage": []', f'\n  "lineage": [\n    {nodes}\n  ]', 1).encode()


def node_text(node: Mapping[str, Any]) -> str:
    """Return a lineage node as it stands in a generation 2 file."""
    return write(node).decode().rstrip("\n").replace("\n", "\n    ")


def detect(value: Any) -> int:
    """
    Return which generation a JSON value is of.

    Raises:
        Invalid: of none, or of two at once.
    """
    if not isinstance(value, Mapping):
        raise Invalid(f"is no snapshot: the file holds {_kind(value)}, not an object")
    if "id" in value and "snapshot_id" in value:
        raise Invalid("id and snapshot_id: fields of two generations in one file")
    if "id" in value:
        mixed = [name for name in _ONLY_3 if name in value]
        if mixed:
            raise Invalid(f"id and {mixed[0]}: fields of two generations in one file")
        return 2
    if "snapshot_id" not in value:
        raise Invalid("is no snapshot: it has neither id nor snapshot_id")
    later = any(name in value for name in (*_ONLY_3, "lineage"))
    if later and "parent_snapshot_id" in value:
        raise Invalid("parent_snapshot_id and lineage: fields of two generations in one file")
    return 3 if later else 1


def from_mapping(value: Any, seen: dict[str, Node] | None = None) -> Record:
    """
    Return the record that a JSON value spells, of whichever generation it is.

    Args:
        seen: as for `read`.

    Raises:
        Invalid: a required key is missing or something has the wrong type; the message names the field.
    """
    generation = detect(value)
    if generation == 1 and "world_id" in value:
        return _read_world(check_id(value["snapshot_id"], "snapshot_id"), value, None)
    missing = [name for name in _REQUIRED[generation] if name not in value]
    if missing:
        raise Invalid(f"{', '.join(missing)}: missing; a generation {generation} snapshot needs it")
    _check(value, _KINDS[generation], "")
    record = _read_2(value, seen) if generation == 2 and seen is not None else _READERS[generation](value)
    if record.id in record.parents and generation != 3:
        raise Invalid(f"parents: {record.id!r} is its own parent")
    return record


def new_node(
    *,
    id: str,
    parents: Sequence[str] = (),
    cohort: str | None = None,
    roles: Mapping[str, str] | None = None,
    manifest: Mapping[str, Any] | None = None,
    prompt: str = "",
    builder_summary: str = "",
    touched_files: Iterable[str] = (),
) -> dict[str, Any]:
    """Return a generation 2 lineage node; ``parent_id`` is the first of ``parents`` (semantics 68)."""
    node: dict[str, Any] = {
        "id": id,
        "parent_id": parents[0] if parents else None,
        "parents": list(parents),
        "manifest": dict(manifest or {}),
        "pack": {},
        "prompt": prompt,
        "builder_summary": builder_summary,
        "touched_files": list(touched_files),
        "curriculum": None,
    }
    if cohort is not None:
        node["cohort"] = cohort
    if roles:
        node["roles"] = dict(roles)
    return node


def new_snapshot(*, id: str, artifacts: Mapping[str, str], manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a generation 2 snapshot of files alone, without its lineage, which `write_chained` puts in."""
    return {
        "id": id,
        "manifest": dict(manifest),
        "world": {},
        "tasks": [],
        "verifier_sources": {},
        "generated": {},
        "artifacts": dict(artifacts),
        "admission": {"passed": False, "checks": [], "verifier_results": {}, "errors": []},
        "lineage": [],
    }


def evolution(lineage: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a generation 3 lineage says of the step that made a snapshot; early files say it in the manifest."""
    manifest = lineage.get("manifest")
    below = manifest.get("_evolve") if isinstance(manifest, Mapping) else None
    said = lineage.get("_evolve")
    return said if isinstance(said, Mapping) else below if isinstance(below, Mapping) else {}


def directive(told: Any) -> str:
    """
    Return the order that made a variant in words: ``{"patch": ["sql_injection"]}`` is ``patch sql_injection``.

    Args:
        told: the ``curriculum`` of a node or an ``_evolve``'s ``directive``; empty for what says nothing.
    """
    inner = told.get("directive") if isinstance(told, Mapping) else None
    words = " ".join(_words(inner or told).split())
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 3]}..."


def _words(told: Any) -> str:
    if isinstance(told, Mapping):
        return "; ".join(f"{name} {_words(item)}".strip() for name, item in told.items())
    if isinstance(told, list):
        return ", ".join(filter(None, map(_words, told)))
    return "" if told is None else told if isinstance(told, str) else json.dumps(told)


def is_manifest(manifest: Any) -> bool:
    """Whether OpenRange would read a manifest of generation 2: it names a world and a pack."""
    if not isinstance(manifest, Mapping) or not isinstance(manifest.get("world"), Mapping):
        return False
    pack = manifest.get("pack")
    return isinstance(pack, Mapping) and isinstance(pack.get("id"), str) and bool(pack["id"])


def graph_fault(graph: Any) -> str | None:
    """Return why OpenRange would not read a graph of generation 3, or None where it would."""
    try:
        _want(graph, ("object",), "graph")
        _want(graph.get("ontology"), ("text",), "ontology")
        for kind, keys in (("nodes", ("id", "kind")), ("edges", ("id", "kind", "src", "dst"))):
            _want(graph.get(kind), ("list",), kind)
            ids = []
            for at, item in enumerate(graph[kind]):
                where = f"{kind}[{at}]"
                _want(item, ("object",), where)
                for key in keys:
                    _want(item.get(key), ("text",), f"{where}.{key}")
                _want(item.get("attrs", {}), ("object",), f"{where}.attrs")
                _want(item.get("roles", []), ("list",), f"{where}.roles")
                if item.get("visibility", "public") not in _VISIBLE or not all(
                    r in _ROLES for r in item.get("roles", [])
                ):
                    raise Invalid(f"{where}: a visibility or a role that OpenRange does not know")
                ids.append(item["id"])
            if len(set(ids)) < len(ids):
                raise Invalid(f"{kind}: an id is there twice")
    except Invalid as error:
        return str(error)
    return None


def graph_id(graph: Mapping[str, Any]) -> str:
    """Return the id that OpenRange gives a snapshot of generation 3: a hash of its graph; ask `graph_fault` before."""
    nodes, edges = [], []
    for node in sorted(graph["nodes"], key=lambda each: str(each["id"])):
        said = {"id": node["id"], "kind": node["kind"], "attrs": node.get("attrs", {})}
        if node.get("roles"):
            said["roles"] = sorted(set(node["roles"]))
        if node.get("visibility", "public") != "public":
            said["visibility"] = node["visibility"]
        nodes.append(said)
    for edge in sorted(graph["edges"], key=lambda each: str(each["id"])):
        said = {key: edge[key] for key in ("id", "kind", "src", "dst")}
        edges.append({**said, "attrs": edge["attrs"]} if edge.get("attrs") else said)
    whole = {"ontology": graph["ontology"], "nodes": nodes, "edges": edges}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


# -- each generation ---------------------------------------------------------------------------------------------------


def _read_1(value: Mapping[str, Any]) -> Record:
    for name in ("mutation_ids", "mutation_summary"):
        for at, item in enumerate(value.get(name, ())):
            _want(item, ("text",), f"{name}[{at}]")
    return Record(generation=1, node=_node(value, "", "snapshot_id", "parent_snapshot_id"), value=value)


def _read_spec(name: str, value: Mapping[str, Any]) -> Record:
    """Return the record of a folder with a ``spec.json``: the world, with its lineage inside."""
    lineage = value.get("lineage", {})
    _check(lineage, _KINDS[1], "lineage.")
    for key in ("mutation_ids", "mutation_summary"):
        for at, item in enumerate(lineage.get(key, ())):
            _want(item, ("text",), f"lineage.{key}[{at}]")
    node = _node({**lineage, "snapshot_id": name}, "lineage.", "snapshot_id", "parent_snapshot_id")
    return Record(generation=1, node=node, artifacts={SPEC: _without_lineage(value)}, value=value)


def _read_world(name: str, value: Mapping[str, Any], state: Mapping[str, Any] | None) -> Record:
    """Return the record of a ``snapshot.json``, which names its parent's world; with its own world's file, if any."""
    lineage = state.get("lineage", {}) if state is not None else {}
    _want(lineage, ("object",), f"{_STATE}: lineage")
    steps = lineage.get("mutation_ops", [])
    _want(steps, ("list",), f"{_STATE}: lineage.mutation_ops")
    for at, step in enumerate(steps):
        _want(step, ("text",), f"{_STATE}: lineage.mutation_ops[{at}]")
    world = check_id(value.get("world_id"), "world_id")
    above = value.get("parent_world_id") or lineage.get("parent_world_id")
    return Record(
        generation=1,
        node=_node({**value, "snapshot_id": name, "mutation_summary": steps}, "", "snapshot_id", "parent_snapshot_id"),
        artifacts={_STATE: _without_lineage(state)} if state is not None else {},
        world=world,
        parent_world=check_id(above, "parent_world_id") if above is not None else None,
        value=value,
    )


def _without_lineage(value: Mapping[str, Any]) -> str:
    """Return what a snapshot is, as text, without how it came about: equal worlds have equal content ids."""
    return write({key: item for key, item in value.items() if key != "lineage"}).decode()


def _read_2(value: Mapping[str, Any], seen: dict[str, Node] | None = None) -> Record:
    artifacts = value.get("artifacts")
    if artifacts is not None:
        _want(artifacts, ("object",), "artifacts")
        for path, text in artifacts.items():
            _want(text, ("text",), f"artifacts[{path!r}]")
    nodes: dict[str, Node] = {}
    known = {} if seen is None else seen
    for at, item in enumerate(value["lineage"]):
        node = _met(known, item) or _chain_node(item, f"lineage[{at}]")
        if node.id in nodes:
            raise Invalid(f"lineage[{at}].id: {node.id!r} is there twice")
        nodes[node.id] = known[node.id] = node
    if seen is not None:
        value = {**value, "lineage": [node.value for node in nodes.values()]}
    own = check_id(value["id"], "id")
    if nodes and next(reversed(nodes)) != own:
        raise Invalid(f"lineage: ends with {next(reversed(nodes))!r}, not with the snapshot itself, {own!r}")
    last = nodes.pop(own, Node(id=own))
    return Record(generation=2, node=last, chain=tuple(nodes.values()), artifacts=artifacts or {}, value=value)


def _met(known: Mapping[str, Node], item: Any) -> Node | None:
    """Return the node that another file's chain had already, where it is the very same."""
    own = item.get("id") if isinstance(item, dict) else None
    node = known.get(own) if isinstance(own, str) else None
    return node if node is not None and node.value == item else None


def _chain_node(item: Any, where: str) -> Node:
    _want(item, ("object",), where)
    _check(item, _NODE_KINDS, f"{where}.")
    for number, path in enumerate(item.get("touched_files", ())):
        _want(path, ("text",), f"{where}.touched_files[{number}]")
    return _node(item, f"{where}.", "id", "parent_id")


def _read_3(value: Mapping[str, Any]) -> Record:
    check_id(value["snapshot_id"], "snapshot_id")
    graph, lineage = value["graph"], value["lineage"]
    _check(graph, {"nodes": ("list",), "edges": ("list",)}, "graph.")
    _want(lineage.get("_evolve"), ("object", "null"), "lineage._evolve")
    evolve = evolution(lineage)
    said = {"snapshot_id": value["snapshot_id"]} | {
        k: lineage[k] for k in ("parents", "cohort", "roles") if k in lineage
    }
    if evolve and "parent_snapshot_id" in evolve:
        said["_evolve.parent_snapshot_id"] = evolve["parent_snapshot_id"]
    node = _node(said, "lineage.", "snapshot_id", "_evolve.parent_snapshot_id")
    return Record(generation=3, node=msgspec.structs.replace(node, value=lineage), value=value)


_READERS = {1: _read_1, 2: _read_2, 3: _read_3}


def _node(value: Mapping[str, Any], where: str, id_key: str, parent_key: str) -> Node:
    """Return a lineage node: ``parents`` where it is said, else the one parent of old (semantics 5)."""
    if id_key not in value:
        raise Invalid(f"{where}{id_key}: missing")
    parent = value.get(parent_key)
    _want(parent, ("text", "null"), where + parent_key)
    parents = [] if parent is None else [check_id(parent, where + parent_key)]
    if "parents" in value:
        listed = value["parents"]
        _want(listed, ("list",), f"{where}parents")
        listed = [check_id(each, f"{where}parents[{at}]") for at, each in enumerate(listed)]
        if parent_key in value and listed[:1] != parents:
            first = listed[0] if listed else None
            raise Invalid(f"{where}parents: begins with {first!r}, but {where}{parent_key} is {parent!r}")
        parents = listed
    cohort = value.get("cohort")
    _want(cohort, ("text", "null"), f"{where}cohort")
    roles = value.get("roles") or {}
    _want(roles, ("object",), f"{where}roles")
    for name, role in roles.items():
        _want(role, ("text",), f"{where}roles[{name!r}]")
    return Node(
        id=check_id(value[id_key], where + id_key),
        parents=tuple(dict.fromkeys(parents)),
        cohort=check_id(cohort, f"{where}cohort") if cohort is not None else None,
        roles=roles,
        value=value,
    )


# -- checks ------------------------------------------------------------------------------------------------------------


def _check(value: Mapping[str, Any], kinds: Mapping[str, tuple[str, ...]], where: str) -> None:
    for name, wanted in kinds.items():
        if name in value:
            _want(value[name], wanted, where + name)


def _want(value: Any, wanted: tuple[str, ...], where: str) -> None:
    if isinstance(value, bool) or not any(isinstance(value, _TYPES[each]) for each in wanted):
        raise Invalid(f"{where}: must be {' or '.join(wanted)}, not {_kind(value)}")


def check_id(value: Any, where: str) -> str:
    """Return an id or a cohort's name: one line of text."""
    _want(value, ("text",), where)
    name = str(value)
    if not name.strip() or name != name.strip() or len(name) > _MAX_NAME or _CONTROL.search(name):
        raise Invalid(f"{where}: {name[:80]!r} is no name; a name is one line of 1 to {_MAX_NAME} characters")
    if _SURROGATE.search(name):
        raise Invalid(f"{where}: {name[:80]!r} is not valid Unicode text")
    return name


def _kind(value: Any) -> str:
    """Return what JSON calls a value, with the value where it is short."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "a list"
    shown = json.dumps(value) if value is None or isinstance(value, bool | int | float | str) else repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Invalid(f"is no JSON that can be trusted: the key {twice!r} is there twice in one object")
    return value


def _refuse(text: str) -> Any:
    raise Invalid(f"is no JSON: {text} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise Invalid(f"is no JSON that can be read: the number {text[:40]} is too large")
    return number
