"""
The page on live data: a small server for one person on this machine, which only reads.

Start at `application`. It answers to this machine's own names alone, to whoever knows the token in its address, and to
requests of its own page (semantics 116). New trials are told by server-sent events, and the page asks for them; what
runs comes with these, as the end of its log and its last score.
"""

import asyncio
import hmac
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from gitlineage.errors import Invalid
from gitlineage.page.columns import halves
from gitlineage.page.contents import contents_of
from gitlineage.page.report import MAX_SIZE, compressed, live, packed, page, state_of, titled, uncollected
from gitlineage.page.running import Running, logs, running
from gitlineage.query.table import table
from gitlineage.store.store import LineageStore

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

HOST = "127.0.0.1"
EVERY = 0.5
"""Seconds between two looks at whether something was recorded."""

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
    routes = [
        routing.Route(f"/{{token}}/{name}", _guarded(partial(answer, store), token, port), methods=["GET"])
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


async def _page(store: LineageStore, request: "Request") -> "Response":
    def made() -> bytes:
        views = store.ledger.views()
        title = titled(store)
        with uncollected():
            first, rest = halves(live(views, table(views), title))
            return page(title, "", packed(first), packed(rest), "", connect="'self'")

    response: Response = _library("starlette.responses").HTMLResponse(await asyncio.to_thread(made), headers=_HEADERS)
    return response


async def _rows(store: LineageStore, request: "Request") -> "Response":
    def made() -> bytes:
        views = store.ledger.views()
        with uncollected():
            return compressed(live(views, table(views), titled(store)))

    return _json(await asyncio.to_thread(made))


async def _files(store: LineageStore, request: "Request") -> "Response":
    names = request.query_params.getlist("id")

    def made() -> bytes:
        views = store.ledger.views()
        whole = table(views)
        wanted = [at for at, row in enumerate(whole.rows) if row.label in set(names)]
        return compressed(contents_of(views, whole, wanted, MAX_SIZE, logs(store)))

    return _json(await asyncio.to_thread(made))


def _json(data: bytes) -> "Response":
    headers = {**_HEADERS, "Content-Encoding": "gzip"}
    response: Response = _library("starlette.responses").Response(data, media_type="application/json", headers=headers)
    return response


async def _events(store: LineageStore, request: "Request") -> "Response":
    async def told() -> AsyncIterator[str]:
        last: tuple[str, list[Running]] = ("", [])
        while not await request.is_disconnected():
            now = await asyncio.to_thread(_state, store)
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
