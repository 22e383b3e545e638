"""
A writer's ref: landing events on it, and reading back what is on everybody's; start at `Journal.land`.

Design 3: one ref per writer, its tree a notes tree, each commit's first parent the writer's previous one and
its further parents the snapshots that it keeps alive. Moving the ref by compare-and-swap is the one commit point.
A ref whose name begins with ``archive-`` holds events of several writers, each of which says whose it is.
"""

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from gitlineage.bounds import MAX_EVENTS, MAX_NOTE
from gitlineage.errors import CorruptEvent, Invalid, LineageError, MissingObject, RepositoryError
from gitlineage.git.formats import Identity, format_commit
from gitlineage.git.notes import NotesTrees
from gitlineage.git.packs import object_id
from gitlineage.git.repository import GitRepo
from gitlineage.later import later, pattern
from gitlineage.model.message import compose, trailer_lines
from gitlineage.model.namespace import DEFAULT, Namespace

if TYPE_CHECKING:
    from gitlineage.git import signing
    from gitlineage.journal import archive
    from gitlineage.journal import events as codec
else:
    signing, archive = later("gitlineage.git.signing"), later("gitlineage.journal.archive")
    codec = later("gitlineage.journal.events")  # all the types of events take their time

ARCHIVE = "archive-"
"""How the refs begin that hold events of several writers; no writer's name does."""

_MAX_PARENTS = 500
_WITHOUT_CLOCK = 1000
"""Commits without a clock that a search for a ref's last clock goes past."""

_KNOWN = 10_000
"""Commits of refs whose notes trees are remembered."""

_DIGITS = 20
"""Digits of a number that is no clock any more."""

_REPEATED = 1 << 20
"""Bytes that are read of a note again and again, because it stands on several objects."""

_BAD_LINES = 100
"""Lines of one note that are told apart when they are no events; the rest are counted."""

