"""
Which formats there are, and which one a file or folder is of: told by its content, never by its name alone.

A format is a module with two functions: ``recognise(source)`` says what it took it for, empty for nothing, and
``read(source)`` gives a `Found`. To add one, write the module and name it in `FORMATS`.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gitlineage.bridge.formats import aide, coral, dvc, gepa, jsonl, lgent, openevolve, runs, shinka, tables
from gitlineage.bridge.formats.found import Found, FoundRow, NotTrials
from gitlineage.bridge.formats.jsonl import cells_of
from gitlineage.bridge.formats.source import Source, mapping, sequence
from gitlineage.errors import Invalid

_PLACES = (
    "*.tsv", "*.csv", "*.jsonl", "journal.json", "*.sqlite", "*.db", ".auto/*.jsonl", ".autoresearch/*.tsv",
    ".autoresearch/*.jsonl", "autoresearch/*.tsv", "autoresearch/*.jsonl", "experiments/*.tsv", "experiments/*.jsonl",
    "logs/*/journal.json", "results/*.sqlite",
)  # fmt: skip
"""Where loops leave their results, below a folder."""

_LISTS = ("runs", "results", "experiments", "trials", "history", "iterations", "attempts", "rows", "data")


class Format(NamedTuple):
    """A format: its name, how it is recognised and how it is read."""

    name: str
    recognise: Callable[[Source], str]
    read: Callable[[Source], Found]


def _is_jsonl(source: Source) -> str:
    return "JSON, an object a line" if not source.is_folder and jsonl.recognise(source.text) else ""


def _read_jsonl(source: Source) -> Found:
    return jsonl.read(source.text, source.name)


def _objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a JSON document that may be trials."""
    if isinstance(value, dict):
        value = next((value[name] for name in _LISTS if sequence(value.get(name))), None)
    objects = [each for each in sequence(value) if isinstance(each, dict)]
    return objects if len(objects) == len(sequence(value)) else []


def _is_json(source: Source) -> str:
    return "a JSON list of objects" if not source.is_folder and _objects(source.json) else ""


def _read_json(source: Source) -> Found:
    rows = [FoundRow(line=0, cells=cells_of(each)) for each in _objects(source.json)]
    columns = tuple(dict.fromkeys(name for row in rows for name in row.cells))
    settings = {name.casefold(): text for name, text in cells_of(mapping(source.json)).items() if len(text) < 200}
    return Found(kind="a JSON list of objects", source=source.name, columns=columns, rows=rows, settings=settings)


def _is_table(source: Source) -> str:
    if source.is_folder or _is_binary(source.head) or _is_json_text(source.head):
        return ""
    return "a table" if tables.recognise(source.text) else ""


def _is_binary(head: bytes) -> bool:
    """Whether a file's beginning is no text: several bytes that texts have not, where it is not UTF-16."""
    return not head.startswith((b"\xff\xfe", b"\xfe\xff")) and sum(byte < 9 for byte in head) > max(4, len(head) // 50)


def _is_json_text(head: bytes) -> bool:
    """Whether a file begins as JSON does; what is none, or was cut, is no table with commas for all that."""
    return re.match(rb'(\xef\xbb\xbf)?\s*(\{\s*["}]|\[\s*[\[{"\]])', head) is not None


def _read_table(source: Source) -> Found:
    return tables.read(source.text, source.name, tables.recognise(source.text) or "\t", source.damaged)


FORMATS = (
    Format("coral", coral.recognise, coral.read),
    Format("openevolve", openevolve.recognise, openevolve.read),
    Format("shinka", shinka.recognise, shinka.read),
    Format("aide", aide.recognise, aide.read),
    Format("gepa", gepa.recognise, gepa.read),
    Format("runs", runs.recognise, runs.read),
    Format("dvc", dvc.recognise, dvc.read),
    Format("lgent", lgent.recognise, lgent.read),
    Format("json", _is_json, _read_json),
    Format("jsonl", _is_jsonl, _read_jsonl),
    Format("table", _is_table, _read_table),
)
"""Every format, the one that is the most particular first."""

LINES = ("jsonl", "table")
"""Formats that grow line by line, so that they can be watched."""


def _not_json(text: str) -> str:
    """Return why a text that begins as JSON does is none; empty where it is."""
    try:
        json.loads(text)
    except RecursionError:
        return "JSON that nests too deeply"
    except json.JSONDecodeError as error:
        return f"JSON that is cut or damaged (line {error.lineno}: {error.msg})"
    return ""


def recognise(source: Source) -> Format | None:
    """Return the format of a file or folder, ``None`` where it is of none."""
    return next((each for each in FORMATS if each.recognise(source)), None)


def read(source: Source, whole: bool = True) -> Found:
    """
    Return what is in a file or folder of one format.

    Args:
        source: what to read.
        whole: whether the file is finished; if not, a last line without its line end waits.

    Raises:
        NotTrials: it is recognised as something that holds no trials.
        Invalid: it is of no format that is read.
    """
    if not whole and not source.data.endswith(b"\n"):
        source = Source(source.path, source.name, source.data[: source.data.rfind(b"\n") + 1])
    if not source.is_folder and not source.data.strip():
        raise NotTrials(source.name, "the file is empty")
    known = recognise(source)
    if known is None and not source.is_folder and _is_json_text(source.head):
        reason = _not_json(source.text)
        raise NotTrials(source.name, reason or "JSON of a kind that is not read, with no list of trials in it")
    if known is None:
        raise NotTrials(source.name, f"no format that is read ({', '.join(each.name for each in FORMATS)}, openrange)")
    return known.read(source)


def sources(path: Path) -> Iterator[Source]:
    """
    Return what a path stands for: itself, or the files of loops in a folder.

    Raises:
        Invalid: there is nothing there.
    """
    if not path.exists():
        raise Invalid(f"there is no {path}")
    whole = Source(path)
    if not whole.is_folder or recognise(whole) is not None:
        yield whole
        return
    files = dict.fromkeys(file for place in _PLACES for file in sorted(path.glob(place)) if file.is_file())
    if not files:
        raise Invalid(f"there is no result of a loop in {path}: name the file")
    for file in files:
        yield Source(file)
