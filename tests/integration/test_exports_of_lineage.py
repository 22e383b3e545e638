"""Trials written in forms that other programs read: each has all parents, roles and cohorts, read by its own reader."""

import csv
import io
import json
from pathlib import Path

import pytest
from command_line import Shell

RESULT = {
    "candidates": [{"prompt": "=1+1"}, {"prompt": "b"}, {"prompt": "c"}, {"prompt": "d"}],
    "parents": [[None], [0], [0], [2, 1]],
    "val_aggregate_scores": [0.5, 0.4, 0.75, 0.7],
}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A store with a merge in a cohort."""
    (tmp_path / "work").mkdir()
    path = tmp_path / "gepa.json"
    path.write_text(json.dumps(RESULT))
    found = Shell(tmp_path / "work")
    found("import", path, "--cohort", "first", "--specialist", "=ada")
    return found


def test_csv(shell: Shell) -> None:
    """A row a trial, with both parents of the merge; formulas are harmless on request, exact otherwise."""
    rows = {row["exp_id"]: row for row in csv.DictReader(io.StringIO(shell("export", "csv", "-")))}
    assert (rows["3"]["parents"], rows["3"]["cohort"], rows["3"]["specialist"]) == ("2 1", "first", "=ada")
    assert float(rows["2"]["score"]) == 0.75
    safe = list(csv.DictReader(io.StringIO(shell("export", "csv", "-", "--for-spreadsheets"))))
    assert {row["specialist"] for row in safe} == {"'=ada"}


def test_jsonl(shell: Shell) -> None:
    """An object a line."""
    found = [json.loads(line) for line in shell("export", "jsonl", "-").splitlines()]
    assert [kin["id"] for kin in found[-1]["parents"]] == ["2", "1"]
    assert {each["cohort"] for each in found} == {"first"}


@pytest.mark.extra("pyarrow")
def test_parquet(shell: Shell, tmp_path: Path) -> None:
    """A table with lists of parents and a number for the score."""
    from pyarrow import parquet

    shell("export", "parquet", tmp_path / "t.parquet")
    rows = parquet.read_table(tmp_path / "t.parquet").to_pylist()
    assert (rows[-1]["parents"], rows[-1]["score"]) == (["2", "1"], 0.7)


def test_prov(shell: Shell, tmp_path: Path) -> None:
    """Every relation names entities, activities and agents that are there."""
    shell("export", "prov", tmp_path / "p.json")
    found = json.loads((tmp_path / "p.json").read_text())
    known = {*found["entity"], *found["activity"], *found["agent"]}
    for kind in ("wasGeneratedBy", "wasDerivedFrom", "wasAssociatedWith", "hadMember"):
        for relation in found[kind].values():
            assert {text for key, text in relation.items() if key.startswith("prov:")} <= known
    assert len(found["wasDerivedFrom"]) == 4
    assert len(found["hadMember"]) == 4


def test_openlineage(shell: Shell) -> None:
    """A run event a trial: it reads its parents' snapshots and writes its own."""
    events = [json.loads(line) for line in shell("export", "openlineage", "-").splitlines()]
    outputs = [event["outputs"][0]["name"] for event in events]
    assert [dataset["name"] for dataset in events[3]["inputs"]] == [outputs[2], outputs[1]]
    for event in events:
        assert {"eventType", "eventTime", "run", "job", "producer", "schemaURL"} <= set(event)


def test_ro_crate(shell: Shell, tmp_path: Path) -> None:
    """Every reference names an entity of the crate, and the merge has two objects."""
    shell("export", "ro-crate", tmp_path / "ro-crate-metadata.json")
    graph = json.loads((tmp_path / "ro-crate-metadata.json").read_text())["@graph"]
    known = {each["@id"]: each for each in graph}
    assert len(known) == len(graph)
    root = known[known["ro-crate-metadata.json"]["about"]["@id"]]
    actions = [known[each["@id"]] for each in root["mentions"]]
    assert [len(action["object"]) for action in actions] == [0, 1, 1, 2]
    for action in actions:
        for link in [*action["object"], *action["result"], *action["additionalProperty"], action["instrument"]]:
            assert link["@id"] in known
        assert {"name": "cohort", "value": "first"}.items() <= known[f"{action['@id']}/cohort"].items()


def test_mlflow(shell: Shell, tmp_path: Path) -> None:
    """A run a trial, nested in its first parent: read back by this program, twice the same files."""
    told = shell("export", "mlflow", tmp_path / "mlruns")
    before = {path: path.read_bytes() for path in (tmp_path / "mlruns").rglob("*") if path.is_file()}
    assert shell("export", "mlflow", tmp_path / "mlruns") == told
    assert {path: path.read_bytes() for path in before} == before
    (tmp_path / "again").mkdir()
    again = Shell(tmp_path / "again")
    again("import", tmp_path / "mlruns", "--metric", "metrics.val_aggregate_score", "--higher-is-better")
    trials = [json.loads(line) for line in again("export", "jsonl", "-").splitlines()]
    assert sorted(float(each["row"]["metrics.val_aggregate_score"]) for each in trials) == [0.4, 0.5, 0.7, 0.75]
    assert {each["row"]["tags.gitlineage.cohort"] for each in trials} == {"first"}
    assert "2 1" in {each["row"].get("tags.gitlineage.parents") for each in trials}
    assert sum(bool(each["parents"]) for each in trials) == 3


@pytest.mark.extra("mlflow")
def test_mlflow_reads_it(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's own reader finds the runs, their metrics and their parents."""
    shell("export", "mlflow", tmp_path / "mlruns")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.store.tracking.file_store import FileStore

    store = FileStore(str(tmp_path / "mlruns"))
    experiment = store.get_experiment_by_name("gitlineage")
    runs = store.search_runs([experiment.experiment_id], "", 1)
    assert sorted(run.data.metrics["val_aggregate_score"] for run in runs) == [0.4, 0.5, 0.7, 0.75]
    ids = {run.info.run_id for run in runs}
    assert sum(run.data.tags.get("mlflow.parentRunId") in ids for run in runs) == 3


@pytest.mark.extra("prov")
def test_prov_reads_it(shell: Shell, tmp_path: Path) -> None:
    """The package of the standard's authors reads the document and writes the same relations."""
    from prov.model import ProvDerivation, ProvDocument

    shell("export", "prov", tmp_path / "p.json")
    document = ProvDocument.deserialize(str(tmp_path / "p.json"), format="json")
    assert len(list(document.get_records(ProvDerivation))) == 4


def test_a_file_that_cannot_be_written(shell: Shell, tmp_path: Path) -> None:
    """It is told in one line."""
    assert "cannot write" in shell.fails(1, "export", "csv", tmp_path / "nowhere" / "t.csv")
