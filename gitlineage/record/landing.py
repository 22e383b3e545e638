"""
One atomic landing: events collected under the writers' lock, folded as they come, published by one move of the ref.

Start at `Landing`, which `Recorder` adds events to and `Ledger` publishes; all of it lands or none.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gitlineage.errors import Invalid, RepositoryError, StorageError
from gitlineage.git.formats import CommitInfo, Identity
from gitlineage.git.modes import UMASK, Modes
from gitlineage.index.index import Index
from gitlineage.journal.journal import Append, Recorded
from gitlineage.later import later
from gitlineage.model.message import flattened
from gitlineage.model.trial import Trial
from gitlineage.record import turns
from gitlineage.times import stamp

if TYPE_CHECKING:
    from gitlineage.index import fold
    from gitlineage.journal import events
else:  # a ledger that only reads needs neither
    fold, events = later("gitlineage.index.fold"), later("gitlineage.journal.events")

_holders: dict[str, int] = {}
"""Which thread of this process holds which lock, so that it is not made to wait for itself."""


class WriterLock:
    """
    Keeps the writing processes of one repository apart; the kernel frees it when its holder dies.

    It is there for fairness: what makes a write safe is the ref's compare-and-swap.

    Args:
        limit: says how many seconds to wait at the most.
        tell: hears whom somebody waits for.
        modes: which permissions the file gets.
    """

    def __init__(
        self,
        path: Path,
        limit: Callable[[], float] = lambda: turns.LIMIT,
        tell: Callable[[str], None] = lambda text: None,
        modes: Modes = UMASK,
    ) -> None:
        self._path = path
        self._modes = modes
        self._limit = limit
        self._tell = tell
        self._file: FileIO | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """
        Wait for the lock and hold it; one store may take it again while it holds it.

        Raises:
            StorageError: the lock file cannot be made.
            RepositoryError: this thread holds it already, through another store.
            Locked: its holder keeps it for longer than the limit.
        """
        if self._file is not None:
            yield
            return
        try:
            try:
                self._take()
                yield
            finally:
                self.forget()
        except BaseException:
            self.forget()  # once more, for an interrupt may have come in between
            raise

    def forget(self) -> None:
        """Let the lock go; in a forked process it stays the parent's, who has the file open too."""
        if self._file is not None:
            _holders.pop(str(self._path), None)
            self._file.close()
            self._file = None

    def is_free_within(self, seconds: float) -> bool:
        """Whether nobody else holds the lock, or lets it go in time."""
        deadline = time.monotonic() + seconds
        try:
            file = self._open()
        except OSError:
            return True  # whoever takes it says what is wrong
        try:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return True
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        return False
                    time.sleep(0.02)
        finally:
            os.close(file)

    def _open(self) -> int:
        try:
            return self._modes.open(self._path, os.O_RDWR)
        except FileNotFoundError:
            self._modes.make_folders(self._path.parent)
            return self._modes.open(self._path, os.O_RDWR)

    def _take(self) -> None:
        if _holders.get(str(self._path)) == threading.get_ident():
            raise RepositoryError("another store on this repository has a batch open in this thread; use that one")
        limit = self._limit()  # now, so that a setting which is none is complained about before somebody has to wait
        try:
            self._file = FileIO(self._open(), "r+")
            turns.take(self._file.fileno(), self._path, limit, self._tell)
        except OSError as error:
            raise StorageError(f"cannot write to {self._path}: {error.strerror}; nothing was recorded") from error
        _holders[str(self._path)] = threading.get_ident()


@contextmanager
def alone(locks: Iterable[Path]) -> Iterator[bool]:
    """Hold the locks of other campaigns too, without waiting; says whether that could be, or else holds none."""
    held: list[int] = []
    try:
        for path in locks:
            with suppress(FileNotFoundError):
                held.append(os.open(path, os.O_RDWR | os.O_CLOEXEC))
                fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except OSError:
        yield False
    finally:
        for file in held:
            os.close(file)


