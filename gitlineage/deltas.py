"""
What small objects that begin alike share, as git's instructions to make one from another; not how a pack holds them.

Layer 0. Git takes no delta over half an object's size, but a landing has a hundred thousand rows of some hundred bytes
with the same keys in the same places. The first few objects of a family show which pieces its members have in common.
Finding the pieces in the next one, each after the one before, takes it apart into pieces and gaps; whatever it shares
with its base in a row becomes one copy. Two steps at most lead to an object that stands for itself.
"""

import re
from collections import Counter, OrderedDict
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

MOST = 4096
"""Bytes from which on an object is not looked at; git's own repacking does those well."""

REACH = 1 << 21
"""Bytes of a pack over which a base is used at most: a distance of three bytes, and some megabytes of memory."""

_FRESH = 1 << 20
"""Bytes of a pack after which an object that has all pieces becomes the base; times and numbers move on."""

_HEX = b"0123456789abcdef"
_TOKEN = re.compile(rb"\w+|[^\w\0]+|\0")
_BYTES = [bytes((byte,)) for byte in range(128)]

_FAMILIES = 64
"""Families that are known at a time; the one that was met longest ago makes room."""

_SAMPLES = 9
"""Objects from which the pieces of a family are learned."""

_SHARE = 0.4
"""The share of the samples that must have a piece; some of a family lack what most have."""

_COMMON = 16
"""Times that a word may occur in a sample to count when two are laid side by side."""

_PIECES = 64
"""Pieces of a family at most; what an object costs grows with them."""

_SHORTEST = 6
"""Bytes of the shortest piece and of the shortest copy, which costs about as much."""

_MANY = 64
_RELATIVES = 4096
"""Gaps that lead to a base beside the family's own."""

_LARGE = 20
"""The part of an object's size from which on a gap is large enough to make another object with it the better base."""

_LOOKS = 32
"""Deltas of a family that are compared with the plain form at first; after that, every so manieth."""


class Deltas:
    """Finds bases for the objects of one pack, as they come."""

    def __init__(self) -> None:
        self._families: OrderedDict[tuple[int, bytes], Family] = OrderedDict()

    def find(self, kind: int, data: bytes, place: int) -> "tuple[int, bytes, Family] | None":
        """
        Return how to make an object that comes next in the pack from an earlier one, ``None`` where none is like it.

        Args:
            kind: its type.
            data: its content.
            place: where in the pack it goes.

        Returns:
            Where in the pack the base is, the instructions, and whom to tell whether they paid.
        """
        # what it begins with, without numbers and oids
        key = kind, data[:100].translate(None, _HEX).partition(b"\0")[0][:20]
        family = self._families.get(key)
        if family is None:
            family = self._families[key] = Family()
            if len(self._families) > _FAMILIES:
                self._families.popitem(last=False)
        else:
            self._families.move_to_end(key)
        return family.find(data, place)

    def forget(self) -> None:
        """Begin with another pack, whose bases must be its own."""
        self._families.clear()


class _Base(NamedTuple):
    """An object taken apart: gaps, and where the pieces after them are; ``None`` and -1 for a piece that it lacks."""

    place: int
    size: int
    gaps: list[bytes | None]
    spots: list[int]


