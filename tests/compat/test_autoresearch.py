"""Autoresearch loops: their results read, recorded on the loop's own commits, again and again, and while they run."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import Shell, environment

from gitlineage import LineageStore
from gitlineage.bridge import autoresearch_format
from gitlineage.bridge.autoresearch import import_autoresearch
from gitlineage.bridge.rows import LoopOutcome
from gitlineage.errors import BadRows, Invalid

HEADER = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
WIDE = (
    "commit\ttimestamp\tval_fid\tartifact_mb\tmemory_gb\tmfu\ttrain_s\ttotal_s\tdelta_vs_best\tstatus\thypothesis\t"
    "seed\tnotes\n"
)
DEADLINE = 60


class Loop:
    """A repository in which an autoresearch loop runs: commits, resets and a results file that git does not track."""

    def __init__(self, folder: Path, git: Callable[..., str]) -> None:
        self.folder = folder
        self.git = git
        folder.mkdir()
        git("init", "-q", "-b", "main")
        git("config", "user.name", "Loop")
        git("config", "user.email", "loop@example.org")
        self.results = folder / "results.tsv"
        (folder / ".git" / "info").mkdir(exist_ok=True)
        (folder / ".git" / "info" / "exclude").write_text("results.tsv\n")
        self.edit("the start")
        git("checkout", "-q", "-b", "autoresearch/mar5")
        self.results.write_text(HEADER)

    def edit(self, text: str) -> str:
        """Commit another recipe and return its short hash."""
        (self.folder / "train.py").write_text(f"{text}\n")
        self.git("add", "train.py")
        self.git("commit", "-q", "-m", text)
        return self.git("rev-parse", "--short", "HEAD")

    def row(self, commit: str, *cells: str) -> None:
        """Append a row to the results."""
        with self.results.open("a") as file:
            file.write("\t".join([commit, *cells]) + "\n")

    def undo(self) -> None:
        """Throw the last commit away, as the loop does when a trial was no better."""
        self.git("reset", "-q", "--hard", "HEAD~1")

    def forget(self) -> None:
        """Let git delete what nothing leads to."""
        self.git("reflog", "expire", "--expire=now", "--all")
        self.git("gc", "-q", "--prune=now")

    def run(self) -> list[str]:
        """Run a loop of four trials: a baseline, a keep, a discard and a crash, the last two reset."""
        hashes = [self.git("rev-parse", "--short", "HEAD")]
        self.row(hashes[0], "0.997900", "44.0", "keep", "baseline")
        hashes.append(self.edit("higher LR"))
        self.row(hashes[1], "0.993200", "44.2", "keep", "increase LR to 0.04")
        hashes.append(self.edit("GeLU"))
        self.row(hashes[2], "1.005000", "44.0", "discard", "switch to GeLU")
        self.undo()
        hashes.append(self.edit("wider"))
        self.row(hashes[3], "0.000000", "0.0", "crash", "double the width (OOM)")
        self.undo()
        return hashes

    def state(self) -> tuple[object, ...]:
        """Return everything of the user's that an import must leave alone."""
        files = {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}
        heads = self.git("for-each-ref", "refs/heads", "refs/tags", "refs/remotes")
        gitdir = self.folder / ".git"
        return files, heads, (gitdir / "HEAD").read_bytes(), (gitdir / "index").read_bytes()


@pytest.fixture
def loop(folder: Path, git: Callable[..., str]) -> Loop:
    """A loop that has not recorded anything yet."""
    return Loop(folder, git)


def take(store: LineageStore, loop: Loop, **options: object) -> LoopOutcome:
    """Import a loop's results."""
    return import_autoresearch(store, loop.results.read_bytes(), source="results.tsv", **options)  # type: ignore[arg-type]


