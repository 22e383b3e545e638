"""The rules of recording: what a snapshot, a row or a cohort must be, and what the store fills in."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from gitlineage.bounds import MAX_COLUMNS, MAX_LINE
from gitlineage.errors import CohortMismatch, Duplicate, Invalid, InvalidContent, InvalidTrial, NotFound
from gitlineage.git.content import Content
from gitlineage.git.folders import Taken
from gitlineage.git.formats import CommitInfo, Identity
from gitlineage.git.repository import GitRepo
from gitlineage.journal import events
from gitlineage.model.message import flattened
from gitlineage.model.namespace import DEFAULT
from gitlineage.model.rank import ELIGIBLE, against, beats, record
from gitlineage.model.records import GAVE_NOTHING, ROLES
from gitlineage.model.trial import (
    AUTO_ID,
    Trial,
    check_id_prefix,
    check_new_id,
    numbered,
    refuse_non_finite,
    split_number,
)
from gitlineage.query.ancestry import originals
from gitlineage.query.judge import judge
from gitlineage.query.names import Id, resolve, taken_for
from gitlineage.query.views import Views
from gitlineage.record.landing import Landing
from gitlineage.times import parse_time, stamp

_MAX_NAME = 200
_SIGN = 8
"""Bytes that a character takes in an event at most, and more than that: six in JSON, and some for what is around it."""


class Base(NamedTuple):
    """What a cohort asks of its members: the parents it was opened with, or any others; and how they name it."""

    name: str
    oids: Sequence[str]
    allow_mixed: bool


class Memory:
    """What a store remembers from one landing to the next: the best trial."""

    def __init__(self) -> None:
        self.best: Trial | None = None
        self.best_of = -1
        """The index's generation in which that is the best trial."""

    def best_in(self, views: Views) -> Trial | None:
        """Return the best trial; the index is asked again only after something that may have made it another one."""
        if self.best_of != views.index.generation:
            self.best = views.best_row()
            self.best_of = views.index.generation
        return self.best

    def has_best(self, generation: int) -> bool:
        """Whether the best trial is known, and is one that only a better one replaces."""
        return self.best_of == generation and self.best is not None and self.best.status in ELIGIBLE


