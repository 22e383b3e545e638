"""The command publish: what a plain clone shows of a campaign, always forward, and nothing of the user's touched."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Shell, campaign, process


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell on a small campaign."""
    return campaign(folder)


def test_a_plain_clone_shows_it(shell: Shell, git: Callable[..., str], tmp_path: Path) -> None:
    """README with picture and leaderboard, the report, the board and the best's files; git alone brings them."""
    git("init", "--bare", "--quiet", str(tmp_path / "hub.git"))
    git("remote", "add", "origin", str(tmp_path / "hub.git"))
    (told,) = shell.objects("publish", "--remote", "origin")
    assert (told["branch"], told["moved"], told["remote"]) == ("lineage", True, "origin")
    git("clone", "--quiet", "--branch", "lineage", str(tmp_path / "hub.git"), str(tmp_path / "plain"))
    plain = tmp_path / "plain"
    assert {path.name for path in plain.iterdir()} == {
        ".git",
        "README.md",
        "best",
        "board",
        "progress.svg",
        "report.html",
    }
    readme = (plain / "README.md").read_text()
    assert (
        "Best: **003** with 1\\.10: cross them" in readme
        and "| 1 | 003 | 1\\.10 |" in readme
        and "```mermaid" in readme
    )
    assert (plain / "progress.svg").read_text().startswith("<svg")
    assert (plain / "best" / "b.txt").read_text() == "more\n"
    assert (plain / "report.html").read_bytes().startswith(b"<!doctype html>")
    assert (plain / "board" / "results.tsv").exists()


def test_a_remote_whose_head_leads_nowhere_is_told(shell: Shell, git: Callable[..., str], tmp_path: Path) -> None:
    """A plain clone of it checks nothing out; publishing says what does, and no more once its HEAD is there."""
    hub = tmp_path / "hub.git"
    git("init", "--bare", "--quiet", "--initial-branch=trunk", str(hub))
    git("remote", "add", "origin", str(hub))
    said = process("publish", folder=shell.folder).stderr.decode()
    assert "git clone -b lineage URL" in said and "git symbolic-ref HEAD refs/heads/lineage" in said
    git("-C", str(hub), "symbolic-ref", "HEAD", "refs/heads/lineage")
    git("clone", "--quiet", str(hub), str(tmp_path / "plain"))
    assert (tmp_path / "plain" / "README.md").exists()
    assert "git clone" not in process("publish", folder=shell.folder).stderr.decode()
    assert shell.objects("publish")[0]["shown"] is True


def test_it_only_moves_forward(shell: Shell, git: Callable[..., str]) -> None:
    """The same store adds nothing; a new trial adds a commit on top; HEAD and the files stay as they are."""
    head, status = git("symbolic-ref", "HEAD"), git("status", "--porcelain")
    first = shell.objects("publish")[0]
    again = shell.objects("publish")[0]
    assert (again["commit"], again["moved"]) == (first["commit"], False)
    shell.commit("--parents", "003", "-m", "on", "--metric", "1.05", "--new")
    second = shell.objects("publish", "--pages")[0]
    assert git("rev-parse", f"{second['commit']}^") == first["commit"]
    assert "index.html" in git("ls-tree", "--name-only", "lineage") and ".nojekyll" in git(
        "ls-tree", "--name-only", "lineage"
    )
    assert (git("symbolic-ref", "HEAD"), git("status", "--porcelain")) == (head, status)


def test_it_goes_where_there_is_a_remote(shell: Shell, git: Callable[..., str], tmp_path: Path) -> None:
    """The only remote, or origin of several, unless --local or another name is given; of two others it asks."""
    assert "there is no remote" in process("publish", folder=shell.folder).stderr.decode()
    for name in ("origin", "other", "third"):
        git("init", "--bare", "--quiet", str(tmp_path / name))
    git("remote", "add", "other", str(tmp_path / "other"))
    assert shell.objects("publish", "--local")[0]["remote"] == ""
    assert shell.objects("publish")[0]["remote"] == "other"
    git("remote", "add", "third", str(tmp_path / "third"))
    assert "which remote?" in shell.fails(1, "publish")
    git("remote", "add", "origin", str(tmp_path / "origin"))
    tip = shell.objects("publish")[0]
    assert tip["remote"] == "origin"
    assert git("-C", str(tmp_path / "origin"), "rev-parse", "refs/heads/lineage") == tip["commit"]
    assert "--remote" in shell.fails(2, "publish", "--local", "--remote", "origin")


