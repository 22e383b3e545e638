"""Ctrl-C at any line of a write: the store goes on, other processes go on, and what was recorded is there whole."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import gitlineage
from gitlineage import LineageStore, Trial

HOME = os.path.dirname(gitlineage.__file__)
SOAK = os.environ.get("GITLINEAGE_SOAK", "0") not in ("", "0")
EVERY = 1 if SOAK else 12
"""Which part of the lines is interrupted; all of them with ``GITLINEAGE_SOAK=1``."""

CLOSELY = ("landing.py", "locks.py")
"""Modules of which every line is."""

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
Place = tuple[str, int]


class Lines:
    """
    Counts the lines of gitlineage that are run, and interrupts one of them.

    Args:
        at: which line is interrupted, and before which of its runs; ``None`` for none.
    """

    def __init__(self, at: tuple[Place, int] | None = None) -> None:
        self.seen: Counter[Place] = Counter()
        self._at = at
        self.is_done = False

    def __enter__(self) -> "Lines":
        self._old = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._old)

    def _call(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(HOME) and not self.is_done else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line" and not self.is_done:
            place = os.path.basename(frame.f_code.co_filename), frame.f_lineno
            self.seen[place] += 1
            if self._at is not None and self._at[0] == place and self.seen[place] == self._at[1]:
                self.is_done = True
                raise KeyboardInterrupt
        return self._line


def row(exp_id: str, **cells: object) -> Trial:
    """Return a row."""
    return Trial(exp_id, status="discard", core_metric=2.0, **cells)


def open_at(root: Path, writer: str) -> LineageStore:
    """Open a store of a writer."""
    return LineageStore(root, writer=writer, identity=(writer.title(), f"{writer}@example.org"))


def append(store: LineageStore, name: str) -> None:
    """Record one trial with a file, in a new cohort."""
    store.commit({"f": name.encode()}, ["000"], trial=row(name), cohort=f"cohort-{name}")


def batch(store: LineageStore, name: str) -> None:
    """Record two trials at once, the second a child of the first."""
    with store.batch():
        store.append(row(name, parent_exp="000"))
        store.commit({"f": name.encode()}, [name], trial=row(f"{name}-2"))


def names(store: LineageStore) -> set[str]:
    """Return the exp ids of a store."""
    return {trial.exp_id for trial in store.all_trials()}


def in_a_process(root: Path, name: str) -> int:
    """Record something in another process; it ends with 0 where that went well."""
    child = os.fork()
    if child == 0:
        try:
            with open_at(root, "carol") as store:
                store.append(row(name))
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@forks
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file is left to be closed by Python
@pytest.mark.parametrize("work", [append, batch])
def test_any_line_of_a_write(
    tmp_path: Path, work: Callable[[LineageStore, str], None], counted: Callable[[str], None]
) -> None:
    """A line in `EVERY` is interrupted when it is first run, or last; another process and the same store record."""
    with open_at(tmp_path / "repo", "alice") as store, open_at(tmp_path / "repo", "bob") as other:
        store.append(Trial("000", status="baseline", core_metric=1.0))
        other.append(row("bob"))
        work(store, "warm")
        with Lines() as lines:
            work(store, "counted")
        places = sorted({(place, at) for place, count in lines.seen.items() for at in (1, count)})
        assert len(places) > 1000
        second = {"-2"} if work is batch else set()
        wanted = {"000", "bob", "warm", "counted"} | {f"{name}{end}" for name in ("warm", "counted") for end in second}
        interrupted = 0
        for number, at in enumerate(places):
            if number % EVERY and at[0][0] not in CLOSELY:
                continue
            interrupted += 1
            name = f"t{number}"
            made = {name} | {f"{name}{end}" for end in second}
            is_told = False
            with Lines(at):
                try:
                    work(store, name)
                except KeyboardInterrupt:
                    is_told = True
            store.append(row(f"a{number}"))
            other.append(row(f"b{number}"))
            wanted |= {f"a{number}", f"b{number}"}
            if number % 50 == 0:
                assert in_a_process(store.root, f"p{number}") == 0
                wanted.add(f"p{number}")
            found = names(store)
            if made & found or not is_told:
                wanted |= made
            assert found == wanted, at
        assert store.verify() == other.verify() == []
        counted(f"{interrupted:,} of {len(places):,} lines of a write interrupted: {work.__name__}")


HOOK = """
import os, signal, sys
module = sys.argv[1]
class Finder:
    def find_spec(name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder)
sys.argv[:2] = ["gitlineage"]
from gitlineage.cli import main
main()
"""


@pytest.mark.parametrize(
    "module",
    ["gitlineage.cli.app", "typer", "pygit2", "msgspec", "gitlineage.cli.look", "gitlineage.store.store", "sqlite3"],
)
def test_a_command_that_is_being_loaded(tmp_path: Path, module: str) -> None:
    """Ctrl-C while a module is imported ends it by the signal, or with 130, and shows nothing."""
    words = [sys.executable, "-c", HOOK, module, "log"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode in (-signal.SIGINT, 130)
    assert done.stdout + done.stderr == b""


NEW = "import sys; old = set(sys.modules); {}; print(*sorted(set(sys.modules) - old))"


@pytest.mark.parametrize(
    ("work", "loaded"),
    [
        ("import gitlineage", "gitlineage gitlineage._version"),
        ("import gitlineage.cli", "gc gitlineage gitlineage._version gitlineage.cli"),
    ],
)
def test_nothing_is_loaded_before_ctrl_c_is_minded(work: str, loaded: str) -> None:
    """Until the command line has taken care of the signal, a few lines of ours are run, and nothing is imported."""
    words = [sys.executable, "-c", f"import importlib.machinery, importlib.util\n{NEW.format(work)}"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() == loaded


def test_a_command_that_ends(tmp_path: Path) -> None:
    """Ctrl-C while a command that is done is being left shows nothing, either."""
    script = "import atexit, os, signal\natexit.register(os.kill, os.getpid(), signal.SIGINT)\n"
    script += "from gitlineage.cli import main\nmain()"
    words = [sys.executable, "-c", script, "--version"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGINT and done.stderr == ""


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    """A command in the background of a script, which has Ctrl-C ignored, goes on."""
    words = [sys.executable, "-c", f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{HOOK}"]
    done = subprocess.run([*words, "pygit2", "--version"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0 and done.stdout.startswith(b"gitlineage ")
