"""
A campaign's trials as the page reads them: a JSON object of columns, small once it is compressed.

Start at `columns`. Every cell is the text that its row has; what follows from it, as scores do, the page works out, and
texts that repeat are written once and numbered.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter
from typing import Any

from gitlineage._version import __version__
from gitlineage.model.rank import BASELINES, KEPT, UNINFORMATIVE
from gitlineage.model.records import Cohort
from gitlineage.model.trial import COLUMNS, CRASHED, NUMERIC, split_number
from gitlineage.query.table import Row, Table, staircase
from gitlineage.query.views import Views
from gitlineage.times import parse_time

_WHOLE = 500
"""Up to so many trials commits are named by their whole oid, of more by as much as tells them apart."""

_DIGITS = 10
_LONG = 40
"""Signs of a cell in the mean from which on a column is one of long texts."""

MAX_TEXT = 5 << 20
"""Signs of long texts that a page holds; what is over is cut, of the trials that tell least."""

_OWN = ("exp_id", "status")
"""Columns that stand in the label and the status already; an exp id that differs from the label is kept."""


def columns(views: Views, table: Table, telling: Collection[int] = (), **told: Any) -> dict[str, Any]:
    """
    Return the table as columns.

    Args:
        views: the store.
        table: the trials.
        telling: the places of trials whose texts are whole in any case.
        told: what else the page is to know, as JSON values.
    """
    rows = table.rows
    best = max(staircase(rows, table.task), default=-1)
    cells, cut = _cells(rows, telling)
    names = {row.oid: row.label for row in reversed(rows)}
    return {
        **told,
        "version": __version__,
        "task": {
            "field": table.task.score_field,
            "label": table.task.short,
            "lower": table.task.lower_is_better,
        },
        "rules": {
            "kept": list(KEPT),
            "baseline": list(BASELINES),
            "silent": [str(each) for each in UNINFORMATIVE],
            "crashed": list(CRASHED),
        },
        "n": len(rows),
        "left": table.left_out,
        "cut": cut,
        "best": best,
        "label": _packed([row.label for row in rows]) if rows else [],
        "status": _numbered([row.status for row in rows]),
        "cohort": _packed([row.cohort for row in rows]),
        "writer": _packed([row.writer for row in rows]),
        "oid": _oids(rows),
        "when": _when(rows),
        "parents": _parents(rows),
        "roles": {at: row.roles for at, row in enumerate(rows) if any(row.roles)},
        "inspired": {
            at: [(views.name(oid), role) for oid, role in row.inspired] for at, row in enumerate(rows) if row.inspired
        },
        "same": _same(rows),
        "saw": [at for at, row in enumerate(rows) if row.saw],
        "unknown": [at for at, row in enumerate(rows) if row.content.startswith("#")],
        "cells": cells,
        "cohorts": {each.name: _cohort(views, names, each) for each in views.cohorts.all(members=False)},
        "relations": _relations(views),
    }


def _cells(rows: Sequence[Row], telling: Collection[int]) -> tuple[dict[str, Any], int]:
    """
    Return the columns in which any cell holds text, the seventeen first, and in how many trials texts are cut.

    Args:
        rows: the trials.
        telling: the places of those whose texts are whole in any case.
    """
    extra = dict.fromkeys(name for row in rows if row.cells.extra for name in row.cells.extra)
    texts = {name: _texts(rows, name) for name in (*COLUMNS, *extra) if name not in _OWN}
    own = [row.cells.exp_id for row in rows]
    if own != [row.label for row in rows]:
        texts["exp_id"] = own
    texts = {name: cells for name, cells in texts.items() if any(cells)}
    cut = _cut(texts, len(rows), telling)
    above = [rows[row.parents[0]].label if row.parents else "" for row in rows]
    columns: dict[str, Any] = {}
    for name, cells in texts.items():
        equal = next((each for each in columns if texts[each] == cells), None)
        columns[name] = "parent" if cells == above else f"={equal}" if equal else _packed(cells)
    return columns, cut


def _cut(texts: dict[str, list[str]], count: int, telling: Collection[int]) -> int:
    """
    Cut the long texts of trials that tell less, where all of them together are too large; return of how many trials.

    Every text gets the same room, as much as there is, and the further long columns none where that is too little.
    """
    sizes = {name: sum(map(len, cells)) for name, cells in texts.items()}
    long = [name for name in texts if sizes[name] > _LONG * count]
    over = sum(sizes[name] for name in long) - MAX_TEXT
    if over <= 0:
        return 0
    kept = set(telling)
    room = max(_LONG, (MAX_TEXT - sum(len(texts[name][at]) for name in long for at in kept)) // count)
    changed: set[int] = set()
    for name in long:
        most = room if name == "hypothesis" or "hypothesis" not in long else 0
        cells = texts[name]
        for at, text in enumerate(cells):
            if len(text) > most and at not in kept:
                cells[at] = f"{text[:most]}…"
                changed.add(at)
    return len(changed)


def _texts(rows: Sequence[Row], name: str) -> list[str]:
    """Return the text of a column's cells."""
    if name not in COLUMNS:
        return [(row.cells.extra or {}).get(name, "") for row in rows]
    values = list(map(attrgetter(name), [row.cells for row in rows]))
    texts = [value if type(value) is str else "" if value is None else str(value) for value in values]
    if name in NUMERIC:
        for at, row in enumerate(rows):
            if row.cells.spelled and name in row.cells.spelled:
                texts[at] = row.cells.spelled[name]
    return texts


