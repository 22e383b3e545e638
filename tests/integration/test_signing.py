"""Signatures on journal commits: git accepts ours, we accept git's, and what is not signed by its owner is told."""

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gitlineage import Trial
from gitlineage.errors import LineageError, SigningError
from gitlineage.git import signing
from gitlineage.git.repository import GitRepo

needs_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
pytestmark = needs_keygen


@pytest.fixture
def key(tmp_path: Path) -> Callable[..., Path]:
    """Make a key and return its path; the public one has ``.pub`` behind it."""

    def make(name: str = "alice", kind: str = "ed25519") -> Path:
        path = tmp_path / f"{name}-key"
        words = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", str(path)]
        subprocess.run(words, check=True, capture_output=True)
        return path

    return make


def public(key: Path) -> str:
    """Return a key's type and text, without its comment."""
    return " ".join(Path(f"{key}.pub").read_text().split()[:2])


@pytest.fixture
def allowed(tmp_path: Path) -> Callable[..., Path]:
    """Write an allowed-signers file: principals and keys."""

    def write(*lines: tuple[str, Path]) -> Path:
        path = tmp_path / "allowed"
        path.write_text("".join(f"{who} {public(key)}\n" for who, key in lines))
        return path

    return write


@pytest.fixture
def sign_with(git, folder) -> Callable[[object], None]:
    """Switch signing on with a key."""

    def configure(key: object) -> None:
        git("config", "gpg.format", "ssh")
        git("config", "user.signingKey", str(key))
        git("config", "lineage.sign", "true")

    return configure


def trial(exp_id: str = "000", metric: str = "1.0") -> Trial:
    """Return a kept row."""
    return Trial(exp_id=exp_id, status="keep", core_metric=metric)


def test_git_accepts_our_signature(store, git, key, allowed, sign_with) -> None:
    """Plain ``git verify-commit`` and ``git log --show-signature`` accept a landing's commit."""
    alice = key()
    sign_with(alice)
    store.commit({"a": b"1"}, trial=trial())
    git("config", "gpg.ssh.allowedSignersFile", str(allowed(("alice", alice))))
    tip = store.ledger.journal.tips()["alice"]
    git("verify-commit", tip)
    assert git("log", "-1", "--format=%G? %GS", tip) == "G alice"
    assert "gpgsig -----BEGIN SSH SIGNATURE-----" in git("cat-file", "commit", tip)
    git("fsck", "--strict")
    assert signing.verifier(store.ledger.repo).is_signed_by(store.ledger.repo.read(tip), "alice")


def test_we_accept_the_signature_that_git_makes(store, git, key, allowed, sign_with) -> None:
    """A commit that git itself signed is signed for us too."""
    alice = key()
    sign_with(alice)
    store.commit({"a": b"1"}, trial=trial())
    tree = git("rev-parse", "refs/notes/lineage/alice^{tree}")
    oid = git("commit-tree", "-S", "-m", "by git", tree)
    assert signing.verifier(store.ledger.repo, allowed(("alice", alice))).is_signed_by(
        store.ledger.repo.read(oid), "alice"
    )


@pytest.mark.parametrize("spelling", ["private", "public", "literal", "prefixed"])
def test_keys_are_named_as_git_names_them(store, git, key, allowed, sign_with, spelling, tmp_path) -> None:
    """A path, the public key's path, and a key as text with an agent all sign."""
    alice = key()
    said = {"private": str(alice), "public": f"{alice}.pub", "literal": public(alice)}
    said["prefixed"] = f"key::{public(alice)}"
    sign_with(said[spelling])
    if spelling in ("literal", "prefixed"):
        if shutil.which("ssh-agent") is None:
            pytest.skip("ssh-agent is not installed")
        socket = tmp_path / "agent"
        with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL) as agent:
            try:
                _wait_for(socket)
                with pytest.MonkeyPatch.context() as patch:
                    patch.setenv("SSH_AUTH_SOCK", str(socket))
                    subprocess.run(["ssh-add", "-q", str(alice)], check=True, capture_output=True)
                    alice.unlink()
                    store.commit({"a": b"1"}, trial=trial())
            finally:
                agent.terminate()
    else:
        store.commit({"a": b"1"}, trial=trial())
    tip = store.ledger.journal.tips()["alice"]
    assert signing.verifier(store.ledger.repo, allowed(("alice", alice))).is_signed_by(
        store.ledger.repo.read(tip), "alice"
    )


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)


def test_snapshot_ids_do_not_depend_on_signing(open_store, tmp_path, key, git) -> None:
    """The same commit has the same id with and without a signature on the journal; only the journal differs."""
    plain = open_store(tmp_path / "plain")
    signed = open_store(tmp_path / "signed")
    for name, value in (("gpg.format", "ssh"), ("user.signingKey", str(key())), ("lineage.sign", "true")):
        git("config", name, value, cwd=tmp_path / "signed")
    ids = [each.commit({"a": b"1"}, trial=trial()).oid for each in (plain, signed)]
    assert ids[0] == ids[1]
    assert plain.ledger.journal.tips() != signed.ledger.journal.tips()
    assert plain.ledger.journal.genesis("alice") == signed.ledger.journal.genesis("alice")
    assert signing.split(signed.ledger.repo.read(ids[1])) is None


