"""
The index's tables and indexes as SQL.

Whoever changes a statement raises `FORMAT_VERSION`: an index of another format is built anew.
"""

import re

from gitlineage.model.rank import BASELINES, ELIGIBLE, KEPT, one_of
from gitlineage.model.stand_in import IS_LOST
from gitlineage.model.trial import HYPOTHESIS

FORMAT_VERSION = 18
# 1: the first one
# 2: numbers of exp ids, how many trials have a result, which rows were revised
# 3: fewer indexes on trials, cohorts by clock
# 4: all indexes have names, so that a build from nothing can make them last
# 5: relations
# 6: catalogue entries, usage, forge attempts, hints: what may err on the careful side and depends on the order read
# 7: the highest number of exp ids by what is before it
# 8: what was rewritten into what
# 9: names that snapshots have in the stores they came from
# 10: where something else is said than before, in order, instead of which rows were revised; rows as trials
# 11: objects that a shallow or partial clone lacks
# 12: rows that were retracted, parents that were said anew, relations that would close a cycle
# 13: commits that took the place of their stand-ins
# 14: the clocks of all events, which are counted, and events whose clock is far above that number; all tasks
# 15: rows whose commits are lost
# 16: events that are checked where they are read; whose a commit is, where only owners' words count
# 17: rows of several writers side by side, where only owners' words count
# 18: each text once: no columns' names in rows, authors by number, no subject that is the hypothesis; where events are

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE hints (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE tips (writer TEXT PRIMARY KEY, oid TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE snapshots (
    id INTEGER PRIMARY KEY, oid TEXT NOT NULL, tree TEXT NOT NULL, subject TEXT, author INTEGER NOT NULL,
    time TEXT NOT NULL, exp_id TEXT NOT NULL, cohort TEXT, roles TEXT NOT NULL, clock INTEGER NOT NULL,
    writer TEXT NOT NULL);
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE git_parents (child INTEGER, pos INTEGER, parent TEXT NOT NULL, PRIMARY KEY (child, pos)) WITHOUT ROWID;
CREATE TABLE links (child INTEGER, parent INTEGER, pos INTEGER, PRIMARY KEY (child, parent)) WITHOUT ROWID;
CREATE TABLE joins (start TEXT, snapshot INTEGER, PRIMARY KEY (start, snapshot)) WITHOUT ROWID;
CREATE TABLE passed (through TEXT, start TEXT, PRIMARY KEY (through, start)) WITHOUT ROWID;
CREATE TABLE trials (
    id INTEGER PRIMARY KEY, snapshot INTEGER NOT NULL, exp_id TEXT NOT NULL, status TEXT,
    specialist TEXT NOT NULL, parent_cell TEXT NOT NULL, rank REAL, row TEXT NOT NULL,
    raw TEXT NOT NULL, saw TEXT NOT NULL, clock INTEGER NOT NULL, writer TEXT NOT NULL, last_clock INTEGER NOT NULL,
    last_writer TEXT NOT NULL, guest INTEGER NOT NULL);
CREATE UNIQUE INDEX trials_by_snapshot ON trials (snapshot, exp_id, writer);
CREATE TABLE changed (at INTEGER PRIMARY KEY, snapshot INTEGER NOT NULL);
CREATE TABLE numbered (prefix TEXT PRIMARY KEY, highest INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE cohorts (
    oid TEXT PRIMARY KEY, name TEXT NOT NULL, base TEXT NOT NULL, metadata TEXT NOT NULL, allow_mixed INTEGER NOT NULL,
    at TEXT NOT NULL, clock INTEGER NOT NULL, writer TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (
    oid TEXT PRIMARY KEY, specialist TEXT NOT NULL, clock INTEGER NOT NULL, writer TEXT NOT NULL, at TEXT NOT NULL)
    WITHOUT ROWID;
CREATE TABLE relation_events (
    source TEXT, target TEXT, type TEXT, clock INTEGER, writer TEXT, added INTEGER NOT NULL, at TEXT NOT NULL,
    actor TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (source, target, type, clock, writer)) WITHOUT ROWID;
CREATE TABLE relations (
    source TEXT, type TEXT, target TEXT, clock INTEGER, writer TEXT, at TEXT NOT NULL, actor TEXT NOT NULL,
    context TEXT NOT NULL, ended_at TEXT, ended_by TEXT, reason TEXT, followed INTEGER NOT NULL,
    PRIMARY KEY (source, type, target, clock, writer)) WITHOUT ROWID;
CREATE TABLE retractions (
    oid TEXT, exp_id TEXT, owner TEXT, clock INTEGER NOT NULL, writer TEXT NOT NULL, undone INTEGER NOT NULL,
    at TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (oid, exp_id, owner)) WITHOUT ROWID;
CREATE TABLE reparents (
    child TEXT, clock INTEGER, writer TEXT, parents TEXT NOT NULL, roles TEXT NOT NULL, at TEXT NOT NULL,
    actor TEXT NOT NULL, reason TEXT NOT NULL, followed INTEGER NOT NULL, PRIMARY KEY (child, clock, writer))
    WITHOUT ROWID;
CREATE TABLE entries (
    oid TEXT, field TEXT, value TEXT NOT NULL, clock INTEGER NOT NULL, writer TEXT NOT NULL, PRIMARY KEY (oid, field))
    WITHOUT ROWID;
CREATE TABLE usage (
    oid TEXT, writer TEXT, total INTEGER NOT NULL, last_used TEXT NOT NULL, PRIMARY KEY (oid, writer)) WITHOUT ROWID;
CREATE TABLE forges (
    oid TEXT PRIMARY KEY, intent TEXT NOT NULL, words TEXT NOT NULL, phases TEXT NOT NULL, result TEXT NOT NULL,
    success INTEGER NOT NULL, at TEXT NOT NULL, actor TEXT NOT NULL, clock INTEGER NOT NULL, writer TEXT NOT NULL)
    WITHOUT ROWID;
CREATE TABLE tables (clock INTEGER, writer TEXT, shape TEXT NOT NULL, PRIMARY KEY (clock, writer)) WITHOUT ROWID;
CREATE TABLE imported (
    name TEXT, snapshot INTEGER, source TEXT NOT NULL, document TEXT NOT NULL, file TEXT NOT NULL,
    stub INTEGER NOT NULL, clock INTEGER NOT NULL, writer TEXT NOT NULL, PRIMARY KEY (name, snapshot)) WITHOUT ROWID;
CREATE TABLE clocks (clock INTEGER, writer TEXT, at BLOB NOT NULL, PRIMARY KEY (clock, writer)) WITHOUT ROWID;
CREATE TABLE twice (clock INTEGER, writer TEXT, at BLOB, PRIMARY KEY (clock, writer, at)) WITHOUT ROWID;
CREATE TABLE beyond (clock INTEGER, writer TEXT, oid TEXT, line TEXT, PRIMARY KEY (clock, writer, oid, line))
    WITHOUT ROWID;
CREATE TABLE tasks (clock INTEGER, writer TEXT, task TEXT, PRIMARY KEY (clock, writer, task)) WITHOUT ROWID;
CREATE TABLE rewrites (new TEXT, old TEXT, PRIMARY KEY (new, old)) WITHOUT ROWID;
CREATE TABLE arrivals (old TEXT, new TEXT, PRIMARY KEY (old, new)) WITHOUT ROWID;
CREATE TABLE problems (writer TEXT, oid TEXT, reason TEXT, PRIMARY KEY (writer, oid, reason)) WITHOUT ROWID;
CREATE TABLE absent (object TEXT, writer TEXT, oid TEXT, PRIMARY KEY (object, writer, oid)) WITHOUT ROWID
""".strip().split(";\n")

INDEXES = f"""
CREATE UNIQUE INDEX snapshots_by_oid ON snapshots (oid);
CREATE INDEX snapshots_by_tree ON snapshots (tree);
CREATE INDEX snapshots_by_cohort ON snapshots (cohort, clock, writer) WHERE cohort IS NOT NULL;
CREATE INDEX git_parents_by_parent ON git_parents (parent);
CREATE INDEX links_by_parent ON links (parent, child);
CREATE INDEX passed_by_start ON passed (start);
CREATE INDEX trials_by_exp_id ON trials (exp_id);
CREATE INDEX trials_by_order ON trials (clock, writer);
CREATE INDEX trials_baseline ON trials (clock, writer) WHERE {one_of("status", BASELINES)};
CREATE INDEX trials_by_specialist ON trials (specialist, clock, writer);
CREATE INDEX trials_eligible ON trials (rank, clock, writer)
    WHERE {one_of("status", ELIGIBLE)} AND rank IS NOT NULL;
CREATE INDEX trials_of_others ON trials (last_clock) WHERE last_writer <> writer;
CREATE INDEX trials_lost ON trials (id) WHERE {IS_LOST};
CREATE INDEX trials_kept ON trials (rank, clock, writer) WHERE {one_of("status", KEPT)};
CREATE INDEX relations_by_target ON relations (target, type);
CREATE INDEX relations_by_order ON relations (clock, writer);
CREATE INDEX relations_not_followed ON relations (source) WHERE NOT followed;
CREATE INDEX entries_by_field ON entries (field, value);
CREATE INDEX forges_by_words ON forges (words);
CREATE INDEX forges_by_order ON forges (clock, writer);
CREATE INDEX cohorts_by_name ON cohorts (name);
CREATE INDEX cohorts_by_clock ON cohorts (clock);
CREATE INDEX imported_by_snapshot ON imported (snapshot);
CREATE INDEX rewrites_by_old ON rewrites (old);
CREATE INDEX arrivals_by_new ON arrivals (new);
CREATE INDEX sessions_by_specialist ON sessions (specialist, clock)
""".strip().split(";\n")
"""What a build from nothing makes at its end; ``trials_by_snapshot`` is not here, because the build itself needs it."""

TABLE_NAMES = frozenset(re.findall(r"CREATE TABLE (\w+)", ";".join(TABLES)))
AUTHOR = "(SELECT p.name FROM people p WHERE p.id = s.author)"
"""The SQL for a snapshot's author, by ``s``; the table of snapshots has a number."""

SUBJECT = f"""
coalesce(s.subject, (SELECT json_extract(t.row, '$[{HYPOTHESIS}]') FROM trials t
    WHERE t.snapshot = s.id AND t.exp_id = s.exp_id))
"""
"""The SQL for its subject, which is not kept where it is the hypothesis of the trial that its commit names."""

INDEX_NAMES = tuple(re.findall(r"INDEX (\w+)", ";".join(INDEXES)))
