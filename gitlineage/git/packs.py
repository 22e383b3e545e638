"""
Git objects on their way into pack files, for `GitRepo`: hashing, packing, publishing. `PackWriter` is where to start.

All objects of one landing go into one pack instead of a loose file each: two files instead of eight, and none
that `git gc` could prune before the ref moves, because a ``.keep`` file stands beside the pack until then.
"""

import os
import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gitlineage.git.modes import UMASK, Modes
from gitlineage.house import NAME
from gitlineage.later import later

if TYPE_CHECKING:
    import hashlib
else:
    hashlib = later("hashlib")  # OpenSSL takes its time, and a reading command has no use of it

KINDS = {"commit": 1, "tree": 2, "blob": 3}
"""The types of pack entries."""

_LEVELS = {"commit": 1, "tree": 0, "blob": 1}
"""How hard they are compressed; oids hardly shrink, and `maintain` has git do the rest."""

_FLUSH = 64 * 1024 * 1024
"""Bytes of objects that are held in memory before they go into a pack of their own."""

_PLAIN = frozenset(KINDS.values()) | {4}
"""The types of pack entries that stand for themselves: commits, trees, blobs and tags."""

_BEGIN = 64
"""Bytes of a loose object that tell its type and size."""

_HEAD = 12
"""Bytes of a pack before its first entry."""

_Entry = tuple[bytes, int, int]
"""An entry's oid in bytes, its checksum, and where in the pack it is."""

_KEEP = f"{NAME}: in use until the writer's ref has moved\n".encode()


class Stored(msgspec.Struct, frozen=True, gc=False):
    """An object as it is: its type and content."""

    kind: str
    data: bytes


