"""
The git program as a child process, with an environment that nothing of the caller's can bend.

Used where only git itself will do: filters, transport, maintenance (design 6).
"""

import os
import signal
import subprocess
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from gitlineage.errors import GitFailed
from gitlineage.house import INSIDE

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


_WARNING = "warning: "
"""How git begins a line that tells of something which it goes on without."""

_PATIENCE = 3
"""Seconds that a process has to end after it was told to."""


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
    warned: Callable[[str], object] | None = None,
    seconds: float | None = None,
) -> bytes:
    """
    Run git and return what it printed.

    Args:
        cwd: the folder it runs in.
        variables: environment variables to set; the caller's own repository variables never reach it.
        data: its standard input; none by default.
        listener: hears what it says on standard error while it says it, piece by piece.
        warned: hears what it warned about, line by line, where it ended well.
        seconds: how long it may take; by default as long as it does.

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
                ["git", *words], cwd=cwd, env=told, input=data or b"", capture_output=True, check=False, timeout=seconds
            )
            status, output, said = done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")
    except subprocess.TimeoutExpired as error:
        raise GitFailed(words, 124, f"it took more than {seconds:g} seconds") from error
    except FileNotFoundError as error:
        raise GitFailed(words, 127, "the git program is not installed or the folder is gone") from error
    if status:
        raise GitFailed(words, status, said, output)
    if warned is not None:
        for line in said.splitlines():
            if line.startswith(_WARNING):
                warned(line.removeprefix(_WARNING))
    return output


@contextmanager
def beside(arguments: Iterable[str]) -> Iterator[Callable[[], bytes]]:
    """
    Run git while something else is done; it is ended where nobody waits for it any more.

    Yields:
        What waits for it, and returns or raises as `run` does.
    """
    from tempfile import TemporaryFile

    words = list(arguments)
    with TemporaryFile() as output, TemporaryFile() as said:
        try:
            child = subprocess.Popen(
                ["git", *words], env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=said
            )
        except FileNotFoundError as error:
            raise GitFailed(words, 127, "the git program is not installed or the folder is gone") from error

        def ended() -> bytes:
            status = child.wait()
            output.seek(0)
            said.seek(0)
            if status:
                raise GitFailed(words, status, said.read().decode("utf-8", "replace"), output.read())
            return output.read()

        try:
            yield ended
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()


def attached(
    arguments: Iterable[str],
    *,
    cwd: str | os.PathLike[str],
    output: int | None = None,
) -> int:
    """
    Run git with this process's own output, and return its exit status; for what people want to watch.

    It runs in a process group of its own: an interrupt here ends git and all that it started before this returns.

    Args:
        cwd: the folder it runs in.
        output: the descriptor that takes its standard output; by default this process's.

    Raises:
        GitFailed: it is not installed.
    """
    words = list(arguments)
    kept = {key: value for key, value in os.environ.items() if key not in _REPOSITORY_VARIABLES}
    try:
        child = subprocess.Popen(
            ["git", *words],
            cwd=cwd,
            env=kept | {INSIDE: "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            process_group=0,
        )
    except FileNotFoundError as error:
        raise GitFailed(words, 127, "the git program is not installed or the folder is gone") from error
    try:
        return child.wait()
    except BaseException:
        _end(child)
        raise


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End a process, politely at first, and then whatever is left of its group."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(_PATIENCE)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _overheard(
    words: list[str], cwd: str | os.PathLike[str] | None, told: Mapping[str, str], listener: Callable[[str], None]
) -> tuple[int, bytes, str]:
    """Run git, pass on what it says on standard error, and return its status, its output and all that it said."""
    from tempfile import TemporaryFile  # most questions start no git

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
