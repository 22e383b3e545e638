"""
Histories into a store: whatever a path holds is recognised, judged and recorded. Begin with `plans`, then `record`.

Reading and judging need no store, so a plan can be shown before anything is written (``--dry-run``).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from gitlineage.bridge import lgent, openrange, planning, rows
from gitlineage.bridge.autoresearch_format import LoopRow
from gitlineage.bridge.direction import flag
from gitlineage.bridge.formats import lgent as lgent_format
from gitlineage.bridge.formats import registry
from gitlineage.bridge.formats.found import INCOMPLETE, Found, Graph, NotTrials, listed
from gitlineage.bridge.formats.source import Source
from gitlineage.bridge.planning import Options, Plan, PlannedRow
from gitlineage.bridge.tsv import check_task, import_tsv
from gitlineage.errors import BadRows, Invalid, Unclear
from gitlineage.model import tsv
from gitlineage.model.records import Task
from gitlineage.model.trial import COLUMNS
from gitlineage.store.store import LineageStore
from gitlineage.text import counted

_LISTED = 10
_OF_TRIALS = {
    "metric": "--metric", "label": "--label", "statuses": "--status", "other_status": "--other-status",
    "fields": "--map", "cohort": "--cohort", "specialist": "--specialist", "branch": "--branch",
}  # fmt: skip
"""Options that say something of trials alone, by their fields."""

_EXACT = 6
"""Columns of a trial log that a table has at least where it is one, and comes back byte for byte."""


class Planned(msgspec.Struct, kw_only=True):
    """
    A file and what is to be made of it.

    Args:
        plan: the plan.
        file: the name that its trials keep of it.
        data: the file's bytes where it is a trial log of this program's own columns, to be given back as it is.
        graph: artifacts and relations, where it holds these and no trials.
    """

    plan: Plan
    file: str
    data: bytes | None = None
    graph: Graph | None = None


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a folder that holds no trials, and why."""

    source: str
    reason: str


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of one file.

    Args:
        plan: what was made of it.
        outcome: what was recorded.
        ranked: whether the store ranks by this file's metric.
        graph: what was recorded of artifacts and relations, where it holds these and no trials.
    """

    plan: Plan
    outcome: rows.LoopOutcome
    ranked: bool = True
    graph: lgent.GraphOutcome | None = None


def plans(
    paths: Sequence[Path | Source], options: Options, task: Task | None = None, *, whole: bool = True
) -> tuple[list[Planned], list[Refused]]:
    """
    Read and judge what some paths hold, and write nothing.

    Args:
        paths: files, folders, or what was read already.
        options: what the user says.
        task: what the store ranks by.
        whole: whether files are finished; if not, a last line without its line end waits.

    Returns:
        What will be imported, path by path as they were given, and what of a folder is no result of a loop.

    Raises:
        NotTrials: nothing of it holds trials.
        Unclear: something has to be said first.
        Invalid: a path or an option names nothing.
    """
    planned: list[Planned] = []
    refused: list[Refused] = []
    for path in paths:
        many = list(registry.sources(path)) if isinstance(path, Path) else [path]
        of_path: list[tuple[Source, Planned]] = []
        for source in many:
            try:
                of_path.append((source, _planned(source, options, task, whole)))
            except (NotTrials, Unclear) as error:
                if len(many) == 1:
                    raise
                refused.append(Refused(source=source.name, reason=str(error).splitlines()[0]))
        known = task
        for source, each in _in_order(of_path, task):
            if task is not known and each.graph is None:
                each = _planned(source, options, task, whole)  # as it is judged where it comes later
            planned.append(each)
            task = task or _task_of(each.plan)
    if not planned:
        raise Invalid("\n".join(each.reason for each in refused))
    return planned, refused


def record(store: LineageStore, planned: Iterable[Planned], options: Options) -> list[Imported]:
    """
    Record what was planned, all files or none; again, it adds nothing.

    Raises:
        Invalid: the store ranks by something else, and the user asks for this.
        BadRows: a hash that could be several commits.
    """
    files = list(planned)
    with store.ledger.batch(f"Import {', '.join(each.plan.source for each in files)[:200]}", settled=True):
        return [_record(store, each, options) for each in files]


def _planned(source: Source, options: Options, task: Task | None, whole: bool) -> Planned:
    table = registry.read(source, whole)
    if table.graph is not None:
        return Planned(plan=_graph_plan(table, table.graph, options), file=source.file, graph=table.graph)
    plan = planning.plan(table, options, task, source.beside())
    data = _exact(source, plan, options, whole)
    if data is None and (above := _above_their_parents(plan)):
        verb, whose = ("stands", "its") if len(above) == 1 else ("stand", "their")
        plan.told.append(
            f"{listed(above)} {verb} above {whose} parent: parents are recorded first, and what a trial is compared "
            "with follows that order"
        )
    return Planned(plan=plan, file=source.file, data=data)


def _above_their_parents(plan: Plan) -> list[int]:
    """Return the lines of rows that stand above a row which they name as their parent."""
    places: dict[str, int] = {}
    for at, row in enumerate(plan.rows):
        places.setdefault(row.name, at)
    return [
        row.line
        for at, row in enumerate(plan.rows)
        if row.line and any(places.get(name, at) > at for name, _ in row.parents)
    ]


def _graph_plan(table: Found, graph: Graph, options: Options) -> Plan:
    """Return the plan of a file of artifacts and relations; what cannot be read is refused, or counted."""
    if said := [name for name in _OF_TRIALS if getattr(options, name)] + ["lower"] * (options.lower is not None):
        spelt = ", ".join(_OF_TRIALS.get(name, "a direction") for name in said)
        raise Invalid(f"{table.source}: {table.kind}, which holds no trials: {spelt} says nothing of it")
    if graph.bad and not options.skip_bad:
        shown = "".join(f"\n  {where}: {reason}" for where, reason in graph.bad[:_LISTED])
        more = f"\n  and {len(graph.bad) - _LISTED} more" if len(graph.bad) > _LISTED else ""
        raise Invalid(
            f"{table.source}: {table.kind}, of which {counted(len(graph.bad), 'part')} cannot be read; nothing was "
            f"imported, and --skip-bad passes over them{shown}{more}"
        )
    told = [f"{counted(len(graph.bad), 'part')} cannot be read: {graph.bad[0][0]} first"] if graph.bad else []
    return Plan(source=table.source, kind=table.kind, told=[*table.told, *told])


def _exact(source: Source, plan: Plan, options: Options, whole: bool) -> bytes | None:
    """Return a file that is a sound trial log of the seventeen columns, which is kept byte for byte; else ``None``."""
    if source.is_folder or not whole or options.fields or options.statuses or options.cohort or options.specialist:
        return None
    if plan.roles.get("id") != "exp_id" or "commit" in plan.roles or plan.metric is None or plan.bests:
        return None
    header = source.text.split("\n", 1)[0].rstrip("\r").split("\t")
    if len(set(header) & set(COLUMNS)) < _EXACT:
        return None
    data = source.data
    if INCOMPLETE in plan.not_rows:
        data = data[: data.rfind(b"\n") + 1]
    try:
        tsv.read(data, source=source.name, metric=plan.metric)
    except (BadRows, Invalid):
        return None
    return data


def _task_of(plan: Plan) -> Task | None:
    """Return what a store ranks by once it holds a plan; ``None`` where nothing ranks."""
    if plan.metric is None:
        return None
    guess: Literal[True] | msgspec.UnsetType = True if plan.direction.assumed else msgspec.UNSET
    return Task(score_field=plan.metric, lower_is_better=plan.direction.lower, assumed=guess)


def _in_order(planned: list[tuple[Source, Planned]], task: Task | None) -> list[tuple[Source, Planned]]:
    """
    Return the plans of a folder with those first that rank by what most trials are ranked by, larger files first.

    Of files that were named, the user's order counts: it gives what importing one after the other gives.
    """
    weights: Counter[str] = Counter()
    for _, each in planned:
        if each.plan.metric is not None:
            weights[each.plan.metric] += len(each.plan.rows)
    if task is not None:
        weights[task.score_field] += 1 << 40
    return sorted(planned, key=lambda pair: (-weights[pair[1].plan.metric or ""], -len(pair[1].plan.rows)))


def _record(store: LineageStore, planned: Planned, options: Options) -> Imported:
    plan = planned.plan
    if planned.graph is not None:
        told = lgent.record(store, planned.graph, plan.source)
        return Imported(plan=plan, outcome=rows.LoopOutcome(), ranked=False, graph=told)
    recorded = store.ledger.recorded_task()
    task, force, ranked = _task(recorded, plan, options)
    if planned.data is not None and ranked and task is not None:
        done = import_tsv(
            store,
            planned.data,
            source=plan.source,
            metric=plan.metric,
            lower_is_better=None if plan.direction.assumed else plan.direction.lower,
            label=options.label,
            guess=plan.direction.lower,
        )
        outcome = rows.LoopOutcome(
            added=done.added, known=done.known, dangling=done.dangling, circular=done.circular, judged=done.judged,
            pending=done.pending, task=done.task, assumed=done.assumed,
        )  # fmt: skip
        return Imported(plan=plan, outcome=outcome)
    flips = bool(
        recorded is not None
        and recorded.assumed
        and task is not None
        and task.lower_is_better != recorded.lower_is_better
    )
    outcome = rows.place(
        store,
        [_row(row, plan) for row in plan.rows],
        source=plan.source,
        metric=plan.metric,
        task=task,
        branch=options.branch,
        file=planned.file,
        force=force,
        ranked=Task(score_field=plan.metric, lower_is_better=plan.direction.lower)
        if plan.metric and not ranked
        else None,
        again=flips,
    )
    return Imported(plan=_with_its_name(plan, outcome.names), outcome=outcome, ranked=ranked)


def _with_its_name(plan: Plan, names: Sequence[str]) -> Plan:
    """Return a plan whose best is called as its trial is, now that it is recorded."""
    if plan.best is None:
        return plan
    best = planning.best_row(plan.rows, plan.direction.lower)
    at = next(at for at, row in enumerate(plan.rows) if row is best)
    return msgspec.structs.replace(plan, best=msgspec.structs.replace(plan.best, id=names[at]))


def _row(row: PlannedRow, plan: Plan) -> LoopRow:
    """Return a planned row as one that is placed."""
    tried_on = (
        not row.commit and bool(row.base) and "commit" in plan.roles and row.said != "" and not _is_own_base(plan)
    )
    said = "" if planning.names_nothing(row.said) else row.said
    if row.commit and row.cells.get("commit", "") != row.commit:  # where a stand-in is looked for by its hash
        given = row.cells.get("commit", "")
        row.cells.update({"commit": row.commit, **({"commit_text": given} if given else {})})
    return LoopRow(
        line=row.line,
        commit=row.commit or (row.base if tried_on else said),
        name=row.name,
        cells=row.cells,
        tried_on=tried_on,
        base="" if tried_on else row.base,
        parents=row.parents,
        files=row.files,
        cohort=row.cohort,
        names_commits="commit" in plan.roles,
    )


def _is_own_base(plan: Plan) -> bool:
    """Whether a column of its own says where rows started."""
    return "base" in plan.roles


def _task(recorded: Task | None, plan: Plan, options: Options) -> tuple[Task | None, bool, bool]:
    """
    Return the task to record, whether it may replace another one, and whether the store ranks by this file's metric.

    Raises:
        Invalid: the user names another column or direction than the store's.
    """
    if plan.metric is None:
        return None, False, recorded is None
    lower, assumed = plan.direction.lower, plan.direction.assumed
    guess: Literal[True] | msgspec.UnsetType = True if assumed else msgspec.UNSET
    if recorded is None:
        return (
            Task(score_field=plan.metric, lower_is_better=lower, label=options.label or "", assumed=guess),
            False,
            True,
        )
    if plan.metric != recorded.score_field:
        if recorded.score_field in plan.earlier:
            return Task(score_field=plan.metric, lower_is_better=lower, label=options.label or ""), True, True
        if options.metric is not None:
            check_task(recorded, plan.metric, lower, options.label)
        return None, False, False
    if not recorded.assumed:
        check_task(recorded, plan.metric, options.lower, options.label)
        if recorded.lower_is_better != lower:
            raise Invalid(
                f"{plan.source} says {plan.direction.text} ({plan.direction.why}), and this store ranks otherwise; "
                f"`gitlineage init {flag(lower)}` changes its task"
            )
        return recorded, False, True
    return msgspec.structs.replace(recorded, lower_is_better=lower, assumed=guess), False, True


def facts(plan: Plan) -> dict[str, object]:
    """Return a plan as plain values, without its rows."""
    known = plan.metric is not None
    skipped = sorted(line for kind, lines in plan.not_rows.items() for line in lines)
    return {
        "source": plan.source,
        "kind": plan.kind,
        "trials": len(plan.rows),
        "metric": plan.metric,
        "metric_called": plan.named or None,
        "metric_why": plan.metric_why,
        "direction": ("lower" if plan.direction.lower else "higher") if known else "unknown",
        "assumed": plan.direction.assumed,
        "direction_from": plan.direction.why,
        "best": msgspec.to_builtins(plan.best) if plan.best else None,
        "best_of_each": [msgspec.to_builtins(each) for each in plan.bests],
        "columns": plan.roles,
        "statuses": plan.statuses,
        "status_words": plan.words,
        "lines_that_are_no_rows": skipped,
        "not_rows": plan.not_rows,
        "told": plan.told,
    }


def is_worlds(path: Path) -> bool:
    """Whether a path is an OpenRange store: its snapshots are no trials, and `openrange` reads them."""
    return path.is_dir() and openrange.is_store(path) and registry.recognise(Source(path)) is None


def is_line_based(source: Source) -> bool:
    """Whether a file grows line by line."""
    known = registry.recognise(source)
    return known is not None and (known.name in registry.LINES or known.recognise(source) == lgent_format.LOG)
