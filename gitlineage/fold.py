"""
How trials and snapshots become rows of the index's tables; not where events are read or what is asked of the tables.

Layer 9. Every fold is commutative (the least order gives a thing its place, the greatest its state), so events may
arrive in any order and twice. New rows wait in memory and are written many at a time.
"""

import sqlite3
from functools import lru_cache
from typing import Any

import msgspec

from gitlineage import codec
from gitlineage.errors import CorruptEvent, LineageError, MissingObject
from gitlineage.facts import Facts, as_json, insert, placed
from gitlineage.gitformats import CommitInfo, is_oid
from gitlineage.gitrepo import GitRepo
from gitlineage.journal import Problem, Recorded
from gitlineage.links import Fresh, Links
from gitlineage.message import read_trailers, subject
from gitlineage.models import Order, Task
from gitlineage.state import State
from gitlineage.times import stamp
from gitlineage.trial import Trial, pack, split_number, unpack

WAITING = frozenset(("snapshots", "git_parents", "links", "joins", "passed", "trials", "changed"))
"""Tables whose new rows wait in memory."""

SHOWN = ("keep", "baseline")
"""Statuses of trials that refs are for."""

_WAITING = 5000
"""Snapshots and trials that wait at most before they are written."""

_REMEMBERED = 200_000
"""Snapshots whose numbers are kept in memory while a landing is folded."""

EVERYWHERE = 0
"""What stands for all snapshots among those of which something else is said than before."""

_PAGE = "SELECT id, row FROM trials WHERE id > ? ORDER BY id LIMIT ?"
_NUMBERED = "INSERT INTO numbered VALUES (?, ?) ON CONFLICT DO UPDATE SET highest = max(highest, excluded.highest)"
_CHANGED = "INSERT INTO changed (snapshot) VALUES (?)"


