"""
L-gent's lineage in and out: artifacts as snapshots with catalogue entries, typed relations with their times.

`formats.lgent` reads the files. An artifact has no content there, only its name, so its snapshot is a stub whose
commit follows from the name alone: a log that has grown is imported again, and finds what it told before.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from gitlineage.bridge.exports import all_roles
from gitlineage.bridge.formats import lgent
from gitlineage.bridge.formats.found import Graph, Step
from gitlineage.errors import Ambiguous, Cycle, Invalid
from gitlineage.model.dag import topological
from gitlineage.model.records import CommitOid, Snapshot
from gitlineage.model.relation import DERIVATION, Relationship, RelationType
from gitlineage.query import catalogue as catalogue_of
from gitlineage.query import relations
from gitlineage.query.names import versioned
from gitlineage.query.views import Views
from gitlineage.query.walk import DERIVED
from gitlineage.record import catalogue
from gitlineage.record import relations as relating
from gitlineage.record.adoption import Adopted
from gitlineage.store.store import LineageStore
from gitlineage.text import counted

SOURCE = "lgent"
_UNKNOWN = "unknown"
"""Who says what nobody is known to have said, in L-gent's words."""

_LISTED = 10


class GraphOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an import of artifacts and relations did.

    Args:
        added: names of the artifacts that are new.
        known: how many artifacts are here already.
        taken: names that stand for trials here, which the relations are said of.
        related: how many relations are new.
        related_before: how many were here as the file says.
        repeated: how many the file says of what is related in the same way already; the first word stands.
        ended: how many relations ended.
        described: how many artifacts the catalogue says something new of.
    """

    added: tuple[str, ...] = ()
    known: int = 0
    taken: tuple[str, ...] = ()
    related: int = 0
    related_before: int = 0
    repeated: int = 0
    ended: int = 0
    described: int = 0


# -- in ----------------------------------------------------------------------------------------------------------------


def record(store: LineageStore, graph: Graph, source: str) -> GraphOutcome:
    """
    Record the artifacts and relations of a file, all of them or none; again, it adds nothing.

    A name that an imported snapshot, an entry of the catalogue or a trial has here stands for that one.

    Raises:
        Invalid: a relation that closes a cycle, or the end of one that nobody recorded.
        Ambiguous: a name that several snapshots have here.
    """
    with store.batch(f"Import {source[:200]}"):
        places = _Places(store, _parents_first(graph), graph.entries)
        described = sum(_describe(store, places.oids, name, said) for name, said in graph.entries.items())
        relater = _Relater(store, places.oids, source)
        for step in graph.steps:
            relater.take(step)
    return GraphOutcome(
        added=tuple(places.added),
        known=len(graph.names) - len(places.added),
        taken=tuple(places.taken),
        related=relater.counts["related"],
        related_before=relater.counts["before"],
        repeated=relater.counts["repeated"],
        ended=relater.counts["ended"],
        described=described,
    )


def _describe(store: LineageStore, oids: Mapping[str, CommitOid], name: str, said: Mapping[str, Any]) -> bool:
    """Record what a file's catalogue says of an artifact, and return whether that is new."""
    views, landing = store.ledger.views(), store.ledger.recorder().landing
    fields = dict(said)
    if heir := fields.get("deprecated_in_favor_of"):
        fields["deprecated_in_favor_of"] = oids[heir]
    before = catalogue_of.entry(views, oids[name])
    catalogue.set_entry(views, landing, oids[name], fields, said.get("author", SOURCE))
    return catalogue_of.entry(store.ledger.views(), oids[name]) != before


def _parents_first(graph: Graph) -> list[str]:
    """Return the names with what a relation leads to before what it leads from: so a cycle is looked for quickly."""
    above: dict[str, list[str]] = {}
    for step in graph.steps:
        above.setdefault(step.source, []).append(step.target)
    return topological(graph.names, lambda name: above.get(name, ()))


