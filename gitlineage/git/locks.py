"""
Lock files beside git's refs: taken as git takes them, known again when their holder died, never stolen from a live one.

A lock file is made in one step that fails where there is one (what ``O_EXCL`` does for git), so that a move is
safe whatever `flock` is worth. It is one more name of a file in a folder of ours that is called after the process.
That tells ours from git's own: a lock of ours whose process is gone belongs to who renames that file first, and goes;
any other one stays until its holder, or a person, removes it.

libgit2's transaction would be less code, but leaves lock files that nobody can tell from those of a living git:
`test_a_lock_of_a_killed_writer_is_taken_over_and_gits_own_never` needs this class.
"""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import count
from pathlib import Path

from gitlineage.errors import Locked, remedy
from gitlineage.git.modes import Modes

PATIENCE = 2.0
"""Seconds that a lock file of a ref is waited for; git holds one for milliseconds."""

_TRIES = 10
"""Times that a folder is made which another program removes because it is empty."""

_HELD = "held~"
"""How the files are called that tell who holds a lock."""

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
"""What a file system says that gives a file no second name."""

_numbers = count()


class Locks:
    """
    The lock files that this process holds in one repository for one piece of work.

    Args:
        root: the directory that the worktrees of a repository share.
        folder: where the files are that tell who holds a lock.
    """

    def __init__(self, root: str | Path, folder: str | Path, modes: Modes) -> None:
        self._root = root
        self._folder = folder
        self._modes = modes
        self._owner = ""
        self._held: dict[str, str] = {}
        self._copies: set[str] = set()
        self._marks: list[str] = []

    def __enter__(self) -> "Locks":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let go of what is held and was not put in its place; what was interrupted may be done again."""
        for lock in list(self._held.values()):
            with suppress(FileNotFoundError):
                if lock in self._copies or self._is_ours(lock):
                    os.unlink(lock)
        self._held.clear()
        for mark in self._marks:
            with suppress(FileNotFoundError):
                os.unlink(mark)
        self._marks.clear()

    def _is_ours(self, lock: str) -> bool:
        """Whether a lock file is a name of one of our marks; it may be another program's by now."""
        inode = os.stat(lock).st_ino
        for mark in self._marks:
            with suppress(FileNotFoundError):
                if os.stat(mark).st_ino == inode:
                    return True
        return False

    def mark(self, content: bytes, *, durable: bool = False) -> str:
        """
        Make the file that lock files with this content are names of, and return its path.

        Args:
            content: what is to stand in a ref's place.
            durable: have the disk confirm it.
        """
        path = f"{self._folder}/{_HELD}{_owner()}~{next(_numbers)}"
        self._marks.append(path)
        for _ in range(_TRIES):
            try:
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
                break
            except FileNotFoundError:
                self._modes.make_folders(self._folder)
        else:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        with open(file, "wb", buffering=0) as out:
            if out.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._modes.share(path)
            if durable:
                os.fsync(out.fileno())
        return path

    def take(self, name: str, mark: str, *, patience: float = PATIENCE) -> None:
        """
        Make the lock file of a ref, or of another file of git's; a living holder is waited for.

        Args:
            name: the file's path below the repository.
            mark: what `mark` gave.
            patience: how many seconds.

        Raises:
            Locked: its holder keeps it.
        """
        lock = f"{self._root}/{name}.lock"
        deadline = time.monotonic() + patience
        tries = _TRIES
        while True:
            try:
                self._held[name] = lock  # before it is there, for an interrupt may come right after
                if not _link(mark, lock):
                    self._copies.add(lock)
                return
            except FileExistsError:
                if self.release_dead(lock):
                    continue
                if time.monotonic() > deadline:
                    raise Locked(lock, holder_of(self._folder, lock), patience) from None
                time.sleep(0.005)
            except FileNotFoundError:
                tries -= 1
                if not tries:
                    raise
                self._modes.make_folders(os.path.dirname(lock))

    def put(self, name: str) -> None:
        """Put a lock file in the place of what it locks, in one step."""
        lock = self._held[name]
        os.rename(lock, f"{self._root}/{name}")
        del self._held[name]

    def release_dead(self, lock: str) -> bool:
        """
        Remove a lock file whose holder was one of ours and died; one of git's stays, and so does a living one's.

        Returns:
            Whether to try again: it was removed, or is gone.
        """
        try:
            inode = os.stat(lock).st_ino
        except FileNotFoundError:
            return True
        for mark in _marks(self._folder):
            if mark.inode() == inode and _is_dead(mark):
                mine = f"{self._folder}/{_HELD}{_owner()}~{next(_numbers)}"
                try:
                    os.rename(mark.path, mine)  # one only succeeds, and holds the lock from now on
                except FileNotFoundError:
                    return True
                for path in (*(each for each, there in lock_files(self._root) if there == inode), mine):
                    with suppress(FileNotFoundError):
                        os.unlink(path)
                return True
        return False


