"""The command that lists the campaigns of a repository."""

import typer

from gitlineage.cli import layout, listing, options, output
from gitlineage.cli.commands import Listing, command, commands
from gitlineage.cli.layout import Cell, Column
from gitlineage.cli.opening import opened
from gitlineage.text import counted

app = commands()


@command(app, "campaigns", "gitlineage campaigns", Listing)
def campaigns(ctx: typer.Context, as_json: options.Json = False) -> None:
    """
    List the campaigns of this repository

    Each has trials, ids, task and refs of its own. `gitlineage --campaign NAME init` begins one; GITLINEAGE_CAMPAIGN
    and git config lineage.campaign (also of one worktree: git config --worktree) say in which one commands work.
    """
    with opened(ctx, begin=True) as store, store.ledger.all_campaigns() as ledgers:
        rows = []
        for each in ledgers:
            views = each.views()
            best = views.best(stand_in=False)
            task = each.recorded_task()
            current = each.campaign == store.campaign
            if as_json:
                output.json_line(
                    {
                        "campaign": each.campaign,
                        "current": current,
                        "refs": f"{each.namespace.notes}*",
                        "trials": views.total(),
                        "writers": len(each.journal.tips()),
                        "best": best.label if best is not None else None,
                        "task": task,
                    }
                )
            rows.append(
                [
                    Cell("*" if current else ""),
                    Cell(each.campaign, "bold"),
                    Cell(counted(views.total(), "trial")),
                    Cell(output.clean(f"best {best.label}") if best is not None else ""),
                    Cell(output.clean(listing.direction(task)) if task is not None else "", "dim"),
                ]
            )
    if not as_json:
        layout.table(_COLUMNS, rows)


_COLUMNS = (Column(""), Column("campaign"), Column("trials"), Column("best"), Column("task"))
