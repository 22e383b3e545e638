"""Commands that keep a clone in order: maintain, and below it verify, reindex and consolidate."""

from pathlib import Path
from typing import Annotated

import typer

from gitlineage.cli import layout, options, output
from gitlineage.cli.commands import Group, command, commands
from gitlineage.cli.opening import opened
from gitlineage.git import maintenance
from gitlineage.journal.journal import Problem
from gitlineage.model.namespace import ORDINARY
from gitlineage.run.prune import prune
from gitlineage.sync import archives
from gitlineage.text import counted

app = commands()
maintaining = typer.Typer(cls=Group, add_completion=False, invoke_without_command=True)
app.add_typer(maintaining, name="maintain")

_SHOWN = 10


@maintaining.callback(epilog="Example: gitlineage maintain")
def maintain(ctx: typer.Context, as_json: options.Json = False) -> None:
    """
    Keep a clone in order: check it, repack it, build its index anew

    By itself it repacks with git and says what that saved. Small packs are rolled up in the background as they come
    (git config lineage.autoRepack = false turns that off); this does it thoroughly. Nothing is thrown away, and writers
    may go on meanwhile. The files of runs that ended more than 30 days ago go, but for the last 50 (git config
    lineage.keepRuns DAYS, or all); their rows stay.
    """
    if ctx.invoked_subcommand is not None:
        if as_json:
            raise typer.BadParameter(f"it goes after {ctx.invoked_subcommand}", param_hint="'--json'")
        return
    with opened(ctx, begin=True, incomplete=True) as store:
        saving = maintenance.maintain(store.ledger.repo)
        with store.ledger.all_campaigns() as campaigns:
            for line in (line for each in campaigns for line in prune(each)):
                output.note(line)
        if as_json:
            output.json_line(saving)
            return
        layout.facts(
            [
                ("loose objects", f"{saving.loose_before:,} before, {saving.loose_after:,} now"),
                ("packs", f"{saving.packs_before:,} before, {saving.packs_after:,} now"),
                ("on disk", f"{saving.bytes_before:,} bytes before, {saving.bytes_after:,} now"),
            ]
        )


@command(maintaining, "verify", "gitlineage maintain verify --all")
def verify(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Have git look at every object; takes longer.")] = False,
    allowed_signers: Annotated[
        Path | None,
        typer.Option(
            "--allowed-signers",
            metavar="FILE",
            help="Check signatures against this file. [default: gpg.ssh.allowedSignersFile where lineage.sign is on]",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """
    Check everything there is to check and print what is wrong

    Objects, refs, notes, events, clocks, trailers, signatures, the index and the derived refs; each finding is a line
    of its writer, object and what is wrong. Exit code 1 when there are any. Nothing is mended.
    """
    with opened(ctx, begin=True) as store:
        findings = store.verify(everything=everything, allowed_signers=allowed_signers)
        for finding in findings:
            if as_json:
                output.json_line(finding)
            else:
                where = "" if finding.campaign == ORDINARY else f"{finding.campaign}/"
                output.say(output.clean(f"{where}{finding.writer or '-'}  {finding.oid or '-'}  {finding.what}"))
        if findings:
            raise typer.Exit(1)
        if not as_json:
            with store.ledger.all_campaigns() as campaigns:
                writers = {name for each in campaigns for name in each.journal.tips()}
                several = f" in {counted(len(campaigns), 'campaign')}" if len(campaigns) > 1 else ""
            output.note(f"nothing found: {counted(len(writers), 'writer')}{several} checked")


@command(maintaining, "reindex", "gitlineage maintain reindex")
def reindex(ctx: typer.Context, as_json: options.Json = False) -> None:
    """
    Build the index and the derived refs anew

    Both are caches: nothing is lost with them, and commands repair them by themselves where they see damage.
    """
    with opened(ctx, begin=True, incomplete=True) as store, store.ledger.all_campaigns() as campaigns:
        count = sum(each.reindex() for each in campaigns)
        if as_json:
            output.json_line({"trials": count})
        else:
            output.say(f"indexed {counted(count, 'trial')}")
        for each in campaigns:
            for problem in each.problems():
                store.ledger.watcher.note(str(Problem(*problem)))


@command(maintaining, "consolidate", "gitlineage maintain consolidate --idle 30")
def consolidate(
    ctx: typer.Context,
    writers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WRITER]...", help="Whose refs. [default: all idle ones]", show_default=False),
    ] = None,
    idle: Annotated[
        float | None,
        typer.Option("--idle", min=0, metavar="DAYS", help="Take writers without a record for so long. [default: 30]"),
    ] = None,
    push: Annotated[
        str | None,
        typer.Option("--push", metavar="REMOTE", help="Push the archive there, and delete there what it holds."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """
    Fold the refs of writers who are done into one archive ref

    No answer changes. This clone's own writer stays, and so does one with lines that are no events. Writers who are
    named are those of the chosen campaign; without names, the idle ones of all campaigns are taken.
    """
    if writers and idle is not None:
        raise typer.BadParameter("it excludes naming writers", param_hint="'--idle'")
    with opened(ctx, begin=not writers) as store, store.ledger.all_campaigns() as campaigns:
        days = archives.IDLE if idle is None else idle
        for each in [store.ledger] if writers else campaigns:
            done = archives.consolidate(each, writers or archives.idle(each, days))
            handed = archives.push(each, push) if push is not None and done.tip is not None else None
            _tell(each.campaign, done, handed, as_json)


def _tell(campaign: str, done: archives.Consolidation, handed: archives.Handed | None, as_json: bool) -> None:
    """Print what became of one campaign's writers; nothing of a further campaign that nobody is done with."""
    if as_json:
        output.json_line({"campaign": campaign, "consolidation": done, "push": handed})
        return
    if campaign != ORDINARY and (done.folded or done.left or handed):
        output.say(f"campaign {campaign}:")
    if done.folded:
        output.say(f"archived {_named([each.writer for each in done.folded])} in {output.clean(done.archive)}")
    elif campaign == ORDINARY:
        output.say("no writer to archive")
    for left in done.left:
        output.warning(output.clean(f"{left.writer} stays: {left.reason}"))
    if handed is not None:
        output.say(output.clean(f"pushed {handed.archive} to {handed.remote}"))
        if handed.removed:
            output.say(f"deleted there: {_named(handed.removed)}")
        for left in handed.left:
            output.warning(output.clean(f"{left.writer} stays there: {left.reason}"))


def _named(writers: "list[str] | tuple[str, ...]") -> str:
    """Return how many writers and the first of their names."""
    more = f" and {len(writers) - _SHOWN} more" if len(writers) > _SHOWN else ""
    return f"{counted(len(writers), 'writer')} ({output.clean(', '.join(writers[:_SHOWN]))}{more})"
