"""What the catalogue and the forge attempts say: entries, attempts, intents, and those that are like one."""

from typing import Any

import msgspec

from gitlineage.errors import Invalid, NotFound
from gitlineage.model.catalogue import CatalogEntry, EntryStatus, ForgeIntent, ForgePhase, ForgeRecord
from gitlineage.model.similarity import Similarity, tokens
from gitlineage.query.views import Views

_FORGE = "SELECT oid, intent, phases, result, success, at, actor FROM forges"
_ORDERED = "SELECT oid, intent, phases, result, success, at, actor, clock, writer FROM forges"
_FORGED = (
    "SELECT e.oid, e.value, b.value, e.clock, e.writer FROM entries e LEFT JOIN entries b ON b.oid = e.oid "
    "AND b.field = 'forged_by' WHERE e.field = 'forged_from'"
)
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
    sql = f"{_FORGE} WHERE words = ? ORDER BY clock, writer"
    return [_record(row) for row in views.index.rows(sql, _words(intent))]


def forges(views: Views) -> list[ForgeRecord]:
    """Return every attempt, and every artifact that was said to be forged without one, in recording order."""
    listed = [(row[7:], _record(row[:7])) for row in views.index.rows(_ORDERED)]
    told = {(record.result_id, _words(record.intent)) for _, record in listed}
    for oid, intent, forger, *order in views.index.rows(_FORGED):
        text, by = (msgspec.json.decode(each) if each else None for each in (intent, forger))
        if text and (oid, _words(text)) not in told:
            record = ForgeRecord(id=oid, intent=text, result_id=oid, success=True, created_by=by or "")
            listed.append((tuple(order), record))
    listed.sort(key=lambda pair: (*pair[0], pair[1].id))
    return [record for _, record in listed]


def intents(views: Views) -> list[ForgeIntent]:
    """Return every intent once, in the order in which they were first said; case and punctuation aside."""
    by_words: dict[str, list[ForgeRecord]] = {}
    for each in forges(views):
        by_words.setdefault(_words(each.intent), []).append(each)
    listed = []
    for same in by_words.values():
        tried = [each for each in same if each.timestamp]
        listed.append(
            ForgeIntent(
                intent=same[0].intent,
                attempts=len(tried),
                worked=sum(each.success for each in tried),
                results=tuple(dict.fromkeys(each.result_id for each in same if each.result_id)),
                last=max((each.timestamp for each in tried), default=""),
            )
        )
    return listed


def holding(views: Views, text: str) -> list[ForgeRecord]:
    """Return what was forged, or tried to be, from an intent that has all words of a text, the latest first."""
    words = [(word, each.endswith("*")) for each in text.split() for word in tokens(each)]

    def holds(intent: str) -> bool:
        have = set(tokens(intent))
        return all(word in have or (begins and any(each.startswith(word) for each in have)) for word, begins in words)

    return [each for each in reversed(forges(views)) if words and holds(each.intent)]


def similar(views: Views, intent: str, threshold: float, likeness: Similarity) -> list[tuple[float, ForgeRecord]]:
    """
    Return what was forged, or tried to be, from something similar, the most similar first, then the latest.

    Raises:
        Invalid: a threshold that is not from 0 to 1.
    """
    if not 0 <= threshold <= 1:
        raise Invalid(f"a threshold is from 0 to 1, not {threshold}")
    records = forges(views)[::-1]
    scores = likeness(intent, [each.intent for each in records])
    alike = [(score, each) for score, each in zip(scores, records, strict=True) if score >= threshold]
    alike.sort(key=lambda pair: pair[0], reverse=True)
    return alike


def _words(intent: str) -> str:
    return " ".join(tokens(intent))


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
