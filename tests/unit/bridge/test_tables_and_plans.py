"""Tables of any kind read and judged: rows, lines that are none, what ranks, in which direction and why."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage.bridge import planning
from gitlineage.bridge.formats import jsonl, tables
from gitlineage.bridge.formats.found import Found, NotTrials
from gitlineage.bridge.planning import Options, Plan
from gitlineage.errors import Invalid, LineageError, Unclear
from gitlineage.model.records import Task

HEADER = "commit\tval_loss\tmem_gb\tstatus\tdescription\n"
FALLING = HEADER + "a1b2c3d\t2.0\t1\tkeep\tstart\nb2c3d4e\t1.8\t1\tkeep\twider\nc3d4e5f\t1.9\t1\tdiscard\tdeeper\n"


def read(text: str) -> Found:
    """Read a table."""
    return tables.read(text, "t.tsv", tables.recognise(text) or "\t")


def planned(text: str, beside: Path | None = None, task: Task | None = None, **options: object) -> Plan:
    """Read and judge a table."""
    return planning.plan(read(text), Options(**options), task, beside)  # type: ignore[arg-type]


def told(plan: Plan) -> str:
    """Return all that is told of a plan."""
    return "\n".join(plan.told)


class TestRows:
    """What is a row and what is not."""

    @pytest.mark.parametrize("separator", ["\t", ",", ";", "|"])
    def test_any_separator(self, separator: str) -> None:
        """Cells stand between tabs, commas, semicolons or bars."""
        plan = planned(FALLING.replace("\t", separator))
        assert (len(plan.rows), plan.metric, plan.direction.lower) == (3, "val_loss", True)

    def test_a_table_of_markdown(self) -> None:
        """Bars at both ends and a rule below the header are no cells."""
        text = "| commit | acc | status |\n|---|---:|---|\n| a1b2c3d | 0.5 | keep |\n| b2c3d4e | 0.7 | keep |\n"
        plan = planned(text)
        assert [row.score for row in plan.rows] == [0.5, 0.7]
        assert plan.best and plan.best.id == "b2c3d4e"

    def test_two_rows_on_one_line(self) -> None:
        """A row that was appended without a line end before it is a row of its own."""
        plan = planned(FALLING + "d4e5f60\t1.95\t1\tdiscard\tno warm-upe5f6071\t1.7\t1\tkeep\tsmaller\n")
        assert [row.commit for row in plan.rows][3:] == ["d4e5f60", "e5f6071"]
        assert plan.rows[3].cells["hypothesis"] == "no warm-up"
        assert plan.best and (plan.best.id, plan.best.value) == ("e5f6071", 1.7)
        assert "line 5 held two rows" in told(plan)

    def test_lines_that_are_no_rows(self) -> None:
        """Comments, prose, logs, blanks and repeated headers are passed over and named."""
        text = f"# tag: one\n{FALLING}\n{HEADER}== SUMMARY ==\n2026-01-01 10:00:00\t5\t3\ttrue\n"
        plan = planned(text)
        assert len(plan.rows) == 3
        assert plan.not_rows == {"comment": [1], "blank": [6], "repeated header": [7], "text": [8], "other rows": [9]}
        assert "line 8 is no row: text" in told(plan)

    def test_tabs_spelt_out(self) -> None:
        """A backslash and a t stand for a tab where the row has too few cells."""
        plan = planned(FALLING + r"d4e5f60\t1.5\t1\tkeep\ttail" + "\n")
        assert plan.rows[-1].score == 1.5
        assert r"line 5 had \t spelt out" in told(plan)

    def test_a_text_over_several_lines(self) -> None:
        """A quoted cell keeps its line breaks; an unquoted text goes on until the next row."""
        quoted = planned(HEADER + 'a1b2c3d\t2.0\t1\tkeep\t"one\ntwo"\n')
        assert quoted.rows[0].cells["hypothesis"] == "one\ntwo"
        loose = planned(FALLING.replace("deeper", "deeper\nimport os\n\nmain()"))
        assert len(loose.rows) == 3
        assert "lines 5 to 7 belong to the text of line 4" in told(loose)

    def test_surplus_and_missing_cells(self) -> None:
        """A cell too much before the status is kept as surplus; what is missing at the end is empty."""
        plan = planned(FALLING + "d4e5f60\t1.5\t1\t12s\tkeep\tmore\ne5f6071\t1.6\t1\tdiscard\n")
        assert [(row.score, row.status) for row in plan.rows[3:]] == [(1.5, "keep"), (1.6, "discard")]
        assert plan.rows[3].cells["surplus"] == "12s"
        assert "line 5 has more cells" in told(plan)
        assert "line 6 has fewer cells" in told(plan)

    def test_a_row_of_another_layout_ranks_nowhere(self) -> None:
        """Where no cell can be trusted, the row is kept as text and can never be the best."""
        plan = planned(FALLING + "r7\tspsa\t0.1\tx9\t0.001\tnote\tmore\n")
        assert (plan.rows[-1].status, plan.rows[-1].score) == ("undecided", None)
        assert plan.best and plan.best.value == 1.8

    def test_a_line_that_is_being_written(self) -> None:
        """While a loop runs, a last line without its end waits."""
        found = tables.read(FALLING + "d4e5f60\t0.1", "t.tsv", "\t", whole=False)
        assert len(found.rows) == 3

    def test_a_header_with_fewer_names_than_the_rows_have_cells(self) -> None:
        """A comment that names them is the header; without one the columns up to the status have no names."""
        rows = "".join(f"a1b2c{at}d\t0.{at}\t{9 - at}.0\t1\tkeep\tx\n" for at in range(5, 9))
        plan = planned(HEADER + rows + "# commit\tmean_auc\tval_loss\tmem_gb\tstatus\tdescription\n")
        assert (plan.metric, plan.direction.lower, plan.best and plan.best.value) == ("mean_auc", False, 0.8)
        with pytest.raises(Unclear, match="header names 5 columns and most rows have 6; columns column 2"):
            planned(HEADER + rows)

    def test_short_rows_that_begin_with_a_time(self) -> None:
        """Rows of which one cell is missing are rows where the first column holds moments."""
        text = "timestamp\titeration\tdecision\tscore\tchange\tlabels\tnote\n"
        text += "2026-08-18T18:20\t1\tkeep\t66.4\tstart\tfirst\n2026-08-18T18:40\t2\tkeep\t67.4\twider\tsecond\n"
        assert [row.score for row in planned(text).rows] == [66.4, 67.4]

    def test_a_file_without_a_header(self) -> None:
        """Columns without names are not guessed; their numbers can be said."""
        text = "".join(FALLING.splitlines(keepends=True)[1:])
        with pytest.raises(Unclear, match=r"(?s)the first line is a row: there is no header.*--metric 2") as caught:
            planned(text)
        assert caught.value.problems[0].options[0] == ("--metric", "2", "--lower-is-better")
        assert len(planned(text, metric="2", lower=True).rows) == 3


class TestMetric:
    """Which column ranks."""

    def test_a_placeholder_leaves_the_row_unscored(self) -> None:
        """One odd cell never makes another column rank."""
        plan = planned(FALLING + "d4e5f60\tFAIL\t0.5\tdiscard\tbroken\ne5f6071\tOOM\t0\tkeep\todd\n")
        assert plan.metric == "val_loss"
        assert [row.score for row in plan.rows][3:] == [None, None]
        assert "2 cells of val_loss are no number (lines 5 and 6): unscored" in told(plan)

    def test_a_crash_has_no_score(self) -> None:
        """Zero in a crash is no score, and in a kept row it is one."""
        plan = planned(HEADER + "a1b2c3d\t0.5\t1\tkeep\tx\nb2c3d4e\t0.0\t0\tcrash\ty\nc3d4e5f\t0.0\t0\tkeep\tz\n")
        assert [row.score for row in plan.rows] == [0.5, None, 0.0]

    def test_the_column_whose_kept_rows_agree(self) -> None:
        """Of several scores the first that its kept rows bear out ranks, and the others are told."""
        text = "commit\tformat_acc\texact_acc\tstatus\n" + "a1b2c3d\t99\t50\tkeep\nb2c3d4e\t98\t60\tkeep\n"
        plan = planned(text)
        assert (plan.metric, plan.direction.lower) == ("exact_acc", False)
        assert "format_acc could be meant, too" in told(plan)

    def test_a_metric_named_in_its_row(self) -> None:
        """One name in a column of names is what the values are called; several names rank nothing."""
        text = "id\tmetric\tvalue\tstatus\nE0\tacc\t0.5\tkeep\nE1\tacc\t0.6\tkeep\n"
        plan = planned(text)
        assert (plan.metric, plan.named, plan.best and plan.best.id) == ("value", "acc", "E1")
        mixed = planned(text.replace("E1\tacc", "E1\tloss"))
        assert (mixed.metric, mixed.best) == (None, None)
        assert "2 metrics in one column" in told(mixed)

    def test_nothing_that_ranks(self) -> None:
        """Numbers whose names say nothing, in rows that nobody judged, are asked about."""
        text = "commit\tfoo\tbar\tdescription\na1b2c3d\t1\t2\tx\nb2c3d4e\t3\t1\ty\n"
        with pytest.raises(Unclear, match="foo, bar could each be what ranks"):
            planned(text)

    def test_the_column_that_decides(self) -> None:
        """A column that nearly every kept row improves ranks before one whose name alone says more."""
        scores = [(0.20, 0.65), (0.21, 0.65), (0.22, 0.65), (0.23, 0.65), (0.24, 0.66)]
        rows = "".join(f"e{at}\t{core}\t{acc}\tkeep\n" for at, (core, acc) in enumerate(scores))
        assert planned("exp_id\tnba_core\tgw_acc\tstatus\n" + rows).metric == "nba_core"

    def test_a_column_that_says_so_and_holds_no_number(self) -> None:
        """No other column takes the place of one that is called the metric, whether it has few numbers or none."""
        text = "iteration\tcommit\tmetric\tdelta\tgates\tstatus\n0\ta1b2c3d\t<baseline>\t0.0\t1\tbaseline\n"
        plan = planned(text)
        assert (plan.metric, len(plan.rows)) == (None, 1)
        assert "no cell of metric is a number: nothing is ranked" in told(plan)
        rows = "".join(f"{at}\tb2c3d4e\t80.1/90.2\t1\t{at}\tdiscard\n" for at in range(2, 6))
        plan = planned(f"{text}1\tc3d4e5f\t2.5\t+1\t2\tkeep\n{rows}", lower=True)
        assert (plan.metric, plan.best and plan.best.value) == ("metric", 2.5)

    def test_what_a_parameter_was_set_to(self) -> None:
        """A parameter's new value is no score, nor is a hash or a text that begins with digits."""
        text = "iter\tparam\told\tnew\tcomposite\tsource_hash\tdelta\tstatus\tdescription\n"
        for at, (new, score, delta) in enumerate([(10, 0.80, 0), (20, 0.82, 0.02), (30, 0.83, 0.01), (9, 0.84, 0.01)]):
            text += f"{at}\tk\t1\t{new}\t{score}\t{at}4b017ab\t{delta}\tkeep\t{at}x as wide\n"
        plan = planned(text)
        assert (plan.metric, plan.direction.lower) == ("composite", False)

    def test_a_sum_beside_its_parts(self) -> None:
        """A column called total or overall ranks before what it is the sum of, which nobody else knows."""
        text = "commit\ttotal\tdepth_of_text\tinsight\tstatus\na1b2c3d\t7.9\t8.3\t8.0\tbaseline\n"
        text += "b2c3d4e\t7.5\t8.3\t8.0\tbaseline\n"
        with pytest.raises(Unclear, match="neither the name total") as caught:
            planned(text)
        assert [option[1] for option in caught.value.problems[0].options] == ["total", "total"]

    def test_one_score_needs_no_direction(self) -> None:
        """A table with one score, or one alone, is read and not ranked until a row shows the direction."""
        text = "iteration\tcommit\tmetric\tstatus\n0\ta1b2c3d\t73.1\tbaseline\n"
        plan = planned(text)
        assert (plan.metric, plan.best, len(plan.rows)) == (None, None, 1)
        assert "nothing is ranked by metric yet: one row shows nothing" in told(plan)
        assert planned(text + "1\tb2c3d4e\t74.0\tkeep\n").best is not None
        assert "all 2 rows have the same score" in told(planned(text + "1\tb2c3d4e\t73.1\tkeep\n"))
        assert planned(text, lower=False).metric == "metric"

    def test_one_row_that_agrees_is_not_enough(self) -> None:
        """Where columns that stand before it could as well be meant, one kept row does not choose between them."""
        text = "id\tnet\tleaks\treject_rate\tstatus\n1\t0.9\t0\t0.07\tkeep\n2\t0.4\t0\t\tkeep\n3\t1.0\t0\t0.09\tkeep\n"
        with pytest.raises(Unclear, match="net, leaks, reject_rate could each be what ranks"):
            planned(text)

    def test_a_text_that_names_what_the_loop_is_after(self, tmp_path: Path) -> None:
        """It settles what would be asked, unless it is after several of the columns; README.md is no such text."""
        text = "id\tnet\tleaks\treject_rate\tstatus\n1\t0.9\t0\t0.07\tkeep\n2\t0.4\t0\t\tkeep\n3\t1.0\t0\t0.09\tkeep\n"
        (tmp_path / "README.md").write_text("Optimize `net` first.\n")
        with pytest.raises(Unclear):
            planned(text, tmp_path)
        (tmp_path / "program.md").write_text("Raise `net` on the small set. Secondary: leaks, reject_rate.\n")
        plan = planned(text, tmp_path)
        assert (plan.metric, plan.direction.lower) == ("net", False)
        assert plan.metric_why == 'program.md: "Raise `net` on the small set."'
        (tmp_path / "program.md").write_text("Optimize `net` first. Minimize `leaks`, too.\n")
        with pytest.raises(Unclear, match="net, leaks, reject_rate could each be what ranks"):
            planned(text, tmp_path)

    def test_how_long_it_took_is_no_score(self) -> None:
        """Where durations are the only numbers nothing ranks, and the option that says otherwise is told."""
        plan = planned("exp_id\tstatus\tduration_sec\tdescription\na\tcompleted\t60\tx\nb\tcompleted\t10\ty\n")
        assert plan.metric is None
        assert "`--metric duration_sec`" in told(plan)

    def test_what_is_scored_apart(self) -> None:
        """Things that have a baseline each have a best each."""
        text = "commit\tskill\tscore\tstatus\n-\ta\t50\tbaseline\n-\ta\t60\tkeep\n-\tb\t90\tbaseline\n-\tb\t95\tkeep\n"
        plan = planned(text, lower=False)
        assert plan.metric is None
        assert [(best.scale, best.value) for best in plan.bests] == [("a", 60), ("b", 95)]

    def test_an_option_that_names_no_column(self) -> None:
        """It is refused with the columns that there are."""
        with pytest.raises(Invalid, match="there is no column 'mfu'"):
            planned(FALLING, metric="mfu")

    def test_no_header_and_changes(self) -> None:
        """Without names, the column whose changes another one holds ranks; one that anybody may mean is asked."""
        rows = [("6", "9788b69a0", "9546", "-"), ("7", "a0ffe6cd7", "9194", "-352"), ("9", "2a5d083ad", "8652", "-542")]
        plan = planned("".join("\t".join([*row, "keep", "x"]) + "\n" for row in rows))
        assert (plan.metric, plan.direction.lower, plan.metric_why) == ("3", True, "column 4 holds how much it changed")

    def test_a_part_of_another_name(self) -> None:
        """A total return is no sum of its neighbours; a total of several is."""
        text = "id\tsharpe_ratio\ttotal_return\tstatus\n1\t0.5\t2\tkeep\n2\t0.4\t1\tdiscard\n"
        assert planned(text).metric == "sharpe_ratio"
        assert planned(text.replace("sharpe_ratio", "day_return")).metric == "total_return"


