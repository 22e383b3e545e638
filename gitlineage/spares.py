"""
Lock files of a ref that moves all the time, kept and used again; not when a ref is locked or where it goes.

Layer 0. A lock file that is new makes ext4 find room for it and start writing in the very moment in which it takes the
ref's place, which is a sixth of what recording a trial costs. One that stood in that place before has its room already:
it gets the new oid, writing begins at once, and a second name makes it the lock file.

Whoever copies a repository with hard links, or still has the old file open, must not see it change. A file that anybody
has another name for is therefore not used, and one that was the ref comes back only after several others. If the power
goes before the disk has the new oid, what is left is an older one of the same ref, never half of one; a move that the
disk has to confirm drops all that is kept, so that nothing older than it can come back.
"""

import os
from collections import deque
from contextlib import suppress

_COUNT = 4
"""Files that are kept of a ref; each waits while the others have their turn."""

_CAN_HURRY = hasattr(os, "posix_fadvise")
"""Whether a system can be told to start writing; without it a new file is as fast, and safer."""


class Spares:
    """
    The files that are kept of one ref.

    Args:
        path: the ref's file.
        folder: where their names are; made when it is first needed.
    """

    def __init__(self, path: str, folder: str) -> None:
        self._path = path
        self._folder = folder
        names = [f"{folder}/spare-{os.path.basename(path)}-{number}" for number in range(_COUNT)]
        self._turns = deque(sorted(names, key=lambda name: status.st_mtime_ns if (status := _status(name)) else 0))
        """The files, the one whose turn it is first."""

    def take(self, lock: str, content: bytes) -> bool:
        """
        Make the ref's lock file from one that is kept, and return whether that could be done.

        Args:
            lock: the lock file.
            content: what it is to hold.

        Raises:
            FileExistsError: somebody else holds the lock.
        """
        name = self._turns[0]
        if not _CAN_HURRY or not _is_free(_status(name)):
            return False
        try:
            file = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                status = os.fstat(file)
                if not _is_free(status) or status.st_size != len(content):
                    return False
                if os.pwrite(file, content, 0) != len(content):
                    return False
                os.posix_fadvise(file, 0, len(content), os.POSIX_FADV_DONTNEED)
            finally:
                os.close(file)
            os.link(name, lock)
        except FileExistsError:
            raise
        except OSError:
            return False
        self._turns.rotate(-1)
        return True

    def keep(self) -> None:
        """Keep the file that is the ref now, in the place of the one that could not be taken."""
        if not _CAN_HURRY:
            return
        name = self._turns[0]
        self._turns.rotate(-1)
        with suppress(OSError):
            with suppress(FileNotFoundError):
                os.unlink(name)
            try:
                os.link(self._path, name)
            except FileNotFoundError:
                os.makedirs(self._folder, exist_ok=True)
                os.link(self._path, name)

    def drop(self) -> None:
        """Keep nothing."""
        for name in self._turns:
            with suppress(OSError):
                os.unlink(name)


def _status(name: str) -> os.stat_result | None:
    try:
        return os.lstat(name)
    except OSError:
        return None


def _is_free(status: os.stat_result | None) -> bool:
    """Whether a file has no other name: it is not the ref, and in no copy of the repository."""
    return status is not None and status.st_nlink == 1
