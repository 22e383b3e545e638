"""
Keeping the object database small: git's own repacking, in the background when many packs have come together.

Layer 3. Nothing here reads or writes lineage; a writer never waits for it.
"""

import fcntl
import os
import shlex
import subprocess
from contextlib import suppress

import msgspec

from gitlineage import program
from gitlineage.gitrepo import GitRepo

MANY_PACKS = 50
"""Packs that may lie side by side; `git gc --auto` uses the same number."""

_REPACK = ["repack", "--geometric=2", "-d", "--window=0", "--quiet", "--no-write-bitmap-index"]
"""Rolling up joins packs without looking for deltas, so that it takes moments; `maintain` looks for them."""


def tidy(repo: GitRepo) -> bool:
    """
    Let go of packs that killed writers were holding, and have small packs rolled up where many have come together.

    Only under the writers' lock, after a landing: then nobody holds a pack. Git config ``lineage.autoRepack = false``
    turns the repacking off; nobody waits for it.

    Returns:
        Whether a repacking was started; not when one is running.
    """
    try:
        names = [entry.name for entry in os.scandir(repo.commondir / "objects" / "pack")]
    except OSError:
        return False
    if any(name.endswith(".keep") for name in names):
        repo.release_abandoned()
    return sum(name.endswith(".idx") for name in names) >= MANY_PACKS and repack(repo)


def repack(repo: GitRepo) -> bool:
    """Start rolling small packs up into larger ones, unless it is turned off or running."""
    if (repo.config("lineage.autoRepack") or "true").lower() in ("false", "no", "off", "0"):
        return False
    with suppress(OSError):
        lock = os.open(repo.commondir / "lineage" / "repack.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _start(repo, lock)
            return True
        finally:
            os.close(lock)
    return False


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

    Writers may go on meanwhile.

    Raises:
        GitFailed: git could not.
    """
    before = _counts(repo)
    for words in (
        ["repack", "-a", "-d", "--keep-unreachable", "--quiet"],
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
