"""Commands between machines: push, pull, sync, clone and status."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from gitlineage.cli import layout, listing, options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.failing import REFUSED
from gitlineage.cli.layout import Cell, Column
from gitlineage.cli.opening import opened, place
from gitlineage.errors import LineageError
from gitlineage.model.namespace import ORDINARY
from gitlineage.model.rank import PENDING
from gitlineage.text import counted, to_type

if TYPE_CHECKING:
    from gitlineage.store.store import LineageStore
    from gitlineage.sync.remotes import Exchange, RefOutcome

app = commands()

_COLUMNS = (
    Column("campaign", cap=24),
    Column("writer", cap=24),
    Column("", drop=1),
    Column("state"),
    Column("trials", right=True),
    Column("snapshots", right=True),
    Column("why"),
)
_STYLES = {
    "new": "green",
    "fast-forwarded": "green",
    "rehomed": "yellow",
    "rewritten": "yellow",
    "deleted": "yellow",
    "refused": "bad",
    "ahead": "cyan",
    "behind": "cyan",
}
_TOLD = 5
"""Words of others that status tells before it counts the rest."""

_CAME = ("new", "fast-forwarded", "rewritten", "rehomed")

Remote = Annotated[
    str | None,
    typer.Argument(
        metavar="REMOTE",
        help="A remote's name, URL or path. [default: git config lineage.remote, the only one, or origin]",
        show_default=False,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done; no ref moves.")]
Accept = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-rewrite",
        metavar="WRITER",
        help="Take this writer's ref though it was rewritten or deleted on the remote; repeatable.",
    ),
]


@command(app, "push", "gitlineage push origin")
def push(ctx: typer.Context, remote: Remote = None, dry_run: DryRun = False, as_json: options.Json = False) -> None:
    """
    Push what this clone recorded to a remote

    Only the refs of its own writer are pushed, one for each campaign, with every snapshot that they hold; nobody else's
    work is touched.
    """
    with opened(ctx, begin=True, incomplete=True) as store:
        done = store.push(remote, dry_run=dry_run)
        _tell(done, as_json, ending=partial(_name_publish, store, remote, done))


@command(app, "pull", "gitlineage pull origin")
def pull(
    ctx: typer.Context,
    remote: Remote = None,
    dry_run: DryRun = False,
    accept_rewrite: Accept = None,
    as_json: options.Json = False,
) -> None:
    """
    Take what others pushed to a remote into this clone

    A writer's ref that was rewritten or deleted there is refused and kept here as it was; the command then ends with 1.
    """
    with opened(ctx, begin=True, incomplete=True) as store:
        _tell(store.pull(remote, dry_run=dry_run, accept_rewrite=tuple(accept_rewrite or ())), as_json)


@command(app, "sync", "gitlineage sync origin")
def sync(
    ctx: typer.Context,
    remote: Remote = None,
    dry_run: DryRun = False,
    accept_rewrite: Accept = None,
    as_json: options.Json = False,
) -> None:
    """Pull from a remote, then push to it"""
    with opened(ctx, begin=True, incomplete=True) as store:
        _tell(store.sync(remote, dry_run=dry_run, accept_rewrite=tuple(accept_rewrite or ())), as_json)


@command(app, "clone", "gitlineage clone git@example.org:team/campaign.git")
def clone(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="A URL or path.", show_default=False)],
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Where to. [default: the URL's last part]", show_default=False),
    ] = None,
    bare: Annotated[bool, typer.Option("--bare", help="Make a repository without a working tree.")] = False,
    branch: Annotated[str | None, typer.Option("--branch", metavar="NAME", help="Check out this branch.")] = None,
    writer: Annotated[
        str | None, typer.Option("--writer", metavar="NAME", help="What this clone's records are filed under.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            metavar="PATH",
            help="A repository on this machine whose objects are read in place, for as long as they are there.",
            exists=True,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """
    Clone a repository with its branches and its lineage

    This clone records under a name of its own, made at its first record unless --writer gives it.
    """
    from gitlineage.cli.watching import Terminal
    from gitlineage.journal.journal import check_writer
    from gitlineage.store.store import LineageStore
    from gitlineage.sync import push

    with options.refused("--writer"):
        if writer is not None:
            check_writer(writer)
    above = place(ctx).folder or Path()  # named, because a folder that is missing yet is made
    where = above / (folder or _last_part(url, bare))
    terminal = Terminal()
    try:
        campaign = place(ctx).campaign
        push.clone(url, where, bare=bare, branch=branch, reference=reference, listener=terminal.overhear())
        store = LineageStore(where, create=False, campaign=campaign, watcher=terminal)
        if writer is not None:
            store.ledger.repo.set_config(store.ledger.namespace.key("writer"), writer)
        done = push.settle(store.ledger)
    finally:
        terminal.close()
    is_bare_of_branches = not any(store.ledger.repo.refs(start) for start in ("refs/remotes/", "refs/heads/"))
    store.close()
    if not as_json:
        output.say(f"Cloned into {output.clean(str(where))}")
    _tell(done, as_json, ending=_no_branch if is_bare_of_branches else None)


@command(app, "status", "gitlineage status")
def status(
    ctx: typer.Context,
    remote: Remote = None,
    campaigns: Annotated[
        bool, typer.Option("--campaigns", help="List the campaigns of this repository, a line each.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """
    Show how the campaign stands, and what is not pushed yet

    Stuck are those with ten or more trials since the last one that was kept. The remote is as it was last seen; the
    network is not asked. What contradicts it is refused, which ends with 1. With --json the first object is the
    campaign and this clone; one for each ref follows.

    Each campaign has trials, ids, task and refs of its own. `gitlineage --campaign NAME init` begins one;
    GITLINEAGE_CAMPAIGN and git config lineage.campaign (also of one worktree: git config --worktree) say in which one
    commands work.
    """
    if campaigns:
        from gitlineage.cli.campaigns import print_campaigns

        options.alone(ctx, "--campaigns", "it excludes", "campaigns", "as_json")
        print_campaigns(ctx, as_json)
        return
    with opened(ctx, begin=True, incomplete=True) as store:
        exchange = store.remote_status(remote)
        writer, total = store.ledger.own_writer(), store.ledger.views().total()
        said = store.ledger.others_words()
        stand = _stand(store)
        if as_json:
            output.json_line(
                {
                    "campaign": store.campaign,
                    "writer": writer,
                    "task": store.task,
                    "trials": total,
                    **stand,
                    "remote": exchange.remote or None,
                    "others_words": [{"writer": each.writer, "what": each.what, "undo": each.undo} for each in said],
                }
            )
            _print_json(exchange)
        else:
            layout.facts(
                [
                    ("campaign", "" if store.ledger.namespace.is_default else store.campaign),
                    ("best", output.clean(_best(store))),
                    ("trials", f"{total:,}, {stand['today']:,} today, {stand['since_keep']:,} since the last keep"),
                    ("running", output.clean(", ".join(stand["running"]))),
                    ("waiting", output.clean(_waiting(store, stand["pending"]))),
                    ("outdated", output.clean(_outdated(stand["would_be_keeps"]))),
                    ("stuck", output.clean(", ".join(stand["stuck"]))),
                    ("writer", output.clean(writer or "none yet; the first record makes one")),
                    ("task", output.clean(listing.direction(store.task))),
                    ("remote", output.clean(exchange.remote) or "none; `git remote add origin URL` adds one"),
                ]
            )
            _print_table([each for each in exchange.outcomes if each.state != "up to date"])
            if exchange.remote:
                output.say(_standing(exchange))
            for each in said[:_TOLD]:
                output.say(output.clean(str(each)))
            if len(said) > _TOLD:
                output.say(f"and {len(said) - _TOLD:,} more words of others; --json lists all")
    _end(exchange)


def _stand(store: "LineageStore") -> dict[str, Any]:
    """Return how the campaign stands: the best, trials of today, what runs, and which specialists are stuck."""
    from gitlineage.model.rank import STUCK
    from gitlineage.query.outdated import NEWEST, outdated
    from gitlineage.query.stats import stand
    from gitlineage.run.lease import unresolved

    views = store.ledger.views()
    best, now = views.best(stand_in=False), stand(views, output.now()[:10], STUCK)
    home = store.ledger.namespace.folder(store.ledger.repo.commondir)
    return {
        "best": best.label if best is not None else None,
        "score": store.task.score(best.trial) if best is not None else None,
        "today": now.today,
        "since_keep": now.since_keep,
        "pending": views.pending(),
        "running": [files.id for files, is_held in unresolved(home) if is_held],
        "stuck": now.stuck,
        "would_be_keeps": [view.label for view in outdated(views, NEWEST)],
    }


def _best(store: "LineageStore") -> str:
    """Return the best with its score as its row spells it."""
    best = store.ledger.views().best(stand_in=False)
    if best is None:
        return ""
    text = best.trial.text(store.task.score_field)
    return f"{best.label}  {store.task.short} {text}" if text else best.label


def _outdated(labels: "list[str]") -> str:
    """Return which discards would be keeps now, and what judges them anew."""
    if not labels:
        return ""
    more = f" and {len(labels) - _TOLD:,} more" if len(labels) > _TOLD else ""
    hint = to_type("gitlineage", "record", labels[0], "--revise", "--judge")
    return f"{', '.join(labels[:_TOLD])}{more} would be kept now; `{hint}` judges anew"


def _waiting(store: "LineageStore", pending: int) -> str:
    """Return which trials have no result yet, the newest first."""
    views = store.ledger.views()
    first = [view.label for view in views.each(views.listed(limit=_TOLD, statuses=[PENDING]))] if pending else []
    more = f" and {pending - len(first):,} more" if pending > len(first) else ""
    return f"{', '.join(first)}{more}"


def _last_part(url: str, bare: bool) -> str:
    """Return the folder that git would clone into."""
    name = url.rstrip("/").removesuffix("/.git").rstrip("/").rpartition("/")[2].rpartition(":")[2]
    return f"{name.removesuffix('.git')}.git" if bare else name.removesuffix(".git") or "lineage"


def _name_publish(store: "LineageStore", remote: str | None, done: "Exchange") -> None:
    """
    Say what makes a branch, where the remote that was pushed to has none: a plain clone of it looks empty.

    It is asked only where nothing here says that it has one, as after any fetch or push of a branch.
    """
    from gitlineage.sync.remotes import way_to

    if done.dry_run or any(store.ledger.repo.refs("refs/remotes/")):
        return
    with suppress(LineageError):
        if not way_to(store.ledger, remote).transport.refs("refs/heads/*"):
            _no_branch()


def _no_branch() -> None:
    output.note("the remote has no branch, so a plain clone looks empty; `gitlineage publish` makes one for people")


def _tell(done: "Exchange", as_json: bool, ending: Callable[[], None] | None = None) -> None:
    """Print what became of every ref, and what there is to say at the end; end with 1 where something was refused."""
    if as_json:
        _print_json(done)
    else:
        _print_table(done.outcomes)
        output.say(_summary(done))
    if ending is not None:
        ending()
    _end(done)


def _end(done: "Exchange") -> None:
    if done.refused:
        output.flush()
        raise typer.Exit(REFUSED)


def _print_json(done: "Exchange") -> None:
    for each in done.outcomes:
        output.json_line({"remote": done.remote, **msgspec.to_builtins(each), "dry_run": done.dry_run})


def _print_table(outcomes: "tuple[RefOutcome, ...] | list[RefOutcome]") -> None:
    several = any(each.campaign != ORDINARY for each in outcomes)
    layout.table(_COLUMNS, [(Cell(each.campaign if several else ""), *_row(each)) for each in outcomes])


def _row(each: "RefOutcome") -> tuple[Cell, ...]:
    return (
        Cell(each.writer or "-"),
        Cell(each.direction, "dim"),
        Cell(each.state, _STYLES.get(each.state, "dim")),
        Cell(f"+{counted(each.trials, 'trial')}" if each.trials else ""),
        Cell(f"+{counted(each.snapshots, 'snapshot')}" if each.snapshots else ""),
        Cell(each.reason),
    )


def _summary(done: "Exchange") -> str:
    """Return the whole in one line."""
    parts = []
    for direction, word in (("pull", "pulled"), ("push", "pushed")):
        if mine := [each for each in done.outcomes if each.direction == direction]:
            moved = [each for each in mine if each.state in _CAME]
            what = f"{_amount(moved)} in {counted(len(moved), 'ref')}" if moved else "nothing new"
            parts.append(f"{word} {what}")
    refused = f", {len(done.refused)} refused" if done.refused else ""
    would = "would be: " if done.dry_run else ""
    return f"{would}{', '.join(parts) or 'no lineage there'}{refused} ({output.clean(done.remote)})"


def _standing(exchange: "Exchange") -> str:
    """Return how this clone stands to a remote, in one line."""
    ahead = [each for each in exchange.outcomes if each.state == "ahead" and each.direction == "push"]
    behind = [each for each in exchange.outcomes if each.state == "behind"]
    parts = []
    if ahead:
        parts.append(f"{_amount(ahead)} not pushed yet")
    elif not any(each.direction == "push" for each in exchange.refused):
        parts.append("all pushed")
    if exchange.refused:
        parts.append(f"{counted(len(exchange.refused), 'ref')} refused")
    if behind:
        parts.append(f"{_amount(behind)} behind, `gitlineage pull` takes them")
    return f"{', '.join(parts)} (as last seen)"


def _amount(refs: "list[RefOutcome]") -> str:
    trials, snapshots = sum(each.trials for each in refs), sum(each.snapshots for each in refs)
    if not trials and not snapshots:
        return "events other than trials"
    return f"{counted(trials, 'trial')} and {counted(snapshots, 'snapshot')}"
