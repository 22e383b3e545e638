"""The tree of errors: what the module draws is what it defines."""

import inspect
import re

from gitlineage import errors

_BRANCH = re.compile(r"((?:│   |    )*(?:├── |└── )?)(\w+)(?: \((\w+)\))?( +\S.*)?")


def test_the_drawn_tree_is_the_tree() -> None:
    """Every class stands once in the docstring, under the one it derives from, with what else it is."""
    drawing = (errors.__doc__ or "").split("```")[1].strip().splitlines()
    drawn: list[tuple[str, tuple[str, ...]]] = []
    above: list[str] = []
    for line in drawing:
        marks, name, other, said = _BRANCH.fullmatch(line).groups()
        depth = len(marks) // 4
        assert said or depth == 0, f"{name} is not explained"
        above[depth:] = [name]
        drawn.append((name, (above[depth - 1] if depth else "Exception", *filter(None, [other]))))
    defined = [
        (each.__name__, tuple(base.__name__ for base in each.__bases__))
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if each.__module__ == errors.__name__
    ]
    assert sorted(drawn) == sorted(defined)
