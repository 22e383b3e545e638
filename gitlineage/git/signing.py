"""
SSH signatures on commits, as git makes and checks them: which commits are signed is the journal's, who is trusted the
allowed-signers file's.

Only journal commits are signed, never snapshots, so that ids are the same whoever signs. The program that
signs and checks is OpenSSH's ``ssh-keygen``, run with git's own settings.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gitlineage import scratch
from gitlineage.errors import SigningError
from gitlineage.git.program import environment
from gitlineage.git.repository import GitRepo
from gitlineage.house import ALLOWED_SIGNERS, SIGN

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

NAMESPACE = "git"
"""What git's signatures are for; one made for anything else is none."""

_MAX_SIGNATURE = 64 * 1024
"""A longer signature is not looked at (bytes)."""

_PATIENCE = 60
"""Seconds that a check may take; checking asks nobody."""

_SIGNED = b"gpgsig "
_TOGETHER = 256


class Signer(msgspec.Struct, frozen=True):
    """
    Signs commits with git's own settings.

    Args:
        key: ``user.signingKey``: a file, or a key as text.
        program: ``gpg.ssh.program``.
        folder: what relative paths start from.
    """

    key: str
    program: str
    folder: Path

    def sign(self, raw: bytes) -> bytes:
        """
        Return a commit with a signature of all it says.

        Args:
            raw: the commit, as git stores it.

        Raises:
            SigningError: the key or the program does not work.
        """
        with scratch.folder() as aside:
            payload = aside / "payload"
            payload.write_bytes(raw)
            key = _key_file(self.key, aside)
            words = ["-Y", "sign", "-n", NAMESPACE, "-f", key, str(payload)]
            # no time limit: a person may be typing a passphrase or looking for a hardware key
            done = _run(self.program, words, b"", self.folder, None)
            signature = Path(f"{payload}.sig")
            if done.returncode or not signature.exists():
                raise SigningError(f"cannot sign with user.signingKey {self.key!r}: {_said(done)}")
            return _with_signature(raw, signature.read_bytes())


def from_config(repo: GitRepo) -> Signer | None:
    """
    Return who signs by git's configuration, ``None`` where that is not on.

    Raises:
        SigningError: signing is on and cannot work as configured.
        RepositoryError: the setting is neither true nor false.
    """
    if not repo.flag(SIGN):
        return None
    form = (repo.config("gpg.format") or "openpgp").lower()
    if form != "ssh":
        raise SigningError(
            f"{SIGN} is on and gpg.format is {form!r}; commits are signed with SSH keys here: `git config gpg.format "
            f"ssh` and user.signingKey, or `git config {SIGN} false`"
        )
    key = repo.config("user.signingKey")
    if not key:
        raise SigningError(
            f"{SIGN} is on and git config user.signingKey is not set; it takes the path of an SSH key, or "
            "key::<public key> for one that an agent holds"
        )
    return Signer(key, repo.config("gpg.ssh.program") or "ssh-keygen", _folder(repo))


class Verifier(msgspec.Struct, frozen=True):
    """
    Checks signatures against an allowed-signers file, as OpenSSH defines its principals, patterns and options.

    Args:
        allowed: the file.
        program: ``gpg.ssh.program``.
        revoked: ``gpg.ssh.revocationFile``, where there is one.
    """

    allowed: Path
    program: str = "ssh-keygen"
    revoked: Path | None = None

    def principals(self) -> Iterator[tuple[str, ...]]:
        """Return the names, or patterns of names, that each line of the file gives to its key."""
        for line in self.allowed.read_text(errors="replace").splitlines():
            words = line.split()
            if len(words) > 2 and not words[0].startswith("#"):
                yield tuple(words[0].strip('"').split(","))

    def is_signed_by(self, raw: bytes, principal: str) -> bool:
        """
        Whether a commit is signed with a key that the file allows a principal, such as a writer's id.

        Args:
            raw: the commit, as git stores it.
            principal: who is to have signed; the file's principals are patterns that it is matched against.

        Raises:
            SigningError: the program does not run, or was ended before it said anything.
        """
        parts = split(raw)
        if parts is None:
            return False
        with _signature_file(parts[1]) as signature:
            words = ["-Y", "verify", "-n", NAMESPACE, "-f", str(self.allowed), "-I", principal, "-s", signature]
            words += ["-r", str(self.revoked)] if self.revoked else []
            code = _run(self.program, [*words, *_time(parts[0])], parts[0], None, _PATIENCE).returncode
        if code < 0:  # it has said nothing of the signature
            raise SigningError(f"{self.program!r} was ended by signal {-code}; try again")
        return not code


