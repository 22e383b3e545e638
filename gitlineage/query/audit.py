"""
History as a log of events: all of them in order, those that touch one snapshot, each in words; what they add up to is
the index's.

Semantics 32b and 39. Events are read from the notes themselves, in the order (clock, writer).
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from gitlineage.index.database import growing
from gitlineage.journal import events as codec
from gitlineage.journal.journal import Journal, Problem, Recorded, is_archive
from gitlineage.model.records import CommitOid
from gitlineage.query.views import Views
from gitlineage.text import counted, one_line

_ALL = """
SELECT clock, writer, at FROM clocks WHERE clock >= ?1 UNION ALL SELECT clock, writer, at FROM twice WHERE clock >= ?1
ORDER BY clock, writer
"""
_BY_WRITER = """
SELECT clock, writer, at FROM clocks WHERE clock >= ?1 AND writer = ?2
UNION ALL SELECT clock, writer, at FROM twice WHERE clock >= ?1 AND writer = ?2 ORDER BY clock, writer
"""
EVER = -(1 << 63)
"""Before all clocks."""

_AHEAD = 20_000
"""Events whose notes one git reads ahead at most."""

_MANY = 1000
"""Events of one ref, among those that are read ahead, from which on all of its notes are listed at once."""

_SEVERAL, _LONG = 8, 64
"""Events of a note that are worth being kept for the next of them, and notes that are kept so."""

_NAMED = 6
"""Cells, fields and the like that an event's words name before they count the rest."""

Rule = Callable[[Recorded], bool]


class LineageEvent(msgspec.Struct, frozen=True, kw_only=True):
    """
    One event as it is read (semantics 39).

    Args:
        event_type: one of `EVENT_TYPES`.
        timestamp: when it was recorded, UTC, ISO 8601; empty where nobody said.
        actor: who or what it says did it: an actor, a specialist, else the writer.
        payload: what else it says, as JSON values.
        writer: whose ref holds it.
        clock: its place in the history, with the writer.
        oid: the commit that its note is on.
    """

    event_type: str
    timestamp: str
    actor: str
    payload: Mapping[str, Any]
    writer: str
    clock: int
    oid: CommitOid

    def __hash__(self) -> int:
        return hash((self.clock, self.writer, self.oid, self.event_type))


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """
    One event that touches a snapshot.

    Args:
        event: the event.
        what: what happened, in words.
        own: whether its note is on the snapshot itself.
    """

    event: LineageEvent
    what: str
    own: bool = True


# -- all events ------------------------------------------------------------------------------------------------------


def events(
    views: Views,
    journal: Journal,
    tips: Mapping[str, str],
    *,
    writer: str | None = None,
    since: int = EVER,
    rule: Rule | None = None,
) -> Iterator[LineageEvent]:
    """
    Return the events of all writers, or of one, in their order; lines that are no events are left out.

    The index says on which object each is, so that the first is there at once and few are in memory.

    Args:
        writer: whose; an archive's events are those of the writers that they name.
        since: from which clock on.
        rule: lets through the events that are wanted.
    """
    rows = views.index.each(
        _BY_WRITER if writer is not None else _ALL, *([since] if writer is None else [since, writer])
    )
    same: list[Recorded] = []
    for each in _read(views, journal, tips, rows):
        if same and (each.event.clock, each.writer) != (same[0].event.clock, same[0].writer):
            yield from _ordered(same, writer, rule)
            same = []
        same.append(each)
    yield from _ordered(same, writer, rule)


def _read(
    views: Views, journal: Journal, tips: Mapping[str, str], rows: Iterable[tuple[int, str, bytes]]
) -> Iterator[Recorded]:
    """Return the events of clocks and writers on objects, in the order given; git reads ahead where they are many."""
    archives = [name for name in tips if is_archive(name)]
    trees = {name: views.repo.commit(tip).tree for name, tip in tips.items()}
    long: dict[tuple[str, str], Mapping[tuple[int, str], list[Recorded]]] = {}  # or each event would read all of them

    listed: dict[str, Mapping[bytes, bytes]] = {}
    most = 2 * views.index.events + _MANY

    def noted(name: str, at: bytes) -> list[str]:
        found = listed[name].get(at) if name in listed else None
        return [found.hex()] if found is not None else journal.blobs(trees[name], at.hex())

    def placed(row: tuple[int, str, bytes]) -> _Place:
        clock, writer, at = row
        names = [writer, *archives] if writer in tips else archives
        return _Place(clock, writer, at.hex(), {name: noted(name, at) for name in names})

    def wanted(place: _Place) -> list[str]:
        return [blob for name, blobs in place.notes.items() if (name, place.oid) not in long for blob in blobs]

    for part in growing(rows, largest=_AHEAD):
        counts = Counter(writer for _, writer, _ in part) | dict.fromkeys(archives, len(part))
        for name in (name for name, count in counts.items() if count >= _MANY and name in trees and name not in listed):
            listed[name] = journal.all_blobs(trees[name], most)
        for place in views.repo.ahead(map(placed, part), wanted):
            for name, blobs in place.notes.items():
                told = long.get((name, place.oid))
                if told is None:
                    told = {}
                    for each in journal.told_by(name, tips[name], place.oid, blobs):
                        told.setdefault((each.event.clock, each.writer), []).append(each)
                    if len(told) > _SEVERAL:
                        if len(long) == _LONG:
                            long.clear()
                        long[name, place.oid] = told
                yield from told.get((place.clock, place.writer), ())


