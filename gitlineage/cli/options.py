"""Options and arguments that several commands share, each declared once, and what their texts mean."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from gitlineage.errors import Invalid
from gitlineage.model.rank import PENDING, RETRACTED
from gitlineage.model.records import ROLES
from gitlineage.model.relation import RelationType
from gitlineage.model.trial import FailureLabel, parse_number

if TYPE_CHECKING:
    from gitlineage.store.store import LineageStore

_STATUSES = [label.value for label in FailureLabel]
_ROW = "The row"


@contextmanager
def refused(option: str) -> Iterator[None]:
    """Tell what breaks a rule as a wrong value of an option or argument."""
    try:
        yield
    except Invalid as error:
        raise typer.BadParameter(str(error), param_hint=f"'{option}'") from error


def one_of(value: str | None, known: Sequence[str]) -> str | None:
    """Return a value that was given as one of some words, or none."""
    if value is not None and value not in known:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(known)}")
    return value


def some_of(values: Sequence[str] | None, known: Sequence[str]) -> list[str] | None:
    """Return which of some words a repeatable option names that also takes ``A,B``; ``None`` where it is not given."""
    if not values:
        return None
    named = dict.fromkeys(word for value in values for word in value.split(",") if word) or [""]
    for word in named:
        one_of(word, known)
    return list(named)


def _status(value: str | None) -> str | None:
    return one_of(value, _STATUSES)


def _statuses(values: list[str] | None) -> list[str] | None:
    return some_of(values, [*_STATUSES, PENDING, RETRACTED])


def _relation_types(values: list[str] | None) -> list[str] | None:
    return some_of(values, list(RelationType))


def _number(value: str | None) -> str | None:
    if value is not None and parse_number(value) is None:
        raise typer.BadParameter(f"{value!r} is no finite number")
    return value


def _column(value: str | None) -> str | None:
    if value == "":
        raise typer.BadParameter("it needs a name")
    return value


def _complete_status(incomplete: str) -> list[str]:
    return [status for status in _STATUSES if status.startswith(incomplete)]


def pairs(values: Sequence[str] | None, option: str) -> list[tuple[str, str]]:
    """Return the values of a repeatable ``NAME=VALUE`` option; a name may hold no ``=``."""
    split = []
    for value in values or ():
        name, given, text = value.partition("=")
        if not given or not name:
            raise typer.BadParameter(f"{value!r} is not of the form NAME=VALUE", param_hint=f"'{option}'")
        split.append((name, text))
    return split


def value(text: str) -> Any:
    """Return a value that was typed: JSON where it is JSON, else the text."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def as_text(value: object) -> str:
    """Return a value as `value` reads it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def number(text: str, option: str) -> float:
    """Return a finite number that was typed."""
    finite = parse_number(text)
    if finite is None:
        raise typer.BadParameter(f"{text!r} is no finite number", param_hint=f"'{option}'")
    return finite


def alone(ctx: typer.Context, what: str, why: str, *but: str) -> None:
    """
    Refuse what was typed beside something that goes with few parameters.

    Args:
        ctx: the call.
        what: what that is, an option or an argument.
        why: what is said before the name of the parameter that does not go with it.
        but: the names of parameters that do.
    """
    for each in ctx.command.params:
        source = ctx.get_parameter_source(str(each.name))
        if each.name not in but and source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"{why} {each.opts[0]}", param_hint=f"'{what}'")


def at_most(count: int) -> int | None:
    """Return how many a number allows: -1, which is ``None``, allows any number."""
    return None if count == -1 else count


def one_more(count: int) -> int | None:
    """Return one more than a number allows, by which `listing.shown` sees whether something is left out."""
    return None if count == -1 else count + 1


def roles(values: Sequence[str] | None) -> dict[str, str]:
    """Return the role of each parent that ``--role`` names; an id may hold a ``=``, a role holds none."""
    by_name = {}
    for value in values or ():
        name, given, role = value.rpartition("=")
        if not given or not name:
            raise typer.BadParameter(f"{value!r} is not of the form PARENT=ROLE", param_hint="'--role'")
        if role not in ROLES:
            raise typer.BadParameter(f"{role!r} is none of {', '.join(ROLES)}", param_hint="'--role'")
        by_name[name] = role
    return by_name


def ids(store: "LineageStore", values: Sequence[str]) -> list[str]:
    """Return ids with ``A,B`` taken apart, except where a trial is named so."""
    given: list[str] = []
    for value in values:
        whole = "," not in value or store.ledger.repo.is_name(value) or store.ledger.views().named(value)
        given += [value] if whole else [part for part in value.split(",") if part]
    return given


def parents(store: "LineageStore", given: Sequence[str] | None, root: bool) -> list[str] | None:
    """Return the parents that were said, none with ``--root``, and ``None`` where they are to be found by content."""
    if root and given:
        raise typer.BadParameter("it excludes --parents", param_hint="'--root'")
    if given:
        return ids(store, given)
    return [] if root else None


Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="An exp id, best, a ref, or the beginning of a commit's id.", show_default=False),
]
Other = Annotated[str, typer.Argument(metavar="OTHER", help="Another one.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
By = Annotated[str | None, typer.Option("--by", metavar="WHO", help="Who or what says so. [default: user.name]")]
Relations = Annotated[
    list[str] | None,
    typer.Option(
        "--relations",
        "--type",
        metavar="TYPE,...",
        callback=_relation_types,
        help=f"Follow only relations of these types: {', '.join(RelationType)}; git parents are successor_to.",
    ),
]
RelationTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--type", metavar="TYPE,...", callback=_relation_types, help="Only relations of these types; repeatable."
    ),
]
Depth = Annotated[int, typer.Option("--depth", min=-1, metavar="N", help="Go so many generations far; -1 for all.")]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="POINT", help="As of a trial, a commit of a writer's ref, or an ISO 8601 time."),
]
TrustedOnly = Annotated[
    bool,
    typer.Option("--trusted-only", help="Leave out writers whose refs are not signed by their owners."),
]
Count = Annotated[int, typer.Option("-n", min=-1, metavar="N", help="How many; -1 for all.")]
Parents = Annotated[
    list[str] | None,
    typer.Option(
        "--parents",
        metavar="ID...",
        help="What it was derived from, the primary parent first: `A B`, or `A,B`. [default: the nearest by content]",
        show_default=False,
    ),
]
Root = Annotated[bool, typer.Option("--root", help="Derived from nothing, whatever its content is near to.")]
RawParents = Annotated[
    bool, typer.Option("--raw-parents", help="Take parents as the rows spell them, not as the graph.")
]
TreePath = Annotated[
    str | None, typer.Option("--tree-path", metavar="PATH", help="Where tree.tsv is, as the text is to say it.")
]

ExpId = Annotated[
    str | None,
    typer.Option("--exp-id", metavar="ID", help="Its exp id. [default: the next free number]", rich_help_panel=_ROW),
]
Status = Annotated[
    str | None,
    typer.Option(
        "--status",
        metavar="STATUS",
        callback=_status,
        autocompletion=_complete_status,
        help=f"How it ended: {', '.join(_STATUSES)}.",
        rich_help_panel=_ROW,
    ),
]
Statuses = Annotated[
    list[str] | None,
    typer.Option(
        "--status",
        metavar="STATUS,...",
        callback=_statuses,
        autocompletion=_complete_status,
        help=f"Only trials of these statuses, {PENDING} or {RETRACTED}; repeatable.",
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        "--metric",
        metavar="NUMBER",
        callback=_number,
        help="Its score, for the column that the task ranks by.",
        rich_help_panel=_ROW,
    ),
]
Hypothesis = Annotated[
    str,
    typer.Option("--hypothesis", "-m", metavar="TEXT", help="What it tries, and why.", rich_help_panel=_ROW),
]
Specialist = Annotated[str, typer.Option("--specialist", metavar="NAME", help="Who made it.", rich_help_panel=_ROW)]
Domain = Annotated[str, typer.Option("--domain", metavar="TEXT", help="What it is about.", rich_help_panel=_ROW)]
Notes = Annotated[str, typer.Option("--notes", metavar="TEXT", help="What else there is to say.", rich_help_panel=_ROW)]
Fields = Annotated[
    list[str] | None,
    typer.Option("--field", metavar="NAME=VALUE", help="Any other column; repeatable.", rich_help_panel=_ROW),
]

Artifacts = Annotated[
    list[str] | None,
    typer.Option(
        "--artifact",
        metavar="GLOB",
        help="Files that it made, to be kept outside of git: 'ckpt/*.pt'; repeatable.",
        rich_help_panel=_ROW,
    ),
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder; made if it is missing.", show_default=False)]
TaskMetric = Annotated[
    str | None,
    typer.Option("--metric", metavar="NAME", callback=_column, help="The column that ranks trials, e.g. val_bpb."),
]
Direction = Annotated[
    bool | None,
    typer.Option("--lower-is-better/--higher-is-better", help="In which direction it improves.", show_default=False),
]
RankBy = Annotated[
    str | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        callback=_column,
        help="Rank by this column. [default: the task's]",
        show_default=False,
    ),
]
RankDirection = Annotated[
    bool | None,
    typer.Option(
        "--lower-is-better/--higher-is-better",
        help="In which direction that column improves; needed for any but the task's.",
        show_default=False,
    ),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Pass over what cannot be read, and count it by kind.")]
Campaign = Annotated[str | None, typer.Option("--campaign", metavar="NAME", help="Import into this campaign.")]
Label = Annotated[str | None, typer.Option("--label", metavar="TEXT", help="Its short name in prompts.")]
