"""gitlineage.model.tsv: trial logs come in and go out byte for byte, or are refused row by row."""

import csv
import io
import time

import msgspec
import pytest
from campaigns import DATA, needs_campaigns
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitlineage.errors import BadRows
from gitlineage.model.trial import FailureLabel, Trial, are_scores, parse_number
from gitlineage.model.tsv import (
    MAX_CELL,
    Row,
    Shape,
    Table,
    detect_direction,
    detect_metric,
    read,
    write,
)

HEAD = b"exp_id\thypothesis\tstatus\tcore_metric\tnotes\n"
GOOD = b"001\twider\tkeep\t1.5\tfine\n"
LEAD = ["exp_id", "timestamp", "specialist", "parent_exp", "baseline_exp", "domain", "hypothesis", "expected_delta"]
TAIL = ["total_s", "job_name", "snapshot_path", "notes"]
PG = [*LEAD, "status", "val_bpb", "delta_vs_best", "artifact_bytes", "train_s", "eval_s", *TAIL]
NANOCHAT = [*LEAD, "status", "core_metric", "val_bpb", "delta_vs_best", "train_s", *TAIL]
CIFAR = [*LEAD, "status", "train_s", "accuracy", "acc_std", "n_seeds", "delta_vs_best", *TAIL]

quick = settings(max_examples=150, deadline=None, database=None)


def campaign(name: str) -> bytes:
    """The log of a real campaign."""
    return (DATA / name / "results.tsv").read_bytes()


def refusal(data: bytes, **options) -> BadRows:
    """The error that a file is refused with."""
    with pytest.raises(BadRows) as caught:
        read(data, source="results.tsv", **options)
    return caught.value


def tsv(rows, newline="\n", quoting=csv.QUOTE_MINIMAL) -> bytes:
    """What Python's own csv module writes for rows of cells."""
    text = io.StringIO(newline="")
    csv.writer(text, "excel-tab", lineterminator=newline, quoting=quoting).writerows(rows)
    return text.getvalue().encode()


def spelled(text: str, quote: bool = False) -> str:
    """A cell as some writer may put it: quoted where it must be or was asked to."""
    if quote or any(sign in text for sign in "\t\r\n") or text.startswith('"'):
        return '"' + text.replace('"', '""') + '"'
    return text


def flattened(cells: list[str], place: int) -> str:
    """A row after the clean-up of semantics 60: one quoted cell's lines joined, the tabs after it now spaces."""
    texts = [spelled(text, '"' in text) for text in cells]
    joined = spelled(cells[place], quote=True).replace("\n", " ")
    return "\t".join([*texts[:place], " ".join([joined, *texts[place + 1 :]])])


# Real files


@needs_campaigns
@pytest.mark.parametrize(
    ("name", "rows", "metric"), [("cifar", 98, "train_s"), ("pg_ablation_lineage_on", 201, "val_bpb")]
)
def test_real_campaign_goes_out_as_it_came_in(name, rows, metric):
    """A public log is given back byte for byte, no row needs its raw text, and score and direction are found."""
    data = campaign(name)
    table = read(data, source=name)
    assert write(table.shape, table.rows) == data
    assert not any(row.raw for row in table.rows)
    assert [row.line for row in table.rows] == list(range(2, rows + 2))
    assert [row.trial.exp_id for row in table.rows] == [f"{number:03}" for number in range(rows)]
    assert detect_metric(table.shape.columns) == metric
    assert detect_direction(table.rows, metric) is True
    assert table.repaired == ()


@needs_campaigns
@pytest.mark.parametrize("name", ["cifar", "pg_ablation_lineage_on"])
def test_real_cells_are_those_of_csv(name):
    """Every cell of a public log is what csv.DictReader says it is."""
    data = campaign(name)
    expected = list(csv.DictReader(io.StringIO(data.decode(), newline=""), dialect="excel-tab", strict=True))
    assert [row.cells for row in read(data, source=name).rows] == expected


def test_text_of_numbers_survives():
    """A number keeps its spelling in the trial and in the cells."""
    (row,) = read(HEAD + b"000\tseed\tbaseline\t1.081000\t\n", source="x").rows
    assert row.trial.core_metric == 1.081
    assert row.trial.text("core_metric") == row.cells["core_metric"] == "1.081000"


# Round trips

cell = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
    st.text('"\t\r\n ab\ufeff\u2028', max_size=8),
)


def _may_rank(text):
    """Whether a cell is none that a ranking column is refused for."""
    return parse_number(text) is not None or not are_scores([("keep", text)])


