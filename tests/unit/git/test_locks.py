"""The lock files of refs, against real processes that are killed, stopped, or are not ours at all."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gitlineage
from gitlineage import LineageStore, Trial
from gitlineage.errors import Invalid, Locked
from gitlineage.git import locks
from gitlineage.git.repository import GitRepo, init_repository
from gitlineage.record import turns

PACKAGE = Path(gitlineage.__file__).resolve().parents[1]
REF = "refs/notes/lineage/alice"

HOLD = """
import os, signal, sys
from gitlineage.git.repository import GitRepo
from gitlineage.git.locks import Locks
how, (root, name, oid) = int(sys.argv[1]), sys.argv[2:5]
with Locks(GitRepo(root).commondir, GitRepo(root).own, GitRepo(root).modes) as locks:
    locks.take(name, locks.mark(f"{oid}\\n".encode()))
    print("held", flush=True)
    os.kill(os.getpid(), how)
"""

NO_FLOCK = """
import fcntl, sys
fcntl.flock = lambda *_: None
from gitlineage import LineageStore, Trial
store = LineageStore(sys.argv[1], writer="alice", identity=("W", "w@example.org"))
print("ready", flush=True)
sys.stdin.readline()
for at in range(int(sys.argv[3])):
    print(store.append(Trial(f"{sys.argv[2]}-{at}", status="discard")).oid, flush=True)
"""

MOVE = """
import os, random, signal, sys
from datetime import UTC, datetime
from gitlineage.git.formats import Identity
from gitlineage.git.repository import GitRepo
from gitlineage.git.locks import Locks
root, name, count, ref, kills = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], float(sys.argv[5])
repo, put, chance = GitRepo(root), Locks.put, random.Random(name)
def fatal(locks, ref):
    if chance.random() < kills:
        os.kill(os.getpid(), signal.SIGKILL)
    put(locks, ref)
Locks.put = fatal
won = 0
while won < count:
    tip = repo.ref(ref)
    new = repo.write_commit(repo.empty_tree(), [tip] if tip else [], f"{name} {won}", Identity(name, name),
                            datetime.now(UTC))
    if repo.move_ref(ref, new, tip):
        won += 1
        print(won, flush=True)
"""


def start(script: str, *words: object) -> subprocess.Popen:
    """Start a process of ours."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen) -> None:
    """Let go of a process that was started."""
    process.kill()
    process.communicate()


@pytest.fixture
def repo(folder: Path) -> GitRepo:
    """A repository without commits."""
    init_repository(folder)
    return GitRepo(folder)


@pytest.fixture
def oids(repo, git) -> list[str]:
    """Two commits."""
    tree = git("mktree", data="")
    return [git("commit-tree", tree, "-m", text) for text in "ab"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("exists", [False, True])
def test_a_lock_of_a_killed_writer_is_taken_over_and_gits_own_never(repo, git, folder, oids, packed, exists):
    """A dead process's lock goes at once; a lock file that nobody of ours made is named with its remedy, and stays."""
    first, second = oids
    if exists:
        git("update-ref", REF, first)
    if packed:
        git("pack-refs", "--all")
    lock = folder / ".git" / f"{REF}.lock"
    holder = start(HOLD, signal.SIGKILL, folder, REF, second)
    assert holder.communicate()[0] == "held\n"
    assert lock.exists()
    assert repo.move_ref(REF, second, first if exists else None)
    assert not lock.exists()
    lock.write_text("")
    os.utime(lock, (1, 1))
    with pytest.raises(Locked, match=f"rm {lock}") as caught:
        repo.move_ref(REF, first, second)
    assert (caught.value.path, caught.value.holder) == (str(lock), "")
    assert lock.exists()
    lock.unlink()
    assert repo.move_ref(REF, first, second)
    assert git("rev-parse", REF) == first
    assert not list((folder / ".git" / "lineage").glob("held~*"))


def test_a_stopped_holder_keeps_its_lock_and_is_named(repo, folder, oids):
    """A process that is stopped is not dead: whoever waits is told its number."""
    holder = start(HOLD, signal.SIGSTOP, folder, REF, oids[0])
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Locked, match=f"process {holder.pid} on ") as caught:
            repo.move_ref(REF, oids[1], None)
        assert Path(caught.value.path).exists()
        holder.send_signal(signal.SIGCONT)
        assert holder.wait() == 0
        assert repo.move_ref(REF, oids[1], None)
    finally:
        end(holder)


