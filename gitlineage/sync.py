"""
Lineage between this clone and a remote: what is pushed, what is taken into place, what is refused; not the transfer.

Layer 18. Design 3: a clone pushes the ref of its own writer and nothing else, so that a push is a fast-forward. What
others pushed is fetched beside the store, under ``refs/lineage/remotes/``, and taken into place only where it goes on
from what is here; whatever else happened to a ref on the remote is refused and told.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec

from gitlineage import codec, transport
from gitlineage.consolidation import holds, join_copies
from gitlineage.errors import CorruptEvent, Invalid, LineageError, RemoteError, RepositoryError
from gitlineage.journal import ARCHIVE, PREFIX, check_name, is_archive
from gitlineage.ledger import Ledger
from gitlineage.rehome import rehome
from gitlineage.transport import Pushed, Transport
from gitlineage.upkeep import tidy

REMOTES = "refs/lineage/remotes/"
"""Where each remote's refs were when they were last seen, below the remote's name."""

_MANY = 50
"""New refs that are put into git's packed list at once instead of a file each."""

_TRIES = 3
_TRUE = ("true", "yes", "on", "1")


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
    """

    writer: str
    direction: str
    state: str
    reason: str = ""
    old: str = ""
    new: str = ""
    trials: int = 0
    snapshots: int = 0


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


class _Way(NamedTuple):
    """A remote, and where its refs are kept here."""

    shown: str
    prefix: str
    transport: Transport


# -- which remote --------------------------------------------------------------------------------------------------


def default_remote(ledger: Ledger) -> str:
    """
    Return the remote that is meant where none is named: git config ``lineage.remote``, the only one, or ``origin``.

    Raises:
        RepositoryError: there is none, or none is the obvious one.
    """
    names = ledger.repo.remotes()
    if chosen := ledger.repo.config("lineage.remote"):
        return chosen
    if len(names) == 1:
        return names[0]
    if "origin" in names:
        return "origin"
    if not names:
        raise RepositoryError("this repository has no remote; `git remote add origin URL` adds one")
    raise RepositoryError(f"which remote? there is {_listed(names)}; name one, or set git config lineage.remote")


def way_to(ledger: Ledger, remote: str | None) -> _Way:
    """
    Return the way to a remote, given by name, URL or path.

    Raises:
        RepositoryError: there is no such remote.
    """
    meant = remote if remote is not None else default_remote(ledger)
    names = ledger.repo.remotes()
    named = meant in names
    if not named and (not meant or not transport.is_address(meant)):
        known = f"there is {_listed(names)}" if names else "there is none; `git remote add NAME URL` adds one"
        raise RepositoryError(f"no remote {meant!r} in this repository; {known}")
    target = meant if named else transport.address(meant)
    key = meant.replace("%", "%25").replace("/", "%2F") if named else f"url-{sha256(target.encode()).hexdigest()[:12]}"
    where = ledger.repo.workdir or ledger.repo.gitdir
    carrier = Transport(ledger.repo.gitdir, where, target, named=named, listener=ledger.watcher.overhear())
    return _Way(transport.anonymous(target), f"{REMOTES}{key}/", carrier)


# -- pushing -------------------------------------------------------------------------------------------------------


def push(ledger: Ledger, remote: str | None = None, *, dry_run: bool = False) -> Exchange:
    """
    Push the ref of this clone's writer; see `LineageStore.push`.

    Raises:
        RepositoryError: no such remote.
        RemoteError: the remote could not be reached.
    """
    way = way_to(ledger, remote)
    _check_free(ledger)
    ledger.refresh()
    outcomes: list[RefOutcome] = []
    for tries in range(_TRIES, 0, -1):
        writer = ledger.own_writer()
        tip = ledger.journal.tips().get(writer) if writer else None
        if writer is None or tip is None:
            name = writer or ""
            outcomes.append(RefOutcome(writer=name, direction="push", state="up to date", reason="nothing recorded"))
            break
        done = way.transport.push(tip, PREFIX + writer, dry_run=dry_run)
        if done.flag != "!":
            outcomes.append(_pushed(ledger, way, writer, tip, done, dry_run))
            break
        if tries == 1 or not (done.locked or _is_stale(done)):
            outcomes.append(_refusal(writer, "push", tip, tip, _declined(way, done)))
            break
        if done.locked or not (there := way.transport.refs(PREFIX + writer)):
            continue
        before = ledger.repo.ref(way.prefix + writer)
        _fetch(ledger, way, [f"+{PREFIX}{writer}:{way.prefix}{writer}"], dry_run=dry_run)
        now = there[PREFIX + writer] if dry_run else ledger.repo.ref(way.prefix + writer)
        if now is None or not ledger.repo.exists(now):
            continue
        found = _own(ledger, way, writer, before, now, False, dry_run, "push")
        if found.state in ("rehomed", "refused"):
            outcomes.append(found)
            if found.state == "refused" or dry_run:
                break
    return Exchange(remote=way.shown, outcomes=tuple(outcomes), dry_run=dry_run)


def _pushed(ledger: Ledger, way: _Way, writer: str, tip: str, done: Pushed, dry_run: bool) -> RefOutcome:
    """Return the outcome of a push that the remote took, and note where its ref is now."""
    seen = ledger.repo.ref(way.prefix + writer)
    old = seen
    if done.flag == " " and ".." in done.summary:
        old = ledger.repo.resolve(done.summary.partition("..")[0]) or seen
    elif done.flag == "*":
        old = None
    if not dry_run and seen != tip:
        ledger.repo.set_ref(way.prefix + writer, tip)
    state = {"=": "up to date", "*": "new"}.get(done.flag, "fast-forwarded")
    trials, snapshots = (0, 0) if done.flag == "=" else count(ledger, writer, tip, old)
    lost = f"it was gone from {way.shown}" if done.flag == "*" and seen else ""
    return RefOutcome(
        writer=writer,
        direction="push",
        state=state,
        reason=lost,
        old=tip if done.flag == "=" else old or "",
        new=tip,
        trials=trials,
        snapshots=snapshots,
    )


def _is_stale(done: Pushed) -> bool:
    """Whether a push was rejected because the remote's ref is elsewhere than git thought."""
    texts = ("fetch first", "non-fast-forward", "cannot lock ref", "incorrect old value", "failed to update ref")
    return any(text in done.reason for text in texts)


