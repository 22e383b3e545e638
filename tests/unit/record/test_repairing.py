"""Putting right what was recorded: rows that do not count, parents that were others, cycles that two clones closed."""

from pathlib import Path

import pytest
from clones import answers, clones, git
from command_line import Shell
from remotes import bare

from gitlineage import BisectFailed, Cycle, Invalid, LineageStore, NotFound, Task, Trial, Watcher
from gitlineage.bridge.board import write_board
from gitlineage.bridge.tsv import export_tsv, import_tsv
from gitlineage.sync.bundles import bundle, unbundle


class Ears(Watcher):
    """Keeps what a store tells."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Keep a line."""
        self.notes.append(text)


def fill(store: LineageStore) -> list[str]:
    """Record a chain of four trials, each better than the one before, and return their snapshots."""
    made: list[str] = []
    for at in range(4):
        row = Trial(
            status="keep" if at else "baseline", core_metric=9.0 - at, hypothesis=f"idea {at}", specialist="ann"
        )
        made.append(store.commit({"f": b"%d" % at}, made[-1:], trial=row).oid)
    return made


def ordinary(store: LineageStore) -> None:
    """Make an ordinary commit that nobody records."""
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    git(store.root, *who, "commit", "--allow-empty", "-qm", "ordinary")


class TestRetract:
    """A row that does not count."""

    def test_it_leaves_what_ranks_and_shows_and_stays_in_history(self, store: LineageStore, tmp_path: Path) -> None:
        """Best, leaderboard, prompt, board, children and refs are without it; log, show and audit have it and why."""
        fill(store)
        view = store.retract("003", "read from the\nwrong file", actor="eve")
        assert (view.retracted, view.trial.status) == ("read from the wrong file", "keep")
        assert store.best().exp_id == store.best(eligible="informational").exp_id == "002"
        assert [each.exp_id for each in store.leaderboard()] == ["002", "001"]
        assert [each.exp_id for each in store.latest()] == ["000", "001", "002"]
        shown = store.render_prompt("ann")
        assert "idea 2" in shown.rendered_prompt
        assert "idea 3" not in shown.rendered_prompt
        files = write_board(store, tmp_path / "board")
        told = {path.name: path.read_text() for path in files if path.name != "results.tsv"}
        assert not [name for name, text in told.items() if "idea 3" in text or "003" in text.split()]
        assert store.ledger.repo.ref("refs/lineage/exp/003") is None
        assert store.ledger.repo.ref("refs/lineage/best") == store.resolve("002")
        assert [each.label for each in store.log(None)] == ["003", "002", "001", "000"]
        assert [each.label for each in store.log(None, statuses=["retracted"])] == ["003"]
        assert store.trial("003").core_metric == 6.0
        assert len(store.all_trials()) == 4
        assert [each["retracted"] for each in store.to_dicts()] == ["", "", "", "read from the wrong file"]
        assert store.audit("003")[-1].what == "trial 003 retracted: read from the wrong file"
        assert store.audit("003")[-1].event.actor == "eve"
        assert store.verify() == []

    def test_what_came_from_it_stays_below_what_counts(self, store: LineageStore, tmp_path: Path) -> None:
        """In a chain's middle it leaves the prompt's line and the tree; the graph and the log keep it as the parent."""
        fill(store)
        store.retract("001", "no")
        assert [each.exp_id for each in store.render_prompt("ann").chain_to_best] == ["000", "002", "003"]
        write_board(store, tmp_path)
        tree = [line.split("\t")[:4] for line in (tmp_path / "tree.tsv").read_text().splitlines()[1:]]
        assert tree == [["000", "", "0", "000"], ["002", "000", "1", "000/002"], ["003", "002", "2", "000/002/003"]]
        assert [each.exp_id for each in store.chain_to("002")] == ["000", "001", "002"]
        assert store.view("002").parent == "001"

    def test_other_rows_of_its_snapshot_stay(self, store: LineageStore) -> None:
        """One replicate is retracted, not the snapshot: the other one counts and stands for it."""
        oids = fill(store)
        store.record(oids[3], Trial(exp_id="again", status="keep", core_metric=6.5))
        store.retract("003", "no")
        assert store.best().exp_id == "again"
        below = store.commit({"f": b"4"}, [oids[3]], trial=Trial(status="keep", core_metric=1.0, parent_exp="?"))
        assert store.view(below.trial.exp_id).parent == "again"
        assert [each.exp_id for each in store.chain_to(below.trial.exp_id)][-2:] == ["again", below.trial.exp_id]

    def test_a_revision_does_not_bring_it_back_and_undo_does(self, store: LineageStore) -> None:
        """What is revised meanwhile counts with its new cells once the retraction is taken back."""
        fill(store)
        store.retract("003", "no")
        store.record("003", Trial(core_metric=5.0), revise=True)
        assert store.best().exp_id == "002"
        assert store.retract("003", undo=True).retracted is None
        assert (store.best().exp_id, store.best().core_metric) == ("003", 5.0)
        assert store.ledger.repo.ref("refs/lineage/exp/003") == store.resolve("003")
        assert [each.what for each in store.audit("003")][-1] == "trial 003 counts again"
        assert store.verify() == []

    def test_a_pending_row_and_its_result(self, store: LineageStore) -> None:
        """A trial that is given up before it ended does not count when its result comes after all."""
        fill(store)
        store.commit({"f": b"5"}, ["003"], trial=Trial(hypothesis="waits"))
        store.retract("004", "given up")
        assert len(store.all_trials()) == store.ledger.views().total() == 4
        store.record("004", Trial(status="keep", core_metric=0.5))
        assert (store.best().exp_id, store.ledger.views().total(), len(store.all_trials())) == ("003", 4, 5)
        assert store.verify() == []

    def test_what_is_refused_and_what_adds_nothing(self, store: LineageStore) -> None:
        """No reason, no such trial, nothing to take back; the same word again is no event."""
        fill(store)
        with pytest.raises(Invalid, match="say why"):
            store.retract("003", " ")
        with pytest.raises(NotFound):
            store.retract("nobody", "no")
        with pytest.raises(Invalid, match="003 is not retracted"):
            store.retract("003", undo=True)
        store.retract("003", "no")
        count = len(store.events())
        store.retract("003", "no")
        assert len(store.events()) == count
        assert store.retract("003", "another reason").retracted == "another reason"

    def test_the_best_of_an_open_store_and_of_the_past(self, store: LineageStore) -> None:
        """What is recorded next is held against the new best; an earlier moment shows the row as it counted then."""
        fill(store)
        before = store.ledger.views().index.clock
        store.retract("003", "no")
        assert (
            store.commit({"f": b"9"}, ["002"], trial=Trial(status="keep", core_metric=6.5)).trial.baseline_exp == "002"
        )
        assert store.replay(before).best().exp_id == "003"

    def test_another_task_is_held_against_what_counts(self, store: LineageStore) -> None:
        """A row that ranks nowhere is no reason to refuse another task."""
        fill(store)
        for at in range(1, 4):
            store.retract(f"{at:03d}", "no")
        store.set_task(Task(lower_is_better=False))
        assert store.best().exp_id == "000"

    def test_a_table_says_it(self, store: LineageStore, tmp_path: Path) -> None:
        """The exported row is disqualified, its notes say why, other bytes stay; whoever reads it ranks alike."""
        table = "exp_id\tstatus\tcore_metric\thypothesis\tnotes\n0\tbaseline\t2.0\ta\t\n1\tkeep\t1.50\tb\tgood\n"
        import_tsv(store, table.encode(), source="t.tsv")
        store.retract("1", "wrong file")
        marked = table.replace("keep", "disqualified").replace("good", "[RETRACTED wrong file] good")
        assert export_tsv(store).decode() == marked
        with LineageStore(tmp_path / "other") as other:
            import_tsv(other, export_tsv(store), source="out.tsv")
            assert other.best().exp_id == store.best().exp_id == "0"
        store.retract("1", undo=True)
        assert export_tsv(store).decode() == table


