"""The command import PATH: whatever a path holds is recognised, shown and recorded; asks where it must not guess."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from gitlineage import house
from gitlineage.bridge import columns, importing
from gitlineage.bridge.autoresearch import import_autoresearch
from gitlineage.bridge.formats import words
from gitlineage.bridge.formats.found import Graph
from gitlineage.bridge.formats.source import Source
from gitlineage.bridge.importing import Imported, Planned
from gitlineage.bridge.lgent import GraphOutcome
from gitlineage.bridge.planning import Options, Plan
from gitlineage.bridge.rows import LoopOutcome
from gitlineage.cli import autoresearch, listing, options, output, worlds
from gitlineage.cli.commands import Group
from gitlineage.cli.opening import into, opened, place
from gitlineage.errors import Unclear
from gitlineage.git.repository import GitRepo, find_repository
from gitlineage.model.trial import FailureLabel
from gitlineage.store.store import LineageStore
from gitlineage.text import counted, to_type

EXAMPLE = "gitlineage import path results.tsv --dry-run"
LOOP_EXAMPLE = "gitlineage import autoresearch --watch"
PATH = "path"
"""The command that anything which is no command's name goes to."""

_BRIEF = 40
_INTERVAL = 2.0


class PathGroup(Group):
    """The commands of import, where a path in the place of a command is what to import."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Send what names no command to the one that takes paths."""
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "-h")):
            args = [PATH, *args]
        return super().parse_args(ctx, args)


Map = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="COLUMN=FIELD", help=f"What a column is: {', '.join(columns.FIELDS)}; repeatable."),
]
Words = Annotated[
    list[str] | None,
    typer.Option("--status", metavar="WORD=STATUS,...", help="What words for a status mean; repeatable."),
]
Other = Annotated[
    str | None,
    typer.Option("--other-status", metavar="STATUS", help="What words for a status mean that nobody knows."),
]
Cohort = Annotated[str, typer.Option("--cohort", metavar="NAME", help="The batch that all trials are members of.")]
Made = Annotated[
    str, typer.Option("--specialist", metavar="NAME", help="Who made the trials, where no column says it.")
]


def import_path(
    ctx: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help="Files, folders, repositories, databases; - for standard input.", show_default=False
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be imported, and write nothing.")] = False,
    metric: options.TaskMetric = None,
    lower_is_better: options.Direction = None,
    fields: Map = None,
    status: Words = None,
    other_status: Other = None,
    skip_bad: options.SkipBad = False,
    label: options.Label = None,
    cohort: Cohort = "",
    specialist: Made = "",
    campaign: options.Campaign = None,
    branch: Annotated[
        str | None, typer.Option("--branch", metavar="BRANCH", help="The branch whose commits short hashes mean.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on importing while the file grows, until Ctrl-C.")] = False,
    interval: Annotated[
        float, typer.Option("--interval", min=0.05, metavar="SECONDS", help="How often --watch looks at the file.")
    ] = _INTERVAL,
    as_json: options.Json = False,
) -> None:
    """
    Import what a loop left behind: a table, a log, a run's folder, a database

    The format is told by its content. What it was taken for, what ranks, in which direction and why is said; where that
    cannot be known, nothing is imported and the words that settle it are spelt out. All of it or nothing; again, it
    adds what is new. Branches, index and files stay as they are.
    """
    if len(paths) == 1 and importing.is_worlds(Path(paths[0])):
        why = "an OpenRange store has no trials, and so nothing for"
        options.alone(ctx, paths[0], why, "paths", "dry_run", "skip_bad", "cohort", "campaign", "as_json")
        worlds.import_store(ctx, Path(paths[0]), dry_run, skip_bad, cohort or None, campaign, as_json)
        return
    asked = Options(
        metric=metric,
        lower=lower_is_better,
        label=label,
        statuses=_meanings(status),
        other_status=_class(other_status, "--other-status") if other_status else None,
        skip_bad=skip_bad,
        fields={**_kept_map(ctx), **dict(options.pairs(fields, "--map"))},
        cohort=cohort,
        specialist=specialist,
        branch=branch,
    )
    into(ctx, campaign)
    if watch:
        _watch(ctx, paths, asked, interval, as_json)
        return
    given = [Source.of_stream(sys.stdin.buffer) if path == "-" else Path(path) for path in paths]
    if dry_run and find_repository(place(ctx).path) is None:
        _show(_plans(given, asked, None, as_json, dry_run)[0], as_json)
        return
    with opened(ctx, create=True) as store:
        planned, asked = _plans(given, asked, store, as_json, dry_run)
        if dry_run:
            _show(planned, as_json)
            return
        for each in importing.record(store, planned, asked):
            _print_json(each) if as_json else _print(each, store)