@st.composite
def files(draw):
    """A sound file in any quoting, with the cells it holds."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    names = cell.filter(lambda name: name not in ("", *Trial.header()))
    columns = ["exp_id", "job_name", "status", "notes", *draw(st.lists(names, max_size=2, unique=True))]
    count = draw(st.integers(0, 4))
    rows = [
        [
            f"{number:03}",
            draw(cell),
            draw(st.sampled_from(list(FailureLabel))).value,
            *(draw(cell.filter(_may_rank)) for _ in columns[3:]),
        ]
        for number in range(count)
    ]
    lines = ["\t".join(spelled(text, draw(st.booleans())) for text in row) for row in [columns, *rows]]
    text = newline.join(lines) + draw(st.sampled_from(["", newline]))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode(), columns, rows


@quick
@given(files())
def test_any_sound_file_comes_back_byte_for_byte(file):
    """Line ends, byte order mark, quoting and line breaks in cells all survive, and the cells are right."""
    data, columns, rows = file
    table = read(data, source="x")
    assert table.shape.columns == tuple(columns)
    assert [list(row.cells.values()) for row in table.rows] == rows
    assert write(table.shape, table.rows) == data


@quick
@given(files())
def test_shape_and_rows_may_be_kept_as_json(file):
    """A file is given back from the JSON of its shape and rows."""
    table = read(file[0], source="x")
    kept = msgspec.json.decode(msgspec.json.encode(table), type=Table)
    assert write(kept.shape, kept.rows) == file[0]


@quick
@given(files(), st.sampled_from(["\n", "\r\n"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_files_of_the_csv_module_are_read_as_it_reads_them(file, newline, quoting):
    """What csv writes has the same cells here; its minimal quoting of plain line feeds is the canonical writing."""
    rows = [[text.replace("\r", "") for text in row] for row in file[2]]
    columns = [*file[1][:4], *(f"x{place}" for place in range(len(file[1]) - 4))]
    data = tsv([columns, *rows], newline, quoting)
    table = read(data, source="x")
    assert [list(row.cells.values()) for row in table.rows] == rows
    assert write(table.shape, table.rows) == data
    if quoting == csv.QUOTE_MINIMAL:
        assert table.shape.header == ""
        assert not any(row.raw for row in table.rows)


@settings(quick, max_examples=400)
@given(st.lists(st.text('"""\t\n a', max_size=6), min_size=1, max_size=3))
def test_quoting_is_as_strict_as_that_of_csv(endings):
    """Whatever ends a row, it is read just where csv in strict mode makes sound rows of it, and to the same cells."""
    text = "exp_id\tstatus\tnotes\n" + "".join(f"{number}\tkeep\t{end}\n" for number, end in enumerate(endings))
    try:
        _, *expected = csv.reader(io.StringIO(text, newline=""), "excel-tab", strict=True)
    except csv.Error:
        expected = [[]]
    if all(len(row) == 3 and row[1] == "keep" for row in expected):
        assert [list(row.cells.values()) for row in read(text.encode(), source="x").rows] == expected
    else:
        refusal(text.encode())


def test_line_numbers_count_physical_lines():
    """A row after a cell with line breaks is named by the line where an editor shows it."""
    table = read(HEAD + b'001\t"two\nor\r\nthree"\tkeep\t1\t\n002\tx\tdiscard\t2\t\n', source="x")
    assert [row.line for row in table.rows] == [2, 5]
    assert table.rows[0].cells["hypothesis"] == "two\nor\r\nthree"


def test_quotes_inside_a_bare_cell_are_text():
    """A cell that only contains quotes needs no quoting to be read, and keeps its spelling by its raw text."""
    data = HEAD + b'001\tsay "a" ""\tkeep\t1\t\n'
    (row,) = read(data, source="x").rows
    assert row.cells["hypothesis"] == 'say "a" ""'
    assert row.raw == '001\tsay "a" ""\tkeep\t1\t'
    assert write(Shape(columns=tuple(row.cells)), [row]) == data


def test_appended_rows_are_written_canonically():
    """A row without raw text gets the shape's columns, line end and quoting; what it lacks is empty."""
    shape = Shape(columns=("exp_id", "status", "hypothesis", "eval_s"), newline="\r\n", bom=True)
    trial = Trial("002", status="crash", hypothesis='a "b"\tc', notes="no such column")
    assert write(shape, [Row(line=0, trial=trial, cells=trial.cells())]) == (
        b'\xef\xbb\xbfexp_id\tstatus\thypothesis\teval_s\r\n002\tcrash\t"a ""b""\tc"\t\r\n'
    )


