"""The command that searches texts."""

from typing import Annotated

import typer

from gitlineage.cli import listing, options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.opening import opened

app = commands()


@command(app, "search", "gitlineage search warmup 'learning rate' -n 5")
def search(
    ctx: typer.Context,
    words: Annotated[
        list[str], typer.Argument(metavar="TEXT...", help="Words; one that ends in * stands for all that begin so.")
    ],
    count: options.Count = 20,
    as_json: options.Json = False,
) -> None:
    """
    Find trials by the words of their hypotheses and notes

    All words must be there, the exp id and the specialist count too; the best match comes first.
    """
    with opened(ctx) as store:
        found = store.search(" ".join(words), options.at_most(count))
        if as_json:
            for each in listing.trial_objects(store.ledger.views(), found):
                output.json_line(each)
        else:
            listing.print_trials(found, store.task)
