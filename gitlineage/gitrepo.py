"""
A git repository's objects, refs and configuration; pygit2 is spoken here alone.

Layer 3. Oids are ``str``, content is ``bytes``, and libgit2's errors end here as ours. Nothing here knows of lineage.
"""

import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

import pygit2

from gitlineage import program
from gitlineage.errors import Ambiguous, Conflict, GitFailed, RepositoryError, StorageError, UnsupportedRepository
from gitlineage.gitformats import (
    MAX_COMMIT,
    MAX_TREE,
    TREE,
    CommitInfo,
    Entry,
    Identity,
    format_commit,
    format_tree,
    is_oid,
    packed_lines,
    parse_commit,
    parse_packed_refs,
    parse_tree,
)
from gitlineage.packer import Packer
from gitlineage.packs import Stored, merge, release_abandoned, sync
from gitlineage.readahead import read_ahead

_KINDS = {
    "commit": pygit2.enums.ObjectType.COMMIT,
    "tree": pygit2.enums.ObjectType.TREE,
    "blob": pygit2.enums.ObjectType.BLOB,
}
_NAMES = {int(kind): name for name, kind in _KINDS.items()} | {int(pygit2.enums.ObjectType.TAG): "tag"}
_SHORTEST = 4
"""Signs that git takes for the beginning of an oid at the least."""


_RECENT = 2000
"""Objects that stay readable without a look at the disk after they were written."""


_LOCK_AGE = 60.0
"""Seconds after which a lock file that others may hold for long counts as left behind."""

_LOCK_PATIENCE = 2.0
"""Seconds after which a ref's lock file counts as left behind; git holds one for milliseconds."""

T = TypeVar("T")


