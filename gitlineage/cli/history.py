"""Commands that ask why: blame, events, bisect."""

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from gitlineage.cli import layout, listing, look, options, output
from gitlineage.cli.commands import Listing, Paged, command, commands
from gitlineage.cli.layout import Cell, Column
from gitlineage.cli.opening import opened
from gitlineage.journal.journal import Problem
from gitlineage.query.diff import diff_trees
from gitlineage.store.store import LineageStore
from gitlineage.text import counted

if TYPE_CHECKING:
    from gitlineage.query.audit import LineageEvent
    from gitlineage.query.blame import Blame, Regression

app = commands()

_NOTHING_BETWEEN = "for nothing lies between it and the good one; the command was not run"
"""What is said of a search that has nothing to try."""

_STDERR = 2
_EVENTS = (
    Column("clock", right=True),
    Column("when", drop=1),
    Column("writer", cap=16, drop=2),
    Column("by", cap=16, drop=3),
    Column("what"),
)


def _number(value: str | None) -> str | None:
    if value is not None and options.number(value, "--noise") < 0:
        raise typer.BadParameter(f"{value} is negative")
    return value


def _types(values: list[str] | None) -> list[str] | None:
    from gitlineage.query.audit import EVENT_TYPES

    return options.some_of(values, EVENT_TYPES)


# -- blame ---------------------------------------------------------------------------------------------------------


@command(app, "blame", "gitlineage blame best --all", Paged)
def blame(
    ctx: typer.Context,
    name: options.Id,
    everything: Annotated[
        bool, typer.Option("--all", help="Every step that made it worse, not only the first.")
    ] = False,
    noise: Annotated[
        str | None,
        typer.Option(
            "--noise",
            metavar="X",
            callback=_number,
            help="The standard deviation of one score. [default: what replicates show]",
        ),
    ] = None,
    stat: Annotated[bool, typer.Option("--stat", help="Summarise the edits by file.")] = False,
    as_json: options.Json = False,
) -> None:
    """
    Show which change made the score worse

    The first step on the line of primary parents, root first, whose score is worse than the last one before it, with
    its edit. Trials on one snapshot, or on snapshots of equal content, tell how much scores vary by themselves: what
    is worse by less than two standard deviations is no regression. Trials without a score are passed over.
    """
    with opened(ctx) as store:
        blamed = store.blame(name, noise=None if noise is None else float(noise))
        shown = blamed.regressions if everything else blamed.regressions[:1]
        if as_json:
            output.json_line(_blame_object(store, blamed, shown, stat))
        else:
            _print_blame(store, blamed, shown, stat)


def _patch(store: LineageStore, step: "Regression", stat: bool) -> bytes:
    """Return what changed between the two snapshots of a step, whatever lies between them."""
    old, new = store.snapshot(step.parent_oid).tree, store.snapshot(step.oid).tree
    return diff_trees(store.ledger.repo, old, new, stat=stat)


def _blame_object(store: LineageStore, blamed: "Blame", shown: "Sequence[Regression]", stat: bool) -> dict[str, Any]:
    edits = [
        {**msgspec.to_builtins(each), "stat" if stat else "patch": _patch(store, each, stat).decode("utf-8", "replace")}
        for each in shown
    ]
    return {**msgspec.to_builtins(blamed), "threshold": blamed.threshold, "regressions": edits}


def _print_blame(store: LineageStore, blamed: "Blame", shown: "Sequence[Regression]", stat: bool) -> None:
    if not shown:
        output.say(f"no regression among {counted(len(blamed.chain), 'trial')}, from {_clean(blamed.chain[:1])}")
    label = store.task.short
    for each in shown:
        worse = f"{label} {each.score:.10g} is worse than {each.parent_score:.10g} of {output.clean(each.parent)}"
        output.say(f"{output.paint(output.clean(each.trial), 'bold')}  {worse} by {each.change:.6g}")
        layout.facts(
            [
                ("  hypothesis", output.clean(each.hypothesis)),
                ("  specialist", output.clean(each.specialist)),
                ("  author", output.clean(each.author)),
                ("  recorded by", output.clean(each.writer)),
                ("  commit", each.oid),
                ("  unknown between", _clean(each.unknown)),
            ]
        )
        output.say()
        look.print_patch(_patch(store, each, stat))
        output.say()
    output.say(_noise_words(blamed))
    if blamed.within_noise:
        output.say(f"worse within the noise: {_clean(blamed.within_noise)}")
    if blamed.unknown:
        output.say(f"without a score, passed over: {_clean(blamed.unknown)}")
    left = len(blamed.regressions) - len(shown)
    if left:
        output.say(f"worse later too: {left} more; --all shows them")


