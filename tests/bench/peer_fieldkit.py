"""Let fieldkit's LineageStore record and read a campaign; runs in fieldkit's own environment."""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fieldkit.lineage import FailureLabel, LineageStore, Trial
from generate import nodes

BUDGET = 6.0


def median(work: Callable[[], object], runs: int = 5) -> float:
    """Return the median seconds of a call, made fewer times where it is slow."""
    seconds: list[float] = []
    while len(seconds) < runs and (not seconds or sum(seconds) < BUDGET):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> None:
    """Fill a store of the size given in the folder given and measure: ``peer_fieldkit.py FOLDER SIZE SEED``."""
    folder, size, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    store = LineageStore(folder)
    appends = []
    for node in nodes(size, seed):
        trial = Trial(**{**node.row, "status": FailureLabel(node.row["status"])})
        start = time.perf_counter()
        store.append(trial)
        appends.append(time.perf_counter() - start)
    best = store.best()
    print(
        json.dumps(
            {
                "append": statistics.median(appends),
                "fill": sum(appends),
                "best": median(store.best),
                "best_id": best.exp_id if best else "",
                "chain": median(lambda: store.chain_to(best.exp_id if best else "")),
                "prompt": median(lambda: store.render_prompt("opt")),
            }
        )
    )


main()
