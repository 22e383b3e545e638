"""
Git LFS: the pointers among a repository's objects, and the content behind them on its way there and back.

Git-lfs's own program moves content; what is here and what is not is looked up in its folder.
"""

import os
import re
from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gitlineage import scratch
from gitlineage.errors import GitFailed, StorageError
from gitlineage.git import program
from gitlineage.git.repository import GitRepo
from gitlineage.house import REMOTE
from gitlineage.text import counted

_POINTER = re.compile(
    rb"version https?://(git-lfs\.github\.com/spec/v1|hawser\.github\.com/spec/v1|git-media\.io/v/2)\n"
    rb"(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize (\d{1,18})\n?"
)
_MOST = 1024
"""Bytes that a pointer has at most."""

_NOTE = re.compile(r"[0-9a-f]{40}")
_AT_ONCE = 500
_PIECE = 1 << 20
_TOLD = 3

INSTALL = "on Debian `apt-get install git-lfs`"


class Pointer(NamedTuple):
    """What stands in a tree for a large file: the SHA-256 of its content, and its size; and where it was met."""

    oid: str
    size: int
    path: str

    @property
    def shown(self) -> str:
        """How it is named to people."""
        return f"{self.path} (LFS {self.oid[:12]}, {self.size:,} bytes)"


def is_installed() -> bool:
    """Whether git-lfs is there."""
    try:
        program.run(["lfs", "version"])
    except GitFailed:
        return False
    return True


def pointer_in(repo: GitRepo, blob: str, path: str) -> Pointer | None:
    """Return the pointer that a blob is, if it is one."""
    if repo.size(blob) >= _MOST:
        return None
    match = _POINTER.fullmatch(repo.read(blob))
    return Pointer(match[2].decode(), int(match[3]), path) if match else None


def pointers(repo: GitRepo, tips: Iterable[str], without: Iterable[str] = ()) -> list[Pointer]:
    """
    Return the pointers that some commits reach and others do not, files called by an oid, as notes are, left out.

    Args:
        without: commits or refs, of which those that are not here do not count.
    """
    listed = [*tips, *(f"^{each}" for each in without if repo.exists(each))]
    words = ["rev-list", "--objects", "--missing=allow-any", f"--filter=blob:limit={_MOST}", "--stdin"]
    told = _git(repo, words, "\n".join([*listed, ""]).encode()).decode("utf-8", "surrogateescape")
    by_oid: dict[str, Pointer] = {}
    for line in told.splitlines():
        blob, _, path = line.partition(" ")
        if not path or _NOTE.fullmatch(path.replace("/", "")) or not repo.exists(blob) or repo.kind(blob) != "blob":
            continue
        if (pointer := pointer_in(repo, blob, path)) is not None:
            by_oid.setdefault(pointer.oid, pointer)
    return list(by_oid.values())


def is_used(repo: GitRepo, tips: Iterable[str]) -> bool:
    """Whether any ``.gitattributes`` that some commits reach names LFS; without one, no text is a pointer."""
    words = ["rev-list", "--objects", "--missing=allow-any", "--stdin"]  # by paths it would pass merged lines over
    told = _git(repo, words, "\n".join([*tips, ""]).encode())
    ends = re.finditer(rb"\.gitattributes$", told, re.MULTILINE)  # a hundred thousand trials have many more lines
    starts = (told.rfind(b"\n", 0, each.start()) + 1 for each in ends)
    blobs = [told[at : at + 40].decode() for at in starts]
    return any(repo.exists(blob) and b"filter=lfs" in repo.read(blob, _PIECE) for blob in dict.fromkeys(blobs))


def filtered(repo: GitRepo, tree: str, paths: Collection[str]) -> set[str]:
    """Return those paths of a tree that its ``.gitattributes`` give to LFS, as git reads them."""
    with scratch.folder() as place:
        aside = {"GIT_INDEX_FILE": str(place / "index")}
        _git(repo, ["read-tree", tree], variables=aside)
        asked = b"".join(os.fsencode(path) + b"\0" for path in paths)
        told = _git(repo, ["check-attr", "--cached", "-z", "--stdin", "filter"], asked, variables=aside).split(b"\0")
    return {os.fsdecode(path) for path, value in zip(told[::3], told[2::3], strict=False) if value == b"lfs"}


