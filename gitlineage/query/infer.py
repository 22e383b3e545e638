"""
Relations that nobody recorded, read from the texts of trials: who cites whom by its id; proposals, never parents.

They are worked out when they are asked for and kept nowhere; how a citation looks is `formats.citations`'s.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gitlineage.index.database import growing, parts
from gitlineage.model.citations import may_cite, mentions
from gitlineage.model.records import CommitOid, Order
from gitlineage.model.relation import Relationship, RelationType
from gitlineage.model.trial import packed_values
from gitlineage.query.views import Views
from gitlineage.query.walk import edges
from gitlineage.text import one_line

_BEFORE, _AFTER = 30, 50
"""How much of a text is shown around a citation."""

_TRIALS = """
SELECT t.exp_id, t.clock, t.writer, t.row, s.oid FROM trials t JOIN snapshots s ON s.id = t.snapshot
"""


class Inferred(msgspec.Struct, frozen=True, kw_only=True):
    """
    A proposed relation: one trial's text cites another trial by its id.

    Args:
        source: the name of the trial whose text it is.
        target: the name of the trial that is cited.
        source_id: the source's snapshot.
        target_id: the target's snapshot.
        text: what stands around the citation.
        column: the column of the text, ``hypothesis`` or ``notes``.
        relationship_type: the type that is proposed; nothing tells it from the text.
        inferred: always true: nobody recorded it.
    """

    source: str
    target: str
    source_id: CommitOid
    target_id: CommitOid
    text: str
    column: str = "hypothesis"
    relationship_type: RelationType = RelationType.SUCCESSOR_TO
    inferred: bool = True

    def __hash__(self) -> int:
        return hash((self.source_id, self.target_id))

    def relationship(self) -> Relationship:
        """Return it as a relation, to be drawn among others; it is not a recorded one."""
        return Relationship(
            source_id=self.source_id,
            target_id=self.target_id,
            relationship_type=self.relationship_type,
            context={"inferred": True, "text": self.text},
        )


class _Told(msgspec.Struct, frozen=True):
    """A trial as far as citing it goes."""

    exp_id: str
    oid: str
    order: Order


def infer(views: Views, oid: str | None = None, *, notes: bool = False) -> list[Inferred]:
    """
    Return what the texts of trials cite, in recording order, then in the order of the text; each pair once.

    Left out are trials that cite themselves or another one on their snapshot, trials that were recorded later, those
    that are a parent, an inspiration or the target of a relation already, and ids that stand for several trials of
    which none is the citing writer's own.

    Args:
        oid: only what the trials on this snapshot cite.
        notes: read the notes too, not only the hypotheses.
    """
    where, values = ("WHERE s.oid = ?", [oid]) if oid is not None else ("", [])
    columns = ("hypothesis", "notes") if notes else ("hypothesis",)
    texts: list[tuple[_Told, dict[str, str]]] = []
    with views.index.steady():
        for part in growing(views.index.each(f"{_TRIALS} {where} ORDER BY t.clock, t.writer", *values)):
            packed = packed_values(row for _, _, _, row, _ in part)
            for (exp_id, clock, writer, _, place), told in zip(part, packed, strict=True):
                cells = {column: text for column in columns if may_cite(text := getattr(told, column))}
                if cells:
                    texts.append((_Told(exp_id, place, Order(clock, writer)), cells))
    known = _by_name(views) if texts else {}
    names = frozenset(known)
    citations: list[tuple[_Told, _Told, str, str]] = []
    for citing, cells in texts:
        for column, text in cells.items():
            for start, name in mentions(text, names):
                cited = _meant(citing, known[name])
                if cited is not None and cited.oid != citing.oid and cited.order < citing.order:
                    citations.append((citing, cited, _around(text, start), column))
    edges = _edges(views, {citing.oid for citing, *_ in citations})
    once: dict[tuple[str, str], Inferred] = {}
    for citing, cited, text, column in citations:
        pair = (citing.oid, cited.oid)
        if pair not in edges and pair not in once:
            once[pair] = Inferred(
                source=_label(citing, known),
                target=_label(cited, known),
                source_id=CommitOid(citing.oid),
                target_id=CommitOid(cited.oid),
                text=text,
                column=column,
            )
    return list(once.values())


def _by_name(views: Views) -> Mapping[str, Sequence[_Told]]:
    named: dict[str, list[_Told]] = {}
    sql = "SELECT t.exp_id, s.oid, t.clock, t.writer FROM trials t JOIN snapshots s ON s.id = t.snapshot"
    for exp_id, oid, clock, writer in views.index.rows(sql):
        named.setdefault(exp_id, []).append(_Told(exp_id, oid, Order(clock, writer)))
    return named


def _meant(citing: _Told, named: Sequence[_Told]) -> _Told | None:
    """Return the trial that an id means: the only one, or the only one of the writer who cites it."""
    own = [each for each in named if each.order.writer == citing.order.writer]
    for group in (named, own):
        if len(group) == 1:
            return group[0]
    return None


def _label(told: _Told, known: Mapping[str, Sequence[_Told]]) -> str:
    """Return an exp id, or a longer name where others use it too."""
    named = known[told.exp_id]
    if len(named) == 1:
        return told.exp_id
    own = [each for each in named if each.order.writer == told.order.writer]
    return f"{told.exp_id}@{told.order.writer if len(own) == 1 else told.oid[:12]}"


def _edges(views: Views, sources: Iterable[str]) -> set[tuple[str, str]]:
    """Return the edges that lead from some snapshots already: parents, inspirations and active relations."""
    wanted = list(sources)
    ends = {(edge.source, edge.target) for edge in edges(views, wanted, tuple(RelationType), up=True)}
    for part in parts(wanted):
        for snapshot in views.snapshots(part):
            ends |= {(snapshot.oid, other) for other in (*snapshot.parents, *snapshot.inspirations)}
    return ends


def _around(text: str, start: int) -> str:
    """Return what stands around a citation, as one line; an ellipsis where the text goes on."""
    first, last = max(0, start - _BEFORE), start + _AFTER
    before, after = "…" if first else "", "…" if last < len(text) else ""
    return f"{before}{' '.join(one_line(text[first:last]).split())}{after}"
