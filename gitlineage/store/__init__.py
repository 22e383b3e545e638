"""
The facade that users hold: each method is a line or two over the packages below.

Start with `store`: it holds the open repository (``store.ledger``) and its parts, ``store.relations``, ``catalogue``,
``history`` and ``remote``, each in a module beside it.
"""
