"""
A remote as lineage sees it: which one is meant, what was last seen of its refs, and how what became of them is told.

For `pull` and `push`; start at `Exchange`. What was fetched is beside the store, under ``refs/lineage/remotes/``, until
it is taken into place.
"""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import NamedTuple

import msgspec

from gitlineage import house
from gitlineage.errors import CorruptEvent, RemoteError, RepositoryError
from gitlineage.git import locks, transport
from gitlineage.git.transport import Transport
from gitlineage.journal import events
from gitlineage.model.namespace import ORDINARY, seen_below, seen_in
from gitlineage.record.ledger import Ledger

_TRIES = 3


class RefOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of one writer's ref.

    Args:
        writer: whose ref.
        direction: ``push`` or ``pull``.
        state: ``new``, ``fast-forwarded``, ``up to date``, ``ahead`` (there is more here than on the remote),
            ``behind`` (the other way round), ``rehomed``, ``rewritten`` or ``deleted`` (as the caller accepted), or
            ``refused``.
        reason: why, where the state alone does not say it.
        old: where the ref stood before; empty for nowhere.
        new: where it stands now, or would.
        trials: how many trials came or went with it.
        snapshots: how many snapshots did.
        campaign: in which campaign.
    """

    writer: str
    direction: str
    state: str
    reason: str = ""
    old: str = ""
    new: str = ""
    trials: int = 0
    snapshots: int = 0
    campaign: str = ORDINARY


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of all refs in one exchange with a remote.

    Args:
        remote: the remote's name or address; empty where there is none.
        outcomes: one for each ref, sorted by writer, those of a pull before those of a push.
        dry_run: whether it only says what would be.
    """

    remote: str
    outcomes: tuple[RefOutcome, ...] = ()
    dry_run: bool = False

    @property
    def refused(self) -> tuple[RefOutcome, ...]:
        """The refs that were not taken, or that the remote did not take."""
        return tuple(each for each in self.outcomes if each.state == "refused")


class Way(NamedTuple):
    """
    A remote, and where its refs of one campaign are kept here.

    Args:
        shown: its name or address, as it is told.
        key: what it is called in refs.
        prefix: how the refs begin that say where those of the campaign were last seen.
        transport: the way there.
    """

    shown: str
    key: str
    prefix: str
    transport: Transport

    def of(self, ledger: Ledger) -> "Way":
        """Return the way to the same remote for another campaign."""
        return self._replace(prefix=ledger.namespace.seen(self.key))


# -- which remote --------------------------------------------------------------------------------------------------


def default_remote(ledger: Ledger) -> str:
    """
    Return the remote that is meant where none is named: git config ``lineage.remote``, the only one, or ``origin``.

    Raises:
        RepositoryError: there is none, or none is the obvious one.
    """
    names = ledger.repo.remotes()
    if chosen := ledger.repo.config(house.REMOTE):
        return chosen
    if len(names) == 1:
        return names[0]
    if "origin" in names:
        return "origin"
    if not names:
        raise RepositoryError("this repository has no remote; `git remote add origin URL` adds one")
    raise RepositoryError(f"which remote? there is {listed(names)}; name one, or set git config lineage.remote")


def way_to(ledger: Ledger, remote: str | None) -> Way:
    """
    Return the way to a remote, given by name, URL or path.

    Raises:
        RepositoryError: there is no such remote.
    """
    meant = remote if remote is not None else default_remote(ledger)
    names = ledger.repo.remotes()
    named = meant in names
    if not named and (not meant or not transport.is_address(meant)):
        known = f"there is {listed(names)}" if names else "there is none; `git remote add NAME URL` adds one"
        raise RepositoryError(f"no remote {meant!r} in this repository; {known}")
    target = meant if named else transport.address(meant)
    key = meant.replace("%", "%25").replace("/", "%2F") if named else f"url-{sha256(target.encode()).hexdigest()[:12]}"
    where = ledger.repo.workdir or ledger.repo.gitdir
    carrier = Transport(ledger.repo.gitdir, where, target, named=named, listener=ledger.watcher.overhear())
    return Way(transport.anonymous(target), key, ledger.namespace.seen(key), carrier)


