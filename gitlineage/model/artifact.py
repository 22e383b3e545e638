"""
What is kept of the files that a trial made: path, size, digest and place, in the row's column ``artifacts``.

The bytes are in a store of their own, `bridge.artifacts`; a row that came from elsewhere may say anything, so what does
not fit is no artifact.
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import msgspec

from gitlineage.model.trial import Trial

COLUMN = "artifacts"
"""The column of a row that lists them."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST = 10_000


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """
    A file that a trial made and that is kept outside of git.

    Args:
        path: where it was, from the top of the files that the trial ran on.
        size: its bytes.
        digest: the SHA-256 of its content, in hexadecimal.
        place: where its bytes were put: ``local``, or the URL of a store.
    """

    path: str
    size: int
    digest: str
    place: str = "local"


def artifacts_of(trial: Trial) -> tuple[Artifact, ...]:
    """Return the artifacts that a row lists; those that nobody could have kept are left out."""
    text = trial.text(COLUMN)
    if not text:
        return ()
    try:
        listed = msgspec.json.decode(text.encode("utf-8", "replace"), type=list[msgspec.Raw])
    except msgspec.DecodeError:
        return ()
    kept = []
    for each in listed[:_MOST]:
        try:
            one = msgspec.json.decode(each, type=Artifact)
        except msgspec.DecodeError:
            continue
        if is_safe(one.path) and one.size >= 0 and _DIGEST.fullmatch(one.digest):
            kept.append(one)
    return tuple(kept)


def cell(artifacts: Sequence[Artifact]) -> str:
    """Return artifacts as the column has them; empty for none."""
    return msgspec.json.encode(list(artifacts), order="sorted").decode() if artifacts else ""


def is_safe(path: str) -> bool:
    """Whether a path leads to a file inside of the folder that it is from, and not into git's own."""
    parts = PurePosixPath(path).parts
    plain = path.isprintable() and path == str(PurePosixPath(path)) and not path.startswith("/") and "\\" not in path
    return bool(parts) and plain and ".." not in parts and not any(part.casefold() == ".git" for part in parts)
