"""
Recording a table in a ledger: rows alone, the task they are about, and what their file looked like; all or nothing.

Begin with `append_rows`, which importers and the store's ``append_many`` call.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from gitlineage.errors import InvalidTrial
from gitlineage.model.records import Snapshot, Task
from gitlineage.model.trial import AUTO_ID, Trial
from gitlineage.query.views import Views
from gitlineage.record.ledger import Ledger
from gitlineage.record.recorder import Row

_NAMED = 5
"""Rows that are named when ids stand for something else; the rest are counted."""


def append_many(ledger: Ledger, rows: Sequence[Trial], message: str | None) -> tuple[Snapshot, ...]:
    """Record rows alone; those without an exp id are numbered on from the highest there is (see `append_rows`)."""
    with ledger.batch(message):
        recorder = ledger.recorder()
        given = recorder.numbered(rows)
        for trial in given:
            if not ledger.models.is_named(trial.exp_id):
                recorder.refuse_claimed(trial.exp_id)
        placed = [Row(trial=trial, tree=ledger.folder_tree(trial, ledger.root)) for trial in given]
        append_rows(ledger, placed, message)
        views = ledger.models
        return tuple(views.snapshot(views.named_exactly(trial.exp_id)[0].oid) for trial in given)


def append_rows(
    ledger: Ledger,
    rows: Sequence[Row],
    message: str | None,
    *,
    task: Task | None = None,
    shape: dict[str, Any] | None = None,
) -> list[bool]:
    """
    Record a table: its rows, the task it is about and what its file looked like, all or nothing.

    A file's row that has neither a status nor a score is a pending trial.

    Returns:
        For each row, whether it was new, or is the result of a trial that was pending.

    Raises:
        BadRows: exp ids that are taken by different rows.
    """
    for row in rows:
        if shape is None:
            check_ended(ledger, row.trial, f"the row of {row.trial.exp_id}", task)
        if row.trial.exp_id == AUTO_ID:
            raise InvalidTrial("exp_id", AUTO_ID, "a table's row needs one")
    with ledger.batch(message):
        recorder = ledger.recorder()
        if task is not None:
            recorder.set_task(task)
        taken = {row.trial.exp_id for row in rows if recorder.taken_for(row.trial.exp_id)}
        added = recorder.append_rows(rows, lambda count: ledger.watcher.advance("recording", count, len(rows)))
        fresh = (row.trial.exp_id for row, new in zip(rows, added, strict=True) if new)
        note_shadowed(ledger, [exp_id for exp_id in fresh if exp_id in taken])
        if shape is not None and (any(added) or _is_reshaped(ledger.models, shape, len(rows))):
            recorder.add_table(shape, sum(added))
        return added


def note_shadowed(ledger: Ledger, exp_ids: Sequence[str]) -> None:
    """Tell which ids of an import stand for something else, and how its rows are named."""
    if not exp_ids:
        return
    shown = ", ".join(f"{exp_id}@{ledger.writer}" for exp_id in exp_ids[:_NAMED])
    more = f" and {len(exp_ids) - _NAMED} more" if len(exp_ids) > _NAMED else ""
    ledger.watcher.note(f"git, oids and `best` come before ids of the table; its rows are called {shown}{more}")


def check_ended(ledger: Ledger, trial: Trial, what: str, task: Task | None = None) -> None:
    """Refuse a row that says neither how it ended nor what its score is."""
    if trial.status is None and (task or ledger.task).score(trial) is None:
        raise InvalidTrial("status", None, f"{what} needs one, or a score to be judged by")


def _is_reshaped(views: Views, shape: dict[str, Any], rows: int) -> bool:
    """Whether a table without new rows, which holds all there are, looks otherwise than the last one did."""
    plain = msgspec.json.decode(msgspec.json.encode(shape))
    return views.shapes()[-1:] != [plain] and rows == len(views.rows())
