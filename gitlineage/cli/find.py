"""Commands that find trials: by the words of their texts, and by what is about to be tried."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitlineage.cli import listing, options, output
from gitlineage.cli.catalogue import print_forges
from gitlineage.cli.commands import Listing, command, commands
from gitlineage.cli.opening import opened
from gitlineage.model.records import TrialView
from gitlineage.text import some

if TYPE_CHECKING:
    from gitlineage.query.tried import Tried
    from gitlineage.store.store import LineageStore

app = commands()


@command(app, "search", "gitlineage search warmup 'learning rate' -n 5", Listing)
def search(
    ctx: typer.Context,
    words: Annotated[
        list[str], typer.Argument(metavar="TEXT...", help="Words; one that ends in * stands for all that begin so.")
    ],
    count: options.Count = 20,
    as_json: options.Json = False,
) -> None:
    """
    Find trials by the words of their hypotheses and notes

    All words must be there, the exp id and the specialist count too; the best match comes first. Artifacts that were
    forged from an intent with these words, and attempts at one, are listed below.
    """
    with opened(ctx) as store:
        trials = listing.shown(store.search(" ".join(words), options.one_more(count)), count)
        forged = [(1.0, each) for each in store.search_forges(" ".join(words))[: None if count < 0 else count]]
        if as_json:
            output.json_lines(listing.trial_objects(store.ledger.views(), trials))
        else:
            listing.print_trials(trials, store.task)
        if forged:
            print_forges(store, forged, as_json, scored=False)


@command(app, "tried", 'gitlineage tried -m "twice the learning rate" .')
def tried(
    ctx: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]",
            help="The content, such as `.`. [default: the working tree, or none with -m]",
            exists=True,
            file_okay=False,
            show_default=False,
        ),
    ] = None,
    hypothesis: Annotated[
        str, typer.Option("--hypothesis", "-m", metavar="TEXT", help="What is to be tried; compared by its words.")
    ] = "",
    command: Annotated[
        str | None,
        typer.Option("--command", metavar="TEXT", help="Only trials of this command are the same. [default: any]"),
    ] = None,
    parents: options.Parents = None,
    as_json: options.Json = False,
) -> None:
    """
    Say whether something was tried before, without running it

    Trials of equal content come first, then those that were not kept and made the same edit, then those with nearly the
    same hypothesis.
    """
    with opened(ctx) as store:
        content = folder if folder is not None else None if hypothesis else store.ledger.repo.workdir
        given = options.parents(store, parents, False)
        with store.ledger.repo.packing():  # nothing of it gets onto the disk
            known = store.tried(hypothesis, content, command=command, parents=given)
            if command is not None and known.tree:
                _tell_unseen(store, known.tree, command)
        kinds: list[tuple[str, str, tuple[TrialView, ...]]] = [
            ("same", _heading(known, command), known.same),
            ("going", "waited for: equal content, no result yet", known.going),
            ("other", "equal content, another command or one that is not known", known.other),
            ("edits", "not kept: the same edit, made elsewhere", known.edits),
            ("alike", "nearly the same hypothesis", tuple(each.view for each in known.alike)),
        ]
        if as_json:
            views = store.ledger.views()
            told: dict[str, Any] = {"tried": known.first is not None, "tree": known.tree or None}
            told["untold"] = known.untold
            told |= {name: listing.trial_objects(views, trials) for name, _, trials in kinds}
            told["alike"] = [
                {"likeness": round(each.likeness, 6), **trial}
                for each, trial in zip(known.alike, told["alike"], strict=True)
            ]
            output.json_line(told)
            return
        for _, heading, trials in kinds:
            if trials:
                output.say(output.paint(heading, "bold"))
                listing.print_trials(trials, store.task)
        if not known.is_known:
            output.say("not tried: nothing like it is known")


def _heading(known: "Tried", command: str | None) -> str:
    """Return what is said above the trials of equal content: what makes these the same, or leaves it open."""
    if known.untold:
        inside = some([f"{path} ({why})" for path, why in known.untold.items()])
        return output.clean(f"equal content, but no snapshot tells of the code in {inside}")
    if command is not None:
        return "tried: equal content, same command"
    from gitlineage.query.judge import COMMAND

    commands = list(dict.fromkeys(text for view in known.same if (text := view.trial.text(COMMAND))))
    if not commands:
        return "tried: equal content"
    others = f" and {len(commands) - 1} more" if len(commands) > 1 else ""
    return output.clean(f"tried: equal content, by `{commands[0]}`{others}; another --command is another trial")


def _tell_unseen(store: "LineageStore", tree: str, command: str) -> None:
    """Say which files that a command names are in no snapshot."""
    from gitlineage.run.gate import NOT_THERE, unseen

    try:
        words = shlex.split(command)
    except ValueError:
        return
    if files := unseen(store.ledger.repo, tree, words, Path.cwd()):
        output.note(output.clean(f"{NOT_THERE}: {some(files)}; whether the same was run before cannot be told"))
