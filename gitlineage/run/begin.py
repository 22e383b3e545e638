"""How a run begins: snapshot, pending trial, the run's folder and its lease, from one landing; start at `begin`."""

import os
import shlex
import shutil
from pathlib import Path
from typing import Any

import msgspec

from gitlineage import house
from gitlineage.bridge import placing
from gitlineage.bridge.placing import Place
from gitlineage.errors import Busy, Invalid
from gitlineage.model.records import TrialView
from gitlineage.model.trial import AUTO_ID, Trial
from gitlineage.query.judge import COMMAND
from gitlineage.run import gate, lease, place
from gitlineage.run.gpus import NONE, Taken
from gitlineage.run.lease import Files, Lease
from gitlineage.run.process import Command
from gitlineage.run.records import Plan, Run, State
from gitlineage.store.store import LineageStore


class Begun(msgspec.Struct, frozen=True):
    """
    A run whose trial is recorded and whose lease is ours.

    Args:
        run: the run.
        files: its files.
        lease: its lease.
        place: where its snapshot went; ``None`` where it goes on with a trial that was there.
        gpus: the devices that it has.
    """

    run: Run
    files: Files
    lease: Lease
    place: Place | None = None
    gpus: Taken = NONE


_MEASURED = (
    *("status", "failure", "verdict", "exit_code", "metric_from", "train_s", "total_s", "peak_mb"),
    *("host", "gpus", "concurrency", "changed", "artifacts", COMMAND),
)
"""The columns that say how a run went."""


def home(store: LineageStore) -> Path:
    """Return the folder of a campaign's runs, which all working trees of a repository share."""
    return store.ledger.namespace.folder(store.ledger.repo.commondir)


def begin(store: LineageStore, plan: Plan, gpus: Taken = NONE) -> Begun:
    """
    Record the snapshot and a pending trial, and take the lease of the run; all before anything runs.

    Args:
        store: the store.
        plan: what is wanted.
        gpus: the devices that the command is to have.

    Raises:
        Invalid: it cannot be run as wanted; nothing was recorded.
        AlreadyTried: its content and command were tried, and the plan says to refuse that.
        NotFound: an unknown parent.
    """
    workdir = store.ledger.repo.workdir
    if workdir is None:
        raise Invalid("a bare repository has no working tree to run in; `gitlineage clone` makes one that has")
    if not plan.command:
        raise Invalid("there is no command; it stands after --, as in `gitlineage run -- python train.py`")
    plan = msgspec.structs.replace(plan, folder=str(Path(plan.folder).resolve()))
    _check(store, plan, workdir)
    line = shlex.join(plan.command)
    trial = Trial.from_cells({**plan.cells, COMMAND: line, "exp_id": plan.name or AUTO_ID})
    held: Lease | None = None
    chosen: Place | None = None
    try:
        with store.batch():
            if plan.of:
                oid, tree = plan.of, str(store.snapshot(plan.of).tree)
                row = store.record(oid, trial, replicate=True)
            else:
                chosen = placing.place(store, parents=plan.parents, trial=trial, cohort=plan.cohort, roles=plan.roles)
                tree = chosen.content
                gate.check(store, plan, tree)
                if chosen.replicate_of is None:
                    made = store.commit(tree, chosen.parents, trial=trial, cohort=plan.cohort, roles=plan.roles)
                    oid, row = str(made.oid), made.trials[0]
                else:
                    oid = chosen.replicate_of
                    row = store.record(oid, trial, replicate=True)
                store.ledger.stand_on(oid)
            files = Files(home(store), row.exp_id)
            others, why = _going(store, workdir)
            store.ledger.repo.modes.make_folders(files.lease.parent)
            held = Lease.take(files.lease)
            if held is None:
                raise Busy(row.exp_id, "another process has just taken it")
            if not why and plan.of and not place.stands(store, tree):
                why = f"the working tree is not what {row.exp_id} is of"
            if plan.isolated or store.ledger.repo.config(house.RUN) == "isolated":
                why = "as wanted"
            if why:
                for _ in place.submodules(store.ledger.repo, tree):
                    pass  # one that cannot be checked out is refused here, where nothing is recorded yet
            shutil.rmtree(files.folder, ignore_errors=True)  # of a run that was never recorded
            store.ledger.repo.modes.make_folders(files.folder)
            new = Run(
                id=row.exp_id,
                oid=oid,
                tree=tree,
                plan=plan,
                cookie=os.urandom(16).hex(),
                workdir=str(workdir),
                folder="" if why else str(workdir),
                isolated=why,
                host=os.uname().nodename,
                runner=os.getpid(),
                concurrency=others + 1,
                gpus=gpus.devices,
            )
            files.write(new)
    except BaseException:
        if held is not None:  # what was landed is resolved by whoever comes next
            held.release()
        raise
    return Begun(new, files, held, chosen, gpus)