class _Place(NamedTuple):
    """Where an event is: its clock and writer, the object, and the blobs of the notes on that, by ref."""

    clock: int
    writer: str
    oid: str
    notes: Mapping[str, list[str]]


def touching(
    views: Views, journal: Journal, tips: Mapping[str, str], oid: str, *, rule: Rule | None = None
) -> list[LineageEvent]:
    """
    Return the events that touch a commit, in their order.

    Those are: the notes on it; relations that lead to it; the opening of its cohort and of those that it is a base of;
    commits that were made from it by an amend or a rebase; words about parents that name it; forge attempts with it as
    result; entries that name it as the better choice; the sessions that its trials saw; and, where it is a session, the
    trials that saw it.
    """
    places = [oid, *_places(views, oid)]
    recorded = [
        each for place in dict.fromkeys(places) for each in on(journal, tips, place) if rule is None or rule(each)
    ]
    saw = {each.event.saw for each in recorded if each.oid == oid and isinstance(each.event, codec.TrialEvent)}
    recorded += [each for session in sorted(saw - {"", *places}) for each in on(journal, tips, session)]
    cohort = views.snapshot(oid).cohort
    return _ordered([each for each in recorded if _touches(each, oid, cohort, saw)], None, rule)


def _places(views: Views, oid: str) -> Iterator[str]:
    """Return the commits whose notes may name another one."""
    name = views.snapshot(oid).cohort
    asked = (
        ("SELECT source FROM relation_events WHERE target = ?", oid),
        ("SELECT oid FROM cohorts WHERE name = ?", name),
        ("SELECT oid FROM cohorts WHERE instr(base, ?)", oid),
        ("SELECT new FROM rewrites WHERE old = ?", oid),
        ("SELECT child FROM reparents WHERE instr(parents, ?) OR instr(roles, ?1)", oid),
        ("SELECT oid FROM forges WHERE result = ?", oid),
        ("SELECT oid FROM entries WHERE field = 'deprecated_in_favor_of' AND value = ?", f'"{oid}"'),
        ("SELECT s.oid FROM trials t JOIN snapshots s ON s.id = t.snapshot WHERE t.saw = ?", oid),
    )
    for sql, value in asked:
        if value is not None:
            yield from (place for (place,) in views.index.rows(f"{sql} ORDER BY 1", value))


def _touches(recorded: Recorded, oid: str, cohort: str | None, saw: Collection[str]) -> bool:
    if recorded.oid == oid or oid in recorded.event.names():
        return True
    match recorded.event:
        case codec.CohortEvent(name=name, base=base):
            return name == cohort or oid in base
        case codec.EntryEvent(fields=fields):
            return fields.get("deprecated_in_favor_of") == oid
        case codec.TrialEvent(saw=session):
            return session == oid
        case codec.SessionEvent():
            return recorded.oid in saw
    return False


def on(journal: Journal, tips: Mapping[str, str], oid: str) -> Iterator[Recorded]:
    """Return the events on one commit, of all writers."""
    for name, tip in tips.items():
        for recorded in journal.told(name, tip, oid):
            if not isinstance(recorded, Problem):
                yield recorded


def _ordered(recorded: Iterable[Recorded], writer: str | None, rule: Rule | None) -> list[LineageEvent]:
    """Return events in their order, each once: an archive may hold what its writer's own ref has too."""
    wanted = [each for each in recorded if (writer is None or each.writer == writer) and (rule is None or rule(each))]
    if len(wanted) < 2:
        return list(map(_lineage_event, wanted))
    once: dict[tuple[int, str, str, str, bytes], LineageEvent] = {}
    for each in wanted:
        shown = _lineage_event(each)
        line = msgspec.json.encode(shown.payload, order="sorted")
        once[shown.clock, shown.writer, shown.oid, shown.event_type, line] = shown
    return [once[key] for key in sorted(once)]


def _lineage_event(recorded: Recorded) -> LineageEvent:
    payload: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(recorded.event))
    kind, clock, at = payload.pop("type"), payload.pop("clock"), payload.pop("at", "")
    payload.pop("writer", None)
    actor = payload.get("actor") or payload.get("specialist") or payload.get("row", {}).get("specialist")
    return LineageEvent(
        event_type=kind,
        timestamp=at,
        actor=actor or recorded.writer,
        payload=payload,
        writer=recorded.writer,
        clock=clock,
        oid=CommitOid(recorded.oid),
    )


# -- in words --------------------------------------------------------------------------------------------------------


