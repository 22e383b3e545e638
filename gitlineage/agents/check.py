"""
Which doors work, found out by going through each: hooks are run as the agent runs them, servers are started and asked.

Start with `check`.
"""

import json
import subprocess
import threading
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from gitlineage._version import __version__
from gitlineage.agents.agent import Agent, Block, Entry, Piece, understood
from gitlineage.agents.install import BROKEN, Edits, Place
from gitlineage.agents.jsonc import Document
from gitlineage.agents.session import LONGEST
from gitlineage.text import one_line

_PATIENCE = 30
"""Seconds that a hook or a server may take."""

WORKS = "works"
ABSENT = "not installed"
OLD = "outdated"


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was found of a door.

    Args:
        agent: whose it is, or `ALL`.
        door: what it opens.
        file: the file that opens it.
        state: ``works``, ``broken``, ``not installed`` or ``outdated``, which `install` mends.
        found: what it said, or what is wrong.
        catch: what the agent's user has to know about it.
    """

    agent: str
    door: str
    file: str
    state: str
    found: str = ""
    catch: str = ""


def check(place: Place, agents: Sequence[Agent], program: str) -> list[Checked]:
    """
    Return which doors work, by running what the agents' files say.

    Args:
        place: the repository or the home.
        agents: of which.
        program: how the agents are to call gitlineage.
    """
    edits = Edits(place)
    known = {agent.name: agent for agent in agents}
    doors: dict[tuple[str, str, str], list[Piece]] = {}
    for whose, piece in place.pieces(agents):
        doors.setdefault((whose, piece.door, piece.file), []).append(piece)
    ran: dict[str, tuple[str, str]] = {}
    checks = []
    for (whose, door, file), pieces in doors.items():
        state, said = _state(edits, pieces, program)
        if state == "left out":
            continue
        if state == WORKS:
            state, said = _run(place, edits, known.get(whose), pieces[0], program, ran)
        catch = known[whose].catches.get(door, "") if whose in known else ""
        checks.append(Checked(agent=whose, door=door, file=file, state=state, found=said, catch=catch))
    return checks


def _state(edits: Edits, pieces: Sequence[Piece], program: str) -> tuple[str, str]:
    """Return how the pieces of a door in one file stand, the worst first."""
    outcomes = [edits.state(piece, program) for piece in pieces]
    if broken := [reason for each, reason in outcomes if each == BROKEN]:
        return BROKEN, broken[0]
    for outcome, state in (("installed", ABSENT), ("updated", OLD)):
        missing = sum(each == outcome for each, _ in outcomes)
        if missing:
            some = f"{missing} of {len(outcomes)} entries are missing" if missing < len(outcomes) else ""
            return (state if missing == len(outcomes) or outcome == "updated" else OLD), some
    if all(each == "left out" for each, _ in outcomes):
        return "left out", ""
    return WORKS, ""


def _run(
    place: Place, edits: Edits, agent: Agent | None, piece: Piece, program: str, ran: dict[str, tuple[str, str]]
) -> tuple[str, str]:
    """Go through a door that is in place."""
    if piece.door == "hook" and agent is not None and isinstance(piece, Entry):
        commands = [text for text in _texts(_value(edits, piece)) if " hook session-start " in f"{text} "]
        return _hook(place, agent, commands[0]) if commands else (BROKEN, "no command is there")
    if piece.door == "mcp":
        words = _server(edits, piece)
        key = json.dumps(words)
        if key not in ran:
            ran[key] = _serve(place, words)
        return ran[key]
    if piece.door in ("text", "skill"):
        if "prompt" not in ran:
            ran["prompt"] = _prompt(place, program)
        return ran["prompt"]
    return WORKS, ""


def _value(edits: Edits, piece: Entry) -> Any:
    """Return what a file says at the place of an entry."""
    for file in (piece.file, *piece.instead):
        data = edits.data(file)
        if data is not None:
            node = Document(data.decode(), comments=piece.comments).at(piece.path)
            return None if node is None else node.value
    return None


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from _texts(each)
        case dict():
            for each in value.values():
                yield from _texts(each)


# -- hooks ---------------------------------------------------------------------------------------------------------


def _hook(place: Place, agent: Agent, command: str) -> tuple[str, str]:
    """Run a session-start hook as its agent does: by a shell, with the session on standard input."""
    session = {"session_id": "check", "hook_event_name": "SessionStart", "source": "startup", "cwd": str(place.top)}
    try:
        done = subprocess.run(
            command,
            shell=True,
            cwd=place.top,
            input=json.dumps(session).encode(),
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return BROKEN, f"it takes over {_PATIENCE} seconds"
    if done.returncode != 0:
        return BROKEN, f"it ends with {done.returncode}: {_last(done.stderr)}"
    printed = done.stdout.decode("utf-8", "replace")
    if not printed.strip():
        return WORKS, "it says nothing: there is no lineage here yet"
    text = understood(agent, printed)
    if text is None:
        return BROKEN, f"the agent would not understand {one_line(printed)[:60]!r}"
    if len(printed) > LONGEST:
        return BROKEN, f"it says {len(printed):,} characters, and the agent takes {LONGEST:,}"
    return WORKS, f"it says {len(text):,} characters"


def _prompt(place: Place, program: str) -> tuple[str, str]:
    """Run the command that texts and skills begin with; where there is no repository, only the program."""
    words = ["--version"] if place.repo is None else ["prompt", "agent", "--budget", str(LONGEST)]
    shown = f"`gitlineage {' '.join(words[:2])}`"
    try:
        done = subprocess.run([program, *words], cwd=place.top, capture_output=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return BROKEN, f"{program} cannot be run: {error}"
    if done.returncode != 0:
        return BROKEN, f"{shown} ends with {done.returncode}: {_last(done.stderr)}"
    return WORKS, f"{shown} says {len(done.stdout.decode('utf-8', 'replace')):,} characters"


# -- servers -------------------------------------------------------------------------------------------------------


def _server(edits: Edits, piece: Piece) -> list[str]:
    """Return the command of an MCP server as its file says it."""
    if isinstance(piece, Block):
        said: Any = tomllib.loads((edits.data(piece.file) or b"").decode())
        for key in ("mcp_servers", "gitlineage"):
            said = said.get(key, {})
    else:
        assert isinstance(piece, Entry)
        said = _value(edits, piece)
    if not isinstance(said, Mapping):
        return []
    command, words = said.get("command"), said.get("args", [])
    return [str(each) for each in [*(command if isinstance(command, list) else [command]), *words] if each]


def _serve(place: Place, words: Sequence[str]) -> tuple[str, str]:
    """Start an MCP server, greet it and ask for its tools."""
    if not words:
        return BROKEN, "no command is there"
    greeting = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "gitlineage agents check", "version": __version__},
    }
    lines: list[dict[str, Any]] = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": greeting},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}},
    ]
    try:
        with subprocess.Popen(
            words, cwd=place.top, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as server:
            try:
                return _asked(server, lines)
            finally:
                server.kill()
    except OSError as error:
        return BROKEN, f"{words[0]} cannot be run: {error.strerror}"


def _asked(server: "subprocess.Popen[bytes]", lines: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return what a server that was just started answers."""
    assert server.stdin is not None and server.stdout is not None and server.stderr is not None
    bound = threading.Timer(_PATIENCE, server.kill)
    bound.start()
    try:
        for line in lines:
            server.stdin.write(json.dumps(line).encode() + b"\n")
        server.stdin.flush()
        for answer in server.stdout:
            said = json.loads(answer)
            if said.get("id") == 2:
                tools = said.get("result", {}).get("tools", [])
                return (WORKS, f"it has {len(tools)} tools") if tools else (BROKEN, f"it says {answer[:80]!r}")
    except (OSError, ValueError) as error:
        if not isinstance(error, BrokenPipeError):
            return BROKEN, str(error)
    finally:
        bound.cancel()
    server.kill()
    return BROKEN, _last(server.stderr.read()) or f"it does not answer in {_PATIENCE} seconds"


def _last(said: bytes) -> str:
    """Return the last line of what a program said on standard error."""
    lines = [one_line(line) for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else ""
