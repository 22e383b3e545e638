"""Let DVC save and show experiments in a small repository, through its command line."""

from pathlib import Path

from generate import nodes
from peers import Peers
from timing import Failed, git, process, sampled

SAVED = 6
_STAGE = "params:\n- params.yaml\nmetrics:\n- metrics.json\n"


class Dvc:
    """
    A repository with DVC experiments.

    Args:
        peers: where DVC is, if it is.
        folder: where the repository is made.
    """

    def __init__(self, peers: Peers, folder: Path) -> None:
        self._peers = peers
        self._folder = folder
        python = peers.python("dvc")
        self._program = python and python.with_name("dvc")
        self._nodes = nodes(1000)
        if self._program is None:
            return
        try:
            git(folder.parent, "init", "--quiet", str(folder))
            self._dvc("init", "--quiet")
            self._edit()
            (folder / "dvc.yaml").write_text(_STAGE)
            git(folder, "add", "--all")
            git(folder, "commit", "--quiet", "--message", "Begin")
        except Failed as error:
            peers.states["dvc"] = f"absent: {error}"
            self._program = None

    def save(self) -> float | None:
        """Return the median seconds of saving one experiment, ``None`` where DVC is absent."""
        return self._median(self._save)

    def show(self) -> float | None:
        """Return the median seconds of showing a few experiments, ``None`` where DVC is absent."""
        if self.save() is None:
            return None
        return self._median(lambda: self._dvc("exp", "show", "--json"))

    def _save(self) -> float:
        self._edit()
        return self._dvc("exp", "save")

    def _median(self, work) -> float | None:
        if self._program is None:
            return None
        try:
            return sampled(work, SAVED, 30.0)
        except Failed as error:
            self._peers.states["dvc"] = f"absent: {error}"
            self._program = None
            return None

    def _edit(self) -> None:
        """Change the recipe, its parameters and its result, as a trial does."""
        node = next(self._nodes)
        (self._folder / "train.py").write_bytes(node.files["train.py"])
        (self._folder / "params.yaml").write_text(f"domain: {node.row['domain']}\nexp_id: '{node.row['exp_id']}'\n")
        (self._folder / "metrics.json").write_text(f'{{"core_metric": {node.row["core_metric"] or 0}}}\n')

    def _dvc(self, *words: str) -> float:
        return process([self._program, *words], self._folder, env={"DVC_NO_ANALYTICS": "1"}).seconds
