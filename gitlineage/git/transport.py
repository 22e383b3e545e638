"""
Objects and refs on their way to and from a remote, by git's own programs.

Credentials, ssh's configuration and proxies are git's business. Nothing here moves a ref outside of what the
caller names, fetches tags, starts maintenance or runs a hook.
"""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from gitlineage.errors import GitFailed, RemoteError
from gitlineage.git import program
from gitlineage.text import one_line

Listener = Callable[[str], None] | None

_SETTINGS = ["-c", "protocol.version=2", "-c", "fetch.recurseSubmodules=false"]
_FETCH = ["--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules", "--refmap="]
_PUSH = ["--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no"]
_WORDS = 3
"""Lines of what git said that an error repeats."""

LOCKED = r"cannot lock ref|File exists|unable to update local ref"
"""What git says where another git is at work on the same refs, or a killed one was."""

_NOISE = re.compile(
    r"hint:|remote: (Enumerating|Counting|Compressing|Resolving|Total)|.*: +\d+% |Cloning into|Everything up-to-date"
    r"|remote: (Another git process|an editor opened by|are terminated|may have crashed|remove the file)"
    r"|To \S|From \S|Please make sure you have the correct access|and the repository exists|warning: redirecting"
)
_BOILERPLATE = re.compile(
    r"fatal: Could not read from remote repository|fatal: the remote end hung up|error: failed to"
)
_SECRET = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://)[^/@\s']*@")
_TELLING = re.compile(r"(fatal|error|ssh|remote|git|usage): |.*: (Permission denied|Connection)| ! ")
_HINTS = (
    (LOCKED, "busy"),
    (r"authentication|permission denied|access denied|could not read (username|password)|\b40[13]\b", "credentials"),
    (r"dubious ownership", "ownership"),
    (r"resolve host|connection|timed out|unable to access|unreachable|hung up|network", "network"),
    (r"not appear to be a git|does not exist|not found|no such|unable to find|pathname|repository", "address"),
    (r"no space|disk|read-only", "disk"),
    (r"shallow", "shallow"),
)
_ADVICE = {
    "busy": "another git is at work in this repository, try again; if it stays, a killed one left that file: remove it",
    "credentials": "check your access and git's credentials for it, then try again",
    "ownership": "`git config --global --add safe.directory PATH` allows it",
    "network": "check the network and the address (`git remote -v`), then try again",
    "address": "check the address (`git remote -v`) and that you may read it",
    "disk": "make room on the disk, then try again",
    "shallow": "`git fetch --unshallow` completes this clone",
    "": "nothing here was changed, try again",
}


class Pushed(msgspec.Struct, frozen=True):
    """
    What became of one ref in a push.

    Args:
        flag: git's sign for it: blank fast-forwarded, ``*`` new, ``=`` up to date, ``!`` rejected.
        ref: the ref on the remote.
        summary: git's short text, e.g. ``12ab..34cd``.
        reason: why it was rejected, with what the remote said.
    """

    flag: str
    ref: str
    summary: str
    reason: str

    @property
    def locked(self) -> bool:
        """Whether another git held the ref on the remote, or a killed one left its lock file there."""
        return bool(re.search(r"Unable to create .*\.lock", self.reason))


class Transport:
    """
    The way to one remote.

    Args:
        folder: where git runs, so that relative addresses in its configuration mean what they mean to git.
        named: whether it is the name of one that git's configuration holds.
        listener: hears git's progress; without one there is none.
    """

    def __init__(
        self, gitdir: Path, folder: Path, remote: str, *, named: bool = True, listener: Listener = None
    ) -> None:
        self._base = ["--git-dir", str(gitdir), *_SETTINGS]
        self._folder = folder
        self.remote = remote
        self._named = named
        self._listener = listener

    def fetch(self, refspecs: Sequence[str], *, prune: bool = False, dry_run: bool = False) -> None:
        """
        Fetch refs to where the refspecs say, and nothing else.

        Raises:
            RemoteError: it could not be done.
        """
        options = [*_FETCH, *(["--prune", "--no-prune-tags"] if prune else []), *(["--dry-run"] if dry_run else [])]
        self._run(["fetch", *options, *self._progress(), "--", self.remote, *refspecs])

    def push(self, source: str, ref: str, *, dry_run: bool = False) -> Pushed:
        """
        Push one object to one ref, as a fast-forward only.

        Raises:
            RemoteError: nothing is known of what became of it.
        """
        options = [*_PUSH, *(["--dry-run"] if dry_run else []), *self._progress()]
        words = ["push", *options, "--", self.remote, f"{source}:{ref}"]
        said = ""
        try:
            output = self._git([*self._aside(ref), *words])
        except GitFailed as error:
            output, said = error.output, error.message
            if not (pushed := _pushed(output, ref, said)):
                raise remote_error(self.remote, error) from error
            return pushed
        if not (pushed := _pushed(output, ref, said)):
            raise RemoteError(anonymous(self.remote), "git did not say what became of the push", _ADVICE[""])
        return pushed

    def refs(self, pattern: str) -> dict[str, str]:
        """
        Return the remote's refs that match a pattern, without fetching anything.

        Raises:
            RemoteError: it could not be asked.
        """
        lines = self._run(["ls-remote", "--refs", "--", self.remote, pattern]).decode("utf-8", "replace").splitlines()
        return {name: oid for oid, tab, name in (line.partition("\t") for line in lines) if tab}

    def _aside(self, ref: str) -> list[str]:
        """Return settings that keep a push from a mirror's rules, and from moving the ref here to what it pushed."""
        if not self._named or "=" in self.remote:
            return []
        return ["-c", f"remote.{self.remote}.mirror=false", "-c", f"remote.{self.remote}.fetch=^{ref}"]

    def _progress(self) -> list[str]:
        return ["--progress"] if self._listener is not None else ["--no-progress"]

    def _git(self, words: Sequence[str]) -> bytes:
        return program.run([*self._base, *words], cwd=self._folder, listener=self._listener)

    def _run(self, words: Sequence[str]) -> bytes:
        try:
            return self._git(words)
        except GitFailed as error:
            raise remote_error(self.remote, error) from error


