"""What happens when the disk, the permissions or the power fail: a clear error, nothing half-written, nothing lost."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gitlineage
from gitlineage import LineageError, LineageStore, Locked, RepositoryError, StorageError, Trial
from gitlineage.git.packs import _KEEP

PACKAGE = Path(gitlineage.__file__).resolve().parents[1]


def row(exp_id="*", status="keep", metric=1.0, **cells) -> Trial:
    """A trial with a score."""
    return Trial(exp_id=exp_id, status=status, core_metric=metric, **cells)


@pytest.fixture
def disk() -> Iterator[Callable[[str], Path]]:
    """Mount a small disk in memory where anybody can reach it; skip where that is not allowed."""
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        place = Path(tempfile.mkdtemp(prefix="gitlineage-disk-"))
        words = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "none", str(place)]
        done = subprocess.run(words, capture_output=True, check=False) if os.geteuid() == 0 else None
        if done is None or done.returncode:
            place.rmdir()
            pytest.skip("mounting a small disk needs root and leave to mount")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], capture_output=True, check=True)
        place.rmdir()


def remount(place: Path, how: str) -> None:
    """Make a mounted disk read-only or writable."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], capture_output=True, check=True)


def fill_disk(place: Path, keep: int = 0) -> Path:
    """Fill a disk to the last byte but so many."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        free = shutil.disk_usage(place).free - keep
        try:
            file.write(b"\0" * max(free, 0))
        except OSError:
            assert keep == 0
    return filler


def exp_ids(store: LineageStore) -> list[str]:
    """The exp ids of all trials."""
    return [trial.exp_id for trial in store.all_trials()]


# -- read-only ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", ["current", "missing"])
def test_a_read_only_repository_can_be_read_and_refuses_to_be_written(open_store, disk, git, index):
    """On a disk mounted read-only every question is answered, and a write says why it cannot be."""
    root = disk("20m") / "repo"
    store = open_store(root)
    store.commit({"f": b"1"}, trial=row("a"))
    store.commit({"f": b"2"}, ["a"], trial=row("b", metric=0.5), cohort="c")
    store.close()
    if index == "missing":
        shutil.rmtree(root / ".git" / "lineage")
    remount(root.parent, "ro")
    try:
        reader = open_store(root)
        assert exp_ids(reader) == ["a", "b"]
        assert reader.best().exp_id == "b"
        assert [each.exp_id for each in reader.children("a")] == ["b"]
        assert reader.files("b") == {"f": b"2"}
        assert "b" in reader.render_prompt("arch").rendered_prompt
        assert reader.recipe_edit("b").diff()
        for write in (
            lambda: reader.append(row("c")),
            lambda: reader.commit({"g": b"1"}, ["a"], trial=row("c")),
            lambda: reader.commit(None),
            lambda: reader.record("a", row("c")),
            lambda: reader.open_cohort("d"),
        ):
            with pytest.raises(StorageError, match="nothing was recorded"):
                write()
        assert exp_ids(reader) == ["a", "b"]
    finally:
        remount(root.parent, "rw")
    assert reader.append(row("c")).exp_id == "c"
    assert exp_ids(open_store(root)) == ["a", "b", "c"]
    git("fsck", "--strict", "--no-dangling", cwd=root)


def test_files_come_back_where_nothing_can_be_noted(open_store, disk, tmp_path):
    """A restore needs no right to git's folder; that the next commit does not count from it is said."""
    root, own = disk("20m") / "repo", tmp_path / "own"
    store = open_store(root)
    oid = store.commit({"f": b"1"}, trial=row("a")).oid
    store.commit({"f": b"2"}, trial=row("b"))
    store.close()
    own.mkdir()
    remount(root.parent, "ro")
    try:
        command = [sys.executable, "-m", "gitlineage", "restore", "a"]
        where = {"PYTHONPATH": str(PACKAGE), "GIT_DIR": str(root / ".git"), "GIT_WORK_TREE": str(own)}
        done, told = (
            subprocess.run(
                [*command, *more], cwd=own, env={**os.environ, **where}, capture_output=True, text=True, check=True
            )
            for more in ([], ["--json"])
        )
    finally:
        remount(root.parent, "rw")
    assert (own / "f").read_text() == "1"
    assert "takes no note of it, so say --parents a at the next commit" in done.stdout
    assert (json.loads(told.stdout)["oid"], json.loads(told.stdout)["noted"]) == (oid, False)