def test_raw_text_is_for_its_own_columns():
    """With other columns than a row was read with, its cells are written anew."""
    (row,) = read(HEAD + b'"001"\tx\tkeep\t1\t\n', source="x").rows
    assert write(Shape(columns=("status", "exp_id")), [row]) == b"status\texp_id\nkeep\t001\n"


# Refusals


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (b"", 1, "empty"),
        (b"\xef\xbb\xbf", 1, "empty"),
        (b"\n", 1, "blank"),
        (b"run\tstatus\n", 1, "no column 'exp_id'"),
        (b"exp_id\tstatus\t\n", 1, "column 3 of the header has no name"),
        (b"exp_id\tstatus\tx\tx\n", 1, "names column 'x' 2 times"),
        (b'exp_id\tstatus\t"x\n', 1, "never closed"),
        (b'exp_id\t"status"x\n', 1, "after the closing quote of cell 2"),
        ("exp_id\tstatus\n".encode("utf-16"), 1, "byte 0xff is not UTF-8"),
        (b"exp_id\tstatus\tx\0\n", 1, "NUL"),
        (b"exp_id\tstatus\r001\tkeep\r", 1, "carriage return"),
        (HEAD + b"001\tx\tkeep\t1\n", 2, "4 cells where the header has 5 columns"),
        (HEAD + GOOD + b"002\tx\tkeep\t1\ty\tz\n", 3, "6 cells where the header has 5 columns"),
        (HEAD + b"001\tx\tkept\t1\t\n", 2, "status 'kept': must be one of keep, discard"),
        (HEAD + b"001\tx\t \t1\t\n", 2, "status ' ': must be one of keep, discard"),
        (HEAD + b"001\tx\t\n", 2, "3 cells where the header has 5 columns"),
        (HEAD + b"001\tx\n", 2, "2 cells where the header has 5 columns"),
        (HEAD + b"\tx\tkeep\t1\t\n", 2, "exp_id ''"),
        (HEAD + b"*\tx\tkeep\t1\t\n", 2, "exp_id '*'"),
        (HEAD + b"0\x1b1\tx\tkeep\t1\t\n", 2, "control characters"),
        (HEAD + b'"0\n1"\tx\tkeep\t1\t\n', 2, "line breaks"),
        (HEAD + b"001\tx\tkeep\tNaN\t\n", 2, "core_metric 'NaN': a metric must be a finite number"),
        (HEAD + GOOD + GOOD, 3, "the whole row repeats line 2"),
        (HEAD + GOOD + b"001\tother\tkeep\t1\t\n", 3, "exp_id '001' is taken by line 2"),
        (HEAD + GOOD + b"002\t\xff\tkeep\t1\t\n", 3, "byte 0xff is not UTF-8"),
        (HEAD + b'001\t"a\nb\xc3"\tkeep\t1\t\n', 3, "byte 0xc3 is not UTF-8"),
        (HEAD + b"001\t\xed\xa0\x80\tkeep\t1\t\n", 2, "byte 0xed is not UTF-8"),
        (HEAD + b'001\t"a\nb\0"\tkeep\t1\t\n', 3, "NUL"),
        (HEAD + b"\n" + GOOD, 2, "blank"),
        (HEAD + GOOD + b"\n", 3, "blank"),
        (HEAD + b"001\tx\tkeep\t1\t\r\n", 2, "ends in CR LF, the header line in LF"),
        (HEAD.replace(b"\n", b"\r\n") + GOOD, 2, "ends in LF, the header line in CR LF"),
        (HEAD + b"001\tx\ry\tkeep\t1\t\n", 2, "carriage return outside quotes"),
        (HEAD + b'001\t"x"y\tkeep\t1\t\n', 2, "text after the closing quote of cell 2"),
        (HEAD + b'001\t"x\ny" z\tkeep\t1\t\n' + GOOD, 2, "text after the closing quote of cell 2"),
        (HEAD + b'001\t"x\tkeep\t1\t\n', 2, "the quote that opens cell 2 is never closed"),
    ],
)
def test_bad_row_is_named_with_its_line_and_reason(data, line, reason):
    """One bad row is one entry: its line and the rule it breaks, and there is no hint where nothing can be mended."""
    error = refusal(data)
    ((found, said),) = error.rows
    assert found == line
    assert reason in said
    assert error.hint == ""
    assert error.source == "results.tsv"
    assert refusal(data, repair=True).rows == error.rows