def clone(
    url: str,
    folder: Path,
    refspecs: Sequence[str],
    *,
    bare: bool = False,
    branch: str | None = None,
    reference: Path | None = None,
    listener: Listener = None,
) -> None:
    """
    Clone a repository with its branches and tags, and what further refspecs fetch, in one go.

    What a reference holds is neither fetched nor copied: the clone reads it there, for as long as it is there.

    Raises:
        RemoteError: it could not be done; git leaves no half clone behind.
    """
    words = [*_SETTINGS, "clone", *(f"--config=remote.origin.fetch={refspec}" for refspec in refspecs)]
    words += [*(["--bare"] if bare else []), *(["--branch", branch] if branch else [])]
    words += ["--reference", str(reference.resolve())] if reference is not None else []
    words += ["--progress" if listener is not None else "--no-progress", "--", url, str(folder)]
    try:
        program.run(words, listener=listener)
    except GitFailed as error:
        raise remote_error(url, error) from error


def is_address(text: str) -> bool:
    """Whether a text is an address rather than a name: a URL, ``host:path``, or a path."""
    return "://" in text or "/" in text or ":" in text or os.path.isdir(text)


def address(text: str) -> str:
    """Return an address that means the same from every folder: a relative path becomes an absolute one."""
    remote = "://" in text or (":" in text.partition("/")[0] and not os.path.exists(text))
    return text if remote else os.path.abspath(text)


def anonymous(text: str) -> str:
    """Return text without the names and passwords that addresses in it hold, in one line."""
    return one_line(_SECRET.sub(r"\1", text))


def remote_error(remote: str, error: GitFailed) -> RemoteError:
    """Return what git said of a remote as an error: its last words, and what to do."""
    said = last_words(error.message) or f"git ended with status {error.status}"
    kind = next((kind for pattern, kind in _HINTS if re.search(pattern, said, re.IGNORECASE)), "")
    return RemoteError(anonymous(remote), said, _ADVICE[kind])


def last_words(said: str) -> str:
    """Return the lines of what git said that tell what went wrong, as one line without control characters."""
    lines = [anonymous(line).strip() for line in re.split(r"[\r\n]+", said)]
    lines = [line for line in dict.fromkeys(lines) if line and not _NOISE.match(line)]
    lines = re.sub(r":\n(?!fatal|error)", ": ", "\n".join(lines)).split("\n") if lines else []
    telling = [line for line in lines if not _BOILERPLATE.match(line)] or lines
    telling = [line for line in telling if _TELLING.match(line)] or telling
    return "; ".join(re.sub(r"^(fatal|error): ", "", line).rstrip(".") for line in telling[-_WORDS:])


def _pushed(output: bytes, ref: str, said: str) -> Pushed | None:
    """Return what git's machine-readable report says of a ref."""
    for line in output.decode("utf-8", "replace").splitlines():
        flag, *cells = line.split("\t")
        if len(flag) == 1 and len(cells) == 2 and cells[0].endswith(f":{ref}"):
            summary, _, reason = cells[1].partition(" (")
            words = [f"{one_line(summary).strip('[]')}: {one_line(reason.removesuffix(')'))}" if reason else ""]
            told = [anonymous(line)[len("remote:") :].strip() for line in said.splitlines() if line[:7] == "remote:"]
            heard = [line.rstrip(".") for line in dict.fromkeys(told) if line and not _NOISE.match(f"remote: {line}")]
            return Pushed(flag, ref, summary, "; ".join(filter(None, [*words, *heard[-_WORDS:]])))
    return None
