"""
The words: trials, snapshots, cohorts, relations, messages and the TSV they are exchanged in, as records without I/O.

Imports the leaves beside the packages (`errors`, `times`, `text`, …) and nothing else; it knows no git.
Start with `trial` (the row, its columns, the statuses) and `records`; `rank` says who may be the best and who ranks
before whom, `message` what a snapshot's commit says of it: its roles, its cohort.
"""
