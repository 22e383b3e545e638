"""
A campaign's trials as the page reads them: a JSON object of columns, small once it is compressed.

Start at `columns`. Every cell is the text that its row has; what follows from it, as scores do, the page works out, and
texts that repeat are written once and numbered. `halves` parts what the first picture needs from the rest, which a page
of 100,000 trials unpacks after that.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import attrgetter, ne
from typing import Any

from gitlineage._version import __version__
from gitlineage.model.rank import BASELINES, KEPT, UNINFORMATIVE
from gitlineage.model.records import Cohort
from gitlineage.model.trial import COLUMNS, CRASHED, NUMERIC, split_number
from gitlineage.query.stats import statistics
from gitlineage.query.table import Row, Table, staircase
from gitlineage.query.views import Views
from gitlineage.times import parse_time, stamp

_WHOLE = 500
"""Up to so many trials commits are named by their whole oid, of more by as much as tells them apart."""

_DIGITS = 8
_LONG = 40
"""Signs of a cell in the mean from which on a column is one of long texts."""

MAX_TEXT = 5 << 20
"""Signs of long texts that a page holds; what is over is cut, of the trials that tell least."""

_OWN = ("exp_id", "status")
"""Columns that stand in the label and the status already; an exp id that differs from the label is kept."""

_LATER = ("oid", "writer", "parents", "roles", "inspired", "saw", "unknown", "cohorts", "relations")
"""What the first picture does not need, besides most columns."""

_SOON = ("specialist",)
"""The columns that it needs besides the score."""

_RARE = 50
"""Of so many cells one may be otherwise than another column tells, and stands beside it."""


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
    (stat,) = statistics(table)
    moments = [parse_time(row.time) for row in rows]
    seconds = [int(moment.timestamp()) if moment is not None else None for moment in moments]
    cells, cut = _cells(rows, moments, telling)
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
        "figures": {
            **{name: getattr(stat, name) for name in ("trials", "kept", "gain", "hours")},
            "rate": stat.keep_rate,
            "best": best,
            "score": stat.best_score,
            "since": stat.since_keep,
        },
        "label": _packed([row.label for row in rows]) if rows else [],
        "status": _numbered([row.status for row in rows]),
        "cohort": _packed([row.cohort for row in rows]),
        "writer": _packed([row.writer for row in rows]),
        "oid": _oids(rows),
        "when": _steps(seconds),
        "parents": _parents(rows),
        "columns": list(cells),
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


def one(views: Views, row: Row, at: int, first: int) -> dict[str, Any]:
    """
    Return one trial as the page takes it in that has all others, with places instead of steps back.

    Args:
        views: the store.
        row: the trial.
        at: its place.
        first: the place of the first trial that ran the same content.
    """
    moment = parse_time(row.time)
    names = [*(name for name in COLUMNS if name not in _OWN), *(row.cells.extra or {})]
    texts = {name: _texts([row.cells], name)[0] if name in COLUMNS else row.cells.extra[name] for name in names}
    if row.cells.exp_id != row.label:
        texts["exp_id"] = row.cells.exp_id
    return {
        "at": at,
        "label": row.label,
        "status": row.status,
        "cohort": row.cohort,
        "writer": row.writer,
        "oid": row.oid,
        "when": int(moment.timestamp()) if moment is not None else None,
        "parents": row.parents,
        "roles": row.roles if any(row.roles) else None,
        "inspired": [(views.name(oid), role) for oid, role in row.inspired] or None,
        "same": first if first != at else None,
        "saw": bool(row.saw),
        "unknown": row.content.startswith("#"),
        "cells": {name: text for name, text in texts.items() if text},
    }


def halves(data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """
    Return what the first picture of a page needs, and the rest: the two together are what `columns` returned.

    A column that is told by another one stands where that stands.
    """
    cells: dict[str, Any] = data["cells"]
    soon = {data["task"]["field"], *_SOON}
    soon |= {rule[1:] for name in soon & cells.keys() if (rule := _rule(cells[name])).startswith("=")}
    first = {name: value for name, value in data.items() if name not in _LATER}
    rest = {name: data[name] for name in _LATER}
    first["cells"] = {name: cell for name, cell in cells.items() if name in soon}
    rest["cells"] = {name: cell for name, cell in cells.items() if name not in soon}
    return first, rest


def _rule(column: Any) -> str:
    """Return the word by which a column is told, empty where it is not."""
    return column if isinstance(column, str) else column.get("as", "") if isinstance(column, dict) else ""


def _cells(
    rows: Sequence[Row], moments: Sequence[datetime | None], telling: Collection[int]
) -> tuple[dict[str, Any], int]:
    """
    Return the columns in which any cell holds text, the seventeen first, and in how many trials texts are cut.

    A column that follows from what the page has anyway is a word: ``parent``, ``when``, or ``=`` and another column; or
    an object with that word and the few cells that are otherwise, by place.

    Args:
        rows: the trials.
        moments: when each was.
        telling: the places of those whose texts are whole in any case.
    """
    own = [row.cells for row in rows]
    extra = dict.fromkeys(name for each in own if each.extra for name in each.extra)
    texts = {name: [(each.extra or {}).get(name, "") for each in own] for name in extra}
    texts = {**{name: _texts(own, name) for name in COLUMNS if name not in _OWN}, **texts}
    names = [each.exp_id for each in own]
    if names != [row.label for row in rows]:
        texts["exp_id"] = names
    texts = {name: cells for name, cells in texts.items() if any(cells)}
    cut = _cut(texts, len(rows), telling)
    above = [rows[row.parents[0]].label if row.parents else "" for row in rows]
    spelled = [stamp(moment) if moment is not None else "" for moment in moments]
    columns: dict[str, Any] = {}
    for name, cells in texts.items():
        ways = [("parent", above), *([("when", spelled)] if name == "timestamp" else [])]
        ways += [(f"={each}", texts[each]) for each in columns if not isinstance(columns[each], str)]
        columns[name] = next(filter(None, (_told(cells, *way) for way in ways)), None) or _packed(cells)
    return columns, cut


def _told(cells: list[str], word: str, others: list[str]) -> Any:
    """Return a column as a word for another one, with the few cells that are otherwise; ``None`` for more of these."""
    if cells == others:
        return word
    if sum(map(ne, cells[:_RARE], others[:_RARE])) > _RARE // 2:  # at a glance
        return None
    but = {at: cell for at, (cell, other) in enumerate(zip(cells, others, strict=True)) if cell != other}
    return {"as": word, "but": but} if len(but) * _RARE < len(cells) else None


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


def _texts(own: Sequence[Any], name: str) -> list[str]:
    """Return the text of a column's cells, numbers as they were spelled."""
    values = list(map(attrgetter(name), own))
    if set(map(type, values)) == {str}:
        return values
    texts = ["" if value is None else str(value) for value in values]
    if name in NUMERIC:
        for at, each in enumerate(own):
            if each.spelled and name in each.spelled:
                texts[at] = each.spelled[name]
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


def _steps(seconds: Sequence[int | None]) -> list[int | None]:
    """Return the seconds from each trial to the next in recording order, the first from 1970; ``None`` for no time."""
    steps: list[int | None] = []
    last = 0
    for now in seconds:
        steps.append(None if now is None else now - last)
        last = last if now is None else now
    return steps


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
