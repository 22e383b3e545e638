"""The campaign's task is guarded: a change that re-ranks recorded trials is told, and needs to be forced."""

import pytest
from command_line import Shell

from gitlineage import Invalid, LineageStore, Task, TaskInUse, Trial


def row(exp_id, score, status="keep", **extra) -> Trial:
    """A trial with a score."""
    return Trial(exp_id=exp_id, status=status, core_metric=score, extra=extra)


@pytest.fixture
def campaign(open_store) -> LineageStore:
    """Three scored trials, of which one has another metric too, and one that waits."""
    store = open_store(lower_is_better=True)
    store.append_many([row("000", 3.0, "baseline"), row("001", 2.0, acc="0.5"), row("002", 1.0)])
    store.commit({"f": b"1"}, trial=Trial(exp_id="003"))
    return store


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (Task(lower_is_better=False), "from 002 with core 1.0 to 000 with core 3.0, and 0 of 3 scores are lost"),
        (Task(score_field="acc"), "from 002 with core 1.0 to 001 with acc 0.5, and 2 of 3 scores are lost"),
        (Task(score_field="nothing"), "from 002 with core 1.0 to none, and 3 of 3 scores are lost"),
    ],
)
def test_a_task_that_ranks_otherwise_has_to_be_forced(campaign, open_store, task, told):
    """The error says what would change and nothing is recorded; forced, it is done and says the same."""
    before, tips = campaign.task, campaign.ledger.journal.tips()
    with pytest.raises(TaskInUse, match="force") as caught:
        campaign.set_task(task)
    assert told in str(caught.value) and told in caught.value.change
    assert (campaign.task, campaign.ledger.journal.tips(), campaign.best().exp_id) == (before, tips, "002")
    assert told in campaign.set_task(task, force=True)
    assert open_store().task == task


@pytest.mark.parametrize(
    "task",
    [Task(label="c"), Task(epsilon=0.1), Task(score_field="val_bpb", label="x")],
)
def test_a_task_that_ranks_nothing_otherwise_is_free(open_store, task):
    """Labels, the noise threshold, and anything before the first score need no force."""
    store = open_store(lower_is_better=True)
    store.commit({"f": b"1"}, trial=Trial(exp_id="000"))
    if task.score_field == "core_metric":
        store.append(row("001", 1.0))
    assert store.set_task(task) == ""
    assert open_store().task == task


def test_the_same_task_said_twice_is_the_same(campaign, open_store):
    """A label that is left out is its default, in both directions; saying it again records nothing."""
    tips = campaign.ledger.journal.tips()
    assert campaign.set_task(Task(label="core")) == ""
    open_store(task=Task(label="core")).ledger.refresh()
    assert campaign.ledger.journal.tips() == tips
    campaign.set_task(Task(label="loss"))
    campaign.set_task(Task(label="core"))
    open_store(task=Task()).ledger.refresh()
    open_store(task=Task(label="core")).ledger.refresh()


@pytest.mark.parametrize(
    "asked", [Task(label="x"), Task(epsilon=0.25), Task(lower_is_better=False), Task(score_field="a")]
)
def test_the_error_of_another_task_says_two_different_things(campaign, open_store, asked):
    """What the store's task is and what was asked for never read alike."""
    with pytest.raises(Invalid, match="this store's task is") as caught:
        open_store(task=asked)
    known, _, wanted = str(caught.value).partition("task is ")[2].partition("; ")[0].partition(", not ")
    assert wanted and known != wanted


def test_a_task_that_nobody_had_said_is_guarded_too(open_store):
    """Rows recorded by the default task are ranked by it; a store opened with another one does not blank them."""
    open_store().append(row("000", 1.0))
    other = open_store(task=Task(score_field="acc"))
    with pytest.raises(TaskInUse, match="1 of 1 score"):
        other.append(row("001", 2.0, acc="1"))
    assert open_store().best().exp_id == "000"


def test_init_asks_for_force_and_says_what_changed(campaign, folder):
    """`init` in a running campaign ends with 1 and one line; with --force the answer says it, as JSON too."""
    shell = Shell(folder)
    for words in (["--higher-is-better"], ["--metric", "accuracy"]):
        said = shell.fails(1, "init", *words)
        assert "the best changes from 002 with core 1.0" in said and "--force" in said
    assert campaign.task == Task()
    assert shell.objects("init", "--metric", "core_metric", "--label", "core")[0]["changed"] is None
    assert shell.objects("init", "--lower-is-better", "--force")[0]["changed"] is None
    assert "to 000 with core 3.0" in shell("init", "--higher-is-better", "--force")
    assert "to 002" in shell.objects("init", "--lower-is-better", "--force")[0]["changed"]
