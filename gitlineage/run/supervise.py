"""
A command while it runs: started in its place, watched within its limits, ended where that is called for.

Start at `supervise`, or at `attend` for a command that runs already. Why a command is being ended is written down
before it hears of it.
"""

import os
import signal
import time
from contextlib import suppress

import msgspec

from gitlineage import house
from gitlineage.errors import Invalid, LineageError
from gitlineage.run import cgroup, gpus, output, place
from gitlineage.run.begin import Begun, noted
from gitlineage.run.check import check, environment, program
from gitlineage.run.finish import finish
from gitlineage.run.process import Command
from gitlineage.run.records import EVAL, TRAIN, Cause, Facts, Plan, Run, State
from gitlineage.run.watch import Stop, Watcher
from gitlineage.store.store import LineageStore

_TICK = 0.05
"""Seconds between two looks at the log; the end is seen at once."""

_LOOKS = 0.1, 1.0
"""Seconds between two looks at the processes: at first, and later."""

_LAST = 2.0
"""Seconds that what a command left running has to end in."""


def free_gpus(store: LineageStore, plan: Plan, watcher: Watcher, stop: Stop) -> gpus.Taken:
    """Return the devices that a command is to have, once they are free."""
    setting = store.ledger.repo.config(house.GPUS)
    return gpus.take(plan.gpus, os.environ, setting, watcher.note, lambda: bool(stop.interrupts or stop.preempted))


def supervise(store: LineageStore, begun: Begun, watcher: Watcher, stop: Stop, stdin: int | None = None) -> Run:
    """Run the command of a run that was begun, and return what became of it; it reads a descriptor, or nothing."""
    begun = _prepared(store, begun)
    if begun.run.facts.refused:
        begun.gpus.release()
        return finish(store, begun, watcher, stop)
    with suppress(FileNotFoundError):
        begun.files.result.unlink()
    for path in (begun.files.process, begun.files.exit):
        path.unlink(missing_ok=True)
    now = msgspec.structs.replace(begun.run, state=State.RUNNING, began=time.time())
    begun.files.write(now)
    memory = now.plan.limits.memory
    group = cgroup.of(now.cookie) if memory is not None else None
    if group is not None and not group.make(memory or 0):
        group = None
    with begun.files.log.open("ab") as log, open(os.devnull, "rb") as nothing:
        command = Command.start(
            [program(now), *now.plan.command[1:]],
            files=begun.files.folder,
            folder=place.inside(now),
            environment=environment(begun),
            cookie=now.cookie,
            log=log.fileno(),
            stdin=nothing.fileno() if stdin is None else stdin,
            lease=begun.lease.handle,
            keep=begun.gpus.handles,
            memory=memory,
            group=group.members if group is not None else None,
        )
    begun.gpus.release()
    now = msgspec.structs.replace(now, process=command.process)
    begun.files.write(now)
    return attend(store, msgspec.structs.replace(begun, run=now), command, watcher, stop)


def _prepared(store: LineageStore, begun: Begun) -> Begun:
    """Make the place that a command runs in and check it; why it cannot start is in the run's facts."""
    now, refused = begun.run, ""
    size = begun.files.log.stat().st_size if begun.files.log.exists() else 0
    now = msgspec.structs.replace(now, attempt=now.attempt + 1, log_from=size, facts=Facts(), process=0, began=0.0)
    try:
        if now.isolated and not now.folder:
            now = msgspec.structs.replace(now, folder=str(place.apart(now)))
            begun.files.write(now)
            place.check_out(store, now)
        now = msgspec.structs.replace(now, frozen=place.digests(place.inside(now), now.plan.frozen))
        missing = [path for path, digest in now.frozen.items() if not digest]
        if missing:
            raise Invalid(f"--frozen {missing[0]}: there is no such file or folder")
        if not place.inside(now).is_dir():
            raise Invalid(f"{now.plan.folder} is not in the snapshot")
        if not program(now):
            words = len(now.plan.command) == 1 and " " in now.plan.command[0].strip()
            hint = "; a command's words stand without quotes, a line for a shell after `sh -c`" if words else ""
            raise Invalid(f"{now.plan.command[0]} is no program that can be run here{hint}")
    except (LineageError, OSError) as error:
        refused = f"the command could not be started: {error}"
    begun = msgspec.structs.replace(begun, run=now)
    refused = refused or check(begun, "environment")
    if refused:
        return noted(begun, refused=refused)
    size = begun.files.log.stat().st_size if begun.files.log.exists() else 0  # what a check prints is not the command's
    return msgspec.structs.replace(begun, run=msgspec.structs.replace(begun.run, log_from=size))


