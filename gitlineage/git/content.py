"""
Content on its way into a tree: a folder as ``git add -A`` sees it, a mapping, a revision; and out of it again.

What of a folder is content is decided in `folders`; the user's index, HEAD and files are never touched.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from gitlineage import scratch
from gitlineage.bounds import MAX_BLOB
from gitlineage.errors import GitFailed, Invalid, InvalidContent, MissingObject, StorageError, TooMuch
from gitlineage.git import program
from gitlineage.git.folders import Place, Taken, Taker
from gitlineage.git.formats import FILE, LINK, PROGRAM, SUBMODULE, TREE, Entry, format_tree, parse_tree
from gitlineage.git.modes import Modes
from gitlineage.git.packs import LooseObjects, object_id
from gitlineage.git.repository import GitRepo
from gitlineage.git.warm import Warm
from gitlineage.house import INCLUDE, MAX_FILE_SIZE

DEFAULT_LIMIT = 50 * 1024 * 1024
"""The largest file that a snapshot takes (bytes), unless git's configuration says otherwise."""

_GIT_NAMES = re.compile(r"\.git|git~\d+", re.IGNORECASE)
_PLAIN = re.compile(r"[\w-][\w/-]*(\.[\w-]+)?", re.ASCII)
"""Paths that are fine at a glance: no part of them but the last has a dot, and that one has it within."""

_IGNORABLE = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_SIZE = re.compile(r"(\d+)([kmg]?)", re.IGNORECASE)


