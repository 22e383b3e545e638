"""
Recipe edits: the difference of two trees as git shows it, and of two folders.

Semantics 41. The git program draws it: libgit2's patches are the same but for the marks after names with
spaces, its summaries but for their columns.
"""

from pathlib import Path

import msgspec

from gitlineage import scratch
from gitlineage.bounds import MAX_DRAWING
from gitlineage.git import program
from gitlineage.git.repository import GitRepo, init_repository
from gitlineage.model.trial import Trial


def diff_trees(repo: GitRepo, old: str, new: str, *, stat: bool = False) -> bytes:
    """
    Return the difference between two trees (or commits) of a repository, renames found as git finds them.

    The bytes are git's own: files need not be UTF-8.

    Args:
        old: the tree on the left.
        new: the tree on the right.
        stat: the summary by file instead of the patch.

    Raises:
        GitFailed: a tree is missing or broken, or git takes too long.
        TooMuch: the two differ in more files than are shown.
    """
    trees = [repo.resolve_tree(each) for each in (old, new)]
    if trees[1] is not None:
        repo.check_extent(trees[1], trees[0])
    shown = ["--stat=80"] if stat else ["--patch"]
    rules = ["-r", "--find-renames", "--no-color", "--no-ext-diff", "--no-textconv"]
    prefixes = ["--src-prefix=a/", "--dst-prefix=b/"]
    return program.run(
        ["--git-dir", str(repo.gitdir), "diff-tree", *shown, *rules, *prefixes, "--end-of-options", old, new, "--"],
        seconds=MAX_DRAWING,
    )


class RecipeEdit(msgspec.Struct, frozen=True):
    """
    A trial with its recipe and the one it was made from; `diff` says what was edited.

    Args:
        trial: the row; ``None`` for a snapshot without one.
        snapshot_path: a folder, or a tree's oid when ``repo`` is given.
        parent_snapshot_path: the same for the parent; ``None`` for a root, whose diff is empty.
        repo: the repository that holds the trees.
    """

    trial: Trial | None
    snapshot_path: Path | str
    parent_snapshot_path: Path | str | None = None
    repo: GitRepo | None = None

    def diff(self, *, stat: bool = False) -> str:
        """
        Return the edit as git shows it: adds, deletes, renames, modes, binaries, missing final newlines.

        Bytes that are not UTF-8 read as the replacement sign; `diff_bytes` has them.

        Args:
            stat: the summary by file instead of the patch.

        Raises:
            InvalidContent: a folder does not exist.
        """
        return self.diff_bytes(stat=stat).decode("utf-8", "replace")

    def diff_bytes(self, *, stat: bool = False) -> bytes:
        """Return the edit as the very bytes that git prints; otherwise as `diff`."""
        if self.parent_snapshot_path is None:
            return b""
        if self.repo is not None:
            return diff_trees(self.repo, str(self.parent_snapshot_path), str(self.snapshot_path), stat=stat)
        return diff_folders(Path(self.parent_snapshot_path), Path(self.snapshot_path), stat=stat)


def diff_folders(old: Path, new: Path, *, stat: bool = False) -> bytes:
    """Return the difference between two folders, through a repository that is thrown away."""
    from gitlineage.git.content import Content  # snapshots need none of it

    with scratch.folder() as place:
        init_repository(place, bare=True)
        repo = GitRepo(place)
        content = Content(repo)
        return diff_trees(repo, content.from_folder(old).tree, content.from_folder(new).tree, stat=stat)
