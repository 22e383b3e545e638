"""
Claude Code. Looked up on 2026-11-30.

`.claude/settings.json` (strict JSON): hooks with a matcher, timeouts in seconds; permission rules ``Bash(prefix:*)``
and ``mcp__SERVER__TOOL``. `.mcp.json` and, for a user, `~/.claude.json` hold MCP servers. A hook's context over 10,000
characters is replaced by a preview of 2 kB; ``source`` is startup, resume, clear, compact or fork.
"""

from gitlineage.agents.agent import READING, TOOLS, Agent, Entry, Own, Piece
from gitlineage.agents.formats.common import COMMENT, NAME, server, session_start
from gitlineage.agents.texts import SKILL

_SETTINGS = ".claude/settings.json"
_HOOK = {
    "matcher": "startup|resume|clear|compact",
    "hooks": [{"type": "command", "command": session_start("claude"), "timeout": 10}],
}
_RULES = (
    *(f"Bash(gitlineage {command}:*)" for command in READING),
    *(f"mcp__{NAME}__{tool}" for tool in TOOLS),
)


def _pieces(servers: str) -> tuple[Piece, ...]:
    return (
        Entry(door="hook", file=_SETTINGS, path=("hooks", "SessionStart"), value=_HOOK, listed=True),
        *(
            Entry(
                door="permissions",
                file=_SETTINGS,
                path=("permissions", "allow"),
                value=rule,
                listed=True,
            )
            for rule in _RULES
        ),
        Entry(door="mcp", file=servers, path=("mcpServers", NAME), value=server()),
        Own(door="skill", file=".claude/skills/gitlineage/SKILL.md", text=SKILL, comment=COMMENT),
    )


AGENT = Agent(
    name="claude",
    title="Claude Code",
    checked="2026-11-30",
    program="claude",
    signs=(".claude",),
    project=_pieces(".mcp.json"),
    user=_pieces(".claude.json"),
    answer=("hookSpecificOutput", "additionalContext"),
    said={"hookEventName": "SessionStart"},
    catches={"mcp": "it asks once whether to trust the server of a project"},
)
