"""
What a diagram may be asked for: which part, in which format, how large.

Signatures and help texts of what draws nothing name these too.
"""

from typing import Literal

from gitlineage.errors import Invalid

Part = Literal["around", "line", "cohort", "all"]
"""What a diagram shows: what is around a snapshot, the line that led to it, a cohort, or all there is."""

PARTS: tuple[Part, ...] = ("around", "line", "cohort", "all")
FORMATS = ("mermaid", "dot", "svg", "json")
LIMIT = 2000
"""More nodes than this are drawn only where that was said; no one can read them, and Graphviz takes minutes."""


def known_format(name: str) -> str:
    """
    Return the name of a format.

    Raises:
        Invalid: there is no such one; the error lists them.
    """
    if name not in FORMATS:
        raise Invalid(f"{name!r} is no format of a diagram; there are {', '.join(FORMATS)}")
    return name
