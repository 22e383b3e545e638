"""Histories into a store: the command import PATH and the library below it, with real git and real files."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Shell
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlineage import LineageStore, Trial
from gitlineage.bridge import importing
from gitlineage.bridge.formats.source import Source
from gitlineage.bridge.planning import Options
from gitlineage.errors import LineageError

HEADER = "commit\tval_loss\tmem_gb\tstatus\tdescription\n"
ROWS = (
    "a1b2c3d\t2.0\t1\tkeep\tstart\n",
    "b2c3d4e\t1.8\t1\tkept\twider\n",
    "c3d4e5f\t1.9\t1\tREVERT\tdeeper\n",
    "-\t0.0\t0\tcrash\tout of memory\n",
)
TABLE = HEADER + "".join(ROWS)
EXACT = "exp_id\tparent_exp\ttimestamp\tspecialist\thypothesis\tstatus\tacc\tnotes"
"""The header of a trial log that is kept byte for byte."""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in an empty folder."""
    (tmp_path / "work").mkdir()
    return Shell(tmp_path / "work")


def put(folder: Path, name: str, text: str) -> Path:
    """Write a file and return it."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def taken(store: LineageStore, *paths: Path | Source, **options: Any) -> list[importing.Imported]:
    """Plan and record some paths."""
    asked = Options(**options)
    planned, _ = importing.plans(paths, asked, store.ledger.recorded_task())
    return importing.record(store, planned, asked)


@pytest.mark.parametrize(
    "lines", [("1,0.5,keep", "2,0.6,keep", ",0.4,crash", "4,0.3,keep"), ("1,0.5,keep", *("2,0.6,keep",) * 4)]
)
def test_a_table_that_grows_names_its_rows_as_before(tmp_path: Path, lines: tuple[str, ...]) -> None:
    """A row without an id, or with one that was there, does not make other trials of those before it."""
    names = []
    for way in ("at once", "in pieces"):
        store = LineageStore(tmp_path / way)
        for count in (len(lines),) if way == "at once" else range(1, len(lines) + 1):
            path = put(tmp_path / way, "runs.csv", "\n".join(("id,loss,status", *lines[:count], "")))
            taken(store, path, lower=True, metric="loss")
        names.append([entry.trial.exp_id for entry in store.log(limit=None)])
    assert names[0] == names[1] and len(names[0]) == len(lines)


class TestCommand:
    """What the command says and does."""

    def test_a_table(self, shell: Shell, tmp_path: Path) -> None:
        """It says what it took it for, what ranks and why, and what became of the rows; again, it adds nothing."""
        path = put(tmp_path, "results.tsv", TABLE)
        said = shell("import", path)
        for part in (
            "a table with tabs between 5 columns",
            "ranked by val_loss: its name says so",
            "lower is better: kept rows fall (1 of 1)",
            "imported 4 trials: 2 keep, 1 discard, 1 crash",
            "best: b2c3d4e with 1.8 (line 3)",
            "words for statuses: kept = keep, REVERT = discard",
        ):
            assert part in said
        assert shell.objects("best")[0]["exp_id"] == "b2c3d4e"
        again = shell.objects("import", path)[0]
        assert (again["added"], again["known"], again["revised"]) == (0, 4, 0)

    def test_a_plan_writes_nothing(self, shell: Shell, tmp_path: Path) -> None:
        """--dry-run makes no repository, and says the same facts as the import."""
        path = put(tmp_path, "results.tsv", TABLE)
        plan = shell.objects("import", path, "--dry-run")[0]
        assert not (shell.folder / ".git").exists()
        done = shell.objects("import", path)[0]
        assert {key: done[key] for key in plan} == plan
        assert (plan["best"]["id"], plan["direction"], plan["statuses"]) == (
            "b2c3d4e",
            "lower",
            {"keep": 2, "discard": 1, "crash": 1},
        )

    def test_a_command_that_is_given_goes_on(self, shell: Shell, tmp_path: Path) -> None:
        """What is unclear is refused with commands completely spelt; typing one of them imports."""
        path = put(tmp_path, "my results.tsv", TABLE.replace("1.8\t", "2.8\t"))
        result = shell.run("import", path)
        assert result.exit_code == 1
        assert not (shell.folder / ".git").exists()
        line = next(line for line in result.stderr.splitlines() if line.strip().startswith("gitlineage import"))
        script = f"import sys; sys.argv = ['gitlineage', *{['-C', str(shell.folder)]!r}, *sys.argv[1:]]\n"
        script += "from gitlineage.cli import main; main()"
        words = line.strip().removeprefix("gitlineage ")
        ran = subprocess.run(
            f'"$PYTHON" -c "$SCRIPT" {words}',
            shell=True,
            env={**os.environ, "SCRIPT": script, "PYTHON": sys.executable},
            check=False,
        )
        assert ran.returncode == 0
        assert shell.objects("best")[0]["exp_id"] == "b2c3d4e" or "--lower" in line

    @pytest.mark.parametrize(
        ("text", "words", "reason"),
        [
            (TABLE, ("--metric", "mfu"), "there is no column 'mfu'"),
            (TABLE, ("--status", "kept=good"), "'good' is none of keep"),
            (TABLE, ("--map", "foo"), "is not of the form NAME=VALUE"),
            (TABLE, ("--map", "nope=metric"), "there is no column 'nope'"),
            ("", (), "the file is empty"),
            ("\0\1\2\3\4\5\6\7" * 40, (), "no format that is read"),
            ("a sentence\n", (), "no format that is read"),
            (HEADER, (), "no rows yet"),
        ],
    )
    def test_what_is_refused(
        self, shell: Shell, tmp_path: Path, text: str, words: tuple[str, ...], reason: str
    ) -> None:
        """One line says what is wrong; nothing is made."""
        path = put(tmp_path, "results.tsv", text)
        result = shell.run("import", path, *words)
        assert result.exit_code in (1, 2)
        assert reason in result.stderr
        assert "Traceback" not in result.stderr
        assert not (shell.folder / ".git").exists()

    def test_a_path_that_is_not_there(self, shell: Shell) -> None:
        """It is told in one line."""
        assert "there is no nowhere.tsv" in shell.fails(1, "import", "nowhere.tsv")

    def test_standard_input(self, shell: Shell, tmp_path: Path) -> None:
        """A dash is the stream."""
        script = f"import sys; sys.argv = ['gitlineage', '-C', {str(shell.folder)!r}, 'import', '-', '--json']\n"
        script += "from gitlineage.cli import main; main()"
        ran = subprocess.run([sys.executable, "-c", script], input=TABLE.encode(), capture_output=True, check=True)
        assert json.loads(ran.stdout)["added"] == 4

    def test_columns_that_git_remembers(self, shell: Shell, tmp_path: Path) -> None:
        """A mapping can be kept in git's configuration."""
        path = put(tmp_path, "t.tsv", "foo\tbar\tbaz\n1.5\tyes\tx\n1.2\tno\ty\n")
        subprocess.run(["git", "init", "-q", shell.folder], check=True)
        for each in ("foo=metric", "bar=status", "baz=id"):
            subprocess.run(["git", "-C", shell.folder, "config", "--add", "lineage.importMap", each], check=True)
        assert shell.objects("import", path, "--higher-is-better")[0]["best"]["id"] == "x"

    def test_who_and_which_batch(self, shell: Shell, tmp_path: Path) -> None:
        """--specialist, --cohort and --label are on what is imported."""
        path = put(tmp_path, "results.tsv", TABLE)
        shell("import", path, "--specialist", "ada", "--cohort", "first", "--label", "loss")
        trial = shell.objects("show", "b2c3d4e")[0]
        assert trial["cohort"] == "first"
        assert "ada" in json.dumps(trial)

    def test_the_explicit_form_has_the_same_options(self, shell: Shell, tmp_path: Path) -> None:
        """What columns and words mean, the batch, the maker and a dry run can be said to `import tsv`, too."""
        path = tmp_path / "t.tsv"
        path.write_text(TABLE.replace("REVERT", "contender"))
        options = ("--status", "contender=discard", "--cohort", "night", "--specialist", "ada")
        assert shell("import", "tsv", path, *options, "--dry-run") == shell("import", path, *options, "--dry-run")
        shell("import", "tsv", path, *options)
        assert "night" in shell("cohort", "list")
        assert "without options for columns" in shell.fails(2, "import", "tsv", path, "--cohort", "x", "--repair")

    def test_spreadsheets_are_safe_on_request(self, shell: Shell, tmp_path: Path) -> None:
        """A cell that a spreadsheet would run is quoted with --for-spreadsheets, and exact without it."""
        path = put(tmp_path, "results.tsv", TABLE.replace("wider", "=1+1"))
        shell("import", path)
        assert "\t'=1+1" in shell("export", "tsv", "-", "--for-spreadsheets")
        assert "\t=1+1" in shell("export", "tsv", "-")


