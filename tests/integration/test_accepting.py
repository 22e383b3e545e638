"""A snapshot becomes a commit on the user's branch: what git sees of it, and that nothing of the user's is lost."""

import subprocess
from pathlib import Path

import pytest
from command_line import Shell

SEED = "".join(f"line {at}\n" for at in range(20))


class Repo:
    """A repository whose branch ``main`` has one commit, recorded as 000; and 001, which changed a line and added b."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.shell = Shell(folder)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Uma")
        self.git("config", "user.email", "uma@example.org")
        (folder / "train.py").write_text(SEED)
        (folder / "notes.md").write_text("notes\n")
        self.git("add", "-A")
        self.git("commit", "-qm", "Begin")
        self.shell("init", "--metric", "loss", "--lower-is-better", "--writer", "alice")
        self.shell("record", "HEAD", "--exp-id", "000", "--metric", "2")
        self.seed = self.git("rev-parse", "HEAD")
        (folder / "train.py").write_text(SEED.replace("line 3\n", "three\n"))
        (folder / "b.py").write_text("new\n")
        self.shell("commit", "-m", "Say three", "--specialist", "opt", "--metric", "1")

    def git(self, *words: str) -> str:
        """Run git here and return what it printed."""
        done = subprocess.run(["git", *words], cwd=self.folder, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def reset(self) -> None:
        """Go back to the first commit, as if nothing had been tried here."""
        self.git("clean", "-qfd")
        self.git("reset", "-q", "--hard")

    @property
    def status(self) -> str:
        """What git says is changed or staged."""
        return self.git("status", "--porcelain")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A repository with a snapshot to accept."""
    return Repo(tmp_path / "repo")


@pytest.mark.parametrize("tried_here", [True, False])
def test_the_branch_has_an_ordinary_commit(repo: Repo, tried_here: bool) -> None:
    """Message, trailers, author and parent are right, and git sees a clean tree, whether it was tried in it or not."""
    if not tried_here:
        repo.reset()
    (done,) = repo.shell.objects("accept", "001")
    assert (done["branch"], done["files"], done["merged"], done["here"]) == ("main", ["b.py", "train.py"], False, True)
    assert repo.git("rev-parse", "HEAD") == done["oid"] and repo.git("rev-parse", "HEAD^") == repo.seed == done["was"]
    assert repo.status == ""
    message = repo.git("log", "-1", "--format=%B")
    assert message.startswith("Say three\n\n")
    trailers = repo.git("log", "-1", "--format=%(trailers:unfold)").splitlines()
    oid = repo.shell.objects("show", "001")[0]["oid"]
    expected = ["Exp-Id: 001", "Specialist: opt", "Lineage-Status: keep", "Lineage-Score: loss 1"]
    assert [line for line in trailers if line] == [*expected, f"Lineage-Snapshot: {oid}"]
    assert repo.git("log", "-1", "--format=%an <%ae> %cn") == "Uma <uma@example.org> Uma"
    assert repo.git("diff", "HEAD", oid) == ""
    assert "gitlineage accept: Say three" in repo.git("reflog", "-1", "main")
    assert "nothing to commit" in repo.shell.fails(1, "accept", "001")


def test_other_work_stays_as_it_is(repo: Repo) -> None:
    """A staged file, a changed one and an untracked one that the commit does not touch are as they were."""
    repo.reset()
    (repo.folder / "notes.md").write_text("changed\n")
    (repo.folder / "staged.txt").write_text("staged\n")
    (repo.folder / "untracked.txt").write_text("x\n")
    repo.git("add", "staged.txt")
    before = repo.status
    repo.shell("accept", "001")
    assert repo.status == before
    assert repo.git("show", "--stat", "--format=", "HEAD").count("|") == 2


@pytest.mark.parametrize(
    ("path", "text", "staged"),
    [
        ("train.py", "mine\n", False),
        ("train.py", "mine\n", True),
        ("b.py", "in the way\n", False),
        ("b.py", "in the way\n", True),
    ],
)
def test_changed_and_staged_files_are_never_overwritten(repo: Repo, path: str, text: str, staged: bool) -> None:
    """It is refused, names the file, and neither branch nor index nor any file has changed."""
    repo.reset()
    (repo.folder / path).write_text(text)
    if staged:
        repo.git("add", path)
    before = repo.status, repo.git("ls-files", "-s")
    assert path in repo.shell.fails(1, "accept", "001")
    assert (repo.status, repo.git("ls-files", "-s")) == before
    assert repo.git("rev-parse", "main") == repo.seed
    assert (repo.folder / path).read_text() == text


