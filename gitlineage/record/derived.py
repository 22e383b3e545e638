"""
The local refs under ``refs/lineage/``: names for plain git, derived from the index; never pushed and never the truth.

``best``, ``exp/<id>`` for baselines and kept trials, ``cohorts/<name>`` (design 3). Ids are percent-encoded,
because a ref's name cannot hold every sign and ``a`` and ``a/b`` cannot both be refs.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256

from gitlineage.errors import LineageError
from gitlineage.git.repository import GitRepo
from gitlineage.model.namespace import Namespace
from gitlineage.model.rank import ELIGIBLE, one_of
from gitlineage.query.views import Views

_MAX_COMPONENT = 100
"""File systems take 255 bytes for a name; a label has two parts."""

_KINDS = ("exp", "cohorts")
_MANY = 50


def update(repo: GitRepo, namespace: Namespace, views: Views, exp_ids: Iterable[str], cohorts: Iterable[str]) -> None:
    """Bring the refs of some exp ids and cohorts, and ``best``, up to date; a read-only repository keeps its."""
    wanted = _wanted(namespace, views, exp_ids, cohorts) | {best_ref(namespace): views.best_oid()}
    _set_all(repo, {name: oid for name, oid in wanted.items() if repo.ref(name) != oid})
    _set_best(repo, namespace, views)


def rebuild(repo: GitRepo, namespace: Namespace, views: Views) -> None:
    """Make every derived ref what it should be, and delete those that should not be there."""
    wanted, there = expected(namespace, views), present(repo, namespace)
    with suppress(LineageError):
        repo.drop_refs([name for name in there if name not in wanted])
    _set_all(repo, {name: oid for name, oid in wanted.items() if there.get(name) != oid})
    _set_best(repo, namespace, views)


def expected(namespace: Namespace, views: Views) -> dict[str, str]:
    """Return every derived ref that a store should have, and where it should point."""
    names = [name for (name,) in views.index.rows("SELECT DISTINCT name FROM cohorts")]
    sql = " UNION ".join(f"SELECT exp_id FROM trials WHERE {one_of('status', [each])}" for each in ELIGIBLE)
    wanted = _wanted(namespace, views, [exp_id for (exp_id,) in views.index.rows(sql)], names)
    wanted[best_ref(namespace)] = views.best_oid()
    return {name: oid for name, oid in wanted.items() if oid is not None}


def present(repo: GitRepo, namespace: Namespace) -> dict[str, str]:
    """Return every derived ref that there is."""
    here = {name: oid for kind in _KINDS for name, oid in repo.refs(f"{namespace.local}{kind}/").items()}
    best = repo.ref(name := best_ref(namespace))
    return here if best is None else {name: best, **here}


def _wanted(
    namespace: Namespace, views: Views, exp_ids: Iterable[str], cohorts: Iterable[str]
) -> dict[str, str | None]:
    """Return what the refs of some exp ids and cohorts should point at, ``None`` where there should be none."""
    wanted: dict[str, str | None] = {}
    for exp_id, label, oid, status in views.labels.of(list(exp_ids)):
        if label != exp_id:
            wanted[exp_ref(namespace, exp_id)] = None
        wanted[exp_ref(namespace, label)] = oid if status in ELIGIBLE else None
    return wanted | {cohort_ref(namespace, name): oid for name, oid in views.cohorts.oids(list(cohorts)).items()}


def _set_best(repo: GitRepo, namespace: Namespace, views: Views) -> None:
    name = best_ref(namespace)
    with suppress(LineageError):
        while (best := views.best_oid()) != repo.ref(name):
            repo.set_ref(name, best)


def _set_all(repo: GitRepo, changed: Mapping[str, str | None]) -> None:
    """Set refs together, one by one where one is locked; many new ones in git's packed list: a file takes 4 KB."""
    if len(changed) < _MANY:
        with suppress(LineageError):
            repo.set_refs(changed)
            return
    new = {name: oid for name, oid in changed.items() if oid is not None and not repo.has_loose_ref(name)}
    if len(new) >= _MANY:
        with suppress(LineageError):
            repo.add_refs(new)
            changed = {name: oid for name, oid in changed.items() if name not in new}
    for name, oid in changed.items():
        with suppress(LineageError):
            repo.set_ref(name, oid)


def best_ref(namespace: Namespace) -> str:
    """Return the ref that names the best snapshot."""
    return f"{namespace.local}best"


def exp_ref(namespace: Namespace, label: str) -> str:
    """Return the ref that names a trial's snapshot."""
    return f"{namespace.local}exp/{exp_name(label)}"


def exp_name(label: str) -> str:
    """Return a trial's label as one part of a ref's name: what git or a file system would not take is encoded."""
    exp_id, at, writer = label.rpartition("@")
    return f"{_encode(exp_id)}@{_encode(writer)}" if at and exp_id else _encode(label)


def cohort_ref(namespace: Namespace, name: str) -> str:
    """Return the ref that names a cohort's commit."""
    return f"{namespace.local}cohorts/{_encode(name)}"


def _encode(text: str) -> str:
    encoded = re.sub(r"[^A-Za-z0-9_-]", lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), text)
    if len(encoded) <= _MAX_COMPONENT:
        return encoded
    return f"{encoded[: _MAX_COMPONENT - 18]}-{sha256(text.encode()).hexdigest()[:17]}"
