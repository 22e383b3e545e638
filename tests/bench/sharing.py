"""What going to and from a remote costs: lineage beside git's own push, clone and fetch on the same repository."""

import json
import shutil
import sys
from pathlib import Path

from figures import Figure, cost
from stores import REF, Built, Stores, opened
from timing import git, in_turn, process, sampled, timed

from gitlineage import Trial

ROUNDS = 9
PLAIN = "refs/heads/plain"


def shares(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure push, pull and clone against what git alone takes."""
    rows = []
    for size in sizes:
        built = stores.of(size)
        root, remote = with_remote(stores, built)
        rows += [pushes(root, remote, size), pulls(root, size), clones(stores, remote, size)]
        stores.sweep()
    return rows


def with_remote(stores: Stores, built: Built) -> tuple[Path, Path]:
    """Return a copy of a store, and a bare remote that has all of it and a branch of plain git's."""
    root, remote = stores.copy(built), stores.scratch()
    git(root.parent, "init", "--quiet", "--bare", str(remote))
    git(root, "remote", "add", "origin", str(remote))
    git(root, "update-ref", PLAIN, REF)
    git(root, "push", "--quiet", "origin", f"{REF}:{REF}", f"{PLAIN}:{PLAIN}")
    return root, remote


def pushes(root: Path, remote: Path, size: int) -> Figure:
    """Measure a push of one new trial on an open store against a push of one new commit."""
    with opened(root) as store:
        store.push()
        store.pull()

        def ours() -> float:
            store.commit({"recipe.txt": b"one more"}, trial=Trial(status="discard", core_metric=1.0))
            return timed(store.push)

        def theirs() -> float:
            tip = git(root, "rev-parse", PLAIN).output.strip()
            new = git(root, "commit-tree", "-p", tip, "-m", "one more", f"{tip}^{{tree}}").output.strip()
            git(root, "update-ref", PLAIN, new)
            return git(root, "push", "--quiet", "origin", PLAIN).seconds

        took = in_turn({"ours": ours, "theirs": theirs}, ROUNDS)
    return Figure("share", "push of one new trial", size, took["ours"], "ms", "git push", took["theirs"], cost(2.0))


def pulls(root: Path, size: int) -> Figure:
    """Measure a pull that brings nothing on an open store against a fetch that brings nothing."""
    refspec = "+refs/notes/lineage/*:refs/fetched/*"
    git(root, "fetch", "--quiet", "origin", refspec)
    with opened(root) as store:
        store.pull()
        works = {
            "ours": lambda: timed(store.pull),
            "theirs": lambda: git(root, "fetch", "--quiet", "origin", refspec).seconds,
        }
        took = in_turn(works, ROUNDS)
    return Figure("share", "pull that brings nothing", size, took["ours"], "ms", "git fetch", took["theirs"], cost(1.5))


def clones(stores: Stores, remote: Path, size: int) -> Figure:
    """Measure a clone, ready to be asked, against a mirror clone and the index that is built on it."""
    child = Path(__file__).with_name("child.py")
    git(remote, "update-ref", "-d", PLAIN)

    def ours() -> float:
        place = stores.scratch()
        ended = process([sys.executable, child, "clone", place, f"file://{remote}"])
        shutil.rmtree(place)
        return float(json.loads(ended.output.splitlines()[-1])["seconds"])

    def theirs() -> float:
        place = stores.scratch()
        mirror = git(remote, "clone", "--quiet", "--mirror", f"file://{remote}", str(place)).seconds
        ended = process([sys.executable, child, "rebuild", place])
        shutil.rmtree(place)
        return mirror + float(json.loads(ended.output.splitlines()[-1])["seconds"])

    runs = 5 if size < 100_000 else 3
    mine, floor = sampled(ours, runs, 60.0), sampled(theirs, runs, 60.0)
    return Figure("share", "clone", size, mine, "s", "git clone --mirror + index", floor, cost(1.5))
