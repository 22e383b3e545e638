"""
``python -m gitlineage``, the command line where its script is on no path; nothing else.

Layer 26.
"""

from gitlineage.cli.app import main

main()
