"""
What others pushed, taken into place or refused; start at `pull`.

Design 3: a ref is taken only where it goes on from what is here. Whatever else happened to it on the remote
is refused and told. Where a remote has more of this clone's own ref than was ever pushed from here, a copy of the clone
writes under the same name, and what is only here goes on under a fresh one.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import msgspec

from gitlineage.errors import Invalid, LineageError
from gitlineage.git import maintenance
from gitlineage.journal.journal import ARCHIVE, check_name, is_archive
from gitlineage.model.namespace import DEFAULT, NOTES, ORDINARY, everywhere, namespace_of
from gitlineage.query.words import Standing
from gitlineage.record.ledger import Ledger
from gitlineage.sync.archives import holder, join_copies
from gitlineage.sync.rehome import is_settled, rehome
from gitlineage.sync.remotes import (
    Exchange,
    RefOutcome,
    Way,
    count,
    fetch,
    in_campaign,
    listed,
    outcome,
    refusal,
    seen_everywhere,
    way_now,
)

_MANY = 50
"""New refs that are put into git's packed list at once instead of a file each."""

_BRINGS = ("new", "fast-forwarded", "rewritten", "rehomed")
"""What becomes of a ref that brings something."""

_TOLD = 10
"""Words of others that a pull names before it counts the rest."""


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
    way = way_now(ledger, remote)
    accepted = _accepted(ledger, accept_rewrite)
    before = seen_everywhere(ledger, way)
    if dry_run:
        refs = way.transport.refs(f"{NOTES}*")
        if not all(ledger.repo.exists(oid) for oid in refs.values()):
            fetch(ledger, way, everywhere(way.key), dry_run=True)
        there: dict[str, dict[str, str]] = {}
        for name, oid in refs.items():
            campaign, _, writer = name.removeprefix(NOTES).removeprefix("-").partition("/")
            if writer:
                there.setdefault(campaign or ORDINARY, {})[writer] = oid
    else:
        fetch(ledger, way, everywhere(way.key), prune=True)
        there = seen_everywhere(ledger, way)
    return take(ledger, way, before, there, accepted, dry_run=dry_run)


def take(
    ledger: Ledger,
    way: Way,
    before: Mapping[str, Mapping[str, str]],
    there: Mapping[str, Mapping[str, str]],
    accepted: Iterable[str] = (),
    *,
    dry_run: bool = False,
) -> Exchange:
    """
    Take a remote's refs of all campaigns into place and say what came.

    Args:
        ledger: the store; what is accepted is accepted in its campaign.
        way: the way to the remote.
        before: where its refs were when last seen, by campaign and writer.
        accepted: writers whose refs are taken as they are on the remote.
        dry_run: only say what would be.
    """
    outcomes: list[RefOutcome] = []
    for campaign in sorted({*before, *there}, key=lambda name: (name != ORDINARY, name)):
        old, new = before.get(campaign, {}), there.get(campaign, {})
        try:
            namespace_of(campaign)
        except Invalid:
            wrong = (refusal(writer, "pull", None, oid, "this is no campaign's name") for writer, oid in new.items())
            outcomes += [msgspec.structs.replace(each, campaign=campaign) for each in wrong]
            continue
        with ledger.in_campaign(campaign) as each:
            agreed = set(accepted) if each is ledger else set()
            outcomes += in_campaign(each, _Puller(each, way.of(each), old, new, agreed, dry_run).outcomes())
    if not dry_run:
        with ledger.all_campaigns() as campaigns:
            for each in campaigns:
                each.settle()
        maintenance.pack_refs(ledger.repo, DEFAULT.local)
    return Exchange(remote=way.shown, outcomes=tuple(outcomes), dry_run=dry_run)


