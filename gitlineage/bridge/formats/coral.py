"""
CORAL: a folder of attempts, each a commit of an agent's branch.

Source: Human-Agent-Society/CORAL, ``coral/types.py`` (class ``Attempt``) and ``coral/hub/attempts.py`` (looked at in
November 2026): the direction is ``grader.direction`` of ``task.yaml``, maximize unless it says otherwise.
"""

import re
from typing import Any

from gitlineage.bridge.formats import words
from gitlineage.bridge.formats.found import Found, FoundRow, NotTrials
from gitlineage.bridge.formats.jsonl import cells_of
from gitlineage.bridge.formats.source import Source, files_in, json_file, mapping, text_of
from gitlineage.text import counted

_FOLDERS = (".coral/public/attempts", "public/attempts", "attempts")
_DIRECTION = re.compile(r"^[ \t]+direction[ \t]*:\s*['\"]?(\w+)", re.MULTILINE)


def recognise(source: Source) -> str:
    """Return what of a source is CORAL's; empty for nothing."""
    folder = source.child(*_FOLDERS)
    if folder is None or not folder.is_dir():
        return ""
    first = next(iter(files_in(folder, "*.json")), None)
    known = first is not None and {"commit_hash", "agent_id", "status"} <= set(mapping(json_file(first)))
    return "a CORAL run" if known else ""


def read(source: Source) -> Found:
    """Read the attempts."""
    folder = source.child(*_FOLDERS)
    assert folder is not None
    documents = [(path.name, mapping(json_file(path))) for path in files_in(folder, "*.json")]
    bad = [name for name, each in documents if not isinstance(each.get("commit_hash"), str)]
    good = [each for _, each in documents if isinstance(each.get("commit_hash"), str)]
    if not good:
        raise NotTrials(source.name, "a CORAL run without an attempt")
    good.sort(key=lambda each: (text_of(each.get("timestamp")), each["commit_hash"]))
    rows = [_row(each) for each in good]
    lower, why = _direction(source)
    told: list[str] = []
    if pending := sum(row.status == words.PENDING for row in rows):
        told.append(f"{counted(pending, 'attempt')} {'is' if pending == 1 else 'are'} pending")
    tuned = sum(
        row.cells.get("metadata.budget_class") == "tune" and row.cells.get("status") == "improved" for row in rows
    )
    if tuned:
        told.append(
            f"{counted(tuned, 'improved attempt')} {'is a tune run' if tuned == 1 else 'are tune runs'} (budget_class)"
        )
    return Found(
        kind="a CORAL run",
        source=source.name,
        columns=tuple(dict.fromkeys(name for row in rows for name in row.cells)),
        rows=rows,
        roles={
            "commit": "commit_hash",
            "base": "parent_hash",
            "status": "status",
            "text": "title",
            "time": "timestamp",
        },
        metric="score",
        lower=lower,
        why=why,
        told=told,
        unread=bad,
    )


def _row(each: dict[str, Any]) -> FoundRow:
    cells = cells_of({name: value for name, value in each.items() if name not in ("feedback", "agent_id")})
    cells |= {"notes": text_of(each.get("feedback")), "specialist": text_of(each.get("agent_id"))}
    status = words.PENDING if each.get("status") == "pending" else ""
    return FoundRow(line=0, cells=cells, status=status)


def _direction(source: Source) -> tuple[bool, str]:
    path = source.child("task.yaml", ".coral/task.yaml", "task.yml", ".coral/config.yaml")
    if path is not None and path.stat().st_size < 1 << 20:
        match = _DIRECTION.search(path.read_text("utf-8", "replace"))
        if match and (lower := words.direction_word(match[1])) is not None:
            return lower, f"{path.name}: direction: {match[1]}"
    return False, "CORAL maximises unless task.yaml says otherwise"
