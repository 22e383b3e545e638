"""
What was recorded here, put back where a plain git command took it away: a fetch that prunes or forces notes' refs.

Beside each writer's ref that this clone moved itself stands a second one, ``refs/lineage/own/<writer>``
(`Namespace.kept`), which moves in the same transaction and which no fetch of notes has in its refspec. Where the two
differ, the one that follows the other is right.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime

from gitlineage.errors import LineageError
from gitlineage.git.formats import Identity
from gitlineage.git.repository import GitRepo
from gitlineage.journal import events
from gitlineage.journal.journal import Append, Journal
from gitlineage.text import counted


def lost(repo: GitRepo, journal: Journal, own: str | None) -> Iterator[str]:
    """
    Return the writers whose refs lack what was recorded here; refs that only went on are followed on the way.

    Args:
        own: this clone's writer, where it has one, whose second ref is made where it is missing.
    """
    tips, kept = journal.tips(), journal.kept_tips()
    if own in tips and own not in kept:
        kept[own] = None
    for writer, old in kept.items():
        here = tips.get(writer)
        if here == old:
            continue
        if here is not None and (old is None or journal.fork(here, old) == old):
            with suppress(LineageError):  # the next landing takes it along
                repo.move_refs({journal.namespace.kept(writer): (old, here)}, "")
        else:
            yield writer


def put_back(
    repo: GitRepo, journal: Journal, writer: str, who: Identity, moment: datetime, tell: Callable[[str], None]
) -> None:
    """
    Put a writer's ref back to what was recorded here; only under the writers' lock.

    Where it was set to another line, as ``git notes append`` does when it races with a landing, the events that this
    line lacks are recorded on it again. Where an archive has taken the ref's place, there is nothing to put back.
    """
    ref, keep = journal.namespace.ref(writer), journal.namespace.kept(writer)
    here, old = journal.tips().get(writer), repo.ref(keep)
    if old is None or here == old:
        return
    fork = journal.fork(here, old) if here is not None else None
    if here is None:
        archived = (tip for tip in journal.archived().get(writer, ()) if repo.exists(tip))
        if any(journal.is_ahead(tip, old) for tip in archived):
            repo.set_ref(keep, None)
        elif repo.move_ref(ref, old, None, "lineage: put back"):
            tell(f"a git command, such as a fetch that prunes, removed {ref}: put it back, nothing is lost")
    elif fork == here:
        if repo.move_ref(ref, old, here, "lineage: put back"):
            tell(f"a git command, such as a forced fetch, set {ref} back: put it right, nothing is lost")
    elif fork == old:
        repo.move_refs({keep: (old, here)}, "")
    elif count := _record_again(repo, journal, writer, here, old, fork, who, moment):
        tell(f"another program's write dropped {counted(count, 'event')}: recorded them again")


def _record_again(
    repo: GitRepo, journal: Journal, writer: str, here: str, old: str, fork: str | None, who: Identity, moment: datetime
) -> int:
    """Land the events on a writer's ref that an earlier line of it had, and return how many there were."""
    there = {(recorded.oid, events.encode(recorded.event)) for recorded in journal.events(writer, here)}
    had = [
        (recorded.event.clock, recorded.oid, events.encode(recorded.event)) for recorded in journal.events(writer, old)
    ]
    dropped = sorted((each for each in had if each[1:] not in there), key=lambda each: each[0])
    if not dropped:
        repo.set_ref(journal.namespace.kept(writer), here)
        return 0
    again = Append(
        writer=writer,
        tip=here,
        lines=[each[1:] for each in dropped],
        clock=max(dropped[-1][0], journal.clock(here)),
        subject=f"Record {len(dropped)} events again that another program dropped",
        identity=who,
        moment=moment,
        keep=[oid for oid in journal.kept(old, fork) if repo.exists(oid)],
    )
    journal.land(again)
    return len(dropped)
