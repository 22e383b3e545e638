"""
Commands that keep a clone in order: reindex.

Layer 13.
"""

import typer

from gitlineage.cli import output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.opening import opened

app = commands()


@command(app, "reindex", "gitlineage reindex")
def reindex(ctx: typer.Context) -> None:
    """
    Build the index and the derived refs anew

    Both are caches: nothing is lost with them, and commands repair them by themselves where they see damage.
    """
    with opened(ctx) as store:
        count = store.reindex()
        output.say(f"indexed {count} {'trial' if count == 1 else 'trials'}")
        for writer, oid, reason in store.problems():
            output.warning(f"skipped a malformed line in the note of {writer} on commit {oid}: {reason}")
