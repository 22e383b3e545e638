"""The loops of examples/ as a user starts them: in a shell, and as array tasks of a batch system that requeues."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import Shell, environment
from places import ROOT

EXAMPLES = ROOT / "examples"
TRAIN = """
import os, time
lr = 0.5
if os.environ.get("SLOW"):
    open(os.environ["SLOW"], "w").close()
    time.sleep(60)
print("loss:", (lr - 0.02) ** 2)
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in a campaign with a baseline, and a bare remote that it is pushed to."""
    shell = Shell(tmp_path / "campaign")
    shell.folder.mkdir()
    (shell.folder / "train.py").write_text(TRAIN)
    shell("init", "--metric", "loss", "--lower-is-better", "--writer", "head")
    shell("commit", "-m", "the seed", "--metric", "0.2304")
    return shell


@pytest.fixture
def remote(shell: Shell, tmp_path: Path) -> Path:
    """Its remote."""
    bare = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", str(bare)], check=True)
    subprocess.run(["git", "-C", str(shell.folder), "remote", "add", "origin", str(bare)], check=True)
    shell("push", "origin")
    return bare


def variables(tmp_path: Path, **more: str) -> dict[str, str]:
    """Return an environment in which ``gitlineage`` and ``python3`` are this interpreter's."""
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    for name, words in {"gitlineage": "-m gitlineage ", "python3": ""}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words}"$@"\n')
        (programs / name).chmod(0o755)
    return environment(PATH=f"{programs}{os.pathsep}{os.environ['PATH']}", **more)


def sbatch(task: int, shell: Shell, tmp_path: Path, **more: str) -> "subprocess.Popen[str]":
    """Start a task of the array as SLURM does: the script, its words, and the variables that say which task it is."""
    words = ["bash", str(EXAMPLES / "slurm_array.sh"), str(shell.folder), "0.01", "0.03"]
    which = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": str(task), "SLURM_JOB_ID": str(70 + task)}
    told = variables(tmp_path, **which, **more)
    return subprocess.Popen(words, env=told, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(task: "subprocess.Popen[str]") -> str:
    """Wait for a task that works, and return what it said."""
    said, _ = task.communicate(timeout=120)
    assert task.returncode == 0, said
    return said


def test_the_bash_loop(shell: Shell, tmp_path: Path) -> None:
    """Each rate is a trial from the best so far, a keep where it is better, and the files are the best's at the end."""
    words = ["sh", str(EXAMPLES / "loop.sh"), "0.1", "0.9", "0.02"]
    done = subprocess.run(words, env=variables(tmp_path), cwd=shell.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    trials = shell.objects("log")[::-1]
    assert [each["status"] for each in trials] == ["baseline", "keep", "discard", "keep"]
    assert [each["parent"] for each in trials] == [None, "000", "001", "001"]
    assert "lr = 0.02" in (shell.folder / "train.py").read_text()
    assert len((EXAMPLES / "loop.sh").read_text().splitlines()) <= 12


def test_array_tasks_meet_in_the_remote(shell: Shell, remote: Path, tmp_path: Path) -> None:
    """Two tasks at once, each in a clone by reference under a name of its own; both trials are everybody's."""
    for task in [sbatch(at, shell, tmp_path) for at in (1, 2)]:
        ended(task)
    alternates = (tmp_path / "s7-1/.git/objects/info/alternates").read_text()
    assert str(shell.folder) in alternates
    shell("sync")
    found = {each["exp_id"]: each for each in shell.objects("log")}
    assert {"s7-1", "s7-2"} < set(found)
    assert {found[name]["writer"] for name in ("s7-1", "s7-2")} == {"s7-1", "s7-2"}
    assert found["s7-1"]["row"]["hypothesis"] == "lr = 0.01"


def test_a_requeued_task_goes_on_as_the_same_trial(shell: Shell, remote: Path, tmp_path: Path) -> None:
    """A task that is told to end leaves its trial pending, and the requeued one gives it its result: one trial."""
    slow = tmp_path / "slow"
    first = sbatch(1, shell, tmp_path, SLOW=str(slow))
    deadline = time.monotonic() + 60
    try:
        while not slow.exists() and first.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        first.terminate()
        first.communicate(timeout=60)
    ended(sbatch(1, shell, tmp_path, SLURM_RESTART_COUNT="1"))
    shell("sync")
    (trial,) = [each for each in shell.objects("log") if each["exp_id"] == "s7-1"]
    assert trial["status"] == "keep"


def test_nodes_without_a_network_leave_bundles(shell: Shell, remote: Path, tmp_path: Path) -> None:
    """With OFFLINE, no remote is asked, and what the task recorded comes in by its bundle."""
    remote.rename(tmp_path / "away.git")
    ended(sbatch(2, shell, tmp_path, OFFLINE="1"))
    shell("import", "bundle", shell.folder / "bundles/s7-2.bundle")
    assert "s7-2" in {each["exp_id"] for each in shell.objects("log")}


@pytest.mark.extra("submitit")
def test_submitit(shell: Shell, remote: Path, tmp_path: Path) -> None:
    """The same by submitit, here in local processes."""
    words = [sys.executable, str(EXAMPLES / "slurm_submitit.py"), str(remote), str(tmp_path / "work")]
    told = environment()
    done = subprocess.run(
        [*words, "--rates", "0.01", "0.02", "--cluster", "local"], env=told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "best: m1 of 3 trials" in done.stdout


def test_a_clone_by_reference_reads_it_in_place(shell: Shell, remote: Path, tmp_path: Path) -> None:
    """--reference saves the objects, --writer says who records; bad ones are refused in one line."""
    there = Shell(tmp_path / "there")
    shell("clone", remote, there.folder, "--writer", "node-1", "--reference", shell.folder)
    assert str(shell.folder) in (there.folder / ".git/objects/info/alternates").read_text()
    assert there.objects("status")[0]["writer"] == "node-1"
    assert there.objects("best")[0]["id"] == "000"
    assert "--writer" in shell.fails(2, "clone", remote, tmp_path / "x", "--writer", "no such name!")
    assert "nowhere" in shell.fails(2, "clone", remote, tmp_path / "x", "--reference", tmp_path / "nowhere")
    assert not (tmp_path / "x").exists()