class Content:
    """
    Writes content into one repository's object database.

    Args:
        limit: the largest file that is taken, in bytes; from git's configuration by default.
        hear: is told what a folder gave, and what of it is not in its tree.
        kept: a folder beside the working tree's own git files, where an index outlives one snapshot.
    """

    def __init__(
        self,
        repo: GitRepo,
        limit: int | None = None,
        hear: Callable[[Taken], None] | None = None,
        kept: Path | None = None,
    ) -> None:
        self._repo = repo
        self._kept = kept
        self._hear = hear
        self._limit = limit

    @property
    def limit(self) -> int:
        """The largest file that is taken, in bytes; read from the configuration when it is first needed."""
        if self._limit is None:
            self._limit = size_setting(self._repo, MAX_FILE_SIZE, DEFAULT_LIMIT)
        return self._limit

    def from_mapping(self, files: Mapping[str, bytes], near: Sequence[str] = ()) -> str:
        """
        Write files given by path and return their tree.

        Args:
            files: content by path.
            near: trees that are sure to stay, as those of parents; what they hold at the same path is not written
                again. Anything else is, for what merely exists may be pruned before a ref leads to it.

        Raises:
            InvalidContent: a path that leads outside, names ``.git``, or is a file and a folder at once; a file over
                the limit.
        """
        root: dict[str, object] = {}
        limit = self.limit
        for path, data in files.items():
            if not isinstance(data, bytes):
                raise InvalidContent(path, f"must be bytes, not {type(data).__name__}")
            if len(data) > limit:
                self._check_size(path, len(data))
            *folders, name = check_path(path)
            at = root
            for folder in folders:
                below = at.setdefault(folder, {})
                if not isinstance(below, dict):
                    raise InvalidContent(path, f"is inside {folder!r}, which is a file")
                at = below
            if name in at:
                raise InvalidContent(path, "is a file and a folder at once")
            at[name] = data
        return self._write(root, near)

    def _write(self, folder: Mapping[str, object], near: Sequence[str]) -> str:
        known = [self._repo.read_tree(tree) for tree in near]
        entries = {}
        for name, item in folder.items():
            there = [at[name] for at in known if name in at]
            if isinstance(item, dict):
                entries[name] = Entry(TREE, self._write(item, _folders(there)))
            elif isinstance(item, bytes):
                oid = object_id("blob", item)
                if all(entry.oid != oid for entry in there):
                    self._repo.write_object("blob", item, oid)
                entries[name] = Entry(FILE, oid)
        raw = format_tree(entries)
        oid = object_id("tree", raw)
        if oid not in near:
            self._repo.write_object("tree", raw, oid)
        return oid

    def from_revision(self, rev: str) -> str | None:
        """Return the tree that a revision names, ``None`` where it names none; its paths and sizes are checked."""
        tree = self._repo.resolve_tree(rev)
        if tree is not None:
            self._check_tree(tree)
        return tree

    def from_folder(self, folder: Path, near: Sequence[str] = (), *, everything: bool = True) -> Taken:
        """
        Write a folder as ``git add -A`` with a fresh index would see it; what is not in the tree is told.

        Inside the working tree all its ignore rules and attributes hold; elsewhere those inside the folder and the
        user's own.

        Args:
            folder: where the files are.
            near: as for `from_mapping`.
            everything: whether untracked files are taken that are plainly no recipe.

        Raises:
            InvalidContent: no such folder; a file over the limit; a repository without a commit in it.
            StorageError: git could not write it.
        """
        if not folder.is_dir():
            raise InvalidContent(str(folder), "is not a folder")
        folder = folder.resolve()
        repo = self._repo
        root = repo.workdir.resolve() if repo.workdir else None
        inside = root is not None and folder.is_relative_to(root) and not self._is_ignored(root, folder)
        top = root if root is not None and inside else folder
        place = Place(
            top=top,
            below=folder.relative_to(top).as_posix(),
            gitdir=repo.gitdir,
            commondir=repo.commondir,
            tracked=inside,
        )
        warm = self._warm(top) if inside and folder == root else None
        try:
            taken = self._taken(place, near, everything, warm)
        except (GitFailed, MissingObject):
            if warm is None:
                raise
            warm.forget()  # what it builds on may have been pruned
            taken = self._taken(place, near, everything, None)
        limit = self.limit
        for path, size in taken.sizes.items():
            if not _PLAIN.fullmatch(path):
                check_path(path)
            if size > limit:
                self._check_size(path, size)
        if self._hear is not None:
            self._hear(taken)
        return taken

    def _warm(self, top: Path) -> Warm | None:
        """Return the index that is kept for the working tree, where one can be."""
        if self._kept is None:
            return None
        warm = Warm(self._kept, Modes(self._repo.config("core.sharedRepository")))
        if not warm.usable(top):
            return None
        warm.drop(oid for oid in warm.held() if self._repo.exists(oid))
        return warm

    def _taken(self, place: Place, near: Sequence[str], everything: bool, warm: Warm | None) -> Taken:
        repo = self._repo
        keeps_modes = repo.flag("core.fileMode", default=True) and repo.flag("core.symlinks", default=True)
        with scratch.folder(None if warm is None else self._kept) as aside:
            (aside / "objects").mkdir()
            loose = LooseObjects(aside / "objects", *([] if warm is None else [warm.objects]))
            taker = Taker(
                place,
                aside,
                limit=self.limit,
                size=lambda oid: repo.size(oid) if (size := loose.size(oid)) is None else size,
                include=None if everything else repo.configs(INCLUDE),
                refuses_crlf=(repo.config("core.safecrlf") or "").lower() in ("true", "yes", "on", "1"),
                keeps_modes=keeps_modes,
                ignores_case=repo.flag("core.ignoreCase"),
                warm=warm,
            )
            try:
                taken = taker(self._refuse_large)
            except GitFailed as error:
                if "unable to write" in error.message or "No space" in error.message or "denied" in error.message:
                    raise StorageError(f"{error}; nothing was recorded") from error
                raise
            if not taken.tree:
                taken = msgspec.structs.replace(taken, tree=repo.empty_tree())
            else:
                self._take("", taken.tree, near, taker.trees, loose, self._at_head(place))
            taker.keep()
        return taken

    def _at_head(self, place: Place) -> list[str]:
        """Return the tree of the user's HEAD for a folder, where it has one: what git itself keeps."""
        rev = "HEAD^{tree}" if place.below == "." else f"HEAD:{place.below}"
        tree = self._repo.resolve_tree(rev) if place.tracked else None
        return [tree] if tree is not None and self._repo.exists(tree) else []

    def _take(
        self,
        folder: str,
        tree: str,
        near: Sequence[str],
        trees: Mapping[str, bytes],
        loose: LooseObjects,
        head: Sequence[str],
    ) -> None:
        """
        Write what a folder's tree has and no near one has at the same path, from git's scratch objects or from our own.

        Args:
            trees: content of all trees by folder.
            head: the user's own tree for it, if any; what that has at the same path is written only if it is not here.
        """
        if tree in near:
            return
        repo = self._repo
        known = [repo.read_tree(other) for other in near]
        kept = [repo.read_tree(other) for other in head if repo.exists(other)]
        for name, entry in parse_tree(trees[folder]).items():
            there = [at[name] for at in known if name in at]
            same = [at[name] for at in kept if name in at]
            if entry.mode == TREE:
                below = f"{folder}/{name}" if folder else name
                self._take(below, entry.oid, _folders(there), trees, loose, _folders(same))
            elif entry.mode == SUBMODULE or entry.oid in _oids(there):
                continue
            elif entry.oid not in _oids(same) or not repo.exists(entry.oid):
                data = loose.read(entry.oid)
                repo.write_object("blob", repo.read(entry.oid) if data is None else data, entry.oid)
        if tree not in head or not repo.exists(tree):
            repo.write_object("tree", trees[folder], tree)

    def _is_ignored(self, root: Path, folder: Path) -> bool:
        """Whether the rules above a folder ignore it; asked for by name, it is taken all the same."""
        if folder == root:
            return False
        variables = {"GIT_DIR": str(self._repo.gitdir), "GIT_WORK_TREE": str(root)}
        try:
            return bool(program.run(["check-ignore", "--", str(folder)], cwd=root, variables=variables))
        except GitFailed:
            return False

    def _refuse_large(self, taker: Taker, large: Mapping[str, int]) -> None:
        """Refuse an oversized file before git copies it, unless a filter such as LFS will shrink it."""
        filtered = taker.filtered(large)
        for path, size in large.items():
            if path not in filtered:
                self._check_size(path, size)

    def _check_tree(self, tree: str) -> None:
        for path, entry in self._repo.walk_tree(tree):
            check_path(path)
            if entry.mode in (FILE, PROGRAM):
                self._check_size(path, self._repo.size(entry.oid))

    def _check_size(self, path: str, size: int) -> None:
        if size > self.limit:
            raise InvalidContent(
                path,
                f"has {size:,} bytes, over the limit of {self.limit:,}; ignore it, keep it in LFS, or raise git config "
                f"{MAX_FILE_SIZE}",
            )


