"""Tables in and out of a store: a campaign's TSV imported whole, and given back byte for byte."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from gitlineage.bounds import MAX_COLUMNS
from gitlineage.errors import BadRows, Invalid
from gitlineage.index.index import read_row
from gitlineage.model import tsv
from gitlineage.model.message import flattened
from gitlineage.model.records import Task
from gitlineage.model.trial import COLUMNS, FailureLabel, Trial, packed_cells
from gitlineage.query.views import HAS_MORE, Views
from gitlineage.record.recorder import Row
from gitlineage.record.tables import append_rows
from gitlineage.store.store import LineageStore
from gitlineage.text import counted


class ImportOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an import did.

    Args:
        added: how many trials are new, or have their result now.
        known: how many were recorded already, row for row.
        repaired: the line numbers that were mended.
        dangling: exp ids of rows whose parent cell names no trial.
        circular: exp ids of rows whose parent is derived from them, or is the row itself.
        judged: how many of those that were added have no status in the file and got the one that their score deserves.
        pending: how many of them have neither a status nor a score.
        task: what the campaign optimises, as recorded.
        assumed: whether the task's direction is a guess that no row bears out so far.
    """

    added: int
    known: int
    repaired: tuple[int, ...] = ()
    dangling: tuple[str, ...] = ()
    circular: tuple[str, ...] = ()
    judged: int = 0
    pending: int = 0
    task: Task = Task()
    assumed: bool = False


def import_tsv(
    store: LineageStore,
    data: bytes,
    *,
    source: str,
    metric: str | None = None,
    lower_is_better: bool | None = None,
    label: str | None = None,
    snapshots: Path | None = None,
    repair: bool = False,
    guess: bool | None = None,
) -> ImportOutcome:
    """
    Record every row of a table as a trial on a snapshot of its own, all of them or none; again, it adds nothing.

    A row without a status is judged by its score and the rows before it, as one that is recorded here would be; one
    without a score, too, is pending, and gets its result from the file as soon as that has it. The file's cell stays
    empty in an export.

    The snapshot ids follow from the rows and folders alone, so they are the same on every machine.

    Args:
        metric: the column that ranks trials; by default the store's, else what `tsv.detect_metric` finds.
        lower_is_better: its direction; by default the store's, else what the rows' deltas show. One that was only
            assumed, as no row showed it, is settled by the first import whose rows or caller say it.
        label: its short name in prompts.
        snapshots: the folder that ``snapshot_path`` cells are below; without it the trials have no content.
        repair: mend flattened rows (semantics 60) instead of refusing the file.
        guess: the direction to assume where nobody said one and no row shows it.

    Raises:
        BadRows: every row that breaks a rule, with line number and reason.
        Invalid: the metric is no column, or contradicts the store's task; or rows have to be judged, and nothing tells
            by which direction.
    """
    recorded = store.ledger.recorded_task()
    table = tsv.read(data, source=source, repair=repair, metric=metric or (recorded.score_field if recorded else None))
    task = _task(table, recorded, metric, lower_is_better, label)
    if task.assumed and guess is not None:
        task = msgspec.structs.replace(task, lower_is_better=guess)
    unjudged = [row.trial for row in table.rows if row.trial.status is None]
    check_judged(task, sum(task.score(trial) is not None for trial in unjudged) if guess is None else 0)
    said = f"Import {source}"
    try:
        with store.batch(said):
            rows = [
                Row(trial=row.trial, raw=row.raw, line=row.line, tree=store.ledger.folder_tree(row.trial, snapshots))
                for row in table.rows
            ]
            added = append_rows(store.ledger, rows, said, task=task, shape=msgspec.to_builtins(table.shape))
    except BadRows as error:
        raise BadRows(source, error.rows, error.hint) from error
    new = [row.trial for row, is_new in zip(rows, added, strict=True) if is_new and row.trial.status is None]
    judged = sum(task.score(trial) is not None for trial in new)
    fresh = {row.trial.exp_id for row, new in zip(rows, added, strict=True) if new}
    named = {row.trial.exp_id for row in rows}
    lacking = [view for view in store.log(None, dangling=True) if view.trial.exp_id in fresh][::-1] if fresh else []
    dangling = [view.label for view in lacking if view.trial.parent_exp not in named]
    circular = [view.label for view in lacking if view.trial.parent_exp in named]
    return ImportOutcome(
        added=sum(added),
        known=len(added) - sum(added),
        repaired=table.repaired,
        dangling=tuple(dangling),
        circular=tuple(circular),
        judged=judged,
        pending=len(new) - judged,
        task=store.task,
        assumed=bool(store.task.assumed),
    )


