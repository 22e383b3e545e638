"""Commands that find trials: by the words of their texts, and by what is about to be tried."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gitlineage.cli import listing, options, output
from gitlineage.cli.catalogue import print_forges
from gitlineage.cli.commands import Listing, command, commands
from gitlineage.cli.opening import opened
from gitlineage.model.records import TrialView

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
        known = store.tried(hypothesis, content, command=command, parents=given)
        kinds: list[tuple[str, str, tuple[TrialView, ...]]] = [
            ("same", "tried: equal content" + (", same command" if command is not None else ""), known.same),
            ("going", "waited for: equal content, no result yet", known.going),
            ("other", "equal content, another command or one that is not known", known.other),
            ("edits", "not kept: the same edit, made elsewhere", known.edits),
            ("alike", "nearly the same hypothesis", tuple(each.view for each in known.alike)),
        ]
        if as_json:
            views = store.ledger.views()
            told: dict[str, Any] = {"tried": known.first is not None, "tree": known.tree or None}
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
