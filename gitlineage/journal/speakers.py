"""
Who may say what where git config ``lineage.trust`` is ``signed``; not whose refs are signed, which `trust` finds out.

Without it the later word holds, whoever says it. With it only those count whose refs are signed, each about what it
recorded itself, and the task is the word of those alone whom git config ``lineage.taskWriters`` names. Whose a commit
is, it says itself, so that nobody can claim it afterwards (semantics 80).
"""

from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from gitlineage import house
from gitlineage.errors import Invalid, SigningError
from gitlineage.git import signing
from gitlineage.git.formats import CommitInfo
from gitlineage.git.repository import GitRepo
from gitlineage.later import later
from gitlineage.model.message import recorder_of

if TYPE_CHECKING:
    from gitlineage.journal import events
else:  # all the types of events take their time
    events = later("gitlineage.journal.events")

SIGNED = "signed"
"""The value of ``lineage.trust`` that turns it on."""

NO_ROW = "no row of its own:"
"""How begins what is told of a retraction by somebody who has no such row."""


class Speakers(msgspec.Struct, frozen=True):
    """
    The rule by which words count.

    Args:
        task: the writers who may say what the task is, and what an imported table looked like.
        people: the names that the allowed-signers file gives to one key each, writers and mail addresses.
    """

    task: frozenset[str] = frozenset()
    people: tuple[tuple[str, ...], ...] = ()

    def __str__(self) -> str:
        return f"{SIGNED} {' '.join(sorted(self.task))} {' '.join(map(','.join, self.people))}".rstrip()

    def is_proven(self, writer: str, commit: CommitInfo) -> bool:
        """
        Whether a commit shows by itself that a writer made it.

        It names the writer; or it names none, as one that git made, and the allowed-signers file has the mail address
        of its author on one line with the writer.
        """
        if named := recorder_of(commit.message):
            return named == writer
        return any(any(fnmatchcase(writer, name) for name in names) for names in self._lines_of(commit))

    def shown(self, commit: CommitInfo) -> str:
        """Return whom a commit shows to have made it, empty for nobody; nothing that is recorded later changes it."""
        if named := recorder_of(commit.message):
            return named
        mail = _mail(commit)
        return next((name for names in self._lines_of(commit) for name in names if name != mail), "")

    def _lines_of(self, commit: CommitInfo) -> Iterator[tuple[str, ...]]:
        mail = _mail(commit)
        return (names for names in self.people if mail in names)

    def refusal(self, writer: str, event: "events.AnyEvent", commit: CommitInfo) -> str:
        """
        Return why a word about a whole commit does not count, empty for one that does; of rows `rows_refusal` says it.

        It depends on nothing that anybody else says, so it is the same whatever comes first.
        """
        if isinstance(event, events.UsageEvent | events.SnapshotEvent) or self.is_proven(writer, commit):
            return ""
        return self.no_owner(writer, event, self.shown(commit))

    def task_refusal(self, writer: str, event: "events.AnyEvent") -> str:
        """Return why a word about the task or the shape of a table does not count, empty for one that does."""
        if writer in self.task:
            return ""
        return f"{writer} is not in git config lineage.taskWriters, so its {_kind(event)} does not count"

    def no_owner(self, writer: str, event: "events.AnyEvent", owner: str) -> str:
        """Return what is said of a word about what another writer made, or of what nothing shows who did."""
        tail = f"so the word of {writer} about it ({_kind(event)}) does not count"
        if owner:
            return f"{owner} recorded this, and git config lineage.trust is {SIGNED}, {tail}"
        return (
            f"nothing shows whose this is, {tail}; it does once the allowed-signers file has the mail address of the "
            "commit's author beside its writer's name"
        )


def from_config(repo: GitRepo) -> Speakers | None:
    """
    Return the rule that git's configuration sets, ``None`` where every word counts.

    Raises:
        Invalid: ``lineage.trust`` has a value that there is not.
    """
    said = repo.config(house.TRUST)
    if not said:
        return None
    if said.lower() != SIGNED:
        raise Invalid(f"git config lineage.trust is {said!r}; it takes {SIGNED}, or is not set")
    task = frozenset(name for value in repo.configs(house.TASK_WRITERS) for name in value.split())
    people: tuple[tuple[str, ...], ...] = ()
    with suppress(SigningError, OSError):  # who needs the file to check signatures says what is wrong with it
        people = tuple(names for names in signing.verifier(repo).principals() if len(names) > 1)
    return Speakers(task, people)


def _mail(commit: CommitInfo) -> str:
    return commit.author.rpartition("<")[2].removesuffix(">")


def _kind(event: "events.AnyEvent") -> str:
    return str(event.__struct_config__.tag)
