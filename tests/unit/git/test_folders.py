"""gitlineage.git.folders: whatever state the user's index is in, the tree is that of a fresh one; the rest is told."""

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Shell, process
from places import ROOT

from gitlineage import InvalidContent
from gitlineage.git.content import Content, read_files
from gitlineage.git.droppings import PATTERNS
from gitlineage.git.repository import GitRepo

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


# -- what a folder has besides files -----------------------------------------------------------------------


@pytest.fixture
def heard(repo) -> Callable[..., list[str]]:
    """Take the working tree, or a folder, and return what was said of it."""

    def hearing(where: Path | None = None) -> list[str]:
        said = []
        Content(GitRepo(repo), hear=said.append).from_folder(where or repo, everything=False)
        return said[0].lines()

    return hearing


def paths(git, tree: str) -> set[str]:
    """The paths of a tree."""
    return set(filter(None, git("ls-tree", "-r", "-z", "--name-only", tree).split("\0")))


def test_linked_worktrees_inside_are_left_out_and_said(repo, git, heard):
    """The same code has the same tree, whatever happens in a worktree inside; even where its entry was committed."""
    before = taken(repo)
    git("worktree", "add", "-q", "-b", "one", ".claude/worktrees/x")
    git("worktree", "add", "-q", "--detach", "y z")
    assert taken(repo) == before
    assert heard() == ["left out 2 other worktrees of this repository: .claude/worktrees/x, y z"]
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=repo / ".claude" / "worktrees" / "x")
    git("add", "-A")  # as git would have it: two entries like those of submodules
    assert taken(repo) == before
    inside = repo / "y z"
    write(inside, {"a": "of the worktree\n"})
    assert read_files(GitRepo(inside), taken(inside, inside))["a"] == b"of the worktree\n"
    git("worktree", "remove", "--force", "y z")
    write(repo, {"y z": "a file\n"})
    assert "y z" in paths(git, taken(repo))


def test_the_main_worktree_inside_a_linked_one_is_left_out(git, tmp_path):
    """What git lists as a worktree may be the main one, too."""
    (tmp_path / "outer").mkdir()
    git("init", "-q", str(tmp_path / "main"), cwd=tmp_path)
    write(tmp_path / "main", {"a": "1\n"})
    git("add", "-A", cwd=tmp_path / "main")
    git("commit", "-q", "-m", "x", cwd=tmp_path / "main")
    git("worktree", "add", "-q", "--detach", str(tmp_path / "outer" / "linked"), cwd=tmp_path / "main")
    shutil.move(tmp_path / "main", tmp_path / "outer" / "linked" / "main")
    git("worktree", "repair", str(tmp_path / "outer" / "linked"), cwd=tmp_path / "outer" / "linked" / "main")
    linked = tmp_path / "outer" / "linked"
    found = Content(GitRepo(linked)).from_folder(linked)
    assert found.worktrees == ("main",)
    assert set(found.sizes) == {"a"}


def inner(git, path: Path) -> None:
    """Make a repository with a commit."""
    path.mkdir(parents=True)
    git("init", "-q", cwd=path)
    write(path, {"lib.py": "1\n"})
    git("add", "-A", cwd=path)
    git("commit", "-q", "-m", "x", cwd=path)


def test_code_in_other_repositories_is_said_to_be_in_no_snapshot(repo, git, heard, tmp_path):
    """A clean submodule is silent; with changes, new files or without .gitmodules, it is named with the reason."""
    inner(git, tmp_path / "library")
    local = ("-c", "protocol.file.allow=always")
    git(*local, "submodule", "add", "-q", str(tmp_path / "library"), "lib")
    git("commit", "-q", "-m", "with a submodule")
    assert heard() == []
    assert taken(repo) == fresh(git, repo)
    write(repo / "lib", {"new.py": "2\n"})
    beginning = "not in the snapshot, because it is in a repository of its own: "
    assert heard() == [f"{beginning}lib (a submodule with changes)"]
    git("add", "-A", cwd=repo / "lib")
    git("commit", "-q", "-m", "y", cwd=repo / "lib")
    assert heard() == []
    inner(git, repo / "vendor" / "x")
    assert heard() == [f"{beginning}vendor/x (no submodule)"]
    write(repo / "vendor" / "x", {"lib.py": "2\n"})
    assert heard() == [f"{beginning}vendor/x (no submodule, with changes)"]
    assert taken(repo) == fresh(git, repo)
    git("submodule", "deinit", "-q", "-f", "lib")
    shutil.rmtree(repo / "vendor")
    assert heard() == []
    assert "lib" in paths(git, taken(repo))


