"""
The demo: a small research loop that really runs, offline and the same every time; its command is in ``cli``.

`recipe` is what gets edited and run, `trials` who tries what, `edits` how, `loop` runs and records it.
"""
