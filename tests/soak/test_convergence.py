"""Several clones of one campaign: however their records and syncs interleave, all end with the same answers."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from clones import GOOD, answers, clones, fsck, git
from colleagues import land, opened, sign_all, trust
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from remotes import bare

import gitlineage
from gitlineage import LineageError, LineageStore, Task, Trial
from gitlineage.index.index import build
from gitlineage.journal import events
from gitlineage.journal.speakers import from_config

PACKAGE = Path(gitlineage.__file__).resolve().parents[1]
SOAK = os.environ.get("GITLINEAGE_SOAK", "0") not in ("", "0")


# -- random interleavings ----------------------------------------------------------------------------------

RECORDING = ("append", "commit", "named", "same", "again", "pending", "result", "revise", "cohort", "session", "task")
REPAIRING = ("retract", "undo", "reparent", "relate", "unrelate")
SHARING = ("push", "pull", "sync")
STEPS = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from(RECORDING + REPAIRING + SHARING + ("sync", "pull")), st.integers(0, 11)
    ),
    max_size=24,
)


def act(store: LineageStore, what: str, number: int) -> None:
    """Let one clone do one thing; the number chooses among what it can choose from."""
    views = store.log(None)
    seen = views[number % len(views)] if views else None
    parents = [seen.oid] if seen else []
    row = Trial(status=("keep", "discard", "crash")[number % 3], core_metric=1.0 + number % 4, specialist="ann")
    if what == "append":
        store.append(row)
    elif what == "commit":
        store.commit({"f": b"%d" % number}, parents, trial=row)
    elif what == "named":
        store.commit({"f": b"%d" % (number % 5)}, parents, trial=_named(row, f"00{number % 3}"))
    elif what == "same":
        store.append(Trial(exp_id=f"s{number % 2}", status="keep", core_metric=2.0, hypothesis="the same everywhere"))
    elif what == "again" and seen:
        store.record(seen.oid, row)
    elif what == "pending":
        store.commit({"f": b"waits"}, parents, trial=Trial(hypothesis=f"waits {number}"))
    elif what == "result" and seen:
        store.record(seen.oid, _named(row, seen.trial.exp_id), revise=False)
    elif what == "revise" and seen:
        store.record(seen.oid, _named(row, seen.trial.exp_id), revise=True)
    elif what == "cohort":
        name = f"c{number % 2}"
        with suppress(LineageError):
            store.open_cohort(name, parents[: number % 2])
        store.commit({"f": b"%d" % number}, store.cohort(name).base, trial=row, cohort=name)
    elif what == "session":
        store.render_prompt("ann", record=True)
    elif what in ("retract", "undo") and seen:
        store.retract(seen, f"why {number}", undo=what == "undo")
    elif what in ("reparent", "relate", "unrelate") and seen:
        other = views[(number * 5 + 1) % len(views)]
        if what == "reparent":
            store.reparent(seen.oid, [other.oid][: number % 4], f"why {number}", roles={other.oid: "inspiration"})
        elif what == "relate":
            store.add_relationship(seen.oid, other.oid, ("successor_to", "depends_on")[number % 2])
        else:
            store.deprecate_relationship(seen.oid, other.oid, ("successor_to", "depends_on")[number % 2])
    elif what == "task":
        store.set_task(Task(lower_is_better=number % 2 == 0), force=True)


def _named(row: Trial, exp_id: str) -> Trial:
    return Trial(exp_id=exp_id, status=row.status, core_metric=row.core_metric, specialist=row.specialist)


def share(store: LineageStore, what: str) -> None:
    """Push, pull or sync; nothing may be refused."""
    outcomes = getattr(store, what)().outcomes
    assert {outcome.state for outcome in outcomes} <= GOOD, outcomes


@settings(max_examples=150 if SOAK else 20, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_any_interleaving_ends_in_the_same_answers(steps: Sequence[tuple[int, str, int]]) -> None:
    """Two rounds of syncs after anything at all: every clone, a new one, and a rebuilt index say the same."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        remote = bare(folder / "remote.git")
        with clones(folder, str(remote), "abc") as stores:
            mine: list[set[str]] = [set() for _ in stores]
            for who, what, number in steps:
                store = stores[who]
                if what in SHARING:
                    share(store, what)
                    continue
                before = {view.oid for view in store.log(None)}
                with suppress(LineageError):
                    act(store, what, number)
                mine[who] |= {view.oid for view in store.log(None)} - before
            for _ in range(2):
                for store in stores:
                    share(store, "sync")
            told = [answers(store, folder / "board") for store in stores]
            assert told[0] == told[1] == told[2]
            assert {oid for _, oid, *_ in told[0]["log"]} == set().union(*mine)
            stores[0].reindex()
            assert answers(stores[0], folder / "board") == told[0]
        with LineageStore.clone(remote, folder / "new") as new:
            assert answers(new, folder / "board") == told[0]
        for each in (remote, folder / "a", folder / "b", folder / "c", folder / "new"):
            fsck(each)


