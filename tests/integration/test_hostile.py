"""A hostile colleague on the same remote, with and without the server's hook: what is told, and what takes it back."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import openrange_stores
import pytest
from clones import GOOD, answers, git
from colleagues import Scene, land, opened, sign_all, trust

from gitlineage import Ambiguous, LineageError, LineageStore, RemoteError, SigningError, Task, Trial
from gitlineage.bridge.openrange import export_openrange, import_openrange
from gitlineage.journal import events
from gitlineage.journal.events import AHEAD
from gitlineage.journal.journal import Append
from gitlineage.sync.archives import consolidate

needs_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
both = pytest.mark.parametrize("hooked", [False, True], ids=["plain", "hooked"])


@pytest.fixture
def scene(hooked: bool, tmp_path: Path) -> Iterator[Scene]:
    """The scene, on a remote with or without the hook."""
    with opened(tmp_path, hooked) as scene:
        yield scene


# -- words -----------------------------------------------------------------------------------------------------------


def change_task(store: LineageStore) -> None:
    """Have everybody ranked by something else."""
    store.set_task(Task(score_field="core_metric", lower_is_better=False, epsilon=9.0, label="x"), force=True)


def change_row(store: LineageStore) -> None:
    """Say that somebody's best trial was a bad one."""
    store.record("001", Trial(status="discard", core_metric=7.0, hypothesis="bad"), revise=True)


def fake_best(store: LineageStore) -> None:
    """Record what nobody can beat."""
    store.commit({"f": b"x"}, ["001"], trial=Trial(exp_id="x", status="keep", core_metric=-1e9))


WORDS = {
    "task": (
        change_task,
        "mallory changed the task from core_metric, lower is better, which alice had said, to core_metric, higher is",
        lambda alice: alice.reassert(),
    ),
    "row": (
        change_row,
        "mallory changed 001, a row of alice's: core_metric from 1.5 to 7.0, status from keep to discard, delta",
        lambda alice: alice.reassert("001"),
    ),
    "best": (
        fake_best,
        "the best changed from 001 with core 1.5 to x with core -1000000000.0, a row of mallory's; `gitlineage retract",
        lambda alice: alice.retract("x", "nobody has that"),
    ),
    "retract": (
        lambda store: store.retract("001", "spite"),
        "mallory retracted 001: spite; `gitlineage retract 001 --undo` takes it back",
        lambda alice: alice.retract("001", undo=True),
    ),
    "reparent": (
        lambda store: store.reparent("001", [], "spite"),
        "mallory reparented 001 to nothing: spite; `gitlineage reparent 001 000 -m WHY` takes it back",
        lambda alice: alice.reparent("001", ["000"], "it was"),
    ),
    "relation": (
        lambda store: store.add_relationship("001", "000", "depends_on"),
        "mallory says that 001 depends_on 000; `gitlineage relation end 001 depends_on 000` takes it back",
        lambda alice: alice.deprecate_relationship("001", "000", "depends_on"),
    ),
}
"""What Mallory does by ordinary commands, what Alice is told, and how she takes it back."""


@both
@pytest.mark.parametrize("act", WORDS)
def test_a_word_about_what_is_not_ones_own(act: str, scene: Scene) -> None:
    """The later word holds, with whom and from what to what; one command takes it back; all clones agree."""
    do, said, undo = WORDS[act]
    before = answers(scene.alice, scene.folder / "board")
    do(scene.mallory)
    scene.mallory.push()
    notes = scene.pull()
    assert any(note.startswith(said) for note in notes), notes
    assert scene.pull() == []
    assert answers(scene.alice, scene.folder / "board") != before or act == "relation"
    words = [str(each) for each in scene.alice.ledger.others_words()]
    assert act == "relation" or any(word.startswith("the best is x with" if act == "best" else said) for word in words)
    undo(scene.alice)
    after = scene.agree()
    for name in ("best", "leaderboard", "task"):
        assert after[name] == before[name], name
    assert [chain for chain in after["chains"] if chain[0] != "x"] == before["chains"]
    assert after["prompt"].count("0.5") == before["prompt"].count("0.5")
    assert not scene.alice.ledger.others_words()


@both
def test_a_word_that_claims_an_early_clock_changes_nothing(scene: Scene) -> None:
    """An event with a clock below that of the owner's word loses against it."""
    oid = scene.alice.resolve("001")
    scene.forge('{"clock":1,"row":{"core_metric":"7","exp_id":"001","status":"discard"},"type":"trial"}', oid)
    assert scene.push() == ""
    scene.pull()
    assert scene.agree()["best"].exp_id == "001"


