"""
The working tree after a run, where that was asked for: the parent's files back, or an isolated keep's files in it.

Both change only what differs between two recorded trees, and nothing where a file among that is not as it was recorded.
"""

from gitlineage.errors import LineageError
from gitlineage.git.restore import restore
from gitlineage.model.trial import FailureLabel
from gitlineage.run.records import Run
from gitlineage.run.watch import Watcher
from gitlineage.store.store import LineageStore
from gitlineage.text import counted, to_type

KEPT = (FailureLabel.KEEP, FailureLabel.BASELINE)


def revert(store: LineageStore, run: Run, watcher: Watcher) -> bool:
    """Put the parent's files back in the working tree after what is no keep, and return whether that was done."""
    if run.status is None or run.status in KEPT:
        return False
    if run.isolated:
        watcher.note(f"nothing was reverted: {run.id} ran in a checkout of its own")
        return False
    snapshot = store.snapshot(run.oid)
    parents = snapshot.parents
    if any(each.status in KEPT for each in snapshot.trials):
        watcher.note(f"nothing was reverted: another run of the same files was kept, {snapshot.exp_id}")
        return False
    if not parents:
        watcher.note(f"nothing was reverted: {run.id} has no parent")
        return False
    name = store.ledger.views().name(parents[0])
    try:
        done = restore(store.ledger.repo, parents[0], run.tree, store.snapshot(parents[0]).tree)
    except LineageError as error:
        watcher.note(f"the files of {name} were not put back: {error}")
        return False
    store.ledger.stand_on(parents[0])
    changed = f"{counted(done.written, 'file')} written, {done.removed} removed"
    watcher.note(f"the files of {name} are back ({changed}); `{to_type('gitlineage', 'restore', run.id)}` undoes it")
    return True


def apply(store: LineageStore, run: Run, watcher: Watcher) -> bool:
    """Bring the files of an isolated keep into the working tree, and return whether they are there."""
    if run.status not in KEPT or not run.isolated:
        return False
    try:
        store.restore(run.oid)
    except LineageError as error:
        watcher.note(f"the files of {run.id} were not brought into the working tree: {error}")
        return False
    watcher.note(f"the working tree has the files of {run.id}")
    return True
