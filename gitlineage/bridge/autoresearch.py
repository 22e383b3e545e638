"""
Autoresearch loops into a store: rows of a results file as trials on the commits of the loop's own repository.

What the file looks like is `formats.autoresearch`'s. Nothing of the user's branches, index or working tree
is moved or rewritten: commits that exist get notes, and what is written anew hangs on the writer's ref alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count

import msgspec

from gitlineage.bridge import autoresearch_format
from gitlineage.bridge.autoresearch_format import LoopRow, Results
from gitlineage.bridge.tsv import check_judged, task_of
from gitlineage.errors import BadRows, Incomplete, Invalid
from gitlineage.model import tsv
from gitlineage.model.rank import ELIGIBLE, against, beats
from gitlineage.model.records import Task, TrialView
from gitlineage.model.stand_in import CODE_LOST, NO_COMMIT, marked, split
from gitlineage.model.trial import CRASHED, Trial
from gitlineage.query.views import Views
from gitlineage.record.recorder import Recorder, Row
from gitlineage.record.stand_ins import is_stand_in, move
from gitlineage.record.tables import note_shadowed
from gitlineage.store.store import LineageStore
from gitlineage.times import parse_time, stamp

_NAMED = 100
"""Commits that are not here which an error names."""

_DERIVED = ("timestamp", "baseline_exp", "delta_vs_best", "status")
"""Cells that are filled in where the file leaves them empty."""


class LoopOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an import of a loop's results did.

    Args:
        added: how many trials are new.
        known: how many were recorded already as their rows say.
        revised: how many have a new version, because a cell of their row changed.
        lost: exp ids of new trials whose commit is gone, or was never named.
        moved: exp ids of trials that went from a stand-in to their commit, because that is here now.
        repaired: the line numbers that were mended.
        trials: exp ids of the new, the revised and the moved trials, in file order.
        task: what the loop optimises, as recorded.
        assumed: whether the task's direction is a guess that no row bears out so far.
        judged: how many of the new and the revised have no status in the file and got the one their score deserves.
        pending: how many of them have neither a status nor a score.
    """

    added: int = 0
    known: int = 0
    revised: int = 0
    lost: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    repaired: tuple[int, ...] = ()
    trials: tuple[str, ...] = ()
    task: Task = Task()
    assumed: bool = False
    judged: int = 0
    pending: int = 0


class _Placed(msgspec.Struct, frozen=True, kw_only=True):
    """
    A row and where it belongs.

    Args:
        row: the row.
        stem: what its trial's name begins with.
        oid: its commit; empty where that is gone or was never named.
        stub: what a stub is shared by: the hash that is gone, or the row alone.
        parent: the latest earlier commit that exists; empty where there is none.
        moment: the row's time, else its commit's, else that of the commit before.
    """

    row: LoopRow
    stem: str
    oid: str
    stub: str
    parent: str
    moment: datetime | None


class _Named(msgspec.Struct, frozen=True, kw_only=True):
    """
    The trial that a row is.

    Args:
        exp_id: its name.
        known: what is recorded by that name.
        same: whether it is recorded as the row says.
    """

    exp_id: str
    known: Sequence[TrialView] = ()
    same: bool = False


