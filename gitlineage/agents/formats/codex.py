"""
Codex CLI. Looked up on 2026-11-30.

`.codex/hooks.json` has Claude Code's shape, in seconds; `.codex/config.toml` holds MCP servers as tables; a file in
`.codex/rules/` says which commands may run outside of the sandbox, in which `.git` is read-only. A project's files
count once the user trusts it, a hook once the user has looked at it.
"""

import json

from gitlineage.agents.agent import PROGRAM, READING, Agent, Block, Entry, Own, Piece
from gitlineage.agents.blocks import HASH
from gitlineage.agents.formats.common import NAME, session_start

_HOOK = {
    "matcher": "startup|resume|clear|compact",
    "hooks": [{"type": "command", "command": session_start("codex"), "timeout": 10}],
}
_SERVER = f'[mcp_servers.{NAME}]\ncommand = "{PROGRAM}"\nargs = ["mcp"]\ntool_timeout_sec = 120'
_RULES = "".join(
    f'prefix_rule(pattern = {json.dumps(["gitlineage", *command.split()])}, decision = "allow")\n'
    for command in READING
)
_PIECES: tuple[Piece, ...] = (
    Entry(door="hook", file=".codex/hooks.json", path=("hooks", "SessionStart"), value=_HOOK, listed=True),
    Own(door="permissions", file=".codex/rules/gitlineage.rules", text=_RULES),
    Block(door="mcp", file=".codex/config.toml", text=_SERVER, marks=HASH, is_toml=True),
)

AGENT = Agent(
    name="codex",
    title="Codex CLI",
    checked="2026-11-30",
    program="codex",
    signs=(".codex",),
    project=_PIECES,
    user=_PIECES,
    answer=("hookSpecificOutput", "additionalContext"),
    said={"hookEventName": "SessionStart"},
    catches={
        "hook": "it runs the hook once you trust it (/hooks)",
        "mcp": "its sandbox keeps .git read-only, so agents record through this server",
    },
)
