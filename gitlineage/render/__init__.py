"""
Pure functions from models to text: the prompt, the board, diagrams. Nothing here reads a store.

Imports `model` and the leaves. Start with `prompt`; `fields` says how wide each of its cells is, and where it is cut.
"""
