"""Long lists: the same objects as the models have, row by row, of one moment, and for readers who stop early."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Shell, environment
from filled import fill, row

from gitlineage import LineageStore, Snapshot, Trial, TrialView
from gitlineage.cli import layout, output
from gitlineage.cli.layout import Cell, Column
from gitlineage.errors import StorageError
from gitlineage.index.database import Damaged
from gitlineage.model.trial import COLUMNS, packed_text, told_cells
from gitlineage.query import flat
from gitlineage.query.views import Views

MANY = 2600
"""Trials of a long list: more than one part of it, and than the rows of a table that wait in memory."""


@pytest.fixture
def odd(store: LineageStore, git: Callable[..., str]) -> LineageStore:
    """A bit of everything, ids that two writers have, words about what others recorded, odd texts and columns."""
    fill(store)
    texts = {"hypothesis": "naïve\u2028line\x7f ", "notes": '"code lost"\n}]', "lr": "1e-3 \U0001f600", "empty": ""}
    store.commit({"f": b"odd"}, ["001"], trial=Trial(exp_id="ödd id", status="keep", core_metric="1.50", extra=texts))
    store.commit({"f": b"huge"}, ["002"], trial=row("1e16", metric=1e16, train_s=0.0, total_s=-0.0))
    mine = store.snapshot("003")
    theirs = git("commit-tree", mine.tree, "-p", mine.oid, "-m", "bob's, from another machine")
    event = '{"clock":1,"row":{"core_metric":"1.5","exp_id":"003","status":"keep"},"type":"trial"}'
    git("notes", "--ref=lineage/bob", "append", "-m", event, theirs)
    store.commit({"f": b"both"}, [mine.oid, theirs], trial=row("after both", parent_exp="003"), roles={theirs: "mate"})
    loose = git("commit-tree", mine.tree, "-p", theirs, "-p", mine.oid, "-m", "nobody recorded this")
    store.commit({"f": b"beyond"}, [loose], trial=row("beyond"))
    store.append(row("lost", parent_exp="nowhere"))
    store.record("004", row("004", "keep", 0.5, hypothesis="another one by now"), revise=True)
    store.retract("005", "the wrong file")
    store.retract("006", "twice")
    store.retract("006", "", undo=True)
    store.reparent("007", ["004"], "it was in truth", roles={"004": "base"})
    store.commit({"f": b"idea"}, ["001"], message="an idea without a trial")
    store.commit({"f": b"wait"}, ["001"], trial=Trial(hypothesis="waits"))
    return store


def cells(trial: Trial) -> dict[str, str]:
    """Return the text of every column, as the model has it."""
    return {column: trial.text(column) for column in (*COLUMNS, *trial.extra)}


def trial_object(view: TrialView, snapshot: Snapshot, store: LineageStore) -> dict[str, Any]:
    """Return what ``--json`` is to say of a trial, from its records."""
    return {
        "id": view.label,
        "exp_id": view.trial.exp_id,
        "oid": view.oid,
        "tree": snapshot.tree,
        "parents": list(snapshot.parents),
        "roles": dict(snapshot.roles),
        "cohort": view.cohort,
        "status": view.trial.status,
        "score": store.task.score(view.trial),
        "parent": view.parent,
        "dangling": view.dangling,
        "saw": view.saw,
        "retracted": view.retracted,
        "writer": view.order.writer,
        "clock": view.order.clock,
        "row": cells(view.trial),
    }


def snapshot_object(snapshot: Snapshot, store: LineageStore) -> dict[str, Any]:
    """Return what ``--json`` is to say of a snapshot, from its record."""
    trial = snapshot.trial
    return {
        "id": store.ledger.views().name(snapshot.oid),
        "exp_id": snapshot.exp_id,
        "name": snapshot.name or None,
        "stub": snapshot.stub,
        "oid": snapshot.oid,
        "tree": snapshot.tree,
        "parents": list(snapshot.parents),
        "roles": dict(snapshot.roles),
        "inspirations": list(snapshot.inspirations),
        "cohort": snapshot.cohort,
        "status": trial.status if trial else None,
        "score": store.task.score(trial) if trial else None,
        "subject": snapshot.subject,
        "author": snapshot.author,
        "time": snapshot.time,
        "writer": snapshot.writer,
        "recorded": snapshot.recorded,
        "trials": [cells(each) for each in snapshot.trials],
    }


class TestTheSameObjects:
    """What is read from columns, beside what the records say."""

    def test_trials(self, odd: LineageStore, folder: Path) -> None:
        """Each trial of the log has every fact of its record and of its snapshot, in the same order of keys."""
        views = odd.log(None)
        assert {view.label for view in views} >= {"003@alice", "003@bob", "ödd id", "1e16", "lost"}
        told = [trial_object(view, odd.snapshot(view.oid), odd) for view in views]
        shown = Shell(folder)("log", "--json", "-n", "-1").splitlines()
        assert [json.loads(line) for line in shown] == told
        assert [list(json.loads(line)) for line in shown] == [list(each) for each in told]
        assert [list(json.loads(line)["row"]) for line in shown] == [list(each["row"]) for each in told]

    @pytest.mark.parametrize("words", [("descendants", "--leaves"), ("children", "001"), ("children", "003@alice")])
    def test_snapshots(self, odd: LineageStore, folder: Path, words: tuple[str, ...]) -> None:
        """Each snapshot of a list has every fact of its record."""
        found = odd.leaves() if words[1] == "--leaves" else odd.children(words[1])
        assert found
        assert Shell(folder).objects(*words) == [snapshot_object(each, odd) for each in found]

    @pytest.mark.parametrize("words", [("descendants", "000"), ("ancestors", "beyond"), ("ancestors", "039")])
    def test_walks(self, odd: LineageStore, folder: Path, words: tuple[str, str]) -> None:
        """Each snapshot that a walk comes to has the facts of its record, then how it was reached."""
        nodes = odd.descendants(words[1]) if words[0] == "descendants" else odd.ancestors(words[1])
        assert len(nodes) > 3
        told = [
            {
                **snapshot_object(node.entry, odd),
                "depth": node.depth,
                "relationship": node.relationship,
                "role": node.role,
            }
            for node in nodes
            if node.entry is not None
        ]
        assert Shell(folder).objects(*words) == told

    def test_events(self, odd: LineageStore, folder: Path) -> None:
        """The log of events in the order of the index is what the notes hold, each once, in order."""
        ledger = odd.ledger
        odd.ledger.refresh()
        notes = [each for name, tip in ledger.journal.tips().items() for each in ledger.journal.events(name, tip)]
        order = sorted((each.event.clock, each.writer, each.oid) for each in notes)
        shown = Shell(folder).objects("events")
        assert [(each["clock"], each["writer"], each["oid"]) for each in shown] == order
        some = Shell(folder).objects("events", "--since", str(order[9][0]), "--writer", "alice")
        assert some == [each for each in shown if each["clock"] >= order[9][0] and each["writer"] == "alice"]

    def test_cohorts(self, odd: LineageStore, folder: Path) -> None:
        """Each cohort with its members."""
        shown = Shell(folder).objects("cohort", "list")
        assert [(each["name"], each["members"]) for each in shown] == [(c.name, list(c.members)) for c in odd.cohorts()]
        assert any(each["members"] for each in shown)


@pytest.mark.parametrize("raw", [False, True])
def test_what_counts_is_told_alike(odd: LineageStore, raw: bool) -> None:
    """Rows for other programs and for the board's tree have what the records of the same trials have."""
    odd.append(row("below a retracted one", parent_exp="005"))
    views = odd.ledger.views(raw_parents=raw)
    told, seen = list(flat.counting(views)), views.all()
    assert [(c.label, c.oid, c.parent, c.others or (), c.cohort, c.dangling, c.score) for c in told] == [
        (v.label, v.oid, v.parent, v.others, v.cohort, v.dangling, odd.task.score(v.trial)) for v in seen
    ]
    cells = [list(each.trial.cells().items()) for each in seen]
    assert [list(told_cells(each.values).items()) for each in told] == cells
    columns = (*COLUMNS, "lr", "nowhere")
    assert [packed_text(c.values, column) for c in told for column in columns] == [
        v.trial.text(column) for v in seen for column in columns
    ]
    used = dict.fromkeys(name for each in cells for name, _ in each)
    assert list(flat.columns_of(views)) == list(dict.fromkeys([*(c for c in COLUMNS if c in used), *used]))