class TestFormat:
    """Reading the file alone."""

    def test_the_original_columns(self) -> None:
        """The first column with numbers is the metric, the description is the hypothesis, the rest is kept."""
        (row,) = autoresearch_format.read(
            (HEADER + "abc1234\t0.99\t44.0\tkeep\tmore depth\n").encode(), source="r"
        ).rows
        assert row.cells == {
            "commit": "abc1234",
            "val_bpb": "0.99",
            "memory_gb": "44.0",
            "status": "keep",
            "hypothesis": "more depth",
        }
        assert row.is_hash

    def test_thirteen_columns_and_another_metric(self) -> None:
        """Whatever the columns are, each of them stays; a timestamp is no number."""
        cells = "abc1234\t2026-03-05T10:00:00Z\t12.5\t16\t44\t0.4\t300\t400\t-0.5\tkeep\tmore depth\t7\tfine"
        results = autoresearch_format.read(f"{WIDE}{cells}\n".encode(), source="r")
        assert results.metric == "val_fid"
        assert [results.rows[0].cells[name] for name in ("artifact_mb", "mfu", "seed", "notes", "train_s")] == [
            "16",
            "0.4",
            "7",
            "fine",
            "300",
        ]
        assert autoresearch_format.read(f"{WIDE}{cells}\n".encode(), source="r", metric="mfu").metric == "mfu"

    def test_an_id_is_no_score(self) -> None:
        """Numbers that name trials rank none."""
        text = "commit\texp_id\tloss\tstatus\tdescription\nabc1234\t001\t0.5\tkeep\t1\n"
        results = autoresearch_format.read(text.encode(), source="r")
        assert (results.metric, results.rows[0].name) == ("loss", "001")

    def test_both_texts(self) -> None:
        """With a hypothesis and a description, the first is the hypothesis and the second a column of its own."""
        text = "commit\tloss\tstatus\tdescription\thypothesis\nabc1234\t1\tkeep\tdid it\tit helps\n"
        (row,) = autoresearch_format.read(text.encode(), source="r").rows
        assert (row.cells["hypothesis"], row.cells["description"]) == ("it helps", "did it")

    @pytest.mark.parametrize("status", ["crash", "preflight_crash", "harness_abort"])
    def test_a_crash_has_no_metric(self, status: str) -> None:
        """Zero in the metric of a crash is no score, and does not make its column the metric."""
        text = f"{HEADER}abc1234\t0.000000\t0.0\t{status}\tx\nabc1235\t0.9\t1\tkeep\ty\n"
        results = autoresearch_format.read(text.encode(), source="r")
        assert results.metric == "val_bpb"
        assert results.rows[0].cells["val_bpb"] == ""
        assert results.rows[0].cells["memory_gb"] == "0.0"

    def test_crashes_alone_tell_no_metric(self) -> None:
        """As long as everything crashed, what the metric is cannot be told."""
        assert autoresearch_format.read((HEADER + "abc1234\t0.0\t0.0\tcrash\tx\n").encode(), source="r").metric is None

    def test_nan_is_no_score(self) -> None:
        """A diverged run that was discarded has no metric; one that was kept is refused."""
        results = autoresearch_format.read((HEADER + "abc1234\tnan\t1\tdiscard\tx\n").encode(), source="r")
        assert results.rows[0].cells["val_bpb"] == ""
        with pytest.raises(BadRows, match="line 2: val_bpb 'nan'"):
            autoresearch_format.read((HEADER + "abc1234\tnan\t1\tkeep\tx\n").encode(), source="r")
        timed = "commit\tval_bpb\ttrain_s\tstatus\tdescription\nabc1234\t1.5\tnan\tkeep\tx\n"
        assert autoresearch_format.read(timed.encode(), source="r").rows[0].cells["train_s"] == ""

    def test_other_words_for_statuses(self) -> None:
        """Other words are refused by their lines, all of them, until it is said what they mean."""
        data = (HEADER + "abc1234\t1\t1\tkept\tx\nabc1235\t1\t1\tkeep\ty\nabc1236\t1\t1\tKEEP\tz\n").encode()
        with pytest.raises(BadRows) as error:
            autoresearch_format.read(data, source="r")
        assert [line for line, _ in error.value.rows] == [2, 4]
        assert "--status WORD=STATUS" in str(error.value)
        results = autoresearch_format.read(data, source="r", statuses={"kept": "keep", "KEEP": "keep"})
        assert {row.cells["status"] for row in results.rows} == {"keep"}

    def test_too_many_and_too_few_cells(self) -> None:
        """Rows of another width are refused by their lines, or mended with nothing lost."""
        data = (HEADER + "abc1234\t1\t1\tkeep\tx\ty\tz\nabc1235\t1\t1\tkeep\n").encode()
        with pytest.raises(BadRows) as error:
            autoresearch_format.read(data, source="r")
        assert [line for line, _ in error.value.rows] == [2, 3]
        assert "--repair" in str(error.value)
        results = autoresearch_format.read(data, source="r", repair=True)
        assert results.repaired == (2, 3)
        assert [row.cells.get("surplus") for row in results.rows] == ["y\tz", None]
        assert [row.cells["hypothesis"] for row in results.rows] == ["x", ""]

    def test_quotes_line_ends_and_blanks(self) -> None:
        """A byte order mark, CR LF, blank lines, repeated headers and quoted cells make no difference."""
        text = f'\ufeff{HEADER}abc1234\t1\t1\tkeep\t"say ""hi"""\n\n{HEADER}abc1235\t1\t1\tkeep\t"half\n'
        rows = autoresearch_format.read(text.replace("\n", "\r\n").encode(), source="r").rows
        assert [(row.line, row.cells["hypothesis"]) for row in rows] == [(2, 'say "hi"'), (5, '"half')]

    def test_a_half_written_line(self) -> None:
        """Of a file that is being written, a line without its end is left for later."""
        data = (HEADER + "abc1234\t1\t1\tkeep\tx\nabc1235\t1\t1\tke").encode()
        assert len(autoresearch_format.read(data, source="r", whole=False).rows) == 1
        assert autoresearch_format.read(HEADER.encode(), source="r", whole=False).rows == ()

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "is empty"),
            (b"exp_id\tstatus\n1\tkeep\n", "import tsv"),
            (b"commit\tloss\tstatus\nabc1234\t1\n", "2 cells where the header has 3 columns"),
            (b"commit\tstatus\tloss\tloss\n", "2 times"),
            (b"commit\tstatus\t\n", "has no name"),
            (b"commit\tstatus\tloss\nabc1234\tkeep\t\xff\n", "line 2: byte 0xff"),
            (b"commit\tstatus\tloss\nabc1234\tkeep\t1\0\n", "line 2: holds a NUL"),
            (b"commit\tstatus\tloss\nabc1234\tkeep\t" + b"1" * 600_000, "line 2: a line of 600013 bytes"),
        ],
    )
    def test_what_is_refused(self, data: bytes, reason: str) -> None:
        """A file that is no loop's results says so."""
        with pytest.raises(BadRows, match=reason):
            autoresearch_format.read(data, source="r")

    def test_names(self) -> None:
        """Replicates count on, words name themselves, and what the store reads otherwise gets a number."""
        cells = ["abc1234", "abc1234", "ABC1234d", "1234567", "best", "the baseline!", "", "", "f" * 40]
        text = "".join(f"{cell}\t1\tkeep\n" for cell in cells)
        rows = autoresearch_format.read(f"commit\tloss\tstatus\n{text}".encode(), source="r").rows
        found = autoresearch_format.stems(rows, lambda row: row.commit.lower()[:7])
        assert found == [*["abc1234"] * 3, "1234567", "best", "the-baseline", "row", "row", "f" * 12]
        assert autoresearch_format.stems(rows[:4], lambda row: row.commit.lower()[:7]) == found[:4]
        numbered = [
            autoresearch_format.numbered(*each)
            for each in (("abc1234", 1), ("abc1234", 2), ("1234567", 1), ("best", 1))
        ]
        assert numbered == ["abc1234", "abc1234.2", "1234567.1", "best.1"]

    def test_two_hashes_that_are_cut_alike(self) -> None:
        """Two long hashes with the same beginning keep their whole length, the second one at least."""
        text = "".join(f"{'a' * 20}{end * 20}\t1\tkeep\n" for end in "bc")
        rows = autoresearch_format.read(f"commit\tloss\tstatus\n{text}".encode(), source="r").rows
        assert autoresearch_format.stems(rows, lambda row: row.commit) == ["a" * 12, "a" * 20 + "c" * 20]


