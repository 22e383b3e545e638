"""
What became of runs: found by id, waited for, cancelled, and gone on with where whoever supervised them is gone.

Start at `settle`, which the next run does for all that ended meanwhile, and `resume`, which also goes on with what did
not end.
"""

import shlex
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from gitlineage.errors import Busy, Invalid, LineageError, NotFound
from gitlineage.journal import events
from gitlineage.model.records import TrialView
from gitlineage.model.trial import Trial
from gitlineage.run import cgroup, lease, place
from gitlineage.run.begin import Begun, home, noted, renewed
from gitlineage.run.finish import finish
from gitlineage.run.gpus import Taken
from gitlineage.run.lease import Files, Lease
from gitlineage.run.process import Command, end_all, stray
from gitlineage.run.records import Cause, Plan, Run, State
from gitlineage.run.supervise import attend, free_gpus, supervise
from gitlineage.run.watch import Stop, Watcher
from gitlineage.store.store import LineageStore

_PAUSE = 0.1


def find(store: LineageStore, id: str) -> tuple[Files, Run]:
    """
    Return a run by its trial's id, or by whatever else names the trial, as ``best``, with its files.

    Raises:
        NotFound: no run of this machine is called so.
        Ambiguous: several trials are meant.
    """
    for name in (id, id.removeprefix("exp_")):
        files = Files(home(store), name)
        if (run := files.read()) is not None:
            return files, run
    with suppress(NotFound):
        view = store.view(id)
        files = Files(home(store), view.trial.exp_id)
        if (run := files.read()) is not None and run.oid == view.oid:
            return files, run
    raise NotFound("run", id, [each.id for each in runs(store, 3)])


def runs(store: LineageStore, limit: int | None = None) -> list[Run]:
    """Return the runs of this repository's campaign that this machine made, those that began last first."""
    return lease.recorded(home(store), limit)


def lost(store: LineageStore) -> list[Run]:
    """Return the runs that nobody supervises although they are not resolved."""
    return lease.lost(home(store))


def is_held(store: LineageStore, run: Run) -> bool:
    """Whether somebody supervises a run."""
    return lease.is_held(Files(home(store), run.id).lease)


def wait(store: LineageStore, id: str, seconds: float | None = None) -> Run:
    """
    Wait until nobody supervises a run any more, or for so long, and return it as it is then.

    Raises:
        NotFound: no run of this machine is called so.
    """
    files, run = find(store, id)
    deadline = None if seconds is None else time.monotonic() + seconds
    while run.state is not State.ENDED and lease.is_held(files.lease):
        if deadline is not None and time.monotonic() >= deadline:
            break
        time.sleep(_PAUSE)
        run = files.read() or run
    return files.read() or run


def cancel(store: LineageStore, id: str, watcher: Watcher | None = None) -> Run:
    """
    End a run, and return it once that is recorded; one that was preempted, or lost its runner, is given up.

    Raises:
        NotFound: no run of this machine is called so.
        Invalid: it has ended already.
    """
    files, run = find(store, id)
    if run.state is State.ENDED:
        raise Invalid(f"{run.id} has ended already: {run.status}")
    files.cancel.touch()
    limit = run.plan.limits.grace + 30.0
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        taken = Lease.take(files.lease)
        if taken is not None:
            return _give_up(store, files, taken, watcher or Watcher())
        run = wait(store, id, 1.0)
        if run.state is State.ENDED:
            return run
    raise Busy(run.id, f"it has not ended {limit:g} s after it was told to")


def _give_up(store: LineageStore, files: Files, taken: Lease, watcher: Watcher) -> Run:
    """Record that a run was cancelled which nobody supervises."""
    begun = _read(store, files, taken)
    if begun is None or begun.run.state is State.ENDED:
        taken.resolve()
    if begun is None:
        raise NotFound("run", files.id)
    if begun.run.state is State.ENDED:
        return begun.run
    begun = noted(begun, cause=Cause.CANCEL)
    if (command := _command(begun)) is not None:
        command.end(begun.run.plan.limits.grace)
    end_all(stray(begun.run.cookie))
    return finish(store, _at_its_end(begun), watcher, Stop())


