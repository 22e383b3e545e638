"""A store with a bit of everything in it, for tests that compare what is read back."""

from pathlib import Path

from gitlineage import LineageStore, Trial

TRIALS = ("keep", "discard", "baseline", "crash")


def row(exp_id="*", status="keep", metric=1.0, **cells) -> Trial:
    """A trial with a score."""
    return Trial(exp_id=exp_id, status=status, core_metric=metric, **cells)


def fill(store: LineageStore, count: int = 40) -> None:
    """Record a bit of everything."""
    store.commit({"f": b"root"}, trial=row("000", "baseline", 2.0))
    for at in range(1, count):
        parents = [f"{(at - 1) // 2:03d}"] + ([f"{at // 3:03d}"] if at % 5 == 0 else [])
        cohort = f"c{at}" if at % 7 == 0 else None
        cells = {"hypothesis": f"h{at}", "specialist": f"s{at % 3}"}
        store.commit(
            {"f": b"%d" % at}, parents, trial=row(f"{at:03d}", TRIALS[at % 4], 2 - at / 64, **cells), cohort=cohort
        )
    store.record("001", row("001", "discard", 9.0), revise=True)
    store.record("002", row("002-again", "discard", 9.0))
    store.render_prompt("s1", record=True)
    store.commit({"f": b"bare"}, ["003"])


def index_file(folder: Path) -> Path:
    """Where a repository's index is."""
    return folder / ".git" / "lineage" / "index.sqlite3"
