"""
GEPA: the candidates of an optimisation, of which a merge has two parents. A pickled state is never opened.

Source: gepa-ai/gepa, ``src/gepa/core/result.py`` (``to_dict``) and ``core/state.py`` (looked at in November 2026).
"""

from typing import Any

from gitlineage.bridge.formats import words
from gitlineage.bridge.formats.found import Found, FoundRow, NotTrials
from gitlineage.bridge.formats.source import Source, json_file, mapping, sequence, text_of

SCORE = "val_aggregate_score"
_FILES = ("gepa_result.json", "result.json", "candidates.json")


def recognise(source: Source) -> str:
    """Return what of a source is GEPA's; empty for nothing."""
    if source.is_folder:
        path = source.child(*_FILES)
        if path is not None and _is_gepa(json_file(path)):
            return "a GEPA run"
        return "a GEPA run" if source.child("gepa_state.bin") else ""
    return "a GEPA result" if _is_gepa(source.json) else ""


def _is_gepa(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all({"candidate_idx", "parent_programs"} <= set(mapping(each)) for each in value)
    return {"candidates", "parents", "val_aggregate_scores"} <= set(mapping(value))


def read(source: Source) -> Found:
    """Read the candidates."""
    value = source.json
    if source.is_folder:
        path = source.child(*_FILES)
        if path is None:
            raise NotTrials(
                source.name,
                "a GEPA run with its pickled state alone, which is never opened: write `result.to_dict()` as JSON",
            )
        value = json_file(path)
    rows, metric, why = _of_list(value) if isinstance(value, list) else _of_result(mapping(value))
    if not rows:
        raise NotTrials(source.name, "a GEPA result without a candidate")
    return Found(
        kind="a GEPA result",
        source=source.name,
        columns=tuple(dict.fromkeys(name for row in rows for name in row.cells)),
        rows=rows,
        roles={"id": "candidate"},
        metric=metric,
        lower=False,
        why=why,
    )


def _of_result(value: dict[str, Any]) -> tuple[list[FoundRow], str, str]:
    scores, parents = sequence(value.get("val_aggregate_scores")), sequence(value.get("parents"))
    counts = sequence(value.get("discovery_eval_counts"))
    rows = []
    for at, candidate in enumerate(sequence(value.get("candidates"))):
        above = _parents(parents[at] if at < len(parents) else [])
        cells = {"candidate": str(at), SCORE: text_of(scores[at] if at < len(scores) else None)}
        if at < len(counts):
            cells["discovery_eval_count"] = text_of(counts[at])
        rows.append(
            FoundRow(
                line=0,
                cells=cells,
                parents=above,
                files=_files(mapping(candidate)),
                status="baseline" if not above and at == 0 else words.RAN,
            )
        )
    return rows, SCORE, "GEPA maximises the mean validation score"


def _of_list(value: list[Any]) -> tuple[list[FoundRow], str, str]:
    rows = []
    own = ("candidate_idx", "parent_programs", "score", "score_percent", "is_best_breaking")
    for each in map(mapping, value):
        texts = {name: text for name, text in each.items() if isinstance(text, str) and name not in own}
        plain = {
            name: text_of(each[name])
            for name in each
            if name not in texts and name not in ("candidate_idx", "parent_programs")
        }
        rows.append(
            FoundRow(
                line=0,
                cells={"candidate": text_of(each["candidate_idx"]), **plain},
                parents=_parents(each["parent_programs"]),
                files=_files(texts),
                status=words.RAN,
            )
        )
    return rows, "score", "GEPA maximises"


def _parents(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(each), "") for each in sequence(value) if isinstance(each, int) and not isinstance(each, bool))


def _files(texts: dict[str, Any]) -> dict[str, bytes] | None:
    """Return a candidate's texts as files; a name that is no file name gets underscores."""
    files = {
        f"{''.join(c if c.isalnum() or c in '-_. ' else '_' for c in name).strip('. ') or 'text'}.txt": text.encode(
            "utf-8", "replace"
        )
        for name, text in texts.items()
        if isinstance(text, str)
    }
    return files or None
