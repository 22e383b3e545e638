"""
A whole campaign as one flat table: a row for each trial, with its place in the graph, in recording order.

What statistics, plots and the page are made of. Start at `table`; `chosen` cuts it down to what is asked about. It is a
handful of queries, whatever the size, where a `TrialView` for each of 100,000 trials would take several seconds.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from gitlineage.errors import NotFound
from gitlineage.index.database import growing
from gitlineage.model.rank import ELIGIBLE, PENDING, RETRACTED, UNINFORMATIVE
from gitlineage.model.records import Task
from gitlineage.model.trial import CRASHED, packed_values
from gitlineage.query.ancestry import ancestors
from gitlineage.query.judge import ROW_ONLY, is_unknown
from gitlineage.query.labels import meant
from gitlineage.query.views import Views
from gitlineage.times import parse_time

_COLUMNS = """
t.row, t.status, t.rank, t.clock, t.writer, t.parent_cell, t.saw, t.snapshot, t.guest, t.id, s.oid, s.tree, s.author,
    s.cohort, s.roles, s.time
"""
_TRIALS = f"""
SELECT {_COLUMNS} FROM trials t INDEXED BY trials_by_order CROSS JOIN snapshots s ON s.id = t.snapshot
ORDER BY t.clock, t.writer
"""
_TRIALS_OF = f"SELECT t.id, {_COLUMNS} FROM trials t CROSS JOIN snapshots s ON s.id = t.snapshot WHERE t.id IN ({{}})"
_TEXTS = "SELECT id, row FROM trials WHERE id IN ({})"
_LINKS = "SELECT child, parent FROM links ORDER BY child, pos"
_LINKS_OF = "SELECT child, parent, pos FROM links WHERE child IN ({})"
_CONTENTS_ABOVE = f"""
SELECT s.id, p.tree FROM snapshots s JOIN git_parents g ON g.child = s.id AND g.pos = 0
JOIN snapshots p ON p.oid = g.parent WHERE s.author IN (SELECT id FROM people WHERE name LIKE '%{ROW_ONLY}')
"""
_CONTENTS_OF = f"{_CONTENTS_ABOVE.rstrip()} AND s.id IN ({{}})"
FEW = ("exp_id", "specialist", "domain", "timestamp", "train_s", "total_s")
"""The cells that counting and comparing need."""

_NO_SCORE = (*CRASHED, RETRACTED, PENDING)
_UP = 10_000
"""Snapshots without a trial that the search for a parent's trial goes past."""


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    A trial as one row.

    Args:
        label: how to name it.
        status: how it ended; also ``pending`` and ``retracted``.
        score: its score, also where it measures nothing; ``None`` of a retracted trial.
        cells: its further cells: the fields of `Trial` as attributes.
        oid: its snapshot.
        content: what was run: equal for equal content; a content of its own where that is unknown.
        cohort: the cohort of its snapshot; empty for none.
        parents: the places in the table of the trials that it was derived from, the primary one first.
        roles: what these were, where known, else empty.
        inspired: oids of what inspired it and gave no content, with their roles.
        time: when: as its row says it, else its snapshot's date.
        writer: who recorded it.
        clock: its place in the history, with the writer.
        saw: the session with the prompt that its agent had read; empty for none.
    """

    label: str
    status: str
    score: float | None
    cells: Any
    oid: str
    content: str
    cohort: str
    parents: tuple[int, ...]
    roles: tuple[str, ...]
    inspired: tuple[tuple[str, str], ...]
    time: str
    writer: str
    clock: int
    saw: str

    @property
    def counts(self) -> bool:
        """Whether it has a result that was not retracted."""
        return self.status not in (PENDING, RETRACTED)

    @property
    def informs(self) -> bool:
        """Whether its result counts and tells anything about the recipe."""
        return self.counts and self.status not in UNINFORMATIVE

    @property
    def measured(self) -> float | None:
        """Its score, where that measures its content."""
        return None if self.status in _NO_SCORE else self.score

    @property
    def seconds(self) -> float | None:
        """How long it ran: ``total_s``, else ``train_s``."""
        took: float | None = self.cells.total_s if self.cells.total_s is not None else self.cells.train_s
        return took


class Table(NamedTuple):
    """
    A campaign's trials in recording order.

    Args:
        task: what ranks them.
        rows: the trials.
        left_out: how many the choice left out.
    """

    task: Task
    rows: list[Row]
    left_out: int = 0

    def labels(self, places: Collection[int]) -> list[str]:
        """Return the names of some rows."""
        return [self.rows[at].label for at in places]


def table(views: Views, *, texts: bool = True) -> Table:
    """
    Return every trial of a store, those without a result and retracted ones too.

    Args:
        texts: whether all cells are wanted; else the rows' cells have those of `FEW`, which take a fraction of the
            memory, and the others are empty.
    """
    with views.index.steady():
        rows = _in_order(views, list(_read(views.index.each(_TRIALS), texts)))
        above: dict[int, tuple[int, ...]] = {}
        for child, parent in views.index.each(_LINKS):
            above[child] = (*above[child], parent) if child in above else (parent,)
    known = Around(
        above=above,
        contents_above=dict(views.index.rows(_CONTENTS_ABOVE)),
        people=_people(views),
        oids=views.oids({parent for row in rows if row[14] != "{}" for parent in above.get(row[7], ())}),
    )
    shared = views.labels.shared()
    first = Firsts((row[7] for row in rows), lambda at: _standing(rows[at]), above)
    return Table(views.task, list(listed(views, _drained(rows), known, first, shared.__contains__)))


def _drained(rows: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Return rows that go as soon as they are not needed any more: they take as much memory as what is made of them."""
    rows.reverse()
    while rows:
        yield rows.pop()


