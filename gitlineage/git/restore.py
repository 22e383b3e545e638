"""
A snapshot's files back in the working tree, in place of what is there; HEAD, the branches and the index stay.

Git does it, through an index of its own: with its filters, and with a last look at each file before it is
replaced. What is in no tree, as ignored files are, is left alone.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from gitlineage import scratch
from gitlineage.errors import GitFailed, Invalid, RepositoryError, WouldLose
from gitlineage.git import program
from gitlineage.git.checkout import check
from gitlineage.git.formats import SUBMODULE, Entry
from gitlineage.git.repository import GitRepo
from gitlineage.text import some

_SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.sparseCheckout": "false",
    "core.splitIndex": "false",
    "core.untrackedCache": "false",
    "submodule.recurse": "false",
}
_UNWRITTEN = "unable to "
"""How git begins what it says of a file that it cannot write; of others it has written what it could by then."""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was done to a working tree.

    Args:
        folder: the working tree.
        oid: the snapshot that it has now.
        written: how many files were written.
        removed: how many files were removed.
        was: the tree of what was there before, as `commit` would have recorded it.
        left: what the snapshot does not have and git could not remove: files of folders that cannot be written to, and
            repositories inside, which git leaves to themselves.
        elsewhere: the repositories inside of which the snapshot has another commit, and that one; they are not moved.
        unignored: files that an ignore file told git to ignore which the snapshot does not have, so that the next
            `commit` takes them.
        noted: whether it could be noted that the next `commit` counts from this snapshot.
    """

    folder: str
    oid: str
    written: int
    removed: int
    was: str
    left: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = {}
    unignored: tuple[str, ...] = ()
    noted: bool = True


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
        WouldLose: a file that is in no tree is in the way; nothing was changed.
        RepositoryError: the files changed meanwhile, so nothing was changed; or git could not write all of them.
    """
    if repo.workdir is None:
        raise Invalid("a bare repository has no working tree; name a folder to write the snapshot to")
    before = dict(repo.walk_tree(now))
    if absent := away(repo):
        target = _with_absent(repo, target, before, absent)
    check(repo, target, before)
    after = dict(repo.walk_tree(target))
    if not force and (taken := list(_in_the_way(repo.workdir, before, after))):
        raise WouldLose(taken, f"{some(taken)} would be replaced and is in no snapshot; move it away, or --force")
    with scratch.folder() as aside:
        git = _Git(repo, aside / "index")
        git("read-tree", now)
        git("update-index", "-q", "--really-refresh", fails=True)
        try:
            git("read-tree", *(["--reset", "-u", target] if force else ["-m", "-u", now, target]))
        except GitFailed as error:
            why = "not all of them could be written" if _UNWRITTEN in error.message else "the files changed meanwhile"
            raise RepositoryError(f"{why}: {error.message}") from error
    gone, left = before.keys() - after.keys(), _left(repo.workdir, before, after)
    return Restored(
        folder=str(repo.workdir),
        oid=oid,
        written=sum(before.get(path) != entry for path, entry in after.items() if entry.mode != SUBMODULE),
        removed=sum(before[path].mode != SUBMODULE for path in gone.difference(left)),
        was=now,
        left=left,
        elsewhere={
            path: entry.oid for path, entry in after.items() if entry.mode == SUBMODULE and before.get(path) != entry
        },
    )


def away(repo: GitRepo) -> frozenset[str]:
    """Return the paths of the files that a sparse checkout leaves away, as the user's index has them."""
    if repo.workdir is None or not repo.flag("core.sparseCheckout"):
        return frozenset()
    lines = _Git(repo, Path(repo.gitdir) / "index")("ls-files", "-z", "-t").split(b"\0")
    paths = (os.fsdecode(line[2:]) for line in lines if line.startswith(b"S "))
    return frozenset(path for path in paths if not os.path.lexists(repo.workdir / path))


def _with_absent(repo: GitRepo, tree: str, before: Mapping[str, Entry], absent: Collection[str]) -> str:
    """Return a tree with the files that are left away as they are in what is there, so that none is written."""
    none = Entry(0, "0" * 40)
    entries = [(before.get(path, none), path) for path in sorted(absent)]
    told = "".join(f"{entry.mode:o} {entry.oid}\t{path}\0" for entry, path in entries)
    with scratch.folder() as aside:
        git = _Git(repo, aside / "index")
        git("read-tree", tree)
        git("update-index", "-z", "--index-info", data=os.fsencode(told))
        return git("write-tree").decode().strip()


def changes(repo: GitRepo, old: str, new: str) -> list[str]:
    """
    Return the paths of the files that two trees do not have alike, sorted.

    What only tells of a repository inside does not count: git leaves that to itself, so a restore loses nothing of it.
    """
    before, after = dict(repo.walk_tree(old)), dict(repo.walk_tree(new))
    paths = []
    for path in before.keys() | after.keys():
        sides = before.get(path), after.get(path)
        if sides[0] != sides[1] and not all(each is None or each.mode == SUBMODULE for each in sides):
            paths.append(path)
    return sorted(paths)


def _left(top: Path, before: Mapping[str, Entry], after: Mapping[str, Entry]) -> tuple[str, ...]:
    """Return what should not be there any more and is: git warns of it and goes on."""
    left = sorted(path for path in before.keys() - after.keys() if os.path.lexists(top / path))
    folders = {str(above) for path in after for above in PurePosixPath(path).parents} if left else set()
    return tuple(path for path in left if path not in folders)


def _in_the_way(top: Path, before: Collection[str], after: Mapping[str, Entry]) -> Iterator[str]:
    """Return the files on the disk that are in no tree and where, or below where, the target has a file."""
    seen: set[Path] = set()
    for path, entry in after.items():
        place = top / path
        if path in before or (entry.mode == SUBMODULE and place.is_dir()):
            continue
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

    def __call__(self, *words: str, fails: bool = False, data: bytes | None = None) -> bytes:
        settings = [word for key, value in _SETTINGS.items() for word in ("-c", f"{key}={value}")]
        try:
            return program.run([*settings, *words], cwd=self._top, variables=self._variables, data=data)
        except GitFailed:
            if not fails:
                raise
            return b""
