"""What a store tells while it works, printed on standard error."""

import sys
from collections.abc import Callable

from gitlineage.cli import output
from gitlineage.later import pattern
from gitlineage.record.watcher import Watcher

_PROGRESS = pattern(r"[^\r\n]*:\s+\d+%[^\r\n]*[\r\n]+")


class Terminal(Watcher):
    """Prints notes at once, and progress where work takes long."""

    def __init__(self) -> None:
        self._doing = ""
        self._progress = output.Progress("events")
        self._noted: set[str] = set()

    def note(self, text: str) -> None:
        """Print what the store has to repair, skip or do without; nothing twice."""
        if text not in self._noted:
            self._noted.add(text)
            output.warning(text)

    def advance(self, doing: str, count: int, total: int = 0) -> None:
        """Move the progress bar on; other work has a bar of its own, that counts from nothing."""
        if doing != self._doing:
            self._progress.close()
            self._doing, self._progress = doing, output.Progress("events")
        self._progress.advance(doing, count, total)

    def overhear(self) -> Callable[[str], None] | None:
        """Let a terminal show git's own progress."""
        return _show_git if sys.stderr.isatty() else None

    def close(self) -> None:
        """Take the progress bar away."""
        self._progress.close()


def _show_git(said: str) -> None:
    """Print the lines of git's progress; what else it says comes back as an outcome or an error."""
    for line in _PROGRESS.findall(said):
        end = "\n" if line.endswith("\n") else "\r"
        sys.stderr.write(output.clean(line.rstrip("\r\n")) + end)
    sys.stderr.flush()
