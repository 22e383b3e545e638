"""
Help for people: the everyday commands in groups, all of them, topics, and what answers a call of another tool's habits.

Start with `overview`. Every command's own help is in its module.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import takewhile
from typing import Annotated, Any

import typer

from gitlineage.cli import output, spellings
from gitlineage.cli.commands import Deferred, command, commands

app = commands()

EVERYDAY = {
    "Start": ("init", "import", "demo"),
    "Record": ("run", "record", "retract", "restore"),
    "Look": ("status", "log", "show", "report", "prompt"),
    "Share": ("sync", "clone"),
}
"""What nearly everybody needs nearly always."""

INSTEAD = {
    "undo": "`gitlineage retract ID -m WHY` says that a trial does not count; `--undo` takes that back",
    "delete": "nothing is deleted; `gitlineage retract ID -m WHY` says that a trial does not count",
    "rm": "nothing is deleted; `gitlineage retract ID -m WHY` says that a trial does not count",
    "rollback": "`gitlineage retract ID -m WHY` for a trial that does not count, `gitlineage restore ID` for its files",
    "revert": "`gitlineage retract ID -m WHY` for a trial that does not count, `gitlineage restore ID` for its files",
    "reset": "`gitlineage restore ID` brings a trial's files back; nothing that was recorded is thrown away",
    "back": "`gitlineage restore ID` brings a trial's files back",
    "apply": "`gitlineage restore ID` brings a trial's files back",
    "switch": "`gitlineage restore ID` brings a trial's files back; git's branches are never touched",
    "amend": "`gitlineage record ID --revise` corrects a result",
    "edit": "`gitlineage record ID --revise` corrects a result",
    "add": "`gitlineage commit` takes the working tree as it is, and so does `gitlineage run`",
    "save": "`gitlineage commit` records the working tree with its trial",
    "stash": "`gitlineage commit` records the working tree with its trial",
    "new": "`gitlineage init` begins; `gitlineage run -m HYPOTHESIS -- COMMAND` makes a trial",
    "start": "`gitlineage init` begins; `gitlineage run -m HYPOTHESIS -- COMMAND` makes a trial",
    "setup": "`gitlineage init` begins",
    "train": "`gitlineage run -m HYPOTHESIS -- COMMAND` makes a trial",
    "exec": "`gitlineage run -m HYPOTHESIS -- COMMAND` makes a trial",
    "exp": "`gitlineage run` makes a trial, `gitlineage log` lists them",
    "experiments": "`gitlineage log` lists the trials, `gitlineage status --campaigns` the campaigns",
    "repro": "`gitlineage restore ID` brings a trial's files back, `gitlineage run` runs them again",
    "queue": "`gitlineage run --detach` leaves a run to itself, `gitlineage runs list` lists them",
    "ps": "`gitlineage runs list` lists what runs",
    "stop": "`gitlineage runs cancel ID` ends a run",
    "kill": "`gitlineage runs cancel ID` ends a run",
    "list": "`gitlineage log` lists trials, newest first",
    "ls": "`gitlineage log` lists trials, newest first",
    "results": "`gitlineage leaderboard` lists the best, `gitlineage log` all trials",
    "metrics": "`gitlineage leaderboard` ranks by any column, `gitlineage stats` sums up",
    "params": "`gitlineage show ID` shows all columns of a trial",
    "info": "`gitlineage show ID` shows a trial, `gitlineage status` the campaign",
    "top": "`gitlineage leaderboard` lists the best kept trials",
    "rank": "`gitlineage leaderboard` lists the best kept trials",
    "tree": "`gitlineage log --graph` draws what came from what in the terminal, `gitlineage graph ID` as a diagram",
    "lineage": "`gitlineage log --graph` draws what came from what, `gitlineage ancestors ID` lists it",
    "branch": "there are none: any trial may have children; `gitlineage descendants --leaves` lists the ends",
    "merge": "`gitlineage commit --parents A B` derives one from two",
    "cherry-pick": "`gitlineage commit --parents A B` derives one from two",
    "rebase": "`gitlineage reparent ID PARENT -m WHY` says what a trial came from in truth",
    "tag": "`gitlineage catalog set ID name=NAME` names one; every trial has an exp id already",
    "plots": "`gitlineage plot` draws the scores and the best so far",
    "chart": "`gitlineage plot` draws the scores and the best so far",
    "dashboard": "`gitlineage serve` shows the campaign in a browser, `gitlineage report` makes one page of it",
    "ui": "`gitlineage serve` shows the campaign in a browser, `gitlineage report` makes one page of it",
    "server": "none is needed: any git remote will do, `gitlineage sync`; `gitlineage serve` shows a page",
    "login": "there is no account: any git remote will do; `gitlineage init --remote NAME`",
    "remote": "`git remote add NAME URL`, then `gitlineage init --remote NAME`",
    "fetch": "`gitlineage pull` takes in what others pushed; so does `git fetch` after `gitlineage init --remote NAME`",
    "gc": "nothing has to be cleaned; `gitlineage maintain` repacks the repository",
    "fsck": "`gitlineage maintain verify` checks everything",
    "check": "`gitlineage maintain verify` checks the store, `gitlineage tried` whether something was tried before",
    "config": "settings are git's, as `git config lineage.writer NAME`; `gitlineage help config` lists them",
    "sweep": "`gitlineage cohort new` opens a batch, `gitlineage --campaign NAME init` begins a campaign",
    "artifacts": "`gitlineage run --artifact GLOB` keeps files that a run makes",
    "find": "`gitlineage search WORDS` looks in hypotheses and notes",
    "grep": "`gitlineage search WORDS` looks in hypotheses and notes",
    "reflog": "`gitlineage events` prints the whole log, `gitlineage events ID` what touches one",
    "version": "`gitlineage --version`",
    "dag": "`gitlineage log --graph` draws what came from what, `gitlineage graph --all` as a diagram",
    "agent": "`gitlineage agents install` sets coding agents up, `gitlineage prompt` prints what the next one reads",
    "offline": "everything is here already: `gitlineage sync` is the only thing that needs a network",
    "models": "`gitlineage artifact list` lists the files that trials made, weights too",
    "worktree": "`gitlineage run --isolated` runs in a checkout of its own, `gitlineage checkout ID DIR` makes one",
    "archive": "`gitlineage checkout ID DIR` writes a trial's files into a folder",
    "clean": "nothing has to be cleaned; `gitlineage restore ID` makes the working tree that of a trial",
    "notes": "`gitlineage show ID` prints them, `gitlineage record ID --revise --notes TEXT` says others",
    "describe": "`gitlineage show ID` shows all names of a snapshot",
    "get": "`gitlineage artifact get ID NAME` gets a file that a trial made, `gitlineage checkout ID DIR` its code",
    "freeze": "every trial is frozen by its commit; `gitlineage restore ID` brings it back",
    "catalogue": "`gitlineage catalog list` lists the artifacts that are described",
    "walk": "`gitlineage ancestors ID` and `gitlineage descendants ID`",
}
"""What people type who know other tools, and what does here what they mean."""

INSTEAD_OF_OPTIONS = {
    ("log", "--oneline"): "a trial is a line already",
    ("log", "--all"): "`gitlineage log -n -1` lists all",
    ("log", "-p"): "`gitlineage diff ID` shows what a trial changed",
    ("log", "--stat"): "`gitlineage diff ID --stat` shows which files a trial changed",
    ("log", ""): "`gitlineage show ID` tells of one, `gitlineage ancestors ID` lists what it goes back to",
    ("show", "--stat"): "`gitlineage diff ID --stat` shows which files a trial changed",
    ("commit", "-a"): "the working tree is taken as it is, with all that git does not ignore",
    ("commit", "--amend"): "`gitlineage record ID --revise` corrects a result",
    ("push", "--force"): "nothing has to be forced: only this clone moves its ref",
    ("push", "-f"): "nothing has to be forced: only this clone moves its ref",
    ("pull", "--rebase"): "nothing is merged or rebased: everybody has a ref of their own",
    ("run", "--name"): "`--run ID` names the trial, `-m TEXT` says what it tries",
    ("run", "-n"): "`--run ID` names the trial, `-m TEXT` says what it tries",
    ("run", "-S"): "change the file that has it; `--field NAME=VALUE` keeps a value in the row",
    ("run", "--queue"): "`--detach` leaves a run to itself",
    ("init", "--project"): "the folder is the project; `gitlineage --campaign NAME init` begins a campaign in it",
    ("init", "--name"): "the folder is the project; `gitlineage --campaign NAME init` begins a campaign in it",
    ("restore", "--staged"): "git's index is never touched",
    ("status", "-s"): "`--json` is for programs",
    ("gitlineage", "-v"): "`gitlineage --version`",
    ("gitlineage", "-V"): "`gitlineage --version`",
}
"""Options of other tools that people type (an empty one: arguments), and what does here what they mean."""

TOPICS = {
    "ids": """What names a snapshot, in this order: a full oid; best; a name of git's own (a ref,