def export_tsv(store: LineageStore, *, at: str | None = None, for_spreadsheets: bool = False) -> bytes:
    """
    Return every trial with a result as a table, in recording order.

    A store that was filled by one import, or by several as a file grew, gives that file back byte for byte;
    columns that came later stand at the end. Without an import the columns are the seventeen, then the rest. A
    retracted row is there as ``disqualified``, and its notes begin with ``[RETRACTED why]``; one whose snapshot was
    reparented names its new primary parent.

    Args:
        at: as of a trial, a commit of a writer's ref, or an ISO 8601 time.
        for_spreadsheets: put ``'`` before cells that a spreadsheet would run as a formula, as anybody's text may be;
            such a table is for people to look at and is not the file that was imported.
    """
    return table_of(store.ledger.views(at=at), for_spreadsheets=for_spreadsheets)


def table_of(views: Views, *, for_spreadsheets: bool = False) -> bytes:
    """Return the trials of a store, as it is at some moment, as a table; `export_tsv` says how."""
    return b"".join(pieces(views, for_spreadsheets=for_spreadsheets))


def pieces(views: Views, *, for_spreadsheets: bool = False) -> Iterator[bytes]:
    """Return the table of `table_of` piece by piece; few rows are in memory at once."""
    shapes = [msgspec.convert(shape, tsv.Shape) for shape in views.shapes()]
    shape = shapes[0] if shapes else tsv.Shape(columns=COLUMNS)
    if shapes:  # a file that grew ends as it did last
        shape = msgspec.structs.replace(shape, final_newline=shapes[-1].final_newline)
    moved = views.reparented()
    columns = _columns(views, shapes, shape.columns)
    wider = columns != shape.columns
    if wider:
        shape = msgspec.structs.replace(shape, columns=columns, header="")
    safe = tsv.for_spreadsheet
    if for_spreadsheets:
        shape = msgspec.structs.replace(shape, columns=tuple(map(safe, columns)), header="")

    def lines() -> Iterator[str]:
        for oid, packed, values, raw, why in views.each_row():
            if raw or why is not None or oid in moved:
                trial = read_row(packed, oid)
                shown = _shown(trial, why, moved.get(oid), columns)
                if raw and shown is trial and not wider and not for_spreadsheets:
                    yield raw
                    continue
                spelled = _spelled(trial, raw, shapes) if raw else {}
                kept = {column: text for column, text in spelled.items() if shown.text(column) == trial.text(column)}
                cells = [kept[column] if column in kept else shown.text(column) for column in columns]
            else:
                told = packed_cells(values)
                cells = [told.get(column, "") for column in columns]
            yield tsv.canonical(list(map(safe, cells)) if for_spreadsheets else cells)

    yield from tsv.pieces(shape, lines())


