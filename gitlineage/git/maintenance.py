"""
Keeping the object database small: git's own repacking, in the background when many packs have come together.

Start at `tidy`, which a landing calls, and `maintain`, which a person does; a writer never waits for either.
"""

import fcntl
import os
import shlex
import subprocess
from contextlib import suppress
from itertools import islice, pairwise
from pathlib import Path

import msgspec

from gitlineage.errors import GitFailed, RepositoryError
from gitlineage.git import program
from gitlineage.git.refs import loose_refs
from gitlineage.git.repository import GitRepo
from gitlineage.house import AUTO_REPACK

MANY_PACKS = 80
"""Packs that may lie side by side before git is asked to roll them up, which takes it long in a large store."""

MANY_SMALL = 24
"""Packs of one size that may lie side by side before they are joined."""

MANY_REFS = 200
"""Refs that may have a file of their own before they are packed."""

_EACH = 4
"""Landings of one process between two looks at the packs; the first one looks."""

_SIZES = (0, 1 << 18, 1 << 23)
"""Bounds of the sizes (bytes) within which packs are joined: single landings, then what comes of joining them."""

_REPACK = ["repack", "--geometric=2", "-d", "--quiet", "--no-write-bitmap-index"]


def tidy(repo: GitRepo) -> None:
    """
    Let go of packs that killed writers were holding, and keep the number of packs small.

    A landing leaves a pack. When `MANY_SMALL` of a size have come together they are joined, which costs what copying
    them costs, however large the store is. When `MANY_PACKS` larger ones have, git repacks in the background.

    Only under the writers' lock, after a landing: then nobody holds a pack.
    """
    repo.landings += 1
    if repo.landings % _EACH != 1:
        return
    folder = repo.commondir / "objects" / "pack"
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError:
        return
    if any(name.endswith(".keep") for name in names):
        repo.release_abandoned()
    packs = [name.removesuffix(".idx") for name in names if name.endswith(".idx")]
    if len(packs) < MANY_SMALL or not _is_wanted(repo):
        return
    beside = {name.partition(".")[0] for name in names if not name.endswith((".idx", ".pack", ".rev"))}
    sizes = {name: _size(folder, name) for name in packs if name not in beside}
    for least, most in pairwise(_SIZES):
        with suppress(OSError):
            small = [name for name, size in sizes.items() if least <= size < most]
            if len(small) >= MANY_SMALL and repo.join_packs(small):
                return
    if len(packs) >= MANY_PACKS:
        repack(repo)


def _size(folder: Path, name: str) -> int:
    """Return a pack's size; one that git has taken away meanwhile is none of ours to join."""
    try:
        return os.stat(f"{folder}/{name}.pack").st_size
    except OSError:
        return -1


def _is_wanted(repo: GitRepo) -> bool:
    """Whether nobody turned repacking off; a value that git cannot read turns nothing off, for a landing is done."""
    with suppress(RepositoryError):
        return repo.flag(AUTO_REPACK, default=True)
    return True


def repack(repo: GitRepo) -> bool:
    """
    Start git rolling packs up into larger ones with deltas, unless it is turned off or running; nobody waits for it.

    The setting `house.AUTO_REPACK` turns it off.
    """
    if not _is_wanted(repo):
        return False
    with suppress(OSError):
        lock = repo.modes.open(repo.own / "repack.lock", os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _start(repo, lock)
            return True
        finally:
            os.close(lock)
    return False


def pack_refs(repo: GitRepo, prefix: str) -> None:
    """
    Have git pack the refs where many of those below a prefix have a file of their own, as its gc does.

    A fetch from many writers leaves so many, and each takes 4 KB and a look at every fetch. Where another git is at
    work on the refs, it is left for another time.
    """
    loose = islice(loose_refs(str(repo.commondir), prefix), MANY_REFS)
    if sum(1 for _ in loose) == MANY_REFS and repo.flag("gc.packRefs", default=True):
        with suppress(GitFailed):
            program.run(["--git-dir", str(repo.commondir), "pack-refs", "--all"])


class Saving(msgspec.Struct, frozen=True, kw_only=True):
    """What maintenance changed: objects in files of their own, packs, and bytes on disk, before and after."""

    loose_before: int
    loose_after: int
    packs_before: int
    packs_after: int
    bytes_before: int
    bytes_after: int


def maintain(repo: GitRepo) -> Saving:
    """
    Repack everything with git, write its commit graph and pack its refs; nothing that exists is thrown away.

    Landings are packed without deltas, and git looks for none between objects of one pack unless told to look anew
    (``-f``), so it is. Writers may go on meanwhile.

    Raises:
        GitFailed: git could not.
    """
    before = _counts(repo)
    for words in (
        ["repack", "-a", "-d", "-f", "--keep-unreachable", "--quiet"],
        ["commit-graph", "write", "--reachable", "--no-progress"],
        ["pack-refs", "--all"],
    ):
        program.run(["--git-dir", str(repo.commondir), *words])
    after = _counts(repo)
    return Saving(
        loose_before=before["count"],
        loose_after=after["count"],
        packs_before=before["packs"],
        packs_after=after["packs"],
        bytes_before=1024 * (before["size"] + before["size-pack"]),
        bytes_after=1024 * (after["size"] + after["size-pack"]),
    )


def _counts(repo: GitRepo) -> dict[str, int]:
    """Return what git says of its objects: how many, in how many packs, in how many KiB."""
    out = program.run(["--git-dir", str(repo.commondir), "count-objects", "-v"]).decode()
    pairs = (line.split(": ", 1) for line in out.splitlines() if ": " in line)
    return {key: int(value) for key, value in pairs if value.isdecimal()}


def _start(repo: GitRepo, lock: int) -> None:
    """Start git in a session of its own; it inherits the lock and holds it until it is done."""
    command = shlex.join(["git", "--git-dir", str(repo.commondir), *_REPACK])
    subprocess.run(
        ["/bin/sh", "-c", f"exec {command} >/dev/null 2>&1 &"],
        stdin=subprocess.DEVNULL,
        env=program.environment(),
        pass_fds=[lock],
        start_new_session=True,
        check=False,
    )