def verifier(repo: GitRepo, allowed_signers: str | os.PathLike[str] | None = None) -> Verifier:
    """
    Return what checks signatures in a repository.

    Args:
        allowed_signers: the file; by default git config names it, `house.ALLOWED_SIGNERS`, else
            ``gpg.ssh.allowedSignersFile``.

    Raises:
        SigningError: there is no such file.
    """
    base = Path.cwd() if allowed_signers is not None else _folder(repo)
    named = repo.config(ALLOWED_SIGNERS) or repo.config("gpg.ssh.allowedSignersFile")
    name = os.fspath(allowed_signers) if allowed_signers is not None else named
    if not name:
        raise SigningError(
            f"nothing says whom to trust: give an allowed-signers file, or `git config {ALLOWED_SIGNERS} FILE`"
        )
    path = base / Path(name).expanduser()
    try:
        path.open("rb").close()
    except OSError as error:
        raise SigningError(f"cannot read the allowed-signers file {path}: {error.strerror}") from error
    revoked = repo.config("gpg.ssh.revocationFile")
    folder = _folder(repo)
    return Verifier(
        allowed=path,
        program=repo.config("gpg.ssh.program") or "ssh-keygen",
        revoked=folder / Path(revoked).expanduser() if revoked else None,
    )


def not_signed_by(check: Verifier, principal: str, commits: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    """
    Return the oids of the commits that a principal did not sign, in order; several are checked at a time.

    Args:
        check: the allowed-signers file.
        principal: who is to have signed them.
        commits: oid and the commit as git stores it.
    """
    from concurrent.futures import ThreadPoolExecutor  # checking is rare, and starting must be quick

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        some: list[tuple[str, bytes]] = []
        most = 1  # the first alone: most refs that are not signed are not signed there
        for each in commits:
            some.append(each)
            if len(some) >= most:
                yield from _failing(check, principal, some, pool)
                some, most = [], _TOGETHER
        yield from _failing(check, principal, some, pool)


def _failing(
    check: Verifier, principal: str, commits: Sequence[tuple[str, bytes]], pool: "ThreadPoolExecutor"
) -> Iterator[str]:
    def holds(each: tuple[str, bytes]) -> bool:
        return check.is_signed_by(each[1], principal)

    for (oid, _), good in zip(commits, pool.map(holds, commits), strict=True):
        if not good:
            yield oid


def split(raw: bytes) -> tuple[bytes, bytes] | None:
    """Return what a commit's signature is about, and the signature; ``None`` for a commit without exactly one."""
    head, end, message = raw.partition(b"\n\n")
    kept: list[bytes] = []
    signatures: list[list[bytes]] = []
    inside = False
    for line in head.split(b"\n"):
        if line.startswith(_SIGNED):
            inside = True
            signatures.append([line.removeprefix(_SIGNED)])
        elif inside and line.startswith(b" "):
            signatures[-1].append(line[1:])
        else:
            inside = False
            kept.append(line)
    if len(signatures) != 1:
        return None
    signature = b"\n".join(signatures[0]) + b"\n"
    if not signature.startswith(b"-----BEGIN SSH SIGNATURE-----") or len(signature) > _MAX_SIGNATURE:
        return None
    return b"\n".join(kept) + end + message, signature


def _with_signature(raw: bytes, signature: bytes) -> bytes:
    """Return a commit with a signature as the last line of its head, where git puts it."""
    head, end, message = raw.partition(b"\n\n")
    lines = signature.replace(b"\r", b"").strip(b"\n").split(b"\n")
    return head + b"\n" + _SIGNED + b"\n ".join(lines) + end + message


def _time(payload: bytes) -> list[str]:
    """Return the option that has keys checked as of the commit's date, as git does."""
    head = payload.partition(b"\n\n")[0]
    line = next((line for line in head.split(b"\n") if line.startswith(b"committer ")), b"")
    try:
        seconds = int(line.split(b" ")[-2])
        moment = datetime.fromtimestamp(seconds)  # local time, as ssh-keygen reads it
    except (IndexError, ValueError, OverflowError, OSError):
        return []
    return [f"-Overify-time={moment.strftime('%Y%m%d%H%M%S')}"]


def _key_file(key: str, aside: Path) -> str:
    """Return the file of a key; one that is given as text is put into a folder that is gone afterwards."""
    text = key.removeprefix("key::") if key.startswith("key::") else key if key.startswith("ssh-") else None
    if text is None:
        return str(Path(key).expanduser())
    path = aside / "key.pub"
    path.write_text(text + "\n")
    return str(path)


@contextmanager
def _signature_file(signature: bytes) -> Iterator[str]:
    """Give a signature as a file, which ``ssh-keygen`` wants."""
    with scratch.folder() as aside:
        (aside / "signature").write_bytes(signature)
        yield str(aside / "signature")


def _run(
    program: str, words: Sequence[str], data: bytes, folder: Path | None, patience: int | None
) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(
            [str(Path(program).expanduser()), *words],
            cwd=folder,
            env=environment(),
            input=data,
            capture_output=True,
            check=False,
            timeout=patience,
        )
    except OSError as error:
        raise SigningError(
            f"cannot run {program!r}: {error.strerror}; install OpenSSH or set git config gpg.ssh.program"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise SigningError(f"{program!r} did not answer for {patience} seconds") from error


def _said(done: "subprocess.CompletedProcess[bytes]") -> str:
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[0] if lines else f"exit code {done.returncode}"


def _folder(repo: GitRepo) -> Path:
    return repo.workdir or repo.gitdir
