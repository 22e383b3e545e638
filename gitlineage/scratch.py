"""
Temporary folders that go away even where the process that made them was killed: the next command that records, or
makes such a folder, removes them.

Whoever makes one holds a lock on it for as long as the process lives, so that one that nobody holds is left over. A
file system of several machines may keep each one's locks to itself, so the name says which process of which machine
made it, and only that machine removes it, once the process is dead.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from gitlineage.later import later, pattern

if TYPE_CHECKING:
    import tempfile
else:  # what only asks makes none
    tempfile = later("tempfile")

_NAME = pattern(r"\.?gitlineage-([\w.-]*)~(\d+)~\w{8}\.scratch")
_SUFFIX = ".scratch"
_swept: set[str] = set()
"""Where this process has looked already."""


@contextmanager
def folder(within: Path | None = None) -> Iterator[Path]:
    """
    Make a temporary folder of this user's own, and remove it in the end.

    Args:
        within: the folder that it is hidden in; by default it is where temporary files go.
    """
    sweep_once()
    made, lock = _made(within)
    try:
        with made:
            yield Path(made.name)
    finally:
        os.close(lock)


def sweep_once() -> None:
    """Remove what dead processes of this user left where temporary files go; a process looks only once."""
    place = tempfile.gettempdir()
    if place not in _swept:
        _swept.add(place)
        sweep(place)


def sweep(place: str) -> None:
    """Remove the temporary folders in a folder that this user's dead processes made."""
    with suppress(OSError), os.scandir(place) as entries:
        for each in entries:
            if (
                each.name.endswith(_SUFFIX)
                and (match := _NAME.fullmatch(each.name))
                and match[1] == _host()
                and _is_dead(int(match[2]))
            ):
                _remove(each)


def _made(within: Path | None) -> tuple["tempfile.TemporaryDirectory[str]", int]:
    """Make a folder and lock it; whoever sweeps in between may take it for left over, so that it takes another."""
    while True:
        prefix = f"{'' if within is None else '.'}gitlineage-{_host()}~{os.getpid()}~"
        made = tempfile.TemporaryDirectory(prefix=prefix, suffix=_SUFFIX, dir=within, ignore_cleanup_errors=True)
        with suppress(FileNotFoundError):
            lock = os.open(made.name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            if _is_ours(lock) is not False and os.path.exists(made.name):
                return made, lock
            os.close(lock)
        made.cleanup()


def _is_ours(lock: int) -> bool | None:
    """Lock an open folder, and whether that could be done; ``None`` where the file system has no locks."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


@lru_cache(maxsize=1)
def _host() -> str:
    """Return the name of this machine as it can stand in a file's name."""
    return re.sub(r"[^\w.-]", "-", os.uname().nodename, flags=re.ASCII)[:60]


def _is_dead(pid: int) -> bool:
    """Whether no process of this machine has a number, or it is our own, whose folders the lock tells of."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:  # it is another user's
        return False
    return pid == os.getpid()


def _remove(entry: "os.DirEntry[str]") -> None:
    with suppress(OSError):
        if not entry.is_dir(follow_symlinks=False) or entry.stat(follow_symlinks=False).st_uid != os.geteuid():
            return
        lock = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if _is_ours(lock):
                _forget_worktrees(Path(entry.path))
                shutil.rmtree(entry.path, ignore_errors=True)
        finally:
            os.close(lock)


def _forget_worktrees(left: Path) -> None:
    """Remove what a repository keeps of a linked worktree that was checked out in a folder, as git's prune would."""
    for file in left.glob("*/.git"):
        with suppress(OSError, UnicodeDecodeError):
            state = Path(file.read_text().removeprefix("gitdir: ").removesuffix("\n"))
            if (state / "gitdir").read_text().removesuffix("\n") == str(file.resolve()):
                shutil.rmtree(state, ignore_errors=True)
