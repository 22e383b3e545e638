"""
How trials and snapshots become rows of the index's tables; start at `Fold`.

Every fold is commutative (the least order gives a thing its place, the greatest its state), so events may
arrive in any order and twice. New rows wait in memory and are written many at a time.
"""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from gitlineage.errors import LineageError, MissingObject
from gitlineage.git.formats import CommitInfo
from gitlineage.git.repository import GitRepo
from gitlineage.index import acyclic
from gitlineage.index.fold_facts import Facts, as_json, insert, placed
from gitlineage.index.links import Fresh, Links
from gitlineage.index.state import State
from gitlineage.journal import events
from gitlineage.journal.journal import Problem, Recorded
from gitlineage.journal.speakers import RECORDS, UNOWNED, Speakers
from gitlineage.model.message import Trailers, read_trailers, subject
from gitlineage.model.rank import ELIGIBLE, RETRACTED, rank
from gitlineage.model.records import Order, Task
from gitlineage.model.trial import Trial, pack, split_number, unpack
from gitlineage.times import stamp

_WAITING = 5000
"""Snapshots and trials that wait at most before they are written."""

_REMEMBERED = 200_000
"""Snapshots whose numbers are kept in memory while a landing is folded."""

EVERYWHERE = 0
"""What stands for all snapshots among those of which something else is said than before."""

_PAGE = "SELECT id, row, status FROM trials WHERE id > ? ORDER BY id LIMIT ?"
_NUMBERED = "INSERT INTO numbered VALUES (?, ?) ON CONFLICT DO UPDATE SET highest = max(highest, excluded.highest)"
_OWN = ("cohorts", "sessions", "forges")
"""Tables of what is recorded on a commit of its own."""

_HARMLESS = (events.SnapshotEvent, events.ImportedEvent)
"""Events that say of somebody's snapshot only that it is one; two clones that import the same do."""

_COUNTS = "DELETE FROM beyond WHERE (clock, writer, oid, line) = (?, ?, ?, ?)"
_CHANGED = "INSERT INTO changed (snapshot) VALUES (?)"


class Made(CommitInfo, frozen=True, gc=False):
    """A commit that has just been made, so that nothing can be derived from it yet, and what its trailers say."""

    trailers: Trailers = Trailers()


class SnapshotRow(NamedTuple):
    """A row of the table of snapshots, as `schema` declares its columns."""

    id: int
    oid: str
    tree: str
    subject: str
    author: str
    time: str
    exp_id: str
    cohort: str | None
    roles: str
    clock: int
    writer: str


class TrialRow(NamedTuple):
    """A row of the table of trials, as `schema` declares its columns."""

    id: int
    snapshot: int
    exp_id: str
    number: int | None
    status: str | None
    specialist: str
    parent_cell: str
    rank: float | None
    row: str
    raw: str
    saw: str
    clock: int
    writer: str
    last_clock: int
    last_writer: str

    @property
    def is_done(self) -> bool:
        """Whether it has a result, one that counts or not."""
        return read_row(self.row).status is not None if self.status == RETRACTED else self.status is not None


