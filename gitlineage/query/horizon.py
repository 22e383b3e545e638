"""
Where a shallow clone's history ends under a question about ancestors or descendants.

All that is recorded may be here and a way between two snapshots not: it leads through commits that nobody recorded
and that this clone lacks. A walk that comes to such an end is told, unless nothing recorded can be beyond it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from gitlineage.errors import Incomplete
from gitlineage.git.repository import GitRepo
from gitlineage.index.database import parts
from gitlineage.index.index import Index
from gitlineage.index.links import JOIN_LIMIT

_LOOSE = """
SELECT child, parent FROM git_parents g WHERE NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.oid = g.parent)
"""


class Horizon:
    """
    The ends of one clone's history.

    Args:
        repo: where commits that nobody recorded are read from.
        hear: is told of a walk that came to an end, whose answer then stands; without it the walk is refused.
    """

    def __init__(self, index: Index, repo: GitRepo, hear: Callable[[Incomplete], None] | None = None) -> None:
        self._index = index
        self._repo = repo
        self._hear = hear

    def check(self, oids: Iterable[str]) -> None:
        """
        Tell where a walk from children to parents could not go on although something recorded may be there.

        A snapshot that goes back to the missing commit itself cannot be beyond it. That is why a clone whose trials
        all were recorded after it was made may be asked anything.

        Args:
            oids: the commits whose parents were asked for.

        Raises:
            Incomplete: it may have gone on, and nobody hears of it.
        """
        if not self._repo.is_shallow:
            return
        numbers: dict[str, int] = dict(self._index.rows("SELECT oid, id FROM snapshots"))
        ends = self._ends(numbers)
        walked = set(oids)
        met: set[str] = set()
        for oid in walked:
            met |= ends.get(numbers[oid], set()) if oid in numbers else self._missing(oid, numbers)
        others = set(numbers.values()) - {numbers[oid] for oid in walked if oid in numbers}
        self._tell(end for end in met if others - self._below({key for key, some in ends.items() if end in some}))

    def check_below(self, oids: Iterable[str]) -> None:
        """
        Tell where something that was derived from some snapshots may be joined to them by a way that is not here.

        Args:
            oids: the snapshots whose children were asked for.

        Raises:
            Incomplete: one of them may be beyond an end, and nobody hears of it.
        """
        if not self._repo.is_shallow:
            return
        numbers: dict[str, int] = dict(self._index.rows("SELECT oid, id FROM snapshots"))
        asked = {numbers[oid] for oid in oids if oid in numbers}
        ends = self._ends(numbers)
        met = set().union(*ends.values())
        self._tell(end for end in met if asked - self._below({key for key, some in ends.items() if end in some}))

    def _ends(self, numbers: Mapping[str, int]) -> dict[int, set[str]]:
        """Return the commits that are not here on the ways up from each snapshot, by its number."""
        beyond: dict[str, set[str]] = {}
        ends: dict[int, set[str]] = {}
        for child, parent in self._index.rows(_LOOSE):
            if parent not in beyond:
                beyond[parent] = self._missing(parent, numbers)
            ends.setdefault(child, set()).update(beyond[parent])
        return ends

    def _tell(self, ends: Iterable[str]) -> None:
        lost = sorted(ends)
        if not lost:
            return
        error = Incomplete(lost, len(lost), self._repo.remote(), shallow=True)
        if self._hear is None:
            raise error
        self._hear(error)

    def _missing(self, oid: str, recorded: Iterable[str]) -> set[str]:
        """Return the commits that are not here among those that a link's search goes through from an unrecorded one."""
        seen = {oid}
        queue = deque([oid])
        missing = set()
        while queue and len(seen) <= JOIN_LIMIT:
            commit = queue.popleft()
            if not self._repo.exists(commit):
                missing.add(commit)
                continue
            fresh = [parent for parent in self._repo.parents(commit) if parent not in seen and parent not in recorded]
            seen.update(fresh)
            queue += fresh
        return missing

    def _below(self, start: set[int]) -> set[int]:
        """Return some snapshots and all that go back to them."""
        below, front = set(start), list(start)
        while front:
            children: set[int] = set()
            for part in parts(front):
                marks = ", ".join("?" * len(part))
                children |= {
                    child for (child,) in self._index.rows(f"SELECT child FROM links WHERE parent IN ({marks})", *part)
                }
            front = list(children - below)
            below |= children
        return below
