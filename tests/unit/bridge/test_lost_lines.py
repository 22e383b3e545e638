"""Lines that hold trials and cannot be read: named and refused, waiting, or laid where there is one way alone."""

import json

import pytest

from gitlineage.bridge import planning
from gitlineage.bridge.formats import jsonl, tables
from gitlineage.bridge.formats.found import CUT, DAMAGED, INCOMPLETE, SHORT, NotTrials
from gitlineage.bridge.planning import Options, Plan
from gitlineage.errors import Unclear

TSV = "commit\tval_loss\tmem_gb\tstatus\tdescription\na1b2c3d\t2.0\t1\tkeep\tstart\nb2c3d4e\t1.8\t2\tkeep\twider\n"
CSV = "id,acc,loss,status\n1,0.5,0.9,keep\n2,0.6,0.8,keep\n"
PLAIN = "exp_id,acc,loss,note\n1,0.5,0.9,start\n2,0.6,0.8,wider\n"


def planned(text: str, **options: object) -> Plan:
    """Read and judge a table."""
    found = tables.read(text, "t.tsv", tables.recognise(text) or "\t")
    return planning.plan(found, Options(**options), None, None)  # type: ignore[arg-type]


def logged(text: str, **options: object) -> Plan:
    """Read and judge a log of JSON lines."""
    return planning.plan(jsonl.read(text, "t.jsonl"), Options(**options))  # type: ignore[arg-type]


def told(plan: Plan) -> str:
    """Return all that is told of a plan."""
    return "\n".join(plan.told)


class TestShortRows:
    """Rows with fewer cells than the header."""

    @pytest.mark.parametrize(
        ("text", "row", "line"),
        [(TSV, "c3d4e5f\t1.9\n", 4), (TSV, "c3d4e5f\n", 4), (PLAIN, "3,0.7\n", 4)],
    )
    def test_one_that_says_too_little(self, text: str, row: str, line: int) -> None:
        """It is refused with the words that let it go, and passed over with them, counted."""
        whole = text + row + text.splitlines(keepends=True)[1].replace("a1b2c3d", "e5f6071")
        with pytest.raises(Unclear) as caught:
            planned(whole, lower=True, metric=text.replace("\t", ",").split(",")[1])
        (problem,) = caught.value.problems
        assert (problem.kind, problem.line, problem.options) == (SHORT, line, (("--skip-bad",),))
        assert f"line {line}" in problem.text and row.split("\t")[0].split(",")[0].strip() in problem.text
        plan = planned(whole, lower=True, metric=text.replace("\t", ",").split(",")[1], skip_bad=True)
        assert len(plan.rows) == 3
        assert plan.not_rows[SHORT] == [line]

    def test_one_way_alone(self) -> None:
        """Cells whose kinds leave one place each are laid there: a crash without numbers, a row without its text."""
        plan = planned(TSV + "c3d4e5f\tcrash\tout of memory\nd4e5f60\t1.7\t2\tkeep\n")
        assert [(row.status, row.score) for row in plan.rows[2:]] == [("crash", None), ("keep", 1.7)]

    def test_two_ways_are_none(self) -> None:
        """One number of two columns of numbers could stand in either: the row keeps its status, and never ranks."""
        plan = planned(TSV + "c3d4e5f\t0.5\tkeep\tno memory\n")
        assert (plan.rows[2].status, plan.rows[2].score) == ("keep", None)
        assert (plan.rows[2].cells["surplus"], plan.rows[2].cells["hypothesis"]) == ("0.5", "no memory")
        assert plan.best and plan.best.value == 1.8
        assert "line 4 lacks cells before the status, and which ones is not sure" in told(plan)

    def test_a_number_is_not_laid_where_another_stands(self) -> None:
        """Without a status a row whose end is missing is kept only where no number can be missing."""
        plan = planned(PLAIN + "3,0.7,0.7\n")
        assert plan.rows[2].cells["hypothesis"] == "" and plan.rows[2].score == 0.7
        plan = planned(PLAIN + "3,0.7,deeper\n")
        assert plan.rows[2].score is None


