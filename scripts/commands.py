"""
Write docs/commands.md, every command with its arguments and options, and the answers in docs/habits.md.

Both come from the program itself; tests compare.

Run it with the Python that has gitlineage: .venv-test/bin/python scripts/commands.py
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "commands.md"
HABITS = DOCS / "habits.md"

HEAD = """# Commands

All commands, made by `scripts/commands.py` from the program itself; `gitlineage COMMAND --help` shows one.
Wherever an ID is asked for, an exp id (`015`, `exp_015`, `015@writer`), `best`, a ref, a branch or the beginning of a
commit's id will do. Where `gitlineage` is on the path, `git lineage` is the same. Before the command may stand:
"""


def page() -> str:
    """Return the text of docs/commands.md."""
    from typer.main import get_command

    from gitlineage.cli.app import CALLED_BY_PROGRAMS, COMMANDS, app

    program: Any = get_command(app)
    parts = [HEAD, *_options(program), ""]
    for panel, entries in {**COMMANDS, "Called by programs": CALLED_BY_PROGRAMS}.items():
        parts += [f"## {panel}", ""]
        for name in entries:
            parts += _command(name, program.commands[name].load(), "###")
    return "\n".join(parts)


def habits() -> str:
    """Return the text of docs/habits.md with the answers that the program gives to the calls in it."""
    from gitlineage.cli.app import COMMANDS
    from gitlineage.cli.helping import instead

    names = [name for entries in COMMANDS.values() for name in entries]
    return re.sub(
        r"^\| `([^`…]+)` \|.*$",
        lambda row: f"| `{row[1]}` | {instead(row[1].split()[0], names)} |",
        HABITS.read_text(),
        flags=re.MULTILINE,
    )


def _command(name: str, command: Any, mark: str) -> Iterator[str]:
    first, _, rest = command.help.partition("\n\n")
    yield from (f"{mark} {name}", "", f"{first}.", "")
    if rest:
        yield from (_plain(rest.strip()), "")
    if command.epilog:
        yield from ("```text", command.epilog.removeprefix("Example: "), "```", "")
    if options := list(_options(command)):
        yield from (*options, "")
    for below, each in getattr(command, "commands", {}).items():
        yield from _command(f"{name} {below}", each, "####")


def _options(command: Any) -> Iterator[str]:
    for each in command.params:
        if each.help and not getattr(each, "hidden", False):
            is_option = each.opts[0].startswith("-")
            value = each.metavar or ("" if getattr(each, "is_bool_flag", False) else "N")
            names = ", ".join(sorted([*each.opts, *each.secondary_opts], key=len)) if is_option else ""
            yield f"- `{f'{names} {value}'.strip()}`: {_plain(each.help)}{_default(each)}"


def _default(parameter: Any) -> str:
    shown = parameter.default
    says = isinstance(shown, int | str) and not isinstance(shown, bool) and shown != ""
    return f" [default: {shown}]" if says and "[default" not in parameter.help else ""


def _plain(text: str) -> str:
    """Return help as Markdown: what stands in angles is no HTML."""
    return text.replace("<", "\\<").replace("*", "\\*")


if __name__ == "__main__":
    PAGE.write_text(page())
    HABITS.write_text(habits())
    sys.stdout.write(f"wrote {PAGE} and {HABITS}\n")
