"""
What a session-start hook says: the lineage prompt, in the form and size that an agent takes; start with
`session_start`.

It never stands in an agent's way: without lineage, or with input that is none, it says nothing.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gitlineage.agents.agent import Agent, answered
from gitlineage.errors import Incomplete, LineageError
from gitlineage.model.records import LEAST_BUDGET

if TYPE_CHECKING:
    from gitlineage.store.store import LineageStore

LONGEST = 9_500
"""Characters that a hook prints at the most, counted in UTF-16 as agents count them: one of them cuts at 10,000."""

_QUOTED = 300
"""Characters that JSON puts around a prompt and into it, so that mostly the first one fits."""


def folder_of(data: bytes, here: Path) -> Path | None:
    """
    Return the folder that an agent's session is in; ``None`` where its input is none.

    Args:
        data: what the agent wrote to the hook: a JSON object, or nothing.
        here: the folder that the hook was started in.
    """
    if not data.strip():
        return here
    try:
        said = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(said, Mapping):
        return None
    roots = said.get("workspace_roots")
    for each in (said.get("cwd"), *(roots if isinstance(roots, list) else ())):
        if isinstance(each, str) and each and "\0" not in each and os.path.isdir(each):
            return Path(each)
    return here


def session_start(store: "LineageStore", agent: Agent, specialist: str, timestamp: str) -> str:
    """
    Return what an agent's hook prints at the start of a session.

    What the agent reads is recorded where the repository can be written.

    Args:
        store: the lineage.
        agent: who asks.
        specialist: whom the prompt is for.
        timestamp: when, as it is to be printed.
    """
    budget = LONGEST - _QUOTED if agent.answer else LONGEST
    while True:
        shown = store.render_prompt(specialist, session_timestamp=timestamp, budget=budget)
        answer = answered(agent, shown.rendered_prompt)
        length = _length(answer)
        if length <= LONGEST or budget == LEAST_BUDGET:
            break
        budget = max(budget * LONGEST // length - _QUOTED, LEAST_BUDGET)
    _attempt(lambda: store.record_session(shown))
    return answer


def _attempt(record: Callable[[], Any]) -> None:
    """Record what was read; a sandbox, another writer or a full disk may be in the way."""
    try:
        record()
    except Incomplete:
        raise
    except (LineageError, OSError):
        return


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
