"""
A campaign's namespace: where its refs and its files are in a repository.

A repository may hold several campaigns, each with refs, index, lock, task and ids of its own (design 3). What
these are called is said here and nowhere else.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from gitlineage.errors import Invalid
from gitlineage.house import FOLDER

ORDINARY = "default"
"""The name of the campaign that every repository has: the one whose refs carry no name."""

NOTES = "refs/notes/lineage"
"""How the writers' refs of all campaigns begin."""

NOTES_FOLDER = "refs/notes/"
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

    def seen(self, remote: str) -> str:
        """How the refs begin that say where a remote's were when last seen; `everywhere` fetches them so."""
        return f"{DEFAULT.local}remotes/{remote}/" if self.is_default else f"{_seen(remote)}{self.campaign}/"

    def seen_of(self, writer: str, refs: Mapping[str, str]) -> list[str]:
        """Return, of refs, where any remote was seen to have a writer's."""
        remotes = {parts[3] for ref in refs if len(parts := ref.split("/")) > 4}
        return [refs[ref] for remote in sorted(remotes) if (ref := self.seen(remote) + writer) in refs]

    def ref(self, writer: str) -> str:
        """Return the ref of a writer, or of an archive."""
        return self.notes + writer

    @property
    def own(self) -> str:
        """How the refs begin that keep what was recorded here, out of reach of a fetch of notes."""
        return f"{self.local}own/"

    def kept(self, writer: str) -> str:
        """Return the ref that keeps what was recorded here on a writer's ref."""
        return self.own + writer

    def writer(self, ref: str) -> str:
        """Return whose ref it is."""
        return ref.removeprefix(self.notes)

    def folder(self, common: Path) -> Path:
        """Return where the campaign's files are, in the git directory that all worktrees share."""
        return common / FOLDER if self.is_default else common / FOLDER / "campaigns" / self.campaign

    def key(self, name: str) -> str:
        """Return the git configuration key of a setting that a campaign may have for itself."""
        return f"lineage.{name}" if self.is_default else f"lineage.{self.campaign}.{name}"

    def successor_key(self, writer: str) -> str:
        """Return the git configuration key that says under which name a writer goes on in this campaign."""
        return f"lineage.{writer if self.is_default else f'{self.campaign}/{writer}'}.successor"

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


def everywhere(remote: str) -> list[str]:
    """Return the refspecs that fetch the writers' refs of all campaigns to where `Namespace.seen` says."""
    return [f"+{DEFAULT.notes}*:{DEFAULT.seen(remote)}*", f"+{NOTES}-*:{_seen(remote)}*"]


def seen_below(remote: str) -> tuple[str, str]:
    """Return how the refs begin that say where a remote's were when last seen, in the default campaign and others."""
    return DEFAULT.seen(remote), _seen(remote)


def seen_in(remote: str, refs: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return, of refs that were fetched so, where each campaign's writers stand; some names may be no campaign's."""
    seen: dict[str, dict[str, str]] = {}
    for ref, oid in refs.items():
        if ref.startswith(start := DEFAULT.seen(remote)):
            seen.setdefault(ORDINARY, {})[ref.removeprefix(start)] = oid
        elif ref.startswith(start := _seen(remote)):
            campaign, slash, writer = ref.removeprefix(start).partition("/")
            if slash:
                seen.setdefault(campaign, {})[writer] = oid
    return seen


def _seen(remote: str) -> str:
    """How the refs begin that say where a remote's of further campaigns were when last seen."""
    return f"{DEFAULT.local}campaigns/{remote}/"


def namespace_in(ref: str) -> Namespace | None:
    """Return the namespace that a writer's ref is in; ``None`` where it is no campaign's."""
    start, slash, _ = ref.removeprefix(NOTES).partition("/")
    if not ref.startswith(NOTES) or not slash or start[:1] not in ("", "-") or start == f"-{ORDINARY}":
        return None
    with suppress(Invalid):
        return namespace_of(start[1:]) if start else DEFAULT
    return None


def campaigns_in(refs: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the campaigns that some refs belong to, sorted, after the default one, which is always."""
    campaigns = {space.campaign for ref in refs if (space := namespace_in(ref)) is not None}
    return ORDINARY, *sorted(campaigns - {ORDINARY})
