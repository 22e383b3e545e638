"""
Where the server listens: standard input and output, or the loopback with a token; start with `on_stdio`.

On the loopback every request needs the token, and the SDK refuses hosts and origins that are not this machine's, so
that no page in a browser reaches it.
"""

import hmac
import socket
from collections.abc import Callable
from typing import Any

import anyio
import uvicorn
from mcp.server import Server
from mcp.server.stdio import stdio_server
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

HOST = "127.0.0.1"
PATH = "/mcp"


def on_stdio(server: Server[Any]) -> None:
    """Serve the one client that started this process, until it closes standard input."""

    async def serving() -> None:
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(serving)


def on_http(server: Server[Any], port: int, token: str, told: Callable[[str], None]) -> None:
    """
    Serve the clients of this machine that know a token, until this process is ended.

    Args:
        server: the server.
        port: where to listen; 0 for any that is free.
        token: what clients have to send as ``Authorization: Bearer``.
        told: hears the address once it is listened at.

    Raises:
        OSError: something else listens there.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen()  # from here on clients are kept waiting, not refused
        app = _Guarded(server.streamable_http_app(streamable_http_path=PATH, host=HOST), token)
        settings = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2)
        told(f"http://{HOST}:{listening.getsockname()[1]}{PATH}")
        uvicorn.Server(settings).run(sockets=[listening])


class _Guarded:
    """An application that answers only those who know the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self._expected):
                refusal = PlainTextResponse(
                    "the token is missing or wrong: send `Authorization: Bearer TOKEN`\n",
                    401,
                    {"WWW-Authenticate": "Bearer"},
                )
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)
