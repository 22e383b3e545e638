"""The command demo: a small research loop that really runs, and how to look at what is left of it."""

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from gitlineage.bridge.hooks.install import own_program
from gitlineage.cli import layout, listing, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.layout import Cell
from gitlineage.cli.look import print_graph
from gitlineage.cli.numbers import write_file
from gitlineage.cli.opening import place
from gitlineage.demo.harness import SCRIPT
from gitlineage.demo.loop import WRITER, Clock, open_store, run_demo
from gitlineage.errors import RepositoryError
from gitlineage.git.repository import init_repository
from gitlineage.model.records import Snapshot, TrialView
from gitlineage.query.stats import progress
from gitlineage.query.table import table
from gitlineage.query.views import Views
from gitlineage.render.progress import terminal
from gitlineage.store.store import LineageStore
from gitlineage.text import to_type

app = commands()
_NAME = "gitlineage-demo"
_REPORT = "report.html"
_ROWS = 16
"""Lines of the plot at the end."""

_LOOKS = (
    ("how the best came about, with its rows", "log --graph --oneline --notes='lineage/*' lineage/best"),
    ("what was recorded, in order", f"log --first-parent --oneline notes/lineage/{WRITER}"),
    ("all that changed from the baseline to the best", "diff lineage/exp/000 lineage/best"),
    ("the row of one trial", f"notes --ref lineage/{WRITER} show lineage/exp/000"),
)


@command(app, "demo", "gitlineage demo")
def demo(
    ctx: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR", help=f"A new or empty folder. [default: {_NAME}, or the next free name]", show_default=False
        ),
    ] = None,
) -> None:
    """
    Run a small real research loop and look at it

    Three scripted specialists edit and train a byte model on Python's own sources: offline, in seconds, the same result
    every time.
    """
    root = folder or _free()
    if root.exists() and not (root.is_dir() and not any(root.iterdir())):
        raise RepositoryError(f"{root} is not empty; name a new folder")
    init_repository(root)
    clock = Clock()
    output.say(f"A research loop in {output.clean(str(root))}: each line below is a trial that really ran.\n")
    with open_store(root, clock) as store:
        run_demo(store, clock, report=lambda snapshot: _report(store, snapshot))
        shown = store.render_prompt("smooth", session_timestamp=clock().strftime("%Y-%m-%dT%H:%M:%SZ"))
    output.say(f"\n{output.paint('What the next agent reads (gitlineage prompt smooth):', 'bold')}\n")
    output.write(shown.rendered_prompt)
    output.say(f"\n{output.paint('It is all plain git:', 'bold')}\n")
    where = to_type(str(root if place(ctx).folder is None else root.resolve()))
    for why, words in _LOOKS:
        output.say(f"  {output.paint(f'# {why}', 'dim')}\n  git -C {where} {words}")
    _end(root, where)


def _end(root: Path, where: str) -> None:
    """Show what came of it, and say how to look on; each command works as it is printed, in any shell."""
    from gitlineage.page.report import report

    _keep_out(root, _REPORT)
    with LineageStore(root, create=False) as store:
        views = store.ledger.views()
        size = shutil.get_terminal_size((100, 30))
        output.say(f"\n{output.paint('All scores, and the best so far:', 'bold')}\n")
        for line in terminal(progress(table(views)), size.columns, _ROWS):
            output.say("".join(output.paint(text, style) for text, style in line))
        output.say(f"\n{output.paint('Where the best came from:', 'bold')}\n")
        best = views.best(stand_in=False)
        print_graph(views, _behind(views, best) if best is not None else [])
        write_file(root / _REPORT, report(store, title="The demo"))
    program = to_type(str(own_program() or "gitlineage"))
    again = f"cd {where} && {program} restore 015 && {to_type(sys.executable)} {SCRIPT}"
    output.say(f"\nThe repository is in {output.clean(str(root.resolve()))}")
    output.say(f"See it all in a browser: open {to_type(str(root.resolve() / _REPORT))}")
    output.say(f"Look on: {program} -C {where} log --graph")
    output.say(f"Run any of them again, here 015: {again}")


def _behind(views: Views, best: TrialView) -> list[TrialView]:
    """Return the line to the best with all other parents of its trials, the newest first."""
    line = views.chain(best)
    parents = [oid for each in views.snapshots([view.oid for view in line]) for oid in each.parents]
    others = {view.oid: view for oid in parents for view in views.on_snapshot(oid)}
    return sorted({**others, **{view.oid: view for view in line}}.values(), key=lambda view: view.order, reverse=True)


def _keep_out(root: Path, name: str) -> None:
    """Have a file of the folder in no snapshot."""
    exclude = root / ".git" / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    with exclude.open("a") as file:
        file.write(f"/{name}\n")


def _report(store: LineageStore, snapshot: Snapshot) -> None:
    """Print a trial as soon as it is recorded, in columns that fit every line that is to come."""
    for view in store.ledger.views().on_snapshot(snapshot.oid):
        cells = listing.trial_cells(view, store.task)
        label, _, status, score, delta, specialist, _, came, hypothesis = cells
        spaces = [(label, 4), (status, 21), (score, 9), (delta, 10), (specialist, 9), (came, 8)]
        if output.is_narrow():
            spaces = [(label, 4), (status, 13), (score, 9), (delta, 10), (came, 8)]
        line = "".join(_padded(cell, space) for cell, space in spaces)
        output.say(f"{line}{layout.fitted(hypothesis.text, sum(space for _, space in spaces))}")
    output.flush()


def _padded(cell: Cell, space: int) -> str:
    text = layout.cut(output.clean(cell.text), space - 1)
    return output.paint(text, cell.style) + " " * (space - layout.width(text))


def _free() -> Path:
    """Return the first folder name that is free."""
    folder = Path(_NAME)
    number = 2
    while folder.exists():
        folder = Path(f"{_NAME}-{number}")
        number += 1
    return folder
