"""
OpenEvolve: a checkpoint's folder, or the trace of a run, which has an edge a line.

Source: algorithmicsuperintelligence/openevolve, ``openevolve/database.py`` (class ``Program``), ``evolution_trace.py``
and ``utils/metrics_utils.py`` (looked at in November 2026): higher is better, by ``combined_score``, else by the mean
of the numeric metrics.
"""

import json
from pathlib import Path
from typing import Any

from gitlineage.bridge.formats import words
from gitlineage.bridge.formats.found import CUT, INCOMPLETE, Found, FoundRow, NotTrials
from gitlineage.bridge.formats.jsonl import cells_of
from gitlineage.bridge.formats.source import Source, code_file, files_in, json_file, mapping, number_of, text_of
from gitlineage.text import counted

SCORE = "combined_score"
MEAN = "mean_of_metrics"
_ROLES = {"id": "id", "text": "change", "time": "timestamp"}


def recognise(source: Source) -> str:
    """Return what of a source is OpenEvolve's; empty for nothing."""
    if source.is_folder:
        folder = _checkpoint(source)
        if folder is None:
            return ""
        first = next(iter(files_in(folder / "programs", "*.json")), None)
        known = first is not None and {"id", "code", "metrics"} <= set(mapping(json_file(first)))
        return "an OpenEvolve checkpoint" if known else ""
    line = source.head.split(b"\n", 1)[0]
    return (
        "an OpenEvolve trace" if b'"child_id"' in line and b'"parent_id"' in line and b'"child_metrics"' in line else ""
    )


def read(source: Source) -> Found:
    """Read a checkpoint or a trace."""
    return _read_checkpoint(source) if source.is_folder else _read_trace(source)


def _checkpoint(source: Source) -> Path | None:
    """Return the checkpoint that a folder is, or the last one in it."""
    assert source.path is not None
    for folder in (source.path, source.path / "checkpoints", source.path / "openevolve_output" / "checkpoints"):
        if (folder / "programs").is_dir():
            return folder
        if folder.is_dir() and folder != source.path:
            numbered = [
                path
                for path in folder.glob("checkpoint_*")
                if path.name[11:].isdigit() and (path / "programs").is_dir()
            ]
            if numbered:
                return max(numbered, key=lambda path: int(path.name[11:]))
    return None


def _read_checkpoint(source: Source) -> Found:
    folder = _checkpoint(source)
    assert folder is not None
    programs = [(path.name, json_file(path)) for path in files_in(folder / "programs", "*.json")]
    bad = [name for name, each in programs if not isinstance(mapping(each).get("id"), str)]
    good = [each for _, each in programs if isinstance(mapping(each).get("id"), str)]
    good.sort(
        key=lambda each: (
            number_of(each.get("iteration_found")) or 0,
            number_of(each.get("timestamp")) or 0,
            each["id"],
        )
    )
    metric = _metric([mapping(each.get("metrics")) for each in good])
    rows = [_program(each, metric) for each in good]
    names = {each["id"] for each in good}
    evicted = [each for each in good if isinstance(each.get("parent_id"), str) and each["parent_id"] not in names]
    told: list[str] = []
    if evicted:
        parents = {each["parent_id"] for each in evicted}
        verb = "is" if len(parents) == 1 else "are"
        children = "its child is a root" if len(evicted) == 1 else "their children are roots"
        told.append(f"{counted(len(parents), 'parent')} {verb} not in this checkpoint (evicted): {children} here")
        for row in rows:
            row.parents = tuple(parent for parent in row.parents if parent[0] in names)
    best = mapping(json_file(folder / "metadata.json")).get("best_program_id")
    more = f"; metadata.json names the best, {best}" if best else ""
    table = _found("an OpenEvolve checkpoint", source, rows, metric, told, more)
    table.unread = bad
    return table


