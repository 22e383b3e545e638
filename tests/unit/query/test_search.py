"""Full-text search, durability and maintenance."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import Invalid, LineageStore, Trial
from gitlineage.git import maintenance
from gitlineage.git.repository import GitRepo

WARM = "Warmup of 5% and a peak of 0.02"


def fill(store: LineageStore) -> None:
    """Record three trials with different texts."""
    store.commit({"f": b"0"}, trial=Trial("000", status="baseline", core_metric=1.0, hypothesis="the seed"))
    store.commit({"f": b"1"}, ["000"], trial=Trial("001", status="keep", core_metric=0.9, hypothesis=WARM))
    store.commit({"f": b"2"}, ["001"], trial=Trial("002", status="crash", notes="warmup went to nan", specialist="opt"))


def found(store: LineageStore, text: str, limit: int = 20) -> list[str]:
    """Return the exp ids of the trials that a search finds, best first."""
    return [view.label for view in store.search(text, limit)]


def test_words_find_trials_hypotheses_first(store):
    """All words must be there, in any case; a hit in the hypothesis beats one in the notes."""
    fill(store)
    assert found(store, "warmup") == ["001", "002"]
    assert found(store, "WARMUP nan") == ["002"]
    assert found(store, "peak*") == ["001"]
    assert found(store, "pea") == []
    assert found(store, "opt") == ["002"]
    assert found(store, "warmup", 1) == ["001"]
    assert found(store, "") == []
    with pytest.raises(ValueError, match="0 or more"):
        store.search("x", -1)


def test_what_is_recorded_or_revised_later_is_found(store):
    """A search sees what came since the last one, and a revised row by its new text only."""
    fill(store)
    assert found(store, "momentum") == []
    store.commit({"f": b"3"}, ["001"], trial=Trial("003", hypothesis="momentum"))
    assert found(store, "momentum") == ["003"]
    store.record("003", Trial(status="discard", core_metric=2.0, notes="no gain"))
    store.record("002", Trial(status="crash", notes="out of memory"), revise=True)
    assert found(store, "gain") == ["003"]
    assert found(store, "nan") == []
    assert found(store, "memory") == ["002"]
    store.reindex()
    assert found(store, "memory") == ["002"]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30))
def test_no_sign_is_taken_for_a_query(searched, text):
    """Whatever is typed is words, never the query language's own signs, and never an error."""
    found(searched, text)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A store with three trials, for searches alone."""
    store = LineageStore(tmp_path_factory.mktemp("searched"), writer="alice", identity=("A", "a@example.org"))
    fill(store)
    return store


def test_what_a_batch_holds_is_found_inside_it_and_gone_with_it(store):
    """A search in the middle of a batch finds what was recorded so far, and undoes nothing of it."""
    fill(store)
    with store.batch():
        store.append(Trial("003", status="keep", core_metric=0.8, hypothesis="warmup longer"))
        assert found(store, "longer") == ["003"]
        store.append(Trial("004", status="keep", core_metric=0.7, hypothesis="warmup longer still"))
        assert set(found(store, "longer")) == {"003", "004"}
    assert len(store.all_trials()) == 5
    with pytest.raises(RuntimeError), store.batch():
        store.append(Trial("005", status="keep", core_metric=0.6, hypothesis="longest"))
        assert found(store, "longest") == ["005"]
        raise RuntimeError
    assert found(store, "longest") == []
    assert set(found(store, "longer")) == {"003", "004"}
    assert store.verify() == []


def test_first_searches_at_once(store, folder):
    """Whoever comes later finds the texts made already, once each."""
    store.append_many([Trial(status="discard", hypothesis=f"warmup {at}") for at in range(600)])
    barrier = threading.Barrier(4, timeout=30)

    def search() -> int:
        with LineageStore(folder, writer="alice") as mine:
            mine.ledger.refresh()
            barrier.wait()
            return len(mine.search("warmup", 1000))

    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(search) for _ in range(4)]
        assert [task.result() for task in tasks] == [600] * 4
    assert found(store, "599") == ["599"]


@pytest.mark.parametrize("mode", ["none", "batch", "always"])
def test_every_durability_records(store, git, mode):
    """Git config ``lineage.fsync`` changes when the disk is waited for, and nothing else."""
    git("config", "lineage.fsync", mode)
    fill(store)
    with store.batch():
        store.append(Trial("010", status="discard"))
        store.append(Trial("011", status="discard"))
    assert len(store.all_trials()) == 5
    git("fsck", "--strict")


def test_the_disk_is_waited_for_only_where_it_was_asked_for(store, git, tmp_path):
    """With ``always`` the pack, its folder and the ref are flushed before a call returns; with ``none`` nothing is."""
    strace = subprocess.run(["which", "strace"], capture_output=True, check=False)
    if strace.returncode:
        pytest.skip("strace is not installed")
    counts = {}
    for mode in ("none", "always"):
        git("config", "lineage.fsync", mode)
        code = "import sys, gitlineage as g; g.LineageStore(sys.argv[1]).append(g.Trial(status='keep'))"
        log = tmp_path / f"{mode}.log"
        words = ["strace", "-f", "-e", "trace=fsync,fdatasync", "-y", "-o", str(log)]
        done = subprocess.run([*words, sys.executable, "-c", code, str(store.root)], capture_output=True, check=False)
        if b"ptrace" in done.stderr:
            pytest.skip("this machine lets nobody trace a process")
        assert done.returncode == 0, done.stderr
        lines = [line for line in log.read_text().splitlines() if "fsync(" in line and "sqlite3" not in line]
        counts[mode] = (sum("objects/pack" in line for line in lines), sum("refs/notes" in line for line in lines))
    assert counts["none"] == (0, 0)
    assert counts["always"][0] >= 3
    assert counts["always"][1] >= 1


def test_an_unknown_durability_is_refused_before_anything_lands(store, git):
    """A misspelled mode is an error that names the right ones, and records nothing."""
    git("config", "lineage.fsync", "sometimes")
    with pytest.raises(Invalid, match="none, batch or always"):
        store.append(Trial(status="keep"))
    assert store.all_trials() == []


def test_maintenance_repacks_and_loses_nothing(store, git):
    """After it there is one pack, every trial reads the same, and unreachable objects of the user stay."""
    fill(store)
    stray = git("hash-object", "-w", "--stdin", data=b"nobody points here").strip()
    before = store.all_trials()
    saving = maintenance.maintain(store.ledger.repo)
    assert saving.packs_before >= 3
    assert (saving.packs_after, saving.loose_after) == (1, 0)
    assert store.all_trials() == before
    assert store.files("002") == {"f": b"2"}
    assert git("cat-file", "-t", stray).strip() == "blob"
    git("fsck", "--strict")


def test_small_packs_are_rolled_up_by_themselves(store, git):
    """A loop of single landings does not leave a pack for each: git rolls them up in the background."""
    for number in range(3 * maintenance.MANY_PACKS):
        store.append(Trial(f"{number:03d}", status="discard", core_metric=float(number)))
    _wait_for_repack(store.ledger.repo)
    packs = list((store.ledger.repo.commondir / "objects" / "pack").glob("*.idx"))
    assert len(packs) < 2 * maintenance.MANY_PACKS
    assert len(store.all_trials()) == 3 * maintenance.MANY_PACKS
    git("fsck", "--strict")


@pytest.mark.parametrize("value", ["false", "Off", "no", "0", ""])
def test_rolling_up_can_be_turned_off(store, git, value):
    """With ``lineage.autoRepack = false``, or another word that means it to git, nothing is started."""
    git("config", "lineage.autoRepack", value)
    assert not maintenance.repack(store.ledger.repo)


def test_what_is_neither_true_nor_false_turns_nothing_off(store, git):
    """A landing is done when the setting is looked at, so that a slip in it is no error."""
    git("config", "lineage.autoRepack", "maybe")
    assert maintenance.repack(store.ledger.repo)
    _wait_for_repack(store.ledger.repo)


def _wait_for_repack(repo: GitRepo) -> None:
    """Wait for the lock that a running repack holds."""
    lock = repo.commondir / "lineage" / "repack.lock"
    subprocess.run(["flock", str(lock), "true"], check=True, timeout=60)


def test_maintenance_finds_deltas_within_the_pack_of_a_landing(store, git):
    """Files that are like one another come out smaller, small objects no larger, and doing it again loses nothing."""
    lines = [f"line {at} of a recipe that grows with every trial, {at * at}\n" for at in range(200)]
    with store.batch():
        for at in range(60):
            recipe = "".join([*lines, f"width = {at}\n"]).encode()
            row = Trial(f"{at:03d}", status="discard", core_metric=float(at), notes="what was said of every other one")
            store.commit({"train.py": recipe}, [], trial=row)

    def on_disk() -> dict[str, tuple[int, int]]:
        told = git("cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objectsize) %(objectsize:disk)")
        return {oid: (int(size), int(took)) for oid, size, took in map(str.split, told.splitlines())}

    before, trials = on_disk(), store.all_trials()
    assert maintenance.maintain(store.ledger.repo).packs_after == 1
    assert maintenance.maintain(store.ledger.repo).packs_after == 1
    after = on_disk()
    assert after.keys() == before.keys()
    large = [oid for oid, (size, _) in before.items() if size >= 1000]
    assert 5 * sum(after[oid][1] for oid in large) < sum(before[oid][1] for oid in large)
    small = before.keys() - set(large)
    assert sum(after[oid][1] for oid in small) <= sum(before[oid][1] for oid in small)
    assert store.all_trials() == trials
    git("fsck", "--strict")
