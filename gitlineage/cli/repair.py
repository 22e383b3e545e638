"""Commands that put right what was recorded: retract and reparent, and what `--reassert` does."""

from typing import Annotated, Any, NamedTuple

import typer

from gitlineage.cli import listing, options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.opening import opened
from gitlineage.model.records import Reparenting, Task, TrialView
from gitlineage.query.outdated import is_beaten, outdated
from gitlineage.store.store import LineageStore
from gitlineage.text import to_type

app = commands()

_TOLD = 5
"""Trials that are named in one line."""

Why = Annotated[str, typer.Option("-m", "--reason", metavar="WHY", help="Why, in a line.", show_default=False)]


@command(app, "retract", 'gitlineage retract 007 -m "the metric was read from the wrong file"')
def retract(
    ctx: typer.Context,
    name: options.Id,
    reason: Why = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take it back: the trial counts again.")] = False,
    by: options.By = None,
    as_json: options.Json = False,
) -> None:
    """
    Say that a trial does not count

    It leaves best, boards, leaderboards and prompts and stays in history: log, show and events have it, and an exported
    table shows it as disqualified. Nothing is deleted. A revision does not bring it back, --undo does. Anybody may say
    so of anybody's trial; the last word holds.
    """
    if not undo and not reason.strip():
        raise typer.BadParameter("say why, in a line", param_hint="'-m'")
    with opened(ctx) as store:
        view = store.retract(name, reason, undo=undo, actor=by)
        best = store.ledger.views().best(stand_in=False)
        missed = again(store, view)
        if as_json:
            output.json_line(
                {
                    **listing.trial_objects(store.ledger.views(), [view])[0],
                    "best": best.label if best else None,
                    **missed.facts(),
                }
            )
            return
        label = output.clean(view.label)
        if undo:
            output.say(f"{label} counts again")
        else:
            output.say(f"{label} is retracted: {output.clean(view.retracted or '')}")
        output.say(f"The best is {output.clean(best.label)}" if best else "There is no best trial now")
        missed.tell(store)


class Again(NamedTuple):
    """
    What may be judged anew after a trial was retracted or revised (semantics 214).

    Args:
        missed: discards that would be keeps now, in recording order.
        beaten: the trial that was revised, where it is a keep that does not beat what it was kept over any more.
    """

    missed: list[TrialView]
    beaten: TrialView | None

    def facts(self) -> dict[str, Any]:
        """Return the same as JSON has it."""
        return {
            "would_be_keeps": [view.label for view in self.missed],
            "keep_is_beaten": self.beaten is not None,
        }

    def tell(self, store: "LineageStore") -> None:
        """Print a line for each kind, with the command that judges anew."""
        if self.beaten is not None:
            label = output.clean(self.beaten.label)
            hint = output.clean(to_type("gitlineage", "record", self.beaten.label, "--revise", "--judge"))
            output.note(f"{label} stays a keep, though it does not beat what it was kept over; `{hint}` judges it anew")
        if self.missed:
            task = store.task
            told = [f"{view.label} ({task.short} {view.trial.text(task.score_field)})" for view in self.missed[:_TOLD]]
            if len(self.missed) > _TOLD:
                told.append(f"{len(self.missed) - _TOLD:,} more")
            hint = to_type("gitlineage", "record", self.missed[0].label, "--revise", "--judge")
            output.note(
                output.clean(
                    f"{', '.join(told)} would be kept now: what each was held against does not count or has another "
                    f"score; they stay discards until `{hint}`, and so for each in turn, judges them anew"
                )
            )


def again(store: "LineageStore", view: TrialView) -> Again:
    """Return what a trial that was just retracted or revised leaves to be judged anew."""
    views = store.ledger.views()
    return Again(outdated(views), view if is_beaten(views, view) else None)


def reassert(ctx: typer.Context, name: str | None, as_json: bool) -> None:
    """
    Say again what held before another writer's last word, and print it: `record --reassert` and `init --reassert`.

    Args:
        ctx: the call.
        name: a trial whose row another writer changed; ``None`` for the task.
        as_json: print JSON.
    """
    with opened(ctx) as store:
        restored = store.reassert(name)
        if isinstance(restored, Task):
            if as_json:
                output.json_line({"task": restored})
            else:
                output.say(f"The task is {output.clean(listing.direction(restored))}")
        elif as_json:
            output.json_line(listing.trial_objects(store.ledger.views(), [restored])[0])
        else:
            output.say(f"{output.clean(restored.label)} is again as it was")


@command(app, "reparent", 'gitlineage reparent 015 012 014 --role 014=mate -m "015 crossed 012 with 014"')
def reparent(
    ctx: typer.Context,
    name: options.Id,
    parents: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PARENT...]", help="What it was derived from, the primary parent first.", show_default=False
        ),
    ] = None,
    root: Annotated[bool, typer.Option("--root", help="It was derived from nothing.")] = False,
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role", metavar="PARENT=ROLE", help="What a parent was: base, mate, inspiration, contrast; repeatable."
        ),
    ] = None,
    reason: Why = "",
    by: options.By = None,
    as_json: options.Json = False,
) -> None:
    """
    Say what a snapshot was derived from in truth

    Walks, chains, prompts, diagrams and exports follow it from now on; the commit stays as it is, and show tells both.
    What would close a cycle is refused. To take it back, name the parents it had before.
    """
    if root == bool(parents):
        raise typer.BadParameter("name its parents, or take --root", param_hint="'PARENT'")
    if not reason.strip():
        raise typer.BadParameter("say why, in a line", param_hint="'-m'")
    known_roles = options.roles(role)
    with opened(ctx) as store:
        snapshot = store.reparent(name, options.ids(store, parents or []), reason, roles=known_roles, actor=by)
        if as_json:
            output.json_line(listing.snapshot_object(store.ledger.views(), snapshot, **both(store, snapshot.oid)))
            return
        output.say(
            f"{output.clean(store.ledger.views().name(snapshot.oid))} comes from {derived(store, snapshot.parents)}"
        )


def derived(store: LineageStore, parents: tuple[str, ...]) -> str:
    """Return the names of some parents, in words."""
    views = store.ledger.views()
    return ", ".join(output.clean(views.name(oid)) for oid in parents) or "nothing"


def both(store: LineageStore, oid: str) -> dict[str, object]:
    """Return what a commit says of its parents and what was said since, as fields of a JSON object."""
    return {"git_parents": store.ledger.repo.parents(oid), "reparented": store.reparentings(oid)}


def words(store: LineageStore, said: Reparenting) -> str:
    """Return what was said about the parents of a snapshot, in words."""
    closed = "" if said.followed else " (not followed: it would close a cycle)"
    return f"{derived(store, said.parents)}{closed}: {output.clean(said.reason)}"
