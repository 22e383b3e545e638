"""
Git's own formats: trees, commits and the packed list of refs, between bytes and records.

What is read may come from anybody: it is bounded, and what is broken says so or names nothing.
"""

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

from gitlineage.house import NAME

TREE = 0o040000
FILE = 0o100644
PROGRAM = 0o100755
LINK = 0o120000
SUBMODULE = 0o160000
_SIGNATURE = re.compile(r"(.*>) ([0-9]{1,18}) [+-][0-9]{4}")
NO_OID = "0" * 40
"""The oid that stands for none in a reflog."""
is_oid = re.compile(r"[0-9a-f]{40}").fullmatch
_LAST_SECOND = 253_402_300_799
"""The last second of the year 9999; a commit may claim a later one."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry of a tree: its mode and the oid it points at."""

    mode: int
    oid: str


class CommitInfo(msgspec.Struct, frozen=True, gc=False):
    """
    A commit as stored.

    The time is its author date in UTC.
    """

    oid: str
    tree: str
    parents: tuple[str, ...]
    message: str
    author: str
    time: datetime


class Identity(msgspec.Struct, frozen=True, gc=False):
    """A name and a mail address, as commits carry them."""

    name: str
    mail: str

    def clean(self) -> "Identity":
        """Return it without the signs that git's format has no place for."""
        return _clean(self.name, self.mail)


@lru_cache(maxsize=64)
def _clean(name: str, mail: str) -> Identity:
    name = re.sub(r"[<>\x00-\x1f\x7f]", "", name).strip(" .,:;\"'")
    mail = re.sub(r"[<>\s\x00-\x1f\x7f]", "", mail)
    return Identity(name or NAME, mail or f"{NAME}@localhost")


def format_commit(tree: str, parents: Iterable[str], message: str, who: Identity, moment: datetime) -> bytes:
    """Return a commit object's content."""
    signature = _signature(who, moment)
    above = "".join(f"parent {parent}\n" for parent in parents)
    return f"tree {tree}\n{above}author {signature}\ncommitter {signature}\n\n{message}".encode()


def format_move(old: str | None, new: str, message: str, who: Identity, moment: datetime) -> bytes:
    """Return a reflog's line about a ref that was moved."""
    said = " ".join(message.split())
    return f"{old or NO_OID} {new} {_signature(who.clean(), moment)}\t{said}\n".encode()


def dated(moment: datetime) -> datetime:
    """Return the moment that a commit made at another one tells, in UTC: git has whole seconds, none before 1970."""
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return datetime.fromtimestamp(max(int(seconds), 0), UTC)


def _signature(who: Identity, moment: datetime) -> str:
    """Return who did something and when, as git writes it."""
    seconds = int(dated(moment).timestamp())
    if moment.tzinfo is None or moment.tzinfo is UTC:
        return f"{who.name} <{who.mail}> {seconds} +0000"
    offset = int((moment.utcoffset() or timedelta()).total_seconds()) // 60
    sign = "-" if offset < 0 else "+"
    return f"{who.name} <{who.mail}> {seconds} {sign}{abs(offset) // 60:02d}{abs(offset) % 60:02d}"


def parse_commit(oid: str, raw: bytes) -> CommitInfo:
    """Return what a commit object's content says; one that is broken names no author and the beginning of time."""
    head, _, message = raw.partition(b"\n\n")
    tree, author, seconds = "", "", 0
    parents = []
    for line in head.decode("utf-8", "replace").split("\n"):
        key, _, value = line.partition(" ")
        if key == "tree":
            tree = value
        elif key == "parent":
            parents.append(value)
        elif key == "author" and (match := _SIGNATURE.fullmatch(value)):
            author, seconds = match[1], int(match[2])
    return CommitInfo(
        oid=oid,
        tree=tree,
        parents=tuple(parents),
        message=message.decode("utf-8", "replace"),
        author=author,
        time=datetime.fromtimestamp(min(seconds, _LAST_SECOND), UTC),
    )


def parse_tree(raw: bytes) -> dict[str, Entry]:
    """
    Return a tree object's entries by name.

    Raises:
        ValueError: it is broken.
    """
    return dict(tree_entries(raw))


def tree_entries(raw: bytes) -> Iterator[tuple[str, Entry]]:
    """
    Return a tree object's entries in order; a hostile tree may have a name twice.

    Raises:
        ValueError: it is broken.
    """
    at = 0
    while at < len(raw):
        space = raw.index(b" ", at)
        end = raw.index(b"\0", space)
        name = raw[space + 1 : end].decode("utf-8", "surrogateescape")
        yield name, Entry(int(raw[at:space], 8), raw[end + 1 : end + 21].hex())
        at = end + 21
    if at != len(raw):
        raise ValueError("it ends in the middle of an entry")


def format_tree(entries: Mapping[str, Entry]) -> bytes:
    """Return a tree object's content, sorted as git wants it: a folder as if its name ended in ``/``."""
    pieces = []
    for name, entry in entries.items():
        place, head = _entry_head(entry.mode, name)
        pieces.append((place, head + bytes.fromhex(entry.oid)))
    pieces.sort()
    return b"".join([piece for _, piece in pieces])


@lru_cache(maxsize=1024)
def _entry_head(mode: int, name: str) -> tuple[bytes, bytes]:
    """Return what a tree's entry is sorted by, and how it begins."""
    raw = name.encode("utf-8", "surrogateescape")
    return raw + b"/" if mode == TREE else raw, b"%o %b\0" % (mode, raw)


def parse_index(raw: bytes) -> Iterator[tuple[bytes, Entry, int]]:
    """
    Return the paths of an index of version 2 or 3 with what it has there, and how many bytes the file had, by 32 bits.

    Raises:
        ValueError: it is another version, or broken.
    """
    try:
        mark, version, count = struct.unpack_from(">4sII", raw)
        if mark != b"DIRC" or version not in (2, 3):
            raise ValueError(f"an index of version {version}")
        at = 12
        for _ in range(count):
            mode, size, oid, flags = struct.unpack_from(">24xI8xI20sH", raw, at)
            begin = at + (64 if flags & 0x4000 else 62)
            end = raw.index(b"\0", begin)
            yield raw[begin:end], Entry(mode, oid.hex()), size
            at += (end - at + 8) & ~7  # one to eight zeros follow a path
    except struct.error as error:
        raise ValueError("it ends in the middle of an entry") from error


def parse_packed_refs(packed: bytes) -> dict[bytes, bytes]:
    """Return the lines of git's packed list of refs by name, each with its peeled line if it has one."""
    lines: dict[bytes, bytes] = {}
    name = b""
    for line in packed.splitlines(keepends=True):
        if line.startswith(b"^"):
            lines[name] += line
        elif not line.startswith(b"#"):
            name = line.rstrip(b"\n").partition(b" ")[2]
            lines[name] = line
    return lines


def packed_lines(refs: Mapping[str, str]) -> dict[bytes, bytes]:
    """Return lines of the packed list by name, for refs that point at commits."""
    return {name.encode(): f"{oid} {name}\n".encode() for name, oid in refs.items()}
