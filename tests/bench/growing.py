"""
What commands that list or record cost at ten times the size, beside ten times their output: whole processes.

Of each command: how long it takes, when its first line is there, rows a second, and how much memory it has at most.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from figures import Figure, cost, within
from stores import Stores
from timing import ENVIRONMENT, Rounds, say

LISTS = (
    ("log", "--json", "-n", "-1"),
    ("log", "-n", "-1"),
    ("events", "--json"),
    ("descendants", "000", "--json"),
    ("descendants", "--leaves", "--json"),
    ("descendants", "--leaves"),
    ("export", "tsv", "-"),
    ("cohort", "list"),
)
"""Commands whose output grows with the store."""

ANSWERS = (
    ("status",),
    ("log",),
    ("best",),
    ("leaderboard",),
    ("show", "best"),
    ("children", "000", "--json"),
    ("search", "learning", "rate"),
    ("stats", "--by", "specialist"),
    ("compare", "best", "000"),
    ("plot",),
    ("prompt",),
)
"""Commands whose output does not."""

RECORDS = (("commit", "--root", "--new", "-m", "One more", "--metric", "2.0", "--status", "discard"),)
BIG = 100_000
FIRST, MEMORY, ROW = 0.3, 150e6, 1 / 50_000
"""Goals of the long lists: seconds to the first line, bytes of memory, seconds a row that is a trial."""

ANSWER, HELD = 2.0, 200e6
"""Goals of the rest: seconds, bytes of memory."""

_QUICK = 2.0
"""Seconds; what takes longer is measured once."""

_SLACK = 1.5
"""How much faster than its output a command may grow: what is small is mostly the start of the process."""


class Ran(NamedTuple):
    """One process: its seconds, those to its first line, its lines, and the bytes of memory that it had at most."""

    seconds: float
    first: float
    lines: int
    memory: int


def growth(stores: Stores, sizes: list[int]) -> list[Figure]:
    """Measure every command at every size, and what ten times the trials cost against ten times the lines."""
    figures: list[Figure] = []
    before: dict[tuple[str, ...], tuple[int, Ran]] = {}
    for size in sizes:
        root = stores.copy(stores.of(size))
        for words in (*LISTS, *ANSWERS, *RECORDS):
            say(f"measuring: {' '.join(words)}, {size:,} trials")
            ran = measured(words, root)
            figures += _absolute(words, size, ran)
            if words in before:
                figures.append(_against(words, size, ran, *before[words]))
            before[words] = size, ran
        stores.sweep()
    return figures


def _absolute(words: tuple[str, ...], size: int, ran: Ran) -> list[Figure]:
    name, is_big = " ".join(words), size >= BIG
    is_list = words in LISTS
    whole = within(ANSWER) if is_big and not is_list else None
    figures = [
        Figure("growth", name, size, ran.seconds, "s", goal=whole),
        Figure("growth", f"{name}: memory", size, ran.memory, "MB", goal=within(MEMORY if is_list else HELD)),
    ]
    if is_list:
        a_row = within(ROW) if is_big and "--json" in words and words[0] != "events" else None
        figures += [
            Figure("growth", f"{name}: first line", size, ran.first, "ms", goal=within(FIRST)),
            Figure(
                "growth", f"{name}: a row of {ran.lines:,}", size, ran.seconds / max(ran.lines, 1), "us", goal=a_row
            ),
        ]
    return figures


def _against(words: tuple[str, ...], size: int, ran: Ran, smaller: int, small: Ran) -> Figure:
    """Return what a larger store costs beside a smaller one; at most so many times more as there is more to print."""
    more = max(ran.lines / max(small.lines, 1), 1.0)
    told = f"{' '.join(words)}: {more:.3g}x the lines"
    return Figure(
        "growth", told, size, ran.seconds, "s", f"at {smaller:,}", small.seconds, cost(round(more * _SLACK, 1))
    )


def measured(words: tuple[str, ...], root: Path) -> Ran:
    """Return the middle one of a few runs of a command; of one that takes long a single run."""
    runs = [run(words, root)]
    while runs[0].seconds < _QUICK and len(runs) < min(5, Rounds.limit):
        runs.append(run(words, root))
    return Ran(*(statistics.median_low(each) for each in zip(*runs, strict=True)))


def run(words: tuple[str, ...], root: Path) -> Ran:
    """Run a command in a folder once."""
    start = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "gitlineage", "-C", root, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **ENVIRONMENT},
    )
    assert child.stdout is not None
    first, lines = 0.0, 0
    while block := os.read(child.stdout.fileno(), 1 << 16):
        first = first or time.perf_counter() - start
        lines += block.count(b"\n")
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    if child.returncode:
        raise RuntimeError(f"gitlineage {' '.join(words)} ended with {child.returncode}")
    return Ran(time.perf_counter() - start, first, lines, used.ru_maxrss * 1024)
