"""Pages keep what they promise: what they name exists, and README's test command is what the gate runs."""

import os
import re
import shlex
import subprocess
import sys
from functools import cache

import pages
import pytest
from places import ROOT
from programs import every
from typer.main import get_command

import gitlineage
from gitlineage import errors, house
from gitlineage._version import __version__
from gitlineage.cli.app import app
from gitlineage.cli.helping import TOPICS
from gitlineage.journal import events as codec

README = (ROOT / "README.md").read_text()


def test_readme_is_read_in_minutes():
    """README has at most 700 words, of which signs of tables and pictures are none."""
    assert sum(bool(re.search(r"\w", word)) for word in README.split()) <= 700


def test_the_list_of_commands_is_the_programs():
    """docs/commands.md is what scripts/commands.py writes: run that after changing a command or an option."""
    made = subprocess.run(
        [sys.executable, "-c", "import commands, sys; sys.stdout.buffer.write(commands.page().encode())"],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'scripts'}"},
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert (ROOT / "docs" / "commands.md").read_text() == made, "type: .venv-test/bin/python scripts/commands.py"


def test_the_reference_has_every_public_name():
    """docs/api.md shows all that `gitlineage` exports, from its docstrings, and nothing else."""
    text = (ROOT / "docs" / "api.md").read_text()
    shown = set(re.findall(r"^\.\. auto(?:class|data):: gitlineage\.(\w+)$", text, re.MULTILINE))
    assert "automodule:: gitlineage.errors" in text
    assert shown | {name for name in gitlineage.__all__ if hasattr(errors, name)} == {*gitlineage.__all__} - {
        "__version__"
    }


def test_one_version_everywhere():
    """What is cited is what the program says that it is; the registry's file is held by the tests of MCP."""
    assert f"\nversion: {__version__}\n" in (ROOT / "docs" / "CITATION.cff").read_text()


@pytest.mark.parametrize("path", pages.EVERY_FILE, ids=lambda path: path.name)
def test_names_in_every_page_exist(path):
    """Commands, their options, git's configuration, refs and variables that a page names are those of the program."""
    text = path.read_text()
    lines = [line for each in pages.blocks(path) for line in each.text.splitlines()]
    spans = [*re.findall(r"`([^`\n]+)`", text), *lines]
    wrong = [what for span in spans for what in _unknown_in(span)]
    wrong += sorted({f"git config {key}" for key in re.findall(r"`(?:git config )?lineage\.(\w+)", text)} - _settings())
    wrong += sorted(set(re.findall(r"\bGITLINEAGE_[A-Z_]+", text)) - _variables())
    for ref in re.findall(r"refs/(?:notes/)?lineage/([a-z]+)", text):
        if f"refs/lineage/{ref}" in text and ref not in REFS:
            wrong.append(f"refs/lineage/{ref}")
    assert wrong == []


GITS_OPTIONS = {"--mirror", "--prune", "--depth", "--force", "--unshallow", "--worktree", "--filter", "--global"}
"""Options that pages name without the git command in front."""

REFS = {"own", "remotes", "best", "exp", "cohorts", "campaigns", "archive"}


def _unknown_in(span):
    """Return the commands and options in a span or a line that there are none of."""
    known = _options()
    for part in re.findall(r"(?:gitlineage|git lineage)((?: +[^ |;&`]+)+)", f" {span}"):
        words = shlex.split(part.split(" #")[0].split(" -- ")[0].replace("'", "").replace('"', ""))
        while words and words[0] in ("-C", "--campaign"):
            words = words[2:]
        if not words or not re.fullmatch(r"[a-z][a-z-]*", words[0]):
            continue
        name = words[0]
        if name not in known:
            yield f"gitlineage {name}"
            continue
        if len(words) > 1 and f"{name} {words[1]}" in known:
            name = f"{name} {words[1]}"
        for word in words:
            option = word.split("=")[0].rstrip(".,:;)")
            if re.fullmatch(r"--[a-z][a-z-]+", option) and option not in known[name]:
                yield f"gitlineage {name} {option}"
    option = re.split("[ =,]", span.strip())[0]
    anywhere = GITS_OPTIONS.union(*known.values())
    if re.fullmatch(r"--[a-z][a-z-]+", option) and option not in anywhere:
        yield option