class TestReparent:
    """Parents that were others."""

    def test_everything_follows_it_and_the_commit_stays(self, store: LineageStore, tmp_path: Path) -> None:
        """Walks, chain, prompt, tree, table and diagram; git's own parents stay what they were."""
        oids = fill(store)
        made = store.reparent("003", ["001", "000"], "it was crossed", roles={"000": "mate"})
        assert (made.oid, made.parents, made.roles) == (oids[3], (oids[1], oids[0]), {oids[0]: "mate"})
        assert [each.exp_id for each in store.chain_to("003")] == ["000", "001", "003"]
        assert [each.exp_id for each in store.parents("003")] == ["001", "000"]
        assert [each.exp_id for each in store.children("002")] == []
        assert [each.exp_id for each in store.children("000")] == ["001", "003"]
        assert {node.entry.exp_id for node in store.ancestors("003")} == {"000", "001"}
        assert {node.entry.exp_id for node in store.get_ancestors("003")} == {"000", "001"}
        assert store.find_common_ancestor("002", "003") == oids[1]
        assert [each.exp_id for each in store.render_prompt("ann").chain_to_best] == ["000", "001", "003"]
        assert store.view("003").others[0].role == "mate"
        drawn = store.generate_lineage_diagram(None, part="all", format="json")
        assert f'"source": "{oids[3]}"' in drawn.replace('":"', '": "')
        write_board(store, tmp_path)
        assert "003\t001\t2" in (tmp_path / "tree.tsv").read_text()
        assert export_tsv(store).decode().splitlines()[4].split("\t")[3] == "001"
        assert git(store.root, "rev-parse", f"{oids[3]}^@").split() == [oids[2]]
        assert [each.what for each in store.audit("003")][-1] == (
            "003 reparented: from 001, 000 (mate): it was crossed"
        )
        assert store.audit("000")[-1].what == store.audit("003")[-1].what
        assert store.reparentings("003")[0].reason == "it was crossed"
        assert store.verify() == []
        store.reindex()
        assert [each.exp_id for each in store.parents("003")] == ["001", "000"]

    def test_a_later_one_takes_it_back(self, store: LineageStore) -> None:
        """The parents that the commit has can be named again, ordinary commits too; none make a root."""
        store.commit({"f": b"0"}, trial=Trial(status="keep", core_metric=2.0))
        ordinary(store)
        head = git(store.root, "rev-parse", "HEAD")
        store.commit({"f": b"1"}, [head], trial=Trial(status="keep", core_metric=1.0))
        store.reparent("001", ["000"], "really")
        assert [each.exp_id for each in store.parents("001")] == ["000"]
        store.reparent("001", [head], "no")
        assert [each.oid for each in store.parents("001")] == [head]
        assert store.reparent("001", [], "from nothing").parents == ()
        assert [len(each.parents) for each in store.reparentings("001")] == [1, 1, 0]
        assert store.verify() == []

    def test_two_can_be_turned_round(self, store: LineageStore) -> None:
        """What was recorded the wrong way round is put right in two steps, for git's own edge no longer counts."""
        fill(store)
        store.reparent("001", [], "it was first")
        store.reparent("000", ["001"], "it was second")
        assert [each.exp_id for each in store.chain_to("000")] == ["001", "000"]
        assert [each.exp_id for each in store.chain_to("003")] == ["001", "002", "003"]
        assert store.verify() == []

    def test_what_is_refused(self, store: LineageStore) -> None:
        """Cycles inside the landing, relations' too; itself; what nobody recorded; a role of no parent; no reason."""
        fill(store)
        store.add_relationship("000", store.commit({"f": b"x"}).oid, "successor_to")
        lone = store.get_relationships()[0].target_id
        for child, parents in (("000", ["003"]), ("001", ["001"]), (lone, ["002"])):
            with pytest.raises(Cycle):
                store.reparent(child, parents, "no")
        store.reparent("003", ["000"], "yes")
        with store.batch(), pytest.raises(Cycle):
            store.reparent("002", ["003"], "yes")
            store.reparent("003", ["002"], "no")
        ordinary(store)
        with pytest.raises(NotFound):
            store.reparent("003", ["HEAD"], "no")
        with pytest.raises(Invalid, match="not among the parents"):
            store.reparent("003", ["000"], "no", roles={"002": "mate"})
        with pytest.raises(Invalid, match="say why"):
            store.reparent("003", ["001"], "")
        with pytest.raises(Cycle):
            store.add_relationship("000", "003", "successor_to")
        count = len(store.events())
        store.reparent("003", ["000"], "the same again")
        assert len(store.events()) == count

    def test_bisect_says_that_it_follows_commits(self, store: LineageStore) -> None:
        """The bisect of git cannot follow it, so it is refused over a reparented snapshot and goes on elsewhere."""
        fill(store)
        store.reparent("002", ["000"], "really")
        with pytest.raises(BisectFailed, match="002 was reparented"):
            store.bisect("000", "003", ["true"])
        assert store.bisect("000", "001", ["true"]).first_bad == store.resolve("001")

    def test_a_bundle_takes_it_along(self, store: LineageStore, tmp_path: Path) -> None:
        """A part of the lineage is closed under the parents that hold, and says them elsewhere."""
        fill(store)
        other = store.commit({"f": b"o"}, trial=Trial(exp_id="other", status="keep", core_metric=8.0))
        store.reparent("001", [other.oid], "really")
        store.retract("other", "no")
        bundle(store.ledger, tmp_path / "b", ancestors="001")
        with LineageStore(tmp_path / "there") as there:
            unbundle(there.ledger, tmp_path / "b")
            assert [each.exp_id for each in there.chain_to("001")] == ["other", "001"]
            assert there.view("other").retracted == "no"


