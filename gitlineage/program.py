"""
The git program as a child process, with an environment that nothing of the caller's can bend; not libgit2.

Layer 1. Used where only git itself will do: filters, transport, maintenance (design 6).
"""

import os
import subprocess
from collections.abc import Iterable, Mapping

from gitlineage.errors import GitFailed

_REPOSITORY_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_CEILING_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
)


def environment() -> dict[str, str]:
    """Return the caller's environment without what would lead git to another repository, and with plain messages."""
    kept = {key: value for key, value in os.environ.items() if key not in _REPOSITORY_VARIABLES}
    return kept | {"LC_ALL": "C"}


def run(
    arguments: Iterable[str],
    *,
    cwd: str | os.PathLike[str] | None = None,
    variables: Mapping[str, str] | None = None,
    data: bytes | None = None,
) -> bytes:
    """
    Run git and return what it printed.

    Args:
        arguments: the words after ``git``.
        cwd: the folder it runs in.
        variables: environment variables to set; the caller's own repository variables never reach it.
        data: its standard input; none by default.

    Raises:
        GitFailed: it ended with an error, or is not installed.
    """
    words = list(arguments)
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=cwd,
            env=environment() | dict(variables or {}),
            input=data if data is not None else b"",
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise GitFailed(words, 127, "the git program is not installed or the folder is gone") from error
    if done.returncode:
        raise GitFailed(words, done.returncode, done.stderr.decode("utf-8", "replace"), done.stdout)
    return done.stdout
