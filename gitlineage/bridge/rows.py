"""
Rows of a file onto the commits that they name: the one placing step of every import of trials.

Nothing of the user's branches, index or working tree is moved or rewritten: commits that exist get notes, and what is
written anew hangs on the writer's ref alone. Start at `place`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count

import msgspec

from gitlineage.bridge import autoresearch_format
from gitlineage.bridge.autoresearch_format import LoopRow
from gitlineage.errors import BadRows, Incomplete, Invalid
from gitlineage.git.content import Content
from gitlineage.model.dag import topological
from gitlineage.model.rank import against, beats
from gitlineage.model.records import GAVE_NOTHING, Task, TrialView
from gitlineage.model.stand_in import CODE_LOST, NO_COMMIT, marked, split
from gitlineage.model.trial import CRASHED, Trial
from gitlineage.query.views import Views
from gitlineage.record.recorder import Recorder, Row
from gitlineage.record.rules import merged
from gitlineage.record.stand_ins import is_stand_in, move
from gitlineage.record.tables import note_shadowed
from gitlineage.store.store import LineageStore
from gitlineage.times import parse_time, stamp

SOURCE = "imported_from"
"""The column that says from which file a trial came, where that was not said by the command (semantics 121)."""

_NAMED = 100
"""Commits that are not here which an error names."""

_DERIVED = ("timestamp", "baseline_exp", "delta_vs_best", "status", SOURCE)
"""Cells that are filled in where the file leaves them empty."""


class LoopOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an import of a loop's results did.

    Args:
        added: how many trials are new.
        known: how many were recorded already as their rows say.
        revised: how many have a new version, because a cell of their row changed.
        lost: exp ids of new trials whose commit is gone.
        unnamed: exp ids of new trials whose rows name no commit.
        moved: exp ids of trials that went from a stand-in to their commit, because that is here now.
        repaired: the line numbers that were mended.
        trials: exp ids of the new, the revised and the moved trials, in file order.
        task: what the loop optimises, as recorded.
        assumed: whether the task's direction is a guess that no row bears out so far.
        judged: how many of the new and the revised have no status in the file and got the one their score deserves.
        pending: how many of them have neither a status nor a score.
        repeated: how many rows say again what another file said: the same commit and score.
        dangling: exp ids of new trials that name a parent which nobody knows.
        circular: exp ids of new trials that name a parent which is derived from them, or themselves.
        lost_commits: the hashes of commits that are gone, as the rows spell them.
        names: the exp id of each row, in file order.
    """

    added: int = 0
    known: int = 0
    revised: int = 0
    lost: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    repaired: tuple[int, ...] = ()
    trials: tuple[str, ...] = ()
    task: Task = Task()
    assumed: bool = False
    judged: int = 0
    pending: int = 0
    repeated: int = 0
    dangling: tuple[str, ...] = ()
    circular: tuple[str, ...] = ()
    lost_commits: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class _Placed(msgspec.Struct, frozen=True, kw_only=True):
    """
    A row and where it belongs.

    Args:
        at: its place among the rows of the file.
        row: the row.
        stem: what its trial's name begins with.
        oid: its commit; empty where that is gone or was never named.
        stub: what a stub is shared by: the hash that is gone, or the row alone.
        parent: the commit that it was tried on, else the latest earlier commit that exists; empty where there is none.
        above: the stub that it was tried on, where that commit is gone.
        moment: the row's time, else its commit's, else that of the commit before.
    """

    at: int
    row: LoopRow
    stem: str
    oid: str
    stub: str
    parent: str
    above: str
    moment: datetime | None


class _Named(msgspec.Struct, frozen=True, kw_only=True):
    """
    The trial that a row is.

    Args:
        exp_id: its name.
        known: what is recorded by that name.
        same: whether it is recorded as the row says.
        repeated: whether another file said it, which rules.
    """

    exp_id: str
    known: Sequence[TrialView] = ()
    same: bool = False
    repeated: bool = False


class _Done(msgspec.Struct, kw_only=True):
    """What was recorded so far."""

    stubs: dict[str, str] = {}
    named: dict[str, str] = {}
    added: list[str] = []
    shadowed: list[str] = []
    lost: list[str] = []
    unnamed: list[str] = []
    moved: list[str] = []
    told: list[str] = []
    dangling: list[str] = []
    circular: list[str] = []
    of_file: set[str] = set()
    lost_commits: dict[str, None] = {}
    unjudged: list[Trial] = []


