"""``python -m gitlineage``, the command line where its script is on no path; nothing else."""

from gitlineage.cli import main

main()
