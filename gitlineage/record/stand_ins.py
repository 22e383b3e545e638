"""
Rows that were imported while their commits were missing, and the commits once they are here: start at `arrived`.

A row moves for good, by events; its stand-in stays in history (semantics 70).
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from gitlineage.index.database import read_row
from gitlineage.journal.journal import Recorded
from gitlineage.later import later
from gitlineage.model.records import TrialView
from gitlineage.model.stand_in import CODE_LOST, IS_LOST, missing, split
from gitlineage.model.trial import Trial
from gitlineage.query.views import Views
from gitlineage.times import stamp

if TYPE_CHECKING:
    from gitlineage.journal import events
    from gitlineage.record.recorder import Recorder
else:  # all the types of events take their time
    events = later("gitlineage.journal.events")

_ROW = "SELECT t.exp_id, t.row, s.oid, t.writer FROM trials t JOIN snapshots s ON s.id = t.snapshot WHERE t.id = ?"

LOOKED_AT = 64
"""How many stand-ins a command looks at that has something else to do; the next one looks at others."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """
    A trial on a stand-in whose commit has arrived.

    Args:
        number: the trial's, in the index.
        exp_id: its exp id.
        commit: the commit's oid.
    """

    number: int
    exp_id: str
    commit: str


def arrived(views: Views, most: int | None = None, writer: str | None = None) -> list[Arrival]:
    """
    Return the trials on stand-ins whose commits are here now.

    Args:
        most: how many to look at, spread over all and others at each clock; by default all, as where one has arrived.
        writer: only this one's trials, where git config ``lineage.trust`` lets nobody speak of another's.
    """
    sql = f"SELECT id FROM trials WHERE {IS_LOST}"
    numbers = [number for (number,) in views.index.rows(sql)]
    step = -(-len(numbers) // most) if most and numbers else 1
    arrivals = _here(views, numbers[views.index.clock % step :: step], writer)
    return arrivals if step == 1 or not arrivals else _here(views, numbers, writer)


def _here(views: Views, numbers: Iterable[int], writer: str | None) -> list[Arrival]:
    arrivals = []
    for number in numbers:
        exp_id, row, oid, by = views.index.one(_ROW, number)
        beginning = missing(read_row(row))
        commit = views.repo.commit_beginning(beginning) if beginning is not None else None
        if commit is None or writer not in (None, by):
            continue
        moved = Recorded(by, commit, events.RewriteEvent(old=oid, how=events.ARRIVED))
        if writer is not None and views.index.refusal(moved):
            continue
        if not views.repo.has_ancestor(commit, oid):  # nothing takes the place of what it goes back to, or is
            arrivals.append(Arrival(number=number, exp_id=exp_id, commit=commit))
    return arrivals


def move_arrived(recorder: "Recorder", views: Views, arrivals: Sequence[Arrival]) -> None:
    """Have trials go from their stand-ins to their commits."""
    commits = {each.number: each.commit for each in arrivals}
    rows = sorted(zip(commits.values(), views.by_number(commits), strict=True), key=lambda row: row[1].order)
    together: dict[tuple[str, str], list[TrialView]] = {}
    for commit, view in rows:
        together.setdefault((commit, view.trial.exp_id), []).append(view)
    for (commit, exp_id), stand_ins in together.items():
        there = views.row(commit, exp_id, stand_ins[0].order.writer)
        is_same = there is not None and (views.index.speakers is None or there.order.writer == recorder.landing.writer)
        here = there.trial if there is not None and is_same else None
        row = move(recorder, commit, stand_ins, here or _dated(views, stand_ins[0], commit))
        if row != here:
            recorder.check_row(row)
            from gitlineage.record.recorder import Row

            recorder.add_row(commit, Row(trial=row))


def _dated(views: Views, stand_in: TrialView, commit: str) -> Trial:
    """Return a stand-in's row as its commit's: with that one's time, where it had that of the latest commit before."""
    trial = stand_in.trial.replace(notes=split(stand_in.trial.notes)[0])
    above = [oid for oid in views.repo.parents(stand_in.oid)[:1] if views.repo.exists(oid)]
    if trial.timestamp == (stamp(views.repo.commit(above[0]).time) if above else ""):
        trial = trial.replace(timestamp=stamp(views.repo.commit(commit).time))
    return trial


def is_stand_in(trial: Trial) -> bool:
    """Whether a row says that its commit is lost."""
    return split(trial.notes)[1] == CODE_LOST


def move(recorder: "Recorder", oid: str, stand_ins: Sequence[TrialView], trial: Trial) -> Trial:
    """Have a commit take the place of its stand-ins, and return its row, with what else was said of theirs."""
    cells = trial.cells()
    for view in stand_ins:
        if view.oid != oid:
            recorder.rewrite(oid, view.oid, events.ARRIVED)
        cells = {column: text for column, text in view.trial.cells().items() if column != "notes"} | cells
        if view.retracted is not None:
            event = events.RetractEvent(exp_id=trial.exp_id, reason=view.retracted)
            recorder.landing.add(oid, event, f"Retract {trial.exp_id} as before")
    return Trial.from_cells(cells)