def test_every_bad_row_is_listed():
    """One pass tells all that is wrong, also after a quote that never closes, and sound rows are not named."""
    error = refusal(
        HEAD + b'001\t"open\tkeep\t1\t\n' + b"002\tx\tkeep\tinf\t\n003\tx\tkeep\t1\t\n004\n005\tx\tgood\t1\t\n\n"
    )
    assert [line for line, _ in error.rows] == [2, 3, 5, 6, 7]


def test_header_faults_come_together():
    """A header that is wrong in several ways says so at once."""
    assert refusal(b"id\tx\tx\t\t\n", metric="loss").rows == (
        (1, "column 4 of the header has no name"),
        (1, "column 5 of the header has no name"),
        (1, "the header names column 'x' 2 times"),
        (1, "the header has no column 'exp_id'"),
        (1, "the header has no column 'loss'"),
    )


def test_score_column_must_be_finite():
    """A score that is no published column is checked as well, found or named; other text columns may say nan."""
    data = b"exp_id\tstatus\taccuracy\tspread\n001\tkeep\t-inf\tnan\n"
    assert "accuracy" in refusal(data).rows[0][1]
    assert "spread" in refusal(data, metric="spread").rows[0][1]
    assert read(data.replace(b"-inf", b"0.9"), source="x").rows[0].cells["spread"] == "nan"


@pytest.mark.parametrize("status", ["discard", "crash", "size_blocked"])
def test_nan_is_no_score(status):
    """Only a keep or a baseline needs a score that ranks; elsewhere nan is kept as text and scores nothing."""
    head = b"exp_id\tstatus\tcore_metric\ttrain_s\tspread\n000\tkeep\t1\tNaN\tnan\n"
    data = head + f"001\t{status}\t-inf\t1e999\tnan\n".encode()
    table = read(data, source="x")
    assert [row.trial.number("core_metric") for row in table.rows] == [1.0, None]
    assert [row.trial.train_s for row in table.rows] == [None, None]
    assert table.rows[1].cells["core_metric"] == "-inf"
    assert write(table.shape, table.rows) == data
    assert read(data, source="x", metric="core_metric").rows == table.rows
    assert refusal(data, metric="spread").rows[0][0] == 2


@pytest.mark.parametrize("quote", ["", '"'])
def test_huge_cells(quote):
    """A cell beyond csv's limit is read, one beyond ours is refused with its size, and csv's limit is left alone."""
    limit = csv.field_size_limit()

    def data(size):
        return HEAD + f"001\t{quote}{'x' * size}{quote}\tkeep\t1\t\n".encode()

    assert limit < MAX_CELL
    table = read(data(MAX_CELL), source="x")
    assert len(table.rows[0].trial.hypothesis) == MAX_CELL
    assert write(table.shape, table.rows) == data(MAX_CELL)
    assert refusal(data(MAX_CELL + 1)).rows == ((2, f"a cell of {MAX_CELL + 1} characters; the limit is {MAX_CELL}"),)
    assert csv.field_size_limit() == limit


@settings(quick, max_examples=400)
@given(
    st.sampled_from([b"", HEAD, b"\xef\xbb\xbf" + HEAD, b"exp_id\tstatus\r\n"]),
    st.one_of(
        st.binary(max_size=60),
        st.text(max_size=40).map(str.encode),
        st.lists(
            st.sampled_from(["\t", "\t", "\n", "\r\n", "\r", '"', '""', " ", "keep", "001", "é", "nan", "1.5", "\0"]),
            max_size=30,
        ).map(lambda parts: "".join(parts).encode()),
    ),
    st.booleans(),
)
@example(HEAD, b'001\t"x" keep 1 n\n', True)
@example(HEAD, b'001\t"', False)
def test_any_bytes_are_read_or_refused(head, tail, repair):
    """Whatever the bytes are, they are given back as they were (or as they were mended) or refused as BadRows."""
    try:
        table = read(head + tail, source="x", repair=repair)
    except BadRows as error:
        assert error.rows
        assert [line for line, _ in error.rows] == sorted(line for line, _ in error.rows)
        assert error.rows[-1][0] <= (head + tail).count(b"\n") + 1
        assert str(error).encode()
        return
    written = write(table.shape, table.rows)
    assert written == head + tail or table.repaired
    again = read(written, source="x")
    assert (again.shape, again.rows, again.repaired) == (table.shape, table.rows, ())


# Flattened rows