def test_tracked_files_stay_files_where_a_repository_was_made_around_them(repo, git):
    """``git init`` in a folder of the recipe does not take the recipe out of the snapshot."""
    write(repo, {"sub/new": "x\n"})
    git("init", "-q", "sub")
    assert {"sub/c", "sub/deep/d", "sub/new"} <= paths(git, taken(repo))


def test_a_submodule_whose_repository_is_gone_gives_its_files(repo, git, tmp_path):
    """Where only files are left, they are content."""
    inner(git, repo / "lib")
    git("add", "lib")
    shutil.rmtree(repo / "lib" / ".git")
    assert "lib/lib.py" in paths(git, taken(repo))


def test_the_repositorys_own_files_are_never_content(git, tmp_path):
    """A git directory with another name inside the working tree is not taken for files."""
    top = tmp_path / "top"
    top.mkdir()
    git("init", "-q", "--separate-git-dir", str(top / "history"), str(top), cwd=tmp_path)
    write(top, {"a": "1\n"})
    assert set(Content(GitRepo(top)).from_folder(top).sizes) == {"a"}


# -- what is plainly no recipe -----------------------------------------------------------------------------


def test_what_is_plainly_no_recipe_is_left_out_and_counted(repo, git, heard):
    """Environments, packages, caches, keys and droppings, wherever they are; one line says how many of what."""
    names = ["env/pyvenv.cfg", "env/lib/a.py", "env/lib/b.py", "node_modules/x/i.js", "p/__pycache__/m.pyc", ".env"]
    write(repo, dict.fromkeys([*names, "keys/id_rsa", "s.pem", "p/.DS_Store", "p/x.py~", ".x.py.swp"], "x\n"))
    write(repo, dict.fromkeys(["p/x.py", ".env.example", "id_rsa.pub", "environment.py"], "x\n"))
    before = paths(git, git("write-tree"))
    found = Content(GitRepo(repo)).from_folder(repo, everything=False)
    assert paths(git, found.tree) == before | {"p/x.py", ".env.example", "id_rsa.pub", "environment.py"}
    assert sum(found.left_out.values()) == 11
    assert found.left_out["env/"] == 3
    (line,) = heard()
    assert line.startswith("left out 11 untracked files, no recipe: env/ (3), ")
    assert "lineage.include" in line
    assert paths(git, Content(GitRepo(repo)).from_folder(repo).tree) > paths(git, found.tree)


def test_what_is_tracked_is_taken_whatever_it_is_called(repo, git, heard):
    """The list is about untracked files alone."""
    write(repo, {".env": "x\n", "env/pyvenv.cfg": "x\n", "env/a.py": "x\n", "node_modules/m.js": "x\n"})
    git("add", "-A")
    write(repo, {".env": "y\n"})
    assert heard() == []
    assert {".env", "env/pyvenv.cfg", "env/a.py", "node_modules/m.js"} <= paths(git, taken(repo))


def test_the_users_word_takes_it_in(repo, git, heard):
    """A negated rule of .gitignore, or git config, says what is wanted."""
    write(repo, {".env": "x\n", "a.key": "x\n", "e/pyvenv.cfg": "x\n", "e/x.py": "x\n", "node_modules/m.js": "x\n"})
    assert heard()[0].startswith("left out 5 ")
    write(repo, {".gitignore": "*.bin\n!.env\n"})
    assert heard()[0].startswith("left out 4 ")
    git("config", "--add", "lineage.include", "*.key")
    git("config", "--add", "lineage.include", "/e/")
    assert heard()[0].startswith("left out 1 untracked file, no recipe: node_modules/;")
    git("config", "--add", "lineage.include", "*")
    assert heard() == []


def test_the_pages_tell_where_the_list_is() -> None:
    """Whoever wonders why a file is missing finds the list."""
    pages = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    assert "git/droppings.py" in pages
    assert "lineage.include" in pages
    assert len(set(PATTERNS)) == len(PATTERNS)


# -- odd files, names and folders --------------------------------------------------------------------------


def test_files_over_gits_threshold_are_taken(repo, git, open_store):
    """Git would stream them into a pack of its scratch store."""
    git("config", "core.bigFileThreshold", "1k")
    write(repo, {"large": "x" * 5000, "larger": "yz" * 50_000})
    files = open_store().files(open_store().commit(None))
    assert (len(files["large"]), len(files["larger"])) == (5000, 100_000)


@pytest.mark.parametrize("name", ["a:b", "line\nend", 'quo"te', "back\\slash", " "])
def test_a_repository_may_be_in_a_folder_of_any_name(git, tmp_path, open_store, name):
    """A colon, a line end or a quote in the path is no end of it; what is committed need not be written again."""
    top = tmp_path / name
    top.mkdir()
    store = open_store(top)
    write(top, {"a": "1\n", "b": "2\n"})
    git("add", "-A", cwd=top)
    git("commit", "-q", "-m", "x", cwd=top)
    write(top, {"a": "3\n"})
    git("update-index", "--skip-worktree", "b", cwd=top)
    (top / "b").unlink()  # so that its content is read from the repository's objects alone
    assert store.files(store.commit(None, ["HEAD"])) == {"a": b"3\n", "b": b"2\n"}
    store.checkout("HEAD", tmp_path / f"out of {name}")


