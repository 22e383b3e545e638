"""The command that draws a lineage as a diagram: graph."""

from pathlib import Path
from typing import Annotated

import typer

from gitlineage.cli import options, output
from gitlineage.cli.commands import command, commands
from gitlineage.cli.opening import opened
from gitlineage.errors import StorageError
from gitlineage.render.choices import FORMATS, LIMIT

app = commands()
_MERMAID = (500, 50_000)
"""How many edges and how much text Mermaid draws unless its own configuration says otherwise."""


_ENDINGS = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".json": "json", ".mmd": "mermaid", ".mermaid": "mermaid"}
"""What a file's ending says about its format."""


def _format(value: str | None) -> str | None:
    return options.one_of(value, FORMATS)


@command(app, "graph", "gitlineage graph best --depth 2 -o best.svg")
def graph(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="ID", help="Draw what is around this snapshot.", show_default=False)
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option("--depth", min=-1, metavar="N", help="Go so many steps up and down; -1 for all. [default: 3]"),
    ] = None,
    relations: options.Relations = None,
    everything: Annotated[bool, typer.Option("--all", help="Draw the whole lineage.")] = False,
    cohort: Annotated[
        str | None, typer.Option("--cohort", metavar="NAME", help="Draw this cohort with its base.")
    ] = None,
    best: Annotated[
        bool, typer.Option("--best", help="Draw the line to the best, with its siblings and children.")
    ] = False,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            callback=_format,
            help="mermaid, dot, svg or json. [default: FILE's]",
        ),
    ] = None,
    file: Annotated[str, typer.Option("-o", metavar="FILE", help="Where to; - for standard output.")] = "-",
    limit: Annotated[
        int, typer.Option("--limit", min=-1, metavar="N", help="Refuse to draw more snapshots; -1 draws any number.")
    ] = LIMIT,
    inferred: Annotated[
        bool, typer.Option("--inferred", help="Draw dashed what `gitlineage relation infer` proposes, too.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """
    Draw the lineage as a diagram

    Roots stand first, the best has a star, and what is not the usual stands in words: types, roles, statuses. Statuses
    are colours, too, cohorts are frames. Mermaid shows in Markdown on most forges. SVG needs Graphviz's dot, or
    gitlineage's extra `diagrams`. With --json it is one object: nodes (handle, id, name, status, score, hypothesis,
    more, root: whether it is the ID that was asked for, best), edges (source, target, type, role, proposed) and groups
    (name, members).
    """
    if sum((name is not None, everything, cohort is not None, best)) != 1:
        raise typer.BadParameter("name one snapshot, or take one of --all, --cohort and --best", param_hint="'ID'")
    if depth is not None and name is None:
        raise typer.BadParameter("it is for a snapshot's ID", param_hint="'--depth'")
    if as_json and format not in (None, "json"):
        raise typer.BadParameter("it excludes --json", param_hint="'--format'")
    wanted = "json" if as_json else format or _ENDINGS.get(Path(file).suffix.lower(), "mermaid")
    # Imported here, because --help needs neither.
    from gitlineage.files import write_whole
    from gitlineage.query.diagram import draw

    with opened(ctx) as store:
        shown = store.lineage_diagram(
            cohort if cohort is not None else "best" if best else name,
            "all" if everything else "cohort" if cohort is not None else "line" if best else "around",
            depth=3 if depth is None else depth,
            relationship_types=relations,
            limit=options.at_most(limit),
            proposed=[each.relationship() for each in store.infer()] if inferred else (),
        )
    text = draw(shown, wanted)
    if wanted == "mermaid" and (len(shown.links()) > _MERMAID[0] or len(text) > _MERMAID[1]):
        output.note("Mermaid draws so much only where its maxEdges and maxTextSize are raised; --format svg draws more")
    if file == "-":
        output.write(text)
        return
    try:
        write_whole(Path(file), text.encode("utf-8"))
    except OSError as error:
        raise StorageError(f"cannot write {file}: {error.strerror or error}") from error
    output.note(f"wrote {file}")
