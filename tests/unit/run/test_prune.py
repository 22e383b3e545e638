"""The files of old runs go, but for the last ones and those that are not resolved."""

import os
import time

import msgspec
import pytest
from command_line import Shell

from gitlineage import LineageStore
from gitlineage.run.begin import home
from gitlineage.run.lease import Files
from gitlineage.run.prune import prune
from gitlineage.run.records import Plan, Run, State

DAY = 86_400


@pytest.fixture
def made(store, tmp_path):
    """Make a run's files that were written some days ago, perhaps in a checkout of its own."""

    def making(number: int, days: float, **facts) -> Files:
        files = Files(home(store), f"{number:03}")
        files.folder.mkdir(parents=True)
        cookie = f"{number:032x}"
        plain = Run(
            id=files.id, oid="a" * 40, tree="b" * 40, plan=Plan(command=("true",), folder="/"), cookie=cookie,
            state=State.ENDED,
        )  # fmt: skip
        files.write(msgspec.structs.replace(plain, **facts))
        files.log.write_text("said")
        then = time.time() - days * DAY
        os.utime(files.record, (then, then))
        return files

    return making


def left(store: LineageStore) -> list[str]:
    """The runs that have files."""
    return sorted(path.name for path in (home(store) / "runs").iterdir())


def test_old_ones_go_and_the_last_fifty_stay(store, made):
    """However old they are, the last fifty stay; what goes is told in one line, and nothing goes twice."""
    for number in range(60):
        made(number, 100 - number)
    told = list(prune(store.ledger))
    assert left(store) == [f"{number:03}" for number in range(10, 60)]
    assert told == ["removed the files of 10 runs older than 30 days (git config lineage.keepRuns); their rows stay"]
    assert list(prune(store.ledger)) == []


@pytest.mark.parametrize(("setting", "stay"), [("80", 60), ("all", 61), ("soon", 61), ("0.5", 50), (None, 50)])
def test_a_setting_says_how_long(store, made, setting, stay):
    """Days, or all; what is neither keeps everything and is named."""
    if setting:
        store.ledger.repo.set_config("lineage.keepRuns", setting)
    for number in range(61):
        made(number, 90.5 if not number else 60)
    told = list(prune(store.ledger))
    assert len(left(store)) == stay
    assert any("lineage.keepRuns 'soon'" in line for line in told) == (setting == "soon")


def test_what_is_not_resolved_stays(store, made):
    """Running, preempted, or with a lease: nothing of such a run is touched."""
    kept = [
        made(0, 99, state=State.RUNNING),
        made(1, 98, state=State.PREEMPTED),
        made(2, 97),
        made(3, 96),
    ]
    kept[2].lease.parent.mkdir(parents=True)
    kept[2].lease.touch()
    kept[3].record.write_text("{")
    os.utime(kept[3].record, (1, 1))
    for number in range(4, 54):
        made(number, 1)
    assert list(prune(store.ledger)) == []
    assert all(files.log.read_text() == "said" for files in kept)


def test_a_checkout_goes_with_its_run_and_no_other_folder_does(store, made, tmp_path):
    """Only a folder with the name that the run itself made up is taken for its checkout."""
    own, foreign = tmp_path / f"gitlineage-run-{0:016x}-1", tmp_path / "somebody"
    for folder in (own, foreign):
        folder.mkdir()
        (folder / "out").write_text("x")
    made(0, 99, isolated="as wanted", folder=str(own))
    made(1, 99, isolated="as wanted", folder=str(foreign))
    made(2, 99, folder=str(foreign))
    for number in range(3, 53):
        made(number, 1)
    list(prune(store.ledger))
    assert not own.exists() and (foreign / "out").exists()
    assert len(left(store)) == 50


def test_the_next_run_and_maintain_prune(tmp_path):
    """The next run does it where that was not done within the last day, maintain at once."""
    shell = Shell(tmp_path / "repo")
    shell.folder.mkdir()
    shell("init", "--metric", "loss", "--writer", "alice")
    runs = shell.folder / ".git/lineage/runs"

    def run(*options: str) -> str:
        return shell.run("run", *options, "--", "sh", "-c", "echo loss: 1").stderr

    def fill() -> None:
        for number in range(900, 955):
            (runs / str(number)).mkdir(exist_ok=True)
            (runs / f"{number}/run.json").write_bytes((runs / "000/run.json").read_bytes())
            os.utime(runs / f"{number}/run.json", (number, number))

    for _ in range(2):
        assert "removed" not in run("--if-tried", "repeat")
    fill()
    assert "removed" not in run("--if-tried", "repeat")  # within a day of the one before
    assert "removed the files of 8 runs" in shell.run("maintain").stderr
    fill()
    os.utime(shell.folder / ".git/lineage/runs-seen", (1, 1))
    assert "removed the files of 8 runs" in run("--if-tried", "repeat")
    assert (runs / "000").exists() and (runs / "003").exists()