def attend(store: LineageStore, begun: Begun, command: Command, watcher: Watcher, stop: Stop) -> Run:
    """Watch a command that runs until it has ended, within its limits, and record that."""
    limits = begun.run.plan.limits
    own = cgroup.Group.own()
    killed = own.killed() if own is not None else 0
    log = output.Log(begun.files.log, begun.run.log_from, limits.log)
    clock = _Clock(begun.run)
    look_at, pause, sent = 0.0, _LOOKS[0], 0
    due = 0.0 if begun.run.facts.cause is not Cause.NONE else None  # whoever was ending it is gone
    while not command.wait(_TICK):
        now = time.monotonic()
        if new := log.news():
            clock.heard()
            watcher.printed(new)
            if (phase := log.phase(new)) and phase != begun.run.facts.phase:
                begun = clock.enter(begun, phase)
        if log.bound():
            begun = noted(begun, dropped=log.dropped)
        held = 0
        if now >= look_at:
            held = command.look()
            if limits.memory is not None and held > limits.memory:  # pages that processes share count for each there
                held = command.measure()
            look_at, pause = now + pause, min(pause * 1.5, _LOOKS[1])
            begun.lease.touch()
        watcher.tick(begun.run, clock.total())
        if stop.interrupts > sent:
            sent = stop.interrupts
            begun = noted(begun, cause=Cause.INTERRUPT)
            if sent == 1:
                command.send(signal.SIGINT)
                due = now + limits.grace
                watcher.note(f"the command has {limits.grace:g} s to end (--grace); another Ctrl-C kills it")
            else:
                command.kill()
        elif due is not None and now >= due:
            command.end(limits.grace)
        elif begun.run.facts.cause is Cause.NONE and (cause := _cause(begun, stop, clock, held)):
            begun = noted(begun, cause=cause, peak_memory=max(command.peak_memory, begun.run.facts.peak_memory))
            command.end(limits.grace)
    if own is not None and own.killed() > killed:
        begun = noted(begun, oom_killed=True)
    watcher.printed(log.news())
    return _ended(store, begun, command, watcher, stop)


def _cause(begun: Begun, stop: Stop, clock: "_Clock", held: int) -> Cause:
    """Return why a command is to be ended now; nothing where it may go on."""
    limits, phase = begun.run.plan.limits, begun.run.facts.phase
    if stop.preempted:
        return Cause.PREEMPTION
    if begun.files.cancel.exists():
        return Cause.CANCEL
    if phase == EVAL and limits.eval_timeout is not None:
        if clock.in_phase() > limits.eval_timeout:
            return Cause.TIMEOUT
    elif limits.timeout is not None and clock.total() > limits.timeout:
        return Cause.TIMEOUT
    if limits.stall is not None and clock.silent() > limits.stall:
        return Cause.STALL
    if limits.memory is not None and held > limits.memory:
        return Cause.MEMORY
    return Cause.NONE


def _ended(store: LineageStore, begun: Begun, command: Command, watcher: Watcher, stop: Stop) -> Run:
    """Write down how a command ended, end what it left, and record it all."""
    ended = time.time()
    left = [each for each in command.alive() if each.pid != command.process]
    if left:
        command.end(min(begun.run.plan.limits.grace, _LAST))
    code = begun.files.number(begun.files.exit)
    if code is None and command.killed_by:
        code = 128 + command.killed_by
    facts = begun.run.facts
    group = cgroup.of(begun.run.cookie)
    killed = facts.oom_killed or (group is not None and group.killed() > 0)
    if group is not None:
        group.remove()
    begun = noted(
        begun,
        exit_code=code,
        ended=ended,
        oom_killed=killed,
        left=0 if facts.cause is not Cause.NONE else len(left),
        peak_memory=max(facts.peak_memory, command.peak_memory),
    )
    command.close()
    if facts.cause is Cause.PREEMPTION:
        done = msgspec.structs.replace(begun.run, state=State.PREEMPTED)
        begun.files.write(done)
        begun.lease.release()
        return done
    return finish(store, begun, watcher, stop)


class _Clock:
    """How long a run has taken; time that nobody supervised it counts, too."""

    def __init__(self, run: Run) -> None:
        self._began = time.monotonic() - max(0.0, time.time() - run.began)
        since = run.facts.phase_began
        self._phase = time.monotonic() - max(0.0, time.time() - since) if since else self._began
        self._heard = time.monotonic()

    def total(self) -> float:
        """Return seconds since the command began."""
        return time.monotonic() - self._began

    def in_phase(self) -> float:
        """Return seconds since its phase began."""
        return time.monotonic() - self._phase

    def silent(self) -> float:
        """Return seconds since it printed something."""
        return time.monotonic() - self._heard

    def heard(self) -> None:
        """Hear that it printed something."""
        self._heard = time.monotonic()

    def enter(self, begun: Begun, phase: str) -> Begun:
        """Write down that another phase began."""
        facts = begun.run.facts
        trained = facts.train_s + (self.in_phase() if facts.phase == TRAIN else 0.0)
        self._phase = time.monotonic()
        return noted(begun, phase=phase, phase_began=time.time(), train_s=trained)
