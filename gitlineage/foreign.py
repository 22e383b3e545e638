"""
The errors of libgit2 and of the disk, turned into ours where they arise; not who meets them.

Layer 1.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pygit2

from gitlineage.errors import RepositoryError, StorageError, UnsupportedRepository


@contextmanager
def reading(doing: str) -> Iterator[None]:
    """Turn libgit2's errors while reading into ours."""
    try:
        yield
    except (pygit2.GitError, OSError, KeyError, ValueError) as error:
        text = str(error).strip("'\"")
        if "sha256" in text or "object format" in text:
            raise UnsupportedRepository(
                "this repository uses SHA-256 object ids, which libgit2 cannot read; use a SHA-1 repository"
            ) from error
        if "not owned by" in text:
            raise RepositoryError(f"{doing}: {text}; `git config --global --add safe.directory` allows it") from error
        raise RepositoryError(f"{doing}: {text}") from error


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn libgit2's errors while writing into ours."""
    try:
        yield
    except (pygit2.GitError, OSError, KeyError, ValueError) as error:
        text = str(error).strip("'\"")
        raise StorageError(f"cannot write to {place}: {text}; nothing was recorded") from error
