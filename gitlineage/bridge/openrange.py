"""
OpenRange stores in and out: a folder of snapshot files imported whole, and written again.

A snapshot's tree holds what it is: its artifacts, or in generation 3 its graph, of which its id is a hash.
The file itself is kept beside the tree, byte for byte, because most of it says how the snapshot came about.
"""

import re
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
from gitlineage.git.packs import object_id
from gitlineage.model.dag import reach, topological
from gitlineage.model.records import ROLES, CommitOid, Origin, Snapshot
from gitlineage.query.views import Views
from gitlineage.record.adoption import Adopted
from gitlineage.store.store import LineageStore

SOURCE = "openrange"
GRAPH = "graph.json"
_NATIVE = 16
"""Digits of a commit's oid that are a snapshot's id where it is written as generation 2, as long as ids are there."""


_TWIN = re.compile("~[0-9a-f]{12}")
"""What `export_openrange` puts behind an id that an earlier file of the same folder has already."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot file as it was found: its name, its bytes (of a folder, those of `parts_text`) and what they say."""

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
        dry_run: whether this is what would be done, and nothing was.
    """

    added: int
    known: int
    generation: int
    stubs: tuple[str, ...] = ()
    cohorts: tuple[str, ...] = ()
    dry_run: bool = False


class CurriculumExport(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an export wrote.

    Args:
        files: names of all files, in order.
        generation: of the files.
        left_out: snapshot and path of files that the format has no place for: they are no text, or beside a graph.
    """

    files: tuple[str, ...]
    generation: int
    left_out: tuple[tuple[str, str], ...] = ()


_TRIED = 20
"""Files that are no snapshots before a folder is no store."""

# -- in ----------------------------------------------------------------------------------------------------------------


def import_openrange(
    store: LineageStore,
    folder: Path,
    files: Sequence[File] | None = None,
    *,
    cohort: str | None = None,
    dry_run: bool = False,
) -> CurriculumImport:
    """
    Record every snapshot of an OpenRange store, with its parents, cohort and files: all or nothing; again, nothing.

    A parent without a file is found in this store by its name, else recorded as a stub, with what the chains of the
    other files say about it. The commits follow from the files alone, so they are the same on every machine.

    Args:
        files: what `read_folder` returned for it, where that has been called already.
        cohort: the batch of every snapshot with a parent that names none itself.
        dry_run: whether to say only what would be done.

    Raises:
        BadFiles: every file that breaks a rule, with the field or path at fault.
        Invalid: the cohort's name is no name.
        Ambiguous: a parent that is not in the folder and stands for several snapshots here.
        CohortMismatch: a cohort is open already with another base.
    """
    read = read_folder(folder) if files is None else files
    if cohort is not None:
        openrange_format.check_id(cohort, "cohort")
        read = [_in_cohort(file, cohort) for file in read]
    plan = _Plan(folder, read)
    if dry_run:
        return _told(read, _adoption(store, plan), dry_run=True)
    with store.batch(f"Import {len(read)} OpenRange snapshots"):
        adopted = _adoption(store, plan)
        done = store.adopt(adopted)
    return _told(read, [each for each, (_, fresh) in zip(adopted, done, strict=True) if fresh])


def preview(folder: Path, files: Sequence[File], *, cohort: str | None = None) -> CurriculumImport:
    """
    Return what an import of a folder would do where there is no store yet.

    Raises:
        BadFiles, Invalid: as `import_openrange` does.
    """
    if cohort is not None:
        openrange_format.check_id(cohort, "cohort")
        files = [_in_cohort(file, cohort) for file in files]
    plan = _Plan(folder, files)
    return _told(files, [plan.adopted(key, ()) for key in plan.order()], dry_run=True)


def _adoption(store: LineageStore, plan: "_Plan") -> list[Adopted]:
    """Return what of a plan is to be recorded, parents before children."""
    views = store.ledger.views()
    adopted: list[Adopted] = []
    places: dict[_Key, int | CommitOid] = {}
    for key in plan.order():
        parents = [places[parent] for parent in plan.parents[key]]
        each = plan.adopted(key, parents)
        place: int | CommitOid | None = None
        if key.file is not None:
            place = _own(store, views, plan.files[key.file].record)
        elif not key.again:
            place = _known(views, key.name, store.ledger.own_writer())
        place = place or _before(views, each)
        if place is None:
            place = len(adopted)
            adopted.append(each)
        places[key] = place
    return adopted


