"""Citations: ids of trials in a text are found, numbers that merely look like ids are not."""

from collections.abc import Collection

import pytest
from campaigns import DATA, needs_campaigns
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage.model import tsv
from gitlineage.model.citations import mentions

KNOWN = frozenset(f"{number:03d}" for number in range(200)) | {
    "abc1234",
    "abc1234.2",
    "0f3d9aa",
    "wide-net",
    "baseline",
}


def cited(text: str, known: Collection[str]) -> list[str]:
    """Return the ids that a text mentions, in the order of their first mention."""
    return list(dict.fromkeys(name for _, name in mentions(text, known)))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("rebased from exp_015", ["015"]),
        ("Exp 015 and EXP-016, exp#017, exp017, exp_id=018", ["015", "016", "017", "018"]),
        ("exp 15 did worse than exp_7", ["015", "007"]),
        ("trial 015 beats experiment 016", ["015", "016"]),
        ("Re-submit of #078 with a fix", ["078"]),
        ("exp_106/097/088 all overran", ["106", "097", "088"]),
        ("exps 115, 116 and 117 crashed", ["115", "116", "117"]),
        ("(exp_042, 046, 050) tried it", ["042", "046", "050"]),
        ("disqualified exp_076@25ep, exp_106-style norm", ["076", "106"]),
        ("exp_015's warmup; exp_016.", ["015", "016"]),
        ("twice exp_015, then exp_015", ["015"]),
        ("like exp_wide-net did", ["wide-net"]),
        ("prior trials: exp_106 and trial exp_107", ["106", "107"]),
        ("on top of abc1234, against abc1234.2", ["abc1234", "abc1234.2"]),
        ("on top of 0f3d9aa17c", ["0f3d9aa"]),
        ("on top of commit 0f3d9aa1" + "0" * 32, ["0f3d9aa"]),
    ],
)
def test_citations_are_found(text: str, found: list[str]) -> None:
    """Every way to cite a trial that real texts use, in the order of first mention."""
    assert cited(text, KNOWN) == found


@pytest.mark.parametrize(
    "text",
    [
        "block_size 128 to 64, 100 steps, seed 042",
        "exp 0.015 and exp_0.5",
        "PR #105, PRs #107/#106, issue #015, pull/015, GH#015",
        "trial 2 of 3, experiment 10",
        "#1 priority, #12",
        "exp_999 is not there",
        "expand 015, expert 015, exponent015, trials",
        "back to the baseline, the trial baseline",
        "deadbeef, 1234567 parameters, abc12345x, v1.abc1234",
        "path/abc1234/file, abc1234-dirty",
        "#015% and #015.5",
        "exp_500, 015",
    ],
)
def test_numbers_and_words_are_not(text: str) -> None:
    """What merely looks like an id cites nothing."""
    assert cited(text, KNOWN | {"deadbee", "1234567"}) == []


def test_a_hash_that_means_two_cites_none() -> None:
    """A hash that is the longer form of two ids is left alone."""
    assert cited("see abc12345678", {"abc12345", "abc1234"}) == []
    assert cited("see abc12345", {"abc12345", "abc1234"}) == ["abc12345"]


def test_two_ids_of_one_value_need_their_spelling() -> None:
    """With 7 and 007 both known, exp 07 means neither, each spelling means itself."""
    assert cited("exp 07", {"7", "007"}) == []
    assert cited("exp 7, exp 007", {"7", "007"}) == ["7", "007"]


def test_hostile_text_takes_no_time() -> None:
    """Text that is made to be ambiguous is read through once."""
    for text in (
        "exps 015" + ", " * 50_000,
        "exp_" + "a-" * 50_000,
        "#100," * 30_000 + "#015",
        "PR " + "#1, and " * 10_000,
    ):
        assert set(cited(text, KNOWN)) <= {"015", "100"}


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300), st.sets(st.text(min_size=1, max_size=8), max_size=10))
def test_any_text(text: str, known: set[str]) -> None:
    """Whatever the text, only known ids come out, none of them twice, and the answer is the same again."""
    found = cited(text, known)
    assert set(found) <= known
    assert len(found) == len(set(found))
    assert cited(text, frozenset(known)) == found


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 199), max_size=6), st.text("abc xyz,.;()\n", max_size=20))
def test_what_is_written_is_read(numbers: list[int], between: str) -> None:
    """Ids that are cited in prose come out in order, whatever prose stands between."""
    text = "".join(f"{between} exp_{number:03d} " for number in numbers)
    assert cited(text, KNOWN) == list(dict.fromkeys(f"{number:03d}" for number in numbers))


@needs_campaigns
@pytest.mark.parametrize("name", ["cifar", "pg_ablation_lineage_on"])
def test_real_hypotheses(name: str) -> None:
    """In two real campaigns every exp_NNN is found, and all that is found stands there as an id."""
    rows = tsv.read((DATA / name / "results.tsv").read_bytes(), source=name).rows
    known = {row.trial.exp_id for row in rows}
    citations = 0
    for row in rows:
        text = f"{row.trial.hypothesis}\n{row.trial.notes}"
        found = cited(text, known)
        citations += len(found)
        spelled = {known_id for known_id in known if f"exp_{known_id}" in text}
        assert spelled <= set(found)
        assert all(any(mark + each in text for mark in ("exp_", "Exp_", "/", "#", ", ")) for each in found)
    assert citations > 100
