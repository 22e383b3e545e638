"""gitlineage.folders: whatever state the user's index is in, the tree is that of a fresh one; the rest is told."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from gitlineage.gitrepo import GitRepo
from gitlineage.worktree import Content

PAST = 1_600_000_000_000_000_000
"""A time that files and indexes are given by hand (ns)."""


def write(folder: Path, files: dict[str, str]) -> None:
    """Write some files below a folder, in place where they are there."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "r+b" if path.exists() else "wb") as file:
            file.write(text.encode())
            file.truncate()


def at(path: Path, moment: int = PAST) -> None:
    """Set a file's times by hand."""
    os.utime(path, ns=(moment, moment), follow_symlinks=False)


def fresh(git, folder: Path) -> str:
    """
    The tree that git itself makes with a fresh index.

    Beside what ``git add -A`` takes these are ignored files that are tracked, and entries of files that a sparse
    checkout, or a bit of the index, leaves away.
    """
    tracked = []
    for line in filter(None, git("ls-files", "-s", "-t", "-z").split("\0")):
        told, path = line.split("\t", 1)
        tracked.append((path, *told.split(" ")))
    variables = {"GIT_INDEX_FILE": str(folder / ".git" / "fresh-index")}
    plain = ("-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false", "-c", "core.sparseCheckout=false")
    git(*plain, "add", "-A", env=variables)
    for path, tag, mode, oid, _ in tracked:
        if tag == "S" and not os.path.lexists(folder / path):
            if not (folder / path.partition("/")[0]).is_dir() and (folder / path.partition("/")[0]).exists():
                continue  # a file is where its folder was
            git("update-index", "--add", "--cacheinfo", f"{mode},{oid},{path}", env=variables)
        elif os.path.lexists(folder / path) and not (folder / path).is_dir() and mode != "160000":
            ignored = subprocess.run(["git", "check-ignore", "-q", "--no-index", path], cwd=folder, check=False)
            if ignored.returncode == 0:
                git(*plain, "add", "-f", "--", path, env=variables)
            if git("config", "--default", "true", "core.fileMode") == "false" and mode == "100755":
                git("update-index", "--chmod=+x", "--", path, env=variables)
    tree = git("write-tree", env=variables)
    (folder / ".git" / "fresh-index").unlink()
    return tree


def taken(folder: Path, where: Path | None = None) -> str:
    """The tree that is recorded of a folder, the working tree by default."""
    return Content(GitRepo(folder)).from_folder(where or folder).tree


@pytest.fixture
def repo(git, folder) -> Path:
    """A repository with three committed files, a folder, a program, an ignored file that is tracked, and a link."""
    folder.mkdir()
    git("init", "-q")
    write(folder, {"a": "one\n", "b": "two\n", "sub/c": "three\n", "run": "#!/bin/sh\n", ".gitignore": "*.bin\n"})
    write(folder, {"m.bin": "old\n", "sub/deep/d": "four\n"})
    (folder / "run").chmod(0o755)
    (folder / "link").symlink_to("a")
    git("add", "-A")
    git("add", "-f", "m.bin")
    git("commit", "-q", "-m", "base")
    return folder


# -- states ------------------------------------------------------------------------------------------------


def racy(git, folder):
    """The index and the file have the same time, and the file is edited in place without growing."""
    git("config", "core.trustctime", "false")
    at(folder / "a")
    git("update-index", "--refresh")
    at(folder / ".git" / "index")
    write(folder, {"a": "eno\n"})
    at(folder / "a")


def racy_by_hand(git, folder):
    """The file's time is set back by hand within the second in which it was added."""
    git("config", "core.trustctime", "false")
    at(folder / "a")
    git("add", "a")
    write(folder, {"a": "eno\n"})
    at(folder / "a")


def assumed(git, folder):
    """A file is assumed unchanged and is not."""
    git("update-index", "--assume-unchanged", "a", "b")
    write(folder, {"a": "changed\n"})
    (folder / "b").unlink()


def skipped_but_there(git, folder):
    """A file has the bit of a sparse checkout, is there and was changed; another one has it and is gone."""
    git("update-index", "--skip-worktree", "a", "b")
    write(folder, {"a": "changed\n"})
    (folder / "b").unlink()


def sparse(git, folder):
    """A sparse checkout without a folder; then a file is written where it does not look."""
    git("sparse-checkout", "set", "--no-cone", "/a", "/.gitignore", "/new")
    write(folder, {"a": "changed\n", "sub/c": "there again\n", "outside/new": "x\n"})