class TestImport:
    """The rows on the loop's commits."""

    def test_a_loop(self, loop: Loop, store: LineageStore) -> None:
        """Every commit of the loop gets its row, reset ones too, with parents from the git graph."""
        hashes = loop.run()
        before = loop.state()
        outcome = take(store, loop)
        assert (outcome.added, outcome.known, outcome.revised, outcome.lost) == (4, 0, 0, ())
        assert outcome.trials == tuple(hashes)
        assert loop.state() == before
        assert (store.task.score_field, store.task.lower_is_better) == ("val_bpb", True)
        best = store.best()
        assert best is not None and best.exp_id == hashes[1]
        assert store.snapshot(hashes[1]).oid == loop.git("rev-parse", "HEAD")
        assert [each.exp_id for each in store.children(hashes[1])] == hashes[2:]
        assert [each.exp_id for each in store.ancestors(hashes[3])[0].entry.trials] == [hashes[1]]  # type: ignore[union-attr]
        assert "+GeLU" in store.recipe_edit(hashes[2]).diff()
        crash = store.trial(hashes[3])
        assert (crash.val_bpb, crash.text("memory_gb"), crash.text("commit")) == (None, "0.0", hashes[3])
        discard = store.trial(hashes[2])
        assert (discard.text("delta_vs_best"), discard.baseline_exp) == ("+0.011800", hashes[1])
        assert "switch to GeLU" in store.render_prompt("arch").rendered_prompt

    def test_again_adds_nothing(self, loop: Loop, store: LineageStore) -> None:
        """A second import lands nothing; rows that were appended since are taken in."""
        loop.run()
        take(store, loop)
        tips = store.ledger.journal.tips()
        again = take(store, loop)
        assert (again.added, again.known) == (0, 4)
        assert store.ledger.journal.tips() == tips
        loop.row(loop.edit("deeper"), "0.990000", "45.0", "keep", "one more layer")
        more = take(store, loop)
        assert (more.added, more.known) == (1, 4)
        assert store.trial(more.trials[0]).text("delta_vs_best") == "-0.003200"

    def test_a_commit_survives_its_reset(self, loop: Loop, store: LineageStore) -> None:
        """What was imported while git still had it stays, code and all, when git cleans up."""
        hashes = loop.run()
        take(store, loop)
        loop.forget()
        assert store.files(hashes[2]) == {"train.py": b"GeLU\n"}
        loop.git("fsck", "--strict")

    def test_lost_commits_become_stubs(self, loop: Loop, store: LineageStore) -> None:
        """A commit that git has deleted gets a stub below the latest earlier commit that exists, and says so."""
        hashes = loop.run()
        loop.forget()
        before = loop.state()
        outcome = take(store, loop)
        assert outcome.lost == tuple(hashes[2:])
        assert loop.state() == before
        for lost in hashes[2:]:
            assert store.trial(lost).notes == "code lost"
            stub = store.snapshot(lost)
            assert stub.parents == (store.resolve(hashes[1]),)
            assert stub.tree == store.snapshot(hashes[1]).tree
        assert [each.exp_id for each in store.children(hashes[1])] == hashes[2:]
        assert take(store, loop).known == 4
        loop.forget()
        loop.git("fsck", "--strict")

    def test_a_lost_commit_with_many_rows(self, loop: Loop, store: LineageStore) -> None:
        """Rows on one lost commit share its stub, those that came later too."""
        loop.row("deadbe1", "1.0", "1", "discard", "gone")
        take(store, loop)
        loop.row("deadbe1", "1.1", "1", "discard", "gone, again")
        loop.row("DEADBE1", "1.2", "1", "discard", "and again")
        take(store, loop)
        (stub,) = {store.resolve(name) for name in ("deadbe1", "deadbe1.2", "deadbe1.3")}
        assert [trial.exp_id for trial in store.snapshot(stub).trials] == ["deadbe1", "deadbe1.2", "deadbe1.3"]

    def test_words_instead_of_commits(self, loop: Loop, store: LineageStore) -> None:
        """A word names its trial; each such row has a stub of its own, and git's own names do not count."""
        loop.row("main", "1.0", "1", "baseline", "the start")
        loop.row("main", "1.1", "1", "discard", "something")
        outcome = take(store, loop)
        assert (outcome.lost, outcome.unnamed) == ((), ("main", "main.2"))
        assert store.trial("main@alice").notes == "no commit"
        oids = {store.resolve("main@alice"), store.resolve("main.2")}
        assert len(oids) == 2 and loop.git("rev-parse", "main") not in oids
        assert store.resolve("main") == loop.git("rev-parse", "main")

    def test_replicates(self, loop: Loop, store: LineageStore) -> None:
        """Rows on one commit, however its hash is cut, are trials on one snapshot."""
        short = loop.run()[1]
        loop.row(short, "0.9940", "44.2", "keep", "seed 2")
        loop.row(loop.git("rev-parse", "HEAD"), "0.9936", "44.2", "keep", "seed 3")
        take(store, loop)
        snapshot = store.snapshot(short)
        assert [trial.exp_id for trial in snapshot.trials] == [short, f"{short}.2", f"{short}.3"]
        assert [trial.val_bpb for trial in snapshot.trials] == [0.9932, 0.994, 0.9936]

    def test_a_changed_cell_is_a_new_version(self, loop: Loop, store: LineageStore) -> None:
        """The row shows what the file says now, the old version stays in history, other rows stay alone."""
        hashes = loop.run()
        loop.forget()
        take(store, loop)
        first = store.ledger.journal.tips()["alice"]
        text = loop.results.read_text().replace("switch to GeLU", "switch to GELU").replace("0.993200", "0.994000")
        loop.results.write_text(text)
        outcome = take(store, loop)
        assert (outcome.added, outcome.revised, outcome.known) == (0, 2, 2)
        changed = store.trial(hashes[2])
        assert (changed.hypothesis, changed.notes) == ("switch to GELU", "code lost")
        assert store.trial(hashes[1]).val_bpb == 0.994
        assert store.ledger.views(at=first).trial(hashes[2]).trial.hypothesis == "switch to GeLU"
        assert take(store, loop).known == 4

    def test_the_next_run_from_the_same_commit(self, loop: Loop, store: LineageStore) -> None:
        """A new file whose baseline is on the same commit adds a replicate; both files stay known as they are."""
        start = loop.run()[0]
        take(store, loop)
        first = loop.results.read_bytes()
        loop.results.write_text(HEADER)
        loop.row(start, "0.998800", "44.0", "keep", "baseline")
        assert take(store, loop).trials == (f"{start}.2",)
        loop.row(loop.edit("another way"), "0.990000", "44.0", "keep", "another way")
        assert (take(store, loop).added, take(store, loop).known) == (1, 2)
        assert import_autoresearch(store, first, source="first").known == 4
        assert [trial.text("val_bpb") for trial in store.snapshot(start).trials] == ["0.997900", "0.998800"]
        loop.results.write_text(loop.results.read_text().replace("baseline", "the start again"))
        assert take(store, loop).trials == (f"{start}.2",)
        assert store.trial(f"{start}.2").hypothesis == "the start again"

    def test_two_machines_agree(self, loop: Loop, open_store: Callable[..., LineageStore], tmp_path: Path) -> None:
        """Two machines that import one loop have the same snapshots and rows, and no name is ambiguous together."""
        loop.run()
        loop.forget()
        other = tmp_path / "other"
        shutil.copytree(loop.folder, other)
        ours, theirs = open_store(), open_store(other, writer="bob")
        take(ours, loop)
        take(theirs, loop)
        loop.git("fetch", "-q", str(other), "refs/notes/lineage/bob:refs/notes/lineage/bob")
        assert {view.label: view.oid for view in ours.log(None)} == {view.label: view.oid for view in theirs.log(None)}
        assert take(ours, loop).known == 4

    def test_all_or_nothing(self, loop: Loop, store: LineageStore) -> None:
        """One bad row and nothing is recorded."""
        loop.run()
        loop.row("abc1234", "1", "1", "great", "x")
        with pytest.raises(BadRows, match="line 6"):
            take(store, loop)
        assert store.all_trials() == []
        assert store.ledger.journal.tips() == {}

    def test_an_ambiguous_hash(self, loop: Loop, store: LineageStore) -> None:
        """A hash that two commits begin with is refused by its line; the loop's branch or earlier rows decide."""
        first, second = _twins(loop)
        loop.git("update-ref", "refs/heads/other", second)
        loop.git("update-ref", "refs/heads/mine", first)
        loop.row(first[:4], "1.0", "1", "keep", "which one?")
        with pytest.raises(BadRows, match=f"line 2: commit '{first[:4]}' could be") as error:
            take(store, loop)
        assert "--branch" in str(error.value)
        take(store, loop, branch="mine")
        assert store.resolve(first[:4]) == first
        assert take(store, loop).known == 1
        with pytest.raises(Invalid, match="no branch 'nowhere'"):
            take(store, loop, branch="nowhere")

    def test_another_metric_and_direction(self, loop: Loop, store: LineageStore) -> None:
        """The direction follows from the kept rows; a store that ranks otherwise refuses."""
        loop.results.write_text("commit\tval_acc\tstatus\tdescription\n")
        first = loop.git("rev-parse", "--short", "HEAD")
        loop.row(first, "0.5", "keep", "start")
        loop.row(loop.edit("more"), "0.6", "keep", "more")
        outcome = take(store, loop)
        assert (outcome.task.score_field, outcome.task.lower_is_better, outcome.assumed) == ("val_acc", False, False)
        with pytest.raises(Invalid, match="this store ranks by val_acc"):
            take(store, loop, lower_is_better=True)
        with pytest.raises(Invalid, match="no column 'loss'"):
            take(store, loop, metric="loss")

    def test_rows_without_a_status(self, loop: Loop, store: LineageStore) -> None:
        """Scores are judged in file order, a row with neither waits for its result, and what is short is refused."""
        first, second, third, fourth = (loop.edit(text) for text in ("start", "better", "worse", "runs"))
        loop.row(first, "2.0", "1", "", "start")
        loop.row(second, "1.5", "1", "", "better")
        loop.row(third, "1.9", "1", "", "worse")
        loop.row(fourth, "", "1", "", "runs")
        with pytest.raises(Invalid, match="3 rows without a status cannot be judged"):
            take(store, loop)
        outcome = take(store, loop, lower_is_better=True)
        assert (outcome.added, outcome.judged, outcome.pending) == (4, 3, 1)
        states = [store.trial(each).status for each in (first, second, third, fourth)]
        assert states == ["baseline", "keep", "discard", None]
        assert store.trial(third).text("delta_vs_best") == "+0.400000"
        again = take(store, loop)
        assert (again.added, again.known, again.revised, again.judged) == (0, 4, 0, 0)
        text = loop.results.read_text()
        loop.results.write_text(text.replace(f"{fourth}\t\t", f"{fourth}\t1.2\t"))
        outcome = take(store, loop)
        assert (outcome.added, outcome.revised, outcome.judged) == (0, 1, 1)
        assert store.trial(fourth).status == "keep"
        loop.results.write_text(text)
        assert take(store, loop).known == 4  # the file knows less than the store
        loop.results.write_text(f"{text}{fourth}\t1.1\n")
        for repair in (False, True):
            with pytest.raises(BadRows, match="line 6: 2 cells"):
                take(store, loop, repair=repair)

    def test_no_status_column(self, loop: Loop, store: LineageStore) -> None:
        """A loop that writes no status has its rows judged."""
        loop.results.write_text("commit\tloss\tdescription\n")
        for score, text in (("2", "start"), ("1", "better")):
            loop.row(loop.edit(text), score, text)
        assert take(store, loop, lower_is_better=True).judged == 2
        assert [trial.status for trial in store.all_trials()] == ["baseline", "keep"]

    def test_a_loop_that_has_only_begun(self, loop: Loop, store: LineageStore) -> None:
        """A header alone is no error; a crash alone sets no task; the first score does."""
        assert take(store, loop).added == 0
        lost = loop.edit("too wide")
        loop.row(lost, "0.000000", "0.0", "crash", "OOM")
        take(store, loop)
        assert store.ledger.recorded_task() is None
        loop.row(loop.edit("fine"), "1.0", "2", "keep", "fine")
        outcome = take(store, loop)
        assert outcome.assumed
        assert store.task.score_field == "val_bpb"
        assert store.trial(lost).val_bpb is None

    def test_an_assumed_direction_is_settled_by_later_rows(self, loop: Loop, store: LineageStore) -> None:
        """One keep tells no direction; it stays a guess until a later import has rows that show it."""
        loop.results.write_text("commit\tval_acc\tstatus\tdescription\n")
        loop.row(loop.git("rev-parse", "--short", "HEAD"), "0.5", "keep", "start")
        assert (take(store, loop).assumed, take(store, loop).assumed) == (True, True)
        loop.row(loop.edit("more"), "0.6", "keep", "more")
        outcome = take(store, loop)
        assert (outcome.task.lower_is_better, outcome.assumed) == (False, False)
        assert LineageStore(store.root, lower_is_better=False).task == outcome.task

    def test_a_thousand_rows(self, loop: Loop, store: LineageStore) -> None:
        """Very many rows on few commits are replicates, each with an id of its own."""
        hashes = loop.run()
        for number in range(1000):
            loop.row(hashes[number % 4], f"1.{number:04d}", "1", "discard", f"seed {number}")
        assert take(store, loop).added == 1004
        assert len(store.snapshot(hashes[0]).trials) == 251
        assert take(store, loop).known == 1004