@contextmanager
def locking(root: str | Path, folder: str | Path, modes: Modes) -> Iterator[Locks]:
    """Let go of what is held at the end, also where an interrupt comes while that is being done."""
    locks = Locks(root, folder, modes)
    try:
        try:
            yield locks
        finally:
            locks.release()
    except BaseException:
        locks.release()
        raise


def sweep(root: str | Path, folder: str | Path) -> None:
    """Remove what killed processes of this machine left, also before it started anew: lock files and their marks."""
    dead = {mark.inode(): mark for mark in _marks(folder) if _is_dead(mark)}
    if not dead:
        return
    locks = Locks(root, folder, Modes(None))
    for path, inode in lock_files(root):
        if inode in dead:
            locks.release_dead(path)
    for mark in dead.values():
        with suppress(OSError):
            os.unlink(mark.path)


def lock_files(root: str | Path) -> list[tuple[str, int]]:
    """Return the lock files of git's refs, of their packed list and of the configuration, each with its inode."""
    paths = []
    for folder, _, files in os.walk(f"{root}/refs"):
        paths += [f"{folder}/{name}" for name in files if name.endswith(".lock")]
    paths += [f"{root}/{name}.lock" for name in ("packed-refs", "config", "HEAD")]
    inodes = []
    for path in paths:
        with suppress(OSError):
            inodes.append((path, os.stat(path).st_ino))
    return inodes


def holder_of(folder: str | Path, lock: str) -> str:
    """Return which process of ours holds a lock file, in words; empty where it is another program's."""
    with suppress(OSError):
        inode = os.stat(lock).st_ino
        for mark in _marks(folder):
            if mark.inode() == inode:
                _, host, _, pid, *_ = mark.name.split("~")
                return f"process {pid} on {host}"
    return ""


def _link(mark: str, lock: str) -> bool:
    """Give a file the name of a lock, and say so; a file system without second names gets a file of its own."""
    try:
        os.link(mark, lock)
        return True
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with open(mark, "rb") as file:
            content = file.read()
        status = os.stat(mark)
        handle = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with open(handle, "wb", buffering=0) as out:
                os.fchmod(handle, status.st_mode & 0o777)
                if out.write(content) != len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except BaseException:
            os.unlink(lock)
            raise
        return False


def _marks(folder: str | Path) -> "list[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as entries:
            return [mark for mark in entries if mark.name.startswith(_HELD)]
    except OSError:
        return []


def _owner() -> str:
    """Return what names this process: its host, where its number counts, the number, and when it began."""
    return _name_of(os.getpid())


@lru_cache(maxsize=2)
def _name_of(pid: int) -> str:
    """Return a process's name; a forked child's is another one."""
    return f"{_host()}~{_place()}~{pid}~{_began(pid) or 0}"


@lru_cache(maxsize=1)
def _host() -> str:
    return "".join(sign if sign.isalnum() or sign in ".-" else "-" for sign in os.uname().nodename)[:60] or "-"


@lru_cache(maxsize=1)
def _place() -> str:
    """Return where process numbers count: two containers, or a machine before and after it started, are two places."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        return f"{boot}-{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return "-"


def _boot_of(place: str) -> str:
    """Return the start of the machine that a place tells of; empty where it tells of none."""
    return place.rpartition("-")[0]


def _is_from_before(mark: "os.DirEntry[str]") -> bool:
    """Whether a mark was made before this machine started; one that is younger may be of another of the same name."""
    with suppress(OSError, StopIteration, ValueError), open("/proc/stat", encoding="ascii") as file:
        started = next(int(line.split()[1]) for line in file if line.startswith("btime "))
        return mark.stat().st_mtime < started
    return False


def _began(pid: int) -> int | None:
    """Return when a process began, in the kernel's ticks; 0 where it has ended, ``None`` where nobody can tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            words = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return 0 if words[0] in (b"Z", b"X") else int(words[19])


def _is_dead(mark: "os.DirEntry[str]") -> bool:
    """Whether the process that a mark tells of ran in this place and does no more, or did before this place started."""
    words = mark.name.removeprefix(_HELD).split("~")
    if len(words) != 5 or words[0] != _host() or not (words[2] + words[3]).isdecimal():
        return False
    if words[1] != _place():
        return _boot_of(words[1]) not in ("", _boot_of(_place())) and _is_from_before(mark)
    pid, began = int(words[2]), int(words[3])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is another user's
        pass
    now = _began(pid)
    return now is not None and now != began


def left_locks(root: str | Path, folder: str | Path) -> list[str]:
    """Return a line about each of git's lock files that is there for longer than git holds one, with its age."""
    locks = set(lock_files(root))
    deadline = time.monotonic() + PATIENCE
    while locks and time.monotonic() < deadline and any(_age(path) < PATIENCE for path, _ in locks):
        time.sleep(0.02)
        locks &= set(lock_files(root))
    return [
        f"the lock file {path} is {max(_age(path), 0):.0f} seconds old; {remedy(path, holder_of(folder, path))}"
        for path, _ in sorted(locks)
    ]


def _age(path: str) -> float:
    """Return how many seconds ago a file was changed; 0 where it is gone."""
    with suppress(OSError):
        return time.time() - os.stat(path).st_mtime
    return 0.0
