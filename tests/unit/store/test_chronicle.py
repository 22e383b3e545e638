"""The event log as it is read, and what touches one snapshot."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from openrange_stores import first

from gitlineage import Invalid, LineageStore, NotFound, Task, Trial
from gitlineage.bridge.openrange import import_openrange
from gitlineage.journal.events import AnyEvent
from gitlineage.query.audit import EVENT_TYPES


@pytest.fixture
def busy(store: LineageStore) -> LineageStore:
    """Everything that can be recorded, once."""
    store.set_task(Task())
    store.commit({"f": b"0"}, trial=Trial(status="baseline", core_metric=1.0, specialist="ann"))
    store.open_cohort("ideas", ["000"], size=2)
    store.render_prompt("ann", record=True)
    store.commit({"f": b"1"}, ["000"], cohort="ideas", trial=Trial(hypothesis="one", specialist="ann"))
    store.record("001", Trial(status="keep", core_metric=0.9))
    store.commit({"f": b"2"}, ["000"])
    store.commit({"f": b"3"}, ["001"], trial=Trial(status="discard", core_metric=1.5))
    store.add_relationship("002", "001", "tested_by", "ann")
    store.deprecate_relationship("002", "001", "tested_by", "flaky")
    store.set_entry("001", name="widget")
    store.set_entry("000", deprecated_in_favor_of="001")
    store.touch("001")
    store.flush_usage()
    store.record_forge_attempt("make a widget", result="001", success=True, actor="smith")
    store.link_rewrite(store.commit({"f": b"4"}, ["000"], message="amended"), "001", "amend")
    store.retract("002", "the wrong file")
    store.reparent("002", [], "it began anew")
    return store


def kinds(found: list) -> list[str]:
    """Return the types of events."""
    return [each.event_type for each in found]


class TestEvents:
    """All events."""

    def test_every_event_once_in_order(self, busy: LineageStore) -> None:
        """By clock, then writer; each with type, time, actor, payload and where it is."""
        found = busy.events()
        assert [each.clock for each in found] == list(range(1, len(found) + 1))
        assert set(kinds(found)) == set(EVENT_TYPES) - {"table", "imported"}
        first = next(each for each in found if each.event_type == "trial")
        assert (first.actor, first.writer, first.oid) == ("ann", "alice", busy.resolve("000"))
        assert first.timestamp.startswith("2026-01-01T00:00:")
        assert first.payload["row"]["core_metric"] == "1.0"
        assert next(each for each in found if each.event_type == "forge").actor == "smith"
        assert next(each for each in found if each.event_type == "snapshot").actor == "alice"

    def test_the_types_are_those_of_the_codec(self) -> None:
        """No kind of event is forgotten."""
        known = {each.__struct_config__.tag for each in AnyEvent.__args__}  # type: ignore[attr-defined]
        assert known == set(EVENT_TYPES)

    def test_as_json_and_back(self, busy: LineageStore) -> None:
        """Every event is JSON of its own, with nothing lost."""
        for each in busy.events():
            line = msgspec.json.encode(each)
            assert json.loads(line)["payload"] == each.payload
            assert msgspec.json.decode(line, type=type(each)) == each

    def test_by_type(self, busy: LineageStore) -> None:
        """Several types may be asked for; an unknown one is an error."""
        assert kinds(busy.events(types=["cohort", "session"])) == ["cohort", "session"]
        with pytest.raises(Invalid, match=r"relationship_added.*relation_added"):
            busy.events(types=["relationship_added"])

    def test_since_a_clock_or_a_time(self, busy: LineageStore) -> None:
        """From there on, that one included."""
        found = busy.events()
        assert busy.events(since=5) == busy.events(since="5") == found[4:]
        at = found[6].timestamp
        assert busy.events(since=at) == [each for each in found if each.timestamp >= at]
        with pytest.raises(Invalid, match="neither a clock nor"):
            busy.events(since="yesterday")

    def test_writers(self, busy: LineageStore, open_store: Callable[..., LineageStore], tmp_path: Path) -> None:
        """Several writers' events interleave by clock; one writer's can be asked for."""
        bob = open_store(tmp_path / "bob", writer="bob")
        bob.append(Trial(exp_id="b", status="baseline", core_metric=2.0))
        mine = busy.events()
        busy.pull(str(tmp_path / "bob"))
        both = busy.events()
        assert [(each.clock, each.writer) for each in both] == sorted((each.clock, each.writer) for each in both)
        assert busy.events(writer="alice") == mine
        assert busy.events(writer="bob") == [each for each in both if each.writer == "bob"] == bob.events()
        assert busy.events(writer="nobody") == []

    def test_a_line_of_another_type_is_reported(self, busy: LineageStore, git: Callable[..., str]) -> None:
        """It is in the problems, and all else is read."""
        found, oid = busy.events(), busy.resolve("000")
        line = '{"type": "hologram", "clock": 3}'
        git("notes", "--ref", "lineage/mallory", "add", "-m", line, oid)
        assert busy.events() == found
        ((writer, place, reason),) = busy.history.problems()
        assert (writer, place) == ("mallory", oid)
        assert "hologram" in reason

    def test_an_empty_store(self, store: LineageStore) -> None:
        """Nothing happened."""
        assert store.events() == []


class TestAudit:
    """What touches one snapshot."""

    def test_everything_that_touches_it(self, busy: LineageStore) -> None:
        """Own notes, relations, cohort, session, forging, entries of others, rewrites: in order, in words."""
        said = [each.what for each in busy.audit("001")]
        session = busy.view("001").saw
        assert session is not None
        (forge,) = busy.forge_attempts("make a widget")
        (new,) = busy.rewritten_as("001")
        assert said == [
            "cohort ideas opened on 000",
            f"session {session[:12]}: ann was shown the prompt",
            f"trial 001 recorded: pending, after session {session[:12]}, member of cohort ideas",
            said[3],
            "relation 002 tested_by 001 added",
            "relation 002 tested_by 001 ended: flaky",
            "entry of 001 described: name",
            "entry of 000 described: deprecated_in_favor_of",
            "use of 001 counted: 1 in all",
            f"forge attempt {forge.id[:12]} at 'make a widget' worked out with 001 as result",
            *said[10:-1],
            f"{new.oid[:12]} made from 001 by amend",
        ]
        assert said[3].startswith("trial 001 recorded again: keep")

    def test_other_events_are_left_out(self, busy: LineageStore) -> None:
        """Each entry is one of the log's events, in the same order; unrelated ones are missing."""
        every, found = busy.events(), [each.event for each in busy.audit("002")]
        assert [each for each in every if each in found] == found
        assert kinds(found) == ["trial", "relation_added", "relation_deprecated", "retract", "reparent"]

    def test_a_base_hears_of_its_cohorts(self, busy: LineageStore) -> None:
        """The opening of a cohort touches what it starts from."""
        assert "cohort ideas opened on 000" in [each.what for each in busy.audit("000")]

    def test_a_session_hears_of_those_who_saw_it(self, busy: LineageStore) -> None:
        """The trials that name it are there, their other events are not."""
        session = busy.view("001").saw
        assert session is not None
        assert [(each.event.event_type, each.own) for each in busy.audit(session)][:2] == [
            ("session", True),
            ("trial", False),
        ]

    def test_events_of_a_snapshot_are_the_same(self, busy: LineageStore) -> None:
        """`events` with an id has what `audit` has; filters hold too."""
        assert busy.events("001") == [each.event for each in busy.audit("001")]
        assert kinds(busy.events("001", types=["cohort"])) == ["cohort"]
        assert busy.events("001", writer="bob") == []

    def test_an_imported_snapshot(self, store: LineageStore, tmp_path: Path) -> None:
        """It says where it came from; its child's import touches the child alone."""
        root, *_ = first(tmp_path / "legacy")
        import_openrange(store, tmp_path / "legacy")
        (entry,) = store.audit(root)
        assert (entry.event.event_type, entry.own) == ("imported", True)
        assert entry.what.endswith(f"imported from openrange/1 as {root}")

    def test_unknown(self, busy: LineageStore) -> None:
        """An unknown id is an error."""
        with pytest.raises(NotFound):
            busy.audit("none")

    def test_words_are_one_clean_line(self, store: LineageStore) -> None:
        """Whatever texts hold."""
        store.commit({"f": b"0"}, trial=Trial(exp_id="0", status="keep", core_metric=1.0))
        store.record_forge_attempt("two\nlines \x1b[31m", result="0", success=True, actor="a\x07")
        assert all(each.what.isprintable() for each in store.audit("0"))