class TestDirection:
    """In which direction a score improves, and from where that is known."""

    def test_rows_say_it(self) -> None:
        """Kept rows that all improve show the direction, whatever the name."""
        rising = planned(FALLING.replace("val_loss", "score").replace("1.8\t", "2.8\t"))
        assert (rising.direction.lower, rising.direction.why) == (False, "kept rows rise (1 of 1)")

    def test_rows_and_name_that_contradict_each_other(self) -> None:
        """Nobody guesses; both commands are given."""
        with pytest.raises(Unclear) as caught:
            planned(FALLING.replace("1.8\t", "2.8\t"))
        assert [said[-1] for said in caught.value.problems[0].options] == ["--lower-is-better", "--higher-is-better"]
        assert planned(FALLING.replace("1.8\t", "2.8\t"), lower=True).direction.why == "you said so"

    def test_rows_that_go_both_ways(self) -> None:
        """Without a name that says it, it is asked."""
        text = "commit\tscore\tstatus\na1b2c3d\t5\tkeep\nb2c3d4e\t9\tkeep\nc3d4e5f\t2\tkeep\nd4e5f60\t7\tkeep\n"
        with pytest.raises(Unclear, match="the rows go both ways"):
            planned(text)

    def test_a_name_alone_is_a_guess(self) -> None:
        """It is marked as one."""
        plan = planned("".join(FALLING.splitlines(keepends=True)[:2]))
        assert (plan.direction.lower, plan.direction.assumed) == (True, True)

    def test_a_comment_says_it(self) -> None:
        """A setting in a comment goes before rows and name."""
        plan = planned("# metric_direction: higher_is_better\n" + FALLING)
        assert (plan.direction.lower, plan.direction.assumed) == (False, False)

    def test_a_text_beside_the_file_says_it(self, tmp_path: Path) -> None:
        """A sentence about the metric in program.md goes before what kept rows show, and it is said."""
        (tmp_path / "program.md").write_text("# Loop\n\nThe goal: get the lowest `val_loss`. Keep notes.\n")
        plan = planned(FALLING.replace("1.8\t", "2.8\t"), tmp_path)
        assert plan.direction.lower
        assert "program.md" in plan.direction.why and "against what the kept rows show" in plan.direction.why

    def test_settings_of_a_loop_say_it(self, tmp_path: Path) -> None:
        """A loop's settings in JSON say the direction of their metric; those of another metric say nothing."""
        text = "iteration\tmetric\tstatus\n0\t5\tkeep\n1\t7\tkeep\n2\t4\tkeep\n"
        state = tmp_path / "autoresearch-state.json"
        state.write_text('{"config": {"direction": "lower", "metric": "findings left"}}')
        plan = planned(text, tmp_path)
        assert (plan.direction.lower, plan.direction.assumed) == (True, False)
        assert plan.direction.why.startswith("autoresearch-state.json: direction is lower (metric findings left)")
        with pytest.raises(Unclear):
            planned(text.replace("\tmetric", "\twarmth"), tmp_path)

    def test_texts_above_the_table(self, tmp_path: Path) -> None:
        """Those for the loop count up to the top of the repository; outside of one nothing above is read."""
        folder = tmp_path / "top" / "logs"
        folder.mkdir(parents=True)
        (tmp_path / "program.md").write_text("A higher gauge is better.\n")
        (tmp_path / "top" / "program.md").write_text("A lower gauge is better.\n")
        text = "id\tgauge\tstatus\n1\t5\tkeep\n2\t7\tkeep\n3\t4\tkeep\n"
        with pytest.raises(Unclear):
            planned(text, folder)
        (tmp_path / "top" / ".git").mkdir()
        assert planned(text, folder).direction.lower
        (tmp_path / "top" / "program.md").unlink()
        with pytest.raises(Unclear):
            planned(text, folder)

    def test_what_most_people_mean_by_a_name(self) -> None:
        """A score is taken to be better when it is higher where nothing speaks against it, and that is a guess."""
        text = "exp_id\tscore\tstatus\n1\t0.6\tdone\n2\t0.7\tdone\n"
        plan = planned(text)
        assert (plan.direction.lower, plan.direction.assumed) == (False, True)
        assert "most people mean that by score" in plan.direction.why
        with pytest.raises(Unclear, match="the rows go both ways"):
            planned("exp_id\tscore\tstatus\n1\t0.6\tkeep\n2\t0.5\tkeep\n3\t0.7\tkeep\n")

    def test_a_text_that_says_both_says_nothing(self, tmp_path: Path) -> None:
        """Sentences that contradict each other are not followed."""
        (tmp_path / "program.md").write_text("Get the lowest score.\nA higher score is better.\n")
        text = "commit\tscore\tstatus\na1b2c3d\t5\tkeep\nb2c3d4e\t6\tkeep\nc3d4e5f\t4\tkeep\n"
        with pytest.raises(Unclear):
            planned(text, tmp_path)

    def test_a_baseline_that_was_measured_otherwise(self) -> None:
        """Where the first row is of another scale, the steps between kept rows show the direction."""
        steps = [1.2, 2.13, 2.11, 2.10, 2.09, 2.07]
        rows = "".join(f"{at}\t{score}\t{'baseline' if not at else 'keep'}\n" for at, score in enumerate(steps))
        direction = planned("iteration\tmetric\tstatus\n" + rows).direction
        assert (direction.lower, direction.why) == (True, "4 of 5 steps between kept rows fall")

    def test_how_much_it_changed_in_the_row(self) -> None:
        """A change leads to the score before it, so that things with a best each do not contradict each other."""
        text = "iter\tpart\tcomposite\tdelta\tstatus\n"
        for part, score in (("a", 0.80), ("b", 0.60), ("c", 0.70)):
            text += f"0\t{part}\t{score}\t0\tkeep\n"
        for at, (part, score, delta) in enumerate([("a", 0.81, 0.01), ("b", 0.62, 0.02), ("c", 0.73, 0.03)], 1):
            text += f"{at}\t{part}\t{score}\t+{delta}\tkeep\n"
        assert planned(text).direction.lower is False

    def test_what_was_before_in_the_row(self) -> None:
        """A score before and one after show the direction in every row."""
        text = "commit\tmetric_before\tmetric_after\tstatus\na1b2c3d\t5\t6\tkept\nb2c3d4e\t6\t4\trejected\n"
        assert planned(text).direction.lower is False


