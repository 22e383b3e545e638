"""
``python -m gitlineage.cli``, and nothing else.

Layer 18.
"""

from gitlineage.cli.app import main

main()
