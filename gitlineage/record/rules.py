"""What `Recorder` asks before it records: what content is, when two rows agree, which trial is the best so far."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gitlineage.errors import Invalid, InvalidContent, NotFound
from gitlineage.git.repository import GitRepo
from gitlineage.model.message import flattened
from gitlineage.model.namespace import DEFAULT
from gitlineage.model.rank import ELIGIBLE, beats, record
from gitlineage.model.trial import Trial
from gitlineage.query.names import resolve
from gitlineage.query.views import Views

if TYPE_CHECKING:
    from gitlineage.git.content import Content
    from gitlineage.git.folders import Taken

_MAX_NAME = 200


class Base(NamedTuple):
    """What a cohort asks of its members: the parents it was opened with, or any others; and how they name it."""

    name: str
    oids: Sequence[str]
    allow_mixed: bool


class Memory:
    """What a store remembers from one landing to the next: the best trial."""

    def __init__(self) -> None:
        self.best: Trial | None = None
        self.best_of = -1
        """The index's generation in which that is the best trial."""

    def best_in(self, views: Views) -> Trial | None:
        """Return the best trial; the index is asked again only after something that may have made it another one."""
        if self.best_of != views.index.generation:
            self.best = views.best_row()
            self.best_of = views.index.generation
        return self.best

    def hear(self, views: Views, trial: Trial, *, revised: bool) -> None:
        """Know the best trial after another one was recorded; the index is asked where that does not say it."""
        if self.best_of == views.index.generation:
            if revised or record(views.task, self.best) is None:
                self.best_of = -1
            elif beats(views.task, trial, self.best):
                self.best = trial

    def has_best(self, generation: int) -> bool:
        """Whether the best trial is known, and is one that only a better one replaces."""
        return self.best_of == generation and self.best is not None and self.best.status in ELIGIBLE


def content_of(repo: GitRepo, hear: "Callable[[Taken], None] | None" = None) -> "Content":
    """Return what writes content into a repository, with the index that is kept for its working tree."""
    from gitlineage.git.content import Content

    return Content(repo, hear=hear, kept=DEFAULT.folder(repo.gitdir) / "tree")


def content_tree(
    views: Views, taken: "Content", content: Mapping[str, bytes] | Path | str | None, near: Sequence[str]
) -> str:
    """
    Write what content is and return its tree.

    Args:
        content: files by path, an id, revision or tree, or a folder; ``None`` for the working tree. A text that may
            be both is the id or revision: ``./000`` is the folder.
        near: trees that are sure to stay; what they hold at the same path is not written again.

    Raises:
        Invalid: there is no working tree.
        InvalidContent: a path that leads outside, a file over the limit, or a text that names nothing.
    """
    repo = views.repo
    if isinstance(content, Mapping):
        return taken.from_mapping(content, near)
    if content is None:
        if repo.workdir is None:
            raise Invalid("there is no working tree: say which content to record")
        return taken.from_folder(repo.workdir, near, everything=False).tree
    if isinstance(content, Path):
        return taken.from_folder(content, near, everything=False).tree
    try:
        rev: str = resolve(views, content)
    except NotFound:
        rev = content
    tree = taken.from_revision(rev)
    if tree is not None:
        return tree
    if Path(content).is_dir():
        return taken.from_folder(Path(content), near, everything=False).tree
    raise InvalidContent(content, "is neither a folder nor a commit, tree or id of this store")


def agrees(given: Trial, known: Trial) -> bool:
    """Whether a row says nothing that a recorded one does not say too."""
    cells = known.cells()
    return all(cells.get(column, "") == text for column, text in given.cells().items() if column != "exp_id")


def merged(given: Trial, known: Trial) -> Trial:
    """Return a row with its empty cells filled from an earlier version."""
    return Trial.from_cells({**known.cells(), **{name: text for name, text in given.cells().items() if text}})


def check_cohort_name(name: str) -> None:
    """Refuse a text that cannot name a cohort: empty, padded, overlong or of several lines."""
    if not name or name != flattened(name) or len(name) > _MAX_NAME:
        raise Invalid(f"{name!r} cannot name a cohort: a name is one line of 1 to {_MAX_NAME} characters")