def test_processes_that_race_and_die_holding_the_lock_lose_nothing(repo, git, folder):
    """Three move a ref, every seventh move of three others is fatal: one line, with all that was acknowledged."""
    racers = [start(MOVE, folder, name, 60, REF, 0) for name in "abc"]
    dying = [start(MOVE, folder, name, 1000, REF, 0.15) for name in "xyz"]
    try:
        won = {name: process.communicate()[0].split() for name, process in zip("abcxyz", racers + dying, strict=True)}
    finally:
        for process in racers + dying:
            end(process)
    assert [process.returncode for process in racers + dying] == [0] * 3 + [-signal.SIGKILL] * 3
    said = git("log", "--first-parent", "--format=%s", REF).split("\n")
    assert sorted(said) == sorted(f"{name} {at}" for name, each in won.items() for at in range(len(each)))


def test_records_are_safe_where_flock_excludes_nobody(open_store, folder, git):
    """Four processes with a lock that locks nothing: everything that was acknowledged is there, once, on one line."""
    open_store().append(Trial("first", status="baseline", core_metric=1.0))
    running = [start(NO_FLOCK, folder, name, 25) for name in "abcd"]
    try:
        for process in running:
            assert process.stdout.readline() == "ready\n", process.stderr.read()
        for process in running:
            process.stdin.write("\n")
            process.stdin.flush()
        told = []
        for process in running:
            output, errors = process.communicate()
            assert process.returncode == 0, errors
            told += output.split()
    finally:
        for process in running:
            end(process)
    assert len(set(told)) == 100
    store = open_store()
    names = ["first", *(f"{name}-{at}" for name in "abcd" for at in range(25))]
    for _ in range(2):
        assert sorted(trial.exp_id for trial in store.all_trials()) == sorted(names)
        store.reindex()
    assert set(told) <= {view.oid for view in store.log(None)}
    git("gc", "--prune=now", "--quiet")
    git("fsck", "--strict", "--no-dangling")


PACK = """
import os, signal, sys
from gitlineage.git import locks, refs
from gitlineage.git.repository import GitRepo
def fatal(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[4] == "while the list is made":
    refs.parse_packed_refs = fatal
elif sys.argv[4] == "when it is written":
    locks.Locks.take = fatal
else:
    locks.Locks.put = fatal
GitRepo(sys.argv[1]).add_refs({sys.argv[2]: sys.argv[3]})
"""


@pytest.mark.parametrize("moment", ["while the list is made", "when it is written", "before it is put in its place"])
def test_a_kill_around_the_packed_list_is_in_nobodys_way(open_store, folder, git, oids, moment):
    """No lock is left while the list is made; one that is left by the last step goes with the next command."""
    git("pack-refs", "--all")
    victim = start(PACK, folder, "refs/lineage/exp/x", oids[0], moment)
    victim.communicate()
    assert victim.returncode == -signal.SIGKILL
    lock = folder / ".git" / "packed-refs.lock"
    assert lock.exists() == (moment == "before it is put in its place")
    open_store()
    assert not lock.exists()
    git("pack-refs", "--all")
    git("branch", "doomed", oids[0])
    git("branch", "-D", "doomed")
    assert not list((folder / ".git" / "lineage").glob("held~*"))


@pytest.mark.parametrize("name", [REF, "refs/lineage/best", "packed-refs", "config"])
def test_verify_and_reindex_name_a_lock_that_stays_and_leave_it(open_store, folder, name):
    """A lock file that git left is told of with its age and its remedy, a fresh one too; only a person removes it."""
    told = []
    store = open_store()
    store.append(Trial("a", status="keep", core_metric=1.0))
    store.ledger.watcher.note = told.append
    lock = folder / ".git" / f"{name}.lock"
    lock.touch()
    said = f"the lock file {lock} is [2-9] seconds old; if no git is at work here, a killed one left it: rm {lock}"
    assert [each.what for each in store.verify() if re.fullmatch(said, each.what)]
    old = time.time() - 3600
    os.utime(lock, (old, old))
    assert [each.what for each in store.verify() if str(lock) in each.what and f"rm {lock}" in each.what]
    store.reindex()
    assert [text for text in told if str(lock) in text and f"rm {lock}" in text]
    assert lock.exists()


BRIEFLY = """
import os, sys, time
os.close(os.open(sys.argv[1], os.O_CREAT | os.O_EXCL))
print("held", flush=True)
time.sleep(0.3)
os.unlink(sys.argv[1])
"""


def test_a_lock_that_a_living_git_holds_is_no_finding(open_store, folder):
    """Whoever lets go of a lock within the time that git holds one is not told of."""
    store = open_store()
    store.append(Trial("a", status="keep", core_metric=1.0))
    holder = start(BRIEFLY, folder / ".git" / "packed-refs.lock")
    try:
        assert holder.stdout.readline() == "held\n"
        assert store.verify() == []
    finally:
        end(holder)


