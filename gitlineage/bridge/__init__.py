"""
The outside: tables, autoresearch logs, OpenRange stores, boards and git hooks, in and out of a store.

Imports `store` and what is below. A module with a ``_format`` twin leaves the format itself to the twin.
"""
