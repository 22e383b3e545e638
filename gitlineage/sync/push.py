"""
Lineage between this clone and a remote: pushed, exchanged both ways, cloned, carried by plain git; start at `push`.

Design 3: a clone pushes the ref of its own writer and nothing else, so that a push is a fast-forward.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from gitlineage import house
from gitlineage.errors import Invalid, LineageError, RepositoryError
from gitlineage.git import lfs, transport
from gitlineage.git.transport import Pushed
from gitlineage.model.namespace import DEFAULT, NOTES, everywhere
from gitlineage.record.ledger import Ledger
from gitlineage.sync.pull import decide_own, pull, take
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
    way_to,
)
from gitlineage.text import to_type

_TRIES = 3


# -- pushing -------------------------------------------------------------------------------------------------------


def push(ledger: Ledger, remote: str | None = None, *, dry_run: bool = False) -> Exchange:
    """
    Push the refs of this clone's writer, one in each campaign; see `LineageStore.push`.

    Raises:
        RepositoryError: no such remote.
        RemoteError: the remote could not be reached.
    """
    way = way_now(ledger, remote)
    outcomes: list[RefOutcome] = []
    with ledger.all_campaigns() as campaigns:
        for each in campaigns:
            outcomes += in_campaign(each, _push(each, way.of(each), dry_run))
    if not outcomes:
        name = ledger.own_writer() or ""
        outcomes.append(outcome(name, "push", "up to date", None, None, "nothing recorded"))
    return Exchange(remote=way.shown, outcomes=tuple(outcomes), dry_run=dry_run)


def _push(ledger: Ledger, way: Way, dry_run: bool) -> list[RefOutcome]:
    """Push the own ref of one campaign; where nothing was recorded in it, there is nothing to tell."""
    ledger.refresh()
    outcomes: list[RefOutcome] = []
    for tries in range(_TRIES, 0, -1):
        writer = ledger.own_writer()
        tip = ledger.journal.tips().get(writer) if writer else None
        if writer is None or tip is None:
            break
        ref = ledger.namespace.ref(writer)
        if not dry_run and (lost := _send_content(ledger, way, tip)):
            outcomes.append(refusal(writer, "push", tip, tip, f"not pushed: {lost}"))
            break
        done = way.transport.push(tip, ref, dry_run=dry_run)
        if done.flag != "!":
            outcomes.append(_pushed(ledger, way, writer, tip, done, dry_run))
            break
        if tries == 1 or not (done.locked or _is_stale(done)):
            outcomes.append(refusal(writer, "push", tip, tip, _declined(way, done)))
            break
        if done.locked or not (there := way.transport.refs(ref)):
            continue
        before = ledger.repo.ref(way.prefix + writer)
        fetch(ledger, way, [f"+{ref}:{way.prefix}{writer}"], dry_run=dry_run)
        now = there[ref] if dry_run else ledger.repo.ref(way.prefix + writer)
        if now is None or not ledger.repo.exists(now):
            continue
        decided = decide_own(ledger, way, writer, before, now, False, dry_run, "push")
        if decided.state in ("rehomed", "refused"):
            outcomes.append(decided)
            if decided.state == "refused" or dry_run:
                break
    return outcomes


def _pushed(ledger: Ledger, way: Way, writer: str, tip: str, done: Pushed, dry_run: bool) -> RefOutcome:
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
    if state == "up to date":
        return outcome(writer, "push", state, tip, tip)
    lost = f"it was gone from {way.shown}" if state == "new" and seen else ""
    return outcome(writer, "push", state, old, tip, lost, count(ledger, writer, tip, old))


def _send_content(ledger: Ledger, way: Way, tip: str) -> str:
    """Send the LFS content of what a push is about to send, and return why that cannot be done; empty where it was."""
    known = [oid for refs in seen_everywhere(ledger, way).values() for oid in refs.values()]
    there = [*known, *ledger.repo.refs(f"refs/remotes/{way.transport.remote}/").values()]
    pointers = lfs.pointers(ledger.repo, [tip], there)
    here = [pointer for pointer in pointers if lfs.is_here(ledger.repo, pointer)]
    if (missing := [pointer for pointer in pointers if pointer not in here]) and lfs.is_used(ledger.repo, [tip]):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        ledger.watcher.note(f"the content of {missing[0].shown}{more} is not here, so it is not sent to {way.shown}")
    return lfs.upload(ledger.repo, way.transport.remote, here)


def _is_stale(done: Pushed) -> bool:
    """Whether a push was rejected because the remote's ref is elsewhere than git thought."""
    texts = ("fetch first", "non-fast-forward", "cannot lock ref", "incorrect old value", "failed to update ref")
    return any(text in done.reason for text in texts)


