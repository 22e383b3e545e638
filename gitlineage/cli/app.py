"""The program: its global options and the table of its commands, which names the module of each."""

import gc
import os
import sys
from contextlib import chdir
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import TyperException

from gitlineage._version import __version__
from gitlineage.cli import failing, helping, output, spellings
from gitlineage.cli.commands import Deferred, Group
from gitlineage.cli.opening import Place
from gitlineage.errors import Invalid

HELP = """
Keep the lineage of a research loop in git

Every trial has its code as a commit and its row as a note, failures too.
Wherever an ID is asked for, an exp id (015, exp_015, 015@writer), best, a ref,
a branch or the beginning of a commit's id will do.
"""

EXAMPLE = 'Example: gitlineage init && gitlineage run -m "the baseline" -- python train.py && gitlineage log'

COMMANDS = {
    "Record": {
        "init": ("record", "Make a repository ready and say what is optimised"),
        "run": ("run", "Run a command and record it as a trial"),
        "runs": ("run", "List, show, end and go on with what was run"),
        "commit": ("record", "Record a snapshot of the code with its trial"),
        "record": ("record", "Record a result on a snapshot or on any commit"),
        "cohort": ("cohort", "Open, list and show batches made from one parent state"),
    },
    "Put right": {
        "retract": ("repair", "Say that a trial does not count"),
        "reparent": ("repair", "Say what a snapshot was derived from in truth"),
    },
    "Look": {
        "status": ("share", "Show how the campaign stands, and what is not pushed yet"),
        "log": ("look", "List trials, newest first"),
        "show": ("show", "Show all that is known about one snapshot"),
        "diff": ("look", "Show what a snapshot changed, or how two of them differ"),
        "best": ("rank", "Show the best trial"),
        "leaderboard": ("rank", "List the best kept trials, best first"),
        "compare": ("numbers", "Compare two trials or two cohorts"),
        "stats": ("numbers", "Show who gets on and who is stuck"),
        "search": ("find", "Find trials by the words of their hypotheses and notes"),
        "tried": ("find", "Say whether something was tried before, without running it"),
    },
    "See": {
        "plot": ("numbers", "Plot the scores and the best so far"),
        "graph": ("graph", "Draw the lineage as a diagram"),
        "report": ("page", "Make one HTML file of the campaign"),
        "serve": ("page", "Show the campaign live in a browser"),
        "publish": ("page", "Bring a branch for people without the tool up to date"),
    },
    "Get files": {
        "restore": ("trust", "Bring a snapshot's files back into the working tree"),
        "checkout": ("trust", "Write a snapshot's files into a folder, or in place"),
        "accept": ("trust", "Commit a snapshot on a branch of yours"),
        "artifact": ("artifact", "List, get, send and check the files that trials made"),
    },
    "Walk": {
        "parents": ("walk", "List what a snapshot was derived from"),
        "children": ("walk", "List what was derived from a snapshot directly"),
        "ancestors": ("walk", "List all that a snapshot goes back to, nearest first"),
        "descendants": ("walk", "List all that goes back to a snapshot, nearest first"),
    },
    "Ask why": {
        "blame": ("history", "Show which change made the score worse"),
        "bisect": ("history", "Find the first bad snapshot by running a command"),
        "events": ("history", "Print the event log, in order"),
    },
    "Describe": {
        "relation": ("relations", "Say and list how snapshots relate beside their parents"),
        "catalog": ("catalogue", "Describe artifacts, how they were made, and what needs them"),
    },
    "Hand over": {
        "prompt": ("prompt", "Print the lineage prompt for the next agent"),
        "agents": ("agents", "Set up coding agents to read and record lineage"),
        "import": ("exchange", "Bring in the results of any loop: import PATH"),
        "export": ("exchange", "Write trials or snapshots out to files"),
    },
    "Share": {
        "sync": ("share", "Pull from a remote, then push to it"),
        "push": ("share", "Push what this clone recorded to a remote"),
        "pull": ("share", "Take what others pushed to a remote into this clone"),
        "clone": ("share", "Clone a repository with its branches and its lineage"),
    },
    "Keep up": {
        "hooks": ("hooks", "Install, remove and list git hooks that keep lineage"),
        "maintain": ("upkeep", "Keep a clone in order: check it, repack it, build its index anew"),
        "demo": ("demo", "Run a small real research loop and look at it"),
        "help": ("helping", "Show what commands there are, or tell of one, or of a topic"),
    },
}
"""Every command that people call: the panel it is shown in, its module, and the first line of its help."""