a branch); an exp id (015, exp_015, 7 where only 007 is meant), 015@writer where
two writers have it; the beginning of an oid.""",
    "status": """baseline, keep, discard: judged by the score. crash, disqualified,
train_budget_overrun and others: what happened instead of one. pending: no
result yet. A keep is better than the best so far, by more than two sigma where
replicates show the noise. Only baselines and keeps rank; `gitlineage retract ID`
takes a trial out of all rankings. The command `gitlineage status` sums up.""",
    "config": """git config lineage.NAME VALUE:
campaign, writer, idPrefix      who and where this clone records
run isolated, gpus              run outside of the working tree; how many GPUs there are
keepRuns                        how many days the files of a run stay, or all
artifacts                       the store that artifacts are sent to
importMap                       which column of a table is what
include, maxFileSize            what a snapshot takes; maxCheckoutSize what a checkout may write
remote, incomplete              which remote is meant; answer in a shallow clone, too
sign, allowedSigners, trust, taskWriters    signatures and who is believed
branch, allowDelete, program    what hooks watch and allow, and what they call
fsync, lockTimeout, autoRepack  the disk, waiting, upkeep""",
    "environment": """GITLINEAGE_CAMPAIGN    the campaign that commands work in
GITLINEAGE_RESULT      where a run may write its result, as JSON
GITLINEAGE_DEBUG=1     show the traceback of an internal error
NO_COLOR, FORCE_COLOR  no colours, or colours in a pipe, too
GIT_PAGER, PAGER       what shows long output on a terminal, as git's; LESS, LV
COLUMNS                how wide a terminal is taken to be
SOURCE_DATE_EPOCH      the time that prompts print
GIT_DIR, GIT_WORK_TREE, GIT_AUTHOR_NAME and others are read as git reads them.""",
    "git": """Where gitlineage is on the path, `git lineage COMMAND` is the same. HEAD, the
