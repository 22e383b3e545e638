"""
Which score a run gave, and where it was found: the first place that has it counts, and it is told which one.

Nothing is guessed: a number that is not finite, or a file that is older than the run, is no score, and is said to be
none. Where no score is found, it is told which numbers there are.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gitlineage.model.records import Task
from gitlineage.model.trial import COLUMNS, parse_number
from gitlineage.run import records
from gitlineage.run.output import unescaped
from gitlineage.run.records import Found
from gitlineage.text import some

DVCLIVE = "dvclive/metrics.json"
_PAIR = re.compile(r"([^\s=:,;]+)\s*[=:]\s*([^\s,;]+)")
_MARK = re.compile(rf"METRIC\s+{_PAIR.pattern}(?:[\s,;]+{_PAIR.pattern})*[\s,;]*")
_NAMED = re.compile(r"([\w./@-]+)\s*[:=]\s*([^\s,;|]+),?\s*")
_WORD = re.compile(r"(?<![\w./-])([\"']?)([\w./@-]+)\1\s*[:=]\s*[\"']?([-+]?[\w.+-]+(?:,\d[\w.]*)*)")
"""A name and its value among others; digits after a comma belong to the value, which is then no number."""

_GOES_ON = re.compile(r"\s*(?:/\s*\d|[*x×·]\s*10\b|\^|(?:->|=>|→)\s*[-+]?[\d.])\S*")
"""What makes another number of the one before it: a quotient, a power, a later value."""

_GROUPED = re.compile(r"[ \u00a0\u202f]\d{3}(?!\d)\S*")
_UNIT = re.compile(r"[ \u00a0\u202f]?(?:%|x|dB|[nuµm]?s|secs?|seconds|mins?|h|[kKMGT]i?B)(?:/s)?(?![\w/])")
_MEASURED = re.compile(rf"([-+]?[\d.]+(?:[eE][-+]?\d+)?)({_UNIT.pattern})")
"""A number with its unit; a program may print another one next time, so it is told."""

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
    text = unescaped(log[-_MOST:].decode("utf-8", "replace")).replace("\r", "\n")
    others: dict[str, str] = {}
    passed, is_named = "", False
    for where, given in _places(names, source, result, folder, text, since):
        if isinstance(given, str):
            passed = passed or given
            continue
        numbers = {key: value for key, value in given.items() if parse_number(value) is not None}
        key = next((each for each in names if each in given), None)
        for each, value in numbers.items():
            if each != key:
                others.setdefault(each, value)
        if key is None:
            continue
        if key not in numbers:
            is_named = True  # whoever named the score there meant that place, so no later one is asked
            passed = f"{key} is {given[key][:40]!r} in {where}, which is no finite number"
            break
        kept = _columns(others, (*names, task.score_field))
        return Found(score=numbers[key], where=where, others=kept, passed=passed)
    kept = _columns(others, (*names, task.score_field))
    hint = "" if is_named else _hint(names[0], [*others, *_seen(text)])
    return Found(others=kept, missing=passed or f"it gave no {names[0]}", hint=hint)


def last_shown(text: str, names: Sequence[str]) -> str:
    """Return the last number with one of some names in a piece of output; empty for none."""
    wanted = {name.casefold() for name in names}
    shown = ""
    for line in unescaped(text).splitlines():
        for key, value, _ in _placed(line):
            if key.casefold() in wanted and parse_number(number := _number(value)) is not None:
                shown = number
    return shown


def _hint(name: str, known: Sequence[str]) -> str:
    """Return what makes a score known, with the names that there are, those most like the score's first."""
    word = name.casefold()
    known = sorted(filter(_COLUMN.fullmatch, dict.fromkeys(known)), key=lambda each: word not in each.casefold())
    if not known:
        return f"a line `{name}: NUMBER` is read as the score, and --metric-from says where else it is"
    return f"it gave numbers for {some(known)}: --metric NAME takes one, --metric-from says where else the score is"


def _seen(text: str) -> Iterator[str]:
    """Return the names that the last lines of an output give numbers."""
    for line in text.splitlines()[-_LAST_LINES:]:
        yield from (key for key, value, _ in _placed(line) if parse_number(value) is not None and not key.isdigit())


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
    lines = text.splitlines()
    marked: dict[str, str] = {}
    unread = 0
    for line in (each.strip() for each in lines):
        if line.startswith("METRIC ") and len(line) <= _LONGEST_LINE and _MARK.fullmatch(line) is not None:
            marked.update(_PAIR.findall(line.removeprefix("METRIC ")))
        else:
            unread += line.startswith("METRIC ")
    if unread:
        yield "a METRIC line", f"{unread} of the METRIC lines cannot be read; METRIC name=value is one"
    if marked:
        yield "a METRIC line", marked
    yield from _printed(names, lines)