class Weight(msgspec.Struct, frozen=True):
    """How many files there are, and how many bytes they have."""

    files: int = 0
    bytes: int = 0


def weight(repo: GitRepo, new: str, old: str | None = None) -> Weight:
    """Return what a tree has, or has more than another one; only where the two differ is looked at."""
    repo.check_extent(new, old)
    files = size = 0
    stack: list[tuple[str | None, str | None]] = [(new, old)]
    while stack:
        ours, theirs = stack.pop()
        one, two = ({} if tree is None else repo.read_tree(tree) for tree in (ours, theirs))
        folders = {name for name in {**one, **two} if one.get(name) != two.get(name)}
        for name in folders:
            below: list[str | None] = []
            for sign, entry in ((1, one.get(name)), (-1, two.get(name))):
                below.append(entry.oid if entry is not None and entry.mode == TREE else None)
                if entry is not None and entry.mode in (FILE, PROGRAM, LINK):
                    files, size = files + sign, size + sign * repo.size(entry.oid)
            if any(below):
                stack.append((below[0], below[1]))
    return Weight(files, size)


def read_files(repo: GitRepo, tree: str, limit: int = MAX_BLOB) -> dict[str, bytes]:
    """
    Return every file below a tree by path; a symlink reads as its target, a submodule is left out.

    Args:
        limit: how many bytes they may have together.

    Raises:
        TooMuch: they have more, or there are too many.
    """
    repo.bring_below([tree])
    files = [(path, entry.oid) for path, entry in repo.walk_tree(tree) if entry.mode in (FILE, PROGRAM, LINK)]
    if sum(repo.size(oid) for _, oid in files) > limit:
        raise TooMuch(f"the content of the tree {tree}", limit, "bytes")
    return {path: repo.read(oid, limit) for path, oid in files}


@lru_cache(maxsize=4096)
def check_path(path: str) -> tuple[str, ...]:
    """
    Return a snapshot path's parts.

    Raises:
        InvalidContent: it is absolute, climbs out, names ``.git`` as any file system would read it, or is not text.
    """
    if not isinstance(path, str) or not path or "\0" in path:
        raise InvalidContent(str(path), "is no path of a snapshot")
    parts = path.split("/")
    if path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[\\/]", path):
        raise InvalidContent(path, "is absolute; paths of a snapshot are relative")
    for part in parts:
        if part in ("", ".", ".."):
            raise InvalidContent(path, f"has the part {part!r}; paths of a snapshot stay inside it")
        plain = _IGNORABLE.sub("", part).split(":")[0].rstrip(". ")
        if any(_GIT_NAMES.fullmatch(name) for name in (plain, *plain.split("\\"))):
            raise InvalidContent(path, "names git's own folder")
        if ".." in part.split("\\"):
            raise InvalidContent(path, "climbs out with a backslash")
    return tuple(parts)


def _folders(entries: Iterable[Entry]) -> list[str]:
    return [entry.oid for entry in entries if entry.mode == TREE]


def _oids(entries: Iterable[Entry]) -> list[str]:
    return [entry.oid for entry in entries]


def size_setting(repo: GitRepo, key: str, default: int) -> int:
    """
    Return a number of bytes from git's configuration.

    Raises:
        Invalid: it is none.
    """
    text = repo.config(key)
    if text is None:
        return default
    size = size_of(text)
    if size is None:
        raise Invalid(f"git config {key} is {text!r}; it takes bytes, or a number with k, m or g")
    return size


def size_of(text: str) -> int | None:
    """Return the bytes that a text names as git's configuration does, ``20m``; ``None`` where it names none."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        return None
    power: int = " kmg".index(match[2].lower() or " ")
    return int(match[1]) * int(1024**power)
