"""
Other machines, ``store.remote``: push, pull, sync, and what a plain git carries.

`sync.pull` and `sync.push` do it; they are loaded when they are needed, for most stores never meet another machine.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitlineage.store.part import Part

if TYPE_CHECKING:
    from gitlineage.sync.remotes import Exchange


class Remote(Part):
    """How a store exchanges lineage with its remotes."""

    def push(self, remote: str | None = None, *, dry_run: bool = False) -> "Exchange":
        """
        Push what this clone recorded, and nothing else: its own writer's ref of each campaign, as a fast-forward.

        Where a copy of this clone writes under the same name, what only this one has goes on under a fresh name.

        Args:
            remote: a name, URL or path; by default git config ``lineage.remote``, the only remote, or ``origin``.
            dry_run: only say what would be.

        Raises:
            RepositoryError: no such remote.
            RemoteError: the remote could not be reached; nothing here was changed.
        """
        from gitlineage.sync import push as sync

        return sync.push(self.ledger, remote, dry_run=dry_run)

    def pull(
        self, remote: str | None = None, *, dry_run: bool = False, accept_rewrite: Sequence[str] = ()
    ) -> "Exchange":
        """
        Take what others pushed into place, in all campaigns, each ref only as a fast-forward.

        A ref that was rewritten or deleted on the remote is refused, kept as it is here, and told as tampering.

        Args:
            remote: as for `push`.
            dry_run: only say what would be; objects may be fetched, no ref moves.
            accept_rewrite: writers of this campaign whose refs are taken as they are on the remote all the same.

        Raises:
            RepositoryError: no such remote.
            RemoteError: the remote could not be reached; nothing here was changed.
            Invalid: a rewrite is accepted of a writer that is not here.
        """
        from gitlineage.sync import pull as pulling

        return pulling.pull(self.ledger, remote, dry_run=dry_run, accept_rewrite=accept_rewrite)

    def sync(
        self, remote: str | None = None, *, dry_run: bool = False, accept_rewrite: Sequence[str] = ()
    ) -> "Exchange":
        """Pull, then push; arguments and errors are theirs."""
        from gitlineage.sync import push as sync

        return sync.both(self.ledger, remote, dry_run=dry_run, accept_rewrite=accept_rewrite)

    def status(self, remote: str | None = None) -> "Exchange":
        """Return what is not pushed yet and what is behind, by what was last seen of a remote; without the network."""
        from gitlineage.sync import push as sync

        return sync.status(self.ledger, remote)

    def attach(self, remote: str) -> None:
        """
        Have a plain ``git fetch`` and ``git push`` with a remote carry lineage, and make it the default one.

        Raises:
            RepositoryError: there is no remote of this name.
        """
        from gitlineage.sync import push as sync

        sync.attach(self.ledger, remote)