class Fold:
    """
    Folds events into one index.

    Args:
        connection: the index; what is written there is inside one transaction.
        state: what the index says so far.
        whole: whether the index is empty and without its indexes; they are then made, and links joined, at the end.

    New trials and snapshots wait in memory until `flush`.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        repo: GitRepo,
        state: State,
        whole: bool,
        speakers: Speakers | None = None,
    ) -> None:
        self._db = connection
        self.facts = Facts(connection, joined=not whole)
        self._repo = repo
        self.task = state.task
        self.clock = state.clock
        self.events = state.events
        self._clocks: list[tuple[int, str]] = []
        self.done = state.done
        self.absent = state.absent
        self.whole = whole
        self._speakers = speakers
        self.claimed = False
        """Whether somebody says that it recorded earlier what another writer is known to have recorded."""

        self.overturned = False
        """Whether what was folded, or left out, would be otherwise if what came now had been known."""

        self._proofs: dict[tuple[str, str], bool] = {}
        sql = "SELECT oid FROM problems WHERE reason LIKE ?"
        self._unowned = {oid for (oid,) in connection.execute(sql, (f"{UNOWNED}%",))} if speakers is not None else set()

        self.touched: set[int] = set()
        self.skipped: list[Problem] = []
        self._links = Links(connection, repo)
        self._has_arrivals = connection.execute("SELECT 1 FROM arrivals LIMIT 1").fetchone() is not None
        self.moved = False
        """Whether rows went from stand-ins to their commits."""
        self._numbers: dict[str, int] = {}
        self._next_snapshot = state.snapshot
        self._next_trial = state.trial
        self._written = self._next_snapshot
        self._snapshots: dict[str, SnapshotRow] = {}
        self._parents: list[tuple[int, int, str]] = []
        self._fresh: list[Fresh] = []
        self._trials: dict[tuple[int, str], TrialRow] = {}
        self._changed: set[int] = set()
        self._names: set[str] = set()
        self._highest = state.highest
        self._looked_at = 0
        self._backward = state.backward
        self._repaired = state.repaired
        self._boundary = state.boundary
        self._numbered: dict[str, int] = {}
        self.tips: dict[str, str] = {}

    # -- events --------------------------------------------------------------------------------------------

    def add(self, entry: Recorded | Problem, trial: Trial | None = None, made: CommitInfo | None = None) -> None:
        """
        Fold one event, or note that a line is none.

        Args:
            found: what was found on a ref, or is about to land there.
            trial: the event's row, where the caller has it as a trial already, so that it need not be checked.
            made: the commit, where the caller has just made it.
        """
        if isinstance(entry, Problem):
            self.problem(entry)
            return
        event, oid = entry.event, entry.oid
        order = Order(event.clock, entry.writer)
        self._clocks.append((event.clock, entry.writer))
        if event.clock > self.events + events.AHEAD:
            self._count()
            if event.clock > self.events + events.AHEAD:
                self._hold(entry)
                return
        self.clock = max(self.clock, event.clock)
        if self._speakers is not None and (refused := self.refusal(entry)):
            if not isinstance(event, _HARMLESS):
                self.problem(Problem(entry.writer, oid, refused))
            return
        try:
            FOLDS[type(event)](self, oid, event, order, made, trial)
        except MissingObject as error:
            absent = error.oid if self._repo.lacks(error.oid, commit=True) else ""
            self.problem(Problem(entry.writer, oid, str(error), absent))
        except LineageError as error:
            self.problem(Problem(entry.writer, oid, str(error)))
        if len(self._trials) + len(self._snapshots) >= _WAITING:
            self.flush()

    def problem(self, problem: Problem) -> None:
        """Note a line that is no event, or an object that this clone lacks, once."""
        if problem.absent:
            values = (problem.absent, problem.writer, problem.oid)
            self.absent += self._db.execute("INSERT OR IGNORE INTO absent VALUES (?, ?, ?)", values).rowcount
            return
        if self._db.execute("INSERT OR IGNORE INTO problems VALUES (?, ?, ?)", problem.row).rowcount:
            self.skipped.append(problem)

    def refusal(self, recorded: Recorded) -> str:
        """Return why an event does not count, empty for one that does."""
        if recorded.event.clock > self.events + len(self._clocks) + events.AHEAD:
            return _too_far(recorded).reason
        if self._speakers is None:
            return ""
        event, first = recorded.event, self._first_on(recorded.oid)
        owner = self._owner_of_row(recorded, first) if first is not None else None
        if isinstance(event, RECORDS):
            self.overturned = self.overturned or (first is None and recorded.oid in self._unowned)
            self._hear_claim(recorded, first)
            if self._hear_claim(recorded, owner):
                owner = None
        if isinstance(event, events.RewriteEvent) and event.how == events.ARRIVED:
            stood_in = self._first_on(event.old)
            if stood_in is None:
                return f"{UNOWNED} nothing of {event.old[:12]} can be of {recorded.oid[:12]}, so this does not count"
            owner = owner or stood_in if stood_in.writer == recorded.writer else stood_in
        return self._speakers.refusal(recorded.writer, event, owner.writer if owner is not None else None)

    def _owner_of_row(self, recorded: Recorded, first: Order) -> Order | None:
        """Return who recorded what an event is about, a row or else all of the commit; ``None`` for a further row."""
        event, snapshot = recorded.event, self._number(recorded.oid)
        if snapshot is not None and isinstance(event, events.TrialEvent | events.RetractEvent):
            exp_id = event.exp_id if isinstance(event, events.RetractEvent) else event.row.get("exp_id", "")
            known = self._known(snapshot, exp_id)
            if known is not None:
                return Order(known.clock, known.writer)
            if isinstance(event, events.TrialEvent):
                commit = self._repo.commit(recorded.oid)
                if exp_id != read_trailers(commit.message).exp_id:
                    return None  # a further row on somebody's snapshot is the own one
        return first

    def _first_on(self, oid: str) -> Order | None:
        """Return who recorded a commit, and when: a snapshot, or a cohort, a session, a forge attempt."""
        waiting = self._snapshots.get(oid)
        if waiting is not None:
            return Order(waiting.clock, waiting.writer)
        tables = _OWN if self._number(oid) is None else ("snapshots",)
        for table in tables:
            row = self._db.execute(f"SELECT clock, writer FROM {table} WHERE oid = ?", (oid,)).fetchone()
            if row is not None:
                return Order(*row)
        return None

    def _hear_claim(self, recorded: Recorded, owner: Order | None) -> bool:
        """
        Take note where somebody turns out to come before the one who is known to have recorded something.

        Returns:
            Whether the commit itself says so, and not only the clock.
        """
        if owner is None or owner.writer == recorded.writer:
            return False
        ours, theirs = self._is_proven(recorded.oid, recorded.writer), self._is_proven(recorded.oid, owner.writer)
        self.overturned = self.overturned or (ours and not theirs)
        self.claimed = self.claimed or (ours == theirs and Order(recorded.event.clock, recorded.writer) < owner)
        return ours and not theirs

    def _is_proven(self, oid: str, writer: str) -> bool:
        """Whether a commit shows by itself that a writer made it; only where it is asked whose words count."""
        known = self._proofs.get((oid, writer))
        if known is None:
            with suppress(LineageError):
                known = self._speakers is not None and self._speakers.is_proven(writer, self._repo.commit(oid))
            self._proofs[oid, writer] = known = known or False
        return known

    def add_ordered(self, recorded: Iterable[Recorded]) -> None:
        """
        Fold events so that whoever recorded something is known before all others speak of it.

        First comes whom the commit itself names, then whoever was first in the order of events; words come last.
        """

        def place(each: Recorded) -> tuple[bool, bool, int, str, str]:
            records = isinstance(each.event, RECORDS)
            is_later = not (records and self._is_proven(each.oid, each.writer))
            return not records, is_later, each.event.clock, each.writer, each.oid

        for each in sorted(recorded, key=place):
            self.add(each)

    def _count(self) -> None:
        """Count the events that were met since, each once wherever it stands."""
        counted = self._db.executemany("INSERT OR IGNORE INTO clocks VALUES (?, ?)", self._clocks).rowcount
        self.events += max(counted, 0)
        self._clocks.clear()

    def _hold(self, recorded: Recorded) -> None:
        """Keep back an event whose clock is further ahead than there are events that it can have followed."""
        line = msgspec.json.encode(recorded.event, order="sorted").decode()
        values = (recorded.event.clock, recorded.writer, recorded.oid, line)
        self._db.execute("INSERT OR IGNORE INTO beyond VALUES (?, ?, ?, ?)", values)
        self.problem(_too_far(recorded))

    def settle(self) -> None:
        """Write what waits, and fold the events that were held back until there were so many."""
        self.flush()
        sql = "SELECT clock, writer, oid, line FROM beyond WHERE clock <= ? ORDER BY 1, 2, 3, 4"
        while held := self._db.execute(sql, (self.events + events.AHEAD,)).fetchall():
            for clock, writer, oid, line in held:
                recorded = Recorded(writer, oid, events.decode(line.encode()))
                told = _too_far(recorded)
                self.skipped = [each for each in self.skipped if each != told]
                self._db.execute("DELETE FROM problems WHERE (writer, oid, reason) = (?, ?, ?)", told.row)
                self._db.execute(_COUNTS, (clock, writer, oid, line))
                self.add(recorded)
            self.flush()

    def _snapshot(self, oid: str, order: Order, made: CommitInfo | None) -> int:
        waiting = self._snapshots.get(oid)
        if waiting is not None:
            if self._comes_before(order, Order(waiting.clock, waiting.writer)):
                self._snapshots[oid] = waiting._replace(clock=order.clock, writer=order.writer)
                self._looked_at = 0
            return waiting.id
        known = None if isinstance(made, Made) else self._number(oid)
        if known is not None:
            (place,) = self._db.execute("SELECT clock, writer FROM snapshots WHERE id = ?", (known,)).fetchall()
            if self._comes_before(order, Order(*place)):
                self._db.execute("UPDATE snapshots SET clock = ?, writer = ? WHERE id = ?", (*placed(order), known))
                self._backward = True
                self._changed.add(EVERYWHERE)
            return known
        info = made or self._repo.commit(oid)
        trailers = made.trailers if isinstance(made, Made) else read_trailers(info.message)
        roles = _roles(trailers.roles)
        number = self._next_snapshot
        self._next_snapshot += 1
        cohort = trailers.cohort or None
        said = (subject(info.message), info.author, stamp(info.time), trailers.exp_id, cohort, roles)
        self._snapshots[oid] = SnapshotRow(number, oid, info.tree, *said, *placed(order))
        self._parents += [(number, at, parent) for at, parent in enumerate(info.parents)]
        if self.facts.joined and (self._repaired or self._backward or self.facts.related):
            self._look_for_edges(oid)
        if not self.whole:
            self._fresh.append(Fresh(number, oid, info.parents, isinstance(made, Made)))
            if len(self._numbers) >= _REMEMBERED:
                self._numbers.clear()
        self._numbers[oid] = number
        return number

    def _comes_before(self, order: Order, first: Order) -> bool:
        """Whether an event gives a snapshot its place; where only owners' words count, not by another's further row."""
        return order < first and (self._speakers is None or order.writer == first.writer)

    def _no_earlier(self, oid: str, order: Order) -> Order:
        """Return the place of a row; where only owners' words count, another's comes after the snapshot itself."""
        first = self._first_on(oid) if self._speakers is not None else None
        if first is None or first.writer == order.writer or order.clock > first.clock:
            return order
        return Order(first.clock + 1, order.writer)

    def _number(self, oid: str) -> int | None:
        """Return a snapshot's number; while everything is folded from nothing, all of them are in memory."""
        known = self._numbers.get(oid)
        if known is None and not self.whole:
            row = self._db.execute("SELECT id FROM snapshots WHERE oid = ?", (oid,)).fetchone()
            known = int(row[0]) if row else None
        return known

    def _trial(self, oid: str, event: events.TrialEvent, order: Order, trial: Trial, made: CommitInfo | None) -> None:
        """Fold a row: completed beats pending, then the later revision holds; the first completion gives the place."""
        snapshot = self._snapshot(oid, order, made)
        counts = not (self._repaired and self._is_retracted(oid, trial.exp_id))
        exp_id = trial.exp_id
        known = self._known(snapshot, exp_id)
        status = trial.status.value if trial.status else None
        done = status is not None
        if snapshot < self._written:
            self._changed.add(snapshot)
        if self._has_arrivals and self._is_elsewhere(oid, exp_id):
            return
        is_shared = False
        if known is None:
            is_shared = not self.whole and self._is_named(exp_id)
            number, place = self._next_trial, self._no_earlier(oid, order)
            self._next_trial += 1
            self._names.add(exp_id)
            self.done += done and counts
        else:
            number, was_done, was = known.id, known.is_done, Order(known.clock, known.writer)
            said = self._no_earlier(oid, order)
            place = min(said, was) if done == was_done else (said if done else was)
            was_last = Order(known.last_clock, known.last_writer)
            if (done, order) < (was_done, was_last) or (order == was_last and pack(trial) < known.row):
                self._trials[snapshot, exp_id] = known._replace(clock=place.clock, writer=place.writer)
                return
            self.done += done and not was_done and counts
        exp_number = _number(exp_id)
        if exp_number is not None:
            if exp_number > self._highest:
                self._highest = exp_number
        elif (numbered := split_number(exp_id)) is not None and numbered[1] > self._numbered.get(numbered[0], -1):
            self._numbered[numbered[0]] = numbered[1]
        status, rank = (status, self._rank(trial)) if counts else (RETRACTED, None)
        cells = (exp_number, status, trial.specialist, trial.parent_exp, rank, pack(trial))
        orders = (*placed(place), *placed(order))
        self._trials[snapshot, exp_id] = TrialRow(number, snapshot, exp_id, *cells, event.raw, event.saw, *orders)
        if not self.whole and (known is not None or status in ELIGIBLE or is_shared):
            self.touched.add(number)
        if self._has_arrivals:
            for (old,) in self._db.execute("SELECT old FROM arrivals WHERE new = ?", (oid,)).fetchall():
                self._leave_to_commit(old, exp_id)

    def _retract(self, oid: str, event: events.RetractEvent, order: Order) -> None:
        """Fold a word about whether a row counts; the last one holds, also of a row that is read later."""
        self._repaired = True
        sql = "SELECT clock, writer, undone, at, actor, reason FROM retractions WHERE oid = ? AND exp_id = ?"
        before = self._db.execute(sql, (oid, event.exp_id)).fetchone()
        said = (event.undo, event.at, event.actor, event.reason or ("" if event.undo else "no reason given"))
        if before is not None and (*placed(order), *said) <= before:
            return
        self._db.execute(
            "INSERT OR REPLACE INTO retractions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (oid, event.exp_id, *placed(order), *said),
        )
        snapshot = self._number(oid)
        known = None if snapshot is None else self._known(snapshot, event.exp_id)
        if snapshot is None or known is None:
            return
        trial = read_row(known.row)
        status, rank = (trial.status.value if trial.status else None), self._rank(trial)
        if event.undo == (known.status != RETRACTED):
            self._changed.add(snapshot)  # it may be another reason
            return
        self.done += (1 if event.undo else -1) * known.is_done
        status, rank = (status, rank) if event.undo else (RETRACTED, None)
        self._trials[snapshot, event.exp_id] = known._replace(status=status, rank=rank)
        self._changed.add(snapshot)
        self.touched.add(known.id)

    def _is_retracted(self, oid: str, exp_id: str) -> bool:
        """Whether the last word on a row is that it does not count."""
        sql = "SELECT 1 FROM retractions WHERE oid = ? AND exp_id = ? AND NOT undone"
        return self._db.execute(sql, (oid, exp_id)).fetchone() is not None

    def _look_for_edges(self, oid: str) -> None:
        """Take note where something was said about the edges of a new snapshot before it was recorded itself."""
        sql = (
            "SELECT 1 FROM relations WHERE source = ?1 UNION ALL SELECT 1 FROM relations WHERE target = ?1 "
            "UNION ALL SELECT 1 FROM reparents WHERE child = ?1 OR instr(parents, ?1)"
        )
        if self._db.execute(sql, (oid,)).fetchone() is not None:
            self.facts.doubtful, self.facts.latest = True, False

    # -- edges -----------------------------------------------------------------------------------------------

    def follow(self, *, checked: bool = False) -> None:
        """
        Decide which edges are followed, where something new may close a cycle.

        Args:
            checked: whether what was added last was seen to close none with all that was there before.
        """
        if not (self.facts.doubtful and self.facts.joined):
            return
        self.flush()
        unsure = not (checked and self.facts.latest)
        self.facts.doubtful, self.facts.latest = False, True
        if unsure and (self._repaired or self.leads_back()):
            self._follow(acyclic.decide(self._db, self._repo.parents, self._links.recorded))

    def _follow(self, held: list[acyclic.Word | str]) -> None:
        """Have snapshots derived from what was said of their parents, or from their git parents again."""
        moved = []
        for word in held:
            oid = word if isinstance(word, str) else word.child
            number = self._number(oid)
            if isinstance(word, str):
                info = self._repo.commit(oid)
                parents, roles = info.parents, _roles(read_trailers(info.message).roles)
            else:
                parents, roles = word.parents, word.roles
            rows = self._db.execute("SELECT parent FROM git_parents WHERE child = ? ORDER BY pos", (number,))
            was = tuple(parent for (parent,) in rows)
            self._db.execute("UPDATE snapshots SET roles = ? WHERE id = ? AND roles <> ?", (roles, number, roles))
            if was != parents and number is not None:
                self._db.execute("DELETE FROM git_parents WHERE child = ?", (number,))
                insert(self._db, "INSERT INTO git_parents", 3, [(number, at, up) for at, up in enumerate(parents)])
                moved.append(number)
        if held:
            self._links.join_again(moved)
            self._backward = True
            self._changed.add(EVERYWHERE)
            self.flush()

    def _is_named(self, exp_id: str) -> bool:
        """Whether a trial on another snapshot has an exp id, whose label then is another from now on."""
        if exp_id in self._names:
            return True
        return self._db.execute("SELECT 1 FROM trials WHERE exp_id = ? LIMIT 1", (exp_id,)).fetchone() is not None

    def _known(self, snapshot: int, exp_id: str) -> TrialRow | None:
        """Return the row of a trial that was folded before."""
        waiting = self._trials.get((snapshot, exp_id))
        if waiting is not None or snapshot >= self._written:
            return waiting
        sql = f"SELECT {', '.join(TrialRow._fields)} FROM trials WHERE snapshot = ? AND exp_id = ?"
        row = self._db.execute(sql, (snapshot, exp_id)).fetchone()
        return TrialRow(*row) if row is not None else None

    def _reparent(self, oid: str, event: events.ReparentEvent, order: Order) -> None:
        self.facts.fold_reparent(oid, event, order)
        self._repaired = True

    def _rewrite(self, oid: str, event: events.RewriteEvent, order: Order) -> None:
        self._snapshot(oid, order, None)
        self._db.execute("INSERT OR IGNORE INTO rewrites VALUES (?, ?)", (oid, event.old))
        if event.how == events.ARRIVED:
            self._arrive(oid, event.old)

    # -- stand-ins ---------------------------------------------------------------------------------------------

    def _arrive(self, oid: str, old: str) -> None:
        """Have a commit take the place of its stand-in; not of what it goes back to itself, or that were a cycle."""
        if self._repo.exists(old) and self._repo.has_ancestor(oid, old):
            return
        if not self._db.execute("INSERT OR IGNORE INTO arrivals VALUES (?, ?)", (old, oid)).rowcount:
            return
        self._has_arrivals = self._backward = True
        self.facts.doubtful, self.facts.latest = True, False
        self.flush()
        self._links.arrived(old, oid)
        self._changed.add(EVERYWHERE)
        sql = "SELECT exp_id FROM trials WHERE snapshot = ?"
        for (exp_id,) in self._db.execute(sql, (self._number(oid),)).fetchall():
            self._leave_to_commit(old, exp_id)

    def _is_elsewhere(self, oid: str, exp_id: str) -> bool:
        """Whether a stand-in's row is on the commit that took its place."""
        arrived = self._db.execute("SELECT new FROM arrivals WHERE old = ?", (oid,)).fetchall()
        there = [number for (new,) in arrived if (number := self._number(new)) is not None]
        return any(self._known(number, exp_id) is not None for number in there)

    def _leave_to_commit(self, old: str, exp_id: str) -> None:
        """Take a stand-in's row out of the tables, for the commit that took its place has it."""
        snapshot = self._number(old)
        known = None if snapshot is None else self._known(snapshot, exp_id)
        if snapshot is None or known is None:
            return
        self.done -= known.is_done and known.status != RETRACTED
        self._trials.pop((snapshot, exp_id), None)
        self._db.execute("DELETE FROM trials WHERE snapshot = ? AND exp_id = ?", (snapshot, exp_id))
        self._changed.add(EVERYWHERE)
        self.moved = True

    def _task(self, event: events.TaskEvent, order: Order) -> None:
        self._db.execute("INSERT OR IGNORE INTO tasks VALUES (?, ?, ?)", (*placed(order), as_json(event.task)))
        sql = "SELECT clock, writer, task FROM tasks ORDER BY 1 DESC, 2 DESC, 3 DESC LIMIT 1"
        if self._db.execute(sql).fetchone() != (*placed(order), as_json(event.task)):
            return
        for key, value in (("task", event.task), ("task_order", order)):
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, as_json(value)))
        self.task = event.task
        self.flush()
        upto = 0
        while rows := self._db.execute(_PAGE, (upto, _WAITING)).fetchall():
            upto = rows[-1][0]
            ranks = [(None if said == RETRACTED else self._rank(read_row(row)), number) for number, row, said in rows]
            self._db.executemany("UPDATE trials SET rank = ? WHERE id = ?", ranks)

    def _rank(self, trial: Trial) -> float | None:
        return rank(self.task or Task(), trial)

    # -- what waits ----------------------------------------------------------------------------------------

    @property
    def highest(self) -> int:
        """The highest number that an exp id is; -1 for none."""
        return self._highest

    def highest_after(self, prefix: str) -> int:
        """Return the highest number after a prefix in an exp id that this transaction folded; -1 for none."""
        return self._numbered.get(prefix, -1)

    def flush(self) -> None:
        """Write what waits, so that the tables can be asked."""
        if self._clocks:
            self._count()
        if self._snapshots:
            insert(self._db, "INSERT INTO snapshots", 11, self._snapshots.values())
            insert(self._db, "INSERT INTO git_parents", 3, self._parents)
            fresh, self._fresh = self._fresh, []
            first, self._written = self._written, self._next_snapshot
            self._snapshots.clear()
            self._parents.clear()
            if not self.whole:
                between = self._links.add(fresh, self._numbers)
                self._changed |= between
                if between and (self._repaired or self._backward):
                    self.facts.doubtful, self.facts.latest = True, False
                self._backward = self._backward or bool(between) or self._links_lead_back(first)
        if self._trials:
            insert(self._db, "INSERT OR REPLACE INTO trials", 15, self._trials.values())
            self._trials.clear()
            self._names.clear()
        if self._changed and not self.whole:
            self._db.executemany(_CHANGED, [(snapshot,) for snapshot in sorted(self._changed)])
            self._changed.clear()

    def finish(self) -> None:
        """Write what waits and what the tables as a whole say; of a whole build, after its indexes are made."""
        self.flush()
        self._db.executemany("INSERT OR REPLACE INTO tips VALUES (?, ?)", self.tips.items())
        if self.whole:
            self._links.add_all()
            self._backward = self._backward or self._links_lead_back(0)
            self.facts.joined = True
        self.follow()
        backward = self.leads_back()
        if self._numbered:
            self._db.executemany(_NUMBERED, self._numbered.items())
        whole = {"clock": self.clock, "done": self.done, "events": self.events}
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", whole.items())
        if self.absent or self._repo.is_shallow:
            self._boundary = self._repo.boundary()
            values = ("shallow", self._boundary)
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", values)
        if backward:
            self._db.execute("INSERT OR IGNORE INTO hints VALUES ('backward', 1)")
        if self._repaired:
            self._db.execute("INSERT OR IGNORE INTO hints VALUES ('repaired', 1)")

    @property
    def state(self) -> State:
        """What the index says as a whole, with what this transaction folded; after `finish`."""
        numbers = self._next_snapshot, self._next_trial, self._highest
        return State(
            self.task,
            self.clock,
            self.done,
            self._backward,
            *numbers,
            self.absent,
            self._repaired,
            self._boundary,
            self.events,
        )

    def leads_back(self) -> bool:
        """Whether some snapshot was, or may have been, recorded before one that it goes back to."""
        self.flush()
        if not self._backward:
            self._backward = any(self._relation_leads_back(*pair) for pair in self.facts.related[self._looked_at :])
            self._looked_at = len(self.facts.related)
        return self._backward

    def _links_lead_back(self, first: int) -> bool:
        """Whether a snapshot, from a number on, was recorded before one that it was derived from."""
        sql = (
            "SELECT 1 FROM links l JOIN snapshots s ON s.id = l.child JOIN snapshots t ON t.id = l.parent "
            "WHERE l.child >= ? AND (t.clock, t.writer) > (s.clock, s.writer) LIMIT 1"
        )
        return self._db.execute(sql, (first,)).fetchone() is not None

    def _relation_leads_back(self, source: str, target: str) -> bool:
        """Whether a snapshot was recorded before one that it is related to, or one of the two is not recorded yet."""
        sql = (
            "SELECT (s.clock, s.writer) > (t.clock, t.writer) FROM snapshots s, snapshots t "
            "WHERE s.oid = ? AND t.oid = ?"
        )
        row = self._db.execute(sql, (source, target)).fetchone()
        if row is None:  # a forge attempt leads nowhere
            return self._db.execute("SELECT 1 FROM forges WHERE oid = ?", (target,)).fetchone() is None
        return not row[0]


