"""Modules that are imported when something of them is first used, so that a command starts with what it needs."""

from importlib import import_module
from typing import Any


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
