"""gitlineage.model.trial: ten statuses, seventeen columns, and the text of every cell as it was given."""

import math
import pickle

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage.errors import InvalidTrial
from gitlineage.model.trial import (
    AUTO_ID,
    COLUMNS,
    NUMERIC,
    FailureLabel,
    Trial,
    check_cells,
    check_exp_id,
    json_cells,
    pack,
    packed_cells,
    packed_json,
    packed_rows,
    packed_values,
    parse_number,
    refuse_non_finite,
    unpack,
)

HEADER = [
    "exp_id",
    "timestamp",
    "specialist",
    "parent_exp",
    "baseline_exp",
    "domain",
    "hypothesis",
    "expected_delta",
    "status",
    "core_metric",
    "val_bpb",
    "delta_vs_best",
    "train_s",
    "total_s",
    "job_name",
    "snapshot_path",
    "notes",
]
LABELS = [
    "keep",
    "discard",
    "crash",
    "eval_budget_overrun",
    "train_budget_overrun",
    "size_blocked",
    "preflight_crash",
    "harness_abort",
    "disqualified",
    "baseline",
]
quick = settings(max_examples=150, deadline=None, database=None)
cell = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
number = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["", "1.080000", "+1", ".5", "1e-3", "1,5", "n/a"]),
)


def test_the_statuses_are_exactly_ten():
    """Semantics 8 locks the set; only a harness abort says nothing about the recipe."""
    assert [label.value for label in FailureLabel] == LABELS
    assert [label.value for label in FailureLabel if not label.is_informational] == ["harness_abort"]
    assert str(FailureLabel.KEEP) == f"{FailureLabel.KEEP}" == "keep"
    assert FailureLabel.KEEP == "keep"


def test_the_columns_are_the_published_seventeen_in_order():
    """By position as by name (semantics 9)."""
    assert list(COLUMNS) == list(Trial.header()) == HEADER
    values = [f"v{at}" if name not in NUMERIC else float(at) for at, name in enumerate(HEADER)]
    values[HEADER.index("status")] = "keep"
    assert Trial(*values).to_row() == [str(value) for value in values]
    assert Trial(**dict(zip(HEADER, values, strict=True))) == Trial(*values)


def test_a_trial_of_nothing_is_pending_and_numbered_later():
    """Only the store gives it an id; its cells are empty."""
    trial = Trial()
    assert (trial.exp_id, trial.status, trial.core_metric) == (AUTO_ID, None, None)
    assert trial.to_row()[1:] == [""] * 16


@quick
@given(
    st.fixed_dictionaries(
        {name: number if name in NUMERIC else cell for name in HEADER if name not in ("exp_id", "status")}
    ),
    st.dictionaries(cell.filter(lambda name: name not in HEADER), cell, max_size=3),
)
def test_every_cell_comes_back_as_it_was_given(cells, extra):
    """A row of text goes in and comes out, unknown columns and odd spellings too; a second trip changes nothing."""
    given = {"exp_id": "a", "status": "crash", **cells, **extra}
    trial = Trial.from_row(given)
    assert trial.to_row() == [given[name] for name in HEADER]
    assert dict(trial.extra) == extra
    assert Trial.from_cells(trial.cells()) == trial
    assert msgspec.json.decode(msgspec.json.encode(trial), type=Trial) == unpack(pack(trial)) == trial
    assert pack(Trial.from_cells(trial.cells())) == pack(trial)
    assert pickle.loads(pickle.dumps(trial)) == trial
    assert hash(Trial.from_row(given)) == hash(trial)
    for name in NUMERIC:
        assert trial.number(name) == parse_number(given[name])


def refusal(work, cells) -> str | None:
    """What a function says that refuses cells, ``None`` where it takes them."""
    try:
        work(cells)
    except InvalidTrial as error:
        return str(error)
    return None


@quick
@given(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(NUMERIC, st.one_of(number, cell, st.sampled_from(["nan", " -inf ", "1e999", "9" * 400]))),
            "exp_id": st.one_of(cell, st.sampled_from(["a", "*", " a", "a" * 201])),
            "status": st.one_of(cell, st.sampled_from(FailureLabel).map(str)),
            "hypothesis": cell,
            "no column": cell,
        },
    )
)
def test_cells_are_refused_as_a_trial_of_them_is(cells):
    """To check a row costs less than to build it, and finds the same, in the same words."""
    assert refusal(check_cells, cells) == refusal(Trial.from_cells, cells)


@pytest.mark.parametrize(
    ("given_value", "value", "text"),
    [
        ("1.080000", 1.08, "1.080000"),
        ("1.08", 1.08, "1.08"),
        (1.08, 1.08, "1.08"),
        (3, 3.0, "3"),
        ("", None, ""),
        (None, None, ""),
        ("n/a", None, "n/a"),
        (" 1.5 ", 1.5, " 1.5 "),
        ("-0.000000", -0.0, "-0.000000"),
        (0.1, 0.1, "0.1"),
    ],
)
def test_a_number_keeps_its_spelling(given_value, value, text):
    """Numbers read as floats and print as they were written."""
    trial = Trial(exp_id="a", core_metric=given_value)
    assert (trial.core_metric, trial.text("core_metric")) == (value, text)
    again = trial.replace(notes="x")
    assert (again.core_metric, again.text("core_metric")) == (value, text)
    assert trial.replace(core_metric=2.5).text("core_metric") == "2.5"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "nan", "-Inf", "Infinity", True, [], b"1", object()])
