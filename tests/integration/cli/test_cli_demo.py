"""The command demo."""

import re
import subprocess
from pathlib import Path

from command_line import Shell, process


def test_the_demo_and_what_it_says_to_try(tmp_path: Path) -> None:
    """It runs trials, prints the prompt and the place, and every git command it prints works."""
    done = process("demo", folder=tmp_path)
    printed = done.stdout.decode()
    assert done.returncode == 0, done.stderr.decode()
    assert len(re.findall(r"^\d{3} [a-z_]+ ", printed, re.MULTILINE)) >= 20
    assert "# Session start" in printed
    assert f"The repository is in {tmp_path / 'gitlineage-demo'}" in printed
    commands = re.findall(r"^  (git -C .*)$", printed, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        found = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, check=False)
        assert found.returncode == 0 and found.stdout, found.stderr.decode()
    assert "All scores, and the best so far:" in printed and "Where the best came from:" in printed
    assert (tmp_path / "gitlineage-demo" / "report.html").read_bytes().startswith(b"<!doctype html>")
    (again,) = re.findall(r"^Run any of them again, here 015: (.*)$", printed, re.MULTILINE)
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}  # of no environment, and with no program on the path
    found = subprocess.run(again, shell=True, cwd=tmp_path, env=bare, capture_output=True, check=False)
    assert found.returncode == 0 and b"val_bpb" in found.stdout, found.stderr.decode()
    store = Shell(tmp_path / "gitlineage-demo")
    assert "report.html" not in store("commit", "-m", "as it is", "--json")
    statuses = {each["status"] for each in Shell(tmp_path / "gitlineage-demo").objects("log", "-n", "-1")}
    assert {"baseline", "keep", "discard", "crash"} <= statuses


def test_it_takes_no_folder_with_files_in_it(tmp_path: Path) -> None:
    """A folder that is not empty is refused and left alone."""
    (tmp_path / "mine").write_text("mine")
    assert "is not empty" in Shell(tmp_path).fails(1, "demo", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