def import_loop(
    ctx: typer.Context,
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="FILE", help="The loop's results. [default: results.tsv]"),
    ] = None,
    branch: Annotated[
        str | None,
        typer.Option("--branch", metavar="BRANCH", help="The loop's branch, where it is not the one checked out."),
    ] = None,
    metric: options.TaskMetric = None,
    lower_is_better: options.Direction = None,
    label: options.Label = None,
    status: Words = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend rows with too many or too few cells instead of refusing.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on importing while the loop runs, until Ctrl-C.")] = False,
    interval: Annotated[
        float, typer.Option("--interval", min=0.05, metavar="SECONDS", help="How often --watch looks at the file.")
    ] = _INTERVAL,
    fields: Map = None,
    other_status: Other = None,
    skip_bad: options.SkipBad = False,
    cohort: Cohort = "",
    specialist: Made = "",
    campaign: options.Campaign = None,
    as_json: options.Json = False,
) -> None:
    """
    Import an autoresearch loop's results onto its own commits

    The first column is a commit's hash. Branches, index and files stay as they are: commits get notes, lost ones a
    stand-in. Again, it adds what is new; a changed cell becomes a new version of its row. All of it or nothing. A row
    with a score and no status is judged by the rows before it; one with neither is pending. With options that say what
    columns and words mean the file is read as `gitlineage import FILE` reads it.
    """
    if fields or other_status or skip_bad or cohort or specialist:
        if repair:
            raise typer.BadParameter(
                "it is for files that are read without options for columns and words", param_hint="'--repair'"
            )
        import_path(
            ctx, [str(results or autoresearch.FILE)], metric=metric, lower_is_better=lower_is_better, fields=fields,
            status=status, other_status=other_status, skip_bad=skip_bad, label=label, cohort=cohort,
            specialist=specialist, campaign=campaign, branch=branch, watch=watch, interval=interval, as_json=as_json,
        )  # fmt: skip
        return
    meanings = _meanings(status)
    stored = [label.value for label in FailureLabel]
    if unknown := [word for word, meaning in meanings.items() if meaning not in stored]:
        raise typer.BadParameter(
            f"{unknown[0]!r} cannot mean {meanings[unknown[0]]!r} to this command: `gitlineage import FILE` takes it",
            param_hint="'--status'",
        )
    into(ctx, campaign)
    with opened(ctx) as store:
        source = autoresearch.Results(store, place(ctx).path, results, branch)

        def look(data: bytes, whole: bool) -> LoopOutcome:
            return import_autoresearch(
                store,
                data,
                source=source.name,
                metric=metric,
                lower_is_better=lower_is_better,
                label=label,
                statuses=meanings,
                branch=branch,
                repair=repair,
                whole=whole,
            )

        if watch:
            autoresearch.follow(store, source, look, interval, as_json)
            return
        outcome = look(source.read(), True)
        if as_json:
            output.json_line({name: told for name, told in msgspec.to_builtins(outcome).items() if name != "names"})
        else:
            _print_loop(outcome)


def _plans(
    given: Sequence[Path | Source], asked: Options, store: LineageStore | None, as_json: bool, dry_run: bool
) -> tuple[list[Planned], Options]:
    """Plan an import; what is unclear is asked where a person sits at a terminal."""
    task = store.ledger.recorded_task() if store is not None else None
    while True:
        try:
            planned, refused = importing.plans(given, asked, task)
        except Unclear as error:
            if as_json or dry_run or not (output.is_terminal() and sys.stdin.isatty()):
                raise
            asked = _ask(error, asked)
            continue
        for each in refused:
            output.warning(output.clean(f"left out {each.reason}"))
        return planned, asked


def _ask(error: Unclear, asked: Options) -> Options:
    """Ask a person what has to be said, and return it with what was said before."""
    output.say(f"{output.clean(error.source)}: {output.clean(error.taken_for)}")
    for problem in error.problems:
        output.say(output.clean(f"{problem.kind}: {problem.text}"))
        for number, words_said in enumerate(problem.options, 1):
            output.say(output.clean(f"  {number}  {to_type(*words_said)}"))
        chosen = typer.prompt("which one", type=int, default=0, show_default=False)
        if not 0 < chosen <= len(problem.options):
            raise error
        asked = _with(asked, list(problem.options[chosen - 1]))
    return asked