class Family:
    """Objects of a kind that begin alike."""

    def __init__(self) -> None:
        self._samples: list[bytes] = []
        self._pieces: list[tuple[bytes, int]] = []
        self._sizes: list[int] = []
        self._first: _Base | None = None
        self._relatives: dict[bytes, _Base] = {}
        self._looks = 0
        self._saving = 0.0
        self._hopeless = False

    def find(self, data: bytes, place: int) -> "tuple[int, bytes, Family] | None":
        """Return how to make one more of the family."""
        if not self._pieces:
            if not self._hopeless:
                self._learn(data)
            return None
        gaps: list[bytes | None] = []
        spots = []
        end = 0
        for piece, size in self._pieces:
            spot = data.find(piece, end)
            spots.append(spot)
            if spot < 0:
                gaps.append(None)
            else:
                gaps.append(data[end:spot])
                end = spot + size
        gaps.append(data[end:])
        spots.append(len(data))
        first = self._first
        if first is None or place - first.place >= (REACH if None in gaps else _FRESH):
            self._first, self._relatives = _Base(place, len(data), gaps, spots), {}
            return None
        base = first
        least = len(data) // _LARGE
        large = [gap for gap in gaps if gap is not None and len(gap) > least]
        for gap in large:
            base = self._relatives.get(gap, base)
        if base is first and len(self._relatives) < _RELATIVES:
            self._relatives.update(dict.fromkeys(large, _Base(place, len(data), gaps, spots)))
        return base.place, self._instructions(data, gaps, spots, base), self

    def asks(self) -> bool:
        """Whether the next delta is to be compared with the object's plain form."""
        self._looks += 1
        return self._looks <= _LOOKS or not self._looks % _LOOKS

    def hear(self, saved: int) -> None:
        """Take note of what a delta saved; a family that gains nothing is given up."""
        self._saving += (saved - self._saving) / _LOOKS
        if self._looks >= _LOOKS and self._saving <= 0:
            self._pieces, self._hopeless = [], True

    def _learn(self, data: bytes) -> None:
        """Take one more sample; enough of them give the pieces."""
        self._samples.append(data)
        if len(self._samples) == _SAMPLES:
            self._pieces = [(piece, len(piece)) for piece in _common(self._samples)[:_PIECES]]
            self._sizes = [*(size for _, size in self._pieces), 0]
            self._hopeless = not self._pieces
            self._samples.clear()

    def _instructions(self, data: bytes, gaps: list[bytes | None], spots: list[int], base: _Base) -> bytes:
        """Copy pieces, equal gaps between them and the equal ends of others; insert the rest."""
        whole = len(data)
        out = [_size(base.size), _size(whole)]
        done = start = end = shift = 0  # a run of the base, and how much further on it is in the object
        aligned = True  # both gaps begin behind the same piece
        for length, spot, there, gap, other in zip(self._sizes, spots, base.spots, gaps, base.gaps, strict=True):
            if aligned and gap == other:
                if gap is not None:
                    end = there + length
                continue
            if gap is None or other is None:
                aligned = False
                continue
            most = len(gap) if len(gap) < len(other) else len(other)
            if aligned:
                same = 0
                while same < most and gap[same] == other[same]:
                    same += 1
                end += same
                most -= same
            if end - start >= _SHORTEST:
                if size := start + shift - done:
                    own = data[done : start + shift]
                    out.append(_BYTES[size] + own if size < 128 else _insert(own))
                out.append(_copy(start, end - start))
                done = end + shift
            back = 0
            while back < most and gap[~back] == other[~back]:
                back += 1
            start, end, shift, aligned = there - back, there + length, spot - there, True
        if end - start >= _SHORTEST:
            if done < start + shift:
                out.append(_insert(data[done : start + shift]))
            out.append(_copy(start, end - start))
            done = end + shift
        if done < whole:
            out.append(_insert(data[done:]))
        return b"".join(out)


def _common(samples: list[bytes]) -> list[bytes]:
    """Return what enough of the samples have in the same order, without digits."""
    base = max(samples, key=len)
    tokens = _TOKEN.findall(base)
    starts = [0]
    for token in tokens:
        starts.append(starts[-1] + len(token))
    times = Counter(tokens)
    side = SequenceMatcher(lambda token: times[token] > _COMMON, b=tokens, autojunk=False)
    steps = [0] * (len(base) + 1)
    for sample in samples:
        if sample is not base:
            side.set_seq1(_TOKEN.findall(sample))
            for _, at, length in side.get_matching_blocks():
                steps[starts[at]] += 1
                steps[starts[at + length]] -= 1
    shared, votes = bytearray(), 0
    for byte, step in zip(base, steps, strict=False):
        votes += step
        shared.append(byte if votes >= _SHARE * (len(samples) - 1) else 0x30)
    least = max(_SHORTEST, len(base) // _MANY)
    return [piece for piece in re.split(rb"\d+", bytes(shared)) if len(piece) >= least]


def _insert(data: bytes) -> bytes:
    """Return the instructions that write bytes as they are, up to 127 each."""
    if len(data) < 128:
        return _BYTES[len(data)] + data
    parts = [data[at : at + 127] for at in range(0, len(data), 127)]
    return b"".join([_BYTES[len(part)] + part for part in parts])


@lru_cache(1 << 15)
def _copy(start: int, size: int) -> bytes:
    """Return the instruction that copies from the base, with those bytes of offset and size that are not zero."""
    head, tail = 0x80, bytearray()
    for bit, byte in enumerate((*start.to_bytes(4, "little"), *size.to_bytes(2, "little"))):
        if byte:
            head |= 1 << bit
            tail.append(byte)
    return bytes((head, *tail))


@lru_cache(MOST)
def _size(size: int) -> bytes:
    """Return a size as a delta begins with it: seven bits a byte, the lowest first."""
    out = bytearray()
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    out.append(size)
    return bytes(out)
