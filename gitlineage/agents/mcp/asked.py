"""What the tools take: a record for each, whose fields, defaults and bounds are the schema that clients see."""

from typing import Annotated

import msgspec
from msgspec import Meta

LONGEST_WAIT = 90
"""Seconds that a tool waits at the most: clients put calls of over two minutes aside."""

Count = Annotated[int, Meta(ge=1, le=100)]


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a tool without arguments takes."""


class ToPrompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `lineage_prompt` takes."""

    specialist: str = "agent"
    budget: Annotated[int, Meta(ge=1000, le=200_000)] = 9500


class ToRank(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `leaderboard` takes."""

    n: Count = 10


class ToShow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `show` and `run_cancel` take."""

    id: str


class ToCompare(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `diff` takes; without ``b`` it is what ``a`` changed."""

    a: str
    b: str = ""


class ToSearch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `search` takes."""

    query: str
    limit: Count = 10


class ToTry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `tried` takes; the folder is looked at below the repository, ``.`` is the working tree."""

    hypothesis: str = ""
    folder: str = ""


class ToRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `record` takes; without an id it records the working tree as a new snapshot."""

    hypothesis: str = ""
    id: str = ""
    score: float | None = None
    status: str = ""
    notes: str = ""
    specialist: str = ""
    parents: list[str] = []


class ToRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `run_start` takes."""

    command: Annotated[list[str], Meta(min_length=1)]
    hypothesis: str
    parents: list[str] = []
    timeout_s: Annotated[float, Meta(gt=0)] | None = None
    specialist: str = ""
    repeat: bool = False


class ToWait(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `run_wait` takes."""

    id: str
    seconds: Annotated[float, Meta(ge=0, le=LONGEST_WAIT)] = LONGEST_WAIT


class ToLog(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `run_log` takes: how many of the last lines."""

    id: str
    tail: Annotated[int, Meta(ge=1, le=1000)] = 50


class ToSync(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sync` takes; the default remote where none is named."""

    remote: str = ""
