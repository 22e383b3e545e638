"""What whole processes cost: the command line on a large store, and an index that has to be built first."""

import json
import shutil
import sys
from pathlib import Path

from experiments import Dvc
from figures import Figure, cost, gain, within
from peers import Peers
from stores import REF, Stores, opened
from timing import git, in_turn, over, process, repeated, sampled

BIG = 100_000
MILLION = 1_000_000
ROUNDS = 15


def commands(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure reading commands as whole processes against the start of Python with pygit2."""
    program = Path(sys.executable).with_name("gitlineage")
    words = [str(program)] if program.exists() else [sys.executable, "-m", "gitlineage"]
    rows = []
    for size in sizes:
        built = stores.of(size)
        asked = {"log -n 20": ["log", "-n", "20"], "best": ["best"]}
        asked["children X"] = ["children", built.known["busy"][0]]
        works = {
            name: lambda root=built.root, more=more: process([*words, *more], root).seconds
            for name, more in asked.items()
        }
        works["import pygit2"] = lambda: process([sys.executable, "-c", "import pygit2"]).seconds
        took = in_turn(works, ROUNDS)
        goal = cost(2.5) if size >= BIG else None
        base = took["import pygit2"]
        rows += [
            Figure("cli", f"gitlineage {name}", size, took[name], "ms", "import pygit2", base, goal) for name in asked
        ]
    return rows


def runs(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure what `gitlineage run` takes on top of the command that it runs, in a copy of each store."""
    program = Path(sys.executable).with_name("gitlineage")
    words = [str(program)] if program.exists() else [sys.executable, "-m", "gitlineage"]
    rows = []
    for size in sizes:
        root = stores.copy(stores.of(size))
        ours = [*words, "run", "--json", "--if-tried", "repeat", "-m", "nothing", "--", "true"]
        works = {
            "run": lambda root=root, ours=ours: process(ours, root).seconds,
            "bare": lambda root=root: process(["true"], root).seconds,
        }
        took = in_turn(works, ROUNDS)
        name, extra = "gitlineage run -- true, on top of true", took["run"] - took["bare"]
        rows.append(Figure("run", name, size, extra, "ms", goal=within(0.5)))
        stores.sweep()
    return rows


def cold(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure an index built from nothing against git reading the commits and the notes."""
    rows = []
    for size in sizes:
        built = stores.of(size)
        root = stores.copy(built)
        memory: list[int] = []
        patience = 60.0 if size < MILLION else 0.0
        ours = sampled(lambda root=root, memory=memory: rebuilt(root, memory), 3, patience)
        wanted = root / ".git" / "notes-blobs"
        git(root, "ls-tree", "-r", "--format=%(objectname)", REF, into=wanted)
        floor = sampled(lambda root=root, wanted=wanted: read_by_git(root, wanted), 3, patience)
        goal = cost(5.0) if size == BIG else None
        rows.append(Figure("cold", "index, cold build", size, ours, "s", "rev-list + cat-file", floor, goal))
        alone = sampled(lambda root=root: rebuilt(root, [], "rebuild-alone"), 3, patience)
        rows.append(Figure("cold", "the same without reading ahead", size, alone, "s", "rev-list + cat-file", floor))
        goal = within(1.5e9) if size == MILLION else None
        rows.append(Figure("cold", "index, cold build: peak memory", size, max(memory), "MB", goal=goal))
        stores.sweep()
    return rows


def rebuilt(root: Path, memory: list[int], how: str = "rebuild") -> float:
    """Return the seconds that a process takes to open a store without its index, its own start excluded."""
    shutil.rmtree(root / ".git" / "lineage")
    ended = process([sys.executable, Path(__file__).with_name("child.py"), how, root])
    told = json.loads(ended.output.splitlines()[-1])
    memory.append(told["memory"])
    return told["seconds"]


def read_by_git(root: Path, wanted: Path) -> float:
    """Return the seconds that git takes to walk all commits and to print all notes."""
    return git(root, "rev-list", "--all").seconds + git(root, "cat-file", "--batch", stdin=wanted).seconds


def walks(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure git's own walk over everything, the floor of whatever reads a graph."""
    rows = []
    for size in sizes:
        built = stores.of(size)
        seconds = repeated(lambda root=built.root: git(root, "rev-list", "--parents", "--all"), 5)
        rows.append(Figure("shows", "git rev-list --parents --all", size, seconds, "s"))
    return rows


def shows(stores: Stores, peers: Peers, sizes: list[int]) -> list[Figure]:
    """Measure the peers' own lists of experiments beside ours."""
    size = sizes[-1]
    built = stores.of(size)
    with opened(built.root) as store:
        top = over(lambda _: store.leaderboard(20), [0], 50)
    count = min(size, 1000)
    runs = peers.ask("mlflow", stores.scratch(), str(count), str(stores.seed)) or {}
    rows = [
        Figure(
            "shows", "leaderboard(20)", size, top, "ms", f"MLflow search, {count:,} runs", runs.get("search"), gain()
        )
    ]
    log = repeated(lambda: process([sys.executable, "-m", "gitlineage", "log", "-n", "20"], built.root), 9)
    shown = Dvc(peers, stores.scratch()).show()
    return [*rows, Figure("shows", "gitlineage log -n 20", size, log, "ms", "dvc exp show, 6 of them", shown, gain())]
