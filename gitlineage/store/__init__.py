"""
The facade that users hold, and nothing else: each method is a line or two over the packages below.

Start with `store`; its parts on relations, the catalogue, history and sharing stand beside it.
"""
