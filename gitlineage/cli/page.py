"""Commands for people who look rather than read: report, serve, publish."""

import secrets
import webbrowser
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gitlineage.cli import options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.numbers import Cohort, Since, write_file
from gitlineage.cli.opening import opened
from gitlineage.git.content import size_of
from gitlineage.text import counted
from gitlineage.times import stamp

app = commands()


def _size(value: str | None) -> str | None:
    if value is not None and size_of(value) is None:
        raise typer.BadParameter(f"{value!r} is no size such as 20m or 0")
    return value


@command(app, "report", "gitlineage report campaign.html")
def report(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The file; - for standard output.", show_default=True)
    ] = "report.html",
    cohort: Cohort = None,
    ancestors: Annotated[
        str | None,
        typer.Option(
            "--ancestors", metavar="ID", help="Only this snapshot and what it goes back to.", show_default=False
        ),
    ] = None,
    since: Since = None,
    max_size: Annotated[
        str,
        typer.Option(
            "--max-size",
            metavar="SIZE",
            callback=_size,
            help="Text of files, logs and prompts to take in; 0 for none.",
        ),
    ] = "20m",
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="Its title. [default: the folder's name]")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as a JSON object.")] = False,
) -> None:
    """
    Make one HTML file of the campaign

    Progress, lineage, trials, their diffs, comparisons and statistics, in one file that works offline and asks nobody
    for anything. Diffs are of the line to the best, what is around it, kept trials, then the others, newest first; the
    page says what is left out.
    """
    from gitlineage.page.report import report as made

    with opened(ctx) as store:
        data = made(
            store,
            title=title,
            cohort=cohort,
            ancestors=ancestors,
            since=since,
            max_size=size_of(max_size) or 0,
            made=stamp(datetime.now(UTC)),
        )
    if file == "-":
        output.write(data)
        return
    write_file(Path(file), data)
    if as_json:
        output.json_line({"file": file, "bytes": len(data)})
    else:
        output.note(f"wrote {file}, {len(data) / 1e6:.1f} MB; open it in a browser")


@command(app, "serve", "gitlineage serve --open")
def serve(
    ctx: typer.Context,
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, metavar="N", help="The port on 127.0.0.1; 0 takes any free one."),
    ] = 0,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as a JSON object.")] = False,
) -> None:
    """
    Show the campaign live in a browser

    The page of `report` on live data: new trials appear by themselves, and every diff is there. For this machine alone,
    and for whoever has the address with its token; it only reads. Ctrl-C ends it. It needs the extra `serve`.
    """
    from gitlineage.page import live

    with opened(ctx) as store:
        at = live.bound(port)
        token = secrets.token_urlsafe(24)
        address = f"http://{live.HOST}:{at.getsockname()[1]}/{token}/"
        live.application(store, token, port)  # what is not installed is said before an address is
        if as_json:
            output.json_line({"url": address})
        else:
            output.say(address)
        output.flush()
        if show:
            webbrowser.open(address)
        live.serve(store, at, token)


@command(app, "publish", "gitlineage publish --tags")
def publish(
    ctx: typer.Context,
    branch: Annotated[str, typer.Option("--branch", metavar="NAME", help="The branch.")] = "lineage",
    remote: Annotated[
        str | None,
        typer.Option(
            "--remote",
            metavar="NAME",
            help="Where to push it. [default: git config lineage.remote, the only one, or origin]",
            show_default=False,
        ),
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Make it here and push it nowhere.")] = False,
    tags: Annotated[
        bool, typer.Option("--tags", help="Give each kept trial a tag, too: lineage-kept/003, never moved.")
    ] = False,
    branches: Annotated[bool, typer.Option("--branches", help="Give each kept trial a branch of such a name.")] = False,
    pages: Annotated[
        bool, typer.Option("--pages", help="Lay it out for a forge's static hosting: the report as index.html.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """
    Bring a branch for people without the tool up to date

    README.md with the best, a picture and the leaderboard, the board, the report, and the best's files under best/. It
    only moves forward, adds nothing where nothing is new, and refuses a branch that it did not make. It is pushed where
    there is a remote.
    """
    from gitlineage.page.publish import Names
    from gitlineage.page.publish import publish as published
    from gitlineage.sync.remotes import default_remote

    if local and remote:
        raise typer.BadParameter("it excludes --remote", param_hint="'--local'")
    names = [name for name, asked in ((Names.TAGS, tags), (Names.BRANCHES, branches)) if asked]
    with opened(ctx) as store:
        if remote is None:
            remote = "" if local or not store.ledger.repo.remotes() else default_remote(store.ledger)
        done = published(store, branch=branch, remote=remote, pages=pages, names=names)
        if as_json:
            output.json_line(done)
            return
        moved = f"at {done.commit[:12]}" if done.moved else "up to date"
        output.say(output.clean(f"branch {done.branch} {moved}{f', pushed to {remote}' if remote else ''}"))
        if names:
            output.say(f"{counted(len(done.names), 'name')} of kept trials below {output.clean(done.branch)}-kept/")
        for ref in done.left:
            output.note(f"{output.clean(ref)} names another commit and stays as it is")
        if not done.shown:
            at, name = output.clean(remote), output.clean(branch)
            output.note(
                f"the HEAD of {at} names a branch that is not there, so a plain clone shows nothing; "
                f"`git clone -b {name} URL` does, or on the remote `git symbolic-ref HEAD refs/heads/{name}`"
            )
        if not remote and not local:
            output.note("there is no remote, so it is here alone; `git remote add origin URL`, then publish again")
