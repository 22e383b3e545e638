"""
One self-contained HTML file of a campaign: `report` makes it, `page` puts any data into the page's frame.

The file holds all it needs and asks nobody for anything: its Content-Security-Policy allows the one script and the one
style by their digests, and no connection. Everything that comes from trials is data, compressed and read by the script,
which puts it into the page as text; no trial's text is ever part of HTML (semantics 115).
"""

import base64
import gzip
import hashlib
from functools import cache
from html import escape
from itertools import islice
from pathlib import Path
from string import Template
from typing import Any

import msgspec

from gitlineage.page.columns import columns
from gitlineage.page.contents import contents, telling
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
const bytes = Uint8Array.from(atob(document.getElementById("app").textContent), (sign) => sign.charCodeAt(0));
const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
const script = document.createElement("script");
script.textContent = await new Response(stream).text();
document.body.append(script);
})();"""
"""The script that is there as text: it unpacks the other one, which the policy allows by its digest, too."""

_BEFORE = "window.Prism={manual:true,disableWorkerMessageHandler:true};"
"""Keeps Prism from looking at the page by itself."""


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
        max_size: bytes of files' and prompts' text to embed for diffs; 0 embeds none.
        made: when the file was made, as it is to say; the same store and words give the same bytes.

    Raises:
        NotFound: there is no such cohort, snapshot or moment.
    """
    views = store.ledger.views()
    above = resolve(views, ancestors) if ancestors is not None else None
    rows = chosen(views, table(views), cohort=cohort, since=since, above=above)
    name = title or titled(store)
    files = contents(views, rows, max_size)
    told = {"title": name, "made": made, "live": False, "without": files["without"]}
    data = columns(views, rows, list(islice(telling(rows), WHOLE)), **told)
    return page(name, _summary(rows), packed(data), packed(files))


def titled(store: LineageStore) -> str:
    """Return what a campaign is called: its repository's folder, and its name where it is not the default one."""
    folder = store.root.resolve().name or "lineage"
    return folder if store.campaign == "default" else f"{folder}, {store.campaign}"


def live(views: Views, rows: Table, title: str) -> dict[str, Any]:
    """Return what the page on live data reads instead of a file's data."""
    return columns(views, rows, title=title, made="", live=True)


def page(title: str, summary: str, rows: str, files: str, *, connect: str = "'none'") -> bytes:
    """
    Return the page's HTML.

    Args:
        title: the window's title.
        summary: a line for whoever has no script.
        rows: the trials, packed; empty where the page fetches them.
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
        style=style,
        loader=LOADER,
        script=base64.b64encode(gzip.compress(script.encode(), 9, mtime=0)).decode(),
        rows=rows,
        files=files,
    ).encode()


def packed(value: Any) -> str:
    """Return a value as JSON, compressed, in base64; equal values give equal text."""
    return base64.b64encode(compressed(value)).decode()


def compressed(value: Any) -> bytes:
    """Return a value as JSON, compressed."""
    return gzip.compress(msgspec.json.encode(value), 6, mtime=0)


@cache
def _parts() -> tuple[str, str, Template]:
    """Return the page's script, its style and its frame."""
    libraries = [_read(f"vendor/{name}.js") for name in _LIBRARIES]
    own = "\n".join(_slim(_read(f"app/{name}.js")) for name in _SCRIPTS)
    script = "\n".join([_BEFORE, *libraries, f'(() => {{\n"use strict";\n{own}\n}})();'])
    style = "\n".join([_read("vendor/uplot.css"), _slim(_read("app/page.css"))])
    for text in (script, style):
        if "</script" in text.lower() or "</style" in text.lower() or "<!--" in text:
            raise ValueError("a script or style of the page would end its own element")
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