def _declined(way: Way, done: Pushed) -> str:
    """Return why a push was rejected for good, with what to do where a lock is in its way."""
    advice = "; another git is at work there, try again; if it stays, a killed one left it: remove that file there"
    return f"{way.shown} does not take it: {done.reason}{advice if done.locked else ''}"


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
    if remote is None and not ledger.repo.remotes() and not ledger.repo.config(house.REMOTE):
        return Exchange(remote="")
    way = way_to(ledger, remote)
    known = seen_everywhere(ledger, way)
    outcomes: list[RefOutcome] = []
    with ledger.all_campaigns() as campaigns:
        for each in campaigns:
            each.refresh()
            own, here, there = each.own_writer(), each.journal.tips(), known.get(each.campaign, {})
            for writer in sorted({*here, *there}):
                direction = "push" if writer == own else "pull"
                standing = _standing(each, writer, direction, here.get(writer), there.get(writer))
                outcomes += in_campaign(each, [standing])
    return Exchange(remote=way.shown, outcomes=tuple(outcomes))


def _standing(ledger: Ledger, writer: str, direction: str, here: str | None, there: str | None) -> RefOutcome:
    """Return how a ref here stands to what was last seen of it."""
    try:
        fork = ledger.journal.fork(here, there) if here and there else None
        if here == there:
            return outcome(writer, direction, "up to date", there, here)
        if here is not None and fork == there:
            return outcome(writer, direction, "ahead", there, here, counts=count(ledger, writer, here, there))
        if there is not None and fork == here and ledger.repo.exists(there):
            return outcome(writer, "pull", "behind", there, here, counts=count(ledger, writer, there, here))
    except LineageError:  # whatever a remote's ref points at
        return refusal(writer, direction, there, here, "what was last seen of it on the remote is no lineage")
    return refusal(writer, direction, there, here, "it is not what was last seen on the remote")


def clone(
    url: str,
    folder: Path,
    *,
    bare: bool = False,
    branch: str | None = None,
    reference: Path | None = None,
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
    address = transport.address(url)
    transport.clone(
        address, folder, everywhere("origin"), bare=bare, branch=branch, reference=reference, listener=listener
    )


def settle(ledger: Ledger) -> Exchange:
    """Take what a clone fetched into place, without the network, and leave git's configuration as git makes it."""
    way = way_to(ledger, "origin")
    for refspec in everywhere(way.key):
        ledger.repo.remove_config("remote.origin.fetch", refspec)
    ledger.repo.set_config(house.REMOTE, "origin")
    return take(ledger, way, {}, seen_everywhere(ledger, way))


# -- a plain git fetch and git push --------------------------------------------------------------------------------


def attach(ledger: Ledger, remote: str) -> None:
    """
    Have a plain ``git fetch`` and ``git push`` carry lineage, and make a remote the one that is meant by default.

    Others' refs are fetched into place as fast-forwards; this clone's own is left out, or git would complain of what
    is not pushed yet. A push goes on carrying the branch, and takes the own refs of all campaigns along, those that
    begin later too. What the user has set stays.

    Raises:
        RepositoryError: there is no remote of this name.
    """
    repo = ledger.repo
    names = repo.remotes()
    if remote not in names:
        known = f"there is {listed(names)}" if names else "there is none"
        raise RepositoryError(
            f"no remote {remote!r} in this repository; {known}; "
            f"`{to_type('git', 'remote', 'add', remote, 'URL')}` adds it"
        )
    if repo.ref(ledger.namespace.ref(ledger.writer)) is None:
        ledger.journal.begin(ledger.writer)
    repo.set_config(house.REMOTE, remote)
    if repo.flag(f"remote.{remote}.mirror"):
        return  # it carries everything anyhow
    for refs in (f"{DEFAULT.notes}*", f"{NOTES}-*"):
        repo.add_config(f"remote.{remote}.fetch", f"{refs}:{refs}")
    if repo.flag("fetch.prune") or repo.flag(f"remote.{remote}.prune"):
        ledger.watcher.note(
            f"git is configured to prune: a plain git fetch drops other writers' refs here that {remote} has not; "
            "`gitlineage pull` never does"
        )
    if not repo.configs(f"remote.{remote}.push") and repo.workdir is not None:
        repo.add_config(f"remote.{remote}.push", "HEAD")
    with ledger.all_campaigns() as campaigns:
        for each in campaigns:
            each.carry(remote)
