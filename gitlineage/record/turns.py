"""
Waiting for the writers' lock: who holds it is said after two seconds, and nobody waits for ever.

The lock file says who locked it last. The kernel queues those who wait, so a thread of its own stands in that
queue where there is one; whoever gives up leaves it there, and it lets the lock go when its turn comes.
"""

import fcntl
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gitlineage.errors import Locked

TOLD = 2.0
"""Seconds after which somebody who waits is told for whom."""

LIMIT = 300.0
"""Seconds that a writer waits for another one at the most, unless git config ``lineage.lockTimeout`` says otherwise."""

_WIDTH = 200
"""Bytes of what a holder writes, so that it covers what the one before wrote."""


def take(file: int, path: Path, limit: float, tell: Callable[[str], None]) -> None:
    """
    Wait for an open lock file and hold it.

    Args:
        file: its descriptor, which may be written to.
        limit: how many seconds to wait at the most.
        tell: hears whom this waits for.

    Raises:
        Locked: the holder keeps it for longer than that.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _queue(file, path, limit, tell)
    with suppress(OSError):  # a full disk
        os.pwrite(file, f"process {os.getpid()} on {os.uname().nodename}\n".encode()[:_WIDTH].ljust(_WIDTH), 0)


def holder(path: Path) -> str:
    """Return who locked a file last, in words."""
    with suppress(OSError, UnicodeDecodeError):
        if said := path.read_bytes()[:_WIDTH].decode().strip():
            return said
    return "another process"


def _queue(file: int, path: Path, limit: float, tell: Callable[[str], None]) -> None:
    turn = threading.Event()
    # the lock goes when the last descriptor does: where this one is closed meanwhile, with that of the thread
    waiting = threading.Thread(target=_stand, args=(os.dup(file), turn), daemon=True)
    waiting.start()
    if turn.wait(min(TOLD, limit)):
        return
    if limit > TOLD:
        tell(f"waiting for {holder(path)}, which is recording here; at most {limit:g} seconds")
        if turn.wait(limit - TOLD):
            return
    who = holder(path)
    advice = (
        f"{who} is recording: let it go on (`kill -CONT` where it is stopped) or end it; "
        "git config lineage.lockTimeout says how many seconds others wait"
    )
    raise Locked(str(path), who, limit, advice)


def _stand(file: int, turn: threading.Event) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    finally:
        os.close(file)
        turn.set()
