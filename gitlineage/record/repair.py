"""
The rules of putting right what was recorded: a row that does not count, parents that were others.

Semantics 72 and 73. Both are events that a later one takes back; whoever records may say them of anybody's
rows and snapshots, as the last word in the order of events holds. Every check is made in the landing that writes.
"""

from collections.abc import Mapping, Sequence

import msgspec

from gitlineage.errors import Cycle, Invalid, NotFound
from gitlineage.journal import events
from gitlineage.journal.journal import Journal
from gitlineage.model.message import flattened
from gitlineage.model.records import GAVE_NOTHING, ROLES, CommitOid, Reparenting, Snapshot, TrialView
from gitlineage.model.relation import FAMILY, RelationType
from gitlineage.query import relations
from gitlineage.query.names import Id, resolve, trial_of
from gitlineage.query.views import Views
from gitlineage.query.words import versions
from gitlineage.record.landing import Landing
from gitlineage.text import to_type


def retract(views: Views, landing: Landing, id: Id, reason: str, actor: str, undo: bool) -> tuple[str, str]:
    """
    Record that a row does not count any more, or that it counts again, and return its snapshot and exp id.

    Saying again what holds, for the same reason, adds nothing.

    Raises:
        NotFound: there is no such trial.
        Ambiguous: the snapshot has several rows.
        Invalid: no reason is given; or there is nothing to take back.
    """
    why = _reason(reason) if not undo else flattened(reason)
    view = trial_of(views, id)
    if views.index.speakers is not None and view.order.writer != landing.writer:
        raise Invalid(not_ones_own(view))
    if undo and view.retracted is None:
        raise Invalid(f"{view.label} is not retracted")
    if undo or view.retracted != why:
        event = events.RetractEvent(exp_id=view.trial.exp_id, undo=undo, reason=why, actor=actor)
        said = f"{'Take back that' if undo else 'Retract'} {view.label}{' is retracted' if undo else ''}"
        landing.add(view.oid, event, f"{said}: {why}" if why else said)
    return view.oid, view.trial.exp_id


def not_ones_own(view: TrialView) -> str:
    """Return what is said of a word about somebody else's row, where only owners' words count."""
    return (
        f"this would not count: {view.order.writer} recorded this, and git config lineage.trust is signed, so nobody "
        f"else says anything about {view.label}; a row of yours has an exp id of its own"
    )


def reassert(views: Views, landing: Landing, journal: Journal, tips: Mapping[str, str], id: Id) -> tuple[str, str]:
    """
    Record a row again as another writer had it before the last word on it, and return its snapshot and exp id.

    Raises:
        NotFound: there is no such trial.
        Ambiguous: the snapshot has several rows.
        Invalid: nobody but the writer of the last word has said anything about the row.
    """
    view = trial_of(views, id)
    now, was = versions(views, journal, tips, view.oid, view.trial.exp_id, view.order.writer)
    if now is None or was is None:
        raise Invalid(
            f"{view.label} has the words of one writer only; `{to_type('gitlineage', 'events', view.label)}` shows them"
        )
    if was.row != now.row:
        said = events.TrialEvent(row=was.row, raw=was.raw, saw=was.saw)
        landing.add(view.oid, said, f"Say {view.label} again as it was")
    return view.oid, view.trial.exp_id


def reparent(
    views: Views,
    landing: Landing,
    id: Id,
    parents: Sequence[Id],
    roles: Mapping[str, str],
    reason: str,
    actor: str,
) -> str:
    """
    Record what a snapshot was derived from in truth, and return its oid; its commit stays as it is.

    A parent that stays keeps its role, unless another one is given, and so does what only inspired it.

    Raises:
        NotFound: an unknown snapshot or parent, or one that nobody recorded and that is none of its git parents.
        Invalid: no reason, or a role that there is not, or of what is no parent.
        Cycle: a parent goes back to the snapshot.
    """
    why = _reason(reason)
    oid = resolve(views, id)
    snapshot = views.snapshot(oid)
    if not snapshot.recorded:
        raise NotFound("snapshot or trial", str(id), unrecorded=True)
    own = views.repo.parents(oid)
    above = tuple(dict.fromkeys(_parent(views, parent, own) for parent in parents))
    kept = {parent: role for parent, role in snapshot.roles.items() if parent in above}
    kept |= {parent: role for parent, role in _inspired(views, snapshot).items() if parent not in above}
    known = kept | _roles(views, above, roles)
    if above == tuple(snapshot.parents) and known == dict(snapshot.roles) | _inspired(views, snapshot):
        return oid
    for parent in above:
        starts = [parent] if views.snapshot(parent).recorded else _recorded_above(views, parent)
        if parent == oid or any(relations.reaches(views, start, oid, list(FAMILY)) for start in starts):
            raise Cycle(views.name(oid), views.name(parent), RelationType.SUCCESSOR_TO)
    if oid in known:
        raise Cycle(views.name(oid), views.name(oid), RelationType.SUCCESSOR_TO)
    event = events.ReparentEvent(parents=above, roles=known, reason=why, actor=actor)
    landing.keep.extend(dict.fromkeys((*above, *known)))
    named = ", ".join(map(views.name, above)) or "nothing"
    landing.add(oid, event, f"Reparent {views.name(oid)} to {named}: {why}")
    return oid


def reparentings(views: Views, oid: str) -> list[Reparenting]:
    """Return all that was said about the parents of a snapshot since it was recorded, in order."""
    sql = (
        "SELECT parents, roles, at, actor, reason, writer, clock, followed FROM reparents "
        "WHERE child = ? ORDER BY clock, writer"
    )
    return [
        Reparenting(
            parents=msgspec.json.decode(parents, type=tuple[CommitOid, ...]),
            roles=msgspec.json.decode(roles),
            at=at,
            actor=actor,
            reason=reason,
            writer=writer,
            clock=clock,
            followed=bool(followed),
        )
        for parents, roles, at, actor, reason, writer, clock, followed in views.index.rows(sql, oid)
    ]


def _parent(views: Views, name: Id, own: Sequence[str]) -> str:
    """Return a parent: what is recorded, or what the commit itself has as a parent."""
    oid = resolve(views, name)
    if oid not in own and not views.snapshot(oid).recorded:
        raise NotFound("parent", str(name), unrecorded=True)
    return oid


def _recorded_above(views: Views, oid: str) -> list[str]:
    """Return the recorded snapshots that an ordinary commit leads up to first."""
    numbers = views.index.nearest(oid)
    marks = ", ".join("?" * len(numbers))
    return [each for (each,) in views.index.rows(f"SELECT oid FROM snapshots WHERE id IN ({marks})", *numbers)]


def _inspired(views: Views, snapshot: Snapshot) -> dict[str, str]:
    """Return the roles of what a snapshot names besides its parents."""
    (text,) = views.index.one("SELECT roles FROM snapshots WHERE oid = ?", snapshot.oid)
    roles = msgspec.json.decode(text, type=dict[str, str])
    return {oid: role for oid, role in roles.items() if oid in snapshot.inspirations}


def _roles(views: Views, parents: Sequence[str], roles: Mapping[str, str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, role in roles.items():
        if role not in ROLES:
            raise Invalid(f"role {role!r} of {name!r}: must be one of {', '.join(ROLES)}")
        oid = resolve(views, name)
        if oid not in parents and role not in GAVE_NOTHING:
            raise Invalid(f"{name!r} has the role {role!r} but is not among the parents")
        given[oid] = role
    return given


def _reason(text: str) -> str:
    why = flattened(text)
    if not why:
        raise Invalid("say why, in a line: -m WHY")
    return why
