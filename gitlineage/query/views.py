"""
Trials and snapshots as models, read from the index: what every question, listing and prompt is made of.

Start with `Views.best` for why a trial is the best, and `Views.kept` for the leaderboard: both read the rank that
the fold gave each row, by the rule in `model.rank`; `query.ranking` ranks by another column, `query.judge` decides
what a score deserves. `Views.trial` finds one by name, `Views.snapshot` reads a commit. Each is
one or a few queries whose cost does not grow with the store, except where all of it is returned. Cohorts, imported
snapshots and labels are reached from here, walks over the graph are in `query.walk`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gitlineage.errors import Ambiguous, Incomplete, NotFound
from gitlineage.git.formats import CommitInfo
from gitlineage.git.repository import GitRepo
from gitlineage.index.database import FEW, MANY, growing, is_text, parts
from gitlineage.index.index import Index, read_row
from gitlineage.index.schema import AUTHOR
from gitlineage.model.frames import Place
from gitlineage.model.message import Trailers, read_trailers, subject
from gitlineage.model.rank import (
    BY_PLACE,
    BY_RANK,
    COUNTS,
    ELIGIBLE,
    INFORMS,
    IS_BASELINE,
    IS_DONE,
    IS_ELIGIBLE,
    IS_KEPT,
    IS_RETRACTED,
    LATEST,
    PENDING,
    RETRACTED,
    check_which,
    one_of,
    rank,
)
from gitlineage.model.records import CommitOid, Kin, Order, Snapshot, Task, TreeOid, TrialView
from gitlineage.model.trial import STATUS, Trial, packed_rows, packed_values
from gitlineage.query.around import Around, roles_of, standing_in
from gitlineage.query.cohorts import Cohorts
from gitlineage.query.horizon import Horizon
from gitlineage.query.labels import Labels
from gitlineage.query.origins import Origins
from gitlineage.text import counted
from gitlineage.times import stamp

if TYPE_CHECKING:
    from gitlineage.query.lines import Line

WHY = f"""
iif({IS_RETRACTED}, (SELECT r.reason FROM retractions r WHERE r.oid = s.oid AND r.exp_id = t.exp_id
AND r.owner IN ('', t.writer)), NULL)
"""
"""The SQL for why a trial was retracted, by ``t`` and ``s``; ``NULL`` where it was not."""

_VIEW = f"""
SELECT t.id, t.saw, t.exp_id, t.row, t.clock, t.writer, t.parent_cell, s.id, s.oid, s.cohort, s.roles, {WHY}
FROM trials t JOIN snapshots s ON s.id = t.snapshot
"""
_AMONG = f"{_VIEW} WHERE t.id IN ({{}})"
SNAPSHOTS = (
    f"SELECT s.id, s.oid, s.tree, s.exp_id, s.subject, {AUTHOR}, s.time, s.cohort, s.roles, s.writer FROM snapshots s "
    "WHERE s.oid IN ({})"
)
GIT_PARENTS = "SELECT child, parent FROM git_parents WHERE child IN ({}) ORDER BY child, pos"
_ROWS_ON = f"SELECT snapshot, row FROM trials t WHERE snapshot IN ({{}}) ORDER BY t.guest, {BY_PLACE}"
CALLED = "SELECT snapshot, name, stub FROM imported WHERE snapshot IN ({}) ORDER BY clock, writer"
_OID = "(SELECT oid FROM snapshots s WHERE s.id = t.snapshot)"
_WRITTEN = "(t.status IS NOT NULL OR t.raw <> '')"
"""Trials that a table shows: those with a result, and pending ones that came from a file."""

_BEST = {
    "kept": f"INDEXED BY trials_eligible WHERE {IS_ELIGIBLE} AND t.rank IS NOT NULL ORDER BY {BY_RANK} LIMIT 1",
    "informational": f"WHERE {INFORMS} AND t.rank IS NOT NULL ORDER BY {BY_RANK} LIMIT 1",
}
HAS_MORE = "AND t.row LIKE '%}]'"
"""The condition for rows with further columns, and for those whose numbers are spelled in another way."""

_WHOLE = (
    f"SELECT t.id, t.row, s.oid, t.raw, {WHY} FROM trials t JOIN snapshots s ON s.id = t.snapshot WHERE t.id IN ({{}})"
)
_BEFORE = f"""
SELECT t.id FROM trials t INDEXED BY trials_eligible
WHERE {IS_ELIGIBLE} AND t.rank IS NOT NULL AND (t.clock, t.writer) < (?, ?) ORDER BY {BY_RANK} LIMIT 1
"""
_FIRST_BASELINE = f"WHERE {IS_BASELINE} ORDER BY {BY_PLACE} LIMIT 1"
_STAND_IN = f"INDEXED BY trials_by_order WHERE {INFORMS} ORDER BY {BY_PLACE} LIMIT 1"
_KEPT = f"INDEXED BY trials_kept WHERE {IS_KEPT} AND t.rank IS {{}} NULL ORDER BY {BY_RANK} LIMIT ?"


class Written(NamedTuple):
    """A trial that a table shows, its bytes in the file that it came from, and why it was retracted, if it was."""

    trial: Trial
    raw: str
    retracted: str | None


class Views:
    """
    Reads models from an index.

    Args:
        repo: where commits that nobody recorded are read from.
        raw_parents: take parents as the rows spell them, not as the graph has them (semantics 59).
        note: hears which of several things a name stands for; nobody does by default.
        hear: hears where a shallow clone's end cut an answer short; without it there is no such answer.
    """

    def __init__(
        self,
        index: Index,
        repo: GitRepo,
        raw_parents: bool = False,
        note: Callable[[str], None] | None = None,
        hear: Callable[[Incomplete], None] | None = None,
    ) -> None:
        self.index = index
        self.horizon = Horizon(index, repo, hear)
        self.repo = repo
        self.raw_parents = raw_parents
        self.note = note
        self.cohorts = Cohorts(index)
        self.origins = Origins(index)
        self.labels = Labels(index, self.origins)

    @property
    def task(self) -> Task:
        """The campaign's task, the default one where nobody has set any."""
        return self.index.task or Task()

    # -- trials --------------------------------------------------------------------------------------------

    def total(self) -> int:
        """Return how many trials have a result."""
        return self.index.done

    def pending(self) -> int:
        """Return how many trials wait for their result."""
        (count,) = self.index.one("SELECT count(*) FROM trials WHERE status IS NULL")
        return int(count)

    def all(self) -> list[TrialView]:
        """
        Return every trial that has a result and counts, in recording order.

        What was derived from a retracted one is shown below the nearest above that counts.
        """
        return list(self.each_counting())

    def each_counting(self, more: str = "") -> Iterator[TrialView]:
        """
        Return what `all` does; few are in memory at once.

        Args:
            more: a further condition on ``t``.
        """
        above = self.above_retracted()
        for view in self.each(self.counted(more)):
            is_below = view.parent in above
            yield msgspec.structs.replace(view, parent=beyond(view.parent, above)) if is_below else view

    def above_retracted(self) -> dict[str, str | None]:
        """Return what is above each retracted trial, by labels."""
        return {view.label: view.parent for view in self._views(f"{_VIEW} WHERE {IS_RETRACTED}")}

    def counted(self, more: str = "") -> list[int]:
        """Return the numbers in the index of the trials of `each_counting`."""
        return self._in_order(f"{COUNTS} {more}")

    def retracted_among(self, numbers: Collection[int]) -> set[int]:
        """Return those of some trials, by their numbers in the index, that were retracted."""
        if self.index.one("SELECT 1 FROM retractions LIMIT 1") is None:
            return set()
        sql = f"SELECT t.id, 0 FROM trials t WHERE {IS_RETRACTED} AND t.id IN ({{}})"
        return set(self.index.grouped(sql, numbers))

    def rows(self) -> list[Written]:
        """
        Return every trial that a table shows, in recording order.

        They are those with a result, and pending ones that came from a file.
        """
        return [Written(read_row(row, oid), raw, why) for oid, row, _, raw, why in self.each_row()]

    def each_row(self, more: str = "") -> Iterator[tuple[str, str, list[Any], str, str | None]]:
        """
        Return what `rows` does, few at once: snapshot, packed row, what that holds (`packed_rows`), its bytes, and why.

        Args:
            more: a further condition on ``t``.
        """
        for part in growing(self._in_order(f"{_WRITTEN} {more}")):
            by_number = self.index.grouped(_WHOLE, part)
            whole = [by_number[number][0] for number in part]
            for (row, oid, raw, why), values in zip(whole, packed_rows(row for row, *_ in whole), strict=True):
                if raw or values[STATUS] is not None:  # a retracted one may wait for its result
                    yield oid, row, values, raw, why

    def _in_order(
        self, where: str, *values: object, join: str = "", newest: bool = False, limit: int | None = None
    ) -> list[int]:
        """
        Return the numbers of trials in recording order, or the newest first.

        The index alone says the order by clock and writer; only where one writer has two rows of one clock, written by
        hand, their texts are read to order them.
        """
        way = " DESC" if newest else ""
        sql = f"FROM trials t {join} WHERE {where} ORDER BY"
        most = -1 if limit is None else limit + 1
        rows = self.index.rows(
            f"SELECT t.clock, t.writer, t.id {sql} t.clock{way}, t.writer{way} LIMIT ?", *values, most
        )
        if any(one[:2] == other[:2] for one, other in pairwise(rows)):
            rows = self.index.rows(
                f"SELECT t.clock, t.writer, t.id {sql} {LATEST if newest else BY_PLACE} LIMIT ?", *values, most
            )
        return [number for _, _, number in rows[:limit]]

    def reparented(self) -> dict[str, str]:
        """Return the exp id of the primary parent of snapshots that were given other ones."""
        if self.index.one("SELECT 1 FROM reparents WHERE followed LIMIT 1") is None:
            return {}
        moved = "SELECT s.id FROM snapshots s JOIN reparents r ON r.child = s.oid WHERE r.followed"
        return {view.oid: self._exp_id(view.parent) for view in self._views(f"{_VIEW} WHERE t.snapshot IN ({moved})")}

    def _exp_id(self, label: str | None) -> str:
        return self.trial(label).trial.exp_id if label is not None else ""

    def placed(self) -> tuple[list[Any], list[Place]]:
        """Return the fields of every trial that has a result, in recording order, and its place in the graph."""
        above: dict[int, list[str]] = {}
        for child, parent in self.index.rows(
            "SELECT l.child, s.oid FROM links l JOIN snapshots s ON s.id = l.parent ORDER BY l.child, l.pos"
        ):
            above.setdefault(child, []).append(parent)
        sql = (
            f"SELECT t.row, s.id, s.oid, s.cohort, {WHY} FROM trials t JOIN snapshots s ON s.id = t.snapshot "
            f"WHERE {IS_DONE} ORDER BY {BY_PLACE}"
        )
        rows = self.index.rows(sql)
        fields = packed_values(row for row, *_ in rows)
        ended = [at for at, row in enumerate(fields) if row.status]  # a retracted one may wait for its result
        return [fields[at] for at in ended], [
            Place(oid, tuple(above.get(number, ())), cohort or "", why or "")
            for _, number, oid, cohort, why in (rows[at] for at in ended)
        ]

    def shapes(self) -> list[dict[str, Any]]:
        """Return what imported tables looked like, in the order they came."""
        rows = self.index.rows("SELECT shape FROM tables ORDER BY clock, writer")
        return [msgspec.json.decode(shape) for (shape,) in rows]

    def latest(self, limit: int, *, aborted: bool = True, specialist: str | None = None) -> list[TrialView]:
        """Return the newest trials with a result that count, newest first; without harness aborts on request."""
        where = [COUNTS]
        values: list[object] = []
        if not aborted:
            where = [INFORMS]
        if specialist is not None:
            where.append("t.specialist = ?")
            values.append(specialist)
        sql = f"SELECT t.id FROM trials t WHERE {' AND '.join(where)} ORDER BY {LATEST} LIMIT ?"
        return self.by_number(number for (number,) in self.index.rows(sql, *values, limit))

    def latest_rows(self, limit: int) -> list[Trial]:
        """Return the rows of the newest trials with a result that count, newest first."""
        sql = f"SELECT t.row, {_OID} FROM trials t WHERE {COUNTS} ORDER BY {LATEST} LIMIT ?"
        return [read_row(*row) for row in self.index.rows(sql, limit)]

    def listing(self, limit: int | None = None, **choice: Any) -> list[TrialView]:
        """Return trials newest first, those without a result too; `listed` says by what they are chosen."""
        return self.by_number(self.listed(limit=limit, **choice))

    def listed(
        self,
        *,
        cohort: str | None = None,
        statuses: Sequence[str] = (),
        specialist: str | None = None,
        dangling: bool = False,
        limit: int | None = None,
    ) -> list[int]:
        """
        Return the numbers in the index of trials, newest first, those without a result too.

        Args:
            cohort: only those on its members.
            statuses: only these.
            specialist: only those of one.
            dangling: only those whose parent cell names no trial.
            limit: how many; ``None`` for all.

        Raises:
            NotFound: there is no such cohort.
            Ambiguous: two writers opened different ones.
        """
        where = ["1"]
        values: list[object] = []
        members: set[str] | None = None
        if cohort is not None:
            opened = self.cohorts.one(cohort, members="@" in cohort)
            members = set(opened.members) if self.cohorts.is_shared(opened.name) else None
            where.append("s.cohort = ?")
            values.append(opened.name)
        if statuses:
            where.append(f"coalesce(t.status, '{PENDING}') IN ({', '.join('?' * len(statuses))})")
            values.extend(statuses)
        if specialist is not None:
            where.append("t.specialist = ?")
            values.append(specialist)
        if dangling:
            where.append("t.parent_cell <> '' AND NOT EXISTS (SELECT 1 FROM links l WHERE l.child = t.snapshot)")
        join = "" if cohort is None else "JOIN snapshots s ON s.id = t.snapshot"
        if members is None and not dangling:
            return self._in_order(" AND ".join(where), *values, join=join, newest=True, limit=limit)
        numbers = self._in_order(" AND ".join(where), *values, join=join, newest=True)
        on = self.index.grouped(f"SELECT t.id, {_OID} FROM trials t WHERE t.id IN ({{}})", numbers)
        among = [number for number in numbers if members is None or on[number][0][0] in members]
        return [number for number in among if not (dangling and self._is_moved(on[number][0][0]))][:limit]

    def by_number(self, numbers: Iterable[int]) -> list[TrialView]:
        """Return trials by their numbers in the index, in the order given."""
        return list(self.each(numbers, MANY))

    def best(self, eligible: str = "kept", *, stand_in: bool = True) -> TrialView | None:
        """
        Return the best trial (semantics 11): the earliest with the best score among kept ones and baselines.

        Args:
            eligible: ``"kept"``, or ``"informational"`` for every trial but harness aborts.
            stand_in: whether a trial that is neither kept nor a baseline, and may be a crash, stands in for the best
                where there is none, as the harness has it.

        Where none is eligible: the first baseline, else the first informational trial if one may stand in, else
        ``None``.
        """
        check_which(eligible)
        number = self._best("t.id", eligible, stand_in=stand_in)
        return next(iter(self.by_number([number])), None) if number is not None else None

    def best_before(self, place: Order) -> TrialView | None:
        """Return the best of the trials with a score that were recorded before a place in the history."""
        rows = self.index.rows(_BEFORE, place.clock, place.writer)
        return next(iter(self.by_number(number for (number,) in rows)), None)

    def best_row(self, eligible: str = "kept") -> Trial | None:
        """Return the best trial's row; the rule is that of `best`."""
        check_which(eligible)
        row = self._best(f"t.row, {_OID}", eligible, whole=True)
        return read_row(*row) if row is not None else None

    def best_oid(self) -> str | None:
        """Return the best trial's snapshot."""
        oid: str | None = self._best(_OID, "kept")
        return oid

    def _best(self, columns: str, eligible: str, *, whole: bool = False, stand_in: bool = True) -> Any:
        for rule in (_BEST[eligible], _FIRST_BASELINE, *([_STAND_IN] if stand_in else [])):
            if row := self.index.one(f"SELECT {columns} FROM trials t {rule}"):
                return row if whole else row[0]
        return None

    def changed_by(self, task: Task) -> str:
        """Return what another task would change about the ranks of recorded trials, in words; empty for nothing."""
        known = self.task
        if (task.score_field, task.lower_is_better) == (known.score_field, known.lower_is_better):
            return ""
        rows = [each.trial for each in self.rows() if each.retracted is None]
        orders = []
        for each in (known, task):
            ranks = [(place, at) for at, row in enumerate(rows) if (place := rank(each, row)) is not None]
            orders.append([at for _, at in sorted(ranks)])
        lost = len(set(orders[0]) - set(orders[1]))
        if not orders[0] or orders[0] == orders[1]:
            return ""
        tops = []
        for each, order in zip((known, task), orders, strict=True):
            best = next((rows[at] for at in order if rows[at].status in ELIGIBLE), None)
            tops.append(f"{best.exp_id} with {each.short} {best.text(each.score_field)}" if best else "none")
        better = "lower" if task.lower_is_better else "higher"
        said = f"by {task.score_field}, {better} is better, the best changes from {tops[0]} to {tops[1]}"
        return f"{said}, and {lost:,} of {counted(len(orders[0]), 'score')} are lost"

    def kept(self, limit: int | None) -> list[TrialView]:
        """
        Return kept trials, the best first, ties in recording order, those without a score last (semantics 45).

        As many as the limit says, or all where it is ``None``.
        """
        return self.by_number(number for (number,) in self._kept("t.id", limit))

    def kept_rows(self, limit: int | None) -> list[Trial]:
        """Return the rows of kept trials, in the order of `kept`."""
        return [read_row(*row) for row in self._kept(f"t.row, {_OID}", limit)]

    def _kept(self, column: str, limit: int | None) -> list[Any]:
        scored = self.index.rows(f"SELECT {column} FROM trials t {_KEPT.format('NOT')}", -1 if limit is None else limit)
        rest = -1 if limit is None else limit - len(scored)
        return scored + (self.index.rows(f"SELECT {column} FROM trials t {_KEPT.format('')}", rest) if rest else [])

    def trial(self, name: str) -> TrialView:
        """
        Return the trial of an exp id, ``exp_<id>`` or ``<id>@<writer>``.

        Raises:
            NotFound: there is none.
            Ambiguous: there are several.
        """
        views = self.named(name)
        if len(views) > 1:
            raise Ambiguous(name, [view.label for view in views])
        if not views:
            raise NotFound("trial", name, self.labels.nearest(name))
        return views[0]

    def named(self, name: str) -> list[TrialView]:
        """Return the trials that a name stands for; more than one where it is ambiguous."""
        if not is_text(name):
            return []
        exp_id, at, owner = name.rpartition("@")
        if at and owner and exp_id:  # before exp ids, or one that is spelled so would take another trial's place
            views = self.named(exp_id)
            exact = [view for view in views if view.order.writer == owner]
            if exact:
                return exact
            if of := [view for view in views if view.order.writer.startswith(owner) or view.oid.startswith(owner)]:
                return of
        for exp_id in (name, name.removeprefix("exp_")):
            if views := self.named_exactly(exp_id):
                return views
        return []

    def named_exactly(self, exp_id: str) -> list[TrialView]:
        """Return the trials with this exp id."""
        return self._views(f"{_VIEW} WHERE t.exp_id = ? ORDER BY {BY_PLACE}", exp_id)

    def oids_named(self, name: str) -> list[str]:
        """Return the snapshots of the trials that a name stands for."""
        if not is_text(name):
            return []
        if "@" in name:
            return list(dict.fromkeys(view.oid for view in self.named(name)))
        for exp_id in dict.fromkeys((name, name.removeprefix("exp_"))):
            if oids := self.index.snapshots_of(exp_id):
                return oids
        return []

    def is_named(self, exp_id: str) -> bool:
        """Whether any trial has this exp id."""
        return self.index.has_exp_id(exp_id)

    def shown(self, numbers: Collection[int]) -> set[str]:
        """
        Return the exp ids of those trials, by their numbers in the index, that refs are for.

        Those are baselines and kept trials; a revision or a retraction may have made or unmade one of them, and a trial
        of the same exp id may have made its label another.
        """
        grouped = self.index.grouped(
            "SELECT exp_id, 0 FROM trials WHERE id IN ({}) "
            f"AND ({one_of('status', (*ELIGIBLE, RETRACTED))} OR (clock, writer) <> (last_clock, last_writer) "
            "OR EXISTS (SELECT 1 FROM trials o WHERE o.exp_id = trials.exp_id AND o.id <> trials.id))",
            numbers,
        )
        return set(grouped)

    def children(self, view: TrialView, limit: int | None = None) -> list[TrialView]:
        """Return the trials derived from one, whichever of their parents it is, sorted by exp id."""
        tail = f"AND {COUNTS} ORDER BY t.exp_id, t.clock, t.writer LIMIT {-1 if limit is None else limit}"
        if self.raw_parents:
            spelled = self._views(f"{_VIEW} WHERE t.parent_cell = ? {tail}", view.trial.exp_id)
            return [child for child in spelled if child.parent == view.label]
        rows = self.index.rows(
            "SELECT t.id FROM links l JOIN trials t ON t.snapshot = l.child "
            f"WHERE l.parent = (SELECT id FROM snapshots WHERE oid = ?) {tail}",
            view.oid,
        )
        views = self.by_number(number for (number,) in rows)
        return [child for child in views if child.parent == view.label or self._has_other(child, view)]

    def count_children(self, view: TrialView) -> int:
        """Return how many trials were derived from one."""
        if self.raw_parents:
            return len(self.children(view))
        sql = "SELECT count(*) FROM trials WHERE snapshot = (SELECT id FROM snapshots WHERE oid = ?)"
        if self.index.one(sql, view.oid)[0] > 1:
            return len(self.children(view))
        sql = (
            f"SELECT count(*) FROM links l JOIN trials t ON t.snapshot = l.child AND {COUNTS} "
            "WHERE l.parent = (SELECT id FROM snapshots WHERE oid = ?)"
        )
        return int(self.index.one(sql, view.oid)[0])

    def chain(self, view: TrialView) -> list[TrialView]:
        """Return the primary chain to a trial, root first; a repeat, which only raw parents can make, ends it."""
        if not self.raw_parents:
            return self.by_number(self.line(view.oid, view.trial.exp_id, view.order.writer).numbers)
        from gitlineage.model.dag import first_parent_chain

        views = {view.label: view}

        def up(label: str) -> str | None:
            parent = views[label].parent
            if parent is not None and parent not in views:
                views[parent] = self.trial(parent)
            return parent

        return [views[label] for label in first_parent_chain(view.label, up)]

    def line(self, oid: str, exp_id: str, writer: str = "") -> "Line":
        """Return the primary chain to a trial on a snapshot, root first; to a writer's where several have that name."""
        from gitlineage.query.lines import line

        chain = line(self.index.rows, oid, exp_id, writer)
        self.horizon.check(chain.snapshots)
        return chain

    def on_snapshot(self, oid: str) -> list[TrialView]:
        """Return the trials on a snapshot in recording order, those without a result too."""
        return self._views(f"{_VIEW} WHERE s.oid = ? ORDER BY {BY_PLACE}", oid)

    def row(self, oid: str, exp_id: str, writer: str = "") -> TrialView | None:
        """Return the trial of an exp id on a snapshot; where several writers have one, that of the one who asks."""
        return own_row(self.on_snapshot(oid), exp_id, writer)

    def exp_id_on(self, oid: str) -> str | None:
        """Return the exp id of the first trial on a commit."""
        return self.index.first_exp_id(oid)

    def members(self, cohort: str, limit: int | None = None) -> list[TrialView]:
        """Return the trials of a cohort's members in recording order, those without a result too."""
        sql = (
            "SELECT t.id FROM trials t JOIN snapshots s ON s.id = t.snapshot WHERE s.cohort = ? "
            f"ORDER BY {BY_PLACE} LIMIT ?"
        )
        return self.by_number(number for (number,) in self.index.rows(sql, cohort, -1 if limit is None else limit))

    def _has_other(self, child: TrialView, view: TrialView) -> bool:
        return any(kin.label == view.label for kin in child.others)

    def _views(self, sql: str, *values: object) -> list[TrialView]:
        rows = self.index.rows(sql, *values)
        return [view for part in parts(rows) for view in self._together(part)]

    def each(
        self, numbers: Iterable[int], first: int = FEW, shared: frozenset[str] | None = None
    ) -> Iterator[TrialView]:
        """
        Return trials by their numbers in the index, in the order given; few are in memory at once.

        Args:
            first: how many are read before the first is returned.
            shared: the exp ids that several trials have, where they are known.
        """
        for part in growing(numbers, first):
            shared = self.shared_among(part, shared)
            by_number = {row[0]: row for row in self.index.rows(_AMONG.format(", ".join("?" * len(part))), *part)}
            rows = [by_number[number] for number in part if number in by_number]
            yield from self._together(rows, shared)

    def shared_among(self, part: Sequence[object], known: frozenset[str] | None) -> frozenset[str] | None:
        """Return the exp ids that several trials have, once a list is so long that it pays to ask for all at once."""
        return self.labels.shared() if known is None and len(part) == MANY else known

    def _together(self, rows: Sequence[Sequence[Any]], shared: Collection[str] | None = None) -> list[TrialView]:
        """Return the views of many rows, asking once for what is around all of them."""
        around = Around(self.index, self.labels, {row[7] for row in rows}, {row[2] for row in rows}, shared)
        numbers = {parent for row in rows if row[10] != "{}" for parent in around.parents(row[7])}
        oids = self.oids(numbers)
        return [self._view(row, around, oids) for row in rows]

    def _view(self, row: Sequence[Any], around: Around, oids: Mapping[int, str]) -> TrialView:
        """
        Return one row's view.

        Args:
            row: what `_VIEW` selects.
            around: what is around its snapshot.
            oids: the parents of snapshots with roles.
        """
        _, saw, exp_id, text, clock, writer, cell, sid, oid, cohort, roles, retracted = row
        known, above = roles_of(roles), around.parents(sid)
        others = [Kin(around.name(parent), known.get(oids[parent], "") if known else "") for parent in above[1:]]
        linked = {oids[parent] for parent in above} if known else ()
        inspired = [
            Kin(self.labels.name(parent), role)
            for parent, role in known.items()
            if parent not in linked and not self._is_git_parent(sid, parent)
        ]
        parent = self.parent_label(around, sid, cell, writer)
        return TrialView(
            trial=read_row(text, oid),
            label=around.names.label(exp_id, writer, oid),
            oid=CommitOid(oid),
            order=Order(clock, writer),
            parent=parent,
            others=(*others, *inspired),
            cohort=cohort,
            dangling=cell if cell and self.is_dangling(parent, oid, above) else None,
            saw=saw or None,
            retracted=retracted,
        )

    def parent_label(self, around: Around, snapshot: int, cell: str, writer: str) -> str | None:
        """Return what the parent of a trial is called: as the graph has it, or as its row spells it."""
        return self.labels.raw_parent(cell, writer) if self.raw_parents else around.parent(snapshot, cell, writer)

    def is_dangling(self, parent: str | None, oid: str, above: Sequence[object]) -> bool:
        """Whether the parent cell of a trial names none, of one with a snapshot and the parents of that."""
        return parent is None if self.raw_parents else not above and not self._is_moved(oid)

    def numbers(self, views: Sequence[TrialView]) -> list[int]:
        """Return the numbers in the index of some trials."""
        sql = (
            "SELECT s.oid, t.exp_id, t.writer, t.id FROM snapshots s JOIN trials t ON t.snapshot = s.id "
            "WHERE s.oid IN ({})"
        )
        on = self.index.grouped(sql, {view.oid for view in views})
        places = {(oid, exp_id, writer): number for oid, rows in on.items() for exp_id, writer, number in rows}
        return [places[view.oid, view.trial.exp_id, view.order.writer] for view in views]

    def oids(self, numbers: Collection[int]) -> dict[int, str]:
        """Return the commits of some snapshots, by their numbers in the index."""
        rows = self.index.grouped("SELECT id, oid FROM snapshots WHERE id IN ({})", numbers)
        return {number: oid for number, ((oid,),) in rows.items()}

    def _is_moved(self, oid: str) -> bool:
        """Whether somebody said what a snapshot came from in truth, so that its rows' cells do not."""
        return self.index.one("SELECT 1 FROM reparents WHERE child = ? AND followed LIMIT 1", oid) is not None

    def _is_git_parent(self, sid: int, oid: str) -> bool:
        return self.index.one("SELECT 1 FROM git_parents WHERE child = ? AND parent = ?", sid, oid) is not None

    # -- snapshots -----------------------------------------------------------------------------------------

    def name(self, oid: str) -> str:
        """Return how to name a commit: by its first trial, else by the beginning of its oid."""
        return self.labels.name(oid)

    def tree(self, oid: str) -> str | None:
        """Return the tree of a recorded snapshot."""
        return self.index.tree(oid)

    def snapshot(self, oid: str) -> Snapshot:
        """Return a commit as a snapshot; one that nobody recorded has no writer."""
        recorded = self.snapshots([oid])
        return recorded[0] if recorded else self._unrecorded(oid)

    def snapshots(self, oids: Iterable[str]) -> list[Snapshot]:
        """Return those of the commits that are recorded, in the order given."""
        return list(self.each_snapshot(dict.fromkeys(oids), MANY))

    def each_snapshot(self, oids: Iterable[str], first: int = FEW) -> Iterator[Snapshot]:
        """Return those of the commits that are recorded, in the order given; few are in memory at once."""
        arrived = standing_in(self.index)
        for part in growing(oids, first):
            by_oid: dict[str, Snapshot] = {}
            rows = self.index.rows(SNAPSHOTS.format(", ".join("?" * len(part))), *part)
            ids = [row[0] for row in rows]
            parents = self.index.grouped(GIT_PARENTS, ids)
            trials = self.index.grouped(_ROWS_ON, ids)
            called = self.index.grouped(CALLED, ids)
            for number, oid, tree, exp_id, said, author, time, cohort, roles, writer in rows:
                known = roles_of(roles)
                name, stub = called.get(number, [("", False)])[0]
                on = [read_row(text, oid) for (text,) in trials.get(number, [])]
                by_oid[oid] = _snapshot(
                    oid,
                    tree,
                    list(dict.fromkeys(arrived.get(parent, parent) for (parent,) in parents.get(number, []))),
                    {arrived.get(named, named): role for named, role in known.items()},
                    cohort=cohort,
                    subject=said if said is not None else next(t.hypothesis for t in on if t.exp_id == exp_id),
                    author=author,
                    time=time,
                    writer=writer,
                    trials=tuple(on),
                    name=name,
                    stub=bool(stub),
                )
            yield from (by_oid[oid] for oid in part if oid in by_oid)

    def named_snapshots(self, snapshots: Iterable[Snapshot]) -> Iterator[tuple[str, Snapshot]]:
        """Return snapshots with their names, as `name` gives them."""
        for part in growing(snapshots):
            names = self.labels.among({each.exp_id for each in part if each.exp_id is not None})
            for each in part:
                is_plain = each.exp_id is not None and names.is_alone(each.exp_id)
                yield (str(each.exp_id) if is_plain else self.name(each.oid)), each

    def _unrecorded(self, oid: str) -> Snapshot:
        if not self.repo.exists(oid):  # beyond the end of a shallow clone
            return _snapshot(oid, "", (), {})
        info = self.repo.commit(oid)
        told = read_trailers(info.message)
        return snapshot_of(info, Trailers(roles=told.roles))  # nobody recorded that it is a member of a cohort


