"""
The errors of libgit2 and of the disk, turned into ours where they arise.

Classes, not generators: a landing enters a dozen of them, and these take a third of the time.
"""

import os
import sys
from types import TracebackType

from gitlineage.errors import RepositoryError, StorageError, UnsupportedRepository


def foreign() -> tuple[type[BaseException], ...]:
    """Return the classes of the errors that the disk and libgit2 raise, this as far as it is loaded."""
    loaded = sys.modules.get("pygit2")
    return (OSError, KeyError, ValueError) if loaded is None else (loaded.GitError, OSError, KeyError, ValueError)


class reading:
    """
    Turns libgit2's errors while reading into ours.

    Args:
        doing: what is being done, for the message.
    """

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, foreign()):
            return
        doing, text = self._doing, str(error).strip("'\"")
        if "sha256" in text or "object format" in text:
            raise UnsupportedRepository(
                "this repository uses SHA-256 object ids, which libgit2 cannot read; use a SHA-1 repository"
            ) from error
        if "not owned by" in text:
            raise RepositoryError(f"{doing}: {text}; `git config --global --add safe.directory` allows it") from error
        raise RepositoryError(f"{doing}: {text}") from error


class writing:
    """Turns libgit2's errors while writing into ours."""

    def __init__(self, place: os.PathLike[str]) -> None:
        self._place = place

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, foreign()):
            text = str(error).strip("'\"")
            raise StorageError(f"cannot write to {self._place}: {text}; nothing was recorded") from error