class _Puller:
    """One pull, after its fetch: what is decided about each ref, and done."""

    def __init__(
        self,
        ledger: Ledger,
        way: Way,
        before: Mapping[str, str],
        there: Mapping[str, str],
        accepted: set[str],
        dry_run: bool,
    ) -> None:
        self._ledger = ledger
        self._repo = ledger.repo
        self._ref = ledger.namespace.ref
        self._way = way
        self._before = before
        self._there = there
        self._accepted = accepted
        self._dry = dry_run
        self._here = ledger.journal.tips()
        both = (*self._here.items(), *there.items())
        self._archives = tuple(dict.fromkeys(oid for name, oid in both if is_archive(name)))
        self._own = ledger.own_writer()
        self._fresh: dict[str, str] = {}
        self._archived: dict[str, tuple[str, str]] = {}
        self._went_back = False
        self._moved = False

    def outcomes(self) -> list[RefOutcome]:
        """Decide about every ref, do it, and return what became of each, with counts."""
        names = sorted({*self._there, *(name for name in self._before if name in self._here)})
        before = self._ledger.standing() if self._here and not self._dry else None  # in a new clone all is new
        outcomes = [self._decide(name) for name in names]
        self._set_fresh()
        self._remove_archived()
        if self._went_back:
            self._ledger.reindex()
        elif self._moved or self._fresh:
            self._ledger.refresh()
            self._tidy()
        for each in outcomes:
            if each.state == "refused":
                self._keep_seen(each.writer)
        if before is not None and (self._moved or self._went_back or self._fresh):
            self._tell(before)
        known = self._ledger.counts() if any(each.state in _BRINGS for each in outcomes) else {}
        return [self._counted(each, known) for each in outcomes]

    def _decide(self, writer: str) -> RefOutcome:
        here, there = self._here.get(writer), self._there.get(writer)
        if there is None:
            return self._gone(writer, here)
        if here == there:
            return outcome(writer, "pull", "up to date", here, there)
        if (wrong := self._wrong(writer, there)) is not None:
            return refusal(writer, "pull", here, there, wrong)
        if here is None and self._archive_of(writer, there):
            return outcome(writer, "pull", "up to date", there, there, "it is archived here")
        if here is None:
            self._fresh[writer] = there
            return outcome(writer, "pull", "new", None, there)
        if not self._repo.exists(there):
            return outcome(writer, "pull", "behind", here, there)
        fork = self._ledger.journal.fork(there, here)
        if fork == here and (forgery := forged(self._ledger, self._way, writer, here, there, "pull")) is not None:
            return forgery
        if fork == here and writer != self._own:
            return self._move(writer, "fast-forwarded", here, there)
        if writer == self._own or self._ledger.successor(writer) != writer:
            accepted, before = writer in self._accepted, self._before.get(writer)
            decided = decide_own(self._ledger, self._way, writer, before, there, accepted, self._dry, "pull")
            self._moved = self._moved or decided.state == "rehomed"
            return decided
        before = self._before.get(writer)
        if fork == there and (before is None or before == there or self._ledger.journal.fork(before, there) != there):
            return outcome(writer, "pull", "ahead", here, here, f"{self._way.shown} has less of it")
        if writer in self._accepted:
            return self._move(writer, "rewritten", here, there, "taken as it is on the remote, as you asked")
        grown = before is None or self._ledger.journal.fork(before, there) == before
        if grown and fork not in (None, there) and self._joined(writer, here, there):
            return outcome(writer, "pull", "ahead", here, here, "a copy of this clone archived too; it holds both now")
        what = "went back" if fork == there else "was rewritten"
        return refusal(writer, "pull", here, there, self._tampered(writer, what))

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
            return outcome(writer, "pull", "ahead", here, here, reason)
        if writer in self._accepted:
            if not self._dry:
                self._repo.move_refs(
                    {self._ref(writer): (here, None)}, "", follow=self._ledger.journal.follow({writer: None})
                )
                self._went_back = True
            return outcome(writer, "pull", "deleted", here, None, "as on the remote, as you asked")
        if here is not None and (archive := self._archive_of(writer, here)):
            self._archived[writer] = here, archive
            return outcome(writer, "pull", "deleted", here, None, "it is archived")
        return refusal(writer, "pull", here, None, self._tampered(writer, "was deleted"))

    def _archive_of(self, writer: str, tip: str) -> str | None:
        """Return the archive, here or on the remote, that has all that a ref holds."""
        return None if is_archive(writer) else holder(self._ledger.journal, self._archives, writer, tip)

    def _remove_archived(self) -> None:
        """Delete the refs that archives hold instead, now that these are in place."""
        archives = {oid for name, oid in self._ledger.journal.tips().items() if is_archive(name)}
        moves: dict[str, tuple[str | None, str | None]] = {
            self._ref(writer): (tip, None)
            for writer, (tip, archive) in self._archived.items()
            if archive in archives or holder(self._ledger.journal, archives, writer, tip)
        }
        follow = self._ledger.journal.follow({self._ledger.namespace.writer(ref): None for ref in moves})
        if moves and not self._dry and self._repo.move_refs(moves, f"lineage: pull {self._way.shown}", follow=follow):
            self._moved = True

    def _tampered(self, writer: str, what: str) -> str:
        shallow = " (or this shallow clone cannot tell: git fetch --unshallow)" if self._repo.is_shallow else ""
        return (
            f"tampering: it {what} on {self._way.shown}{shallow}; kept here as it was, "
            f"{_option(self._ledger)}--accept-rewrite {writer} takes the remote's"
        )

    def _move(self, writer: str, state: str, here: str, there: str, reason: str = "") -> RefOutcome:
        if not self._dry:
            said, follow = f"lineage: pull {self._way.shown}", self._ledger.journal.follow({writer: there})
            if not self._repo.move_ref(self._ref(writer), there, here, said, follow=follow):
                return outcome(writer, "pull", "ahead", here, here, "it moved here meanwhile")
            self._moved = True
            self._went_back = self._went_back or state == "rewritten"
        return outcome(writer, "pull", state, here, there, reason)

    def _set_fresh(self) -> None:
        """Set the refs that were not here: many at once, a few one by one."""
        if self._dry:
            return
        refs = {self._ref(writer): oid for writer, oid in self._fresh.items()}
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
            self._ledger.tidy()

    def _counted(self, each: RefOutcome, known: Mapping[tuple[str, str], tuple[int, int]]) -> RefOutcome:
        if each.state not in _BRINGS or not self._repo.exists(each.new):
            return each
        trials, snapshots = count(self._ledger, each.writer, each.new, each.old or None, known)
        return msgspec.structs.replace(each, trials=trials, snapshots=snapshots)

    def _tell(self, before: Standing) -> None:
        """Say which words of others came that changed the task, the best or somebody else's rows."""
        said = self._ledger.changed_since(before)
        for each in said[:_TOLD]:
            self._ledger.watcher.note(str(each))
        if len(said) > _TOLD:
            self._ledger.watcher.note(f"and {len(said) - _TOLD} more; `gitlineage status` and `gitlineage events` tell")