def place(
    store: LineageStore,
    rows: Sequence[LoopRow],
    *,
    source: str,
    metric: str | None,
    task: Task | None,
    branch: str | None = None,
    file: str = "",
    force: bool = False,
    ranked: Task | None = None,
    again: bool = False,
) -> LoopOutcome:
    """
    Record every row on the commit that it names, all of them or none; again, it adds nothing.

    Args:
        store: where to.
        rows: the rows in file order.
        source: the file's name, for messages.
        metric: the column that ranks them; ``None`` where none does.
        task: the task to record; ``None`` where nobody knows it yet.
        branch: the branch whose commits short hashes mean.
        file: the file that the rows are said to come from; empty for none (`SOURCE`).
        force: whether the task may be another one than the store's, because the file itself went on to it.
        ranked: what the file ranks by, where the store ranks by something else: its rows are judged by that alone.
        again: whether rows that were judged are judged again, because the direction was a guess that was wrong.

    Raises:
        BadRows: short hashes that several commits begin with.
        Incomplete: this clone is shallow, so that commits which are not here need not be gone.
        Invalid: there is no such branch.
    """
    placed = _placed(store, rows, source, branch)

    def work(recorder: Recorder) -> LoopOutcome:
        if task is not None:
            recorder.set_task(task, force=force)
        named = _named(store.ledger.views(), placed, metric, file)
        trials = _trials(recorder, placed, named, ranked or task or Task(), file, ranked is None, again)
        return _record(store, recorder, placed, named, trials, again)

    done = store.ledger.record_with(work, f"Import {source}", settled=True)
    return msgspec.structs.replace(done, task=store.task, assumed=bool(store.task.assumed))


# -- which trial a row is ------------------------------------------------------------------------------------------


class _Free:
    """The trials with one stem that no row is yet, found by what they say."""

    def __init__(self, known: Mapping[str, list[TrialView]], metric: str | None) -> None:
        self._left = dict(known)
        self._by: dict[tuple[str, str], list[str]] = {}
        for exp_id, views in self._left.items():
            keys = {("hypothesis", view.trial.hypothesis) for view in views}
            if metric is not None:
                keys |= {("score", view.trial.text(metric)) for view in views}
            keys |= {("pending", exp_id)} if views[0].trial.status is None else set()
            keys |= {("crashed", "")} if any(_is_crashed(view.trial) for view in views) else set()
            for key in keys:
                self._by.setdefault(key, []).append(exp_id)
        self.pending = [exp_id for exp_id, views in self._left.items() if views[0].trial.status is None]

    def take(self, key: tuple[str, str], fits: Callable[[Trial], bool]) -> tuple[str, list[TrialView]] | None:
        """Return the first trial of a kind that fits and is still free, which it then is no more."""
        for exp_id in self._by.get(key, ()):
            views = self._left.get(exp_id)
            if views is not None and any(fits(view.trial) for view in views):
                del self._left[exp_id]
                return exp_id, views
        return None


def _named(views: Views, placed: Sequence[_Placed], metric: str | None, file: str) -> list[_Named]:
    """
    Return which trial each row is.

    It is one that says the same; else one with its stem and its score, of which another cell has changed. A row with
    another score is that trial too where the file is known by other rows and the hypothesis is the same: a score that
    was mended. In a file of which nothing is known it is another run of that code: so runs that begin at one commit
    have a baseline each. What another file said of the same commit with the same score is said again, not changed.
    """
    free: dict[str, _Free] = {}
    known: dict[int, _Named] = {}

    def claim(at: int, key: tuple[str, str], fits: Callable[[Trial], bool], **how: bool) -> None:
        """Give a row the first trial that fits and that no other row is."""
        if at not in known and (match := free[placed[at].stem].take(key, fits)) is not None:
            known[at] = _Named(exp_id=match[0], known=match[1], **how)

    for each in placed:
        if each.stem not in free:
            free[each.stem] = _Free({**dict(_recorded(views, each.stem)), **_there(views, each, file)}, metric)
    counts: dict[str, int] = {}
    texts = [("hypothesis", each.row.cells.get("hypothesis", "")) for each in placed]
    ours = _Ours(file)
    for at, each in enumerate(placed):
        claim(at, texts[at], lambda trial, row=each.row: ours(trial) and _says(trial, row, metric), same=True)  # type: ignore[misc]
    known_file = bool(known)
    for at, each in enumerate(placed):
        score = each.row.cells.get(metric, "") if metric is not None else ""
        alike = ("score", score) if each.row.is_scored else ("crashed", "")
        text = texts[at][1]
        claim(at, texts[at], lambda trial, text=text: ours(trial) and trial.status is None and trial.hypothesis == text)  # type: ignore[misc]
        if alike != ("score", ""):
            claim(at, alike, ours)
            claim(at, alike, _Again(ours, each, metric), same=True, repeated=True)
        if known_file:
            claim(at, texts[at], lambda trial, text=text: ours(trial) and trial.hypothesis == text)  # type: ignore[misc]
        if each.oid and not each.row.is_pending(metric):
            for exp_id in free[each.stem].pending:  # recorded before it ran, as a hook does: this is its result
                claim(at, ("pending", exp_id), lambda trial: trial.status is None)
        if at not in known:
            number = counts.get(each.stem, sum(1 for _ in _recorded(views, each.stem))) + 1
            counts[each.stem] = number
            known[at] = _Named(exp_id=each.row.numbered(each.stem, number))
    return [known[at] for at in range(len(placed))]


