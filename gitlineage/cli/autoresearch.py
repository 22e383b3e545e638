"""A running loop's results, looked at again and again: what `import autoresearch` and `import PATH --watch` share."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gitlineage.bounds import read_input
from gitlineage.bridge.rows import LoopOutcome
from gitlineage.cli import listing, output
from gitlineage.errors import Invalid, LineageError, StorageError
from gitlineage.model.records import Task, TrialView
from gitlineage.store.store import LineageStore
from gitlineage.text import counted

FILE = "results.tsv"
"""What a loop's results are called where nobody says otherwise."""

CIRCULAR = "parents that go round in a circle, so that one is left out: of "
"""What is said before the exp ids of rows that are derived from themselves."""

_SHOWN = 10


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
        self.name = str(given or FILE)

    def _nearest(self, folder: Path) -> Path:
        """Return the results in a folder, else those at the top of the working tree."""
        top = self._store.ledger.repo.workdir
        return folder / FILE if top is None or (folder / FILE).exists() else top / FILE

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
        entry = repo.read_tree(repo.commit(commit).tree).get(FILE)
        if entry is None:
            raise Invalid(f"there is no {FILE} on {branch}; name the loop's file with --results FILE")
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


def lost(outcome: LoopOutcome) -> str:
    """Return a sentence that names the commits which are gone, and how many trials had their code there."""
    commits, trials = len(outcome.lost_commits), counted(len(outcome.lost), "trial")
    verb = "is" if commits == 1 else "are"
    return f"{counted(commits, 'commit')} of {trials} {verb} not in this repository: {some(outcome.lost_commits)}"


def some(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
