"""Take times: of calls, of processes, of several contestants in turn; not what is timed."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

PEOPLE = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Bench"), ("EMAIL", "bench@example.org"))
}
ENVIRONMENT = {**PEOPLE, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
"""What every process of the bench sees, so that nobody's own git configuration counts."""


class Rounds:
    """How often things are measured at most; the command line may lower it."""

    limit = 1000


class Failed(Exception):
    """A process of the bench went wrong; its message is the last line of what it said."""


class Ended(NamedTuple):
    """How a process ended: the seconds it took and what it printed."""

    seconds: float
    output: str


def say(text: str) -> None:
    """Tell on standard error what is going on."""
    print(text, file=sys.stderr, flush=True)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def sampled(measure: Callable[[], float], runs: int, budget: float = 10.0) -> float:
    """Return the median of what is measured so often, or until a budget of seconds is spent."""
    seconds: list[float] = []
    while len(seconds) < min(runs, Rounds.limit) and (not seconds or sum(seconds) < budget):
        seconds.append(measure())
    return statistics.median(seconds)


def repeated(work: Callable[[], object], runs: int, budget: float = 10.0) -> float:
    """Return the median seconds of a call that is made so often, or until a budget of seconds is spent."""
    return sampled(lambda: timed(work), runs, budget)


def over(work: Callable[[Any], object], things: Sequence[Any], runs: int, budget: float = 10.0) -> float:
    """Return the median seconds of a call on different things in turn, so that no cache answers for one of them."""
    at = iter(range(runs))
    return repeated(lambda: work(things[next(at) % len(things)]), runs, budget)


def in_turn(works: Mapping[str, Callable[[], float]], rounds: int, budget: float = 600.0) -> dict[str, float]:
    """
    Return the median of what each contestant measures, one round of all after the other.

    A shared machine is faster in one minute than in the next; taking turns, all of them have the same minutes.

    Args:
        works: the contestants; each measures itself and returns seconds.
        rounds: how many at most.
        budget: seconds after which no further round begins.
    """
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(min(rounds, Rounds.limit)):
        if sum(map(sum, found.values())) > budget:
            break
        for name, work in works.items():
            found[name].append(work())
    return {name: statistics.median(values) for name, values in found.items()}


def process(
    words: Iterable[str | Path],
    cwd: Path | None = None,
    *,
    stdin: Path | None = None,
    into: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Ended:
    """
    Run a program to its end.

    Args:
        words: the program and its arguments.
        cwd: where.
        stdin: a file that it reads; nothing by default.
        into: a file that gets its output, which is then not returned.
        env: more environment.

    Raises:
        Failed: it ended badly.
    """
    words = [str(word) for word in words]
    with open(stdin or os.devnull, "rb") as source, open(into or os.devnull, "wb") as sink, TemporaryFile() as said:
        start = time.perf_counter()
        child = subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, **ENVIRONMENT, **(env or {})},
            stdin=source,
            stdout=sink if into else said,
            stderr=said,
        )
        code = child.wait()
        seconds = time.perf_counter() - start
        said.seek(0)
        text = said.read().decode(errors="replace")
    if code:
        last = (text.strip().splitlines() or [f"exit {code}"])[-1]
        raise Failed(f"{Path(words[0]).name} {' '.join(words[1:3])}: {last}")
    return Ended(seconds, text)


def git(folder: Path, *words: str, stdin: Path | None = None, into: Path | None = None) -> Ended:
    """Run git in a repository."""
    return process(["git", *words], folder, stdin=stdin, into=into)


def disk(folder: Path) -> int:
    """Return the bytes that a folder takes on disk."""
    return sum(path.lstat().st_blocks * 512 for path in (folder, *folder.rglob("*")))
