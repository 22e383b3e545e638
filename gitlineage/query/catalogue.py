"""What the catalogue and the forge attempts say: entries, attempts, and those that are like an intent."""

from typing import Any

import msgspec

from gitlineage.errors import Invalid, NotFound
from gitlineage.model.catalogue import CatalogEntry, EntryStatus, ForgePhase, ForgeRecord
from gitlineage.model.similarity import Similarity, tokens
from gitlineage.query.views import Views

_FORGE = "SELECT oid, intent, phases, result, success, at, actor FROM forges"
_FIELDS = "SELECT field, value FROM entries WHERE oid = ?"


def entry(views: Views, oid: str) -> CatalogEntry:
    """Return what the catalogue says about a commit; the defaults where nobody said anything."""
    said = {field: msgspec.json.decode(value) for field, value in views.index.rows(_FIELDS, oid)}
    used = views.index.one("SELECT coalesce(sum(total), 0), max(last_used) FROM usage WHERE oid = ?", oid)
    return msgspec.convert({"id": oid, **said, "usage_count": used[0], "last_used": used[1]}, CatalogEntry)


def entries(views: Views, status: EntryStatus | None = None) -> list[CatalogEntry]:
    """Return every artifact that the catalogue says anything about, those of one status on request, by id."""
    oids = [oid for (oid,) in views.index.rows("SELECT DISTINCT oid FROM entries ORDER BY oid")]
    listed = [entry(views, oid) for oid in oids]
    return [each for each in listed if status is None or each.status == status]


def forge(views: Views, oid: str) -> ForgeRecord:
    """
    Return a forge attempt.

    Raises:
        NotFound: the commit is none.
    """
    row = views.index.one(f"{_FORGE} WHERE oid = ?", oid)
    if row is None:
        raise NotFound("forge attempt", oid)
    return _record(row)


def attempts(views: Views, intent: str) -> list[ForgeRecord]:
    """Return all attempts at an intent in recording order; case and punctuation aside."""
    words = " ".join(tokens(intent))
    return [_record(row) for row in views.index.rows(f"{_FORGE} WHERE words = ? ORDER BY clock, writer", words)]


def similar(views: Views, intent: str, threshold: float, likeness: Similarity) -> list[tuple[float, ForgeRecord]]:
    """
    Return the attempts at something similar, the most similar first, then the latest (semantics 35).

    Raises:
        Invalid: a threshold that is not from 0 to 1.
    """
    if not 0 <= threshold <= 1:
        raise Invalid(f"a threshold is from 0 to 1, not {threshold}")
    records = [_record(row) for row in views.index.rows(f"{_FORGE} ORDER BY clock DESC, writer DESC, oid")]
    scores = likeness(intent, [each.intent for each in records])
    alike = [(score, each) for score, each in zip(scores, records, strict=True) if score >= threshold]
    alike.sort(key=lambda pair: pair[0], reverse=True)
    return alike


def _record(row: tuple[Any, ...]) -> ForgeRecord:
    oid, intent, phases, result, success, at, actor = row
    return ForgeRecord(
        id=oid,
        intent=intent,
        phases=msgspec.json.decode(phases, type=tuple[ForgePhase, ...]),
        result_id=result or None,
        success=bool(success),
        timestamp=at,
        created_by=actor,
    )
