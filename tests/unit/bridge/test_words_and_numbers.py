"""What people's words and numbers mean: statuses, directions, names of columns, numbers with units and decoration."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage.bridge.formats import numbers, words


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("keep", "keep KEEP kept Kept NEW_BEST improved ✅ 保留✔ **KEEP** keep* yes TRUE approved"),
        ("discard", "discard REVERT reverted rejected worse no 0 neutral REVERTED:slow discard_stage1 回滚 discarded"),
        ("crash", "crash CRASHED error FAIL oom timeout killed nan"),
        ("baseline", "baseline BASE BASELINE_TOY PORTED_BASELINE 基线"),
        (words.RAN, "ok success done FINISHED PASS"),
        (words.UNDECIDED, "no-op drift SKIPPED DIAG keep-candidate blocked"),
        (words.PENDING, "running queued RUNNING"),
    ],
)
def test_words_for_statuses(name: str, spelled: str) -> None:
    """Words in any case, with decoration or a reason hanging on, mean one of the classes."""
    assert {word: words.status_of(word) for word in spelled.split()} == dict.fromkeys(spelled.split(), name)
    assert words.status_of("keep (reworked)") == "keep"


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("keep", "positive — the loss fell from 0.99 to 0.98 " + "and so on " * 40),
        ("discard", "negative. worse by 0.003, not pushed"),
        ("discard", "reverted (no effect, within noise)"),
        ("discard", "reverted_no_improvement"),
        ("keep", "keep_correctness_no_gain"),
        ("keep", "compile_clean_accept"),
        ("keep", "CONFIRMED (probe +4.5 pt)"),
        ("crash", "invalid: the mask was left on"),
        (None, "not supported at 12 proposals; the schedule needs more"),
        (None, "no further work; keep the code"),
    ],
)
def test_a_word_before_a_sentence(name: str | None, cell: str) -> None:
    """A word that a sentence follows means what it means alone, however long the sentence and whatever it denies."""
    assert words.status_of(cell) == name


@pytest.mark.parametrize("word", ["contender", "dropped", "1824s", "curriculum_0.67", "a.rs", "did not keep", "-", ""])
def test_words_that_nobody_knows(word: str) -> None:
    """What is not in the table is not guessed."""
    assert words.status_of(word) is None


@given(st.text(max_size=60))
def test_any_word_is_read_without_a_fault(word: str) -> None:
    """Whatever a cell holds, it is a class or none."""
    assert words.status_of(word) in (None, *words.CLASSES)
    assert words.direction_of(word) in (None, True, False)
    assert words.metric_tier(word, ["score"]) >= 0


@pytest.mark.parametrize(
    ("lower", "names"),
    [
        (True, "val_loss loss rmse error_rate latency_ms ms_per_call train_s total_violations wer score↓ perplexity"),
        (False, "acc val_acc tok_s tokens_per_sec generations_per_s exact_rate F1 auc throughput_tflops acc↑ mean_pnl"),
        (None, "score metric value gap entropy metric_after objective"),
    ],
)
def test_directions_in_names(lower: bool | None, names: str) -> None:
    """A column's name says in which direction it improves, or nothing."""
    assert {name: words.direction_of(name) for name in names.split()} == dict.fromkeys(names.split(), lower)