class TestPieces:
    """The same history, imported in pieces, twice, or by two files."""

    def test_pieces_give_what_the_whole_gives(self, open_store: Callable[..., LineageStore], tmp_path: Path) -> None:
        """A direction that was guessed from a name is settled by later rows; the trials are the same."""
        table = ["id\tscore\tkept\n", "a\t5\tyes\n", "b\t6\tyes\n", "c\t4\tno\n", "d\t9\tyes\n"]
        whole, parts = open_store(tmp_path / "whole"), open_store(tmp_path / "parts")
        path = put(tmp_path, "whole.tsv", "".join(table))
        taken(whole, Source(path, "t.tsv"))
        for end in range(3, 6):
            piece = put(tmp_path / "parts-of", "whole.tsv", "".join(table[:end]))
            taken(parts, Source(piece, "t.tsv"))
        assert [trial.to_row() for trial in whole.all_trials()] == [trial.to_row() for trial in parts.all_trials()]
        assert whole.task == parts.task

    def test_a_guess_does_not_outlive_better_knowledge(
        self, open_store: Callable[..., LineageStore], tmp_path: Path
    ) -> None:
        """Rows that were judged by a guessed direction are judged again once that is known to be wrong."""
        first = "exp_id\tgap_loss\tstatus\n" + "1\t5\tok\n2\t7\tok\n3\t4\tok\n"
        store = open_store(tmp_path / "guess")
        path = put(tmp_path, "t.tsv", first)
        (done,) = taken(store, path)
        assert done.plan.direction.assumed and store.task.assumed
        best = store.best()
        assert best and best.exp_id == "3"
        (again,) = taken(store, path, lower=False)
        best = store.best()
        assert best and best.exp_id == "2"
        assert not store.task.assumed and again.outcome.revised == 2

    def test_two_tables_about_the_same_commits(self, open_store: Callable[..., LineageStore], tmp_path: Path) -> None:
        """What one says again is recorded once, what ranks otherwise is not ranked, and a second run is idle."""
        folder = tmp_path / "tables"
        put(folder, "long.tsv", TABLE.replace("\tstart", "\tstart; and more"))
        put(folder, "short.tsv", "".join([HEADER, *ROWS[:2]]))
        put(folder, "gap.tsv", "commit\tgap\tstatus\na1b2c3d\t1.0\tkeep\nf6071a2\t1.3\tkeep\n")
        store = open_store(tmp_path / "both")
        done = {Path(each.plan.source).name: each for each in taken(store, folder)}
        assert [done[name].outcome.added for name in ("long.tsv", "short.tsv", "gap.tsv")] == [4, 0, 2]
        assert done["short.tsv"].outcome.repeated == 2
        assert not done["gap.tsv"].ranked
        assert store.task.score_field == "val_loss"
        again = taken(store, folder)
        assert [(each.outcome.added, each.outcome.revised) for each in again] == [(0, 0)] * 3

    def test_a_log_that_went_on_to_another_metric(
        self, open_store: Callable[..., LineageStore], tmp_path: Path
    ) -> None:
        """A later segment of a pi-autoresearch log takes the task along; what was before is not ranked by it."""
        one = (
            '{"type":"config","metricName":"ms","bestDirection":"lower"}\n'
            '{"run":1,"commit":"a1b2c3d","metric":10,"status":"keep","description":"x"}\n'
        )
        two = (
            '{"type":"config","metricName":"ops","bestDirection":"higher"}\n'
            '{"run":2,"commit":"b2c3d4e","metric":90,"status":"keep","description":"y"}\n'
        )
        store = open_store(tmp_path / "log")
        path = put(tmp_path, "autoresearch.jsonl", one)
        taken(store, path)
        assert store.task.score_field == "ms"
        put(tmp_path, "autoresearch.jsonl", one + two)
        (done,) = taken(store, path)
        assert (done.outcome.added, store.task.score_field, store.task.lower_is_better) == (1, "ops", False)
        best = store.best()
        assert best and best.exp_id == "2"

    def test_a_trial_log_of_this_program_comes_back(self, shell: Shell, tmp_path: Path) -> None:
        """A table of the seventeen columns is kept byte for byte."""
        text = (
            "exp_id\tparent_exp\tspecialist\thypothesis\tstatus\tcore_metric\tnotes\n"
            '000\t\tada\tstart\tbaseline\t2.0\t\n001\t000\tada\t"a ""b"" c"\tkeep\t1.50\tx\n'
        )
        path = put(tmp_path, "results.tsv", text)
        shell("import", path)
        assert shell("export", "tsv", "-") == text


