"""
``python -m gitlineage.cli``, and nothing else.

Layer 20.
"""

from gitlineage.cli.app import main

main()
