"""The session prompt, beside those that the harness sent, and against text that tries to change its structure."""

import re

import pytest
from campaigns import TASKS, load, needs_campaigns, row
from evil import evil
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage.model.records import CommitOid, Kin, Order, PromptOptions, PromptView, Task, TrialView
from gitlineage.model.trial import Trial
from gitlineage.render.prompt import activity, is_saturated, render_prompt

campaigns = pytest.mark.parametrize("name", TASKS)

ROW_FIELDS = ("specialist", "metric", "delta", "hypothesis", "notes", "snapshot_path")
NAME_FIELDS = ("label", "cohort", "role", "kin", "reader", "workdir", "tree", "started")
FIELDS = (*ROW_FIELDS, *NAME_FIELDS, "score_field", "short")


def skeleton(document: str) -> list[str]:
    """Return what each line of a Markdown document is, without its words."""
    kinds = []
    fenced = False
    for line in document.splitlines():
        if line.startswith("```"):
            fenced = not fenced
            kinds.append(line)
        elif fenced:
            lead = re.match(r" *(└─ exp_|• exp_|… and|exp_|\*\*Best's|# |gitlineage|git|\(|$)", line)
            kinds.append(f"fenced {lead[0] if lead else 'text'}{' BEST' if line.endswith('  ← BEST') else ''}")
        elif line.startswith("|"):
            kinds.append(f"row of {line.count('|')}")
        else:
            lead = re.match(r"#+ |- \*\*|- exp_| *└─ |\*\*|\*\(|You are|Current best|`|… |$", line)
            kinds.append(lead[0] if lead else "text")
    assert not fenced
    return kinds


