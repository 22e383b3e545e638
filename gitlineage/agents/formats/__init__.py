"""
The formats of the coding agents, one module each, with the date when it was looked up; start with `claude`.

A format that moved is changed in its module alone. `common` holds what several agents read.
"""

from gitlineage.agents.agent import Agent
from gitlineage.agents.formats import claude, codex, copilot, cursor, gemini, opencode

AGENTS: dict[str, Agent] = {
    each.name: each for each in (claude.AGENT, codex.AGENT, gemini.AGENT, cursor.AGENT, copilot.AGENT, opencode.AGENT)
}
"""The agents that are known, by name."""