class TestSurplusCells:
    """Rows with more cells than the header."""

    def test_they_never_join_the_status(self) -> None:
        """What stands after a status that is the last column is surplus."""
        plan = planned(CSV + "3,0.7,0.7,keep,extra\n", metric="acc", lower=False)
        assert (plan.rows[2].status, plan.rows[2].score) == ("keep", 0.7)
        assert plan.rows[2].cells["surplus"] == "extra"

    def test_a_comma_in_a_text(self) -> None:
        """A text in the middle that nobody quoted has them, where only so numbers and status stand in their columns."""
        text = "id,change,acc,status,notes\n1,start,0.5,keep,a\n2,wider,0.6,keep,b\n"
        text += "3,wide, deep,0.7,keep,c\n4,x,0.4,discard,d, e\n"
        plan = planned(text)
        assert [(row.score, row.status) for row in plan.rows[2:]] == [(0.7, "keep"), (0.4, "discard")]
        assert plan.rows[2].cells["hypothesis"] == "wide, deep"
        assert plan.rows[3].cells["notes"] == "d, e"
        assert "line 4: commas inside change were taken for part of its text" in told(plan)

    def test_a_row_that_fits_nowhere(self) -> None:
        """It is kept as text, without score and status."""
        plan = planned(CSV + "3,0.7,foo,bar,baz\n", metric="acc", lower=False)
        assert (len(plan.rows), plan.rows[2].status, plan.rows[2].score) == (3, "undecided", None)


class TestLastLine:
    """A last line that is still being written."""

    @pytest.mark.parametrize("row", ["c", "c3d4e5f\t0.1", "c3d4e5f\t0.1\t1", "c3d4e5f\t0.1\t1\tke"])
    def test_a_row_that_is_not_whole(self, row: str) -> None:
        """It is no trial: it is named, and left for the next import."""
        plan = planned(TSV + row)
        assert (len(plan.rows), plan.not_rows[INCOMPLETE]) == (2, [4])
        assert "line 4 is incomplete, as nothing ends it" in told(plan)

    def test_a_whole_row_without_a_line_end(self) -> None:
        """It is a row as any other."""
        plan = planned(TSV + "c3d4e5f\t0.1\t1\tdiscard\tx")
        assert (len(plan.rows), INCOMPLETE in plan.not_rows) == (3, False)

    def test_a_quote_that_is_open(self) -> None:
        """A text whose quote nothing closes is not over."""
        plan = planned('run,acc,status,note\n1,0.5,keep,x\n2,0.6,keep,"not, ov')
        assert plan.not_rows[INCOMPLETE] == [3]

    def test_a_log(self) -> None:
        """Half an object at the end waits; one in the middle is refused."""
        rows = [json.dumps({"run": at, "loss": 1 / at, "status": "keep"}) + "\n" for at in (1, 2, 3)]
        plan = logged("".join(rows) + '{"run": 4, "lo')
        assert (len(plan.rows), plan.not_rows[INCOMPLETE]) == (3, [4])
        with pytest.raises(Unclear) as caught:
            logged(rows[0] + '{"run": 4, "lo\n' + rows[1])
        assert (caught.value.problems[0].kind, caught.value.problems[0].line) == (CUT, 2)
        assert len(logged(rows[0] + '{"run": 4, "lo\n' + rows[1], skip_bad=True).rows) == 2


def test_lines_that_hold_no_text() -> None:
    """NUL characters and lines without end are damage, and refused as such."""
    for row in ("c3d4e5f\t1.0\t1\tkeep\t\0\n", f"c3d4e5f\t1.0\t1\tkeep\t{'x' * (1 << 20)}\n"):
        with pytest.raises(Unclear) as caught:
            planned(TSV + row)
        assert [problem.kind for problem in caught.value.problems] == [DAMAGED]
        assert len(planned(TSV + row, skip_bad=True).rows) == 2


def test_a_file_of_such_rows_alone() -> None:
    """It has no trials, and it is said why."""
    with pytest.raises(NotTrials, match="no row that can be read: damaged lines"):
        planned("commit\tval_loss\tstatus\na1b2c3d\t\0\tkeep\n")


def test_a_crash_that_says_little() -> None:
    """An object that shares few names with the others is a trial where it says who it is and how it ended."""
    rows = [{"run": at, "loss": 1 / at, "lr": 1, "depth": 2, "width": 3, "verdict": "keep"} for at in (1, 2, 3)]
    text = "".join(json.dumps(row) + "\n" for row in rows) + '{"run": 4, "status": "crash"}\n'
    assert len(logged(text).rows) == 4


def test_several_things_to_say() -> None:
    """The error ends with one command that says something about each."""
    with pytest.raises(Unclear) as caught:
        planned(TSV + "c3d4e5f\t1.9\nd4e5f60\t1.0\t1\tcontender\tx\n")
    assert len(caught.value.problems) == 2
    line = next(line for line in str(caught.value).splitlines() if "all of it at once" in line)
    assert line.endswith("gitlineage import t.tsv --skip-bad --status contender=discard")
