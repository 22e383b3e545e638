"""
Commands that rank trials: best and leaderboard.

Layer 27.
"""

from typing import Annotated

import typer

from gitlineage.cli import listing, options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.opening import opened
from gitlineage.errors import LineageError

app = commands()
_ELIGIBLE = ("kept", "informational")


def _eligible(value: str) -> str:
    return options.one_of(value, _ELIGIBLE) or value


@command(app, "best", "gitlineage best --json")
def best(
    ctx: typer.Context,
    eligible: Annotated[
        str,
        typer.Option(
            "--eligible",
            metavar="WHICH",
            callback=_eligible,
            help="Rank kept trials and baselines (kept), or all but harness aborts (informational).",
        ),
    ] = "kept",
    at: options.At = None,
    trusted_only: options.TrustedOnly = False,
    as_json: options.Json = False,
) -> None:
    """Show the best trial"""
    with opened(ctx) as store:
        views = store.views(at=at, trusted_only=trusted_only)
        found = views.best(eligible)
        if found is None:
            raise LineageError(
                'there is no trial with a result yet; `gitlineage commit -m "..." --metric NUMBER` makes one'
            )
        if as_json:
            output.json_line(listing.trial_objects(store, [found], views.task)[0])
        else:
            listing.print_trials([found], views.task)


@command(app, "leaderboard", "gitlineage leaderboard -k 5")
def leaderboard(
    ctx: typer.Context,
    k: Annotated[int, typer.Option("-k", min=-1, metavar="N", help="How many; -1 for all.")] = 20,
    at: options.At = None,
    as_json: options.Json = False,
) -> None:
    """List the best kept trials, best first"""
    with opened(ctx) as store:
        views = store.views(at=at)
        found = views.kept(options.at_most(k))
        if as_json:
            for rank, each in enumerate(listing.trial_objects(store, found, views.task), 1):
                output.json_line({"rank": rank, **each})
        else:
            listing.print_trials(found, views.task, ranked=True)
