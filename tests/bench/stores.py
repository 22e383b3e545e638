"""The stores that are measured: each size filled once, copied where a figure spoils it."""

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from generate import COHORT, Node, exp_id, nodes
from stream import Exporter
from timing import say

from gitlineage import LineageStore, Task, Trial

BATCH = 100_000
"""The most trials of one landing; a larger campaign is filled in several, so that it fits into memory."""

TASK = Task(score_field="core_metric", lower_is_better=True)
WRITER = "bench"
REF = f"refs/notes/lineage/{WRITER}"


class Built(NamedTuple):
    """
    A store that is ready to be measured.

    Args:
        size: its trials.
        root: its repository.
        seconds: what filling it took; only the library's calls count.
        known: ids worth asking about: ``deep``, ``ancestors`` (how many that has), ``best``, ``busy`` (parents of
            many), ``late`` (the last ones).
    """

    size: int
    root: Path
    seconds: float
    known: dict[str, Any]


class Work(NamedTuple):
    """A node with its row as the library takes it, made before the clock starts."""

    node: Node
    trial: Trial


def opened(root: Path) -> LineageStore:
    """Open a store as every part of the bench does."""
    return LineageStore(root, writer=WRITER, identity=("Bench", "bench@example.org"), task=TASK)


def works(size: int, seed: int) -> Iterator[list[Work]]:
    """Return a campaign in parts that one landing takes."""
    campaign = nodes(size, seed)
    while part := [Work(node, Trial(**node.row)) for node in islice(campaign, BATCH)]:
        yield part


def land(store: LineageStore, part: Sequence[Work], oids: list[str]) -> None:
    """Record a part of a campaign as one batch; ``oids`` holds the snapshots so far and gets the new ones."""
    with store.batch():
        for node, trial in part:
            if (node.number - 1) % COHORT == 0 and node.cohort:
                store.open_cohort(node.cohort, [oids[at] for at in node.base], allow_mixed=True)
            cohort = node.cohort or None
            oids.append(store.commit(node.files, [oids[at] for at in node.parents], trial=trial, cohort=cohort).oid)


def fill(root: Path, size: int, seed: int) -> float:
    """Fill a fresh store with a campaign and return the seconds that the library took."""
    oids: list[str] = []
    seconds = 0.0
    for part in works(size, seed):
        with opened(root) as store:
            start = time.perf_counter()
            land(store, part, oids)
            seconds += time.perf_counter() - start
    return seconds


class Stores:
    """
    The stores of one session, below one folder.

    Args:
        folder: where they are; those that an earlier session kept there are used again.
        seed: of the campaign.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self._scratch = 0
        folder.mkdir(parents=True, exist_ok=True)

    def of(self, size: int) -> Built:
        """Return the store of a size, filled where it is not there yet."""
        place = self.folder / f"{size}-{self.seed}"
        said = place.with_suffix(".json")
        if not said.exists():
            shutil.rmtree(place, ignore_errors=True)
            say(f"filling {size:,} trials")
            seconds = fill(place, size, self.seed)
            said.write_text(json.dumps({"seconds": seconds, "known": _known(size, self.seed)}))
        told = json.loads(said.read_text())
        return Built(size, place, told["seconds"], told["known"])

    def copy(self, built: Built) -> Path:
        """
        Return a copy of a store that may be spoiled.

        Its objects are the store's own files under second names: git and the library replace such files, and never
        change one. Of a million trials they would take longer to copy than most things take to measure.
        """
        place = self.scratch()
        shutil.copytree(built.root, place, symlinks=True, ignore=shutil.ignore_patterns("objects"))
        shutil.copytree(built.root / ".git" / "objects", place / ".git" / "objects", copy_function=os.link)
        return place

    def scratch(self) -> Path:
        """Return a path where nothing is yet."""
        self._scratch += 1
        place = self.folder / "scratch" / str(self._scratch)
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(exist_ok=True)
        return place

    def stream(self, built: Built) -> Path:
        """Return a file with all objects of a store as `git fast-import` takes them."""
        path = built.root.with_suffix(".stream")
        if not path.exists():
            say(f"exporting {built.size:,} trials for git fast-import")
            half = path.with_suffix(".half")
            with half.open("wb") as out:
                Exporter(built.root, out).export(REF)
            half.rename(path)
        return path

    def sweep(self) -> None:
        """Delete the copies."""
        shutil.rmtree(self.folder / "scratch", ignore_errors=True)


def _known(size: int, seed: int) -> dict[str, Any]:
    """Return the ids that the bench asks about, from the campaign alone."""
    parents: list[tuple[int, ...]] = []
    best = 0
    for node in nodes(size, seed):
        parents.append(node.parents)
        best = node.number if node.row["status"] == "keep" else best
    children = Counter(parent for above in parents for parent in above)
    late = range(max(size - COHORT, 0), size)
    counts = {number: _ancestors(parents, number) for number in late}
    deep = max(late, key=counts.__getitem__)
    return {
        "deep": exp_id(deep),
        "ancestors": counts[deep],
        "best": exp_id(best),
        "chain": _chain(parents, best),
        "busy": [exp_id(number) for number, _ in children.most_common(50)],
        "late": [exp_id(number) for number in range(max(size - 50, 0), size)],
    }


def _ancestors(parents: Sequence[tuple[int, ...]], number: int) -> int:
    found: set[int] = set()
    front = [number]
    while front:
        fresh = set(parents[front.pop()]) - found
        found |= fresh
        front += fresh
    return len(found)


def _chain(parents: Sequence[tuple[int, ...]], number: int) -> int:
    count = 1
    while parents[number]:
        number = parents[number][0]
        count += 1
    return count