class GitRepo:
    """
    An open repository: a normal one, a bare one or a linked worktree.

    Args:
        path: the repository or a folder inside.
        borrowed: further object directories to read from, as git's own quarantine of what is being pushed.

    Raises:
        RepositoryError: there is none at the path.
        UnsupportedRepository: libgit2 cannot read it, e.g. because it uses SHA-256.
    """

    def __init__(self, path: str | os.PathLike[str], borrowed: Sequence[str] = ()) -> None:
        found = find_repository(path)
        if found is None:
            raise RepositoryError(f"no git repository at {os.fspath(path)}; `gitlineage init` makes one")
        with _foreign(f"cannot open {found}"):
            self._repo = pygit2.Repository(found)
        self._borrowed = tuple(borrowed)
        self._borrow()
        self._odb = self._repo.odb
        self._pack: Packer | None = None
        self.unconfirmed = ""
        self._packed_seen: dict[str, tuple[tuple[int, int, int] | None, Sequence[str]]] = {}
        self._recent: dict[str, Stored] = {}
        self._ahead: dict[str, Stored] = {}
        self.gitdir = Path(self._repo.path)
        self.commondir = _common_directory(self.gitdir)
        self._packs = self.commondir / "objects" / "pack"
        self._packs_seen = _mtime(self._packs)
        self.workdir = Path(self._repo.workdir) if self._repo.workdir else None

    # -- objects -------------------------------------------------------------------------------------------

    @contextmanager
    def packing(self) -> Iterator[None]:
        """
        Collect what is written inside and put it into a pack when a ref moves; nothing is on disk before.

        Raises:
            StorageError: the disk refused.
        """
        if self._pack is not None:
            yield
            return
        if (now := _mtime(self._packs)) != self._packs_seen:
            # libgit2 goes on reading packs that git has deleted, and would claim objects that are gone
            self._reopen()
            self._packs_seen = now
        self._pack = Packer(self._packs)
        try:
            yield
        finally:
            self._pack.release()
            self._pack = None
            self._packs_seen = _mtime(self._packs)

    def release_abandoned(self) -> None:
        """Let go of the packs that killed writers were holding; only under the writers' lock."""
        release_abandoned(self._packs)

    def join_packs(self, names: Sequence[str]) -> bool:
        """Join small packs into one; only under the writers' lock. Returns whether it was done."""
        try:
            return merge(self._packs, names)
        finally:
            self._reopen()
            self._packs_seen = _mtime(self._packs)

    def _reopen(self) -> None:
        self._repo = pygit2.Repository(self._repo.path)
        self._odb = self._repo.odb
        self._borrow()
        self._recent.clear()

    def _borrow(self) -> None:
        for folder in self._borrowed:
            self._repo.odb.add_disk_alternate(folder)

    def ahead(self, items: Iterable[T], wanted: Callable[[T], Sequence[str]]) -> Iterator[T]:
        """
        Return items in their order, each with the objects that it needs at hand; where there are many, git reads ahead.

        Args:
            items: what needs objects.
            wanted: the oids of those that an item needs, to be read until the next item is asked for.
        """
        if self._borrowed:  # git would have to be told of them
            yield from items
            return
        try:
            with closing(read_ahead(self.commondir, items, wanted, MAX_COMMIT)) as found:
                for item, self._ahead in found:
                    yield item
        finally:
            self._ahead = {}

    def exists(self, oid: str) -> bool:
        """Whether the object is here."""
        return self._near(oid) is not None or pygit2.Oid(hex=oid) in self._repo

    def read(self, oid: str, limit: int = 0) -> bytes:
        """
        Return an object's content.

        Args:
            oid: the object.
            limit: how many bytes it may have, which is found out before it is read; 0 for any number.

        Raises:
            RepositoryError: it is missing, broken or over the limit.
        """
        return self._load(oid, limit).data

    def size(self, oid: str) -> int:
        """Return an object's size in bytes without reading it."""
        return self._header(oid)[1]

    def kind(self, oid: str) -> str:
        """Return what an object is, ``commit``, ``tree``, ``blob`` or ``tag``, without reading it."""
        return self._header(oid)[0]

    def _header(self, oid: str) -> tuple[str, int]:
        if near := self._near(oid):
            return near.kind, len(near.data)
        with _foreign(f"cannot read {oid}"):
            kind, size = self._odb.read_header(pygit2.Oid(hex=oid))
            return _NAMES[int(kind)], int(size)

    def write_blob(self, data: bytes) -> str:
        """Write a blob and return its oid."""
        return self.write_object("blob", data)

    def read_tree(self, oid: str) -> dict[str, Entry]:
        """Return a tree's entries by name; names that are not UTF-8 keep their bytes as surrogates."""
        raw = self.read(oid, MAX_TREE)
        try:
            return parse_tree(raw)
        except ValueError as error:
            raise RepositoryError(f"cannot read tree {oid}: {error}") from error

    def write_tree(self, entries: Mapping[str, Entry]) -> str:
        """Write a tree and return its oid."""
        return self.write_object("tree", format_tree(entries))

    def write_object(self, kind: str, data: bytes) -> str:
        """Write a blob, tree or commit given as git stores it and return its oid."""
        if self._pack is None:
            with _writing(self.commondir):
                return str(self._repo.write(_KINDS[kind], data))
        try:
            return self._pack.add(kind, data)
        except OSError:  # a context manager costs more than packing does
            with _writing(self.commondir):
                raise

    def empty_tree(self) -> str:
        """Return the oid of the tree without entries; libgit2 claims to have it, so it is written without asking."""
        return self.write_tree({})

    def walk_tree(self, tree: str) -> Iterator[tuple[str, Entry]]:
        """Return every entry below a tree that is no folder, with its path, sorted as git sorts."""
        stack = [("", tree)]
        while stack:
            prefix, oid = stack.pop()
            folders = []
            for name, entry in self.read_tree(oid).items():
                if entry.mode == TREE:
                    folders.append((f"{prefix}{name}/", entry.oid))
                else:
                    yield f"{prefix}{name}", entry
            stack.extend(reversed(folders))

    def commit(self, oid: str) -> CommitInfo:
        """
        Return a commit.

        Raises:
            RepositoryError: the object is missing or no commit.
        """
        found = self._load(oid, MAX_COMMIT)
        if found.kind != "commit":
            raise RepositoryError(f"{oid} is a {found.kind}, not a commit")
        info = parse_commit(oid, found.data)
        if not is_oid(info.tree) or not all(map(is_oid, info.parents)):
            raise RepositoryError(f"{oid} is a broken commit: its tree or a parent is no oid")
        return info

    def parents(self, oid: str) -> tuple[str, ...]:
        """Return a commit's git parents in order; none where the commit is missing, as in a shallow clone."""
        try:
            return self.commit(oid).parents
        except RepositoryError:
            return ()

    def write_commit(
        self,
        tree: str,
        parents: Iterable[str],
        message: str,
        author: Identity,
        moment: datetime,
        sign: Callable[[bytes], bytes] | None = None,
    ) -> str:
        """Write a commit that nothing points at yet, author and committer alike, and return its oid."""
        raw = format_commit(tree, parents, message, author.clean(), moment)
        return self.write_object("commit", raw if sign is None else sign(raw))

    def _load(self, oid: str, limit: int = 0) -> Stored:
        if near := self._near(oid):
            return near
        try:
            kind, data = self._fetch(oid, limit)
        except (pygit2.GitError, KeyError, OSError, ValueError):
            # a pack that git's own maintenance replaced may still be open here
            with _foreign(f"cannot read {oid}"):
                self._reopen()
                kind, data = self._fetch(oid, limit)
        return Stored(_NAMES[int(kind)], data)

    def _fetch(self, oid: str, limit: int) -> tuple[int, bytes]:
        key = pygit2.Oid(hex=oid)
        if limit and (size := self._odb.read_header(key)[1]) > limit:
            raise RepositoryError(f"{oid} has {size:,} bytes, over the limit of {limit:,}; it is not read")
        return self._repo.read(key)

    def _near(self, oid: str) -> Stored | None:
        """Return an object that is being written, or was a moment ago."""
        return (
            self._ahead.get(oid) or (self._pack.get(oid) if self._pack is not None else None) or self._recent.get(oid)
        )

    def _flush(self, durable: bool) -> None:
        """Put what is being written into a pack, so that a ref may lead to it."""
        if self._pack is not None:
            self._pack.durable = durable
            with _writing(self.commondir):
                written = self._pack.flush()
            if len(self._recent) + len(written) > _RECENT:
                self._recent.clear()
            if len(written) <= _RECENT:
                self._recent.update(written)

    # -- names ---------------------------------------------------------------------------------------------

    def resolve(self, rev: str) -> str | None:
        """
        Return the commit that a revision names as git reads it, or ``None``.

        Raises:
            Ambiguous: it is the beginning of several oids.
        """
        try:
            return str(self._repo.revparse_single(rev).peel(pygit2.Commit).id)
        except pygit2.InvalidSpecError:
            return None
        except ValueError as error:
            if "ambiguous" in str(error).lower() and len(rev) >= _SHORTEST:
                raise Ambiguous(rev, ["a longer prefix of the oid"]) from error
            return None
        except (KeyError, pygit2.GitError):
            return None

    def commits_beginning(self, prefix: str) -> list[str]:
        """Return the commits whose oids begin with a prefix of at least four hex digits, sorted; refs do not count."""
        try:
            found = self._repo[prefix]
        except KeyError:
            return []
        except ValueError:  # several objects begin so; which of them are commits only a look at each can tell
            near = [oid for oid in self._repo if str(oid).startswith(prefix)]
            return sorted(str(oid) for oid in near if self._repo[oid].type == pygit2.enums.ObjectType.COMMIT)
        return [str(found.id)] if found.type == pygit2.enums.ObjectType.COMMIT else []

    def has_ancestor(self, oid: str, ancestor: str) -> bool:
        """Whether one commit goes back to another one, or is it."""
        return oid == ancestor or self._repo.descendant_of(pygit2.Oid(hex=oid), pygit2.Oid(hex=ancestor))

    def resolve_tree(self, rev: str) -> str | None:
        """Return the tree that a revision names, directly or through a commit, or ``None``."""
        try:
            return str(self._repo.revparse_single(rev).peel(pygit2.Tree).id)
        except (KeyError, ValueError, pygit2.GitError):
            return None

    def head(self) -> str | None:
        """Return the commit that HEAD points at; ``None`` before the first commit."""
        return self.resolve("HEAD")

    def branch(self) -> str | None:
        """Return the branch that HEAD is on, without ``refs/heads/``; ``None`` where it is on none."""
        with _foreign("cannot read HEAD"):
            target = self._repo.lookup_reference("HEAD").raw_target
        name = os.fsdecode(target) if isinstance(target, bytes) else target
        return name.removeprefix("refs/heads/") if isinstance(name, str) else None

    def last_move(self) -> str:
        """Return what the reflog says about HEAD's last move; empty where none is kept."""
        with _foreign("cannot read HEAD's reflog"):
            return next((entry.message for entry in self._repo.lookup_reference("HEAD").log()), "")

    def is_replaying(self) -> bool:
        """Whether git is in the middle of a rebase or of applying mails."""
        return any((self.gitdir / name).exists() for name in ("rebase-merge", "rebase-apply"))

    def between(self, new: str, old: str, limit: int) -> list[str]:
        """Return the commits that one goes back to and another does not, newest first, up to a number of them."""
        with _foreign(f"cannot walk from {new}"):
            walker = self._repo.walk(pygit2.Oid(hex=new))
            walker.hide(pygit2.Oid(hex=old))
            return [str(commit.id) for commit in islice(walker, limit)]

    # -- refs ----------------------------------------------------------------------------------------------

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
        path = self.commondir / "packed-refs"
        try:
            status = path.stat()
        except FileNotFoundError:
            return ()
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        if self._packed_seen.get(prefix, (None, ()))[0] != stamp:
            # a name holds no blank; looking for the prefix first is ten times faster than looking at every line
            pattern = rb" (" + re.escape(prefix).encode() + rb".+)$"
            names = re.findall(pattern, path.read_bytes(), re.MULTILINE)
            self._packed_seen[prefix] = (stamp, [name.decode("utf-8", "replace") for name in names])
        return self._packed_seen[prefix][1]

    def move_ref(self, name: str, new: str, old: str | None, message: str = "", *, durable: bool = False) -> bool:
        """
        Move a ref by compare-and-swap; ``old`` is ``None`` for one that must not exist yet.

        Args:
            name: the ref.
            new: where to.
            old: where it must stand.
            message: for the reflog.
            durable: have the disk confirm the objects, then the ref, before this returns.

        Returns:
            Whether it was moved; not when it no longer is where the caller saw it.
        """
        self._flush(durable)
        with _writing(self.commondir), self._repo.transaction() as transaction:
            self._patiently(name, lambda: transaction.lock_ref(name))
            if self.ref(name) != old:
                return False
            transaction.set_target(name, pygit2.Oid(hex=new), message=message or None)
        if durable:
            self._confirm(name)
        return True

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
                lines.append(f"update {name} {new} {old or '0' * 40}\n")
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
        with _writing(self.commondir):
            if oid is not None:
                target = pygit2.Oid(hex=oid)
                self._patiently(name, lambda: self._repo.references.create(name, target, force=True))
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
        with _writing(self.commondir):
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

    def _patiently(self, name: str, action: Callable[[], object]) -> None:
        """Do something that locks a ref; a lock file that stays as it is was left by a killed process and goes."""
        if not pygit2.reference_is_valid_name(name):
            raise StorageError(f"{name!r} cannot name a ref; nothing was recorded")
        path = self.commondir / f"{name}.lock"
        deadline = time.monotonic() + _LOCK_PATIENCE
        seen: int | None = None
        while True:
            try:
                action()
                return
            except (OSError, pygit2.GitError) as error:
                if "lock" not in str(error):
                    raise
                self._reopen()
                seen = seen or _mtime(path)
            if time.monotonic() > deadline:
                if (now := _mtime(path)) is None or now != seen:
                    raise Conflict(name)
                path.unlink(missing_ok=True)
                deadline += _LOCK_PATIENCE
            time.sleep(0.005)

    def _is_packing_refs(self) -> bool:
        """Whether git rewrites its list of packed refs, which may take it long; a lock of a minute's age is broken."""
        path = self.commondir / "packed-refs.lock"
        return _mtime(path) is not None and not _unlink_old(path)

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
        time.sleep(_LOCK_PATIENCE if before else 0)
        after = self._locks(prefix)
        still = [path for path, seen in before.items() if after.get(path) == seen]
        for path in still:
            path.unlink(missing_ok=True)
        return bool(still)

    def _locks(self, prefix: str) -> dict[Path, int | None]:
        found = (Path(folder, name) for folder, _, files in os.walk(self.commondir / prefix) for name in files)
        return {path: _mtime(path) for path in found if path.suffix == ".lock"}

    # -- configuration -------------------------------------------------------------------------------------

    def config(self, key: str) -> str | None:
        """Return a configuration value from any of git's files, or ``None``."""
        with _foreign("cannot read git's configuration"):
            configuration = self._repo.config
            return configuration[key] if key in configuration else None  # noqa: SIM401 - it has no get()

    def configs(self, key: str) -> list[str]:
        """Return all the values of a configuration key that may be given several times."""
        with _foreign("cannot read git's configuration"):
            configuration = self._repo.config
            found = configuration.get_multivar(key) if key in configuration else ()
            return [value for value in found if value is not None]

    def flag(self, key: str) -> bool:
        """Whether a configuration value is true as git reads it; one that is missing is not."""
        with _foreign(f"git config {key}"):
            configuration = self._repo.config
            return key in configuration and bool(configuration.get_bool(key))

    def set_config(self, key: str, value: str) -> None:
        """Set a value in the repository's own configuration."""
        with _writing(self.commondir):
            self._repo.config[key] = value

    def config_values(self, key: str) -> list[str]:
        """Return all values of a key that may have several, in order."""
        with _foreign("cannot read git's configuration"):
            return [value or "" for value in self._repo.config.get_multivar(key)]

    def add_config(self, key: str, value: str) -> None:
        """Give a key of the repository's own configuration one more value, unless it has it."""
        if value not in self.config_values(key):
            with _writing(self.commondir):
                self._repo.config.set_multivar(key, "^$", value)

    def replace_config(self, key: str, old: str, new: str) -> None:
        """Put another value in the place of one, where a key of the repository's own configuration has it."""
        if old in self.config_values(key):
            with _writing(self.commondir):
                self._repo.config.set_multivar(key, f"^{re.escape(old)}$", new)

    def remove_config(self, key: str, value: str) -> None:
        """Take a value from a key of the repository's own configuration, where it has it."""
        if value in self.config_values(key):
            with _writing(self.commondir):
                self._repo.config.delete_multivar(key, f"^{re.escape(value)}$")

    def remotes(self) -> list[str]:
        """Return the names of the remotes, sorted."""
        with _foreign("cannot read git's configuration"):
            return sorted(name for name in self._repo.remotes.names() if name)

    @property
    def is_shallow(self) -> bool:
        """Whether the history is cut off somewhere."""
        return (self.commondir / "shallow").exists()

    def identity(self) -> Identity:
        """Return who commits here, by git's configuration; a neutral name where it has none."""
        return Identity(self.config("user.name") or "", self.config("user.email") or "").clean()