def test_kept_trials_get_names(shell: Shell, git: Callable[..., str], tmp_path: Path) -> None:
    """Tags and branches of kept trials alone, on the remote too; what a name is already stays, here and there."""
    git("init", "--bare", "--quiet", str(tmp_path / "hub.git"))
    git("remote", "add", "origin", str(tmp_path / "hub.git"))
    shell.commit("--parents", "003", "-m", "odd", "--metric", "1.05", "--status", "keep", "--exp-id", "a b~c..d")
    git("commit", "--quiet", "--allow-empty", "-m", "mine")
    mine = git("rev-parse", "HEAD")
    git("tag", "lineage-kept/003", mine)
    git("tag", "v1", mine)
    (told,) = shell.objects("publish", "--tags", "--branches")
    kept = {trial["exp_id"] for trial in shell.objects("log", "--status", "keep", "-n", "-1")}
    odd = "a%20b%7Ec%2E%2Ed"
    assert {name.rpartition("/")[2] for name in told["names"]} == kept - {"a b~c..d"} | {odd}
    assert told["left"] == ["refs/tags/lineage-kept/003"] and "refs/heads/lineage-kept/003" in told["names"]
    assert git("rev-parse", "lineage-kept/003") == mine
    there = git("ls-remote", "--refs", "origin").splitlines()
    assert {line.split()[1] for line in there if "kept" in line} == set(told["names"])
    assert not any("v1" in line for line in there)
    (again,) = shell.objects("publish", "--tags", "--branches")
    assert again == {**told, "moved": False}
    (hub,) = (line.split()[0] for line in there if line.endswith(f"tags/lineage-kept/{odd}"))
    assert hub == git("rev-parse", f"refs/tags/lineage-kept/{odd}")


def test_a_remote_without_a_branch_is_told(shell: Shell, git: Callable[..., str], tmp_path: Path) -> None:
    """Push and clone name the command that makes one, in one line, and only while there is none."""
    hub = str(tmp_path / "hub.git")
    git("init", "--bare", "--quiet", hub)
    git("remote", "add", "origin", hub)
    told = "`gitlineage publish` makes one"
    assert process("push", folder=shell.folder).stderr.decode().count(told) == 1
    assert told in process("clone", hub, str(tmp_path / "one"), folder=tmp_path).stderr.decode()
    shell("publish")
    shell.commit("--parents", "003", "-m", "on", "--metric", "1.05", "--new")
    assert told not in process("push", folder=shell.folder).stderr.decode()
    assert told not in process("clone", hub, str(tmp_path / "two"), folder=tmp_path).stderr.decode()


def test_a_branch_of_the_users_is_refused(shell: Shell, git: Callable[..., str]) -> None:
    """One that was not made by the command, or is checked out, stays as it is, and the line says what to type."""
    git("commit", "--quiet", "--allow-empty", "-m", "mine")
    git("branch", "lineage")
    before = git("rev-parse", "lineage")
    assert "was not made by `gitlineage publish`" in shell.fails(1, "publish")
    assert git("rev-parse", "lineage") == before
    current = git("symbolic-ref", "--short", "HEAD")
    assert "is checked out" in shell.fails(1, "publish", "--branch", current)
    for wrong in ("a..b", "-x", "a b"):
        assert f"no branch can be called '{wrong}'" in shell.fails(1, "publish", f"--branch={wrong}")
    assert process("publish", "--remote", "nowhere", "--branch", "x", folder=shell.folder).returncode == 1


def test_hostile_texts(folder: Path, git: Callable[..., str]) -> None:
    """No sign of a trial's text is Markdown or HTML in the page."""
    shell = Shell(folder)
    shell("init", "--metric", "loss", "--writer", "alice")
    hostile = "![x](http://evil.example/x.png) <img src=x> | ``` [a](javascript:1)\n# head"
    shell.commit("--root", "-m", hostile, "--metric", "1", "--specialist", "a|b")
    shell.commit("--parents", "000", "-m", hostile, "--metric", "0.5", "--specialist", "a|b", "--new")
    shell("publish")
    text = git("show", "lineage:README.md")
    before = text[: text.index("```mermaid")] + text[text.index("## Leaderboard") : text.index("## All of it")]
    assert "\\!\\[x\\]\\(http\\:\\/\\/evil\\.example" in before and "\\<img" in before
    assert not re.search(r"(?<!\\)[<`]\w|[^\\]\]\(http", before)
    (row,) = (line for line in text.splitlines() if line.startswith("| 1 |"))
    assert row.count(" | ") == 4
