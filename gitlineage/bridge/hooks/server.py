"""
What a server takes: the rules for writers' refs that are pushed to it, each breach told in one line.

Only what a push brings is read. The objects may still be in git's quarantine, so the repository is opened with
that as a further object directory, and git's own variables go along to its program.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

from gitlineage import bounds, house
from gitlineage.bounds import MAX_EVENTS, MAX_LINE, MAX_NOTE, MAX_TREE, Stopwatch
from gitlineage.errors import CorruptEvent, Invalid, RepositoryError
from gitlineage.git import program, signing
from gitlineage.git.content import DEFAULT_LIMIT, size_setting
from gitlineage.git.formats import FILE, NO_OID, TREE, CommitInfo, Entry
from gitlineage.git.repository import GitRepo
from gitlineage.index.index import Index
from gitlineage.journal import events, speakers, trust
from gitlineage.journal.journal import (
    ARCHIVE,
    Journal,
    Problem,
    Recorded,
    check_name,
    clock_of,
    decode_note,
    is_archive,
)
from gitlineage.model.namespace import NOTES, Namespace, namespace_in
from gitlineage.text import one_line

QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")
"""The variables by which git shows a hook the objects that are being pushed."""

_MAX_COMMIT = 1 << 20
_TOLD = 20
"""Breaches that are told of one ref; the rest are not looked for."""

_NAME = re.compile(r"[0-9a-f]+")


class Update(msgspec.Struct, frozen=True):
    """A ref that a push moves: from where, to where, and its name; forty zeros stand for no object."""

    old: str
    new: str
    ref: str


class Rules:
    """
    The rules of one server.

    Args:
        repo: its repository, opened with the quarantine.
        variables: git's variables for the quarantine, for its program.

    Raises:
        SigningError: it has a list of allowed signers that cannot be read.
    """

    def __init__(self, repo: GitRepo, variables: Mapping[str, str]) -> None:
        self._repo = repo
        self._variables = {**variables, "GIT_DIR": str(repo.gitdir)}
        self._limit = size_setting(repo, house.MAX_FILE_SIZE, DEFAULT_LIMIT)
        listed = repo.config(house.ALLOWED_SIGNERS)
        wanted = listed or repo.config("gpg.ssh.allowedSignersFile")
        self._verifier = signing.verifier(repo, listed) if wanted else None
        self._speakers = speakers.from_config(repo)
        if self._speakers is not None:
            self._verifier = signing.verifier(repo)
        self._watch = Stopwatch("checking this push", bounds.MAX_CHECKING)
        self._notes: set[str] = set()
        self._came: dict[str, str] = {}

    def breaches(self, updates: Iterable[Update]) -> Iterator[str]:
        """Return what a push does that is not allowed, one line each; nothing where all of it may come in."""
        sound: list[Update] = []
        ours = (update for update in updates if _is_ours(update.ref))
        for update in sorted(
            ours, key=lambda update: update.new == NO_OID
        ):  # an archive may come with what it replaces
            told = 0
            for breach in self._of(update):
                yield f"{one_line(update.ref)}: {one_line(breach)}"
                told += 1
                if told >= _TOLD:
                    yield f"{one_line(update.ref)}: there may be more, the rest was not looked at"
                    break
            if not told and update.new != NO_OID:
                sound.append(update)
                self._came[update.ref] = update.new
        if sound:
            yield from self._unheard(sound)
            yield from self._large(sound)

    def _of(self, update: Update) -> Iterator[str]:
        space = namespace_in(f"{update.ref}/")
        if space is None:
            yield "this names no campaign; a name has lower-case letters, digits, dots, dashes and underscores"
            return
        writer = space.writer(update.ref)
        if update.new == NO_OID:
            if not self._may_go(space, writer, update.old):
                yield "a writer's ref is not deleted; git config lineage.allowDelete on the server may name it"
            return
        try:
            check_name(writer)
        except Invalid:
            yield "this names no writer; a name has letters, digits, dots, dashes and underscores"
            return
        try:
            chain = self._chain(update, Journal(self._repo, space).genesis(writer))
            before = self._repo.commit(update.old).tree if update.old != NO_OID else None
            checked = self._verifier
            highest = self._highest(space)
            for info in chain:
                yield from (_ahead(clock, highest) for clock in (clock_of(info.message),) if clock > highest)
                yield from self._notes_of(before, info.tree, writer, highest)
                before = info.tree
            if is_archive(writer):
                read = Journal(self._repo, space).read(writer, update.new, update.old if update.old != NO_OID else None)
                yield from (f"note on {entry.oid[:12]}: {entry.reason}" for entry in read if isinstance(entry, Problem))
            if checked is not None:
                commits = ((info.oid, self._repo.read(info.oid)) for info in chain)
                owner = writer.removeprefix(ARCHIVE)
                for oid in signing.not_signed_by(checked, owner, commits):
                    yield f"commit {oid[:12]} is not signed by {owner}; `git config lineage.sign true` signs"
        except RepositoryError as error:
            yield str(error)

    # -- refs ----------------------------------------------------------------------------------------------

    def _highest(self, space: Namespace) -> int:
        """Return the highest clock that a push may bring: one that goes on from what is here, with room for more."""
        clocks = (clock_of(self._repo.commit(tip).message) for tip in self._repo.refs(space.notes).values())
        return max(clocks, default=0) + events.AHEAD

    def _may_go(self, space: Namespace, writer: str, tip: str) -> bool:
        patterns = [pattern for value in self._repo.configs(house.ALLOW_DELETE) for pattern in value.split()]
        if any(fnmatchcase(writer, pattern) for pattern in patterns):
            return True
        archives = {**self._repo.refs(space.notes), **self._came}
        return any(
            is_archived(self._repo, writer, tip, space.writer(ref), archive)
            for ref, archive in archives.items()
            if ref.startswith(space.ref(ARCHIVE))
        )

    def _chain(self, update: Update, genesis: str) -> list[CommitInfo]:
        """
        Return the commits of a writer's ref that are new, oldest first.

        Raises:
            RepositoryError: they do not lead along first parents to where the ref was, or to the writer's genesis.
        """
        end = genesis if update.old == NO_OID else update.old
        commits: list[CommitInfo] = []
        at = update.new
        while at != end:
            self._watch.check()
            self._refuse_over(at, _MAX_COMMIT, "a commit")
            commits.append(info := self._repo.commit(at))
            if not info.parents:
                if update.old == NO_OID:
                    raise RepositoryError("it does not begin at its writer's first commit, so it is no writer's ref")
                raise RepositoryError(
                    f"it was rewritten: {end[:12]}, where it stands here, is not among its first parents; "
                    "a writer's ref only grows"
                )
            at = info.parents[0]
        return commits[::-1]

    # -- notes ---------------------------------------------------------------------------------------------

    def _notes_of(self, old: str | None, new: str, writer: str, highest: int) -> Iterator[str]:
        """Check the notes of a tree that another one has not."""
        stack: list[tuple[str, str | None, str]] = [("", old, new)]
        met: set[str] = set()
        while stack:
            self._watch.check()
            prefix, before, after = stack.pop()
            if after in met:  # no two folders of honest notes are equal; nested, such a tree has no end
                yield f"the folder {prefix} of the notes is there twice"
                continue
            self._refuse_over(after, MAX_TREE, "a tree")
            entries = self._repo.read_tree(after)
            if entries:
                met.add(after)
            known = self._repo.read_tree(before) if before is not None else {}
            for name, entry in entries.items():
                was = known.get(name)
                if was == entry:
                    continue
                path = prefix + name
                if not _is_place(name, path, entry):
                    yield f"its tree has the entry {f'{prefix}{name}'!r:.100}, which is no place for a note"
                elif entry.mode == TREE:
                    stack.append((path, was.oid if was is not None and was.mode == TREE else None, entry.oid))
                else:
                    self._notes.add(entry.oid)
                    earlier = was.oid if was is not None and was.mode != TREE else None
                    reasons = self._events(writer, earlier, entry.oid, highest)
                    yield from (f"note on {path[:12]}: {reason}" for reason in reasons)

    def _events(self, writer: str, old: str | None, new: str, highest: int) -> Iterator[str]:
        """Check the lines of a note that it had not before."""
        if (size := self._repo.size(new)) > MAX_NOTE:
            yield f"it has {size:,} bytes, over the limit of {MAX_NOTE:,}"
            return
        note = self._repo.read(new)
        before = self._repo.read(old) if old is not None and self._repo.size(old) <= MAX_NOTE else b""
        fresh = note[len(before) :] if note.startswith(before) and (not before or before.endswith(b"\n")) else note
        if (count := len(events.events(note)[0])) > MAX_EVENTS:
            yield f"it has {count:,} events, over the limit of {MAX_EVENTS:,}"
            return
        for line in events.lines(fresh):
            self._watch.check()
            if len(line) > MAX_LINE:
                yield f"an event of {len(line):,} bytes is over the limit of {MAX_LINE:,}"
                continue
            try:
                for entry in decode_note(writer, "", line):
                    if isinstance(entry, Problem):
                        yield entry.reason
                    elif entry.event.clock > highest:
                        yield _ahead(entry.event.clock, highest)
            except CorruptEvent as error:
                yield error.reason

    def _refuse_over(self, oid: str, limit: int, what: str) -> None:
        if (size := self._repo.size(oid)) > limit:
            raise RepositoryError(f"{what} of {size:,} bytes ({oid[:12]}) is over the limit of {limit:,}")

    def _unheard(self, updates: Sequence[Update]) -> Iterator[str]:
        """Return what says something of what others recorded, where only its owner's word counts."""
        if self._speakers is None or self._verifier is None:
            return
        for space in {space.campaign: space for each in updates if (space := namespace_in(f"{each.ref}/"))}.values():
            journal = Journal(self._repo, space)
            came = {space.writer(each.ref): each for each in updates if each.ref.startswith(space.notes)}
            before = trust.trusted(self._repo, journal, self._verifier, journal.tips())
            index = Index(self._repo, None, self._speakers)
            try:
                index.refresh(journal, tips=before)
                known = set(index.rows("SELECT writer, oid, reason FROM problems"))
                after = {**before, **{name: each.new for name, each in came.items() if not is_archive(name)}}
                if not index.refresh(journal, tips=after):
                    index.close()
                    index = Index(self._repo, None, self._speakers)
                    index.refresh(journal, tips=after)
                for problem in index.skipped:
                    if problem.writer in came and problem.row not in known:
                        ref = one_line(came[problem.writer].ref)
                        yield f"{ref}: note on {problem.oid[:12]}: {one_line(problem.reason)}"
            finally:
                index.close()

    # -- snapshots -----------------------------------------------------------------------------------------

    def _large(self, updates: Sequence[Update]) -> Iterator[str]:
        """Return the files of new snapshots that are over the limit."""
        refs = {update.new: update.ref for update in updates}
        where = self._repo.gitdir
        asked = "".join(f"{oid}\n" for oid in refs).encode()
        words = ["rev-list", "--objects", "--stdin", "--not", "--all"]
        objects = program.run(words, cwd=where, variables=self._variables, data=asked)
        form = "--batch-check=%(objecttype) %(objectsize) %(objectname) %(rest)"
        sizes = program.run(["cat-file", form], cwd=where, variables=self._variables, data=objects)
        name = next(iter(refs.values())) if len(refs) == 1 else f"{NOTES}*"
        for line in sizes.split(b"\n"):
            kind, _, rest = line.partition(b" ")
            if kind != b"blob":
                continue
            size, oid, *path = rest.split(b" ", 2)
            if int(size) > self._limit and oid.decode() not in self._notes:
                told = repr(path[0].decode("utf-8", "replace") if path else oid.decode())
                yield (
                    f"{name}: {told} of a snapshot has {int(size):,} bytes, over the limit of {self._limit:,} "
                    "(git config lineage.maxFileSize on the server)"
                )


