"""
Published auto-research campaigns as trials, views and reference files; nothing here renders or tests.

The view of a campaign's first rows is worked out in the plainest way, so that it can stand beside the store's.
"""

import csv
import functools
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from places import SHARED

from gitlineage.model.records import CommitOid, Order, PromptView, Task, TrialView
from gitlineage.model.trial import FailureLabel, Trial

DATA = SHARED / "data" / "auto-research"

TASKS = {
    "cifar": Task(score_field="train_s"),
    "pg_ablation_lineage_on": Task(score_field="val_bpb"),
}

needs_campaigns = pytest.mark.shared
"""Marks what reads the campaigns; conftest skips it where they are not."""


class Campaign(NamedTuple):
    """A campaign's task, and its rows in recording order with their parents linked."""

    name: str
    task: Task
    rows: tuple[TrialView, ...]

    def golden(self, file: str) -> str:
        """Return the text of a file that the harness rendered after the last row."""
        return (DATA / self.name / file).read_bytes().decode()

    def view(self, count: int | None = None, specialist: str = "") -> PromptView:
        """Return what there was to show after the first ``count`` rows."""
        rows = self.rows[:count]
        score = self.task.score
        ranked = [r for r in rows if r.trial.status in (FailureLabel.KEEP, FailureLabel.BASELINE)]
        best = min(ranked, key=lambda r: score(r.trial) or 0.0, default=None)
        by_label = {r.label: r for r in rows}
        chain: list[TrialView] = []
        here = best
        while here is not None:
            chain.insert(0, here)
            here = by_label.get(here.parent or "")
        children = sorted((r for r in rows if best and r.parent == best.label), key=lambda r: r.label)
        newest = tuple(r for r in reversed(rows) if r.trial.status is not FailureLabel.HARNESS_ABORT)
        keeps = [r for r in rows if r.trial.status is FailureLabel.KEEP]
        return PromptView(
            task=self.task,
            total=len(rows),
            best=best,
            kept=tuple(sorted(keeps, key=lambda r: score(r.trial) or 0.0)),
            chain=tuple(chain),
            children=tuple(children),
            children_total=len(children),
            recent=newest,
            own=tuple(r for r in newest if r.trial.specialist == specialist)[:5],
        )


@functools.cache
def load(name: str) -> Campaign:
    """Return one of the campaigns in `TASKS`."""
    with (DATA / name / "results.tsv").open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file, delimiter="\t"))
    return Campaign(name, TASKS[name], tuple(_link([Trial.from_row(row) for row in cells])))


def every_campaign() -> list[Campaign]:
    """Return both campaigns."""
    return [load(name) for name in TASKS]


def row(label: str, *, parent: str | None = None, clock: int = 0, **cells: object) -> TrialView:
    """Return a row that was made up: its label names the trial, its clock tells how new it is."""
    trial = Trial(exp_id="x", **{"status": "keep", **cells})  # type: ignore[arg-type]
    return TrialView(trial=trial, label=label, oid=CommitOid("0" * 40), order=Order(clock, "w"), parent=parent)


def _link(trials: list[Trial]) -> Iterator[TrialView]:
    known = {trial.exp_id for trial in trials}
    for clock, trial in enumerate(trials):
        typed = trial.parent_exp
        found = [name for name in (typed, typed.removeprefix("exp_")) if name in known]
        yield TrialView(
            trial=trial,
            label=trial.exp_id,
            oid=CommitOid(f"{clock:040x}"),
            order=Order(clock, "w"),
            parent=found[0] if found else None,
            dangling=typed if typed and not found else None,
        )