def audited(views: Views, oid: str, happened: Iterable[LineageEvent]) -> Iterator[AuditEntry]:
    """Return the events that touch a commit with what happened, in words."""
    seen: set[tuple[str, str]] = set()
    for event in happened:
        key = (event.oid, event.payload.get("row", {}).get("exp_id", ""))
        what = in_words(views, event, again=event.event_type == "trial" and key in seen)
        seen.add(key)
        yield AuditEntry(event=event, what=what, own=event.oid == oid)


def told(views: Views, oid: str, recorded: Iterable[Recorded]) -> list[AuditEntry]:
    """Return what notes say about a commit, in its order and with what happened, in words."""
    return list(audited(views, oid, _ordered(recorded, None, None)))


def in_words(views: Views, event: LineageEvent, *, again: bool = False) -> str:
    """
    Return what an event says happened, as one line without control characters.

    Args:
        event: the event.
        again: whether the row was recorded before.
    """
    if event.event_type == "trial":
        return one_line(_trial_words(views, event, again))
    said, on = event.payload, views.name(event.oid)
    words = WORDS.get(event.event_type)
    return one_line(words(views, event, said, on) if words is not None else event.event_type)


def _why(said: Mapping[str, Any]) -> str:
    return f": {said['reason']}" if said.get("reason") else ""


def _derived(views: Views, said: Mapping[str, Any]) -> str:
    """Return what a snapshot is said to be derived from, with roles, in words."""
    roles: dict[str, str] = said.get("roles", {})
    named = dict.fromkeys((*said.get("parents", ()), *roles))
    return (
        ", ".join(f"{views.name(oid)} ({roles[oid]})" if oid in roles else views.name(oid) for oid in named)
        or "nothing"
    )


def _trial_words(views: Views, event: LineageEvent, again: bool) -> str:
    said = event.payload
    row = said["row"]
    status = row.get("status") or "pending"
    words = f"trial {row.get('exp_id', '')} {'recorded again' if again else 'recorded'}: {status}"
    if saw := said.get("saw"):
        words += f", after session {saw[:12]}"
    of = None if again else views.index.one("SELECT cohort FROM snapshots WHERE oid = ?", event.oid)
    return words + (f", member of cohort {of[0]}" if of and of[0] else "")


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(sorted(names)[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown


def _cohort_words(views: Views, event: LineageEvent, said: Mapping[str, Any], on: str) -> str:
    base = ", ".join(views.name(each) for each in said.get("base", ())) or "nothing"
    return f"cohort {said['name']} opened on {base}"


def _task_words(views: Views, event: LineageEvent, said: Mapping[str, Any], on: str) -> str:
    task = said["task"]
    better = "lower" if task.get("lower_is_better", True) else "higher"
    return f"task set: {task.get('score_field', 'core_metric')}, {better} is better"


def _forge_words(views: Views, event: LineageEvent, said: Mapping[str, Any], on: str) -> str:
    came = f" with {views.name(said['result'])} as result" if said.get("result") else ""
    how = "worked out" if said.get("success") else "failed"
    return f"forge attempt {event.oid[:12]} at {said['intent']!r} {how}{came}"


WORDS: dict[str, Callable[[Views, LineageEvent, Mapping[str, Any], str], str]] = {
    "trial": lambda views, event, said, on: _trial_words(views, event, False),
    "snapshot": lambda views, event, said, on: f"snapshot {on} recorded",
    "imported": lambda views, event, said, on: f"snapshot {on} imported from {said['source']} as {said['name']}",
    "cohort": _cohort_words,
    "task": _task_words,
    "table": lambda views, event, said, on: f"table of {counted(said.get('rows', 0), 'row')} imported",
    "session": lambda views, event, said, on: (
        f"session {event.oid[:12]}: {said['specialist'] or 'somebody'} was shown the prompt"
    ),
    "rewrite": lambda views, event, said, on: (
        f"{on} took the place of its stand-in {views.name(said['old'])}"
        if said.get("how") == codec.ARRIVED
        else f"{on} made from {views.name(said['old'])} by {said.get('how') or 'a rewrite'}"
    ),
    "retract": lambda views, event, said, on: (
        f"trial {said['exp_id']} {'counts again' if said.get('undo') else 'retracted'}{_why(said)}"
    ),
    "reparent": lambda views, event, said, on: f"{on} reparented: from {_derived(views, said)}{_why(said)}",
    "relation_added": lambda views, event, said, on: (
        f"relation {on} {said['relation']} {views.name(said['target'])} added"
    ),
    "relation_deprecated": lambda views, event, said, on: (
        f"relation {on} {said['relation']} {views.name(said['target'])} ended{_why(said)}"
    ),
    "entry": lambda views, event, said, on: f"entry of {on} described: {_listed(said['fields'])}",
    "usage": lambda views, event, said, on: f"use of {on} counted: {said['total']} in all",
    "forge": _forge_words,
}
"""What an event of each type says: by the store, for names, the event, its payload, and the name of its commit."""

EVENT_TYPES = tuple(WORDS)
"""The types of events, as they can be asked for."""
