"""
Trackers of runs: MLflow (its exports, its folder, its SQLite file) and Weights & Biases (its exports).

Source: MLflow 2 and 3: ``mlflow.search_runs()`` columns, the ``mlruns`` folder of ``FileStore`` and the tables of
``SqlAlchemyStore``; W&B: the export of the table of runs (looked at in November 2026).
"""

import re
from pathlib import Path
from typing import Any

from gitlineage.bridge.formats import sqlite, tables
from gitlineage.bridge.formats.found import Found, FoundRow, NotTrials
from gitlineage.bridge.formats.jsonl import cells_of
from gitlineage.bridge.formats.source import Source, files_in, mapping, text_of

_PARENT = "tags.mlflow.parentRunId"
_COMMIT = "tags.mlflow.source.git.commit"
_NAME = "tags.mlflow.runName"
_STATUSES = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}
_META = re.compile(r"^(\w+):\s*(.*)$", re.MULTILINE)
_LARGEST = 1 << 20


def recognise(source: Source) -> str:
    """Return which tracker's a source is; empty for none."""
    if source.is_folder:
        assert source.path is not None
        if _mlruns(source) is not None:
            return "an MLflow tracking folder"
        return ""
    if source.head.startswith(sqlite.MAGIC):
        assert source.path is not None
        with sqlite.opened(source.path, source.name) as database:
            known = {"run_uuid", "status"} <= set(database.columns("runs")) and database.columns("latest_metrics")
        return "an MLflow database" if known else ""
    if isinstance(source.json, list):
        first = mapping(source.json[0]) if source.json else {}
        return (
            "an export of W&B runs" if "state" in first and ("summary" in first or "summary_metrics" in first) else ""
        )
    header = {name.strip('" \r') for name in source.head.split(b"\n", 1)[0].decode("utf-8", "replace").split(",")}
    if {"run_id", "status", "artifact_uri"} <= header or {"Run ID", "Status", "Source Type"} <= header:
        return "an export of MLflow runs"
    return (
        "an export of W&B runs"
        if {"Name", "State"} <= header and header & {"Sweep", "Runtime", "Created", "Tags"}
        else ""
    )


def read(source: Source) -> Found:
    """Read the runs."""
    kind = recognise(source)
    if source.is_folder:
        return _found(kind, source, _of_folder(source))
    if kind == "an MLflow database":
        return _found(kind, source, _of_database(source))
    if isinstance(source.json, list):
        rows = [FoundRow(line=0, cells=_wandb(mapping(each))) for each in source.json]
        return _wandb_found(kind, source, rows)
    separator = tables.recognise(source.text) or ","
    table = tables.read(source.text, source.name, separator, source.damaged)
    if kind == "an export of W&B runs":
        return _wandb_found(kind, source, table.rows, table)
    table.kind = kind
    table.roles = _roles(table.columns)
    return table


def _roles(columns: tuple[str, ...]) -> dict[str, str]:
    named = {
        "id": ("run_id", "Run ID"), "status": ("status", "Status"), "parent": (_PARENT,), "commit": (_COMMIT,),
        "time": ("start_time", "Start Time"), "text": (_NAME, "Name"),
    }  # fmt: skip
    return {role: name for role, names in named.items() for name in names if name in columns}


def _found(kind: str, source: Source, rows: list[FoundRow]) -> Found:
    if not rows:
        raise NotTrials(source.name, f"{kind}, and no runs yet")
    columns = tuple(dict.fromkeys(name for row in rows for name in row.cells))
    return Found(kind=kind, source=source.name, columns=columns, rows=rows, roles=_roles(columns))


def _wandb(each: dict[str, Any]) -> dict[str, str]:
    """Return an exported run's values as cells; what W&B counts for itself is left out."""
    cells = {
        name: text_of(each[name])
        for name in ("name", "state", "id", "created_at", "notes")
        if each.get(name) is not None
    }
    for name in ("config", "summary", "summary_metrics"):
        before = "config." if name == "config" else ""
        cells |= {
            f"{before}{key}": text for key, text in cells_of(mapping(each.get(name))).items() if not key.startswith("_")
        }
    return cells


