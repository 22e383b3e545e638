"""
Packs of one landing, a large one's by a second process, so that recording and compressing use two cores.

What a pack is, is in ``packs``. The second process ends with the first and writes nothing without its word.
"""

import fcntl
import gc
import os
import struct
import subprocess
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from gitlineage.git.modes import UMASK, Modes
from gitlineage.git.packs import KINDS, PackWriter, Stored, let_go, object_id, sync

_ALONE = 2000
"""Objects that a landing packs by itself; starting a process costs as much as packing some thousand."""

_HELD = 64 * 1024 * 1024
"""Bytes of objects between two packs; up to twice as many stay in memory, to be read again."""

_BUFFER = 1 << 16
_PIPE = 1 << 20
_FRAME = struct.Struct(">BI20s")
"""What stands before an object: its type, its size and its oid in bytes."""

_FRAMES = 256
"""Frames that are handed over at once, each with its object behind it."""

_FLUSH = 0
_END = 255
_DURABLE = b"d"
_NAMES = {number: kind for kind, number in KINDS.items()}


class Done(msgspec.Struct):
    """What the second process answers when its objects are packed, or why they are not."""

    kept: list[str] = []
    errno: int = 0
    reason: str = ""


class Packer:
    """
    Collects the objects of one landing and writes them as packs.

    Args:
        folder: the repository's ``objects/pack``.
        modes: which permissions files get.
    """

    def __init__(self, folder: Path, modes: Modes = UMASK) -> None:
        self._folder = folder
        self._modes = modes
        self._near = PackWriter(folder, modes, hasty=True)
        self._helper: Helper | None = None
        self._kept: list[str] = []
        self.durable = False

    def add(self, kind: str, data: bytes, oid: str | None = None) -> str:
        """
        Take an object, unless it is here already, and return its oid.

        Args:
            kind: its type.
            data: its content.
            oid: its oid, where the caller knows it.

        Raises:
            OSError: the disk refused an earlier one.
        """
        if self._helper is not None:
            return self._helper.add(kind, data, oid)
        oid = self._near.add(kind, data, oid)
        if len(self._near) >= _ALONE:
            with suppress(OSError):  # no second process can be had: go on alone
                self._helper = Helper(self._folder, self._kept, self._near.done, self._modes)
        return oid

    def get(self, oid: str) -> Stored | None:
        """Return an object that was taken lately and may not be in a pack yet."""
        return self._near.get(oid) or (self._helper.get(oid) if self._helper is not None else None)

    def ahead(self, durable: bool) -> None:
        """
        Have the second process, if there is one, write what it was handed, while more is on its way.

        Raises:
            OSError: the disk refused.
        """
        if self._helper is not None:
            self._helper.flush(durable)

    def flush(self) -> dict[str, Stored]:
        """
        Write what was taken as packs that git sees and keeps, and return it; of a large landing only its beginning.

        Raises:
            OSError: the disk refused; no half pack is left where git would see it.
        """
        self._near.durable = self.durable
        done = self._near.flush()
        if self._helper is not None:
            helper, self._helper = self._helper, None
            helper.finish(self.durable)
        if self.durable and len(early := [*self._near.kept, *self._kept]) > 1:
            for keep in map(Path, early):  # those that were full before the landing was complete
                sync(keep.with_suffix(".pack"))
                sync(keep.with_suffix(".idx"))
            sync(self._folder)
        return done

    def release(self) -> None:
        """Let git treat the packs as any other, now that a ref leads to them or nothing ever will."""
        if self._helper is not None:
            self._helper.stop()
            self._helper = None
        self._near.release()
        let_go(self._kept)