# -- only signed words ----------------------------------------------------------------------------------------

HOSTILE = ("claim", "word", "rewrite", "beside", "spite", "name", "take")
SIGNED_STEPS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(RECORDING + REPAIRING + HOSTILE + ("sync",) * 6), st.integers(0, 11)),
    max_size=14,
)


def attack(store: LineageStore, what: str, number: int) -> None:
    """Have one clone sign words by hand that claim to have been before all others."""
    views = store.log(None)
    seen, other = views[number % len(views)], views[(number * 7 + 3) % len(views)]
    row = {"exp_id": seen.trial.exp_id, "status": "discard", "core_metric": str(number)}
    used = {each.clock for each in store.events() if each.writer == store.ledger.writer}

    def free(start: int) -> int:
        """Return a clock that the writer has not said before; no store gives one twice."""
        return next(clock for clock in itertools.count(start) if clock not in used)

    words: dict[str, events.Event] = {
        "claim": events.TrialEvent(clock=free(1 + number % 3), row=row),
        "word": events.ReparentEvent(clock=free(1 + number), parents=(other.oid,) if other.oid != seen.oid else ()),
        "rewrite": events.RewriteEvent(clock=free(1 + number), old=other.oid, how=events.ARRIVED),
        "beside": events.TrialEvent(clock=free(1), row={**row, "status": "keep", "exp_id": other.trial.exp_id}),
        "spite": events.RetractEvent(clock=free(1 + number), exp_id=seen.trial.exp_id, undo=number % 3 == 0),
        "name": events.EntryEvent(clock=free(1 + number), fields={"name": f"n{number}"}),
        "take": events.SnapshotEvent(clock=free(1)),
    }
    land(store, (seen.oid, words[what]))


def said_by(store: LineageStore, writer: str, tips: dict[str, str]) -> dict[str, set[tuple[object, ...]]]:
    """Return what holds of a writer's words where some refs are all that there is, rows by their snapshots."""
    rule = from_config(store.ledger.repo)
    built = build(store.ledger.repo, store.ledger.journal, tips, speakers=rule)
    try:
        return {name: set(built.rows(sql, writer)) for name, sql in OWN.items()}
    finally:
        built.close()


OWN = {
    "rows": "SELECT s.oid, t.exp_id, t.row, t.raw, t.saw, t.status, t.clock, t.last_clock FROM trials t "
    "JOIN snapshots s ON s.id = t.snapshot WHERE t.writer = ?",
    "retractions": "SELECT oid, exp_id, undone, reason FROM retractions WHERE writer = ?",
    "parents": "SELECT child, clock, parents, roles FROM reparents WHERE writer = ?",
    "relations": "SELECT source, type, target, clock, added FROM relation_events WHERE writer = ?",
    "entries": "SELECT oid, field, value FROM entries WHERE writer = ?",
    "cohorts": "SELECT * FROM cohorts WHERE writer = ?",
}
"""What one writer has said that counts, where only owners' words do."""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Callable[[LineageStore], None]]:
    """A folder with a key and an allowed-signers file for all examples, and what has a store sign."""
    folder = tmp_path_factory.mktemp("keys")
    return folder, sign_all(folder)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
