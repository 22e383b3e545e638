"""Temporary folders: gone after their use, and after their owner was killed; nobody else's are touched."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import campaign, environment, process

from gitlineage import LineageStore, Trial, scratch
from gitlineage.files import write_whole

VICTIM = """
import os, signal, sys
from pathlib import Path
from gitlineage import scratch
with scratch.folder(Path(sys.argv[1]) if sys.argv[1:] else None) as place:
    (place / "sub").mkdir()
    (place / "sub" / "file").write_text("left")
    (place / "sub").chmod(0o500)
    print(place, flush=True)
    sys.stdin.read() if sys.argv[2:] else os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have temporary files in a folder of the test's own."""
    place = tmp_path / "temp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    monkeypatch.setattr(scratch, "_swept", set())
    return place


def killed(*words: object) -> Path:
    """Return the temporary folder of a process that was killed while it used it."""
    done = subprocess.run(
        [sys.executable, "-c", VICTIM, *map(str, words)], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = Path(done.stdout.strip())
    assert (left / "sub" / "file").read_text() == "left"
    return left


def test_what_a_killed_process_left_goes_with_the_next_command(temp: Path, folder: Path) -> None:
    """The next process that records anywhere removes it, and keeps what is not ours or is in use."""
    left = killed()
    here = os.uname().nodename
    elsewhere = temp / f"gitlineage-another-{here}~99999999~abcdefgh.scratch"
    mine = [temp / "gitlineage-mine", temp / "gitlineage-abcdefgh", temp / "gitlineage-tests-x.scratch", elsewhere]
    for each in mine:
        each.mkdir()
        (each / "precious").write_text("mine")
    (temp / f"gitlineage-{here}~99999999~12345678.scratch").symlink_to(mine[0])
    (temp / f"gitlineage-{here}~99999999~87654321.scratch").write_text("a file")
    with scratch.folder() as used:
        campaign(folder)
        assert process("log", folder=folder).returncode == 0
        assert used.is_dir()
        assert not left.exists()
    assert not used.exists()
    assert all((each / "precious").exists() for each in mine)
    assert {each.name for each in temp.glob("gitlineage-*.scratch")} == {
        "gitlineage-tests-x.scratch",
        elsewhere.name,
        f"gitlineage-{here}~99999999~12345678.scratch",
        f"gitlineage-{here}~99999999~87654321.scratch",
    }


@pytest.mark.parametrize("locks", [True, False])
def test_a_living_owner_keeps_its_folder(temp: Path, monkeypatch: pytest.MonkeyPatch, locks: bool) -> None:
    """Until it is dead, however that ended, and also where locks exclude nobody, as between machines on one disk."""
    if not locks:
        monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    words = [sys.executable, "-c", VICTIM, str(temp), "waits"]
    with subprocess.Popen(words, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        place = Path(owner.stdout.readline().strip())
        scratch.sweep(str(temp))
        assert (place / "sub" / "file").exists()
        owner.kill()
        owner.wait()
        scratch.sweep(str(temp))
        assert not place.exists()


def test_what_was_left_beside_an_output_goes_with_the_next_output(temp: Path, tmp_path: Path) -> None:
    """The folder that a killed export hid beside its file is removed by the next one there."""
    place = tmp_path / "out"
    place.mkdir()
    left = killed(place)
    assert left.parent == place and left.name.startswith(".gitlineage-")
    write_whole(place / "table.tsv", b"x")
    assert [each.name for each in place.iterdir()] == ["table.tsv"]


def test_the_worktree_of_a_killed_bisect_is_forgotten(temp: Path, folder: Path, git: Callable[..., str]) -> None:
    """Git keeps no linked worktree whose checkout was left in a temporary folder."""
    campaign(folder)
    left = killed()
    (left / "sub").chmod(0o700)
    git("worktree", "add", "-q", "--detach", str(left / "at-x"), "refs/lineage/exp/000")
    git("worktree", "add", "-q", "--detach", str(temp / "kept"), "refs/lineage/exp/000")
    with LineageStore(folder) as store:
        store.append(Trial(status="discard", core_metric=9.0))
    assert not left.exists()
    assert [line for line in git("worktree", "list").splitlines() if "at-x" in line] == []
    assert "kept" in git("worktree", "list")


def test_nothing_is_left_of_ordinary_work(temp: Path, folder: Path) -> None:
    """Commands leave the folder for temporary files as they found it."""
    shell = campaign(folder)
    shell.write(a="other\n")
    shell("commit", "-m", "x", "--metric", "1")
    for words in (
        ["export", "bundle", folder.parent / "b"],
        ["log", "--graph"],
        ["restore", "000"],
        ["diff", "000", "001"],
    ):
        shell(*words)
    assert list(temp.glob("*.scratch")) == []