class _Places:
    """The commits of a file's artifacts: those that are here, and those that are made for it."""

    def __init__(self, store: LineageStore, names: list[str], entries: Mapping[str, Any]) -> None:
        self._views = store.ledger.views()
        self.taken: list[str] = []
        self.added: list[str] = []
        self.oids = {name: oid for name in names if (oid := self._here(name))}
        new = [name for name in names if name not in self.oids]
        adopted = [
            Adopted(name=name, source=SOURCE, document=json.dumps({"id": name}).encode(), subject=name, stub=True)
            for name in new
        ]
        for name, (oid, fresh) in zip(new, store.adopt(adopted), strict=True):
            self.oids[name] = oid
            if fresh:
                self.added.append(name)
                if name in entries:
                    continue  # its own entry says its name
                first, version = lgent.split(name)
                fields = {"name": first, **({"version": version} if version else {})}
                recorder = store.ledger.recorder()
                catalogue.set_entry(self._views, recorder.landing, oid, fields, SOURCE)

    def _here(self, name: str) -> CommitOid | None:
        """Return the snapshot that a name stands for in this store."""
        if named := self._views.origins.called(name):
            return self._only(name, [origin.oid for origin in named])
        if described := versioned(self._views, name):
            return self._only(name, described)
        if self._views.index.one("SELECT 1 FROM snapshots WHERE oid = ?", name) is not None:
            return CommitOid(name)
        trials = self._views.named_exactly(name)
        if not trials:
            return None
        self.taken.append(name)
        return self._only(name, [view.oid for view in trials])

    @staticmethod
    def _only(name: str, oids: list[CommitOid]) -> CommitOid:
        if len(set(oids)) > 1:
            raise Ambiguous(name, oids[:_LISTED])
        return oids[0]


class _Relater:
    """What is recorded of a file's relations, each word held against what is here already."""

    def __init__(self, store: LineageStore, oids: Mapping[str, CommitOid], source: str) -> None:
        self._views = store.ledger.views()
        self._store = store
        self._oids = oids
        self._source = source
        self._claimed: set[tuple[int, str]] = set()
        self._ended: set[tuple[int, str]] = set()
        self.counts: Counter[str] = Counter()

    def take(self, step: Step) -> None:
        """Record one word, unless it is here."""
        source, target = self._oids[step.source], self._oids[step.target]
        said = relations.relationships(
            self._views, source=source, target=target, types=[step.relation], include_deprecated=True
        )
        try:
            if step.ends:
                self._end(step, source, target, said)
            else:
                self._begin(step, source, target, said)
        except Cycle as error:
            what = f"{step.source} {step.relation} {step.target}"
            raise Invalid(f"{self._source}: {what}: {error}; nothing was imported") from error
        self._store.ledger.watcher.advance("relating", 1, 0)

    def _begin(self, step: Step, source: CommitOid, target: CommitOid, said: list[Relationship]) -> None:
        for each in said:
            if _place(each) not in self._claimed and _says(each, step):
                self._claimed.add(_place(each))
                self.counts["before"] += 1
                return
        if any(not each.deprecated for each in said):
            self.counts["repeated"] += 1
            return
        landing = self._store.ledger.recorder().landing
        made = relating.add(
            self._views, landing, source, target, step.relation, step.by or _UNKNOWN, dict(step.context), at=step.at
        )  # fmt: skip
        self._claimed.add(_place(made))
        self.counts["related"] += 1

    def _end(self, step: Step, source: CommitOid, target: CommitOid, said: list[Relationship]) -> None:
        for each in said:
            if (
                _place(each) not in self._ended
                and each.deprecated
                and (not step.at or each.deprecated_at == step.at)
                and (each.deprecation_reason or "") == step.reason
            ):
                self._ended.add(_place(each))
                return
        active = next((each for each in said if not each.deprecated), None)
        if active is None:
            what = f"{step.source} {step.relation} {step.target}"
            raise Invalid(f"{self._source}: {what} ends, and no such relation is recorded; nothing was imported")
        landing = self._store.ledger.recorder().landing
        by = step.by or active.created_by
        relating.deprecate(self._views, landing, source, target, step.relation, step.reason, by, at=step.at)
        self._ended.add(_place(active))
        self.counts["ended"] += 1


def _place(relation: Relationship) -> tuple[int, str]:
    return relation.clock, relation.writer


def _says(relation: Relationship, step: Step) -> bool:
    """Whether a recorded relation is the one that a word begins."""
    if step.at and relation.created_at != step.at:
        return False
    return not step.by or (relation.created_by == step.by and dict(relation.context) == dict(step.context))


