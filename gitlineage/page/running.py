"""
What the page shows of runs: those that go on now, with the end of their logs and the last score they printed, and what
the notes keep of the logs of those that ended.

Start at `running`. All of it is text that commands printed, cleaned as `gitlineage runs log` cleans it.
"""

import shlex
import time
from collections.abc import Callable

import msgspec

from gitlineage.query.table import Row
from gitlineage.run import lease, metric
from gitlineage.run.begin import home
from gitlineage.run.output import tail
from gitlineage.run.records import State
from gitlineage.run.resume import kept_log
from gitlineage.store.store import LineageStore

_LOOKED_AT = 64 * 1024
"""Bytes of a log's end in which the last score is looked for."""

_MOST = 50
"""So many runs are shown, the first to begin first."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """
    A run that goes on.

    Args:
        id: its trial.
        state: where it is; ``lost`` where nobody supervises it although it has not ended.
        began: when its command was started, in seconds since 1970; 0 before.
        command: what runs, as a shell takes it.
        score: the last score that it printed, as it was spelled; empty for none.
        log: the end of what it printed.
        hypothesis: what its trial is to show.
        specialist: who tries it.
    """

    id: str
    state: str
    began: float
    command: str
    score: str
    log: str
    hypothesis: str = ""
    specialist: str = ""


def running(store: LineageStore) -> list[Running]:
    """Return the runs of this machine that have not ended."""
    runs = []
    for files, held in lease.unresolved(home(store)):
        run = files.read()
        if run is None or run.state is State.ENDED:
            continue
        names = (run.plan.metric,) if run.plan.metric else (store.task.score_field, store.task.short, "score")
        runs.append(
            Running(
                id=run.id,
                state=run.state.value if held or run.state is State.PREEMPTED else "lost",
                began=run.began,
                command=shlex.join(run.plan.command),
                score=metric.last_shown(tail(files.log, run.log_from, _LOOKED_AT), names),
                log=tail(files.log, run.log_from),
                hypothesis=run.plan.cells.get("hypothesis", ""),
                specialist=run.plan.cells.get("specialist", ""),
            )
        )
    return sorted(runs, key=lambda each: each.began or time.time())[:_MOST]


def logs(store: LineageStore) -> Callable[[Row], str]:
    """Return what finds the end of a trial's log in its note; only trials that `gitlineage run` made have one."""

    def log(row: Row) -> str:
        if "command" not in (row.cells.extra or {}):
            return ""
        kept = kept_log(store, row.oid, row.cells.exp_id or row.label)
        return kept.tail if kept is not None else ""

    return log