def settle(store: LineageStore, watcher: Watcher | None = None) -> list[Run]:
    """
    Record the end of all runs whose runner is gone and whose command does not live either, and return these.

    One whose command lives, and one that was preempted, is left to `resume`.
    """
    recorded = []
    for files, supervised in list(lease.unresolved(home(store))):
        taken = None if supervised else Lease.take(files.lease)
        if taken is None:
            continue
        begun = _read(store, files, taken)
        if begun is None or begun.run.state is State.ENDED:
            taken.resolve()
        elif begun.run.state is State.PREEMPTED or _command(begun) is not None:
            taken.release()
        else:
            try:
                recorded.append(_record(store, begun, watcher or Watcher()))
            except (LineageError, OSError) as error:  # one that cannot be recorded keeps no other from being run
                taken.release()
                if watcher is not None:
                    watcher.note(f"the end of {begun.run.id} could not be recorded: {error}")
    return recorded


def resume(
    store: LineageStore,
    id: str,
    watcher: Watcher | None = None,
    *,
    handle: int | None = None,
    keep: Sequence[int] = (),
    stop: Stop | None = None,
) -> Run:
    """
    Go on with a run that nobody supervises, and return what became of it.

    A command that lives is watched on; one that has ended is recorded; one that never began, or was preempted, is
    started, with the same trial.

    Args:
        id: the run.
        watcher: is told how it goes on.
        handle: the lease's descriptor, where this process got it from the one that began the run.
        keep: those that hold the run's devices, likewise.
        stop: what this process is asked to do meanwhile.

    Raises:
        NotFound: no run of this machine is called so.
        Invalid: it has ended already.
        Busy: somebody supervises it.
    """
    watcher = watcher or Watcher()
    _, run = find(store, id)
    if run.state is State.ENDED:
        raise Invalid(f"{run.id} has ended already: {run.status}")
    begun = held(store, run.id, handle)
    if begun.run.state is State.ENDED:
        begun.lease.resolve()
        return begun.run
    stop = stop or Stop()
    with stop.listening():
        if (command := _command(begun)) is not None:
            watcher.began(begun.run, None)
            return attend(store, begun, command, watcher, stop)
        if begun.run.state is State.RUNNING:
            return _record(store, begun, watcher)
        end_all(stray(begun.run.cookie))
        if begun.run.attempt:
            begun = renewed(store, begun)
        inherited = Taken(begun.run.gpus, tuple(keep))
        taken = inherited if keep else free_gpus(store, begun.run.plan, watcher, stop)
        run = msgspec.structs.replace(begun.run, gpus=taken.devices)
        begun = msgspec.structs.replace(begun, run=run, gpus=taken)
        watcher.began(begun.run, None)
        return supervise(store, begun, watcher, stop)


def held(store: LineageStore, id: str, handle: int | None = None) -> Begun:
    """
    Return a run whose lease is this process's from now on.

    Args:
        id: the run.
        handle: the lease's descriptor, where this process inherited it.

    Raises:
        NotFound: no run of this machine is called so, or nothing was recorded of it.
        Busy: somebody supervises it.
    """
    files, run = find(store, id)
    taken = Lease.take(files.lease) if handle is None else Lease.inherited(files.lease, handle)
    if taken is None:
        raise Busy(run.id, f"process {run.runner} on {run.host} supervises it")
    begun = _read(store, files, taken)
    if begun is None:
        taken.resolve()
        raise NotFound("run", id)
    return begun


def ended(store: LineageStore, view: TrialView) -> Run:
    """Return the run of a trial that has a result; of one that no run of this machine made, what the row says."""
    run = Files(home(store), view.trial.exp_id).read()
    if run is not None and run.state is State.ENDED:
        return run
    plan = run.plan if run else Plan(command=tuple(shlex.split(view.trial.text("command"))), folder="")
    run = run or Run(id=view.trial.exp_id, oid=view.oid, tree="", plan=plan, cookie="")
    return msgspec.structs.replace(run, **_result(store, view.trial))