def _told(read: Sequence[File], new: Sequence[Adopted], *, dry_run: bool = False) -> CurriculumImport:
    added = sum(not each.stub for each in new)
    return CurriculumImport(
        added=added,
        known=len(read) - added,
        generation=read[0].record.generation,
        stubs=tuple(each.name for each in new if each.stub),
        cohorts=tuple(sorted({file.record.node.cohort for file in read if file.record.node.cohort})),
        dry_run=dry_run,
    )


def _in_cohort(file: File, cohort: str) -> File:
    """Return a file as a member of a batch, where it has a parent and names no batch itself."""
    node = file.record.node
    if node.cohort is not None or not node.parents:
        return file
    inside = msgspec.structs.replace(file.record, node=msgspec.structs.replace(node, cohort=cohort))
    return msgspec.structs.replace(file, record=inside)


def is_store(folder: Path) -> bool:
    """Whether a folder is an OpenRange store, by the first of its files and folders that could be a snapshot's."""
    tried = 0
    for path in sorted(folder.iterdir()):
        heads = [name for name in openrange_format.HEADS if (path / name).is_file()] if path.is_dir() else []
        if path.name[0] == "." or not (heads or (path.name.endswith(".json") and path.is_file())):
            continue
        try:
            (_read_parts(path, heads) if heads else _read_file(path, {}))
            return True
        except (OSError, UnicodeEncodeError, Invalid, TooMuch):
            tried += 1
        if tried == _TRIED:
            break
    return False


def read_folder(folder: Path, skipped: list[tuple[str, str]] | None = None) -> list[File]:
    """
    Return the snapshots of an OpenRange store by name: its ``*.json``, and its folders with a generation 1 snapshot.

    Args:
        folder: the store's.
        skipped: takes what is no snapshot, with the field or path at fault, so that the others are read.

    Raises:
        BadFiles: every file that is no snapshot, with the field or path at fault; or files of several generations.
        Invalid: there is none.
    """
    if any((folder / name).is_file() for name in openrange_format.HEADS):
        raise Invalid(f"{folder} is one snapshot: name the folder that it is in, {folder.absolute().parent}")
    try:
        paths = sorted(path for path in folder.iterdir() if path.name[0] != ".")
    except OSError as error:
        raise Invalid(f"cannot read {folder}: {error.strerror or error}") from error
    listed, bad = [], []
    seen: dict[str, Node] = {}
    for path in paths:
        try:
            heads = [name for name in openrange_format.HEADS if (path / name).exists()] if path.is_dir() else []
            if heads:
                path.name.encode()
                listed.append(_read_parts(path, heads))
            elif path.name.endswith(".json"):
                path.name.encode()
                listed.append(_read_file(path, seen))
        except UnicodeEncodeError:
            bad.append((repr(path.name), "its name is not valid Unicode text"))
        except OSError as error:
            bad.append((path.name, f"cannot be read: {error.strerror or error}"))
        except (Invalid, TooMuch) as error:
            bad.append((path.name, str(error)))
    generations = sorted({file.record.generation for file in listed})
    if len(generations) > 1 and not bad:
        first: dict[int, str] = {}
        for file in listed:
            first.setdefault(file.record.generation, file.name)
        bad = [(name, f"is of generation {number}; a folder holds one only") for number, name in first.items()]
    if skipped is not None and len(generations) <= 1:
        skipped += bad
        bad = []
    listed, unclear = _worlds(listed)
    if bad or unclear:
        raise BadFiles(str(folder), [*bad, *unclear])
    if not listed:
        raise Invalid(
            f"no OpenRange snapshot in {folder}: there is no *.json in it, and no folder with one of "
            f"{', '.join(openrange_format.HEADS)}"
        )
    return listed


def _read_file(path: Path, seen: dict[str, Node]) -> File:
    with path.open("rb") as given:
        data = read_input(given, path.name)
    record = openrange_format.read(data, seen)
    _check(record)
    stem = path.name.removesuffix(".json")
    if stem != record.id and not (record.generation == 3 and _TWIN.fullmatch(stem.removeprefix(record.id))):
        raise Invalid(f"is the file of {record.id!r}, by its id: OpenRange looks for it under {record.id}.json")
    return File(name=path.name, data=data, record=record)


