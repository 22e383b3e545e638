"""
Snapshots of another store on their way into this one: commits, names and documents.

Everything about such a commit follows from the other store alone, so two machines get the same oids; where only owners'
words count (semantics 80), it names its writer, too. What that store says about a snapshot is kept as a document beside
the tree, not in it: the tree is what the snapshot *is*, so that equal content has an equal content id however it was
derived (semantics 2, 67).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from gitlineage.errors import CohortMismatch, NotFound
from gitlineage.git.content import Content
from gitlineage.git.formats import FILE, CommitInfo, Entry, Identity, dated
from gitlineage.git.packs import object_id
from gitlineage.git.repository import GitRepo
from gitlineage.journal import events
from gitlineage.model.message import compose, flattened, snapshot_trailers
from gitlineage.model.records import CommitOid
from gitlineage.query.views import Views
from gitlineage.record.landing import Landing

_TELL = 100
_BEGINNING = datetime.fromtimestamp(0, UTC)


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """
    A snapshot of another store.

    Args:
        name: what it is called there.
        source: which kind of store, and which version of its format.
        document: what that store says about it, byte for byte.
        file: the document's file name there.
        content: its files by path.
        parents: what it was derived from, the primary one first: positions of earlier ones in the same list, or oids.
        roles: what a parent was, in the order of the parents; empty where it is not known.
        cohort: the batch it was generated in.
        stub: whether that store only names it.
        subject: the commit message's first line.
    """

    name: str
    source: str
    document: bytes
    file: str = ""
    content: Mapping[str, bytes] = {}
    parents: Sequence[int | str] = ()
    roles: Sequence[str] = ()
    cohort: str | None = None
    stub: bool = False
    subject: str = ""


def adopt(
    repo: GitRepo,
    views: Views,
    landing: Landing,
    snapshots: Sequence[Adopted],
    advance: Callable[[str, int, int], None],
) -> list[tuple[CommitOid, bool]]:
    """Record snapshots in a landing, and return for each its commit and whether it was new; see the store's `adopt`."""
    return _Adoption(repo, views, landing).record(snapshots, advance)


class _Adoption:
    def __init__(self, repo: GitRepo, views: Views, landing: Landing) -> None:
        self._repo = repo
        self._views = views
        self._landing = landing
        self._content = Content(repo)
        self._moments: dict[str, datetime] = {}
        self._opened: set[str] = set()
        self._documents: dict[str, Entry] = {}
        self._mixed: set[str] = set()
        self._named = [""]
        """Whom a commit names: nobody; or where only owners' words count who may have imported it before, else us."""

        if views.index.speakers is not None:
            before = (writer for (writer,) in views.index.rows("SELECT DISTINCT writer FROM imported ORDER BY 1"))
            self._named = [*(writer for writer in before if writer != landing.writer), landing.writer]

    def record(
        self, snapshots: Sequence[Adopted], advance: Callable[[str, int, int], None]
    ) -> list[tuple[CommitOid, bool]]:
        known = self._views.origins.imported()
        self._mixed = _mixed(snapshots)
        commits: list[tuple[CommitOid, bool]] = []
        for done, each in enumerate(snapshots, 1):
            parents = [commits[parent][0] if isinstance(parent, int) else CommitOid(parent) for parent in each.parents]
            commits.append(self._one(each, parents, known))
            if done % _TELL == 0:
                advance("recording", _TELL, len(snapshots))
        self._keep_documents()
        return commits

    def _one(self, each: Adopted, given: Sequence[CommitOid], known: set[CommitOid]) -> tuple[CommitOid, bool]:
        parents = list(dict.fromkeys(given))
        roles: dict[str, str] = {oid: role for oid, role in zip(given, each.roles, strict=False) if role}
        who = Identity(each.source.partition("/")[0], f"{each.source.partition('/')[0]}@gitlineage")
        moment = self._moment(parents)
        tree = self._content.from_mapping(each.content)
        document = object_id("blob", each.document)
        for writer in self._named:
            trailers = snapshot_trailers("", "", each.cohort, roles, document, writer)
            message = compose(flattened(each.subject) or each.name, trailers)
            oid = CommitOid(self._repo.write_commit(tree, parents, message, who, moment))
            if oid in known:
                break
        self._moments[oid] = moment
        if oid in known:
            return oid, False
        known.add(oid)
        if each.cohort is not None:
            self._open(each.cohort, parents, who, moment)
        self._repo.write_blob(each.document)
        self._documents[f"{oid}.json"] = Entry(FILE, document)
        made = CommitInfo(oid, tree, tuple(parents), message, f"{who.name} <{who.mail}>", dated(moment))
        event = events.ImportedEvent(
            name=each.name, source=each.source, document=document, file=each.file, stub=each.stub
        )
        self._landing.add(oid, event, f"Adopt {flattened(each.name)}", None, made)
        return oid, True

    def _moment(self, parents: Sequence[str]) -> datetime:
        """Return the date of a commit that has none: a second after its latest parent, so that git walks in order."""
        return max((self._dated(parent) + timedelta(seconds=1) for parent in parents), default=_BEGINNING)

    def _dated(self, oid: str) -> datetime:
        if oid not in self._moments:
            self._moments[oid] = self._repo.commit(oid).time
        return self._moments[oid]

    def _open(self, name: str, parents: Sequence[CommitOid], who: Identity, moment: datetime) -> None:
        """Open a member's cohort where it is not open, on the member's parents; one with mixed parents on none."""
        if name in self._opened:
            return
        mixed = name in self._mixed
        try:
            cohort = self._views.cohorts.one(name, members=False)
        except NotFound:
            base = [] if mixed else list(parents)
            event = events.CohortEvent(name=name, base=tuple(base), allow_mixed=mixed)
            nonce = [("Cohort-Name", name), ("Cohort-Id", who.name), ("Recorded-By", self._named[-1])]
            message = compose(f"Cohort {name}", nonce)
            oid = self._repo.write_commit(self._repo.empty_tree(), base, message, who, moment)
            self._landing.add(oid, event, f"Open cohort {name}")
        else:
            if not cohort.allow_mixed and (mixed or set(cohort.base) != set(parents)):
                names = self._views.name
                raise CohortMismatch(name, [names(oid) for oid in cohort.base], [names(oid) for oid in parents])
        self._opened.add(name)

    def _keep_documents(self) -> None:
        """Write a commit that holds the new documents and have the landing keep it alive."""
        if self._documents:
            message = compose(f"Documents of {len(self._documents)} imported snapshots", [])
            who = Identity("gitlineage", "gitlineage@localhost")
            oid = self._repo.write_commit(self._repo.write_tree(self._documents), [], message, who, _BEGINNING)
            self._landing.keep.append(oid)


def _mixed(snapshots: Sequence[Adopted]) -> set[str]:
    """Return the cohorts whose members do not all have the same parents."""
    bases: dict[str, set[frozenset[int | str]]] = {}
    for each in snapshots:
        if each.cohort is not None:
            bases.setdefault(each.cohort, set()).add(frozenset(each.parents))
    return {name for name, parents in bases.items() if len(parents) > 1}
