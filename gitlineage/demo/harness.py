"""
Runs a recipe as a trial, as `gitlineage run` would in the demo's working tree, and reads why it failed.

Nothing that a clock or a machine decides gets into a row, so the same recipe gives the same one.
"""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from gitlineage.demo.edits import Files
from gitlineage.model.trial import FailureLabel, Trial
from gitlineage.run import output
from gitlineage.run.begin import home
from gitlineage.run.lease import Files as RunFiles
from gitlineage.run.records import Limits, Plan, Run, State
from gitlineage.run.trial import run
from gitlineage.store.store import LineageStore

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

_PYTHON = "python3"


def recipe() -> Files:
    """Return the files that the demo begins with."""
    folder = resources.files(__package__) / "recipe"
    files = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
    return dict(sorted(files.items()))


def attempt(
    store: LineageStore,
    files: Files,
    cells: Mapping[str, str],
    parents: Sequence[str] = (),
    *,
    before: Files | None = None,
    roles: Mapping[str, str] | None = None,
    cohort: str | None = None,
) -> Run:
    """
    Put files into the store's working tree, run the recipe there, and return the run once its trial is recorded.

    It sees its own files and the standard library, and nothing else. Of one that failed, the last line that it printed
    is noted, as whoever tried it would.

    Args:
        before: the files that the last attempt put there.

    Raises:
        KeyboardInterrupt: somebody stopped it.
    """
    for path in before or ():
        (store.root / path).unlink(missing_ok=True)
    for path, content in files.items():
        (store.root / path).write_bytes(content)
    own = os.path.dirname(sys.executable)
    has_name = shutil.which(_PYTHON, path=own) is not None
    plan = Plan(
        command=(_PYTHON if has_name else sys.executable, "-I", "-S", "-B", SCRIPT),
        folder=str(store.root),
        cells={name: text for name, text in cells.items() if text},
        parents=tuple(parents),
        roles=dict(roles or {}),
        cohort=cohort,
        limits=Limits(timeout=PATIENCE),
        exits=ENDS,
        steady=True,
        environment={"PATH": os.pathsep.join(filter(None, (own, os.environ.get("PATH"))))},
    )
    done = run(store, plan)
    if done.state is not State.ENDED or done.failure == "interrupted":
        raise KeyboardInterrupt
    if done.facts.exit_code and (said := _last_said(store, done)):
        store.record(done.oid, Trial(exp_id=done.id, notes=said), revise=True)
    return done


def _last_said(store: LineageStore, run: Run) -> str:
    """Return the line in which what a run printed ends, without the folder that it was in this time."""
    lines = output.tail(RunFiles(home(store), run.id).log, run.log_from).strip().splitlines()
    return lines[-1].replace(str(Path(run.folder)) + os.sep, "") if lines else ""
