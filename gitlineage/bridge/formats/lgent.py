"""
The lineage of L-gent: what ``LineageGraph.to_dict()`` gives, its log of events, an object a line, and its catalogue,
what ``Catalog.to_dict()`` gives.

It holds artifacts and typed relations between them, and no trials. Schema: kgang/kgents, the document in
`impl/claude/agents/l/lineage.py`, the catalogue in `impl/claude/agents/l/types.py` (a plain `dict` of entries in
`catalog.py`), the log, which nothing public writes so far, in its specification of lineage; looked at in November 2026.
Times without a zone are read as UTC.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gitlineage.bounds import MAX_LINE
from gitlineage.bridge.formats.found import Found, Graph, NotTrials, Step
from gitlineage.bridge.formats.source import Source, json_of, mapping
from gitlineage.errors import Invalid
from gitlineage.model.catalogue import checked_fields
from gitlineage.model.relation import RelationType
from gitlineage.times import exact, parse_time

DOCUMENT = "an L-gent lineage graph"
LOG = "an L-gent event log"
CATALOG = "an L-gent catalogue"
ADDED, DEPRECATED = "relationship_added", "relationship_deprecated"

_KNOWN = frozenset(
    ("source_id", "target_id", "relationship_type", "created_at", "created_by", "context", "deprecated",
     "deprecated_at", "deprecation_reason", "reason")
)  # fmt: skip
_LONGEST = 1000
"""Characters of an artifact's id at most."""

_ENTRY = ("name", "version", "description", "keywords", "entity_type", "input_type", "output_type", "status",
          "forged_by", "forged_from", "deprecated_in_favor_of", "author", "created_at")  # fmt: skip
"""Fields of an entry that are kept."""

TYPES = ("agent", "contract", "memory", "spec", "test", "template", "pattern", "tongue")
"""What L-gent knows an artifact to be; the first where it is something else."""

_LOOKED_AT = 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_VERSIONED = re.compile(r"(.+)_v(\d\S*)", re.DOTALL)


def recognise(source: Source) -> str:
    """Return what a file was taken for; empty for nothing."""
    if source.is_folder or source.head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"{":
        return ""
    value = source.json
    if isinstance(value, dict) and _is_graph(value):
        return DOCUMENT
    if isinstance(value, dict) and _entries(value):
        return CATALOG
    if value is None and all(f'"{name}"' in source.text for name in ("edges", "source_id", "relationship_type")):
        return DOCUMENT  # cut off or damaged: said by `read`, and never taken for a table
    if value is None and all(f'"{name}"' in source.text for name in ("entries", "entity_type", "relationships")):
        return CATALOG
    lines = source.text.split("\n", _LOOKED_AT)[:_LOOKED_AT]
    return LOG if any(_is_event(json_of(line)) for line in lines if line.lstrip().startswith("{")) else ""


def read(source: Source) -> Found:
    """
    Return the artifacts and relations of a file.

    Raises:
        NotTrials: the document is cut off or damaged.
    """
    kind = recognise(source)
    if source.damaged:
        raise NotTrials(source.name, f"{kind} with bytes that are no text, first in line {source.damaged[0]}")
    if kind == LOG:
        return _Reader(source, kind).log()
    if not isinstance(source.json, dict):
        raise NotTrials(source.name, f"{kind} that is cut off or damaged: {_fault(source.text)}")
    return _Reader(source, kind).catalogue() if kind == CATALOG else _Reader(source, kind).document()


def split(name: str) -> tuple[str, str]:
    """Return name and version of an artifact by its id: ``NewsScraper@2.0``, ``NewsScraper_v2.0``; else no version."""
    first, at, version = name.rpartition("@")
    if at and first and version:
        return first, version
    if match := _VERSIONED.fullmatch(name):
        return match[1], match[2]
    return name, ""


def _is_graph(value: Mapping[str, Any]) -> bool:
    nodes, edges = value.get("nodes"), value.get("edges")
    if not isinstance(nodes, list) or not isinstance(edges, list):
        return False
    if edges:
        return any(isinstance(each, dict) and {"source_id", "relationship_type"} <= each.keys() for each in edges)
    return set(value) == {"nodes", "edges"} and bool(nodes) and all(isinstance(each, str) for each in nodes)