class Fold(Facts):
    """
    Folds events into one index.

    Args:
        connection: the index; what is written there is inside one transaction.
        repo: where commits are read from.
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
    ) -> None:
        super().__init__(connection)
        self._repo = repo
        self.task = state.task
        self.clock = state.clock
        self.done = state.done
        self.absent = state.absent
        self.whole = whole
        self.touched: set[int] = set()
        self.skipped: list[Problem] = []
        self._links = Links(connection, repo)
        self._numbers: dict[str, int] = {}
        self._next_snapshot = state.snapshot
        self._next_trial = state.trial
        self._written = self._next_snapshot
        self._snapshots: dict[str, tuple[Any, ...]] = {}
        self._parents: list[tuple[int, int, str]] = []
        self._fresh: list[Fresh] = []
        self._trials: dict[tuple[int, str], tuple[Any, ...]] = {}
        self._changed: set[int] = set()
        self._names: dict[str, list[str]] = {}
        self._cohorts: set[str] = set()
        self._highest = state.highest
        self._looked_at = 0
        self._backward = state.backward
        self._numbered: dict[str, int] = {}
        self._first: dict[str, str] = {}
        self.tips: dict[str, str] = {}

    # -- events --------------------------------------------------------------------------------------------

    def add(self, found: Recorded | Problem, trial: Trial | None = None, made: CommitInfo | None = None) -> None:
        """
        Fold one event, or note that a line is none.

        Args:
            found: what was found on a ref, or is about to land there.
            trial: the event's row, where the caller has it as a trial already, so that it need not be checked.
            made: the commit, where the caller has just made it.
        """
        if isinstance(found, Problem):
            self.problem(found)
            return
        event, oid = found.event, found.oid
        order = Order(event.clock, found.writer)
        self.raise_clock(event.clock)
        try:
            match event:
                case codec.TrialEvent():
                    if trial is None:
                        event.check()
                        trial = Trial.trusted(event.row)
                    self._trial(oid, event, order, trial, made)
                case codec.SnapshotEvent():
                    self._snapshot(oid, order, made)
                case codec.CohortEvent():
                    self.fold_cohort(oid, event, order)
                case codec.TaskEvent():
                    self._task(event, order)
                case codec.TableEvent():
                    values = (*placed(order), as_json(event.shape))
                    self._db.execute("INSERT OR IGNORE INTO tables VALUES (?, ?, ?)", values)
                case codec.SessionEvent():
                    self.fold_session(oid, event, order)
                case codec.ImportedEvent():
                    self.fold_imported(self._snapshot(oid, order, made), event, order)
                case codec.RewriteEvent():
                    self._rewrite(oid, event, order)
                case codec.RelationAdded() | codec.RelationDeprecated():
                    self.fold_relation(oid, event, order)
                case codec.EntryEvent():
                    self.fold_entry(oid, event, order)
                case codec.UsageEvent():
                    self.fold_usage(oid, event, order)
                case codec.ForgeEvent():
                    self.fold_forge(oid, event, order)
        except MissingObject as error:
            absent = error.oid if self._repo.lacks(error.oid, commit=True) else ""
            self.problem(Problem(found.writer, oid, str(error), absent))
        except LineageError as error:
            self.problem(Problem(found.writer, oid, str(error)))
        if len(self._trials) + len(self._snapshots) >= _WAITING:
            self.flush()

    def problem(self, found: Problem) -> None:
        """Note a line that is no event, or an object that this clone lacks, once."""
        if found.absent:
            values = (found.absent, found.writer, found.oid)
            self.absent += self._db.execute("INSERT OR IGNORE INTO absent VALUES (?, ?, ?)", values).rowcount
            return
        values = (found.writer, found.oid, found.reason)
        if self._db.execute("INSERT OR IGNORE INTO problems VALUES (?, ?, ?)", values).rowcount:
            self.skipped.append(found)

    def raise_clock(self, clock: int) -> None:
        """Take note of a clock that others go on from; one that is not plausible counts for its own writer only."""
        if self.clock < clock <= codec.PLAUSIBLE_CLOCK:
            self.clock = clock

    def _snapshot(self, oid: str, order: Order, made: CommitInfo | None) -> int:
        waiting = self._snapshots.get(oid)
        if waiting is not None:
            if order < Order(*waiting[9:]):
                self._snapshots[oid] = (*waiting[:9], *placed(order))
                self._looked_at = 0
            return int(waiting[0])
        known = None if made is not None and made.novel else self._number(oid)
        if known is not None:
            (place,) = self._db.execute("SELECT clock, writer FROM snapshots WHERE id = ?", (known,)).fetchall()
            if order < Order(*place):
                self._db.execute("UPDATE snapshots SET clock = ?, writer = ? WHERE id = ?", (*placed(order), known))
                self._backward = True
                self._changed.add(EVERYWHERE)
            return known
        info = made or self._repo.commit(oid)
        trailers = info.trailers or read_trailers(info.message)
        roles = msgspec.json.encode(dict(trailers.roles)).decode() if trailers.roles else "{}"  # in the trailers' order
        number = self._next_snapshot
        self._next_snapshot += 1
        cohort = trailers.cohort or None
        if cohort is not None:
            self._cohorts.add(cohort)
        said = (subject(info.message), info.author, stamp(info.time), trailers.exp_id, cohort, roles)
        self._snapshots[oid] = (number, oid, info.tree, *said, *placed(order))
        self._parents += [(number, at, parent) for at, parent in enumerate(info.parents)]
        if not self.whole:
            self._fresh.append(Fresh(number, oid, info.parents, info.novel))
            if len(self._numbers) >= _REMEMBERED:
                self._numbers.clear()
        self._numbers[oid] = number
        return number

    def _number(self, oid: str) -> int | None:
        """Return a snapshot's number; while everything is folded from nothing, all of them are in memory."""
        known = self._numbers.get(oid)
        if known is None and not self.whole:
            row = self._db.execute("SELECT id FROM snapshots WHERE oid = ?", (oid,)).fetchone()
            known = int(row[0]) if row else None
        return known

    def _trial(self, oid: str, event: codec.TrialEvent, order: Order, trial: Trial, made: CommitInfo | None) -> None:
        """Fold a row: completed beats pending, then the later revision holds; the first completion gives the place."""
        snapshot = self._snapshot(oid, order, made)
        # a further trial, or a result, may put another one first
        self._first[oid] = trial.exp_id if made is not None and made.novel else ""
        exp_id = trial.exp_id
        known = self._known(snapshot, exp_id)
        status = trial.status.value if trial.status else None
        done = status is not None
        if snapshot < self._written:
            self._changed.add(snapshot)
        is_shared = False
        if known is None:
            is_shared = not self.whole and not self.is_beyond(exp_id) and self._is_named(exp_id)
            number, place = self._next_trial, order
            self._next_trial += 1
            self._names.setdefault(exp_id, []).append(oid)
            self.done += done
        else:
            number, was_done, was = known[0], known[4] is not None, Order(known[11], known[12])
            place = min(order, was) if done == was_done else (order if done else was)
            if (done, order) < (was_done, Order(known[13], known[14])):
                self._trials[snapshot, exp_id] = (*known[:11], *placed(place), *known[13:])
                return
            self.done += done and not was_done
        exp_number = _number(exp_id)
        if exp_number is not None:
            if exp_number > self._highest:
                self._highest = exp_number
        elif (numbered := split_number(exp_id)) is not None and numbered[1] > self._numbered.get(numbered[0], -1):
            self._numbered[numbered[0]] = numbered[1]
        cells = (exp_number, status, trial.specialist, trial.parent_exp, self._rank(trial), pack(trial))
        orders = (*placed(place), *placed(order))
        self._trials[snapshot, exp_id] = (number, snapshot, exp_id, *cells, event.raw, event.saw, *orders)
        if not self.whole and (known is not None or status in SHOWN or is_shared):
            self.touched.add(number)

    def _is_named(self, exp_id: str) -> bool:
        """Whether a trial on another snapshot has an exp id, whose label then is another from now on."""
        if exp_id in self._names:
            return True
        return self._db.execute("SELECT 1 FROM trials WHERE exp_id = ? LIMIT 1", (exp_id,)).fetchone() is not None

    def _known(self, snapshot: int, exp_id: str) -> tuple[Any, ...] | None:
        """Return the row of a trial that was folded before."""
        waiting = self._trials.get((snapshot, exp_id))
        if waiting is not None or snapshot >= self._written:
            return waiting
        sql = "SELECT * FROM trials WHERE snapshot = ? AND exp_id = ?"
        known: tuple[Any, ...] | None = self._db.execute(sql, (snapshot, exp_id)).fetchone()
        return known

    def _rewrite(self, oid: str, event: codec.RewriteEvent, order: Order) -> None:
        if not is_oid(event.old) or event.old == oid:
            raise CorruptEvent(f"not an event: nothing can be rewritten from {event.old[:50]!r}")
        self._snapshot(oid, order, None)
        self._db.execute("INSERT OR IGNORE INTO rewrites VALUES (?, ?)", (oid, event.old))

    def _task(self, event: codec.TaskEvent, order: Order) -> None:
        found = self._db.execute("SELECT value FROM meta WHERE key = 'task_order'").fetchone()
        if found and order <= msgspec.json.decode(found[0], type=Order):
            return
        for key, value in (("task", event.task), ("task_order", order)):
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, as_json(value)))
        self.task = event.task
        self.flush()
        upto = 0
        while rows := self._db.execute(_PAGE, (upto, _WAITING)).fetchall():
            upto = rows[-1][0]
            ranks = [(self._rank(read_row(row)), number) for number, row in rows]
            self._db.executemany("UPDATE trials SET rank = ? WHERE id = ?", ranks)

    def _rank(self, trial: Trial) -> float | None:
        """Return a score turned so that the lowest is the best."""
        task = self.task or Task()
        score = task.score(trial)
        return score if score is None or task.lower_is_better else -score

    # -- what waits ----------------------------------------------------------------------------------------

    def waiting(self, exp_id: str) -> list[str]:
        """Return the snapshots of trials with an exp id that wait to be written."""
        return self._names.get(exp_id, [])

    def tree(self, oid: str) -> str | None:
        """Return the tree of a snapshot that waits to be written."""
        waiting = self._snapshots.get(oid)
        return waiting[2] if waiting is not None else None

    def first(self, oid: str) -> str | None:
        """Return the first exp id on a snapshot, empty where only the tables can say; ``None`` where no trial waits."""
        return self._first.get(oid)

    def awaits_member(self, cohort: str) -> bool:
        """Whether a snapshot of a cohort waits to be written."""
        return cohort in self._cohorts

    def is_beyond(self, exp_id: str) -> bool:
        """Whether an exp id is a number above all that there are."""
        number = _number(exp_id)
        return number is not None and number > self._highest

    @property
    def highest(self) -> int:
        """The highest number that an exp id is; -1 for none."""
        return self._highest

    def highest_after(self, prefix: str) -> int:
        """Return the highest number after a prefix in an exp id that this transaction folded; -1 for none."""
        return self._numbered.get(prefix, -1)

    def flush(self) -> None:
        """Write what waits, so that the tables can be asked."""
        if self._snapshots:
            insert(self._db, "INSERT INTO snapshots", 11, self._snapshots.values())
            insert(self._db, "INSERT INTO git_parents", 3, self._parents)
            fresh, self._fresh = self._fresh, []
            first, self._written = self._written, self._next_snapshot
            self._snapshots.clear()
            self._cohorts.clear()
            self._parents.clear()
            if not self.whole:
                between = self._links.add(fresh, self._numbers)
                self._changed |= between
                self._backward = self._backward or bool(between) or self._links_lead_back(first)
        if self._trials:
            insert(self._db, "INSERT OR REPLACE INTO trials", 15, self._trials.values())
            self._trials.clear()
            self._names.clear()
            self._first.clear()
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
        backward = self.leads_back()
        if self._numbered:
            self._db.executemany(_NUMBERED, self._numbered.items())
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", [("clock", self.clock), ("done", self.done)])
        if self.absent:
            values = ("shallow", self._repo.boundary())
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", values)
        if backward:
            self._db.execute("INSERT OR IGNORE INTO hints VALUES ('backward', 1)")

    @property
    def state(self) -> State:
        """What the index says as a whole, with what this transaction folded; after `finish`."""
        numbers = self._next_snapshot, self._next_trial, self._highest
        return State(self.task, self.clock, self.done, self._backward, *numbers, self.absent)

    def leads_back(self) -> bool:
        """Whether some snapshot was, or may have been, recorded before one that it goes back to."""
        self.flush()
        if not self._backward:
            self._backward = any(self._relation_leads_back(*pair) for pair in self._related[self._looked_at :])
            self._looked_at = len(self._related)
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
        found = self._db.execute(sql, (source, target)).fetchone()
        if found is None:  # a forge attempt leads nowhere
            return self._db.execute("SELECT 1 FROM forges WHERE oid = ?", (target,)).fetchone() is None
        return not found[0]


@lru_cache(maxsize=4096)
def read_row(row: str, oid: str = "") -> Trial:
    """Return a trial from the index's text of its cells, with the snapshot that it is on where it is handed out."""
    return unpack(row, oid)


def _number(exp_id: str) -> int | None:
    """Return the number that an exp id is, if it is one."""
    return int(exp_id) if exp_id.isascii() and exp_id.isdecimal() and len(exp_id) < 16 else None
