"""
Edits of a recipe's files, as the demo's specialists make them, and their crossover.

An edit that does not fit the files it is given is refused, so that none silently does nothing.
"""

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from gitlineage.git import program

Files = Mapping[str, bytes]
"""A recipe: content by path."""

Edit = Callable[[Files], Files]
"""One change to a recipe: the parent's files in, the child's out."""


def constant(name: str, value: str, path: str = "train.py") -> Edit:
    """Set a constant of a script."""
    return _substitution(path, rf"^{name} = .*$", f"{name} = {value}")


def passage(old: str, new: str, path: str = "train.py") -> Edit:
    """Replace a passage of a file."""
    return _substitution(path, re.escape(old), new)


def add(path: str, text: str) -> Edit:
    """Add a file."""

    def edit(files: Files) -> Files:
        if path in files:
            raise ValueError(f"{path} is there already, it cannot be added")
        return {**files, path: text.encode()}

    return edit


def move(path: str, to: str, text: str) -> Edit:
    """Give a file a new name and new content."""

    def edit(files: Files) -> Files:
        if path not in files:
            raise ValueError(f"{path} is not there, it cannot be moved")
        return add(to, text)({name: content for name, content in files.items() if name != path})

    return edit


def apply(edits: Iterable[Edit], files: Files) -> Files:
    """
    Apply edits one after the other.

    Raises:
        ValueError: one of them does not fit the files.
    """
    for edit in edits:
        files = edit(files)
    return files


def crossover(ancestor: Files, base: Files, mate: Files) -> Files:
    """
    Merge what two recipes changed since their common ancestor, as ``git merge`` would.

    Raises:
        GitFailed: both changed the same lines.
    """
    merged = {}
    for path in sorted({*base, *mate}):
        old, ours, theirs = ancestor.get(path), base.get(path), mate.get(path)
        content = theirs if ours == old else ours if theirs in (old, ours) else _merged(old, ours, theirs)
        if content is not None:
            merged[path] = content
    return merged


def _merged(*versions: bytes | None) -> bytes:
    """Merge a file that both sides changed, given as the ancestor's, ours and theirs."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in zip(("old", "ours", "theirs"), versions, strict=True):
            Path(folder, name).write_bytes(content or b"")
        return program.run(["merge-file", "-p", "ours", "old", "theirs"], cwd=folder)


def _substitution(path: str, pattern: str, new: str) -> Edit:
    """Return the edit that replaces what a pattern matches, which must be exactly one place."""

    def edit(files: Files) -> Files:
        text, places = re.subn(pattern, lambda _: new, files[path].decode(), flags=re.MULTILINE)
        if places != 1:
            raise ValueError(f"{path} has {places} places like {pattern!r}; the edit needs exactly one")
        return {**files, path: text.encode()}

    return edit
