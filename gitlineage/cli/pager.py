"""
The pager: on a terminal, what a command prints goes through the program that git would use for it.

It starts with the first line, so that progress and errors before that, and a command that has nothing to print, need
none. Which it is says `git var GIT_PAGER`: GIT_PAGER, git config core.pager, PAGER, else less.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gitlineage.cli import output
from gitlineage.errors import GitFailed
from gitlineage.git import program

_DEFAULTS = {"LESS": "FRX", "LV": "-c"}
"""What pagers are told as git tells them: leave at once where all fits, let colours through, keep the screen."""


@contextmanager
def paged() -> Iterator[None]:
    """Let the pager show what is printed meanwhile."""
    pager = _Pager()
    output.before_writing(pager.start)
    try:
        yield
    finally:
        output.before_writing(None)
        pager.finish()


class _Pager:
    """A pager and the streams that it took over, which get their terminal back at the end."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._kept: dict[int, int] = {}

    def start(self) -> None:
        """Put the pager between the streams and the terminal, where there is one."""
        command = _command()
        if not command:
            return
        os.environ["COLUMNS"] = str(shutil.get_terminal_size().columns)  # nobody can ask a pipe for it
        self._process = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, env={**_DEFAULTS, **os.environ})
        assert self._process.stdin is not None
        streams = [stream for stream in (sys.stdout, sys.stderr) if stream.isatty()]
        for stream in streams:
            stream.flush()
            self._kept[stream.fileno()] = os.dup(stream.fileno())
            os.dup2(self._process.stdin.fileno(), stream.fileno())
        self._process.stdin.close()
        output.go_through_pager(streams)

    def finish(self) -> None:
        """Give the streams their terminal back and wait until the person has read."""
        if self._process is None:
            return
        output.go_through_pager(())
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # the person left early; what is still buffered must not reach the terminal
            with open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), self._kept[sys.stdout.fileno()])
        for number, kept in self._kept.items():
            os.dup2(kept, number)
            os.close(kept)
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pager's now
        try:
            self._process.wait()
        finally:
            signal.signal(signal.SIGINT, handler)


def _command() -> str:
    """Return the pager's command; empty where there is none, or none that is installed."""
    with suppress(GitFailed):
        said = program.run(["var", "GIT_PAGER"]).decode("utf-8", "surrogateescape").strip()
        with suppress(ValueError):  # what no shell reads is for the shell to refuse
            words = shlex.split(said)
            if words[:1] in ([], ["cat"]) or (words[0].isalnum() and shutil.which(words[0]) is None):
                return ""
        return said
    return ""