def import_autoresearch(
    store: LineageStore,
    data: bytes,
    *,
    source: str,
    metric: str | None = None,
    lower_is_better: bool | None = None,
    label: str | None = None,
    statuses: Mapping[str, str] | None = None,
    branch: str | None = None,
    repair: bool = False,
    whole: bool = True,
) -> LoopOutcome:
    """
    Record every row of a loop's results on the commit that it names, all of them or none; again, it adds nothing.

    Rows that were appended since are added. A row of which a cell changed becomes a new version of its trial, the old
    one stays in history; a row that is gone from the file stays recorded. Rows on one commit are replicates; so is a
    row of another file on a commit that has one (`_named` tells when). A commit
    that is gone gets a stub with the content of the latest earlier row's commit, which is its parent; once it is here,
    its rows move to it, with what was derived from them. Exp ids, stubs
    and cells follow from the file and the repository alone, so two machines that import one loop agree. A row without a
    status is judged by its score, as one that is recorded here would be; one without a score, too, is pending.

    Args:
        store: where to; the loop's own repository.
        metric: the column that ranks trials; by default the store's, else the first one with numbers.
        lower_is_better: its direction; by default the store's, else what the rows show. One that was only assumed
            is settled by the first import whose rows or caller say it.
        label: its short name in prompts.
        statuses: what other words in the status column mean.
        branch: the loop's branch: a short hash that several commits begin with means one of its commits.
        repair: mend rows with too many or too few cells instead of refusing the file.
        whole: whether the file is finished; if not, a last line without its line end waits for the next import.

    Raises:
        BadRows: every row that breaks a rule, with line number and reason.
        Incomplete: this clone is shallow, so that commits which are not here need not be gone.
        Invalid: the metric is no column or contradicts the store's task, or there is no such branch; or rows have to be
            judged, and nothing tells by which direction.
    """
    recorded = store.ledger.recorded_task()
    results = autoresearch_format.read(
        data,
        source=source,
        statuses=statuses,
        metric=metric,
        likely=recorded.score_field if recorded else None,
        repair=repair,
        whole=whole,
    )
    task = _task(results, recorded, metric, lower_is_better, label)
    unjudged = [row for row in results.rows if not row.cells["status"]]
    check_judged(task or Task(), sum(not row.is_pending(results.metric) for row in unjudged))
    placed = _placed(store, results.rows, source, branch)

    def work(recorder: Recorder) -> LoopOutcome:
        if task is not None:
            recorder.set_task(task)
        named = _named(store.ledger.views(), placed, results.metric)
        trials = _trials(recorder, placed, named, task or Task())
        return _record(store, recorder, placed, named, trials)

    done = store.ledger.record_with(work, f"Import {source}", settled=True)
    return msgspec.structs.replace(done, repaired=results.repaired, task=store.task, assumed=bool(store.task.assumed))


def _named(views: Views, placed: Sequence[_Placed], metric: str | None) -> list[_Named]:
    """
    Return which trial each row is.

    It is one that says the same; else one with its stem and its score, of which another cell has changed. A row with
    another score is that trial too where the file is known by other rows and the hypothesis is the same: a score that
    was mended. In a file of which nothing is known it is another run of that code: so runs that begin at one commit
    have a baseline each.
    """
    free: dict[str, list[tuple[str, list[TrialView]]]] = {}
    found: dict[int, _Named] = {}

    def claim(at: int, fits: Callable[[Trial, LoopRow], bool], same: bool = False) -> None:
        """Give a row the first trial that fits and that no other row is."""
        if at in found:
            return
        row, left = placed[at].row, free[placed[at].stem]
        for place, (exp_id, known) in enumerate(left):
            if any(fits(view.trial, row) for view in known):
                found[at] = _Named(exp_id=exp_id, known=known, same=same)
                del left[place]
                return

    def scored_alike(trial: Trial, row: LoopRow) -> bool:
        crashed = trial.status is not None and trial.status in CRASHED
        return crashed if not row.is_scored else metric is not None and trial.text(metric) == row.cells[metric]

    for each in placed:
        if each.stem not in free:
            free[each.stem] = list(_recorded(views, each.stem))
    counts = {stem: len(known) for stem, known in free.items()}
    for at in range(len(placed)):
        claim(at, lambda trial, row: _says(trial, row, metric), same=True)
    known_file = bool(found)
    for at, each in enumerate(placed):
        claim(at, lambda trial, row: trial.status is None and trial.hypothesis == row.cells.get("hypothesis", ""))
        claim(at, scored_alike)
        if known_file:
            claim(at, lambda trial, row: trial.hypothesis == row.cells.get("hypothesis", ""))
        if at not in found:
            counts[each.stem] += 1
            found[at] = _Named(exp_id=autoresearch_format.numbered(each.stem, counts[each.stem]))
    return [found[at] for at in range(len(placed))]


