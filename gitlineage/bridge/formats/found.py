"""
What a reader found in a file, before anybody judged it: rows of text, settings, and lines that are no rows.

Every format gives this one record, so that what ranks, in which direction, and what a word means is judged in one
place (`bridge.planning`), whatever the file looked like.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from gitlineage.errors import Invalid
from gitlineage.model.relation import RelationType

SHORT, DAMAGED, CUT, INCOMPLETE = (
    "rows with too few cells", "damaged lines", "objects that are cut or damaged", "incomplete last line",
)  # fmt: skip
"""Kinds of lines that hold trials which cannot be read: an `INCOMPLETE` one waits, and the others have to be let go."""

LOST = (SHORT, DAMAGED, CUT)
"""Kinds of lines that are passed over only where the user says so, as there would be fewer trials than the file has."""


class FoundRow(msgspec.Struct, kw_only=True, gc=False):
    """
    One trial as a file tells it.

    Args:
        line: where it stands in its file, the first line being 1; 0 in formats without lines.
        cells: the text of its cells by column name.
        parents: names of what it was derived from, with the role of each where one is known; the primary one first.
        files: its code by path, where the format has it; ``None`` where it has not.
        cohort: the batch it is a member of; empty for none.
        status: a class of `words.CLASSES`, where the format itself says it; empty where a word in a cell does.
        scale: what its score is comparable within; empty where all scores of the file are.
        section: the heading that it stands under; empty for none.
        surplus: cells that the header does not name.
        odd: whether it has another layout than the header, so that none of its cells can be trusted.
    """

    line: int
    cells: dict[str, str]
    parents: tuple[tuple[str, str], ...] = ()
    files: Mapping[str, bytes] | None = None
    cohort: str = ""
    status: str = ""
    scale: str = ""
    section: str = ""
    surplus: str = ""
    odd: bool = False


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """
    One word about a relation, in the order in which they were said.

    Args:
        source: what it leads from, by its name in the file.
        target: what it leads to.
        relation: what the source is to the target.
        at: when, UTC, ISO 8601; empty where nobody said.
        by: who or what said so; empty where nobody knows, and then any like it is the same.
        context: what was said about it.
        ends: whether the relation ends here, else it begins.
        reason: why it ends.
    """

    source: str
    target: str
    relation: RelationType
    at: str = ""
    by: str = ""
    context: Mapping[str, Any] = {}
    ends: bool = False
    reason: str = ""

    def __hash__(self) -> int:
        return hash((self.source, self.target, self.relation, self.at, self.ends))


class Graph(msgspec.Struct, kw_only=True):
    """
    Artifacts and the relations between them, of a file that holds these and no trials.

    Args:
        names: the artifacts by the names that the file has for them, each once.
        steps: what was said about relations.
        entries: what a catalogue says of them by field, by the artifact's name; fields are those of a `CatalogEntry`,
            with artifacts by name.
        bad: what cannot be read: where, and why.
    """

    names: tuple[str, ...] = ()
    steps: list[Step] = []
    entries: dict[str, dict[str, Any]] = {}
    bad: list[tuple[str, str]] = []


class Found(msgspec.Struct, kw_only=True):
    """
    What a reader found.

    Args:
        kind: what it took the file for, as a noun phrase.
        source: the file's name, for messages.
        columns: the names of the columns in order.
        rows: the trials in file order.
        roles: which column is what (`planning.ROLES`), where the format fixes it.
        settings: what ``# key: value`` comments and config lines say.
        metric: the column that ranks, where the format says it.
        named: what the metric is called, where its column does not say it.
        lower: the direction, where the format says it.
        why: from where the metric and the direction are known.
        others: further columns that could rank, with their direction where that is known.
        undecided: whether none of several metrics is said to be the one, so that nothing ranks until one is named.
        skipped: line numbers of what is no row, by kind.
        told: what else the user should know, a sentence each.
        header: whether the columns have names of their own.
        unnamed: why they have none, where that is not for want of a header.
        tried_on: whether the commit of a row that was not kept is the one it was tried on, whose code is another.
        earlier: metrics that the same file ranked by before, so that a store that knows one of them may go on.
        graph: artifacts and relations, where the file holds these and no trials.
        shown: the text of the first line of kinds of lines that cannot be read.
        unread: names of files or parts that hold trials and cannot be read.
    """

    kind: str
    source: str
    columns: tuple[str, ...] = ()
    rows: list[FoundRow] = []
    roles: dict[str, str] = {}
    settings: dict[str, str] = {}
    metric: str | None = None
    named: str = ""
    lower: bool | None = None
    why: str = ""
    others: dict[str, bool | None] = {}
    undecided: bool = False
    skipped: dict[str, list[int]] = {}
    told: list[str] = []
    header: bool = True
    unnamed: str = ""
    tried_on: bool = False
    earlier: tuple[str, ...] = ()
    graph: Graph | None = None
    shown: dict[str, str] = {}
    unread: list[str] = []


class NotTrials(Invalid):
    """
    A file that was recognised as something else than trials; nothing was imported.

    Args:
        source: its name.
        reason: what it is, and what to do about it.
    """

    def __init__(self, source: str, reason: str) -> None:
        self.source = source
        self.reason = reason
        super().__init__(f"{source}: {reason}; nothing was imported")


def listed(lines: list[int], most: int = 12) -> str:
    """Return line numbers in words, runs of them as ``4 to 7``."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][1] + 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    told = []
    for first, last in runs:
        told += [str(line) for line in range(first, last + 1)] if last - first < 2 else [f"{first} to {last}"]
    noun = "line" if len(lines) == 1 else "lines"
    if len(told) > most:
        return f"{noun} {', '.join(told[:most])} and {len(told) - most} more"
    return f"{noun} {' and '.join(filter(None, [', '.join(told[:-1]), told[-1]]))}"
