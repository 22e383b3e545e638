"""
What is plainly no recipe: untracked paths that a snapshot leaves out; the list, and how it is told.

The list is written as git reads ignore rules, and git itself applies it, below the user's own rules.
"""

import re
from collections import Counter
from collections.abc import Iterable
from fnmatch import translate

from gitlineage.house import INCLUDE
from gitlineage.text import counted

PATTERNS = (
    # what programs make of the recipe, or fetch for it
    "__pycache__/",
    "*.pyc",
    "*.pyo",
    "node_modules/",
    ".ipynb_checkpoints/",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    # secrets
    ".env",
    ".env.*",
    "!.env.example",
    "!.env.sample",
    "!.env.template",
    ".netrc",
    ".git-credentials",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.ppk",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    # editors
    "*~",
    "*.swo",
    "*.swp",
    r"\#*#",
    ".#*",
    ".idea/",
    ".vscode/",
    # operating systems
    ".DS_Store",
    "._*",
    "Thumbs.db",
    "desktop.ini",
    ".nfs*",
    ".fuse_hidden*",
)
"""Ignore rules for what is no recipe; besides, a folder with `ENVIRONMENT` in it is left out."""

ENVIRONMENT = "pyvenv.cfg"
"""The file that makes a folder a virtual environment of Python."""

_NAMED = 4
_SPECIAL = re.compile(r"([\\*?\[])")
_BARE = [pattern.removeprefix("\\").rstrip("/") for pattern in PATTERNS if not pattern.startswith("!")]
_OURS = [re.compile(translate(pattern)) for pattern in _BARE]
_WHOLE = frozenset(pattern for pattern in _BARE if "*" not in pattern)
_BEGIN = tuple(pattern.partition("*")[0] for pattern in _BARE if "*" in pattern[1:])
_END = tuple(pattern[1:] for pattern in _BARE if pattern.startswith("*"))


def rules(environments: Iterable[str], include: Iterable[str]) -> str:
    """
    Return the list as a file of ignore rules.

    Args:
        environments: folders that are virtual environments.
        include: patterns of what is wanted all the same.
    """
    folders = ["/" + _SPECIAL.sub(r"\\\1", folder) + "/" for folder in environments if "\n" not in folder]
    return "".join(f"{line}\n" for line in (*PATTERNS, *folders, *(f"!{pattern}" for pattern in include)))


def suspects(paths: Iterable[str]) -> bool:
    """Whether git may find something of the list among some paths, where it heeds upper and lower case."""
    names = {name for path in paths for name in path.split("/")}
    return any(
        name in _WHOLE or name == ENVIRONMENT or name.startswith(_BEGIN) or name.endswith(_END) for name in names
    )


def environments(paths: Iterable[str]) -> list[str]:
    """Return the folders that are virtual environments, by the files in them."""
    return [path[: -len(ENVIRONMENT) - 1] for path in paths if path.endswith(f"/{ENVIRONMENT}")]


def grouped(paths: Iterable[str], folders: Iterable[str]) -> dict[str, int]:
    """Return how many paths were left out by what left them out: a kind of folder or of file, the largest first."""
    known = set(folders)
    return dict(Counter(_reason(path, known) for path in paths).most_common())


def told(groups: dict[str, int]) -> str:
    """Return in one line what was left out, and how it would be taken in."""
    names = [f"{name} ({count:,})" if count > 1 else name for name, count in list(groups.items())[:_NAMED]]
    if len(groups) > _NAMED:
        names.append("…")
    return (
        f"left out {counted(sum(groups.values()), 'untracked file')}, no recipe: {', '.join(names)}; a line !PATTERN "
        f"in .gitignore, or git config --add {INCLUDE} PATTERN, takes them in"
    )


def _reason(path: str, folders: set[str]) -> str:
    parts = path.split("/")
    for at, name in enumerate(parts, 1):
        if "/".join(parts[:at]) in folders:
            return f"{'/'.join(parts[:at])}/"
        if any(ours.match(name) for ours in _OURS):
            return name if at == len(parts) else f"{name}/"
    return path
