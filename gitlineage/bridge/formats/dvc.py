"""
DVC experiments: commits below ``refs/exps``, each with its params and metrics, on the commit it was run from.

Source: treeverse/dvc (earlier iterative/dvc), ``dvc/repo/experiments/refs.py`` (looked at in November 2026): a ref is
``refs/exps/<2 digits of the baseline>/<38 digits>/<name>``; what is below stash, exec, apply, celery, queue and temp is
DVC's own.
"""

import re

from gitlineage.bridge.formats import words
from gitlineage.bridge.formats.found import Found, FoundRow, NotTrials
from gitlineage.bridge.formats.jsonl import cells_of
from gitlineage.bridge.formats.source import Source, json_of, mapping
from gitlineage.errors import LineageError
from gitlineage.git.repository import GitRepo, find_repository
from gitlineage.times import stamp

_REF = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/([^/]+)")
_FILE = re.compile(r"^\s*-\s+([\w./-]+\.(?:json|ya?ml))\s*:?\s*$", re.MULTILINE)
_LONGEST = 2_000
_USUAL = ("metrics.json", "dvclive/metrics.json", "summary.json", "results.json")
_LINE = re.compile(r"^(\s*)([\w.\- ]+?)\s*:\s*(.*?)\s*(?:#.*)?$")


def recognise(source: Source) -> str:
    """Return what of a source is DVC's; empty for nothing."""
    if not source.is_folder or source.path is None or not (source.path / ".git").exists():
        return ""
    if find_repository(source.path) is None:
        return ""
    refs = GitRepo(source.path).refs("refs/exps/")
    return "a repository with DVC experiments" if any(_REF.fullmatch(name) for name in refs) else ""


def read(source: Source) -> Found:
    """Read the experiments."""
    assert source.path is not None
    repo = GitRepo(source.path)
    rows: list[tuple[str, FoundRow]] = []
    metrics: dict[str, bool | None] = {}
    bare: list[str] = []
    for ref, oid in repo.refs("refs/exps/").items():
        match = _REF.fullmatch(ref)
        if match is None:
            continue
        commit = repo.commit(oid)
        files = _files(repo, commit.tree)
        scores: dict[str, str] = {}
        for name in _metric_files(files.get("dvc.yaml", "")):
            if name in files:
                scores |= cells_of(mapping(json_of(files[name]))) if name.endswith("json") else yaml_cells(files[name])
        params = {f"params.{name}": text for name, text in yaml_cells(files.get("params.yaml", "")).items()}
        numbers = {name: text for name, text in scores.items() if text}
        metrics |= {name: words.direction_of(name) for name in numbers}
        if not numbers:
            bare.append(match[3])
        cells = {
            "name": match[3],
            "commit": oid,
            "baseline": match[1] + match[2],
            "timestamp": stamp(commit.time),
            **numbers,
            **params,
        }
        status = words.RAN if numbers else "crash"
        rows.append((stamp(commit.time), FoundRow(line=0, cells=cells, status=status)))
    if not rows:
        raise NotTrials(source.name, "a repository with DVC experiments, of which none could be read")
    rows.sort(key=lambda row: (row[0], row[1].cells["name"]))
    table = Found(
        kind="a repository with DVC experiments",
        source=source.name,
        columns=tuple(dict.fromkeys(name for _, row in rows for name in row.cells)),
        rows=[row for _, row in rows],
        roles={"id": "name", "commit": "commit", "base": "baseline", "time": "timestamp"},
        others=metrics,
        undecided=len(metrics) > 1,
    )
    if bare:
        table.told.append(f"{', '.join(bare[:5])} {'has' if len(bare) == 1 else 'have'} no metrics")
    if len(metrics) == 1:
        (table.metric,) = metrics
        table.why = "the only metric"
    return table


def _metric_files(pipeline: str) -> list[str]:
    """Return the files that a pipeline names as metrics, and the usual ones."""
    named = []
    for block in re.finditer(r"^(\s*)metrics:\s*\n((?:\1\s*-.*\n|\1\s+.*\n)*)", pipeline, re.MULTILINE):
        named += _FILE.findall(block[2])
    return list(dict.fromkeys([*named, *_USUAL]))


def _files(repo: GitRepo, tree: str) -> dict[str, str]:
    """Return the small files at the top of a tree, and of ``dvclive``, as text."""
    texts = {}
    for before, oid in (("", tree), ("dvclive/", "")):
        if before:
            entry = repo.read_tree(tree).get("dvclive")
            if entry is None:
                continue
            oid = entry.oid
        try:
            entries = repo.read_tree(oid)
        except LineageError:
            continue
        for name, entry in entries.items():
            if name.endswith((".json", ".yaml", ".yml")) and repo.size(entry.oid) < 1 << 20:
                texts[before + name] = repo.read(entry.oid).decode("utf-8", "replace")
    return texts


def yaml_cells(text: str) -> dict[str, str]:
    """
    Return the plain values of a YAML file by their dotted names; what is not ``key: value`` is left out.

    A file of settings is nested keys with plain values; lists and longer forms stay in the file, which is kept anyway.
    """
    cells: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = _LINE.match(line) if len(line) <= _LONGEST else None
        if match is None or line.lstrip().startswith(("#", "-")):
            continue
        depth = len(match[1])
        while above and above[-1][0] >= depth:
            above.pop()
        name = ".".join([*(each for _, each in above), match[2].strip()])
        if match[3]:
            cells[name] = match[3].strip("'\"")
        else:
            above.append((depth, match[2].strip()))
    return cells