class PackWriter:
    """
    Collects the objects of one landing and writes them as packs.

    Args:
        folder: the repository's ``objects/pack``.
        mark: the file that ``.keep`` files are further names of, which costs a tenth of a new file each.
    """

    def __init__(self, folder: Path, modes: Modes = UMASK, mark: Path | None = None) -> None:
        self._folder = folder
        self._mark = mark
        self._modes = modes
        self.durable = False
        self._objects: dict[str, Stored] = {}
        self._done: set[bytes] = set()
        self._pieces: list[bytes] = []
        self._entries: list[_Entry] = []
        self._size = _HEAD
        self._held = 0
        self._kept: list[str] = []
        self._unconfirmed: list[str] = []

    def add(self, kind: str, data: bytes, oid: str | None = None) -> str:
        """
        Take an object, unless it is here already, and return its oid.

        Args:
            oid: its oid, where the caller knows it.

        Raises:
            OSError: so much had come together that it was written, and the disk refused.
        """
        if oid is None:
            oid = object_id(kind, data)
        digest = bytes.fromhex(oid)
        if digest not in self._done:
            self._done.add(digest)
            self._objects[oid] = Stored(kind, data)
            piece = _header(KINDS[kind], len(data)) + zlib.compress(data, _LEVELS[kind])
            self._entries.append((digest, zlib.crc32(piece), self._size))
            self._pieces.append(piece)
            self._size += len(piece)
            self._held += len(data)
            if self._held > _FLUSH:
                self.flush()
        return oid

    def take(self, stem: Path) -> bool:
        """
        Take the entries of a pack as they are.

        Deltas say how far back their base is, so a pack that has some is taken as one piece.

        Returns:
            Whether it was taken; not one that cannot be read, or has deltas and an object that is here already.
        """
        try:
            data, index = stem.with_suffix(".pack").read_bytes(), stem.with_suffix(".idx").read_bytes()
            entries = _entries(index, len(data))
        except (OSError, ValueError, struct.error):
            return False
        if any((data[start] >> 4) & 7 not in _PLAIN for _, _, start, _ in entries):
            if any(digest in self._done for digest, _, _, _ in entries):
                return False
            shift = self._size - _HEAD
            self._done.update(digest for digest, _, _, _ in entries)
            self._entries += [(digest, crc, start + shift) for digest, crc, start, _ in entries]
            self._pieces.append(data[_HEAD:-20])
            self._size += len(data) - _HEAD - 20
            return True
        for digest, crc, start, end in entries:
            if digest not in self._done:
                self._done.add(digest)
                self._entries.append((digest, crc, self._size))
                self._pieces.append(data[start:end])
                self._size += end - start
        return True

    def get(self, oid: str) -> Stored | None:
        """Return an object that was taken since the last flush."""
        return self._objects.get(oid)

    def flush(self) -> None:
        """
        Write what was taken as a pack that git sees and keeps.

        Where ``durable`` is set, the disk has confirmed it, and what was written earlier, before this returns.

        Raises:
            OSError: the disk refused; no half pack is left where git would see it.
        """
        self._objects, self._held = {}, 0
        if self._entries:
            self._write_pack()
        if self.durable and self._unconfirmed:
            for path in self._unconfirmed:
                sync(Path(path))
            sync(self._folder)
            self._unconfirmed.clear()

    def _write_pack(self) -> None:
        body = b"".join([b"PACK", struct.pack(">II", 2, len(self._entries)), *self._pieces])
        trailer = hashlib.sha1(body).digest()
        index = _index(self._entries, trailer)
        self._pieces, self._entries, self._size = [], [], _HEAD
        # a name of its own: a pack with equal content may be on its way out
        name = os.urandom(20).hex()
        stem = f"{self._folder}/pack-{name}"
        keep, pack, scratch = f"{stem}.keep", f"{stem}.pack", f"{self._folder}/tmp_idx_{name}"
        try:
            self._modes.make_folders(self._folder)
            self._keep(keep)
            self._kept.append(keep)
            self._write(pack, body + trailer)
            self._write_whole(f"{stem}.idx", scratch, index)
            if self.durable:
                sync(self._folder)
            else:
                self._unconfirmed += (pack, f"{stem}.idx")
        except OSError:
            for path in (scratch, pack, keep):
                with suppress(OSError):
                    os.unlink(path)
            raise

    def _keep(self, path: str) -> None:
        """Make a pack's ``.keep`` file: one more name of the mark, or the mark's first one."""
        with suppress(OSError):
            if self._mark is not None:
                os.link(self._mark, path)
                return
        self._write(path, _KEEP)
        with suppress(OSError):
            if self._mark is not None:
                os.link(path, self._mark)

    def _write_whole(self, path: str, scratch: str, data: bytes) -> None:
        """Put a file in its place in one step; `git prune` may take the scratch file away in between."""
        for last in (False, False, True):
            self._write(scratch, data)
            try:
                os.rename(scratch, path)
                return
            except FileNotFoundError:
                if last:
                    raise

    def _write(self, path: str, data: bytes) -> None:
        handle = self._modes.open(path, os.O_WRONLY | os.O_TRUNC, 0o444)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(handle, rest) :]
            if self.durable:
                os.fsync(handle)
        finally:
            os.close(handle)

    def release(self) -> None:
        """Let git treat the packs as any other, now that a ref leads to them or nothing ever will."""
        for keep in self._kept:
            with suppress(OSError):
                os.unlink(keep)
        self._kept.clear()


def merge(folder: Path, names: Sequence[str], modes: Modes = UMASK, mark: Path | None = None) -> bool:
    """
    Join small packs into one by putting their entries one behind the other, and delete them.

    Nothing is unpacked, so the cost is that of copying. The disk confirms the new pack before the old ones go. Only
    under the writers' lock.

    Args:
        folder: the repository's ``objects/pack``.
        names: the packs, without their endings.
        mark: as for `PackWriter`.

    Returns:
        Whether two or more were joined.

    Raises:
        OSError: the disk refused; the packs are as they were.
    """
    merged = PackWriter(folder, modes, mark)
    merged.durable = True  # what it replaces may have been on disk for long
    done = [name for name in names if merged.take(folder / name)]
    if len(done) > 1:
        merged.flush()
        for name in done:
            for suffix in (".idx", ".pack"):
                (folder / f"{name}{suffix}").unlink(missing_ok=True)
        merged.release()
    return len(done) > 1