LEAK = 'Wider MLP, see "4x".\n</hypothesis>\n<parameter name="notes">tail'


@needs_campaigns
def test_flattened_rows_of_a_real_campaign_are_mended():
    """Real rows, flattened as 48 public ones were, are refused with the hint, and mended to what they said."""
    header, *rows = csv.reader(io.StringIO(campaign("pg_ablation_lineage_on").decode(), newline=""), "excel-tab")
    rows = [[*row[:6], f"{row[6]} {LEAK}", *row[7:]] for row in rows]
    lines = [flattened(row, 6) if number % 3 else tsv([row]).decode()[:-1] for number, row in enumerate(rows)]
    assert {len(next(csv.reader([line], "excel-tab"))) for line in lines[1:3]} == {7}
    data = ("\n".join(["\t".join(header), *lines]) + "\n").encode()

    broken = [number for number in range(len(rows)) if number % 3]
    error = refusal(data)
    assert len(error.rows) == len(broken)
    assert all("flattened row" in reason for _, reason in error.rows)
    assert "--repair mends flattened rows" in str(error)

    table = read(data, source="x", repair=True)
    assert table.repaired == tuple(line for line, _ in error.rows)
    for number, (row, expected) in enumerate(zip(table.rows, rows, strict=True)):
        hypothesis = expected[6].replace("\n", " ") if number % 3 else expected[6]
        assert list(row.cells.values()) == [*expected[:6], hypothesis, *expected[7:]]

    mended = write(table.shape, table.rows)
    again = read(mended, source="x")
    assert again.rows == table.rows
    assert write(again.shape, again.rows) == mended


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b""])
def test_row_is_mended_at_any_width(newline):
    """The rule asks for no certain column count or line end; empty cells are two spaces, the last keeps its own."""
    data = b"exp_id\thypothesis\tstatus\tcore_metric\ttotal_s\tnotes" + (newline or b"\n")
    data += b'001\t"say ""hi"" </x>" keep 1.50  many  words here' + newline
    table = read(data, source="x", repair=True)
    assert list(table.rows[0].cells.values()) == ["001", 'say "hi" </x>', "keep", "1.50", "", "many  words here"]
    assert table.repaired == (2,)
    assert table.rows[0].raw == ""


def test_cells_that_were_quoted_on_their_own_are_unquoted():
    """A quoted cell after the broken one is read as a quoted cell, as it was before the clean-up."""
    row = b'001\t"x" keep 1 "a ""b"" c"\n'
    assert read(HEAD + row, source="x", repair=True).rows[0].cells["notes"] == 'a "b" c'


@pytest.mark.parametrize(
    "row",
    [
        b'001\t"x" kept 1 n\n',
        b'001\t"x" maybe -0.1 keep 1 n\n',
        b'001\t"x" keep 1\n',
        b'001\t"x" keep one n\n',
        b'001\t"x" keep nan n\n',
        b'001\t"x" keep 1\tn\n',
        b'001\t"x" keep 1 n\tm\n',
        b'001\t"x"keep 1 n\n',
        b'\t"x" keep 1 n\n',
        b'001\t"x" keep 1 \0\n',
        b'001\tx\tkeep\t1\t"n" more\n',
    ],
)
def test_rows_that_no_repair_explains_stay_bad(row):
    """Mending must give a sound row: status and numbers in place, no tab left; else the row is refused, unhinted."""
    assert refusal(HEAD + row, repair=True).rows == refusal(HEAD + row).rows
    assert refusal(HEAD + row).hint == ""


@pytest.mark.parametrize("row", [b'001\t"x" keep high 1 n\n', b'001\t"x" keep 0.9 slow n\n'])
def test_mended_numbers_must_be_numbers(row):
    """A word in the score or in one of the five numeric columns shows that the cells did not fall into place."""
    assert refusal(b"exp_id\thypothesis\tstatus\taccuracy\ttrain_s\tnotes\n" + row, repair=True).rows[0][0] == 2


def test_repair_imports_no_half_file():
    """A file with a mended row and a bad one is refused as a whole; only the bad one is listed."""
    assert [line for line, _ in refusal(HEAD + b'001\t"x" keep 1 n\n002\tx\n', repair=True).rows] == [3]


def test_repair_leaves_sound_files_alone():
    """Where nothing is flattened, repairing reads the same as not repairing, odd quoting included."""
    data = HEAD + b'"001"\t"x ""y"" z"\tkeep\t1\t\n'
    table = read(data, source="x", repair=True)
    assert table == read(data, source="x")
    assert write(table.shape, table.rows) == data


