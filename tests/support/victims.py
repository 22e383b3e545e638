"""
Programs that are killed while they work on a store, and a nursery that forks them; run as a script, never imported.

The nursery has everything imported, so that a new victim costs a fork. It reads one order a line on its input:
``start {…}`` answers with a process id, ``wait <pid>`` with how that process ended. A victim writes one line to its
file for everything that a call acknowledged, after the call returned; what went wrong goes to a file beside it.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from gitlineage import LineageError, LineageStore, Trial
from gitlineage.git import maintenance, packs
from gitlineage.index import index

PACKAGE = str(Path(index.__file__).parent)
REPACK = ["git", "repack", "--geometric=2", "-d", "--quiet"]


class Victim:
    """
    One process that works until it is killed.

    Args:
        root: the repository.
        out: the file for what was acknowledged; its name with ``.err`` added takes what went wrong.
        seed: makes the work repeatable.
    """

    def __init__(self, root: str, out: str, seed: int) -> None:
        self.root = Path(root)
        self.out = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        self.seed = seed
        self.chance = random.Random(seed)

    def open(self, writer: str = "alice") -> LineageStore:
        """Open the store as everybody here does."""
        return LineageStore(self.root, writer=writer, identity=("A", "a@example.org"))

    def ack(self, *words: str) -> None:
        """Say that something was acknowledged."""
        os.write(self.out, (" ".join(words) + "\n").encode())

    def row(self, hypothesis: str) -> Trial:
        """Make up a row."""
        status = self.chance.choice(["keep", "discard", "discard", "baseline"])
        return Trial(status=status, core_metric=round(self.chance.uniform(1, 9), 6), hypothesis=hypothesis)

    def one(self, store: LineageStore) -> None:
        """Record one trial in one of the ways there are."""
        how = self.chance.randrange(4)
        if how == 0:
            snapshot = store.append(self.row("a row alone"))
        elif how == 1:
            files = {"f": b"%d" % self.chance.randrange(50), "large": b"same" * 600}
            snapshot = store.commit(files, trial=self.row("files"), cohort=f"c{self.chance.randrange(3)}")
        elif how == 2:
            parents = [view.oid for view in store.log(2)]
            snapshot = store.commit({"f": os.urandom(2000)}, parents, trial=self.row("a child"))
        else:
            snapshot = store.commit({"f": os.urandom(9)}, trial=Trial(hypothesis="waits for its result"))
            self.ack(snapshot.trials[0].exp_id, snapshot.oid)
            store.record(snapshot.oid, self.row("has its result"))
            self.ack(snapshot.trials[0].exp_id, snapshot.oid, "done")
            return
        self.ack(snapshot.exp_id, snapshot.oid)

    def append(self) -> None:
        """Record trials one by one, in stores that live for a while."""
        while True:
            store = self.open()
            for _ in range(20):
                self.one(store)
            store.close()

    def batch(self) -> None:
        """Record batches of all sizes; some go into several packs, some into several commits of the writer's ref."""
        packs._FLUSH = self.chance.choice([packs._FLUSH, 10_000])
        store = self.open()
        while True:
            size = self.chance.choice([2, 3, 3, 5, 5, 20, 20, 70, 520])
            token = f"batch {self.chance.getrandbits(60):x} of {size}"
            with store.batch():
                made = [store.commit({"f": os.urandom(40)}, trial=self.row(token)) for _ in range(size - 1)]
                made.append(store.append(self.row(token)))
            self.ack(*(word for each in made for word in (each.exp_id, each.oid)))

    def folder(self) -> None:
        """Record folders, which git itself reads in, alone and in batches."""
        folder = Path(tempfile.mkdtemp(prefix="victim-", dir=self.root.parent))
        store = self.open()
        while True:
            for name in ("a", "b/c"):
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_bytes(os.urandom(1500))
            size = self.chance.choice([1, 2])
            token = f"batch {self.chance.getrandbits(60):x} of {size}"
            with store.batch():
                made = [store.commit(folder, trial=self.row(token)) for _ in range(size)]
            self.ack(*(word for each in made for word in (each.exp_id, each.oid)))

    def first(self) -> None:
        """Begin writers, each of which makes its first landing."""
        for at in range(1_000_000):
            store = self.open(f"w{self.seed}-{at}")
            made = store.append(Trial(exp_id=f"{self.seed}-{at}", status="discard"))
            self.ack(made.exp_id, made.oid)
            store.close()

    def rebuild(self) -> None:
        """Delete the index and let a reader build it again, and rebuild it by name."""
        while True:
            if self.chance.random() < 0.7:
                path = self.root / ".git" / "lineage" / "index.sqlite3"
                index.delete(path) if self.chance.random() < 0.5 else path.unlink(missing_ok=True)
                with self.open() as store:
                    store.log(None)
            else:
                with self.open() as store:
                    store.reindex()

    def reindex(self) -> None:
        """Rebuild the index by name, in stores that live for a while."""
        while True:
            with self.open() as store:
                for _ in range(3):
                    store.reindex()

    def upkeep(self) -> None:
        """Record while git repacks beside it, started by the store itself and by hand."""
        maintenance.MANY_PACKS = 4
        store = self.open()
        while True:
            by_hand = subprocess.Popen(REPACK, cwd=self.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while by_hand.poll() is None:
                self.one(store)
            for _ in range(5):
                self.one(store)

    def sync(self) -> None:
        """Record and sync with ``origin`` in turns; what a sync that returned had to carry is acknowledged again."""
        while True:
            with self.open() as store:
                for _ in range(10):
                    self.one(store)
                    outcomes = store.sync().outcomes
                    assert not any(outcome.state == "refused" for outcome in outcomes), outcomes
                    self.ack("synced", store.ledger.journal.tips()["alice"])

    def read(self) -> None:
        """Read all the time; an error of ours is a line in the file, and a store that shrinks is an error."""
        most = 0
        while True:
            try:
                with LineageStore(self.root, writer="reader", create=False) as store:
                    for _ in range(self.chance.randrange(1, 30)):
                        views = store.log(None)
                        assert len(views) >= most, f"{most} trials became {len(views)}"
                        most = len(views)
                        store.best()
                        store.all_trials()
                        for view in views[:3]:
                            store.children(view.oid)
                            store.chain_to(view.label)
                        self.ack("read", str(most))
            except LineageError as error:
                self.ack("refused", type(error).__name__, str(error))


def die_at(lines: int) -> None:
    """Kill this process when it has run so many lines of the package."""
    left = lines

    def inside(frame: FrameType, event: str, argument: object) -> Callable[..., object]:
        nonlocal left
        if event == "line":
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return inside

    def call(frame: FrameType, event: str, argument: object) -> Callable[..., object] | None:
        return inside if frame.f_code.co_filename.startswith(PACKAGE) else None

    sys.settrace(call)


def live(order: dict) -> None:
    """Be one victim until the end, which is not a return."""
    os.setsid()
    silent = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silent, stream)
    try:
        victim = Victim(order["root"], order["out"], order["seed"])
        if order["lines"]:
            die_at(order["lines"])
        getattr(victim, order["work"])()
    except BaseException:
        Path(order["out"] + ".err").write_text(traceback.format_exc())
        os._exit(1)


def nursery() -> None:
    """Fork victims by order until the input ends, and leave none alive."""
    alive = set()
    for line in sys.stdin:
        word, _, rest = line.partition(" ")
        if word == "start":
            pid = os.fork()
            if pid == 0:
                live(json.loads(rest))
            alive.add(pid)
            answer = pid
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(int(rest), 0)[1])
            alive.remove(int(rest))
        print(answer, flush=True)
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    nursery()
