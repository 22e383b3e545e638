"""What recording costs: one trial at a time as a store grows, and a whole campaign at once, beside the peers."""

import itertools
import json
import statistics
import time
from pathlib import Path

from experiments import Dvc
from figures import Figure, cost, gain
from generate import exp_id, nodes
from peers import Peers
from stores import REF, Built, Stores, fill, opened
from timing import Failed, Rounds, disk, git, in_turn, process

from gitlineage import LineageStore, Trial
from gitlineage.git import maintenance

HERE = Path(__file__).parent
ROUNDS = 7
EACH = 20
LOOP = 10
PATIENCE = 90.0
TURNS = 3


class Appender:
    """Goes on recording a campaign in a copy of a store, one trial at a time."""

    def __init__(self, stores: Stores, size: int) -> None:
        self.root = stores.copy(stores.of(size))
        self.store: LineageStore = opened(self.root)
        more = itertools.islice(nodes(size + (ROUNDS + 1) * EACH, stores.seed), size, None)
        self.all: list[float] = []
        self._work = [(node.files, [exp_id(at) for at in node.parents], Trial(**node.row)) for node in more][::-1]
        self.row = json.dumps(next(nodes(1, stores.seed)).row)

    def __call__(self) -> float:
        """Record some trials and return the median seconds of one."""
        seconds = []
        for _ in range(EACH):
            files, parents, trial = self._work.pop()
            start = time.perf_counter()
            self.store.commit(files, parents, trial=trial)
            seconds.append(time.perf_counter() - start)
        self.all += seconds
        return statistics.median(seconds)

    def by_plumbing(self) -> float:
        """Record some trials with a loop of git's own commands and return the mean seconds of one."""
        ref, loop = "refs/notes/bench-plumbing", self.root / ".git" / "bench"
        if not loop.exists():
            loop.mkdir()
            (loop / "row").write_text(self.row + "\n")
            (loop / "recipe").write_bytes(next(nodes(1)).files["train.py"])
            git(self.root, "update-ref", ref, REF)
        best = git(self.root, "rev-parse", "refs/lineage/best").output.strip()
        words = ["sh", HERE / "plumbing.sh", str(LOOP), best, loop / "row", loop / "recipe"]
        return process(words, self.root).seconds / LOOP


def appends(stores: Stores, peers: Peers, sizes: list[int]) -> list[Figure]:
    """Measure one recorded trial in stores of all sizes, which take turns."""
    appenders = {size: Appender(stores, size) for size in sizes}
    for each in appenders.values():
        each()
    works = {f"ours {size}": each for size, each in appenders.items()}
    works |= {f"plumbing {size}": each.by_plumbing for size, each in appenders.items()}
    found = in_turn(works, ROUNDS)
    for each in appenders.values():
        each.store.close()
    first, last = sizes[0], sizes[-1]
    ours = {size: found[f"ours {size}"] for size in sizes}
    rows = [
        Figure(
            "append",
            "append one trial",
            size,
            ours[size],
            "ms",
            "git plumbing loop",
            found[f"plumbing {size}"],
            gain(10),
        )
        for size in sizes
    ]
    for size in sizes[1:]:
        goal = cost(1.5 if size >= 1_000_000 else 1.3)
        rows.append(Figure("append", "append, growth", size, ours[size], "ms", f"at {first:,}", ours[first], goal))
    mean = statistics.fmean(appenders[last].all)
    rows.append(Figure("append", "append, the mean of all", last, mean, "ms", "their median", ours[last]))
    return rows + _beside_peers(stores, peers, last)


def _beside_peers(stores: Stores, peers: Peers, size: int) -> list[Figure]:
    """
    Measure one recorded trial beside what people would pick instead.

    Peers record one run after another with nothing in between, so ours are recorded in a row here, in turns with
    theirs: loops of git commands between them leave the processor's caches cold, which costs a fifth.
    """
    appender = Appender(stores, size)
    appender()
    took: list[float] = []
    runs: dict[str, list[float]] = {"run": [], "batched": []}
    saved: list[float] = []
    for _ in range(min(TURNS, Rounds.limit)):
        took += [appender() for _ in range((ROUNDS - 1) // TURNS)]
        said = peers.ask("mlflow", stores.scratch(), "0", str(stores.seed)) or {}
        for kind, seconds in runs.items():
            seconds += [said[kind]] if kind in said else []
        one = Dvc(peers, stores.scratch()).save()
        saved += [one] if one is not None else []
    appender.store.close()
    peer = {"MLflow run": runs["run"], "MLflow run, one log_batch": runs["batched"], "dvc exp save": saved}
    goals = {"dvc exp save": gain(500)}
    name, ours = "append one trial, in a row", statistics.median(took)
    return [
        Figure(
            "append",
            name,
            size,
            ours,
            "ms",
            against,
            statistics.median(seconds) if seconds else None,
            goals.get(against, gain(20)),
        )
        for against, seconds in peer.items()
    ]


def bulk(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure campaigns recorded at once, and git importing the very same objects."""
    rows = []
    for size in sizes:
        built = stores.of(size)
        stores.stream(built)
        patience = PATIENCE if size < 1_000_000 else 0.0
        works = {
            "ours": lambda size=size: fill(stores.scratch(), size, stores.seed),
            "git": lambda built=built: fast_import(stores, built, stores.scratch()),
        }
        found = in_turn(works, 3, patience)
        goal = cost(1.5) if size >= 100_000 else None
        rows.append(Figure("bulk", "bulk", size, found["ours"], "s", "git fast-import", found["git"], goal))
        stores.sweep()
    return rows


def fast_import(stores: Stores, built: Built, place: Path) -> float:
    """Return the seconds that git takes to import a campaign's objects into an empty repository."""
    git(stores.folder, "init", "--quiet", str(place))
    took = git(place, "fast-import", "--quiet", stdin=stores.stream(built)).seconds
    if git(place, "rev-parse", REF).output != git(built.root, "rev-parse", REF).output:
        raise Failed("git fast-import made other objects than the store has")
    return took


def sizes_on_disk(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure what a trial takes on disk after a bulk landing, as it is and after maintenance."""
    rows = []
    for size in sizes:
        built = stores.of(size)
        root = stores.copy(built)
        objects = disk(root / ".git" / "objects") / size
        index, refs = disk(root / ".git" / "lineage") / size, disk(root / ".git" / "refs") / size
        imported = stores.scratch()
        fast_import(stores, built, imported)
        floor = disk(imported / ".git" / "objects" / "pack") / size
        rows.append(Figure("disk", "objects per trial, after bulk", size, objects, "B", "git fast-import", floor))
        with opened(root) as store:
            maintenance.maintain(store.ledger.repo)
        packs = disk(root / ".git" / "objects" / "pack") / size
        rows.append(
            Figure("disk", "packs per trial, after maintain", size, packs, "B", "git fast-import", floor, cost(1.1))
        )
        rows.append(Figure("disk", "index per trial", size, index, "B"))
        rows.append(Figure("disk", "loose refs per trial", size, refs, "B"))
        stores.sweep()
    return rows