def _read_parts(path: Path, heads: Sequence[str]) -> File:
    """Return a snapshot that is a folder of JSON files; others in it are no part of it."""
    if len(heads) > 1:
        raise Invalid(f"holds {' and '.join(heads)}: snapshots of two stores in one folder")
    openrange_format.check_id(path.name, "the folder's name")
    parts = {}
    for file in sorted(path.iterdir()):
        if file.name.endswith(".json") and file.name[0] != "." and file.is_file():
            file.name.encode()
            with file.open("rb") as given:
                parts[file.name] = read_input(given, f"{path.name}/{file.name}")
    record = openrange_format.read_parts(path.name, parts)
    _check(record)
    return File(name=f"{path.name}/{heads[0]}", data=openrange_format.parts_text(parts), record=record)


def _worlds(files: Sequence[File]) -> tuple[list[File], list[tuple[str, str]]]:
    """Return files with the parents that they name by their worlds, and what is unclear about those."""
    named: dict[str, list[str]] = {}
    for file in files:
        if file.record.world is not None:
            named.setdefault(file.record.world, []).append(file.record.id)
    listed, unclear = [], []
    for file in files:
        above, node = file.record.parent_world, file.record.node
        if above is not None and not node.parents:
            found = named.get(above, [above])
            if len(found) > 1:
                several = " and ".join(found[:3])
                unclear.append((file.name, f"parent_world_id: {above!r} is the world of several snapshots: {several}"))
            node = msgspec.structs.replace(node, parents=(found[0],))
            file = msgspec.structs.replace(file, record=msgspec.structs.replace(file.record, node=node))
        listed.append(file)
    return listed, unclear


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
    """Return what a file says about a snapshot in one line: first the order that made it, which no sibling shares."""
    node = record.node.value
    if record.generation == 1:
        return "; ".join(node.get("mutation_summary") or node.get("mutation_ids") or ())
    if record.generation == 2:
        told = openrange_format.directive(node.get("curriculum"))
        return str(told or node.get("builder_summary") or node.get("prompt") or "")
    evolve = openrange_format.evolution(node)
    words = [evolve.get(name) for name in ("note", "direction", "kind", "family")]
    words.insert(0, openrange_format.directive(evolve.get("directive")))
    return ", ".join(word for word in words if isinstance(word, str) and word)


def _before(views: Views, each: Adopted) -> CommitOid | None:
    """
    Return what the very same document became here before, with the very same parents.

    Its commit's message may be worded otherwise than this version would word it.
    """
    document = object_id("blob", each.document)
    for origin in views.origins.called(each.name):
        if origin.document == document and origin.stub == each.stub:
            snapshot = views.snapshot(origin.oid)
            if list(snapshot.parents) == list(dict.fromkeys(each.parents)) and each.cohort in (None, snapshot.cohort):
                return origin.oid
    return None


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


def _own(store: LineageStore, views: Views, record: Record) -> CommitOid | None:
    """Return the snapshot of this store that a file was exported from."""
    place = record.value.get("lineage" if record.generation == 3 else "manifest")
    said = place.get("gitlineage") if isinstance(place, dict) else None
    oid = said.get("commit") if isinstance(said, dict) else None
    if not isinstance(oid, str):
        return None
    if record.generation != 3:
        return CommitOid(oid) if oid == _recorded(views, record.id) else None
    rows = views.index.rows(
        "SELECT oid FROM snapshots WHERE oid = ? AND id NOT IN (SELECT snapshot FROM imported)", oid
    )
    graph = _graph(store, views.snapshot(oid).tree) if rows else None
    return CommitOid(oid) if graph is not None and openrange_format.graph_id(graph) == record.id else None


