"""
Keeping the object database small: git's own repacking, in the background when many packs have come together.

Layer 3. Nothing here reads or writes lineage; a writer never waits for it.
"""

import fcntl
import os
import shlex
import subprocess
from contextlib import suppress

from gitlineage.gitrepo import GitRepo
from gitlineage.program import environment

MANY_PACKS = 50
"""Packs that may lie side by side; `git gc --auto` uses the same number."""

_REPACK = ["repack", "--geometric=2", "-d", "--quiet", "--no-write-bitmap-index"]


def repack_if_many(repo: GitRepo) -> bool:
    """
    Let git roll small packs up into larger ones where many have come together, without waiting for it.

    Git config ``lineage.autoRepack = false`` turns it off.

    Returns:
        Whether it was started; not when another one is running.
    """
    folder = repo.commondir / "objects" / "pack"
    try:
        packs = sum(entry.name.endswith(".idx") for entry in os.scandir(folder))
    except OSError:
        return False
    if packs < MANY_PACKS or (repo.config("lineage.autoRepack") or "true").lower() in ("false", "no", "off", "0"):
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


def _start(repo: GitRepo, lock: int) -> None:
    """Start git in a session of its own; it inherits the lock and holds it until it is done."""
    command = shlex.join(["git", "--git-dir", str(repo.commondir), *_REPACK])
    subprocess.run(
        ["/bin/sh", "-c", f"exec {command} >/dev/null 2>&1 &"],
        stdin=subprocess.DEVNULL,
        env=environment(),
        pass_fds=[lock],
        start_new_session=True,
        check=False,
    )
