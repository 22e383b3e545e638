"""
Where a command runs, and what changed there meanwhile: the user's working tree as it is, or a checkout of the snapshot.

The user's files are read here and never changed. A checkout is written by our own `checkout`: unlike a linked worktree
it leaves nothing in the repository.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from gitlineage.errors import Invalid, LineageError
from gitlineage.git.checkout import checkout
from gitlineage.git.content import Content
from gitlineage.git.droppings import PATTERNS
from gitlineage.git.formats import FILE, LINK, PROGRAM, SUBMODULE, Entry
from gitlineage.git.packs import object_id
from gitlineage.git.repository import GitRepo
from gitlineage.run.records import Run
from gitlineage.store.store import LineageStore
from gitlineage.text import to_type

_SLACK = 2.0
"""Seconds that a file system's clock may be behind ours."""

_APART = "gitlineage-run-"
_AT_ONCE = 1024 * 1024
_FILES = (FILE, PROGRAM, LINK)
_CACHES = {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
"""What programs leave that is worth nothing."""


def inside(run: Run) -> Path:
    """Return the folder that a run's command is called in."""
    top = Path(run.folder)
    with suppress(ValueError):
        return top / Path(run.plan.folder).relative_to(run.workdir)
    return top


def apart(run: Run) -> Path:
    """Return where an attempt's checkout is to be: its name is known before it is made, so that none is forgotten."""
    return Path(tempfile.gettempdir()).resolve() / f"{_APART}{run.cookie[:16]}-{run.attempt}"


def is_apart(run: Run) -> bool:
    """Whether a run's folder is the checkout that was made for it, by its name, and for this user alone."""
    path = Path(run.folder)
    try:
        owner = path.lstat().st_uid
    except OSError:
        return False
    is_named = path.name.startswith(f"{_APART}{run.cookie[:16]}-") and bool(run.cookie)
    return is_named and owner == os.getuid() and not path.is_symlink()


def check_out(store: LineageStore, run: Run) -> None:
    """
    Write a run's snapshot into its new folder outside the working tree, with links to what it is to see besides.

    The files of submodules are those of the snapshot's commits, from the repositories that the working tree has.

    Raises:
        InvalidContent: the snapshot holds what is not safe to write.
        StorageError: the disk refused.
        Invalid: a path to be linked is not there, or not in the working tree, or the snapshot has it.
    """
    top = Path(run.folder)
    top.mkdir(mode=0o700)
    try:
        checkout(store.ledger.repo, run.tree, top, own=True)
        for path, repo, tree in submodules(store.ledger.repo, run.tree):
            checkout(repo, tree, top / path, own=True)
        for path in run.plan.links:
            _link(Path(os.path.normpath(Path(run.plan.folder) / path)), path, Path(run.workdir), top)
    except BaseException:
        shutil.rmtree(top, ignore_errors=True)
        raise


def submodules(repo: GitRepo, tree: str, prefix: str = "") -> Iterator[tuple[str, GitRepo, str]]:
    """
    Return the submodules of a tree and theirs, outer ones first: path, repository and the tree of its commit.

    One that the working tree has not checked out is left out there, and so here.

    Raises:
        Invalid: one has not the commit that the tree names.
    """
    for path, entry in repo.walk_tree(tree):
        if entry.mode != SUBMODULE or repo.workdir is None or not os.path.lexists(repo.workdir / path / ".git"):
            continue
        shown, below = f"{prefix}{path}", GitRepo(repo.workdir / path)
        if not below.exists(entry.oid):
            how = to_type("git", "submodule", "update", "--init", "--recursive", shown)
            raise Invalid(f"{shown} is a submodule and has not its commit {entry.oid[:8]}; `{how}` brings it")
        at = below.commit(entry.oid).tree
        yield shown, below, at
        yield from submodules(below, at, f"{shown}/")


def _link(source: Path, shown: str, workdir: Path, top: Path) -> None:
    if not source.is_relative_to(workdir):
        raise Invalid(f"--link {shown}: it is not in the working tree {workdir}")
    if not os.path.lexists(source):
        raise Invalid(f"--link {shown}: there is no such file or folder")
    target = top / source.relative_to(workdir)
    if target.is_symlink():  # one that leads elsewhere from here
        target.unlink()
    if os.path.lexists(target):
        raise Invalid(f"--link {shown}: the snapshot has it already")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source)