@pytest.mark.parametrize("name", [":x", ":!x", ":/", ":(glob)", "*", "[a]"])
def test_a_folder_may_have_a_name_that_git_reads_as_a_pattern(repo, git, open_store, name):
    """Asked for by name, it is that folder and no other."""
    write(repo, {f"{name}/f": "1\n", "x/g": "2\n"})
    assert set(open_store().files(open_store().commit(repo / name))) == {"f"}


def test_what_git_warns_about_is_passed_on(repo, heard):
    """A folder that cannot be opened is not missing without a word; its path is too long for the system."""
    here = os.open(repo, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=here)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    (line,) = heard()
    assert line.startswith("git warns: could not open directory")


@pytest.mark.parametrize(("safe", "told"), [("", 1), ("true", 1), ("warn", 1), ("false", 0)])
def test_line_ends_that_git_would_change_are_told(repo, git, heard, safe, told):
    """What ``git add`` warns of, or would refuse, is recorded as it stores it, with git's words."""
    git("config", "core.autocrlf", "true")
    if safe:
        git("config", "core.safecrlf", safe)
    write(repo, {"mixed.txt": "one\n"})
    assert len([line for line in heard() if line.startswith("git warns: ") and "mixed.txt" in line]) == told


# -- the command line --------------------------------------------------------------------------------------


@pytest.fixture
def shell(repo) -> Shell:
    """A shell in the repository."""
    shell = Shell(repo)
    shell("init", "--writer", "alice")
    return shell


def test_commit_says_how_much_it_recorded(shell, repo) -> None:
    """Files and bytes, in words and in --json."""
    assert "  8 files, 40 B\n" in shell("commit", "-m", "x")
    made = shell.commit("-m", "y")
    assert (made["content"]["files"], made["content"]["bytes"]) == (8, 40)
    assert shell.commit("-m", "y", "--from", "HEAD")["content"]["files"] == 8


def test_commit_warns_of_a_snapshot_that_is_much_larger_than_its_parent(shell, repo) -> None:
    """The line says how much larger; a little more is no matter."""
    first = shell.commit("-m", "x", "--root")["exp_id"]
    write(repo, {f"data/{number}": "x\n" for number in range(120)})
    said = shell.run("commit", "-m", "y", "--parents", first)
    assert "the snapshot has 128 files, 280 B, its parent 8 files, 40 B" in said.stderr
    write(repo, {"data/large": "x" * 11_000_000})
    made = shell.commit("-m", "z", "--parents", "001")
    assert made["content"]["much_more"]
    assert made["content"]["parent"] == {"files": 128, "bytes": 280}
    write(repo, {"data/little": "x"})
    assert not shell.commit("-m", "a", "--parents", "002")["content"]["much_more"]


def test_commit_says_what_is_in_no_snapshot(shell, repo, git) -> None:
    """On standard error in one line each, and in --json."""
    write(repo, {".env": "x\n"})
    inner(git, repo / "vendor")
    git("worktree", "add", "-q", "--detach", "tree")
    said = shell.run("commit", "-m", "x").stderr
    assert said.count("\n") == 3
    for words in ("left out 1 untracked file, no recipe: .env;", "worktree of this repository: tree", "vendor (no sub"):
        assert words in said
    content = shell.commit("-m", "y")["content"]
    assert content["left_out"] == {".env": 1}
    assert content["worktrees"] == ["tree"]
    assert content["elsewhere"] == {"vendor": "no submodule"}


def test_a_repository_without_a_commit_inside_is_refused(repo, git) -> None:
    """It cannot be recorded, and is not left out in silence."""
    write(repo, {"new/x": "x\n"})
    git("init", "-q", "new")
    with pytest.raises(InvalidContent, match=r"new.*without a commit"):
        taken(repo)


# -- which folder is the working tree ----------------------------------------------------------------------


