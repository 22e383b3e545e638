"""
The command line; only its entry point is here.

Layer 27.
"""

from gitlineage.cli.app import main

__all__ = ["main"]
