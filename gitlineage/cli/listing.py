"""
Trials and snapshots as lines of a table and as JSON objects.

What is around them is read from the `Views` that the command got from its store once: a store looks at the refs for
each question that it is asked, so a row must not ask it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from gitlineage.cli import layout, output
from gitlineage.cli.layout import Cell, Column
from gitlineage.errors import LineageError
from gitlineage.model.rank import PENDING
from gitlineage.model.records import Snapshot, Task, TrialView
from gitlineage.model.trial import COLUMNS, FailureLabel, Trial
from gitlineage.query import flat
from gitlineage.query.names import BEST
from gitlineage.text import counted, to_type

if TYPE_CHECKING:
    from gitlineage.bridge.rows import LoopOutcome
    from gitlineage.bridge.tsv import ImportOutcome
    from gitlineage.query.views import Views
    from gitlineage.store.store import LineageStore

T = TypeVar("T")

SHORT = 8
"""How much of a commit's id is shown in a line."""

_STYLES = {
    FailureLabel.KEEP: "green",
    FailureLabel.BASELINE: "cyan",
    FailureLabel.DISCARD: "yellow",
    FailureLabel.HARNESS_ABORT: "dim",
    FailureLabel.DISQUALIFIED: "magenta",
}
_TRIALS = (
    Column("id", cap=14),
    Column("commit", drop=2),
    Column("status", cap=12),
    Column("score", right=True),
    Column("delta", right=True, drop=5),
    Column("specialist", cap=10, drop=4),
    Column("cohort", cap=12, drop=3),
    Column("from", cap=11, drop=6),
    Column("hypothesis"),
)
_SNAPSHOTS = (
    Column("id", cap=14),
    Column("commit"),
    Column("depth", right=True),
    Column("relation", drop=2),
    Column("role", drop=1),
    Column("status", cap=12),
    Column("score", right=True),
    Column("hypothesis"),
)


# -- words ---------------------------------------------------------------------------------------------------------


def check_parents(views: "Views", trials: Iterable[TrialView]) -> None:
    """
    Refuse rows of which one would name no parent only because a shallow clone lacks the way to it.

    Args:
        trials: the rows; another clone need not read them.

    Raises:
        Incomplete: there is one, and git config ``lineage.incomplete`` is not on.
    """
    if views.repo.is_shallow:
        for each in trials:
            if each.parent is None:
                views.horizon.check([each.oid])


def no_best(views: "Views", at: str | None = None) -> LineageError:
    """Return the error that says that there is no best trial, or was none at a moment, and what makes one."""
    made = '`gitlineage commit -m "..." --metric NUMBER` makes one'
    if at is not None:
        return LineageError(
            f"there was no trial at {at} that could be the best; `gitlineage events` says what was when"
        )
    if waiting := [view.label for view in views.each(views.listed(limit=1, statuses=[PENDING]))]:
        made = f"`{to_type('gitlineage', 'record', *waiting)} --metric NUMBER` brings what one waits for"
    if not (total := views.total()):
        return LineageError(f"there is no trial with a result yet; {made}")
    none = f"none of {total:,} is" if total > 1 else "the only one is not"
    return LineageError(f"there is no trial with a result yet that could be the best: {none} kept; {made}")


def check_best(store: "LineageStore", name: str) -> None:
    """
    Refuse ``best`` where no trial was kept and none is a baseline, so that no crash is taken for it.

    Raises:
        LineageError: there is no best trial.
    """
    views = store.ledger.views()
    if name == BEST and views.total() and views.best(stand_in=False) is None:
        raise no_best(views)


def status_cell(status: FailureLabel | None) -> Cell:
    """Return a status as it is shown; without one, the trial waits for its result."""
    return Cell(status.value, _STYLES.get(status, "red")) if status else Cell("pending", "blue")


def state_cell(view: TrialView) -> Cell:
    """Return a trial's status as it is shown; one that was retracted counts nowhere, whatever its row says."""
    return status_cell(view.trial.status) if view.retracted is None else Cell("retracted", "magenta")


