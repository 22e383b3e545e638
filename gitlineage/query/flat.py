"""
Trials and snapshots as plain objects, straight from the index's columns: what ``--json`` prints, one after the other.

A record for each of 100,000 trials, and a text for each of its columns, would take several times as long and all of
the memory. Numbers and oids come first, then their rows in parts, so that the first one is there at once.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from gitlineage.index.database import MANY, growing
from gitlineage.index.schema import AUTHOR
from gitlineage.model.rank import BY_PLACE
from gitlineage.model.records import Kin, Task, TrialView
from gitlineage.model.trial import (
    COLUMNS,
    HYPOTHESIS,
    NUMERIC,
    STATUS,
    json_cells,
    packed_json,
    packed_rows,
    parse_number,
)
from gitlineage.query.around import Around, roles_of, standing_in
from gitlineage.query.views import CALLED, GIT_PARENTS, WHY, Views, beyond

_TRIALS = f"""
SELECT t.id, t.saw, t.exp_id, t.row, t.clock, t.writer, t.parent_cell, s.id, s.oid, s.tree, s.cohort, s.roles, {WHY},
    l.parent, p.exp_id, g.parent, p.exp_id IS NULL AND l.parent IS NOT NULL
FROM trials t CROSS JOIN snapshots s ON s.id = t.snapshot LEFT JOIN links l ON l.child = s.id
LEFT JOIN trials p ON p.snapshot = l.parent LEFT JOIN git_parents g ON g.child = s.id WHERE t.id IN ({{}})
"""
"""A single row for each trial whose snapshot has one parent with one trial, or none: nearly all are so."""

_ON = f"SELECT snapshot, exp_id, writer, row FROM trials t WHERE snapshot IN ({{}}) ORDER BY t.guest, {BY_PLACE}"


class FlatTrial(msgspec.Struct, frozen=True, gc=False):
    """A trial with its place in the graph, as ``--json`` tells it; what is JSON in the index is JSON here."""

    id: str
    exp_id: str
    oid: str
    tree: str
    parents: list[str]
    roles: dict[str, str]
    cohort: str | None
    status: msgspec.Raw
    score: msgspec.Raw | float | None
    parent: str | None
    dangling: str | None
    saw: str | None
    retracted: str | None
    writer: str
    clock: int
    row: msgspec.Raw
    """The text of every column by its name, empty ones too."""


def trials(views: Views, numbers: Iterable[int], task: Task | None = None) -> Iterator[FlatTrial]:
    """
    Return trials in the order given.

    Args:
        numbers: theirs in the index.
        task: what they are scored by; by default the store's.
    """
    score, arrived = _raw_scorer(task or views.task), standing_in(views.index)
    shared = None
    for part in growing(numbers):
        shared = views.shared_among(part, shared)
        rows = views.index.rows(_TRIALS.format(", ".join("?" * len(part))), *part)
        by_number = {row[0]: row for row in rows}
        odd = _odd(views, rows, shared)
        snapshots, exp_ids = ({by_number[number][column] for number in odd} for column in (7, 2))
        around = Around(views.index, views.labels, snapshots, exp_ids, shared)
        git_parents = views.index.grouped(GIT_PARENTS, snapshots)
        told: dict[int, FlatTrial] = {}
        packed = packed_json(row[3] for row in by_number.values())
        for row, values in zip(by_number.values(), packed, strict=True):
            number, saw, exp_id, _, clock, writer, cell, sid, oid, tree, cohort, roles, why, up, parent, above, _ = row
            label, has_parent, parents = exp_id, up is not None, [] if above is None else [arrived.get(above, above)]
            if number in odd:
                label, parent = around.names.label(exp_id, writer, oid), views.parent_label(around, sid, cell, writer)
                has_parent = parent is not None if views.raw_parents else bool(around.links.get(sid))
                parents = list(dict.fromkeys(arrived.get(each, each) for (each,) in git_parents.get(sid, ())))
            told[number] = FlatTrial(
                label,
                exp_id,
                oid,
                tree,
                parents,
                _roles(roles, parents, arrived)[0] if roles != "{}" else {},
                cohort,
                values[STATUS],
                score(values),
                parent,
                cell if cell and not has_parent and views.is_dangling(parent, oid, ()) else None,
                saw or None,
                why,
                writer,
                clock,
                json_cells(values),
            )
        yield from [told[number] for number in part]


def _odd(views: Views, rows: Sequence[Sequence[Any]], shared: frozenset[str] | None) -> set[int]:
    """Return the numbers of trials of which one row of `_TRIALS` does not say all: more has to be asked for."""
    if views.raw_parents:
        return {row[0] for row in rows}
    odd = {number for number, count in Counter(row[0] for row in rows).items() if count > 1}
    odd.update(row[0] for row in rows if row[16])
    if shared is None or shared:
        names = {row[2] for row in rows} | {row[14] for row in rows} - {None}
        known = names & shared if shared is not None else views.labels.among(names).shared()
        odd.update(row[0] for row in rows if row[2] in known or row[14] in known)
    return odd


class Counted(NamedTuple):
    """
    A trial that counts, as tables for other programs have it.

    Args:
        label: how to name it.
        oid: its snapshot.
        parent: the label of the trial that it was derived from first; ``None`` for a root.
        cohort: the cohort of its snapshot.
        score: its score.
        values: what its packed row holds.
        others: its further parents, in order, and what inspired it.
        dangling: the parent cell's text where no such trial exists.
        view: the whole of it, where its snapshot says what others were to it.
    """

    label: str
    oid: str
    parent: str | None
    cohort: str | None
    score: float | None
    values: list[Any]
    others: tuple[Kin, ...] = ()
    dangling: str | None = None
    view: TrialView | None = None


def counting(views: Views) -> Iterator[Counted]:
    """Return what `Views.each_counting` does, without a record for each row."""
    score, hidden, shared = _scorer(views.task), views.above_retracted(), None
    for part in growing(views.counted()):
        shared = views.shared_among(part, shared)
        rows = views.index.rows(_TRIALS.format(", ".join("?" * len(part))), *part)
        by_number = {row[0]: row for row in rows}
        packed = dict(zip(by_number, packed_rows(row[3] for row in by_number.values()), strict=True))
        odd = list(_odd(views, rows, shared) | {row[0] for row in rows if row[11] != "{}"})
        seen = dict(zip(odd, views.each(odd, MANY, shared), strict=True))
        for number in part:
            row, values, view = by_number[number], packed[number], seen.get(number)
            if view is None:
                above = beyond(row[14], hidden) if row[14] in hidden else row[14]
                lost = row[6] if row[6] and row[13] is None and views.is_dangling(above, row[8], ()) else None
                yield Counted(row[2], row[8], above, row[10], score(values), values, dangling=lost)
                continue
            view = msgspec.structs.replace(view, parent=beyond(view.parent, hidden))
            seen_as = view.label, view.oid, view.parent, view.cohort
            told = view if row[11] != "{}" else None
            yield Counted(*seen_as, score(values), values, view.others, view.dangling, told)


def columns_of(views: Views) -> dict[str, None]:
    """Return the columns in which some trial that counts has a cell, those of every row in their order, then others."""
    left, more = set(range(len(COLUMNS))), dict[str, None]()
    for part in growing(views.counted()):
        rows = views.index.rows(_PACKED.format(", ".join("?" * len(part))), *part)
        by_number = dict(zip((number for number, _ in rows), packed_rows(row for _, row in rows), strict=True))
        for values in map(by_number.__getitem__, part):
            left -= {at for at in left if values[at] or values[at] == 0}
            for beside in values[: len(COLUMNS) - 1 : -1]:
                more |= dict.fromkeys(beside)
    used = (column for at, column in enumerate(COLUMNS) if at not in left or column in more)
    return dict.fromkeys([*used, *more])


_PACKED = "SELECT id, row FROM trials WHERE id IN ({})"

_SNAPSHOTS = f"""
SELECT s.id, s.oid, s.tree, s.exp_id, s.subject, {AUTHOR}, s.time, s.cohort, s.roles, s.writer,
    t.exp_id, t.writer, t.row, g.parent
