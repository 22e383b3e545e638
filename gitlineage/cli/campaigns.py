"""The list of the campaigns of a repository, for `status --campaigns`."""

import typer

from gitlineage.cli import layout, listing, output
from gitlineage.cli.layout import Cell, Column
from gitlineage.cli.opening import opened
from gitlineage.text import counted

_COLUMNS = (Column(""), Column("campaign"), Column("trials"), Column("best"), Column("task"))


def print_campaigns(ctx: typer.Context, as_json: bool) -> None:
    """Print every campaign with its trials, its best and its task; the one that commands work in has a star."""
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
