"""
What it costs to take in what a loop left behind: a table and a log of JSON lines, of so many rows.

Measured as whole processes: the first import, the same again, which adds nothing, and the memory at most.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import growing
from figures import Figure, within
from stores import Stores
from timing import git, say

_MEMORY = 7_000.0
"""Bytes a row that an import may have at most, above those that any command has."""

_BARE = 60 << 20
"""Bytes that a command has before it reads a row."""


def imports(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure imports of a table and of a log."""
    rows = []
    for size in sizes:
        for kind in ("table", "log"):
            root = stores.scratch()
            git(stores.folder, "init", "--quiet", str(root))
            path = root / ("results.tsv" if kind == "table" else "experiments.jsonl")
            _write(path, size, kind)
            say(f"importing a {kind} of {size:,} rows")
            first, again = (growing.run(("import", str(path)), root) for _ in range(2))
            name = f"import of a {kind}"
            rows += [
                Figure("import", name, size, first.seconds, "s"),
                Figure("import", f"{name}: a row", size, first.seconds / size, "us"),
                Figure("import", f"{name}: again", size, again.seconds, "s", "the first time", first.seconds),
                Figure("import", f"{name}: memory", size, first.memory, "MB", goal=within(_BARE + _MEMORY * size)),
            ]
        stores.sweep()
    return rows


def _write(path: Path, size: int, kind: str) -> None:
    with path.open("w") as file:
        if kind == "table":
            file.write("exp\tcommit\tval_loss\tmem_gb\tstatus\tdescription\n")
        for row in _rows(size):
            file.write(json.dumps(row) + "\n" if kind == "log" else "\t".join(map(str, row.values())) + "\n")


def _rows(size: int) -> Iterator[dict[str, object]]:
    """Return the rows of a loop that improves now and then."""
    chance = random.Random(size)
    best = 3.0
    for at in range(size):
        loss = best + (chance.random() / 10 - 0.005 if at else 0)
        keeps = loss < best or not at
        best = min(best, loss)
        status = "keep" if keeps else "crash" if at % 17 == 0 else "discard"
        score = "" if status == "crash" else round(loss, 6)
        yield {
            "exp": f"e{at}", "commit": "-", "val_loss": score, "mem_gb": at % 40, "status": status,
            "description": f"try number {at} of something wider",
        }  # fmt: skip