@settings(max_examples=60 if SOAK else 5, deadline=None, suppress_health_check=list(HealthCheck))
@given(is_signed_from_the_start=st.booleans(), steps=SIGNED_STEPS)
def test_clones_agree_in_both_modes(
    keys: tuple[Path, Callable[[LineageStore], None]],
    is_signed_from_the_start: bool,
    steps: Sequence[tuple[int, str, int]],
) -> None:
    """Whatever two writers record and claim, and whose words count: both clones, a fresh and a rebuilt one agree."""
    place, sign = keys

    def prepare(store: LineageStore) -> None:
        sign(store)
        if is_signed_from_the_start:
            trust(store.ledger.root)

    with tempfile.TemporaryDirectory() as name, opened(Path(name), False, prepare) as scene:
        stores = scene.alice, scene.mallory
        for who, what, number in steps:
            with suppress(LineageError):
                if what in HOSTILE:
                    attack(stores[who], what, number)
                elif what == "sync":
                    stores[who].sync()
                else:
                    act(stores[who], what, number)
        if not is_signed_from_the_start:
            scene.agree()
        told = []
        for _ in range(2):
            for store in stores:
                store.sync()
        for store in stores:
            trust(store.ledger.root)
            told.append(answers(store, place))
            assert [each.what for each in store.verify() if "index" in each.what] == []
            store.reindex()
            told.append(answers(store, place))
        with LineageStore.clone(scene.hub, Path(name) / "fresh") as fresh:
            git(fresh.ledger.root, "config", "lineage.allowedSigners", str(place / "allowed"))
            trust(fresh.ledger.root)
            told.append(answers(fresh, place))
        for each in told[1:]:
            assert each == told[0]
        tips = scene.alice.ledger.counting()
        for writer in sorted(tips):  # nothing that the other says changes anything of it
            together, alone = (said_by(scene.alice, writer, each) for each in (tips, {writer: tips[writer]}))
            rule, repo = from_config(scene.alice.ledger.repo), scene.alice.ledger.repo
            left = {row for row in alone["rows"] - together["rows"] if rule.shown(repo.commit(row[0])) in ("", writer)}
            assert not left and together["rows"] <= alone["rows"], writer
            assert {**together, "rows": ()} == {**alone, "rows": ()}, writer


# -- many writers at once ----------------------------------------------------------------------------------

WRITER = """
import json, sys
from pathlib import Path
from gitlineage import LineageStore, Trial
url, root, writer, count, every = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
identity = (writer, writer + "@example.org")
store = LineageStore.clone(url, root, writer=writer, identity=identity)
print("ready", flush=True)
sys.stdin.readline()
for at in range(count):
    best = store.best().exp_id
    trial = Trial(exp_id=f"{writer}-{at:03d}", status="keep", core_metric=9 - at / 100, hypothesis=f"on {best}")
    store.commit({"f": f"{writer} {at}".encode()}, [best], trial=trial)
    if at % every == every - 1:
        for outcome in store.sync().outcomes:
            print(json.dumps([outcome.writer, outcome.direction, outcome.state, outcome.reason]), flush=True)
"""


@pytest.mark.soak
def test_eight_writers_against_one_remote_at_once(tmp_path: Path) -> None:
    """8 processes record 50 trials each and sync all the time: 400 trials everywhere, nothing ever refused."""
    writers, count, every = [f"w{at}" for at in range(8)], 50, 1 if SOAK else 5
    remote = bare(tmp_path / "remote.git")
    (tmp_path / "first").mkdir()
    with clones(tmp_path / "first", str(remote), "d") as (driver,):
        driver.append(Trial(exp_id="base", status="baseline", core_metric=10.0))
        share(driver, "sync")
        outcomes = _together([[str(remote), str(tmp_path / each), each, str(count), str(every)] for each in writers])
        assert [told for told in outcomes if told[2] not in GOOD] == []
        assert sum(told[1] == "push" for told in outcomes) >= len(writers) * count / every
        share(driver, "sync")
        first = answers(driver, tmp_path / "board")
        assert len(driver.all_trials()) == 1 + len(writers) * count
        for each in writers:
            with LineageStore(tmp_path / each, writer=each) as store:
                share(store, "sync")
                assert answers(store, tmp_path / "board") == first
                line = git(tmp_path / each, "rev-list", "--first-parent", f"refs/notes/lineage/{each}").split()
                assert len(line) == count + 1
    for each in (remote, tmp_path / "first" / "d", *(tmp_path / each for each in writers)):
        fsck(each)
    assert len(git(remote, "for-each-ref", "refs/notes/lineage").splitlines()) == len(writers) + 1


def _together(calls: Sequence[Sequence[str]]) -> list[list[str]]:
    """Run the writers so that they begin together, and return the outcomes that they saw."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", WRITER, *call],
            env={**os.environ, "PYTHONPATH": str(PACKAGE)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for call in calls
    ]
    seen = []
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n", process.stderr.read()
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            out, err = process.communicate()
            assert process.returncode == 0, err[-3000:]
            seen += [json.loads(line) for line in out.splitlines()]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return seen
