"""One trial by one command: `run` makes it here, `start` leaves it to a process of its own."""

import subprocess
import sys

from gitlineage.run import gate, resume
from gitlineage.run.begin import Begun, adopt, begin, home, known
from gitlineage.run.lease import Files
from gitlineage.run.records import Plan, Run
from gitlineage.run.supervise import supervise
from gitlineage.run.watch import Stop, Watcher
from gitlineage.store.store import LineageStore


def run(store: LineageStore, plan: Plan, watcher: Watcher | None = None) -> Run:
    """
    Run a command as one trial, and return what became of it once it is recorded.

    Args:
        plan: what is wanted.
        watcher: is told how it goes on.

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
            resume.settle(store, watcher)
            begun = begin(store, plan)
        elif view.trial.status is not None:
            return resume.ended(store, view)
        elif Files(home(store), view.trial.exp_id).read() is not None:
            return resume.resume(store, view.trial.exp_id, watcher, stop=stop)
        else:
            begun = adopt(store, plan, view)
        watcher.began(begun.run, begun.place)
        _tell_near(store, begun, watcher)
        return supervise(store, begun, watcher, stop)


def start(store: LineageStore, plan: Plan, watcher: Watcher | None = None) -> Run:
    """
    Record a trial and leave its command to a process of its own, which outlives this one; raises as `run`.

    `resume.wait` tells when it has ended, `resume.cancel` ends it.
    """
    watcher = watcher or Watcher()
    view = known(store, plan)
    if view is None:
        resume.settle(store, watcher)
        begun = begin(store, plan)
    elif view.trial.status is not None:
        return resume.ended(store, view)
    elif Files(home(store), view.trial.exp_id).read() is not None:
        begun = resume.held(store, view.trial.exp_id)
    else:
        begun = adopt(store, plan, view)
    watcher.began(begun.run, begun.place)
    _tell_near(store, begun, watcher)
    leave(store, begun)
    return begun.run


def _tell_near(store: LineageStore, begun: Begun, watcher: Watcher) -> None:
    if begun.place is not None:  # what goes on with a trial was told when that began
        for line in gate.near(store, begun.run):
            watcher.note(line)


def leave(store: LineageStore, begun: Begun) -> None:
    """Have a process of its own go on with a run; this one lets go of it."""
    handle = begun.lease.handle
    where = ["-C", str(store.root), "--campaign", store.campaign]
    words = [*where, "runs", "resume", begun.run.id, "--lease", str(handle)]
    with (begun.files.folder / "runner").open("ab") as said:
        # A shell that ends at once stands in between, so that it is nobody's child here and leaves no zombie.
        subprocess.run(
            ["sh", "-c", '"$@" &', "sh", sys.executable, "-m", "gitlineage", *words],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            pass_fds=(handle,),
            start_new_session=True,
            check=True,
        )
    begun.lease.release()