def delta_cell(trial: Trial, task: Task) -> Cell:
    """Return the difference to the best before, green where it is a gain."""
    text, value = trial.text("delta_vs_best"), trial.number("delta_vs_best")
    if not value:
        return Cell(text)
    return Cell(text, "green" if task.better(value, 0) else "red")


def came_from(view: TrialView) -> str:
    """Return the labels of a trial's parents, and of what inspired it, the primary one first."""
    first = view.parent or (f"{view.dangling}?" if view.dangling else "")
    others = (kin.label for kin in view.others)
    return ",".join(filter(None, (first, *others)))


ASSUMED = "no kept row shows the direction yet, so lower is better; `gitlineage init --higher-is-better`"
"""What is said of a task whose direction is a guess."""


def direction(task: Task) -> str:
    """Return what is optimised, in words."""
    label = f", shown as {task.short}" if task.short != task.score_field else ""
    return f"{task.score_field}, {'lower' if task.lower_is_better else 'higher'} is better{label}"


def print_imported(outcome: "ImportOutcome | LoopOutcome", revised: int = 0) -> None:
    """Print what an import of rows brought, and what it made of those whose file does not say how they ended."""
    known = f", {outcome.known} known already" if outcome.known else ""
    again = f", {revised} with a new version" if revised else ""
    output.say(f"imported {counted(outcome.added, 'trial')}{known}{again}")
    output.say(output.clean(f"ranked by {direction(outcome.task)}"))
    if outcome.judged:
        output.say(f"judged {counted(outcome.judged, 'row')} without a status by score")
    if outcome.pending:
        output.say(f"pending: {counted(outcome.pending, 'row')} with neither status nor score")
    if outcome.assumed:
        output.note(ASSUMED)
    if outcome.repaired:
        output.say(f"mended lines: {', '.join(map(str, outcome.repaired))}")


# -- tables --------------------------------------------------------------------------------------------------------


def shown(rows: Sequence[T], count: int) -> Sequence[T]:
    """Return so many of what was found, and say where that leaves something out; -1 takes all."""
    if count == -1 or len(rows) <= count:
        return rows
    if count:
        output.note(f"there are more than these {count:,}; -n -1 lists all")
    return rows[:count]


def print_trials(views: Iterable[TrialView], task: Task, *, ranked: bool = False, deltas: bool = True) -> None:
    """
    Print trials, one a line.

    Args:
        task: what they are scored by.
        ranked: whether their rank comes first.
        deltas: whether the difference to the best before is shown, which is that of the store's task.
    """
    rows = (trial_cells(view, task, deltas=deltas) for view in views)
    if ranked:
        ranks = ([Cell(str(rank), "dim"), *row] for rank, row in enumerate(rows, 1))
        layout.table((Column("#", right=True), *_TRIALS), ranks)
    else:
        layout.table(_TRIALS, rows)


def trial_cells(view: TrialView, task: Task, *, deltas: bool = True) -> list[Cell]:
    """Return a trial's line as cells."""
    trial = view.trial
    return [
        Cell(view.label, "bold"),
        Cell(view.oid[:SHORT], "dim"),
        state_cell(view),
        Cell(trial.text(task.score_field)),
        delta_cell(trial, task) if deltas else Cell(""),
        Cell(trial.specialist),
        Cell(view.cohort or ""),
        Cell(came_from(view)),
        Cell(hypothesis(trial)),
    ]


def hypothesis(trial: Trial) -> str:
    """Return what a trial tried, after what its score may not be of: code that was changed while it ran."""
    return f"[changed while it ran: {trial.changed}] {trial.hypothesis}".rstrip() if trial.changed else trial.hypothesis


class Reached(NamedTuple):
    """How a snapshot of a list was reached: by how many steps, over which relation, in which role."""

    depth: int | None = None
    type: str | None = None
    role: str = ""


_NOT_WALKED = Reached()


