"""
Errors on their way out: which exit code each ends with, and the one line that says so.

Exit codes: 0 done, 1 refused or not found, 2 usage, 130 interrupted, 141 the reader of a pipe went away.
"""

import os
import sys
from types import TracebackType

import typer
from typer import TyperException

from gitlineage.cli import helping, output
from gitlineage.errors import BadFiles, BadRows, LineageError, Unclear

REFUSED = 1
INTERRUPTED = 130
NO_READER = 141

DEBUG = "GITLINEAGE_DEBUG"
"""The environment variable that lets the traceback of an unexpected error show."""


class reported:
    """
    Turns whatever a command raises into a line on standard error and an exit code.

    A class, because contextlib's generators take an exit for a fault of theirs where the error is a StopIteration.
    """

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, TyperException | typer.Exit | typer.Abort):
            return
        if (code := _told(error)) is not None:
            raise typer.Exit(code) from error


def _told(error: BaseException) -> int | None:
    """Say what an error means in one line, and return the exit code; ``None`` for one that is to be seen whole."""
    match error:
        case LineageError():
            output.error(*_lines(error))
        case BrokenPipeError():
            _let_go_of_output()
            return NO_READER
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            output.error(f"{where}{error.strerror or error}")
        case KeyboardInterrupt():
            return INTERRUPTED
        case Exception():
            if os.environ.get(DEBUG):
                return None
            output.error(f"internal: {type(error).__name__}: {error}; set {DEBUG}=1 to see where it happened")
        case _:
            return None
    return REFUSED


def open_closed_streams() -> None:
    """
    Point standard input, output and error at nothing where the caller closed them (``>&-``), as git does.

    A command then does its work and ends with its own exit code. Otherwise the next file that is opened, the index
    perhaps, would get the number of standard output, and what a child process prints would land in it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the least number that is free, which is this one
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", errors="replace", closefd=False))


def wrong_usage(error: TyperException) -> int:
    """Print what is wrong with a call and where its help is, and return the exit code."""
    context = getattr(error, "ctx", None)
    said = error.format_message().rstrip(".")
    hint = f"; see `{context.command_path} --help`" if context is not None else ""
    example = getattr(getattr(context, "command", None), "epilog", None)
    option = getattr(error, "option_name", "" if said.startswith("Got unexpected extra argument") else None)
    if context is not None and option is not None:
        has_count = any("-n" in each.opts for each in context.command.params)
        if meant := helping.instead_of_option(str(context.info_name), option, has_count):
            said = f"{said.partition(' (')[0] if option else said}: {meant}"
    if example and said.startswith("Missing argument"):
        hint = f"; for example `{example.removeprefix('Example: ')}`"
    output.error(f"{said[:1].lower()}{said[1:]}{hint}")
    return error.exit_code


def flushed(code: int) -> int:
    """Hand standard output over to its reader and return the exit code, which changes where nobody reads any more."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _let_go_of_output()
        return NO_READER
    return code


def _lines(error: LineageError) -> list[str]:
    """Return an error as one line; only a list of bad rows or files has more."""
    lines = str(error).splitlines() or [type(error).__name__]
    return (
        lines if isinstance(error, BadRows | BadFiles | Unclear) else ["; ".join(filter(None, map(str.strip, lines)))]
    )


def _let_go_of_output() -> None:
    """Point standard output at nothing, or Python complains once more when it exits."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