def decide_own(
    ledger: Ledger,
    way: Way,
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
    fork = journal.fork(there, here)
    if (
        not accepted
        and fork is not None
        and (forgery := forged(ledger, way, writer, fork, there, direction)) is not None
    ):
        return forgery
    back = before is not None and before != there and journal.fork(before, there) == there
    if journal.fork(there, here) == there and (writer == ledger.own_writer() or back):
        reason = f"it went back on {way.shown}; the next push puts it right" if back else "not pushed yet"
        return outcome(writer, direction, "ahead", here, here, reason)
    if before is not None and not accepted and journal.fork(there, before) != before:
        why = (
            f"tampering: it was rewritten on {way.shown}; kept here as it was, a pull with "
            f"{_option(ledger)}--accept-rewrite {writer} takes the remote's and keeps this one's as a new writer"
        )
        if not dry_run:
            ledger.repo.set_ref(way.prefix + writer, before)
        return refusal(writer, direction, here, there, why)
    if writer != ledger.own_writer() and not accepted:
        seen = ledger.namespace.seen_of(writer, ledger.repo.refs(DEFAULT.local))
        if is_settled(ledger, writer, here, there, seen):
            reason = f"{way.shown} keeps the old name of {ledger.own_writer()} as it was"
            return outcome(writer, direction, "ahead", here, here, reason)
    fresh = rehome(ledger, writer, there, dry_run=dry_run)
    said = f"{writer} is also in use elsewhere: what only this clone recorded goes on under {fresh}"
    if not dry_run:
        ledger.watcher.note(said)
    return outcome(writer, direction, "rehomed", here, there, said)


def forged(ledger: Ledger, way: Way, writer: str, here: str, there: str, direction: str) -> RefOutcome | None:
    """Return the refusal of what goes on from a ref that counts, under signed trust, without its owner's signature."""
    oid = ledger.forged_after(writer, here, there)
    if oid is None:
        return None
    ref = ledger.namespace.ref(writer)
    why = (
        f"tampering: {writer} did not sign {oid[:12]}, by which it goes on on {way.shown}; kept here as it was, "
        f"{writer}'s clone puts it right with git push --force {way.transport.remote} {ref}"
    )
    return refusal(writer, direction, here, there, why)


def _accepted(ledger: Ledger, names: Sequence[str]) -> tuple[str, ...]:
    given = (names,) if isinstance(names, str) else tuple(names)
    known = ledger.journal.tips()
    for name in given:
        if name not in known:
            raise Invalid(f"no writer {name!r} in this store, so there is no rewrite to accept; it has {listed(known)}")
    return given


def _option(ledger: Ledger) -> str:
    """Return the option that chooses a store's campaign, where one is needed."""
    return "" if ledger.namespace.is_default else f"--campaign {ledger.campaign} "
