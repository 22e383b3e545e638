"""Cohorts as models, read from the index."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec

from gitlineage.errors import Ambiguous, NotFound
from gitlineage.index.database import growing
from gitlineage.index.index import Index
from gitlineage.model.records import Cohort, CommitOid

_KINDS = "SELECT name, base, allow_mixed, writer FROM cohorts WHERE name IN ({})"
_COLUMNS = "oid, name, base, metadata, allow_mixed, at, writer"


class Cohorts:
    """The cohorts of an index."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def one(self, name: str, *, members: bool = True) -> Cohort:
        """
        Return a cohort by its name or ``<name>@<writer>``.

        Args:
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
        cohorts = self._rows("WHERE name = ?", name, members=members)
        if not cohorts and "@" in name:
            plain, _, owner = name.rpartition("@")
            named = self._rows("WHERE name = ?", plain, members=members)
            cohorts = [cohort for cohort in named if cohort.writer.startswith(owner)]
        if len({(cohort.base, cohort.allow_mixed) for cohort in cohorts}) > 1:
            raise Ambiguous(name, [f"{cohort.name}@{cohort.writer}" for cohort in cohorts])
        return cohorts[0] if cohorts else None

    def oids(self, names: Collection[str]) -> dict[str, str | None]:
        """Return the commits of cohorts by name, ``None`` where writers opened different ones under it."""
        sql = "SELECT name, oid, base, allow_mixed FROM cohorts WHERE name IN ({}) ORDER BY clock, writer"
        bases = self._index.grouped(sql, names)
        return {name: rows[0][0] if len({row[1:] for row in rows}) == 1 else None for name, rows in bases.items()}

    def is_shared(self, name: str) -> bool:
        """Whether writers opened different cohorts under a name."""
        return self.oids([name]).get(name, "") is None

    def all(self, *, members: bool = True) -> list[Cohort]:
        """Return every cohort in the order they were opened, with their members where these are wanted."""
        return list(self.each(members=members))

    def each(self, *, members: bool = True) -> Iterator[Cohort]:
        """Return what `all` does; few cohorts and their members are in memory at once."""
        return self._made(self._index.rows(f"SELECT {_COLUMNS} FROM cohorts ORDER BY clock, writer"), members)

    def _rows(self, where: str, *values: object, members: bool = True) -> list[Cohort]:
        rows = self._index.rows(f"SELECT {_COLUMNS} FROM cohorts {where} ORDER BY clock, writer", *values)
        return list(self._made(rows, members))

    def _made(self, opened: Sequence[Sequence[Any]], wanted: bool) -> Iterator[Cohort]:
        for part in growing(opened):
            names = {row[1] for row in part}
            of_name = self._index.members_of(names) if wanted else {}
            kinds = self._index.grouped(_KINDS, names) if wanted else {}
            for oid, name, base, metadata, allow_mixed, at, writer in part:
                members = of_name.get(name, [])
                if len({kind[:2] for kind in kinds.get(name, ())}) > 1:
                    members = self._of_kind(members, kinds[name], (base, allow_mixed))
                yield Cohort(
                    name=name,
                    oid=CommitOid(oid),
                    base=msgspec.json.decode(base, type=tuple[CommitOid, ...]),
                    metadata=msgspec.json.decode(metadata),
                    allow_mixed=bool(allow_mixed),
                    members=tuple(CommitOid(member) for member in members),
                    created_at=at,
                    writer=writer,
                )

    def _of_kind(self, members: Sequence[str], opened: Sequence[tuple[Any, ...]], kind: tuple[str, int]) -> list[str]:
        """
        Return those of a name's members that are in one of the cohorts which writers opened under it.

        A commit only names its cohort. Where writers opened different ones under that name, it is in the one that its
        parents are the base of, else in a mixed one; and of several such, in what its own writer opened.
        """
        writers: dict[tuple[str, int], set[str]] = {}
        for base, allow_mixed, writer in opened:
            writers.setdefault((base, allow_mixed), set()).add(writer)
        bases = {each: frozenset(msgspec.json.decode(each[0], type=list[str])) for each in writers}
        sql = "SELECT s.oid, s.writer, p.parent FROM snapshots s LEFT JOIN git_parents p ON p.child = s.id"
        rows_of = self._index.grouped(f"{sql} WHERE s.oid IN ({{}})", members)
        mine = []
        for oid in members:
            above = frozenset(parent for _, parent in rows_of[oid] if parent is not None)
            fitting = [each for each in writers if bases[each] == above] or [each for each in writers if each[1]]
            own = [each for each in fitting if rows_of[oid][0][0] in writers[each]]
            if kind in (own or fitting or writers):
                mine.append(oid)
        return mine