def sparse_index(git, folder):
    """A sparse checkout in whose index folders are single entries."""
    git("sparse-checkout", "set", "--cone", "--sparse-index")
    write(folder, {"a": "changed\n"})


def sparse_and_a_file_there(git, folder):
    """Where a sparse checkout leaves a folder away, a file lies now."""
    git("sparse-checkout", "set", "--no-cone", "/a", "/.gitignore")
    write(folder, {"sub": "a file\n"})


def intended(git, folder):
    """Files that are only intended to be added, one of them ignored, one gone again."""
    write(folder, {"new": "x\n", "i.bin": "ignored\n", "gone": "x\n"})
    git("add", "-N", "new", "gone")
    git("add", "-N", "-f", "i.bin")
    (folder / "gone").unlink()


def split_index(git, folder):
    """An index in two files."""
    git("update-index", "--split-index")
    write(folder, {"b": "owt\n", "new": "x\n"})
    git("add", "new")
    write(folder, {"a": "eno\n"})


def untracked_cache(git, folder):
    """An index that remembers what is untracked."""
    git("config", "core.untrackedCache", "true")
    git("update-index", "--force-untracked-cache")
    write(folder, {"sub/new": "x\n"})
    git("status")
    moment = (folder / "sub").stat().st_mtime_ns
    write(folder, {"sub/newer": "x\n"})
    at(folder / "sub", moment)


def monitored(git, folder):
    """A file system monitor that never sees a change."""
    hook = folder / ".git" / "monitor"
    hook.write_text("#!/bin/sh\nprintf 'token\\0'\n")
    hook.chmod(0o755)
    git("config", "core.fsmonitor", str(hook))
    git("config", "core.fsmonitorHookVersion", "2")
    git("update-index", "--fsmonitor")
    git("status")
    write(folder, {"a": "changed\n"})


def another_case(git, folder):
    """A name changed its case where git was told not to look at case."""
    git("config", "core.ignoreCase", "true")
    (folder / "a").rename(folder / "A")


def line_ends(git, folder):
    """Line ends that were committed as they are, before git was told to change them."""
    write(folder, {"dos": "x\r\ny\r\n", "mixed": "x\r\ny\n"})
    git("add", "-A")
    git("commit", "-q", "-m", "line ends")
    git("config", "core.autocrlf", "true")
    write(folder, {"dos": "x\r\nz\r\n", "new": "n\r\n"})


def attributes(git, folder):
    """Attributes that came after the files: line ends, and a filter."""
    write(folder, {"dos": "x\r\n", "w.dat": "real\n"})
    git("add", "-A")
    git("config", "filter.fake.clean", "sed s/real/pointer/")
    write(folder, {".gitattributes": "dos text\n*.dat filter=fake\n"})


def another_filter(git, folder):
    """A filter that changed after git had looked at the file."""
    git("config", "filter.fake.clean", "sed s/real/pointer/")
    write(folder, {".gitattributes": "*.dat filter=fake\n", "w.dat": "real\n"})
    git("add", "-A")
    git("config", "filter.fake.clean", "sed s/real/another/")


def conflict(git, folder):
    """A merge in conflict: one file changed twice, one changed and deleted."""
    git("checkout", "-q", "-b", "side")
    write(folder, {"a": "side\n"})
    (folder / "b").unlink()
    git("commit", "-q", "-am", "side")
    git("checkout", "-q", "-")
    write(folder, {"a": "main\n", "b": "main\n"})
    git("commit", "-q", "-am", "main")
    with pytest.raises(AssertionError):
        git("merge", "side")


def other_kinds(git, folder):
    """A file becomes a folder, a folder a file, a link a file, a file a link, a folder a link to one."""
    for name in ("a", "b", "link"):
        (folder / name).unlink()
    write(folder, {"a/x": "1\n", "link": "no link\n", "real/c": "x\n"})
    (folder / "b").symlink_to("a")
    shutil.rmtree(folder / "sub")
    (folder / "sub").symlink_to("real")
    git("config", "core.ignoreStat", "true")


def pipes(git, folder):
    """A tracked file becomes something that git cannot hold."""
    (folder / "a").unlink()
    os.mkfifo(folder / "a")


