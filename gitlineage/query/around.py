"""
What is around many trials or snapshots at once: their parents, labels and roles, each asked for by one statement.

A listing reads its rows in parts, and makes one of these for each part; a row must not ask the index by itself.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from gitlineage.index.index import Index
from gitlineage.model.rank import FIRST_ON_SNAPSHOT
from gitlineage.query.labels import Labels, meant

_LINKS = "SELECT child, pos, parent FROM links WHERE child IN ({}) ORDER BY child, pos"
_LINKS_IN_ORDER = (
    "SELECT l.child, l.pos, l.parent FROM links l JOIN snapshots p ON p.id = l.parent "
    "WHERE l.child IN ({}) ORDER BY l.child, l.pos, p.clock, p.writer"
)
_ON_PARENTS = "SELECT snapshot, exp_id FROM trials WHERE snapshot IN ({})"
_ON_PARENTS_IN_ORDER = (
    "SELECT t.snapshot, t.exp_id, t.writer, s.oid FROM trials t JOIN snapshots s ON s.id = t.snapshot "
    f"WHERE t.snapshot IN ({{}}) ORDER BY {FIRST_ON_SNAPSHOT}"
)

Trials = Sequence[tuple[str, str, str]]
"""Exp id, writer and snapshot of the trials on a parent; the latter two are empty where the exp id is enough."""


class Around:
    """
    The nearest kin of some snapshots.

    Args:
        snapshots: their numbers in the index.
        exp_ids: those of the trials that are listed.
        shared: the exp ids that several trials of the whole store have, where they are known; else they are asked for.
    """

    def __init__(
        self,
        index: Index,
        labels: Labels,
        snapshots: Collection[int],
        exp_ids: Collection[str],
        shared: Collection[str] | None = None,
    ) -> None:
        self._labels = labels
        self.links = self._ordered(index, snapshots)
        parents = {parent for above in self.links.values() for _, parent in above}
        on_parents = index.grouped(_ON_PARENTS, parents)
        used = {*exp_ids, *(exp_id for on in on_parents.values() for (exp_id,) in on)}
        self.names = labels.among(used if shared is None else used & set(shared))
        several = [at for at, on in on_parents.items() if len(on) > 1 or not self.names.is_alone(on[0][0])]
        self.near: dict[int, Trials] = {at: [(on[0][0], "", "")] for at, on in on_parents.items()}
        self.near |= index.grouped(_ON_PARENTS_IN_ORDER, several)

    @staticmethod
    def _ordered(index: Index, snapshots: Collection[int]) -> Mapping[int, Sequence[tuple[int, int]]]:
        """Return position and number of parents; of those that stand for one unrecorded commit the earlier first."""
        links = index.grouped(_LINKS, snapshots)
        doubtful = [child for child, above in links.items() if len({pos for pos, _ in above}) < len(above)]
        return {**links, **index.grouped(_LINKS_IN_ORDER, doubtful)} if doubtful else links

    def parents(self, snapshot: int) -> Sequence[int]:
        """Return the numbers of a snapshot's parents, the primary one first."""
        return [parent for _, parent in self.links.get(snapshot, ())]

    def parent(self, snapshot: int, cell: str, writer: str) -> str | None:
        """Return the label of the primary parent's trial: the one that a writer's cell means, else its first."""
        above = self.links.get(snapshot)
        if not above:
            return None
        trials = self.near.get(above[0][1])
        if not trials:
            return self._labels.parent(above[0][1], cell, writer)
        return self.names.label(*meant(trials, cell, writer))

    def name(self, parent: int) -> str:
        """Return how to name a parent: by its first trial, else as the labels have it."""
        trials = self.near.get(parent)
        return self.names.label(*trials[0]) if trials else self._labels.name_of(parent)


def roles_of(text: str) -> dict[str, str]:
    """Return what a snapshot's column of roles says, by oid; most say nothing."""
    return {} if text == "{}" else msgspec.json.decode(text, type=dict[str, str])


def standing_in(index: Index) -> dict[Any, Any]:
    """Return the commits that took the places of stand-ins, by these."""
    return dict(index.rows("SELECT old, min(new) FROM arrivals GROUP BY old"))
