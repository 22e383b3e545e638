"""Settings that others write: what could not have been recorded here is a problem of its line and of nothing else."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from command_line import campaign

from gitlineage import Invalid, LineageStore, Trial, Watcher, bounds
from gitlineage.bridge.tsv import export_tsv
from gitlineage.journal import events as codec
from gitlineage.model import tsv
from gitlineage.model.records import Task

WIDE = [f"c{number}" for number in range(60_000)]

BAD = [
    {"type": "table", "shape": {}},
    {"type": "table", "shape": {"columns": "exp_id"}},
    {"type": "table", "shape": {"columns": []}},
    {"type": "table", "shape": {"columns": ["exp_id", "exp_id"]}},
    {"type": "table", "shape": {"columns": ["exp_id", ""]}},
    {"type": "table", "shape": {"columns": ["exp_id"], "newline": "; rm"}},
    {"type": "table", "shape": {"columns": ["exp_id"], "header": "exp_id\nx"}},
    {"type": "table", "shape": {"columns": ["exp_id"], "header": "status"}},
    {"type": "table", "shape": {"columns": WIDE}},
    {"type": "table", "shape": {"columns": ["x" * 5000]}},
    {"type": "task", "task": {"score_field": ""}},
    {"type": "task", "task": {"score_field": "  "}},
    {"type": "task", "task": {"score_field": "a\nb"}},
    {"type": "task", "task": {"score_field": "x" * 5000}},
    {"type": "task", "task": {"score_field": "loss", "label": "x" * 5000}},
    {"type": "task", "task": {"score_field": "loss", "epsilon": -1.0}},
    {"type": "trial", "row": {"exp_id": "wide", "status": "keep", **dict.fromkeys(WIDE, "1")}},
    {"type": "imported", "name": "x", "source": "openrange/2", "document": "nothing"},
]


def forge(folder: Path, *events: dict) -> None:
    """Write a foreign writer's ref whose notes, on a snapshot that is there, hold such events."""

    def git(*words: str, data: str = "") -> str:
        people = ["-c", "user.name=M", "-c", "user.email=m@example.org"]
        done = subprocess.run(
            ["git", *people, *words], cwd=folder, input=data, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    snapshot = git("rev-parse", "refs/lineage/exp/000")
    lines = [json.dumps({"at": "2026-01-01T00:00:00Z", "clock": 50 + at, **event}) for at, event in enumerate(events)]
    blob = git("hash-object", "-w", "--stdin", data="".join(f"{line}\n" for line in lines))
    tree = git("mktree", data=f"100644 blob {blob}\t{snapshot}\n")
    git("update-ref", "refs/notes/lineage/mallory", git("commit-tree", tree, "-m", "forged\n\nClock: 90"))


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: json.dumps(bad)[:60])
def test_a_bad_setting_is_its_own_line_s_problem(bad: dict, tmp_path: Path) -> None:
    """Export, board, best and prompt say what they said; the good line beside it counts; the bad one is named."""
    shell, clean = campaign(tmp_path / "repo"), campaign(tmp_path / "clean")
    good = {"type": "trial", "row": {"exp_id": "good", "status": "discard", "loss": "9", "hypothesis": "fine"}}
    forge(clean.folder, good)
    forge(shell.folder, good, bad)
    assert shell("export", "tsv", "-") == clean("export", "tsv", "-")
    assert shell("best") == clean("best")
    assert shell("prompt", "ann", "--timestamp", "t") == clean("prompt", "ann", "--timestamp", "t")
    shell("board", "out")
    (line,) = [found for found in shell.run("maintain", "verify").stdout.splitlines() if "not an event" in found]
    assert line.startswith("mallory ")


def test_what_is_refused_when_read_is_refused_when_written(store: LineageStore) -> None:
    """Nobody records here what every clone would then skip."""
    row = Trial(status="keep", core_metric=1.0, extra=dict.fromkeys(WIDE[: bounds.MAX_COLUMNS], "1"))
    with pytest.raises(Invalid, match="columns"):
        store.commit({"a": b"1"}, trial=row)
    with pytest.raises(Invalid, match="score field"):
        store.set_task(Task(score_field="a\tb"))
    with pytest.raises(Invalid, match="columns"):
        codec.encode(codec.TableEvent(clock=1, shape={"columns": WIDE}))
    assert store.all_trials() == []


class Listener(Watcher):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Hear a line."""
        self.notes.append(text)


def test_many_rows_of_others_make_no_endless_table(open_store: Callable[..., LineageStore]) -> None:
    """Rows may each have other columns; a table has no more than its limit, and the rest is told."""
    store = open_store(watcher=Listener())
    for part in range(2):
        extra = {f"p{part}c{number}": "1" for number in range(bounds.MAX_COLUMNS - 100)}
        store.commit({"a": str(part).encode()}, trial=Trial(status="keep", core_metric=1.0 - part, extra=extra))
    header = export_tsv(store).split(b"\n", 1)[0]
    assert header.count(b"\t") == bounds.MAX_COLUMNS - 1
    assert any("left out" in line for line in store.ledger.watcher.notes)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("header", ["exp_id\tstatus\tloss", '"exp_id"\tstatus\t"a ""b"""', 'exp_id\tstatus\t"loss"'])
def test_shapes_of_real_files_hold(header: str, ending: str) -> None:
    """What a file looked like, quotes and all, is a shape that is read back."""
    table = tsv.read(f"{header}{ending}000\tkeep\t1{ending}".encode(), source="x.tsv")
    codec.TableEvent(clock=1, shape=json.loads(msgspec.json.encode(table.shape))).check()