def way_now(ledger: Ledger, remote: str | None) -> Way:
    """
    Return the way to a remote for an exchange that begins now.

    Raises:
        RepositoryError: there is no such remote, or a batch is open.
        InThePast: the store shows the past.
    """
    way = way_to(ledger, remote)
    ledger.check_present()
    if ledger.in_batch:
        raise RepositoryError("a batch is open on this store; end it before lineage is exchanged")
    return way


# -- its refs ------------------------------------------------------------------------------------------------------


def seen_everywhere(ledger: Ledger, way: Way) -> dict[str, dict[str, str]]:
    """Return where a remote's refs were when they were last seen, by campaign and writer."""
    main, others = (ledger.repo.refs(start) for start in seen_below(way.key))
    return seen_in(way.key, main | others)


def in_campaign(ledger: Ledger, outcomes: Iterable[RefOutcome]) -> list[RefOutcome]:
    """Return outcomes with the campaign that they are of."""
    return [msgspec.structs.replace(each, campaign=ledger.campaign) for each in outcomes]


def fetch(ledger: Ledger, way: Way, refspecs: Sequence[str], *, prune: bool = False, dry_run: bool = False) -> None:
    """Fetch; another fetch at the same moment, is waited for, a killed gitlineage's lock file removed."""
    for tries in range(_TRIES, 0, -1):
        try:
            way.transport.fetch(refspecs, prune=prune, dry_run=dry_run)
            return
        except RemoteError as error:
            if tries == 1 or not re.search(transport.LOCKED, error.message):
                raise
            locks.sweep(ledger.repo.commondir, ledger.repo.own)
            time.sleep(locks.PATIENCE / _TRIES)


# -- words and numbers ---------------------------------------------------------------------------------------------


def count(
    ledger: Ledger,
    writer: str,
    tip: str,
    since: str | None,
    known: Mapping[tuple[str, str], tuple[int, int]] | None = None,
) -> tuple[int, int]:
    """
    Return how many trials and snapshots a ref has that an earlier state of it has not.

    Args:
        known: what the index counts, where it was asked already.
    """
    if since is not None and not ledger.repo.exists(since):
        since = None
    if since is None and (told := (ledger.counts() if known is None else known).get((writer, tip))) is not None:
        return told
    trials = snapshots = 0
    for _, had, lines in ledger.journal.added(tip, since):
        old, new = list(_events(had)), list(_events(lines))
        names = {event.row.get("exp_id") for event in old if isinstance(event, events.TrialEvent)}
        more = {event.row.get("exp_id") for event in new if isinstance(event, events.TrialEvent)}
        trials += len(more - names)
        made, before = (any(event.place is events.Place.SNAPSHOT for event in each) for each in (new, old))
        snapshots += made and not before
    return trials, snapshots


def _events(lines: Iterable[bytes]) -> Iterable[events.AnyEvent]:
    for line in lines:
        with suppress(CorruptEvent):
            yield events.decode(line)


def outcome(
    writer: str,
    direction: str,
    state: str,
    old: str | None,
    new: str | None,
    reason: str = "",
    counts: tuple[int, int] = (0, 0),
) -> RefOutcome:
    """Return what became of a writer's ref, ``None`` for where there is none; counts of trials and of snapshots."""
    return RefOutcome(
        writer=writer,
        direction=direction,
        state=state,
        reason=reason,
        old=old or "",
        new=new or "",
        trials=counts[0],
        snapshots=counts[1],
    )


def refusal(writer: str, direction: str, old: str | None, new: str | None, reason: str) -> RefOutcome:
    """Return the outcome of a ref that was not taken, here or there."""
    return outcome(writer, direction, "refused", old, new, reason)


def listed(names: Iterable[str]) -> str:
    """Return names as a list to read."""
    return ", ".join(sorted(names)) or "none"
