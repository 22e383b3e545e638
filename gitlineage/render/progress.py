"""
The progress of a campaign as a picture: every score, and the staircase of best so far; in a terminal or by matplotlib.

Start at `Progress`. Scores that lie worlds apart from the rest would flatten the staircase, so the picture shows the
range in which nearly all of them lie, marks the others at its edge and counts them.
"""

import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import msgspec

from gitlineage.errors import Invalid
from gitlineage.text import counted, one_line, words

FORMATS = ("svg", "png", "pdf")
"""What a figure can be written as."""

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of a braille sign's dots, by row and column."""

_BRAILLE = 0x2800
_FAR = 3
"""How many times the range of the middle half of all scores one may lie away from it to be shown in its place."""

_LIMIT = 1e300
"""Beyond this, and below its inverse where powers of ten are drawn, arithmetic on axes overflows."""

_MARKS: Mapping[str, tuple[str, str]] = {
    "keep": ("#1b7837", "o"),
    "baseline": ("#2166ac", "s"),
    "discard": ("#b8860b", "x"),
    "disqualified": ("#762a83", "D"),
}
"""How statuses look in a figure: the colour and, for whoever sees none, the shape."""

_DIED = ("#b2182b", "+")
_SALT = "gitlineage"


class Point(NamedTuple):
    """A trial with a score: where it stands (its number, from 0), its score, how it ended and its name."""

    at: int
    score: float
    status: str
    label: str


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a progress plot shows.

    Args:
        metric: the score's name.
        lower_is_better: its direction.
        points: every trial with a score that counts, in recording order.
        steps: those that were the best when they were recorded.
        total: how many trials there are, those without a score, too.
    """

    metric: str
    lower_is_better: bool
    points: tuple[Point, ...] = ()
    steps: tuple[Point, ...] = ()
    total: int = 0

    def range(self, log: bool = False) -> tuple[float, float]:
        """Return the lowest and highest score to show: all steps after the first, and nearly all other scores."""
        scores = sorted(point.score for point in self.points if _is_plain(point.score, log))
        if not scores:
            return (0.1, 1.0) if log else (0.0, 1.0)
        own = [step.score for step in self.steps[1:] if _is_plain(step.score, log)]
        low, high = scores[len(scores) // 4], scores[-1 - len(scores) // 4]
        far = max(_FAR * (high - low), max(own, default=0.0) - min(own, default=0.0))
        near = [score for score in scores if low - far <= score <= high + far]
        low, high = min([*near, *own]), max([*near, *own])
        if low == high:
            return (low / 2, high * 2) if log else (low - (abs(low) / 10 or 1.0), high + (abs(low) / 10 or 1.0))
        return low, high

    def words(self) -> str:
        """Return what the picture shows, as a line."""
        better = "lower" if self.lower_is_better else "higher"
        told = f"{one_line(self.metric)} of {counted(self.total, 'trial')}, {better} is better"
        return f"{told}; best {self.steps[-1].score:.10g} by {one_line(self.steps[-1].label)}" if self.steps else told


def _is_plain(score: float, log: bool) -> bool:
    """Whether a score can stand on an axis."""
    return 1 / _LIMIT <= score <= _LIMIT if log else abs(score) <= _LIMIT


def terminal(
    progress: Progress, width: int = 80, height: int = 16, *, log: bool = False
) -> list[list[tuple[str, str]]]:
    """
    Return the picture as lines of texts with their styles: scores as dots of braille, best so far as a line.

    Args:
        width: how many columns there are.
        height: how many lines there are, heading and axis among them.
        log: draw powers of ten equally far apart; scores that are not positive are left out.
    """
    head = [(progress.words(), "bold")]
    points = [point for point in progress.points if not log or point.score > 0]
    if not points:
        return [head, [("no trial has a score yet", "dim")]]
    low, high = progress.range(log)
    scale = math.log10 if log else float
    names = [f"{value:.5g}" for value in (high, low)]
    left = max(map(len, names)) + 1
    columns, rows = max(width - left - 2, 8), max(height - 3, 4)
    last = max(progress.total - 1, 1)

    def across(at: int, parts: int = 1) -> int:
        return min(at * (columns * parts - 1) // last, columns * parts - 1)

    def down(score: float, parts: int = 1) -> int:
        share = (scale(high) - scale(min(max(score, low), high))) / (scale(high) - scale(low))
        return round(share * (rows * parts - 1))

    dots = [[0] * columns for _ in range(rows)]
    for point in points:
        x, y = across(point.at, 2), down(point.score, 4)
        dots[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
    cells = [[(chr(_BRAILLE + bits), "dim") if bits else (" ", "") for bits in line] for line in dots]
    _stairs(cells, [(across(step.at), down(step.score)) for step in progress.steps if not log or step.score > 0])
    labels = {0: names[0], rows - 1: names[1]}
    lines = [head]
    for y, line in enumerate(cells):
        lines.append([(f"{labels.get(y, '').rjust(left)}┤" if y in labels else " " * left + "│", "dim"), *_runs(line)])
    lines.append([(" " * left + "└" + "─" * columns, "dim")])
    end = f"{progress.total - 1:,}"
    lines.append([(" " * (left + 1) + "0" + end.rjust(columns - 1), "dim")])
    beyond = sum(not low <= point.score <= high for point in points) + len(progress.points) - len(points)
    if beyond:
        lines.append(
            [(" " * (left + 1) + f"{counted(beyond, 'score')} beyond this range, drawn at its edge or left out", "dim")]
        )
    return lines


def _stairs(cells: list[list[tuple[str, str]]], steps: Sequence[tuple[int, int]]) -> None:
    """Draw the line of best so far over the dots."""
    for at, (x, y) in enumerate(steps):
        end = steps[at + 1][0] if at + 1 < len(steps) else len(cells[0]) - 1
        for column in range(x, end + 1):
            cells[y][column] = ("━", "green")
        if at and steps[at - 1][1] != y:
            above = steps[at - 1][1]
            step = 1 if y > above else -1
            for row in range(above + step, y, step):
                cells[row][x] = ("┃", "green")
            cells[above][x] = ("┓" if step > 0 else "┛", "green")
            cells[y][x] = ("┗" if step > 0 else "┏", "green")
    if steps:
        x, y = steps[-1]
        cells[y][x] = ("★", "green")


def _runs(cells: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return cells with those of one style together."""
    runs: list[tuple[str, str]] = []
    for sign, style in cells:
        if runs and runs[-1][1] == style:
            runs[-1] = (runs[-1][0] + sign, style)
        else:
            runs.append((sign, style))
    return runs[:-1] if runs and runs[-1][1] == "" else runs


