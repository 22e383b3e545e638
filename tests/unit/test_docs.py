"""README keeps what it promises: its commands exist, its session runs, its test command is what the gate runs."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from places import ROOT

from gitlineage.journal import events as codec

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Return README's code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def run(words: list[str], folder: Path) -> str:
    """Run the command line in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "gitlineage", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout


def test_the_first_session_runs_as_it_stands(tmp_path):
    """The session in README's first block runs command by command in an empty repository."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "train.py").write_text("lr = 0.01\n")
    session = next(block for block in blocks("console") if "gitlineage commit" in block)
    for line in session.splitlines():
        command = line.removeprefix("$ ")
        if command.startswith("gitlineage "):
            run(shlex.split(command)[1:], tmp_path)
        else:
            subprocess.run(command, shell=True, cwd=tmp_path, check=True, capture_output=True)
    assert "crash" in run(["show", "002"], tmp_path)


def test_the_loop_of_three_lines_runs_as_it_stands(tmp_path, monkeypatch):
    """What README promises first: a folder with a script and no repository, three lines, a trial."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "train.py").write_text("print('val_bpb: 1.25')\n")
    loop = next(block for block in blocks("console") if "gitlineage run" in block)
    assert len(loop.splitlines()) == 3
    for line in loop.splitlines():
        run(shlex.split(line.removeprefix("$ "))[1:], tmp_path)
    assert "baseline" in run(["show", "000"], tmp_path) and "1.25" in run(["best"], tmp_path)
    assert (tmp_path / "AGENTS.md").is_file()
    assert '"files":["train.py"]' in run(["show", "best", "--json"], tmp_path), "what agents read is in no snapshot"


def test_the_library_session_runs_as_it_stands(tmp_path):
    """The Python block runs as it is."""
    (block,) = blocks("python")
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Current best: **exp_001**" in done.stdout


def test_every_command_that_readme_names_exists(tmp_path):
    """No command in README is made up, and every command of the program is reachable from its help."""
    named = set(re.findall(r"gitlineage ([a-z][a-z-]*)", README)) - {"import"}
    known = set(re.findall(r"^  ([a-z][a-z-]*)  ", run(["--help"], tmp_path), re.MULTILINE)) | {"keeps"}
    assert named - known == set()


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
