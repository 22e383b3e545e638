"""Files that trials made: kept by content outside of git, brought back, sent and checked."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
from command_line import Shell, process
from hypothesis import given
from hypothesis import strategies as st

from gitlineage import LineageStore, StorageError, Trial
from gitlineage.bridge import artifacts
from gitlineage.model.artifact import Artifact, artifacts_of, cell, is_safe


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in a repository that ignores its checkpoints."""
    shell = Shell(tmp_path / "repo")
    (shell.folder / "ckpt").mkdir(parents=True)
    (shell.folder / ".gitignore").write_text("ckpt/\n")
    (shell.folder / "train.py").write_text("x\n")
    (shell.folder / "ckpt/a.pt").write_bytes(b"weights" * 1_000_000)
    (shell.folder / "ckpt/b.pt").write_bytes(b"")
    shell("init", "--metric", "loss", "--writer", "alice")
    return shell


@pytest.fixture
def inside(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The same, whose folder is the current one."""
    monkeypatch.chdir(shell.folder)
    return shell


def kept(shell: Shell) -> list[Path]:
    """Return the contents in the folder of a repository."""
    return sorted(path for path in (shell.folder / ".git/lineage/artifacts").rglob("*") if path.is_file())


def test_a_commit_keeps_what_it_names_once_and_never_in_git(inside: Shell, tmp_path: Path, git) -> None:
    """Path, size and digest are in the row, the bytes beside the lineage; equal content is there once."""
    inside("commit", "-m", "first", "--metric", "1", "--artifact", "ckpt/*.pt")
    (first, second) = inside.objects("artifact", "list", "000")
    data = b"weights" * 1_000_000
    assert (first["path"], first["size"], first["place"]) == ("ckpt/a.pt", len(data), "local")
    assert first["digest"] == hashlib.sha256(data).hexdigest() and second["size"] == 0
    assert len(kept(inside)) == 2
    inside.write(more="x")
    inside("commit", "-m", "again", "--metric", "2", "--artifact", "ckpt/**")
    assert len(kept(inside)) == 2 and len(inside.objects("artifact", "list")) == 4
    assert b"weights" not in b"".join(
        path.read_bytes() for path in (inside.folder / ".git/objects").rglob("*") if path.is_file()
    )
    (inside.folder / "ckpt/a.pt").write_bytes(b"the next run")
    inside("artifact", "get", "000", "ckpt/a.pt", "--to", tmp_path / "out")
    assert (tmp_path / "out/ckpt/a.pt").read_bytes() == data
    assert "2 artifacts checked, 0" in inside("artifact", "verify", "000")


def test_a_run_keeps_what_its_command_made(inside: Shell) -> None:
    """Also where it crashed; a pattern without files is told, and the result is recorded all the same."""
    code = "open('ckpt/new.pt', 'w').write('made'); print('loss: 0.5')"
    done = process(
        "run",
        "--json",
        "--artifact",
        "ckpt/n*",
        "--artifact",
        "*.none",
        "--",
        sys.executable,
        "-c",
        code,
        folder=inside.folder,
    )
    assert done.returncode == 0, done.stderr
    assert b"there is no such file" in done.stderr
    (each,) = json.loads(json.loads(done.stdout)["row"]["artifacts"])
    assert each["path"] == "ckpt/new.pt" and each["digest"] == hashlib.sha256(b"made").hexdigest()
    crash = process("run", "--artifact", "ckpt/n*", "--", sys.executable, "-c", f"{code}; 1 / 0", folder=inside.folder)
    assert crash.returncode == 0
    assert [each["id"] for each in inside.objects("artifact", "list")] == ["000", "001"]


def test_record_keeps_them_too(inside: Shell) -> None:
    """A result that is recorded later names what it made."""
    inside("commit", "-m", "pending")
    inside("record", "000", "--metric", "1", "--artifact", "ckpt/a.pt")
    assert [each["path"] for each in inside.objects("artifact", "list", "best")] == ["ckpt/a.pt"]


def test_damage_and_loss_are_found_and_never_handed_out(inside: Shell, tmp_path: Path) -> None:
    """A content that changed is damaged, one that is gone is missing: exit code 1, and nothing is written."""
    inside("commit", "-m", "first", "--metric", "1", "--artifact", "ckpt/*.pt")
    (damaged, gone) = (path for path in kept(inside))
    damaged.chmod(0o644)
    damaged.write_bytes(b"something else")
    gone.unlink()
    result = inside.run("artifact", "verify", "--json")
    assert result.exit_code == 1
    assert {json.loads(line)["state"] for line in result.stdout.splitlines()} == {"damaged", "missing"}
    for path in ("ckpt/a.pt", "ckpt/b.pt"):
        assert inside.fails(1, "artifact", "get", "000", path, "--to", tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


@pytest.mark.extra("fsspec")
def test_a_store_elsewhere_serves_other_clones(inside: Shell, tmp_path: Path) -> None:
    """Push sends what is here once; a clone that names the store gets it, checked; without it, it says what to type."""
    inside("commit", "-m", "first", "--metric", "1", "--artifact", "ckpt/a.pt")
    assert "lineage.artifacts" in inside.fails(1, "artifact", "push")
    url = f"file://{tmp_path}/shelf"
    store = LineageStore(inside.folder)
    store.ledger.repo.set_config("lineage.artifacts", url)
    assert [each["path"] for each in inside.objects("artifact", "push")] == ["ckpt/a.pt"]
    assert inside("artifact", "push") == "sent 0 files, 0 bytes\n"
    bare = tmp_path / "bare.git"
    inside("init", "--bare", bare)
    store.ledger.repo.set_config("remote.origin.url", str(bare))
    inside("push", "origin")
    other = Shell(tmp_path / "other")
    inside("clone", bare, other.folder)
    assert "artifact push" in other.fails(1, "artifact", "get", "000", "--to", tmp_path / "out")
    LineageStore(other.folder).ledger.repo.set_config("lineage.artifacts", url)
    other("artifact", "get", "000", "--to", tmp_path / "out")
    assert (tmp_path / "out/ckpt/a.pt").stat().st_size == 7_000_000
    assert (
        other.objects("artifact", "verify")[0] | {"where": url, "state": "ok"} == other.objects("artifact", "verify")[0]
    )
    other.write(new="x")
    (other.folder / "made.bin").write_bytes(b"directly")
    (made,) = artifacts.keep(LineageStore(other.folder), other.folder, ["made.bin"])
    assert made.place == url and not kept(other)


def test_other_files_are_not_replaced(inside: Shell) -> None:
    """In the working tree itself: the same file is no obstacle, another one is, unless --force says so."""
    inside("commit", "-m", "first", "--metric", "1", "--artifact", "ckpt/a.pt")
    inside("artifact", "get", "000")
    (inside.folder / "ckpt/a.pt").write_bytes(b"mine")
    assert "--force" in inside.fails(1, "artifact", "get", "000")
    assert (inside.folder / "ckpt/a.pt").read_bytes() == b"mine"
    inside("artifact", "get", "000", "--force")
    assert (inside.folder / "ckpt/a.pt").stat().st_size == 7_000_000


def test_bad_patterns_are_refused(inside: Shell, tmp_path: Path) -> None:
    """What leads outside, by itself or by a link, and what matches nothing: one line, nothing recorded."""
    (tmp_path / "secret").write_text("s")
    (inside.folder / "link").symlink_to(tmp_path / "secret")
    for pattern in ("../secret", "/etc/passwd", "link", "*.none", ".git/config"):
        assert pattern in inside.fails(1, "commit", "-m", "x", "--metric", "1", "--artifact", pattern)
    assert inside.objects("log") == []


def test_a_hostile_row_leads_nowhere(folder: Path, tmp_path: Path) -> None:
    """What a foreign row says of paths, digests and places is taken for no artifact, or for one of our own store."""
    store = LineageStore(folder)
    good = Artifact(path="a", size=1, digest="0" * 64, place="http://localhost:1/steal")
    bad = [{"path": path, "size": 1, "digest": "0" * 64} for path in ("../x", "/x", ".git/hooks/x", "a\\..\\b", "")]
    bad += [{"path": "y", "size": 1, "digest": "../../x"}, {"path": "y", "size": -1, "digest": "0" * 64}, 7]
    text = json.dumps([*bad, json.loads(cell([good]))[0]])
    store.commit({"f": b"x"}, trial=Trial(exp_id="000", status="keep", core_metric=1.0, extra={"artifacts": text}))
    assert artifacts_of(store.trial("000")) == (good,)
    assert [each.state for each in artifacts.verify(store)] == ["missing"]
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Exception, match="another file"):
        artifacts.get(store, "000", tmp_path / "out")


@given(st.lists(st.tuples(st.text(min_size=1), st.integers(0, 2**40)), max_size=4))
def test_the_cell_comes_back_as_it_was(files: list[tuple[str, int]]) -> None:
    """Whatever the paths are that are safe, the column gives them back; no text in it is an error."""
    made = tuple(Artifact(path=path, size=size, digest="ab" * 32) for path, size in files if is_safe(path))
    trial = Trial(extra={"artifacts": cell(made)}) if made else Trial()
    assert artifacts_of(trial) == made
    assert artifacts_of(Trial(extra={"artifacts": "".join(path for path, _ in files)})) in ((), made)


def test_a_full_disk_is_told_and_leaves_nothing(inside: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the copy cannot be written, an error of ours says so and no half content stays."""
    store = LineageStore(inside.folder)
    (inside.folder / ".git/lineage/artifacts").write_text("a file where the folder would be")
    with pytest.raises(StorageError):
        artifacts.keep(store, inside.folder, ["ckpt/a.pt"])
