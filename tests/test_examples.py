"""The examples run as a user would run them and show what they promise."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, folder: Path) -> str:
    """Run an example in a process of its own and return what it printed."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, folder], capture_output=True, text=True, check=False, cwd=folder
    )
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
    here = Path(__file__).read_text()
    assert [path.name for path in EXAMPLES.glob("*.py") if f'run("{path.name}"' not in here] == []
