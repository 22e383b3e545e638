"""
The git program as a child process, with an environment that nothing of the caller's can bend; not libgit2.

Layer 1. Used where only git itself will do: filters, transport, maintenance (design 6).
"""

import os
import subprocess
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Mapping
from tempfile import TemporaryFile

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


INSIDE = "GITLINEAGE_INSIDE"
"""The variable that keeps our own client hooks from running for git calls of ours; a server's hook heeds it not."""


def environment() -> dict[str, str]:
    """Return the caller's environment without what would lead git to another repository, and with plain messages."""
    kept = {key: value for key, value in os.environ.items() if key not in _REPOSITORY_VARIABLES}
    return kept | {"LC_ALL": "C", INSIDE: "1"}


def run(
    arguments: Iterable[str],
    *,
    cwd: str | os.PathLike[str] | None = None,
    variables: Mapping[str, str] | None = None,
    data: bytes | None = None,
    listener: Callable[[str], None] | None = None,
) -> bytes:
    """
    Run git and return what it printed.

    Args:
        arguments: the words after ``git``.
        cwd: the folder it runs in.
        variables: environment variables to set; the caller's own repository variables never reach it.
        data: its standard input; none by default.
        listener: hears what it says on standard error while it says it, piece by piece.

    Raises:
        GitFailed: it ended with an error, or is not installed.
    """
    words = list(arguments)
    told = environment() | dict(variables or {})
    try:
        if listener is not None:
            status, output, said = _overheard(words, cwd, told, listener)
        else:
            done = subprocess.run(
                ["git", *words], cwd=cwd, env=told, input=data or b"", capture_output=True, check=False
            )
            status, output, said = done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")
    except FileNotFoundError as error:
        raise GitFailed(words, 127, "the git program is not installed or the folder is gone") from error
    if status:
        raise GitFailed(words, status, said, output)
    return output


def _overheard(
    words: list[str], cwd: str | os.PathLike[str] | None, told: Mapping[str, str], listener: Callable[[str], None]
) -> tuple[int, bytes, str]:
    """Run git, pass on what it says on standard error, and return its status, its output and all that it said."""
    decoder = getincrementaldecoder("utf-8")("replace")
    said: list[str] = []
    with TemporaryFile() as output:
        child = subprocess.Popen(
            ["git", *words], cwd=cwd, env=told, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE
        )
        with child:
            try:
                while child.stderr is not None and (piece := os.read(child.stderr.fileno(), 65536)):
                    said.append(decoder.decode(piece))
                    listener(said[-1])
            except BaseException:
                child.kill()
                raise
        output.seek(0)
        return child.returncode, output.read(), "".join(said)
