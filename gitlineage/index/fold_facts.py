"""
How events that record no trial become rows: cohorts, sessions, origins, relations, the catalogue.

As for trials, every fold is commutative: the earliest word, the latest or the greatest counts, whichever comes
first.
"""

import sqlite3
from collections.abc import Iterable
from typing import Any

import msgspec

from gitlineage.journal import events
from gitlineage.model.catalogue import checked_fields
from gitlineage.model.records import Order
from gitlineage.model.relation import relation_type
from gitlineage.model.similarity import tokens


class Facts:
    """
    Folds such events; what they say is written at once.

    Args:
        joined: whether snapshots are joined to their parents already; not while all is folded from nothing.
    """

    def __init__(self, connection: sqlite3.Connection, joined: bool) -> None:
        self._db = connection
        self.joined = joined
        self.opened: set[str] = set()
        self.related: list[tuple[str, str]] = []
        self.doubtful = False
        """Whether it may have changed which edges close a cycle."""

        self.latest = True
        """Whether all that was said about edges came after what had been said before."""

    def fold_cohort(self, oid: str, event: events.CohortEvent, order: Order) -> None:
        """Fold the opening of a cohort; the earliest word about a commit counts."""
        if self._is_earliest("cohorts", oid, order):
            self.opened.add(event.name)
            said = (event.name, as_json(event.base), as_json(event.metadata), event.allow_mixed, event.at)
            values = (oid, *said, *placed(order))
            self._db.execute("INSERT OR REPLACE INTO cohorts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def fold_table(self, event: events.TableEvent, order: Order) -> None:
        """Fold what an imported table looked like; all of them are kept."""
        self._db.execute("INSERT OR IGNORE INTO tables VALUES (?, ?, ?)", (*placed(order), as_json(event.shape)))

    def fold_session(self, oid: str, event: events.SessionEvent, order: Order) -> None:
        """Fold a session; the earliest word about a commit counts."""
        if self._is_earliest("sessions", oid, order):
            values = (oid, event.specialist, *placed(order), event.at)
            self._db.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?)", values)

    def fold_imported(self, snapshot: int, event: events.ImportedEvent, order: Order) -> None:
        """Fold where a snapshot came from; the earliest word about a name counts."""
        sql = "SELECT clock, writer FROM imported WHERE name = ? AND snapshot = ?"
        known = self._db.execute(sql, (event.name, snapshot)).fetchone()
        if known is None or order < Order(*known):
            said = (event.source, event.document, event.file, event.stub)
            values = (event.name, snapshot, *said, *placed(order))
            self._db.execute("INSERT OR REPLACE INTO imported VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def fold_relation(self, oid: str, event: events.RelationAdded | events.RelationDeprecated, order: Order) -> None:
        """Fold one word about a relation: each ends or begins what stands at its place in the order of all of them."""
        added = isinstance(event, events.RelationAdded)
        detail = as_json(event.context) if isinstance(event, events.RelationAdded) else event.reason
        triple = (oid, event.target, relation_type(event.relation).value)
        self._db.execute(
            "INSERT INTO relation_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "added = excluded.added, at = excluded.at, actor = excluded.actor, detail = excluded.detail "
            "WHERE (excluded.added, excluded.at, excluded.actor, excluded.detail) > (added, at, actor, detail)",
            (*triple, *placed(order), added, event.at, event.actor, detail),
        )
        said = self._db.execute(
            "SELECT clock, writer, added, at, actor, detail FROM relation_events "
            "WHERE source = ? AND target = ? AND type = ? ORDER BY clock, writer",
            triple,
        ).fetchall()
        if self.joined:
            self._doubt_relation(added and len(said) == 1, added, order)
        else:
            self.doubtful = True
        self._db.execute("DELETE FROM relations WHERE source = ? AND target = ? AND type = ?", triple)
        rows: list[list[Any]] = []
        for clock, writer, begins, at, actor, text in said:
            is_open = bool(rows) and rows[-1][8] is None
            if begins and not is_open:
                rows.append([oid, triple[2], event.target, clock, writer, at, actor, text, None, None, None, True])
            elif not begins and is_open:
                rows[-1][8:11] = [at, actor, text]
        insert(self._db, "INSERT INTO relations", 12, rows)
        self.related.append((oid, event.target))

    def _doubt_relation(self, first: bool, added: bool, order: Order) -> None:
        """Take note of what a word about a relation may change: whether a cycle is closed, or one is open again."""
        sql = (
            "SELECT (SELECT 1 FROM relations WHERE NOT followed LIMIT 1), (SELECT max(clock) FROM relations), "
            "(SELECT max(clock) FROM reparents)"
        )
        not_followed, *newest = self._db.execute(sql).fetchone()
        if added or not_followed is not None:
            self.doubtful = True
            self.latest = self.latest and first and all(clock is None or order.clock > clock for clock in newest)

    def fold_reparent(self, oid: str, event: events.ReparentEvent, order: Order) -> None:
        """Fold one word about the parents of a snapshot; which one holds is decided when all of them are known."""
        order_of_roles = (*event.parents, *sorted(event.roles))
        roles = msgspec.json.encode({parent: event.roles[parent] for parent in order_of_roles if parent in event.roles})
        said = (as_json(event.parents), roles.decode(), event.at, event.actor, event.reason)
        self._db.execute(
            "INSERT INTO reparents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "parents = excluded.parents, roles = excluded.roles, at = excluded.at, actor = excluded.actor, "
            "reason = excluded.reason "
            "WHERE (excluded.parents, excluded.roles, excluded.at, excluded.actor, excluded.reason) > "
            "(parents, roles, at, actor, reason)",
            (oid, *placed(order), *said, True),
        )
        self.doubtful, self.latest = True, False

    def fold_entry(self, oid: str, event: events.EntryEvent, order: Order) -> None:
        """Fold what the catalogue says; the last word on each field counts."""
        for field, value in checked_fields(event.fields).items():
            self._db.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value, "
                "clock = excluded.clock, writer = excluded.writer "
                "WHERE (excluded.clock, excluded.writer, excluded.value) > (clock, writer, value)",
                (oid, field, as_json(value), *placed(order)),
            )

    def fold_usage(self, oid: str, event: events.UsageEvent, order: Order) -> None:
        """Fold how often an artifact was used; the highest count of a writer holds."""
        self._db.execute(
            "INSERT INTO usage VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET total = max(total, excluded.total), "
            "last_used = max(last_used, excluded.last_used)",
            (oid, order.writer, event.total, event.last_used),
        )

    def fold_forge(self, oid: str, event: events.ForgeEvent, order: Order) -> None:
        """Fold an attempt to forge; the earliest word about a commit counts."""
        if self._is_earliest("forges", oid, order):
            said = (event.intent, " ".join(tokens(event.intent)), as_json(event.phases), event.result, event.success)
            self._db.execute(
                "INSERT OR REPLACE INTO forges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (oid, *said, event.at, event.actor, *placed(order)),
            )

    def _is_earliest(self, table: str, oid: str, order: Order) -> bool:
        """Whether an event comes before what a table holds of the same commit."""
        known = self._db.execute(f"SELECT clock, writer FROM {table} WHERE oid = ?", (oid,)).fetchone()
        return known is None or order < Order(*known)


def insert(connection: sqlite3.Connection, into: str, columns: int, rows: Iterable[Any]) -> None:
    """Insert rows of so many columns."""
    connection.executemany(f"{into} VALUES ({', '.join('?' * columns)})", rows)


def as_json(value: object) -> str:
    """Return a value as JSON with sorted keys, so that equal values are equal texts."""
    return msgspec.json.encode(value, order="sorted").decode()


def placed(order: Order) -> tuple[int, str]:
    """Return an order as two columns."""
    return order.clock, order.writer
