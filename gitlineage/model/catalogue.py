"""
Records of an artifact catalogue: entries, forge attempts, impact reports.

An artifact is a snapshot; its entry says what it is, who forged it and how much it is used (semantics 33-37).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from gitlineage.errors import Invalid
from gitlineage.times import exact, parse_time


class EntryStatus(StrEnum):
    """Whether an artifact is to be used."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"
    RETIRED = "retired"
    DRAFT = "draft"


class CatalogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the catalogue says about one artifact (semantics 37).

    Args:
        id: the artifact's commit.
        entity_type: what kind of thing it is, e.g. ``agent`` or ``parser``.
        name: its name.
        version: its version.
        description: what it does.
        keywords: words to find it by.
        input_type: what it takes; empty where nobody said.
        output_type: what it gives; empty where nobody said.
        status: whether it is to be used.
        usage_count: how often it was used, as far as this clone knows.
        last_used: when it was used last, UTC, ISO 8601.
        forged_by: who forged it.
        forged_from: the intent that it was forged from, in words.
        deprecated_in_favor_of: the commit of what replaces it.
        author: who made it; empty where nobody said, and then its commit does.
        created_at: when it was made, UTC, ISO 8601; empty where nobody said, and then its commit does.
    """

    id: str
    entity_type: str = ""
    name: str = ""
    version: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    input_type: str = ""
    output_type: str = ""
    status: EntryStatus = EntryStatus.ACTIVE
    usage_count: int = 0
    last_used: str | None = None
    forged_by: str | None = None
    forged_from: str | None = None
    deprecated_in_favor_of: str | None = None
    author: str = ""
    created_at: str = ""

    @property
    def text(self) -> str:
        """What a search for something similar compares."""
        return " ".join(filter(None, (self.name, self.description, *self.keywords)))


class ForgePhase(msgspec.Struct, frozen=True, kw_only=True):
    """
    One phase of a forge attempt (semantics 34).

    Args:
        phase_name: one of `PHASES`.
        input_summary: what went in.
        output_summary: what came out.
        success: whether it worked out.
        errors: what went wrong.
        duration_ms: how long it took, in milliseconds.
    """

    phase_name: str
    input_summary: str = ""
    output_summary: str = ""
    success: bool = True
    errors: tuple[str, ...] = ()
    duration_ms: int = 0


class ForgeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """
    One attempt to forge an artifact, from its intent to its result (semantics 34).

    Args:
        id: the attempt's own commit; where an artifact was said to be forged without an attempt, that artifact's.
        intent: what was wanted, in words.
        phases: what was done, in order.
        result_id: the commit of what came of it; ``None`` where nothing did.
        success: whether it worked out.
        timestamp: when, UTC, ISO 8601; empty where an artifact was said to be forged without an attempt.
        created_by: who recorded it.
    """

    id: str
    intent: str
    phases: tuple[ForgePhase, ...] = ()
    result_id: str | None = None
    success: bool = False
    timestamp: str = ""
    created_by: str = ""

    @property
    def failed_phase(self) -> ForgePhase | None:
        """The first phase that did not work out."""
        return next((phase for phase in self.phases if not phase.success), None)


class ForgeIntent(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was wanted, and what was made of it (semantics 187).

    Args:
        intent: what was wanted, in the words of the first who said it.
        attempts: how many attempts there were.
        worked: how many of them worked out.
        results: commits of the artifacts that were forged, each once.
        last: when the last attempt was, UTC, ISO 8601; empty where there was none.
    """

    intent: str
    attempts: int = 0
    worked: int = 0
    results: tuple[str, ...] = ()
    last: str = ""


class ImpactReport(msgspec.Struct, frozen=True, kw_only=True):
    """
    What would break if an artifact were deprecated (semantics 36).

    Args:
        artifact_id: its commit.
        direct_dependents: how many depend on it directly.
        transitive_dependents: how many depend on it at all, the direct ones included.
        dependent_ids: all of them, closest first.
        active_usage: whether it was used within the last 30 days.
        severity: ``low``, ``medium``, ``high`` or ``critical``.
        recommended_actions: what to do before deprecating it, in order.
    """

    artifact_id: str
    direct_dependents: int
    transitive_dependents: int
    dependent_ids: tuple[str, ...]
    active_usage: bool
    severity: str
    recommended_actions: tuple[str, ...]


PHASES = ("understand", "contract", "prototype", "validate", "crystallize")
"""The phases of a forge loop."""

SET_BY_HAND = tuple(name for name in CatalogEntry.__struct_fields__ if name not in ("id", "usage_count", "last_used"))
"""The fields of an entry that are set; usage is counted."""


def checked_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return fields of an entry as they are recorded.

    Raises:
        Invalid: an unknown field, or a value of the wrong kind.
    """
    unknown = [name for name in fields if name not in SET_BY_HAND]
    if unknown:
        raise Invalid(f"{unknown[0]!r} is no field of an entry; there are {', '.join(SET_BY_HAND)}")
    try:
        entry = msgspec.convert({"id": "", **fields}, CatalogEntry, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(f"this is no catalogue entry: {error}") from error
    known: dict[str, Any] = msgspec.to_builtins(entry)
    if entry.created_at:
        moment = parse_time(entry.created_at)
        if moment is None:
            raise Invalid(f"this is no catalogue entry: created_at {entry.created_at[:60]!r} is no ISO 8601 time")
        known["created_at"] = exact(moment)
    return {name: known[name] for name in fields}


def checked_phase(phase: "ForgePhase | Mapping[str, Any]") -> ForgePhase:
    """
    Return a phase.

    Raises:
        Invalid: an unknown name, or values of the wrong kind.
    """
    try:
        checked = phase if isinstance(phase, ForgePhase) else msgspec.convert(dict(phase), ForgePhase)
    except msgspec.ValidationError as error:
        raise Invalid(f"this is no forge phase: {error}") from error
    if checked.phase_name not in PHASES:
        raise Invalid(f"{checked.phase_name!r} is no forge phase; there are {', '.join(PHASES)}")
    return checked
