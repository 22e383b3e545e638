"""
``python -m gitlineage``, the command line where its script is on no path; nothing else.

Layer 28.
"""

from gitlineage.cli import main

main()
