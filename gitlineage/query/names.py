"""
What a text stands for: exp ids, ``best``, refs and oid prefixes to commits; moments of the past to a rule on events.

One function resolves every id that a user types (design 7), and reports all matches where there are several.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from gitlineage.errors import Ambiguous, Invalid, LineageError, NotFound
from gitlineage.index.database import is_text
from gitlineage.journal.journal import Journal, Recorded
from gitlineage.later import later, pattern
from gitlineage.model.records import CommitOid, Order, Snapshot, TrialView
from gitlineage.model.trial import Trial
from gitlineage.query.views import Views
from gitlineage.times import parse_time

if TYPE_CHECKING:
    from gitlineage.journal import events
else:
    events = later("gitlineage.journal.events")  # all the types of events take their time

Id = str | Snapshot | Trial | TrialView
"""What the library takes for a snapshot: any text that the command line takes, a snapshot, or a trial."""

Moment = int | str | datetime
"""What the library takes for a moment of the past: a clock, a time, or any text that `moment` takes."""

BEST = "best"
"""The name that stands for the best trial."""

_OF_SNAPSHOT = "SELECT oid FROM snapshots WHERE oid >= ? AND oid < ?"
_OF_FORGE = "SELECT oid FROM forges WHERE oid >= ? AND oid < ?"
_DESCRIBED = (
    "SELECT n.oid FROM entries n JOIN entries v ON v.oid = n.oid AND v.field = 'version' AND v.value = ?2 "
    "WHERE n.field = 'name' AND n.value = ?1 ORDER BY n.clock, n.writer, n.oid"
)
_PREFIX = pattern(r"[0-9a-f]{4,40}")
_FULL = pattern(r"[0-9a-fA-F]{40}")
_LEAST = 4
_WIDEST = 6
_TOLD = 10


def resolve(views: Views, name: Id) -> CommitOid:
    """
    Return the commit that a name stands for.

    In this order: a full oid; ``best``; a name of git's own; an exp id, ``exp_<id>``, ``<id>@<writer>``; the name of an
    imported snapshot; ``<name>@<version>`` of a catalogue entry; the beginning of a snapshot's or forge attempt's oid
    or of a hexadecimal name; any other revision that git knows; the beginning of an imported snapshot's name; 7 for 007
    where that is the only one. What the library handed out stands for its own commit.

    Raises:
        NotFound: nothing answers to it; the error carries the nearest exp ids.
        Ambiguous: several snapshots do.
    """
    if isinstance(name, Snapshot | TrialView):
        return name.oid
    if isinstance(name, Trial):
        return _home(views, name).oid
    text = _text(name)
    if meaning := claimed(views, text):
        return _claim(views, text, meaning)
    oids = views.oids_named(text)
    if len(oids) > 1:
        raise Ambiguous(text, [view.label for view in views.named(text)])
    if oids:
        return CommitOid(oids[0])
    if named := views.origins.called(text):
        return _only(text, {origin.oid: origin.oid for origin in named})
    if described := {str(oid): views.name(oid) for oid in versioned(views, text)}:
        return _only(text, described)
    if _PREFIX.fullmatch(text):
        ends = text, text + "g"
        rows = views.index.rows(f"{_OF_SNAPSHOT} UNION {_OF_FORGE} LIMIT 10", *ends, *ends)
        if matches := {oid: oid for (oid,) in rows} | _beginning(views, text):
            return _only(text, matches)
    oid = views.repo.resolve(text) if text and "\0" not in text else None
    if oid is None and len(text) >= _LEAST and (matches := _beginning(views, text)):
        return _only(text, matches)
    if oid is None and (padded := _padded(views, text)):
        return CommitOid(padded.oid)
    if oid is None:
        raise NotFound("snapshot or trial", text, views.labels.nearest(text))
    return CommitOid(oid)


def trial_of(views: Views, name: Id) -> TrialView:
    """
    Return the trial that a name stands for: the one that it names, else the one on the commit that it names.

    Raises:
        NotFound: there is none.
        Ambiguous: there are several.
    """
    if isinstance(name, Trial):
        return _home(views, name)
    if isinstance(name, TrialView):
        return _home(views, name.trial, name.oid, name.order.writer)
    if isinstance(name, str):
        if name == BEST and (best := views.best()):
            _tell(views, name, "the best trial", best.oid)
            return best
        if not claimed(views, name) and views.named(name):
            return views.trial(name)
        if not claimed(views, name) and (padded := _padded(views, name)):
            return padded
    shown = name.oid if isinstance(name, Snapshot) else _text(name)
    try:
        here = views.on_snapshot(resolve(views, name))
    except NotFound as error:
        raise NotFound("trial", shown, error.nearest) from error
    if len(here) > 1:
        raise Ambiguous(shown, [view.label for view in here])
    if not here:
        raise NotFound("trial", shown, _spelled(views, shown) or views.labels.nearest(shown))
    return here[0]


def versioned(views: Views, text: str) -> list[CommitOid]:
    """Return the snapshots whose catalogue entry has a name and version: ``lexer@1.0`` (semantics 185)."""
    name, at, version = text.rpartition("@")
    if not (at and name and version and is_text(text)):
        return []
    rows = views.index.rows(_DESCRIBED, *(msgspec.json.encode(each).decode() for each in (name, version)))
    return [CommitOid(oid) for (oid,) in rows]


def claimed(views: Views, text: str) -> str:
    """Return what a text stands for before any exp id does, in words; empty where exp ids come first."""
    if _FULL.fullmatch(text):
        return "a full oid"
    if text == BEST:
        return "the best trial"
    return "a name of git's own" if is_text(text) and views.repo.is_name(text) else ""


def taken_for(views: Views, exp_id: str) -> str:
    """Return what a new exp id could be taken for, in words: what is claimed, or another trial; empty for nothing."""
    if meaning := claimed(views, exp_id):
        return meaning
    return "the id of another trial with its writer" if "@" in exp_id and views.oids_named(exp_id) else ""


def _claim(views: Views, text: str, meaning: str) -> CommitOid:
    """Return the commit that a text stands for before any exp id does; say so where it is one, too."""
    oid: str | None = None
    if text == BEST:
        oid = views.best_oid()
    elif meaning == "a full oid":
        exactly = text, text + "g"
        rows = views.index.rows(f"{_OF_SNAPSHOT} UNION {_OF_FORGE} LIMIT 1", *exactly, *exactly)
        oid = next((oid for (oid,) in rows), None)
    oid = oid or views.repo.resolve(text)
    if oid is None and (named := views.origins.called(text)):
        oid = _only(text, {origin.oid: origin.oid for origin in named})
    if oid is None:
        raise NotFound("snapshot or trial", text, _spelled(views, text) or views.labels.nearest(text))
    _tell(views, text, meaning, oid)
    return CommitOid(oid)


def _tell(views: Views, text: str, meaning: str, oid: str) -> None:
    """Say what a text stands for where a trial elsewhere has it as its exp id, or git for something else."""
    if views.note is None:
        return
    others = _spelled(views, text, but=oid)
    if text == BEST and views.repo.is_name(text) and views.repo.resolve(text) not in (None, oid):
        others.append(f"refs/heads/{BEST}" if views.repo.ref(f"refs/heads/{BEST}") else f"refs/tags/{BEST}")
    if others:
        views.note(f"{text} is {meaning} here, {oid[:12]}; for the other one of that name say {' or '.join(others)}")


def _padded(views: Views, text: str) -> TrialView | None:
    """Return the one trial whose exp id is a number, written with more zeros, and say so: 7 is taken for 007."""
    if not (text.isascii() and text.isdecimal()) or len(text) >= _WIDEST:
        return None
    padded = [view for width in range(len(text) + 1, _WIDEST + 1) for view in views.named(text.zfill(width))]
    if len(padded) != 1:
        return None
    if views.note is not None:
        views.note(f"{text} is taken for {padded[0].label}, for there is no other")
    return padded[0]


def _spelled(views: Views, text: str, but: str = "") -> list[str]:
    """Return how to name the trials whose exp id a text is, those on one snapshot left out."""
    if not views.oids_named(text):
        return []
    spelled = [view for view in views.named(text) if view.oid != but]
    writers = [view.order.writer for view in spelled]
    return [
        f"{view.trial.exp_id}@{view.order.writer if writers.count(view.order.writer) == 1 else view.oid[:12]}"
        for view in spelled[:_TOLD]
    ]


def _home(views: Views, trial: Trial, oid: str = "", writer: str = "") -> TrialView:
    """
    Return the trial of the store that a row is: the one on the snapshot that it was handed out with.

    A row that was made by hand, or changed, is the one trial of its exp id, or of several the one that is equal to it.
    """
    at = oid or trial.oid
    named = views.named_exactly(trial.exp_id)
    fitting = [view for view in named if view.oid == at] if at else []
    if len(fitting) > 1:  # rows of several writers side by side
        same = [view for view in fitting if (view.order.writer == writer if writer else view.trial == trial)]
        fitting = same[:1] or fitting
    if not fitting:
        fitting = [view for view in named if view.trial == trial] if len(named) > 1 else named
    if len(fitting) != 1 and named:
        raise Ambiguous(trial.exp_id, [view.label for view in fitting or named])
    if not named:
        raise NotFound("trial", trial.exp_id, views.labels.nearest(trial.exp_id))
    return fitting[0]


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"an id is text, a snapshot or a trial, not {type(name).__name__}")
    return name


def _beginning(views: Views, text: str) -> dict[str, str]:
    """Return the imported snapshots whose names begin so, each with what to call it: its oid where a name is shared."""
    beginning = views.origins.called(text, begins=True)
    names = [origin.name for origin in beginning]
    return {origin.oid: origin.oid if names.count(origin.name) > 1 else origin.name for origin in beginning}


def _only(text: str, commits: Mapping[str, str]) -> CommitOid:
    """Return the one commit that was found."""
    if len(commits) > 1:
        raise Ambiguous(text, list(commits.values())[:_TOLD])
    return CommitOid(next(iter(commits)))


def moment(views: Views, journal: Journal, at: str) -> Callable[[Recorded], bool]:
    """
    Return the rule that lets through the events up to a moment (design 8).

    Args:
        at: a trial, which counts as recorded; a commit of a writer's ref; or an ISO 8601 time, which is held against
            the rows' own timestamps.

    Raises:
        NotFound: it is none of these.
    """
    if at == BEST or (views.named(at) and not claimed(views, at)):
        limit = trial_of(views, at).order
        return lambda recorded: Order(recorded.event.clock, recorded.writer) <= limit
    until = parse_time(at)
    if until is not None and not _PREFIX.fullmatch(at):
        latest = until.timestamp()
        return lambda recorded: (told := _time(recorded)) is None or told <= latest
    oid = views.repo.resolve(at)
    try:
        clock = journal.clock(oid) if oid else 0
    except LineageError:
        clock = 0
    if not clock:
        raise NotFound("trial, commit of a writer's ref or time", at, views.labels.nearest(at))
    return lambda recorded: recorded.event.clock <= clock


def moment_of(views: Views, journal: Journal, until: Moment) -> tuple[Callable[[Recorded], bool], str]:
    """
    Return the rule of `moment` for what the library takes for one, and that moment in words.

    Args:
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
        return (lambda recorded: recorded.event.clock <= until), f"clock {until}"
    if isinstance(until, datetime):
        aware = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
        latest = aware.timestamp()
        return (lambda recorded: (told := _time(recorded)) is None or told <= latest), aware.isoformat()
    return moment(views, journal, until), until


def _time(recorded: Recorded) -> float | None:
    """Return when an event says that it happened; settings hold at all times, so they say nothing."""
    event = recorded.event
    if event.place is events.Place.GENESIS:
        return None
    told = event.row.get("timestamp", "") if isinstance(event, events.TrialEvent) else ""
    return _seconds(told) or _seconds(event.at)


def _seconds(text: str) -> float | None:
    parsed = parse_time(text)
    return parsed.timestamp() if parsed else None
