"""
What people look at: how long a page takes to be made and to show something, its size, and what peers' viewers take.

A page is opened in headless Chromium by Playwright, in a fresh window each time; without either, the figures of pages
are left out and the reason is said. Bytes are those that came over the wire.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from figures import Figure, gain, within
from peers import Peers
from stores import Stores
from timing import Rounds, process, repeated, say

BIG = 100_000
SMALL = 1000
ROUNDS = 5
PATIENCE = 120.0
"""Seconds after which a page that shows nothing is given up."""

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_MARK = "name => performance.getEntriesByName(name)[0]?.startTime"
_MOVED = "() => performance.getEntries().reduce((sum, entry) => sum + (entry.transferSize || 0), 0)"
_ROWS = "() => document.querySelectorAll('[role=row], .ag-row, tbody tr').length > 10"


class Seen(NamedTuple):
    """
    What a browser saw of a page.

    Args:
        first: seconds until the first useful picture: the plot of all scores, or the table of trials.
        whole: seconds until every view answers: until then a click may wait.
        size: bytes that came over the wire; 0 of a file.
        requests: what was asked for besides the page itself.
    """

    first: float
    whole: float
    size: int
    requests: int


def pages(stores: Stores, peers: Peers, sizes: list[int]) -> list[Figure]:
    """Measure making a report and opening it, and the same trials live and in the viewers of peers."""
    figures = []
    for size in sizes:
        root = stores.of(size).root
        file = stores.scratch().with_suffix(".html")
        command = [sys.executable, "-m", "gitlineage", "report", file]
        took = repeated(lambda command=command, root=root: process(command, root), ROUNDS, 60)
        figures.append(Figure("page", "gitlineage report", size, took, "s", goal=within(10) if size == BIG else None))
        before = _spent()
        process(command, root)
        figures.append(Figure("page", "its CPU time, which others' work lengthens less", size, _spent() - before, "s"))
        name, goal = "its bytes", within(6e6) if size == BIG else None
        figures.append(Figure("page", name, size, file.stat().st_size, "MB", goal=goal))
        process([*command, "--max-size", "0"], root)
        name, goal = "its bytes without diffs", within(300e3) if size == SMALL else None
        figures.append(Figure("page", name, size, file.stat().st_size, "B", goal=goal))
        process(command, root)
        with browser() as opened:
            if opened is None:
                return figures
            figures += _opened(opened, file, size)
            figures += _beside(opened, stores, peers, root, size)
    return figures


def _opened(opened: Callable[..., Seen], file: Path, size: int) -> Iterator[Figure]:
    seen = [opened(file.as_uri(), marks=True) for _ in range(min(ROUNDS, Rounds.limit))]
    goal = within(1.5) if size == BIG else None
    yield Figure("page", "report: first picture", size, _middle(each.first for each in seen), "ms", goal=goal)
    yield Figure("page", "report: every view answers", size, _middle(each.whole for each in seen), "ms", goal=goal)
    if any(each.requests for each in seen):
        raise RuntimeError("a report asked for something")


def _beside(opened: Callable[..., Seen], stores: Stores, peers: Peers, root: Path, size: int) -> Iterator[Figure]:
    """Measure the live page, beside MLflow's where there are not too many runs for it."""
    command = [sys.executable, "-m", "gitlineage", "serve", "--json"]
    with _server(command, root) as child:
        address = child.stdout.readline().decode().split('"')[3]
        ours = opened(address, marks=True)
    theirs = _mlflow(opened, stores, peers, size) if size < BIG else None
    first, moved = (theirs.first, theirs.size) if theirs is not None else (None, None)
    against = "MLflow's UI, its table of runs" if size < BIG else ""
    yield Figure("page", "serve: first picture", size, ours.first, "ms", against, first, gain())
    yield Figure("page", "serve: bytes moved", size, ours.size, "MB", against, moved, gain())
    for name in ("shinka", "openevolve"):
        peers.python(name)  # says why it draws nothing here


def _mlflow(opened: Callable[..., Seen], stores: Stores, peers: Peers, size: int) -> Seen | None:
    """Open MLflow's UI on as many runs."""
    folder = stores.scratch()
    python = peers.python("mlflow-ui")
    if python is None or peers.ask("mlflow", folder, str(size), str(stores.seed)) is None:
        return None
    port = _free()
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    words = ["-m", "mlflow", "server", "--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(port)]
    address = f"http://127.0.0.1:{port}/"
    with _server([str(python), *words, "--workers", "1"], folder, MLFLOW_DISABLE_TELEMETRY="true") as child:
        try:
            _answers(address, child)
            return opened(f"{address}#/experiments/1/runs", ready=_ROWS)
        except (TimeoutError, RuntimeError) as error:
            peers.states["mlflow-ui"] = f"absent: {error}"
            return None


@contextmanager
def browser() -> Iterator[Callable[..., Seen] | None]:
    """Start a browser and return what opens an address in a fresh window of it; ``None`` where there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        say("    Playwright is not installed: no page is opened")
        yield None
        return
    if CHROMIUM is None:
        say("    Chromium is not installed: no page is opened")
        yield None
        return
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=root)
        try:
            yield lambda address, **how: _look(made, address, **how)
        finally:
            made.close()


def _look(made: Any, address: str, *, marks: bool = False, ready: str = "") -> Seen:
    """Open an address; a page of ours tells when it shows something, another one when a test of it holds."""
    context = made.new_context(viewport={"width": 1280, "height": 860})
    try:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        start = time.perf_counter()
        page.goto(address, wait_until="commit", timeout=PATIENCE * 1000)
        if marks:
            page.wait_for_function("() => performance.getEntriesByName('whole').length", timeout=PATIENCE * 1000)
            first, whole = (page.evaluate(_MARK, name) / 1000 for name in ("shown", "whole"))
        else:
            page.wait_for_function(ready, timeout=PATIENCE * 1000)
            first = whole = time.perf_counter() - start
        others = [url for url in asked if not url.startswith("data:") and url.split("#")[0] != address.split("#")[0]]
        return Seen(first, whole, int(page.evaluate(_MOVED)), len(others))
    except Exception as error:  # a page that shows nothing in time is a figure that is missing, no end of the bench
        raise TimeoutError(str(error).splitlines()[0]) from error
    finally:
        context.close()


@contextmanager
def _server(command: list[str], folder: Path, **variables: str) -> Iterator[Any]:
    """Run a server for a while; it is ended by its number."""
    environment = {**os.environ, **variables}
    quiet = {"stderr": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **quiet) as child:
        try:
            yield child
        finally:
            os.killpg(child.pid, 15)


def _answers(address: str, child: Any) -> None:
    """Wait until a server answers."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if child.poll() is not None:
            raise RuntimeError(f"its server ended with {child.returncode}")
        try:
            urllib.request.urlopen(address, timeout=10).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise TimeoutError("its server did not answer")


def _spent() -> float:
    """Return the seconds of CPU that ended children took."""
    times = os.times()
    return times.children_user + times.children_system


def _free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _middle(values: Iterator[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