def test_an_agents_session_starts_in_a_read_only_repository(open_store, disk):
    """A sandbox that lets nobody write keeps no agent from reading; that it read is recorded where that can be."""
    root = disk("20m") / "repo"
    store = open_store(root)
    store.commit({"f": b"1"}, trial=row("a", hypothesis="the first idea"))
    store.close()
    command = [sys.executable, "-m", "gitlineage", "hook", "session-start", "--agent", "cursor"]
    for how, recorded in (("ro", 0), ("rw", 1)):
        remount(root.parent, how)
        try:
            done = subprocess.run(
                command,
                cwd=root,
                env={**os.environ, "PYTHONPATH": str(PACKAGE)},
                input=b"{}",
                capture_output=True,
                check=False,
            )
        finally:
            remount(root.parent, "rw")
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"the first idea" in done.stdout
        reader = open_store(root)
        assert sum(each.event_type == "session" for each in reader.history.events()) == recorded


def test_a_read_only_folder_without_a_repository_is_a_clear_error(open_store, disk):
    """Nothing can be initialised there, and the error is one of ours."""
    place = disk("1m")
    remount(place, "ro")
    with pytest.raises(RepositoryError):
        open_store(place / "new")
    with pytest.raises(RepositoryError):
        open_store(place)


SOMEONE = """
import sys
from gitlineage import LineageStore, RepositoryError, Trial
try:
    store = LineageStore(sys.argv[1], writer="bob", identity=("B", "b@example.org"))
    print([trial.exp_id for trial in store.all_trials()])
    store.append(Trial(exp_id="x", status="keep"))
except RepositoryError as error:
    print(type(error).__name__, error)
"""


def as_someone_else(root: Path, home: Path, **variables: str) -> str:
    """What a user without rights to a repository is told."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("acting as another user needs root and setpriv")
    site = os.pathsep.join([str(PACKAGE), *(each for each in sys.path if each.endswith("site-packages"))])
    probe = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    environment = {**os.environ, "PYTHONPATH": site, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    if subprocess.run([*probe, sys.executable, "-c", "import gitlineage"], env=environment, check=False).returncode:
        pytest.skip("another user cannot read this Python environment")
    words = [*probe, sys.executable, "-c", SOMEONE, str(root)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_somebody_elses_repository(open_store, disk):
    """Git's owner check is told with its remedy; once allowed, reading works and a write is refused for its rights."""
    place = disk("20m")
    root = place / "repo"
    store = open_store(root)
    store.append(row("a"))
    store.close()
    home = place / "home"
    home.mkdir()
    told = as_someone_else(root, home)
    assert told.startswith("RepositoryError")
    assert "safe.directory" in told
    (home / ".gitconfig").write_text(f"[safe]\n\tdirectory = {root}\n\tdirectory = {root}/.git\n\tdirectory = *\n")
    told = as_someone_else(root, home, GIT_CONFIG_GLOBAL=str(home / ".gitconfig"))
    assert told.startswith("['a']\nStorageError")
    assert "nothing was recorded" in told
    assert exp_ids(open_store(root)) == ["a"]


# -- a full disk -------------------------------------------------------------------------------------------


def test_a_full_disk_refuses_loses_nothing_and_works_again(open_store, disk, git):
    """Every kind of write on a full disk is a clear error; what was there is read, and later writes go through."""
    root = disk("4m") / "repo"
    store = open_store(root)
    for at in range(5):
        store.commit({"f": b"%d" % at}, trial=row(f"{at:03d}"))
    filler = fill_disk(root.parent)
    for write in (
        lambda: store.append(row("x")),
        lambda: store.commit({"g": b"1"}, ["000"], trial=row("x"), cohort="c"),
        lambda: store.commit(None),
        lambda: store.record("000", row("x")),
        lambda: store.open_cohort("d"),
    ):
        with pytest.raises(StorageError, match="nothing was recorded"):
            write()
    assert exp_ids(store) == ["000", "001", "002", "003", "004"]
    assert exp_ids(open_store(root)) == ["000", "001", "002", "003", "004"]
    filler.unlink()
    assert store.append(row()).exp_id == "005"
    assert exp_ids(open_store(root)) == ["000", "001", "002", "003", "004", "005"]
    git("fsck", "--strict", "--no-dangling", cwd=root)


