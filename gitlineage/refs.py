"""
One repository's refs: read, moved by compare-and-swap, set, deleted; their lock files and reflogs; not objects.

Layer 4. What a ref says is asked of libgit2; files are locked, written and put in their place as git does it.
"""

import errno
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pygit2

from gitlineage import program
from gitlineage.errors import Conflict, GitFailed, StorageError
from gitlineage.foreign import writing
from gitlineage.gitformats import NO_OID, Identity, format_move, packed_lines, parse_packed_refs
from gitlineage.packs import sync
from gitlineage.settings import Settings

T = TypeVar("T")
_TRIES = 10
"""Times that a folder is made which another program removes because it is empty."""

_LOCK_AGE = 60.0
"""Seconds after which a lock file that others may hold for long counts as left behind."""

LOCK_PATIENCE = 2.0
"""Seconds after which a ref's lock file counts as left behind; git holds one for milliseconds."""


class Refs(Settings, ABC):
    """The refs of an open repository, as its base class."""

    gitdir: Path
    unconfirmed: str
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
    ) -> bool:
        """
        Move a ref by compare-and-swap; ``old`` is ``None`` for one that must not exist yet.

        The file is locked, written and put in its place as git does it. libgit2's transaction does the same in twice
        the time, which is a tenth of what recording one trial costs.

        Args:
            name: the ref.
            new: where to.
            old: where it must stand.
            message: for the reflog.
            signature: who moves it and when, for the reflog; by default as git's configuration and the clock say.
            durable: have the disk confirm the objects, then the ref, before this returns.

        Returns:
            Whether it was moved; not when it no longer is where the caller saw it.
        """
        self._flush(durable)
        with writing(self.commondir), self._locked(name, new) as put:
            if self.ref(name) != old:
                return False
            who, moment = signature or (self.identity(), datetime.now().astimezone())
            self._log_move(name, format_move(old, new, message, who, moment))
            put()
        if durable:
            self._confirm(name)
        return True

    @contextmanager
    def _locked(self, name: str, new: str) -> Iterator[Callable[[], None]]:
        """Hold a ref's lock file, which says where it is to go; what is yielded puts that in the ref's place."""
        path = f"{self.commondir}/{name}"
        lock = f"{path}.lock"
        line = f"{new}\n".encode()
        is_held = True

        def put() -> None:
            nonlocal is_held
            is_held = False  # once it is renamed, a file of that name is another program's
            try:
                os.rename(lock, path)
            except OSError:
                is_held = True
                raise

        self._patiently(name, lambda: _make_lock(lock, line))
        try:
            yield put
        finally:
            if is_held:
                os.unlink(lock)

    def _log_move(self, name: str, line: bytes) -> None:
        """Add a line to a ref's reflog, where git would keep one."""
        log = f"{self.commondir}/logs/{name}"
        try:
            file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            if not self._wants_reflogs():
                return
            os.makedirs(os.path.dirname(log), exist_ok=True)
            file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            os.write(file, line)
        finally:
            os.close(file)

    def _wants_reflogs(self) -> bool:
        """Whether git would begin a reflog for a ref of notes: always, never, or where there is a working tree."""
        key = "core.logAllRefUpdates"
        return (self.config(key) or "").lower() == "always" or self.flag(key, default=not self._repo.is_bare)

    def move_refs(self, moves: Mapping[str, tuple[str | None, str | None]], message: str) -> bool:
        """
        Make, move and delete several refs, all or none; those that stay are in place before any is deleted.

        Args:
            moves: by name, where each must stand and where it goes; ``None`` for nowhere.
            message: for the reflog.

        Returns:
            Whether it was done; not when one is elsewhere or another program holds it.

        Raises:
            GitFailed: git could not do it for another reason.
        """
        self._flush(durable=True)
        lines = []
        for name, (old, new) in moves.items():
            if new is None:
                lines.append(f"delete {name} {old}\n")
            else:
                lines.append(f"update {name} {new} {old or NO_OID}\n")
        who = self.identity()
        variables = {"GIT_COMMITTER_NAME": who.name, "GIT_COMMITTER_EMAIL": who.mail}
        words = ["--git-dir", str(self.gitdir), "update-ref", "-m", message, "--stdin"]
        try:
            program.run(words, variables=variables, data="".join(lines).encode())
        except GitFailed as error:
            if "cannot lock ref" in error.message or "Unable to create" in error.message:
                return False
            raise
        finally:
            self._reopen()
        return True

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
        """Point a ref that only this clone uses at a commit, or delete it."""
        with writing(self.commondir):
            if oid is not None:
                with self._locked(name, oid) as put:
                    put()
            elif self.ref(name) is not None:
                self._patiently(name, lambda: self._delete(name))

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
        """Put another packed list of refs in the place of the one there is, under git's own lock."""
        path = self.commondir / "packed-refs"
        lock = path.with_name("packed-refs.lock")
        with writing(self.commondir):
            handle = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                with os.fdopen(handle, "wb") as file:
                    lines = change(parse_packed_refs(path.read_bytes() if path.exists() else b""))
                    file.write(b"# pack-refs with: peeled fully-peeled sorted \n")
                    file.writelines(lines[name] for name in sorted(lines))
                lock.replace(path)
            except BaseException:
                lock.unlink(missing_ok=True)
                raise

    def has_loose_ref(self, name: str) -> bool:
        """Whether a ref has a file of its own, which hides the packed list's entry."""
        return (self.commondir / name).exists()

    def _delete(self, name: str) -> None:
        """Delete a ref; libgit2 may say that it did while the packed list is locked."""
        if self.ref(name) is not None:
            if self._is_packing_refs():
                raise StorageError(f"git is packing refs; {name} stays for now")
            self._repo.references.delete(name)
            self._reopen()
            if self.ref(name) is not None:
                raise OSError(f"failed to lock the packed refs to delete {name}")

    def _patiently(self, name: str, action: Callable[[], T]) -> T:
        """Do something that locks a ref; a lock file that stays as it is was left by a killed process and goes."""
        if not pygit2.reference_is_valid_name(name):
            raise StorageError(f"{name!r} cannot name a ref; nothing was recorded")
        deadline = time.monotonic() + LOCK_PATIENCE
        seen: int | None = None
        while True:
            try:
                return action()
            except (OSError, pygit2.GitError) as error:
                if "lock" not in str(error) or getattr(error, "errno", None) not in (None, errno.EEXIST):
                    raise
                self._reopen()
                path = self.commondir / f"{name}.lock"
                seen = seen or mtime(path)
            if time.monotonic() > deadline:
                if (now := mtime(path)) is None or now != seen:
                    raise Conflict(name)
                path.unlink(missing_ok=True)
                deadline += LOCK_PATIENCE
            time.sleep(0.005)

    def _is_packing_refs(self) -> bool:
        """Whether git rewrites its list of packed refs, which may take it long; a lock of a minute's age is broken."""
        path = self.commondir / "packed-refs.lock"
        return mtime(path) is not None and not _unlink_old(path)

    def break_old_locks(self, prefix: str) -> None:
        """Remove the lock files of a minute's age below a prefix of refs, which killed processes left behind."""
        for folder, _, files in os.walk(self.commondir / prefix):  # git may remove empty folders meanwhile
            for name in files:
                if name.endswith(".lock"):
                    _unlink_old(Path(folder, name))

    def break_still_locks(self, prefix: str) -> bool:
        """
        Remove the lock files below a prefix of refs that stay as they are for longer than git holds one.

        Returns:
            Whether one was removed.
        """
        before = self._locks(prefix)
        time.sleep(LOCK_PATIENCE if before else 0)
        after = self._locks(prefix)
        still = [path for path, seen in before.items() if after.get(path) == seen]
        for path in still:
            path.unlink(missing_ok=True)
        return bool(still)

    def _locks(self, prefix: str) -> dict[Path, int | None]:
        found = (Path(folder, name) for folder, _, files in os.walk(self.commondir / prefix) for name in files)
        return {path: mtime(path) for path in found if path.suffix == ".lock"}


def _make_lock(path: str, line: bytes) -> None:
    """Make the lock file of a ref, and the folders that it is in; git may remove empty ones meanwhile."""
    for _ in range(_TRIES):
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            break
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
    else:
        raise OSError(f"cannot make {path}: its folder keeps going away")
    try:
        with open(file, "wb", buffering=0) as out:
            if out.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except BaseException:
        os.unlink(path)
        raise


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


def _unlink_old(path: Path) -> bool:
    """Remove a lock file that nobody can be holding any more, and return whether it was one."""
    try:
        old = time.time() - path.stat().st_mtime > _LOCK_AGE
        if old:
            path.unlink(missing_ok=True)
    except OSError:
        return False
    return old


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
