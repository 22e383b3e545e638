"""
The files that trials made, kept by their content outside of git; start at `keep`.

A store of them is a folder, ``.git/lineage/artifacts``, or what git config ``lineage.artifacts`` names: any URL that
fsspec knows (extra ``artifacts``). A file is hashed while it is copied, or once it is cloned where the file system
shares blocks until one side changes; a content that is there already is not put twice. A hard link would save the
copy and let the next run change what was kept, so there is none. Only the store of one's own configuration is ever
asked, whatever a row says of the place.
"""

import fcntl
import glob
import hashlib
import os
import queue
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from gitlineage import house, scratch
from gitlineage.errors import Invalid, LineageError, NotFound, StorageError, WouldLose
from gitlineage.model.artifact import Artifact, artifacts_of, is_safe
from gitlineage.model.records import TrialView
from gitlineage.query.views import HAS_MORE
from gitlineage.store.store import LineageStore

LOCAL = "local"
_FICLONE = 0x40049409
"""Linux's call for a copy that shares blocks; other systems refuse it, and the file is copied."""

_CHUNK = 4 * 1024 * 1024
_AHEAD = 4
"""Chunks that are read before they are written."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was found of an artifact.

    Args:
        view: its trial.
        artifact: what its row says.
        state: ``ok``, ``missing``, or ``damaged`` where its bytes are not those that were kept.
        where: where it was looked at: ``local``, or the URL of the store.
    """

    view: TrialView
    artifact: Artifact
    state: str
    where: str


# -- keeping ---------------------------------------------------------------------------------------------------------


def keep(store: LineageStore, top: Path, patterns: Sequence[str]) -> tuple[Artifact, ...]:
    """
    Put the files that some patterns name into the store, and return what is to be recorded of them.

    Args:
        store: whose artifacts they become.
        top: the folder that the patterns start in.
        patterns: as in a shell, ``**`` for any folders; a folder stands for nothing.

    Raises:
        Invalid: a pattern that leads outside, or that no file matches; a file that goes on changing.
        StorageError: they cannot be written.
    """
    shelf = Shelf.of(store)
    return tuple(
        Artifact(path=path, size=size, digest=digest, place=shelf.url or LOCAL)
        for path in matching(top, patterns)
        for digest, size in [shelf.put(top / path)]
    )


def matching(top: Path, patterns: Sequence[str]) -> list[str]:
    """
    Return the files that some patterns name, sorted, each once.

    Raises:
        Invalid: a pattern that leads outside, or that no file matches.
    """
    files_named: set[str] = set()
    for pattern in patterns:
        if os.path.isabs(pattern) or ".." in Path(pattern).parts:
            raise Invalid(f"--artifact {pattern}: it leads out of {top}")
        paths = [
            Path(each).as_posix() for each in glob.glob(pattern, root_dir=top, recursive=True, include_hidden=True)
        ]
        inside = os.path.realpath(top)
        files = [
            path
            for path in paths
            if (top / path).is_file() and is_safe(path) and os.path.realpath(top / path).startswith(f"{inside}{os.sep}")
        ]
        if not files:
            raise Invalid(f"--artifact {pattern}: there is no such file in {top}")
        files_named.update(files)
    return sorted(files_named)


# -- asking ----------------------------------------------------------------------------------------------------------


def listed(store: LineageStore, ids: Sequence[str] = ()) -> list[tuple[TrialView, Artifact]]:
    """
    Return the artifacts of some trials, or of all, in recording order.

    Raises:
        NotFound: there is no such trial.
    """
    views = store.ledger.views()
    trials = [view for id in ids for view in _of(store, id)] if ids else views.each_counting(HAS_MORE)
    return [(view, each) for view in trials for each in artifacts_of(view.trial)]


