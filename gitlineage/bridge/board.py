"""The board: a store's state as files in a folder, for agents and people who read files."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from gitlineage.bridge.tsv import pieces
from gitlineage.errors import StorageError
from gitlineage.files import write_pieces
from gitlineage.model.records import PromptOptions
from gitlineage.model.trial import packed_text
from gitlineage.query import flat
from gitlineage.query.prompt import prompt_view
from gitlineage.query.views import Views
from gitlineage.render import board
from gitlineage.store.store import LineageStore

KNOWLEDGE = "KNOWLEDGE.md"


def write_board(
    store: LineageStore,
    folder: Path,
    *,
    tree_path: str | None = None,
    raw_parents: bool = False,
    at: str | None = None,
    trusted_only: bool = False,
) -> tuple[Path, ...]:
    """
    Write ``LEADERBOARD.md``, ``KNOWLEDGE.md``, ``tree.tsv``, ``results.tsv`` and ``best.json`` (semantics 45–52).

    What people wrote under Key Insights in an earlier ``KNOWLEDGE.md`` is kept. Each file is replaced whole.

    Args:
        tree_path: where ``tree.tsv`` is, as the knowledge document is to print it; by default in the folder.
        raw_parents: take parents as the rows spell them (semantics 59).
        at: as of a trial, a commit of a writer's ref, or an ISO 8601 time.
        trusted_only: leave out the writers whose refs are not signed by their owners.

    Returns:
        The files, in the order above.

    Raises:
        StorageError: one cannot be written, or the folder above is not there.
    """
    views = store.ledger.views(at=at, raw_parents=raw_parents, trusted_only=trusted_only)
    options = PromptOptions(
        tree_path=tree_path or (folder / "tree.tsv").as_posix(), max_chars=0, raw_parents=raw_parents
    )
    try:
        insights = board.key_insights(_earlier(folder / KNOWLEDGE))
        view = prompt_view(views, "", options, insights, store.campaign)
        files: dict[str, Iterable[bytes]] = {
            "LEADERBOARD.md": [board.leaderboard(view, options).encode()],
            KNOWLEDGE: [board.knowledge(view, options).encode()],
            "tree.tsv": map(str.encode, board.tree_lines(_tree_rows(views), views.task)),
            "results.tsv": pieces(views),
            "best.json": [board.best_json(view).encode()],
        }
        if not folder.absolute().parent.is_dir():
            raise StorageError(f"cannot write the board to {folder}: there is no folder {folder.absolute().parent}")
        folder.mkdir(exist_ok=True)
        with views.index.steady():
            for name, data in files.items():
                write_pieces(folder / name, data)
    except OSError as error:
        raise StorageError(f"cannot write the board to {folder}: {error.strerror or error}") from error
    return tuple(folder / name for name in files)


def _tree_rows(views: Views) -> Iterator[board.TreeRow]:
    return (
        board.TreeRow(each.label, each.parent, each.dangling, partial(packed_text, each.values))
        for each in flat.counting(views)
    )


def _earlier(path: Path) -> str:
    return path.read_text("utf-8", "replace") if path.is_file() else ""