def _with(asked: Options, said: list[str]) -> Options:
    """Return options with some that were spelt out."""
    changes: dict[str, Any] = {}
    while said:
        match said.pop(0):
            case "--lower-is-better":
                changes["lower"] = True
            case "--higher-is-better":
                changes["lower"] = False
            case "--metric":
                changes["metric"] = said.pop(0)
            case "--status":
                changes["statuses"] = {**asked.statuses, **_meanings([said.pop(0)])}
            case "--other-status":
                changes["other_status"] = said.pop(0)
            case "--skip-bad":
                changes["skip_bad"] = True
    return msgspec.structs.replace(asked, **changes)


def _watch(ctx: typer.Context, paths: Sequence[str], asked: Options, interval: float, as_json: bool) -> None:
    """Import one file again whenever it has grown."""
    if len(paths) != 1 or paths[0] == "-" or Path(paths[0]).is_dir():
        raise typer.BadParameter("it follows one file", param_hint="'--watch'")
    path = Path(paths[0])
    if path.exists() and path.stat().st_size and not importing.is_line_based(Source(path)):
        raise typer.BadParameter(f"{path} does not grow line by line", param_hint="'--watch'")
    with opened(ctx) as store:
        source = autoresearch.Results(store, place(ctx).path, path, None)

        def look(data: bytes, whole: bool) -> LoopOutcome:
            read = Source(path, str(path), data)
            planned, _ = importing.plans([read], asked, store.ledger.recorded_task(), whole=whole)
            done = importing.record(store, planned, asked)[0]
            if done.graph is not None and (done.graph.added or done.graph.related or done.graph.ended):
                _print_json(done) if as_json else _print_graph(done.plan, done.graph)
            return done.outcome

        autoresearch.follow(store, source, look, interval, as_json)


# -- what is said --------------------------------------------------------------------------------------------------


def _show(planned: Sequence[Planned], as_json: bool) -> None:
    for each in planned:
        if each.graph is not None:
            _show_graph(each.plan, each.graph, as_json)
        elif as_json:
            output.json_line(importing.facts(each.plan))
        else:
            _say_plan(each.plan, "would import")
        if not as_json:
            output.note("nothing was written (--dry-run)")


def _show_graph(plan: Plan, graph: Graph, as_json: bool) -> None:
    begun = sum(not step.ends for step in graph.steps)
    if as_json:
        facts = {"source": plan.source, "kind": plan.kind, "artifacts": graph.names, "relations": begun}
        output.json_line({**facts, "entries": len(graph.entries), "bad": dict(graph.bad), "told": plan.told})
        return
    output.say(output.clean(f"{plan.source}: {plan.kind}"))
    entries = f", {counted(len(graph.entries), 'description')}" if graph.entries else ""
    output.say(f"would import {counted(len(graph.names), 'artifact')}, {counted(begun, 'relation')}{entries}")
    for sentence in plan.told:
        output.note(output.clean(sentence))


def _print_graph(plan: Plan, done: GraphOutcome) -> None:
    output.say(output.clean(f"{plan.source}: {plan.kind}"))
    parts = [counted(len(done.added), "artifact"), counted(done.related, "relation")]
    if done.described:
        parts.append(counted(done.described, "description"))
    if done.ended:
        parts.append(f"{done.ended} of them ended" if done.ended <= done.related else f"{done.ended} ended")
    known = f"; known already: {done.known} and {done.related_before}" if done.known or done.related_before else ""
    output.say(f"imported {', '.join(parts)}{known}")
    if done.taken:
        output.note(output.clean(f"taken for the trials of these names: {autoresearch.some(done.taken)}"))
    if done.repeated:
        many = counted(done.repeated, "relation")
        output.warning(f"{many} said again otherwise, which were not kept: the first word stands until it ends")
    for sentence in plan.told:
        output.note(output.clean(sentence))


