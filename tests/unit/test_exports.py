"""The shop window: what a caller of the store meets is exported, from where it is defined."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NewType, get_args

import pytest

import gitlineage
from gitlineage import LineageStore, Trial, errors
from gitlineage.record.ledger import Ledger
from gitlineage.store.catalogue import Catalogue
from gitlineage.store.history import History
from gitlineage.store.relations import Relations
from gitlineage.store.sharing import Remote

PACKAGE = Path(gitlineage.__file__).parent
OURS = {
    node.name
    for path in PACKAGE.rglob("*.py")
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.ClassDef)
}
PARTS = {"relations": Relations, "catalogue": Catalogue, "history": History, "remote": Remote}
"""What a store holds; each is reached through it alone."""


def public() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Return the public methods and properties of a store and its parts."""
    for place, kind in {"": LineageStore, **PARTS}.items():
        for name, member in inspect.getmembers(kind):
            if not name.startswith("_") and name not in PARTS:
                yield f"{place}.{name}".lstrip("."), member.fget if isinstance(member, property) else member


def named(annotation: Any) -> set[str]:
    """Return the package's own classes and id types in an annotation."""
    if isinstance(annotation, str):
        return set(re.findall(r"\w+", annotation)) & OURS
    if isinstance(annotation, list):  # a callable's arguments
        return set().union(*map(named, annotation))
    found = set().union(*map(named, get_args(annotation)))
    ours = getattr(annotation, "__module__", "").startswith("gitlineage") and not get_args(annotation)
    return found | {annotation.__name__} if ours and isinstance(annotation, type | NewType) else found


VERBS = {
    "recording": "announce append append_many adopt batch commit judge link_rewrite open_cohort record reparent "
    "retract reassert set_task",
    "trials": "all_trials best chain_to latest leaderboard log plot search stats task trial tried view",
    "tables": "to_arrow to_dicts to_pandas to_polars",
    "snapshots": "accept ancestors checkout children cohort cohorts common_ancestor compare descendants files leaves "
    "nearest nearness parents recipe_edit reparentings resolve restore rewritten_as rewritten_from same snapshot taken",
    "the prompt": "render_prompt record_session",
    "the store": "campaign campaigns clone close lacking reindex replay root verify writer",
    "parts": "catalogue history relations remote",
    "relations": "add_relationship deprecate_relationship find_common_ancestor generate_lineage_diagram get_ancestors "
    "get_dependents get_descendants get_evolution_history get_path get_relationships lineage_diagram merge_bases "
    "record_dependency record_evolution record_fork",
    "catalogue": "analyze_deprecation entries entry find_replacement_candidates find_similar_forges flush_usage "
    "forge_attempts forge_intents forge_record record_forge record_forge_attempt scored_forges search_forges set_entry "
    "touch",
    "history": "audit bisect blame events infer",
    "remote": "attach pull push remote_status sync",
}
"""What users call on a store."""


def test_a_store_shows_what_users_call() -> None:
    """Help on a store shows these verbs, each under its own name, and nothing that is only for what is built on it."""
    shown = {name for name in dir(LineageStore) if not name.startswith("_")}
    assert shown == set(" ".join(VERBS.values()).split())
    methods = {name: member for name, member in vars(LineageStore).items() if inspect.isfunction(member)}
    assert {name for name, member in methods.items() if member.__name__ != name} == set()


def test_a_store_holds_its_parts(tmp_path: Path) -> None:
    """A store inherits from nothing; what its parts do is done in the store, and its own verbs are theirs."""
    assert LineageStore.__bases__ == (object,)
    with LineageStore(tmp_path) as store:
        store.append(Trial("000", status="baseline", core_metric=1.0))
        store.append(Trial("001", status="keep", core_metric=2.0))
        made = store.relations.add("001", "000", "depends_on")
        assert store.get_relationships() == store.relations.find() == [made]
        assert store.catalogue.set_entry("000", name="first") == store.entry("000")
        assert store.history.events() == store.events() and store.history.problems() == []
        with pytest.raises(errors.RepositoryError):
            store.remote.push()


def test_a_store_is_opened_with_what_its_ledger_takes() -> None:
    """The two constructors have the same parameters, with the same defaults and annotations."""
    assert inspect.signature(LineageStore) == inspect.signature(Ledger)


@pytest.mark.parametrize("name", [name for name in gitlineage.__all__ if name != "__version__"])
def test_a_name_comes_from_its_home(name: str) -> None:
    """Every exported name is there, and is imported from the module that defines it."""
    found = getattr(gitlineage, name)
    assert found.__module__ == f"gitlineage.{gitlineage._HOME.get(name, 'errors')}"


def test_every_home_is_exported() -> None:
    """No name has a home without being exported."""
    assert set(gitlineage._HOME) <= set(gitlineage.__all__)


def test_what_is_raised_is_exported() -> None:
    """A caller can catch every error by its name."""
    raised = [each for _, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__]
    assert {each.__name__ for each in raised} <= set(gitlineage.__all__)


def test_what_is_returned_and_taken_is_exported() -> None:
    """A caller can name whatever a public method returns or takes."""
    missing = {}
    for name, method in public():
        signature = inspect.signature(method)
        hints = [signature.return_annotation, *(each.annotation for each in signature.parameters.values())]
        met = set().union(*map(named, hints))
        if unknown := met - set(gitlineage.__all__):
            missing[name] = sorted(unknown)
    assert missing == {}


def test_annotations_are_understood() -> None:
    """The test above sees through quotes, unions, lists and id types."""
    hints = {name: named(inspect.signature(method).return_annotation) for name, method in public()}
    assert hints["audit"] == {"AuditEntry"}
    assert hints["adopt"] == {"CommitOid"}
    assert hints["pull"] == {"Exchange"}
    assert hints["best"] == {"Trial"}
    assert hints["analyze_deprecation"] == {"ImpactReport"}
