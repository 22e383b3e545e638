"""Fetch, push, listing and cloning by git's own programs, with a real remote, and how their errors read."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gitlineage.errors import GitFailed, RemoteError
from gitlineage.git import program
from gitlineage.git.transport import Transport, address, clone, is_address, last_words, remote_error

Git = Callable[..., str]


@pytest.fixture
def here(folder: Path, tmp_path: Path, git: Git) -> Path:
    """Return a repository with a commit on main, a tag, and a bare remote."""
    git("init", "--quiet", "--bare", str(tmp_path / "remote.git"), cwd=tmp_path)
    git("init", "--quiet", "--initial-branch=main", str(folder), cwd=tmp_path)
    git("commit", "--quiet", "--allow-empty", "-m", "start")
    git("tag", "v1")
    git("remote", "add", "origin", "../remote.git")
    return folder


@pytest.fixture
def way(here: Path) -> Transport:
    """Return the way to the remote."""
    return Transport(here / ".git", here, "origin")


def test_push_and_what_became_of_it(way: Transport, here: Path, git: Git) -> None:
    """New, up to date, fast-forwarded and rejected are told apart; a dry run moves nothing."""
    first = git("rev-parse", "HEAD")
    assert way.push(first, "refs/x/one", dry_run=True).flag == "*"
    assert way.refs("refs/x/*") == {}
    assert way.push(first, "refs/x/one").flag == "*"
    assert way.push(first, "refs/x/one").flag == "="
    git("commit", "--quiet", "--allow-empty", "-m", "more")
    done = way.push(git("rev-parse", "HEAD"), "refs/x/one")
    assert (done.flag, done.summary.partition("..")[0]) == (" ", first[:7])
    rejected = way.push(first, "refs/x/one")
    assert rejected.flag == "!"
    assert "non-fast-forward" in rejected.reason or "fetch first" in rejected.reason
    assert way.refs("refs/*") == {"refs/x/one": git("rev-parse", "HEAD")}


def test_a_push_moves_nothing_here(way: Transport, git: Git) -> None:
    """Not even where a refspec of the user maps the remote's ref onto the one here, which has gone on meanwhile."""
    git("config", "--add", "remote.origin.fetch", "refs/x/*:refs/x/*")
    first = git("rev-parse", "HEAD")
    git("commit", "--quiet", "--allow-empty", "-m", "more")
    git("update-ref", "refs/x/one", "HEAD")
    way.push(first, "refs/x/one")
    assert git("rev-parse", "refs/x/one") == git("rev-parse", "HEAD")


def test_fetch_takes_what_it_is_told(way: Transport, here: Path, git: Git) -> None:
    """No tags, no FETCH_HEAD, no other ref of the configuration's; refs that are gone are pruned."""
    way.push(git("rev-parse", "HEAD"), "refs/x/one")
    git("push", "--quiet", "origin", "main", "v1")
    git("tag", "-d", "v1")
    git("update-ref", "-d", "refs/remotes/origin/main")
    way.fetch(["+refs/x/*:refs/seen/*"], prune=True, dry_run=True)
    assert git("for-each-ref", "refs/seen") == ""
    way.fetch(["+refs/x/*:refs/seen/*"], prune=True)
    assert git("for-each-ref", "--format=%(refname)").split() == ["refs/heads/main", "refs/seen/one"]
    assert not (here / ".git" / "FETCH_HEAD").exists()
    git("push", "--quiet", "origin", ":refs/x/one")
    way.fetch(["+refs/x/*:refs/seen/*"], prune=True)
    assert git("for-each-ref", "refs/seen") == ""


def test_a_mirror_takes_a_single_ref(way: Transport, git: Git) -> None:
    """A remote that is configured as a mirror can be pushed one ref."""
    git("config", "remote.origin.mirror", "true")
    assert way.push(git("rev-parse", "HEAD"), "refs/x/one").flag == "*"


def test_clone_brings_a_further_refspec(way: Transport, tmp_path: Path, git: Git) -> None:
    """Branches, tags and what the refspec says come in one go."""
    git("push", "--quiet", "origin", "main")
    way.push(git("rev-parse", "HEAD"), "refs/x/one")
    clone(str(tmp_path / "remote.git"), tmp_path / "new", ["+refs/x/*:refs/seen/*"], branch="main")
    found = git("for-each-ref", "--format=%(refname)", cwd=tmp_path / "new").split()
    assert {"refs/heads/main", "refs/seen/one"} <= set(found)


