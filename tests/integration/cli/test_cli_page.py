"""The commands report and serve: one file, and the same page live for this machine alone."""

import gzip
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsers import CHROMIUM, NO_CHROMIUM, browsing
from command_line import Shell, campaign, environment, process


@pytest.fixture
def shell(folder: Path) -> Shell:
    """A shell on a small campaign."""
    return campaign(folder)


def test_report(shell: Shell, tmp_path: Path) -> None:
    """It writes one file and says how large; bad calls end with one line."""
    done = process("report", tmp_path / "a.html", folder=shell.folder)
    assert done.stderr.decode().startswith(f"note: wrote {tmp_path / 'a.html'}, 0.")
    assert (tmp_path / "a.html").read_bytes().startswith(b"<!doctype html>")
    (told,) = shell.objects("report", tmp_path / "b.html", "--since", "002", "--max-size", "0")
    assert told["bytes"] == (tmp_path / "b.html").stat().st_size
    assert process("report", "-", folder=shell.folder).stdout.startswith(b"<!doctype html>")
    assert "'much' is no size" in shell.fails(2, "report", "--max-size", "much")
    assert "no cohort 'nope'" in shell.fails(1, "report", "--cohort", "nope")
    assert "cannot write /nowhere/x.html" in shell.fails(1, "report", "/nowhere/x.html")


@pytest.fixture
def address(shell: Shell) -> Iterator[str]:
    """Serve the campaign and return the address that is printed."""
    command = [sys.executable, "-m", "gitlineage", "serve", "--json"]
    with subprocess.Popen(command, cwd=shell.folder, env=environment(), stdout=subprocess.PIPE) as server:
        try:
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.terminate()


def asked(url: str, **headers: str) -> tuple[int, bytes]:
    """Ask for an address and return the answer's code and content."""
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.extra("starlette", "uvicorn")
def test_who_is_served(address: str) -> None:
    """The page's own requests are answered; other tokens, hosts, origins and sites and writing are refused."""
    assert address.startswith("http://127.0.0.1:")
    code, data = asked(address)
    assert code == 200 and data.startswith(b"<!doctype html>") and b"connect-src 'self'" in data
    code, data = asked(f"{address}rows", Sec_Fetch_Site="same-origin")
    assert code == 200 and json.loads(gzip.decompress(data))["n"] == 5
    code, data = asked(f"{address}files?id=003&at=3&id=001&at=1")
    assert code == 200 and len(json.loads(gzip.decompress(data))["trees"]) == 2
    base = address.rsplit("/", 2)[0]
    for url, headers in (
        (f"{base}/guess/", {}),
        (f"{base}/guess/rows", {}),
        (address, {"Host": "evil.example"}),
        (address, {"Host": "evil.example:80"}),
        (f"{address}rows", {"Origin": "http://evil.example"}),
        (f"{address}rows", {"Sec_Fetch_Site": "cross-site"}),
    ):
        assert asked(url, **headers) == (403, b"not for you\n"), (url, headers)
    assert asked(base + "/")[0] == 404
    request = urllib.request.Request(f"{address}rows", data=b"x", method="POST")
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(request, timeout=30)


@pytest.mark.extra("starlette", "uvicorn", "playwright")
@pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
def test_new_trials_appear(shell: Shell, address: str) -> None:
    """A trial that another process records is in the open page by itself, and its diff is asked for."""
    with browsing() as window:
        seen = window(offline=False)
        seen.page.goto(f"{address}#trials")
        seen.page.wait_for_function("() => document.querySelectorAll('#table tbody tr').length === 5")
        shell.write(a="live\n")
        shell.commit("--parents", "003", "-m", "while you look", "--metric", "1.05")
        seen.page.wait_for_function("() => document.querySelectorAll('#table tbody tr').length === 6")
        assert "while you look" in seen.data()
        seen.go("trial/005")
        seen.page.wait_for_selector(".diff .add")
        assert seen.page.locator(".diff .add").first.text_content() == "live"
        assert seen.said == []


TABLE = """
() => [...document.querySelectorAll('#table tr')].map((row) =>
  [...row.children].map((cell) => cell.textContent).join('|')).join('\\n')
"""
"""What the table of trials says."""


