"""Spellings of commands that are no longer taught: each still works, and says what it is now."""

from collections.abc import Iterator

OLD = {
    "leaves": "descendants --leaves",
    "dependents": "descendants --relations depends_on --depth 1",
    "path": "descendants --path",
    "common-ancestor": "ancestors --common",
    "same": "show --same",
    "audit": "events",
    "relate --end": "relation end",
    "relate": "relation add",
    "relations": "relation list",
    "evolve": "relation evolve",
    "history": "relation history",
    "infer": "relation infer",
    "forge record": "catalog forge",
    "forge attempts": "catalog attempts",
    "forge attempt": "catalog attempt",
    "forge similar": "catalog similar",
    "forge": "catalog similar",
    "entry set": "catalog set",
    "entry show": "catalog show",
    "entry list": "catalog list",
    "entry touch": "catalog touch",
    "entry": "catalog show",
    "impact": "catalog impact",
    "board": "export board",
    "bundle": "export bundle",
    "unbundle": "import bundle",
    "reindex": "maintain reindex",
    "consolidate": "maintain consolidate",
    "verify": "maintain verify",
    "campaigns": "status --campaigns",
    "reassert --task": "init --reassert",
    "reassert": "record --reassert",
}
"""Old spellings and what they became; what follows them stays. Of two that fit, the first counts."""


def current(words: list[str]) -> tuple[list[str], str, str]:
    """
    Return the words of a call as they are spelled now, with the old and the new spelling, empty where nothing changed.

    An option of an old spelling may stand anywhere in the call.
    """
    for old, new in OLD.items():
        names, options = _parted(old)
        if words[: len(names)] == names and all(option in words for option in options):
            rest = [word for word in words[len(names) :] if word not in options]
            return [*new.split(), *rest], old, new
    return words, "", ""


def table() -> Iterator[str]:
    """Return every old spelling with the new one, as lines."""
    space = max(map(len, OLD))
    yield from (f"  {old.ljust(space)}  {new}" for old, new in OLD.items())


def _parted(spelling: str) -> tuple[list[str], list[str]]:
    """Return the names and the options of a spelling."""
    words = spelling.split()
    return [word for word in words if not word.startswith("-")], [word for word in words if word.startswith("-")]