def snapshot_of(info: CommitInfo, told: Trailers, writer: str = "", trials: tuple[Trial, ...] = ()) -> Snapshot:
    """
    Return a commit as a snapshot, as the index will tell of it where it is recorded.

    Args:
        told: what its trailers say.
        writer: who recorded it; empty for nobody.
        trials: the rows on it.
    """
    return _snapshot(
        info.oid,
        info.tree,
        info.parents,
        dict(told.roles),
        cohort=told.cohort or None,
        subject=subject(info.message),
        author=info.author,
        time=stamp(info.time),
        writer=writer,
        trials=trials,
    )


def _snapshot(oid: str, tree: str, parents: Sequence[str], named: Mapping[str, str], **more: Any) -> Snapshot:
    """Return a snapshot; of the commits that it names with a role, those that are no parents inspired it."""
    return Snapshot(
        oid=CommitOid(oid),
        tree=TreeOid(tree),
        parents=tuple(map(CommitOid, parents)),
        roles={parent: role for parent, role in named.items() if parent in parents},
        inspirations=tuple(CommitOid(parent) for parent in named if parent not in parents),
        **more,
    )


def own_row(views: Iterable[TrialView], exp_id: str, writer: str) -> TrialView | None:
    """Return the trial of an exp id among those on one snapshot; where several writers have one, a writer's own."""
    named = [view for view in views if view.trial.exp_id == exp_id]
    return next((view for view in named if view.order.writer == writer), named[0] if named else None)


def beyond(label: str | None, above: Mapping[str, str | None]) -> str | None:
    """Return the first label on the way up that is none of a retracted trial."""
    seen: set[str] = set()
    while label is not None and label in above and label not in seen:
        seen.add(label)
        label = above[label]
    return label


def trials(views: Iterable[TrialView]) -> tuple[Trial, ...]:
    """Return the rows of some views."""
    return tuple(view.trial for view in views)
