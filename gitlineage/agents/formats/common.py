"""
What several agents read: a block in AGENTS.md, a skill folder, an MCP server's entry. Looked up on 2026-11-30.

AGENTS.md is read by Codex, Cursor, Copilot, opencode, OpenHands and others; `.agents/skills` by Codex, Gemini CLI,
Cursor, Copilot and opencode. Claude Code reads CLAUDE.md and `.claude/skills`, Gemini CLI GEMINI.md.
"""

from typing import Any

from gitlineage.agents.agent import PROGRAM, Block, Own, Piece
from gitlineage.agents.blocks import MARKDOWN
from gitlineage.agents.texts import BLOCK, SKILL

NAME = "gitlineage"
"""What our entries are called."""

COMMENT = "<!-- {} -->"

PROJECT: tuple[Piece, ...] = (
    Block(door="text", file="AGENTS.md", text=BLOCK, marks=MARKDOWN),
    Block(door="text", file="CLAUDE.md", text=BLOCK, marks=MARKDOWN, only_where=True),
    Block(door="text", file="GEMINI.md", text=BLOCK, marks=MARKDOWN, only_where=True),
    Own(door="skill", file=".agents/skills/gitlineage/SKILL.md", text=SKILL, comment=COMMENT),
)
"""What is put into a repository for all agents."""

USER: tuple[Piece, ...] = (Own(door="skill", file=".agents/skills/gitlineage/SKILL.md", text=SKILL, comment=COMMENT),)
"""What is put into a home for all agents."""


def server(**more: Any) -> dict[str, Any]:
    """Return an MCP server's entry as most agents take it."""
    return {"command": PROGRAM, "args": ["mcp"], **more}


def session_start(agent: str) -> str:
    """Return the command of an agent's session-start hook."""
    return f"{PROGRAM} hook session-start --agent {agent}"
