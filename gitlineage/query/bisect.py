"""
The first bad snapshot of a chain, found by git's own bisect in a checkout apart; the user's repository stays untouched.

The checkout is a linked worktree in a temporary folder: its HEAD, index and bisect refs are its own.
"""

import shutil
import signal
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import msgspec

from gitlineage import scratch
from gitlineage.errors import BisectFailed, GitFailed
from gitlineage.git import program
from gitlineage.git.repository import GitRepo
from gitlineage.model.records import CommitOid

_NO_HOOKS = ("-c", "core.hooksPath=/dev/null")
_FIRST_BAD = "# first bad commit: ["
_POSSIBLE = "# possible first bad commit: ["
_OID = 40

_RUN = """
failed=$1
shift
unset GITLINEAGE_INSIDE GIT_CONFIG_PARAMETERS GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_PREFIX
"$@"
code=$?
git -c core.hooksPath=/dev/null reset --quiet --hard || exit 128
case $code in
    126|127) echo $code >"$failed"; exit 128;;
esac
if [ $code -ge 128 ]; then
    echo $code >"$failed"
fi
exit $code
"""
"""What git runs: the command as it would be run by hand; what it changed in tracked files is undone before the next."""


class Bisection(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a bisection found.

    Args:
        first_bad: the first bad commit.
        tested: how many commits the command was run on, those that were skipped included.
        skipped: those of them for which it said that it cannot tell (125).
    """

    first_bad: CommitOid
    tested: int
    skipped: int = 0


def _short(oid: str) -> str:
    return oid[:12]


def between(
    repo: GitRepo, good: str, bad: str, name: Callable[[str], str] = _short, moved: Collection[str] = ()
) -> list[str]:
    """
    Return the first parents that lead from a bad commit to a good one, the bad one first, the good one left out.

    Raises:
        BisectFailed: the good one is not among them, or is the bad one; or one on the way was reparented.
    """
    chain: list[str] = []
    at: str | None = bad
    while at is not None and at != good:
        if at in moved:
            raise BisectFailed(
                f"{name(at)} was reparented, and git's bisect follows the parents that its commit has; "
                "name two snapshots on one side of it"
            )
        chain.append(at)
        parents = repo.parents(at)
        at = parents[0] if parents else None
    if at is None:
        raise BisectFailed(
            f"{name(good)} is not on the primary chain that led to {name(bad)}; "
            "`gitlineage descendants ID OTHER --path` shows what connects two"
        )
    if not chain:
        raise BisectFailed(f"{name(good)} cannot be good and bad; name two snapshots")
    return chain


def bisect(
    repo: GitRepo,
    good: str,
    bad: str,
    command: Sequence[str],
    *,
    output: int | None = None,
    name: Callable[[str], str] = _short,
    moved: Collection[str] = (),
) -> Bisection:
    """
    Run a command on commits of a primary chain until the first bad one is known.

    The command runs in a checkout of each: exit code 0 is good, 125 cannot tell, other codes below 126 are bad. Its
    output is this process's. Files that it leaves behind are there at the next commit; changes of tracked files not.

    Args:
        good: a commit for which the command works.
        bad: a commit that goes back to it by first parents.
        output: the descriptor that takes the standard output; by default this process's.
        name: how a commit is called in an error.
        moved: commits that were derived from others than their git parents.

    Raises:
        BisectFailed: the two are not on one chain, the command cannot be run, or it could not tell.
        GitFailed: git could not do it.
    """
    if len(between(repo, good, bad, name, moved)) == 1:
        return Bisection(first_bad=CommitOid(bad), tested=0)
    with _checkout(repo, bad) as (tree, state):
        failed, script = tree.parent / "failed", tree.parent / "run"
        script.write_text(_RUN, encoding="utf-8")
        start = [*_NO_HOOKS, "bisect", "start", "--first-parent", bad, good]
        program.run(start, cwd=tree)
        words = [*_NO_HOOKS, "bisect", "run", "sh", str(script), str(failed), *command]
        status = program.attached(words, cwd=tree, output=output)
        log = _read(state / "BISECT_LOG")
        if failed.exists():
            raise BisectFailed(_why(int(failed.read_text()), command))
        first_bad = [line[len(_FIRST_BAD) :][:_OID] for line in log if line.startswith(_FIRST_BAD)]
        if first_bad:
            return Bisection(first_bad=CommitOid(first_bad[-1]), tested=_count(log), skipped=_skipped(log))
        possible = [line[len(_POSSIBLE) :][:_OID] for line in log if line.startswith(_POSSIBLE)]
        if possible:
            raise BisectFailed(
                f"the command could not tell (125) where it mattered: the first bad one is among {len(possible)}, "
                f"{', '.join(sorted(map(name, possible)))}",
                possible,
            )
        raise BisectFailed(f"git bisect run ended with {status} and found nothing; what it said is above")


def _why(code: int, command: Sequence[str]) -> str:
    if code == 126:
        return f"{command[0]} cannot be executed (126); give the whole command line of a program"
    if code == 127:
        return (
            f"{command[0]} was not found (127); it runs in a checkout of each snapshot, so what is not recorded "
            "there needs its whole path"
        )
    return f"{command[0]} ended with {code}, which gives the search up; codes from 128 on are neither good nor bad"


def _count(log: Sequence[str]) -> int:
    """Return how many verdicts a bisect log has; the two at its start are not the command's."""
    return sum(line.startswith("git bisect ") for line in log) - 1


def _skipped(log: Sequence[str]) -> int:
    return sum(line.startswith("git bisect skip") for line in log)


def _read(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


@contextmanager
def _checkout(repo: GitRepo, oid: str) -> Iterator[tuple[Path, Path]]:
    """
    Check a commit out in a temporary folder as a linked worktree, and take it away again whatever happens.

    Yields:
        The folder, and where git keeps the worktree's own state.
    """
    with _ending_on_signals(), scratch.folder() as place:
        folder = place.resolve()
        tree = folder / f"at-{folder.stem.removeprefix('gitlineage-')}"
        state = repo.commondir / "worktrees" / tree.name
        try:
            add = [*_NO_HOOKS, "worktree", "add", "--quiet", "--detach", str(tree), oid]
            program.run(["--git-dir", str(repo.gitdir), *add])
            told = program.run(["rev-parse", "--absolute-git-dir"], cwd=tree).decode("utf-8", "surrogateescape")
            state = Path(told.removesuffix("\n"))
            yield tree, state
        finally:
            _remove(repo, tree, state)


def _remove(repo: GitRepo, tree: Path, state: Path) -> None:
    """Take a linked worktree away; git does it, and what it leaves is removed by hand."""
    try:
        program.run(["--git-dir", str(repo.gitdir), "worktree", "remove", "--force", "--force", str(tree)])
    except GitFailed:
        shutil.rmtree(tree, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)


@contextmanager
def _ending_on_signals() -> Iterator[None]:
    """Have a request to end raise here as an interrupt does, so that all is cleaned up; elsewhere as before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    kept = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
