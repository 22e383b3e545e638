"""
Archives: the refs of writers who are done folded into one.

An archive's notes hold the same events, each with its writer, so that no answer changes; its commits have the
old tips as parents, which keeps all that these kept alive. Folding is idempotent: what both an archive and a ref hold
counts once, so nothing is lost or doubled wherever it is interrupted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from gitlineage.errors import Conflict, Invalid, LineageError, NotFound
from gitlineage.git import program, signing
from gitlineage.git.formats import Identity
from gitlineage.git.notes import NotesTrees
from gitlineage.git.repository import GitRepo
from gitlineage.index.database import parts
from gitlineage.journal import events as codec
from gitlineage.journal.journal import ARCHIVE, Journal, Problem, decode_note, is_archive, joined
from gitlineage.model.message import compose
from gitlineage.record.ledger import Ledger

IDLE = 30
"""Days without a record after which a writer counts as done."""

_TRIES = 10
MAX_TIPS = 400
"""Old tips that one commit of an archive takes at most; more are a chain."""


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """
    A writer whose ref went into an archive.

    Args:
        writer: whose ref.
        tip: where it stood.
        events: how many events it held that the archive did not.
    """

    writer: str
    tip: str
    events: int = 0


class Left(msgspec.Struct, frozen=True):
    """A writer whose ref stays as it is, and why."""

    writer: str
    reason: str


class Consolidation(msgspec.Struct, frozen=True, kw_only=True):
    """
    What `consolidate` did.

    Args:
        archive: the archive's name; its ref is ``refs/notes/lineage/<archive>``.
        tip: where it stands; ``None`` where there is none.
        folded: the writers whose refs it holds instead, since now.
        left: the writers who were meant too and stay.
    """

    archive: str
    tip: str | None = None
    folded: tuple[Folded, ...] = ()
    left: tuple[Left, ...] = ()


class Handed(msgspec.Struct, frozen=True, kw_only=True):
    """
    What `push` did.

    Args:
        remote: where to.
        archive: the archive that is there now.
        removed: the writers whose refs are not there any more.
        left: the writers whose refs stay there, and why.
    """

    remote: str
    archive: str
    removed: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()


def archive_of(writer: str) -> str:
    """Return the name of the archive that a clone makes, by its own writer, so that no two clones make the same."""
    return f"{ARCHIVE}{writer}"


def holder(journal: Journal, archives: Iterable[str], writer: str, tip: str) -> str | None:
    """
    Return which of some archives names a writer's ref and has every event of it, so that the ref may go.

    An archive is what another clone says: that it names a ref is not enough.

    Args:
        archives: where the archives stand.
    """
    for archive in archives:
        ends = journal.ends(archive).get(writer, ())
        if any(journal.is_ahead(old, tip) for old in ends) and _has_all(journal, archive, writer, tip):
            return archive
    return None


def _has_all(journal: Journal, archive: str, writer: str, tip: str) -> bool:
    """Whether an archive has every event of a writer's ref; those of no snapshot are on the archive's own genesis."""
    genesis = journal.genesis(writer)
    settings: list[bytes] = []
    for oid, _, lines in journal.added(tip, None):
        try:
            signed = [_with_writer(line, writer) for line in lines]
        except LineageError:
            return False
        missing = set(signed) - set(codec.lines(journal.note(archive, oid)))
        if missing and oid != genesis:
            return False
        settings += missing
    if not settings:
        return True
    return not set(settings) - set(codec.lines(journal.note(archive, journal.first(archive))))


def idle(ledger: Ledger, days: float = IDLE, *, now: datetime | None = None) -> list[str]:
    """
    Return the writers that recorded nothing for so many days; never this clone's own, never an archive.

    Args:
        days: how many, by the date of the ref's last commit.
        now: what the time is; by default the store's clock says.
    """
    latest = (now or ledger.now()) - timedelta(days=days)
    others = {
        name: tip for name, tip in ledger.journal.tips().items() if name != ledger.writer and not is_archive(name)
    }
    return [name for name, tip in others.items() if ledger.repo.exists(tip) and ledger.repo.commit(tip).time <= latest]


def consolidate(ledger: Ledger, writers: Sequence[str]) -> Consolidation:
    """
    Fold the refs of writers who are done into this clone's archive and delete them, in one step.

    No answer changes: an archived event counts as its writer's. A writer with a line that is no event stays, because
    such a line can belong to nobody in an archive.

    Args:
        writers: whose refs; one that is archived already and has no ref is no error.

    Raises:
        Invalid: this clone's own writer, which is not done, or an archive.
        NotFound: there is no such writer.
        Conflict: another program kept moving one of the refs; all of them are as they were.
        SigningError: git config ``lineage.sign`` is on and the key does not work; all refs are as they were.
    """
    archive = archive_of(ledger.writer)
    tips = ledger.journal.tips()
    archived = ledger.journal.archived(tips)
    for writer in writers:
        if writer == ledger.writer:
            raise Invalid(f"{writer} is this clone's own writer and not done; archive it from another clone")
        if is_archive(writer):
            raise Invalid(f"{writer} is an archive already")
        if writer not in tips and writer not in archived:
            raise NotFound("writer", writer, sorted(name for name in tips if not is_archive(name))[:5])
    for _ in range(_TRIES):
        with ledger.exclusive() as (who, moment):
            done = _Folding(ledger.repo, ledger.journal, archive).fold(writers, who, moment)
        if done is not None:
            ledger.refresh()
            return done
    raise Conflict(ledger.namespace.ref(archive))


def join_copies(ledger: Ledger, archive: str, here: str, there: str) -> str | None:
    """
    Fold what this clone's archive holds onto the one that a copy of this clone has made under the same name.

    Args:
        here: where it stands in this clone.
        there: where the copy's stands.

    Returns:
        Where it stands now, ahead of the copy's; ``None`` where it has moved, or holds what is in no old ref.
    """
    with ledger.exclusive() as (who, moment):
        folding = _Folding(ledger.repo, ledger.journal, archive)
        new = folding.rebase(there, ledger.journal.folded(here), who, moment)
        ref, said = ledger.namespace.ref(archive), "lineage: join the archive of a copy"
        if new is None or not ledger.repo.move_ref(ref, new, here, said, follow={ledger.namespace.kept(archive): new}):
            return None
    return new


def push(ledger: Ledger, remote: str) -> Handed:
    """
    Push this clone's archive to a remote and delete there, in the same step, the refs that it holds instead.

    A ref that has moved on there, or holds what is not here, stays.

    Args:
        remote: a name or URL, as git takes it.

    Raises:
        Invalid: this clone has no archive.
        GitFailed: git could not reach the remote, or that refused; nothing changed there.
    """
    archive = archive_of(ledger.writer)
    tip = ledger.journal.tips().get(archive)
    if tip is None:
        raise Invalid("this clone has no archive to push; `gitlineage maintain consolidate` makes one")
    own = ["--git-dir", str(ledger.repo.gitdir)]
    space = ledger.namespace
    listed = program.run([*own, "ls-remote", "--refs", "--", remote, f"{space.notes}*"]).decode("utf-8", "replace")
    there = {space.writer(name): oid for oid, _, name in (line.partition("\t") for line in listed.splitlines())}
    removed: dict[str, str] = {}
    left = []
    for writer, old in dict(ledger.journal.folded(tip)).items():
        stands = there.get(writer)
        if stands is not None and ledger.repo.exists(stands) and ledger.journal.is_ahead(old, stands):
            removed[writer] = stands
        elif stands is not None:
            left.append(Left(writer, "it has moved on there; pull and consolidate again"))
    leases = [f"--force-with-lease={space.ref(writer)}:{oid}" for writer, oid in removed.items()]
    specs = [f"{tip}:{space.ref(archive)}", *(f":{space.ref(writer)}" for writer in removed)]
    program.run([*own, "push", "--quiet", "--atomic", *leases, "--", remote, *specs])
    return Handed(remote=remote, archive=archive, removed=tuple(removed), left=tuple(left))


class _Folding:
    """One try to fold refs into an archive."""

    def __init__(self, repo: GitRepo, journal: Journal, archive: str) -> None:
        self._repo = repo
        self._journal = journal
        self._trees = NotesTrees(repo)
        self._archive = archive
        self._tips = journal.tips()
        self._base = self._tips.get(archive)
        self._tree = repo.commit(self._base).tree if self._base else repo.empty_tree()
        self._added: dict[str, dict[bytes, codec.AnyEvent]] = {}
        self._notes: dict[str, set[bytes]] = {}

    def fold(self, writers: Sequence[str], who: Identity, moment: datetime) -> Consolidation | None:
        """Make the archive's commits and move the refs; ``None`` where one of them has moved meanwhile."""
        known = set(self._journal.folded(self._base)) if self._base else set()
        folded, left = [], []
        for writer in dict.fromkeys(writers):
            tip = self._tips.get(writer)
            if tip is None:
                continue
            try:
                events = 0 if (writer, tip) in known else self._take(writer, tip)
            except LineageError as error:
                left.append(Left(writer, str(error)))
                continue
            folded.append(Folded(writer=writer, tip=tip, events=events))
        new = self._base
        if fresh := [each for each in folded if (each.writer, each.tip) not in known]:
            new = self._write(fresh, who, moment)
        done = Consolidation(archive=self._archive, tip=new, folded=tuple(folded), left=tuple(left))
        if not folded:
            return done
        ref = self._journal.namespace.ref
        moves: dict[str, tuple[str | None, str | None]] = {ref(self._archive): (self._base, new)}
        moves |= {ref(each.writer): (each.tip, None) for each in folded}
        said = f"lineage: archive {len(folded)} writers"
        follow = self._journal.follow({each.writer: None for each in folded})
        follow[self._journal.namespace.kept(self._archive)] = new
        return done if self._repo.move_refs(moves, said, follow=follow) else None

    def rebase(self, onto: str, folded: Sequence[tuple[str, str]], who: Identity, moment: datetime) -> str | None:
        """Make the archive's commits on another state of it and return the last; ``None`` where that cannot be."""
        self._base, self._tree = onto, self._repo.commit(onto).tree
        known = set(self._journal.folded(onto))
        fresh = [Folded(writer=writer, tip=tip) for writer, tip in dict.fromkeys(folded) if (writer, tip) not in known]
        try:
            for each in fresh:
                self._take(each.writer, each.tip)
        except LineageError:
            return None
        return self._write(fresh, who, moment) if fresh else onto

    def _take(self, writer: str, tip: str) -> int:
        """
        Add a writer's events to those that the archive is to hold and return how many it did not.

        Raises:
            LineageError: they cannot be read, or a line is none.
        """
        taken: list[tuple[str, bytes, codec.AnyEvent]] = []
        for oid, blob in self._trees.notes(self._repo.commit(tip).tree):
            taken += _signed(self._journal, self._archive, writer, oid, self._repo.read(blob))
        count = 0
        for oid, line, event in taken:
            if oid not in self._notes:
                self._notes[oid] = set(codec.lines(self._trees.get(self._tree, oid)))
            if line not in self._notes[oid]:
                self._notes[oid].add(line)
                self._added.setdefault(oid, {})[line] = event
                count += 1
        return count

    def _write(self, folded: Sequence[Folded], who: Identity, moment: datetime) -> str:
        """Write the archive's commits and return the last one."""
        last = self._base or self._journal.write_genesis(self._archive)
        clock = max(self._journal.clock(oid) for oid in (last, *(each.tip for each in folded)))
        signer = signing.from_config(self._repo)
        sign = signer.sign if signer is not None else None
        notes = {}
        for oid, lines in self._added.items():
            ordered = sorted(lines, key=lambda line: (lines[line].clock, lines[line].writer, line))
            notes[oid] = joined(self._trees.get(self._tree, oid), ordered)
        tree = self._trees.put(self._tree, notes)
        for part in parts(folded, MAX_TIPS):
            said = "Archive 1 writer" if len(part) == 1 else f"Archive {len(part)} writers"
            trailers = [*(("Archived", f"{each.writer} {each.tip}") for each in part), ("Clock", str(clock))]
            message = compose(said, trailers)
            last = self._repo.write_commit(tree, [last, *(each.tip for each in part)], message, who, moment, sign)
        return last