def test_one_writer_alone_has_nothing_to_say_again(tmp_path: Path) -> None:
    """Where nobody else said anything, there is nothing to go back to."""
    with opened(tmp_path, False) as scene:
        for id in ("001", None):
            with pytest.raises(LineageError, match="one writer"):
                scene.alice.reassert(id)


# -- names -----------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("name", ["HEAD", "best", "main", "a full oid"])
def test_an_exp_id_that_stands_for_something_else(scene: Scene, name: str) -> None:
    """Whatever others call their trials, oids, best and git's names stand for what they did; the rest is ID@WRITER."""
    alice, mallory = scene.alice, scene.mallory
    git(alice.ledger.root, "checkout", "-q", "-b", "main")
    git(alice.ledger.root, "commit", "-q", "--allow-empty", "-m", "by git")
    text = alice.resolve("001") if name == "a full oid" else name
    before = alice.resolve(text)
    if name != "main":  # which mallory, who is on no such branch, may well call a trial
        with pytest.raises(LineageError, match="which it could be taken for"):
            mallory.commit({"f": b"m"}, ["001"], trial=Trial(exp_id=text, status="discard", core_metric=9.0))
    made = mallory.commit({"f": b"m"}, ["001"], trial=Trial(exp_id="m", status="discard", core_metric=9.0))
    row = {"exp_id": text, "status": "discard", "core_metric": "9"}
    land(mallory, (made.oid, events.TrialEvent(clock=20, row=row)))
    assert scene.push() == ""
    scene.pull()
    assert alice.resolve(text) == before
    assert alice.resolve(f"{text}@mallory") == made.oid
    child = alice.commit({"f": b"c"}, [text], trial=Trial(exp_id="c", status="discard", core_metric=8.0))
    assert [each.oid for each in alice.parents(child)] == [before]
    with LineageStore(alice.ledger.root, writer="alice", watcher=scene.ears) as again:
        assert again.resolve(text) == before
    assert any(note.startswith(f"{text} is ") and f"{text}@" in note for note in scene.ears.notes), scene.ears.notes
    handed = next(view for view in alice.log(None) if view.trial.exp_id == text)
    child = alice.commit({"f": b"d"}, [handed], trial=Trial(exp_id="d", status="discard", core_metric=8.0))
    assert [each.oid for each in alice.parents(child)] == [made.oid]
    for store in (alice, mallory):
        store.sync()
    assert mallory.all_trials() == alice.all_trials()


# -- clocks ----------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("clock", [2**47, 2**41, AHEAD + 100])
def test_a_clock_that_nothing_led_to(scene: Scene, hooked: bool, clock: int) -> None:
    """It does not count and is told; the server refuses it."""
    before = answers(scene.alice, scene.folder / "board")
    line = f'{{"clock":{clock},"task":{{"lower_is_better":false,"score_field":"core_metric"}},"type":"task"}}'
    scene.forge(line, scene.alice.resolve("000"))
    refused = scene.push()
    assert bool(refused) == hooked
    if hooked:
        assert f"the clock {clock:,} is beyond" in refused
        return
    notes = scene.pull()
    assert any(note.startswith("left out a word in the note of mallory on") for note in notes), notes
    assert any(f"its clock is {clock:,}, far above" in each.what for each in scene.alice.verify())
    after = scene.agree()
    assert {**after, "problems": ()} == {**before, "problems": ()}


@both
def test_the_highest_clock_that_counts(scene: Scene) -> None:
    """Whoever claims it is told of, and has the last word only until somebody else speaks."""
    clock = AHEAD  # below the number of events and AHEAD, also for the server
    line = f'{{"clock":{clock},"task":{{"lower_is_better":false,"score_field":"core_metric"}},"type":"task"}}'
    scene.forge(line, scene.alice.resolve("000"))
    assert scene.push() == ""
    notes = scene.pull()
    assert any(note.startswith(f"the clock of mallory leaps to {clock:,} with 4 events in all") for note in notes)
    assert any(note.startswith("mallory changed the task") for note in notes)
    assert not scene.alice.task.lower_is_better
    scene.alice.reassert()
    assert scene.agree()["task"].lower_is_better
    change_task(scene.mallory)
    scene.alice.sync()
    scene.mallory.sync()
    scene.pull()
    scene.alice.reassert()
    assert scene.agree()["task"].lower_is_better


@both
def test_events_of_one_writer_with_the_same_clock(scene: Scene) -> None:
    """Whichever is read first, all clones hold the same one, and it is told."""
    oid = scene.alice.resolve("000")
    for lower in ("true", "false"):
        line = f'{{"clock":9,"task":{{"lower_is_better":{lower},"score_field":"core_metric"}},"type":"task"}}'
        scene.forge(line, oid)
        row = f'{{"clock":10,"row":{{"exp_id":"000","notes":"{lower}","status":"discard"}},"type":"trial"}}'
        scene.forge(row, oid)
        scene.push()
        scene.pull()
    scene.agree()
    assert any("two events of this writer have the clock" in each.what for each in scene.alice.verify())


