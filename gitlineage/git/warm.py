"""
What is kept of a working tree's last snapshot, so that git reads again only those files that may have changed since.

It can never change what a snapshot holds: a file counts as unchanged only where times, inode, size and mode are what
they were before it was read, where it was touched well before that, and where everything that turns files into content
is as it was. All else is read anew, and whatever is wrong with what is kept, all is.
"""

import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from hashlib import sha1
from pathlib import Path
from struct import Struct

import msgspec

from gitlineage import scratch
from gitlineage.git.formats import TREE, Entry, format_tree, parse_tree
from gitlineage.git.modes import Modes
from gitlineage.git.packs import object_id

_MARGIN = 3_000_000_000
"""How long before a snapshot a file must have been touched last to count as unchanged (ns): the coarsest times of file
systems are two seconds apart, and within one step a second change would leave no trace."""

_MAPPED = 1 << 20
"""Files as large as this (bytes) may be written through memory,"""

_UNSEEN = 60_000_000_000
"""where a change may follow that the file's times tell only when the kernel writes it out: that long is waited (ns)."""

_SPARE = 8 << 20
"""How many bytes of new objects are held for the next snapshot; content that is not recorded is then not lost on it."""


_STATUS = Struct("<qqQQL")

Status = bytes
"""What tells whether a file was touched, packed: times of content and of inode (ns), size (bytes), inode and mode."""


