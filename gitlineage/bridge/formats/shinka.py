"""
ShinkaEvolve: its SQLite file of programs, with islands as cohorts and inspirations as roles.

Source: SakanaAI/ShinkaEvolve, ``shinka/database/dbase.py`` (looked at in November 2026): higher is better, and only
programs that are correct count. Older files lack some columns.
"""

from typing import Any

from gitlineage.bridge.formats import sqlite, words
from gitlineage.bridge.formats.found import Found, FoundRow, NotTrials
from gitlineage.bridge.formats.jsonl import cells_of
from gitlineage.bridge.formats.source import Source, code_file, json_of, mapping, number_of, sequence, text_of
from gitlineage.text import counted

_NAMES = ("programs.sqlite", "evolution_db.sqlite", "programs.db")
_COLUMNS = (
    "id", "code", "language", "parent_id", "archive_inspiration_ids", "top_k_inspiration_ids", "generation",
    "timestamp", "combined_score", "public_metrics", "private_metrics", "text_feedback", "complexity", "correct",
    "metadata",
    "island_idx", "system_prompt_id",
)  # fmt: skip


def recognise(source: Source) -> str:
    """Return what of a source is ShinkaEvolve's; empty for nothing."""
    path = source.child(*_NAMES) if source.is_folder else source.path
    if path is None or not path.is_file():
        return ""
    with path.open("rb") as file:
        if file.read(16) != sqlite.MAGIC:
            return ""
    with sqlite.opened(path, source.name) as tables:
        known = {"id", "code", "combined_score", "generation"} <= set(tables.columns("programs"))
    return "a ShinkaEvolve database" if known else ""


def read(source: Source) -> Found:
    """Read the programs."""
    path = source.child(*_NAMES) if source.is_folder else source.path
    assert path is not None
    with sqlite.opened(path, source.name) as tables:
        programs = tables.rows("programs", _COLUMNS)
        archive = {text_of(row["program_id"]) for row in tables.rows("archive", ["program_id"])}
        attempts = tables.rows("attempt_log", ["generation", "stage", "status", "details"])
    programs.sort(
        key=lambda each: (
            number_of(each.get("generation")) or 0,
            number_of(each.get("timestamp")) or 0,
            text_of(each["id"]),
        )
    )
    if not programs:
        raise NotTrials(source.name, "a ShinkaEvolve database, and no programs yet")
    rows = [_row(each, archive) for each in programs]
    seeds = [each for each in programs if not each.get("parent_id")]
    told = []
    if len(seeds) > 1:
        islands = {each.get("island_idx") for each in seeds}
        same = "the same seed on" if len({each.get("code") for each in seeds}) == 1 else "seeds of"
        told.append(f"{counted(len(seeds), 'program')} have no parent: {same} {counted(len(islands), 'island')}")
    wrong = sum(row.status == "crash" for row in rows)
    if wrong:
        verb = "is" if wrong == 1 else "are"
        told.append(f"{counted(wrong, 'program')} {verb} not correct: never the best, whatever the score")
    failed = [
        each for each in attempts if text_of(each.get("status")) not in ("success", "succeeded", "completed", "ok")
    ]
    if failed:
        verb = "it is" if len(failed) == 1 else "they are"
        told.append(f"{counted(len(failed), 'failed attempt')} in attempt_log: {verb} no program")
    return Found(
        kind="a ShinkaEvolve database",
        source=source.name,
        columns=tuple(dict.fromkeys(name for row in rows for name in row.cells)),
        rows=rows,
        roles={"id": "id", "text": "patch_name", "time": "timestamp"},
        metric="combined_score",
        lower=False,
        why="ShinkaEvolve maximises combined_score, and only correct programs count",
        told=told,
    )


def _row(each: dict[str, Any], archive: set[str]) -> FoundRow:
    meta = mapping(json_of(text_of(each.get("metadata"))))
    name = text_of(each["id"])
    cells = {
        "id": name,
        "combined_score": text_of(each.get("combined_score")),
        "patch_name": text_of(meta.get("patch_name")),
        "patch_type": text_of(meta.get("patch_type")),
        "timestamp": text_of(each.get("timestamp")),
        "generation": text_of(each.get("generation")),
        "correct": text_of(each.get("correct")),
        "archived": "1" if name in archive else "",
        "notes": text_of(each.get("text_feedback")),
        "complexity": text_of(each.get("complexity")),
    }
    for column in ("public_metrics", "private_metrics"):
        cells |= {
            f"{column}.{key}": text for key, text in cells_of(mapping(json_of(text_of(each.get(column))))).items()
        }
    parents = [(text_of(each["parent_id"]), "")] if each.get("parent_id") else []
    known = {parent for parent, _ in parents}
    for column in ("archive_inspiration_ids", "top_k_inspiration_ids"):
        for other in sequence(json_of(text_of(each.get(column)))):
            if isinstance(other, str) and other not in known:
                known.add(other)
                parents.append((other, "inspiration"))
    island = each.get("island_idx")
    return FoundRow(
        line=0,
        cells={column: text for column, text in cells.items() if text},
        parents=tuple(parents),
        files=code_file(each.get("code"), each.get("language")),
        cohort=f"island-{island}" if isinstance(island, int) else "",
        status=words.RAN if each.get("correct") else "crash",
    )
