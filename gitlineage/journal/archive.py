"""
What an archive may say: only what refs of the writers that it names hold themselves, whoever made the archive.

An archive holds events of several writers, each of which says whose it is. That alone proves nothing, so each is looked
up in the old refs, which the archive has as parents and which go back to their writers' first commits, and in the
writer's ref. Of a writer of whom there is neither, as in a part of a lineage that came in a bundle, nothing contradicts
it: it counts as a ref under a new name would.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from gitlineage.later import later

if TYPE_CHECKING:
    from gitlineage.journal import events
else:
    events = later("gitlineage.journal.events")  # all the types of events take their time

FORGED = "it is said to be of"
"""How begins what is told of an event that nobody wrote."""

_FORGED = 100
"""Lines of one note that are told apart when nobody wrote them; the rest are counted."""


class Kept:
    """
    The old refs that one archive keeps alive.

    Args:
        ends: where they stood, by writer.
        genesis: gives a writer's first commit.
        is_sound: whether a commit is on a writer's line.
        live: gives where a writer's ref stands.
        note: gives the note that a ref which stands somewhere has on an object.
    """

    def __init__(
        self,
        ends: Mapping[str, Sequence[str]],
        genesis: Callable[[str], str],
        is_sound: Callable[[str, str], bool],
        live: Callable[[str], str | None],
        note: Callable[[str, str], bytes],
    ) -> None:
        self._ends = ends
        self._note = note
        self._genesis = genesis
        self._is_sound = is_sound
        self._live = live
        self._known: dict[str, set[bytes] | None] = {}

    def forged(self, own: str, oid: str, note: bytes) -> tuple[bytes, Sequence[str]]:
        """
        Return a note without the lines that no ref holds, and what is to be said of those.

        Args:
            own: the archive's own first commit, which has what its writers have on theirs.
            oid: the object that the note is on.

        Raises:
            RepositoryError: an old ref cannot be read.
        """
        good: list[bytes] = []
        bad: list[str] = []
        self._known = {}
        for line in events.lines(note):
            writer, plain = _parted(line)
            held = None if writer is None else self._lines(writer, self._genesis(writer) if oid == own else oid)
            if held is None or plain in held:
                good.append(line)
            else:
                bad.append(f"{FORGED} {str(writer)[:100]!r}, and no ref of that writer's holds it")
        if len(bad) > _FORGED:
            bad[_FORGED:] = [f"{len(bad) - _FORGED:,} more lines are in no ref that the archive keeps"]
        return b"\n".join(good), bad

    def _lines(self, writer: str, oid: str) -> set[bytes] | None:
        """Return the events of a writer on an object as lines without a writer; ``None`` where nothing can tell."""
        if writer not in self._known:
            live = self._live(writer)
            ends = [tip for tip in self._ends.get(writer, ()) if self._is_sound(writer, tip)]
            known = live is not None or writer in self._ends
            tips = dict.fromkeys(filter(None, [*ends, live]))
            lines = (line for tip in tips for line in events.lines(self._note(tip, oid)))
            self._known[writer] = {_parted(line)[1] for line in lines} if known else None
        return self._known[writer]


def _parted(line: bytes) -> tuple[str | None, bytes]:
    """Return whose event a line says that it is, and the event without that; ``None`` where it is no such line."""
    try:
        cells = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        writer = cells.pop("writer", None)
        plain = msgspec.json.encode(cells, order="sorted")
        return (msgspec.json.decode(writer, type=str) if writer is not None else None), plain
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, line
