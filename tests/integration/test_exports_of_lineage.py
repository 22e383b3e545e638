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


def test_a_file_that_cannot_be_written(shell: Shell, tmp_path: Path) -> None:
    """It is told in one line."""
    assert "cannot write" in shell.fails(1, "export", "csv", tmp_path / "nowhere" / "t.csv")
