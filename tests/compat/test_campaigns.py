"""Two published campaigns through the store: the rules of section 11, and the same rows, chains and prompts."""

from datetime import UTC, datetime
from pathlib import Path

import campaigns
import pytest

from gitlineage import LineageStore, PromptOptions, Trial
from gitlineage.model.trial import FailureLabel
from gitlineage.query.prompt import prompt_view
from gitlineage.render.prompt import render_prompt

pytestmark = campaigns.needs_campaigns

KEPT = (FailureLabel.KEEP, FailureLabel.BASELINE)
NAMES = sorted(campaigns.TASKS)


@pytest.fixture(scope="module", params=NAMES)
def campaign(request) -> campaigns.Campaign:
    """One of the campaigns."""
    return campaigns.load(request.param)


def open_at(root: Path, campaign: campaigns.Campaign, writer: str = "alice") -> LineageStore:
    """A store with the campaign's task."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return LineageStore(root, writer=writer, identity=("A", "a@example.org"), clock=lambda: moment, task=campaign.task)


@pytest.fixture(scope="module")
def filled(campaign, tmp_path_factory):
    """A store with every row of the campaign, appended one by one, and the best after each."""
    store = open_at(tmp_path_factory.mktemp(campaign.name), campaign)
    bests = []
    for view in campaign.rows:
        store.append(view.trial)
        bests.append(store.best())
    yield store, bests
    store.close()


def record_so_far(campaign: campaigns.Campaign, count: int) -> Trial | None:
    """The best of the first rows, by the plainest reading of the rule."""
    best = None
    for view in campaign.rows[:count]:
        score = campaign.task.score(view.trial)
        if view.trial.status in KEPT and score is not None:
            old = campaign.task.score(best) if best else None
            if old is None or campaign.task.better(score, old):
                best = view.trial
    return best


def test_every_row_is_there_as_it_was_written(campaign, filled):
    """Order, cells, text and unknown columns of the file."""
    store, _ = filled
    assert store.all_trials() == [view.trial for view in campaign.rows]
    assert [trial.to_row() for trial in store.all_trials()] == [view.trial.to_row() for view in campaign.rows]
    assert store.latest(7) == tuple(view.trial for view in campaign.rows[-7:])


def test_the_best_rule_replayed_reproduces_every_decision(campaign, filled):
    """baseline_exp, delta_vs_best and keep or discard of every row follow from the best before it (semantics 11)."""
    _, bests = filled
    task = campaign.task
    compared = decided = 0
    for at, view in enumerate(campaign.rows):
        trial, before = view.trial, bests[at - 1] if at else None
        assert bests[at] == record_so_far(campaign, at + 1), trial.exp_id
        if before is None:
            continue
        assert trial.baseline_exp == before.exp_id, trial.exp_id
        score, record = task.score(trial), task.score(before)
        if trial.delta_vs_best is not None:
            assert trial.delta_vs_best == pytest.approx(score - record, abs=6e-7), trial.exp_id
            compared += 1
        if trial.status in (FailureLabel.KEEP, FailureLabel.DISCARD) and score is not None:
            assert (trial.status is FailureLabel.KEEP) == task.better(score, record), trial.exp_id
            decided += 1
    keeps = sum(view.trial.status is FailureLabel.KEEP for view in campaign.rows)
    assert compared >= keeps
    assert decided > keeps


def test_best_chain_and_leaderboard_are_those_of_the_file(campaign, filled):
    """At the end, as worked out in the plainest way."""
    store, _ = filled
    view = campaign.view()
    assert store.best() == view.best.trial
    assert store.chain_to(store.best().exp_id) == tuple(each.trial for each in view.chain)
    assert store.leaderboard(1000) == tuple(each.trial for each in view.kept)
    assert {each.exp_id for each in store.children(store.best())} == {each.trial.exp_id for each in view.children}


def test_the_graph_is_that_of_the_parent_cells(campaign, filled):
    """Every linked parent is a git parent, and nothing else is."""
    store, _ = filled
    for view in campaign.rows:
        assert [each.exp_id for each in store.parents(view.trial.exp_id)] == ([view.parent] if view.parent else [])
    assert [view.trial.exp_id for view in store.log(None, dangling=True)] == [
        view.trial.exp_id for view in reversed(campaign.rows) if view.dangling
    ]


@pytest.mark.parametrize("count", [1, 2, 20, 60, 97, 179, 201])
def test_the_prompt_at_an_earlier_point(campaign, filled, count):
    """``at=`` a row gives the prompt of a campaign that ended there."""
    store, bests = filled
    count = min(count, len(campaign.rows))
    rows = campaign.rows[:count]
    specialist = rows[-1].trial.specialist
    shown = store.render_prompt(specialist, session_timestamp="t", at=rows[-1].trial.exp_id)
    expected = render_prompt(campaign.view(count, specialist), specialist, PromptOptions(session_timestamp="t"))
    assert shown.rendered_prompt == expected
    assert shown.current_best == bests[count - 1]
    assert shown.chain_to_best == tuple(each.trial for each in campaign.view(count).chain)


def test_the_prompt_now_is_the_prompt_at_the_last_row(campaign, filled):
    """Time travel to the end is no travel."""
    store, _ = filled
    last = campaign.rows[-1].trial
    now = store.render_prompt(last.specialist, session_timestamp="t")
    then = store.render_prompt(last.specialist, session_timestamp="t", at=last.exp_id)
    assert now.rendered_prompt == then.rendered_prompt
    assert store.ledger.views().total() == len(campaign.rows)
    assert prompt_view(store.ledger.views(), last.specialist, PromptOptions()).total == len(campaign.rows)


def test_a_batch_on_another_machine_gives_the_same_snapshots(campaign, filled, tmp_path):
    """All rows in one landing, by another writer: the same ids, the same graph, one commit of the ref."""
    store, _ = filled
    with open_at(tmp_path / "other", campaign, "bob") as other:
        with other.batch():
            made = [other.append(view.trial).oid for view in campaign.rows]
            assert other.best() == store.best()
        assert made == [store.resolve(view.trial.exp_id) for view in campaign.rows]
        assert other.all_trials() == store.all_trials()
        specialist = campaign.rows[-1].trial.specialist
        shown = [each.render_prompt(specialist, session_timestamp="t").rendered_prompt for each in (store, other)]
        assert shown[0] == shown[1]


def test_appending_the_whole_file_again_adds_nothing(campaign, filled):
    """An import is repeatable."""
    store, _ = filled
    tips = store.ledger.journal.tips()
    with store.batch():
        for view in campaign.rows:
            store.append(view.trial)
    assert store.ledger.journal.tips() == tips