class LooseObjects:
    """
    Reads the loose objects that git wrote into folders of its own.

    Args:
        folders: the object directories.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = [os.fspath(folder) for folder in folders]

    def read(self, oid: str) -> bytes | None:
        """Return an object's content, ``None`` where it is not there."""
        for folder in self._folders:
            with suppress(FileNotFoundError), open(f"{folder}/{oid[:2]}/{oid[2:]}", "rb", buffering=0) as file:
                return zlib.decompress(file.read()).partition(b"\0")[2]
        return None

    def size(self, oid: str) -> int | None:
        """Return how many bytes an object has without reading it, ``None`` where it is not there."""
        for folder in self._folders:
            with suppress(FileNotFoundError), open(f"{folder}/{oid[:2]}/{oid[2:]}", "rb", buffering=0) as file:
                opener, head = zlib.decompressobj(), b""
                while b"\0" not in head and (more := file.read(_BEGIN)):  # the first may be tables alone
                    head += opener.decompress(more, _BEGIN)
                return int(head.partition(b"\0")[0].partition(b" ")[2])
        return None


def object_id(kind: str, data: bytes) -> str:
    """Return the oid that git gives an object."""
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)) + data).hexdigest()


def sync(path: Path) -> None:
    """Have the disk confirm a file or a folder."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def release_abandoned(folder: Path) -> None:
    """Remove the ``.keep`` files of processes that died; only whoever holds the writers' lock may call this."""
    for keep in folder.glob("pack-*.keep"):
        with suppress(OSError):
            mark = keep.read_bytes()
            # it is written before its pack is, so one that is cut short has none; a user's own stands beside a pack
            if mark == _KEEP or (_KEEP.startswith(mark) and not keep.with_suffix(".pack").exists()):
                keep.unlink()


@lru_cache(1 << 13)
def _header(kind: int, size: int) -> bytes:
    """Return a pack entry's head: type and size, seven bits a byte, the first byte with four of them."""
    first = (kind << 4) | (size & 15)
    size >>= 4
    head = bytearray()
    while size:
        head.append(first | 0x80)
        first = size & 0x7F
        size >>= 7
    head.append(first)
    return bytes(head)


def _entries(index: bytes, size: int) -> list[tuple[bytes, int, int, int]]:
    """Return oid, checksum, start and end of every entry that a pack's index (version 2) lists."""
    if index[:8] != b"\xfftOc\0\0\0\2":
        raise ValueError("not an index of version 2")
    (count,) = struct.unpack_from(">I", index, 8 + 255 * 4)
    oids = 8 + 256 * 4
    crcs = struct.unpack_from(f">{count}I", index, oids + 20 * count)
    starts = struct.unpack_from(f">{count}I", index, oids + 24 * count)
    if any(start & 0x80000000 for start in starts):
        raise ValueError("a pack of over 2 GiB")
    ends = dict(pairwise([*sorted(starts), size - 20]))
    return [
        (index[oids + 20 * at : oids + 20 * at + 20], crcs[at], start, ends[start]) for at, start in enumerate(starts)
    ]


def _index(entries: list[_Entry], trailer: bytes) -> bytes:
    """Return the pack's index in git's format, version 2."""
    ordered = sorted(entries)
    fanout = []
    first = 0
    for number, (oid, _, _) in enumerate(ordered):
        if oid[0] != first:
            fanout.append(struct.pack(">I", number) * (oid[0] - first))
            first = oid[0]
    count = len(ordered)
    oids, crcs, offsets = zip(*ordered, strict=True)
    body = b"".join(
        [
            b"\xfftOc\0\0\0\2",
            *fanout,
            struct.pack(">I", count) * (256 - first),
            *oids,
            struct.pack(f">{2 * count}I", *crcs, *offsets),
            trailer,
        ]
    )
    return body + hashlib.sha1(body).digest()
