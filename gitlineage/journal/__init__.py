"""
The truth: each writer's line of commits and the events in its notes.

Imports `model` and `git`. Start with `events` (what can be said) and `journal` (where it is kept).
"""
