"""Small OpenRange stores of each generation, as OpenRange itself would have written them; no test is here."""

import hashlib
import json
from pathlib import Path
from typing import Any

VALUES = {"reward": 1.10, "tiny": 1e-7, "big": 123456789012345678901234567890, "none": None, "text": "ünï \u2028 ☂"}
"""JSON values that a careless round trip would change."""


def put(folder: Path, name: str, value: Any) -> None:
    """Write a value as OpenRange does: indent 2, sorted keys."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(value, indent=2, sort_keys=True))


def values(folder: Path) -> dict[str, Any]:
    """Return the JSON value of every file of a folder by file name."""
    return {path.name: json.loads(path.read_bytes()) for path in folder.glob("*.json")}


def first(folder: Path) -> tuple[str, str, str]:
    """Write a generation 1 store: a root, its child and a grandchild; return their ids."""
    ids = ("s-root", "s-child", "s-grandchild")
    for depth, own in enumerate(ids):
        value = {
            "snapshot_id": own,
            "parent_snapshot_id": ids[depth - 1] if depth else None,
            "root_snapshot_id": ids[0],
            "manifest_id": "m1",
            "generation_depth": depth,
            "mutation_ids": [f"m{depth}"],
            "mutation_summary": [f"mutation {depth}"] if depth else [],
        }
        put(folder, own, value)
    return ids


def spec_store(folder: Path) -> tuple[str, str, str]:
    """Write a generation 1 store as its own store does, in folders: a root and two variants; return their ids."""
    ids = ("snap_root_1", "snap_sqli_2", "snap_ssrf_3")
    for own, made in zip(ids, ("", "patch sqli", "add ssrf"), strict=True):
        lineage = {
            "snapshot_id": own,
            "parent_snapshot_id": ids[0] if made else None,
            "root_snapshot_id": ids[0],
            "manifest_id": "m1",
            "generation_depth": int(bool(made)),
            "mutation_ids": [f"id of {made}"] if made else [],
            "mutation_summary": [made] if made else [],
        }
        spec = {"topology": {"hosts": [own]}, "files": {"web:/var/www/a.php": "x"}, "flags": [], "lineage": lineage}
        told = {key: lineage[key] for key in ("parent_snapshot_id", "root_snapshot_id", "mutation_summary")}
        (folder / own).mkdir(parents=True)
        (folder / own / "spec.json").write_text(json.dumps(spec, indent=2))
        (folder / own / "metadata.json").write_text(
            json.dumps({"snapshot_id": own, **told, "stored_at": 1.5}, indent=2)
        )
    return ids


def world_store(folder: Path) -> tuple[str, str]:
    """Write a store whose snapshots name their parent's world: a root and its child; return their ids."""
    ids = ("w0-00000000", "w1-11111111")
    for own in ids:
        world, above = own[:2], "w0" if own[:2] == "w1" else None
        lineage = {"generation": int(bool(above)), "seed": 7, "parent_world_id": above}
        state = {"world_id": world, "seed": 7, "lineage": {**lineage, "mutation_ops": ["add ssrf"] if above else []}}
        told = {"snapshot_id": own, "world_id": world, "parent_snapshot_id": None, "parent_world_id": above}
        (folder / own).mkdir(parents=True)
        for name, value in (("snapshot", told), ("world", state), ("metadata", {"snapshot_id": own, "split": "train"})):
            (folder / own / f"{name}.json").write_text(json.dumps(value, indent=2))
        (folder / own / "rendered.txt").write_text("no part of it")
    return ids


