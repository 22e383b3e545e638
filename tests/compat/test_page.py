"""The report in a real browser with its network cut: its flows, its numbers, and a campaign hostile in every field."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsers import CHROMIUM, NO_CHROMIUM, Seen, browsing

from gitlineage import LineageStore, Task, Trial
from gitlineage.page.columns import columns, halves
from gitlineage.page.contents import contents_of
from gitlineage.page.report import packed, page, report
from gitlineage.query.comparing import compare
from gitlineage.query.stats import GROUPS
from gitlineage.query.table import Row, Table
from gitlineage.run.output import cleaned
from gitlineage.run.records import Plan
from gitlineage.run.trial import run

pytestmark = [pytest.mark.extra("playwright"), pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)]

TEXTS = "nodes => nodes.map((node) => node.textContent)"
"""What the texts of some elements are."""

PAINTED = """
() => {
  const graph = document.getElementById("graph");
  const shown = graph.getContext("2d").getImageData(0, 0, graph.width, graph.height).data;
  return shown.some((value, at) => at % 4 === 3 && value > 0);
}
"""
"""Whether the graph has anything on it."""

DRAWN = """
() => {
  const plot = document.querySelector("#plot canvas");
  const shown = plot.getContext("2d").getImageData(0, 0, plot.width, plot.height).data;
  let count = 0;
  for (let at = 3; at < shown.length; at += 4) count += shown[at] > 0;
  return count;
}
"""
"""How many pixels of the plot have something on them."""

SCRIPT = "</script><script>window.hit=1</script><img src=x onerror='window.hit=1'>&amp;&#60;b&#62;<!--"
BIDI = "\u202eevil\u2066 \u200b\u00ad"
HOSTILE = [
    f"{SCRIPT} {BIDI}",
    "javascript:window.hit=1",
    "${window.hit=1}`'\"\\",
    "{{constructor.constructor('hit')()}}",
    "$title $rows",
]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LineageStore]:
    """A small campaign: two cohorts with roles, replicates, failures, one that waits and one that was retracted."""
    folder = tmp_path_factory.mktemp("page") / "campaign"
    task = Task(score_field="loss", lower_is_better=True)
    with LineageStore(folder, writer="alice", identity=("Alice", "alice@example.org"), task=task) as store:
        code = "import math\n\n\ndef train(lr):\n    # the schedule\n    return lr * {0}\n"

        def commit(at: int, parents: list[str], status: str | None, score: str, **more: object) -> str:
            extra = {"loss": score} if score else {}
            trial = Trial(
                status=status, extra=extra, hypothesis=f"idea {at}", specialist="opt" if at % 2 else "data",
                domain="lr" if at % 3 else "wd", timestamp=f"2026-01-0{1 + at // 4}T10:00:0{at % 10}Z", total_s=60 * at,
            )  # fmt: skip
            files = {"train.py": code.format(at).encode(), "data/list.txt": b"a\nb\n" * (1 + at // 5)}
            return store.commit(files, parents, trial=trial, **more).exp_id

        commit(0, [], "baseline", "1.50")
        commit(1, ["000"], "keep", "1.40", cohort="first")
        commit(2, ["000"], "discard", "1.60", cohort="first")
        commit(3, ["001", "002"], "keep", "1.25", roles={"001": "base", "002": "mate"})
        commit(4, ["003"], "crash", "")
        for at in (5, 6, 7, 8):
            commit(at, ["003"], "keep" if at == 6 else "discard", f"1.{30 - at}", cohort="second")
        store.record("006", Trial(status="discard", extra={"loss": "1.235"}), replicate=True)
        commit(10, ["006"], None, "")
        commit(11, ["006"], "keep", "0.10")
        store.retract("011", "wrong file")
        store.relations.add("006", "001", "tested_by")
        yield store


@pytest.fixture(scope="module")
def file(campaign: LineageStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_bytes(report(campaign, title="A campaign", made="2026-01-10T00:00:00Z"))
    return path


@pytest.fixture(scope="module")
def window() -> Iterator[Callable[..., Seen]]:
    """Open windows of one browser."""
    with browsing() as opens:
        yield opens


@pytest.fixture
def seen(window: Callable[..., Seen], file: Path) -> Iterator[Seen]:
    """The report, opened; afterwards it must have asked for nothing and said nothing."""
    seen = window()
    seen.open(file)
    yield seen
    seen.check_quiet(file)
    seen.page.context.close()


def test_every_view_is_there(seen: Seen) -> None:
    """Each view of the head opens, is marked as the current one, and shows something."""
    assert seen.page.title() == "A campaign"
    for name in ("Progress", "Lineage", "Trials", "Compare", "Statistics"):
        seen.page.get_by_role("link", name=name, exact=True).click()
        assert seen.page.get_attribute("#top nav [aria-current=page]", "href").startswith("#")
        assert seen.text("#top nav [aria-current=page]") == name
        assert len(seen.text("#main")) > 100


def test_progress(seen: Seen) -> None:
    """The head has the campaign's figures; a point is found under the pointer, and a click opens its trial."""
    cards = [seen.page.locator(".card").nth(at).text_content() for at in range(3)]
    assert cards[0].startswith("1.24") and cards[1].startswith("10") and cards[2].startswith("3kept")
    box = seen.page.locator("#plot .u-over").bounding_box()
    x, y = seen.page.evaluate(
        "() => { const c = document.querySelector('#plot .u-over'); return [c.clientWidth, c.clientHeight]; }"
    )
    found = False
    for step in range(int(x) - 4, 0, -6):  # the best is near the right and the bottom
        for down in (0.75, 0.8, 0.85, 0.9, 0.95):
            seen.page.mouse.move(box["x"] + step, box["y"] + y * down)
            if seen.page.locator("#tip").is_visible() and "loss" in seen.text("#tip"):
                found = True
                break
        if found:
            break
    assert found
    name = seen.page.locator("#tip b").text_content()
    seen.page.mouse.click(box["x"] + step, box["y"] + y * down)
    seen.page.wait_for_function("name => location.hash === `#trial/${name}`", arg=name)


