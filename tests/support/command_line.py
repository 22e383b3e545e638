"""The command line as tests call it: in this process, as one of its own, and on a terminal; no test is here."""

import atexit
import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from places import ROOT
from typer.testing import CliRunner, Result

from gitlineage.cli.app import app

PACKAGE = ROOT


class Shell:
    """Runs commands of ``gitlineage`` in one folder."""

    def __init__(self, folder: Path, **variables: str | None) -> None:
        self.folder = folder
        self.variables = variables

    def run(self, *words: object) -> Result:
        """Run a command and return all there is to know about it."""
        return CliRunner().invoke(app, ["-C", str(self.folder), *map(str, words)], env=self.variables)

    def __call__(self, *words: object) -> str:
        """Run a command that works and return what it printed."""
        result = self.run(*words)
        assert result.exit_code == 0, result.output
        return result.stdout

    def objects(self, *words: object) -> list[dict[str, Any]]:
        """Run a command with ``--json`` and return its objects."""
        return [json.loads(line) for line in self(*words, "--json").splitlines()]

    def commit(self, *words: object) -> dict[str, Any]:
        """Record a snapshot and return it."""
        return self.objects("commit", *words)[0]

    def fails(self, code: int, *words: object) -> str:
        """Run a command that ends with an error of one line and return that line."""
        result = self.run(*words)
        assert result.exit_code == code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
        lines = result.stderr.splitlines()
        assert len(lines) == 1, result.stderr
        assert lines[0].startswith("error: ")
        return lines[0]

    def write(self, **files: str) -> None:
        """Write files into the folder, each by its name without ``.txt``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (self.folder / f"{name}.txt").write_text(text)


def campaign(folder: Path) -> Shell:
    """Return a shell on a small campaign: 000, its children 001 and 002 in a cohort, their child 003, then a crash."""
    shutil.copytree(_template(), folder, dirs_exist_ok=True)
    return Shell(folder)


@cache
def _template() -> str:
    """Record the campaign once; tests get copies of it."""
    folder = Path(tempfile.mkdtemp(prefix="gitlineage-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shell = Shell(folder)
    shell.write(a="one\n")
    shell("init", "--metric", "loss", "--writer", "alice")
    shell.commit("-m", "the baseline", "--metric", "1.20", "--specialist", "seed")
    for number, (text, metric) in enumerate((("two\n", "1.15"), ("three\n", "1.17")), 1):
        shell.write(a=text)
        shell.commit("--parents", "000", "-m", f"idea {number}", "--metric", metric, "--cohort", "ideas")
    shell.write(b="more\n")
    shell.commit("--parents", "001", "002", "-m", "cross them", "--metric", "1.10", "--role", "002=mate")
    shell.commit("--parents", "003", "-m", "too far", "--status", "crash", "--specialist", "bold")
    return str(folder)


def process(*words: object, folder: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a process of its own."""
    command = [sys.executable, "-m", "gitlineage", *map(str, words)]
    return subprocess.run(command, cwd=folder, env=environment(**variables), capture_output=True, check=False)


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment with the package on the path."""
    return {**os.environ, "PYTHONPATH": str(PACKAGE), **variables}


def on_terminal(*words: object, folder: Path, columns: int = 100, **variables: str) -> str:
    """Run a command on a pseudo-terminal and return what that showed."""
    ours, theirs = pty.openpty()
    told = environment(**{"TERM": "xterm-256color", "COLUMNS": str(columns), "GIT_PAGER": "cat", **variables})
    command = [sys.executable, "-m", "gitlineage", *map(str, words)]
    with subprocess.Popen(command, cwd=folder, env=told, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:
            pass
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")