def figure(progress: Progress, *, log: bool = False) -> Any:
    """
    Return the picture as a ``matplotlib.figure.Figure``, which a notebook shows and `written` writes.

    Args:
        log: draw powers of ten equally far apart.

    Raises:
        Invalid: matplotlib is not installed.
    """
    made = _library("matplotlib.figure").Figure(figsize=(9, 5), layout="constrained")
    axes = made.subplots()
    low, high = progress.range(log)
    if log:
        axes.set_yscale("log")
    pad = 0.0 if log else (high - low) * 0.05
    axes.set_ylim(low - pad, high + pad)
    for status in dict.fromkeys(point.status for point in progress.points):
        colour, shape = _MARKS.get(status, _DIED)
        some = [point for point in progress.points if point.status == status]
        shown = [min(max(point.score, low), high) for point in some]
        axes.scatter(
            [point.at for point in some],
            shown,
            s=18,
            c=colour,
            marker=shape,
            label=_plain(status),
            alpha=0.75,
            linewidths=0.9,
        )
    if progress.steps:
        ends = [*progress.steps, progress.steps[-1]._replace(at=max(progress.total - 1, progress.steps[-1].at))]
        axes.step(
            [step.at for step in ends],
            [min(max(step.score, low), high) for step in ends],
            where="post",
            c="#1b7837",
            lw=1.6,
        )
        best = progress.steps[-1]
        name = _plain(f"{best.label}  {best.score:.6g}")
        axes.annotate(
            name,
            (best.at, best.score),
            (0, -14 if progress.lower_is_better else 8),
            textcoords="offset points",
            ha="right",
        )
    axes.set_title(_plain(progress.words()), fontsize=11)
    axes.set_xlabel("trial")
    axes.set_ylabel(_plain(progress.metric))
    axes.grid(alpha=0.25)
    if progress.points:
        axes.legend(frameon=False)
    return made


def _plain(text: str) -> str:
    """Return text of a trial as matplotlib shows it as it is: dollars would begin a formula."""
    return words(text).replace("$", r"\$")


def written(made: Any, format: str) -> bytes:
    """Return a figure as a file's bytes in one of `FORMATS`; the same figure gives the same bytes."""
    from io import BytesIO

    out = BytesIO()
    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[format]
    with _library("matplotlib").rc_context({"svg.hashsalt": _SALT, "svg.fonttype": "none"}):
        made.savefig(out, format=format, metadata=dated, dpi=150)
    return out.getvalue()


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise Invalid(f"a figure needs matplotlib: pip install 'gitlineage[plot]' ({error})") from error
