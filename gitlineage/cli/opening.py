"""Opening a store for a command: which repository, who commits, who listens; the environment is read here alone."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from gitlineage import house
from gitlineage.cli import output
from gitlineage.errors import LineageError, NotFound, RepositoryError
from gitlineage.model.namespace import NOTES_FOLDER, campaigns_in
from gitlineage.text import counted, to_type

if TYPE_CHECKING:
    from gitlineage.git.repository import GitRepo
    from gitlineage.store.store import LineageStore


class Place(msgspec.Struct, frozen=True):
    """
    Where a command works.

    Args:
        folder: what ``-C`` says, if it is given.
        environment: the variables that git reads too.
        campaign: what ``--campaign`` or its variable says, if it is given.
        pager: whether a pager may show what is printed.
    """

    folder: Path | None
    environment: Mapping[str, str]
    campaign: str | None = None
    pager: bool = True

    @property
    def path(self) -> Path:
        """The repository's folder: what ``-C`` says, else ``GIT_DIR``, else the current one."""
        return self.folder or Path(self.environment.get("GIT_DIR") or ".")

    @property
    def git(self) -> dict[str, str]:
        """The variables that say which folder is the working tree, unless ``-C`` says where to look."""
        said = {name: self.environment.get(name) for name in ("GIT_DIR", "GIT_WORK_TREE")}
        return {} if self.folder else {name: value for name, value in said.items() if value}

    def identity(self) -> tuple[str, str] | None:
        """Return who commits where the environment says it, as git reads it; the rest is git's configuration."""
        fields = [
            self.environment.get(f"GIT_AUTHOR_{part}") or self.environment.get(f"GIT_COMMITTER_{part}") or ""
            for part in ("NAME", "EMAIL")
        ]
        return (fields[0], fields[1]) if any(fields) else None


def place(ctx: typer.Context) -> Place:
    """Return where a command works."""
    where: Place = ctx.find_root().obj
    return where


def into(ctx: typer.Context, campaign: str | None) -> None:
    """Let what follows open a campaign's store, where one is named."""
    if campaign is not None:
        ctx.find_root().obj = msgspec.structs.replace(place(ctx), campaign=campaign)


@contextmanager
def opened(
    ctx: typer.Context,
    *,
    create: bool = False,
    at: Path | None = None,
    begin: bool = False,
    incomplete: bool = False,
    running: bool = False,
) -> "Iterator[LineageStore]":
    """
    Open the store that a command works on.

    Args:
        create: whether a folder without git becomes a repository, which is said.
        at: another folder than the one that the command line names.
        begin: whether the campaign need not be there yet: for `init`, which alone begins one, because a slip of the
            pen should not, and for commands about the whole repository.
        incomplete: whether the command does its work where a shallow or partial clone lacks a part of the lineage,
            as git config ``lineage.incomplete`` lets all commands do; it is said at the end, with exit code 1.
        running: whether the command is about runs, and says itself which of them lost their runner.

    Raises:
        RepositoryError: there is none.
        NotFound: there is no such campaign.
        Incomplete: the clone lacks a part.
    """
    # Imported here, because it takes most of the time that a start takes and ``--help`` needs none of it.
    from gitlineage.cli.watching import Terminal
    from gitlineage.git.repository import GitRepo, find_repository, init_repository
    from gitlineage.store.store import LineageStore

    where = place(ctx)
    path = (at or where.path).resolve()
    terminal = Terminal()
    settings: dict[str, Any] = {}
    if not path.is_dir() and (create or not path.exists()):
        raise RepositoryError(f"no folder at {path}; `{to_type('gitlineage', 'init', str(path))}` makes one")
    made = create and find_repository(path) is None
    if made:
        init_repository(path)
    repo = GitRepo(path)
    if create:
        repo.wake()
    if (identity := where.identity()) is not None:
        own = repo.identity() if not all(identity) else None
        settings["identity"] = (identity[0] or (own.name if own else ""), identity[1] or (own.mail if own else ""))
    if at in (None, where.path):
        settings["environment"] = where.git
    try:
        if not begin:
            _check_begun(repo, where.campaign)
        incomplete = incomplete or repo.flag(house.INCOMPLETE)
        with LineageStore(
            path, campaign=where.campaign, create=False, watcher=terminal, incomplete=incomplete, **settings
        ) as store:
            if not running:
                _tell_lost(store)
            yield store
            _tell_arrived(store)
            lacking = store.lacking()
        if lacking is not None:
            raise lacking
        if made:
            output.note(f"made a git repository in {path}")
    except BaseException:
        if made:
            _unmake(path / ".git")
        raise
    finally:
        terminal.close()


def _unmake(made: Path) -> None:
    """Take a repository away that a command made which was then refused, unless something is recorded in it."""
    aside = made.with_name(f"{made.name}.refused-{os.getpid()}")
    with suppress(OSError):
        made.rename(aside)  # so that nobody records in it from now on
        if (aside / "packed-refs").exists() or any(path.is_file() for path in (aside / "refs").rglob("*")):
            aside.rename(made)
        else:
            shutil.rmtree(aside)


def _tell_arrived(store: "LineageStore") -> None:
    """Say that rows wait to move to commits which have arrived, after a command that records nothing."""
    from gitlineage.index.index import Damaged

    ledger = store.ledger
    with suppress(LineageError, Damaged):
        if ledger.is_past or not ledger.has_lost():
            return
        from gitlineage.record.stand_ins import LOOKED_AT

        if arrived := ledger.arrived(LOOKED_AT):
            output.note(
                f"the commits of {counted(len(arrived), 'trial')} on stand-ins are here now; the next command that "
                "records moves them there, and `gitlineage init` does nothing else"
            )


def _tell_lost(store: "LineageStore") -> None:
    """Say which runs nobody supervises although they are not resolved; most repositories have no such folder."""
    home = store.ledger.namespace.folder(store.ledger.repo.commondir)
    if not (home / "leases").is_dir():
        return
    from gitlineage.run.lease import lost
    from gitlineage.run.records import State

    for run in lost(home):
        what = "was preempted" if run.state is State.PREEMPTED else "lost its runner, which was killed"
        id = output.clean(run.id)
        output.warning(f"run {id} {what}; `gitlineage runs resume {id}` goes on with it, `runs cancel` gives it up")


def _check_begun(repo: "GitRepo", campaign: str | None) -> None:
    """Refuse to work in a campaign that nobody began; a repository has the default one from the start."""
    from gitlineage.record.ledger import namespace_for

    meant = namespace_for(repo, campaign)
    if not meant.is_default and not repo.refs(meant.notes):
        raise NotFound("campaign", meant.campaign, campaigns_in(repo.refs(NOTES_FOLDER)))