def test_a_disk_that_fills_in_the_middle_of_a_write_tells_the_truth(open_store, disk, git):
    """
    However many pages are left, an append is either recorded or refused, and the answer says which.

    Every number of free pages from none to enough is tried, so that each step of a write fails once.
    """
    root = disk("8m") / "repo"
    store = open_store(root)
    store.append(row("first"))
    said, outcomes = ["first"], set()
    for pages in range(40):
        filler = fill_disk(root.parent, pages * 4096)
        try:
            store.append(row(f"p{pages}", hypothesis="x" * 3000))
            recorded = True
        except LineageError as error:
            assert "nothing was recorded" in str(error)
            recorded = False
        if recorded:
            said.append(f"p{pages}")
        outcomes.add(recorded)
        assert exp_ids(store) == said, pages
        filler.unlink()
        assert exp_ids(store) == said, pages
        fresh = open_store(root)
        assert exp_ids(fresh) == said, pages
        fresh.close()
    assert outcomes == {True, False}
    git("fsck", "--strict", "--no-dangling", cwd=root)
    store.reindex()
    assert exp_ids(store) == said


# -- a killed process --------------------------------------------------------------------------------------

WRITER = """
import sys
from gitlineage import LineageStore, Trial
store = LineageStore(sys.argv[1], writer="alice", identity=("A", "a@example.org"))
print("ready", flush=True)
for at in range(10_000):
    if at % 3 == 0:
        with store.batch():
            first = store.append(Trial(status="discard", hypothesis="pair"))
            second = store.commit({"f": b"%d" % at}, [first], trial=Trial(status="discard", hypothesis="pair"))
        print(first.exp_id, second.exp_id, flush=True)
    else:
        print(store.append(Trial(status="discard")).exp_id, flush=True)
"""


def test_a_killed_process_loses_no_acknowledged_trial(open_store, folder, git):
    """SIGKILL at twenty arbitrary moments: what was acknowledged is there, pairs are whole, the store works on."""
    chance = random.Random(20260101)
    open_store().append(row("000", "baseline"))
    acknowledged = {"000"}
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)],
            env={**os.environ, "PYTHONPATH": str(PACKAGE)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "ready\n"
        for _ in range(chance.randrange(1, 12)):
            acknowledged.update(process.stdout.readline().split())
        for _ in range(chance.randrange(0, 40_000)):
            pass
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        complete = rest.rpartition("\n")[0]
        acknowledged.update(complete.split())
        store = open_store()
        assert acknowledged <= set(exp_ids(store))
        store.close()
    git("fsck", "--strict", "--no-dangling")
    store = open_store()
    found = store.all_trials()
    assert len(found) == len({trial.exp_id for trial in found})
    pairs = [trial for trial in found if trial.hypothesis == "pair"]
    assert len(pairs) % 2 == 0
    assert all(
        store.parents(second.exp_id)[0].exp_id == first.exp_id
        for first, second in zip(pairs[::2], pairs[1::2], strict=True)
    )
    before = [(view.trial.exp_id, view.oid, view.order) for view in store.log(None)]
    store.reindex()
    assert [(view.trial.exp_id, view.oid, view.order) for view in store.log(None)] == before
    assert store.append(row()).exp_id == f"{max(int(trial.exp_id) for trial in found) + 1:03d}"
    assert list((folder / ".git" / "objects" / "pack").glob("*.keep")) == []
    git("gc", "--prune=now", "--quiet")
    assert set(git("rev-list", "--no-walk", *{oid for _, oid, _ in before}).split()) == {oid for _, oid, _ in before}
    git("fsck", "--strict", "--no-dangling")


@pytest.mark.parametrize("recorded", [0, 2])
def test_a_lock_file_of_gits_that_stays_is_named_and_never_stolen(open_store, folder, git, recorded):
    """A lock of the writer's ref that a killed git left refuses writes, and says what to remove."""
    store = open_store()
    for _ in range(recorded):
        store.append(row())
    lock = folder / ".git" / "refs" / "notes" / "lineage" / "alice.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    with pytest.raises(Locked, match=f"rm {lock}"):
        store.append(row("after"))
    lock.unlink()
    assert store.append(row("after")).exp_id == "after"
    assert git("notes", "--ref=lineage/alice", "show", str(store.resolve("after")))


def test_what_a_killed_writer_kept_from_git_is_let_go(open_store, folder):
    """A pack that a dead process still held back is released by the next process; the user's own keep files stay."""
    open_store().append(row("a"))
    packs = folder / ".git" / "objects" / "pack"
    (pack,) = packs.glob("*.pack")
    pack.with_suffix(".keep").write_bytes(_KEEP)
    users = packs / f"pack-{'ab' * 20}.keep"
    users.write_text("mine\n")
    open_store().append(row("b"))
    assert list(packs.glob("*.keep")) == [users]


def test_a_lock_file_on_a_derived_ref_blocks_no_record(store, folder, git):
    """A name for plain git that a killed git left locked stays behind, and follows once the lock is gone."""
    store.append(row("a", metric=2.0))
    lock = folder / ".git" / "refs" / "lineage" / "best.lock"
    lock.touch()
    store.append(row("b", metric=1.0))
    lock.unlink()
    store.reindex()
    assert git("rev-parse", "refs/lineage/best") == str(store.resolve("b"))
    assert not lock.exists()
    git("gc", "--prune=now", "--quiet")


def test_gc_between_a_failed_batch_and_the_first_write(store, git):
    """Objects that a dropped landing wrote may be pruned; the same store writes them again."""
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), store.batch():
            store.commit({"f": b"1"}, trial=row("a"), cohort="c")
            _ = 1 / 0
        git("gc", "--prune=now", "--quiet")
    store.commit({"f": b"1"}, trial=row("a"), cohort="c")
    git("gc", "--prune=now", "--quiet")
    git("fsck", "--strict", "--no-dangling")
    assert exp_ids(store) == ["a"]


