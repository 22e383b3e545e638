"""
How often a clone's writer used an artifact, counted in a file of its own, so that reading writes no commit.

Each line is an oid, a count and a moment; lines of one oid add up. Counts are never taken back, so landing
the same sums twice says nothing new.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitlineage.git.modes import UMASK, Modes

_LONG = 1 << 16
"""Bytes from which the file is written anew with one line for each oid."""


class UsageLog:
    """
    The counts of one writer.

    Args:
        path: the file; it need not exist.
        modes: which permissions it gets.
    """

    def __init__(self, path: Path, modes: Modes = UMASK) -> None:
        self._path = path
        self._modes = modes

    def touch(self, oid: str, at: str) -> None:
        """
        Count one use.

        Raises:
            OSError: the file cannot be written.
        """
        self._modes.make_folders(self._path.parent)
        with self._locked() as handle:
            os.write(handle, f"{oid} 1 {at}\n".encode())

    def totals(self) -> dict[str, tuple[int, str]]:
        """Return how often and when last each artifact was used; a line that was cut short does not count."""
        try:
            text = self._path.read_text("ascii", "replace")
        except FileNotFoundError:
            return {}
        used: dict[str, tuple[int, str]] = {}
        for line in text.splitlines():
            oid, _, rest = line.partition(" ")
            count, _, at = rest.partition(" ")
            if len(oid) == 40 and count.isdecimal() and at.endswith("Z"):
                before, last = used.get(oid, (0, ""))
                used[oid] = (before + int(count), max(last, at))
        return used

    def compact(self) -> None:
        """
        Write a long file anew.

        Raises:
            OSError: the disk refused; the counts are as they were.
        """
        if not self._path.exists() or self._path.stat().st_size <= _LONG:
            return
        with self._locked():
            lines = [f"{oid} {count} {at}\n" for oid, (count, at) in self.totals().items()]
            scratch = self._path.with_name(f"{self._path.name}.new")
            self._modes.write(scratch, "".join(lines).encode())
            scratch.replace(self._path)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the file, which nobody else then counts in or writes anew; the kernel frees it when its holder dies."""
        while True:
            handle = self._modes.open(self._path, os.O_WRONLY | os.O_APPEND)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                if _is_same(handle, self._path):  # else it was written anew while this one waited
                    yield handle
                    return
            finally:
                os.close(handle)


def _is_same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