def test_the_table(seen: Seen, campaign: LineageStore) -> None:
    """It sorts by any column, filters by status and words, shows chosen columns, and a row leads to its trial."""
    seen.go("trials")

    def ids() -> list[str]:
        return seen.page.eval_on_selector_all("#table td:first-child a", TEXTS)

    assert len(ids()) == len(campaign.log(None))
    seen.page.get_by_role("button", name="loss").click()
    assert ids()[:4] == ["008", "007", "009", "006"]
    seen.page.fill("#words", "idea 3")
    seen.page.wait_for_function("() => document.querySelectorAll('#table tbody tr').length === 1")
    assert ids() == ["003"]
    seen.page.fill("#words", "")
    seen.page.wait_for_function("() => document.querySelectorAll('#table tbody tr').length > 5")
    seen.page.locator(".chip", has_text="discard").click()
    assert "002" not in ids()
    seen.page.get_by_role("button", name="all trials").click()
    seen.page.get_by_role("button", name="columns").click()
    seen.page.get_by_role("checkbox", name="domain").check()
    assert "domain" in seen.text("#table thead")
    seen.page.keyboard.press("Escape")
    height = seen.page.eval_on_selector("#table tbody tr:nth-child(3)", "node => node.getBoundingClientRect().height")
    assert height == 32
    seen.page.get_by_role("link", name="003", exact=True).click()
    assert seen.page.locator("h2").text_content() == "003"


def test_one_trial(seen: Seen) -> None:
    """Its row, its parents with roles, children, siblings, replicates, relations, and the diff against each parent."""
    seen.go("trial/003")
    text = seen.text("#main")
    assert "idea 3" in text and "base" in text and "mate" in text and "Children (6)" in text
    assert seen.page.locator(".diff .del").first.text_content() == "    return lr * 1"
    assert seen.page.locator(".diff .add").first.text_content() == "    return lr * 3"
    assert seen.page.locator(".diff .add b").first.text_content() == "3"
    assert seen.page.locator(".diff .t-keyword").count() > 0
    seen.page.get_by_role("button", name="002 mate").click()
    assert seen.page.locator(".diff .del").first.text_content() == "    return lr * 2"
    pressed = seen.page.get_by_role("button", name="side by side").get_attribute("aria-pressed")
    seen.page.get_by_role("button", name="side by side").click()
    assert seen.page.get_by_role("button", name="side by side").get_attribute("aria-pressed") != pressed
    seen.go("trial/006")
    text = seen.text("#main")
    assert "Runs of the same content (2)" in text and "tested by" in text and "the best" in text


