"""A whole campaign by scripted agents that know their doors alone: two at once, one killed in the middle."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from command_line import Shell, environment
from places import SUPPORT

from gitlineage.agents.agent import understood
from gitlineage.agents.formats import AGENTS

TRAIN = """\
import json, time
lr = json.load(open("recipe.json"))["lr"]
print("epoch 1", flush=True)
time.sleep(0.5)
print("loss:", round(1 + (lr - 0.42) ** 2, 6))
"""
IDEAS = ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "0.95"]
PATIENCE = 240


class Agent:
    """
    One scripted agent in a working tree.

    Args:
        folder: the working tree.
        variables: its environment.
        words: what it is called with.
        door: what its door says.
    """

    def __init__(self, folder: Path, variables: dict[str, str], words: list[str], door: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SUPPORT / "scripted_agent.py"), *words],
            cwd=folder,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(door)
        self.process.stdin.close()
        self.process.stdin = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        self.process.communicate()

    def until(self, word: str) -> None:
        """Wait until it says that it does something."""
        assert self.process.stdout is not None and self.process.stderr is not None
        for line in self.process.stdout:
            if line.startswith(word):
                return
        raise AssertionError(self.process.stderr.read())

    def kill(self) -> None:
        """Kill it and all that it started in its own group, as a closed terminal or a full machine does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def done(self) -> str:
        """Wait until it has worked off its ideas, and return what it said."""
        out, complaint = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, complaint
        return out


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """The environment of agents, with a `gitlineage` on the path that runs this checkout."""
    place = tmp_path / "bin"
    place.mkdir()
    program = place / "gitlineage"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m gitlineage "$@"\n')
    program.chmod(0o755)
    return environment(PATH=f"{place}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize("door", ["AGENTS.md", pytest.param("mcp", marks=pytest.mark.extra("mcp"))])
def test_a_campaign(
    folder: Path, git: Callable[..., str], variables: dict[str, str], tmp_path: Path, door: str
) -> None:
    """
    Ten ideas are tried, the lineage is whole, and no recipe is tried again once it was discarded.

    One agent reads what the session-start hook says, the other AGENTS.md or the tools of the MCP server; that one is
    killed in the middle of its second trial and begins again with nothing but its door.
    """
    folder.mkdir()
    (folder / "train.py").write_text(TRAIN)
    (folder / "recipe.json").write_text('{"lr": 1.5}\n')
    git("init", "--quiet")
    git("add", "-A")
    git("commit", "--quiet", "-m", "the seed")
    shell = Shell(folder)
    shell("init", "--metric", "loss", "--lower-is-better")
    shell("agents", "install", "--agent", "claude")
    seed = [sys.executable, "-m", "gitlineage", "run", "-m", "the seed", "--", sys.executable, "train.py"]
    subprocess.run(seed, cwd=folder, env=variables, check=True, capture_output=True)
    other = tmp_path / "other"
    git("worktree", "add", "--quiet", "--detach", str(other))

    def first() -> Agent:
        if door == "mcp":
            return Agent(folder, variables, ["--mcp", "opt", *IDEAS], "")
        return Agent(folder, variables, ["opt", *IDEAS], (folder / "AGENTS.md").read_text())

    settings = json.loads((folder / ".claude" / "settings.json").read_text())
    command = settings["hooks"]["SessionStart"][0]["hooks"][0]["command"].replace(
        shlex.quote(str(Path(sys.executable).parent / "gitlineage")), "gitlineage"
    )
    started = subprocess.run(
        command, shell=True, cwd=other, env=variables, input=b'{"source": "startup"}', capture_output=True, check=True
    )
    text = understood(AGENTS["claude"], started.stdout.decode())
    assert text is not None

    with first() as one, Agent(other, variables, ["arch", *reversed(IDEAS)], text) as two:
        one.until("ran ")
        one.until("running ")
        _wait_for(lambda: bool(shell.objects("log", "--status", "pending", "--specialist", "opt")))
        one.kill()
        with first() as again:
            assert "skipped" in again.done() + two.done()

    _wait_for(lambda: not _going(folder), lambda: shell.run("runs", "resume"))
    trials = shell.objects("log", "-n", "-1")
    assert {f"a learning rate of {idea}" for idea in IDEAS} <= {each["row"]["hypothesis"] for each in trials}
    assert all(each["status"] is not None for each in trials)
    assert not _repeated(shell)
    assert shell.objects("best")[0]["row"]["hypothesis"] == "a learning rate of 0.4"
    assert {each["row"]["specialist"] for each in trials} == {"", "opt", "claude"}
    assert shell.objects("maintain", "verify") == []
    assert git("status", "--porcelain").splitlines() == [" M recipe.json"]


def _going(folder: Path) -> list[Path]:
    """Return the leases of runs that are not resolved."""
    leases = folder / ".git" / "lineage" / "leases"
    return list(leases.iterdir()) if leases.is_dir() else []


def _wait_for(is_so: Callable[[], bool], work: Callable[[], Any] = lambda: None) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        work()
        time.sleep(0.05)


def _repeated(shell: Shell) -> list[str]:
    """Return the trials that were begun on content which had been discarded by then."""
    trees = {each["oid"]: each["tree"] for each in shell.objects("log", "-n", "-1")}
    discarded: set[str] = set()
    begun: set[str] = set()
    found = []
    for event in shell.objects("events", "--type", "trial"):
        row = event["payload"]["row"]
        tree = trees[event["oid"]]
        if row["exp_id"] not in begun and tree in discarded:
            found.append(row["exp_id"])
        begun.add(row["exp_id"])
        if row.get("status") == "discard":
            discarded.add(tree)
    return found
