"""
Bundles: lineage as one file for machines without a network, written and taken in; the file's format is git's own.

What goes out and what comes in passes through a bare repository of its own, which borrows this one's objects:
nothing of a file reaches this one before all of it was read and judged.
"""

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import msgspec

from gitlineage import scratch
from gitlineage.errors import BadBundle, Conflict, GitFailed, Invalid, LineageError, StorageError
from gitlineage.files import replacing
from gitlineage.git import program
from gitlineage.git.formats import Identity, is_oid
from gitlineage.git.notes import NotesTrees
from gitlineage.git.repository import GitRepo, init_repository
from gitlineage.index.database import parts
from gitlineage.journal import events as codec
from gitlineage.journal.journal import ARCHIVE, Journal, check_name, is_archive, joined
from gitlineage.model.message import compose
from gitlineage.model.namespace import DEFAULT, NOTES, ORDINARY, namespace_in, namespace_of
from gitlineage.model.records import Order, Task
from gitlineage.query.ancestry import ancestors as ancestors_of
from gitlineage.query.names import moment, resolve
from gitlineage.query.views import Views
from gitlineage.record.ledger import Ledger
from gitlineage.sync.archives import MAX_TIPS, holder, signed_lines
from gitlineage.times import parse_time

_SIGNATURE = re.compile(rb"# v\d git bundle\n")
"""How a git bundle begins."""

_INCOMING = "refs/incoming"
_WHO = Identity("gitlineage", "gitlineage@localhost")


