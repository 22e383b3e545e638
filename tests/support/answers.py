"""Everything that a store answers or an index says, as one value to compare; no test is here."""

import tempfile
from pathlib import Path
from typing import Any

import msgspec

from gitlineage import LineageStore
from gitlineage.bridge.board import write_board
from gitlineage.bridge.tsv import export_tsv
from gitlineage.index.index import Index
from gitlineage.index.schema import AUTHOR, SUBJECT

TABLES = (
    f"SELECT oid, tree, {SUBJECT}, {AUTHOR}, time, exp_id, cohort, roles, clock, writer FROM snapshots s ORDER BY 1",
    "SELECT s.oid, g.pos, g.parent FROM git_parents g JOIN snapshots s ON s.id = g.child ORDER BY 1, 2",
    "SELECT c.oid, p.oid, l.pos FROM links l JOIN snapshots c ON c.id = l.child JOIN snapshots p ON p.id = l.parent "
    "ORDER BY 1, 2",
    "SELECT s.oid, t.exp_id, t.status, t.specialist, t.parent_cell, t.rank, t.row, t.raw, t.saw, t.clock, t.writer, "
    "t.last_clock, t.last_writer FROM trials t JOIN snapshots s ON s.id = t.snapshot ORDER BY 1, 2",
    "SELECT * FROM cohorts ORDER BY 1",
    "SELECT * FROM sessions ORDER BY 1",
    "SELECT * FROM tables ORDER BY 1, 2",
    "SELECT i.name, s.oid, i.source, i.document, i.file, i.stub, i.clock, i.writer FROM imported i "
    "JOIN snapshots s ON s.id = i.snapshot ORDER BY 1, 2",
    "SELECT * FROM relation_events ORDER BY 1, 2, 3, 4, 5",
    "SELECT * FROM relations ORDER BY 1, 2, 3, 4, 5",
    "SELECT * FROM retractions ORDER BY 1, 2",
    "SELECT * FROM reparents ORDER BY 1, 2, 3",
    "SELECT * FROM entries ORDER BY 1, 2",
    "SELECT * FROM usage ORDER BY 1, 2",
    "SELECT * FROM forges ORDER BY 1",
    "SELECT * FROM problems ORDER BY 1, 2, 3",
    "SELECT * FROM rewrites ORDER BY 1, 2",
    "SELECT * FROM meta ORDER BY 1",
)


def dump(index: Index) -> list:
    """Everything an index says, without the numbers it gives to rows."""
    return [index.rows(sql) for sql in TABLES]


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
        "problems": store.history.problems(),
        "task": store.task,
    }
    return {name: msgspec.to_builtins(value, enc_hook=str) for name, value in found.items()}