# -- archives --------------------------------------------------------------------------------------------------------


@both
def test_an_archive_that_puts_words_into_ones_mouth(scene: Scene, hooked: bool) -> None:
    """What no ref that the archive keeps holds does not count, whoever's it is said to be; what it holds does."""
    scene.mallory.commit({"f": b"m"}, ["001"], trial=Trial(exp_id="m", status="keep", core_metric=1.7))
    git(scene.mallory.ledger.root, "config", "lineage.writer", "trent")
    with LineageStore(scene.mallory.ledger.root, identity=("trent", "t@example.org")) as trent:
        trent.append(Trial(exp_id="t", status="discard", core_metric=3.0))
        consolidate(trent.ledger, ["mallory"])
        oid = trent.resolve("001")
    for writer in ("alice", "mallory", "trent"):
        row = '{"clock":9,"row":{"core_metric":"7","exp_id":"001","status":"discard"},"type":"trial","writer":"%s"}'
        scene.forge(row % writer, oid, "archive-trent")
    refused = scene.push()
    assert bool(refused) == hooked
    if hooked:
        assert "it is said to be of 'alice', and no ref of that writer's holds it" in refused
        return
    scene.pull()
    assert sorted(trial.exp_id for trial in scene.alice.all_trials()) == ["000", "001", "m", "t"]
    assert scene.alice.best().exp_id == "001"
    assert {each.event.writer for each in scene.alice.audit("001")} == {"alice"}
    forged = [what for writer, _, what in scene.alice.history.problems() if writer == "archive-trent"]
    assert len(forged) == 3
    assert {each.what for each in scene.alice.verify()} >= set(forged)


def test_an_archive_of_a_line_that_is_nobodys(tmp_path: Path) -> None:
    """An old ref that forks from the writer's own does not count, nor does one that does not go back to its first."""
    with opened(tmp_path, False) as scene:
        root = scene.mallory.ledger.root
        with LineageStore(root, writer="alice", identity=("x", "x@example.org")) as fake:
            fake.record("001", Trial(status="discard", core_metric=7.0), revise=True)
        with LineageStore(root, writer="trent", identity=("trent", "t@example.org")) as trent:
            trent.append(Trial(exp_id="t", status="discard", core_metric=3.0))
            consolidate(trent.ledger, ["alice"])
        scene.alice.append(Trial(exp_id="002", status="discard", core_metric=3.0))
        words = ["push", "-q", "origin", "refs/notes/lineage/archive-trent", "refs/notes/lineage/trent"]
        git(root, *words)
        scene.pull()
        assert scene.alice.best().exp_id == "001"
        assert any("'alice', and no ref" in what for _, _, what in scene.alice.history.problems())


# -- settings --------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    "line",
    ['{"clock":9,"shape":{},"type":"table"}', '{"clock":9,"task":{"score_field":""},"type":"task"}', "no event"],
)
def test_settings_that_are_none(scene: Scene, hooked: bool, line: str) -> None:
    """A bad line is a problem of that line only; the server refuses it."""
    before = answers(scene.alice, scene.folder / "board")
    scene.forge(line, scene.alice.resolve("000"))
    assert bool(scene.push()) == hooked
    if not hooked:
        assert any("mallory" in note for note in scene.pull())
        after = scene.agree()
        assert {**after, "problems": ()} == {**before, "problems": ()}


# -- only signed words -----------------------------------------------------------------------------------------------


ACTS: dict[str, Callable[[LineageStore], object]] = {
    "task": change_task,
    "row": change_row,
    "retract": lambda store: store.retract("001", "spite"),
    "reparent": lambda store: store.reparent("001", [], "spite"),
    "relation": lambda store: store.add_relationship("001", "000", "depends_on"),
    "snapshot": lambda store: store.record(
        "000", Trial(exp_id="r1", status="discard", core_metric=9.1), replicate=True
    ),
}
"""What Mallory says of what is Alice's."""


def test_rows_that_share_their_place(tmp_path: Path) -> None:
    """Rows of one writer with one clock, which only hands write, are in the same order whatever was read first."""
    with opened(tmp_path, False) as scene:
        row = {"exp_id": "001", "status": "keep", "core_metric": "1.5", "hypothesis": "good"}
        land(scene.alice, (scene.alice.resolve("001"), events.TrialEvent(clock=2, row=row)))
        assert [each.order.clock for each in scene.alice.log(None)] == [2, 2]
        scene.agree()


