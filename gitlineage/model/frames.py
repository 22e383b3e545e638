"""
Trials as tables for notebooks and data frames: what pandas, polars and pyarrow get, each loaded only when asked for.

Start at `typed`: it says which cells read as numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib import import_module
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from gitlineage.errors import Invalid
from gitlineage.markup import table
from gitlineage.model.records import Task
from gitlineage.model.trial import COLUMNS, NUMERIC, Trial, parse_number

R = TypeVar("R")

_IDS = frozenset({"exp_id", "parent_exp", "baseline_exp", "timestamp", "status"})
"""Columns that stay text, whatever their cells look like."""

_NONE: Mapping[str, str] = {}
_SHOWN = ("exp_id", "status", "parent_exp", "specialist", "hypothesis")
_MEASURED = 4
"""How many further columns of numbers a notebook shows; the metric of a task of one's own is one."""


class Place(NamedTuple):
    """
    Where a row stands in the graph: its snapshot's oid, the oids it was derived from, its cohort, and why it was
    retracted, empty where it counts.
    """

    oid: str
    parents: tuple[str, ...]
    cohort: str
    retracted: str


class Columns:
    """
    Trials as columns, which turn into a data frame.

    Args:
        columns: their cells by name, as `typed` has them.
    """

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self._columns = columns

    def to_dicts(self) -> list[dict[str, Any]]:
        """
        Return every trial as a dictionary, all with the same keys in the same order; a store's in recording order.

        Numeric columns hold ``float | None``, everything else text; ids stay text. Beside its columns, a store's trial
        has ``oid`` of its snapshot, ``parents`` (the oids it was derived from), ``cohort`` and ``retracted`` (why it
        does not count, empty where it does).
        """
        columns = self._columns
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def to_pandas(self) -> Any:
        """Return what `to_dicts` does as a ``pandas.DataFrame``; raises `Invalid` where pandas is not installed."""
        pandas = _library("pandas")
        columns = self._columns.items()
        numbers = {name: pandas.Series(cells, dtype="float64") for name, cells in columns if _holds_numbers(cells)}
        return pandas.DataFrame({name: numbers.get(name, cells) for name, cells in columns})

    def to_polars(self) -> Any:
        """Return what `to_dicts` does as a ``polars.DataFrame``; raises `Invalid` where polars is not installed."""
        polars = _library("polars")
        kinds = _kinds(self._columns, polars.Float64, polars.List(polars.String), polars.String)
        return polars.DataFrame(self._columns, schema=kinds)

    def to_arrow(self) -> Any:
        """Return what `to_dicts` does as a ``pyarrow.Table``; raises `Invalid` where pyarrow is not installed."""
        arrow = _library("pyarrow")
        kinds = _kinds(self._columns, arrow.float64(), arrow.list_(arrow.string()), arrow.string())
        return arrow.table(self._columns, schema=arrow.schema(list(kinds.items())))


def _framed(verb: Callable[[Columns], R]) -> Callable[["Trials"], R]:
    """Return a method of trials that their columns answer."""

    @wraps(verb)
    def method(self: "Trials") -> R:
        return verb(Columns(typed(self)))

    return method


class Trials(tuple[Trial, ...]):
    """
    A sequence of trials that a notebook shows as a table and that turns into a data frame.

    It is a tuple in all else; slices of it are plain tuples.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Trials({', '.join(map(repr, self))})" if len(self) < 3 else f"Trials({len(self)}: {self[0]!r}, …)"

    def _repr_html_(self) -> str:
        numbers = [name for name in NUMERIC if any(trial.text(name) for trial in self)]
        further = dict.fromkeys(name for trial in self for name in trial.extra or ())
        measured = [name for name in further if _numbers(name, [trial.text(name) for trial in self])]
        columns = [*_SHOWN[:2], *numbers, *measured[:_MEASURED], *_SHOWN[2:]]
        return table(columns, [[trial.text(column) for column in columns] for trial in self])

    to_dicts = _framed(Columns.to_dicts)
    to_pandas = _framed(Columns.to_pandas)
    to_polars = _framed(Columns.to_polars)
    to_arrow = _framed(Columns.to_arrow)


def typed(rows: Sequence[Any], places: Sequence[Place] | None = None) -> dict[str, list[Any]]:
    """
    Return trials as columns: the seventeen, the further ones in the order in which they first appear, then places.

    The numeric columns, and a further column whose cells are all numbers or empty, hold ``float | None``. Everything
    else is text, empty where there is none: ids stay text, and so does a number with a leading zero.

    Args:
        rows: trials, or whatever has their fields as attributes.
        places: where each stands; as columns ``oid``, ``parents`` (a list of oids), ``cohort`` and ``retracted`` (why,
            empty where the row counts). A further column of such a name gets a ``_`` at its end.
    """
    columns: dict[str, list[Any]] = {}
    for name in COLUMNS:
        columns[name] = list(map(attrgetter(name), rows))
    columns["status"] = [str(status) if status else "" for status in columns["status"]]
    further = [row.extra or _NONE for row in rows]
    taken = Place._fields if places is not None else ()
    for name in dict.fromkeys(name for cells in further for name in cells):
        texts = [cells.get(name, "") for cells in further]
        key = f"{name}_" if name in taken else name
        columns[key] = _numbers(name, texts) or texts
    for at, name in enumerate(taken):
        columns[name] = [list(place[at]) if name == "parents" else place[at] for place in places or ()]
    return columns


def summary(task: Task, total: int, best: Trial | None, leaders: Trials) -> str:
    """Return what a notebook shows of a store, as HTML: how many trials, the best one, and the leaderboard."""
    better = "lower" if task.lower_is_better else "higher"
    told = f"{total} trials, {task.score_field} ({better} is better)"
    if best is not None:
        told += f", best: {best.exp_id} with {best.text(task.score_field) or 'no score'}"
    columns = [*_SHOWN[:2], task.score_field, *_SHOWN[2:]]
    return table(columns, [[trial.text(column) for column in columns] for trial in leaders], told)


def _numbers(name: str, texts: Sequence[str]) -> list[float | None] | None:
    """Return a further column's cells as numbers, ``None`` where one of them is none, or where all are empty."""
    if name in _IDS:
        return None
    numbers: list[float | None] = []
    for text in texts:
        number = parse_number(text) if text else None
        if text and (number is None or _is_padded(text)):
            return None
        numbers.append(number)
    return numbers if any(number is not None for number in numbers) else None


def _is_padded(text: str) -> bool:
    """Whether a number has a leading zero, as ids have."""
    digits = text.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()


def _holds_numbers(cells: Sequence[Any]) -> bool:
    return bool(cells) and all(cell is None or isinstance(cell, float) for cell in cells)


def _kinds(columns: Mapping[str, Sequence[Any]], number: Any, listed: Any, text: Any) -> dict[str, Any]:
    """Return the type of each column, of those that a library has for numbers, for lists of texts and for texts."""
    kinds = {}
    for name, cells in columns.items():
        is_number = _holds_numbers(cells) or (name in NUMERIC and not cells)
        is_list = name == "parents" and all(isinstance(cell, list) for cell in cells)
        kinds[name] = listed if is_list else number if is_number else text
    return kinds


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise Invalid(f"a data frame needs {name}: pip install {name} ({error})") from error
