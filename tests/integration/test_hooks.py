"""Git hooks put in and taken out: never over a user's own, wherever git looks for them, and out of a wheel too."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import PACKAGE, Shell

from gitlineage.bridge.hooks import install
from gitlineage.errors import HookTaken, Invalid, StorageError
from gitlineage.git.repository import GitRepo, init_repository

MINE = "#!/bin/sh\necho mine >> ran\n"


@pytest.fixture
def repo(folder: Path) -> GitRepo:
    """A fresh repository."""
    init_repository(folder)
    return GitRepo(folder)


def own_hook(repo: GitRepo, name: str = "post-commit", text: str = MINE) -> Path:
    """Put a user's hook into a repository and return its path."""
    path = install.folder(repo) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def states(repo: GitRepo) -> dict[str, str]:
    """Return how each hook stands."""
    return {each.name: each.state for each in install.listed(repo)}


def test_install_and_remove(repo: GitRepo) -> None:
    """A client gets four hooks that git can run; again is no change; removing leaves nothing behind."""
    made = install.install(repo)
    assert {each.name: each.outcome for each in made} == dict.fromkeys(install.CLIENT, "installed")
    assert states(repo) == {**dict.fromkeys(install.CLIENT, "installed"), "pre-receive": "absent"}
    before = {path.name for path in install.folder(repo).iterdir() if not path.name.endswith(".sample")}
    assert before == set(install.CLIENT)
    assert {each.outcome for each in install.install(repo)} == {"installed already"}
    assert {each.outcome for each in install.remove(repo)} == {"removed"}
    assert set(states(repo).values()) == {"absent"}
    assert install.remove(repo) == []
    assert [each.outcome for each in install.remove(repo, ["pre-push"])] == ["not installed"]


def test_a_bare_repository_gets_a_servers_hook(tmp_path: Path) -> None:
    """Without names a bare repository gets pre-receive alone."""
    init_repository(tmp_path / "bare.git", bare=True)
    bare = GitRepo(tmp_path / "bare.git")
    assert [each.name for each in install.install(bare)] == ["pre-receive"]
    assert (tmp_path / "bare.git" / "hooks" / "pre-receive").stat().st_mode & 0o111


def test_a_users_hook_is_never_overwritten(repo: GitRepo) -> None:
    """Where one hook is the user's, none is installed, and the refusal says how."""
    path = own_hook(repo)
    with pytest.raises(HookTaken, match=r"--chain keeps it as post-commit\.user .*--force"):
        install.install(repo)
    assert path.read_text() == MINE
    assert states(repo) == {**dict.fromkeys(install.NAMES, "absent"), "post-commit": "foreign"}
    with pytest.raises(HookTaken, match="not a hook of gitlineage"):
        install.remove(repo, ["post-commit"])
    assert install.remove(repo) == []
    assert path.read_text() == MINE


@pytest.mark.parametrize(
    ("how", "suffix", "outcome"), [("chain", "user", "chained"), ("force", "replaced", "replaced")]
)
def test_a_users_hook_moves_and_comes_back(repo: GitRepo, how: str, suffix: str, outcome: str) -> None:
    """Chained or put aside, it is said where it went, and removing ours puts it back as it was."""
    path = own_hook(repo)
    (made,) = install.install(repo, ["post-commit"], **{how: True})
    assert (made.outcome, made.user) == (outcome, f"{path}.{suffix}")
    assert Path(f"{path}.{suffix}").read_text() == MINE
    assert states(repo)["post-commit"] == "installed"
    own_hook(repo, text="#!/bin/sh\n# put there by another program\n")
    with pytest.raises(HookTaken, match="there already"):
        install.install(repo, ["post-commit"], **{how: True})
    install.folder(repo).joinpath("post-commit").write_bytes(install.script("post-commit"))
    assert [each.outcome for each in install.remove(repo)] == ["removed, yours is back"]
    assert path.read_text() == MINE
    assert path.stat().st_mode & 0o111
    assert not Path(f"{path}.{suffix}").exists()


