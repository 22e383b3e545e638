"""
Gemini CLI. Looked up on 2026-11-30.

`.gemini/settings.json` (comments allowed): hooks in Claude Code's shape, timeouts in milliseconds, and MCP servers. A
hook's standard output has to be JSON alone. Permissions are policy files, which count in a home only: `tools.allowed`
is deprecated.
"""

import json

from gitlineage.agents.agent import READING, Agent, Entry, Own, Piece
from gitlineage.agents.formats.common import NAME, server, session_start

_SETTINGS = ".gemini/settings.json"
_HOOK = {"hooks": [{"name": NAME, "type": "command", "command": session_start("gemini"), "timeout": 10000}]}
_POLICY = f"""\
[[rule]]
toolName = "run_shell_command"
commandPrefix = {json.dumps([f"gitlineage {command}" for command in READING])}
decision = "allow"
priority = 100
"""
_PIECES: tuple[Piece, ...] = (
    Entry(door="hook", file=_SETTINGS, path=("hooks", "SessionStart"), value=_HOOK, listed=True, comments=True),
    Entry(door="mcp", file=_SETTINGS, path=("mcpServers", NAME), value=server(timeout=120000), comments=True),
)

AGENT = Agent(
    name="gemini",
    title="Gemini CLI",
    checked="2026-11-30",
    program="gemini",
    signs=(".gemini",),
    project=_PIECES,
    user=(*_PIECES, Own(door="permissions", file=".gemini/policies/gitlineage.toml", text=_POLICY)),
    answer=("hookSpecificOutput", "additionalContext"),
    said={"hookEventName": "SessionStart"},
    catches={"permissions": "it reads policies from your home alone: install with --user"},
)
