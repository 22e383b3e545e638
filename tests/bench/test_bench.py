"""The benchmark: its generator is repeatable, and the whole command runs at a tiny size."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from places import BENCH

SECTIONS = {
    "append",
    "queries",
    "ancestors",
    "prompt",
    "refresh",
    "cold",
    "cli",
    "run",
    "artifacts",
    "bulk",
    "import",
    "disk",
    "share",
    "crowd",
    "verify",
    "tree",
    "relations",
    "page",
    "growth",
    "shows",
}


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would."""
    words = (sys.executable, str(BENCH / "run.py"), *words)
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def generate(monkeypatch):
    """The generator, imported as the command imports it."""
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("generate")


def test_a_seed_gives_one_campaign(generate) -> None:
    """The same seed gives the same nodes, a longer campaign begins with the shorter one, another seed differs."""
    campaign = list(generate.nodes(300, 7))
    assert campaign == list(generate.nodes(300, 7))
    assert campaign[:100] == list(generate.nodes(100, 7))
    assert campaign[1:] != list(generate.nodes(300, 8))[1:]


def test_a_campaign_looks_like_one(generate) -> None:
    """Cohorts of eight, every tenth node with two parents, few keeps, texts of the promised length, small edits."""
    campaign = list(generate.nodes(4001))
    assert [node.number for node in campaign] == list(range(4001))
    assert all(parent < node.number for node in campaign for parent in node.parents)
    assert not campaign[0].parents and all(node.parents for node in campaign[1:])
    cohorts = [node.cohort for node in campaign[1:]]
    assert all(len(set(cohorts[at : at + 8])) == 1 for at in range(0, 4000, 8)) and len(set(cohorts)) == 500
    assert all(set(node.base) <= set(node.parents) for node in campaign)
    assert 0.08 < sum(len(node.parents) == 2 for node in campaign) / 4001 < 0.12
    statuses = [node.row["status"] for node in campaign]
    assert statuses[0] == "baseline" and 0.02 < statuses.count("keep") / 4001 < 0.04
    assert {len(node.row["hypothesis"]) for node in campaign} == {150}
    assert {len(node.row["notes"]) for node in campaign} == {300}
    assert all(tuple(node.row) == generate.COLUMNS for node in campaign)
    scores = [node.row["core_metric"] for node in campaign if node.row["core_metric"] is not None]
    best = next(node for node in reversed(campaign) if node.row["status"] == "keep")
    assert min(scores) == best.row["core_metric"] and scores.count(min(scores)) == 1
    for node in campaign[1:]:
        before = campaign[node.parents[0]].files
        assert [path for path in node.files if node.files[path] != before[path]] == ["train.py"]


def test_a_figure_says_whether_it_is_reached(monkeypatch) -> None:
    """A cost is ours by theirs, a gain is theirs by ours, a value stands alone; without a peer nothing is said."""
    monkeypatch.syspath_prepend(str(BENCH))
    figures = importlib.import_module("figures")
    cheap = figures.Figure("s", "append", 10, 0.001, "ms", "peer", 0.02, figures.gain(10))
    assert (cheap.ratio, cheap.reached, cheap.target) == (20, True, ">= 10x")
    assert cheap._replace(goal=figures.gain(30)).reached is False
    assert cheap._replace(goal=figures.cost(1.5)).ratio == 0.05
    assert cheap._replace(goal=figures.cost(0.01)).reached is False
    assert cheap._replace(other=None).reached is None and cheap._replace(other=None).ratio is None
    assert cheap._replace(goal=figures.within(0.002)).target == "<= 2.00 ms"
    assert cheap._replace(goal=figures.within(0.0005)).reached is False
    assert (cheap._replace(goal=figures.gain()).ratio, cheap._replace(goal=figures.gain()).reached) == (20, None)


def test_the_whole_command_runs(tmp_path: Path) -> None:
    """At a tiny size every part gives figures, the peers are reported as absent, and the stores are used again."""
    words = ("--sizes", "40", "100", "--no-peers", "--json", "--keep", str(tmp_path / "kept"), "--rounds", "1")
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told) == {"machine", "peers", "figures"}
    assert set(told["peers"]) == {"fieldkit", "mlflow", "dvc", "mlflow-ui", "shinka", "openevolve"}
    # without a browser nobody asks for viewers
    assert {told["peers"][name] for name in ("fieldkit", "mlflow", "dvc")} == {"absent: left out"}
    assert {figure["section"] for figure in told["figures"]} == SECTIONS
    for figure in told["figures"]:
        assert figure["unit"] in ("seconds", "bytes", "count")
        assert figure["value"] > 0 or figure["unit"] == "count"
        assert (figure["ratio"] is None) == (figure["other"] is None)
    missing = {figure["against"] for figure in told["figures"] if figure["against"] and figure["other"] is None}
    assert missing - {"MLflow's UI, its table of runs"} == {
        *("MLflow run", "MLflow run, one log_batch", "dvc exp save", "fieldkit best()", "fieldkit chain_to()"),
        *("fieldkit", "MLflow search, 100 runs", "dvc exp show, 6 of them"),
    }
    assert "filling 100 trials" in done.stderr
    again = run(*words[:3], "--no-peers", "--keep", str(tmp_path / "kept"), "--only", "queries", cwd=tmp_path)
    assert again.returncode == 0 and "filling" not in again.stderr
    assert again.stdout.startswith("| work ") and "mlflow: not asked" in again.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]


def test_a_peer_that_cannot_be_installed_is_absent(tmp_path: Path) -> None:
    """Without a package registry the bench goes on, and says what pip said."""
    env = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    words = [sys.executable, str(BENCH / "run.py"), "--sizes", "30", "--only", "prompt", "--peers", str(tmp_path)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    assert "fieldkit: absent: " in done.stdout and "No matching distribution" in done.stdout


def test_a_part_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """A misspelt part is an error, not an empty table."""
    done = run("--only", "querys", cwd=tmp_path)
    assert done.returncode == 2 and "there is no part querys" in done.stderr