def _declined(way: _Way, done: Pushed) -> str:
    """Return why a push was rejected for good, with what to do where a lock is in its way."""
    advice = "; another git is at work there, try again; if it stays, a killed one left it: remove that file there"
    return f"{way.shown} does not take it: {done.reason}{advice if done.locked else ''}"


# -- pulling -------------------------------------------------------------------------------------------------------


def pull(
    ledger: Ledger, remote: str | None = None, *, dry_run: bool = False, accept_rewrite: Sequence[str] = ()
) -> Exchange:
    """
    Take what others pushed into place; see `LineageStore.pull`.

    Raises:
        RepositoryError: no such remote.
        RemoteError: the remote could not be reached; nothing here was changed.
        Invalid: a rewrite is accepted of a writer that is not here.
    """
    way = way_to(ledger, remote)
    _check_free(ledger)
    accepted = _accepted(ledger, accept_rewrite)
    before = _seen(ledger, way)
    if dry_run:
        there = {name.removeprefix(PREFIX): oid for name, oid in way.transport.refs(f"{PREFIX}*").items()}
        if not all(ledger.repo.exists(oid) for oid in there.values()):
            _fetch(ledger, way, [f"+{PREFIX}*:{way.prefix}*"], dry_run=True)
    else:
        _fetch(ledger, way, [f"+{PREFIX}*:{way.prefix}*"], prune=True)
        there = _seen(ledger, way)
    return take(ledger, way, before, there, accepted, dry_run=dry_run)


def take(
    ledger: Ledger,
    way: _Way,
    before: Mapping[str, str],
    there: Mapping[str, str],
    accepted: Iterable[str] = (),
    *,
    dry_run: bool = False,
) -> Exchange:
    """Take a remote's refs into place, given where they were when last seen and where they are; and say what came."""
    puller = _Puller(ledger, way, before, there, set(accepted), dry_run)
    return Exchange(remote=way.shown, outcomes=tuple(puller.outcomes()), dry_run=dry_run)