_WRITER = pattern(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
_ARCHIVED = pattern(r"(\S+) ([0-9a-f]{40})")


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """An event where it was found: who wrote it and which object its note is on."""

    writer: str
    oid: str
    event: "codec.AnyEvent"


class Problem(msgspec.Struct, frozen=True, gc=False):
    """
    A line that is no event: who wrote it, on which object, and what is wrong.

    Where ``absent`` names an object, this clone lacks it: nothing is wrong, and nothing can be said of the event.
    """

    writer: str
    oid: str
    reason: str
    absent: str = ""

    @property
    def row(self) -> tuple[str, str, str]:
        """What is kept of it."""
        return self.writer, self.oid, self.reason

    def __str__(self) -> str:
        is_sound = self.reason.endswith(("does not count", "do not count"))
        what = "left out a word" if is_sound else "skipped a malformed line"
        return f"{what} in the note of {self.writer} on {self.oid[:12]}: {self.reason}"


class Append(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one commit of a writer's ref is to record.

    Args:
        writer: whose ref.
        tip: where it stood when the events got their clocks; ``None`` when there was none.
        lines: annotated oid and encoded event, clocks rising.
        clock: the highest of their clocks.
        subject: what was recorded, in one line.
        identity: who commits.
        moment: when.
        keep: commits to keep alive besides those annotated.
        reached: commits that others of the landing have as parents, so that they stay alive through them.
        novel: objects that have just been made, so that they have no notes yet.
    """

    writer: str
    tip: str | None
    lines: Sequence[tuple[str, bytes]]
    clock: int
    subject: str
    identity: Identity
    moment: datetime
    keep: Sequence[str] = ()
    reached: Collection[str] = ()
    novel: Collection[str] = ()


class Journal:
    """The writers' refs of one campaign."""

    def __init__(self, repo: GitRepo, namespace: Namespace = DEFAULT) -> None:
        self._repo = repo
        self.namespace = namespace
        self._trees = NotesTrees(repo)
        self._archived: dict[str, tuple[tuple[str, str], ...]] = {}
        self._notes: dict[str, str] = {}
        self._ends: dict[str, Mapping[str, tuple[str, ...]]] = {}
        self._kept_by: tuple[str, archive.Kept] | None = None
        self._lines: dict[tuple[str, str, str | None], bool] = {}
        self._landed: tuple[str, int, str] | None = None

    def tips(self) -> dict[str, str]:
        """Return where each writer's ref stands, by writer."""
        return {self.namespace.writer(name): oid for name, oid in self._repo.refs(self.namespace.notes).items()}

    def genesis(self, writer: str) -> str:
        """
        Return the oid of the writer's first commit, which `land` writes.

        It follows from the writer's name alone, so that nobody has to walk to it. Notes on it hold what belongs to
        no snapshot.
        """
        return _genesis_oid(writer)

    def write_genesis(self, writer: str) -> str:
        """Write the writer's first commit, which nothing points at yet, and return its oid."""
        self._repo.write_object("commit", _genesis(writer, self._repo.empty_tree()))
        return self.genesis(writer)

    def land(self, new: Append, *, durable: bool = False) -> str | None:
        """
        Append events to the notes of their objects and move the writer's ref.

        Args:
            new: what to append, and where.
            durable: have the disk confirm it before this returns.

        Returns:
            The ref's new place, or ``None`` when somebody else moved it: nothing was recorded.

        Raises:
            Invalid: an object has more events than a note may hold.
            SigningError: git config ``lineage.sign`` is on and the key does not work: nothing was recorded.
        """
        signer = signing.from_config(self._repo)
        sign = signer.sign if signer is not None else None
        genesis = self.genesis(new.writer)
        base = new.tip or self._resumed(new.writer) or self.write_genesis(new.writer)
        tree = self._landed[2] if self._landed is not None and self._landed[0] == base else self._repo.commit(base).tree
        added: dict[str, list[bytes]] = {}
        for oid, line in new.lines:
            added.setdefault(oid, []).append(line)
        alive = [oid for oid in (*added, *new.keep) if oid != genesis]
        known = {oid for oid in (*added, *new.keep) if oid not in new.novel and self._trees.has(tree, oid)}
        fresh = [oid for oid in dict.fromkeys(alive) if oid not in new.reached and oid not in known]
        notes = {oid: joined(self._trees.get(tree, oid) if oid in known else b"", more) for oid, more in added.items()}
        for oid, note in notes.items():
            if note.count(b"\n") > MAX_EVENTS and (count := len(codec.events(note)[0])) > MAX_EVENTS:
                raise Invalid(f"{oid} would have {count:,} events, over the limit of {MAX_EVENTS:,}")
            if len(note) > MAX_NOTE:
                raise Invalid(f"the events on {oid} would take {len(note):,} bytes, over the limit of {MAX_NOTE:,}")
        last = base
        while len(fresh) > _MAX_PARENTS:
            # the newest go deepest: git walks in order of date, and takes long where old and new come mixed
            part, fresh = fresh[-_MAX_PARENTS:], fresh[:-_MAX_PARENTS]
            message = compose(f"Keep {len(part)} snapshots", [("Clock", str(self.clock(base)))])
            last = self._repo.write_commit(tree, [last, *part], message, new.identity, new.moment, sign)
        message = compose(new.subject, [("Clock", str(new.clock))])
        after = self._trees.put(tree, notes)
        made = self._repo.write_commit(after, [last, *fresh], message, new.identity, new.moment, sign)
        ref, said = self.namespace.ref(new.writer), f"lineage: {new.subject}"
        follow, who = {self.namespace.kept(new.writer): made}, (new.identity, new.moment)
        if not self._repo.move_ref(ref, made, new.tip, said, signature=who, durable=durable, follow=follow):
            return None
        self._landed = made, new.clock, after
        return made

    def clock(self, tip: str) -> int:
        """Return the Lamport clock that a commit of a writer's ref carries; 0 where it carries none."""
        if self._landed is not None and self._landed[0] == tip:
            return self._landed[1]
        return clock_of(self._repo.commit(tip).message)

    def last_clock(self, tip: str) -> int:
        """Return the clock of a ref's last commit that carries one; git's own notes commands add some that do not."""
        at = tip
        for _ in range(_WITHOUT_CLOCK):
            if clock := self.clock(at):
                return clock
            parents = self._repo.parents(at)
            if not parents:
                return 0
            at = parents[0]
        return 0

    def read(self, writer: str, tip: str, since: str | None = None) -> Generator[Recorded | Problem, None, None]:
        """
        Return what a writer's notes say, or only the notes that changed since an earlier tip.

        Where they are many, git reads them ahead, and the commits that they are on; closing the iterator ends it.
        """
        old, new = (self._repo.commit(since).tree if since else None), self._repo.commit(tip).tree
        genesis = self.genesis(writer)
        if old is None:  # settings first: they say how to read the rest
            try:
                yield from self._decoded(writer, tip, genesis, self._trees.get(new, genesis))
            except RepositoryError as error:
                yield self.problem(writer, genesis, error)
        odd: dict[str, str] = {}
        repeats = _Repeats()
        notes = repeats.told(self._trees.changed(old, new, odd))
        for oid, blob, again in self._repo.ahead(notes, lambda note: note[:1] if note[2] else note[1::-1]):
            if (old is None and oid == genesis) or (again and not repeats.allow(blob)):
                continue
            try:
                note = self._repo.read(blob, MAX_NOTE)
            except RepositoryError as error:
                yield self.problem(writer, oid, error)
                continue
            if again:
                repeats.count(blob, len(note))
            yield from self._decoded(writer, tip, oid, note)
        for tree, reason in odd.items():
            absent = "" if self._repo.exists(tree) or not self._repo.lacks(tree) else tree
            yield Problem(writer, tree, reason, absent)
        yield from (Problem(writer, blob, "this note stands on too many objects") for blob in repeats.refused)

    def blobs(self, tree: str, oid: str) -> list[str]:
        """Return the blobs of the note that a tree of notes has on an object; none where it has none."""
        return self._trees.find(tree, oid)

    def all_blobs(self, tree: str, most: int) -> dict[bytes, bytes]:
        """Return the blob of every note of a tree that stands where ours do, by object; of more than so many, none."""
        return self._trees.together(tree, most)

    def told_by(self, writer: str, tip: str, oid: str, blobs: Sequence[str]) -> Iterator[Recorded]:
        """Return the events that blobs of a ref's note on an object hold."""
        note = b"".join(self._repo.read(blob, MAX_NOTE) for blob in blobs)
        return (each for each in self._decoded(writer, tip, oid, note) if isinstance(each, Recorded))

    def told(self, writer: str, tip: str, oid: str) -> Iterator[Recorded | Problem]:
        """Return what a ref says on one object."""
        return self._decoded(writer, tip, oid, self.note(tip, oid))

    def _decoded(self, name: str, tip: str, oid: str, note: bytes) -> Iterator[Recorded | Problem]:
        """Return the events of a note; of an archive's those alone that the refs which it keeps hold, too."""
        if not is_archive(name) or not note:
            yield from decode_note(name, oid, note)
            return
        if self._kept_by is None or self._kept_by[0] != tip:
            self._kept_by = tip, archive.Kept(self.ends(tip), self.genesis, self._is_line_of, self._live, self.note)
        try:
            good, forged = self._kept_by[1].forged(self.genesis(name), oid, note)
        except RepositoryError as error:
            yield self.problem(name, oid, error)
            return
        yield from decode_note(name, oid, good)
        yield from (Problem(name, oid, reason) for reason in forged)

    def _live(self, writer: str) -> str | None:
        """Return where a writer's ref stands."""
        return self._repo.ref(self.namespace.ref(writer))

    def _is_line_of(self, writer: str, tip: str) -> bool:
        """Whether a commit is on a writer's line: it goes back to the first one, and does not fork from the ref."""
        live = self._live(writer)
        if (writer, tip, live) not in self._lines:
            sound = self.is_ahead(tip, self.genesis(writer))
            apart = sound and live is not None and self.fork(live, tip) not in (live, tip)
            self._lines[writer, tip, live] = sound and not apart
        return self._lines[writer, tip, live]

    def problem(self, writer: str, oid: str, error: LineageError) -> Problem:
        """Return what is to be said of a note that cannot be read."""
        absent = error.oid if isinstance(error, MissingObject) and self._repo.lacks(error.oid) else ""
        return Problem(writer, oid, str(error), absent)

    def bring(self, moved: Iterable[tuple[str | None, str]]) -> None:
        """
        Fetch what a partial clone left out of the notes, and of the commits that they are on, in a few requests.

        Args:
            moved: the tips whose notes will be read, each with the one up to which they were.
        """
        repo = self._repo
        if not repo.promisors:
            return
        trees: dict[str, None] = {}
        known: dict[str, None] = {}
        for since, tip in moved:
            with suppress(RepositoryError):
                trees[repo.commit(tip).tree] = None
                if since is not None:
                    known[repo.commit(since).tree] = None
        repo.bring_below(trees, known)
        if repo.is_shallow and not repo.refusal:
            noted = (oid for tree in trees for oid, _ in self._trees.changed(None, tree, {}))
            if lacking := [oid for oid in noted if not repo.exists(oid)]:
                repo.bring(lacking, "tree:0")

    def events(self, writer: str, tip: str) -> Iterator[Recorded]:
        """Return a writer's events, without the lines that are none."""
        return (entry for entry in self.read(writer, tip) if isinstance(entry, Recorded))

    def is_ahead(self, tip: str, since: str) -> bool:
        """Whether a tip follows an earlier one along first parents, or is the same."""
        at: str | None = tip
        while at is not None and at != since:
            parents = self._repo.parents(at)
            at = parents[0] if parents else None
        return at is not None

    def line(self, tip: str, since: str | None) -> list[str]:
        """Return the commits of a line up to a tip and after an earlier one on it, the oldest first."""
        commits: list[str] = []
        at: str | None = tip
        while at is not None and at != since:
            commits.append(at)
            parents = self._repo.parents(at)
            at = parents[0] if parents else None
        return commits[::-1]

    def first(self, tip: str) -> str:
        """Return the first commit of the line that a tip is on."""
        while parents := self._repo.parents(tip):
            tip = parents[0]
        return tip

    def archived(self, tips: Mapping[str, str] | None = None) -> dict[str, tuple[str, ...]]:
        """
        Return the tips of the refs that archives hold instead, by writer; they say so in trailers ``Archived:``.

        Args:
            tips: where the writers' refs stand; by default they are looked up.
        """
        tips_of: dict[str, dict[str, None]] = {}
        for name, tip in (self.tips() if tips is None else tips).items():
            if is_archive(name):
                for writer, ends in self.ends(tip).items():
                    tips_of.setdefault(writer, {}).update(dict.fromkeys(ends))
        return {writer: tuple(old) for writer, old in tips_of.items()}

    def folded(self, tip: str) -> tuple[tuple[str, str], ...]:
        """
        Return the writers and their tips that one archive names and keeps alive, those folded first first.

        A tip that is no parent of the commit that names it is only claimed: git would prune what it leads to.
        """
        if tip not in self._archived:
            folded: list[tuple[str, str]] = []
            at: str | None = tip
            while at is not None and self._repo.exists(at):
                info = self._repo.commit(at)
                told = [value for key, value in trailer_lines(info.message) if key == "Archived"]
                named = [(match[1], match[2]) for value in reversed(told) if (match := _ARCHIVED.fullmatch(value))]
                folded += [(writer, old) for writer, old in named if old in info.parents[1:]]
                at = info.parents[0] if info.parents else None
            self._archived[tip] = tuple(reversed(folded))
        return self._archived[tip]

    def ends(self, archive: str) -> Mapping[str, tuple[str, ...]]:
        """Return what `folded` does, by writer."""
        if archive not in self._ends:
            ends: dict[str, dict[str, None]] = {}
            for writer, tip in self.folded(archive):
                ends.setdefault(writer, {})[tip] = None
            self._ends[archive] = {writer: tuple(tips) for writer, tips in ends.items()}
        return self._ends[archive]

    def _resumed(self, writer: str) -> str | None:
        """Return where a writer without a ref goes on: where an archive says that the ref ended, if it is here."""
        tips = self.archived().get(writer, ())
        return next((tip for tip in reversed(tips) if self._repo.exists(tip) and self._is_line_of(writer, tip)), None)

    def kept_tips(self) -> dict[str, str | None]:
        """Return where the refs should stand at the least that this clone moved itself, by writer."""
        own = self.namespace.own
        return {name.removeprefix(own): oid for name, oid in self._repo.refs(own).items()}

    def follow(self, goals: Mapping[str, str | None]) -> dict[str, str | None]:
        """Return what else has to move where writers' refs move other than by landing, by writer: what keeps them."""
        kept = {self.namespace.kept(writer): new for writer, new in goals.items()}
        return {name: new for name, new in kept.items() if self._repo.ref(name) is not None}

    def begin(self, writer: str) -> str:
        """Give a writer a ref where it has none, with nothing recorded on it, and return where it stands."""
        genesis = self.write_genesis(writer)
        ref = self.namespace.ref(writer)
        self._repo.move_ref(ref, genesis, None, "lineage: begin", follow={self.namespace.kept(writer): genesis})
        return self._repo.ref(ref) or genesis

    def fork(self, one: str, other: str) -> str | None:
        """
        Return the last commit that two tips have in common along first parents, ``None`` where there is none.

        Both are walked in turn, so that it takes as long as they are apart, not as long as their history is.
        """
        seen: tuple[set[str], set[str]] = (set(), set())
        ends: list[str | None] = [one, other]
        while any(ends):
            for side, at in enumerate(ends):
                if at is None:
                    continue
                seen[side].add(at)
                if at in seen[1 - side]:
                    return at
                parents = self._repo.parents(at)
                ends[side] = parents[0] if parents else None
        return None

    def kept(self, tip: str, since: str | None) -> list[str]:
        """Return the commits that a tip keeps alive as further parents, and an earlier one on its line did not."""
        kept: list[str] = []
        at: str | None = tip
        while at is not None and at != since:
            first, *further = self._repo.parents(at) or (None,)
            kept += [oid for oid in further if oid is not None]
            at = first
        return kept

    def added(self, tip: str, since: str | None) -> "Iterator[tuple[str, list[bytes], list[bytes]]]":
        """Return the objects whose notes an earlier state lacks lines of, with the lines it has and those it lacks."""
        old, new = (self._repo.commit(since).tree if since else None), self._repo.commit(tip).tree
        for oid, blob in self._trees.changed(old, new):
            had = list(codec.lines(self._trees.get(old, oid))) if old else []
            known = set(had)
            if lines := [line for line in codec.lines(self._repo.read(blob)) if line not in known]:
                yield oid, had, lines

    def note(self, tip: str, oid: str) -> bytes:
        """Return the note that a writer's ref has on an object, empty where it has none."""
        return self._trees.get(self._notes_at(tip), oid)

    def _notes_at(self, tip: str) -> str:
        """Return the notes tree of a commit; an archive's names so many parents that it is read once."""
        if tip not in self._notes:
            if len(self._notes) >= _KNOWN:
                self._notes.clear()
            self._notes[tip] = self._repo.commit(tip).tree
        return self._notes[tip]


def decode_note(writer: str, oid: str, note: bytes) -> Iterator[Recorded | Problem]:
    """Return the events of one note; a line that is none is reported and hides nothing else."""
    archive = is_archive(writer)
    decode = codec.decode
    lines, short = [note[:-1]], 0
    is_single = note.startswith(b"{") and note.find(b"\n") == len(note) - 1  # as most are
    if not is_single:
        lines, short = codec.events(note)
    if short > _BAD_LINES:
        yield Problem(writer, oid, f"{short:,} lines are too short to be events")
    elif not is_single:
        lines = list(codec.lines(note))
    if (over := len(lines) - MAX_EVENTS) > 0:
        told = f"{over:,} lines of its note are over the limit of {MAX_EVENTS:,} events, so they do not count"
        yield Problem(writer, oid, told)
    bad = 0
    for line in lines[:MAX_EVENTS]:
        try:
            event = decode(line)
            event.check(oid)
            owner = _owner(writer, event.writer) if archive or event.writer else writer
            yield Recorded(owner, oid, event)
        except CorruptEvent as error:
            bad += 1
            if bad <= _BAD_LINES:
                yield Problem(writer, oid, error.reason)
    if bad > _BAD_LINES:
        yield Problem(writer, oid, f"{bad - _BAD_LINES:,} more lines are no events")


class _Repeats:
    """Bounds what a note costs that one tree puts on very many objects."""

    def __init__(self) -> None:
        self._bytes: dict[str, int] = {}
        self.refused: set[str] = set()

    def told(self, notes: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, bool]]:
        """Return annotated oids and blobs with whether the blob came before."""
        met: set[str] = set()
        for oid, blob in notes:
            yield oid, blob, blob in met
            met.add(blob)

    def allow(self, blob: str) -> bool:
        """Whether a blob is to be read again."""
        if self._bytes.get(blob, 0) > _REPEATED:
            self.refused.add(blob)
            return False
        return True

    def count(self, blob: str, size: int) -> None:
        """Take note of a blob that was read again."""
        self._bytes[blob] = self._bytes.get(blob, size) + size


def is_archive(name: str) -> bool:
    """Whether a writer's ref of this name holds events of several writers."""
    return name.startswith(ARCHIVE)


def clock_of(message: str) -> int:
    """Return the Lamport clock that the message of a ref's commit carries; 0 where it carries none."""
    for key, value in trailer_lines(message):
        if key == "Clock" and value.isascii() and value.isdecimal() and len(value) < _DIGITS:
            return int(value)
    return 0


def check_name(name: str) -> str:
    """
    Return the name of a writer's ref or of an archive.

    Raises:
        Invalid: it is neither.
    """
    check_writer(name.removeprefix(ARCHIVE))
    return name


def _owner(ref: str, writer: str) -> str:
    """
    Return whose event it is, by the ref that holds it and by what it says itself.

    Raises:
        CorruptEvent: it is on one writer's ref and claims to be another's, or on an archive and names none.
    """
    if writer == ref and not is_archive(ref):
        return ref
    if not is_archive(ref):
        raise CorruptEvent(f"not an event: it claims to be of another writer, {writer[:100]!r}")
    try:
        return check_writer(writer)
    except Invalid as error:
        raise CorruptEvent(f"not an event: an archive must say whose it is, and {error}") from error


def check_writer(writer: str) -> str:
    """
    Return a writer's name.

    Raises:
        Invalid: it cannot be part of a ref's name, or is an archive's.
    """
    if is_archive(writer):
        raise Invalid(f"{writer!r} cannot name a writer; names that begin with {ARCHIVE} are for archives")
    if not _WRITER.fullmatch(writer) or writer.endswith(".lock") or len(writer) > 100:
        raise Invalid(f"{writer!r} cannot name a writer; use letters, digits, dots, dashes and underscores")
    return writer


@lru_cache(maxsize=_KNOWN)
def _genesis_oid(writer: str) -> str:
    return object_id("commit", _genesis(writer, object_id("tree", b"")))


def _genesis(writer: str, tree: str) -> bytes:
    """Return a writer's first commit, as git stores it."""
    message = compose(f"Begin the lineage of {writer}", [("Clock", "0")])
    who = Identity(writer, f"{writer}@gitlineage")
    return format_commit(tree, [], message, who, datetime.fromtimestamp(0, UTC))


def joined(note: bytes, lines: Sequence[bytes]) -> bytes:
    """Return a note with lines added; a foreign note may lack its last line end."""
    start = note if not note or note.endswith(b"\n") else note + b"\n"
    return start + b"".join(line + b"\n" for line in lines)
