"""The command import autoresearch: a running loop's results taken in, once or for as long as it runs."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from gitlineage.bounds import read_input
from gitlineage.bridge.autoresearch import import_autoresearch
from gitlineage.bridge.rows import LoopOutcome
from gitlineage.cli import listing, options, output
from gitlineage.cli.opening import opened, place
from gitlineage.errors import Invalid, LineageError, StorageError
from gitlineage.model.records import Task, TrialView
from gitlineage.model.trial import FailureLabel
from gitlineage.store.store import LineageStore
from gitlineage.text import counted

EXAMPLE = "gitlineage import autoresearch --watch"
_FILE = "results.tsv"
_SHOWN = 10
_INTERVAL = 2.0


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
    status: Annotated[
        list[str] | None,
        typer.Option("--status", metavar="WORD=STATUS", help="What another word for a status means; repeatable."),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend rows with too many or too few cells instead of refusing.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on importing while the loop runs, until Ctrl-C.")] = False,
    interval: Annotated[
        float, typer.Option("--interval", min=0.05, metavar="SECONDS", help="How often --watch looks at the file.")
    ] = _INTERVAL,
    as_json: options.Json = False,
) -> None:
    """
    Import an autoresearch loop's results onto its own commits

    The first column is a commit's hash. Branches, index and files stay as they are: commits get notes, lost ones a
    stand-in. Again, it adds what is new; a changed cell becomes a new version of its row. All of it or nothing. A row
    with a score and no status is judged by the rows before it; one with neither is pending.
    """
    meanings = _meanings(status)
    with opened(ctx) as store:
        source = Results(store, place(ctx).path, results, branch)

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
            follow(store, source, look, interval, as_json)
            return
        outcome = look(source.read(), True)
        if as_json:
            output.json_line(outcome)
        else:
            _print(outcome)


class Results:
    """
    Where a loop's results are read from, again and again.

    Args:
        folder: the folder that the command works in.
        given: the file that was named.
        branch: the branch that was named; its own file is taken where another one is checked out.
    """

    def __init__(self, store: LineageStore, folder: Path, given: Path | None, branch: str | None) -> None:
        self._store = store
        self._branch = branch
        self._path = given
        if given is None and (branch is None or store.ledger.repo.head() == store.ledger.repo.resolve(branch)):
            self._path = self._nearest(folder)
        self.name = str(given or _FILE)

    def _nearest(self, folder: Path) -> Path:
        """Return the results in a folder, else those at the top of the working tree."""
        top = self._store.ledger.repo.workdir
        return folder / _FILE if top is None or (folder / _FILE).exists() else top / _FILE

    def stamp(self) -> object:
        """Return what changes whenever the results do; ``None`` where there are none yet."""
        if self._path is None:
            return self._store.ledger.repo.resolve(str(self._branch))
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def read(self) -> bytes:
        """
        Return the results.

        Raises:
            StorageError: they cannot be read.
        """
        if self._path is None:
            return self._committed(str(self._branch))
        try:
            with self._path.open("rb") as given:
                return read_input(given, self.name)
        except OSError as error:
            hint = "; name the loop's file with --results FILE" if isinstance(error, FileNotFoundError) else ""
            raise StorageError(f"cannot read {self._path}: {error.strerror or error}{hint}") from error

    def _committed(self, branch: str) -> bytes:
        repo = self._store.ledger.repo
        commit = repo.resolve(branch)
        if commit is None:
            raise Invalid(f"there is no branch {branch!r}; `git branch -a` lists them")
        entry = repo.read_tree(repo.commit(commit).tree).get(_FILE)
        if entry is None:
            raise Invalid(f"there is no {_FILE} on {branch}; name the loop's file with --results FILE")
        return repo.read(entry.oid)


def follow(
    store: LineageStore, source: Results, look: Callable[[bytes, bool], LoopOutcome], interval: float, as_json: bool
) -> None:
    """
    Import whenever the results have changed, and print each new trial.

    What is wrong with the file is told once, and does not end the watch: the loop, or its owner, may yet mend it.
    """
    seen: object = None
    told = ""
    begun = False
    output.note(f"watching {source.name}; Ctrl-C ends it")
    while True:
        stamp = source.stamp()
        if stamp is None and not begun:
            begun = True
            output.note(f"there is no {source.name} yet; waiting for it")
        if stamp is not None and stamp != seen:
            try:
                data = source.read()
                if b"\n" in data:
                    outcome = look(data, False)
                    _report(store, outcome, as_json, first=not begun)
                    begun = True
                seen, told = stamp, ""
            except LineageError as error:
                if str(error) != told:
                    output.warning(str(error).replace("\n", ";"))
                told = str(error)
                if isinstance(error, Invalid):  # nothing but another file makes that good; the rest is tried again
                    seen = stamp
        time.sleep(interval)


def _report(store: LineageStore, outcome: LoopOutcome, as_json: bool, *, first: bool) -> None:
    """Print the trials that one look at the file brought."""
    views = store.ledger.views()
    trials = [view for exp_id in outcome.trials for view in views.named_exactly(exp_id)]
    if as_json:
        for each in listing.trial_objects(views, trials):
            output.json_line(each)
    else:
        if first and outcome.known:
            output.say(f"{counted(outcome.known, 'trial')} known already")
        for view in trials:
            output.say(_line(view, views.task))
    output.flush()


def _line(view: TrialView, task: Task) -> str:
    """Return a trial as one line."""
    trial, state, delta = view.trial, listing.status_cell(view.trial.status), listing.delta_cell(view.trial, task)
    score = trial.text(task.score_field)
    words = [
        output.paint(output.clean(view.label), "bold"),
        output.paint(state.text, state.style),
        output.clean(f"{task.short} {score}") if score else "",
        f"({output.paint(output.clean(delta.text), delta.style)})" if delta.text else "",
        output.clean(trial.hypothesis),
    ]
    return "  ".join(filter(None, words))


def _print(outcome: LoopOutcome) -> None:
    listing.print_imported(outcome, outcome.revised)
    if outcome.moved:
        output.say(output.clean(f"moved to their commits, which are here now: {_some(outcome.moved)}"))
    if outcome.lost:
        output.warning(f"their commits are not in this repository: {_some(outcome.lost)}")
    if outcome.unnamed:
        output.note(output.clean(f"rows that name no commit: {_some(outcome.unnamed)}"))


def _some(exp_ids: Sequence[str]) -> str:
    more = f" and {len(exp_ids) - _SHOWN} more" if len(exp_ids) > _SHOWN else ""
    return f"{', '.join(exp_ids[:_SHOWN])}{more}"


def _meanings(values: list[str] | None) -> dict[str, str]:
    """Return what words mean by ``--status WORD=STATUS``."""
    meanings = dict(options.pairs(values, "--status"))
    for word, meaning in meanings.items():
        if meaning not in [label.value for label in FailureLabel]:
            known = ", ".join(label.value for label in FailureLabel)
            raise typer.BadParameter(
                f"{word!r} cannot mean {meaning!r}: it is none of {known}", param_hint="'--status'"
            )
    return meanings