def _packed(texts: list[str]) -> Any:
    """Return texts as they are; numbered where most of them repeat; as a rule where they only count up."""
    if len(set(texts)) * 4 < len(texts):
        return _numbered(texts)
    number = split_number(texts[0]) if texts else None
    if number is not None:
        prefix, first = number
        digits = len(texts[0]) - len(prefix)
        if all(text == f"{prefix}{at:0{digits}d}" for at, text in enumerate(texts, first)):
            return {"prefix": prefix, "first": first, "digits": digits}
    return texts


def _numbered(texts: Sequence[str]) -> dict[str, Any]:
    """Return texts as the different ones, the frequent first, and the number of each."""
    places = {text: at for at, (text, _) in enumerate(Counter(texts).most_common())}
    return {"of": list(places), "at": [places[text] for text in texts]}


def _oids(rows: Sequence[Row]) -> list[str]:
    if len(rows) <= _WHOLE:
        return [row.oid for row in rows]
    different = len({row.oid for row in rows})
    digits = _DIGITS
    while digits < 40 and len({row.oid[:digits] for row in rows}) < different:
        digits += 2
    return [row.oid[:digits] for row in rows]


def _when(rows: Sequence[Row]) -> list[int | None]:
    """Return the seconds from each trial to the next in recording order, the first from 1970; ``None`` for no time."""
    seconds: list[int | None] = []
    last = 0
    for row in rows:
        moment = parse_time(row.time)
        if moment is None:
            seconds.append(None)
            continue
        now = int(moment.timestamp())
        seconds.append(now - last)
        last = now
    return seconds


def _parents(rows: Sequence[Row]) -> list[Any]:
    """Return how far back each trial's parents are; a number for one parent, 0 for none, a list for several."""
    steps: list[Any] = []
    for at, row in enumerate(rows):
        back = [at - parent for parent in row.parents]
        steps.append(back[0] if len(back) == 1 else back or 0)
    return steps


def _same(rows: Sequence[Row]) -> dict[int, int]:
    """Return the first trial with the same content, for those that are runs of it, too."""
    first: dict[str, int] = {}
    return {at: before for at, row in enumerate(rows) if (before := first.setdefault(row.content, at)) != at}


def _cohort(views: Views, names: Mapping[str, str], cohort: Cohort) -> Mapping[str, Any]:
    return {
        "base": [names.get(oid) or views.name(oid) for oid in cohort.base],
        "metadata": dict(cohort.metadata),
        "opened": cohort.created_at,
        "writer": cohort.writer,
    }


def _relations(views: Views) -> list[tuple[str, str, str]]:
    """Return the typed relations that hold, as source, type and target."""
    sql = "SELECT source, type, target FROM relations WHERE ended_at IS NULL AND followed ORDER BY clock, writer"
    return [(views.name(source), kind, views.name(target)) for source, kind, target in views.index.rows(sql)]