class TestWords:
    """What statuses mean."""

    def test_words_that_could_change_the_best_are_asked(self) -> None:
        """A word that nobody knows on the best score has to be told; all of them are spelt out at once."""
        text = FALLING + "d4e5f60\t1.5\t1\tcontender\tx\ne5f6071\t1.4\t1\tdropped it\ty\n"
        with pytest.raises(Unclear) as caught:
            planned(text)
        (problem,) = caught.value.problems
        assert (problem.count, problem.line) == (2, 5)
        assert problem.options[0] == ("--status", "contender=discard,dropped it=discard")
        plan = planned(text, statuses={"contender": "keep", "dropped it": "discard"})
        assert plan.best and plan.best.value == 1.5
        assert planned(text, other_status="discard").best == planned(FALLING).best

    def test_words_that_change_nothing_are_told(self) -> None:
        """A word on a worse score is neither kept nor discarded, and is told."""
        plan = planned(FALLING + "d4e5f60\t2.5\t1\tcontender\tx\n")
        assert plan.rows[-1].status == "undecided"
        assert '"contender" is no word for a status that is known (1 row, first line 5)' in told(plan)

    def test_yes_and_no(self) -> None:
        """Columns that say whether a row was kept are statuses."""
        plan = planned("id\tacc\tkept\nbaseline\t0.5\tTrue\nb\t0.4\tFalse\nc\t0.6\tTrue\n")
        assert plan.statuses == {"baseline": 1, "discard": 1, "keep": 1}

    def test_a_check_that_rows_failed(self) -> None:
        """Where no column decides, one that says OK and FAIL keeps what failed from being the best."""
        text = "timestamp\tcommit\tlatency_ms\tcorrect\tnotes\n" + "".join(
            f"17762194{at:02}\t{at:07x}\t{ms}\t{word}\tx\n"
            for at, (ms, word) in enumerate([(9, "OK"), (0, "FAIL"), (7, "OK")], 12345)
        )
        plan = planned(text)
        assert plan.statuses == {"ran": 2, "crash": 1}
        assert plan.best and plan.best.value == 7

    def test_a_guard_is_not_the_status(self) -> None:
        """Of several columns with such words the one that decides is meant."""
        text = "id\tguard_status\tstatus\tacc\n1\tpass\tkeep\t0.5\n2\tfail\tdiscard\t0.9\n3\tpass\tkeep\t0.6\n"
        assert planned(text).roles["status"] == "status"

    def test_words_that_do_not_decide(self) -> None:
        """A row that is ok was judged by nobody, unless others of the column were discarded."""
        text = "exp_id\tacc\tstatus\n1\t0.5\tok\n2\t0.6\tok\n3\t0\toom\n"
        assert planned(text).statuses == {"ran": 2, "crash": 1}
        assert planned(text.replace("oom", "reverted")).statuses == {"keep": 2, "discard": 1}


