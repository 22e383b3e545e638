"""
Measure what one recorded trial costs as a store grows, beside the same record made with git's plumbing commands.

Run it by hand: ``python tests/bench/append.py [--sizes 1000 20000] [--runs 300] [--json]``. Absolute times depend on the
machine; the two ratios it ends with are what counts.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from gitlineage import LineageStore, Trial

HYPOTHESIS = (
    "Lower the warmup fraction and raise the peak rate, since the last three trials stalled early in training; "
)
NOTES = "One line changed. " * 17


def trial(number: int) -> Trial:
    """Return a discard with a hypothesis of 150 and notes of 300 characters."""
    return Trial(
        specialist=f"s{number % 8}",
        hypothesis=(HYPOTHESIS * 2)[:150],
        status="baseline" if number == 0 else "discard",
        core_metric=1.0 + number / 1e6,
        notes=NOTES[:300],
    )


def fill(store: LineageStore, size: int) -> None:
    """Bring a store to a size, a thousand trials a landing, each derived from the one before."""
    have = len(store.latest(size))
    parent = store.latest(1)[0].exp_id if have else None
    while have < size:
        with store.batch():
            for number in range(have, min(have + 1000, size)):
                content = {"train.py": b"step = %d\n" % number}
                parent = store.commit(content, [parent] if parent else [], trial=trial(number)).exp_id
        have = min(have + 1000, size)
    subprocess.run(["git", "gc", "--quiet"], cwd=store.root, check=True)


def appends(store: LineageStore, runs: int) -> list[float]:
    """Return the seconds that each of some single commits took."""
    parent = store.latest(1)[0].exp_id
    seconds = []
    for number in range(runs):
        content = {"train.py": b"run = %d %d\n" % (time.monotonic_ns(), number)}
        row = trial(number + 1)
        start = time.perf_counter()
        parent = store.commit(content, [parent], trial=row).exp_id
        seconds.append(time.perf_counter() - start)
    return seconds


def plumbing(folder: Path, runs: int) -> list[float]:
    """
    Return the seconds that the same record takes with git's plumbing in the same repository.

    It is a blob, a tree and a commit for the snapshot; a blob for the note, the notes tree through an index of its own,
    and a commit for the notes; and the move of a ref.
    """
    environment = {**os.environ, "GIT_INDEX_FILE": str(folder / ".git" / "bench-index")}

    def git(*words: str, data: str = "") -> str:
        done = subprocess.run(["git", *words], cwd=folder, env=environment, input=data, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"git {' '.join(words)}: {done.stderr}")
        return done.stdout.strip()

    if git("for-each-ref", "refs/notes/bench") == "":
        git("update-ref", "refs/notes/bench", git("for-each-ref", "--format=%(objectname)", "refs/notes/lineage"))
        git("read-tree", "refs/notes/bench")
    journal = git("rev-parse", "refs/notes/bench")
    parent = git("rev-parse", "refs/lineage/best")
    seconds = []
    for number in range(runs):
        start = time.perf_counter()
        blob = git("hash-object", "-w", "--stdin", data=f"run = {number}\n")
        tree = git("mktree", data=f"100644 blob {blob}\ttrain.py\n")
        message = f"{(HYPOTHESIS * 2)[:150]}\n\nExp-Id: {number}\n"
        commit = git("commit-tree", tree, "-p", parent, data=message)
        row = json.dumps({"exp_id": str(number), "hypothesis": (HYPOTHESIS * 2)[:150], "notes": NOTES[:300]})
        note = git("hash-object", "-w", "--stdin", data=row + "\n")
        git("update-index", "--add", "--cacheinfo", f"100644,{note},{commit[:2]}/{commit[2:4]}/{commit[4:]}")
        notes = git("write-tree")
        said = f"Record {number}\n\nClock: {number + 1}\n"
        new = git("commit-tree", notes, "-p", journal, "-p", commit, data=said)
        git("update-ref", "refs/notes/bench", new, journal)
        parent, journal = commit, new
        seconds.append(time.perf_counter() - start)
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 20000])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        stores = {}
        for size in options.sizes:
            stores[size] = LineageStore(Path(scratch, str(size)), identity=("Bench", "bench@example.org"))
            fill(stores[size], size)
            appends(stores[size], 20)
        measured: dict[int, list[float]] = {size: [] for size in options.sizes}
        by_git: dict[int, list[float]] = {size: [] for size in options.sizes}
        for _ in range(5):
            for size, store in stores.items():
                measured[size] += appends(store, options.runs // 5)
                by_git[size] += plumbing(store.root, max(options.runs // 25, 1))
        for size in options.sizes:
            figures[f"append at {size:,}"] = statistics.median(measured[size]) * 1e3
            figures[f"plumbing at {size:,}"] = statistics.median(by_git[size]) * 1e3
    first, last = options.sizes[0], options.sizes[-1]
    ratios = {"growth": figures[f"append at {last:,}"] / figures[f"append at {first:,}"]}
    ratios |= {
        f"plumbing / append at {n:,}": figures[f"plumbing at {n:,}"] / figures[f"append at {n:,}"]
        for n in options.sizes
    }
    if options.json:
        print(json.dumps({"machine": platform.machine(), "milliseconds": figures, "ratios": ratios}))
        return
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    for name, value in figures.items():
        print(f"  {name:<20} {value:8.2f} ms (median)")
    for name, value in ratios.items():
        print(f"  {name:<28} {value:5.2f} times")


if __name__ == "__main__":
    main()
