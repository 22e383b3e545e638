"""
Parameters whose text is what the command gets, or spells a number; whatever else there is to convert is typer's.

Typer converts with pydantic, and loading that takes as long as all else that a reading command does.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any, get_args, get_origin

from typer.core import TyperArgument, TyperOption

_NUMBER = re.compile("-?[0-9]{1,9}")


def make_plain(parameter: Any) -> None:
    """Let a parameter that typer has made take plain values as they are."""
    if isinstance(parameter, TyperOption | TyperArgument) and "process_value" not in vars(parameter):
        parameter.process_value = partial(_processed, parameter, parameter.process_value)  # type: ignore[method-assign]


def _processed(parameter: Any, by_typer: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    """Return what the command gets; what is not plain is for typer, and so is all where typer has changed inside."""
    try:
        plain = _read(parameter, value)
    except (AttributeError, ValueError):
        return by_typer(ctx, value)
    return parameter.callback(ctx, parameter, plain) if parameter.callback else plain


def _read(parameter: Any, value: Any) -> Any:
    declared = parameter.type_descriptor
    wanted, several = declared.annotation, get_origin(declared.annotation) is list
    if value is None and not parameter.required:
        return () if several else None
    if (not value and several) or declared.is_path or declared.parameter_info.parser:
        raise ValueError("for typer")
    if several:
        return [_read_one(parameter, get_args(wanted)[0], each) for each in value]
    return _read_one(parameter, wanted, value)


def _read_one(parameter: Any, wanted: Any, value: Any) -> Any:
    if isinstance(wanted, type) and issubclass(wanted, StrEnum):
        return wanted(value)
    if wanted is int and isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value)
    if wanted not in (int, str) or type(value) is not wanted:
        raise ValueError("for typer")
    if wanted is int:
        low, high = parameter.min, parameter.max
        if (low is not None and value < low) or (high is not None and value > high):
            raise ValueError("for typer")
    return value
