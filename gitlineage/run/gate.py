"""
Whether a run is worth its time: what was tried already is refused, what is nearly the same is told (semantics 97).

The refusal is one question to the index and comes before anything is recorded.
"""

import shlex
from collections.abc import Iterator

from gitlineage.errors import AlreadyTried
from gitlineage.model.records import TrialView
from gitlineage.run.records import IfTried, Plan, Run
from gitlineage.store.store import LineageStore

_NEAR = 3
"""Trials of each kind that are told."""


def check(store: LineageStore, plan: Plan, content: str) -> None:
    """
    Refuse a run whose very content and command were tried, where its plan says so.

    Raises:
        AlreadyTried: they were; nothing was recorded.
    """
    if plan.if_tried is not IfTried.REFUSE:
        return
    if store.taken is not None and not store.taken.is_whole():  # what it does not tell may be other code than it was
        return
    first = store.tried(content=content, command=shlex.join(plan.command), near=False).first
    if first is not None:
        raise AlreadyTried(first.label, _result(store, first))


def near(store: LineageStore, run: Run) -> Iterator[str]:
    """Return a line for each trial that is told about a run which has begun: equal ones, then nearly equal ones."""
    plan = run.plan
    if plan.if_tried is IfTried.REPEAT:
        return
    tried = store.tried(
        plan.cells.get("hypothesis", ""),
        run.oid,
        command=shlex.join(plan.command),
        parents=store.snapshot(run.oid).parents[:1],
        build=False,
    )
    kinds = (
        ("tried this content with this command", tried.same),
        ("runs this content with this command", tried.going),
        ("made the same edit elsewhere", tried.edits),
        ("has nearly the same hypothesis", [each.view for each in tried.alike]),
    )
    told = {run.id}
    for what, views in kinds:
        for view in [each for each in views if each.label not in told][:_NEAR]:
            told.add(view.label)
            yield f"{view.label} {what}: {_result(store, view)}"


def _result(store: LineageStore, view: TrialView) -> str:
    """Return what came of a trial, in words."""
    task, trial = store.task, view.trial
    score = trial.text(task.score_field)
    return ", ".join(filter(None, (trial.text("status") or "no result yet", f"{task.short} {score}" if score else "")))