@needs_keygen
def test_signed_words_about_others_have_no_effect(tmp_path: Path) -> None:
    """Of all acts of a writer who signs, nothing counts but its own row; refused here, told where it arrives."""
    folder = tmp_path / "keys"
    with opened(tmp_path, False, sign_all(tmp_path)) as scene:
        git(scene.hub, "config", "lineage.allowedSigners", str(tmp_path / "allowed"))
        before = answers(scene.alice, folder)
        for act in list(ACTS)[:-1]:
            ACTS[act](scene.mallory)
        oid = scene.mallory.commit({"f": b"m"}, ["001"], trial=Trial(exp_id="m", status="discard", core_metric=9.0)).oid
        scene.mallory.push()
        trust(scene.alice.ledger.root)
        notes = scene.pull()
        assert sum("does not count" in note for note in notes) >= 3
        assert not any("changed" in note for note in notes)
        assert "mallory has a row 001 of its own on a snapshot where alice has one, too" in notes
        after = answers(scene.alice, folder)
        labels = {label: trial for label, *_, trial in after["log"]}
        assert sorted(labels) == ["000", "001@alice", "001@mallory", "m"]
        assert (labels["000"], labels["001@alice"]) == tuple(before["trials"])
        assert labels["001@mallory"].core_metric == 7.0
        for name in ("best", "leaderboard", "relations", "task", "where"):
            assert after[name] == before[name], name
        assert dict(after["chains"])["001@alice"] == dict(before["chains"])["001"]
        assert not any(after["reparentings"])
        assert [each[0] for each in after["log"] if each[4]] == ["001@mallory"]  # he retracted his own
        said = [each.event for each in scene.alice.audit("001@alice") if each.event.writer == "mallory"]
        assert {each.event_type for each in said} == {"trial", "retract"}
        assert scene.alice.parents("m") == (scene.alice.snapshot("001"),) and scene.alice.resolve("m") == oid
        scene.alice.reindex()
        assert answers(scene.alice, folder) == after
        with LineageStore.clone(scene.hub, tmp_path / "fresh") as fresh:
            for name in ("lineage.allowedSigners",):
                git(fresh.ledger.root, "config", name, str(tmp_path / "allowed"))
            trust(fresh.ledger.root)
            assert answers(fresh, folder) == after
        for call in (
            lambda: scene.alice.retract("m", "it is not mine"),
            lambda: scene.alice.record("m", Trial(status="keep"), revise=True),
            lambda: scene.alice.reparent("m", [], "no"),
        ):
            with pytest.raises(
                LineageError, match=r"would not count: (mallory recorded this|nothing shows whose this is)"
            ):
                call()
        git(scene.alice.ledger.root, "config", "lineage.sign", "false")
        with pytest.raises(SigningError, match="would not count"):
            scene.alice.append(Trial(status="discard"))


@needs_keygen
def test_whoever_does_not_sign_is_left_out(tmp_path: Path) -> None:
    """A ref that its owner did not sign has no effect in any command, and is named."""
    sign = sign_all(tmp_path)
    with opened(tmp_path, False, lambda store: sign(store) if store.ledger.writer == "alice" else None) as scene:
        before = answers(scene.alice, tmp_path / "keys")
        for act in list(ACTS)[:-1]:
            ACTS[act](scene.mallory)
        fake_best(scene.mallory)
        scene.forge(f'{{"clock":{AHEAD},"task":{{"score_field":"x"}},"type":"task"}}', scene.alice.resolve("000"))
        scene.mallory.push()
        trust(scene.alice.ledger.root)
        assert "left out, because not signed by their owners: mallory" in scene.pull()
        assert answers(scene.alice, tmp_path / "keys") == before
        assert [str(each) for each in scene.alice.ledger.others_words()] == [
            "left out, because not signed by their owners: mallory"
        ]
        git(scene.alice.ledger.root, "config", "--unset", "lineage.trust")
        assert scene.alice.task.score_field == "x"


@needs_keygen
@pytest.mark.parametrize("act", ACTS)
def test_the_server_refuses_words_about_others(tmp_path: Path, act: str) -> None:
    """With lineage.trust signed on the server, what would not count does not come in; one's own does."""
    with opened(tmp_path, True, sign_all(tmp_path)) as scene:
        git(scene.hub, "config", "lineage.allowedSigners", str(tmp_path / "allowed"))
        trust(scene.hub)
        scene.mallory.commit({"f": b"m"}, ["001"], trial=Trial(exp_id="m", status="discard", core_metric=9.0))
        scene.mallory.push()
        ACTS[act](scene.mallory)
        if act in ("snapshot", "row"):  # a row of one's own is no word about others
            assert scene.push() == ""
            return
        assert "does not count" in scene.push()
        with suppress(RemoteError):
            scene.mallory.push()
        scene.pull()
        assert {each.writer for each in scene.alice.events()} == {"alice", "mallory"}
        assert not [each for each in scene.alice.events("001") if each.writer == "mallory"]


