"""What happened to a run, from what is written down alone."""

import pytest

from gitlineage.model.trial import FailureLabel
from gitlineage.run.outcome import outcome
from gitlineage.run.records import Cause, Facts, Found, Limits

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


def test_an_exit_code_of_its_own_says_what_it_stands_for():
    """Only where it was said what; a signal and a time limit of ours come first."""
    exits = {3: FailureLabel.TRAIN_BUDGET_OVERRUN}
    told = outcome(Facts(exit_code=3), Limits(), Found(), exits=exits)
    assert (told.status, told.words) == (
        "train_budget_overrun",
        "it ended with exit code 3, which says train_budget_overrun",
    )
    assert outcome(Facts(exit_code=4), Limits(), Found(), exits=exits).status == "crash"
    stopped = outcome(Facts(exit_code=3, cause=Cause.INTERRUPT), Limits(), Found(), exits=exits)
    assert stopped.status == "harness_abort"
