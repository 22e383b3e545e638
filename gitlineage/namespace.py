"""
A campaign's namespace: where its refs and its files are in a repository; nothing here reads or moves them.

Layer 1. A repository may hold several campaigns, each with refs, index, lock, task and ids of its own (design 3). What
these are called is said here and nowhere else.
"""

import re
from pathlib import Path

import msgspec

from gitlineage.errors import Invalid

ORDINARY = "default"
"""The name of the campaign that every repository has: the one whose refs carry no name."""

NOTES = "refs/notes/lineage"
"""How the writers' refs of all campaigns begin."""

_LOCAL = "refs/lineage"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*")
"""No capitals, because two names that differ in these alone would be one folder on many disks."""

_LONGEST = 60


class Namespace(msgspec.Struct, frozen=True):
    """
    Where one campaign is in a repository.

    Args:
        campaign: its name; the default one's is ``default``, and its refs carry none.
    """

    campaign: str = ORDINARY

    @property
    def is_default(self) -> bool:
        """Whether this is the campaign that every repository has."""
        return self.campaign == ORDINARY

    @property
    def notes(self) -> str:
        """How the writers' refs begin: ``refs/notes/lineage/``."""
        return f"{self._named(NOTES)}/"

    @property
    def local(self) -> str:
        """How the refs begin that stay in this clone: ``refs/lineage/``."""
        return f"{self._named(_LOCAL)}/"

    @property
    def remotes(self) -> str:
        """How the refs begin that say where each remote's were when last seen, before the remote's name."""
        return f"{self.local}remotes/"

    def ref(self, writer: str) -> str:
        """Return the ref of a writer, or of an archive."""
        return self.notes + writer

    def writer(self, ref: str) -> str:
        """Return whose ref it is."""
        return ref.removeprefix(self.notes)

    def folder(self, common: Path) -> Path:
        """Return where the campaign's files are, in the git directory that all worktrees share."""
        return common / "lineage" if self.is_default else common / "lineage" / "campaigns" / self.campaign

    def _named(self, start: str) -> str:
        return start if self.is_default else f"{start}-{self.campaign}"


DEFAULT = Namespace()


def namespace_of(campaign: str) -> Namespace:
    """
    Return the namespace of a campaign.

    Raises:
        Invalid: no campaign can have this name.
    """
    if not _NAME.fullmatch(campaign) or campaign.endswith(".lock") or len(campaign) > _LONGEST:
        raise Invalid(
            f"{campaign!r} cannot name a campaign; use lower-case letters, digits, dots, dashes and underscores, "
            f"{_LONGEST} at most"
        )
    return Namespace(campaign)


__all__ = ["DEFAULT", "NOTES", "ORDINARY", "Namespace", "namespace_of"]
