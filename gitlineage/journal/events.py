"""
Events and their canonical JSON lines.

An event is never changed and never removed; state is the fold of all events in the order (clock, writer).
The same event always gives the same bytes: keys sorted, defaults left out, one line. Whoever adds a type begins here,
with a class in `AnyEvent`; docs/add-an-event.md says what comes after, and
`tests/unit/journal/test_event_types.py` what is missing.
"""

import math
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, ClassVar, get_args

import msgspec

from gitlineage.bounds import MAX_COLUMNS, MAX_LINE
from gitlineage.errors import CorruptEvent, Invalid, InvalidTrial
from gitlineage.git.formats import is_oid
from gitlineage.model.catalogue import ForgePhase, checked_fields, checked_phase
from gitlineage.model.records import ROLES, Task
from gitlineage.model.relation import relation_type
from gitlineage.model.trial import AUTO_ID, check_cells
from gitlineage.model.tsv import Shape, header_cells

MAX_CLOCK = 2**48
"""More events than any campaign has; a line beyond it would leave no room for those that follow."""

AHEAD = 2**20
"""
How far the clock of an event may be above the number of all events; one that is further ahead does not count (yet).

A clock follows on one that was seen, so it is never above the number of events that there ever were. This is how many
may have gone lost since. A limit that grows with each event can be reached by nobody for good.
"""


class Place(StrEnum):
    """Which commits carry the events of a type: what bundles, archives, replays and the server's hook go by."""

    SNAPSHOT = "snapshot"
    """A commit that the event makes a snapshot."""

    COMMIT = "commit"
    """A commit that the event says something about."""

    OWN = "own"
    """A commit that was made for the event."""

    GENESIS = "genesis"
    """The writer's first commit, for what belongs to no snapshot; it holds at all times."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True, gc=False):
    """
    What every event carries.

    Args:
        clock: Lamport clock; with the writer it orders all events.
        at: when it was recorded, UTC, ISO 8601.
        writer: who recorded it; empty where the ref that holds it says so.
    """

    place: ClassVar[Place]
    """Which commits carry it; each type says so."""

    clock: int = 0
    at: str = ""
    writer: str = ""

    def names(self) -> tuple[str, ...]:
        """Return the commits that the event names besides the one that carries it; a bundle takes them along."""
        return ()

    def check(self, oid: str = "") -> None:
        """
        Refuse what decodes well and is nothing that anybody could have recorded here.

        Args:
            oid: the object that it is on, where that is known.

        Raises:
            CorruptEvent: it breaks a rule, as only a foreign writer can make it.
        """


ARRIVED = "arrived"
"""How a commit takes the place of its stand-in: each row that both have is the commit's from then on."""


