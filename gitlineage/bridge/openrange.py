"""
OpenRange stores in and out: a folder of snapshot files imported whole, and written again.

A snapshot's tree holds what it is: its artifacts, or in generation 3 its graph, of which its id is a hash.
The file itself is kept beside the tree, byte for byte, because most of it says how the snapshot came about.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gitlineage.bounds import MAX_TEXT, read_input
from gitlineage.bridge import openrange_format
from gitlineage.bridge.openrange_format import Node, Record
from gitlineage.errors import Ambiguous, BadFiles, Invalid, InvalidContent, StorageError, TooMuch
from gitlineage.files import write_whole
from gitlineage.git.content import check_path, read_files
from gitlineage.model.dag import reach, topological
from gitlineage.model.records import ROLES, CommitOid, Origin, Snapshot
from gitlineage.query.views import Views
from gitlineage.record.adoption import Adopted
from gitlineage.store.store import LineageStore

SOURCE = "openrange"
GRAPH = "graph.json"
_NATIVE = 16
"""Digits of a commit's oid that are a snapshot's id where it is written as generation 2, as long as ids are there."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot file as it was found: its name, its bytes and what they say."""

    name: str
    data: bytes
    record: Record


class CurriculumImport(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an import did.

    Args:
        added: how many snapshots are new.
        known: how many were imported before.
        stubs: names of ancestors that are new and have no file of their own.
        cohorts: names of the cohorts that the snapshots are members of.
        generation: of the files.
    """

    added: int
    known: int
    generation: int
    stubs: tuple[str, ...] = ()
    cohorts: tuple[str, ...] = ()


class CurriculumExport(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an export wrote.

    Args:
        files: names of all files, in order.
        generation: of the files.
        left_out: snapshot and path of files that are no text, which the format has no place for.
    """

    files: tuple[str, ...]
    generation: int
    left_out: tuple[tuple[str, str], ...] = ()


# -- in ----------------------------------------------------------------------------------------------------------------


def import_openrange(store: LineageStore, folder: Path, files: Sequence[File] | None = None) -> CurriculumImport:
    """
    Record every snapshot of an OpenRange store, with its parents, cohort and files: all or nothing; again, nothing.

    A parent without a file is found in this store by its name, else recorded as a stub, with what the chains of the
    other files say about it. The commits follow from the files alone, so they are the same on every machine.

    Args:
        files: what `read_folder` returned for it, where that has been called already.

    Raises:
        BadFiles: every file that breaks a rule, with the field or path at fault.
        Ambiguous: a parent that is not in the folder and stands for several snapshots here.
        CohortMismatch: a cohort is open already with another base.
    """
    read = read_folder(folder) if files is None else files
    plan = _Plan(folder, read)
    with store.batch(f"Import {len(read)} OpenRange snapshots"):
        views = store.ledger.views()
        adopted: list[Adopted] = []
        places: dict[_Key, int | CommitOid] = {}
        for key in plan.order():
            place: int | CommitOid | None = None
            if key.file is not None:
                place = _own(views, plan.files[key.file].record)
            elif not key.again:
                place = _known(views, key.name, store.ledger.own_writer())
            if place is None:
                place = len(adopted)
                adopted.append(plan.adopted(key, [places[parent] for parent in plan.parents[key]]))
            places[key] = place
        done = store.adopt(adopted)
    new = [each for each, (_, fresh) in zip(adopted, done, strict=True) if fresh]
    added = sum(not each.stub for each in new)
    return CurriculumImport(
        added=added,
        known=len(read) - added,
        generation=read[0].record.generation,
        stubs=tuple(each.name for each in new if each.stub),
        cohorts=tuple(sorted({file.record.node.cohort for file in read if file.record.node.cohort})),
    )


def read_folder(folder: Path) -> list[File]:
    """
    Return the snapshot files of an OpenRange store, its ``*.json``, by name.

    Raises:
        BadFiles: every file that is no snapshot, with the field or path at fault; or files of several generations.
        Invalid: there is none.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.name.endswith(".json") and path.name[0] != ".")
    except OSError as error:
        raise Invalid(f"cannot read {folder}: {error.strerror or error}") from error
    listed, bad = [], []
    seen: dict[str, Node] = {}
    for path in paths:
        try:
            path.name.encode()
            with path.open("rb") as given:
                data = read_input(given, path.name)
            record = openrange_format.read(data, seen)
            _check(record)
            if record.generation < 3 and path.name != f"{record.id}.json":
                raise Invalid(f"is the file of {record.id!r}, by its id: OpenRange looks for it under {record.id}.json")
        except UnicodeEncodeError:
            bad.append((repr(path.name), "its name is not valid Unicode text"))
        except OSError as error:
            bad.append((path.name, f"cannot be read: {error.strerror or error}"))
        except (Invalid, TooMuch) as error:
            bad.append((path.name, str(error)))
        else:
            listed.append(File(name=path.name, data=data, record=record))
    generations = sorted({file.record.generation for file in listed})
    if len(generations) > 1 and not bad:
        first: dict[int, str] = {}
        for file in listed:
            first.setdefault(file.record.generation, file.name)
        bad = [(name, f"is of generation {number}; a folder holds one only") for number, name in first.items()]
    if bad:
        raise BadFiles(str(folder), bad)
    if not listed:
        raise Invalid(f"no OpenRange snapshot in {folder}: there is no *.json in it")
    return listed


class _Key(msgspec.Struct, frozen=True):
    """A snapshot to be: a file, a stub, or the earlier snapshot whose file a later one of the same name replaced."""

    name: str
    file: int | None = None
    again: bool = False


class _Plan:
    """
    What the files of a folder say together: which snapshots there are and what each was derived from.

    Raises:
        BadFiles: two files say different things about one snapshot, or it goes back to itself.
    """

    def __init__(self, folder: Path, files: Sequence[File]) -> None:
        self.files = files
        self._bad: list[tuple[str, str]] = []
        self._by_name: dict[str, _Key] = {}
        self._nodes: dict[str, tuple[Node, str]] = {}
        self.parents: dict[_Key, list[_Key]] = {}
        for at, file in enumerate(files):
            self._take(at, file)
        for file in files:
            for node in file.record.chain:
                self._hear(node, file.name)
        for at, file in enumerate(files):
            own = _Key(file.record.id, at)
            self.parents[own] = [self._key(name) for name in file.record.parents]
        self._add_stubs()
        if files[0].record.generation == 3:
            self._break_circles()
        elif circle := self._circle():
            names = " -> ".join(key.name for key in [*circle, circle[0]])
            tellers = [self._nodes[key.name][1] if key.file is None else files[key.file].name for key in circle]
            self._bad.append((min(tellers), f"the lineage goes in a circle: {names}"))
        if self._bad:
            raise BadFiles(str(folder), self._bad)

    def order(self) -> list[_Key]:
        """Return what there is, parents before children, otherwise by name."""
        keys = sorted(self.parents, key=lambda key: (key.name, not key.again, key.file or 0))
        return topological(keys, lambda key: self.parents[key])

    def adopted(self, key: _Key, parents: Sequence[int | CommitOid]) -> Adopted:
        """Return what to record for one of them."""
        if key.file is not None:
            file = self.files[key.file]
            node = file.record.node
            return Adopted(
                name=key.name,
                source=f"{SOURCE}/{file.record.generation}",
                document=file.data,
                file=file.name,
                content=_content(file.record),
                parents=parents,
                roles=[node.roles.get(name, "") for name in node.parents],
                cohort=node.cohort,
                subject=_subject(file.record),
            )
        earlier = self._by_name.get(key.name)
        record = self.files[earlier.file].record if earlier and earlier.file is not None else None
        said = self._nodes.get(key.name)
        return Adopted(
            name=key.name,
            source=f"{SOURCE}/{self.files[0].record.generation}",
            document=openrange_format.write(said[0].value if said else {"id": key.name}),
            content=_content(record) if record else {},
            parents=parents,
            roles=[said[0].roles.get(name, "") for name in said[0].parents] if said else (),
            cohort=said[0].cohort if said else None,
            stub=True,
            subject=f"{'An earlier' if key.again else 'Stub of'} {key.name}",
        )

    def _take(self, at: int, file: File) -> None:
        own = _Key(file.record.id, at)
        known = self._by_name.get(own.name)
        if known is None or known.file is None:
            self._by_name[own.name] = own
            return
        other = self.files[known.file]
        if file.record.generation != 3 or file.data == other.data:
            self._bad.append((file.name, f"has the id {own.name!r}, which {other.name} has too"))
        elif file.name == f"{own.name}.json":
            self._by_name[own.name] = own

    def _hear(self, node: Node, teller: str) -> None:
        """Take note of what a file's chain says about another snapshot."""
        own = self._by_name.get(node.id)
        known = (self.files[own.file].record.node, self.files[own.file].name) if own and own.file is not None else None
        known = known or self._nodes.get(node.id)
        if known is None:
            self._nodes[node.id] = (node, teller)
        elif known[0].parents != node.parents:
            said, other = (", ".join(each.parents) or "nothing" for each in (node, known[0]))
            self._bad.append((teller, f"lineage: {node.id!r} derives from {said}, but {known[1]} says from {other}"))

    def _key(self, name: str) -> _Key:
        return self._by_name.setdefault(name, _Key(name))

    def _add_stubs(self) -> None:
        todo = [key for above in list(self.parents.values()) for key in above]
        while todo:
            key = todo.pop()
            if key in self.parents:
                continue
            said = self._nodes.get(key.name)
            self.parents[key] = [self._key(name) for name in said[0].parents] if said else []
            todo += self.parents[key]

    def _break_circles(self) -> None:
        """
        Give a snapshot that goes back to itself the earlier one as its ancestor whose file it replaced.

        A generation 3 id says nothing of parents, so hardening and softening again gave the first id and the file of
        the first derivation was overwritten. Which one of a circle came twice is not told: the least id is taken.
        """
        while circle := self._circle():
            at = min(range(len(circle)), key=lambda place: circle[place].name)
            twice, child = circle[at], circle[at - 1]
            earlier = _Key(twice.name, again=True)
            self.parents.setdefault(earlier, [])
            self.parents[child] = [earlier if key == twice else key for key in self.parents[child]]

    def _circle(self) -> list[_Key]:
        """Return snapshots of which each has the next one as a parent, and the last one the first; empty for none."""
        waiting = {key: len(above) for key, above in self.parents.items()}
        below: dict[_Key, list[_Key]] = {}
        for key, above in self.parents.items():
            for parent in above:
                below.setdefault(parent, []).append(key)
        ready = [key for key, count in waiting.items() if not count]
        while ready:
            key = ready.pop()
            del waiting[key]
            for child in below.get(key, ()):
                waiting[child] -= 1
                if not waiting[child]:
                    ready.append(child)
        if not waiting:
            return []
        walk = [min(waiting, key=lambda key: (key.name, key.file or 0))]
        while True:
            step = next(parent for parent in self.parents[walk[-1]] if parent in waiting)
            if step in walk:
                return walk[walk.index(step) :]
            walk.append(step)


def _check(record: Record) -> None:
    """Refuse paths, texts and roles that a snapshot cannot have."""
    for path, text in record.artifacts.items():
        try:
            check_path(path)
        except InvalidContent as error:
            raise Invalid(f"artifacts: {error}") from error
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Invalid(f"artifacts[{path!r}]: is not valid Unicode text: {error.reason}") from error
    inside = {"/".join(parts[:at]) for parts in map(check_path, record.artifacts) for at in range(1, len(parts))}
    if both := sorted(inside & set(record.artifacts)):
        raise Invalid(f"artifacts: {both[0]!r} is a file and a folder at once")
    for node in (*record.chain, record.node):
        for name, role in node.roles.items():
            if role not in ROLES or name not in node.parents:
                raise Invalid(f"roles: {role!r} of {name!r}: a role is one of {', '.join(ROLES)}, of a parent")


def _content(record: Record) -> dict[str, bytes]:
    """Return what a snapshot is, as files: generation 1 says nothing of it."""
    if record.generation == 3:
        return {GRAPH: openrange_format.write(record.value["graph"])}
    return {path: text.encode() for path, text in record.artifacts.items()}


def _subject(record: Record) -> str:
    """Return what a file says about a snapshot in one line."""
    node, value = record.node.value, record.value
    if record.generation == 1:
        told = value.get("mutation_summary") or value.get("mutation_ids") or ()
        return "; ".join(told)
    if record.generation == 2:
        return str(node.get("builder_summary") or node.get("prompt") or "")
    evolve = node.get("_evolve") or {}
    words = [evolve.get(name) for name in ("direction", "kind", "family", "note")]
    return ", ".join(word for word in words if isinstance(word, str) and word)


def _known(views: Views, name: str, writer: str | None) -> CommitOid | None:
    """
    Return the snapshot that has a name in this store already, where it is not in the folder.

    Args:
        writer: whose is meant, where only owners' words count and others have given the same name.
    """
    oids = [origin.oid for origin in views.origins.called(name) if not origin.stub]
    oids = oids or ([here] if (here := _recorded(views, name)) else [])
    if len(oids) > 1 and views.index.speakers is not None:
        oids = [each.oid for each in views.snapshots(oids) if each.writer == writer] or oids
    if len(oids) > 1:
        raise Ambiguous(name, oids)
    return oids[0] if oids else None


def _own(views: Views, record: Record) -> CommitOid | None:
    """Return the snapshot of this store that a file was exported from."""
    manifest = record.value.get("manifest")
    said = manifest.get("gitlineage") if isinstance(manifest, dict) else None
    oid = said.get("commit") if isinstance(said, dict) else None
    return CommitOid(oid) if isinstance(oid, str) and oid == _recorded(views, record.id) else None


def _recorded(views: Views, name: str) -> CommitOid | None:
    """Return the snapshot that was recorded here and that an export calls by this name."""
    if len(name) != _NATIVE or not set(name) <= set("0123456789abcdef"):
        return None
    rows = views.index.rows("SELECT oid FROM snapshots WHERE oid >= ? AND oid < ?", name, name + "g")
    return CommitOid(rows[0][0]) if len(rows) == 1 else None


# -- out ---------------------------------------------------------------------------------------------------------------


def export_openrange(store: LineageStore, folder: Path, *, generation: int | None = None) -> CurriculumExport:
    """
    Write a store as OpenRange snapshot files.

    What was imported is written byte for byte under the name it came with; stubs had no file and get none. What was
    recorded here is written as generation 2, with ``parents``, ``cohort`` and ``roles`` beside what old readers know.
    An exported snapshot's id is the beginning of its commit's oid, so it is found here by that id too.

    Args:
        folder: where to; made if it is missing. Files of other names are left alone.
        generation: which files to write, where the store would make files of several; one folder holds one.

    Raises:
        Invalid: there is nothing to write, or it is of several generations.
        StorageError: a file cannot be written.
    """
    views = store.ledger.views()
    origins = views.origins.all()
    native = _natives(views)
    there = sorted({_generation(origin) for origin in origins if not origin.stub} | ({2} if native else set()))
    if generation is None and len(there) > 1:
        listed = " and ".join(map(str, there))
        raise Invalid(f"this store would give files of generations {listed}; say which (--generation)")
    chosen = generation or (there[0] if there else 0)
    if chosen not in there:
        said = f"of generation {generation} " if generation else ""
        raise Invalid(f"there is no snapshot {said}to export")
    writer = _Writer(store, views)
    documents = [origin.document for origin in origins if not origin.stub]
    store.ledger.repo.bring(oid for oid in documents if not store.ledger.repo.exists(oid))
    store.ledger.repo.bring_below(snapshot.tree for snapshot in native)
    files: dict[str, bytes] = {}
    for origin in origins:
        if not origin.stub and _generation(origin) == chosen:
            files[_free(origin, files)] = store.ledger.repo.read(origin.document)
    if chosen == 2:
        for snapshot in native:
            files[f"{snapshot.oid[:_NATIVE]}.json"] = writer.snapshot(snapshot)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            write_whole(folder / name, data)
    except OSError as error:
        raise StorageError(f"cannot write to {folder}: {error.strerror or error}") from error
    return CurriculumExport(files=tuple(files), generation=chosen, left_out=tuple(writer.left_out))


class _Writer:
    """Spells snapshots that were recorded here as generation 2."""

    def __init__(self, store: LineageStore, views: Views) -> None:
        self._store = store
        self._views = views
        self._nodes: dict[str, str] = {}
        self._above: dict[str, list[CommitOid]] = {}
        self.left_out: list[tuple[str, str]] = []

    def snapshot(self, snapshot: Snapshot) -> bytes:
        """Return a snapshot's file, with its whole chain, root first."""
        whole = reach([snapshot.oid], lambda oids: {oid: self._parents(oid) for oid in oids})
        lineage = topological(list(reversed(whole)), self._parents)
        artifacts, manifest = {}, self._manifest(snapshot)
        for path, data in read_files(self._store.ledger.repo, snapshot.tree).items():
            try:
                if len(data) > MAX_TEXT:
                    raise UnicodeError
                path.encode()
                artifacts[path] = data.decode()
            except UnicodeError:
                shown = path.encode("utf-8", "backslashreplace").decode()
                manifest["gitlineage"].setdefault("left_out", []).append(shown)
                self.left_out.append((snapshot.oid[:_NATIVE], shown))
        value = openrange_format.new_snapshot(id=snapshot.oid[:_NATIVE], artifacts=artifacts, manifest=manifest)
        return openrange_format.write_chained(value, [self._node(oid) for oid in lineage])

    def _node(self, oid: CommitOid) -> str:
        if oid in self._nodes:
            return self._nodes[oid]
        snapshot = self._views.snapshot(oid)
        names: dict[str, str] = {parent: self._name(parent) for parent in self._parents(oid)}
        trial = snapshot.trial
        node = openrange_format.new_node(
            id=self._name(oid),
            parents=list(dict.fromkeys(names.values())),
            cohort=snapshot.cohort,
            roles={names[parent]: role for parent, role in snapshot.roles.items() if parent in names},
            manifest=self._manifest(snapshot) if not snapshot.name else {},
            prompt=trial.hypothesis if trial else "" if snapshot.name else snapshot.subject,
            builder_summary=trial.notes if trial else snapshot.subject if snapshot.name else "",
            touched_files=_touched(self._store, snapshot),
        )
        origin = self._views.origins.on(oid)
        if origin is not None and _generation(origin) == 2:
            node = dict(_own_node(self._store.ledger.repo.read(origin.document)) or node)
        text = self._nodes[oid] = openrange_format.node_text(node)
        return text

    def _parents(self, oid: CommitOid) -> list[CommitOid]:
        if oid not in self._above:
            self._above[oid] = [parent.oid for parent in self._store.parents(oid)]
        return self._above[oid]

    def _name(self, oid: str) -> str:
        origin = self._views.origins.on(oid)
        return origin.name if origin else oid[:_NATIVE]

    def _manifest(self, snapshot: Snapshot) -> dict[str, Any]:
        """Return what this store knows about a snapshot and the format has no place for."""
        rows = [{name: text for name, text in trial.cells().items() if text} for trial in snapshot.trials]
        return {"gitlineage": {"commit": snapshot.oid, "content": snapshot.tree, "trials": rows}}


def _natives(views: Views) -> list[Snapshot]:
    """Return the snapshots that were recorded here, in recording order."""
    rows = views.index.rows(
        "SELECT oid FROM snapshots WHERE id NOT IN (SELECT snapshot FROM imported) ORDER BY clock, writer, oid"
    )
    return views.snapshots(oid for (oid,) in rows)


def _generation(origin: Origin) -> int:
    kind, _, number = origin.source.partition("/")
    return int(number) if kind == SOURCE and number in ("1", "2", "3") else 0


def _free(origin: Origin, taken: Mapping[str, bytes]) -> str:
    """Return the file name of a snapshot: the one it came with, unless another one has it."""
    told = origin.file
    safe = told.endswith(".json") and told[0] != "." and not set(told) & set("/\\\0") and len(told.encode()) <= 255
    name = told if safe else f"{origin.oid[:_NATIVE]}.json"
    return name if name not in taken else f"{name.removesuffix('.json')}~{origin.oid[:12]}.json"


def _own_node(document: bytes) -> Mapping[str, Any] | None:
    """Return the lineage node of an imported generation 2 snapshot, or of a stub, as it came."""
    value = openrange_format.parse(document)
    if "lineage" not in value:
        return value if "parent_id" in value else None
    return value["lineage"][-1] if value["lineage"] else None


def _touched(store: LineageStore, snapshot: Snapshot) -> list[str]:
    """Return the paths that differ from the primary parent's, all where there is none."""
    before = dict(_entries(store, snapshot.parents[:1]))
    now = dict(_entries(store, [snapshot.oid]))
    changed = {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}
    return sorted(path.encode("utf-8", "backslashreplace").decode() for path in changed)


def _entries(store: LineageStore, oids: Iterable[str]) -> Iterator[tuple[str, Any]]:
    for oid in oids:
        if store.ledger.repo.exists(oid):
            yield from store.ledger.repo.walk_tree(store.ledger.repo.commit(oid).tree)


__all__ = [
    "CurriculumExport",
    "CurriculumImport",
    "File",
    "export_openrange",
    "import_openrange",
    "read_folder",
]
