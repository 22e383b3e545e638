"""Shared fixtures: git's configuration blinded, a store with a fixed clock, and a runner for the real git."""

import importlib.util
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pygit2
import pytest
from campaigns import DATA
from remotes import NO_SSHD, SSHD, Server, bare, served

from gitlineage import LineageStore

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # as in the background of a shell: children could not be interrupted
    signal.signal(signal.SIGINT, signal.default_int_handler)

_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE")
_PEOPLE = tuple(f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL", "DATE"))
_OTHERS = ("XDG_CONFIG_HOME", "GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS", "GIT_TEMPLATE_DIR", "GIT_NOTES_REF", "EMAIL")


class Clock:
    """A clock that starts at the beginning of 2026 and goes on by a second whenever it is asked."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time, which is a second later the next time."""
        now, self.now = self.now, self.now + timedelta(seconds=1)
        return now


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the public campaigns or an optional package, where these are not here."""
    for item in items:
        if item.get_closest_marker("shared") and not DATA.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"the public campaigns are not at {DATA}"))
        for mark in item.iter_markers("extra"):
            for name in mark.args:
                if importlib.util.find_spec(name) is None:
                    item.add_marker(pytest.mark.skip(reason=f"the optional package {name} is not installed"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what soaks and the like counted, also where other processes ran them."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "counted" and report.when == "call":
                terminalreporter.write_line(str(text))


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Keep a line for the end of the run: how much was tried."""
    return lambda text: record_property("counted", text)


@pytest.fixture(scope="session", autouse=True)
def blind_git(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the configuration of whoever runs the tests away from git and libgit2, and give back the empty home."""
    home = tmp_path_factory.mktemp("home")
    levels = pygit2.enums.ConfigLevel
    with pytest.MonkeyPatch.context() as patch:
        for name in (*_REPOSITORY, *_PEOPLE, *_OTHERS):
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(home))
        (empty := home / "empty.gitconfig").touch()  # as root, git would put a file in the place of /dev/null
        patch.setenv("GIT_CONFIG_GLOBAL", str(empty))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        for level in (levels.PROGRAMDATA, levels.SYSTEM, levels.XDG, levels.GLOBAL):
            pygit2.settings.search_path[level] = str(home)
        yield home


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the test's repository is; not made yet."""
    return tmp_path / "repo"


@pytest.fixture
def git(folder: Path) -> Callable[..., str]:
    """Run the real git in the test's repository, or in ``cwd``, and return what it printed without the last newline."""

    def run(*words: str, cwd: Path | None = None, data: str | bytes | None = None, env: dict | None = None) -> str:
        given = data.encode() if isinstance(data, str) else data
        people = {name: value for name in _PEOPLE if (value := _AUTHOR.get(name.rsplit("_", 1)[1]))}
        done = subprocess.run(
            ["git", *words],
            cwd=cwd or folder,
            env={**os.environ, **people, "LC_ALL": "C", **(env or {})},
            input=given or b"",
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr.decode()}"
        return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")

    return run


_AUTHOR = {"NAME": "Someone Else", "EMAIL": "else@example.org", "DATE": "2026-01-01T12:00:00Z"}


@pytest.fixture
def open_store(folder: Path) -> Iterator[Callable[..., LineageStore]]:
    """Open stores with a fixed identity and clock; by default Alice's in the test's repository."""
    opened: list[LineageStore] = []

    def opening(path: Path | None = None, writer: str | None = "alice", **options) -> LineageStore:
        options = {"identity": ("Alice", "alice@example.org"), "clock": Clock(), **options}
        opened.append(LineageStore(path or folder, writer=writer, **options))
        return opened[-1]

    yield opening
    for each in opened:
        each.close()


@pytest.fixture
def store(open_store: Callable[..., LineageStore]) -> LineageStore:
    """Alice's store in a fresh repository."""
    return open_store()


@pytest.fixture(params=["daemon", "http", "ssh"])
def remote(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of each kind that serves the bare repository ``campaign.git``."""
    if request.param == "ssh" and SSHD is None:
        pytest.skip(NO_SSHD)
    served_folder = tmp_path / "served"
    served_folder.mkdir()
    bare(served_folder / "campaign.git")
    with served(request.param, served_folder) as server:
        for name, value in server.variables().items():
            monkeypatch.setenv(name, value)
        yield server
