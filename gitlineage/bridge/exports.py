"""
Trials out of a store in forms that other programs read: CSV, JSON lines, Parquet, W3C PROV-JSON, OpenLineage, RO-Crate,
and the tracking folder of MLflow.

Every form has all parents with their roles, and cohorts; the table of `bridge.tsv` is the one to import again.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from gitlineage._version import __version__
from gitlineage.index.database import growing
from gitlineage.model import tsv
from gitlineage.model.records import TrialView
from gitlineage.model.trial import CRASHED, NUMERIC, parse_number, told_cells
from gitlineage.query import flat
from gitlineage.query.around import roles_of, standing_in
from gitlineage.query.views import Views
from gitlineage.times import parse_time, stamp


def all_roles(views: Views) -> dict[str, dict[str, str]]:
    """Return what others were to each snapshot that says so, by their commits: parents, and what gave no content."""
    arrived = standing_in(views.index)
    rows = views.index.rows("SELECT oid, roles FROM snapshots WHERE roles != '{}'")
    return {oid: {arrived.get(at, at): role for at, role in roles_of(text).items()} for oid, text in rows}


class _Parents:
    """
    What trials were derived from, by label, with role and commit: of trials that count, and of other snapshots.

    Args:
        views: the store.
    """

    def __init__(self, views: Views) -> None:
        self._roles = all_roles(views)
        self.oids: dict[str, str] = {view.label: view.oid for view in views.each_counting()}
        counting = set(self.oids.values())
        alone = [oid for (oid,) in views.index.rows("SELECT oid FROM snapshots") if oid not in counting]
        for oid, name in views.labels.names(alone).items():
            self.oids.setdefault(name, oid)

    def of(self, view: TrialView) -> list[tuple[str, str]]:
        """Return the labels of a trial's parents and what inspired it, with their roles, the primary one first."""
        known = self._roles.get(view.oid, {})
        first = [(view.parent, known.get(self.oids.get(view.parent, ""), ""))] if view.parent else []
        return [*first, *((kin.label, kin.role) for kin in view.others)]


class _Rows:
    """
    The trials that count, for forms that have them row by row.

    Args:
        views: the store.
    """

    def __init__(self, views: Views) -> None:
        self._views = views
        self._parents: _Parents | None = None

    def __iter__(self) -> Iterator[tuple[flat.Counted, list[tuple[str, str]]]]:
        """Return each, with its parents and what they were; few have more than a name to say of these."""
        for each in flat.counting(self._views):
            if each.view is None:
                first = [(each.parent, "")] if each.parent else []
                yield each, [*first, *((kin.label, kin.role) for kin in each.others)]
                continue
            self._parents = self._parents or _Parents(self._views)
            yield each, self._parents.of(each.view)


OWN = ("exp_id", "oid", "parents", "roles", "cohort", "retracted", "score")
"""Columns that a flat form has before the row's own: parents and roles are lists with a space between."""

_SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 10 * 365 * 86400
"""Seconds that nothing takes; a row that says more says something else."""

_HOME = "urn:gitlineage:"


def as_csv(views: Views, *, for_spreadsheets: bool = False) -> Iterator[bytes]:
    """
    Return every trial with a result as CSV, in recording order, a row at a time.

    Args:
        views: the store.
        for_spreadsheets: put ``'`` before cells that a spreadsheet would run as a formula.
    """
    columns = list(dict.fromkeys([*OWN, *flat.columns_of(views)]))
    safe = tsv.for_spreadsheet if for_spreadsheets else str
    yield _csv([map(safe, columns)])
    for part in growing(_Rows(views)):
        cells = (_flat(each, parents) for each, parents in part)
        yield _csv([safe(row.get(column, "")) for column in columns] for row in cells)