class Rules:
    """
    Asks the store about what is to land.

    Args:
        repo: the repository.
        views: the store, with what the landing holds so far.
        landing: where events go.
        identity: who commits, for snapshots that do not come from a table.
        memory: what landings before have left.
        hear: is told what a folder gave, and what of it is in no snapshot.
    """

    def __init__(
        self,
        repo: GitRepo,
        views: Views,
        landing: Landing,
        identity: Identity,
        memory: Memory,
        hear: Callable[[Taken], None],
    ) -> None:
        self._repo = repo
        self._views = views
        self.landing = landing
        self._identity = identity.clean()
        self._memory = memory
        self._hear = hear
        self._content = content_of(repo, hear)
        self._taken: set[str] = set()
        self._bases: dict[str, Base] = {}
        self._trees: dict[str, str] = {}
        self._exp_ids: dict[str, str] = {}
        self._made: dict[str, CommitInfo] = {}
        prefix = repo.config("lineage.idPrefix")
        self._prefix = check_id_prefix(prefix) if prefix else ""
        self._has_sessions = bool(views.index.one("SELECT 1 FROM sessions LIMIT 1"))

    def _tree(self, content: Mapping[str, bytes] | Path | str | None, near: Sequence[str]) -> str:
        if isinstance(content, str) and content in self._taken:
            return content
        return content_tree(self._views, self._content, content, near)

    def take(self, content: Mapping[str, bytes] | Path | str | None, near: Sequence[str]) -> str:
        """Write content and return its tree, by which it can then be recorded in the same landing."""
        tree = self._tree(content, near)
        self._taken.add(tree)
        return tree

    def _roles(self, parents: Sequence[str], roles: Mapping[str, str]) -> dict[str, str]:
        """Return roles by oid, git parents first in their order."""
        given: dict[str, str] = {}
        for name, role in roles.items():
            if role not in ROLES:
                raise Invalid(f"role {role!r} of {name!r}: must be one of {', '.join(ROLES)}")
            oid = resolve(self._views, name)
            if oid not in parents and role not in GAVE_NOTHING:
                raise Invalid(f"{name!r} has the role {role!r} but is not among the parents")
            if given.setdefault(oid, role) != role:
                raise Invalid(f"{name!r} has two roles: {given[oid]} and {role}")
        return {oid: given[oid] for oid in (*parents, *given) if oid in given}

    def _check_cohort(self, name: str, parents: Sequence[str]) -> str | None:
        """Return the name of the cohort that is meant, ``None`` where it has to be opened with these parents."""
        base = self._bases.get(name)
        if base is None:
            check_cohort_name(name)
            cohort = self._views.cohorts.find(name, members=False)
            if cohort is None:
                return None
            base = self._bases[name] = Base(cohort.name, cohort.base, cohort.allow_mixed)
        if not base.allow_mixed and set(base.oids) != set(parents):
            names = self._views.name
            raise CohortMismatch(name, [names(oid) for oid in base.oids], [names(oid) for oid in parents])
        return base.name

    def _fill(self, trial: Trial, parents: Sequence[str], tree: str | None, *, judged: bool = True) -> Trial:
        """
        Return the row with what the store knows in its empty cells: id, time, status, parent, best and delta.

        Args:
            trial: the row.
            parents: what its snapshot was derived from.
            tree: its content, where it is known.
            judged: whether a score without a status gets the one that it deserves.
        """
        found: dict[str, str] = {}
        if trial.status is None and judged:
            trial = self._with_status(trial, tree, parents)
        if trial.exp_id == AUTO_ID:
            found["exp_id"] = self._next_exp_id()
        if not trial.timestamp:
            found["timestamp"] = stamp(self.landing.moment())
        if not trial.parent_exp and (parent := self._parent_id(parents)):
            found["parent_exp"] = parent
        if trial.status is not None:
            found |= self._against_best(trial)
        return Trial.trusted({**trial.cells(), **found}) if found else trial

    def _with_status(self, trial: Trial, tree: str | None, parents: Sequence[str]) -> Trial:
        """Return a row with the status that its score deserves where it has none; without a score it stays pending."""
        score = self._views.task.score(trial)
        if trial.status is not None or score is None:
            return trial
        above = (self._trees.get(parent) or self._views.tree(parent) for parent in parents)
        trees = (tree, *filter(None, above)) if tree else ()
        return trial.replace(status=judge(self._views, score, trees).status)

    def judged(self, trial: Trial, oid: str | None) -> Trial:
        """Return a row on a commit, or on what stands in for one, with the status that its score deserves."""
        tree = self._known_tree(oid) if oid else None
        return self._with_status(trial, tree, self._repo.parents(oid) if oid else ())

    def _next_exp_id(self) -> str:
        """
        Return the highest number among the exp ids plus one, with at least three digits (semantics 13).

        It is numbered on its own where this clone has a prefix for automatic exp ids.
        """
        return next(self._free(self._views.index.highest_number(self._prefix) + 1))

    def _replicate_id(self, oid: str) -> str:
        """
        Return the exp id of a further run on a snapshot.

        It has this writer's name in it where another one recorded the snapshot: one exp id on one snapshot is one trial
        whoever says it, so two clones that run the same code must not take the same number.
        """
        owner = self._views.index.one("SELECT writer FROM snapshots WHERE oid = ?", oid)
        if self._prefix or owner is None or owner[0] == self.landing.writer:
            return self._next_exp_id()
        numbers = self._free(self._views.index.highest_number(self._prefix) + 1)
        named = (f"{number}-{self.landing.writer}" for number in numbers)
        return next(exp_id for exp_id in named if not self._views.is_named(exp_id))

    def _free(self, start: int) -> Iterator[str]:
        """Return numbered exp ids from a number on, without those that git has for a branch or a tag."""
        named = (numbered(self._prefix, number) for number in itertools.count(start))
        return (exp_id for exp_id in named if not self._repo.is_name(exp_id))

    def numbered(self, rows: Sequence[Trial]) -> list[Trial]:
        """Return rows with an exp id each: automatic ones go on from the highest number, that of the rows included."""
        if all(row.exp_id != AUTO_ID for row in rows):
            return list(rows)
        split = [split_number(row.exp_id) for row in rows]
        taken = [found[1] for found in split if found is not None and found[0] == self._prefix]
        free = self._free(max(self._views.index.highest_number(self._prefix), *taken, -1) + 1)
        return [row.replace(exp_id=next(free)) if row.exp_id == AUTO_ID else row for row in rows]

    def _tree_of(self, oid: str) -> str:
        """Return a commit's tree; those that this landing made are known."""
        return self._trees.get(oid) or self._views.tree(oid) or self._repo.commit(oid).tree

    def _known_tree(self, oid: str) -> str | None:
        """Return a commit's tree, ``None`` where the commit is missing, as in a shallow clone."""
        return self._tree_of(oid) if self._repo.exists(oid) else None

    def _parent_id(self, parents: Iterable[str]) -> str | None:
        for oid in parents:
            known = self._exp_ids.get(oid) or self._views.exp_id_on(oid)
            before = (self._views.exp_id_on(old) for old in (() if known else originals(self._views, oid)))
            return known or next(filter(None, before), None)
        return None

    def _against_best(self, trial: Trial) -> dict[str, str]:
        """Return the cells that compare a row with the best so far (semantics 16)."""
        return against(self._views.task, trial, self._memory.best_in(self._views))

    def _hold_against_best(self, trial: Trial, revised: bool) -> None:
        """Know the best trial after another one was recorded; the index is asked where that does not say it."""
        best, task = self._memory.best, self._views.task
        if revised or record(task, best) is None:
            self._memory.best_of = -1
        elif beats(task, trial, best):
            self._memory.best = trial

    def _resolve(self, name: Id) -> str:
        """Return the commit that a name stands for; one that this landing made needs no search."""
        if isinstance(name, str) and name in self._trees:
            return name
        return resolve(self._views, name)

    def _already(self, row: Trial, given: Trial, tree: str, parents: Sequence[str]) -> str | None:
        """Return the snapshot that this very commit made before, so that a retry adds nothing."""
        if not self._views.is_named(row.exp_id):
            return None
        for view in self._views.named_exactly(row.exp_id):
            snapshot = self._views.snapshot(view.oid)
            alike = snapshot.tree == tree and list(snapshot.parents) == list(parents)
            if alike and agrees(given, view.trial):
                return snapshot.oid
        self._refuse_taken(row.exp_id)
        return None

    def _refuse_taken(self, exp_id: str) -> None:
        if exp_id != AUTO_ID and self._views.is_named(exp_id):
            holder = self._views.named_exactly(exp_id)[0].oid[:12]
            raise Duplicate(
                exp_id, f"is taken by {holder}; leave it out to get the next free number, or revise that row"
            )

    def taken_for(self, exp_id: str) -> str:
        """Return what a new exp id could be taken for, in words; empty for nothing."""
        return taken_for(self._views, exp_id)

    def refuse_claimed(self, exp_id: str) -> None:
        """Refuse a new exp id that stands for something else already, or that no command could name."""
        if exp_id == AUTO_ID:
            return
        if meaning := self.taken_for(exp_id):
            raise InvalidTrial("exp_id", exp_id, f"is {meaning}, which it could be taken for; choose another one")
        check_new_id(exp_id)

    def check_row(self, trial: Trial) -> None:
        """
        Refuse a row that cannot be ranked or is too long, before anything is written for it.

        The line of JSON is made when the row lands; here only one that may not fit is made, to be measured.
        """
        field = self._views.task.score_field
        if trial.number(field) is None:
            refuse_non_finite(field, trial.text(field))
        cells = trial.cells()
        size = sum(len(column) + len(text) for column, text in cells.items())
        if _SIGN * size > MAX_LINE or len(cells) > MAX_COLUMNS or not all(map(str.isascii, trial.extra)):
            events.encode(events.TrialEvent(row=cells))

    def _session_before(self, trial: Trial) -> str:
        """Return the session whose prompt a trial's agent had read: the specialist's last one here, if unused."""
        if not self._has_sessions:
            return ""
        row = self._views.index.one(
            "SELECT oid FROM sessions WHERE specialist = ? AND writer = ? ORDER BY clock DESC LIMIT 1",
            trial.specialist,
            self.landing.writer,
        )
        if row is None:
            return ""
        used = self._views.index.one("SELECT 1 FROM trials WHERE saw = ? AND exp_id <> ?", row[0], trial.exp_id)
        return "" if used else str(row[0])

    def _waiting_before(self, oid: str) -> tuple[str, Trial] | None:
        """Return the one trial that waits for its result on a commit that an amend or a rebase made this one from."""
        for old in originals(self._views, oid):
            waiting = [view.trial for view in self._views.on_snapshot(old) if view.trial.status is None]
            if len(waiting) == 1:
                return old, waiting[0].replace(exp_id=AUTO_ID, timestamp="")
        return None

    def _trailer_id(self, oid: str) -> str:
        """Return the exp id that a snapshot was made for, where nobody recorded a row with it."""
        row = self._views.index.one("SELECT exp_id FROM snapshots WHERE oid = ?", oid)
        is_free = row and row[0] and not self._views.named_exactly(row[0]) and not taken_for(self._views, row[0])
        return str(row[0]) if row and is_free else ""

    def _moment(self, trial: Trial | None) -> datetime:
        told = parse_time(trial.timestamp) if trial else None
        return told or self.landing.moment()