def test_a_metric_must_be_a_finite_number(value):
    """NaN, infinity and what is no number at all are refused by name."""
    with pytest.raises(InvalidTrial, match="core_metric"):
        Trial(exp_id="a", core_metric=value)


@pytest.mark.parametrize("status", ["Keep", "kept", "keep ", 5, "None"])
def test_an_unknown_status_is_refused(status):
    """There are ten words and no others; the error lists them."""
    with pytest.raises(InvalidTrial, match="harness_abort") as caught:
        Trial(exp_id="a", status=status)
    assert caught.value.field == "status"
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "row",
    [
        {"exp_id": "a"},
        {"exp_id": "a", "status": ""},
        {"exp_id": "a", "status": None},
        {"status": "keep"},
        {"exp_id": "", "status": "keep"},
    ],
)
def test_a_row_needs_its_id_and_its_status(row):
    """A missing status is an error and no silent discard (semantics 8)."""
    with pytest.raises(InvalidTrial):
        Trial.from_row(row)


@pytest.mark.parametrize("exp_id", ["", " ", "a ", "\ta", "a\nb", "a\x00", "\x7f", "\x85", "\u2029", "a" * 201])
def test_an_id_of_nothing_or_control_characters_is_refused(exp_id):
    """Ids are opaque, but they are one visible line of at most 200 characters."""
    with pytest.raises(InvalidTrial, match="exp_id"):
        check_exp_id(exp_id)


@pytest.mark.parametrize("field", ["hypothesis", "notes", "specialist", "timestamp"])
@pytest.mark.parametrize("value", [5, b"x", ["x"], "\ud800"])
def test_text_is_text(field, value):
    """Bytes, numbers and broken Unicode are no text."""
    with pytest.raises(InvalidTrial, match=field):
        Trial(exp_id="a", **{field: value})
    if value != 5:  # a further column takes numbers
        with pytest.raises(InvalidTrial):
            Trial(exp_id="a", extra={"more": value})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-1.5", -1.5),
        ("+.5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        (" 2 ", 2.0),
        ("", None),
        ("1e999", None),
        ("nan", None),
        ("0x10", None),
        ("1_000", None),
        ("1,5", None),
        ("minus_0.0003", None),
        ("٣", None),
        ("1 2", None),
    ],
)
def test_which_texts_are_numbers(text, value):
    """Plain decimal notation and nothing that only Python would read."""
    assert parse_number(text) == value


def test_a_cell_that_spells_infinity_is_refused_for_a_score():
    """Words that happen to hold such letters are fine."""
    with pytest.raises(InvalidTrial):
        refuse_non_finite("accuracy", " -inf ")
    refuse_non_finite("accuracy", "info")
    refuse_non_finite("accuracy", "")


def test_replace_reaches_known_and_further_columns():
    """Changes by name; the original stays as it is."""
    trial = Trial(exp_id="a", status="keep", extra={"x": "1"})
    changed = trial.replace(status="discard", x="2", y="3")
    assert (changed.status, dict(changed.extra)) == (FailureLabel.DISCARD, {"x": "2", "y": "3"})
    assert (trial.status, dict(trial.extra)) == (FailureLabel.KEEP, {"x": "1"})
    with pytest.raises(InvalidTrial):
        trial.replace(status="nope")
    with pytest.raises(AttributeError):
        trial.status = FailureLabel.CRASH


def test_a_long_value_is_cut_in_the_error():
    """An error names the cell without printing all of it."""
    with pytest.raises(InvalidTrial) as caught:
        Trial(exp_id="a", status="x" * 10_000)
    assert len(str(caught.value)) < 400


def test_what_was_packed_is_read_as_it_is_and_all_else_is_checked():
    """Reading a packed trial lets nothing else of the same thread in, even after a text that is none."""
    packed = pack(Trial(exp_id="a", status="keep", core_metric="1.50"))
    assert unpack(packed).text("core_metric") == "1.50"
    with pytest.raises(msgspec.DecodeError):
        unpack(packed[:-1])
    for wrong in ({"exp_id": ""}, {"exp_id": "a", "status": "good"}, {"exp_id": "a", "notes": 1}):
        with pytest.raises(InvalidTrial):
            Trial(**wrong)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(packed.replace('"a"', '" a"'), type=Trial)


_odd_text = st.sampled_from(["", '"', "\\", '",', "null", "\u2028", "é"])
_text = st.text(st.characters(exclude_categories=["Cs"])) | _odd_text
_number = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([-0.0, 1e16, 1e-5, 0.0001])
_status = st.none() | st.sampled_from(FailureLabel)
_cells = dict.fromkeys(COLUMNS[1:], _text) | dict.fromkeys(NUMERIC, _number) | {"status": _status}
_row = st.fixed_dictionaries({}, optional={**_cells, "extra": st.dictionaries(_text, _text, max_size=2)})


@given(st.lists(_row))
def test_a_packed_row_reads_alike_in_every_way(rows):
    """The JSON of its cells is that of their texts, byte for byte; fields that are asked for are those of the trial."""
    packed = [pack(Trial(exp_id="a", **cells)) for cells in rows]
    trials = [unpack(each) for each in packed]
    told = [{column: trial.text(column) for column in (*COLUMNS, *trial.extra)} for trial in trials]
    assert [packed_cells(values) for values in packed_rows(packed)] == told
    assert [bytes(json_cells(values)) for values in packed_json(packed)] == [msgspec.json.encode(each) for each in told]
    some = ("exp_id", "domain", "train_s", "status")
    assert [tuple(getattr(each, name) for name in some) for each in packed_values(packed, some)] == [
        tuple(getattr(trial, name) for name in some) for trial in trials
    ]
