"""What the hooks of a client do, by real git: commit, amend, rebase, merge and push with the scripts installed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Shell
from places import ROOT

from gitlineage import LineageStore, Trial
from gitlineage.bridge.hooks import install
from gitlineage.git.repository import GitRepo
from gitlineage.record.landing import WriterLock

Git = Callable[..., "subprocess.CompletedProcess[str]"]
PEOPLE = {
    f"GIT_{who}_{what}": f"{what.lower()}@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The program as a file that a hook can run, out of this checkout."""
    path = tmp_path / "bin" / "gitlineage"
    path.parent.mkdir()
    top = ROOT
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{top}" exec "{sys.executable}" -m gitlineage "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def call(folder: Path) -> Git:
    """Run git as a user does, in the test's repository or elsewhere, and return all there is to know about it."""

    def run(
        *words: str, cwd: Path | None = None, ok: bool = True, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        given = {**os.environ, **PEOPLE, "LC_ALL": "C", "GIT_EDITOR": "true", **variables}
        done = subprocess.run(
            ["git", *words], cwd=cwd or folder, env=given, capture_output=True, text=True, check=False
        )
        assert not ok or done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def here(folder: Path, call: Git, program: Path) -> GitRepo:
    """A repository with the client's hooks installed, and nothing in it."""
    folder.mkdir()
    call("init", "--quiet", "--initial-branch=main")
    call("config", "lineage.writer", "alice")
    repo = GitRepo(folder)
    install.install(repo, command=program)
    return repo


def change(folder: Path, call: Git, text: str, *words: str, name: str = "a.txt") -> str:
    """Write a file, commit all, and return the commit."""
    (folder / name).write_text(f"{text}\n")
    call("add", "--all")
    call("commit", "--quiet", "-m", text, *words)
    return call("rev-parse", "HEAD").stdout.strip()


def rows(folder: Path) -> list[tuple[str, str, str]]:
    """Return every trial's id, hypothesis and commit, oldest first."""
    with LineageStore(folder, create=False) as store:
        return [(view.trial.exp_id, view.trial.hypothesis, view.oid) for view in reversed(store.log(None))]


# -- post-commit -------------------------------------------------------------------------------------------


def test_a_commit_becomes_a_pending_trial(folder: Path, here: GitRepo, call: Git) -> None:
    """A plain commit is a snapshot with its subject as hypothesis; record brings the result."""
    one, two = change(folder, call, "one"), change(folder, call, "two")
    assert rows(folder) == [("000", "one", one), ("001", "two", two)]
    with LineageStore(folder, create=False) as store:
        assert store.snapshot("001").parents == (one,)
        assert store.all_trials() == []
        assert store.record("HEAD", Trial(status="keep", core_metric=1.0)).exp_id == "001"
        assert store.best().hypothesis == "two"


def test_it_says_what_it_did(folder: Path, here: GitRepo, call: Git) -> None:
    """One line on standard error names the trial and what is next."""
    said = call("commit", "--quiet", "--allow-empty", "-m", "x").stderr.splitlines()
    assert said == ["gitlineage: 000 is pending; `gitlineage record HEAD --metric NUMBER` records its result"]


@pytest.mark.parametrize(
    ("branch", "patterns", "expected"),
    [
        ("main", [], True),
        ("exp/a", ["exp/*"], True),
        ("main", ["exp/*"], False),
        ("main", ["exp/*", "main"], True),
        ("main", ["exp/* ma?n"], True),
        (None, [], True),
        (None, ["main"], False),
        (None, ["HEAD"], True),
    ],
)
def test_branches(
    folder: Path, here: GitRepo, call: Git, branch: str | None, patterns: list[str], expected: bool
) -> None:
    """The patterns of lineage.branch say where commits count; without any they all do."""
    call("commit", "--quiet", "--allow-empty", "-m", "start", GITLINEAGE_INSIDE="1")
    call("checkout", "--quiet", *(["--detach"] if branch is None else ["-B", branch]))
    for pattern in patterns:
        call("config", "--add", "lineage.branch", pattern)
    change(folder, call, "one")
    assert [row[1] for row in rows(folder)] == (["one"] if expected else [])


def test_however_git_is_called(folder: Path, here: GitRepo, call: Git, tmp_path: Path) -> None:
    """With -a, -C, a git directory elsewhere, a subfolder or a linked worktree, the commit is recorded all the same."""
    change(folder, call, "plain")
    (folder / "a.txt").write_text("all\n")
    call("commit", "--quiet", "-am", "with -a")
    call("-C", str(folder), "commit", "--quiet", "--allow-empty", "-m", "with -C", cwd=tmp_path)
    named = [f"--git-dir={folder / '.git'}", f"--work-tree={folder}"]
    call(*named, "commit", "--quiet", "--allow-empty", "-m", "with --git-dir", cwd=tmp_path)
    call("commit", "--quiet", "--allow-empty", "-m", "GIT_DIR", cwd=tmp_path, GIT_DIR=str(folder / ".git"))
    (folder / "below").mkdir()
    call("commit", "--quiet", "--allow-empty", "-m", "below", cwd=folder / "below")
    call("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "other"))
    (tmp_path / "other" / "a.txt").write_text("other\n")
    call("commit", "--quiet", "-am", "in a worktree", cwd=tmp_path / "other")
    (folder / "a.txt").write_text("only this\n")
    call("commit", "--quiet", "-m", "with a path", "--", "a.txt")
    assert [row[1] for row in rows(folder)] == [
        *("plain", "with -a", "with -C", "with --git-dir", "GIT_DIR", "below", "in a worktree", "with a path")
    ]
    assert call("status", "--porcelain").stdout == ""


def test_a_hook_never_fails_a_commit(folder: Path, here: GitRepo, call: Git, program: Path) -> None:
    """Without the program, with a broken one or an unusable store, the commit is made and one line says what is up."""
    call("config", "lineage.program", "/nowhere/gitlineage")
    done = call("commit", "--quiet", "--allow-empty", "-m", "one", PATH="/usr/bin:/bin")
    (said,) = done.stderr.splitlines()
    assert said.startswith("gitlineage: no program gitlineage here; this commit is not recorded")
    call("config", "lineage.program", str(program))
    call("config", "lineage.writer", "no writer")
    (said,) = call("commit", "--quiet", "--allow-empty", "-m", "two").stderr.splitlines()
    assert said.startswith("gitlineage: post-commit: 'no writer' cannot name a writer")
    program.write_text("#!/bin/sh\nexit 3\n")
    call("commit", "--quiet", "--allow-empty", "-m", "three")
    assert call("log", "--format=%s").stdout.split() == ["three", "two", "one"]


def test_a_busy_store_is_not_waited_for(
    folder: Path, here: GitRepo, call: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process records for long, the commit goes on without a trial, and that is said."""
    with WriterLock(folder / ".git" / "lineage" / "lock")():
        (said,) = call("commit", "--quiet", "--allow-empty", "-m", "one").stderr.splitlines()
    assert "another process has been recording" in said
    assert rows(folder) == []


def test_without_a_writer_nothing_happens(folder: Path, here: GitRepo, call: Git) -> None:
    """A repository that records nothing is left alone by hooks that it shares with others."""
    call("config", "--unset", "lineage.writer")
    assert call("commit", "--quiet", "--allow-empty", "-m", "one").stderr == ""
    assert call("for-each-ref", "refs/notes").stdout == ""


def test_a_chained_hook_runs_first(folder: Path, here: GitRepo, call: Git) -> None:
    """A user's own hook gets what git gave it: words, standard input and folder."""
    install.remove(here)
    for name in ("post-commit", "post-rewrite"):
        path = install.folder(here) / name
        path.write_text(f'#!/bin/sh\n{{ echo "{name} $*"; [ {name} = post-commit ] || cat; }} >> ran\n')
        path.chmod(0o755)
    install.install(here, ["post-commit", "post-rewrite"], chain=True)
    one = change(folder, call, "one")
    call("commit", "--quiet", "--amend", "-m", "better")
    two = call("rev-parse", "HEAD").stdout.strip()
    said = (folder / "ran").read_text().splitlines()
    assert said == ["post-commit ", "post-commit ", "post-rewrite amend", f"{one} {two}"]
    assert len(rows(folder)) == 1


# -- post-rewrite ------------------------------------------------------------------------------------------


def test_an_amend_strands_no_trial(folder: Path, here: GitRepo, call: Git) -> None:
    """The trial stays on its commit, which outlives gc; the new commit is linked to it, both ways."""
    change(folder, call, "one")
    old = change(folder, call, "two")
    with LineageStore(folder, create=False) as store:
        store.record("001", Trial(status="keep", core_metric=1.0))
    (folder / "a.txt").write_text("other content\n")
    call("commit", "--quiet", "-a", "--amend", "-m", "two, better")
    new = call("rev-parse", "HEAD").stdout.strip()
    call("reflog", "expire", "--expire=now", "--all")
    call("gc", "--quiet", "--prune=now")
    assert [row[1:] for row in rows(folder)][1:] == [("two", old)]
    with LineageStore(folder, create=False) as store:
        assert [each.oid for each in store.rewritten_from(new)] == [old]
        assert [each.oid for each in store.rewritten_as("001")] == [new]
        assert store.files("001")["a.txt"] == b"two\n"
        store.reindex()
        assert [each.oid for each in store.rewritten_as("001")] == [new]


def test_a_result_after_an_amend(folder: Path, here: GitRepo, call: Git) -> None:
    """The same content is the same trial; other content is one of its own, with what the pending row said."""
    old = change(folder, call, "one")
    call("commit", "--quiet", "--amend", "-m", "one, in other words")
    with LineageStore(folder, create=False) as store:
        store.record("HEAD", Trial(status="baseline", core_metric=1.0))
        assert store.view("000").oid == old
    two = change(folder, call, "two")
    change(folder, call, "three", "--amend")
    change(folder, call, "four", "--amend")
    with LineageStore(folder, create=False) as store:
        found = store.record("HEAD", Trial(status="keep", core_metric=0.9))
        assert (found.exp_id, found.hypothesis) == ("002", "two")
        assert store.view("001").oid == two
        assert store.view("001").trial.status is None


def test_lineage_goes_through_an_amend(folder: Path, here: GitRepo, call: Git) -> None:
    """What was made on an amended commit goes back to the trial on what that was before, in every walk."""
    change(folder, call, "one")
    shell = Shell(folder)
    shell("record", "HEAD", "--metric", "0.9")
    call("commit", "--quiet", "--amend", "-m", "one, in other words")
    amended = call("rev-parse", "HEAD").stdout.strip()
    change(folder, call, "two")
    shell("record", "HEAD", "--metric", "0.8")
    with LineageStore(folder, create=False) as store:
        assert [each.exp_id for each in store.chain_to("001")] == ["000", "001"]
        assert store.ancestors("001")[0].id == amended
        store.reindex()
        assert store.view("001").parent == "000"
    assert "exp_000" in shell("prompt").split("Current-best lineage")[1]
    assert "among 2 trials" in shell("blame", "best")
    assert shell.objects("record", amended, "--metric", "0.85")[0]["row"]["hypothesis"] == "one, in other words"


def test_lineage_goes_through_a_rebase(folder: Path, here: GitRepo, call: Git) -> None:
    """What a rebase made comes from the trial on what it was before, and from what it was put on."""
    base = change(folder, call, "base")
    call("checkout", "--quiet", "-b", "topic")
    change(folder, call, "idea", name="1.txt")
    call("checkout", "--quiet", "main")
    change(folder, call, "meanwhile", name="other.txt")
    call("checkout", "--quiet", "topic")
    call("rebase", "--quiet", "main")
    change(folder, call, "on top", name="2.txt")
    with LineageStore(folder, create=False) as store:
        assert [each.exp_id for each in store.chain_to("003")] == ["000", "001", "003"]
        names = {trial.exp_id for node in store.ancestors("003") for trial in store.snapshot(node.id).trials}
        assert names == {"000", "001", "002"}
        assert store.snapshot("000").oid == base


def test_an_amend_is_no_word_about_anothers_parents(folder: Path, here: GitRepo, call: Git, tmp_path: Path) -> None:
    """A colleague who pulls is told of no reparenting: the amended commit is the writer's own."""
    change(folder, call, "one")
    call("init", "--quiet", "--bare", str(tmp_path / "hub.git"))
    call("remote", "add", "origin", str(tmp_path / "hub.git"))
    shell = Shell(folder)
    shell("push")
    Shell(tmp_path)("clone", str(tmp_path / "hub.git"), "colleague")
    call("commit", "--quiet", "--amend", "-m", "uno")
    shell("push")
    assert "reparent" not in Shell(tmp_path / "colleague").run("pull").stderr


def test_an_amend_of_what_nobody_recorded(folder: Path, here: GitRepo, call: Git) -> None:
    """The amended commit is a new commit like any other."""
    call("commit", "--quiet", "--allow-empty", "-m", "before", GITLINEAGE_INSIDE="1")
    call("commit", "--quiet", "--allow-empty", "--amend", "-m", "after")
    assert [row[1] for row in rows(folder)] == ["after"]


def test_a_rebase_strands_no_trial(folder: Path, here: GitRepo, call: Git) -> None:
    """Each commit that a rebase made is linked to what it was made from; the rebase records no trials of its own."""
    change(folder, call, "base")
    call("checkout", "--quiet", "-b", "topic")
    old = [change(folder, call, f"idea {n}", name=f"{n}.txt") for n in range(3)]
    call("checkout", "--quiet", "main")
    change(folder, call, "meanwhile", name="other.txt")
    call("checkout", "--quiet", "topic")
    before = rows(folder)
    call("rebase", "--quiet", "main")
    new = call("rev-list", "--reverse", "main..topic").stdout.split()
    assert rows(folder) == before
    with LineageStore(folder, create=False) as store:
        assert [store.rewritten_from(each)[0].oid for each in new] == old
        assert store.record("HEAD", Trial(status="keep", core_metric=1.0)).hypothesis == "idea 2"


def test_a_squash_is_linked_to_all_it_took_in(folder: Path, here: GitRepo, call: Git) -> None:
    """Commits that an interactive rebase made into one are all named by it."""
    change(folder, call, "base")
    old = [change(folder, call, f"idea {n}", name=f"{n}.txt") for n in range(2)]
    call("rebase", "--quiet", "-i", "HEAD~2", GIT_SEQUENCE_EDITOR="sed -i 2s/pick/squash/")
    with LineageStore(folder, create=False) as store:
        assert {each.oid for each in store.rewritten_from("HEAD")} == set(old)
    assert len(rows(folder)) == 3


# -- post-merge --------------------------------------------------------------------------------------------


def test_a_merge_says_which_trials_came(folder: Path, here: GitRepo, call: Git) -> None:
    """A merge, and a merge that is concluded by hand, are no trials; the trials that came are named in one line."""
    change(folder, call, "base")
    call("checkout", "--quiet", "-b", "topic")
    change(folder, call, "idea", name="b.txt")
    change(folder, call, "another", name="b.txt")
    with LineageStore(folder, create=False) as store:
        store.record("001", Trial(status="discard", core_metric=2.0))
    call("checkout", "--quiet", "main")
    change(folder, call, "mine", name="c.txt")
    (said,) = call("merge", "--quiet", "--no-edit", "topic").stderr.splitlines()
    assert said == "gitlineage: 2 trials came with this merge: 002 pending, 001 discard"
    call("checkout", "--quiet", "topic")
    change(folder, call, "clash", name="a.txt")
    call("checkout", "--quiet", "main")
    change(folder, call, "crash", name="a.txt")
    assert call("merge", "--quiet", "topic", ok=False).returncode == 1
    (folder / "a.txt").write_text("both\n")
    call("commit", "--quiet", "-a", "--no-edit")
    assert [row[1] for row in rows(folder)] == ["base", "another", "idea", "mine", "clash", "crash"]


# -- pre-push ----------------------------------------------------------------------------------------------


@pytest.fixture
def remote(here: GitRepo, call: Git, tmp_path: Path) -> Path:
    """A bare remote, known as origin."""
    path = tmp_path / "remote.git"
    call("init", "--quiet", "--bare", str(path))
    call("remote", "add", "origin", str(path))
    return path


def refs(call: Git, remote: Path) -> list[str]:
    """Return the names of a remote's refs."""
    return call("for-each-ref", "--format=%(refname)", cwd=remote).stdout.split()


def test_pre_push_sends_the_lineage_along(folder: Path, call: Git, remote: Path) -> None:
    """Pushing a branch also pushes this clone's writer ref, once and nothing else; later results follow."""
    change(folder, call, "one")
    call("update-ref", "refs/notes/lineage/bob", "HEAD")
    call("push", "--quiet", "origin", "main")
    assert refs(call, remote) == ["refs/heads/main", "refs/notes/lineage/alice"]
    with LineageStore(folder, create=False) as store:
        store.record("HEAD", Trial(status="baseline", core_metric=1.0))
    call("push", "--quiet", "origin", "main")
    tips = [call("rev-parse", "refs/notes/lineage/alice", cwd=where).stdout for where in (folder, remote)]
    assert tips[0] == tips[1]


def test_pre_push_in_a_worktree_and_by_address(folder: Path, call: Git, remote: Path, tmp_path: Path) -> None:
    """A linked worktree pushes the shared lineage, and an address will do for a remote's name."""
    change(folder, call, "one")
    call("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "other"))
    call("push", "--quiet", str(remote), "other", cwd=tmp_path / "other")
    assert refs(call, remote) == ["refs/heads/other", "refs/notes/lineage/alice"]


def test_pre_push_with_nothing_to_send(folder: Path, call: Git, remote: Path) -> None:
    """Nothing recorded, branches only deleted, or the ref pushed by itself: git's push is all that happens."""
    call("commit", "--quiet", "--allow-empty", "-m", "one", GITLINEAGE_INSIDE="1")
    assert call("push", "--quiet", "origin", "main", "main:other").stderr == ""
    assert refs(call, remote) == ["refs/heads/main", "refs/heads/other"]
    change(folder, call, "two")
    call("push", "--quiet", "--delete", "origin", "other")
    assert refs(call, remote) == ["refs/heads/main"]
    call("push", "--quiet", "origin", "refs/notes/lineage/alice")
    assert refs(call, remote) == ["refs/heads/main", "refs/notes/lineage/alice"]


def test_pre_push_lets_the_branch_go_where_lineage_is_refused(folder: Path, call: Git, remote: Path) -> None:
    """A remote that refuses the writer ref still gets the branch, and one line says why."""
    change(folder, call, "one")
    update = remote / "hooks" / "update"
    update.parent.mkdir(exist_ok=True)
    update.write_text('#!/bin/sh\ncase "$1" in refs/notes/*) exit 1;; esac\n')
    update.chmod(0o755)
    (said,) = call("push", "--quiet", "origin", "main").stderr.splitlines()
    assert said.startswith("gitlineage: origin did not take the lineage")
    assert "hook declined" in said
    assert refs(call, remote) == ["refs/heads/main"]


def test_a_users_pre_push_still_decides(folder: Path, here: GitRepo, call: Git, remote: Path) -> None:
    """A chained hook that refuses a push refuses it, and no lineage goes."""
    change(folder, call, "one")
    install.remove(here, ["pre-push"])
    path = install.folder(here) / "pre-push"
    path.write_text("#!/bin/sh\ncat >&2\nexit 1\n")
    path.chmod(0o755)
    install.install(here, ["pre-push"], chain=True)
    done = call("push", "origin", "main", ok=False)
    assert done.returncode == 1
    assert "refs/heads/main" in done.stderr
    assert refs(call, remote) == []
