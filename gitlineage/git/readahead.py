"""
Objects that are needed soon, read by a `git cat-file` of their own well before their turn.

Git unpacks on one core what is used on another. What is missing, broken or overlong, and whatever git did not
get to say, is left out: who needs it reads it by itself and sees what is wrong. All content is checked against its oid.
"""

import re
import subprocess
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

from gitlineage.git import program
from gitlineage.git.packs import Stored, object_id

FEW = 500
"""Fewer items are left to be read one by one: to start git costs as much."""

_MANY = 50_000
"""Items whose objects one git reads."""

_BUFFER = 1 << 18
_OID = 40
_SMALL = 1 << 16
"""Bytes of an object that are nothing to speak of; few that are read ahead have more."""

_LARGE = 1 << 28
"""Bytes of larger objects that one git may unpack; anybody may have put them there to keep readers busy."""

ALONE = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
"""Git reads what is here and nothing in its place; older ones know no other way not to fetch what a clone left out."""

_SPARING = ("core.packedGitLimit=256m", "core.packedGitWindowSize=16m")
"""How much of the packs git has in memory at once, which would otherwise be all of a large store."""

_USUAL = re.compile(rb"\d+ \w+ ([0-9a-f]{40})\t([0-9a-f]{2})/([0-9a-f]{2})/([0-9a-f]{36})\n")
"""A line that `git ls-tree` prints of a note in a fan-out of two levels."""

_PATH = re.compile(rb"[^\t]*\t([0-9a-f/]+)\n")

T = TypeVar("T")


def read_ahead(
    gitdir: Path, items: Iterable[T], wanted: Callable[[T], Sequence[str]], limit: int
) -> Generator[tuple[T, dict[str, Stored]], None, None]:
    """
    Return items in their order, each with those of its objects that could be read ahead.

    Closing the iterator ends git.

    Args:
        items: what needs objects; many are taken before the first is returned.
        wanted: the oids that an item needs.
        limit: how many bytes an object may have that is taken into memory.
    """
    source = iter(items)
    while part := [(item, wanted(item)) for item in islice(source, _MANY)]:
        if len(part) < FEW:
            yield from ((item, {}) for item, _ in part)
            continue
        with Answers(gitdir, (oid for _, oids in part for oid in oids), limit) as answers:
            for item, oids in part:
                yield item, {oid: stored for oid in oids if (stored := answers.take(oid)) is not None}


def read_notes(gitdir: Path, tree: str, most: int) -> dict[bytes, bytes]:
    """
    Return the blob of every note that stands where notes usually do, by object; all others are to be looked for.

    Args:
        tree: the tree of notes.
        most: how many notes it may have; of one that has more, or that git cannot read whole, none is returned.
    """
    words = ["git", "--git-dir", str(gitdir), "ls-tree", "-r", tree]
    blobs: dict[bytes, bytes] = {}
    elsewhere: set[bytes] = set()
    with suppress(OSError), ExitStack() as end:
        child = subprocess.Popen(
            words, env=program.environment() | ALONE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=_BUFFER
        )
        end.enter_context(child)
        end.callback(child.kill)
        assert child.stdout is not None
        for count, line in enumerate(child.stdout):
            if count >= most:
                return {}
            if (usual := _USUAL.fullmatch(line)) is not None:
                blobs[bytes.fromhex(b"".join(usual.groups()[1:]).decode())] = bytes.fromhex(usual[1].decode())
            elif (path := _PATH.fullmatch(line)) is not None and len(oid := path[1].replace(b"/", b"")) == _OID:
                elsewhere.add(bytes.fromhex(oid.decode()))
        if child.wait() != 0:
            return {}
    for oid in elsewhere:
        blobs.pop(oid, None)
    return blobs


class Answers:
    """
    What one `git cat-file` says of many objects.

    Args:
        oids: the objects, in the order in which they will be taken.
        limit: how many bytes an object may have that is taken into memory.
    """

    def __init__(self, gitdir: Path, oids: Iterable[str], limit: int) -> None:
        self._limit = limit
        self._left = _LARGE
        self._output: BinaryIO | None = None
        self._end = ExitStack()
        with suppress(OSError):  # no git, no disk, no more processes: nothing is read ahead
            self._start(gitdir, oids)

    def _start(self, gitdir: Path, oids: Iterable[str]) -> None:
        from tempfile import TemporaryFile  # most questions start no git

        settings = (*_SPARING, f"core.bigFileThreshold={self._limit}")
        words = ["git", "--git-dir", str(gitdir), *(word for setting in settings for word in ("-c", setting))]
        with TemporaryFile() as asked:  # a pipe may be full while git waits for its answers to be read
            asked.writelines(b"%s\n" % oid.encode() for oid in oids)
            asked.seek(0)
            child = subprocess.Popen(
                [*words, "cat-file", "--batch", "--buffer"],
                env=program.environment() | ALONE,
                stdin=asked,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=_BUFFER,
            )
        self._end.enter_context(child)
        self._end.callback(child.kill)
        self._output = child.stdout  # type: ignore[assignment]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_up()

    def take(self, oid: str) -> Stored | None:
        """Return the next object, which must be this one; ``None`` where it was not read."""
        if self._output is None:
            return None
        head = self._output.readline().decode("ascii", "replace").split()
        if head == [oid, "missing"]:
            return None
        size = int(head[2]) if len(head) == 3 and head[0] == oid and head[2].isdecimal() else -1
        if size > _SMALL:
            self._left -= size
        if 0 <= size <= self._limit and self._left >= 0:
            data = self._output.read(size + 1)
            if len(data) > size:
                stored = Stored(head[1], data[:-1])
                return stored if object_id(stored.kind, stored.data) == oid else None
        if size > self._limit and self._left >= 0:
            self._skip(size + 1)
        else:
            self._give_up()
        return None

    def _skip(self, size: int) -> None:
        """Pass over bytes without holding them."""
        while size and self._output is not None:
            passed = len(self._output.read(min(size, _BUFFER)))
            size -= passed
            if not passed:
                self._give_up()

    def _give_up(self) -> None:
        """End git and take no further answers: it died, or it has too much to unpack."""
        self._output = None
        self._end.close()
