"""The module map: who may import whom, and that README draws the same."""

import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "gitlineage"

# A module imports only from rows above its own; imports inside functions and under TYPE_CHECKING count too.
LAYERS: list[list[str]] = [
    ["_version", "errors", "times", "modes", "deltas", "outputs", "markup", "formats.citations"],
    [
        "trial",
        "message",
        "namespace",
        "graph",
        "program",
        "foreign",
        "bounds",
        "locks",
        "turns",
        "packs",
        "schema",
        "similarity",
        "usage",
        "render.text",
        "render.choices",
        "demo.passages",
    ],
    [
        "models",
        "gitformats",
        "relation",
        "catalogue",
        "packer",
        "readahead",
        "promised",
        "transport",
        "database",
        "formats.autoresearch",
        "formats.openrange",
        "formats.tsv",
        "demo.edits",
        "graphviz",
        "render.diagram",
        "droppings",
    ],
    ["settings", "state", "folders", "frames", "render.layered"],
    ["refs"],
    ["gitrepo"],
    ["codec", "lfs", "notes", "worktree", "upkeep", "signing", "hooks", "render.board", "demo.harness", "demo.trials"],
    ["journal", "treediff", "checkout", "render.prompt"],
    ["acyclic", "facts", "links", "receiving", "trust", "restoring", "keeping"],
    ["fold"],
    ["index", "lines"],
    ["cohorts", "origins"],
    ["labels"],
    ["views", "landing"],
    ["names", "queries", "ranking", "derived", "prompts", "search", "strides", "judging"],
    ["rules", "kinship", "verify", "adoption", "blame", "bisecting", "chronicle", "nearest"],
    ["recorder", "current", "relating", "repairing", "diagrams", "inferring"],
    ["forging"],
    ["ledger", "impact"],
    ["rehome", "consolidation", "remotes"],
    ["pulling"],
    ["sync"],
    ["relations", "histories"],
    ["catalogues", "sharing"],
    ["store"],
    ["tables", "hooked", "asynchronous", "demo.loop", "placing"],
    ["boards", "bundles", "loops", "curricula"],
    ["cli.*"],
    ["__main__"],
]
EXEMPT = {"__init__", "render.__init__", "formats.__init__", "demo.__init__", "demo.recipe.train"}


def row_of(module: str) -> int:
    """Return the row of a module, the last one for the command line."""
    for row, modules in enumerate(LAYERS):
        if module in modules or f"{module.split('.')[0]}.*" in modules:
            return row
    raise AssertionError(f"{module} is in no row of LAYERS")


def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        found[".".join(path.relative_to(PACKAGE).with_suffix("").parts)] = path
    return found


def imports(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, wherever in the file."""
    found = set()
    names = modules()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {
                alias.name.removeprefix("gitlineage.") for alias in node.names if alias.name.startswith("gitlineage")
            }
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "gitlineage":
            inside = node.module.removeprefix("gitlineage").removeprefix(".")
            for alias in node.names:
                longer = f"{inside}.{alias.name}" if inside else alias.name
                found.add(longer if longer in names else inside)
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"a relative import in {path}"
    return found


def test_imports_point_down() -> None:
    """Every import leads to a row above, so that there is no circle."""
    wrong = []
    for name, path in modules().items():
        if name in EXEMPT:
            continue
        for other in imports(path):
            if other == "" or (name.startswith("cli.") and other.startswith("cli")):
                continue
            if row_of(other) >= row_of(name):
                wrong.append(f"{name} (row {row_of(name)}) imports {other} (row {row_of(other)})")
    assert not wrong, "\n".join(wrong)


def test_nobody_inside_imports_the_shop_window() -> None:
    """Inside the package nobody imports from its root."""
    assert [name for name, path in modules().items() if "" in imports(path)] == []


def test_the_command_line_has_no_circle() -> None:
    """The command line's own modules import each other without a circle."""
    edges = {
        name: {o for o in imports(path) if o.startswith("cli")}
        for name, path in modules().items()
        if name.startswith("cli")
    }
    done: set[str] = set()
    while ready := [name for name in edges if name not in done and edges[name] <= done | {name}]:
        done.update(ready)
    assert set(edges) == done


def test_no_module_is_forgotten() -> None:
    """Every module has a row, and every name in the rows is a module."""
    for name in modules():
        if name not in EXEMPT:
            row_of(name)
    known = set(modules())
    assert [name for row in LAYERS for name in row if not name.endswith("*") and name not in known] == []


def test_docstrings_name_the_layer() -> None:
    """The first docstring of a module says in which row it lives, and that is its row."""
    for name, path in modules().items():
        if name in EXEMPT or name == "_version":
            continue
        told = re.search(r"Layer (\d+)", ast.get_docstring(ast.parse(path.read_text())) or "")
        assert told, f"{name} does not name its layer"
        assert int(told[1]) == row_of(name), f"{name} says layer {told[1]} and is in row {row_of(name)}"


def test_readme_draws_these_rows() -> None:
    """The table of rows in README is the list in this file."""
    readme = (PACKAGE.parent / "README.md").read_text()
    drawn = [re.findall(r"`([^`]+)`", line) for line in readme.splitlines() if re.match(r"\| \d+ \| `", line)]
    assert drawn == LAYERS