def _recorded(views: Views, stem: str) -> Iterator[tuple[str, list[TrialView]]]:
    """Return the trials with a stem, by their numbers."""
    for number in count(1):
        exp_id = autoresearch_format.numbered(stem, number)
        known = views.named_exactly(exp_id)
        if not known:
            return
        yield exp_id, known


def _record(
    store: LineageStore,
    recorder: Recorder,
    placed: Sequence[_Placed],
    named: Sequence[_Named],
    trials: Iterable[Trial],
) -> LoopOutcome:
    """Record what is new and what changed, each row before the next one is judged."""
    stubs: dict[str, str] = {}
    added: list[str] = []
    shadowed: list[str] = []
    lost: list[str] = []
    moved: list[str] = []
    told: list[str] = []
    unjudged: list[Trial] = []
    for each, name, trial in zip(placed, named, trials, strict=True):
        known = name.known
        if known and not each.oid:
            stubs.setdefault(each.stub, known[0].oid)
        stand_ins = [view for view in known if each.oid and each.row.is_hash and is_stand_in(view.trial)]
        if name.same and not stand_ins:
            continue
        if stand_ins:
            oid, row = each.oid, move(recorder, each.oid, stand_ins, trial)
            moved.append(name.exp_id)
        elif known:
            here = next((view for view in known if view.oid == each.oid), known[0])
            mark = split(here.trial.notes)[1]
            oid, row = str(here.oid), marked(trial.replace(notes=each.row.cells.get("notes", "")), mark)
        else:
            oid, row = each.oid or stubs.get(each.stub) or _stub(recorder, each, trial), trial
            added.append(name.exp_id)
            if recorder.taken_for(name.exp_id):
                shadowed.append(name.exp_id)
            if not each.oid:
                stubs[each.stub] = oid
                lost.append(name.exp_id)
        recorder.check_row(row)
        recorder.add_row(oid, Row(trial=row))
        told.append(name.exp_id)
        if not each.row.cells["status"]:
            unjudged.append(trial)
        store.ledger.watcher.advance("recording", 1, len(placed))
    note_shadowed(store.ledger, shadowed)
    return LoopOutcome(
        added=len(added),
        known=len(placed) - len(told),
        revised=len(told) - len(added) - len(moved),
        lost=tuple(lost),
        moved=tuple(moved),
        trials=tuple(told),
        judged=sum(trial.status is not None for trial in unjudged),
        pending=sum(trial.status is None for trial in unjudged),
    )


def _stub(recorder: Recorder, placed: _Placed, trial: Trial) -> str:
    """Write a snapshot that stands in for a commit that is gone; it has its parent's content."""
    parents = [placed.parent] if placed.parent else []
    return recorder.write_row(Row(trial=trial), parents, placed.moment or datetime.fromtimestamp(0, UTC))


