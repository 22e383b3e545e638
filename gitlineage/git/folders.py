"""
A folder on its way into a tree: what ``git add -A`` with a fresh index would take, and what it would not; git does it.

Of the user's index nothing is believed but names: which ignored paths are tracked, which files a sparse
checkout leaves away, which folders are submodules, and modes that the file system cannot keep. So neither its times nor
its bits can put old content into a snapshot.
"""

import os
import re
import stat
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from gitlineage.errors import GitFailed, InvalidContent
from gitlineage.git import droppings, program
from gitlineage.git.formats import NO_OID, SUBMODULE
from gitlineage.git.warm import Known, Status, Warm, digest, rules_in
from gitlineage.text import counted, some

_SETTINGS = {
    "advice.addEmbeddedRepo": "false",
    "core.bigFileThreshold": "1024g",  # git would write a larger file as a pack, which nothing here reads
    "core.checkStat": "default",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.sparseCheckout": "false",  # what is there is taken, inside the checkout's patterns or not
    "core.splitIndex": "false",
    "core.trustCTime": "true",
    "core.untrackedCache": "false",
}
_UNDECLARED = "no submodule"
"""What is said of a repository inside that ``.gitmodules`` does not name; its commit is in the tree all the same."""

_EMPTY = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
"""The empty file's oid: it stands for content that git is to read."""

_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3]) *(\..*)?", re.IGNORECASE)

_SYSTEM = Path("/etc/gitattributes")
"""Where the attributes of a whole machine are."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """
    Which folder is taken, and by which repository.

    Args:
        top: the working tree that it is in, or itself where it is in none.
        below: where it is in there; ``.`` for all of it.
        gitdir: the repository's own directory.
        commondir: the directory that its worktrees share.
        tracked: whether the repository's index tells of this folder.
    """

    top: Path
    below: str
    gitdir: Path
    commondir: Path
    tracked: bool


def not_portable(name: str) -> str:
    """Return why Windows cannot have a file of a name, as a half sentence; empty for a name that it can."""
    if _RESERVED.fullmatch(name):
        return "has a name that Windows keeps for a device"
    if name.endswith((".", " ")):
        return "has a name that ends in a dot or a blank, which Windows drops"
    return ""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a folder gave, and what of it is in no snapshot.

    Args:
        tree: its tree; empty where the folder holds nothing.
        files: how many files that has,
        size: and how many bytes they have as they are stored; not those that a sparse checkout leaves away.
        sizes: how many bytes each of them has that was read now, by path.
        left_out: how many untracked files are plainly no recipe, by what they are.
        worktrees: linked worktrees of the repository inside the folder; they are left out.
        elsewhere: folders whose code is in another repository, and what of it the snapshot does not tell.
        odd: files whose names Windows cannot have.
        warnings: what git warned about.
    """

    tree: str
    files: int = 0
    size: int = 0
    sizes: Mapping[str, int] = {}
    left_out: Mapping[str, int] = {}
    worktrees: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = {}
    odd: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def is_whole(self) -> bool:
        """Whether the tree tells all that runs: no repository inside has other files than the commit that it names."""
        return not self.untold()

    def untold(self) -> dict[str, str]:
        """Return the repositories inside that have other files than the commit that the tree names, and why."""
        return {path: why for path, why in self.elsewhere.items() if why != _UNDECLARED}

    def lines(self) -> list[str]:
        """Return what a user has to be told, one line each."""
        said = []
        if self.left_out:
            said.append(droppings.told(dict(self.left_out)))
        if self.worktrees:
            count = counted(len(self.worktrees), "other worktree")
            said.append(f"left out {count} of this repository: {some(self.worktrees)}")
        if self.elsewhere:
            named = some([f"{path} ({why})" for path, why in self.elsewhere.items()])
            said.append(f"not in the snapshot, because it is in a repository of its own: {named}")
        if self.odd:
            said.append(f"Windows cannot have these names, so no checkout writes them: {some(self.odd)}")
        return said + [f"git warns: {line}" for line in self.warnings]


