"""Snapshots that came from other stores, by the names that they have there."""

from collections.abc import Iterable, Sequence
from typing import Any

from gitlineage.index.database import is_text, parts
from gitlineage.index.index import Index
from gitlineage.model.records import CommitOid, Origin

_ORIGIN = (
    "SELECT s.oid, i.name, i.source, i.document, i.file, i.stub, i.clock, i.writer FROM imported i "
    "JOIN snapshots s ON s.id = i.snapshot"
)


class Origins:
    """The imported snapshots of an index."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def called(self, name: str, *, begins: bool = False) -> list[Origin]:
        """
        Return the imported snapshots that a name of their own store stands for.

        A stub gives way to a snapshot with content, and of one document's snapshots the latest counts: that is how an
        ancestor that was a stub at first is replaced, together with what was derived from it.

        Args:
            name: the name, or its beginning.
            begins: whether it is a beginning; ``sha256:`` may be left out of it.
        """
        if not is_text(name):
            return []
        if not begins:
            return self._rows("name = ?", name)
        spans = [(start, start + chr(0x10FFFF)) for start in (name, f"sha256:{name}")]
        return [origin for span in spans for origin in self._rows("name >= ? AND name < ?", *span)]

    def all(self) -> list[Origin]:
        """Return every imported snapshot that its name stands for, by name."""
        return self._rows("1")

    def imported(self) -> set[CommitOid]:
        """Return every imported snapshot, those that a later one took the place of too."""
        rows = self._index.rows("SELECT oid FROM snapshots WHERE id IN (SELECT snapshot FROM imported)")
        return {CommitOid(oid) for (oid,) in rows}

    def on(self, oid: str) -> Origin | None:
        """Return where a snapshot was imported from, ``None`` where it was recorded here."""
        rows = self._index.rows(f"{_ORIGIN} WHERE s.oid = ? ORDER BY i.clock, i.writer LIMIT 1", oid)
        return _origin(rows[0]) if rows else None

    def replaced(self, oids: Sequence[str]) -> set[CommitOid]:
        """
        Return those of some snapshots that others among them took the place of, as `called` says.

        One whose replacement is not among them is not returned: what is asked about an old snapshot has old answers.
        A stand-in whose commit has arrived is, unless it has rows of its own.
        """
        return self._stood_in(oids) | self._imported_anew(oids)

    def has_replaced(self) -> bool:
        """Whether any snapshot may have taken the place of another one."""
        sql = "SELECT 1 FROM imported UNION ALL SELECT 1 FROM arrivals LIMIT 1"
        return self._index.one(sql) is not None

    def _stood_in(self, oids: Sequence[str]) -> set[CommitOid]:
        sql = (
            "SELECT old FROM arrivals WHERE NOT EXISTS "
            "(SELECT 1 FROM trials t JOIN snapshots s ON s.id = t.snapshot WHERE s.oid = old)"
        )
        return {CommitOid(old) for (old,) in self._index.rows(sql)} & {CommitOid(oid) for oid in oids}

    def _imported_anew(self, oids: Sequence[str]) -> set[CommitOid]:
        if self._index.one("SELECT 1 FROM imported LIMIT 1") is None:
            return set()
        rows: list[tuple[Any, ...]] = []
        for part in parts(list(oids)):
            rows += self._index.rows(f"{_ORIGIN} WHERE s.oid IN ({', '.join('?' * len(part))})", *part)
        origins = {CommitOid(row[0]) for row in rows}
        return origins - {origin.oid for origin in self._standing(sorted(rows, key=_place))}

    def _rows(self, where: str, *values: object) -> list[Origin]:
        rows = self._index.rows(f"{_ORIGIN} WHERE {where} ORDER BY i.name, i.clock, i.writer, s.oid", *values)
        return self._standing(rows)

    def _standing(self, rows: Iterable[Sequence[Any]]) -> list[Origin]:
        """
        Return those that their names stand for, of the rows of all of these names in recording order.

        Where only owners' words count, nobody's takes the place of another writer's.
        """
        by_name: dict[tuple[str, str], dict[str, Origin]] = {}
        for row in rows:
            origin, writer = _origin(row), row[7]
            whose = "" if self._index.speakers is None else writer
            by_name.setdefault((origin.name, whose), {})[origin.document] = origin
        chosen = []
        for same in by_name.values():
            whole = [origin for origin in same.values() if not origin.stub]
            chosen += whole or list(same.values())
        return chosen


def _place(row: Sequence[Any]) -> tuple[Any, ...]:
    """Return what orders imported snapshots: name, clock, writer and oid."""
    return row[1], row[6], row[7], row[0]


def _origin(row: Sequence[Any]) -> Origin:
    oid, name, source, document, file, stub, *_ = row
    return Origin(oid=CommitOid(oid), name=name, source=source, document=document, file=file, stub=bool(stub))
