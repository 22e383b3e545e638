"""
Working trees in random states: what is recorded is what git's own ``add -A`` takes that remembers nothing about files.

GITLINEAGE_SEED sets another seed; GITLINEAGE_SOAK=1 looks at 106 states instead of 8.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from gitlineage import LineageStore

SOAK = os.environ.get("GITLINEAGE_SOAK", "0") not in ("", "0")
SEED = int(os.environ.get("GITLINEAGE_SEED", "20260101"))
STATES = 106 if SOAK else 8
NAMES = ["a", "b.txt", "dir/c", "dir/deep/d", "-e", "with space", "ü", "x.log", ":f"]


def change(chance: random.Random, folder: Path, git: Callable[..., str]) -> None:
    """Change one thing about a working tree or its index."""
    name = chance.choice(NAMES)
    path = folder / name
    what = chance.randrange(9)
    if what < 3 or not path.is_file() or path.is_symlink():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(chance.choice([b"one\n", b"two\r\n", b"", bytes(range(256))]) * chance.randrange(1, 9))
    elif what == 3:
        path.unlink()
    elif what == 4:
        path.chmod(chance.choice([0o644, 0o755]))
    elif what == 5:  # in place, of the same size and with the same time
        before = path.stat()
        path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif what == 6:
        path.unlink()
        path.symlink_to(chance.choice(["a", "nowhere", "dir"]))
    elif what == 7:
        git("add", "-A", *chance.choice([(), ("-f",)]))
    else:
        (folder / ".gitignore").write_text(chance.choice(["*.log\n", "dir/deep\n", "!x.log\n"]))


@pytest.mark.soak
def test_random_states(
    store: LineageStore, folder: Path, git: Callable[..., str], tmp_path: Path, counted: Callable[[str], None]
) -> None:
    """Edits, deletions, modes, links, ignore rules and a half-filled index, one after the other, in every order."""
    chance = random.Random(SEED)
    for state in range(STATES):
        for _ in range(chance.randrange(1, 8)):
            change(chance, folder, git)
        taken = store.commit(folder).tree
        fresh = {"GIT_INDEX_FILE": str(tmp_path / f"index-{state}")}
        git("read-tree", git("write-tree"), env=fresh)  # what is tracked stays so, whatever is ignored by now
        git("add", "-A", env=fresh)
        assert taken == git("write-tree", env=fresh), f"state {state} of seed {SEED}"
        if chance.randrange(4) == 0:
            git("commit", "-q", "--allow-empty", "-m", "x")
    counted(f"{STATES} working-tree states, each as git takes it")
