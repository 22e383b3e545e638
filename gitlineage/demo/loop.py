"""
Drives the demo's research loop: takes the parents' files, lets an idea edit them, and runs the result as a trial.

Keep and discard follow from what the runs print, as the store judges it. Identity and clock are fixed, so
that one Python version gives the same commit ids every time.
"""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from gitlineage.demo import edits, harness
from gitlineage.demo.trials import BEST, ROUNDS
from gitlineage.errors import LineageError
from gitlineage.model.namespace import ORDINARY
from gitlineage.model.records import Snapshot, Task
from gitlineage.store.store import LineageStore

TASK = Task(score_field=harness.METRIC, lower_is_better=True)
WRITER = "demo"
IDENTITY = ("gitlineage demo", "demo@gitlineage.invalid")


class Clock:
    """A clock that stands still until it is moved on."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return what time it is."""
        return self._now

    def move_on(self) -> None:
        """Let a trial's share of the day pass."""
        self._now += timedelta(minutes=7)


def open_store(root: str | os.PathLike[str], clock: Clock) -> LineageStore:
    """Open the demo's store in a folder, with everything fixed that would differ from run to run."""
    return LineageStore(root, campaign=ORDINARY, writer=WRITER, task=TASK, clock=clock, identity=IDENTITY)


def run_demo(
    store: LineageStore, clock: Clock, *, report: Callable[[Snapshot], None] | None = None
) -> tuple[Snapshot, ...]:
    """
    Run every trial of the script in the store's working tree, one after the other, so that each is judged in its turn.

    Args:
        store: where to; an empty one.
        clock: the clock that the store reads.
        report: called with each snapshot once its trial has ended.

    Returns:
        The snapshots in recording order.

    Raises:
        LineageError: the baseline itself does not run on this Python.
    """
    recorded: list[Snapshot] = []
    before: edits.Files = {}
    for round_ in ROUNDS:
        best = store.best()
        parents = [best.exp_id if best and parent == BEST else parent for parent in round_.parents]
        roles = dict(zip(parents, ("base", "mate"), strict=True)) if len(parents) == 2 else None
        files = _start(store, parents)
        if round_.cohort:
            store.open_cohort(round_.cohort, parents, purpose=round_.purpose)
        for idea in round_.ideas:
            content = edits.apply(idea.edits, files)
            done = harness.attempt(
                store, content, idea.cells(), parents, before=before, roles=roles, cohort=round_.cohort
            )
            snapshot = store.snapshot(done.oid)
            if not recorded and done.failure:
                raise LineageError(f"the demo's recipe does not run on this Python: {snapshot.trials[0].notes}")
            before = content
            recorded.append(snapshot)
            clock.move_on()
            if report:
                report(snapshot)
    return tuple(recorded)


def _start(store: LineageStore, parents: Sequence[str]) -> edits.Files:
    """Return the files that a round's ideas edit: the recipe's, the parent's, or what two parents' merge gives."""
    if not parents:
        return harness.recipe()
    if len(parents) == 1:
        return store.files(parents[0])
    base, mate = parents
    ancestor = store.common_ancestor(base, mate)
    return edits.crossover(store.files(ancestor.oid) if ancestor else {}, store.files(base), store.files(mate))
