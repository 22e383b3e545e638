"""The gate of a run: what was tried already is refused with its result, what is nearly the same is told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Shell, process

from gitlineage import AlreadyTried, LineageStore
from gitlineage.run.records import IfTried, Plan
from gitlineage.run.trial import run

COMMAND = (sys.executable, "-c", "print('loss: 0.5')")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Return a shell in a repository whose task is ``loss``, in which one trial was run."""
    shell = Shell(tmp_path / "repo")
    shell.folder.mkdir()
    (shell.folder / "train.py").write_text("".join(f"line {at}\n" for at in range(9)))
    shell("init", "--metric", "loss", "--lower-is-better", "--writer", "alice")
    done = process("run", "-m", "a longer warmup", "--", *COMMAND, folder=shell.folder)
    assert done.returncode == 0, done.stderr
    return shell


def test_the_same_again_is_refused_with_its_result(shell: Shell) -> None:
    """Exit code 1, one line with the trial and its score, and nothing recorded; another command or content runs."""
    again = process("run", "--", *COMMAND, folder=shell.folder)
    assert again.returncode == 1
    (line,) = again.stderr.decode().splitlines()
    assert "000 tried this content with this command: baseline, loss 0.5" in line and "--if-tried repeat" in line
    assert [each["id"] for each in shell.objects("log")] == ["000"]
    assert not (shell.folder / ".git/lineage/runs/001").exists()
    other = (*COMMAND[:2], "print('loss: 0.6')")
    assert process("run", "--", *other, folder=shell.folder).returncode == 0
    shell.write(more="x")
    assert process("run", "--", *COMMAND, folder=shell.folder).returncode == 0


def test_repeat_makes_a_replicate_and_warn_says_so(shell: Shell) -> None:
    """Both run on the snapshot that is there; a warning names the trial and its result."""
    quiet = process("run", "--json", "--if-tried", "repeat", "--", *COMMAND, folder=shell.folder)
    assert quiet.returncode == 0 and b"tried" not in quiet.stderr
    first = shell.objects("log")[-1]
    assert json.loads(quiet.stdout)["oid"] == first["oid"]
    warned = process("run", "--if-tried", "warn", "--", *COMMAND, folder=shell.folder)
    assert warned.returncode == 0
    assert "001 tried this content with this command: discard, loss 0.5" in warned.stderr.decode()


def test_what_never_ran_was_not_tried(shell: Shell) -> None:
    """A command that could not be started, or whose environment failed its check, may be run once that is mended."""
    shell.write(other="x")
    for _ in range(2):
        done = process("run", "--check", "before:false", "--", *COMMAND, folder=shell.folder)
        assert done.returncode == 0, done.stderr


def test_near_ones_are_told(shell: Shell) -> None:
    """The same edit from another recipe, and nearly the same words; it runs all the same."""
    lines = [f"line {at}\n" for at in range(9)]
    (shell.folder / "train.py").write_text("".join([*lines[:3], "three\n", *lines[4:]]))
    worse = (*COMMAND[:2], "print('loss: 0.9')")
    assert process("run", "-m", "three", "--parents", "000", "--", *worse, folder=shell.folder).returncode == 0
    (shell.folder / "train.py").write_text("".join([*lines[:8], "eight\n"]))
    better = (*COMMAND[:2], "print('loss: 0.4')")
    assert process("run", "-m", "eight", "--parents", "000", "--", *better, folder=shell.folder).returncode == 0
    (shell.folder / "train.py").write_text("".join([*lines[:3], "three\n", *lines[4:8], "eight\n"]))
    both = process("run", "-m", "a longer warmup, again", "--parents", "002", "--", *better, folder=shell.folder)
    assert both.returncode == 0
    said = both.stderr.decode()
    assert "001 made the same edit elsewhere: discard, loss 0.9" in said
    assert "000 has nearly the same hypothesis: baseline, loss 0.5" in said