def _csv(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def as_jsonl(views: Views) -> Iterator[bytes]:
    """Return every trial with a result as a JSON object a line; parents are objects with a role each."""
    encode = json.JSONEncoder(ensure_ascii=False).encode
    return (encode(each).encode() + b"\n" for each in _objects(views))


def as_parquet(views: Views) -> Iterator[bytes]:
    """
    Return every trial with a result as a Parquet table; needs the extra ``arrow``.

    The score is a number, parents and roles are lists, all else is text.
    """
    import pyarrow  # heavy, and only this form needs it
    from pyarrow import parquet

    trials = list(_objects(views))
    names = dict.fromkeys(name for each in trials for name in each["row"])
    table = {
        "exp_id": [each["exp_id"] for each in trials],
        "oid": [each["oid"] for each in trials],
        "parents": pyarrow.array(
            [[kin["id"] for kin in each["parents"]] for each in trials], pyarrow.list_(pyarrow.string())
        ),
        "roles": pyarrow.array(
            [[kin["role"] for kin in each["parents"]] for each in trials], pyarrow.list_(pyarrow.string())
        ),
        "cohort": pyarrow.array([each["cohort"] for each in trials], pyarrow.string()),
        "score": pyarrow.array([each["score"] for each in trials], pyarrow.float64()),
    }
    for name in names:
        if name not in table:
            table[name] = pyarrow.array([each["row"].get(name) for each in trials], pyarrow.string())
    out = io.BytesIO()
    parquet.write_table(pyarrow.table(table), out)
    yield out.getvalue()


def as_prov(views: Views) -> Iterator[bytes]:
    """
    Return the lineage as W3C PROV-JSON (the member submission of 2013).

    A snapshot is an entity, a trial the activity that generated it, a specialist an agent; parents are derivations with
    their role, a cohort is a collection.
    """
    document: dict[str, dict[str, Any]] = {"prefix": {"gl": _HOME, "xsd": "http://www.w3.org/2001/XMLSchema#"}}

    def put(kind: str, name: str, value: dict[str, Any]) -> None:
        document.setdefault(kind, {})[name] = value

    parents = _Parents(views)
    for view in views.each_counting():
        entity, activity = f"gl:snapshot/{view.oid}", f"gl:trial/{_safe(view.label)}"
        put("entity", entity, {"prov:label": view.label, "prov:type": "gl:Snapshot"})
        said = {f"gl:{_safe(name)}": text for name, text in view.trial.cells().items() if text}
        moment = parse_time(view.trial.timestamp)
        put(
            "activity",
            activity,
            {**({"prov:endTime": stamp(moment)} if moment else {}), "prov:label": view.label, **said},
        )
        put(
            "wasGeneratedBy",
            f"_:g{len(document.get('wasGeneratedBy', ()))}",
            {"prov:entity": entity, "prov:activity": activity},
        )
        if view.trial.specialist:
            agent = f"gl:agent/{_safe(view.trial.specialist)}"
            put("agent", agent, {"prov:label": view.trial.specialist})
            name = f"_:a{len(document.get('wasAssociatedWith', ()))}"
            put("wasAssociatedWith", name, {"prov:activity": activity, "prov:agent": agent})
        for label, role in parents.of(view):
            if label not in parents.oids:
                continue  # its commit was never recorded
            used = f"gl:snapshot/{parents.oids[label]}"
            document["entity"].setdefault(used, {"prov:label": label, "prov:type": "gl:Snapshot"})
            value = {"prov:generatedEntity": entity, "prov:usedEntity": used, **({"gl:role": role} if role else {})}
            put("wasDerivedFrom", f"_:d{len(document.get('wasDerivedFrom', ()))}", value)
        if view.cohort:
            cohort = f"gl:cohort/{_safe(view.cohort)}"
            put(
                "entity",
                cohort,
                {"prov:label": view.cohort, "prov:type": {"$": "prov:Collection", "type": "xsd:QName"}},
            )
            put(
                "hadMember",
                f"_:m{len(document.get('hadMember', ()))}",
                {"prov:collection": cohort, "prov:entity": entity},
            )
    yield json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def as_openlineage(views: Views) -> Iterator[bytes]:
    """
    Return the lineage as OpenLineage events, one a line: a trial is a run that reads snapshots and writes one.

    Each run has two events, as the specification asks: one that it starts and one that it ended.
    """
    parents = _Parents(views)
    for view in views.each_counting():
        moment = parse_time(view.trial.timestamp) or parse_time(views.snapshot(view.oid).time) or _EPOCH
        took = parse_number(view.trial.text("total_s")) or 0.0
        facet = {
            "_producer": _producer(),
            "_schemaURL": f"{_SPEC}RunFacet",
            "parents": [{"id": label, "role": role} for label, role in parents.of(view)],
            "cohort": view.cohort,
            "row": view.trial.cells(),
        }
        event = {
            "run": {
                "runId": str(uuid5(NAMESPACE_URL, f"{_HOME}{view.oid}/{view.label}")),
                "facets": {"gitlineage_trial": facet},
            },
            "job": {"namespace": "gitlineage", "name": view.trial.specialist or "trial"},
            "inputs": [
                {"namespace": "git", "name": parents.oids[label]}
                for label, _ in parents.of(view)
                if label in parents.oids
            ],
            "producer": _producer(),
            "schemaURL": f"{_SPEC}RunEvent",
        }
        began = moment - timedelta(seconds=took) if 0 < took < _LONGEST else moment
        ended = {"eventType": "FAIL" if _failed(view) else "COMPLETE", "eventTime": stamp(moment)}
        for said, outputs in (
            ({"eventType": "START", "eventTime": stamp(began)}, []),
            (ended, [{"namespace": "git", "name": view.oid}]),
        ):
            yield json.dumps({**said, **event, "outputs": outputs}, ensure_ascii=False).encode() + b"\n"


def as_ro_crate(views: Views) -> Iterator[bytes]:
    """
    Return the lineage as the metadata file of an RO-Crate 1.1 that follows the profile Process Run Crate 0.5.

    A trial is a ``CreateAction`` of the loop by the person of its commit: its objects are the snapshots of its parents,
    its result is its own. Roles, cohort and cells are property values of the action. No file of a snapshot is in the
    crate: git has them.
    """
    graph: dict[str, dict[str, Any]] = {}

    def put(entity: str, kind: str, **values: Any) -> dict[str, str]:
        graph.setdefault(entity, {"@id": entity, "@type": kind, **values})
        return {"@id": entity}

    parents = _Parents(views)
    tool = put(_producer(), "SoftwareApplication", name="gitlineage", softwareVersion=__version__)
    actions, people = [], {}
    latest = _EPOCH
    for view in views.all():
        snapshot = views.snapshot(view.oid)
        moment = parse_time(view.trial.timestamp) or parse_time(snapshot.time) or _EPOCH
        latest = max(latest, moment)
        said = {
            "parents": " ".join(label for label, _ in parents.of(view)),
            "roles": " ".join(role or "-" for _, role in parents.of(view)),
            "cohort": view.cohort or "",
            **view.trial.cells(),
        }
        action = f"#trial/{_safe(view.label)}"
        values = [
            put(f"{action}/{_safe(name)}", "PropertyValue", name=name, value=text)
            for name, text in said.items()
            if text
        ]
        used = [_snapshot(put, parents.oids[label], label) for label, _ in parents.of(view) if label in parents.oids]
        name = snapshot.author.rpartition(" <")[0] or snapshot.author or "unknown"
        people[name] = put(f"#person/{_safe(name)}", "Person", name=name)
        actions.append(
            put(
                action,
                "CreateAction",
                name=view.label,
                description=view.trial.hypothesis or view.label,
                instrument=tool,
                agent=people[name],
                **({"object": _one(used)} if used else {}),
                result=_snapshot(put, view.oid, view.label),
                **({"additionalProperty": _one(values)} if values else {}),
                actionStatus=f"http://schema.org/{'Failed' if _failed(view) else 'Completed'}ActionStatus",
                endTime=_zoned(moment),
            )
        )
    profile = put("https://w3id.org/ro/wfrun/process/0.5", "CreativeWork", name="Process Run Crate", version="0.5")
    licence = put("#license", "CreativeWork", name="not stated", description="nobody said it; ask the authors")
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": "Trials of a research loop",
        "description": f"{len(actions)} trials with what each was derived from",
        "datePublished": _zoned(latest),
        "license": licence,
        "conformsTo": profile,
        **({"author": _one([*people.values()]), "mentions": _one(actions)} if actions else {}),
    }
    about = {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
    }
    whole = {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": [about, root, *graph.values()]}
    yield json.dumps(whole, ensure_ascii=False, indent=1).encode() + b"\n"


def _snapshot(put: Callable[..., dict[str, str]], oid: str, label: str) -> dict[str, str]:
    return put(f"#snapshot/{oid}", "CreativeWork", name=label, identifier=oid)


def _one(values: list[dict[str, str]]) -> Any:
    """Return values as RO-Crate writes them: one alone without a list."""
    return values[0] if len(values) == 1 else values


def _zoned(moment: datetime) -> str:
    """Return a moment as its readers look for it: UTC as an offset."""
    return f"{stamp(moment).removesuffix('Z')}+00:00"


def as_mlflow(views: Views, experiment: str) -> dict[str, bytes]:
    """
    Return the trials as the files of an MLflow tracking folder (``FileStore``), by path below it.

    A trial is a run; its primary parent is the run that it is nested in, all parents, roles and the cohort are tags.
    The score and what else is a number are metrics, the other cells are tags; ids are the same on every machine.

    Args:
        views: the store.
        experiment: the experiment's name.
    """
    own = str(uuid5(NAMESPACE_URL, f"{_HOME}experiment/{experiment}").int % 10**18)
    above = _Parents(views)
    ids = {view.label: uuid5(NAMESPACE_URL, f"{_HOME}{view.oid}/{view.label}").hex for view in views.all()}
    found: dict[str, bytes] = {}
    first = None
    for view in views.all():
        moment = parse_time(view.trial.timestamp) or parse_time(views.snapshot(view.oid).time)
        at = int(moment.timestamp() * 1000) if moment else 0
        first = at if first is None else min(first, at)
        run = ids[view.label]
        found[f"{own}/{run}/meta.yaml"] = _yaml(
            artifact_uri=f"{own}/{run}/artifacts", end_time=at, entry_point_name="", experiment_id=own,
            lifecycle_stage="active", run_id=run, run_name=view.label, run_uuid=run, source_name="", source_type=4,
            source_version="", start_time=at, status=4 if _failed(view) else 3, tags=[],
            user_id=view.trial.specialist or "",
        )  # fmt: skip
        parents = above.of(view)
        tags = {
            "mlflow.runName": view.label,
            "mlflow.parentRunId": ids.get(parents[0][0], "") if parents else "",
            "mlflow.source.git.commit": view.oid,
            "mlflow.note.content": view.trial.hypothesis,
            "mlflow.user": view.trial.specialist or "",
            "gitlineage.parents": " ".join(label for label, _ in parents),
            "gitlineage.roles": " ".join(role or "-" for _, role in parents),
            "gitlineage.cohort": view.cohort or "",
        }
        score = views.task.score(view.trial)
        numbers = {views.task.score_field: score} if score is not None else {}
        for name, text in view.trial.cells().items():
            if text and name not in numbers and name in NUMERIC and (number := parse_number(text)) is not None:
                numbers[name] = number
            elif text and name not in numbers:
                tags[f"gitlineage.{name}"] = text
        for name, text in tags.items():
            if text:
                found[f"{own}/{run}/tags/{_key(name)}"] = text.encode()
        for name, number in numbers.items():
            found[f"{own}/{run}/metrics/{_key(name)}"] = f"{at} {number!r} 0\n".encode()
    found[f"{own}/meta.yaml"] = _yaml(
        artifact_location=own, creation_time=first or 0, experiment_id=own, last_update_time=first or 0,
        lifecycle_stage="active", name=experiment,
    )  # fmt: skip
    return found


def _yaml(**values: Any) -> bytes:
    """Return a flat YAML document: JSON values are YAML values."""
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in sorted(values.items())).encode()