class _Ours:
    """Whether a trial is from the file that is imported, as far as anybody knows."""

    def __init__(self, file: str) -> None:
        self._file = file

    def __call__(self, trial: Trial) -> bool:
        came = trial.text(SOURCE)
        return not self._file or not came or came == self._file


class _Again:
    """Whether another file said a row: of the same commit, or, where none is named, with all the same cells."""

    def __init__(self, ours: _Ours, placed: _Placed, metric: str | None) -> None:
        self._ours = ours
        self._placed = placed
        self._metric = metric

    def __call__(self, trial: Trial) -> bool:
        of_commit = bool(self._placed.oid) or self._placed.row.is_hash
        return not self._ours(trial) and (of_commit or _says(trial, self._placed.row, self._metric))


def _is_crashed(trial: Trial) -> bool:
    return trial.status is not None and trial.status in CRASHED


def _recorded(views: Views, stem: str) -> Iterator[tuple[str, list[TrialView]]]:
    """Return the trials with a stem, by their numbers."""
    for number in count(1):
        exp_id = autoresearch_format.numbered(stem, number)
        known = views.named_exactly(exp_id)
        if not known and number == 1 and exp_id != stem:
            known, exp_id = views.named_exactly(stem), stem
        if not known:
            return
        yield exp_id, known


def _there(views: Views, each: _Placed, file: str) -> dict[str, list[TrialView]]:
    """Return the trials on a row's commit that have another name: one that waits, and those that this file gave."""
    if not each.oid or not file:
        return {}
    here = [view for view in views.on_snapshot(each.oid) if view.retracted is None]
    wanted = [view for view in here if view.trial.status is None or view.trial.text(SOURCE) == file]
    return {view.trial.exp_id: [view] for view in wanted}


# -- recording -----------------------------------------------------------------------------------------------------


def _record(
    store: LineageStore,
    recorder: Recorder,
    placed: Sequence[_Placed],
    named: Sequence[_Named],
    trials: Iterable[Trial],
    again: bool,
) -> LoopOutcome:
    """Record what is new and what changed, each row before the next one is judged."""
    done = _Done(of_file={each.row.name for each in placed if each.row.name})
    content = Content(store.ledger.repo)
    repeated = 0
    for each, name, trial in zip(placed, named, trials, strict=True):
        known = name.known
        if known and not each.oid:
            done.stubs.setdefault(each.stub, known[0].oid)
        if each.row.name and known:
            done.named.setdefault(each.row.name, str(known[0].oid))
        repeated += name.repeated
        stand_ins = [
            view for view in known if each.oid and each.row.is_hash and not name.repeated and is_stand_in(view.trial)
        ]
        if name.same and not stand_ins and not (again and known[0].trial.status is not trial.status):
            continue
        if stand_ins:
            oid, row = each.oid, move(recorder, each.oid, stand_ins, trial)
            done.moved.append(name.exp_id)
        elif known:
            here = next((view for view in known if view.oid == each.oid), known[0])
            mark = split(here.trial.notes)[1]
            oid, row = str(here.oid), marked(trial.replace(notes=each.row.cells.get("notes", "")), mark)
            if here.trial.status is None and row.status is not None:
                row = merged(row, _without_texts(here.trial))  # what was said before it ran is not unsaid
        else:
            oid, row = _new(recorder, content, each, trial, done), trial
            done.added.append(name.exp_id)
            if recorder.taken_for(name.exp_id):
                done.shadowed.append(name.exp_id)
        recorder.check_row(row)
        recorder.add_row(oid, Row(trial=row))
        if each.row.name:
            done.named.setdefault(each.row.name, oid)
        done.told.append(name.exp_id)
        if not each.row.cells["status"]:
            done.unjudged.append(trial)
        store.ledger.watcher.advance("recording", 1, len(placed))
    note_shadowed(store.ledger, done.shadowed)
    pairs = zip(placed, named, strict=True)
    return LoopOutcome(
        added=len(done.added),
        known=len(placed) - len(done.told),
        revised=len(done.told) - len(done.added) - len(done.moved),
        lost=tuple(done.lost),
        unnamed=tuple(done.unnamed),
        moved=tuple(done.moved),
        trials=tuple(done.told),
        judged=sum(trial.status is not None for trial in done.unjudged),
        pending=sum(trial.status is None for trial in done.unjudged),
        repeated=repeated,
        dangling=tuple(done.dangling),
        circular=tuple(dict.fromkeys(done.circular)),
        lost_commits=tuple(done.lost_commits),
        names=tuple(each.exp_id for _, each in sorted({each.at: name for each, name in pairs}.items())),
    )