# -- out ---------------------------------------------------------------------------------------------------------------


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """A relation as it goes out: its ends by name, and as L-gent's code writes it."""

    value: dict[str, Any]
    relation: RelationType
    ended_by: str = ""

    def __hash__(self) -> int:
        return hash((self.value["source_id"], self.value["target_id"], self.relation))


def as_document(views: Views) -> Iterator[bytes]:
    """
    Return the lineage as ``LineageGraph.to_dict()`` gives it: every snapshot a node, git parents and relations edges.

    Left out is what its reader refuses (`left_out`).
    """
    names = _names(views)
    edges = [edge.value for edge in _edges(views, names) if edge.relation is not RelationType.FORGED_FROM]
    yield json.dumps({"edges": edges, "nodes": list(names.values())}, ensure_ascii=False, indent=1).encode() + b"\n"


def as_events(views: Views) -> Iterator[bytes]:
    """Return the relations as L-gent's event log: when each came to be, and when it ended."""
    for edge in _edges(views, _names(views)):
        value = edge.value
        ends = {name: value[name] for name in ("source_id", "target_id", "relationship_type")}
        begun = {**ends, **{name: value[name] for name in ("created_at", "created_by", "context")}}
        yield _event(lgent.ADDED, value["created_at"], value["created_by"], begun)
        if value["deprecated"]:
            ended = {**ends, **{name: value[name] for name in ("deprecated_at", "deprecation_reason")}}
            yield _event(lgent.DEPRECATED, value["deprecated_at"], edge.ended_by, ended)


def left_out(views: Views, what: str) -> list[str]:
    """Return what an export (one of `WRITTEN`) has no place for, a sentence each."""
    names = _names(views)
    told = []
    if what == "catalogue":
        entries = catalogue_of.entries(views)
        if other := sorted({each.entity_type for each in entries} - {*lgent.TYPES, ""}):
            told.append(f"L-gent has no type {', '.join(other[:_LISTED])}: written as {lgent.TYPES[0]}")
        if alone := len(set(names) - {each.id for each in entries}):
            told.append(f"left out {counted(alone, 'snapshot')} that the catalogue says nothing of")
        return told
    if what == "forges":
        return told
    log = what == "events"
    if not log and (forged := sum(each.relation is RelationType.FORGED_FROM for each in _edges(views, names))):
        told.append(f"left out {forged} forged_from, a type that L-gent's graph does not read; --events has them")
    related = {value for each in _edges(views, names) for value in (each.value["source_id"], each.value["target_id"])}
    if log and (alone := len(set(names.values()) - related)):
        told.append(
            f"left out {counted(alone, 'snapshot')} without relations, which no log names; without --events it is there"
        )
    return told


def as_catalogue(views: Views) -> Iterator[bytes]:
    """Return what the catalogue describes as ``Catalog.to_dict()`` gives it, relations that hold among it."""
    names = _names(views)
    related: dict[str, dict[str, list[str]]] = {}
    for edge in _edges(views, names):
        if not edge.value["deprecated"]:
            others = related.setdefault(edge.value["source_id"], {}).setdefault(str(edge.relation), [])
            others.append(edge.value["target_id"])
    entries = {}
    latest = ""
    for entry in catalogue_of.entries(views):
        snapshot = views.snapshot(entry.id)
        at = entry.created_at or snapshot.time
        latest = max(latest, at)
        id = names[entry.id]
        entries[id] = {
            "id": id,
            "entity_type": entry.entity_type if entry.entity_type in lgent.TYPES else lgent.TYPES[0],
            "name": entry.name or id,
            "version": entry.version,
            "description": entry.description,
            "keywords": list(entry.keywords),
            "author": entry.author or snapshot.author.rpartition(" <")[0] or "unknown",
            "created_at": _naive(at),
            "updated_at": _naive(at),
            "forged_by": entry.forged_by,
            "forged_from": entry.forged_from,
            "input_type": entry.input_type or None,
            "output_type": entry.output_type or None,
            "relationships": related.get(id, {}),
            "status": str(entry.status),
            "usage_count": entry.usage_count,
            "last_used": _naive(entry.last_used),
            "deprecated_in_favor_of": names.get(entry.deprecated_in_favor_of or ""),
        }
    document = {"entries": entries, "version": "1.0.0", "last_updated": _naive(latest or "1970-01-01T00:00:00Z")}
    yield json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def as_forges(views: Views) -> Iterator[bytes]:
    """Return what was forged, or tried to be, as L-gent's ``ForgeRecord``, an object a line; results by name."""
    names = _names(views)
    for each in catalogue_of.forges(views):
        record = msgspec.to_builtins(each)
        record |= {"result_id": names.get(each.result_id or ""), "timestamp": _naive(each.timestamp) or None}
        yield json.dumps(record, ensure_ascii=False).encode() + b"\n"