def test_the_library_raises_what_was_found(shell: Shell) -> None:
    """The error names the trial and its result; a plan may ask for a replicate."""
    store = LineageStore(shell.folder)
    plan = Plan(command=COMMAND, folder=str(shell.folder))
    with pytest.raises(AlreadyTried) as caught:
        run(store, plan)
    assert (caught.value.trial, caught.value.result) == ("000", "baseline, loss 0.5")
    again = run(store, Plan(command=COMMAND, folder=str(shell.folder), if_tried=IfTried.REPEAT))
    assert again.id == "001" and again.score == "0.5"


def test_a_script_that_git_ignores_is_never_tried(shell: Shell) -> None:
    """No snapshot tells what it was, so the same again runs, and both `run` and `tried` say why."""
    (shell.folder / ".gitignore").write_text("mine.py\nlocal/\n.venv/\n")
    (shell.folder / "mine.py").write_text("print('loss: 0.7')\n")
    (shell.folder / "local").mkdir()
    (shell.folder / "local/part.py").write_text("print('loss: 0.6')\n")
    (shell.folder / ".venv/bin").mkdir(parents=True)
    (shell.folder / ".venv/pyvenv.cfg").touch()
    (shell.folder / ".venv/bin/tool").write_text(f"#!{sys.executable}\nprint('loss: 0.6')\n")
    (shell.folder / ".venv/bin/tool").chmod(0o755)
    for words, named in (
        ([sys.executable, "mine.py"], "mine.py"),
        ([sys.executable, "-m", "local.part"], "local/part.py"),
        (["sh", "-c", f"exec {sys.executable} mine.py"], "mine.py"),
    ):
        for _ in range(2):
            done = process("run", "--", *words, folder=shell.folder)
            assert done.returncode == 0
            assert f"the command names what no snapshot has, because git ignores it: {named};" in done.stderr.decode()
    told = process("tried", "--command", f"{sys.executable} mine.py", folder=shell.folder)
    assert "git ignores it: mine.py" in told.stderr.decode()
    assert process("run", "--", ".venv/bin/tool", folder=shell.folder).returncode == 0
    assert process("run", "--", ".venv/bin/tool", folder=shell.folder).returncode == 1


def test_tried_says_under_which_command_and_where_it_cannot_tell(shell: Shell) -> None:
    """Equal content under any command is shown with that; a changed repository inside leaves it open."""
    said = process("tried", folder=shell.folder).stdout.decode()
    assert said.startswith("tried: equal content, by `") and "another --command is another trial" in said
    other = process("run", "--", *COMMAND[:2], "print('loss: 0.9')", folder=shell.folder)
    assert "another run of 000 (equal content, another command)" in other.stderr.decode()
    third = process("run", "--", *COMMAND[:2], "print('loss: 0.8')", folder=shell.folder)
    assert "same edit" not in third.stderr.decode()
    again = process("run", "--if-tried", "repeat", "--", *COMMAND, folder=shell.folder)
    assert "replicate of 000 (equal content, same command)" in again.stderr.decode()
    inside = Shell(shell.folder / "lib")
    inside.folder.mkdir()
    identity = {
        "GIT_AUTHOR_NAME": "A",
        "GIT_AUTHOR_EMAIL": "a@b.c",
        "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@b.c",
    }
    for words in (["init", "-q"], ["commit", "-qm", "first", "--allow-empty"]):
        subprocess.run(["git", *words], cwd=inside.folder, check=True, env={**os.environ, **identity})
    assert process("run", "--", *COMMAND, folder=shell.folder).returncode == 0
    assert shell.objects("tried")[0]["tried"]
    (inside.folder / "new.py").write_text("x")
    (told,) = shell.objects("tried")
    assert not told["tried"] and told["same"] and list(told["untold"]) == ["lib"]
    assert "no snapshot tells of the code in lib (" in shell("tried").splitlines()[0]
