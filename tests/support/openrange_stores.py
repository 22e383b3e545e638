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
    return f"sha256:{hashlib.sha256(json.dumps(graph, sort_keys=True).encode()).hexdigest()}"


def _hex(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]
