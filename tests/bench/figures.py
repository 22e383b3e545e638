"""What was measured and what is to be reached: figures, goals, and the table of them; not the measuring."""

import json
import os
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

UNITS = {"ms": 1e3, "s": 1.0, "us": 1e6, "B": 1.0, "MB": 1e-6, "": 1.0}


class Goal(NamedTuple):
    """
    What a figure should be.

    Args:
        kind: ``cost``, ours divided by theirs is at most the limit; ``gain``, theirs divided by ours is at least the
            limit; ``value``, ours is at most the limit in seconds or bytes.
        limit: see above; ``None`` where only the ratio is of interest.
    """

    kind: str
    limit: float | None = None


class Figure(NamedTuple):
    """
    One line of the table.

    Args:
        section: the part of the bench that it comes from.
        name: what was done.
        size: trials in the store; 0 where that says nothing.
        value: seconds or bytes.
        unit: how to print it.
        against: what it is compared with; empty for nothing.
        other: the seconds or bytes of that; ``None`` where it could not be measured.
        goal: what is to be reached.
    """

    section: str
    name: str
    size: int
    value: float
    unit: str = "ms"
    against: str = ""
    other: float | None = None
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        """Ours divided by theirs, or theirs divided by ours where the goal is a gain."""
        if not self.other or not self.value:
            return None
        gain = self.goal is not None and self.goal.kind == "gain"
        return self.other / self.value if gain else self.value / self.other

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; ``None`` where there is none, or nothing to compare with."""
        if self.goal is None or self.goal.limit is None:
            return None
        if self.goal.kind == "value":
            return self.value <= self.goal.limit
        if self.ratio is None:
            return None
        return self.ratio >= self.goal.limit if self.goal.kind == "gain" else self.ratio <= self.goal.limit

    @property
    def target(self) -> str:
        """The goal in words."""
        if self.goal is None or self.goal.limit is None:
            return ""
        if self.goal.kind == "value":
            return f"<= {quantity(self.goal.limit, self.unit)}"
        return f"{'>=' if self.goal.kind == 'gain' else '<='} {self.goal.limit:g}x"


def cost(limit: float | None = None) -> Goal:
    """Ours takes at most so many times theirs."""
    return Goal("cost", limit)


def gain(limit: float | None = None) -> Goal:
    """Theirs takes at least so many times ours."""
    return Goal("gain", limit)


def within(limit: float) -> Goal:
    """Ours takes at most so many seconds or bytes."""
    return Goal("value", limit)


def quantity(value: float, unit: str) -> str:
    """Return seconds, bytes or, without a unit, a count as they are printed."""
    if not unit and value == int(value):
        return f"{value:,.0f}"
    scaled = value * UNITS[unit]
    digits = 0 if abs(scaled) >= 100 else 1 if abs(scaled) >= 10 else 2 if abs(scaled) >= 1 else 3
    return f"{scaled:,.{digits}f} {unit}".rstrip()


def machine() -> dict[str, Any]:
    """Return what the figures were taken on and when."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def as_json(figures: Iterable[Figure], peers: Mapping[str, str], about: Mapping[str, Any]) -> str:
    """Return everything as one JSON document."""
    rows = [
        {
            "section": each.section,
            "name": each.name,
            "size": each.size,
            "value": each.value,
            "unit": "bytes" if each.unit in ("B", "MB") else "seconds" if each.unit else "count",
            "against": each.against,
            "other": each.other,
            "ratio": each.ratio,
            "target": each.target,
            "reached": each.reached,
        }
        for each in figures
    ]
    return json.dumps({"machine": dict(about), "peers": dict(peers), "figures": rows}, indent=1)


def as_table(figures: Iterable[Figure], peers: Mapping[str, str], about: Mapping[str, Any]) -> str:
    """Return the table for people, as Markdown."""
    head = ("work", "trials", "took", "against", "that took", "ratio", "target", "reached")
    rows = [head, tuple("---" for _ in head), *(_cells(each) for each in figures)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines[1] = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    told = [f"{name}: {state}" for name, state in peers.items()]
    where = ", ".join(f"{key} {value}" for key, value in about.items())
    return "\n".join([*lines, "", where, *told])


def as_line(each: Figure) -> str:
    """Return one figure as it is told while the rest is still to come."""
    return "    " + "  ".join(cell for cell in _cells(each) if cell)


def _cells(each: Figure) -> tuple[str, ...]:
    other = quantity(each.other, each.unit) if each.other is not None else ("absent" if each.against else "")
    ratio = f"{each.ratio:,.2f}x" if each.ratio is not None else ""
    reached = {True: "yes", False: "NO", None: ""}[each.reached]
    size = f"{each.size:,}" if each.size else ""
    return (each.name, size, quantity(each.value, each.unit), each.against, other, ratio, each.target, reached)
