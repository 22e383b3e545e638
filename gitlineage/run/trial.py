"""One trial by one command: `run` makes it here, `start` leaves it to a process of its own."""

import subprocess
import sys

import msgspec

from gitlineage.model.records import TrialView
from gitlineage.model.trial import Trial
from gitlineage.query.judge import COMMAND, SIGMAS, Verdict, judge_mean
from gitlineage.run import gate, resume
from gitlineage.run.begin import Begun, adopt, begin, home, known
from gitlineage.run.lease import Files
from gitlineage.run.prune import prune
from gitlineage.run.records import Plan, Run, State
from gitlineage.run.supervise import free_gpus, supervise
from gitlineage.run.watch import Stop, Watcher
from gitlineage.store.store import LineageStore

SEED = "GITLINEAGE_SEED"
"""The variable that tells replicates apart: 0 for the first one."""

_LEAST = 3
"""Replicates before a repetition may stop early: two that happen to agree show no noise."""


def run(store: LineageStore, plan: Plan, watcher: Watcher | None = None, *, stdin: int | None = None) -> Run:
    """
    Run a command as one trial, and return what became of it once it is recorded.

    Args:
        plan: what is wanted.
        watcher: is told how it goes on.
        stdin: the descriptor that the command reads; nothing by default.

    Raises:
        Invalid: it cannot be run as wanted; nothing was recorded.
        AlreadyTried: its content and command were tried, and the plan says to refuse that.
        NotFound: an unknown parent.
        Busy: the trial to go on with is supervised by another process.
    """
    watcher = watcher or Watcher()
    stop = Stop()
    with stop.listening():
        view = known(store, plan)
        if view is None:
            begun = _begun(store, plan, watcher, stop)
        elif view.trial.status is not None:
            return resume.ended(store, view)
        elif Files(home(store), view.trial.exp_id).read() is not None:
            return resume.resume(store, view.trial.exp_id, watcher, stop=stop)
        else:
            begun = adopt(store, plan, view, free_gpus(store, plan, watcher, stop))
        watcher.began(begun.run, begun.place)
        _tell_near(store, begun, watcher)
        return supervise(store, begun, watcher, stop, stdin)


def repeat(
    store: LineageStore, plan: Plan, times: int, watcher: Watcher | None = None
) -> tuple[list[Run], Verdict | None]:
    """
    Run a command several times on one snapshot, each run a replicate with a seed of its own, and judge their mean.

    It stops early where one run fails, or where three at the least lie so that their mean is more than two sigma from
    the best's, on either side. All rows then have the verdict on the mean.

    Args:
        store: the store.
        plan: what is wanted; the variable `SEED` counts from 0.
        times: how often at most.
        watcher: is told how it goes on.

    Returns:
        The runs, and the verdict; ``None`` where a run failed or was stopped.

    Raises:
        As `run`.
    """
    runs = _done(store, plan)
    best = _best_before(store, runs)
    judged: Verdict | None = None
    while len(runs) < times:
        seed = str(len(runs))
        each = msgspec.structs.replace(
            plan, environment={**plan.environment, SEED: seed}, cells={**plan.cells, "seed": seed}
        )
        if runs:
            each = msgspec.structs.replace(each, of=runs[0].oid)
        done = run(store, each, watcher)
        runs.append(done)
        if done.failure or done.state is not State.ENDED or not done.score:
            if watcher is not None:
                rest = times - len(runs)
                watcher.note(f"{done.id} gave no score, so the other {rest} were not run; no mean was judged")
            return runs, None
        snapshot = store.snapshot(done.oid)
        trees = (snapshot.tree, *(store.snapshot(parent).tree for parent in snapshot.parents))
        judged = judge_mean(store.ledger.views(), [float(each.score) for each in runs], trees, best)
        if len(runs) >= _LEAST and _is_decided(judged):
            break
    return (_settled(store, runs, judged), judged) if judged is not None else (runs, None)


