"""
``python -m gitlineage.cli``, and nothing else.

Layer 13.
"""

from gitlineage.cli.app import main

main()
