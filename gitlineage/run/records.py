"""
The words of a run: what is asked for (`Plan`, `Limits`), and what is known of it (`Run`, `Facts`, `Found`).

They are frozen, kept as JSON in the run's folder and grow by defaults, so that a run that one version began another
one ends.
"""

from enum import StrEnum

import msgspec

from gitlineage.model.trial import FailureLabel


class State(StrEnum):
    """Where a run is."""

    STARTING = "starting"
    """Its trial is recorded, its command is not running yet."""

    RUNNING = "running"
    """Its command runs, or has ended and is not recorded yet."""

    PREEMPTED = "preempted"
    """It was stopped from outside, and the same trial is to go on."""

    ENDED = "ended"
    """Its result is recorded."""


class Cause(StrEnum):
    """Why we ended a command; written down before it gets a signal."""

    NONE = ""
    TIMEOUT = "timeout"
    STALL = "stall"
    MEMORY = "memory"
    INTERRUPT = "interrupt"
    CANCEL = "cancel"
    PREEMPTION = "preemption"


COLUMNS = (
    "command", "failure", "exit_code", "verdict", "metric_from", "peak_mb", "host", "gpus", "concurrency", "changed",
    "artifacts",
)  # fmt: skip
"""The columns that a run fills in besides the score and the seconds; no number that a command names gets into them."""

TRAIN, EVAL = "train", "eval"
"""The phases of a command; it trains until it says otherwise."""


class IfTried(StrEnum):
    """What becomes of a run whose content and command were tried before."""

    REFUSE = "refuse"
    """It is refused, with the result of then."""

    WARN = "warn"
    """It runs, and the result of then is told."""

    REPEAT = "repeat"
    """It runs as a replicate, and nothing is said."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What a command may take; ``None`` does not limit it.

    Args:
        timeout: seconds of training, which is the whole run where the command tells of no evaluation.
        eval_timeout: seconds of evaluation, and of a check of the result.
        grace: seconds between asking processes to end and killing them.
        stall: seconds without output after which it is ended.
        memory: bytes of memory that its processes may have together.
        log: bytes of output that are kept.
        artifact: bytes that one artifact may have.
    """

    timeout: float | None = None
    eval_timeout: float | None = None
    grace: float = 10.0
    stall: float | None = None
    memory: int | None = None
    log: int = 256 * 1024 * 1024
    artifact: int | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    A trial that is to be made by a command.

    Args:
        command: its words.
        folder: where it is called; in an isolated checkout it runs in the same folder there.
        cells: cells of the row, by column.
        parents: what the snapshot was derived from; ``None`` to find that by content.
        roles: what a parent was, by id.
        cohort: the batch it belongs to.
        metric: what the score is called in the output; empty for the task's names.
        metric_from: a file that has the score, or ``re:PATTERN`` for the output.
        limits: what it may take.
        checks: shell commands that have to succeed, before the command, after it, or both.
        frozen: paths that the command must not change.
        links: paths of the working tree that an isolated checkout sees, too.
        artifacts: patterns of the files it makes that are worth keeping.
        exits: what exit codes of the command's own say, where they are no crash.
        steady: whether its row and note have only what every run of the same has: neither seconds nor memory, machine
            or place. The demo's have, which promises the same ids every time.
        isolated: whether it runs in a checkout of the snapshot.
        environment: variables that it gets besides those of whoever calls.
        name: the trial to make or to go on with; empty for a new number.
        of: the snapshot to run anew, whatever the working tree is; empty for what that has.
        if_tried: what to do where its content and command were tried before.
        gpus: how many GPUs it is to have.
        job: the batch system's job; empty where there is none.
        restarts: how often that was started anew.
    """

    command: tuple[str, ...]
    folder: str
    cells: dict[str, str] = {}
    parents: tuple[str, ...] | None = None
    roles: dict[str, str] = {}
    cohort: str | None = None
    metric: str = ""
    metric_from: str = ""
    limits: Limits = Limits()
    checks: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
    exits: dict[int, FailureLabel] = {}
    steady: bool = False
    isolated: bool = False
    environment: dict[str, str] = {}
    name: str = ""
    of: str = ""
    if_tried: IfTried = IfTried.REFUSE
    gpus: int = 0
    job: str = ""
    restarts: int = 0


class Found(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    The numbers that a run gave.

    Args:
        score: the score as it was spelled; empty where there is none.
        where: where the score was found, in words.
        others: other named numbers, by name.
        missing: why there is no score, in words.
        hint: what would make one known, in words; it may name what the output names, so that no row has it. Empty where
            there was one that is no number.
        passed: why a place that was asked before gave none, in words; empty where none was.
    """

    score: str = ""
    where: str = ""
    others: dict[str, str] = {}
    missing: str = ""
    hint: str = ""
    passed: str = ""


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What is known of a command while it runs and after it.

    Args:
        cause: why we ended it.
        exit_code: the shell's: 128 and the signal's number where a signal ended it; ``None`` while it is not known.
        phase: what it was last doing: `TRAIN` or `EVAL`.
        phase_began: when that began, in seconds since 1970.
        ended: when it ended, likewise; 0 while it runs.
        train_s: seconds that it trained.
        peak_memory: bytes that its processes had together at most, as far as it was looked at.
        oom_killed: whether the kernel said that it killed for lack of memory.
        refused: why it could not start; empty where it could.
        left: how many processes had to be ended after it.
        dropped: bytes of output that were not kept.
    """

    cause: Cause = Cause.NONE
    exit_code: int | None = None
    phase: str = TRAIN
    phase_began: float = 0.0
    ended: float = 0.0
    train_s: float = 0.0
    peak_memory: int = 0
    oom_killed: bool = False
    refused: str = ""
    left: int = 0
    dropped: int = 0


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    One command that makes one trial; its id is the trial's exp id.

    Args:
        id: the trial.
        oid: the snapshot.
        tree: its content.
        plan: what was asked for.
        cookie: what the environment of all its processes says.
        state: where it is.
        attempt: how often its command was started.
        workdir: the working tree that it was called in.
        folder: the top of the files that the command sees; the working tree, or an isolated checkout.
        isolated: why that is a checkout, in words; empty where it is the working tree.
        began: when its command was started last, in seconds since 1970; 0 before.
        host: the machine.
        runner: the number of the process that supervises it.
        process: the number of the shell above the command; 0 before there is one.
        log_from: where this attempt's output begins in the log.
        concurrency: how many runs were going when it began, itself included.
        gpus: the devices that it has, as ``CUDA_VISIBLE_DEVICES`` names them.
        frozen: digests of what must not change, by path.
        facts: what is known of the command.
        status: how the trial ended; ``None`` while it has not.
        failure: what stopped it, in a word; empty where nothing did.
        words: what happened, in words.
        score: the score as it was spelled.
        found: where the score was found.
        log_size: bytes that the command printed.
        log_digest: the SHA-256 of the log.
        made: what it made in the working tree that the next snapshot would have, as paths from its top.
    """

    id: str
    oid: str
    tree: str
    plan: Plan
    cookie: str
    state: State = State.STARTING
    attempt: int = 0
    workdir: str = ""
    folder: str = ""
    isolated: str = ""
    began: float = 0.0
    host: str = ""
    runner: int = 0
    process: int = 0
    log_from: int = 0
    concurrency: int = 1
    gpus: str = ""
    frozen: dict[str, str] = {}
    facts: Facts = Facts()
    status: FailureLabel | None = None
    failure: str = ""
    words: str = ""
    score: str = ""
    found: str = ""
    log_size: int = 0
    log_digest: str = ""
    made: tuple[str, ...] = ()