@needs_keygen
def test_the_server_takes_a_row_that_stands_beside(tmp_path: Path) -> None:
    """A row on somebody's snapshot under the same exp id is the own one, which takes nothing from the other."""
    with opened(tmp_path, True, sign_all(tmp_path)) as scene:
        git(scene.hub, "config", "lineage.allowedSigners", str(tmp_path / "allowed"))
        trust(scene.hub)
        oid = scene.alice.resolve("001")
        git(scene.mallory.ledger.root, "update-ref", "-d", "refs/notes/lineage/alice")
        scene.mallory.reindex()
        scene.mallory.record(oid, Trial(exp_id="001", status="discard", core_metric=7.0))
        assert scene.push() == ""
        trust(scene.alice.ledger.root)
        scene.pull()
        assert scene.alice.trial("001@alice").core_metric == 1.5 and scene.alice.trial("001@mallory").core_metric == 7.0
        assert scene.alice.best().exp_id == "001" and scene.alice.resolve("best") == oid


def early_words(store: LineageStore, rows: dict[str, str], own: dict[str, events.Event]) -> list[tuple[str, Any]]:
    """
    Return what somebody could sign to have been before everybody else about everything.

    Args:
        store: where the snapshots are.
        rows: exp ids and their snapshots, the parent first.
        own: commits of cohorts, sessions and forge attempts with events that say otherwise what they are.
    """
    (_, parent), *_ = rows.items()
    found: list[tuple[str, Any]] = list(own.items())
    for exp_id, oid in rows.items():
        found += [
            (oid, events.SnapshotEvent(clock=1)),
            (oid, events.TrialEvent(clock=1, row={"exp_id": exp_id, "status": "keep", "core_metric": "-9"})),
            (oid, events.TrialEvent(clock=1, row={"exp_id": f"r{exp_id}", "status": "discard", "core_metric": "9"})),
            (oid, events.RetractEvent(clock=2, exp_id=exp_id)),
            (oid, events.EntryEvent(clock=2, fields={"name": "mine"})),
        ]
        if oid != parent:
            found += [
                (oid, events.ReparentEvent(clock=2)),
                (oid, events.RelationAdded(clock=2, target=parent, relation="depends_on")),
            ]
    return found


@needs_keygen
@both
@pytest.mark.parametrize("proof", ["named", "mail"])
def test_nobody_claims_by_a_clock_what_shows_whose_it_is(tmp_path: Path, hooked: bool, proof: str) -> None:
    """A signed word with the lowest clock about a commit that shows its writer has no effect; the server refuses it."""
    sign = sign_all(tmp_path, mails=proof == "mail")

    def prepare(store: LineageStore) -> None:
        sign(store)
        if proof == "named":
            trust(store.ledger.root)

    with opened(tmp_path, hooked, prepare) as scene:
        git(scene.hub, "config", "lineage.allowedSigners", str(tmp_path / "allowed"))
        trust(scene.hub)
        alice, mallory = scene.alice, scene.mallory
        rows = {exp_id: alice.resolve(exp_id) for exp_id in ("000", "001")}
        (alice.ledger.root / "f").write_text("by git")
        git(alice.ledger.root, "add", "f")
        if proof == "mail":  # git itself does not say who recorded what
            git(alice.ledger.root, "commit", "-q", "-m", "by git")
            rows["g"] = alice.resolve("HEAD")
            alice.record("HEAD", Trial(exp_id="g", status="discard", core_metric=4.0))
        else:
            rows["a"] = alice.append(Trial(exp_id="a", status="discard", core_metric=4.0), parents=["000"]).oid
        alice.open_cohort("c", ["000"], metadata={"a": 1})
        session = alice.render_prompt("ann", record=True).session
        forge = alice.record_forge_attempt("a parser").id
        alice.sync()
        mallory.pull()
        for store in (alice, mallory):
            trust(store.ledger.root)
        folder = tmp_path / "keys"
        before = answers(alice, folder)
        own = {
            alice.cohort("c").oid: events.CohortEvent(clock=1, name="d"),
            session: events.SessionEvent(clock=1, specialist="eve", prompt="0" * 40),
            forge: events.ForgeEvent(clock=1, intent="nothing"),
        }
        land(mallory, *early_words(mallory, rows, own))
        refused = scene.push()
        assert bool(refused) == hooked, refused
        if hooked:
            assert "does not count" in refused and "alice recorded this" in refused
            return
        notes = scene.pull()
        assert sum("does not count" in note for note in notes) >= 3, notes
        assert not any("was first" in note or "rebuil" in note for note in notes), notes
        after = answers(alice, folder)
        rows_of_hers = {f"r{exp_id}" for exp_id in rows}
        assert {each.exp_id for each in after["trials"]} == {each.exp_id for each in before["trials"]} | rows_of_hers
        for name in ("best", "relations", "task", "cohorts", "where"):
            assert after[name] == before[name], name
        assert not any(after["reparentings"])
        assert [each for each in after["trials"] if each.exp_id in rows] == before["trials"]
        assert alice.catalogue.forge_record(forge).intent == "a parser"
        alice.retract("001", "mine to say")
        alice.retract("001", undo=True)
        alice.reindex()
        assert {**answers(alice, folder), "problems": ()} == {**after, "problems": ()}
        assert not [each.what for each in alice.verify() if "index" in each.what]


