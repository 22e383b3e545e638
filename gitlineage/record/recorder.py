"""
Recording into a landing: snapshots, rows, tables, cohorts, sessions; start at `Recorder`.

Every check comes before the first event, so that a refusal leaves nothing behind, not even in a batch.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gitlineage import house
from gitlineage.bounds import MAX_COLUMNS, MAX_LINE
from gitlineage.errors import Ambiguous, BadRows, CohortMismatch, Duplicate, Invalid, InvalidTrial, TaskInUse
from gitlineage.git.formats import FILE, CommitInfo, Entry, Identity, dated
from gitlineage.git.repository import GitRepo
from gitlineage.index.fold import Made
from gitlineage.journal import events
from gitlineage.model.dag import first_of_cycles, topological
from gitlineage.model.message import Trailers, compose, flattened, snapshot_trailers
from gitlineage.model.rank import against
from gitlineage.model.records import GAVE_NOTHING, ROLES, CommitOid, Order, Snapshot, Task, TrialView
from gitlineage.model.relation import FAMILY
from gitlineage.model.trial import (
    AUTO_ID,
    Trial,
    check_id_prefix,
    check_new_id,
    numbered,
    refuse_non_finite,
    split_number,
)
from gitlineage.query import relations
from gitlineage.query.ancestry import originals, rewritten_from
from gitlineage.query.judge import COMMAND, judge
from gitlineage.query.names import Id, resolve, taken_for
from gitlineage.query.views import Views, own_row, snapshot_of
from gitlineage.record.landing import Landing
from gitlineage.record.rules import Base, Memory, agrees, check_cohort_name, content_of, content_tree, merged
from gitlineage.times import parse_time, stamp

if TYPE_CHECKING:
    from gitlineage.git.content import Content
    from gitlineage.git.folders import Taken

_TELL = 100
"""Rows between two words about how far a table is recorded."""

_SIGN = 8
"""Bytes that a character takes in an event at most, and more than that: six in JSON, and some for what is around it."""


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    A row on its way in from a table.

    Args:
        trial: its cells.
        raw: its bytes in the file, where writing the cells anew would differ.
        tree: the tree of its snapshot's folder, if it has one.
        line: where it stood in the file; 0 for none.
    """

    trial: Trial
    raw: str = ""
    tree: str | None = None
    line: int = 0


