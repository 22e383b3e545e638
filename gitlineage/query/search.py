"""
Full-text search over hypotheses and notes, exp ids and specialists.

The text index is a table beside the others, made at the first search and brought up to date at each: a store
that nobody searches pays nothing for it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gitlineage.index.index import Index, read_row
from gitlineage.model.message import flattened
from gitlineage.model.records import TrialView
from gitlineage.query.views import Views

_PART = 2000
_SCHEMA = """
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5 (exp_id, specialist, hypothesis, notes, tokenize = 'unicode61')
"""
_STALE = "SELECT DISTINCT t.id FROM changed c JOIN trials t ON t.snapshot = c.snapshot WHERE c.at > ? AND t.id <= ?"
"""Trials that were searchable before something changed on their snapshots."""


def search(
    views: Views, text: str, limit: int | None = 20, advance: Callable[[int], None] | None = None
) -> list[TrialView]:
    """
    Return the trials whose texts hold all words of a text, the most telling first.

    A word that ends in ``*`` stands for all that begin so. Hits are ranked by BM25; the hypothesis counts twice.

    Args:
        views: the store.
        text: the words.
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
        "SELECT rowid FROM texts WHERE texts MATCH ? AND rowid IN (SELECT id FROM trials) "
        "ORDER BY bm25(texts, 1, 1, 2, 1), rowid DESC LIMIT ?",
        " ".join(words),
        -1 if limit is None else limit,
    )
    return views.by_number(number for (number,) in rows)


def likely(views: Views, words: Sequence[str], limit: int) -> list[int]:
    """
    Return trials, by their numbers in the index, that share one of the rarest of some words, the newest first.

    At least the rarest word that is known counts, and then so many more as do not lead beyond the limit: who has as
    many words in common as any other trial is among them, unless the rarest is in more trials than that.

    Args:
        views: the store.
        words: lower-cased words.
        limit: how many trials at the most.
    """
    _update(views.index, None)
    views.index.rows("CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab ('main', 'texts', 'row')")
    counts = []
    for word in dict.fromkeys(words):
        terms = views.index.rows("SELECT doc FROM temp.vocabulary WHERE term = ?", word)
        counts += [(count, word) for (count,) in terms]
    chosen: list[str] = []
    total = 0
    for count, word in sorted(counts):
        total += count
        if chosen and total > limit:
            break
        chosen.append(f"hypothesis : {_quoted(word)}")
    if not chosen:
        return []
    sql = "SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rowid DESC LIMIT ?"
    return [number for (number,) in views.index.rows(sql, " OR ".join(chosen), limit)]


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
            index.connection.execute(_SCHEMA)
            newest, last = _ends(index)
            news = _News(0, newest, (), last)
        for number in news.stale:
            index.connection.execute("DELETE FROM texts WHERE rowid = ?", (number,))
            _add(index, "id = ?", number)
        for since in range(news.since, news.newest, _PART):
            count = _add(index, "id > ? AND id <= ?", since, min(since + _PART, news.newest))
            if advance is not None:
                advance(count)
        for key, value in (("searchable", news.newest), ("searchable_changes", news.changes)):
            index.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _add(index: Index, where: str, *values: int) -> int:
    rows = index.rows(f"SELECT id, row FROM trials WHERE {where}", *values)
    trials = [(number, read_row(row)) for number, row in rows]
    index.connection.executemany(
        "INSERT INTO texts (rowid, exp_id, specialist, hypothesis, notes) VALUES (?, ?, ?, ?, ?)",
        [(number, each.exp_id, each.specialist, each.hypothesis, each.notes) for number, each in trials],
    )
    return len(trials)


def _quoted(word: str) -> str:
    """Return a word so that no sign in it is taken for the query language's."""
    plain = word.rstrip("*") or word
    quoted = '"' + plain.replace('"', '""') + '"'
    return f"{quoted}*" if word != plain else quoted
