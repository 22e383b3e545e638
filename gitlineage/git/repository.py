"""
An open git repository: its objects, refs and configuration, and what names stand for; start at `GitRepo`.

Libgit2 is spoken here and below alone: oids are ``str``, content is ``bytes``, and foreign errors end as ours.
"""

import os
import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gitlineage.bounds import MAX_BLOB, MAX_COMMIT, MAX_NESTED, MAX_TREE, MAX_WALKED
from gitlineage.errors import Ambiguous, GitFailed, Invalid, MissingObject, RepositoryError, StorageError, TooMuch
from gitlineage.git import locks, plain, program
from gitlineage.git.errors import reading, writing
from gitlineage.git.formats import (
    TREE,
    CommitInfo,
    Entry,
    Identity,
    format_commit,
    format_move,
    format_tree,
    is_oid,
    packed_lines,
    parse_commit,
    parse_tree,
)
from gitlineage.git.locks import Locks, locking
from gitlineage.git.modes import Modes
from gitlineage.git.packs import PackWriter, Stored, merge, release_abandoned, sync
from gitlineage.git.refs import PackedRefs, loose_refs, mtime
from gitlineage.house import FOLDER, NAME
from gitlineage.later import later, pattern
from gitlineage.text import some

if TYPE_CHECKING:
    import hashlib

    import pygit2

    from gitlineage.git import few, promised, readahead
else:
    hashlib, pygit2 = later("hashlib"), later("pygit2")  # libgit2 takes longer than a question to the index does
    few, promised, readahead = later(__package__, "few", "promised", "readahead")

_KINDS = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
_NAMES = {number: name for name, number in _KINDS.items()}
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""The tree without entries, which git and libgit2 claim to have whether it is there or not."""

_MANY = 10_000
"""Entries of a tree after which it is found out how many there are before more of them are walked."""

_PROMISOR = pattern(r"remote\.(.+)\.promisor")
_REMOTE = pattern(r"remote\.(.+)\.url")
_TOLD = 10
_PREFIX = pattern(r"[0-9a-f]{4,40}")
"""Signs that git takes for the beginning of an oid at the least."""

_REVISION = pattern(r"(.*?)(\^\{[^}]*\}|@\{[^}]*\}|[~^]\d*)*", re.DOTALL)
"""A name, and the steps that a revision goes on from there."""

_ALWAYS = pattern(r"@|([A-Z]+_)*HEAD|refs/[^@]*")
"""Names that are git's whether or not they stand for anything at the moment."""

_PLACES = ("refs/tags/", "refs/heads/", "refs/remotes/", "refs/")
"""Where git looks for a name."""


_LOGGED = ("refs/heads/", "refs/remotes/", "refs/notes/")
"""The refs that git keeps reflogs of without being told to keep all."""


T = TypeVar("T")


