"""
What a text stands for: exp ids, ``best``, refs and oid prefixes to commits; moments of the past to a rule on events.

Layer 14. One function resolves every id that a user types (design 7), and reports all matches where there are several.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from gitlineage import codec
from gitlineage.errors import Ambiguous, Invalid, LineageError, NotFound
from gitlineage.journal import Journal, Recorded
from gitlineage.models import CommitOid, Order, Snapshot
from gitlineage.times import parse_time
from gitlineage.trial import Trial
from gitlineage.views import Views

Id = str | Snapshot | Trial
"""What the library takes for a snapshot: any text that the command line takes, a snapshot, or a trial."""

Moment = int | str | datetime
"""What the library takes for a moment of the past: a clock, a time, or any text that `moment` takes."""

_OF_SNAPSHOT = "SELECT oid FROM snapshots WHERE oid >= ? AND oid < ?"
_OF_FORGE = "SELECT oid FROM forges WHERE oid >= ? AND oid < ?"
_PREFIX = re.compile(r"[0-9a-f]{4,40}")
_LEAST = 4
_TOLD = 10


def resolve(views: Views, name: Id) -> CommitOid:
    """
    Return the commit that a name stands for.

    In this order: an exp id, ``exp_<id>``, ``<id>@<writer>``; ``best``; the name of an imported snapshot; the beginning
    of a snapshot's or forge attempt's oid or of a hexadecimal name; any revision that git knows; the beginning of an
    imported snapshot's name.

    Raises:
        NotFound: nothing answers to it; the error carries the nearest exp ids.
        Ambiguous: several snapshots do.
    """
    if isinstance(name, Snapshot):
        return name.oid
    text = name.exp_id if isinstance(name, Trial) else name
    if not isinstance(text, str):
        raise TypeError(f"an id is text, a snapshot or a trial, not {type(text).__name__}")
    oids = views.oids_named(text)
    if len(oids) > 1:
        raise Ambiguous(text, [view.label for view in views.named(text)])
    if oids:
        return CommitOid(oids[0])
    if text == "best" and (best := views.best()):
        return best.oid
    if named := views.origins.called(text):
        return _only(text, {origin.oid: origin.oid for origin in named})
    if _PREFIX.fullmatch(text):
        ends = text, text + "g"
        rows = views.index.rows(f"{_OF_SNAPSHOT} UNION {_OF_FORGE} LIMIT 10", *ends, *ends)
        if found := {oid: oid for (oid,) in rows} | _beginning(views, text):
            return _only(text, found)
    oid = views.repo.resolve(text) if text and "\0" not in text else None
    if oid is None and len(text) >= _LEAST and (found := _beginning(views, text)):
        return _only(text, found)
    if oid is None:
        raise NotFound("snapshot or trial", text, views.labels.nearest(text))
    return CommitOid(oid)


def _beginning(views: Views, text: str) -> dict[str, str]:
    """Return the imported snapshots whose names begin so, each with what to call it: its oid where a name is shared."""
    found = views.origins.called(text, begins=True)
    names = [origin.name for origin in found]
    return {origin.oid: origin.oid if names.count(origin.name) > 1 else origin.name for origin in found}


def _only(text: str, found: Mapping[str, str]) -> CommitOid:
    """Return the one commit that was found."""
    if len(found) > 1:
        raise Ambiguous(text, list(found.values())[:_TOLD])
    return CommitOid(next(iter(found)))


def moment(views: Views, journal: Journal, at: str) -> Callable[[Recorded], bool]:
    """
    Return the rule that lets through the events up to a moment (design 8).

    Args:
        views: the store as it is now.
        journal: the writers' refs.
        at: a trial, which counts as recorded; a commit of a writer's ref; or an ISO 8601 time, which is held against
            the rows' own timestamps.

    Raises:
        NotFound: it is none of these.
    """
    if views.named(at):
        limit = views.trial(at).order
        return lambda found: Order(found.event.clock, found.writer) <= limit
    until = parse_time(at)
    if until is not None and not _PREFIX.fullmatch(at):
        latest = until.timestamp()
        return lambda found: (told := _time(found)) is None or told <= latest
    oid = views.repo.resolve(at)
    try:
        clock = journal.clock(oid) if oid else 0
    except LineageError:
        clock = 0
    if not clock:
        raise NotFound("trial, commit of a writer's ref or time", at, views.labels.nearest(at))
    return lambda found: found.event.clock <= clock


def moment_of(views: Views, journal: Journal, until: Moment) -> tuple[Callable[[Recorded], bool], str]:
    """
    Return the rule of `moment` for what the library takes for one, and that moment in words.

    Args:
        views: the store as it is now.
        journal: the writers' refs.
        until: a clock as a number, a time, or any text that `moment` takes.

    Raises:
        NotFound: the text is no moment.
        Invalid: a negative clock.
    """
    if isinstance(until, bool) or not isinstance(until, int | str | datetime):
        raise TypeError(f"a moment is a clock, a time or text, not {type(until).__name__}")
    if isinstance(until, int):
        if until < 0:
            raise Invalid(f"a clock is 0 or more, not {until}")
        return (lambda found: found.event.clock <= until), f"clock {until}"
    if isinstance(until, datetime):
        aware = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
        latest = aware.timestamp()
        return (lambda found: (told := _time(found)) is None or told <= latest), aware.isoformat()
    return moment(views, journal, until), until


def _time(found: Recorded) -> float | None:
    """Return when an event says that it happened; settings hold at all times, so they say nothing."""
    event = found.event
    if isinstance(event, codec.TaskEvent | codec.TableEvent):
        return None
    told = event.row.get("timestamp", "") if isinstance(event, codec.TrialEvent) else ""
    return _seconds(told) or _seconds(event.at)


def _seconds(text: str) -> float | None:
    parsed = parse_time(text)
    return parsed.timestamp() if parsed else None