def print_snapshots(
    views: "Views", snapshots: Iterable[Snapshot], reached: Callable[[str], Reached] | None = None
) -> None:
    """
    Print snapshots, one a line, each with its first trial; more of them are counted.

    Args:
        reached: returns how each was, by its oid.
    """
    task = views.task
    how = reached if reached is not None else lambda _: _NOT_WALKED
    named = views.named_snapshots(snapshots)
    layout.table(_SNAPSHOTS, (_snapshot_cells(name, each, how(each.oid), task) for name, each in named))


def _snapshot_cells(name: str, snapshot: Snapshot, how: Reached, task: Task) -> list[Cell]:
    trial = snapshot.trial
    more = f" (+{len(snapshot.trials) - 1})" if len(snapshot.trials) > 1 else ""
    return [
        Cell(("" if snapshot.oid.startswith(name) else name) + more, "bold"),
        Cell(snapshot.oid[:SHORT], "dim"),
        Cell("" if how.depth is None else str(how.depth)),
        Cell(_told(how.type), "cyan"),
        Cell(how.role),
        status_cell(trial.status) if trial else Cell(_state(snapshot), "dim"),
        Cell(trial.text(task.score_field) if trial else ""),
        Cell((trial.hypothesis if trial else "") or snapshot.subject),
    ]


def _state(snapshot: Snapshot) -> str:
    """Return what is worth saying of a snapshot without a trial."""
    return "stub" if snapshot.stub else "" if snapshot.recorded else "unrecorded"


def _told(relationship: str | None) -> str:
    """Return a relation's type where it is not the usual one."""
    from gitlineage.query.walk import DERIVED  # a list of trials walks nowhere

    return "" if relationship in (None, DERIVED) else str(relationship)


# -- JSON ----------------------------------------------------------------------------------------------------------


def trial_objects(views: "Views", trials: Sequence[TrialView], task: Task | None = None) -> list[dict[str, Any]]:
    """Return trials as JSON objects, each with every column of its row, scored by the store's task or by another."""
    told = msgspec.json.encode(list(flat.trials(views, views.numbers(trials), task)))
    return msgspec.json.decode(told, type=list[dict[str, Any]])


def ranked_object(trial: Trial, task: Task) -> dict[str, Any]:
    """Return a trial without its place in the graph as a JSON object."""
    return {"exp_id": trial.exp_id, "status": trial.status, "score": task.score(trial), "row": row_object(trial)}


def row_object(trial: Trial) -> dict[str, str]:
    """Return the text of every column of a row, empty ones too."""
    return {column: trial.text(column) for column in (*COLUMNS, *trial.extra)}


def snapshot_object(views: "Views", snapshot: Snapshot, **more: Any) -> dict[str, Any]:
    """Return a snapshot as a JSON object, with its trials; a commit that nobody recorded, too."""
    if (recorded := next(flat.snapshots(views, [snapshot.oid]), None)) is not None:
        return {**msgspec.json.decode(msgspec.json.encode(recorded)), **more}
    return {
        "id": views.name(snapshot.oid),
        "exp_id": None,
        "name": None,
        "stub": False,
        "oid": snapshot.oid,
        "tree": snapshot.tree,
        "parents": snapshot.parents,
        "roles": snapshot.roles,
        "inspirations": snapshot.inspirations,
        "cohort": snapshot.cohort,
        "status": None,
        "score": None,
        "subject": snapshot.subject,
        "author": snapshot.author,
        "time": snapshot.time,
        "writer": snapshot.writer,
        "recorded": snapshot.recorded,
        "trials": [],
        **more,
    }


def view_on(views: "Views", oid: str, exp_id: str) -> TrialView:
    """Return the trial of an exp id on a snapshot, with its place in the graph."""
    from gitlineage.query.ancestry import originals

    places = (oid, *originals(views, oid))  # a result may have gone to the commit that this one was rewritten from
    return next(view for place in places for view in views.on_snapshot(place) if view.trial.exp_id == exp_id)


def asked_name(store: "LineageStore", id: str, oid: str) -> str:
    """Return what to call a snapshot that was asked for: by the trial that was meant, where it has several."""
    views = store.ledger.views()
    best = views.best(stand_in=False) if id == "best" else None
    meant = [best] if best is not None else views.named(id)
    return next((view.label for view in meant if view.oid == oid), views.name(oid))
