"""
Runs a recipe in a process of its own and says how that ended, for the demo's loop.

Nothing that a clock or a machine decides gets into an outcome, so the same recipe gives the same one.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import msgspec

from gitlineage import scratch
from gitlineage.demo.edits import Files
from gitlineage.model.trial import FailureLabel

SCRIPT = "train.py"
METRIC = "val_bpb"
PATIENCE = 120.0
"""Seconds after which a run is given up; one takes well under a second."""

ENDS = {
    3: FailureLabel.TRAIN_BUDGET_OVERRUN,
    4: FailureLabel.EVAL_BUDGET_OVERRUN,
    5: FailureLabel.DISQUALIFIED,
}
"""What the recipe's own exit codes say; every other one but 0 is a crash."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """
    How a run ended.

    Args:
        score: the metric as it was printed; empty where the run has none.
        failure: what stopped it; ``None`` where it came to its end.
        notes: what else it printed, or why it stopped.
    """

    score: str = ""
    failure: FailureLabel | None = None
    notes: str = ""


def recipe() -> Files:
    """Return the files that the demo begins with."""
    folder = resources.files(__package__) / "recipe"
    files = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
    return dict(sorted(files.items()))


def run(files: Files) -> Outcome:
    """Run a recipe where it sees its own files and the standard library, and nothing else."""
    with scratch.folder() as temporary:
        folder = os.path.realpath(temporary)
        for path, content in files.items():
            Path(folder, path).write_bytes(content)
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-B", SCRIPT],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome(failure=FailureLabel.HARNESS_ABORT, notes=f"given up after {PATIENCE:.0f} s")
    if done.returncode:
        failure = ENDS.get(done.returncode, FailureLabel.CRASH)
        return Outcome(failure=failure, notes=_reason(done, folder))
    printed = _printed(done.stdout)
    if METRIC not in printed:
        return Outcome(failure=FailureLabel.CRASH, notes=f"printed no {METRIC}")
    rest = ", ".join(f"{name} {value}" for name, value in printed.items() if name != METRIC)
    return Outcome(score=printed[METRIC], notes=rest)


def _printed(text: str) -> Mapping[str, str]:
    """Return the ``name: value`` lines of a run."""
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


def _reason(done: subprocess.CompletedProcess[str], folder: str) -> str:
    """Return the line in which a traceback or a message ends, without the folder that it was in this time."""
    lines = done.stderr.strip().splitlines()
    return lines[-1].replace(folder + os.sep, "") if lines else f"exit code {done.returncode}"
