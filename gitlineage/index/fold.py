"""
How trials and snapshots become rows of the index's tables; start at `Fold`.

Every fold is commutative (the least order gives a thing its place, the greatest its state), so events may
arrive in any order and twice. New rows wait in memory and are written many at a time.
"""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from gitlineage.errors import LineageError, MissingObject
from gitlineage.git.formats import CommitInfo
from gitlineage.git.repository import GitRepo
from gitlineage.index import acyclic
from gitlineage.index.database import read_row
from gitlineage.index.fold_facts import Facts, as_json, insert, placed
from gitlineage.index.links import Fresh, Links
from gitlineage.index.state import State
from gitlineage.journal import events
from gitlineage.journal.journal import Problem, Recorded
from gitlineage.journal.speakers import NO_ROW, Speakers
from gitlineage.model.message import Trailers, read_trailers, recorder_of, subject
from gitlineage.model.rank import ELIGIBLE, RETRACTED, rank
from gitlineage.model.records import Order, Task
from gitlineage.model.trial import Trial, pack, split_number
from gitlineage.times import stamp

_WAITING = 5000
"""Snapshots and trials that wait at most before they are written."""

_REMEMBERED = 200_000
"""Snapshots whose numbers are kept in memory while a landing is folded."""

EVERYWHERE = 0
"""What stands for all snapshots among those of which something else is said than before."""

_PAGE = "SELECT id, row, status FROM trials WHERE id > ? ORDER BY id LIMIT ?"
_NUMBERED = "INSERT INTO numbered VALUES (?, ?) ON CONFLICT DO UPDATE SET highest = max(highest, excluded.highest)"
_RECORDS = (events.Place.SNAPSHOT, events.Place.OWN)
"""Where the events are that record a commit; words about it come after them."""

_WITHOUT = """
SELECT r.oid, r.exp_id, r.owner FROM retractions r LEFT JOIN snapshots s ON s.oid = r.oid
LEFT JOIN trials t ON t.snapshot = s.id AND t.exp_id = r.exp_id AND t.writer = r.owner
WHERE t.id IS NULL AND r.oid NOT IN (SELECT old FROM arrivals)
"""
"""Retractions by writers who have no such row, where only owners' words count."""