def _twins(loop: Loop) -> tuple[str, str]:
    """Make two commits whose oids begin with the same four digits."""
    tree = loop.git("rev-parse", "HEAD^{tree}")
    seen: dict[str, bytes] = {}
    for number in range(100_000):
        who = "A <a@example.org> 1700000000 +0000"
        body = f"tree {tree}\nauthor {who}\ncommitter {who}\n\ntry {number}\n".encode()
        oid = hashlib.sha1(b"commit %d\0" % len(body) + body).hexdigest()
        if oid[:4] in seen:
            bodies = (seen[oid[:4]], body)
            first, second = (loop.git("hash-object", "-t", "commit", "-w", "--stdin", data=each) for each in bodies)
            return first, second
        seen[oid[:4]] = body
    raise AssertionError("no two alike")


class TestCommand:
    """The command line."""

    def test_once(self, loop: Loop) -> None:
        """The command says what it did; after it, the other commands work on the loop's commits."""
        hashes = loop.run()
        before = loop.state()
        shell = Shell(loop.folder)
        result = shell.run("import", "autoresearch")
        assert result.exit_code == 0, result.output
        assert result.stdout.splitlines()[:2] == [
            "imported 4 trials",
            "ranked by val_bpb, lower is better, shown as bpb",
        ]
        (again,) = shell.objects("import", "autoresearch", "--results", loop.results)
        assert (again["added"], again["known"], again["trials"]) == (0, 4, [])
        assert [each["id"] for each in shell.objects("log")] == hashes[::-1]
        assert shell.objects("best")[0]["id"] == hashes[1]
        assert [each["exp_id"] for each in shell.objects("children", hashes[1])] == hashes[2:]
        assert "+higher LR" in shell("diff", hashes[1])
        assert f"exp_{hashes[1]}" in shell("prompt", "arch")
        assert loop.state() == before

    def test_options(self, loop: Loop) -> None:
        """Other words, another metric and its direction, mended rows."""
        short = loop.git("rev-parse", "--short", "HEAD")
        loop.row(short, "1.0", "44.0", "kept", "start", "and more")
        words = ["--status", "kept=keep", "--metric", "memory_gb", "--higher-is-better", "--repair", "--label", "mem"]
        shell = Shell(loop.folder)
        (outcome,) = shell.objects("import", "autoresearch", *words)
        assert outcome["repaired"] == [2]
        assert outcome["task"] == {**outcome["task"], "score_field": "memory_gb", "lower_is_better": False}
        assert shell.objects("log")[0]["row"]["surplus"] == "and more"

    def test_lost_commits_are_named(self, loop: Loop) -> None:
        """Commits that are gone are told once, when their stubs are made."""
        hashes = loop.run()
        loop.forget()
        shell = Shell(loop.folder)
        told = shell.run("import", "autoresearch").stderr
        assert f"not in this repository: {hashes[2]}, {hashes[3]}" in told
        assert shell.run("import", "autoresearch").stderr == ""

    def test_a_branch_that_is_not_checked_out(self, loop: Loop) -> None:
        """The results that are committed on another branch are taken from there."""
        short = loop.git("rev-parse", "--short", "HEAD")
        loop.row(short, "1.0", "44.0", "keep", "start")
        loop.git("add", "-f", "results.tsv")
        loop.git("commit", "-q", "-m", "results")
        loop.git("checkout", "-q", "main")
        assert not loop.results.exists()
        shell = Shell(loop.folder)
        (outcome,) = shell.objects("import", "autoresearch", "--branch", "autoresearch/mar5")
        assert outcome["trials"] == [short]

    @pytest.mark.parametrize(
        ("code", "words", "reason"),
        [
            (1, ["--results", "nothing.tsv"], "cannot read nothing.tsv: No such file"),
            (1, ["--metric", "loss"], "no column 'loss'"),
            (1, ["--metric", "description"], "no column 'description' to rank by; the columns are val_bpb, memory_gb"),
            (1, ["--metric", "status"], "no column 'status'"),
            (1, ["--branch", "nowhere"], "no branch 'nowhere'"),
            (1, ["--branch", "main"], "no results.tsv on main"),
            (2, ["--status", "kept"], "not of the form"),
            (2, ["--status", "kept=great"], "'great' is none of keep"),
            (2, ["--interval", "0"], "--interval"),
        ],
    )
    def test_bad_calls(self, loop: Loop, code: int, words: list[str], reason: str) -> None:
        """Every bad call ends with one line that says why."""
        loop.run()
        loop.edit("on")
        assert reason in Shell(loop.folder).fails(code, "import", "autoresearch", *words)

    def test_no_repository(self, tmp_path: Path) -> None:
        """A loop's results without its repository are refused, and no repository is made."""
        (tmp_path / "results.tsv").write_text(HEADER)
        assert "no git repository" in Shell(tmp_path).fails(1, "import", "autoresearch")
        assert not (tmp_path / ".git").exists()


