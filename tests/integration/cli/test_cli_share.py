"""The commands between machines: what they print, what they end with, and that git's progress stays on a terminal."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Shell, campaign, on_terminal, process

Git = Callable[..., str]


@pytest.fixture
def remote(tmp_path: Path, git: Git) -> Path:
    """Return an empty bare repository."""
    git("init", "--quiet", "--bare", str(tmp_path / "remote.git"), cwd=tmp_path)
    return tmp_path / "remote.git"


@pytest.fixture
def alice(tmp_path: Path, remote: Path, git: Git) -> Shell:
    """Return a shell on Alice's campaign of five trials, with the remote as origin."""
    shell = campaign(tmp_path / "alice")
    git("remote", "add", "origin", str(remote), cwd=shell.folder)
    return shell


@pytest.fixture
def bob(alice: Shell, remote: Path, tmp_path: Path) -> Shell:
    """Return a shell on Bob's clone."""
    alice("push")
    Shell(tmp_path)("clone", str(remote), "bob")
    shell = Shell(tmp_path / "bob")
    shell("init", "--writer", "bob")
    return shell


def test_push_in_lines(alice: Shell) -> None:
    """One line for the ref and one for the whole."""
    assert alice("push", "--dry-run").splitlines()[-1] == "would be: pushed 5 trials and 5 snapshots in 1 ref (origin)"
    assert alice("push").splitlines() == [
        "alice  push  new  +5 trials  +5 snapshots",
        "pushed 5 trials and 5 snapshots in 1 ref (origin)",
    ]
    assert alice("push", "origin").splitlines() == ["alice  push  up to date", "pushed nothing new (origin)"]


def test_sync_as_json(alice: Shell, bob: Shell) -> None:
    """One object for each ref, with everything that is known of it."""
    bob.commit("--parents", "003", "-m", "from bob", "--metric", "1.0")
    found = bob.objects("sync")
    assert [(each["writer"], each["direction"], each["state"]) for each in found] == [
        ("alice", "pull", "up to date"),
        ("bob", "push", "new"),
    ]
    assert found[1]["remote"] == "origin"
    (came,) = [each for each in alice.objects("pull") if each["writer"] == "bob"]
    assert (came["state"], came["trials"], came["snapshots"]) == ("new", 1, 1)
    assert alice("log") == bob("log")


def test_clone_tells_what_came(alice: Shell, remote: Path, tmp_path: Path) -> None:
    """The folder is named after the remote where none is given; what came is counted."""
    alice("push")
    (tmp_path / "here").mkdir()
    shown = Shell(tmp_path / "here")("clone", str(remote))
    assert "pulled 5 trials and 5 snapshots in 1 ref (origin)" in shown
    clone = Shell(tmp_path / "here" / "remote")
    assert clone("log") == alice("log")
    assert len(clone.objects("status")) == 2
    (came,) = Shell(tmp_path / "here").objects("clone", str(remote), "again")
    assert came["trials"] == 5


def test_status(alice: Shell, bob: Shell) -> None:
    """How the campaign stands, who records here, and what is only here."""
    assert alice("status").splitlines() == [
        "best    003  loss 1.10",
        "trials  5, 5 today, 1 since the last keep",
        "writer  alice",
        "task    loss, lower is better",
        "remote  origin",
        "all pushed (as last seen)",
    ]
    alice.commit("--parents", "003", "--new", "-m", "more", "--metric", "1.0")
    assert alice("status").splitlines()[-2:] == [
        "alice  push  ahead  +1 trial  +1 snapshot",
        "1 trial and 1 snapshot not pushed yet (as last seen)",
    ]


def test_status_says_who_is_stuck(alice: Shell) -> None:
    """A specialist whose last ten trials brought nothing is named; one who kept something since is not."""
    for number in range(10):
        alice.commit("--parents", "003", "--new", "-m", f"try {number}", "--metric", "2", "--specialist", "bold")
    shown = alice("status").splitlines()
    assert "stuck   bold" in shown and "trials  15, 15 today, 11 since the last keep" in shown
    (told, *_) = alice.objects("status")
    assert (told["best"], told["score"], told["stuck"], told["running"]) == ("003", 1.1, ["bold"], [])


def test_status_without_a_remote(tmp_path: Path) -> None:
    """It says how to add one, and is no error."""
    shell = campaign(tmp_path / "alone")
    assert "git remote add" in shell("status")
    (clone,) = shell.objects("status")
    assert (clone["writer"], clone["trials"], clone["remote"]) == ("alice", 5, None)
    assert clone["task"]["score_field"] == "loss"


