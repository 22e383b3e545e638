"""What questions cost in an open store, after a write too, and what another process's trial costs to notice."""

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

from figures import Figure, cost, gain, within
from peers import Peers
from stores import REF, Built, Stores, opened
from timing import Rounds, git, in_turn, over, repeated, sampled, timed

from gitlineage import LineageStore, Trial
from gitlineage.index.index import read_row

RUNS = 200
REFRESHED = 15
AFRESH = 9
BIG = 100_000


class Fieldkit:
    """What fieldkit needs for the same campaigns, measured once for each size."""

    def __init__(self, stores: Stores, peers: Peers) -> None:
        self._stores = stores
        self._peers = peers
        self._found: dict[int, dict[str, float]] = {}

    def of(self, size: int) -> dict[str, float]:
        """Return its seconds for a store of a size, nothing where fieldkit is absent or a million is too many."""
        if size not in self._found and size <= BIG:
            asked = self._peers.ask("fieldkit", self._stores.scratch(), str(size), str(self._stores.seed))
            self._found[size] = asked or {}
        return self._found.get(size, {})


def queries(stores: Stores, fieldkit: Fieldkit, sizes: list[int]) -> list[Figure]:
    """Measure the short questions, each on many different nodes in turn."""
    rows = []
    for size in sizes:
        built = stores.of(size)
        theirs = fieldkit.of(size)
        with opened(built.root) as store:
            asked: dict[str, tuple[Callable[[Any], object], list[Any], str]] = {
                "best": (lambda _, store=store: store.best(), [0], "best"),
                "children": (store.children, built.known["busy"], "best"),
                "chain_to": (store.chain_to, [built.known["best"], *built.known["late"]], "chain"),
                "leaderboard(20)": (lambda _, store=store: store.leaderboard(20), [0], "best"),
            }
            for name, (work, nodes, peer) in asked.items():
                ours = over(work, nodes, RUNS, 5.0)
                if size >= BIG:
                    rows.append(Figure("queries", name, size, ours, "ms", goal=within(1e-3)))
                if size <= BIG:
                    against = "fieldkit chain_to()" if peer == "chain" else "fieldkit best()"
                    goal = gain(1000 if size == BIG else None)
                    rows.append(Figure("queries", name, size, ours, "ms", against, theirs.get(peer), goal))
        rows += chains(stores, built, theirs.get("chain"))
        stores.sweep()
    return rows


def chains(stores: Stores, built: Built, theirs: float | None) -> list[Figure]:
    """Measure chains that nobody asked for since something was recorded, or since the store was opened."""
    best = built.known["best"]
    root = stores.copy(built)
    opening = sampled(lambda: afresh(root, best), AFRESH)
    known, new = [], []
    with opened(root) as store:
        store.chain_to(best)
        for made in appended(store, built.known["late"][: Rounds.limit]):
            known.append(timed(lambda: store.chain_to(best)))
            new.append(timed(lambda made=made: store.chain_to(made)))
    rows = []
    for name, seconds in (("to the best", known), ("to the new trial", new)):
        told, ours = f"chain_to, after an append, {name}", statistics.median(seconds)
        if built.size >= BIG:
            rows.append(Figure("queries", told, built.size, ours, "ms", goal=within(1e-3)))
        if built.size <= BIG:
            goal = gain(1000 if built.size == BIG else None)
            rows.append(Figure("queries", told, built.size, ours, "ms", "fieldkit chain_to()", theirs, goal))
    rows.append(Figure("queries", f"chain_to, store just opened ({built.known['chain']} long)", built.size, opening))
    return rows


def afresh(root: Path, name: str) -> float:
    """Return the seconds of a chain that is the first question to a store whose index is up to date."""
    with opened(root) as store:
        store.ledger.refresh()
        read_row.cache_clear()
        return timed(lambda: store.chain_to(name))


def appended(store: LineageStore, parents: Iterable[str]) -> Iterator[str]:
    """Record a child of each of some trials in turn, and return its exp id each time."""
    for number, parent in enumerate(parents):
        trial = Trial(status="discard", core_metric=2.0, hypothesis="Recorded meanwhile. " * 7, notes="Noted. " * 42)
        made = store.commit({"train.py": b"after = %d\n" % number}, [parent], trial=trial).exp_id
        assert made is not None
        yield made


