"""
A snapshot as an ordinary commit on the user's own branch, so that it enters code review as any other work.

Nothing is recorded by it; `git.accept` moves the branch, this says what the commit is made of (semantics 98).
"""

from gitlineage.errors import Invalid
from gitlineage.git.accept import Accepted, accept, tip
from gitlineage.git.formats import Identity
from gitlineage.model.message import compose, flattened, subject, trailer_lines
from gitlineage.model.records import Snapshot, Task
from gitlineage.query import ancestry
from gitlineage.query.views import Views
from gitlineage.text import to_type

_BACK = 1000
"""Commits of a branch in which what it has in common with a snapshot is looked for."""

_OURS = ("Exp-Id", "Specialist", "Cohort")
"""Trailers of a snapshot that its commit on a branch has, too."""


def accept_snapshot(views: Views, oid: str, branch: str | None, committer: Identity) -> Accepted:
    """
    Commit a snapshot's content on a branch, by whoever made the snapshot.

    Raises:
        Invalid: there is no such branch, nothing that both have in common, nothing new, or the same lines were changed.
        WouldLose: changed or staged files would be overwritten; nothing was changed.
    """
    snapshot = views.snapshot(oid)
    if snapshot.stub or (snapshot.tree == views.repo.empty_tree() and snapshot.trials):
        raise Invalid(f"{views.name(oid)} is a row alone; there is no code to accept")
    full, was = tip(views.repo, branch)
    name, _, rest = snapshot.author.partition(" <")
    author = Identity(name, rest.removesuffix(">")).clean()
    people = {
        "GIT_AUTHOR_NAME": author.name,
        "GIT_AUTHOR_EMAIL": author.mail,
        "GIT_AUTHOR_DATE": snapshot.time,
        "GIT_COMMITTER_NAME": committer.clean().name,
        "GIT_COMMITTER_EMAIL": committer.clean().mail,
    }
    base = _base(views, snapshot, was)
    message = _message(views, snapshot, views.task)
    hint = f"`{to_type('gitlineage', 'restore', views.name(oid))}` brings its files here, for you to join and commit"
    return accept(views.repo, full, was, base, snapshot.tree, message, people, hint)


def _base(views: Views, snapshot: Snapshot, was: str | None) -> str:
    """Return the content that a branch and a snapshot both go back to: by git's history, else by equal content."""
    repo = views.repo
    if was is None:
        return repo.empty_tree()
    if (common := repo.merge_base(was, snapshot.oid)) is not None:
        return repo.commit(common).tree
    above = {node.entry.tree for node in ancestry.ancestors(views, snapshot.oid) if node.entry is not None}
    above.add(snapshot.tree)
    for _, tree in repo.history(was, _BACK):
        if tree in above:
            return tree
    id = views.name(snapshot.oid)
    raise Invalid(
        f"the branch has no content in common with what {id} was derived from; `gitlineage restore {id}` brings its "
        "files here, for `git commit` to take"
    )


def _message(views: Views, snapshot: Snapshot, task: Task) -> str:
    """Return the snapshot's message with the trailers that mean something on a branch."""
    info = views.repo.commit(snapshot.oid)
    lines = trailer_lines(info.message)
    said = info.message.rstrip().rpartition("\n\n")[0] if lines else info.message
    trial = snapshot.trial
    told = [(key, value) for key, value in lines if key in _OURS]
    if trial is not None:
        score = trial.text(task.score_field)
        told += [
            ("Lineage-Status", str(trial.status or "pending")),
            ("Lineage-Score", flattened(f"{task.score_field} {score}") if score else ""),
        ]
    return compose(
        said if subject(said).strip() else views.name(snapshot.oid), [*told, ("Lineage-Snapshot", snapshot.oid)]
    )
