"""
Graphviz's program as a child process that draws SVG.

It runs without a shell, reads standard input only, and is stopped when it takes too long.
"""

import shutil
import subprocess

from gitlineage.errors import DrawingFailed
from gitlineage.git.program import environment

SECONDS = 60.0
"""How long a drawing may take."""


def is_there() -> bool:
    """Whether Graphviz is installed."""
    return shutil.which("dot") is not None


def svg(text: str, *, seconds: float = SECONDS) -> str:
    """
    Return the drawing of a text in Graphviz's language: one ``svg`` element that refers to nothing outside of it.

    Args:
        seconds: how long it may take.

    Raises:
        DrawingFailed: Graphviz is not there, ended with an error, or took too long.
    """
    try:
        done = subprocess.run(
            ["dot", "-Tsvg"],
            input=text.encode("utf-8", "replace"),
            env=environment(),
            capture_output=True,
            check=False,
            timeout=seconds,
        )
    except FileNotFoundError as error:
        raise DrawingFailed("Graphviz's dot is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise DrawingFailed(f"Graphviz took more than {seconds:g} seconds") from error
    drawn = done.stdout.decode("utf-8", "replace")
    if done.returncode or "<svg" not in drawn:
        told = (done.stderr.decode("utf-8", "replace").strip() or "no message").splitlines()[0]
        raise DrawingFailed(f"Graphviz failed ({done.returncode}): {told}")
    # What stands before the element names the W3C's DTD, which a viewer might fetch.
    return drawn[drawn.index("<svg") :]