@needs_keygen
@both
@pytest.mark.parametrize("victim", ["alice", "mallory"])
def test_nobody_claims_what_shows_nobody(tmp_path: Path, hooked: bool, victim: str) -> None:
    """Where nothing shows an owner, signed words with the lowest clock change no row and no snapshot of anybody's."""
    sign = sign_all(tmp_path)
    with opened(tmp_path, hooked, sign) as scene:
        git(scene.hub, "config", "lineage.allowedSigners", str(tmp_path / "allowed"))
        owner, other = (scene.alice, scene.mallory) if victim == "alice" else (scene.mallory, scene.alice)
        name = other.ledger.writer
        first = owner.append(Trial(exp_id="b0", status="baseline", core_metric=2.0, hypothesis="seed"), parents=[])
        row = Trial(exp_id="b1", status="keep", core_metric=1.0, parent_exp="b0", hypothesis="good")
        second = owner.append(row, parents=["b0"])
        owner.record("b1", Trial(exp_id="b2", status="discard", core_metric=3.0), replicate=True)
        owner.append(Trial(exp_id="b3", status="discard", core_metric=4.0, parent_exp="b2"), parents=["b1"])
        owner.sync()
        other.pull()
        for store in (owner, other):
            trust(store.ledger.root)
        folder = tmp_path / "keys"
        rows = {"b0": first.oid, "b1": second.oid, "b2": second.oid}
        before = answers(owner, folder)
        land(other, *early_words(other, rows, {}))
        land(
            other, (second.oid, events.TrialEvent(clock=1, row={"exp_id": "b2", "status": "keep", "core_metric": "8"}))
        )
        trust(scene.hub)
        refused = scene.push(other)
        assert bool(refused) == hooked, refused
        if hooked:
            assert "nothing shows whose this is" in refused and "(trial)" not in refused
            return
        owner.pull()
        after = answers(owner, folder)
        mine = [each for each in after["log"] if each[2].writer == victim]
        assert [each[1:3] + each[4:] for each in mine] == [
            each[1:3] + each[4:] for each in before["log"] if each[2].writer == victim
        ]
        for label, oid, order, *_, trial in mine:
            assert owner.trial(label) == trial, label
            assert owner.resolve(label) == oid and order.writer == victim
        chains = {label: [each.exp_id for each in chain] for label, chain in after["chains"]}
        assert chains["b3"] == ["b0", "b2", "b3"]
        assert owner.chain_to("b3") == dict(before["chains"])["b3"]
        assert not any(after["reparentings"])
        for what in ("relations", "task", "cohorts"):
            assert after[what] == before[what], what
        assert all(owner.catalogue.entry(oid).name != "mine" for oid in rows.values())
        told = [reason for _, _, reason in after["problems"]]
        assert sum(f"whose this is, so the word of {name}" in each for each in told) == 4
        with pytest.raises(Ambiguous, match=f"b1@{victim}"):
            owner.trial("b1")
        assert owner.retract("b1@" + victim, "mine").retracted and owner.trial(f"b1@{name}").core_metric == -9
        assert [each[0] for each in answers(owner, folder)["log"] if each[4] == "mine"] == [f"b1@{victim}"]
        with pytest.raises(LineageError, match=f"would not count: {name} recorded this"):
            owner.retract(f"rb1@{name}", "not mine")
        owner.retract("b1@" + victim, undo=True)
        owner.reindex()
        assert {**answers(owner, folder), "problems": ()} == {**after, "problems": ()}
        assert not [each.what for each in owner.verify() if "index" in each.what]