index and the branches are never touched. What is recorded is on the ref
refs/notes/lineage/WRITER; `git log --notes='lineage/*' lineage/best` reads it.""",
}
"""Help that is about no one command."""

Table = Mapping[str, Mapping[str, tuple[str, str]]]
"""Every command by its group: its module and the first line of its help."""


def overview(table: Table) -> Iterator[str]:
    """Return the everyday commands in groups, as lines."""
    lines = {name: line for entries in table.values() for name, (_, line) in entries.items()}
    groups = {group: {name: lines[name] for name in names if name in lines} for group, names in EVERYDAY.items()}
    yield from _groups(groups)
    yield f"`gitlineage help --all` lists all {len(lines)} commands, `gitlineage help NAME` tells"
    yield f"of one, or of {', '.join(TOPICS)}. `git lineage` is the same."


def everything(table: Table) -> Iterator[str]:
    """Return all commands in groups, as lines."""
    yield from _groups({panel: {name: line for name, (_, line) in rows.items()} for panel, rows in table.items()})


def _groups(groups: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    space = max(len(name) for rows in groups.values() for name in rows)
    for group, rows in groups.items():
        yield output.paint(group, "bold")
        yield from (f"  {name.ljust(space)}  {line}" for name, line in rows.items())
        yield ""


def instead(word: str, names: list[str]) -> str:
    """Return what to type in place of a word that is no command: what does what it means, or what is spelled so."""
    known = word.lower()
    meant = INSTEAD.get(known) or INSTEAD.get(f"{known}s") or INSTEAD.get(known.removesuffix("s"))
    if meant is None and (close := get_close_matches(known, {*names, *TOPICS}, n=3, cutoff=0.7)):
        meant = "did you mean " + ", ".join(f"'{name}'" for name in close) + "?"
    return meant or "`gitlineage help` lists the everyday commands, `gitlineage help --all` all of them"


def instead_of_option(command: str, option: str, has_count: bool) -> str:
    """
    Return what to type in place of an option that a command has not, empty where nobody knows.

    Args:
        command: the command's name.
        option: the option, empty for an argument too many.
        has_count: whether the command has ``-n``.
    """
    if has_count and option[1:].isdecimal():
        return f"`-n {option[1:]}` is how many"
    return INSTEAD_OF_OPTIONS.get((command, option), "")


@command(app, "help", "gitlineage help run")
def help(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND|TOPIC]", help="What to tell of.", show_default=False)
    ] = None,
    is_all: Annotated[bool, typer.Option("--all", help="List all commands.")] = False,
    is_old: Annotated[bool, typer.Option("--old", help="List old spellings, which still work, and the new.")] = False,
) -> None:
    """Show what commands there are, or tell of one, or of a topic"""
    here: Any = ctx.find_root()
    told: Any = here.command
    if is_all:
        for line in everything(told.table):
            output.say(line)
        return
    if is_old:
        for line in spellings.table():
            output.say(line)
        return
    words, old, new = spellings.current(words or [])
    if old:
        output.note(f"`gitlineage {old}` is `gitlineage {new}` now")
        words = list(takewhile(lambda word: not word.startswith("-"), words))
    if words and words[0] in TOPICS and not old:
        output.say(TOPICS[words[0]])
        return
    for word in words:
        below = getattr(told, "commands", {}).get(word)
        if below is None:
            ctx.fail(f"no such command or topic '{word}'; {instead(word, list(told.commands))}")
        told = below.load() if isinstance(below, Deferred) else below
        here = type(here)(told, info_name=word, parent=here)
    output.write(f"{here.get_help()}\n")
