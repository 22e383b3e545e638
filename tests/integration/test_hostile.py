"""A hostile colleague on the same remote, with and without the server's hook: what is told, and what takes it back."""

import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from clones import answers, clones, git
from places import ROOT
from remotes import bare

from gitlineage import LineageError, LineageStore, RemoteError, SigningError, Task, Trial, Watcher
from gitlineage.bridge.hooks import install
from gitlineage.git.repository import GitRepo
from gitlineage.journal.events import AHEAD
from gitlineage.sync.archives import consolidate

needs_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
both = pytest.mark.parametrize("hooked", [False, True], ids=["plain", "hooked"])


class Ears(Watcher):
    """Remembers what a store told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Hear something worth knowing, in one line."""
        self.notes.append(text)


class Scene:
    """
    Alice and Mallory on one remote; Alice has recorded two trials, and both have them.

    Args:
        folder: where their repositories are.
        alice: Alice's store.
        mallory: Mallory's.
        hub: the remote.
    """

    def __init__(self, folder: Path, alice: LineageStore, mallory: LineageStore, hub: Path) -> None:
        self.folder, self.alice, self.mallory, self.hub = folder, alice, mallory, hub
        self.ears = Ears()
        alice.ledger.watcher = self.ears

    def forge(self, line: str, oid: str, ref: str = "mallory") -> None:
        """Have Mallory write a line by hand."""
        if ref not in self.mallory.ledger.journal.tips():
            self.mallory.ledger.journal.begin(ref)
        git(self.mallory.ledger.root, "notes", f"--ref=lineage/{ref}", "append", "-m", line, oid)

    def push(self) -> str:
        """Push all that Mallory has with plain git and return what the server said; empty where it took it."""
        words = ["git", "push", "-q", "origin", "refs/notes/lineage/*:refs/notes/lineage/*"]
        done = subprocess.run(words, cwd=self.mallory.ledger.root, capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else done.stderr

    def pull(self) -> list[str]:
        """Have Alice pull and return what she was told."""
        self.ears.notes.clear()
        self.alice.pull()
        return list(self.ears.notes)

    def agree(self) -> dict[str, object]:
        """Share all there is; both clones, a fresh one and a rebuilt index have to say the same."""
        for _ in range(2):
            for store in (self.alice, self.mallory):
                store.sync()
        told = [answers(store, self.folder / "board") for store in (self.alice, self.mallory)]
        with LineageStore.clone(self.hub, self.folder / "fresh") as fresh:
            told.append(answers(fresh, self.folder / "board"))
        shutil.rmtree(self.folder / "fresh")
        self.alice.reindex()
        told.append(answers(self.alice, self.folder / "board"))
        assert all(each == told[0] for each in told)
        return told[0]


def hook(hub: Path, folder: Path) -> None:
    """Install pre-receive on a remote."""
    program = folder / "bin" / "gitlineage"
    program.parent.mkdir()
    top = ROOT
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{top}" exec "{sys.executable}" -m gitlineage "$@"\n')
    program.chmod(0o755)
    install.install(GitRepo(hub), command=program)


@contextmanager
def opened(folder: Path, hooked: bool, prepare: Callable[[LineageStore], None] = lambda store: None) -> Iterator[Scene]:
    """Open the scene; what has to be set in each clone first is set by ``prepare``."""
    hub = bare(folder / "hub.git")
    if hooked:
        hook(hub, folder)
    with clones(folder, str(hub), ("alice", "mallory")) as (alice, mallory):
        for store in (alice, mallory):
            git(store.ledger.root, "config", "user.name", store.ledger.writer)
            git(store.ledger.root, "config", "user.email", f"{store.ledger.writer}@example.org")
            prepare(store)
        alice.set_task(Task())
        alice.commit({"f": b"0"}, trial=Trial(exp_id="000", status="baseline", core_metric=2.0, hypothesis="seed"))
        alice.commit({"f": b"1"}, ["000"], trial=Trial(exp_id="001", status="keep", core_metric=1.5, hypothesis="good"))
        alice.push()
        mallory.pull()
        yield Scene(folder, alice, mallory, hub)


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
        "mallory says that 001 depends_on 000; `gitlineage relate 001 depends_on 000 --end` takes it back",
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


def sign_all(folder: Path, names: tuple[str, ...] = ("alice", "mallory")) -> Callable[[LineageStore], None]:
    """Make a key and a line of an allowed-signers file for each; return what has a store sign as its writer."""
    where = folder / "ssh"
    where.mkdir()
    for name in names:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(where / name)], check=True)
    keys = {name: " ".join((where / f"{name}.pub").read_text().split()[:2]) for name in names}
    (folder / "allowed").write_text("".join(f"{name} {key}\n" for name, key in keys.items()))

    def sign(store: LineageStore) -> None:
        for name, value in {
            "gpg.format": "ssh",
            "user.signingKey": str(where / store.ledger.writer),
            "lineage.sign": "true",
            "lineage.allowedSigners": str(folder / "allowed"),
        }.items():
            git(store.ledger.root, "config", name, value)

    (folder / "keys").mkdir()
    return sign


