"""
The kernel's own bound on memory, where this user may set one: a control group for one command; and what was killed.

Both versions of Linux's control groups are known. Elsewhere, and where they may not be written, there is none, and the
command is measured instead (`process`).
"""

from contextlib import suppress
from pathlib import Path

import psutil

_MOUNT = Path("/sys/fs/cgroup")
_VERSIONS = (
    ("0::", _MOUNT, "memory.max", "memory.events"),
    ("0::", _MOUNT / "unified", "memory.max", "memory.events"),
    (":memory:", _MOUNT / "memory", "memory.limit_in_bytes", "memory.oom_control"),
)
"""How a line of ``/proc/self/cgroup`` begins or goes on, where that is mounted, and the files for limit and events."""


class Group:
    """
    A control group of memory.

    Args:
        folder: where the kernel shows it.
        limit: its file for the limit.
        events: its file that counts what the kernel killed.
    """

    def __init__(self, folder: Path, limit: str, events: str) -> None:
        self._folder = folder
        self._limit = limit
        self._events = events

    @classmethod
    def own(cls) -> "Group | None":
        """Return the group that this process is in; ``None`` where there is none to be seen."""
        with suppress(OSError):
            lines = Path("/proc/self/cgroup").read_text().splitlines()
            for word, mount, limit, events in _VERSIONS:
                for line in lines:
                    _, sign, path = line.partition(word)
                    folder = mount / path.lstrip("/")
                    if sign and (folder / "cgroup.procs").exists() and _has_memory(folder, limit):
                        return cls(folder, limit, events)
        return None

    def below(self, name: str) -> "Group":
        """Return the group of a command, which may not be there."""
        return Group(self._folder / f"gitlineage-{name}", self._limit, self._events)

    def make(self, memory: int) -> bool:
        """Make it with a limit in bytes, and return whether that could be done."""
        try:
            self._folder.mkdir()
            (self._folder / self._limit).write_text(str(memory))
            with suppress(OSError):  # or what does not fit is swapped out
                (self._folder / "memory.swap.max").write_text("0")
        except OSError:
            self.remove()
            return False
        return True

    @property
    def members(self) -> Path:
        """The file into which a process writes 0 to become a member."""
        return self._folder / "cgroup.procs"

    def killed(self) -> int:
        """Return how many of its processes the kernel killed for lack of memory."""
        with suppress(OSError, ValueError, IndexError):
            words = (self._folder / self._events).read_text().split()
            return int(words[words.index("oom_kill") + 1])
        return 0

    def bound(self) -> int:
        """Return how many bytes of memory its processes may have together; 0 where it has no limit of its own."""
        with suppress(OSError, ValueError):
            return int((self._folder / self._limit).read_text())
        return 0

    def remove(self) -> None:
        """Remove it, where nothing is in it any more."""
        with suppress(OSError):
            self._folder.rmdir()


def memory() -> int:
    """Return how many bytes of memory there are for this process and all others: the machine's, or this group's."""
    own = Group.own()
    return min(filter(None, (psutil.virtual_memory().total, own.bound() if own is not None else 0)))


def of(cookie: str) -> Group | None:
    """Return the group of the command that has a cookie, which may not be there; ``None`` where there are no groups."""
    own = Group.own()
    return own.below(cookie[:12]) if own is not None else None


def _has_memory(folder: Path, limit: str) -> bool:
    """Whether memory is counted here, or in what is made below; the root of version 2 has no limit of its own."""
    if (folder / limit).exists():
        return True
    with suppress(OSError):
        return "memory" in (folder / "cgroup.subtree_control").read_text().split()
    return False