class _Puller:
    """One pull, after its fetch: what is decided about each ref, and done."""

    def __init__(
        self,
        ledger: Ledger,
        way: _Way,
        before: Mapping[str, str],
        there: Mapping[str, str],
        accepted: set[str],
        dry_run: bool,
    ) -> None:
        self._ledger = ledger
        self._repo = ledger.repo
        self._way = way
        self._before = before
        self._there = there
        self._accepted = accepted
        self._dry = dry_run
        self._here = ledger.journal.tips()
        self._own = ledger.own_writer()
        self._fresh: dict[str, str] = {}
        self._archived: dict[str, str] = {}
        self._went_back = False
        self._moved = False

    def outcomes(self) -> list[RefOutcome]:
        """Decide about every ref, do it, and return what became of each, with counts."""
        names = sorted({*self._there, *(name for name in self._before if name in self._here)})
        found = [self._decide(name) for name in names]
        self._set_fresh()
        self._remove_archived()
        if self._went_back:
            self._ledger.reindex()
        elif self._moved or self._fresh:
            self._ledger.refresh()
            self._tidy()
        for each in found:
            if each.state == "refused":
                self._keep_seen(each.writer)
        return [self._counted(each) for each in found]

    def _decide(self, writer: str) -> RefOutcome:
        here, there = self._here.get(writer), self._there.get(writer)
        if there is None:
            return self._gone(writer, here)
        if here == there:
            return self._outcome(writer, "up to date", here, there)
        if (wrong := self._wrong(writer, there)) is not None:
            return _refusal(writer, "pull", here, there, wrong)
        if here is None and self._is_archived(writer, there):
            return self._outcome(writer, "up to date", there, there, "it is archived here")
        if here is None:
            self._fresh[writer] = there
            return self._outcome(writer, "new", None, there)
        if not self._repo.exists(there):
            return self._outcome(writer, "behind", here, there)
        fork = self._ledger.journal.fork(there, here)
        if fork == here and writer != self._own:
            return self._move(writer, "fast-forwarded", here, there)
        if writer == self._own or self._ledger.successor(writer) != writer:
            accepted, before = writer in self._accepted, self._before.get(writer)
            found = _own(self._ledger, self._way, writer, before, there, accepted, self._dry, "pull")
            self._moved = self._moved or found.state == "rehomed"
            return found
        before = self._before.get(writer)
        if fork == there and (before is None or before == there or self._ledger.journal.fork(before, there) != there):
            return self._outcome(writer, "ahead", here, here, f"{self._way.shown} has less of it")
        if writer in self._accepted:
            return self._move(writer, "rewritten", here, there, "taken as it is on the remote, as you asked")
        grown = before is None or self._ledger.journal.fork(before, there) == before
        if grown and fork not in (None, there) and self._joined(writer, here, there):
            return self._outcome(writer, "ahead", here, here, "a copy of this clone archived too; it holds both now")
        what = "went back" if fork == there else "was rewritten"
        return _refusal(writer, "pull", here, there, self._tampered(writer, what))

    def _joined(self, archive: str, here: str, there: str) -> bool:
        """Whether this clone's own archive took in what a copy of this clone has archived under the same name."""
        maker = archive.removeprefix(ARCHIVE)
        if not is_archive(archive) or not (maker == self._own or self._ledger.successor(maker) != maker):
            return False
        if not self._dry:
            if join_copies(self._ledger, archive, here, there) is None:
                return False
            self._moved = True
        return True

    def _wrong(self, writer: str, there: str) -> str | None:
        """Return why a remote's ref can be nobody's, or ``None``."""
        try:
            check_name(writer)
            if self._repo.exists(there):
                self._repo.commit(there)
            elif not self._dry:
                return "what it points at did not come with it"
        except Invalid:
            return "this is no writer's name"
        except LineageError:
            return "it points at something that is no commit"
        return None

    def _gone(self, writer: str, here: str | None) -> RefOutcome:
        if writer == self._own:
            reason = f"it was deleted on {self._way.shown}; the next push puts it back"
            return self._outcome(writer, "ahead", here, here, reason)
        if writer in self._accepted:
            if not self._dry:
                self._repo.set_ref(PREFIX + writer, None)
                self._went_back = True
            return self._outcome(writer, "deleted", here, None, "as on the remote, as you asked")
        if here is not None and self._is_archived(writer, here):
            self._archived[writer] = here
            return self._outcome(writer, "deleted", here, None, "it is archived")
        return _refusal(writer, "pull", here, None, self._tampered(writer, "was deleted"))

    def _is_archived(self, writer: str, tip: str) -> bool:
        """Whether an archive, here or on the remote, has all that a ref holds."""
        archives = [oid for name, oid in (*self._here.items(), *self._there.items()) if is_archive(name)]
        return not is_archive(writer) and holds(self._ledger.journal, dict.fromkeys(archives), writer, tip)

    def _remove_archived(self) -> None:
        """Delete the refs that archives hold instead, now that these are in place."""
        archives = [oid for name, oid in self._ledger.journal.tips().items() if is_archive(name)]
        moves: dict[str, tuple[str | None, str | None]] = {
            PREFIX + writer: (tip, None)
            for writer, tip in self._archived.items()
            if holds(self._ledger.journal, archives, writer, tip)
        }
        if moves and not self._dry and self._repo.move_refs(moves, f"lineage: pull {self._way.shown}"):
            self._moved = True

    def _tampered(self, writer: str, what: str) -> str:
        shallow = " (or this shallow clone cannot tell: git fetch --unshallow)" if self._repo.is_shallow else ""
        return (
            f"tampering: it {what} on {self._way.shown}{shallow}; kept here as it was, "
            f"--accept-rewrite {writer} takes the remote's"
        )

    def _move(self, writer: str, state: str, here: str, there: str, reason: str = "") -> RefOutcome:
        if not self._dry:
            if not self._repo.move_ref(PREFIX + writer, there, here, f"lineage: pull {self._way.shown}"):
                return self._outcome(writer, "ahead", here, here, "it moved here meanwhile")
            self._moved = True
            self._went_back = self._went_back or state == "rewritten"
        return self._outcome(writer, state, here, there, reason)

    def _set_fresh(self) -> None:
        """Set the refs that were not here: many at once, a few one by one."""
        if self._dry:
            return
        refs = {PREFIX + writer: oid for writer, oid in self._fresh.items()}
        if len(refs) >= _MANY:
            with suppress(LineageError):
                self._repo.add_refs(refs, replace=False)
                return
        for name, oid in refs.items():
            self._repo.move_ref(name, oid, None, f"lineage: pull {self._way.shown}")

    def _keep_seen(self, writer: str) -> None:
        """Go on remembering where a ref stood before somebody tampered with it, so that the next pull tells again."""
        before = self._before.get(writer)
        if not self._dry and before is not None and self._repo.ref(self._way.prefix + writer) != before:
            self._repo.set_ref(self._way.prefix + writer, before)

    def _tidy(self) -> None:
        with self._ledger.holding():
            tidy(self._repo)

    def _outcome(self, writer: str, state: str, old: str | None, new: str | None, reason: str = "") -> RefOutcome:
        return RefOutcome(writer=writer, direction="pull", state=state, reason=reason, old=old or "", new=new or "")

    def _counted(self, found: RefOutcome) -> RefOutcome:
        if found.state not in ("new", "fast-forwarded", "rewritten", "rehomed") or not self._repo.exists(found.new):
            return found
        trials, snapshots = count(self._ledger, found.writer, found.new, found.old or None)
        return msgspec.structs.replace(found, trials=trials, snapshots=snapshots)


