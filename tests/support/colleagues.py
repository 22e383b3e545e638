"""A hostile colleague on the same remote as an honest one, with and without the server's hook; no test is here."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from clones import answers, clones, git
from places import ROOT
from remotes import bare

from gitlineage import LineageStore, Task, Trial, Watcher
from gitlineage.bridge.hooks import install
from gitlineage.git.repository import GitRepo
from gitlineage.journal import events
from gitlineage.journal.journal import Append


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

    def push(self, store: LineageStore | None = None) -> str:
        """Push all that Mallory, or another, has with plain git; return what the server said, empty if it took it."""
        words = ["git", "push", "-q", "origin", "refs/notes/lineage/*:refs/notes/lineage/*"]
        root = (store or self.mallory).ledger.root
        done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
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


def sign_all(
    folder: Path, names: tuple[str, ...] = ("alice", "mallory"), mails: bool = False
) -> Callable[[LineageStore], None]:
    """Make a key and a line of an allowed-signers file for each; return what has a store sign as its writer."""
    where = folder / "ssh"
    where.mkdir()
    for name in names:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(where / name)], check=True)
    who = "{0},{0}@example.org".format if mails else str
    keys = {name: " ".join((where / f"{name}.pub").read_text().split()[:2]) for name in names}
    (folder / "allowed").write_text("".join(f"{who(name)} {key}\n" for name, key in keys.items()))

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


def land(store: LineageStore, *pairs: tuple[str, events.Event]) -> None:
    """Have a writer sign events as they are, with whatever clocks they claim."""
    journal, writer = store.ledger.journal, store.ledger.writer
    journal.land(
        Append(
            writer=writer,
            tip=journal.tips().get(writer),
            lines=[(oid, events.encode(event)) for oid, event in pairs],
            clock=1000,
            subject="x",
            identity=store.ledger.committer(),
            moment=store.ledger.now(),
        )
    )
