"""
JSON, an object a line: the log of pi-autoresearch, and trials of any other making.

A ``config`` line of pi-autoresearch opens a segment with a metric and a direction of its own: what was measured before
is of another scale. A discarded run names the commit that it was tried on, as its own code is reset away.

Source: davebcn87/pi-autoresearch, ``extensions/pi-autoresearch/index.ts`` (looked at in November 2026).
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from gitlineage.bridge.formats import words
from gitlineage.bridge.formats.found import CUT, INCOMPLETE, Found, FoundRow, NotTrials, listed

CONFIG, OTHER = "config line", "objects of another kind"
_LONGEST = 1 << 19
_SHOWN = 60
_DEEPEST = 3
_MOST_COLUMNS = 600


def recognise(text: str) -> bool:
    """Whether a text's lines are JSON objects."""
    seen = 0
    for line in text[:500_000].splitlines():
        told = line.strip()
        if not told:
            continue
        if not told.startswith("{"):
            seen -= 1
        elif isinstance(_object(told), dict):
            seen += 1
        if seen >= 3 or seen < -2:
            break
    return seen > 0


def read(text: str, source: str, whole: bool = True) -> Found:
    """
    Read a log.

    Args:
        text: the file's text.
        source: its name.
        whole: whether the file is finished; if not, a last line without its line end waits.
    """
    if not whole and not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
    skipped: dict[str, list[int]] = {}
    shown: dict[str, str] = {}
    objects: list[tuple[int, dict[str, Any]]] = []
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        told = line.strip()
        if not told:
            continue
        value = _object(line) if len(line) <= _LONGEST else None
        if not isinstance(value, dict):
            is_object = told.startswith("{")
            kind = "no JSON object" if not is_object else INCOMPLETE if number == len(lines) else CUT
            skipped.setdefault(kind, []).append(number)
            if is_object:
                long = f"{len(line):,} characters long" if len(line) > _LONGEST else told[:_SHOWN]
                shown.setdefault(kind, long)
            continue
        objects.append((number, value))
    if any(_is_run(each) for _, each in objects) or any(each.get("type") == "config" for _, each in objects):
        found = _pi(objects, source, skipped)
    else:
        found = _any(objects, source, skipped)
    found.shown = shown
    return found


def cells_of(value: Mapping[str, Any]) -> dict[str, str]:
    """Return an object as cells by column name; objects inside give columns such as ``metrics.loss``."""
    return dict(_flat(value, "", 0))


def _pi(objects: list[tuple[int, dict[str, Any]]], source: str, skipped: dict[str, list[int]]) -> Found:
    segments: list[dict[str, Any]] = []
    runs: list[tuple[int, int, dict[str, Any]]] = []
    others: list[int] = []
    for number, each in objects:
        if each.get("type") == "config" or ("metricName" in each and "metric" not in each):
            if segments and not any(segment == len(segments) - 1 for _, segment, _ in runs):
                segments.pop()  # a segment without a run: the next one takes its place
            segments.append(each)
            skipped.setdefault(CONFIG, []).append(number)
        elif "metric" in each or "status" in each:
            runs.append((number, len(segments) - 1, each))
        else:
            others.append(number)
    if others:
        skipped["no run"] = others
    if not runs:
        raise NotTrials(source, "a pi-autoresearch log, and no runs yet")
    last = max(segment for _, segment, _ in runs)
    names = {at: str(segment.get("metricName") or "metric") for at, segment in enumerate(segments)}
    names[-1] = "metric"
    columns = _names_of_segments(names, sorted({segment for _, segment, _ in runs}), last)
    rows = []
    for number, segment, each in runs:
        cells = cells_of({name: value for name, value in each.items() if name not in ("metric", "type")})
        cells[columns[segment]] = _text(each.get("metric"))
        rows.append(FoundRow(line=number, cells=cells))
    config = segments[last] if last >= 0 else {}
    direction = config.get("bestDirection")
    told = []
    earlier = [column for segment, column in columns.items() if segment != last]
    for segment in columns:
        if segment == last:
            continue
        lower = segments[segment].get("bestDirection") != "higher" if segment >= 0 else True
        told.append(_of_segment([run for run in runs if run[1] == segment], names[segment], names[last], lower))
    if not config:
        told.append("neither the metric's name nor the direction is in the file: both are a guess")
    told += _pending(runs)
    return Found(
        kind=f"a pi-autoresearch log with {len(columns)} segment{'s' if len(columns) > 1 else ''}",
        source=source,
        columns=_columns(rows),
        rows=rows,
        roles={"id": "run", "commit": "commit", "status": "status", "text": "description", "time": "timestamp"},
        metric=columns[last],
        lower=(direction != "higher") if config else None,
        why="a config line says it"
        if direction
        else "pi-autoresearch takes lower unless a config line says otherwise"
        if config
        else "",
        skipped=skipped,
        told=told,
        tried_on=True,
        earlier=tuple(earlier),
    )


