"""
The index, a cache: what was folded, asked and brought up to date; start at `Index`.

The writers' tips say whether it is current. Each landing writes what it folded when it ends.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from gitlineage.errors import Incomplete, LineageError
from gitlineage.git.formats import CommitInfo
from gitlineage.git.repository import GitRepo
from gitlineage.index.database import (
    CACHE,
    LARGE_CACHE,
    MANY,
    Damaged,
    Database,
    damage,
    delete,
    ours,
    parts,
    read_row,
)
from gitlineage.index.schema import INDEX_NAMES, INDEXES
from gitlineage.index.state import State, read_state
from gitlineage.journal.journal import Journal, Problem, Recorded, is_archive
from gitlineage.later import later
from gitlineage.model.records import Task
from gitlineage.model.trial import Trial

if TYPE_CHECKING:
    from gitlineage.index import fold as folding
    from gitlineage.index.fold import Fold
    from gitlineage.journal import archive
    from gitlineage.journal import events as codec
    from gitlineage.journal.speakers import Speakers
else:  # what an index that is current does not need
    folding = later("gitlineage.index.fold")
    archive, codec = later("gitlineage.journal", "archive", "events")

P = ParamSpec("P")
R = TypeVar("R")

_FOLLOW = """
UPDATE clocks SET at = (SELECT at FROM twice t WHERE (t.clock, t.writer) = (clocks.clock, clocks.writer))
WHERE (writer, at) = (?, ?) AND EXISTS (SELECT 1 FROM twice t WHERE (t.clock, t.writer) = (clocks.clock, clocks.writer))
"""
_FOLLOWED = """
DELETE FROM twice WHERE writer = ? AND EXISTS
(SELECT 1 FROM clocks c WHERE (c.clock, c.writer, c.at) = (twice.clock, twice.writer, twice.at))
"""

_NAMED = 100
"""Objects that this clone lacks which are looked for again, and named in an error."""

_TELL = 500
"""Events between two words about how far a build is."""


def _gated(method: "Callable[Concatenate[Any, P], R]") -> "Callable[Concatenate[Any, P], R]":
    """Have one thread at a time ask what is partly folded."""

    @wraps(method)
    def wrapper(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.file.gate:
            return method(self, *args, **kwargs)

    return wrapper


class Index:
    """
    The folded events of one repository.

    Args:
        path: the index's file, or ``None`` for one in memory.
        spills: whether one in memory takes little of that, and the disk for what is more.

    Raises:
        Damaged: the file is no index of this version.
        sqlite3.OperationalError: the file cannot be opened or written.
    """

    def __init__(
        self, repo: GitRepo, path: Path | None, speakers: "Speakers | None" = None, *, spills: bool = False
    ) -> None:
        self.file = Database(path, repo.modes, spills=spills)
        self._cache = CACHE if spills else LARGE_CACHE
        self.speakers = speakers
        """Whose words count; ``None`` for everybody's."""

        self.overturned = False
        """Whether what came last shows that something was folded as another writer's than it is."""

        self._repo = repo
        self._fold: Fold | None = None
        self.touched: set[int] = set()
        self.opened: set[str] = set()
        self.skipped: list[Problem] = []
        self.built = False
        self._known: tuple[int, State] | None = None
        self.generation = 0
        """Another number whenever something else may have been folded than this store's own landings."""

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    # -- asking --------------------------------------------------------------------------------------------

    def rows(self, sql: str, *values: object) -> list[Any]:
        """Return the rows of a query."""
        with self.file.gate:
            self._write_out()
            return self.file.all(sql, *values)

    def each(self, sql: str, *values: object) -> Iterator[Any]:
        """Return the rows of a query one by one, inside `steady`."""
        with damage():
            cursor = self.file.connection.execute(sql, values)
            while rows := cursor.fetchmany(MANY):
                yield from rows

    def one(self, sql: str, *values: object) -> Any:
        """Return the first row of a query, or ``None``."""
        with self.file.gate:
            self._write_out()
            return self.file.first(sql, *values)

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Have all questions inside answered as of one moment, whatever others record meanwhile; none may record."""
        with self.file.gate:
            self._write_out()
            if self.is_folding or self.file.connection.in_transaction:
                yield
                return
            with damage():
                self.file.connection.execute("BEGIN")
            try:
                yield
            finally:
                with suppress(sqlite3.Error):  # it may be closed by now
                    self.file.connection.execute("ROLLBACK")

    def grouped(self, sql: str, keys: Collection[Any]) -> dict[Any, list[tuple[Any, ...]]]:
        """
        Return the rows of a query for many keys, grouped by their first column, without it.

        Args:
            sql: the query, with ``{}`` in the place of the keys.
            keys: what to ask for.
        """
        groups: dict[Any, list[tuple[Any, ...]]] = {}
        for part in parts(list(keys)):
            for key, *rest in self.rows(sql.format(", ".join("?" * len(part))), *part):
                groups.setdefault(key, []).append(tuple(rest))
        return groups

    @_gated
    def tips(self) -> dict[str, str]:
        """Return the writers' tips that the index has folded."""
        written = dict(self.rows("SELECT writer, oid FROM tips"))
        return {**written, **self._fold.tips} if self._fold is not None else written

    def snapshots_of(self, exp_id: str) -> list[str]:
        """Return the snapshots of the trials with an exp id."""
        sql = "SELECT DISTINCT s.oid FROM trials t JOIN snapshots s ON s.id = t.snapshot WHERE t.exp_id = ?"
        return [oid for (oid,) in self.rows(sql, exp_id)]

    def members(self, cohort: str) -> list[str]:
        """Return the snapshots of a cohort in recording order."""
        return self.members_of([cohort]).get(cohort, [])

    def members_of(self, cohorts: Collection[str]) -> dict[str, list[str]]:
        """Return the snapshots of some cohorts in recording order, by cohort; nothing of those without."""
        sql = "SELECT cohort, oid FROM snapshots WHERE cohort IN ({}) ORDER BY cohort, clock, writer, oid"
        return {cohort: [oid for (oid,) in rows] for cohort, rows in self.grouped(sql, cohorts).items()}

    def tree(self, oid: str) -> str | None:
        """Return the tree of a snapshot."""
        row = self.one("SELECT tree FROM snapshots WHERE oid = ?", oid)
        return str(row[0]) if row else None

    def first_exp_id(self, oid: str) -> str | None:
        """Return the exp id of the first trial on a snapshot."""
        row = self.one(
            "SELECT exp_id FROM trials WHERE snapshot = (SELECT id FROM snapshots WHERE oid = ?) "
            "ORDER BY guest, clock, writer, exp_id, row LIMIT 1",
            oid,
        )
        return str(row[0]) if row else None

    def has_exp_id(self, exp_id: str) -> bool:
        """Whether any trial has this exp id."""
        return self.one("SELECT 1 FROM trials WHERE exp_id = ?", exp_id) is not None

    @_gated
    def highest_number(self, prefix: str = "") -> int:
        """
        Return the highest number that an exp id is, -1 for none.

        Args:
            prefix: what is before the number; one that ends in a digit is before none.
        """
        row = self.file.first("SELECT highest FROM numbered WHERE prefix = ?", prefix)
        return max(int(row[0]) if row else -1, self._fold.highest_after(prefix) if self._fold is not None else -1)

    @property
    def is_folding(self) -> bool:
        """Whether something is being folded, so that what is read may be undone."""
        return self._fold is not None

    @property
    @_gated
    def leads_back(self) -> bool:
        """Whether some snapshot was, or may have been, recorded before one that it goes back to."""
        return self._fold.leads_back() if self._fold is not None else self._asked().backward

    @property
    @_gated
    def clock(self) -> int:
        """The highest clock of an event that counts, which what is recorded next goes on from."""
        return self._fold.clock if self._fold is not None else self._asked().clock

    @property
    @_gated
    def events(self) -> int:
        """How many events there are; a clock may be so much higher, and a little more (`events.AHEAD`)."""
        return self._fold.events if self._fold is not None else self._asked().events

    @property
    @_gated
    def done(self) -> int:
        """How many trials have a result."""
        return self._fold.done if self._fold is not None else self._asked().done

    @property
    @_gated
    def absent(self) -> int:
        """How many objects this clone lacks without which some event could not be folded."""
        return self._fold.absent if self._fold is not None else self._asked().absent

    @property
    @_gated
    def ends_elsewhere(self) -> bool:
        """Whether snapshots were joined while this clone was shallow, and its history ends elsewhere now."""
        boundary = self._asked().boundary
        return bool(boundary) and boundary != self._repo.boundary()

    def incomplete(self) -> Incomplete | None:
        """Return the error that says what this clone lacks; ``None`` where it has all."""
        if not self.absent:
            return None
        missing = [oid for (oid,) in self.file.all("SELECT DISTINCT object FROM absent ORDER BY 1")]
        shallow = self._repo.is_shallow
        remote = next(iter(self._repo.promisors), "") if not shallow else ""
        return Incomplete(
            missing[:_NAMED], len(missing), remote or self._repo.remote(), shallow=shallow, said=self._repo.refusal
        )

    def has_come(self) -> bool:
        """Whether something that this clone lacked is here now, so that an index built anew would say more."""
        missing = [oid for (oid,) in self.file.all("SELECT DISTINCT object FROM absent")]
        boundary = self.file.first("SELECT value FROM meta WHERE key = 'shallow'")
        if boundary != (self._repo.boundary(),):
            return True
        if self._repo.promisors:
            self._repo.bring(missing)
        return any(self._repo.exists(oid) for oid in missing[:_NAMED])

    @property
    @_gated
    def task(self) -> Task | None:
        """The campaign's task, or ``None`` while nobody has set it."""
        return self._fold.task if self._fold is not None else self._asked().task

    def _asked(self) -> State:
        with damage():
            return self._whole_state()

    # -- folding -------------------------------------------------------------------------------------------

    def transaction(self) -> "AbstractContextManager[Fold]":
        """Fold inside this, all or nothing."""
        return self._folding()

    def building(self) -> "AbstractContextManager[Fold]":
        """Fold inside this, all or nothing; where nothing was folded before, in the way that suits many events."""
        return self._folding(building=True)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write to tables besides the events' inside this, all or nothing; in a batch together with what it records."""
        if self.is_folding:
            yield
        else:
            with self.transaction():
                yield

    @contextmanager
    def _folding(self, *, building: bool = False) -> "Iterator[Fold]":
        """Fold inside this; a build of an empty index makes the indexes and the links at its end."""
        fold = None
        with self.file.gate:
            try:
                try:
                    if building:
                        self.file.connection.execute(f"PRAGMA cache_size = -{self._cache}")
                    self.file.connection.execute("BEGIN IMMEDIATE")
                    whole = building and self._is_empty()
                    if whole:
                        for name in INDEX_NAMES:
                            self.file.connection.execute(f"DROP INDEX IF EXISTS {name}")
                    fold = folding.Fold(self.file.connection, self._repo, self._whole_state(), whole, self.speakers)
                    self._fold = fold
                    yield fold
                    fold.settle()
                    self._tell(fold)
                    self._write(fold)
                finally:
                    self._leave(fold)
                    if building:
                        with suppress(sqlite3.Error):
                            self.file.connection.execute(f"PRAGMA cache_size = -{CACHE}")
            except BaseException as error:
                self._leave(fold)  # once more, for an interrupt may have come in between
                self._known = None
                self.generation += 1
                if isinstance(error, sqlite3.Error | UnicodeEncodeError):
                    raise ours(error) from error
                raise

    def _leave(self, fold: "Fold | None") -> None:
        """Have no transaction open any more; what was not committed is undone."""
        if self._fold not in (None, fold):
            return
        if self.file.connection.in_transaction and not self.file.is_inherited:
            with suppress(sqlite3.Error):
                self.file.connection.execute("ROLLBACK")
        self._fold = None

    def _write(self, fold: "Fold") -> None:
        """Write all that was folded."""
        if fold.whole:
            for statement in INDEXES:
                self.file.connection.execute(statement)
        fold.finish()
        is_in_doubt = fold.overturned and not fold.whole
        rule = f"{self._rule} in doubt" if is_in_doubt else self._rule
        self.file.connection.execute("INSERT OR REPLACE INTO meta VALUES ('trust', ?)", (rule,))
        self.file.connection.execute("COMMIT")
        self._known = self._version(), fold.state

    def _write_out(self) -> None:
        """Write the rows that wait, for somebody asks for them."""
        if self._fold is not None:
            with damage():
                self._fold.flush()

    def _tell(self, fold: "Fold") -> None:
        """Say what has changed."""
        self.touched |= fold.touched
        self.opened |= fold.facts.opened
        self.skipped += fold.skipped
        self.built = self.built or fold.whole or fold.moved
        fold.touched, fold.facts.opened, fold.skipped = set(), set(), []

    def _version(self) -> int:
        """Return a number that changes whenever another connection writes to the file."""
        return int(self.file.connection.execute("PRAGMA data_version").fetchone()[0])

    def _whole_state(self) -> State:
        """Return what the index says as a whole; it is known where nobody has written since this store did."""
        if self._known is None or self._known[0] != self._version():
            self._known = self._version(), read_state(self.file.connection)
            self.generation += 1
        return self._known[1]

    @property
    def _rule(self) -> str:
        return "" if self.speakers is None else str(self.speakers)

    def is_by_another_rule(self) -> bool:
        """Whether what is folded was folded while the words of others counted than those that count now."""
        stored = self.file.first("SELECT value FROM meta WHERE key = 'trust'")
        return stored is not None and stored[0] != self._rule

    @_gated
    def refusal(self, recorded: Recorded) -> str:
        """Return why an event does not count, empty for one that does."""
        if self.speakers is None and recorded.event.clock <= self.events + codec.AHEAD:
            return ""
        fold = self._fold or folding.Fold(self.file.connection, self._repo, self._whole_state(), False, self.speakers)
        try:
            return fold.refusal(recorded)
        except LineageError as error:
            return str(error)

    def refresh(
        self,
        journal: Journal,
        advance: Callable[[int], None] | None = None,
        tips: Mapping[str, str] | None = None,
    ) -> bool:
        """
        Fold what is new on the writers' refs, with one transaction for all.

        A writer whose ref cannot be read is reported as a problem and stops nobody else.

        Args:
            advance: called with the number of events folded since the last call.
            tips: where the refs stand that count; by default all.

        Returns:
            False when a ref went away or back: only a rebuild can forget events. One that went into an archive,
            which says so, has only moved.
        """
        self.generation += 1
        with self.building() as fold:
            tips, known = journal.tips() if tips is None else tips, self.tips()
            ordered: list[Recorded] | None = [] if self.speakers is not None else None
            gone = {writer: tip for writer, tip in known.items() if writer not in tips}
            if (gone and not _is_archived(journal, tips, gone)) or self._was_spoken_for(tips, known):
                return False
            self.file.connection.executemany("DELETE FROM tips WHERE writer = ?", [(writer,) for writer in gone])
            journal.bring(_read_of(journal, {name: tip for name, tip in tips.items() if known.get(name) != tip}, known))
            for writer, tip in tips.items():
                since = known.get(writer)
                if since == tip:
                    continue
                if since is not None and not journal.is_ahead(tip, since):
                    return False
                try:
                    self._fold_writer(fold, journal, writer, tip, since, advance, ordered)
                    self.set_tip(writer, tip)
                except LineageError as error:
                    fold.problem(journal.problem(writer, tip, error))
                    self.set_tip(writer, tip)
            if not fold.whole:
                self._look_again(fold, journal, tips)
            fold.add_ordered(ordered or ())
            if gone:
                fold.flush()
                self._follow(journal, gone)
            self.overturned = fold.overturned
        return not self.overturned

    def _follow(self, journal: Journal, gone: Iterable[str]) -> None:
        """Have what writers said on their own first commits be where the archive that took their refs has it."""
        for writer in gone:
            first = bytes.fromhex(journal.genesis(writer))
            self.file.connection.execute(_FOLLOW, (writer, first))
            self.file.connection.execute(_FOLLOWED, (writer,))

    def _was_spoken_for(self, tips: Mapping[str, str], known: Mapping[str, str]) -> bool:
        """Whether the ref of a writer came of whom there was only what an archive says, which may not count now."""
        if not any(map(is_archive, known)):
            return False
        fresh = [name for name in tips if name not in known and not is_archive(name)]
        return any(self.file.first("SELECT 1 FROM clocks WHERE writer = ? LIMIT 1", name) for name in fresh)

    def _look_again(self, fold: "Fold", journal: Journal, tips: Mapping[str, str]) -> None:
        """Read again what archives said that no writer's ref held, now that refs have moved."""
        sql = "SELECT DISTINCT writer, oid FROM problems WHERE reason LIKE ?"
        for name, oid in self.file.all(sql, f"{archive.FORGED}%"):
            if name in tips and is_archive(name):
                kept = "SELECT writer, oid, reason FROM problems WHERE (writer, oid) = (?, ?)"
                told = set(self.file.all(kept, name, oid))
                self.file.connection.execute("DELETE FROM problems WHERE (writer, oid) = (?, ?)", (name, oid))
                for entry in journal.told(name, tips[name], oid):
                    fold.add(entry)
                fold.skipped = [each for each in fold.skipped if each.row not in told]

    def _is_empty(self) -> bool:
        return not any(self.one(f"SELECT 1 FROM {table} LIMIT 1") for table in ("tips", "snapshots", "problems"))

    def _fold_writer(
        self,
        fold: "Fold",
        journal: Journal,
        writer: str,
        tip: str,
        since: str | None,
        advance: Callable[[int], None] | None,
        ordered: list[Recorded] | None,
    ) -> None:
        """Fold what is new on a ref; or only collect it, where it depends on the order whose it is."""
        count = 0
        with closing(journal.read(writer, tip, since)) as told:
            for entry in told:
                if ordered is None or isinstance(entry, Problem):
                    fold.add(entry)
                else:
                    ordered.append(entry)
                count += 1
                if advance and count % _TELL == 0:
                    advance(_TELL)
        if advance:
            advance(count % _TELL)

    def set_tip(self, writer: str, tip: str) -> None:
        """Note that a writer's ref has been folded up to here; inside a transaction."""
        self._open_fold().tips[writer] = tip

    def fold(self, entry: Recorded | Problem, trial: Trial | None = None, made: CommitInfo | None = None) -> None:
        """Fold one event inside a transaction, as `Fold.add` does."""
        self._open_fold().add(entry, trial, made)

    def follow(self) -> None:
        """Decide which edges are followed, now that one was folded which was seen to close no cycle, or its like."""
        self._open_fold().follow(checked=True)

    def _open_fold(self) -> "Fold":
        if self._fold is None:
            raise RuntimeError("events are folded inside a transaction")
        return self._fold

    def nearest(self, oid: str) -> list[int]:
        """Return the numbers of the recorded snapshots that an unrecorded commit leads up to first."""
        self._write_out()
        from gitlineage.index.links import Links  # only what nobody recorded is asked for so

        return Links(self.file.connection, self._repo).nearest(oid)


