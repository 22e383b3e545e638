"""
The refs that stand in files of one repository: those with a file of their own, and git's packed list; for `GitRepo`.

Files are locked, written and put in their place as git does it.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from gitlineage.errors import Conflict
from gitlineage.git.errors import writing
from gitlineage.git.formats import parse_packed_refs
from gitlineage.git.locks import locking
from gitlineage.git.modes import Modes

_TRIES = 10
"""Times that a new packed list is made because git has written another one meanwhile."""

_Stamp = tuple[int, int, int]
"""What changes when a file is written or replaced."""


class PackedRefs:
    """
    Git's packed list of refs.

    Args:
        root: the directory that the worktrees of a repository share.
        own: where the files are that tell who holds a lock.
    """

    def __init__(self, root: Path, own: Path, modes: Modes) -> None:
        self._root = root
        self._own = own
        self._modes = modes
        self._seen: dict[str, tuple[_Stamp | None, Mapping[str, str]]] = {}
        self._last: tuple[_Stamp | None, bytes] = (None, b"")

    def listed(self, prefix: str) -> Mapping[str, str]:
        """Return the refs below a prefix; the list is read anew only when its file is another."""
        stamp = self._read()
        if self._seen.get(prefix, (None, {}))[0] != stamp:
            self._seen[prefix] = (stamp, self._matching(prefix))
        return self._seen[prefix][1] if stamp is not None else {}

    def find(self, name: str) -> str | None:
        """Return where one ref points; ``None`` where it is not in the list."""
        self._read()
        packed = self._last[1]
        at = packed.find(b" %b\n" % name.encode())  # a name holds no blank
        return packed[at - 40 : at].decode() if at >= 0 else None

    def _matching(self, prefix: str) -> dict[str, str]:
        """Return the refs whose names go on from a prefix; to look for it takes a tenth of looking at every line."""
        packed, wanted = self._last[1], b" " + prefix.encode()
        found: dict[str, str] = {}
        at = packed.find(wanted)
        while at >= 0:
            end = packed.index(b"\n", at)
            found[packed[at + 1 : end].decode("utf-8", "replace")] = packed[at - 40 : at].decode()
            at = packed.find(wanted, end)
        return found

    def _read(self) -> "_Stamp | None":
        """Read the list where its file is another than the one that was read last, and return the file's stamp."""
        path = f"{self._root}/packed-refs"
        stamp = _stamp(path)
        if stamp != self._last[0]:
            try:
                packed = Path(path).read_bytes() if stamp is not None else b""
            except FileNotFoundError:
                stamp, packed = None, b""
            self._last = stamp, packed if packed.endswith(b"\n") else packed + b"\n"
        return stamp

    def rewrite(self, change: Callable[[dict[bytes, bytes]], Mapping[bytes, bytes]]) -> None:
        """
        Put another packed list of refs in the place of the one there is, under git's own lock.

        The new list is written before it is locked and stands in the lock file itself, so that the lock is held for a
        look at the old list and one step, and hardly ever outlives a killed process.
        """
        path = f"{self._root}/packed-refs"
        with writing(self._root):
            for _ in range(_TRIES):
                before = _stamp(path)
                with suppress(FileNotFoundError), locking(self._root, self._own, self._modes) as locks:
                    lines = change(parse_packed_refs(Path(path).read_bytes() if before else b""))
                    head = b"# pack-refs with: peeled fully-peeled sorted \n"
                    mark = locks.mark(b"".join([head, *(lines[name] for name in sorted(lines))]), durable=True)
                    if before:
                        os.chmod(mark, self._modes.of(os.stat(path).st_mode & 0o777))
                    locks.take("packed-refs", mark)
                    if _stamp(path) == before:
                        locks.put("packed-refs")
                        return
        raise Conflict("packed-refs")


def loose_refs(root: str, prefix: str) -> Iterator[str]:
    """Return the names of the refs below a prefix that have a file of their own."""
    try:
        with os.scandir(f"{root}/{prefix}") as scan:
            entries = list(scan)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from loose_refs(root, f"{prefix}{entry.name}/")
        elif not entry.name.endswith(".lock"):
            yield prefix + entry.name


def _stamp(path: str) -> _Stamp | None:
    """Return what changes when a file is written or replaced; ``None`` where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def mtime(path: Path) -> int | None:
    """Return when a file or folder was changed last, in nanoseconds; ``None`` where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
