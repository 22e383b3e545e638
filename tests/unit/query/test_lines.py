"""gitlineage.query.lines: an open store says of chains and views what one of an index built anew says."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clones import Clock
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from remotes import bare

from gitlineage import LineageError, LineageStore, PromptOptions, Task, Trial
from gitlineage.git.formats import Identity
from gitlineage.index.index import build
from gitlineage.query.prompt import prompt_view
from gitlineage.query.views import Views
from gitlineage.render.prompt import render_prompt

SOAK = os.environ.get("GITLINEAGE_SOAK", "0") not in ("", "0")
OPTIONS = (PromptOptions(), PromptOptions(max_chars=0), PromptOptions(max_chars=700, max_children=1))
RECORDING = ("commit", "named", "again", "pending", "result", "revise", "record", "inspired", "dangling", "cohort")
OTHERS = ("task", "undone", "batch", "reindex", "sync", "sync")
STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(RECORDING + OTHERS), st.integers(0, 30)),
    max_size=20,
)


def said(views: Views) -> list[object]:
    """Everything that is shown of trials: each with its place, its line, and the prompts; numbers are left out."""
    numbers = [number for (number,) in views.index.rows("SELECT id FROM trials ORDER BY clock, writer")]
    shown = views.by_number(numbers)
    lines = [views.line(view.oid, view.trial.exp_id).trials for view in shown]
    bare_lines = [views.line(view.oid, "").trials for view in shown]
    prompts = [(view := prompt_view(views, "ann", each), render_prompt(view, "ann", each)) for each in OPTIONS]
    return [shown, lines, bare_lines, prompts]


def check(store: LineageStore) -> None:
    """An open store and one of a new index say the same."""
    views = store.ledger.views()
    told = said(views)
    rebuilt = build(store.ledger.repo, store.ledger.journal, store.ledger.journal.tips())
    assert told == said(Views(rebuilt, store.ledger.repo))
    rebuilt.close()
    whole = prompt_view(views, "ann", PromptOptions(max_chars=0))
    for limit in (400, 1000, 2500):
        options = PromptOptions(max_chars=limit)
        assert render_prompt(prompt_view(views, "ann", options), "ann", options) == render_prompt(whole, "ann", options)


def raw(store: LineageStore) -> list[str]:
    """Ten commits that nobody recorded: a line with a fork and merges."""
    who, moment = Identity("x", "x@example.org"), datetime(2026, 1, 1, tzinfo=UTC)
    tree = store.ledger.repo.write_tree({})
    oids: list[str] = []
    for at in range(10):
        parents = [oids[at - 1 - (at % 3 == 2)]] if at > 1 else []
        parents += [oids[at // 2]] if at % 4 == 3 else []
        oids.append(store.ledger.repo.write_commit(tree, list(dict.fromkeys(parents)), f"commit {at}", who, moment))
    return oids


def act(store: LineageStore, what: str, number: int, commits: Sequence[str]) -> None:
    """Let one store do one thing; the number chooses among what it can choose from."""
    views = store.log(None)
    seen = views[number % len(views)] if views else None
    parents = [seen.oid] if seen else []
    row = Trial(status=("keep", "discard", "crash")[number % 3], core_metric=1.0 + number % 4, specialist="ann")
    files = {"f": b"%d" % number}
    if what == "commit":
        store.commit(
            files, parents + ([views[number % 2 % len(views)].oid] if number % 5 == 0 and views else []), trial=row
        )
    elif what == "named":
        store.commit(files, parents, trial=row.replace(exp_id=f"00{number % 4}"))
    elif what == "again" and seen:
        store.record(seen.oid, row)
    elif what == "pending":
        store.commit(files, parents, trial=Trial(hypothesis=f"waits {number}"))
    elif what == "result" and seen:
        store.record(seen.oid, row.replace(exp_id=seen.trial.exp_id))
    elif what == "revise" and seen:
        store.record(seen.oid, row.replace(exp_id=seen.trial.exp_id, notes=f"again {number}"), revise=True)
    elif what == "record":
        store.record(commits[number % len(commits)], row)
    elif what == "inspired":
        store.commit(files, parents, trial=row, roles={commits[number % len(commits)]: "inspiration"})
    elif what == "dangling":
        store.append(row.replace(parent_exp=f"00{number % 6}"), parents=())
    elif what == "cohort":
        store.commit(files, parents, trial=row, cohort=f"c{number % 2}")
    elif what == "task":
        store.set_task(Task(lower_is_better=number % 2 == 0), force=True)
    elif what in ("undone", "batch"):
        with store.batch():
            store.commit(files, parents, trial=row)
            act(store, ("again", "revise", "record")[number % 3], number, commits)
            said(store.ledger.views())
            if what == "undone":
                raise LineageError("never mind")
    elif what == "reindex":
        store.reindex()
    elif what == "sync":
        store.sync()


@contextmanager
def three(folder: Path) -> Iterator[list[LineageStore]]:
    """Open two stores on one repository and one on another, with a remote between them."""
    url = str(bare(folder / "remote.git"))
    with ExitStack() as opened:
        stores = []
        for root, writer in (("a", "ann"), ("a", "bob"), ("b", "cyd")):
            who = (writer, f"{writer}@example.org")
            store = LineageStore(folder / root, writer=writer, identity=who, clock=Clock())
            if "origin" not in store.ledger.repo.remotes():
                store.ledger.repo.set_config("remote.origin.url", url)
            stores.append(opened.enter_context(store))
        yield stores


@settings(max_examples=200 if SOAK else 25, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
@example([(0, "record", 9), (0, "record", 2), (0, "record", 1), (0, "record", 0)])
@example([(0, "commit", 0), (1, "named", 0), (0, "commit", 0), (1, "again", 0), (1, "revise", 2)])
def test_what_is_said_holds_whatever_others_do(steps: Sequence[tuple[int, str, int]]) -> None:
    """After any steps of three stores each says of every trial what an index built anew says."""
    with tempfile.TemporaryDirectory() as name, three(Path(name)) as stores:
        commits = [raw(store) for store in stores]
        for who, what, number in steps:
            with suppress(LineageError):
                act(stores[who], what, number, commits[who])
            for store in stores:
                check(store)


def test_another_parent_leads_on_once_it_is_known_to_be_older(tmp_path):
    """Of two parents behind a merge that nobody recorded the older one counts, also where a pull says which is."""
    row = Trial(status="keep", core_metric=1.0)
    with three(tmp_path) as (ann, _, cyd):
        left, right, child = _merged(ann)
        assert _merged(cyd) == [left, right, child]
        cyd.record(right, row.replace(exp_id="right"))
        for at, (oid, name) in enumerate([(left, "left"), (right, "right"), (child, "child")]):
            ann.commit({"f": b"%d" % at}, trial=row)
            ann.record(oid, row.replace(exp_id=name))
        assert [trial.exp_id for trial in ann.chain_to("child")] == ["left", "child"]
        check(ann)
        for store in (cyd, ann):
            store.sync()
        assert [trial.exp_id for trial in ann.chain_to("child")] == ["right", "child"]
        check(ann)


def test_a_child_is_shown_anew_where_its_parent_gets_an_earlier_trial(tmp_path):
    """A parent without a trial gets one in each of two clones; the earlier of them is what the child came from."""
    row = Trial(status="keep", core_metric=1.0)
    with three(tmp_path) as (ann, _, cyd):
        parent = ann.commit({"f": b"parent"})
        ann.commit({"f": b"child"}, [parent], trial=row.replace(exp_id="child"))
        for store in (ann, cyd):
            store.sync()
        cyd.record(parent.oid, row.replace(exp_id="earlier"))
        for at in range(3):
            ann.commit({"f": b"%d" % at}, trial=row)
        ann.record(parent.oid, row.replace(exp_id="later"))
        assert ann.view("child").parent == "later"
        check(ann)
        for store in (cyd, ann):
            store.sync()
        assert ann.view("child").parent == "earlier"
        check(ann)


def test_what_a_batch_undid_is_not_on_a_line(store):
    """What was read inside a batch that failed says nothing about what is recorded afterwards."""
    store.commit({"f": b"0"}, trial=Trial(exp_id="a", status="keep", core_metric=1.0))
    with suppress(LineageError), store.batch():
        store.commit({"f": b"1"}, ["a"], trial=Trial(exp_id="b", status="keep", core_metric=2.0))
        assert [trial.core_metric for trial in store.chain_to("b")] == [1.0, 2.0]
        raise LineageError("never mind")
    store.commit({"f": b"2"}, trial=Trial(exp_id="b", status="keep", core_metric=3.0))
    assert [trial.core_metric for trial in store.chain_to("b")] == [3.0]
    check(store)


def test_a_long_line_and_what_branches_off_it(store):
    """A line of 700 trials, those that branch off it, and what another process adds."""
    with store.batch():
        for at in range(700):
            trial = Trial(exp_id=f"{at:03d}", status="keep", core_metric=1.0)
            store.commit({"f": b"%d" % at}, [f"{at - 1:03d}"] if at else [], trial=trial)
    expected = [f"{at:03d}" for at in range(700)]
    assert [trial.exp_id for trial in store.chain_to("699")] == expected
    for start in (0, 3, 350, 698):
        made = store.commit({"f": b"from %d" % start}, [f"{start:03d}"], trial=Trial(status="discard", core_metric=2.0))
        assert [trial.exp_id for trial in store.chain_to(made.exp_id)] == [*expected[: start + 1], made.exp_id]
    with LineageStore(store.root, writer="bob", identity=("b", "b@example.org")) as other:
        other.record("300", Trial(exp_id="300", status="crash"), revise=True)
    assert store.chain_to("699")[300].status == "crash"
    check(store)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_sees_what_its_parent_recorded(store):
    """A child that was forked records on top of it, and the parent sees that."""
    store.commit({"f": b"0"}, trial=Trial(exp_id="a", status="keep", core_metric=1.0))
    assert len(store.chain_to("a")) == 1
    store.commit({"f": b"1"}, ["a"], trial=Trial(exp_id="b", status="keep", core_metric=1.0))
    child = os.fork()
    if child == 0:
        try:
            store.record("a", Trial(exp_id="a", status="crash"), revise=True)
            os._exit(0 if [trial.status for trial in store.chain_to("b")] == ["crash", "keep"] else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [trial.status for trial in store.chain_to("b")] == ["crash", "keep"]
    check(store)


def _merged(store: LineageStore) -> list[str]:
    """Two roots and a child of a merge of them, recorded by nobody."""
    who, moment = Identity("x", "x@example.org"), datetime(2026, 1, 1, tzinfo=UTC)
    tree = store.ledger.repo.write_tree({})
    left, right = (store.ledger.repo.write_commit(tree, [], said, who, moment) for said in ("left", "right"))
    merge = store.ledger.repo.write_commit(tree, [left, right], "merge", who, moment)
    return [left, right, store.ledger.repo.write_commit(tree, [merge], "child", who, moment)]
