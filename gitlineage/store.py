"""
The facade: one object that opens a repository's lineage, keeps its index current, and reads and records in it.

Layer 9. Each method is a line or two over the modules below; what is worth reading about the rules is there.
"""

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec

from gitlineage import codec, derived, index, queries
from gitlineage.errors import Conflict, Invalid, InvalidTrial, RepositoryError, StorageError
from gitlineage.gitrepo import GitRepo, Identity, find_repository, init_repository
from gitlineage.index import Damaged, Index
from gitlineage.journal import PREFIX, Journal, Recorded, check_writer
from gitlineage.landing import Landing, WriterLock, publish
from gitlineage.models import (
    AncestryNode,
    Cohort,
    CommitOid,
    LineageSnapshot,
    PromptOptions,
    Snapshot,
    Task,
    TrialView,
)
from gitlineage.names import Id, moment, resolve
from gitlineage.prompts import prompt_view
from gitlineage.recorder import Recorder, Row, folder_tree
from gitlineage.render.prompt import render_prompt
from gitlineage.treediff import RecipeEdit
from gitlineage.trial import Trial
from gitlineage.upkeep import tidy
from gitlineage.views import Views, trials
from gitlineage.worktree import read_files

_TRIES = 10
_TOLD = 5
P = ParamSpec("P")
R = TypeVar("R")


class Watcher:
    """What a store tells while it works; this one listens to nothing, the command line's prints."""

    def note(self, text: str) -> None:
        """Hear something worth knowing, in one line."""

    def advance(self, doing: str, count: int) -> None:
        """Hear that so many more events were folded."""


