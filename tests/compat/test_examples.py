"""The examples run as a user would run them and show what they promise."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from places import ROOT

from gitlineage import LineageStore

EXAMPLES = ROOT / "examples"
PATIENCE = 300.0


def run(name: str, folder: Path, *words: str) -> str:
    """Run an example in a process of its own and return what it printed."""
    command = [sys.executable, EXAMPLES / name, folder, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_quickstart(tmp_path: Path) -> None:
    """The quickstart finds the best, its chain, its children and its edit, and prints the prompt."""
    out = run("quickstart.py", tmp_path)
    assert "best:     001" in out
    assert "chain:    000 -> 001" in out
    assert "children: ['002']" in out
    assert "+lr = 0.02" in out
    assert "- exp_002 [opt, crash, bpb=—, Δ=—] Again" in out


def test_cohort_and_crossover(tmp_path: Path) -> None:
    """One parent, a cohort of three and a child of two: batch, roles and the diff against each parent."""
    out = run("cohort_and_crossover.py", tmp_path)
    assert "batch:    ['001', '002', '003']" in out
    assert "parents:  [('003', 'base'), ('001', 'mate')]" in out
    assert "split at: 000" in out
    assert out.count("diff --git a/world.json b/world.json") == 2


@pytest.mark.extra("nbclient", "ipykernel")
def test_the_notebook(tmp_path: Path) -> None:
    """Jupyter runs every cell; the store, the leaderboard and the best show themselves as tables, with the scores."""
    code = (
        "import sys, nbclient, nbformat\n"
        "book = nbformat.read(sys.argv[1], as_version=4)\n"
        "nbclient.NotebookClient(book, timeout=120, kernel_name='python3').execute()\n"
        "nbformat.write(book, 'ran.ipynb')\n"
    )
    told = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    words = [sys.executable, "-c", code, ROOT / "docs" / "notebook.ipynb"]
    done = subprocess.run(words, cwd=tmp_path, env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    cells = json.loads((tmp_path / "ran.ipynb").read_text())["cells"]
    made = [each for cell in cells for each in cell.get("outputs", ())]
    tables = ["".join(each["data"]["text/html"]) for each in made if "text/html" in each.get("data", {})]
    assert len(tables) == 3 and all(table.startswith("<table>") and "<th>loss</th>" in table for table in tables)
    assert "5 trials, loss (lower is better), best: 003" in tables[0]
    printed = "".join("".join(each["text"]) for each in made if each["output_type"] == "stream")
    assert "002 keep x = 2.5\n003 keep x = 2.2\n" in printed and "-x = 2.5\n+x = 2.2\n" in printed


@pytest.mark.extra("ray")
def test_ray_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers on Ray, each with a clone, meet in one bare remote: all trials in every clone, one leaderboard."""
    scratch = tempfile.mkdtemp(prefix="ray-")  # Ray's sockets need a short path
    monkeypatch.setenv("RAY_TMPDIR", scratch)
    try:
        out = run("ray_campaign.py", tmp_path, "--workers", "2", "--trials", "3")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    assert "6 trials by 2 workers; 7 trials in 3 clones" in out
    assert "every clone gives the same answers" in out
    assert "best: w" in out, "no worker beat the baseline"
    told = ["git", "for-each-ref", "--format=%(refname:lstrip=3)", "refs/notes/lineage"]
    refs = subprocess.run(told, cwd=tmp_path / "campaign.git", capture_output=True, text=True, check=True).stdout
    assert refs.split() == ["driver", "w0", "w1"]


@pytest.mark.extra("ray")
def test_a_task_that_ray_tries_again_lands_on_the_same_trials(tmp_path: Path) -> None:
    """A worker is killed while it runs a trial: Ray starts another one, and no trial is lost or there twice."""
    short = tempfile.mkdtemp(prefix="ray-")  # Ray's sockets need a short path
    environment = {**os.environ, "RAY_TMPDIR": short, "TMPDIR": short}
    command = [sys.executable, EXAMPLES / "ray_campaign.py", tmp_path, "--workers", "1", "--trials", "3"]
    try:
        campaign = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        killed = _kill_a_worker_that_runs(Path(short), campaign)
        out, _ = campaign.communicate(timeout=PATIENCE)
    finally:
        shutil.rmtree(short, ignore_errors=True)
    assert campaign.returncode == 0, out
    assert "3 trials by 1 workers; 4 trials in 2 clones" in out and "every clone gives the same answers" in out
    with LineageStore.clone(str(tmp_path / "campaign.git"), tmp_path / "reader") as store:
        trials = store.all_trials()
    assert sorted(each.exp_id for each in trials) == ["000", "w0-000", "w0-001", "w0-002"]
    assert next(each for each in trials if each.exp_id == killed).status is not None


def _kill_a_worker_that_runs(place: Path, campaign: "subprocess.Popen[str]") -> str:
    """Kill the process that supervises a run as soon as there is one that has no result, and return the trial."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and campaign.poll() is None:
        for path in place.glob("ray-campaign/*/w0/.git/lineage/runs/*/run.json"):
            told = json.loads(path.read_bytes())
            if told.get("state") == "running" and "status" not in told and told.get("process"):
                os.kill(told["runner"], signal.SIGKILL)
                return str(told["id"])
        time.sleep(0.005)
    raise AssertionError("no worker ran a trial")


@pytest.mark.extra("ray")
def test_the_ray_campaign_needs_a_remote_on_a_cluster(tmp_path: Path) -> None:
    """A cluster's machines cannot reach a folder of the driver's."""
    command = [sys.executable, EXAMPLES / "ray_campaign.py", tmp_path, "--address", "ray://nowhere:1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "--remote URL" in done.stderr


def test_curriculum(tmp_path: Path) -> None:
    """A batch of three and a child of two: siblings, batch, roles and both diffs, from the library and as commands."""
    out = run("curriculum.py", tmp_path)
    three = "['Patch the sql injection', 'Add an ssrf', 'Ask for more']"
    assert f"siblings: {three}" in out
    assert f"batch:    {three}" in out
    assert "parents:  [('Add an ssrf', 'base'), ('Patch the sql injection', 'mate')]" in out
    assert out.count("+    return db.run('select * from users where name = ?', name)") == 2, "against the first parent"
    assert out.count("+    return http.get(url)") == 2, "against the second parent"
    assert out.count("$ gitlineage") == 5
    assert "over there: [('Add an ssrf', 'base'), ('Patch the sql injection', 'mate')]" in out
    assert "same content: True" in out


def test_every_example_is_run_here() -> None:
    """No example is forgotten."""
    here = Path(__file__).read_text() + Path(__file__).with_name("test_loops.py").read_text()
    files = [*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*.sh")]
    assert [path.name for path in files if f'"{path.name}"' not in here] == []
