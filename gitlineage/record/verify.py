"""
Everything about a store that can be checked, checked: objects, refs, notes, events, signatures, caches.

Every check is a generator of findings, so that one that fails hides none of the others.
"""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from hashlib import blake2b

import msgspec

from gitlineage import house
from gitlineage.bounds import MAX_NOTE, MAX_TREE
from gitlineage.errors import GitFailed, Invalid, LineageError
from gitlineage.git import lfs, locks, program, signing
from gitlineage.git.formats import FILE, TREE, tree_entries
from gitlineage.git.notes import NotesTrees
from gitlineage.git.repository import GitRepo
from gitlineage.index.index import Index, build
from gitlineage.index.schema import AUTHOR, SUBJECT
from gitlineage.journal import events, speakers, trust
from gitlineage.journal.journal import ARCHIVE, Journal, Problem, Recorded, check_writer
from gitlineage.journal.speakers import Speakers
from gitlineage.model.message import trailer_lines
from gitlineage.model.namespace import ORDINARY, Namespace
from gitlineage.query.views import Views
from gitlineage.record import derived
from gitlineage.text import to_type

_OID = re.compile(r"\b[0-9a-f]{40}\b")
_HARMLESS = re.compile(r"notice: |dangling |Checking |unreachable ")

_LOST = 10_000
"""Events that may be missing before another one, and as many again as there are, before its clock is a finding."""

_TELL = 500
"""Events between two words about how far it is."""

_AGAIN = "type: gitlineage maintain reindex"
"""What mends all that follows from the events."""

_TABLES = {
    "snapshots": (
        f"SELECT oid, tree, {SUBJECT} AS subject, {AUTHOR} AS author, time, exp_id, cohort, roles, clock, writer "
        "FROM snapshots s"
    ),
    "parents": "SELECT s.oid, g.pos, g.parent FROM git_parents g JOIN snapshots s ON s.id = g.child",
    "links": (
        "SELECT c.oid, p.oid AS parent, l.pos FROM links l "
        "JOIN snapshots c ON c.id = l.child JOIN snapshots p ON p.id = l.parent"
    ),
    "trials": (
        "SELECT s.oid, t.exp_id, t.status, t.specialist, t.parent_cell, t.rank, t.row, t.raw, t.saw, "
        "t.clock, t.writer, t.last_clock, t.last_writer FROM trials t JOIN snapshots s ON s.id = t.snapshot"
    ),
    "cohorts": "SELECT * FROM cohorts",
    "sessions": "SELECT * FROM sessions",
    "tables": "SELECT * FROM tables",
    "retractions": "SELECT * FROM retractions",
    "words about parents": "SELECT * FROM reparents",
    "relation events": "SELECT * FROM relation_events",
    "relations": "SELECT * FROM relations",
    "catalogue entries": "SELECT * FROM entries",
    "usage": "SELECT * FROM usage",
    "forge attempts": "SELECT * FROM forges",
    "imported snapshots": (
        "SELECT s.oid, i.name, i.source, i.document, i.file, i.stub, i.clock, i.writer FROM imported i "
        "JOIN snapshots s ON s.id = i.snapshot"
    ),
    "rewrites": "SELECT * FROM rewrites",
    "arrivals": "SELECT * FROM arrivals",
    "numbers after prefixes": "SELECT * FROM numbered",
    "problems": "SELECT * FROM problems",
    "absent objects": "SELECT * FROM absent",
    "events with a clock too far ahead": "SELECT * FROM beyond",
    "tasks": "SELECT * FROM tasks",
    "clocks": (
        "SELECT lower(hex(at)) AS oid, clock, writer FROM clocks UNION SELECT lower(hex(at)), clock, writer FROM twice"
    ),
    "settings": (
        "SELECT key, value FROM meta WHERE key IN ('clock', 'done', 'events', 'task', 'task_order') AND value <> 0"
    ),
    "tips": "SELECT * FROM tips",
}
"""What an index says, without the numbers it gives to rows."""