def _columns(views: Views, shapes: Sequence[tsv.Shape], first: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns of the table: those of the first import, of later ones, then what else some row has."""
    wanted = dict.fromkeys(column for shape in shapes for column in shape.columns) or dict.fromkeys(first)
    more = "" if set(COLUMNS) - wanted.keys() else HAS_MORE  # only those have other columns
    for oid, packed, _, raw, why in views.each_row(more):
        trial = read_row(packed, oid)
        told = trial.cells()
        if raw and why is None:
            spelled = _spelled(trial, raw, shapes)
            if spelled and "status" not in spelled:
                told.pop("status", None)  # the file has no such column
        wanted |= dict.fromkeys(told)
    columns = tuple(wanted)
    if len(columns) > MAX_COLUMNS:
        if views.note is not None:
            views.note(f"left out {len(columns) - MAX_COLUMNS:,} columns: a table has {MAX_COLUMNS:,} at the most")
        columns = columns[:MAX_COLUMNS]
    return columns


def _shown(trial: Trial, why: str | None, parent: str | None, columns: Sequence[str]) -> Trial:
    """Return a row as a table shows it: one whose snapshot was reparented or that was retracted as another one."""
    if parent is not None and "parent_exp" in columns:
        trial = trial.replace(parent_exp=parent)
    return trial if why is None else _marked(trial, why, columns)


def _spelled(trial: Trial, raw: str, shapes: Sequence[tsv.Shape]) -> dict[str, str]:
    """Return the cells of a row as its file has them: a status that was judged, and what is no score, are not there."""
    texts = tsv.row_cells(raw)
    for shape in shapes:
        cells = dict(zip(shape.columns, texts, strict=False))
        if len(texts) == len(shape.columns) and cells.get("exp_id") == trial.exp_id:
            return cells
    return {}


def _marked(trial: Trial, why: str, columns: Sequence[str]) -> Trial:
    """
    Return a retracted row as a table shows it: disqualified, so that whoever ranks the table leaves it out.

    What is the matter stands before its notes, where the table has any.
    """
    marked = trial.replace(status=FailureLabel.DISQUALIFIED)
    if "notes" not in columns:
        return marked
    return marked.replace(notes=f"[RETRACTED {flattened(why)}] {trial.notes}".rstrip())


def _task(
    table: tsv.Table, recorded: Task | None, metric: str | None, lower_is_better: bool | None, label: str | None
) -> Task:
    """Return the task to rank by."""
    columns = table.shape.columns
    if metric is not None and metric not in columns:
        raise Invalid(f"there is no column {metric!r} to rank by; the columns are {', '.join(columns)}")
    field = metric or (recorded.score_field if recorded else table.metric)
    if field is None:
        where = "follows status" if "status" in columns else "is known, as there is no status before it"
        raise Invalid(f"no column with scores {where}; name it with --metric: {', '.join(columns)}")
    return task_of(recorded, field, lower_is_better, label, lambda: tsv.detect_direction(table.rows, field))


def task_of(
    recorded: Task | None,
    field: str,
    lower_is_better: bool | None,
    label: str | None,
    shown: Callable[[], bool | None],
) -> Task:
    """
    Return the task that an import ranks by: the store's, with a direction that was only assumed settled if it can be.

    Args:
        recorded: the store's task, ``None`` where it has none yet.
        field: the column that ranks trials.
        lower_is_better: the direction, where the caller said it.
        label: the column's short name, where the caller said it.
        shown: tells whether the rows show that lower is better; ``None`` where they do not tell.

    Raises:
        Invalid: what was said contradicts the store's task.
    """
    task = recorded or Task(score_field=field, label=label or "", assumed=True)
    check_task(task, field, None if task.assumed else lower_is_better, label)
    told = shown() if task.assumed and lower_is_better is None else lower_is_better
    if told is None:
        return task
    return msgspec.structs.replace(task, lower_is_better=told, assumed=msgspec.UNSET)


def check_judged(task: Task, rows: int) -> None:
    """Refuse to judge rows by a direction that nobody said and no row shows."""
    if task.assumed and rows:
        raise Invalid(
            f"{counted(rows, 'row')} without a status cannot be judged, as no row shows whether lower is better; say "
            "--lower-is-better or --higher-is-better"
        )


def check_task(recorded: Task, metric: str | None, lower_is_better: bool | None, label: str | None) -> None:
    """Refuse an import that says otherwise than the store's task; what is ``None`` was not said."""
    asked = msgspec.structs.replace(
        recorded,
        score_field=metric or recorded.score_field,
        lower_is_better=recorded.lower_is_better if lower_is_better is None else lower_is_better,
        label=recorded.label if label is None else label,
    )
    if asked != recorded:
        raise Invalid(
            f"this store ranks by {recorded.score_field} ({_direction(recorded)}, label {recorded.short}), not by "
            f"{asked.score_field} ({_direction(asked)}, label {asked.short}); `gitlineage init` changes its task"
        )


def _direction(task: Task) -> str:
    return "lower is better" if task.lower_is_better else "higher is better"
