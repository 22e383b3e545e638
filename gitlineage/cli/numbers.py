"""Commands that count and compare: stats, compare, plot."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from gitlineage.cli import layout, options, output
from gitlineage.cli.commands import Listing, Paged, command, commands
from gitlineage.cli.layout import Cell, Column
from gitlineage.cli.opening import opened
from gitlineage.errors import StorageError
from gitlineage.query.stats import GROUPS, Stat, progress
from gitlineage.query.table import Table, chosen, table
from gitlineage.render.progress import FORMATS, figure, terminal, written

if TYPE_CHECKING:
    from gitlineage.query.comparing import Comparison, Side
    from gitlineage.store.store import LineageStore

app = commands()

_STATS = (
    Column("trials", right=True),
    Column("kept", right=True, drop=4),
    Column("keep rate", right=True, drop=3),
    Column("best", cap=14),
    Column("score", right=True),
    Column("gain", right=True, drop=2),
    Column("a trial", right=True, drop=5),
    Column("hours", right=True, drop=6),
    Column("since keep", right=True),
)
_SIDES = (Column("", cap=16), Column("a"), Column("b"))
_TERMINAL = (100, 24)
"""Columns and lines of a picture whose window is not known."""

_LINES = 30
_NAMED = 12
"""Names of what only one side has that are shown; the rest is counted."""

Cohort = Annotated[
    str | None, typer.Option("--cohort", metavar="NAME", help="Only members of this cohort, and its base.")
]
Specialist = Annotated[str | None, typer.Option("--specialist", metavar="NAME", help="Only trials of this specialist.")]
Since = Annotated[str | None, typer.Option("--since", metavar="POINT", help="From this trial, or ISO 8601 time, on.")]


def _group(value: str | None) -> str | None:
    return options.one_of(value, GROUPS)


@command(app, "stats", "gitlineage stats --by specialist", Listing)
def stats(
    ctx: typer.Context,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="WHAT", callback=_group, help=f"A line for each {', '.join(GROUPS)}."),
    ] = None,
    cohort: Cohort = None,
    specialist: Specialist = None,
    status: options.Statuses = None,
    since: Since = None,
    as_json: options.Json = False,
) -> None:
    """
    Show who gets on and who is stuck

    Trials that count, how many were kept (of those that could be: no baselines, no harness aborts), the best, by how
    much they improved on the best of the campaign in sum and by trial, the hours they took, and the trials since the
    last kept one. The group with the best trial comes first.
    """
    with opened(ctx) as store:
        groups = store.stats(by, cohort=cohort, specialist=specialist, statuses=status or (), since=since)
        if as_json:
            for each in groups:
                output.json_line({"by": by, **msgspec.to_builtins(each)})
        else:
            layout.table((Column(by or "", cap=24), *_STATS), [_stat_cells(each, by) for each in groups])


def _stat_cells(stat: Stat, by: str | None) -> list[Cell]:
    rate = "" if stat.keep_rate is None else f"{stat.keep_rate:.0%}"
    return [
        Cell(stat.group or (f"(no {by})" if by else "all"), "bold" if stat.group else "dim"),
        Cell(f"{stat.trials:,}"),
        Cell(f"{stat.kept:,}"),
        Cell(rate),
        Cell(stat.best, "bold"),
        Cell(_number(stat.best_score)),
        Cell(_number(stat.gain) if stat.gain else "", "green"),
        Cell(_number(stat.gain_per_trial) if stat.gain else ""),
        Cell("" if stat.hours is None else f"{stat.hours:.2f}"),
        Cell(f"{stat.since_keep:,}"),
    ]


def _number(value: float | None) -> str:
    """Return a number as it is shown: six digits, without trailing noise."""
    return "" if value is None else f"{value:.6g}"


@command(app, "compare", "gitlineage compare 012 best", Paged)
def compare(
    ctx: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="A trial or a cohort.", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.", show_default=False)],
    as_json: options.Json = False,
) -> None:
    """
    Compare two trials or two cohorts

    How many trials, the best, the mean and the spread (standard deviation) of their scores; the rank-sum test (Mann and
    Whitney) where there are enough scores for it to say anything; and what only one of them has. A trial stands for all
    runs of its content.
    """
    with opened(ctx) as store:
        comparison = store.compare(a, b)
        if as_json:
            output.json_line(comparison)
        else:
            _print_comparison(store, comparison)


def _print_comparison(store: "LineageStore", comparison: "Comparison") -> None:
    a, b = comparison.a, comparison.b
    name = store.task.short
    rows = [
        ("", a.name, b.name),
        ("trials", *(f"{side.trials:,}" for side in (a, b))),
        ("with a score", *(f"{len(side.scores):,}" for side in (a, b))),
        (f"best {name}", *(_best(side) for side in (a, b))),
        ("mean", *(_number(side.mean) for side in (a, b))),
        ("median", *(_number(side.median) for side in (a, b))),
        ("spread", *(_spread(side) for side in (a, b))),
        ("statuses", *(", ".join(f"{count} {status}" for status, count in side.statuses.items()) for side in (a, b))),
    ]
    layout.table(
        _SIDES,
        [
            [Cell(head, "dim"), Cell(one, "bold" if not head else ""), Cell(other, "bold" if not head else "")]
            for head, one, other in rows
        ],
    )
    if comparison.change is not None:
        told = (
            f"{output.clean(comparison.better)} is better by {abs(comparison.change):.6g} in the mean"
            if comparison.better
            else "equal in the mean"
        )
        output.say(f"{told}; {_test_words(comparison)}")
    cells = [each for each in comparison.differences if _is_cell(comparison, each.what)]
    if cells:
        heading = f"what differs, {output.clean(a.name)} → {output.clean(b.name)}"
        output.say(f"\n{output.paint(heading, 'dim')}")
        layout.facts(
            (f"  {output.clean(each.what)}", f"{_names(each.a) or '—'} → {_names(each.b) or '—'}") for each in cells
        )
    for each in comparison.differences:
        if each not in cells:
            what = "trials on its line" if each.what == "line" else output.clean(each.what)
            output.say(f"\n{output.paint(f'{what} that only one has', 'dim')}")
            sides = ((a, each.a), (b, each.b))
            layout.facts((f"  {output.clean(side.name)}", _names(names) or "—") for side, names in sides)
    if comparison.changed:
        output.say(
            f"\n{output.paint('files that both have, with different content', 'dim')}\n  {_names(comparison.changed)}"
        )
    if comparison.changed or any(each.what == "files" for each in comparison.differences):
        output.note(f"`gitlineage diff {output.clean(a.name)} {output.clean(b.name)}` shows the difference")


def _is_cell(comparison: "Comparison", what: str) -> bool:
    """Whether a difference is one cell that two trials have otherwise; else it is of things that one side alone has."""
    return comparison.a.kind == comparison.b.kind == "trial" and what not in ("line", "files")


def _best(side: "Side") -> str:
    return f"{_number(side.best_score)} ({side.best})" if side.best else ""


def _spread(side: "Side") -> str:
    return "one run only" if len(side.scores) == 1 else _number(side.spread)


def _test_words(comparison: "Comparison") -> str:
    test = comparison.test
    if test is None:
        return f"too few scores for a rank test ({len(comparison.a.scores)} and {len(comparison.b.scores)})"
    p = "p < 0.0001" if test.p < 0.0001 else f"p = {test.p:.4f}"
    return f"{output.clean(comparison.a.name)} wins {test.share:.0%} of all pairs (rank-sum test, {test.method}: {p})"


def _names(names: "tuple[str, ...]") -> str:
    shown = ", ".join(output.clean(name) for name in names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED:,} more" if len(names) > _NAMED else shown


@command(app, "plot", "gitlineage plot -o progress.svg")
def plot(
    ctx: typer.Context,
    cohort: Cohort = None,
    specialist: Specialist = None,
    status: options.Statuses = None,
    since: Since = None,
    log: Annotated[bool, typer.Option("--log", help="Draw powers of ten equally far apart.")] = False,
    file: Annotated[
        str | None,
        typer.Option("-o", metavar="FILE", help=f"Write a figure: {', '.join(FORMATS)}, by the file's ending."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """
    Plot the scores and the best so far

    In the terminal, or with -o as a figure by matplotlib (the extra `plot`). Scores far away from nearly all others are
    drawn at the edge and counted. With --json one object: metric (the column), label (its short name),
    lower_is_better, total, and points and steps (at, score, status, label).
    """
    ending = Path(file).suffix.lower().lstrip(".") if file else ""
    if file and ending not in FORMATS:
        raise typer.BadParameter(
            f"{file!r} ends in none of {', '.join(f'.{each}' for each in FORMATS)}", param_hint="'-o'"
        )
    with opened(ctx) as store:
        shown = progress(_table(store, cohort=cohort, specialist=specialist, statuses=status or (), since=since))
        if as_json:
            named = {"metric": store.task.score_field, "label": shown.metric}
            drawn = {name: [each._asdict() for each in getattr(shown, name)] for name in ("points", "steps")}
            output.json_line({**msgspec.to_builtins(shown), **named, **drawn})
        elif file:
            write_file(Path(file), written(figure(shown, log=log), ending))
            output.note(f"wrote {file}")
        else:
            size = shutil.get_terminal_size(_TERMINAL)
            for line in terminal(shown, size.columns, min(max(size.lines - 2, 10), _LINES), log=log):
                output.say("".join(output.paint(text, style) for text, style in line))


def _table(store: "LineageStore", **choice: Any) -> Table:
    views = store.ledger.views()
    return chosen(views, table(views, texts=False), **choice)


def write_file(path: Path, data: bytes) -> None:
    """
    Write a file that was asked for.

    Raises:
        StorageError: it cannot be written.
    """
    from gitlineage.files import write_whole

    try:
        write_whole(path, data)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
