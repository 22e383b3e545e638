"""
An ordinary branch for people without the tool: what a plain clone, or a forge's page, shows of a campaign.

Start at `publish`. The branch holds ``README.md`` with the task, the best, a picture and the leaderboard, the board's
files, the report, and the best's own files. The same store gives the same tree; the branch only moves forward, and one
that was not made here is never touched (semantics 117). `Names` says what kept trials
get names as.
"""

import re
import tempfile
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from gitlineage.bridge.board import write_board
from gitlineage.errors import GitFailed, Invalid, RemoteError
from gitlineage.git import program
from gitlineage.git.accept import full_name
from gitlineage.git.content import Content
from gitlineage.git.formats import TREE, Entry, Identity
from gitlineage.git.repository import GitRepo
from gitlineage.model.rank import KEPT
from gitlineage.page.picture import staircase_svg
from gitlineage.page.report import report, titled
from gitlineage.query.diagram import draw
from gitlineage.query.stats import progress, statistics
from gitlineage.query.table import table
from gitlineage.query.views import Views
from gitlineage.record.derived import exp_name
from gitlineage.render.progress import Progress
from gitlineage.store.store import LineageStore
from gitlineage.text import counted, one_line, prose

BRANCH = "lineage"
_MARK = "Published-By: gitlineage"
"""The trailer by which a branch is known as made here."""

_AUTHOR = Identity("gitlineage", "gitlineage@localhost")
_SIGNS = re.compile(r"[!-/:-@\[-`{-~]")
"""Signs that Markdown shows as they are after a backslash."""

_REST = """

## All of it

[{page}]({page}) is the whole campaign as one page that works offline, `board/` has its tables, `best/` the files of the
best. Every trial with its code, failures too, comes with two commands:

```sh
pip install gitlineage
gitlineage clone URL campaign    # the address of this repository
```
"""
_ROWS = 20
_PUSHED = 500
"""So many names are pushed by one command, whose line has a length."""

_DRAWN = 60
"""A line to the best of more snapshots is not drawn in README.md, where nobody could read it."""


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of a publication.

    Args:
        branch: the branch.
        commit: where it is now.
        moved: whether that is new.
        remote: where it was pushed to; empty for nowhere.
        names: refs of kept trials, of those that were asked for, that name what they are to name.
        left: refs that name something else here or on the remote, and stay as they are.
        shown: whether a plain ``git clone`` of the remote checks anything out.
    """

    branch: str
    commit: str
    moved: bool
    remote: str = ""
    names: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    shown: bool = True


class Names(StrEnum):
    """What kept trials get names as; below ``<branch>-kept/``, where no branch or tag of the user's is."""

    TAGS = "tags"
    BRANCHES = "heads"


def publish(
    store: LineageStore, *, branch: str = BRANCH, remote: str = "", pages: bool = False, names: Collection[Names] = ()
) -> Published:
    """
    Bring a branch for people up to date, and push it where a remote is named.

    Args:
        store: the campaign.
        branch: the branch.
        remote: where to push it; empty for nowhere.
        pages: lay it out for a forge's static hosting: the report as ``index.html``.
        names: whether every kept trial gets a tag, a branch, or both. They are made once and never moved.

    Raises:
        Invalid: no branch can be called so, or it is checked out, or was not made by this command.
        RemoteError: the remote could not be reached, or refused.
    """
    repo = store.ledger.repo
    ref = full_name(repo, branch)
    if repo.branch() == branch:
        raise Invalid(f"branch {branch!r} is checked out; --branch takes another name")
    here = repo.resolve(ref)
    there = _listed(repo, remote, "HEAD", ref) if remote else {}
    base = _fetched(repo, remote, there.get(ref)) or here
    for tip in filter(None, (here, base)):
        if _MARK not in repo.commit(tip).message:
            raise Invalid(f"branch {branch!r} was not made by `gitlineage publish`; --branch takes another name")
    tree = _tree(store, repo, pages)
    commit, moved = base, False
    if base is None or repo.commit(base).tree != tree:
        views = store.ledger.views()
        stat = statistics(table(views, texts=False))[0]
        message = f"{counted(stat.trials, 'trial')}, best {prose(stat.best) or 'none'}\n\n{_MARK}\n"
        commit, moved = repo.write_commit(tree, [base] if base else [], message, _AUTHOR, _moment(views)), True
    if commit is not None and commit != here:
        old = [here] if here else []
        program.run(["--git-dir", str(repo.commondir), "update-ref", "-m", "publish", ref, commit, *old])
    if remote:
        _push(repo, remote, [f"{ref}:{ref}"])
    shown = not remote or "HEAD" in there or "HEAD" in _listed(repo, remote, "HEAD")  # a forge may have turned it here
    made, left = _name(store, repo, branch, remote, names)
    return Published(branch=branch, commit=commit or "", moved=moved, remote=remote, names=made, left=left, shown=shown)


