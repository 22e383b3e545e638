"""
Writing a snapshot's tree into a folder, safely whoever made the tree.

The whole tree is looked at before anything is written, and what is written cannot be led out of the folder,
because every step holds the folder that it is in by descriptor.
"""

import os
import re
import shutil
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from gitlineage.bounds import MAX_CHECKOUT, MAX_DEPTH, MAX_ENTRIES, MAX_TREE
from gitlineage.errors import InvalidContent, RepositoryError, StorageError
from gitlineage.git import lfs
from gitlineage.git.content import check_path, size_setting
from gitlineage.git.folders import not_portable
from gitlineage.git.formats import FILE, LINK, PROGRAM, SUBMODULE, TREE, Entry, tree_entries
from gitlineage.git.repository import GitRepo
from gitlineage.house import MAX_CHECKOUT_SIZE

_MAX_NAME = 255
_MAX_TARGET = 4095
_MAX_JUMPS = 40
_GROUP_WRITABLE = 0o100664
"""A mode of files that very old gits wrote."""

_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:")


class Written(msgspec.Struct, frozen=True):
    """What a checkout wrote: where to, how many files and links, and their size."""

    folder: str
    files: int
    bytes: int


class _Plan(msgspec.Struct):
    """A tree that was looked at: folders before what they hold, files, links and where these lead, LFS pointers."""

    folders: list[tuple[str, ...]] = []
    files: list[tuple[tuple[str, ...], str, bool]] = []
    links: dict[tuple[str, ...], str] = {}
    pointers: dict[tuple[str, ...], lfs.Pointer] = {}
    bytes: int = 0


def checkout(repo: GitRepo, tree: str, folder: Path, *, limit: int | None = None, own: bool = False) -> Written:
    """
    Write a tree into a new or empty folder, all of it or nothing.

    Args:
        own: whether it was just taken from the user's working tree, whose links may lead anywhere; submodules are left
            out.
        limit: bytes that the files may have together; by default the setting `house.MAX_CHECKOUT_SIZE`.

    Raises:
        InvalidContent: the tree holds what must not be written, or the folder is not empty; nothing was written.
        StorageError: the disk refused, or LFS has not the content of a large file; what had been written is gone again.
    """
    most = size_setting(repo, MAX_CHECKOUT_SIZE, MAX_CHECKOUT) if limit is None else limit
    plan = _look(repo, tree, most, submodules=own, own=own)
    _find_content(repo, tree, plan, most)
    with _target(folder) as root:
        for path in plan.folders:
            with _inside(root, path[:-1]) as at:
                os.mkdir(path[-1], dir_fd=at)
        for path, blob, executable in plan.files:
            with _inside(root, path[:-1]) as at, _made(at, path[-1], executable) as file:
                if (pointer := plan.pointers.get(path)) is not None:
                    lfs.copy(repo, pointer, file)
                else:
                    file.write(repo.read(blob, most or 1))
        for path, leads in plan.links.items():
            with _inside(root, path[:-1]) as at:
                os.symlink(leads, path[-1], dir_fd=at)
    return Written(folder=str(folder), files=len(plan.files) + len(plan.links), bytes=plan.bytes)


def check(repo: GitRepo, tree: str, there: Mapping[str, Entry] | None = None) -> None:
    """
    Refuse a tree that holds what must not be written; submodules are left to who writes it.

    Args:
        there: what is on the disk already, by path: what stays as it is, is the user's own and need not be safe.

    Raises:
        InvalidContent: it does.
    """
    _look(repo, tree, size_setting(repo, MAX_CHECKOUT_SIZE, MAX_CHECKOUT), submodules=True, there=there or {})


# -- looking ---------------------------------------------------------------------------------------------------------


def _look(
    repo: GitRepo,
    tree: str,
    limit: int,
    *,
    submodules: bool = False,
    there: Mapping[str, Entry] | None = None,
    own: bool = False,
) -> _Plan:
    """Return what there is to write; refuse a tree that holds anything which must not be written."""
    repo.bring_below([tree])
    plan = _Plan()
    stack: list[tuple[tuple[str, ...], str]] = [((), tree)]
    count = 0
    while stack:
        above, oid = stack.pop()
        taken: dict[str, str] = {}
        for name, entry in _entries(repo, oid):
            path = (*above, name)
            shown = "/".join(path)
            count += 1
            if count > MAX_ENTRIES:
                raise InvalidContent(shown, f"is one of more than {MAX_ENTRIES:,} files and folders")
            stays = there is not None and there.get(shown) == entry
            if not stays:
                _check_name(shown, name)
            if (other := taken.get(_key(name))) is not None:
                same = "is there twice" if other == name else f"is {other!r} too, where case or accents do not count"
                raise InvalidContent(shown, same)
            taken[_key(name)] = name
            if stays:
                continue
            if entry.mode == TREE:
                if len(path) > MAX_DEPTH:
                    raise InvalidContent(shown, f"lies in {MAX_DEPTH} folders or more")
                plan.folders.append(path)
                stack.append((path, entry.oid))
            elif entry.mode in (FILE, PROGRAM, _GROUP_WRITABLE):
                plan.bytes += _size(repo, shown, entry.oid)
                plan.files.append((path, entry.oid, entry.mode == PROGRAM))
                if (pointer := lfs.pointer_in(repo, entry.oid, shown)) is not None:
                    plan.pointers[path] = pointer
            elif entry.mode == LINK:
                plan.bytes += _size(repo, shown, entry.oid)
                plan.links[path] = _leads(repo, shown, entry.oid, own)
            elif entry.mode == SUBMODULE and submodules:
                continue
            elif entry.mode == SUBMODULE:
                raise InvalidContent(shown, "is a submodule, whose content is in another repository")
            else:
                raise InvalidContent(shown, f"has the mode {entry.mode:o}, which is none of a file, folder or link")
            _check_limit(shown, plan.bytes, limit)
    if not own:
        _check_links(plan.links)
    return plan


