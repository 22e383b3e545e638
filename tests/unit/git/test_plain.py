"""What the files of an ordinary repository say without libgit2 is what git says, or nothing is said."""

import subprocess
import sys
from pathlib import Path

import pygit2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage.git import plain
from gitlineage.git.repository import GitRepo


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty home, so that nothing but what a test writes is configured."""
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return path


@pytest.fixture
def made(git, folder, home) -> str:
    """A repository with a commit on main, and its oid."""
    folder.mkdir()
    git("init", "-q", "-b", "main")
    git("commit", "-q", "--allow-empty", "-m", "one")
    return git("rev-parse", "HEAD").strip()


def refs_of(git, prefix: str) -> dict[str, str]:
    """The refs below a prefix as git lists them."""
    lines = git("for-each-ref", "--format=%(refname) %(objectname)", prefix).splitlines()
    return dict(line.split(" ") for line in lines)


def test_a_question_to_the_files_loads_no_libgit2(git, folder, made):
    """Where a repository is ordinary, its place, configuration and refs are read and libgit2 is not even imported."""
    code = (
        "import sys\nfrom gitlineage.git.repository import GitRepo\nrepo = GitRepo(sys.argv[1])\n"
        "print(repo.refs('refs/heads/'), repo.config('core.bare'), repo.flag('core.bare'), 'pygit2' in sys.modules)\n"
        "print(repo.commit(repo.ref('refs/heads/main')).message, 'pygit2' in sys.modules)\n"
        "print(repo.resolve('main'), 'pygit2' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True).stdout
    assert said == f"{{'refs/heads/main': '{made}'}} false False False\none\n False\n{made} True\n"


def test_refs_are_those_that_git_lists(git, folder, made):
    """Loose ones, packed ones, ones that are both, nested ones and tags, from a linked working tree, too."""
    second = git("commit-tree", "-p", made, "-m", "two", f"{made}^{{tree}}").strip()
    git("update-ref", "refs/notes/lineage/a", made)
    git("update-ref", "refs/notes/lineage/deep/b", made)
    git("tag", "-a", "-m", "told", "v1")
    git("pack-refs", "--all")
    git("update-ref", "refs/notes/lineage/a", second)  # packed as made, loose as second
    git("update-ref", "refs/notes/lineage/new+x@y", second)
    git("worktree", "add", "-q", "--detach", str(folder.parent / "other"))
    for where in (folder, folder / ".git", folder.parent / "other"):
        repo = GitRepo(where)
        assert repo.refs("refs/notes/lineage/") == refs_of(git, "refs/notes/lineage/")
        assert repo.refs("refs/") == refs_of(git, "refs/")
        assert repo.refs("refs/none/") == {}
        for name, oid in refs_of(git, "refs/").items():
            assert repo.ref(name) == oid
        assert repo.ref("refs/notes/lineage/none") is None
        assert repo.ref("refs/notes/lineage") is None  # a folder
        assert repo.ref("refs/heads/main/below") is None  # below a file
        assert "_repo" not in vars(repo), "libgit2 was asked"


@pytest.mark.parametrize("name", ["HEAD", "refs/heads/sym", "refs/bisect/bad", "refs/heads/a..b", "refs/heads/x.lock"])
def test_odd_refs_are_left_to_libgit2(git, folder, made, name):
    """A symbolic ref, one that each working tree has for itself and what is no name are not read from files."""
    git("symbolic-ref", "refs/heads/sym", "refs/heads/main")
    git("update-ref", "refs/bisect/bad", made)
    assert plain.ref(str(folder / ".git"), name) is None
    known = {"HEAD": made, "refs/heads/sym": made, "refs/bisect/bad": made}
    assert GitRepo(folder).ref(name) == known.get(name)


def test_a_ref_that_is_packed_while_it_is_read_is_found(git, folder, made):
    """Readers beside `git pack-refs` and moves never see a ref gone, nor an older place of it."""
    tips = [made]
    for count in range(30):
        tips.append(git("commit-tree", "-p", tips[-1], "-m", str(count), f"{made}^{{tree}}").strip())
    script = "".join(f"git update-ref refs/notes/x {tip}\ngit pack-refs --all\n" for tip in tips[1:])
    git("update-ref", "refs/notes/x", made)
    child = subprocess.Popen(["sh", "-c", script], cwd=folder)
    seen, looks = 0, 0
    while child.poll() is None:
        repo = GitRepo(folder)
        for found in (repo.ref("refs/notes/x"), repo.refs("refs/notes/")["refs/notes/x"]):
            assert found in tips[seen:]
            seen = tips.index(found, seen)
        looks += 1
    assert child.returncode == 0 and looks


@pytest.mark.parametrize(
    "text",
    [
        "[include]\n\tpath = more\n",
        '[includeIf "gitdir:~/"]\n\tpath = more\n',
        "[extensions]\n\tworktreeConfig = true\n",
        "[core]\n\trepositoryformatversion = 1\n",
        "[alias] one = two\n",
        "[alias]\n\tone = two \\\n three\n",
        "[lineage.old]\n\tkey = value\n",
        "\ufeff[lineage]\n\tkey = value\n",
    ],
)
def test_what_leads_elsewhere_is_left_to_libgit2(git, folder, made, text):
    """Includes, extensions, other formats and odd lines make the whole repository libgit2's."""
    with (folder / ".git" / "config").open("a") as file:
        file.write(text)
    assert plain.find(folder) is None


