"""What there has to be for each type of event: a part that is forgotten is told by its name (docs/add-an-event.md)."""

import re
from pathlib import Path

import pytest
from places import ROOT
from test_codec import EVENTS

from gitlineage import LineageStore
from gitlineage.index.fold import FOLDS
from gitlineage.journal import events
from gitlineage.journal.journal import Recorded
from gitlineage.query import audit

NOT_NAMED = {
    ("cohort", "base"): "a bundle opens the cohort, whose commit has the base as parents",
    ("trial", "saw"): "a bundle takes the sessions that its trials saw",
    ("session", "prompt"): "a blob in the session's own commit",
    ("session", "tips"): "writers' refs at that time, which only readers of the prompt want",
    ("imported", "document"): "a blob that the writer's ref keeps",
}
"""Fields with oids of what is no commit, or comes along in another way."""


def missing(kind: type[events.Event]) -> list[str]:
    """Return the parts that a type of event lacks, each as the file and what has to be there."""
    tag = str(kind.__struct_config__.tag)
    examples = [event for event in EVENTS if type(event) is kind]
    model = (ROOT / "docs" / "data-model.md").read_text()
    found = {
        "journal/events.py: a place": "place" in vars(kind),
        "journal/events.py: AnyEvent": events.TYPES.get(tag) is kind,
        "index/fold.py: FOLDS": kind in FOLDS,
        "query/audit.py: WORDS": tag in audit.WORDS,
        "tests/unit/journal/test_codec.py: EVENTS": bool(examples),
        "docs/data-model.md: a row of the table": re.search(rf"^\|.*`{tag}`.*\| .* \| .* \|$", model, re.M) is not None,
        "docs/data-model.md: an example": f'"type":"{tag}"' in model,
    }
    for event in examples:
        for field in kind.__struct_fields__:
            text = re.findall(r"\b[0-9a-f]{40}\b", repr(getattr(event, field)))
            known = set(text) <= set(event.names()) or (tag, field) in NOT_NAMED
            found[f"journal/events.py: names() has the commits of {field}"] = known
    return [part for part, there in found.items() if not there]


@pytest.mark.parametrize("kind", events.Event.__subclasses__(), ids=lambda kind: kind.__name__)
def test_nothing_is_forgotten_of_a_type_of_event(kind: type[events.Event]) -> None:
    """Each has its place, its fold, its words, the commits that it names, an example, and its row in the manual."""
    assert missing(kind) == []


def test_a_type_that_is_only_declared_lacks_all_the_rest() -> None:
    """The list above would tell: a class alone is no type of event."""
    kind = type("NewEvent", (), {"__struct_config__": type("", (), {"tag": "new"}), "__struct_fields__": ()})
    assert len(missing(kind)) == 7


def test_every_type_is_told_in_words(tmp_path: Path) -> None:
    """An audit says in a line what happened, whatever the type; the type's own name is no answer."""
    with LineageStore(tmp_path) as store:
        oid = store.commit({"f": b"1"}).oid
        told = audit.told(store.ledger.views(), oid, [Recorded("alice", oid, event) for event in EVENTS])
    assert {entry.event.event_type for entry in told} == set(events.TYPES)
    assert [entry.what for entry in told if entry.what == entry.event.event_type or "\n" in entry.what] == []
