"""What an index says as a whole, which every landing goes on from."""

import sqlite3
from typing import NamedTuple

import msgspec

from gitlineage.model.records import Task


class State(NamedTuple):
    """
    What an index says as a whole.

    Args:
        task: what the campaign optimises; ``None`` while nobody has said it.
        clock: the highest clock of an event that counts.
        done: how many trials have a result.
        backward: whether some snapshot was, or may have been, recorded before one that it goes back to.
        snapshot: the number of the next snapshot.
        trial: the number of the next trial.
        absent: how much this clone lacks: objects without which some event could not be folded.
        repaired: whether some row was ever retracted, or some snapshot given other parents.
        boundary: where this shallow clone's history ended; empty where it was whole.
        events: how many events there are, those that do not count among them.
    """

    task: Task | None
    clock: int
    done: int
    backward: bool
    snapshot: int
    trial: int
    absent: int
    repaired: bool = False
    boundary: str = ""
    events: int = 0


def read_state(connection: sqlite3.Connection) -> State:
    """Return what an index says as a whole."""
    told = dict(connection.execute("SELECT key, value FROM meta"))
    hints = dict(connection.execute("SELECT key, value FROM hints"))
    last = [connection.execute(f"SELECT max(id) FROM {name}").fetchone()[0] for name in ("snapshots", "trials")]
    return State(
        task=msgspec.json.decode(told["task"], type=Task) if "task" in told else None,
        clock=int(told.get("clock", 0)),
        done=int(told.get("done", 0)),
        backward=bool(hints.get("backward")),
        snapshot=(last[0] or 0) + 1,
        trial=max(last[1] or 0, int(told.get("searchable", 0))) + 1,  # a row that is gone may have been searchable
        absent=connection.execute("SELECT count(*) FROM absent").fetchone()[0],
        repaired=bool(hints.get("repaired")),
        boundary=str(told.get("shallow", "")),
        events=int(told.get("events", 0)),
    )
