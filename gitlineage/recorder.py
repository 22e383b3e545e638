"""
The rules of recording: what a snapshot, a row or a cohort must be before it lands; not how a landing is published.

Layer 13. Every check comes before the first event, so that a refusal leaves nothing behind, not even in a batch.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from gitlineage import codec
from gitlineage.errors import Ambiguous, BadRows, CohortMismatch, Duplicate, Invalid, InvalidContent, NotFound
from gitlineage.gitformats import CommitInfo, Identity
from gitlineage.gitrepo import GitRepo
from gitlineage.graph import topological
from gitlineage.index import read_row
from gitlineage.landing import Landing
from gitlineage.message import Trailers, compose, one_line, snapshot_trailers, subject
from gitlineage.models import ROLES, CommitOid, Snapshot, Task, TreeOid
from gitlineage.names import Id, resolve
from gitlineage.queries import originals, rewritten_from
from gitlineage.times import parse_time, stamp
from gitlineage.trial import AUTO_ID, FailureLabel, Trial, check_id_prefix, refuse_non_finite
from gitlineage.views import Views
from gitlineage.worktree import Content

_GAVE_NOTHING = ("inspiration", "contrast")
"""Roles that a snapshot may have without being a git parent."""

_ELIGIBLE = (FailureLabel.KEEP, FailureLabel.BASELINE)
_MAX_NAME = 200
_SMALL = 10_000
"""Characters of hypothesis and notes that cannot make an event too long; the other cells are short where they are."""

_TELL = 100
"""Rows between two words about how far a table is recorded."""


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


class _Base(NamedTuple):
    """What a cohort asks of its members: the parents it was opened with, or any others."""

    oids: Sequence[str]
    allow_mixed: bool


class Memory:
    """
    What a store remembers from one landing to the next.

    Args:
        repo: the repository.
    """

    def __init__(self, repo: GitRepo) -> None:
        self.content = Content(repo)
        self.best: Trial | None = None
        self.best_of = -1
        """The index's generation in which that is the best trial."""

    def best_in(self, views: Views) -> Trial | None:
        """Return the best trial; the index is asked again only after something that may have made it another one."""
        if self.best_of != views.index.generation:
            text = views.best_row()
            self.best = read_row(text) if text is not None else None
            self.best_of = views.index.generation
        return self.best

    def has_best(self, generation: int) -> bool:
        """Whether the best trial is known, and is one that only a better one replaces."""
        return self.best_of == generation and self.best is not None and self.best.status in _ELIGIBLE


