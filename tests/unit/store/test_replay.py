"""Replay: the store at any past moment answers as it did then."""

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from answers import answers
from conftest import Clock
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gitlineage import LineageError, LineageStore, NotFound, Task, Trial
from gitlineage.errors import InThePast

ACTS = (
    "append",
    "commit",
    "merge",
    "again",
    "pending",
    "result",
    "revise",
    "cohort",
    "session",
    "task",
    "relate",
    "unrelate",
    "entry",
    "forge",
    "rewrite",
)
STEPS = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 11)), min_size=1, max_size=12)


def act(store: LineageStore, what: str, number: int) -> None:
    """Record something; the number chooses among what there is to choose from."""
    views = store.log(None)
    one, other = (views[at % len(views)] if views else None for at in (number, number // 3))
    row = Trial(status=("keep", "discard", "crash")[number % 3], core_metric=1.0 + number % 4, specialist="s0")
    content = {"f": b"%d" % number}
    if what == "append":
        store.append(row)
    elif what == "pending":
        store.commit(content, [one.oid] if one else [], trial=Trial(hypothesis="waits"))
    elif what == "session":
        store.render_prompt("s0", record=True)
    elif what == "task":
        store.set_task(Task(lower_is_better=number % 2 == 0), force=True)
    elif one is None or other is None:
        store.commit(content, trial=row)
    elif what == "commit":
        store.commit(content, [one.oid], trial=row)
    elif what == "merge":
        store.commit(content, [one.oid, other.oid], trial=row)
    elif what == "again":
        store.record(one.oid, row)
    elif what == "result":
        store.record(one.oid, row.replace(exp_id=one.trial.exp_id))
    elif what == "revise":
        store.record(one.oid, row.replace(exp_id=one.trial.exp_id, notes=f"revised {number}"), revise=True)
    elif what == "cohort":
        name = f"c{number % 2}"
        with suppress(LineageError):
            store.open_cohort(name, [one.oid])
        store.commit(content, store.cohort(name).base, trial=row, cohort=name)
    elif what == "relate":
        store.add_relationship(one.oid, other.oid, ("depends_on", "tested_by")[number % 2])
    elif what == "unrelate":
        for each in store.get_relationships()[:1]:
            store.deprecate_relationship(each.source_id, each.target_id, each.relationship_type)
    elif what == "entry":
        store.set_entry(one.oid, name=f"n{number}", deprecated_in_favor_of=other.oid if one != other else None)
    elif what == "forge":
        store.record_forge_attempt(f"intent {number % 2}", result=one.oid, success=True)
    elif what == "rewrite":
        store.link_rewrite(one.oid, other.oid, "amend")


def told(store: LineageStore) -> dict[str, Any]:
    """Return everything that a store answers, relations, walks, entries, events and what is inferred included."""
    oids = list(dict.fromkeys(view.oid for view in store.log(None)))
    types = ["successor_to", "forked_from", "depends_on", "tested_by"]
    return {
        **answers(store),
        "relations": store.get_relationships(include_deprecated=True),
        "ancestors": [store.get_ancestors(oid, types) for oid in oids],
        "descendants": [store.get_descendants(oid, types) for oid in oids],
        "derived": [store.ancestors(oid) for oid in oids],
        "common": [store.common_ancestor(oids[0], oid) for oid in oids],
        "entries": store.entries(),
        "impact": [store.analyze_deprecation(oid, now=datetime(2026, 2, 1, tzinfo=UTC)) for oid in oids],
        "forges": [store.forge_attempts(f"intent {number}") for number in range(2)],
        "rewrites": [store.rewritten_as(oid) for oid in oids],
        "same": [store.same(oid) for oid in oids],
        "audit": [store.audit(oid) for oid in oids],
        "events": store.events(),
        "search": {view.label for view in store.search("waits", 1000)},
        "blame": [store.blame(oid) for oid in oids],
        "evolution": [store.get_evolution_history(oid) for oid in oids],
    }


def opened(folder: Path) -> LineageStore:
    """Open a store whose clock goes on by a second whenever it is asked."""
    return LineageStore(folder, writer="alice", identity=("Alice", "alice@example.org"), clock=Clock())


@settings(
    max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck)
)
@given(STEPS)
def test_every_past_moment_answers_as_it_did_then(steps: Sequence[tuple[str, int]]) -> None:
    """After each step of any history the answers are kept; replayed to that step's clock, they are the same."""
    with tempfile.TemporaryDirectory() as name, opened(Path(name)) as store:
        then: dict[int, dict[str, Any]] = {0: told(store)}
        tips: dict[int, str] = {}
        for what, number in steps:
            with suppress(LineageError):
                act(store, what, number)
            clock = store.ledger.views().index.clock
            then[clock] = told(store)
            tips[clock] = store.ledger.journal.tips().get("alice", "")
        for clock, known in then.items():
            with store.replay(clock) as past:
                assert told(past) == known
            if tips.get(clock) and clock:
                with store.replay(tips[clock]) as past:
                    assert past.log(None) == store.replay(clock).log(None)


@settings(
    max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck)
)
@given(STEPS, st.integers(0, 11))
def test_the_cache_and_the_tail_are_all_there_is(steps: Sequence[tuple[str, int]], seen: int) -> None:
    """An index that another process left at some step and that folds the rest equals one of all events, row by row."""
    with tempfile.TemporaryDirectory() as name, opened(Path(name)) as store:
        behind = opened(Path(name))
        for at, (what, number) in enumerate(steps):
            with suppress(LineageError):
                act(store, what, number)
            if at == seen:
                behind.log()
        with behind, store.replay() as anew:
            assert told(behind) == told(anew) == told(store)
            assert behind.verify() == []