def test_what_is_staged_apart_from_the_file_is_not_lost(repo: Repo) -> None:
    """A version that only the index has is refused even where the file itself is as the commit has it."""
    after = (repo.folder / "train.py").read_text()
    (repo.folder / "train.py").write_text("only staged\n")
    repo.git("add", "train.py")
    (repo.folder / "train.py").write_text(after)
    assert "train.py" in repo.shell.fails(1, "accept", "001")
    assert repo.git("show", ":train.py") == "only staged"


def test_a_branch_that_went_on_is_joined(repo: Repo) -> None:
    """What the branch changed since stays, the snapshot's change comes to it; the same lines are a conflict."""
    repo.reset()
    (repo.folder / "train.py").write_text(SEED.replace("line 15\n", "fifteen\n"))
    repo.git("commit", "-qam", "Say fifteen")
    (done,) = repo.shell.objects("accept", "001")
    assert done["merged"]
    assert (repo.folder / "train.py").read_text() == SEED.replace("line 15\n", "fifteen\n").replace(
        "line 3\n", "three\n"
    )
    assert repo.status == ""
    repo.git("reset", "-q", "--hard", repo.seed)
    (repo.folder / "train.py").write_text(SEED.replace("line 3\n", "tres\n"))
    repo.git("commit", "-qam", "Say tres")
    refused = repo.shell.fails(1, "accept", "001")
    assert "both sides changed train.py; `gitlineage restore 001`" in refused
    assert repo.status == ""


def test_another_branch_moves_without_the_working_tree(repo: Repo) -> None:
    """A new branch begins at HEAD; files, index and HEAD stay; one that is checked out elsewhere is refused."""
    before = repo.status
    (done,) = repo.shell.objects("accept", "best", "--branch", "tuned")
    assert (done["branch"], done["here"]) == ("tuned", False)
    assert repo.git("rev-parse", "tuned^") == repo.seed and repo.status == before
    assert repo.git("symbolic-ref", "HEAD") == "refs/heads/main"
    repo.git("worktree", "add", "-q", str(repo.folder.with_name("other")), "-b", "elsewhere", repo.seed)
    assert "another working tree" in repo.shell.fails(1, "accept", "001", "--branch", "elsewhere")
    assert "no branch can be called" in repo.shell.fails(1, "accept", "001", "--branch", "a..b")


def test_equal_content_joins_histories_that_have_no_commit_in_common(tmp_path: Path) -> None:
    """A campaign that began from nothing finds its place on the branch by content, or says what to type."""
    repo = Repo(tmp_path / "repo")
    repo.shell("commit", "--root", "--new", "-m", "apart", "--metric", "0.5")
    repo.reset()
    said = repo.shell.fails(1, "accept", "002")
    assert "gitlineage restore 002" in said
    repo.shell("commit", "--root", "--new", "-m", "the same as HEAD", "--metric", "3")
    (repo.folder / "train.py").write_text("better\n")
    repo.shell("commit", "--parents", "003", "-m", "from there", "--metric", "0.1")
    repo.shell("accept", "004")
    assert repo.git("show", "HEAD:train.py") == "better" and repo.status == ""


def test_an_unborn_branch_and_a_detached_head(tmp_path: Path) -> None:
    """The first commit of a branch has no parent; without a branch, one has to be named."""
    shell = Shell(tmp_path / "new")
    shell.write(a="x\n")
    shell("init", "--metric", "loss")
    shell("commit", "-m", "first", "--metric", "1")
    (done,) = shell.objects("accept", "000")
    assert done["was"] is None and done["here"]
    git = ["git", "-C", str(shell.folder)]
    assert subprocess.run([*git, "status", "--porcelain"], capture_output=True, check=True).stdout == b""
    subprocess.run([*git, "checkout", "-q", "--detach"], check=True)
    assert "--branch NAME" in shell.fails(1, "accept", "000")


def test_a_merge_under_way_is_not_disturbed(repo: Repo) -> None:
    """While git is in the middle of a merge, the branch stays where it is."""
    repo.reset()
    (repo.folder / ".git/MERGE_HEAD").write_text(f"{repo.seed}\n")
    assert "a merge is under way" in repo.shell.fails(1, "accept", "001")
    assert repo.git("rev-parse", "main") == repo.seed
