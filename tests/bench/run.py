"""
Measure gitlineage beside what people would use instead, on the same generated work, and print the table.

    python tests/bench/run.py [--sizes 1000 10000 100000] [--only NAME ...] [--json] [--million]

Absolute times depend on the machine; the ratios are what counts. The peers are installed into environments of their
own; one that cannot be is reported as absent, with the reason.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import crowds
import figures
import growing
import reading
import relating
import sharing
import starting
import taking
import trees
import viewing
import writing
from figures import Figure
from generate import SEED
from peers import WAYS, Peers
from stores import Stores
from timing import ENVIRONMENT, Rounds, say

MILLION = 1_000_000


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000], help="trials in the stores")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help=f"only these parts: {' '.join(parts(None, None, []))}"
    )
    parser.add_argument("--million", action="store_true", help="a store of a million trials too; takes long")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of the table")
    parser.add_argument("--rounds", type=int, metavar="N", help="measure everything N times at most, for a quick look")
    parser.add_argument("--seed", type=int, default=SEED, help="of the campaign")
    parser.add_argument("--peers", type=Path, metavar="DIR", help="where the peers' environments are kept")
    parser.add_argument("--no-peers", action="store_true", help="measure without them; they are reported as absent")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the stores are kept for the next time")
    options = parser.parse_args()
    unknown = set(options.only or ()) - set(parts(None, None, []))
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    return options


def parts(stores: Stores, peers: Peers, sizes: list[int]) -> dict[str, Callable[[], list[Figure]]]:
    """Return the parts of the bench by name, in the order in which they are run."""
    fieldkit = reading.Fieldkit(stores, peers)
    return {
        "append": lambda: writing.appends(stores, peers, sizes),
        "queries": lambda: reading.queries(stores, fieldkit, sizes),
        "ancestors": lambda: reading.ancestors(stores, sizes),
        "prompt": lambda: reading.prompts(stores, fieldkit, sizes),
        "refresh": lambda: reading.refreshes(stores, sizes),
        "cold": lambda: starting.cold(stores, sizes),
        "cli": lambda: starting.commands(stores, sizes),
        "run": lambda: starting.runs(stores, sizes),
        "artifacts": lambda: starting.artifacts(stores, sizes),
        "verify": lambda: starting.verifies(stores, sizes),
        "share": lambda: sharing.shares(stores, sizes),
        "crowd": lambda: crowds.crowds(stores, sizes),
        "bulk": lambda: writing.bulk(stores, sizes),
        "import": lambda: taking.imports(stores, sizes),
        "disk": lambda: writing.sizes_on_disk(stores, sizes),
        "tree": lambda: trees.snapshots(stores.scratch(), sizes),
        "relations": lambda: relating.relations(stores, sizes),
        "page": lambda: viewing.pages(stores, peers, sizes),
        "growth": lambda: growing.growth(stores, sizes),
        "shows": lambda: starting.walks(stores, sizes) + starting.shows(stores, peers, sizes),
    }


def measured(options: argparse.Namespace, stores: Stores, peers: Peers) -> Iterator[Figure]:
    """Run the parts that are asked for, one after the other."""
    sizes = sorted({*options.sizes, *([MILLION] if options.million else [])})
    for name, part in parts(stores, peers, sizes).items():
        if options.only is None or name in options.only:
            say(f"measuring: {name}")
            yield from part()
            stores.sweep()


def main() -> None:
    """Measure and print."""
    options = arguments()
    os.environ.update(ENVIRONMENT)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program has its bytecode
    Rounds.limit = options.rounds or Rounds.limit
    with tempfile.TemporaryDirectory(prefix="gitlineage-bench-") as scratch:
        stores = Stores(options.keep or Path(scratch, "stores"), options.seed)
        peers = Peers(options.peers or Path(scratch, "peers"), () if options.no_peers else tuple(WAYS))
        found = []
        for figure in measured(options, stores, peers):
            found.append(figure)
            say(figures.as_line(figure))
        told = {name: peers.states.get(name, "not asked") for name in WAYS}
        written = figures.as_json if options.json else figures.as_table
        print(written(found, told, figures.machine()))


if __name__ == "__main__":
    main()
