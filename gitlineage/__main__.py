"""``python -m gitlineage``, the command line where its script is on no path."""

from gitlineage.cli import main

main()
