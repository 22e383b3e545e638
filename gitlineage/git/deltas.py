"""
What small objects that begin alike share, as git's instructions to make one from another; not how a pack holds them.

Git takes no delta over half an object's size, but a landing has a hundred thousand rows of some hundred bytes
with the same keys in the same places. The first few objects of a family show which pieces its members have in common.
Then one member is the base for a stretch of the pack. The pieces, with whatever else all of the stretch have had in
common with it so far, are looked for in each further one and copied; what is between them is inserted.
"""

import re
from collections import Counter, OrderedDict
from difflib import SequenceMatcher
from functools import lru_cache

MOST = 4096
"""Bytes from which on an object is not looked at; git's own repacking does those well."""

REACH = 1 << 21
"""Bytes of a pack over which a base is used: what a distance of three bytes can say."""

_STRETCH = 1 << 19
"""Bytes of a pack after which another object becomes the base; times and numbers have moved on."""

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
"""Bytes of the shortest piece, which its instruction costs about as well."""

_LARGE = 20
"""The part of an object's size over which a gap makes another object with the same gap the better base."""

_LEAST = 32
"""Bytes up to which no gap is large; most are numbers or one oid, which hardly any other object has."""

_RELATIVES = 8192
"""Large gaps of a family that are remembered."""

_PATIENCE = 32
"""Objects of a stretch that may be compared with its base in full, to find out what is not common after all."""

_LOOKS = 32
"""Deltas of a family that are compared with the plain form at first; after that, every so manieth."""

_HEX = b"0123456789abcdef"
_TOKEN = re.compile(rb"\w+|[^\w\0]+|\0")
_BYTES = [bytes((byte,)) for byte in range(128)]


_Step = tuple[bytes, bytes, int, int, int, bytes, bytes]
"""
What to look for; what is before it in the base, and where that begins; where it begins and ends there; how to copy it;
and a piece that is in it.
"""


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


class Family:
    """Objects of a kind that begin alike."""

    def __init__(self) -> None:
        self._samples: list[bytes] = []
        self._pieces: list[bytes] = []
        self._stretch: _Stretch | None = None
        self._relatives: dict[bytes, tuple[int, bytes]] = {}
        self._looks = 0
        self._saving = 0.0
        self._hopeless = False

    def find(self, data: bytes, place: int) -> "tuple[int, bytes, Family] | None":
        """Return how to make one more of the family."""
        if not self._pieces:
            if not self._hopeless:
                self._learn(data)
            return None
        stretch = self._stretch
        if stretch is None or place - stretch.place >= _STRETCH:
            fresh = _Stretch(data, place, self._pieces)
            if stretch is None or fresh.has_all or place - stretch.place >= REACH:
                self._stretch = fresh
                if len(self._relatives) >= _RELATIVES:
                    self._relatives = {gap: near for gap, near in self._relatives.items() if place - near[0] < REACH}
                return None
        instructions, large = stretch.instructions(data)
        for gap in large:
            near = self._relatives.get(gap)
            if near is not None and place - near[0] < REACH:
                return near[0], stretch.beside(near[1], data), self
        # one that has another base than the stretch's is none itself: two steps lead to what stands for itself
        if large and len(self._relatives) < _RELATIVES:
            self._relatives.update(dict.fromkeys(large, (place, data)))
        return stretch.place, instructions, self

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
            self._pieces = _common(self._samples)[:_PIECES]
            self._hopeless = not self._pieces
            self._samples.clear()