def _reading(method: "Callable[Concatenate[LineageStore, P], R]") -> "Callable[Concatenate[LineageStore, P], R]":
    """Bring the index up to date before a question, and rebuild it where it turns out to be damaged."""

    @wraps(method)
    def wrapper(self: "LineageStore", /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            self.refresh()
            return method(self, *args, **kwargs)
        except Damaged as error:
            self._rebuild(f"the index is damaged ({error})")
            return method(self, *args, **kwargs)

    return wrapper


class LineageStore:
    """
    The lineage of one repository.

    Args:
        root: the repository or a folder inside; a folder without git is initialised.
        lower_is_better: the score's direction; recorded with the task at the first write where none is recorded.
        writer: whose ref to record in; by default the name in git config ``lineage.writer``, made at the first write.
        task: what the campaign optimises; recorded like the direction.
        identity: who commits; by default git's own configuration says.
        clock: what the time is.
        create: whether a folder without git is initialised; otherwise it is an error.
        watcher: who is told what goes on.

    Raises:
        RepositoryError: there is no usable repository.
        Invalid: the task differs from the one recorded in the store.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        lower_is_better: bool | None = None,
        writer: str | None = None,
        task: Task | None = None,
        identity: tuple[str, str] | None = None,
        clock: Callable[[], datetime] | None = None,
        create: bool = True,
        watcher: Watcher | None = None,
    ) -> None:
        self.root = Path(root)
        if create and find_repository(self.root) is None:
            init_repository(self.root)
        self.repo = GitRepo(self.root)
        self.journal = Journal(self.repo)
        self.watcher = watcher or Watcher()
        self._writer = check_writer(writer) if writer else None
        self._identity = Identity(*identity) if identity else None
        self._clock = clock or (lambda: datetime.now(UTC))
        self._folder = self.repo.commondir / "lineage"
        self._lock = WriterLock(self._folder / "lock")
        self._landing: Landing | None = None
        self._author = Identity("", "")
        self._desk: Recorder | None = None
        self._use(self._open_index())
        self._wanted = self._wanted_task(task, lower_is_better)

    def close(self) -> None:
        """Close the index; the store opens it again when it is used."""
        self._index.close()

    def __enter__(self) -> "LineageStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- settings ------------------------------------------------------------------------------------------

    @property
    def writer(self) -> str:
        """The name of this clone's writer; made up and kept in git's configuration where there is none."""
        if self._writer is None:
            self._writer = self.repo.config("lineage.writer")
        if self._writer is None:
            with self._lock():
                self._writer = GitRepo(self.root).config("lineage.writer") or self._new_writer()
        return check_writer(self._writer)

    @property
    def task(self) -> Task:
        """What the campaign optimises."""
        return self.recorded_task() or Task()

    def recorded_task(self) -> Task | None:
        """Return the task that the store holds, or that this one was opened with; ``None`` where neither is."""
        self.refresh()
        return self._views.index.task or self._wanted

    def set_task(self, task: Task) -> None:
        """Record what the campaign optimises; every clone ranks and renders by it."""
        self._write(lambda recorder: recorder.set_task(task))
        self._wanted = None

    def _new_writer(self) -> str:
        who = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in self._who().name.lower())
        name = "-".join(filter(None, who.split("-")))[:40] or "writer"
        writer = f"{name}-{secrets.token_hex(3)}"
        self.repo.set_config("lineage.writer", writer)
        return writer

    def _wanted_task(self, task: Task | None, lower_is_better: bool | None) -> Task | None:
        """Return the task to record at the first write; refuse one that the store contradicts."""
        if task is None and lower_is_better is None:
            return None
        self.refresh()
        recorded = self._index.task
        base = task or recorded or Task()
        wanted = base if lower_is_better is None else msgspec.structs.replace(base, lower_is_better=lower_is_better)
        if recorded is not None and recorded != wanted:
            known, asked = (_task_text(each) for each in (recorded, wanted))
            raise Invalid(f"this store's task is {known}, not {asked}; set_task (`gitlineage init`) changes it for all")
        return wanted if recorded is None else None

    def _who(self) -> Identity:
        return self._identity or self.repo.identity()

    # -- the index -----------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Bring the index up to date with the writers' refs; nothing but a few refs is read where it is."""
        if self._landing is not None:
            return
        try:
            if os.getpid() != self._process:
                self._use(self._open_index())
            if self.journal.tips() == self._index.tips():
                return
            self._fold()
        except Damaged as error:
            self._rebuild(f"the index is damaged ({error})")

    def reindex(self) -> int:
        """Throw the index and the derived refs away, build them anew, and return the number of trials."""
        self._rebuild(None)
        return self._views.total()

    def problems(self) -> list[tuple[str, str, str]]:
        """Return writer, commit and reason of every note line that is no event; they are skipped, never deleted."""
        self.refresh()
        return [tuple(row) for row in self._index.rows("SELECT writer, oid, reason FROM problems ORDER BY 1, 2, 3")]

    def _open_index(self) -> Index:
        path = self._folder / "index.sqlite3"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return Index(self.repo, path)
        except Damaged as error:
            self.watcher.note(f"the index is unusable ({error}): rebuilding it")
            with self._lock():
                index.delete(path)
                return Index(self.repo, path)
        except (OSError, sqlite3.OperationalError):
            return Index(self.repo, None)

    def _fold(self) -> None:
        cohorts = self._cohort_names()
        try:
            folded = self._index.refresh(self.journal, lambda count: self.watcher.advance("indexing", count))
        except sqlite3.OperationalError as error:
            self._use_memory(error)
            return
        if not folded:
            self._recover_dropped()
            self._rebuild("a writer's ref went back")
            return
        self._after_folding(cohorts)
        self._tell_problems()

    def _recover_dropped(self) -> None:
        """
        Record again what another program's write dropped from this clone's ref.

        Git's own notes commands move a ref without looking where it stands, so one that races with a landing can
        undo it. A ref that was set back on purpose, to a commit of its own past, is left there.
        """
        writer = self._writer or self.repo.config("lineage.writer")
        old = self._index.tips().get(writer or "")
        with self._lock(), self.repo.packing():
            new = self.journal.tips().get(writer or "")
            if writer is None or old is None or new is None or not self.repo.exists(old):
                return
            if self.journal.is_ahead(new, old) or self.journal.is_ahead(old, new):
                return
            kept = {(found.oid, codec.encode(found.event)) for found in self.journal.events(writer, new)}
            had = list(self.journal.events(writer, old))
            dropped = [found for found in had if (found.oid, codec.encode(found.event)) not in kept]
            dropped.sort(key=lambda found: found.event.clock)
            if dropped:
                said = f"Record {len(dropped)} events again that another program dropped"
                lines = [(found.oid, codec.encode(found.event)) for found in dropped]
                clock = max(dropped[-1].event.clock, self.journal.clock(new))
                moment, who = self._clock(), self._who()
                self.journal.land(writer, new, lines, clock=clock, subject=said, identity=who, moment=moment)
                self.watcher.note(f"another program's write dropped {len(dropped)} events: recorded them again")

    def _rebuild(self, why: str | None) -> None:
        if self._landing is not None:
            raise StorageError(f"{why} in the middle of a write; nothing was recorded, try again")
        if why is not None:
            self.watcher.note(f"{why}: rebuilding it from the notes")
        path = self._index.path
        self._index.close()
        if path is None:
            self._use(Index(self.repo, None))
        else:
            with self._lock():
                index.delete(path)
                self._use(self._open_index())
        try:
            self._index.refresh(self.journal, lambda count: self.watcher.advance("indexing", count))
        except sqlite3.OperationalError as error:
            self._use_memory(error)
        self._index.touched.clear()
        self._tell_problems()
        derived.rebuild(self.repo, self._views)

    def _tell_problems(self) -> None:
        """Name the note lines that were skipped since the last word about them."""
        skipped, self._index.skipped = self._index.skipped, []
        for found in skipped[:_TOLD]:
            self.watcher.note(f"skipped a note line of {found.writer} on {found.oid[:12]}: {found.reason}")
        if len(skipped) > _TOLD:
            self.watcher.note(f"skipped {len(skipped) - _TOLD} more note lines; `gitlineage show` tells where")

    def _use_memory(self, error: sqlite3.OperationalError) -> None:
        """Go on without a file where the index cannot be written: on a read-only or full disk."""
        self.watcher.note(f"the index cannot be written ({error}): reading the notes into memory")
        self._use(index.build(self.repo, self.journal, self.journal.tips()))

    def _use(self, new: Index) -> None:
        self._process = os.getpid()
        self._index = new
        self._views = Views(new, self.repo)

    def _after_folding(self, cohorts: set[str]) -> None:
        touched, self._index.touched = self._index.touched, set()
        # a ref is for baselines and kept trials; a revision may have made or unmade one of those
        sql = (
            "SELECT exp_id FROM trials WHERE id = ? "
            "AND (status IN ('keep', 'baseline') OR (clock, writer) <> (last_clock, last_writer))"
        )
        exp_ids = {row[0] for key in touched for row in self._index.rows(sql, key)}
        derived.update(self.repo, self._views, sorted(exp_ids), sorted(self._cohort_names() - cohorts))

    def _cohort_names(self) -> set[str]:
        return {name for (name,) in self._index.rows("SELECT name FROM cohorts")}

    # -- writing -------------------------------------------------------------------------------------------

    @contextmanager
    def batch(self, message: str | None = None) -> Iterator["LineageStore"]:
        """
        Record everything inside as one commit of the writer's ref: all of it or none.

        What is recorded inside can be read inside. Other writing processes wait until it ends.

        Args:
            message: the activity log's line; by default it says what was recorded.

        Raises:
            StorageError: the disk refused; nothing was recorded.
            Conflict: another program kept moving the writer's ref.
        """
        if self._landing is not None:
            yield self
            return
        with self._lock():
            writer = self.writer
            genesis = self.journal.genesis(writer)
            cohorts, landing = self._start(writer, genesis)
            identity = self._author = self._who()
            with self.repo.packing():
                try:
                    with self._index.transaction():
                        self._landing = landing
                        if self._wanted is not None:
                            self._recorder().set_task(self._wanted)
                        yield self
                        if landing.events:
                            self._publish(landing, message, identity)
                except _Moved:
                    self._landing = None
                    self._publish_again(landing, message, identity)
                except (Damaged, sqlite3.Error) as error:
                    self._landing = None
                    self._index_failed(error, landing.published)
                finally:
                    self._landing = None
            self._wanted = None
            if landing.events:
                self._finish(cohorts)

    def _finish(self, cohorts: set[str]) -> None:
        """Do what follows a landing and can neither undo it nor fail it."""
        try:
            self._after_folding(cohorts)
        except Damaged as error:
            self._rebuild(f"the index is damaged ({error})")
        tidy(self.repo)

    @_reading
    def _start(self, writer: str, genesis: str) -> tuple[set[str], Landing]:
        """Return the cohorts there are, and an empty landing, on an index that is up to date and sound."""
        return self._cohort_names(), Landing(self._index, writer, genesis, self._clock)

    def _index_failed(self, error: Exception, published: bool) -> None:
        """Go on where the index failed after the ref had moved; refuse the landing where it failed before."""
        if published:
            self.watcher.note(f"recorded, but the index could not be written ({error}): reading the notes into memory")
            self._use(index.build(self.repo, self.journal, self.journal.tips()))
        elif isinstance(error, Damaged):
            self._rebuild(f"the index is damaged ({error})")
            raise _IndexLost("the index was damaged and has been rebuilt; nothing was recorded, try again") from error
        else:
            raise StorageError(f"cannot write the index: {error}; nothing was recorded") from error

    def _write(self, work: Callable[[Recorder], R]) -> R:
        """Do one piece of recording in a landing of its own, or in the batch that is open."""
        if self._landing is not None:
            return work(self._recorder())
        try:
            with self.batch():
                return work(self._recorder())
        except _IndexLost:
            with self.batch():
                return work(self._recorder())

    def _publish(self, landing: Landing, message: str | None, identity: Identity) -> None:
        tip = self._index.tips().get(landing.writer)
        new = publish(landing, self.journal, tip, message=message, identity=identity)
        if new is None:
            raise _Moved
        landing.published = True
        self._index.set_tip(landing.writer, new, landing.clock)

    def _publish_again(self, landing: Landing, message: str | None, identity: Identity) -> None:
        """Land what was collected on a ref that another program moved meanwhile, as ``git notes append`` would."""
        for _ in range(_TRIES):
            self.refresh()
            with suppress(_Moved), self._index.transaction():
                landing.shift(self._index.clock)
                self._publish(landing, message, identity)
                for oid, event in landing.events:
                    self._index.fold(Recorded(landing.writer, oid, event))
                return
        raise Conflict(PREFIX + landing.writer)

    def _recorder(self) -> Recorder:
        if self._landing is None:
            raise RepositoryError("nothing is open to record in")
        if self._desk is None or self._desk.landing is not self._landing:
            self._desk = Recorder(self.repo, self._views, self._landing, self._author)
        return self._desk

    def commit(
        self,
        content: Mapping[str, bytes] | Path | str | None,
        parents: Sequence[Id] = (),
        *,
        trial: Trial | None = None,
        cohort: str | None = None,
        roles: Mapping[str, str] | None = None,
        message: str | None = None,
    ) -> Snapshot:
        """
        Record a snapshot: what its content is, what it was derived from, and the trial made with it.

        Args:
            content: files by path, a folder, or a revision or id whose tree to take; ``None`` for the working tree
                as ``git add -A`` would see it.
            parents: what it was derived from, the primary one first; named twice, the first place counts.
            trial: the row; left out, the snapshot is recorded without one. Empty cells that the store knows (exp id,
                timestamp, parent, best, delta) are filled in; without a status it waits for `record`.
            cohort: the batch it belongs to; opened with these parents as its base where it is not open.
            roles: what a parent was, by id: one of `ROLES`. An inspiration or contrast need not be a parent.
            message: the commit message; by default the hypothesis.

        Raises:
            NotFound: an unknown parent; nothing was written.
            Duplicate: the exp id is taken. The very same commit again is no error and adds nothing.
            CohortMismatch: the cohort has another base.
            InvalidContent: a path that leads outside, or a file over the limit.
            InvalidTrial: a row that breaks a rule.
        """
        if isinstance(parents, str | Snapshot | Trial):
            parents = (parents,)
        ids = tuple(parents)

        def work(recorder: Recorder) -> Snapshot:
            return recorder.commit(content, ids, trial, cohort, roles or {}, message)

        return self._write(work)

    def record(self, rev: Id, trial: Trial, *, revise: bool = False) -> Trial:
        """
        Record a row on any commit, the user's own included, and return it as recorded.

        A trial that waits for its result on that commit gets it; otherwise a new replicate is recorded.

        Args:
            rev: the commit.
            trial: the row; empty cells are filled as by `commit`.
            revise: record a new version of a row that has a result; the old one stays in history.

        Raises:
            NotFound: no such commit.
            Duplicate: the exp id has another row; an identical one is no error and adds nothing.
            InvalidTrial: the row breaks a rule, or has no status.
        """
        if trial.status is None and not revise:
            raise InvalidTrial("status", None, "a recorded row needs one")

        def work(recorder: Recorder) -> Trial:
            oid, exp_id = recorder.record(rev, trial, revise)
            return next(view.trial for view in self._views.on_snapshot(oid) if view.trial.exp_id == exp_id)

        return self._write(work)

    def append(self, trial: Trial, *, parents: Sequence[Id] | None = None) -> Snapshot:
        """
        Record a row alone; the same row gives the same snapshot id on every machine.

        Its content is the folder that ``snapshot_path`` names below the store's root, where it exists, else its
        parent's. A ``parent_exp`` that the store does not hold is kept as text, and the snapshot has no parent.

        Args:
            trial: the row; its cells are kept as they are.
            parents: what it was derived from, where ``parent_exp`` does not say it.

        Raises:
            Duplicate: the exp id has a different row; the identical one is no error and adds nothing.
            InvalidTrial: the row breaks a rule, or has no status.
        """
        if trial.status is None:
            raise InvalidTrial("status", None, "an appended row needs one")
        ids = None if parents is None else tuple(parents)
        return self._write(lambda recorder: self._views.snapshot(recorder.append(trial, ids, self.root)))

    def folder_tree(self, trial: Trial, root: Path | None) -> str | None:
        """Return the tree of the folder that a row's ``snapshot_path`` names below a root, where it is there."""
        return folder_tree(self.repo, trial, root)

    def append_many(self, rows: Iterable[Trial], *, message: str | None = None) -> tuple[Snapshot, ...]:
        """
        Record many rows alone, all of them or none, each as `append` does; a row may name a later one as its parent.

        Raises:
            BadRows: exp ids that are taken by different rows, by position counted from 1.
            InvalidTrial: a row breaks a rule, or has no status.
        """
        given = list(rows)
        with self.batch(message):
            self.append_rows([Row(trial=trial, tree=self.folder_tree(trial, self.root)) for trial in given], message)
            return tuple(self._views.snapshot(self._views.named_exactly(trial.exp_id)[0].oid) for trial in given)

    def append_rows(
        self, rows: Sequence[Row], message: str | None, *, task: Task | None = None, shape: dict[str, Any] | None = None
    ) -> list[bool]:
        """
        Record a table: its rows, the task it is about and what its file looked like, all or nothing.

        Returns:
            For each row, whether it was new.

        Raises:
            BadRows: exp ids that are taken by different rows.
        """
        for row in rows:
            if row.trial.status is None:
                raise InvalidTrial("status", None, f"the row of {row.trial.exp_id} needs one")
        with self.batch(message):
            recorder = self._recorder()
            if task is not None:
                recorder.set_task(task)
            added = recorder.append_rows(rows, lambda count: self.watcher.advance("recording", count))
            if shape is not None and any(added):
                recorder.add_table(shape, sum(added))
            return added

    def open_cohort(self, name: str, base: Sequence[Id] = (), *, allow_mixed: bool = False, **metadata: Any) -> Cohort:
        """
        Open a cohort: a batch generated from one parent state.

        Args:
            name: its name.
            base: the snapshots that every member is derived from.
            allow_mixed: let members have other parents.
            metadata: anything worth keeping about it, as JSON values.

        Raises:
            Invalid: it is open already with another base or other metadata.
            NotFound: a base that is not there.
        """
        if isinstance(base, str | Snapshot | Trial):
            base = (base,)
        ids = tuple(base)

        def work(recorder: Recorder) -> Cohort:
            recorder.new_cohort(name, ids, metadata, allow_mixed)
            return self._views.cohort(name)

        return self._write(work)

    # -- trials --------------------------------------------------------------------------------------------

    @_reading
    def all_trials(self) -> list[Trial]:
        """Return every trial that has a result, in recording order."""
        return list(trials(self._views.all()))

    @_reading
    def latest(self, n: int = 30) -> tuple[Trial, ...]:
        """
        Return the last ``n`` trials in recording order; all where there are fewer.

        Raises:
            ValueError: ``n`` is negative.
        """
        return trials(reversed(self._views.latest(_count(n))))

    @_reading
    def best(self, *, eligible: str = "kept") -> Trial | None:
        """Return the best trial (semantics 11); ``eligible="informational"`` ranks all but harness aborts."""
        found = self._views.best(eligible)
        return found.trial if found else None

    @_reading
    def leaderboard(self, k: int = 20) -> tuple[Trial, ...]:
        """Return the ``k`` best kept trials, best first, ties in recording order, those without a score last."""
        return trials(self._views.kept(_count(k)))

    @_reading
    def trial(self, exp_id: str) -> Trial:
        """
        Return one trial.

        Raises:
            NotFound: there is none; also a ``KeyError``.
            Ambiguous: two writers used the id.
        """
        return self._views.trial(exp_id).trial

    @_reading
    def chain_to(self, exp_id: str) -> tuple[Trial, ...]:
        """Return the trials along primary parents, root first, the one asked for last (semantics 15)."""
        return trials(self._views.chain(self._views.trial(exp_id)))

    @_reading
    def log(
        self,
        limit: int | None = 20,
        *,
        cohort: str | None = None,
        statuses: Sequence[str] = (),
        specialist: str | None = None,
        dangling: bool = False,
    ) -> list[TrialView]:
        """
        Return trials with their place in the graph, newest first; those that wait for a result too.

        Args:
            limit: how many; ``None`` for all.
            cohort: only members of this cohort.
            statuses: only these; ``pending`` is a trial without a result.
            specialist: only those of one specialist.
            dangling: only those whose parent cell names no trial of the store.

        Raises:
            NotFound: there is no such cohort.
        """
        name = self._views.cohort(cohort).name if cohort is not None else None
        return self._views.listing(
            cohort=name, statuses=statuses, specialist=specialist, dangling=dangling, limit=limit
        )

    @_reading
    def view(self, exp_id: str) -> TrialView:
        """Return one trial with its place in the graph; raises as `trial`."""
        return self._views.trial(exp_id)

    # -- snapshots -----------------------------------------------------------------------------------------

    @_reading
    def resolve(self, text: Id) -> CommitOid:
        """
        Return the commit that any id stands for: exp id, ``exp_<id>``, ``<id>@<writer>``, ``best``, ref, oid prefix.

        Raises:
            NotFound: nothing answers to it; the error carries the nearest exp ids.
            Ambiguous: several do; the error carries them.
        """
        return resolve(self._views, text)

    @_reading
    def snapshot(self, id: Id) -> Snapshot:
        """Return a snapshot; a commit that nobody recorded has no writer."""
        return self._views.snapshot(resolve(self._views, id))

    @_reading
    def parents(self, id: Id) -> tuple[Snapshot, ...]:
        """Return what a snapshot was derived from, the primary parent first."""
        return queries.parents(self._views, resolve(self._views, id))

    @_reading
    def children(self, id: Id) -> tuple[Snapshot, ...]:
        """Return what was derived from a snapshot directly, in recording order."""
        return queries.children(self._views, resolve(self._views, id))

    @_reading
    def ancestors(self, id: Id, max_depth: int | None = -1) -> tuple[AncestryNode, ...]:
        """Return all that a snapshot goes back to, nearest first; ``max_depth`` limits the generations."""
        return queries.ancestors(self._views, resolve(self._views, id), max_depth)

    @_reading
    def descendants(self, id: Id, max_depth: int | None = -1) -> tuple[AncestryNode, ...]:
        """Return all that goes back to a snapshot, nearest first; ``max_depth`` limits the generations."""
        return queries.descendants(self._views, resolve(self._views, id), max_depth)

    @_reading
    def leaves(self) -> tuple[Snapshot, ...]:
        """Return the snapshots that nothing was derived from, in recording order."""
        return queries.leaves(self._views)

    @_reading
    def common_ancestor(self, a: Id, b: Id) -> Snapshot | None:
        """Return the lowest snapshot that both go back to, ``None`` where they are unrelated (semantics 29)."""
        return queries.common_ancestor(self._views, resolve(self._views, a), resolve(self._views, b))

    @_reading
    def same(self, id: Id) -> tuple[Snapshot, ...]:
        """Return the other snapshots with equal content: other derivations of one recipe."""
        return queries.same(self._views, resolve(self._views, id))

    @_reading
    def cohort(self, name: str) -> Cohort:
        """
        Return a cohort with its members in recording order.

        Raises:
            NotFound: nobody opened it.
            Ambiguous: two writers opened different ones by this name.
        """
        return self._views.cohort(name)

    @_reading
    def cohorts(self) -> list[Cohort]:
        """Return every cohort in the order they were opened."""
        return self._views.cohorts()

    @_reading
    def files(self, id: Id) -> dict[str, bytes]:
        """Return the files of a snapshot by path."""
        return read_files(self.repo, self._views.snapshot(resolve(self._views, id)).tree)

    @_reading
    def recipe_edit(self, id: Id, parent: int = 0) -> RecipeEdit:
        """
        Return what a snapshot changed against one of its parents; a root changed nothing.

        Args:
            id: the snapshot.
            parent: which of its git parents, counted from 0.

        Raises:
            Invalid: it has no such parent.
        """
        snapshot = self._views.snapshot(resolve(self._views, id))
        if parent < 0 or (parent >= len(snapshot.parents) and parent > 0):
            count = len(snapshot.parents)
            raise Invalid(f"there is no parent {parent + 1}: {self._views.name(snapshot.oid)} has {count}")
        before = self.repo.commit(snapshot.parents[parent]).tree if snapshot.parents else None
        return RecipeEdit(snapshot.trial, snapshot.tree, before, self.repo)

    # -- the prompt ----------------------------------------------------------------------------------------

    @_reading
    def views(self, *, at: str | None = None, raw_parents: bool = False) -> Views:
        """
        Return the models behind everything else, now or as they were.

        Args:
            at: a trial, a commit of a writer's ref, or an ISO 8601 time (design 8).
            raw_parents: take parents as the rows spell them (semantics 59).
        """
        if at is None:
            return Views(self._index, self.repo, raw_parents)
        until = moment(self._views, self.journal, at)
        return Views(index.build(self.repo, self.journal, self.journal.tips(), until), self.repo, raw_parents)

    def render_prompt(
        self,
        for_specialist: str,
        *,
        top_k: int = 20,
        recent_n: int = 30,
        last_m_full: int = 10,
        session_timestamp: str = "",
        at: str | None = None,
        record: bool = False,
        **options: Any,
    ) -> LineageSnapshot:
        """
        Return the prompt that the next agent reads, with the records it shows; the same state gives the same bytes.

        Args:
            for_specialist: whom it is for.
            top_k: rows of the leaderboard.
            recent_n: rows of the recent-activity table.
            last_m_full: trials shown with hypothesis and notes at length.
            session_timestamp: the session's start as it is to be printed.
            at: render as of a trial, a commit of a writer's ref, or an ISO 8601 time.
            record: record what the agent saw; the specialist's next trial names it.
            options: the further fields of `PromptOptions`.

        Raises:
            ValueError: a negative number.
            NotFound: there is no such moment.
        """
        chosen = PromptOptions(
            top_k=_count(top_k),
            recent_n=_count(recent_n),
            last_m_full=_count(last_m_full),
            session_timestamp=session_timestamp,
            **options,
        )
        views = self.views(at=at, raw_parents=chosen.raw_parents)
        view = prompt_view(views, for_specialist, chosen)
        shown = LineageSnapshot(
            rendered_prompt=render_prompt(view, for_specialist, chosen),
            current_best=view.best.trial if view.best else None,
            chain_to_best=trials(view.chain),
            top_k_leaderboard=trials(view.kept),
            recent_n_activity=trials(view.recent[:recent_n]),
            last_m_with_full_hypothesis=trials(view.recent[:last_m_full]),
            specialist=for_specialist,
            parameters={**msgspec.to_builtins(chosen), **({"at": at} if at else {})},
            tips=self.journal.tips(),
            clock=views.index.clock,
        )
        return self._record_session(shown) if record else shown

    def _record_session(self, shown: LineageSnapshot) -> LineageSnapshot:
        event = codec.SessionEvent(
            specialist=shown.specialist,
            prompt="",
            tips=dict(shown.tips),
            parameters=dict(shown.parameters),
            seen=shown.clock,
        )
        session = self._write(lambda recorder: recorder.add_session(shown.rendered_prompt, event))
        return msgspec.structs.replace(shown, session=CommitOid(session))


class _IndexLost(StorageError):
    """The index was damaged and is whole again, but what was being recorded is not in it."""


class _Moved(Exception):
    """Another program moved the writer's ref between our look and our move."""


def _count(n: int) -> int:
    if n < 0:
        raise ValueError(f"a count is 0 or more, not {n}")
    return n


def _task_text(task: Task) -> str:
    better = "lower" if task.lower_is_better else "higher"
    return f"{task.score_field} ({better} is better, label {task.short})"
