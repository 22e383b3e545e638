"""What a snapshot of a working tree costs, beside git's own on the same tree; not what a trial without files costs."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from figures import Figure, cost
from stores import opened
from timing import ENVIRONMENT, in_turn, timed

TRACKED = [1_000, 10_000, 50_000]
"""Files of the working trees."""

UNTRACKED = 30_000
"""Small files beside a tracked tree of a thousand,"""

DATA = 200 * 1024 * 1024
"""or one large one, in bytes."""

ROUNDS = 9
PATIENCE = 3.2
"""Seconds after which a file is old enough to count as unchanged (semantics 140),"""

LARGE = 61.0
"""and after which a large one is."""


def snapshots(folder: Path, sizes: list[int]) -> list[Figure]:
    """Measure snapshots of trees of all kinds, one file edited, the store open; as large as the stores at most."""
    rows = []
    for size in [each for each in TRACKED if each <= 10 * max(sizes)]:
        rows += _measured(folder / f"tracked-{size}", f"{size:,} files", size, lambda root: None)
    if max(sizes) >= TRACKED[0]:
        rows += _measured(folder / "many", f"and {UNTRACKED:,} untracked", TRACKED[0], _many)
        rows += _measured(folder / "large", "and 200 MB untracked", TRACKED[0], _large, LARGE)
    return rows


def _measured(
    root: Path, what: str, size: int, more: Callable[[Path], None], patience: float = PATIENCE
) -> list[Figure]:
    _made(root, size)
    more(root)
    index = root / ".git" / "warm-index"
    edited = root / "d000" / "f00000.py"
    with opened(root) as store:
        tip: list[str] = []

        def ours() -> float:
            _edit(edited)
            return timed(lambda: tip.append(store.commit(None, tip[-1:]).oid))

        def theirs() -> float:
            _edit(edited)
            return timed(lambda: (_git(root, "add", "-A", index=index), _git(root, "write-tree", index=index)))

        theirs_first, first = theirs(), ours()
        _settle(root, patience)
        ours()  # what was read while it was fresh is read once more
        took = in_turn({"ours": ours, "theirs": theirs}, ROUNDS)
    against = "git add -A && git write-tree"
    return [
        Figure("tree", f"snapshot, {what}, the first", 0, first, "ms", f"{against}, no index", theirs_first, cost(1.2)),
        Figure("tree", f"snapshot, {what}, one edited", 0, took["ours"], "ms", against, took["theirs"], cost(1.5)),
    ]


def _made(root: Path, size: int) -> None:
    """Make a repository whose working tree has so many committed files."""
    for at in range(size):
        _written(root / f"d{at // 100:03d}" / f"f{at:05d}.py", f"x = {at}\n" * 20)
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "recipe"]):
        _git(root, *words)


def _many(root: Path) -> None:
    for at in range(UNTRACKED):
        _written(root / "more" / f"{at // 500}" / f"{at}.txt", f"{at}\n")


def _large(root: Path) -> None:
    subprocess.run(["git", "config", "lineage.maxFileSize", "1g"], cwd=root, check=True)
    (root / "data.bin").write_bytes(os.urandom(DATA))


def _written(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _edit(path: Path) -> None:
    with open(path, "a") as file:
        file.write("# edited\n")


def _settle(root: Path, seconds: float) -> None:
    """Wait until the files of a tree are old enough, by the clock of its file system."""
    probe = root / ".git" / "probe"
    probe.write_bytes(b"")
    began = probe.stat().st_ctime
    while probe.stat().st_ctime < began + seconds:
        os.utime(probe)


def _git(root: Path, *words: str, index: Path | None = None) -> None:
    told = {**os.environ, **ENVIRONMENT, **({"GIT_INDEX_FILE": str(index)} if index else {})}
    subprocess.run(["git", *words], cwd=root, env=told, check=True, stdout=subprocess.DEVNULL)
