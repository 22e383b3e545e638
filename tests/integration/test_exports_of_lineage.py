"""Trials written in forms that other programs read: each has all parents, roles and cohorts, read by its own reader."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Shell

from gitlineage import LineageStore, Trial
from gitlineage.bridge.exports import FORMS

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
    """Two events a trial, that it starts and that it ended: it reads its parents' snapshots and writes its own."""
    events = [json.loads(line) for line in shell("export", "openlineage", "-").splitlines()]
    begun, ended = events[::2], events[1::2]
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"] * 4
    assert [event["run"]["runId"] for event in begun] == [event["run"]["runId"] for event in ended]
    outputs = [event["outputs"][0]["name"] for event in ended]
    assert [dataset["name"] for dataset in ended[3]["inputs"]] == [outputs[2], outputs[1]]
    for event in events:
        assert {"eventType", "eventTime", "run", "job", "producer", "schemaURL"} <= set(event)


def links(value: Any) -> list[dict[str, str]]:
    """Return what a property of a crate refers to, one alone too."""
    return value if isinstance(value, list) else [value] if value else []


def test_ro_crate(shell: Shell, tmp_path: Path) -> None:
    """Every reference names an entity of the crate, and the merge has two objects."""
    shell("export", "ro-crate", tmp_path / "ro-crate-metadata.json")
    graph = json.loads((tmp_path / "ro-crate-metadata.json").read_text())["@graph"]
    known = {each["@id"]: each for each in graph}
    assert len(known) == len(graph)
    root = known[known["ro-crate-metadata.json"]["about"]["@id"]]
    actions = [known[each["@id"]] for each in root["mentions"]]
    assert [len(links(action.get("object"))) for action in actions] == [0, 1, 1, 2]
    for action in actions:
        for name in ("object", "result", "additionalProperty", "instrument", "agent"):
            assert all(link["@id"] in known for link in links(action.get(name)))
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


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory, blind_git: Path) -> Shell:
    """A store with a crossover in a cohort, roles of both parents and an inspiration, one parent without a trial."""
    shell = Shell(tmp_path_factory.mktemp("crossed"))
    shell("init", "--metric", "loss", "--lower-is-better")
    with LineageStore(shell.folder) as store:
        first = store.commit({"a": b"1"}, trial=Trial(exp_id="base-1", status="baseline", score=3.0, total_s=60))
        alone = store.commit({"a": b"2"}, [first])
        muse = store.commit({"a": b"3"}, [first], trial=Trial(exp_id="muse-1", status="crash"))
        store.commit(
            {"a": b"4"},
            [first, alone],
            trial=Trial(exp_id="cross-1", status="keep", score=2.0, specialist="ada", hypothesis="cross them"),
            roles={"base-1": "base", alone: "mate", muse: "inspiration"},
            cohort="wave-1",
        )
    return shell


EXPORTS = [*FORMS, "mlflow", "lgent"]


@pytest.mark.parametrize(
    "form", [pytest.param(form, marks=pytest.mark.extra("pyarrow")) if form == "parquet" else form for form in EXPORTS]
)
def test_parents_roles_and_cohorts_are_in_every_export(form: str, crossed: Shell, tmp_path: Path) -> None:
    """Every form names all parents of a crossover, what each was to it, and the batch; by exp id, or by commit."""
    crossed("export", form, tmp_path / "out")
    files = [tmp_path / "out"] if (tmp_path / "out").is_file() else [*(tmp_path / "out").rglob("*")]
    text = "\n".join(path.read_text() for path in files if path.is_file() and form != "parquet")
    if form == "parquet":
        from pyarrow import parquet

        text = json.dumps(parquet.read_table(tmp_path / "out").to_pylist())
    with LineageStore(crossed.folder) as store:
        names = [("base-1", store.resolve("base-1")), ("muse-1", store.resolve("muse-1"))]
        names.append((store.parents("cross-1")[1].oid[:12], store.parents("cross-1")[1].oid))
    for either in (*names, ("base",), ("mate",), ("inspiration",), ("wave-1",)):
        assert any(word in text for word in either), either