Cells = frozenset[tuple[str, object]]
"""A row of an index: each column with what it holds."""


class Finding(msgspec.Struct, frozen=True):
    """
    Something that is not as it should be.

    Args:
        writer: on whose ref; empty where it is nobody's.
        oid: the object at fault; empty where there is none.
        what: what is wrong.
        campaign: in which campaign.
    """

    writer: str
    oid: str
    what: str
    campaign: str = ORDINARY


class Said:
    """What an index says at one moment, read once more for each question."""

    def __init__(self, index: Index) -> None:
        self._own = index.file.connection
        self._connection = index.file.frozen()

    def rows(self, sql: str) -> Iterator[tuple[object, ...]]:
        """Return the rows of a query."""
        return iter(self._connection.execute(sql))

    def cells(self, sql: str) -> set[Cells]:
        """Return the rows of a query, each with its cells by column."""
        rows = self._connection.execute(sql)
        names = [each[0] for each in rows.description]
        return {frozenset(zip(names, row, strict=True)) for row in rows}

    def digest(self, sql: str) -> tuple[int, int]:
        """Return how many rows a query has, and a number that others will not have."""
        count = total = 0
        for row in self.rows(sql):
            count += 1
            total += int.from_bytes(blake2b(msgspec.msgpack.encode(row), digest_size=16).digest())
        return count, total

    def close(self) -> None:
        """Let the index's file go on without what was seen here."""
        if self._connection is not self._own:
            self._connection.close()


class Moment(msgspec.Struct, frozen=True):
    """
    What a store says at one moment, while nobody records.

    Args:
        tips: the writers' refs that the index has folded.
        said: what the index says.
        derived: the derived refs that are there.
        refs: all writers' refs, those too that do not count.
        speakers: whose words count; ``None`` for everybody's.
    """

    tips: dict[str, str]
    said: Said
    derived: dict[str, str]
    refs: dict[str, str]
    speakers: Speakers | None = None


def look(repo: GitRepo, namespace: Namespace, index: Index) -> Moment:
    """Return what an index that is up to date says, and the refs that follow from it; the writers' lock is held."""
    tips = index.tips()
    refs = {namespace.writer(name): oid for name, oid in repo.refs(namespace.notes).items()}
    there = derived.present(repo, namespace)
    return Moment(tips, Said(index), there, tips if index.speakers is None else refs, index.speakers)