class Taker:
    """
    Writes one folder into an index and a store of objects that are thrown away afterwards.

    Args:
        scratch: an empty folder for the index and the objects.
        include: patterns of paths that are wanted although they are plainly no recipe; ``None`` to take everything.
        refuses_crlf: whether git's configuration refuses what a change of line ends would lose; it is warned of
            here, because the snapshot of what ran matters more.
        keeps_modes: whether the file system keeps executable bits and links, as git's configuration has it.
        ignores_case: whether it finds a file by a name in another case, as git's configuration has it.
        warm: an index that is kept between snapshots of the whole working tree.
    """

    def __init__(
        self,
        place: Place,
        scratch: Path,
        *,
        include: Sequence[str] | None = (),
        refuses_crlf: bool = False,
        keeps_modes: bool = True,
        ignores_case: bool = False,
        warm: Warm | None = None,
    ) -> None:
        self._place = place
        self._scratch = scratch
        self._include = include
        self._settings = _SETTINGS | ({"core.safecrlf": "warn"} if refuses_crlf else {})
        self._keeps_modes = keeps_modes
        self._ignores_case = ignores_case
        self._warm = warm
        self._key = ""
        self._used: Known | None = None
        self._made: Known | None = None
        self.objects = scratch / "objects"
        self.objects.mkdir()
        self._warnings: dict[str, None] = {}
        self._real: dict[str, bool] = {"": True}

    def __call__(self, check: Callable[["Taker", Iterable[tuple[str, int]]], None]) -> Taken:
        """
        Take the folder.

        Args:
            check: is shown every file with its size before git reads one, and raises where one must not be taken.

        Raises:
            InvalidContent: a repository without a commit lies in it.
            GitFailed: git could not read or write something.
        """
        listed = self._untracked(self._place.below)
        names = self._names() if self._place.tracked else set()
        listed, groups = self._without_droppings(listed, names)
        nested = [path.rstrip("/") for path in listed if path.endswith("/")]
        files = [path for path in listed if not path.endswith("/")]
        for path in [path for path in nested if any(name.startswith(f"{path}/") for name in names)]:
            nested.remove(path)  # what is tracked as files stays so although a repository was made there
            files += self._untracked(path, index=True)
        worktrees = [path for path in nested if self._is_worktree(path)]
        seeds: dict[str, tuple[int, str]] = {}
        there = set(files)
        known = self._tracked() if not self._keeps_modes or not names <= there else {}
        for path, (mode, oid, absent) in known.items():
            if mode == SUBMODULE:
                self._submodule(path, oid, absent, seeds, nested, worktrees)
            elif path in there or self._is_file(path):
                there.add(path)
                if not self._keeps_modes:
                    seeds[path] = mode, _EMPTY
            elif absent and not os.path.lexists(self._place.top / path):
                seeds[path] = mode, oid
        wanted = sorted(there)
        absent_files = {path for path, (mode, _) in seeds.items() if mode != SUBMODULE}
        changing: set[str] = set()
        began = os.stat(self._scratch).st_mtime_ns
        if self._warm is not None and not absent_files:
            self._key, changing = self._conversions(wanted)
            self._used = self._warm.give(self._key, self._scratch / "index")
        seen = self._seen(wanted)
        check(self, ((path, status[2]) for path, status in seen.items() if stat.S_ISREG(status[4])))
        repositories = [path for path in nested if path not in worktrees]
        elsewhere = self._elsewhere(repositories, names)
        lines = [f"{mode:o} {oid}\t{path}" for path, (mode, oid) in seeds.items()]
        if (used := self._used) is not None:
            same = used.same(seen) - changing
            wanted = [path for path in wanted if path not in same]
            gone = {path for path in (*used.seen, *used.repositories) if path not in seen}
            lines = [f"0 {NO_OID}\t{path}" for path in sorted(gone.union(wanted))] + lines
        if lines:
            self.git("update-index", "--replace", "-z", "--index-info", data=_joined(lines))
        self.git("update-index", "--add", "--remove", "--replace", "-z", "--stdin", data=_joined(wanted + repositories))
        tree = self._written()
        count, size, sizes = self._weighed(tree, {path for path in absent_files if seeds[path][1] != _EMPTY})
        odd = {path for path in sizes if any(map(not_portable, path.split("/")))}
        if used is not None:
            odd.update(path for path in used.odd if path in seen)
        if self._key and not self._warnings:  # git warns of a file only when it reads it
            self._made = Known(
                key=self._key,
                since=began,
                seen=seen,
                repositories=(*repositories, *(path for path in seeds if path not in repositories)),
                tree=tree,
                files=count,
                size=size,
                odd=tuple(odd),
            )
        return Taken(
            tree=tree,
            files=count,
            size=size,
            sizes=sizes,
            left_out=groups,
            worktrees=tuple(sorted(worktrees)),
            elsewhere=elsewhere,
            odd=tuple(sorted(odd)),
            warnings=tuple(self._warnings),
        )

    def keep(self) -> None:
        """Keep the index for the next snapshot, where there is a place for it."""
        if self._warm is not None and self._made is not None:
            self._warm.keep(self._made, self._scratch / "index", self.objects)

    def filtered(self, paths: Iterable[str]) -> set[str]:
        """Return those paths whose content a filter makes another one."""
        answer = self.git("check-attr", "-z", "--stdin", "filter", data=_joined(paths)).split(b"\0")
        return {os.fsdecode(answer[at]) for at in range(0, len(answer) - 2, 3) if answer[at + 2] != b"unspecified"}

    def git(self, *words: str, data: bytes | None = None, index: bool = False) -> bytes:
        """
        Run git on the folder.

        Args:
            index: whether it reads the user's index instead of the one that is thrown away.
        """
        place = self._place
        others = [place.commondir / "objects"]
        if self._warm is not None and self._warm.objects.is_dir():
            others.append(self._warm.objects)
        variables = {
            "GIT_DIR": str(place.gitdir),
            "GIT_WORK_TREE": str(place.top),
            "GIT_OBJECT_DIRECTORY": str(self.objects),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": os.pathsep.join(_quoted(str(path)) for path in others),
        }
        if not index:
            variables["GIT_INDEX_FILE"] = str(self._scratch / "index")
        settings = [word for key, value in self._settings.items() for word in ("-c", f"{key}={value}")]
        return program.run(
            ["--literal-pathspecs", *settings, *words],
            cwd=place.top,
            variables=variables,
            data=data,
            warned=lambda line: self._warnings.setdefault(line),
        )

    def _untracked(self, below: str, *rules: str, index: bool = False) -> list[str]:
        """Return what git would add to an empty index, or to the user's; a repository inside ends with a slash."""
        # rules of a file that is named first have the least to say
        words = ("ls-files", "-z", "--others", *rules, "--exclude-standard", "--", below)
        paths = _split(self.git(*words, index=index))
        own = self._own_folder()
        return [path for path in paths if not path.startswith(own)] if own else paths

    def _own_folder(self) -> str:
        """Return where in the folder the repository's own files are, if not in a ``.git``; git would take them."""
        try:
            below = self._place.commondir.resolve().relative_to(self._place.top.resolve()).as_posix()
        except ValueError:
            return ""
        return "" if ".git" in below.split("/") else f"{below}/"

    def _names(self) -> set[str]:
        """Return the paths that the user's index has."""
        return set(_split(self.git("ls-files", "-z", "--", self._place.below, index=True)))

    def _tracked(self) -> dict[str, tuple[int, str, bool]]:
        """Return mode, oid and whether it may be absent of what the user's index has, by path."""
        tracked: dict[str, tuple[int, str, bool]] = {}
        listed = self.git("ls-files", "-z", "-s", "-t", "--", self._place.below, index=True)
        for line in _split(listed):
            told, _, path = line.partition("\t")
            tag, mode, oid, stage = told.split(" ")
            if path not in tracked or stage == "2":  # of a conflict, our own side
                tracked[path] = int(mode, 8), oid, tag == "S"
        return tracked

    def _without_droppings(self, listed: list[str], known: Container[str]) -> tuple[list[str], dict[str, int]]:
        """Leave out what is untracked and plainly no recipe, and count it."""
        untracked = [path for path in listed if path not in known]
        if self._include is None or not untracked:
            return listed, {}
        folders = [folder for folder in droppings.environments(untracked) if folder != self._place.below]
        rules = self._scratch / "no-recipe"
        rules.write_bytes(os.fsencode(droppings.rules(folders, self._include)))
        kept = set(self._untracked(self._place.below, f"--exclude-from={rules}"))
        left = [path for path in untracked if path not in kept]
        gone = set(left)
        return [path for path in listed if path not in gone], droppings.grouped(left, folders)

    def _submodule(
        self,
        path: str,
        oid: str,
        absent: bool,
        seeds: dict[str, tuple[int, str]],
        nested: list[str],
        worktrees: list[str],
    ) -> None:
        """Keep a submodule's entry, and have git look up its commit where it is checked out."""
        folder = self._place.top / path
        if (folder / ".git").exists():
            if path not in nested:  # a rule ignores it
                nested.append(path)
            if self._is_worktree(path):
                worktrees += [] if path in worktrees else [path]
            else:
                seeds[path] = SUBMODULE, oid
        elif folder.is_dir() or absent:
            seeds[path] = SUBMODULE, oid

    def _conversions(self, wanted: Sequence[str]) -> tuple[str, set[str]]:
        """Return a digest of all that turns files into content, and the files that a program of the user's turns."""
        place = self._place
        listed = _split(self.git("config", "-z", "--list"))
        settings = [each for each in listed if each.startswith(("core.", "filter.", "i18n.", "extensions."))]
        own = dict(each.partition("\n")[::2] for each in settings).get("core.attributesfile")
        home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        others = [Path(own or f"{home}/git/attributes").expanduser(), place.commondir / "info" / "attributes", _SYSTEM]
        rules = rules_in(place.top, wanted, others)
        key = digest(settings, rules, self._settings, place.top, self._keeps_modes, self._ignores_case)
        return key, self.filtered(wanted) if any(b"filter" in text for text in rules.values()) else set()

    def _seen(self, paths: Iterable[str]) -> dict[str, Status]:
        """Return what each file is before git reads it; one that vanished meanwhile is not among them."""
        top = os.fspath(self._place.top)
        seen = {}
        for path in paths:
            try:
                status = os.lstat(f"{top}/{path}")
            except OSError:
                continue
            seen[path] = status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_mode
        return seen

    def _is_file(self, path: str) -> bool:
        """Whether a file or a link is at a path, spelled so, with no link on the way."""
        folder, _, name = path.rpartition("/")
        try:
            mode = os.lstat(self._place.top / path).st_mode
            if self._ignores_case and name not in os.listdir(self._place.top / folder):
                return False  # it is listed by the name that it has
        except OSError:
            return False
        return (stat.S_ISREG(mode) or stat.S_ISLNK(mode)) and self._is_real(folder)

    def _is_real(self, folder: str) -> bool:
        if folder not in self._real:
            is_link = (self._place.top / folder).is_symlink()
            self._real[folder] = not is_link and self._is_real(folder.rpartition("/")[0])
        return self._real[folder]

    def _is_worktree(self, path: str) -> bool:
        """Whether a repository inside is this one's, as another worktree of it or as its main one."""
        mark = self._place.top / path / ".git"
        try:
            text = "" if mark.is_dir() else mark.read_text(errors="surrogateescape")
            gitdir = (mark.parent / text.removeprefix("gitdir:").strip()).resolve() if text else mark.resolve()
        except OSError:
            return False
        common = self._place.commondir.resolve()
        return common == gitdir or common / "worktrees" == gitdir.parent

    def _elsewhere(self, repositories: Iterable[str], known: Container[str]) -> dict[str, str]:
        """Return the repositories inside of which a snapshot tells too little, and what it does not tell."""
        reasons = {}
        declared: set[str] | None = None
        for path in sorted(repositories):
            declared = self._declared() if declared is None else declared
            if path not in known and not self._inner(path, "rev-parse", "--verify", "--quiet", "HEAD"):
                raise InvalidContent(path, "is a git repository without a commit; commit there, or ignore it")
            changes = self._inner(path, "status", "--porcelain", "-z", "--ignore-submodules=none")
            if changes is None:
                reasons[path] = "it cannot be read"
            elif path not in declared:
                reasons[path] = _UNDECLARED + (", with changes" if changes else "")
            elif changes:
                reasons[path] = "a submodule with changes"
        return reasons

    def _declared(self) -> set[str]:
        """Return the paths that ``.gitmodules`` names."""
        file = self._place.top / ".gitmodules"
        try:
            listed = self.git("config", "--file", str(file), "-z", "--get-regexp", r"^submodule\..*\.path$")
        except GitFailed:
            return set()
        return {entry.partition("\n")[2] for entry in _split(listed)}

    def _inner(self, path: str, *words: str) -> bytes | None:
        """Run git in a repository inside; ``None`` where it fails."""
        settings = ["--no-optional-locks", "-c", "core.fsmonitor=false"]
        try:
            return program.run([*settings, *words], cwd=self._place.top / path)
        except GitFailed:
            return None

    def _weighed(self, tree: str, absent: set[str]) -> tuple[int, int, dict[str, int]]:
        """
        Return how many files and bytes a tree has, and the size of each file that was read now.

        Those that are absent are not counted: they need not even be in the store.
        """
        skip = 0 if self._place.below == "." else len(self._place.below) + 1
        old: list[str] = []
        new: dict[str, str] = {}
        if self._used is None:
            files = size = 0
            for line in _split(self.git("ls-files", "-z", "-s")):
                told, _, path = line.partition("\t")
                mode, oid, _ = told.split(" ")
                if path not in absent and int(mode, 8) != SUBMODULE:
                    new[path[skip:]] = oid
        else:
            files, size = self._used.files, self._used.size
            edits = _split(self.git("diff-tree", "-r", "-z", "--raw", "--no-renames", self._used.tree, tree))
            for fields, path in zip(edits[::2], edits[1::2], strict=True):
                before, after, here, there, _ = fields[1:].split(" ")
                old += [here] if int(before, 8) not in (0, SUBMODULE) else []
                if int(after, 8) not in (0, SUBMODULE):
                    new[path] = there
        asked = "".join(f"{oid}\n" for oid in [*old, *new.values()]).encode()
        answer = self.git("cat-file", "--buffer", "--batch-check=%(objectsize)", data=asked) if asked else b""
        sizes_read = [int(each) for each in answer.split()]
        sizes = dict(zip(new, sizes_read[len(old) :], strict=True))
        return files - len(old) + len(new), size - sum(sizes_read[: len(old)]) + sum(sizes.values()), sizes

    def _written(self) -> str:
        """Write the index, or what it has below the folder, and return the tree; empty where there is nothing."""
        below = self._place.below
        if below == ".":
            return self.git("write-tree").decode().strip()
        try:
            return self.git("write-tree", f"--prefix={below}/").decode().strip()
        except GitFailed as error:
            if not error.message.rstrip().endswith(f"prefix {below}/ not found"):
                raise
            return ""


def _quoted(path: str) -> str:
    """Return a path as git's list of alternates takes it, colons and line ends included."""
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _split(listed: bytes) -> list[str]:
    return os.fsdecode(listed).split("\0")[:-1]


def _joined(lines: Iterable[str]) -> bytes:
    return b"".join(os.fsencode(line) + b"\0" for line in lines)
