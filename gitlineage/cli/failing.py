"""
Errors on their way out: which exit code each ends with, and the one line that says so; not what raises them.

Layer 27. Exit codes: 0 done, 1 refused or not found, 2 usage, 130 interrupted, 141 the reader of a pipe went away.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from typer import TyperException

from gitlineage.cli import output
from gitlineage.errors import BadFiles, BadRows, LineageError

REFUSED = 1
INTERRUPTED = 130
NO_READER = 141

DEBUG = "GITLINEAGE_DEBUG"
"""The environment variable that lets the traceback of an unexpected error show."""


@contextmanager
def reported() -> Iterator[None]:
    """Turn whatever a command raises into a line on standard error and an exit code."""
    try:
        yield
    except (TyperException, typer.Exit, typer.Abort):
        raise
    except LineageError as error:
        output.error(*_lines(error))
        raise typer.Exit(REFUSED) from error
    except BrokenPipeError as error:
        _let_go_of_output()
        raise typer.Exit(NO_READER) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        output.error(f"{where}{error.strerror or error}")
        raise typer.Exit(REFUSED) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(INTERRUPTED) from error
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        output.error(f"internal: {type(error).__name__}: {error}; set {DEBUG}=1 to see where it happened")
        raise typer.Exit(REFUSED) from error


def wrong_usage(error: TyperException) -> int:
    """Print what is wrong with a call and where its help is, and return the exit code."""
    context = getattr(error, "ctx", None)
    hint = f"; see `{context.command_path} --help`" if context is not None else ""
    said = error.format_message().rstrip(".")
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
    return lines if isinstance(error, BadRows | BadFiles) else ["; ".join(filter(None, map(str.strip, lines)))]


def _let_go_of_output() -> None:
    """Point standard output at nothing, or Python complains once more when it exits."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