FROM snapshots s LEFT JOIN trials t ON t.snapshot = s.id LEFT JOIN git_parents g ON g.child = s.id
WHERE s.oid IN ({{}})
"""
"""A single row for each snapshot with one trial and one parent, or none."""


class FlatSnapshot(msgspec.Struct, frozen=True, gc=False):
    """A snapshot with its trials, as ``--json`` tells it, and where a walk came to it how; JSON is left as it is."""

    id: str
    exp_id: str | None
    name: str | None
    stub: bool
    oid: str
    tree: str
    parents: list[str]
    roles: dict[str, str]
    inspirations: list[str]
    cohort: str | None
    status: msgspec.Raw | None
    score: msgspec.Raw | float | None
    subject: msgspec.Raw | str
    author: str
    time: str
    writer: str
    recorded: bool
    trials: list[msgspec.Raw]
    depth: int | msgspec.UnsetType | None = msgspec.UNSET
    relationship: str | msgspec.UnsetType | None = msgspec.UNSET
    role: str | msgspec.UnsetType = msgspec.UNSET


def snapshots(
    views: Views, oids: Iterable[str], reached: Callable[[str], Sequence[Any]] | None = None
) -> Iterator[FlatSnapshot]:
    """
    Return those of some commits that are recorded with their trials, in the order given.

    Args:
        reached: returns how a walk came to each, by its oid: depth, relationship and role.
    """
    score, arrived, shared = _raw_scorer(views.task), standing_in(views.index), None
    has_imported = views.index.one("SELECT 1 FROM imported LIMIT 1") is not None
    for part in growing(oids):
        shared = views.shared_among(part, shared)
        rows = views.index.rows(_SNAPSHOTS.format(", ".join("?" * len(part))), *part)
        by_oid = {row[1]: row for row in rows}
        odd = [number for number, count in Counter(row[0] for row in rows).items() if count > 1]
        on = {row[0]: [row[10:13]] if row[10] is not None else [] for row in by_oid.values()}
        on |= views.index.grouped(_ON, odd)
        git_parents = {row[0]: [row[13:]] if row[13] is not None else [] for row in by_oid.values()}
        git_parents |= views.index.grouped(GIT_PARENTS, odd)
        used = {mine[0][0] for mine in on.values() if mine}
        names = views.labels.among(used if shared is None else used & shared)
        called = views.index.grouped(CALLED, list(on)) if has_imported else {}
        told = iter(packed_json(row for mine in on.values() for _, _, row in mine))
        packed = {number: [next(told) for _ in mine] for number, mine in on.items()}
        for asked in part:
            if asked not in by_oid:
                continue
            number, oid, tree, exp_id, subject, author, time, cohort, roles, writer, *_ = by_oid[asked]
            mine, values = on[number], packed[number]
            parents = list(dict.fromkeys(arrived.get(above, above) for (above,) in git_parents[number]))
            known, inspirations = _roles(roles, parents, arrived) if roles != "{}" else ({}, [])
            name, stub = called.get(number, _UNCALLED)[0]
            if subject is None:
                own = next(at for at, (each, _, _) in enumerate(mine) if each == exp_id)
                subject = values[own][HYPOTHESIS]
            yield FlatSnapshot(
                names.label(mine[0][0], mine[0][1], oid) if mine else views.labels.name_of(number),
                mine[0][0] if mine else None,
                name or None,
                bool(stub),
                oid,
                tree,
                parents,
                known,
                inspirations,
                cohort,
                values[0][STATUS] if mine else None,
                score(values[0]) if mine else None,
                subject,
                author,
                time,
                writer,
                bool(writer),
                [json_cells(each) for each in values],
                *(reached(oid) if reached is not None else ()),
            )


_UNCALLED = (("", False),)


def _roles(text: str, parents: Sequence[str], arrived: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return what parents were to a snapshot, and what gave it no content."""
    named = {arrived.get(oid, oid): role for oid, role in roles_of(text).items()} if text != "{}" else {}
    return {oid: role for oid, role in named.items() if oid in parents}, [oid for oid in named if oid not in parents]


def _raw_scorer(task: Task) -> Callable[[Sequence[msgspec.Raw]], msgspec.Raw | float | None]:
    """Return what reads the score of a row whose values are JSON."""
    if task.score_field in NUMERIC:
        return itemgetter(COLUMNS.index(task.score_field))
    score = _scorer(task)
    return lambda values: score(msgspec.json.decode(b"[%b]" % b",".join(values)))


def _scorer(task: Task) -> Callable[[Sequence[Any]], float | None]:
    """Return what reads a row's score, as `Task.score` does of a trial."""
    field = task.score_field
    if field not in COLUMNS:
        further = len(COLUMNS)
        return lambda values: parse_number(values[further].get(field, "")) if len(values) > further else None
    place = COLUMNS.index(field)
    return (lambda values: values[place]) if field in NUMERIC else (lambda values: parse_number(values[place] or ""))
