"""Tables as HTML for notebooks; every cell is text of somebody's trial and is escaped."""

from collections.abc import Iterable, Sequence

from gitlineage.text import cut

_WIDTH = 2_000
"""Characters of a cell that are shown."""


def table(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Return a table with a header row; cells are shown in one line each."""
    above = f"<caption>{_cell(caption)}</caption>" if caption else ""
    head = "".join(f"<th>{_cell(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(text)}</td>' for text in row)}</tr>" for row in rows)
    return f"<table>{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def facts(pairs: Iterable[tuple[str, str]], caption: str = "") -> str:
    """Return a table of names and what they are, a row each; what is empty is left out."""
    above = f"<caption>{_cell(caption)}</caption>" if caption else ""
    body = "".join(f"<tr><th>{_cell(name)}</th><td>{_cell(text)}</td></tr>" for name, text in pairs if text)
    return f"<table>{above}<tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    from html import escape  # only a notebook needs it

    return escape(cut(text, _WIDTH, _printable))


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)