@pytest.mark.skipif(not os.path.exists("/proc/sys/kernel/random/boot_id"), reason="nothing tells when it started")
@pytest.mark.parametrize(
    ("boot", "age", "is_dead"),
    [("other", 1e9, True), ("other", 0, False), ("own", 1e9, False), ("", 1e9, False)],
    ids=["another boot, older", "another boot, younger", "this boot, another container", "no boot known"],
)
def test_what_ran_before_this_machine_started_is_dead(open_store, folder, git, oids, boot, age, is_dead):
    """A lock from before the machine was started anew goes with the next command; one that may be alive stays."""
    open_store().append(Trial("a", status="keep", core_metric=1.0))
    here = locks._place()
    place = {"own": f"{here}0", "other": f"0{here}", "": "-"}[boot]
    mark = folder / ".git" / "lineage" / f"held~{locks._host()}~{place}~{os.getpid()}~1~0"
    mark.write_text(f"{oids[0]}\n")
    then = time.time() - age
    os.utime(mark, (then, then))
    lock = folder / ".git" / "packed-refs.lock"
    os.link(mark, lock)
    open_store()
    assert (lock.exists(), mark.exists()) == (not is_dead, not is_dead)
    if is_dead:
        git("pack-refs", "--all")


def test_two_stores_in_one_process_hold_their_own_locks(folder: Path, oids):
    """Locks belong to who took them: what one lets go of is not the other's."""
    one, other = GitRepo(folder), GitRepo(folder)
    assert one.move_refs({REF: (None, oids[0]), "refs/x/a": (None, oids[1])}, "both")
    assert not other.move_refs({REF: (oids[0], oids[1]), "refs/x/a": (None, oids[1])}, "one is elsewhere")
    assert [one.ref(REF), one.ref("refs/x/a")] == oids
    assert other.move_refs({REF: (oids[0], oids[1]), "refs/x/a": (oids[1], None)}, "both")
    assert [one.ref(REF), one.ref("refs/x/a")] == [oids[1], None]
    assert isinstance(LineageStore(folder), LineageStore)


BATCH = """
import os, signal, sys
from gitlineage import LineageStore, Trial
store = LineageStore(sys.argv[1], writer="alice", identity=("W", "w@example.org"))
with store.batch():
    store.append(Trial("held", status="discard"))
    print("held", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_a_stopped_writer_is_named_and_waited_for_up_to_a_limit(open_store, folder, git, monkeypatch):
    """Whoever waits hears for whom, ends with a clear error at the configured limit, and goes on once it may."""
    told = []
    store = open_store()
    store.append(Trial("first", status="discard"))
    store.ledger.watcher.note = told.append
    monkeypatch.setattr(turns, "TOLD", 0.1)
    git("config", "lineage.lockTimeout", "0.3")
    holder = start(BATCH, folder)
    try:
        assert holder.stdout.readline() == "held\n"
        who = f"process {holder.pid} on {socket.gethostname()}"
        with pytest.raises(Locked, match=rf"{who} is recording: .*kill -CONT.*lineage\.lockTimeout") as caught:
            store.append(Trial("refused", status="discard"))
        assert (caught.value.holder, caught.value.seconds) == (who, 0.3)
        assert told == [f"waiting for {who}, which is recording here; at most 0.3 seconds"]
        assert [trial.exp_id for trial in store.all_trials()] == ["first"]
        git("config", "lineage.lockTimeout", "300")
        holder.send_signal(signal.SIGCONT)
        assert store.append(Trial("after", status="discard")).exp_id == "after"
        assert holder.wait() == 0
    finally:
        end(holder)
    assert [trial.exp_id for trial in store.all_trials()] == ["first", "held", "after"]
    with store.ledger.holding():
        assert turns.holder(folder / ".git" / "lineage" / "lock") == f"process {os.getpid()} on {socket.gethostname()}"


@pytest.mark.parametrize("value", ["0", "-1", "soon", "inf", "nan"])
def test_a_limit_that_is_none(open_store, folder, git, value):
    """A wrong limit is an error that names the setting, before there is anything to wait for."""
    store = open_store()
    store.append(Trial("first", status="discard"))
    git("config", "lineage.lockTimeout", value)
    with pytest.raises(Invalid, match=r"lineage\.lockTimeout is"):
        store.append(Trial("refused", status="discard"))
    git("config", "--unset", "lineage.lockTimeout")
    assert store.append(Trial("after", status="discard")).exp_id == "after"