def _own(
    ledger: Ledger,
    way: _Way,
    writer: str,
    before: str | None,
    there: str,
    accepted: bool,
    dry_run: bool,
    direction: str,
) -> RefOutcome:
    """
    Decide about a ref of this clone's own that the remote has elsewhere than here.

    Where the remote has more than was ever pushed from here, somebody else writes under the same name: a copy of this
    clone. What is only here then goes on under a fresh name.
    """
    here = ledger.journal.tips()[writer]
    journal = ledger.journal
    back = before is not None and before != there and journal.fork(before, there) == there
    if journal.fork(there, here) == there and (writer == ledger.own_writer() or back):
        reason = f"it went back on {way.shown}; the next push puts it right" if back else "not pushed yet"
        return RefOutcome(writer=writer, direction=direction, state="ahead", reason=reason, old=here, new=here)
    if before is not None and not accepted and journal.fork(there, before) != before:
        shown = (
            f"tampering: it was rewritten on {way.shown}; kept here as it was, a pull with --accept-rewrite {writer} "
        )
        found = _refusal(
            writer, direction, here, there, f"{shown}takes the remote's and keeps this one's as a new writer"
        )
        if not dry_run:
            ledger.repo.set_ref(way.prefix + writer, before)
        return found
    fresh = rehome(ledger, writer, there, dry_run=dry_run)
    said = f"{writer} is also in use elsewhere: what only this clone recorded goes on under {fresh}"
    if not dry_run:
        ledger.watcher.note(said)
    return RefOutcome(writer=writer, direction=direction, state="rehomed", reason=said, old=here, new=there)


