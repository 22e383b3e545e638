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
from gitlineage.git.formats import FILE, SUBMODULE, Entry, parse_index
from gitlineage.git.packs import object_id
from gitlineage.git.warm import Known, Status, Warm, digest, edit, rules_in, settled, size_in, status_of
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

_TAKEN = (stat.S_IFREG, stat.S_IFLNK)
"""The kinds of files that git takes."""

_UNTOLD = 1 << 32
"""Bytes of a file from which on an index does not tell all of them."""

_FEW = 100
"""Objects whose sizes are looked up without a process of git's."""

_SYSTEM = Path("/etc/gitattributes")
"""Where the attributes of a whole machine are."""


_HEEDED = "core.*,filter.*,i18n.*,extensions.*"
"""The settings that turn files into content, as git's trace takes patterns of them."""


class _Told(msgspec.Struct, frozen=True):
    """One line of git's trace, as far as it is of use."""

    event: str
    sid: str
    param: str = ""
    value: str = ""


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
    Writes one folder into trees, with git's help: an index of what is new, and objects that are thrown away afterwards.

    Args:
        scratch: a folder for the index, with an empty one for objects in it.
        include: patterns of paths that are wanted although they are plainly no recipe; ``None`` to take everything.
        refuses_crlf: whether git's configuration refuses what a change of line ends would lose; it is warned of
            here, because the snapshot of what ran matters more.
        keeps_modes: whether the file system keeps executable bits and links, as git's configuration has it.
        ignores_case: whether it finds a file by a name in another case, as git's configuration has it.
        warm: what is kept between snapshots of the whole working tree.
        limit: how many bytes a file may have, unless a filter such as LFS makes them fewer.
        size: tells how many bytes an object has that git wrote or found.
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
        limit: int,
        size: Callable[[str], int],
    ) -> None:
        self._place = place
        self._scratch = scratch
        self._limit = limit
        self._size = size
        self._large: dict[str, int] = {}
        self._include = include
        self._settings = _SETTINGS | ({"core.safecrlf": "warn"} if refuses_crlf else {})
        self._keeps_modes = keeps_modes
        self._ignores_case = ignores_case
        self._warm = warm
        self._made: Known | None = None
        self._sizes: dict[str, int] = {}
        self._lengths: dict[str, int] = {}
        self._converts = True
        self.trees: dict[str, bytes] = {}
        self.objects = scratch / "objects"
        self._warnings: dict[str, None] = {}
        self._real: dict[str, bool] = {"": True}

    def __call__(self, check: Callable[["Taker", Mapping[str, int]], None]) -> Taken:
        """
        Take the folder; its trees are in ``trees``, by folder, afterwards.

        Args:
            check: is shown the files over the limit before git reads one, with sizes; raises where one must not be.

        Raises:
            InvalidContent: a repository without a commit lies in it.
            GitFailed: git could not read or write something.
        """
        listed, names, settings = self._listed()
        began = os.stat(self._scratch).st_mtime_ns
        seen = self._seen(names)
        folders = {path.rpartition("/")[0] for path in names}
        if not (is_plain := self._is_plain(names, seen, folders)):
            listed = self._untracked(self._place.below)
        listed, groups = self._without_droppings(listed, names, index=is_plain)
        nested = [path.rstrip("/") for path in listed if path.endswith("/")]
        files = [path for path in listed if not path.endswith("/")]
        for path in [path for path in nested if any(name.startswith(f"{path}/") for name in names)]:
            nested.remove(path)  # what is tracked as files stays so although a repository was made there
            files += self._untracked(path, index=True)
        worktrees = [path for path in nested if self._is_worktree(path)]
        if not is_plain:
            there = set(files)
            seen = {path: seen[path] for path in names if path in seen and (path in there or self._is_file(path))}
        seen |= self._seen(path for path in files if path not in seen)
        folders |= {path.rpartition("/")[0] for path in files}
        seeds: dict[str, tuple[int, str]] = {}
        known = self._tracked() if not (is_plain and self._keeps_modes) else {}
        for path, (mode, oid, absent) in known.items():
            if mode == SUBMODULE:
                self._submodule(path, oid, absent, seeds, nested, worktrees)
            elif path in seen:
                if not self._keeps_modes:
                    seeds[path] = mode, _EMPTY
            elif absent and not os.path.lexists(self._place.top / path):
                seeds[path] = mode, oid
        absent_files = {path for path, (mode, oid) in seeds.items() if mode != SUBMODULE and oid != _EMPTY}
        key, changing = "", set[str]()
        used: Known | None = None
        if self._warm is not None and settings and not absent_files:
            key, changing = self._conversions(seen, folders, settings, seeds)
            used = self._warm.give(key)
        if large := {path: size for path, size in self._large.items() if path in seen}:
            check(self, large)
        repositories = [path for path in nested if path not in worktrees]
        elsewhere = self._elsewhere(repositories, names)
        before: Mapping[str, Status] = {} if used is None else used.seen
        wanted = sorted(path for path, status in seen.items() if before.get(path) != status or path in changing)
        entries, settings_then = self._added(wanted, repositories, seeds)
        changes: dict[str, Entry | None] = dict.fromkeys(wanted)
        if used is not None:
            changes |= dict.fromkeys((used.seen.keys() | used.repositories) - seen.keys())
        made = self._changed(used, changes | entries, seen, absent_files)
        if key and settings_then in (None, settings) and not self._warnings:  # git warns of a file when it reads it
            for path in wanted:
                if path in entries:
                    seen[path] = settled(seen[path], began)
                else:  # it vanished
                    del seen[path]
            self._made = msgspec.structs.replace(made, key=key, since=began)
        return Taken(
            tree=object_id("tree", made.trees[""]) if made.trees else "",
            files=made.files,
            size=made.size,
            sizes=self._sizes,
            left_out=groups,
            worktrees=tuple(sorted(worktrees)),
            elsewhere=elsewhere,
            odd=tuple(sorted(made.odd)),
            warnings=tuple(self._warnings),
        )

    def _added(
        self, wanted: Sequence[str], repositories: Sequence[str], seeds: Mapping[str, tuple[int, str]]
    ) -> tuple[dict[str, Entry], tuple[str, ...] | None]:
        """Have git write files and look up commits, and return what it made of them, and the settings it had."""
        reading = set(wanted)
        first = [path for path, (_, oid) in seeds.items() if oid != _EMPTY or path in reading]
        if first:
            lines = [f"{seeds[path][0]:o} {seeds[path][1]}\t{path}" for path in first]
            self.git("update-index", "--replace", "-z", "--index-info", data=_joined(lines))
        settings = None
        if wanted or repositories:
            words = ("update-index", "--add", "--remove", "--replace", "-z", "--stdin")
            _, settings = self._heard(*words, data=_joined([*wanted, *repositories]))
        try:
            raw = (self._scratch / "index").read_bytes()
        except FileNotFoundError:
            return {}, settings
        entries = {}
        for name, entry, size in parse_index(raw):
            path = os.fsdecode(name)
            entries[path], self._lengths[path] = entry, size
        return entries, settings

    def _changed(
        self,
        used: Known | None,
        changes: Mapping[str, Entry | None],
        seen: Mapping[str, Status],
        absent: Container[str],
    ) -> Known:
        """
        Return what the last snapshot becomes by some changes.

        Args:
            seen: what each file was before it was read.
            absent: files that are not counted: they need not even be in the store.
        """
        self.trees = {} if used is None else dict(used.trees)
        inside = {path: self._inside(path) for path in changes}
        before = edit(self.trees, {inside[path]: entry for path, entry in changes.items()})
        count, size = (0, 0) if used is None else (used.files, used.size)
        stored = {} if used is None else dict(used.stored)
        for path in changes:
            had = before.get(inside[path])
            if used is not None and had is not None and had.mode != SUBMODULE:
                count, size = count - 1, size - used.size_of(path)
            stored.pop(path, None)
        there = {path: each for path, each in changes.items() if each is not None and each.mode != SUBMODULE}
        for path, new in self._weighed({path: each.oid for path, each in there.items() if path not in absent}).items():
            self._sizes[inside[path]] = new
            count, size = count + 1, size + new
            if new != size_in(seen[path]):
                stored[path] = new
        odd = {path for path in self._sizes if any(map(not_portable, path.split("/")))}
        if used is not None:
            odd.update(path for path in used.odd if path in seen)
        return Known(
            key="",
            since=0,
            seen=seen,
            repositories=tuple(
                path for path, entry in changes.items() if entry is not None and entry.mode == SUBMODULE
            ),
            trees=self.trees,
            files=count,
            size=size,
            stored=stored,
            odd=tuple(odd),
        )

    def _weighed(self, oids: Mapping[str, str]) -> dict[str, int]:
        """Return how many bytes files have as they are stored, by path; those that git read where it converts none."""
        if not self._converts and not any(size >= _UNTOLD for size in self._large.values()):
            return {path: self._lengths[path] for path in oids}
        if len(oids) < _FEW:
            return {path: self._size(oid) for path, oid in oids.items()}
        asked = "".join(f"{oid}\n" for oid in oids.values()).encode()
        answer = self.git("cat-file", "--buffer", "--batch-check=%(objectsize)", data=asked).split()
        return dict(zip(oids, map(int, answer), strict=True))

    def _inside(self, path: str) -> str:
        """Return where a file of the working tree is in the folder that is taken, as names in trees are read."""
        skip = 0 if self._place.below == "." else len(self._place.below) + 1
        return os.fsencode(path[skip:]).decode("utf-8", "surrogateescape")

    def keep(self) -> None:
        """Keep what the next snapshot can build on, where there is a place for it."""
        if self._warm is not None and self._made is not None:
            self._warm.keep(self._made, self._scratch, self.objects)

    def filtered(self, paths: Iterable[str]) -> set[str]:
        """Return those paths whose content a filter makes another one."""
        answer = self.git("check-attr", "-z", "--stdin", "filter", data=_joined(paths)).split(b"\0")
        return {os.fsdecode(answer[at]) for at in range(0, len(answer) - 2, 3) if answer[at + 2] != b"unspecified"}

    def git(
        self, *words: str, data: bytes | None = None, index: bool = False, more: Mapping[str, str] | None = None
    ) -> bytes:
        """
        Run git on the folder.

        Args:
            index: whether it reads the user's index instead of the one that is thrown away.
            more: further environment variables.
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
            "GIT_INDEX_VERSION": "2",
        }
        if not index:
            variables["GIT_INDEX_FILE"] = str(self._scratch / "index")
        settings = [word for key, value in self._settings.items() for word in ("-c", f"{key}={value}")]
        return program.run(
            ["--literal-pathspecs", *settings, *words],
            cwd=place.top,
            variables=variables | dict(more or {}),
            data=data,
            warned=lambda line: self._warnings.setdefault(line),
        )

    def _heard(
        self, *words: str, data: bytes | None = None, index: bool = False
    ) -> tuple[bytes, tuple[str, ...] | None]:
        """
        Run git, and have it tell by its own trace which of its settings turn files into content.

        Returns:
            What it printed, and its settings; none where it did not tell, ``None`` where they are of no use.
        """
        if self._warm is None:
            return self.git(*words, data=data, index=index), None
        trace = self._scratch / "trace"
        trace.unlink(missing_ok=True)
        asked = {"GIT_TRACE2_EVENT": str(trace), "GIT_TRACE2_CONFIG_PARAMS": _HEEDED}
        output = self.git(*words, data=data, index=index, more=asked)
        settings: list[str] = []
        try:
            told = [msgspec.json.decode(line, type=_Told) for line in trace.read_bytes().splitlines()]
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return output, ()
        for each in told:
            if each.event == "def_param" and each.sid == told[0].sid:  # others are of programs that git started
                settings.append(f"{each.param}\n{each.value}")
        return output, tuple(settings)

    def _listed(self) -> tuple[list[str], dict[str, bool], tuple[str, ...] | None]:
        """
        Return what is in the folder.

        Returns:
            What git would add, a repository inside with a slash at its end; the names that the user's index has, and
            whether a checkout may leave each of them away; and git's settings.
        """
        place = self._place
        both = ["--cached"] if place.tracked else []
        words = ("ls-files", "-z", "-t", *both, "--others", "--exclude-standard", "--", place.below)
        output, settings = self._heard(*words, index=place.tracked)
        lines = _split(output)
        listed = [line[2:] for line in lines if line[0] == "?"]
        return self._not_own(listed), {line[2:]: line[0] == "S" for line in lines if line[0] != "?"}, settings

    def _is_plain(self, names: Mapping[str, bool], seen: Mapping[str, Status], folders: Iterable[str]) -> bool:
        """
        Whether git, which knew the user's index, has listed what it would with an empty one, beside those names.

        It takes a name in another case for the one in its index, heeds rules there that are not checked out, and looks
        into no folder that is a submodule by its index.
        """
        top = f"{self._place.top}/"
        return not (
            self._ignores_case
            or any(names.values())
            or not all(map(self._is_real, folders))
            or any(os.path.isdir(top + path) for path in names if path not in seen)
        )

    def _untracked(self, below: str, *rules: str, index: bool = False) -> list[str]:
        """Return what git would add to an empty index, or to the user's; a repository inside ends with a slash."""
        # rules of a file that is named first have the least to say
        words = ("ls-files", "-z", "--others", *rules, "--exclude-standard", "--", below)
        return self._not_own(_split(self.git(*words, index=index)))

    def _not_own(self, paths: list[str]) -> list[str]:
        """Return paths without those of the repository's own files, which git would take outside of a ``.git``."""
        own = self._own_folder()
        return [path for path in paths if not path.startswith(own)] if own else paths

    def _own_folder(self) -> str:
        """Return where in the folder the repository's own files are, if not in a ``.git``; git would take them."""
        try:
            below = self._place.commondir.resolve().relative_to(self._place.top.resolve()).as_posix()
        except ValueError:
            return ""
        return "" if ".git" in below.split("/") else f"{below}/"

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

    def _without_droppings(
        self, listed: list[str], known: Container[str], *, index: bool
    ) -> tuple[list[str], dict[str, int]]:
        """Leave out what is untracked and plainly no recipe, and count it; by the user's index or an empty one."""
        untracked = [path for path in listed if path not in known]
        if self._include is None or not (self._ignores_case or droppings.suspects(untracked)):
            return listed, {}
        folders = [folder for folder in droppings.environments(untracked) if folder != self._place.below]
        rules = self._scratch / "no-recipe"
        rules.write_bytes(os.fsencode(droppings.rules(folders, self._include)))
        kept = set(self._untracked(self._place.below, f"--exclude-from={rules}", index=index and self._place.tracked))
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

    def _conversions(
        self,
        paths: Iterable[str],
        folders: Iterable[str],
        settings: tuple[str, ...],
        seeds: Mapping[str, tuple[int, str]],
    ) -> tuple[str, set[str]]:
        """Return a digest of all that turns files into content, and the files that a program of the user's turns."""
        place = self._place
        said = dict(each.partition("\n")[::2] for each in settings)
        own = said.get("core.attributesfile")
        home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        others = [Path(own or f"{home}/git/attributes").expanduser(), place.commondir / "info" / "attributes", _SYSTEM]
        rules = rules_in(place.top, folders, others)
        self._converts = bool(seeds) or any(rules.values()) or said.get("core.autocrlf", "false") != "false"
        modes = sorted((path, mode) for path, (mode, _) in seeds.items() if mode not in (FILE, SUBMODULE))
        key = digest(settings, rules, place.top, self._keeps_modes, self._ignores_case, modes)
        return key, self.filtered(paths) if any(b"filter" in text for text in rules.values()) else set()

    def _seen(self, paths: Iterable[str]) -> dict[str, Status]:
        """Return what each file or link is before git reads it, of those paths that there is one at."""
        top = f"{self._place.top}/"
        seen = {}
        for path in paths:
            try:
                status = os.lstat(top + path)
            except OSError:
                continue
            if (kind := stat.S_IFMT(status.st_mode)) in _TAKEN:
                seen[path] = status_of(status)
                if kind == stat.S_IFREG and status.st_size > self._limit:
                    self._large[path] = status.st_size
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


def _quoted(path: str) -> str:
    """Return a path as git's list of alternates takes it, colons and line ends included."""
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _split(listed: bytes) -> list[str]:
    return os.fsdecode(listed).split("\0")[:-1]


def _joined(lines: Iterable[str]) -> bytes:
    return b"".join(os.fsencode(line) + b"\0" for line in lines)