class TestYesAndNo:
    """Columns that say by yes or no how a row ended."""

    @pytest.mark.parametrize(
        ("name", "statuses"),
        [
            ("ok", {"ran": 2, "crash": 1}),
            ("success", {"ran": 2, "crash": 1}),
            ("passed", {"ran": 2, "checks_failed": 1}),
            ("valid", {"ran": 2, "checks_failed": 1}),
            ("is_kept", {"keep": 2, "discard": 1}),
            ("reverted", {"discard": 2, "keep": 1}),
            ("crashed", {"crash": 2, "ran": 1}),
        ],
    )
    @pytest.mark.parametrize("words", [("true", "false"), ("True", "False"), ("yes", "no")])
    def test_what_they_mean(self, name: str, statuses: dict[str, int], words: tuple[str, str]) -> None:
        """The name says of what; what failed is never the best."""
        yes, no = words
        text = f"exp_id,val_loss,{name}\n1,0.5,{yes}\n2,0.4,{yes}\n3,0.1,{no}\n"
        plan = planned(text)
        assert plan.statuses == statuses
        assert plan.best and plan.best.value == (0.1 if name in ("reverted", "crashed") else 0.4)

    def test_beside_a_status(self) -> None:
        """A column that says it failed rules over one that only says that it ran, and is told against a keep."""
        text = "exp_id,val_loss,status,ok\n1,0.5,done,true\n2,0.1,done,false\n"
        assert planned(text).statuses == {"ran": 1, "crash": 1}
        plan = planned(text.replace("done", "keep"))
        assert plan.statuses == {"keep": 2}
        assert "line 3 says kept, though ok says no" in told(plan)

    def test_a_switch_of_the_recipe(self) -> None:
        """A column of yes and no whose name decides nothing is no status."""
        plan = planned("exp_id,val_loss,use_ema\n1,0.5,true\n2,0.4,false\n")
        assert plan.statuses == {"ran": 2}
        assert "no column says what was kept" in told(plan)

    def test_a_count_that_passed(self) -> None:
        """Numbers rank, and are no yes and no."""
        plan = planned("exp_id,passed,status\n1,0,keep\n2,1,keep\n")
        assert plan.metric == "passed"