def test_a_log_that_grows_is_followed(shell: Shell, tmp_path: Path) -> None:
    """--watch takes in each line of a log once it is whole, and ends with Ctrl-C."""
    subprocess.run(["git", "init", "-q", shell.folder], check=True)
    path = put(tmp_path, "autoresearch.jsonl", '{"type":"config","metricName":"ms","bestDirection":"lower"}\n')
    script = f"import sys; sys.argv = ['gitlineage', '-C', {str(shell.folder)!r}, 'import', {str(path)!r}]\n"
    script += "sys.argv += ['--watch', '--interval', '0.05']\nfrom gitlineage.cli import main; main()"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for run, half in ((1, '{"run":2,"com'), (2, "")):
                line = (
                    f'"run":{run},"commit":"a1b2c3{run}","metric":{9 - run},"status":"keep","description":"x"' + "}\n"
                )
                with path.open("a") as file:
                    file.write(("{" + line if run == 1 else line.partition(',"com')[2]) + half)
                assert process.stdout.readline().startswith(f"{run}  keep  ms {9 - run}")
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 130


class TestCommits:
    """Rows on the commits of the loop's own repository."""

    def test_rows_on_commits_and_what_waits(self, shell: Shell, tmp_path: Path) -> None:
        """A row goes to its commit; a pending trial there, as a hook records it, gets it as its result."""
        git = ["git", "-C", str(shell.folder), "-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "init", "-q", shell.folder], check=True)
        oids = []
        for at in range(3):
            put(shell.folder, "train.py", f"print({at})\n")
            subprocess.run([*git, "add", "-A"], check=True)
            subprocess.run([*git, "commit", "-q", "-m", f"step {at}"], check=True)
            head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
            oids.append(head.stdout.strip())
        with LineageStore(shell.folder) as store:
            waiting = Trial(hypothesis="widen it", specialist="ada")
            store.ledger.record_with(lambda recorder: recorder.record(oids[1], waiting, judged=False))
        rows = [f"`{oids[0][:7]}`\t2.0\t1\tkeep\tstart\n", f"{oids[1][:8]}\t1.5\t1\tkeep\twider\n"]
        path = put(tmp_path, "results.tsv", HEADER + "".join(rows) + f"{oids[1][:8]}\t1.6\t1\tdiscard\tnarrow\n")
        done = shell.objects("import", path)[0]
        assert (done["added"], done["revised"], done["lost"]) == (2, 1, [])
        best = shell.objects("best")[0]
        assert best["oid"] == oids[1]
        assert best["row"]["specialist"] == "ada"
        discard = next(each for each in shell.objects("log") if each["status"] == "discard")
        assert discard["oid"] not in oids
        assert shell.objects("parents", discard["exp_id"])[0]["oid"] == oids[1]
        again = shell.objects("import", path)[0]
        assert (again["added"], again["revised"], again["known"]) == (0, 0, 3)

    def test_a_commit_that_arrives_takes_its_row(self, shell: Shell, tmp_path: Path) -> None:
        """A stand-in's row goes to its commit once that is here, however the table spells it."""
        other = tmp_path / "other"
        subprocess.run(["git", "init", "-q", other], check=True)
        put(other, "x", "1")
        git = ["git", "-C", str(other), "-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "x"], check=True)
        oid = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
        path = put(tmp_path, "results.tsv", f"rev\tloss\tstatus\n[{oid[:9]}]\t1.5\tkeep\n")
        assert shell.objects("import", path)[0]["lost"] == [oid[:9]]
        subprocess.run(["git", "-C", shell.folder, "fetch", "-q", other], check=True)
        done = shell.objects("import", path)[0]
        assert (done["added"], len(done["moved"])) == (0, 1)
        assert shell.objects("best")[0]["oid"] == oid


# -- formats of other programs -------------------------------------------------------------------------------------


def openevolve(folder: Path) -> Path:
    """Make a checkpoint of OpenEvolve."""
    for at, (name, parent, score) in enumerate([("p0", None, 0.5), ("p1", "p0", 0.7), ("p2", "gone", 0.6)]):
        program = {"id": name, "code": f"x = {at}\n", "language": "python", "parent_id": parent, "generation": at}
        program |= {"iteration_found": at, "timestamp": 1790000000.0 + at, "metadata": {"island": at % 2}}
        program["metrics"] = {"combined_score": score, "time_us": 5.0 - at}
        put(folder, f"programs/{name}.json", json.dumps(program))
    put(folder, "metadata.json", json.dumps({"best_program_id": "p1"}))
    return folder


def shinka(folder: Path) -> Path:
    """Make a database of ShinkaEvolve, with rows that are in its log alone."""
    folder.mkdir(parents=True)
    base = sqlite3.connect(folder / "programs.sqlite")
    base.execute("PRAGMA journal_mode = WAL")
    base.execute(
        "CREATE TABLE programs (id TEXT PRIMARY KEY, code TEXT, language TEXT, parent_id TEXT, "
        "archive_inspiration_ids TEXT, generation INTEGER, timestamp REAL, combined_score REAL, correct INTEGER, "
        "metadata TEXT, island_idx INTEGER)"
    )
    rows = [
        ("a", "x = 0\n", None, "[]", 0, 0.4, 1, 0),
        ("b", "x = 1\n", "a", "[]", 1, 0.9, 0, 0),
        ("c", "x = 2\n", "a", '["b"]', 2, 0.6, 1, 1),
    ]
    for name, code, parent, inspirations, generation, score, correct, island in rows:
        values = (
            name,
            code,
            "python",
            parent,
            inspirations,
            generation,
            1.0 + generation,
            score,
            correct,
            "{}",
            island,
        )
        base.execute("INSERT INTO programs VALUES (?,?,?,?,?,?,?,?,?,?,?)", values)
    base.commit()
    for ending in ("", "-wal"):
        data = (folder / f"programs.sqlite{ending}").read_bytes()
        put(folder / "copy", "x", "")
        (folder / "copy" / f"programs.sqlite{ending}").write_bytes(data)
    base.close()
    return folder / "copy"


def test_an_openevolve_checkpoint(store: LineageStore, tmp_path: Path) -> None:
    """Programs become snapshots with their code, parents and islands."""
    (done,) = taken(store, openevolve(tmp_path / "checkpoint_3"))
    assert done.plan.best and done.plan.best.id == "p1"
    best = store.best()
    assert best and best.exp_id == "p1"
    assert store.parents("p1")[0].exp_id == "p0"
    assert store.snapshot("p1").cohort == "island-1"
    assert store.parents("p2") == ()
    assert any("evicted" in told for told in done.plan.told)
    assert store.ledger.repo.resolve_tree(store.snapshot("p1").oid) != store.ledger.repo.empty_tree()


def test_a_shinka_database_in_use(store: LineageStore, tmp_path: Path) -> None:
    """Rows of the write-ahead log are read, wrong programs never win, inspirations are roles, and no file changes."""
    folder = shinka(tmp_path / "run")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (done,) = taken(store, folder)
    best = store.best()
    assert best and best.exp_id == "c"
    snapshot = store.snapshot("c")
    assert [parent.exp_id for parent in store.parents("c")] == ["a"]
    assert [store.snapshot(oid).exp_id for oid in snapshot.inspirations] == ["b"]
    assert done.plan.statuses == {"ran": 2, "crash": 1}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_gepa_result(store: LineageStore, tmp_path: Path) -> None:
    """A merge has two parents; a pickled state is never opened."""
    result = {
        "candidates": [{"prompt": "a"}, {"prompt": "b"}, {"prompt": "c"}, {"prompt": "d"}],
        "parents": [[None], [0], [0], [2, 1]],
        "val_aggregate_scores": [0.5, 0.4, 0.75, 0.75],
    }
    taken(store, put(tmp_path, "gepa.json", json.dumps(result)))
    assert [parent.exp_id for parent in store.parents("3")] == ["2", "1"]
    best = store.best()
    assert best and best.exp_id == "2"
    put(tmp_path / "state", "gepa_state.bin", "cos\nsystem\n(S'touch owned'\ntR.")
    with pytest.raises(LineageError, match="never opened"):
        taken(store, tmp_path / "state")


def test_an_aide_journal(store: LineageStore, tmp_path: Path) -> None:
    """Nodes become trials on their code; a buggy one is never the best."""
    nodes = [
        {"id": f"{at}" * 32, "code": f"print({at})\n", "plan": f"plan {at}", "step": at, "ctime": 1777770000.0 + at,
         "metric": {"value": value, "maximize": False}, "is_buggy": buggy}
        for at, (value, buggy) in enumerate([(0.3, False), (0.2, False), (0.1, True)], 1)
    ]  # fmt: skip
    parents = {"2" * 32: "1" * 32, "3" * 32: "2" * 32}
    taken(store, put(tmp_path, "journal.json", json.dumps({"nodes": nodes, "node2parent": parents})))
    best = store.best()
    assert best and best.exp_id == "2" * 32
    assert store.parents("3" * 32)[0].exp_id == "2" * 32


def test_an_mlflow_folder_and_a_nested_run(store: LineageStore, tmp_path: Path) -> None:
    """Runs are trials, a nested one has its parent, and a run that goes on is pending."""
    for name, status, parent, loss in (("r1", 3, "", "0.5"), ("r2", 3, "r1", "0.4"), ("r3", 1, "r1", "0.1")):
        run = tmp_path / "mlruns" / "1" / name
        meta = f"run_id: {name}\nstatus: {status}\nstart_time: 178000000{name[1]}000\nlifecycle_stage: active\n"
        put(run, "meta.yaml", meta)
        put(run, "metrics/val_loss", f"1780000000000 9.9 0\n1780000000001 {loss} 1\n")
        put(run, "params/lr", "0.1")
        if parent:
            put(run, "tags/mlflow.parentRunId", parent)
    (done,) = taken(store, tmp_path / "mlruns")
    assert done.plan.metric == "metrics.val_loss"
    assert done.plan.statuses == {"ran": 2, "pending": 1}
    best = store.best()
    assert best and best.exp_id == "r2"
    assert store.parents("r2")[0].exp_id == "r1"


_MAKERS: dict[str, Callable[[Path], Path]] = {"openevolve": openevolve, "shinka": shinka}


@pytest.mark.parametrize("maker", sorted(_MAKERS))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_refused_or_read(
    maker: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A file that was cut or overwritten anywhere gives trials or one of our errors, never anything else."""
    folder = _MAKERS[maker](tmp_path_factory.mktemp("fuzz") / "run")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:at] + data.draw(st.binary(max_size=30)) + whole[at + data.draw(st.integers(0, 40)) :])
    try:
        importing.plans([folder], Options())
    except LineageError:
        return


@pytest.mark.parametrize("depth", [100_000])
def test_json_that_nests_without_end(depth: int, tmp_path: Path) -> None:
    """It is no document that is read."""
    path = put(tmp_path, "deep.json", "[" * depth + "]" * depth)
    with pytest.raises(LineageError):
        importing.plans([path], Options())
    line = put(tmp_path, "deep.jsonl", '{"a":' * depth + "1" + "}" * depth + "\n")
    with pytest.raises(LineageError):
        importing.plans([line], Options())


def test_rows_without_a_commit_that_only_share_id_and_score_are_trials_of_their_own(tmp_path: Path) -> None:
    """Two tables count their rows alike; what says the very same is known, whatever file it is in."""
    tables = {
        "a.csv": "id,acc,status,model\n1,0.5,keep,resnet\n2,0.6,keep,wide\n",
        "b.csv": "id,acc,status,model\n1,0.5,keep,vit\n2,0.6,keep,deep\n3,0.7,keep,xl\n",
    }
    for name, text in tables.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "c.csv").write_text(tables["a.csv"])
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    shell = Shell(tmp_path)
    for name in ("a.csv", "b.csv", "c.csv", "b.csv"):
        shell("import", tmp_path / name)
    assert sorted(each["row"]["model"] for each in shell.objects("log")) == ["deep", "resnet", "vit", "wide", "xl"]


class TestWhatIsSaid:
    """What the command says of trials is true of what it recorded."""

    def test_the_best_is_called_as_its_trial_is(self, shell: Shell, tmp_path: Path) -> None:
        """Where ids or commits come more than once, the summary names the trial, and `show` finds it."""
        path = put(tmp_path, "ids.tsv", "id\tacc\tstatus\n1\t0.5\tkeep\n1\t0.7\tkeep\n2\t0.6\tdiscard\n")
        assert "best: 1.2 with 0.7 (line 3)" in shell("import", path)
        path = put(tmp_path, "commits.tsv", "commit\tacc\tstatus\na1b2c3d\t0.75\tkeep\na1b2c3d\t0.8\tkeep\n")
        result = shell.run("import", path)
        assert "best: a1b2c3d.2 with 0.8" in result.stdout
        assert "1 commit of 2 trials is not in this repository: a1b2c3d" in result.stderr
        assert shell.objects("import", path)[0]["lost_commits"] == []

    @pytest.mark.parametrize("columns", ["exp_id\tparent\tacc\tstatus", EXACT])
    def test_parents_that_go_round(self, shell: Shell, tmp_path: Path, columns: str) -> None:
        """A circle is told as one, a parent that nobody has as that."""
        names = columns.split("\t")
        rows = [("1", "2", "0.5"), ("2", "1", "0.6"), ("3", "3", "0.7"), ("4", "zz", "0.8")]
        text = columns + "\n"
        for name, parent, score in rows:
            cells = {names[0]: name, "parent": parent, "parent_exp": parent, "acc": score, "status": "keep"}
            text += "\t".join(cells.get(column, "") for column in names) + "\n"
        done = shell.run("import", put(tmp_path, "r.tsv", text))
        assert "parents that no trial has: of 4" in done.stderr
        assert "parents that go round in a circle, so that one is left out: of " in done.stderr
        assert len(shell.objects("log")) == 4

    def test_a_parent_below_its_child(self, shell: Shell, tmp_path: Path) -> None:
        """It is recorded first, what is compared follows that order, and it is said."""
        path = put(tmp_path, "r.tsv", "id\tparent\tacc\tstatus\n1\t\t0.5\tkeep\n3\t2\t0.7\tkeep\n2\t1\t0.6\tkeep\n")
        done = shell.run("import", path)
        assert "line 3 stands above its parent: parents are recorded first" in done.stderr
        trials = {each["exp_id"]: each for each in shell.objects("log")}
        assert list(trials) == ["3", "2", "1"]
        assert trials["3"]["row"]["delta_vs_best"] == "+0.100000"

    def test_a_row_that_is_not_over(self, shell: Shell, tmp_path: Path) -> None:
        """Its score so far is kept as text and said to rank later; once it is over, only its result is there."""
        text = "id\tacc\tstatus\n1\t0.5\tkeep\n2\t0.6\twip\n"
        path = put(tmp_path, "r.tsv", text)
        done = shell.run("import", path)
        assert "what acc says so far is kept in acc_text, and ranks once the row says how it ended" in done.stderr
        assert "pending: 1 row not over" in done.stdout
        assert shell.objects("best")[0]["exp_id"] == "1"
        put(tmp_path, "r.tsv", text.replace("0.6\twip", "0.65\tkeep"))
        assert shell.objects("import", path)[0]["revised"] == 1
        best = shell.objects("best")[0]["row"]
        assert (best["exp_id"], best["acc"]) == ("2", "0.65")
        assert "acc_text" not in best and "status_word" not in best

    def test_a_line_that_is_being_written(self, shell: Shell, tmp_path: Path) -> None:
        """It is left for the next import, which gives what the whole file gives, in a table as in a trial log."""
        for name, header, row in (
            ("a.tsv", "commit\tacc\tstatus\tdescription", "{}1b2c3d\t0.{}\tkeep\tx"),
            ("b.tsv", EXACT, "{}\tp\t\ts\th\tkeep\t0.{}\tx"),
            ("c.jsonl", "", '{{"exp_id": "j{}", "acc": 0.{}, "status": "keep", "note": "n"}}'),
        ):
            lines = [header] * bool(header) + [row.format(at, at) for at in (4, 5, 6)]
            whole = "\n".join(lines) + "\n"
            path = put(tmp_path, name, whole[: -len(row) // 2])
            first = shell.run("import", path, "--json", "--metric", "acc", "--higher-is-better")
            assert first.exit_code == 0, first.stderr
            assert json.loads(first.stdout)["added"] == 2
            put(tmp_path, name, whole)
            again = shell.objects("import", path, "--metric", "acc", "--higher-is-better")[0]
            assert (again["added"], again["revised"], again["known"]) == (1, 0, 2)

    def test_several_files_at_once_are_as_one_after_the_other(
        self, open_store: Callable[..., LineageStore], tmp_path: Path
    ) -> None:
        """What ranks, in which direction, and what rows without a status become."""
        one = put(tmp_path, "one.tsv", "exp_id\tloss\tnote\na\t5\tx\nb\t4\ty\n")
        two = put(tmp_path, "two.tsv", "exp_id\tloss\tgap\tnote\nc\t4.5\t1\tx\nd\t3\t2\ty\ne\t6\t3\ty\nf\t7\t4\tz\n")
        whole, parts = open_store(tmp_path / "whole"), open_store(tmp_path / "parts")
        taken(whole, one, two)
        taken(parts, one)
        taken(parts, two)
        assert [trial.to_row() for trial in whole.all_trials()] == [trial.to_row() for trial in parts.all_trials()]
        assert whole.task == parts.task


class TestOptions:
    """Options that all forms of the command have."""

    def test_a_table_that_is_no_trial_log(self, shell: Shell, tmp_path: Path) -> None:
        """`import tsv` names the command that reads it."""
        path = put(tmp_path, "r.tsv", TABLE)
        result = shell.run("import", "tsv", path)
        assert result.exit_code == 1
        assert "the header has no column 'exp_id'" in result.stderr
        assert f"`gitlineage import {path}` reads tables of any kind" in result.stderr

    def test_a_campaign_that_nobody_began(self, shell: Shell, tmp_path: Path) -> None:
        """A slip of the pen begins none: the command that does is named, and no repository is left behind."""
        path = put(tmp_path, "r.tsv", TABLE)
        assert "`gitlineage --campaign new init` begins one" in shell.fails(1, "import", path, "--campaign", "new")
        assert not (shell.folder / ".git").exists()
        shell("--campaign", "new", "init")
        shell("import", path, "--campaign", "new")
        assert len(shell.objects("--campaign", "new", "log")) == 4

    def test_of_a_loop(self, shell: Shell, tmp_path: Path) -> None:
        """`import autoresearch` takes the options for columns and words, in lists and in any case."""
        subprocess.run(["git", "init", "-q", shell.folder], check=True)
        path = put(tmp_path, "r.tsv", TABLE.replace("kept", "KEPT").replace("REVERT", "Dropped"))
        words = ("--status", "kept=keep,dropped=discard", "--cohort", "c1", "--specialist", "ada", "--skip-bad")
        done = shell.objects("import", "autoresearch", "--results", path, *words)[0]
        assert done["statuses"] == {"keep": 2, "discard": 1, "crash": 1}
        assert {each["row"]["specialist"] for each in shell.objects("log")} == {"ada"}
        assert "without options for columns" in shell.fails(2, "import", "autoresearch", "--repair", *words)

    def test_what_an_option_cannot_be_about(self, shell: Shell, tmp_path: Path) -> None:
        """A graph has no trials, and words that no row says are named."""
        edge = {"source_id": "A@1", "target_id": "B@1", "relationship_type": "forked_from", "created_at": "2026-01-01"}
        path = put(tmp_path, "graph.json", json.dumps({"nodes": ["A@1", "B@1"], "edges": [edge]}))
        assert "--cohort says nothing of it" in shell.fails(1, "import", path, "--cohort", "x")
        path = put(tmp_path, "r.tsv", TABLE)
        assert "no row says nope" in shell.run("import", path, "--status", "nope=keep").stderr