def test_progress_is_heard_only_by_a_listener(way: Transport, here: Path, git: Git) -> None:
    """With a listener git tells how far it is; without one it says nothing."""
    said: list[str] = []
    loud = Transport(here / ".git", here, "origin", listener=said.append)
    loud.push(git("rev-parse", "HEAD"), "refs/x/one")
    assert "100%" in "".join(said)
    assert "100%" not in program.run(["push", "--no-progress", "origin", "HEAD:refs/x/two"], cwd=here).decode()


def test_a_listener_that_fails_ends_git(here: Path) -> None:
    """What the listener raises comes out, and git does not go on."""

    def stop(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        program.run(["fetch", "/nowhere"], cwd=here, listener=stop)


def test_the_users_prompt_setting_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether git may ask at the terminal is up to the user."""
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    assert program.environment()["GIT_TERMINAL_PROMPT"] == "0"
    monkeypatch.delenv("GIT_TERMINAL_PROMPT")
    assert "GIT_TERMINAL_PROMPT" not in program.environment()


@pytest.mark.parametrize(
    ("remote", "words", "hint"),
    [
        ("/nowhere.git", "does not appear to be a git repository", "check the address"),
        ("git://127.0.0.1:1/x", "Connection refused", "check the network"),
        ("http://someone:secret@127.0.0.1:1/x", "unable to access", "check the network"),
        ("-x", "-x", "check the address"),
    ],
)
def test_errors_say_what_and_what_to_do(here: Path, remote: str, words: str, hint: str) -> None:
    """Git's own words, without its boilerplate and without passwords, and a piece of advice."""
    way = Transport(here / ".git", here, remote, named=False)
    for work in (lambda: way.fetch(["+refs/x/*:refs/y/*"]), lambda: way.refs("*"), lambda: way.push("HEAD", "refs/x")):
        with pytest.raises(RemoteError) as caught:
            work()
        assert words in caught.value.message
        assert hint in caught.value.hint
        assert "secret" not in str(caught.value)
        assert "Could not read from remote" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("fatal: a\n\nPlease make sure you have the correct access rights\nand the repository exists.\n", "a"),
        ("Receiving objects:  10% (1/10)\rReceiving objects: 100%\nfatal: early EOF\n", "early EOF"),
        (
            "ssh: connect to host h port 1: no\nfatal: Could not read from remote repository.\n",
            "ssh: connect to host h",
        ),
        ("fatal: Could not read from remote repository.\n", "Could not read from remote repository"),
        ("fatal: \x1b[31mred\x07\x1b[0m\n", "[31mred[0m"),
        ("fatal: unable to connect to h:\nh[0: ::1]: errno=refused\n", "unable to connect to h: h[0: ::1]"),
        ("", ""),
    ],
)
def test_last_words(said: str, words: str) -> None:
    """What went wrong is found among progress, hints and boilerplate, without control characters."""
    found = last_words(said)
    assert found.startswith(words)
    assert found.isprintable() or not found


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("fatal: Authentication failed for 'https://h/'", "credentials"),
        ("git@h: Permission denied (publickey).", "credentials"),
        ("fatal: detected dubious ownership in repository at '/x'", "safe.directory"),
        ("fatal: write error: No space left on device", "make room"),
        ("error: cannot lock ref 'refs/x': File exists", "another git"),
        ("fatal: who knows", "try again"),
    ],
)
def test_advice(said: str, hint: str) -> None:
    """Each kind of failure gets advice of its own."""
    assert hint in remote_error("origin", GitFailed(["fetch"], 128, said)).hint


def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """URLs and host:path stay; paths become absolute; a bare word is a name."""
    monkeypatch.chdir(tmp_path)
    for text in ("https://h/x", "me@h:x.git", "ssh://h/x"):
        assert is_address(text)
        assert address(text) == text
    assert address("../x.git") == os.path.abspath("../x.git")
    assert not is_address("origin")
    (tmp_path / "folder").mkdir()
    assert is_address("folder")
