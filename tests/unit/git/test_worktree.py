"""Folders become trees as ``git add -A`` would make them, and nothing of the user's is touched."""

import os
import stat
from pathlib import Path

import pytest

from gitlineage import GitFailed, Invalid, InvalidContent, Trial
from gitlineage.git.content import Content, read_files
from gitlineage.git.repository import GitRepo


def fill(folder: Path, files: dict[str, str]) -> None:
    """Write some files below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


@pytest.fixture
def content(store, folder) -> Content:
    """What writes content into the test's repository, freshly opened, so that it knows its configuration."""
    assert store.ledger.repo.workdir
    return Content(GitRepo(folder))


def reference(git, folder: Path, prefix: str = "") -> str:
    """The tree that git itself makes of the working tree, with an index of its own."""
    index = {"GIT_INDEX_FILE": str(folder / ".git" / "reference-index")}
    git("add", "-A", env=index)
    tree = git("write-tree", *([f"--prefix={prefix}"] if prefix else []), env=index)
    (folder / ".git" / "reference-index").unlink()
    return tree


def listing(git, tree: str) -> dict[str, str]:
    """Path and mode of every file of a tree, as git says."""
    lines = filter(None, git("ls-tree", "-r", "-z", tree).split("\0"))
    return {line.split("\t", 1)[1]: line.split(" ", 1)[0] for line in lines}


def users_state(folder: Path) -> dict[str, bytes]:
    """The bytes of all that belongs to the user: index, HEAD, branches, tags, logs, configuration and files."""
    mine = ("objects", "lineage", "refs/notes", "refs/lineage", "logs/refs/notes", "logs/refs/lineage")
    kept = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(name.startswith(f".git/{each}") for each in mine):
            kept[name] = path.read_bytes() + str((path.stat().st_mtime_ns, path.stat().st_mode)).encode()
    return kept


# -- what git add -A sees ----------------------------------------------------------------------------------


def test_the_working_tree_is_what_git_add_would_make_of_it(content, git, folder):
    """Ignore rules, executable bits, symlinks, strange names and nested folders are git's own."""
    fill(
        folder,
        {
            ".gitignore": "*.log\n/build/\n!keep.log\n",
            "a.log": "x",
            "keep.log": "x",
            "build/out": "x",
            "deep/.gitignore": "secret\n",
            "deep/secret": "x",
            "deep/er/file": "x",
            "sp ace\ttab é": "x",
            "run.sh": "#!/bin/sh\n",
            "empty": "",
        },
    )
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "exclude").write_text("excluded\n")
    fill(folder, {"excluded": "x"})
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("deep/er/file")
    (folder / "dangling").symlink_to("/nowhere/at all")
    (folder / "hollow").mkdir()
    tree = content.from_folder(folder).tree
    assert tree == reference(git, folder)
    modes = listing(git, tree)
    assert modes["run.sh"] == "100755"
    assert modes["link"] == modes["dangling"] == "120000"
    assert set(modes) == {
        ".gitignore",
        "keep.log",
        "deep/.gitignore",
        "deep/er/file",
        "sp ace\ttab é",
        "run.sh",
        "empty",
        "link",
        "dangling",
    }


def test_names_that_are_not_utf8_go_in_and_come_out(content, folder, git):
    """A file name is bytes to git, and stays so."""
    with open(os.fsencode(folder) + b"/caf\xe9", "wb") as file:
        file.write(b"x")
    tree = content.from_folder(folder).tree
    assert tree == reference(git, folder)
    assert read_files(GitRepo(folder), tree) == {"caf\udce9": b"x"}


def test_tracked_files_stay_in_although_a_rule_ignores_them(content, git, folder):
    """What the user's index tracks is content, as for git."""
    fill(folder, {"model.bin": "1", ".gitignore": "*.bin\n", "other.bin": "1"})
    git("add", "-f", "model.bin")
    fill(folder, {"model.bin": "2"})
    tree = content.from_folder(folder).tree
    assert set(listing(git, tree)) == {"model.bin", ".gitignore"}
    assert git("cat-file", "-p", f"{tree}:model.bin") == "2"