class Bundled(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a bundle holds.

    Args:
        file: where it is.
        refs: its refs by writer or archive, in a further campaign as ``<campaign>/<writer>``, and where they stand.
        trials: how many trials.
        snapshots: how many snapshots.
        size: the file's size in bytes.
    """

    file: str
    refs: Mapping[str, str]
    trials: int
    snapshots: int
    size: int


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of one ref of a bundle.

    Args:
        writer: the writer or archive.
        outcome: ``new``, ``fast-forwarded``, ``up to date``, ``behind`` or ``refused``.
        tip: where it stands in the bundle.
        reason: why it was refused.
        campaign: in which campaign.
    """

    writer: str
    outcome: str
    tip: str
    reason: str = ""
    campaign: str = ORDINARY


class Unbundled(msgspec.Struct, frozen=True, kw_only=True):
    """
    What `unbundle` did.

    Args:
        file: the bundle.
        refs: what became of each of its refs.
        writers: how many writers are new here.
        trials: how many trials are new here.
        snapshots: how many snapshots are new here.
        task: the rules in force now.
        before: those that were in force, where the bundle brought others; ``None`` for none or no change.
        changed: whether the bundle brought the rules that are in force.
    """

    file: str
    refs: tuple[Arrival, ...]
    writers: int
    trials: int
    snapshots: int
    task: Task
    before: Task | None = None
    changed: bool = False

    @property
    def refused(self) -> tuple[Arrival, ...]:
        """The refs that were not taken because they contradict what is here."""
        return tuple(each for each in self.refs if each.outcome == "refused")


def bundle(
    store: Ledger,
    file: Path,
    *,
    cohort: str | None = None,
    ancestors: str | None = None,
    since: str | None = None,
) -> Bundled:
    """
    Write lineage into a file, closed under ancestry: it needs nothing that is not in it.

    Without a choice it holds all writers' refs of all campaigns. With one, it holds one archive of the events on the
    chosen snapshots of the store's campaign, all their ancestors and the cohorts that they are members of, and the
    task; the same choice from the same events gives the same archive.

    Args:
        file: where to; a bundle there is replaced in one step, any other file is left alone.
        cohort: the members of a cohort.
        ancestors: a snapshot and all that it goes back to.
        since: what was recorded after a trial, a commit of a writer's ref, or an ISO 8601 time.

    Raises:
        Invalid: there is nothing to write, or more than one choice.
        NotFound: what was named is not there.
        StorageError: the file cannot be written.
    """
    if sum(each is not None for each in (cohort, ancestors, since)) > 1:
        raise Invalid("choose by one of cohort, ancestors and since")
    views = store.views()
    tips = store.journal.tips()
    whole = cohort is None and ancestors is None and since is None
    if not tips and not (whole and len(store.campaigns()) > 1):
        raise Invalid("there is no lineage to bundle yet")
    target = file.absolute()
    if not target.parent.is_dir():
        raise StorageError(f"cannot write {file}: there is no folder {target.parent}")
    if _is_other(target):
        raise StorageError(f"cannot write {file}: it is there and no bundle; name another file, or remove it")
    with _borrowing(store.repo) as repo:
        refs: dict[str, str] = {}
        if whole:
            snapshots = trials = 0
            with store.all_campaigns() as campaigns:
                for each in campaigns:
                    refs |= {each.namespace.ref(name): oid for name, oid in each.journal.tips().items()}
                    _, more_trials, more = _counts(each.views())
                    snapshots, trials = snapshots + more, trials + more_trials
        else:
            chosen = _Chosen(store, views, tips)
            chosen.choose(cohort, ancestors, since)
            name, tip = chosen.write(repo)
            refs[store.namespace.ref(name)] = tip
            snapshots, trials = len(chosen.snapshots), chosen.trials
        repo.add_refs(refs)
        try:
            with replacing(target) as output:
                program.run(["--git-dir", str(repo.gitdir), "bundle", "create", "--quiet", str(output), "--all"])
                size = output.stat().st_size
        except GitFailed as error:
            raise StorageError(f"cannot write {file}: {_said(error)}") from error
        except OSError as error:
            raise StorageError(f"cannot write {file}: {error.strerror or error}") from error
    shown = {_short(ref): oid for ref, oid in refs.items()}
    return Bundled(file=str(file), refs=shown, trials=trials, snapshots=snapshots, size=size)


def unbundle(store: Ledger, file: Path) -> Unbundled:
    """
    Take the writers' refs of a bundle in, those that are new and those that go on from what is here.

    A ref that was rewritten is refused and the others are taken. Branches and other refs of the file are left alone.

    Raises:
        BadBundle: it is damaged, is none, holds no lineage, or needs commits that are not here; nothing was taken.
        Conflict: another program moved one of the refs meanwhile; nothing was taken.
        OSError: it cannot be read.
    """
    with file.open("rb"):
        source = str(file.absolute())
    with _borrowing(store.repo) as repo:
        repo.add_refs(
            {name: oid for kind in ("heads/", "notes/") for name, oid in store.repo.refs(f"refs/{kind}").items()}
        )
        heads = _heads(repo, source, file)
        _git(repo, file, ["bundle", "unbundle", source])  # all of it is read, even where it brings nothing new
        _git(repo, file, ["fetch", *_PLAIN, source, f"+{NOTES}*:{_INCOMING}*"])
        with ExitStack() as opened:
            campaigns = [opened.enter_context(store.in_campaign(name)) for name in heads]
            before = [_counts(each.views()) for each in campaigns]
            task = store.recorded_task()
            arrivals = [
                msgspec.structs.replace(arrival, campaign=each.campaign)
                for each in campaigns
                for arrival in _judged(each.journal, Journal(repo, each.namespace), heads[each.campaign])
            ]
            _take(store, repo, arrivals)
            after = [_counts(each.views()) for each in campaigns]
            now = store.task
            for each in campaigns:
                each.settle()
    return Unbundled(
        file=str(file),
        refs=tuple(arrivals),
        writers=sum(len(new[0] - old[0]) for old, new in zip(before, after, strict=True)),
        trials=sum(new[1] - old[1] for old, new in zip(before, after, strict=True)),
        snapshots=sum(new[2] - old[2] for old, new in zip(before, after, strict=True)),
        task=now,
        before=task if task != now else None,
        changed=store.recorded_task() != task,
    )


def _take(store: Ledger, repo: GitRepo, arrivals: Sequence[Arrival]) -> None:
    """
    Move the refs that are new or go on, all of them in one step.

    Raises:
        Conflict: another program moved one of them meanwhile.
    """
    moving = [each for each in arrivals if each.outcome in ("new", "fast-forwarded")]
    taken = [namespace_of(each.campaign).ref(each.writer) for each in moving]
    if not taken:
        return
    specs = "".join(f"{_INCOMING}{ref.removeprefix(NOTES)}:{ref}\n" for ref in taken)
    words = ["fetch", *_PLAIN, "--atomic", "--stdin", str(repo.gitdir)]
    try:
        with store.exclusive():
            program.run(["--git-dir", str(store.repo.gitdir), *_TRUSTED, *words], data=specs.encode())
            for each in moving:  # no remote has it, so a fetch that prunes would take it away
                namespace = namespace_of(each.campaign)
                store.repo.set_ref(namespace.kept(each.writer), store.repo.ref(namespace.ref(each.writer)))
    except GitFailed as error:
        if "cannot lock ref" in error.message or "rejected" in error.message:
            raise Conflict(taken[0]) from error
        raise


def _short(ref: str) -> str:
    """Return what a bundle's ref is called: its writer, in a further campaign after the campaign's name."""
    return ref.removeprefix(DEFAULT.notes).removeprefix(f"{NOTES}-")


def check(file: Path) -> None:
    """Look whether a repository that holds nothing yet could take a bundle in; `unbundle` says what is raised."""
    with file.open("rb"):
        source = str(file.absolute())
    with _apart() as repo:
        _heads(repo, source, file)
        _git(repo, file, ["bundle", "unbundle", source])


_COUNTED = ("snapshots", "trials")
_TRUSTED = ("-c", "protocol.file.allow=always")
_PLAIN = (
    "--quiet",
    "--no-tags",
    "--no-prune",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--no-recurse-submodules",
)


class _Chosen:
    """What a bundle with a choice holds."""

    def __init__(self, store: Ledger, views: Views, tips: Mapping[str, str]) -> None:
        self._journal = store.journal
        self._repo = store.repo
        self._views = views
        self._tips = tips
        self.snapshots: set[str] = set()
        self._aside: set[str] = set()
        """Commits that hold events and are no snapshots: cohorts, sessions, attempts to forge."""
        self._names: set[str] = set()
        self._parents: set[str] = set()
        self._moved = {child for (child,) in views.index.rows("SELECT DISTINCT child FROM reparents")}
        """Snapshots that their commits' own parents do not tell the whole truth about."""
        self.trials = 0

    def choose(self, cohort: str | None, ancestors: str | None, since: str | None) -> None:
        """Take what was named, its ancestors, and the cohorts of all of them with their bases."""
        if cohort is not None:
            opened = self._views.cohorts.one(cohort)
            self._open([opened.name])
            self._add(opened.members)
        elif ancestors is not None:
            oid = resolve(self._views, ancestors)
            known = self._views.snapshots([oid])
            self._add([oid] if known else [node.id for node in ancestors_of(self._views, oid)])
            if not self.snapshots:
                raise Invalid(f"nothing is recorded on {ancestors} or its ancestors")
        elif since is not None:
            self._add_since(since)

    def _add_since(self, since: str) -> None:
        until = moment(self._views, self._journal, since)
        later: dict[str, None] = {}
        names = []
        for ref, tip in self._tips.items():
            for recorded in self._journal.events(ref, tip):
                if until(recorded):
                    continue
                event = recorded.event
                later |= dict.fromkeys(event.names())
                if isinstance(event, codec.CohortEvent):
                    names.append(event.name)
                elif event.place is codec.Place.OWN:
                    self._aside.add(recorded.oid)
                elif event.place is not codec.Place.GENESIS:  # the task goes along anyhow
                    later[recorded.oid] = None
        if not later and not names and not self._aside:
            raise Invalid(f"nothing was recorded since {since}")
        self._open(names)
        self._add(oid for oid in later if oid not in self._aside and is_oid(oid) and self._repo.exists(oid))

    def _add(self, oids: Iterable[str]) -> None:
        """Take snapshots with all their recorded ancestors and cohorts."""
        fresh = {oid for oid in oids if oid not in self.snapshots}
        while fresh:
            self.snapshots |= fresh
            above: set[str] = set()
            names: set[str] = set()
            for part in parts(sorted(fresh)):
                marks = ", ".join("?" * len(part))
                here = f"(SELECT id FROM snapshots WHERE oid IN ({marks}))"
                links = f"SELECT p.oid FROM links l JOIN snapshots p ON p.id = l.parent WHERE l.child IN {here}"
                above |= {oid for (oid,) in self._views.index.rows(links, *part)}
                direct = (
                    f"SELECT c.oid, g.parent FROM git_parents g JOIN snapshots c ON c.id = g.child WHERE c.id IN {here}"
                )
                rows = self._views.index.rows(direct, *part)
                self._parents |= {parent for child, parent in rows if child not in self._moved}
                self._parents |= {parent for child in self._moved & set(part) for parent in self._repo.parents(child)}
                (count,) = self._views.index.one(f"SELECT count(*) FROM trials WHERE snapshot IN {here}", *part)
                self.trials += count
                cohorts = f"SELECT DISTINCT cohort FROM snapshots WHERE oid IN ({marks}) AND cohort IS NOT NULL"
                names |= {name for (name,) in self._views.index.rows(cohorts, *part)}
            fresh = above - self.snapshots
            fresh |= self._bases(names) - self.snapshots

    def _open(self, names: Iterable[str]) -> None:
        self._add(self._bases(set(names)))

    def _bases(self, names: set[str]) -> set[str]:
        """Take cohorts and return the snapshots that they start from."""
        bases: set[str] = set()
        for part in parts(sorted(names - self._names)):
            sql = f"SELECT oid, base FROM cohorts WHERE name IN ({', '.join('?' * len(part))})"
            for oid, base in self._views.index.rows(sql, *part):
                self._aside.add(oid)
                bases |= set(msgspec.json.decode(base, type=tuple[str, ...]))
        self._names |= names
        return {snapshot.oid for snapshot in self._views.snapshots(sorted(bases))}

    def write(self, repo: GitRepo) -> tuple[str, str]:
        """Write the archive into a repository and return its name and oid; both follow from the events alone."""
        events: dict[str, dict[bytes, Order]] = {}
        latest = ""
        for ref, tip in self._tips.items():
            for oid in self.snapshots | self._aside:
                for _, line in signed_lines(self._journal, ref, ref, tip, oid):
                    event = codec.decode(line)
                    events.setdefault(oid, {})[line] = Order(event.clock, event.writer)
                    latest = max(latest, event.at)
        task = self._task()
        content = b"\n".join([*(oid.encode() + line for oid in sorted(events) for line in sorted(events[oid])), task])
        name = f"{ARCHIVE}{sha256(content).hexdigest()[:40]}"
        journal, trees = Journal(repo, self._journal.namespace), NotesTrees(repo)
        notes = {oid: joined(b"", sorted(lines, key=lambda line: (lines[line], line))) for oid, lines in events.items()}
        if task:
            notes[journal.genesis(name)] = joined(b"", [task])
        tree = trees.put(repo.empty_tree(), notes)
        clock = max((order.clock for lines in events.values() for order in lines.values()), default=0)
        heads = sorted(self.snapshots - self._parents | self._aside)
        last = journal.write_genesis(name)
        said = compose(f"Bundle {len(self.snapshots)} snapshots", [("Clock", str(clock))])
        for part in parts(heads, MAX_TIPS):
            last = repo.write_commit(
                tree, [last, *part], said, _WHO, parse_time(latest) or datetime.fromtimestamp(0, UTC)
            )
        return name, last

    def _task(self) -> bytes:
        """Return the line of the event that says what the rules are, empty where none does."""
        tasks: list[tuple[Order, bytes]] = []
        for ref, tip in self._tips.items():
            for _, line in signed_lines(self._journal, ref, ref, tip, self._journal.genesis(ref)):
                event = codec.decode(line)
                if isinstance(event, codec.TaskEvent):
                    tasks.append((Order(event.clock, event.writer), line))
        return max(tasks)[1] if tasks else b""


def _is_other(file: Path) -> bool:
    """Whether there is a file with something in it that is no git bundle."""
    if not file.is_file():
        return False  # git says what is wrong with it, if anything
    try:
        with file.open("rb") as opened:
            start = opened.read(20)
    except OSError:
        return False
    return bool(start) and _SIGNATURE.match(start) is None


def _heads(repo: GitRepo, source: str, file: Path) -> dict[str, dict[str, str]]:
    """
    Return the writers' refs that a bundle holds, by campaign, after git has looked at its head.

    Raises:
        BadBundle: git cannot read it, or it holds none.
    """
    _git(repo, file, ["bundle", "verify", source])
    listed = _git(repo, file, ["bundle", "list-heads", source]).decode("utf-8", "replace")
    refs = {name: oid for oid, _, name in (line.partition(" ") for line in listed.splitlines())}
    heads: dict[str, dict[str, str]] = {}
    for name, oid in refs.items():
        if (space := namespace_in(name)) is not None:
            heads.setdefault(space.campaign, {})[space.writer(name)] = oid
    if not heads:
        raise BadBundle(str(file), f"it holds no lineage, only {', '.join(list(refs)[:3]) or 'no refs'}")
    return heads


def _judged(ours: Journal, theirs: Journal, heads: Mapping[str, str]) -> Iterator[Arrival]:
    """Return what is to become of each ref of a bundle."""
    tips = ours.tips()
    archives = [oid for name, oid in tips.items() if is_archive(name)]
    for name, tip in sorted(heads.items()):
        outcome, reason = "refused", ""
        old = tips.get(name)
        try:
            check_name(name)
            theirs.clock(tip)
            if old is None and holder(theirs, archives, name, tip):
                outcome = "up to date"
            elif old is None:
                outcome = "new"
            elif old == tip:
                outcome = "up to date"
            elif theirs.is_ahead(tip, old):
                outcome = "fast-forwarded"
            elif theirs.is_ahead(old, tip):
                outcome = "behind"
            else:
                reason = "it was rewritten: it does not go on from what is here"
        except LineageError as error:
            reason = str(error)
        yield Arrival(writer=name, outcome=outcome, tip=tip, reason=reason)


@contextmanager
def _apart() -> Iterator[GitRepo]:
    """Make a bare repository and remove it in the end."""
    with scratch.folder() as folder:
        init_repository(folder, bare=True)
        yield GitRepo(folder)


@contextmanager
def _borrowing(repo: GitRepo) -> Iterator[GitRepo]:
    """Make a bare repository that borrows another's objects, and remove it in the end."""
    with scratch.folder() as folder:
        init_repository(folder, bare=True)
        info = Path(folder, "objects", "info")
        info.mkdir(exist_ok=True)
        (info / "alternates").write_text(f"{(repo.commondir / 'objects').resolve()}\n", "utf-8", "surrogateescape")
        if (repo.commondir / "shallow").exists():
            shutil.copy(repo.commondir / "shallow", Path(folder, "shallow"))
        yield GitRepo(folder)


def _git(repo: GitRepo, file: Path, words: Sequence[str]) -> bytes:
    """
    Have git read a bundle.

    Raises:
        BadBundle: it could not.
    """
    try:
        return program.run(["--git-dir", str(repo.gitdir), *words])
    except GitFailed as error:
        if error.status == 127:
            raise
        raise BadBundle(str(file), _said(error)) from error


def _said(error: GitFailed) -> str:
    """Return git's words without the marks before them."""
    lines = [line.strip().removeprefix("error: ").removeprefix("fatal: ") for line in error.message.splitlines()]
    return " ".join(filter(None, lines)) or f"git ended with {error.status}"


def _counts(views: Views) -> tuple[set[str], int, int]:
    """Return the writers, and how many trials and snapshots there are."""
    writers = {writer for (writer,) in views.index.rows("SELECT DISTINCT writer FROM snapshots")}
    snapshots, trials = (int(views.index.one(f"SELECT count(*) FROM {name}")[0]) for name in _COUNTED)
    return writers, trials, snapshots
