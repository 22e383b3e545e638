"""
The facade that users hold: its methods put the packages below together.

Start with `store`: it holds the open repository (``store.ledger``) and its parts, ``store.relations``, ``catalogue``,
``history`` and ``remote``, each in a module beside it.
"""