class Verification:
    """
    The checks of one repository, of one moment: what is recorded meanwhile changes no finding.

    Args:
        moment: what is checked.
        everything: whether git looks at every object, not only at whether all that the refs reach is there.
        check: the allowed-signers file; ``None`` checks no signature.
        advance: called with the number of events that were looked at since the last call.
    """

    def __init__(
        self,
        repo: GitRepo,
        journal: Journal,
        moment: Moment,
        *,
        everything: bool,
        check: signing.Verifier | None,
        advance: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._advance = advance
        self._repo = repo
        self._journal = journal
        self._moment = moment
        self._everything = everything
        self._check = check
        self._trees = NotesTrees(repo)
        self._tips = moment.refs
        self._noted: set[str] = set()
        """The objects that have a note on the ref whose names of notes were checked last."""

    def findings(self) -> list[Finding]:
        """Return all there is to say, each thing once, in the order of the checks."""
        try:
            return list(dict.fromkeys(self._findings()))
        finally:
            self._moment.said.close()

    def _findings(self) -> Iterator[Finding]:
        yield from (Finding("", "", told) for told in locks.left_locks(self._repo.commondir, self._repo.own))
        tips = [tip for tip in self._tips.values() if self._repo.exists(tip)]
        words = ["--full"] if self._everything else ["--connectivity-only", *tips]
        settings = ["-c", "core.commitGraph=false"]
        fsck = ["--git-dir", str(self._repo.gitdir), *settings, "fsck", "--no-dangling", "--no-progress", *words]
        with program.beside(fsck) if tips else nullcontext(bytes) as ended:
            found = list(self._own())
            yield from self._objects(ended)
        yield from found

    def _own(self) -> Iterator[Finding]:
        """Check what git knows nothing of."""
        try:
            yield from self._content()
        except LineageError as error:
            yield Finding("", "", str(error))
        moment = self._moment
        for writer, tip in self._tips.items():
            apart = [] if moment.tips.get(writer) == tip else [self._events]
            for part in (self._name, self._line, self._fan_out, *apart, self._alive, self._signatures):
                try:
                    yield from part(writer, tip)
                except (LineageError, ValueError) as error:
                    yield Finding(writer, tip, str(error))
        wrong: list[Finding] = []

        fresh = build(
            self._repo,
            self._journal,
            moment.tips,
            speakers=moment.speakers,
            spills=True,
            advance=self._advance,
            hear=lambda ref, recorded: wrong.extend(self._event_on(ref, recorded)),
        )
        yield from wrong
        try:
            yield from (
                Finding(*row) for row in fresh.rows("SELECT writer, oid, reason FROM problems ORDER BY 1, 2, 3")
            )
            yield from self._leaps(fresh)
            yield from self._snapshots(fresh)
            yield from self._cycles(fresh)
            yield from self._replay(fresh)
            yield from self._derived(fresh)
        finally:
            fresh.close()

    # -- objects and refs ----------------------------------------------------------------------------------

    def _objects(self, ended: Callable[[], bytes]) -> Iterator[Finding]:
        """Wait for git, which looks at the objects."""
        try:
            ended()
        except GitFailed as error:
            said = (error.output + b"\n" + error.message.encode()).decode("utf-8", "replace")
            lines = [line for line in said.splitlines() if line.strip() and not _HARMLESS.match(line)]
            for line in lines or [str(error)]:
                match = _OID.search(line)
                yield Finding("", match[0] if match else "", f"git fsck: {' '.join(line.split())}")

    def _content(self) -> Iterator[Finding]:
        """Check that the content of large files, which LFS keeps outside of git, is here."""
        tips = [tip for tip in self._tips.values() if self._repo.exists(tip)]
        if tips and lfs.is_used(self._repo, tips):
            for pointer in lfs.pointers(self._repo, tips):
                if not lfs.is_here(self._repo, pointer):
                    yield Finding("", "", f"the content of {pointer.shown} is not here; `git lfs fetch --all` gets it")

    def _name(self, writer: str, tip: str) -> Iterator[Finding]:
        if writer.startswith(ARCHIVE):
            return
        try:
            check_writer(writer)
        except Invalid as error:
            yield Finding(writer, tip, str(error))

    def _line(self, writer: str, tip: str) -> Iterator[Finding]:
        """Check a ref from its tip down to the genesis: one line, rising clocks, notes that only grow."""
        genesis = self._journal.genesis(writer)
        at = tip
        clocks: dict[int, bytes] = {}  # of all events, so what is kept of each is short
        while at != genesis:
            info = self._repo.commit(at)
            if not info.parents:
                yield Finding(
                    writer,
                    at,
                    f"the ref does not go back to its writer's first commit, {genesis}; {self._mend(writer)}",
                )
                return
            yield from self._step(writer, at, info.parents[0], clocks)
            at = info.parents[0]

    def _mend(self, writer: str) -> str:
        """Return what takes a ref as a remote has it, where it was rewritten here, as by ``git filter-branch``."""
        campaign = [] if self._journal.namespace.is_default else ["--campaign", self._journal.namespace.campaign]
        command = to_type("gitlineage", *campaign, "sync", "--accept-rewrite", writer)
        return f"where a remote has it as it was, `{command}` takes that"

    def _step(self, writer: str, oid: str, below: str, clocks: dict[int, bytes]) -> Iterator[Finding]:
        """Check one commit of a ref against the one before."""
        info, before = self._repo.commit(oid), self._repo.commit(below)
        clock, last = _clock(info.message), _clock(before.message)
        if clock is not None and last is not None and clock < last:
            yield Finding(writer, oid, f"its clock is {clock}, below the {last} of the commit before")
        odd: dict[str, str] = {}
        changed = self._repo.ahead(self._trees.changed(before.tree, info.tree, odd), lambda note: note[1:])
        for count, (annotated, blob) in enumerate(changed):
            if count % _TELL == _TELL - 1:
                self._advance(_TELL)
            old = self._trees.get(before.tree, annotated)
            new = self._repo.read(blob, MAX_NOTE)
            had, lines = events.events(old)[0], events.events(new)[0]
            if set(had) - set(lines):
                yield Finding(writer, annotated, f"the note lost events in commit {oid}")
            known = set(had)
            for line in lines:
                if line not in known:
                    yield from self._event(writer, annotated, oid, line, (clock, last), clocks)
        for gone, _ in self._trees.changed(info.tree, before.tree, {}):
            if not self._trees.has(info.tree, gone):
                yield Finding(writer, gone, f"the note was removed in commit {oid}")

    def _event(
        self,
        writer: str,
        annotated: str,
        oid: str,
        line: bytes,
        between: tuple[int | None, int | None],
        clocks: dict[int, bytes],
    ) -> Iterator[Finding]:
        """Check the clock of an event against the commit it came with."""
        try:
            event = events.decode(line)
        except LineageError:
            return  # told where events are read
        clock, last = between
        if event.writer and event.writer != writer:
            return
        if clock is not None and event.clock > clock:
            yield Finding(writer, annotated, f"an event has the clock {event.clock}, its commit {oid} says {clock}")
        if clock is not None and last is not None and event.clock <= last:
            yield Finding(writer, annotated, f"an event of commit {oid} has the clock {event.clock}, not above {last}")
        told = blake2b(line, digest_size=16).digest()
        if clocks.setdefault(event.clock, told) != told:
            yield Finding(writer, annotated, f"two events of this writer have the clock {event.clock}")

    # -- notes ---------------------------------------------------------------------------------------------

    def _fan_out(self, writer: str, tip: str) -> Iterator[Finding]:
        """Check the names in a notes tree, and that each object has one note."""
        stack = [("", self._repo.commit(tip).tree)]
        met: set[str] = set()
        self._noted = noted = set()
        while stack:
            prefix, tree = stack.pop()
            try:
                entries = list(tree_entries(self._repo.read(tree, MAX_TREE)))
            except (LineageError, ValueError) as error:
                yield Finding(writer, tree, f"a tree of notes cannot be read: {error}")
                continue
            for name, entry in entries:
                path = prefix + name
                shown = f"the notes tree has {path!r}"
                if not re.fullmatch(r"[0-9a-f]+", name) or len(path) > 40:
                    yield Finding(writer, entry.oid, f"{shown}, which is no part of an object's name")
                elif entry.mode == TREE and (len(name) != 2 or entry.oid in met):
                    why = (
                        "a folder that stands elsewhere too" if entry.oid in met else "which is no folder of a fan-out"
                    )
                    yield Finding(writer, entry.oid, f"{shown}, {why}")
                elif entry.mode == TREE:
                    met.add(entry.oid)
                    stack.append((path, entry.oid))
                elif len(path) != 40 or entry.mode != FILE:
                    yield Finding(writer, entry.oid, f"{shown}, which is no note of an object")
                elif path in noted:
                    yield Finding(writer, path, "the object has two notes, in two fan-outs")
                else:
                    noted.add(path)

    def _events(self, writer: str, tip: str) -> Iterator[Finding]:
        """Check the lines of a ref that does not count, so that no index is built of it."""
        for count, recorded in enumerate(self._journal.read(writer, tip)):
            if count % _TELL == _TELL - 1:
                self._advance(_TELL)
            if isinstance(recorded, Problem):
                yield Finding(writer, recorded.oid, recorded.reason)
            else:
                yield from self._event_on(writer, recorded)

    def _event_on(self, writer: str, recorded: Recorded) -> Iterator[Finding]:
        """Check that what an event on a writer's ref says agrees with the commit that it is on."""
        event = recorded.event
        try:
            if event.place is events.Place.GENESIS:
                if recorded.oid != self._journal.genesis(writer) and not writer.startswith(ARCHIVE):
                    yield Finding(writer, recorded.oid, f"a {_kind(event)} event is not on the writer's first commit")
                return
            info = self._repo.commit(recorded.oid)
            if isinstance(event, events.CohortEvent):
                said = dict(trailer_lines(info.message)).get("Cohort-Name", "")
                if said != event.name or info.parents != event.base:
                    yield Finding(writer, recorded.oid, f"the cohort {event.name!r} does not match its commit")
            elif isinstance(event, events.SessionEvent):
                entry = self._repo.read_tree(info.tree).get("prompt.md")
                if entry is None or entry.oid != event.prompt:
                    yield Finding(writer, recorded.oid, "the session's prompt is not the one in its commit")
        except LineageError as error:
            yield Finding(writer, recorded.oid, str(error))

    def _alive(self, writer: str, tip: str) -> Iterator[Finding]:
        """Check that every commit with a note is kept alive by the ref, whose names of notes have been checked."""
        listed = program.run(["--git-dir", str(self._repo.gitdir), "rev-list", tip, "--"])
        reached = set(listed.decode().split())
        for oid in self._noted:
            if oid not in reached:
                yield Finding(writer, oid, "it has a note and the writer's ref does not keep it alive")

    def _signatures(self, writer: str, tip: str) -> Iterator[Finding]:
        if self._check is not None:
            for oid in trust.unsigned(self._repo, self._journal, self._check, writer, tip):
                yield Finding(writer, oid, f"the commit is not signed by anybody who may sign for {writer}")

    # -- what follows from the events ----------------------------------------------------------------------

    def _snapshots(self, fresh: Index) -> Iterator[Finding]:
        """Check that snapshots' trailers say what the events say."""
        sql = (
            "SELECT s.writer, s.oid, s.exp_id FROM snapshots s WHERE s.exp_id <> '' AND NOT EXISTS "
            "(SELECT 1 FROM trials t WHERE t.snapshot = s.id AND t.exp_id = s.exp_id) AND NOT EXISTS "
            "(SELECT 1 FROM arrivals a JOIN snapshots n ON n.oid = a.new JOIN trials t ON t.snapshot = n.id "
            "WHERE a.old = s.oid AND t.exp_id = s.exp_id) ORDER BY s.clock, s.writer"
        )
        for writer, oid, exp_id in fresh.rows(sql):
            yield Finding(writer, oid, f"the snapshot's Exp-Id is {exp_id!r}, and no trial of that id is on it")
        sql = (
            "SELECT s.writer, s.oid, s.cohort FROM snapshots s WHERE s.cohort IS NOT NULL AND NOT EXISTS "
            "(SELECT 1 FROM cohorts c WHERE c.name = s.cohort) ORDER BY s.clock, s.writer"
        )
        for writer, oid, cohort in fresh.rows(sql):
            yield Finding(writer, oid, f"the snapshot's Cohort is {cohort!r}, which nobody opened")

    def _leaps(self, fresh: Index) -> Iterator[Finding]:
        """Name the first event whose clock is far above the number of events that come before it."""
        for before, (clock, writer) in enumerate(fresh.rows("SELECT clock, writer FROM clocks ORDER BY clock, writer")):
            if clock > 2 * before + _LOST:
                yield Finding(writer, "", f"its clock leaps to {clock:,}, where {before:,} events come before")
                return

    def _cycles(self, fresh: Index) -> Iterator[Finding]:
        """Name what is not followed, because with what was recorded before it a cycle would be closed."""
        name = Views(fresh, self._repo).name
        sql = (
            "SELECT writer, source, type, target FROM relations WHERE NOT followed AND ended_at IS NULL "
            "ORDER BY clock, writer, source, target, type"
        )
        for writer, source, kind, target in fresh.rows(sql):
            said = f"the relation {name(source)} {kind} {name(target)} would close a cycle and is not followed"
            yield Finding(writer, source, f"{said}; `gitlineage relation end` ends it")
        sql = (
            "SELECT child, writer, parents FROM reparents r WHERE NOT followed AND NOT EXISTS (SELECT 1 FROM reparents "
            "o WHERE o.child = r.child AND (o.clock, o.writer) > (r.clock, r.writer)) ORDER BY clock, writer, child"
        )
        for child, writer, parents in fresh.rows(sql):
            named = ", ".join(map(name, msgspec.json.decode(parents)))
            said = f"that {name(child)} was derived from {named} would close a cycle and is not followed"
            yield Finding(writer, child, f"{said}; `gitlineage reparent` says otherwise")

    def _replay(self, fresh: Index) -> Iterator[Finding]:
        """Compare the index with one that was built from nothing."""
        said, anew = self._moment.said, Said(fresh)
        for name, sql in _TABLES.items():
            try:
                if said.digest(sql) == anew.digest(sql):
                    continue
                ours, theirs = said.cells(sql), anew.cells(sql)
            except sqlite3.DatabaseError as error:
                yield Finding("", "", f"the index cannot be read under {name}: {error}; {_AGAIN}")
                continue
            for cells in sorted(ours - theirs, key=_shown):
                told = f"the index has under {name} what no event says: {_shown(cells)}; {_AGAIN}"
                yield Finding("", _oid_in(cells), told)
            for cells in sorted(theirs - ours, key=_shown):
                told = f"the index lacks under {name} what the events say: {_shown(cells)}; {_AGAIN}"
                yield Finding("", _oid_in(cells), told)

    def _derived(self, fresh: Index) -> Iterator[Finding]:
        """Compare the derived refs with what they follow from."""
        wanted = derived.expected(self._journal.namespace, Views(fresh, self._repo))
        there = self._moment.derived
        for name in sorted(wanted.keys() | there.keys()):
            if wanted.get(name) != there.get(name):
                should = f"should be {wanted[name]}" if name in wanted else "should not be there"
                yield Finding("", there.get(name, ""), f"the derived ref {name} {should}; {_AGAIN}")


def verifier_for(repo: GitRepo, allowed_signers: str | os.PathLike[str] | None) -> signing.Verifier | None:
    """
    Return what checks signatures, where a file is given or ``lineage.sign`` is on.

    Raises:
        SigningError: there is no such file.
    """
    if allowed_signers is not None:
        return signing.verifier(repo, allowed_signers)
    if not repo.flag(house.SIGN) and speakers.from_config(repo) is None:
        return None
    return signing.verifier(repo)


def _clock(message: str) -> int | None:
    """Return the clock that a commit carries, ``None`` for one of git's own notes commands."""
    said = [value for key, value in trailer_lines(message) if key == "Clock"]
    return int(said[0]) if said and re.fullmatch(r"[0-9]{1,19}", said[0]) else None


def _kind(event: events.AnyEvent) -> str:
    return str(event.__struct_config__.tag)


def _oid_in(cells: Cells) -> str:
    """Return the oid that a row is about: what stands under that name, or else under the first that has one."""
    named = sorted(cells, key=lambda cell: (cell[0] != "oid", cell[0]))
    return next((str(value) for _, value in named if _OID.fullmatch(str(value))), "")


def _shown(cells: Cells) -> str:
    told = [f"{name} {value}" for name, value in sorted(cells) if value not in (None, "")]
    text = ", ".join(told)
    return text if len(text) <= 200 else f"{text[:197]}..."
