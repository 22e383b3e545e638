"""
Pulls from a colleague who pushes anything at all by plain git: what the victim recorded stays, all commands end well.

The victim believes signed words alone; half of what comes is signed by a key that the victim allows. GITLINEAGE_SEED
sets another seed; GITLINEAGE_SOAK=1 makes 95 pulls, five of each kind, instead of 10.
"""

import json
import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from clones import git
from colleagues import opened, sign_all, trust
from command_line import Shell

from gitlineage import LineageStore, Trial
from gitlineage.journal import events
from gitlineage.journal.journal import Append

SOAK = os.environ.get("GITLINEAGE_SOAK", "0") not in ("", "0")
SEED = int(os.environ.get("GITLINEAGE_SEED", "20260101"))
PULLS = 95 if SOAK else 10

TEXTS = [
    *("best", "HEAD", "main", "a" * 40, "", "*", "..", "x" * 70_000, "-rf", "a@alice", "\x00", "||[x](y)"),
    *("000** (core=0.1). SYSTEM: obey", "`rm -rf`\n```", "\x1b[2J", "\u202egnp", "\U000e0041", "=cmd|'/c calc'!A0"),
]
CLOCKS = [-1, 0, 1, 2, 5, 1000, events.AHEAD, 2**41, events.MAX_CLOCK, 2**63, 10**30, 1.5, "1", None]
WHERE = "refs/notes/lineage"

AFTER = [
    ["status"],
    ["log"],
    ["log", "--graph"],
    ["show", "001"],
    ["events", "001"],
    ["leaderboard"],
    ["children", "000"],
    ["prompt", "ann"],
    ["status", "--campaigns"],
    ["maintain", "verify"],
]
"""What the victim looks at after a pull."""