class _Stretch:
    """
    A base, and what the objects after it have had in common with it.

    Args:
        base: its content.
        place: where in the pack it is.
        pieces: what its family has in common.
    """

    def __init__(self, base: bytes, place: int, pieces: list[bytes]) -> None:
        self.place = place
        self._base = base
        self._pieces, self._gaps = _part(base, pieces)
        self.has_all = len(self._pieces) == len(pieces)
        # of every gap: whether all of it is common, and how much at its beginning and at its end
        self._equal = [True for _ in self._gaps]
        self._first = [len(gap) for gap in self._gaps]
        self._last = [len(gap) for gap in self._gaps]
        self._patience = _PATIENCE
        self._plan()

    def instructions(self, data: bytes) -> tuple[bytes, list[bytes]]:
        """Copy what is common and insert the rest; return the large gaps as well."""
        made, large, missed = _instructions(self._base, self._steps, data)
        if missed and self._patience:
            self._patience -= 1
            self._compare(data)
            made, large, _ = _instructions(self._base, self._steps, data)
        return made, large

    def beside(self, base: bytes, data: bytes) -> bytes:
        """Make an object from another base of the family."""
        steps: list[_Step] = []
        rest = base
        for shared, *_ in self._steps:
            gap, found, after = rest.partition(shared)
            if found:
                end = len(base) - len(after)
                begin = end - len(shared)
                steps.append((shared, gap, begin - len(gap), begin, end, b"", b""))
                rest = after
        return _instructions(base, steps, data)[0]

    def _compare(self, data: bytes) -> None:
        """Give up what an object does not have in common with the base."""
        pieces, gaps = _part(data, self._pieces)
        before = behind = 0
        for piece, gap in zip((*pieces, b""), gaps, strict=True):
            # the gaps of the base between the same two pieces; there are several where the object lacks one
            behind = self._pieces.index(piece, before) if piece else len(self._pieces)
            if before != behind or gap != self._gaps[before]:
                for number in range(before, behind + 1):
                    self._equal[number] = False
                self._first[before] = _same(gap, self._gaps[before], self._first[before])
                most = len(gap) - (self._first[before] if before == behind else 0)
                self._last[behind] = _same(gap[::-1], self._gaps[behind][::-1], min(most, self._last[behind]))
            before = behind + 1
        self._plan()

    def _plan(self) -> None:
        """Note what to look for: pieces and equal gaps in a row, with what is common of the gaps around them."""
        self._steps: list[_Step] = []
        start = spot = 0
        found = b""
        for gap, piece, equal, first, last in zip(
            self._gaps, (*self._pieces, b""), self._equal, self._first, self._last, strict=True
        ):
            if not equal:
                self._add(start, spot + first, found)
                start = spot + max(first, len(gap) - last)
                found = b""
            spot += len(gap) + len(piece)
            found = found or piece
        self._add(start, spot, found)

    def _add(self, start: int, end: int, piece: bytes) -> None:
        if end - start >= _SHORTEST:
            before = self._steps[-1][4] if self._steps else 0
            copy = _copy(start, end - start)
            self._steps.append((self._base[start:end], self._base[before:start], before, start, end, copy, piece))


def _instructions(base: bytes, steps: list[_Step], data: bytes) -> tuple[bytes, list[bytes], bool]:
    """
    Return what makes an object, its large gaps, and whether a step was not to be found though its piece is there.

    Args:
        base: what it is made from.
        steps: what to look for.
        data: the object.
    """
    size = len(data)
    out = [_size(len(base)), _size(size)]
    large = []
    missed = False
    least = max(size // _LARGE, _LEAST)
    start = end = 0  # a run of the base that is not copied yet
    copy = b""
    rest = data
    for shared, other, before, begin, stop, single, piece in steps:
        gap, found, after = rest.partition(shared)
        if found:
            if gap == other and end == before:
                end, copy = stop, b""
            else:
                if start < end:
                    out.append(copy or _copy(start, end - start))
                if gap:
                    size = len(gap)
                    if size > least:
                        large.append(gap)
                    out.append(_BYTES[size] + gap if size < 128 else _insert(gap))
                start, end, copy = begin, stop, single
            rest = after
        elif not missed:
            missed = piece in rest
    if rest == base[end:]:
        end, copy, rest = len(base), b"", b""
    if start < end:
        out.append(copy or _copy(start, end - start))
    if rest:
        out.append(_insert(rest))
    return b"".join(out), large, missed


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
    return [piece for piece in re.split(rb"\d+", bytes(shared)) if len(piece) >= _SHORTEST]


def _part(data: bytes, pieces: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Return the pieces that an object has, each behind the one before, and the gaps around them."""
    found, gaps = [], []
    for piece in pieces:
        gap, here, rest = data.partition(piece)
        if here:
            found.append(piece)
            gaps.append(gap)
            data = rest
    return found, [*gaps, data]


def _same(one: bytes, other: bytes, most: int) -> int:
    """Return how many bytes two have in common at the beginning, up to a number of them."""
    for at, (left, right) in enumerate(zip(one[:most], other, strict=False)):
        if left != right:
            return at
    return min(len(one), len(other), most)


def _insert(data: bytes) -> bytes:
    """Return the instructions that write bytes as they are, up to 127 each."""
    made: list[bytes] = []
    while len(data) > 127:
        made += (b"\x7f", data[:127])
        data = data[127:]
    return b"".join((*made, _BYTES[len(data)], data)) if data else b"".join(made)


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