def _is_archived(journal: Journal, tips: Mapping[str, str], gone: Mapping[str, str]) -> bool:
    """Whether archives hold what was folded of refs that are gone."""
    archived = journal.archived(tips)
    return all(any(journal.is_ahead(tip, since) for tip in archived.get(writer, ())) for writer, since in gone.items())


def _read_of(journal: Journal, tips: Mapping[str, str], known: Mapping[str, str]) -> Iterator[tuple[str | None, str]]:
    """Return the states of refs to be read, each with the one up to which it was; an archive has old refs read, too."""
    for name, tip in tips.items():
        yield known.get(name), tip
        if is_archive(name):
            yield from ((None, old) for _, old in journal.folded(tip))


def build(
    repo: GitRepo,
    journal: Journal,
    tips: Mapping[str, str],
    until: Callable[[Recorded], bool] | None = None,
    speakers: "Speakers | None" = None,
    *,
    spills: bool = False,
    advance: Callable[[int], None] | None = None,
    hear: Callable[[str, Recorded], None] | None = None,
) -> Index:
    """
    Return an index in memory of all events, or of those that a rule lets through.

    Args:
        spills: whether it takes little memory, and the disk for what is more.
        advance: called with the number of events read since the last call.
        hear: called with each event and the name of the ref that it is on.
    """
    index = Index(repo, None, speakers, spills=spills)
    count = 0
    ordered: list[Recorded] = []
    with index.building() as fold:
        journal.bring(_read_of(journal, tips, {}))
        for writer, tip in tips.items():
            with suppress(LineageError), closing(journal.read(writer, tip)) as told:
                for entry in told:
                    count += 1
                    if advance is not None and count % _TELL == 0:
                        advance(_TELL)
                    if hear is not None and isinstance(entry, Recorded):
                        hear(writer, entry)
                    if isinstance(entry, Problem):
                        fold.add(entry)
                    elif until is None or until(entry):
                        fold.add(entry) if speakers is None else ordered.append(entry)
            index.set_tip(writer, tip)
        fold.add_ordered(ordered)
    return index


__all__ = ["Damaged", "Index", "build", "delete", "read_row"]
