"""
Cohorts as models, read from the index; not their members' trials, and not who may join.

Layer 11.
"""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from gitlineage.errors import Ambiguous, NotFound
from gitlineage.index import Index
from gitlineage.models import Cohort, CommitOid


class Cohorts:
    """
    The cohorts of an index.

    Args:
        index: the folded events.
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    def one(self, name: str, *, members: bool = True) -> Cohort:
        """
        Return a cohort by its name or ``<name>@<writer>``.

        Args:
            name: the name.
            members: whether the members are wanted too.

        Raises:
            NotFound: nobody opened one.
            Ambiguous: two writers opened different ones.
        """
        cohort = self.find(name, members=members)
        if cohort is None:
            rows = self._index.rows("SELECT name FROM cohorts ORDER BY clock DESC LIMIT 3")
            raise NotFound("cohort", name, list(dict.fromkeys(row[0] for row in rows)))
        return cohort

    def find(self, name: str, *, members: bool = True) -> Cohort | None:
        """
        Return a cohort as `one` does, ``None`` where nobody opened one.

        Raises:
            Ambiguous: two writers opened different ones.
        """
        found = self._rows("WHERE name = ?", name, members=members)
        if not found and "@" in name:
            plain, _, owner = name.rpartition("@")
            named = self._rows("WHERE name = ?", plain, members=members)
            found = [cohort for cohort in named if cohort.writer.startswith(owner)]
        if len({(cohort.base, cohort.allow_mixed) for cohort in found}) > 1:
            raise Ambiguous(name, [f"{cohort.name}@{cohort.writer}" for cohort in found])
        return found[0] if found else None

    def oids(self, names: Collection[str]) -> dict[str, str]:
        """Return the commits of cohorts by name, without those of which writers opened different ones."""
        sql = "SELECT name, oid, base, allow_mixed FROM cohorts WHERE name IN ({}) ORDER BY clock, writer"
        found = self._index.grouped(sql, names)
        return {name: rows[0][0] for name, rows in found.items() if len({row[1:] for row in rows}) == 1}

    def all(self) -> list[Cohort]:
        """Return every cohort in the order they were opened."""
        return self._rows("")

    def _rows(self, where: str, *values: object, members: bool = True) -> list[Cohort]:
        rows = self._index.rows(f"SELECT * FROM cohorts {where} ORDER BY clock, writer", *values)
        return [self._made(row, members) for row in rows]

    def _made(self, row: Sequence[Any], wanted: bool) -> Cohort:
        oid, name, base, metadata, allow_mixed, at, _, writer = row
        members = self._index.members(name) if wanted else []
        return Cohort(
            name=name,
            oid=CommitOid(oid),
            base=msgspec.json.decode(base, type=tuple[CommitOid, ...]),
            metadata=msgspec.json.decode(metadata),
            allow_mixed=bool(allow_mixed),
            members=tuple(CommitOid(member) for member in members),
            created_at=at,
            writer=writer,
        )