def _key(name: str) -> str:
    """Return a name that MLflow takes for a metric or tag, and that stays one file."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-. ") else "_" for c in name).strip(" .") or "_"


FORMS: dict[str, Callable[[Views], Iterator[bytes]]] = {
    "csv": as_csv,
    "jsonl": as_jsonl,
    "parquet": as_parquet,
    "prov": as_prov,
    "openlineage": as_openlineage,
    "ro-crate": as_ro_crate,
}
"""The forms by the name of their command."""


def _objects(views: Views) -> Iterator[dict[str, Any]]:
    for each, parents in _Rows(views):
        yield {
            "exp_id": each.label,
            "oid": each.oid,
            "parents": [{"id": label, "role": role} for label, role in parents],
            "cohort": each.cohort,
            "retracted": None,
            "score": each.score,
            "row": told_cells(each.values),
        }


def _flat(each: flat.Counted, parents: list[tuple[str, str]]) -> dict[str, str]:
    own = {
        "exp_id": each.label,
        "oid": each.oid,
        "parents": " ".join(label for label, _ in parents),
        "roles": " ".join(role or "-" for _, role in parents),
        "cohort": each.cohort or "",
        "retracted": "",
        "score": "" if each.score is None else repr(each.score),
    }
    return told_cells(each.values) | own


def _failed(view: TrialView) -> bool:
    """Whether a trial ended without a score, instead of well or badly."""
    return view.trial.status in CRASHED


def _producer() -> str:
    return f"{_HOME}{__version__}"


def _safe(name: str) -> str:
    """Return a name as the local part of a qualified name."""
    return "".join(c if c.isalnum() or c in "-._~" else f"%{ord(c):02X}" for c in name)
