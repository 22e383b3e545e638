"""
The budget for what comes from others: entries, bytes and seconds, all in one place, for whoever reads it.

Anybody who may push can make a hundred bytes stand for a million files. Each limit is far above what a
research loop needs, and what is over one is refused in a line that names both.
"""

import time
from typing import BinaryIO

from gitlineage.errors import TooMuch

# -- entries ---------------------------------------------------------------------------------------------------------

MAX_WALKED = 1_000_000
"""Files and folders that a tree, or the difference of two, may stand for where it is walked."""

MAX_ENTRIES = 200_000
"""Files and folders that a checkout has at most."""

MAX_DEPTH = 100
"""Folders of a checkout that lie in one another at most."""

MAX_NESTED = 300
"""Folders that lie in one another at most where a tree is walked."""

MAX_COLUMNS = 1_000
"""Columns that a table may have."""

MAX_EVENTS = 50_000
"""Events that a note may hold; reading so many takes about two seconds, whatever they say."""

# -- bytes -----------------------------------------------------------------------------------------------------------

MAX_CHECKOUT = 4 * 1024**3
"""Bytes that a checkout takes at most, unless git config ``lineage.maxCheckoutSize`` says otherwise."""

MAX_BLOB = 256 * 1024**2
"""Bytes of a file that is read into memory, where nobody says another limit."""

MAX_TEXT = 16 * 1024**2
"""Bytes of a file that is written into a JSON document, where one byte may take six."""

MAX_INPUT = 256 * 1024**2
"""Bytes of a file that is imported."""

MAX_TREE = 64 * 1024**2
"""A larger tree object is not read into memory (bytes)."""

MAX_COMMIT = 16 * 1024**2
"""A larger commit is not read into memory (bytes)."""

MAX_NOTE = 16 * 1024**2
"""A longer note is not read into memory (bytes)."""

MAX_LINE = 1 << 20
"""A longer line is no event (bytes); the same bound a server's hook applies."""

# -- seconds ---------------------------------------------------------------------------------------------------------

MAX_DRAWING = 120.0
"""Seconds that git may take to draw the difference of two trees."""

MAX_CHECKING = 600.0
"""Seconds that a server's hook looks at the events of one push."""


class Stopwatch:
    """
    Ends work that takes longer than its budget.

    Args:
        what: what takes so long, as a half sentence's subject.
        seconds: how long it may take from now on.
    """

    def __init__(self, what: str, seconds: float) -> None:
        self._what = what
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds

    def check(self) -> None:
        """
        Go on while there is time.

        Raises:
            TooMuch: there is none left.
        """
        if time.monotonic() > self._deadline:
            raise TooMuch(self._what, self._seconds, "seconds")


def read_input(file: BinaryIO, name: str) -> bytes:
    """
    Return what a file or a pipe gives, as long as it ends.

    Raises:
        TooMuch: it gives more than is imported.
    """
    data = file.read(MAX_INPUT + 1)
    if len(data) > MAX_INPUT:
        raise TooMuch(name, MAX_INPUT, "bytes")
    return data
