"""
What follows if an artifact is deprecated, and what could take its place.

Severity follows the number of transitive dependents and whether the artifact is in use (semantics 36):

==================  =============  ===========
dependents          not in use     in use
==================  =============  ===========
0                   low            medium
1 to 2              medium         high
3 to 9              high           critical
10 and more         critical       critical
==================  =============  ===========
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from gitlineage.model.catalogue import CatalogEntry, EntryStatus, ImpactReport
from gitlineage.model.relation import RelationType
from gitlineage.model.similarity import Similarity
from gitlineage.query import catalogue, relations
from gitlineage.query.views import Views
from gitlineage.times import parse_time

IN_USE = timedelta(days=30)
"""What was used within this time counts as in use."""

_SEVERITIES = ("low", "medium", "high", "critical")
_STEPS = (1, 3, 10)
"""Dependents from which a severity is one higher."""

_NAMED = 5
Subtype = Callable[[str, str], bool]
"""Whether the first type is one of the second."""


def analyze_deprecation(
    views: Views, oid: str, now: datetime, counted: Callable[[CatalogEntry], CatalogEntry]
) -> ImpactReport:
    """
    Return what would break if an artifact were deprecated.

    Args:
        now: the moment against which usage is held.
        counted: adds the uses that are not recorded yet to an entry.
    """
    nodes = relations.descendants(views, oid, [RelationType.DEPENDS_ON])
    direct = [node.id for node in nodes if node.depth == 1]
    entry = counted(catalogue.entry(views, oid))
    active = is_active(entry, now)
    return ImpactReport(
        artifact_id=oid,
        direct_dependents=len(direct),
        transitive_dependents=len(nodes),
        dependent_ids=tuple(node.id for node in nodes),
        active_usage=active,
        severity=severity(len(nodes), active),
        recommended_actions=tuple(_actions(views, entry, [str(each) for each in direct], len(nodes), active)),
    )


def is_active(entry: CatalogEntry, now: datetime) -> bool:
    """Whether an artifact was used less than 30 days ago."""
    last = parse_time(entry.last_used) if entry.last_used else None
    return entry.usage_count > 0 and last is not None and last > now - IN_USE


def severity(dependents: int, active: bool) -> str:
    """Return how much a deprecation would hurt, by the table above."""
    level = sum(dependents >= step for step in _STEPS) + active
    return _SEVERITIES[min(level, len(_SEVERITIES) - 1)]


def replacements(
    views: Views, oid: str, likeness: Similarity, is_subtype: Subtype | None = None
) -> list[tuple[float, CatalogEntry]]:
    """
    Return what could replace an artifact, best first (semantics 37).

    A candidate is active, takes at least what the artifact takes and gives at most what it gives. The one that the
    artifact was deprecated in favour of comes first; then by similarity, then by id. Without types nothing matches.
    """
    fits = is_subtype or _is_subtype
    wanted = catalogue.entry(views, oid)
    if not wanted.input_type or not wanted.output_type:
        return []
    candidates = [
        each
        for each in catalogue.entries(views, EntryStatus.ACTIVE)
        if each.id != oid
        and each.input_type
        and each.output_type
        and fits(wanted.input_type, each.input_type)
        and fits(each.output_type, wanted.output_type)
    ]
    scores = likeness(wanted.text, [each.text for each in candidates])
    return sorted(
        zip(scores, candidates, strict=True),
        key=lambda pair: (pair[1].id != wanted.deprecated_in_favor_of, -pair[0], pair[1].id),
    )


def _is_subtype(one: str, other: str) -> bool:
    """Whether two types are the same, or the wider one takes anything, or the narrower one never comes."""
    return one == other or other == "Any" or one == "Never"


def _actions(views: Views, entry: CatalogEntry, direct: list[str], dependents: int, active: bool) -> list[str]:
    """Return what to do, in order, each with the names that it is about."""
    name = views.name(entry.id)
    actions = []
    if entry.deprecated_in_favor_of:
        actions.append(f"point users to {views.name(entry.deprecated_in_favor_of)}, which replaces {name}")
    else:
        actions.append(f"name a replacement: gitlineage catalog set {name} deprecated_in_favor_of=ID")
    if direct:
        names = ", ".join(views.name(each) for each in direct[:_NAMED])
        more = f" and {len(direct) - _NAMED} more" if len(direct) > _NAMED else ""
        actions.append(f"move {names}{more} off {name}: they depend on it directly")
    if dependents > len(direct):
        actions.append(
            f"test the {dependents - len(direct)} that depend on those: "
            f"gitlineage descendants {name} --relations depends_on"
        )
    if active:
        actions.append(f"wait until nobody uses {name}: {entry.usage_count} uses, the last on {entry.last_used}")
    if not direct and not active:
        actions.append(f"nothing stands in the way: gitlineage catalog set {name} status=deprecated")
    return actions
