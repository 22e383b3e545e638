"""
An index of our own that outlives one snapshot, so that git reads again only those files that may have changed since.

It can never change what a snapshot holds: a file counts as unchanged only where times, inode, size and mode are what
they were before it was read, where it was touched well before that, and where everything that turns files into content
is as it was. All else is read anew, and whatever is wrong with the index, a fresh one is made.
"""

import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from hashlib import sha1
from pathlib import Path

import msgspec

from gitlineage import scratch
from gitlineage.git.modes import Modes

_MARGIN = 3_000_000_000
"""How long before the index a file must have been touched last to count as unchanged (ns): the coarsest times of file
systems are two seconds apart, and within one step a second change would leave no trace."""

_MAPPED = 1 << 20
"""Files as large as this (bytes) may be written through memory,"""

_UNSEEN = 60_000_000_000
"""where a change may follow that the file's times tell only when the kernel writes it out: that long is waited (ns)."""

_SPARE = 8 << 20
"""How many bytes of new objects are held for the next snapshot; content that is not recorded is then not lost on it."""


Status = tuple[int, int, int, int, int]
"""What tells whether a file was touched: times of content and of inode (ns), size (bytes), inode and mode."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an index was made from.

    Args:
        key: everything that turns files into content, as a digest.
        since: when its files began to be looked at, in the time of its file system (ns).
        seen: what each of them was before it was read, by path.
        repositories: the repositories inside that the index has a commit of.
        tree: the tree that it stands for.
        files: how many files that has,
        size: and how many bytes they have as they are stored.
        odd: those of them whose names Windows cannot have.
        index: the digest of the index itself.
    """

    key: str
    since: int
    seen: Mapping[str, Status]
    repositories: tuple[str, ...] = ()
    tree: str = ""
    files: int = 0
    size: int = 0
    odd: tuple[str, ...] = ()
    index: str = ""

    def same(self, now: Mapping[str, Status]) -> set[str]:
        """Return the files that are those that were read, and touched so early that no later change looks the same."""
        early, earliest = self.since - _MARGIN, self.since - _UNSEEN
        before = self.seen.get
        return {
            path
            for path, status in now.items()
            if status == before(path)
            and status[0] < early > status[1]
            and (status[2] < _MAPPED or status[0] < earliest > status[1])
        }


class Warm:
    """
    The index that is kept for one working tree.

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

    def give(self, key: str, index: Path) -> Known | None:
        """Copy the index to a place where git may change it; ``None`` where there is none for this key."""
        with suppress(OSError, msgspec.MsgspecError):
            known = msgspec.msgpack.decode((self._folder / "known").read_bytes(), type=Known)
            if known.key == key:
                data = (self._folder / "index").read_bytes()
                if sha1(data).hexdigest() == known.index:
                    index.write_bytes(data)
                    return known
        return None

    def keep(self, known: Known, index: Path, objects: Path) -> None:
        """Keep an index that was just used, and what git wrote on the way; where that fails, the next one is fresh."""
        with suppress(OSError, UnicodeEncodeError):  # names that are no text cannot be told
            known = msgspec.structs.replace(known, index=sha1(index.read_bytes()).hexdigest())
            told = index.with_name("known")
            told.write_bytes(msgspec.msgpack.encode(known))
            for path in (index, told):
                self._modes.share(path)
            self._hold(objects)
            os.replace(index, self._folder / "index")
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


def digest(*facts: object) -> str:
    """Return one digest of facts, in their order."""
    return sha1(repr(facts).encode("utf-8", "surrogateescape")).hexdigest()


def rules_in(top: Path, paths: Iterable[str], others: Collection[Path]) -> Mapping[str, bytes]:
    """Return the content of every file of attributes that git heeds for some paths, by where it is."""
    folders = {""}
    for folder in {path.rpartition("/")[0] for path in paths}:
        while folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    rules = {}
    for file in [*(top / folder / ".gitattributes" for folder in folders), *others]:
        with suppress(OSError):
            rules[str(file)] = file.read_bytes()
    return dict(sorted(rules.items()))