def test_deleted_and_renamed_files_are_gone(content, git, folder):
    """The tree is what is there now, not what the index remembers."""
    fill(folder, {"a": "1", "b": "2"})
    git("add", "-A")
    git("commit", "-q", "-m", "x")
    (folder / "a").rename(folder / "c")
    (folder / "b").unlink()
    assert set(listing(git, content.from_folder(folder).tree)) == {"c"}


def test_a_clean_filter_runs_and_line_ends_are_normalised(content, git, folder):
    """Attributes are honoured: a filter such as LFS, and eol conversion."""
    git("config", "filter.fake.clean", "sed s/real/pointer/")
    git("config", "filter.fake.smudge", "sed s/pointer/real/")
    git("config", "filter.fake.required", "true")
    fill(
        folder, {".gitattributes": "*.bin filter=fake\n*.txt text\n", "m.bin": "real weights\n", "t.txt": "a\r\nb\r\n"}
    )
    tree = content.from_folder(folder).tree
    files = read_files(GitRepo(folder), tree)
    assert files["m.bin"] == b"pointer weights\n"
    assert files["t.txt"] == b"a\nb\n"
    assert tree == reference(git, folder)
    assert (folder / "m.bin").read_text() == "real weights\n"


def test_a_filter_that_fails_is_an_error_and_records_nothing(store, git, folder):
    """A required filter that breaks stops the commit with git's own words."""
    git("config", "filter.fake.clean", "false")
    git("config", "filter.fake.required", "true")
    fill(folder, {".gitattributes": "*.bin filter=fake\n", "m.bin": "x"})
    with pytest.raises(GitFailed, match="filter"):
        store.commit(None)
    assert git("for-each-ref") == ""


# -- the user's things -------------------------------------------------------------------------------------


def test_nothing_of_the_user_is_touched(store, git, folder):
    """Index, HEAD, branches, files, configuration: every byte and every time is as before."""
    fill(folder, {"a": "1", "sub/b": "2", ".gitignore": "*.log\n"})
    git("add", "a", ".gitignore")
    git("commit", "-q", "-m", "one")
    git("branch", "side")
    git("tag", "v1")
    fill(folder, {"a": "staged"})
    git("add", "a")
    fill(folder, {"a": "and changed", "new": "x", "x.log": "x"})
    status = git("status", "--porcelain=v2", "--branch")
    before = users_state(folder)
    store.commit(None, ["HEAD"])
    store.commit(folder / "sub", ["HEAD"])
    store.commit({"z": b"1"}, ["HEAD"])
    store.commit("HEAD", ["HEAD"])
    assert users_state(folder) == before
    assert git("status", "--porcelain=v2", "--branch") == status


def test_a_merge_in_conflict_is_taken_as_it_lies_there_and_left_so(store, git, folder):
    """The working tree's bytes are the content; the conflict stays the user's, below a subfolder too."""
    fill(folder, {"f": "1\n", "sub/g": "1\n"})
    git("add", "-A")
    git("commit", "-q", "-m", "base")
    git("checkout", "-q", "-b", "side")
    fill(folder, {"f": "2\n"})
    git("commit", "-q", "-am", "side")
    git("checkout", "-q", "-")
    fill(folder, {"f": "3\n"})
    git("commit", "-q", "-am", "main")
    with pytest.raises(AssertionError, match="merge"):
        git("merge", "-q", "side")
    conflicted = (folder / "f").read_bytes()
    assert b"<<<<<<<" in conflicted
    before = users_state(folder)
    assert store.files(store.commit(None)) == {"f": conflicted, "sub/g": b"1\n"}
    assert store.files(store.commit(folder / "sub")) == {"g": b"1\n"}
    assert users_state(folder) == before