def _program(each: dict[str, Any], metric: str) -> FoundRow:
    metrics, meta = mapping(each.get("metrics")), mapping(each.get("metadata"))
    cells = _metrics(metrics, metric)
    cells |= {
        "id": each["id"],
        "change": text_of(each.get("changes_description") or meta.get("changes")),
        "timestamp": text_of(each.get("timestamp")),
        "generation": text_of(each.get("generation")),
        "iteration": text_of(each.get("iteration_found")),
    }
    island = meta.get("island")
    return FoundRow(
        line=0,
        cells=cells,
        parents=((each["parent_id"], ""),) if isinstance(each.get("parent_id"), str) else (),
        files=code_file(each.get("code"), each.get("language")),
        cohort=f"island-{island}" if isinstance(island, int) else "",
        status="crash" if metrics.get("error") else words.RAN,
    )


def _read_trace(source: Source) -> Found:
    rows: list[FoundRow] = []
    seen: set[str] = set()
    skipped: dict[str, list[int]] = {}
    shown: dict[str, str] = {}
    edges: list[tuple[int, dict[str, Any]]] = []
    lines = source.text.split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            each = json.loads(line)
        except (ValueError, RecursionError):
            each = None
        if not isinstance(each, dict) or not isinstance(each.get("child_id"), str):
            kind = "no step of a trace" if each is not None else INCOMPLETE if number == len(lines) else CUT
            skipped.setdefault(kind, []).append(number)
            shown.setdefault(kind, line.strip()[:60])
            continue
        edges.append((number, each))
    metric = _metric([mapping(each.get("child_metrics")) for _, each in edges])
    alone: list[str] = []
    children = {each["child_id"] for _, each in edges}
    for number, each in edges:
        parent = each.get("parent_id")
        if isinstance(parent, str) and parent not in seen and parent not in children:
            seen.add(parent)
            alone.append(parent)
            rows.append(_node(number, parent, each, "parent", None, metric))
        if each["child_id"] not in seen:
            seen.add(each["child_id"])
            rows.append(_node(number, each["child_id"], each, "child", parent, metric))
    told = []
    if alone:
        verb = "stands" if len(alone) == 1 else "stand"
        told.append(f"{', '.join(alone[:5])} {verb} in the trace only as a parent: a trial, too")
    table = _found("an OpenEvolve trace", source, rows, metric, told, "")
    table.skipped, table.shown = skipped, shown
    return table


def _node(number: int, name: str, each: dict[str, Any], who: str, parent: Any, metric: str) -> FoundRow:
    metrics = mapping(each.get(f"{who}_metrics"))
    cells = _metrics(metrics, metric)
    cells["id"] = name
    if who == "child":
        cells |= {
            "change": text_of(each.get("changes_description") or mapping(each.get("metadata")).get("changes")),
            "timestamp": text_of(each.get("timestamp")),
            "generation": text_of(each.get("generation")),
            "iteration": text_of(each.get("iteration")),
        }
    island = each.get("island_id")
    return FoundRow(
        line=number,
        cells=cells,
        parents=((parent, ""),) if isinstance(parent, str) else (),
        files=code_file(each.get(f"{who}_code"), each.get("language", "python")),
        cohort=f"island-{island}" if isinstance(island, int) else "",
        status="crash" if metrics.get("error") else words.RAN,
    )


def _metric(metrics: list[dict[str, Any]]) -> str:
    return SCORE if not metrics or any(number_of(each.get(SCORE)) is not None for each in metrics) else MEAN


def _metrics(metrics: dict[str, Any], metric: str) -> dict[str, str]:
    cells = cells_of(metrics)
    if metric == MEAN:
        numbers = [value for each in metrics.values() if (value := number_of(each)) is not None]
        cells[MEAN] = repr(sum(numbers) / len(numbers)) if numbers else ""
    return cells


def _found(kind: str, source: Source, rows: list[FoundRow], metric: str, told: list[str], more: str) -> Found:
    if not rows:
        raise NotTrials(source.name, f"{kind} without a program in it")
    columns = tuple(dict.fromkeys(name for row in rows for name in row.cells))
    what = "combined_score" if metric == SCORE else "the mean of the numeric metrics, where there is no combined_score,"
    return Found(
        kind=kind,
        source=source.name,
        columns=columns,
        rows=rows,
        roles=_ROLES,
        metric=metric,
        lower=False,
        why=f"OpenEvolve maximises {what}{more}".rstrip(","),
        told=told,
    )