class Recorder:
    """
    Records into one landing.

    Args:
        repo: the repository.
        views: the store, with what the landing holds so far.
        landing: where events go.
        identity: who commits, for snapshots that do not come from a table.
        memory: what landings before have left.
    """

    def __init__(
        self, repo: GitRepo, views: Views, landing: Landing, identity: Identity, memory: Memory | None = None
    ) -> None:
        self._repo = repo
        self._views = views
        self.landing = landing
        self._identity = identity.clean()
        self._memory = memory or Memory(repo)
        self._content = self._memory.content
        self._content.renew()
        self._bases: dict[str, _Base] = {}
        self._trees: dict[str, str] = {}
        self._exp_ids: dict[str, str] = {}
        self._made: dict[str, CommitInfo] = {}
        prefix = repo.config("lineage.idPrefix")
        self._prefix = check_id_prefix(prefix) if prefix else ""
        self._has_sessions = bool(views.index.one("SELECT 1 FROM sessions LIMIT 1"))

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
        row = self._fill(trial, oids) if trial is not None else None
        if row is not None:
            self._encodable(row)
        tree = self._tree(content, [self._tree_of(parent) for parent in oids])
        base = self._check_cohort(cohort, oids) if cohort is not None else None
        if row is not None and trial is not None and trial.exp_id != AUTO_ID:
            known = self._already(row, trial, tree, oids)
            if known is not None:
                return self._views.snapshot(known)
        moment = self._moment(row)
        trailers = snapshot_trailers(
            row.exp_id if row else "",
            row.specialist if row else "",
            cohort,
            known_roles,
            "" if row else f"{self.landing.writer}-{self.landing.clock + 1}",
        )
        said = message or (one_line(row.hypothesis) if row else "") or (f"Trial {row.exp_id}" if row else "Snapshot")
        said = compose(said, trailers)
        oid = self._repo.write_commit(tree, oids, said, self._identity, moment)
        if base is not None and cohort is not None:
            self.open_cohort(cohort, base, {}, False)
        others = tuple([CommitOid(parent) for parent in known_roles if parent not in oids])
        self.landing.keep.extend(others)
        author = f"{self._identity.name} <{self._identity.mail}>"
        told = Trailers(exp_id=row.exp_id if row else "", cohort=cohort or "", roles=tuple(known_roles.items()))
        made = CommitInfo(oid, tree, tuple(oids), said, author, moment.astimezone(UTC), novel=True, trailers=told)
        self._trees[oid] = tree
        if row is None:
            self.landing.add(oid, codec.SnapshotEvent(), f"Record {oid[:12]}", None, made)
        else:
            self._add_trial(oid, row, saw=self._session_before(row), made=made)
        return self._recorded(made, row, others)

    def record(self, rev: Id, trial: Trial, revise: bool) -> tuple[str, str]:
        """Record a row on a commit, and return the commit's oid and the row's exp id."""
        oid: str = resolve(self._views, rev)
        here = self._views.on_snapshot(oid)
        if not here and trial.exp_id == AUTO_ID and not revise and (before := self._waiting_before(oid)):
            if self._tree_of(before[0]) == self._tree_of(oid):
                oid, here = before[0], self._views.on_snapshot(before[0])
            else:
                trial = _merged(trial, before[1])
        pending = [view for view in here if view.trial.status is None]
        if trial.exp_id == AUTO_ID and len(pending) == 1:
            trial = trial.replace(exp_id=pending[0].trial.exp_id)
        if trial.exp_id == AUTO_ID and revise and here:
            named = [view for view in here if view.label == rev or view.trial.exp_id == rev]
            if len(named or here) > 1:
                raise Ambiguous(str(rev), [view.label for view in here])
            trial = trial.replace(exp_id=(named or here)[0].trial.exp_id)
        if trial.exp_id == AUTO_ID and not here and (meant := self._trailer_id(oid)):
            trial = trial.replace(exp_id=meant)
        known = next((view for view in here if view.trial.exp_id == trial.exp_id), None)
        if known is None:
            self._refuse_taken(trial.exp_id)
            row = self._fill(trial, self._repo.parents(oid))
        else:
            if known.trial.status is not None and not revise:
                if _agrees(trial, known.trial):
                    return oid, known.trial.exp_id
                raise Duplicate(trial.exp_id, "has a row on this snapshot that differs; --revise records a new version")
            row = _merged(trial, known.trial)
            if row == known.trial:
                return oid, row.exp_id
            row = self._fill(row, self._repo.parents(oid))
        self._add_trial(oid, row, saw=self._session_before(row))
        return oid, row.exp_id

    def _recorded(self, made: CommitInfo, row: Trial | None, inspirations: tuple[CommitOid, ...] = ()) -> Snapshot:
        """Return a commit that this landing made and recorded, as the index will tell of it."""
        told = made.trailers or Trailers()
        return Snapshot(
            oid=CommitOid(made.oid),
            tree=TreeOid(made.tree),
            parents=tuple(map(CommitOid, made.parents)),
            roles={parent: role for parent, role in told.roles if parent in made.parents},
            inspirations=inspirations,
            cohort=told.cohort or None,
            subject=subject(made.message),
            author=made.author,
            time=stamp(made.time),
            writer=self.landing.writer,
            trials=(row,) if row else (),
        )

    def append(self, trial: Trial, parents: Sequence[Id] | None, root: Path) -> Snapshot:
        """
        Write a snapshot for a row alone, record it, and return it.

        The same row gives the same oid on every machine: the author is the specialist and the date the row's own.
        """
        if trial.exp_id == AUTO_ID:
            trial = trial.replace(exp_id=self._next_exp_id())
        known = self.known_row(trial)
        if known is not None:
            return self._views.snapshot(known)
        named = self.parents_of(trial) if parents is None else [resolve(self._views, each) for each in parents]
        row = Row(trial=trial, tree=folder_tree(self._repo, trial, root))
        self._encodable(trial)
        oid = self.write_row(row, list(dict.fromkeys(named)), self._moment(trial))
        made, is_new = self._made[oid], self._views.tree(oid) is None
        self.add_row(oid, row)
        return self._recorded(made, trial) if is_new else self._views.snapshot(oid)

    def write_row(self, row: Row, parents: Sequence[str], moment: datetime) -> str:
        """Write the snapshot of a row, without recording it."""
        trial = row.trial
        tree = row.tree or (self._tree_of(parents[0]) if parents else self._repo.empty_tree())
        said = one_line(trial.hypothesis) or f"Trial {trial.exp_id}"
        trailers = snapshot_trailers(trial.exp_id, trial.specialist, None, {}, "")
        name = one_line(trial.specialist) or "gitlineage"
        who = Identity(name, f"{name.replace(' ', '-')}@gitlineage").clean()
        message = compose(said, trailers)
        oid = self._repo.write_commit(tree, parents, message, who, moment)
        self._trees[oid] = tree
        author = f"{who.name} <{who.mail}>"
        self._made[oid] = CommitInfo(oid, tree, tuple(parents), message, author, moment.astimezone(UTC))
        return oid

    def add_row(self, oid: str, row: Row) -> None:
        """Record a row of a table on its snapshot."""
        self._encodable(row.trial)
        self._add_trial(oid, row.trial, row.raw, made=self._made.pop(oid, None))

    def append_rows(self, rows: Sequence[Row], advance: Callable[[int], None]) -> list[bool]:
        """
        Record many rows at once, in the order given, and return for each whether it was new.

        A row may name a later one as its parent; the snapshots are written parents first all the same.

        Args:
            rows: what to record.
            advance: called with the number of rows recorded since the last call.

        Raises:
            BadRows: an exp id that is taken by a different row, with the row's position counted from 1.
            InvalidTrial: a score that cannot be ranked.
            Invalid: a row that is too long for an event.
        """
        taken = []
        fresh: dict[str, int] = {}
        for at, row in enumerate(rows):
            self._encodable(row.trial)
            try:
                if self.known_row(row.trial) is None:
                    if row.trial.exp_id in fresh:
                        raise Duplicate(row.trial.exp_id, "is there twice")
                    fresh[row.trial.exp_id] = at
            except Duplicate as error:
                taken.append((row.line or at + 1, str(error)))
        if taken:
            raise BadRows("the table", taken)
        parents = {at: self._parent_in(rows[at].trial, fresh) for at in fresh.values()}
        moments = _moments(rows)
        oids: dict[int, str] = {}
        for at in topological(list(parents), lambda child: [p for p in parents[child] if isinstance(p, int)]):
            above = [oids.get(parent, "") if isinstance(parent, int) else parent for parent in parents[at]]
            oids[at] = self.write_row(rows[at], [oid for oid in above if oid], moments[at])
        for done, at in enumerate(fresh.values(), 1):
            self.add_row(oids[at], rows[at])
            if done % _TELL == 0:
                advance(_TELL)
        return [row.trial.exp_id in fresh for row in rows]

    def _parent_in(self, trial: Trial, fresh: Mapping[str, int]) -> list[int | str]:
        """Return a row's parent: the position of another new row, or a snapshot; none where the cell dangles."""
        for name in (trial.parent_exp, trial.parent_exp.removeprefix("exp_")):
            if name in fresh:
                return [fresh[name]]
            if name and (found := self._views.named_exactly(name)):
                return [found[0].oid]
        return list(self.parents_of(trial))

    def known_row(self, trial: Trial) -> str | None:
        """
        Return the snapshot that has exactly this row already, ``None`` where its exp id is free.

        Raises:
            Duplicate: the exp id has a different row.
        """
        if not self._views.is_named(trial.exp_id):
            return None
        found = self._views.named_exactly(trial.exp_id)
        for view in found:
            if view.trial == trial:
                return view.oid
        if found:
            raise Duplicate(trial.exp_id, f"has a different row already, on {found[0].oid[:12]}")
        return None

    def parents_of(self, trial: Trial) -> list[str]:
        """Return the snapshot that a row's parent cell names, as typed or without ``exp_``; none where it dangles."""
        oids = self._views.oids_named(trial.parent_exp) if trial.parent_exp else []
        return oids if len(oids) == 1 else []

    # -- cohorts and settings ------------------------------------------------------------------------------

    def open_cohort(self, name: str, base: Sequence[str], metadata: Mapping[str, Any], allow_mixed: bool) -> str:
        """Write a cohort's commit, record it, and return its oid."""
        event = codec.CohortEvent(name=name, base=tuple(base), metadata=codec.plain(metadata), allow_mixed=allow_mixed)
        codec.encode(event)
        moment = self.landing.moment()
        nonce = f"{self.landing.writer}-{self.landing.clock + 1}"
        message = compose(f"Cohort {name}", [("Cohort-Name", name), ("Cohort-Id", nonce)])
        oid = self._repo.write_commit(self._repo.empty_tree(), base, message, self._identity, moment)
        self.landing.add(oid, event, f"Open cohort {name}")
        self._bases[name] = _Base(event.base, allow_mixed)
        return oid

    def new_cohort(self, name: str, base: Sequence[Id], metadata: Mapping[str, Any], allow_mixed: bool) -> None:
        """Open a cohort that must not be open yet; the same one again is no error."""
        _check_name(name)
        oids = tuple(dict.fromkeys(self._resolve(parent) for parent in base))
        known = self._views.find_cohort(name, members=False)
        if known is None:
            self.open_cohort(name, oids, metadata, allow_mixed)
            return
        said = codec.plain(metadata)
        if (known.base, dict(known.metadata), known.allow_mixed) != (oids, said, allow_mixed):
            raise Invalid(f"cohort {name!r} is open already with another base or other metadata")

    def set_task(self, task: Task) -> None:
        """Record what the campaign optimises, where that is not so already."""
        if not task.score_field:
            raise Invalid("the score's column needs a name")
        if self._views.index.task != task:
            better = "lower" if task.lower_is_better else "higher"
            said = f"Set the task: {one_line(task.score_field)}, {better} is better"
            self.landing.add(self.landing.genesis, codec.TaskEvent(task=task), said)
            self._memory.best_of = -1

    def add_table(self, shape: dict[str, Any], rows: int) -> None:
        """Record what an imported file looked like beyond its rows."""
        said = "Import a table of 1 row" if rows == 1 else f"Import a table of {rows} rows"
        self.landing.add(self.landing.genesis, codec.TableEvent(shape=shape, rows=rows), said)

    def add_session(self, prompt: str, event: codec.SessionEvent) -> str:
        """Write a commit that holds a prompt, record who read it, and return its oid."""
        blob = self._repo.write_blob(prompt.encode())
        tree = self._content.from_mapping({"prompt.md": prompt.encode()})
        nonce = f"{self.landing.writer}-{self.landing.clock + 1}"
        message = compose(f"Session of {one_line(event.specialist)}", [("Session-Id", nonce)])
        oid = self._repo.write_commit(tree, [], message, self._identity, self.landing.moment())
        self._has_sessions = True
        said = f"Record a session of {one_line(event.specialist)}"
        self.landing.add(oid, msgspec.structs.replace(event, prompt=blob), said)
        return oid

    # -- rules ---------------------------------------------------------------------------------------------

    def _tree(self, content: Mapping[str, bytes] | Path | str | None, near: Sequence[str]) -> str:
        if isinstance(content, dict | Mapping):  # the first of them takes a tenth of the time
            return self._content.from_mapping(content, near)
        if content is None:
            if self._repo.workdir is None:
                raise Invalid("a bare repository has no working tree: say which content to record")
            return self._content.from_folder(self._repo.workdir, near)
        if isinstance(content, Path):
            return self._content.from_folder(content, near)
        try:
            rev: str = resolve(self._views, content)
        except NotFound:
            rev = content
        tree = self._content.from_revision(rev)
        if tree is not None:
            return tree
        if Path(content).is_dir():
            return self._content.from_folder(Path(content), near)
        raise InvalidContent(content, "is neither a folder nor a commit, tree or id of this store")

    def _roles(self, parents: Sequence[str], roles: Mapping[str, str]) -> dict[str, str]:
        """Return roles by oid, git parents first in their order."""
        given: dict[str, str] = {}
        for name, role in roles.items():
            if role not in ROLES:
                raise Invalid(f"role {role!r} of {name!r}: must be one of {', '.join(ROLES)}")
            oid = resolve(self._views, name)
            if oid not in parents and role not in _GAVE_NOTHING:
                raise Invalid(f"{name!r} has the role {role!r} but is not among the parents")
            if given.setdefault(oid, role) != role:
                raise Invalid(f"{name!r} has two roles: {given[oid]} and {role}")
        return {oid: given[oid] for oid in (*parents, *given) if oid in given}

    def _check_cohort(self, name: str, parents: Sequence[str]) -> list[str] | None:
        """Return the base to open a cohort with, ``None`` where it is open and takes these parents."""
        base = self._bases.get(name)
        if base is None:
            _check_name(name)
            cohort = self._views.find_cohort(name, members=False)
            if cohort is None:
                return list(parents)
            base = self._bases[name] = _Base(cohort.base, cohort.allow_mixed)
        if not base.allow_mixed and set(base.oids) != set(parents):
            names = self._views.name
            raise CohortMismatch(name, [names(oid) for oid in base.oids], [names(oid) for oid in parents])
        return None

    def _fill(self, trial: Trial, parents: Iterable[str]) -> Trial:
        """Return the row with what the store knows in its empty cells: id, time, parent, best and delta."""
        found: dict[str, str] = {}
        if trial.exp_id == AUTO_ID:
            found["exp_id"] = self._next_exp_id()
        if not trial.timestamp:
            found["timestamp"] = stamp(self.landing.moment())
        if not trial.parent_exp and (parent := self._parent_id(parents)):
            found["parent_exp"] = parent
        if trial.status is not None:
            found |= self._against_best(trial)
        return Trial.trusted({**trial.cells(), **found}) if found else trial

    def _next_exp_id(self) -> str:
        """Return the next automatic exp id, numbered on its own where this clone has a prefix for them."""
        return self._views.next_exp_id(self._prefix)

    def _tree_of(self, oid: str) -> str:
        """Return a commit's tree; those that this landing made are known."""
        return self._trees.get(oid) or self._views.tree(oid) or self._repo.commit(oid).tree

    def _parent_id(self, parents: Iterable[str]) -> str | None:
        for oid in parents:
            known = self._exp_ids.get(oid) or self._views.exp_id_on(oid)
            before = (self._views.exp_id_on(old) for old in (() if known else originals(self._views, oid)))
            return known or next(filter(None, before), None)
        return None

    def _against_best(self, trial: Trial) -> dict[str, str]:
        """Return the cells that compare a row with the best so far (semantics 16)."""
        best = self._memory.best_in(self._views)
        if best is None or best.exp_id == trial.exp_id:
            return {}
        found = {} if trial.baseline_exp else {"baseline_exp": best.exp_id}
        task = self._views.task
        score, record = task.score(trial), task.score(best)
        scored = trial.status in (FailureLabel.KEEP, FailureLabel.DISCARD)
        if scored and score is not None and record is not None and not trial.text("delta_vs_best"):
            found["delta_vs_best"] = f"{score - record:+.6f}"
        return found

    def _hold_against_best(self, trial: Trial, revised: bool) -> None:
        """Know the best trial after another one was recorded; the index is asked where that does not say it."""
        best, task = self._memory.best, self._views.task
        record = task.score(best) if best is not None and best.status in _ELIGIBLE else None
        if revised or record is None:
            self._memory.best_of = -1
        elif trial.status in _ELIGIBLE and (score := task.score(trial)) is not None and task.better(score, record):
            self._memory.best = trial

    def _resolve(self, name: Id) -> str:
        """Return the commit that a name stands for; one that this landing made needs no search."""
        if isinstance(name, str) and name in self._trees and not self._views.index.confusing:
            return name
        return resolve(self._views, name)

    def _already(self, row: Trial, given: Trial, tree: str, parents: Sequence[str]) -> str | None:
        """Return the snapshot that this very commit made before, so that a retry adds nothing."""
        if not self._views.is_named(row.exp_id):
            return None
        for view in self._views.named_exactly(row.exp_id):
            snapshot = self._views.snapshot(view.oid)
            alike = snapshot.tree == tree and list(snapshot.parents) == list(parents)
            if alike and _agrees(given, view.trial):
                return snapshot.oid
        self._refuse_taken(row.exp_id)
        return None

    def _refuse_taken(self, exp_id: str) -> None:
        if exp_id != AUTO_ID and self._views.is_named(exp_id):
            holder = self._views.named_exactly(exp_id)[0].oid[:12]
            raise Duplicate(
                exp_id, f"is taken by {holder}; leave it out to get the next free number, or revise that row"
            )

    def _add_trial(self, oid: str, trial: Trial, raw: str = "", saw: str = "", made: CommitInfo | None = None) -> None:
        if made is None:
            self._encodable(trial)
        event = codec.TrialEvent(row=trial.cells(), raw=raw, saw=saw)
        state = trial.status.value if trial.status else "pending"
        self.landing.add(oid, event, f"Record {trial.exp_id}: {state}", trial, made)
        if made is not None:
            self._exp_ids.setdefault(oid, trial.exp_id)
            self.landing.write_ahead(self._repo)
        else:
            self._exp_ids.pop(oid, None)  # a result may have put another trial first
        if self._memory.best_of == self._views.index.generation:
            self._hold_against_best(trial, made is None)

    def _encodable(self, trial: Trial) -> None:
        """Refuse a score that cannot be ranked, whichever column the task's score is in."""
        field = self._views.task.score_field
        if trial.number(field) is None:
            refuse_non_finite(field, trial.text(field))
        if len(trial.hypothesis) + len(trial.notes) > _SMALL or trial.extra or trial.spelled:
            codec.encode(codec.TrialEvent(row=trial.cells()))

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

    def rewrite(self, new: str, old: str, how: str) -> None:
        """Record that a commit was made from another one, which stays alive with its trials."""
        if old not in rewritten_from(self._views, new):
            self.landing.keep.append(old)
            said = f"Link {new[:12]} to {old[:12]}: {one_line(how) or 'rewritten'}"
            self.landing.add(new, codec.RewriteEvent(old=old, how=how), said)

    def _trailer_id(self, oid: str) -> str:
        """Return the exp id that a snapshot was made for, where nobody recorded a row with it."""
        row = self._views.index.one("SELECT exp_id FROM snapshots WHERE oid = ?", oid)
        return str(row[0]) if row and row[0] and not self._views.named_exactly(row[0]) else ""

    def _moment(self, trial: Trial | None) -> datetime:
        told = parse_time(trial.timestamp) if trial else None
        return told or self.landing.moment()