def _printed(names: Sequence[str], lines: Sequence[str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """
    Return the numbers of what was printed: the score's, wherever it stands, and others of the last lines.

    Of the score's names the one that stands alone as it is spelled counts, else one in other letters, else one after a
    word that may make it another number; of each the last.
    """
    wanted = {name.casefold(): name for name in reversed(names)}
    others: dict[str, str] = {}
    found: dict[str, tuple[int, str, str]] = {}
    for at, line in enumerate(lines):
        if at >= len(lines) - _LAST_LINES:
            others.update(_alone(line))
        for key, value, before in _placed(line):
            if (name := key if key in names else wanted.get(key.casefold())) is None:
                continue
            rank = 2 if before and before.casefold() not in _OWN else int(key != name)
            if name not in found or rank <= found[name][0]:
                said = f"{before} {key}" if rank == 2 else key
                number = _number(value)
                found[name] = rank, number, f"{said}: {value}" if number != value else said if rank else ""
    others = {key: value for key, value in others.items() if key.casefold() not in wanted}
    surest = min((rank for rank, _, _ in found.values()), default=0)
    sure = {name: (value, said) for name, (rank, value, said) in found.items() if rank < 2 or surest == 2}
    first = next((name for name in names if name in sure), None)
    if first is not None:
        said = sure[first][1]
        numbers = {name: value for name, (value, _) in sure.items()}
        yield f"the output, as {said!r}" if said else "the output", {**others, **numbers}
    elif others:
        yield "the output", others


def _alone(line: str) -> Mapping[str, str]:
    """Return the numbers of a line that says nothing else: ``name: value``, or an object."""
    line = line[:_LONGEST_LINE].strip()
    if (match := _NAMED.fullmatch(line)) is not None:
        return {match[1]: match[2]}
    return _object(line) or {}


def _placed(line: str) -> Iterator[tuple[str, str, str]]:
    """
    Return the names and values of a line, each with the word right before the name, if there is one.

    They are those of the whole line, of an object that it is (of JSON, or as Python prints it), or ``name=value`` and
    ``name: value`` among other words.
    """
    line = line[:_LONGEST_LINE].strip()
    whole = {match[1]: match[2]} if (match := _NAMED.fullmatch(line)) is not None else _object(line)
    if whole is not None:
        yield from ((name, value, "") for name, value in whole.items())
        return
    for match in _WORD.finditer(line):
        value, end = match[3], match.end(3)
        digits = value.lstrip("+-")
        further = _GOES_ON.match(line, end) or _UNIT.match(line, end)
        if digits.isdecimal() and len(digits) <= 3:
            further = _GROUPED.match(line, end) or further
        if further is not None:
            value += further[0]
        before = _BEFORE.search(line, max(0, match.start() - _LONGEST_WORD), match.start())
        yield match[2], value, before[1] if before else ""


def _number(value: str) -> str:
    """Return a value without its unit."""
    measured = _MEASURED.fullmatch(value)
    return measured[1] if measured else value


def _object(line: str) -> dict[str, str] | None:
    """Return the numbers of a line that is an object of JSON or Python; ``None`` where it is none."""
    if not (line.startswith("{") and line.endswith("}")):
        return None
    for read in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            given = read(line)
            return dict(_flat(given, "")) if isinstance(given, dict) else None
    return None


def _file(path: Path, shown: str, names: Sequence[str], since: float) -> Mapping[str, str] | str:
    """Return the numbers of a file that the caller named: JSON, or lines as of output."""
    try:
        if path.stat().st_mtime < since:
            return f"{shown} is older than the run"
        data = path.read_bytes()[-_MOST:]
    except FileNotFoundError:
        return f"there is no file {shown}"
    except OSError as error:
        return f"{shown}: {error.strerror}"
    text = data.decode("utf-8", "replace")
    if text.lstrip().startswith("{"):
        return _json(path, shown)
    if parse_number(text) is not None:
        return {names[0]: text.strip()}
    return {key: value for line in unescaped(text).splitlines() for key, value, _ in _placed(line)}


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