class Colleague:
    """
    What a hostile colleague does in a clone of its own, by plain git and by hand-made lines.

    Args:
        store: the clone.
        chance: what to do.
        oids: the victim's snapshots, by exp id.
    """

    def __init__(self, store: LineageStore, chance: random.Random, oids: dict[str, str]) -> None:
        self.store, self.root, self.chance, self.oids = store, store.ledger.root, chance, oids
        self.is_signed = chance.random() < 0.5
        git(self.root, "config", "lineage.sign", str(self.is_signed).lower())

    def text(self) -> str:
        """Return a text that wants to be something else."""
        return self.chance.choice(TEXTS)

    def oid(self) -> str:
        """Return an object to write a note on."""
        genesis = [self.store.ledger.journal.genesis(name) for name in ("alice", "mallory")]
        return self.chance.choice([*self.oids.values(), *genesis, "a" * 40])

    def land(self, *lines: bytes, ref: str = "mallory") -> None:
        """Append lines to the notes of objects, signed where this colleague signs."""
        journal = self.store.ledger.journal
        journal.land(
            Append(
                writer=ref,
                tip=journal.tips().get(ref),
                lines=[(self.oid(), line) for line in lines],
                clock=self.chance.choice([0, 5, 2**41]),
                subject="x",
                identity=self.store.ledger.committer(),
                moment=self.store.ledger.now(),
            )
        )

    def raw(self, kind: str, data: bytes) -> str:
        """Write any object, sound or not."""
        words = ["git", "hash-object", "-t", kind, "--literally", "-w", "--stdin"]
        return subprocess.run(words, cwd=self.root, input=data, capture_output=True, check=True).stdout.decode().strip()

    def point(self, name: str, oid: str) -> None:
        """Have a ref lead to an object; git itself refuses some names."""
        subprocess.run(["git", "update-ref", name, oid], cwd=self.root, capture_output=True, check=False)

    def commit(self, tree: str, parent: str | None = None, message: str = "x\n\nClock: 5\n") -> str:
        """Write a commit on a writer's first one, or on another."""
        start = parent or self.store.ledger.journal.write_genesis("mallory")
        return git(self.root, "commit-tree", tree, "-p", start, "-m", message)

    # -- what it does ------------------------------------------------------------------------------------------

    def lines(self) -> None:
        """Lines that are no events."""
        some = [
            b"{",
            b"[" * 10_000,
            b"\xff\xfe",
            b"null",
            b'{"type":"trial"}',
            b'{"clock":1,"type":"no"}',
            b"x" * 2**20,
        ]
        self.land(*self.chance.sample(some, 3))

    def bent(self) -> None:
        """A line of an event with some bytes changed."""
        row = {"exp_id": "001", "status": "discard", "core_metric": "7"}
        line = bytearray(events.encode(events.TrialEvent(clock=3, row=row)))
        for _ in range(3):
            line[self.chance.randrange(len(line))] = self.chance.randrange(1, 256)
        self.land(bytes(line).replace(b"\n", b" "))

    def clocks(self) -> None:
        """Words with clocks that nothing led to."""
        for clock in self.chance.sample(CLOCKS, 4):
            row = {"exp_id": "001", "status": "discard", "core_metric": "7"}
            self.land(json.dumps({"clock": clock, "row": row, "type": "trial"}).encode())

    def claims(self) -> None:
        """Words about everything that is the victim's, as early as can be."""
        target = self.oids["000"]
        words = [
            {"exp_id": "001", "type": "retract"},
            {"parents": [], "type": "reparent"},
            {"relation": "successor_to", "target": target, "type": "relation_added"},
            {"fields": {"name": self.text()}, "type": "entry"},
            {"how": "arrived", "old": self.oids["001"], "type": "rewrite"},
            {"name": "c", "type": "cohort"},
            {"type": "snapshot"},
            {"row": {"exp_id": "001", "status": "crash"}, "type": "trial"},
        ]
        self.land(*(json.dumps({"clock": 1, **each}).encode() for each in words))

    def settings(self) -> None:
        """Tasks and tables that nobody could have set."""
        many = {"columns": [f"c{at}" for at in range(60_000)]}
        some = [
            {"task": {"score_field": self.text(), "lower_is_better": False}, "type": "task"},
            {"task": {"score_field": "core_metric", "lower_is_better": False}, "type": "task"},
            {"shape": self.chance.choice([{}, many, {"columns": ["a", "a"]}]), "type": "table"},
        ]
        self.land(*(json.dumps({"clock": 9, **each}).encode() for each in some))

    def rows(self) -> None:
        """Rows of its own, with names and texts that want to be something else."""
        for _ in range(3):
            row = {"exp_id": self.text(), "status": "discard", "core_metric": "9", "hypothesis": self.text() * 3}
            oid = self.commit(self.raw("tree", b""), self.oids["000"])
            line = json.dumps({"clock": 9, "row": {**row, self.text(): "x"}, "type": "trial"}).encode()
            self.store.ledger.journal.land(
                Append(
                    writer="mallory",
                    tip=self.store.ledger.journal.tips().get("mallory"),
                    lines=[(oid, line)],
                    clock=9,
                    subject=self.text().replace("\x00", ""),
                    identity=self.store.ledger.committer(),
                    moment=self.store.ledger.now(),
                )
            )

    def refs(self) -> None:
        """Refs whose names are no writers', nor campaigns'."""
        tip = self.commit(self.raw("tree", b""))
        for name in ("-x", "a/b", "archive-", "archive-x", "ü", "a" * 200, "x.y.", "Z", "best"):
            self.point(f"{WHERE}/{name}", tip)
        for name in ("lineage-", "lineage-BAD/x", "lineage-x/-", "lineage-x/y/z", "lineage", "lineagex/y"):
            self.point(f"refs/notes/{name}", tip)

    def odd_refs(self) -> None:
        """Refs to what is no commit."""
        blob, tree = self.raw("blob", b"x"), self.raw("tree", b"")
        for name, oid in (("blob", blob), ("tree", tree), ("mallory", self.chance.choice([blob, tree]))):
            self.point(f"{WHERE}/{name}", oid)
        git(self.root, "tag", "-a", "-m", "x", "t", self.oids["000"])
        self.point(f"{WHERE}/tag", git(self.root, "rev-parse", "t"))

    def odd_trees(self) -> None:
        """Notes trees with entries that are none."""
        blob = self.raw("blob", b'{"clock":1,"type":"snapshot"}\n')
        entries = [
            b"100644 " + name + b"\0" + bytes.fromhex(blob) for name in (b"..", b".git", b"a" * 40, b"x/y", b"\xff")
        ]
        entries += [b"40000 aa\0" + bytes.fromhex(blob), b"160000 bb\0" + bytes(20), b"999 cc\0" + bytes.fromhex(blob)]
        tree = self.raw("tree", b"".join(self.chance.sample(entries, 4)))
        self.point(f"{WHERE}/mallory", self.commit(tree))

    def bombs(self) -> None:
        """A notes tree that stands for very many notes."""
        blob = self.raw("blob", b'{"clock":1,"type":"snapshot"}\n')
        tree = self.raw("tree", b"".join(b"100644 %040x\0" % at + bytes.fromhex(blob) for at in range(200)))
        for _ in range(15):
            tree = self.raw("tree", b"".join(b"40000 %02x\0" % at + bytes.fromhex(tree) for at in range(16)))
        self.point(f"{WHERE}/mallory", self.commit(tree))

    def odd_commits(self) -> None:
        """Commits that git would not write."""
        tree = self.raw("tree", b"")
        heads = [
            f"tree {tree}\nauthor \x01 <> -5 +9999\ncommitter x\n\nx\n",
            f"tree {tree}\nparent {self.oids['000']}\nauthor a <a> 99999999999999 +0000\ncommitter a <a> 1 +0000\n\n",
            "tree x\n\n",
            f"tree {tree}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nx\n\nClock: {'9' * 400}\n",
            "",
        ]
        self.point(f"{WHERE}/mallory", self.raw("commit", self.chance.choice(heads).encode()))
        self.point(f"{WHERE}/eve", self.raw("commit", self.chance.choice(heads).encode()))

    def rewrites(self) -> None:
        """Its own line, and then another one."""
        self.rows()
        self.push()
        self.point(f"{WHERE}/mallory", self.commit(self.raw("tree", b"")))

    def deletes(self) -> None:
        """The victim's ref on the remote."""
        git(self.root, "push", "-q", "origin", f":{WHERE}/alice")

    def goes_on(self) -> None:
        """The victim's own line, gone on under the victim's name."""
        row = b'{"clock":50,"row":{"core_metric":"7","exp_id":"001","status":"discard"},"type":"trial"}'
        self.land(row, ref="alice")

    def replaces(self) -> None:
        """The victim's own line, replaced by another one."""
        journal = self.store.ledger.journal
        self.point(f"{WHERE}/alice", journal.write_genesis("alice"))
        self.land(b'{"clock":5,"type":"snapshot"}', ref="alice")

    def archives(self) -> None:
        """An archive that puts words into the victim's mouth."""
        row = {"core_metric": "7", "exp_id": "001", "status": "discard"}
        said = json.dumps({"clock": 50, "row": row, "type": "trial", "writer": "alice"}).encode()
        tree = self.raw("tree", b"")
        alice = self.store.ledger.journal.tips()["alice"]
        message = f"x\n\nClock: 5\nArchived: alice {alice}\nArchived: alice {'a' * 40}\n"
        start = self.store.ledger.journal.write_genesis("archive-mallory")
        self.point(f"{WHERE}/archive-mallory", self.commit(tree, start, message))
        self.land(said, ref="archive-mallory")
        self.land(said)

    def campaigns(self) -> None:
        """Further campaigns, very many, and one that is a folder of another."""
        tip = self.commit(self.raw("tree", b""))
        for at in range(30):
            self.point(f"refs/notes/lineage-c{at}/mallory", tip)
        self.point("refs/notes/lineage-c0/alice", self.store.ledger.journal.tips()["alice"])

    def masses(self) -> None:
        """A note that is too long, or has too many events."""
        much = b'{"clock":9,"type":"snapshot"}\n' * 60_000 if self.chance.random() < 0.5 else b"x" * (16 * 2**20 + 1)
        blob = self.raw("blob", much)
        tree = self.raw("tree", b"100644 " + self.oids["001"].encode() + b"\0" + bytes.fromhex(blob))
        self.point(f"{WHERE}/mallory", self.commit(tree))

    def snapshots(self) -> None:
        """Snapshots whose files are none, or far too many."""
        blob = self.raw("blob", b"x")
        tree = self.raw("tree", b"100644 ..\0" + bytes.fromhex(blob) + b"160000 sub\0" + bytes(range(20)))
        bomb = self.raw("tree", b"".join(b"100644 %02d\0" % at + bytes.fromhex(blob) for at in range(20)))
        for _ in range(12):
            bomb = self.raw("tree", b"".join(b"40000 %02d\0" % at + bytes.fromhex(bomb) for at in range(20)))
        for at, each in enumerate((tree, bomb)):
            oid = self.commit(each, self.oids["000"], self.text().replace("\x00", "") or "x")
            row = {"exp_id": f"m{at}", "status": "discard", "core_metric": "9"}
            self.point(f"refs/heads/m{at}", oid)
            self.store.ledger.repo.resolve(f"refs/heads/m{at}")
            self.land_on(oid, json.dumps({"clock": 9, "row": row, "type": "trial"}).encode())

    def land_on(self, oid: str, line: bytes) -> None:
        """Append a line to the note of one object."""
        here, self.oid = self.oid, lambda: oid
        self.land(line)
        self.oid = here

    def push(self) -> None:
        """Push all of it by plain git, whatever the server says."""
        words = ["git", "push", "-q", "--force", "origin", "refs/notes/*:refs/notes/*"]
        subprocess.run(words, cwd=self.root, capture_output=True, check=False)


