"""
What the parts of a store have in common: the ledger that each of them records in and asks.

The parts are in the modules beside this one; `LineageStore` hands each its ledger.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from gitlineage.query.views import Views
from gitlineage.record.ledger import Ledger

P = ParamSpec("P")
R = TypeVar("R")


class Part:
    """
    A part of a store.

    Args:
        ledger: where it records, and whom it asks.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        """The open repository beneath, for what is built on top of a store."""

    @property
    def _views(self) -> Views:
        return self.ledger.models


def reading(method: "Callable[Concatenate[Any, P], R]") -> "Callable[Concatenate[Any, P], R]":
    """Have the ledger bring its index up to date before a question to a store or a part of one."""

    @wraps(method)
    def wrapper(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        ledger: Ledger = self.ledger
        return ledger.ask(partial(method, self, *args, **kwargs))

    return wrapper
