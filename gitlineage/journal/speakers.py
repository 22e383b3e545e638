"""
Who may say what where git config ``lineage.trust`` is ``signed``; not whose refs are signed, which `trust` finds out.

Without it the later word holds, whoever says it. With it only those count whose refs are signed, each about what it
recorded itself, and the task is the word of those alone whom git config ``lineage.taskWriters`` names.
"""

import msgspec

from gitlineage.errors import Invalid
from gitlineage.git.repository import GitRepo
from gitlineage.journal import events

SIGNED = "signed"
"""The value of ``lineage.trust`` that turns it on."""


class Speakers(msgspec.Struct, frozen=True):
    """
    The rule by which words count.

    Args:
        task: the writers who may say what the task is, and what an imported table looked like.
    """

    task: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{SIGNED} {' '.join(sorted(self.task))}"

    def refusal(self, writer: str, event: events.AnyEvent, owner: str | None) -> str:
        """
        Return why an event does not count, empty for one that does.

        Args:
            writer: who says it.
            event: what is said.
            owner: who recorded what it is about; ``None`` where that is nobody.
        """
        if isinstance(event, events.TaskEvent | events.TableEvent):
            if writer in self.task:
                return ""
            return f"{writer} is not in git config lineage.taskWriters, so its {_kind(event)} does not count"
        if owner is None or owner == writer:
            return ""
        told = f"{owner} recorded this, and git config lineage.trust is {SIGNED}"
        return f"{told}, so the word of {writer} about it ({_kind(event)}) does not count"


def from_config(repo: GitRepo) -> Speakers | None:
    """
    Return the rule that git's configuration sets, ``None`` where every word counts.

    Raises:
        Invalid: ``lineage.trust`` has a value that there is not.
    """
    said = repo.config("lineage.trust")
    if not said:
        return None
    if said.lower() != SIGNED:
        raise Invalid(f"git config lineage.trust is {said!r}; it takes {SIGNED}, or is not set")
    return Speakers(frozenset(name for value in repo.configs("lineage.taskWriters") for name in value.split()))


def _kind(event: events.AnyEvent) -> str:
    return str(event.__struct_config__.tag)