class Known(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """
    A snapshot, and what it was made from.

    Args:
        key: everything that turns files into content, as a digest.
        since: when its files began to be looked at, in the time of its file system (ns).
        seen: what each of them was before it was read, by path.
        repositories: the repositories inside of which it has a commit.
        trees: its trees by folder, the root as an empty text.
        files: how many files it has,
        size: and how many bytes they have as they are stored.
        stored: the bytes of those that are stored as something else than they are.
        odd: those whose names Windows cannot have.
    """

    key: str
    since: int
    seen: Mapping[str, Status]
    repositories: tuple[str, ...]
    trees: Mapping[str, bytes]
    files: int
    size: int
    stored: Mapping[str, int]
    odd: tuple[str, ...]

    def size_of(self, path: str) -> int:
        """Return how many bytes a file has as it is stored."""
        return self.stored[path] if path in self.stored else size_in(self.seen[path])


def status_of(found: os.stat_result) -> Status:
    """Return what tells whether a file was touched."""
    return _STATUS.pack(found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_mode)


def size_in(status: Status) -> int:
    """Return how many bytes a file has by its status."""
    return int(_STATUS.unpack(status)[2])


def settled(status: Status, since: int) -> Status:
    """Return the status of a file as it is kept: none of one that was touched so late that a change may leave it."""
    mtime, ctime, size, ino, mode = _STATUS.unpack(status)
    before = since - (_MARGIN if size < _MAPPED else _UNSEEN)
    return status if mtime < before > ctime else _STATUS.pack(0, 0, size, ino, mode)


class Warm:
    """
    What is kept of one working tree.

    Args:
        folder: where it is kept, on the same file system as the working tree.
        modes: which permissions its files get.
    """

    def __init__(self, folder: Path, modes: Modes) -> None:
        self._folder = folder
        self._modes = modes
        self.objects = folder / "objects"

    def usable(self, top: Path) -> bool:
        """Whether files can be kept here and have the times of those in the working tree; makes the folder."""
        with suppress(OSError):
            self._modes.make_folders(self._folder)
            scratch.sweep(str(self._folder))
            is_beside = self._folder.stat().st_dev == top.stat().st_dev
            return is_beside and self._folder.is_dir() and os.access(self._folder, os.W_OK)
        return False

    def give(self, key: str) -> Known | None:
        """Return the last snapshot, ``None`` where there is none for this key."""
        with suppress(OSError, msgspec.MsgspecError):
            data = (self._folder / "known").read_bytes()
            if sha1(memoryview(data)[20:]).digest() == data[:20]:
                known = msgspec.msgpack.decode(memoryview(data)[20:], type=Known)
                return known if known.key == key else None
        return None

    def keep(self, known: Known, aside: Path, objects: Path) -> None:
        """
        Keep a snapshot, and what git wrote on the way; where that fails, the next one has less to build on.

        Args:
            aside: a folder on the same file system.
            objects: where git wrote.
        """
        with suppress(OSError, UnicodeEncodeError):  # names that are no text cannot be told
            data = msgspec.msgpack.encode(known)
            told = aside / "known"
            told.write_bytes(sha1(data).digest() + data)
            self._modes.share(told)
            self._hold(objects)
            os.replace(told, self._folder / "known")

    def forget(self) -> None:
        """Have the next snapshot start anew."""
        with suppress(OSError):
            (self._folder / "known").unlink(missing_ok=True)
            shutil.rmtree(self.objects, ignore_errors=True)

    def drop(self, recorded: Iterable[str]) -> None:
        """Remove held objects that the repository has by now."""
        for oid in recorded:
            with suppress(OSError):
                (self.objects / oid[:2] / oid[2:]).unlink()

    def held(self) -> list[str]:
        """Return the oids of the objects that are held."""
        with suppress(OSError):
            return [path.parent.name + path.name for path in self.objects.glob("[0-9a-f][0-9a-f]/*")]
        return []

    def _hold(self, objects: Path) -> None:
        made = [path for path in objects.glob("[0-9a-f][0-9a-f]/*") if path.is_file()]
        if sum(path.stat().st_size for path in made) > _SPARE:
            return
        for path in made:
            place = self.objects / path.parent.name
            self._modes.make_folders(place)
            self._modes.share(path)
            os.replace(path, place / path.name)


def edit(trees: dict[str, bytes], changes: Mapping[str, Entry | None]) -> dict[str, Entry]:
    """
    Change files of trees that are given by folder, the root as an empty text, and return what was at their paths.

    Args:
        trees: what each folder has; those without files are taken out.
        changes: what is to be at each path; ``None`` for no file.
    """
    folders: dict[str, dict[str, Entry | None]] = {"": {}}
    for path, entry in changes.items():
        above = folder = path.rpartition("/")[0]
        while above not in folders:
            folders[above] = {}
            above = above.rpartition("/")[0]
        folders[folder][path[len(folder) + 1 if folder else 0 :]] = entry
    before = {}
    empty = set()
    for folder in sorted(folders, key=len, reverse=True):  # whatever is inside comes first
        entries = parse_tree(trees.get(folder, b""))
        for name, entry in folders[folder].items():
            path = f"{folder}/{name}" if folder else name
            had = entries.get(name)
            if had is not None and had.mode != TREE:
                before[path] = had
            elif had is not None and path not in empty and (entry is None or entry.mode != TREE):
                continue  # a folder is there, whose files have been looked at later
            if entry is not None:
                entries[name] = entry
            else:
                entries.pop(name, None)
        raw = format_tree(entries)
        if raw:
            trees[folder] = raw
        else:
            trees.pop(folder, None)
            empty.add(folder)
        if folder:
            above, _, name = folder.rpartition("/")
            if raw:
                folders[above][name] = Entry(TREE, object_id("tree", raw))
            else:
                folders[above].setdefault(name, None)
    return before


def digest(*facts: object) -> str:
    """Return one digest of facts, in their order."""
    return sha1(repr(facts).encode("utf-8", "surrogateescape")).hexdigest()


def rules_in(top: Path, folders: Iterable[str], others: Collection[Path]) -> Mapping[str, bytes]:
    """Return the content of every file of attributes that git heeds for what is in some folders, by where it is."""
    known = {""}
    for folder in folders:
        while folder not in known:
            known.add(folder)
            folder = folder.rpartition("/")[0]
    rules = {}
    for file in [*(f"{top}/{folder}/.gitattributes" for folder in known), *map(str, others)]:
        with suppress(OSError), open(file, "rb") as rule:
            rules[file] = rule.read()
    return dict(sorted(rules.items()))
