"""
Which trials a text cites by their ids.

A plain number is never a citation: texts are full of sizes, steps and seeds that happen to be ids too. It
takes a word before it (``exp 015``, ``trial 015``), a ``#``, or the shape of a commit's hash.
"""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache

_LED = re.compile(
    r"(?<![A-Za-z0-9])(?P<lead>exp(?:eriment)?|trial)(?P<many>s?)(?:_id)?(?:[ _#=:-]{1,2}|(?=\d))"
    r"(?P<name>(?!exp|trial)[A-Za-z0-9](?:[\w@-]|\.(?=\w)){0,80})",
    re.IGNORECASE,
)
_SHARP = re.compile(r"(?<![\w#/&])#(?P<name>\d{3,})(?![\w%]|\.\d)")
_HASH = re.compile(r"(?<![\w.#/+-])(?P<name>[0-9a-f]{7,40}(?:\.\d+)?)(?![\w/-]|\.\w)")
_MANY = re.compile(r"\s*(?:(?:,|/|&|\band\b|\bor\b|-|–)\s*)+(?:exp_|#)?(\d{2,})(?![\w%]|\.\d)")
_SOME = re.compile(r"(?:/(?:exp_|#)?(\d{3,})|(?:,|,? and|,? or) (?:exp_|#)?(?=0)(\d{3,}))(?![\w%]|\.\d)")
_ELSEWHERE = re.compile(r"\b(?:PRs?|pulls?|issues?|GH|arxiv|MR)[ /:]*(?:#\d+[ ,/&]*(?:and )?)*\Z", re.IGNORECASE)
_LOOK_BACK = 60
_SURE_WIDTH = 3
_SHORTEST_HASH = 7


def mentions(text: str, known: Collection[str]) -> list[tuple[int, str]]:
    """
    Return where in a text which ids of trials are cited, in order.

    ``exp_015``, ``exp 015``, ``exp015``, ``trial 015``, ``experiment 015``, ``exps 105, 106 and 107``,
    ``exp_105/106``, ``exp_014, 015``, ``#015`` and hashes of at least seven hex digits count, where a known id
    answers to them. A number after ``exp`` may leave out leading zeros; after ``trial`` and ``experiment`` it needs to
    be spelled like the id, for ``trial 2 of 3`` cites nothing; after ``#`` it needs three digits, and ``PR #1758`` is
    none.

    Args:
        text: a hypothesis or notes.
        known: every id that may be cited.
    """
    ids = _Ids(known)
    cited: list[tuple[int, str]] = []
    for match in _LED.finditer(text):
        loose = match["lead"].lower() == "exp"
        named = (ids.named(each, loose=loose) for each in _readings(match["name"]))
        name = next(filter(None, named), None)
        if name is None:
            continue
        cited.append((match.start(), name))
        if match["name"].isdecimal():
            cited += _further(text, match.end(), _MANY if match["many"] else _SOME, ids)
    for match in _SHARP.finditer(text):
        before = text[max(0, match.start() - _LOOK_BACK) : match.start()]
        if match["name"] in ids.known and not _ELSEWHERE.search(before):
            cited.append((match.start(), match["name"]))
            cited += _further(text, match.end(), _SOME, ids)
    for match in _HASH.finditer(text):
        if (name := ids.hashed(match["name"])) is not None:
            cited.append((match.start(), name))
    return sorted(set(cited))


def may_cite(text: str) -> bool:
    """Whether a text cites anything at all if the right ids are known."""
    return any(pattern.search(text) for pattern in (_LED, _SHARP, _HASH))


def _readings(name: str) -> list[str]:
    """Return what a name may be, the longest first: ``exp_076@25ep`` and ``exp_106-style`` cite 076 and 106."""
    return [name, *(name[: match.start()] for match in reversed(list(re.finditer("[@-]", name))))]


def _further(text: str, start: int, pattern: re.Pattern[str], ids: "_Ids") -> list[tuple[int, str]]:
    """Return the ids of a list that goes on after its first one; they need to be spelled as they are."""
    cited = []
    while match := pattern.match(text, start):
        name = match[match.lastindex or 1]
        if name not in ids.known:
            break
        cited.append((match.start(), name))
        start = match.end()
    return cited


class _Ids:
    """The known ids, and by what else than their own spelling they can be meant."""

    def __init__(self, known: Collection[str]) -> None:
        self.known = known if isinstance(known, set | frozenset) else frozenset(known)
        self._numbers, self._hashes = _looked_up(frozenset(self.known))

    def named(self, name: str, *, loose: bool) -> str | None:
        """Return the id that a name after ``exp`` or the like means."""
        if name.isdecimal():
            if name in self.known and (loose or len(name) >= _SURE_WIDTH):
                return name
            return self._numbers.get(int(name)) if loose and len(name) < 16 else None
        if name in self.known and (loose or any(sign.isdecimal() for sign in name)):
            return name
        return self.hashed(name.lower())

    def hashed(self, name: str) -> str | None:
        """Return the id that a commit's hash means: the id itself, or the only one of which it is a longer form."""
        if not _is_hash(name):
            return None
        if name in self.known:
            return name
        near = [each for each in self._hashes.get(name[:_SHORTEST_HASH], ()) if _alike(each, name)]
        return near[0] if len(near) == 1 else None


@lru_cache(maxsize=4)
def _looked_up(known: frozenset[str]) -> tuple[Mapping[int, str], Mapping[str, list[str]]]:
    """Return the ids that are numbers by their value, where only one has it, and hashes by their beginning."""
    numbers: dict[int, list[str]] = {}
    hashes: dict[str, list[str]] = {}
    for name in sorted(known):
        if name.isascii() and name.isdecimal() and len(name) < 16:
            numbers.setdefault(int(name), []).append(name)
        if _is_hash(name) and "." not in name:
            hashes.setdefault(name[:_SHORTEST_HASH], []).append(name)
    return {number: names[0] for number, names in numbers.items() if len(names) == 1}, hashes


def _is_hash(name: str) -> bool:
    """Whether a name has the shape of a hash; a word or a number that happens to fit has not."""
    stem = name.partition(".")[0]
    return (
        len(stem) >= _SHORTEST_HASH
        and re.fullmatch(r"[0-9a-f]+(\.\d+)?", name) is not None
        and not stem.isdecimal()
        and not stem.isalpha()
    )


def _alike(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
