"""What a snapshot has and has not: files and bytes, what was left out, and whether it is much more than its parent."""

from typing import Any

from gitlineage.cli import output
from gitlineage.errors import RepositoryError
from gitlineage.git.content import Weight, weight
from gitlineage.model.records import Snapshot
from gitlineage.store.store import LineageStore
from gitlineage.text import counted

_TIMES = 2
"""How many times as much as its parent a snapshot has before that is said,"""

_MANY = Weight(files=100, bytes=10 * 1024 * 1024)
"""and how much more than it at the least."""


def facts(store: LineageStore, made: Snapshot) -> dict[str, Any]:
    """Return how much a snapshot has, and what of its folder it has not, for ``--json``."""
    total, parent = _weights(store, made)
    taken = store.taken
    fields: dict[str, Any] = {
        "files": total.files,
        "bytes": total.bytes,
        "parent": {"files": parent.files, "bytes": parent.bytes} if parent is not None else None,
        "much_more": parent is not None and _is_much_more(total, parent),
    }
    if taken is not None and taken.tree == made.tree:
        fields |= {
            "left_out": taken.left_out,
            "worktrees": taken.worktrees,
            "elsewhere": taken.elsewhere,
            "warnings": taken.warnings,
        }
    return fields


def tell(store: LineageStore, made: Snapshot) -> None:
    """Print how much a snapshot has, and warn where that is much more than its parent has."""
    total, parent = _weights(store, made)
    output.say(f"  {_text(total)}")
    if parent is not None and _is_much_more(total, parent):
        output.warning(
            f"the snapshot has {_text(total)}, its parent {_text(parent)}; what is no recipe belongs in .gitignore"
        )


def _weights(store: LineageStore, made: Snapshot) -> tuple[Weight, Weight | None]:
    """Return how much a snapshot and its first parent have; not of the parent where its files are not here."""
    taken = store.taken
    if taken is not None and taken.tree == made.tree:
        total = Weight(taken.files, taken.size)
    else:
        total = weight(store.ledger.repo, made.tree)
    if not made.parents:
        return total, None
    try:
        more = weight(store.ledger.repo, made.tree, store.ledger.repo.commit(made.parents[0]).tree)
    except RepositoryError:
        return total, None
    return total, Weight(total.files - more.files, total.bytes - more.bytes)


def _is_much_more(total: Weight, parent: Weight) -> bool:
    return parent.files > 0 and any(
        now > _TIMES * before and now - before >= least
        for now, before, least in (
            (total.files, parent.files, _MANY.files),
            (total.bytes, parent.bytes, _MANY.bytes),
        )
    )


def _text(amount: Weight) -> str:
    """Return an amount in words: ``12 files, 34.5 kB``."""
    size = float(amount.bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    number = f"{size:,.1f}" if unit != "B" else f"{amount.bytes}"
    return f"{counted(amount.files, 'file')}, {number} {unit}"
