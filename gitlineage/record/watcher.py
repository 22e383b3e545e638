"""Who is told what a store does while it works; start at `Watcher`, which the command line's printer is one of."""

from collections.abc import Callable


class Watcher:
    """What a store tells while it works; this one listens to nothing, the command line's prints."""

    def note(self, text: str) -> None:
        """Hear something worth knowing, in one line."""

    def advance(self, doing: str, count: int, total: int = 0) -> None:
        """Hear that so many more are done, of how many where that is known."""

    def overhear(self) -> Callable[[str], None] | None:
        """Return what is to hear git's own progress in a transfer, ``None`` for nobody."""
        return None