def modes(git, folder):
    """Executable bits change, sizes do not."""
    (folder / "a").chmod(0o755)
    (folder / "run").chmod(0o644)


def no_modes(git, folder):
    """The file system is said to have no executable bits, so the index keeps them."""
    git("config", "core.fileMode", "false")
    (folder / "run").chmod(0o644)
    write(folder, {"run": "#!/bin/bash\n", "new": "x\n"})
    (folder / "new").chmod(0o755)


def staged(git, folder):
    """What is staged is neither what is committed nor what is there."""
    write(folder, {"a": "staged\n", "m.bin": "staged\n"})
    git("add", "a")
    git("add", "-f", "m.bin")
    git("rm", "-q", "--cached", "b")
    write(folder, {"a": "there\n", "m.bin": "there\n"})


def no_index(git, folder):
    """There is no index at all."""
    (folder / ".git" / "index").unlink()


def minimal_stat(git, folder):
    """Only sizes and whole seconds count."""
    git("config", "core.checkStat", "minimal")
    racy_by_hand(git, folder)


STATES = [
    racy,
    racy_by_hand,
    assumed,
    skipped_but_there,
    sparse,
    sparse_index,
    sparse_and_a_file_there,
    intended,
    split_index,
    untracked_cache,
    monitored,
    another_case,
    line_ends,
    attributes,
    another_filter,
    conflict,
    other_kinds,
    pipes,
    modes,
    no_modes,
    staged,
    no_index,
    minimal_stat,
]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_the_tree_is_that_of_a_fresh_index(repo, git, state):
    """Whatever the index says of a file, what is recorded is the file; and the index stays as it is."""
    state(git, repo)
    expected = fresh(git, repo)
    before = (repo / ".git" / "index").read_bytes() if state is not no_index else b""
    assert git("ls-tree", "-r", taken(repo)) == git("ls-tree", "-r", expected)
    assert taken(repo) == expected
    assert state is no_index or (repo / ".git" / "index").read_bytes() == before
    if (repo / "sub").is_dir() and not (repo / "sub").is_symlink():
        assert taken(repo, repo / "sub") == git("rev-parse", f"{expected}:sub")


def change(git, folder: Path, chance: random.Random) -> None:
    """Do one thing to the working tree or to the index that people and programs do."""
    name = chance.choice(["a", "b", "sub/c", "sub/deep/d", "m.bin", "run", "new", "sub/new", "x.bin", "link"])
    path = folder / name
    kind = chance.randrange(12)
    is_file = path.is_file() and not path.is_symlink()
    if kind <= 3 and not path.is_symlink() and not path.is_dir() and path.parent.is_dir():
        size = path.stat().st_size if is_file else 4
        moment = path.stat().st_mtime_ns if is_file else PAST
        write(folder, {name: chance.choice("xyz") * size})
        if chance.random() < 0.7:
            at(path, moment)
    elif kind == 4 and os.path.lexists(path):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    elif kind == 5 and is_file:
        path.chmod(chance.choice([0o644, 0o755]))
    elif kind == 6 and is_file:
        path.unlink()
        write(path, {"inside": "x\n"}) if chance.random() < 0.5 else path.symlink_to("nowhere")
    elif kind == 7:
        git("add", "-A")
    elif kind == 8 and git("ls-files", "--", name) == name:
        git("update-index", chance.choice(["--assume-unchanged", "--skip-worktree", "--no-skip-worktree"]), name)
    elif kind == 9 and is_file and not git("ls-files", "--", name):
        git("add", "-N", "-f", "--", name)
    elif kind == 10:
        at(folder / ".git" / "index", chance.choice([PAST, PAST + 10**9]))
    elif kind == 11:
        git("update-index", chance.choice(["--split-index", "--no-split-index", "--really-refresh", "-q"]), "--refresh")


@pytest.mark.parametrize("seed", range(10))
def test_whatever_was_done_before_the_tree_is_that_of_a_fresh_index(repo, git, seed):
    """A dozen random changes of files, times, bits and the index, and then the trees are compared; four times over."""
    chance = random.Random(seed)
    git("config", "core.trustctime", chance.choice(["true", "false"]))
    for _ in range(4):
        for _ in range(12):
            try:
                change(git, repo, chance)
            except AssertionError:  # git refused, as for a file where a folder is
                continue
        expected = fresh(git, repo)
        assert git("ls-tree", "-r", taken(repo)) == git("ls-tree", "-r", expected)
