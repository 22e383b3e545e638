"""
The index's file as SQLite has it: opened, found damaged, replaced, deleted.

It may be deleted at any time; `FORMAT_VERSION` says whether this program can use it. One in memory is the same
thing without a file.
"""

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from gitlineage.errors import Invalid
from gitlineage.git.modes import UMASK, Modes
from gitlineage.index.schema import FORMAT_VERSION, INDEXES, TABLE_NAMES, TABLES
from gitlineage.model.trial import Trial, unpack

CACHE = 16 * 1024
"""Pages that SQLite may hold in memory (KiB) for whoever reads."""

LARGE_CACHE = 256 * 1024
"""Pages that it may hold while many events are folded (KiB), so that what is written is not read back."""

_AHEAD = 4000
"""Pages of the write-ahead log after which SQLite moves them into the file, which waits for the disk."""

MANY = 500
"""Values in one query; SQLite itself allows some tens of thousands."""

FEW = 20
"""Values in the first part of many that are read one after the other."""

T = TypeVar("T")

_abandoned: dict[Path, sqlite3.Connection] = {}
"""Files that a parent process was writing to when it forked this one: SQLite cannot close them here, nor open them."""


class Damaged(Exception):
    """The index's file is not what it should be; whoever sees this rebuilds it."""


_NOWHERE = ".none"
"""A name that no file beside an index has."""


