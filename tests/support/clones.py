"""Clones of one campaign, and all that each of them answers; no test is here."""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gitlineage import LineageStore
from gitlineage.bridge.board import write_board

GOOD = {"new", "fast-forwarded", "up to date", "ahead"}
"""What may come of a ref where nobody cheats."""


class Clock:
    """A clock of one clone: it starts at the same time as everybody's and goes on by a second when it is asked."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time, which is a second later the next time."""
        now, self.now = self.now, self.now + timedelta(seconds=1)
        return now


def git(folder: Path, *words: str) -> str:
    """Run the real git in a folder and return what it printed without the last newline."""
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout.removesuffix("\n")


def fsck(folder: Path) -> None:
    """Fail where git finds anything missing, broken or malformed."""
    git(folder, "fsck", "--strict", "--no-dangling", "--no-progress")


@contextmanager
def clones(folder: Path, url: str, writers: Iterable[str]) -> Iterator[list[LineageStore]]:
    """Open one fresh repository for each writer, named as it is, with the remote as ``origin``."""
    with ExitStack() as opened:
        stores = []
        for writer in writers:
            root = folder / writer
            store = opened.enter_context(
                LineageStore(root, writer=writer, identity=(writer, f"{writer}@example.org"), clock=Clock())
            )
            git(root, "remote", "add", "origin", url)
            git(root, "config", "lineage.writer", writer)
            stores.append(store)
        yield stores


def answers(store: LineageStore, folder: Path) -> dict[str, object]:
    """Return what a store answers to everything that a research loop asks, the board's files in bytes."""
    views = store.log(None)
    best = store.best()
    folder.parent.mkdir(parents=True, exist_ok=True)
    files = write_board(store, folder, tree_path="tree.tsv")
    return {
        "log": [(view.label, view.oid, view.order, view.parent, view.retracted, view.trial) for view in views],
        "trials": store.all_trials(),
        "best": best,
        "where": store.resolve("best") if best else None,
        "leaderboard": store.leaderboard(),
        "snapshots": [(oid, store.snapshot(oid)) for oid in sorted({view.oid for view in views})],
        "relations": store.get_relationships(include_deprecated=True),
        "reparentings": [store.reparentings(view.oid) for view in views],
        "ancestors": [[(node.id, node.depth) for node in store.get_ancestors(view.oid)] for view in views],
        "children": [(view.label, [child.oid for child in store.children(view.oid)]) for view in views],
        "chains": [(view.label, store.chain_to(view.label)) for view in views],
        "leaves": [leaf.oid for leaf in store.leaves()],
        "cohorts": store.cohorts(),
        "task": store.task,
        "problems": store.history.problems(),
        "prompt": store.render_prompt("ann", session_timestamp="2026-01-02T00:00:00Z").rendered_prompt,
        "board": {path.name: path.read_bytes() for path in files},
    }