@pytest.mark.extra("starlette", "uvicorn", "playwright")
@pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
def test_what_came_by_itself_is_what_a_report_says(shell: Shell, address: str, tmp_path: Path) -> None:
    """After trials, results, columns that nobody had and replicates, an open page says of all what a new file does."""
    file = tmp_path / "report.html"
    with browsing() as window:
        seen = window(offline=False)
        seen.page.goto(f"{address}#trials")
        seen.page.wait_for_function("() => document.querySelectorAll('#table tbody tr').length === 5")
        state = json.loads(gzip.decompress(asked(f"{address}rows")[1]))["state"]
        shell.write(a="waits\n")
        shell.commit("--parents", "003", "-m", "it waits")
        seen.page.wait_for_selector("#table .s-pending")
        shell("record", "005", "--metric", "0.5", "--field", "lr=3", "--notes", "a note")
        shell("record", "003", "--metric", "1.2", "--replicate", "--field", "seed=1")
        shell.write(a="a mate\n")
        shell.commit("--parents", "003", "005", "--role", "005=mate", "-m", "both", "--metric", "0.4")
        told = json.loads(gzip.decompress(asked(f"{address}rows?since={state}")[1]))
        assert "columns" not in told and {row["at"] for row in told["rows"]} >= {5, 6, 7}
        shell("report", file)
        whole = window()
        whole.open(file, "#trials")
        done = (
            "() => document.querySelectorAll('#table tbody tr').length === 8 && !document.querySelector('.s-pending')"
        )
        for each in (seen, whole):
            each.page.wait_for_function(done)
            each.page.get_by_role("button", name="columns").click()
            for box in each.page.locator(".columns input").all():
                box.check()
        assert seen.page.evaluate(TABLE) == whole.page.evaluate(TABLE)
        assert "lr" in seen.page.evaluate(TABLE).splitlines()[0]
        for view, part in (
            ("trial/007", ".two"),
            ("stats", "#stats"),
            ("compare/003/007", "#sides"),
            ("progress", ".cards"),
        ):
            texts = []
            for each in (seen, whole):
                each.go(view)
                texts.append(each.page.inner_text(part).split("Made by")[0])
            assert texts[0] == texts[1], view
        assert seen.said == whole.said == []


RUNS = """
import pathlib, time
print("step 1")
print("<script>window.hit=1</script> core: 1.23", flush=True)
while not pathlib.Path("go").exists():
    time.sleep(0.05)
print("core: 0.91")
"""
"""A command that shows a first score and waits for a file before it shows its last."""


@pytest.mark.extra("starlette", "uvicorn", "playwright")
@pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
def test_what_runs_is_shown(shell: Shell, address: str) -> None:
    """What runs stands in the page with its last score; its trial's view has its log, while it runs and after."""
    shell.write(a="a longer run\n")
    words = ["run", "-m", "while it runs", "--metric", "core", "--", sys.executable, "-c", RUNS]
    command = [sys.executable, "-m", "gitlineage", *words]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with browsing() as window, subprocess.Popen(command, cwd=shell.folder, env=environment(), **quiet) as runner:
        try:
            seen = window(offline=False)
            seen.page.goto(address)
            seen.page.wait_for_function("() => document.querySelector('#running b')?.textContent === '1.23'")
            assert "while it runs" in seen.text("#running")
            seen.page.locator("#running a").click()
            seen.page.wait_for_function("() => document.querySelector('#log')?.textContent.includes('core: 1.23')")
            assert seen.text("#log") == "step 1\n<script>window.hit=1</script> core: 1.23"
        finally:
            (shell.folder / "go").touch()
        assert runner.wait(60) == 0
        seen.page.wait_for_function("() => document.querySelector('.badge').textContent === 'keep'")
        seen.page.locator("summary", has_text="The end of its log").click()
        seen.page.wait_for_selector("pre.log")
        assert seen.text("pre.log").endswith("core: 0.91")
        assert seen.page.evaluate("() => window.hit") is None
        assert seen.said == []


@pytest.mark.extra("starlette", "uvicorn")
def test_a_port_that_is_taken(shell: Shell, address: str) -> None:
    """One line says so."""
    port = address.split(":")[2].split("/")[0]
    assert f"cannot listen on port {port}" in shell.fails(1, "serve", "--port", port)