def _entries(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the entries of a catalogue by id, none where it is no catalogue."""
    found = value.get("entries", value if "entries" not in value else None)
    if not isinstance(found, dict) or not found:
        return {}
    is_one = all(
        isinstance(each, dict) and {"entity_type", "name", "version"} <= each.keys() for each in found.values()
    )
    return found if is_one else {}


def _is_event(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("payload"), dict):
        return False
    return value.get("event_type") in (ADDED, DEPRECATED)


def _fault(text: str) -> str:
    """Return where a text stops being JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"{error.msg} in line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError):
        pass
    return "it nests too deeply, or has numbers without end"


class _Reader:
    def __init__(self, source: Source, kind: str) -> None:
        self._source = source
        self._names: dict[str, None] = {}
        self._unread: dict[str, None] = {}
        self._graph = Graph()
        self._found = Found(kind=kind, source=source.name, graph=self._graph)

    def document(self) -> Found:
        for at, name in enumerate(self._source.json.get("nodes") or ()):
            try:
                self._names.setdefault(_name(name))
            except Invalid as error:
                self._bad(f"nodes[{at}]", error)
        for at, edge in enumerate(self._source.json.get("edges") or ()):
            try:
                self._add([*self._edge(edge, "", "")])
            except Invalid as error:
                self._bad(f"edges[{at}]", error)
        self._unread.update(dict.fromkeys(sorted(set(self._source.json) - {"nodes", "edges"})))
        return self._done()

    def catalogue(self) -> Found:
        entries = _entries(self._source.json)
        for id, said in entries.items():
            try:
                self._entry(id, said)
            except Invalid as error:
                self._bad(f"entries[{id[:60]!r}]", error)
        if entries is not self._source.json:
            self._unread.update(dict.fromkeys(sorted(set(self._source.json) - {"entries", "version", "last_updated"})))
        return self._done()

    def _entry(self, id: str, said: Mapping[str, Any]) -> None:
        """Take in what a catalogue says of an artifact, and the relations that it names."""
        if said.get("id", id) != id:
            raise Invalid(f"its id is {str(said['id'])[:60]!r}")
        name = _name(id)
        fields = {field: said[field] for field in _ENTRY if said.get(field) not in (None, "", [])}
        if fields.get("author") == "unknown":
            del fields["author"]
        for field in ("created_at", "deprecated_in_favor_of"):
            if field in fields:
                fields[field] = _time(said, field) if field == "created_at" else _name(fields[field])
        for text in fields.values():
            _encodable(json.dumps(text, ensure_ascii=False))
        if fields.get("deprecated_in_favor_of") == name:
            raise Invalid("it cannot be deprecated in favour of itself")
        checked_fields({**fields, **({"created_at": ""} if "created_at" in fields else {})})
        related = said.get("relationships") or {}
        if not isinstance(related, dict) or not all(isinstance(each, list) for each in related.values()):
            raise Invalid("relationships: no object of lists")
        steps = []
        for kind, others in related.items():
            for other in others:
                source, target, relation = _ends({"source_id": name, "target_id": other, "relationship_type": kind})
                if source == target:
                    raise Invalid("it cannot be related to itself")
                steps.append(Step(source=source, target=target, relation=relation))
        for field in sorted(said.keys() - {*_ENTRY, "id", "updated_at", "relationships"}):
            if said[field] not in (None, "", [], {}, 0) and (field, said[field]) != ("success_rate", 1):
                self._unread.setdefault(field)
        self._names.setdefault(name)
        if heir := fields.get("deprecated_in_favor_of"):
            self._names.setdefault(heir)
        self._add(steps)
        self._graph.entries[name] = fields

    def log(self) -> Found:
        for number, line in enumerate(self._source.text.split("\n"), 1):
            if not line.strip():
                continue
            try:
                self._add(self._event(json_of(line)))
            except Invalid as error:
                self._bad(f"line {number}", error)
        return self._done()

    def _done(self) -> Found:
        self._graph.names = tuple(self._names)
        if self._unread:
            self._found.told.append(f"not kept: {', '.join(list(self._unread)[:10])}")
        return self._found

    def _bad(self, where: str, error: Invalid) -> None:
        self._graph.bad.append((where, str(error)))

    def _add(self, steps: list[Step]) -> None:
        for step in steps:
            self._names.setdefault(step.source)
            self._names.setdefault(step.target)
        self._graph.steps += steps

    def _event(self, event: Any) -> list[Step]:
        if not isinstance(event, dict):
            raise Invalid("no JSON object")
        payload = event.get("payload")
        if event.get("event_type") not in (ADDED, DEPRECATED):
            raise Invalid(f"the event {str(event.get('event_type'))[:60]!r} is not known: {ADDED} and {DEPRECATED} are")
        if not isinstance(payload, dict):
            raise Invalid("its payload is no object")
        at, actor = _time(event, "timestamp"), _text(event, "actor")
        said = mapping(payload.get("relationship")) or payload
        if event["event_type"] == ADDED:
            return [*self._edge(said, at, actor)]
        source, target, relation = _ends(said)
        reason = _text(said, "deprecation_reason") or _text(said, "reason")
        at = _time(said, "deprecated_at") or at
        return [Step(source=source, target=target, relation=relation, at=at, by=actor, ends=True, reason=reason)]

    def _edge(self, edge: Any, at: str, actor: str) -> Iterator[Step]:
        """Return how an edge came to be and, if it did, ended."""
        if not isinstance(edge, dict):
            raise Invalid("no JSON object")
        if len(json.dumps(edge, ensure_ascii=False)) > MAX_LINE // 4:
            raise Invalid(f"longer than the {MAX_LINE // 4:,} characters that are kept of a relation")
        self._unread.update(dict.fromkeys(sorted(edge.keys() - _KNOWN)))
        source, target, relation = _ends(edge)
        if source == target:
            raise Invalid(f"{source!r} cannot be related to itself")
        context = edge.get("context") or {}
        if not isinstance(context, dict):
            raise Invalid("context: no object")
        begun = _time(edge, "created_at") or at
        by = _text(edge, "created_by") or actor or "unknown"
        ended = edge.get("deprecated") or False
        if not isinstance(ended, bool):
            raise Invalid("deprecated: neither true nor false")
        yield Step(source=source, target=target, relation=relation, at=begun, by=by, context=context)
        if ended:
            at, reason = _time(edge, "deprecated_at"), _text(edge, "deprecation_reason")
            yield Step(source=source, target=target, relation=relation, at=at, ends=True, reason=reason)


def _ends(edge: Mapping[str, Any]) -> tuple[str, str, RelationType]:
    ends = []
    for field in ("source_id", "target_id"):
        try:
            ends.append(_name(edge.get(field)))
        except Invalid as error:
            raise Invalid(f"{field}: {error}") from error
    try:
        return ends[0], ends[1], RelationType(str(edge.get("relationship_type")))
    except ValueError:
        shown = str(edge.get("relationship_type"))[:60]
        raise Invalid(f"relationship_type: {shown!r} is none of {', '.join(RelationType)}") from None


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Invalid("an artifact's id is a text")
    if len(value) > _LONGEST or _CONTROL.search(value) or value != value.strip():
        raise Invalid(
            f"{value[:60]!r}: an id has at most {_LONGEST:,} characters, no control characters, no blanks around"
        )
    return _encodable(value)


def _text(said: Mapping[str, Any], field: str) -> str:
    value = said.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid(f"{field}: no text")
    return _encodable(value)


def _encodable(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Invalid(f"{value[:60]!r} is not valid Unicode text") from error
    return value


def _time(said: Mapping[str, Any], field: str) -> str:
    """Return a moment in UTC, to the microsecond where it was said so; empty where there is none."""
    text = _text(said, field)
    if not text:
        return ""
    moment = parse_time(text)
    if moment is None:
        raise Invalid(f"{field}: {text[:60]!r} is no ISO 8601 time")
    return exact(moment)
