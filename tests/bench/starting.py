"""What whole processes cost: the command line on a large store, and an index that has to be built first."""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from experiments import Dvc
from figures import Figure, cost, gain, within
from peers import Peers
from stores import REF, Stores, opened
from timing import git, in_turn, over, process, repeated, sampled, say, timed

from gitlineage.bridge.artifacts import keep

BIG = 100_000
MILLION = 1_000_000
ROUNDS = 15


def program() -> list[str]:
    """Return how the command line is started: by its script, where it is installed."""
    script = Path(sys.executable).with_name("gitlineage")
    return [str(script)] if script.exists() else [sys.executable, "-m", "gitlineage"]


def commands(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure commands as whole processes: reading ones against the import of typer, commit against git's own."""
    rows = []
    for size in sizes:
        built = stores.of(size)
        asked = {"log -n 20": ["log", "-n", "20"], "best": ["best"], "leaderboard": ["leaderboard"]}
        asked["show X"] = ["show", built.known["best"]]
        asked["children X"] = ["children", built.known["busy"][0]]
        works = {
            name: lambda root=built.root, more=more: process([*program(), *more], root).seconds
            for name, more in asked.items()
        }
        works["import typer"] = lambda: process([sys.executable, "-c", "import typer"]).seconds
        took = in_turn(works, ROUNDS)
        base = took["import typer"]
        rows += [
            Figure("cli", f"gitlineage {name}", size, took[name], "ms", "import typer", base, cost(1.4))
            for name in asked
        ]
        rows += [*writing(stores, size), *imports(built.root, size)]
    return rows


def writing(stores: Stores, size: int) -> list[Figure]:
    """Measure commit in a small tree beside the git commands that it replaces, and a session-start hook."""
    root = stores.copy(stores.of(size))
    counted = [*program(), "commit", "--json", "-m", "counted", "--status", "discard"]
    plain = "git add -A && git commit -q -m one && git notes --ref notes/plain add -m row"
    told = {"session": root / "session.json", "code": root / "train.py", "calls": root / ".git" / "calls"}
    told["session"].write_text(json.dumps({"cwd": str(root)}))
    number = iter(range(1_000_000))

    def edited(words: list[str], **more: Any) -> float:
        told["code"].write_text(f"print({next(number)})\n")
        return process(words, root, **more).seconds

    works = {
        "commit": lambda: edited(counted),
        "git": lambda: edited(["sh", "-c", plain]),
        "hook": lambda: (
            process([*program(), "hook", "session-start", "--agent", "claude"], root, stdin=told["session"]).seconds
        ),
    }
    took = in_turn(works, ROUNDS)
    tools = root / ".git" / "tools"
    tools.mkdir()
    (tools / "git").write_text(f'#!/bin/sh\necho >>"{told["calls"]}"\nexec "{shutil.which("git")}" "$@"\n')
    (tools / "git").chmod(0o755)
    edited(counted, env={"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"})
    calls = len(told["calls"].read_text().splitlines()) if told["calls"].exists() else 0
    stores.sweep()
    extra = took["commit"] - took["git"]
    return [
        Figure("cli", "gitlineage commit", size, took["commit"], "ms", "git add, commit, notes add", took["git"]),
        Figure("cli", "the same, on top of these", size, extra, "ms", goal=within(0.2)),
        Figure("cli", "the same: git processes", size, calls, "", goal=within(2)),
        Figure("cli", "gitlineage hook session-start", size, took["hook"], "ms", goal=within(0.4)),
    ]


NEEDLESS = ("pygit2", "ssl", "rich", "pydantic", "psutil", "hashlib", "html", "statistics")
"""What a reading command on a current index has no use of."""


def imports(root: Path, size: int) -> list[Figure]:
    """Count what `gitlineage best` imports besides typer, and tell it."""

    def loaded(*words: str) -> set[str]:
        said = process([sys.executable, "-X", "importtime", *words], root).output
        lines = [line for line in said.splitlines() if line.startswith("import time:")]
        return {line.rpartition("|")[2].strip() for line in lines}

    more = loaded("-m", "gitlineage", "best") - loaded("-c", "import typer")
    needless = sorted(more & {*NEEDLESS})
    say(f"gitlineage best imports {len(more)} modules besides typer: {' '.join(sorted(more))}")
    name = "gitlineage best: modules besides typer"
    return [
        Figure("cli", name, size, len(more), ""),
        Figure("cli", f"of them {', '.join(NEEDLESS)}", size, len(needless), "", goal=within(0)),
    ]


def runs(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure what `gitlineage run` takes on top of the command that it runs, in a copy of each store."""
    rows = []
    for size in sizes:
        root = stores.copy(stores.of(size))
        ours = [*program(), "run", "--json", "--if-tried", "repeat", "-m", "nothing", "--", "true"]
        works = {
            "run": lambda root=root, ours=ours: process(ours, root).seconds,
            "bare": lambda root=root: process(["true"], root).seconds,
        }
        took = in_turn(works, ROUNDS)
        name, extra = "gitlineage run -- true, on top of true", took["run"] - took["bare"]
        rows.append(Figure("run", name, size, extra, "ms", goal=within(0.5)))
        stores.sweep()
    return rows


ARTIFACT = 256 * 1024 * 1024
"""Bytes of a file whose keeping is measured, on a store of `BIG`; fewer on a smaller one."""


def artifacts(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure how a file is kept that a run made, beside hashing it and beside copying it, which the disk may bound."""
    size = min(ARTIFACT, ARTIFACT * sizes[-1] // BIG)
    root = stores.copy(stores.of(sizes[0]))
    file = root / "model.bin"
    parts = iter(range(1_000_000))

    def anew() -> Path:
        """Write the file with other bytes, so that its content is not there already."""
        block = os.urandom(1024 * 1024)
        with file.open("wb") as out:
            out.write(next(parts).to_bytes(8))
            for at in range(0, size, len(block)):
                out.write(block[: size - at])
        os.sync()
        return file

    def kept() -> float:
        name = anew().name
        return timed(lambda: keep(store, root, [name]))

    def hashed() -> None:
        with file.open("rb") as data:
            hashlib.file_digest(data, "sha256")

    with opened(root) as store:
        works = {
            "keep": kept,
            "hash": lambda: timed(hashed),
            "copy": lambda: timed(lambda: shutil.copyfile(file, root / ".git" / "copy")),
        }
        took = in_turn(works, 5)
    stores.sweep()
    name = f"artifact of {size // 1024:,} KiB kept"
    return [
        Figure("artifacts", name, 0, took["keep"], "ms", "hashing it", took["hash"], cost(1.5)),
        Figure("artifacts", name, 0, took["keep"], "ms", "copying it", took["copy"], cost(1.5)),
    ]


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


def verifies(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure the check of a whole store against git's own of the objects and one reading of all notes."""
    rows = []
    for size in sizes:
        root = stores.of(size).root
        wanted = stores.scratch()
        git(root, "ls-tree", "-r", "--format=%(objectname)", REF, into=wanted)
        runs, patience = (3, 60.0) if size < MILLION else (1, 0.0)
        ours = sampled(lambda root=root: process([*program(), "maintain", "verify"], root).seconds, runs, patience)
        floor = sampled(
            lambda root=root, wanted=wanted: (
                git(root, "fsck").seconds + git(root, "cat-file", "--batch", stdin=wanted).seconds
            ),
            runs,
            patience,
        )
        goal = cost(3.0) if size == BIG else None
        rows.append(Figure("verify", "gitlineage maintain verify", size, ours, "s", "git fsck + cat-file", floor, goal))
        wanted.unlink()
    return rows


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
