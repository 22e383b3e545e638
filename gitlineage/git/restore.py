"""
A snapshot's files back in the working tree, in place of what is there; HEAD, the branches and the index stay.

Git does it, through an index of its own: with its filters, and with a last look at each file before it is
replaced. What is in no tree, as ignored files are, is left alone.
"""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from gitlineage import scratch
from gitlineage.errors import GitFailed, Invalid, RepositoryError
from gitlineage.git import program
from gitlineage.git.checkout import check
from gitlineage.git.repository import GitRepo

_SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.sparseCheckout": "false",
    "core.splitIndex": "false",
    "core.untrackedCache": "false",
}
_NAMED = 4


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was done to a working tree.

    Args:
        folder: the working tree.
        oid: the snapshot that it has now.
        written: how many files were written.
        removed: how many files were removed.
        was: the tree of what was there before, as `commit` would have recorded it.
    """

    folder: str
    oid: str
    written: int
    removed: int
    was: str


def restore(repo: GitRepo, oid: str, now: str, target: str, *, force: bool = False) -> Restored:
    """
    Make a working tree's files those of another tree.

    Args:
        repo: the repository; not a bare one.
        oid: the snapshot that the target is of.
        now: the tree of what is there, just taken from it.
        target: the tree to be there.
        force: whether files that are in no tree may be replaced where the target has one of the same name.

    Raises:
        InvalidContent: the target holds what must not be written; nothing was changed.
        Invalid: a file that is in no tree is in the way; nothing was changed.
        RepositoryError: the files changed meanwhile, or git could not write one.
    """
    if repo.workdir is None:
        raise Invalid("a bare repository has no working tree; name a folder to write the snapshot to")
    before = dict(repo.walk_tree(now))
    check(repo, target, before)
    after = dict(repo.walk_tree(target))
    if not force and (taken := list(_in_the_way(repo.workdir, before, after))):
        more = f" and {len(taken) - _NAMED} more" if len(taken) > _NAMED else ""
        raise Invalid(
            f"{', '.join(taken[:_NAMED])}{more} would be replaced and is in no snapshot; move it away, or --force"
        )
    with scratch.folder() as aside:
        git = _Git(repo, aside / "index")
        git("read-tree", now)
        git("update-index", "-q", "--really-refresh", fails=True)
        try:
            git("read-tree", *(["--reset", "-u", target] if force else ["-m", "-u", now, target]))
        except GitFailed as error:
            raise RepositoryError(f"the files changed meanwhile, or cannot be written: {error.message}") from error
    return Restored(
        folder=str(repo.workdir),
        oid=oid,
        written=sum(before.get(path) != entry for path, entry in after.items()),
        removed=len(before.keys() - after.keys()),
        was=now,
    )


def _in_the_way(top: Path, before: Collection[str], after: Collection[str]) -> Iterator[str]:
    """Return the files on the disk that are in no tree and where, or below where, the target has a file."""
    seen: set[Path] = set()
    for path in after:
        if path in before:
            continue
        place = top / path
        if place.is_symlink() or place.is_file():
            yield path
        elif place.is_dir():
            below = (Path(root, name) for root, _, names in os.walk(place) for name in names)
            yield from (each for file in below if (each := file.relative_to(top).as_posix()) not in before)
        for above in place.relative_to(top).parents:
            if above in seen or above == Path():
                continue
            seen.add(above)
            is_file = (top / above).is_symlink() or (top / above).is_file()
            if is_file and above.as_posix() not in before:
                yield above.as_posix()


class _Git:
    """The git program on a working tree, with an index of its own."""

    def __init__(self, repo: GitRepo, index: Path) -> None:
        self._top = repo.workdir
        self._variables = {
            "GIT_DIR": str(repo.gitdir),
            "GIT_WORK_TREE": str(repo.workdir),
            "GIT_INDEX_FILE": str(index),
        }

    def __call__(self, *words: str, fails: bool = False) -> None:
        settings = [word for key, value in _SETTINGS.items() for word in ("-c", f"{key}={value}")]
        try:
            program.run([*settings, *words], cwd=self._top, variables=self._variables)
        except GitFailed:
            if not fails:
                raise