class Log(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What a trial's command printed, as far as a note keeps it.

    Args:
        tail: its end, cleaned; at most 4 KB.
        size: how many bytes it was.
        digest: the SHA-256 of the whole log.
    """

    tail: str = ""
    size: int = 0
    digest: str = ""


class TrialEvent(Event, frozen=True, kw_only=True, tag="trial"):
    """
    A row on the snapshot that carries the note; a later one with the same exp id revises it.

    Args:
        row: the row's cells by column name, as text.
        raw: the row's bytes in the file it came from, where writing the cells anew would differ.
        saw: the session commit whose prompt the agent had read.
        log: what its command printed, where `gitlineage run` ran it.
    """

    place = Place.SNAPSHOT

    row: dict[str, str]
    raw: str = ""
    saw: str = ""
    log: Log | None = None

    def check(self, oid: str = "") -> None:
        """
        Refuse a row that is no trial's.

        Raises:
            CorruptEvent: it breaks a rule, as only a foreign writer can make it.
        """
        if self.row.get("exp_id", AUTO_ID) == AUTO_ID:
            raise CorruptEvent("not an event: its row has no exp id")
        _check_columns(tuple(self.row))
        try:
            check_cells(self.row)
        except InvalidTrial as error:
            raise CorruptEvent(str(error)) from error


class SnapshotEvent(Event, frozen=True, kw_only=True, tag="snapshot"):
    """A snapshot without a row: the commit that carries the note is recorded."""

    place = Place.SNAPSHOT


class CohortEvent(Event, frozen=True, kw_only=True, tag="cohort"):
    """
    A cohort is opened; the commit that carries the note is its own, with the base as parents.

    Args:
        name: the cohort's name.
        base: oids of the snapshots it starts from.
        metadata: JSON values that were said about it.
        allow_mixed: whether members may have other parents.
    """

    place = Place.OWN

    name: str
    base: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}
    allow_mixed: bool = False

    def check(self, oid: str = "") -> None:
        """
        Refuse a name that no cohort could have, and a base that is none.

        Raises:
            CorruptEvent: it breaks a rule, as only a foreign writer can make it.
        """
        _check_name("a cohort's name", self.name)
        _check_oids("its base", (*self.base,))
        if oid in self.base or len(set(self.base)) < len(self.base):
            raise CorruptEvent("not an event: these cannot be the base of this cohort")


class TaskEvent(Event, frozen=True, kw_only=True, tag="task"):
    """The campaign's task is set; the last one holds. It sits on the writer's genesis commit."""

    place = Place.GENESIS

    task: Task

    def check(self, oid: str = "") -> None:
        """
        Refuse a task that nothing can be ranked by.

        Raises:
            CorruptEvent: its column has no name that a table could have, or its noise is no number.
        """
        for name, text in (("score field", self.task.score_field or " "), ("label", self.task.label)):
            if len(text) > _MAX_NAME or _CONTROL.search(text) or text.isspace():
                raise CorruptEvent(f"not an event: its task has the {name} {text[:50]!r}")
        if not 0 <= self.task.epsilon < math.inf:
            raise CorruptEvent(f"not an event: its task has the epsilon {self.task.epsilon}")


class TableEvent(Event, frozen=True, kw_only=True, tag="table"):
    """
    A table was imported; it sits on the writer's genesis commit.

    Args:
        shape: its columns and line ends, as `model.tsv.Shape` spells them.
        rows: how many rows it had.
    """

    place = Place.GENESIS

    shape: dict[str, Any]
    rows: int = 0

    def check(self, oid: str = "") -> None:
        """
        Refuse what is no table's shape.

        Raises:
            CorruptEvent: its columns, its header or its line ends are none that a file could have.
        """
        try:
            shape = msgspec.convert(self.shape, Shape)
        except msgspec.ValidationError as error:
            raise CorruptEvent(f"not an event: its table has no shape: {error}") from error
        _check_columns(shape.columns)
        if not shape.columns or len(set(shape.columns)) < len(shape.columns) or not all(shape.columns):
            raise CorruptEvent("not an event: its table has no columns, or columns without names of their own")
        if shape.newline not in ("\n", "\r\n") or (shape.header and header_cells(shape.header) != shape.columns):
            raise CorruptEvent("not an event: the header of its table is not what its columns are")


class SessionEvent(Event, frozen=True, kw_only=True, tag="session"):
    """
    An agent read a prompt; the commit that carries the note holds it as ``prompt.md``.

    Args:
        specialist: who read it.
        prompt: the prompt's blob oid.
        tips: the writers' refs it was rendered from.
        parameters: the options it was rendered with.
        seen: the clock of the last event that it shows.
    """

    place = Place.OWN

    specialist: str
    prompt: str
    tips: dict[str, str] = {}
    parameters: dict[str, Any] = {}
    seen: int = 0

    def check(self, oid: str = "") -> None:
        """
        Refuse a prompt that is no object, tips that are none, and a moment that there never was.

        Raises:
            CorruptEvent: it breaks a rule, as only a foreign writer can make it.
        """
        _check_oids("its prompt", (self.prompt,) if self.prompt else ())
        _check_oids("its tips", tuple(self.tips.values()))
        if not 0 <= self.seen <= MAX_CLOCK:
            raise CorruptEvent(f"not an event: its prompt has seen the clock {self.seen}")


class ImportedEvent(Event, frozen=True, kw_only=True, tag="imported"):
    """
    A snapshot came from another store; the commit that carries the note is recorded.

    Args:
        name: what it is called there; it is found by that name here too.
        source: which kind of store, and which version of its format, as ``openrange/2``.
        document: the oid of a blob with what that store says about it, byte for byte; of a folder, its files' texts by
            name as JSON.
        file: the document's file name there, with its folder's where the snapshot is one; empty for a stub.
        stub: whether that store only names it and has no document of its own.
    """

    place = Place.SNAPSHOT

    name: str
    source: str
    document: str
    file: str = ""
    stub: bool = False

    def check(self, oid: str = "") -> None:
        """
        Refuse an origin without a document.

        Raises:
            CorruptEvent: its document is no object.
        """
        _check_oids("its document", (self.document,))
        if not self.name:
            raise CorruptEvent("not an event: what it imported has no name")


class RewriteEvent(Event, frozen=True, kw_only=True, tag="rewrite"):
    """
    A commit was made from another one, or took its place; the commit that carries the note is the new one.

    Args:
        old: the commit it was made from, whose trials stay there; a stand-in's move to the commit that has arrived.
        how: what git calls it, ``amend`` or ``rebase``; or `ARRIVED`.
    """

    place = Place.SNAPSHOT

    old: str
    how: str = ""

    def names(self) -> tuple[str, ...]:
        """Return the commits that the event names besides the one that carries it."""
        return (self.old,)

    def check(self, oid: str = "") -> None:
        """
        Refuse to be made from nothing, or from itself.

        Raises:
            CorruptEvent: it breaks a rule, as only a foreign writer can make it.
        """
        if not is_oid(self.old) or self.old == oid:
            raise CorruptEvent(f"not an event: nothing can be rewritten from {self.old[:50]!r}")


class RetractEvent(Event, frozen=True, kw_only=True, tag="retract"):
    """
    A row of the commit that carries the note no longer counts, or counts again; the last word on a row holds.

    Args:
        exp_id: the row's exp id.
        undo: whether an earlier word is taken back.
        reason: why.
        actor: who or what says so.
    """

    place = Place.COMMIT

    exp_id: str
    undo: bool = False
    reason: str = ""
    actor: str = ""

    def check(self, oid: str = "") -> None:
        """
        Refuse a word about no row.

        Raises:
            CorruptEvent: it names none.
        """
        if self.exp_id in ("", AUTO_ID):
            raise CorruptEvent("not an event: it names no row")


class ReparentEvent(Event, frozen=True, kw_only=True, tag="reparent"):
    """
    The commit that carries the note was derived from other commits than its git parents say; the last word holds.

    Args:
        parents: what it was derived from, the primary one first; none for a root.
        roles: what a parent was, by oid, as in the trailers of a commit; one that is no parent gave no content.
        reason: why.
        actor: who or what says so.
    """

    place = Place.COMMIT

    parents: tuple[str, ...] = ()
    roles: dict[str, str] = {}
    reason: str = ""
    actor: str = ""

    def names(self) -> tuple[str, ...]:
        """Return the commits that the event names besides the one that carries it."""
        return tuple(dict.fromkeys((*self.parents, *self.roles)))

    def check(self, oid: str = "") -> None:
        """
        Refuse parents and roles that no commit could have.

        Raises:
            CorruptEvent: it breaks a rule, as only a foreign writer can make it.
        """
        named = (*self.parents, *self.roles)
        if oid in named or not all(map(is_oid, named)) or len(set(self.parents)) < len(self.parents):
            raise CorruptEvent("not an event: these cannot be the parents of this commit")
        if not set(self.roles.values()) <= set(ROLES):
            raise CorruptEvent("not an event: it gives a parent a role that there is not")


class RelationAdded(Event, frozen=True, kw_only=True, tag="relation_added"):
    """
    The commit that carries the note is related to another one (semantics 23).

    Args:
        target: the other commit.
        relation: the type of the relation.
        actor: who or what says so.
        context: JSON values that were said about it.
    """

    place = Place.COMMIT

    target: str
    relation: str
    actor: str = ""
    context: dict[str, Any] = {}

    def names(self) -> tuple[str, ...]:
        """Return the commits that the event names besides the one that carries it."""
        return (self.target,)

    def check(self, oid: str = "") -> None:
        """
        Refuse what is no relation.

        Raises:
            CorruptEvent: there is no such type, or nothing can be its target.
        """
        _check_relation(oid, self.target, self.relation)


class RelationDeprecated(Event, frozen=True, kw_only=True, tag="relation_deprecated"):
    """
    A relation of the commit that carries the note no longer holds (semantics 24).

    It ends the relations of this type to this target that come before it in the order of events; a later
    ``relation_added`` makes a new one.

    Args:
        target: the other commit.
        relation: the type of the relation.
        actor: who or what says so.
        reason: why.
    """

    place = Place.COMMIT

    target: str
    relation: str
    actor: str = ""
    reason: str = ""

    def names(self) -> tuple[str, ...]:
        """Return the commits that the event names besides the one that carries it."""
        return (self.target,)

    def check(self, oid: str = "") -> None:
        """
        Refuse what is no relation.

        Raises:
            CorruptEvent: there is no such type, or nothing can be its target.
        """
        _check_relation(oid, self.target, self.relation)


class EntryEvent(Event, frozen=True, kw_only=True, tag="entry"):
    """
    The catalogue says something about the commit that carries the note; the last word on each field holds.

    Args:
        fields: fields of a `CatalogEntry` and their values.
        actor: who or what says so.
    """

    place = Place.COMMIT

    fields: dict[str, Any]
    actor: str = ""

    def check(self, oid: str = "") -> None:
        """
        Refuse what no entry has.

        Raises:
            CorruptEvent: there is no such field, or its value is of another kind.
        """
        try:
            checked_fields(self.fields)
        except Invalid as error:
            raise CorruptEvent(f"not an event: {error}") from error


class UsageEvent(Event, frozen=True, kw_only=True, tag="usage"):
    """
    How often this writer's clone has used the commit that carries the note; the highest count holds.

    Args:
        total: how often in all.
        last_used: when last, UTC, ISO 8601.
    """

    place = Place.COMMIT

    total: int
    last_used: str

    def check(self, oid: str = "") -> None:
        """
        Refuse a count that nobody reached, and a moment that is none.

        Raises:
            CorruptEvent: it breaks a rule, as only a foreign writer can make it.
        """
        if not 0 <= self.total <= _USES or not _TIME.fullmatch(self.last_used):
            raise CorruptEvent(f"not an event: {self.total} uses, the last at {self.last_used[:50]!r}")


class ForgeEvent(Event, frozen=True, kw_only=True, tag="forge"):
    """
    An attempt to forge an artifact; the commit that carries the note is its own (semantics 34).

    Args:
        intent: what was wanted.
        phases: what was done, in order.
        result: the commit of what came of it; empty where nothing did.
        success: whether it worked out.
        actor: who or what forged.
    """

    place = Place.OWN

    intent: str
    phases: tuple[ForgePhase, ...] = ()
    result: str = ""
    success: bool = False
    actor: str = ""

    def names(self) -> tuple[str, ...]:
        """Return the commits that the event names besides the one that carries it."""
        return (self.result,) if self.result else ()

    def check(self, oid: str = "") -> None:
        """
        Refuse an attempt at nothing, phases that there are not, and a success without a result.

        Raises:
            CorruptEvent: it breaks a rule, as only a foreign writer can make it.
        """
        _check_oids("its result", self.names())
        if not self.intent.strip() or (self.success and not self.result) or (oid and oid == self.result):
            raise CorruptEvent("not an event: an attempt has an intent, and a success a result")
        try:
            for phase in self.phases:
                checked_phase(phase)
        except Invalid as error:
            raise CorruptEvent(f"not an event: {error}") from error


AnyEvent = (
    TrialEvent
    | SnapshotEvent
    | CohortEvent
    | TaskEvent
    | TableEvent
    | SessionEvent
    | RetractEvent
    | ReparentEvent
    | RelationAdded
    | RelationDeprecated
    | EntryEvent
    | UsageEvent
    | ForgeEvent
    | RewriteEvent
    | ImportedEvent
)

TYPES: dict[str, type[Event]] = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyEvent)}
"""Every type of event by its name in a line."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_USES = 1 << 40
"""Uses of an artifact that one writer may have counted; the sum over all of them has to stay a number of SQLite's."""

_MAX_NAME = 1000
"""Characters that the name of a column or a cohort has at most."""

_SHORTEST = len(b'{"clock":1,"type":"task"}')
"""Bytes that any event has at the least: a clock and a type, in four letters."""

_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(AnyEvent)


def _check_name(what: str, text: str) -> None:
    """Refuse a name that is empty, padded, of several lines or longer than any."""
    if not text or text != text.strip() or len(text) > _MAX_NAME or _CONTROL.search(text):
        raise CorruptEvent(f"not an event: {what} is {text[:50]!r}")


def _check_oids(what: str, oids: tuple[str, ...]) -> None:
    """Refuse what should be oids and is not."""
    for oid in oids:
        if not is_oid(oid):
            raise CorruptEvent(f"not an event: {what} is {oid[:50]!r}")


def _check_relation(oid: str, target: str, name: str) -> None:
    """Refuse a relation to what is no commit or the same one, and one of a type that there is not."""
    if not is_oid(target) or target == oid:
        raise CorruptEvent(f"not an event: nothing can be related to {target[:50]!r}")
    try:
        relation_type(name)
    except Invalid as error:
        raise CorruptEvent(f"not an event: {error}") from error


def _check_columns(columns: tuple[str, ...]) -> None:
    """Refuse more columns than a table may have, and names that are longer than any."""
    if len(columns) > MAX_COLUMNS:
        raise CorruptEvent(f"not an event: {len(columns):,} columns are over the limit of {MAX_COLUMNS:,}")
    if max(map(len, columns), default=0) > _MAX_NAME:
        raise CorruptEvent(f"not an event: a column's name is longer than {_MAX_NAME:,} characters")


def encode(event: AnyEvent) -> bytes:
    """
    Return an event's canonical line, without a line end.

    Raises:
        Invalid: it holds values that JSON cannot, or is longer than 1 MiB.
    """
    if event.clock > MAX_CLOCK:
        raise Invalid(
            f"this writer's clock is at its end ({MAX_CLOCK}), because its own ref carries events that set it there; "
            "go on under another name: git config lineage.writer NAME"
        )
    try:
        if not isinstance(event, TrialEvent | SnapshotEvent):  # these hold nothing but text
            event.check()
            _refuse_non_json(msgspec.to_builtins(event))
        elif isinstance(event, TrialEvent) and len(event.row) > MAX_COLUMNS:
            _check_columns(tuple(event.row))
        line = _encoder.encode(event)
    except CorruptEvent as error:
        raise Invalid(error.reason.removeprefix("not an event: ")) from error
    except RecursionError as error:
        raise Invalid("this cannot be kept as JSON: it is nested too deeply") from error
    except (TypeError, UnicodeEncodeError, ValueError) as error:
        if isinstance(error, Invalid):
            raise
        raise Invalid(f"this cannot be kept as JSON: {error}") from error
    if len(line) > MAX_LINE:
        raise Invalid(f"an event of {len(line):,} bytes is over the limit of {MAX_LINE:,}; put large data into files")
    return line


def decode(line: bytes) -> AnyEvent:
    """
    Return the event that a line spells.

    Raises:
        CorruptEvent: it spells none.
    """
    if len(line) > MAX_LINE:
        raise CorruptEvent(f"a line of {len(line):,} bytes")
    try:
        event: AnyEvent = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptEvent(f"not an event: {error}") from error
    if not 0 < event.clock <= MAX_CLOCK:
        raise CorruptEvent(f"not an event: its clock is {event.clock}")
    return event


def lines(note: bytes) -> Iterator[bytes]:
    """Return the lines of a note that are meant to be events: all but the blank ones, which git itself adds."""
    return (line for line in note.split(b"\n") if line.strip())


def events(note: bytes) -> tuple[list[bytes], int]:
    """
    Return the lines of a note that may be events, and how many more there are that are too short to be any.

    A note that holds nothing else is done with in a thousandth of the time that decoding each of its lines takes.
    """
    every = note.split(b"\n")
    long_enough = [line for line in every if len(line) >= _SHORTEST]
    return long_enough, len(every) - len(long_enough) - every.count(b"")


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return JSON values as they will be read back: tuples as lists and so on.

    Raises:
        Invalid: they hold what JSON cannot.
    """
    try:
        _refuse_non_json(values)
        return msgspec.json.decode(msgspec.json.encode(dict(values)), type=dict[str, Any])
    except RecursionError as error:
        raise Invalid("this cannot be kept as JSON: it is nested too deeply") from error
    except (TypeError, UnicodeEncodeError) as error:
        raise Invalid(f"this cannot be kept as JSON: {error}") from error


def _refuse_non_json(value: object) -> None:
    """Refuse NaN and infinity, which the encoder would silently write as null."""
    if isinstance(value, float) and not math.isfinite(value):
        raise Invalid("this cannot be kept as JSON: a number that is not finite")
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise Invalid(f"this cannot be kept as JSON: the key {key!r} is not text")
            _refuse_non_json(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_non_json(item)
