"""What the user's own HEAD has is not copied into a snapshot's pack, and the snapshot is whole all the same."""

from pathlib import Path

import pytest

from gitlineage import LineageStore

FILES = {"a.py": "one\n", "pkg/b.py": "two\n", "pkg/deep/c.py": "three\n"}


@pytest.fixture
def repo(git, folder: Path) -> Path:
    """A repository whose files are all committed."""
    folder.mkdir()
    git("init", "-q")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git("add", "-A")
    git("commit", "-q", "-m", "recipe")
    return folder


def packed(repo: Path, git) -> set[str]:
    """The oids of all blobs and trees in packs."""
    told = git("cat-file", "--batch-all-objects", "--batch-check", "--unordered")
    loose = {path.parent.name + path.name for path in (repo / ".git" / "objects").glob("[0-9a-f][0-9a-f]/*")}
    lines = [line.split(" ") for line in told.splitlines()]
    return {oid for oid, kind, _ in lines if kind in ("blob", "tree") and oid not in loose}


def test_what_is_committed_is_not_copied(repo: Path, git) -> None:
    """Of a first snapshot only the edited file and the folders above it are written."""
    (repo / "pkg" / "b.py").write_text("edited\n")
    with LineageStore(repo) as store:
        snapshot = store.commit(None)
        tree = snapshot.tree
    ours = {git("rev-parse", f"{tree}:{path}") for path in ("pkg", "pkg/b.py")} | {tree}
    theirs = {git("rev-parse", f"HEAD:{path}") for path in (*FILES, "pkg/deep")}
    assert ours <= packed(repo, git)
    assert not packed(repo, git) & theirs


def test_it_outlives_the_branch_that_it_came_from(repo: Path, git) -> None:
    """The commit that had the files can go, with its reflog and all that git prunes."""
    with LineageStore(repo) as store:
        oid = store.commit(None).oid
    git("update-ref", "-d", "HEAD")
    git("reflog", "expire", "--expire=now", "--all")
    git("gc", "-q", "--prune=now")
    assert git("fsck", "--strict", "--no-dangling") in ("", "notice: No default references")
    assert [git("show", f"{oid}:{name}") for name in FILES] == ["one", "two", "three"]


@pytest.mark.parametrize("name", ["a.py", "pkg/deep/c.py", "pkg", "pkg/deep"])
def test_what_head_lost_is_written(repo: Path, git, name: str) -> None:
    """An object that is missing although HEAD leads to it comes from the working tree."""
    oid = git("rev-parse", f"HEAD:{name}")
    (repo / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    with LineageStore(repo) as store:
        snapshot = store.commit(None)
        assert store.checkout(snapshot.oid, repo.parent / "out")
    assert {name: (repo.parent / "out" / name).read_text() for name in FILES} == FILES


def test_a_folder_of_the_working_tree_alone(repo: Path, git) -> None:
    """The folder that is recorded is compared with itself in HEAD."""
    (repo / "pkg" / "b.py").write_text("edited\n")
    with LineageStore(repo) as store:
        tree = store.commit(repo / "pkg").tree
    assert git("show", f"{tree}:b.py") == "edited"
    assert git("rev-parse", f"{tree}:deep") == git("rev-parse", "HEAD:pkg/deep")
    assert git("rev-parse", "HEAD:pkg/deep") not in packed(repo, git)
