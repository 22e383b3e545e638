"""
The Markdown files as tests read them: their blocks, and what their commands print; no test is here.

In a ``console`` block, lines that begin with ``$`` are commands, those that begin with ``>`` go on with one, and what
follows is what they print, where that is shown. The word after ``console`` or ``python`` says in which folder it runs:
``campaign`` and ``demo`` hold a small campaign and the demo's, ``table`` a results.tsv, ``loop`` an autoresearch loop;
without one it is a folder that is empty when the page begins. Blocks of one place run one after another in one shell.
Blocks of ``sh`` are for another time or machine, and all others are no commands: they are not run.
"""

import atexit
import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from command_line import campaign
from places import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
"""What users read."""

EVERY_FILE = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
"""All Markdown files of the repository."""

_VARYING = [
    (r"\b\d{4}-\d\d-\d\d(T| )\d\d:\d\d(:\d\d)?Z?", "DATE"),
    (r"\b[\w.]+-[0-9a-f]{6}\b", "WRITER"),
    (r"\b[0-9a-f]{7,40}\b", "OID"),
    (r"\b[\d.]+ (ms|s|min|MB|kB|KB|B|bytes)\b", "AMOUNT"),
    (r"[ \t]+", " "),
]


class Block(NamedTuple):
    """A fenced block of a page: its language, the place it runs in, its text, its first line's number."""

    language: str
    place: str
    text: str
    line: int


class Step(NamedTuple):
    """A command of a page: where it is, what it is, what is shown of its output; a Python block is one, too."""

    where: str
    command: str
    shown: list[str]


def blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = path.read_text()
    found = re.finditer(r"^```([a-z]*) ?(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(each[1], each[2], each[3], text[: each.start()].count("\n") + 2) for each in found]


def steps(path: Path) -> dict[str, list[Step]]:
    """Return what a page has to be run, by place."""
    found: dict[str, list[Step]] = {}
    for block in blocks(path):
        if block.language in ("console", "python"):
            found.setdefault(block.place, []).extend(_steps_of(block, path.name))
    return found


def _steps_of(block: Block, name: str) -> Iterator[Step]:
    if block.language == "python":
        yield Step(f"{name}:{block.line}", f"python3 - <<'END_OF_BLOCK'\n{block.text}END_OF_BLOCK", [])
        return
    commands: list[Step] = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            commands.append(Step(f"{name}:{number}", line[2:], []))
        elif line.startswith("> ") and not commands[-1].shown:
            commands[-1] = commands[-1]._replace(command=f"{commands[-1].command}\n{line[2:]}")
        else:
            commands[-1].shown.append(line)
    yield from commands


def run(asked: list[Step], place: str, folder: Path) -> list[tuple[int, list[str]]]:
    """Run steps in one shell, in a folder prepared for a place; return each one's exit code and output."""
    home, programs, where = folder / "home", folder / "programs", folder / "work"
    for each in (home, programs):
        each.mkdir(parents=True)
    (home / ".gitconfig").write_text("[user]\nname = You\nemail = you@example.org\n[init]\ndefaultBranch = main\n")
    python = shlex.quote(sys.executable)
    for name, words in (("gitlineage", " -m gitlineage"), ("git-lineage", " -m gitlineage"), ("python3", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec {python}{words} "$@"\n')
        (programs / name).chmod(0o755)
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "GITLINEAGE"))},
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "100",
    }
    _prepare(place, where, variables)
    script = "exec 2>&1\n" + "".join(f"{each.command}\nprintf '\\001%s\\n' $?\n" for each in asked)
    done = subprocess.run(["bash", "-c", script], cwd=where, env=variables, capture_output=True, check=False, stdin=-3)
    parts = re.split("\x01(\\d+)\n", done.stdout.decode())
    return [(int(code), said.splitlines()) for said, code in zip(parts[0:-1:2], parts[1::2], strict=True)]


def _prepare(place: str, folder: Path, variables: dict[str, str]) -> None:
    """Make the folder that a place is."""
    folder.mkdir()
    if place == "campaign":
        campaign(folder)
    elif place == "demo":
        shutil.copytree(_demo(variables), folder, dirs_exist_ok=True)
    elif place == "table":
        head = "exp_id\tstatus\tloss\tparent_exp\thypothesis\n"
        rows = "000\tbaseline\t1.20\t\tthe seed\n001\tkeep\t1.15\t000\twider\n002\tdiscard\t1.18\t001\ttoo wide\n"
        (folder / "results.tsv").write_text(head + rows)
        (folder / "train.py").write_text("width = 2\n")
    elif place == "loop":
        _loop(folder, variables)
    else:
        assert not place, f"{place} is no place"


def _loop(folder: Path, variables: dict[str, str]) -> None:
    """Make an autoresearch loop: a branch, a row for each commit, and a failure that was reset away."""
    rows = ["commit\tval_bpb\tmemory_gb\tstatus\tdescription"]

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=folder, env=variables, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "--quiet")
    (folder / ".gitignore").write_text("results.tsv\n")
    for rate, score, status in ((1, "1.0000", "keep"), (2, "0.9900", "keep"), (9, "1.4000", "discard")):
        (folder / "train.py").write_text(f"rate = {rate}\n")
        git("add", "--all")
        git("commit", "--quiet", "-m", f"rate {rate}")
        rows.append(f"{git('rev-parse', '--short', 'HEAD')}\t{score}\t44.0\t{status}\trate {rate}")
    git("reset", "--quiet", "--hard", "HEAD~1")
    (folder / "results.tsv").write_text("\n".join((*rows, "")))


def _demo(variables: dict[str, str]) -> Path:
    """Return the demo's campaign, which is made once for all processes of a test run."""
    run_id = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    home = Path(tempfile.gettempdir()) / f"gitlineage-demo-{os.getuid()}-{run_id}"
    home.mkdir(mode=0o700, exist_ok=True)
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    with (home / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not (home / "campaign").is_dir():
            command = ["gitlineage", "demo", str(home / "making")]
            subprocess.run(command, env=variables, check=True, capture_output=True)
            (home / "making").rename(home / "campaign")
    return home / "campaign"


def matches(shown: list[str], said: list[str]) -> bool:
    """Whether a command printed what a page shows: ``...`` stands for any lines, or for the rest of one."""
    pattern = ""
    for line in shown:
        if line.strip() == "...":
            pattern += "(?:[^\n]*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in _steady(line).split("...")) + "\n"
    return re.fullmatch(pattern, "".join(_steady(line) + "\n" for line in said)) is not None


def _steady(line: str) -> str:
    """Return a line without what differs from one run to the next."""
    for pattern, word in _VARYING:
        line = re.sub(pattern, word, line)
    return line.rstrip()
