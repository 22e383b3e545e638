"""Who is told how a run goes on, and how a run hears what its process is asked to do meanwhile."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gitlineage.bridge.placing import Place
from gitlineage.run.records import Run


class Watcher:
    """Is told how a run goes on, and says nothing; who shows it to somebody overrides what is of interest."""

    def began(self, run: Run, place: Place | None) -> None:
        """Hear that the trial is recorded, and where its snapshot went."""

    def printed(self, data: bytes) -> None:
        """Hear what the command printed."""

    def tick(self, run: Run, seconds: float) -> None:
        """Hear that it still runs, after so many seconds."""

    def note(self, text: str) -> None:
        """Hear something worth knowing."""


class Stop:
    """What the caller was asked to do meanwhile: how often to interrupt, and whether to make room."""

    def __init__(self) -> None:
        self.interrupts = 0
        self.preempted = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take interrupts, requests to end and hang-ups for the run's, where this is the thread that gets them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def hear(number: int, frame: FrameType | None) -> None:
            self.interrupts += number == signal.SIGINT
            self.preempted |= number == signal.SIGTERM  # a terminal that closes ends nothing

        kept = {each: signal.signal(each, hear) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)