def folder_tree(repo: GitRepo, trial: Trial, root: Path | None) -> str | None:
    """Write the folder that a row's ``snapshot_path`` names below a root and return its tree, if it is there."""
    cell = trial.snapshot_path
    if not cell or root is None or "\0" in cell:
        return None
    top = root.resolve()
    for path in (top / cell, top / Path(cell).name):
        try:
            folder = path.resolve()
            found = folder != top and folder.is_relative_to(top) and folder.is_dir()
        except (OSError, ValueError):
            continue
        if found:
            return Content(repo).from_folder(folder)
    return None


def _agrees(given: Trial, known: Trial) -> bool:
    """Whether a row says nothing that a recorded one does not say too."""
    cells = known.cells()
    return all(cells.get(column, "") == text for column, text in given.cells().items() if column != "exp_id")


def _merged(given: Trial, known: Trial) -> Trial:
    """Return a row with its empty cells filled from an earlier version."""
    return Trial.from_cells({**known.cells(), **{name: text for name, text in given.cells().items() if text}})


def _moments(rows: Sequence[Row]) -> list[datetime]:
    """Return each row's date: its timestamp, else that of the row above, else the beginning of time."""
    moments = []
    last = datetime.fromtimestamp(0, UTC)
    for row in rows:
        last = parse_time(row.trial.timestamp) or last
        moments.append(last)
    return moments


def _check_name(name: str) -> None:
    if not name or name != one_line(name) or len(name) > _MAX_NAME:
        raise Invalid(f"{name!r} cannot name a cohort: a name is one line of 1 to {_MAX_NAME} characters")
