"""How a command starts: what it loads, and that values which typer need not convert come out as typer's would."""

import subprocess
import sys
from copy import copy
from pathlib import Path
from typing import Any

import pytest
from command_line import campaign
from programs import every
from typer import Context, TyperException

from gitlineage.cli.parameters import make_plain

LOADED = "import sys; from gitlineage.cli import main\ntry: main()\nexcept SystemExit: print(*sorted(sys.modules))"
NUMBERS = ["0", "7", "007", "-1", "-2", "-0", "-007", "- 1", "3\n", " 3 ", "3.0", "1_0", "٣", "9" * 10]
VALUES = [None, "", "x", *NUMBERS, "日本", "\udcff"]
PARAMETERS = [
    pytest.param(command, parameter, id=f"{name} {parameter.opts[0]}")
    for name, command in every()
    for parameter in command.params
]


NEEDLESS = ("pygit2", "ssl", "hashlib", "html", "statistics", "psutil")
"""What takes long to load and an answer from a current index has no use of."""


@pytest.mark.parametrize("words", ["log -n 5", "best", "leaderboard", "children 000", "best --json"])
def test_what_an_answer_from_a_current_index_loads(words: str, tmp_path: Path) -> None:
    """Where the index is current and the repository ordinary, git's files are read and libgit2 is not loaded."""
    campaign(tmp_path)
    subprocess.run([sys.executable, "-m", "gitlineage", "best"], cwd=tmp_path, check=True, capture_output=True)
    command = [sys.executable, "-c", LOADED, *words.split()]
    loaded = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.split()
    assert "gitlineage.store.store" in loaded
    assert [name for name in NEEDLESS if name in loaded] == []


def test_a_run_converts_its_options_without_pydantic(tmp_path: Path) -> None:
    """Loading it would take as long as all else that a run does before its command."""
    campaign(tmp_path)
    words = ["run", "--if-tried", "repeat", "--repeat", "1", "--timeout", "1m", "--", "true"]
    command = [sys.executable, "-c", LOADED, *words]
    loaded = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.split()
    assert "gitlineage.run.trial" in loaded and "pydantic" not in loaded


@pytest.mark.parametrize(
    "words", ["log -n 5", "best", "children 000", "-C . show best --json", "search baseline -n 3", "log -n -1"]
)
def test_what_reading_loads(words: str, tmp_path: Path) -> None:
    """A reading command loads neither what only typer's conversion needs nor what only terminals and help do."""
    campaign(tmp_path)
    command = [sys.executable, "-c", LOADED, *words.split()]
    loaded = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.split()
    assert "gitlineage.store.store" in loaded
    assert [name for name in loaded if name.split(".")[0] in ("pydantic", "rich")] == []


@pytest.mark.parametrize(("command", "parameter"), PARAMETERS)
def test_values(command: Any, parameter: Any) -> None:
    """Whatever is given to a parameter, the command gets what it would get of typer, or the same refusal."""
    ours, typers = copy(parameter), copy(parameter)
    for each in (ours, typers):
        vars(each).pop("process_value", None)  # what an earlier command line has made of it
    make_plain(ours)
    given: list[Any] = [*VALUES, parameter.default]
    if parameter.multiple or parameter.nargs == -1:
        given = [None, (), *((value,) for value in VALUES[1:]), ("a", "7")]
    for value in given:
        assert outcome(command, ours, value) == outcome(command, typers, value)


def outcome(command: Any, parameter: Any, value: Any) -> Any:
    """Return what a parameter makes of a value, with its type, or how it is refused."""
    try:
        found = parameter.process_value(Context(command), value)
    except TyperException as error:
        return error.format_message()
    return type(found), found
