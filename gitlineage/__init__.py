"""
Git-native, content-addressed lineage for research loops: the names that are stable.

Each is imported when it is first used, so that a command which needs no store loads none, and minds Ctrl-C at once.
"""

from importlib import import_module

from gitlineage._version import __version__

TYPE_CHECKING = False  # as `typing` has it, which takes milliseconds to load
if TYPE_CHECKING:
    from typing import Any

    from gitlineage.errors import (
        AlreadyTried,
        Ambiguous,
        BadBundle,
        BadConfig,
        BadFiles,
        BadRows,
        BisectFailed,
        Busy,
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
        Unclear,
        UnsupportedRepository,
        WouldLose,
    )
    from gitlineage.git.accept import Accepted
    from gitlineage.git.checkout import Written
    from gitlineage.git.folders import Taken
    from gitlineage.git.restore import Restored
    from gitlineage.model.catalogue import CatalogEntry, ForgeIntent, ForgePhase, ForgeRecord, ImpactReport
    from gitlineage.model.frames import Trials
    from gitlineage.model.records import (
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
    from gitlineage.model.relation import EvolutionStep, Relationship, RelationType
    from gitlineage.model.trial import FailureLabel, Trial
    from gitlineage.query.audit import AuditEntry, LineageEvent
    from gitlineage.query.bisect import Bisection
    from gitlineage.query.blame import Blame, Regression
    from gitlineage.query.comparing import Comparison, RankTest, Side
    from gitlineage.query.diff import RecipeEdit
    from gitlineage.query.infer import Inferred
    from gitlineage.query.judge import Noise, Verdict
    from gitlineage.query.nearest import Candidate, Nearest
    from gitlineage.query.stats import Stat
    from gitlineage.query.tried import Alike, Tried
    from gitlineage.query.words import Said, Standing
    from gitlineage.record.adoption import Adopted
    from gitlineage.record.verify import Finding
    from gitlineage.record.watcher import Watcher
    from gitlineage.render.diagram import Diagram
    from gitlineage.store.asynchronous import AsyncLineageStore
    from gitlineage.store.store import LineageStore
    from gitlineage.sync.remotes import Exchange, RefOutcome

__all__ = [
    "Accepted",
    "Adopted",
    "Alike",
    "AlreadyTried",
    "Ambiguous",
    "AncestryNode",
    "AsyncLineageStore",
    "AuditEntry",
    "BadBundle",
    "BadConfig",
    "BadFiles",
    "BadRows",
    "BisectFailed",
    "Bisection",
    "Blame",
    "Busy",
    "Candidate",
    "CatalogEntry",
    "Cohort",
    "CohortMismatch",
    "CommitOid",
    "Comparison",
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
    "ForgeIntent",
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
    "RankTest",
    "RecipeEdit",
    "RefOutcome",
    "Regression",
    "RelationType",
    "Relationship",
    "RemoteError",
    "Reparenting",
    "RepositoryError",
    "Restored",
    "Said",
    "Side",
    "SigningError",
    "Snapshot",
    "Standing",
    "Stat",
    "StorageError",
    "Taken",
    "Task",
    "TaskInUse",
    "TooMuch",
    "Trial",
    "TrialView",
    "Trials",
    "Tried",
    "Unclear",
    "UnsupportedRepository",
    "Verdict",
    "Watcher",
    "WouldLose",
    "Written",
    "__version__",
]

_HOMES = {
    "git.accept": ["Accepted"],
    "record.adoption": ["Adopted"],
    "store.asynchronous": ["AsyncLineageStore"],
    "query.bisect": ["Bisection"],
    "query.blame": ["Blame", "Regression"],
    "model.catalogue": ["CatalogEntry", "ForgeIntent", "ForgePhase", "ForgeRecord", "ImpactReport"],
    "git.checkout": ["Written"],
    "query.audit": ["AuditEntry", "LineageEvent"],
    "record.watcher": ["Watcher"],
    "git.folders": ["Taken"],
    "model.frames": ["Trials"],
    "query.comparing": ["Comparison", "RankTest", "Side"],
    "query.stats": ["Stat"],
    "query.infer": ["Inferred"],
    "query.judge": ["Noise", "Verdict"],
    "model.records": [
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
    "query.nearest": ["Candidate", "Nearest"],
    "query.tried": ["Alike", "Tried"],
    "query.words": ["Said", "Standing"],
    "model.relation": ["EvolutionStep", "RelationType", "Relationship"],
    "sync.remotes": ["Exchange", "RefOutcome"],
    "render.diagram": ["Diagram"],
    "git.restore": ["Restored"],
    "store.store": ["LineageStore"],
    "query.diff": ["RecipeEdit"],
    "model.trial": ["FailureLabel", "Trial"],
    "record.verify": ["Finding"],
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> "Any":
    if name not in __all__:
        raise AttributeError(f"module 'gitlineage' has no attribute {name!r}")
    return getattr(import_module(f"gitlineage.{_HOME.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return __all__
