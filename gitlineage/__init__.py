"""
Git-native, content-addressed lineage for research loops: the names that are stable, and nothing else.

Each is imported when it is first used, so that a command that needs no store does not load one.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gitlineage._version import __version__

if TYPE_CHECKING:
    from gitlineage.adoption import Adopted
    from gitlineage.asynchronous import AsyncLineageStore
    from gitlineage.bisecting import Bisection
    from gitlineage.blame import Blame, Regression
    from gitlineage.catalogue import CatalogEntry, ForgePhase, ForgeRecord, ImpactReport
    from gitlineage.checkout import Written
    from gitlineage.chronicle import AuditEntry, LineageEvent
    from gitlineage.current import Watcher
    from gitlineage.errors import (
        Ambiguous,
        BadBundle,
        BadFiles,
        BadRows,
        BisectFailed,
        CohortMismatch,
        Conflict,
        CorruptEvent,
        Cycle,
        DrawingFailed,
        Duplicate,
        GitFailed,
        HookTaken,
        Incomplete,
        InThePast,
        Invalid,
        InvalidContent,
        InvalidTrial,
        LineageError,
        Locked,
        MissingObject,
        NotFound,
        RemoteError,
        RepositoryError,
        SigningError,
        StorageError,
        TaskInUse,
        TooMuch,
        UnsupportedRepository,
    )
    from gitlineage.folders import Taken
    from gitlineage.frames import Trials
    from gitlineage.inferring import Inferred
    from gitlineage.judging import Noise, Verdict
    from gitlineage.models import (
        AncestryNode,
        Cohort,
        CommitOid,
        LineageSnapshot,
        PromptOptions,
        Reparenting,
        Snapshot,
        Task,
        TrialView,
    )
    from gitlineage.nearest import Candidate, Nearest
    from gitlineage.relation import EvolutionStep, Relationship, RelationType
    from gitlineage.remotes import Exchange, RefOutcome
    from gitlineage.render.diagram import Diagram
    from gitlineage.restoring import Restored
    from gitlineage.store import LineageStore
    from gitlineage.treediff import RecipeEdit
    from gitlineage.trial import FailureLabel, Trial
    from gitlineage.verify import Finding

__all__ = [
    "Adopted",
    "Ambiguous",
    "AncestryNode",
    "AsyncLineageStore",
    "AuditEntry",
    "BadBundle",
    "BadFiles",
    "BadRows",
    "BisectFailed",
    "Bisection",
    "Blame",
    "Candidate",
    "CatalogEntry",
    "Cohort",
    "CohortMismatch",
    "CommitOid",
    "Conflict",
    "CorruptEvent",
    "Cycle",
    "Diagram",
    "DrawingFailed",
    "Duplicate",
    "EvolutionStep",
    "Exchange",
    "FailureLabel",
    "Finding",
    "ForgePhase",
    "ForgeRecord",
    "GitFailed",
    "HookTaken",
    "ImpactReport",
    "InThePast",
    "Incomplete",
    "Inferred",
    "Invalid",
    "InvalidContent",
    "InvalidTrial",
    "LineageError",
    "LineageEvent",
    "LineageSnapshot",
    "LineageStore",
    "Locked",
    "MissingObject",
    "Nearest",
    "Noise",
    "NotFound",
    "PromptOptions",
    "RecipeEdit",
    "RefOutcome",
    "Regression",
    "RelationType",
    "Relationship",
    "RemoteError",
    "Reparenting",
    "RepositoryError",
    "Restored",
    "SigningError",
    "Snapshot",
    "StorageError",
    "Taken",
    "Task",
    "TaskInUse",
    "TooMuch",
    "Trial",
    "TrialView",
    "Trials",
    "UnsupportedRepository",
    "Verdict",
    "Watcher",
    "Written",
    "__version__",
]

_HOMES = {
    "adoption": ["Adopted"],
    "asynchronous": ["AsyncLineageStore"],
    "bisecting": ["Bisection"],
    "blame": ["Blame", "Regression"],
    "catalogue": ["CatalogEntry", "ForgePhase", "ForgeRecord", "ImpactReport"],
    "checkout": ["Written"],
    "chronicle": ["AuditEntry", "LineageEvent"],
    "current": ["Watcher"],
    "folders": ["Taken"],
    "frames": ["Trials"],
    "inferring": ["Inferred"],
    "judging": ["Noise", "Verdict"],
    "models": [
        "AncestryNode",
        "Cohort",
        "CommitOid",
        "LineageSnapshot",
        "PromptOptions",
        "Reparenting",
        "Snapshot",
        "Task",
        "TrialView",
    ],
    "nearest": ["Candidate", "Nearest"],
    "relation": ["EvolutionStep", "RelationType", "Relationship"],
    "remotes": ["Exchange", "RefOutcome"],
    "render.diagram": ["Diagram"],
    "restoring": ["Restored"],
    "store": ["LineageStore"],
    "treediff": ["RecipeEdit"],
    "trial": ["FailureLabel", "Trial"],
    "verify": ["Finding"],
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'gitlineage' has no attribute {name!r}")
    return getattr(import_module(f"gitlineage.{_HOME.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return __all__
