"""gitlineage.query.brief: what a prompt of a limited length says of who is stuck is what the statistics count."""

import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import LineageStore, PromptOptions, Trial
from gitlineage.model.rank import STUCK
from gitlineage.query import brief

STATUSES = ["keep", "discard", "discard", "discard", "crash", "harness_abort", "baseline"]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(STATUSES), st.sampled_from(["opt", "data", ""])), min_size=1, max_size=40),
    st.sampled_from([3, 8, 1000]),
)
def test_the_numbers_are_those_of_the_statistics(trials: list[tuple[str, str]], window: int) -> None:
    """However few of the newest trials are looked at, each number is right, and whoever is stuck among them is told."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LineageStore(folder) as store,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(brief, "WINDOW", window)
        store.append_many(
            [
                Trial(exp_id=f"{at:03d}", status=status, specialist=who, core_metric=1.0, delta_vs_best=0.1)
                for at, (status, who) in enumerate(trials)
            ]
        )
        counted = {each.group: each.since_keep for each in store.stats("specialist")}
        view = brief.brief_view(store.ledger.views(), PromptOptions())
        told = {row.trial.specialist: since for row, since in zip(view.stuck, view.since_keep, strict=True)}
        assert told == {who: counted[who] for who in told}
        informing = [who for status, who in trials if status != "harness_abort"][-window:]
        assert set(told) == {who for who in informing if who and counted[who] >= STUCK}
