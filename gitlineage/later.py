"""Modules, and patterns, that are made when they are first used, so that a command starts with what it needs."""

import re
from importlib import import_module
from typing import Any, AnyStr, cast


class Later:
    """
    Stands for a module; what is asked of it is the module's.

    Args:
        name: the module's whole name.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        module = self._module = vars(self).get("_module") or import_module(self._name)
        return getattr(module, name)


def later(name: str, *inside: str) -> Any:
    """Return what stands for a module until it is needed; where modules inside of it are named, a list with each."""
    return [Later(f"{name}.{each}") for each in inside] if inside else Later(name)


class _Pattern:
    """Stands for a pattern; what is asked of it is the pattern's."""

    def __init__(self, text: Any, flags: int) -> None:
        self._told = text, flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(*self._told), name)
        setattr(self, name, found)
        return found


def pattern(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what stands for a regular expression until it is first used; a command uses few of those that it loads."""
    return cast("re.Pattern[AnyStr]", _Pattern(text, flags))