_TWICE = """
INSERT OR IGNORE INTO twice SELECT ?1, ?2, ?3
WHERE NOT EXISTS (SELECT 1 FROM clocks WHERE (clock, writer, at) = (?1, ?2, ?3))
"""
"""Where else than counted an event of some clock and writer is, which only a broken writer says twice."""

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
    subject: str | None
    author: int
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
    guest: bool = False

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
        self._clocks: list[tuple[int, str, bytes]] = []
        self.done = state.done
        self.absent = state.absent
        self.whole = whole
        self._speakers = speakers
        self.overturned = False
        """Whether what was folded, or left out, would be otherwise if what came now had been known."""

        self._proofs: dict[tuple[str, str], bool] = {}
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
        self._trials: dict[tuple[int, str, str], TrialRow] = {}
        self._owners: dict[tuple[int, str], list[str]] = {}
        self._changed: set[int] = set()
        self._names: set[str] = set()
        self._people: dict[str, int] = {}
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
        self._clocks.append((event.clock, entry.writer, bytes.fromhex(oid)))
        if event.clock > self.events + events.AHEAD:
            self._count()
            if event.clock > self.events + events.AHEAD:
                self._hold(entry)
                return
        self.clock = max(self.clock, event.clock)
        try:
            if self._speakers is not None and (refused := self._refusal(entry)):
                self._leave_out(entry, refused, made)
                return
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
        """
        Return why an event does not count, empty for one that does; to be asked when all is folded.

        Raises:
            MissingObject: only owners' words count, and the commit that would show whose it is is not here.
        """
        if recorded.event.clock > self.events + len(self._clocks) + events.AHEAD:
            return _too_far(recorded).reason
        if self._speakers is None:
            return ""
        if isinstance(recorded.event, events.RetractEvent):
            owned = self._owned(recorded.oid, recorded.event.exp_id)
            return "" if recorded.writer in owned else _no_row(recorded.writer, recorded.event.exp_id)
        return self._refusal(recorded)

    def _refusal(self, recorded: Recorded) -> str:
        """Return why an event is not folded where only owners' words count; a retraction is of the own row at most."""
        assert self._speakers is not None
        event, writer = recorded.event, recorded.writer
        if isinstance(event, events.TaskEvent | events.TableEvent):
            return self._speakers.task_refusal(writer, event)
        if isinstance(event, events.RetractEvent):
            return ""
        commit = self._repo.commit(recorded.oid)
        if isinstance(event, events.TrialEvent):
            return self._trial_refusal(recorded, event, commit)
        if isinstance(event, events.RewriteEvent) and event.how == events.ARRIVED:
            stood_in = self._repo.commit(event.old)
            if not self._speakers.is_proven(writer, stood_in):
                return self._speakers.no_owner(writer, event, self._speakers.shown(stood_in))
            if not self._speakers.shown(commit):
                return ""
        return self._speakers.refusal(writer, event, commit)

    def _trial_refusal(self, recorded: Recorded, event: events.TrialEvent, commit: CommitInfo) -> str:
        """Return why a row does not count: whoever made the snapshot has, or has named on it, a row of that exp id."""
        assert self._speakers is not None
        exp_id, writer = event.row.get("exp_id", ""), recorded.writer
        owned = self._owned(recorded.oid, exp_id)
        if self._is_proven(recorded.oid, writer):
            others = any(not self._is_proven(recorded.oid, other) for other in owned)
            self.overturned = self.overturned or (writer not in owned and others)
            return ""
        named = recorder_of(commit.message)
        if named and exp_id == read_trailers(commit.message).exp_id:
            return self._speakers.no_owner(writer, event, named)
        owner = next((other for other in owned if self._is_proven(recorded.oid, other)), "")
        return self._speakers.no_owner(writer, event, owner) if owner else ""

    def _owned(self, oid: str, exp_id: str) -> list[str]:
        """Return the writers who have a row of an exp id on a snapshot."""
        snapshot = self._number(oid)
        if snapshot is None:
            return []
        sql = "SELECT writer FROM trials WHERE snapshot = ? AND exp_id = ? ORDER BY writer"
        written = [writer for (writer,) in self._db.execute(sql, (snapshot, exp_id))]
        return written + self._owners.get((snapshot, exp_id), [])

    def _leave_out(self, recorded: Recorded, refused: str, made: CommitInfo | None) -> None:
        """Tell of an event that does not count; that its commit is recorded holds, which takes nothing from anybody."""
        assert self._speakers is not None
        if isinstance(recorded.event, events.ImportedEvent | events.RewriteEvent):
            self._snapshot(recorded.oid, Order(recorded.event.clock, recorded.writer), made)
        if isinstance(recorded.event, events.ImportedEvent) and self._speakers.shown(self._repo.commit(recorded.oid)):
            return  # two clones that import the same both say so
        self.problem(Problem(recorded.writer, recorded.oid, refused))

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
            records = each.event.place in _RECORDS
            is_later = not (records and self._is_proven(each.oid, each.writer))
            return not records, is_later, each.event.clock, each.writer, each.oid

        for each in sorted(recorded, key=place):
            self.add(each)

    def _count(self) -> None:
        """Count the events that were met since, each once wherever it stands."""
        counted = self._db.executemany("INSERT OR IGNORE INTO clocks VALUES (?, ?, ?)", self._clocks).rowcount
        if counted < len(self._clocks):
            self._db.executemany(_TWICE, self._clocks)
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
        self._hold_against_rows()

    def _snapshot(self, oid: str, order: Order, made: CommitInfo | None) -> int:
        waiting = self._snapshots.get(oid)
        if waiting is not None:
            if self._comes_before(oid, order, was := Order(waiting.clock, waiting.writer)):
                self._snapshots[oid] = waiting._replace(clock=order.clock, writer=order.writer)
                self._looked_at = 0
                self._stand_for(waiting.id, order.writer, was.writer)
            return waiting.id
        known = None if isinstance(made, Made) else self._number(oid)
        if known is not None:
            (place,) = self._db.execute("SELECT clock, writer FROM snapshots WHERE id = ?", (known,)).fetchall()
            if self._comes_before(oid, order, was := Order(*place)):
                self._db.execute("UPDATE snapshots SET clock = ?, writer = ? WHERE id = ?", (*placed(order), known))
                self._stand_for(known, order.writer, was.writer)
                self._backward = True
                self._changed.add(EVERYWHERE)
            return known
        info = made or self._repo.commit(oid)
        trailers = made.trailers if isinstance(made, Made) else read_trailers(info.message)
        roles = _roles(trailers.roles)
        number = self._next_snapshot
        self._next_snapshot += 1
        cohort = trailers.cohort or None
        said = (subject(info.message), self._person(info.author), stamp(info.time), trailers.exp_id, cohort, roles)
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

    def _person(self, name: str) -> int:
        """Return the number that stands for an author."""
        known = self._people.get(name)
        if known is None:
            self._db.execute("INSERT OR IGNORE INTO people (name) VALUES (?)", (name,))
            (known,) = self._db.execute("SELECT id FROM people WHERE name = ?", (name,)).fetchone()
            self._people[name] = known
        return known

    def _share_subject(self, oid: str, snapshot: int, trial: Trial, known: TrialRow | None) -> None:
        """Keep a snapshot's subject where its row says something else, and once where both are the same."""
        if self._speakers is not None:  # several writers may have such a row
            return
        waiting = self._snapshots.get(oid)
        was = read_row(known.row).hypothesis if known is not None else ""
        if waiting is not None and waiting.exp_id == trial.exp_id:
            said = was if waiting.subject is None else waiting.subject
            self._snapshots[oid] = waiting._replace(subject=None if said == trial.hypothesis else said)
        elif known is not None and was != trial.hypothesis:
            self._keep_subject(snapshot, known)

    def _keep_subject(self, snapshot: int, known: TrialRow) -> None:
        """Write down the subject of a snapshot that was the hypothesis of a row which will not say it any more."""
        sql = "UPDATE snapshots SET subject = ? WHERE id = ? AND exp_id = ? AND subject IS NULL"
        self._db.execute(sql, (read_row(known.row).hypothesis, snapshot, known.exp_id))

    def _comes_before(self, oid: str, order: Order, first: Order) -> bool:
        """
        Whether an event gives a snapshot its place: the first one does.

        Where only owners' words count, it is the first of whom the commit shows to have made it. Where it shows nobody,
        it is the first of the writer whose name sorts first, for a clock can be claimed, and a name is given.
        """
        if self._speakers is None or order.writer == first.writer:
            return order < first
        ours, theirs = self._is_proven(oid, order.writer), self._is_proven(oid, first.writer)
        return (not ours, order.writer) < (not theirs, first.writer)

    def _stand_for(self, snapshot: int, writer: str, before: str) -> None:
        """Have the rows of a writer stand for a snapshot, before those of all others."""
        if self._speakers is not None and writer != before:
            self.flush()
            self._db.execute("UPDATE trials SET guest = (writer <> ?) WHERE snapshot = ?", (writer, snapshot))

    def _is_guest(self, oid: str, writer: str) -> bool:
        """Whether a row is on a snapshot that has another writer's place; only where owners' words alone count."""
        if self._speakers is None:
            return False
        if (waiting := self._snapshots.get(oid)) is not None:
            return waiting.writer != writer
        return (writer,) not in self._db.execute("SELECT writer FROM snapshots WHERE oid = ?", (oid,)).fetchall()

    def _owner(self, writer: str) -> str:
        """Return whose a row is besides its snapshot and exp id: nobody's, or its writer's where only that counts."""
        return "" if self._speakers is None else writer

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
        exp_id, owner = trial.exp_id, self._owner(order.writer)
        counts = not (self._repaired and self._is_retracted(oid, exp_id, owner))
        known = self._known(snapshot, exp_id, owner)
        status = trial.status.value if trial.status else None
        done = status is not None
        changes = snapshot < self._written
        if self._has_arrivals and self._is_elsewhere(oid, exp_id, owner):
            self._changed.update([snapshot] if changes else [])
            return
        is_shared = False
        if known is None:
            is_shared = not self.whole and self._is_named(exp_id)
            number, place = self._next_trial, order
            if owner:
                self._owners.setdefault((snapshot, exp_id), []).append(owner)
            self._next_trial += 1
            self._names.add(exp_id)
            self.done += done and counts
        else:
            number, was_done, was = known.id, known.is_done, Order(known.clock, known.writer)
            place = min(order, was) if done == was_done else (order if done else was)
            was_last = Order(known.last_clock, known.last_writer)
            is_later = (done, order) >= (was_done, was_last)
            if is_later and order == was_last:
                is_later = not (_is_again(event, trial, known) or _comes_first(trial, known))
            if not is_later:
                if place != was:
                    self._trials[snapshot, exp_id, owner] = known._replace(clock=place.clock, writer=place.writer)
                    self._changed.update([snapshot] if changes else [])
                return
            self.done += done and not was_done and counts
        self._changed.update([snapshot] if changes else [])
        self._share_subject(oid, snapshot, trial, known)
        if (numbered := split_number(exp_id)) is not None and numbered[1] > self._numbered.get(numbered[0], -1):
            self._numbered[numbered[0]] = numbered[1]
        status, rank = (status, self._rank(trial)) if counts else (RETRACTED, None)
        cells = (status, trial.specialist, trial.parent_exp, rank, pack(trial))
        said = (*placed(place), *placed(order), self._is_guest(oid, order.writer))
        self._trials[snapshot, exp_id, owner] = TrialRow(number, snapshot, exp_id, *cells, event.raw, event.saw, *said)
        if not self.whole and (known is not None or status in ELIGIBLE or is_shared):
            self.touched.add(number)
        if self._has_arrivals:
            for (old,) in self._db.execute("SELECT old FROM arrivals WHERE new = ?", (oid,)).fetchall():
                self._leave_to_commit(old, exp_id, owner)

    def _retract(self, oid: str, event: events.RetractEvent, order: Order) -> None:
        """Fold a word about whether a row counts; the last one holds, also of a row that is read later."""
        self._repaired = True
        owner = self._owner(order.writer)
        sql = "SELECT clock, writer, undone, at, actor, reason FROM retractions WHERE (oid, exp_id, owner) = (?, ?, ?)"
        before = self._db.execute(sql, (oid, event.exp_id, owner)).fetchone()
        said = (event.undo, event.at, event.actor, event.reason or ("" if event.undo else "no reason given"))
        if before is not None and (*placed(order), *said) <= before:
            return
        self._db.execute(
            "INSERT OR REPLACE INTO retractions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (oid, event.exp_id, owner, *placed(order), *said),
        )
        snapshot = self._number(oid)
        known = None if snapshot is None else self._known(snapshot, event.exp_id, owner)
        if snapshot is None or known is None:
            return
        trial = read_row(known.row)
        status, rank = (trial.status.value if trial.status else None), self._rank(trial)
        if event.undo == (known.status != RETRACTED):
            self._changed.add(snapshot)  # it may be another reason
            return
        self.done += (1 if event.undo else -1) * known.is_done
        status, rank = (status, rank) if event.undo else (RETRACTED, None)
        self._trials[snapshot, event.exp_id, owner] = known._replace(status=status, rank=rank)
        self._changed.add(snapshot)
        self.touched.add(known.id)

    def _is_retracted(self, oid: str, exp_id: str, owner: str) -> bool:
        """Whether the last word on a row is that it does not count."""
        sql = "SELECT 1 FROM retractions WHERE (oid, exp_id, owner) = (?, ?, ?) AND NOT undone"
        return self._db.execute(sql, (oid, exp_id, owner)).fetchone() is not None

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

    def _known(self, snapshot: int, exp_id: str, owner: str) -> TrialRow | None:
        """Return the row of a trial that was folded before."""
        waiting = self._trials.get((snapshot, exp_id, owner))
        if waiting is not None or snapshot >= self._written:
            return waiting
        sql = f"SELECT {', '.join(TrialRow._fields)} FROM trials WHERE snapshot = ? AND exp_id = ?"
        row = self._db.execute(f"{sql} AND ? IN ('', writer)", (snapshot, exp_id, owner)).fetchone()
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
        sql = "SELECT exp_id, writer FROM trials WHERE snapshot = ?"
        for exp_id, writer in self._db.execute(sql, (self._number(oid),)).fetchall():
            self._leave_to_commit(old, exp_id, self._owner(writer))

    def _is_elsewhere(self, oid: str, exp_id: str, owner: str) -> bool:
        """Whether a stand-in's row is on the commit that took its place."""
        arrived = self._db.execute("SELECT new FROM arrivals WHERE old = ?", (oid,)).fetchall()
        there = [number for (new,) in arrived if (number := self._number(new)) is not None]
        return any(self._known(number, exp_id, owner) is not None for number in there)

    def _leave_to_commit(self, old: str, exp_id: str, owner: str) -> None:
        """Take a stand-in's row out of the tables, for the commit that took its place has it."""
        snapshot = self._number(old)
        known = None if snapshot is None else self._known(snapshot, exp_id, owner)
        if snapshot is None or known is None:
            return
        self.done -= known.is_done and known.status != RETRACTED
        self.flush()
        self._keep_subject(snapshot, known)
        self._trials.pop((snapshot, exp_id, owner), None)
        self._db.execute("DELETE FROM trials WHERE id = ?", (known.id,))
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
            self._owners.clear()
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

    def _hold_against_rows(self) -> None:
        """Tell of retractions by those who have no such row; one that came before its row is not told of any more."""
        if self._speakers is None or not self._repaired:
            return
        without = self._db.execute(_WITHOUT).fetchall()
        told = {Problem(owner, oid, _no_row(owner, exp_id)) for oid, exp_id, owner in without}
        known = self._db.execute("SELECT writer, oid, reason FROM problems WHERE reason LIKE ?", (f"{NO_ROW}%",))
        for row in known.fetchall():
            if Problem(*row) not in told:
                self._db.execute("DELETE FROM problems WHERE (writer, oid, reason) = (?, ?, ?)", row)
        for each in sorted(told, key=lambda each: each.row):
            self.problem(each)

    @property
    def state(self) -> State:
        """What the index says as a whole, with what this transaction folded; after `finish`."""
        numbers = self._next_snapshot, self._next_trial
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


def _is_again(event: events.TrialEvent, trial: Trial, known: TrialRow) -> bool:
    """Whether an event is the one that a row is from, which an archive says again."""
    return (event.raw, event.saw, pack(trial)) == (known.raw, known.saw, known.row)


def _comes_first(trial: Trial, known: TrialRow) -> bool:
    """Which of two rows of one order, which only a broken writer makes, comes first: the lesser as JSON objects."""
    one, other = (msgspec.json.encode(each, order="sorted") for each in (trial, read_row(known.row)))
    return one < other


def _too_far(recorded: Recorded) -> Problem:
    """Return what is said of an event that is held back."""
    told = f"its clock is {recorded.event.clock:,}, far above the number of events, so it does not count"
    return Problem(recorded.writer, recorded.oid, told)


def _no_row(writer: str, exp_id: str) -> str:
    """Return what is said of a retraction by somebody who has no such row."""
    return f"{NO_ROW} {writer} has no {exp_id} there, so its word about one (retract) does not count"


def _roles(roles: Iterable[tuple[str, str]]) -> str:
    """Return roles as the index has them, in the order of a commit's trailers."""
    return msgspec.json.encode(dict(roles)).decode() if roles else "{}"