def headings(document: str) -> list[str]:
    """Return the headings outside fences."""
    return re.findall(r"^#+ .*$", re.sub(r"^```.*?^```$", "", document, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)


def full_view(word):
    """Return a view and options with every part filled, each text being ``word(<its field>)``."""

    def made(number: int) -> TrialView:
        trial = Trial(
            exp_id=f"{number:03d}",
            specialist=word("specialist"),
            status="keep",
            delta_vs_best=word("delta"),
            hypothesis=word("hypothesis"),
            notes=word("notes"),
            snapshot_path=word("snapshot_path"),
            extra={word("score_field"): word("metric")},
        )
        others = (Kin(word("kin"), word("role")), Kin(word("kin")))
        order = Order(number, "w")
        return TrialView(trial=trial, label=word("label"), oid=CommitOid("0" * 40), order=order, others=others)

    rows = tuple(made(number) for number in range(6))
    view = PromptView(
        task=Task(score_field=word("score_field"), label=word("short")),
        total=6,
        best=rows[1],
        kept=rows[:3],
        chain=rows[:2],
        children=rows[2:4],
        children_total=9,
        recent=rows[::-1],
        own=rows[:5],
        cohort=word("cohort"),
        siblings=rows[4:],
        siblings_total=2,
    )
    options = PromptOptions(
        session_timestamp=word("started"), workdir=word("workdir"), tree_path=word("tree"), max_chars=0
    )
    return view, options


@settings(max_examples=150)
@given(st.fixed_dictionaries(dict.fromkeys(FIELDS, evil)), st.booleans())
def test_no_text_changes_the_structure(texts, lineage):
    """Whatever the fields hold, the prompt has the lines, fences, headings and columns that plain words give it."""
    plain_view, plain_options = full_view(lambda field: "plain")
    view, options = full_view(lambda field: f"p{texts[field]}q")
    plain = render_prompt(plain_view, "plain", _with(plain_options, lineage=lineage))
    document = render_prompt(view, f"p{texts['reader']}q", _with(options, lineage=lineage))
    assert skeleton(document) == skeleton(plain)
    assert document.count("\n") == plain.count("\n") == len(document.splitlines())
    document.encode()


@settings(max_examples=60)
@given(st.fixed_dictionaries(dict.fromkeys(FIELDS, evil)), st.integers(1, 3000))
def test_no_cut_leaves_a_fence_open(texts, limit):
    """Wherever a document is cut, the prompt's own sections follow it as headings."""
    view, options = full_view(lambda field: f"p{texts[field]}q" * 3)
    document = render_prompt(view, "opt", _with(options, max_chars=limit))
    own = ["## LEADERBOARD.md", "## KNOWLEDGE.md", "## Recent Activity (most recent 10)", "## ⚠ Saturation signal"]
    own += ["## Your workdir", "## Your task this session"]
    assert [heading for heading in headings(document) if heading in own] == own
    assert document.endswith("\n")
    assert not document.endswith("\n\n")


@pytest.mark.parametrize("field", NAME_FIELDS)
def test_half_surrogates_can_be_written(field):
    """Names that came from undecodable bytes do not stop a prompt from being saved."""
    view, options = full_view(lambda name: "\udc80\ud800" if name == field else "plain")
    specialist = "\udc80" if field == "reader" else "opt"
    assert "\ufffd" in render_prompt(view, specialist, options).encode().decode()


@needs_campaigns
@campaigns
def test_header_and_bullets_are_the_harness_ones(name):
    """The three lines at the top and the ten bullets equal those of the published session."""
    golden = load(name).golden("session.txt")
    ours = session(name)
    assert ours.splitlines()[:4] == golden.splitlines()[:4]
    bullets = golden.partition("## Recent Activity (most recent 10)\n")[2].partition("\n\n")[0]
    assert bullets.count("\n- exp_") == 9
    assert f"## Recent Activity (most recent 10)\n{bullets}\n\n" in ours


@needs_campaigns
@campaigns
def test_sections_follow_as_in_the_harness(name):
    """Headings come in the published order, and ours go on with the workdir and the task."""
    golden = headings(load(name).golden("session.txt"))
    ours = [heading for heading in headings(session(name)) if heading != "## Key Insights"]
    assert ours == [*golden, "## Your workdir", "## Your task this session"]
    assert "\n\n\n## KNOWLEDGE.md\n# Research" in session(name)
    assert "\n\n\n## Recent Activity (most" in session(name)


@needs_campaigns
@campaigns
def test_the_cut_shows_as_many_rows_as_the_harness(name):
    """Within 8000 characters at least as many recent trials are listed as in the published session."""
    golden = load(name).golden("session.txt")
    counts = [len(re.findall(r"^\| \d+ \|.* \|$", text, re.MULTILINE)) for text in (session(name), golden)]
    assert counts[0] >= counts[1] > 4
    assert "\n\n… (truncated: KNOWLEDGE.md exceeded 8000 characters)\n\n\n" in session(name)


@needs_campaigns
@campaigns
def test_every_earlier_session_is_whole(name):
    """After every eighth row: the best is the one of the next rows' baseline column, and the outline is complete."""
    campaign = load(name)
    for count in range(1, len(campaign.rows), 8):
        specialist = campaign.rows[count].trial.specialist
        prompt = render_prompt(campaign.view(count, specialist), specialist)
        assert f"\nCurrent best: **exp_{campaign.rows[count].trial.baseline_exp}** (" in prompt
        assert re.findall(r"^# .*|^## (?:L|K|Recent.*10|Your).*", prompt, re.MULTILINE)[-3:] == [
            "## Recent Activity (most recent 10)",
            "## Your workdir",
            "## Your task this session",
        ]
        assert len(re.findall(r"^- exp_", prompt, re.MULTILINE)) == min(10, count)


@needs_campaigns
@pytest.mark.parametrize(("name", "fires"), [("cifar", 50), ("pg_ablation_lineage_on", 8)])
def test_saturation_fires_as_often_as_in_the_harness(name, fires):
    """Asked for the specialist of the last row at every state, the signal fires as often as was measured."""
    campaign = load(name)
    states = [(count, campaign.rows[count - 1].trial.specialist) for count in range(1, len(campaign.rows) + 1)]
    assert sum(is_saturated(campaign.view(count, who)) for count, who in states) == fires


@pytest.mark.parametrize(
    ("deltas", "saturated"),
    [
        (["0.0004", "-0.0004", "", "n/a", "0"], True),
        (["0.0004", "-0.0004", "", "n/a", "0", "9"], True),
        (["0.0004", "-0.0004", "", "n/a", "0.0005"], False),
        (["0.0004", "-0.0004", "", "n/a"], False),
    ],
)
def test_saturation_is_five_trials_within_noise(deltas, saturated):
    """The newest five count, and a delta of just epsilon is no noise."""
    own = tuple(row("1", delta_vs_best=delta) for delta in deltas)
    view = PromptView(task=Task(), total=1, own=own)
    assert is_saturated(view) is saturated
    assert ("## ⚠ Saturation signal\n" in render_prompt(view, "opt")) is saturated


def test_epsilon_belongs_to_the_task():
    """What is noise is said by the task, and the prompt names it."""
    own = (row("1", delta_vs_best="0.3"),) * 5
    assert not is_saturated(PromptView(task=Task(), own=own))
    noisy = PromptView(task=Task(score_field="train_s", epsilon=0.4), total=5, own=own)
    assert "moved train_s by 0.4 or more" in render_prompt(noisy, "opt")


def test_an_empty_store_says_so_first():
    """The first line says that there is no lineage, and the specialist is named all the same."""
    options = PromptOptions(session_timestamp="2026-01-01T00:00:00Z", workdir="/w")
    lines = render_prompt(PromptView(task=Task()), "opt", options).splitlines()
    assert lines[:3] == [
        "# Session start — empty lineage",
        "You are specialist **opt**. Your workdir is `/w`.",
        "Current best: **exp_none** (core_metric=n/a).",
    ]
    assert lines[-1].startswith("As **opt**, ")


def test_a_session_without_time_and_workdir_has_marks():
    """Nothing is made up where the caller gave nothing."""
    prompt = render_prompt(PromptView(task=Task(), total=1), "", PromptOptions())
    assert prompt.startswith("# Session start — —\nYou are specialist **—**.\n")
    assert "\n## Your workdir\n*(none was named)*\n" in prompt


def test_the_ablation_shows_the_best_and_no_history():
    """Without lineage the board, the activity and the signal are gone, and a policy says why."""
    view, options = full_view(lambda field: "plain")
    prompt = render_prompt(view, "opt", _with(options, lineage=False))
    assert headings(prompt) == [
        "# Session start — plain",
        "## Your workdir",
        "## Your task this session",
        "## Lineage policy (this run)",
    ]
    assert "Current best: **exp_plain** (plain=n/a).\n" in prompt
    assert prompt.count("exp_") == 1


def test_options_bound_every_list():
    """The counts in the headings are the options', and so are the numbers of rows below them."""
    rows = tuple(row(str(n)) for n in range(9))
    view = PromptView(task=Task(), total=9, best=rows[0], kept=rows, chain=rows[:1], recent=rows)
    prompt = render_prompt(view, "opt", PromptOptions(top_k=2, recent_n=3, last_m_full=4))
    assert {"## Top 2 Kept Trials", "## Recent Activity (last 3)"} <= set(headings(prompt))
    assert "## Recent Activity (most recent 4)" in headings(prompt)
    assert len(re.findall(r"^\| \d ", prompt, re.MULTILINE)) == 2 + 3
    assert len(re.findall(r"^- exp_\d ", prompt, re.MULTILINE)) == 4


def test_bullets_cut_hypothesis_and_notes():
    """A bullet shows 140 characters of the hypothesis, 157 of longer notes, and no line for blank notes."""
    rows = (
        row("1", hypothesis="h" * 150, notes="n" * 161, core_metric="2.50", delta_vs_best="+1"),
        row("2", notes="n" * 160),
        row("3", notes=" \n\x00\t"),
    )
    assert activity(PromptView(task=Task(), total=3, recent=rows)).split("\n") == [
        f"- exp_1 [, keep, core=2.50, Δ=+1] {'h' * 140}",
        f"    └─ {'n' * 157}…",
        "- exp_2 [, keep, core=—, Δ=—] ",
        f"    └─ {'n' * 160}",
        "- exp_3 [, keep, core=—, Δ=—] ",
    ]


def test_max_chars_bounds_both_documents():
    """The knowledge is cut at the limit and the leaderboard at half of it; 0 cuts nothing."""
    view, options = full_view(lambda field: field * 20)
    prompt = render_prompt(view, "opt", _with(options, max_chars=600))
    assert "… (truncated: LEADERBOARD.md exceeded 300 characters)" in prompt
    assert "… (truncated: KNOWLEDGE.md exceeded 600 characters)" in prompt
    assert "truncated" not in render_prompt(view, "opt", options)


def session(name: str) -> str:
    """Return our prompt for the session that the harness published."""
    campaign = load(name)
    head = campaign.golden("session.txt")[:400]
    start = re.match(r"# Session start — (\S+)\nYou are specialist \*\*(\w+)\*\*\. Your workdir is `([^`]+)`", head)
    assert start
    timestamp, specialist, workdir = start.groups()
    tree = re.search(r"Full tree is at `(.+?)`", campaign.golden("KNOWLEDGE.md"))
    assert tree
    options = PromptOptions(session_timestamp=timestamp, workdir=workdir, tree_path=tree[1])
    return render_prompt(campaign.view(specialist=specialist), specialist, options)


def _with(options: PromptOptions, **changes) -> PromptOptions:
    return PromptOptions(**{name: getattr(options, name) for name in options.__struct_fields__} | changes)
