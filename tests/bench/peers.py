"""
The programs that gitlineage is measured against: installed into environments of their own, or absent with a reason.

What they are made to do is in `peer_fieldkit.py` and `peer_mlflow.py`, which run there, and in `experiments.py`.
"""

import json
import sys
import venv
from pathlib import Path
from typing import Any

from timing import Failed, process, say

HERE = Path(__file__).parent

WAYS: dict[str, list[list[str]]] = {
    "fieldkit": [["--no-deps", "fieldkit"], ["fieldkit"]],
    "mlflow": [["mlflow-skinny", "sqlalchemy", "alembic"], ["mlflow"]],
    "dvc": [["dvc"]],
    "mlflow-ui": [["mlflow"]],
    "shinka": [["--no-deps", "shinka-evolve"]],
    "openevolve": [["--no-deps", "openevolve"]],
}
"""For each peer what to give to pip, the lightest way first."""

VIEWER = """
import importlib.util, pathlib, re, sys
top = pathlib.Path(importlib.util.find_spec({0!r}).origin).parent
pages = [page for page in top.rglob('*.html') if '<script' in page.read_text()]
if not pages:
    sys.exit('what the registry has of it ships no viewer')
away = set(re.findall(r'<script[^>]*src=.(https?://[^/]+)', ' '.join(page.read_text() for page in pages)))
if away:
    sys.exit(f'its viewer draws nothing without scripts from {{len(away)}} sites of the network')
"""
"""Tries whether a package has a viewer that works without a network, as ours is measured; takes its name."""

TRIED = {
    "fieldkit": "import fieldkit.lineage",
    "mlflow": "import mlflow.tracking, mlflow.store.tracking.sqlalchemy_store",
    "dvc": "import dvc.repo",
    "mlflow-ui": "import mlflow.server",
    "shinka": VIEWER.format("shinka"),
    "openevolve": VIEWER.format("openevolve"),
}

_QUIETLY = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-warn-script-location")


class Peers:
    """
    The peers of one session.

    Args:
        folder: where their environments are kept.
        wanted: which of them to install.
    """

    def __init__(self, folder: Path, wanted: tuple[str, ...]) -> None:
        self._folder = folder
        self._wanted = wanted
        self.states: dict[str, str] = {}

    def python(self, name: str) -> Path | None:
        """Return the interpreter of a peer's environment, ``None`` where the peer is absent."""
        if name not in self.states:
            self.states[name] = self._install(name) if name in self._wanted else "absent: left out"
        return None if self.states[name].startswith("absent") else self._folder / name / "bin" / "python"

    def ask(self, name: str, *words: str | Path, cwd: Path | None = None) -> dict[str, Any] | None:
        """Let a peer's script work in its environment and return what it found, ``None`` where the peer is absent."""
        python = self.python(name)
        if python is None:
            return None
        try:
            ended = process([python, HERE / f"peer_{name}.py", *words], cwd)
            return json.loads(ended.output.strip().splitlines()[-1])
        except (Failed, ValueError) as error:
            self.states[name] = f"absent: {error}"
            return None

    def _install(self, name: str) -> str:
        folder = self._folder / name
        python, done = folder / "bin" / "python", folder / "installed.txt"
        if done.exists():
            return done.read_text()
        say(f"installing {name}")
        reason = ""
        for packages in WAYS[name]:
            try:
                venv.create(folder, clear=True, with_pip=False)
                process([sys.executable, "-m", "pip", "--python", python, "install", *_QUIETLY, *packages])
                version = process([python, "-W", "ignore", "-c", _version_of(name, packages)]).output.split()[-1]
            except (Failed, OSError, IndexError) as error:
                reason = str(error).replace(str(self._folder), "")
                continue
            done.write_text(f"{' '.join(word for word in packages if word[0] != '-')} {version}")
            return done.read_text()
        return f"absent: {reason}"


def _version_of(name: str, packages: list[str]) -> str:
    """Return the program that tries a peer and prints its version."""
    package = next(word for word in packages if not word.startswith("-"))
    return f"import importlib.metadata as m\n{TRIED[name]}\nprint(m.version({package!r}))"