def _wandb_found(kind: str, source: Source, rows: list[FoundRow], table: Found | None = None) -> Found:
    columns = table.columns if table is not None else tuple(dict.fromkeys(name for row in rows for name in row.cells))
    lowered = {name.casefold(): name for name in columns}
    wanted = {"id": ("id", "name"), "status": ("state",), "time": ("created", "created_at"), "text": ("notes", "name")}
    if rows and len({row.cells.get(lowered.get("name", ""), "") for row in rows}) == len(rows):
        wanted["id"] = ("name",)
    roles = {role: lowered[name] for role, names in wanted.items() for name in names[::-1] if name in lowered}
    made = table or Found(kind=kind, source=source.name)
    made.kind, made.rows, made.columns, made.roles = kind, rows, columns, roles
    return made


def _mlruns(source: Source) -> Path | None:
    """Return the tracking folder that a folder is, or has."""
    assert source.path is not None
    for folder in (source.path, source.path / "mlruns"):
        if folder.is_dir() and next(folder.glob("*/*/meta.yaml"), None) is not None:
            return folder
    return None


def _of_folder(source: Source) -> list[FoundRow]:
    folder = _mlruns(source)
    assert folder is not None
    rows = []
    for path in files_in(folder, "*/*/meta.yaml"):
        meta = dict(_META.findall(_small(path)))
        if "run_id" not in meta and "run_uuid" not in meta:
            continue
        if meta.get("lifecycle_stage", "active").strip("'\"") == "deleted":
            continue
        run = path.parent
        cells = {
            "run_id": (meta.get("run_id") or meta.get("run_uuid") or "").strip("'\""),
            "status": _STATUSES.get(meta.get("status", "").strip(), meta.get("status", "")),
            "start_time": meta.get("start_time", "").strip(),
            "experiment_id": meta.get("experiment_id", "").strip("'\""),
        }
        for kind in ("metrics", "params", "tags"):
            for each in files_in(run / kind, "**/*") if (run / kind).is_dir() else ():
                name = f"{kind}.{each.relative_to(run / kind).as_posix()}"
                text = _small(each)
                cells[name] = _last(text) if kind == "metrics" else text.strip("\n")
        rows.append(FoundRow(line=0, cells=cells))
    rows.sort(key=lambda row: (row.cells["start_time"], row.cells["run_id"]))
    return rows


def _last(text: str) -> str:
    """Return the value of a metric's last line: its moment, value and step."""
    lines = text.strip().splitlines()
    parts = lines[-1].split() if lines else []
    return parts[1] if len(parts) > 1 else ""


def _of_database(source: Source) -> list[FoundRow]:
    assert source.path is not None
    with sqlite.opened(source.path, source.name) as database:
        runs = database.rows("runs", ["run_uuid", "name", "status", "start_time", "experiment_id", "lifecycle_stage"])
        values = {
            "metrics": database.rows("latest_metrics", ["run_uuid", "key", "value", "is_nan"]),
            "params": database.rows("params", ["run_uuid", "key", "value"]),
            "tags": database.rows("tags", ["run_uuid", "key", "value"]),
        }
    cells = {
        text_of(run["run_uuid"]): {
            "run_id": text_of(run["run_uuid"]),
            "status": text_of(run.get("status")),
            "start_time": text_of(run.get("start_time")),
            "experiment_id": text_of(run.get("experiment_id")),
            _NAME: text_of(run.get("name")),
        }
        for run in runs
        if run.get("lifecycle_stage") != "deleted"
    }
    for kind, rows in values.items():
        for row in rows:
            own = cells.get(text_of(row.get("run_uuid")))
            if own is not None and not row.get("is_nan"):
                own[f"{kind}.{text_of(row.get('key'))}"] = text_of(row.get("value"))
    return sorted(
        (FoundRow(line=0, cells=each) for each in cells.values()),
        key=lambda row: (row.cells["start_time"], row.cells["run_id"]),
    )


def _small(path: Path) -> str:
    """Return a small file's text, the end of a large one."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            file.seek(max(0, size - _LARGEST))
            return file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""
