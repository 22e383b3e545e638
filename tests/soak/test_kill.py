"""
Processes that are killed at random moments, git pruning beside them, a disk that fills: nothing acknowledged is lost.

The victims are in `victims.py`. A failure names the seed that repeats it; GITLINEAGE_SEED sets another one, and
GITLINEAGE_SOAK=1 makes 300 kills of one victim at a time instead of 25, 150 beside a pruning git, 180 of three at once.
"""

import contextlib
import fcntl
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import SUPPORT

import gitlineage
from gitlineage import LineageError, LineageStore, StorageError, Trial
from gitlineage.git import packs
from gitlineage.index.index import Index, build, delete
from gitlineage.query.ancestry import children, leaves, parents
from gitlineage.query.views import Views
from gitlineage.record.derived import cohort_ref, exp_ref

PACKAGE = Path(gitlineage.__file__).resolve().parents[1]
SOAK = os.environ.get("GITLINEAGE_SOAK", "0") not in ("", "0")
SEED = int(os.environ.get("GITLINEAGE_SEED", "20260101"))
REF = "refs/notes/lineage/alice"
WAIT = 8.0
"""Seconds that a write may take after a kill: a stale lock is broken after two."""


def row(exp_id: str = "*", metric: float = 5.0, **cells) -> Trial:
    """A kept trial with a score."""
    return Trial(exp_id=exp_id, status="keep", core_metric=metric, **cells)


def git(root: Path, *words: str, check: bool = True) -> str:
    """Run the real git and return what it printed."""
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"git {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


def age(path: Path) -> None:
    """Let a file be an hour old: a lock that young may be somebody's."""
    then = time.time() - 3600
    os.utime(path, (then, then))


