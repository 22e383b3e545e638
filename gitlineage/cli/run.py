"""The command run, which makes a trial by a command, and runs, which lists, shows, ends and goes on with them."""

import os
import re
import shlex
import sys
import time
from contextlib import suppress
from typing import Annotated, Any

import msgspec
import typer

from gitlineage.bridge.placing import Place
from gitlineage.cli import layout, listing, options, output
from gitlineage.cli.commands import Listing, command, commands
from gitlineage.cli.layout import Cell, Column
from gitlineage.cli.opening import opened
from gitlineage.errors import Invalid, LineageError, NotFound
from gitlineage.model.rank import ELIGIBLE
from gitlineage.model.records import Task
from gitlineage.model.trial import FailureLabel
from gitlineage.run import after, gate, lease, metric, resume, trial
from gitlineage.run.begin import home
from gitlineage.run.check import NAME
from gitlineage.run.output import cleaned, follow, tail
from gitlineage.run.records import IfTried, Limits, Plan, Run, State
from gitlineage.run.watch import Watcher
from gitlineage.store.store import LineageStore

app = commands()
listed = commands("List, show, end and go on with what was run")
app.add_typer(listed, name="runs")

_PREEMPTED = 143
_INTERRUPTED = 130
_STRICT = {
    FailureLabel.DISCARD: 10,
    FailureLabel.CRASH: 11,
    FailureLabel.PREFLIGHT_CRASH: 11,
    FailureLabel.TRAIN_BUDGET_OVERRUN: 12,
    FailureLabel.EVAL_BUDGET_OVERRUN: 12,
    FailureLabel.SIZE_BLOCKED: 12,
    FailureLabel.DISQUALIFIED: 13,
    FailureLabel.HARNESS_ABORT: _INTERRUPTED,
}
"""What ``--strict`` exits with."""

_FAILED = tuple(each.value for each in FailureLabel if each not in (*ELIGIBLE, FailureLabel.DISCARD))
"""Statuses that an exit code may stand for."""

_SHOWN = 10
"""Lines of the log that are shown of what failed."""

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
_RUNS = (
    Column("run", cap=14),
    Column("state"),
    Column("status"),
    Column("began", drop=2),
    Column("took", right=True),
    Column("where", drop=3),
    Column("command"),
)


def _seconds(value: str | None) -> str | None:
    if value is not None:
        match = _DURATION.fullmatch(value)
        if not value or match is None:
            raise typer.BadParameter(f"{value!r} is no time; it takes seconds, or 90s, 10m, 2h30m")
    return value


def _bytes(value: str | None) -> str | None:
    if value is not None and _SIZE.fullmatch(value) is None:
        raise typer.BadParameter(f"{value!r} is no size; it takes bytes, or a number with k, m or g")
    return value


def _exits(values: list[str] | None) -> list[str] | None:
    for value in values or []:
        code, _, status = value.partition("=")
        if not (code.isdecimal() and code.isascii() and 0 < int(code) < 256 and status in _FAILED):
            raise typer.BadParameter(f"{value!r} is no N=STATUS, with N from 1 to 255 and one of {', '.join(_FAILED)}")
    return values


def _pattern(value: str | None) -> str | None:
    if value is not None and value.startswith("re:"):
        try:
            re.compile(value.removeprefix("re:"))
        except re.error as error:
            raise typer.BadParameter(f"{value!r} is no pattern: {error}") from error
    return value


def _time(option: str, help: str) -> Any:
    return typer.Option(option, metavar="TIME", callback=_seconds, help=help, rich_help_panel=_LIMITS)


def _size(option: str, help: str) -> Any:
    return typer.Option(option, metavar="SIZE", callback=_bytes, help=help, rich_help_panel=_LIMITS)


_LIMITS = "Limits"
_WHERE = "Where it runs"
_RESULT = "Its result"


