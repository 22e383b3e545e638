"""gitlineage.record.usage: counts in a file that many may count in while one writes it anew."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gitlineage.record import usage
from gitlineage.record.usage import UsageLog

OIDS = ["a" * 40, "b" * 40]
AT = "2026-01-01T00:00:00Z"


@pytest.fixture
def log(tmp_path: Path) -> UsageLog:
    """A log whose folder is not there yet."""
    return UsageLog(tmp_path / "usage" / "alice")


def test_uses_add_up_and_the_last_moment_counts(log: UsageLog) -> None:
    """Each use is a line; lines of one artifact are one sum."""
    assert log.totals() == {}
    for oid, at in ((OIDS[0], AT), (OIDS[1], AT), (OIDS[0], "2026-01-02T00:00:00Z")):
        log.touch(oid, at)
    assert log.totals() == {OIDS[0]: (2, "2026-01-02T00:00:00Z"), OIDS[1]: (1, AT)}


def test_a_line_that_was_cut_short_does_not_count(log: UsageLog, tmp_path: Path) -> None:
    """A process that died in the middle of a line leaves the other lines as they are."""
    log.touch(OIDS[0], AT)
    with (tmp_path / "usage" / "alice").open("a") as file:
        file.write(f"{OIDS[1]} 1 2026-0")
    assert log.totals() == {OIDS[0]: (1, AT)}


def test_no_use_is_lost_while_the_file_is_written_anew(log: UsageLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four count, and one compacts all the time: the sum is what was counted."""
    monkeypatch.setattr(usage, "_LONG", 0)
    over = threading.Event()

    def count() -> None:
        for _ in range(300):
            log.touch(OIDS[0], AT)

    def compact() -> int:
        rounds = 0
        while not over.is_set():
            log.compact()
            rounds += 1
        return rounds

    with ThreadPoolExecutor(5) as pool:
        compacting = pool.submit(compact)
        counting = [pool.submit(count) for _ in range(4)]
        for task in counting:
            task.result()
        over.set()
        assert compacting.result()
    assert log.totals() == {OIDS[0]: (1200, AT)}
