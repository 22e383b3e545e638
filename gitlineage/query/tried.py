"""
Whether something was tried before: equal content under the same command, the same edit, or nearly the same words.

What is exact is one question to the index. What is near is looked for among so many trials that the answer does not
grow with the store (semantics 96): it is there to be shown, never to refuse by.
"""

from collections.abc import Mapping, Sequence

import msgspec

from gitlineage.index.schema import AUTHOR
from gitlineage.model.rank import ELIGIBLE, INFORMS, IS_RETRACTED, LATEST, none_of
from gitlineage.model.records import TrialView
from gitlineage.model.similarity import by_words, tokens
from gitlineage.model.trial import FailureLabel
from gitlineage.query.judge import COMMAND, is_unknown
from gitlineage.query.nearest import changes
from gitlineage.query.search import likely
from gitlineage.query.views import Views

_SHOWN = 5
"""Trials of each kind that are found at most."""

_EQUAL = 1000
"""Trials of one content that are looked at."""

_ALIKE = 300
"""Trials whose hypothesis is compared with one that is asked about."""

LIKENESS = 0.6
"""From what cosine on two hypotheses are alike."""

_EDITS = 500
"""Of how many of the newest trials that were not kept the edit is known."""

_NEVER_RAN = FailureLabel.HARNESS_ABORT, FailureLabel.PREFLIGHT_CRASH
"""How trials end that say nothing of their content."""

_ON_TREE = f"""
SELECT t.id, s.tree, {AUTHOR},
    (SELECT p.tree FROM git_parents g JOIN snapshots p ON p.oid = g.parent WHERE g.child = s.id AND g.pos = 0)
FROM snapshots s JOIN trials t ON t.snapshot = s.id
WHERE s.tree = ? AND NOT coalesce({IS_RETRACTED}, 0) ORDER BY {LATEST} LIMIT {_EQUAL}
"""
_NOT_KEPT = f"""
SELECT t.snapshot, t.id FROM trials t INDEXED BY trials_by_order
WHERE {INFORMS} AND {none_of("+t.status", ELIGIBLE)} ORDER BY {LATEST} LIMIT {_EDITS}
"""
_TREES = f"""
SELECT s.id, s.tree, {AUTHOR},
    (SELECT p.tree FROM git_parents g JOIN snapshots p ON p.oid = g.parent WHERE g.child = s.id AND g.pos = 0)
FROM snapshots s WHERE s.id IN ({{}})
"""

_MAKE = "CREATE TABLE IF NOT EXISTS edits (snapshot INTEGER PRIMARY KEY, edit TEXT NOT NULL)"
"""Beside the tables of the index, made at the first question: who asks none pays nothing for it."""


class Alike(msgspec.Struct, frozen=True):
    """A trial with nearly the same hypothesis, and how alike the two are, from 0 to 1."""

    view: TrialView
    likeness: float


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was tried of something that is asked about; the newest first in each list.

    Args:
        tree: the content that was asked about; empty where none was.
        same: trials with a result on equal content, under the same command where one was asked about: it was tried.
        going: trials without a result on equal content, likewise: it is waited for.
        other: trials on equal content under another command, or one that is not known.
        edits: trials that were not kept whose edit put in and took out the same lines.
        alike: trials with nearly the same hypothesis, the most alike first.
        untold: folders with code in repositories of their own of which a snapshot tells too little, and why; where
            there are any, equal content may be other code, and nothing counts as tried.
    """

    tree: str = ""
    same: tuple[TrialView, ...] = ()
    going: tuple[TrialView, ...] = ()
    other: tuple[TrialView, ...] = ()
    edits: tuple[TrialView, ...] = ()
    alike: tuple[Alike, ...] = ()
    untold: Mapping[str, str] = {}

    @property
    def first(self) -> TrialView | None:
        """The newest trial that tried the very same; ``None`` where it was not tried."""
        return self.same[0] if self.same and not self.untold else None

    @property
    def is_known(self) -> bool:
        """Whether anything of it is known."""
        return any((self.same, self.going, self.other, self.edits, self.alike))


def exactly(views: Views, tree: str, command: str | None = None) -> Tried:
    """
    Return the trials on equal content.

    Args:
        tree: the content.
        command: the command as its column spells it; ``None`` for any.
    """
    known = [number for number, *outcome in views.index.rows(_ON_TREE, tree) if not is_unknown(*outcome)]
    same, going, other = [], [], []
    for view in views.by_number(known):
        if command is not None and view.trial.text(COMMAND) != command:
            other.append(view)
        elif view.trial.status is None:
            going.append(view)
        elif view.trial.status not in _NEVER_RAN:
            same.append(view)
    first = slice(_SHOWN)
    return Tried(tree=tree, same=tuple(same[first]), going=tuple(going[first]), other=tuple(other[first]))


def by_edit(views: Views, tree: str, parent: str) -> tuple[TrialView, ...]:
    """
    Return the trials of late of other content that were not kept and whose edit was the same, wherever it was made.

    Args:
        tree: the content.
        parent: the content that it was made from.
    """
    edit = changes(views.repo, parent, tree).edit
    if not edit:
        return ()
    numbers = dict(views.index.rows(_NOT_KEPT))
    known = _edits(views, list(numbers))
    equal = {snapshot: number for snapshot, number in numbers.items() if known.get(snapshot) == edit}
    trees = {at: content for at, ((content, *_),) in views.index.grouped(_TREES, equal).items()}
    return tuple(views.by_number([number for at, number in equal.items() if trees[at] != tree][:_SHOWN]))


def by_hypothesis(views: Views, hypothesis: str, *, build: bool = True) -> tuple[Alike, ...]:
    """
    Return the trials with nearly the same words, the most alike first; of equals, the newest.

    Args:
        build: whether to make a store searchable that is not yet; otherwise its newest trials are compared.
    """
    words = tokens(hypothesis)
    if not words:
        return ()
    near = [view for view in views.by_number(likely(views, words, _ALIKE, build=build)) if view.retracted is None]
    likenesses = by_words(hypothesis, [view.trial.hypothesis for view in near])
    alike = [Alike(view, likeness) for view, likeness in zip(near, likenesses, strict=True) if likeness >= LIKENESS]
    alike.sort(key=lambda each: -each.likeness)
    return tuple(alike[:_SHOWN])


def _edits(views: Views, snapshots: Sequence[int]) -> dict[int, str]:
    """Return the edit of each of some snapshots, empty where it is not known; what was worked out once is kept."""
    index = views.index
    known: dict[int, str] = {}
    if index.one("SELECT 1 FROM sqlite_master WHERE name = 'edits'") is not None:
        rows = index.grouped("SELECT snapshot, edit FROM edits WHERE snapshot IN ({})", snapshots)
        known = {at: edit for at, ((edit,),) in rows.items()}
    new = {}
    for at, ((tree, author, above),) in index.grouped(_TREES, [at for at in snapshots if at not in known]).items():
        unknown = above is None or is_unknown(tree, author, above)
        new[at] = "" if unknown else changes(views.repo, above, tree).edit
    if new:
        with index.writing():
            index.file.connection.execute(_MAKE)
            index.file.connection.executemany("INSERT OR REPLACE INTO edits VALUES (?, ?)", new.items())
    return known | new
