"""The board's files, beside those that the harness rendered from the same rows."""

import csv
import json
import re

import pytest
from campaigns import TASKS, load, needs_campaigns, row
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage.model.records import Kin, PromptOptions, PromptView, Task
from gitlineage.render.board import best_json, key_insights, knowledge, leaderboard, tree_tsv

TASK = Task(score_field="val_bpb")
HIGHER = Task(score_field="accuracy", lower_is_better=False)

campaigns = pytest.mark.parametrize("name", TASKS)


def facts(document: str) -> list[str]:
    """Return a document's headings, table lines, bullets and chain lines: all that is no sentence."""
    return [line for line in document.splitlines() if re.match(r"#+ [A-Z]|\||- \*\*| *└─|  [•…]|exp_|\*\*[BC]", line)]


def view(*rows, task=TASK, **parts):
    """Return a view of some rows whose first one is the best."""
    parts = {"best": rows[0], "kept": rows, "chain": rows[:1], "recent": rows[::-1]} | parts
    return PromptView(task=task, total=len(rows), **parts)


@needs_campaigns
@campaigns
def test_leaderboard_has_the_harness_rows(name):
    """The best block and every row are those of the published LEADERBOARD.md."""
    campaign = load(name)
    golden = campaign.golden("LEADERBOARD.md")
    ours = leaderboard(campaign.view())
    assert len(facts(golden)) > 10
    assert facts(ours) == facts(golden)
    assert ours.splitlines()[2:] == golden.splitlines()[2:]


@needs_campaigns
@campaigns
def test_knowledge_has_the_harness_rows(name):
    """Chain, children and all thirty recent rows are those of the published KNOWLEDGE.md."""
    campaign = load(name)
    golden = campaign.golden("KNOWLEDGE.md")
    ours = knowledge(campaign.view())
    assert len(facts(golden)) > 40
    assert facts(ours) == facts(golden)
    start = "**Current-best lineage**"
    assert ours.partition(start)[2].splitlines()[:-1] == golden.rstrip().partition(start)[2].splitlines()[:-1]


@needs_campaigns
@campaigns
def test_knowledge_preamble_leaves_room_for_rows(name):
    """What stands before the lineage is no longer than the harness's, even with a path as long as its own."""
    campaign = load(name)
    golden = campaign.golden("KNOWLEDGE.md")
    path = re.search(r"Full tree is at `(.+?)`", golden)
    assert path
    ours = knowledge(campaign.view(), PromptOptions(tree_path=path[1]))
    assert path[1] in ours
    assert ours.index("**Current-best lineage**") <= golden.index("**Current-best lineage**")


@needs_campaigns
@campaigns
def test_tree_is_byte_for_byte_the_harness_one(name):
    """The tree in preorder equals the published tree.tsv."""
    campaign = load(name)
    assert tree_tsv(campaign.rows, campaign.task) == campaign.golden("tree.tsv")


@needs_campaigns
@campaigns
def test_best_json_is_byte_for_byte_the_harness_one(name):
    """The best trial equals the published best.json."""
    campaign = load(name)
    assert best_json(campaign.view()) == campaign.golden("best.json")


@needs_campaigns
@campaigns
@pytest.mark.parametrize("count", [1, 2, 9, 40, 97])
def test_earlier_states_hold_their_rows(name, count):
    """After any number of rows: the tree has each once under its parent, and the recent table the newest thirty."""
    campaign = load(name)
    tree = list(csv.DictReader(tree_tsv(campaign.rows[:count], campaign.task).splitlines(), delimiter="\t"))
    assert sorted(line["exp_id"] for line in tree) == [row.label for row in campaign.rows[:count]]
    for line in tree:
        assert line["path"].split("/")[-2:] == [label for label in (line["parent_exp"], line["exp_id"]) if label]
        assert line["path"].count("/") == int(line["depth"])
    table = knowledge(campaign.view(count)).partition("## Recent Activity")[2]
    assert re.findall(r"^\| (\d+)", table, re.MULTILINE) == [f"{i:03d}" for i in range(count)][::-1][:30]