class Around(NamedTuple):
    """
    What is around trials, by the index's numbers of their snapshots.

    Args:
        above: what each was derived from, the primary one first.
        contents_above: the first git parent's tree of those that were written for a row alone.
        people: the names of authors.
        oids: the oids of what was derived from, where roles are told.
    """

    above: Mapping[int, Sequence[int]]
    contents_above: Mapping[int, str]
    people: Mapping[int, str]
    oids: Mapping[int, str]


def some(views: Views, numbers: Collection[int]) -> tuple[list[tuple[Any, ...]], Around]:
    """Return some trials, by their numbers in the index, as `listed` takes them, with what is around them."""
    index = views.index
    rows = list(_read([row for (row,) in index.grouped(_TRIALS_OF, numbers).values()], True))
    snapshots = {row[7] for row in rows}
    links = index.grouped(_LINKS_OF, snapshots)
    above = {child: tuple(parent for parent, _ in sorted(ends, key=itemgetter(1))) for child, ends in links.items()}
    contents = {number: tree for number, ((tree,),) in index.grouped(_CONTENTS_OF, snapshots).items()}
    oids = views.oids({parent for ends in above.values() for parent in ends})
    return rows, Around(above=above, contents_above=contents, people=_people(views), oids=oids)


def listed(
    views: Views,
    rows: Iterable[Sequence[Any]],
    known: Around,
    first: "Firsts",
    is_shared: Callable[[str], bool],
) -> Iterator[Row]:
    """
    Return trials as rows of a table.

    Args:
        rows: the trials as `_TRIALS` has them, with their cells in the place of the text that holds them.
        known: what is around them.
        first: which trial stands for a snapshot.
        is_shared: whether several trials have an exp id.
    """
    turn = 1 if views.task.lower_is_better else -1
    for cells, status, rank, clock, writer, cell, saw, sid, _, _, oid, tree, author, cohort, said, time in rows:
        linked = known.above.get(sid, ())
        parents = [first.on(parent, "" if at else cell, writer) for at, parent in enumerate(linked)]
        places = tuple(dict.fromkeys(parent for parent in parents if parent is not None))
        roles: tuple[str, ...] = ()
        inspired: tuple[tuple[str, str], ...] = ()
        if said != "{}":
            told = msgspec.json.decode(said, type=dict[str, str])
            oids = [known.oids[parent] for parent in linked]
            roles = tuple(told.get(oids[parents.index(at)], "") for at in places)
            inspired = tuple((named, role) for named, role in told.items() if named not in oids)
        unknown = is_unknown(tree, known.people[author], known.contents_above.get(sid))
        yield Row(
            label=views.labels.label(cells.exp_id, writer, oid) if is_shared(cells.exp_id) else cells.exp_id,
            status=status or PENDING,
            score=None if rank is None else turn * rank,
            cells=cells,
            oid=oid,
            content=f"#{sid}" if unknown else tree,
            cohort=cohort or "",
            parents=places,
            roles=roles,
            inspired=inspired,
            time=time,
            writer=writer,
            clock=clock,
            saw=saw,
        )


