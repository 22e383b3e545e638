"""
What of an ordinary repository its files say without libgit2, which takes longer to load than most questions to answer.

Start at `find`. Whatever is out of the ordinary, as an include in a configuration, another owner, an extension or a
symbolic ref, is answered by nothing at all: the caller then asks libgit2, so that there is one answer, sooner or later.
"""

import os
import re
from collections.abc import Iterator

import msgspec

from gitlineage.later import pattern

_SECTION = re.compile(r'\[([A-Za-z0-9-]+)(?: +"([^"\\]*)")?\]')
_ENTRY = re.compile(r"([A-Za-z][A-Za-z0-9-]*)(?:[ \t]*=[ \t]*(.*))?")
_ODD_SIGNS = re.compile(r'["\\#;\x00-\x1f\x7f]')
"""What a value may have around it, or stands in it for something else."""

_SOUND = re.compile(r'([^"\\#;]|\\["\\ntb]|"([^"\\]|\\["\\ntb])*")*([#;].*)?')
"""A value that git takes, however odd; any other one makes it refuse the file."""

_ODD_SECTIONS = ("include", "includeif", "extensions")
"""Sections that lead to other files, or say that the repository is another kind of one."""

_NAME = re.compile(r"refs(/(?!\.)[\w+=,@-][\w.+=,@-]*(?<!\.lock)(?<!\.))+", re.ASCII)
_OWN = ("refs/bisect/", "refs/worktree/", "refs/rewritten/")
"""Refs that each working tree has for itself."""

_TARGET = re.compile(rb"([0-9a-f]{40})\s*")
_LINK = pattern(rb"gitdir: (/[^\n]*)\n?")
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class Place(msgspec.Struct, frozen=True):
    """
    Where an ordinary repository is.

    Args:
        gitdir: the git directory of the working tree.
        commondir: that of the repository, which its working trees share.
        top: the folder of the working tree; ``None`` where git is to say which one that is.
    """

    gitdir: str
    commondir: str
    top: str | None = None


def find(path: str | os.PathLike[str]) -> Place | None:
    """Return the repository that a folder is in, looking upwards; ``None`` where libgit2 is to say it."""
    try:
        if not os.path.isdir(path):
            return None
        folder = os.path.realpath(path, strict=True)
        device = os.stat(folder).st_dev
        while os.stat(folder).st_dev == device:
            if os.path.lexists(git := os.path.join(folder, ".git")):
                return _usual(git, folder)
            if os.path.lexists(os.path.join(folder, "HEAD")):
                return _usual(folder, folder)
            if folder == (folder := os.path.dirname(folder)):
                return None
    except (OSError, ValueError):
        pass
    return None


def _usual(git: str, top: str) -> Place | None:
    """Return the repository of a git directory, or of the file that stands for one in a linked working tree."""
    gitdir = git
    if os.path.isfile(git) and not os.path.islink(git):
        link = _LINK.fullmatch(_read(git))
        if link is None:
            return None
        gitdir = os.fsdecode(link[1])
    common = gitdir
    if os.path.lexists(shared := os.path.join(gitdir, "commondir")):
        common = os.path.realpath(os.path.join(gitdir, os.fsdecode(_read(shared).strip())), strict=True)
    owners = {os.stat(each).st_uid for each in (top, git, gitdir, common)}
    parts = (os.path.join(gitdir, "HEAD"), os.path.join(common, "objects"), os.path.join(common, "refs"))
    is_whole = os.path.isfile(parts[0]) and all(map(os.path.isdir, parts[1:]))
    if not is_whole or owners != {os.geteuid()} or os.path.realpath(gitdir) != gitdir:
        return None
    told = Settings(common)
    if not told.is_usual():
        return None
    is_beside = git != top and told.get("core.bare") in ([], ["false"]) and told.get("core.worktree") == []
    return Place(gitdir, common, top if is_beside else None)


class Settings:
    """
    The configuration of a repository with that of its user and of the machine, read anew whenever a file changes.

    Args:
        commondir: the git directory that the working trees share.
    """

    def __init__(self, commondir: str) -> None:
        self._own = os.path.join(commondir, "config")
        self._seen: tuple[object, ...] = ()
        self._values: dict[str, list[str | None]] | None = None

    def is_usual(self) -> bool:
        """Whether the repository is of the oldest format, which has nothing that has to be known of."""
        return self.get("core.repositoryformatversion") in ([], ["0"])

    def get(self, key: str) -> list[str] | None:
        """Return all values of a key, the one that counts last; ``None`` where libgit2 is to say it."""
        files = self._files()
        if files is None:
            return None
        seen = tuple((file, _stamp(file)) for file in files)
        if seen != self._seen:
            self._values = _together(file for file, stamp in seen if stamp is not None)
            self._seen = seen
        if self._values is None:
            return None
        section, _, rest = key.partition(".")
        middle, _, name = rest.rpartition(".")
        found = self._values.get(f"{section.lower()}.{middle}.{name.lower()}", [])
        values = [value for value in found if value is not None]
        return values if len(values) == len(found) else None

    def flag(self, key: str) -> bool | None:
        """Return what a key says that is set, as git reads it; ``None`` where libgit2 is to say it."""
        values = self.get(key)
        return _WORDS.get(values[-1].lower()) if values else None

    def _files(self) -> tuple[str, ...] | None:
        """Return the files that libgit2 reads, the most general one first."""
        home = os.environ.get("HOME", "")
        if not os.path.isabs(home) or os.getuid() != os.geteuid():
            return None
        shared = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        return "/etc/gitconfig", f"{shared}/git/config", f"{home}/.gitconfig", self._own


def ref(root: str, name: str) -> str | None:
    """
    Return the oid in a ref's own file; empty where it has none.

    Args:
        root: the git directory that the working trees share.
        name: the ref.

    Returns:
        ``None`` where libgit2 is to say it: the name, or what the file holds, is none of the ordinary ones.
    """
    if not is_usual_name(name) or name.startswith(_OWN):
        return None
    try:
        target = _TARGET.fullmatch(_read(f"{root}/{name}"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""
    except OSError:
        return None
    return target[1].decode() if target is not None else None


def is_usual_name(name: str) -> bool:
    """Whether a name is surely one that git takes for a ref; of all others libgit2 is to say it."""
    return _NAME.fullmatch(name) is not None and ".." not in name


def _together(files: Iterator[str]) -> dict[str, list[str | None]] | None:
    """Return the values of files by key, ``None`` for an odd one; for all where one cannot know what a line is."""
    values: dict[str, list[str | None]] = {}
    for file in files:
        try:
            text = _read(file).decode()
        except (OSError, ValueError):
            return None
        section = ""
        for line in (each.strip(" \t") for each in text.split("\n")):
            if not line or line[0] in "#;":
                continue
            if (head := _SECTION.fullmatch(line)) is not None and head[1].lower() not in _ODD_SECTIONS:
                section = f"{head[1].lower()}.{head[2] or ''}"
            elif section and not line.endswith("\\") and (entry := _ENTRY.fullmatch(line)) is not None:
                is_odd = entry[2] is None or _ODD_SIGNS.search(entry[2])
                if entry[2] is not None and (_SOUND.fullmatch(entry[2]) is None or "\0" in entry[2]):
                    return None
                values.setdefault(f"{section}.{entry[1].lower()}", []).append(None if is_odd else entry[2])
            else:
                return None
    return values


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _stamp(path: str) -> tuple[int, int, int] | None:
    """Return what changes when a file is written or replaced; ``None`` where it cannot be read."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
