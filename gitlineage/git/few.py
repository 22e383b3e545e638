"""
The first few objects that a process reads, read by one `git cat-file`, which starts in a tenth of what libgit2 takes to
load. Whatever it does not say, and all beyond the first few, is for libgit2 to say (semantics 206).
"""

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from threading import Lock
from weakref import finalize

from gitlineage.git import program
from gitlineage.git.packs import Stored, object_id
from gitlineage.git.readahead import ALONE

_FEW = 24
"""Objects after which libgit2 is worth its loading."""


class Few:
    """
    One git that reads objects as they are asked for; it starts with the first, and ends after the last or with `close`.

    Args:
        gitdir: the repository.
    """

    def __init__(self, gitdir: Path) -> None:
        self._gitdir = gitdir
        self._left = _FEW
        self._process = os.getpid()
        self._lock = Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def take(self, oid: str, limit: int) -> Stored | None:
        """
        Return an object, checked against its oid; ``None`` where it is to be read in another way.

        Args:
            limit: how many bytes it may have.
        """
        if not self._left or self._process != os.getpid() or not self._lock.acquire(blocking=False):
            return None
        try:
            self._left -= 1
            stored = None
            with suppress(OSError, ValueError):
                stored = self._ask(oid, limit)
            if stored is None or not self._left:
                self._end()
            return stored
        finally:
            self._lock.release()

    def _ask(self, oid: str, limit: int) -> Stored | None:
        if self._child is None:
            words = ["git", "--git-dir", str(self._gitdir), "cat-file", "--batch"]
            self._child = subprocess.Popen(
                words,
                env=program.environment() | ALONE,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            finalize(self, _ended, self._child)
        asked, told = self._child.stdin, self._child.stdout
        assert asked is not None and told is not None
        asked.write(b"%b\n" % oid.encode())
        asked.flush()
        head = told.readline().decode("ascii", "replace").split()
        if len(head) != 3 or head[0] != oid or not 0 <= int(head[2]) <= limit:
            return None
        size = int(head[2])
        data = told.read(size + 1)
        if len(data) != size + 1 or object_id(head[1], data[:-1]) != oid:
            return None
        return Stored(head[1], data[:-1])

    def close(self) -> None:
        """End git; what is asked for from now on is to be read in another way."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        self._left = 0
        if self._child is not None and self._process == os.getpid():
            _ended(self._child)


def _ended(child: "subprocess.Popen[bytes]") -> None:
    """End a git that waits for questions."""
    child.kill()
    with suppress(OSError):
        child.communicate()
