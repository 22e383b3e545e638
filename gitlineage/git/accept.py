"""
A commit on the user's own branch: made there, and in the working tree and the index as git itself would have it.

The one place that moves a branch; start at `accept`. Git's two-way read of trees decides what may be overwritten:
what is staged or changed and not the same in the new commit is refused before anything is written.
"""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from gitlineage import scratch
from gitlineage.errors import GitFailed, Invalid, WouldLose
from gitlineage.git import program
from gitlineage.git.content import Content
from gitlineage.git.formats import Entry
from gitlineage.git.repository import GitRepo
from gitlineage.house import NAME
from gitlineage.text import some

_HEADS = "refs/heads/"
_ABSENT = "0" * 40
_UNDERWAY = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
}
"""What git has begun and not ended, by the files that say so."""

_SETTINGS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "submodule.recurse=false")


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """
    A commit that was made on a branch.

    Args:
        branch: the branch, without ``refs/heads/``.
        oid: the commit.
        was: what the branch was at before; ``None`` where it began with this.
        files: the paths that it changes.
        merged: whether the branch had gone on, so that its changes and the snapshot's were joined.
        here: whether the working tree and the index moved along, because the branch is checked out in it.
    """

    branch: str
    oid: str
    was: str | None
    files: tuple[str, ...] = ()
    merged: bool = False
    here: bool = False


def tip(repo: GitRepo, branch: str | None) -> tuple[str, str | None]:
    """
    Return the full name of a branch and what it is at; a new one begins at HEAD.

    Args:
        repo: the repository.
        branch: its name; ``None`` for the one that is checked out.

    Raises:
        Invalid: there is none, no branch can be called so, or it is checked out elsewhere.
    """
    head = _checked_out_here(repo)
    if branch is None:
        if head is None:
            raise Invalid("HEAD is on no branch; --branch NAME says which one is meant")
        return head, repo.ref(head)
    full = full_name(repo, branch)
    name = full.removeprefix(_HEADS)
    if full != head and f"branch {full}" in _git(repo, "worktree", "list", "--porcelain").decode().splitlines():
        raise Invalid(f"{name} is checked out in another working tree; accept it there")
    return full, repo.ref(full) or repo.head()


def full_name(repo: GitRepo, branch: str) -> str:
    """
    Return the full name of a branch, which need not be there.

    Raises:
        Invalid: no branch can be called so.
    """
    name = branch.removeprefix(_HEADS)
    try:
        _git(repo, "check-ref-format", "--branch", name)
    except (GitFailed, ValueError) as error:  # the latter where it holds a NUL
        raise Invalid(f"no branch can be called {branch!r}") from error
    return _HEADS + name


def accept(
    repo: GitRepo,
    branch: str,
    was: str | None,
    base: str,
    tree: str,
    message: str,
    people: Mapping[str, str],
    hint: str,
) -> Accepted:
    """
    Commit a tree on a branch, with what the branch has changed since it and the tree went apart.

    Args:
        repo: the repository.
        branch: the branch's full name.
        was: the commit that it is at, or begins from.
        base: the tree that both go back to.
        tree: the tree to be there.
        message: the commit's message.
        people: ``GIT_AUTHOR_…`` and ``GIT_COMMITTER_…``: who made it, and who commits it.
        hint: what to do where the two changed the same lines.

    Raises:
        Invalid: the two changed the same lines, there is nothing to commit, or git is in the middle of something.
        WouldLose: files that are changed or staged would be overwritten; nothing was changed.
        GitFailed: git refused otherwise, as where it cannot sign.
    """
    ours = repo.commit(was).tree if was is not None else repo.empty_tree()
    new = tree if ours in (base, tree) else repo.merge_trees(base, ours, tree, hint)
    short = branch.removeprefix(_HEADS)
    before, after = dict(repo.walk_tree(ours)), dict(repo.walk_tree(new))
    files = tuple(sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path)))
    if not files:
        raise Invalid(f"{short} has all of it already; there is nothing to commit")
    here = repo.workdir is not None and _checked_out_here(repo) == branch
    if here:
        for name, what in _UNDERWAY.items():
            if (repo.gitdir / name).exists():
                raise Invalid(f"{what} is under way here; end it first (`git status` says how)")
    sign = ["-S"] if repo.flag("commit.gpgsign") else []
    above = ["-p", was] if was is not None else []
    oid = _git(repo, "commit-tree", *sign, *above, new, data=message.encode(), variables=people).decode().strip()
    if here:
        _move_along(repo, ours, new, files)
    told = f"{NAME} accept: {message.splitlines()[0] if message.strip() else ''}"
    _git(repo, "update-ref", "-m", told, branch, oid, repo.ref(branch) or _ABSENT)
    return Accepted(branch=short, oid=oid, was=was, files=files, merged=new != tree, here=here)