# Score and direction


@pytest.mark.parametrize(
    ("columns", "metric"),
    [
        (PG, "val_bpb"),
        (NANOCHAT, "core_metric"),
        (CIFAR, "train_s"),
        (Trial.header(), "core_metric"),
        (("exp_id", "status"), None),
        (("exp_id", "status", "notes", "loss"), "loss"),
        (("exp_id", "status", "description", "val_bpb"), "val_bpb"),
        (("exp_id", "status", "notes", "description"), None),
        (("exp_id", "loss"), None),
    ],
)
def test_score_is_the_column_after_status(columns, metric):
    """All public schemas put the score right after the status; a text column is none."""
    assert detect_metric(columns) == metric


@pytest.mark.parametrize(
    ("rows", "metric"),
    [
        ("keep\ta wider net\t1.5\t9\t3", "loss"),
        ("keep\t7\t1.5\t9\t3", "what"),
        ("keep\t7\t1.5\t9\t3|discard\tnan\t1\t2\t3", "what"),
        ("keep\t7\t1.5\t9\t3|discard\tagain\t1\t2\t3", "loss"),
        ("keep\t7\t1.5\t9\t3|crash\tagain\t1\t2\t3", "what"),
        ("keep\t\tx\t9\t3", "seed"),
        ("crash\tx\ty\t9\t3", "what"),
        ("keep\tx\ty\tz\t", "train_s"),
        ("discard\tx\t\tz\t1", "train_s"),
        ("keep\tx\ty\tz\tslow", None),
    ],
)
def test_score_is_the_first_column_whose_cells_are_scores(rows, metric):
    """What rows hold decides, whatever a column is called; what stands in crashes and unsound rows tells nothing."""
    lines = [f"{number}\t{row}\n" for number, row in enumerate(rows.split("|"))]
    data = "exp_id\tstatus\twhat\tloss\tseed\ttrain_s\n" + "".join(lines)
    assert read(data.encode(), source="x").metric == metric


def log(*rows):
    """Rows of ``(status, score, delta)``."""
    head = b"exp_id\tstatus\tscore\tdelta_vs_best\n"
    body = "".join(f"{number}\t{status}\t{score}\t{delta}\n" for number, (status, score, delta) in enumerate(rows))
    return read(head + body.encode(), source="x").rows


@pytest.mark.parametrize(
    ("rows", "lower"),
    [
        ([("keep", "", "-0.1"), ("keep", "", "-0.2")], True),
        ([("keep", "", "+0.1"), ("keep", "", "0"), ("discard", "", "-9")], False),
        ([("baseline", 2, ""), ("discard", 0.5, "7"), ("keep", 1, "")], True),
        ([("keep", 1, ""), ("crash", 0, ""), ("keep", 2, ""), ("keep", "", ""), ("keep", 3, "")], False),
        ([("baseline", 5, ""), ("keep", 4, "-1"), ("keep", 3, "1")], True),
        ([("baseline", 5, ""), ("keep", 4, "1")], False),
        ([("keep", 1, "1"), ("keep", 2, "-1"), ("keep", 1, "0")], None),
        ([("baseline", 1, ""), ("keep", 1, "")], None),
        ([("discard", 1, "-1"), ("discard", 2, "1")], None),
        ([("baseline", 1, ""), ("discard", 2, "1"), ("discard", 3, "2")], True),
        ([("baseline", 3, ""), ("discard", 2, "-1"), ("discard", 3, "0"), ("crash", 5, "2")], False),
        ([("baseline", 3, ""), ("discard", 2, "-1"), ("keep", 2, "-1")], True),
        ([("baseline", 3, ""), ("discard", "", "-1")], None),
        ([], None),
    ],
)
def test_direction_is_that_of_the_keeps(rows, lower):
    """Deltas of keeps tell, else the scores kept one after the other, else the deltas of scored discards."""
    assert detect_direction(log(*rows), "score") is lower


# Size


def test_reading_takes_linear_time():
    """A long log, and one where every line opens a quote, are read in a time that no quadratic walk would meet."""
    sound = HEAD + b"".join(b"%06d\twider\tkeep\t1.5\tfine\n" % number for number in range(30_000))
    odd = HEAD + b'"\n' + b'x\t"""\n"" ""\t"a\n' * 30_000
    start = time.perf_counter()
    assert len(read(sound, source="x").rows) == 30_000
    assert len(refusal(odd).rows) > 30_000
    assert time.perf_counter() - start < 8