@command(app, "run", 'gitlineage run -m "a wider model" --timeout 10m -- python train.py')
def run(
    ctx: typer.Context,
    words: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND...", help="What to run, with its arguments.", show_default=False)
    ],
    hypothesis: options.Hypothesis = "",
    parents: options.Parents = None,
    root: options.Root = False,
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role", metavar="PARENT=ROLE", help="What a parent was: base, mate, inspiration, contrast; repeatable."
        ),
    ] = None,
    cohort: Annotated[str | None, typer.Option("--cohort", metavar="NAME", help="The batch it belongs to.")] = None,
    specialist: options.Specialist = "",
    domain: options.Domain = "",
    notes: options.Notes = "",
    field: options.Fields = None,
    metric_name: Annotated[
        str | None,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="What the score is called in the output. [default: the task's column]",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    metric_from: Annotated[
        str | None,
        typer.Option(
            "--metric-from",
            metavar="FILE|re:PATTERN",
            callback=_pattern,
            help="A file that has it, or what the output says of it; a group of the pattern is the number.",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    check: Annotated[
        list[str] | None,
        typer.Option(
            "--check",
            metavar="COMMAND",
            help="Has to succeed before the run and after it; before: or after: in front says which. Repeatable.",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    frozen: Annotated[
        list[str] | None,
        typer.Option(
            "--frozen",
            metavar="PATH",
            help="What the command must not change; repeatable.",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    artifact: Annotated[
        list[str] | None,
        typer.Option("--artifact", metavar="GLOB", help="Files that it makes; repeatable.", rich_help_panel=_RESULT),
    ] = None,
    exits: Annotated[
        list[str] | None,
        typer.Option(
            "--exit-code",
            metavar="N=STATUS",
            callback=_exits,
            help="What an exit code of its own says, as 3=train_budget_overrun; any other is a crash. Repeatable.",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    timeout: Annotated[str | None, _time("--timeout", "How long it may train: 90, 10m, 2h30m.")] = None,
    eval_timeout: Annotated[
        str | None, _time("--eval-timeout", "How long it may evaluate, from a line `GITLINEAGE_PHASE eval` on.")
    ] = None,
    grace: Annotated[str, _time("--grace", "How long it may take to end when asked to.")] = "10s",
    stall: Annotated[str | None, _time("--stall", "End it when it prints nothing for so long.")] = None,
    max_memory: Annotated[str | None, _size("--max-memory", "What its processes may have together: 8g.")] = None,
    max_artifact: Annotated[str | None, _size("--max-artifact", "How large one artifact may be: 50m.")] = None,
    max_log: Annotated[str, _size("--max-log", "How much of its output is kept.")] = "256m",
    isolated: Annotated[
        bool,
        typer.Option(
            "--isolated",
            help="Run in a checkout of the snapshot outside of the working tree; so does git config lineage.run "
            "isolated.",
            rich_help_panel=_WHERE,
        ),
    ] = False,
    link: Annotated[
        list[str] | None,
        typer.Option(
            "--link",
            metavar="PATH",
            help="What an isolated run sees of the working tree besides, as data that is ignored; repeatable.",
            rich_help_panel=_WHERE,
        ),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Leave it to itself and return at once.", rich_help_panel=_WHERE)
    ] = False,
    repeat: Annotated[
        int,
        typer.Option(
            "--repeat",
            min=1,
            metavar="N",
            help="Run it so often at most, with $GITLINEAGE_SEED from 0 on, and judge the mean.",
            rich_help_panel=_RESULT,
        ),
    ] = 1,
    gpus: Annotated[
        int,
        typer.Option(
            "--gpus",
            min=0,
            metavar="N",
            help="Wait for so many free GPUs and show it these alone.",
            rich_help_panel=_WHERE,
        ),
    ] = 0,
    if_tried: Annotated[
        IfTried,
        typer.Option(
            "--if-tried",
            metavar="WHAT",
            help="Where its content and command were tried: refuse, warn, or repeat, which makes a replicate.",
            rich_help_panel=_WHERE,
        ),
    ] = IfTried.REFUSE,
    revert: Annotated[
        bool,
        typer.Option("--revert", help="Put the parent's files back after what is no keep.", rich_help_panel=_RESULT),
    ] = False,
    applied: Annotated[
        bool,
        typer.Option("--apply", help="Bring an isolated keep's files into the working tree.", rich_help_panel=_RESULT),
    ] = False,
    name: Annotated[
        str,
        typer.Option(
            "--run",
            metavar="ID",
            envvar=NAME,
            help="Make, or go on with, the trial of this exp id; one with a result is shown and not run again.",
            rich_help_panel=_WHERE,
        ),
    ] = "",
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit with 10 for a discard, 11 for a crash, 12 over a budget, 13 disqualified."),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """
    Run a command and record it as a trial

    The code is recorded, and the trial as pending, before the command starts; it runs as it would without us. Its score
    is taken from the JSON file that $GITLINEAGE_RESULT names, --metric-from, DVCLive's metrics.json, lines
    `METRIC name=value`, or the last `name: value` of the task's metric, in this order. Exit code 0 says that the trial
    is recorded, however it ended.
    """
    if max_artifact is not None and not artifact:
        raise typer.BadParameter("it needs --artifact, which says what they are", param_hint="'--max-artifact'")
    for option, given_too in (("--repeat", repeat > 1), ("--revert", revert), ("--apply", applied)):
        if detach and given_too:
            raise typer.BadParameter("it excludes --detach: nobody waits for the result", param_hint=f"'{option}'")
    if repeat > 1 and name:
        raise typer.BadParameter("it excludes --run: each run is a trial of its own", param_hint="'--repeat'")
    cells = {"hypothesis": hypothesis, "specialist": specialist, "domain": domain, "notes": notes}
    given = {**cells, **dict(options.pairs(field, "--field"))}
    known_roles = options.roles(role)
    environment = os.environ
    with opened(ctx, create=True, running=True) as store:
        _settle_task(store, metric_name)
        plan = Plan(
            command=tuple(words),
            folder=os.getcwd(),
            cells={column: text for column, text in given.items() if text},
            parents=_given(options.parents(store, parents, root)),
            roles=known_roles,
            cohort=cohort,
            metric=metric_name or "",
            metric_from=metric_from or "",
            limits=Limits(
                timeout=_to_seconds(timeout),
                eval_timeout=_to_seconds(eval_timeout),
                grace=_to_seconds(grace) or 0.0,
                stall=_to_seconds(stall),
                memory=_to_bytes(max_memory),
                log=_to_bytes(max_log) or 0,
                artifact=_to_bytes(max_artifact),
            ),
            checks=tuple(check or ()),
            frozen=tuple(frozen or ()),
            links=tuple(link or ()),
            artifacts=tuple(artifact or ()),
            exits={
                int(code): FailureLabel(status) for code, _, status in (each.partition("=") for each in exits or ())
            },
            isolated=isolated,
            name=name,
            if_tried=if_tried,
            gpus=gpus,
            job=environment.get("SLURM_JOB_ID", ""),
            restarts=int(environment.get("SLURM_RESTART_COUNT") or 0),
        )
        shown = _Live(store, as_json)
        if detach:
            begun = trial.start(store, plan, shown)
            _print_started(store, begun, as_json)
            return
        try:
            runs = (
                trial.repeat(store, plan, repeat, shown)[0]
                if repeat > 1
                else [trial.run(store, plan, shown, stdin=_piped())]
            )
        finally:
            shown.close()
        for done in runs:
            _print_ended(store, done, as_json, live=shown.is_live)
        if revert:
            after.revert(store, runs[-1], shown)
        if applied:
            after.apply(store, runs[-1], shown)
    code = _code(runs[-1], strict)
    if code:
        raise typer.Exit(code)


def _piped() -> int | None:
    """Return the descriptor of what was piped to this process; none where that is a terminal."""
    try:
        return None if os.isatty(0) else 0
    except OSError:
        return None


def _given(parents: list[str] | None) -> tuple[str, ...] | None:
    return None if parents is None else tuple(parents)


def _settle_task(store: LineageStore, name: str | None) -> None:
    """
    Say what is optimised where nobody has, by the name that the command line gives, and tell what is assumed.

    Raises:
        Invalid: nobody says it: whatever the command prints would count for nothing.
    """
    if store.ledger.recorded_task() is not None:
        return
    if name is None:
        raise Invalid(
            "nobody said which metric is optimised; `gitlineage init --metric NAME --lower-is-better` (or "
            "--higher-is-better) does, and --metric NAME does for now"
        )
    store.set_task(Task(score_field=name, assumed=True))
    output.note(f"the task is {name}; {listing.ASSUMED}")


def _to_seconds(text: str | None) -> float | None:
    if text is None:
        return None
    match = _DURATION.fullmatch(text)
    assert match is not None
    return sum(float(part or 0) * unit for part, unit in zip(match.groups(), (86400, 3600, 60, 1), strict=True))


def _to_bytes(text: str | None) -> int | None:
    if text is None:
        return None
    match = _SIZE.fullmatch(text)
    assert match is not None
    return int(float(match[1]) * 1024 ** " kmgt".index(match[2].lower() or " "))


def _code(run: Run, strict: bool) -> int:
    """Return what `gitlineage run` exits with."""
    if run.state is State.PREEMPTED:
        return _PREEMPTED
    if run.failure == "interrupted":
        return _INTERRUPTED
    return _STRICT.get(run.status, 0) if strict and run.status is not None else 0


# -- while it runs -----------------------------------------------------------------------------------------------------


class _Live(Watcher):
    """
    Shows a run to whoever looks: what it prints, how long it has run, and the last score that it told of.

    A pipe gets what it prints, too; as JSON it is in the log alone.
    """

    def __init__(self, store: LineageStore, as_json: bool) -> None:
        self._store = store
        self.is_live = not as_json
        self._names = (store.task.score_field, store.task.short)
        self._score = ""
        self._drawn = ""
        self._next = 0.0

    def began(self, run: Run, place: Place | None) -> None:
        """Say which trial it is, where its snapshot went, and where it runs."""
        if place is not None:
            came = gate.placed(self._store, run, place)
        elif run.state is State.RUNNING:
            came = f"attempt {run.attempt}, which still runs, is watched on"
        else:
            came = f"attempt {run.attempt + 1}"
        where = f"; isolated: {run.isolated}" if run.isolated else ""
        self.note(f"run {run.id}: {came or 'recorded'}{where}")

    def printed(self, data: bytes) -> None:
        """Show what it printed, without what a terminal would act upon."""
        if not self.is_live:
            return
        text = cleaned(data) + ("\n" if data.endswith(b"\n") else "")
        self._score = metric.last_shown(text, self._names) or self._score
        with suppress(OSError):  # a terminal that was closed ends nothing
            self._erase()
            output.write(text)
            sys.stdout.flush()

    def tick(self, run: Run, seconds: float) -> None:
        """Draw how long it has run, once a second."""
        if not self.is_live or not output.is_terminal() or not sys.stderr.isatty() or seconds < self._next:
            return
        score = f"  {self._names[-1]} {self._score}" if self._score else ""
        with suppress(OSError):
            self._erase()
            self._next = int(seconds) + 1.0
            self._drawn = f"[{_took(seconds)}{score}]"
            sys.stderr.write(self._drawn)
            sys.stderr.flush()

    def note(self, text: str) -> None:
        """Say something about it on standard error."""
        with suppress(OSError):
            self._erase()
            output.note(text)

    def close(self) -> None:
        """Take away what was drawn."""
        with suppress(OSError):
            self._erase()

    def _erase(self) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn = ""


# -- what it came to ---------------------------------------------------------------------------------------------------


def _print_started(store: LineageStore, run: Run, as_json: bool) -> None:
    if as_json:
        output.json_line(_object(store, run))
        return
    output.say(f"{output.paint(output.clean(run.id), 'bold')}  {run.state.value}  {run.oid[: listing.SHORT]}")
    output.say(f"  gitlineage runs log {output.clean(run.id)} -f, or runs wait, or runs cancel")


def _print_ended(store: LineageStore, run: Run, as_json: bool, *, live: bool = False) -> None:
    if as_json:
        output.json_line(_object(store, run))
        return
    if run.state is State.PREEMPTED:
        id = output.clean(run.id)
        output.say(f"{output.paint(id, 'bold')}  preempted: the trial waits; `gitlineage runs resume {id}` goes on")
        return
    view = listing.view_on(store.ledger.views(), run.oid, run.id)
    task = store.task
    state, delta = listing.status_cell(view.trial.status), listing.delta_cell(view.trial, task)
    score = view.trial.text(task.score_field)
    shown = [
        output.paint(output.clean(view.label), "bold"),
        output.paint(state.text, state.style),
        output.clean(f"{task.short} {score}") if score else "",
        f"({output.paint(output.clean(delta.text), delta.style)})" if delta.text else "",
        output.paint(view.oid[: listing.SHORT], "dim"),
        _took(run.facts.ended - run.began) if run.began and run.facts.ended else "",
        output.clean(f"from {run.found}") if run.found and score else "",
    ]
    output.say("  ".join(filter(None, shown)))
    if run.words:
        output.say(f"  {output.clean(run.words)}")
    if run.failure and run.began:
        path = lease.Files(home(store), run.id).log
        said = tail(path, run.log_from, lines=_SHOWN) if not live else ""
        for line in said.splitlines():
            output.say(f"  | {output.clean(line)}")
        output.say(f"  the log: gitlineage runs log {output.clean(run.id)}")


def _object(store: LineageStore, run: Run) -> dict[str, Any]:
    """Return all that is known of a run, with its trial's row where it is recorded."""
    try:
        view = listing.view_on(store.ledger.views(), run.oid, run.id)
        row = listing.trial_objects(store.ledger.views(), [view])[0]
    except (LineageError, StopIteration):
        row = {}
    told = msgspec.structs.asdict(run)
    for name in ("cookie", "plan", "facts", "frozen"):
        del told[name]
    facts = msgspec.structs.asdict(run.facts)
    files = lease.Files(home(store), run.id)
    supervised = run.state is not State.ENDED and lease.is_held(files.lease)
    asked = {"command": run.plan.command, "limits": msgspec.structs.asdict(run.plan.limits)}
    return {**row, "run": {**told, **asked, **facts, "log": str(files.log), "supervised": supervised}}


def _took(seconds: float) -> str:
    """Return a time in words: ``4.2 s``, ``3:07``, ``1:02:03``."""
    if seconds < 60:
        return f"{max(seconds, 0):.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


# -- runs --------------------------------------------------------------------------------------------------------------

Id = Annotated[str, typer.Argument(metavar="ID", help="The run, which is called as its trial.", show_default=False)]


@command(listed, "list", "gitlineage runs list", Listing)
def list_(ctx: typer.Context, count: options.Count = 20, as_json: options.Json = False) -> None:
    """List runs of this machine, those that began last first"""
    with opened(ctx, running=True) as store:
        rows = []
        for each in resume.runs(store, options.at_most(count)):
            if as_json:
                output.json_line(_object(store, each))
                continue
            state = _state(store, each)
            status = listing.status_cell(each.status) if each.status else Cell("")
            ended = each.facts.ended or (time.time() if state == "running" else 0.0)
            rows.append(
                [
                    Cell(output.clean(each.id), "bold"),
                    Cell(state, "red" if state == "lost" else ""),
                    status,
                    Cell(time.strftime("%Y-%m-%d %H:%M", time.localtime(each.began)) if each.began else ""),
                    Cell(_took(ended - each.began) if each.began and ended else ""),
                    Cell("isolated" if each.isolated else "here"),
                    Cell(output.clean(shlex.join(each.plan.command))),
                ]
            )
    if not as_json:
        layout.table(_RUNS, rows)


def _state(store: LineageStore, run: Run) -> str:
    """Return where a run is, in a word; ``lost`` where nobody supervises it although it has not ended."""
    if run.state in (State.ENDED, State.PREEMPTED) or resume.is_held(store, run):
        return run.state.value
    return "lost"


@command(listed, "show", "gitlineage runs show 007")
def show(ctx: typer.Context, id: Id, as_json: options.Json = False) -> None:
    """Show what is known of a run, with the end of its log"""
    with opened(ctx, running=True) as store:
        files, run = resume.find(store, id)
        if as_json:
            output.json_line({**_object(store, run), "tail": tail(files.log, run.log_from)})
            return
        facts = run.facts
        layout.facts(
            [
                ("run", output.clean(run.id)),
                ("state", _state(store, run)),
                ("status", run.status.value if run.status else ""),
                ("what happened", output.clean(run.words)),
                ("score", output.clean(f"{run.score} from {run.found}") if run.score else ""),
                ("command", output.clean(shlex.join(run.plan.command))),
                ("in", output.clean(run.folder) + (" (isolated)" if run.isolated else "")),
                ("began", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.began)) if run.began else ""),
                ("took", _took(facts.ended - run.began) if facts.ended and run.began else ""),
                ("exit code", "" if facts.exit_code is None else str(facts.exit_code)),
                ("memory", f"{facts.peak_memory / 2**20:,.0f} MiB" if facts.peak_memory else ""),
                ("host", output.clean(run.host)),
                ("attempts", str(run.attempt)),
                ("log", output.clean(str(files.log))),
            ]
        )
        for line in tail(files.log, run.log_from, lines=_SHOWN).splitlines():
            output.say(f"  | {output.clean(line)}")


@command(listed, "log", "gitlineage runs log 007 -f")
def log(
    ctx: typer.Context,
    id: Id,
    followed: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the run has ended.")] = False,
    lines: Annotated[
        int | None, typer.Option("--tail", min=1, metavar="N", help="Only so many lines at its end.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """
    Print the log of a run

    Where another machine ran it, its end that the trial's note keeps. Control characters and escape sequences are left
    out.
    """
    with opened(ctx, running=True) as store:
        try:
            files, run = resume.find(store, id)
        except NotFound:
            label, kept = resume.log_tail(store, id)
            if kept is None:
                raise
            if as_json:
                output.json_line({"id": label, "size": kept.size, "digest": kept.digest, "tail": kept.tail})
                return
            if kept.size > len(kept.tail.encode()) + 1:  # the last line's end is not kept
                output.note(f"another machine has the whole log of {kept.size:,} bytes; this is its end")
            for line in kept.tail.splitlines()[-(lines or 0) :]:
                output.say(line)
            return
        if as_json:
            output.json_line({"id": run.id, "log": str(files.log), "tail": tail(files.log, lines=lines)})
            return
        at = 0
        if lines is not None:
            output.say(tail(files.log, limit=1024 * lines, lines=lines))
            at = files.log.stat().st_size if files.log.exists() else 0
        at = follow(files.log, at, _show)
        while followed and run.state is not State.ENDED and resume.is_held(store, run):
            time.sleep(0.1)
            at = follow(files.log, at, _show)
            output.flush()
        follow(files.log, at, _show)


def _show(data: bytes) -> None:
    output.write(cleaned(data) + ("\n" if data.endswith(b"\n") else ""))


@command(listed, "wait", "gitlineage runs wait 007")
def wait(
    ctx: typer.Context,
    id: Id,
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", metavar="TIME", callback=_seconds, help="Wait no longer than this; it goes on."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Wait until a run has ended, and print what it came to"""
    with opened(ctx, running=True) as store:
        run = resume.wait(store, id, _to_seconds(timeout))
        if run.state is State.ENDED or as_json:
            _print_ended(store, run, as_json)
        else:
            output.say(f"{output.clean(run.id)}  {_state(store, run)}")


@command(listed, "cancel", "gitlineage runs cancel 007")
def cancel(ctx: typer.Context, id: Id, as_json: options.Json = False) -> None:
    """End a run, to be recorded as harness_abort"""
    with opened(ctx, running=True) as store:
        _print_ended(store, resume.cancel(store, id, _Live(store, as_json)), as_json, live=True)


@command(listed, "resume", "gitlineage runs resume")
def resume_(
    ctx: typer.Context,
    id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The run. [default: all that can be]", show_default=False)
    ] = None,
    handle: Annotated[
        int | None, typer.Option("--lease", hidden=True, help="The lease, from whoever began the run.")
    ] = None,
    keep: Annotated[
        list[int] | None, typer.Option("--keep", hidden=True, help="What holds its devices, likewise.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """
    Go on with runs whose runner is gone

    A command that still lives is watched on; one that has ended is recorded; one that was preempted, or never began, is
    started again as the same trial.
    """
    code = 0
    with opened(ctx, running=True) as store:
        done = []
        if id is None:
            done += resume.settle(store, _Live(store, as_json))
        for name in [id] if id is not None else [each.id for each in resume.lost(store)]:
            shown = _Live(store, as_json)
            try:
                done.append(resume.resume(store, name, shown, handle=handle, keep=keep or ()))
            finally:
                shown.close()
        for each in done:
            _print_ended(store, each, as_json)
            code = code or (_code(each, False))
        if not done and not as_json:
            output.say("nothing to go on with")
    if code:
        raise typer.Exit(code)