def get(
    store: LineageStore, id: str, folder: Path, paths: Sequence[str] = (), *, force: bool = False
) -> list[tuple[Artifact, Path]]:
    """
    Write a trial's artifacts into a folder, each at the path that it had, and return where they are.

    Args:
        store: the store.
        id: the trial.
        folder: where to; made where it is missing.
        paths: which of them; all by default.
        force: replace other files of the same name.

    Raises:
        NotFound: the trial has no such artifact.
        LineageError: its bytes are neither here nor in the store that is configured, or they are damaged.
        WouldLose: another file would be replaced; nothing was written.
    """
    known = {each.path: each for _, each in listed(store, [id])}
    for path in paths:
        if path not in known:
            raise NotFound("artifact", path, sorted(known)[:5])
    wanted = [known[path] for path in paths or sorted(known)]
    if not wanted:
        raise NotFound("artifact", id)
    goals = [folder / each.path for each in wanted]
    if not force:
        taken = [
            str(goal)
            for goal, each in zip(goals, wanted, strict=True)
            if os.path.lexists(goal) and not (goal.is_file() and _digest(goal) == each.digest)
        ]
        if taken:
            raise WouldLose(taken, f"{taken[0]} is another file; --force replaces it, --to DIR writes elsewhere")
    shelf = Shelf.of(store)
    top = os.path.realpath(folder)
    for each, goal in zip(wanted, goals, strict=True):
        if not os.path.realpath(goal.parent).startswith(top):
            raise Invalid(f"{goal.parent} leads out of {folder}")
        goal.parent.mkdir(parents=True, exist_ok=True)
        shelf.take(each, goal)
    return list(zip(wanted, goals, strict=True))


def push(store: LineageStore, ids: Sequence[str] = ()) -> list[Artifact]:
    """
    Send what is here into the store of git config ``lineage.artifacts``, and return what was sent.

    Raises:
        Invalid: none is configured, or fsspec is not installed.
        StorageError: it cannot be written.
    """
    shelf = Shelf.of(store)
    if not shelf.url:
        raise Invalid(f"no store is configured; `git config {house.ARTIFACTS} URL` names one")
    sent: dict[str, Artifact] = {}
    for _, each in listed(store, ids):
        if each.digest not in sent and shelf.local(each.digest).is_file() and not shelf.has_remote(each.digest):
            shelf.send(each.digest)
            sent[each.digest] = each
    return list(sent.values())


def verify(store: LineageStore, ids: Sequence[str] = ()) -> Iterator[Checked]:
    """Look at the bytes of every artifact, here or else in the store that is configured, and say what is found."""
    shelf = Shelf.of(store)
    known: dict[str, tuple[str, str]] = {}
    for view, each in listed(store, ids):
        if each.digest not in known:
            known[each.digest] = shelf.check(each)
        state, where = known[each.digest]
        yield Checked(view=view, artifact=each, state=state, where=where)


def _of(store: LineageStore, id: str) -> list[TrialView]:
    """Return the trials that an id stands for: the one that it names, else all on the snapshot."""
    views = store.ledger.views()
    named = views.named(id)
    return named if len(named) == 1 else views.on_snapshot(store.resolve(id))


# -- the store -------------------------------------------------------------------------------------------------------