def fsck(root: Path) -> None:
    """
    Fail where git finds anything missing, broken or malformed.

    A repack that runs meanwhile takes packs away from under git's reading, which fails then; damage stays.
    """
    words = ["git", "fsck", "--strict", "--no-dangling", "--no-progress"]
    with contextlib.suppress(FileNotFoundError), (root / ".git" / "lineage" / "repack.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    for _ in range(5):
        done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
    raise AssertionError(f"git fsck: {done.stdout}{done.stderr}")


# -- victims -----------------------------------------------------------------------------------------------


class Nursery:
    """The process that forks victims."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SUPPORT / "victims.py")],
            env={**os.environ, "PYTHONPATH": str(PACKAGE)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _ask(self, order: str) -> int:
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, work: str, root: Path, out: Path, seed: int, lines: int = 0) -> int:
        """Start a victim; with ``lines`` it kills itself after so many lines of the package."""
        order = {"work": work, "root": str(root), "out": str(out), "seed": seed, "lines": lines}
        return self._ask(f"start {json.dumps(order)}")

    def wait(self, pid: int) -> int:
        """Return how a victim ended."""
        return self._ask(f"wait {pid}")

    def close(self) -> None:
        """Let the nursery end."""
        self._process.communicate()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """One nursery for all tests here."""
    made = Nursery()
    yield made
    made.close()


def kill(pid: int, *, group: bool) -> None:
    """Kill a victim, alone or with the git processes that it started."""
    if group:
        with contextlib.suppress(ProcessLookupError):  # it may not lead its group yet
            os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Campaign:
    """
    A store whose writers are killed, and all that they were told.

    Args:
        root: the repository.
        nursery: where victims come from.
        seed: makes the moments repeatable.
        outs: where victims write what they were told; beside the repository by default.
    """

    def __init__(self, root: Path, nursery: Nursery, seed: int, outs: Path | None = None) -> None:
        self.root = root
        self.outs = outs or root.parent
        self.nursery = nursery
        self.chance = random.Random(seed)
        self.seed = seed
        self.acknowledged: dict[tuple[str, str], bool] = {}
        self.kills = Counter()
        self._tip = ""
        self._readers: list[tuple[int, Path]] = []
        self._at = 0
        with self.open() as store:
            store.append(Trial(exp_id="base", status="baseline", core_metric=10.0))
            self.acknowledged["base", store.resolve("base")] = True

    def open(self) -> LineageStore:
        """Open the store as everybody here does."""
        return LineageStore(self.root, writer="alice", identity=("A", "a@example.org"))

    def _out(self, work: str) -> Path:
        self._at += 1
        return self.outs / f"{self._at}-{work}.out"

    # -- the victims' lives --------------------------------------------------------------------------------

    def start(self, work: str, lines: int = 0) -> tuple[int, Path]:
        """Start a victim."""
        out = self._out(work)
        return self.nursery.start(work, self.root, out, self.chance.getrandbits(32), lines), out

    def kill_one(self, work: str, longest: float) -> None:
        """Let a victim work and kill it at a random moment: by the clock, or between two lines of the package."""
        if self.chance.random() < 0.5:
            pid, out = self.start(work)
            time.sleep(self.chance.uniform(0, longest))
            kill(pid, group=self.chance.random() < 0.5)
            how = "by the clock"
        else:
            pid, out = self.start(work, lines=int(10 ** self.chance.uniform(2.5, 4.7)))
            deadline = threading.Timer(5 * longest, kill, [pid], {"group": True})
            deadline.start()
            how = "between two lines"
        status = self.nursery.wait(pid)
        if how == "between two lines":
            deadline.cancel()
        self.note(out)
        assert status == -signal.SIGKILL, f"the victim ended by itself: {status}"
        self.kills[how] += 1

    def note(self, out: Path) -> None:
        """Take down what a dead victim had been told; a line that it could not finish counts for nothing."""
        failed = out.with_name(out.name + ".err")
        assert not failed.exists(), failed.read_text()
        text = out.read_text() if out.exists() else ""
        for line in text.split("\n")[:-1]:
            words = line.split(" ")
            done = words[-1] == "done"
            pairs = words[:-1] if done else words
            for exp_id, oid in zip(pairs[::2], pairs[1::2], strict=True):
                self.acknowledged[exp_id, oid] = done or self.acknowledged.get((exp_id, oid), False)

    @contextlib.contextmanager
    def reader(self) -> Iterator[None]:
        """Read in another process meanwhile; all that may go wrong for it is an error of ours in one line."""
        pid, out = self.start("read")
        try:
            yield
        finally:
            kill(pid, group=True)
            self.nursery.wait(pid)
        failed = out.with_name(out.name + ".err")
        assert not failed.exists(), failed.read_text()
        lines = out.read_text().split("\n")[:-1] if out.exists() else []
        refused = [line for line in lines if not line.startswith("read ")]
        assert all(line.startswith("refused ") for line in refused), refused
        assert any(line.startswith("read ") for line in lines), refused[:5]
        assert len(refused) <= len(lines) / 10, refused[:5]

    @contextlib.contextmanager
    def pruning(self) -> Iterator[None]:
        """Run `git gc --prune=now` over and over meanwhile."""
        over = threading.Event()
        runs = Counter()

        def collect() -> None:
            while not over.is_set():
                done = subprocess.run(
                    ["git", "gc", "--prune=now", "--quiet"], cwd=self.root, capture_output=True, check=False
                )
                runs[done.returncode] += 1

        thread = threading.Thread(target=collect)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        assert runs[0], f"git gc never got through: {runs}"

    # -- what must hold ------------------------------------------------------------------------------------

    def check(self) -> None:
        """Compare the store with what was acknowledged, and its index with the notes."""
        with self.open() as store:
            views = store.log(None)
            found = {(view.trial.exp_id, view.oid): view.trial.status is not None for view in views}
            lost = [key for key, done in self.acknowledged.items() if found.get(key, False) < done or key not in found]
            assert not lost, f"acknowledged and lost: {lost[:5]} of {len(lost)}"
            assert len(found) == len(views) == len({exp_id for exp_id, _ in found})
            self._check_batches([view.trial.hypothesis for view in views])
            self._check_index(store)
        self._check_line()
        fsck(self.root)

    def _check_batches(self, hypotheses: list[str]) -> None:
        """A batch's rows carry its name and size: all are there or none."""
        for token, count in Counter(text for text in hypotheses if text.startswith("batch ")).items():
            assert count == int(token.rpartition(" ")[2]), f"half a batch: {count} rows of {token!r}"

    def _check_index(self, store: LineageStore) -> None:
        """
        What the file says after it was brought up to date is what a replay of all notes says.

        It may be another file than the store's: the one that a reader is making in its place.
        """
        path = self.root / ".git" / "lineage" / "index.sqlite3"
        tips = store.ledger.journal.tips()
        filed, replayed = Index(store.ledger.repo, path), build(store.ledger.repo, store.ledger.journal, tips)
        try:
            assert filed.refresh(store.ledger.journal)
            assert filed.tips() == tips
            assert facts(Views(filed, store.ledger.repo)) == facts(Views(replayed, store.ledger.repo))
            assert filed.rows("PRAGMA integrity_check") == [("ok",)]
        finally:
            filed.close()
            replayed.close()

    def _check_line(self) -> None:
        """The writer's ref only went forward: what it was is still in its one line of first parents."""
        line = git(self.root, "log", "--first-parent", "--format=%H %(trailers:key=Clock,valueonly,separator=)", REF)
        oids, clocks = zip(*(each.split() for each in line.splitlines()), strict=True)
        assert not self._tip or self._tip in oids, "the writer's ref went back"
        assert int(clocks[-1]) == 0
        assert [int(clock) for clock in clocks] == sorted(map(int, clocks), reverse=True)
        self._tip = oids[0]

    def heal(self) -> None:
        """The next write goes through in good time and clears away what the dead left behind."""
        began = time.monotonic()
        with self.open() as store:
            made = store.append(row(f"heal-{self._at}", metric=self.chance.uniform(0, 9)))
            assert time.monotonic() - began < WAIT, "a stale lock held the next write up"
            self.acknowledged[made.exp_id, made.oid] = True
            assert git(self.root, "rev-parse", "refs/lineage/best").strip() == store.resolve("best")
            assert not store.ledger._landing
        assert self.leftovers("*.keep") == []
        assert f"{REF}.lock" not in self.locks()

    def locks(self) -> list[str]:
        """Lock files of refs; with one that stays, `git gc` refuses to work."""
        folder = self.root / ".git"
        found = [*(folder / "refs").rglob("*.lock"), *folder.glob("packed-refs.lock")]
        return [str(path.relative_to(folder)) for path in found]

    def leftovers(self, pattern: str) -> list[str]:
        """Files beside the packs."""
        return sorted(path.name for path in (self.root / ".git" / "objects" / "pack").glob(pattern))

    def settle(self) -> None:
        """After it all, an hour later: names rebuilt, nothing left for ever, and a prune takes no trial."""
        for lock in self.locks():
            age(self.root / ".git" / lock)
        with self.open() as store:
            assert store.reindex() == len([view for view in store.log(None) if view.trial.status is not None])
            self._check_names(store)
        assert self.locks() == []
        assert len(list((self.root / ".git" / "lineage").glob("*index*"))) <= 4, "old indexes pile up"
        git(self.root, "gc", "--prune=now", "--quiet")
        for pattern in ("*.keep", "tmp_*", "*.lock"):
            assert self.leftovers(pattern) == []
        stems = [{Path(name).stem for name in self.leftovers(pattern)} for pattern in ("*.pack", "*.idx")]
        assert stems[0] == stems[1]
        self.check()

    def _check_names(self, store: LineageStore) -> None:
        """The refs are exactly those that the store's trials and cohorts ask for, and those that keep its writers'."""
        shown = {
            exp_ref(store.ledger.namespace, v.label): v.oid for v in store.log(None, statuses=["keep", "baseline"])
        }
        shown |= {cohort_ref(store.ledger.namespace, cohort.name): cohort.oid for cohort in store.cohorts()}
        shown |= {store.ledger.namespace.kept(writer): tip for writer, tip in store.ledger.journal.tips().items()}
        shown["refs/lineage/best"] = store.resolve("best")
        lines = git(self.root, "for-each-ref", "--format=%(refname) %(objectname)", "refs/lineage").splitlines()
        assert dict(line.split() for line in lines) == shown


def facts(views: Views) -> dict[str, object]:
    """Everything that an index says, in no tables' terms; of a large one, every so many-th snapshot."""
    known = sorted(oid for (oid,) in views.index.rows("SELECT oid FROM snapshots"))
    oids = known[:: 1 + len(known) // 300]
    return {
        "known": known,
        "trials": views.listing(),
        "snapshots": {oid: views.snapshot(oid) for oid in oids},
        "children": {oid: [each.oid for each in children(views, oid)] for oid in oids},
        "parents": {oid: [each.oid for each in parents(views, oid)] for oid in oids},
        "leaves": [each.oid for each in leaves(views)],
        "cohorts": views.cohorts.all(),
        "best": views.best_oid(),
        "task": views.index.task,
        "clock": views.index.clock,
        "problems": views.index.rows("SELECT writer, oid, reason FROM problems ORDER BY 1, 2, 3"),
    }


@pytest.fixture
def campaign(tmp_path: Path, nursery: Nursery, request: pytest.FixtureRequest) -> Campaign:
    """A campaign whose seed follows from the test's name."""
    seed = random.Random(f"{SEED} {request.node.name}").getrandbits(32)
    print(f"GITLINEAGE_SEED={SEED} for {request.node.name}")
    return Campaign(tmp_path / "repo", nursery, seed)


# -- kills -------------------------------------------------------------------------------------------------

WORKS = [("append", 0.6), ("batch", 0.6), ("folder", 0.6), ("rebuild", 0.12), ("upkeep", 0.6)]
KILLS = 60 if SOAK else 5


@pytest.mark.soak
@pytest.mark.parametrize(("work", "longest"), WORKS, ids=[work for work, _ in WORKS])
def test_kills(campaign, work, longest, counted):
    """Killed at random moments while a reader reads: all that was acknowledged is there, whole, and writable."""
    if work == "rebuild":
        with campaign.open() as store, store.batch():
            for at in range(60):
                store.commit({"f": b"%d" % at}, ["best"], trial=row(metric=9 - at / 10))
    with campaign.reader():
        for _ in range(KILLS):
            campaign.kill_one(work, longest)
            campaign.check()
            campaign.heal()
    campaign.settle()
    assert campaign.kills.total() == KILLS
    counted(f"{KILLS} kills of {work}, a fifth of {KILLS * len(WORKS)}")
    assert work == "rebuild" or len(campaign.acknowledged) > KILLS + 1, "no victim was told anything"


@pytest.mark.soak
@pytest.mark.parametrize("work", ["append", "batch", "folder", "first", "rebuild"])
def test_kills_while_git_prunes(campaign, work, counted):
    """With `git gc --prune=now` running all the time, no acknowledged trial is lost either."""
    longest = dict(WORKS).get(work, 0.2)
    with campaign.reader(), campaign.pruning():
        for _ in range(KILLS // 2):
            campaign.kill_one(work, 2 * longest)
            campaign.check()
    campaign.heal()
    campaign.settle()
    counted(f"{campaign.kills.total()} kills of {work} while git prunes")


@pytest.mark.soak
def test_kills_of_two_victims_at_once(campaign, counted):
    """Writers and rebuilders die beside each other, and the ones that live on are not disturbed."""
    with campaign.reader():
        for _ in range(KILLS):
            works = campaign.chance.sample(["append", "batch", "rebuild", "rebuild", "upkeep"], 3)
            running = [campaign.start(work) for work in works]
            time.sleep(campaign.chance.uniform(0.05, 0.3))
            for pid, out in running:
                kill(pid, group=True)
                assert campaign.nursery.wait(pid) == -signal.SIGKILL, out.with_name(out.name + ".err").read_text()
                campaign.note(out)
            campaign.check()
            campaign.heal()
    campaign.settle()
    counted(f"{3 * KILLS} kills of three victims beside each other")


# -- git prunes at the worst moment ------------------------------------------------------------------------


def single(store: LineageStore, folder: Path) -> None:
    """A row alone."""
    store.append(row("new"))


def files(store: LineageStore, folder: Path) -> None:
    """Files given in memory, one of them large and lying about unreferenced."""
    store.commit({"small": b"1", "large": (folder / "large").read_bytes()}, trial=row("new"))


def a_folder(store: LineageStore, folder: Path) -> None:
    """A folder that git reads in."""
    store.commit(folder, trial=row("new"))


def a_batch(store: LineageStore, folder: Path) -> None:
    """A batch of everything."""
    with store.batch():
        made = store.commit(folder, trial=row("new"), cohort="c")
        for at in range(80):
            store.commit({"f": b"%d" % at}, [made], trial=row())


def several_packs(store: LineageStore, folder: Path) -> None:
    """A batch that is too large for one pack."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packs, "_FLUSH", 5000)
        a_batch(store, folder)


def a_retry(store: LineageStore, folder: Path) -> None:
    """A batch whose ref another program moves."""
    base = git(store.root, "rev-list", "--max-parents=0", REF).split()[0]
    with store.batch():
        store.commit(folder, trial=row("new"))
        store.commit({"f": b"2"}, ["new"], trial=row())
        people = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        git(store.root, *people, "notes", f"--ref={REF}", "append", "-m", "a remark", base)


WRITES = [single, files, a_folder, a_batch, several_packs]


@pytest.mark.parametrize(("write", "begun"), [*((write, begun) for write in WRITES for begun in (0, 1)), (a_retry, 1)])
def test_git_prunes_between_the_objects_and_the_ref(open_store, folder, tmp_path, monkeypatch, write, begun):
    """`git gc --prune=now` right before the ref moves, and before each retry, takes nothing of the landing."""
    store = open_store()
    if begun:
        store.append(row("before"))
    content = tmp_path / "content"
    (content / "deep").mkdir(parents=True)
    (content / "deep" / "small").write_text("small")
    (content / "large").write_bytes(random.Random(1).randbytes(3000))
    git(folder, "hash-object", "-w", str(content / "large"))
    pruned = []

    def prune() -> None:
        pruned.append(git(folder, "gc", "--prune=now", "--quiet"))

    flush, again = packs.PackWriter.flush, store.ledger._publish_again
    monkeypatch.setattr(packs.PackWriter, "flush", lambda writer: (prune(), flush(writer), prune())[1])
    monkeypatch.setattr(store.ledger, "_publish_again", lambda *words: (prune(), again(*words))[1])
    write(store, content)
    assert pruned
    monkeypatch.undo()
    fsck(folder)
    git(folder, "gc", "--prune=now", "--quiet")
    fsck(folder)
    fresh = open_store()
    assert fresh.snapshot("new").trials[0].exp_id == "new"
    if write in (a_folder, a_batch, several_packs, a_retry):
        assert fresh.files("new") == {"deep/small": b"small", "large": (content / "large").read_bytes()}
    assert fresh.append(row("after")).exp_id == "after"


def test_an_object_of_a_pack_that_git_deleted_is_written_again(store, folder):
    """A store that has read from a pack does not take its objects for granted once git has deleted it."""
    store.append(row("before"))
    content = [b"x" * 2000, b"y" * 3000]
    oids = []
    for data in content:
        (folder / "scratch").write_bytes(data)
        oids.append(git(folder, "hash-object", "-w", "scratch").strip())
    words = ["git", "pack-objects", "-q", ".git/objects/pack/pack"]
    subprocess.run(words, input="\n".join(oids) + "\n", text=True, cwd=folder, check=True, capture_output=True)
    git(folder, "prune-packed", "-q")
    assert store.ledger.repo.read(oids[1]) == content[1]
    git(folder, "gc", "--prune=now", "--quiet")
    store.commit({"f": content[0]}, trial=row("new"))
    fsck(folder)
    assert store.files("new") == {"f": content[0]}


# -- a full disk -------------------------------------------------------------------------------------------


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small disk in memory; skipped where mounting one is not allowed."""
    place = Path(tempfile.mkdtemp(prefix="gitlineage-kill-"))
    words = ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(place)]
    done = subprocess.run(words, capture_output=True, text=True, check=False) if os.geteuid() == 0 else None
    if done is None or done.returncode:
        place.rmdir()
        pytest.skip(f"mounting a small disk needs root and leave to mount{(done and ': ' + done.stderr.strip()) or ''}")
    yield place
    subprocess.run(["umount", "-l", str(place)], capture_output=True, check=True)
    place.rmdir()


@contextlib.contextmanager
def room(place: Path, left: int) -> Iterator[None]:
    """Fill a disk until so many bytes are left, and make room again."""
    filler = place / "filler"
    with filler.open("wb") as file:
        while (free := shutil.disk_usage(place).free) > left:
            with contextlib.suppress(OSError):  # a reader may take some of it at the same time
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, free - left)
    try:
        yield
    finally:
        filler.unlink()


def write_one(store: LineageStore, name: str) -> None:
    """A row alone, with text."""
    store.append(row(name, hypothesis="x" * 3000))


def write_files(store: LineageStore, name: str) -> None:
    """A snapshot in a cohort of its own."""
    store.commit({"f": os.urandom(5000)}, ["base"], trial=row(name, metric=0.5), cohort=f"c{name}")


def write_batch(store: LineageStore, name: str) -> None:
    """A batch with noise in it, so that its pack is larger than a few pages."""
    with store.batch():
        for at in range(30):
            store.commit({"f": os.urandom(1500)}, ["base"], trial=row(f"{name}-{at}"))


def write_packs(store: LineageStore, name: str) -> None:
    """A batch that goes into several packs, the first of them long before it ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packs, "_FLUSH", 12_000)
        write_batch(store, name)


def write_folder(store: LineageStore, name: str) -> None:
    """A folder that git reads in."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "f").write_bytes(os.urandom(9000))
        store.commit(Path(folder), ["base"], trial=row(name))


PAGE = 4096
PAGES = [*range(0, 51, 1 if SOAK else 4), *range(51, 160, 6 if SOAK else 36)]


@pytest.mark.soak
@pytest.mark.parametrize("write", [write_one, write_files, write_batch, write_packs, write_folder])
def test_a_write_on_a_disk_that_fills(disk, write):
    """
    However much room is left, a write is recorded or refused as it says, and afterwards all is well.

    The room goes from none to enough, so that each step of a write is the one that fails; the store has been open for
    a while or is opened for that write.
    """
    root = disk / "repo"
    store = LineageStore(root, writer="alice", identity=("A", "a@example.org"))
    store.append(row("base", metric=1.0))
    expected, outcomes = {"base"}, Counter()
    for step, pages in enumerate(PAGES):
        if step % 3 == 2:
            store.close()
            store = LineageStore(root, writer="alice", identity=("A", "a@example.org"))
        with room(disk, pages * PAGE):
            try:
                write(store, f"p{pages}")
                recorded = True
            except StorageError as error:
                recorded = False
                assert "nothing was recorded" in str(error), pages
                assert "\n" not in str(error), pages
            read = {trial.exp_id for trial in store.all_trials()}
        outcomes[recorded] += 1
        wanted = {f"p{pages}-{at}" for at in range(30)} if write in (write_batch, write_packs) else {f"p{pages}"}
        expected |= wanted if recorded else set()
        assert read == expected, (pages, recorded)
        with LineageStore(root, create=False) as other:
            assert {trial.exp_id for trial in other.all_trials()} == expected, (pages, recorded)
            if pages % 7 and not SOAK:
                continue
            assert facts(other.ledger.views()) == facts(
                Views(build(other.ledger.repo, other.ledger.journal, other.ledger.journal.tips()), other.ledger.repo)
            )
        fsck(root)
    assert outcomes[True] and outcomes[False]
    assert store.append(row("last")).exp_id == "last"
    assert store.reindex() == len(expected) + 1
    git(root, "gc", "--prune=now", "--quiet")
    fsck(root)
    assert not list((root / ".git" / "objects" / "pack").glob("*.keep"))
    assert not list((root / ".git" / "objects" / "pack").glob("tmp_*"))
    store.close()


@pytest.mark.soak
@pytest.mark.parametrize("how", ["open", "reindex", "half"])
def test_an_index_build_on_a_disk_that_fills(disk, how):
    """However much room is left, a reader that must build the index answers rightly or says why not."""
    root = disk / "repo"
    path = root / ".git" / "lineage" / "index.sqlite3"
    store = LineageStore(root, writer="alice", identity=("A", "a@example.org"))
    with store.batch():
        store.append(row("base", metric=1.0))
        for at in range(80):
            store.commit({"f": b"%d" % at}, ["base"], trial=row(f"t{at}", hypothesis="x" * 300))
    wanted = facts(store.ledger.views())
    store.close()
    files, outcomes = 0, Counter()
    for pages in PAGES:
        if how == "open":
            delete(path)
        elif how == "half":
            with contextlib.closing(sqlite3.connect(path)) as connection, connection:
                connection.execute("DELETE FROM tips")
        with room(disk, pages * PAGE):
            try:
                with LineageStore(root, writer="alice", create=False) as reader:
                    if how == "reindex":
                        assert reader.reindex() == 81
                    assert facts(reader.ledger.views()) == wanted, pages
                outcomes["answered"] += 1
            except LineageError as error:
                assert "\n" not in str(error)
                outcomes["refused"] += 1
        with LineageStore(root, writer="alice", identity=("A", "a@example.org"), create=False) as reader:
            assert facts(reader.ledger.views()) == wanted, pages
            files += reader.ledger._index.file.path is not None
    assert files == len(PAGES)
    assert outcomes["answered"] > len(PAGES) / 2, outcomes
    fsck(root)


def test_a_reader_beside_a_full_disk(disk, nursery, tmp_path):
    """Another process that reads while writes are refused never sees more than an error of ours."""
    campaign = Campaign(disk / "repo", nursery, SEED, tmp_path)
    with campaign.reader():
        for pages in range(0, 60, 2):
            with room(disk, pages * PAGE), campaign.open() as store, contextlib.suppress(StorageError):
                for at in range(5):
                    made = store.commit({"f": os.urandom(2000)}, trial=row(f"p{pages}-{at}"))
                    campaign.acknowledged[made.exp_id, made.oid] = True
    campaign.check()
    campaign.settle()