def _check(store: LineageStore, plan: Plan, workdir: Path) -> None:
    """
    Refuse a plan that could not be carried out, before anything of it is recorded.

    Raises:
        Invalid: a column is given that says what a run came to, or a path is not there or not in the working tree.
    """
    measured = plan.cells.keys() & {*_MEASURED, "core_metric", store.task.score_field}
    if measured:
        raise Invalid(f"the column {min(measured)} says what the run came to; it is measured, not given")
    for option, paths in (("--link", plan.links), ("--frozen", plan.frozen)):
        for path in paths:
            place = Path(os.path.normpath(Path(plan.folder) / path))
            if not place.is_relative_to(workdir.resolve()):
                raise Invalid(f"{option} {path}: it is not in the working tree {workdir}")
            if not os.path.lexists(place):
                raise Invalid(f"{option} {path}: there is no such file or folder")


def known(store: LineageStore, plan: Plan) -> TrialView | None:
    """Return the trial that a plan goes on with: the one that it names, or that of a job that was started anew."""
    views = store.ledger.views()
    if plan.name:
        named = views.named_exactly(plan.name)
        return named[0] if named else None
    if not plan.job:
        return None
    for files, held in lease.unresolved(home(store)):
        each = None if held else files.read()
        if each is None or each.plan.job != plan.job or each.plan.restarts >= plan.restarts:
            continue
        if each.plan.command == plan.command:
            return next((view for view in views.on_snapshot(each.oid) if view.trial.exp_id == each.id), None)
    return None


def adopt(store: LineageStore, plan: Plan, view: TrialView, gpus: Taken = NONE) -> Begun:
    """
    Return a run for a pending trial that no run of this machine made, as one of another clone's.

    Raises:
        Busy: somebody supervises it.
    """
    files = Files(home(store), view.trial.exp_id)
    held = Lease.take(files.lease)
    if held is None:
        raise Busy(view.trial.exp_id)
    store.ledger.repo.modes.make_folders(files.folder)
    run = Run(
        id=view.trial.exp_id,
        oid=view.oid,
        tree=store.snapshot(view.oid).tree,
        plan=plan,
        cookie=os.urandom(16).hex(),
        workdir=str(store.ledger.repo.workdir),
        host=os.uname().nodename,
        gpus=gpus.devices,
    )
    return renewed(store, Begun(run, files, held, gpus=gpus))


def renewed(store: LineageStore, begun: Begun) -> Begun:
    """Return a run that was preempted, about to start its command again where it has its files."""
    run = begun.run
    if run.isolated and run.folder:
        shutil.rmtree(run.folder, ignore_errors=True)
    others, why = _going(store, Path(run.workdir), but=begun.files.lease)
    if not why and not place.stands(store, run.tree):
        why = f"the working tree is not what {run.id} was recorded with"
    why = why or ("as wanted" if run.plan.isolated else "")
    new = msgspec.structs.replace(
        run,
        state=State.STARTING,
        isolated=why,
        folder="" if why else run.workdir,
        runner=os.getpid(),
        host=os.uname().nodename,
        concurrency=others + 1,
    )
    begun.files.cancel.unlink(missing_ok=True)
    begun.files.write(new)
    return msgspec.structs.replace(begun, run=new)


def _going(store: LineageStore, workdir: Path, but: Path | None = None) -> tuple[int, str]:
    """Return how many runs are going, and why another one cannot run in the working tree; empty where it can."""
    count, why = 0, ""
    for files, held in lease.unresolved(home(store)):
        each = files.read() if files.lease != but else None
        if each is None or each.state in (State.PREEMPTED, State.ENDED):
            continue
        number = files.number(files.process)
        if not held and (number is None or Command.find(number, each.cookie) is None):
            continue
        count += 1
        if not each.isolated and each.workdir == str(workdir):
            why = f"{each.id} is running in the working tree"
    return count, why


def noted(begun: Begun, **changes: Any) -> Begun:
    """Write down what became known of a run's command."""
    run = msgspec.structs.replace(begun.run, facts=msgspec.structs.replace(begun.run.facts, **changes))
    begun.files.write(run)
    return msgspec.structs.replace(begun, run=run)
