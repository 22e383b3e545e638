"""The command mcp: the lineage for coding agents, over the Model Context Protocol."""

import os
import secrets
from functools import partial
from typing import Annotated

import typer

from gitlineage.cli import output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.opening import opened
from gitlineage.errors import Invalid

app = commands()

_TOKEN = "GITLINEAGE_MCP_TOKEN"


@command(app, "mcp", "gitlineage mcp --http 8737")
def mcp(
    ctx: typer.Context,
    http: Annotated[
        int | None,
        typer.Option(
            "--http", min=0, max=65535, metavar="PORT", help="Serve this machine at a port, 0 for any, with a token."
        ),
    ] = None,
) -> None:
    """
    Serve the lineage to coding agents over MCP

    Without --http on standard input and output, for the one client that started it; `gitlineage agents install` puts
    that into the agents' files. With --http clients send the token of GITLINEAGE_MCP_TOKEN, or the one that is
    printed, as `Authorization: Bearer TOKEN`. Runs go on when the client or the server goes away. Needs the extra mcp.
    """
    try:
        from gitlineage.agents.mcp import serve, server
    except ImportError as error:
        if error.name is not None and error.name.startswith("gitlineage"):
            raise
        raise Invalid(f"the MCP server needs its SDK: pip install 'gitlineage[mcp]' ({error})") from error
    made = server.made(partial(opened, ctx))
    if http is None:
        serve.on_stdio(made)
        return
    given = os.environ.get(_TOKEN)
    token = given or secrets.token_urlsafe(32)

    def told(address: str) -> None:
        said = f"the token of {_TOKEN}" if given else f"the token {token}"
        output.note(f"listening at {address}, with {said}; Ctrl-C ends it")

    serve.on_http(made, http, token, told)
