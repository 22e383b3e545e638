"""L-gent's lineage graphs and event logs: in, again, out, damaged; and its names, which stand for catalogue entries."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from command_line import Shell
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlineage import Invalid, LineageStore, NotFound, Trial
from gitlineage.bridge import importing, lgent
from gitlineage.bridge.formats import registry
from gitlineage.bridge.formats.lgent import split
from gitlineage.bridge.formats.source import Source
from gitlineage.bridge.planning import Options
from gitlineage.errors import Ambiguous, LineageError

AT = "2025-12-08T10:11:12.123456"


def edge(source: str, target: str, kind: str = "successor_to", **more: Any) -> dict[str, Any]:
    """Return an edge as L-gent's code writes it."""
    said = {
        "source_id": source, "target_id": target, "relationship_type": kind, "created_at": AT, "created_by": "E-gent",
        "context": {}, "deprecated": False, "deprecated_at": None, "deprecation_reason": None,
    }  # fmt: skip
    return {**said, **more}


def graph(*edges: Mapping[str, Any], nodes: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the document of some edges."""
    names = [name for each in edges for name in (each["source_id"], each["target_id"])]
    return {"edges": list(edges), "nodes": list(dict.fromkeys([*names, *nodes]))}


SCRAPERS = graph(
    edge("NewsScraper@1.0", "BaseScraper@1.0", context={"change_summary": "for news"}),
    edge("HTMLScraper@1.0", "BaseScraper@1.0"),
    edge("NewsScraper@2.0", "NewsScraper@1.0", "forked_from", context={"reason": "a rewrite"}),
    edge(
        "NewsScraper@2.0", "NetworkClient@1.3", "depends_on", deprecated=True,
        deprecated_at="2025-12-09T00:00:00", deprecation_reason="its own client",
    ),
    nodes=("Idle@0.1",),
)  # fmt: skip


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in an empty folder."""
    (tmp_path / "work").mkdir()
    return Shell(tmp_path / "work")


def put(folder: Path, name: str, value: Any) -> Path:
    """Write a document, or of a list a line each, and return the file."""
    text = "".join(f"{json.dumps(each)}\n" for each in value) if isinstance(value, list) else json.dumps(value)
    (folder / name).write_text(text)
    return folder / name


def event(kind: str, payload: Mapping[str, Any], at: str = AT, actor: str = "E-gent") -> dict[str, Any]:
    """Return a line of the log."""
    return {"event_type": kind, "timestamp": at, "actor": actor, "payload": dict(payload)}


def taken(store: LineageStore, path: Path, **options: Any) -> lgent.GraphOutcome:
    """Import a file and return what became of it."""
    asked = Options(**options)
    planned, _ = importing.plans([path], asked, store.ledger.recorded_task())
    done = importing.record(store, planned, asked)[0].graph
    assert done is not None
    return done


def written(store: LineageStore) -> dict[str, Any]:
    """Return the document that an export writes."""
    value: dict[str, Any] = json.loads(b"".join(lgent.as_document(store.ledger.views())))
    return value


def test_a_graph_becomes_entries_and_relations(store: LineageStore, tmp_path: Path) -> None:
    """Names are entries on snapshots without any trial, relations keep type, time, author, context and end."""
    done = taken(store, put(tmp_path, "graph.json", SCRAPERS))
    assert (len(done.added), done.related, done.ended, done.repeated) == (6, 4, 1, 0)
    assert store.all_trials() == []
    entry = store.entry("NewsScraper@2.0")
    assert (entry.name, entry.version) == ("NewsScraper", "2.0")
    assert store.snapshot("NewsScraper@2.0").name == "NewsScraper@2.0"
    told = store.get_relationships(source_id="NewsScraper@2.0", include_deprecated=True)
    assert [(each.relationship_type, each.created_at, each.created_by) for each in told] == [
        ("forked_from", f"{AT}Z", "E-gent"),
        ("depends_on", f"{AT}Z", "E-gent"),
    ]
    assert told[0].context == {"reason": "a rewrite"}
    assert (told[1].deprecated_at, told[1].deprecation_reason) == ("2025-12-09T00:00:00Z", "its own client")
    assert [node.entry.name for node in store.get_ancestors("NewsScraper@2.0")] == [
        "NewsScraper@1.0",
        "BaseScraper@1.0",
    ]


def test_again_it_adds_nothing_and_comes_back(store: LineageStore, tmp_path: Path) -> None:
    """A second import records nothing, and what is written says the same edges and nodes."""
    path = put(tmp_path, "graph.json", SCRAPERS)
    taken(store, path)
    before = store.ledger.journal.tips()
    done = taken(store, path)
    assert (done.added, done.known, done.related, done.related_before, done.ended) == ((), 6, 0, 4, 0)
    assert store.ledger.journal.tips() == before
    out = written(store)
    assert out["edges"] == SCRAPERS["edges"]
    assert sorted(out["nodes"]) == sorted(SCRAPERS["nodes"])


def test_a_graph_that_grew(store: LineageStore, tmp_path: Path) -> None:
    """A later document adds what is new and ends what has ended since; the same artifacts are not made anew."""
    first = graph(edge("B@1", "A@1"), edge("C@1", "B@1"))
    taken(store, put(tmp_path, "graph.json", first))
    oid = store.resolve("A@1")
    ended = edge("B@1", "A@1", deprecated=True, deprecated_at=AT, deprecation_reason="wrong")
    later = graph(ended, edge("C@1", "B@1"), edge("B@1", "A@1", created_by="me"), edge("D@1", "C@1"))
    done = taken(store, put(tmp_path, "graph.json", later))
    assert (done.added, done.related, done.related_before, done.ended) == (("D@1",), 2, 2, 1)
    assert store.resolve("A@1") == oid
    assert taken(store, tmp_path / "graph.json").related == 0
    assert sorted(map(json.dumps, written(store)["edges"])) == sorted(map(json.dumps, later["edges"]))


def test_a_log_in_pieces(store: LineageStore, tmp_path: Path) -> None:
    """A log that was imported in pieces gives what it gives at once, and comes back as a log."""
    ends = {name: edge("B@1", "A@1")[name] for name in ("source_id", "target_id", "relationship_type")}
    log = [
        event("relationship_added", {**ends, "context": {"why": "faster"}}),
        event("relationship_deprecated", {**ends, "reason": "slower"}, "2025-12-09T00:00:00", "judge"),
        event("relationship_added", {"relationship": {**ends, "created_by": "me"}}, "2025-12-10T00:00:00"),
    ]
    for many in (1, 2, 3, 3):
        taken(store, put(tmp_path, "log.jsonl", log[:many]))
    told = store.get_relationships(include_deprecated=True)
    assert [(each.created_by, each.created_at, each.deprecated) for each in told] == [
        ("E-gent", f"{AT}Z", True),
        ("me", "2025-12-10T00:00:00Z", False),
    ]
    assert (told[0].deprecated_by, told[0].deprecation_reason) == ("judge", "slower")
    put(tmp_path, "out.jsonl", "")
    (tmp_path / "out.jsonl").write_bytes(b"".join(lgent.as_events(store.ledger.views())))
    done = taken(store, tmp_path / "out.jsonl")
    assert (done.added, done.related, done.ended, done.repeated) == ((), 0, 0, 0)


def test_what_is_recorded_here_goes_out(store: LineageStore, tmp_path: Path) -> None:
    """Git parents are successors with roles and cohorts, entries go by name and version, and it all comes in again."""
    store.commit({"a": b"1"}, [], trial=Trial(exp_id="001", status="baseline", core_metric=1.0))
    store.commit({"a": b"2"}, ["001"], trial=Trial(exp_id="002", status="keep", core_metric=1.1), cohort="c")
    store.set_entry("002", name="lexer", version="1.0")
    store.record_dependency("002", "001")
    out = written(store)
    assert out["nodes"] == ["001", "lexer@1.0"]
    assert [(each["source_id"], each["relationship_type"], each["target_id"]) for each in out["edges"]] == [
        ("lexer@1.0", "successor_to", "001"),
        ("lexer@1.0", "depends_on", "001"),
    ]
    assert out["edges"][0]["context"] == {"cohort": "c"}
    done = taken(store, put(tmp_path, "own.json", out))
    assert (done.added, done.taken, done.related_before) == ((), ("001",), 1)


def test_forged_from_is_not_what_its_reader_takes(store: LineageStore, tmp_path: Path) -> None:
    """A type that L-gent's code has not is left out of the document and said; the log has it."""
    taken(store, put(tmp_path, "graph.json", graph(edge("B@1", "A@1"))))
    store.record_forge("B@1", "a parser for dates", "F-gent", "A@1")
    views = store.ledger.views()
    assert [each["relationship_type"] for each in written(store)["edges"]] == ["successor_to"]
    assert "forged_from" in lgent.left_out(views, "graph")[0]
    assert b"forged_from" in b"".join(lgent.as_events(views))
    assert lgent.left_out(views, "events") == []


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("NewsScraper@2.0", ("NewsScraper", "2.0")),
        ("NewsScraper_v1.0", ("NewsScraper", "1.0")),
        ("@scope/pkg@1", ("@scope/pkg", "1")),
        ("v2.0", ("v2.0", "")),
        ("my_values", ("my_values", "")),
        ("@x", ("@x", "")),
        ("x@", ("x@", "")),
    ],
)
def test_names_and_versions(name: str, parts: tuple[str, str]) -> None:
    """An id is a name with its version where it says so."""
    assert split(name) == parts


