"""Commands that keep a clone in order: reindex and maintain."""

import typer

from gitlineage.cli import layout, options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.opening import opened
from gitlineage.git import maintenance
from gitlineage.journal.journal import Problem
from gitlineage.text import counted

app = commands()


@command(app, "reindex", "gitlineage reindex")
def reindex(ctx: typer.Context, as_json: options.Json = False) -> None:
    """
    Build the index and the derived refs anew

    Both are caches: nothing is lost with them, and commands repair them by themselves where they see damage.
    """
    with opened(ctx, begin=True, incomplete=True) as store, store.ledger.all_campaigns() as campaigns:
        count = sum(each.reindex() for each in campaigns)
        if as_json:
            output.json_line({"trials": count})
        else:
            output.say(f"indexed {counted(count, 'trial')}")
        for each in campaigns:
            for problem in each.problems():
                store.ledger.watcher.note(str(Problem(*problem)))


@command(app, "maintain", "gitlineage maintain")
def maintain(ctx: typer.Context, as_json: options.Json = False) -> None:
    """
    Repack the repository with git and say what that saved

    Small packs are rolled up in the background as they come (git config lineage.autoRepack = false turns that off);
    this does it thoroughly. Nothing is thrown away, and writers may go on meanwhile.
    """
    with opened(ctx, begin=True, incomplete=True) as store:
        saving = maintenance.maintain(store.ledger.repo)
        if as_json:
            output.json_line(saving)
            return
        layout.facts(
            [
                ("loose objects", f"{saving.loose_before:,} before, {saving.loose_after:,} now"),
                ("packs", f"{saving.packs_before:,} before, {saving.packs_after:,} now"),
                ("on disk", f"{saving.bytes_before:,} bytes before, {saving.bytes_after:,} now"),
            ]
        )