def _graph(store: LineageStore, tree: str) -> Mapping[str, Any] | None:
    """Return the graph that a snapshot's tree holds, where it is one that OpenRange reads."""
    data = read_files(store.ledger.repo, tree).get(GRAPH)
    if data is None:
        return None
    try:
        graph = openrange_format.parse(data)
    except Invalid:
        return None
    return graph if openrange_format.graph_fault(graph) is None else None


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
    recorded here is written as generation 3 where a parent is of generation 3 and its tree holds a graph that OpenRange
    reads, else as generation 2; with ``parents``, ``cohort`` and ``roles`` beside what old readers know. An exported
    generation 2 snapshot's id is the beginning of its commit's oid, so it is found here by that id too.

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
    writer = _Writer(store, views)
    if any(_generation(origin) == 3 for origin in origins):
        store.ledger.repo.bring_below(snapshot.tree for snapshot in native)
        writer.find_worlds(native)
    made = {snapshot.oid: writer.generation(snapshot.oid) for snapshot in native}
    there = sorted({_generation(origin) for origin in origins if not origin.stub} | set(made.values()))
    if generation is None and len(there) > 1:
        listed = " and ".join(map(str, there))
        raise Invalid(f"this store would give files of generations {listed}; say which (--generation)")
    chosen = generation or (there[0] if there else 0)
    if chosen not in there:
        said = f"of generation {generation} " if generation else ""
        raise Invalid(f"there is no snapshot {said}to export")
    documents = [origin.document for origin in origins if not origin.stub]
    store.ledger.repo.bring(oid for oid in documents if not store.ledger.repo.exists(oid))
    store.ledger.repo.bring_below(snapshot.tree for snapshot in native)
    files: dict[str, bytes] = {}
    for origin in origins:
        if not origin.stub and _generation(origin) == chosen:
            files |= _written(origin, store.ledger.repo.read(origin.document), files)
    for snapshot in native:
        if made[snapshot.oid] == chosen:
            name, data = writer.world(snapshot) if chosen == 3 else (snapshot.oid[:_NATIVE], writer.snapshot(snapshot))
            files[_unlike(f"{name}.json", snapshot.oid, files)] = data
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            write_whole(folder / name, data)
    except OSError as error:
        raise StorageError(f"cannot write to {folder}: {error.strerror or error}") from error
    return CurriculumExport(files=tuple(files), generation=chosen, left_out=tuple(writer.left_out))


