"""
History, ``store.history``: what made it worse, what happened to a snapshot, all events, past moments, inferences.

What each means is told by ``blame``, ``chronicle``, ``bisecting`` and ``inferring``.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, TypeGuard

from gitlineage.errors import Ambiguous, Invalid, NotFound
from gitlineage.journal.journal import Recorded
from gitlineage.model.records import Snapshot
from gitlineage.query.names import Id, Moment, resolve, trial_of
from gitlineage.query.views import Views
from gitlineage.store.part import Part, reading
from gitlineage.times import parse_time

if TYPE_CHECKING:
    from gitlineage.query.audit import AuditEntry, LineageEvent
    from gitlineage.query.bisect import Bisection
    from gitlineage.query.blame import Blame
    from gitlineage.query.infer import Inferred


class History(Part):
    """How things came to be: every event, what touched a snapshot, where it got worse, what texts propose."""

    @reading
    def blame(self, id: Id, *, noise: float | None = None) -> "Blame":
        """
        Return where on the primary chain to a trial the score got worse, the first place first (semantics 32b).

        A change below two standard deviations of the replicates is no regression. Trials without a score are passed
        over, and named.

        Args:
            id: the trial or snapshot.
            noise: the standard deviation of one score; by default what replicates show, 0 where there are none.

        Raises:
            Invalid: a noise that is negative or not finite.
            LineageError: there is no trial on the chain.
        """
        from gitlineage.query import blame

        oid = resolve(self._views, id)
        try:
            exp_id = "" if isinstance(id, Snapshot) else trial_of(self._views, id).trial.exp_id
        except (NotFound, Ambiguous):  # a commit without a trial of its own, or with several
            exp_id = ""
        return blame.blame(self._views, oid, exp_id, noise=noise)

    @reading
    def audit(self, id: Id) -> "list[AuditEntry]":
        """Return every event that touches a snapshot, in order, each with what happened in words (semantics 32b)."""
        from gitlineage.query import audit as chronicle

        oid = resolve(self._views, id)
        happened = chronicle.touching(
            self._views,
            self.ledger.journal,
            self.ledger.counting(),
            oid,
            rule=self.ledger.let_through(self.ledger.hears),
        )
        return list(chronicle.audited(self._views, oid, happened))

    def events(
        self,
        id: Id | None = None,
        *,
        writer: str | None = None,
        types: Sequence[str] | None = None,
        since: Moment | None = None,
    ) -> "list[LineageEvent]":
        """
        Return events in their order (clock, writer), all of them or those that are asked for (semantics 39).

        Lines of notes that are no events are left out; `problems` has them.

        Args:
            id: only those that touch this snapshot, as `audit`.
            writer: only one writer's.
            types: only these, of `chronicle.EVENT_TYPES`.
            since: only those from a clock on, or recorded at a time or later.

        Raises:
            Invalid: an unknown type, or text that is no time.
        """
        return list(self.iter_events(id, writer=writer, types=types, since=since))

    def iter_events(
        self,
        id: Id | None = None,
        *,
        writer: str | None = None,
        types: Sequence[str] | None = None,
        since: Moment | None = None,
    ) -> "Iterator[LineageEvent]":
        """Return what `events` does one after the other, as of one moment; nothing can be recorded here meanwhile."""
        from gitlineage.query import audit as chronicle

        for kind in types or ():
            if kind not in chronicle.EVENT_TYPES:
                raise Invalid(f"{kind!r} is no type of event; there are {', '.join(chronicle.EVENT_TYPES)}")
        later = _since(since) if since is not None else None
        first = (
            since
            if isinstance(since, int)
            else int(since)
            if since is not None and _is_clock(since)
            else chronicle.EVER
        )
        ledger = self.ledger

        def happened(views: Views) -> "Iterator[LineageEvent]":
            heard = ledger.hearing()
            rule = ledger.let_through(lambda each: (later is None or later(each)) and heard(each))
            tips = ledger.counting()
            if id is None:
                yield from chronicle.events(views, ledger.journal, tips, writer=writer, since=first, rule=rule)
                return
            told = chronicle.touching(views, ledger.journal, tips, resolve(views, id), rule=rule)
            yield from (event for event in told if writer in (None, event.writer))

        return (event for event in ledger.stream(happened) if not types or event.event_type in types)

    def problems(self) -> list[tuple[str, str, str]]:
        """Return writer, commit and reason of every note line that is no event; they are skipped, never deleted."""
        return self.ledger.problems()

    @reading
    def infer(self, id: Id | None = None, *, notes: bool = False) -> "list[Inferred]":
        """
        Return the relations that texts of trials propose, because they cite other trials by id; none is recorded.

        Args:
            id: only what the trials on this snapshot cite.
            notes: read the notes too, not only the hypotheses.
        """
        from gitlineage.query import infer as inferring

        oid = None if id is None else resolve(self._views, id)
        return inferring.infer(self._views, oid, notes=notes)

    @reading
    def bisect(self, good: Id, bad: Id, command: Sequence[str], *, output: int | None = None) -> "Bisection":
        """
        Find the first bad commit between two on a primary chain by running a command on those between.

        Nothing of the repository's own HEAD, index, branches or files changes.

        Args:
            good: where the command works.
            bad: what goes back to it by first parents, where the command does not.
            command: its words; exit code 0 is good, 125 cannot tell, other codes below 126 are bad.
            output: the descriptor that takes its standard output; by default this process's.

        Raises:
            BisectFailed: the two are not on one chain, or the command cannot be run or could not tell.
        """
        from gitlineage.query import bisect as bisecting

        if not command:
            raise Invalid("there is no command to run")
        ends = resolve(self._views, good), resolve(self._views, bad)
        moved = {oid for (oid,) in self._views.index.rows("SELECT DISTINCT child FROM reparents WHERE followed")}
        return bisecting.bisect(self.ledger.repo, *ends, command, output=output, name=self._views.name, moved=moved)


def _is_clock(since: Moment) -> TypeGuard[str]:
    return isinstance(since, str) and since.isdecimal() and since.isascii()


def _since(since: Moment) -> Callable[[Recorded], bool]:
    """Return the rule that lets through the events from a clock or a time on; one without a time is not."""
    if _is_clock(since):
        since = int(since)
    if isinstance(since, int):
        first = since
        return lambda recorded: recorded.event.clock >= first
    at = parse_time(since) if isinstance(since, str) else since
    if at is None:
        raise Invalid(f"{since!r} is neither a clock nor an ISO 8601 time")
    earliest = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()

    def later(recorded: Recorded) -> bool:
        told = parse_time(recorded.event.at)
        return told is not None and told.timestamp() >= earliest

    return later