def _check_limit(shown: str, size: int, limit: int) -> None:
    if size > limit:
        raise InvalidContent(
            shown,
            f"is where the files are over {limit:,} bytes together; git config {MAX_CHECKOUT_SIZE} raises the limit",
        )


def _find_content(repo: GitRepo, tree: str, plan: _Plan, limit: int) -> None:
    """Keep those pointers that LFS is to fill, and have their content here, fetched where it is not."""
    if not plan.pointers:
        return
    smudged = lfs.filtered(repo, tree, [pointer.path for pointer in plan.pointers.values()])
    plan.pointers = {path: pointer for path, pointer in plan.pointers.items() if pointer.path in smudged}
    for pointer in plan.pointers.values():
        plan.bytes += pointer.size
        _check_limit(pointer.path, plan.bytes, limit)
    if missing := [pointer for pointer in plan.pointers.values() if not lfs.is_here(repo, pointer)]:
        lfs.fetch(repo, tree, missing)


def _entries(repo: GitRepo, tree: str) -> Iterator[tuple[str, Entry]]:
    """Return a tree's entries, also those whose names come twice."""
    if repo.kind(tree) != "tree":
        raise RepositoryError(f"{tree} is a {repo.kind(tree)}, not a tree")
    try:
        yield from tree_entries(repo.read(tree, MAX_TREE))
    except ValueError as error:
        raise RepositoryError(f"cannot read tree {tree}: {error}") from error


def _size(repo: GitRepo, shown: str, oid: str) -> int:
    if (kind := repo.kind(oid)) != "blob":
        raise InvalidContent(shown, f"is to be a file and is a {kind}")
    return repo.size(oid)


def _check_name(shown: str, name: str) -> None:
    """Refuse a name that leads elsewhere, or that some file system gives a meaning of its own."""
    if "/" in name:
        raise InvalidContent(shown, "has a name with a slash")
    check_path(name)
    if len(os.fsencode(name)) > _MAX_NAME:
        raise InvalidContent(shown, f"has a name of more than {_MAX_NAME} bytes")
    if wrong := not_portable(name):
        raise InvalidContent(shown, wrong)


def _key(name: str) -> str:
    """Return what a name is where neither case nor the spelling of accents counts."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def _leads(repo: GitRepo, shown: str, oid: str, own: bool) -> str:
    """Return where a link leads to, as it says."""
    if repo.size(oid) > _MAX_TARGET:
        raise InvalidContent(shown, "is a link that leads to no path")
    leads = os.fsdecode(repo.read(oid))
    if not leads or "\0" in leads:
        raise InvalidContent(shown, "is a link that leads to no path")
    if not own and _ABSOLUTE.match(leads):
        why = "is a link to an absolute path, which may lead anywhere on this machine"
        raise InvalidContent(shown, f"{why}; `git worktree add DIR COMMIT` writes it as git does")
    return leads


def _check_links(links: Mapping[tuple[str, ...], str]) -> None:
    """Refuse links that lead out of the folder, by themselves or through each other, or into a folder of git's."""
    by_key = {tuple(map(_key, path)): leads for path, leads in links.items()}
    for path, leads in links.items():
        shown = "/".join(path)
        at = [*map(_key, path[:-1])]
        todo = leads.split("/")[::-1]
        jumps = 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if not at:
                    raise InvalidContent(shown, "is a link that leads out of the folder")
                at.pop()
                continue
            try:
                check_path(part)
            except InvalidContent as error:
                raise InvalidContent(shown, f"is a link; its target {error.reason}") from error
            at.append(_key(part))
            if (further := by_key.get(tuple(at))) is not None:
                jumps += 1
                if jumps > _MAX_JUMPS:
                    raise InvalidContent(shown, "is a link that leads through too many others")
                at.pop()
                todo += further.split("/")[::-1]


# -- writing ---------------------------------------------------------------------------------------------------------


@contextmanager
def _target(folder: Path) -> Iterator[int]:
    """Give a new or empty folder as a descriptor; whatever is in it goes away when something fails."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.mkdir(folder)
            ours = True
        except FileExistsError:
            ours = False
        root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (os.O_NOFOLLOW if ours else 0))
    except OSError as error:
        raise StorageError(f"cannot write to {folder}: {error.strerror}; nothing was written") from error
    try:
        if os.listdir(root):
            raise InvalidContent(str(folder), "is not empty; a checkout needs a new or empty folder")
        try:
            yield root
        except BaseException as error:
            _empty(root)
            if ours:
                with suppress(OSError):
                    os.rmdir(folder)
            if isinstance(error, OSError):
                raise StorageError(f"cannot write to {folder}: {error.strerror}; it is as it was") from error
            raise
    finally:
        os.close(root)


def _empty(root: int) -> None:
    """Remove what is in a folder, without following any link."""
    for name in os.listdir(root):
        with suppress(OSError):
            try:
                os.unlink(name, dir_fd=root)
            except OSError:  # a folder: Linux and macOS do not agree on how they say so
                shutil.rmtree(name, ignore_errors=True, dir_fd=root)


@contextmanager
def _inside(root: int, path: tuple[str, ...]) -> Iterator[int]:
    """Give a folder below another as a descriptor; a link on the way is an error."""
    at = os.dup(root)
    try:
        for name in path:
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = below
        yield at
    finally:
        os.close(at)


def _made(at: int, name: str, executable: bool) -> BinaryIO:
    """Open a file to be written that must not be there yet."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(name, flags, 0o777 if executable else 0o666, dir_fd=at), "wb")
