"""Cleaning and cutting of text."""

import unicodedata

import pytest
from campaigns import every_campaign, needs_campaigns
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage.text import block, cell, code, counted, cut, fit, head, name, one_line, prose, tried, words

NASTY = "ab `|\\#*~\t\n\r\x00\x0b\x0c\x1b\x1c\x85\x9f\u2028\u2029\u202a\u202e\u2066\u2069\ud800\udfff∣…é🙂"
texts = st.text(st.sampled_from(NASTY) | st.characters(), max_size=40)


def test_counts_in_words():
    """One is one, all else is several; thousands are set apart."""
    assert [counted(count, "trial") for count in (0, 1, 2, 1234)] == ["0 trials", "1 trial", "2 trials", "1,234 trials"]


@needs_campaigns
def test_real_cells_come_out_as_they_are():
    """No cell of the published campaigns is changed, but for the bars in table cells."""
    cells = [text for campaign in every_campaign() for row in campaign.rows for text in row.trial.cells().values()]
    assert len(cells) > 1000
    for text in cells:
        assert one_line(text) == prose(text) == text
        assert cell(text) == text.replace("|", "∣")
        assert block(text) == text.rstrip()


@settings(max_examples=300)
@given(texts)
def test_a_line_is_one_printable_line(text):
    """Whatever goes in, one line without control characters comes out, and it can be encoded."""
    line = one_line(text)
    assert len(line.splitlines()) == (1 if line else 0)
    assert not [sign for sign in line if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")]
    assert not set(line) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert one_line(line) == line
    line.encode()


@settings(max_examples=300)
@given(texts)
def test_cells_and_prose_hold_no_structure(text):
    """Prose holds no fence, a cell no bar either, and inline code no backtick."""
    assert "```" not in prose(text)
    assert "```" not in cell(text)
    assert "|" not in cell(text)
    assert "`" not in code(text)


@settings(max_examples=300)
@given(texts)
def test_a_block_keeps_lines_and_tabs_only(text):
    """Text of people keeps its line breaks and tabs, and no other control character."""
    kept = block(text)
    assert not [sign for sign in kept if unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\t\n"]
    assert kept == block(kept + " \n")


@pytest.mark.parametrize(
    ("given_text", "line"),
    [
        ("a\tb\nc\rd", "a b c d"),
        ("a\r\nb", "a  b"),
        ("a\u2028b\x85c", "a b c"),
        ("a\x00\x1b[31mb\x9f", "a[31mb"),
        ("\u202eabc\u2069", "abc"),
        ("a\ud800b", "a\ufffdb"),
        ("עברית\u200f é 🙂", "עברית\u200f é 🙂"),
    ],
)
def test_what_becomes_of_odd_characters(given_text, line):
    """Breaks become spaces, controls go, halves of surrogate pairs are marked, and writing systems stay."""
    assert one_line(given_text) == line


def test_dropped_characters_cannot_hide_a_fence():
    """A fence that only appears once control characters are gone is found all the same."""
    assert prose("`\x00`\u202e`py") == "'''py"
    assert prose("`code` and ``code``") == "`code` and ``code``"


def test_a_block_reads_windows_line_ends():
    """CRLF is one line break."""
    assert block("a\r\nb\r\n") == "a\nb"


@pytest.mark.parametrize(
    ("length", "mark", "kept"),
    [(80, "...", 80), (81, "...", 77), (81, "…", 77)],
)
def test_a_cut_makes_room_for_three_signs(length, mark, kept):
    """Text is cut three characters before the limit, and only when it is longer than the limit."""
    assert cut("🙂" * length, 80, one_line, mark) == "🙂" * kept + (mark if kept < length else "")


def test_a_cut_comes_after_the_escape():
    """What an escape drops takes no room, a cut without a mark is just that, and what was not looked at is marked."""
    assert cut("\x00" * 9 + "abc", 3, one_line) == "abc"
    assert cut("abcdef", 4, one_line, "") == "abcd"
    assert cut("\x00" * 1_000_000 + "abc", 9, one_line) == "…"


def test_names_words_and_hypotheses_hold_no_marks_of_ours():
    """Signs that end a name look alike only, words are a space apart, and a hypothesis has no tail of a line."""
    assert name("a**b [c], <d>|`\\") == "a＊＊b ［c］， ‹d>∣'＼"
    assert words(" a \n\t b\uffff") == "a b\ufffd"
    assert tried("x  (+ exp_1)  ← BEST") == "x  (＋ exp_1)  ‹ BEST"


def test_fit_says_where_it_cut():
    """A cut document ends in a notice, and no limit leaves it alone."""
    assert fit("abcdef\n", 4, "X.md") == "abcd\n\n… (truncated: X.md exceeded 4 characters)\n"
    assert fit("abcdef\n", 7, "X.md") == fit("abcdef\n", 0, "X.md") == "abcdef\n"


@given(st.lists(st.text("ab`\n", max_size=9), max_size=9), st.integers(0, 60))
def test_a_head_is_cut_as_the_whole_is(lines, limit):
    """Of lines that a cut hides nothing is asked for, and nothing else comes of it."""
    asked = []
    began = head((asked.append(line) or line for line in lines), limit)
    assert fit(began, limit, "X.md") == fit("\n".join(lines) + "\n", limit, "X.md")
    assert len("\n".join(asked[:-1])) <= limit or not limit


@pytest.mark.parametrize(
    ("document", "closed"),
    [
        ("```\ntext\n", "```\ntext\n```\n"),
        ("````\n```\n", "````\n```\n````\n"),
        ("~~~ py\n```\n", "~~~ py\n```\n~~~\n"),
        ("```\n``` py\n", "```\n``` py\n```\n"),
        ("```\n```\n", "```\n```\n"),
        ("``` a`b\n", "``` a`b\n"),
        ("    ```\n", "    ```\n"),
    ],
)
def test_fit_closes_an_open_fence(document, closed):
    """A fence that is open at the end is closed with its own marks; what is no fence is let be."""
    assert fit(document, 0, "X.md") == closed


def test_a_cut_inside_a_fence_closes_it_before_the_notice():
    """The notice of a cut is never inside a fence."""
    assert fit("```\nlong line\n```\n", 8, "X.md").splitlines() == [
        "```",
        "long",
        "```",
        "",
        "… (truncated: X.md exceeded 8 characters)",
    ]
