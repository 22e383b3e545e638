"""The shop window: what a caller of the store meets is exported, from where it is defined."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NewType, get_args

import pytest

import gitlineage
from gitlineage import LineageStore, errors

PACKAGE = Path(gitlineage.__file__).parent
OURS = {
    node.name
    for path in PACKAGE.rglob("*.py")
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.ClassDef)
}
INSIDE = {"GitRepo", "Identity", "Recorded", "Recorder", "Row", "Views"}
"""What the package's own modules hand to each other over the store, and nobody else is promised."""


def public() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Return the public methods and properties of a store."""
    for name, member in inspect.getmembers(LineageStore):
        if not name.startswith("_"):
            yield name, member.fget if isinstance(member, property) else member


def named(annotation: Any) -> set[str]:
    """Return the package's own classes and id types in an annotation."""
    if isinstance(annotation, str):
        return set(re.findall(r"\w+", annotation)) & OURS
    if isinstance(annotation, list):  # a callable's arguments
        return set().union(*map(named, annotation))
    found = set().union(*map(named, get_args(annotation)))
    ours = getattr(annotation, "__module__", "").startswith("gitlineage") and not get_args(annotation)
    return found | {annotation.__name__} if ours and isinstance(annotation, type | NewType) else found


@pytest.mark.parametrize("name", [name for name in gitlineage.__all__ if name != "__version__"])
def test_a_name_comes_from_its_home(name: str) -> None:
    """Every exported name is there, and is imported from the module that defines it."""
    found = getattr(gitlineage, name)
    assert found.__module__ == f"gitlineage.{gitlineage._HOME.get(name, 'errors')}"


def test_every_home_is_exported() -> None:
    """No name has a home without being exported."""
    assert set(gitlineage._HOME) <= set(gitlineage.__all__)


def test_what_is_raised_is_exported() -> None:
    """A caller can catch every error by its name."""
    raised = [each for _, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__]
    assert {each.__name__ for each in raised} <= set(gitlineage.__all__)


def test_what_is_returned_and_taken_is_exported() -> None:
    """A caller can name whatever a public method returns or takes."""
    missing = {}
    for name, method in public():
        signature = inspect.signature(method)
        hints = [signature.return_annotation, *(each.annotation for each in signature.parameters.values())]
        met = set().union(*map(named, hints))
        if unknown := met - set(gitlineage.__all__) - INSIDE:
            missing[name] = sorted(unknown)
    assert missing == {}


def test_annotations_are_understood() -> None:
    """The test above sees through quotes, unions, lists and id types."""
    hints = {name: named(inspect.signature(method).return_annotation) for name, method in public()}
    assert hints["audit"] == {"AuditEntry"}
    assert hints["adopt"] == {"CommitOid"}
    assert hints["cloned"] >= {"Exchange"}
    assert hints["best"] == {"Trial"}
    assert hints["analyze_deprecation"] == {"ImpactReport"}
