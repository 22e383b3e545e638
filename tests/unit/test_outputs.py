"""gitlineage.files: what a user names as an output file stays what it is, and is never seen half written."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Shell, campaign, environment
from openrange_stores import put, third

from gitlineage import files
from gitlineage.files import replacing, write_whole

WRITERS: dict[str, Callable[[Path], tuple[str, ...]]] = {
    "tsv": lambda path: ("export", "tsv", str(path)),
    "graph": lambda path: ("graph", "--all", "-o", str(path)),
    "bundle": lambda path: ("export", "bundle", str(path)),
    "board": lambda path: ("export", "board", str(path.parent)),
}
"""Commands that write an output file; it is called ``best.json``, which is one of the board's."""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A small campaign."""
    return campaign(tmp_path / "campaign")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the output goes: a folder that is empty."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "best.json"


def reading(fifo: Path) -> tuple[threading.Thread, list[bytes]]:
    """Start to read a fifo to its end."""
    heard: list[bytes] = []
    thread = threading.Thread(target=lambda: heard.append(fifo.read_bytes()), daemon=True)
    thread.start()
    return thread, heard


class TestEveryCommand:
    """What holds for each command that writes a file."""

    @pytest.mark.parametrize("command", WRITERS)
    def test_a_fifo_is_written_into(self, shell: Shell, path: Path, command: str) -> None:
        """Whoever reads a fifo gets what would be in the file, and the fifo stays."""
        shell(*WRITERS[command](path))
        expected = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        thread, heard = reading(path)
        shell(*WRITERS[command](path))
        thread.join(10)
        assert heard == [expected]
        assert stat.S_ISFIFO(path.stat().st_mode)

    @pytest.mark.parametrize("command", WRITERS)
    def test_a_link_stays_and_its_target_is_replaced(self, shell: Shell, path: Path, command: str) -> None:
        """A symbolic link goes on pointing at the file, which has the new bytes and the mode that it had."""
        target = path.parent.parent / "real"
        target.touch(0o600)
        path.symlink_to("../real")
        shell(*WRITERS[command](path))
        assert path.readlink() == Path("../real")
        assert target.stat().st_size
        assert stat.S_IMODE(target.stat().st_mode) == 0o600

    def test_files_of_an_openrange_store_keep_links_and_modes(self, shell: Shell, path: Path, tmp_path: Path) -> None:
        """A file that the export of an OpenRange store replaces keeps its mode, behind a link too."""
        value = third({}, None)
        name = f"{value['snapshot_id']}.json"
        put(tmp_path / "in", value["snapshot_id"], value)
        shell("import", "openrange", tmp_path / "in")
        (tmp_path / "real").touch(0o600)
        (path.parent / name).symlink_to(tmp_path / "real")
        shell("export", "openrange", "--generation", "3", path.parent)
        assert (tmp_path / "real").read_bytes() == (tmp_path / "in" / name).read_bytes()
        assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o600

    @pytest.mark.parametrize("command", ["tsv", "graph", "bundle"])
    def test_a_folder_is_refused(self, shell: Shell, path: Path, command: str) -> None:
        """A folder in the place of the file is told in one line, and nothing is left beside it."""
        path.mkdir()
        assert "Is a directory" in shell.fails(1, *WRITERS[command](path))
        assert list(path.parent.iterdir()) == [path]

    def test_standard_output_by_name(self, shell: Shell, tmp_path: Path) -> None:
        """``/dev/stdout`` is where standard output stands, in the middle of a file too."""
        line = '{ echo head; "$0" -m gitlineage export tsv /dev/stdout; echo tail; } > all'
        subprocess.run(["sh", "-c", line, sys.executable], cwd=shell.folder, env=environment(), check=True)
        shell("export", "tsv", tmp_path / "table")
        assert (shell.folder / "all").read_bytes() == b"head\n" + (tmp_path / "table").read_bytes() + b"tail\n"


def test_a_fifo_in_a_board_has_no_insights(shell: Shell, path: Path) -> None:
    """Nobody waits for what a fifo in the place of an earlier ``KNOWLEDGE.md`` says."""
    fifo = path.with_name("KNOWLEDGE.md")
    os.mkfifo(fifo)
    thread, heard = reading(fifo)
    shell("export", "board", path.parent)
    thread.join(10)
    assert heard[0].startswith(b"# Research Knowledge Base")


def test_a_new_file_gets_what_the_umask_leaves(path: Path) -> None:
    """A file that was not there has the mode that any program's files get."""
    before = os.umask(0o027)
    try:
        write_whole(path, b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(path.parent.iterdir()) == [path]


def test_a_link_to_nothing_makes_its_target(path: Path) -> None:
    """Where the target of a link is missing it is made, and the link stays."""
    path.symlink_to("real")
    write_whole(path, b"x")
    assert path.is_symlink()
    assert (path.parent / "real").read_bytes() == b"x"


def test_a_long_name_is_no_obstacle(path: Path) -> None:
    """A file whose name is as long as names may be is written."""
    long = path.with_name("n" * 255)
    write_whole(long, b"x")
    assert long.read_bytes() == b"x"


def test_what_fails_leaves_the_old_file(path: Path) -> None:
    """A write that breaks off leaves the old bytes and no scratch file."""
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="No space"), replacing(path) as scratch:
        scratch.write_bytes(b"ha")
        assert path.read_bytes() == b"old"
        raise OSError(28, "No space left on device")
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_failing_command_leaves_the_old_file(shell: Shell, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told in one line, and the table of yesterday is still there."""
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "open", full, raising=False)
    assert shell.fails(1, *WRITERS["tsv"](path)) == f"error: cannot write {path}: No space left on device"
    assert path.read_bytes() == b"old"
