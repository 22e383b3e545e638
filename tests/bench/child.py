"""What the bench does in a process of its own: record beside an open store, build an index cold, or clone."""

import json
import resource
import sys
import time
from pathlib import Path

from stores import opened

from gitlineage import LineageStore, Trial
from gitlineage.git import readahead


def record(root: Path) -> None:
    """Record a child of every id that comes in on standard input, and answer each with a line."""
    with opened(root) as store:
        for number, line in enumerate(sys.stdin):
            trial = Trial(
                status="discard", core_metric=2.0, hypothesis="Recorded meanwhile. " * 7, notes="Noted. " * 42
            )
            store.commit({"train.py": b"meanwhile = %d\n" % number}, [line.strip()], trial=trial)
            print("recorded", flush=True)


def rebuild(root: Path) -> None:
    """Open a store that has no index, ask for its best trial, and print what it took."""
    start = time.perf_counter()
    with opened(root) as store:
        best = store.best()
    told = {"seconds": time.perf_counter() - start, "memory": peak_memory(), "best": best.exp_id if best else ""}
    print(json.dumps(told))


def rebuild_alone(root: Path) -> None:
    """Do the same without a git that reads notes and commits ahead, which shows what that gives."""
    readahead.FEW = sys.maxsize
    rebuild(root)


def peak_memory() -> int:
    """Return the most bytes that this process had in memory; Linux counts the parent's in `getrusage`, so ask anew."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def clone(root: Path) -> None:
    """Clone a remote with its lineage, ask for the best trial, and print what it took."""
    start = time.perf_counter()
    with LineageStore.clone(sys.argv[3], root) as store:
        best = store.best()
    told = {"seconds": time.perf_counter() - start, "best": best.exp_id if best else ""}
    print(json.dumps(told))


{"record": record, "rebuild": rebuild, "rebuild-alone": rebuild_alone, "clone": clone}[sys.argv[1]](Path(sys.argv[2]))
