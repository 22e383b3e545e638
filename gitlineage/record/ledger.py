"""
Recording in an open repository, for the facade: landings published whole or refused whole; start at `Ledger`.

Everything that can go wrong around a write is here: a full disk, a ref that another program moves, an index
that another process wrote to.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from gitlineage import house
from gitlineage.errors import Conflict, Invalid, LineageError, RepositoryError, SigningError, StorageError
from gitlineage.git.folders import Taken
from gitlineage.git.formats import Identity
from gitlineage.index import index
from gitlineage.index.index import Damaged
from gitlineage.journal import events
from gitlineage.journal.journal import Recorded
from gitlineage.model.namespace import NOTES
from gitlineage.model.records import Task
from gitlineage.model.trial import Trial
from gitlineage.query.nearest import Candidate, candidates, read_mark, write_mark
from gitlineage.record import stand_ins
from gitlineage.record.landing import Landing, publish
from gitlineage.record.opened import Current, Watcher, task_here
from gitlineage.record.recorder import Recorder, folder_tree
from gitlineage.text import counted, some, to_type

_TRIES = 10

R = TypeVar("R")


class Ledger(Current):
    """One open repository to record in; `LineageStore` says what the arguments mean."""

    _wanted: Task | None = None
    """The task to record at the first write."""

    _author = Identity("", "")
    _desk: Recorder | None = None

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        campaign: str | None = None,
        lower_is_better: bool | None = None,
        writer: str | None = None,
        task: Task | None = None,
        identity: tuple[str, str] | None = None,
        clock: Callable[[], datetime] | None = None,
        create: bool = True,
        watcher: Watcher | None = None,
        incomplete: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            root,
            campaign=campaign,
            writer=writer,
            identity=identity,
            clock=clock,
            create=create,
            watcher=watcher,
            incomplete=incomplete,
            environment=environment,
        )
        self.taken: Taken | None = None
        """What the folder that was recorded last gave, and what of it is in no snapshot."""
        self._wanted = self._wanted_task(task, lower_is_better)

    def as_of(self, until: Callable[[Recorded], bool], told: str) -> Self:
        """Return a store that answers as this one did at a past moment, and records nothing."""
        past = super().as_of(until, told)
        past._desk = past._wanted = None
        return past

    def folder_tree(self, trial: Trial, root: Path | None) -> str | None:
        """Return the tree of the folder that a row's ``snapshot_path`` names below a root, where it is there."""
        return folder_tree(self.repo, trial, root, self._hear)

    def _hear(self, taken: Taken) -> None:
        """Keep what a folder gave, and say what of it is in no snapshot."""
        self.taken = taken
        for line in taken.lines():
            self.watcher.note(line)

    # -- the task ------------------------------------------------------------------------------------------

    @property
    def task(self) -> Task:
        """What the campaign optimises."""
        return self.recorded_task() or Task()

    def recorded_task(self) -> Task | None:
        """Return the task that the store holds, or that this one was opened with; ``None`` where neither is."""
        self.refresh()
        return self._views.index.task or self._wanted

    def set_task(self, task: Task, *, force: bool = False) -> str:
        """
        Record what the campaign optimises; every clone ranks and renders by it.

        Args:
            task: the task; the same one again adds nothing.
            force: record it although trials that are recorded rank otherwise by it.

        Returns:
            What that changed among recorded trials, in words; empty for nothing.

        Raises:
            TaskInUse: it would change something, and was not forced; a direction that nobody had said yet needs none.
        """
        change = self.write(lambda recorder: recorder.set_task(task, force=force))
        self._wanted = None
        return change

    def _wanted_task(self, task: Task | None, lower_is_better: bool | None) -> Task | None:
        """Return the task to record at the first write; refuse one that the store contradicts."""
        if task is None and lower_is_better is None:
            return None
        self.refresh()
        recorded = self._index.task
        base = task or recorded or Task()
        wanted = base
        if lower_is_better is not None:
            wanted = msgspec.structs.replace(base, lower_is_better=lower_is_better, assumed=msgspec.UNSET)
        if recorded is not None and recorded.assumed and wanted != recorded:  # only the direction was a guess
            recorded = msgspec.structs.replace(recorded, lower_is_better=wanted.lower_is_better, assumed=msgspec.UNSET)
            if wanted.same(recorded):
                return wanted
        if recorded is not None and not recorded.same(wanted):
            known, asked = (_task_text(each) for each in (recorded, wanted))
            raise Invalid(f"this store's task is {known}, not {asked}; set_task (`gitlineage init`) changes it for all")
        return wanted if recorded is None else None

    # -- writing -------------------------------------------------------------------------------------------

    @contextmanager
    def batch(self, message: str | None = None, *, settled: bool = False) -> Iterator[Self]:
        """
        Record everything inside as one commit of the writer's ref: all of it or none.

        What is recorded inside can be read inside. Other writing processes wait until it ends.

        Args:
            message: the activity log's line; by default it says what was recorded.
            settled: whether rows whose commits have arrived are left to what is inside.

        Raises:
            StorageError: the disk refused; nothing was recorded.
            Conflict: another program kept moving the writer's ref.
        """
        self.check_present()
        with self._gate:
            self._admit()
            if self._landing is not None:
                yield self
                return
            with self._land(message, settled=settled):
                yield self

    @contextmanager
    def _land(self, message: str | None, *, settled: bool = False) -> Iterator[None]:
        """Record everything inside as one commit of the writer's ref; whatever interrupts it, the store goes on."""
        landing = None
        try:
            try:
                with self._lock():
                    landing = self._start()
                    if not settled and self._settle(stand_ins.LOOKED_AT):
                        landing = self._start()
                    fresh = landing.tip is None and not self.namespace.is_default
                    with self.repo.packing():
                        identity = self._author = self.committer()
                        try:
                            with self._index.transaction():
                                self._landing, self._task = landing, task_here()
                                if self._wanted is not None:
                                    self.recorder().set_task(self._wanted)
                                yield
                                self._check_whose(landing)
                                if landing.events:
                                    self._publish(landing, message, identity)
                        except _Moved:
                            self._landing = None
                            self._publish_again(landing, message, identity)
                        except (Damaged, sqlite3.Error) as error:
                            self._landing = None
                            self._index_failed(error, landing.published)
                        finally:
                            self._leave(landing)
                    self._wanted = None
                    if landing.events:
                        self._finish()
                        if landing.tip is None:
                            self._tell_alone(landing)
                        if fresh:
                            with suppress(LineageError):  # what was recorded is recorded
                                self.carry_along()
                    if landing.stands_on:
                        self._put_mark(landing.stands_on)
            finally:
                self._leave(landing)
        except BaseException:
            self._leave(landing)  # once more, for an interrupt may have come in between
            raise

    def _tell_alone(self, landing: Landing) -> None:
        """Say it where a clone begins to record without having asked its remote for lineage, and thus for the task."""
        others = self._index.tips().keys() - {landing.writer}
        if others or self._index.task is not None or not (remotes := self.repo.remotes()):
            return
        command = to_type("gitlineage", "pull", self.repo.remote())
        if not any(self.repo.refs(self.namespace.seen(remote)) for remote in remotes):
            self.watcher.note(
                f"recorded by the default task ({_task_text(self.task)}), and no lineage was pulled into this clone; "
                f"`{command}` takes what others recorded, and their task"
            )

    def settle(self) -> None:
        """Have rows whose commits have arrived move to them, where this clone records; for what brings commits."""
        if self.own_writer() is None:
            return
        with self.holding():
            self.refresh()
            self._settle()

    def arrived(self, most: int | None = None) -> list[stand_ins.Arrival]:
        """Return the trials that would move to commits which have arrived, as the index stands."""
        return stand_ins.arrived(self._views, most, self.own_writer() if self._rule is not None else None)

    def _settle(self, most: int | None = None) -> bool:
        """Have rows whose commits have arrived move to them, in a landing of their own, and say so."""
        try:
            if self._landing is not None or not (found := self.arrived(most)):
                return False
            many = counted(len(found), "trial")
            with self._land(f"Move {many} to commits that arrived", settled=True):
                stand_ins.move_arrived(self.recorder(), self._views, found)
        except (LineageError, Damaged) as error:
            self.watcher.note(f"trials stay where they stand for commits that have arrived: {error}")
            return False
        self.watcher.note(f"{many} moved to commits which have arrived: {some([each.exp_id for each in found])}")
        return True

    def _check_whose(self, landing: Landing) -> None:
        """
        Refuse to publish what a forked process has of its parent's.

        Raises:
            RepositoryError: this is one.
        """
        if self._landing is not landing:
            raise RepositoryError("this process was forked inside a batch; its parent records it")

    def _leave(self, landing: Landing | None) -> None:
        """Have no landing open any more."""
        self._inherited = False
        if self._landing is landing:
            self._landing = None

    def stand_on(self, oid: str) -> None:
        """Remember that this working tree has a snapshot's content, once what is being recorded has landed."""
        if self._landing is not None:
            self._landing.stands_on = oid
        else:
            self._put_mark(oid)

    def stands_on(self) -> str | None:
        """Return the snapshot last recorded or checked out in this working tree; ``None`` where that is not known."""
        return read_mark(self.repo, self._mark)

    def candidates(self) -> tuple[Candidate, ...]:
        """Return the snapshots that the working tree's content may have been made from, the likeliest first."""
        return candidates(self._views, self.own_writer(), self._mark)

    @property
    def _mark(self) -> Path:
        """The file that says so: in the working tree's own git folder, one for each campaign."""
        return self.namespace.folder(self.repo.gitdir) / "at"

    def _put_mark(self, oid: str) -> None:
        if self.repo.workdir is not None:
            write_mark(self.repo, self._mark, oid)

    def carry(self, remote: str) -> None:
        """Have a plain ``git push`` to a remote take this campaign's own ref along, and a fetch leave it alone."""
        writer = self.own_writer()
        if writer is None or self.repo.ref(own := self.namespace.ref(writer)) is None:
            return
        self.repo.add_config(f"remote.{remote}.fetch", f"^{own}")
        self.repo.add_config(f"remote.{remote}.push", f"{own}:{own}")

    def carry_along(self) -> None:
        """Have a plain git carry a campaign that has begun wherever it carries another one."""
        for remote in self.repo.remotes():
            if any(spec.startswith(NOTES) for spec in self.repo.config_values(f"remote.{remote}.push")):
                self.carry(remote)

    def _finish(self) -> None:
        """Do what follows a landing and can neither undo it nor fail it."""
        try:
            self._after_folding()
        except Damaged as error:
            self._rebuild(f"the index is damaged ({error})")
        self.tidy()

    @contextmanager
    def exclusive(self) -> Iterator[tuple[Identity, datetime]]:
        """
        Keep other writing processes out, for work on refs that records no event; objects are collected in a pack.

        Yields:
            Who commits, and when.

        Raises:
            RepositoryError: a batch is open.
        """
        with self._gate:
            if self._landing is not None:
                raise RepositoryError("a batch is open; end it first")
            with self.holding(), self.repo.packing():
                yield self.committer(), self._clock()

    def _start(self) -> Landing:
        """Return an empty landing on an index that is up to date and sound."""
        self.refresh()
        try:
            return self._fresh_landing()
        except Damaged as error:
            self._rebuild(f"the index is damaged ({error})")
            return self._fresh_landing()

    def _fresh_landing(self) -> Landing:
        if self._rule is not None and not self.repo.flag(house.SIGN):
            raise SigningError(
                "lineage.trust is signed and lineage.sign is not on, so what is recorded here would not count; "
                "`git config lineage.sign true`"
            )
        writer = self.writer
        tip = self._index.tips().get(writer)
        return Landing(self._index, writer, self.journal.genesis(writer), self._clock, tip, self._clock_at(tip))

    def _clock_at(self, tip: str | None) -> int:
        """Return the clock of a writer's ref that stands somewhere; 0 where there is none that could count."""
        clock = self.journal.last_clock(tip) if tip is not None else 0
        return clock if clock <= self._index.events + events.AHEAD else 0

    def _index_failed(self, error: Exception, published: bool) -> None:
        """Go on where the index failed after the ref had moved; refuse the landing where it failed before."""
        if published:
            self.watcher.note(f"recorded, but the index could not be written ({error}): reading the notes into memory")
            self._use(index.build(self.repo, self.journal, self.counting(), speakers=self._rule))
        elif isinstance(error, Damaged):
            self._rebuild(f"the index is damaged ({error})")
            raise _IndexLost("the index was damaged and has been rebuilt; nothing was recorded, try again") from error
        else:
            raise StorageError(f"cannot write the index: {error}; nothing was recorded") from error

    def forget_best(self) -> None:
        """Have the best trial asked for anew, because it may not count any more."""
        self._memory.best_of = -1

    def write(self, work: Callable[[Recorder], R]) -> R:
        """Do one piece of recording in a landing of its own, or in the batch that is open, and return what it does."""
        with self._gate:
            self._admit()
            if self._landing is not None:
                return work(self.recorder())
            self.check_present()
            block = self._land(None)
            try:
                with block:
                    return work(self.recorder())
            except _IndexLost:
                with self.batch():
                    return work(self.recorder())
            finally:
                block.gen.close()  # it has ended, unless an interrupt came just before it could

    def record_with(self, work: Callable[[Recorder], R], message: str | None = None, *, settled: bool = False) -> R:
        """
        Do several pieces of recording as one atomic landing, for importers above the store.

        Args:
            work: what is done; it is handed the recorder. What it raises leaves nothing behind.
            message: the activity log's line.
            settled: as for `batch`.
        """
        with self.batch(message, settled=settled):
            return self.write(work)

    def _publish(self, landing: Landing, message: str | None, identity: Identity) -> None:
        new = publish(landing, self.journal, message=message, identity=identity, durable=self._is_durable(landing))
        if new is None:
            raise _Moved
        landing.published = True
        if self.repo.unconfirmed:
            self.watcher.note(f"recorded, but the disk did not confirm it: {self.repo.unconfirmed}")
            self.repo.unconfirmed = ""
        self._index.set_tip(landing.writer, new)

    def _is_durable(self, landing: Landing) -> bool:
        """
        Whether the disk has to confirm a landing before it counts, by git config ``lineage.fsync``.

        ``none``: never; everything survives a killed process, the last seconds may not survive a power cut.
        ``batch``, the default: landings of more than one event, such as imports. ``always``: every landing.
        """
        mode = (self.repo.config("lineage.fsync") or "batch").lower()
        if mode not in ("none", "batch", "always"):
            raise Invalid(f"git config lineage.fsync is {mode!r}; it takes none, batch or always")
        return mode == "always" or (mode == "batch" and len(landing.events) > 1)

    def _publish_again(self, landing: Landing, message: str | None, identity: Identity) -> None:
        """Land what was collected on a ref that another program moved meanwhile, as ``git notes append`` would."""
        for _ in range(_TRIES):
            self.refresh()
            with suppress(_Moved), self._index.transaction():
                landing.tip = self._index.tips().get(landing.writer)
                landing.shift(max(self._index.clock, self._clock_at(landing.tip)))
                self._publish(landing, message, identity)
                for oid, event in landing.events:
                    self._index.fold(Recorded(landing.writer, oid, event))
                return
        raise Conflict(self.namespace.ref(landing.writer))

    def recorder(self) -> Recorder:
        """
        Return what records into the landing that is open.

        Raises:
            RepositoryError: none is.
        """
        if self._landing is None:
            raise RepositoryError("nothing is open to record in")
        if self._desk is None or self._desk.landing is not self._landing:
            self._desk = Recorder(self.repo, self._views, self._landing, self._author, self._memory, self._hear)
        return self._desk


class _IndexLost(StorageError):
    """The index was damaged and is whole again, but what was being recorded is not in it."""


class _Moved(Exception):
    """Another program moved the writer's ref between our look and our move."""


def _task_text(task: Task) -> str:
    better = "lower" if task.lower_is_better else "higher"
    return f"{task.score_field} ({better} is better, label {task.short}, noise {task.epsilon:g})"
