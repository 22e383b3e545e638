"""
What happened to a run, as a status, a failure in a word and a sentence; all from what is written down.

A status is what happened, whatever the command printed before: a score that came before a crash stays in its column and
ranks nothing. Nothing of the log gets into the words.
"""

import re
import signal
from collections.abc import Mapping, Sequence

import msgspec

from gitlineage.model.trial import FailureLabel
from gitlineage.run.records import EVAL, Cause, Facts, Found, Limits

_OUT_OF_MEMORY = re.compile(
    r"^(\S*\.)?(MemoryError|OutOfMemoryError)\b|CUDA(?: error:)? out of memory|HIP out of memory"
    r"|MPS backend out of memory|Cannot allocate memory|std::bad_alloc|RESOURCE_EXHAUSTED: Out of memory"
    r"|java\.lang\.OutOfMemoryError|cudaErrorMemoryAllocation|CUBLAS_STATUS_ALLOC_FAILED|unable to allocate \d",
    re.MULTILINE | re.IGNORECASE,
)
"""What programs say that got no memory."""

_NOT_RUN = (126, 127)
"""What a shell says of a program that it cannot execute, or does not find."""

_SIGNALLED = 128

_NEARLY = 0.8
"""The part of all memory from which on a command that something killed is taken to have run out of it."""


_NOTHING: Mapping[int, FailureLabel] = {}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """
    What happened.

    Args:
        status: how the trial ended; ``None`` where its score decides.
        failure: what stopped it, in a word; empty where nothing did.
        words: the same in a sentence.
    """

    status: FailureLabel | None
    failure: str = ""
    words: str = ""


def outcome(
    facts: Facts,
    limits: Limits,
    reading: Found,
    *,
    said: str = "",
    refused: str = "",
    changed: Sequence[str] = (),
    check: str = "",
    large: str = "",
    memory: int = 0,
    exits: Mapping[int, FailureLabel] = _NOTHING,
) -> Outcome:
    """
    Return what happened.

    Args:
        facts: what is known of the command.
        limits: what it might take.
        found: the numbers that it gave.
        said: the end of what it printed.
        refused: why the environment's check failed; empty where it did not.
        changed: frozen paths that are not as they were.
        check: why the result's check failed; empty where it did not.
        large: the artifact that is too large, in words; empty where none is.
        memory: bytes of memory that there are for all processes; 0 where that is not known.
        exits: what exit codes of the command's own say.
    """
    refused = refused or facts.refused
    if refused:
        return Outcome(status=FailureLabel.PREFLIGHT_CRASH, failure="could_not_start", words=refused)
    if facts.cause is not Cause.NONE:
        return _ended(facts, limits)
    if facts.exit_code is None:
        words = "the command and whoever supervised it were killed together; how it would have ended is not known"
        return Outcome(status=FailureLabel.HARNESS_ABORT, failure="lost", words=words)
    if facts.exit_code in exits:
        status = exits[facts.exit_code]
        words = f"it ended with exit code {facts.exit_code}, which says {status.value}"
        return Outcome(status=status, failure="exit", words=words)
    if facts.exit_code:
        return _failed(facts, said, min(filter(None, (limits.memory, memory)), default=0))
    if limits.memory is not None and facts.peak_memory > limits.memory:
        return _too_much_memory(facts, limits)
    if changed:
        words = f"it changed what is frozen: {', '.join(changed)}"
        return Outcome(status=FailureLabel.DISQUALIFIED, failure="frozen", words=words)
    if check:
        return Outcome(status=FailureLabel.DISQUALIFIED, failure="check", words=check)
    if large:
        return Outcome(status=FailureLabel.SIZE_BLOCKED, failure="artifact_size", words=large)
    if not reading.score:
        words = f"it ended well and has no score: {reading.missing}"
        return Outcome(status=FailureLabel.CRASH, failure="no_score", words=words)
    return Outcome(status=None)


def never_began() -> Outcome:
    """Return what happened to a run whose command was never started, because whoever began it was killed."""
    words = "whoever began it was killed before its command started"
    return Outcome(status=FailureLabel.HARNESS_ABORT, failure="lost", words=words)


def _ended(facts: Facts, limits: Limits) -> Outcome:
    """Return what happened to a command that we ended."""
    match facts.cause:
        case Cause.TIMEOUT:
            is_eval = facts.phase == EVAL
            limit = limits.eval_timeout if is_eval and limits.eval_timeout is not None else limits.timeout
            status = FailureLabel.EVAL_BUDGET_OVERRUN if is_eval else FailureLabel.TRAIN_BUDGET_OVERRUN
            what = "evaluation" if is_eval else "training"
            words = f"{what} took longer than {limit:g} s"
            return Outcome(status=status, failure="timeout", words=words)
        case Cause.STALL:
            words = f"it printed nothing for {limits.stall:g} s"
            return Outcome(status=FailureLabel.CRASH, failure="stall", words=words)
        case Cause.MEMORY:
            return _too_much_memory(facts, limits)
        case Cause.INTERRUPT:
            return Outcome(status=FailureLabel.HARNESS_ABORT, failure="interrupted", words="it was interrupted")
        case _:
            return Outcome(status=FailureLabel.HARNESS_ABORT, failure="cancelled", words="it was cancelled")


def _too_much_memory(facts: Facts, limits: Limits) -> Outcome:
    words = f"it took {facts.peak_memory / 2**20:,.0f} MiB of memory; {(limits.memory or 0) / 2**20:,.0f} were allowed"
    return Outcome(status=FailureLabel.CRASH, failure="oom", words=words)


def _failed(facts: Facts, said: str, memory: int) -> Outcome:
    """Return what happened to a command that failed by itself."""
    code = facts.exit_code or 0
    if code in _NOT_RUN:
        words = f"the command could not be executed (exit code {code})"
        return Outcome(status=FailureLabel.PREFLIGHT_CRASH, failure="could_not_start", words=words)
    name = _signal(code)
    told = f"{name}, exit code {code}" if name else f"exit code {code}"
    if facts.oom_killed:
        return Outcome(status=FailureLabel.CRASH, failure="oom", words=f"the kernel killed it: out of memory ({told})")
    if _OUT_OF_MEMORY.search(said):
        return Outcome(status=FailureLabel.CRASH, failure="oom", words=f"it ran out of memory ({told})")
    if name == "SIGKILL":
        words = f"something else than gitlineage killed it ({told})"
        if memory and facts.peak_memory > _NEARLY * memory:
            held = f"it had {facts.peak_memory / 2**20:,.0f} of {memory / 2**20:,.0f} MiB of memory"
            return Outcome(status=FailureLabel.CRASH, failure="oom", words=f"{words}; {held}")
        return Outcome(status=FailureLabel.CRASH, failure="killed", words=f"{words}; nothing says that memory ran out")
    return Outcome(status=FailureLabel.CRASH, failure=name or "exit", words=f"it ended with {told}")


def _signal(code: int) -> str:
    """Return the name of the signal that an exit code of a shell's tells of; empty for none."""
    try:
        return signal.Signals(code - _SIGNALLED).name if code > _SIGNALLED else ""
    except ValueError:
        return ""