def _accepted(ledger: Ledger, names: Sequence[str]) -> tuple[str, ...]:
    given = (names,) if isinstance(names, str) else tuple(names)
    known = ledger.journal.tips()
    for name in given:
        if name not in known:
            raise Invalid(
                f"no writer {name!r} in this store, so there is no rewrite to accept; it has {_listed(known)}"
            )
    return given


def _seen(ledger: Ledger, way: _Way) -> dict[str, str]:
    """Return where a remote's refs were when they were last seen, by writer."""
    return {name.removeprefix(way.prefix): oid for name, oid in ledger.repo.refs(way.prefix).items()}


def _fetch(ledger: Ledger, way: _Way, refspecs: Sequence[str], *, prune: bool = False, dry_run: bool = False) -> None:
    """Fetch; another fetch at the same moment, or a lock file that a killed one left behind, is waited for."""
    for tries in range(_TRIES, 0, -1):
        try:
            way.transport.fetch(refspecs, prune=prune, dry_run=dry_run)
            return
        except RemoteError as error:
            if tries == 1 or not re.search(transport.LOCKED, error.message):
                raise
            ledger.repo.break_still_locks(way.prefix)


# -- both ways -----------------------------------------------------------------------------------------------------


def both(
    ledger: Ledger, remote: str | None = None, *, dry_run: bool = False, accept_rewrite: Sequence[str] = ()
) -> Exchange:
    """Pull, then push; see `LineageStore.sync`."""
    pulled = pull(ledger, remote, dry_run=dry_run, accept_rewrite=accept_rewrite)
    pushed = push(ledger, remote, dry_run=dry_run)
    return Exchange(remote=pulled.remote, outcomes=(*pulled.outcomes, *pushed.outcomes), dry_run=dry_run)


def status(ledger: Ledger, remote: str | None = None) -> Exchange:
    """Return what is not pushed yet and what is behind, by what was last seen of a remote; without the network."""
    if remote is None and not ledger.repo.remotes() and not ledger.repo.config("lineage.remote"):
        return Exchange(remote="")
    way = way_to(ledger, remote)
    ledger.refresh()
    own, here, there = ledger.own_writer(), ledger.journal.tips(), _seen(ledger, way)
    found = []
    for writer in sorted({*here, *there}):
        direction = "push" if writer == own else "pull"
        found.append(_standing(ledger, writer, direction, here.get(writer), there.get(writer)))
    return Exchange(remote=way.shown, outcomes=tuple(found))


def _standing(ledger: Ledger, writer: str, direction: str, here: str | None, there: str | None) -> RefOutcome:
    """Return how a ref here stands to what was last seen of it."""
    trials = snapshots = 0
    reason = ""
    try:
        fork = ledger.journal.fork(here, there) if here and there else None
        if here == there:
            state = "up to date"
        elif here is not None and fork == there:
            state, (trials, snapshots) = "ahead", count(ledger, writer, here, there)
        elif there is not None and fork == here and ledger.repo.exists(there):
            state, direction, (trials, snapshots) = "behind", "pull", count(ledger, writer, there, here)
        else:
            state, reason = "refused", "it is not what was last seen on the remote"
    except LineageError:  # whatever a remote's ref points at
        state, reason = "refused", "what was last seen of it on the remote is no lineage"
    return RefOutcome(
        writer=writer,
        direction=direction,
        state=state,
        reason=reason,
        old=there or "",
        new=here or "",
        trials=trials,
        snapshots=snapshots,
    )