def test_status_of_a_ref_that_the_remote_contradicts(alice: Shell, bob: Shell, git: Git) -> None:
    """Where the own ref and what keeps it were set back, nothing is said to be pushed, and the exit code is 1."""
    alice.commit("--parents", "003", "-m", "more", "--metric", "1.0")
    alice("push")
    assert [each["state"] for each in alice.objects("status")[1:]] == ["up to date"]
    git("update-ref", "-d", "refs/lineage/own/alice", cwd=alice.folder)
    git("update-ref", "refs/notes/lineage/alice", "refs/notes/lineage/alice~2", cwd=alice.folder)
    alice.commit("--parents", "003", "-m", "another", "--metric", "1.0")
    result = alice.run("status")
    assert result.exit_code == 1
    assert "alice  push  refused" in result.stdout
    assert result.stdout.splitlines()[-1] == "1 ref refused (as last seen)"
    assert alice.run("status", "--json").exit_code == 1


def test_a_refusal_ends_with_one(alice: Shell, bob: Shell, remote: Path, git: Git) -> None:
    """What was refused is in the list with its reason; the rest is done, and the exit code says so."""
    oid = git("rev-parse", "refs/notes/lineage/alice~1", cwd=remote)
    git("update-ref", "refs/notes/lineage/alice", oid, cwd=remote)
    result = bob.run("pull")
    assert result.exit_code == 1
    assert "refused" in result.stdout
    assert "--accept-rewrite alice" in result.stdout
    assert result.stdout.splitlines()[-1] == "pulled nothing new, 1 refused (origin)"
    assert bob.run("pull", "--json").exit_code == 1
    assert "rewritten" in bob("pull", "--accept-rewrite", "alice")
    assert len(bob.objects("log")) == 4


@pytest.mark.parametrize("words", [["push"], ["pull"], ["sync"]])
def test_an_unreachable_remote_ends_with_one(alice: Shell, git: Git, words: list[str]) -> None:
    """One line with git's words and what to do; the store is as it was."""
    before = git("for-each-ref", cwd=alice.folder)
    assert "does not appear to be a git repository; check the address" in alice.fails(1, *words, "/nowhere.git")
    assert "check the network" in alice.fails(1, *words, "git://127.0.0.1:1/x")
    assert "no remote 'hub' in this repository; there is origin" in alice.fails(1, *words, "hub")
    assert git("for-each-ref", cwd=alice.folder) == before


def test_a_failed_clone_leaves_nothing(tmp_path: Path) -> None:
    """It ends with 1 and no folder."""
    assert "/nowhere.git" in Shell(tmp_path).fails(1, "clone", "/nowhere.git", "new")
    assert not (tmp_path / "new").exists()


def test_init_with_a_remote(alice: Shell, git: Git, remote: Path) -> None:
    """Plain git then carries lineage; a remote that is not there is an error that names the others."""
    assert "remote  origin" in alice("init", "--metric", "loss", "--remote", "origin")
    git("commit", "--quiet", "--allow-empty", "-m", "code", cwd=alice.folder)
    git("push", "--quiet", cwd=alice.folder)
    assert "refs/notes/lineage/alice" in git("for-each-ref", cwd=remote)
    assert "there is origin" in alice.run("init", "--remote", "hub").stderr


def test_a_copied_clone_is_told_in_one_line(alice: Shell, tmp_path: Path, git: Git) -> None:
    """The one that comes second says under which name it goes on."""
    alice("push")
    subprocess.run(["cp", "-a", str(alice.folder), str(tmp_path / "copy")], check=True)
    copy = Shell(tmp_path / "copy")
    alice.commit("--parents", "003", "--new", "-m", "one", "--metric", "1.0")
    copy.commit("--parents", "003", "--new", "-m", "two", "--metric", "0.9")
    alice("push")
    result = copy.run("push")
    assert result.exit_code == 0
    told = [line for line in result.stderr.splitlines() if "has no branch" not in line]
    assert len(told) == 1 and "also in use elsewhere" in told[0]
    assert "rehomed" in result.stdout
    assert len(copy.objects("log")) == 7


def test_progress_is_for_terminals(alice: Shell, remote: Path, tmp_path: Path) -> None:
    """Git's progress shows on a terminal; a pipe gets none of it."""
    shown = on_terminal("push", folder=alice.folder)
    assert "100%" in shown
    assert "pushed 5 trials and 5 snapshots in 1 ref (origin)" in shown
    done = process("clone", str(remote), "piped", folder=tmp_path)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if b"has no branch" not in line] == []


