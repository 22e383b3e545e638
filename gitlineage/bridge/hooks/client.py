"""
What the hooks of a repository that somebody works in do.

None of them fails what git was asked for: each returns what is worth saying in one line, if anything.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from gitlineage import house
from gitlineage.errors import GitFailed
from gitlineage.git import program
from gitlineage.git.formats import NO_OID
from gitlineage.model.message import flattened, subject
from gitlineage.model.trial import Trial
from gitlineage.store.store import LineageStore
from gitlineage.text import counted, one_line, to_type

PATIENCE = 5.0
"""Seconds that a hook waits for another process's landing before it lets git go on."""

_WALK = 10_000
"""Commits of a merge that are looked at for trials."""

_NAMED = 5
"""Trials of a merge that are named before the rest are counted."""


def post_commit(store: LineageStore) -> str:
    """
    Record a pending trial on the commit that was just made, and return what to say.

    Its hypothesis is the commit's subject. Nothing is recorded in the middle of a rebase and for an amend, which
    `post_rewrite` follows; for a merge, which is no hypothesis; for a commit that is recorded already; and for a
    branch that no value of git config ``lineage.branch`` fits (patterns such as ``exp/*``; without any, all branches
    and a detached HEAD do; ``HEAD`` fits the latter).
    """
    if store.ledger.repo.is_replaying() or store.ledger.repo.last_move().startswith("commit (amend)"):
        return ""
    head = store.ledger.repo.head()
    return _announce(store, head) if head is not None else ""


def post_rewrite(store: LineageStore, how: str, lines: Iterable[str]) -> str:
    """
    Link what an amend or a rebase made to what it made it from, and return what to say.

    Trials stay on the commits they were recorded on, and these are kept alive. An amend of a commit that nobody
    recorded is a new commit like any other.

    Args:
        how: ``amend`` or ``rebase``.
        lines: git's: the old oid, the new one, and maybe more.
    """
    pairs = [(words[0], words[1]) for line in lines if len(words := line.split()) >= 2]
    links = [(old, new) for old, new in pairs if old != new and store.snapshot(old).recorded]
    if links:
        if not store.ledger.lock_is_free_within(PATIENCE):
            return _busy("the rewritten commits are not linked to their trials")
        with store.batch(None if len(links) == 1 else f"Link {len(links)} rewritten commits"):
            for old, new in links:
                store.link_rewrite(new, old, how)
        many = counted(len(links), "commit")
        return f"linked {many} to the trials on what they were before; `gitlineage show HEAD` names them"
    if how == "amend" and len(pairs) == 1 and not store.ledger.repo.is_replaying():
        return _announce(store, pairs[0][1])
    return ""


def post_merge(store: LineageStore, before: str | None) -> str:
    """
    Bring the index up to date and return which trials came with a merge.

    Lineage of others is not fetched: `gitlineage pull` does that.

    Args:
        before: where HEAD was.
    """
    store.ledger.refresh()
    head = store.ledger.repo.head()
    if head is None or before is None or head == before:
        return ""
    views = store.ledger.views()
    came = store.ledger.repo.between(head, before, _WALK)
    merged = [view for each in views.snapshots(came) if each.trials for view in views.on_snapshot(each.oid)]
    if not merged:
        return ""
    merged.sort(key=lambda view: view.order)
    named = [f"{view.label} {view.trial.status.value if view.trial.status else 'pending'}" for view in merged[:_NAMED]]
    more = f" and {len(merged) - _NAMED} more" if len(merged) > _NAMED else ""
    many = counted(len(merged), "trial")
    return one_line(f"{many} came with this merge: {', '.join(named)}{more}")


def pre_push(store: LineageStore, remote: str, lines: Iterable[str]) -> str:
    """
    Push this clone's own writer refs along, those of all campaigns, and return what to say.

    Nothing goes where branches are only deleted, and no ref that is being pushed already. git tells a hook nothing of
    ``--dry-run``, so that lineage goes even then.

    Args:
        lines: git's: local ref, local oid, remote ref, remote oid.
    """
    updates = [words for line in lines if len(words := line.split()) == 4]
    if updates and all(words[1] == NO_OID for words in updates):
        return ""
    with store.ledger.all_campaigns() as campaigns:
        own = [each.namespace.ref(writer) for each in campaigns if (writer := each.own_writer()) is not None]
    on_their_way = {words[2] for words in updates}
    refs = [ref for ref in own if ref not in on_their_way and store.ledger.repo.ref(ref) is not None]
    if not refs:
        return ""
    words = ["push", "--no-verify", "--quiet", "--", remote, *(f"{ref}:{ref}" for ref in refs)]
    try:
        where = store.ledger.repo.workdir or store.ledger.repo.gitdir
        program.run(words, cwd=where, variables={"GIT_DIR": str(store.ledger.repo.gitdir)})
    except GitFailed as error:
        why = _reason(error.message.splitlines()) or f"git ended with {error.status}"
        return (
            f"{remote} did not take the lineage: {why}; the branch goes all the same, "
            f"`{to_type('git', 'push', remote, *refs)}` retries"
        )
    return ""


def _announce(store: LineageStore, oid: str) -> str:
    info = store.ledger.repo.commit(oid)
    if len(info.parents) > 1 or not _is_wanted(store):
        return ""
    if not store.ledger.lock_is_free_within(PATIENCE):
        return _busy(f"{oid[:12]} is not recorded; `gitlineage record HEAD` does it")
    if store.snapshot(oid).recorded:
        return ""
    trial = store.announce(oid, Trial(hypothesis=flattened(subject(info.message))))
    return f"{one_line(trial.exp_id)} is pending; `gitlineage record HEAD --metric NUMBER` records its result"


def _is_wanted(store: LineageStore) -> bool:
    patterns = [pattern for value in store.ledger.repo.configs(house.BRANCH) for pattern in value.split()]
    name = store.ledger.repo.branch() or "HEAD"
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _busy(what: str) -> str:
    return f"another process has been recording for {PATIENCE:.0f} seconds, so {what}"


def _reason(said: Sequence[str]) -> str:
    """Return the line that tells most of what git said about a push."""
    lines = [one_line(line).strip() for line in said if line.strip()]
    telling = [line for line in lines if line.startswith(("remote: gitlineage:", "remote: error:"))]
    telling += [line for line in lines if "rejected]" in line]
    telling += [line for line in lines if line.startswith("fatal:")]
    return (telling or lines or [""])[0]