def test_a_link_and_keys(seen: Seen, file: Path) -> None:
    """An address leads to a view by itself; keys lead on; a name that is not there says so."""
    seen.open(file, "#trial/006")
    assert seen.page.locator("h2").text_content() == "006"
    seen.page.keyboard.press("u")
    seen.page.wait_for_function("() => location.hash === '#trial/003'")
    seen.page.keyboard.press("2")
    seen.page.wait_for_selector("#graph")
    seen.page.keyboard.press("b")
    seen.page.wait_for_function("() => location.hash === '#trial/006'")
    before = seen.page.get_attribute("html", "data-theme")
    seen.page.keyboard.press("t")
    assert seen.page.get_attribute("html", "data-theme") != before
    seen.page.keyboard.press("/")
    seen.page.keyboard.type("004")
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_function("() => location.hash === '#trial/004'")
    seen.go("trial/nope")
    assert "No trial is called nope" in seen.text("#main")


def test_the_graph(seen: Seen) -> None:
    """It is drawn, the line to the best stands beside it, arrows move along it and Enter opens a trial."""
    seen.go("lineage")
    seen.page.wait_for_function("() => document.getElementById('graph').width > 300")
    seen.page.wait_for_function(PAINTED)
    line = seen.page.eval_on_selector_all(".line a", TEXTS)
    assert line == ["000", "001", "003", "006"]
    seen.page.focus("#graph")
    seen.page.keyboard.press("ArrowUp")
    seen.page.wait_for_function("() => document.querySelector('.side').textContent.includes('idea 3')")
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_function("() => location.hash === '#trial/003'")


def test_statistics_are_those_of_the_library(seen: Seen, campaign: LineageStore) -> None:
    """Every figure of every group is what `store.stats` counts."""
    seen.go("stats")
    for by in GROUPS:
        seen.page.locator(".tabs").get_by_role("button", name=by, exact=True).click()
        rows = seen.page.eval_on_selector_all(
            "#stats tbody tr", "rows => rows.map((r) => [...r.children].map((c) => c.textContent))"
        )
        wanted = [
            [
                stat.group or f"(no {by})", f"{stat.trials:,}", f"{stat.kept:,}",
                "" if stat.keep_rate is None else f"{int(stat.keep_rate * 100 + 0.5)}%", stat.best,
                "" if stat.best_score is None else f"{stat.best_score:.6g}", f"{stat.gain:.6g}" if stat.gain else "",
                f"{stat.gain_per_trial:.6g}" if stat.gain else "", "" if stat.hours is None else f"{stat.hours:.2f}",
                f"{stat.since_keep:,}",
            ]
            for stat in campaign.stats(by)
        ]  # fmt: skip
        assert rows == wanted, by


def test_a_comparison_is_that_of_the_library(seen: Seen, campaign: LineageStore) -> None:
    """Cohorts and trials: mean, spread, and the rank test."""
    for a, b in (("first", "second"), ("006", "000")):
        found = compare(campaign.ledger.views(), a, b)
        seen.go(f"compare/{a}/{b}")
        seen.page.wait_for_selector("#sides")
        cells = seen.page.eval_on_selector_all(
            "#sides tbody tr", "rows => rows.map((r) => [...r.children].map((c) => c.textContent))"
        )
        table = {name: rest for name, *rest in cells}
        assert table["trials"] == [str(found.a.trials), str(found.b.trials)]
        assert table["mean"] == [f"{found.a.mean:.6g}", f"{found.b.mean:.6g}"]
        assert found.better in seen.text("#verdict") and "too few scores" in seen.text("#verdict")


def test_a_phone(window: Callable[..., Seen], file: Path) -> None:
    """On a phone nothing is wider than the window, in any view, dark or light."""
    phone = window(viewport={"width": 390, "height": 800}, color_scheme="dark")
    phone.open(file)
    assert phone.page.get_attribute("html", "data-theme") == "dark"
    for view in ("progress", "lineage", "trials", "trial/003", "compare", "stats", "keys"):
        phone.go(view)
        wide = phone.page.evaluate("() => document.documentElement.scrollWidth")
        assert wide <= 390, view
    phone.check_quiet(file)


