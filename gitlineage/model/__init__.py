"""
The words: trials, snapshots, cohorts, relations, messages and the TSV they are exchanged in, as records without I/O.

Imports the leaves beside the packages (`errors`, `times`, `text`, …) and nothing else; it knows no git.
Start with `trial` and `records`.
"""
