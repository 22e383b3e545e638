"""
Runs that are killed at random moments: the runner, the command, both, or all of it as a machine would be.

Nothing is left running, no trial is lost or there twice, every lease is resolved by whoever comes next. A failure names
the seed that repeats it; GITLINEAGE_SEED sets another one, and GITLINEAGE_SOAK how many kills there are.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from command_line import Shell, environment, process

KILLS = int(os.environ.get("GITLINEAGE_SOAK") or 0) or 10
SEED = int(os.environ.get("GITLINEAGE_SEED", "20260101"))
LONGEST = 1.2
"""Seconds after which a kill comes at the latest: a run begins, or runs and is recorded, within that, or nearly."""

COMMAND = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", {marker!r}], start_new_session=True)
time.sleep(0.4)
print("loss: 1")
"""
PATIENCE = 60.0


def ours(marker: str) -> list[psutil.Process]:
    """Return the living processes that have a word on their command line."""
    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(marker in word for word in each.cmdline()) and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


def until_begun(folder: Path, hypothesis: str, runner: "subprocess.Popen[bytes]") -> None:
    """Wait until a run has its files."""
    deadline = time.monotonic() + PATIENCE
    while runner.poll() is None and time.monotonic() < deadline:
        if any(hypothesis in path.read_text() for path in folder.glob(".git/lineage/runs/*/run.json")):
            return
        time.sleep(0.01)


def kill(chance: random.Random, runner: "subprocess.Popen[bytes]", marker: str) -> str:
    """Kill some of a run's processes at once, and return which."""
    what = chance.choice(["runner", "command", "both", "machine"])
    victims = {each.pid for each in ours(marker)} - {runner.pid}
    if what == "command":
        victims = {pid for pid in victims if chance.random() < 0.7}
    if what != "command":
        victims = victims if what == "machine" else victims if what == "both" and chance.random() < 0.5 else set()
        runner.kill()
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return what


@pytest.mark.soak
def test_whatever_is_killed_each_run_is_one_trial_with_an_end(tmp_path: Path) -> None:
    """After each kill the next one resolves what is left; in the end every trial has a result, and is there once."""
    shell = Shell(tmp_path / "repo")
    shell.folder.mkdir()
    shell("init", "--metric", "loss", "--lower-is-better", "--writer", "alice")
    chance = random.Random(SEED)
    marker = f"soak-{os.getpid()}-{SEED}"
    began = set()
    for number in range(KILLS):
        shell.write(a=str(number))
        words = ["-m", f"run {number}", "--grace", "1", "--", sys.executable, "-c", COMMAND.format(marker=marker)]
        runner = subprocess.Popen(
            [sys.executable, "-m", "gitlineage", "run", *words],
            cwd=shell.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if chance.random() < 0.7:  # while it runs or ends, however slow this machine starts
            until_begun(shell.folder, f"run {number}", runner)
        time.sleep(chance.uniform(0, LONGEST))
        what = kill(chance, runner, marker)
        runner.wait(PATIENCE)
        done = process("runs", "resume", folder=shell.folder)
        about = f"seed {SEED}, kill {number} of {what}: {done.stderr.decode()}"
        assert done.returncode in (0, 130, 143), about
        assert not ours(marker), about
        leases = shell.folder / ".git/lineage/leases"
        assert not leases.is_dir() or not list(leases.iterdir()), about
        rows = [
            json.loads(line) for line in process("log", "-n", "-1", "--json", folder=shell.folder).stdout.splitlines()
        ]
        assert all(row["status"] for row in rows), about
        hypotheses = [row["row"]["hypothesis"] for row in rows]
        assert len(hypotheses) == len(set(hypotheses)), about
        assert began <= set(hypotheses), about
        began = set(hypotheses)
    assert began
    assert process("maintain", "verify", folder=shell.folder).returncode == 0
