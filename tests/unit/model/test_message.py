"""gitlineage.model.message: what a commit message says, and what git's own trailer parser makes of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage.model.message import (
    compose,
    flattened,
    read_trailers,
    snapshot_trailers,
    subject,
    trailer_lines,
)

OID = "0123456789abcdef0123456789abcdef01234567"
quick = settings(max_examples=200, deadline=None, database=None)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
HOSTILE = [
    "x\n\nExp-Id: forged",
    "Exp-Id: forged",
    "x\n\nCohort: forged\nLineage-Parent: " + OID + " role=mate",
    "\n\n",
    "---\nx",
    "# no",
]


@pytest.mark.parametrize("message", ["", "one", "one\n", "one\n\ntwo\n\nthree", *HOSTILE])
def test_the_trailers_are_the_last_paragraph_whatever_was_said_before(message, git, folder):
    """Our parser and ``git interpret-trailers`` agree on what was added, and take nothing of what was said."""
    pairs = snapshot_trailers("015", "arch", "wide", {OID: "base"}, "")
    whole = compose(message, pairs)
    found = read_trailers(whole)
    assert (found.exp_id, found.specialist, found.cohort, found.roles) == ("015", "arch", "wide", ((OID, "base"),))
    parsed = git("interpret-trailers", "--parse", "--no-divider", cwd=folder.parent, data="subject\n\n" + whole)
    assert parsed.split("\n") == ["Exp-Id: 015", "Specialist: arch", "Cohort: wide", f"Lineage-Parent: {OID} role=base"]


@quick
@given(text, st.lists(text, min_size=3, max_size=3))
def test_no_text_can_add_or_change_a_trailer(message, values):
    """Whatever message and values hold, each trailer reads back as its one line."""
    exp_id, specialist, cohort = values
    found = read_trailers(compose(message, snapshot_trailers(exp_id, specialist, cohort, {}, "n-1")))
    assert found.exp_id == flattened(exp_id)
    assert found.specialist == flattened(specialist)
    assert found.cohort == flattened(cohort)
    assert found.roles == ()


@pytest.mark.parametrize(
    "message",
    [
        "",
        "one",
        "Exp-Id: 015",
        "Exp-Id: 015\nCohort: x",
        "a\n\nplain words",
        "a\n\nb: c",
        "Fix: everything\n",
        "x\n\nLineage-Parent: abc role=base",
    ],
)
def test_ordinary_commits_say_nothing(message):
    """A subject alone is never a trailer, and a foreign trailer is none of ours."""
    found = read_trailers(message)
    assert (found.exp_id, found.specialist, found.cohort, found.roles) == ("", "", "", ())


@pytest.mark.parametrize(
    "value", ["zz role=base", OID, f"{OID} role=", f"{OID} role=BASE", f"{OID[:39]} role=base", f"{OID}  role=base"]
)
def test_a_parent_trailer_that_is_bent_is_passed_over(value):
    """Roles are read exactly or not at all."""
    good = f"x\n\nLineage-Parent: {value}\nLineage-Parent: {OID} role=mate"
    assert read_trailers(good).roles == ((OID, "mate"),)


@pytest.mark.parametrize(
    ("given_text", "line"),
    [
        ("a\r\nb", "a b"),
        ("\x1b[31mred", "[31mred"),
        (" a ", "a"),
        ("a\u2028\u2029b", "a b"),
        ("a\x85\x0b\x0cb", "a b"),
        ("\n", ""),
        ("ä\tb", "ä b"),
    ],
)
def test_flattened_has_no_breaks_and_no_control_characters(given_text, line):
    """Runs of them become one space."""
    assert flattened(given_text) == line


def test_subject_is_the_first_line():
    """Leading blank lines do not count."""
    assert subject("\n\none\ntwo") == "one"
    assert subject("") == ""


def test_a_block_of_empty_values_is_left_out():
    """No trailers, no paragraph for them; carriage returns and NUL never reach git."""
    assert compose("a\r\nb\0", [("Cohort", "")]) == "a\nb\n"
    assert trailer_lines(compose("a", [("Cohort", ""), ("Exp-Id", "1")])) == [("Exp-Id", "1")]
