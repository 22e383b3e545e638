"""Commands that record: init, commit and record."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from gitlineage import house
from gitlineage.bridge import placing
from gitlineage.bridge.artifacts import keep
from gitlineage.bridge.placing import Place
from gitlineage.cli import layout, listing, options, output, repair, taking
from gitlineage.cli.commands import command, commands
from gitlineage.cli.opening import opened, place
from gitlineage.errors import Ambiguous, Invalid, InvalidTrial, LineageError, RemoteError, RepositoryError
from gitlineage.git.repository import GitRepo, find_repository, init_repository
from gitlineage.journal.journal import check_writer
from gitlineage.model.artifact import COLUMN, cell
from gitlineage.model.message import flattened
from gitlineage.model.records import Snapshot, TrialView
from gitlineage.model.trial import AUTO_ID, NUMERIC, Trial, check_id_prefix, parse_number
from gitlineage.query.ancestry import originals
from gitlineage.query.judge import Verdict
from gitlineage.query.views import Views
from gitlineage.run.lease import Files, is_held
from gitlineage.store.store import LineageStore
from gitlineage.text import counted, to_type

app = commands()


@command(app, "init", "gitlineage init --metric val_bpb --lower-is-better")
def init(
    ctx: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="The folder. [default: the current one]", show_default=False)
    ] = None,
    writer: Annotated[
        str | None, typer.Option("--writer", metavar="NAME", help="What this clone's records are filed under.")
    ] = None,
    id_prefix: Annotated[
        str | None,
        typer.Option(
            "--id-prefix", metavar="TEXT", help="What this clone's automatic exp ids begin with, as in a-000."
        ),
    ] = None,
    metric: options.TaskMetric = None,
    lower_is_better: options.Direction = None,
    label: options.Label = None,
    force: Annotated[
        bool, typer.Option("--force", help="Change the task although recorded trials then rank otherwise.")
    ] = False,
    bare: Annotated[bool, typer.Option("--bare", help="Make a repository without a working tree.")] = False,
    remote: Annotated[
        str | None,
        typer.Option(
            "--remote",
            metavar="NAME",
            help="Pull its lineage, and have a plain git fetch and git push with it carry lineage.",
        ),
    ] = None,
    reassert: Annotated[
        bool, typer.Option("--reassert", help="Record the task again as it was before another writer's last word.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """
    Make a repository ready and say what is optimised

    What the task is gets recorded for everybody; left out, it is the one that is recorded here or on the --remote,
    whose lineage is pulled, else core_metric, lower is better.
    """
    if reassert:
        options.alone(ctx, "--reassert", "it excludes", "reassert", "as_json")
        repair.reassert(ctx, None, as_json)
        return
    with options.refused("--writer"):
        if writer is not None:
            check_writer(writer)
    with options.refused("--id-prefix"):
        if id_prefix:
            check_id_prefix(id_prefix)
    root, made = _repository(place(ctx).path, folder, bare)
    with opened(ctx, at=root, begin=True) as store:
        if writer is not None:
            store.ledger.repo.set_config(store.ledger.namespace.key("writer"), writer)
        if id_prefix is not None:
            store.ledger.repo.set_config(house.ID_PREFIX, id_prefix)
        name = store.writer
        if remote is not None:
            store.attach(remote)
        pulled = _pulled(store, remote) if remote is not None else 0
        change = _set_task(store, metric, lower_is_better, label, force)
        store.ledger.settle()
        if store.campaign not in store.campaigns():
            store.ledger.journal.begin(name)
            store.ledger.carry_along()
        where = str(store.ledger.repo.workdir or store.ledger.repo.gitdir)
        prefix = store.ledger.repo.config(house.ID_PREFIX)
        if as_json:
            output.json_line(
                {
                    "folder": where,
                    "made": made,
                    "campaign": store.campaign,
                    "writer": name,
                    "id_prefix": prefix or None,
                    "task": store.task,
                    "changed": change or None,
                    "remote": remote,
                    "pulled": pulled,
                }
            )
            return
        output.say(f"{'Made a git repository' if made else 'Using the git repository'} in {output.clean(where)}")
        if change:
            output.say(f"The task is another one: {output.clean(change)}")
        ids = output.clean(f"{prefix}000, {prefix}001, …") if prefix else ""
        task = output.clean(listing.direction(store.task))
        campaign = "" if store.ledger.namespace.is_default else store.campaign
        layout.facts(
            [
                ("campaign", campaign),
                ("writer", name),
                ("new ids", ids),
                ("task", task),
                ("remote", output.clean(remote or "") + (f", {counted(pulled, 'trial')} pulled" if pulled else "")),
            ]
        )
        call = "gitlineage" if store.ledger.namespace.is_default else f"gitlineage --campaign {store.campaign}"
        output.say(f'Next: {call} run -m "the baseline" -- python train.py')
        output.say(f'  or, where something else runs it: {call} commit -m "the baseline" --metric NUMBER')


@command(app, "commit", 'gitlineage commit --parents 012 014 -m "cross 012 with 014" --metric 1.071')
def commit(
    ctx: typer.Context,
    parents: options.Parents = None,
    root: options.Root = False,
    content: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FOLDER-or-REV",
            help="What its files are; 000 is the trial, ./000 a folder. [default: the working tree]",
        ),
    ] = None,
    cohort: Annotated[
        str | None,
        typer.Option(
            "--cohort", metavar="NAME", help="The batch it belongs to; opened on these parents where it is new."
        ),
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role", metavar="PARENT=ROLE", help="What a parent was: base, mate, inspiration, contrast; repeatable."
        ),
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="Another derivation, even where a snapshot has this content already.")
    ] = False,
    message: Annotated[
        str | None, typer.Option("--message", metavar="TEXT", help="The commit message. [default: the hypothesis]")
    ] = None,
    hypothesis: options.Hypothesis = "",
    exp_id: options.ExpId = None,
    status: options.Status = None,
    metric: options.Metric = None,
    specialist: options.Specialist = "",
    domain: options.Domain = "",
    notes: options.Notes = "",
    field: options.Fields = None,
    artifact: options.Artifacts = None,
    as_json: options.Json = False,
) -> None:
    """
    Record a snapshot of the code with its trial

    Without --parents it is derived from what its content is nearest to: the snapshot last recorded or checked out here,
    that one's parents, the best or a recorded HEAD; content that a snapshot has already is a replicate of it. With
    --metric and no --status it is the baseline, a keep or a discard, by the best so far; with neither it waits for
    `gitlineage record`. HEAD, branches and files stay as they are. Untracked files that are plainly no recipe, such as
    .env or node_modules, are left out and counted.
    """
    row = _cells(exp_id, status, hypothesis, specialist, domain, notes, field)
    known_roles = options.roles(role)
    with opened(ctx, create=True) as store:
        if content is None and store.ledger.repo.workdir is None:
            raise Invalid("there is no working tree here; say what to commit with --from FOLDER-or-REV")
        source: Path | str | None = content
        if content is not None and Path(content).is_dir():
            if _is_named(store, content):
                output.note(f"--from takes the id or revision {content}; the folder of that name is ./{content}")
            else:
                source = Path(content)
        row |= _kept(store, artifact)
        with store.batch():
            trial = _trial(store, row, metric)
            given = options.parents(store, parents, root)
            if not isinstance(source, str) and (what := store.ledger.repo.halfway()):
                output.note(f"git is in the middle of a {what} here; the snapshot is of the files as they are now")
            where = placing.place(store, source, parents=given, trial=trial, cohort=cohort, roles=known_roles, new=new)
            verdict = _verdict(store, trial, where.content, where.parents)
            if where.replicate_of is None:
                made = store.commit(
                    where.content, where.parents, trial=trial, cohort=cohort, roles=known_roles, message=message
                )
                oid, wanted = made.oid, None if trial.exp_id == AUTO_ID else trial.exp_id
            else:
                if message is not None:
                    output.note("--message is not kept: equal content makes no commit of its own")
                row_of = trial.replace(exp_id=where.result_of) if where.result_of else trial
                recorded = store.record(where.replicate_of, row_of, replicate=not where.result_of)
                oid, wanted = store.resolve(where.replicate_of), recorded.exp_id
            if not isinstance(source, str):
                store.ledger.stand_on(oid)
        view = next(
            each for each in reversed(store.ledger.views().on_snapshot(oid)) if wanted in (None, each.trial.exp_id)
        )
        _print_recorded(store, view, verdict, as_json, where, store.snapshot(oid))


def _check_is_not_run(store: LineageStore, exp_id: str) -> None:
    """
    Refuse a result for a trial whose command is still going: what that gives would have no place.

    Raises:
        Invalid: it is going.
    """
    if is_held(Files(store.ledger.folder, exp_id).lease):
        hint = to_type("gitlineage", "runs", "cancel", exp_id)
        raise Invalid(f"{exp_id} is being run, and its result is recorded when that ends; `{hint}` ends it")


@command(app, "record", "gitlineage record 015 --status crash --notes 'out of memory in step 3'")
def record(
    ctx: typer.Context,
    rev: Annotated[str, typer.Argument(metavar="REV", help="A snapshot's id, or any commit: HEAD, a branch, an oid.")],
    revise: Annotated[
        bool, typer.Option("--revise", help="Record a new version of a row; the old one stays in history.")
    ] = False,
    replicate: Annotated[
        bool, typer.Option("--replicate", help="Record a further run of the same code, as a row of its own.")
    ] = False,
    judge: Annotated[
        bool,
        typer.Option("--judge", help="With --revise: judge its score anew, by the best before it that counts now."),
    ] = False,
    reassert: Annotated[
        bool, typer.Option("--reassert", help="Record a row again as it was before another writer's last word.")
    ] = False,
    hypothesis: options.Hypothesis = "",
    exp_id: options.ExpId = None,
    status: options.Status = None,
    metric: options.Metric = None,
    specialist: options.Specialist = "",
    domain: options.Domain = "",
    notes: options.Notes = "",
    field: options.Fields = None,
    artifact: options.Artifacts = None,
    as_json: options.Json = False,
) -> None:
    """
    Record a result on a snapshot or on any commit

    A trial that waits for its result there gets it; where there is a result already, --revise or --replicate says what
    another one is. With --metric and no --status, the best so far decides what it is.
    """
    if reassert:
        options.alone(ctx, "--reassert", "it excludes", "reassert", "rev", "as_json")
        repair.reassert(ctx, rev, as_json)
        return
    row = _cells(exp_id, status, hypothesis, specialist, domain, notes, field)
    if revise and replicate:
        raise typer.BadParameter("it excludes --replicate", param_hint="'--revise'")
    if judge and (status or not revise):
        raise typer.BadParameter("it excludes --status" if status else "it needs --revise", param_hint="'--judge'")
    with opened(ctx) as store:
        row |= _kept(store, artifact)
        with store.batch():
            trial = _trial(store, row, metric)
            oid = store.resolve(rev)  # before it is recorded: best may be another one then
            if not (revise or replicate):
                if trial.status is None and store.task.score(trial) is None:
                    raise Invalid("a result needs --status, or --metric to be judged by")
                trial = _waiting(store, rev, oid, _with_subject(store, oid, trial))
                _check_is_not_run(store, trial.exp_id)
            elif revise and trial.exp_id == AUTO_ID and len(named := _named(store.ledger.views(), rev, oid)) == 1:
                trial = trial.replace(exp_id=named[0].trial.exp_id)
            verdict = None if revise else _verdict(store, trial, oid, store.snapshot(oid).parents)
            recorded = store.record(oid, trial, revise=revise, replicate=replicate, judge=judge)
        view = listing.view_on(store.ledger.views(), oid, recorded.exp_id)
        _print_recorded(store, view, verdict, as_json, again=repair.again(store, view) if revise else None)


def _repository(current: Path, folder: Path | None, bare: bool) -> tuple[Path, bool]:
    """Return the repository to work in and whether it was made; a folder that is named gets one of its own."""
    path = current if folder is None else current / folder
    known = find_repository(path)
    own = known is not None and (folder is None or (path / ".git").exists() or Path(known).samefile(path))
    if not own:
        if path.exists() and not path.is_dir():
            raise RepositoryError(f"{path} is a file; name a folder")
        init_repository(path, bare=bare)
    elif bare and GitRepo(path).workdir is not None:
        raise RepositoryError(f"there is a repository with a working tree in {path}; leave out --bare")
    return path, not own


def _pulled(store: LineageStore, remote: str) -> int:
    """Take what others recorded, and their task with it, and return how many trials came; say where that failed."""
    hint = to_type("gitlineage", "pull", remote)
    try:
        done = store.remote.pull(remote)
    except RemoteError as error:
        output.note(output.clean(f"nothing was pulled: {error}; `{hint}` takes what others recorded, and their task"))
        return 0
    for each in done.refused:
        output.note(output.clean(f"{each.writer} was not pulled: {each.reason}"))
    return sum(each.trials for each in done.outcomes if each not in done.refused)


def _set_task(
    store: LineageStore, metric: str | None, lower_is_better: bool | None, label: str | None, force: bool
) -> str:
    """Record what is optimised, where that was said, and return what that changed; what was not said stays."""
    said = {"score_field": metric, "lower_is_better": lower_is_better, "label": label}
    changes: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    if lower_is_better is not None:
        changes["assumed"] = msgspec.UNSET
    if metric is not None and metric != store.task.score_field:
        changes = {"label": "", **changes}
    return store.set_task(msgspec.structs.replace(store.task, **changes), force=force) if changes else ""


def _cells(
    exp_id: str | None,
    status: str | None,
    hypothesis: str,
    specialist: str,
    domain: str,
    notes: str,
    field: list[str] | None,
) -> dict[str, str]:
    """Return the cells that the row options give, by column; the empty ones are left to the store."""
    if exp_id == "":
        raise typer.BadParameter("it must not be empty", param_hint="'--exp-id'")
    given = {
        "exp_id": exp_id or "",
        "status": status or "",
        "hypothesis": hypothesis,
        "specialist": specialist,
        "domain": domain,
        "notes": notes,
    }
    return {column: text for column, text in {**given, **dict(options.pairs(field, "--field"))}.items() if text}


def _kept(store: LineageStore, patterns: list[str] | None) -> dict[str, str]:
    """Keep the files that ``--artifact`` names and return the cell that lists them; hashed before any lock is held."""
    return {COLUMN: cell(keep(store, Path(), patterns))} if patterns else {}


def _trial(store: LineageStore, cells: dict[str, str], metric: str | None) -> Trial:
    """Return the trial that the options tell of."""
    field = store.task.score_field
    for column in (*NUMERIC, field):
        if (text := cells.get(column)) and parse_number(text) is None:
            raise typer.BadParameter(f"{column} takes a number, not {text!r}", param_hint="'--field'")
    try:
        return Trial.from_cells({**cells, field: metric} if metric is not None else cells)
    except InvalidTrial as error:
        option = "--exp-id" if error.field == "exp_id" else "--field"
        raise typer.BadParameter(str(error), param_hint=f"'{option}'") from error


def _is_named(store: LineageStore, text: str) -> bool:
    """Whether a text is an id or a revision."""
    with suppress(LineageError):
        return store.ledger.repo.resolve_tree(text) is not None or bool(store.snapshot(text).oid)
    return False


def _verdict(store: LineageStore, trial: Trial, content: str, parents: Sequence[str]) -> Verdict | None:
    """Return what the store will make of a score without a status, ``None`` where there is nothing to judge."""
    score = store.task.score(trial)
    return store.judge(score, content, parents) if trial.status is None and score is not None else None


def _waiting(store: LineageStore, rev: str, oid: str, trial: Trial) -> Trial:
    """Return a result with the exp id of the trial that waits for it; refuse a second one for a trial that has one."""
    if trial.exp_id != AUTO_ID:
        return trial
    views = store.ledger.views()
    here = views.on_snapshot(oid)
    meant = _named(views, rev, oid) or [view for view in here if view.trial.status is None] or here
    waiting = [view for view in meant if view.trial.status is None]
    if len(waiting) > 1:
        raise Ambiguous(rev, [view.label for view in waiting])
    if meant and not waiting:
        state = meant[0].trial.status
        raise Invalid(
            f"{meant[0].label} has a result already ({state}); --revise records a new version of it, --replicate "
            "another run of the same code"
        )
    return trial.replace(exp_id=waiting[0].trial.exp_id) if waiting else trial


def _with_subject(store: LineageStore, oid: str, trial: Trial) -> Trial:
    """Return the first row on a commit of the user's, with the commit's subject where it has no hypothesis."""
    views, snapshot = store.ledger.views(), store.snapshot(oid)
    before = originals(views, oid)
    if trial.hypothesis or (snapshot.recorded and not before) or views.on_snapshot(oid):
        return trial
    if any(view.trial.status is None for old in before for view in views.on_snapshot(old)):
        return trial  # the one that waits has its own
    return trial.replace(hypothesis=flattened(snapshot.subject))


def _named(views: Views, rev: str, oid: str) -> list[TrialView]:
    """Return the trials on a snapshot that a text names, other than by the snapshot itself."""
    best = views.best() if rev == "best" else None
    names = (best.label,) if best else (rev, rev.removeprefix("exp_"))
    return [view for view in views.on_snapshot(oid) if view.label in names or view.trial.exp_id in names]


def _print_recorded(
    store: LineageStore,
    view: TrialView,
    verdict: Verdict | None,
    as_json: bool,
    place: Place | None = None,
    made: Snapshot | None = None,
    again: repair.Again | None = None,
) -> None:
    judged = verdict if verdict is not None and verdict.status == view.trial.status else None
    if as_json:
        more = place.object(store) if place is not None else {}
        more |= {"content": taking.facts(store, made)} if made is not None else {}
        more |= again.facts() if again is not None else {}
        output.json_line({**listing.trial_objects(store.ledger.views(), [view])[0], **more, "verdict": judged})
        return
    trial, task = view.trial, store.task
    state = listing.status_cell(trial.status)
    score, delta = trial.text(task.score_field), listing.delta_cell(trial, task)
    told = place.told(store) if place is not None else ""
    came = f"from {listing.came_from(view)}" if listing.came_from(view) else ""
    words = [
        output.paint(output.clean(view.label), "bold"),
        output.paint(state.text, state.style),
        output.clean(f"{task.short} {score}") if score else "",
        f"({output.paint(output.clean(delta.text), delta.style)})" if delta.text else "",
        output.paint(view.oid[: listing.SHORT], "dim"),
        output.clean(told or came),
        output.clean(f"in cohort {view.cohort}") if view.cohort else "",
    ]
    output.say("  ".join(filter(None, words)))
    if judged is not None:
        output.say(f"  {output.clean(judged.reason)}")
    if made is not None:
        taking.tell(store, made)
    if again is not None:
        again.tell(store)
    if trial.status is None:
        output.say(f"  record its result: gitlineage record {output.clean(view.label)} --status keep --metric NUMBER")
