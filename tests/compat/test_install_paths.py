"""Ways to install the program that README and the first questions name, tried with the tools themselves."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

PATIENCE = 600.0
"""Seconds that a package registry has to answer in."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built from a copy of the sources that git knows."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder / "source")], check=True)
    words = [sys.executable, "-m", "build", "--quiet", "--wheel", "--outdir", str(folder), str(folder / "source")]
    subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE)
    (found,) = folder.glob("*.whl")
    return found


def run(home: Path, *words: str) -> str:
    """Run a tool with an empty home, and return what it printed."""
    told = {**os.environ, "HOME": str(home), "PIPX_HOME": str(home / "pipx"), "PIPX_BIN_DIR": str(home / "bin")}
    done = subprocess.run(words, cwd=home, env=told, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.extra("uv")
def test_uvx_runs_the_demo(wheel: Path, tmp_path: Path) -> None:
    """`uvx gitlineage demo` needs nothing installed, and leaves a repository that plain git reads."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    words = [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--python", python, "--from", str(wheel)]
    assert "report.html" in run(tmp_path, *words, "gitlineage", "demo", "campaign")
    assert run(tmp_path, "git", "-C", "campaign", "log", "--format=%s", "-1", "lineage/best").strip()


@pytest.mark.extra("pipx")
def test_pipx_runs_and_installs_it(wheel: Path, tmp_path: Path) -> None:
    """`pipx run` tries it; `pipx install` puts both names on the path, so that `git lineage` works as well."""
    pipx = [sys.executable, "-m", "pipx"]
    assert run(tmp_path, *pipx, "run", "--spec", str(wheel), "gitlineage", "--version").startswith("gitlineage ")
    run(tmp_path, *pipx, "install", "--quiet", str(wheel))
    assert {"gitlineage", "git-lineage"} <= {path.name for path in (tmp_path / "bin").iterdir()}
    assert run(tmp_path, str(tmp_path / "bin" / "git-lineage"), "--version").startswith("gitlineage ")