def test_hooks_of_the_user_do_not_run(store, git, folder):
    """Recording is not committing: no hook of the repository is called, not even for the temporary index."""
    hooks = folder / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-commit", "post-commit", "post-index-change", "reference-transaction", "commit-msg"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {folder}/ran-{name}\n")
        (hooks / name).chmod(0o755)
    fill(folder, {"a": "1"})
    store.commit(None)
    assert sorted(path.name for path in folder.glob("ran-*")) == []


def test_an_environment_that_points_elsewhere_is_ignored(store, folder, monkeypatch, tmp_path):
    """GIT_DIR and friends, as a hook sets them, do not lead the snapshot to another repository."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    fill(folder, {"a": "1"})
    assert store.files(store.commit(None)) == {"a": b"1"}
    assert not (tmp_path / "index").exists()


# -- folders -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sub", "[x]", ":(top)", "a*", "-n", "sp ace", "é", ":!x", "\\w"])
def test_a_subfolder_is_a_tree_of_its_own_under_the_outer_rules(content, git, folder, name):
    """Only the folder's files, paths relative to it, the ignore rules of the top in force; names are no patterns."""
    fill(folder, {".gitignore": "*.log\n", "top": "1", f"{name}/f": "1", f"{name}/x.log": "1", f"{name}/deep/g": "2"})
    fill(folder, {"abc/other": "1"})
    assert set(listing(git, content.from_folder(folder / name).tree)) == {"f", "deep/g"}


def test_an_empty_subfolder_is_the_empty_tree(content, folder):
    """A folder without files is content too."""
    (folder / "hollow").mkdir()
    assert content.from_folder(folder / "hollow").tree == GitRepo(folder).empty_tree()


def test_a_folder_outside_has_its_own_rules_only(content, git, folder, tmp_path):
    """Outside of the working tree, the rules inside the folder hold; file modes and links are kept."""
    fill(folder, {".gitignore": "*\n"})
    outside = tmp_path / "recipe"
    fill(outside, {"train.py": "1", "x.log": "1", ".gitignore": "*.log\n", "sub/y": "2"})
    (outside / "train.py").chmod(0o755)
    (outside / "link").symlink_to("train.py")
    modes = listing(git, content.from_folder(outside).tree)
    assert modes == {".gitignore": "100644", "train.py": "100755", "sub/y": "100644", "link": "120000"}


def test_an_ignored_folder_that_is_asked_for_is_taken(content, git, folder):
    """Run outputs are often ignored; naming the folder says that it is wanted."""
    fill(folder, {".gitignore": "/runs/\n", "runs/1/train.py": "1", "runs/1/a.log": "1"})
    assert set(listing(git, content.from_folder(folder / "runs" / "1").tree)) == {"train.py", "a.log"}


def test_a_link_to_a_folder_is_followed_when_it_is_the_folder_asked_for(content, git, folder, tmp_path):
    """The argument itself may be a link; links inside stay links."""
    fill(tmp_path / "recipe", {"a": "1"})
    (folder / "link").symlink_to(tmp_path / "recipe")
    assert set(listing(git, content.from_folder(folder / "link").tree)) == {"a"}


@pytest.mark.parametrize("missing", ["nowhere", "file"])
def test_no_folder_is_an_error(content, folder, missing):
    """A path that is no folder is refused by name."""
    fill(folder, {"file": "1"})
    with pytest.raises(InvalidContent, match=missing):
        content.from_folder(folder / missing)


def test_a_bare_repository_takes_folders_from_anywhere(git, tmp_path):
    """Without a working tree, a folder is content all the same."""
    git("init", "-q", "--bare", str(tmp_path / "bare.git"), cwd=tmp_path)
    fill(tmp_path / "recipe", {"a": "1", "run": "x"})
    (tmp_path / "recipe" / "run").chmod(0o755)
    repo = GitRepo(tmp_path / "bare.git")
    tree = Content(repo).from_folder(tmp_path / "recipe").tree
    assert git("ls-tree", "--name-only", tree, cwd=tmp_path / "bare.git") == "a\nrun"