@needs_keygen
@pytest.mark.parametrize("is_signed_before", [True, False], ids=["named", "shows nobody"])
def test_nobody_says_what_an_imported_document_is(tmp_path: Path, is_signed_before: bool) -> None:
    """A document of an OpenRange store stays what its importer had, whatever others claim to have imported before."""
    sign = sign_all(tmp_path)

    def prepare(store: LineageStore) -> None:
        sign(store)
        if is_signed_before:
            trust(store.ledger.root)

    with opened(tmp_path, False, prepare) as scene:
        alice, mallory = scene.alice, scene.mallory
        names = openrange_stores.first(tmp_path / "documents")
        assert import_openrange(alice, tmp_path / "documents").added == 3
        alice.sync()
        mallory.pull()
        for store in (alice, mallory):
            trust(store.ledger.root)
        oids = [origin.oid for origin in alice.ledger.views().origins.all()]
        assert len(oids) == (3 if is_signed_before else 0)  # from before, nothing shows whose they are
        whole = {path.name: path.read_bytes() for path in (tmp_path / "documents").iterdir()}
        if is_signed_before:
            assert import_openrange(mallory, tmp_path / "documents").added == 0
            export_openrange(alice, tmp_path / "before", generation=1)
        document = mallory.ledger.repo.write_blob(b'{"snapshot_id": "evil"}')
        commits = [each.event.oid for name in names for each in alice.audit(alice.resolve(name))] if oids else []
        for oid in dict.fromkeys(commits or [each.oid for each in alice.events() if each.event_type == "imported"]):
            said = events.ImportedEvent(clock=1, name="evil", source="openrange/1", document=document, file="evil.json")
            land(mallory, (oid, said))
            again = [msgspec.structs.replace(said, name=name, clock=2, stub=True) for name in names]
            land(mallory, *((oid, each) for each in again))
        mallory.push()
        scene.pull()
        views = alice.ledger.views()
        assert [origin.oid for origin in views.origins.all()] == oids
        if is_signed_before:
            assert [alice.resolve(name) for name in names] and not views.origins.called("evil")
            export_openrange(alice, tmp_path / "after", generation=1)
            assert {path.name: path.read_bytes() for path in (tmp_path / "after").iterdir()} == whole
            mine = mallory.commit({"f": b"x"}, ["000"], trial=Trial(exp_id="e", status="discard", core_metric=9.0)).oid
            land(
                mallory, (mine, events.ImportedEvent(clock=900, name=names[0], source="openrange/1", document=document))
            )
            mallory.push()
            scene.pull()
            with pytest.raises(Ambiguous):  # it is not what it was, and says so
                alice.resolve(names[0])
            assert alice.resolve(names[1]) in oids
        else:
            assert any("nothing shows whose this is" in reason for *_, reason in alice.history.problems())
        last = alice.ledger.views().origins.all()
        alice.reindex()
        assert alice.ledger.views().origins.all() == last
        assert not [each.what for each in alice.verify() if "index" in each.what]


@needs_keygen
def test_an_arrival_takes_only_what_is_ones_own(tmp_path: Path) -> None:
    """Nobody takes a row away by saying that another commit has come for a stand-in that is not theirs."""
    sign = sign_all(tmp_path)
    with opened(tmp_path, False, lambda store: (sign(store), trust(store.ledger.root))) as scene:
        alice, mallory = scene.alice, scene.mallory
        mine = alice.resolve("001")
        hers = mallory.commit({"f": b"m"}, ["000"], trial=Trial(exp_id="m", status="discard", core_metric=9.0)).oid
        row = {"exp_id": "001", "status": "discard", "core_metric": "9"}
        land(mallory, (hers, events.TrialEvent(clock=1, row=row)))
        land(mallory, (hers, events.RewriteEvent(clock=2, old=mine, how=events.ARRIVED)))
        mallory.push()
        assert any("does not count" in note for note in scene.pull())
        assert alice.best().exp_id == "001" and alice.resolve("best") == mine
        assert alice.resolve("001@alice") == mine
        alice.reindex()
        assert alice.resolve("best") == mine


@needs_keygen
def test_whose_it_is_may_show_late(tmp_path: Path) -> None:
    """What another writer recorded first of somebody's own is that somebody's once they record it, on every clone."""
    sign = sign_all(tmp_path, mails=True)
    with opened(tmp_path, False, lambda store: (sign(store), trust(store.ledger.root))) as scene:
        alice, mallory = scene.alice, scene.mallory
        (alice.ledger.root / "f").write_text("by git")
        git(alice.ledger.root, "add", "f")
        git(alice.ledger.root, "commit", "-q", "-m", "by git")
        oid = git(alice.ledger.root, "rev-parse", "HEAD")
        git(alice.ledger.root, "push", "-q", "origin", "HEAD:refs/heads/main")
        git(mallory.ledger.root, "fetch", "-q", "origin", "main")
        mallory.record(oid, Trial(exp_id="g", status="keep", core_metric=-9.0))
        with pytest.raises(LineageError, match="would not count: alice recorded this"):
            mallory.reparent(oid, ["001"], "spite")
        mallory.push()
        scene.pull()
        assert alice.best().exp_id == "g"
        alice.record(oid, Trial(exp_id="g", status="discard", core_metric=4.0), revise=True)
        assert alice.best().exp_id == "001" and alice.parents(oid) == ()
        before = answers(alice, tmp_path / "keys")
        alice.reindex()
        assert answers(alice, tmp_path / "keys") == before
        alice.push()
        mallory.pull()
        assert answers(mallory, tmp_path / "keys") == before


