"""
An open repository to read and record in, for the facade; start at `Ledger`.

Its index is kept current with the writers' refs, what was cut off lands again, and landings are published whole or
refused whole. Everything that can go wrong around it is here: a damaged, deleted or read-only index, a full disk, a
ref that went back or that another program moves.
"""

import copy
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar
from weakref import WeakSet

import msgspec

from gitlineage import house, scratch
from gitlineage.errors import (
    Conflict,
    Incomplete,
    InThePast,
    Invalid,
    LineageError,
    Locked,
    RepositoryError,
    SigningError,
    StorageError,
)
from gitlineage.git import locks
from gitlineage.git.formats import Identity
from gitlineage.git.repository import GitRepo, find_repository, init_repository
from gitlineage.index import index
from gitlineage.index.index import Damaged, Index
from gitlineage.journal.journal import Journal, Recorded, check_writer, is_archive
from gitlineage.later import later
from gitlineage.model.namespace import DEFAULT, NOTES, NOTES_FOLDER, ORDINARY, Namespace, campaigns_in, namespace_of
from gitlineage.model.records import Task
from gitlineage.model.stand_in import IS_LOST
from gitlineage.model.trial import Trial
from gitlineage.query.names import moment
from gitlineage.query.views import Views
from gitlineage.record.landing import Landing, WriterLock, alone
from gitlineage.record.rules import Memory
from gitlineage.record.watcher import Watcher
from gitlineage.text import counted, some, to_type

if TYPE_CHECKING:
    from gitlineage.git import maintenance, signing
    from gitlineage.git.folders import Taken
    from gitlineage.journal import events, keeping, speakers, trust
    from gitlineage.journal.speakers import Speakers
    from gitlineage.query import nearest, words
    from gitlineage.query.nearest import Candidate
    from gitlineage.query.words import Said, Standing
    from gitlineage.record import derived, stand_ins, turns
    from gitlineage.record import recorder as recording
    from gitlineage.record.recorder import Recorder
else:  # what a question to an index that is current does not need
    maintenance, signing = later("gitlineage.git", "maintenance", "signing")
    events, keeping, speakers, trust = later("gitlineage.journal", "events", "keeping", "speakers", "trust")
    nearest, words = later("gitlineage.query", "nearest", "words")
    derived, recording, stand_ins, turns = later("gitlineage.record", "derived", "recorder", "stand_ins", "turns")

_TRIES = 10

_LOOK = 5.0
"""Seconds between two looks for what a clone lacks."""

_TOLD = 5

_NAMED = 5
"""Writers that are named when some are left out; the rest are counted."""

_COUNTED = ("trials", "snapshots")
P = ParamSpec("P")
R = TypeVar("R")


def namespace_for(repo: GitRepo, campaign: str | None) -> Namespace:
    """Return the namespace of a campaign, by default of the one in git config ``lineage.campaign``."""
    if campaign is not None:
        return namespace_of(campaign)
    try:
        return namespace_of(repo.config(house.CAMPAIGN) or ORDINARY)
    except Invalid as error:
        raise Invalid(f"git config lineage.campaign: {error}") from error


def _lock_of(repo: GitRepo, namespace: Namespace) -> Path:
    return namespace.folder(repo.commondir) / "lock"


