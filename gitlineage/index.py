"""
The index: all writers' events folded into SQLite tables; a cache, never the truth, and not the questions asked of it.

Layer 5. It may be deleted at any time. Every fold is commutative (the least order gives a thing its place, the greatest
its state), so events may arrive in any order and twice. `FORMAT_VERSION` and the writers' tips say whether it is
current; an index in memory is the same thing without a file.
"""

import os
import re
import secrets
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from gitlineage import codec
from gitlineage.errors import Invalid, LineageError
from gitlineage.gitrepo import CommitInfo, GitRepo
from gitlineage.journal import Journal, Problem, Recorded
from gitlineage.message import read_trailers, subject
from gitlineage.models import Order, Task
from gitlineage.trial import Trial

FORMAT_VERSION = 3
# 1: the first one
# 2: numbers of exp ids, how many trials have a result, which rows were revised
# 3: fewer indexes on trials, cohorts by clock

_CACHE = 64 * 1024
"""Pages that SQLite may hold in memory (KiB), so that a large landing is not read back while it is written."""

JOIN_LIMIT = 256
"""Unrecorded commits that a walk to the nearest recorded ancestor visits at most (design 4)."""

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE tips (writer TEXT PRIMARY KEY, oid TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE snapshots (
    id INTEGER PRIMARY KEY, oid TEXT NOT NULL UNIQUE, tree TEXT NOT NULL, subject TEXT NOT NULL, author TEXT NOT NULL,
    time TEXT NOT NULL, exp_id TEXT NOT NULL, cohort TEXT, roles TEXT NOT NULL, clock INTEGER NOT NULL,
    writer TEXT NOT NULL);
CREATE INDEX snapshots_by_tree ON snapshots (tree);
CREATE INDEX snapshots_by_cohort ON snapshots (cohort, clock, writer) WHERE cohort IS NOT NULL;
CREATE TABLE git_parents (child INTEGER, pos INTEGER, parent TEXT NOT NULL, PRIMARY KEY (child, pos)) WITHOUT ROWID;
CREATE INDEX git_parents_by_parent ON git_parents (parent);
CREATE TABLE links (child INTEGER, parent INTEGER, pos INTEGER, PRIMARY KEY (child, parent)) WITHOUT ROWID;
CREATE INDEX links_by_parent ON links (parent, child);
CREATE TABLE joins (start TEXT, snapshot INTEGER, PRIMARY KEY (start, snapshot)) WITHOUT ROWID;
CREATE TABLE passed (through TEXT, start TEXT, PRIMARY KEY (through, start)) WITHOUT ROWID;
CREATE INDEX passed_by_start ON passed (start);
CREATE TABLE trials (
    id INTEGER PRIMARY KEY, snapshot INTEGER NOT NULL, exp_id TEXT NOT NULL, number INTEGER, status TEXT,
    specialist TEXT NOT NULL, parent_cell TEXT NOT NULL, rank REAL, row TEXT NOT NULL,
    raw TEXT NOT NULL, saw TEXT NOT NULL, clock INTEGER NOT NULL, writer TEXT NOT NULL, last_clock INTEGER NOT NULL,
    last_writer TEXT NOT NULL,
    UNIQUE (snapshot, exp_id));
CREATE INDEX trials_by_exp_id ON trials (exp_id);
CREATE INDEX trials_by_number ON trials (number) WHERE number IS NOT NULL;
CREATE INDEX trials_by_order ON trials (clock, writer);
CREATE INDEX trials_baseline ON trials (clock, writer) WHERE status = 'baseline';
CREATE INDEX trials_by_specialist ON trials (specialist, clock, writer);
CREATE INDEX trials_eligible ON trials (rank, clock, writer)
    WHERE status IN ('keep', 'baseline') AND rank IS NOT NULL;
CREATE INDEX trials_kept ON trials (rank, clock, writer) WHERE status = 'keep';
CREATE TABLE revised (id INTEGER PRIMARY KEY);
CREATE TABLE cohorts (
    oid TEXT PRIMARY KEY, name TEXT NOT NULL, base TEXT NOT NULL, metadata TEXT NOT NULL, allow_mixed INTEGER NOT NULL,
    at TEXT NOT NULL, clock INTEGER NOT NULL, writer TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX cohorts_by_name ON cohorts (name);
CREATE INDEX cohorts_by_clock ON cohorts (clock);
CREATE TABLE sessions (
    oid TEXT PRIMARY KEY, specialist TEXT NOT NULL, clock INTEGER NOT NULL, writer TEXT NOT NULL, at TEXT NOT NULL)
    WITHOUT ROWID;
CREATE INDEX sessions_by_specialist ON sessions (specialist, clock);
CREATE TABLE tables (clock INTEGER, writer TEXT, shape TEXT NOT NULL, PRIMARY KEY (clock, writer)) WITHOUT ROWID;
CREATE TABLE problems (writer TEXT, oid TEXT, reason TEXT, PRIMARY KEY (writer, oid, reason)) WITHOUT ROWID;
"""


_TABLES = frozenset(re.findall(r"CREATE TABLE (\w+)", _SCHEMA))
_row_decoder = msgspec.json.Decoder(dict[str, str])


class Damaged(Exception):
    """The index's file is not what it should be; whoever sees this rebuilds it."""


class Index:
    """
    The folded events of one repository.

    Args:
        repo: where commits are read from.
        path: the index's file, or ``None`` for one in memory.

    Raises:
        Damaged: the file is no index of this version.
        sqlite3.OperationalError: the file cannot be opened or written.
    """

    def __init__(self, repo: GitRepo, path: Path | None) -> None:
        self._repo = repo
        self.path = path
        self._fresh: list[tuple[int, str, tuple[str, ...], bool]] = []
        self._clock: int | None = None
        self._done = 0
        self._task_now: Task | None = None
        self.touched: set[int] = set()
        self.opened: set[str] = set()
        self.skipped: list[Problem] = []
        self._file = _file_behind(path) if path is not None else None
        self.connection = sqlite3.connect(self._file or ":memory:", isolation_level=None, timeout=30)
        try:
            self._prepare()
        except BaseException:
            self.connection.close()
            raise

    def _prepare(self) -> None:
        with _damage():
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = NORMAL")
            self.connection.execute("PRAGMA temp_store = MEMORY")
            self.connection.execute(f"PRAGMA cache_size = -{_CACHE}")
            version = self.connection.execute("PRAGMA user_version").fetchone()[0]
            tables = {
                name for (name,) in self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
            if version == FORMAT_VERSION and (missing := _TABLES - tables):
                raise Damaged(f"no such table: {', '.join(sorted(missing))}")
            if version == FORMAT_VERSION:
                return
            if version or self.connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                raise Damaged(f"it has format {version}, this program writes {FORMAT_VERSION}")
            self.connection.execute("BEGIN IMMEDIATE")
            if self.connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in _SCHEMA.split(";\n"):
                    self.connection.execute(statement)
                self.connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
            self.connection.execute("COMMIT")

    def is_replaced(self) -> bool:
        """Whether another file stands at the index's place by now, because it was deleted or rebuilt."""
        return self.path is not None and _target(self.path) != self._file

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    # -- asking --------------------------------------------------------------------------------------------

    def rows(self, sql: str, *values: object) -> list[Any]:
        """Return the rows of a query."""
        try:
            return self.connection.execute(sql, values).fetchall()
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise _ours(error) from error

    def one(self, sql: str, *values: object) -> Any:
        """Return the first row of a query, or ``None``."""
        try:
            return self.connection.execute(sql, values).fetchone()
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise _ours(error) from error

    def tips(self) -> dict[str, str]:
        """Return the writers' tips that the index has folded."""
        return dict(self.rows("SELECT writer, oid FROM tips"))

    @property
    def clock(self) -> int:
        """The highest clock of any event."""
        if self._clock is not None:
            return self._clock
        found = self.one("SELECT value FROM meta WHERE key = 'clock'")
        return int(found[0]) if found else 0

    @property
    def done(self) -> int:
        """How many trials have a result."""
        if self._clock is not None:
            return self._done
        found = self.one("SELECT value FROM meta WHERE key = 'done'")
        return int(found[0]) if found else 0

    @property
    def task(self) -> Task | None:
        """The campaign's task, or ``None`` while nobody has set it."""
        if self._clock is not None:
            return self._task_now
        found = self.one("SELECT value FROM meta WHERE key = 'task'")
        return msgspec.json.decode(found[0], type=Task) if found else None

    # -- folding -------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Fold inside this, all or nothing; links are made when it ends."""
        with _damage():
            self.connection.execute("BEGIN IMMEDIATE")
        self._task_now, self._done = self.task, self.done
        self._clock = self.clock
        try:
            with _damage():
                yield
                self.link()
                self.connection.executemany(
                    "INSERT OR REPLACE INTO meta VALUES (?, ?)", [("clock", self._clock), ("done", self._done)]
                )
                self.connection.execute("COMMIT")
        except BaseException:
            self._fresh.clear()
            self.touched.clear()
            self.opened.clear()
            with suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")
            raise
        finally:
            self._clock = None

    def refresh(self, journal: Journal, advance: Callable[[int], None] | None = None) -> bool:
        """
        Fold what is new on the writers' refs, with one transaction for all.

        A writer whose ref cannot be read is reported as a problem and stops nobody else.

        Args:
            journal: the refs.
            advance: called with the number of events folded since the last call.

        Returns:
            False when a ref went away or back: only a rebuild can forget events.
        """
        with self.transaction():
            tips, known = journal.tips(), self.tips()
            if any(writer not in tips for writer in known):
                return False
            for writer, tip in tips.items():
                since = known.get(writer)
                if since == tip:
                    continue
                if since is not None and not journal.is_ahead(tip, since):
                    return False
                try:
                    self._fold_writer(journal, writer, tip, since, advance)
                    self.set_tip(writer, tip, journal.clock(tip))
                except LineageError as error:
                    self._problem(Problem(writer, tip, str(error)))
                    self.set_tip(writer, tip, 0)
        return True

    def _fold_writer(
        self, journal: Journal, writer: str, tip: str, since: str | None, advance: Callable[[int], None] | None
    ) -> None:
        count = 0
        for found in journal.read(writer, tip, since):
            self.fold(found)
            count += 1
            if advance and count % 500 == 0:
                advance(500)
        if advance:
            advance(count % 500)

    def set_tip(self, writer: str, tip: str, clock: int) -> None:
        """Note that a writer's ref has been folded up to here."""
        self.connection.execute("INSERT OR REPLACE INTO tips VALUES (?, ?)", (writer, tip))
        self._raise_clock(clock)

    def fold(self, found: Recorded | Problem, trial: Trial | None = None, made: CommitInfo | None = None) -> None:
        """
        Fold one event, or note that a line is none.

        Args:
            found: what was found on a ref, or is about to land there.
            trial: the event's row, where the caller has it as a trial already.
            made: the commit, where the caller has just made it.
        """
        if isinstance(found, Problem):
            self._problem(found)
            return
        event, oid = found.event, found.oid
        order = Order(event.clock, found.writer)
        self._raise_clock(event.clock)
        try:
            match event:
                case codec.TrialEvent():
                    self._trial(oid, event, order, trial or event.trial(), made)
                case codec.SnapshotEvent():
                    self._snapshot(oid, order, made)
                case codec.CohortEvent():
                    self._cohort(oid, event, order)
                case codec.TaskEvent():
                    self._task(event, order)
                case codec.TableEvent():
                    values = (*_key(order), _json(event.shape))
                    self.connection.execute("INSERT OR IGNORE INTO tables VALUES (?, ?, ?)", values)
                case codec.SessionEvent():
                    self._session(oid, event, order)
        except LineageError as error:
            self._problem(Problem(found.writer, oid, str(error)))

    def _problem(self, found: Problem) -> None:
        values = (found.writer, found.oid, found.reason)
        if self.connection.execute("INSERT OR IGNORE INTO problems VALUES (?, ?, ?)", values).rowcount:
            self.skipped.append(found)

    def _raise_clock(self, clock: int) -> None:
        if self._clock is None or clock > self._clock:
            self._clock = clock

    def _snapshot(self, oid: str, order: Order, made: CommitInfo | None) -> int:
        known = self.connection.execute("SELECT id, clock, writer FROM snapshots WHERE oid = ?", (oid,)).fetchone()
        if known:
            if order < Order(known[1], known[2]):
                self.connection.execute(
                    "UPDATE snapshots SET clock = ?, writer = ? WHERE id = ?", (*_key(order), known[0])
                )
            return int(known[0])
        info = made or self._repo.commit(oid)
        trailers = read_trailers(info.message)
        roles = msgspec.json.encode(dict(trailers.roles)).decode()  # in the order of the trailers
        time = _utc(info.time)
        said = (subject(info.message), info.author, time, trailers.exp_id, trailers.cohort or None, roles)
        cursor = self.connection.execute(
            "INSERT INTO snapshots VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (oid, info.tree, *said, *_key(order))
        )
        sid = int(cursor.lastrowid or 0)
        self.connection.executemany(
            "INSERT INTO git_parents VALUES (?, ?, ?)", [(sid, at, parent) for at, parent in enumerate(info.parents)]
        )
        self._fresh.append((sid, oid, info.parents, info.novel))
        return sid

    def _trial(self, oid: str, event: codec.TrialEvent, order: Order, trial: Trial, made: CommitInfo | None) -> None:
        """Fold a row: completed beats pending, then the later revision holds; the first completion gives the place."""
        snapshot = self._snapshot(oid, order, made)
        known = self.connection.execute(
            "SELECT id, status, clock, writer, last_clock, last_writer FROM trials WHERE snapshot = ? AND exp_id = ?",
            (snapshot, trial.exp_id),
        ).fetchone()
        status = trial.status.value if trial.status else None
        place = order
        if known:
            self.connection.execute("INSERT OR IGNORE INTO revised VALUES (?)", (known[0],))
            was, done, was_done = Order(known[2], known[3]), status is not None, known[1] is not None
            place = min(order, was) if done == was_done else (order if done else was)
            if (done, order) < (was_done, Order(known[4], known[5])):
                self.connection.execute(
                    "UPDATE trials SET clock = ?, writer = ? WHERE id = ?", (*_key(place), known[0])
                )
                return
        cells = (trial.exp_id, _number(trial.exp_id), status, trial.specialist, trial.parent_exp, self._rank(trial))
        values = (snapshot, *cells, _json(event.row), event.raw, event.saw, *_key(place), *_key(order))
        cursor = self.connection.execute(
            "INSERT OR REPLACE INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (known[0] if known else None, *values),
        )
        self.touched.add(int(cursor.lastrowid or 0))
        if status is not None and (not known or known[1] is None):
            self._done += 1

    def _cohort(self, oid: str, event: codec.CohortEvent, order: Order) -> None:
        if self._is_earliest("cohorts", oid, order):
            self.opened.add(event.name)
            self.connection.execute(
                "INSERT OR REPLACE INTO cohorts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (oid, event.name, _json(event.base), _json(event.metadata), event.allow_mixed, event.at, *_key(order)),
            )

    def _session(self, oid: str, event: codec.SessionEvent, order: Order) -> None:
        if self._is_earliest("sessions", oid, order):
            values = (oid, event.specialist, *_key(order), event.at)
            self.connection.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?)", values)

    def _is_earliest(self, table: str, oid: str, order: Order) -> bool:
        """Whether an event comes before what a table holds of the same commit."""
        known = self.connection.execute(f"SELECT clock, writer FROM {table} WHERE oid = ?", (oid,)).fetchone()
        return known is None or order < Order(*known)

    def _task(self, event: codec.TaskEvent, order: Order) -> None:
        found = self.connection.execute("SELECT value FROM meta WHERE key = 'task_order'").fetchone()
        if found and order <= msgspec.json.decode(found[0], type=Order):
            return
        for key, value in (("task", event.task), ("task_order", order)):
            self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, _json(value)))
        self._task_now = event.task
        rows = self.connection.execute("SELECT row, id FROM trials").fetchall()
        ranks = [(self._rank(read_row(row)), key) for row, key in rows]
        self.connection.executemany("UPDATE trials SET rank = ? WHERE id = ?", ranks)

    def _rank(self, trial: Trial) -> float | None:
        """Return a score turned so that the lowest is the best."""
        task = self._task_now or Task()
        score = task.score(trial)
        return score if score is None or task.lower_is_better else -score

    # -- links ---------------------------------------------------------------------------------------------

    def link(self) -> None:
        """Join the snapshots folded since the last call to their nearest recorded ancestors and descendants."""
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, []
        again: set[int] = set()
        for _, oid, _, is_new in fresh:
            if is_new:
                continue
            starts = self.connection.execute("SELECT start FROM passed WHERE through = ?", (oid,)).fetchall()
            for (start,) in starts:
                self.connection.execute("DELETE FROM passed WHERE start = ?", (start,))
                self.connection.execute("DELETE FROM joins WHERE start = ?", (start,))
            for start in {oid, *(start for (start,) in starts)}:
                children = self.connection.execute("SELECT child FROM git_parents WHERE parent = ?", (start,))
                again.update(child for (child,) in children)
        for sid, _, parents, _ in fresh:
            self._link(sid, enumerate(parents))
        for child in again.difference(sid for sid, *_ in fresh):
            self.connection.execute("DELETE FROM links WHERE child = ?", (child,))
            above = self.connection.execute("SELECT pos, parent FROM git_parents WHERE child = ?", (child,))
            self._link(child, above.fetchall())

    def _link(self, child: int, parents: Iterable[tuple[int, str]]) -> None:
        for pos, oid in parents:
            for parent in self._nearest(oid):
                self.connection.execute("INSERT OR IGNORE INTO links VALUES (?, ?, ?)", (child, parent, pos))

    def _nearest(self, oid: str) -> list[int]:
        """Return the recorded snapshots that a commit leads up to first, and remember the way to them."""
        if known := self._id(oid):
            return [known]
        if self.connection.execute("SELECT 1 FROM passed WHERE through = ? AND start = ?", (oid, oid)).fetchone():
            joined = self.connection.execute("SELECT snapshot FROM joins WHERE start = ?", (oid,))
            return [snapshot for (snapshot,) in joined]
        found, seen = self._walk_up(oid)
        self.connection.executemany("INSERT INTO passed VALUES (?, ?)", [(through, oid) for through in seen])
        self.connection.executemany("INSERT INTO joins VALUES (?, ?)", [(oid, snapshot) for snapshot in found])
        return found

    def nearest(self, oid: str) -> list[int]:
        """Return the numbers of the recorded snapshots that an unrecorded commit leads up to first."""
        return self._walk_up(oid)[0]

    def _walk_up(self, oid: str) -> tuple[list[int], list[str]]:
        """Return the recorded snapshots above an unrecorded commit, and the unrecorded ones on the way."""
        found: dict[int, None] = {}
        seen = {oid: None}
        queue = deque([oid])
        while queue and len(seen) <= JOIN_LIMIT:
            for parent in self._repo.parents(queue.popleft()):
                if known := self._id(parent):
                    found[known] = None
                elif parent not in seen:
                    seen[parent] = None
                    queue.append(parent)
        return list(found), list(seen)

    def _id(self, oid: str) -> int | None:
        found = self.connection.execute("SELECT id FROM snapshots WHERE oid = ?", (oid,)).fetchone()
        return int(found[0]) if found else None


