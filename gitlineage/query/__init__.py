"""
Answers: what the index and the graph say, as models. Nothing here writes.

Imports `index`, `render` and what is below. Start with `views`; `names` says what a text stands for, `ranking` and
`judge` who is better than whom.
"""
