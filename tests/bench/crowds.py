"""What many writers on one remote cost: the first pull, one that brings nothing, folding them into an archive."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from figures import Figure, cost
from starting import program
from stores import Stores
from timing import git, process

from gitlineage.git.formats import FILE, Entry, Identity
from gitlineage.git.repository import GitRepo
from gitlineage.journal import events
from gitlineage.journal.journal import Append, Journal
from gitlineage.model.message import compose

WRITERS = {1000: 100, 10_000: 1000, 100_000: 5000}
"""How many writers there are beside stores of so many trials."""

TRIALS = 20
"""Trials of each of them."""

START = datetime(2026, 1, 1, tzinfo=UTC)
ALL = "+refs/notes/lineage/*:refs/fetched/*"


def crowds(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure commands of a clone beside plain fetches of the same refs, for as many writers as the sizes say."""
    rows = []
    for count in sorted({WRITERS.get(size, max(size // 100, 2)) for size in sizes}):
        rows += _measured(stores, count)
        stores.sweep()
    return rows


def _measured(stores: Stores, count: int) -> list[Figure]:
    hub = stores.scratch()
    gathered(hub, count)
    ours, theirs, other = _clone(stores, hub, "reader"), _clone(stores, hub, "plain"), _clone(stores, hub, "other")
    fetch = git(theirs, "fetch", "--quiet", "origin", ALL).seconds
    rows = [Figure("crowd", "first pull", count, _run(ours, "pull"), "s", "git fetch of all", fetch, cost(2.0))]
    refs = sum(path.is_file() for path in (ours / ".git" / "refs").rglob("*"))
    rows.append(Figure("crowd", "refs with a file of their own", count, refs, ""))
    nothing = min(git(theirs, "fetch", "--quiet", "origin", ALL).seconds for _ in range(3))
    again = min(_run(ours, "pull") for _ in range(3))
    rows.append(Figure("crowd", "pull of nothing new", count, again, "s", "git fetch", nothing, cost(1.5)))
    _run(other, "pull")
    folding = _run(ours, "maintain", "consolidate", "--idle", "0")
    rows.append(Figure("crowd", "consolidate of all", count, folding, "s", "git fetch of all", fetch, cost(2.0)))
    pushing = _run(ours, "maintain", "consolidate", "--push", "origin")
    rows.append(Figure("crowd", "the same, pushed", count, pushing, "s", "git fetch of all", fetch, cost(2.0)))
    taking = _run(other, "pull")
    rows.append(Figure("crowd", "pull of the archive", count, taking, "s", "git fetch of all", fetch, cost(2.0)))
    return rows


def _run(root: Path, *words: str) -> float:
    return process([*program(), *words], root).seconds


def _clone(stores: Stores, hub: Path, writer: str) -> Path:
    root = stores.scratch()
    git(root.parent, "init", "--quiet", str(root))
    git(root, "remote", "add", "origin", str(hub))
    git(root, "config", "lineage.writer", writer)
    return root


def gathered(hub: Path, count: int) -> None:
    """Make a remote with the refs of so many writers, packed as its upkeep leaves it."""
    git(hub.parent, "init", "--quiet", "--bare", str(hub))
    repo = GitRepo(hub)
    journal = Journal(repo)
    for number in range(count):
        with repo.packing():
            _written(repo, journal, f"w{number:05d}")
    repo.drop_refs(repo.refs("refs/lineage/own/").keys())
    git(hub, "gc", "--quiet")


def _written(repo: GitRepo, journal: Journal, writer: str) -> None:
    who = Identity(writer, f"{writer}@example.org")
    lines: list[tuple[str, bytes]] = []
    parents: list[str] = []
    for at in range(TRIALS):
        moment = START + timedelta(minutes=at)
        code = repo.write_blob(f"lr = 0.{at}  # {writer}\n".encode())
        tree = repo.write_tree({"train.py": Entry(FILE, code)})
        row = {
            "exp_id": f"{writer}-{at:03d}",
            "status": "discard" if at % 10 else "keep",
            "core_metric": f"{2 - at / 100:.4f}",
            "hypothesis": f"Idea {at} of {writer}, told in a sentence or so as agents do",
        }
        message = compose(row["hypothesis"], [("Exp-Id", row["exp_id"])])
        oid = repo.write_commit(tree, parents, message, who, moment)
        told = events.TrialEvent(clock=at + 1, at=moment.isoformat().replace("+00:00", "Z"), row=row)
        lines.append((oid, events.encode(told)))
        parents = [oid]
    new = Append(
        writer=writer,
        tip=None,
        lines=lines,
        clock=TRIALS,
        subject=f"{TRIALS} trials",
        identity=who,
        moment=START + timedelta(minutes=TRIALS),
        novel={oid for oid, _ in lines},
    )
    if journal.land(new) is None:
        raise RuntimeError(f"the ref of {writer} was there")
