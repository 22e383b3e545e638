"""
Git-native, content-addressed lineage for research loops: the names that are stable, and nothing else.
"""

from gitlineage._version import __version__
from gitlineage.errors import (
    Ambiguous,
    BadRows,
    CohortMismatch,
    Conflict,
    CorruptEvent,
    Duplicate,
    GitFailed,
    Invalid,
    InvalidContent,
    InvalidTrial,
    LineageError,
    NotFound,
    RepositoryError,
    StorageError,
    UnsupportedRepository,
)
from gitlineage.models import (
    AncestryNode,
    Cohort,
    LineageSnapshot,
    PromptOptions,
    Snapshot,
    Task,
    TrialView,
)
from gitlineage.store import LineageStore, Watcher
from gitlineage.treediff import RecipeEdit
from gitlineage.trial import FailureLabel, Trial

__all__ = [
    "Ambiguous",
    "AncestryNode",
    "BadRows",
    "Cohort",
    "CohortMismatch",
    "Conflict",
    "CorruptEvent",
    "Duplicate",
    "FailureLabel",
    "GitFailed",
    "Invalid",
    "InvalidContent",
    "InvalidTrial",
    "LineageError",
    "LineageSnapshot",
    "LineageStore",
    "NotFound",
    "PromptOptions",
    "RecipeEdit",
    "RepositoryError",
    "Snapshot",
    "StorageError",
    "Task",
    "Trial",
    "TrialView",
    "UnsupportedRepository",
    "Watcher",
    "__version__",
]
