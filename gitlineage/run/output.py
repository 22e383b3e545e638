"""
The log of a run: what the command printed, kept within its bound, with its phases and metrics as they come.

The command writes it itself, so that nothing is lost with whoever supervises. All of it is somebody else's text: what
is shown or kept elsewhere goes through `cleaned` first.
"""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from gitlineage.run.records import EVAL, TRAIN
from gitlineage.text import block

TAIL = 4096
"""Bytes of a log that a row keeps."""

_AT_ONCE = 1024 * 1024
"""Bytes that are looked at in one go while the command runs; of more, the end is."""

_KEPT = 64 * 1024
"""Bytes of the end that stay where a log is cut."""

_PHASE = re.compile(rb"^GITLINEAGE_PHASE[ =:]+(\w+)", re.MULTILINE)
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
_OVERWRITTEN = re.compile(r"[^\n]*\r(?!\n)(?=[^\n\r])")


class Log:
    """
    A log that is being written.

    Args:
        begin: where this attempt's output begins in it.
        limit: bytes that are kept.
    """

    def __init__(self, path: Path, begin: int, limit: int) -> None:
        self._path = path
        self._begin = begin
        self._limit = limit
        self._seen = begin
        self._part = b""
        self.size = begin
        """Bytes that it has."""
        self.dropped = 0
        """Bytes that were not kept."""

    def news(self) -> bytes:
        """Return what was printed since the last call, at most the last megabyte of it."""
        try:
            self.size = self._path.stat().st_size
        except FileNotFoundError:
            return b""
        if self.size <= self._seen:
            self._seen = min(self._seen, self.size)
            return b""
        with self._path.open("rb") as file:
            file.seek(max(self._seen, self.size - _AT_ONCE))
            new = file.read(_AT_ONCE)
            self._seen = file.tell()
        return new

    def phase(self, new: bytes) -> str:
        """Return the phase that new output tells of last; empty for none."""
        whole, _, self._part = (self._part + new).rpartition(b"\n")
        told = _PHASE.findall(whole)
        return "" if not told else EVAL if told[-1].lower().startswith(b"eval") else TRAIN

    def bound(self) -> bool:
        """Cut a log that has grown over its limit, and return whether it was: its beginning and its end stay."""
        if self.size - self._begin <= self._limit:
            return False
        keep = self._begin + self._limit // 2
        with self._path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            end = min(_KEPT, self._limit // 4)
            file.seek(size - end)
            last = file.read(end)
            file.truncate(keep)
        gone = size - end - keep
        self.dropped += gone
        with self._path.open("ab") as file:
            file.write(b"\n[gitlineage: %d bytes were cut here; --max-log keeps more]\n" % gone + last)
            self.size = self._seen = file.tell()
        return True


def unescaped(text: str) -> str:
    """Return output without the sequences by which a terminal is coloured or moved."""
    return _ESCAPE.sub("", text) if "\x1b" in text else text


def cleaned(data: bytes) -> str:
    """
    Return output as text that cannot do anything to whoever shows it.

    Escape sequences and control characters go, a line that was written over shows what stood there last.
    """
    text = unescaped(data.decode("utf-8", "replace").replace("\0", ""))
    return block(_OVERWRITTEN.sub("", text))


def tail(path: Path, begin: int = 0, limit: int = TAIL, lines: int | None = None) -> str:
    """
    Return the cleaned end of a log.

    Args:
        begin: where the attempt's output begins.
        limit: bytes of it at most, as UTF-8.
        lines: how many lines at most.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            at = max(begin, size - 4 * limit)
            file.seek(at)
            data = file.read()
    except FileNotFoundError:
        return ""
    text = cleaned(data)
    if len(text.encode()) > limit:
        text = text.encode()[-limit:].decode("utf-8", "ignore")
        text = text.partition("\n")[2] or text
    elif at > begin:
        text = text.partition("\n")[2] or text
    return "\n".join(text.splitlines()[-lines:]) if lines is not None else text


def digest(path: Path) -> tuple[int, str]:
    """Return the size and the SHA-256 of a log."""
    sha, size = sha256(), 0
    with suppress(FileNotFoundError), path.open("rb") as file:
        while part := file.read(_AT_ONCE):
            sha.update(part)
            size += len(part)
    return size, sha.hexdigest()


def follow(path: Path, begin: int, show: Callable[[bytes], None]) -> int:
    """Show what a log has from a place on, and return the place after it; a log that was cut goes on at its end."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(min(begin, size))
        while part := file.read(_AT_ONCE):
            show(part)
        return file.tell()
    return begin