def test_a_hostile_campaign(window: Callable[..., Seen], tmp_path: Path) -> None:
    """Scripts, entities, control and bidi signs in fields, file names and diffs: none runs, and all is shown."""
    with LineageStore(tmp_path / "hostile", task=Task(score_field="loss")) as store:
        seed = store.commit({"a.py": b"x\n"}, trial=Trial(status="baseline", extra={"loss": "1"}))
        names = []
        for at, text in enumerate(HOSTILE):
            cells = dict.fromkeys(
                ("specialist", "domain", "job_name", "expected_delta", "snapshot_path", "notes"), text
            )
            trial = Trial(
                exp_id=f"{text}{at}".replace("\u202e", "").strip()[:190],
                status="keep",
                hypothesis=f"{text}\x00\x1b[31m\n<b>bold</b>",
                extra={"loss": f"0.{9 - at}", f"col {text}".replace("\n", ""): text}, **cells,
            )  # fmt: skip
            path = text.replace("/", "∕").replace("\\", "")[:60]
            content = {"a.py": f"x\n{text}\n<script>window.hit=1</script>\n".encode(), path: text.encode()}
            made = store.commit(content, [seed], trial=trial, cohort=f"gen {at}" if at else None)
            names.append(made.exp_id)
        said = f"{SCRIPT} {BIDI}\n\x1b]0;title\x07\x1b[31mred\n{HOSTILE[2]}\nloss: 0.01"
        logged = run(
            store, Plan(command=(sys.executable, "-c", f"print({said!r})"), folder=str(tmp_path / "hostile"))
        ).id
        rows = {trial.exp_id: trial for trial in store.all_trials()}
        path = tmp_path / "report.html"
        path.write_bytes(report(store, title=HOSTILE[0]))
    seen = window()
    seen.open(path)
    for view in ("progress", "lineage", "stats"):
        seen.go(view)
    seen.go("trials")
    table = seen.data()
    for name in names:
        assert name in table and rows[name].hypothesis in table
        seen.page.evaluate("name => (location.hash = '#trial/' + encodeURIComponent(name))", name)
        seen.page.wait_for_function("name => document.querySelector('h2').textContent === name", arg=name)
        found = seen.data()
        cells = {text for text in rows[name].cells().values() if text not in ("keep",)}
        assert cells - found == set()
        seen.page.wait_for_selector(".diff .add")
        added = seen.page.eval_on_selector_all(".diff td.code.add", TEXTS)
        assert "<script>window.hit=1</script>" in added
    seen.go(f"trial/{logged}")
    seen.page.locator("summary", has_text="The end of its log").click()
    seen.page.wait_for_selector("pre.log")
    assert seen.text("pre.log") == cleaned(said.encode())
    assert seen.page.evaluate("() => window.hit") is None
    seen.check_quiet(path)


def test_very_many_trials(window: Callable[..., Seen], tmp_path: Path) -> None:
    """More points than have room for shapes are drawn and found, and what comes after the picture is all there."""
    count = 25_000
    with LineageStore(tmp_path / "many", task=Task(score_field="loss")) as store:
        views = store.ledger.views()
        cells = [
            Trial(hypothesis=f"idea {at}", specialist=f"s{at % 300}", extra={"loss": f"{2 - at / count}"})
            for at in range(count)
        ]
        rows = [
            Row(
                label=f"{at:05d}", status="keep" if at % 10 == 9 else "discard", score=2 - at / count, cells=each,
                oid=f"{at:040x}", content=f"{at}", cohort="", parents=(at - 1,) if at else (), roles=(), inspired=(),
                time="2026-01-01T00:00:00Z", writer="alice", clock=at, saw="",
            )
            for at, each in enumerate(cells)
        ]  # fmt: skip
        first, rest = halves(columns(views, Table(store.task, rows), title="many", made="", live=False, without=count))
        path = tmp_path / "many.html"
        path.write_bytes(page("many", "", packed(first), packed(rest), packed(contents_of(views, [], [], 0))))
    seen = window()
    seen.open(path)
    seen.page.wait_for_function("() => performance.getEntriesByName('whole').length")
    assert seen.page.evaluate(DRAWN) > 1000
    box = seen.page.locator("#plot .u-over").bounding_box()
    seen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert "idea 12" in seen.text("#tip") or "idea 11" in seen.text("#tip") or "idea 13" in seen.text("#tip")
    seen.page.fill("[aria-label=specialist]", "s299")
    seen.page.keyboard.press("Tab")
    seen.page.wait_for_function(
        "() => document.querySelector('#plot + .legend + .note').textContent.startsWith('83 scores')"
    )
    seen.go("trial/24999")
    assert {"idea 24999", "s99"} <= seen.data()
    seen.check_quiet(path)


def test_an_empty_campaign(window: Callable[..., Seen], tmp_path: Path) -> None:
    """A store without trials has a page that says so, in every view."""
    with LineageStore(tmp_path / "empty") as store:
        path = tmp_path / "report.html"
        path.write_bytes(report(store))
    seen = window()
    seen.open(path)
    for view in ("progress", "lineage", "trials", "compare", "stats"):
        seen.go(view)
    seen.check_quiet(path)
