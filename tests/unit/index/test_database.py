"""One file behind the index's name, whoever opens, deletes or copies it, and broken ones told."""

import os
import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from gitlineage.errors import Invalid
from gitlineage.index.database import Damaged, Database, delete

MANY = 8


def files(folder: Path) -> list[str]:
    """The databases in a folder, without what SQLite keeps beside them."""
    return sorted(path.name for path in folder.glob("index-*.sqlite3"))


def opened(path: Path, barrier: threading.Barrier) -> bool:
    """Open a file at the same moment as others, and say whether another one stands in its place afterwards."""
    barrier.wait()
    database = Database(path)
    barrier.wait()
    try:
        return database.is_outdated()
    finally:
        database.close()


def test_those_who_open_a_missing_file_at_once_share_one(tmp_path: Path) -> None:
    """An index of a large store is built once, not by each, and leaves no second file."""
    with ThreadPoolExecutor(MANY) as pool:
        for at in range(20):
            folder = tmp_path / str(at)
            folder.mkdir()
            barrier = threading.Barrier(MANY, timeout=30)
            tasks = [pool.submit(opened, folder / "index.sqlite3", barrier) for _ in range(MANY)]
            assert not any(task.result() for task in tasks)
            assert len(files(folder)) == 1


def test_a_file_is_used_again(tmp_path: Path) -> None:
    """What one wrote the next reads; nothing new comes beside it."""
    path = tmp_path / "index.sqlite3"
    first = Database(path)
    first.connection.execute("INSERT INTO tips (writer, oid) VALUES ('alice', 'abc')")
    first.close()
    before = files(tmp_path)
    second = Database(path)
    assert second.all("SELECT writer, oid FROM tips") == [("alice", "abc")]
    assert second.first("SELECT oid FROM tips WHERE writer = ?", "alice") == ("abc",)
    assert second.first("SELECT oid FROM tips WHERE writer = ?", "bob") is None
    second.close()
    assert files(tmp_path) == before


@pytest.mark.parametrize("how", ["deleted", "only the name", "only the file"])
def test_a_file_that_went_away_is_replaced_under_a_new_name(tmp_path: Path, how: str) -> None:
    """SQLite finds its log by the file's name, so that two generations must not share one; the old one is told."""
    path = tmp_path / "index.sqlite3"
    old = Database(path)
    name = path.readlink().name
    match how:
        case "deleted":
            delete(path)
            assert files(tmp_path) == []
        case "only the name":
            path.unlink()
        case "only the file":
            path.resolve().unlink()
    new = Database(path)
    assert path.readlink().name != name
    assert old.is_outdated()
    assert not new.is_outdated()
    assert new.all("SELECT * FROM tips") == []
    old.close()
    new.close()


def test_a_copy_that_followed_the_link_is_taken(tmp_path: Path) -> None:
    """A file at the place of the name holds what was copied, and becomes the file behind it."""
    path = tmp_path / "index.sqlite3"
    first = Database(path)
    first.connection.execute("INSERT INTO tips (writer, oid) VALUES ('alice', 'abc')")
    first.close()
    copy = tmp_path / "copy" / "index.sqlite3"
    copy.parent.mkdir()
    shutil.copyfile(path, copy)
    second = Database(copy)
    assert copy.is_symlink()
    assert second.all("SELECT writer FROM tips") == [("alice",)]
    second.close()


def test_in_memory_there_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the same tables, and nothing can stand in its place."""
    monkeypatch.chdir(tmp_path)
    database = Database(None)
    assert database.all("SELECT * FROM tips") == []
    assert not database.is_outdated()
    database.close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_index_is_damaged(tmp_path: Path) -> None:
    """Garbage, other tables and another version each say so, and the file is left for whoever rebuilds it."""
    garbage, foreign, version = (tmp_path / name / "index.sqlite3" for name in "abc")
    for path in (garbage, foreign, version):
        path.parent.mkdir()
        Database(path).close()
    garbage.write_bytes(b"\xde\xad\xbe\xef" * 5000)
    with sqlite3.connect(foreign) as connection:
        connection.execute("DROP TABLE links")
    connection.close()
    with sqlite3.connect(version) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    told = {garbage: "not a database", foreign: "no such table: links", version: "it has format 99"}
    for path, text in told.items():
        with pytest.raises(Damaged, match=text):
            Database(path)
        assert path.exists()


def test_questions_tell_damage_from_bad_text_and_a_busy_file(tmp_path: Path) -> None:
    """A missing column asks for a rebuild, half a surrogate pair is bad input, a locked file is SQLite's own error."""
    path = tmp_path / "index.sqlite3"
    database = Database(path)
    with pytest.raises(Damaged, match="no such column"):
        database.all("SELECT no_such_thing FROM tips")
    with pytest.raises(Invalid, match="Unicode"):
        database.first("SELECT ?", "\ud800")
    other = Database(path)
    other.connection.execute("PRAGMA busy_timeout = 0")
    database.connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.all("DELETE FROM tips")
    database.connection.execute("ROLLBACK")
    other.close()
    database.close()


@pytest.mark.parametrize("to", ["old/{}", "{}/", "/nowhere", "..", ".", "/", "other/index.txt"])
def test_a_link_that_leads_elsewhere_is_not_followed(tmp_path: Path, to: str) -> None:
    """An index whose link a copy or a backup made absolute is the file beside it, and never another repository's."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    link = old / "index.sqlite3"
    with closing(Database(link)) as first:
        first.connection.execute("INSERT INTO meta VALUES ('mark', 1)")
    before = files(old)
    shutil.copytree(old, new, symlinks=True)
    moved = new / "index.sqlite3"
    moved.unlink()
    target = to.format(os.readlink(link))
    moved.symlink_to(tmp_path / target if "old" in target else target)
    for _ in range(2):
        with closing(Database(moved)) as found:
            marked = found.first("SELECT value FROM meta WHERE key = 'mark'")
            assert (marked is not None) == ("index-" in target)
            assert not found.is_outdated()
            found.connection.execute("INSERT OR REPLACE INTO meta VALUES ('other', 1)")
        assert "/" not in os.readlink(moved)
        assert (new / os.readlink(moved)).is_file()
    assert files(old) == before
    with closing(Database(link)) as first:
        assert first.first("SELECT value FROM meta WHERE key = 'other'") is None