class GitRepo:
    """
    An open repository: a normal one, a bare one or a linked worktree.

    Args:
        path: the repository or a folder inside.
        borrowed: further object directories to read from, as git's own quarantine of what is being pushed.
        environment: variables of git that say which folder is the working tree, where a caller heeds them.

    Raises:
        RepositoryError: there is none at the path.
        UnsupportedRepository: libgit2 cannot read it, e.g. because it uses SHA-256.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        borrowed: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._borrowed = tuple(borrowed)
        place = plain.find(path)
        gitdir = find_repository(path) if place is None else place.gitdir
        if gitdir is None:
            raise RepositoryError(f"no git repository at {os.fspath(path)}; `{NAME} init` makes one")
        self._at = gitdir
        self._plain = None if place is None else plain.Settings(place.commondir)
        self.gitdir = Path(self._repo.path if place is None else place.gitdir)
        self.commondir = _common_directory(self.gitdir)
        self._pack: PackWriter | None = None
        self.modes = Modes(self.config("core.sharedRepository"))
        self.unconfirmed = ""
        self.landings = 0
        self._ahead: dict[str, Stored] = {}
        self._promisors: tuple[str, ...] | None = None
        self._unknown: set[str] = set()
        self.refusal = ""
        self.own = self.commondir / FOLDER
        self._packed = PackedRefs(self.commondir, self.own, self.modes)
        self._packs = self.commondir / "objects" / "pack"
        self._mark = self.own / "in-use"
        self._packs_seen = mtime(self._packs)
        self._asked_at = Path(path)
        self._environment = environment

    @cached_property
    def _repo(self) -> "pygit2.Repository":
        """The repository as libgit2 has it open, from when it is first needed on; from then on libgit2 is asked."""
        with reading(f"cannot open {self._at}"):
            return self._opened()

    @cached_property
    def _few(self) -> "few.Few":
        return few.Few(self.commondir)

    def rest(self) -> None:
        """End what runs to read objects; whoever goes on reading need not know."""
        if "_few" in vars(self):
            self._few.close()

    @cached_property
    def _odb(self) -> "pygit2.Odb":
        return self._repo.odb

    @cached_property
    def _key(self) -> "type[pygit2.Oid]":
        return pygit2.Oid  # objects are read by the hundred thousand, and a module that comes late is slow to ask

    @cached_property
    def _settings(self) -> "pygit2.Config":
        return self._repo.config

    def _as_files(self) -> plain.Settings | None:
        """Return what answers from files, as long as libgit2 is not needed for anything."""
        return None if "_repo" in vars(self) else self._plain

    @cached_property
    def workdir(self) -> Path | None:
        """The folder that git takes for the working tree, ``None`` where it has none; git is asked once."""
        return find_worktree(self._asked_at, self.gitdir, self._environment)

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
        if (now := mtime(self._packs)) != self._packs_seen:
            # libgit2 goes on reading packs that git has deleted, and would claim objects that are gone
            self._reopen()
            self._packs_seen = now
        process = os.getpid()
        pack = None
        try:
            try:
                pack = self._pack = PackWriter(self._packs, self.modes, self._mark)
                yield
            finally:
                self._end_pack(pack, process)
        except BaseException:
            self._end_pack(pack, process)  # once more, for an interrupt may have come in between
            raise

    def _end_pack(self, pack: PackWriter | None, process: int) -> None:
        """Let a pack go; in a forked process it stays the parent's."""
        if pack is not None and process == os.getpid():
            pack.release()
        if self._pack is pack:
            self._pack = None
        self._packs_seen = mtime(self._packs)

    def release_abandoned(self) -> None:
        """Let go of the packs that killed writers were holding; only under the writers' lock."""
        release_abandoned(self._packs)

    def join_packs(self, names: Sequence[str]) -> bool:
        """Join small packs into one; only under the writers' lock. Returns whether it was done."""
        try:
            return merge(self._packs, names, self.modes, self._mark)
        finally:
            self._reopen()
            self._packs_seen = mtime(self._packs)

    def _reopen(self) -> None:
        self.rest()
        if "_repo" in vars(self):
            self._repo = self._opened()
            self._odb = self._repo.odb

    def _opened(self) -> "pygit2.Repository":
        found = pygit2.Repository(self._at)
        for folder in self._borrowed:
            found.odb.add_disk_alternate(folder)
        return found

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
            with closing(readahead.read_ahead(self.commondir, items, wanted, MAX_COMMIT)) as pairs:
                for item, self._ahead in pairs:
                    yield item
        finally:
            self._ahead = {}

    def exists(self, oid: str) -> bool:
        """Whether the object is here."""
        return self._near(oid) is not None or self._key(hex=oid) in self._odb

    def read(self, oid: str, limit: int = MAX_BLOB) -> bytes:
        """
        Return an object's content.

        Args:
            limit: how many bytes it may have, which is found out before it is read.

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
        with reading(f"cannot read {oid}"):
            try:
                kind, size = self._odb.read_header(pygit2.Oid(hex=oid))
            except KeyError as error:
                if not self._give_promised(oid):
                    raise MissingObject(oid) from error
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

    def write_object(self, kind: str, data: bytes, oid: str | None = None) -> str:
        """
        Write an object and return its oid.

        Args:
            kind: ``blob``, ``tree`` or ``commit``.
            data: its content, as git stores it.
            oid: its oid, where the caller knows it.
        """
        with writing(self.commondir):
            if self._pack is None:
                return str(self._repo.write(_KINDS[kind], data))
            return self._pack.add(kind, data, oid)

    def empty_tree(self) -> str:
        """Return the oid of the tree without entries; libgit2 claims to have it, so it is written without asking."""
        return self.write_tree({})

    def merge_trees(self, base: str, ours: str, theirs: str, hint: str) -> str:
        """
        Write what two trees come to together that were changed apart, and return its oid.

        Args:
            base: the tree that both go back to.
            ours: one of them.
            theirs: the other.
            hint: what to do where they cannot be joined.

        Raises:
            Invalid: both changed the same lines of a file.
        """
        with reading("cannot merge two trees"):
            one, two, three = (pygit2.Oid(hex=each) for each in (base, ours, theirs))
            merged = self._repo.merge_trees(one, two, three)
            conflicts = {next(filter(None, entries)).path for entries in merged.conflicts or ()}
            if not conflicts:
                return str(merged.write_tree(self._repo))
        raise Invalid(f"both sides changed {some(sorted(conflicts))}; {hint}")

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the best commit that both of two go back to; ``None`` where there is none."""
        with reading(f"cannot walk from {one}"):
            base = self._repo.merge_base(pygit2.Oid(hex=one), pygit2.Oid(hex=other))
        return str(base) if base is not None else None

    def history(self, oid: str, limit: int) -> list[tuple[str, str]]:
        """Return the commits that one goes back to and their trees, itself first, up to a number of them."""
        with reading(f"cannot walk from {oid}"):
            walker = self._repo.walk(pygit2.Oid(hex=oid), pygit2.enums.SortMode.TOPOLOGICAL)
            return [(str(commit.id), str(commit.tree_id)) for commit in islice(walker, limit)]

    def walk_tree(self, tree: str) -> Iterator[tuple[str, Entry]]:
        """
        Return every entry below a tree that is no folder, with its path, sorted as git sorts.

        Raises:
            TooMuch: there are more than anybody's recipe has; trees that stand in many places make them without end.
        """
        stack = [("", tree)]
        walked, checked = 0, False
        while stack:
            prefix, oid = stack.pop()
            folders = []
            entries = self.read_tree(oid)
            walked += len(entries)
            if walked > _MANY and not checked:
                self.check_extent(tree)
                checked = True
            for name, entry in entries.items():
                if entry.mode == TREE:
                    folders.append((f"{prefix}{name}/", entry.oid))
                else:
                    yield f"{prefix}{name}", entry
            stack.extend(reversed(folders))

    def check_extent(self, new: str, old: str | None = None) -> None:
        """
        Refuse a tree, or the difference of two, that stands for more than anybody's recipe has.

        Trees that stand in many places are looked at once, so this takes as long as there are different ones.

        Raises:
            TooMuch: it has more files and folders than are walked, or more folders in one another.
        """
        known: dict[tuple[str | None, str | None], int] = {}

        def count(one: str | None, two: str | None, depth: int) -> int:
            if (one, two) in known:
                return known[one, two]
            if depth > MAX_NESTED:
                raise TooMuch(f"the tree {new}", MAX_NESTED, "folders in one another")
            ours, theirs = ({} if tree is None else self.read_tree(tree) for tree in (one, two))
            total = 0
            for name in {**ours, **theirs}:
                sides = [ours.get(name), theirs.get(name)]
                if sides[0] != sides[1]:
                    below = [side.oid if side is not None and side.mode == TREE else None for side in sides]
                    total += 1 + (count(below[0], below[1], depth + 1) if any(below) else 0)
                if total > MAX_WALKED:
                    raise TooMuch(f"the tree {new}", MAX_WALKED, "files and folders")
            known[one, two] = total
            return total

        count(new, old, 0)

    def commit(self, oid: str) -> CommitInfo:
        """
        Return a commit.

        Raises:
            RepositoryError: the object is missing or no commit.
        """
        stored = self._load(oid, MAX_COMMIT)
        if stored.kind != "commit":
            raise RepositoryError(f"{oid} is a {stored.kind}, not a commit")
        info = parse_commit(oid, stored.data)
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

    def _load(self, oid: str, limit: int) -> Stored:
        if near := self._near(oid):
            return near
        if oid == EMPTY_TREE:
            return Stored("tree", b"")
        if (stored := self._taken(oid, limit)) is not None:
            return stored
        try:
            kind, data = self._fetch(oid, limit)
        except (pygit2.GitError, KeyError, OSError, ValueError):
            # a pack that git's own maintenance replaced may still be open here
            with reading(f"cannot read {oid}"):
                self._reopen()
                try:
                    kind, data = self._fetch(oid, limit)
                except KeyError as error:
                    if not self._give_promised(oid):
                        raise MissingObject(oid) from error
                    kind, data = self._fetch(oid, limit)
        return Stored(_NAMES[int(kind)], data)

    def wake(self) -> None:
        """Load libgit2 now, for whoever records needs it anyway: no git is then started for the first few objects."""
        _ = self._repo

    def _taken(self, oid: str, limit: int) -> Stored | None:
        """Return one of the first few objects that are read, without libgit2; ``None`` where that is to say it."""
        if self._borrowed or not self._as_files() or "pygit2" in sys.modules:
            return None
        return self._few.take(oid, limit)

    def _fetch(self, oid: str, limit: int) -> tuple[int, bytes]:
        key = self._key(hex=oid)
        if (size := self._odb.read_header(key)[1]) > limit:
            raise RepositoryError(f"{oid} has {size:,} bytes, over the limit of {limit:,}; it is not read")
        return self._repo.read(key)

    def _near(self, oid: str) -> Stored | None:
        """Return an object that is being written, or was a moment ago."""
        return self._ahead.get(oid) or (self._pack.get(oid) if self._pack is not None else None)

    def _flush(self, durable: bool) -> None:
        """Put what is being written into a pack, so that a ref may lead to it."""
        if self._pack is not None:
            self._pack.durable = durable
            with writing(self.commondir):
                self._pack.flush()

    # -- refs ----------------------------------------------------------------------------------------------

    def ref(self, name: str) -> str | None:
        """Return the oid that a ref points at, or ``None``."""
        if self._as_files() and (oid := plain.ref(str(self.commondir), name)) is not None:
            return oid or self._packed.find(name)  # in this order, as git packs a ref before it takes its file away
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
        if self._plain:
            loose = {name: plain.ref(str(self.commondir), name) for name in loose_refs(str(self.commondir), prefix)}
            if None not in loose.values():
                here = {**self._packed.listed(prefix), **{name: oid for name, oid in loose.items() if oid}}
                return {name: here[name] for name in sorted(here)}
        names: set[str] = set()
        while True:
            before, names = names, {*loose_refs(str(self.commondir), prefix), *self._packed.listed(prefix)}
            oids = {name: self.ref(name) for name in sorted(names)}
            if names == before or None not in oids.values():  # or others came for those that went meanwhile
                return {name: oid for name, oid in oids.items() if oid is not None}

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
            if not (plain.is_usual_name(name) or pygit2.reference_is_valid_name(name)):
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
        if any(map(self._packed.find, names)):
            self._packed.rewrite(lambda old: {name: line for name, line in old.items() if name not in packed})
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
        self._packed.rewrite(lambda packed: {**packed, **new} if replace else {**new, **packed})

    def drop_refs(self, names: Collection[str]) -> None:
        """
        Delete refs that only this clone uses, many at once.

        Raises:
            StorageError: one cannot be deleted, or git is writing its list.
        """
        gone = {name.encode() for name in names}
        if gone:
            self._packed.rewrite(lambda packed: {name: line for name, line in packed.items() if name not in gone})
        self.set_refs({name: None for name in names if self.has_loose_ref(name)})

    def has_loose_ref(self, name: str) -> bool:
        """Whether a ref has a file of its own, which hides the packed list's entry."""
        return (self.commondir / name).exists()

    # -- configuration -------------------------------------------------------------------------------------

    def config(self, key: str) -> str | None:
        """Return a configuration value from any of git's files, or ``None``."""
        if (files := self._as_files()) and (values := files.get(key)) is not None:
            return values[-1] if values else None
        with reading("cannot read git's configuration"):
            return self._settings[key] if key in self._settings else None  # noqa: SIM401 - it has no get()

    def configs(self, key: str) -> list[str]:
        """Return all the values of a configuration key that may be given several times."""
        if (files := self._as_files()) and (values := files.get(key)) is not None:
            return values
        with reading("cannot read git's configuration"):
            return [value for value in self._settings.get_multivar(key) if value is not None]

    def flag(self, key: str, *, default: bool = False) -> bool:
        """
        Whether a configuration value is true as git reads it; the default where there is none.

        Raises:
            RepositoryError: it is neither true nor false.
        """
        if files := self._as_files():
            if files.get(key) == []:
                return default
            if (found := files.flag(key)) is not None:
                return found
        with reading(f"git config {key}"):
            return bool(self._settings.get_bool(key)) if key in self._settings else default

    def set_config(self, key: str, value: str) -> None:
        """Set a value in the repository's own configuration."""
        self._write_config(key, value)

    def _write_config(self, *words: str) -> None:
        """Have git write the configuration, which keeps the file's mode whatever the umask is; libgit2 does not."""
        try:
            program.run(["config", "--file", str(self.commondir / "config"), *words])
        except GitFailed as error:
            raise StorageError(
                f"cannot write to {self.commondir / 'config'}: {error.message.strip()}; nothing was recorded"
            ) from error

    def add_config(self, key: str, value: str) -> None:
        """Give a key of the repository's own configuration one more value, unless it has it."""
        if value not in self.configs(key):
            self._write_config("--add", key, value)

    def replace_config(self, key: str, old: str, new: str) -> None:
        """Put another value in the place of one, where a key of the repository's own configuration has it."""
        if old in self.configs(key):
            self._write_config("--fixed-value", "--replace-all", key, new, old)

    def remove_config(self, key: str, value: str) -> None:
        """Take a value from a key of the repository's own configuration, where it has it."""
        if value in self.configs(key):
            self._write_config("--fixed-value", "--unset-all", key, value)

    def remotes(self) -> list[str]:
        """Return the names of the remotes, sorted."""
        with reading("cannot read git's configuration"):
            return sorted(name for name in self._repo.remotes.names() if name)

    def identity(self) -> Identity:
        """Return who commits here, by git's configuration; a neutral name where it has none."""
        return Identity(self.config("user.name") or "", self.config("user.email") or "").clean()

    # -- what this clone lacks -----------------------------------------------------------------------------

    @property
    def promisors(self) -> tuple[str, ...]:
        """The remotes that have what this partial clone left out; none for one that left nothing out."""
        if self._promisors is None:
            with reading("cannot read git's configuration"):
                marked = [entry.name for entry in self._settings if _PROMISOR.fullmatch(entry.name)]
            names = [_PROMISOR.fullmatch(key)[1] for key in dict.fromkeys(marked) if self.flag(key)]  # type: ignore[index]
            first = self.config("extensions.partialClone")
            self._promisors = tuple(dict.fromkeys([*([first] if first else []), *names]))
        return self._promisors

    def bring(self, oids: Iterable[str], kept: str = "blob:none") -> None:
        """
        Fetch objects that a partial clone left out, in one request; `refusal` says what went wrong.

        Args:
            oids: the objects, none of which is here.
            kept: git's filter for what lies below them: by default whole trees come, without files.
        """
        wanted = [oid for oid in dict.fromkeys(oids) if oid not in self._unknown]
        self.refusal = ""
        for remote in self.promisors:
            if wanted:
                self.refusal, unknown = promised.fetch(
                    self.commondir, self.workdir or self.gitdir, remote, wanted, kept
                )
                self._reopen()
                if not self.refusal:
                    return
                if remote == self.promisors[-1]:
                    self._unknown |= unknown
                wanted = [oid for oid in wanted if not self.exists(oid)]

    def bring_below(self, trees: Iterable[str], known: Iterable[str] = ()) -> None:
        """
        Fetch all that a partial clone left out of trees: one request for trees, one for files.

        Args:
            known: trees whose content is here.
        """
        if not self.promisors:
            return
        roots = list(dict.fromkeys(trees))
        if lacking := [tree for tree in roots if not self.exists(tree)]:
            self.bring(lacking)
        here = [tree for tree in roots if self.exists(tree)]
        below = [tree for tree in dict.fromkeys(known) if self.exists(tree)]
        before: set[str] = set()
        try:
            while (missing := promised.missing_below(self.commondir, here, below)) and not before.issuperset(missing):
                self.bring(missing)
                if self.refusal:
                    return
                before.update(missing)
        except GitFailed as error:  # a broken tree, which whoever reads it sees
            self.refusal = error.message.strip()

    def lacks(self, oid: str, *, commit: bool = False) -> bool:
        """
        Whether an object that is not here may be somewhere else, because this clone was made without it.

        Args:
            commit: whether it is a commit, of which a shallow clone has the latest only.
        """
        return (commit and self.is_shallow) or (bool(self.promisors) and oid not in self._unknown)

    def boundary(self) -> str:
        """Return what is different whenever a shallow clone ends somewhere else; empty for a whole clone."""
        try:
            ends = (self.commondir / "shallow").read_bytes()
        except OSError:
            return ""
        return hashlib.sha1(ends).hexdigest()

    def remote(self) -> str:
        """Return the remote to fetch from where nobody says which: ``origin``, or the first there is."""
        with reading("cannot read git's configuration"):
            names = [match[1] for entry in self._settings if (match := _REMOTE.fullmatch(entry.name))]
        return names[0] if names and "origin" not in names else "origin"

    def _give_promised(self, oid: str) -> bool:
        """Fetch one object that a partial clone left out; not when the last request failed, or each would."""
        if not self.promisors or self.refusal or oid in self._unknown:
            return False
        self.bring([oid])
        return self.exists(oid)

    # -- names ---------------------------------------------------------------------------------------------

    def resolve(self, rev: str) -> str | None:
        """
        Return the commit that a revision names as git reads it, or ``None``.

        Raises:
            Ambiguous: it is, or starts from, the beginning of several commits' oids; the error names those commits.
        """
        try:
            return str(self._repo.revparse_single(rev).peel(pygit2.Commit).id)
        except pygit2.InvalidSpecError:
            return None
        except ValueError as error:
            begins = _PREFIX.match(rev.lower())
            if "ambiguous" not in str(error).lower() or begins is None:
                return None
            rest = rev[begins.end() :]
            meant = [oid + rest for oid in self.commits_beginning(begins[0])]
            if len(meant) > 1:
                raise Ambiguous(rev, meant[:_TOLD]) from error
            return self.resolve(meant[0]) if meant else None
        except (KeyError, pygit2.GitError):
            return None

    def is_name(self, text: str) -> bool:
        """
        Whether a text is a name of git's own, or a revision that begins with one: ``HEAD``, ``@``, any ref, ``main~2``.

        Beginnings of oids are none. The files are looked at, because libgit2 takes ten times as long for that.
        """
        match = _REVISION.fullmatch(text)
        base = match[1] if match else text
        if not base:
            return text.startswith("@{")
        if _ALWAYS.fullmatch(base):
            return True
        if ".." in base:
            return False
        top = str(self.commondir)
        for place in _PLACES:
            names = (place + base, f"{place}{base}/HEAD") if place == "refs/remotes/" else (place + base,)
            if any((os.path.isfile(f"{top}/{name}") or self._packed.find(name)) and self.ref(name) for name in names):
                return True
        return base.startswith("refs/") and self.ref(base) is not None

    def commits_beginning(self, prefix: str) -> list[str]:
        """Return the commits whose oids begin with a prefix of at least four hex digits, sorted; refs do not count."""
        try:
            match = self._repo[prefix]
        except KeyError:
            return []
        except ValueError:  # several objects begin so; which of them are commits only a look at each can tell
            near = [oid for oid in self._repo if str(oid).startswith(prefix)]
            return sorted(str(oid) for oid in near if self._repo[oid].type == pygit2.enums.ObjectType.COMMIT)
        return [str(match.id)] if match.type == pygit2.enums.ObjectType.COMMIT else []

    def commit_beginning(self, prefix: str) -> str | None:
        """Return the commit whose oid begins so; ``None`` where it is not here, or several objects' oids do."""
        try:
            match = self._repo[prefix]
        except (KeyError, ValueError):
            return None
        return str(match.id) if match.type == pygit2.enums.ObjectType.COMMIT else None

    def has_ancestor(self, oid: str, ancestor: str) -> bool:
        """Whether one commit goes back to another one, or is it."""
        return oid == ancestor or self._repo.descendant_of(pygit2.Oid(hex=oid), pygit2.Oid(hex=ancestor))

    def resolve_tree(self, rev: str) -> str | None:
        """Return the tree that a revision names, directly or through a commit, or ``None``."""
        if is_oid(rev) and (stored := self._taken(rev, MAX_COMMIT)) is not None and stored.kind == "tree":
            return rev
        try:
            return str(self._repo.revparse_single(rev).peel(pygit2.Tree).id)
        except (KeyError, ValueError, pygit2.GitError):
            return None

    def head(self) -> str | None:
        """Return the commit that HEAD points at; ``None`` before the first commit."""
        return self.resolve("HEAD")

    def branch(self) -> str | None:
        """Return the branch that HEAD is on, without ``refs/heads/``; ``None`` where it is on none."""
        with reading("cannot read HEAD"):
            target = self._repo.lookup_reference("HEAD").raw_target
        name = os.fsdecode(target) if isinstance(target, bytes) else target
        return name.removeprefix("refs/heads/") if isinstance(name, str) else None

    def last_move(self) -> str:
        """Return what the reflog says about HEAD's last move; empty where none is kept."""
        with reading("cannot read HEAD's reflog"):
            return next((entry.message for entry in self._repo.lookup_reference("HEAD").log()), "")

    def is_replaying(self) -> bool:
        """Whether git is in the middle of a rebase or of applying mails."""
        return any((self.gitdir / name).exists() for name in ("rebase-merge", "rebase-apply"))

    def untracked(self, paths: Sequence[str], rules: Iterable[str]) -> list[str]:
        """
        Return those of some paths in the working tree, from its top on, that are files of nobody yet.

        Neither what git ignores, and folders with nothing else in them, nor repositories inside.

        Args:
            rules: further ignore rules.
        """
        if not paths or self.workdir is None:
            return []
        further = [f"--exclude={rule}" for rule in rules]
        words = ["--literal-pathspecs", "ls-files", "-z", "--others", "--directory", "--no-empty-directory", *further]
        said = program.run([*words, "--exclude-standard", "--", *paths], cwd=self.workdir)
        listed = os.fsdecode(said).split("\0")[:-1]
        return [path for path in listed if not os.path.lexists(self.workdir / path / ".git")]

    def halfway(self) -> str:
        """Return what git is in the middle of, as a rebase or a merge; empty where it is in none."""
        marks = {"rebase-merge": "rebase", "rebase-apply": "rebase", "MERGE_HEAD": "merge"}
        marks |= {"CHERRY_PICK_HEAD": "cherry-pick", "REVERT_HEAD": "revert"}
        return next((what for name, what in marks.items() if (self.gitdir / name).exists()), "")

    def between(self, new: str, old: str, limit: int) -> list[str]:
        """Return the commits that one goes back to and another does not, newest first, up to a number of them."""
        with reading(f"cannot walk from {new}"):
            walker = self._repo.walk(pygit2.Oid(hex=new))
            walker.hide(pygit2.Oid(hex=old))
            return [str(commit.id) for commit in islice(walker, limit)]

    @property
    def is_shallow(self) -> bool:
        """Whether the history is cut off somewhere."""
        return (self.commondir / "shallow").exists()