def signed_lines(journal: Journal, archive: str, ref: str, tip: str, oid: str) -> Iterator[tuple[str, bytes]]:
    """Return the events that a ref has on an object as an archive holds them: on which object, and the line."""
    for place, line, _ in _signed(journal, archive, ref, oid, journal.note(tip, oid), skip=True):
        yield place, line


def _signed(
    journal: Journal, archive: str, ref: str, oid: str, note: bytes, *, skip: bool = False
) -> Iterator[tuple[str, bytes, codec.AnyEvent]]:
    """
    Return a note's events as an archive holds them; what belongs to no snapshot goes to the archive's own genesis.

    Raises:
        Invalid: a line is no event, unless those are skipped.
    """
    for line in codec.lines(note):
        (entry,) = decode_note(ref, oid, line)
        if isinstance(entry, Problem):
            if skip:
                continue
            raise Invalid(f"a line in its note on {oid[:12]} is no event ({entry.reason})")
        event = msgspec.structs.replace(entry.event, writer=entry.writer)
        setting = event.place is codec.Place.GENESIS and oid == journal.genesis(ref)
        yield journal.genesis(archive) if setting else oid, _with_writer(line, entry.writer), event


def _with_writer(line: bytes, writer: str) -> bytes:
    """Return an event's line with its writer; what a newer version may have written beside stays as it is."""
    cells: Mapping[str, object] = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    said = msgspec.json.encode({**cells, "writer": writer}, order="sorted")
    codec.decode(said)
    return said
