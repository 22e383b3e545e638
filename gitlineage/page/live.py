"""
The page on live data: a small server for one person on this machine, which only reads.

Start at `application`. It answers to this machine's own names alone, to whoever knows the token in its address, and to
requests of its own page (semantics 116). New trials are told by server-sent events, and the page asks for those that it
has not (`Live`); what runs comes with these, as the end of its log and its last score.
"""

import asyncio
import hmac
import math
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from gitlineage.errors import Invalid, LineageError
from gitlineage.page.columns import halves, one
from gitlineage.page.contents import contents_of
from gitlineage.page.following import Following
from gitlineage.page.report import MAX_SIZE, compressed, live, packed, page, state_of, titled, uncollected
from gitlineage.page.running import Running, logs, running
from gitlineage.query.table import table
from gitlineage.query.views import Views
from gitlineage.store.store import LineageStore

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

HOST = "127.0.0.1"
EVERY = 0.5
"""Seconds between two looks at whether something was recorded."""

_SELDOM = 10
"""Of so many seconds one is spent at most on putting everything together anew."""

_MOST = 5000
"""Trials that are told by themselves at most, before everything is put together anew for whoever comes then."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def bound(port: int) -> socket.socket:
    """
    Return a socket on this machine's own address; port 0 takes any free one.

    Raises:
        Invalid: the port is taken, or may not be used.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, port))
        made.listen()  # whoever reads the address may ask at once
    except OSError as error:
        made.close()
        raise Invalid(f"cannot listen on port {port}: {error.strerror}; --port 0 takes any free one") from error
    return made


def serve(store: LineageStore, at: socket.socket, token: str) -> None:
    """
    Serve a store until the process is told to stop.

    Args:
        store: the store.
        at: where to listen; see `bound`.
        token: the secret in the address.

    Raises:
        Invalid: starlette and uvicorn are not installed.
    """
    uvicorn = _library("uvicorn")
    port = at.getsockname()[1]
    config = uvicorn.Config(application(store, token, port), log_level="error", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[at])


def application(store: LineageStore, token: str, port: int) -> "Starlette":
    """Return the server's application; see `serve`."""
    applications, routing = _library("starlette.applications"), _library("starlette.routing")
    answers = {"": _page, "rows": _rows, "files": _files, "events": _events}
    known = Live(store)
    routes = [
        routing.Route(f"/{{token}}/{name}", _guarded(partial(answer, known), token, port), methods=["GET"])
        for name, answer in answers.items()
    ]
    made: Starlette = applications.Starlette(routes=routes)
    return made


def _guarded(
    answer: "Callable[[Request], Awaitable[Response]]", token: str, port: int
) -> "Callable[[Request], Awaitable[Response]]":
    """Return an answer that only this machine's own page gets."""
    responses = _library("starlette.responses")
    names = {f"{name}:{port}" for name in (HOST, "localhost")}

    async def endpoint(request: "Request") -> "Response":
        given = request.path_params["token"]
        site = request.headers.get("sec-fetch-site", "none")
        origin = request.headers.get("origin")
        allowed = (
            request.headers.get("host") in names
            and site in ("none", "same-origin")
            and origin in (None, *(f"http://{name}" for name in names))
            and hmac.compare_digest(given.encode(), token.encode())
        )
        if not allowed:
            refused: Response = responses.PlainTextResponse("not for you\n", 403, headers=_HEADERS)
            return refused
        return await answer(request)

    return endpoint


