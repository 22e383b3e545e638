"""
The facade: what a store can record and what it can be asked; how a landing is kept safe is the ledger's.

Each method is a line or two over the modules below; what is worth reading about the rules is there.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gitlineage.bounds import MAX_CHECKOUT
from gitlineage.errors import Invalid, InvalidTrial
from gitlineage.git import signing
from gitlineage.git.content import Content, read_files, size_setting
from gitlineage.git.formats import is_oid
from gitlineage.git.packs import object_id
from gitlineage.index import index
from gitlineage.index.index import Index
from gitlineage.journal import events
from gitlineage.journal.journal import is_archive
from gitlineage.model.frames import Trials, arrow, dicts, pandas, polars, summary, typed
from gitlineage.model.records import (
    AncestryNode,
    Cohort,
    CommitOid,
    LineageSnapshot,
    PromptOptions,
    Reparenting,
    Snapshot,
    Task,
    TrialView,
)
from gitlineage.model.trial import AUTO_ID, Trial
from gitlineage.query import ancestry
from gitlineage.query.diff import RecipeEdit
from gitlineage.query.judge import Verdict, judge
from gitlineage.query.names import Id, claimed, moment, resolve, trial_of
from gitlineage.query.nearest import Nearest, candidates, nearest
from gitlineage.query.prompt import prompt_view
from gitlineage.query.ranking import best_by, board_by, criterion
from gitlineage.query.search import search
from gitlineage.query.views import Views, trials
from gitlineage.record import repair
from gitlineage.record.adoption import Adopted, adopt
from gitlineage.record.opened import reading
from gitlineage.record.recorder import Recorder, Row, folder_tree
from gitlineage.record.rules import content_tree
from gitlineage.render.prompt import render_prompt
from gitlineage.store.catalogue import Catalogues
from gitlineage.store.history import Histories
from gitlineage.store.sharing import Sharing
from gitlineage.text import counted

if TYPE_CHECKING:
    from gitlineage.git.checkout import Written
    from gitlineage.git.restore import Restored
    from gitlineage.record.verify import Finding

Given = Trial | Mapping[str, Any]
"""A row, or its cells by column; ``score`` among them is what the task ranks by."""

_SHOWN = 10
"""Rows of the leaderboard that a notebook shows of a store."""

_NAMED = 5
"""Writers that are named when some are left out; the rest are counted."""


class LineageStore(Catalogues, Histories, Sharing):
    """
    The lineage of one repository.

    Args:
        root: the repository or a folder inside; a folder without git is initialised.
        campaign: which of the repository's campaigns; by default the one in git config ``lineage.campaign``, else
            ``default``. Each has trials, task and refs of its own (``refs/notes/lineage-<campaign>/…``).
        lower_is_better: the score's direction; recorded with the task at the first write where none is recorded.
        writer: whose ref to record in; by default the name in git config ``lineage.writer``, made at the first write.
        task: what the campaign optimises; recorded like the direction.
        identity: who commits; by default git's own configuration says.
        clock: what the time is.
        create: whether a folder without git is initialised; otherwise it is an error.
        watcher: who is told what goes on.
        incomplete: answer and record from what is here where a shallow or partial clone lacks something; `lacking`
            says what that is. Otherwise it is an error.
        environment: ``GIT_DIR`` and ``GIT_WORK_TREE``, where they are to say which folder is the working tree.

    Raises:
        RepositoryError: there is no usable repository.
        Invalid: the task differs from the one recorded in the store, or no campaign can have this name.
        Incomplete: the clone lacks a part of the lineage; every method that would answer without it raises this.
    """

    # -- recording -----------------------------------------------------------------------------------------

    def commit(
        self,
        content: Mapping[str, bytes] | Path | str | None,
        parents: Sequence[Id] = (),
        *,
        trial: Given | None = None,
        cohort: str | None = None,
        roles: Mapping[str, str] | None = None,
        message: str | None = None,
    ) -> Snapshot:
        """
        Record a snapshot: what its content is, what it was derived from, and the trial made with it.

        Args:
            content: files by path, a folder, or a revision or id whose tree to take; ``None`` for the working tree
                as ``git add -A`` would see it. Of a folder, untracked files that are plainly no recipe are left out;
                ``taken`` says afterwards what else is in no snapshot.
            parents: what it was derived from, the primary one first; named twice, the first place counts.
            trial: the row, also as a mapping of columns to values (``{"score": 0.9}``); left out, the snapshot is
                recorded without one. Empty cells that the store knows (exp id,
                timestamp, parent, best, delta) are filled in. With a score and no status it is judged, as `judge`
                says; with neither it waits for `record`.
            cohort: the batch it belongs to; opened with these parents as its base where it is not open.
            roles: what a parent was, by id: one of `ROLES`. An inspiration or contrast need not be a parent.
            message: the commit message; by default the hypothesis.

        Raises:
            NotFound: an unknown parent; nothing was written.
            Duplicate: the exp id is taken. The very same commit again is no error and adds nothing.
            CohortMismatch: the cohort has another base.
            InvalidContent: a path that leads outside, or a file over the limit.
            InvalidTrial: a row that breaks a rule.
        """
        if isinstance(parents, str | Snapshot | Trial):
            parents = (parents,)
        ids = tuple(parents)
        row = None if trial is None else self._row(trial)

        def work(recorder: Recorder) -> Snapshot:
            return recorder.commit(content, ids, row, cohort, roles or {}, message)

        return self._write(work)

    def record(self, rev: Id, trial: Given, *, revise: bool = False, replicate: bool = False) -> Trial:
        """
        Record a row on any commit, the user's own included, and return it as recorded.

        A trial that waits for its result on that commit gets it; otherwise a new replicate is recorded.

        Args:
            rev: the commit.
            trial: the row; empty cells are filled as by `commit`, and a score without a status is judged.
            revise: record a new version of the row that is meant, of the only one where no exp id says which; the old
                version stays in history, and cells that are left empty keep what they held.
            replicate: record a further row even where a trial waits for its result; one with neither a score nor a
                status waits, too.

        Raises:
            NotFound: no such commit.
            Duplicate: the exp id has another row; an identical one is no error and adds nothing.
            InvalidTrial: the row breaks a rule, or has neither a status nor a score.
        """
        if revise and replicate:
            raise Invalid("a row is revised or a replicate, not both")
        row = self._row(trial)
        if not (revise or replicate):
            self._check_ended(row, "a recorded row")

        def work(recorder: Recorder) -> Trial:
            oid, exp_id = recorder.record(rev, row, revise, replicate=replicate)
            view = next(view for view in self._views.on_snapshot(oid) if view.trial.exp_id == exp_id)
            if view.retracted is not None:
                undo = f"`gitlineage retract {view.label} --undo` takes that back"
                self.watcher.note(f"{view.label} is retracted and does not count: {view.retracted}; {undo}")
            return view.trial

        return self._write(work)

    def announce(self, rev: Id, trial: Trial) -> Trial:
        """
        Record on any commit that a trial is made with it, and return it as recorded; `record` brings the result.

        Args:
            rev: the commit.
            trial: the row; its status is left out.

        Raises:
            NotFound: no such commit.
            Duplicate: the exp id has another row.
        """

        def work(recorder: Recorder) -> Trial:
            oid, exp_id = recorder.record(rev, trial.replace(status=None), judged=False)
            return next(view.trial for view in self._views.on_snapshot(oid) if view.trial.exp_id == exp_id)

        return self._write(work)

    def link_rewrite(self, new: Id, old: Id, how: str = "") -> None:
        """
        Record that an amend or a rebase made a commit from another one; trials stay where they are.

        Args:
            new: the commit that was made.
            old: what it was made from.
            how: what git calls it.

        Raises:
            NotFound: one of them is not there.
            Invalid: they are the same; or it says that a stand-in's commit arrived, as imports alone find out.
        """
        if how == events.ARRIVED:
            raise Invalid(f"a rewrite cannot be called {how!r}; an import says so of commits that were missing")

        def work(recorder: Recorder) -> None:
            made, origin = resolve(self._views, new), resolve(self._views, old)
            if made == origin:
                raise Invalid(f"{made[:12]} cannot be rewritten from itself")
            recorder.rewrite(made, origin, how)

        self._write(work)

    def retract(self, id: Id, reason: str = "", *, undo: bool = False, actor: str | None = None) -> TrialView:
        """
        Record that a row does not count, and return it; it stays in history.

        It leaves best, boards, leaderboards, prompts and statistics; other rows of its snapshot stay. A revision does
        not bring it back, ``undo`` does. Of several clones' words the last one in the order of events holds.

        Args:
            id: the trial; its snapshot, where that has no other.
            reason: why; only ``undo`` needs none.
            undo: take it back: the row counts again.
            actor: who or what says so; by default who commits here.

        Raises:
            NotFound: there is no such trial.
            Ambiguous: the snapshot has several.
            Invalid: there is no reason, or nothing to take back.
        """

        def work(recorder: Recorder) -> TrialView:
            who = self._who().name if actor is None else actor
            oid, exp_id = repair.retract(self._views, recorder.landing, id, reason, who, undo)
            self._memory.best_of = -1
            return next(view for view in self._views.on_snapshot(oid) if view.trial.exp_id == exp_id)

        return self._write(work)

    def reparent(
        self,
        id: Id,
        parents: Sequence[Id],
        reason: str,
        *,
        roles: Mapping[str, str] | None = None,
        actor: str | None = None,
    ) -> Snapshot:
        """
        Record what a snapshot was derived from in truth, and return it; its commit stays as it is.

        Every walk, chain, prompt, diagram and export follows it from now on; saying it anew takes it back.

        Args:
            id: the snapshot.
            parents: what it was derived from, the primary one first: recorded or git parents; none for a root.
            reason: why.
            roles: what a parent was, by id: one of `ROLES`; one that stays keeps its own.
            actor: who or what says so; by default who commits here.

        Raises:
            NotFound: the snapshot or a parent is not recorded.
            Cycle: a parent goes back to the snapshot.
            Invalid: there is no reason, or a role that breaks a rule.
        """
        given = (parents,) if isinstance(parents, str | Snapshot | Trial) else tuple(parents)

        def work(recorder: Recorder) -> Snapshot:
            who = self._who().name if actor is None else actor
            oid = repair.reparent(self._views, recorder.landing, id, given, roles or {}, reason, who)
            return self._views.snapshot(oid)

        return self._write(work)

    def append(self, trial: Given, *, parents: Sequence[Id] | None = None) -> Snapshot:
        """
        Record a row alone; the same row gives the same snapshot id on every machine.

        Its content is the folder that ``snapshot_path`` names below the store's root, where it exists, else its
        parent's. A ``parent_exp`` that the store does not hold is kept as text, and the snapshot has no parent.

        Args:
            trial: the row; its cells are kept as they are. With a score and no status it is judged.
            parents: what it was derived from, where ``parent_exp`` does not say it.

        Raises:
            Duplicate: the exp id has a different row; the identical one is no error and adds nothing.
            InvalidTrial: the row breaks a rule, or has neither a status nor a score.
        """
        row = self._row(trial)
        self._check_ended(row, "an appended row")
        ids = None if parents is None else tuple(parents)
        return self._write(lambda recorder: recorder.append(row, ids, self.root))

    def _row(self, given: Given) -> Trial:
        """Return a row as it is recorded; the task is asked for only where it matters."""
        if isinstance(given, Trial) and given.score is None:
            return given
        return Trial.of(given, self.task.score_field)

    def folder_tree(self, trial: Trial, root: Path | None) -> str | None:
        """Return the tree of the folder that a row's ``snapshot_path`` names below a root, where it is there."""
        return folder_tree(self.repo, trial, root, self._hear)

    def append_many(self, rows: Iterable[Given], *, message: str | None = None) -> tuple[Snapshot, ...]:
        """
        Record many rows alone, all of them or none, each as `append` does; a row may name a later one as its parent.

        Rows without an exp id are numbered on from the highest number there is, in the store and in the other rows.

        Raises:
            BadRows: exp ids that are taken by different rows, by position counted from 1.
            InvalidTrial: a row breaks a rule, or has neither a status nor a score.
        """
        with self.batch(message):
            recorder = self._recorder()
            given = recorder.numbered([self._row(row) for row in rows])
            for trial in given:
                if not self._views.is_named(trial.exp_id):
                    recorder.refuse_claimed(trial.exp_id)
            self.append_rows([Row(trial=trial, tree=self.folder_tree(trial, self.root)) for trial in given], message)
            return tuple(self._views.snapshot(self._views.named_exactly(trial.exp_id)[0].oid) for trial in given)

    def append_rows(
        self, rows: Sequence[Row], message: str | None, *, task: Task | None = None, shape: dict[str, Any] | None = None
    ) -> list[bool]:
        """
        Record a table: its rows, the task it is about and what its file looked like, all or nothing.

        A file's row that has neither a status nor a score is a pending trial.

        Returns:
            For each row, whether it was new, or is the result of a trial that was pending.

        Raises:
            BadRows: exp ids that are taken by different rows.
        """
        for row in rows:
            if shape is None:
                self._check_ended(row.trial, f"the row of {row.trial.exp_id}", task)
            if row.trial.exp_id == AUTO_ID:
                raise InvalidTrial("exp_id", AUTO_ID, "a table's row needs one")
        with self.batch(message):
            recorder = self._recorder()
            if task is not None:
                recorder.set_task(task)
            taken = {row.trial.exp_id for row in rows if recorder.taken_for(row.trial.exp_id)}
            added = recorder.append_rows(rows, lambda count: self.watcher.advance("recording", count, len(rows)))
            fresh = (row.trial.exp_id for row, new in zip(rows, added, strict=True) if new)
            self.note_shadowed([exp_id for exp_id in fresh if exp_id in taken])
            if shape is not None and (any(added) or self._is_reshaped(shape, len(rows))):
                recorder.add_table(shape, sum(added))
            return added

    def note_shadowed(self, exp_ids: Sequence[str]) -> None:
        """Tell which ids of an import stand for something else, and how its rows are named."""
        if not exp_ids:
            return
        shown = ", ".join(f"{exp_id}@{self.writer}" for exp_id in exp_ids[:_NAMED])
        more = f" and {len(exp_ids) - _NAMED} more" if len(exp_ids) > _NAMED else ""
        self.watcher.note(f"git, oids and `best` come before ids of the table; its rows are called {shown}{more}")

    def _check_ended(self, trial: Trial, what: str, task: Task | None = None) -> None:
        """Refuse a row that says neither how it ended nor what its score is."""
        if trial.status is None and (task or self.task).score(trial) is None:
            raise InvalidTrial("status", None, f"{what} needs one, or a score to be judged by")

    def _is_reshaped(self, shape: dict[str, Any], rows: int) -> bool:
        """Whether a table without new rows, which holds all there are, looks otherwise than the last one did."""
        plain = msgspec.json.decode(msgspec.json.encode(shape))
        return self._views.shapes()[-1:] != [plain] and rows == len(self._views.rows())

    def adopt(self, snapshots: Sequence[Adopted], message: str | None = None) -> list[tuple[CommitOid, bool]]:
        """
        Record snapshots of another store, all of them or none; the same ones again add nothing.

        Args:
            snapshots: what to record, parents before children.
            message: the activity log's line.

        Returns:
            For each, its commit, which is the same on every machine, and whether it was new.

        Raises:
            CohortMismatch: a cohort is open already with another base.
            InvalidContent: a path that leads outside, or a file over the limit.
        """
        with self.batch(message):
            landing = self._recorder().landing
            return adopt(self.repo, self._views, landing, snapshots, self.watcher.advance)

    def open_cohort(self, name: str, base: Sequence[Id] = (), *, allow_mixed: bool = False, **metadata: Any) -> Cohort:
        """
        Open a cohort: a batch generated from one parent state.

        Args:
            name: its name.
            base: the snapshots that every member is derived from.
            allow_mixed: let members have other parents.
            metadata: anything worth keeping about it, as JSON values.

        Raises:
            Invalid: it is open already with another base or other metadata.
            NotFound: a base that is not there.
        """
        if isinstance(base, str | Snapshot | Trial):
            base = (base,)
        ids = tuple(base)

        def work(recorder: Recorder) -> Cohort:
            recorder.new_cohort(name, ids, metadata, allow_mixed)
            return self._views.cohorts.one(name)

        return self._write(work)

    # -- trials --------------------------------------------------------------------------------------------

    @reading
    def __len__(self) -> int:
        return self._views.total()

    def __bool__(self) -> bool:
        return True  # a store without trials is a store

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.all_trials())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"

    @reading
    def _repr_html_(self) -> str:
        views = self._views
        return summary(views.task, views.total(), views.best_row(), Trials(views.kept_rows(_SHOWN)))

    def to_dicts(self) -> list[dict[str, Any]]:
        """
        Return every trial that has a result as a dictionary, in recording order, all with the same keys.

        Beside the columns: ``oid`` of its snapshot, ``parents`` (the oids it was derived from), ``cohort`` and
        ``retracted`` (why it does not count, empty where it does). Numeric columns hold ``float | None``, everything
        else text; ids stay text (`frames.typed`).
        """
        return dicts(self._columns())

    def to_pandas(self) -> Any:
        """Return what `to_dicts` does as a ``pandas.DataFrame``; raises `Invalid` where pandas is not installed."""
        return pandas(self._columns())

    def to_polars(self) -> Any:
        """Return what `to_dicts` does as a ``polars.DataFrame``; raises `Invalid` where polars is not installed."""
        return polars(self._columns())

    def to_arrow(self) -> Any:
        """Return what `to_dicts` does as a ``pyarrow.Table``; raises `Invalid` where pyarrow is not installed."""
        return arrow(self._columns())

    @reading
    def _columns(self) -> dict[str, list[Any]]:
        placed = self._views.placed()
        return typed([trial for trial, _ in placed], [place for _, place in placed])

    @reading
    def judge(self, score: float | None, content: Id | None = None, parents: Sequence[Id] = ()) -> Verdict:
        """
        Return what a trial with this score would be, keep, discard or baseline, and why.

        `commit`, `record` and `append` ask the same of a trial that has a score and no status. A keep beats the best so
        far, and by more than two sigma where replicates of what is compared exist.

        Args:
            score: the score; without one the trial is pending.
            content: the snapshot that it is a further run of, or its tree.
            parents: what it was derived from; their replicates count for the noise, too.
        """
        trees = [self._tree_named(content) if content is not None else "", *map(self._tree_named, parents)]
        return judge(self._views, score, trees)

    def _tree_named(self, id: Id) -> str:
        """Return the tree of a snapshot, or the one that a tree's own oid names."""
        if isinstance(id, str) and is_oid(id) and self.repo.exists(id) and self.repo.kind(id) == "tree":
            return id
        return self._views.snapshot(resolve(self._views, id)).tree

    @reading
    def all_trials(self) -> list[Trial]:
        """Return every trial that has a result, in recording order; retracted ones too, as they were recorded."""
        return [trial for trial, _ in self._views.rows() if trial.status is not None]

    @reading
    def latest(self, n: int = 30) -> Trials:
        """
        Return the last ``n`` trials that count, in recording order; all where there are fewer.

        Raises:
            ValueError: ``n`` is negative.
        """
        return Trials(reversed(self._views.latest_rows(_count(n))))

    @reading
    def best(
        self,
        *,
        eligible: str = "kept",
        trusted_only: bool = False,
        metric: str | None = None,
        lower_is_better: bool | None = None,
    ) -> Trial | None:
        """
        Return the best trial (semantics 11), by the task's column or by another one, which leaves the task as it is.

        Args:
            eligible: ``"kept"`` for kept trials and baselines, ``"informational"`` for all but harness aborts.
            trusted_only: leave out what `views` says.
            metric: any column with numbers; a trial without one there is not the best by it.
            lower_is_better: its direction, which has to be said of a column that the task does not rank by.

        Raises:
            Invalid: the direction is not said, or no trial has a number in the column.
        """
        views = self.views(trusted_only=True) if trusted_only else self._views
        by = criterion(views.task, metric, lower_is_better)
        if by == views.task:
            return views.best_row(eligible)
        found = best_by(views, by, eligible)
        return found.trial if found is not None else None

    @reading
    def leaderboard(self, k: int = 20, *, metric: str | None = None, lower_is_better: bool | None = None) -> Trials:
        """
        Return the ``k`` best kept trials, best first, ties in recording order, those without a score last.

        Args:
            k: how many.
            metric: any column with numbers, instead of the task's.
            lower_is_better: its direction, which has to be said of a column that the task does not rank by.

        Raises:
            Invalid: the direction is not said, or no trial has a number in the column.
        """
        by = criterion(self._views.task, metric, lower_is_better)
        if by == self._views.task:
            return Trials(self._views.kept_rows(_count(k)))
        return Trials(view.trial for view in board_by(self._views, by, _count(k)))

    @reading
    def trial(self, exp_id: Id) -> Trial:
        """
        Return one trial.

        Raises:
            NotFound: there is none; also a ``KeyError``.
            Ambiguous: two writers used the id.
        """
        return trial_of(self._views, exp_id).trial

    @reading
    def chain_to(self, exp_id: Id) -> Trials:
        """Return the trials along primary parents, root first, the one asked for last (semantics 15)."""
        views = self._views
        plain = exp_id if isinstance(exp_id, str) and "@" not in exp_id and not claimed(views, exp_id) else ""
        if plain and len(oids := views.oids_named(plain)) == 1:
            return Trials(views.line(oids[0], plain).trials)
        view = trial_of(views, exp_id)
        return Trials(views.line(view.oid, view.trial.exp_id).trials)

    @reading
    def log(
        self,
        limit: int | None = 20,
        *,
        cohort: str | None = None,
        statuses: Sequence[str] = (),
        specialist: str | None = None,
        dangling: bool = False,
    ) -> list[TrialView]:
        """
        Return trials with their place in the graph, newest first; those that wait for a result too.

        Args:
            limit: how many; ``None`` for all.
            cohort: only members of this cohort.
            statuses: only these; ``pending`` is a trial without a result.
            specialist: only those of one specialist.
            dangling: only those whose parent cell names no trial of the store.

        Raises:
            NotFound: there is no such cohort.
        """
        listing = partial(self._views.listing, statuses=statuses, specialist=specialist, dangling=dangling)
        if cohort is None:
            return listing(limit=limit)
        found = self._views.cohorts.one(cohort, members="@" in cohort)
        if not self._views.cohorts.is_shared(found.name):
            return listing(cohort=found.name, limit=limit)
        return [view for view in listing(cohort=found.name) if view.oid in found.members][:limit]

    @reading
    def search(self, text: str, limit: int | None = 20) -> list[TrialView]:
        """
        Return the trials whose exp id, specialist, hypothesis and notes hold all words of a text, best match first.

        Args:
            text: the words; one that ends in ``*`` stands for all that begin so.
            limit: how many trials at the most; ``None`` for all.

        Raises:
            ValueError: a negative limit.
        """
        return search(self._views, text, limit, lambda count: self.watcher.advance("indexing texts", count))

    @reading
    def view(self, exp_id: Id) -> TrialView:
        """Return one trial with its place in the graph; raises as `trial`."""
        return trial_of(self._views, exp_id)

    # -- snapshots -----------------------------------------------------------------------------------------

    @reading
    def resolve(self, text: Id) -> CommitOid:
        """
        Return the commit that any id stands for, in this order: a full oid; ``best`` and git's own names; an exp id,
        ``exp_<id>``, ``<id>@<writer>``; the beginning of an oid.

        Raises:
            NotFound: nothing answers to it; the error carries the nearest exp ids.
            Ambiguous: several do; the error carries them.
        """
        return resolve(self._views, text)

    @reading
    def snapshot(self, id: Id) -> Snapshot:
        """Return a snapshot; a commit that nobody recorded has no writer."""
        return self._views.snapshot(resolve(self._views, id))

    @reading
    def reparentings(self, id: Id) -> list[Reparenting]:
        """Return all that was said about the parents of a snapshot since it was recorded, in order."""
        return repair.reparentings(self._views, resolve(self._views, id))

    @reading
    def parents(self, id: Id) -> tuple[Snapshot, ...]:
        """Return what a snapshot was derived from, the primary parent first."""
        return ancestry.parents(self._views, resolve(self._views, id))

    @reading
    def children(self, id: Id) -> tuple[Snapshot, ...]:
        """Return what was derived from a snapshot directly, in recording order."""
        return ancestry.children(self._views, resolve(self._views, id))

    @reading
    def ancestors(self, id: Id, max_depth: int | None = -1) -> tuple[AncestryNode, ...]:
        """Return all that a snapshot goes back to, nearest first; ``max_depth`` limits the generations."""
        return ancestry.ancestors(self._views, resolve(self._views, id), max_depth)

    @reading
    def descendants(self, id: Id, max_depth: int | None = -1) -> tuple[AncestryNode, ...]:
        """Return all that goes back to a snapshot, nearest first; ``max_depth`` limits the generations."""
        return ancestry.descendants(self._views, resolve(self._views, id), max_depth)

    @reading
    def leaves(self) -> tuple[Snapshot, ...]:
        """Return the snapshots that nothing was derived from, in recording order."""
        return ancestry.leaves(self._views)

    @reading
    def common_ancestor(self, a: Id, b: Id) -> Snapshot | None:
        """Return the lowest snapshot that both go back to, ``None`` where they are unrelated (semantics 29)."""
        return ancestry.common_ancestor(self._views, resolve(self._views, a), resolve(self._views, b))

    @reading
    def rewritten_from(self, id: Id) -> tuple[Snapshot, ...]:
        """Return the commits that an amend or a rebase made this one from; their trials stayed on them."""
        return tuple(self._views.snapshots(ancestry.rewritten_from(self._views, resolve(self._views, id))))

    @reading
    def rewritten_as(self, id: Id) -> tuple[Snapshot, ...]:
        """Return what amends and rebases made of a commit."""
        return tuple(self._views.snapshots(ancestry.rewritten_as(self._views, resolve(self._views, id))))

    @reading
    def same(self, id: Id) -> tuple[Snapshot, ...]:
        """Return the other snapshots with equal content: other derivations of one recipe."""
        return ancestry.same(self._views, resolve(self._views, id))

    @reading
    def nearest(self, content: Mapping[str, bytes] | Path | str | None = None) -> Snapshot | None:
        """
        Return the snapshot that some content was most likely made from; nothing is recorded.

        Of the snapshot last recorded or checked out in this working tree, its parents, the best, and HEAD (where HEAD
        is recorded or nothing is yet), the one that differs least; ties in that order. ``None`` where there is none.

        Args:
            content: as for `commit`; by default the working tree.
        """
        found = self.compare(content)
        return self._views.snapshot(found.oid) if found.oid is not None else None

    @reading
    def compare(self, content: Mapping[str, bytes] | Path | str | None = None) -> Nearest:
        """Return what `nearest` does with what it was chosen from, how far it is away, and the content's tree."""
        known = candidates(self._views, self.own_writer(), self._mark)
        near = [each.tree for each in known]
        if self.in_batch:
            return nearest(self.repo, self._recorder().take(content, near), known)
        with self.repo.packing():  # outside of a landing nothing of it gets onto the disk
            return nearest(self.repo, content_tree(self._views, Content(self.repo), content, near), known)

    @reading
    def cohort(self, name: str) -> Cohort:
        """
        Return a cohort with its members in recording order.

        Raises:
            NotFound: nobody opened it.
            Ambiguous: two writers opened different ones by this name.
        """
        return self._views.cohorts.one(name)

    @reading
    def cohorts(self) -> list[Cohort]:
        """Return every cohort in the order they were opened."""
        return self._views.cohorts.all()

    @reading
    def files(self, id: Id) -> dict[str, bytes]:
        """
        Return the files of a snapshot by path.

        Raises:
            TooMuch: there are more, or larger ones, than a checkout may have.
        """
        limit = size_setting(self.repo, "lineage.maxCheckoutSize", MAX_CHECKOUT)
        return read_files(self.repo, self._views.snapshot(resolve(self._views, id)).tree, limit)

    @reading
    def recipe_edit(self, id: Id, parent: int = 0) -> RecipeEdit:
        """
        Return what a snapshot changed against one of its parents; a root changed nothing.

        Args:
            id: the snapshot.
            parent: which of its git parents, counted from 0.

        Raises:
            Invalid: it has no such parent.
        """
        snapshot = self._views.snapshot(resolve(self._views, id))
        if parent < 0 or (parent >= len(snapshot.parents) and parent > 0):
            count = len(snapshot.parents)
            raise Invalid(f"there is no parent {parent + 1}: {self._views.name(snapshot.oid)} has {count}")
        before = self.repo.commit(snapshot.parents[parent]).tree if snapshot.parents else None
        return RecipeEdit(snapshot.trial, snapshot.tree, before, self.repo)

    def verify(
        self, *, everything: bool = False, allowed_signers: str | os.PathLike[str] | None = None
    ) -> "list[Finding]":
        """
        Check everything there is to check, in all campaigns, and return what is not as it should be; nothing is mended.

        Args:
            everything: have git look at every object, not only at whether all that the refs reach is there.
            allowed_signers: check signatures against this file; by default against the one in git config
                ``gpg.ssh.allowedSignersFile`` where ``lineage.sign`` is on, else none.

        Raises:
            SigningError: there is no such file.
        """
        from gitlineage.record.verify import verifier_for

        self.check_present()
        check = verifier_for(self.repo, allowed_signers)
        with self.all_campaigns() as campaigns:  # git need not look at every object more than once
            found = {each.campaign: each._findings(everything and each is campaigns[0], check) for each in campaigns}
        return [msgspec.structs.replace(each, campaign=name) for name, some in found.items() for each in some]

    def _findings(self, everything: bool, check: "signing.Verifier | None") -> "list[Finding]":
        """Return what is not as it should be in this campaign."""
        from gitlineage.record.verify import Verification, look

        with self.at_rest():
            self.refresh()
            moment = look(self.repo, self.namespace, self._index)
        return Verification(self.repo, self.journal, moment, everything=everything, check=check).findings()

    @reading
    def checkout(self, id: Id, folder: Path) -> "Written":
        """
        Write a snapshot's files into a new or empty folder, all of them or none.

        Raises:
            NotFound: there is no such snapshot.
            InvalidContent: it holds what is not safe to write, such as names that lead outside; nothing was written.
        """
        from gitlineage.git.checkout import checkout

        return checkout(self.repo, self._views.snapshot(resolve(self._views, id)).tree, folder)

    @reading
    def restore(self, id: Id, *, force: bool = False) -> "Restored":
        """
        Bring a snapshot's files back into the working tree; what is recorded next counts from it.

        HEAD, branches and the index stay as they are, and so do files that no snapshot takes, as ignored ones.

        Args:
            id: the snapshot.
            force: throw away what is recorded nowhere; its tree stays in the repository until git prunes it.

        Raises:
            NotFound: there is no such snapshot.
            Invalid: something would be lost that is recorded nowhere; nothing was changed.
            InvalidContent: the snapshot holds what is not safe to write; nothing was changed.
        """
        from gitlineage.git.restore import restore

        snapshot = self._views.snapshot(resolve(self._views, id))
        if self.repo.workdir is None:
            raise Invalid("a bare repository has no working tree; name a folder to write the snapshot to")
        known = candidates(self._views, self.own_writer(), self._mark)
        content = Content(self.repo)
        with self.repo.packing():  # nothing of it gets onto the disk
            now = content.from_folder(self.repo.workdir, [each.tree for each in known], everything=False).tree
            is_kept = self._is_kept(now, snapshot.tree)
            if not (force or is_kept):
                many = counted(nearest(self.repo, now, known).paths, "file")
                raise Invalid(
                    f"the working tree has {many} changed that no snapshot has; `gitlineage commit` records them, "
                    "--force throws them away"
                )
        if not is_kept:  # so that it can be found again until git prunes it
            now = content.from_folder(self.repo.workdir, everything=False).tree
        done = restore(self.repo, snapshot.oid, now, snapshot.tree, force=force)
        self.stand_on(snapshot.oid)
        return done

    def _is_kept(self, tree: str, target: str) -> bool:
        """Whether a working tree's content is safe: recorded, that of HEAD, or what is to be there; or it is empty."""
        head = self.repo.head()
        kept = {target, object_id("tree", b""), self._views.snapshot(head).tree if head is not None else ""}
        return tree in kept or self._views.index.one("SELECT 1 FROM snapshots WHERE tree = ?", tree) is not None

    # -- the prompt ----------------------------------------------------------------------------------------

    @reading
    def views(self, *, at: str | None = None, raw_parents: bool = False, trusted_only: bool = False) -> Views:
        """
        Return the models behind everything else, now or as they were.

        Args:
            at: a trial, a commit of a writer's ref, or an ISO 8601 time (design 8).
            raw_parents: take parents as the rows spell them (semantics 59).
            trusted_only: leave out every writer whose ref is not signed by its owner, every commit, by the file in git
                config ``gpg.ssh.allowedSignersFile``.

        Raises:
            SigningError: only trusted writers are wanted, and nothing says who they are.
        """
        if trusted_only:
            shown = self._trusted_index()
            if at is not None:
                until = self.let_through(moment(Views(shown, self.repo, note=self.watcher.note), self.journal, at))
                shown = index.build(self.repo, self.journal, shown.tips(), until)
            return Views(shown, self.repo, raw_parents, self.watcher.note, self._hears_ends())
        if at is None:
            return (
                Views(self._index, self.repo, raw_parents, self.watcher.note, self._hears_ends())
                if raw_parents
                else self._views
            )
        until = self.let_through(moment(self._views, self.journal, at))
        shown = index.build(self.repo, self.journal, self.journal.tips(), until)
        return Views(shown, self.repo, raw_parents, self.watcher.note, self._hears_ends())

    def _trusted_index(self) -> Index:
        """Return an index of the trusted writers' events alone; kept for as long as their refs stay where they are."""
        from gitlineage.journal.trust import trusted

        tips = self._index.tips()
        found = trusted(self.repo, self.journal, signing.verifier(self.repo), tips)
        if self._trusted is None or self._trusted.tips() != found:
            self._trusted = index.build(self.repo, self.journal, found, self._until)
        named = {name for name, tip in tips.items() if not (is_archive(name) and self.journal.folded(tip))}
        if left := sorted((named | self.journal.archived(tips).keys()) - found.keys()):
            more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
            self.watcher.note(f"left out, because not signed by their owners: {', '.join(left[:_NAMED])}{more}")
        return self._trusted

    def render_prompt(
        self,
        for_specialist: str,
        *,
        top_k: int = 20,
        recent_n: int = 30,
        last_m_full: int = 10,
        session_timestamp: str = "",
        at: str | None = None,
        record: bool = False,
        trusted_only: bool = False,
        **options: Any,
    ) -> LineageSnapshot:
        """
        Return the prompt that the next agent reads, with the records it shows; the same state gives the same bytes.

        Args:
            for_specialist: whom it is for.
            top_k: rows of the leaderboard.
            recent_n: rows of the recent-activity table.
            last_m_full: trials shown with hypothesis and notes at length.
            session_timestamp: the session's start as it is to be printed.
            at: render as of a trial, a commit of a writer's ref, or an ISO 8601 time.
            record: record what the agent saw; the specialist's next trial names it.
            trusted_only: leave out what `views` says.
            options: the further fields of `PromptOptions`.

        Raises:
            ValueError: a negative number.
            NotFound: there is no such moment.
        """
        chosen = PromptOptions(
            top_k=_count(top_k),
            recent_n=_count(recent_n),
            last_m_full=_count(last_m_full),
            session_timestamp=session_timestamp,
            **options,
        )
        views = self.views(at=at, raw_parents=chosen.raw_parents, trusted_only=trusted_only)
        more = {**({"at": at} if at else {}), **({"trusted_only": True} if trusted_only else {})}
        view = prompt_view(views, for_specialist, chosen, campaign=self.campaign)
        shown = LineageSnapshot(
            rendered_prompt=render_prompt(view, for_specialist, chosen),
            current_best=view.best.trial if view.best else None,
            chain_to_best=view.line,
            top_k_leaderboard=trials(view.kept),
            recent_n_activity=trials(view.recent[:recent_n]),
            last_m_with_full_hypothesis=trials(view.recent[:last_m_full]),
            specialist=for_specialist,
            parameters={**msgspec.to_builtins(chosen), **more},
            tips=views.index.tips() if trusted_only else self.journal.tips(),
            clock=views.index.clock,
        )
        return self._record_session(shown) if record else shown

    def _record_session(self, shown: LineageSnapshot) -> LineageSnapshot:
        event = events.SessionEvent(
            specialist=shown.specialist,
            prompt="",
            tips=dict(shown.tips),
            parameters=dict(shown.parameters),
            seen=shown.clock,
        )
        session = self._write(lambda recorder: recorder.add_session(shown.rendered_prompt, event))
        return msgspec.structs.replace(shown, session=CommitOid(session))


def _count(n: int) -> int:
    if n < 0:
        raise ValueError(f"a count is 0 or more, not {n}")
    return n
