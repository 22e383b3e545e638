"""
What a store tells while it works, printed on standard error.

Layer 20.
"""

from gitlineage.cli import output
from gitlineage.ledger import Watcher


class Terminal(Watcher):
    """Prints notes at once, and progress where work takes long."""

    def __init__(self) -> None:
        self._progress = output.Progress("events")

    def note(self, text: str) -> None:
        """Print what the store has to repair, skip or do without."""
        output.warning(text)

    def advance(self, doing: str, count: int, total: int = 0) -> None:
        """Move the progress bar on."""
        self._progress.advance(doing, count, total)

    def close(self) -> None:
        """Take the progress bar away."""
        self._progress.close()