class Live:
    """
    What the pages of a store are told: everything once, then what came since, whoever asks.

    Everything is put together anew only where what came cannot be told by itself, and then seldom: at 100,000 trials
    that takes seconds.

    Args:
        store: the store.
    """

    def __init__(self, store: LineageStore) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._following: Following | None = None
        self._whole: dict[str, Any] = {}
        self._page = self._rows = b""
        self._state = ""
        self._news: list[tuple[str, set[int]]] = []
        """The states since everything was put together, and whose trials came or changed after each."""

        self._took = 0.0
        self._made = -math.inf

    def page(self) -> bytes:
        """Return the page with all that there was some time ago; it asks for what came since."""
        with self._told() as views:
            if self._following is None or sum(len(new) for _, new in self._news) > _MOST:
                self._renew(views)
            if not self._page:
                first, rest = halves(self._whole)
                self._page = page(titled(self.store), "", packed(first), packed(rest), "", connect="'self'")
            return self._page

    def since(self, state: str) -> bytes:
        """Return what came since a state, as compressed JSON; all, or how long to wait, where that is not known."""
        with self._told() as views:
            if self._following is None and not self._renew(views):
                return compressed({"later": max(1, math.ceil(self._made + _SELDOM * self._took - time.monotonic()))})
            assert self._following is not None
            states = [*(before for before, _ in self._news), self._state]
            if state in states:
                places: set[int] = set().union(*(new for _, new in self._news[states.index(state) :]))
                rows = [one(views, *told) for told in self._following.rows(views, places)]
                return compressed({"state": self._state, "n": self._following.total, "rows": rows})
            self._rows = self._rows or compressed(self._whole)
            return self._rows

    def files(self, asked: Sequence[tuple[str, int]]) -> bytes:
        """Return the files of some trials, by name and by the place that the page has each in, as compressed JSON."""
        with self._told() as views:
            if self._following is None:
                self._renew(views, soon=True)
            assert self._following is not None
            rows = {}
            for name, at in asked:
                with suppress(LineageError):
                    (number,) = views.numbers([views.trial(name)])
                    for row, _, _ in self._following.rows(views, self._following.places([number])):
                        rows[at] = msgspec.structs.replace(row, parents=())  # these have other places, perhaps
        return compressed(contents_of(views, rows, list(rows), MAX_SIZE, logs(self.store)))

    @contextmanager
    def _told(self) -> Iterator[Views]:
        """Have what is known of the store up to date, for one answer at a time."""
        with self._lock, uncollected():
            views = self.store.ledger.views()
            with views.index.steady():
                state = state_of(views)
                if self._following is not None and state != self._state:
                    new = self._following.news(views)
                    if new is None:
                        self._following = None
                    else:
                        self._news.append((self._state, new))
                        self._state = state
                yield views

    def _renew(self, views: Views, *, soon: bool = False) -> bool:
        """Put everything together anew, and return whether that was done: it takes a tenth of the time at most."""
        if not soon and time.monotonic() - self._made < _SELDOM * self._took:
            return False
        began = time.monotonic()
        whole = table(views)
        self._whole = live(views, whole, titled(self.store))
        self._following, self._state = Following(views, whole.rows), state_of(views)
        self._page = self._rows = b""
        self._news.clear()
        self._made = time.monotonic()
        self._took = self._made - began
        return True


async def _page(known: Live, request: "Request") -> "Response":
    made = await asyncio.to_thread(known.page)
    response: Response = _library("starlette.responses").HTMLResponse(made, headers=_HEADERS)
    return response


async def _rows(known: Live, request: "Request") -> "Response":
    return _json(await asyncio.to_thread(known.since, request.query_params.get("since", "")))


async def _files(known: Live, request: "Request") -> "Response":
    places = [int(text) for text in request.query_params.getlist("at") if text.isdecimal()]
    asked = list(zip(request.query_params.getlist("id"), places, strict=False))
    return _json(await asyncio.to_thread(known.files, asked))


def _json(data: bytes) -> "Response":
    headers = {**_HEADERS, "Content-Encoding": "gzip"}
    response: Response = _library("starlette.responses").Response(data, media_type="application/json", headers=headers)
    return response


async def _events(known: Live, request: "Request") -> "Response":
    async def told() -> AsyncIterator[str]:
        last: tuple[str, list[Running]] = ("", [])
        while not await request.is_disconnected():
            now = await asyncio.to_thread(_state, known.store)
            if now[0] != last[0]:
                yield _event("changed", now[0])
            if now[1] != last[1]:
                yield _event("running", now[1])
            last = now
            await asyncio.sleep(EVERY)

    streaming = _library("starlette.responses").StreamingResponse
    response: Response = streaming(told(), media_type="text/event-stream", headers=_HEADERS)
    return response


def _state(store: LineageStore) -> tuple[str, list[Running]]:
    """Return what tells whether something was recorded since a page was made, and the runs that go on."""
    return state_of(store.ledger.views()), running(store)


def _event(name: str, value: Any) -> str:
    """Return a server-sent event; JSON has no line break that would end it."""
    return f"event: {name}\ndata: {msgspec.json.encode(value).decode()}\n\n"


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise Invalid(f"a live page needs starlette and uvicorn: pip install 'gitlineage[serve]' ({error})") from error