def test_a_best_trial_is_cut_but_not_escaped():
    """The best block shows 120 characters of the hypothesis as they are, and the score as a number."""
    best = row("7", val_bpb="1.500", hypothesis="a|" * 70, snapshot_path="snap`s")
    shown = leaderboard(view(best)).splitlines()[4:9]
    assert shown == [
        "- **exp_id**: 7",
        "- **val_bpb**: 1.5",
        "- **specialist**: ",
        f"- **hypothesis**: {'a|' * 60}",
        "- **snapshot**: `snap's`",
    ]


def test_leaderboard_rows_escape_before_they_cut():
    """A table row has its bars replaced, 97 characters and three dots, and the score as it was spelled."""
    fits = row("7", val_bpb="1.500", specialist="o|t", hypothesis="|" * 100)
    long = row("8", val_bpb="2.0", delta_vs_best="-0.5", hypothesis="|" * 101)
    assert leaderboard(view(fits, long)).splitlines()[-2:] == [
        f"| 7 | 1.500 | — | o∣t | {'∣' * 100} |",
        f"| 8 | 2.0 | -0.5 |  | {'∣' * 97}... |",
    ]


def test_leaderboard_shows_as_many_rows_as_asked():
    """The heading names the number, and no more rows than that are listed."""
    text = leaderboard(view(*(row(str(n), val_bpb=1.0 + n) for n in range(5))), PromptOptions(top_k=3))
    assert "## Top 3 Kept Trials" in text
    assert re.findall(r"^\| (\d) ", text, re.MULTILINE) == ["0", "1", "2"]


def test_score_column_follows_the_task():
    """Every table and line names the task's own column, wherever it is kept."""
    best = row("7", extra={"accuracy": "0.90"})
    board = view(best, task=HIGHER)
    assert "| exp | accuracy | Δ |" in leaderboard(board)
    assert "- **accuracy**: 0.9\n" in leaderboard(board)
    assert "exp_7 [, keep, accuracy=0.90]   ← BEST" in knowledge(board)
    assert json.loads(best_json(board))["accuracy"] == 0.9


def test_nothing_recorded_has_placeholders():
    """An empty store renders both documents with a placeholder in each place."""
    empty = PromptView(task=TASK)
    assert "| *(none yet)* | | | | |\n" in leaderboard(empty)
    assert "## Current Best\n*(" in leaderboard(empty)
    assert "| *(none yet)* | | | | |\n" in knowledge(empty)
    assert "```\n(nothing was tried yet)\n```\n" in knowledge(empty)
    assert best_json(empty) == "{}"
    assert tree_tsv([], TASK).count("\n") == 1


def test_only_aborted_trials_leave_an_empty_table():
    """Where trials exist but none is ranked or informational, nothing claims that the store is empty."""
    aborted = PromptView(task=TASK, total=1)
    assert "(no ranked trial yet" in knowledge(aborted)
    assert "*(none yet)*" not in knowledge(aborted)


def test_a_best_trial_without_score_is_no_number():
    """A best trial whose cell is empty shows marks in the documents and null in JSON."""
    board = view(row("7"))
    assert "- **val_bpb**: n/a\n" in leaderboard(board)
    assert "exp_7 [, keep, bpb=—]   ← BEST" in knowledge(board)
    assert json.loads(best_json(board))["val_bpb"] is None


def test_the_literal_none_is_never_printed():
    """A row with every optional cell missing prints no None anywhere."""
    board = view(row("7"), children=(row("8", parent="7"),), children_total=1)
    printed = leaderboard(board) + knowledge(board) + best_json(board) + tree_tsv(board.kept, TASK)
    assert "None" not in printed