class Database:
    """
    An open file.

    Args:
        path: its name, or ``None`` for one in memory.
        spills: whether one without a name goes to the disk, into a file that nobody sees, where it grows large.
        modes: which permissions the file gets; SQLite gives those that it makes beside it the same.

    Raises:
        Damaged: the file is no index of this version.
        sqlite3.OperationalError: the file cannot be opened or written.
    """

    def __init__(self, path: Path | None, modes: Modes = UMASK, *, spills: bool = False) -> None:
        self.path = path
        self._modes = modes
        self.is_closed = False
        self.gate = threading.RLock()
        """Held by whoever asks or writes; a store puts its own in the place of this one."""
        self._process = os.getpid()
        self._link = str(path)
        self._file = self._open(path) if path is not None else None
        if path is None:
            self._connect("" if spills else ":memory:")

    def _open(self, path: Path) -> Path:
        """
        Open the file that the name stands for, or a new one, and return which.

        A new file has its tables before it has the name, so that nobody opens half a file; where another process was
        faster, its file is opened instead.
        """
        while (file := _file_behind(path)) is None:
            new = _new_name(path)
            os.close(self._modes.open(new, os.O_WRONLY))
            self._connect(new)
            if _put_name(path, new):
                return new
            self.connection.close()
            _remove(new)
        try:
            self._connect(file)
        except sqlite3.OperationalError:  # whoever closed it last was just removing what stands beside it
            self._connect(file)
        return file

    def _connect(self, file: Path | str) -> None:
        """Open a file, and make its tables where it has none."""
        if file in _abandoned:
            raise sqlite3.OperationalError("it was being written to when this process was forked")
        self.connection = sqlite3.connect(file, isolation_level=None, timeout=30, check_same_thread=False)
        try:
            self._prepare()
        except BaseException:
            self.connection.close()
            raise

    def _prepare(self) -> None:
        with damage():
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = NORMAL")
            self.connection.execute("PRAGMA temp_store = MEMORY")
            self.connection.execute(f"PRAGMA cache_size = -{CACHE}")
            self.connection.execute(f"PRAGMA wal_autocheckpoint = {_AHEAD}")
            version = self.connection.execute("PRAGMA user_version").fetchone()[0]
            tables = {
                name for (name,) in self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
            if version == FORMAT_VERSION and (missing := TABLE_NAMES - tables):
                raise Damaged(f"no such table: {', '.join(sorted(missing))}")
            if version == FORMAT_VERSION:
                return
            if version or self.connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                raise Damaged(f"it has format {version}, this program writes {FORMAT_VERSION}")
            self.connection.execute("BEGIN IMMEDIATE")
            if self.connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in (*TABLES, *INDEXES):
                    self.connection.execute(statement)
                self.connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
            self.connection.execute("COMMIT")

    def is_outdated(self) -> bool:
        """Whether it was closed, or another file stands in its place by now, because it was deleted or rebuilt."""
        try:
            return self.is_closed or (self._file is not None and os.readlink(self._link) != self._file.name)
        except OSError:
            return True

    @property
    def is_inherited(self) -> bool:
        """Whether another process opened it, which forked this one; SQLite's files must not be written then."""
        return self._process != os.getpid()

    def close(self) -> None:
        """Close the file."""
        with self.gate:
            self.is_closed = True
            self.connection.close()

    def leave_to_parent(self, *, is_idle: bool) -> None:
        """
        Have no part in the file any more, in a process that was just forked.

        Args:
            is_idle: whether no other thread of the parent was at work with it.
        """
        if self._file is None or self.is_closed:
            return
        self.is_closed = True
        if is_idle and not self.connection.in_transaction:
            self.connection.close()
        else:
            _abandoned[self._file] = self.connection

    def frozen(self) -> sqlite3.Connection:
        """
        Return a connection that sees the file as it is now, whatever is written meanwhile; to be closed by the caller.

        One in memory has no other: what is returned is its own, and closing that would end it.
        """
        if self._file is None:
            return self.connection
        with damage():
            frozen = sqlite3.connect(self._file, isolation_level=None, timeout=30, check_same_thread=False)
            frozen.execute(f"PRAGMA cache_size = -{CACHE}")
            frozen.execute("BEGIN")
            frozen.execute("SELECT 1 FROM meta LIMIT 1").fetchall()  # only a read begins it
        return frozen

    def all(self, sql: str, *values: object) -> list[Any]:
        """Return the rows of a query on the file."""
        try:
            return self.connection.execute(sql, values).fetchall()
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise ours(error) from error

    def first(self, sql: str, *values: object) -> Any:
        """Return the first row of a query on the file, or ``None``."""
        try:
            return self.connection.execute(sql, values).fetchone()
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise ours(error) from error


def delete(path: Path) -> None:
    """Delete an index; whoever has it open keeps what it has until its next look."""
    path.unlink(missing_ok=True)
    for pattern in (f"{path.stem}-*{path.suffix}*", f".{path.stem}-*.link"):
        for old in path.parent.glob(pattern):
            old.unlink(missing_ok=True)


def _file_behind(path: Path) -> Path | None:
    """
    Return the file that an index's name stands for, ``None`` where it stands for none.

    The name is a symbolic link to a file that is never used twice: SQLite finds its write-ahead log by name, and two
    generations of an index under one name would read each other's.
    """
    if path.exists() and not path.is_symlink():  # a copy of the repository that followed the link
        new = _new_name(path)
        path.rename(new)
        _put_name(path, new)
    target = _target(path)
    if target is None or not target.exists():
        return None
    if os.readlink(path) != target.name:
        _point(path, target)
    return target


def _new_name(path: Path) -> Path:
    return path.with_name(f"{path.stem}-{os.urandom(6).hex()}{path.suffix}")


def _put_name(path: Path, new: Path) -> bool:
    """Let an index's name stand for a file, unless it stands for another one that is there; say whether it does."""
    target = _target(path)
    if target is not None and not target.exists():
        _point(path, new)
        return True
    try:
        path.symlink_to(new.name)
    except FileExistsError:
        return False
    return True


def _point(path: Path, file: Path) -> None:
    """Let an index's name stand for a file beside it, whatever it stood for."""
    link = path.with_name(f".{file.name}.link")
    link.unlink(missing_ok=True)
    link.symlink_to(file.name)
    link.replace(path)


def _remove(file: Path) -> None:
    for each in file.parent.glob(f"{file.name}*"):
        each.unlink(missing_ok=True)


def _target(path: Path) -> Path | None:
    """
    Return the file beside an index's name that it stands for.

    Whatever made the link, a copy or a backup may have given it a whole path: that of the repository it was taken from.
    Only the last part counts, and a link to anything but an index leads to no file.
    """
    try:
        name = Path(os.readlink(path)).name
    except OSError:
        return None
    return path.with_name(name if name.startswith(f"{path.stem}-") and name.endswith(path.suffix) else _NOWHERE)


def parts(values: Sequence[T], size: int = MANY) -> Iterator[Sequence[T]]:
    """Return values in parts, as large as one query takes unless a size is given."""
    return (values[at : at + size] for at in range(0, len(values), size))


def growing(values: Iterable[T], first: int = FEW, largest: int = MANY) -> Iterator[list[T]]:
    """Return values in parts, the first ones small, so that whoever reads the first few does not wait for many."""
    source, size = iter(values), first
    while part := list(islice(source, size)):
        yield part
        size = min(5 * size, largest)


def is_text(name: str) -> bool:
    """Whether a name is valid Unicode; a command line may hand over bytes that are not."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


class damage:
    """Turns SQLite's errors into ours; a class, because a generator takes three times as long to enter."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, sqlite3.Error | UnicodeEncodeError):
            raise ours(error) from error


def ours(error: Exception) -> Exception:
    """Tell a broken file, which can be rebuilt, from one that is busy, full or read-only, and from bad text."""
    if isinstance(error, UnicodeEncodeError):
        return Invalid(f"this is not valid Unicode text: {error}")
    if isinstance(error, sqlite3.OperationalError):
        broken = any(word in str(error) for word in ("no such table", "no such column", "malformed"))
        return Damaged(str(error)) if broken else error
    if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return error
    return Damaged(str(error))


@lru_cache(maxsize=4096)
def read_row(row: str, oid: str = "") -> Trial:
    """Return a trial from the index's text of its cells, with the snapshot that it is on where it is handed out."""
    return unpack(row, oid)
