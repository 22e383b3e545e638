"""
Run one trial a task on SLURM by submitit, each in a clone of its own; without SLURM on this machine, in processes.

    pip install submitit
    python examples/slurm_submitit.py URL work --rates 0.01 0.02 0.05 [--cluster local]

A task that SLURM preempts and requeues is called again with the same trial's name, and goes on as that trial.
"""

import argparse
import sys
from pathlib import Path

import submitit

from gitlineage import LineageStore
from gitlineage.run.records import Plan, Run
from gitlineage.run.trial import run


def trial(url: str, folder: Path, reference: Path, name: str, rate: str) -> Run:
    """Make one trial in a clone of its own and push it; a second call goes on with the first one's."""
    clone = folder / name
    if not clone.exists():
        store = LineageStore.clone(url, clone, reference=reference, writer=name)
        store.restore("best")
        recipe = clone / "train.py"
        lines = [f"lr = {rate}" if line.startswith("lr = ") else line for line in recipe.read_text().splitlines()]
        recipe.write_text("\n".join(lines) + "\n")
    store = LineageStore(clone, writer=name)
    cells = {"hypothesis": f"lr = {rate}", "specialist": "submitit"}
    done = run(store, Plan(command=(sys.executable, "train.py"), folder=str(clone), cells=cells, name=name))
    store.push()
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("url", help="the remote that all nodes reach")
    parser.add_argument("folder", type=Path, help="on the shared disk")
    parser.add_argument("--rates", nargs="+", default=["0.01", "0.02", "0.05"])
    parser.add_argument("--cluster", default=None, help="local, or slurm; by default what is there")
    given = parser.parse_args()

    folder = given.folder.resolve()
    store = LineageStore.clone(given.url, folder / "campaign")
    executor = submitit.AutoExecutor(folder=folder / "jobs", cluster=given.cluster)
    executor.update_parameters(timeout_min=60, slurm_array_parallelism=8)
    names = [f"m{at}" for at in range(len(given.rates))]
    tasks = [(given.url, folder, store.root, name, rate) for name, rate in zip(names, given.rates, strict=True)]
    jobs = executor.map_array(trial, *zip(*tasks, strict=True))
    for job in jobs:
        done = job.result()
        print(f"{done.id}: {done.status}, {done.score}")
    store.sync()
    print(f"best: {store.best().exp_id} of {len(store.all_trials())} trials")


if __name__ == "__main__":
    main()
