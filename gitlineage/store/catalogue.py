"""
A catalogue of artifacts, ``store.catalogue``: entries, usage, forging, impact.

What is recorded and what follows is told by ``forging`` and ``impact``.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from gitlineage.errors import Invalid, StorageError
from gitlineage.later import later
from gitlineage.model.similarity import Similarity, by_words
from gitlineage.query.names import Id, resolve
from gitlineage.store.part import Part, reading
from gitlineage.times import stamp

if TYPE_CHECKING:
    from gitlineage.model import catalogue as told
    from gitlineage.model.catalogue import CatalogEntry, ForgeIntent, ForgePhase, ForgeRecord, ImpactReport
    from gitlineage.query import catalogue, impact
    from gitlineage.query.impact import Subtype
    from gitlineage.record import catalogue as forging
    from gitlineage.record import usage
    from gitlineage.record.recorder import Recorder
else:  # what most questions to a store have no use of
    told = later("gitlineage.model.catalogue")
    catalogue, impact = later("gitlineage.query", "catalogue", "impact")
    forging, usage = later("gitlineage.record", "catalogue", "usage")


class Catalogue(Part):
    """A catalogue of artifacts: their entries, their use, how they were forged, what depends on them."""

    def set_entry(self, /, id: Id, *, actor: str | None = None, **fields: Any) -> "CatalogEntry":
        """
        Record fields of an artifact's catalogue entry, and return the entry (semantics 37).

        Args:
            id: the artifact.
            actor: who says so; by default who commits here.
            fields: fields of a `CatalogEntry` but for its id and its usage.

        Raises:
            NotFound: there is no such snapshot.
            Invalid: an unknown field or a wrong value.
        """

        def work(recorder: "Recorder") -> None:
            who = self.ledger.committer().name if actor is None else actor
            forging.set_entry(self._views, recorder.landing, id, fields, who)

        self.ledger.write(work)
        return self.entry(id)

    @reading
    def entry(self, id: Id) -> "CatalogEntry":
        """Return what the catalogue says about an artifact, this clone's latest uses included."""
        return self._counting()(catalogue.entry(self._views, resolve(self._views, id)))

    @reading
    def entries(self, status: str | None = None) -> "list[CatalogEntry]":
        """
        Return every artifact that the catalogue says something about, those of one status on request, by id.

        Raises:
            Invalid: there is no such status.
        """
        known = [each.value for each in told.EntryStatus]
        if status is not None and status not in known:
            raise Invalid(f"no status {status!r}: it is one of {', '.join(known)}")
        wanted = None if status is None else told.EntryStatus(status)
        return list(map(self._counting(), catalogue.entries(self._views, wanted)))

    @reading
    def touch(self, id: Id) -> None:
        """
        Count one use of an artifact; no commit is made before `flush_usage`.

        Raises:
            StorageError: the count cannot be written.
        """
        self.ledger.check_present()
        try:
            self._usage.touch(resolve(self._views, id), stamp(self.ledger.now()))
        except OSError as error:
            raise StorageError(f"cannot count a use: {error.strerror}") from error

    def flush_usage(self) -> int:
        """Record what was counted since the last time, as one landing, and return of how many artifacts."""
        totals = self._usage.totals()
        with self.ledger.batch():
            recorder = self.ledger.recorder()
            sql = "SELECT oid, total FROM usage WHERE writer = ?"
            known = dict(self._views.index.rows(sql, recorder.landing.writer))
            new = [oid for oid, (total, _) in totals.items() if total > known.get(oid, 0)]
            for oid in new:
                total, last = totals[oid]
                forging.count_usage(self._views, recorder.landing, oid, total - known.get(oid, 0), last)
            self._usage.compact()
        return len(new)

    def record_forge(self, artifact_id: Id, intent: str, forger: str, template_id: Id | None = None) -> "CatalogEntry":
        """Record who forged an artifact, from which intent and template, and return its entry (semantics 33)."""

        def work(recorder: "Recorder") -> None:
            forging.record_forge(self._views, recorder.landing, artifact_id, intent, forger, template_id)

        self.ledger.record_with(work)
        return self.entry(artifact_id)

    def record_forge_attempt(
        self,
        intent: str,
        phases: "Iterable[ForgePhase | Mapping[str, Any]]" = (),
        result: Id | None = None,
        success: bool = False,
        *,
        actor: str | None = None,
    ) -> "ForgeRecord":
        """
        Record an attempt to forge something, and link its result to it (semantics 34).

        Args:
            intent: what was wanted.
            phases: what was done, in order.
            result: what came of it; a success needs one.
            success: whether it worked out.
            actor: who forged; by default who commits here.

        Raises:
            NotFound: the result is not recorded.
            Invalid: an empty intent, a success without a result, an unknown phase.
        """
        records: list[ForgeRecord] = []

        def work(recorder: "Recorder") -> None:
            who = self.ledger.committer()
            name = who.name if actor is None else actor
            records.append(
                forging.record_attempt(
                    self.ledger.repo, self._views, recorder.landing, who.clean(), intent, phases, result, success, name
                )
            )

        self.ledger.record_with(work)
        return records[-1]

    @reading
    def forge_record(self, id: Id) -> "ForgeRecord":
        """Return a forge attempt by its commit."""
        return catalogue.forge(self._views, resolve(self._views, id))

    @reading
    def forge_attempts(self, intent: str) -> "list[ForgeRecord]":
        """Return all attempts at an intent in recording order; case and punctuation aside (semantics 35)."""
        return catalogue.attempts(self._views, intent)

    @reading
    def forge_intents(self) -> "list[ForgeIntent]":
        """Return every intent with its attempts and results, in the order of their first words (semantics 187)."""
        return catalogue.intents(self._views)

    @reading
    def search_forges(self, text: str) -> "list[ForgeRecord]":
        """
        Return what was forged, or tried to be, from an intent that has all words of a text, the latest first.

        Args:
            text: the words; one that ends in ``*`` stands for all that begin so.
        """
        return catalogue.holding(self._views, text)

    @reading
    def find_similar_forges(
        self, intent: str, threshold: float = 0.8, *, similarity: Similarity = by_words
    ) -> "list[ForgeRecord]":
        """
        Return what was forged, or tried to be, from something similar, the most similar first, then the latest.

        An artifact of `record_forge` counts as an attempt that worked out (semantics 35).

        Args:
            intent: what is wanted.
            threshold: how similar they are at the least, from 0 to 1.
            similarity: what compares; by default the words in common.
        """
        return [record for _, record in catalogue.similar(self._views, intent, threshold, similarity)]

    @reading
    def scored_forges(
        self, intent: str, threshold: float = 0.8, *, similarity: Similarity = by_words
    ) -> "list[tuple[float, ForgeRecord]]":
        """Return what `find_similar_forges` does, each with how similar it is."""
        return catalogue.similar(self._views, intent, threshold, similarity)

    @reading
    def analyze_deprecation(self, id: Id, *, now: datetime | None = None) -> "ImpactReport":
        """
        Return what would break if an artifact were deprecated (semantics 36).

        Args:
            id: the artifact.
            now: the moment against which usage is held.
        """
        moment = now or self.ledger.now()
        return impact.analyze_deprecation(self._views, resolve(self._views, id), moment, self._counting())

    @reading
    def find_replacement_candidates(
        self, id: Id, *, similarity: Similarity = by_words, is_subtype: "Subtype | None" = None
    ) -> "list[CatalogEntry]":
        """
        Return what could replace an artifact, best first (semantics 37).

        Args:
            id: the artifact.
            similarity: what compares; by default the words in common.
            is_subtype: whether one type is a kind of another; by default equal ones, ``Any`` and ``Never``.
        """
        oid = resolve(self._views, id)
        candidates = impact.replacements(self._views, oid, similarity, is_subtype)
        return list(map(self._counting(), (entry for _, entry in candidates)))

    @property
    def _usage(self) -> "usage.UsageLog":
        return usage.UsageLog(self.ledger.folder / "usage" / self.ledger.writer, self.ledger.repo.modes)

    def _counting(self) -> "Callable[[CatalogEntry], CatalogEntry]":
        """Return what adds to an entry the uses that this clone has counted and not recorded yet."""
        writer = None if self.ledger.is_past else self.ledger.own_writer()
        counted = usage.UsageLog(self.ledger.folder / "usage" / writer).totals() if writer is not None else {}

        def add(entry: "CatalogEntry") -> "CatalogEntry":
            if entry.id not in counted:
                return entry
            total, last = counted[entry.id]
            row = self._views.index.one("SELECT total FROM usage WHERE oid = ? AND writer = ?", entry.id, writer)
            more = max(total - (row[0] if row else 0), 0)
            used = max(filter(None, (last, entry.last_used)), default=None)
            return msgspec.structs.replace(entry, usage_count=entry.usage_count + more, last_used=used)

        return add