FOLDS: dict[type[events.Event], Callable[[Fold, str, Any, Order, CommitInfo | None, Trial | None], object]] = {
    events.TrialEvent: lambda fold, oid, event, order, made, trial: fold._trial(
        oid, event, order, trial or Trial.trusted(event.row), made
    ),
    events.SnapshotEvent: lambda fold, oid, event, order, made, trial: fold._snapshot(oid, order, made),
    events.CohortEvent: lambda fold, oid, event, order, made, trial: fold.facts.fold_cohort(oid, event, order),
    events.TaskEvent: lambda fold, oid, event, order, made, trial: fold._task(event, order),
    events.TableEvent: lambda fold, oid, event, order, made, trial: fold.facts.fold_table(event, order),
    events.SessionEvent: lambda fold, oid, event, order, made, trial: fold.facts.fold_session(oid, event, order),
    events.ImportedEvent: lambda fold, oid, event, order, made, trial: fold.facts.fold_imported(
        fold._snapshot(oid, order, made), event, order
    ),
    events.RewriteEvent: lambda fold, oid, event, order, made, trial: fold._rewrite(oid, event, order),
    events.RetractEvent: lambda fold, oid, event, order, made, trial: fold._retract(oid, event, order),
    events.ReparentEvent: lambda fold, oid, event, order, made, trial: fold._reparent(oid, event, order),
    events.RelationAdded: lambda fold, oid, event, order, made, trial: fold.facts.fold_relation(oid, event, order),
    events.RelationDeprecated: lambda fold, oid, event, order, made, trial: fold.facts.fold_relation(oid, event, order),
    events.EntryEvent: lambda fold, oid, event, order, made, trial: fold.facts.fold_entry(oid, event, order),
    events.UsageEvent: lambda fold, oid, event, order, made, trial: fold.facts.fold_usage(oid, event, order),
    events.ForgeEvent: lambda fold, oid, event, order, made, trial: fold.facts.fold_forge(oid, event, order),
}
"""How an event of each type becomes rows: its object, itself, its place in the order, and what its caller has of it."""


@lru_cache(maxsize=4096)
def read_row(row: str, oid: str = "") -> Trial:
    """Return a trial from the index's text of its cells, with the snapshot that it is on where it is handed out."""
    return unpack(row, oid)


def _too_far(recorded: Recorded) -> Problem:
    """Return what is said of an event that is held back."""
    told = f"its clock is {recorded.event.clock:,}, far above the number of events, so it does not count"
    return Problem(recorded.writer, recorded.oid, told)


def _roles(roles: Iterable[tuple[str, str]]) -> str:
    """Return roles as the index has them, in the order of a commit's trailers."""
    return msgspec.json.encode(dict(roles)).decode() if roles else "{}"


def _number(exp_id: str) -> int | None:
    """Return the number that an exp id is, if it is one."""
    return int(exp_id) if exp_id.isascii() and exp_id.isdecimal() and len(exp_id) < 16 else None