@cache
def _options():
    """Return the options of each command, by its whole name; a group has those of its commands."""
    program = get_command(app)
    found = {"": {option for each in program.params for option in each.opts}}
    for name, command in every():
        options = {"--help", *(option for each in command.params for option in (*each.opts, *each.secondary_opts))}
        found[name] = options
        found.setdefault(name.split()[0], set()).update(options)
    return found


@cache
def _code():
    return "\n".join(path.read_text() for path in (ROOT / "gitlineage").rglob("*.py"))


def _settings():
    """Return the names of git's configuration that the code reads."""
    return {f"git config {key.removeprefix('lineage.')}" for key in _keys()}


def _keys():
    """Return the keys of git's configuration that the house has, whole."""
    return {value for value in vars(house).values() if str(value).startswith("lineage.")}


def test_every_setting_is_said_once_and_has_its_line_in_the_docs():
    """A key is spelt out in one module; the page of settings and `help config` have each of them."""
    spelt = set(re.findall(r"\"(lineage\.[A-Za-z]+)\"", _code()))
    assert spelt == _keys()
    elsewhere = [path for path in (ROOT / "gitlineage").rglob("*.py") if path.name != "house.py"]
    assert [path for path in elsewhere if re.search(r"\"lineage\.[A-Za-z]+\"", path.read_text())] == []
    lines = re.findall(r"^\| `(lineage\.\w+)` ", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE)
    assert sorted(lines) == sorted(_keys())
    assert {key for key in _keys() if key.removeprefix("lineage.") not in TOPICS["config"]} == set()


def _variables():
    """Return the variables of the environment that the code or the tests read."""
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    return set(re.findall(r"\bGITLINEAGE_[A-Z_]+", _code() + tests))


def test_the_gate_runs_the_test_command_of_readme():
    """`.ci/run` takes the command from README's first screen and keeps no copy of it."""
    gate = (ROOT / ".ci" / "run").read_text()
    lines = [line for line in README.splitlines() if "-m pytest" in line]
    assert len(lines) == 1
    assert README.splitlines().index(lines[0]) < 25
    assert "grep -m1 -e '-m pytest' README.md" in gate
    assert lines[0] not in gate


def test_every_number_that_is_cited_has_a_heading():
    """``semantics N`` and ``design N``, wherever the code or a test says it, is a heading of docs/."""
    headings = {
        name: set(re.findall(r"^##+ (\d+b?)\. ", (ROOT / "docs" / f"{name}.md").read_text(), re.MULTILINE))
        for name in ("semantics", "design")
    }
    cited = re.compile(r"\b(semantics|design) (\d+b?(?:(?:, | and |[-–])\d+b?)*)", re.IGNORECASE)
    missing = []
    for path in [*(ROOT / "gitlineage").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        for name, numbers in cited.findall(path.read_text()):
            unknown = set(re.findall(r"\d+b?", numbers)) - headings[name.lower()]
            missing += [f"{path.name}: {name} {number}" for number in sorted(unknown)]
    assert missing == []


def test_the_data_model_shows_every_event():
    """docs/data-model.md has an example of each type of event, and each is one, in its canonical bytes."""
    text = (ROOT / "docs" / "data-model.md").read_text()
    lines = [
        line.encode()
        for block in re.findall(r"^```json\n(.*?)^```", text, re.M | re.S)
        for line in block.split("\n")
        if line
    ]
    events = [codec.decode(line) for line in lines]
    assert {type(event) for event in events} == set(codec.AnyEvent.__args__)
    assert [codec.encode(event) for event in events] == lines
    for event in events:
        assert f"`{event.__struct_config__.tag}`" in text
