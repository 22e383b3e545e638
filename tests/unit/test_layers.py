"""The house: which package may import which, that nothing inside a package is circular, and that README draws it."""

import ast
import re
from pathlib import Path

from places import ROOT

PACKAGE = ROOT / "gitlineage"

# A package imports only from those before it; imports inside functions and under TYPE_CHECKING count, too.
ORDER = [
    "leaves", "model", "git", "journal", "render", "index", "query", "record", "sync", "store", "bridge", "run",
    "agents", "page", "demo", "cli",
]  # fmt: skip
APART = {("git", "model"), ("render", "git"), ("render", "journal")}
"""Packages that know nothing of each other, whichever comes first."""


def package_of(module: str) -> str:
    """Return the package of a module; a module beside the packages is a leaf."""
    return "cli" if module == "__main__" else module.split(".")[0] if "." in module else "leaves"


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


def edges() -> dict[str, set[str]]:
    """Return what each module imports; the shop window, which imports from everywhere, is left out."""
    return {name: imports(path) for name, path in modules().items() if name != "__init__"}


def test_imports_point_down() -> None:
    """Every import leads to a package before, or stays in its own."""
    wrong = []
    for name, others in edges().items():
        for other in others - {""}:
            pair = package_of(name), package_of(f"{other}." if other in ORDER else other)
            if pair[0] != pair[1] and (ORDER.index(pair[1]) > ORDER.index(pair[0]) or pair in APART):
                wrong.append(f"{name} imports {other}")
    assert not wrong, "\n".join(wrong)


def test_nobody_inside_imports_the_shop_window() -> None:
    """Inside the package nobody imports from its root."""
    assert [name for name, others in edges().items() if "" in others] == []


def test_no_package_has_a_circle() -> None:
    """The modules of one package import each other without a circle."""
    known = edges()
    inside = {
        name: {other for other in others if other in known and package_of(other) == package_of(name)} - {name}
        for name, others in known.items()
    }
    done: set[str] = set()
    while ready := [name for name in inside if name not in done and inside[name] <= done]:
        done.update(ready)
    assert set(inside) == done


def test_git_has_no_word_of_lineage() -> None:
    """`git` speaks git alone: but for the package's own name in imports, nothing in it mentions lineage."""
    for path in sorted((PACKAGE / "git").glob("*.py")):
        rest = re.sub(r"^\s*(from|import) gitlineage\S*", "", path.read_text(), flags=re.MULTILINE)
        assert "lineage" not in rest.lower(), path.name


BASES = {
    "Part",  # what relations, catalogue, history and remote have in common
    "Watcher",  # there to be overridden
    "Command",  # typer's classes with our help, a pager and headings, which typer wants as classes
    "Group",
    "Paged",
    "_Ours",
}
"""The classes of ours that others of ours inherit from, besides errors and records. Anything else is a member."""


def test_no_class_is_cut_into_base_classes() -> None:
    """A class of ours inherits from another one of ours only where it is an error, a record or made for that."""
    classes = [
        (node.name, {ast.unparse(base) for base in node.bases})
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    fine = {"Exception", "msgspec.Struct"}
    for _ in classes:
        fine |= {name for name, bases in classes if bases & fine}
    plain = {name for name, bases in classes if not bases & fine}
    assert {base for _, bases in classes for base in bases & plain} == BASES


def test_every_package_is_in_the_order_and_says_what_it_is() -> None:
    """No folder is forgotten, none is made up, and each begins with what lives there and where to start."""
    found = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert found == set(ORDER) - {"leaves"}
    for name in found - {"cli", "demo"}:
        told = ast.get_docstring(ast.parse((PACKAGE / name / "__init__.py").read_text())) or ""
        assert "tart with" in told or name == "bridge", name


def test_readme_and_the_design_draw_this_order() -> None:
    """README's table of packages and the line in docs/design.md have this order."""
    readme = (PACKAGE.parent / "README.md").read_text()
    drawn = [match[1] for match in re.finditer(r"^\| `(\w+)/?` \|", readme, re.MULTILINE) if match[1] in ORDER]
    assert drawn == ORDER
    line = re.search(r"^leaves < .*$", (PACKAGE.parent / "docs" / "design.md").read_text(), re.MULTILINE)
    assert line and re.findall(r"\w+", line[0]) == ORDER