def _move_along(repo: GitRepo, ours: str, new: str, files: Sequence[str]) -> None:
    """Have index and working tree go from one tree to another; what is not the same in both stays, or is refused."""
    before, after, now = dict(repo.walk_tree(ours)), dict(repo.walk_tree(new)), _present(repo)
    real = repo.gitdir / "index"
    with scratch.folder() as aside:
        trial = aside / "index"
        if real.exists():
            shutil.copyfile(real, trial)
        staged = _staged(repo, trial)
        lost = [path for path in files if staged.get(path) not in (before.get(path), after.get(path))]
        # What is there already as the new commit has it is only noted in the index: git would take it for a change.
        there = [path for path in files if now.get(path) == after.get(path) and path not in lost]
        lost += [path for path in files if path not in there and now.get(path) != before.get(path)]
        noted = "".join(
            f"{after[path].mode:o} {after[path].oid}\t{path}\0" if path in after else f"0 {_ABSENT}\t{path}\0"
            for path in there
        ).encode("utf-8", "surrogateescape")
        for index, dry in ((trial, ["-n"]), (real, [])):
            try:
                if lost:
                    raise WouldLose(lost, _told(some(lost)))
                _git(repo, "update-index", "-z", "--index-info", data=noted, index=index)
                with suppress(GitFailed):  # it fails where a file differs, which is to be seen below
                    _git(repo, "update-index", "-q", "--refresh", index=index)
                _git(repo, "read-tree", *dry, "-m", "-u", ours, new, index=index)
            except GitFailed as error:
                raise WouldLose((), _told(error.message)) from error


def _told(what: str) -> str:
    return (
        f"the commit would overwrite what is changed or staged: {what}; `{NAME} commit` records it, "
        "`git stash` puts it aside"
    )


def _present(repo: GitRepo) -> dict[str, Entry]:
    """Return the files of the working tree, as a commit would have them."""
    assert repo.workdir is not None
    with repo.packing():  # nothing of it gets onto the disk
        return dict(repo.walk_tree(Content(repo).from_folder(repo.workdir, everything=False).tree))


def _staged(repo: GitRepo, index: Path) -> dict[str, Entry | None]:
    """Return what an index has by path; nothing that any tree has where a merge left several."""
    staged: dict[str, Entry | None] = {}
    for line in _git(repo, "ls-files", "-s", "-z", index=index).decode("utf-8", "surrogateescape").split("\0"):
        if line:
            facts, _, path = line.partition("\t")
            mode, oid, stage = facts.split()
            staged[path] = Entry(int(mode, 8), oid if stage == "0" else "")
    return staged


def _checked_out_here(repo: GitRepo) -> str | None:
    """Return the full name of the branch that HEAD is on."""
    name = repo.branch()
    return _HEADS + name if name is not None else None


def _git(
    repo: GitRepo, *words: str, data: bytes = b"", index: Path | None = None, variables: Mapping[str, str] | None = None
) -> bytes:
    where = {"GIT_DIR": str(repo.gitdir)}
    if repo.workdir is not None:
        where["GIT_WORK_TREE"] = str(repo.workdir)
    if index is not None:
        where["GIT_INDEX_FILE"] = str(index)
    told = {**where, **(variables or {})}
    return program.run([*_SETTINGS, *words], cwd=repo.workdir or repo.gitdir, variables=told, data=data)
