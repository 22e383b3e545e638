"""gitlineage.journal.events: one canonical line for each event, and no line that is none is taken for one."""

import json
import math
import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage.errors import CorruptEvent, Invalid, LineageError
from gitlineage.journal import events
from gitlineage.model.catalogue import ForgePhase
from gitlineage.model.records import Task

STAMP = {"clock": 7, "at": "2026-01-01T00:00:00Z", "writer": "alice"}
OID = "ab" * 20
EVENTS = [
    events.TrialEvent(row={"status": "keep", "exp_id": "015", "notes": "ä\n\t\0"}, raw="015\tkeep", saw=OID, **STAMP),
    events.SnapshotEvent(**STAMP),
    events.CohortEvent(
        name="wide", base=(OID,), metadata={"seeds": [1, 2.5, None], "x": {"y": "ü"}}, allow_mixed=True, **STAMP
    ),
    events.TaskEvent(task=Task(score_field="acc", lower_is_better=False, label="a", epsilon=0.25), **STAMP),
    events.TableEvent(shape={"columns": ["exp_id"], "newline": "\r\n"}, rows=3, **STAMP),
    events.RelationAdded(target=OID, relation="depends_on", actor="x", context={"v": [1, None]}, **STAMP),
    events.RelationDeprecated(target=OID, relation="depends_on", actor="x", reason="gone", **STAMP),
    events.EntryEvent(fields={"name": "lexer", "keywords": ["a"]}, actor="x", **STAMP),
    events.UsageEvent(total=3, last_used="2026-01-01T00:00:00Z", **STAMP),
    events.ForgeEvent(intent="x", phases=(ForgePhase(phase_name="contract"),), result=OID, success=True, **STAMP),
    events.SessionEvent(specialist="arch", prompt=OID, tips={"alice": OID}, parameters={"top_k": 20}, seen=6, **STAMP),
    events.ImportedEvent(name="a1b2", source="openrange/2", document=OID, file="a1b2.json", stub=True, **STAMP),
    events.RewriteEvent(old=OID, how="amend", **STAMP),
    events.RetractEvent(exp_id="015", undo=True, reason="it was right", actor="x", **STAMP),
    events.ReparentEvent(parents=(OID,), roles={OID: "mate"}, reason="crossed", actor="x", **STAMP),
]
quick = settings(max_examples=200, deadline=None, database=None)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=10,
)


def test_every_kind_of_event_is_tried_here():
    """A new event type must join the list above."""
    assert {type(event) for event in EVENTS} == set(events.Event.__subclasses__())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_and_its_line_is_canonical(event):
    """Round trip, one line, keys sorted, defaults left out, the same bytes again."""
    line = events.encode(event)
    assert events.decode(line) == event
    assert b"\n" not in line
    assert events.encode(events.decode(line)) == line
    told = json.loads(line)
    compact = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert compact.encode() == line
    assert told["type"] == re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__.removesuffix("Event")).lower()
    bare = events.encode(msgspec.structs.replace(event, at="", writer=""))
    assert b'"at"' not in bare
    assert b'"writer"' not in bare


@quick
@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), json_values, max_size=4),
    st.integers(1, events.MAX_CLOCK),
)
def test_any_json_metadata_comes_back(metadata, clock):
    """Whatever JSON can hold is kept as it is, in one line whose bytes do not depend on the order it was said in."""
    event = events.CohortEvent(name="c", metadata=metadata, clock=clock)
    line = events.encode(event)
    assert events.decode(line) == event
    assert line.count(b"\n") == 0
    backwards = events.CohortEvent(name="c", metadata=dict(reversed(metadata.items())), clock=clock)
    assert events.encode(backwards) == line


@pytest.mark.parametrize(
    "metadata",
    [
        {"x": math.nan},
        {"x": [math.inf]},
        {"x": {"y": (-math.inf,)}},
        {"x": object()},
        {1: 2},
        {"x": {None: 1}},
        {"x": "\ud800"},
    ],
)
def test_what_json_cannot_hold_is_refused(metadata):
    """NaN would silently become null; it is an error here, at any depth."""
    with pytest.raises(Invalid):
        events.encode(events.CohortEvent(name="c", clock=1, metadata=metadata))


@pytest.mark.parametrize("epsilon", [math.nan, math.inf])
def test_a_record_within_an_event_is_looked_into(epsilon):
    """A task's threshold that is not finite is refused before it becomes an unreadable line."""
    with pytest.raises(Invalid):
        events.encode(events.TaskEvent(clock=1, task=Task(epsilon=epsilon)))


