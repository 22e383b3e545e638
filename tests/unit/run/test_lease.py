"""Leases: held by one process at a time, free when it dies, known to whoever comes next."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from command_line import environment

from gitlineage.run.lease import Files, Lease, is_held, recorded, unresolved
from gitlineage.run.records import Plan, Run

HOLD = "import sys; from pathlib import Path; from gitlineage.run.lease import Lease; "
HOLD += "held = Lease.take(Path(sys.argv[1])); print(held is not None, flush=True); input()"


def holder(path: Path) -> "subprocess.Popen[str]":
    """Have another process take a lease."""
    words = [sys.executable, "-c", HOLD, str(path)]
    child = subprocess.Popen(words, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "True\n"
    return child


def test_a_lease_is_free_when_its_holder_was_killed(tmp_path):
    """While it lives nobody else gets it; the kernel frees it."""
    path = Files(tmp_path, "007").lease
    with holder(path) as child:
        assert is_held(path) and Lease.take(path) is None
        child.send_signal(signal.SIGKILL)
    assert not is_held(path)
    taken = Lease.take(path)
    assert taken is not None
    taken.resolve()
    assert list(unresolved(tmp_path)) == []


def test_a_lease_is_held_for_as_long_as_whoever_inherited_it_lives(tmp_path):
    """A child that has the descriptor keeps it for its parent."""
    path = Files(tmp_path, "007").lease
    taken = Lease.take(path)
    assert taken is not None
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[taken.handle]):
        taken.release()
        assert is_held(path)
    assert not is_held(path)


def test_a_lease_of_another_machine_is_held_while_it_is_touched(tmp_path):
    """Where its lock cannot be seen, the time says it."""
    path = Files(tmp_path, "007").lease
    path.parent.mkdir()
    path.write_text("elsewhere 1234\n")
    assert is_held(path) and Lease.take(path) is None
    os.utime(path, (1, 1))
    assert not is_held(path)


def test_any_id_has_files_of_its_own(tmp_path):
    """A path, dots, a long name: each is one name below the folder."""
    ids = ["a/b", "..", ".", "a%2Fb", "x" * 200, "x" * 199 + "/", "ü" * 90, "001@bob"]
    folders = {Files(tmp_path, id).folder for id in ids}
    assert len(folders) == len(ids)
    for folder in folders:
        assert folder.parent == tmp_path / "runs" and folder.name not in (".", "..")
        folder.mkdir(parents=True)


def test_runs_are_in_the_order_in_which_they_began(tmp_path):
    """Whichever ended last, and also where only the first few are asked for; what never began stands by its file."""
    plan = Plan(command=("true",), folder="/")
    for name, began, written in (("a", 100.0, 900.0), ("b", 300.0, 310.0), ("c", 200.0, 800.0), ("d", 0.0, 250.0)):
        files = Files(tmp_path, name)
        files.folder.mkdir(parents=True)
        files.write(Run(id=name, oid="", tree="", plan=plan, cookie="", began=began))
        os.utime(files.record, (written, written))
    assert [[run.id for run in recorded(tmp_path, limit)] for limit in (None, 1, 2)] == [
        list("bdca"),
        ["b"],
        ["b", "d"],
    ]