@pytest.fixture
def pair(tmp_path: Path):
    """Two clones of one campaign with two unconnected snapshots, ``x`` and ``y``, and their remote."""
    remote = bare(tmp_path / "remote.git")
    with clones(tmp_path, str(remote), "ab") as (a, b):
        for name in "xy":
            a.commit({"f": name.encode()}, trial=Trial(exp_id=name, status="keep", core_metric=1.0))
        a.sync()
        b.sync()
        yield a, b, remote


class TestClones:
    """Two clones that contradict each other."""

    def check(self, a: LineageStore, b: LineageStore, remote: Path, folder: Path) -> None:
        """Both, a new clone and rebuilt indexes give the same answers."""
        for store in (a, b, a):
            store.sync()
        first = answers(a, folder / "board")
        assert answers(b, folder / "board") == first
        with LineageStore.clone(remote, folder / "new") as new:
            assert answers(new, folder / "board") == first
        for store in (a, b):
            store.reindex()
            assert answers(store, folder / "board") == first

    @pytest.mark.parametrize("kind", ["successor_to", "depends_on"])
    def test_the_later_relation_is_not_followed(self, pair, tmp_path: Path, kind: str) -> None:
        """It is kept, named by relations and verify, and followed as soon as the earlier one has ended."""
        a, b, remote = pair
        x, y = a.resolve("x"), a.resolve("y")
        a.add_relationship("x", "y", kind)
        b.add_relationship("y", "x", kind)
        self.check(a, b, remote, tmp_path)
        for store in (a, b):
            first, second = store.get_relationships()
            assert [(each.source_id, each.writer, each.followed) for each in (first, second)] == [
                (x, "a", True),
                (y, "b", False),
            ]
            assert store.get_ancestors("y", [kind]) == ()
            assert [node.id for node in store.get_ancestors("x", [kind])] == [y]
            (found,) = store.verify()
            assert (found.writer, found.oid) == ("b", y)
            assert f"y {kind} x would close a cycle and is not followed" in found.what
        if kind == "successor_to":
            assert a.find_common_ancestor("x", "y") == b.find_common_ancestor("x", "y") == y
        a.deprecate_relationship("x", "y", kind)
        self.check(a, b, remote, tmp_path / "again")
        assert [each.followed for each in b.get_relationships()] == [True]
        assert [node.id for node in b.get_ancestors("y", [kind])] == [x]
        assert b.verify() == []

    def test_parents_that_close_a_cycle_together(self, pair, tmp_path: Path) -> None:
        """Of two reparentings the earlier holds; the other snapshot keeps the parents that it had."""
        a, b, remote = pair
        a.reparent("x", ["y"], "a says")
        b.reparent("y", ["x"], "b says")
        self.check(a, b, remote, tmp_path)
        for store in (a, b):
            assert [each.exp_id for each in store.chain_to("x")] == ["y", "x"]
            assert [each.exp_id for each in store.chain_to("y")] == ["y"]
            assert [each.followed for each in store.reparentings("y")] == [False]
            (found,) = store.verify()
            assert "that y was derived from x would close a cycle and is not followed" in found.what
        a.reparent("x", [], "a gives way")
        self.check(a, b, remote, tmp_path / "between")
        b.reparent("y", ["x"], "b says it again")
        self.check(a, b, remote, tmp_path / "again")
        assert [each.exp_id for each in a.chain_to("y")] == ["x", "y"]
        assert a.verify() == b.verify() == []

    def test_a_relation_against_a_parent(self, pair, tmp_path: Path) -> None:
        """The two kinds of edges are judged together."""
        a, b, remote = pair
        b.add_relationship("y", "x", "forked_from")
        a.reparent("x", ["y"], "a says")
        self.check(a, b, remote, tmp_path)
        followed = [a.get_relationships()[0].followed, a.reparentings("x")[0].followed]
        assert sorted(followed) == [False, True]
        assert len(a.verify()) == len(b.verify()) == 1

    def test_a_pull_says_who_said_what(self, pair, tmp_path: Path) -> None:
        """Whose rows no longer count, and what came from elsewhere, is told where it arrives, once."""
        a, b, _ = pair
        b.retract("x", "wrong file")
        b.reparent("y", ["x"], "really")
        b.sync()
        ears = Ears()
        with LineageStore(a.root, writer="a", watcher=ears) as again:
            again.pull()
            said = [note.partition(";")[0] for note in ears.notes]
            assert said[:2] == ["b retracted x: wrong file", "b reparented y to x: really"]
            assert said[2:] == ["the best changed from x with core 1.0 to y with core 1.0, a row of a's"]
            assert "`gitlineage retract x --undo` takes it back" in ears.notes[0]
            again.pull()
            assert len(ears.notes) == 3
            again.record("x", Trial(core_metric=3.0), revise=True)
        assert ears.notes[3].startswith("x is retracted and does not count: wrong file; `gitlineage retract x --undo`")

    def test_the_last_word_on_a_row_holds(self, pair, tmp_path: Path) -> None:
        """Whoever said it: a retraction after an undo that it had not seen, or the other way round."""
        a, b, remote = pair
        a.retract("x", "a says")
        b.retract("x", "b says")
        self.check(a, b, remote, tmp_path)
        assert a.view("x").retracted == b.view("x").retracted == "b says"
        b.retract("x", undo=True)
        self.check(a, b, remote, tmp_path / "again")
        assert a.view("x").retracted is None
        assert [each.event.writer for each in a.audit("x")][-3:] == ["a", "b", "b"]


