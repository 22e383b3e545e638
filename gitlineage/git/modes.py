"""
Which permissions the files have that are made inside a repository: git's ``core.sharedRepository`` on top of the umask.

Whoever makes or replaces a file in ``.git`` asks here, so that the next user of a shared repository can write.
"""

import os
import stat
from contextlib import suppress

_NAMED = {
    "group": 0o660,
    "true": 0o660,
    "yes": 0o660,
    "on": 0o660,
    "1": 0o660,
    "all": 0o664,
    "world": 0o664,
    "everybody": 0o664,
    "2": 0o664,
}


class Modes:
    """
    The permissions of one repository's files.

    Args:
        setting: git config ``core.sharedRepository``; anything that git does not take for sharing leaves the umask's.
    """

    def __init__(self, setting: str | None) -> None:
        self.setting = setting or ""
        text = setting or "umask"
        self._bits = _NAMED.get(text.lower(), 0)
        self._exact = False
        if not self._bits and text.isdecimal() and not set(text) & {"8", "9"}:
            bits = int(text, 8)
            if bits & 0o600 == 0o600:
                self._bits, self._exact = bits & 0o666, True

    def open(self, path: str | os.PathLike[str], flags: int, mode: int = 0o666) -> int:
        """
        Open a file that is made where it is missing, share it, and return its descriptor.

        Args:
            flags: how, as `os.open` takes it.
            mode: the permissions that the umask takes from.
        """
        handle = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, mode)
        self.share(handle)
        return handle

    def write(self, path: str | os.PathLike[str], data: bytes, mode: int = 0o666) -> None:
        """Write a file and share it; ``mode`` is what the umask takes from."""
        with open(self.open(path, os.O_WRONLY | os.O_TRUNC, mode), "wb") as file:
            file.write(data)

    def share(self, path: str | os.PathLike[str] | int) -> None:
        """Give a file or folder that was just made the permissions that git would give it."""
        if not self._bits:
            return
        with suppress(OSError):  # somebody else's, or gone: whoever needs it is told by what fails then
            mode = stat.S_IMODE(os.stat(path).st_mode)
            if (wanted := self.of(mode, is_folder=os.path.isdir(path))) != mode:
                os.chmod(path, wanted)

    def of(self, mode: int, *, is_folder: bool = False) -> int:
        """Return the permissions that git makes of those that the umask left."""
        bits = self._bits
        if not bits:
            return mode
        if not mode & 0o200:
            bits &= ~0o222
        if mode & 0o100:
            bits |= (bits & 0o444) >> 2
        mode = (mode & ~0o777) | bits if self._exact else mode | bits
        if is_folder:
            mode |= (mode & 0o444) >> 2
            mode |= stat.S_ISGID if mode & 0o060 else 0
        return mode

    def make_folders(self, path: str | os.PathLike[str]) -> None:
        """Make a folder and those above it that are missing."""
        missing = []
        at = os.fspath(path)
        while at and not os.path.isdir(at):
            missing.append(at)
            at = os.path.dirname(at)
        for folder in reversed(missing):
            with suppress(FileExistsError):
                os.mkdir(folder)
                self.share(folder)


UMASK = Modes(None)
"""The permissions of a repository that nobody shares."""