def _people(views: Views) -> dict[int, str]:
    return dict(views.index.rows("SELECT id, name FROM people"))


def _read(told: Iterable[Sequence[Any]], texts: bool) -> Iterator[tuple[Any, ...]]:
    """Return the rows of `_TRIALS` with cells in the place of the text that holds them; equal texts are one object."""
    once: dict[Any, Any] = {}
    same = once.setdefault
    for part in growing(told):
        decoded = packed_values((row[0] for row in part), () if texts else FEW)
        for cells, (_, status, rank, clock, writer, *middle, cohort, roles, time) in zip(decoded, part, strict=True):
            cells.specialist, cells.domain = same(cells.specialist, cells.specialist), same(cells.domain, cells.domain)
            status, writer, cohort, roles = (same(each, each) for each in (status, writer, cohort, roles))
            yield cells, status, rank, clock, writer, *middle, cohort, roles, cells.timestamp or time


def _in_order(views: Views, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows that are in the order of clock and writer by `BY_PLACE`."""
    place = itemgetter(3, 4)
    alike = [row[9] for one, other in pairwise(rows) if place(one) == place(other) for row in (one, other)]
    if alike:  # one writer has two such rows of one clock, written by hand
        texts = {number: text for number, ((text,),) in views.index.grouped(_TEXTS, alike).items()}
        rows.sort(key=lambda row: (*place(row), row[0].exp_id, texts.get(row[9], "")))
    return rows


class Standing(NamedTuple):
    """What decides which trial stands for its snapshot, and how parent cells call it."""

    guest: bool
    retracted: bool
    exp_id: str
    writer: str


def _standing(row: Sequence[Any]) -> Standing:
    return Standing(row[8], row[1] == RETRACTED, row[0].exp_id, row[4])


class Firsts:
    """
    Which trial stands for a snapshot, by the order of `FIRST_ON_SNAPSHOT`.

    Args:
        snapshots: the snapshot of each trial, in order.
        standing: what decides that of the trial in a place, where a snapshot has several.
        above: the snapshots that each one was derived from.
    """

    def __init__(
        self, snapshots: Iterable[int], standing: Callable[[int], Standing], above: Mapping[int, Sequence[int]]
    ) -> None:
        self._standing = standing
        self._above = above
        self._there: dict[int, tuple[int, ...]] = {}
        self._named: dict[int, list[tuple[str, str]]] = {}
        several: dict[int, list[int]] = {}
        for at, snapshot in enumerate(snapshots):
            if self._there.setdefault(snapshot, (at,)) != (at,):
                several.setdefault(snapshot, [*self._there[snapshot]]).append(at)
        for snapshot, places in several.items():
            self.put(snapshot, places)

    def put(self, snapshot: int, places: Iterable[int]) -> None:
        """Take these places, in order, for those of the trials on a snapshot."""
        told = {at: self._standing(at) for at in places}
        self._there[snapshot] = tuple(sorted(told, key=lambda at: told[at][:2]))
        self._named[snapshot] = [(told[at].exp_id, told[at].writer) for at in self._there[snapshot]]

    def there(self, snapshot: int) -> tuple[int, ...]:
        """Return the places of the trials on a snapshot, the one that stands for it first."""
        return self._there.get(snapshot, ())

    def on(self, snapshot: int, cell: str, writer: str) -> int | None:
        """Return the place of the trial on a snapshot that a parent cell means, or on the nearest above it."""
        for _ in range(_UP):
            there = self._there.get(snapshot)
            if there is not None and len(there) == 1:
                return there[0]
            if there is not None:
                names = self._named[snapshot]
                return there[names.index(meant(names, cell, writer))]
            if not self._above.get(snapshot):
                break
            snapshot = self._above[snapshot][0]
        return None


def chosen(
    views: Views,
    whole: Table,
    *,
    cohort: str | None = None,
    specialist: str | None = None,
    statuses: Sequence[str] = (),
    since: str | None = None,
    above: str | None = None,
) -> Table:
    """
    Return those rows of a table that are asked about; parents that are not among them are left out.

    Args:
        whole: the table.
        cohort: only members of this cohort and the trials on its base.
        specialist: only those of one specialist.
        statuses: only these.
        since: only what was recorded from this trial on, or whose time is not before this ISO 8601 time.
        above: only this snapshot, by its oid, and what it goes back to.

    Raises:
        NotFound: there is no such cohort, or nothing that ``since`` names.
    """
    tests: list[Callable[[int, Row], bool]] = []
    if cohort is not None:
        opened = views.cohorts.one(cohort)
        wanted = {*opened.base, *opened.members}
        tests.append(lambda at, row: row.oid in wanted)
    if specialist is not None:
        tests.append(lambda at, row: row.cells.specialist == specialist)
    if statuses:
        tests.append(lambda at, row: row.status in statuses)
    if since is not None:
        tests.append(_since(whole, since))
    if above is not None:
        line = {above, *(node.id for node in ancestors(views, above))}
        tests.append(lambda at, row: row.oid in line)
    kept = [at for at, row in enumerate(whole.rows) if all(test(at, row) for test in tests)]
    if len(kept) == len(whole.rows):
        return whole
    places = {old: new for new, old in enumerate(kept)}
    return Table(whole.task, [_moved(whole.rows[at], places) for at in kept], len(whole.rows) - len(kept))


def _moved(row: Row, places: Mapping[int, int]) -> Row:
    """Return a row with its parents' new places; those that have none are left out."""
    still = [
        (places[old], role)
        for old, role in zip(row.parents, row.roles or [""] * len(row.parents), strict=True)
        if old in places
    ]
    return msgspec.structs.replace(
        row, parents=tuple(at for at, _ in still), roles=tuple(role for _, role in still) if row.roles else ()
    )


def _since(whole: Table, text: str) -> Callable[[int, Row], bool]:
    named = next((at for at, row in enumerate(whole.rows) if text in (row.label, f"exp_{row.label}")), None)
    if named is not None:
        return lambda at, row: at >= named
    moment = parse_time(text)
    if moment is None:
        raise NotFound("moment", text, [row.label for row in whole.rows[-1:]])

    def later(at: int, row: Row) -> bool:
        time = parse_time(row.time)
        return time is not None and time >= moment

    return later


def staircase(rows: Sequence[Row], task: Task) -> list[int]:
    """
    Return the places of the trials that were the best when they were recorded: the steps of best so far.

    The rule is that of the best (semantics 11): kept trials and baselines with a score, a later one only where it is
    strictly better.
    """
    steps = []
    least: float | None = None
    for at, row in enumerate(rows):
        if row.score is None or row.status not in ELIGIBLE:
            continue
        if least is None or task.better(row.score, least):
            least = row.score
            steps.append(at)
    return steps