class TestNames:
    """Ids, commits and parents."""

    def test_decorated_hashes(self) -> None:
        """A hash is read out of what is around it; words that git has a meaning for name nothing."""
        cells = ["`a1b2c3d`", "[b2c3d4e]", "c3d4e5f-dirty", "d4e5f60 (amended)", "#e5f6071", "HEAD", "n/a", ""]
        rows = "".join(f"{cell}\t{2 - at / 10}\t1\tkeep\tx{at}\n" for at, cell in enumerate(cells))
        plan = planned(HEADER + rows)
        assert [row.commit for row in plan.rows] == ["a1b2c3d", "b2c3d4e", "c3d4e5f", "d4e5f60", "e5f6071", "", "", ""]
        assert "3 rows name no commit: HEAD, n/a, blank cells" in told(plan)

    def test_a_discarded_row_names_what_it_was_tried_on(self) -> None:
        """Where the commit of a row that was not kept is that of one that was, its own code is gone."""
        plan = planned(HEADER + "a1b2c3d\t2.0\t1\tkeep\tx\na1b2c3d\t2.1\t1\tdiscard\ty\n")
        assert [(row.commit, row.base) for row in plan.rows] == [("a1b2c3d", ""), ("", "a1b2c3d")]

    def test_parents_by_id_or_alias(self) -> None:
        """A parent cell names an id, or what another column calls a row."""
        text = (
            "run_id\tparent_ref\tcandidate_ref\tacc\tstatus\n"
            "r1\tnone\tc1\t0.5\tkeep\nr2\tr1\tc2\t0.6\tkeep\nr3\tc2\tc3\t0.7\tkeep\n"
        )
        assert [row.parents for row in planned(text).rows] == [(), (("r1", ""),), (("r2", ""),)]

    def test_columns_that_are_mapped(self) -> None:
        """What the user says of a column rules."""
        text = "foo\tbar\tbaz\n1.5\tyes\tx\n1.2\tno\ty\n"
        plan = planned(text, fields={"foo": "metric", "bar": "status", "baz": "id"}, lower=False)
        assert (plan.metric, [row.name for row in plan.rows], plan.statuses) == (
            "foo",
            ["x", "y"],
            {"keep": 1, "discard": 1},
        )


