"""
Where a commit without explicit parents belongs: its parents by content, or the snapshot that it is a replicate of.

The library does what its arguments say; this is what the command line does where they are left out, and the
words in which it says so.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gitlineage.model.records import Cohort, Snapshot
from gitlineage.model.trial import AUTO_ID, Trial
from gitlineage.query import ancestry
from gitlineage.query.judge import is_unknown
from gitlineage.query.nearest import HEAD, Nearest
from gitlineage.store.store import LineageStore

GIVEN, COHORT, NEAREST, NOTHING = "given", "cohort", "nearest", "nothing"
"""How parents were found: said by the caller, the cohort's base, by content; or there are none to be found."""

REPLICATE = "replicate"
"""What is said instead for content that a snapshot has already."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where a snapshot belongs.

    Args:
        near: its content and what that is nearest to.
        parents: what it is derived from.
        how: how they were found: `GIVEN`, `COHORT`, `NEAREST` or `NOTHING`.
        replicate_of: the snapshot that has this content from these parents already.
        result_of: the exp id of the trial there that waits for this very result.
    """

    near: Nearest
    parents: tuple[str, ...]
    how: str
    replicate_of: str | None = None
    result_of: str = ""

    @property
    def content(self) -> str:
        """The tree."""
        return self.near.tree

    def told(self, store: LineageStore) -> str:
        """Return in words where a snapshot without explicit parents went; empty where nothing was guessed."""
        name = store.ledger.views().name
        if self.result_of:
            return f"the result of {self.result_of}, which was waiting; its content is the same"
        if self.replicate_of is not None:
            return f"replicate of {name(self.replicate_of)} (equal content; --new makes another derivation)"
        if self.how == NEAREST:
            at_head = self.near.how == HEAD and not store.snapshot(self.parents[0]).recorded
            what = "HEAD" if at_head else "nearest"
            return f"from {name(self.parents[0])} ({what}; --parents says otherwise)"
        if self.how == COHORT:
            base = ",".join(map(name, self.parents)) or "nothing"
            return f"from {base} (the cohort's base; --parents says otherwise)"
        if self.how == NOTHING:
            return "from nothing (no snapshot to compare with yet; --parents says otherwise)"
        return ""

    def object(self, store: LineageStore) -> dict[str, Any]:
        """Return the same facts for JSON."""
        name = store.ledger.views().name
        near = self.near
        return {
            "parents_by": self.how if self.replicate_of is None else REPLICATE,
            "nearest": None
            if near.oid is None
            else {
                "id": name(near.oid),
                "oid": near.oid,
                "how": near.how,
                "changed": near.changed,
                "paths": near.paths,
                "candidates": [{"id": name(each.oid), "oid": each.oid, "how": each.how} for each in near.candidates],
            },
            "replicate_of": name(self.replicate_of) if self.replicate_of is not None and not self.result_of else None,
        }


def place(
    store: LineageStore,
    content: Mapping[str, bytes] | Path | str | None = None,
    *,
    parents: Sequence[str] | None = None,
    trial: Trial | None = None,
    cohort: str | None = None,
    roles: Mapping[str, str] | None = None,
    new: bool = False,
) -> Place:
    """
    Return where content belongs, inside the batch in which it is then recorded.

    Args:
        content: as for `LineageStore.commit`.
        parents: what the caller says it was derived from; ``None`` where nothing was said.
        trial: the row to be recorded with it.
        cohort: the batch that it is to belong to; without parents, it is derived from that batch's base.
        roles: what its parents were; where they are given, or a batch together with parents, it is a derivation of its
            own.
        new: whether it is another derivation even where a snapshot has its content already.

    Raises:
        NotFound: an unknown parent or revision.
        InvalidContent: as `LineageStore.commit`.
    """
    near = store.nearness(content)
    known = store.ledger.views().cohorts.find(cohort, members=False) if cohort is not None else None
    if parents is not None:
        how = GIVEN
        oids: tuple[str, ...] = tuple(dict.fromkeys(store.resolve(each) for each in parents))
    else:
        oids, how = _guessed(near, known)
    if new or roles or (parents is not None and cohort is not None):
        return Place(near=near, parents=oids, how=how)
    for snapshot in _with_content(store, near):
        if cohort is not None and (known is None or snapshot.cohort != known.name):
            continue
        if how == GIVEN and not _is_from(store, snapshot, oids):
            continue
        return Place(
            near=near, parents=oids, how=how, replicate_of=snapshot.oid, result_of=_waiting(store, snapshot, trial)
        )
    return Place(near=near, parents=oids, how=how)


def _guessed(near: Nearest, cohort: Cohort | None) -> tuple[tuple[str, ...], str]:
    if cohort is not None and not cohort.allow_mixed:
        return tuple(cohort.base), COHORT
    return ((near.oid,), NEAREST) if near.oid is not None else ((), NOTHING)


def _with_content(store: LineageStore, near: Nearest) -> list[Snapshot]:
    """Return the snapshots of a content that is known to be theirs: nearby ones first, then in recording order."""
    views = store.ledger.views()
    rows = views.index.rows("SELECT oid FROM snapshots WHERE tree = ? ORDER BY clock, writer LIMIT 100", near.tree)
    nearby = [each.oid for each in near.candidates if each.tree == near.tree]
    snapshots = views.snapshots([*nearby, *(oid for (oid,) in rows)])
    return [each for each in snapshots if not (each.stub or _is_unknown(store, each))]


def _is_unknown(store: LineageStore, snapshot: Snapshot) -> bool:
    above = store.ledger.views().tree(snapshot.parents[0]) if snapshot.parents else None
    return is_unknown(snapshot.tree, snapshot.author, above)


def _is_from(store: LineageStore, snapshot: Snapshot, parents: Sequence[str]) -> bool:
    """Whether a snapshot was derived from just these, in this order."""
    recorded = [each.oid for each in ancestry.parents(store.ledger.views(), snapshot.oid)]
    return list(parents) in (list(snapshot.parents), recorded)


def _waiting(store: LineageStore, snapshot: Snapshot, trial: Trial | None) -> str:
    """Return the exp id of the one trial on a snapshot that waits for just this row's result."""
    waiting = [each for each in snapshot.trials if each.status is None]
    if trial is None or len(waiting) != 1 or (trial.status is None and store.task.score(trial) is None):
        return ""
    fits = trial.hypothesis in ("", waiting[0].hypothesis) and trial.exp_id in (AUTO_ID, waiting[0].exp_id)
    return waiting[0].exp_id if fits else ""
