"""The servers that other tests use are real ones: plain git clones from them and pushes to them."""

import os
import subprocess
from pathlib import Path

import pytest
from remotes import Http, Wire, bare


def commit(git, folder: Path, files: dict[str, bytes]) -> str:
    """Commit files in a repository and return the commit."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    git("add", "-A", cwd=folder)
    git("commit", "-q", "-m", "more", cwd=folder)
    return git("rev-parse", "HEAD", cwd=folder)


def test_plain_git_pushes_and_clones(remote, git, tmp_path):
    """What one clone pushed another one has."""
    git("clone", "-q", remote.url("campaign.git"), tmp_path / "a", cwd=tmp_path)
    oid = commit(git, tmp_path / "a", {"f": b"1"})
    git("push", "-q", "origin", "HEAD:refs/heads/main", cwd=tmp_path / "a")
    git("clone", "-q", "-b", "main", remote.url("campaign.git"), tmp_path / "b", cwd=tmp_path)
    assert git("rev-parse", "HEAD", cwd=tmp_path / "b") == oid


def test_a_server_that_was_stopped_is_gone_and_comes_back_on_its_port(remote, git, tmp_path):
    """Stopped, nobody answers; started again, the address is the same."""
    url = remote.url("campaign.git")
    git("ls-remote", url, cwd=tmp_path)
    remote.stop()
    done = subprocess.run(["git", "ls-remote", url], capture_output=True, check=False)
    assert done.returncode != 0
    remote.start()
    assert remote.url("campaign.git") == url
    git("ls-remote", url, cwd=tmp_path)


def test_a_wire_carries_everything_or_tears(remote, git, tmp_path):
    """A clone through a whole wire works; one through a wire that tears after some bytes fails."""
    git("clone", "-q", remote.url("campaign.git"), tmp_path / "a", cwd=tmp_path)
    commit(git, tmp_path / "a", {"f": os.urandom(200_000)})
    with Wire(remote.port) as wire:
        git("push", "-q", remote.url("campaign.git", wire.port), "HEAD:refs/heads/main", cwd=tmp_path / "a")
        git("clone", "-q", remote.url("campaign.git", wire.port), tmp_path / "b", cwd=tmp_path)
        assert wire.torn == 0
    with Wire(remote.port, downstream=50_000) as wire:
        words = ["git", "clone", "-q", remote.url("campaign.git", wire.port), str(tmp_path / "c")]
        assert subprocess.run(words, capture_output=True, check=False).returncode != 0
        assert wire.torn


def test_http_takes_long_bodies_in_chunks_and_short_ones_zipped(git, tmp_path):
    """Git sends a big push in chunks and a long list of wants zipped; both arrive."""
    (tmp_path / "served").mkdir()
    served = bare(tmp_path / "served" / "campaign.git")
    with Http(tmp_path / "served") as server:
        git("clone", "-q", server.url("campaign.git"), tmp_path / "a", cwd=tmp_path)
        commit(git, tmp_path / "a", {"f": os.urandom(1_500_000)})
        for at in range(40):
            oid = commit(git, tmp_path / "a", {"g": b"%d" % at})
            git("tag", f"t{at}", oid, cwd=tmp_path / "a")
        git("push", "-q", "--tags", "origin", "HEAD:refs/heads/main", cwd=tmp_path / "a")
        git("clone", "-q", "-b", "main", server.url("campaign.git"), tmp_path / "b", cwd=tmp_path)
    assert any(request.get("transfer-encoding") == "chunked" for request in server.requests)
    assert any(request.get("content-encoding") == "gzip" for request in server.requests)
    assert git("rev-parse", "main", cwd=served) == git("rev-parse", "HEAD", cwd=tmp_path / "b") == oid


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_http_asks_for_a_password(git, tmp_path, monkeypatch, password):
    """A credential helper's answer lets git in where it is right."""
    (tmp_path / "served").mkdir()
    bare(tmp_path / "served" / "campaign.git")
    with Http(tmp_path / "served", login=("ann", "right")) as server:
        (tmp_path / "kept").write_text(f"http://ann:{password}@127.0.0.1:{server.port}\n")
        words = ["git", "-c", f"credential.helper=store --file={tmp_path / 'kept'}"]
        words += ["ls-remote", server.url("campaign.git")]
        monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
        done = subprocess.run(words, capture_output=True, check=False)
    assert (done.returncode == 0) == (password == "right"), done.stderr