class Landing:
    """
    What one commit of a writer's ref will record.

    Args:
        index: where events are folded at once, so that what follows in the same landing sees them.
        genesis: the writer's first commit, whose notes hold what belongs to no snapshot.
        moment: what the time is, asked once for each event.
        tip: where the writer's ref stands.
        clock: the clock of that ref, which its next events are above.
    """

    def __init__(
        self,
        index: Index,
        writer: str,
        genesis: str,
        moment: Callable[[], datetime],
        tip: str | None = None,
        clock: int = 0,
    ) -> None:
        self._index = index
        self.writer = writer
        self.genesis = genesis
        self.moment = moment
        self.events: list[tuple[str, events.AnyEvent]] = []
        self.lines: list[tuple[str, bytes]] = []
        self.tip = tip
        self.keep: list[str] = []
        self.reached: set[str] = set()
        self.novel: set[str] = set()
        self.subjects: list[str] = []
        self.clock = max(index.clock, clock)
        self.published = False
        self.stands_on = ""
        self._second: int | None = None
        self._told = ""

    def add(
        self,
        oid: str,
        event: "events.AnyEvent",
        subject: str,
        trial: Trial | None = None,
        made: CommitInfo | None = None,
    ) -> None:
        """
        Record an event on an object.

        Args:
            event: what happened, without a clock.
            subject: what the activity log says.
            trial: the event's row, where the caller has it as a trial already.
            made: the commit, where the caller has just made it.
        """
        stamped = msgspec.structs.replace(event, clock=self.clock + 1, at=event.at or self._now())
        line = events.encode(stamped)
        is_asked = self._index.speakers is not None and not isinstance(event, events.RetractEvent)  # its row may follow
        if is_asked and (refused := self._index.refusal(Recorded(self.writer, oid, stamped))):
            raise Invalid(f"this would not count: {refused}")
        self.lines.append((oid, line))
        self.clock += 1
        self.events.append((oid, stamped))
        if made is not None:
            self.reached.update(made.parents)
            if isinstance(made, fold.Made):
                self.novel.add(oid)
        self.subjects.append(subject)
        self._index.fold(Recorded(self.writer, oid, stamped), trial, made)
        self._index.follow()

    def _now(self) -> str:
        """Return what the time is, as a text; most events come within a second of the one before."""
        moment = self.moment()
        second = int(moment.timestamp())
        if second != self._second:
            self._second, self._told = second, stamp(moment)
        return self._told

    def subject(self, message: str | None) -> str:
        """Return the activity log's line: what the caller said, else what was recorded."""
        if message and flattened(message):
            return message
        if len(self.subjects) == 1:
            return self.subjects[0]
        trials = sum(isinstance(event, events.TrialEvent) for _, event in self.events)
        if trials == 1:
            return next(
                said
                for said, (_, event) in zip(self.subjects, self.events, strict=True)
                if isinstance(event, events.TrialEvent)
            )
        return f"Record {trials} trials" if trials else f"Record {len(self.events)} events"

    def shift(self, clock: int) -> None:
        """Give the events the clocks that follow a given one, because the ref had moved on."""
        self.clock = clock + len(self.events)
        moved = [
            (oid, msgspec.structs.replace(event, clock=at)) for at, (oid, event) in enumerate(self.events, clock + 1)
        ]
        self.events = moved
        self.lines = [(oid, events.encode(event)) for oid, event in moved]

    def appended(self, message: str | None, identity: Identity) -> Append:
        """Return what the writer's ref is to record, with the activity log's line as the caller said it."""
        return Append(
            writer=self.writer,
            tip=self.tip,
            lines=self.lines,
            clock=self.clock,
            subject=self.subject(message),
            identity=identity,
            moment=self.moment(),
            keep=self.keep,
            reached=self.reached,
            novel=self.novel,
        )
