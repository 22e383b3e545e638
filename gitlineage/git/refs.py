"""
One repository's refs: read, moved by compare-and-swap, set, deleted; their lock files and reflogs.

What a ref says is asked of libgit2; files are locked, written and put in their place as git does it.
"""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import pygit2

from gitlineage.errors import Conflict, StorageError
from gitlineage.git.config import Settings
from gitlineage.git.errors import writing
from gitlineage.git.formats import Identity, format_move, packed_lines, parse_packed_refs
from gitlineage.git.locks import Locks, locking
from gitlineage.git.modes import Modes
from gitlineage.git.packs import sync

_TRIES = 10
"""Times that a new packed list is made because git has written another one meanwhile."""

_LOGGED = ("refs/heads/", "refs/remotes/", "refs/notes/")
"""The refs that git keeps reflogs of without being told to keep all."""


class Refs(Settings, ABC):
    """The refs of an open repository, as its base class."""

    gitdir: Path
    own: Path
    unconfirmed: str
    modes: Modes
    _packed_seen: dict[str, tuple[tuple[int, int, int] | None, Sequence[str]]]

    @abstractmethod
    def _flush(self, durable: bool) -> None:
        """Put what is being written where a ref may lead to it."""

    @abstractmethod
    def _reopen(self) -> None:
        """Forget what libgit2 remembers of the disk."""

    def ref(self, name: str) -> str | None:
        """Return the oid that a ref points at, or ``None``."""
        try:
            return str(self._repo.references[name].resolve().target)
        except (KeyError, ValueError, pygit2.GitError):
            return None

    def refs(self, prefix: str) -> dict[str, str]:
        """
        Return the refs below a prefix that ends in ``/``, sorted by name.

        The folder and the packed list are read for names only: libgit2 has no listing that skips other refs, and a
        store has many.
        """
        names: set[str] = set()
        while True:
            before, names = names, {*_loose_refs(str(self.commondir), prefix), *self._packed_refs(prefix)}
            found = {name: self.ref(name) for name in sorted(names)}
            if names == before or None not in found.values():  # or others came for those that went meanwhile
                return {name: oid for name, oid in found.items() if oid is not None}

    def _packed_refs(self, prefix: str) -> Sequence[str]:
        """Return the names in git's packed list below a prefix; the list is read anew only when its file is another."""
        path = f"{self.commondir}/packed-refs"
        stamp = _stamp(path)
        if stamp is None:
            return ()
        if self._packed_seen.get(prefix, (None, ()))[0] != stamp:
            # a name holds no blank; looking for the prefix first is ten times faster than looking at every line
            pattern = rb" (" + re.escape(prefix).encode() + rb".+)$"
            names = re.findall(pattern, Path(path).read_bytes(), re.MULTILINE)
            self._packed_seen[prefix] = (stamp, [name.decode("utf-8", "replace") for name in names])
        return self._packed_seen[prefix][1]

    def move_ref(
        self,
        name: str,
        new: str,
        old: str | None,
        message: str = "",
        *,
        signature: tuple[Identity, datetime] | None = None,
        durable: bool = False,
        follow: Mapping[str, str | None] | None = None,
    ) -> bool:
        """
        Move a ref by compare-and-swap; ``old`` is ``None`` for one that must not exist yet; see `move_refs`.

        Returns:
            Whether it was moved; not when it no longer is where the caller saw it.
        """
        return self.move_refs({name: (old, new)}, message, signature=signature, durable=durable, follow=follow)

    def move_refs(
        self,
        moves: Mapping[str, tuple[str | None, str | None]],
        message: str,
        *,
        signature: tuple[Identity, datetime] | None = None,
        durable: bool = False,
        follow: Mapping[str, str | None] | None = None,
    ) -> bool:
        """
        Make, move and delete several refs by compare-and-swap, all or none; those that stay come before any is deleted.

        All of them are locked before one is looked at. The first one that moves is the point of no return.

        Args:
            moves: by name, where each must stand and where it goes; ``None`` for nowhere.
            message: for the reflog.
            signature: who moves them and when, for the reflog; by default as git's configuration and the clock say.
            durable: have the disk confirm the objects, then the refs, before this returns.
            follow: further refs that go along, wherever they stand.

        Returns:
            Whether it was done; not when one is elsewhere.

        Raises:
            Locked: another program holds one of them.
        """
        self._flush(durable or None in (new for _, new in moves.values()))
        goals = {name: new for name, (_, new) in moves.items()} | dict(follow or {})
        with self._locked(goals) as locks:
            if any(self.ref(name) != old for name, (old, _) in moves.items()):
                return False
            who, moment = signature or (self.identity(), datetime.now().astimezone())
            for name, (old, new) in moves.items():
                if new is not None:
                    self._log_move(name, format_move(old, new, message, who, moment))
            self._carry(locks, goals)
        if durable:
            for name in goals:
                self._confirm(name)
        return True

    @contextmanager
    def _locked(self, goals: Mapping[str, str | None]) -> Iterator[Locks]:
        """Hold the lock files of refs, which say where these are to go."""
        for name in goals:
            if not pygit2.reference_is_valid_name(name):
                raise StorageError(f"{name!r} cannot name a ref; nothing was recorded")
        with writing(self.commondir), locking(self.commondir, self.own, self.modes) as locks:
            marks = {new: locks.mark(f"{new}\n".encode() if new else b"") for new in dict.fromkeys(goals.values())}
            for name in sorted(goals):  # whoever needs several takes them in this order, so that no two wait in a ring
                locks.take(name, marks[goals[name]])
            yield locks

    def _carry(self, locks: Locks, goals: Mapping[str, str | None]) -> None:
        """Put refs that are locked where they are to go, and delete those that go nowhere."""
        stay = [name for name, new in goals.items() if new is not None]
        for at, name in enumerate(stay):
            try:
                locks.put(name)
            except OSError as error:
                if not at:
                    raise
                self.unconfirmed = f"{name}: {error.strerror}"
        if gone := [name for name, new in goals.items() if new is None]:
            self._delete(gone)

    def _delete(self, names: Sequence[str]) -> None:
        """Delete refs that are locked, from git's packed list first, so that no older value comes up."""
        packed = {name.encode() for name in names}
        if any(name in self._packed_refs(name.rpartition("/")[0] + "/") for name in names):
            self._rewrite_packed(lambda old: {name: line for name, line in old.items() if name not in packed})
        for name in names:
            for path in (f"{self.commondir}/{name}", f"{self.commondir}/logs/{name}"):
                with suppress(FileNotFoundError, NotADirectoryError):
                    os.unlink(path)
        self._reopen()

    def _log_move(self, name: str, line: bytes) -> None:
        """Add a line to a ref's reflog, where git would keep one."""
        log = f"{self.commondir}/logs/{name}"
        try:
            file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            if not self._wants_reflog(name):
                return
            self.modes.make_folders(os.path.dirname(log))
            file = self.modes.open(log, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(file, line)
        finally:
            os.close(file)

    def _wants_reflog(self, name: str) -> bool:
        """Whether git would begin a ref's reflog: always, never, or for some kinds where there is a working tree."""
        key = "core.logAllRefUpdates"
        if (self.config(key) or "").lower() == "always":
            return True
        return name.startswith(_LOGGED) and self.flag(key, default=not self._repo.is_bare)

    def _confirm(self, name: str) -> None:
        """Have the disk confirm a ref that has moved; what fails here is told, for nothing can undo the move."""
        path = self.commondir / name
        try:
            try:
                sync(path)
                sync(path.parent)
            except FileNotFoundError:  # git has packed it in the meantime
                sync(self.commondir / "packed-refs")
                sync(self.commondir)
        except OSError as error:
            self.unconfirmed = f"{name}: {error.strerror}"

    def set_ref(self, name: str, oid: str | None) -> None:
        """
        Point a ref that only this clone uses at a commit, or delete it.

        Raises:
            Locked: another program holds it.
        """
        self.set_refs({name: oid})

    def set_refs(self, goals: Mapping[str, str | None]) -> None:
        """
        Point refs that only this clone uses at commits, or delete them, under one taking of locks.

        Raises:
            Locked: another program holds one of them.
        """
        if goals := {name: oid for name, oid in goals.items() if oid is not None or self.ref(name) is not None}:
            with self._locked(goals) as locks:
                self._carry(locks, goals)

    def add_refs(self, refs: Mapping[str, str], *, replace: bool = True) -> None:
        """
        Add many refs at once, as git's packed list keeps them; those that exist as files are left to `set_ref`.

        Args:
            refs: where each of them points.
            replace: whether those that are in the list already change.

        Raises:
            StorageError: the list cannot be written, or git is writing it.
        """
        new = packed_lines(refs)
        self._rewrite_packed(lambda packed: {**packed, **new} if replace else {**new, **packed})

    def drop_refs(self, names: Collection[str]) -> None:
        """
        Delete refs that only this clone uses, many at once.

        Raises:
            StorageError: one cannot be deleted, or git is writing its list.
        """
        gone = {name.encode() for name in names}
        if gone:
            self._rewrite_packed(lambda packed: {name: line for name, line in packed.items() if name not in gone})
        for name in names:
            if self.has_loose_ref(name):
                self.set_ref(name, None)

    def _rewrite_packed(self, change: Callable[[dict[bytes, bytes]], Mapping[bytes, bytes]]) -> None:
        """
        Put another packed list of refs in the place of the one there is, under git's own lock.

        The new list is written before it is locked and stands in the lock file itself, so that the lock is held for a
        look at the old list and one step, and hardly ever outlives a killed process.
        """
        path = f"{self.commondir}/packed-refs"
        with writing(self.commondir):
            for _ in range(_TRIES):
                before = _stamp(path)
                with suppress(FileNotFoundError), locking(self.commondir, self.own, self.modes) as locks:
                    lines = change(parse_packed_refs(Path(path).read_bytes() if before else b""))
                    head = b"# pack-refs with: peeled fully-peeled sorted \n"
                    mark = locks.mark(b"".join([head, *(lines[name] for name in sorted(lines))]), durable=True)
                    if before:
                        os.chmod(mark, self.modes.of(os.stat(path).st_mode & 0o777))
                    locks.take("packed-refs", mark)
                    if _stamp(path) == before:
                        locks.put("packed-refs")
                        return
        raise Conflict("packed-refs")

    def has_loose_ref(self, name: str) -> bool:
        """Whether a ref has a file of its own, which hides the packed list's entry."""
        return (self.commondir / name).exists()


def _loose_refs(root: str, prefix: str) -> Iterator[str]:
    """Return the names of the refs below a prefix that have a file of their own."""
    try:
        with os.scandir(f"{root}/{prefix}") as found:
            entries = list(found)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _loose_refs(root, f"{prefix}{entry.name}/")
        elif not entry.name.endswith(".lock"):
            yield prefix + entry.name


def _stamp(path: str) -> tuple[int, int, int] | None:
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
