"""
Trials and snapshots as plain objects, straight from the index's columns: what ``--json`` prints, one after the other.

A record for each of 100,000 trials, and a text for each of its columns, would take several times as long and all of
the memory. Numbers and oids come first, then their rows in parts, so that the first one is there at once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from gitlineage.index.database import growing
from gitlineage.model.rank import BY_PLACE, IS_RETRACTED
from gitlineage.model.records import Task
from gitlineage.model.trial import COLUMNS, HYPOTHESIS, NUMERIC, STATUS, packed_cells, packed_rows, parse_number
from gitlineage.query.around import Around, roles_of, standing_in
from gitlineage.query.views import CALLED, GIT_PARENTS, SNAPSHOTS, Views

_TRIALS = f"""
SELECT t.id, t.saw, t.exp_id, t.row, t.clock, t.writer, t.parent_cell, s.id, s.oid, s.tree, s.cohort, s.roles,
    iif({IS_RETRACTED}, (SELECT r.reason FROM retractions r WHERE r.oid = s.oid AND r.exp_id = t.exp_id
    AND r.owner IN ('', t.writer)), NULL)
FROM trials t JOIN snapshots s ON s.id = t.snapshot WHERE t.id IN ({{}})
"""
_ON = f"SELECT snapshot, exp_id, writer, row FROM trials t WHERE snapshot IN ({{}}) ORDER BY t.guest, {BY_PLACE}"


def trials(views: Views, numbers: Iterable[int], task: Task | None = None) -> Iterator[dict[str, Any]]:
    """
    Return trials as objects, in the order given.

    Args:
        numbers: theirs in the index.
        task: what they are scored by; by default the store's.
    """
    score, arrived = _scorer(task or views.task), standing_in(views.index)
    shared = None
    for part in growing(numbers):
        shared = views.shared_among(part, shared)
        rows = views.index.rows(_TRIALS.format(", ".join("?" * len(part))), *part)
        packed = packed_rows(row[3] for row in rows)
        by_number = {row[0]: (row, values) for row, values in zip(rows, packed, strict=True)}
        snapshots = {row[7] for row in rows}
        around = Around(views.index, views.labels, snapshots, {row[2] for row in rows}, shared)
        git_parents = views.index.grouped(GIT_PARENTS, snapshots)
        for number in part:
            row, values = by_number[number]
            _, saw, exp_id, _, clock, writer, cell, sid, oid, tree, cohort, roles, retracted = row
            parent = views.parent_label(around, sid, cell, writer)
            is_dangling = cell and views.is_dangling(parent, oid, around.links.get(sid, ()))
            parents = list(dict.fromkeys(arrived.get(above, above) for (above,) in git_parents.get(sid, ())))
            yield {
                "id": around.names.label(exp_id, writer, oid),
                "exp_id": exp_id,
                "oid": oid,
                "tree": tree,
                "parents": parents,
                "roles": _roles(roles, parents, arrived)[0],
                "cohort": cohort,
                "status": values[STATUS],
                "score": score(values),
                "parent": parent,
                "dangling": cell if is_dangling else None,
                "saw": saw or None,
                "retracted": retracted,
                "writer": writer,
                "clock": clock,
                "row": packed_cells(values),
            }


def snapshots(views: Views, oids: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Return those of some commits that are recorded as objects with their trials, in the order given."""
    score, arrived, shared = _scorer(views.task), standing_in(views.index), None
    has_imported = views.index.one("SELECT 1 FROM imported LIMIT 1") is not None
    for part in growing(oids):
        shared = views.shared_among(part, shared)
        rows = {row[1]: row for row in views.index.rows(SNAPSHOTS.format(", ".join("?" * len(part))), *part)}
        ids = [row[0] for row in rows.values()]
        on = views.index.grouped(_ON, ids)
        used = {first[0] for first, *_ in on.values()}
        names = views.labels.among(used if shared is None else used & shared)
        git_parents = views.index.grouped(GIT_PARENTS, ids)
        called = views.index.grouped(CALLED, ids) if has_imported else {}
        told = iter(packed_rows(row for number in ids for _, _, row in on.get(number, ())))
        packed = {number: [next(told) for _ in on.get(number, ())] for number in ids}
        for asked in part:
            if asked not in rows:
                continue
            number, oid, tree, exp_id, subject, author, time, cohort, roles, writer = rows[asked]
            mine, values = on.get(number, ()), packed[number]
            parents = list(dict.fromkeys(arrived.get(above, above) for (above,) in git_parents.get(number, ())))
            known, inspirations = _roles(roles, parents, arrived)
            name, stub = called.get(number, _UNCALLED)[0]
            if subject is None:
                subject = next(row[HYPOTHESIS] for row in values if row[0] == exp_id)
            yield {
                "id": names.label(mine[0][0], mine[0][1], oid) if mine else views.labels.name_of(number),
                "exp_id": mine[0][0] if mine else None,
                "name": name or None,
                "stub": bool(stub),
                "oid": oid,
                "tree": tree,
                "parents": parents,
                "roles": known,
                "inspirations": inspirations,
                "cohort": cohort,
                "status": values[0][STATUS] if mine else None,
                "score": score(values[0]) if mine else None,
                "subject": subject,
                "author": author,
                "time": time,
                "writer": writer,
                "recorded": bool(writer),
                "trials": [packed_cells(each) for each in values],
            }


_UNCALLED = (("", False),)


def _roles(text: str, parents: Sequence[str], arrived: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return what parents were to a snapshot, and what gave it no content."""
    named = {arrived.get(oid, oid): role for oid, role in roles_of(text).items()} if text != "{}" else {}
    return {oid: role for oid, role in named.items() if oid in parents}, [oid for oid in named if oid not in parents]


def _scorer(task: Task) -> Callable[[Sequence[Any]], float | None]:
    """Return what reads a row's score, as `Task.score` does of a trial."""
    field = task.score_field
    if field not in COLUMNS:
        further = len(COLUMNS)
        return lambda values: parse_number(values[further].get(field, "")) if len(values) > further else None
    place = COLUMNS.index(field)
    return (lambda values: values[place]) if field in NUMERIC else (lambda values: parse_number(values[place] or ""))
