"""
Typed relations between snapshots as records: the types, one relation, one step of an evolution.

A relation leads from child to parent, from the dependent to what it depends on (semantics 20-22).
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from gitlineage.errors import Invalid


class RelationType(StrEnum):
    """What the source of a relation is to its target (semantics 20)."""

    SUCCESSOR_TO = "successor_to"
    FORKED_FROM = "forked_from"
    DEPENDS_ON = "depends_on"
    TESTED_BY = "tested_by"
    DOCUMENTED_BY = "documented_by"
    IMPLEMENTS = "implements"
    COMPOSED_WITH = "composed_with"
    FORGED_FROM = "forged_from"


DERIVATION = (RelationType.SUCCESSOR_TO, RelationType.FORKED_FROM)
"""The types that a walk follows where none are named; git parents count as these (semantics 26)."""

FAMILY = (*DERIVATION, RelationType.FORGED_FROM)
"""The types that may not form a cycle together where cycles are looked for by family (semantics 23)."""


class Relationship(msgspec.Struct, frozen=True, kw_only=True):
    """
    A typed edge between two snapshots (semantics 22).

    Args:
        source_id: the commit that it leads from: the child, the dependent.
        target_id: the commit that it leads to: the parent, the dependency.
        relationship_type: what the source is to the target.
        created_at: when, UTC, ISO 8601.
        created_by: who or what said so.
        context: JSON values that were said about it.
        writer: whose ref holds it.
        clock: its place in the history, with the writer.
        deprecated: whether it no longer holds.
        deprecated_at: since when, UTC, ISO 8601.
        deprecated_by: who or what said so.
        deprecation_reason: why.
        followed: whether walks follow it; not where it would close a cycle with what was recorded before it.
    """

    source_id: str
    target_id: str
    relationship_type: RelationType
    created_at: str = ""
    created_by: str = ""
    context: Mapping[str, Any] = {}
    writer: str = ""
    clock: int = 0
    deprecated: bool = False
    deprecated_at: str | None = None
    deprecated_by: str | None = None
    deprecation_reason: str | None = None
    followed: bool = True

    def __hash__(self) -> int:
        return hash((self.source_id, self.target_id, self.relationship_type, self.clock, self.writer))


class EvolutionStep(msgspec.Struct, frozen=True, kw_only=True):
    """
    One step in the evolution of an artifact (semantics 31).

    Args:
        from_id: the earlier commit.
        to_id: the later one.
        evolution_type: what was tried; ``unknown`` where nobody said.
        success: whether it worked out; ``None`` while its trial waits for its result.
        metrics: what was measured, by name.
        timestamp: when, UTC, ISO 8601.
    """

    from_id: str
    to_id: str
    evolution_type: str = "unknown"
    success: bool | None = True
    metrics: Mapping[str, Any] = {}
    timestamp: str = ""

    def __hash__(self) -> int:
        return hash((self.from_id, self.to_id, self.timestamp))


def relation_type(name: str) -> RelationType:
    """
    Return the type of a name.

    Raises:
        Invalid: there is none; the error lists them.
    """
    try:
        return RelationType(name)
    except ValueError:
        raise Invalid(f"{name!r} is no type of relation; there are {', '.join(RelationType)}") from None


def relation_types(names: Iterable[str] | None, default: Iterable[RelationType] = DERIVATION) -> list[RelationType]:
    """Return the types of some names, each once, or the default ones where none are named."""
    return list(dict.fromkeys(map(relation_type, names if names is not None else default)))