CALLED_BY_PROGRAMS = {
    "hook": ("hooks", "Do what a hook of git or of an agent does; they call it"),
    "mcp": ("mcp", "Serve the lineage to coding agents over MCP"),
}
"""What nobody types, and no list of commands has: `agents install` and `hooks install` write the calls."""


class Program(Group):
    """The command above all others: it knows them by name only, and has the last word on errors."""

    table = COMMANDS

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for panel, entries in COMMANDS.items():
            for name, (module, line) in entries.items():
                self.add_command(Deferred(name, module, line, panel))
        for name, (module, line) in CALLED_BY_PROGRAMS.items():
            self.add_command(Deferred(name, module, line, hidden=True))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write what a newcomer needs: the everyday commands in groups, and where the others are."""
        self.format_usage(ctx, formatter)
        formatter.write(f"\n{HELP.strip()}\n\n")
        formatter.write("\n".join(helping.overview(self.table)) + "\n")
        records = [each.get_help_record(ctx) for each in self.get_params(ctx)]
        with formatter.section("Options"):
            formatter.write_dl([each for each in records if each])
        self.format_epilog(ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that was asked for; what is none is answered by what does the same here."""
        args, old, new = spellings.current(args)
        if old and not ctx.resilient_parsing:
            output.note(f"`gitlineage {old}` is `gitlineage {new}` now")
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            ctx.fail(f"no such command '{args[0]}': {helping.instead(args[0], list(self.commands))}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> None:
        """Run a command and report what it raises."""
        with failing.reported():
            output.begin()
            super().invoke(ctx)
            sys.stdout.flush()

    def main(self, *args: Any, **settings: Any) -> None:
        """Run the program and leave with its exit code."""
        try:
            code = super().main(*args, **{**settings, "standalone_mode": False}) or 0
        except TyperException as error:
            code = failing.wrong_usage(error)
        except typer.Abort as error:
            is_interrupt = isinstance(error.__cause__, KeyboardInterrupt)
            code = failing.INTERRUPTED if is_interrupt else failing.REFUSED
        sys.exit(failing.flushed(code))


app = typer.Typer(
    name="gitlineage",
    cls=Program,
    help=HELP,
    epilog=EXAMPLE,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gitlineage {__version__}")
        raise typer.Exit


def _check_readable(folder: str | None) -> str | None:
    if folder is not None and os.path.exists(folder) and not os.access(folder, os.R_OK):
        raise typer.BadParameter(f"path {folder!r} is not readable")
    return folder


def _check_campaign(name: str | None) -> str | None:
    if name:
        from gitlineage.model.namespace import namespace_of

        try:
            namespace_of(name)
        except Invalid as error:
            raise typer.BadParameter(str(error)) from error
    return name


@app.callback()
def program(
    ctx: typer.Context,
    folder: Annotated[
        str | None,
        typer.Option(
            "-C",
            metavar="PATH",
            callback=_check_readable,
            help="Work in this folder, as git -C does: all other paths are relative to it.",
        ),
    ] = None,
    campaign: Annotated[
        str | None,
        typer.Option(
            "--campaign",
            metavar="NAME",
            envvar="GITLINEAGE_CAMPAIGN",
            callback=_check_campaign,
            help="Work in this campaign of the repository. [default: git config lineage.campaign, else default]",
            show_default=False,
        ),
    ] = None,
    no_pager: Annotated[
        bool, typer.Option("--no-pager", help="Print to the terminal itself, as git --no-pager.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Note where to work; without a command, print the help."""
    ctx.obj = Place(None if folder is None else Path(folder).absolute(), os.environ, campaign or None, not no_pager)
    if folder is not None and os.path.isdir(folder):  # `init` makes one that is missing
        ctx.with_resource(chdir(folder))
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit(2)


def main() -> None:
    """Run the command line."""
    failing.open_closed_streams()
    try:
        app()
    finally:
        # Or Python looks for circles in all that was loaded before it exits, a tenth of what a reading command takes.
        gc.freeze()