def _result(store: LineageStore, trial: Trial) -> dict[str, Any]:
    """Return what a run's record says of its trial's row."""
    return {
        "state": State.ENDED,
        "status": trial.status,
        "failure": trial.text("failure"),
        "score": trial.text(store.task.score_field),
        "found": trial.text("metric_from"),
        "words": trial.text("verdict") or trial.notes,
    }


def log_tail(store: LineageStore, id: str) -> tuple[str, events.Log | None]:
    """
    Return what the note of a trial keeps of its log, which any clone has, and the trial's label.

    Raises:
        NotFound: there is no such trial.
    """
    view = store.view(id)
    return view.label, kept_log(store, view.oid, view.trial.exp_id)


def kept_log(store: LineageStore, oid: str, exp_id: str) -> events.Log | None:
    """Return what the note of a snapshot keeps of the log of one of its trials; ``None`` where it keeps none."""
    told = [
        (entry.event.clock, entry.writer, entry.event.log)
        for entry in _events(store, oid)
        if entry.event.row.get("exp_id") == exp_id and entry.event.log is not None
    ]
    return max(told, key=lambda each: each[:2])[2] if told else None


def _events(store: LineageStore, oid: str) -> Iterator["_Row"]:
    for writer, tip in store.ledger.counting().items():
        for entry in store.ledger.journal.told(writer, tip, oid):
            event = getattr(entry, "event", None)
            if isinstance(event, events.TrialEvent):
                yield _Row(entry.writer, event)


class _Row(msgspec.Struct, frozen=True):
    writer: str
    event: events.TrialEvent


# -- helpers -----------------------------------------------------------------------------------------------------------


def _read(store: LineageStore, files: Files, taken: Lease) -> Begun | None:
    """
    Return a run whose lease is ours as it is recorded; ``None`` where no trial was.

    What was killed before it could record anything leaves nothing behind; one whose result is there has ended.
    """
    run = files.read()
    if run is None:
        if not files.record.exists():
            shutil.rmtree(files.folder, ignore_errors=True)
        return None
    views = store.ledger.views()
    view = None
    if store.ledger.repo.exists(run.oid):
        view = next((each for each in views.on_snapshot(run.oid) if each.trial.exp_id == run.id), None)
    if view is None:
        shutil.rmtree(files.folder, ignore_errors=True)
        return None
    if view.trial.status is not None and run.state is not State.ENDED:
        run = msgspec.structs.replace(run, **_result(store, view.trial))
        files.write(run)
        place.clear(store, run)
    return Begun(run, files, taken)


def _command(begun: Begun) -> Command | None:
    """Return the command of a run where it lives."""
    number = begun.files.number(begun.files.process) if begun.run.state is State.RUNNING else None
    return Command.find(number, begun.run.cookie) if number is not None else None


def _record(store: LineageStore, begun: Begun, watcher: Watcher) -> Run:
    """Record the end of a run whose command is gone."""
    left = stray(begun.run.cookie)
    end_all(left)
    begun = _at_its_end(begun)
    if begun.run.facts.cause is Cause.PREEMPTION:
        done = msgspec.structs.replace(begun.run, state=State.PREEMPTED)
        begun.files.write(done)
        begun.lease.release()
        return done
    return finish(store, begun, watcher, Stop())


def _at_its_end(begun: Begun) -> Begun:
    """Write down how a command ended that nobody watched."""
    run, files = begun.run, begun.files
    code = files.number(files.exit) if run.state is State.RUNNING else None
    ended = run.facts.ended or _changed_last(files.exit if code is not None else files.log) or run.began
    group = cgroup.of(run.cookie)
    killed = group is not None and group.killed() > 0
    if group is not None:
        group.remove()
    return noted(begun, exit_code=code, ended=ended, oom_killed=killed)


def _changed_last(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