def clone(
    url: str,
    folder: Path,
    *,
    bare: bool = False,
    branch: str | None = None,
    listener: Callable[[str], None] | None = None,
) -> None:
    """
    Clone a repository with its lineage, which then is fetched but not in place yet; `settle` takes it there.

    Raises:
        Invalid: there is something at the folder.
        RemoteError: it could not be done; nothing is left at the folder.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Invalid(f"{folder} exists and is not empty; clone into another folder")
    refspec = f"+{PREFIX}*:{REMOTES}origin/*"
    transport.clone(transport.address(url), folder, refspec, bare=bare, branch=branch, listener=listener)


def settle(ledger: Ledger) -> Exchange:
    """Take what a clone fetched into place, without the network, and leave git's configuration as git makes it."""
    way = way_to(ledger, "origin")
    ledger.repo.remove_config("remote.origin.fetch", f"+{PREFIX}*:{way.prefix}*")
    ledger.repo.set_config("lineage.remote", "origin")
    return take(ledger, way, {}, _seen(ledger, way))


# -- a plain git fetch and git push --------------------------------------------------------------------------------


def attach(ledger: Ledger, remote: str) -> None:
    """
    Have a plain ``git fetch`` and ``git push`` carry lineage, and make a remote the one that is meant by default.

    Others' refs are fetched into place as fast-forwards; this clone's own is left out, or git would complain of what
    is not pushed yet. A push goes on carrying the branch, and takes the own ref along. What the user has set stays.

    Raises:
        RepositoryError: there is no remote of this name.
    """
    repo = ledger.repo
    names = repo.remotes()
    if remote not in names:
        known = f"there is {_listed(names)}" if names else "there is none"
        raise RepositoryError(
            f"no remote {remote!r} in this repository; {known}; `git remote add {remote} URL` adds it"
        )
    own = PREFIX + ledger.writer
    if repo.ref(own) is None:
        ledger.journal.begin(ledger.writer)
    repo.set_config("lineage.remote", remote)
    if (repo.config(f"remote.{remote}.mirror") or "").lower() in _TRUE:
        return  # it carries everything anyhow
    repo.add_config(f"remote.{remote}.fetch", f"{PREFIX}*:{PREFIX}*")
    repo.add_config(f"remote.{remote}.fetch", f"^{own}")
    if any((repo.config(key) or "").lower() in _TRUE for key in ("fetch.prune", f"remote.{remote}.prune")):
        ledger.watcher.note(
            f"git is configured to prune: a plain git fetch drops other writers' refs here that {remote} has not; "
            "`gitlineage pull` never does"
        )
    if not repo.config_values(f"remote.{remote}.push") and repo.workdir is not None:
        repo.add_config(f"remote.{remote}.push", "HEAD")
    repo.add_config(f"remote.{remote}.push", f"{own}:{own}")


# -- words and numbers ---------------------------------------------------------------------------------------------


def count(ledger: Ledger, writer: str, tip: str, since: str | None) -> tuple[int, int]:
    """Return how many trials and snapshots a ref has that an earlier state of it has not."""
    if since is not None and not ledger.repo.exists(since):
        since = None
    if since is None and (known := ledger.recorded_by(writer, tip)) is not None:
        return known
    trials = snapshots = 0
    for _, had, lines in ledger.journal.added(tip, since):
        old, new = list(_events(had)), list(_events(lines))
        names = {event.row.get("exp_id") for event in old if isinstance(event, codec.TrialEvent)}
        more = {event.row.get("exp_id") for event in new if isinstance(event, codec.TrialEvent)}
        trials += len(more - names)
        kinds = codec.TrialEvent | codec.SnapshotEvent
        snapshots += any(isinstance(event, kinds) for event in new) and not any(isinstance(e, kinds) for e in old)
    return trials, snapshots


def _events(lines: Iterable[bytes]) -> Iterable[codec.AnyEvent]:
    for line in lines:
        with suppress(CorruptEvent):
            yield codec.decode(line)


def _refusal(writer: str, direction: str, old: str | None, new: str | None, reason: str) -> RefOutcome:
    return RefOutcome(writer=writer, direction=direction, state="refused", reason=reason, old=old or "", new=new or "")


def _check_free(ledger: Ledger) -> None:
    ledger.check_present()
    if ledger.in_batch:
        raise RepositoryError("a batch is open on this store; end it before lineage is exchanged")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