# -- sizes -------------------------------------------------------------------------------------------------


def object_count(git) -> str:
    """How many objects a repository has."""
    return git("count-objects").split()[0]


def test_a_file_over_the_limit_is_refused_with_name_and_size(store, git, folder):
    """From the working tree, a mapping and a revision; nothing is recorded, the large file not even copied."""
    git("config", "lineage.maxFileSize", "1k")
    fill(folder, {"ok": "x" * 1024, "sub/large.bin": "x" * 1025})
    before = object_count(git)
    with pytest.raises(InvalidContent, match=r"sub/large\.bin.*1,025 bytes.*1,024"):
        store.commit(None)
    assert int(object_count(git)) <= int(before) + 2
    with pytest.raises(InvalidContent, match="1,025"):
        store.commit({"m": b"x" * 1025})
    git("add", "-A")
    git("commit", "-q", "-m", "large")
    with pytest.raises(InvalidContent, match="large"):
        store.commit("HEAD")
    with pytest.raises(InvalidContent, match="large"):
        store.commit(None)
    (folder / "sub" / "large.bin").unlink()
    assert set(store.files(store.commit(None))) == {"ok"}
    store.record("HEAD", Trial(exp_id="a", status="keep"))
    assert store.snapshot("a").recorded


@pytest.mark.parametrize(("text", "limit"), [("10", 10), ("2k", 2048), ("1M", 1 << 20), (" 3g ", 3 << 30)])
def test_the_limit_is_spelled_as_git_spells_sizes(git, store, folder, text, limit):
    """k, m and g, as in git's own configuration."""
    git("config", "lineage.maxFileSize", text)
    assert Content(GitRepo(folder)).limit == limit
    assert Content(GitRepo(folder), 7).limit == 7


@pytest.mark.parametrize("text", ["", "lots", "-1", "1.5k", "5 kb"])
def test_a_limit_that_is_none_is_an_error(git, store, folder, text):
    """A typo in the configuration is not taken for no limit."""
    git("config", "lineage.maxFileSize", text)
    fill(folder, {"f": "1" * 5000})
    for made in (lambda: Content(GitRepo(folder)).from_folder(folder), lambda: store.commit({"f": b"1" * 5000})):
        with pytest.raises(Invalid, match="maxFileSize"):
            made()


def test_a_large_file_that_a_filter_shrinks_is_taken(store, git, folder):
    """LFS keeps the weights elsewhere; what counts is what would be stored."""
    git("config", "lineage.maxFileSize", "1k")
    git("config", "filter.fake.clean", "head -c 20")
    fill(folder, {".gitattributes": "*.bin filter=fake\n", "m.bin": "x" * 100_000})
    assert store.files(store.commit(None))["m.bin"] == b"x" * 20
    git("config", "filter.fake.clean", "cat")
    fill(folder, {"m.bin": "y" * 100_000})
    with pytest.raises(InvalidContent, match=r"m\.bin"):
        store.commit(None)


# -- mappings ----------------------------------------------------------------------------------------------


