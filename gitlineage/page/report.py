"""
One self-contained HTML file of a campaign: `report` makes it, `page` puts any data into the page's frame.

The file holds all it needs and asks nobody for anything: its Content-Security-Policy allows the one script and the one
style by their digests, and no connection. Everything that comes from trials is data, compressed and read by the script,
which puts it into the page as text; no trial's text is ever part of HTML (semantics 115).
"""

import base64
import gc
import hashlib
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from html import escape
from itertools import islice
from pathlib import Path
from string import Template
from typing import Any

import msgspec

from gitlineage.page.columns import columns, halves
from gitlineage.page.contents import contents, telling
from gitlineage.page.running import logs
from gitlineage.query.names import resolve
from gitlineage.query.stats import Stat, statistics
from gitlineage.query.table import Table, chosen, table
from gitlineage.query.views import Views
from gitlineage.store.store import LineageStore
from gitlineage.text import counted, one_line

MAX_SIZE = 20 << 20
"""How many bytes of files' and prompts' text are embedded unless something else is said."""

WHOLE = 3000
"""The texts of so many trials, the most telling ones, are never cut."""

_SMALL = 1 << 20
"""Bytes up to which data is compressed as small as it gets, which takes three times as long."""

_HERE = Path(__file__).parent
_LIBRARIES = ("uplot", "prism", "diff")
_SCRIPTS = (
    "base",
    "campaign",
    "filters",
    "progress",
    "lineage",
    "trials",
    "files",
    "trial",
    "compare",
    "stats",
    "live",
    "main",
)
"""The page's own scripts, in the order in which each uses the ones before it."""

LOADER = """(async () => {
const signs = atob(document.getElementById("app").textContent);
const bytes = new Uint8Array(signs.length);
for (let at = 0; at < bytes.length; at++) bytes[at] = signs.charCodeAt(at);
const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
const texts = (await new Response(stream).text()).split("\\0");
for (const name of ["style", "script"]) {
const node = document.createElement(name);
node.textContent = texts.shift();
document.head.append(node);
}
})();"""
"""The script that is there as text: it unpacks the style and the other script, which the policy allows, too."""

_BEFORE = """/* uPlot and Prism: MIT; jsdiff: BSD-3-Clause; their licences are in gitlineage/page/vendor/ */
window.Prism={manual:true,disableWorkerMessageHandler:true};"""
"""Says whose scripts these are, and keeps Prism from looking at the page by itself."""


def report(
    store: LineageStore,
    *,
    title: str = "",
    cohort: str | None = None,
    ancestors: str | None = None,
    since: str | None = None,
    max_size: int = MAX_SIZE,
    made: str = "",
) -> bytes:
    """
    Return a campaign as one HTML file.

    Args:
        store: the campaign.
        title: what it is called; by default the repository's folder and the campaign's name.
        cohort: only this cohort, with its base.
        ancestors: only this snapshot and what it goes back to.
        since: only from this trial, or ISO 8601 time, on.
        max_size: bytes of text of files, prompts and logs to embed; 0 embeds none.
        made: when the file was made, as it is to say; the same store and words give the same bytes.

    Raises:
        NotFound: there is no such cohort, snapshot or moment.
    """
    views = store.ledger.views()
    above = resolve(views, ancestors) if ancestors is not None else None
    name = title or titled(store)
    with uncollected(), ThreadPoolExecutor(2) as aside:  # compressing takes no part in what Python's threads share
        rows = chosen(views, table(views), cohort=cohort, since=since, above=above)
        files = contents(views, rows, max_size, logs(store))
        packed_files = aside.submit(packed, files)
        told = {"title": name, "made": made, "live": False, "without": files["without"]}
        first, rest = halves(columns(views, rows, list(islice(telling(rows), WHOLE)), **told))
        packed_rest = aside.submit(packed, rest)
        return page(name, _summary(rows), packed(first), packed_rest.result(), packed_files.result())


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python from looking for circles among a million new objects again and again; none of them is part of one."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def titled(store: LineageStore) -> str:
    """Return what a campaign is called: its repository's folder, and its name where it is not the default one."""
    folder = store.root.resolve().name or "lineage"
    return folder if store.campaign == "default" else f"{folder}, {store.campaign}"


def live(views: Views, rows: Table, title: str) -> dict[str, Any]:
    """Return what the page on live data reads instead of a file's data."""
    return columns(views, rows, title=title, made="", live=True, state=state_of(views))


def state_of(views: Views) -> str:
    """Return a word that is another one whenever something was recorded."""
    return hashlib.sha256(msgspec.json.encode(sorted(views.index.tips().items()))).hexdigest()[:16]


def page(title: str, summary: str, rows: str, rest: str, files: str, *, connect: str = "'none'") -> bytes:
    """
    Return the page's HTML.

    Args:
        title: the window's title.
        summary: a line for whoever has no script.
        rows: what the first picture needs of the trials, packed.
        rest: the rest of them, packed; empty where ``rows`` has it.
        files: the files, packed; empty where the page fetches them.
        connect: what it may connect to, as the Content-Security-Policy says it.
    """
    script, style, frame = _parts()
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_digest(LOADER)}' '{_digest(script)}'",
            f"style-src '{_digest(style)}'",
            "img-src data:",
            f"connect-src {connect}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return frame.substitute(
        policy=policy,
        title=escape(one_line(title)),
        summary=escape(one_line(summary)),
        loader=LOADER,
        app=base64.b64encode(_deflated(f"{style}\0{script}".encode(), 9)).decode(),
        rows=rows,
        rest=rest,
        files=files,
    ).encode()


def packed(value: Any) -> str:
    """Return a value as JSON, compressed, in base64; equal values give equal text."""
    return base64.b64encode(compressed(value)).decode()


def compressed(value: Any) -> bytes:
    """Return a value as JSON, compressed."""
    data = msgspec.json.encode(value)
    return _deflated(data, 9 if len(data) < _SMALL else 6)


def _deflated(data: bytes, level: int) -> bytes:
    """Return data as gzip has it; blocks shorter than usual make a few hundred kilobytes of text smaller."""
    made = zlib.compressobj(level, zlib.DEFLATED, zlib.MAX_WBITS | 16, 6)
    return made.compress(data) + made.flush()


@cache
def _parts() -> tuple[str, str, Template]:
    """Return the page's script, its style and its frame."""
    libraries = [_read(f"vendor/{name}.js") for name in _LIBRARIES]
    own = "\n".join(_slim(_read(f"app/{name}.js")) for name in _SCRIPTS)
    script = "\n".join([_BEFORE, *libraries, f'(() => {{\n"use strict";\n{own}\n}})();'])
    style = "\n".join([_read("vendor/uplot.css"), _slim(_read("app/page.css"))])
    for text in (script, style):
        if "\0" in text:
            raise ValueError("a script or style of the page holds the sign that parts them")
    return script, style, Template(_read("app/page.html"))


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8").strip()


def _slim(text: str) -> str:
    """Return a script or style of the page's own without indentation and without lines that are comments alone."""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith(("// ", "/* ", "/** ")))


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _summary(rows: Table) -> str:
    stat: Stat = statistics(rows)[0]
    best = f", best {stat.best} with {rows.task.short} {stat.best_score:.10g}" if stat.best_score is not None else ""
    return f"{counted(stat.trials, 'trial')}, {stat.kept:,} kept{best}"
