"""gitlineage.query.diff: a recipe edit is what ``git diff`` shows, between commits and between folders."""

import os
from pathlib import Path

import pytest

from gitlineage import GitFailed, Invalid, InvalidContent, RecipeEdit, Trial
from gitlineage.query.diff import diff_folders, diff_trees

LONG = "".join(f"line {at}\n" for at in range(40))
OLD = {
    "same": "1\n",
    "gone": "x\n",
    "moved": LONG,
    "text": "a\nb\nc\n",
    "tail": "a\nb",
    "bin": "\0\1\2",
    "crlf": "a\r\nb\r\n",
    "sp ace": "1\n",
    "é": "1\n",
    "sub/deep": "1\n",
    "empty": "",
    "becomes-folder": "x\n",
}
NEW = {
    "same": "1\n",
    "new": "y\n",
    "sub/moved": LONG + "one more\n",
    "text": "a\nB\nc\n",
    "tail": "a\nb\n",
    "bin": "\0\1\3",
    "crlf": "a\nb\n",
    "sp ace": "2\n",
    "é": "2\n",
    "sub/deep": "1\n",
    "empty": "now\n",
    "becomes-folder/x": "x\n",
}


def fill(folder: Path, files: dict[str, str]) -> Path:
    """Write some files below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return folder


@pytest.fixture
def pair(store, tmp_path) -> tuple[str, str]:
    """Two snapshots with every kind of change between them."""
    old, new = fill(tmp_path / "old", OLD), fill(tmp_path / "new", NEW)
    (old / "run").write_text("x")
    (new / "run").write_text("x")
    (new / "run").chmod(0o755)
    (old / "link").symlink_to("same")
    (new / "link").symlink_to("text")
    (old / "turns").write_text("same")
    (new / "turns").symlink_to("same")
    first = store.commit(old, trial=Trial(exp_id="a", status="keep"))
    second = store.commit(new, ["a"], trial=Trial(exp_id="b", status="keep"))
    return first.oid, second.oid


def test_the_patch_is_gits(store, pair, git):
    """Adds, deletes, renames, modes, binaries, links, line ends, missing final newlines: byte for byte ``git diff``."""
    ours = store.recipe_edit("b").diff()
    assert ours == git("diff", *pair) + "\n"
    assert isinstance(ours, str)
    for sign in (
        "rename from moved",
        "new mode 100755",
        "Binary files",
        "\\ No newline at end of file",
        "deleted file",
        "new file",
    ):
        assert sign in ours


def test_the_summary_is_gits(store, pair, git):
    """--stat too."""
    assert store.recipe_edit("b").diff(stat=True) == git("diff", "--stat=80", *pair) + "\n"


def test_a_patch_can_be_applied(store, pair, git, tmp_path):
    """What is shown is enough to make the child from its parent, binaries apart."""
    first = store.commit({"a": b"1\n", "b": LONG.encode(), "t": b"x"}, trial=Trial(exp_id="p", status="keep"))
    store.commit({"a": b"2\n", "c": LONG.encode(), "t": b"x\n"}, ["p"], trial=Trial(exp_id="q", status="keep"))
    index = {"GIT_INDEX_FILE": str(tmp_path / "index")}
    git("read-tree", first.oid, env=index)
    git("apply", "--cached", data=store.recipe_edit("q").diff(), env=index)
    assert git("write-tree", env=index) == store.snapshot("q").tree


@pytest.mark.parametrize(
    "key",
    [
        "diff.noprefix",
        "diff.mnemonicPrefix",
        "color.ui",
        "core.quotePath",
        "diff.external",
        "diff.renames",
        "diff.algorithm",
        "core.pager",
        "diff.ignoreSubmodules",
        "diff.context",
    ],
)
def test_the_users_taste_does_not_change_it(store, pair, git, key):
    """The same bytes on every machine, whatever git is configured to show."""
    before = store.recipe_edit("b").diff(), store.recipe_edit("b").diff(stat=True)
    values = {"color.ui": "always", "diff.external": "false", "core.quotePath": "true", "diff.renames": "false"}
    values |= {"diff.algorithm": "patience", "core.pager": "false", "diff.ignoreSubmodules": "all", "diff.context": "3"}
    git("config", key, values.get(key, "true"))
    assert (store.recipe_edit("b").diff(), store.recipe_edit("b").diff(stat=True)) == before


def test_an_attribute_with_a_driver_does_not_run_a_program(store, git, folder, tmp_path):
    """A textconv or external driver of the repository is not asked."""
    git("config", "diff.spy.textconv", f"touch {tmp_path}/ran; cat")
    git("config", "diff.spy.command", f"touch {tmp_path}/ran")
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "attributes").write_text("* diff=spy\n")
    store.commit({"f": b"1\n"}, trial=Trial(exp_id="a", status="keep"))
    store.commit({"f": b"2\n"}, ["a"], trial=Trial(exp_id="b", status="keep"))
    assert "-1\n+2\n" in store.recipe_edit("b").diff()
    assert not (tmp_path / "ran").exists()


def test_a_root_changed_nothing_and_equal_trees_show_nothing(store):
    """No parent, no diff; the same content, no diff."""
    store.commit({"f": b"1"}, trial=Trial(exp_id="a", status="keep"))
    store.commit({"f": b"1"}, ["a"], trial=Trial(exp_id="b", status="keep"))
    assert (
        store.recipe_edit("a").diff() == store.recipe_edit("b").diff() == store.recipe_edit("b").diff(stat=True) == ""
    )
    assert store.recipe_edit("b").trial.exp_id == "b"


def test_any_parent_can_be_the_left_side(store, git):
    """The first by default, the others by number; there is no further one."""
    a = store.commit({"f": b"a\n"}, trial=Trial(exp_id="a", status="keep"))
    b = store.commit({"f": b"b\n"}, trial=Trial(exp_id="b", status="keep"))
    c = store.commit({"f": b"c\n"}, ["a", "b"], trial=Trial(exp_id="c", status="keep"))
    assert store.recipe_edit("c").diff() == git("diff", a.oid, c.oid) + "\n"
    assert store.recipe_edit("c", 1).diff() == git("diff", b.oid, c.oid) + "\n"
    for parent in (2, -1, -2):
        with pytest.raises(Invalid, match="parent"):
            store.recipe_edit("c", parent)
    with pytest.raises(Invalid):
        store.recipe_edit("a", 1)


def test_between_any_two_snapshots(store, pair, tmp_path):
    """Commits and trees, in both directions."""
    there, back = diff_trees(store.ledger.repo, *pair), diff_trees(store.ledger.repo, *reversed(pair))
    assert there != back
    trees = [store.snapshot(oid).tree for oid in pair]
    assert diff_trees(store.ledger.repo, *trees) == there
    with pytest.raises(GitFailed):
        diff_trees(store.ledger.repo, "ab" * 20, trees[0])
    with pytest.raises(GitFailed):
        diff_trees(store.ledger.repo, f"--output={tmp_path}/written", trees[0])
    assert not (tmp_path / "written").exists()


def test_two_folders_differ_as_two_commits_do(store, pair, tmp_path):
    """The same edit, of folders that are in no repository."""
    expected = store.recipe_edit("b").diff()
    assert diff_folders(tmp_path / "old", tmp_path / "new") == expected.encode()
    edit = RecipeEdit(None, tmp_path / "new", tmp_path / "old")
    assert edit.diff() == expected
    assert edit.diff(stat=True) == store.recipe_edit("b").diff(stat=True)
    assert RecipeEdit(None, tmp_path / "new").diff() == ""
    assert RecipeEdit(Trial(exp_id="x"), str(tmp_path / "new"), str(tmp_path / "new")).diff() == ""


def test_a_folder_that_is_missing_is_an_error(tmp_path):
    """An absent folder is no empty recipe (semantics 41)."""
    fill(tmp_path / "old", {"f": "1"})
    for pair in (
        (tmp_path / "old", tmp_path / "nowhere"),
        (tmp_path / "nowhere", tmp_path / "old"),
        (tmp_path / "old" / "f", tmp_path / "old"),
    ):
        with pytest.raises(InvalidContent):
            diff_folders(*pair)


def test_folders_leave_nothing_behind(tmp_path, monkeypatch):
    """The scratch repository is thrown away, and the folders are not touched."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    old, new = fill(tmp_path / "old", OLD), fill(tmp_path / "new", NEW)
    before = sorted((str(path), path.lstat().st_mtime_ns) for path in tmp_path.rglob("*") if path != scratch)
    assert diff_folders(old, new)
    assert os.listdir(scratch) == []
    assert sorted((str(path), path.lstat().st_mtime_ns) for path in tmp_path.rglob("*") if path != scratch) == before