def find_repository(path: str | os.PathLike[str]) -> str | None:
    """Return the git directory that a path is in, looking upwards, or ``None``."""
    if (place := plain.find(path)) is not None:
        return place.gitdir + "/"
    with reading(f"cannot look for a repository at {os.fspath(path)}"):
        return pygit2.discover_repository(os.fspath(path)) if os.path.isdir(path) else None


def find_worktree(path: Path, gitdir: Path, environment: Mapping[str, str] | None = None) -> Path | None:
    """
    Return the folder that git takes for a repository's working tree, or ``None``.

    Libgit2 takes the folder beside the git directory, wherever that lies.

    Args:
        path: from where the repository was found.
        environment: git's variables for the working tree; where there are some, they rule in the current folder.
    """
    if environment:
        return _top(Path(), environment)
    place = plain.find(path)
    if place is not None and place.top is not None:
        return Path(place.top)
    if top := _top(path):
        return top
    beside = [gitdir.parent] if gitdir.name == ".git" else []  # the path leads into the git directory itself
    with suppress(OSError):
        beside.append(Path((gitdir / "gitdir").read_text(errors="surrogateescape").removesuffix("\n")).parent)
    for folder in beside:
        known = find_repository(folder)
        if known is not None and os.path.samefile(known, gitdir):
            return _top(folder)
    return None


def _top(folder: Path, environment: Mapping[str, str] | None = None) -> Path | None:
    """Return the top of the working tree that a folder is in, as git says."""
    try:
        told = program.run(["rev-parse", "--show-toplevel"], cwd=folder, variables=environment)
    except GitFailed as error:
        if "work tree" not in error.message:
            raise
        return None
    return Path(os.fsdecode(told.removesuffix(b"\n"))) if told.strip() else None


def init_repository(path: str | os.PathLike[str], *, bare: bool = False) -> None:
    """Make a repository, and the folder where it is missing; an existing one is left as it is."""
    deadline = time.monotonic() + locks.PATIENCE
    with writing(Path(path)):
        while True:
            try:
                pygit2.init_repository(os.fspath(path), bare=bare)
                return
            except (OSError, pygit2.GitError) as error:  # another process may be making it at this moment
                if "lock" not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.005)


def _common_directory(gitdir: Path) -> Path:
    """Return where a repository keeps what its worktrees share."""
    try:
        return (gitdir / (gitdir / "commondir").read_text().strip()).resolve()
    except FileNotFoundError:
        return gitdir
