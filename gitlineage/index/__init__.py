"""
The cache: events folded into SQLite tables, which may be deleted at any time.

Imports `journal` and what is below. Start with `fold`, where an event becomes rows, and `schema`, where the tables are.
The ledger (`record`) says when it is built anew: `Ledger.reindex`, and where a file is damaged or of another version.
"""
