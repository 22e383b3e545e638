"""Everything that a store answers, as one value to compare; no test is here."""

import tempfile
from pathlib import Path
from typing import Any

import msgspec

from gitlineage import LineageStore
from gitlineage.boards import write_board
from gitlineage.tables import export_tsv


def answers(store: LineageStore) -> dict[str, Any]:
    """Return trials, order, labels, best, prompts, boards, tables, graph and problems of a store."""
    views = store.log(None)
    with tempfile.TemporaryDirectory() as folder:
        board = {path.name: path.read_bytes() for path in write_board(store, Path(folder), tree_path="tree.tsv")}
    oids = list(dict.fromkeys(view.oid for view in views))
    found = {
        "log": views,
        "labels": [view.label for view in views],
        "places": [(view.order.clock, view.order.writer) for view in views],
        "trials": store.all_trials(),
        "best": store.best(),
        "leaderboard": store.leaderboard(1000),
        "prompts": [store.render_prompt(name).rendered_prompt for name in ("", "s0", "s1")],
        "board": board,
        "tsv": export_tsv(store),
        "snapshots": [store.snapshot(oid) for oid in oids],
        "children": [store.children(oid) for oid in oids],
        "cohorts": store.cohorts(),
        "leaves": store.leaves(),
        "problems": store.problems(),
        "task": store.task,
    }
    return {name: msgspec.to_builtins(value, enc_hook=str) for name, value in found.items()}
