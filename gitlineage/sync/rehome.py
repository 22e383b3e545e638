"""
A copied clone: one writer's name in use on two machines, and how what is only here goes on under a fresh one.

Design 3. Every step can be repeated: the fresh name follows from the old one and from what was recorded, and
what has landed under it already is not landed again.
"""

import re
from collections.abc import Iterable
from hashlib import sha256

from gitlineage import house
from gitlineage.errors import Conflict, CorruptEvent
from gitlineage.journal import events
from gitlineage.journal.journal import Append, Journal
from gitlineage.model.namespace import namespace_of
from gitlineage.record.ledger import Ledger

_LONGEST = 90
"""Letters of an old name that a fresh one keeps."""


def fresh_name(writer: str, tip: str) -> str:
    """Return the name under which a writer goes on whose ref stands at a tip."""
    base = re.sub(r"-[0-9a-f]{6}$", "", writer)[:_LONGEST].rstrip(".")
    return f"{base}-{sha256(f'{writer} {tip}'.encode()).hexdigest()[:6]}"


def rehome(ledger: Ledger, writer: str, there: str, *, dry_run: bool = False) -> str:
    """
    Move what a writer's ref has and the remote's has not to a fresh writer, and the ref to where the remote has it.

    First the events land under the fresh name with the clocks that they have, then this clone goes by that name, then
    the old ref moves: whatever kills it in between, nothing is lost and a repetition finishes it.

    Args:
        writer: the name that is in use twice.
        there: where the remote's ref stands; its objects are here.
        dry_run: only say which name it would be.

    Returns:
        The fresh name.

    Raises:
        Conflict: another program kept moving the writer's ref.
    """
    with ledger.holding():
        here = ledger.journal.tips()[writer]
        fresh = ledger.successor(writer)
        if fresh == writer:
            fresh = fresh_name(writer, here)
        if dry_run:
            return fresh
        went_back = ledger.journal.fork(here, there) != here
        if went_back:
            _land(ledger, writer, fresh, here, there)
        _go_by(ledger, writer, fresh)
        ref = ledger.namespace.ref(writer)
        follow = ledger.journal.follow({writer: None})
        if not ledger.repo.move_ref(ref, there, here, f"lineage: goes on as {fresh}", follow=follow):
            raise Conflict(ref)
        ledger.reindex()  # a new file also tells other processes to look up the writer's name
    return fresh


def is_settled(ledger: Ledger, writer: str, here: str, there: str, seen: Iterable[str]) -> bool:
    """
    Whether a remote that keeps an old name of this clone's where it was has nothing for it, nor this clone for others.

    Otherwise two remotes of which one has the copy's events and one this clone's would move the old ref to and fro.

    Args:
        here: where its ref stands here.
        there: where the remote has it.
        seen: where remotes have been seen to have it.
    """
    journal, fresh = ledger.journal, ledger.successor(writer)
    if _untold(journal, writer, fresh, there, here):
        return False
    return not _untold(journal, writer, fresh, here, there) or any(
        journal.fork(tip, here) == here for tip in seen if ledger.repo.exists(tip)
    )


def _untold(journal: Journal, writer: str, fresh: str, tip: str, since: str) -> list[tuple[int, str, bytes]]:
    """Return what a state of a writer's ref has more than another and a fresh name does not have: clock, oid, line."""
    at = journal.tips().get(fresh)
    geneses = {journal.genesis(writer): journal.genesis(fresh)}
    landed: dict[str, set[bytes]] = {}
    lines: list[tuple[int, str, bytes]] = []
    for annotated, _, more in journal.added(tip, since):
        oid = geneses.get(annotated, annotated)
        if at and oid not in landed:
            landed[oid] = set(events.lines(journal.note(at, oid)))
        lines += [(_clock(line), oid, line) for line in more if line not in landed.get(oid, ())]
    return sorted(lines, key=lambda each: each[0])


def _land(ledger: Ledger, writer: str, fresh: str, here: str, there: str) -> None:
    """Land the events that only the ref here has under the fresh name, unless they are there already."""
    journal, repo = ledger.journal, ledger.repo
    tip = journal.tips().get(fresh)
    lines = _untold(journal, writer, fresh, here, there)
    keep = [oid for oid in journal.kept(here, journal.fork(here, there)) if repo.exists(oid)]
    if not lines and (tip or not keep):
        return
    clock = max([each[0] for each in lines] + [journal.clock(tip) if tip else 0, journal.clock(here)])
    with repo.packing():
        moved = Append(
            writer=fresh,
            tip=tip,
            lines=[(oid, line) for _, oid, line in lines],
            clock=clock,
            subject=f"Go on from {writer}, whose name is also in use elsewhere",
            identity=ledger.committer(),
            moment=repo.commit(here).time,
            keep=list(dict.fromkeys(keep)),
        )
        landed_at = journal.land(moved)
    if landed_at is None:
        raise Conflict(ledger.namespace.ref(fresh))


def _go_by(ledger: Ledger, writer: str, fresh: str) -> None:
    """Have this clone go by the fresh name: in its configuration, in what plain git pushes, and in this process."""
    repo = ledger.repo
    if ledger.successor(writer) != fresh:
        repo.set_config(ledger.namespace.successor_key(writer), fresh)
    others = [namespace_of(name) for name in ledger.campaigns() if name != ledger.campaign]
    for each in others:  # the name is in use twice in this campaign; what others record under it goes on
        if ledger.namespace.is_default and repo.ref(each.ref(writer)) and repo.config(each.key("writer")) is None:
            repo.set_config(each.key("writer"), writer)
    if (repo.config(house.WRITER) or writer) == writer or not ledger.namespace.is_default:
        repo.set_config(ledger.namespace.key("writer"), fresh)
    old, new = ledger.namespace.ref(writer), ledger.namespace.ref(fresh)
    for remote in repo.remotes():
        if f"{old}:{old}" in repo.configs(f"remote.{remote}.push") and repo.ref(new) is None:
            ledger.journal.begin(fresh)
        repo.replace_config(f"remote.{remote}.fetch", f"^{old}", f"^{new}")
        repo.replace_config(f"remote.{remote}.push", f"{old}:{old}", f"{new}:{new}")
    ledger.own_writer()


def _clock(line: bytes) -> int:
    """Return the clock of an event's line; what is no event comes first."""
    try:
        return events.decode(line).clock
    except CorruptEvent:
        return 0
