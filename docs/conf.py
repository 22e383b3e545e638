"""
The site that docs/ is: `sphinx-build -W docs FOLDER`, where a broken link, anchor or docstring is an error.

Sphinx with MyST, whose notebooks run while it is built, because MkDocs has had no release since 2024 and its Material
theme ends in 2026, and because Sphinx makes the reference of the library from its docstrings.
"""

from gitlineage import __version__

project = "gitlineage"
release = version = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
nb_execution_mode = "force"  # a cell that fails is an error, as a warning is
nb_execution_in_temp = True
nb_execution_raise_on_error = True
exclude_patterns = ["README.md"]
html_theme = "furo"
html_title = "gitlineage"
html_copy_source = False
suppress_warnings = ["misc.highlighting_failure"]  # the console lexer knows no `$ cat <<END` that goes on
myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
default_role = "code"
nitpicky = False


def _literal(app: object, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Turn fenced drawings of docstrings into what Sphinx takes for one."""
    found, inside = [], False
    for line in lines:
        if line.strip() == "```":
            inside = not inside
            found += ["::", ""] if inside else [""]
        else:
            found.append(f"    {line}" if inside else line)
    lines[:] = found


def setup(app: object) -> None:
    """Let Sphinx call it."""
    app.connect("autodoc-process-docstring", _literal)  # type: ignore[attr-defined]