def _name(
    store: LineageStore, repo: GitRepo, branch: str, remote: str, kinds: Collection[Names]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name kept trials, here and on the remote; return the refs that do, and those that name other things."""
    if not kinds:
        return (), ()
    kept = [row for row in table(store.ledger.views()).rows if row.status in KEPT]
    wanted = {f"refs/{kind}/{branch}-kept/{exp_name(row.label)}": row.oid for kind in kinds for row in kept}
    below = tuple(f"refs/{kind}/{branch}-kept/" for kind in kinds)
    here = {ref: oid for start in below for ref, oid in repo.refs(start).items()}
    new = {ref: oid for ref, oid in wanted.items() if ref not in here}
    if new:
        repo.set_refs(new)
    left = {ref for ref, oid in wanted.items() if here.get(ref, oid) != oid}
    if remote:
        there = _listed(repo, remote, *(f"{start}*" for start in below))
        left |= {ref for ref, oid in wanted.items() if there.get(ref, oid) != oid}
        missing = [f"{oid}:{ref}" for ref, oid in wanted.items() if ref not in there and ref not in left]
        for at in range(0, len(missing), _PUSHED):
            _push(repo, remote, missing[at : at + _PUSHED])
    return tuple(sorted(set(wanted) - left)), tuple(sorted(left))


def _push(repo: GitRepo, remote: str, refspecs: Sequence[str]) -> None:
    try:
        program.run(["--git-dir", str(repo.commondir), "push", "--quiet", remote, *refspecs])
    except GitFailed as error:
        raise RemoteError(remote, error.message.strip(), "all of it is here; publish again to push it") from error


def _fetched(repo: GitRepo, remote: str, tip: str | None) -> str | None:
    """Return where a remote's branch is, with its objects here; ``None`` where it has none."""
    try:
        if tip and not repo.exists(tip):
            program.run(["--git-dir", str(repo.commondir), "fetch", "--quiet", "--no-tags", remote, tip])
    except GitFailed as error:
        raise RemoteError(remote, error.message.strip(), "nothing was published") from error
    return tip


def _listed(repo: GitRepo, remote: str, *patterns: str) -> dict[str, str]:
    """Return the refs of a remote that match any of some patterns; ``HEAD`` is one where what it names is there."""
    try:
        said = program.run(["--git-dir", str(repo.commondir), "ls-remote", remote, *patterns])
    except GitFailed as error:
        raise RemoteError(remote, error.message.strip(), "nothing was published") from error
    lines = (line.partition("\t") for line in said.decode("utf-8", "replace").splitlines())
    return {name: oid for oid, _, name in lines}


def _moment(views: Views) -> datetime:
    """Return when the newest writer's commit was made, so that the same refs give the same commit."""
    times = [views.repo.commit(tip).time for tip in views.index.tips().values()]
    return max(times, default=datetime(2000, 1, 1, tzinfo=UTC))


def _tree(store: LineageStore, repo: GitRepo, pages: bool) -> str:
    """Write the branch's tree and return its oid."""
    views = store.ledger.views()
    shown = progress(table(views, texts=False))
    files = {
        "README.md": _readme(store, views, shown, pages).encode(),
        "progress.svg": staircase_svg(shown).encode(),
        "index.html" if pages else "report.html": report(store),
        **({".nojekyll": b""} if pages else {}),
    }
    with tempfile.TemporaryDirectory() as folder:
        for path in write_board(store, Path(folder), tree_path="board/tree.tsv"):
            files[f"board/{path.name}"] = path.read_bytes()
    tree = Content(repo).from_mapping(files)
    best = views.best(stand_in=False)
    if best is None:
        return tree
    own = repo.commit(best.oid).tree
    return repo.write_tree({**repo.read_tree(tree), "best": Entry(TREE, own)}) if own != repo.empty_tree() else tree


def _readme(store: LineageStore, views: Views, shown: Progress, pages: bool) -> str:
    """Return the page that a forge shows."""
    task = views.task
    best = views.best(stand_in=False)
    (stat,) = statistics(table(views, texts=False))
    better = "lower" if task.lower_is_better else "higher"
    ranked = f"Ranked by {_plain(task.score_field)}, {better} is better."
    told = f"{counted(stat.trials, 'trial')}, {stat.kept:,} kept. {ranked}"
    lines = [f"# {_plain(titled(store))}", "", told, ""]
    if best is not None:
        score = _plain(best.trial.text(task.score_field)) or "no score"
        lines += [f"Best: **{_plain(best.label)}** with {score}: {_plain(best.trial.hypothesis)}", ""]
    lines += ["![Scores and the best so far](progress.svg)", ""]
    drawing = _line(store, best)
    if drawing:
        lines += ["## Where the best came from", "", "```mermaid", drawing.rstrip("\n"), "```", ""]
    lines += ["## Leaderboard", "", f"| # | id | {_plain(task.short)} | specialist | hypothesis |"]
    lines.append("|---|---|---|---|---|")
    for rank, each in enumerate(views.kept(_ROWS), 1):
        cells = (each.label, each.trial.text(task.score_field), each.trial.specialist, each.trial.hypothesis)
        lines.append(f"| {rank} | {' | '.join(map(_plain, cells))} |")
    return "\n".join(lines) + _REST.format(page="index.html" if pages else "report.html")


def _plain(text: str) -> str:
    """Return text as one line of Markdown that shows it: none of its signs links, draws, or ends a cell."""
    return _SIGNS.sub(r"\\\g<0>", one_line(text))


def _line(store: LineageStore, best: Any) -> str:
    if best is None:
        return ""
    try:
        return draw(store.relations.diagram(best.oid, "line", limit=_DRAWN), "mermaid")
    except Invalid:  # too many to be read
        return ""
