"""One command, one state: how often the refs are looked at does not grow with what is printed."""

from pathlib import Path

import pytest
from command_line import Shell

from gitlineage import LineageStore, Trial
from gitlineage.journal.journal import Journal

SIZES = (3, 12)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> list[Path]:
    """Two stores that differ in how much there is of everything that a command lists."""
    made = []
    for size in SIZES:
        folder = tmp_path_factory.mktemp("state")
        with LineageStore(folder) as store, store.batch():
            store.open_cohort("wide", allow_mixed=True)
            for at in range(size):
                above = [f"{at - 1:03d}"] if at else []
                trial = Trial(status="keep" if at else "baseline", core_metric=9.0 - at, hypothesis="wider")
                store.commit({"f": b"1"}, above, trial=trial, cohort="wide" if at else None)
                store.open_cohort(f"c{at}", above)
                if at:
                    store.add_relationship(f"{at:03d}", "000", "depends_on", "me")
                    store.record_evolution(f"{at - 1:03d}", f"{at:03d}", "refinement", "me", True)
                store.set_entry(f"{at:03d}", actor="me", name=f"n{at}")
                store.record_forge_attempt("wish", [], f"{at:03d}", True, actor="me")
        made.append(folder)
    return made


@pytest.mark.parametrize(
    "words",
    [
        "log -n -1",
        "log -n -1 --json",
        "log -n -1 --graph",
        "search wider --json",
        "leaderboard -k -1",
        "leaderboard -k -1 --json",
        "parents 001 --json",
        "children 000 --json",
        "ancestors best",
        "ancestors best --json",
        "ancestors best --relations depends_on --json",
        "descendants 000 --json",
        "dependents 000 --json",
        "leaves --json",
        "same 000 --json",
        "common-ancestor 001 002 --all --json",
        "path 000 best --json",
        "relations",
        "relations --json",
        "history best",
        "history best --json",
        "cohort list",
        "cohort list --json",
        "cohort show wide",
        "cohort show wide --json",
        "entry list",
        "entry list --json",
        "impact 000 --json",
        "forge attempts wish",
        "forge attempts wish --json",
        "forge similar wish --json",
        "blame best --json",
        "audit best --json",
        "events --json",
        "infer --json",
        "graph --all --format mermaid",
        "prompt me",
        "show best",
        "show best --json",
    ],
)
def test_the_refs_are_not_looked_at_for_each_row(folders, monkeypatch, words):
    """Four times as many rows take no further look at the refs, nor are there many of them."""
    tips, seen = Journal.tips, []
    monkeypatch.setattr(Journal, "tips", lambda journal: seen.append(journal) or tips(journal))
    looks = []
    for folder in folders:
        Shell(folder)(*words.split())
        looks.append(len(seen))
        seen.clear()
    assert looks[0] == looks[1] < 30
