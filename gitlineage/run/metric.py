"""
Which score a run gave, and where it was found: the first place that has it counts, and it is told which one.

Nothing is guessed: a number that is not finite, or a file that is older than the run, is no score, and is said to be
none.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gitlineage.model.records import Task
from gitlineage.model.trial import COLUMNS, parse_number
from gitlineage.run import records
from gitlineage.run.records import Found

DVCLIVE = "dvclive/metrics.json"
_PAIR = re.compile(r"([^\s=:,;]+)\s*[=:]\s*([^\s,;]+)")
_MARK = re.compile(rf"METRIC\s+{_PAIR.pattern}(?:[\s,;]+{_PAIR.pattern})*[\s,;]*")
_NAMED = re.compile(r"([\w./@-]+)\s*[:=]\s*(\S+?),?\s*")
_WORD = re.compile(r"(?<![\w./-])([\w./@-]+)\s*[:=]\s*([-+]?[\w.+-]+)")
_BEFORE = re.compile(r"([^\W\d]\w*)\s+$")
_OWN = frozenset({"final", "last", "the"})
"""Words before the score's name that leave it the run's own; after any other word it may be another number."""

_MOST_COLUMNS = 50
_COLUMN = re.compile(r"\w[\w./@+-]{0,59}")
"""What may name a column: what a key of somebody's JSON says may be anything."""

_MOST = 64 * 1024 * 1024
"""Bytes of a file or of a log's end that are looked at."""

_LONGEST_LINE = 4096
_LONGEST_WORD = 40

_LAST_LINES = 50
"""Lines at the output's end whose ``name: value`` become columns, too."""


def find(task: Task, *, name: str, source: str, result: Path, folder: Path, log: bytes, since: float) -> Found:
    """
    Return the numbers that a run gave.

    Args:
        task: what the campaign ranks by.
        name: what the score is called in the output; empty for the task's column or its short name.
        source: a file that has it, or ``re:PATTERN``; empty for neither.
        result: the file that `GITLINEAGE_RESULT` named.
        folder: where the command ran.
        log: what it printed.
        since: when it began; older files are not its own.
    """
    names = (name,) if name else tuple(dict.fromkeys((task.score_field, task.short, "score")))
    text = log[-_MOST:].decode("utf-8", "replace").replace("\r", "\n")
    others: dict[str, str] = {}
    why = ""
    for where, given in _places(names, source, result, folder, text, since):
        if isinstance(given, str):
            why = why or given
            continue
        numbers = {key: value for key, value in given.items() if parse_number(value) is not None}
        named = next((key for key in names if key in given), None)
        for key, value in numbers.items():
            if key != named:
                others.setdefault(key, value)
        if named is None:
            continue
        if named not in numbers:
            why = why or f"{named} is {given[named][:40]!r} in {where}, which is no finite number"
            continue
        where = f"{where} ({why})" if why else where  # where it was looked for first, and what is wrong there
        return Found(score=numbers[named], where=where, others=_columns(others, (*names, task.score_field)))
    return Found(others=_columns(others, (*names, task.score_field)), missing=why or f"it gave no {names[0]}")


def last_shown(text: str, names: Sequence[str]) -> str:
    """Return the last number with one of some names in a piece of output; empty for none."""
    shown = ""
    for line in text.splitlines():
        for key, value in _pairs(line):
            if key in names and parse_number(value) is not None:
                shown = value
    return shown