def clear(store: LineageStore, run: Run, kept: Iterable[str] = ()) -> bool:
    """Remove a checkout in which the command made nothing but what is kept elsewhere, and return whether it is gone."""
    top = Path(run.folder)
    if not run.isolated or not top.is_dir():
        return True
    known = {path for path, _ in _files(store.ledger.repo, run.tree)}
    with suppress(LineageError):
        for path, repo, tree in submodules(store.ledger.repo, run.tree):
            known.update(f"{path}/{name}" for name, _ in _files(repo, tree))
    known |= {os.path.relpath(os.path.normpath(inside(run) / path), top) for path in (*run.plan.links, *kept)}
    for folder, names, files in os.walk(top):
        names[:] = [name for name in names if name not in _CACHES]
        links = [name for name in names if os.path.islink(os.path.join(folder, name))]
        if any(os.path.relpath(os.path.join(folder, name), top) not in known for name in (*files, *links)):
            return False
    shutil.rmtree(top, ignore_errors=True)
    return True


# -- what changed ------------------------------------------------------------------------------------------------------


def left_behind(store: LineageStore, run: Run) -> tuple[list[str], list[str]]:
    """
    Return the files of the snapshot that a run changed, and what it made that the next snapshot would have, sorted.

    Only what was touched since the command began is read. What differs is looked at as git does, with its filters. All
    that is not ignored was in the snapshot, so what is new is looked for in the snapshot's own folders. A folder that
    is new ends in ``/``. In a checkout nothing is new: it goes away.
    """
    top, known = Path(run.folder), dict(store.ledger.repo.walk_tree(run.tree))
    changed = _changed(store, run.tree, known, top, run.began, filtered=not run.isolated)
    return changed, [] if run.isolated else sorted(store.ledger.repo.untracked(_new(known, top, run.began), PATTERNS))


def _new(known: Mapping[str, Entry], top: Path, since: float) -> list[str]:
    folders = {""} | {path[: at + 1] for path in known for at, sign in enumerate(path) if sign == "/"}
    paths = []
    for folder in folders:
        if not _is_touched(top / folder, since):
            continue
        with suppress(OSError), os.scandir(top / folder) as entries:
            for each in entries:
                is_folder = each.is_dir(follow_symlinks=False)
                name = f"{folder}{each.name}{'/' if is_folder else ''}"
                if name.removesuffix("/") in known or name in folders or name in (".git", ".git/"):
                    continue
                if _is_touched(top / name, since) and (not is_folder or _holds_files(top / name)):
                    paths.append(name)
    return sorted(paths)


def _holds_files(folder: Path) -> bool:
    return any(files for _, _, files in os.walk(folder))


def stands(store: LineageStore, tree: str) -> bool:
    """Whether the working tree has all files of a snapshot as they are there; what else it has does not matter."""
    top = store.ledger.repo.workdir
    return top is not None and not _changed(store, tree, dict(_files(store.ledger.repo, tree)), top, 0.0, filtered=True)


def _changed(
    store: LineageStore, tree: str, known: Mapping[str, Entry], top: Path, since: float, *, filtered: bool
) -> list[str]:
    files = ((path, entry) for path, entry in known.items() if entry.mode in _FILES)
    touched = [(path, entry) for path, entry in files if _is_touched(top / path, since)]
    paths = [path for path, entry in touched if not _has(top / path, entry)]
    if paths and filtered:
        repo = store.ledger.repo
        with repo.packing():  # nothing of it gets onto the disk
            now = dict(_files(repo, Content(repo).from_folder(top, [tree], everything=False).tree))
        paths = [path for path in paths if now.get(path) != known[path]]
    return sorted(paths)


def _files(repo: GitRepo, tree: str) -> Iterator[tuple[str, Entry]]:
    for path, entry in repo.walk_tree(tree):
        if entry.mode in _FILES:
            yield path, entry


def _is_touched(path: Path, since: float) -> bool:
    try:
        return os.lstat(path).st_ctime >= since - _SLACK
    except OSError:
        return True


def _has(path: Path, entry: Entry) -> bool:
    """Whether a file has the bytes and the mode of an entry."""
    try:
        if entry.mode == LINK:
            return path.is_symlink() and object_id("blob", os.fsencode(os.readlink(path))) == entry.oid
        if path.is_symlink() or bool(path.stat().st_mode & 0o100) != (entry.mode == PROGRAM):
            return False
        return object_id("blob", path.read_bytes()) == entry.oid
    except OSError:
        return False


def digests(folder: Path, paths: Sequence[str]) -> dict[str, str]:
    """Return what must not change as a digest for each path; one for all that a folder has, one for nothing."""
    return {path: _digest(folder / path) for path in paths}


def _digest(path: Path) -> str:
    sha = sha256()
    if path.is_dir():
        for folder, names, files in os.walk(path):
            names.sort()
            for name in sorted(files):
                file = os.path.join(folder, name)
                shown = os.fsencode(os.path.relpath(file, path))
                sha.update(shown + b"\0" + _digest(Path(file)).encode() + b"\n")
        return sha.hexdigest()
    try:
        with path.open("rb") as data:
            while part := data.read(_AT_ONCE):
                sha.update(part)
    except OSError:
        return ""
    return sha.hexdigest()
