"""
What a partial clone left out: which objects below trees are missing, and the one request that fetches many of them.

Git itself fetches such an object when it is asked for it, one request each; a store has a hundred thousand.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from gitlineage.errors import GitFailed
from gitlineage.git import program
from gitlineage.later import pattern

_ALONE = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
"""Git looks at what is here and fetches nothing by itself."""

_SETTINGS = ("fetch.negotiationAlgorithm=noop", "maintenance.auto=false", "gc.auto=0")
_UNKNOWN = pattern(r"not our ref ([0-9a-f]{40})")
_TRIES = 20
"""Objects that a remote does not have and that are left out one after another, before it is believed to have none."""


def missing_below(gitdir: Path, trees: Collection[str], known: Collection[str] = ()) -> list[str]:
    """
    Return the objects below trees that are not here; nothing is fetched.

    Args:
        trees: trees that are here.
        known: trees that are here, below which nothing is looked for.

    Raises:
        GitFailed: a tree is broken.
    """
    if not trees:
        return []
    asked = "".join(f"{tree}\n" for tree in trees) + "".join(f"^{tree}\n" for tree in known)
    words = ["rev-list", "--objects", "--missing=print", "--no-object-names", "--stdin"]
    told = program.run(["--git-dir", str(gitdir), *words], variables=_ALONE, data=asked.encode())
    return [line[1:].decode() for line in told.splitlines() if line.startswith(b"?")]


def fetch(gitdir: Path, folder: Path, remote: str, oids: Sequence[str], kept: str) -> tuple[str, frozenset[str]]:
    """
    Fetch objects in one request, as git does for one.

    Args:
        folder: where git runs, so that relative addresses mean what they mean to git.
        kept: the filter for what lies below them, e.g. ``blob:none`` to get whole trees without files.

    Returns:
        What went wrong, in git's last words, empty where all came; and those of the objects the remote does not have.
    """
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    plain = ["--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--no-prune", "--quiet"]
    words = ["--git-dir", str(gitdir), *settings, "fetch", *plain, f"--filter={kept}", "--stdin", "--", remote]
    wanted = dict.fromkeys(oids)
    unknown: set[str] = set()
    said = ""
    for _ in range(_TRIES):
        if not wanted:
            break
        try:
            program.run(words, cwd=folder, data="".join(f"{oid}\n" for oid in wanted).encode())
            return said, frozenset(unknown)
        except GitFailed as error:
            said = _last_words(error.message)
            match = _UNKNOWN.search(error.message)
            if match is None or match[1] not in wanted:
                break
            del wanted[match[1]]
            unknown.add(match[1])
    return said, frozenset(unknown)


def _last_words(message: str) -> str:
    """Return the first line in which git says what is wrong."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("fatal: ", "error: "))]
    return (told or lines or ["no message"])[0].removeprefix("fatal: ").removeprefix("error: ").rstrip(".")
