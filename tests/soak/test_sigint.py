"""
Commands that Ctrl-C ends at random moments, with the git processes that they started: the next command goes on.

GITLINEAGE_SEED sets another seed; GITLINEAGE_SOAK=1 interrupts 108 commands instead of 12.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from clones import fsck
from command_line import environment
from places import ROOT
from remotes import bare

from gitlineage import LineageStore, Trial

SOAK = os.environ.get("GITLINEAGE_SOAK", "0") not in ("", "0")
SEED = int(os.environ.get("GITLINEAGE_SEED", "20260101"))
INTERRUPTS = 108 if SOAK else 12
PATIENCE = 60.0
"""Seconds that a command has to end in after Ctrl-C; it takes a fraction of one."""

WORKS = {
    "commit": ["commit", "--parents", "000", "-m", "a child", "--metric", "5", "--json"],
    "record": ["record", "000", "--replicate", "--metric", "5", "--json"],
    "pending": ["commit", "--parents", "000", "-m", "waits", "--json"],
    "retract": ["retract", "000", "-m", "wrong file"],
    "sync": ["sync"],
    "push": ["push"],
    "pull": ["pull"],
    "import": ["import", "tsv", "{table}"],
    "verify": ["maintain", "verify"],
    "reindex": ["maintain", "reindex"],
    "board": ["export", "board", "{out}"],
    "bundle": ["export", "bundle", "{out}.bundle"],
}
"""Commands that take a while, by what they are called here."""


class Desk:
    """
    A clone whose commands are interrupted, and its remote.

    Args:
        folder: where both are.
        seed: makes the moments repeatable, as far as a machine can.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.root = folder / "alice"
        self.aside = folder / "tmp"
        self.chance = random.Random(seed)
        self.longest: dict[str, float] = {}
        self.ends: Counter[str] = Counter()
        self.number = 0

    def start(self, work: str) -> "subprocess.Popen[str]":
        """Start a command in a process group of its own, as a terminal does."""
        self.number += 1
        table, out = self.folder / f"{self.number}.tsv", self.folder / f"out-{self.number}"
        if work == "import":
            rows = "".join(f"t{self.number}-{at}\tdiscard\t{at}\tidea {at}\n" for at in range(300))
            table.write_text(f"exp_id\tstatus\tcore_metric\thypothesis\n{rows}")
        if work == "commit":
            (self.root / "train.py").write_text(f"lr = {self.number}\n")
        words = [word.format(table=table, out=out) for word in WORKS[work]]
        return subprocess.Popen(
            [sys.executable, "-m", "gitlineage", *words],
            cwd=self.root,
            env=environment(TMPDIR=str(self.aside)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def measure(self, work: str) -> float:
        """Return how many seconds a command takes when nobody interrupts it."""
        if work not in self.longest:
            begun = time.monotonic()
            process = self.start(work)
            out, told = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, (work, out, told)
            self.longest[work] = time.monotonic() - begun
        return self.longest[work]

    def interrupt(self, work: str) -> list[dict[str, str]]:
        """Interrupt a command somewhere between its start and its end; return what it said that it recorded."""
        moment = self.chance.uniform(0.05, 1) * self.measure(work)
        process = self.start(work)
        time.sleep(moment)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        out, told = process.communicate(timeout=PATIENCE)
        frames = [line for line in told.splitlines() if str(ROOT / "gitlineage") in line]
        ours = [line for line in frames if "/gitlineage/__init__.py" not in line]  # before it there is the interpreter
        assert not ours and "Error" not in told, f"{work} after {moment:.3f} s: {told}"
        assert process.returncode in (0, 1, 130, -signal.SIGINT), (work, moment, process.returncode, out, told)
        self.ends["done" if process.returncode == 0 else "interrupted"] += 1
        whole = [line for line in out.splitlines() if line.startswith("{") and line.endswith("}")]
        return [json.loads(line) for line in whole]

    def check(self, told: list[dict[str, str]]) -> None:
        """Fail where something told is missing, a lock or a mark is left, or the store takes nothing."""
        with LineageStore(self.root, writer="alice", identity=("A", "a@example.org")) as store:
            store.append(Trial(status="discard", core_metric=9.0))
            found = {view.trial.exp_id for view in store.log(None)}
            assert {each["exp_id"] for each in told if each.get("exp_id")} <= found
            imported = Counter(name.partition("-")[0] for name in found if name.startswith("t"))
            assert set(imported.values()) <= {300}, imported
            assert [str(each) for each in store.verify()] == []
        left = [str(path) for path in (self.root / ".git").rglob("*.lock")]
        left += [str(path) for path in (self.root / ".git" / "lineage").glob("held~*")]
        assert left == []
        assert [path.name for path in self.aside.iterdir() if path.suffix == ".scratch"] == []


@pytest.mark.soak
def test_interrupted_commands(tmp_path: Path, counted: Callable[[str], None]) -> None:
    """Whichever command is interrupted, and when: no traceback, no lock, a clean store that records."""
    remote = bare(tmp_path / "remote.git")
    desk = Desk(tmp_path, random.Random(SEED).getrandbits(32))
    desk.aside.mkdir()
    with LineageStore(desk.root, writer="alice", identity=("A", "a@example.org")) as store:
        store.commit({"train.py": b"lr = 0\n"}, trial=Trial(exp_id="000", status="baseline", core_metric=8.0))
    for name, value in {"lineage.writer": "alice", "user.name": "A", "user.email": "a@example.org"}.items():
        subprocess.run(["git", "config", name, value], cwd=desk.root, check=True)
    subprocess.run(["git", "remote", "add", "origin", str(remote)], cwd=desk.root, check=True)
    for at in range(INTERRUPTS):
        desk.check(desk.interrupt(list(WORKS)[at % len(WORKS)]))
    assert desk.ends.total() == INTERRUPTS
    for work in ("sync", "verify"):
        process = desk.start(work)
        out, told = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, (out, told)
    for each in (remote, desk.root):
        fsck(each)
    counted(f"{INTERRUPTS} commands interrupted at random moments: {dict(desk.ends)}")