@pytest.mark.parametrize(
    "text",
    [
        "start\tseconds\tctime\nTue\t12\t86\nTue\t13\t83\n",
        "gene\tlog2fc\tpvalue\nBRCA1\t2.5\t0.01\nTP53\t-1.2\t0.2\n",
        '"Step","a - loss","a - loss__MIN"\n"0","1","1"\n',
        HEADER,
    ],
)
def test_what_is_no_trials(text: str) -> None:
    """A table of something else, a chart's export and a header alone are no trials, and it is said."""
    with pytest.raises(NotTrials):
        planned(text)


def test_json_lines_of_another_kind() -> None:
    """An object that shares little with the others is no trial, and named as none."""
    start = '{"type": "session_init", "domain": "d", "runs": 2, "best_score": 95}\n'
    lines = "".join(
        f'{{"run": {at}, "domain": "d", "score": 9{at}, "status": "kept", "content": ""}}\n' for at in (1, 2, 3)
    )
    plan = planning.plan(jsonl.read(start + lines, "t.jsonl"), Options())
    assert [row.name for row in plan.rows] == ["1", "2", "3"]
    assert plan.not_rows == {jsonl.OTHER: [1]}


def test_a_pi_log_with_two_segments() -> None:
    """What was measured before the last config line is kept in a column of its own, and said."""
    text = (
        '{"type":"config","metricName":"ns","bestDirection":"lower"}\n'
        '{"run":1,"commit":"a1b2c3d","metric":10,"status":"keep","description":"old"}\n'
        '{"type":"config","metricName":"ns","bestDirection":"lower"}\n'
        '{"run":2,"commit":"b2c3d4e","metric":90,"status":"keep","description":"new"}\n'
        '{"run":3,"commit":"b2c3d4e","metric":0,"status":"crash","description":"broken"}\n'
    )
    plan = planning.plan(jsonl.read(text, "autoresearch.jsonl"), Options())
    assert plan.best and (plan.best.id, plan.best.value) == ("2", 90)
    assert plan.rows[0].cells["ns@1"] == "10"
    assert plan.rows[2].base == "b2c3d4e" and plan.rows[2].commit == ""
    assert "measured otherwise" in told(plan)


