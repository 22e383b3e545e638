"""
Full-text search over hypotheses and notes, exp ids and specialists.

The text index is a table beside the others, made at the first search and brought up to date at each: a store
that nobody searches pays nothing for it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gitlineage.index.index import Index, read_row
from gitlineage.model.message import flattened
from gitlineage.model.rank import LATEST
from gitlineage.model.records import TrialView
from gitlineage.query.views import Views

_PART = 2000
_LONGEST = 8
"""Words of a text that trials are looked for by; the longest ones tell the most."""

_SCHEMA = """
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5 (exp_id, specialist, hypothesis, notes, tokenize = 'unicode61')
"""
_STALE = """
SELECT DISTINCT t.id FROM changed c CROSS JOIN trials t ON t.snapshot = c.snapshot WHERE c.at > ? AND t.id <= ?
"""
"""Trials that were searchable before something changed on their snapshots."""


def search(
    views: Views, text: str, limit: int | None = 20, advance: Callable[[int], None] | None = None
) -> list[TrialView]:
    """
    Return the trials whose texts hold all words of a text, the most telling first.

    A word that ends in ``*`` stands for all that begin so. Hits are ranked by BM25; the hypothesis counts twice.

    Args:
        limit: how many trials at the most; ``None`` for all.
        advance: called with the number of trials that were made searchable since the last call.

    Raises:
        ValueError: a negative limit.
    """
    if limit is not None and limit < 0:
        raise ValueError(f"a count is 0 or more, not {limit}")
    words = [_quoted(word) for word in flattened(text).split()]
    _update(views.index, advance)
    if not words or limit == 0:
        return []
    rows = views.index.rows(
        "SELECT rowid FROM texts WHERE texts MATCH ? AND +rowid IN (SELECT id FROM trials) "
        "ORDER BY bm25(texts, 1, 1, 2, 1), rowid DESC LIMIT ?",
        " ".join(words),
        -1 if limit is None else limit,
    )
    return views.by_number(number for (number,) in rows)


def likely(views: Views, words: Sequence[str], limit: int, *, build: bool = True) -> list[int]:
    """
    Return trials, by their numbers in the index, whose hypothesis may have most of some words: no more than needed.

    Those that have all of the longest words, and those that have one of the rarest of these; the newest of each.

    Args:
        words: lower-cased words.
        limit: how many trials of each kind at the most.
        build: whether to make many texts searchable first; otherwise the newest trials are returned where that has yet
            to be done.
    """
    if not build and _has_many_to_add(views.index):
        sql = f"SELECT t.id FROM trials t ORDER BY {LATEST} LIMIT ?"
        return [number for (number,) in views.index.rows(sql, limit)]
    _update(views.index, None)
    longest = sorted(set(words), key=lambda word: (-len(word), word))[:_LONGEST]
    terms = [f"hypothesis : {_quoted(word)}" for word in longest]
    having = sorted((_having(views.index, term, limit + 1) for term in terms), key=len)
    hits = dict.fromkeys(_having(views.index, " AND ".join(terms), limit)) if terms else {}
    rare = 0
    for numbers in having:
        if numbers and (not rare or rare + len(numbers) <= limit):
            rare += len(numbers)
            hits |= dict.fromkeys(numbers[:limit])
    return sorted(hits, reverse=True)


def _has_many_to_add(index: Index) -> bool:
    """Whether it would take long to make all texts searchable."""
    newest, _ = _ends(index)
    if index.one("SELECT 1 FROM sqlite_master WHERE name = 'texts'") is not None:
        done = index.one("SELECT value FROM meta WHERE key = 'searchable'")
        newest -= int(done[0]) if done else 0
    return newest > _PART


def _having(index: Index, words: str, limit: int) -> list[int]:
    sql = "SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rowid DESC LIMIT ?"
    return [number for (number,) in index.rows(sql, words, limit)]


class _News(NamedTuple):
    """What has to be made searchable: the trials after one number up to another, and those that were revised."""

    since: int
    newest: int
    stale: Sequence[int]
    changes: int

    @property
    def is_empty(self) -> bool:
        """Whether a search finds everything already."""
        return self.since == self.newest and not self.stale


def _news(index: Index) -> _News | None:
    """Return what was recorded or revised since the last search, ``None`` before the first one."""
    if index.one("SELECT 1 FROM sqlite_master WHERE name = 'texts'") is None:
        return None
    done = index.one("SELECT value FROM meta WHERE key = 'searchable'")
    seen = index.one("SELECT value FROM meta WHERE key = 'searchable_changes'")
    since = int(done[0]) if done else 0
    newest, last = _ends(index)
    stale = [number for (number,) in index.rows(_STALE, int(seen[0]) if seen else last, since)]
    return _News(since, newest, stale, last)


def _ends(index: Index) -> tuple[int, int]:
    (newest,) = index.one("SELECT coalesce(max(id), 0) FROM trials")
    (last,) = index.one("SELECT coalesce(max(at), 0) FROM changed")
    return newest, last


def _update(index: Index, advance: Callable[[int], None] | None) -> None:
    """Make searchable what was recorded or revised since the last search."""
    if (news := _news(index)) is not None and news.is_empty:
        return
    with index.writing():
        news = _news(index)  # another process may have done it while this one waited
        if news is None:
            index.file.connection.execute(_SCHEMA)
            newest, last = _ends(index)
            news = _News(0, newest, (), last)
        for number in news.stale:
            index.file.connection.execute("DELETE FROM texts WHERE rowid = ?", (number,))
            _add(index, "id = ?", number)
        for since in range(news.since, news.newest, _PART):
            count = _add(index, "id > ? AND id <= ?", since, min(since + _PART, news.newest))
            if advance is not None:
                advance(count)
        for key, value in (("searchable", news.newest), ("searchable_changes", news.changes)):
            index.file.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _add(index: Index, where: str, *values: int) -> int:
    rows = index.rows(f"SELECT id, row FROM trials WHERE {where}", *values)
    trials = [(number, read_row(row)) for number, row in rows]
    index.file.connection.executemany(
        "INSERT INTO texts (rowid, exp_id, specialist, hypothesis, notes) VALUES (?, ?, ?, ?, ?)",
        [(number, each.exp_id, each.specialist, each.hypothesis, each.notes) for number, each in trials],
    )
    return len(trials)


def _quoted(word: str) -> str:
    """Return a word so that no sign in it is taken for the query language's."""
    plain = word.rstrip("*") or word
    quoted = '"' + plain.replace('"', '""') + '"'
    return f"{quoted}*" if word != plain else quoted