class TestCommands:
    """retract and reparent as they are typed."""

    def test_retract_and_reparent(self, folder: Path) -> None:
        """They say what they did, show tells both, and each fault is one line."""
        folder.mkdir()
        shell = Shell(folder)
        for at in range(3):
            (folder / "f").write_text(str(at))
            shell(
                "commit",
                "-m",
                f"try {at}",
                "--metric",
                3 - at,
                "--status",
                "keep",
                *(["--parents", at and f"{at - 1:03d}"] if at else ["--root"]),
            )
        assert shell("retract", "002", "-m", "wrong file").splitlines() == [
            "002 is retracted: wrong file",
            "The best is 001",
        ]
        assert "retracted" in shell("log").splitlines()[0]
        (row, *_) = shell.objects("log")
        assert (row["id"], row["status"], row["retracted"]) == ("002", "keep", "wrong file")
        assert shell("reparent", "002", "000", "-m", "it began there") == "002 comes from 000\n"
        text = shell("show", "002")
        assert "retracted: wrong file" in text
        assert "git parents    001" in text.replace("git parents  ", "git parents    ").replace("     ", "    ")
        assert "000: it began there" in text
        (told,) = shell.objects("show", "002")
        assert (told["retracted"], len(told["reparented"]), len(told["git_parents"])) == ({"002": "wrong file"}, 1, 1)
        assert told["parents"] != told["git_parents"]
        assert "counts again" in shell("retract", "002", "--undo")
        assert "002 is not retracted" in shell.fails(1, "retract", "002", "--undo")
        assert "002" in shell.fails(1, "reparent", "000", "002", "-m", "no")

    @pytest.mark.parametrize(
        "words",
        [["retract", "000"], ["reparent", "000", "-m", "x"], ["reparent", "000", "000"], ["retract", "-m", "x"]],
    )
    def test_wrong_calls(self, folder: Path, words: list[str]) -> None:
        """What is left out is asked for, with exit code 2."""
        assert Shell(folder).run(*words).exit_code == 2


def test_a_root_that_was_said_has_no_parent_that_is_missing(store: LineageStore) -> None:
    """The cell of its row still names what it was thought to come from; that is no dangling parent."""
    store.commit({"a": b"1"}, trial=Trial(exp_id="000", status="baseline", core_metric=2.0))
    store.commit({"a": b"2"}, ["000"], trial=Trial(exp_id="001", status="keep", core_metric=1.0))
    store.reparent("001", (), "begun anew")
    assert store.view("001").parent is None
    assert store.view("001").dangling is None
    assert store.log(dangling=True) == []