def test_a_mapping_is_written_as_git_sorts_it(content, git):
    """Folders, prefixes and empty files come out as git mktree would have them."""
    files = {"a/b": b"1", "a.b": b"2", "a-b": b"3", "a/c/d": b"", "ab": b"\0\xff", "é/ü": b"x"}
    tree = content.from_mapping(files)
    assert read_files(content._repo, tree) == files
    assert git("mktree", data=git("ls-tree", tree) + "\n") == tree
    git("fsck", "--strict", "--no-dangling")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "..",
        "../x",
        "a/../b",
        "a/..",
        "./a",
        "a//b",
        "a/",
        ".",
        "a/./b",
        "C:/x",
        "C:\\x",
        "\\\\host\\x",
        "\\x",
        "a\0b",
        ".git",
        ".git/hooks/post-commit",
        "a/.git/config",
        ".GIT",
        ".Git/x",
        "git~1",
        "GIT~1/x",
        ".git ",
        ".git.",
        ".git. .",
        ".g\u200cit",
        "\ufeff.git",
        ".git::$INDEX_ALLOCATION",
        "a\\..\\b",
        "x\\.git\\config",
        "..\\..\\x",
    ],
)
def test_a_path_that_leads_out_or_names_git_is_refused(store, git, path):
    """Escapes of every file system: absolute, dots, git's folder in any disguise, backslashes."""
    with pytest.raises(InvalidContent):
        store.commit({"fine": b"1", path: b"1"})
    assert store.leaves() == ()


@pytest.mark.parametrize(
    "path", ["...", "a..b", ".gitignore", ".gitx/y", "git", "a.git/x", "..a", "gîté", "a:b", "-", "~"]
)
def test_a_path_that_only_looks_so_is_taken(content, git, path):
    """Names that are near a forbidden one are ordinary, for us and for git."""
    tree = content.from_mapping({path: b"1"})
    assert list(listing(git, tree)) == [path]
    git("fsck", "--strict", "--no-dangling")


@pytest.mark.parametrize("paths", [["a", "a/b"], ["a/b", "a"], ["a/b/c", "a/b"], ["a", "a/b/c"]])
def test_a_file_and_a_folder_by_one_name_are_refused(content, paths):
    """A path cannot be both, in whichever order they come."""
    with pytest.raises(InvalidContent):
        content.from_mapping(dict.fromkeys(paths, b"1"))


@pytest.mark.parametrize("data", ["text", None, 5, bytearray(b"x")])
def test_content_that_is_not_bytes_is_refused(content, data):
    """A mapping holds bytes."""
    with pytest.raises(InvalidContent, match="bytes"):
        content.from_mapping({"a": data})


def test_an_escape_in_a_tree_that_git_plumbing_made_is_refused(store, git):
    """A revision's tree is checked like everything else."""
    blob = git("hash-object", "-w", "--stdin", data="x")
    raw = b"100644 ..\0" + bytes.fromhex(blob)
    tree = git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", data=raw)
    with pytest.raises(InvalidContent, match=r"\.\."):
        store.commit(tree)


def test_content_may_be_any_revision_or_id(store, git, folder):
    """A commit, a tree, a tag, an exp id, a folder's path: each gives its tree."""
    first = store.commit({"f": b"1"}, trial=Trial(exp_id="a", status="keep"))
    git("tag", "-a", "-m", "x", "v1", first.oid)
    fill(folder, {"sub/f": "1"})
    for name in (first.oid, first.tree, "a", "exp_a", "v1", "best", first.oid[:9], str(folder / "sub"), folder / "sub"):
        assert store.commit(name).tree == first.tree, name
    with pytest.raises(InvalidContent, match="nothing-here"):
        store.commit("nothing-here")


def test_a_file_that_cannot_be_read_is_an_error(store, git, folder):
    """A socket or a file that vanishes is git's error, in one of ours; nothing is recorded."""
    os.mkfifo(folder / "pipe")
    fill(folder, {"a": "1"})
    assert set(store.files(store.commit(None))) == {"a"}
    assert stat.S_ISFIFO(os.stat(folder / "pipe").st_mode)


@pytest.mark.parametrize("name", ["prefix-tuning", "nested"])
def test_a_repository_without_a_commit_inside_is_named(content, git, folder, name):
    """Git cannot add one, whatever it is called; nothing is recorded as empty instead."""
    fill(folder, {"train.py": "lr = 1\n", f"below/{name}/x": "x"})
    git("init", "--quiet", f"below/{name}")
    for where in (folder, folder / "below"):
        with pytest.raises(InvalidContent, match=f"below/{name}.*without a commit"):
            content.from_folder(where)