class Shelf:
    """
    Where the bytes are: a folder of this repository, and the store of its configuration.

    Args:
        folder: the folder.
        url: the store; empty where none is configured.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url

    @classmethod
    def of(cls, store: LineageStore) -> "Shelf":
        """Return that of a repository, which its campaigns and working trees share."""
        repo = store.ledger.repo
        return cls(repo.commondir / "lineage" / "artifacts", repo.config(house.ARTIFACTS) or "")

    def local(self, digest: str) -> Path:
        """Return where a content is, or would be, in the folder."""
        return self.folder / digest[:2] / digest[2:]

    def put(self, path: Path) -> tuple[str, int]:
        """Keep a file: here, or in the store that is configured; return its digest and size."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with scratch.folder(self.folder) as aside:
                digest, size = _stable_copy(path, aside / "new")
                if self.url:
                    if not self.has_remote(digest):
                        self._send(aside / "new", digest)
                elif not self.local(digest).is_file():
                    self.local(digest).parent.mkdir(exist_ok=True)
                    (aside / "new").chmod(0o444)
                    (aside / "new").replace(self.local(digest))
        except OSError as error:
            raise StorageError(f"{path} cannot be kept: {error}") from error
        return digest, size

    def take(self, artifact: Artifact, goal: Path) -> None:
        """Write a content to a path, checked on the way."""
        local = self.local(artifact.digest)
        try:
            with scratch.folder(goal.parent) as aside:
                if local.is_file():
                    digest, _ = _copy(local, aside / "new")
                elif self.url and self.has_remote(artifact.digest):
                    system, path = self._remote(artifact.digest)
                    system.get_file(path, str(aside / "new"))
                    digest = _digest(aside / "new")
                else:
                    where = f"in {self.url}" if self.url else f"here, and git config {house.ARTIFACTS} names no store"
                    raise LineageError(
                        f"{artifact.path} is not {where}; `gitlineage artifact push` on its machine sends it"
                    )
                if digest != artifact.digest:
                    raise LineageError(f"{artifact.path} is damaged where it was kept: its content is {digest[:12]}…")
                (aside / "new").replace(goal)
        except OSError as error:
            raise StorageError(f"{goal} cannot be written: {error}") from error

    def check(self, artifact: Artifact) -> tuple[str, str]:
        """Return the state of a content and where it was looked at."""
        local = self.local(artifact.digest)
        if local.is_file():
            return "ok" if _digest(local) == artifact.digest else "damaged", LOCAL
        if not self.url or not self.has_remote(artifact.digest):
            return "missing", self.url or LOCAL
        system, path = self._remote(artifact.digest)
        with system.open(path, "rb") as file:
            same = _hashed(file) == artifact.digest
        return "ok" if same else "damaged", self.url

    def has_remote(self, digest: str) -> bool:
        """Whether the store that is configured has a content."""
        system, path = self._remote(digest)
        try:
            return bool(system.exists(path))
        except OSError as error:
            raise StorageError(f"{self.url} cannot be read: {error}") from error

    def send(self, digest: str) -> None:
        """Send a content that is here."""
        try:
            self._send(self.local(digest), digest)
        except OSError as error:
            raise StorageError(f"{self.url} cannot be written: {error}") from error

    def _send(self, path: Path, digest: str) -> None:
        system, goal = self._remote(digest)
        system.makedirs(goal.rpartition("/")[0], exist_ok=True)
        aside = f"{goal}.{os.getpid()}-{threading.get_ident()}"
        system.put_file(str(path), aside)
        system.mv(aside, goal)

    def _remote(self, digest: str) -> tuple[Any, str]:
        """Return the file system of the store that is configured, and the path of a content in it."""
        try:
            from fsspec.core import url_to_fs  # an extra
        except ImportError as error:
            raise Invalid(
                f"{house.ARTIFACTS} is {self.url}, which needs: pip install 'gitlineage[artifacts]'"
            ) from error
        try:
            system, root = url_to_fs(self.url)
        except (ValueError, ImportError) as error:
            raise Invalid(
                f"git config {house.ARTIFACTS}: {self.url} is no store that can be used here: {error}"
            ) from error
        return system, f"{root.rstrip('/')}/{digest[:2]}/{digest[2:]}"


def _stable_copy(path: Path, goal: Path) -> tuple[str, int]:
    """Copy a file that nobody writes meanwhile; one that changes is begun anew once."""
    for _ in range(2):
        before = path.stat()
        copied = _copy(path, goal)
        after = path.stat()
        if (before.st_size, before.st_mtime_ns, before.st_ino) == (after.st_size, after.st_mtime_ns, after.st_ino):
            return copied
    raise Invalid(f"{path} is being written; it cannot be kept while it changes")


def _copy(path: Path, goal: Path) -> tuple[str, int]:
    """Copy a file and return the digest and size of what was written; reading and hashing do not wait for the disk."""
    if _clone(path, goal):
        return _digest(goal), goal.stat().st_size
    digest, size = hashlib.sha256(), 0
    chunks: queue.Queue[bytes] = queue.Queue(_AHEAD)
    failed: list[OSError] = []
    with path.open("rb") as source, goal.open("wb", buffering=0) as target:
        writer = threading.Thread(target=_write, args=(target, chunks, failed), daemon=True)
        writer.start()
        try:
            while chunk := source.read(_CHUNK):
                chunks.put(chunk)
                digest.update(chunk)
                size += len(chunk)
        finally:
            chunks.put(b"")
            writer.join()
    if failed:
        raise failed[0]
    with suppress(OSError):
        shutil.copymode(path, goal)
    return digest.hexdigest(), size


def _clone(path: Path, goal: Path) -> bool:
    """Whether a file system that can has made a copy that shares the file's blocks, as btrfs and XFS do."""
    with path.open("rb") as source, goal.open("wb") as target:
        try:
            fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())
        except OSError:
            return False
    return True


def _write(target: BinaryIO, chunks: "queue.Queue[bytes]", failed: list[OSError]) -> None:
    """Write chunks until an empty one comes; after a failure the others are only taken."""
    while chunk := chunks.get():
        if not failed:
            try:
                left = memoryview(chunk)
                while left:
                    left = left[target.write(left) :]
            except OSError as error:
                failed.append(error)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return _hashed(file)


def _hashed(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
