"""
AIDE's journal of a tree search, and AI-Scientist-v2's, which names several metrics with a direction each.

Source: WecoAI/aideml, ``aide/journal.py``, ``aide/utils/serialize.py``, ``aide/utils/metric.py``;
SakanaAI/AI-Scientist-v2, ``ai_scientist/treesearch/utils/metric.py`` (looked at in November 2026).
"""

from typing import Any

from gitlineage.bridge.formats import words
from gitlineage.bridge.formats.found import Found, FoundRow, NotTrials
from gitlineage.bridge.formats.source import Source, code_file, mapping, number_of, sequence, text_of

METRIC = "metric"


def recognise(source: Source) -> str:
    """Return what of a source is AIDE's; empty for nothing."""
    value = source.json
    nodes = sequence(mapping(value).get("nodes"))
    return "an AIDE journal" if nodes and {"code", "metric", "is_buggy"} <= set(mapping(nodes[0])) else ""


def read(source: Source) -> Found:
    """Read the nodes."""
    value = mapping(source.json)
    told = list(map(mapping, sequence(value.get("nodes"))))
    nodes = [each for each in told if isinstance(each.get("id"), str)]
    if not nodes:
        raise NotTrials(source.name, "an AIDE journal without a node")
    above = mapping(value.get("node2parent"))
    rows = []
    named: dict[str, bool | None] = {}
    plain: list[bool] = []
    for each in nodes:
        row, metrics, maximize = _node(each, above.get(each["id"], each.get("parent_id")))
        named |= metrics
        if maximize is not None:
            plain.append(not maximize)
        rows.append(row)
    scored = any(METRIC in row.cells for row in rows)
    table = Found(
        kind="an AIDE journal",
        source=source.name,
        columns=tuple(dict.fromkeys(name for row in rows for name in row.cells)),
        rows=rows,
        roles={"id": "id", "text": "plan", "time": "timestamp"},
        unread=[f"node {at} (no id)" for at, each in enumerate(told, 1) if not isinstance(each.get("id"), str)],
    )
    if named and not scored:
        table.kind = "an AI-Scientist-v2 journal"
        if len(named) == 1:
            table.metric, table.lower = next(iter(named.items()))
            table.why = "the journal's one metric says it"
        else:
            table.others, table.undecided = named, True
        return table
    table.metric = METRIC
    if plain:
        table.lower = plain[0]
        table.why = f"metric.maximize {'false' if plain[0] else 'true'}"
        if len(set(plain)) > 1:
            table.lower = None
            table.told.append("nodes say both that metric.maximize is true and that it is false")
    return table


def _node(each: dict[str, Any], parent: Any) -> tuple[FoundRow, dict[str, bool | None], bool | None]:
    metric = mapping(each.get("metric"))
    value = metric.get("value")
    cells = {
        "id": each["id"],
        "plan": text_of(each.get("plan")),
        "timestamp": text_of(each.get("ctime")),
        "step": text_of(each.get("step")),
        "notes": text_of(each.get("analysis")),
        "exec_time": text_of(each.get("exec_time")),
        "exc_type": text_of(each.get("exc_type")),
    }
    named: dict[str, bool | None] = {}
    for one in sequence(mapping(value).get("metric_names")):
        name = text_of(mapping(one).get("metric_name"))
        if not name:
            continue
        lower = mapping(one).get("lower_is_better")
        named[name] = lower if isinstance(lower, bool) else None
        finals = [number_of(mapping(data).get("final_value")) for data in sequence(mapping(one).get("data"))]
        numbers = [number for number in finals if number is not None]
        cells[name] = f"{sum(numbers) / len(numbers):.12g}" if numbers else ""
        for data in sequence(mapping(one).get("data")):
            dataset = text_of(mapping(data).get("dataset_name"))
            cells[f"{name} ({dataset})"] = text_of(mapping(data).get("final_value"))
    if not named and not isinstance(value, dict | list):
        cells[METRIC] = text_of(value)
    row = FoundRow(
        line=0,
        cells={column: text for column, text in cells.items() if text},
        parents=((parent, ""),) if isinstance(parent, str) else (),
        files=code_file(each.get("code"), "python", "runfile"),
        status="crash" if each.get("is_buggy") else words.RAN,
    )
    maximize = metric.get("maximize")
    return row, named, maximize if isinstance(maximize, bool) else None