def _placed(store: LineageStore, rows: Sequence[LoopRow], source: str, branch: str | None) -> list[_Placed]:
    """Find the commit of each row, or what stands in for it."""
    tip = store.ledger.repo.resolve(branch) if branch is not None else None
    if branch is not None and tip is None:
        raise Invalid(f"there is no branch {branch!r}; `git branch -a` lists them")
    commits: dict[str, str] = {}
    bad: list[tuple[int, str]] = []
    for row in rows:
        if row.is_hash and row.commit.lower() not in commits:
            found = _meant(store, store.ledger.repo.commits_beginning(row.commit.lower()), tip)
            if len(found) > 1:
                bad.append((row.line, f"commit {row.commit!r} could be {' or '.join(oid[:16] for oid in found[:5])}"))
            commits[row.commit.lower()] = found[0] if found else ""
    gone = [hash for hash, oid in commits.items() if not oid]
    if gone and store.ledger.repo.is_shallow and not store.ledger.incomplete:
        raise Incomplete(gone[:_NAMED], len(gone), store.ledger.repo.remote(), shallow=True)
    if bad:
        raise BadRows(source, bad, "write longer hashes, or name the loop's branch with --branch")
    stems = autoresearch_format.stems(rows, lambda row: commits.get(row.commit.lower()) or f"? {row.commit.lower()}")
    placed = []
    parent, before = "", None
    for row, stem in zip(rows, stems, strict=True):
        oid = commits.get(row.commit.lower(), "") if row.is_hash else ""
        own = store.ledger.repo.commit(oid).time if oid else None
        moment = parse_time(row.cells.get("timestamp", "")) or own or before
        stub = row.commit.lower() if row.is_hash else f"line {row.line}"
        placed.append(_Placed(row=row, stem=stem, oid=oid, stub=stub, parent=parent, moment=moment))
        if oid:
            parent, before = oid, own
    return placed


def _meant(store: LineageStore, found: list[str], tip: str | None) -> list[str]:
    """Return which of several commits with one short hash are meant: the branch's, else those that have trials."""
    if len(found) > 1 and tip is not None:
        found = [oid for oid in found if store.ledger.repo.has_ancestor(tip, oid)] or found
    if len(found) > 1:
        views = store.ledger.views()
        found = [oid for oid in found if views.exp_id_on(oid) is not None] or found
    return found


def _trials(recorder: Recorder, placed: Sequence[_Placed], named: Sequence[_Named], task: Task) -> Iterator[Trial]:
    """
    Tell each row as a trial, with what follows from the rows before it in the cells that the file does not have.

    The best, and the difference to it, are those of the rows so far (semantics 11, 16), not of the whole store: so
    every machine that imports the file says the same. A status that the file does not have is judged when the row's
    turn comes, with all before it recorded.
    """
    best: Trial | None = None
    for each, name in zip(placed, named, strict=True):
        cells = {**each.row.cells, "exp_id": name.exp_id}
        if not cells.get("timestamp") and each.moment is not None:
            cells["timestamp"] = stamp(each.moment)
        trial = Trial.from_cells(cells)
        if trial.status is None and name.same:
            trial = trial.replace(status=name.known[0].trial.status)
        elif trial.status is None:
            trial = recorder.judged(trial, each.oid or None)
        if found := against(task, trial, best):
            trial = trial.replace(**found)
        if not each.oid:
            trial = marked(trial, CODE_LOST if each.row.is_hash else NO_COMMIT)
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


def _task(
    results: Results, recorded: Task | None, metric: str | None, lower_is_better: bool | None, label: str | None
) -> Task | None:
    """Return the task to rank by, ``None`` where no row tells it yet."""
    field = results.metric
    if recorded is not None:
        field = metric or field or recorded.score_field
    if field is None:
        if any(row.is_scored and row.cells["status"] for row in results.rows):
            raise Invalid(f"no column holds numbers to rank by; name one with --metric: {', '.join(results.columns)}")
        return None
    return task_of(recorded, field, lower_is_better, label, lambda: _direction(results.rows, field))


def _direction(rows: Sequence[LoopRow], metric: str) -> bool | None:
    """Return whether the kept rows go down, or ``None`` where they do not tell."""
    trials = [Trial.from_cells({**row.cells, "exp_id": "row"}) for row in rows]
    shown = tsv.detect_direction((tsv.Row(line=0, trial=trial, cells={}) for trial in trials), metric)
    if shown is not None:
        return shown
    kept = [score for trial in trials if trial.status in ELIGIBLE and (score := trial.number(metric)) is not None]
    return None if len(kept) < 2 or kept[0] == kept[-1] else kept[-1] < kept[0]
