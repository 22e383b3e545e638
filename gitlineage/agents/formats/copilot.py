"""
Copilot CLI. Looked up on 2026-11-30.

`.github/hooks/*.json` and `~/.copilot/hooks/*.json` (version 1) hold hooks with ``bash``, in seconds;
`.github/mcp.json` and `~/.copilot/mcp-config.json` MCP servers, whose ``tools`` have to be named. Permissions are
options of its command alone. `.github/copilot-instructions.md` and `.github/instructions/` are what it reads besides
AGENTS.md. From version 1.0.11 on it takes what a hook at the start of a session says.
"""

from gitlineage.agents.agent import Agent, Entry, Piece
from gitlineage.agents.formats.common import NAME, server, session_start


def _pieces(hooks: str, servers: str) -> tuple[Piece, ...]:
    return (
        Entry(
            door="hook",
            file=hooks,
            path=("hooks", "sessionStart"),
            value={"type": "command", "bash": session_start("copilot"), "timeoutSec": 10},
            listed=True,
            frame={"version": 1},
        ),
        Entry(door="mcp", file=servers, path=("mcpServers", NAME), value={"type": "local", **server(tools=["*"])}),
    )


AGENT = Agent(
    name="copilot",
    title="Copilot CLI",
    checked="2026-11-30",
    program="copilot",
    signs=(".copilot", ".github/hooks", ".github/copilot-instructions.md", ".github/instructions"),
    project=_pieces(".github/hooks/gitlineage.json", ".github/mcp.json"),
    user=_pieces(".copilot/hooks/gitlineage.json", ".copilot/mcp-config.json"),
    answer=("additionalContext",),
    catches={
        "hook": "versions before 1.0.11 run the hook and drop what it says",
        "permissions": "it takes them as options only: --allow-tool 'shell(gitlineage prompt)'",
    },
)