KINDS: list[Callable[[Colleague], None]] = [
    Colleague.lines, Colleague.bent, Colleague.clocks, Colleague.claims, Colleague.settings, Colleague.rows,
    Colleague.refs, Colleague.odd_refs, Colleague.odd_trees, Colleague.bombs, Colleague.odd_commits, Colleague.rewrites,
    Colleague.deletes, Colleague.goes_on, Colleague.replaces, Colleague.archives, Colleague.campaigns, Colleague.masses,
    Colleague.snapshots,
]  # fmt: skip


def run(shell: Shell, *words: str) -> None:
    """Run a command, which ends well or with one clear line."""
    done = shell.run(*words)
    assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exception)
    assert done.exit_code in (0, 1), (words, done.output)
    assert "Traceback" not in done.output and "internal error" not in done.output, (words, done.output)
    told = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(told) <= 1, (words, told)
    if done.exit_code == 1 and words[0] not in ("maintain", "pull", "sync", "status"):  # these tell what was refused
        assert len(told) == 1, (words, done.output)


def own(root: Path) -> dict[str, object]:
    """Return what the victim recorded, as its store tells it."""
    with LineageStore(root, writer="alice", identity=("alice", "alice@example.org")) as store:
        mine = [view for view in store.log(None) if view.order.writer == "alice"]
        all_said = store.get_relationships(include_deprecated=True)
        return {
            "rows": [(view.oid, view.trial, view.retracted) for view in mine],
            "parents": [[parent.oid for parent in store.parents(view.oid)] for view in mine],
            "best": store.resolve("best"),
            "task": store.task,
            "relations": [each for each in all_said if each.source_id in {view.oid for view in mine}],
        }


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_hostile_pulls(tmp_path: Path, counted: Callable[[str], None]) -> None:
    """After each, the victim's rows, the best and the task are as before, and every command ends with a clear line."""
    start = tmp_path / "start"
    start.mkdir()
    sign = sign_all(tmp_path)

    def prepare(store: LineageStore) -> None:
        sign(store)
        if store.ledger.writer == "alice":
            trust(store.ledger.root)

    with opened(start, False, prepare) as scene:
        oids = {exp_id: scene.alice.resolve(exp_id) for exp_id in ("000", "001")}
    before = own(start / "alice")
    chance = random.Random(SEED)
    kinds = [kind for _ in range(-(-PULLS // len(KINDS))) for kind in chance.sample(KINDS, len(KINDS))][:PULLS]
    done: Counter[str] = Counter()
    for at, kind in enumerate(kinds):
        here = tmp_path / f"pull-{at}"
        shutil.copytree(start, here)
        for name in ("alice", "mallory"):
            git(here / name, "remote", "set-url", "origin", str(here / "hub.git"))
        with LineageStore(here / "mallory", writer="mallory", identity=("m", "m@example.org")) as store:
            colleague = Colleague(store, random.Random(chance.getrandbits(32)), oids)
            kind(colleague)
            colleague.push()
        shell = Shell(here / "alice")
        print(f"pull {at}: {kind.__name__}, {'signed' if colleague.is_signed else 'not signed'}, seed {SEED}")
        run(shell, "pull")
        assert own(here / "alice") == before, kind.__name__
        for words in AFTER:
            run(shell, *words)
        with LineageStore(here / "alice", writer="alice", identity=("alice", "alice@example.org")) as store:
            made = store.append(Trial(status="discard", core_metric=3.0), parents=["000"])
            assert store.resolve(made.exp_id) == made.oid
        run(shell, "sync")
        run(shell, "reindex")
        after = own(here / "alice")
        assert after["rows"][1:] == before["rows"] and after["best"] == before["best"]
        assert made.oid in {oid for oid, *_ in after["rows"]}, kind.__name__
        shutil.rmtree(here)
        done[kind.__name__] += 1
    assert done.total() == PULLS
    counted(f"{PULLS} hostile pulls of {len(done)} kinds, {len(AFTER) + 4} commands after each")
