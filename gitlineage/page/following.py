"""
What came since a page was made: the trials that are new or say something else, without reading all the others.

Start at `Following`. It keeps of each trial no more than its place, its names and what it ran, and finds what is new by
the index's own numbers, so that the cost of a new trial does not grow with the campaign.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from gitlineage.index.fold import EVERYWHERE
from gitlineage.model.rank import RETRACTED
from gitlineage.query.table import Firsts, Row, Standing, listed, some
from gitlineage.query.views import Views

_NAMES = "SELECT clock, writer, exp_id, status, snapshot, guest, id FROM trials"
_ON = """
SELECT snapshot, clock, writer, exp_id, status, snapshot, guest, id FROM trials WHERE snapshot IN ({})
"""
_BELOW = "SELECT parent, child FROM links WHERE parent IN ({})"
_LINKED = "SELECT child, parent FROM links WHERE child IN ({}) ORDER BY child, pos"
_LINKS = "SELECT child, parent FROM links ORDER BY child, pos"
_NEW_LINKS = "SELECT child, parent FROM links WHERE child > ? ORDER BY child, pos"
_MANY = 1000
"""So many trials say something else at most, before everything is read anew."""


class _Seen(NamedTuple):
    """How far the index was read, and what has to be as it was: its file, and what else a page is made of."""

    trial: int
    snapshot: int
    change: int
    others: tuple[Any, ...]


class Following:
    """
    Follows a campaign from a table on, whose rows keep their places.

    Args:
        views: the campaign, as of the moment of the table.
        rows: the table's rows.
    """

    def __init__(self, views: Views, rows: Iterable[Row]) -> None:
        self._rows = sorted(views.index.each(_NAMES), key=_place)
        self._above: dict[int, tuple[int, ...]] = {}
        self._link(views.index.each(_LINKS))
        self._first = Firsts((row[4] for row in self._rows), lambda at: _standing(self._rows[at]), self._above)
        self._places = {row[6]: at for at, row in enumerate(self._rows)}
        self._used = Counter(row[2] for row in self._rows)
        self._contents: dict[str, int] = {}
        for at, row in enumerate(rows):
            self._contents.setdefault(row.content, at)
        self._seen = _seen(views)

    @property
    def total(self) -> int:
        """How many trials there are."""
        return len(self._rows)

    def news(self, views: Views) -> set[int] | None:
        """
        Return the places of the trials that are new or may say something else than before; the new ones are the last.

        ``None`` where that cannot be told from what is known: a table has to be read anew, and followed from there.
        """
        index = views.index
        before, now = self._seen, _seen(views)
        if now.others != before.others or now.change < before.change:
            return None
        changed = {at for (at,) in index.rows("SELECT DISTINCT snapshot FROM changed WHERE at > ?", before.change)}
        new = sorted(index.rows(f"{_NAMES} WHERE id > ?", before.trial), key=_place)
        if EVERYWHERE in changed or len(changed) + len(new) > _MANY or not self._go_on(new):
            return None
        (count,) = index.one("SELECT count(*) FROM trials")
        if count != len(self._rows) + len(new):
            return None
        self._link(index.rows(_NEW_LINKS, before.snapshot))
        for child in changed:
            self._above.pop(child, None)
        self._link([(child, *row) for child, rows in index.grouped(_LINKED, changed).items() for row in rows])
        for row in new:
            self._places[row[6]] = len(self._rows)
            self._used[row[2]] += 1
            self._rows.append(row)
        touched = changed.union(row[4] for row in new)
        places: set[int] = set()
        for snapshot, rows in index.grouped(_ON, touched).items():
            here = sorted(self._places[row[6]] for row in rows)
            for row in rows:
                self._rows[self._places[row[6]]] = row
            self._first.put(snapshot, here)
            places.update(here)
        several = [snapshot for snapshot in touched if len(self._first.there(snapshot)) > 1]
        below = {child for rows in index.grouped(_BELOW, several).values() for (child,) in rows}
        places.update(at for child in below for at in self._first.there(child))
        self._seen = now
        return places if len(places) <= _MANY else None

    def rows(self, views: Views, places: Iterable[int]) -> list[tuple[Row, int, int]]:
        """Return some trials, their places, and the place of the first one that ran the same content, in order."""
        told, known = some(views, [self._rows[at][6] for at in places])
        told.sort(key=lambda row: self._places[row[9]])
        made = listed(views, told, known, self._first, lambda name: self._used[name] > 1)
        there = [self._places[row[9]] for row in told]
        return [(row, at, self._contents.setdefault(row.content, at)) for row, at in zip(made, there, strict=True)]

    def places(self, numbers: Iterable[int]) -> list[int]:
        """Return the places of trials by their numbers in the index."""
        return [self._places[number] for number in numbers]

    def _go_on(self, new: list[tuple[Any, ...]]) -> bool:
        """Whether new trials come after all others and bear names of their own."""
        names = [row[2] for row in new]
        if len(set(names)) < len(names) or any(self._used[name] for name in names):
            return False
        return not (new and self._rows) or _place(new[0]) > _place(self._rows[-1])

    def _link(self, links: Iterable[tuple[int, int]]) -> None:
        for child, parent in links:
            if parent not in self._above.get(child, ()):
                self._above[child] = (*self._above.get(child, ()), parent)


def _place(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what a trial's place follows from: its clock, its writer and its exp id."""
    return row[:3]


def _standing(row: tuple[Any, ...]) -> Standing:
    return Standing(row[5], row[3] == RETRACTED, row[2], row[1])


def _seen(views: Views) -> _Seen:
    """Return how far the index is read now."""
    index = views.index

    def one(sql: str) -> Any:
        return index.one(sql)[0]

    others = (
        views.task,
        str(index.file.path.resolve()) if index.file.path is not None else "",
        one("SELECT count(*) FROM cohorts"),
        one("SELECT count(*) FROM relation_events"),
        one("SELECT count(*) FROM reparents"),
        one("SELECT count(*) FROM retractions"),
    )
    return _Seen(
        trial=one("SELECT coalesce(max(id), 0) FROM trials"),
        snapshot=one("SELECT coalesce(max(id), 0) FROM snapshots"),
        change=one("SELECT coalesce(max(at), 0) FROM changed"),
        others=others,
    )
