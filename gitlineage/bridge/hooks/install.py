"""
Git hooks put into a repository and taken out again, never over a user's own; start at `install`.

The scripts are those of the project's folder ``hooks``, which a wheel carries inside the package. A script of
ours is known by its second line, which names its version.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gitlineage import house
from gitlineage.errors import HookTaken, Invalid, StorageError
from gitlineage.git import program
from gitlineage.git.repository import GitRepo

CLIENT = ("post-commit", "post-merge", "post-rewrite", "pre-push")
"""Hooks of a repository that somebody works in."""

SERVER = ("pre-receive",)
"""Hooks of a repository that others push to."""

NAMES = CLIENT + SERVER

_MARK = re.compile(rb"#![^\n]*\n# gitlineage hook (\d{1,9}): ")
_FIRST = b"#!/bin/sh\n# pre-push: what this clone recorded travels with the branch that is pushed."
"""How the script began that was copied by hand before there was `install`; it counts as version 0."""

_USER = ".user"
_REPLACED = ".replaced"


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """
    One hook as it stands in a repository.

    Args:
        name: git's name for it.
        state: ``installed``, ``outdated`` (ours, of another version), ``foreign`` (somebody else's) or ``absent``.
        path: where git looks for it.
        user: the user's own hook that is called first, if there is one.
        replaced: the user's own hook that was put aside, if there is one.
    """

    name: str
    state: str
    path: str
    user: str | None = None
    replaced: str | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What was done about a hook: the outcome in one or two words, and where the user's own one is now."""

    name: str
    outcome: str
    path: str
    user: str | None = None


def folder(repo: GitRepo) -> Path:
    """Return where git looks for a repository's hooks: all worktrees share it, and ``core.hooksPath`` may move it."""
    where = repo.workdir or repo.gitdir
    said = program.run(["rev-parse", "--git-path", "hooks"], cwd=where, variables={"GIT_DIR": str(repo.gitdir)})
    return (where / os.fsdecode(said.removesuffix(b"\n"))).resolve()


def listed(repo: GitRepo, names: Sequence[str] = ()) -> list[Hook]:
    """
    Return hooks as they stand, by default all that there are.

    Raises:
        Invalid: there is no such hook.
    """
    where = folder(repo)
    return [_look(where, name) for name in _checked(names or NAMES)]


def install(
    repo: GitRepo, names: Sequence[str] = (), *, chain: bool = False, force: bool = False, command: Path | None = None
) -> list[Change]:
    """
    Install hooks; where one cannot be, none is.

    Args:
        repo: the repository; by default a bare one gets those of a server, any other those of a client.
        chain: keep a user's hook as ``<name>.user``, which ours calls first.
        force: put a user's hook aside as ``<name>.replaced``.
        command: the program that hooks call where ``gitlineage`` is not on the path; noted in git's configuration.

    Raises:
        HookTaken: a user's hook is there, and neither ``chain`` nor ``force`` says what to do about it.
        Invalid: there is no such hook.
        StorageError: the folder cannot be written.
    """
    wanted = _checked(names or (CLIENT if repo.workdir is not None else SERVER))
    where = folder(repo)
    scripts = {name: script(name) for name in wanted}
    hooks = [_look(where, name) for name in wanted]
    for hook in hooks:
        if hook.state != "foreign":
            continue
        if not chain and not force:
            raise HookTaken(hook.name, hook.path)
        aside = hook.user if chain else hook.replaced
        if aside is not None:
            raise HookTaken(hook.name, hook.path, aside)
    if command is not None and repo.config(house.PROGRAM) != str(command):
        repo.set_config(house.PROGRAM, str(command))
    with _writing(where):
        repo.modes.make_folders(where)
        return [_put(repo, where, hook, scripts[hook.name], _USER if chain else _REPLACED) for hook in hooks]


def remove(repo: GitRepo, names: Sequence[str] = ()) -> list[Change]:
    """
    Remove hooks of ours and put the user's own ones back, whether they were chained or put aside.

    Args:
        names: which; by default all of ours. A user's hook is left alone.

    Raises:
        HookTaken: one that was named is not ours.
        Invalid: there is no such hook.
        StorageError: the folder cannot be written.
    """
    where = folder(repo)
    hooks = [_look(where, name) for name in _checked(names or NAMES)]
    for hook in hooks:
        if names and hook.state == "foreign":
            raise HookTaken(hook.name, hook.path, removing=True)
    with _writing(where):
        return [_take(where, hook) for hook in hooks if names or hook.state in ("installed", "outdated")]


def script(name: str) -> bytes:
    """Return the script that ships for a hook, from a wheel or from a checkout."""
    from importlib import resources  # a hook that runs has no use of it
    from importlib.resources.abc import Traversable

    shipped: Traversable = resources.files("gitlineage") / "hooks_shipped"
    if not shipped.is_dir():
        shipped = Path(__file__).parents[3] / "hooks"
    return (shipped / name).read_bytes()


def own_program() -> Path | None:
    """Return the ``gitlineage`` script that belongs to the Python that runs now, or the one on the path."""
    beside = Path(sys.executable).parent / "gitlineage"
    if beside.is_file() and os.access(beside, os.X_OK):
        return beside
    on_path = shutil.which("gitlineage")
    return Path(on_path).absolute() if on_path else None


def _checked(names: Iterable[str]) -> list[str]:
    for name in (wanted := list(dict.fromkeys(names))):
        if name not in NAMES:
            raise Invalid(f"there is no hook {name!r}; it is one of {', '.join(NAMES)}")
    return wanted


def _look(where: Path, name: str) -> Hook:
    path = where / name
    state = "absent"
    if os.path.lexists(path):
        state = "foreign"
        try:
            raw = path.read_bytes()
        except OSError:  # a link that leads nowhere, or a file that only its owner reads
            raw = b""
        if _MARK.match(raw) or raw.startswith(_FIRST):
            state = "installed" if raw == script(name) and os.access(path, os.X_OK) else "outdated"
    user, replaced = where / f"{name}{_USER}", where / f"{name}{_REPLACED}"
    return Hook(
        name=name,
        state=state,
        path=str(path),
        user=str(user) if os.path.lexists(user) else None,
        replaced=str(replaced) if os.path.lexists(replaced) else None,
    )


def _put(repo: GitRepo, where: Path, hook: Hook, text: bytes, suffix: str) -> Change:
    path = where / hook.name
    if hook.state == "installed":
        return Change(name=hook.name, outcome="installed already", path=hook.path, user=hook.user or hook.replaced)
    aside = None
    if hook.state == "foreign":
        aside = f"{path}{suffix}"
        path.rename(aside)
    fresh = where / f".{hook.name}.{os.getpid()}"
    try:
        repo.modes.write(fresh, text, 0o777)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        if aside is not None:
            Path(aside).rename(path)
        raise
    outcome = {"absent": "installed", "outdated": "updated"}.get(hook.state)
    outcome = outcome or ("chained" if suffix == _USER else "replaced")
    return Change(name=hook.name, outcome=outcome, path=hook.path, user=aside)


def _take(where: Path, hook: Hook) -> Change:
    if hook.state == "absent":
        return Change(name=hook.name, outcome="not installed", path=hook.path)
    path = where / hook.name
    own = hook.user or hook.replaced
    if own is None:
        path.unlink()
        return Change(name=hook.name, outcome="removed", path=hook.path)
    Path(own).replace(path)
    return Change(name=hook.name, outcome="removed, yours is back", path=hook.path, user=str(path))


@contextmanager
def _writing(where: Path) -> Iterator[None]:
    """Turn what the disk says while hooks are written into our error."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write to {where}: {error.strerror}") from error
