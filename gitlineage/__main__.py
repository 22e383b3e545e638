"""
``python -m gitlineage.cli``, and nothing else.

Layer 24.
"""

from gitlineage.cli.app import main

main()