def test_other_versions_are_ours(repo: GitRepo) -> None:
    """A script of another version, and the one that used to be copied by hand, are replaced without asking."""
    own_hook(repo, "post-merge", "#!/bin/sh\n# gitlineage hook 0: post-merge\nexit 0\n")
    copied = "#!/bin/sh\n# pre-push: what this clone recorded travels with the branch that is pushed.\nexit 0\n"
    own_hook(repo, "pre-push", copied)
    assert states(repo)["post-merge"] == states(repo)["pre-push"] == "outdated"
    assert [each.outcome for each in install.install(repo, ["post-merge", "pre-push"])] == ["updated", "updated"]
    assert states(repo)["pre-push"] == "installed"


def test_a_link_is_a_users_hook(repo: GitRepo, tmp_path: Path) -> None:
    """A link, even one that leads nowhere, is moved as a link and comes back as one."""
    path = install.folder(repo) / "pre-push"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(tmp_path / "nowhere")
    assert states(repo)["pre-push"] == "foreign"
    install.install(repo, ["pre-push"], chain=True)
    install.remove(repo)
    assert path.readlink() == tmp_path / "nowhere"


def test_where_git_looks(repo: GitRepo, git: Callable[..., str], tmp_path: Path) -> None:
    """A worktree shares the repository's hooks; core.hooksPath moves them, relative to the working tree's top."""
    git("commit", "--allow-empty", "-m", "one")
    git("worktree", "add", "--quiet", str(tmp_path / "other"))
    other = GitRepo(tmp_path / "other")
    install.install(other, ["post-commit"])
    assert states(repo)["post-commit"] == "installed"
    git("config", "core.hooksPath", ".githooks")
    assert states(GitRepo(repo.gitdir))["post-commit"] == "absent"
    install.install(GitRepo(repo.gitdir), ["post-commit"])
    assert (repo.workdir / ".githooks" / "post-commit").exists()  # type: ignore[operator]
    git("config", "core.hooksPath", str(tmp_path / "all"))
    (made,) = install.install(GitRepo(repo.gitdir), ["pre-push"])
    assert made.path == str(tmp_path / "all" / "pre-push")


def test_what_cannot_be(repo: GitRepo) -> None:
    """Unknown names and a folder that is none are refused in one line."""
    with pytest.raises(Invalid, match="no hook 'post-comit'; it is one of post-commit"):
        install.install(repo, ["post-comit"])
    where = install.folder(repo)
    for each in where.iterdir() if where.exists() else ():
        each.unlink()
    if where.exists():
        where.rmdir()
    where.write_text("in the way")
    with pytest.raises(StorageError, match="cannot write to"):
        install.install(repo, ["post-commit"])


def test_every_script_ships(tmp_path: Path) -> None:
    """The scripts are found in a checkout, and a wheel carries each of them, byte for byte and found from there."""
    top = PACKAGE / "hooks"
    assert {path.name for path in top.iterdir()} == set(install.NAMES)
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(PACKAGE)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "unpacked")
    code = (
        "import sys; from gitlineage.bridge.hooks import install\n"
        "for name in install.NAMES: sys.stdout.buffer.write(install.script(name))"
    )
    unpacked = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "unpacked")},
        capture_output=True,
        check=False,
    )
    assert unpacked.stdout == b"".join((top / name).read_bytes() for name in install.NAMES), unpacked.stderr
    for name in install.NAMES:
        assert install.script(name) == (top / name).read_bytes()


def test_on_the_command_line(folder: Path) -> None:
    """Install, list and remove as commands; refusals are one line that says how to go on."""
    init_repository(folder)
    shell, repo = Shell(folder), GitRepo(folder)
    own_hook(repo)
    assert "--chain keeps it as post-commit.user" in shell.fails(1, "hooks", "install")
    assert "chained" in shell("hooks", "install", "post-commit", "--chain")
    (made,) = shell.objects("hooks", "install", "pre-push")
    assert (made["name"], made["outcome"]) == ("pre-push", "installed")
    found = {each["name"]: each for each in shell.objects("hooks", "list")}
    assert found["post-commit"]["state"] == "installed"
    assert found["post-commit"]["user"].endswith("post-commit.user")
    assert found["post-merge"]["state"] == "absent"
    assert "post-commit.user" in shell("hooks", "list", "post-commit")
    assert GitRepo(folder).config("lineage.writer"), "hooks do nothing without a writer"
    assert "yours is back" in shell("hooks", "remove")
    assert "'x' is none of post-commit" in shell.fails(2, "hooks", "list", "x")
    assert "--force" in shell.fails(2, "hooks", "install", "--chain", "--force")
    assert "'x' is none of" in shell.fails(2, "hook", "x")