WRITTEN = {"graph": as_document, "events": as_events, "catalogue": as_catalogue, "forges": as_forges}
"""What can be written, and how."""


def _event(kind: str, at: str | None, actor: str, payload: dict[str, Any]) -> bytes:
    event = {"event_type": kind, "timestamp": at, "actor": actor, "payload": payload}
    return json.dumps(event, ensure_ascii=False).encode() + b"\n"


def _edges(views: Views, names: Mapping[str, str]) -> Iterator[Edge]:
    """Return every relation between snapshots, git parents that nobody related otherwise first."""
    said = relations.relationships(views, include_deprecated=True)
    derived = {(each.source_id, each.target_id) for each in said if each.relationship_type in DERIVATION}
    roles = all_roles(views)
    for snapshot in views.each_snapshot(names):
        for parent in (*snapshot.parents, *snapshot.inspirations):
            if parent in names and (snapshot.oid, parent) not in derived:
                yield _of_parent(snapshot, parent, names, roles.get(snapshot.oid, {}).get(parent))
    for each in said:
        if each.source_id not in names or each.target_id not in names:
            continue  # a forge attempt, which is no artifact
        value = _edge(names[each.source_id], names[each.target_id], each.relationship_type, each.created_at)
        value |= {"created_by": each.created_by, "context": dict(each.context), "deprecated": each.deprecated}
        if each.deprecated:
            value |= {"deprecated_at": _naive(each.deprecated_at), "deprecation_reason": each.deprecation_reason}
        yield Edge(value=value, relation=each.relationship_type, ended_by=each.deprecated_by or "")


def _of_parent(snapshot: Snapshot, parent: str, names: Mapping[str, str], role: str | None) -> Edge:
    value = _edge(names[snapshot.oid], names[parent], RelationType(DERIVED), snapshot.time)
    context = {"role": role, "cohort": snapshot.cohort}
    value |= {
        "created_by": snapshot.author.rpartition(" <")[0] or "unknown",
        "context": {name: text for name, text in context.items() if text},
    }
    return Edge(value=value, relation=RelationType(DERIVED))


def _edge(source: str, target: str, relation: RelationType, at: str) -> dict[str, Any]:
    return {
        "source_id": source,
        "target_id": target,
        "relationship_type": str(relation),
        "created_at": _naive(at),
        "created_by": "unknown",
        "context": {},
        "deprecated": False,
        "deprecated_at": None,
        "deprecation_reason": None,
    }


def _naive(at: str | None) -> str | None:
    """Return a moment as L-gent writes it, without a zone; it is in UTC."""
    return at.removesuffix("Z") if at else at


def _names(views: Views) -> dict[str, str]:
    """Return every snapshot with its name: its own store's, the catalogue's with its version, or its trial's."""
    oids = [CommitOid(oid) for (oid,) in views.index.rows("SELECT oid FROM snapshots ORDER BY clock, writer, oid")]
    rows = views.index.rows("SELECT oid, field, value FROM entries WHERE field IN ('name', 'version')")
    entries: dict[str, dict[str, str]] = {}
    for oid, field, value in rows:
        entries.setdefault(oid, {})[field] = json.loads(value)
    labels = views.labels.names(oids)
    names = {}
    for snapshot in views.each_snapshot(oids):
        entry = entries.get(snapshot.oid, {})
        described = f"{entry['name']}@{entry['version']}" if entry.get("name") and entry.get("version") else ""
        names[str(snapshot.oid)] = snapshot.name or described or labels[snapshot.oid]
    counts = Counter(names.values())
    return {oid: name if counts[name] == 1 else oid for oid, name in names.items()}