def test_roles_and_parents_of_prov(crossed: Shell) -> None:
    """Derivations have the role of each parent, and every entity that they name is there."""
    found = json.loads(crossed("export", "prov", "-"))
    roles = sorted(each.get("gl:role", "") for each in found["wasDerivedFrom"].values())
    assert roles == ["", "base", "inspiration", "mate"]
    for each in found["wasDerivedFrom"].values():
        assert {each["prov:generatedEntity"], each["prov:usedEntity"]} <= found["entity"].keys()


@pytest.mark.extra("openlineage")
def test_openlineage_is_what_its_client_makes(crossed: Shell) -> None:
    """OpenLineage's own client takes every event apart and together again, to the same."""
    from openlineage.client import event_v2
    from openlineage.client.serde import Serde

    for line in crossed("export", "openlineage", "-").splitlines():
        told = json.loads(line)
        facets = told["run"].pop("facets")
        assert all(facet["_producer"] and facet["_schemaURL"] for facet in facets.values())
        event = event_v2.RunEvent(
            eventType=event_v2.RunState[told["eventType"]],
            eventTime=told["eventTime"],
            run=event_v2.Run(runId=told["run"]["runId"]),
            job=event_v2.Job(**told["job"]),
            inputs=[event_v2.InputDataset(**each) for each in told["inputs"]],
            outputs=[event_v2.OutputDataset(**each) for each in told["outputs"]],
            producer=told["producer"],
        )
        made = json.loads(Serde.to_json(event))
        for value in (made["run"], made["job"], *made["inputs"], *made["outputs"]):
            for name in ("facets", "inputFacets", "outputFacets"):
                assert not value.pop(name, None)
        assert made == told


NOT_KNOWN = {
    "The Application SHOULD have a url",
    "The `publisher` property of a `Root Data Entity` SHOULD be an `Organization`",
    "The author SHOULD have an organizational affiliation.",
    "The author SHOULD have a Contextual Entity which specifies the organizational `affiliation`.",
    "The SoftwareApplication id SHOULD be an absolute URI",
}
"""What is recommended and nobody here knows (pages, publishers, affiliations), and what is said of a type."""


@pytest.mark.extra("rocrate_validator", "rocrate")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_ro_crate_is_what_its_validator_takes(crossed: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The validator of RO-Crate's authors finds all that is required of a Process Run Crate, and what is recommended.

    There is no network here: the terms come from what the authors' own library ships, of a later version.
    """
    import rocrate
    from rocrate_validator import models, services
    from rocrate_validator.utils import document_loader

    terms = json.loads((Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_text())
    monkeypatch.setattr(document_loader, "_fetch_json_ld", lambda url: terms)
    (tmp_path / "crate").mkdir()
    crossed("export", "ro-crate", tmp_path / "crate" / "ro-crate-metadata.json")
    settings = services.ValidationSettings(
        rocrate_uri=str(tmp_path / "crate"),
        profile_identifier="process-run-crate-0.5",
        requirement_severity=models.Severity.RECOMMENDED,
    )
    issues = services.validate(settings).get_issues()
    fetched = [issue for issue in issues if "1.1/context" in issue.message]
    assert {issue.check.identifier for issue in fetched} <= {"ro-crate-1.1_3.1", "ro-crate-1.1_3.2"}
    assert {issue.message for issue in issues if issue not in fetched} <= NOT_KNOWN
    graph = json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_text())["@graph"]
    used = {name for entity in graph for name in entity if not name.startswith("@")}
    assert used <= terms["@context"].keys(), "every word is a term"


def test_a_file_that_cannot_be_written(shell: Shell, tmp_path: Path) -> None:
    """It is told in one line."""
    assert "cannot write" in shell.fails(1, "export", "csv", tmp_path / "nowhere" / "t.csv")