class TestWatch:
    """Importing while the loop runs, in a process of its own."""

    @pytest.fixture
    def watch(self, loop: Loop) -> Iterator[Callable[..., "Watch"]]:
        """Start watchers that end with the test."""
        started: list[Watch] = []

        def start(*words: str) -> Watch:
            started.append(Watch(loop, *words))
            return started[-1]

        yield start
        for each in started:
            each.close()

    @pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells how often a process slept")
    def test_rows_as_they_come(self, loop: Loop, watch: Callable[..., "Watch"], store: LineageStore) -> None:
        """Each new row is a line; half a row waits for its end; a reset commit is kept; Ctrl-C ends it with 130."""
        hashes = loop.run()
        before = loop.state()
        watching = watch()
        assert [watching.line().split("  ")[0] for _ in hashes] == hashes
        assert loop.state() == before
        short = loop.edit("slower")
        with loop.results.open("a") as file:
            file.write(f"{short}\t1.1000\t44.0\tdisc")
            file.flush()
            watching.settle()
            assert len(store.all_trials()) == 4
            file.write("ard\tslower but\n")
        assert watching.line() == f"{short}  discard  bpb 1.1000  (+0.106800)  slower but"
        loop.undo()
        loop.forget()
        assert store.files(short) == {"train.py": b"slower\n"}
        assert "cells" not in watching.told(), "half a row was read"
        assert watching.stop() == 130
        assert "Traceback" not in watching.told()

    def test_a_file_that_is_not_there_yet(self, loop: Loop, watch: Callable[..., "Watch"]) -> None:
        """It waits for the file, tells what is wrong with it once, and goes on when that is mended."""
        loop.results.unlink()
        watching = watch("--json")
        watching.until("waiting for it")
        short = loop.git("rev-parse", "--short", "HEAD")
        loop.results.write_text(HEADER + f"{short}\t1.0\t1\tgreat\tstart\n")
        watching.until("line 2: status 'great'")
        loop.results.write_text(HEADER + f"{short}\t1.0\t1\tkeep\tstart\n")
        assert f'"id":"{short}"' in watching.line()
        assert watching.told().count("status 'great'") == 1


