"""
Whom to trust: the writers whose refs are signed by their owners from end to end.

An owner is whoever the allowed-signers file lets sign for the writer's id. What was found is remembered beside
the index, so that a ref costs what is new on it.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from gitlineage.bounds import MAX_COMMIT
from gitlineage.errors import LineageError, RepositoryError
from gitlineage.git.repository import GitRepo
from gitlineage.git.signing import Verifier, not_signed_by
from gitlineage.journal.journal import ARCHIVE, Journal, is_archive

_FILE = "trusted.json"


class _Memory(msgspec.Struct):
    """Tips that were found signed down to the genesis, by writer, under one state of the allowed-signers file."""

    state: str = ""
    tips: dict[str, str] = {}


def unsigned(repo: GitRepo, journal: Journal, check: Verifier, writer: str, tip: str) -> Iterator[str]:
    """
    Return the commits of a writer's ref that its owner did not sign, the newest first.

    The genesis is not signed: it follows from the writer's name. An archive is signed by the writer who made it.

    Args:
        journal: what knows the genesis.
        check: the allowed-signers file.

    Raises:
        RepositoryError: a commit cannot be read.
    """
    genesis = journal.genesis(writer)

    def line() -> Iterator[tuple[str, bytes]]:
        at: str | None = tip
        while at is not None and at != genesis:
            parents = repo.commit(at).parents
            yield at, repo.read(at, MAX_COMMIT)
            at = parents[0] if parents else None

    return not_signed_by(check, writer.removeprefix(ARCHIVE), line())


def trusted(repo: GitRepo, journal: Journal, check: Verifier, tips: Mapping[str, str]) -> dict[str, str]:
    """
    Return the writers whose refs their owners signed, each with the commit up to which they did, from the genesis on.

    What anybody else has added to a ref changes nothing below it.

    What an archive says of others proves nothing, whoever signed it. The old tips that it keeps alive do: a writer in
    an archive counts by the furthest of these that is signed.

    Args:
        check: the allowed-signers file.

    Raises:
        SigningError: a signature could not be checked, which says nothing of whose it is.
    """
    path = journal.namespace.folder(repo.commondir) / _FILE
    memory = _recall(path, _state(check))
    signed: dict[str, str] = {}
    archived = [(writer, tip) for writer, ends in journal.archived(tips).items() for tip in ends]
    for writer, tip in (*tips.items(), *archived):
        best = signed.get(writer)
        if is_archive(writer) or (best is None and tip != tips.get(writer, tip)):
            continue
        if best is not None and not _is_below(journal, tip, best):
            continue
        known = best or memory.tips.get(writer)
        since = known if known is not None and _is_below(journal, tip, known) else None
        with suppress(RepositoryError):
            if (end := signed_up_to(repo, journal, check, writer, tip, since)) is not None:
                signed[writer] = end
    if signed != memory.tips:
        _remember(repo, path, _Memory(memory.state, signed))
    return signed


def signed_up_to(
    repo: GitRepo, journal: Journal, check: Verifier, writer: str, tip: str, since: str | None = None
) -> str | None:
    """
    Return the last commit of a writer's ref below which, it included, its owner signed every one.

    Args:
        journal: what knows the genesis.
        check: the allowed-signers file.
        since: a commit of it that is known to be signed, as all below it are.

    Returns:
        The commit; ``None`` where not even the first is signed, or it is no line of this writer's.

    Raises:
        RepositoryError: a commit cannot be read.
    """
    line: list[str] = []
    genesis = journal.genesis(writer)
    at: str | None = tip
    while at != genesis and (since is None or at != since):
        if at is None:
            return None
        line.append(at)
        parents = repo.commit(at).parents
        at = parents[0] if parents else None
    line.reverse()
    commits = ((oid, repo.read(oid, MAX_COMMIT)) for oid in line)
    with closing(not_signed_by(check, writer, commits)) as told:  # type: ignore[type-var]
        bad = next(told, None)
    if bad is None:
        return tip
    place = line.index(bad)
    return line[place - 1] if place else since


def _is_below(journal: Journal, tip: str, known: str) -> bool:
    with suppress(LineageError):
        return journal.is_ahead(tip, known)
    return False


def _state(check: Verifier) -> str:
    """Return what the answers depend on, as one text."""
    from hashlib import sha256

    digest = sha256(check.allowed.read_bytes())
    digest.update(b"\0" + (check.revoked.read_bytes() if check.revoked and check.revoked.is_file() else b""))
    digest.update(b"\0" + check.program.encode())
    return digest.hexdigest()


def _recall(path: Path, state: str) -> _Memory:
    try:
        memory = msgspec.json.decode(path.read_bytes(), type=_Memory)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return _Memory(state)
    return memory if memory.state == state else _Memory(state)


def _remember(repo: GitRepo, path: Path, memory: _Memory) -> None:
    """Write down what was found; where that cannot be, it is found again next time."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):
        repo.modes.make_folders(path.parent)
        repo.modes.write(part, msgspec.json.encode(memory))
        part.replace(path)