def build(
    repo: GitRepo, journal: Journal, tips: Mapping[str, str], until: Callable[[Recorded], bool] | None = None
) -> Index:
    """Return an index in memory of all events, or of those that a rule lets through."""
    index = Index(repo, None)
    with index.transaction():
        for writer, tip in tips.items():
            with suppress(LineageError):
                for found in journal.read(writer, tip):
                    if until is None or isinstance(found, Problem) or until(found):
                        index.fold(found)
            index.set_tip(writer, tip, 0)
    return index


def read_row(row: str) -> Trial:
    """Return a trial from the index's text of its cells."""
    return Trial.trusted(_row_decoder.decode(row))


def delete(path: Path) -> None:
    """Delete an index; whoever has it open keeps what it has until its next look."""
    path.unlink(missing_ok=True)
    for pattern in (f"{path.stem}-*{path.suffix}*", f".{path.stem}-*.link"):
        for old in path.parent.glob(pattern):
            old.unlink(missing_ok=True)


def _file_behind(path: Path) -> Path:
    """
    Return the file that an index's name stands for, a new one where it stands for none.

    The name is a symbolic link to a file that is never used twice: SQLite finds its write-ahead log by name, and two
    generations of an index under one name would read each other's.
    """
    found = _target(path)
    if found is not None and found.exists():
        return found
    new = path.with_name(f"{path.stem}-{secrets.token_hex(6)}{path.suffix}")
    if path.exists() and not path.is_symlink():
        path.rename(new)  # a copy of the repository that followed the link
    link = path.with_name(f".{new.name}.link")
    link.symlink_to(new.name)
    link.replace(path)
    return new