@pytest.fixture
def three(store: LineageStore) -> LineageStore:
    """Three trials, a day apart by their own timestamps."""
    for day in (1, 2, 3):
        row = Trial(status="keep", core_metric=4.0 - day, timestamp=f"2026-03-0{day}T12:00:00Z")
        store.commit({"f": b"%d" % day}, [f"00{day - 2}"] if day > 1 else [], trial=row)
    return store


class TestMoments:
    """What a moment can be."""

    def test_a_time(self, three: LineageStore) -> None:
        """As text or as a datetime, held against the rows' own timestamps."""
        moment = datetime(2026, 3, 2, 12, tzinfo=UTC)
        for until in (moment, moment.replace(tzinfo=None), "2026-03-02T12:00:00Z"):
            assert [trial.exp_id for trial in three.replay(until).all_trials()] == ["000", "001"]
        assert three.replay(datetime(2025, 1, 1, tzinfo=UTC)).all_trials() == []

    def test_a_trial(self, three: LineageStore) -> None:
        """It counts as recorded."""
        best = three.replay("001").best()
        assert best is not None and best.exp_id == "001"
        assert three.replay("001").children("000")[0].exp_id == "001"
        assert three.replay("001").children("001") == ()

    def test_unknown_ones(self, three: LineageStore) -> None:
        """Text that is no moment, a negative clock and another type are errors."""
        with pytest.raises(NotFound):
            three.replay("no such thing")
        with pytest.raises(LineageError):
            three.replay(-1)
        with pytest.raises(TypeError):
            three.replay(1.5)  # type: ignore[arg-type]

    def test_a_past_of_a_past(self, three: LineageStore) -> None:
        """It never shows more than the first one did."""
        past = three.replay("001")
        assert len(past.replay("000").all_trials()) == 1
        assert len(past.replay(10_000).all_trials()) == 2
        assert len(past.ledger.views(at="2026-12-31").all()) == 2
        with pytest.raises(NotFound):
            past.replay("002")


def test_a_session_that_was_seen_later_is_no_part_of_the_past(three: LineageStore) -> None:
    """An audit in the past leaves out the session that only a later trial saw, though the session is older."""
    three.render_prompt("ann", record=True)
    clock = three.ledger.views().index.clock
    then = three.audit("000")
    three.record("000", Trial(status="discard", core_metric=5.0, specialist="ann"))
    assert "session" in [each.event.event_type for each in three.audit("000")]
    assert three.replay(clock).audit("000") == then


class TestReadOnly:
    """Nothing is recorded in the past."""

    def test_every_way_to_write_is_refused(self, three: LineageStore, tmp_path: Path) -> None:
        """With an error that names the moment; nothing is written."""
        past = three.replay("001")
        before = three.ledger.journal.tips()
        for write in (
            lambda: past.append(Trial(status="keep", core_metric=1.0)),
            lambda: past.commit({"f": b"x"}),
            lambda: past.set_task(Task()),
            lambda: past.set_entry("000", name="x"),
            lambda: past.add_relationship("001", "000", "depends_on"),
            lambda: past.touch("000"),
            past.flush_usage,
            past.reindex,
            past.verify,
            lambda: past.render_prompt("x", record=True),
            lambda: past.push(str(tmp_path)),
            lambda: past.pull(str(tmp_path)),
        ):
            with pytest.raises(InThePast, match="as of 001"):
                write()
        assert three.ledger.journal.tips() == before

    def test_the_store_goes_on(self, three: LineageStore) -> None:
        """What is recorded later changes nothing in a past that is open, and the store itself records as ever."""
        past = three.replay(three.ledger.views().index.clock)
        three.append(Trial(status="keep", core_metric=0.1))
        assert len(past.all_trials()) == 3
        assert len(three.all_trials()) == 4

    def test_uses_that_wait_are_no_past(self, three: LineageStore) -> None:
        """A count that nobody recorded is left out of a past moment."""
        past = three.replay("002")
        three.touch("000")
        assert three.entry("000").usage_count == 1
        assert past.entry("000").usage_count == 0