def beside(git, tmp: Path) -> dict[str, tuple[Path, dict[str, str], Path]]:
    """
    Make repositories whose git directory is not where one would think, each beside something private.

    Returns:
        By name, where a command is run, with which variables, and which folder is the working tree.
    """
    made = {}
    for name in ("plain", "link", "file", "elsewhere", "chosen"):
        (tmp / name / "top" / "sub").mkdir(parents=True)
        (tmp / name / "history").mkdir()
        write(tmp / name, {"private.txt": "x\n", "history/private.txt": "x\n", "top/a": "1\n", "top/sub/b": "2\n"})
    tops = {name: tmp / name / "top" for name in ("plain", "link", "file", "elsewhere", "chosen")}
    for name, top in tops.items():
        git("init", "-q", cwd=top)
        made[name] = top, {}, top
    made["below"] = tops["plain"] / "sub", {}, tops["plain"]
    made["in .git"] = tops["plain"] / ".git", {}, tops["plain"]
    shutil.move(tops["link"] / ".git", tmp / "link" / "history" / ".git")
    (tops["link"] / ".git").symlink_to(tmp / "link" / "history" / ".git")
    git("init", "-q", "--separate-git-dir", str(tmp / "file" / "history" / "repo.git"), cwd=tops["file"])
    made["below a file"] = tops["file"] / "sub", {}, tops["file"]
    shutil.move(tops["elsewhere"] / ".git", tmp / "elsewhere" / "history" / ".git")
    git("config", "core.worktree", str(tops["elsewhere"]), cwd=tmp / "elsewhere" / "history" / ".git")
    made["elsewhere"] = tmp / "elsewhere" / "history", {}, tops["elsewhere"]
    shutil.move(tops["chosen"] / ".git", tmp / "chosen" / "history" / "repo.git")
    at_history = {"GIT_DIR": str(tmp / "chosen" / "history" / "repo.git")}
    made["chosen"] = tops["chosen"], at_history, tops["chosen"]
    made["chosen from afar"] = tmp, {**at_history, "GIT_WORK_TREE": str(tops["chosen"])}, tops["chosen"]
    made["chosen relatively"] = tmp / "chosen", {"GIT_DIR": "history/repo.git", "GIT_WORK_TREE": "top"}, tops["chosen"]
    made["another folder"] = tops["plain"], {"GIT_WORK_TREE": str(tops["plain"] / "sub")}, tops["plain"] / "sub"
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=tops["plain"])
    git("worktree", "add", "-q", "--detach", str(tmp / "linked"), cwd=tops["plain"])
    write(tmp / "linked", {"l": "1\n"})
    made["linked"] = tmp / "linked", {}, tmp / "linked"
    made["in a linked one's directory"] = tops["plain"] / ".git" / "worktrees" / "linked", {}, tmp / "linked"
    inner(git, tmp / "library")
    local = ("-c", "protocol.file.allow=always")
    git("init", "-q", str(tmp / "super"), cwd=tmp)
    git(*local, "submodule", "add", "-q", str(tmp / "library"), "lib", cwd=tmp / "super")
    made["submodule"] = tmp / "super" / "lib", {}, tmp / "super" / "lib"
    made["in a submodule's directory"] = tmp / "super" / ".git" / "modules" / "lib", {}, tmp / "super" / "lib"
    return made


def test_the_working_tree_is_the_one_that_git_takes(git, tmp_path) -> None:
    """A table of set-ups: what is recorded is that folder, never the one beside the git directory."""
    for name, (where, variables, top) in beside(git, tmp_path).items():
        done = process("commit", "-m", name, "--json", "--root", folder=where, **variables)
        assert done.returncode == 0, (name, done.stderr.decode())
        files = {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()}
        expected = {path for path in files if not path.startswith(".git/") and path != ".git"}
        oid = json.loads(done.stdout)["oid"]
        gitdir = git("rev-parse", "--absolute-git-dir", cwd=where, env=variables)
        assert paths(lambda *words, at=gitdir: git(*words, cwd=Path(at)), oid) == expected, name
        asked = [] if name.startswith("in ") else [git("rev-parse", "--show-toplevel", cwd=where, env=variables)]
        assert all(Path(found).samefile(top) for found in asked), name
        if not variables:
            assert GitRepo(where).workdir.samefile(top), name


def test_where_git_has_no_working_tree_nothing_is_recorded(git, tmp_path) -> None:
    """A bare repository and a git directory whose working tree nobody can know: the error says what to do."""
    git("init", "-q", "--bare", str(tmp_path / "bare.git"), cwd=tmp_path)
    (tmp_path / "top").mkdir()
    git("init", "-q", "--separate-git-dir", str(tmp_path / "history.git"), str(tmp_path / "top"), cwd=tmp_path)
    write(tmp_path, {"private.txt": "x\n"})
    bare = str(tmp_path / "bare.git")
    for where, variables in (
        (tmp_path / "bare.git", {}),
        (tmp_path / "history.git", {}),
        (tmp_path, {"GIT_DIR": bare}),
    ):
        done = process("commit", "-m", "x", folder=where, **variables)
        assert done.returncode == 1
        assert b"no working tree" in done.stderr
        assert done.stderr.count(b"\n") == 1
