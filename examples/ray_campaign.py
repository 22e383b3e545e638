"""
Run one campaign on Ray: several workers, each with a clone of its own, meet in one bare remote.

On this machine, with a bare repository made beside the clones:

    pip install -r examples/requirements-ray.txt
    python examples/ray_campaign.py --workers 3 --trials 4

The same on a cluster whose machines have gitlineage and git and reach one remote:

    python examples/ray_campaign.py --address ray://head:10001 --remote ssh://git@host/campaign.git --workers 32

A cluster that `ray start` made asks for its token: set RAY_AUTH_MODE=token here too, as Ray's documentation says.

Each trial changes one constant of the demo's recipe, a byte n-gram model in pure Python, and trains and scores it by
the runner of `gitlineage run`. A task that Ray tries again, because its worker died, lands on the same trials: what
has a result is passed over, what was begun goes on.
"""

import argparse
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before Ray is imported: it tells nobody anything

import ray

from gitlineage import LineageStore, Task
from gitlineage.demo import edits, harness
from gitlineage.run.records import IfTried, Plan
from gitlineage.run.trial import run

TASK = Task(score_field=harness.METRIC, lower_is_better=True)
CHOICES = {
    "ORDER": ("1", "3", "4", "5", "6"),
    "MASS": ("2.0", "4.0", "8.0", "32.0", "64.0"),
    "MODULE_BYTES": ("4_000", "6_000", "8_000", "12_000"),
}


def person(name: str) -> dict[str, object]:
    """Return what a store is opened with by whoever records there under a name of their own."""
    return {"writer": name, "identity": (name, f"{name}@ray.invalid")}


def clone(url: str, folder: Path, name: str) -> LineageStore:
    """Clone the campaign, and record there under a writer's name of one's own."""
    return LineageStore.clone(url, folder, **person(name))


def fingerprint(store: LineageStore) -> str:
    """Return a digest of what a clone answers: all trials in order, the best, and the next prompt."""
    best = store.best()
    prompt = store.render_prompt("anyone").rendered_prompt
    told = [*(repr(trial) for trial in store.all_trials()), best.exp_id if best else "", prompt]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


@ray.remote(num_cpus=1, max_restarts=3, max_task_retries=3)
class Worker:
    """One agent: it looks at the best of all machines, tries a change, records what came of it, and syncs."""

    def __init__(self, url: str, name: str, seed: int) -> None:
        self.name = name
        self.seed = seed
        self.folder = Path(tempfile.gettempdir()) / "ray-campaign" / hashlib.sha256(url.encode()).hexdigest()[:8] / name
        known = (self.folder / ".git").exists()  # a worker that was started again has its clone already
        self.store = LineageStore(self.folder, **person(name)) if known else clone(url, self.folder, name)

    def work(self, trials: int) -> int:
        """Run so many trials, each on top of the best that is known by then."""
        for at in range(trials):
            self.store.sync()
            chance = random.Random(f"{self.seed} {self.name} {at}")
            best = self.store.best()
            constant = chance.choice(sorted(CHOICES))
            value = chance.choice(CHOICES[constant])
            self.store.restore(best.exp_id, force=True)
            for path, content in edits.constant(constant, value)(self.store.files(best.exp_id)).items():
                (self.folder / path).write_bytes(content)
            cells = {"specialist": self.name, "hypothesis": f"{constant} = {value} on top of {best.exp_id}"}
            plan = Plan(
                command=(sys.executable, "-I", "-S", "-B", harness.SCRIPT),
                folder=str(self.folder),
                cells=cells,
                parents=(best.exp_id,),
                name=f"{self.name}-{at:03d}",
                if_tried=IfTried.WARN,
            )
            run(self.store, plan)
        self.store.sync()
        return trials

    def answers(self) -> tuple[int, str]:
        """Sync once more; return how many trials this clone holds and the digest of its answers."""
        self.store.sync()
        return len(self.store.all_trials()), fingerprint(self.store)

    def close(self) -> None:
        """Delete the clone: all that it held is in the remote."""
        self.store.close()
        shutil.rmtree(self.folder)


def begin(url: str, folder: Path) -> LineageStore:
    """Clone the remote for the driver, and record the baseline where the campaign has none yet."""
    store = clone(url, folder, "driver")
    if store.best() is None:
        store.set_task(TASK)
        cells = {"specialist": "baseline", "hypothesis": "The demo's recipe as it is"}
        harness.attempt(store, harness.recipe(), cells)
        store.sync()
    return store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="for the driver's clone; by default a temporary one")
    parser.add_argument("--address", help="the Ray cluster; by default one is started on this machine")
    parser.add_argument("--remote", help="URL of the bare repository; by default one is made in the folder")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--trials", type=int, default=4, help="of each worker")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.address and not given.remote:
        parser.error("a cluster needs --remote URL, which all of its machines can reach")

    folder = given.folder or Path(tempfile.mkdtemp(prefix="ray-campaign-"))
    url = given.remote or str((folder / "campaign.git").resolve())
    if given.remote is None:
        subprocess.run(["git", "init", "--quiet", "--bare", url], check=True)
    store = begin(url, folder / "driver")

    if given.address:
        ray.init(address=given.address)
    else:
        here = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
        ray.init(address="local", num_cpus=given.workers, _node_ip_address="127.0.0.1", **here)
    try:
        begun = os.urandom(2).hex() if given.remote else "w"  # a remote may hold an earlier run's workers
        workers = [Worker.remote(url, f"{begun}{at}", given.seed) for at in range(given.workers)]
        done = ray.get([worker.work.remote(given.trials) for worker in workers])
        answers = ray.get([worker.answers.remote() for worker in workers])
        store.sync()
        answers.append((len(store.all_trials()), fingerprint(store)))
        ray.get([worker.close.remote() for worker in workers])
    finally:
        ray.shutdown()

    print(f"{sum(done)} trials by {given.workers} workers; {answers[-1][0]} trials in {len(answers)} clones")
    print("every clone gives the same answers" if len(set(answers)) == 1 else f"the clones differ: {answers}")
    print("rank  trial    score   by        hypothesis")
    for rank, trial in enumerate(store.leaderboard(10), 1):
        print(f"{rank:>4}  {trial.exp_id:<7}  {TASK.score(trial):.4f}  {trial.specialist:<8}  {trial.hypothesis}")
    best = store.best()
    print(f"best: {best.exp_id}, by way of {' -> '.join(trial.exp_id for trial in store.chain_to(best.exp_id))}")


if __name__ == "__main__":
    main()