def _places(
    names: Sequence[str], source: str, result: Path, folder: Path, text: str, since: float
) -> Iterator[tuple[str, Mapping[str, str] | str]]:
    """Return what each place says, the first one first: numbers by name, or why it says none."""
    if result.exists():
        yield "GITLINEAGE_RESULT", _json(result, "the file that GITLINEAGE_RESULT names")
    if source.startswith("re:"):
        matches = list(re.finditer(source.removeprefix("re:"), text, re.MULTILINE))
        if matches:
            yield source, {names[0]: matches[-1][matches[-1].re.groups and 1]}
        else:
            yield source, f"nothing in the output matches {source}"
    elif source:
        yield source, _file(folder / source, source, names, since)
    live = folder / DVCLIVE
    with suppress(OSError):
        if live.stat().st_mtime >= since:
            yield DVCLIVE, _json(live, DVCLIVE)
    marked: dict[str, str] = {}
    unread = 0
    for line in (each.strip() for each in text.splitlines()):
        if line.startswith("METRIC ") and len(line) <= _LONGEST_LINE and _MARK.fullmatch(line) is not None:
            marked.update(_PAIR.findall(line.removeprefix("METRIC ")))
        else:
            unread += line.startswith("METRIC ")
    if unread:
        yield "a METRIC line", f"{unread} of the METRIC lines cannot be read; METRIC name=value is one"
    if marked:
        yield "a METRIC line", marked
    printed: dict[str, str] = {}
    loosely: dict[str, str] = {}
    seen = ""
    printed_lines = text.splitlines()
    for at, line in enumerate(printed_lines):
        is_last = at >= len(printed_lines) - _LAST_LINES
        if is_last and (match := _NAMED.fullmatch(line.strip())) is not None:
            printed[match[1]] = match[2]
        for key, value, before in _placed(line):
            if key in names and (not before or before.lower() in _OWN):
                printed[key] = value
            elif key in names:
                loosely[key], seen = value, f"{before} {key}"
    if loosely and not any(key in printed for key in names):
        yield f"the output, as {seen!r}", {**printed, **loosely}
    elif printed:
        yield "the output", printed


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    """Return the names and values of a line: the whole line, or ``name=value`` among other words."""
    return ((name, value) for name, value, _ in _placed(line))


def _placed(line: str) -> Iterator[tuple[str, str, str]]:
    """Return the names and values of a line, each with the word right before the name, if there is one."""
    line = line[:_LONGEST_LINE].strip()
    if (match := _NAMED.fullmatch(line)) is not None:
        yield match[1], match[2], ""
        return
    for match in _WORD.finditer(line):
        before = _BEFORE.search(line, max(0, match.start() - _LONGEST_WORD), match.start())
        yield match[1], match[2], before[1] if before else ""


def _file(path: Path, shown: str, names: Sequence[str], since: float) -> Mapping[str, str] | str:
    """Return the numbers of a file that the caller named: JSON, or lines as of output."""
    try:
        if path.stat().st_mtime < since:
            return f"{shown} is older than the run"
        data = path.read_bytes()[-_MOST:]
    except OSError as error:
        return f"{shown}: {error.strerror}"
    text = data.decode("utf-8", "replace")
    if text.lstrip().startswith("{"):
        return _json(path, shown)
    if parse_number(text) is not None:
        return {names[0]: text.strip()}
    return {key: value for line in text.splitlines() for key, value in _pairs(line)}


def _json(path: Path, shown: str) -> Mapping[str, str] | str:
    """Return the numbers of a JSON object by name; those of objects inside with the names joined by a dot."""
    try:
        with path.open("rb") as file:
            given = json.loads(file.read(_MOST))  # unlike msgspec, it reads the NaN that Python writes
    except (OSError, ValueError, RecursionError) as error:
        return f"{shown} holds no JSON ({error})"
    return dict(_flat(given, "")) if isinstance(given, dict) else f"{shown} holds no JSON object"


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(each, f"{name}.{key}" if name else str(key))
    elif value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        yield name, "null" if value is None else repr(value)
    elif isinstance(value, str):
        yield name, value


def _columns(numbers: Mapping[str, str], taken: Sequence[str]) -> dict[str, str]:
    """Return further numbers that may be columns of the row."""
    own = {*COLUMNS, *records.COLUMNS, *taken}
    kept = {name: text for name, text in numbers.items() if name not in own and _COLUMN.fullmatch(name)}
    return dict(list(kept.items())[:_MOST_COLUMNS])
