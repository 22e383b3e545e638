"""
What old runs leave on this machine, taken away: their folders, and checkouts that nobody came back to (semantics 155).

The rows and the ends of the logs are in git, so nothing that is known of a trial is lost with them.
"""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from gitlineage.house import KEEP_RUNS
from gitlineage.record.ledger import Ledger
from gitlineage.run import place
from gitlineage.run.lease import Files
from gitlineage.run.records import State

_DAYS = 30.0
_DAY = 86_400.0
_ALWAYS = 50
"""Runs whose files stay in any case, the last ones."""


def prune(ledger: Ledger, *, always: bool = True) -> Iterator[str]:
    """
    Remove the files of runs that ended long ago, and return in words what was done, and what could not be.

    One that is not resolved stays, however old it is.

    Args:
        ledger: the campaign's.
        always: whether to look even if that was done within the last day.
    """
    setting = ledger.repo.config(KEEP_RUNS) or ""
    try:
        days = _DAYS if not setting else float("inf") if setting == "all" else float(setting)
    except ValueError:
        yield f"git config {KEEP_RUNS} {setting!r} is neither a number of days nor all, so all runs keep their files"
        return
    home = ledger.namespace.folder(ledger.repo.commondir)
    seen, before = home / "runs-seen", time.time() - days * _DAY
    if not always and _written(seen) > time.time() - _DAY:
        return
    written = sorted(((_written(Path(each) / "run.json"), each.name) for each in _folders(home / "runs")), reverse=True)
    gone = [name for at, name in written[_ALWAYS:] if at < before and _remove(Files(home, name, name=name))]
    if gone:
        many = "1 run" if len(gone) == 1 else f"{len(gone):,} runs"
        yield f"removed the files of {many} older than {days:g} days (git config {KEEP_RUNS}); their rows stay"
    if written:
        seen.touch()


def _remove(files: Files) -> bool:
    """Remove the files of a run that has ended and whose end is recorded, its checkout with them."""
    run = files.read()
    if run is None or run.state is not State.ENDED or files.lease.exists():
        return False
    if run.isolated and place.is_apart(run):
        shutil.rmtree(run.folder, ignore_errors=True)
    shutil.rmtree(files.folder, ignore_errors=True)
    return not files.folder.exists()


def _folders(runs: Path) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(runs) as entries:
            yield from (each for each in entries if each.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
