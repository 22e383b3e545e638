"""
``python -m gitlineage.cli``, and nothing else.

Layer 12.
"""

from gitlineage.cli.app import main

main()
