"""
What the notes of a trial say whose commit was not in the repository when its row was imported (semantics 70).

Such a trial is on a stand-in, a snapshot with the content of the latest earlier row's commit; start with `split`.
"""

import re

from gitlineage.later import pattern
from gitlineage.model.trial import Trial

CODE_LOST = "code lost"
"""The mark of a row whose commit is not there; the cell ``commit`` has its hash."""

NO_COMMIT = "no commit"
"""The mark of a row that names no commit."""

IS_LOST = f"instr(row, '{CODE_LOST}') > 0"
"""What the index's table of trials may be searched by: every row with the first mark, and few others."""

_MARKED = pattern(rf"(?:(?P<text>.*); )?(?P<mark>{CODE_LOST}|{NO_COMMIT})", re.DOTALL)
_HASH = pattern(r"[0-9a-f]{4,40}")


def split(notes: str) -> tuple[str, str]:
    """Return what notes said before they were marked, and the mark; empty where they are not."""
    match = _MARKED.fullmatch(notes)
    return (match["text"] or "", match["mark"]) if match is not None else (notes, "")


def marked(trial: Trial, mark: str) -> Trial:
    """Return a trial whose notes end in a mark."""
    return trial.replace(notes="; ".join(filter(None, [trial.notes, mark])))


def missing(trial: Trial) -> str | None:
    """Return what the hash of a trial's lost commit begins with; ``None`` where none is lost."""
    hash = trial.text("commit").lower()
    return hash if split(trial.notes)[1] == CODE_LOST and _HASH.fullmatch(hash) else None