class _Writer:
    """Spells snapshots that were recorded here as generation 2 or 3."""

    def __init__(self, store: LineageStore, views: Views) -> None:
        self._store = store
        self._views = views
        self._nodes: dict[str, str] = {}
        self._above: dict[str, list[CommitOid]] = {}
        self._worlds: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self._stated: dict[str, Mapping[str, Any]] = {}
        self.left_out: list[tuple[str, str]] = []

    def find_worlds(self, native: Sequence[Snapshot]) -> None:
        """Take note of the snapshots, parents first, that are written as generation 3, with their ids and graphs."""
        for snapshot in native:
            if any(self.generation(parent) == 3 for parent in self._parents(snapshot.oid)):
                graph = _graph(self._store, snapshot.tree)
                if graph is not None:
                    self._worlds[snapshot.oid] = (openrange_format.graph_id(graph), graph)

    def generation(self, oid: CommitOid) -> int:
        """Return which generation a snapshot is written as."""
        origin = self._views.origins.on(oid)
        return _generation(origin) if origin is not None else 3 if oid in self._worlds else 2

    def world(self, snapshot: Snapshot) -> tuple[str, bytes]:
        """
        Return a snapshot's id and file in generation 3.

        Manifest, pack and tasks are those of its parent, as OpenRange's own children have them; a task whose nodes are
        gone is left out. What nobody said about the step is left out, too.
        """
        name, graph = self._worlds[snapshot.oid]
        above = self._parents(snapshot.oid)
        names: dict[str, str] = {parent: self._name(parent) for parent in above}
        parents = list(dict.fromkeys(names.values()))
        before = self._before(next(parent for parent in above if self.generation(parent) == 3))
        stated = _object(before, "lineage")
        manifest = {key: item for key, item in _object(stated, "manifest").items() if key != "_evolve"}
        trial = snapshot.trial
        said = self._manifest(snapshot)["gitlineage"]
        beside = [path for path in read_files(self._store.ledger.repo, snapshot.tree) if path != GRAPH]
        if beside:
            said["left_out"] = [path.encode("utf-8", "backslashreplace").decode() for path in beside]
            self.left_out += [(name, path) for path in said["left_out"]]
        lineage: dict[str, Any] = {
            **{key: stated[key] for key in ("pack", "pack_version", "curriculum_difficulty") if key in stated},
            "manifest": manifest,
            "_evolve": {"parent_snapshot_id": parents[0], "note": trial.hypothesis if trial else snapshot.subject},
            "parents": parents,
            "gitlineage": said,
        }
        if snapshot.cohort is not None:
            lineage["cohort"] = snapshot.cohort
        if roles := {names[parent]: role for parent, role in snapshot.roles.items() if parent in names}:
            lineage["roles"] = roles
        nodes = {node["id"] for node in graph["nodes"]}
        tasks = before.get("tasks")
        value = {
            "snapshot_id": name,
            "ontology_id": before.get("ontology_id", graph["ontology"]),
            "graph": graph,
            "tasks": [task for task in (tasks if isinstance(tasks, list) else []) if _bound(task) <= nodes],
            "lineage": lineage,
            "history": [],
        }
        self._stated[snapshot.oid] = value
        return name, openrange_format.write(value)

    def _before(self, oid: CommitOid) -> Mapping[str, Any]:
        """Return what the file of a generation 3 snapshot says; a stub has none, so it says nothing."""
        if oid not in self._stated:
            self._stated[oid] = self._document(self._views.origins.on(oid))
        return self._stated[oid]

    def snapshot(self, snapshot: Snapshot) -> bytes:
        """Return a snapshot's file, with its whole chain, root first."""
        whole = reach([snapshot.oid], lambda oids: {oid: self._parents(oid) for oid in oids})
        lineage = topological(list(reversed(whole)), self._parents)
        artifacts, manifest = {}, {**self._asked(snapshot.oid), **self._manifest(snapshot)}
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
        if origin is not None:
            return origin.name
        return self._worlds[oid][0] if oid in self._worlds else oid[:_NATIVE]

    def _document(self, origin: Origin | None) -> Mapping[str, Any]:
        """Return what the file of an imported snapshot says: a stub, or what is no object, says nothing."""
        if origin is None or origin.stub:
            return {}
        try:
            value = openrange_format.parse(self._store.ledger.repo.read(origin.document))
        except Invalid:
            return {}
        return value if isinstance(value, dict) else {}

    def _asked(self, oid: CommitOid) -> dict[str, Any]:
        """Return the manifest that OpenRange needs: of the nearest first parent from there, else an empty one."""
        seen: set[str] = set()
        while oid not in seen:
            seen.add(oid)
            origin = self._views.origins.on(oid)
            if origin is not None and _generation(origin) == 2:
                manifest = _object(self._document(origin), "manifest")
                if openrange_format.is_manifest(manifest):
                    return dict(manifest)
            oid = next(iter(self._parents(oid)), oid)
        return {"world": {}, "pack": {"id": "gitlineage"}}

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


def _object(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    item = value.get(key)
    return item if isinstance(item, dict) else {}


def _bound(task: Any) -> set[str]:
    """Return the nodes that a generation 3 task names."""
    listed = [task.get(key) for key in ("entrypoints", "goal_nodes")] if isinstance(task, dict) else []
    return {node for each in listed if isinstance(each, list) for node in each if isinstance(node, str)}


def _written(origin: Origin, document: bytes, taken: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of an imported snapshot by name: the one it came with, or all of its folder."""
    name, _, head = origin.file.partition("/")
    if head not in openrange_format.HEADS or not _safe(name):
        return {_free(origin, taken): document}
    try:
        parts = openrange_format.parts_of(document)
    except Invalid:
        return {_free(origin, taken): document}
    folder = name if f"{name}/{head}" not in taken else f"{name}~{origin.oid[:12]}"
    return {f"{folder}/{part}": data for part, data in parts.items() if _safe(part) and part.endswith(".json")}


def _safe(name: str) -> bool:
    return bool(name) and name[0] != "." and not set(name) & set("/\\\0") and len(name.encode()) <= 255


def _free(origin: Origin, taken: Mapping[str, bytes]) -> str:
    """Return the file name of a snapshot: the one it came with, unless another one has it."""
    told = origin.file
    name = told if told.endswith(".json") and _safe(told) else f"{origin.oid[:_NATIVE]}.json"
    return _unlike(name, origin.oid, taken)


def _unlike(name: str, oid: str, taken: Mapping[str, bytes]) -> str:
    return name if name not in taken else f"{name.removesuffix('.json')}~{oid[:12]}.json"


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
    "is_store",
    "preview",
    "read_folder",
]