def _print(each: Imported, store: LineageStore) -> None:
    if each.graph is not None:
        _print_graph(each.plan, each.graph)
        return
    outcome = each.outcome
    parts = [f"{counted(outcome.added, 'trial')}"]
    if outcome.known - outcome.repeated:
        parts.append(f"{outcome.known - outcome.repeated} known already")
    if outcome.revised:
        parts.append(f"{outcome.revised} with a new version")
    if outcome.repeated:
        parts.append(f"{outcome.repeated} that another file said already (same commit and score): recorded once")
    _say_plan(each.plan, "imported", ", ".join(parts))
    if not each.ranked and each.plan.metric is not None:
        task = store.task
        told = f"this store ranks by {task.short}: what is measured by {each.plan.metric} is kept and not ranked"
        output.warning(output.clean(told))
    if outcome.pending:
        output.say(f"pending: {counted(outcome.pending, 'row')} not over, or with neither status nor score")
    if outcome.moved:
        output.say(output.clean(f"moved to their commits, which are here now: {autoresearch.some(outcome.moved)}"))
    if outcome.dangling:
        output.warning(output.clean(f"parents that no trial has: of {autoresearch.some(outcome.dangling)}"))
    if outcome.circular:
        output.warning(output.clean(f"{autoresearch.CIRCULAR}{autoresearch.some(outcome.circular)}"))
    if outcome.lost:
        output.warning(output.clean(autoresearch.lost(outcome)))


def _say_plan(plan: Plan, verb: str, told: str = "") -> None:
    output.say(output.clean(f"{plan.source}: {plan.kind}"))
    if plan.metric is None:
        output.say("nothing ranks these trials")
    else:
        called = f" (called {plan.named})" if plan.named else ""
        output.say(output.clean(f"ranked by {plan.metric}{called}: {plan.metric_why}"))
        output.say(output.clean(f"{plan.direction.text}: {plan.direction.why}"))
    counts = ", ".join(f"{count} {status or 'without a status'}" for status, count in plan.statuses.items())
    output.say(output.clean(f"{verb} {told or counted(len(plan.rows), 'trial')}: {counts}"))
    if plan.best is not None:
        line = f" (line {plan.best.line})" if plan.best.line else ""
        output.say(output.clean(f"best: {plan.best.id} with {plan.best.value:.12g}{line}"))
    read = {word: name for word, name in plan.words.items() if words.normal(word) != name}
    if read:
        shown = ", ".join(f"{_brief(word)} = {name}" for word, name in list(read.items())[:20])
        output.say(output.clean(f"words for statuses: {shown}{' …' if len(read) > 20 else ''}"))
    for sentence in plan.told:
        output.note(output.clean(sentence))


def _brief(word: str) -> str:
    return word if len(word) <= _BRIEF else f"{word[: _BRIEF - 1]}…"


def _print_json(each: Imported) -> None:
    if each.graph is not None:
        facts = {"source": each.plan.source, "kind": each.plan.kind, "told": each.plan.told}
        output.json_line({**facts, **msgspec.to_builtins(each.graph)})
        return
    done = msgspec.to_builtins(each.outcome)
    done["exp_ids"] = done.pop("trials")
    del done["names"]
    output.json_line({**importing.facts(each.plan), "ranked": each.ranked, **done})


def _print_loop(outcome: LoopOutcome) -> None:
    listing.print_imported(outcome, outcome.revised)
    if outcome.moved:
        output.say(output.clean(f"moved to their commits, which are here now: {autoresearch.some(outcome.moved)}"))
    if outcome.lost:
        output.warning(output.clean(autoresearch.lost(outcome)))
    if outcome.unnamed:
        output.note(output.clean(f"rows that name no commit: {autoresearch.some(outcome.unnamed)}"))


# -- what was given ------------------------------------------------------------------------------------------------


def _meanings(values: Sequence[str] | None) -> dict[str, str]:
    """Return what words mean by ``--status WORD=STATUS,...``, in lower case."""
    split = [part for value in values or () for part in _parts(value)]
    return {word.casefold(): _class(name, "--status") for word, name in options.pairs(split, "--status")}


def _parts(value: str) -> list[str]:
    """Return ``A=x,B=y`` as two; a comma inside a word, before its ``=``, does not part."""
    parts: list[str] = []
    for piece in value.split(","):
        if parts and "=" not in parts[-1]:
            parts[-1] += f",{piece}"
        else:
            parts.append(piece)
    return parts


def _class(name: str, option: str) -> str:
    if name not in words.CLASSES:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(words.CLASSES)}", param_hint=f"'{option}'")
    return name


def _kept_map(ctx: typer.Context) -> Mapping[str, str]:
    """Return what git's configuration says of columns."""
    path = place(ctx).path
    if find_repository(path) is None:
        return {}
    return dict(options.pairs(GitRepo(path).configs(house.IMPORT_MAP), house.IMPORT_MAP))