def test_subjects_are_those_of_git(odd: LineageStore, git: Callable[..., str]) -> None:
    """A subject that is kept as a hypothesis is the commit's, also after the row was revised, and in an index anew."""
    oids = [view.oid for view in odd.log(None)]
    subjects = {oid: git("log", "-1", "--format=%s", oid) for oid in oids}
    assert odd.trial("004").hypothesis == "another one by now" != subjects[odd.resolve("004")] == "h4"
    assert {oid: odd.snapshot(oid).subject for oid in oids} == subjects
    odd.reindex()
    assert {oid: odd.snapshot(oid).subject for oid in oids} == subjects


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with many trials, each below the one before."""
    root = tmp_path_factory.mktemp("long") / "repo"
    with LineageStore(root, writer="alice", identity=("Alice", "alice@example.org")) as store:
        names = [f"{at:04d}" for at in range(MANY)]
        above = ["", *names]
        store.append_many(
            Trial(exp_id=name, parent_exp=up, status="discard", core_metric=1.5, hypothesis=f"idea {name} " * 9)
            for name, up in zip(names, above, strict=False)
        )
    return root


@pytest.mark.parametrize(
    "words",
    [("log", "--json", "-n", "-1"), ("events", "--json"), ("descendants", "0000", "--json"), ("export", "tsv", "-")],
)
def test_a_reader_who_stops_early(long: Path, words: tuple[str, ...]) -> None:
    """After its first line the reader goes: the command ends as others do, and says nothing."""
    command = [sys.executable, "-m", "gitlineage", *words]
    with subprocess.Popen(
        command, cwd=long, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stderr is not None
        assert child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 141


def test_a_list_is_of_one_moment(long: Path, open_store: Callable[..., LineageStore], tmp_path: Path) -> None:
    """What is recorded while a list is read is not in it, and is in the next one."""
    reader, writer = open_store(long), open_store(long)
    numbers = reader.ledger.views().listed()
    told = reader.ledger.stream(lambda views: flat.trials(views, views.listed()))
    first = next(told)
    writer.retract(first.id, "meanwhile")
    writer.retract("0001", "meanwhile")
    writer.append(row("one more"))
    rest = list(told)
    assert len(rest) == len(numbers) - 1
    assert {each.retracted for each in rest} == {None}
    again = {each.id: each.retracted for each in reader.ledger.stream(lambda v: flat.trials(v, v.listed()))}
    assert (again["one more"], again["0001"]) == (None, "meanwhile")
    for name in (first.id, "0001"):
        writer.retract(name, "", undo=True)
    writer.retract("one more", "only a test")


def test_the_index_that_breaks_in_a_list(long: Path, open_store: Callable[..., LineageStore]) -> None:
    """Before the first answer nobody sees it; after that the list is said to have broken off, and can be had again."""
    store = open_store(long)

    def breaking(after: int) -> Callable[[Views], Iterator[flat.FlatTrial]]:
        whole = [True]

        def question(views: Views) -> Iterator[flat.FlatTrial]:
            for at, each in enumerate(flat.trials(views, views.listed())):
                if at == after and whole:
                    whole.clear()
                    raise Damaged("as a test has it")
                yield each

        return question

    count = len(store.log(None))
    assert len(list(store.ledger.stream(breaking(0)))) == count
    with pytest.raises(StorageError, match="broke off"):
        list(store.ledger.stream(breaking(5)))
    assert len(store.log(None)) == count


def test_a_long_table_is_what_a_short_one_would_be(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Rows that wait in a file come out as those in memory do, as wide as the widest of all."""
    columns = (Column("a"), Column("b", right=True), Column("none"), Column("c"))
    rows = [[Cell(f"{at}"), Cell("x" * (at % 7)), Cell(""), Cell("ä\n" * (at % 3))] for at in range(MANY)]
    layout.table(columns, iter(rows))
    output.flush()
    shown = capfdbinary.readouterr().out.decode().splitlines()
    assert len(shown) == MANY
    assert shown[MANY - 1] == f"{MANY - 1}  {'x' * ((MANY - 1) % 7):>6}  {'ä ' * ((MANY - 1) % 3)}".rstrip()
    assert shown[8] == "8          x  ä ä"


def test_how_a_campaign_stands_is_what_its_statistics_say(odd: LineageStore, folder: Path) -> None:
    """Counts by the index are those over all trials: today, since the last keep, and who is stuck."""
    for at in range(12):
        odd.commit({"f": b"stuck %d" % at}, ["001"], trial=row(f"stuck {at}", "discard", 9.0, specialist="s1"))
    odd.commit({"f": b"away"}, ["001"], trial=row("away", "harness_abort", None, specialist="s1"))
    for day in ("2026-01-01", "2026-01-02"):
        at = {"SOURCE_DATE_EPOCH": "1767225600" if day.endswith("01") else "1767312000"}
        (told,) = Shell(folder, **at).objects("status")[:1]
        assert told["today"] == {each.group: each.trials for each in odd.stats("day")}.get(day, 0)
        assert told["since_keep"] == odd.stats()[0].since_keep
        stuck = [each.group for each in odd.stats("specialist") if each.group and each.since_keep >= 10]
        assert told["stuck"] == stuck == ["s1"]