def _without_texts(trial: Trial) -> Trial:
    """Return a row without what an earlier state of its file said in words, which a later state says anew."""
    cells = trial.cells()
    if not cells.get(SOURCE):
        return trial
    stale = {"status_word", *(name for name in cells if name.endswith("_text"))}
    return Trial.from_cells({name: text for name, text in cells.items() if name not in stale})


def _new(recorder: Recorder, content: Content, each: _Placed, trial: Trial, done: _Done) -> str:
    """Return the commit of a new trial: its own, or one that is written for it."""
    row = each.row
    if each.oid:
        return each.oid
    if row.is_hash and not row.tried_on:
        done.lost.append(trial.exp_id)
        done.lost_commits[row.commit.lower()] = None
    elif row.names_commits:
        done.unnamed.append(trial.exp_id)
    if each.stub in done.stubs and row.files is None:
        return done.stubs[each.stub]
    parents, roles = _parents(recorder, row, each, trial, done)
    tree = content.from_mapping(row.files) if row.files is not None else None
    if row.cohort:
        recorder.join_cohort(row.cohort)
    moment = each.moment or datetime.fromtimestamp(0, UTC)
    oid = recorder.write_row(Row(trial=trial, tree=tree), parents, moment, cohort=row.cohort or None, roles=roles)
    done.stubs[each.stub] = oid
    return oid


def _parents(
    recorder: Recorder, row: LoopRow, each: _Placed, trial: Trial, done: _Done
) -> tuple[list[str], dict[str, str]]:
    """Return what a new snapshot was derived from, and what else had a part in it by role."""
    parents: list[str] = []
    roles: dict[str, str] = {}
    for name, role in row.parents:
        oid = done.named.get(name) or next(iter(recorder.named(name)), "")
        if not oid:
            (done.circular if name in done.of_file else done.dangling).append(trial.exp_id)
            continue
        if role not in GAVE_NOTHING and oid not in parents:
            parents.append(oid)
        if role and oid not in roles and (role not in GAVE_NOTHING or oid not in parents):
            roles[oid] = role
    if not parents:
        above = done.stubs.get(each.above, "") if each.above else ""
        parents = [oid for oid in (above or each.parent,) if oid]
    return parents, roles


# -- where a row belongs -------------------------------------------------------------------------------------------


