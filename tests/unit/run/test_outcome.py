"""What happened to a run, from what is written down alone."""

import pytest

from gitlineage.run.outcome import outcome
from gitlineage.run.records import Facts, Found, Limits

GB = 1 << 30
KILLED = 128 + 9


@pytest.mark.parametrize(
    ("facts", "limit", "said", "failure"),
    [
        ({}, None, "", "killed"),
        ({"peak_memory": GB}, None, "", "killed"),
        ({"peak_memory": 15 * GB}, None, "", "oom"),  # nearly all that there is
        ({"peak_memory": 15 * GB}, 100 * GB, "", "oom"),
        ({"peak_memory": GB}, GB, "", "oom"),
        ({"oom_killed": True}, None, "", "oom"),
        ({}, None, "MemoryError", "oom"),
        ({"peak_memory": 15 * GB, "exit_code": 128 + 11}, None, "", "SIGSEGV"),
    ],
)
def test_a_kill_from_outside_is_for_memory_only_where_something_says_so(facts, limit, said, failure):
    """The kernel's count, the usual messages, or a size near the limit; else somebody killed it, and that is all."""
    told = outcome(
        Facts(**{"exit_code": KILLED, **facts}), Limits(memory=limit), Found(score="1"), said=said, memory=16 * GB
    )
    assert (told.status, told.failure) == ("crash", failure)