class Helper:
    """
    The second process, seen from the first.

    Args:
        folder: the repository's ``objects/pack``.
        kept: gets the ``.keep`` files of the packs it has written.
        done: the digests of what was packed otherwise.
        modes: which permissions files get.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, folder: Path, kept: list[str], done: Collection[bytes], modes: Modes = UMASK) -> None:
        self._kept = kept
        self._objects: dict[str, Stored] = {}
        self._older: dict[str, Stored] = {}
        self._asked = False
        self._seen = set(done)
        self._size = 0
        self._frames: list[bytes] = []
        if not sys.executable:
            raise OSError("no interpreter to start")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "gitlineage.git.packer", str(folder), modes.setting],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )
        self._input = self._pipe(self._process.stdin)
        with suppress(OSError, AttributeError):  # a longer pipe keeps both at work; not every system can have one
            fcntl.fcntl(self._input, fcntl.F_SETPIPE_SZ, _PIPE)

    def add(self, kind: str, data: bytes, oid: str | None = None) -> str:
        """Hand an object over, unless it is known, and return its oid."""
        if oid is None:
            oid = object_id(kind, data)
        digest = bytes.fromhex(oid)
        if digest not in self._seen:
            self._seen.add(digest)
            self._objects[oid] = Stored(kind, data)
            size = len(data)
            self._frames += (_FRAME.pack(KINDS[kind], size, digest), data)
            self._size += size
            if len(self._frames) >= _FRAMES:
                self._send()
            if self._size > _HELD:
                self.flush(durable=False)
        return oid

    def get(self, oid: str) -> Stored | None:
        """Return an object that may not be in a pack yet."""
        return self._objects.get(oid) or self._older.get(oid)

    def finish(self, durable: bool) -> None:
        """
        Wait until all is packed.

        Raises:
            OSError: the disk refused, or the process died.
        """
        try:
            self.flush(durable)
            self._answer()
        finally:
            self.stop()

    def stop(self) -> None:
        """End the process; what it has not packed is lost."""
        with suppress(OSError):
            # the end of the pipe is not enough: a process that was forked meanwhile may hold it open
            self._input.write(_FRAME.pack(_END, 0, b""))
        with suppress(OSError):
            self._input.close()
        self._process.wait()
        self._pipe(self._process.stdout).close()

    def flush(self, durable: bool) -> None:
        """Ask for a pack; its objects stay readable here until the next one is asked for, when it is there."""
        if self._asked:
            self._answer()
        word = _DURABLE if durable else b""
        self._frames += (_FRAME.pack(_FLUSH, len(word), b""), word)
        self._send()
        self._asked = True
        self._older, self._objects, self._size = self._objects, {}, 0

    def _send(self) -> None:
        """Hand over what waits."""
        frames, self._frames = self._frames, []
        try:
            self._input.write(b"".join(frames))
            self._input.flush()
        except BrokenPipeError:
            self._answer()  # it has told why

    def _answer(self) -> None:
        line = self._pipe(self._process.stdout).readline()
        self._asked = False
        if not line:
            raise OSError("the process that packs objects died")
        done = msgspec.json.decode(line, type=Done)
        self._kept += done.kept
        if done.reason:
            raise OSError(done.errno, done.reason)

    @staticmethod
    def _pipe(pipe: object) -> BinaryIO:
        return pipe  # type: ignore[return-value]


def serve(folder: Path, source: BinaryIO, answers: BinaryIO, modes: Modes = UMASK) -> None:
    """
    Be the second process: pack what comes, one pack whenever asked to, until the source ends.

    Args:
        folder: the repository's ``objects/pack``.
        source: frames, each with an object behind it.
        answers: gets a line for each pack.
        modes: which permissions files get.
    """
    writer = PackWriter(folder, modes)
    try:
        while len(frame := source.read(_FRAME.size)) == _FRAME.size:
            kind, size, digest = _FRAME.unpack(frame)
            data = source.read(size)
            if kind == _END or len(data) < size:
                return
            try:
                if kind != _FLUSH:
                    writer.add(_NAMES[kind], data, digest.hex())
                    continue
                writer.durable = data == _DURABLE
                writer.flush()
                done = Done()
            except OSError as error:
                done = Done(errno=error.errno or 0, reason=error.strerror or str(error))
            done.kept = list(writer.kept)
            writer.kept.clear()
            answers.write(msgspec.json.encode(done) + b"\n")
            answers.flush()
            if done.reason:
                return
    finally:
        writer.release()  # packs that were never told of belong to a landing that was given up


if __name__ == "__main__":
    gc.disable()  # nothing here goes round in circles
    with open(sys.stdin.fileno(), "rb", buffering=_BUFFER, closefd=False) as objects:
        serve(Path(sys.argv[1]), objects, sys.stdout.buffer, Modes(sys.argv[2]))
