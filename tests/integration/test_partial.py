"""Shallow and partial clones, made by git itself: what is missing comes in bulk or is said; no answer is wrong."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from clones import git
from command_line import Shell, process

from gitlineage import Incomplete, LineageStore, RepositoryError, Trial
from gitlineage.git.checkout import checkout

NOTES = "refs/notes/lineage/*:refs/notes/lineage/*"
FILTERS = ["blob:none", "tree:0"]
SCORES = (1.5, 1.1, 1.3, 1.2, 1.4)
"""The best is not among the last three, which is what a clone of the last three would take for it."""

READING = [
    ["best"],
    ["log"],
    ["show", "HEAD"],
    ["leaderboard"],
    ["prompt", "ann", "--timestamp", "t"],
    ["children", "HEAD"],
    ["ancestors", "HEAD"],
    ["descendants", "--leaves"],
    ["graph", "--all"],
    ["events"],
    ["events", "HEAD"],
    ["search", "idea"],
    ["export", "board", "out"],
    ["export", "tsv", "out.tsv"],
    ["checkout", "HEAD", "out"],
    ["maintain", "verify"],
    ["status"],
    ["maintain", "reindex"],
]


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """Return a remote that lets itself be filtered, with five trials, each on a commit of the user's own branch."""
    place, root = tmp_path / "remote.git", tmp_path / "alice"
    git(tmp_path, "init", "--quiet", "--bare", "-b", "main", str(place))
    git(place, "config", "uploadpack.allowFilter", "true")
    with LineageStore(root, writer="alice", identity=("Alice", "alice@example.org"), lower_is_better=True) as store:
        git(root, "checkout", "--quiet", "-b", "main")
        for number, score in enumerate(SCORES):
            (root / "src").mkdir(exist_ok=True)
            (root / "src" / "a.txt").write_text(f"{number}\n")
            (root / "b.txt").write_text(f"b {number}\n")
            git(root, "add", ".")
            git(root, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", f"idea {number}")
            store.record("HEAD", Trial(status="keep", core_metric=score, hypothesis=f"idea {number}"))
        git(root, "remote", "add", "origin", place.as_uri())
        git(root, "push", "--quiet", "origin", "main")
        store.push()
    return place


@pytest.fixture
def cloned(remote: Path, tmp_path: Path) -> Callable[..., Shell]:
    """Clone the remote with git as the words say, and fetch the notes with the same depth."""

    def clone(*words: str) -> Shell:
        root = tmp_path / "reader"
        git(tmp_path, "clone", "--quiet", *words, remote.as_uri(), str(root))
        depth = [word for word in words if word.startswith("--depth")]
        git(root, "fetch", "--quiet", *depth, "origin", NOTES)
        return Shell(root)

    return clone


def fetches(folder: Path, *words: str) -> tuple[int, str]:
    """Run a command that works, and return how often git fetched for it and what it printed."""
    log = folder.parent / "trace"
    log.unlink(missing_ok=True)
    done = process(*words, folder=folder, GIT_TRACE=str(log))
    assert done.returncode == 0, done.stderr
    told = log.read_text() if log.exists() else ""
    return told.count("built-in: git fetch"), done.stdout.decode()


@pytest.mark.parametrize("kept", FILTERS)
def test_a_partial_clone_answers_as_a_whole_one(kept: str, remote: Path, cloned: Callable[..., Shell]) -> None:
    """All notes come in two requests at the most, and nothing is fetched once the index stands."""
    partial, whole = cloned(f"--filter={kept}"), Shell(remote.parent / "alice")
    count, said = fetches(partial.folder, "log", "--json")
    assert 1 <= count <= 2
    assert said == whole("log", "--json")
    count, said = fetches(partial.folder, "best")
    assert count == 0
    assert said.startswith("001 ")
    assert partial("prompt", "ann", "--timestamp", "t") == whole("prompt", "ann", "--timestamp", "t")
    assert partial.objects("show", "002") == whole.objects("show", "002")


@pytest.mark.parametrize("kept", FILTERS)
def test_a_partial_clone_reads_content_as_git_does(kept: str, remote: Path, cloned: Callable[..., Shell]) -> None:
    """Checkout brings the files of a snapshot at once; diff, recipe_edit, verify and export need no words either."""
    partial, whole = cloned(f"--filter={kept}"), Shell(remote.parent / "alice")
    partial("log")
    count, _ = fetches(partial.folder, "checkout", "001", "out")
    assert 1 <= count <= 2
    assert (partial.folder / "out/src/a.txt").read_text() == "1\n"
    assert (partial.folder / "out/b.txt").read_text() == "b 1\n"
    assert partial("diff", "003") == whole("diff", "003")
    with LineageStore(partial.folder, create=False) as store, LineageStore(whole.folder, create=False) as other:
        assert store.recipe_edit("002").diff() == other.recipe_edit("002").diff() != ""
        assert store.verify() == []
    assert partial("export", "openrange", "there") == whole("export", "openrange", "there")


@pytest.mark.parametrize("kept", FILTERS)
def test_a_remote_that_disappears(kept: str, remote: Path, cloned: Callable[..., Shell]) -> None:
    """What a partial clone cannot have is said in one line with exit code 1, before and after the index stands."""
    partial = cloned(f"--filter={kept}")
    remote.rename(remote.parent / "gone.git")
    for words in READING:
        result = partial.run(*words)
        assert result.exit_code == 1, (words, result.output)
        (line,) = result.stderr.splitlines()
        assert "this clone is partial and lacks" in line
        assert "git fetch origin" in line
        assert "remote.git" in line
    (remote.parent / "gone.git").rename(remote)
    assert partial("best").startswith("001 ")
    assert partial.run("best").stderr == ""


@pytest.mark.parametrize("depth", [1, 3])
def test_a_shallow_clone_says_so(depth: int, cloned: Callable[..., Shell]) -> None:
    """What lies beyond its end is said in one line with exit code 1, before and after the index stands."""
    shallow = cloned(f"--depth={depth}")
    for words in READING:
        result = shallow.run(*words)
        assert result.exit_code == 1, (words, result.output)
        (line,) = result.stderr.splitlines()
        assert line.startswith("error: this clone is shallow and lacks ")
        assert "`git fetch --unshallow origin`" in line


@pytest.mark.parametrize("depth", [1, 3])
def test_unshallow_makes_it_right(depth: int, remote: Path, cloned: Callable[..., Shell]) -> None:
    """Once git has brought the rest, the next command answers as a whole clone does, by itself."""
    shallow, whole = cloned(f"--depth={depth}"), Shell(remote.parent / "alice")
    shallow.fails(1, "best")
    git(shallow.folder, "fetch", "--quiet", "--depth=5", "origin", NOTES)
    assert "lacks 1 object" in shallow.run("best").stderr
    git(shallow.folder, "fetch", "--quiet", "--unshallow", "origin")
    assert shallow("best") == whole("best")
    assert shallow.run("log").output == whole("log")
    with LineageStore(shallow.folder, create=False) as store:
        assert store.verify() == []


def test_a_shallow_clone_with_all_of_the_lineage(cloned: Callable[..., Shell], remote: Path, tmp_path: Path) -> None:
    """A clone whose branch is shallow and whose notes are whole lacks nothing."""
    git(tmp_path, "clone", "--quiet", "--depth=1", remote.as_uri(), "branch")
    git(tmp_path / "branch", "fetch", "--quiet", "origin", NOTES)
    assert Shell(tmp_path / "branch")("log") == Shell(tmp_path / "alice")("log")


def test_a_shallow_partial_clone_gets_all(cloned: Callable[..., Shell], remote: Path) -> None:
    """Where the remote gives objects one by one, it gives commits beyond the end too, all in one request."""
    both = cloned("--depth=1", "--filter=blob:none")
    count, said = fetches(both.folder, "log")
    assert count == 2
    assert said == Shell(remote.parent / "alice")("log")


def test_nothing_is_recorded_on_less_than_everything(cloned: Callable[..., Shell]) -> None:
    """A number or a verdict that follows from a part would be wrong for everybody."""
    shallow = cloned("--depth=1")
    before = git(shallow.folder, "for-each-ref")
    shallow.fails(1, "record", "HEAD", "--status", "keep", "--metric", "1.0")
    shallow.fails(1, "commit", "-m", "more", "--metric", "1.0")
    assert git(shallow.folder, "for-each-ref") == before
    assert "refs/lineage/" not in before


def test_the_configuration_that_answers_anyway(cloned: Callable[..., Shell]) -> None:
    """Git config lineage.incomplete gives what is here, still with the line and with exit code 1."""
    shallow = cloned("--depth=3")
    git(shallow.folder, "config", "lineage.incomplete", "true")
    result = shallow.run("best")
    assert result.exit_code == 1
    assert result.stdout.startswith("003 ")
    assert result.stderr.startswith("error: this clone is shallow")


def test_the_error_of_the_library(cloned: Callable[..., Shell]) -> None:
    """It names what is missing; a store may be opened to do without, and says what that is."""
    shallow = cloned("--depth=3")
    missing = git(shallow.folder, "notes", "--ref", "lineage/alice", "list")
    with LineageStore(shallow.folder, create=False) as store:
        with pytest.raises(Incomplete) as caught:
            store.best()
        with pytest.raises(Incomplete):
            store.render_prompt("ann")
    assert (caught.value.shallow, caught.value.remote, caught.value.count) == (True, "origin", 2)
    assert all(oid in missing for oid in caught.value.missing)
    with LineageStore(shallow.folder, create=False, incomplete=True) as store:
        assert [trial.exp_id for trial in store.all_trials()] == ["002", "003", "004"]
        assert store.lacking() is not None
        assert str(store.lacking()) == str(caught.value)
    with LineageStore(shallow.folder.parent / "alice", create=False) as store:
        store.best()
        assert store.lacking() is None


def test_an_open_store_sees_what_comes(cloned: Callable[..., Shell]) -> None:
    """A store need not be opened anew after git has brought the rest."""
    shallow = cloned("--depth=1")
    with LineageStore(shallow.folder, create=False, incomplete=True) as store:
        assert store.best().exp_id == "004"
        git(shallow.folder, "fetch", "--quiet", "--unshallow", "origin")
        store.ledger._look_again = 0.0
        assert store.best().exp_id == "001"
        assert store.lacking() is None


def test_a_note_on_a_commit_that_nobody_has(tmp_path: Path, remote: Path, cloned: Callable[..., Shell]) -> None:
    """In a whole or a partial clone it is a malformed line, not something to wait for; nor does it stop the rest."""
    whole = tmp_path / "alice"
    _, _, note, _ = git(whole, "ls-tree", "-r", "refs/notes/lineage/alice").splitlines()[0].split()
    (tmp_path / "listed").write_text(f"100644 blob {note}\t{'ab' * 20}\n")
    with (tmp_path / "listed").open() as listed:
        made = subprocess.run(["git", "mktree"], cwd=whole, stdin=listed, capture_output=True, text=True, check=True)
    raw = made.stdout.strip()
    people = ["-c", "user.name=M", "-c", "user.email=m@example.org"]
    commit = git(whole, *people, "commit-tree", raw, "-m", "forged\n\nClock: 99")
    git(whole, "push", "--quiet", "origin", f"{commit}:refs/notes/lineage/mallory")
    partial = cloned("--filter=blob:none")
    result = partial.run("best")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("001 ")
    assert "mallory" in result.stderr


def test_a_checkout_without_the_remote(remote: Path, cloned: Callable[..., Shell], tmp_path: Path) -> None:
    """What is missing is named, and nothing is written."""
    partial = cloned("--filter=blob:none")
    partial("log")
    remote.rename(tmp_path / "gone.git")
    assert "it is not in this repository" in partial.fails(1, "checkout", "001", "out")
    assert not (partial.folder / "out").exists()
    partial.fails(1, "diff", "001")
    with LineageStore(partial.folder, create=False) as store, pytest.raises(RepositoryError):
        checkout(store.ledger.repo, store.snapshot("001").tree, tmp_path / "there")


def test_an_import_takes_no_commit_for_lost_that_a_shallow_clone_lacks(remote: Path, tmp_path: Path) -> None:
    """A loop's rows get no stand-ins for commits beyond the end; after unshallow they are on their commits."""
    hashes = git(tmp_path / "alice", "rev-list", "--reverse", "--abbrev-commit", "main").split()
    rows = [f"{each}\t1.{9 - at}\t44.0\tkeep\tidea {at}" for at, each in enumerate(hashes)]
    root = tmp_path / "loop"
    git(tmp_path, "clone", "--quiet", "--depth=2", remote.as_uri(), str(root))
    (root / "results.tsv").write_text("\n".join(["commit\tval_bpb\tmemory_gb\tstatus\tdescription", *rows, ""]))
    loop = Shell(root)
    told = loop.fails(1, "import", "autoresearch", "--metric", "val_bpb")
    assert "lacks 3 objects" in told
    assert "`git fetch --unshallow origin`" in told
    assert "refs/notes" not in git(root, "for-each-ref")
    git(root, "fetch", "--quiet", "--unshallow", "origin")
    loop("import", "autoresearch", "--metric", "val_bpb")
    with LineageStore(root, create=False) as store:
        assert [view.oid[:7] for view in reversed(store.log(None))] == [each[:7] for each in hashes]
        assert not any("code lost" in trial.notes for trial in store.all_trials())


@pytest.fixture
def gapped(remote: Path, tmp_path: Path) -> Callable[[str], Shell]:
    """Make clones of a remote where two unrecorded commits and a recorded one follow on what is recorded already."""
    root = tmp_path / "alice"
    for number in range(5, 8):
        (root / "b.txt").write_text(f"b {number}\n")
        git(root, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qam", f"step {number}")
    with LineageStore(root, writer="alice", identity=("Alice", "alice@example.org")) as store:
        store.record("HEAD", Trial(status="keep", core_metric=1.0, hypothesis="the next idea"))
        git(root, "push", "--quiet", "origin", "main")
        store.push()

    def clone(*words: str) -> Shell:
        git(tmp_path, "clone", "--quiet", *words, remote.as_uri(), "reader")
        git(tmp_path / "reader", "fetch", "--quiet", "origin", NOTES)
        return Shell(tmp_path / "reader")

    return clone


CROSSING = [
    ["ancestors", "005"],
    ["ancestors", "005", "--relations", "successor_to"],
    ["blame", "005"],
    ["graph", "005"],
    ["relation", "history", "005"],
    ["ancestors", "--common", "005", "003"],
    ["ancestors", "--common", "003", "005", "--relations", "successor_to"],
    ["descendants", "--path", "001", "005"],
    ["prompt", "ann", "--timestamp", "t"],
    ["children", "003"],
    ["descendants", "001"],
    ["descendants", "--leaves"],
    ["show", "003"],
    ["log"],
    ["log", "--graph"],
    ["leaderboard"],
]
"""Questions whose answers lead through commits that a clone of the last one lacks and that nobody recorded."""

NOT_CROSSING = [["ancestors", "003"], ["blame", "003"], ["parents", "003"], ["ancestors", "--common", "001", "003"]]


def test_a_way_through_commits_that_are_missing(gapped: Callable[..., Shell], tmp_path: Path) -> None:
    """Where nothing recorded is missing, only answers that come to the end say so; after unshallow all are whole."""
    shallow, whole = gapped("--depth=1"), Shell(tmp_path / "alice")
    for words in CROSSING:
        result = shallow.run(*words)
        assert result.exit_code == 1, (words, result.output)
        (line,) = result.stderr.splitlines()
        assert line.startswith("error: this clone is shallow and lacks 1 object of the lineage")
        assert "`git fetch --unshallow origin`" in line
        assert result.stdout == ""
    for words in NOT_CROSSING:
        assert shallow(*words) == whole(*words)
    git(shallow.folder, "fetch", "--quiet", "--unshallow", "origin")
    for words in CROSSING:
        assert shallow.run(*words).stdout == whole(*words), words
        assert shallow(*words) == whole(*words)


def test_a_part_of_the_way_is_answered_where_that_is_wanted(gapped: Callable[..., Shell], tmp_path: Path) -> None:
    """Git config lineage.incomplete gives what is here, with the same line and exit code; the library can, too."""
    shallow = gapped("--depth=2")
    git(shallow.folder, "config", "lineage.incomplete", "true")
    result = shallow.run("blame", "005")
    assert result.exit_code == 1
    assert "005" in result.stdout
    assert result.stderr.startswith("error: this clone is shallow")
    assert shallow.run("blame", "003").exit_code == 0
    with LineageStore(shallow.folder, create=False) as store, pytest.raises(Incomplete):
        store.chain_to("005")
    with LineageStore(shallow.folder, create=False, incomplete=True) as store:
        assert store.lacking() is None
        assert len(store.chain_to("005")) == 1
        assert store.lacking() is not None
        git(shallow.folder, "fetch", "--quiet", "--unshallow", "origin")
        assert len(store.chain_to("005")) == 6
        assert store.lacking() is None


@pytest.mark.parametrize("depth", [1, 2])
def test_a_lineage_that_begins_in_a_shallow_clone(depth: int, remote: Path, tmp_path: Path) -> None:
    """Who records there from the first trial on may ask anything: nothing recorded can be beyond the end."""
    root = tmp_path / "fresh"
    git(tmp_path, "clone", "--quiet", f"--depth={depth}", remote.as_uri(), str(root))
    git(root, "config", "lineage.writer", "ann")
    shell = Shell(root)
    for number in range(3):
        (root / "b.txt").write_text(f"fresh {number}\n")
        shell("commit", "-m", f"idea {number}", "--metric", f"1.{number}")
    (root / "b.txt").write_text("aside\n")
    shell("commit", "-m", "aside", "--parents", "HEAD", "--metric", "2.0")
    for words in (
        ["ancestors", "002"],
        ["blame", "002"],
        ["ancestors", "--common", "002", "001"],
        ["prompt", "ann", "--timestamp", "t"],
        ["log"],
    ):
        assert shell.run(*words).exit_code == 0, words
    before = shell("ancestors", "002")
    git(root, "fetch", "--quiet", "--unshallow", "origin")
    assert shell("ancestors", "002") == before


ASKED = [
    ["log"],
    ["log", "--graph"],
    ["log", "--json", "-n", "-1"],
    ["best"],
    ["show", "002"],
    ["show", "002", "--json"],
    ["prompt", "ann", "--timestamp", "t"],
    ["diff", "003"],
    ["diff", "001", "004"],
    ["graph", "--all"],
    ["stats"],
    ["compare", "001", "004"],
    ["blame", "004"],
    ["maintain", "verify"],
    ["export", "tsv", "-"],
    ["export", "jsonl", "-"],
]
"""What a reader asks, with the same answer in any whole or partial clone."""


@pytest.mark.parametrize("words", [[f"--filter={kept}"] for kept in FILTERS] + [["--filter=blob:limit=1", "--bare"]])
def test_each_command_in_a_partial_clone(
    words: list[str], remote: Path, cloned: Callable[..., Shell], tmp_path: Path
) -> None:
    """Each as the first one after the clone: the answer of a whole clone, in a few requests."""
    whole = Shell(remote.parent / "alice")
    fresh = cloned(*words).folder
    for asked in ASKED:
        copy = tmp_path / "copy"
        shutil.copytree(fresh, copy, symlinks=True)
        count, said = fetches(copy, *asked)
        assert count <= 8, asked
        assert said == whole(*asked), asked
        shutil.rmtree(copy)


@pytest.mark.parametrize("kept", FILTERS)
def test_a_partial_clone_records_and_pushes(kept: str, remote: Path, cloned: Callable[..., Shell]) -> None:
    """What is recorded there as the first thing has its parent and its verdict by all there is, and reaches others."""
    partial, whole = cloned(f"--filter={kept}"), Shell(remote.parent / "alice")
    git(partial.folder, "config", "lineage.writer", "bob")
    (partial.folder / "b.txt").write_text("b of bob\n")
    (made,) = partial.objects("commit", "-m", "from a part", "--metric", "1.0")
    partial("push")
    whole("pull")
    (told,) = whole.objects("show", made["oid"])
    assert (told["status"], told["parents"]) == ("keep", made["parents"])
    assert whole("maintain", "verify") == partial("maintain", "verify")
    assert whole("log", "--json") == partial("log", "--json")


@pytest.mark.parametrize("depth", [1, 3])
def test_each_command_in_a_shallow_clone(depth: int, cloned: Callable[..., Shell]) -> None:
    """One line that says what to do, exit code 1, and nothing that could be taken for the answer."""
    shallow = cloned(f"--depth={depth}")
    git(shallow.folder, "config", "lineage.writer", "bob")
    (shallow.folder / "b.txt").write_text("b of bob\n")
    for asked in [*ASKED, ["commit", "-m", "from a part"], ["run", "-m", "x", "--", "true"]]:
        assert "`git fetch --unshallow origin`" in shallow.fails(1, *asked), asked
    for asked in (["pull"], ["push"], ["sync"]):  # which do their work
        result = shallow.run(*asked)
        assert result.exit_code == 1, asked
        (line,) = result.stderr.splitlines()
        assert "`git fetch --unshallow origin`" in line