def _ahead(clock: int, highest: int) -> str:
    return f"the clock {clock:,} is beyond {highest:,}, all that it can have followed on here"


def _is_ours(ref: str) -> bool:
    """Whether a ref is a campaign's, or would stand in its way; other people's notes are called as they like."""
    start, slash, _ = f"{ref}/".removeprefix(NOTES).partition("/")
    return ref.startswith(NOTES) and bool(slash) and (not start or (start[0] == "-" and f"{NOTES}{start}" != ref))


def is_archived(repo: GitRepo, writer: str, tip: str, name: str, archive: str) -> bool:
    """
    Whether an archive holds all that a writer's ref says and keeps alive all that this keeps.

    Args:
        name: the archive's own name, whose first commit carries the writers' settings.
    """
    journal = Journal(repo)
    if not any(told == writer and journal.is_ahead(end, tip) for told, end in journal.folded(archive)):
        return False
    there: dict[str, set[bytes]] = {}
    own, settings = journal.genesis(writer), journal.genesis(name)
    for entry in journal.read(writer, tip):
        if isinstance(entry, Problem):
            return False
        place = settings if entry.oid == own else entry.oid
        event = msgspec.structs.replace(entry.event, writer=entry.event.writer or writer)
        if place not in there:
            there[place] = _events_in(name, journal.note(archive, place))
        if events.encode(event) not in there[place]:
            return False
    return True


def _events_in(archive: str, note: bytes) -> set[bytes]:
    """Return the events of an archive's note as canonical lines."""
    entries = (entry for entry in decode_note(archive, "", note) if isinstance(entry, Recorded))
    return {events.encode(entry.event) for entry in entries}


def read_updates(lines: Iterable[str]) -> list[Update]:
    """Return the updates that git tells a hook: old oid, new oid and ref, one line each."""
    return [Update(*words) for line in lines if len(words := line.rstrip("\n").split(" ", 2)) == 3]


def _is_place(name: str, path: str, entry: Entry) -> bool:
    """Whether a note, or a folder of notes, is called as git and we call them."""
    if not _NAME.fullmatch(name):
        return False
    if entry.mode == TREE:
        return len(name) == 2 and len(path) < 40
    return len(path) == 40 and entry.mode == FILE
