"""
SQLite files of others, read without touching them: a copy with its write-ahead log, on a budget of steps and bytes.

Rows of a run that still goes on are in the ``-wal`` file alone, so both are read; the user's files stay as they are.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from gitlineage.bounds import MAX_INPUT, MAX_TEXT
from gitlineage.errors import Invalid, StorageError, TooMuch

MAGIC = b"SQLite format 3\x00"
_MOST_ROWS = 1_000_000
_MOST_BYTES = 2 * MAX_INPUT
"""What is read of one file at most: rows that share pages may give more than the file holds."""

_STEPS = 200_000_000
"""Instructions of SQLite's machine that reading one file may take: far above a million rows."""


class Tables:
    """
    The tables of a file.

    Args:
        base: the connection.
        name: the file's name, for messages.
        most: the bytes that may be read.
    """

    def __init__(self, base: sqlite3.Connection, name: str, most: int) -> None:
        self._base = base
        self._name = name
        self._most = self._left = most
        rows = self._all("SELECT name FROM sqlite_master WHERE type = 'table'")
        self._columns: dict[str, list[str]] = {str(row[0]): [] for row in rows if isinstance(row[0], str)}

    def columns(self, table: str) -> list[str]:
        """Return the names of a table's columns; none where there is no such table."""
        if table not in self._columns:
            return []
        if not self._columns[table]:
            quoted = table.replace('"', '""')
            self._columns[table] = [str(row[1]) for row in self._all(f'PRAGMA table_info("{quoted}")')]
        return self._columns[table]

    def rows(self, table: str, wanted: Sequence[str]) -> list[dict[str, Any]]:
        """Return a table's rows with those of some columns that it has."""
        have = self.columns(table)
        names = [name for name in wanted if name in have]
        if not names:
            return []
        listed = ", ".join(f'"{name}"' for name in names)
        rows = self._all(f'SELECT {listed} FROM "{table}" LIMIT {_MOST_ROWS + 1}')
        if len(rows) > _MOST_ROWS:
            raise TooMuch(self._name, _MOST_ROWS, "rows")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _all(self, sql: str) -> list[tuple[Any, ...]]:
        rows = []
        try:
            for row in self._base.execute(sql):
                self._left -= sum(len(cell) for cell in row if isinstance(cell, str | bytes))
                if self._left < 0:
                    raise TooMuch(self._name, self._most, "bytes")
                rows.append(row)
            return rows
        except (sqlite3.Error, OverflowError, MemoryError) as error:
            raise Invalid(f"{self._name}: cannot be read as a SQLite file: {error}") from error


@contextmanager
def opened(path: Path, name: str, most: int = _MOST_BYTES) -> Iterator[Tables]:
    """
    Read a SQLite file, and no more than so many bytes of its rows.

    Raises:
        Invalid: it is damaged.
        TooMuch: it is too large.
        StorageError: it cannot be read or copied.
    """
    with tempfile.TemporaryDirectory(prefix="gitlineage-") as folder:
        copy = Path(folder) / "copy.sqlite"
        try:
            for ending in ("", "-wal"):
                file = path.with_name(path.name + ending)
                if not file.exists():
                    continue
                if file.stat().st_size > MAX_INPUT:
                    raise TooMuch(str(file), MAX_INPUT, "bytes")
                shutil.copyfile(file, f"{copy}{ending}")
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
        left = [_STEPS // 10_000]

        def spend() -> int:
            left[0] -= 1
            return left[0] < 0

        try:
            base = sqlite3.connect(copy)
        except sqlite3.Error as error:
            raise Invalid(f"{name}: cannot be read as a SQLite file: {error}") from error
        with closing(base):
            base.text_factory = lambda data: data.decode("utf-8", "replace")
            base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_TEXT)
            base.set_progress_handler(spend, 10_000)
            yield Tables(base, name, most)
