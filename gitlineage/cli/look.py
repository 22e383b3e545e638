"""Commands that look at trials and their edits: log and diff."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitlineage.cli import layout, listing, options, output
from gitlineage.cli.commands import Listing, Paged, command, commands
from gitlineage.cli.opening import opened
from gitlineage.later import later
from gitlineage.model.records import Task, TrialView
from gitlineage.query import flat
from gitlineage.query.views import Views
from gitlineage.store.store import LineageStore
from gitlineage.text import counted, to_type

if TYPE_CHECKING:
    from gitlineage.cli import drawing
    from gitlineage.query import ancestry
    from gitlineage.query import diff as differing
else:  # what a plain list has no use of
    drawing = later("gitlineage.cli.drawing")
    ancestry, differing = later("gitlineage.query", "ancestry", "diff")

app = commands()
_PATCH = {"+++": "bold", "---": "bold", "dif": "bold", "ind": "bold", "@@ ": "cyan", "+": "green", "-": "red"}


@command(app, "log", "gitlineage log --status keep --status baseline -n 5", Listing)
def log(
    ctx: typer.Context,
    cohort: Annotated[str | None, typer.Option("--cohort", metavar="NAME", help="Only members of this cohort.")] = None,
    status: options.Statuses = None,
    specialist: Annotated[
        str | None, typer.Option("--specialist", metavar="NAME", help="Only trials of this specialist.")
    ] = None,
    dangling: Annotated[
        bool, typer.Option("--dangling", help="Only trials whose parent cell names no trial of the store.")
    ] = False,
    graph: Annotated[bool, typer.Option("--graph", help="Draw how they were derived from each other.")] = False,
    count: options.Count = 20,
    as_json: options.Json = False,
) -> None:
    """
    List trials, newest first

    With --json each is an object: id, exp_id, oid, tree, parents (oids), roles, cohort, status, score, parent,
    dangling, saw, retracted (why, or null), writer, clock, and row, which has the text of every column by its name.
    """
    if graph and as_json:
        raise typer.BadParameter("it excludes --json", param_hint="'--graph'")
    with opened(ctx) as store:
        _tell_bare(store.ledger.views())
        if not graph:
            _list(store, count, as_json, cohort=cohort, statuses=status or (), specialist=specialist, dangling=dangling)
            return
        most = options.one_more(count)
        trials = store.log(most, cohort=cohort, statuses=status or (), specialist=specialist, dangling=dangling)
        trials = trials if count == -1 else trials[:count]  # it says by itself what it left out
        listing.check_parents(store.ledger.views(), trials)
        print_graph(store.ledger.views(), trials)
        _tell_cut(store.ledger.views(), trials)


def _tell_bare(views: Views) -> None:
    """Say where to look in a store whose snapshots came from a store without trials."""
    if views.index.one("SELECT 1 FROM trials LIMIT 1") is None and views.origins.has_replaced():
        output.note("no trial is here; `gitlineage descendants --leaves` lists snapshots that have none, too")
    elif not views.total() and not views.pending():  # counting those takes a look at every trial
        brought = "; `gitlineage pull` brings those of a remote" if views.repo.remotes() else ""
        output.say_if_nothing(f"no trial is here yet: `gitlineage run -m WHY -- COMMAND` makes one{brought}")


def _list(store: LineageStore, count: int, as_json: bool, **choice: Any) -> None:
    """Print trials as they are read, in lines or as objects."""

    def numbers(views: Views) -> Sequence[int]:
        chosen = listing.shown(views.listed(limit=options.one_more(count), **choice), count)
        listing.check_parents(views, views.each(chosen))
        return chosen

    if as_json:
        output.json_lines(store.ledger.stream(lambda views: flat.trials(views, numbers(views))))
    else:
        listing.print_trials(store.ledger.stream(lambda views: views.each(numbers(views))), store.task)


@command(app, "diff", "gitlineage diff best --parent 2", Paged)
def diff(
    ctx: typer.Context,
    name: options.Id,
    other: Annotated[
        str | None,
        typer.Argument(metavar="OTHER", help="Compare ID with this one, not with its parent.", show_default=False),
    ] = None,
    parent: Annotated[
        int | None, typer.Option("--parent", min=1, metavar="N", help="Compare with this parent. [default: 1]")
    ] = None,
    stat: Annotated[bool, typer.Option("--stat", help="Summarise by file.")] = False,
    as_json: options.Json = False,
) -> None:
    """
    Show what a snapshot changed, or how two of them differ

    What git shows, byte for byte, where standard output is no terminal. A snapshot without parents changed nothing.
    """
    if other is not None and parent is not None:
        raise typer.BadParameter("it excludes a second id", param_hint="'--parent'")
    with opened(ctx) as store:
        if other is None:
            edit = store.recipe_edit(name, (parent or 1) - 1)
            if edit.parent_snapshot_path is None:
                output.note(f"{name} has no parent; `{to_type('gitlineage', 'show', name)}` lists its files")
            old, new = edit.parent_snapshot_path, edit.snapshot_path
            patch = edit.diff_bytes(stat=stat)
        else:
            old, new = store.snapshot(name).tree, store.snapshot(other).tree
            patch = differing.diff_trees(store.ledger.repo, old, new, stat=stat)
        if as_json:
            text = patch.decode("utf-8", "replace")
            output.json_line({"old": old, "new": new, "stat" if stat else "patch": text})
        else:
            print_patch(patch)


def print_patch(patch: bytes) -> None:
    """Print a patch as git made it; with colours, and without control characters, on a terminal."""
    if not output.is_terminal():
        output.write(patch)
        return
    for line in patch.decode("utf-8", "replace").splitlines():
        shown = output.clean_block(line)
        style = _PATCH.get(shown[:3]) or _PATCH.get(shown[:1], "")
        output.say(output.paint(shown, style))


def print_graph(views: Views, trials: list[TrialView]) -> None:
    """Print trials beside the graph of their snapshots, replicates below each other."""
    if not trials:
        return
    groups: dict[str, list[TrialView]] = {}
    for view in trials:
        groups.setdefault(view.oid, []).append(view)
    nodes = list(groups)
    parents = {oid: [parent.oid for parent in ancestry.parents(views, oid)] for oid in nodes}
    lines = drawing.draw(nodes, parents, [len(group) for group in groups.values()], output.has_colour())
    texts = [[_words(view, views.task) for view in group] for group in groups.values()]
    for line in lines:
        graph, place, taken = drawing.split(line)
        if place is None:
            output.say(graph)
            continue
        head, hypothesis, width = texts[place[0]][place[1]]
        output.say(f"{graph} {head}  {layout.fitted(hypothesis, taken + width + 3)}".rstrip())


def _tell_cut(views: Views, trials: list[TrialView]) -> None:
    """Say where the graph ends although the lineage goes on: at parents that were not asked for."""
    shown = {view.label for view in trials}
    beyond = {view.parent for view in trials if view.parent is not None} - shown
    if beyond:
        total = views.index.one("SELECT count(*) FROM trials")[0]
        left = f"{counted(total - len(trials), 'trial')} of {total:,} not drawn"
        output.note(f"the graph is cut: {left}; -n -1 draws all")


def _words(view: TrialView, task: Task) -> tuple[str, str, int]:
    """Return a trial's words beside the graph, its hypothesis, and how wide the former are."""
    label, commit, status, score, delta, _, cohort, _, hypothesis = listing.trial_cells(view, task)
    cells = [label, commit, status, score, delta, layout.Cell(f"({cohort.text})" if cohort.text else "", "dim")]
    shown = [layout.Cell(output.clean(cell.text), cell.style) for cell in cells if cell.text]
    width = sum(layout.width(cell.text) for cell in shown) + 2 * (len(shown) - 1)
    return "  ".join(output.paint(cell.text, cell.style) for cell in shown), output.clean(hypothesis.text), width
