"""
The command that hands lineage to an agent: prompt.

The time is injected here: the library renders the same bytes for the same state.
"""

from typing import Annotated, Any

import msgspec
import typer

from gitlineage.cli import listing, options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.opening import opened
from gitlineage.model.records import LEAST_BUDGET, LineageSnapshot, Task

app = commands()
_TRIALS = ("chain_to_best", "top_k_leaderboard", "recent_n_activity", "last_m_with_full_hypothesis")


@command(app, "prompt", "gitlineage prompt optimizer --workdir work --record > prompt.md")
def prompt(
    ctx: typer.Context,
    specialist: Annotated[
        str, typer.Argument(metavar="[SPECIALIST]", help="Whom it is for, as its trials name it.", show_default=False)
    ] = "",
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget",
            min=LEAST_BUDGET,
            metavar="CHARS",
            help="Never print more characters than this: the most useful first, and what shows the rest.",
        ),
    ] = None,
    timestamp: Annotated[
        str | None,
        typer.Option("--timestamp", metavar="TEXT", help="The session's start as it is to be printed. [default: now]"),
    ] = None,
    workdir: Annotated[str, typer.Option("--workdir", metavar="DIR", help="The folder that the agent works in.")] = "",
    tree_path: options.TreePath = None,
    top_k: Annotated[int, typer.Option("--top-k", min=0, metavar="N", help="Rows of the leaderboard.")] = 20,
    recent: Annotated[int, typer.Option("--recent", min=0, metavar="N", help="Rows of recent activity.")] = 30,
    full: Annotated[int, typer.Option("--full", min=0, metavar="N", help="Trials that are shown at length.")] = 10,
    max_chars: Annotated[
        int, typer.Option("--max-chars", min=0, metavar="N", help="Cut the knowledge document here; 0 cuts nothing.")
    ] = 8000,
    max_children: Annotated[
        int, typer.Option("--max-children", min=0, metavar="N", help="Children of the best to list; 0 for all.")
    ] = 0,
    no_lineage: Annotated[bool, typer.Option("--no-lineage", help="Withhold the history: a control.")] = False,
    raw_parents: options.RawParents = False,
    at: options.At = None,
    trusted_only: options.TrustedOnly = False,
    record: Annotated[bool, typer.Option("--record", help="Record what was seen; the next trial names it.")] = False,
    as_json: options.Json = False,
) -> None:
    """
    Print the lineage prompt for the next agent

    Nothing else goes to standard output. The same state, options and timestamp give the same bytes. With --json it is
    one object; each trial in it has exp_id, status, score, and row, the text of every column by its name.
    """
    with opened(ctx) as store:
        shown = store.render_prompt(
            specialist,
            top_k=top_k,
            recent_n=recent,
            last_m_full=full,
            session_timestamp=output.now() if timestamp is None else timestamp,
            at=at,
            record=record,
            trusted_only=trusted_only,
            workdir=workdir,
            tree_path=tree_path or "",
            max_chars=max_chars,
            max_children=max_children,
            lineage=not no_lineage,
            raw_parents=raw_parents,
            budget=budget,
        )
        if as_json:
            output.json_line(_object(shown, store.ledger.views(at=at).task))
        else:
            output.write(shown.rendered_prompt)
        if shown.session is not None:
            output.note(f"recorded as session {shown.session}")


def _object(shown: LineageSnapshot, task: Task) -> dict[str, Any]:
    """Return what an agent was shown as a JSON object."""
    best = shown.current_best
    fields = msgspec.structs.asdict(shown) | {"current_best": best and listing.ranked_object(best, task)}
    for name in _TRIALS:
        fields[name] = [listing.ranked_object(trial, task) for trial in fields[name]]
    return fields
