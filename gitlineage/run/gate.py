"""
Whether a run is worth its time: what was tried already is refused, what is nearly the same is told (semantics 97).

The refusal is one question to the index and comes before anything is recorded. It is only made where the snapshot has
all the code that is sure to run: neither a repository inside with changes of its own nor a script that git ignores.
"""

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from gitlineage.bridge.placing import Place
from gitlineage.errors import AlreadyTried
from gitlineage.git.formats import TREE
from gitlineage.git.repository import GitRepo
from gitlineage.model.records import TrialView
from gitlineage.query.judge import COMMAND
from gitlineage.run.records import IfTried, Plan, Run
from gitlineage.store.store import LineageStore
from gitlineage.text import some

_NEAR = 3
"""Trials of each kind that are told."""

_CODE = (
    *(".bash", ".c", ".cc", ".cpp", ".cu", ".go", ".ipynb", ".jl", ".js", ".lua", ".mjs", ".pl", ".py", ".r", ".rb"),
    *(".rs", ".sh", ".ts", ".cfg", ".conf", ".ini", ".toml", ".yaml", ".yml"),
)
"""How files end that say what is run; others are taken for its data, unless they begin as a script does."""

NOT_THERE = "the command names what no snapshot has, because git ignores it"
"""What is said of files that decide what runs and are not recorded."""

_ENVIRONMENT = "pyvenv.cfg"
"""A file that shows its folder to hold programs of others."""


def check(store: LineageStore, plan: Plan, content: str) -> None:
    """
    Refuse a run whose very content and command were tried, where its plan says so.

    Raises:
        AlreadyTried: they were; nothing was recorded.
    """
    if plan.if_tried is not IfTried.REFUSE:
        return
    if not _is_whole(store) or unseen(store.ledger.repo, content, plan.command, Path(plan.folder)):
        return  # what the snapshot does not tell may be other code than it was
    first = store.tried(content=content, command=shlex.join(plan.command), near=False).first
    if first is not None:
        raise AlreadyTried(first.label, _result(store, first))


def near(store: LineageStore, run: Run) -> Iterator[str]:
    """Return a line for each trial that is told about a run which has begun: equal ones, then nearly equal ones."""
    plan = run.plan
    if files := unseen(store.ledger.repo, run.tree, plan.command, Path(plan.folder)):
        yield f"{NOT_THERE}: {some(files)}; whether the same was run again cannot be told"
    if plan.if_tried is IfTried.REPEAT:
        return
    tried = store.tried(
        plan.cells.get("hypothesis", ""),
        run.oid,
        command=shlex.join(plan.command),
        parents=store.snapshot(run.oid).parents[:1],
        build=False,
    )
    kinds = (
        (f"tried {'this content' if _is_whole(store) else _AS_FAR} with this command", tried.same),
        ("runs this content with this command", tried.going),
        ("made the same edit elsewhere", tried.edits),
        ("has nearly the same hypothesis", [each.view for each in tried.alike]),
    )
    told = {run.id}
    for what, views in kinds:
        for view in [each for each in views if each.label not in told][:_NEAR]:
            told.add(view.label)
            yield f"{view.label} {what}: {_result(store, view)}"


def placed(store: LineageStore, run: Run, place: Place) -> str:
    """Return in words where the snapshot of a run went that has begun; empty where nothing was guessed."""
    if place.replicate_of is None or place.result_of:
        return place.told(store)
    views = store.ledger.views()
    commands = {view.trial.text(COMMAND) for view in views.on_snapshot(run.oid) if view.trial.exp_id != run.id}
    name = views.name(run.oid)
    content = "equal content" if _is_whole(store) else _AS_FAR
    if shlex.join(run.plan.command) in commands:
        return f"replicate of {name} ({content}, same command)"
    return f"another run of {name} ({content}, {'another command' if any(commands) else 'its command is not known'})"


def unseen(repo: GitRepo, tree: str, command: Sequence[str], folder: Path) -> list[str]:
    """
    Return the files that a command names, that say what it does, and that a tree of the working tree has not.

    Args:
        tree: the tree of the working tree as it is.
        command: the command's words; what these say in a shell's or an interpreter's words is looked at, too.
        folder: where it is called.
    """
    if (top := repo.workdir) is None:
        return []
    top = top.resolve()
    found: dict[str, None] = {}
    for word in _words(command):
        path = Path(os.path.normpath(folder / word))
        if path.is_relative_to(top) and path != top and _is_code(path, top):
            found[path.relative_to(top).as_posix()] = None
    return [path for path in found if not _is_in(repo, tree, path.split("/"))]


_AS_FAR = "content that is equal as far as a snapshot tells"


def _is_whole(store: LineageStore) -> bool:
    return store.taken is None or store.taken.is_whole()


def _words(command: Sequence[str]) -> Iterator[str]:
    """Return what may be a file among a command's words; of ``-m a.b`` the module's."""
    for before, word in zip(("", *command), command, strict=False):
        if before == "-m":
            module = word.replace(".", "/")
            yield from (f"{module}.py", f"{module}/__main__.py")
        elif before == "-c" and " " in word:
            try:
                yield from _words(shlex.split(word))
            except ValueError:
                continue
        else:
            yield word.partition("=")[2] if word.startswith("-") else word


def _is_code(path: Path, top: Path) -> bool:
    """Whether a path is a file that says what is run, and not one of an environment of programs."""
    try:
        if not path.is_file() or not path.resolve().is_relative_to(top):
            return False
        if path.suffix.lower() not in _CODE:
            with path.open("rb") as file:
                if file.read(2) != b"#!":
                    return False
    except OSError:
        return False
    above = (folder for folder in path.parents if folder.is_relative_to(top))
    return not any((folder / _ENVIRONMENT).exists() or folder.name == "node_modules" for folder in above)


def _is_in(repo: GitRepo, tree: str, parts: Sequence[str]) -> bool:
    """Whether a tree has a path, or tells of a repository in which it would be."""
    for part in parts:
        entry = repo.read_tree(tree).get(part)
        if entry is None:
            return False
        if entry.mode != TREE:
            return True
        tree = entry.oid
    return True


def _result(store: LineageStore, view: TrialView) -> str:
    """Return what came of a trial, in words."""
    task, trial = store.task, view.trial
    score = trial.text(task.score_field)
    return ", ".join(filter(None, (trial.text("status") or "no result yet", f"{task.short} {score}" if score else "")))