def test_names_with_a_version_resolve(store: LineageStore) -> None:
    """An entry answers to its name and version; two of them are ambiguous, and other versions are not found."""
    for exp_id in ("001", "002"):
        store.commit({"a": exp_id.encode()}, [], trial=Trial(exp_id=exp_id, status="keep", core_metric=1.0))
    store.set_entry("001", name='le"xer', version="1.0")
    assert store.resolve('le"xer@1.0') == store.resolve("001")
    store.set_entry("001", version="2.0")
    with pytest.raises(NotFound):
        store.resolve('le"xer@1.0')
    store.set_entry("002", name='le"xer', version="2.0")
    with pytest.raises(Ambiguous):
        store.resolve('le"xer@2.0')


def test_the_time_of_a_relation_can_be_given(store: LineageStore, tmp_path: Path) -> None:
    """It is kept in UTC, to the microsecond; what is no time is refused."""
    taken(store, put(tmp_path, "graph.json", graph(nodes=("A@1", "B@1"))))
    made = store.add_relationship("B@1", "A@1", "depends_on", created_at="2025-01-01T02:00:00.5+02:00")
    assert made.created_at == "2025-01-01T00:00:00.500000Z"
    with pytest.raises(Invalid, match="no time"):
        store.add_relationship("A@1", "B@1", "tested_by", created_at="yesterday")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (graph(edge("A@1", "A@1")), "edges\\[0\\]: 'A@1' cannot be related"),
        (graph(edge("A@1", "B@1", "likes")), "'likes' is none of"),
        (graph(edge("A@1", "B@1", created_at="soon")), "created_at: 'soon' is no"),
        (graph(edge("A@1", "B@1", context=[1])), "context"),
        (graph(edge("A@1", "B@1", deprecated="no")), "neither true nor false"),
        (graph(edge("A@1", "")), "target_id"),
        (graph(edge("A@1", "B\0@1")), "no control characters"),
        (graph(edge("A@1", "\ud800")), "not valid Unicode"),
        (graph(edge("A@1", "B" * 5000)), "at most 1,000 characters"),
        (graph(edge("A@1", "B@1", context={"x": "y" * 2_000_000})), "longer than"),
        ([event("relationship_added", edge("A@1", "B@1")), event("forged", {})], "line 2: the event 'forged'"),
        ([event("relationship_added", edge("A@1", "B@1")), [1]], "line 2: no JSON object"),
    ],
)
def test_what_breaks_a_rule(store: LineageStore, tmp_path: Path, value: Any, said: str) -> None:
    """It is refused with its place, or passed over on request, and nothing is half done."""
    path = put(tmp_path, "graph.json", value)
    with pytest.raises(Invalid, match=said):
        taken(store, path)
    assert store.entries() == []
    taken(store, path, skip_bad=True)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (graph(edge("B@1", "A@1"), edge("C@1", "B@1"), edge("A@1", "C@1")), "A@1 successor_to C@1"),
        ([event("relationship_deprecated", edge("A@1", "B@1"))], "no such relation is recorded"),
        (graph(edge("A@1", "B@1", context={"x": float("nan")})), "not finite"),
    ],
)
def test_what_cannot_be_recorded(store: LineageStore, tmp_path: Path, value: Any, said: str) -> None:
    """A cycle, the end of nothing and what is no JSON are refused with the words for it, all or nothing."""
    with pytest.raises(Invalid, match=said):
        taken(store, put(tmp_path, "graph.json", value))
    assert store.entries() == []