def test_gc_after_the_writers_ref_was_deleted(store, git, folder):
    """Somebody throws the ref away and prunes: an open store begins anew on sound objects."""
    store.commit({"f": b"1"}, trial=row("a"), cohort="c")
    for name in git("for-each-ref", "--format=%(refname)").split():
        git("update-ref", "-d", name)
    git("gc", "--prune=now", "--quiet")
    assert exp_ids(store) == []
    made = store.commit({"f": b"1"}, trial=row("b"), cohort="c")
    assert store.files(made) == {"f": b"1"}
    git("gc", "--prune=now", "--quiet")
    git("fsck", "--strict", "--no-dangling")
    assert exp_ids(store) == ["b"]


def test_gc_after_a_large_batch_was_taken_back(open_store, git):
    """The same batch again, after its first landing was thrown away and pruned: all its objects are written again."""
    store = open_store()
    store.append(row("kept"))

    def land() -> None:
        with store.batch():
            for at in range(100):
                stamp = "2026-01-01T00:00:00Z"
                store.commit({"f": b"%d" % at}, trial=row(f"{at:03d}", "discard", timestamp=stamp))

    land()
    git("update-ref", "refs/notes/lineage/alice", "refs/notes/lineage/alice~1")
    for name in git("for-each-ref", "--format=%(refname)", "refs/lineage").split():
        git("update-ref", "-d", name)
    git("reflog", "expire", "--expire=now", "--all")
    git("gc", "--prune=now", "--quiet")
    assert exp_ids(store) == ["kept"]
    land()
    assert len(exp_ids(store)) == 101
    git("fsck", "--strict", "--no-dangling")
    assert store.files("099") == {"f": b"99"}
    assert store.reindex() == 101


def test_an_object_that_is_missing_is_named(store, git):
    """A hole in the object database is an error of ours that names the object, and hides no other trial."""
    store.commit({"f": b"1"}, trial=row("a"))
    missing = "ab" * 20
    tree = git("mktree", "--missing", data=f"100644 blob {missing}\tf\n")
    broken = git("commit-tree", tree, "-m", "its file is gone")
    store.record(broken, row("b"))
    with pytest.raises(RepositoryError, match=missing):
        store.files("b")
    assert exp_ids(store) == ["a", "b"]
    assert store.files("a") == {"f": b"1"}
    with pytest.raises(RepositoryError):
        store.commit(broken, trial=row("c"))
    assert store.commit({"f": b"2"}, ["b"], trial=row("c")).parents == (broken,)


def test_a_landing_that_a_notes_command_dropped_is_landed_again(store, git):
    """Git's notes commands move a ref without looking where it stands; what one undid comes back beside its line."""
    first = store.commit({"f": b"1"}, trial=row("a"))
    old = git("rev-parse", "refs/notes/lineage/alice").strip()
    second = store.commit({"f": b"2"}, [first], trial=row("b"))
    git("update-ref", "refs/notes/other", old)
    git("notes", "--ref=other", "append", "-m", "a word from a person", first.oid)
    git("update-ref", "refs/notes/lineage/alice", "refs/notes/other")
    assert exp_ids(store) == ["a", "b"]
    assert "a word from a person" in git("notes", "--ref=lineage/alice", "show", first.oid)
    git("update-ref", "-d", "refs/notes/other")
    git("gc", "--prune=now", "--quiet")
    assert store.files(second) == {"f": b"2"}
    git("fsck", "--strict", "--no-dangling")
    assert len(git("log", "--first-parent", "--format=%h", "refs/notes/lineage/alice").split()) == 4
