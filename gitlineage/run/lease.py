"""
Where a run's files are, and who holds it: `Lease`, a file that is locked for as long as somebody supervises the run.

The lease of a run that is not resolved lies in ``.git/lineage/leases``, which is empty or not there most of the time,
so that every command can look for runs that lost their runner (`lost`). The kernel frees the lock when its last holder
dies. On another machine, where that may not be seen, a lease counts as held for as long as it is touched.
"""

import fcntl
import os
import time
from bisect import insort
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import msgspec

from gitlineage.run.records import Run, State

TOUCHED = 10.0
"""Seconds after which the holder of a lease touches it again."""

_SILENT = 120.0
"""Seconds after which the lease of another machine that nobody touched is free."""

_COARSE = 1.0
"""Seconds that a file's time may be behind the clock that it was written by."""

_TRIES = 50
_LONGEST = 200


class Files:
    """
    The files of one run.

    Args:
        home: the campaign's folder below ``.git``.
        id: the run.
        name: what its files are called, where that is what is known.
    """

    def __init__(self, home: Path, id: str, *, name: str = "") -> None:
        self.id = id
        name = name or _name(id)
        self.folder = home / "runs" / name
        self.lease = home / "leases" / name
        self.record = self.folder / "run.json"
        self.log = self.folder / "log"
        self.result = self.folder / "result.json"
        self.process = self.folder / "process"
        """Has the number of the shell above the command, written by itself."""
        self.exit = self.folder / "exit"
        """Has the command's exit code, written by that shell."""
        self.cancel = self.folder / "cancel"
        """Is there where somebody wants the run to end."""

    def read(self) -> Run | None:
        """Return what is known of the run; ``None`` where there is no such run here."""
        try:
            return msgspec.json.decode(self.record.read_bytes(), type=Run)
        except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
            return None

    def write(self, run: Run) -> None:
        """Keep what is known of the run, in one step."""
        new = self.record.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(run))
        new.replace(self.record)

    def number(self, path: Path) -> int | None:
        """Return the number in one of the shell's files; ``None`` where it has written none."""
        with suppress(OSError, ValueError):
            return int(path.read_text("ascii"))
        return None


class Lease:
    """
    The right to supervise one run; free again when the process ends, however it does.

    Args:
        handle: its descriptor, locked.
    """

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self.handle = handle
        self._touched = time.monotonic()

    @classmethod
    def take(cls, path: Path) -> "Lease | None":
        """Take a run's lease, made where it is not there; ``None`` where another one holds it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if _is_touched_elsewhere(path):
            return None
        for _ in range(_TRIES):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(handle).st_ino == os.stat(path).st_ino:
                    os.truncate(handle, 0)
                    os.write(handle, f"{_here()}\n".encode())
                    return cls(path, handle)
            except BlockingIOError:  # held, or just being looked at
                time.sleep(0.01)
            except FileNotFoundError:  # whoever held it resolved the run in between
                pass
            os.close(handle)
        return None

    @classmethod
    def inherited(cls, path: Path, handle: int) -> "Lease":
        """Return the lease that this process got from the one that started it."""
        os.set_inheritable(handle, False)
        return cls(path, handle)

    def touch(self) -> None:
        """Show other machines that the holder lives, every now and then."""
        if time.monotonic() - self._touched > TOUCHED:
            self._touched = time.monotonic()
            with suppress(OSError):
                os.utime(self.handle)

    def resolve(self) -> None:
        """Let go of a run that is resolved: nobody has to come back to it."""
        self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Let go of a run that somebody has to come back to."""
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1


def is_held(path: Path) -> bool:
    """Whether somebody supervises the run of a lease."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return _is_touched_elsewhere(path)


def unresolved(home: Path) -> Iterator[tuple[Files, bool]]:
    """Return the runs of a campaign's folder that are not resolved, by id, and whether somebody supervises each."""
    try:
        names = sorted(os.listdir(home / "leases"))
    except OSError:
        return
    for name in names:
        run = _read(home / "runs" / name)
        yield Files(home, run.id if run else name, name=name), is_held(home / "leases" / name)


def lost(home: Path) -> list[Run]:
    """Return the runs of a campaign's folder that nobody supervises although they are not resolved."""
    runs = (files.read() for files, held in unresolved(home) if not held)
    return [run for run in runs if run is not None and run.state is not State.ENDED]


def recorded(home: Path, limit: int | None = None) -> list[Run]:
    """
    Return the runs of a campaign's folder, those whose command began last first.

    One whose command was never started stands where something became known of it last. A run's file is never older than
    its beginning, so that for the first few of very many not all are read.
    """
    try:
        names = os.listdir(home / "runs")
    except OSError:
        return []
    begun: list[tuple[float, str, Run]] = []
    for written, name in sorted(((_written(home / "runs" / name), name) for name in names), reverse=True):
        if limit is not None and len(begun) >= limit and begun[limit - 1][0] > written + _COARSE:
            break
        if (run := _read(home / "runs" / name)) is not None:
            insort(begun, (run.began or written, name, run), key=lambda each: (-each[0], each[1]))
    return [run for _, _, run in begun[:limit]]


def _written(folder: Path) -> float:
    try:
        return os.stat(folder / "run.json").st_mtime
    except OSError:
        return 0.0


def _read(folder: Path) -> Run | None:
    try:
        return msgspec.json.decode((folder / "run.json").read_bytes(), type=Run)
    except (OSError, msgspec.DecodeError):
        return None


def _name(id: str) -> str:
    """Return the file name of a run; an id may be a path, or longer than a name can be."""
    plain = quote(id, safe="@+=,")
    plain = f"%2E{plain[1:]}" if plain.startswith(".") else plain
    return plain if len(plain) <= _LONGEST else f"{plain[:100]}%{sha256(id.encode()).hexdigest()[:40]}"


def _here() -> str:
    """Return what names this machine while it is up."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        boot = "-"
    return f"{os.uname().nodename} {boot}"


def _is_touched_elsewhere(path: Path) -> bool:
    """Whether the lease of another machine was touched lately; a machine that started anew is another one."""
    try:
        told = path.read_text(errors="replace").strip()
        age = time.time() - path.stat().st_mtime
    except OSError:
        return False
    host, here = told.partition(" ")[0], _here()
    return bool(told) and told != here and host != here.partition(" ")[0] and age < _SILENT
