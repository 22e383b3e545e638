"""
The records that say what a coding agent reads from which file; each module of `formats` fills one in.

Start with `Agent`. A door is a way by which lineage reaches an agent: its session-start hook, its permissions, its MCP
servers, the text that it reads at the start, its skills.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from gitlineage.agents.blocks import Marks

Door = Literal["hook", "permissions", "mcp", "text", "skill"]

PROGRAM = "{gitlineage}"
"""Stands in a value for the program: bare where that is the whole text, quoted for a shell where more follows."""

READING = (
    *("prompt", "tried", "best", "leaderboard", "log", "show", "diff", "search", "status"),
    *("parents", "children", "ancestors", "descendants", "runs list", "runs show", "runs log"),
)
"""Commands that only read: an agent may run them without asking."""

TOOLS = ("lineage_prompt", "leaderboard", "show", "diff", "search", "tried", "run_wait", "run_log")
"""Tools of the MCP server that only read, likewise."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """
    An entry of ours in a JSON file of the agent's.

    Args:
        door: what it opens.
        file: the file, below the repository or the home.
        path: the keys to the list that it is put into, or to the member that it is.
        value: what it is; `PROGRAM` in its texts stands for the program.
        listed: whether it is put into a list; else it is a member of an object, known by its key.
        comments: whether the agent allows comments in the file.
        frame: members that a file needs besides, put only into one that is made here.
        only_where: whether it is left out where its list or object is not there: the agent allows all by itself.
        instead: names of the file that the agent takes as well; the first that is there is used.
    """

    door: Door
    file: str
    path: tuple[str, ...]
    value: Any
    listed: bool = False
    comments: bool = False
    frame: Mapping[str, Any] = {}
    only_where: bool = False
    instead: tuple[str, ...] = ()


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """
    A part of ours in a text file, between marks.

    Args:
        door: what it opens.
        file: the file.
        text: its lines; `PROGRAM` in quotes stands for the program.
        marks: what stands before and after it.
        is_toml: whether the file is TOML, and has to stay so.
        only_where: whether it is put only into a file that is there.
    """

    door: Door
    file: str
    text: str
    marks: Marks
    is_toml: bool = False
    only_where: bool = False


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """
    A file that is ours alone; its last line is a comment with a digest, which shows whether somebody changed it.

    Args:
        door: what it opens.
        file: the file.
        text: what it says.
        comment: the comment, with ``{}`` for what it says.
    """

    door: Door
    file: str
    text: str
    comment: str = "# {}"


Piece = Entry | Block | Own


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """
    A coding agent.

    Args:
        name: what ``--agent`` calls it.
        title: what people call it.
        checked: when its formats were looked up.
        program: its command, by which it is found on a machine.
        signs: files and folders of a repository or of a home that only it uses.
        project: what is put into a repository's files.
        user: what is put into the user's own files.
        answer: the keys that lead to the text in what its session-start hook prints; none where it takes the text
            itself.
        said: what else it wants in the innermost object there.
        catches: what its user has to know about a door.
    """

    name: str
    title: str
    checked: str
    program: str
    signs: tuple[str, ...] = ()
    project: tuple[Piece, ...] = ()
    user: tuple[Piece, ...] = ()
    answer: tuple[str, ...] = ()
    said: Mapping[str, Any] = {}
    catches: Mapping[str, str] = {}


def answered(agent: Agent, text: str) -> str:
    """Return what an agent's session-start hook prints so that the agent reads a text."""
    if not agent.answer:
        return text
    *outer, key = agent.answer
    value: dict[str, Any] = {**agent.said, key: text}
    for each in reversed(outer):
        value = {each: value}
    return msgspec.json.encode(value).decode()


def understood(agent: Agent, printed: str) -> str | None:
    """Return the text that an agent takes from what its session-start hook printed; ``None`` where it takes none."""
    if not agent.answer:
        return printed or None
    try:
        value = msgspec.json.decode(printed)
    except msgspec.DecodeError:
        return None
    for key in agent.answer:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value else None