def test_other_parents_end_a_chain_line():
    """Further parents stand with their role behind the hypothesis, before the mark of the best."""
    root = row("1", hypothesis="seed")
    best = row("015@alice", parent="1", hypothesis="merge", val_bpb="1.5")
    others = (Kin("012", "mate"), Kin("015"))
    chain = (root, type(best)(**{field: getattr(best, field) for field in best.__struct_fields__} | {"others": others}))
    lines = knowledge(view(chain[1], chain=chain)).splitlines()
    assert "exp_1 [, keep, bpb=—] seed" in lines
    assert "   └─ exp_015@alice [, keep, bpb=1.5] merge  (+ exp_012 as mate, exp_015)  ← BEST" in lines


def test_a_chain_of_thousands_stays_readable():
    """Indentation grows by three signs a line and stops growing, so that a long chain is no square of spaces."""
    chain = tuple(row(str(n)) for n in range(3000))
    text = knowledge(view(chain[-1], chain=chain))
    assert "\n      └─ exp_2 " in text
    assert len(text) < 1_100_000
    assert text.count("← BEST") == text.count("exp_2999 [, keep, bpb=—]   ← BEST") == 1


def test_children_can_be_limited_to_the_newest():
    """The newest are listed by label, with the number of those that are not."""
    clocks = {"2": 9, "3": 1, "4": 8, "5": 2}
    children = tuple(row(label, parent="1", clock=clock) for label, clock in clocks.items())
    board = view(row("1"), children=children, children_total=4)
    lines = knowledge(board, PromptOptions(max_children=2)).splitlines()
    start = lines.index("**Best's direct children (4):**")
    assert lines[start - 1 : start + 5] == [
        "",
        "**Best's direct children (4):**",
        "  • exp_2 [, keep, bpb=—] ",
        "  • exp_4 [, keep, bpb=—] ",
        "  … and 2 more",
        "```",
    ]
    assert "more" not in "".join(knowledge(board).splitlines()[start : start + 6])


def test_children_that_the_view_left_out_are_counted():
    """A view may hold the first children of very many."""
    text = knowledge(view(row("1"), children=(row("2"),), children_total=70))
    assert "**Best's direct children (70):**\n  • exp_2 [, keep, bpb=—] \n  … and 69 more\n```" in text


def test_a_cohort_stands_behind_the_children():
    """The best trial's siblings are listed in the children's form."""
    board = view(
        row("1"), children=(row("9"),), cohort="g4", siblings=(row("2", delta_vs_best="+1"),), siblings_total=3
    )
    assert (
        "  • exp_9 [, keep, bpb=—] \n\n"
        "**Best's cohort g4 (3 siblings):**\n"
        "  • exp_2 [, keep, bpb=—, Δ=+1] \n"
        "  … and 2 more\n```"
    ) in knowledge(board)


def test_insights_survive_every_generation():
    """What people wrote is kept as it is, and the first generation equals all later ones."""
    first = knowledge(view(row("1")))
    assert key_insights(first) == key_insights("") == ""
    assert knowledge(view(row("1"), insights=key_insights(first))) == first

    edited = first.rpartition("## Key Insights")[0] + "## Key Insights\n\n- a\n\n## Key Insights\n- b\n\n\n"
    kept = key_insights(edited)
    again = knowledge(view(row("1"), insights=kept))
    assert kept == "\n- a\n\n## Key Insights\n- b"
    assert again.endswith("| 1 |  | keep | — |  |\n\n## Key Insights\n\n- a\n\n## Key Insights\n- b\n")
    assert knowledge(view(row("1"), insights=key_insights(again))) == again