def _done(store: LineageStore, plan: Plan) -> list[Run]:
    """Return the replicates that a job made before it was started anew; none where this is the first time."""
    view = known(store, plan) if plan.job else None
    if view is None or not view.trial.text("seed"):
        return []
    command = view.trial.text(COMMAND)
    others = store.ledger.views().on_snapshot(view.oid)
    replicates = [each for each in others if each.trial.text("seed") and each.trial.text(COMMAND) == command]
    return [resume.ended(store, each) for each in replicates if each.trial.status is not None]


def _best_before(store: LineageStore, runs: list[Run]) -> TrialView | None:
    """Return the best trial that there was before some runs; the row of the first one names it."""
    if not runs:
        return store.ledger.views().best()
    name = store.trial(runs[0].id).baseline_exp
    return store.view(name) if name else None


def _is_decided(verdict: Verdict) -> bool:
    """Whether a mean is further from the best than replicates are from each other."""
    if verdict.score is None or verdict.best_score is None:
        return False
    return bool(verdict.noise.trials) and abs(verdict.score - verdict.best_score) > SIGMAS * verdict.noise.sigma


def _settled(store: LineageStore, runs: list[Run], verdict: Verdict) -> list[Run]:
    """Give the rows of replicates the verdict on their mean, as one landing."""
    words = f"{verdict.reason}; the mean of {len(runs)} runs is {verdict.score:.6g}"
    done = []
    with store.batch():
        for each in runs:
            row = Trial(exp_id=each.id, status=verdict.status, extra={"verdict": words})
            store.record(each.oid, row, revise=True)
            done.append(msgspec.structs.replace(each, status=verdict.status, words=words))
    for each in done:
        Files(home(store), each.id).write(each)
    return done


def start(store: LineageStore, plan: Plan, watcher: Watcher | None = None) -> Run:
    """
    Record a trial and leave its command to a process of its own, which outlives this one; raises as `run`.

    `resume.wait` tells when it has ended, `resume.cancel` ends it.
    """
    watcher = watcher or Watcher()
    view = known(store, plan)
    if view is None:
        begun = _begun(store, plan, watcher, Stop())
    elif view.trial.status is not None:
        return resume.ended(store, view)
    elif Files(home(store), view.trial.exp_id).read() is not None:
        begun = resume.held(store, view.trial.exp_id)
    else:
        begun = adopt(store, plan, view, free_gpus(store, plan, watcher, Stop()))
    watcher.began(begun.run, begun.place)
    _tell_near(store, begun, watcher)
    leave(store, begun)
    return begun.run


def _begun(store: LineageStore, plan: Plan, watcher: Watcher, stop: Stop) -> Begun:
    """Begin a new run, after those that ended meanwhile are settled."""
    if what := store.ledger.repo.halfway():
        watcher.note(f"git is in the middle of a {what} here; the trial is of the files as they are now")
    resume.settle(store, watcher)
    for line in prune(store.ledger, always=False):
        watcher.note(line)
    return begin(store, plan, free_gpus(store, plan, watcher, stop))


def _tell_near(store: LineageStore, begun: Begun, watcher: Watcher) -> None:
    if begun.place is not None:  # what goes on with a trial was told when that began
        for line in gate.near(store, begun.run):
            watcher.note(line)


def leave(store: LineageStore, begun: Begun) -> None:
    """Have a process of its own go on with a run; this one lets go of it."""
    handle = begun.lease.handle
    where = ["-C", str(store.root), "--campaign", store.campaign]
    keep = [word for each in begun.gpus.handles for word in ("--keep", str(each))]
    words = [*where, "runs", "resume", begun.run.id, "--lease", str(handle), *keep]
    with (begun.files.folder / "runner").open("ab") as said:
        # A shell that ends at once stands in between, so that it is nobody's child here and leaves no zombie.
        subprocess.run(
            ["sh", "-c", '"$@" &', "sh", sys.executable, "-m", "gitlineage", *words],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            pass_fds=(handle, *begun.gpus.handles),
            start_new_session=True,
            check=True,
        )
    begun.lease.release()
    begun.gpus.release()