def tree(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every JSON file below a folder by path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.json")}


def refused_2(value: Any) -> list[str]:
    """
    Return which fields OpenRange's own reader of generation 2 would refuse.

    Source: ``src/openrange/core/snapshot.py``, ``manifest.py`` and ``admission.py`` of open-range, read 2026-11-30.
    """
    admission, manifest = value["admission"], value["manifest"]
    rules = {
        "id": isinstance(value["id"], str),
        "manifest.world": isinstance(manifest.get("world"), dict),
        "manifest.pack": isinstance(manifest.get("pack"), dict),
        "manifest.pack.id": isinstance(manifest["pack"].get("id"), str) and manifest["pack"]["id"] != "",
        "manifest.mode": manifest.get("mode", "simulation") in ("simulation", "emulation"),
        "manifest.npc": isinstance(manifest.get("npc", []), list),
        "admission.passed": isinstance(admission.get("passed"), bool),
        "admission.checks": isinstance(admission.get("checks"), list),
        "admission.verifier_results": isinstance(admission.get("verifier_results"), dict),
        "admission.errors": isinstance(admission.get("errors", []), list),
    }
    for name in ("world", "verifier_sources", "generated", "artifacts", "world_graph", "runtime", "admission_probe"):
        rules[name] = isinstance(value.get(name, {}), dict)
    for name in ("tasks", "lineage", "feasibility_checks", "episode_checks"):
        rules[name] = isinstance(value.get(name, []), list)
    for at, each in enumerate(value["lineage"]):
        texts = all(isinstance(each[name], str) for name in ("id", "prompt", "builder_summary"))
        inputs = isinstance(each["manifest"], dict) and isinstance(each["pack"], dict)
        rules[f"lineage[{at}]"] = (
            texts and inputs and (each["curriculum"] is None or isinstance(each["curriculum"], dict))
        )
    return [name for name, holds in rules.items() if not holds]


def refused_3(value: Any) -> list[str]:
    """
    Return which fields OpenRange's own reader of generation 3 would refuse.

    Source: ``src/openrange/core/store.py`` and ``world_ir.py`` of open-range, read 2026-11-30.
    """
    graph = value["graph"]
    rules = {name: isinstance(value.get(name), str) for name in ("snapshot_id", "ontology_id")}
    rules |= {name: isinstance(value.get(name), list) for name in ("tasks", "history")}
    rules["lineage"] = isinstance(value["lineage"], dict)
    rules["graph.ontology"] = isinstance(graph["ontology"], str)
    for kind, keys in (("nodes", ("id", "kind")), ("edges", ("id", "kind", "src", "dst"))):
        for at, each in enumerate(graph[kind]):
            rules[f"{kind}[{at}]"] = all(isinstance(each[key], str) for key in keys)
    for at, task in enumerate(value["tasks"]):
        texts = ("id", "instruction", "feasibility_check", "success_check")
        rules[f"tasks[{at}]"] = all(isinstance(task[key], str) for key in texts)
    rules["snapshot_id is the graph's"] = value["snapshot_id"] == content_hash(graph)
    return [name for name, holds in rules.items() if not holds]


def node(own: str, parent: str | None, summary: str = "", **more: Any) -> dict[str, Any]:
    """Return a generation 2 lineage node."""
    return {
        "id": own,
        "parent_id": parent,
        "manifest": {"world": {"goal": "flag"}, "values": VALUES},
        "pack": {"id": "webapp"},
        "prompt": "",
        "builder_summary": summary,
        "touched_files": ["app.py"],
        "curriculum": None,
        **more,
    }


def snapshot(chain: list[dict[str, Any]], artifacts: dict[str, str], **more: Any) -> dict[str, Any]:
    """Return a generation 2 snapshot whose own node is the last of a chain."""
    return {
        "id": chain[-1]["id"],
        "manifest": {"values": VALUES},
        "world": {"hosts": 3},
        "tasks": [{"id": "t1", "instruction": "find the flag"}],
        "verifier_sources": {"t1": "def verify(): ..."},
        "generated": {},
        "artifacts": artifacts,
        "admission": {"passed": True},
        "lineage": chain,
        "world_graph": {"nodes": []},
        "runtime": {},
        "feasibility_checks": [],
        "episode_checks": [],
        "admission_probe": None,
        **more,
    }


class Second:
    """
    A generation 2 store: a root, two children, a grandchild of one; with ``dag``, a child of both in a cohort's wake.

    Args:
        folder: where it is written.
        dag: whether it has what S0 asks for: ``parents`` and ``cohort``.
    """

    def __init__(self, folder: Path, *, dag: bool = False) -> None:
        batch = {"cohort": "step-1"} if dag else {}
        self.root, self.left, self.right, self.last = (_hex(name) for name in ("root", "left", "right", "last"))
        top = [node(self.root, None, "the root")]
        left = [*top, node(self.left, self.root, "patch it", **batch)]
        right = [*top, node(self.right, self.root, "add an ssrf", **batch)]
        last = [*left, node(self.last, self.left, "one more")]
        if dag:
            both = {"parents": [self.left, self.right], "roles": {self.left: "base", self.right: "mate"}}
            last = [*left, right[-1], node(self.last, self.left, "cross them", **both)]
        put(folder, self.root, snapshot(top, {"app.py": "v0\n", "data/users.csv": "a,b\n"}))
        put(folder, self.left, snapshot(left, {"app.py": "v1\n", "data/users.csv": "a,b\n"}))
        put(folder, self.right, snapshot(right, {"app.py": "v0\nssrf\n", "data/users.csv": "a,b\n"}))
        put(folder, self.last, snapshot(last, {"app.py": "v1\nssrf\n", "data/users.csv": "a,b\n"}))


def third(graph: dict[str, Any], parent: str | None, direction: str = "harden", **more: Any) -> dict[str, Any]:
    """Return a generation 3 snapshot; its id is a hash of its graph alone."""
    whole = {"ontology": "webapp", "nodes": [], "edges": [], **graph}
    evolve = {"parent_snapshot_id": parent, "direction": direction, "kind": "patch", "relevance": 0.5, "family": "web"}
    lineage = {"manifest": {"values": VALUES}, "pack": "webapp", "pack_version": "1", "attempts": 1, **more}
    return {
        "snapshot_id": content_hash(whole),
        "ontology_id": "webapp",
        "graph": whole,
        "tasks": [{"id": "t1"}],
        "lineage": lineage | ({"_evolve": {**evolve, "note": "said so"}} if parent else {}),
        "history": [{"seq": 0, "phase": "build", "detail": "made"}],
    }


def content_hash(graph: dict[str, Any]) -> str:
    """Return the id of a graph."""
    return f"sha256:{hashlib.sha256(json.dumps(graph, sort_keys=True, separators=(',', ':')).encode()).hexdigest()}"


def _hex(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]