# -- content here ----------------------------------------------------------------------------------------------------


def place(repo: GitRepo, pointer: Pointer) -> Path:
    """Return where git-lfs keeps a pointer's content."""
    told = repo.config("lfs.storage") or "lfs"
    return repo.commondir / told / "objects" / pointer.oid[:2] / pointer.oid[2:4] / pointer.oid


def is_here(repo: GitRepo, pointer: Pointer) -> bool:
    """Whether a pointer's content is here; that of an empty file always is."""
    try:
        return not pointer.size or place(repo, pointer).stat().st_size == pointer.size
    except OSError:
        return False


def copy(repo: GitRepo, pointer: Pointer, target: BinaryIO) -> None:
    """
    Write a pointer's content to a file.

    Raises:
        StorageError: it is not here, or is not what the pointer says.
    """
    if not pointer.size:
        return
    hashed = sha256()
    try:
        with place(repo, pointer).open("rb") as source:
            while piece := source.read(_PIECE):
                hashed.update(piece)
                target.write(piece)
    except FileNotFoundError as error:
        raise StorageError(f"the content of {pointer.shown} is not here") from error
    if hashed.hexdigest() != pointer.oid:
        raise StorageError(f"the content of {pointer.shown} here is damaged: delete {place(repo, pointer)}")


# -- content on its way ----------------------------------------------------------------------------------------------


def fetch(repo: GitRepo, tree: str, missing: Sequence[Pointer]) -> None:
    """
    Have git-lfs fetch the content of a tree's pointers.

    Raises:
        StorageError: it cannot, or is not installed.
    """
    if not is_installed():
        raise StorageError(f"{_named(missing)} not here, and git-lfs is not installed ({INSTALL})")
    names = repo.remotes()
    chosen = repo.config(REMOTE) or ("origin" if "origin" in names or not names else names[0])
    said = f"nor on {chosen}"
    try:
        _git(repo, ["lfs", "fetch", "--", chosen, tree])
    except GitFailed as error:  # perhaps about what only looks like a pointer, which nobody needs
        said = f"and git-lfs cannot fetch it: {_said(error)}"
    if left := [pointer for pointer in missing if not is_here(repo, pointer)]:
        raise StorageError(f"{_named(left)} not here, {said}")


def upload(repo: GitRepo, remote: str, wanted: Sequence[Pointer]) -> str:
    """
    Have git-lfs send content to a remote, and return why that cannot be done; empty where it was.

    Args:
        found: what to send; all of it is here.
    """
    if not wanted:
        return ""
    if not is_installed():
        return (
            f"it has {counted(len(wanted), 'LFS pointer')} whose content would be lost ({wanted[0].shown}), because "
            f"git-lfs is not installed; {INSTALL}"
        )
    target = f"file://{remote}" if os.path.isabs(remote) else remote
    oids = [pointer.oid for pointer in wanted]
    try:
        for at in range(0, len(oids), _AT_ONCE):
            _git(repo, ["lfs", "push", "--object-id", "--", target, *oids[at : at + _AT_ONCE]])
    except GitFailed as error:
        return f"the content of {counted(len(wanted), 'LFS pointer')} does not get there: {_said(error)}"
    return ""


def _named(wanted: Sequence[Pointer]) -> str:
    """Return whose content is meant, as the beginning of a sentence."""
    more = f" and {len(wanted) - _TOLD} more" if len(wanted) > _TOLD else ""
    return f"the content of {', '.join(pointer.shown for pointer in wanted[:_TOLD])}{more} is"


def _said(error: GitFailed) -> str:
    lines = [line.strip() for line in error.message.splitlines() if line.strip()]
    return "; ".join(line for line in lines[-_TOLD:] if not line.startswith(("Use `git lfs", "Errors logged")))


def _git(
    repo: GitRepo, words: Sequence[str], data: bytes | None = None, variables: dict[str, str] | None = None
) -> bytes:
    where = repo.workdir or repo.gitdir
    return program.run(["--git-dir", str(repo.gitdir), *words], cwd=where, data=data, variables=variables)
