"""
Recording what a catalogue needs: entries, how often something was used, forge attempts.

Each function makes its checks first and adds all its events to one landing.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from gitlineage.errors import Invalid, NotFound
from gitlineage.git.formats import Identity
from gitlineage.git.repository import GitRepo
from gitlineage.later import later
from gitlineage.model.catalogue import (
    CatalogEntry,
    ForgePhase,
    ForgeRecord,
    checked_fields,
    checked_phase,
)
from gitlineage.model.message import compose, flattened
from gitlineage.model.relation import RelationType
from gitlineage.model.similarity import tokens
from gitlineage.query import catalogue
from gitlineage.query.names import Id, resolve
from gitlineage.query.views import Views
from gitlineage.record import relations
from gitlineage.record.landing import Landing

if TYPE_CHECKING:
    from gitlineage.journal import events
else:  # all the types of events take their time
    events = later("gitlineage.journal.events")


def set_entry(views: Views, landing: Landing, name: Id, fields: Mapping[str, Any], actor: str) -> None:
    """
    Record fields of an artifact's entry; those that say what is recorded already change nothing.

    Raises:
        NotFound: there is no such snapshot, or nothing by the name of the replacement.
        Invalid: an unknown field or a wrong value.
    """
    oid = _artifact(views, name)
    said = checked_fields(fields)
    if said.get("deprecated_in_favor_of"):
        said["deprecated_in_favor_of"] = _artifact(views, said["deprecated_in_favor_of"])
        if said["deprecated_in_favor_of"] == oid:
            raise Invalid(f"{views.name(oid)} cannot be deprecated in favour of itself")
    known: dict[str, Any] = msgspec.to_builtins(catalogue.entry(views, oid))
    new = {field: value for field, value in said.items() if known[field] != value or not _is_set(views, oid, field)}
    if new:
        event = events.EntryEvent(fields=new, actor=actor)
        events.encode(event)
        landing.add(oid, event, f"Describe {views.name(oid)}: {', '.join(new)}")


def count_usage(views: Views, landing: Landing, oid: str, times: int, last_used: str) -> None:
    """Record that an artifact was used so many times more by this clone."""
    row = views.index.one("SELECT total FROM usage WHERE oid = ? AND writer = ?", oid, landing.writer)
    total = (row[0] if row else 0) + times
    said = f"Count {times} uses of {views.name(oid)}"
    landing.add(oid, events.UsageEvent(total=total, last_used=last_used), said)


def record_forge(
    views: Views, landing: Landing, artifact: Id, intent: str, forger: str, template: Id | None
) -> CatalogEntry:
    """
    Record who forged an artifact, from which intent and from which template (semantics 33), all or nothing.

    Raises:
        NotFound: there is no such artifact or template.
        Cycle: the template goes back to the artifact.
    """
    oid = _artifact(views, artifact)
    if template is not None:
        relations.add(views, landing, oid, template, RelationType.FORGED_FROM, forger, {"intent": intent})
    set_entry(views, landing, oid, {"forged_by": forger, "forged_from": intent}, forger)
    return catalogue.entry(views, oid)


def record_attempt(
    repo: GitRepo,
    views: Views,
    landing: Landing,
    identity: Identity,
    intent: str,
    phases: Iterable[ForgePhase | Mapping[str, Any]],
    result: Id | None,
    success: bool,
    actor: str,
) -> ForgeRecord:
    """
    Record an attempt to forge something, and link what came of it (semantics 34), all or nothing.

    Raises:
        NotFound: the result is not recorded.
        Invalid: an empty intent, a success without a result, an unknown phase.
    """
    if not tokens(intent):
        raise Invalid(f"the intent {intent!r} says nothing: give it words")
    if success and result is None:
        raise Invalid("a forge attempt that worked out has a result: name it")
    done = tuple(checked_phase(phase) for phase in phases)
    made = _artifact(views, result) if result is not None else ""
    event = events.ForgeEvent(intent=intent, phases=done, result=made, success=success, actor=actor)
    events.encode(event)
    nonce = f"{landing.writer}-{landing.clock + 1}"
    message = compose(f"Forge: {flattened(intent)}", [("Forge-Id", nonce)])
    oid = repo.write_commit(repo.empty_tree(), [], message, identity, landing.moment())
    landing.add(oid, event, f"Record a forge attempt: {flattened(intent)}")
    if made:
        relations.add(views, landing, made, oid, RelationType.FORGED_FROM, actor, {"intent": intent})
    return catalogue.forge(views, oid)


def _is_set(views: Views, oid: str, field: str) -> bool:
    return views.index.one("SELECT 1 FROM entries WHERE oid = ? AND field = ?", oid, field) is not None


def _artifact(views: Views, name: Id) -> str:
    oid = resolve(views, name)
    if views.index.one("SELECT 1 FROM snapshots WHERE oid = ?", oid) is None:
        raise NotFound("artifact", str(getattr(name, "exp_id", name)), unrecorded=True)
    return oid