@needs_keygen
def test_a_check_that_was_ended_leaves_nobody_out(tmp_path: Path) -> None:
    """Where a signature cannot be checked, as on a machine that is out of memory, the command says so and ends."""
    sign = sign_all(tmp_path)
    with opened(tmp_path, False, lambda store: (sign(store), trust(store.ledger.root))) as scene:
        scene.mallory.append(Trial(exp_id="m", status="discard", core_metric=9.0))
        scene.mallory.sync()
        scene.pull()
        before = answers(scene.alice, tmp_path / "keys")
        program = tmp_path / "ended"
        program.write_text("#!/bin/sh\nkill -9 $$\n")
        program.chmod(0o755)
        scene.mallory.append(Trial(exp_id="n", status="discard", core_metric=9.0))
        scene.mallory.push()
        git(scene.alice.ledger.root, "config", "gpg.ssh.program", str(program))
        with pytest.raises(SigningError, match="was ended by signal 9"):
            scene.alice.pull()
        git(scene.alice.ledger.root, "config", "--unset", "gpg.ssh.program")
        scene.pull()
        after = answers(scene.alice, tmp_path / "keys")
        assert [each for each in after["trials"] if each.exp_id != "n"] == before["trials"]
        assert len(after["trials"]) == len(before["trials"]) + 1


@needs_keygen
@both
@pytest.mark.parametrize("is_signed", [True, False], ids=["signed by mallory", "not signed"])
def test_nobody_takes_anything_from_a_signed_ref_by_adding_to_it(tmp_path: Path, hooked: bool, is_signed: bool) -> None:
    """What goes on under a writer's name without its signature is told and left; what is below counts as before."""
    sign = sign_all(tmp_path)
    with opened(tmp_path, hooked, lambda store: (sign(store), trust(store.ledger.root))) as scene:
        git(scene.hub, "config", "lineage.allowedSigners", str(tmp_path / "allowed"))
        trust(scene.hub)
        alice, root = scene.alice, scene.mallory.ledger.root
        git(root, "config", "lineage.sign", str(is_signed).lower())
        journal, tip = scene.mallory.ledger.journal, scene.mallory.ledger.journal.tips()["alice"]
        row = events.TrialEvent(clock=50, row={"exp_id": "001", "status": "discard", "core_metric": "7"})
        added = journal.land(
            Append(
                writer="alice",
                tip=tip,
                lines=[(alice.resolve("001"), events.encode(row))],
                clock=50,
                subject="x",
                identity=scene.mallory.ledger.committer(),
                moment=scene.mallory.ledger.now(),
            )
        )
        git(root, "config", "lineage.sign", "true")
        refused = scene.push()
        assert bool(refused) == hooked
        if hooked:
            assert "is not signed by alice" in refused
            return
        before = answers(alice, tmp_path / "keys")
        (found,) = [each for each in alice.pull().outcomes if each.state == "refused"]
        assert f"alice did not sign {added[:12]}" in found.reason
        assert answers(alice, tmp_path / "keys") == before
        with LineageStore.clone(scene.hub, tmp_path / "fresh") as fresh:  # there it is what the remote has
            git(fresh.ledger.root, "config", "lineage.allowedSigners", str(tmp_path / "allowed"))
            trust(fresh.ledger.root)
            assert answers(fresh, tmp_path / "keys") == before
            assert f"left out, because not signed by their owners: alice from {tip[:12]} on" in [
                str(each) for each in fresh.ledger.others_words()
            ]
        alice.append(Trial(exp_id="002", status="discard", core_metric=3.0))
        (found,) = alice.push().outcomes
        assert (found.state, alice.ledger.own_writer()) == ("refused", "alice")
        remedy = found.reason.rpartition("puts it right with ")[2].split()
        git(alice.ledger.root, *remedy[1:])
        assert {each.state for each in alice.sync().outcomes} <= GOOD
        assert scene.mallory.ledger.journal.tips()["alice"] == added
        scene.mallory.pull(accept_rewrite=["alice"])
        assert answers(scene.mallory, tmp_path / "keys") == answers(alice, tmp_path / "keys")