def find_repository(path: str | os.PathLike[str]) -> str | None:
    """Return the git directory that a path is in, looking upwards, or ``None``."""
    with _foreign(f"cannot look for a repository at {os.fspath(path)}"):
        return pygit2.discover_repository(os.fspath(path)) if os.path.isdir(path) else None


def init_repository(path: str | os.PathLike[str], *, bare: bool = False) -> None:
    """Make a repository, and the folder where it is missing; an existing one is left as it is."""
    deadline = time.monotonic() + _LOCK_PATIENCE
    with _writing(Path(path)):
        while True:
            try:
                pygit2.init_repository(os.fspath(path), bare=bare)
                return
            except (OSError, pygit2.GitError) as error:  # another process may be making it at this moment
                if "lock" not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.005)


@contextmanager
def _foreign(doing: str) -> Iterator[None]:
    """Turn libgit2's errors while reading into ours."""
    try:
        yield
    except (pygit2.GitError, OSError, KeyError, ValueError) as error:
        text = str(error).strip("'\"")
        if "sha256" in text or "object format" in text:
            raise UnsupportedRepository(
                "this repository uses SHA-256 object ids, which libgit2 cannot read; use a SHA-1 repository"
            ) from error
        if "not owned by" in text:
            raise RepositoryError(f"{doing}: {text}; `git config --global --add safe.directory` allows it") from error
        raise RepositoryError(f"{doing}: {text}") from error


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    """Turn libgit2's errors while writing into ours."""
    try:
        yield
    except (pygit2.GitError, OSError, KeyError, ValueError) as error:
        text = str(error).strip("'\"")
        raise StorageError(f"cannot write to {place}: {text}; nothing was recorded") from error


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


def _common_directory(gitdir: Path) -> Path:
    """Return where a repository keeps what its worktrees share."""
    try:
        return (gitdir / (gitdir / "commondir").read_text().strip()).resolve()
    except FileNotFoundError:
        return gitdir


def _unlink_old(path: Path) -> bool:
    """Remove a lock file that nobody can be holding any more, and return whether it was one."""
    try:
        old = time.time() - path.stat().st_mtime > _LOCK_AGE
        if old:
            path.unlink(missing_ok=True)
    except OSError:
        return False
    return old


def _mtime(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
