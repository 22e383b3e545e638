"""
Histories of every format that is read, cut and overwritten anywhere: trials or one of our errors, never half of a file.

Each format has a maker of one small sound example. ``GITLINEAGE_SOAK`` scales the examples up.
"""

import json
import os
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlineage import LineageStore
from gitlineage.bridge import importing
from gitlineage.bridge.formats import sqlite
from gitlineage.bridge.planning import Options
from gitlineage.errors import LineageError, TooMuch

SCALE = int(os.environ.get("GITLINEAGE_SOAK", "1"))
bounded = settings(
    deadline=None,
    derandomize=SCALE == 1,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
HASHES = ["a1b2c3d", "b2c3d4e", "c3d4e5f"]
EXACT = "exp_id\tparent_exp\ttimestamp\tspecialist\thypothesis\tstatus\tval_loss\tnotes"


def put(folder: Path, name: str, text: str) -> None:
    """Write a file below a folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def lines(values: list[object]) -> str:
    """Return objects as JSON lines."""
    return "".join(json.dumps(value) + "\n" for value in values)


def table(folder: Path) -> Path:
    """A loop's table, with a comment, a quoted cell and a crash."""
    rows = [f"{at}\t{name}\t{2 - at / 10}\tkeep\t" for at, name in enumerate(HASHES)]
    text = "# metric_direction: lower\niteration\tcommit\tmetric\tstatus\tdescription\n" + "x\n".join(rows)
    put(folder, "results.tsv", f'{text}"a\nb"\n3\t-\tFAIL\tcrash\ty\n')
    return folder / "results.tsv"


def commas(folder: Path) -> Path:
    """A table with commas, yes and no, units and a text that has commas."""
    put(folder, "runs.csv", "run,acc,ok,change\n1,55%,true,a\n2,0.5,false,wide, deep\n3,0.6,true,c\n")
    return folder / "runs.csv"


def bars(folder: Path) -> Path:
    """A table of Markdown."""
    put(
        folder, "t.md", "| commit | acc | status |\n|---|---|---|\n| a1b2c3d | 0.5 | keep |\n| b2c3d4e | 0.7 | keep |\n"
    )
    return folder / "t.md"


def exact(folder: Path) -> Path:
    """A trial log of this program's columns."""
    rows = [f"{at}\t{at - 1 if at else ''}\t\tada\th\tkeep\t{2 - at / 10}\tn" for at in range(3)]
    put(folder, "log.tsv", "\n".join([EXACT, *rows]) + "\n")
    return folder / "log.tsv"


def objects(folder: Path) -> Path:
    """Objects of any making, nested and with a crash."""
    rows: list[object] = [{"run": at, "loss": 1 / at, "config": {"lr": at}, "status": "keep"} for at in (1, 2, 3)]
    put(folder, "x.jsonl", lines([*rows, {"run": 4, "status": "crash"}]))
    return folder / "x.jsonl"


def pi(folder: Path) -> Path:
    """A log of pi-autoresearch with two segments."""
    runs: list[object] = [{"run": at, "commit": name, "metric": at, "status": "keep"} for at, name in enumerate(HASHES)]
    first = {"type": "config", "metricName": "ms", "bestDirection": "lower"}
    put(folder, "autoresearch.jsonl", lines([first, *runs[:1], {**first, "metricName": "ops"}, *runs[1:]]))
    return folder / "autoresearch.jsonl"


def listed(folder: Path) -> Path:
    """A JSON list."""
    rows = [{"exp_id": f"e{at}", "val_loss": 2 - at, "kept": at > 0} for at in range(3)]
    put(folder, "x.json", json.dumps({"metric": "val_loss", "runs": rows}))
    return folder / "x.json"


def openevolve(folder: Path) -> Path:
    """A checkpoint of OpenEvolve."""
    for at, parent in enumerate([None, "p0", "p1"]):
        program = {"id": f"p{at}", "code": "x", "language": "python", "parent_id": parent, "generation": at}
        program |= {"metrics": {"combined_score": at / 2}, "metadata": {"island": at}, "timestamp": 1.0 + at}
        put(folder, f"programs/p{at}.json", json.dumps(program))
    return folder


def trace(folder: Path) -> Path:
    """A trace of OpenEvolve."""
    steps: list[object] = [
        {"child_id": f"c{at}", "parent_id": f"c{at - 1}", "child_metrics": {"combined_score": at}, "child_code": "x"}
        for at in (1, 2, 3)
    ]
    put(folder, "trace.jsonl", lines(steps))
    return folder / "trace.jsonl"


def shinka(folder: Path) -> Path:
    """A database of ShinkaEvolve."""
    folder.mkdir(parents=True, exist_ok=True)
    base = sqlite3.connect(folder / "programs.sqlite")
    base.execute(
        "CREATE TABLE programs (id TEXT, code TEXT, language TEXT, parent_id TEXT, archive_inspiration_ids TEXT, "
        "generation INTEGER, timestamp REAL, combined_score REAL, correct INTEGER, metadata TEXT, island_idx INTEGER)"
    )
    for at in range(3):
        row = (f"p{at}", "x", "python", f"p{at - 1}" if at else None, '["p0"]', at, 1.0, at, at != 1, "{}", at)
        base.execute(f"INSERT INTO programs VALUES ({','.join('?' * 11)})", row)
    base.commit()
    base.close()
    return folder / "programs.sqlite"


def mlflow(folder: Path) -> Path:
    """A database of MLflow."""
    folder.mkdir(parents=True, exist_ok=True)
    base = sqlite3.connect(folder / "mlflow.db")
    base.execute("CREATE TABLE runs (run_uuid, name, status, start_time, experiment_id, lifecycle_stage)")
    base.execute("CREATE TABLE latest_metrics (run_uuid, key, value, is_nan)")
    for at in range(3):
        base.execute("INSERT INTO runs VALUES (?,?,?,?,?,?)", (f"r{at}", "n", "FINISHED", at, 1, "active"))
        base.execute("INSERT INTO latest_metrics VALUES (?,?,?,?)", (f"r{at}", "val_loss", 2.0 - at, 0))
    base.commit()
    base.close()
    return folder / "mlflow.db"


def mlruns(folder: Path) -> Path:
    """A tracking folder of MLflow."""
    for at in range(3):
        run = folder / "mlruns" / "1" / f"r{at}"
        put(run, "meta.yaml", f"run_id: r{at}\nstatus: 3\nstart_time: 178000000{at}000\nlifecycle_stage: active\n")
        put(run, "metrics/val_loss", f"1 9.9 0\n2 {2 - at} 1\n")
    return folder / "mlruns"


def exported(folder: Path) -> Path:
    """An export of MLflow runs."""
    head = "run_id,status,artifact_uri,start_time,metrics.val_loss,params.lr\n"
    put(folder, "runs.csv", head + "".join(f"r{at},FINISHED,uri,2026-01-0{at + 1},{at},0.1\n" for at in range(3)))
    return folder / "runs.csv"


def wandb(folder: Path) -> Path:
    """An export of W&B runs."""
    runs = [{"name": f"r{at}", "state": "finished", "summary": {"val_loss": at}, "config": {}} for at in range(3)]
    put(folder, "wandb.json", json.dumps(runs))
    return folder / "wandb.json"


def coral(folder: Path) -> Path:
    """A run of CORAL."""
    for at, name in enumerate(HASHES):
        attempt = {"commit_hash": name, "agent_id": "a", "status": "improved", "score": at, "title": "t"}
        put(folder, f".coral/public/attempts/{name}.json", json.dumps(attempt))
    put(folder, "task.yaml", "grader:\n  direction: minimize\n")
    return folder


def aide(folder: Path) -> Path:
    """A journal of AIDE."""
    nodes = [
        {"id": f"n{at}", "code": "x", "plan": "p", "metric": {"value": at, "maximize": True}, "is_buggy": at == 1}
        for at in range(3)
    ]
    put(folder, "journal.json", json.dumps({"nodes": nodes, "node2parent": {"n1": "n0"}}))
    return folder / "journal.json"


def gepa(folder: Path) -> Path:
    """A result of GEPA."""
    result = {"candidates": [{"p": "a"}, {"p": "b"}], "parents": [[None], [0]], "val_aggregate_scores": [0.5, 0.6]}
    put(folder, "gepa.json", json.dumps(result))
    return folder / "gepa.json"


def graph(folder: Path) -> Path:
    """A graph of L-gent."""
    edge = {"source_id": "B@1", "target_id": "A@1", "relationship_type": "forked_from", "created_at": "2026-01-01"}
    put(folder, "graph.json", json.dumps({"nodes": ["A@1", "B@1"], "edges": [edge]}))
    return folder / "graph.json"


def dvc(folder: Path) -> Path:
    """A repository with an experiment of DVC, of which the files of its commit are the example."""
    folder.mkdir(parents=True, exist_ok=True)
    put(folder, "dvc.yaml", "stages:\n  a:\n    metrics:\n      - metrics.json:\n")
    put(folder, "params.yaml", "train:\n  lr: 0.1\n")
    put(folder, "metrics.json", '{"val_loss": 0.5}')
    return folder


def committed(folder: Path) -> None:
    """Make a repository of a folder, with its files as an experiment of DVC."""
    git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@x"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "exp"]):
        subprocess.run([*git, *words], check=True)
    subprocess.run([*git, "update-ref", f"refs/exps/ab/{'c' * 38}/exp-a", "HEAD"], check=True)


MAKERS: tuple[Callable[[Path], Path], ...] = (
    table, commas, bars, exact, objects, pi, listed, openevolve, trace, shinka, mlflow, mlruns, exported, wandb, coral,
    aide, gepa, graph, dvc,
)  # fmt: skip
"""One maker for each form that is read."""


def recorded(store: LineageStore) -> int:
    """Return how many trials a store has, those that wait for a result included."""
    return len(store.all_trials()) + len(store.log(None, statuses=["pending"]))


@st.composite
def harm(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Return what is done to a file: it is cut, overwritten, or something hostile is put into it."""
    kind = draw(st.sampled_from(["cut", "over", "nul", "bytes", "huge", "deep", "twice"]))
    share = draw(st.floats(0, 1))
    some = draw(st.binary(max_size=30))

    def done(data: bytes) -> bytes:
        at = int(len(data) * share)
        if kind == "cut":
            return data[:at]
        if kind == "twice":
            return data + data[at:]
        middle = {
            "over": some, "nul": b"\0" * 3, "bytes": b"\xff\xfe\x80", "huge": b"x" * (1 << 20),
            "deep": b'{"a":[' * 50_000,
        }[kind]  # fmt: skip
        return data[:at] + middle + data[at + (len(some) if kind == "over" else 0) :]

    return done


@pytest.mark.soak
@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
@settings(bounded, max_examples=12 * SCALE)
@given(harm=harm(), which=st.integers(0, 99), skip_bad=st.booleans())
def test_damage(
    maker: Callable[[Path], Path],
    harm: Callable[[bytes], bytes],
    which: int,
    skip_bad: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """It is refused, or planned; what is planned is recorded whole."""
    folder = tmp_path_factory.mktemp("damaged")
    path = maker(folder / "history")
    files = sorted(each for each in (folder / "history").rglob("*") if each.is_file())
    harmed = files[which % len(files)]
    harmed.write_bytes(harm(harmed.read_bytes()))
    if maker is dvc:
        if which % 3:
            return  # git takes longer than all the others
        committed(path)
    asked = Options(skip_bad=skip_bad)
    try:
        planned, _ = importing.plans([path], asked)
    except LineageError as error:
        assert str(error)
        return
    if which % 4:
        return  # one in four is recorded, too, which takes longer
    with LineageStore(folder / "store", writer="w", identity=("W", "w@x")) as store:
        try:
            (done,) = importing.record(store, planned, asked)
        except LineageError:
            assert recorded(store) == 0
            return
        assert done.outcome.added + done.outcome.known == len(done.plan.rows)
        assert recorded(store) == done.outcome.added


def test_a_sound_example_of_each(tmp_path: Path) -> None:
    """The makers make what is read, so that damage has something to damage."""
    for maker in MAKERS:
        path = maker(tmp_path / maker.__name__)
        if maker is dvc:
            committed(path)
        options = Options(metric="acc", lower=False) if maker in (commas, bars) else Options()
        (planned,), _ = importing.plans([path], options)
        assert planned.graph is not None or len(planned.plan.rows) >= (1 if maker is dvc else 2), maker.__name__


class TestDatabases:
    """SQLite files that want to take all memory or time."""

    def hostile(self, path: Path, *sql: str) -> None:
        """Write a database of ShinkaEvolve whose table is something else."""
        base = sqlite3.connect(path)
        for each in sql:
            base.execute(each)
        base.commit()
        base.close()

    def test_more_than_the_budget(self, tmp_path: Path) -> None:
        """Rows that give more bytes than a reader may take are not read to their end."""
        path = shinka(tmp_path)
        with sqlite.opened(path, "x", most=200) as tables, pytest.raises(TooMuch):
            tables.rows("programs", ["id", "code", "language", "metadata"])
            tables.rows("programs", ["id", "code", "language", "metadata", "archive_inspiration_ids"])
            tables.rows("programs", ["id", "code", "language", "metadata", "archive_inspiration_ids"])

    def test_a_view_without_end(self, tmp_path: Path) -> None:
        """Only tables are read; what a view would compute is never asked for."""
        path = tmp_path / "programs.sqlite"
        self.hostile(
            path,
            "CREATE VIEW programs AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
            "SELECT i AS id, i AS code, i AS combined_score, i AS generation FROM n",
        )
        with pytest.raises(LineageError):
            importing.plans([path], Options())

    def test_a_file_that_lies_about_its_pages(self, tmp_path: Path) -> None:
        """The sizes in the head are not believed."""
        path = shinka(tmp_path)
        data = bytearray(path.read_bytes())
        data[16:18] = b"\x00\x01"  # pages of 65,536 bytes
        data[28:32] = b"\xff\xff\xff\xff"
        path.write_bytes(bytes(data))
        with pytest.raises(LineageError):
            importing.plans([path], Options())