def _placed(store: LineageStore, rows: Sequence[LoopRow], source: str, branch: str | None) -> list[_Placed]:
    """Find the commit of each row, or what stands in for it."""
    tip = store.ledger.repo.resolve(branch) if branch is not None else None
    if branch is not None and tip is None:
        raise Invalid(f"there is no branch {branch!r}; `git branch -a` lists them")
    commits: dict[str, str] = {}
    bad: list[tuple[int, str]] = []
    for row in rows:
        for hash in filter(None, (row.commit.lower() if row.is_hash else "", row.base)):
            if hash not in commits:
                meant = _meant(store, store.ledger.repo.commits_beginning(hash), tip)
                if len(meant) > 1:
                    bad.append((row.line, f"commit {hash!r} could be {' or '.join(oid[:16] for oid in meant[:5])}"))
                commits[hash] = meant[0] if meant else ""
    gone = [hash for hash, oid in commits.items() if not oid]
    if gone and store.ledger.repo.is_shallow and not store.ledger.incomplete:
        raise Incomplete(gone[:_NAMED], len(gone), store.ledger.repo.remote(), shallow=True)
    if bad:
        raise BadRows(source, bad, "write longer hashes, or name the loop's branch with --branch")
    stems = autoresearch_format.stems(rows, lambda row: commits.get(row.commit.lower()) or f"? {row.commit.lower()}")
    placed = []
    parent, before = "", None
    for at, (row, stem) in enumerate(zip(rows, stems, strict=True)):
        named = row.commit.lower() if row.is_hash else ""
        there = commits.get(named, "")
        oid = "" if row.tried_on else there
        own = store.ledger.repo.commit(oid).time if oid else None
        moment = parse_time(row.cells.get("timestamp", "")) or own or before
        base = named if row.tried_on else row.base
        placed.append(
            _Placed(
                at=at,
                row=row,
                stem=stem,
                oid=oid,
                stub=named if named and not row.tried_on else f"row {at}",
                parent=commits.get(base, "") or parent if base else parent,
                above=base if base and not commits.get(base) else "",
                moment=moment,
            )
        )
        if oid:
            parent, before = oid, own
    return _parents_first(placed)


def _parents_first(placed: list[_Placed]) -> list[_Placed]:
    """Return rows with those that others name as parents before them, otherwise in file order."""
    if not any(each.row.parents for each in placed):
        return placed
    places: dict[str, int] = {}
    for at, each in enumerate(placed):
        if each.row.name:
            places.setdefault(each.row.name, at)

    def above(at: int) -> list[int]:
        return [place for name, _ in placed[at].row.parents if (place := places.get(name)) is not None and place != at]

    return [placed[at] for at in topological(range(len(placed)), above)]


def _meant(store: LineageStore, oids: list[str], tip: str | None) -> list[str]:
    """Return which of several commits with one short hash are meant: the branch's, else those that have trials."""
    if len(oids) > 1 and tip is not None:
        oids = [oid for oid in oids if store.ledger.repo.has_ancestor(tip, oid)] or oids
    if len(oids) > 1:
        views = store.ledger.views()
        oids = [oid for oid in oids if views.exp_id_on(oid) is not None] or oids
    return oids


# -- what a row says -----------------------------------------------------------------------------------------------


def _trials(
    recorder: Recorder,
    placed: Sequence[_Placed],
    named: Sequence[_Named],
    task: Task,
    file: str,
    judge: bool,
    again: bool,
) -> Iterator[Trial]:
    """
    Tell each row as a trial, with what follows from the rows before it in the cells that the file does not have.

    The best, and the difference to it, are those of the rows so far (semantics 11, 16), not of the whole store: so
    every machine that imports the file says the same. A status that the file does not have is judged when the row's
    turn comes, with all before it recorded.
    """
    best: Trial | None = None
    for each, name in zip(placed, named, strict=True):
        cells = {**each.row.cells, "exp_id": name.exp_id}
        if file:
            cells[SOURCE] = file
        if not cells.get("timestamp") and each.moment is not None:
            cells["timestamp"] = stamp(each.moment)
        trial = Trial.from_cells(cells)
        if trial.status is None and name.same and not (again and not name.repeated):
            trial = trial.replace(status=name.known[0].trial.status)
        elif trial.status is None and judge and not again:
            trial = recorder.judged(trial, each.oid or None)
        elif trial.status is None and (score := task.score(trial)) is not None:
            least = task.score(best) if best is not None else None
            better = least is None or task.better(score, least)
            trial = trial.replace(status="baseline" if least is None else "keep" if better else "discard")
        if compared := against(task, trial, best):
            trial = trial.replace(**compared)
        if not each.oid and each.row.names_commits and each.row.files is None:
            trial = marked(trial, CODE_LOST if each.row.is_hash and not each.row.tried_on else NO_COMMIT)
        if beats(task, trial, best):
            best = trial
        yield trial


def _says(known: Trial, row: LoopRow, metric: str | None) -> bool:
    """
    Whether a recorded trial holds what the row's cells say.

    What was derived from other rows does not count, nor what a pending row leaves open.
    """
    is_pending = row.is_pending(metric)
    for column, text in row.cells.items():
        have = known.text(column)
        if have == text or (not text and (column in _DERIVED or is_pending)):
            continue
        if column == "notes" and split(have)[1] and text == split(have)[0]:
            continue
        return False
    return True
