"""
Other machines: what is pushed, pulled, renamed, archived and bundled.

Imports `record` and what is below. Start with `push` and `pull`, which decides what is tampering.
"""