def test_names_of_metrics() -> None:
    """What ranks is named so; what a recipe is made of, was before, or spreads is none."""
    columns = [
        "commit",
        "learning_rate",
        "memory_gb",
        "old_score",
        "new_score",
        "best_score",
        "score",
        "val_loss",
        "loss_std",
    ]
    tiers = {name: words.metric_tier(name, columns) for name in columns}
    assert sorted(tiers, key=lambda name: -tiers[name])[:3] == ["score", "new_score", "val_loss"]
    assert max(tiers[name] for name in ("learning_rate", "memory_gb", "old_score", "best_score", "loss_std")) < 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("68.6%", 68.6), ("12.5ms", 12.5), ("113,848", 113848), ("~9.7K req_s@32", 9700), ("0,85", 0.85),
        ("1e-3", 0.001),
        ("0.91 ± 0.02", 0.91), ("86.0 (+2.1)", 86.0), ("154→175/+21", 175), ("−3.5", -3.5), ("2/4", 0.5),
        ("79.02/2139.72", None), ("12/4", None), ("34642b0171ebe3940acfe474f244f09e19ae5d80", None),
        ("**3.1**", 3.1),
        ("+5.2", 5.2), ("$1.50", 1.5), ("3.2x", 3.2), ("1.5M", 1_500_000),
        ("N/A", None), ("-", None), ("FAIL", None), ("OOM", None), ("", None), ("nan", None), ("inf", None),
        ("1824s later it ended with an error of memory", None), ("v1.2", None), ("2026-01-02", None),
    ],
)  # fmt: skip
def test_numbers_in_cells(text: str, value: float | None) -> None:
    """Units, percent, thousands and rough numbers are understood; placeholders and prose are none."""
    found = numbers.read(text)
    assert (found.value if found else None) == (None if value is None else pytest.approx(value))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_plain_number_stays_as_it_is(value: float) -> None:
    """A number that needs no understanding is spelt as in the file."""
    column = numbers.scores([repr(value)])
    assert column.values == [value]
    assert column.texts == [repr(value)]
    assert column.told == []


@given(st.text(max_size=40))
def test_any_cell_is_a_finite_number_or_none(text: str) -> None:
    """No cell is infinite, and none raises."""
    found = numbers.read(text)
    assert found is None or math.isfinite(found.value)


def test_units_of_one_kind_are_turned_into_one() -> None:
    """Seconds and milliseconds in one column are comparable, and it is said."""
    column = numbers.scores(["900ms", "1.2s", "850"])
    assert column.values == [900, pytest.approx(1200), 850]
    assert any("units differ" in told for told in column.told)


@pytest.mark.parametrize(
    ("cells", "values", "said"),
    [
        (["0.52", "55%", "0.5"], [0.52, 0.55, 0.5], "divided by a hundred in 1 of the cells"),
        (["0.52", "0.6%", "0.5"], [0.52, None, 0.5], "1 cell is of another scale than the others, and unscored: 0.6%"),
        (["52", "55%", "61"], [52, 55, 61], "percent signs were read as numbers"),
        (["55%", "54%", "0.9"], [0.55, 0.54, 0.9], "divided by a hundred in 2 of the cells"),
        (["12ms", "11ms", "0.010"], [12, 11, None], "unscored: 0.010"),
        (["900", "910", "1.2s"], [900, 910, None], "unscored: 1.2s"),
        (["12 ms", "11 ms", "13"], [12, 11, 13], "units were cut off"),
        (["10 tok/s", "11 tok/s", "5 GB"], [10, 11, None], "unscored: 5 GB"),
        (["3/4", "1/2", "55%"], [0.75, 0.5, 0.55], "divided by a hundred"),
        (["3/4", "12", "13"], [None, 12, 13], "unscored: 3/4"),
        (["50% → 55%", "60%"], [55, 60], "the number after was read"),
        (["0", "55%", "0.5"], [0, 0.55, 0.5], "divided by a hundred"),
        (["0,52", "1,234", "2,5"], [0.52, 1.234, 2.5], "commas inside numbers were read as points"),
        (["1,234", "113,848", "999"], [1234, 113848, 999], "commas inside numbers were taken for separators"),
        (["900ms", "0", "1.2s"], [900, 0, 1200], "units differ"),
    ],
)
def test_cells_of_several_scales(cells: list[str], values: list[float | None], said: str) -> None:
    """What cannot be turned into the scale of the others has no value, and never ranks above them."""
    column = numbers.scores(cells)
    assert column.values == [value if value is None else pytest.approx(value) for value in values]
    assert said in "; ".join(column.told)


@given(st.lists(st.sampled_from(["0.5", "55%", "12", "3/4", "7ms", "2s", "5 GB", "1e308%", "-3", "0", "x", "9K"])))
def test_a_column_of_any_scales(cells: list[str]) -> None:
    """Every cell has a finite value or none, spelt so that it is read again as the same."""
    column = numbers.scores(cells)
    for value, text in zip(column.values, column.texts, strict=True):
        assert (value is None) == (text == "")
        assert value is None or float(text) == pytest.approx(value)
