"""
A coding agent in a few lines, as a program: it knows what its door told it, and nothing else of gitlineage.

``scripted_agent.py ROLE IDEA...`` reads its door's text from standard input, takes from it the commands that it is told
to use, and tries each idea that nobody has tried: a learning rate that it writes into ``recipe.json``.
``scripted_agent.py --mcp ROLE IDEA...`` has an MCP server for a door instead.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "train.py"]


def change(idea: str) -> str:
    """Change the recipe, and return the idea in words."""
    Path("recipe.json").write_text(f'{{"lr": {idea}}}\n')
    return f"a learning rate of {idea}"


def commands(text: str) -> list[list[str]]:
    """Return the commands that a text tells of, each as its words."""
    return [shlex.split(found) for found in re.findall(r"`(gitlineage [^`\n]*)`", text)]


def told(known: list[list[str]], *words: str) -> list[str] | None:
    """Return the command that was told of last and begins so."""
    found = [each for each in known if tuple(each[1 : 1 + len(words)]) == words]
    return found[-1] if found else None


def filled(command: list[str], idea: str) -> list[str]:
    """Return a command with the idea where it has text of its own, and what to run in the place of ``COMMAND``."""
    words = [idea if at and command[at - 1] == "-m" else word for at, word in enumerate(command)]
    return [each for word in words for each in (COMMAND if word == "COMMAND" else [word])]


REFUSED = "tried this content with this command"
"""What is said where another agent was faster."""


def said(command: list[str]) -> str:
    """Run a command and return what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and REFUSED not in done.stderr:
        sys.exit(f"{shlex.join(command)}: {done.stderr}")
    return done.stdout + done.stderr


def by_text(role: str, ideas: list[str]) -> None:
    """Work with the commands that a text tells of."""
    text = sys.stdin.read()
    if (prompt := told(commands(text), "prompt")) is not None:
        text += said([role if word == "agent" else word for word in prompt])
    known = commands(text)
    asking, running = told(known, "tried", "-m"), told(known, "run", "-m")
    assert asking is not None and running is not None, f"the door does not say how to ask and to run:\n{text}"
    looking = told(known, "tried", ".")
    for idea in ideas:
        words = change(idea)
        if words in said(filled(asking, words)):
            print(f"skipped {idea}", flush=True)
            continue
        if looking is not None and said(looking).startswith(("tried", "waited for")):
            print(f"skipped {idea}", flush=True)
            continue
        print(f"running {idea}", flush=True)
        refused = REFUSED in said(filled(running, words))
        print(f"{'skipped' if refused else 'ran'} {idea}", flush=True)


def by_tools(role: str, ideas: list[str]) -> None:
    """Work with the tools of an MCP server."""
    import anyio
    from mcp import Client, StdioServerParameters

    async def ask(client: Any, name: str, **arguments: Any) -> Any:
        answer = await client.call_tool(name, arguments)
        if answer.is_error and REFUSED not in answer.content[0].text:
            sys.exit(answer.content[0].text)
        return answer.structured_content

    async def working() -> None:
        async with Client(StdioServerParameters(command="gitlineage", args=["mcp"])) as client:
            for idea in ideas:
                words = change(idea)
                known = await ask(client, "tried", hypothesis=words, folder=".")
                if known["same"] or known["going"] or words in [each["hypothesis"] for each in known["alike"]]:
                    print(f"skipped {idea}", flush=True)
                    continue
                print(f"running {idea}", flush=True)
                run = await ask(client, "run_start", command=COMMAND, hypothesis=words, specialist=role)
                while run is not None and not run["ended"]:
                    run = await ask(client, "run_wait", id=run["id"])
                print(f"{'skipped' if run is None else 'ran'} {idea}", flush=True)

    anyio.run(working)


if __name__ == "__main__":
    if sys.argv[1] == "--mcp":
        by_tools(sys.argv[2], sys.argv[3:])
    else:
        by_text(sys.argv[1], sys.argv[2:])
