"""
Typed relations, ``store.relations``: recording them, walking over them, the evolution they tell.

Direction and rules are those of semantics 20-32; a git parent counts as a relation in every walk.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gitlineage.errors import Invalid
from gitlineage.later import later
from gitlineage.model.records import AncestryNode, CommitOid
from gitlineage.model.relation import EvolutionStep, Relationship, RelationType, relation_types
from gitlineage.query.names import Id, resolve
from gitlineage.render.choices import LIMIT, PARTS, known_format
from gitlineage.render.choices import Part as Shown
from gitlineage.store.part import Part, reading
from gitlineage.times import exact, parse_time

if TYPE_CHECKING:
    from gitlineage.query import relations
    from gitlineage.record import relations as relating
    from gitlineage.record.recorder import Recorder
    from gitlineage.render.diagram import Diagram
else:  # what most questions to a store have no use of
    relations, relating = later("gitlineage.query.relations"), later("gitlineage.record.relations")


class Relations(Part):
    """Typed relations between snapshots: recording them, walking over them, drawing them."""

    def add(
        self,
        source_id: Id,
        target_id: Id,
        relationship_type: str,
        created_by: str | None = None,
        context: Mapping[str, Any] | None = None,
        *,
        cycle_scope: str = "family",
        created_at: datetime | str | None = None,
    ) -> Relationship:
        """
        Record that one snapshot is related to another, from child to parent (semantics 20-23).

        An active relation of the same type between the same two is returned as it is.

        Args:
            source_id: the child, the dependent.
            target_id: the parent, the dependency.
            relationship_type: a `RelationType` or its name.
            created_by: who or what says so; by default who commits here.
            context: JSON values to keep with it.
            cycle_scope: look for cycles over the type's ``family``, which is successor_to, forked_from and forged_from
                together and any other type by itself; or over ``all`` types together.
            created_at: when it came to be, in UTC where no zone is said; by default now.

        Raises:
            NotFound: one of the two is not recorded.
            Cycle: the target goes back to the source already.
            Invalid: an unknown type, a context that is no JSON or differs from the recorded one, a time that is none.
        """
        at = _moment(created_at)

        def work(recorder: "Recorder") -> Relationship:
            actor = self.ledger.committer().name if created_by is None else created_by
            return relating.add(
                self._views,
                recorder.landing,
                source_id,
                target_id,
                relationship_type,
                actor,
                context,
                cycle_scope=cycle_scope,
                at=at,
            )

        return self.ledger.write(work)

    def record_evolution(
        self,
        parent_id: Id,
        child_id: Id,
        evolution_type: str,
        created_by: str | None = None,
        success: bool = True,
        metrics: Mapping[str, float] | None = None,
    ) -> Relationship:
        """Record that one snapshot succeeds another, what was tried and whether it worked (semantics 30)."""
        context = {"evolution_type": evolution_type, "success": success, "metrics": dict(metrics or {})}
        return self.add(child_id, parent_id, RelationType.SUCCESSOR_TO, created_by, context)

    def record_fork(self, parent_id: Id, fork_id: Id, reason: str = "", created_by: str | None = None) -> Relationship:
        """Record that one snapshot begins a line of its own from another (semantics 32)."""
        context = {"reason": reason} if reason else {}
        return self.add(fork_id, parent_id, RelationType.FORKED_FROM, created_by, context)

    def record_dependency(
        self, dependent_id: Id, dependency_id: Id, version_constraint: str | None = None, created_by: str = "system"
    ) -> Relationship:
        """Record that one snapshot needs another (semantics 32)."""
        context = {"version_constraint": version_constraint} if version_constraint is not None else {}
        return self.add(dependent_id, dependency_id, RelationType.DEPENDS_ON, created_by, context)

    def deprecate(
        self, source_id: Id, target_id: Id, relationship_type: str, reason: str = "", actor: str | None = None
    ) -> bool:
        """Record that a relation no longer holds, and return whether there was an active one (semantics 24)."""

        def work(recorder: "Recorder") -> bool:
            who = self.ledger.committer().name if actor is None else actor
            return relating.deprecate(
                self._views, recorder.landing, source_id, target_id, relationship_type, reason, who
            )

        return self.ledger.write(work)

    @reading
    def find(
        self,
        *,
        source_id: Id | None = None,
        target_id: Id | None = None,
        relationship_types: Sequence[str] | None = None,
        created_by: str | None = None,
        include_deprecated: bool = False,
    ) -> list[Relationship]:
        """Return the relations that all filters let through, in recording order (semantics 25)."""
        return relations.relationships(
            self._views,
            source=None if source_id is None else resolve(self._views, source_id),
            target=None if target_id is None else resolve(self._views, target_id),
            types=None if relationship_types is None else relation_types(relationship_types),
            created_by=created_by,
            include_deprecated=include_deprecated,
        )

    @reading
    def ancestors(
        self, id: Id, relationship_types: Sequence[str] | None = None, max_depth: int | None = -1
    ) -> tuple[AncestryNode, ...]:
        """
        Return what a snapshot goes back to over relations, each once, nearest first (semantics 26).

        Args:
            id: where to begin.
            relationship_types: which to follow; by default ``successor_to`` and ``forked_from``, git parents included.
            max_depth: how many steps; -1 or ``None`` for all, 0 for none.
        """
        return relations.ancestors(self._views, resolve(self._views, id), relation_types(relationship_types), max_depth)

    @reading
    def descendants(
        self, id: Id, relationship_types: Sequence[str] | None = None, max_depth: int | None = -1
    ) -> tuple[AncestryNode, ...]:
        """Return what goes back to a snapshot over relations; the mirror image of `ancestors` (semantics 27)."""
        return relations.descendants(
            self._views, resolve(self._views, id), relation_types(relationship_types), max_depth
        )

    def dependents(self, id: Id, depth: int = 1) -> tuple[AncestryNode, ...]:
        """Return what depends on a snapshot, each once; -1 includes what depends on those, and so on (semantics 27)."""
        return self.descendants(id, [RelationType.DEPENDS_ON], depth)

    @reading
    def path(
        self, start_id: Id, end_id: Id, relationship_type: str | Sequence[str] | None = None
    ) -> list[CommitOid] | None:
        """
        Return the shortest path from an ancestor to a descendant, ``None`` where there is none (semantics 28).

        It goes over relations of one type, of several, or over derivations where none is named.
        """
        types = relation_types([relationship_type] if isinstance(relationship_type, str) else relationship_type)
        start, end = resolve(self._views, start_id), resolve(self._views, end_id)
        oids = relations.path(self._views, start, end, types)
        return None if oids is None else [CommitOid(oid) for oid in oids]

    @reading
    def merge_bases(self, a: Id, b: Id, relationship_types: Sequence[str] | None = None) -> list[CommitOid]:
        """Return all lowest common ancestors of two snapshots, relations included (semantics 29)."""
        first, second = resolve(self._views, a), resolve(self._views, b)
        oids = relations.merge_bases(self._views, first, second, relation_types(relationship_types))
        return [CommitOid(oid) for oid in oids]

    def common_ancestor(self, a: Id, b: Id) -> CommitOid | None:
        """Return the lowest common ancestor of two snapshots, of several the latest recorded (semantics 29)."""
        return next(iter(self.merge_bases(a, b)), None)

    @reading
    def evolution(
        self, id: Id, *, include_siblings: bool = False, only_successful: bool = False
    ) -> list[EvolutionStep]:
        """Return every step of a snapshot's evolution in the order of time (semantics 31)."""
        oid = resolve(self._views, id)
        return relations.evolution(self._views, oid, include_siblings=include_siblings, only_successful=only_successful)

    @reading
    def diagram(
        self,
        id: Id | None = None,
        part: Shown = "around",
        *,
        depth: int | None = 3,
        relationship_types: Sequence[str] | None = None,
        limit: int | None = LIMIT,
        proposed: Iterable[Relationship] = (),
    ) -> "Diagram":
        """
        Return a part of the lineage as nodes, edges and groups, to be drawn by `diagrams.draw`.

        Args:
            id: what it is about: a snapshot, for ``cohort`` the cohort's name, for ``all`` nothing.
            part: ``around`` a snapshot; the ``line`` that led to it, with siblings and children; a ``cohort`` with its
                base; or ``all``.
            depth: how many steps up and down ``around`` goes; -1 for all.
            relationship_types: which edges to show; by default all types, git parents included.
            limit: the most snapshots; ``None`` for any number.
            proposed: inferred relations, which are drawn dashed between the snapshots that are shown.

        Raises:
            NotFound: there is no such snapshot or cohort.
            Invalid: an unknown part or type, or more snapshots than the limit.
        """
        # Imported here, because no other command draws.
        from gitlineage.query import diagram

        views, types = self._views, relation_types(relationship_types, RelationType)
        root = None  # the one that is drawn around: of a line, that is the end, which has marks of its own
        if part not in PARTS:
            raise Invalid(f"{part!r} is no part of a lineage; there are {', '.join(PARTS)}")
        if part == "all":
            part_shown = diagram.everything(views, types, limit)
        elif id is None:
            raise Invalid(f"say what the diagram is about: {part} needs an id")
        elif part == "cohort":
            part_shown = diagram.cohort(views, str(id), types, limit)
        elif part == "line":
            part_shown = diagram.line(views, resolve(views, id), types, limit)
        else:
            root = resolve(views, id)
            part_shown = diagram.around(views, root, types, depth, limit)
        return diagram.gathered(views, *part_shown, root=root, proposed=proposed)

    def draw(
        self,
        id: Id | None,
        depth: int | None = 3,
        format: str = "mermaid",
        *,
        part: Shown = "around",
        relationship_types: Sequence[str] | None = None,
        limit: int | None = LIMIT,
        proposed: Iterable[Relationship] = (),
    ) -> str:
        """
        Return a diagram of the lineage as text: ``mermaid``, ``dot``, ``svg`` or ``json`` (semantics 38).

        Every edge is drawn once from child to parent with its type; the arguments are those of `diagram`.

        Raises:
            ValueError: an unknown format.
            DrawingFailed: nothing is installed that draws SVG.
        """
        from gitlineage.query import diagram

        known_format(format)
        shown = self.diagram(
            id, part, depth=depth, relationship_types=relationship_types, limit=limit, proposed=proposed
        )
        return diagram.draw(shown, format)


def _moment(given: datetime | str | None) -> str:
    """Return a moment that was given as it is recorded; empty for now."""
    if given is None:
        return ""
    moment = parse_time(given if isinstance(given, str) else given.isoformat())
    if moment is None:
        raise Invalid(f"{str(given)[:60]!r} is no time: say it as in 2026-01-31T12:00:00Z")
    return exact(moment)
