"""
The facade: what a store can record and what it can be asked; start at `LineageStore`.

Its methods put the modules below together; the rules are there: `Recorder` records, `Views` and `ancestry` answer.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

import msgspec

from gitlineage import house
from gitlineage.bounds import MAX_CHECKOUT
from gitlineage.errors import Invalid, WouldLose
from gitlineage.git.formats import is_oid
from gitlineage.later import later
from gitlineage.model.frames import Columns, Trials, summary, typed
from gitlineage.model.records import (
    AncestryNode,
    Cohort,
    CommitOid,
    LineageSnapshot,
    PromptOptions,
    PromptView,
    Reparenting,
    Snapshot,
    Task,
    TrialView,
)
from gitlineage.model.trial import Trial
from gitlineage.query.names import Id, Moment, claimed, moment_of, resolve, trial_of
from gitlineage.query.ranking import best_by, board_by, criterion
from gitlineage.query.views import Views, trials
from gitlineage.record.ledger import Ledger
from gitlineage.record.watcher import Watcher
from gitlineage.store.catalogue import Catalogue
from gitlineage.store.history import History
from gitlineage.store.part import reading
from gitlineage.store.relations import Relations
from gitlineage.store.sharing import Remote
from gitlineage.text import counted, some, to_type

if TYPE_CHECKING:  # what only some commands need is imported where it is used: these are started often
    from gitlineage.git import signing
    from gitlineage.git.accept import Accepted
    from gitlineage.git.checkout import Written
    from gitlineage.git.folders import Taken
    from gitlineage.git.restore import Restored
    from gitlineage.query import ancestry
    from gitlineage.query.comparing import Comparison
    from gitlineage.query.diff import RecipeEdit
    from gitlineage.query.judge import Verdict
    from gitlineage.query.nearest import Nearest
    from gitlineage.query.stats import Stat
    from gitlineage.query.table import Table
    from gitlineage.query.tried import Alike, Tried
    from gitlineage.record.adoption import Adopted
    from gitlineage.record.recorder import Recorder
    from gitlineage.record.verify import Finding
else:
    ancestry = later("gitlineage.query.ancestry")

P = ParamSpec("P")
R = TypeVar("R")

Given = Trial | Mapping[str, Any]
"""A row, or its cells by column; ``score`` among them is what the task ranks by."""

_SHOWN = 10
"""Rows of the leaderboard that a notebook shows of a store."""

_NAMED = 5
"""Writers that are named when some are left out; the rest are counted."""


def _passed(
    name: str, to: Callable[["LineageStore"], Any], verb: Callable[Concatenate[Any, P], R]
) -> Callable[Concatenate["LineageStore", P], R]:
    """Return a method of the store that a part or the ledger answers; it looks like theirs, under its own name."""

    @wraps(verb)
    def method(self: "LineageStore", /, *args: P.args, **kwargs: P.kwargs) -> R:
        return verb(to(self), *args, **kwargs)

    method.__name__, method.__qualname__ = name, f"LineageStore.{name}"
    return method


_ledger, _relations, _catalogue, _history, _remote = map(
    attrgetter, ("ledger", "relations", "catalogue", "history", "remote")
)


def _columns(store: "LineageStore") -> Columns:
    """Return every trial that has a result and its place, in recording order, to be turned into a data frame."""
    return Columns(store.ledger.ask(lambda: typed(*store.ledger.models.placed())))


class LineageStore:
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

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        campaign: str | None = None,
        lower_is_better: bool | None = None,
        writer: str | None = None,
        task: Task | None = None,
        identity: tuple[str, str] | None = None,
        clock: Callable[[], datetime] | None = None,
        create: bool = True,
        watcher: Watcher | None = None,
        incomplete: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.ledger = Ledger(  # whose parameters these are: spelled twice, for help, editors and errors name this class
            root,
            campaign=campaign,
            lower_is_better=lower_is_better,
            writer=writer,
            task=task,
            identity=identity,
            clock=clock,
            create=create,
            watcher=watcher,
            incomplete=incomplete,
            environment=environment,
        )
        """The open repository beneath, for what is built on top of a store."""

    @classmethod
    def _over(cls, ledger: Ledger) -> Self:
        """Return the store over an open repository."""
        made = cls.__new__(cls)
        made.ledger = ledger
        return made

    @classmethod
    def clone(
        cls,
        url: str | Path,
        folder: Path | str,
        *,
        bare: bool = False,
        branch: str | None = None,
        reference: Path | str | None = None,
        **options: Any,
    ) -> Self:
        """
        Clone a repository with its branches and its lineage, and return the store.

        Args:
            url: a URL or path.
            folder: where to; it must be empty or not there.
            bare: make a repository without a working tree.
            branch: the branch to check out.
            reference: a repository on this machine whose objects it reads in place, for as long as they are there,
                instead of fetching them.
            options: what the store is opened with.

        Raises:
            RemoteError: it could not be done; nothing is left at the folder.
        """
        from gitlineage.sync import push

        watcher = options.get("watcher")
        listener = watcher.overhear() if watcher is not None else None
        near = Path(reference) if reference is not None else None
        push.clone(str(url), Path(folder), bare=bare, branch=branch, reference=near, listener=listener)
        store = cls(folder, **{"create": False, **options})
        push.settle(store.ledger)
        return store

    def close(self) -> None:
        """
        Close the index; the store opens it again when it is used, unless it shows the past.

        Raises:
            RepositoryError: a batch is open.
        """
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _views(self) -> Views:
        return self.ledger.models

    # -- parts and settings --------------------------------------------------------------------------------

    @property
    def relations(self) -> Relations:
        """Typed relations between snapshots: recording them, walking over them, drawing them."""
        return Relations(self.ledger)

    @property
    def catalogue(self) -> Catalogue:
        """A catalogue of artifacts: their entries, their use, how they were forged, what depends on them."""
        return Catalogue(self.ledger)

    @property
    def history(self) -> History:
        """How things came to be: every event, what touched a snapshot, where it got worse, what texts propose."""
        return History(self.ledger)

    @property
    def remote(self) -> Remote:
        """Other machines: push, pull, sync, and what a plain git carries."""
        return Remote(self.ledger)

    @property
    def root(self) -> Path:
        """The repository, or the folder inside it that the store was opened with."""
        return self.ledger.root

    @property
    def writer(self) -> str:
        """The name of this clone's writer; made up and kept in git's configuration where there is none."""
        return self.ledger.writer

    @property
    def campaign(self) -> str:
        """The name of the campaign that this store shows; ``default`` for the one that every repository has."""
        return self.ledger.campaign

    @property
    def task(self) -> Task:
        """What the campaign optimises."""
        return self.ledger.task

    @property
    def taken(self) -> "Taken | None":
        """What the folder that was recorded last gave, and what of it is in no snapshot."""
        return self.ledger.taken

    campaigns = _passed("campaigns", _ledger, Ledger.campaigns)
    set_task = _passed("set_task", _ledger, Ledger.set_task)
    lacking = _passed("lacking", _ledger, Ledger.lacking)
    reindex = _passed("reindex", _ledger, Ledger.reindex)

    @contextmanager
    def batch(self, message: str | None = None) -> Iterator[Self]:
        """
        Record everything inside as one commit of the writer's ref: all of it or none.

        What is recorded inside can be read inside. Other writing processes wait until it ends.

        Args:
            message: the activity log's line; by default it says what was recorded.

        Raises:
            StorageError: the disk refused; nothing was recorded.
            Conflict: another program kept moving the writer's ref.
        """
        with self.ledger.batch(message):
            yield self

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
            content: files by path, a folder, or an id or revision whose tree to take; ``None`` for the working tree
                as ``git add -A`` would see it. A text that is both names the id or revision; ``./000`` or a `Path`
                is the folder. Of a folder, untracked files that are plainly no recipe are left out;
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

        def work(recorder: "Recorder") -> Snapshot:
            return recorder.commit(content, ids, row, cohort, roles or {}, message)

        return self.ledger.write(work)

    def record(
        self, rev: Id, trial: Given, *, revise: bool = False, replicate: bool = False, judge: bool = False
    ) -> Trial:
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
            judge: of a revision: judge its score anew, by the best that was recorded before it and counts now.

        Raises:
            NotFound: no such commit.
            Invalid: there is no score to judge, or nothing that it is judged anew for.
            Duplicate: the exp id has another row; an identical one is no error and adds nothing.
            InvalidTrial: the row breaks a rule, or has neither a status nor a score.
        """
        from gitlineage.record import tables

        if revise and replicate:
            raise Invalid("a row is revised or a replicate, not both")
        row = self._row(trial)
        if judge and not revise:
            raise Invalid("only a revision is judged anew")
        if judge and row.status is not None:
            raise Invalid(f"a row is judged anew, or is a {row.status}, not both")
        if not (revise or replicate):
            tables.check_ended(self.ledger, row, "a recorded row")

        def work(recorder: "Recorder") -> Trial:
            oid, exp_id = recorder.record(rev, row, revise, replicate=replicate, anew=judge)
            view = self._landed(recorder, oid, exp_id)
            if view.retracted is not None:
                undo = f"`{to_type('gitlineage', 'retract', view.label, '--undo')}` takes that back"
                self.ledger.watcher.note(f"{view.label} is retracted and does not count: {view.retracted}; {undo}")
            return view.trial

        return self.ledger.write(work)

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

        def work(recorder: "Recorder") -> Trial:
            oid, exp_id = recorder.record(rev, trial.replace(status=None), judged=False)
            return self._landed(recorder, oid, exp_id).trial

        return self.ledger.write(work)

    def _landed(self, recorder: "Recorder", oid: str, exp_id: str) -> TrialView:
        """Return the trial that was recorded."""
        view = self._views.row(oid, exp_id, recorder.landing.writer)
        assert view is not None, exp_id
        return view

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
        from gitlineage.journal import events

        if how == events.ARRIVED:
            raise Invalid(f"a rewrite cannot be called {how!r}; an import says so of commits that were missing")

        def work(recorder: "Recorder") -> None:
            made, origin = resolve(self._views, new), resolve(self._views, old)
            if made == origin:
                raise Invalid(f"{made[:12]} cannot be rewritten from itself")
            recorder.rewrite(made, origin, how)

        self.ledger.write(work)

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
        from gitlineage.record import repair

        def work(recorder: "Recorder") -> TrialView:
            who = self.ledger.committer().name if actor is None else actor
            oid, exp_id = repair.retract(self._views, recorder.landing, id, reason, who, undo)
            self.ledger.forget_best()
            return self._landed(recorder, oid, exp_id)

        return self.ledger.write(work)

    def reassert(self, id: Id | None = None) -> TrialView | Task:
        """
        Say again what held before another writer's last word: a row, or the task; for when that word was wrong.

        Args:
            id: the trial; ``None`` for the task.

        Returns:
            The trial or the task as it is now.

        Raises:
            NotFound: there is no such trial.
            Ambiguous: the snapshot has several.
            Invalid: only one writer has ever said anything about it.
        """
        from gitlineage.record import repair

        if id is None:
            self.ledger.refresh()
            from gitlineage.query import words

            task = words.earlier_task(self._views)
            if task is None:
                raise Invalid("only one writer has said what the task is; `gitlineage init` says another one")
            self.set_task(task, force=True)
            return self.task

        def work(recorder: "Recorder") -> TrialView:
            tips = self.ledger.counting()
            oid, exp_id = repair.reassert(self._views, recorder.landing, self.ledger.journal, tips, id)
            self.ledger.forget_best()
            return self._landed(recorder, oid, exp_id)

        return self.ledger.write(work)

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
        from gitlineage.record import repair

        given = (parents,) if isinstance(parents, str | Snapshot | Trial) else tuple(parents)

        def work(recorder: "Recorder") -> Snapshot:
            who = self.ledger.committer().name if actor is None else actor
            oid = repair.reparent(self._views, recorder.landing, id, given, roles or {}, reason, who)
            return self._views.snapshot(oid)

        return self.ledger.write(work)

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
        from gitlineage.record import tables

        row = self._row(trial)
        tables.check_ended(self.ledger, row, "an appended row")
        ids = None if parents is None else tuple(parents)
        return self.ledger.write(lambda recorder: recorder.append(row, ids, self.root))

    def _row(self, given: Given) -> Trial:
        """Return a row as it is recorded; the task is asked for only where it matters."""
        if isinstance(given, Trial) and given.score is None:
            return given
        return Trial.of(given, self.task.score_field)

    def append_many(self, rows: Iterable[Given], *, message: str | None = None) -> tuple[Snapshot, ...]:
        """
        Record many rows alone, all of them or none, each as `append` does; a row may name a later one as its parent.

        Rows without an exp id are numbered on from the highest number there is, in the store and in the other rows.

        Raises:
            BadRows: exp ids that are taken by different rows, by position counted from 1.
            InvalidTrial: a row breaks a rule, or has neither a status nor a score.
        """
        from gitlineage.record import tables

        return tables.append_many(self.ledger, [self._row(row) for row in rows], message)

    def adopt(self, snapshots: "Sequence[Adopted]", message: str | None = None) -> list[tuple[CommitOid, bool]]:
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
        from gitlineage.record.adoption import adopt

        with self.batch(message):
            landing = self.ledger.recorder().landing
            return adopt(self.ledger.repo, self._views, landing, snapshots, self.ledger.watcher.advance)

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

        def work(recorder: "Recorder") -> Cohort:
            recorder.new_cohort(name, ids, metadata, allow_mixed)
            return self._views.cohorts.one(name)

        return self.ledger.write(work)

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

    to_dicts = _passed("to_dicts", _columns, Columns.to_dicts)
    to_pandas = _passed("to_pandas", _columns, Columns.to_pandas)
    to_polars = _passed("to_polars", _columns, Columns.to_polars)
    to_arrow = _passed("to_arrow", _columns, Columns.to_arrow)

    @reading
    def judge(
        self, score: float | None, content: Id | None = None, parents: Sequence[Id] = (), command: str = ""
    ) -> "Verdict":
        """
        Return what a trial with this score would be, keep, discard or baseline, and why.

        `commit`, `record` and `append` ask the same of a trial that has a score and no status. A keep beats the best so
        far, and by more than two sigma where replicates of what is compared exist.

        Args:
            score: the score; without one the trial is pending.
            content: the snapshot that it is a further run of, or its tree.
            parents: what it was derived from; their replicates count for the noise, too.
            command: what was run; the same content under another command is no replicate.
        """
        from gitlineage.query.judge import judge

        trees = [self._tree_named(content) if content is not None else "", *map(self._tree_named, parents)]
        return judge(self._views, score, trees, command)

    def _tree_named(self, id: Id) -> str:
        """Return the tree of a snapshot, or the one that a tree's own oid names."""
        if isinstance(id, str) and is_oid(id) and self.ledger.repo.exists(id) and self.ledger.repo.kind(id) == "tree":
            return id
        return self._views.snapshot(resolve(self._views, id)).tree

    @reading
    def all_trials(self) -> list[Trial]:
        """Return every trial that has a result, in recording order; retracted ones too, as they were recorded."""
        return [each.trial for each in self._views.rows() if each.trial.status is not None]

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
            Invalid: the direction is not said, or no trial that is eligible has a number in the column.
        """
        views = self.ledger.views(trusted_only=True) if trusted_only else self._views
        by = criterion(views.task, metric, lower_is_better)
        if by == views.task:
            return views.best_row(eligible)
        view = best_by(views, by, eligible)
        return view.trial if view is not None else None

    @reading
    def leaderboard(self, k: int = 20, *, metric: str | None = None, lower_is_better: bool | None = None) -> Trials:
        """
        Return the ``k`` best kept trials, best first, ties in recording order, those without a score last.

        Args:
            k: how many.
            metric: any column with numbers, instead of the task's; trials without one there are left out.
            lower_is_better: its direction, which has to be said of a column that the task does not rank by.

        Raises:
            Invalid: the direction is not said, or no kept trial has a number in the column.
        """
        by = criterion(self._views.task, metric, lower_is_better)
        if metric is None and by == self._views.task:
            return Trials(self._views.kept_rows(_count(k)))
        return Trials(view.trial for view in board_by(self._views, by, _count(k)))

    @reading
    def stats(
        self,
        by: str | None = None,
        *,
        cohort: str | None = None,
        specialist: str | None = None,
        statuses: Sequence[str] = (),
        since: str | None = None,
    ) -> "list[Stat]":
        """
        Return who gets on and who is stuck: trials, keep rate, best, gain, hours and trials since the last keep.

        Args:
            by: ``specialist``, ``cohort``, ``domain``, ``parent``, ``status`` or ``day``; left out, all trials are one
                group. The group with the best trial comes first.
            cohort: only members of this cohort, and its base.
            specialist: only those of one specialist.
            statuses: only these.
            since: only from this trial, or ISO 8601 time, on.

        Raises:
            ValueError: an unknown group.
            NotFound: there is no such cohort or moment.
        """
        from gitlineage.query.stats import statistics

        return statistics(self._table(cohort, specialist, statuses, since), by)

    def _table(self, cohort: str | None, specialist: str | None, statuses: Sequence[str], since: str | None) -> "Table":
        from gitlineage.query.table import chosen, table

        views = self._views
        return chosen(
            views, table(views, texts=False), cohort=cohort, specialist=specialist, statuses=statuses, since=since
        )

    @reading
    def compare(self, a: Id, b: Id) -> "Comparison":
        """
        Return two trials or cohorts side by side: scores, whether these differ by more than chance, what only one has.

        A trial stands for all runs of its content.

        Raises:
            NotFound: neither a trial nor a cohort is called so.
            Ambiguous: several are.
        """
        from gitlineage.query.comparing import compare

        return compare(self._views, a, b)

    @reading
    def plot(
        self,
        *,
        log: bool = False,
        cohort: str | None = None,
        specialist: str | None = None,
        statuses: Sequence[str] = (),
        since: str | None = None,
    ) -> Any:
        """
        Return every score and the staircase of best so far as a ``matplotlib.figure.Figure``, which a notebook shows.

        Args:
            log: draw powers of ten equally far apart.
            cohort: as for `stats`, and so are the others.
            specialist: see there.
            statuses: see there.
            since: see there.

        Raises:
            Invalid: matplotlib is not installed (the extra ``plot``).
            NotFound: there is no such cohort or moment.
        """
        from gitlineage.query.stats import progress
        from gitlineage.render.progress import figure

        return figure(progress(self._table(cohort, specialist, statuses, since)), log=log)

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
        if plain and views.index.speakers is None and len(oids := views.oids_named(plain)) == 1:
            return Trials(views.line(oids[0], plain).trials)
        view = trial_of(views, exp_id)
        return Trials(views.line(view.oid, view.trial.exp_id, view.order.writer).trials)

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
        choice = {"cohort": cohort, "statuses": statuses, "specialist": specialist, "dangling": dangling}
        return self._views.listing(limit, **choice)

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
        from gitlineage.query.search import search

        return search(self._views, text, limit, lambda count: self.ledger.watcher.advance("indexing texts", count))

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
        from gitlineage.record import repair

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
        near = self.nearness(content)
        return self._views.snapshot(near.oid) if near.oid is not None else None

    @reading
    def nearness(self, content: Mapping[str, bytes] | Path | str | None = None) -> "Nearest":
        """Return what `nearest` does with what it was chosen from, how far it is away, and the content's tree."""
        from gitlineage.query.nearest import nearest
        from gitlineage.record.rules import content_of, content_tree

        known = self.ledger.candidates()
        near = [each.tree for each in known]
        if self.ledger.in_batch:
            return nearest(self.ledger.repo, self.ledger.recorder().take(content, near), known)
        with self.ledger.repo.packing():  # outside of a landing nothing of it gets onto the disk
            return nearest(
                self.ledger.repo, content_tree(self._views, content_of(self.ledger.repo), content, near), known
            )

    def tried(
        self,
        hypothesis: str = "",
        content: Mapping[str, bytes] | Path | str | None = None,
        *,
        command: str | None = None,
        parents: Sequence[Id] | None = None,
        near: bool = True,
        build: bool = True,
    ) -> "Tried":
        """
        Return whether something was tried before: what is asked about, and nothing else (semantics 96).

        Args:
            hypothesis: what it tries; compared by its words.
            content: files by path, a snapshot, a tree, or a folder: the working tree is ``Path(".")``.
            command: what would be run, as the column ``command`` spells it; only a trial of the same command is then
                the same. ``None`` for any.
            parents: what the content was made from; by default what it is nearest to.
            near: whether to look for what is nearly the same, too.
            build: whether to make a store searchable that nobody has searched yet, which takes seconds for a large one;
                otherwise the hypothesis is compared with those of its newest trials.

        Raises:
            NotFound: an unknown parent.
            InvalidContent: as `commit`.
        """
        from gitlineage.query.tried import Tried

        tried = Tried()
        if content is not None:
            if self.ledger.in_batch:
                tried = self._tried(content, command, parents, near)
            else:
                with self.ledger.repo.packing():  # outside of a landing nothing of it gets onto the disk
                    tried = self._tried(content, command, parents, near)
        if hypothesis and near:
            tried = msgspec.structs.replace(tried, alike=self._alike(hypothesis, build))
        return tried

    @reading
    def _alike(self, hypothesis: str, build: bool) -> "tuple[Alike, ...]":
        from gitlineage.query.tried import by_hypothesis

        return by_hypothesis(self._views, hypothesis, build=build)

    @reading
    def _tried(
        self,
        content: Mapping[str, bytes] | Path | str,
        command: str | None,
        parents: Sequence[Id] | None,
        near: bool,
    ) -> "Tried":
        """Return what was tried of a content."""
        from gitlineage.query.nearest import nearest
        from gitlineage.query.tried import by_edit, exactly
        from gitlineage.record.rules import content_of, content_tree

        known = self.ledger.candidates()
        trees = [each.tree for each in known]
        heard: list[Taken] = []
        if self.ledger.in_batch:
            tree = self.ledger.recorder().take(content, trees)
        else:
            tree = content_tree(self._views, content_of(self.ledger.repo, heard.append), content, trees)
        given = None if parents is None else [resolve(self._views, each) for each in parents]
        tried = exactly(self._views, tree, command)
        if heard:
            tried = msgspec.structs.replace(tried, untold=heard[-1].untold())
        if not near or tried.first is not None:
            return tried
        oid = nearest(self.ledger.repo, tree, known).oid if given is None else next(iter(given), None)
        above = self._views.snapshot(oid).tree if oid is not None else ""
        return msgspec.structs.replace(tried, edits=by_edit(self._views, tree, above)) if above else tried

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
        from gitlineage.git.content import read_files, size_setting

        limit = size_setting(self.ledger.repo, house.MAX_CHECKOUT_SIZE, MAX_CHECKOUT)
        return read_files(self.ledger.repo, self._views.snapshot(resolve(self._views, id)).tree, limit)

    @reading
    def recipe_edit(self, id: Id, parent: int = 0) -> "RecipeEdit":
        """
        Return what a snapshot changed against one of its parents; a root changed nothing.

        Args:
            id: the snapshot.
            parent: which of its git parents, counted from 0.

        Raises:
            Invalid: it has no such parent.
        """
        from gitlineage.query.diff import RecipeEdit

        snapshot = self._views.snapshot(resolve(self._views, id))
        if parent < 0 or (parent >= len(snapshot.parents) and parent > 0):
            count = len(snapshot.parents)
            raise Invalid(f"there is no parent {parent + 1}: {self._views.name(snapshot.oid)} has {count}")
        before = self.ledger.repo.commit(snapshot.parents[parent]).tree if snapshot.parents else None
        return RecipeEdit(snapshot.trial, snapshot.tree, before, self.ledger.repo)

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

        self.ledger.check_present()
        check = verifier_for(self.ledger.repo, allowed_signers)
        with self.ledger.all_campaigns() as campaigns:  # git need not look at every object more than once
            findings = {
                each.campaign: _findings(each, everything and each is campaigns[0], check) for each in campaigns
            }
        return [msgspec.structs.replace(each, campaign=name) for name, some in findings.items() for each in some]

    @reading
    def checkout(self, id: Id, folder: Path) -> "Written":
        """
        Write a snapshot's files into a new or empty folder, all of them or none.

        Raises:
            NotFound: there is no such snapshot.
            InvalidContent: it holds what is not safe to write, such as names that lead outside; nothing was written.
        """
        from gitlineage.git.checkout import checkout

        return checkout(self.ledger.repo, self._views.snapshot(resolve(self._views, id)).tree, folder)

    @reading
    def accept(self, id: Id, branch: str | None = None) -> "Accepted":
        """
        Make an ordinary commit of a snapshot on a branch of the user's, with its message and trailers (semantics 98).

        Where that branch is checked out here, the working tree and the index move along, as git itself would have them.

        Args:
            id: the snapshot.
            branch: the branch; by default the one that is checked out. A new one begins at HEAD.

        Raises:
            NotFound: there is no such snapshot.
            Invalid: there is no such branch, nothing that both have in common, nothing new, or a conflict.
            WouldLose: changed or staged files would be overwritten; nothing was changed.
        """
        from gitlineage.record.accept import accept_snapshot

        return accept_snapshot(self._views, resolve(self._views, id), branch, self.ledger.committer())

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
            WouldLose: files would be lost that are recorded nowhere; nothing was changed.
            Invalid: there is no working tree, or the snapshot has no files; nothing was changed.
            InvalidContent: the snapshot holds what is not safe to write; nothing was changed.
        """
        from gitlineage.git.packs import object_id
        from gitlineage.git.restore import away, changes, restore
        from gitlineage.record.rules import content_of

        snapshot = self._views.snapshot(resolve(self._views, id))
        if self.ledger.repo.workdir is None:
            raise Invalid("a bare repository has no working tree; name a folder to write the snapshot to")
        if snapshot.tree == object_id("tree", b"") and snapshot.trials and not force:
            raise Invalid(
                f"{snapshot.exp_id} has no files: it is a row alone, as a table's is that was imported without "
                "--snapshots; --force removes all that a snapshot would take"
            )
        known = self.ledger.candidates()
        content = content_of(self.ledger.repo)
        with self.ledger.repo.packing():  # nothing of it gets onto the disk
            now = content.from_folder(self.ledger.repo.workdir, [each.tree for each in known], everything=False).tree
            is_kept = self._is_kept(now, snapshot.tree)
            if not (force or is_kept):
                trees = [each.tree for each in known] or [object_id("tree", b"")]
                absent = away(self.ledger.repo)
                apart = (
                    [path for path in changes(self.ledger.repo, tree, now) if path not in absent] for tree in trees
                )
                if files := min(apart, key=len):
                    many = counted(len(files), "file")
                    raise WouldLose(
                        files,
                        f"the working tree has {many} changed that no snapshot has: {some(files)}; "
                        "`gitlineage commit` records them, --force throws them away",
                    )
        if not is_kept:  # so that it can be found again until git prunes it
            now = content.from_folder(self.ledger.repo.workdir, everything=False).tree
        done = restore(self.ledger.repo, snapshot.oid, now, snapshot.tree, force=force)
        self.ledger.stand_on(snapshot.oid)
        done = msgspec.structs.replace(done, noted=self.ledger.in_batch or self.ledger.stands_on() == snapshot.oid)
        if any(path.rpartition("/")[2] == ".gitignore" for path in changes(self.ledger.repo, now, snapshot.tree)):
            with self.ledger.repo.packing():
                after = content.from_folder(self.ledger.repo.workdir, [snapshot.tree], everything=False).tree
                there = {path for path, _ in self.ledger.repo.walk_tree(snapshot.tree)}
                new = [path for path in changes(self.ledger.repo, snapshot.tree, after) if path not in there]
            done = msgspec.structs.replace(done, unignored=tuple(path for path in new if path not in done.left))
        return done

    def _is_kept(self, tree: str, target: str) -> bool:
        """Whether a working tree's content is safe: recorded, that of HEAD, or what is to be there; or it is empty."""
        from gitlineage.git.packs import object_id

        head = self.ledger.repo.head()
        kept = {target, object_id("tree", b""), self._views.snapshot(head).tree if head is not None else ""}
        return tree in kept or self._views.index.one("SELECT 1 FROM snapshots WHERE tree = ?", tree) is not None

    @reading
    def replay(self, until: Moment | None = None) -> Self:
        """
        Return the store as it was at a past moment, to be read only: every question is answered as of then.

        Names that only git knows, such as branches, stand for what they stand for now.

        Args:
            until: a clock as a number; a time, which is held against the rows' own timestamps; a trial, which counts as
                recorded; or a commit of a writer's ref. By default all there is, folded anew.

        Raises:
            NotFound: it is no moment.
            Invalid: a negative clock.
        """
        if until is None:
            return self._over(self.ledger.as_of(lambda recorded: True, "now"))
        return self._over(self.ledger.as_of(*moment_of(self._views, self.ledger.journal, until)))

    # -- verbs of the parts, by the names that are called on the store itself ------------------------------

    add_relationship = _passed("add_relationship", _relations, Relations.add)
    deprecate_relationship = _passed("deprecate_relationship", _relations, Relations.deprecate)
    get_relationships = _passed("get_relationships", _relations, Relations.find)
    record_evolution = _passed("record_evolution", _relations, Relations.record_evolution)
    record_fork = _passed("record_fork", _relations, Relations.record_fork)
    record_dependency = _passed("record_dependency", _relations, Relations.record_dependency)
    get_ancestors = _passed("get_ancestors", _relations, Relations.ancestors)
    get_descendants = _passed("get_descendants", _relations, Relations.descendants)
    get_dependents = _passed("get_dependents", _relations, Relations.dependents)
    get_path = _passed("get_path", _relations, Relations.path)
    merge_bases = _passed("merge_bases", _relations, Relations.merge_bases)
    find_common_ancestor = _passed("find_common_ancestor", _relations, Relations.common_ancestor)
    get_evolution_history = _passed("get_evolution_history", _relations, Relations.evolution)
    lineage_diagram = _passed("lineage_diagram", _relations, Relations.diagram)
    generate_lineage_diagram = _passed("generate_lineage_diagram", _relations, Relations.draw)

    set_entry = _passed("set_entry", _catalogue, Catalogue.set_entry)
    entry = _passed("entry", _catalogue, Catalogue.entry)
    entries = _passed("entries", _catalogue, Catalogue.entries)
    touch = _passed("touch", _catalogue, Catalogue.touch)
    flush_usage = _passed("flush_usage", _catalogue, Catalogue.flush_usage)
    record_forge = _passed("record_forge", _catalogue, Catalogue.record_forge)
    record_forge_attempt = _passed("record_forge_attempt", _catalogue, Catalogue.record_forge_attempt)
    forge_record = _passed("forge_record", _catalogue, Catalogue.forge_record)
    forge_attempts = _passed("forge_attempts", _catalogue, Catalogue.forge_attempts)
    forge_intents = _passed("forge_intents", _catalogue, Catalogue.forge_intents)
    search_forges = _passed("search_forges", _catalogue, Catalogue.search_forges)
    find_similar_forges = _passed("find_similar_forges", _catalogue, Catalogue.find_similar_forges)
    scored_forges = _passed("scored_forges", _catalogue, Catalogue.scored_forges)
    analyze_deprecation = _passed("analyze_deprecation", _catalogue, Catalogue.analyze_deprecation)
    find_replacement_candidates = _passed(
        "find_replacement_candidates", _catalogue, Catalogue.find_replacement_candidates
    )

    blame = _passed("blame", _history, History.blame)
    audit = _passed("audit", _history, History.audit)
    events = _passed("events", _history, History.events)
    infer = _passed("infer", _history, History.infer)
    bisect = _passed("bisect", _history, History.bisect)

    push = _passed("push", _remote, Remote.push)
    pull = _passed("pull", _remote, Remote.pull)
    sync = _passed("sync", _remote, Remote.sync)
    remote_status = _passed("remote_status", _remote, Remote.status)
    attach = _passed("attach", _remote, Remote.attach)

    # -- the prompt ----------------------------------------------------------------------------------------

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
            options: the further fields of `PromptOptions`, such as ``budget``: the most characters it may have.

        Raises:
            ValueError: a negative number, or a budget that nothing fits into.
            NotFound: there is no such moment.
        """
        chosen = PromptOptions(
            top_k=_count(top_k),
            recent_n=_count(recent_n),
            last_m_full=_count(last_m_full),
            session_timestamp=session_timestamp,
            **options,
        )
        views = self.ledger.views(at=at, raw_parents=chosen.raw_parents, trusted_only=trusted_only)
        more = {**({"at": at} if at else {}), **({"trusted_only": True} if trusted_only else {})}
        view: PromptView
        if chosen.budget is None:
            from gitlineage.query.prompt import prompt_view
            from gitlineage.render.prompt import render_prompt

            view = prompt_view(views, for_specialist, chosen, campaign=self.campaign)
            text = render_prompt(view, for_specialist, chosen)
        else:
            from gitlineage.query.brief import brief_view
            from gitlineage.render.brief import render_brief

            view = brief = brief_view(views, chosen, self.campaign)
            text = render_brief(brief, for_specialist, chosen, chosen.budget)
        shown = LineageSnapshot(
            rendered_prompt=text,
            current_best=view.best.trial if view.best else None,
            chain_to_best=view.line,
            top_k_leaderboard=trials(view.kept),
            recent_n_activity=trials(view.recent[:recent_n]),
            last_m_with_full_hypothesis=trials(view.recent[:last_m_full]),
            specialist=for_specialist,
            parameters={**msgspec.to_builtins(chosen), **more},
            tips=views.index.tips() if trusted_only else self.ledger.counting(),
            clock=views.index.clock,
        )
        return self.record_session(shown) if record else shown

    def record_session(self, shown: LineageSnapshot) -> LineageSnapshot:
        """Record what an agent saw, where `render_prompt` did not, and return it with the commit that holds it."""
        from gitlineage.journal import events

        event = events.SessionEvent(
            specialist=shown.specialist,
            prompt="",
            tips=dict(shown.tips),
            parameters=dict(shown.parameters),
            seen=shown.clock,
        )
        session = self.ledger.write(lambda recorder: recorder.add_session(shown.rendered_prompt, event))
        return msgspec.structs.replace(shown, session=CommitOid(session))


def _count(n: int) -> int:
    if n < 0:
        raise ValueError(f"a count is 0 or more, not {n}")
    return n


def _findings(ledger: Ledger, everything: bool, check: "signing.Verifier | None") -> "list[Finding]":
    """Return what is not as it should be in one campaign."""
    from gitlineage.record.verify import Verification, look

    with ledger.at_rest():
        ledger.refresh()
        moment = look(ledger.repo, ledger.namespace, ledger.models.index)

    def advance(count: int) -> None:
        ledger.watcher.advance("verifying", count)

    checks = Verification(ledger.repo, ledger.journal, moment, everything=everything, check=check, advance=advance)
    return checks.findings()
