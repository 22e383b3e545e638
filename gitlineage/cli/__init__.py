"""
The command line; only its entry point is here.

Layer 25.
"""

from gitlineage.cli.app import main

__all__ = ["main"]