def _target(path: Path) -> Path | None:
    try:
        return path.with_name(os.readlink(path))
    except OSError:
        return None


@contextmanager
def _damage() -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except (sqlite3.Error, UnicodeEncodeError) as error:
        raise _ours(error) from error


def _ours(error: Exception) -> Exception:
    """Tell a broken file, which can be rebuilt, from one that is busy, full or read-only, and from bad text."""
    if isinstance(error, UnicodeEncodeError):
        return Invalid(f"this is not valid Unicode text: {error}")
    if isinstance(error, sqlite3.OperationalError):
        broken = any(word in str(error) for word in ("no such table", "no such column", "malformed"))
        return Damaged(str(error)) if broken else error
    if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return error
    return Damaged(str(error))


@lru_cache(maxsize=16)
def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(value: object) -> str:
    """Return a value as JSON with sorted keys, so that equal values are equal texts."""
    return msgspec.json.encode(value, order="sorted").decode()


def _number(exp_id: str) -> int | None:
    """Return the number that an exp id is, if it is one."""
    return int(exp_id) if exp_id.isascii() and exp_id.isdecimal() and len(exp_id) < 16 else None


def _key(order: Order) -> tuple[int, str]:
    return order.clock, order.writer


__all__ = ["FORMAT_VERSION", "Damaged", "Index", "build", "delete", "read_row"]
