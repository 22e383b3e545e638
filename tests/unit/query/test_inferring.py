"""Inferred relations: what texts cite, and what of it is proposed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gitlineage import LineageStore, NotFound, Trial


@pytest.fixture
def campaign(store: LineageStore) -> LineageStore:
    """Four trials; the last one cites the first two, one of which is its parent."""
    for number, (text, parents) in enumerate((("base", []), ("wider", ["000"]), ("deeper", ["000"]))):
        store.commit({"f": b"%d" % number}, parents, trial=_row(text))
    store.commit({"f": b"3"}, ["002"], trial=_row("wider as in exp_001, deeper as in exp 002, seen 1000 times"))
    return store


def _row(text: str, **cells: str) -> Trial:
    return Trial(status="keep", core_metric=1.0, hypothesis=text, **cells)  # type: ignore[arg-type]


def pairs(store: LineageStore, id: str | None = None, *, notes: bool = False) -> list[tuple[str, str]]:
    """Return who cites whom."""
    return [(each.source, each.target) for each in store.infer(id, notes=notes)]


def test_a_citation_is_proposed(campaign: LineageStore) -> None:
    """With both ends and what was said; a parent is no proposal, and neither is a plain number."""
    (found,) = campaign.infer()
    assert (found.source, found.target, found.column) == ("003", "001", "hypothesis")
    assert (found.source_id, found.target_id) == (campaign.resolve("003"), campaign.resolve("001"))
    assert found.inferred and "exp_001" in found.text


def test_what_is_shown_of_a_text_is_one_line_as_it_stands(store: LineageStore) -> None:
    """Runs of blanks are one, and no bidi control turns what a person reads around."""
    store.commit({"f": b"0"}, trial=_row("base"))
    store.commit({"f": b"1"}, trial=_row("as in\n\n exp_000 \u202eevil\u2066"))
    (found,) = store.infer()
    assert found.text == "as in exp_000 evil"


def test_nothing_is_recorded(campaign: LineageStore, git: Callable[..., str]) -> None:
    """Refs, parents, relations and walks are what they were."""
    before = git("for-each-ref"), campaign.parents("003"), campaign.get_ancestors("003")
    campaign.infer()
    assert (git("for-each-ref"), campaign.parents("003"), campaign.get_ancestors("003")) == before
    assert campaign.get_relationships() == []


def test_notes_are_read_on_request(campaign: LineageStore) -> None:
    """By default only the hypothesis counts."""
    campaign.commit({"f": b"4"}, ["000"], trial=_row("plain", notes="compare exp 003"))
    assert ("004", "003") not in pairs(campaign)
    assert ("004", "003") in pairs(campaign, notes=True)


def test_one_trials_citations(campaign: LineageStore) -> None:
    """An id leaves the others out; an unknown one is an error."""
    campaign.commit({"f": b"4"}, ["000"], trial=_row("like exp_001"))
    assert pairs(campaign, "004") == [("004", "001")]
    assert pairs(campaign, "000") == []
    with pytest.raises(NotFound):
        campaign.infer("nothing")


def test_itself_and_later_trials_are_left_out(campaign: LineageStore) -> None:
    """Nobody comes after what was recorded later, or after itself."""
    campaign.commit({"f": b"4"}, ["000"], trial=_row("exp_004 tries what exp_005 will"))
    campaign.commit({"f": b"5"}, ["000"], trial=_row("another"))
    assert pairs(campaign, "004") == []


def test_replicates_are_left_out(campaign: LineageStore) -> None:
    """A trial on the same snapshot is the same thing."""
    campaign.record("001", _row("a replicate of exp_001"))
    assert pairs(campaign, "001") == []


def test_relations_and_inspirations_are_left_out(campaign: LineageStore) -> None:
    """What was recorded is no proposal any more; what ended is one again."""
    campaign.add_relationship("003", "001", "depends_on")
    campaign.commit({"f": b"4"}, ["000"], roles={"001": "inspiration"}, trial=_row("like exp_001"))
    assert pairs(campaign) == []
    campaign.deprecate_relationship("003", "001", "depends_on")
    assert pairs(campaign) == [("003", "001")]


def test_each_pair_once(campaign: LineageStore) -> None:
    """Citing it twice proposes it once; several citations stand in the order of the text."""
    campaign.commit({"f": b"4"}, ["003"], trial=_row("exp_002 then exp_001 then exp_002 again"))
    assert pairs(campaign, "004") == [("004", "002"), ("004", "001")]


def test_an_id_of_two_writers(
    campaign: LineageStore, open_store: Callable[..., LineageStore], folder: Path, tmp_path: Path
) -> None:
    """The citing writer's own trial is meant; where all are somebody else's, nothing is proposed."""
    bob = open_store(tmp_path / "bob", writer="bob")
    bob.commit({"g": b"bob"}, trial=_row("of bob").replace(exp_id="x1"))
    own = campaign.commit({"g": b"alice"}, trial=_row("of alice").replace(exp_id="x1"))
    campaign.pull(str(tmp_path / "bob"))
    campaign.commit({"f": b"4"}, ["000"], trial=_row("like exp x1").replace(exp_id="x2"))
    (found,) = campaign.infer("x2")
    assert (found.target, found.target_id) == ("x1@alice", own.oid)
    carol = open_store(folder, writer="carol")
    carol.commit({"f": b"5"}, ["000"], trial=_row("like exp x1").replace(exp_id="x3"))
    assert carol.infer("x3") == []


def test_no_control_characters(campaign: LineageStore) -> None:
    """What is shown of a text is one line."""
    campaign.commit({"f": b"4"}, ["000"], trial=_row("one\x1b[31m\nlike exp_001\x07"))
    (found,) = campaign.infer("004")
    assert found.text.isprintable()


def test_drawn_dashed(campaign: LineageStore) -> None:
    """A diagram takes them as proposed edges beside the recorded ones."""
    proposed = [each.relationship() for each in campaign.infer()]
    shown = campaign.lineage_diagram(part="all", proposed=proposed)
    assert [(edge.source, edge.target) for edge in shown.links() if edge.proposed] == [
        (campaign.resolve("003"), campaign.resolve("001"))
    ]
    assert sum(not edge.proposed for edge in shown.links()) == 3