@pytest.mark.parametrize("cell", ["a" * 400_000, "-" * 400_000, '"' * 100_001, "0" * 400_000, "a1 " * 100_000])
def test_huge_cells(cell: str) -> None:
    """A cell of any length is text, wherever it stands; what is over the limit of a line is named."""
    for line in (
        f"{cell}\t1\t1\tkeep\tx",
        f"d4e5f60\t{cell}\t1\tkeep\tx",
        f"d4e5f60\t1\t1\tkeep\t{cell}\t1\t1\tkeep\ty",
    ):
        found = read(f"{FALLING}{line}\n# {cell}\n")
        assert len(found.rows) >= 3


_CELLS = st.text(alphabet=st.sampled_from('ab1.0-+%\t\n"\\#|,é\0 ;keepdiscrd'), max_size=400)


@settings(max_examples=150, deadline=None)
@given(_CELLS)
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever a file holds, it is trials or one of our errors, and no row is made up."""
    for separator in ("\t", ","):
        found = tables.read(text, "f", separator)
        assert all(0 < row.line <= text.count("\n") + 1 for row in found.rows)
        try:
            planning.plan(found, Options())
        except LineageError:
            continue


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_decoded(data: bytes) -> None:
    """Bytes that are no text are replaced, and their lines are known."""
    text, bad = tables.decode(data)
    assert all(number >= 1 for number in bad)
    tables.recognise(text)
    jsonl.recognise(text)