@pytest.mark.parametrize("name", ["--receive-pack=false", "--upload-pack=false", "--dry-run", "-f"])
def test_a_remote_that_is_called_like_an_option(
    folder: Path, git: Callable[..., str], tmp_path: Path, name: str
) -> None:
    """A remote's name is never an option: lineage goes and comes, by our commands and by the hook beside a branch."""
    git("init", "-q", "--bare", str(tmp_path / "bare.git"), cwd=tmp_path)
    shell = campaign(folder)
    git("remote", "add", "--", name, str(tmp_path / "bare.git"))
    shell("hooks", "install")
    git("add", "a.txt")
    git("commit", "-q", "-m", "a branch")
    git("push", "-q", "--", name, "HEAD:refs/heads/main")
    tip = git("rev-parse", "refs/notes/lineage/alice")
    assert git("rev-parse", "refs/notes/lineage/alice", cwd=tmp_path / "bare.git") == tip
    shell("commit", "--new", "-m", "more", "--metric", "1")
    for words in (["push"], ["pull"], ["sync"], ["push", "--", name], ["status"]):
        shell(*words)
    tip = git("rev-parse", "refs/notes/lineage/alice")
    assert git("rev-parse", "refs/notes/lineage/alice", cwd=tmp_path / "bare.git") == tip


def test_whose_task_holds_is_said_when_it_is_pulled(tmp_path: Path, git: Git) -> None:
    """A newcomer who said nothing hears of no change; one who said something else hears whose place that takes."""
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "hub.git")], check=True)
    alice = campaign(tmp_path / "alice")
    subprocess.run(["git", "remote", "add", "origin", str(tmp_path / "hub.git")], cwd=alice.folder, check=True)
    alice("push")
    told = {}
    for name, words in (("bob", []), ("zed", ["--metric", "acc", "--higher-is-better"])):
        subprocess.run(["git", "clone", "-q", str(tmp_path / "hub.git"), str(tmp_path / name)], check=True)
        shell = Shell(tmp_path / name)
        shell("init", "--writer", name, *words)
        told[name] = shell.run("init", "--remote", "origin").stderr
    assert "task" not in told["bob"] and "loss, lower" not in told["bob"]
    assert (
        "alice said loss, lower is better; this clone's own word, acc, higher is better, takes its place" in told["zed"]
    )
    assert "`gitlineage init --metric loss --lower-is-better --force` takes it back" in told["zed"]


@pytest.fixture
def plain(tmp_path: Path) -> Shell:
    """A plain clone of a hub on which alice has the campaign of a loss."""
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "hub.git")], check=True)
    alice = campaign(tmp_path / "alice")
    subprocess.run(["git", "remote", "add", "origin", str(tmp_path / "hub.git")], cwd=alice.folder, check=True)
    alice("push")
    subprocess.run(["git", "clone", "-q", str(tmp_path / "hub.git"), str(tmp_path / "plain")], check=True)
    return Shell(tmp_path / "plain")


def test_init_with_a_remote_takes_its_task(plain: Shell) -> None:
    """The lineage of the remote is here before anything is recorded, so the campaign's task is the one that holds."""
    shown = plain("init", "--remote", "origin", "--writer", "bob")
    assert "task    loss, lower is better" in shown and "remote  origin, 5 trials pulled" in shown
    plain.write(a="anew\n")
    assert "keep  loss 0.9" in plain("commit", "-m", "x", "--metric", "0.9")
    assert plain.objects("init", "--remote", "origin")[0]["pulled"] == 0


def test_init_refuses_another_task_than_that_of_the_remote(plain: Shell) -> None:
    """It would rank what others recorded by nothing, which takes --force."""
    refused = plain.run("init", "--remote", "origin", "--metric", "acc", "--higher-is-better")
    assert refused.exit_code == 1 and "--force" in refused.stderr


def test_init_with_a_remote_that_is_away(plain: Shell, tmp_path: Path) -> None:
    """The clone is made ready all the same; that nothing was pulled is said, with what does it."""
    (tmp_path / "hub.git").rename(tmp_path / "elsewhere.git")
    result = plain.run("init", "--remote", "origin")
    assert result.exit_code == 0
    assert "nothing was pulled" in result.stderr and "`gitlineage pull origin`" in result.stderr


def test_what_was_recorded_by_the_default_task_is_mended(plain: Shell) -> None:
    """Its trial has no score by the campaign's task; what is said then gives it one, and proposes nothing else."""
    plain.write(a="anew\n")
    warned = plain.run("commit", "-m", "x", "--metric", "0.9", "--exp-id", "x1")
    assert "`gitlineage pull origin`" in warned.stderr
    told = plain.run("sync").stderr
    command = "gitlineage record x1 --revise --metric 0.9 --judge"
    assert f"`{command}`" in told
    assert "retract" not in told and "--force" not in told and "--reassert" not in told
    assert plain.objects("best")[0]["id"] == "003"
    plain(*command.split()[1:])
    assert (plain.objects("best")[0]["id"], plain.objects("best")[0]["score"]) == ("x1", 0.9)