def trust(root: Path) -> None:
    """Have only owners' words count in a repository, and Alice's alone about the task."""
    git(root, "config", "lineage.trust", "signed")
    git(root, "config", "lineage.taskWriters", "alice")


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
        after = answers(scene.alice, folder)
        assert [each.exp_id for each in after["trials"]] == ["000", "001", "m"]
        assert after["trials"][:2] == before["trials"]
        for name in ("best", "leaderboard", "relations", "task"):
            assert after[name] == before[name], name
        assert after["chains"][:2] == before["chains"] or after["chains"][1:] == before["chains"]
        assert {each.event.writer for each in scene.alice.audit("001")} == {"alice"}
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
            with pytest.raises(LineageError, match="would not count: mallory recorded this"):
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
        if act == "snapshot":  # a further row of one's own is no word about others
            assert scene.push() == ""
            return
        assert "does not count" in scene.push()
        with suppress(RemoteError):
            scene.mallory.push()
        scene.pull()
        assert {each.writer for each in scene.alice.events()} == {"alice", "mallory"}
        assert not [each for each in scene.alice.events("001") if each.writer == "mallory"]


@needs_keygen
def test_the_server_keeps_who_came_first(tmp_path: Path) -> None:
    """Who claims by an early clock to have recorded somebody's snapshot first is refused."""
    with opened(tmp_path, True, sign_all(tmp_path)) as scene:
        git(scene.hub, "config", "lineage.allowedSigners", str(tmp_path / "allowed"))
        trust(scene.hub)
        git(scene.mallory.ledger.root, "update-ref", "-d", "refs/notes/lineage/alice")
        scene.mallory.reindex()
        scene.mallory.record(scene.alice.resolve("001"), Trial(exp_id="001", status="discard", core_metric=7.0))
        refused = scene.push()
        assert "claims to have recorded first" in refused or "does not count" in refused


@needs_keygen
@pytest.mark.parametrize("seed", range(2))
def test_signed_clones_agree_whatever_was_said(tmp_path: Path, seed: int) -> None:
    """After anything that two writers say of each other's, both clones, a fresh and a rebuilt one hold the same."""
    chance = random.Random(seed)
    with opened(tmp_path, False, sign_all(tmp_path)) as scene:
        for step in range(10):
            store = chance.choice((scene.alice, scene.mallory))
            view = chance.choice(store.log(None))
            with suppress(LineageError):
                match chance.choice(("own", "row", "retract", "reparent", "task", "share", "share")):
                    case "own":
                        store.commit({"f": b"%d" % step}, [view.oid], trial=Trial(status="keep", core_metric=step))
                    case "row":
                        store.record(view.oid, Trial(exp_id=view.trial.exp_id, core_metric=step), revise=True)
                    case "retract":
                        store.retract(view, f"why {step}", undo=view.retracted is not None)
                    case "reparent":
                        store.reparent(view.oid, [], f"why {step}")
                    case "task":
                        store.set_task(Task(lower_is_better=step % 2 == 0), force=True)
                    case _:
                        store.sync()
        everybody = scene.agree()
        told = []
        for store in (scene.alice, scene.mallory):
            trust(store.ledger.root)
            told.append(answers(store, tmp_path / "keys"))
            store.reindex()
            told.append(answers(store, tmp_path / "keys"))
        assert all(each == told[0] for each in told)
        assert {view[1] for view in told[0]["log"]} == {view[1] for view in everybody["log"]}
        for label, oid, order, *_ in told[0]["log"]:
            words = {each.event.writer for each in scene.alice.audit(oid) if each.event.event_type != "trial"}
            assert words <= {order.writer, "alice"} or order.writer == "alice", label
