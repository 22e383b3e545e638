"""
``python -m gitlineage.cli``, and nothing else.

Layer 22.
"""

from gitlineage.cli.app import main

main()