def test_the_commits_that_keep_snapshots_alive_are_signed_too(store, git, key, allowed, sign_with) -> None:
    """Every commit on the writer's ref but the genesis is signed, also where one landing takes several."""
    alice = key()
    sign_with(alice)
    with store.batch():
        for number in range(1100):
            store.commit({"a": b"%d" % number}, trial=trial(str(number)))
    tip = store.ledger.journal.tips()["alice"]
    line = git("rev-list", "--first-parent", tip).split()
    assert len(line) > 2
    check = signing.verifier(store.ledger.repo, allowed(("alice", alice)))
    commits = [(oid, store.ledger.repo.read(oid)) for oid in line]
    assert list(signing.not_signed_by(check, "alice", commits)) == [store.ledger.journal.genesis("alice")]


@pytest.mark.parametrize(
    ("principals", "good"),
    [
        ("alice", True),
        ("bob,alice", True),
        ("ali*", True),
        ("al?ce", True),
        ("*,!alice", False),
        ("bob", False),
        ('alice namespaces="git"', True),
        ('alice namespaces="file"', False),
        ('alice valid-before="19990101"', False),
        ('alice valid-after="20990101"', False),
    ],
)
def test_the_owner_is_who_the_file_says(store, key, allowed, sign_with, principals, good) -> None:
    """Principals, patterns and options of the allowed-signers file mean what OpenSSH says they mean."""
    alice = key()
    sign_with(alice)
    store.commit({"a": b"1"}, trial=trial())
    raw = store.ledger.repo.read(store.ledger.journal.tips()["alice"])
    assert signing.verifier(store.ledger.repo, allowed((principals, alice))).is_signed_by(raw, "alice") is good


def test_a_changed_commit_is_not_signed(store, key, allowed, sign_with) -> None:
    """One changed letter, a second signature or another key, and nobody signed it."""
    alice, bob = key(), key("bob")
    sign_with(alice)
    store.commit({"a": b"1"}, trial=trial())
    raw = store.ledger.repo.read(store.ledger.journal.tips()["alice"])
    check = signing.verifier(store.ledger.repo, allowed(("alice", alice), ("bob", bob)))
    assert check.is_signed_by(raw, "alice")
    assert not check.is_signed_by(raw.replace(b"Record", b"Recxrd"), "alice")
    assert not check.is_signed_by(raw, "bob")
    assert not check.is_signed_by(raw.replace(b"Clock: ", b"Clock: 1"), "alice")
    payload, signature = signing.split(raw)
    head = b"gpgsig " + signature.strip().replace(b"\n", b"\n ")
    assert not check.is_signed_by(raw.replace(b"\n\n", b"\n" + head + b"\n\n", 1), "alice")
    assert not check.is_signed_by(payload, "alice")


def test_a_revoked_key_signs_nothing(store, git, key, allowed, sign_with, tmp_path) -> None:
    """Keys in ``gpg.ssh.revocationFile`` count no longer."""
    alice = key()
    sign_with(alice)
    store.commit({"a": b"1"}, trial=trial())
    raw = store.ledger.repo.read(store.ledger.journal.tips()["alice"])
    file = allowed(("alice", alice))
    (tmp_path / "revoked").write_text(public(alice) + "\n")
    git("config", "gpg.ssh.revocationFile", str(tmp_path / "revoked"))
    assert not signing.verifier(store.ledger.repo, file).is_signed_by(raw, "alice")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"gpg.format": "openpgp"}, "gpg.format is 'openpgp'; commits are signed with SSH keys here"),
        ({"gpg.format": "x509"}, "gpg.format is 'x509'"),
        ({}, "gpg.format is 'openpgp'"),
        ({"gpg.format": "ssh"}, "user.signingKey is not set"),
        ({"gpg.format": "ssh", "user.signingKey": "/nowhere/key"}, "cannot sign with user.signingKey"),
        ({"gpg.format": "ssh", "user.signingKey": "k", "gpg.ssh.program": "/nowhere/x"}, "cannot run '/nowhere/x'"),
        ({"lineage.sign": "perhaps"}, "git config lineage.sign: failed to parse 'perhaps'"),
    ],
)
def test_what_cannot_sign_records_nothing(store, git, settings, said) -> None:
    """A wrong setting is an error that says what to do, and nothing is recorded."""
    store.commit({"a": b"1"}, trial=trial())
    before = store.ledger.journal.tips()
    for name, value in {"lineage.sign": "true", **settings}.items():
        git("config", name, value)
    with pytest.raises(LineageError) as caught:
        store.commit({"a": b"2"}, trial=trial("001"))
    assert said in str(caught.value)
    assert store.ledger.journal.tips() == before
    assert [each.exp_id for each in store.all_trials()] == ["000"]


def test_without_a_list_of_signers_nobody_is_trusted(store, git) -> None:
    """A missing allowed-signers file is an error that names the setting."""
    store.commit({"a": b"1"}, trial=trial())
    with pytest.raises(SigningError, match="allowedSigners"):
        signing.verifier(store.ledger.repo)
    git("config", "gpg.ssh.allowedSignersFile", "/nowhere/allowed")
    with pytest.raises(SigningError, match="cannot read the allowed-signers file"):
        signing.verifier(GitRepo(store.root))


def test_a_setting_without_a_value_is_on(store) -> None:
    """``[lineage] sign`` alone means true, as git reads it."""
    assert not store.ledger.repo.flag("lineage.sign")
    with (store.ledger.repo.gitdir / "config").open("a") as file:
        file.write("[lineage]\n\tsign\n")
    assert GitRepo(store.root).flag("lineage.sign")
