"""
The rules of relating snapshots: both ends recorded, a type that fits them, no cycle.

Every check is made in the landing that writes, so that two processes cannot close a cycle together.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gitlineage.errors import Cycle, Invalid, NotFound
from gitlineage.later import later
from gitlineage.model.message import flattened
from gitlineage.model.relation import FAMILY, Relationship, RelationType, relation_type
from gitlineage.query import relations
from gitlineage.query.names import Id, resolve
from gitlineage.query.views import Views
from gitlineage.record.landing import Landing

if TYPE_CHECKING:
    from gitlineage.journal import events
else:  # all the types of events take their time
    events = later("gitlineage.journal.events")

SCOPES = ("all", "family")
"""Over which relations a cycle is looked for: all of them, or those of the type's own family (semantics 23)."""


def add(
    views: Views,
    landing: Landing,
    source: Id,
    target: Id,
    relationship_type: str,
    created_by: str,
    context: Mapping[str, Any] | None = None,
    *,
    cycle_scope: str = "family",
    at: str = "",
) -> Relationship:
    """
    Record a relation, and return it; one that is there already is returned as it is.

    Args:
        views: the store, with what the landing holds so far.
        source: the child, the dependent.
        target: the parent, the dependency.
        relationship_type: a `RelationType` or its name.
        context: JSON values to keep with it.
        cycle_scope: ``family`` or ``all``.
        at: when it came to be, UTC, ISO 8601; empty for now.

    Raises:
        NotFound: one of the two is not recorded.
        Invalid: an unknown type or scope; the same relation is there with another context; no JSON.
        Cycle: the target goes back to the source already.
    """
    kind = relation_type(relationship_type)
    if cycle_scope not in SCOPES:
        raise Invalid(f"cycles are looked for over {' or '.join(SCOPES)}, not {cycle_scope!r}")
    said = events.plain(context or {})
    child, parent = _recorded(views, "source", source, kind), _recorded(views, "target", target, kind)
    there = find(views, child, parent, kind)
    if there is not None:
        if context is not None and dict(there.context) != said:
            raise Invalid(
                f"{views.name(child)} {kind} {views.name(parent)} is recorded with another context; "
                "deprecate that relation first"
            )
        return there
    if child == parent or relations.reaches(views, parent, child, _scope(kind, cycle_scope)):
        raise Cycle(views.name(child), views.name(parent), kind)
    event = events.RelationAdded(target=parent, relation=kind, actor=created_by, context=said, at=at)
    events.encode(event)
    landing.add(child, event, f"Relate {views.name(child)}: {kind} {views.name(parent)}")
    known = find(views, child, parent, kind)
    if known is None:
        raise NotFound("relation", f"{child} {kind} {parent}")
    return known


def deprecate(
    views: Views,
    landing: Landing,
    source: Id,
    target: Id,
    relationship_type: str,
    reason: str,
    actor: str,
    at: str = "",
) -> bool:
    """
    Record that a relation no longer holds, and return whether it was an active one (semantics 24).

    Raises:
        NotFound: one of the two is not known.
        Invalid: an unknown type.
    """
    kind = relation_type(relationship_type)
    child, parent = resolve(views, source), resolve(views, target)
    if find(views, child, parent, kind) is None:
        return False
    event = events.RelationDeprecated(target=parent, relation=kind, actor=actor, reason=reason, at=at)
    events.encode(event)
    said = f"End a relation of {views.name(child)}: {kind} {views.name(parent)}"
    landing.add(child, event, f"{said}: {flattened(reason)}" if reason else said)
    return True


def find(views: Views, source: str, target: str, kind: RelationType) -> Relationship | None:
    """Return the active relation of a type between two snapshots."""
    active = relations.relationships(views, source=source, target=target, types=[kind])
    return active[0] if active else None


def _scope(kind: RelationType, cycle_scope: str) -> list[RelationType]:
    if cycle_scope == "all":
        return list(RelationType)
    return list(FAMILY) if kind in FAMILY else [kind]


def _recorded(views: Views, end: str, name: Id, kind: RelationType) -> str:
    """Return a recorded commit; what a relation is about must be in the lineage itself."""
    try:
        oid = resolve(views, name)
    except NotFound as error:
        raise NotFound(end, str(getattr(name, "exp_id", name)), error.nearest) from error
    if views.index.one("SELECT 1 FROM snapshots WHERE oid = ?", oid) is not None:
        return oid
    if views.index.one("SELECT 1 FROM forges WHERE oid = ?", oid) is None:
        raise NotFound(end, str(getattr(name, "oid", name)), unrecorded=True)
    if (end, kind) != ("target", RelationType.FORGED_FROM):
        raise Invalid(f"{oid[:12]} is a forge attempt: it can only be the target of {RelationType.FORGED_FROM}")
    return oid
