"""gitlineage.git.few: the first few objects are what git and libgit2 say, and what is amiss is left to libgit2."""

import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from gitlineage.errors import MissingObject, RepositoryError
from gitlineage.git.few import Few
from gitlineage.git.repository import GitRepo


@pytest.fixture
def objects(git: Callable[..., str], folder: Path) -> dict[str, str]:
    """One object of each kind in a repository, by kind."""
    folder.mkdir()
    git("init", "-q", "-b", "main")
    (folder / "file").write_bytes(b"a\nb\0c")
    git("add", "file")
    git("commit", "-q", "-m", "one")
    git("tag", "-a", "-m", "told", "v1")
    names = {"commit": "main", "tree": "main^{tree}", "blob": "main:file", "tag": "v1"}
    return {kind: git("rev-parse", name).strip() for kind, name in names.items()}


@pytest.mark.parametrize("packed", [False, True])
def test_objects_are_those_of_libgit2(
    git: Callable[..., str], folder: Path, objects: dict[str, str], packed: bool
) -> None:
    """Loose or packed, each kind has the content that libgit2 reads."""
    if packed:
        git("gc", "-q")
    repo, few = GitRepo(folder), Few(folder / ".git")
    for kind, oid in objects.items():
        stored = few.take(oid, 1000)
        assert stored is not None and (stored.kind, stored.data) == (kind, repo._repo[oid].read_raw())
        assert (repo.kind(oid), repo.read(oid)) == (stored.kind, stored.data)
    few.close()
    assert few.take(objects["blob"], 1000) is None


def test_what_is_amiss_is_told_by_libgit2(folder: Path, objects: dict[str, str]) -> None:
    """A missing object, one that is too large and one that is another than its name says are refused as ever."""
    gone = "1" * 40
    assert Few(folder / ".git").take(gone, 1000) is None
    assert Few(folder / ".git").take(objects["blob"], 4) is None
    with pytest.raises(MissingObject):
        GitRepo(folder).read(gone)
    with pytest.raises(RepositoryError, match="over the limit"):
        GitRepo(folder).read(objects["blob"], 4)
    path = folder / ".git" / "objects" / objects["blob"][:2] / objects["blob"][2:]
    path.chmod(0o600)
    path.write_bytes(zlib.compress(b"blob 5\0other"))
    assert Few(folder / ".git").take(objects["blob"], 1000) is None
    with pytest.raises(RepositoryError):
        GitRepo(folder).read(objects["blob"])


def test_only_the_first_few_and_only_for_the_process_that_began(folder: Path, objects: dict[str, str]) -> None:
    """After some objects git has ended; a forked process does not ask its parent's git."""
    few = Few(folder / ".git")
    assert few.take(objects["tree"], 1000) is not None
    child = os.fork()
    if not child:
        os._exit(few.take(objects["tree"], 1000) is not None)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    count = 1
    while few.take(objects["tree"], 1000) is not None:
        count += 1
    assert 4 < count < 100
