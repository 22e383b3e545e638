"""
The fields of a document: how wide each is and what its text may hold; start here to change a cut of the prompt.

Whatever people, agents and other clones wrote gets into a prompt, a board or a diagram through `shown` only
(semantics 54). Widths that the harness has are its own (semantics 45-48); the others are far above what campaigns hold.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from gitlineage.text import cell, code, cut, name, one_line, prose, tried, words


class Field(NamedTuple):
    """The room that a field has: its width in characters, how it is escaped, and what shows that it was cut."""

    width: int
    escape: Callable[[str], str]
    mark: str = "…"


FIELDS: Mapping[str, Field] = {
    # names and values in sentences, lines and tables
    "exp_id": Field(200, name),  # as long as one may be
    "specialist": Field(60, name),
    "status": Field(30, name),
    "score_field": Field(60, name),
    "short": Field(40, name),
    "score": Field(40, name),
    "delta": Field(40, name),
    "cohort": Field(100, name),
    "role": Field(60, name),
    # what the caller says of the session
    "started": Field(60, prose),
    "workdir": Field(1000, code),
    "tree_path": Field(1000, code),
    # a trial's text
    "snapshot_path": Field(200, code),
    "hypothesis of the best": Field(120, prose, ""),
    "hypothesis in the leaderboard": Field(100, cell, "..."),
    "hypothesis in the table": Field(80, cell, "..."),
    "hypothesis in the lineage": Field(100, tried, ""),
    "hypothesis in a bullet": Field(140, prose, ""),
    "notes": Field(160, prose),
    # a trial's text in a prompt of limited length
    "kind": Field(70, name),
    "hypothesis in a brief": Field(120, tried),
    "lesson": Field(140, prose),
    # files for programs: tree.tsv and best.json
    "name in a file": Field(1000, one_line),
    "text in a file": Field(10_000, one_line),
    # diagrams
    "node": Field(60, words, "..."),
    "hypothesis of a node": Field(144, words, "..."),
}
"""Every field that a document has."""

MAX_KIN = 20
"""Further parents that a line names; a merge may have thousands."""


def shown(field: str, text: str) -> str:
    """Return a text as one of `FIELDS` shows it: one line, escaped and cut."""
    return cut(text, *FIELDS[field])