def _noise_words(blamed: "Blame") -> str:
    noise = blamed.noise
    if noise.given:
        source = "as given"
    elif noise.trials:
        source = f"from {counted(noise.trials, 'replicate')} of {counted(noise.contents, 'content')}"
    else:
        source = "because there are no replicates; --noise says another"
    small = f"a change below {blamed.threshold:.6g} is no regression" if blamed.threshold else "every change counts"
    return f"noise: sigma {noise.sigma:.6g} {source}; {small}"


def _clean(names: Sequence[str]) -> str:
    return ", ".join(map(output.clean, names))


# -- events --------------------------------------------------------------------------------------------------------


@command(app, "events", "gitlineage events --type trial --since 2026-01-01 --json", Listing)
def events(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="ID", help="Only events that touch this snapshot.", show_default=False)
    ] = None,
    writer: Annotated[str | None, typer.Option("--writer", metavar="NAME", help="Only events of this writer.")] = None,
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="TYPE,...",
            callback=_types,
            help="Only events of these types, such as trial; repeatable.",
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="POINT", help="From this clock, or ISO 8601 time, on.")
    ] = None,
    count: Annotated[int, typer.Option("-n", min=-1, metavar="N", help="Only the last so many; -1 for all.")] = -1,
    as_json: options.Json = False,
) -> None:
    """
    Print the event log, in order

    State is what all events add up to, in the order of clock and writer. With --json each is an object: event_type,
    timestamp, actor, payload, writer, clock and oid. With an ID they are those that touch it: its rows and all that
    its notes say, relations from it and to it, its cohort's opening, amends and rebases, forge attempts that made it,
    and what its trials' agents were shown; each object then begins with what, in words, and own, whether its note is
    on the snapshot itself. Note lines that are no events are skipped with a warning.
    """
    with opened(ctx) as store:
        with options.refused("--since"):
            happened = store.history.iter_events(name, writer=writer, types=types, since=since)
        if count != -1:
            happened = iter(deque(happened, count))
        oid = store.resolve(name) if name is not None else None
        if as_json and oid is None:
            output.json_lines(happened)
        else:
            from gitlineage.query.audit import audited

            told = audited(store.ledger.views(), oid or "", happened)
            if as_json:
                output.json_lines(
                    {"what": each.what, "own": each.own, **msgspec.to_builtins(each.event)} for each in told
                )
            else:
                layout.table(_EVENTS, (_cells(each.event, each.what) for each in told))
        for owner, place, reason in store.history.problems():
            if writer in (None, owner) and oid in (None, place):
                store.ledger.watcher.note(str(Problem(owner, place, reason)))


def _cells(event: "LineageEvent", what: str) -> list[Cell]:
    actor = "" if event.actor == event.writer else event.actor
    return [
        Cell(str(event.clock), "dim"),
        Cell(event.timestamp, "dim"),
        Cell(event.writer),
        Cell(actor),
        Cell(what),
    ]


# -- bisect --------------------------------------------------------------------------------------------------------


@command(app, "bisect", "gitlineage bisect 000 best -- python check.py")
def bisect(
    ctx: typer.Context,
    good: Annotated[str, typer.Argument(metavar="GOOD", help="Where the command works.", show_default=False)],
    bad: Annotated[str, typer.Argument(metavar="BAD", help="Where it does not any more.", show_default=False)],
    words: Annotated[
        list[str],
        typer.Argument(metavar="-- COMMAND...", help="What to run in a checkout of each commit.", show_default=False),
    ],
    as_json: options.Json = False,
) -> None:
    """
    Find the first bad snapshot by running a command

    git bisect runs it on commits between the two, along first parents, in a temporary checkout: exit code 0 is good,
    125 cannot tell, other codes below 126 are bad. Your own HEAD, index, branches and files stay as they are. With
    --json what the command prints goes to standard error.
    """
    with opened(ctx) as store:
        output.flush()
        first = store.bisect(good, bad, words, output=_STDERR if as_json else None)
        snapshot = store.snapshot(first.first_bad)
        edit = store.recipe_edit(snapshot.oid)
        if as_json:
            if not first.tested:
                output.note(_NOTHING_BETWEEN)
            more = {"tested": first.tested, "skipped": first.skipped, "stat": edit.diff(stat=True)}
            output.json_line(listing.snapshot_object(store.ledger.views(), snapshot, **more))
            return
        skipped = f", {first.skipped} of them skipped" if first.skipped else ""
        name = output.clean(store.ledger.views().name(snapshot.oid))
        if first.tested:
            output.say()  # git leaves its last line open
        how = f"after {counted(first.tested, 'commit')} tested{skipped}" if first.tested else _NOTHING_BETWEEN
        output.say(f"first bad: {output.paint(name, 'bold')}, {how}")
        listing.print_snapshots(store.ledger.views(), [snapshot])
        look.print_patch(edit.diff_bytes(stat=True))