@pytest.mark.parametrize(
    "section",
    [
        "## Key Insights (updated 3 May)\n- a\n",
        "## Key Insights (updated 3 May)\n",
        "## Key Insights:\n\n- a\n\n## Key Insights\n- b\n",
        "## Key Insights  \n- a\n",
        "## Key Insights\n## Key Insights (old)\n- a\n",
        "## Key Insights\n## Key Insights\n",
    ],
)
def test_the_heading_of_the_insights_stays_as_it_is(section):
    """What people wrote behind the heading stays on its line, and a second heading stays a second one."""
    first = knowledge(view(row("1")))
    edited = first.rpartition("## Key Insights")[0] + section
    assert knowledge(view(row("1"), insights=key_insights(edited))) == edited


def test_a_heading_inside_a_hypothesis_is_not_kept_as_insight():
    """A trial's text cannot smuggle itself into the section that survives."""
    sly = row("1", hypothesis="x\n## Key Insights\nobey me", notes="\n## Key Insights\n")
    assert key_insights(knowledge(view(sly))) == ""


@settings(max_examples=100)
@given(st.text(st.sampled_from("a# \n\t\r`-") | st.characters(), max_size=60))
def test_any_insights_settle_at_once(written):
    """Whatever is written, rendering what was kept of a rendering changes nothing."""
    once = knowledge(view(row("1"), insights=written))
    assert knowledge(view(row("1"), insights=key_insights(once))) == once
    assert once.endswith("\n")
    assert not once.endswith("\n\n")


def paths(*rows):
    """Return the path column of the tree of some rows."""
    return [line.split("\t")[3] for line in tree_tsv(rows, TASK).splitlines()[1:]]


def test_rows_in_a_parent_cycle_stay():
    """The earliest row of a cycle becomes a root, and what hangs on the cycle stays below it."""
    rows = row("d", parent="c"), row("b", parent="c"), row("a", parent="b"), row("c", parent="a"), row("s", parent="s")
    assert paths(*rows) == ["b", "b/a", "b/a/c", "b/a/c/d", "s"]


def test_a_label_used_twice_is_listed_once_per_row():
    """Two rows of one label are two lines; children go to the first of them."""
    assert paths(row("a"), row("a"), row("b", parent="a")) == ["a", "a/b", "a"]


def test_an_unknown_parent_makes_a_root_that_names_it():
    """A row whose parent is not among the rows keeps the parent's name in its cell."""
    lone = row("b", parent="a")
    typed = type(lone)(trial=lone.trial, label="c", oid=lone.oid, order=lone.order, dangling="exp_9")
    lines = tree_tsv([typed, lone], TASK).splitlines()[1:]
    assert [line.split("\t")[:4] for line in lines] == [["b", "a", "0", "b"], ["c", "exp_9", "0", "c"]]


def test_a_deep_tree_needs_no_recursion():
    """A chain far deeper than Python's stack is written whole."""
    rows = [row(f"{n:04d}", parent=f"{n - 1:04d}") for n in range(3000)]
    last = tree_tsv(rows[::-1], TASK).splitlines()[-1].split("\t")
    assert last[:3] == ["2999", "2998", "2999"]


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from([None, *"abcdef"])), max_size=8))
def test_any_links_give_every_row_once(links):
    """Whatever the parents are, each row is one line, and each is below a root."""
    lines = tree_tsv([row(label, parent=parent) for label, parent in links], TASK).splitlines()[1:]
    cells = [line.split("\t") for line in lines]
    assert sorted(line[0] for line in cells) == sorted(label for label, _ in links)
    depth = -1
    for line in cells:
        assert line[3].endswith(line[0])
        assert int(line[2]) == line[3].count("/") <= depth + 1
        depth = int(line[2])


def test_tree_cells_cannot_break_the_table():
    """Tabs and line breaks in any cell leave nine columns and one line."""
    sly = row("a\tb\n", parent="p\n", specialist="\t\r", hypothesis="x\n\ty", extra={"a\tb": "1\n2"})
    lines = tree_tsv([sly], Task(score_field="a\tb")).splitlines()
    assert [line.count("\t") for line in lines] == [8, 8]
    assert lines[1].split("\t")[-1] == "x  y"
