"""
opencode. Looked up on 2026-11-30.

`opencode.json` or `opencode.jsonc` (comments allowed; `~/.config/opencode/` in a home): MCP servers, whose command is
a list, and permissions, of which the last that fits holds and which allow all commands where none are said. It has no
hook at the start of a session: AGENTS.md and the skill reach it.
"""

from gitlineage.agents.agent import PROGRAM, READING, Agent, Entry, Piece
from gitlineage.agents.formats.common import NAME


def _pieces(folder: str) -> tuple[Piece, ...]:
    file, instead = f"{folder}opencode.json", (f"{folder}opencode.jsonc",)
    return (
        Entry(
            door="mcp",
            file=file,
            instead=instead,
            path=("mcp", NAME),
            value={"type": "local", "command": [PROGRAM, "mcp"], "enabled": True},
            comments=True,
        ),
        *(
            Entry(
                door="permissions",
                file=file,
                instead=instead,
                path=("permission", "bash", f"gitlineage {command}*"),
                value="allow",
                comments=True,
                only_where=True,
            )
            for command in READING
        ),
    )


AGENT = Agent(
    name="opencode",
    title="opencode",
    checked="2026-11-30",
    program="opencode",
    signs=(".opencode", ".config/opencode", "opencode.json", "opencode.jsonc"),
    project=_pieces(""),
    user=_pieces(".config/opencode/"),
    catches={"hook": "it has none at the start of a session: AGENTS.md and the skill reach it"},
)