def test_the_same_relation_in_other_words(store: LineageStore, tmp_path: Path) -> None:
    """Of two active relations of one type between the same two the first stands, and the other is counted."""
    twice = graph(edge("B@1", "A@1"), edge("B@1", "A@1", context={"again": True}))
    done = taken(store, put(tmp_path, "graph.json", twice))
    assert (done.related, done.repeated) == (1, 1)


@pytest.mark.parametrize("text", [json.dumps(SCRAPERS)[:-40], json.dumps(SCRAPERS, indent=1)[:-40]])
def test_a_document_that_is_cut_off(store: LineageStore, tmp_path: Path, text: str) -> None:
    """It is told for what it is, and not taken for a table."""
    (tmp_path / "graph.json").write_text(text)
    with pytest.raises(LineageError, match="L-gent lineage graph that is cut off or damaged"):
        taken(store, tmp_path / "graph.json")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_refused_or_read(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file that was cut or overwritten anywhere, with NUL and invalid UTF-8, gives one of our errors or a plan."""
    path = tmp_path_factory.mktemp("fuzz") / "graph"
    log = [event("relationship_added", each) for each in SCRAPERS["edges"]]
    put(path.parent, "graph", data.draw(st.sampled_from([SCRAPERS, log])))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    junk = data.draw(st.binary(max_size=30) | st.sampled_from([b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"[" * 3000]))
    path.write_bytes(whole[:at] + junk + whole[at + data.draw(st.integers(0, 40)) :])
    try:
        importing.plans([path], Options())
    except LineageError:
        return


def test_context_that_nests_without_end(store: LineageStore, tmp_path: Path) -> None:
    """It is refused."""
    deep = '{"a":' * 100_000 + "1" + "}" * 100_000
    text = json.dumps(graph(edge("B@1", "A@1", context={"x": "HERE"}))).replace('"HERE"', deep)
    (tmp_path / "graph.json").write_text(text)
    with pytest.raises(LineageError):
        taken(store, tmp_path / "graph.json")
    (tmp_path / "graph.json").write_text(text.replace(deep, '{"a":' * 900 + "1" + "}" * 900))
    try:
        taken(store, tmp_path / "graph.json")
    except LineageError:
        assert store.entries() == []


def test_other_graphs_are_not_taken_for_it(tmp_path: Path) -> None:
    """Node-link graphs of other programs are no lineage graphs."""
    path = put(tmp_path, "g.json", {"nodes": [{"id": 1}], "edges": [{"source": 1, "target": 2}]})
    known = registry.recognise(Source(path))
    assert known is None or known.name != "lgent"


def test_through_the_command_line(shell: Shell, tmp_path: Path) -> None:
    """A new user's first calls: a plan, an import, an entry by name and version, and the way out."""
    path = put(tmp_path, "graph.json", SCRAPERS)
    plan = shell("import", path, "--dry-run")
    assert "an L-gent lineage graph" in plan
    assert "would import 6 artifacts, 4 relations" in plan
    assert "imported 6 artifacts, 4 relations, 1 of them ended" in shell("import", path)
    assert "known already: 6 and 4" in shell("import", path)
    assert "NewsScraper 2.0" in shell("catalog", "show", "NewsScraper@2.0")
    shown = shell("show", "NewsScraper@2.0")
    assert "NewsScraper@2.0" in shown
    assert "same content" not in shown, "nobody knows what it contains"
    assert "NewsScraper@1.0" in shell("ancestors", "NewsScraper@2.0", "--relations", "forked_from")
    shell("export", "lgent", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["edges"] == SCRAPERS["edges"]
    logged = shell.run("export", "lgent", "--events", "-")
    assert len(logged.stdout.splitlines()) == 5
    assert "without relations" in logged.stderr
    assert shell("relation", "add", "Idle@0.1", "depends_on", "NewsScraper@2.0", "--created-at", "2025-01-01").count(
        "2025-01-01T00:00:00Z"
    )
    (tmp_path / "bad.json").write_text(json.dumps(graph(edge("A@1", "B@1", "likes"))))
    bad = shell.run("import", tmp_path / "bad.json")
    assert bad.exit_code == 1
    assert "'likes' is none of" in bad.stderr


def test_what_was_forged_is_searched(shell: Shell, tmp_path: Path) -> None:
    """Intents of artifacts and of attempts are found by words and by likeness, and listed with their attempts."""
    shell("import", put(tmp_path, "graph.json", SCRAPERS))
    shell("catalog", "forge", "NewsScraper@2.0", "Scrape the news, fast", "--by", "F-gent")
    shell("catalog", "attempt", "parse dates", "--phase", "contract=failed")
    shell("catalog", "attempt", "Parse dates!", "--result", "Idle@0.1")
    (found,) = shell.objects("search", "scra*", "NEWS")
    assert (found["intent"], found["success"], found["created_by"]) == ("Scrape the news, fast", True, "F-gent")
    assert shell("search", "nothing", "like", "it") == ""
    assert "Scrape the news" in shell("search", "fast")
    assert "Scrape the news" in shell("catalog", "similar", "scrape the news fast")
    listed = shell.objects("catalog", "attempts")
    told = [(each["intent"], each["attempts"], each["worked"], len(each["results"])) for each in listed]
    assert told == [("Scrape the news, fast", 0, 0, 1), ("parse dates", 2, 1, 1)]
    assert "Idle@0.1" in shell("catalog", "attempts")
    assert [each["success"] for each in shell.objects("catalog", "attempts", "parse dates")] == [False, True]


def entry(id: str, **more: Any) -> dict[str, Any]:
    """Return an entry of a catalogue as L-gent's code writes it."""
    said = {
        "id": id, "entity_type": "agent", "name": id.partition("@")[0], "version": id.partition("@")[2],
        "description": f"what {id} does", "keywords": ["news"], "embedding": None, "author": "E-gent", "created_at": AT,
        "updated_at": AT, "forged_by": None, "forged_from": None, "input_type": None, "output_type": "str",
        "contracts_implemented": [], "contracts_required": [], "relationships": {}, "status": "active",
        "usage_count": 0, "success_rate": 1.0, "last_used": None, "last_error": None, "deprecation_reason": None,
        "deprecated_in_favor_of": None,
    }  # fmt: skip
    return {**said, **more}


def catalogue(*entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``Catalog.to_dict()`` of some entries."""
    return {"entries": {each["id"]: dict(each) for each in entries}, "version": "1.0.0", "last_updated": AT}


OLD, NEW = (
    entry("Scraper@1.0", status="deprecated", deprecated_in_favor_of="Scraper@2.0", usage_count=1),
    entry(
        "Scraper@2.0", forged_by="F-gent", forged_from="scrape the news", keywords=[],
        relationships={"successor_to": ["Scraper@1.0"], "depends_on": ["Client@1.3"]},
    ),
)  # fmt: skip


@pytest.mark.parametrize("is_plain", [False, True])
def test_a_catalogue_in_and_out(store: LineageStore, tmp_path: Path, is_plain: bool) -> None:
    """Entries keep what they say, their author and their time; again it adds nothing; it comes back as it was."""
    value = catalogue(OLD, NEW)
    path = put(tmp_path, "catalog.json", value["entries"] if is_plain else value)
    done = taken(store, path)
    assert (len(done.added), done.described, done.related) == (3, 2, 2)
    first = store.entry("Scraper@1.0")
    assert (first.author, first.created_at, first.status) == ("E-gent", f"{AT}Z", "deprecated")
    assert first.deprecated_in_favor_of == store.resolve("Scraper@2.0")
    before = store.ledger.journal.tips()
    again = taken(store, path)
    assert (again.added, again.described, again.related, again.repeated) == ((), 0, 0, 0)
    assert store.ledger.journal.tips() == before
    views = store.ledger.views()
    out = json.loads(b"".join(lgent.as_catalogue(views)))
    for said in (OLD, NEW):
        written = out["entries"][said["id"]]
        kept = written.keys() - {"usage_count"}
        assert {name: written[name] for name in kept} == {name: said[name] for name in kept}
    assert lgent.left_out(views, "catalogue") == []
    again = taken(store, put(tmp_path, "again.json", out))
    assert (again.related, store.entry("Scraper@1.0")) == (0, first)


def test_a_catalogue_of_what_was_recorded_here(store: LineageStore) -> None:
    """Every entry has what L-gent's reader asks for; a type that it has not is written as one that it has, and said."""
    store.commit({"a": b"1"}, [], trial=Trial(exp_id="001", status="baseline", core_metric=1.0))
    store.commit({"a": b"2"}, ["001"], trial=Trial(exp_id="002", status="keep", core_metric=1.1))
    store.set_entry("002", entity_type="lexer", description="lexes")
    views = store.ledger.views()
    (written,) = json.loads(b"".join(lgent.as_catalogue(views)))["entries"].values()
    assert {"id", "entity_type", "name", "version", "description", "created_at", "updated_at"} <= written.keys()
    assert (written["entity_type"], written["relationships"]) == ("agent", {"successor_to": ["001"]})
    told = " ".join(lgent.left_out(views, "catalogue"))
    assert "no type lexer" in told
    assert "1 snapshot" in told


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (catalogue(entry("A@1", created_at="soon")), "created_at: 'soon' is no"),
        (catalogue(entry("A@1", status="great")), "no catalogue entry"),
        (catalogue(entry("A@1", keywords="news")), "no catalogue entry"),
        (catalogue(entry("A@1", relationships={"likes": ["B"]})), "'likes' is none of"),
        (catalogue(entry("A@1", relationships={"depends_on": "B"})), "no object of lists"),
        (catalogue(entry("A@1", relationships={"depends_on": ["A@1"]})), "related to itself"),
        (catalogue(entry("A@1", deprecated_in_favor_of="A@1")), "in favour of itself"),
        (catalogue(entry("A@1", name="\ud800")), "not valid Unicode"),
        ({"entries": {"B@1": entry("A@1")}}, "its id is 'A@1'"),
    ],
)
def test_an_entry_that_breaks_a_rule(store: LineageStore, tmp_path: Path, value: Any, said: str) -> None:
    """It is refused with its place, or passed over on request."""
    path = put(tmp_path, "catalog.json", value)
    with pytest.raises(Invalid, match=said):
        taken(store, path)
    assert taken(store, path, skip_bad=True).described == 0


def test_a_catalogue_that_is_cut_off(store: LineageStore, tmp_path: Path) -> None:
    """It is told for what it is."""
    (tmp_path / "catalog.json").write_text(json.dumps(catalogue(OLD, NEW))[:-40])
    with pytest.raises(LineageError, match="L-gent catalogue that is cut off or damaged"):
        taken(store, tmp_path / "catalog.json")


def test_the_time_of_an_entry_can_be_given(shell: Shell, tmp_path: Path) -> None:
    """`catalog set` takes it, and what is no time is refused; the catalogue and the forges go out by commands."""
    assert "1 description" in shell("import", put(tmp_path, "catalog.json", catalogue(NEW)), "--dry-run")
    assert "2 relations, 1 description" in shell("import", tmp_path / "catalog.json")
    (told,) = shell.objects("catalog", "set", "Scraper@2.0", "created_at=2025-01-01T02:00:00+02:00")
    assert told["created_at"] == "2025-01-01T00:00:00Z"
    assert "no ISO 8601 time" in shell.fails(2, "catalog", "set", "Scraper@2.0", "created_at=soon")
    shell("catalog", "attempt", "parse dates", "--phase", "contract=failed")
    forges = [json.loads(line) for line in shell("export", "lgent", "-", "--forges").splitlines()]
    assert [(each["intent"], each["result_id"], each["success"]) for each in forges] == [
        ("scrape the news", "Scraper@2.0", True),
        ("parse dates", None, False),
    ]
    assert [each["phase_name"] for each in forges[1]["phases"]] == ["contract"]
    assert "Scraper@2.0" in json.loads(shell("export", "lgent", "-", "--catalog"))["entries"]
    assert "take one of" in shell.fails(2, "export", "lgent", "-", "--catalog", "--forges")


def test_a_log_is_followed(shell: Shell, tmp_path: Path) -> None:
    """--watch takes in what a log says as it grows; a document, which is written anew, is refused."""
    shell("init")
    path = put(tmp_path, "log.jsonl", [event("relationship_added", edge("B@1", "A@1"))])
    script = f"import sys; sys.argv = ['gitlineage', '-C', {str(shell.folder)!r}, 'import', {str(path)!r}]\n"
    script += "sys.argv += ['--watch', '--interval', '0.05', '--json']\nfrom gitlineage.cli import main; main()"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert json.loads(process.stdout.readline())["added"] == ["A@1", "B@1"]
            with path.open("a") as file:
                file.write(f"{json.dumps(event('relationship_added', edge('C@1', 'B@1')))}\n")
            assert json.loads(process.stdout.readline())["added"] == ["C@1"]
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    document = put(tmp_path, "graph.json", SCRAPERS)
    assert "does not grow line by line" in shell.fails(2, "import", document, "--watch")
