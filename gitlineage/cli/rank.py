"""Commands that rank trials: best and leaderboard."""

from typing import Annotated

import typer

from gitlineage.cli import listing, options, output
from gitlineage.cli.commands import Listing, command, commands
from gitlineage.cli.opening import opened
from gitlineage.model.rank import BASELINES, WHICH
from gitlineage.model.records import Task
from gitlineage.query.ranking import best_by, board_by, criterion
from gitlineage.query.views import Views

app = commands()


def _eligible(value: str) -> str:
    return options.one_of(value, WHICH) or value


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
    metric: options.RankBy = None,
    lower_is_better: options.RankDirection = None,
    at: options.At = None,
    trusted_only: options.TrustedOnly = False,
    as_json: options.Json = False,
) -> None:
    """
    Show the best trial

    By the task's column, or by any other with numbers: --metric NAME with its direction. The task stays as it is.
    """
    with opened(ctx) as store:
        views = store.ledger.views(at=at, trusted_only=trusted_only)
        by = _by(views, metric, lower_is_better)
        first = views.best(eligible, stand_in=False) if by == views.task else best_by(views, by, eligible)
        if first is None:
            raise listing.no_best(views, at)
        listing.check_parents(views, [first])
        if as_json:
            output.json_line({**listing.trial_objects(views, [first], by)[0], **_facts(by, views)})
        else:
            _say(by, views)
            listing.print_trials([first], by, deltas=by == views.task)


@command(app, "leaderboard", "gitlineage leaderboard -n 5", Listing)
def leaderboard(
    ctx: typer.Context,
    k: Annotated[int, typer.Option("-n", "-k", min=-1, metavar="N", help="How many; -1 for all.")] = 20,
    metric: options.RankBy = None,
    lower_is_better: options.RankDirection = None,
    at: options.At = None,
    as_json: options.Json = False,
) -> None:
    """
    List the best kept trials, best first

    By the task's column, or by any other with numbers: --metric NAME with its direction, among the trials that have a
    number there. The task stays as it is.
    """
    with opened(ctx) as store:
        views = store.ledger.views(at=at)
        by = _by(views, metric, lower_is_better)
        limit = options.one_more(k)
        trials = views.kept(limit) if metric is None and by == views.task else board_by(views, by, limit)
        trials = list(listing.shown(trials, k))
        listing.check_parents(views, trials)
        if by == views.task:
            _tell_baseline(views)
        if as_json:
            for rank, each in enumerate(listing.trial_objects(views, trials, by), 1):
                output.json_line({"rank": rank, **each, **_facts(by, views)})
        else:
            _say(by, views)
            listing.print_trials(trials, by, ranked=True, deltas=by == views.task)


def _tell_baseline(views: Views) -> None:
    """Say so where a baseline is the best: a leaderboard has kept trials alone."""
    first = views.best(stand_in=False)
    if first is not None and first.trial.status in BASELINES:
        score = first.trial.text(views.task.score_field)
        told = f"{output.clean(first.label)}{f' with {output.clean(score)}' if score else ''}"
        output.note(f"the best is the baseline {told}, which no kept trial beats; this list is of kept trials")


def _by(views: Views, metric: str | None, lower_is_better: bool | None) -> Task:
    """Return what to rank by; a direction that is missing is a wrong call."""
    with options.refused("--metric"):
        return criterion(views.task, metric, lower_is_better)


def _facts(by: Task, views: Views) -> dict[str, object]:
    """Return what ranks, where it is not the task."""
    return {} if by == views.task else {"metric": by.score_field, "lower_is_better": by.lower_is_better}


def _say(by: Task, views: Views) -> None:
    """Say what ranks, where it is not the task."""
    if by != views.task:
        output.note(output.clean(f"ranked by {listing.direction(by)}; the task is {listing.direction(views.task)}"))
