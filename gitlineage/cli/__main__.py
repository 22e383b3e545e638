"""
``python -m gitlineage.cli``, and nothing else.

Layer 16.
"""

from gitlineage.cli.app import main

main()