def reading(method: "Callable[Concatenate[Any, P], R]") -> "Callable[Concatenate[Any, P], R]":
    """Bring the index up to date before a question, and rebuild it where it turns out to be damaged."""

    @wraps(method)
    def wrapper(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        asked: Ledger = self
        return asked.ask(partial(method, self, *args, **kwargs))

    return wrapper


_stores: "WeakSet[Ledger]" = WeakSet()
"""The open stores of this process, which a fork concerns."""


def task_here() -> object | None:
    """Return the asyncio task that runs in this thread, if one does."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        return asyncio.current_task()  # type: ignore[no-any-return]
    except RuntimeError:  # no loop runs in this thread
        return None


class Ledger:
    """
    An open repository and its index; `LineageStore` says what the arguments mean.

    One thread at a time is inside: whoever asks or records holds the gate, a batch for as long as it is open.
    """

    _task: object | None = None
    """The task whose batch is open; other tasks in its thread cannot wait for it."""

    _inherited = False
    """Whether this process was forked inside an open batch, which is its parent's, and has not left the block yet."""

    _cut_short: Incomplete | None = None
    """What an answer lacked that came to the end of a shallow clone."""

    _past = ""
    """Which past moment this store shows, in words; empty for the present."""

    until: Callable[[Recorded], bool] | None = None
    """The rule that lets through the events up to that moment; ``None`` in the present."""

    _rule: "Speakers | None" = None
    """Whose words count; ``None`` for everybody's."""

    _left_out: tuple[str, ...] = ()
    """The writers whose refs do not count."""

    _trusted: Index | None = None
    """The trusted writers' events alone, once they were asked for."""

    _wanted: Task | None = None
    """The task to record at the first write."""

    _author = Identity("", "")
    _desk: "Recorder | None" = None

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
        self.root = Path(root)
        self.incomplete = incomplete
        self._look_again = 0.0
        if create and find_repository(self.root) is None:
            init_repository(self.root)
        self.repo = GitRepo(self.root, environment=environment)
        self.namespace = namespace_for(self.repo, campaign)
        self.journal = Journal(self.repo, self.namespace)
        self.watcher = watcher or Watcher()
        self._named = writer
        self._writer = self.successor(check_writer(writer)) if writer else None
        self._identity = Identity(*identity) if identity else None
        self._clock = clock or (lambda: datetime.now(UTC))
        self._gate = threading.RLock()
        self.folder = self.namespace.folder(self.repo.commondir)
        self._lock = self._lock_at(_lock_of(self.repo, self.namespace))
        self._landing: Landing | None = None
        locks.sweep(self.repo.commondir, self.repo.own)
        self._use(self._open_index())
        self.taken: Taken | None = None
        """What the folder that was recorded last gave, and what of it is in no snapshot."""
        self._wanted = self._wanted_task(task, lower_is_better)

    def close(self) -> None:
        """
        Close the index; the store opens it again when it is used, unless it shows the past.

        Raises:
            RepositoryError: a batch is open.
        """
        with self._gate:
            if self._landing is not None:
                raise RepositoryError("a batch is open; end it before the store is closed")
            self._index.close()
            self.repo.rest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- settings ------------------------------------------------------------------------------------------

    @property
    def writer(self) -> str:
        """The name of this clone's writer; made up and kept in git's configuration where there is none."""
        if self._writer is None:
            self._writer = self._configured_writer(self.repo)
        if self._writer is None:
            self.check_present()
            with self._gate:
                self._admit()
                with self._name_lock():
                    self._writer = self._configured_writer(GitRepo(self.root)) or self._new_writer()
        return check_writer(self._writer)

    def own_writer(self) -> str | None:
        """Return the name of this clone's writer as it is now, ``None`` where there is none yet."""
        repo = GitRepo(self.root)
        name = self._writer or self._configured_writer(repo)
        self._writer = self.successor(name, repo) if name else None
        return self._writer

    def successor(self, writer: str, repo: GitRepo | None = None) -> str:
        """Return the name under which a writer of this clone goes on; its own, unless that was in use twice."""
        seen = {writer}
        while (new := (repo or self.repo).config(self.namespace.successor_key(writer))) and new not in seen:
            writer = check_writer(new)
            seen.add(writer)
        return writer

    def _configured_writer(self, repo: GitRepo) -> str | None:
        """Return this clone's writer as git's configuration has it; a campaign may have one of its own."""
        return repo.config(self.namespace.key("writer")) or repo.config(house.WRITER)

    def _lock_at(self, path: Path) -> WriterLock:
        return WriterLock(path, self._patience, lambda text: self.watcher.note(text), self.repo.modes)

    def _patience(self) -> float:
        """Return how many seconds a writer waits for another one, by git config ``lineage.lockTimeout``."""
        said = self.repo.config(house.LOCK_TIMEOUT)
        if said is None:
            return turns.LIMIT
        with suppress(ValueError):
            if 0 < (seconds := float(said)) < threading.TIMEOUT_MAX:
                return seconds
        raise Invalid(f"git config lineage.lockTimeout is {said!r}; it takes a number of seconds above 0")

    def _name_lock(self) -> AbstractContextManager[None]:
        """Wait for the lock under which a clone gets its writer's name, whichever campaign needs it first."""
        return self._lock() if self.namespace.is_default else self._lock_at(_lock_of(self.repo, DEFAULT))()

    # -- campaigns -----------------------------------------------------------------------------------------

    @property
    def campaign(self) -> str:
        """The name of the campaign that this store shows; ``default`` for the one that every repository has."""
        return self.namespace.campaign

    def campaigns(self) -> tuple[str, ...]:
        """Return the names of the repository's campaigns, the default one first."""
        return campaigns_in(self.repo.refs(NOTES_FOLDER))

    def of_campaign(self, campaign: str) -> Self:
        """
        Open another campaign of the same repository, which begins where nothing was recorded in it yet.

        Raises:
            Invalid: no campaign can have this name.
        """
        who = (self._identity.name, self._identity.mail) if self._identity is not None else None
        return type(self)(
            self.root,
            campaign=campaign,
            writer=self._named,
            identity=who,
            clock=self._clock,
            create=False,
            watcher=self.watcher,
            incomplete=self.incomplete,
        )

    @contextmanager
    def in_campaign(self, campaign: str) -> Iterator[Self]:
        """Open a campaign of the repository and close it again; this store where it is its own."""
        if campaign == self.campaign:
            yield self
            return
        other = self.of_campaign(campaign)
        try:
            yield other
        finally:
            other.close()

    @contextmanager
    def all_campaigns(self) -> Iterator[list[Self]]:
        """Open all campaigns of the repository, the default one first, this store among them; and close them again."""
        with ExitStack() as opened:
            names = dict.fromkeys((*self.campaigns(), self.campaign))
            yield [opened.enter_context(self.in_campaign(name)) for name in names]

    def tidy(self) -> None:
        """
        Keep the number of packs small, after a landing and under the writers' lock.

        Packs belong to all campaigns, so it waits for another time while another campaign records.
        """
        folder = DEFAULT.folder(self.repo.commondir)
        locks = [folder / "lock", *folder.glob("campaigns/*/lock")]
        with alone([path for path in locks if path != self.folder / "lock"]) as is_alone:
            if is_alone:
                maintenance.tidy(self.repo)

    def committer(self) -> Identity:
        """Return who commits here."""
        return self._identity or self.repo.identity()

    @property
    def in_batch(self) -> bool:
        """Whether a batch is open."""
        return self._landing is not None

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Wait for the writers' lock and hold it."""
        self.check_present()
        with self._gate:
            self._admit()
            with self._lock():
                yield

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Hold the writers' lock, so that nobody records meanwhile; where it cannot be had, go on without."""
        with ExitStack() as held:
            if not self.in_batch:
                try:
                    held.enter_context(self.holding())
                except Locked as error:
                    self.watcher.note(f"what is looked at may change meanwhile: {error}")
                except StorageError:  # a repository that cannot be written to
                    pass
            yield

    def _admit(self) -> None:
        """
        Refuse whoever would otherwise have part in a batch that is not theirs; threads wait at the gate instead.

        Raises:
            RepositoryError: it is another task's, or that of the process that this one was forked from.
        """
        if self._inherited:
            raise RepositoryError(
                "this process was forked inside a batch, which is its parent's; leave the block, then use the store"
            )
        if self._landing is not None and self._task is not task_here():
            raise RepositoryError(
                "another task has a batch open in this thread, and waiting would stop both; use AsyncLineageStore, or "
                "await nothing inside a batch"
            )

    def _forked(self) -> None:
        """Begin anew in a process that was just forked: batch, lock and open files are the parent's."""
        is_idle = self._gate.acquire(blocking=False)  # else another thread has it, and none is in this process
        self._inherited = is_idle and self._landing is not None
        self._gate = self._index.file.gate = threading.RLock()
        self._index.file.leave_to_parent(is_idle=is_idle)
        self._lock.forget()
        self._landing = self._trusted = None

    def counts(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Return how many trials and snapshots each writer recorded, by writer and where the index knows its ref."""
        trials, snapshots = (
            dict(self._index.rows(f"SELECT writer, count(*) FROM {name} GROUP BY writer")) for name in _COUNTED
        )
        tips = {writer: tip for writer, tip in self._index.tips().items() if not is_archive(writer)}
        return {(writer, tip): (trials.get(writer, 0), snapshots.get(writer, 0)) for writer, tip in tips.items()}

    @reading
    def standing(self) -> "Standing":
        """Return what holds because somebody said it, to compare it with later."""
        return words.standing(self._views)

    @reading
    def changed_since(self, before: "Standing") -> "list[Said]":
        """Return what others' words have changed since: the task, rows of somebody else's, the best."""
        said = words.told(self._views, self.journal, self.counting(), before, self.own_writer())
        return [*said, *self._told_left_out()]

    @reading
    def others_words(self) -> "list[Said]":
        """Return the words of other writers that hold now about the task and about rows that are not theirs."""
        said = words.holding(self._views, self.journal, self.counting(), self.own_writer())
        return [*said, *self._told_left_out()]

    def _told_left_out(self) -> "Iterator[Said]":
        """Say what git config ``lineage.trust`` leaves out."""
        if self._rule is not None and self._left_out:
            names = ", ".join(self._left_out[:_TOLD])
            more = f" and {len(self._left_out) - _TOLD:,} more" if len(self._left_out) > _TOLD else ""
            yield words.Said("", f"left out, because not signed by their owners: {names}{more}")
        if self._rule is not None and not self._rule.task:
            yield words.Said("", "git config lineage.taskWriters names nobody, so nobody's word about the task counts")

    def _new_writer(self) -> str:
        who = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in self.committer().name.lower())
        name = "-".join(filter(None, who.split("-")))[:40] or "writer"
        writer = f"{name}-{os.urandom(3).hex()}"
        self.repo.set_config(house.WRITER, writer)
        return writer

    def now(self) -> datetime:
        """Return what the time is, by the clock that the store was opened with."""
        return self._clock()

    # -- the past ------------------------------------------------------------------------------------------

    @property
    def is_past(self) -> bool:
        """Whether this shows a past moment."""
        return bool(self._past)

    def check_present(self) -> None:
        """
        Refuse to go on in a store that shows the past.

        Raises:
            InThePast: this one does.
        """
        if self._past:
            raise InThePast(self._past)

    def as_of(self, until: Callable[[Recorded], bool], told: str) -> Self:
        """
        Return a store that answers as this one did at a past moment, and records nothing.

        Args:
            until: the rule that lets through the events up to that moment.
            told: which moment that is, in words.
        """
        past = copy.copy(self)
        past._past, past.until = told, self.let_through(until)
        past._landing = past._trusted = past._desk = past._wanted = None
        past._use(index.build(self.repo, self.journal, self.counting(), past.until, self._rule))
        return past

    def let_through(self, rule: Callable[[Recorded], bool]) -> Callable[[Recorded], bool]:
        """Return a rule that lets through what another one does, as long as it is not after this store's moment."""
        own = self.until
        return rule if own is None else lambda recorded: own(recorded) and rule(recorded)

    # -- the index -----------------------------------------------------------------------------------------

    def ask(self, question: Callable[[], R]) -> R:
        """Bring the index up to date, then answer a question; once more where the index turns out to be damaged."""
        with self._gate:
            try:
                self.refresh()
                return question()
            except Damaged as error:
                self._rebuild(f"the index is damaged ({error})")
                return question()

    def stream(self, question: Callable[[Views], Iterator[R]], views: Views | None = None) -> Iterator[R]:
        """
        Bring the index up to date, then return the answers to a question one after the other, all as of one moment.

        Whoever takes them must not record before the last one; other processes may.

        Args:
            question: asks the models, and reads little at once.
            views: of another moment; by default the present ones.

        Raises:
            StorageError: the index turned out to be damaged when some answers were given; it is built anew by then.
        """
        with self._gate:
            self.refresh()
            has_begun = False
            try:
                shown = views or self._views
                with shown.index.steady():
                    for each in question(shown):
                        has_begun = True
                        yield each
                return
            except Damaged as error:
                self._rebuild(f"the index is damaged ({error})")
                if has_begun:
                    raise StorageError("the list broke off where the index was damaged; ask for it again") from error
            with self._index.steady():
                yield from question(self._views)

    @property
    def models(self) -> Views:
        """The models as the index stands; `ask` and `write` bring it up to date before their work, `views` itself."""
        return self._views

    @reading
    def views(self, *, at: str | None = None, raw_parents: bool = False, trusted_only: bool = False) -> Views:
        """
        Return the models behind everything else, now or as they were.

        Args:
            at: a trial, a commit of a writer's ref, or an ISO 8601 time (design 8).
            raw_parents: take parents as the rows spell them (semantics 59).
            trusted_only: leave out every writer whose ref is not signed by its owner, every commit, by the file in git
                config ``gpg.ssh.allowedSignersFile``.

        Raises:
            SigningError: only trusted writers are wanted, and nothing says who they are.
        """
        if trusted_only:
            shown = self._trusted_index()
            if at is not None:
                until = self.let_through(moment(Views(shown, self.repo, note=self.watcher.note), self.journal, at))
                shown = index.build(self.repo, self.journal, shown.tips(), until, self._rule)
            return Views(shown, self.repo, raw_parents, self.watcher.note, self._hears_ends())
        if at is None:
            return (
                Views(self._index, self.repo, raw_parents, self.watcher.note, self._hears_ends())
                if raw_parents
                else self._views
            )
        until = self.let_through(moment(self._views, self.journal, at))
        shown = index.build(self.repo, self.journal, self.counting(), until, self._rule)
        return Views(shown, self.repo, raw_parents, self.watcher.note, self._hears_ends())

    def _trusted_index(self) -> Index:
        """Return an index of the trusted writers' events alone; kept for as long as their refs stay where they are."""
        from gitlineage.journal.trust import trusted

        tips = self._index.tips()
        signed = trusted(self.repo, self.journal, signing.verifier(self.repo), tips)
        if self._trusted is None or self._trusted.tips() != signed:
            self._trusted = index.build(self.repo, self.journal, signed, self.until, self._rule)
        named = {name for name, tip in tips.items() if not (is_archive(name) and self.journal.folded(tip))}
        if left := sorted((named | self.journal.archived(tips).keys()) - signed.keys()):
            more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
            self.watcher.note(f"left out, because not signed by their owners: {', '.join(left[:_NAMED])}{more}")
        return self._trusted

    def refresh(self) -> None:
        """Bring the index up to date with the writers' refs; nothing but a few refs is read where it is."""
        with self._gate:
            self._admit()
            self._catch_up()

    def _catch_up(self) -> None:
        if self._past and self._index.file.is_closed:
            raise RepositoryError(f"this store as of {self._past} was closed; replay it again")
        if self._landing is not None or self._past:
            return
        try:
            if os.getpid() != self._process:
                self.repo = GitRepo(self.root)
                self.journal = Journal(self.repo, self.namespace)
            if self._index.file.is_outdated():
                self._use(self._open_index())
                self.own_writer()
            self._rule = self._index.speakers = speakers.from_config(self.repo)
            if self._index.is_by_another_rule():
                self._rebuild("it says otherwise now whose words count")
            if self.journal.tips() != self._index.tips():
                self._put_back()
                self._fold()
            if self._index.absent:
                self._face_absence()
            elif self._index.ends_elsewhere:
                self._rebuild("this clone's history ends elsewhere now")
        except Damaged as error:
            self._rebuild(f"the index is damaged ({error})")

    def _face_absence(self) -> None:
        """
        Fold anew where something that this clone lacked has come; refuse to go on without what it still lacks.

        Raises:
            Incomplete: something is missing, and the store was not opened to do without.
        """
        now = time.monotonic()
        if now >= self._look_again:
            self._look_again = now + _LOOK
            if self._index.has_come():
                self._rebuild("the index lacks what has come since")
        if not self.incomplete and (lacking := self._index.incomplete()) is not None:
            raise lacking

    def lacking(self) -> Incomplete | None:
        """
        Return the error that says what this clone lacks of the lineage; ``None`` where it has all of it.

        Where it was opened to do without, that is also a way between two snapshots which some answer could not follow.
        """
        return self._index.incomplete() or self._cut_short

    def _hears_ends(self) -> Callable[[Incomplete], None] | None:
        """Return what hears where a shallow clone's end cut an answer short, in a store that answers all the same."""
        return self._be_cut_short if self.incomplete else None

    def _be_cut_short(self, error: Incomplete) -> None:
        self._cut_short = error

    def reindex(self) -> int:
        """Throw the index and the derived refs away, build them anew, and return the number of trials."""
        self.check_present()
        with self._gate:
            self._admit()
            if self._landing is not None:
                raise RepositoryError("a batch is open; end it first")
            for told in locks.left_locks(self.repo.commondir, self.repo.own):
                self.watcher.note(told)
            self._rebuild(None)
            if self._index.absent:
                self._face_absence()
            return self._views.total()

    @reading
    def problems(self) -> list[tuple[str, str, str]]:
        """Return writer, commit and reason of every note line that is no event; they are skipped, never deleted."""
        return [tuple(row) for row in self._index.rows("SELECT writer, oid, reason FROM problems ORDER BY 1, 2, 3")]

    def _open_index(self) -> Index:
        path = self.folder / "index.sqlite3"
        try:
            self.repo.modes.make_folders(self.folder)
            return Index(self.repo, path)
        except Damaged as error:
            self.watcher.note(f"the index is unusable ({error}): rebuilding it")
            with self._lock():
                index.delete(path)
                return Index(self.repo, path)
        except (OSError, sqlite3.OperationalError):
            return Index(self.repo, None)

    def counting(self) -> dict[str, str]:
        """
        Return where the refs stand whose events count: everybody's, or where git config ``lineage.trust`` is
        ``signed`` those that are signed by their owners.

        Raises:
            SigningError: only those count, and nothing says who may sign.
        """
        tips = self.journal.tips()
        if self._rule is None:
            return tips
        signed = trust.trusted(self.repo, self.journal, signing.verifier(self.repo), tips)
        left = [name for name, tip in tips.items() if signed.get(name) != tip and not is_archive(name)]
        self._left_out = tuple(
            sorted(f"{name} from {signed[name][:12]} on" if name in signed else name for name in left)
        )
        return signed

    def forged_after(self, writer: str, here: str, there: str) -> str | None:
        """
        Return the first commit by which a ref that counts would go on without its owner's signature.

        Args:
            here: where it is known to have stood.
            there: where somebody else has it, further on.

        Returns:
            The commit; ``None`` where its owner signed them all, or the ref does not count anyway.
        """
        if self._rule is None or is_archive(writer):
            return None
        counted = self.counting().get(writer)
        if counted is None or not self.journal.is_ahead(counted, here):
            return None
        end = trust.signed_up_to(self.repo, self.journal, signing.verifier(self.repo), writer, there, here)
        return None if end == there else self.journal.line(there, end)[0]

    def hears(self, recorded: Recorded) -> bool:
        """Whether an event counts; to be asked when the index is up to date."""
        return not self._index.refusal(recorded)

    def hearing(self) -> Callable[[Recorded], bool]:
        """Return what `hears` answers, as of one moment, for whoever asks of very many events."""
        if self._rule is not None:
            return self.hears
        highest = self._index.events + events.AHEAD
        return lambda recorded: recorded.event.clock <= highest

    def _advance(self, count: int) -> None:
        self.watcher.advance("indexing", count)

    def _fold(self) -> None:
        try:
            tips = self.counting()
            if tips == self._index.tips():
                return
            folded = self._index.refresh(self.journal, self._advance, tips)
        except sqlite3.OperationalError as error:
            self._use_memory(error)
            return
        if not folded:
            why = "a writer's ref went back"
            if self._index.overturned:
                why = "something is another writer's than it seemed"
            self._rebuild(why)
            return
        self._after_folding()
        self._tell_problems()

    def _put_back(self) -> None:
        """Put back what a plain git command took from the refs that this clone moves itself, and say so."""
        own = self._writer or self._configured_writer(self.repo)
        for writer in list(keeping.lost(self.repo, self.journal, own)):
            try:
                with self._lock(), self.repo.packing():
                    keeping.put_back(
                        self.repo, self.journal, writer, self.committer(), self._clock(), self.watcher.note
                    )
            except (StorageError, Locked) as error:
                ref = self.namespace.ref(writer)
                self.watcher.note(f"{ref} lacks what was recorded here and cannot be put back: {error}")

    def _rebuild(self, why: str | None) -> None:
        if self._landing is not None:
            raise StorageError(f"{why} in the middle of a write; nothing was recorded, try again")
        self._rule = speakers.from_config(self.repo)
        if why is not None:
            self.watcher.note(f"{why}: rebuilding it from the notes")
        path = self._index.file.path
        self._index.close()
        if path is None:
            self._use(Index(self.repo, None))
        else:
            with self._lock():
                index.delete(path)
                self._use(self._open_index())
        try:
            self._index.refresh(self.journal, self._advance, self.counting())
            self._derive_all()
        except (Damaged, sqlite3.OperationalError) as error:
            self._use_memory(error)
            self._derive_all()
        self._forget_changes()
        self._tell_problems()

    def _tell_problems(self) -> None:
        """Name the note lines that were skipped since the last word about them."""
        skipped, self._index.skipped = self._index.skipped, []
        for problem in skipped[:_TOLD]:
            self.watcher.note(str(problem))
        if len(skipped) > _TOLD:
            more = counted(len(skipped) - _TOLD, "more malformed line")
            self.watcher.note(f"skipped {more} in notes; `gitlineage events` lists all")

    def _use_memory(self, error: Exception) -> None:
        """Go on without a file where the index cannot be written: on a read-only or full disk."""
        self.watcher.note(f"the index cannot be written ({error}): reading the notes into memory")
        self._use(index.build(self.repo, self.journal, self.counting(), speakers=self._rule))

    def _use(self, new: Index) -> None:
        self._process = os.getpid()
        new.file.gate, new.speakers = self._gate, self._rule
        self._cut_short = None
        self._index = new
        self._views = Views(new, self.repo, note=self.watcher.note, hear=self._hears_ends())
        _stores.add(self)
        self._memory = Memory()

    def _derive_all(self) -> None:
        """Make the derived refs anew; from less than everything ``refs/lineage/best`` would be another trial's."""
        if not self._index.absent:
            derived.rebuild(self.repo, self.namespace, self._views)

    def _forget_changes(self) -> None:
        """Take it that the derived refs say what the index says."""
        self._index.touched, self._index.opened, self._index.built = set(), set(), False

    def _after_folding(self) -> None:
        self._derive(self._index.touched, self._index.opened, self._index.built)
        self._forget_changes()  # now only, or an interrupt would leave it undone for good

    def _derive(self, touched: set[int], opened: set[str], built: bool) -> None:
        """Have the derived refs follow the trials and cohorts that changed, or all of them."""
        if built:
            self._derive_all()
            return
        if self._index.absent:
            return
        if touched or opened or not self._memory.has_best(self._index.generation):
            derived.update(self.repo, self.namespace, self._views, sorted(self._views.shown(touched)), sorted(opened))
            self._memory.best_in(self._views)

    def lock_is_free_within(self, seconds: float) -> bool:
        """Whether no other process is recording, or ends in time; for those who would rather not than wait."""
        return self._landing is not None or self._lock.is_free_within(seconds)

    def folder_tree(self, trial: Trial, root: Path | None) -> str | None:
        """Return the tree of the folder that a row's ``snapshot_path`` names below a root, where it is there."""
        return recording.folder_tree(self.repo, trial, root, self._hear)

    def _hear(self, taken: "Taken") -> None:
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

    def has_lost(self) -> bool:
        """Whether some row stands on a stand-in, as the index stands: its commit was missing when it was imported."""
        return self._index.one(f"SELECT 1 FROM trials WHERE {IS_LOST} LIMIT 1") is not None

    def arrived(self, most: int | None = None) -> "list[stand_ins.Arrival]":
        """Return the trials that would move to commits which have arrived, as the index stands."""
        return stand_ins.arrived(self._views, most, self.own_writer() if self._rule is not None else None)

    def _settle(self, most: int | None = None) -> bool:
        """Have rows whose commits have arrived move to them, in a landing of their own, and say so."""
        try:
            if self._landing is not None or not self.has_lost() or not (arrived := self.arrived(most)):
                return False
            many = counted(len(arrived), "trial")
            with self._land(f"Move {many} to commits that arrived", settled=True):
                stand_ins.move_arrived(self.recorder(), self._views, arrived)
        except (LineageError, Damaged) as error:
            self.watcher.note(f"trials stay where they stand for commits that have arrived: {error}")
            return False
        self.watcher.note(f"{many} moved to commits which have arrived: {some([each.exp_id for each in arrived])}")
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
        return nearest.read_mark(self.repo, self._mark)

    def candidates(self) -> "tuple[Candidate, ...]":
        """Return the snapshots that the working tree's content may have been made from, the likeliest first."""
        return nearest.candidates(self._views, self.own_writer(), self._mark)

    @property
    def _mark(self) -> Path:
        """The file that says so: in the working tree's own git folder, one for each campaign."""
        return self.namespace.folder(self.repo.gitdir) / "at"

    def _put_mark(self, oid: str) -> None:
        if self.repo.workdir is not None:
            nearest.write_mark(self.repo, self._mark, oid)

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
            if any(spec.startswith(NOTES) for spec in self.repo.configs(f"remote.{remote}.push")):
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
        scratch.sweep_once()
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

    def write(self, work: "Callable[[Recorder], R]") -> R:
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

    def record_with(self, work: "Callable[[Recorder], R]", message: str | None = None, *, settled: bool = False) -> R:
        """
        Do several pieces of recording as one atomic landing, for importers above the store.

        Args:
            work: what is done; it is handed the recorder. What it raises leaves nothing behind.
            settled: as for `batch`.
        """
        with self.batch(message, settled=settled):
            return self.write(work)

    def _publish(self, landing: Landing, message: str | None, identity: Identity) -> None:
        new = self.journal.land(landing.appended(message, identity), durable=self._is_durable(landing))
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
        mode = (self.repo.config(house.FSYNC) or "batch").lower()
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

    def recorder(self) -> "Recorder":
        """
        Return what records into the landing that is open.

        Raises:
            RepositoryError: none is.
        """
        if self._landing is None:
            raise RepositoryError("nothing is open to record in")
        if self._desk is None or self._desk.landing is not self._landing:
            self._desk = recording.Recorder(
                self.repo, self._views, self._landing, self._author, self._memory, self._hear
            )
        return self._desk


class _IndexLost(StorageError):
    """The index was damaged and is whole again, but what was being recorded is not in it."""


class _Moved(Exception):
    """Another program moved the writer's ref between our look and our move."""


def _task_text(task: Task) -> str:
    better = "lower" if task.lower_is_better else "higher"
    return f"{task.score_field} ({better} is better, label {task.short}, noise {task.epsilon:g})"


def _after_fork() -> None:
    """Tell the stores of this process that it was forked."""
    for store in list(_stores):
        store._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