def test_bottomless_metadata_is_refused():
    """A list that holds itself ends in an error of ours."""
    loop: list = []
    loop.append(loop)
    with pytest.raises(Invalid):
        events.encode(events.CohortEvent(name="c", clock=1, metadata={"x": loop}))


def test_a_line_over_the_limit_is_refused_both_ways():
    """1 MiB is the bound, for us as for a server's hook."""
    with pytest.raises(Invalid, match="limit"):
        events.encode(events.TrialEvent(row={"exp_id": "a", "notes": "x" * events.MAX_LINE}, clock=1))
    with pytest.raises(CorruptEvent):
        events.decode(b'{"type":"snapshot","clock":1,"at":"' + b"x" * events.MAX_LINE + b'"}')


HOSTILE = [
    b"",
    b" ",
    b"null",
    b"[]",
    b"5",
    b'"x"',
    b"{}",
    b"{",
    b'{"type":"snapshot"}',
    b'{"type":"snapshot","clock":0}',
    b'{"type":"snapshot","clock":-1}',
    b'{"type":"snapshot","clock":1.5}',
    b'{"type":"snapshot","clock":"1"}',
    b'{"type":"snapshot","clock":1e400}',
    b'{"type":"snapshot","clock":9007199254740992}',
    b'{"type":"snapshot","clock":true}',
    b'{"type":"nope","clock":1}',
    b'{"clock":1}',
    b'{"type":"trial","clock":1}',
    b'{"type":"trial","clock":1,"row":null}',
    b'{"type":"trial","clock":1,"row":{"exp_id":1}}',
    b'{"type":"cohort","clock":1}',
    b'{"type":"task","clock":1,"task":null}',
    b'{"type":"snapshot","clock":1}x',
    b'{"type":"snapshot","clock":1}{"type":"snapshot","clock":1}',
    b"\xff\xfe",
    b"\0",
    b"[" * 100_000,
    b'{"type":"cohort","clock":1,"name":"c","metadata":{"x":' + b"[" * 100_000,
    b"\xef\xbb\xbf{}",
    b'{"type":"snapshot","clock":1,"at":"\xff"}',
    b'{"type":"snapshot","clock":NaN}',
    b"Signed-off-by: x",
    b"<<<<<<< HEAD",
]


@pytest.mark.parametrize("line", HOSTILE, ids=range(len(HOSTILE)))
def test_a_line_that_is_no_event_is_a_corrupt_event(line):
    """Nothing but CorruptEvent comes out of a foreign line."""
    with pytest.raises(CorruptEvent):
        events.decode(line)


@quick
@given(
    st.one_of(
        st.binary(max_size=60),
        st.text(max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass")),
        json_values.map(lambda v: json.dumps(v).encode()),
    )
)
def test_no_line_raises_anything_else(line):
    """Random bytes, text and JSON decode to an event or to CorruptEvent."""
    try:
        event = events.decode(line)
    except CorruptEvent:
        return
    assert 0 < event.clock <= events.MAX_CLOCK


@quick
@given(st.sampled_from(EVENTS), st.data())
def test_a_bent_event_raises_nothing_else(event, data):
    """A real line with one byte changed decodes, or is corrupt; its trial is sound, or corrupt."""
    line = bytearray(events.encode(event))
    line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = events.decode(bytes(line))
        if isinstance(found, events.TrialEvent):
            assert found.check() is None
    except CorruptEvent as error:
        assert isinstance(error, LineageError)
        assert error.reason


def test_fields_of_a_later_version_are_passed_over():
    """A newer writer may add fields; the event is still read."""
    line = b'{"type":"snapshot","clock":3,"colour":"blue"}'
    assert events.decode(line) == events.SnapshotEvent(clock=3)


@pytest.mark.parametrize(
    "cells",
    [
        {},
        {"exp_id": "a", "status": "nope"},
        {"exp_id": "", "status": "keep"},
        {"exp_id": "*", "status": "keep"},
        {"status": "keep"},
        {"exp_id": "a\n", "status": "keep"},
        {"exp_id": "a", "core_metric": "nan"},
    ],
)
def test_a_row_that_breaks_a_rule_is_corrupt(cells):
    """A foreign writer's row must name a trial and keep the rules of one."""
    with pytest.raises(CorruptEvent):
        events.decode(events.encode(events.TrialEvent(clock=1, row=cells))).check()


def test_the_lines_of_a_note_are_those_that_say_something():
    """Git puts blank lines between what it appends; they are no events and no errors."""
    note = b'\n{"a":1}\n\n  \n{"b":2}'
    assert list(events.lines(note)) == [b'{"a":1}', b'{"b":2}']
    assert list(events.lines(b"")) == []