VALUES = st.text('abc XYZ019/.-=:~^!#;"\\\t%é', max_size=12).map(str.strip)
WORDS = st.sampled_from(["true", "false", "yes", "No", "ON", "off", "0", "1"])


@settings(max_examples=60, deadline=None)
@given(entries=st.lists(st.tuples(st.sampled_from(["key", "Key", "flag"]), VALUES | WORDS), max_size=4))
def test_values_are_git_s(tmp_path_factory, entries):
    """A value that is told at all is git's, the last one and all of them; an odd one is left to libgit2."""
    folder = tmp_path_factory.mktemp("values")
    pygit2.init_repository(str(folder))
    config = folder / ".git" / "config"
    before = config.read_text()
    config.write_text(before + '[lineage "Sub"]\n' + "".join(f"\t{key} = {value}\n" for key, value in entries))

    def git(*words: str) -> tuple[int, list[str]]:
        command = ["git", "config", "-z", "--file", str(config), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.split("\0")[:-1]

    found = plain.Settings(str(folder / ".git"))
    for key in ("lineage.Sub.key", "LINEAGE.Sub.KEY", "lineage.sub.key", "lineage.Sub.flag"):
        values = found.get(key)
        status, told = git("--get-all", key)
        if status and not told and values is not None:  # git refuses the whole file, or has no such key
            assert values == []
        elif values is not None:
            assert values == told
            flag = found.flag(key)
            assert flag is None or pygit2.Config(str(config)).get_bool(key) is flag
        else:
            assert status or any(sign in value for _, value in entries for sign in '#;"\\\t')


def test_a_configuration_is_read_anew_when_a_file_changes(git, folder, made, home):
    """The repository's file comes before the user's, and both may change meanwhile."""
    repo = GitRepo(folder)
    assert repo.config("lineage.run") is None
    (home / ".gitconfig").write_text("[lineage]\n\trun = user\n")
    assert repo.config("lineage.run") == "user"
    git("config", "lineage.run", "own")
    assert repo.config("lineage.run") == "own"
    git("config", "--add", "lineage.run", "more")
    assert repo.configs("lineage.run")[-2:] == ["own", "more"]
    git("config", "--unset-all", "lineage.run")
    assert repo.config("lineage.run") == "user" and "_repo" not in vars(repo)


def test_where_a_repository_is(git, folder, made, tmp_path, home):
    """From below, from the git directory, in a linked working tree and a bare one, it is where libgit2 says."""
    (folder / "a" / "b").mkdir(parents=True)
    git("worktree", "add", "-q", "--detach", str(tmp_path / "other"))
    git("clone", "-q", "--bare", str(folder), str(tmp_path / "bare"))
    (tmp_path / "link").symlink_to(folder)
    for path in (folder, folder / "a" / "b", folder / ".git", tmp_path / "other", tmp_path / "bare", tmp_path / "link"):
        found = plain.find(path)
        assert found is not None
        assert found.gitdir + "/" == pygit2.discover_repository(str(path))
        assert GitRepo(path).gitdir == Path(pygit2.Repository(str(path)).path)
    for path in (folder, folder / "a" / "b", tmp_path / "other", tmp_path / "link"):
        assert plain.find(path).top == git("rev-parse", "--show-toplevel", cwd=path)
    assert plain.find(folder / ".git").top is None and plain.find(tmp_path / "bare").top is None
    (folder / "file").touch()
    assert plain.find(folder / "file") is plain.find(folder / "none") is None
    for key, value in (("core.worktree", str(tmp_path)), ("core.bare", "true")):
        git("config", key, value)
        assert plain.find(folder).top is None
        git("config", "--unset", key)


@pytest.mark.parametrize("broken", ["HEAD", "objects", "refs"])
def test_half_a_repository_is_none(git, folder, made, broken):
    """What lacks a part is left to libgit2, which says that it is none."""
    (folder / ".git" / broken).rename(folder / ".git" / "aside")
    assert plain.find(folder) is None


def test_another_owner_s_repository_is_left_to_libgit2(folder, made, monkeypatch):
    """A folder of somebody else's is not read without libgit2's word on it, which knows what git calls safe."""
    import os

    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert plain.find(folder) is None


@pytest.mark.parametrize("value", ['"open', "back\\slash", "end\\", "a \\x b"])
def test_a_broken_value_is_left_to_libgit2(folder, git, made, value):
    """Where git refuses the whole file, so does libgit2, and nothing of it is told."""
    with (folder / ".git" / "config").open("a") as file:
        file.write(f"[lineage]\n\trun = {value}\n")
    assert plain.find(folder) is None
