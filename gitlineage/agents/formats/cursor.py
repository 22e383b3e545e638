"""
Cursor. Looked up on 2026-11-30.

`.cursor/hooks.json` (version 1) names hooks in small letters; `.cursor/mcp.json` holds MCP servers;
`.cursor/cli.json`, and `~/.cursor/cli-config.json` of a home, hold permissions ``Shell(program:arguments)``. All
strict JSON.
"""

from gitlineage.agents.agent import READING, Agent, Entry, Piece
from gitlineage.agents.formats.common import NAME, server, session_start


def _pieces(permissions: str, *, only_where: bool) -> tuple[Piece, ...]:
    return (
        Entry(
            door="hook",
            file=".cursor/hooks.json",
            path=("hooks", "sessionStart"),
            value={"command": session_start("cursor")},
            listed=True,
            frame={"version": 1},
        ),
        *(
            Entry(
                door="permissions",
                file=permissions,
                path=("permissions", "allow"),
                value=f"Shell(gitlineage:{command}*)",
                listed=True,
                only_where=only_where,
            )
            for command in READING
        ),
        Entry(door="mcp", file=".cursor/mcp.json", path=("mcpServers", NAME), value=server()),
    )


AGENT = Agent(
    name="cursor",
    title="Cursor",
    checked="2026-11-30",
    program="cursor-agent",
    signs=(".cursor",),
    project=_pieces(".cursor/cli.json", only_where=False),
    user=_pieces(".cursor/cli-config.json", only_where=True),  # one without the other settings is refused
    answer=("additional_context",),
    catches={"hook": "its editor drops what the hook says, its command line takes it"},
)