def ancestors(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure all ancestors of a deep node against git's own walk from it."""
    rows = []
    for size in sizes:
        built = stores.of(size)
        with opened(built.root) as store:
            deep = built.known["deep"]
            oid = store.resolve(deep)
            found = len(store.ancestors(deep))
            works = {
                "ours": lambda store=store, deep=deep: timed(lambda: store.ancestors(deep)),
                "git": lambda root=built.root, oid=oid: git(root, "rev-list", "--skip=1", oid).seconds,
                "start": lambda root=built.root, oid=oid: git(root, "rev-list", "-n", "1", oid).seconds,
            }
            took = in_turn(works, 9)
        floor = ("git rev-list", took["git"] - took["start"], cost(2.0)) if size >= BIG else ("", None, None)
        rows.append(Figure("ancestors", f"ancestors ({found:,})", size, took["ours"], "ms", *floor))
    return rows


def prompts(stores: Stores, fieldkit: Fieldkit, sizes: list[int]) -> list[Figure]:
    """Measure a prompt as a specialist's session gets it, after a recorded trial and again; all sizes take turns."""
    told = ("render_prompt, after an append", "render_prompt")
    works: dict[str, Callable[[], float]] = {}
    with ExitStack() as stack:
        for size in sizes:
            built = stores.of(size)
            store = stack.enter_context(opened(stores.copy(built)))
            made = appended(store, cycle(built.known["late"]))
            ask = partial(store.render_prompt, "opt")
            works[f"{told[0]} {size}"] = lambda made=made, ask=ask: (next(made), timed(ask))[1]
            works[f"{told[1]} {size}"] = partial(repeated, ask, 3)
        ours = in_turn(works, 50)
    stores.sweep()
    rows = []
    for size in sizes:
        theirs = fieldkit.of(size).get("prompt")
        goal = gain(300 if size >= BIG else None)
        long = f"(chain of {stores.of(size).known['chain']:,})"
        rows += [
            Figure("prompt", f"{name} {long}", size, ours[f"{name} {size}"], "ms", "fieldkit", theirs, goal)
            for name in told
        ]
    for name in told:
        first = ours[f"{name} {sizes[0]}"]
        rows += [
            Figure(
                "prompt", f"{name}, growth", size, ours[f"{name} {size}"], "ms", f"at {sizes[0]:,}", first, cost(1.3)
            )
            for size in sizes[1:]
        ]
    return rows


def refreshes(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure how an open store takes in one trial that another process recorded."""
    rows = []
    for size in sizes:
        root, elsewhere = stores.copy(stores.of(size)), stores.copy(stores.of(size))
        foreign = fetched(root, elsewhere, stores.of(size).known["late"][-1])
        with opened(root) as store, other_process(root) as beside:
            best = store.best()
            assert best is not None
            shared = []
            for _ in range(min(REFRESHED, Rounds.limit)):
                beside(best.exp_id)
                shared.append(timed(store.ledger.refresh))
            idle = repeated(store.ledger.refresh, 50)
        goal = within(5e-3) if size >= BIG else None
        name = "refresh after one trial"
        rows.append(Figure("refresh", f"{name} of another process", size, statistics.median(shared), goal=goal))
        rows.append(Figure("refresh", f"{name} that came with git fetch", size, foreign, goal=goal))
        rows.append(Figure("refresh", "refresh with nothing new", size, idle))
        stores.sweep()
    return rows


def fetched(root: Path, elsewhere: Path, parent: str) -> float:
    """
    Return the median seconds of taking in one trial that nobody has folded here.

    Another process records it in a copy of the whole store, and git fetches the writer's ref from there. It tells the
    other side of that ref alone: from the many names of snapshots both would walk through all of history. The trial is
    derived from a late one: before it sends a child of the first, git looks at everything that is newer.
    """
    fetch = ("-c", "gc.auto=0", "fetch", "--quiet", f"--negotiation-tip={REF}")
    seconds = []
    with other_process(elsewhere) as record, opened(root) as store:
        store.ledger.refresh()
        for _ in range(min(REFRESHED, Rounds.limit)):
            record(parent)
            git(root, *fetch, str(elsewhere), f"{REF}:{REF}")
            seconds.append(timed(store.ledger.refresh))
    return statistics.median(seconds)


@contextmanager
def other_process(root: Path) -> Iterator[Callable[[str], None]]:
    """Run another process that has the store open and records a child of what it is told."""
    words = [sys.executable, Path(__file__).with_name("child.py"), "record", root]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None and child.stdout is not None

        def record(parent: str) -> None:
            child.stdin.write(parent + "\n")
            child.stdin.flush()
            if not child.stdout.readline():
                raise RuntimeError("the other process ended")

        try:
            yield record
        finally:
            child.stdin.close()
            child.wait()