class Watch:
    """A watching process, what it prints, and what it tells on standard error."""

    def __init__(self, loop: Loop, *words: str) -> None:
        self._errors = loop.folder.parent / "errors.txt"
        self._output = loop.folder.parent / "output.txt"
        self._read = 0
        self._deadline = time.monotonic() + DEADLINE
        command = [sys.executable, "-m", "gitlineage", "import", "autoresearch", "--watch", "--interval", "0.05"]
        self._loop = loop
        with self._errors.open("wb") as errors, self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, *words],
                cwd=loop.folder,
                env=environment(GIT_CONFIG_GLOBAL=os.devnull),
                stdout=output,
                stderr=errors,
            )

    def _wait(self, found: Callable[[], object]) -> None:
        while not found():
            assert self._process.poll() is None, self.told()
            assert time.monotonic() < self._deadline, self.told()
            time.sleep(0.02)

    def line(self) -> str:
        """Return the next line that was printed."""
        self._wait(lambda: self._output.read_text().count("\n") > self._read)
        self._read += 1
        return self._output.read_text().splitlines()[self._read - 1]

    def until(self, text: str) -> None:
        """Wait until something is told on standard error."""
        self._wait(lambda: text in self.told())

    def told(self) -> str:
        """Return all that was told on standard error."""
        return self._errors.read_text()

    def settle(self) -> None:
        """Wait until the process has gone to sleep some times, and so has looked at the file as it is now."""
        before = self._sleeps()
        self._wait(lambda: self._sleeps() > before + 5)

    def _sleeps(self) -> int:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])

    def stop(self) -> int:
        """Press Ctrl-C and return the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=DEADLINE)

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(timeout=DEADLINE)