class Recorder:
    """
    Records into one landing, after it asked the store whether it may.

    Args:
        views: the store, with what the landing holds so far.
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
        hear: "Callable[[Taken], None]",
    ) -> None:
        self._repo = repo
        self._views = views
        self.landing = landing
        self._identity = identity.clean()
        self._memory = memory
        self._hear = hear
        self._taken: set[str] = set()
        self._bases: dict[str, Base] = {}
        self._trees: dict[str, str] = {}
        self._exp_ids: dict[str, str] = {}
        self._made: dict[str, CommitInfo] = {}
        self._remade: dict[str, tuple[str, ...]] = {}
        prefix = repo.config(house.ID_PREFIX)
        self._prefix = check_id_prefix(prefix) if prefix else ""
        self._has_sessions = bool(views.index.one("SELECT 1 FROM sessions LIMIT 1"))

    @cached_property
    def _content(self) -> "Content":
        return content_of(self._repo, self._hear)

    # -- snapshots -----------------------------------------------------------------------------------------

    def commit(
        self,
        content: Mapping[str, bytes] | Path | str | None,
        parents: Sequence[Id],
        trial: Trial | None,
        cohort: str | None,
        roles: Mapping[str, str],
        message: str | None,
    ) -> Snapshot:
        """Write a snapshot, record it with its row, and return it."""
        oids = list(dict.fromkeys([self._resolve(parent) for parent in parents]))
        known_roles = self._roles(oids, roles) if roles else {}
        tree = self._tree(content, [self._tree_of(parent) for parent in oids])
        row = self._fill(trial, oids, tree) if trial is not None else None
        if row is not None:
            self.check_row(row)
        known_cohort = self._check_cohort(cohort, oids) if cohort is not None else None
        is_opened = cohort is not None and known_cohort is None
        cohort = known_cohort or cohort
        if row is not None and trial is not None and trial.exp_id != AUTO_ID:
            known = self._already(row, trial, tree, oids)
            if known is not None:
                if content is None:
                    self.landing.stands_on = known
                return self._views.snapshot(known)
            self.refuse_claimed(row.exp_id)
        moment = self._moment(row)
        trailers = snapshot_trailers(
            row.exp_id if row else "",
            row.specialist if row else "",
            cohort,
            known_roles,
            "" if row else f"{self.landing.writer}-{self.landing.clock + 1}",
            self._named_writer,
        )
        said = message if message and flattened(message) else ""
        said = said or (flattened(row.hypothesis) if row else "") or (f"Trial {row.exp_id}" if row else "Snapshot")
        said = compose(said, trailers)
        oid = self._repo.write_commit(tree, oids, said, self._identity, moment)
        if is_opened and cohort is not None:
            self.open_cohort(cohort, oids, {}, False)
        others = tuple([CommitOid(parent) for parent in known_roles if parent not in oids])
        self.landing.keep.extend(others)
        author = f"{self._identity.name} <{self._identity.mail}>"
        told = Trailers(exp_id=row.exp_id if row else "", cohort=cohort or "", roles=tuple(known_roles.items()))
        made = Made(oid, tree, tuple(oids), said, author, dated(moment), told)
        self._trees[oid] = tree
        if content is None:
            self.landing.stands_on = oid
        if row is None:
            self.landing.add(oid, events.SnapshotEvent(), f"Record {oid[:12]}", None, made)
        else:
            self._add_trial(oid, row, saw=self._session_before(row), made=made)
        return self._recorded(made, row)

    def record(
        self,
        rev: Id,
        trial: Trial,
        revise: bool = False,
        *,
        replicate: bool = False,
        judged: bool = True,
        anew: bool = False,
        log: events.Log | None = None,
    ) -> tuple[str, str]:
        """
        Record a row on a commit, and return the commit's oid and the row's exp id.

        Args:
            revise: a new version of the row that is meant.
            replicate: a further row, whatever waits for its result.
            judged: whether a score without a status gets the one that it deserves.
            anew: whether a revision is judged by the best recorded before the row, whatever its status was.
            log: what its command printed.
        """
        oid: str = resolve(self._views, rev)
        here = self._views.on_snapshot(oid)
        if replicate and trial.exp_id == AUTO_ID:
            trial = trial.replace(exp_id=self._replicate_id(oid))
        if not here and trial.exp_id == AUTO_ID and not revise and (before := self._waiting_before(oid)):
            if self._tree_of(before[0]) == self._tree_of(oid):
                oid, here = before[0], self._views.on_snapshot(before[0])
            else:
                trial = merged(trial, before[1])
        if trial.exp_id == AUTO_ID and revise and here:  # the row that was named, whatever else waits on its snapshot
            named = [view for view in here if view.label == rev or view.trial.exp_id == rev]
            if len(named or here) > 1:
                raise Ambiguous(str(rev), [view.label for view in here])
            trial = trial.replace(exp_id=(named or here)[0].trial.exp_id)
        pending = [view for view in here if view.trial.status is None]
        if trial.exp_id == AUTO_ID and len(pending) == 1:
            trial = trial.replace(exp_id=pending[0].trial.exp_id)
        if trial.exp_id == AUTO_ID and not here and (meant := self._trailer_id(oid)):
            trial = trial.replace(exp_id=meant)
        known = own_row(here, trial.exp_id, self.landing.writer)
        takes_over = known is not None and self._is_others(known) and self._is_shown_ours(oid)
        if takes_over:
            known = None
        if known is not None and self._is_others(known) and not agrees(trial, known.trial):
            from gitlineage.record.repair import not_ones_own

            raise Invalid(not_ones_own(known))
        if known is None:
            self.refuse_claimed(trial.exp_id)
            self._refuse_taken(trial.exp_id, oid if takes_over else "")
            row = self._fill(trial, self._repo.parents(oid), self._known_tree(oid), judged=judged)
        else:
            if known.trial.status is not None and not revise:
                if agrees(trial, known.trial):
                    return oid, known.trial.exp_id
                raise Duplicate(trial.exp_id, "has a row on this snapshot that differs; --revise records a new version")
            row = merged(trial, self._unjudged(known.trial) if anew else self._without_delta(known.trial, trial))
            if row == known.trial:
                return oid, row.exp_id
            if anew and self._views.task.score(row) is None:
                raise Invalid(f"{known.label} has no score to judge; --metric gives one")
            place = known.order if anew else None
            row = self._fill(row, self._repo.parents(oid), self._known_tree(oid), judged=judged, place=place)
            if row == known.trial:
                return oid, row.exp_id
        self.check_row(row)
        self._add_trial(oid, row, saw=self._session_before(row), log=log)
        return oid, row.exp_id

    def _is_others(self, view: TrialView) -> bool:
        """Whether a row is for somebody else to speak about."""
        return self._views.index.speakers is not None and view.order.writer != self.landing.writer

    def _is_shown_ours(self, oid: str) -> bool:
        """Whether a commit shows that this writer made it, so that a row of its own takes the place of another's."""
        speakers = self._views.index.speakers
        return speakers is not None and speakers.is_proven(self.landing.writer, self._repo.commit(oid))

    @property
    def _named_writer(self) -> str:
        """Whom a snapshot names as its writer: where only owners' words count, so that nobody else can claim it."""
        return self.landing.writer if self._views.index.speakers is not None else ""

    def _recorded(self, made: CommitInfo, row: Trial | None) -> Snapshot:
        """Return a commit that this landing made and recorded, as the index will tell of it."""
        told = made.trailers if isinstance(made, Made) else Trailers()
        return snapshot_of(made, told, self.landing.writer, (row.on(made.oid),) if row else ())

    def _without_delta(self, known: Trial, given: Trial) -> Trial:
        """Return an earlier version of a row without its difference to the best, where that is not this score's."""
        score = self._views.task.score
        if score(given) in (None, score(known)) or given.text("delta_vs_best"):
            return known
        return known.replace(delta_vs_best=None)

    def _unjudged(self, known: Trial) -> Trial:
        """Return an earlier version of a row without the verdict on it."""
        return known.replace(status=None, baseline_exp="", delta_vs_best=None)

    def append(self, trial: Trial, parents: Sequence[Id] | None, root: Path) -> Snapshot:
        """
        Write a snapshot for a row alone, record it, and return it.

        The same row gives the same oid on every machine: the author is the specialist and the date the row's own. Where
        only owners' words count, it gives that for the same writer.
        """
        if trial.exp_id == AUTO_ID:
            trial = trial.replace(exp_id=self._next_exp_id())
        known = self.known_row(trial)
        if known is not None:
            return self._views.snapshot(known)
        self.refuse_claimed(trial.exp_id)
        named = self.parents_of(trial) if parents is None else [resolve(self._views, each) for each in parents]
        row = Row(trial=trial, tree=folder_tree(self._repo, trial, root, self._hear))
        self.check_row(trial)
        trial = self._with_status(trial, row.tree, named)
        row = msgspec.structs.replace(row, trial=trial)
        oid = self.write_row(row, list(dict.fromkeys(named)), self._moment(trial))
        made, is_new = self._made[oid], self._views.tree(oid) is None
        self.add_row(oid, row)
        return self._recorded(made, trial) if is_new else self._views.snapshot(oid)

    def write_row(
        self,
        row: Row,
        parents: Sequence[str],
        moment: datetime,
        *,
        cohort: str | None = None,
        roles: Mapping[str, str] | None = None,
    ) -> str:
        """
        Write the snapshot of a row, without recording it.

        Args:
            row: the row; without a tree it gets its first parent's content.
            parents: what it was derived from.
            moment: its date.
            cohort: the open cohort that it is a member of.
            roles: what a parent was, or a snapshot that is none, by oid.
        """
        trial = row.trial
        tree = row.tree or (self._tree_of(parents[0]) if parents else self._repo.empty_tree())
        said = flattened(trial.hypothesis) or f"Trial {trial.exp_id}"
        trailers = snapshot_trailers(trial.exp_id, trial.specialist, cohort, roles or {}, "", self._named_writer)
        self.landing.keep.extend(CommitOid(oid) for oid in roles or {} if oid not in parents)
        name = flattened(trial.specialist) or "gitlineage"
        who = Identity(name, f"{name.replace(' ', '-')}@gitlineage").clean()
        message = compose(said, trailers)
        oid = self._repo.write_commit(tree, parents, message, who, moment)
        self._trees[oid] = tree
        author = f"{who.name} <{who.mail}>"
        self._made[oid] = CommitInfo(oid, tree, tuple(parents), message, author, dated(moment))
        return oid

    def add_row(self, oid: str, row: Row) -> None:
        """Record a row of a table, which was checked, on its snapshot."""
        self._add_trial(oid, row.trial, row.raw, made=self._made.pop(oid, None))

    def append_rows(self, rows: Sequence[Row], advance: Callable[[int], None]) -> list[bool]:
        """
        Record many rows at once, in the order given, and return for each whether it was new, or is a result.

        A file's row that says what a pending trial's says and how it ended, too, is that trial's result.

        A row may name a later one as its parent; the snapshots are written parents first all the same.

        Args:
            advance: called with the number of rows recorded since the last call.

        Raises:
            BadRows: an exp id that is taken by a different row, with the row's position counted from 1.
            InvalidTrial: a score that cannot be ranked.
            Invalid: a row that is too long for an event.
        """
        taken = []
        fresh: dict[str, int] = {}
        ended: dict[int, str] = {}
        for at, row in enumerate(rows):
            self.check_row(row.trial)
            try:
                if row.line and (waiting := self._waiting_for(row.trial)):
                    ended[at] = waiting
                    continue
                if self.known_row(row.trial) is None:
                    if row.trial.exp_id in fresh:
                        raise Duplicate(row.trial.exp_id, "is there twice")
                    fresh[row.trial.exp_id] = at
            except Duplicate as error:
                taken.append((row.line or at + 1, str(error)))
        if taken:
            raise BadRows("the table", taken)
        parents = {at: self._parent_in(rows[at].trial, fresh) for at in fresh.values()}
        among = {at: up for at, ups in parents.items() for up in ups if isinstance(up, int)}
        for at in first_of_cycles(among):
            parents[at] = []  # the earliest row of a cycle is where it begins; the cell keeps its text
        moments = _moments(rows)
        oids: dict[int, str] = {}
        for at in topological(list(parents), lambda child: [p for p in parents[child] if isinstance(p, int)]):
            above = [oids.get(parent, "") if isinstance(parent, int) else parent for parent in parents[at]]
            oids[at] = self.write_row(rows[at], [oid for oid in above if oid], moments[at])
        for done, at in enumerate(sorted([*fresh.values(), *ended]), 1):
            row = rows[at]
            if row.trial.status is None:  # judged by the rows before it
                known = self._made[oids[at]].parents if at in oids and row.tree else ()
                row = msgspec.structs.replace(row, trial=self._with_status(row.trial, row.tree, known))
            self.add_row(oids.get(at) or ended[at], row)
            if done % _TELL == 0:
                advance(_TELL)
        return [row.trial.exp_id in fresh or at in ended for at, row in enumerate(rows)]

    def _waiting_for(self, trial: Trial) -> str | None:
        """Return the snapshot whose pending trial a row is the result of, where it is one."""
        if (trial.status is None and self._views.task.score(trial) is None) or not self._views.is_named(trial.exp_id):
            return None
        views = [view for view in self._views.named_exactly(trial.exp_id) if not self._is_others(view)]
        return next((view.oid for view in views if view.trial.status is None and _leads_to(view.trial, trial)), None)

    def _parent_in(self, trial: Trial, fresh: Mapping[str, int]) -> list[int | str]:
        """Return a row's parent: the position of another new row, or a snapshot; none where the cell dangles."""
        for name in (trial.parent_exp, trial.parent_exp.removeprefix("exp_")):
            if name in fresh:
                return [fresh[name]]
            if name and (views := self._views.named_exactly(name)):
                return [views[0].oid]
        return list(self.parents_of(trial))

    def known_row(self, trial: Trial) -> str | None:
        """
        Return the snapshot that has exactly this row already, ``None`` where its exp id is free.

        Raises:
            Duplicate: the exp id has a different row.
        """
        if not self._views.is_named(trial.exp_id):
            return None
        views = self._views.named_exactly(trial.exp_id)
        for view in views:
            if view.trial == trial or (trial.status is None and view.trial.replace(status=None) == trial):
                return view.oid
            if trial.status is None and self._views.task.score(trial) is None and _leads_to(trial, view.trial):
                return view.oid  # what waits for its result in a file has one here
        if views:
            raise Duplicate(trial.exp_id, f"has a different row already, on {views[0].oid[:12]}")
        return None

    def parents_of(self, trial: Trial) -> list[str]:
        """Return the snapshot that a row's parent cell names, as typed or without ``exp_``; none where it dangles."""
        oids = self._views.oids_named(trial.parent_exp) if trial.parent_exp else []
        return oids if len(oids) == 1 else []

    # -- cohorts and settings ------------------------------------------------------------------------------

    def open_cohort(self, name: str, base: Sequence[str], metadata: Mapping[str, Any], allow_mixed: bool) -> str:
        """Write a cohort's commit, record it, and return its oid."""
        event = events.CohortEvent(
            name=name, base=tuple(base), metadata=events.plain(metadata), allow_mixed=allow_mixed
        )
        events.encode(event)
        moment = self.landing.moment()
        nonce = f"{self.landing.writer}-{self.landing.clock + 1}"
        message = compose(f"Cohort {name}", [("Cohort-Name", name), ("Cohort-Id", nonce)])
        oid = self._repo.write_commit(self._repo.empty_tree(), base, message, self._identity, moment)
        self.landing.add(oid, event, f"Open cohort {name}")
        self._bases[name] = Base(name, event.base, allow_mixed)
        return oid

    def join_cohort(self, name: str) -> None:
        """Open a cohort for members of any parents, where none of that name is open."""
        if name not in self._bases and self._views.cohorts.find(name, members=False) is None:
            check_cohort_name(name)
            self.open_cohort(name, [], {}, True)

    def named(self, name: str) -> list[str]:
        """Return the snapshots of the trials that a name stands for."""
        return list(self._views.oids_named(name))

    def new_cohort(self, name: str, base: Sequence[Id], metadata: Mapping[str, Any], allow_mixed: bool) -> None:
        """Open a cohort that must not be open yet; the same one again is no error."""
        check_cohort_name(name)
        oids = tuple(dict.fromkeys(self._resolve(parent) for parent in base))
        known = self._views.cohorts.find(name, members=False)
        if known is None:
            self.open_cohort(name, oids, metadata, allow_mixed)
            return
        said = events.plain(metadata)
        if (known.base, dict(known.metadata), known.allow_mixed) != (oids, said, allow_mixed):
            raise Invalid(f"cohort {name!r} is open already with another base or other metadata")

    def set_task(self, task: Task, *, force: bool = False) -> str:
        """Record what the campaign optimises, where that is not so already, and return what it changes, in words."""
        if not task.score_field:
            raise Invalid("the score's column needs a name")
        known = self._views.index.task
        change = self._views.changed_by(task)
        is_settled = known is not None and bool(known.assumed) and known.score_field == task.score_field
        if change and not force and not is_settled:
            raise TaskInUse(change)
        if known is None or not known.same(task):
            better = "lower" if task.lower_is_better else "higher"
            said = f"Set the task: {flattened(task.score_field)}, {better} is better"
            self.landing.add(self.landing.genesis, events.TaskEvent(task=task), said)
            self._memory.best_of = -1
        return change

    def add_table(self, shape: dict[str, Any], rows: int) -> None:
        """Record what an imported file looked like beyond its rows."""
        said = "Import a table of 1 row" if rows == 1 else f"Import a table of {rows} rows"
        self.landing.add(self.landing.genesis, events.TableEvent(shape=shape, rows=rows), said)

    def add_session(self, prompt: str, event: events.SessionEvent) -> str:
        """Write a commit that holds a prompt, record who read it, and return its oid."""
        blob = self._repo.write_blob(prompt.encode())
        tree = self._repo.write_tree({"prompt.md": Entry(FILE, blob)})
        nonce = f"{self.landing.writer}-{self.landing.clock + 1}"
        message = compose(f"Session of {flattened(event.specialist)}", [("Session-Id", nonce)])
        oid = self._repo.write_commit(tree, [], message, self._identity, self.landing.moment())
        self._has_sessions = True
        said = f"Record a session of {flattened(event.specialist)}"
        self.landing.add(oid, msgspec.structs.replace(event, prompt=blob), said)
        return oid

    def _add_trial(
        self,
        oid: str,
        trial: Trial,
        raw: str = "",
        saw: str = "",
        made: CommitInfo | None = None,
        log: events.Log | None = None,
    ) -> None:
        event = events.TrialEvent(row=trial.cells(), raw=raw, saw=saw, log=log)
        state = trial.status.value if trial.status else "pending"
        self.landing.add(oid, event, f"Record {trial.exp_id}: {state}", trial, made)
        if made is not None:
            self._exp_ids.setdefault(oid, trial.exp_id)
        else:
            self._exp_ids.pop(oid, None)  # a result may have put another trial first
        self._memory.hear(self._views, trial, revised=made is None)

    def rewrite(self, new: str, old: str, how: str) -> None:
        """Record that a commit was made from another one, which stays alive with its trials."""
        if old not in rewritten_from(self._views, new):
            made = how != events.ARRIVED and (new in self._remade or self._views.tree(new) is None)
            self.landing.keep.append(old)
            self._exp_ids.pop(old, None)
            self._memory.best_of = -1  # it may have been on a stand-in
            said = f"Link {new[:12]} to {old[:12]}: {flattened(how) or 'rewritten'}"
            self.landing.add(new, events.RewriteEvent(old=old, how=how), said)
            if made and not relations.reaches(self._views, old, new, list(FAMILY)):
                self._lead_back(new, old, how)

    def _lead_back(self, new: str, old: str, how: str) -> None:
        """Record that a commit was derived from what it was made from, before those parents that both do not share."""
        olds = self._remade[new] = (old, *self._remade.get(new, ()))
        above = {parent for each in olds for parent in self._repo.parents(each)}
        parents = [each for each in dict.fromkeys((*olds, *self._repo.parents(new))) if each not in above]
        why = f"made from {' and '.join(self._views.name(each) for each in olds)} by {flattened(how) or 'a rewrite'}"
        event = events.ReparentEvent(parents=tuple(parents), reason=why, actor=self._identity.name)
        self.landing.keep.extend(CommitOid(parent) for parent in parents)
        self.landing.add(new, event, f"Reparent {new[:12]} to what it was made from")

    # -- the rules ------------------------------------------------------------------------------------------

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

    def _fill(
        self,
        trial: Trial,
        parents: Sequence[str],
        tree: str | None,
        *,
        judged: bool = True,
        place: Order | None = None,
    ) -> Trial:
        """
        Return the row with what the store knows in its empty cells: id, time, status, parent, best and delta.

        Args:
            parents: what its snapshot was derived from.
            tree: its content, where it is known.
            judged: whether a score without a status gets the one that it deserves.
            place: where a row was recorded that is judged anew; what came after it does not count.
        """
        cells: dict[str, str] = {}
        if trial.status is None and judged:
            trial = self._with_status(trial, tree, parents, place)
        if trial.exp_id == AUTO_ID:
            cells["exp_id"] = self._next_exp_id()
        if not trial.timestamp:
            cells["timestamp"] = stamp(self.landing.moment())
        if not trial.parent_exp and (parent := self._parent_id(parents)):
            cells["parent_exp"] = parent
        if trial.status is not None:
            if place is None:
                best = self._memory.best_in(self._views)
            else:
                earlier = self._views.best_before(place)
                best = earlier.trial if earlier is not None else None
            cells |= against(self._views.task, trial, best)
        return Trial.trusted({**trial.cells(), **cells}) if cells else trial

    def _with_status(self, trial: Trial, tree: str | None, parents: Sequence[str], place: Order | None = None) -> Trial:
        """Return a row with the status that its score deserves where it has none; without a score it stays pending."""
        score = self._views.task.score(trial)
        if trial.status is not None or score is None:
            return trial
        above = (self._trees.get(parent) or self._views.tree(parent) for parent in parents)
        trees = (tree, *filter(None, above)) if tree else ()
        return trial.replace(status=judge(self._views, score, trees, trial.text(COMMAND), place).status)

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
        taken = [parts[1] for parts in split if parts is not None and parts[0] == self._prefix]
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

    def _refuse_taken(self, exp_id: str, but: str = "") -> None:
        """Refuse an exp id that another row has; on one snapshot it may be left out of account."""
        if exp_id == AUTO_ID or not self._views.is_named(exp_id):
            return
        for holder in self._views.named_exactly(exp_id):
            if holder.oid != but:
                free = "leave it out to get the next free number, or revise that row"
                raise Duplicate(exp_id, f"is taken by {holder.oid[:12]}; {free}")

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


def folder_tree(repo: GitRepo, trial: Trial, root: Path | None, hear: "Callable[[Taken], None]") -> str | None:
    """Write the folder that a row's ``snapshot_path`` names below a root and return its tree, if it is there."""
    cell = trial.snapshot_path
    if not cell or root is None or "\0" in cell:
        return None
    top = root.resolve()
    for path in (top / cell, top / Path(cell).name):
        try:
            folder = path.resolve()
            is_inside = folder != top and folder.is_relative_to(top) and folder.is_dir()
        except (OSError, ValueError):
            continue
        if is_inside:
            from gitlineage.git.content import Content

            return Content(repo, hear=hear).from_folder(folder).tree
    return None


def _leads_to(pending: Trial, ended: Trial) -> bool:
    """Whether a row can be what became of a pending one: it says the same wherever that says anything."""
    return all(ended.text(column) == text for column, text in pending.cells().items() if text)


def _moments(rows: Sequence[Row]) -> list[datetime]:
    """Return each row's date: its timestamp, else that of the row above, else the beginning of time."""
    moments = []
    last = datetime.fromtimestamp(0, UTC)
    for row in rows:
        last = parse_time(row.trial.timestamp) or last
        moments.append(last)
    return moments