def content_of(repo: GitRepo, hear: Callable[[Taken], None] | None = None) -> Content:
    """Return what writes content into a repository, with the index that is kept for its working tree."""
    return Content(repo, hear=hear, kept=DEFAULT.folder(repo.gitdir) / "tree")


def content_tree(
    views: Views, taken: Content, content: Mapping[str, bytes] | Path | str | None, near: Sequence[str]
) -> str:
    """
    Write what content is and return its tree.

    Args:
        views: the store.
        taken: writes into the repository.
        content: files by path, an id, revision or tree, or a folder; ``None`` for the working tree. A text that may
            be both is the id or revision: ``./000`` is the folder.
        near: trees that are sure to stay; what they hold at the same path is not written again.

    Raises:
        Invalid: there is no working tree.
        InvalidContent: a path that leads outside, a file over the limit, or a text that names nothing.
    """
    repo = views.repo
    if isinstance(content, Mapping):
        return taken.from_mapping(content, near)
    if content is None:
        if repo.workdir is None:
            raise Invalid("there is no working tree: say which content to record")
        return taken.from_folder(repo.workdir, near, everything=False).tree
    if isinstance(content, Path):
        return taken.from_folder(content, near, everything=False).tree
    try:
        rev: str = resolve(views, content)
    except NotFound:
        rev = content
    tree = taken.from_revision(rev)
    if tree is not None:
        return tree
    if Path(content).is_dir():
        return taken.from_folder(Path(content), near, everything=False).tree
    raise InvalidContent(content, "is neither a folder nor a commit, tree or id of this store")


def agrees(given: Trial, known: Trial) -> bool:
    """Whether a row says nothing that a recorded one does not say too."""
    cells = known.cells()
    return all(cells.get(column, "") == text for column, text in given.cells().items() if column != "exp_id")


def merged(given: Trial, known: Trial) -> Trial:
    """Return a row with its empty cells filled from an earlier version."""
    return Trial.from_cells({**known.cells(), **{name: text for name, text in given.cells().items() if text}})


def check_cohort_name(name: str) -> None:
    """Refuse a text that cannot name a cohort: empty, padded, overlong or of several lines."""
    if not name or name != flattened(name) or len(name) > _MAX_NAME:
        raise Invalid(f"{name!r} cannot name a cohort: a name is one line of 1 to {_MAX_NAME} characters")