def _names_of_segments(names: Mapping[int, str], segments: list[int], last: int) -> dict[int, str]:
    """Return the column of each segment's metric: its name, with a number where a later segment has that name too."""
    by_segment: dict[int, str] = {}
    used = {names[last]}
    by_segment[last] = names[last]
    for at in segments:
        if at == last:
            continue
        name, number = names[at], 1
        while name in used:
            name, number = f"{names[at]}@{number}", number + 1
        used.add(name)
        by_segment[at] = name
    return {at: by_segment[at] for at in segments}


def _of_segment(runs: list[tuple[int, int, dict[str, Any]]], name: str, last: str, lower: bool) -> str:
    """Return what is to be said of an earlier segment: its runs, what they measure, and their best."""
    ids = [str(each.get("run", "?")) for _, _, each in runs]
    kept = [
        float(each["metric"]) for _, _, each in runs
        if each.get("status") == "keep" and isinstance(each.get("metric"), int | float)
    ]  # fmt: skip
    best = f" (best {min(kept) if lower else max(kept):.12g})" if kept else ""
    many = (
        f"runs {ids[0]} to {ids[-1]}"
        if len(ids) > 2
        else f"runs {' and '.join(ids)}"
        if len(ids) == 2
        else f"run {ids[0]}"
    )
    if name == last:
        return f"{many}{best} are of an earlier segment, measured otherwise: the best is of the current segment"
    return f"two metrics in one log: {many} are ranked by {name}{best}, the others by {last}"


def _pending(runs: list[tuple[int, int, dict[str, Any]]]) -> list[str]:
    lines = [number for number, _, each in runs if each.get("commit") == "pending"]
    return [f"{listed(lines)} {'says' if len(lines) == 1 else 'say'} commit pending"] if lines else []


def _any(objects: list[tuple[int, dict[str, Any]]], source: str, skipped: dict[str, list[int]]) -> Found:
    shared = _shared(objects)
    others = {number for number, each in objects if len(shared & set(each)) * 3 < len(shared) and not _has_ended(each)}
    if others:
        skipped.setdefault(OTHER, []).extend(sorted(others))
        objects = [(number, each) for number, each in objects if number not in others]
    rows = [FoundRow(line=number, cells=cells_of(each)) for number, each in objects]
    settings = {}
    if len(objects) > 1 and len(objects[0][1]) and not set(objects[0][1]) & set(objects[1][1]):
        settings = {name.casefold(): text for name, text in rows[0].cells.items()}
        skipped.setdefault(CONFIG, []).append(rows.pop(0).line)
    return Found(
        kind="JSON, an object a line",
        source=source,
        columns=_columns(rows),
        rows=rows,
        settings=settings,
        skipped=skipped,
    )


def _shared(objects: list[tuple[int, dict[str, Any]]]) -> set[str]:
    """Return the names that most objects of a log have; none where there are too few to tell."""
    counts = Counter(name for _, each in objects for name in each)
    return {name for name, count in counts.items() if count * 5 >= len(objects) * 3} if len(objects) > 2 else set()


def _has_ended(each: Mapping[str, Any]) -> bool:
    """Whether an object that shares little with the others says how a trial ended, as the line of a crash does."""
    names = {name.casefold(): name for name in each}
    named = any(name in names for name in words.ID)
    said = [each[names[name]] for name in words.STATUS if name in names]
    return named and any(words.status_of(str(cell)) is not None for cell in said if cell)


def _columns(rows: list[FoundRow]) -> tuple[str, ...]:
    """Return the columns of all rows in the order in which they come; those beyond the limit stay in their rows."""
    columns = dict.fromkeys(name for row in rows for name in row.cells)
    return tuple(list(columns)[:_MOST_COLUMNS])


def _is_run(each: Mapping[str, Any]) -> bool:
    return {"run", "metric", "status"} <= set(each) and isinstance(each["metric"], int | float | None)


def _flat(value: Mapping[str, Any], before: str, depth: int) -> Iterator[tuple[str, str]]:
    for name, each in value.items():
        column = f"{before}{name}"
        if isinstance(each, dict) and each and depth < _DEEPEST:
            yield from _flat(each, f"{column}.", depth + 1)
        elif not (isinstance(each, dict | list) and not each):
            yield column, _text(each)


def _text(value: Any) -> str:
    """Return a JSON value as a cell."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()
    except RecursionError:
        return ""


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
